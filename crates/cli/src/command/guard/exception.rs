//! `recobro guard exception`: rules of policies that two people lift, for a customer or a class, for a time.

use super::lifted::{self, ExceptionLine};
use crate::entry;
use crate::failure::{Exit, Failure};
use crate::session::Session;
use chrono::NaiveDate;
use recobro_engine::exceptions::{Answer, Wish};
use recobro_engine::{Engine, Who};
use recobro_kernel::ids::CustomerId;

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Ask for a rule to be lifted; it stands as before until another person approves
    #[command(after_help = "\
Examples:
  recobro guard exception ask agreed-evenings --rule eu-b2b/hours --customer C7 --until 2026-07-31 --reason agreed
  recobro guard exception ask fair --rule eu-b2b/one-a-day --class customer.segment=key --until 2026-06-30 --reason trade_fair

A class is every customer for whom all its tests are true, also those that come later; it may name customer.country, kind,
locale, segment, subdivision, tags and vulnerable, invoice.currency and invoice.product.

What can be lifted: rules of the house about hours, frequency, gaps, seasons and notices, for 90 days at most. Nobody lifts
what law asks (unless the row of the policy says `exceptions: two_people`), what the customer said (opt-outs), who may be
contacted, a decision that people must take, or that nothing is claimable. Gaps and caps of a playbook are the playbook's.")]
    Ask(Ask),
    /// Agree, as another person than the one who asked: from then on, and from its first day, the rule is lifted
    Approve(Said),
    /// Do not agree
    Refuse(Said),
    /// Take it back, or end it before its last day: the rule holds at once
    End(Said),
    /// Exceptions
    List(List),
    /// One exception, and who did what with it
    Show {
        /// Exception, as `guard exception list` shows it
        exception: String,
    },
}

#[derive(clap::Args)]
struct Ask {
    /// Its name: letters, digits, `-` and `_`
    name: String,
    /// Rule, as `guard explain` shows it
    #[arg(long, value_name = "POLICY/RULE")]
    rule: String,
    /// For this customer
    #[arg(long)]
    customer: Option<String>,
    /// Test of a class, PATH=VALUE; several must all be true
    #[arg(long, value_name = "TEST", conflicts_with = "customer", required_unless_present = "customer")]
    class: Vec<String>,
    /// First day [default: today]
    #[arg(long, value_name = "DATE")]
    from: Option<NaiveDate>,
    /// Last day
    #[arg(long, value_name = "DATE")]
    until: NaiveDate,
    /// Reason code, for the record
    #[arg(long)]
    reason: String,
    /// What people should know; it stays out of history
    #[arg(long)]
    note: Option<String>,
    /// Show what would be asked, take nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args)]
struct Said {
    /// Exception, as `guard exception list` shows it
    exception: String,
    /// Reason, for the record
    #[arg(long, value_name = "REASON", default_value = "")]
    why: String,
    /// Show what it would be then, take nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args)]
struct List {
    /// Only those that stand today, or will
    #[arg(long, conflicts_with = "status")]
    standing: bool,
    /// Only these
    #[arg(long, value_parser = ["asked", "approved", "refused", "ended"])]
    status: Option<String>,
}

pub(super) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    match args.verb {
        Verb::Ask(args) => ask(args, session).await,
        Verb::Approve(said) => answer(said, Answer::Approve, session).await,
        Verb::Refuse(said) => answer(said, Answer::Refuse, session).await,
        Verb::End(said) => answer(said, Answer::End, session).await,
        Verb::List(args) => list(args, session).await,
        Verb::Show { exception } => show(&exception, session).await,
    }
}

async fn ask(args: Ask, session: &Session) -> Result<Exit, Failure> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if args.name.is_empty() || args.name.len() > 64 || !args.name.chars().all(fits) {
        let message = format!("`{}` is no name: letters, digits, `-` and `_`, 64 at most", args.name);
        return Err(Failure::new(Exit::Usage, message));
    }
    let who = Who { name: session.config.actor(), why: args.reason.clone() };
    let wish = Wish {
        name: args.name,
        rule: args.rule,
        customer: args.customer.map(CustomerId),
        class: args.class,
        reason: args.reason,
        note: args.note.unwrap_or_default(),
        from: args.from,
        until: args.until,
    };
    let engine = session.engine(session.clock().await?).await?;
    let row = engine.ask_exception(&wish, &who, args.dry_run).await?;
    let line = lifted::line(row, today(&engine, session)?);
    if session.out.is_json() {
        session.out.json(&lifted::Done { exception: &line, dry_run: args.dry_run })?;
        return Ok(Exit::Ok);
    }
    let would = if args.dry_run { "would be asked for" } else { "asked for" };
    session.out.line(&format!("{would} by {}: {}", line.asked_by, sentence(&line)))?;
    if !args.dry_run {
        let next = session.again(&format!("--as PERSON guard exception approve {}", line.exception));
        session.out.say(&format!("next: {next}    by another person; until then the rule holds"));
    }
    Ok(Exit::Ok)
}

