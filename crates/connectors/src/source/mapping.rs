//! The mapping file: which columns, constants, tables and rules make our records out of a ledger of another layout.
//!
//! `MAPPING.md` documents the format for users. A mapping is read whole and strictly: a key that is not known is an error
//! with line and column. What depends on the file's header is checked when both are there, in `plan`.

use serde::Deserialize;
pub mod day;
pub mod scalar;

use day::{Day, DayBase, Days};
use scalar::{Text, Texts};
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// A mapping file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// Name of the ledger: the source that its records are known by.
    pub ledger: String,
    /// What this is, for people.
    #[serde(default)]
    pub title: String,
    /// How the file is written.
    #[serde(default)]
    pub format: Format,
    /// Tables by name: text in, text out; `_` catches the rest.
    #[serde(default)]
    pub lookups: BTreeMap<String, BTreeMap<Text, Text>>,
    /// Further columns, computed for each row in this order.
    #[serde(default)]
    pub derive: Vec<Derived>,
    /// Fields of the customer.
    pub customer: Option<CustomerMap>,
    /// Fields of the invoice.
    pub invoice: Option<InvoiceMap>,
    /// Fields of the payment.
    pub payment: Option<PaymentMap>,
    /// Fields of the dispute.
    pub dispute: Option<DisputeMap>,
    /// Fields of the promise.
    pub promise: Option<PromiseMap>,
    /// Fields of the reply.
    pub reply: Option<ReplyMap>,
    /// Fields of the event.
    pub event: Option<EventMap>,
    /// Fields of the plan.
    pub plan: Option<PlanMap>,
    /// Fields of the hold.
    pub hold: Option<HoldMap>,
    /// Fields of the credit note.
    pub credit: Option<CreditMap>,
    /// Fields of the waiver.
    pub waiver: Option<WaiverMap>,
    /// Fields of the incentive.
    pub incentive: Option<IncentiveMap>,
    /// Fields of the consent.
    pub consent: Option<ConsentMap>,
}

/// Why a mapping file could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}")]
pub struct MappingError {
    /// Line from 1.
    pub line: usize,
    /// Column from 1.
    pub column: usize,
    /// What and what to do.
    pub message: String,
}

impl Mapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// [`MappingError`] with line and column of the first problem.
    pub fn parse(source: &str) -> Result<Self, MappingError> {
        serde_yaml::from_str(source).map_err(|error| {
            let (line, column) = error.location().map_or((1, 1), |place| (place.line(), place.column()));
            MappingError { line, column, message: super::without_place(&error.to_string()) }
        })
    }
}

impl Mapping {
    /// Every column of the file that the mapping names, in the order of the mapping, each once.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let mut add = |field: &Field| {
            let tests = field.rules.iter().flatten().flat_map(|rule| rule.when.keys());
            for name in field.column.iter().chain(tests) {
                let is_derived = self.derive.iter().any(|derived| derived.name == *name);
                if !is_derived && !names.contains(name) {
                    names.push(name.clone());
                }
            }
        };
        self.derive.iter().for_each(|derived| add(&derived.field()));
        let sections = [
            self.customer.as_ref().map(CustomerMap::fields),
            self.invoice.as_ref().map(InvoiceMap::fields),
            self.payment.as_ref().map(PaymentMap::fields),
            self.dispute.as_ref().map(DisputeMap::fields),
            self.promise.as_ref().map(PromiseMap::fields),
            self.reply.as_ref().map(ReplyMap::fields),
            self.event.as_ref().map(EventMap::fields),
            self.plan.as_ref().map(PlanMap::fields),
            self.hold.as_ref().map(HoldMap::fields),
            self.credit.as_ref().map(CreditMap::fields),
            self.waiver.as_ref().map(WaiverMap::fields),
            self.incentive.as_ref().map(IncentiveMap::fields),
            self.consent.as_ref().map(ConsentMap::fields),
        ];
        sections.iter().flatten().flatten().filter_map(|(_, field)| *field).for_each(&mut add);
        self.own().flat_map(|(_, fields)| fields.values()).for_each(&mut add);
        let days = self.dispute.iter().flat_map(|map| map.opens.iter().chain(&map.closes.0));
        for day in days {
            if let DayBase::Column(field) = &day.base {
                add(field);
            }
        }
        names
    }
}

impl Mapping {
    /// The organisation's own facts by section.
    pub(super) fn own(&self) -> impl Iterator<Item = (&'static str, &BTreeMap<String, Field>)> {
        let customer = self.customer.as_ref().map(|map| ("customer", &map.x));
        customer.into_iter().chain(self.invoice.as_ref().map(|map| ("invoice", &map.x)))
    }

