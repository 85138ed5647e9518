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
use recobro_kernel::guard::{Finding, Verdict};
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
    /// Only this channel, with what every rule says
    #[arg(long, value_parser = channel)]
    channel: Option<Channel>,
    /// An act that is no contact, as policies name it: escalate, outsource, or a request such as supply.cut
    #[arg(long, value_name = "NAME", conflicts_with_all = ["channel", "class", "log"])]
    act: Option<String>,
    /// What kind of message: dunning, courtesy, transactional, `legal_notice`
    #[arg(long, value_parser = class, default_value = "dunning")]
    class: Class,
    /// When: a date (noon), or a date and time, at the customer's place; with a zone, an instant [default: now]
    #[arg(long, value_name = "WHEN")]
    at: Option<String>,
    /// What every rule says, also for all channels
    #[arg(long)]
    verbose: bool,
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
    /// Every limit that moved it, in order; `rule` is the one that decides.
    moved: &'a [Moved],
}

#[derive(Serialize)]
struct SaidOfAct<'a> {
    schema: &'static str,
    invoice: &'a str,
    number: &'a str,
    act: &'a str,
    /// Whether its playbook has a step that does it.
    planned: bool,
    at: Timestamp,
    verdict: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    rule: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<&'a str>,
    findings: Vec<Found<'a>>,
    /// Every rule that it waits for, in order; `rule` is the one that decides.
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
    step: &'a str,
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
        Some(text) => moment("--at", text, zone)?,
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
    if let Some(act) = &args.act {
        return explain_act(&engine, (&customer.id, zone), (act, at), session).await;
    }
    let channels = args.channel.map_or_else(|| Channel::ALL.to_vec(), |channel| vec![channel]);
    let question = Question { customer: customer.id.clone(), channels, class: args.class, at };
    let answers = engine.explain(&question).await?;
    crate::command::guard::warn_of_news(&engine, session).await?;
    if answers.is_empty() && !session.out.is_json() {
        session.out.say(&format!("{} has no open case: nothing is asked of them", customer.id));
    }
    let detailed = args.verbose || args.channel.is_some();
    for answer in &answers {
        if session.out.is_json() {
            session.out.json(&said(answer, at))?;
        } else {
            session.out.line(&text(answer, at, zone, detailed))?;
        }
    }
    if !detailed && !answers.is_empty() {
        session.out.say("--channel NAME, or --verbose for all, shows what every rule says");
    }
    beside(&engine, &customer.id, (at, at.date_in(zone)), session).await
}

/// May it be done now, or when? For every open case.
async fn explain_act(
    engine: &Engine,
    (customer, zone): (&CustomerId, Tz),
    (act, at): (&str, Timestamp),
    session: &Session,
) -> Result<Exit, Failure> {
    let answers = engine.explain_act(customer, act, at).await?;
    crate::command::guard::warn_of_news(engine, session).await?;
    if answers.is_empty() && !session.out.is_json() {
        session.out.say(&format!("{customer} has no open case: nothing is done about them"));
    }
    for answer in &answers {
        let (verdict, rule, until) = parts(&answer.verdict);
        if session.out.is_json() {
            session.out.json(&SaidOfAct {
                schema: "recobro/v1/act-verdict",
                invoice: answer.invoice.as_str(),
                number: &answer.number,
                act,
                planned: answer.planned,
                at,
                verdict,
                rule,
                until,
                stopped: answer.stopped.as_deref(),
                findings: found(&answer.findings),
                moved: &answer.moved,
            })?;
            continue;
        }
        let word = sentence((answer.stopped.as_deref(), &answer.verdict), &answer.moved, at, zone);
        let planned = if answer.planned { "" } else { "; its playbook has no such step" };
        let mut lines = vec![format!("{}  {act}  {word}{planned}", answer.number)];
        lines.extend(rules(&answer.findings));
        session.out.line(&lines.join("\n"))?;
    }
    beside(engine, customer, (at, at.date_in(zone)), session).await
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

/// A date (at noon), a local date and time, or an instant with its zone: what every flag takes that asks when.
pub(crate) fn moment(flag: &str, text: &str, zone: Tz) -> Result<Timestamp, Failure> {
    // `2026-06-30 18:30Z` is as good as with a T, and seconds may be left out.
    let joined = text.trim().replacen(' ', "T", 1);
    let zoned = ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z"];
    let with_seconds = joined.strip_suffix(['Z', 'z']).map_or_else(|| joined.clone(), |bare| format!("{bare}+00:00"));
    let instant = zoned.iter().find_map(|format| chrono::DateTime::parse_from_str(&with_seconds, format).ok());
    if let Some(at) = instant {
        return Ok(Timestamp::from_us(at.timestamp_micros()));
    }
    let noon = NaiveTime::from_hms_opt(12, 0, 0).unwrap_or_default();
    let local = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(&joined, format).ok())
        .or_else(|| joined.parse::<NaiveDate>().ok().map(|date| date.and_time(noon)));
    let local = local.ok_or_else(|| {
        Failure::new(Exit::Usage, format!("{flag}: `{text}` is no date, local time or instant")).help(
            "write 2026-06-30 (noon there), 2026-06-30T20:30 (that time there), 2026-06-30T18:30Z or \
             2026-06-30T20:30+02:00 (that instant)",
        )
    })?;
    Ok(Timestamp::at_local(local.date(), local.time(), zone))
}

