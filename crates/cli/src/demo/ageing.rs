//! Open amounts by age and currency, as of a day.

use chrono::NaiveDate;
use recobro_kernel::money::{Currency, Money};
use serde::Serialize;
use std::collections::BTreeMap;

/// Names of the ages, youngest first.
pub(crate) const AGES: [&str; 5] = ["not due", "1-30 days", "31-60 days", "61-90 days", "over 90 days"];

/// Open minor units by age, per currency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ageing(BTreeMap<Currency, [i64; 5]>);

impl Ageing {
    /// Adds an open amount.
    pub(crate) fn add(&mut self, currency: Currency, due: NaiveDate, today: NaiveDate, minor: i64) {
        let index = match (today - due).num_days() {
            ..=0 => 0,
            1..=30 => 1,
            31..=60 => 2,
            61..=90 => 3,
            _ => 4,
        };
        self.0.entry(currency).or_default()[index] += minor;
    }

    /// The amount of an age.
    pub(crate) fn amount(&self, currency: Currency, age: usize) -> Money {
        Money::new(self.0.get(&currency).map_or(0, |sums| sums[age]), currency)
    }

    /// All ages together.
    pub(crate) fn total(&self, currency: Currency) -> Money {
        Money::new(self.0.get(&currency).map_or(0, |sums| sums.iter().sum()), currency)
    }

    /// Currencies that occur.
    pub(crate) fn currencies(&self) -> impl Iterator<Item = Currency> + '_ {
        self.0.keys().copied()
    }
}

/// For programs: currency, age, amount in major units.
impl Serialize for Ageing {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let of = |currency: Currency| -> BTreeMap<&str, String> {
            (0..AGES.len()).map(|age| (AGES[age], self.amount(currency, age).to_decimal().to_string())).collect()
        };
        serializer.collect_map(self.0.keys().map(|currency| (currency.to_string(), of(*currency))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_due_date_itself_is_not_late() {
        let today: NaiveDate = "2026-05-04".parse().unwrap();
        let mut ageing = Ageing::default();
        for (due, minor) in [("2026-05-04", 1), ("2026-05-03", 10), ("2026-04-03", 100), ("2026-01-01", 1000)] {
            ageing.add(Currency::EUR, due.parse().unwrap(), today, minor);
        }
        let minors: Vec<i64> = (0..5).map(|age| ageing.amount(Currency::EUR, age).minor).collect();
        assert_eq!(minors, [1, 10, 100, 0, 1000]);
    }
}
