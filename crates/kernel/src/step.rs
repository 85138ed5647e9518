//! The verbs: one table of what each accepts, read by the reader, the checker and the references alike.

use crate::playbook::Verb;

/// How an option's value is written, so that one reader serves every verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionKind {
    /// Free text or a name.
    Name,
    /// A name, or `= expression` that yields text.
    NameOrExpr,
    /// One name or a list of them.
    Names,
    /// A list of channels.
    Channels,
    /// A map of values, each possibly an expression.
    With,
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// A whole number or an expression that yields one.
    IntOrExpr,
    /// A duration.
    Span,
    /// A date or an expression that yields one.
    DateOrExpr,
    /// A date, an expression that yields one, or an event.
    Until,
    /// An outlet.
    Outlet,
    /// Outlets by name.
    Outlets,
    /// `{times, every}`.
    Repeat,
    /// `{if, after}`.
    Fallback,
    /// `customer` or `{by, window}`.
    Bundle,
    /// `delivery`.
    Proof,
    /// Weights by arm.
    Weights,
    /// Lists of steps by arm.
    Arms,
    /// A condition.
    Condition,
    /// `{send, via, every}`.
    Meanwhile,
    /// `{times, first, factor}`.
    Retry,
}

/// An option a verb accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionSpec {
    /// Key.
    pub name: &'static str,
    /// How it is written.
    pub kind: OptionKind,
    /// One sentence for references.
    pub doc: &'static str,
}

/// What a verb's own value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// A template id.
    Template,
    /// A name for people's work.
    Work,
    /// A name or `= expression`.
    Party,
    /// A registered action.
    Action,
    /// A duration.
    Span,
    /// An event.
    Event,
    /// An expression or a list of `{when, outlet}`.
    Choice,
    /// A name.
    Name,
    /// A map of variables.
    Vars,
    /// A stage ahead.
    Stage,
    /// An outcome.
    Outcome,
    /// `{playbook, at}`.
    Handover,
    /// A fragment with `with` and `except`; expanded by the reader.
    Fragment,
}

/// One verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerbSpec {
    /// Key.
    pub name: &'static str,
    /// What stands behind the key.
    pub value: ValueKind,
    /// Options beyond [`COMMON`].
    pub options: &'static [OptionSpec],
    /// Leaves the house, so `required`, `retry` and approvals apply.
    pub outward: bool,
    /// May stand in a handler.
    pub in_handler: bool,
    /// One sentence for references.
    pub doc: &'static str,
}

const fn option(name: &'static str, kind: OptionKind, doc: &'static str) -> OptionSpec {
    OptionSpec { name, kind, doc }
}

/// Options of every step.
pub const COMMON: &[OptionSpec] = &[
    option("after", OptionKind::Span, "earliest distance from the end of the previous step, or of `of:`"),
    option("day", OptionKind::Int, "earliest day on the dunning clock, counted from the due date"),
    option("give_up", OptionKind::Span, "how long caps and windows may defer it before it is skipped; 10 working days"),
    option("id", OptionKind::Name, "name, where the verb's value is not unique"),
    option("meanwhile", OptionKind::Meanwhile, "friendly word while a season keeps the step waiting"),
    option("not_during", OptionKind::Names, "seasons in which the step stays pending"),
    option("note", OptionKind::Name, "remark for readers"),
    option("of", OptionKind::Name, "the earlier step or kind of notice that `after:` counts from"),
    option("on_error", OptionKind::Outlet, "when every channel or try failed"),
    option("repeat", OptionKind::Repeat, "do the step again: {times, every}"),
    option("retry", OptionKind::Retry, "tries of transient failures: {times, first, factor}"),
    option("was", OptionKind::Name, "the id this step had in an earlier version"),
    option("when", OptionKind::Condition, "condition, read when the step is ready; false skips the step"),
];

const ALLOW_FALLBACK: OptionSpec =
    option("allow_fallback", OptionKind::Bool, "another locale may serve where this one has no file");
const ASSIGN: OptionSpec = option("assign", OptionKind::NameOrExpr, "role or person who does it");
const ATTACH: OptionSpec = option("attach", OptionKind::Names, "documents that go with it");
const BUNDLE: OptionSpec =
    option("bundle", OptionKind::Bundle, "merge what several invoices of the customer want to say");
const CC: OptionSpec = option("cc", OptionKind::Names, "roles in copy");
const DRAFT: OptionSpec = option("draft", OptionKind::Name, "template that the person sends from the task");
const FALLBACK: OptionSpec = option("fallback", OptionKind::Fallback, "one more try on the next channel after silence");
const FROM: OptionSpec = option("from", OptionKind::NameOrExpr, "sender");
const ON_TIMEOUT: OptionSpec = option("on_timeout", OptionKind::Outlet, "what happens at the limit");
const OUTCOMES: OptionSpec = option("outcomes", OptionKind::Outlets, "outlets by outcome");
const PROOF: OptionSpec = option("proof", OptionKind::Proof, "`delivery`: ends on the proven day of delivery");
const REQUIRED: OptionSpec = option("required", OptionKind::Bool, "never skipped by caps");
const TO: OptionSpec = option("to", OptionKind::Name, "role addressed; billing");
const VIA: OptionSpec = option("via", OptionKind::Channels, "channels in order; email");
const WITH: OptionSpec = option("with", OptionKind::With, "values passed on");
const WITHIN: OptionSpec = option("within", OptionKind::Span, "limit of an answer");

