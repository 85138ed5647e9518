//! The registry that everything asks for a fact: the built-in ones, and what the organisation adds in
//! `workflows/facts.yaml`. It belongs to a library and travels with each compiled playbook, so that a running case reads
//! its facts as they were declared when it was published.

use super::{FACTS, Fact, Facts, Presence, SEGMENTS, find, names};
use crate::value::{Type, Value};
use chrono::NaiveDate;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// Values of the organisation's own facts as text, by name: `credit_limit` of `customer.x.credit_limit`. Text and not
/// values, because two playbooks may have been published with different types.
pub type OwnValues = BTreeMap<String, String>;

/// Where own facts hang: `customer.x.NAME` and `invoice.x.NAME`.
pub const OWN_ROOTS: [&str; 2] = ["customer.x.", "invoice.x."];

/// A fact that the organisation declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnFact {
    /// Int, decimal, text (free or out of a list), date or bool.
    pub of: Type,
    /// Where nobody said anything; without it the fact may be missing.
    pub default: Option<Value>,
    /// One sentence.
    pub doc: String,
}

/// Every fact that playbooks may name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registry {
    own: BTreeMap<String, OwnFact>,
    segments: Option<Vec<String>>,
}

/// A line of the registry.
#[derive(Clone, Copy)]
pub enum Known<'a> {
    /// A built-in fact; the registry knows the organisation's segments.
    BuiltIn(&'static Fact, &'a Registry),
    /// The organisation's own.
    Own(&'a str, &'a OwnFact),
}

impl Registry {
    /// The built-in facts with the organisation's own and its segments, where it names some.
    #[must_use]
    pub fn new(own: BTreeMap<String, OwnFact>, segments: Option<Vec<String>>) -> Self {
        Self { own, segments }
    }

    /// The line of a path.
    #[must_use]
    pub fn find<'a>(&'a self, path: &str) -> Option<Known<'a>> {
        find(path)
            .map(|fact| Known::BuiltIn(fact, self))
            .or_else(|| self.own.get_key_value(path).map(|(path, fact)| Known::Own(path, fact)))
    }

    /// Every line, the built-in ones first.
    pub fn all(&self) -> impl Iterator<Item = Known<'_>> {
        let own = self.own.iter().map(|(path, fact)| Known::Own(path, fact));
        FACTS.iter().map(|fact| Known::BuiltIn(fact, self)).chain(own)
    }

    /// Every path.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.all().map(Known::path)
    }

    /// The organisation's own facts below a root such as `customer`, by name.
    pub fn own_of<'a>(&'a self, root: &'a str) -> impl Iterator<Item = (&'a str, &'a OwnFact)> {
        self.own.iter().filter_map(move |(path, fact)| {
            let name = path.strip_prefix(root)?.strip_prefix(".x.")?;
            Some((name, fact))
        })
    }

    /// The organisation's segments.
    #[must_use]
    pub fn segments(&self) -> Vec<&str> {
        match &self.segments {
            Some(own) => own.iter().map(String::as_str).collect(),
            None => SEGMENTS.to_vec(),
        }
    }

    /// Reads a fact; one that is not registered is missing.
    #[must_use]
    pub fn read(&self, path: &str, facts: &Facts) -> Value {
        self.find(path).map_or(Value::Missing, |known| known.read(facts))
    }
}

