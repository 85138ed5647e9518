//! `recobro guard explain`.

use super::lifted::{self, DeadlineLine};
use crate::failure::{Exit, Failure};
use crate::reads;
use crate::session::Session;
use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use chrono_tz::Tz;
use recobro_engine::Engine;
use recobro_engine::explain::{Answer, Question, parts};
use recobro_kernel::facts::{Channel, Class};
use recobro_kernel::ids::CustomerId;
use recobro_kernel::record::Moved;
use recobro_kernel::time::Timestamp;
use recobro_store::verdicts::VerdictRow;
use serde::Serialize;

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Customer's id
    customer: String,
    /// Only this channel
    #[arg(long, value_parser = channel)]
    channel: Option<Channel>,
    /// What kind of message: dunning, courtesy, transactional, `legal_notice`
    #[arg(long, value_parser = class, default_value = "dunning")]
    class: Class,
    /// When, at the customer's place: a date, a date and time, or an instant [default: now]
    #[arg(long, value_name = "WHEN")]
    at: Option<String>,
    /// What the guard answered on that day, instead of what it would answer
    #[arg(long)]
    log: bool,
}

fn channel(text: &str) -> Result<Channel, String> {
    let all = || Channel::ALL.into_iter().map(Channel::name).collect::<Vec<_>>().join(", ");
    Channel::parse(text).ok_or_else(|| format!("channels are {}", all()))
}

fn class(text: &str) -> Result<Class, String> {
    let all = || Class::ALL.into_iter().map(Class::name).collect::<Vec<_>>().join(", ");
    Class::parse(text).ok_or_else(|| format!("classes are {}", all()))
}

#[derive(Serialize)]
struct Said<'a> {
    schema: &'static str,
    invoice: &'a str,
    number: &'a str,
    channel: &'a str,
    at: Timestamp,
    verdict: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    rule: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<&'a str>,
    reachable: bool,
    findings: Vec<Found<'a>>,
    /// Every limit that moved it, the last as binding.
    moved: &'a [Moved],
}

#[derive(Serialize)]
struct Found<'a> {
    rule: &'a str,
    verdict: &'a str,
    why: &'a str,
    source: &'a str,
    /// The exception that allows what the rule would not have allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    exception: Option<&'a str>,
}

#[derive(Serialize)]
struct Logged<'a> {
    schema: &'static str,
    effect: &'a str,
    at: Timestamp,
    invoice: &'a str,
    channel: &'a str,
    class: &'a str,
    verdict: &'a str,
    rule: &'a str,
    until: Option<Timestamp>,
    findings: serde_json::Value,
    policy: &'a str,
}

pub(super) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    let engine = session.engine(session.clock().await?).await?;
    let mut tx = engine.store().read().await?;
    let customer = reads::find_customer(&mut tx, &args.customer).await?;
    drop(tx);
    let zone: Tz = customer.time_zone.parse().unwrap_or(Tz::UTC);
    let at = match &args.at {
        Some(text) => moment(text, zone)?,
        None => engine.clock().now(),
    };
    if args.log {
        let date = at.date_in(zone);
        let (from, to) = (Timestamp::start_of(date, zone), recobro_kernel::schedule::end_of(date, zone));
        let mut tx = engine.store().read().await?;
        let limit = i64::from(session.limit());
        let rows = recobro_store::verdicts::of_customer(&mut tx, &customer.id, (from, to), limit).await?;
        return logged(&rows, zone, session);
    }
    let channels = args.channel.map_or_else(|| Channel::ALL.to_vec(), |channel| vec![channel]);
    let question = Question { customer: customer.id.clone(), channels, class: args.class, at };
    let answers = engine.explain(&question).await?;
    crate::command::guard::warn_of_news(&engine, session).await?;
    if answers.is_empty() && !session.out.is_json() {
        session.out.say(&format!("{} has no open case: nothing is asked of them", customer.id));
    }
    for answer in &answers {
        if session.out.is_json() {
            session.out.json(&said(answer, at))?;
        } else {
            session.out.line(&text(answer, at, zone))?;
        }
    }
    beside(&engine, &customer.id, (at, at.date_in(zone)), session).await
}

/// What stands beside the answers: rules that are lifted, and deadlines that run.
async fn beside(
    engine: &Engine,
    customer: &CustomerId,
    (at, on): (Timestamp, NaiveDate),
    session: &Session,
) -> Result<Exit, Failure> {
    for row in engine.exceptions_of(customer, at).await? {
        let line = lifted::line(row, on);
        if session.out.is_json() {
            session.out.json(&line)?;
        } else {
            let (by, and) = (&line.asked_by, line.decided_by.as_deref().unwrap_or_default());
            let (name, rule, until) = (&line.exception, &line.rule, line.until);
            session.out.line(&format!("exception {name} lifts {rule} until {until}, asked by {by}, approved by {and}"))?;
        }
    }
    for running in engine.deadlines(customer, at).await? {
        let line = DeadlineLine::from(running);
        if session.out.is_json() {
            session.out.json(&line)?;
        } else {
            session.out.line(&format!("{}  deadline  {}", line.number(), line.text()))?;
        }
    }
    Ok(Exit::Ok)
}