/// Every verb, ordered by name.
pub const VERBS: &[VerbSpec] = &[
    VerbSpec {
        name: "approve",
        value: ValueKind::Work,
        options: &[
            option("by", OptionKind::Names, "roles that must approve, different persons"),
            option("for", OptionKind::Names, "steps it covers; the outward steps after it in its stage"),
            option("on_reject", OptionKind::Outlet, "when a person says no"),
            ON_TIMEOUT,
            OUTCOMES,
            WITHIN,
        ],
        outward: false,
        in_handler: false,
        doc: "asks people with a role for a decision and waits for it",
    },
    VerbSpec {
        name: "call",
        value: ValueKind::Work,
        options: &[
            ASSIGN,
            option("attempts", OptionKind::Repeat, "call again when nobody answers: {times, every}"),
            BUNDLE,
            DRAFT,
            ON_TIMEOUT,
            OUTCOMES,
            TO,
            WITHIN,
        ],
        outward: false,
        in_handler: true,
        doc: "opens a call for a person; the call itself is a contact",
    },
    VerbSpec {
        name: "choose",
        value: ValueKind::Choice,
        options: &[option("cases", OptionKind::Outlets, "outlets by result, complete")],
        outward: false,
        in_handler: false,
        doc: "takes one of several ways",
    },
    VerbSpec {
        name: "escalate",
        value: ValueKind::Party,
        options: &[ATTACH, ON_TIMEOUT, REQUIRED, TO, WITHIN],
        outward: true,
        in_handler: false,
        doc: "hands over to the legal desk; the case is held while placed",
    },
    VerbSpec {
        name: "finish",
        value: ValueKind::Outcome,
        options: &[],
        outward: false,
        in_handler: false,
        doc: "ends the case",
    },
    VerbSpec {
        name: "goto",
        value: ValueKind::Stage,
        options: &[option("at_once", OptionKind::Bool, "the clock jumps as well")],
        outward: false,
        in_handler: false,
        doc: "goes to a stage ahead",
    },
    VerbSpec {
        name: "handover",
        value: ValueKind::Handover,
        options: &[],
        outward: false,
        in_handler: false,
        doc: "another playbook takes over in a linked case",
    },
    VerbSpec {
        name: "hold",
        value: ValueKind::Name,
        options: &[
            option("at_most", OptionKind::Span, "longest life of the hold"),
            ON_TIMEOUT,
            option("until", OptionKind::Until, "a date, an expression that yields one, or an event"),
        ],
        outward: false,
        in_handler: true,
        doc: "stops the case and its clock",
    },
    VerbSpec {
        name: "include",
        value: ValueKind::Fragment,
        options: &[option("except", OptionKind::Names, "events whose handlers are left out"), WITH],
        outward: false,
        in_handler: false,
        doc: "expands a fragment here",
    },
    VerbSpec {
        name: "notify",
        value: ValueKind::Name,
        options: &[BUNDLE, TO, WITH],
        outward: false,
        in_handler: true,
        doc: "tells staff; never the customer",
    },
    VerbSpec {
        name: "offer_plan",
        value: ValueKind::Template,
        options: &[
            ALLOW_FALLBACK,
            ATTACH,
            BUNDLE,
            CC,
            option("ends_by", OptionKind::DateOrExpr, "the plan must end by this date"),
            FALLBACK,
            FROM,
            option("max_instalments", OptionKind::IntOrExpr, "most instalments offered"),
            option("method", OptionKind::Name, "how instalments are paid"),
            ON_TIMEOUT,
            PROOF,
            REQUIRED,
            TO,
            option("valid_for", OptionKind::Span, "how long the offer stands"),
            VIA,
            WITH,
            WITHIN,
        ],
        outward: true,
        in_handler: true,
        doc: "offers instalments",
    },
    VerbSpec {
        name: "outsource",
        value: ValueKind::Party,
        options: &[ATTACH, ON_TIMEOUT, REQUIRED, TO, WITHIN],
        outward: true,
        in_handler: false,
        doc: "hands over to an agency; the case is held while placed",
    },
    VerbSpec {
        name: "request",
        value: ValueKind::Action,
        options: &[REQUIRED, WITH],
        outward: true,
        in_handler: true,
        doc: "asks a connector for a registered action",
    },
    VerbSpec {
        name: "send",
        value: ValueKind::Template,
        options: &[
            ALLOW_FALLBACK,
            ATTACH,
            BUNDLE,
            CC,
            FALLBACK,
            FROM,
            ON_TIMEOUT,
            PROOF,
            REQUIRED,
            TO,
            VIA,
            WITH,
            WITHIN,
        ],
        outward: true,
        in_handler: true,
        doc: "sends a message to the customer",
    },
    VerbSpec {
        name: "set",
        value: ValueKind::Vars,
        options: &[],
        outward: false,
        in_handler: true,
        doc: "changes variables",
    },
    VerbSpec {
        name: "split",
        value: ValueKind::Name,
        options: &[
            option("do", OptionKind::Arms, "steps by arm"),
            option("weights", OptionKind::Weights, "weights by arm"),
        ],
        outward: false,
        in_handler: false,
        doc: "takes one arm by a stable hash of the invoice's external key",
    },
    VerbSpec {
        name: "task",
        value: ValueKind::Work,
        options: &[
            ASSIGN,
            BUNDLE,
            DRAFT,
            option("due", OptionKind::DateOrExpr, "limit as a date instead of `within`"),
            option("hold_while_open", OptionKind::Bool, "the case is held while the task is open"),
            ON_TIMEOUT,
            OUTCOMES,
            WITHIN,
        ],
        outward: false,
        in_handler: true,
        doc: "opens work for a person",
    },
    VerbSpec {
        name: "wait",
        value: ValueKind::Span,
        options: &[],
        outward: false,
        in_handler: false,
        doc: "lets time pass",
    },
    VerbSpec {
        name: "wait_for",
        value: ValueKind::Event,
        options: &[option("for", OptionKind::Span, "limit, required"), ON_TIMEOUT],
        outward: false,
        in_handler: false,
        doc: "waits for an event",
    },
];

