//! `recobro plan debit`: instalments become a file that the bank collects, each of them once.

use crate::failure::{Exit, Failure};
use crate::session::Session;
use chrono::NaiveDate;
use recobro_connectors::debit::{self, Batch, Creditor, Entry, Scheme, Sequence, Version};
use recobro_connectors::source::record::Mandate;
use recobro_kernel::ids::{CustomerId, Hash};
use recobro_kernel::money::Money;
use recobro_store::customers;
use recobro_store::plans::{self, PlanRow};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Plans of one file.
const PLANS_MAX: i64 = 10_000;

/// Arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  recobro plan debit --by 2026-07-05 --out debits.xml

The account is creditor.iban, the creditor identifier creditor.sepa_id. Refused collections come back as money taken
back: `recobro import payments`.")]
pub(super) struct Args {
    /// Instalments due by this day
    #[arg(long, value_name = "DATE")]
    by: NaiveDate,
    /// File to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Scheme of the mandates
    #[arg(long, value_parser = ["core", "b2b"], default_value = "core")]
    scheme: String,
    /// Version of the message: `08` or `02`
    #[arg(long, value_parser = ["08", "02"], default_value = "08")]
    version: String,
    /// Say what would be collected, write nothing
    #[arg(long)]
    dry_run: bool,
}

/// An instalment on its way to the bank.
struct Collected {
    customer: CustomerId,
    plan: String,
    ordinal: i64,
    entry: Entry,
}

pub(super) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    let store = session.store().await?;
    let mut tx = store.read().await?;
    let rows = plans::debits(&mut tx, args.by, "", PLANS_MAX).await?;
    let mut owners: Vec<CustomerId> = rows.iter().map(|row| row.customer.clone()).collect();
    owners.sort();
    owners.dedup();
    let names: BTreeMap<CustomerId, String> = if owners.is_empty() {
        BTreeMap::new()
    } else {
        customers::get(&mut tx, &owners).await?.into_iter().map(|(id, row)| (id, row.name)).collect()
    };
    drop(tx);
    store.close().await;
    let clock = session.clock().await?;
    let scheme = if args.scheme == "b2b" { Scheme::B2b } else { Scheme::Core };
    let mut all = Vec::new();
    for row in &rows {
        collect(row, &names, (args.by, scheme), &mut all)?;
    }
    if all.is_empty() {
        session.out.say("nothing to collect");
        return Ok(Exit::Ok);
    }
    let keys: String = all.iter().map(|one| one.entry.end_to_end.as_str()).collect::<Vec<_>>().join(" ");
    // The same instalments make the same file: a bank that gets it twice takes it once.
    let message = format!("debit-{}", Hash::of(keys.as_bytes()).short());
    let batch = Batch {
        version: if args.version == "02" { Version::V02 } else { Version::V08 },
        message: message.clone(),
        created: clock.now(),
        creditor: creditor(session),
        entries: all.iter().map(|one| one.entry.clone()).collect(),
    };
    let xml = debit::write(&batch).map_err(|problems| {
        let list = problems.iter().map(|problem| format!("  {problem}")).collect::<Vec<_>>().join("\n");
        Failure::new(Exit::Refused, format!("the bank would not take this file:\n{list}"))
            .help("creditor.iban and creditor.sepa_id stand in recobro.toml, mandates with `recobro plan add`")
    })?;
    let sum: i64 = all.iter().map(|one| one.entry.amount.minor).sum();
    let said = format!("{} instalments, {}", all.len(), Money::new(sum, all[0].entry.amount.currency));
    if args.dry_run {
        session.out.line(&format!("would collect {said} as {message}"))?;
        return Ok(Exit::Ok);
    }
    std::fs::write(&args.out, xml)
        .map_err(|error| Failure::new(Exit::Failed, format!("cannot write {}: {error}", args.out.display())))?;
    let engine = session.engine(clock).await?;
    let marks: Vec<(String, i64)> = all.iter().map(|one| (one.plan.clone(), one.ordinal)).collect();
    let owners: Vec<CustomerId> = all.iter().map(|one| one.customer.clone()).collect();
    engine.collected(&owners, &marks, &message).await?;
    session.out.line(&format!("{}: {said} as {message}", args.out.display()))?;
    Ok(Exit::Ok)
}

fn creditor(session: &Session) -> Creditor {
    let text = |key: &str| session.config.text(key).to_owned();
    Creditor {
        name: text("creditor.name"),
        iban: text("creditor.iban"),
        bic: None,
        identifier: text("creditor.sepa_id"),
    }
}

/// The instalments of a plan that are due by a day and were never ordered.
fn collect(
    row: &PlanRow,
    names: &BTreeMap<CustomerId, String>,
    (by, scheme): (NaiveDate, Scheme),
    into: &mut Vec<Collected>,
) -> Result<(), Failure> {
    let Some(text) = &row.mandate else { return Ok(()) };
    let mandate: Mandate = serde_json::from_str(text)?;
    let count = row.instalments.len();
    for (index, one) in row.instalments.iter().enumerate() {
        if one.due_on > by || one.collected.is_some() || one.paid_minor >= one.amount_minor {
            continue;
        }
        let sequence = match (index, count) {
            (0, 1) => Sequence::OneOff,
            (0, _) => Sequence::First,
            (last, _) if last + 1 == count => Sequence::Final,
            _ => Sequence::Recurring,
        };
        let holder = mandate.holder.clone().or_else(|| names.get(&row.customer).cloned());
        let invoices: Vec<&str> = row.invoices.iter().map(|part| part.invoice.as_str()).collect();
        let ordinal = i64::try_from(index).unwrap_or(i64::MAX - 1) + 1;
        into.push(Collected {
            customer: row.customer.clone(),
            plan: row.id.clone(),
            ordinal,
            entry: Entry {
                end_to_end: end_to_end(&row.id, ordinal),
                collect_on: one.due_on,
                scheme,
                sequence,
                amount: Money::new(one.amount_minor - one.paid_minor, row.currency),
                mandate: mandate.id.clone(),
                signed_on: mandate.signed_on,
                debtor: holder.unwrap_or_default(),
                iban: mandate.iban.clone(),
                bic: mandate.bic.clone(),
                remittance: short(&format!("{} {}", row.id, invoices.join(" ")), 140),
            },
        });
    }
    Ok(())
}

/// At most 35 characters, the same for the same instalment for ever.
fn end_to_end(plan: &str, ordinal: i64) -> String {
    let name = format!("{plan}-{ordinal}");
    if name.len() <= 35 { name } else { format!("{}-{ordinal}", Hash::of(plan.as_bytes()).short()) }
}

fn short(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}
