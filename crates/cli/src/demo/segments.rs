//! The eight segments of the sample portfolio: who owes, how much, and how they pay.

/// How an invoice will be paid, with its weight in the segment (per mille).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    /// On or before the due date.
    pub(crate) on_time: u64,
    /// One to twelve days late.
    pub(crate) late: u64,
    /// Thirteen to sixty days late.
    pub(crate) very_late: u64,
    /// A part first, the rest later.
    pub(crate) in_parts: u64,
    /// Promised and kept.
    pub(crate) promise_kept: u64,
    /// Promised, broken, paid much later or never.
    pub(crate) promise_broken: u64,
    /// Disputed, then paid or credited.
    pub(crate) disputed: u64,
    /// Never.
    pub(crate) never: u64,
}

impl Habits {
    /// The weights in a fixed order.
    pub(crate) fn weights(self) -> [u64; 8] {
        [
            self.on_time,
            self.late,
            self.very_late,
            self.in_parts,
            self.promise_kept,
            self.promise_broken,
            self.disputed,
            self.never,
        ]
    }
}

/// Where customers of a segment live.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Home {
    /// ISO country.
    pub(crate) country: &'static str,
    /// Language.
    pub(crate) locale: &'static str,
    /// Time zone.
    pub(crate) zone: &'static str,
    /// International prefix.
    pub(crate) prefix: &'static str,
    /// Currency invoiced.
    pub(crate) currency: &'static str,
}

const fn home(
    country: &'static str,
    locale: &'static str,
    zone: &'static str,
    prefix: &'static str,
    currency: &'static str,
) -> Home {
    Home { country, locale, zone, prefix, currency }
}

const ES: Home = home("ES", "es", "Europe/Madrid", "+34", "EUR");
const PT: Home = home("PT", "pt", "Europe/Lisbon", "+351", "EUR");
const FR: Home = home("FR", "fr", "Europe/Paris", "+33", "EUR");
const DE: Home = home("DE", "en", "Europe/Berlin", "+49", "EUR");
const IT: Home = home("IT", "en", "Europe/Rome", "+39", "EUR");
const GB: Home = home("GB", "en", "Europe/London", "+44", "GBP");

/// One segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    /// Short name, part of the customers' numbers.
    pub(crate) name: &'static str,
    /// `business`, `person` or `public`.
    pub(crate) kind: &'static str,
    /// The organisation's segment.
    pub(crate) grade: &'static str,
    /// What is sold.
    pub(crate) products: &'static [&'static str],
    /// Where.
    pub(crate) homes: &'static [Home],
    /// Invoices of a hundred.
    pub(crate) share: u32,
    /// Invoices per customer and year, about.
    pub(crate) per_customer: u32,
    /// Smallest and largest amount, major units.
    pub(crate) amounts: (i64, i64),
    /// Days to pay.
    pub(crate) terms: &'static [i64],
    /// How they pay.
    pub(crate) habits: Habits,
}

const GOOD: Habits = Habits {
    on_time: 640,
    late: 185,
    very_late: 70,
    in_parts: 25,
    promise_kept: 25,
    promise_broken: 12,
    disputed: 33,
    never: 10,
};
const MIXED: Habits = Habits {
    on_time: 540,
    late: 210,
    very_late: 110,
    in_parts: 35,
    promise_kept: 35,
    promise_broken: 25,
    disputed: 25,
    never: 20,
};
const SLOW: Habits = Habits {
    on_time: 400,
    late: 250,
    very_late: 200,
    in_parts: 40,
    promise_kept: 35,
    promise_broken: 25,
    disputed: 35,
    never: 15,
};

/// The eight segments. Shares add up to a hundred.
pub(crate) const SEGMENTS: [Segment; 8] = [
    Segment {
        name: "retail",
        kind: "business",
        grade: "standard",
        products: &["goods"],
        homes: &[ES, ES, PT],
        share: 24,
        per_customer: 12,
        amounts: (120, 9_500),
        terms: &[30, 60],
        habits: MIXED,
    },
    Segment {
        name: "services",
        kind: "business",
        grade: "standard",
        products: &["services", "saas"],
        homes: &[ES, PT],
        share: 18,
        per_customer: 12,
        amounts: (90, 4_200),
        terms: &[30],
        habits: GOOD,
    },
    Segment {
        name: "key",
        kind: "business",
        grade: "key",
        products: &["services", "materials"],
        homes: &[ES, FR, DE],
        share: 8,
        per_customer: 14,
        amounts: (6_000, 85_000),
        terms: &[45, 60],
        habits: GOOD,
    },
    Segment {
        name: "sme",
        kind: "business",
        grade: "sme",
        products: &["goods", "services"],
        homes: &[DE, IT, FR],
        share: 12,
        per_customer: 10,
        amounts: (150, 7_500),
        terms: &[30],
        habits: MIXED,
    },
    Segment {
        name: "power",
        kind: "person",
        grade: "standard",
        products: &["electricity"],
        homes: &[FR],
        share: 16,
        per_customer: 6,
        amounts: (45, 380),
        terms: &[15],
        habits: GOOD,
    },
    Segment {
        name: "gas",
        kind: "person",
        grade: "standard",
        products: &["gas"],
        homes: &[FR],
        share: 8,
        per_customer: 6,
        amounts: (60, 520),
        terms: &[15],
        habits: MIXED,
    },
    Segment {
        name: "travel",
        kind: "person",
        grade: "standard",
        products: &["travel"],
        homes: &[ES, GB],
        share: 8,
        per_customer: 2,
        amounts: (180, 3_400),
        terms: &[14],
        habits: MIXED,
    },
    Segment {
        name: "public",
        kind: "public",
        grade: "standard",
        products: &["works", "services"],
        homes: &[ES, PT],
        share: 6,
        per_customer: 9,
        amounts: (800, 42_000),
        terms: &[30, 60],
        habits: SLOW,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_weights_add_up() {
        assert_eq!(SEGMENTS.iter().map(|segment| segment.share).sum::<u32>(), 100);
        for segment in &SEGMENTS {
            assert_eq!(segment.habits.weights().iter().sum::<u64>(), 1000, "{}", segment.name);
        }
    }
}
