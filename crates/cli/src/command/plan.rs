//! `recobro plan`: payment plans offered, agreed, followed and collected.

use crate::entry::{self, Entry};
use crate::failure::{Exit, Failure};
use crate::reads::agreements;
use crate::session::Session;
use chrono::NaiveDate;

mod debit;

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Note a plan that was agreed: it holds its invoices, which are due later
    #[command(after_help = "\
Examples:
  recobro plan add --invoice INV-1042 --instalments 3 --first 2026-07-01
  recobro plan add --customer C7 --instalments 6 --first 2026-07-01 --every '14 days' --default-after 1
  recobro plan add --invoice INV-1042 --date 2026-07-01=500.00 --date 2026-08-15=700.00")]
    Add(Box<Add>),
    /// Note an offer with its limits; `plan accept` answers it
    Offer(Offer),
    /// The customer accepts an offer, as it stands or within its limits
    Accept(Accept),
    /// Another mandate for a plan that runs, or the right one where it was written down wrong
    #[command(after_help = "\
Example:
  recobro plan mandate P-7 --mandate M-9 --signed 2026-06-30 --iban 'ES91 2100 0418 4502 0005 1332'")]
    Mandate(MandateArgs),
    /// The customer does not want an offer
    Decline(End),
    /// End a plan or an offer: what is open is due at once
    Cancel(End),
    /// Plans, ordered by id
    List(List),
    /// One plan with its dates
    Show {
        /// Plan, as `plan list` shows it
        plan: String,
    },
    /// Write the direct debits of instalments for the bank (pain.008), each once
    Debit(debit::Args),
}

