//! E-mail over SMTP: `smtp://` asks for STARTTLS, `smtps://` speaks TLS from the start, `smtp+plain://` is for a relay on
//! this machine.
//!
//! One recipient per transaction, and the phase is known: until the end-of-data marker is about to be written, whatever
//! fails may be tried again; after it only a definite answer counts, and a lost connection or a time-out is
//! [`Delivery::Unknown`] (RFC 1047 describes the window). That line is drawn by [`Marked`], the iterator that hands the
//! message to `lettre`: it is asked for more exactly once before the marker goes out.

use super::{Channel, Delivery, OpenError, Outgoing, Settings, message};
use async_trait::async_trait;
use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::{Response, Severity};
use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::timeout;

/// Connections that one batch uses side by side; relays often allow ten from one address.
const CONNECTIONS: usize = 4;

/// Farewells are polite, not needed: the answer to QUIT decides nothing.
const QUIT_TIMEOUT: Duration = Duration::from_secs(2);

/// What is said of messages that a slow relay left no time for.
const NOT_TRIED: &str = "not tried: the relay took too long over earlier messages";

const NOT_RECORDED: &str = "no answer was recorded";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Security {
    Plain,
    StartTls,
    Tls,
}

struct Smtp {
    host: String,
    port: u16,
    security: Security,
    tls: Option<TlsParameters>,
    credentials: Option<Credentials>,
    deadline: Duration,
    hello: ClientId,
}

pub(super) fn open_starttls(settings: &Settings) -> Result<Arc<dyn Channel>, OpenError> {
    open(settings, Security::StartTls, 587)
}

pub(super) fn open_tls(settings: &Settings) -> Result<Arc<dyn Channel>, OpenError> {
    open(settings, Security::Tls, 465)
}

pub(super) fn open_plain(settings: &Settings) -> Result<Arc<dyn Channel>, OpenError> {
    open(settings, Security::Plain, 25)
}

fn open(settings: &Settings, security: Security, usual_port: u16) -> Result<Arc<dyn Channel>, OpenError> {
    let (host, port) = host_and_port(&settings.transport, usual_port)?;
    let tls = match security {
        Security::Plain => None,
        Security::StartTls | Security::Tls => Some(tls_parameters(settings, &host)?),
    };
    let credentials = settings.credentials.as_ref();
    Ok(Arc::new(Smtp {
        host,
        port,
        security,
        tls,
        credentials: credentials.map(|(user, secret)| Credentials::new(user.clone(), secret.expose().to_owned())),
        deadline: settings.deadline,
        hello: ClientId::Domain(settings.hello.clone()),
    }))
}

fn host_and_port(transport: &str, usual_port: u16) -> Result<(String, u16), OpenError> {
    let bad = || OpenError::BadHost(transport.to_owned());
    let (_, rest) = transport.split_once("://").ok_or_else(bad)?;
    let rest = rest.trim_end_matches('/');
    let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => (address, port.strip_prefix(':')),
        None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Some(usual_port), |port| port.parse().ok()).ok_or_else(bad)?;
    let is_host = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:".contains(c));
    if is_host { Ok((host.to_owned(), port)) } else { Err(bad()) }
}

fn tls_parameters(settings: &Settings, host: &str) -> Result<TlsParameters, OpenError> {
    let wrong = |error: lettre::transport::smtp::Error| OpenError::Tls(host.to_owned(), told(&error));
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(pem) = &settings.root_certificate {
        builder = builder.add_root_certificate(Certificate::from_pem(pem).map_err(wrong)?);
    }
    builder.build().map_err(wrong)
}

