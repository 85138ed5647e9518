//! Every phase of an SMTP transaction against a scripted server on loopback: answers, drops, silence.

use super::*;
use crate::channel::contract::item;
use crate::channel::{Secret, open as open_channel};
use std::sync::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate for `localhost` and its key: for these tests only, known to everyone.
const CERTIFICATE: &[u8] = include_bytes!("test-relay.pem");
const KEY: &[u8] = include_bytes!("test-relay.key");

/// Where the script departs from good behaviour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    Greeting,
    Ehlo,
    Auth,
    Mail,
    Rcpt,
    Data,
    Body,
    End,
    Never,
}

/// What it does there.
#[derive(Clone, Copy, Debug)]
enum Act {
    Say(&'static str),
    Drop,
    Silence,
}

/// A relay that behaves until a point. It keeps what it accepted.
#[derive(Clone)]
struct Relay {
    at: At,
    act: Act,
    security: Security,
    accepted: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<u32>>,
}

impl Relay {
    fn new(at: At, act: Act) -> Self {
        Self { at, act, security: Security::Plain, accepted: Arc::default(), connections: Arc::default() }
    }

    /// A relay that speaks TLS.
    fn secure(security: Security) -> Self {
        Self { security, ..Self::new(At::Never, Act::Drop) }
    }

    /// Listens on loopback; returns the port.
    async fn listen(&self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let relay = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *relay.connections.lock().unwrap() += 1;
                let relay = relay.clone();
                tokio::spawn(async move { relay.serve(stream).await });
            }
        });
        port
    }

    /// Answers at a point; false ends the connection.
    async fn step(&self, stream: &mut (impl AsyncWrite + Unpin), at: At, usual: &str) -> bool {
        let line = match self.act {
            _ if at != self.at => usual,
            Act::Say(line) => line,
            Act::Drop => return false,
            Act::Silence => std::future::pending().await,
        };
        stream.write_all(format!("{line}\r\n").as_bytes()).await.is_ok()
    }

    async fn serve(self, stream: TcpStream) -> Option<()> {
        match self.security {
            Security::Plain => drop(self.speak(stream, true).await?),
            Security::Tls => drop(self.speak(acceptor().accept(stream).await.ok()?, true).await?),
            Security::StartTls => {
                let stream = self.speak(stream, true).await?;
                drop(self.speak(acceptor().accept(stream).await.ok()?, false).await?);
            }
        }
        Some(())
    }

    /// Speaks SMTP; gives the stream back where STARTTLS was asked for.
    async fn speak<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S, is_first: bool) -> Option<S> {
        let mut stream = BufReader::new(stream);
        if is_first {
            self.step(&mut stream, At::Greeting, "220 relay.example ESMTP").await.then_some(())?;
        }
        let offers_tls = is_first && self.security == Security::StartTls;
        let hello = if offers_tls {
            "250-relay.example\r\n250 STARTTLS"
        } else {
            "250-relay.example\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME"
        };
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let verb = line.split_whitespace().next().unwrap_or_default().to_uppercase();
            let (at, usual) = match verb.as_str() {
                "EHLO" => (At::Ehlo, hello),
                "STARTTLS" => {
                    stream.write_all(b"220 go\r\n").await.ok()?;
                    return Some(stream.into_inner());
                }
                "AUTH" => (At::Auth, "235 welcome"),
                "MAIL" => (At::Mail, "250 sender ok"),
                "RCPT" => (At::Rcpt, "250 recipient ok"),
                "DATA" => (At::Data, "354 go ahead"),
                "QUIT" => return None,
                other => panic!("unexpected {other}"),
            };
            self.step(&mut stream, at, usual).await.then_some(())?;
            if at == At::Data && self.at != At::Data {
                self.take_message(&mut stream).await?;
            }
        }
    }

    async fn take_message(&self, stream: &mut (impl AsyncBufReadExt + AsyncWrite + Unpin)) -> Option<()> {
        if self.at == At::Body {
            let mut some = vec![0; 1000];
            stream.read_exact(&mut some).await.ok()?;
            return None;
        }
        let mut message = String::new();
        while !message.ends_with("\r\n.\r\n") {
            if stream.read_line(&mut message).await.ok()? == 0 {
                return None;
            }
        }
        if self.at != At::End {
            self.accepted.lock().unwrap().push(message);
        }
        self.step(stream, At::End, "250 2.0.0 queued as 4F1").await.then_some(())
    }
}

