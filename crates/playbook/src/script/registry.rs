//! What an expression can name besides the facts of `kernel::facts`: roots, the contract, and the helper functions,
//! each with a sentence. Check, evaluation, hooks and generated references read this one list.

use recobro_kernel::value::{Type, Value};
use rust_decimal::Decimal;

/// A root of expressions; in hooks it hangs below `facts`.
#[derive(Clone, Copy, Debug)]
pub struct Root {
    /// Name.
    pub name: &'static str,
    /// One sentence.
    pub doc: &'static str,
}

/// Every root, ordered by name. Tables and variables come beside them, by their own names.
pub const ROOTS: &[Root] = &[
    Root { name: "contacts", doc: "what was tried so far, over all of the customer's invoices" },
    Root { name: "contract", doc: "the contract behind the invoice; empty where none is known" },
    Root { name: "customer", doc: "the customer" },
    Root { name: "dispute", doc: "the latest dispute on the invoice; may be missing" },
    Root { name: "event", doc: "the event a handler took; only in `whenever`" },
    Root { name: "facts", doc: "everything, as the one argument of a hook" },
    Root { name: "incentive", doc: "the latest discount for paying early; may be missing" },
    Root { name: "invoice", doc: "the invoice" },
    Root { name: "law", doc: "figures of the policies, in their newest form" },
    Root { name: "now", doc: "the turn's instant" },
    Root { name: "param", doc: "parameters of the fragment" },
    Root { name: "plan", doc: "the latest payment plan that covers the invoice; may be missing" },
    Root { name: "promise", doc: "the latest promise that covers the invoice; may be missing" },
    Root { name: "run", doc: "where the case stands" },
    Root { name: "today", doc: "the turn's date at the customer's place" },
    Root { name: "vars", doc: "the playbook's variables; also by their bare names" },
];

/// A fact with a fixed value until its source exists.
#[derive(Clone, Copy)]
pub struct Extra {
    /// Path.
    pub path: &'static str,
    /// Type.
    pub of: fn() -> Type,
    /// Whether it may be missing.
    pub optional: bool,
    /// One sentence.
    pub doc: &'static str,
    /// Its value where no contract is known.
    pub empty: fn() -> Value,
}

/// The contract, ordered by path; always present, empty where none is known.
pub const EXTRAS: &[Extra] = &[
    extra("contract.allows_suspension", || Type::Bool, || Value::Bool(false), "supply may be suspended for debt"),
    missing("contract.bureau_clause", || Type::Text, "clause that allows reports to a credit bureau"),
    extra(
        "contract.early_discount",
        || Type::Decimal,
        || Value::Decimal(Decimal::ZERO),
        "discount for early payment, percent",
    ),
    extra("contract.essential_service", || Type::Bool, || Value::Bool(false), "supply is an essential service"),
    missing("contract.number", || Type::Text, "number of the contract"),
    extra("contract.po_required", || Type::Bool, || Value::Bool(false), "invoices need a purchase order"),
    missing("contract.release_clause", || Type::Text, "clause that releases bookings on default"),
    missing("contract.stop_clause", || Type::Text, "clause that stops deliveries on default"),
    missing("contract.terms_on", || Type::Date, "day the terms were accepted"),
];

const fn extra(path: &'static str, of: fn() -> Type, empty: fn() -> Value, doc: &'static str) -> Extra {
    Extra { path, of, optional: false, doc, empty }
}

const fn missing(path: &'static str, of: fn() -> Type, doc: &'static str) -> Extra {
    Extra { path, of, optional: true, doc, empty: || Value::Missing }
}

/// What a helper takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Any value or root, missing or not.
    Anything,
    /// A whole number.
    Int,
    /// A whole number or a decimal.
    Number,
    /// A date.
    Date,
    /// Free text.
    Text,
    /// A date written `2026-05-04`.
    DateText,
    /// The id of a step, or the name of a request.
    Step,
    /// The name of a season.
    Season,
    /// The name of a channel.
    Channel,
    /// A kind of notice.
    Notice,
}

