//! `recobro interest`: what a late invoice costs beside its principal, as of any date, line by line.

use crate::entry::{self, Entry};
use crate::failure::{Exit, Failure};
use crate::out::table;
use crate::reads;
use crate::session::Session;
use chrono::NaiveDate;
use recobro_kernel::ids::InvoiceId;
use recobro_kernel::interest::{self, Debt, Statement};
use recobro_kernel::law::Law;
use recobro_kernel::money::Money;
use recobro_kernel::time::Timestamp;
use recobro_store::customers::CustomerRow;
use recobro_store::invoices::InvoiceRow;
use recobro_store::{Store, customers, payments};
use serde::Serialize;
use std::sync::Arc;
use std::fmt::Write as _;

/// Arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  recobro interest INV-1042                       as of today
  recobro interest INV-1042 --as-of 2026-06-30    as of that day, which still counts

Rates are tables in workflows/rates/, by country and kind of customer. A half-year that no table has is not assumed.")]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Invoice: its id, printed number or payment reference
    #[arg(required = true)]
    invoice: Option<String>,
    /// Last day that counts [default: today]
    #[arg(long, value_name = "DATE")]
    as_of: Option<NaiveDate>,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Do not ask for interest or the fixed sum of an invoice
    #[command(after_help = "\
Examples:
  recobro interest waive INV-1042 --reason goodwill                          all that has come about by today
  recobro interest waive INV-1042 --reason settlement --kind fixed_sum
  recobro interest waive INV-1042 --reason settlement --amount 50 --on 2026-06-30

Interest of later days is not waived with it. No statement goes below zero.")]
    Waive(Waive),
}

#[derive(clap::Args)]
struct Waive {
    /// Invoice: its id, printed number or payment reference
    invoice: String,
    /// Why: every statement shows it
    #[arg(long)]
    reason: String,
    /// How much [default: all that has come about by the day]
    #[arg(long, allow_negative_numbers = true)]
    amount: Option<String>,
    /// Which charges; an amount of `all` takes interest first
    #[arg(long, default_value = "all", value_parser = ["interest", "fixed_sum", "all"])]
    kind: String,
    /// Day from which it holds [default: today]
    #[arg(long, value_name = "DATE")]
    on: Option<NaiveDate>,
    /// Id [default: made of the content]
    #[arg(long)]
    id: Option<String>,
    /// Show what would be noted, take nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct SaidWaiver {
    on: NaiveDate,
    interest: String,
    fixed: String,
    reason: String,
}

#[derive(Serialize)]
struct Said<'a> {
    schema: &'static str,
    invoice: &'a str,
    number: &'a str,
    customer: &'a str,
    currency: &'a str,
    due: NaiveDate,
    as_of: NaiveDate,
    balance: String,
    rates: &'a str,
    lines: Vec<SaidLine>,
    interest: String,
    fixed: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waivers: Vec<SaidWaiver>,
    waived: String,
    charges: String,
    owed: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown_from: Option<NaiveDate>,
}

#[derive(Serialize)]
struct SaidLine {
    from: NaiveDate,
    to: NaiveDate,
    days: i64,
    principal: String,
    percent: String,
    interest: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    source: String,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    match args.verb {
        Some(Verb::Waive(args)) => waive(args, session).await,
        None => show(args.invoice.as_deref().unwrap_or_default(), args.as_of, session).await,
    }
}

async fn waive(args: Waive, session: &Session) -> Result<Exit, Failure> {
    let on = match args.on {
        Some(on) => on,
        None => entry::today(session).await?,
    };
    let store = session.store().await?;
    let invoice = reads::find_invoice(&store, &args.invoice).await?;
    store.close().await;
    let currency = args.amount.as_ref().map(|_| invoice.currency);
    let row = Entry::of("waivers")
        .with("id", args.id)
        .with("invoice", Some(&invoice.id))
        .with("kind", Some(args.kind))
        .with("amount", args.amount)
        .with("currency", currency)
        .with("reason", Some(args.reason))
        .with("on", Some(on));
    row.put(session, args.dry_run).await
}

async fn show(invoice: &str, as_of: Option<NaiveDate>, session: &Session) -> Result<Exit, Failure> {
    let law = session.library()?.law;
    let store = session.store().await?;
    let as_of = match as_of {
        Some(date) => date,
        None => reads::now(&store).await?.date_in(session.settings()?.creditor.time_zone),
    };
    let invoice = reads::find_invoice(&store, invoice).await?;
    let (customer, debt) = debt(&store, &invoice, as_of).await?;
    let statement = compute(&law, &customer, &debt, as_of)?;
    let paid: i64 = debt.paid.iter().filter(|(on, _)| *on <= as_of).map(|(_, minor)| minor).sum();
    let owed = Owed {
        invoice: &invoice,
        customer: &customer,
        balance_minor: debt.amount_minor - paid,
        code: invoice.currency.to_string(),
    };
    if session.out.is_json() {
        session.out.json(&said(&owed, &statement))?;
    } else {
        session.out.line(&text(&owed, &statement))?;
    }
    Ok(Exit::Ok)
}