fn acceptor() -> TlsAcceptor {
    let certificates = CertificateDer::pem_slice_iter(CERTIFICATE).collect::<Result<Vec<_>, _>>().unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(certificates, PrivateKeyDer::from_pem_slice(KEY).unwrap()).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn settings(port: u16) -> Settings {
    let mut settings = Settings::new("email", &format!("smtp+plain://127.0.0.1:{port}"));
    settings.deadline = Duration::from_secs(20);
    settings
}

async fn send(at: At, act: Act) -> Delivery {
    let relay = Relay::new(at, act);
    let mut settings = settings(relay.listen().await);
    if matches!(act, Act::Silence) {
        settings.deadline = Duration::from_millis(150);
    }
    if at == At::Auth {
        settings.credentials = Some(("ana".to_owned(), Secret::new("s3cret")));
    }
    let channel = open_channel(&settings).unwrap();
    channel.deliver(&[item("1")]).await.remove(0)
}

/// The answer's variant, by name.
fn name(delivery: &Delivery) -> &'static str {
    match delivery {
        Delivery::Accepted { .. } => "accepted",
        Delivery::Refused { .. } => "refused",
        Delivery::Retry { .. } => "retry",
        Delivery::NotTried { .. } => "not tried",
        Delivery::Unknown { .. } => "unknown",
    }
}

#[tokio::test]
async fn the_relays_answer_is_the_reference() {
    let sent = send(At::Never, Act::Drop).await;
    assert_eq!(sent, Delivery::Accepted { reference: "250 2.0.0 queued as 4F1".to_owned() });
}

#[tokio::test]
async fn each_phase_knows_what_a_failure_means() {
    let table = [
        (At::Greeting, Act::Say("421 too busy"), "not tried"),
        (At::Greeting, Act::Say("554 no service"), "not tried"),
        (At::Greeting, Act::Drop, "not tried"),
        (At::Greeting, Act::Silence, "not tried"),
        (At::Ehlo, Act::Drop, "not tried"),
        (At::Auth, Act::Say("535 wrong password"), "not tried"),
        (At::Mail, Act::Say("451 later"), "retry"),
        (At::Mail, Act::Say("530 log in first"), "retry"),
        (At::Mail, Act::Say("550 sender unknown"), "refused"),
        (At::Mail, Act::Drop, "retry"),
        (At::Rcpt, Act::Say("450 greylisted"), "retry"),
        (At::Rcpt, Act::Say("550 no such user"), "refused"),
        (At::Rcpt, Act::Silence, "retry"),
        (At::Data, Act::Say("451 later"), "retry"),
        (At::Data, Act::Say("554 no"), "refused"),
        (At::Data, Act::Say("250 what?"), "retry"),
        (At::Data, Act::Drop, "retry"),
        (At::Data, Act::Silence, "retry"),
        (At::End, Act::Say("451 try again"), "retry"),
        (At::End, Act::Say("550 spam"), "refused"),
        (At::End, Act::Say("354 more?"), "unknown"),
        (At::End, Act::Say("what"), "unknown"),
        (At::End, Act::Drop, "unknown"),
        (At::End, Act::Silence, "unknown"),
    ];
    for (at, act, expected) in table {
        let answer = send(at, act).await;
        assert_eq!(name(&answer), expected, "{at:?} {act:?}: {answer:?}");
    }
}

#[tokio::test]
async fn a_connection_lost_inside_the_message_may_be_tried_again() {
    let relay = Relay::new(At::Body, Act::Drop);
    let channel = open_channel(&settings(relay.listen().await)).unwrap();
    // Larger than any socket buffer: the marker cannot have been written.
    let raw = Some(b"0123456789012345678901234567890123456789\r\n".repeat(800_000));
    let answer = channel.deliver(&[Outgoing { raw, ..item("1") }]).await.remove(0);
    assert_eq!(name(&answer), "retry", "{answer:?}");
}

