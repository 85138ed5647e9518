//! What the year came to: contacts, work, outcomes, amounts, ageing then and now, three cases worth looking at.

use super::ageing::{AGES, Ageing};
use super::portfolio::{Portfolio, first_day};
use crate::failure::Failure;
use crate::out::{grouped, table};
use crate::reads;
use crate::tally::{Counts, Deeds, Tally};
use chrono::NaiveDate;
use recobro_kernel::money::{Currency, Money};
use recobro_store::Store;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A case worth looking at.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Look {
    /// Invoice.
    pub(crate) invoice: String,
    /// Why.
    pub(crate) because: &'static str,
    /// What to type.
    pub(crate) commands: Vec<String>,
}

/// Sums of one currency, major units.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Amounts {
    /// Invoiced.
    pub(crate) invoiced: String,
    /// Paid or credited.
    pub(crate) collected: String,
    /// Still open.
    pub(crate) open: String,
}

/// Everything said at the end.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    schema: &'static str,
    seed: u64,
    customers: u64,
    invoices: u64,
    cases: Cases,
    contacts: Contacts,
    tasks: BTreeMap<String, Counts>,
    held_back: Counts,
    news: Counts,
    amounts: BTreeMap<String, Amounts>,
    ageing_then: Ageing,
    ageing_now: Ageing,
    turns: u64,
    look_at: Vec<Look>,
}

#[derive(Clone, Debug, Default, Serialize)]
struct Cases {
    open: u64,
    by_outcome: Counts,
    by_playbook: Counts,
}

#[derive(Clone, Debug, Default, Serialize)]
struct Contacts {
    total: u64,
    by_channel: Counts,
    by_step: BTreeMap<String, Counts>,
    refused: Counts,
    handed_over: Counts,
}

/// Candidate for a closer look.
struct Seen {
    invoice: String,
    outcome: Option<String>,
    deeds: Deeds,
}

/// Reads the database and sums up.
pub(crate) async fn of(
    store: &Store,
    portfolio: &Portfolio,
    today: NaiveDate,
    flags: &str,
) -> Result<Summary, Failure> {
    let mut tally = Tally::default();
    let mut cases = Cases::default();
    let mut seen = Vec::new();
    let mut turns = 0;
    reads::each_case(store, |case, bodies| {
        let deeds = tally.take(bodies);
        turns += case.case.rev;
        *cases.by_playbook.entry(case.case.playbook.clone()).or_default() += 1;
        match case.case.outcome {
            Some(outcome) => *cases.by_outcome.entry(outcome.name().to_owned()).or_default() += 1,
            None => cases.open += 1,
        }
        let outcome = case.case.outcome.map(|outcome| outcome.name().to_owned());
        seen.push(Seen { invoice: case.case.invoice.to_string(), outcome, deeds });
    })
    .await?;
    let (amounts, ageing_now, invoices) = ledger(store, today).await?;
    let by_channel = tally.by_channel();
    Ok(Summary {
        schema: "recobro/v1/demo",
        seed: portfolio.seed,
        customers: portfolio.customers.len() as u64,
        invoices,
        cases,
        contacts: Contacts {
            total: by_channel.values().sum(),
            by_channel,
            by_step: tally.contacts,
            refused: tally.refused,
            handed_over: tally.handed_over,
        },
        tasks: tally.tasks,
        held_back: tally.held_back,
        news: tally.news,
        amounts,
        ageing_then: then(portfolio),
        ageing_now,
        turns,
        look_at: worth_looking_at(&seen, flags),
    })
}

async fn ledger(store: &Store, today: NaiveDate) -> Result<(BTreeMap<String, Amounts>, Ageing, u64), Failure> {
    let mut sums: BTreeMap<Currency, (i64, i64)> = BTreeMap::new();
    let mut ageing = Ageing::default();
    let mut invoices = 0;
    for row in reads::all_invoices(store).await? {
        invoices += 1;
        let (invoiced, open) = sums.entry(row.currency).or_default();
        *invoiced += row.amount_minor;
        *open += row.balance_minor;
        ageing.add(row.currency, row.due_on, today, row.balance_minor);
    }
    let text = |minor: i64, currency: Currency| Money::new(minor, currency).to_decimal().to_string();
    let amounts = sums
        .into_iter()
        .map(|(currency, (invoiced, open))| {
            let amounts = Amounts {
                invoiced: text(invoiced, currency),
                collected: text(invoiced - open, currency),
                open: text(open, currency),
            };
            (currency.to_string(), amounts)
        })
        .collect();
    Ok((amounts, ageing, invoices))
}

/// The ageing of the first day: everything issued before it is open.
fn then(portfolio: &Portfolio) -> Ageing {
    let mut ageing = Ageing::default();
    for invoice in portfolio.invoices.iter().filter(|invoice| invoice.issued < first_day()) {
        let home = portfolio.customers[invoice.customer].home;
        let currency = home.currency.parse().unwrap_or(Currency::EUR);
        ageing.add(currency, invoice.due, first_day(), invoice.minor);
    }
    ageing
}