async fn answer(said: Said, answer: Answer, session: &Session) -> Result<Exit, Failure> {
    let who = Who { name: session.config.actor(), why: said.why };
    let engine = session.engine(session.clock().await?).await?;
    let row = engine.answer_exception(&said.exception, answer, &who, said.dry_run).await?;
    let line = lifted::line(row, today(&engine, session)?);
    if session.out.is_json() {
        session.out.json(&lifted::Done { exception: &line, dry_run: said.dry_run })?;
        return Ok(Exit::Ok);
    }
    let would = if said.dry_run { "would be " } else { "" };
    let word = match answer {
        Answer::Approve => "approved",
        Answer::Refuse => "refused",
        Answer::End => "ended",
    };
    session.out.line(&format!("{would}{word}: {}", sentence(&line)))?;
    if answer == Answer::Approve && !said.dry_run {
        session.say_run(engine.clock());
    }
    Ok(Exit::Ok)
}

/// Today, in the time of the database that the worker holds.
fn today(engine: &Engine, session: &Session) -> Result<NaiveDate, Failure> {
    Ok(engine.clock().now().date_in(session.settings()?.creditor.time_zone))
}

fn sentence(line: &ExceptionLine) -> String {
    format!(
        "{} lifts {} for {} {}, {} to {} ({})",
        line.exception, line.rule, line.scope, line.on, line.from, line.until, line.reason
    )
}

async fn list(args: List, session: &Session) -> Result<Exit, Failure> {
    let today = entry::today(session).await?;
    let store = session.store().await?;
    let status = args.status.unwrap_or_default();
    let rows = lifted::all(&store, (&status, args.standing), today, session.limit()).await?;
    let head = ["exception", "rule", "scope", "on", "from", "until", "status", "asked by", "decided by"];
    session.out.list(&rows, &head, |row| {
        vec![
            row.exception.clone(),
            row.rule.clone(),
            row.scope.to_owned(),
            row.on.clone(),
            row.from.to_string(),
            row.until.to_string(),
            row.status.clone(),
            row.asked_by.clone(),
            row.decided_by.clone().unwrap_or_default(),
        ]
    })?;
    Ok(Exit::Ok)
}

async fn show(name: &str, session: &Session) -> Result<Exit, Failure> {
    let today = entry::today(session).await?;
    let told = lifted::one(&session.store().await?, name, today).await?;
    if session.out.is_json() {
        session.out.json(&told)?;
        return Ok(Exit::Ok);
    }
    let line = &told.exception;
    session.out.line(&format!("exception {}  {}", line.exception, line.status))?;
    session.out.line(&format!("  {}", sentence(line)))?;
    for act in &told.acts {
        let why = if act.why.is_empty() { String::new() } else { format!(": {}", act.why) };
        session.out.line(&format!("  {}  {} by {}{why}", act.at, act.act, act.who))?;
    }
    if !line.note.is_empty() {
        session.out.line(&format!("  {}", line.note))?;
    }
    Ok(Exit::Ok)
}
