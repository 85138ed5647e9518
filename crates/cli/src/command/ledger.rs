//! `recobro ledger`: a customer's account on any day, and as it was known at any time.

use crate::failure::{Exit, Failure};
use crate::out::table;
use crate::reads::{self, Account, AccountLine};
use crate::session::Session;
use chrono::NaiveDate;
use recobro_kernel::interest::{self, Debt};
use recobro_kernel::law::Law;
use recobro_kernel::money::{Currency, Money};
use recobro_kernel::time::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Invoices, money, disputes, interest and totals, never mixing currencies
    #[command(after_help = "\
Examples:
  recobro ledger show C7                              today
  recobro ledger show C7 --as-of 2026-06-30           as the account was on that day
  recobro ledger show C7 --as-of 2026-06-30 --known-at 2026-07-05    as it was known then: what was booked later is left out")]
    Show(Show),
}

#[derive(clap::Args)]
struct Show {
    /// Customer
    customer: String,
    /// Day [default: today]
    #[arg(long, value_name = "DATE")]
    as_of: Option<NaiveDate>,
    /// What was known by then [default: everything]
    #[arg(long, value_name = "DATE|INSTANT")]
    known_at: Option<String>,
}

#[derive(Serialize)]
struct Said {
    schema: &'static str,
    customer: String,
    as_of: NaiveDate,
    #[serde(skip_serializing_if = "Option::is_none")]
    known_at: Option<Timestamp>,
    invoices: Vec<SaidInvoice>,
    unapplied: BTreeMap<String, String>,
    totals: BTreeMap<String, SaidTotal>,
    /// Interest from this day on is not counted: the rate is not loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown_from: Option<NaiveDate>,
    /// Money that is noted and counts later.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waiting: Vec<reads::PaymentLine>,
}

#[derive(Serialize)]
struct SaidInvoice {
    invoice: String,
    number: String,
    currency: String,
    due: NaiveDate,
    days_overdue: i64,
    amount: String,
    paid: String,
    credited: String,
    discounted: String,
    written_off: String,
    balance: String,
    disputed: String,
    claimable: String,
    waived: String,
    charges: String,
}

#[derive(Default, Serialize)]
struct SaidTotal {
    balance: String,
    claimable: String,
    charges: String,
    unapplied: String,
    owed: String,
}

/// What an invoice costs beside its principal, minor units.
#[derive(Clone, Copy, Default)]
struct Charges {
    minor: i64,
    waived: i64,
    /// Days from this one on are not counted: their rate is not loaded.
    unknown_from: Option<NaiveDate>,
}

/// Totals of one currency, minor units.
#[derive(Clone, Copy, Default)]
struct Total {
    balance: i64,
    claimable: i64,
    charges: i64,
    unapplied: i64,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    let Verb::Show(args) = args.verb;
    let zone = session.settings()?.creditor.time_zone;
    let known = args.known_at.as_deref().map(|text| reads::instant(text, zone)).transpose()?;
    let law = session.library()?.law;
    let store = session.store().await?;
    let as_of = match args.as_of {
        Some(day) => day,
        None => reads::now(&store).await?.date_in(zone),
    };
    let account = reads::account(&store, &args.customer, as_of, known.unwrap_or(Timestamp::MAX)).await?;
    let lines: Vec<(&AccountLine, Charges)> =
        account.invoices.iter().map(|line| (line, charges(&law, &account, line, as_of))).collect();
    let totals = totals(&account, &lines);
    if session.out.is_json() {
        session.out.json(&said(&account, &lines, &totals, as_of, known))?;
    } else {
        session.out.line(&text(&account, &lines, &totals, as_of, known))?;
    }
    Ok(Exit::Ok)
}

/// Interest and fixed sum, and what of them is waived.
fn charges(law: &Law, account: &Account, line: &AccountLine, as_of: NaiveDate) -> Charges {
    let invoice = &line.invoice;
    let debt = Debt {
        due: invoice.due_on,
        amount_minor: invoice.amount_minor,
        currency: invoice.currency,
        paid: line.days(false),
        waivers: line.waivers.clone(),
    };
    let debt = debt.less_credits(&line.days(true), as_of);
    let rates = law.rates_for(&account.customer.country, &account.customer.kind, invoice.currency);
    let statement = rates.map(|rates| interest::statement(rates, &debt, as_of));
    statement.map_or(Charges::default(), |statement| Charges {
        minor: statement.charges_minor(),
        waived: statement.waived_minor(),
        unknown_from: statement.unknown_from,
    })
}

fn claimable(line: &AccountLine) -> i64 {
    (line.balance_minor() - line.disputed_minor - line.invoice.retained_minor).max(0)
}

fn totals(account: &Account, lines: &[(&AccountLine, Charges)]) -> BTreeMap<Currency, Total> {
    let mut totals: BTreeMap<Currency, Total> = BTreeMap::new();
    for (line, charges) in lines {
        let total = totals.entry(line.invoice.currency).or_default();
        total.balance += line.balance_minor();
        total.claimable += claimable(line);
        total.charges += charges.minor;
    }
    for (currency, minor) in &account.unapplied {
        totals.entry(*currency).or_default().unapplied += minor;
    }
    totals
}