impl<'a> Known<'a> {
    /// Path as playbooks write it.
    #[must_use]
    pub fn path(self) -> &'a str {
        match self {
            Self::BuiltIn(fact, _) => fact.path,
            Self::Own(path, _) => path,
        }
    }

    /// Its type.
    #[must_use]
    pub fn of(self) -> Type {
        match self {
            Self::BuiltIn(fact, registry) if fact.path == "customer.segment" => names(&registry.segments()),
            Self::BuiltIn(fact, _) => (fact.of)(),
            Self::Own(_, fact) => fact.of.clone(),
        }
    }

    /// Whether it may be missing.
    #[must_use]
    pub fn presence(self) -> Presence {
        match self {
            Self::BuiltIn(fact, _) => fact.presence,
            Self::Own(_, OwnFact { default: Some(_), .. }) => Presence::Always,
            Self::Own(_, OwnFact { default: None, .. }) => Presence::Optional,
        }
    }

    /// Whether it is recorded by reference only.
    #[must_use]
    pub fn is_personal(self) -> bool {
        match self {
            Self::BuiltIn(fact, _) => fact.personal,
            Self::Own(..) => false,
        }
    }

    /// Whether it is an amount in the invoice's currency. Own decimals are plain numbers: nobody says which currency.
    #[must_use]
    pub fn is_amount(self) -> bool {
        match self {
            Self::BuiltIn(..) => self.of() == Type::Decimal,
            Self::Own(..) => false,
        }
    }

    /// Reads it from a snapshot. What does not read as the declared type any more counts as not said.
    #[must_use]
    pub fn read(self, facts: &Facts) -> Value {
        match self {
            Self::BuiltIn(fact, _) => (fact.read)(facts),
            Self::Own(path, fact) => {
                let said = if let Some(name) = path.strip_prefix(OWN_ROOTS[0]) {
                    facts.customer.x.get(name)
                } else {
                    path.strip_prefix(OWN_ROOTS[1]).and_then(|name| facts.invoice.x.get(name))
                };
                let value = said.and_then(|text| fact.parse(text));
                value.or_else(|| fact.default.clone()).unwrap_or(Value::Missing)
            }
        }
    }
}

impl OwnFact {
    /// A text as a value of this fact; nothing where it is none.
    #[must_use]
    pub fn parse(&self, text: &str) -> Option<Value> {
        match &self.of {
            Type::Int => text.parse().ok().map(Value::Int),
            Type::Decimal => Decimal::from_str_exact(text).ok().map(Value::Decimal),
            Type::Bool => text.parse().ok().map(Value::Bool),
            Type::Date => NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(Value::Date),
            Type::Text => Some(Value::text(text)),
            Type::Enum(names) => names.iter().any(|name| name == text).then(|| Value::text(text)),
            Type::Instant | Type::Span | Type::List(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(of: Type, default: Option<Value>) -> Registry {
        let fact = OwnFact { of, default, doc: String::new() };
        Registry::new([("customer.x.arr".to_owned(), fact)].into(), Some(vec!["key".to_owned(), "tourism".to_owned()]))
    }

    #[test]
    fn own_facts_stand_beside_the_built_in_ones() {
        let registry = registry(Type::Decimal, None);
        assert!(registry.find("invoice.balance").is_some_and(Known::is_amount));
        let own = registry.find("customer.x.arr").unwrap();
        assert_eq!((own.of(), own.presence(), own.is_amount()), (Type::Decimal, Presence::Optional, false));
        assert!(registry.find("customer.x.arrr").is_none());
        assert_eq!(registry.own_of("customer").map(|(name, _)| name).collect::<Vec<_>>(), ["arr"]);
        assert_eq!(registry.own_of("invoice").count(), 0);
    }

    #[test]
    fn segments_are_the_organisations_where_it_names_some() {
        let own = registry(Type::Int, None);
        assert_eq!(own.find("customer.segment").unwrap().of(), names(&["key", "tourism"]));
        let built_in = Registry::default();
        assert_eq!(built_in.find("customer.segment").unwrap().of(), names(SEGMENTS));
    }

    #[test]
    fn a_text_is_read_as_the_declared_type_or_not_at_all() {
        let fact = |of| OwnFact { of, default: None, doc: String::new() };
        assert_eq!(fact(Type::Int).parse("7"), Some(Value::Int(7)));
        assert_eq!(fact(Type::Int).parse("7.5"), None);
        assert_eq!(fact(Type::Bool).parse("yes"), None);
        assert_eq!(fact(names(&["shop"])).parse("web"), None);
    }
}
