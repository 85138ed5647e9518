//! `recobro task list|show|call|done`.

use crate::failure::{Exit, Failure};
use crate::reads::{self, TaskRow};
use crate::session::Session;
use chrono::NaiveDate;
use recobro_engine::explain::parts;
use recobro_engine::operate::Together;
use recobro_engine::{Answer, Who};
use recobro_kernel::guard::Verdict;
use recobro_kernel::ids::InvoiceId;
use recobro_kernel::money::Money;
use recobro_kernel::time::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Open work, the most urgent first
    List(List),
    /// One task: what is asked, what may be answered, the hash of what is shown
    Show {
        /// Task id, or its beginning
        task: String,
    },
    /// Open the number of a call: shown only if the guard allows the call now, and counted as an attempt
    #[command(after_help = "\
Examples:
  recobro task call 3f2a --as ana                 the number, or which rule forbids the call and when it may be made
  recobro task done 3f2a --outcome no_answer      then say how it ended

Exit codes: 0 the number is shown, 3 no such task, 4 the task is closed, 5 a rule forbids the call now.")]
    Call {
        /// Task id, or its beginning
        task: String,
    },
    /// Answer a task
    #[command(after_help = "\
Examples:
  recobro task done 3f2a --outcome promised --date 2026-05-29 --amount 7200 --as ana
  recobro task done 9c01 --outcome approved --seen 51ab07c2d9e4 --as luis

An approval names the hash of what was shown (`task show`): what changed since is refused with exit code 4.")]
    Done(Done),
}

#[derive(clap::Args)]
struct List {
    /// Only work of this role or person
    #[arg(long, value_name = "ROLE")]
    assignee: Option<String>,
    /// Only this kind: call, task, approve, fix
    #[arg(long)]
    kind: Option<String>,
    /// Closed work too
    #[arg(long)]
    all: bool,
    /// Each piece of work on a line of its own, also what is done in one go
    #[arg(long)]
    each: bool,
}

#[derive(clap::Args)]
struct Done {
    /// Task id, or its beginning
    task: String,
    /// One of the task's outcomes; approved or rejected for an approval
    #[arg(long)]
    outcome: String,
    /// Hash of what was shown; needed for an approval
    #[arg(long, value_name = "HASH")]
    seen: Option<String>,
    /// Date promised, or of a call back
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<NaiveDate>,
    /// Amount promised, disputed or claimed as paid
    #[arg(long, allow_negative_numbers = true)]
    amount: Option<String>,
    /// Reason of a dispute or a rejection
    #[arg(long)]
    reason: Option<String>,
    /// Answer this task alone, not what is done with it in one go
    #[arg(long)]
    only: bool,
}

#[derive(Serialize)]
struct Opened<'a> {
    schema: &'static str,
    task: &'a str,
    customer: &'a str,
    verdict: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    rule: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<&'a str>,
    invoices: &'a [String],
    at: Timestamp,
    /// The customer's local time.
    local: &'a str,
}

#[derive(Serialize)]
struct Answered<'a> {
    schema: &'static str,
    task: &'a str,
    outcome: &'a str,
    by: String,
    /// Invoices whose work was closed with it, and as what.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    with: &'a Vec<InvoiceId>,
    #[serde(skip_serializing_if = "str::is_empty")]
    with_outcome: &'a str,
    /// Invoices whose work takes no such answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left: &'a Vec<InvoiceId>,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    match args.verb {
        Verb::List(args) => list(&args, session).await,
        Verb::Show { task } => show(&task, session).await,
        Verb::Call { task } => call(&task, session).await,
        Verb::Done(args) => done(args, session).await,
    }
}

async fn list(args: &List, session: &Session) -> Result<Exit, Failure> {
    let store = session.store().await?;
    let filter = reads::TaskFilter { assignee: args.assignee.clone(), kind: args.kind.clone(), closed: args.all };
    let rows = reads::tasks(&store, &filter, session.limit()).await?;
    let rows = if args.each || session.out.is_json() { rows } else { in_one_go(rows) };
    session.out.list(&rows, &["task", "kind", "subject", "invoice", "assignee", "until", "state"], cells)?;
    Ok(Exit::Ok)
}