#[async_trait]
impl Channel for Smtp {
    fn lane(&self) -> &'static str {
        "email"
    }

    /// A relay does not know our keys: the same message twice is two messages.
    fn idempotent(&self) -> bool {
        false
    }

    /// Two for each connection.
    fn slice(&self) -> Option<usize> {
        Some(2 * CONNECTIONS)
    }

    /// What was begun at the end of the first deadline takes a second one; then the farewells.
    fn longest(&self) -> Duration {
        2 * self.deadline + QUIT_TIMEOUT
    }

    fn render(&self, item: &Outgoing) -> Result<Vec<u8>, String> {
        message::compose(item)
    }

    /// Takes at most two deadlines: what was not begun within the first one is left for another time.
    async fn deliver(&self, items: &[Outgoing]) -> Vec<Delivery> {
        let is_late = AtomicBool::new(false);
        let bell = async {
            tokio::time::sleep(self.deadline).await;
            is_late.store(true, Ordering::SeqCst);
            std::future::pending::<()>().await;
        };
        let share = |lane: usize| self.deliver_in_turn(items.iter().skip(lane).step_by(CONNECTIONS), &is_late);
        let shares = async { tokio::join!(share(0), share(1), share(2), share(3)) };
        let (a, b, c, d) = tokio::select! {
            shares = shares => shares,
            () = bell => return items.iter().map(|_| Delivery::Unknown { reason: NOT_RECORDED.to_owned() }).collect(),
        };
        let mut shares = [a.into_iter(), b.into_iter(), c.into_iter(), d.into_iter()];
        let lost = || Delivery::Unknown { reason: NOT_RECORDED.to_owned() };
        (0..items.len()).map(|i| shares[i % CONNECTIONS].next().unwrap_or_else(lost)).collect()
    }
}

impl Smtp {
    /// Delivers one after the other, over one connection as long as it answers well.
    async fn deliver_in_turn(
        &self,
        items: impl Iterator<Item = &Outgoing> + Send,
        is_late: &AtomicBool,
    ) -> Vec<Delivery> {
        let mut answers = Vec::new();
        let mut connection = None;
        for item in items {
            if is_late.load(Ordering::SeqCst) {
                answers.push(Delivery::NotTried { reason: NOT_TRIED.to_owned() });
                continue;
            }
            let (has_begun, is_past_marker) = (AtomicBool::new(false), AtomicBool::new(false));
            let attempt = self.attempt(item, &mut connection, &has_begun, &is_past_marker);
            let answer = timeout(self.deadline, attempt).await.unwrap_or_else(|_| {
                let reason = format!("no answer from {} within {:?}", self.host, self.deadline);
                if has_begun.load(Ordering::SeqCst) {
                    lost(&is_past_marker, reason)
                } else {
                    Delivery::NotTried { reason }
                }
            });
            if !matches!(answer, Delivery::Accepted { .. }) {
                connection = None;
            }
            answers.push(answer);
        }
        if let Some(mut connection) = connection {
            // Whatever it says, everything was answered already.
            drop(timeout(QUIT_TIMEOUT.min(self.deadline), connection.quit()).await);
        }
        answers
    }

