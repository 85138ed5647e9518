//! `recobro case why CASE [SEQ] [--on DATE]`: decisions and restraint, from the record alone.

use crate::failure::{Exit, Failure};
use crate::reads::{self, HistoryRow};
use crate::session::Session;
use crate::story::plain;
use chrono::NaiveDate;
use recobro_kernel::record::{Decision, Moved, Record, TurnBody};
use std::fmt::Write as _;

/// Arguments.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Case id, invoice id or number
    case: String,
    /// Only the record of this number
    seq: Option<u64>,
    /// What was held back on this day, and by which rule
    #[arg(long, value_name = "YYYY-MM-DD", conflicts_with = "seq")]
    on: Option<NaiveDate>,
}

pub(super) async fn run(args: &Args, session: &Session) -> Result<Exit, Failure> {
    let store = session.store().await?;
    let found = reads::find_case(&store, &args.case).await?;
    let rows = reads::history(&store, &found).await?;
    let (mut shown, mut ahead) = (0, String::new());
    for row in &rows {
        let body = row.turn();
        let next = std::mem::take(&mut ahead);
        for (index, record) in body.records.iter().enumerate() {
            let seq = body.seq + index as u64;
            let wanted = match (args.seq, args.on) {
                (Some(wanted), _) => seq == wanted,
                (None, Some(on)) => held_back(record, body, on),
                (None, None) => {
                    matches!(record, Record::Decision(_) | Record::Entered { chosen: Some(_), .. })
                        || is_restraint(record)
                        || of_the_guard(record)
                }
            };
            if wanted {
                shown += 1;
                tell(session, row, body, (seq, record, &next), args.seq.is_some())?;
            }
        }
        ahead = body.records.iter().rev().find_map(waited_for).unwrap_or(next);
    }
    if shown == 0 {
        return nothing(args, &rows, session);
    }
    Ok(Exit::Ok)
}

fn nothing(args: &Args, rows: &[HistoryRow], session: &Session) -> Result<Exit, Failure> {
    let last = rows.last().map_or(0, |row| {
        let body = row.turn();
        body.seq + body.records.len() as u64
    });
    match (args.seq, args.on) {
        (Some(seq), _) => Err(Failure::not_found(format!("case {} has no record {seq}", args.case))
            .help(format!("its records are numbered up to {}", last.saturating_sub(1)))),
        (None, Some(on)) => {
            session.out.say(&format!("nothing was held back on {on}"));
            Ok(Exit::Ok)
        }
        (None, None) => {
            session.out.say("no decision yet");
            Ok(Exit::Ok)
        }
    }
}

/// News of deadlines and of rules that people lifted.
fn of_the_guard(record: &Record) -> bool {
    let names = ["deadline.near", "deadline.missed", "exception.begun", "law.changed"];
    matches!(record, Record::Event { event, .. } if names.contains(&event.name.as_str()))
}

/// What a case was waiting to do when its turn ended.
fn waited_for(record: &Record) -> Option<String> {
    let Record::Rests { wake, .. } = record else { return None };
    Some(wake.as_ref().map_or_else(String::new, |wake| format!("{}, due {}", wake.reason, wake.at)))
}

/// Records that say what did not happen.
fn is_restraint(record: &Record) -> bool {
    matches!(
        record,
        Record::Skipped { .. }
            | Record::Superseded { .. }
            | Record::Deferred { .. }
            | Record::Returned { .. }
            | Record::Recalled { .. }
            | Record::Ignored { .. }
            // What was still to come is not said any more.
            | Record::Finished { .. }
    )
}

/// Held back on a day: decided that day, or still waiting on it.
fn held_back(record: &Record, body: &TurnBody, on: NaiveDate) -> bool {
    match record {
        Record::Deferred { until, .. } | Record::Returned { not_before: Some(until), .. } => {
            body.local <= on && on <= until.to_utc().date_naive()
        }
        _ => is_restraint(record) && body.local == on,
    }
}

fn tell(
    session: &Session,
    row: &HistoryRow,
    body: &TurnBody,
    (seq, record, ahead): (u64, &Record, &str),
    full: bool,
) -> Result<(), Failure> {
    if session.out.is_json() {
        let value = serde_json::json!({
            "schema": "recobro/v1/record",
            "case": row.stream, "seq": seq, "rev": row.rev, "at": body.at, "local": body.local,
            "clock_day": body.clock_day, "playbook": body.playbook, "version": body.version,
            "actor": row.actor, "record": record, "hash": body.hash,
            "needless": needless(record, ahead),
            "chain": {"prev": row.prev, "hash": row.hash, "first_seq": body.seq},
        });
        return session.out.json(&value);
    }
    let mut text = format!("#{seq}  {}  clock {}  {}", body.local.format("%a %Y-%m-%d"), body.clock_day, title(record));
    text.push_str(&details(record, body, ahead, full)?);
    let hash = &body.hash;
    let _ = write!(
        text,
        "\n  logic    {} v{}, bundle {}, content {}, calendar {}, policy {}, hook_api {}, rhai {}",
        body.playbook,
        body.version,
        hash.bundle.short(),
        hash.content.short(),
        hash.calendar.short(),
        hash.policy.short(),
        hash.hook_api,
        hash.rhai
    );
    let short = |text: &str| text.chars().take(12).collect::<String>();
    let _ = write!(text, "\n  chain    turn {} by {}, {} after {}\n", row.rev, row.actor, short(&row.hash), short(&row.prev));
    session.out.line(&text)
}

