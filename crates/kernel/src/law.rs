//! The law: calendars, policies and late-payment rates in their newest form, by name, shared by every case.

use crate::calendar::Calendar;
use crate::facts::{CustomerFacts, InvoiceFacts};
use crate::guard::policy::Collector;
pub use crate::guard::policy::Policy;
use crate::ids::Hash;
use crate::interest::Rates;
use crate::money::Currency;
use crate::plan::Patience;
use crate::time::Span;
use crate::value::Value;
use chrono::NaiveDate;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Calendars, policies and rates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Law {
    /// Calendars by name.
    pub calendars: BTreeMap<String, Arc<Calendar>>,
    /// Policies by name.
    pub policies: BTreeMap<String, Arc<Policy>>,
    /// Tables of late-payment rates by name.
    pub rates: BTreeMap<String, Arc<Rates>>,
    /// Whether we collect our own debts or those of others.
    pub collector: Collector,
    /// What every turn asks for, see [`Law::indexed`].
    pub index: Index,
}

/// The answers that every turn asks a law for, worked out once. A copy of a law may be changed, so it has none; two laws
/// are the same with and without it.
#[derive(Debug, Default)]
pub struct Index(Option<Answers>);

#[derive(Debug)]
struct Answers {
    calendars: BTreeMap<String, Arc<Calendar>>,
    hash: Hash,
}

impl Clone for Index {
    fn clone(&self) -> Self {
        Self(None)
    }
}

impl PartialEq for Index {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Index {}

impl Law {
    /// The law as it is now, ready to be asked often: whoever changes it afterwards must call this again.
    #[must_use]
    pub fn indexed(mut self) -> Self {
        let mut calendars = BTreeMap::new();
        for calendar in self.calendars.values() {
            // Of two for one place the first by name counts.
            if let Some(place) = &calendar.country {
                calendars.entry(place.clone()).or_insert_with(|| Arc::clone(calendar));
            }
        }
        self.index = Index(Some(Answers { calendars, hash: self.hash() }));
        self
    }

    fn calendar_of(&self, place: &str) -> Option<&Arc<Calendar>> {
        match &self.index.0 {
            Some(answers) => answers.calendars.get(place),
            None => self.calendars.values().find(|calendar| calendar.country.as_deref() == Some(place)),
        }
    }

    /// The customer's calendar: their subdivision's, else their country's, else the playbook's, else plain weekdays.
    #[must_use]
    pub fn calendar_for(&self, country: &str, subdivision: Option<&str>, fallback: &str) -> Arc<Calendar> {
        subdivision
            .and_then(|place| self.calendar_of(place))
            .or_else(|| self.calendar_of(country))
            .or_else(|| self.calendars.get(fallback))
            .cloned()
            .unwrap_or_else(|| Arc::new(Calendar::weekdays()))
    }

    /// A calendar by name, plain weekdays where it is unknown.
    #[must_use]
    pub fn calendar(&self, name: &str) -> Arc<Calendar> {
        self.calendars.get(name).cloned().unwrap_or_else(|| Arc::new(Calendar::weekdays()))
    }

    /// The table of rates for a customer's debts in a currency: their country's, else one for any country.
    #[must_use]
    pub fn rates_for(&self, country: &str, kind: &str, currency: Currency) -> Option<&Arc<Rates>> {
        let fitting = || self.rates.values().filter(|rates| rates.is_for(country, kind, currency));
        fitting().find(|rates| !rates.jurisdictions.is_empty()).or_else(|| fitting().next())
    }

    /// `law.<name>`: the first policy that has it, by name of policy.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.policies.values().find_map(|policy| policy.values.get(name))
    }