/// What was owed as of the date.
struct Owed<'a> {
    invoice: &'a InvoiceRow,
    customer: &'a CustomerRow,
    balance_minor: i64,
    code: String,
}

impl Owed<'_> {
    fn money(&self, minor: i64) -> Money {
        Money::new(minor, self.invoice.currency)
    }
}

async fn debt(store: &Store, invoice: &InvoiceRow, as_of: NaiveDate) -> Result<(CustomerRow, Debt), Failure> {
    let mut tx = store.read().await?;
    let ids: Vec<InvoiceId> = vec![invoice.id.clone()];
    let rows = payments::settled(&mut tx, &ids).await?;
    let mut clients = customers::get(&mut tx, std::slice::from_ref(&invoice.customer)).await?;
    let customer = clients
        .remove(&invoice.customer)
        .ok_or_else(|| Failure::not_found(format!("the ledger has no customer `{}`", invoice.customer)))?;
    let debt = Debt {
        due: invoice.due_on,
        amount_minor: invoice.amount_minor,
        currency: invoice.currency,
        paid: reads::days(&rows, false),
        waivers: reads::waivers(&mut tx, &ids, Timestamp::MAX).await?.remove(&invoice.id).unwrap_or_default(),
    };
    Ok((customer, debt.less_credits(&reads::days(&rows, true), as_of)))
}

fn compute(law: &Law, customer: &CustomerRow, debt: &Debt, as_of: NaiveDate) -> Result<Statement, Failure> {
    let rates = law.rates_for(&customer.country, &customer.kind, debt.currency).ok_or_else(|| {
        Failure::not_found(format!(
            "no table of rates is for a customer of kind `{}` in {} and debts in {}",
            customer.kind, customer.country, debt.currency
        ))
        .help("tables stand in workflows/rates/; persons owe no statutory interest there")
    })?;
    Ok(interest::statement(&Arc::clone(rates), debt, as_of))
}

fn said<'a>(owed: &'a Owed<'_>, statement: &'a Statement) -> Said<'a> {
    let plain = |minor: i64| owed.money(minor).to_decimal().to_string();
    let invoice = owed.invoice;
    let lines = statement.lines.iter().map(|line| SaidLine {
        from: line.from,
        to: line.to,
        days: line.days,
        principal: plain(line.principal_minor),
        percent: line.percent.to_string(),
        interest: plain(line.interest_minor),
        source: statement.rates.on(line.from).map(|rate| rate.source.clone()).unwrap_or_default(),
    });
    let waivers = statement.waived.iter().map(|waived| SaidWaiver {
        on: waived.on,
        interest: plain(waived.interest_minor),
        fixed: plain(waived.fixed_minor),
        reason: waived.reason.clone(),
    });
    Said {
        schema: "recobro/v1/interest",
        invoice: invoice.id.as_str(),
        number: &invoice.number,
        customer: owed.customer.id.as_str(),
        currency: &owed.code,
        due: invoice.due_on,
        as_of: statement.as_of,
        balance: plain(owed.balance_minor),
        rates: &statement.rates.name,
        lines: lines.collect(),
        interest: plain(statement.interest_minor),
        fixed: plain(statement.fixed_minor),
        waivers: waivers.collect(),
        waived: plain(statement.waived_minor()),
        charges: plain(statement.charges_minor()),
        owed: plain(owed.balance_minor + statement.charges_minor()),
        unknown_from: statement.unknown_from,
    }
}

fn text(owed: &Owed<'_>, statement: &Statement) -> String {
    let invoice = owed.invoice;
    let mut text = format!(
        "{}  {}  due {}  {} open as of {}\n\n",
        invoice.number,
        owed.customer.id,
        invoice.due_on,
        owed.money(owed.balance_minor),
        statement.as_of
    );
    if statement.lines.is_empty() {
        text.push_str("no late day\n");
    } else {
        let rows = statement.lines.iter().map(|line| {
            vec![
                line.from.to_string(),
                line.to.to_string(),
                line.days.to_string(),
                owed.money(line.principal_minor).to_decimal().to_string(),
                format!("{} %", line.percent),
                owed.money(line.interest_minor).to_decimal().to_string(),
            ]
        });
        text.push_str(&table(&["from", "to", "days", "principal", "rate", "interest"], rows));
        text.push('\n');
    }
    for waived in &statement.waived {
        let minor = waived.interest_minor + waived.fixed_minor;
        let _ = write!(text, "\nwaived from {} on: {}, {}", waived.on, owed.money(minor), waived.reason);
    }
    if !statement.waived.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(text, "\ninterest {}, fixed sum {}, with the principal {}\ntable {}: simple interest, {}",
        owed.money(statement.interest_minor),
        owed.money(statement.fixed_minor),
        owed.money(owed.balance_minor + statement.charges_minor()),
        statement.rates.name,
        statement.rates.application_name());
    if let Some(day) = statement.unknown_from {
        let _ = writeln!(text, "the rate from {day} on is not loaded: these days are not counted; add it to workflows/rates/{}.yaml",
            statement.rates.name);
    }
    text
}
