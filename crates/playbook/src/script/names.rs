//! From a path of names to the place it reads: the one resolution used by the check, the evaluation and the hooks.

use super::registry::{self, Extra};
pub(super) use crate::diagnostic::nearest;
use recobro_kernel::event;
use recobro_kernel::expr::RUN;
use recobro_kernel::facts::{Known, Registry};
use recobro_kernel::playbook::Table;
use recobro_kernel::value::Value;
use std::collections::BTreeMap;

/// Where a value comes from.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// A fact of the snapshot.
    Fact(Known<'a>),
    /// A fact of the contract.
    Extra(&'static Extra),
    /// `run.*`, by its full path.
    Run(&'static str),
    /// A variable.
    Var(&'a str),
    /// A parameter.
    Param(&'a str),
    /// A field of the event.
    Event(&'a str),
    /// A figure of the law.
    Law(&'a str),
    /// `today`
    Today,
    /// `now`
    Now,
    /// An output of a table, both by index.
    Output(usize, usize),
}

/// What a path names.
#[derive(Clone, Copy)]
pub(super) enum Found<'a> {
    /// A value.
    Value(Place<'a>),
    /// Something with properties.
    Object,
    /// Nothing.
    Nothing,
}

/// What is in scope beside the registered facts.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    /// Registered facts.
    pub(super) facts: &'a Registry,
    /// Tables.
    pub(super) tables: &'a [Table],
    /// Variables.
    pub(super) vars: &'a BTreeMap<String, Value>,
    /// Parameters.
    pub(super) params: &'a BTreeMap<String, Value>,
    /// The handler's event.
    pub(super) event: Option<&'a str>,
}

impl<'a> Names<'a> {
    /// Resolves a path without `facts.` in front.
    pub(super) fn find(&self, path: &[&'a str]) -> Found<'a> {
        match path {
            [] | ["facts" | "vars" | "law"] => Found::Object,
            ["today"] => Found::Value(Place::Today),
            ["now"] => Found::Value(Place::Now),
            ["param"] => object(!self.params.is_empty()),
            ["event"] => object(self.event.is_some()),
            ["param", name] => value(self.params.contains_key(*name), Place::Param(name)),
            ["law", name] => Found::Value(Place::Law(name)),
            ["event", name] => {
                let kind = self.event.and_then(event::find);
                let known = |field: &&(&str, _)| field.0.trim_end_matches('?') == *name;
                value(kind.is_some_and(|kind| kind.fields.iter().any(|field| known(&field))), Place::Event(name))
            }
            ["run", name] => RUN
                .iter()
                .find(|(known, _)| known.strip_prefix("run.") == Some(*name))
                .map_or(Found::Nothing, |(known, _)| Found::Value(Place::Run(known))),
            [name] if is_root(name) => Found::Object,
            [name] if self.table(name).is_some() => Found::Object,
            ["vars", name] | [name] => value(self.vars.contains_key(*name), Place::Var(name)),
            [table, output] if !is_root(table) => {
                let place = self.table(table).and_then(|at| {
                    let output = self.tables[at].outputs.iter().position(|(name, _)| name == output)?;
                    Some(Place::Output(at, output))
                });
                place.map_or(Found::Nothing, Found::Value)
            }
            _ => self.registered(path),
        }
    }

    /// A fact or the contract; a prefix of facts deeper down (`customer.x`) is an object.
    fn registered(&self, path: &[&str]) -> Found<'a> {
        let joined = path.join(".");
        if let Some(fact) = self.facts.find(&joined) {
            return Found::Value(Place::Fact(fact));
        }
        if let Some(extra) = registry::extra_named(&joined) {
            return Found::Value(Place::Extra(extra));
        }
        let prefix = joined + ".";
        object(self.facts.paths().any(|path| path.starts_with(&prefix)))
    }

    fn table(&self, name: &str) -> Option<usize> {
        self.tables.iter().position(|table| table.name == name)
    }
}

fn object(there: bool) -> Found<'static> {
    if there { Found::Object } else { Found::Nothing }
}

fn value(there: bool, place: Place<'_>) -> Found<'_> {
    if there { Found::Value(place) } else { Found::Nothing }
}

/// Whether a name is a root with registered facts below it.
pub(super) fn is_root(name: &str) -> bool {
    matches!(
        name,
        "invoice" | "customer" | "promise" | "dispute" | "incentive" | "plan" | "contacts" | "contract" | "run"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_pen_find_their_name() {
        assert_eq!(nearest("segmnt", ["segment", "risk"]), Some("segment"));
        assert_eq!(nearest("kye", ["key", "sme", "standard"]), Some("key"));
        assert_eq!(nearest("banana", ["segment", "risk"]), None);
    }
}