/// Open work that is done in one go is one line, that of the piece opened first: `INV-1 +2`.
fn in_one_go(rows: Vec<TaskRow>) -> Vec<TaskRow> {
    let mut first: BTreeMap<String, (usize, u32)> = BTreeMap::new();
    let mut lines: Vec<TaskRow> = Vec::new();
    for row in rows {
        let name = row.together.clone().filter(|_| row.outcome.is_none());
        if let Some((_, more)) = name.as_ref().and_then(|name| first.get_mut(name)) {
            *more += 1;
            continue;
        }
        first.extend(name.map(|name| (name, (lines.len(), 0))));
        lines.push(row);
    }
    for (at, more) in first.into_values().filter(|(_, more)| *more > 0) {
        lines[at].invoice = format!("{} +{more}", lines[at].invoice);
    }
    lines
}

fn cells(row: &TaskRow) -> Vec<String> {
    vec![
        row.id.chars().take(8).collect(),
        row.kind.clone(),
        row.subject.clone(),
        row.invoice.clone(),
        row.assignee.clone(),
        row.limit_at.map_or(String::new(), |at| at.to_utc().format("%Y-%m-%d %H:%MZ").to_string()),
        row.outcome.clone().unwrap_or_else(|| "open".to_owned()),
    ]
}

async fn show(task: &str, session: &Session) -> Result<Exit, Failure> {
    let store = session.store().await?;
    let row = reads::task(&store, task).await?;
    if session.out.is_json() {
        session.out.json(&row)?;
        return Ok(Exit::Ok);
    }
    let optional = |value: &Option<String>| value.clone().unwrap_or_default();
    let lines = [
        ("task", row.id.clone()),
        ("kind", row.kind.clone()),
        ("subject", row.subject.clone()),
        ("invoice", row.invoice.clone()),
        ("customer", row.customer.clone()),
        ("case", row.case.clone()),
        ("assignee", row.assignee.clone()),
        ("opened", row.opened_at.to_string()),
        ("until", row.limit_at.map_or(String::new(), |at| at.to_string())),
        ("outcomes", row.outcomes.join(", ")),
        ("seen", row.seen.clone()),
        ("state", row.outcome.clone().unwrap_or_else(|| "open".to_owned())),
        ("by", optional(&row.closed_by)),
    ];
    let text: Vec<String> = lines
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name:<10}{value}"))
        .chain(beside(&reads::together(&store, &row).await?))
        .collect();
    session.out.line(&text.join("\n"))?;
    if row.outcome.is_none() {
        let outcome = row.outcomes.first().map_or("done", String::as_str);
        let seen = if row.kind == "approve" { format!(" --seen {}", row.seen) } else { String::new() };
        let done = session.again(&format!("task done {} --outcome {outcome}{seen} --as PERSON", row.id));
        session.out.say(&format!("next: {done}{}", session.password_note()));
    }
    Ok(Exit::Ok)
}

/// The invoices of one go, and what is open of them by currency.
fn beside(invoices: &[(String, Money)]) -> Vec<String> {
    if invoices.len() < 2 {
        return Vec::new();
    }
    let mut totals: BTreeMap<_, i64> = BTreeMap::new();
    for (_, open) in invoices {
        *totals.entry(open.currency).or_default() += open.minor;
    }
    let each = invoices.iter().map(|(invoice, open)| format!("{invoice} {open}")).collect::<Vec<_>>().join(", ");
    let total = totals.into_iter().map(|(currency, minor)| Money::new(minor, currency).to_string());
    vec![format!("{:<10}{each}", "in one go"), format!("{:<10}{}", "total", total.collect::<Vec<_>>().join(", "))]
}