fn worth_looking_at(seen: &[Seen], flags: &str) -> Vec<Look> {
    type Test = fn(&Seen) -> bool;
    let paid = |seen: &Seen| seen.outcome.as_deref() == Some("paid");
    let wanted: [(&'static str, Test, Test); 3] = [
        (
            "a promise was broken, and it was paid in the end",
            |seen| seen.deeds.broken > 0 && seen.outcome.as_deref() == Some("paid"),
            |seen| seen.deeds.broken > 0,
        ),
        (
            "a dispute stopped everything until it was answered",
            |seen| seen.deeds.disputes > 0 && seen.outcome.as_deref() == Some("paid") && seen.deeds.held_back > 0,
            |seen| seen.deeds.disputes > 0,
        ),
        (
            "it went all the way: reminders, calls, approval, hand-over",
            |seen| seen.deeds.placed > 0,
            |seen| seen.deeds.work > 0 && seen.outcome.as_deref() != Some("paid"),
        ),
    ];
    let mut looks: Vec<Look> = Vec::new();
    for (because, best, second) in wanted {
        let fresh = |candidate: &&Seen| looks.iter().all(|look| look.invoice != candidate.invoice);
        let richest = |test: Test| {
            seen.iter().filter(fresh).filter(|candidate| test(candidate)).max_by_key(|candidate| {
                (candidate.deeds.contacts + candidate.deeds.work, std::cmp::Reverse(&candidate.invoice))
            })
        };
        let found = richest(best).or_else(|| richest(second)).or_else(|| richest(paid));
        if let Some(found) = found {
            let invoice = found.invoice.clone();
            let commands = ["show", "why"].map(|verb| format!("recobro {flags}case {verb} {invoice}")).to_vec();
            looks.push(Look { invoice, because, commands });
        }
    }
    looks
}

fn counted(counts: &Counts) -> String {
    let mut list: Vec<_> = counts.iter().collect();
    list.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    list.into_iter().map(|(name, count)| format!("{} {name}", grouped(*count))).collect::<Vec<_>>().join(", ")
}

impl Summary {
    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "{} invoices of {} customers, {} turns\n",
            grouped(self.invoices),
            grouped(self.customers),
            grouped(self.turns)
        );
        let _ = writeln!(text, "cases      {}; {} open", counted(&self.cases.by_outcome), grouped(self.cases.open));
        let _ = writeln!(text, "playbooks  {}", counted(&self.cases.by_playbook));
        let _ = writeln!(text, "contacts   {}", counted(&self.contacts.by_channel));
        let _ = writeln!(text, "refused    {}", counted(&self.contacts.refused));
        let _ = writeln!(text, "handed on  {}", counted(&self.contacts.handed_over));
        let _ = writeln!(text, "held back  {}", counted(&self.held_back));
        for (currency, sums) in &self.amounts {
            let money = |amount: &str| crate::story::money(amount.parse().unwrap_or_default());
            let _ = writeln!(
                text,
                "{currency}        invoiced {}, paid or credited {}, open {}",
                money(&sums.invoiced),
                money(&sums.collected),
                money(&sums.open)
            );
        }
        let _ = write!(text, "\n{}\n\n{}\n\n{}\n", self.contact_table(), self.task_table(), self.ageing_table());
        text.push_str("\nworth looking at\n");
        for look in &self.look_at {
            let _ = writeln!(text, "  {}: {}", look.invoice, look.because);
            for command in &look.commands {
                let _ = writeln!(text, "    {command}");
            }
        }
        text
    }

    fn contact_table(&self) -> String {
        let channels: Vec<&str> = self.contacts.by_channel.keys().map(String::as_str).collect();
        let mut head = vec!["contacts by step"];
        head.extend(&channels);
        let rows = self.contacts.by_step.iter().map(|(step, counts)| {
            let mut cells = vec![step.clone()];
            cells.extend(channels.iter().map(|channel| counts.get(*channel).map_or(String::new(), |n| grouped(*n))));
            cells
        });
        table(&head, rows)
    }

    fn task_table(&self) -> String {
        let rows = self
            .tasks
            .iter()
            .map(|(kind, counts)| vec![kind.clone(), grouped(counts.values().sum::<u64>()), counted(counts)]);
        table(&["work", "opened", "ended as"], rows)
    }

    fn ageing_table(&self) -> String {
        let mut rows = Vec::new();
        let mut currencies: Vec<Currency> = self.ageing_then.currencies().chain(self.ageing_now.currencies()).collect();
        currencies.sort();
        currencies.dedup();
        for currency in currencies {
            let amount = |money: Money| crate::story::money(money.to_decimal());
            for (age, name) in AGES.iter().enumerate() {
                rows.push(vec![
                    format!("{currency} {name}"),
                    amount(self.ageing_then.amount(currency, age)),
                    amount(self.ageing_now.amount(currency, age)),
                ]);
            }
            rows.push(vec![
                format!("{currency} open"),
                amount(self.ageing_then.total(currency)),
                amount(self.ageing_now.total(currency)),
            ]);
        }
        table(&["ageing", "then", "now"], rows.into_iter())
    }
}