/// A date (at noon), a local date and time, or an instant.
fn moment(text: &str, zone: Tz) -> Result<Timestamp, Failure> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let noon = NaiveTime::from_hms_opt(12, 0, 0).unwrap_or_default();
    let local = ["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .or_else(|| text.parse::<NaiveDate>().ok().map(|date| date.and_time(noon)));
    let local = local.ok_or_else(|| {
        Failure::new(Exit::Usage, format!("--at: `{text}` is no date, local time or instant"))
            .help("write 2026-06-30, 2026-06-30T20:30 or 2026-06-30T18:30:00Z")
    })?;
    Ok(Timestamp::at_local(local.date(), local.time(), zone))
}

fn said(answer: &Answer, at: Timestamp) -> Said<'_> {
    let (verdict, rule, until) = parts(&answer.verdict);
    let found = answer.findings.iter().map(|found| Found {
        rule: &found.rule,
        verdict: parts(&found.verdict).0,
        why: &found.why,
        source: &found.source,
        exception: found.exception.as_deref(),
    });
    Said {
        schema: "recobro/v1/verdict",
        invoice: answer.invoice.as_str(),
        number: &answer.number,
        channel: answer.channel.name(),
        at,
        verdict,
        rule,
        until,
        stopped: answer.stopped.as_deref(),
        reachable: answer.reachable,
        findings: found.collect(),
        moved: &answer.moved,
    }
}

/// One line for the answer, one for each rule that was asked.
fn text(answer: &Answer, at: Timestamp, zone: Tz) -> String {
    let local = |at: Timestamp| at.local(zone).format("%a %Y-%m-%d %H:%M").to_string();
    let (verdict, rule, until) = parts(&answer.verdict);
    let guard = match (verdict, until) {
        _ if answer.stopped.is_some() => format!("kept back by the case: {}", answer.stopped.as_deref().unwrap_or_default()),
        ("allow", _) => format!("may leave at {}", local(at)),
        ("defer", Some(Timestamp::MAX)) => format!("never: {rule}"),
        ("defer", Some(until)) => format!("not before {}: {}", local(until), in_order(answer, rule)),
        _ => format!("not this way: {rule}"),
    };
    let mut lines = vec![format!("{}  {:<8}  {guard}", answer.number, answer.channel.name())];
    for moved in answer.moved.iter().filter(|moved| !moved.rule.contains('/')) {
        lines.push(format!("    later   the playbook's {}: {}", moved.rule, local(moved.until)));
    }
    for found in &answer.findings {
        let why = if found.why.is_empty() { String::new() } else { format!("  {}", found.why) };
        let word = parts(&found.verdict).0;
        lines.push(format!("    {word:<6}  {}{why}  ({})", found.rule, found.source));
    }
    lines.join("\n")
}

/// Every limit that moved it, in the order in which they did: the last one alone may be the hour of a day that a cap chose.
fn in_order(answer: &Answer, last: &str) -> String {
    let rules: Vec<&str> = answer.moved.iter().map(|moved| moved.rule.as_str()).collect();
    if rules.is_empty() { last.to_owned() } else { rules.join(", then ") }
}

fn logged(rows: &[VerdictRow], zone: Tz, session: &Session) -> Result<Exit, Failure> {
    if rows.is_empty() && !session.out.is_json() {
        session.out.say("the guard was not asked about this customer on that day");
    }
    for row in rows {
        let findings: serde_json::Value = serde_json::from_str(&row.findings).unwrap_or_default();
        if session.out.is_json() {
            session.out.json(&Logged {
                schema: "recobro/v1/verdict-log",
                effect: &row.effect,
                at: row.at,
                invoice: row.invoice.as_str(),
                channel: &row.channel,
                class: &row.class,
                verdict: &row.verdict,
                rule: &row.rule,
                until: row.until_at,
                findings,
                policy: &row.policy,
            })?;
            continue;
        }
        let local = |at: Timestamp| at.local(zone).format("%Y-%m-%d %H:%M").to_string();
        let until = row.until_at.map(|at| format!(" until {}", local(at))).unwrap_or_default();
        let (at, policy) = (local(row.at), row.policy.get(..12).unwrap_or(&row.policy));
        session.out.line(&format!(
            "{at}  {:<8}  {}  {}{until}  {}  (policies {policy})",
            row.channel, row.invoice, row.verdict, row.rule
        ))?;
        for found in findings.as_array().into_iter().flatten() {
            let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
            session.out.line(&format!("    {:<6}  {}  {}", text("verdict"), text("rule"), text("why")))?;
        }
    }
    Ok(Exit::Ok)
}