    /// Reads own facts from the columns `x.NAME`, where there is no mapping file.
    pub(super) fn own_by_column(&mut self, header: &[String]) {
        let found = header.iter().filter_map(|column| Some((column.strip_prefix("x.")?, column)));
        let found: BTreeMap<String, Field> =
            found.map(|(name, column)| (name.to_owned(), Field::of_column(column))).collect();
        if let Some(map) = &mut self.customer {
            map.x = found;
        } else if let Some(map) = &mut self.invoice {
            map.x = found;
        }
    }
}

/// How a file is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Format {
    /// One character, or `tab`; found out from the header where it is not said.
    pub delimiter: Option<String>,
    /// One character, or `none`; `"` where it is not said.
    pub quote: Option<String>,
    /// A label such as `utf-8`, `windows-1252`, `iso-8859-15`; UTF-8 where it is not said.
    pub encoding: Option<String>,
    /// Date patterns, tried in order; `YYYY-MM-DD` where nothing is said.
    pub dates: Texts,
    /// `.` or `,`; a point where it is not said.
    pub decimal: Option<String>,
    /// What stands between groups of three digits; nothing where it is not said.
    pub thousands: Option<String>,
    /// Texts that mean yes; `yes y true 1 x` where nothing is said, whatever the case.
    pub yes: Texts,
    /// Texts that mean no; `no n false 0` and the empty cell where nothing is said, whatever the case.
    pub no: Texts,
    /// Texts that mean an empty cell, beside the empty text.
    pub empty: Texts,
}

/// A column computed for each row.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Derived {
    /// Its name; further down it is used like a column of the file.
    pub name: String,
    /// A column.
    pub column: Option<String>,
    /// A constant.
    pub value: Option<Text>,
    /// Rules, first match wins.
    pub rules: Option<Vec<Rule>>,
    /// A table of `lookups`.
    pub lookup: Option<String>,
    /// Where the value is empty.
    pub default: Option<Text>,
}

impl Derived {
    /// The same as a field.
    #[must_use]
    pub fn field(&self) -> Field {
        Field {
            column: self.column.clone(),
            value: self.value.clone(),
            rules: self.rules.clone(),
            lookup: self.lookup.clone(),
            default: self.default.clone(),
        }
    }
}

/// Where a value comes from: `column: NAME` or just the name, a constant, or rules; then a table, then a default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// A column of the file or a derived one.
    pub column: Option<String>,
    /// A constant.
    pub value: Option<Text>,
    /// Rules, first match wins.
    pub rules: Option<Vec<Rule>>,
    /// A table of `lookups`.
    pub lookup: Option<String>,
    /// Where the value is empty.
    pub default: Option<Text>,
}

impl Field {
    /// The value of a column.
    #[must_use]
    pub fn of_column(name: &str) -> Self {
        Self { column: Some(name.to_owned()), ..Self::default() }
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            column: Option<String>,
            value: Option<Text>,
            rules: Option<Vec<Rule>>,
            lookup: Option<String>,
            default: Option<Text>,
        }
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Field;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a column, or one of `column`, `value`, `rules` with `lookup` and `default`")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<Field, E> {
                Ok(Field::of_column(name))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Field, A::Error> {
                let long = Long::deserialize(de::value::MapAccessDeserializer::new(map))?;
                let Long { column, value, rules, lookup, default } = long;
                if [column.is_some(), value.is_some(), rules.is_some()].iter().filter(|is| **is).count() > 1 {
                    return Err(de::Error::custom("write only one of `column`, `value` and `rules`"));
                }
                if column.is_none() && value.is_none() && rules.is_none() && default.is_none() {
                    return Err(de::Error::custom("write one of `column`, `value` and `rules`"));
                }
                Ok(Field { column, value, rules, lookup, default })
            }
        }
        deserializer.deserialize_any(Seen)
    }
}

/// One rule: all tests under `if` hold, then the value is `then`. Without `if` it always holds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Tests by column.
    #[serde(rename = "if", default)]
    pub when: BTreeMap<String, Test>,
    /// The value.
    pub then: Text,
}

/// A test on one column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Test {
    /// The text is one of these.
    pub one_of: Option<Vec<Text>>,
    /// The text is none of these.
    pub none_of: Option<Vec<Text>>,
    /// The text begins so.
    pub starts_with: Option<Text>,
    /// The text holds this.
    pub contains: Option<Text>,
    /// The number is at least this.
    pub at_least: Option<Text>,
    /// The number is below this.
    pub below: Option<Text>,
    /// Whether the cell is empty.
    pub empty: Option<bool>,
    /// The hash of the text, taken modulo `of`, lies in this range, ends included.
    pub bucket: Option<(u64, u64)>,
    /// The whole number, taken modulo `of`, lies in this range, ends included.
    pub modulo: Option<(u64, u64)>,
    /// Number of buckets, or the divisor.
    pub of: Option<u64>,
    /// Makes one hash independent of another.
    pub salt: Text,
}

