//! What policies say about keeping: how much is past its day. It counts, and deletes nothing.

use crate::{Engine, Error, db};
use chrono::NaiveDate;
use recobro_kernel::facts::Facts;
use recobro_kernel::guard::policy::{Kind, Policy, Rule};
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::time::Span;
use recobro_store::cases::{self, LifeRow};
use recobro_store::{Tx, customers};
use std::collections::BTreeMap;

/// Customers of one page: memory does not grow with the ledger.
const PAGE: i64 = 200;

/// What one rule keeps, and what of it is past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// `policy/rule`.
    pub rule: String,
    /// So long after the last activity of a case.
    pub keep: Span,
    /// Statute or house rule.
    pub source: String,
    /// Finished cases that it is about.
    pub finished: u64,
    /// Those of them that are past their day.
    pub cases: u64,
    /// Customers of whom nothing is open and everything that it is about is past its day.
    pub customers: u64,
    /// The last activity of the oldest case that is past its day.
    pub oldest: Option<NaiveDate>,
}

impl Engine {
    /// Counts, for every retention rule, the finished cases and customers that are past their day on a date.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn retention(&self, as_of: NaiveDate) -> Result<Vec<Kept>, Error> {
        let policies = self.shelf.law.policies.values();
        let mut kept: BTreeMap<&str, Kept> = BTreeMap::new();
        for (rule, keep) in policies.clone().flat_map(|policy| &policy.rules).filter_map(keeps) {
            let (id, source) = (rule.id.clone(), rule.source.clone());
            kept.insert(&rule.id, Kept { rule: id, keep, source, finished: 0, cases: 0, customers: 0, oldest: None });
        }
        let mut tx = self.store.read().await?;
        let mut after = String::new();
        while !kept.is_empty() {
            let page = customers::list(&mut tx, &after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.id.0);
            let ids: Vec<CustomerId> = page.iter().map(|row| row.id.clone()).collect();
            self.count(&mut tx, &ids, as_of, &mut kept).await?;
        }
        Ok(kept.into_values().collect())
    }

    /// Counts a page of customers.
    async fn count(
        &self,
        tx: &mut Tx,
        ids: &[CustomerId],
        as_of: NaiveDate,
        kept: &mut BTreeMap<&str, Kept>,
    ) -> Result<(), Error> {
        let lives = cases::lives(tx, ids).await?;
        let invoices: Vec<InvoiceId> = db::unique(&lives.iter().map(|life| life.invoice.clone()).collect::<Vec<_>>());
        let loaded = db::load_facts(self, tx, (&invoices, ids), self.clock.now()).await?;
        let mut of: BTreeMap<&CustomerId, Vec<&LifeRow>> = BTreeMap::new();
        for life in &lives {
            of.entry(&life.customer).or_default().push(life);
        }
        for theirs in of.into_values() {
            // By rule: how many of them it is about, and how many of those are past.
            let mut past: BTreeMap<String, (usize, usize)> = BTreeMap::new();
            for life in theirs.iter().filter(|life| life.finished) {
                let Some(facts) = loaded.facts(&life.invoice, self.clock.now(), &self.settings) else { continue };
                let (country, part) = (&facts.customer.country, facts.customer.subdivision.as_deref());
                let calendar = self.shelf.law.calendar_for(country, part, "");
                let on = life.moved_at.date_in(facts.customer.time_zone);
                for (rule, keep) in self.keeping(life, &facts, on) {
                    let Some(kept) = kept.get_mut(rule.id.as_str()) else { continue };
                    let counted = past.entry(rule.id.clone()).or_default();
                    (counted.0, kept.finished) = (counted.0 + 1, kept.finished + 1);
                    if calendar.add(on, keep) < as_of {
                        (counted.1, kept.cases) = (counted.1 + 1, kept.cases + 1);
                        kept.oldest = Some(kept.oldest.map_or(on, |oldest| oldest.min(on)));
                    }
                }
            }
            let nothing_open = theirs.iter().all(|life| life.finished);
            for (rule, _) in past.iter().filter(|(_, (all, past))| nothing_open && all == past) {
                if let Some(kept) = kept.get_mut(rule.as_str()) {
                    kept.customers += 1;
                }
            }
        }
        Ok(())
    }

    /// The retention rules that were in force for a case on the day of its last activity.
    fn keeping<'a>(&'a self, life: &LifeRow, facts: &Facts, on: NaiveDate) -> Vec<(&'a Rule, Span)> {
        let bundle = self.shelf.current_bundle(&life.playbook);
        let names = |policy: &Policy| {
            bundle.as_ref().is_some_and(|bundle| bundle.compiled.playbook.policies.contains(&policy.name))
        };
        let law = &self.shelf.law;
        let (customer, invoice) = (&facts.customer, &facts.invoice);
        let bind = law.policies.values().filter(|policy| {
            policy.rules.iter().any(|rule| keeps(rule).is_some())
                && policy.binds(customer, invoice, on, (names(policy), law.collector))
        });
        let rules = bind.flat_map(|policy| policy.rules.iter().filter(|rule| rule.holds_for(customer, invoice, on)));
        rules.filter_map(keeps).collect()
    }
}

fn keeps(rule: &Rule) -> Option<(&Rule, Span)> {
    match rule.kind {
        Kind::Retention { keep } => Some((rule, keep)),
        _ => None,
    }
}