/// What a record says beyond its title: the rule, the day, what it kept back.
fn details(record: &Record, body: &TurnBody, ahead: &str, full: bool) -> Result<String, Failure> {
    let mut text = String::new();
    match record {
        Record::Decision(decision) => text.push_str(&decided(decision)),
        Record::Entered { chosen: Some(picked), playbook, .. } if !full => {
            let _ = write!(text, "\n  rule     {} -> {playbook}", picked.sentence());
        }
        Record::Deferred { until, moved, .. } => {
            let _ = write!(text, "\n  until    {until}");
            let decisive = Moved::decisive(moved, body.at);
            for limit in moved {
                let binding = if decisive == Some(limit) { "  <- binding" } else { "" };
                let _ = write!(text, "\n  rule     {} -> {}{binding}", limit.rule, limit.until);
            }
        }
        Record::Returned { rule, not_before, .. } => {
            let _ = write!(text, "\n  rule     {rule}");
            if let Some(at) = not_before {
                let _ = write!(text, "\n  until    {at}");
            }
        }
        Record::Skipped { reason, .. } | Record::Recalled { reason, .. } | Record::Ignored { reason, .. } => {
            let _ = write!(text, "\n  rule     {reason}");
        }
        Record::Finished { outcome, reason } if !full => {
            let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            let _ = write!(text, "\n  rule     {}{why}", outcome.name());
            if let Some(step) = needless(record, ahead) {
                let _ = write!(text, "\n  needless {step}");
            }
        }
        Record::Event { event, .. } if of_the_guard(record) && !full => {
            let _ = write!(text, "\n  rule     {}", event.text("rule"));
            for field in ["what", "exception", "asked_by", "approved_by", "until"] {
                if !event.field(field).is_missing() {
                    let _ = write!(text, "\n  {field:<8} {}", event.field(field));
                }
            }
        }
        other if full => {
            let _ = write!(text, "\n{}", serde_json::to_string_pretty(other)?);
        }
        _ => {}
    }
    Ok(text)
}

/// The step that the end of a case made needless: what it was waiting for.
fn needless<'a>(record: &Record, ahead: &'a str) -> Option<&'a str> {
    Some(ahead).filter(|ahead| matches!(record, Record::Finished { .. }) && !ahead.is_empty())
}

fn title(record: &Record) -> String {
    match record {
        Record::Decision(decision) => {
            let place = &decision.place;
            let stage = if place.stage.is_empty() { "whenever" } else { &place.stage };
            format!("{} of {stage}/{} (line {})", decision.field, place.step, place.line)
        }
        Record::Entered { playbook, .. } => format!("entered {playbook}"),
        Record::Skipped { place, .. } => format!("skipped {}", place.step),
        Record::Superseded { place, by } => format!("superseded {} by {by}", place.step),
        Record::Deferred { place, beside, .. } => {
            format!("deferred {}{}", place.step, if *beside { ", beside the stages" } else { "" })
        }
        Record::Finished { outcome, .. } => format!("finished {}", outcome.name()),
        Record::Returned { effect, .. } => format!("returned effect {effect}"),
        Record::Recalled { effect, .. } => format!("recalled effect {effect}"),
        Record::Ignored { what, .. } => format!("ignored {what}"),
        Record::Event { event, .. } if of_the_guard(record) => event.name.replace('.', " "),
        other => other.kind().to_owned(),
    }
}

fn decided(decision: &Decision) -> String {
    let mut text = format!("\n  expr     {}\n  result   {}", decision.expr, plain(&decision.result));
    for clause in &decision.clauses {
        let value = clause.value.map_or("not asked".to_owned(), |value| value.to_string());
        let _ = write!(text, "\n  clause   {} -> {value}", clause.text);
    }
    for (path, value) in &decision.read.0 {
        let _ = write!(text, "\n  read     {path} = {}", plain(value));
    }
    for table in &decision.tables {
        let _ = write!(text, "\n  table    {} row {}: {} = {}", table.table, table.row, table.output, plain(&table.value));
    }
    for note in &decision.notes {
        let _ = write!(text, "\n  note     {note}");
    }
    if let Some(why) = crate::story::why_of(decision) {
        let _ = write!(text, "\n  rule     {why}");
    }
    text
}