impl<'de> Deserialize<'de> for Test {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            not: Option<Texts>,
            starts_with: Option<Text>,
            contains: Option<Text>,
            at_least: Option<Text>,
            below: Option<Text>,
            empty: Option<bool>,
            bucket: Option<(u64, u64)>,
            modulo: Option<(u64, u64)>,
            of: Option<u64>,
            #[serde(default)]
            salt: Text,
        }
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Test;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a text, a list of texts, or tests such as {not: [..]}, {at_least: 50}, {bucket: [0, 9], of: 100}",
                )
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Test, E> {
                Ok(Test { one_of: Some(vec![Text(text.to_owned())]), ..Test::default() })
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Test, E> {
                self.visit_str(&number.to_string())
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Test, E> {
                self.visit_str(&number.to_string())
            }
            fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Test, E> {
                self.visit_str(if flag { "true" } else { "false" })
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Test, A::Error> {
                let texts = Vec::deserialize(de::value::SeqAccessDeserializer::new(seq))?;
                Ok(Test { one_of: Some(texts), ..Test::default() })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Test, A::Error> {
                let long = Long::deserialize(de::value::MapAccessDeserializer::new(map))?;
                let range = long.bucket.or(long.modulo);
                match (range, long.of) {
                    (Some((from, to)), Some(of)) if from <= to && to < of => {}
                    (None, None) => {}
                    _ => {
                        return Err(de::Error::custom(
                            "write `{bucket: [FROM, TO], of: COUNT}` with FROM <= TO < COUNT",
                        ));
                    }
                }
                Ok(Test {
                    one_of: None,
                    none_of: long.not.map(|texts| texts.0),
                    starts_with: long.starts_with,
                    contains: long.contains,
                    at_least: long.at_least,
                    below: long.below,
                    empty: long.empty,
                    bucket: long.bucket,
                    modulo: long.modulo,
                    of: long.of,
                    salt: long.salt,
                })
            }
        }
        deserializer.deserialize_any(Seen)
    }
}

macro_rules! sections {
    ($($(#[$doc:meta])* $section:ident { $($field:ident),* $(; $($(#[$more_doc:meta])* $more:ident: $of:ty),*)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $section {
            $(#[doc = concat!("Where `", stringify!($field), "` comes from.")] pub $field: Option<Field>,)*
            $($($(#[$more_doc])* pub $more: $of,)*)?
        }

        impl $section {
            /// The fields' names, as columns are called where there is no mapping.
            pub const NAMES: &[&str] = &[$(stringify!($field)),*];

            /// Fields by name.
            #[must_use]
            pub fn fields(&self) -> Vec<(&'static str, Option<&Field>)> {
                vec![$((stringify!($field), self.$field.as_ref())),*]
            }

            /// Each field from the column of its name, where the file has one.
            #[must_use]
            pub fn by_name(has: &dyn Fn(&str) -> bool) -> Self {
                let field = |name: &str| has(name).then(|| Field::of_column(name));
                Self {
                    $($field: field(stringify!($field)),)*
                    $($($more: Default::default(),)*)?
                }
            }
        }
    )*};
}

sections! {
    /// Fields of the customer.
    CustomerMap {
        id, name, kind, segment, country, subdivision, locale, time_zone, risk, account_manager, vulnerable, tags,
        contact_name, email, phone, sms, whatsapp, letter, email_opt_in, phone_opt_in, sms_opt_in, voice_opt_in,
        whatsapp_opt_in, preferred_times, inconvenient_times;
        /// The organisation's own facts by name: `x: {credit_limit: Limit}`.
        x: BTreeMap<String, Field>
    }
    /// Fields of the invoice. `due_days` counts from the date of issue, where there is no column for `due`.
    InvoiceMap {
        id, number, customer, issued, due, due_days, amount, currency, product, reference;
        /// The organisation's own facts by name: `x: {departs_on: Departure}`.
        x: BTreeMap<String, Field>
    }
    /// Fields of the payment. In a ledger, an empty `on` is an open item, and an empty `amount` is the whole invoice.
    PaymentMap { id, invoice, customer, amount, currency, on, reference }
    /// Fields of the dispute. `opens` and `closes` are days; without a flag, a dispute is there where `opens` is.
    DisputeMap {
        id, invoice, flag, reason, amount, currency, outcome, opened, closed, owner, answer_by, credit;
        /// The day it opens; the column `opened` where it is not said.
        opens: Option<Day>,
        /// The day it closes; the column `closed` where it is not said. The first that is known holds.
        closes: Days,
        /// No dispute where the settlement is on or before the day it would open.
        drop_if_settled_by_open: bool
    }
    /// Fields of the credit note.
    CreditMap { id, invoice, amount, currency, on, reason, dispute }
    /// Fields of the waiver.
    WaiverMap { id, invoice, kind, amount, currency, on, reason }
    /// Fields of the incentive.
    IncentiveMap { id, invoice, percent, amount, currency, until, on, reason }
    /// Fields of the promise.
    PromiseMap { id, customer, invoices, made_on, date, amount, currency, method, by }
    /// Fields of the reply.
    ReplyMap { id, customer, invoice, channel, kind, on, text }
    /// Fields of the event: who, what, when, then the fields of the event itself.
    EventMap {
        id, event, customer, invoice, on, date, due, amount, currency, reason, step, channel, proof, plan, agency, action,
        name, email, address, court, claim_deadline, kind
    }
    /// Fields of the plan: which one, what happens, whose; the limits of an offer; the dates of an agreement; its mandate.
    PlanMap {
        id, change, customer, invoices, on, max_instalments, ends_by, valid_until, amount, currency, instalments,
        first_on, every, schedule, method, by, default_after, re_ages, mandate, mandate_signed_on, iban, bic, holder,
        reason
    }
    /// Fields of the hold: which one, placed or released, on what, why, whose, until when.
    HoldMap { id, change, invoice, customer, class, reason, owner, until, note, on, by }
    /// Fields of the consent: whose, about which channel and what for, or about which times; where it can be read.
    ConsentMap { id, customer, change, channel, purpose, preferred, inconvenient, on, evidence, by }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(source: &str) -> String {
        Mapping::parse(source).unwrap_err().to_string()
    }

    #[test]
    fn scalars_are_texts_as_they_stand() {
        let mapping = Mapping::parse(
            "ledger: x\nlookups: {countries: {391: ES, 578: NO, 007: XX}}\ninvoice: {number: Nr, currency: {value: EUR}}\n",
        )
        .unwrap();
        let countries = &mapping.lookups["countries"];
        assert_eq!(countries[&Text("391".to_owned())].0, "ES");
        assert_eq!(countries[&Text("578".to_owned())].0, "NO");
        assert_eq!(countries[&Text("007".to_owned())].0, "XX");
        assert_eq!(mapping.invoice.unwrap().number, Some(Field::of_column("Nr")));
    }

    #[test]
    fn problems_are_named_with_line_and_column() {
        expect_test::expect!["3:3: invoice: unknown field `numbre`, expected one of `id`, `number`, `customer`, `issued`, `due`, `due_days`, `amount`, `currency`, `product`, `reference`, `x`"].assert_eq(&error("ledger: x\ninvoice:\n  numbre: Nr\n"));
        expect_test::expect!["3:11: invoice.number: write only one of `column`, `value` and `rules`"]
            .assert_eq(&error("ledger: x\ninvoice:\n  number: {column: A, value: B}\n"));
        expect_test::expect!["3:11: invoice.number: invalid type: sequence, expected the name of a column, or one of `column`, `value`, `rules` with `lookup` and `default`"].assert_eq(&error("ledger: x\ninvoice:\n  number: [A]\n"));
        expect_test::expect![
            "4:10: dispute.opens: `due plus 1` is no day; write for example `due + 1 day`, `settled` or {column: NAME}"
        ]
        .assert_eq(&error("ledger: x\ndispute:\n  flag: F\n  opens: due plus 1\n"));
        expect_test::expect!["3:7: lookups.a: invalid type: floating point `1.5`, expected a text (numbers with a decimal mark stand in quotes)"].assert_eq(&error("ledger: x\nlookups:\n  a: {1.5: b}\n"));
        expect_test::expect!["5:18: derive[0].rules[0].if.id: write `{bucket: [FROM, TO], of: COUNT}` with FROM <= TO < COUNT"].assert_eq(&error(
            "ledger: x\nderive:\n  - name: kind\n    rules:\n      - if: {id: {bucket: [0, 10], of: 10}}\n        then: a\n",
        ));
        expect_test::expect!["1:1: duplicate field `ledger`"].assert_eq(&error("ledger: x\nledger: y\n"));
        expect_test::expect!["1:1: missing field `ledger`"].assert_eq(&error("title: x\n"));
    }
}
