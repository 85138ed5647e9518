//! `recobro consent`: what customers say about being contacted.

use crate::command::guard::moment;
use crate::entry::Entry;
use crate::failure::{Exit, Failure};
use crate::reads;
use crate::session::Session;
use chrono::NaiveDate;
use chrono_tz::Tz;
use recobro_engine::consent::{read_token, standing};
use recobro_kernel::consent::{Purpose, Word};
use recobro_kernel::schedule::end_of;
use recobro_kernel::time::Timestamp;
use recobro_store::consents::{self, ConsentRow};
use serde::Serialize;

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// A customer asks for contact by a channel
    #[command(after_help = "\
Examples:
  recobro consent add C7 --channel sms --evidence 'form 2026-118'
  recobro consent add C7 --channel whatsapp --purpose all --on 2026-05-04

It takes an earlier opt-out back. A customer file alone does so only where it names a later day.")]
    Add(Add),
    /// A customer wants nothing by a channel: it closes at once, for the cases that come later as well
    #[command(after_help = "\
Examples:
  recobro consent withdraw C7 --channel email
  recobro consent withdraw C7 --channel sms --purpose courtesy --evidence 'call of 4 May'
  recobro consent withdraw --token QzcKZW1h...      a link in a message, or its end

A notice of the law is closed by it only where a policy says so.")]
    Withdraw(Withdraw),
    /// Times of the week that suit a customer, and times that do not
    #[command(after_help = "\
Examples:
  recobro consent hours C7 --inconvenient 'mon-fri 09:00-12:00; sun 00:00-24:00'
  recobro consent hours C7 --preferred 'mon-fri 17:00-19:00'
  recobro consent hours C7 --preferred none

Times are those of the customer's place. Nothing leaves in an inconvenient one. A preferred one is
chosen where it lies inside the lawful hours, within a week of the day a message is due.")]
    Hours(Hours),
    /// What a customer said, word by word, and where they stand
    List(List),
}