fn said(
    account: &Account,
    lines: &[(&AccountLine, Charges)],
    totals: &BTreeMap<Currency, Total>,
    as_of: NaiveDate,
    known_at: Option<Timestamp>,
) -> Said {
    let plain = |minor: i64, currency: Currency| Money::new(minor, currency).to_decimal().to_string();
    let one = |(line, charges): &(&AccountLine, Charges)| {
        let (invoice, money) = (&line.invoice, |minor| plain(minor, line.invoice.currency));
        SaidInvoice {
            invoice: invoice.id.to_string(),
            number: invoice.number.clone(),
            currency: invoice.currency.to_string(),
            due: invoice.due_on,
            days_overdue: (as_of - invoice.due_on).num_days().max(0),
            amount: money(invoice.amount_minor),
            paid: money(line.paid_minor()),
            credited: money(line.of_kind("credit")),
            discounted: money(line.of_kind("discount")),
            written_off: money(line.of_kind("write_off")),
            balance: money(line.balance_minor()),
            disputed: money(line.disputed_minor),
            claimable: money(claimable(line)),
            waived: money(charges.waived),
            charges: money(charges.minor),
        }
    };
    let total = |(currency, total): (&Currency, &Total)| {
        let money = |minor| plain(minor, *currency);
        let said = SaidTotal {
            balance: money(total.balance),
            claimable: money(total.claimable),
            charges: money(total.charges),
            unapplied: money(total.unapplied),
            owed: money(total.balance + total.charges - total.unapplied),
        };
        (currency.to_string(), said)
    };
    Said {
        schema: "recobro/v1/ledger",
        customer: account.customer.id.to_string(),
        as_of,
        known_at,
        invoices: lines.iter().map(one).collect(),
        unapplied: account.unapplied.iter().map(|(c, minor)| (c.to_string(), plain(*minor, *c))).collect(),
        totals: totals.iter().map(total).collect(),
        unknown_from: unknown_from(lines),
        waiting: account.waiting.clone(),
    }
}

/// The first day whose rate is not loaded.
fn unknown_from(lines: &[(&AccountLine, Charges)]) -> Option<NaiveDate> {
    lines.iter().filter(|(line, _)| line.balance_minor() > 0).filter_map(|(_, charges)| charges.unknown_from).min()
}

fn text(
    account: &Account,
    lines: &[(&AccountLine, Charges)],
    totals: &BTreeMap<Currency, Total>,
    as_of: NaiveDate,
    known_at: Option<Timestamp>,
) -> String {
    let customer = &account.customer;
    let known = known_at.map(|at| format!(", as known at {at}")).unwrap_or_default();
    let mut text = format!("{}  {}  {}, as of {as_of}{known}\n\n", customer.id, customer.name, customer.country);
    // What most accounts never have gets a column only where it is there.
    let rare: Vec<_> = [("credit", "credited"), ("discount", "discount"), ("write_off", "written off")]
        .into_iter()
        .filter(|(kind, _)| lines.iter().any(|(line, _)| line.of_kind(kind) != 0))
        .collect();
    let any_waived = lines.iter().any(|(_, charges)| charges.waived != 0);
    let rows = lines.iter().map(|(line, charges)| {
        let money = |minor: i64| Money::new(minor, line.invoice.currency).to_decimal().to_string();
        let mut row = vec![
            line.invoice.number.clone(),
            line.invoice.due_on.to_string(),
            (as_of - line.invoice.due_on).num_days().max(0).to_string(),
            line.invoice.currency.to_string(),
            money(line.invoice.amount_minor),
            money(line.paid_minor()),
            money(line.balance_minor()),
            money(line.disputed_minor),
            money(charges.minor),
        ];
        if any_waived {
            row.push(money(charges.waived));
        }
        row.splice(6..6, rare.iter().map(|(kind, _)| money(line.of_kind(kind))));
        row
    });
    let mut head = vec!["invoice", "due", "days late", "", "amount", "paid", "open", "disputed", "interest + fixed"];
    if any_waived {
        head.push("waived");
    }
    head.splice(6..6, rare.iter().map(|(_, title)| *title));
    text.push_str(&table(&head, rows));
    text.push('\n');
    for (currency, total) in totals {
        let money = |minor: i64| Money::new(minor, *currency).to_string();
        let _ = write!(text, "\n{} open, {} interest and fixed sums", money(total.balance), money(total.charges));
        if total.unapplied != 0 {
            let _ = write!(text, ", {} unapplied (`recobro match list`)", money(total.unapplied));
        }
        let _ = writeln!(text, ": {} owed", money(total.balance + total.charges - total.unapplied));
    }
    if let Some(day) = unknown_from(lines) {
        let _ = writeln!(text, "the rate from {day} on is not loaded: interest of these days is not counted");
    }
    for line in &account.waiting {
        let _ = writeln!(text, "{} {} of {} waits to be taken up: {}", line.amount, line.currency, line.on, line.payment);
    }
    text
}
