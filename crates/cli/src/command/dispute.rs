//! `recobro dispute`: what customers contest, entered, closed or looked at.

use crate::entry::{self, Entry};
use crate::failure::{Exit, Failure};
use crate::reads;
use crate::session::Session;
use chrono::NaiveDate;
use recobro_connectors::source::reasons;
use recobro_connectors::source::record::{Dispute, DisputeChange, Record};
use recobro_kernel::money::Money;

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Note that an invoice, or a part of it, is contested
    Open(Open),
    /// Say how a dispute ended
    Close(Close),
    /// Say who answers a dispute, and by when
    Assign(Assign),
    /// Disputes, with who answers them and by when
    List(List),
    /// One dispute
    Show(Show),
}

#[derive(clap::Args)]
struct Open {
    /// Invoice: id, number or reference
    invoice: String,
    /// Reason code: reference, legal, receiver, quality, delivery, price, quantity, item, terms, `not_recognised`,
    /// finance, `partially_paid`, other
    #[arg(long, value_parser = reason)]
    reason: String,
    /// Contested part [default: all that is open]
    #[arg(long, allow_negative_numbers = true)]
    amount: Option<String>,
    /// Who answers it
    #[arg(long, value_name = "PERSON")]
    owner: Option<String>,
    /// Day by which it is answered [default: 30 days on, or what a policy says as `dispute_answer`]
    #[arg(long, value_name = "DATE")]
    answer_by: Option<NaiveDate>,
    /// Day it was raised [default: today]
    #[arg(long, value_name = "DATE")]
    on: Option<NaiveDate>,
    /// Id [default: made of the content]
    #[arg(long)]
    id: Option<String>,
    /// Show what would be noted, take nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args)]
struct Close {
    /// Dispute, as `dispute list` shows it
    dispute: String,
    /// How it ended
    #[arg(long, value_parser = ["accepted", "rejected", "withdrawn"])]
    outcome: String,
    /// What is credited with an accepted one: books the credit note; 0 where nothing will be. Without it, the contested
    /// part is not asked for until its credit note comes
    #[arg(long, value_name = "AMOUNT")]
    credit: Option<String>,
    /// Day it ended [default: today]
    #[arg(long, value_name = "DATE")]
    on: Option<NaiveDate>,
    /// Show what would be noted, take nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args)]
struct Assign {
    /// Dispute, as `dispute list` shows it
    dispute: String,
    /// Who answers it
    #[arg(long, value_name = "PERSON")]
    owner: String,
    /// Day by which it is answered [default: as before]
    #[arg(long, value_name = "DATE")]
    answer_by: Option<NaiveDate>,
    /// Show what would be noted, take nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args)]
struct Show {
    /// Dispute, as `dispute list` shows it
    dispute: String,
}

#[derive(clap::Args)]
struct List {
    /// Only open ones
    #[arg(long)]
    open: bool,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    match args.verb {
        Verb::Open(args) => open(args, session).await,
        Verb::Close(args) => close(args, session).await,
        Verb::Assign(args) => assign(args, session).await,
        Verb::List(args) => list(&args, session).await,
        Verb::Show(args) => show(&args, session).await,
    }
}

/// A reason as the ledger keeps it.
fn reason(text: &str) -> Result<String, String> {
    if let Some(code) = reasons::code(text) {
        return Ok(code.to_owned());
    }
    let codes = || reasons::REASONS.iter().map(|(code, _)| *code);
    let near = crate::config::nearest(text, codes()).map(|near| format!("; did you mean `{near}`?"));
    let known = codes().collect::<Vec<_>>().join(", ");
    Err(near.map_or_else(|| format!("reasons are {known}"), |near| format!("reasons are {known}{near}")))
}

async fn open(args: Open, session: &Session) -> Result<Exit, Failure> {
    let on = match args.on {
        Some(on) => on,
        None => entry::today(session).await?,
    };
    let has_amount = args.amount.is_some();
    args.amount.as_deref().map(entry::above_zero).transpose()?;
    let row = Entry::of("disputes")
        .with("id", args.id)
        .with("invoice", Some(&args.invoice))
        .with("reason", Some(args.reason))
        .with("amount", args.amount)
        .with("owner", args.owner)
        .with("answer_by", args.answer_by)
        .with("opened", Some(on));
    let row = if has_amount { row.currency_of(session, Some(&args.invoice)).await? } else { row };
    row.put(session, args.dry_run).await
}

async fn close(args: Close, session: &Session) -> Result<Exit, Failure> {
    let today = entry::today(session).await?;
    let on = args.on.unwrap_or(today);
    let at = session.clock().await?.now();
    let store = session.store().await?;
    let known = reads::dispute(&store, &args.dispute).await?;
    let currency = reads::find_invoice(&store, known.invoice.as_str()).await?.currency;
    store.close().await;
    let credit = args.credit.as_deref().map(|text| Money::parse(text, currency)).transpose();
    let credit = credit.map_err(|error| Failure::new(Exit::Usage, format!("--credit: {error}")))?;
    if credit.is_some_and(|credit| credit.minor < 0 || args.outcome != "accepted") {
        return Err(Failure::new(Exit::Usage, "--credit is an amount for an accepted dispute"));
    }
    // An accepted one may still learn that nothing more will be credited, or what.
    let ends_wait = known.awaits_credit && credit.is_some();
    if let Some(closed) = known.closed_on.filter(|_| !ends_wait) {
        return Err(Failure::new(Exit::Conflict, format!("dispute `{}` was closed on {closed}", known.id)));
    }
    if on < known.opened_on {
        return Err(Failure::new(Exit::Usage, format!("the dispute was opened on {}, after {on}", known.opened_on)));
    }
    let change = DisputeChange::Closed { outcome: args.outcome, credit };
    // A day to come is news on its day.
    let at = Some(at).filter(|_| on <= today);
    let record = Dispute { id: known.id, invoice: known.invoice.to_string(), change, on, at };
    entry::put(session, Record::Dispute(record), args.dry_run).await
}

async fn assign(args: Assign, session: &Session) -> Result<Exit, Failure> {
    let at = session.clock().await?.now();
    let on = entry::today(session).await?;
    let store = session.store().await?;
    let known = reads::dispute(&store, &args.dispute).await?;
    store.close().await;
    if let Some(closed) = known.closed_on {
        return Err(Failure::new(Exit::Conflict, format!("dispute `{}` was closed on {closed}", known.id)));
    }
    if args.answer_by.is_some_and(|day| day < known.opened_on) {
        return Err(Failure::new(Exit::Usage, format!("the dispute was opened on {}, after that day", known.opened_on)));
    }
    let change = DisputeChange::Assigned { owner: args.owner, answer_by: args.answer_by };
    let record = Dispute { id: known.id, invoice: known.invoice.to_string(), change, on, at: Some(at) };
    entry::put(session, Record::Dispute(record), args.dry_run).await
}

async fn list(args: &List, session: &Session) -> Result<Exit, Failure> {
    let store = session.store().await?;
    let today = reads::now(&store).await?.date_in(session.settings()?.creditor.time_zone);
    let rows = reads::disputes(&store, args.open, session.limit(), today).await?;
    say(&rows, session)
}

async fn show(args: &Show, session: &Session) -> Result<Exit, Failure> {
    let store = session.store().await?;
    let today = reads::now(&store).await?.date_in(session.settings()?.creditor.time_zone);
    let row = reads::dispute(&store, &args.dispute).await?;
    let lines = reads::dispute_lines(&mut store.read().await?, vec![row], today).await?;
    say(&lines, session)
}

fn say(rows: &[reads::DisputeLine], session: &Session) -> Result<Exit, Failure> {
    let head = [
        "dispute", "invoice", "customer", "reason", "amount", "owner", "opened", "answer by", "closed", "outcome", "credited",
    ];
    session.out.list(rows, &head, |row| {
        let late = if row.overdue { " overdue" } else { "" };
        vec![
            row.dispute.clone(),
            row.invoice.clone(),
            row.customer.clone(),
            row.reason.clone(),
            row.amount.clone(),
            row.owner.clone().unwrap_or_default(),
            row.opened_on.to_string(),
            row.answer_by.map(|day| format!("{day}{late}")).unwrap_or_default(),
            row.closed_on.map(|day| day.to_string()).unwrap_or_default(),
            row.outcome.clone().unwrap_or_default(),
            if row.awaits_credit { format!("{}, more to come", row.credited) } else { row.credited.clone() },
        ]
    })?;
    Ok(Exit::Ok)
}