impl Takes {
    /// The name in references and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Anything => "any value",
            Self::Int => "int",
            Self::Number => "number",
            Self::Date => "date",
            Self::Text => "text",
            Self::DateText => "text like \"2026-05-04\"",
            Self::Step => "id of a step",
            Self::Season => "name of a season",
            Self::Channel => "name of a channel",
            Self::Notice => "kind of notice",
        }
    }
}

/// A helper function.
#[derive(Clone, Copy)]
pub struct Helper {
    /// Name.
    pub name: &'static str,
    /// Names and types of its arguments.
    pub takes: &'static [(&'static str, Takes)],
    /// What it answers; nothing for `note`.
    pub gives: Option<fn() -> Type>,
    /// One sentence.
    pub doc: &'static str,
}

const fn helper(
    name: &'static str,
    takes: &'static [(&'static str, Takes)],
    gives: fn() -> Type,
    doc: &'static str,
) -> Helper {
    Helper { name, takes, gives: Some(gives), doc }
}

/// Every helper, ordered by name.
pub const HELPERS: &[Helper] = &[
    helper(
        "bucket",
        &[("name", Takes::Text), ("n", Takes::Int)],
        || Type::Int,
        "stable number from 0 to n - 1 for this invoice and name",
    ),
    helper("date", &[("text", Takes::DateText)], || Type::Date, "a date"),
    helper("days", &[("n", Takes::Int)], || Type::Span, "a duration in days"),
    helper("done", &[("step", Takes::Step)], || Type::Bool, "whether a step or request was done"),
    helper("has", &[("x", Takes::Anything)], || Type::Bool, "whether an optional fact is there"),
    helper(
        "in_season",
        &[("name", Takes::Season)],
        || Type::Bool,
        "whether today lies in a season of the customer's calendar",
    ),
    helper("is_working_day", &[("d", Takes::Date)], || Type::Bool, "whether people work on a date"),
    helper("months", &[("n", Takes::Int)], || Type::Span, "a duration in months, clamped to the end of the month"),
    Helper {
        name: "note",
        takes: &[("text", Takes::Text)],
        gives: None,
        doc: "adds a line to the decision record; only in hooks",
    },
    helper("notified", &[("kind", Takes::Notice)], || Type::Bool, "whether a notice of that kind was given"),
    helper("outcome", &[("step", Takes::Step)], || Type::Text, "outcome of a call or task, \"\" if none"),
    helper("percent", &[("x", Takes::Number), ("p", Takes::Number)], || Type::Decimal, "p percent of x"),
    helper("replied_since", &[("step", Takes::Step)], || Type::Bool, "whether the customer answered after a step"),
    helper(
        "round_money",
        &[("x", Takes::Number)],
        || Type::Decimal,
        "rounds half away from zero to the currency's digits",
    ),
    helper("sent", &[("step", Takes::Step)], || Type::Int, "messages a step has sent"),
    helper("unanswered", &[("channel", Takes::Channel)], || Type::Int, "contacts on a channel since the last reply"),
    helper("working_days", &[("n", Takes::Int)], || Type::Span, "a duration in working days"),
    helper(
        "working_days_between",
        &[("a", Takes::Date), ("b", Takes::Date)],
        || Type::Int,
        "working days after a up to b",
    ),
    helper("years", &[("n", Takes::Int)], || Type::Span, "a duration in years"),
];

/// Kinds of notice that templates give (LANGUAGE-NOTES 3.8 is the closed list).
pub const NOTICES: &[&str] =
    &["bureau_warning", "masc_invitation", "non_payment", "payment_demand", "provable_demand", "suspension_warning"];

/// The helper of a name.
#[must_use]
pub fn helper_named(name: &str) -> Option<&'static Helper> {
    HELPERS.binary_search_by(|helper| helper.name.cmp(name)).ok().map(|at| &HELPERS[at])
}

/// The contract's line for a path.
#[must_use]
pub fn extra_named(path: &str) -> Option<&'static Extra> {
    EXTRAS.binary_search_by(|extra| extra.path.cmp(path)).ok().map(|at| &EXTRAS[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_so_that_lookups_work() {
        assert!(HELPERS.is_sorted_by(|a, b| a.name < b.name));
        assert!(EXTRAS.is_sorted_by(|a, b| a.path < b.path));
        assert!(ROOTS.is_sorted_by(|a, b| a.name < b.name));
    }
}