    /// `law.<name>` for a customer: the figure of the policy that speaks for their place most narrowly (subdivision,
    /// country, Union, everywhere) on a day, for their kind, product and collector; where none speaks for them, the first in
    /// force by name of policy, else the first.
    #[must_use]
    pub fn value_for(
        &self,
        name: &str,
        customer: &CustomerFacts,
        invoice: &InvoiceFacts,
        on: NaiveDate,
    ) -> Option<&Value> {
        let near = |policy: &&Arc<Policy>| policy.nearness(customer, invoice, (on, self.collector));
        let fitting = self.policies.values().filter(|policy| policy.values.contains_key(name));
        // Of equals the first by name: the check of policies refuses equals that differ.
        let best =
            fitting.filter(|policy| near(policy).is_some()).max_by_key(|policy| (near(policy), Reverse(&policy.name)));
        let in_force = || self.policies.values().filter(|policy| policy.is_in_force(on));
        let any = || in_force().find_map(|policy| policy.values.get(name)).or_else(|| self.value(name));
        best.and_then(|policy| policy.values.get(name)).or_else(any)
    }

    /// One hash over all policies and rates and over who collects, recorded with each turn.
    #[must_use]
    pub fn policy_hash(&self) -> Hash {
        self.index.0.as_ref().map_or_else(|| self.hash(), |answers| answers.hash)
    }

    fn hash(&self) -> Hash {
        let policies = self.policies.values().flat_map(|policy| policy.hash.0);
        let rates = self.rates.values().flat_map(|rates| rates.hash.0);
        let all: Vec<u8> = policies.chain(rates).chain(self.collector.name().bytes()).collect();
        Hash::of(&all)
    }

    /// Time to answer a dispute; thirty days where no policy says.
    #[must_use]
    pub fn dispute_answer(&self) -> Span {
        match self.value("dispute_answer") {
            Some(Value::Span(span)) => *span,
            _ => Span::days(30),
        }
    }

    /// Days of grace after a promised date before it is judged; two working days where no policy says.
    #[must_use]
    pub fn promise_grace(&self) -> Span {
        match self.value("promise_grace") {
            Some(Value::Span(span)) => *span,
            _ => Span::working_days(2),
        }
    }

    /// How patient plans are: `plan_reminder`, `plan_grace` and `plan_default_after` of the policies; three days, five
    /// days and two instalments where none says.
    #[must_use]
    pub fn plan_patience(&self) -> Patience {
        let span = |name: &str, usual: Span| match self.value(name) {
            Some(Value::Span(span)) => *span,
            _ => usual,
        };
        let default_after = match self.value("plan_default_after") {
            Some(Value::Int(count)) => (*count).max(1),
            _ => 2,
        };
        Patience {
            reminder: span("plan_reminder", Span::days(3)),
            grace: span("plan_grace", Span::days(5)),
            default_after,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(name: &str, place: Option<&str>) -> (String, Arc<Calendar>) {
        let calendar = Calendar { name: name.to_owned(), country: place.map(str::to_owned), ..Calendar::weekdays() };
        (name.to_owned(), Arc::new(calendar))
    }

    #[test]
    fn an_index_changes_no_answer_and_no_copy_keeps_it() {
        let calendars = [("b", Some("ES")), ("a", Some("ES")), ("c", Some("ES-CT")), ("house", None)];
        let plain = Law { calendars: calendars.map(|(name, place)| calendar(name, place)).into(), ..Law::default() };
        let indexed = plain.clone().indexed();
        assert_eq!(plain, indexed);
        assert_eq!(plain.policy_hash(), indexed.policy_hash());
        for (country, part) in [("ES", None), ("ES", Some("ES-CT")), ("ES", Some("ES-MD")), ("FR", None)] {
            let name = |law: &Law| law.calendar_for(country, part, "house").name.clone();
            assert_eq!(name(&plain), name(&indexed), "{country} {part:?}");
        }
        let mut changed = indexed.clone();
        changed.calendars.clear();
        changed.collector = Collector::ThirdParty;
        assert_eq!(changed.calendar_for("ES", None, "house").country, None);
        assert_ne!(changed.policy_hash(), indexed.policy_hash(), "who collects is part of the law");
    }
}