/// What an agreement says, with or without an offer.
#[derive(clap::Args)]
struct Terms {
    /// Number of equal instalments; the last one takes the odd cents
    #[arg(long, value_name = "N")]
    instalments: Option<u32>,
    /// Day of the first instalment
    #[arg(long, value_name = "DATE")]
    first: Option<NaiveDate>,
    /// Distance between instalments [default: 1 month]
    #[arg(long, value_name = "SPAN")]
    every: Option<String>,
    /// A date with its amount, DATE=AMOUNT, instead of equal instalments; several
    #[arg(long = "date", value_name = "DATE=AMOUNT", conflicts_with_all = ["instalments", "first", "every"])]
    dates: Vec<String>,
    /// Amount [default: all that may be asked for]
    #[arg(long, allow_negative_numbers = true)]
    amount: Option<String>,
    /// Currency of amounts [default: that of the invoice]
    #[arg(long)]
    currency: Option<String>,
    /// How it is paid
    #[arg(long, value_parser = ["transfer", "direct_debit", "card"])]
    method: Option<String>,
    /// Who agreed
    #[arg(long)]
    by: Option<String>,
    /// So many instalments missed at the same time end it [default: the policy's, else 2]
    #[arg(long, value_name = "N")]
    default_after: Option<u32>,
    /// Days overdue count from its first missed instalment while it is active
    #[arg(long)]
    re_age: bool,
    /// Reference of the signed mandate, for direct debits
    #[arg(long, requires_all = ["signed", "iban"])]
    mandate: Option<String>,
    /// Day the mandate was signed
    #[arg(long, value_name = "DATE")]
    signed: Option<NaiveDate>,
    /// Account to debit
    #[arg(long)]
    iban: Option<String>,
    /// Its bank
    #[arg(long)]
    bic: Option<String>,
    /// Who holds the account [default: the customer]
    #[arg(long)]
    holder: Option<String>,
    /// Day of the agreement [default: today]
    #[arg(long, value_name = "DATE")]
    on: Option<NaiveDate>,
    /// Show what would be noted and who would hear of it, take nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args)]
struct Add {
    /// Invoice: id, number or reference; several
    #[arg(long)]
    invoice: Vec<String>,
    /// Customer: covers all open invoices
    #[arg(long)]
    customer: Option<String>,
    #[command(flatten)]
    terms: Terms,
    /// Id [default: made of the content]
    #[arg(long)]
    id: Option<String>,
}

#[derive(clap::Args)]
struct Offer {
    /// Invoice: id, number or reference; several
    #[arg(long)]
    invoice: Vec<String>,
    /// Customer: covers all open invoices
    #[arg(long)]
    customer: Option<String>,
    /// Most instalments [default: 3]
    #[arg(long, value_name = "N")]
    max_instalments: Option<u32>,
    /// The plan ends by this day
    #[arg(long, value_name = "DATE")]
    ends_by: Option<NaiveDate>,
    /// Last day to accept it [default: 14 days]
    #[arg(long, value_name = "DATE")]
    valid_until: Option<NaiveDate>,
    /// How it would be paid
    #[arg(long, value_parser = ["transfer", "direct_debit", "card"])]
    method: Option<String>,
    /// Id [default: made of the content]
    #[arg(long)]
    id: Option<String>,
    /// Show what would be noted, take nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args)]
struct Accept {
    /// Plan, as `plan list` shows it
    plan: String,
    #[command(flatten)]
    terms: Terms,
}

#[derive(clap::Args)]
struct MandateArgs {
    /// Plan, as `plan list` shows it
    plan: String,
    /// Reference of the signed mandate
    #[arg(long)]
    mandate: String,
    /// Day it was signed
    #[arg(long, value_name = "DATE")]
    signed: NaiveDate,
    /// Account to debit
    #[arg(long)]
    iban: String,
    /// Its bank
    #[arg(long)]
    bic: Option<String>,
    /// Who holds the account [default: the customer]
    #[arg(long)]
    holder: Option<String>,
    /// Show what would be noted, take nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args)]
struct End {
    /// Plan, as `plan list` shows it
    plan: String,
    /// Why, for people
    #[arg(long)]
    reason: Option<String>,
    /// Show what would be noted and who would hear of it, take nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args)]
struct List {
    /// Only of this status
    #[arg(long, value_parser = ["proposed", "active", "completed", "defaulted", "expired", "declined", "cancelled"])]
    status: Option<String>,
    /// Only of this customer
    #[arg(long)]
    customer: Option<String>,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    match args.verb {
        Verb::Add(args) => add(*args, session).await,
        Verb::Offer(args) => offer(args, session).await,
        Verb::Accept(args) => accept(args, session).await,
        Verb::Mandate(args) => mandate(args, session).await,
        Verb::Decline(args) => end(args, "declined", session).await,
        Verb::Cancel(args) => end(args, "cancelled", session).await,
        Verb::List(args) => list(&args, session).await,
        Verb::Show { plan } => show(&plan, session).await,
        Verb::Debit(args) => debit::run(args, session).await,
    }
}

fn joined(names: &[String]) -> Option<String> {
    (!names.is_empty()).then(|| names.join(";"))
}

impl Terms {
    fn into_row(self, row: Entry, today: NaiveDate) -> Entry {
        row.with("change", Some("agreed"))
            .with("on", Some(self.on.unwrap_or(today)))
            .with("instalments", self.instalments)
            .with("first_on", self.first)
            .with("every", self.every)
            .with("schedule", joined(&self.dates))
            .with("amount", self.amount)
            .with("currency", self.currency)
            .with("method", self.method)
            .with("by", self.by)
            .with("default_after", self.default_after)
            .with("re_ages", self.re_age.then_some("true"))
            .with("mandate", self.mandate)
            .with("mandate_signed_on", self.signed)
            .with("iban", self.iban)
            .with("bic", self.bic)
            .with("holder", self.holder)
    }