#[derive(clap::Args)]
struct Add {
    /// Customer
    customer: String,
    /// email, sms, whatsapp, voice, call, letter
    #[arg(long)]
    channel: String,
    /// For what: dunning, courtesy, all [default: dunning]
    #[arg(long)]
    purpose: Option<String>,
    /// Where it can be read: a form, a recording, a message
    #[arg(long, value_name = "REF")]
    evidence: Option<String>,
    /// When they said it: a date, a date and time at the customer's place, or an instant [default: now]
    #[arg(long, value_name = "WHEN")]
    on: Option<String>,
    /// Show what would be noted and who would hear of it, take nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args)]
struct Withdraw {
    /// Customer
    #[arg(required_unless_present = "token", requires = "channel")]
    customer: Option<String>,
    /// email, sms, whatsapp, voice, call, letter
    #[arg(long)]
    channel: Option<String>,
    /// From what: dunning, courtesy, all [default: all]
    #[arg(long)]
    purpose: Option<String>,
    /// A link in a message, or what stands behind /u/ in it, instead of customer, channel and purpose
    #[arg(long, conflicts_with_all = ["customer", "channel", "purpose"])]
    token: Option<String>,
    /// Where it can be read: a message, a recording
    #[arg(long, value_name = "REF")]
    evidence: Option<String>,
    /// When they said it: a date, a date and time at the customer's place, or an instant [default: now]
    #[arg(long, value_name = "WHEN")]
    on: Option<String>,
    /// Show what would be noted and who would hear of it, take nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args)]
struct Hours {
    /// Customer
    customer: String,
    /// When they like to be contacted; `none` takes it away
    #[arg(long, value_name = "TIMES", required_unless_present = "inconvenient")]
    preferred: Option<String>,
    /// When they want no contact; `none` takes it away
    #[arg(long, value_name = "TIMES")]
    inconvenient: Option<String>,
    /// Show what would be noted and who would hear of it, take nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args)]
struct List {
    /// Customer
    customer: String,
    /// What we knew at the end of that day [default: now]
    #[arg(long, value_name = "DATE")]
    as_of: Option<NaiveDate>,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    match args.verb {
        Verb::Add(args) => {
            let entry = word(session, (args.customer, args.channel), Word::Granted, args.on).await?;
            let entry = entry.with("purpose", args.purpose).with("evidence", args.evidence);
            entry.put(session, args.dry_run).await
        }
        Verb::Withdraw(args) => withdraw(args, session).await,
        Verb::Hours(args) => {
            Entry::of("consents")
                .with("customer", Some(args.customer))
                .with("preferred", args.preferred)
                .with("inconvenient", args.inconvenient)
                .with("on", Some(session.clock().await?.now()))
                .with("by", Some(session.config.actor()))
                .put(session, args.dry_run)
                .await
        }
        Verb::List(args) => list(&args, session).await,
    }
}

async fn word(
    session: &Session,
    (customer, channel): (String, String),
    word: Word,
    on: Option<String>,
) -> Result<Entry, Failure> {
    let on = match on {
        None => session.clock().await?.now().to_string(),
        // A day is a day; a time is one at the customer's place.
        Some(text) if text.parse::<NaiveDate>().is_ok() => text,
        Some(text) => moment("--on", &text, zone_of(session, &customer).await?)?.to_string(),
    };
    Ok(Entry::of("consents")
        .with("customer", Some(customer))
        .with("channel", Some(channel))
        .with("change", Some(word.name()))
        .with("on", Some(on))
        .with("by", Some(session.config.actor())))
}

/// Where a customer is; that nobody knows them is told when the word is tried.
async fn zone_of(session: &Session, customer: &str) -> Result<Tz, Failure> {
    let store = match session.store().await {
        Err(failure) if session.inbox(&failure).is_some() => return Ok(Tz::UTC),
        opened => opened?,
    };
    let mut tx = store.read().await?;
    let found = reads::find_customer(&mut tx, customer).await;
    Ok(found.ok().and_then(|known| known.time_zone.parse().ok()).unwrap_or(Tz::UTC))
}

async fn withdraw(args: Withdraw, session: &Session) -> Result<Exit, Failure> {
    let (customer, channel, purpose, evidence) = match &args.token {
        None => {
            let (customer, channel) = (args.customer.unwrap_or_default(), args.channel.unwrap_or_default());
            (customer, channel, args.purpose, args.evidence)
        }
        Some(token) => {
            let Some(secret) = session.opt_out_secret()? else {
                return Err(Failure::new(Exit::Configuration, "opt_out.secret is not set: no token can be read")
                    .help("opt_out.secret = \"env:NAME\" or \"file:PATH\", the one that the links were made with"));
            };
            // People paste the whole link; a mail program may have put something behind it.
            let end = token.rsplit_once("/u/").map_or(token.as_str(), |(_, end)| end);
            let end = end.split(['?', '#', '/', '>', ' ']).next().unwrap_or(end);
            let said = read_token(&secret, end).ok_or_else(|| {
                Failure::new(Exit::Refused, "this token was not made here, or is not whole").help(
                    "copy the whole link, or all that stands behind /u/ in it; links of before opt_out.secret was changed are void",
                )
            })?;
            let evidence = args.evidence.or_else(|| Some("link in a message".to_owned()));
            (said.customer.to_string(), said.channel.name().to_owned(), Some(said.purpose), evidence)
        }
    };
    let entry = word(session, (customer, channel), Word::Withdrawn, args.on).await?;
    entry.with("purpose", purpose).with("evidence", evidence).put(session, args.dry_run).await
}

#[derive(Serialize)]
struct Spoken<'a> {
    schema: &'static str,
    customer: &'a str,
    channel: &'a str,
    purpose: &'a str,
    word: &'a str,
    /// When they said it; nothing where nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    said_at: Option<Timestamp>,
    known_at: Timestamp,
    source: &'a str,
    by: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    evidence: &'a str,
}

async fn list(args: &List, session: &Session) -> Result<Exit, Failure> {
    let store = session.store().await?;
    let mut tx = store.read().await?;
    let customer = reads::find_customer(&mut tx, &args.customer).await?;
    let zone: Tz = customer.time_zone.parse().unwrap_or(Tz::UTC);
    let mut words = consents::of_customers(&mut tx, std::slice::from_ref(&customer.id)).await?;
    let tallies = recobro_store::customers::aggregates(&mut tx, std::slice::from_ref(&customer.id)).await?;
    drop(tx);
    if let Some(day) = args.as_of {
        words.retain(|word| word.known_at < end_of(day, zone));
    }
    let limit = usize::try_from(session.limit()).unwrap_or(usize::MAX);
    if session.out.is_json() {
        let rows: Vec<Spoken<'_>> = words.iter().rev().take(limit).map(said).collect();
        session.out.list(&rows, &[], |_| Vec::new())?;
        return Ok(Exit::Ok);
    }
    if words.is_empty() {
        session.out.say(&format!("{} said nothing about channels", customer.id));
    }
    for (channel, consent) in standing(&words) {
        let stands = Purpose::ALL.map(|purpose| {
            let word = match (consent.refused.contains(&purpose), consent.asked.contains(&purpose)) {
                (true, _) => "withdrawn",
                (false, true) => "granted",
                (false, false) => "nothing said",
            };
            format!("{} {word}", purpose.name())
        });
        session.out.line(&format!("{:<8}  {}", channel.name(), stands.join(", ")))?;
    }
    let times = tallies.get(&customer.id).filter(|_| args.as_of.is_none());
    if let Some(times) = times {
        for (what, said) in [("preferred", &times.preferred_times), ("inconvenient", &times.inconvenient_times)] {
            if let Some(said) = said {
                session.out.line(&format!("{what:<12}  {said}"))?;
            }
        }
    }
    let head = ["said", "channel", "purpose", "word", "source", "by", "evidence"];
    let rows: Vec<Spoken<'_>> = words.iter().rev().take(limit).map(said).collect();
    session.out.list(&rows, &head, |row| cells(row, zone))?;
    Ok(Exit::Ok)
}

fn said(row: &ConsentRow) -> Spoken<'_> {
    Spoken {
        schema: "recobro/v1/consent",
        customer: row.customer.as_str(),
        channel: &row.channel,
        purpose: &row.purpose,
        word: row.word.name(),
        said_at: row.dated.then_some(row.said_at),
        known_at: row.known_at,
        source: &row.source,
        by: &row.said_by,
        evidence: &row.evidence,
    }
}

fn cells(row: &Spoken<'_>, zone: Tz) -> Vec<String> {
    let when = row.said_at.map(|at| at.local(zone).format("%Y-%m-%d %H:%M").to_string());
    vec![
        when.unwrap_or_else(|| "no day known".to_owned()),
        row.channel.to_owned(),
        row.purpose.to_owned(),
        row.word.to_owned(),
        row.source.to_owned(),
        row.by.to_owned(),
        row.evidence.to_owned(),
    ]
}