fn said(answer: &Answer, at: Timestamp) -> Said<'_> {
    let (verdict, rule, until) = parts(&answer.verdict);
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
        findings: found(&answer.findings),
        moved: &answer.moved,
    }
}

fn found(findings: &[Finding]) -> Vec<Found<'_>> {
    let mut all = Vec::with_capacity(findings.len());
    for Finding { rule, verdict, why, source, exception } in findings {
        all.push(Found { rule, verdict: parts(verdict).0, why, source, exception: exception.as_deref() });
    }
    all
}

/// One line for the answer; where details are wanted one for each rule that was asked.
fn text(answer: &Answer, at: Timestamp, zone: Tz, detailed: bool) -> String {
    let word = sentence((answer.stopped.as_deref(), &answer.verdict), &answer.moved, at, zone);
    let mut lines = vec![format!("{}  {:<8}  {word}", answer.number, answer.channel.name())];
    if detailed {
        for moved in answer.moved.iter().filter(|moved| !moved.rule.contains('/')) {
            lines.push(format!("    later   the playbook's {}: {}", moved.rule, local(moved.until, zone)));
        }
        lines.extend(rules(&answer.findings));
    }
    lines.join("\n")
}

fn local(at: Timestamp, zone: Tz) -> String {
    at.local(zone).format("%a %Y-%m-%d %H:%M").to_string()
}

/// Yes; not before, and why; or no, and why.
fn sentence((stopped, verdict): (Option<&str>, &Verdict), moved: &[Moved], at: Timestamp, zone: Tz) -> String {
    let (word, rule, until) = parts(verdict);
    match (word, until) {
        _ if stopped.is_some() => format!("no, because of the case: {}", stopped.unwrap_or_default()),
        ("allow", _) => format!("allowed at {}", local(at, zone)),
        ("defer", Some(Timestamp::MAX)) => format!("never, because {rule}"),
        ("defer", Some(until)) => format!("wait until {}, because {rule}{}", local(until, zone), others(moved, rule)),
        _ => format!("no, because {rule}"),
    }
}

/// The limits beside the one that decides, in the order in which they moved it.
fn others(moved: &[Moved], rule: &str) -> String {
    let others: Vec<&str> = moved.iter().map(|moved| moved.rule.as_str()).filter(|other| *other != rule).collect();
    if others.is_empty() { String::new() } else { format!("; also {}", others.join(", ")) }
}

fn rules(findings: &[Finding]) -> impl Iterator<Item = String> {
    findings.iter().map(|found| {
        let (word, said, _) = parts(&found.verdict);
        // A rule that says no names what is missing behind its own name.
        let missing = said.strip_prefix(&found.rule).and_then(|rest| rest.strip_prefix(": ")).unwrap_or_default();
        let why = if found.why.is_empty() { missing } else { &found.why };
        let why = if why.is_empty() { String::new() } else { format!("  {why}") };
        format!("    {word:<6}  {}{why}  ({})", found.rule, found.source)
    })
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
                step: &row.step,
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
            "{at}  {:<8}  {}  {} ({})  {}{until}  {}  (policies {policy})",
            row.channel, row.invoice, row.step, row.class, row.verdict, row.rule
        ))?;
        for found in findings.as_array().into_iter().flatten() {
            let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
            session.out.line(&format!("    {:<6}  {}  {}", text("verdict"), text("rule"), text("why")))?;
        }
    }
    Ok(Exit::Ok)
}