/// The verb of a key.
#[must_use]
pub fn find(name: &str) -> Option<&'static VerbSpec> {
    VERBS.binary_search_by(|spec| spec.name.cmp(name)).ok().map(|i| &VERBS[i])
}

/// What a call or a task may end with, beside a playbook's own.
pub const OUTCOMES_OF_WORK: &[&str] = &[
    "callback",
    "disputed",
    "done",
    "hardship",
    "no_answer",
    "other",
    "paid_claimed",
    "promised",
    "reached",
    "refused",
    "unable",
    "unaware",
    "unwilling",
    "voicemail",
    "wrong_party",
];

/// Outcomes that mean somebody was talked to.
#[must_use]
pub fn is_talk(outcome: &str) -> bool {
    matches!(
        outcome,
        "reached"
            | "promised"
            | "disputed"
            | "refused"
            | "hardship"
            | "paid_claimed"
            | "callback"
            | "unaware"
            | "unable"
            | "unwilling"
    )
}

impl Verb {
    /// The key of this verb.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Send(_) => "send",
            Self::Call(_) => "call",
            Self::Task(_) => "task",
            Self::Approve(_) => "approve",
            Self::OfferPlan(_) => "offer_plan",
            Self::Escalate(_) => "escalate",
            Self::Outsource(_) => "outsource",
            Self::Request(_) => "request",
            Self::Wait(_) => "wait",
            Self::WaitFor(_) => "wait_for",
            Self::Choose(_) => "choose",
            Self::Split { .. } => "split",
            Self::Set(_) => "set",
            Self::Goto { .. } => "goto",
            Self::Notify(_) => "notify",
            Self::Hold(_) => "hold",
            Self::Finish(_) => "finish",
            Self::Handover(_) => "handover",
        }
    }

    /// The table's line.
    ///
    /// # Panics
    /// Never: a test holds the names against the table.
    #[must_use]
    pub fn spec(&self) -> &'static VerbSpec {
        find(self.name()).expect("every verb stands in the table")
    }

    /// The template that it sends.
    #[must_use]
    pub fn template(&self) -> Option<&str> {
        match self {
            Self::Send(template) | Self::OfferPlan(template) => Some(template),
            Self::Call(_)
            | Self::Task(_)
            | Self::Approve(_)
            | Self::Escalate(_)
            | Self::Outsource(_)
            | Self::Request(_)
            | Self::Wait(_)
            | Self::WaitFor(_)
            | Self::Choose(_)
            | Self::Split { .. }
            | Self::Set(_)
            | Self::Goto { .. }
            | Self::Notify(_)
            | Self::Hold(_)
            | Self::Finish(_)
            | Self::Handover(_) => None,
        }
    }

    /// Whether people do it.
    #[must_use]
    pub fn is_work(&self) -> bool {
        matches!(self, Self::Call(_) | Self::Task(_) | Self::Approve(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted_so_that_find_and_help_work() {
        assert!(VERBS.is_sorted_by(|a, b| a.name < b.name));
        assert!(COMMON.is_sorted_by(|a, b| a.name < b.name));
        for verb in VERBS {
            assert!(verb.options.is_sorted_by(|a, b| a.name < b.name), "{}", verb.name);
        }
        assert_eq!(find("send").unwrap().name, "send");
    }
}