    async fn attempt(
        &self,
        item: &Outgoing,
        connection: &mut Option<AsyncSmtpConnection>,
        has_begun: &AtomicBool,
        is_past_marker: &AtomicBool,
    ) -> Delivery {
        let parts = message::address("sender", &item.from_address).and_then(|from| {
            let to = message::address("recipient", &item.to_address)?;
            let bytes = item.raw.clone().map_or_else(|| self.render(item), Ok)?;
            Ok((from, to, bytes))
        });
        let (from, to, bytes) = match parts {
            Ok(parts) => parts,
            Err(reason) => return Delivery::Refused { reason },
        };
        let open = match connection.take() {
            Some(open) => Ok(open),
            None => self.connect().await,
        };
        let mut open = match open {
            Ok(open) => open,
            // Nothing was said about the message yet: a wrong password must not turn a portfolio into refusals.
            Err(reason) => return Delivery::NotTried { reason },
        };
        has_begun.store(true, Ordering::SeqCst);
        let answer = transact(&mut open, from, to, &bytes, is_past_marker).await;
        *connection = Some(open);
        answer
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, String> {
        let at = |what: &str, error: &lettre::transport::smtp::Error| {
            format!("{what} {}:{}: {}", self.host, self.port, told(error))
        };
        let wrapper = self.tls.clone().filter(|_| self.security == Security::Tls);
        let address = (self.host.as_str(), self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(address, Some(self.deadline), &self.hello, wrapper, None)
                .await
                .map_err(|error| at("cannot connect to", &error))?;
        if let Some(tls) = self.tls.clone().filter(|_| self.security == Security::StartTls) {
            connection.starttls(tls, &self.hello).await.map_err(|error| at("no STARTTLS with", &error))?;
        }
        if let Some(credentials) = &self.credentials {
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            connection.auth(&mechanisms, credentials).await.map_err(|error| at("cannot log in at", &error))?;
        }
        Ok(connection)
    }
}

/// One transaction over an open connection.
async fn transact(
    connection: &mut AsyncSmtpConnection,
    from: Address,
    to: Address,
    bytes: &[u8],
    is_past_marker: &AtomicBool,
) -> Delivery {
    let server = connection.server_info();
    let mut options = Vec::new();
    if [&from, &to].iter().any(|address| !AsRef::<str>::as_ref(address).is_ascii()) {
        if !server.supports_feature(Extension::SmtpUtfEight) {
            return Delivery::Refused { reason: "the relay takes no address beyond ASCII (SMTPUTF8)".to_owned() };
        }
        options.push(MailParameter::SmtpUtfEight);
    }
    if !bytes.is_ascii() && server.supports_feature(Extension::EightBitMime) {
        options.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    if let Err(error) = connection.command(Mail::new(Some(from), options)).await {
        return answer_to("MAIL FROM", &error, is_past_marker);
    }
    if let Err(error) = connection.command(Rcpt::new(to, Vec::new())).await {
        return answer_to("RCPT TO", &error, is_past_marker);
    }
    match connection.command(Data).await {
        Ok(response) if response.has_code(354) => {}
        Ok(response) => return Delivery::Retry { reason: format!("DATA: unexpected answer {}", said(&response)) },
        Err(error) => return answer_to("DATA", &error, is_past_marker),
    }
    match connection.message_iter(Marked { message: Some(bytes), is_past_marker }).await {
        Ok(response) if response.code().severity == Severity::PositiveCompletion => {
            Delivery::Accepted { reference: said(&response) }
        }
        Ok(response) => lost(is_past_marker, format!("unexpected answer to the message: {}", said(&response))),
        Err(error) => answer_to("the message", &error, is_past_marker),
    }
}

/// Hands over the message once; being asked again means that the end-of-data marker is written next.
struct Marked<'m> {
    message: Option<&'m [u8]>,
    is_past_marker: &'m AtomicBool,
}

impl<'m> Iterator for Marked<'m> {
    type Item = &'m [u8];

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.message.take();
        if next.is_none() {
            self.is_past_marker.store(true, Ordering::SeqCst);
        }
        next
    }
}

/// What an error means: a definite answer in any phase, else the phase decides.
fn answer_to(what: &str, error: &lettre::transport::smtp::Error, is_past_marker: &AtomicBool) -> Delivery {
    let reason = format!("{what}: {}", told(error));
    // 530, 534, 535 and 538 are about our login, not about the message (RFC 4954).
    let is_about_login =
        error.status().is_some_and(|code| ["530", "534", "535", "538"].contains(&code.to_string().as_str()));
    if error.is_transient() || is_about_login {
        Delivery::Retry { reason }
    } else if error.is_permanent() {
        Delivery::Refused { reason }
    } else {
        lost(is_past_marker, reason)
    }
}

/// No definite answer: safe to try again before the marker, unknown after it.
fn lost(is_past_marker: &AtomicBool, reason: String) -> Delivery {
    if is_past_marker.load(Ordering::SeqCst) { Delivery::Unknown { reason } } else { Delivery::Retry { reason } }
}

/// The answer's code and first line, short enough for a record.
fn said(response: &Response) -> String {
    let line: String =
        response.first_line().unwrap_or_default().chars().filter(|c| !c.is_control()).take(200).collect();
    format!("{} {line}", response.code())
}

/// An error with its cause, on one line.
fn told(error: &lettre::transport::smtp::Error) -> String {
    let cause = error.source().map(|cause| format!(": {cause}"));
    let text = error.to_string();
    // Some versions print the cause themselves.
    let text = match cause {
        Some(cause) if !text.contains(&cause[2..]) => text + &cause,
        Some(_) | None => text,
    };
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

#[cfg(test)]
mod tests;