async fn call(task: &str, session: &Session) -> Result<Exit, Failure> {
    let engine = session.engine(session.clock().await?).await?;
    let row = reads::task(engine.store(), task).await?;
    let who = Who { name: session.config.actor(), why: String::new() };
    let number = engine.open_number(row.id.parse()?, &who).await?;
    let (verdict, rule, until) = parts(&number.verdict);
    let allowed = number.verdict == Verdict::Allow;
    if session.out.is_json() {
        session.out.json(&Opened {
            schema: "recobro/v1/call",
            task: &row.id,
            customer: number.customer.as_str(),
            verdict,
            rule,
            until,
            name: allowed.then_some(number.name.as_str()),
            number: number.number.as_deref(),
            invoices: &number.invoices,
            at: number.at,
            local: &number.local,
        })?;
        return Ok(if allowed { Exit::Ok } else { Exit::Refused });
    }
    if !allowed {
        let next = until.filter(|until| *until < Timestamp::MAX).map(|until| format!("; next from {until}"));
        let explain = session.again(&format!("guard explain {} --channel call", number.customer));
        let moved: Vec<&str> = number.moved.iter().map(|moved| moved.rule.as_str()).collect();
        let why = if moved.is_empty() { rule.to_owned() } else { moved.join(", then ") };
        return Err(Failure::new(Exit::Refused, format!("no call now: {why}{}", next.unwrap_or_default()))
            .help(format!("{explain} shows every rule")));
    }
    let shown = number.number.as_deref().unwrap_or("no number is known; the customer counts as reachable");
    let role = if number.role.is_empty() { String::new() } else { format!(" ({})", number.role) };
    let lines = [
        format!("{shown}  {}{role}, where it is {}", number.name, number.local),
        format!("about {}", number.invoices.join(", ")),
    ];
    session.out.line(&lines.join("\n"))?;
    let done = session.again(&format!("task done {} --outcome OUTCOME", row.id));
    session.out.say(&format!("counted as an attempt; when it ended: {done}"));
    Ok(Exit::Ok)
}

async fn done(args: Done, session: &Session) -> Result<Exit, Failure> {
    let engine = session.engine(session.clock().await?).await?;
    let row = reads::task(engine.store(), &args.task).await?;
    if row.kind == "approve" && args.seen.is_none() {
        return Err(Failure::new(Exit::Usage, "an approval must name what was seen: --seen HASH")
            .help(format!("`recobro task show {}` prints it", row.id)));
    }
    if let Some(seen) = args.seen.as_deref().filter(|seen| !row.seen.starts_with(*seen)) {
        return Err(Failure::new(Exit::Conflict, format!("what was shown as {seen} has changed since"))
            .help(format!("look again: recobro task show {}", row.id)));
    }
    let answer = Answer {
        outcome: args.outcome,
        date: args.date,
        amount: args.amount,
        reason: args.reason.clone(),
        seen: args.seen,
    };
    let who = Who { name: session.config.actor(), why: args.reason.unwrap_or_default() };
    let id = row.id.parse()?;
    let Together { with, outcome, left } = if args.only {
        engine.task_done(id, &answer, &who).await?;
        Together::default()
    } else {
        engine.task_done_together(id, &answer, &who).await?
    };
    if session.out.is_json() {
        session.out.json(&Answered {
            schema: "recobro/v1/answer",
            task: &row.id,
            outcome: &answer.outcome,
            by: who.name,
            with: &with,
            with_outcome: if with.is_empty() { "" } else { &outcome },
            left: &left,
        })?;
    } else {
        session.out.say(&format!("{} {}: {}, noted for {}", row.kind, row.subject, answer.outcome, who.name));
        if !with.is_empty() {
            session.out.say(&format!("in the same go, as {outcome}: {}    (--only answers one alone)", list_of(&with)));
        }
        if !left.is_empty() {
            session.out.say(&format!("still open, held or without `{outcome}` among their answers: {}", list_of(&left)));
        }
        session.say_run(engine.clock());
    }
    Ok(Exit::Ok)
}

fn list_of(invoices: &[InvoiceId]) -> String {
    invoices.iter().map(InvoiceId::as_str).collect::<Vec<_>>().join(", ")
}