#[tokio::test]
async fn a_relay_that_is_not_there_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let channel = open_channel(&settings(port)).unwrap();
    let answer = channel.deliver(&[item("1")]).await.remove(0);
    assert!(
        matches!(&answer, Delivery::NotTried { reason } if reason.starts_with("cannot connect to 127.0.0.1:")),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_batch_keeps_its_order_and_bad_items_never_reach_the_relay() {
    let relay = Relay::new(At::Never, Act::Drop);
    let channel = open_channel(&settings(relay.listen().await)).unwrap();
    let mut items: Vec<Outgoing> = (0..20).map(|i| item(&format!("key-{i}"))).collect();
    items[7].to_name = "x\r\nBcc: y@z.example".to_owned();
    items[11].to_address = "nobody".to_owned();
    let answers = channel.deliver(&items).await;
    let refused: Vec<usize> = (0..20).filter(|i| name(&answers[*i]) == "refused").collect();
    assert_eq!(refused, [7, 11]);
    let accepted = relay.accepted.lock().unwrap();
    assert_eq!(accepted.len(), 18);
    assert!(!accepted.iter().any(|message| message.contains("y@z.example")));
    let connections = *relay.connections.lock().unwrap();
    assert!((1..=6).contains(&connections), "a refusal costs one connection, not one per message: {connections}");
}

#[tokio::test]
async fn the_bytes_kept_as_evidence_are_the_bytes_sent() {
    let relay = Relay::new(At::Never, Act::Drop);
    let channel = open_channel(&settings(relay.listen().await)).unwrap();
    let item = item("1");
    let raw = channel.render(&item).unwrap();
    channel.deliver(&[Outgoing { raw: Some(raw.clone()), ..item }]).await;
    let sent = relay.accepted.lock().unwrap()[0].clone();
    assert_eq!(sent, String::from_utf8(raw).unwrap() + "\r\n.\r\n");
}

#[tokio::test]
async fn without_tls_at_the_relay_nothing_leaves_where_tls_is_asked_for() {
    let relay = Relay::new(At::Never, Act::Drop);
    let mut settings = settings(relay.listen().await);
    settings.transport = settings.transport.replace("smtp+plain", "smtp");
    let answer = open_channel(&settings).unwrap().deliver(&[item("1")]).await.remove(0);
    assert!(matches!(&answer, Delivery::NotTried { reason } if reason.starts_with("no STARTTLS with")), "{answer:?}");
    assert!(relay.accepted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn tls_is_spoken_from_the_start_or_after_starttls() {
    for (security, scheme) in [(Security::Tls, "smtps"), (Security::StartTls, "smtp")] {
        let relay = Relay::secure(security);
        let mut settings = Settings::new("email", &format!("{scheme}://localhost:{}", relay.listen().await));
        settings.root_certificate = Some(CERTIFICATE.to_vec());
        settings.credentials = Some(("ana".to_owned(), Secret::new("s3cret")));
        let answer = open_channel(&settings).unwrap().deliver(&[item("1")]).await.remove(0);
        assert_eq!(name(&answer), "accepted", "{scheme}: {answer:?}");
        assert_eq!(relay.accepted.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_relay_that_cannot_prove_its_name_gets_nothing() {
    let relay = Relay::secure(Security::Tls);
    let settings = Settings::new("email", &format!("smtps://localhost:{}", relay.listen().await));
    let answer = open_channel(&settings).unwrap().deliver(&[item("1")]).await.remove(0);
    assert!(matches!(&answer, Delivery::NotTried { reason } if reason.contains("certificate")), "{answer:?}");
    assert!(relay.accepted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_silent_relay_costs_one_deadline_not_one_per_message() {
    let relay = Relay::new(At::Mail, Act::Silence);
    let mut settings = settings(relay.listen().await);
    settings.deadline = Duration::from_millis(150);
    let items: Vec<Outgoing> = (0..100).map(|i| item(&format!("key-{i}"))).collect();
    let answers = open_channel(&settings).unwrap().deliver(&items).await;
    assert!(answers.iter().all(|answer| ["retry", "not tried"].contains(&name(answer))));
    let untried =
        answers.iter().filter(|answer| matches!(answer, Delivery::NotTried { reason } if reason == NOT_TRIED));
    assert!(untried.count() >= 90);
}

#[test]
fn hosts_and_ports_are_read_or_refused() {
    let read = |text: &str| host_and_port(text, 587).ok();
    assert_eq!(read("smtp://relay.example"), Some(("relay.example".to_owned(), 587)));
    assert_eq!(read("smtp://relay.example:2525/"), Some(("relay.example".to_owned(), 2525)));
    assert_eq!(read("smtp://[::1]:25"), Some(("::1".to_owned(), 25)));
    for wrong in ["smtp:relay", "smtp://", "smtp://relay:x", "smtp://user@relay", "smtp://a b"] {
        assert_eq!(read(wrong), None, "{wrong}");
    }
}