    fn names_money(&self) -> bool {
        self.amount.is_some() || !self.dates.is_empty()
    }
}

async fn add(args: Add, session: &Session) -> Result<Exit, Failure> {
    let today = entry::today(session).await?;
    let (dry_run, names_money) = (args.terms.dry_run, args.terms.names_money());
    let first = args.invoice.first().cloned();
    let row = Entry::of("plans")
        .with("id", args.id)
        .with("invoices", joined(&args.invoice))
        .with("customer", args.customer);
    let row = args.terms.into_row(row, today);
    let row = if names_money { row.currency_of(session, first.as_ref()).await? } else { row };
    row.put(session, dry_run).await
}

async fn offer(args: Offer, session: &Session) -> Result<Exit, Failure> {
    let today = entry::today(session).await?;
    Entry::of("plans")
        .with("id", args.id)
        .with("change", Some("offered"))
        .with("on", Some(today))
        .with("invoices", joined(&args.invoice))
        .with("customer", args.customer)
        .with("max_instalments", args.max_instalments)
        .with("ends_by", args.ends_by)
        .with("valid_until", args.valid_until)
        .with("method", args.method)
        .put(session, args.dry_run)
        .await
}

async fn accept(args: Accept, session: &Session) -> Result<Exit, Failure> {
    let today = entry::today(session).await?;
    let store = session.store().await?;
    let plan = agreements::plan(&store, &args.plan).await?;
    store.close().await;
    let dry_run = args.terms.dry_run;
    let currency = (args.terms.names_money() && args.terms.currency.is_none()).then_some(plan.currency);
    let row = args.terms.into_row(Entry::of("plans").with("id", Some(args.plan)), today);
    row.with("currency", currency).put(session, dry_run).await
}

async fn mandate(args: MandateArgs, session: &Session) -> Result<Exit, Failure> {
    let today = entry::today(session).await?;
    Entry::of("plans")
        .with("id", Some(&args.plan))
        .with("change", Some("mandated"))
        .with("on", Some(today))
        .with("mandate", Some(args.mandate))
        .with("mandate_signed_on", Some(args.signed))
        .with("iban", Some(args.iban))
        .with("bic", args.bic)
        .with("holder", args.holder)
        .put(session, args.dry_run)
        .await
}

async fn end(args: End, change: &'static str, session: &Session) -> Result<Exit, Failure> {
    let today = entry::today(session).await?;
    let row = Entry::of("plans")
        .with("id", Some(&args.plan))
        .with("change", Some(change))
        .with("on", Some(today))
        .with("reason", args.reason);
    let done = row.put(session, args.dry_run).await;
    done.map_err(|failure| {
        if change == "declined" && failure.message.ends_with("is active") {
            failure.help(format!("an offer is declined; `recobro plan cancel {}` ends a plan that runs", args.plan))
        } else {
            failure
        }
    })
}

async fn list(args: &List, session: &Session) -> Result<Exit, Failure> {
    let store = session.store().await?;
    let of = (args.status.as_deref().unwrap_or(""), args.customer.as_deref().unwrap_or(""));
    let rows = agreements::plans(&store, of, session.limit()).await?;
    let head = ["plan", "customer", "invoices", "status", "instalments", "amount", "paid", "currency", "next due"];
    session.out.list(&rows, &head, |row| {
        vec![
            row.plan.clone(),
            row.customer.clone(),
            row.invoices.join(", "),
            row.status.clone(),
            row.instalments.len().to_string(),
            row.amount.clone(),
            row.paid.clone(),
            row.currency.clone(),
            row.next_due.map(|on| on.to_string()).unwrap_or_default(),
        ]
    })?;
    Ok(Exit::Ok)
}

async fn show(id: &str, session: &Session) -> Result<Exit, Failure> {
    let row = agreements::plan(&session.store().await?, id).await?;
    if session.out.is_json() {
        session.out.json(&row)?;
        return Ok(Exit::Ok);
    }
    let invoices = row.invoices.join(", ");
    session.out.line(&format!("plan {}  {}  customer {}  invoices {invoices}", row.plan, row.status, row.customer))?;
    session.out.line(&format!("  {} {} of which paid {}", row.amount, row.currency, row.paid))?;
    let days = [("offered", row.offered_on), ("agreed", row.agreed_on), ("over", row.ended_on)];
    let said = days.iter().filter_map(|(what, on)| on.map(|on| format!("{what} {on}")));
    session.out.line(&format!("  {}", said.collect::<Vec<_>>().join(", ")))?;
    if row.status == "proposed" {
        let most = row.max_instalments.map_or_else(String::new, |most| format!(", at most {most} {}", if most == 1 { "instalment" } else { "instalments" }));
        let by = row.ends_by.map_or_else(String::new, |by| format!(", paid by {by}"));
        let until = row.valid_until.map_or_else(String::new, |until| format!("valid until {until}"));
        session.out.line(&format!("  {until}{most}{by}; as it stands:"))?;
    } else {
        session.out.line(&format!("  ends when {} are missed at the same time", row.default_after))?;
    }
    let cells = |one: &agreements::InstalmentLine| {
        vec![one.number.to_string(), one.due.to_string(), one.amount.clone(), one.paid.clone(), one.status.clone(), one.collected.clone().unwrap_or_default()]
    };
    if let Some(mandate) = &row.mandate {
        session.out.line(&format!("  mandate {} of {}, {}", mandate.id, mandate.signed_on, masked(&mandate.iban)))?;
    }
    let head = ["no", "due", "amount", "paid", "status", "collected in"];
    session.out.line(&crate::out::table(&head, row.instalments.iter().map(cells)))?;
    Ok(Exit::Ok)
}

/// An account number as people compare it: country, check digits and the last four.
fn masked(iban: &str) -> String {
    let last: String = iban.chars().skip(iban.chars().count().saturating_sub(4)).collect();
    format!("{}...{last}", iban.chars().take(4).collect::<String>())
}
