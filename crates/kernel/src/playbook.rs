//! The checked playbook: what the reader in `playbook` produces and `decide` walks. One flat list of steps, forward
//! only: choose, split and goto are jumps in it; the cursor is one position.

use crate::effect::Retry;
use crate::expr::{Arg, Expr, ExprId};
use crate::facts::{Channel, Class, Registry};
use crate::ids::Hash;
use crate::money::Currency;
use crate::time::{Hours, Span};
use crate::value::{Type, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a case ends: a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Paid within tolerance.
    Paid,
    /// Credited or cancelled.
    Closed,
    /// Agreed otherwise.
    Settled,
    /// Cancelled by an operator.
    Cancelled,
    /// Insolvency proceedings.
    Insolvency,
    /// A person should write it off.
    ProposedWriteOff,
    /// Everything was tried.
    Uncollected,
    /// A person should look.
    NeedsReview,
    /// Another playbook took over.
    HandedOver,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 9] = [
        Self::Paid,
        Self::Closed,
        Self::Settled,
        Self::Cancelled,
        Self::Insolvency,
        Self::ProposedWriteOff,
        Self::Uncollected,
        Self::NeedsReview,
        Self::HandedOver,
    ];

    /// The name playbooks use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Closed => "closed",
            Self::Settled => "settled",
            Self::Cancelled => "cancelled",
            Self::Insolvency => "insolvency",
            Self::ProposedWriteOff => "proposed_write_off",
            Self::Uncollected => "uncollected",
            Self::NeedsReview => "needs_review",
            Self::HandedOver => "handed_over",
        }
    }

    /// The outcome of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}

/// A test on a fact in `applies_to` or a table cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// `_`
    Any,
    /// Equal to the value.
    Is(Value),
    /// Equal to one of them.
    In(Vec<Value>),
    /// `">= 50"`.
    Compare(Comparison, Value),
    /// `"10..20"`, both ends included.
    Range(Value, Value),
}

/// The comparisons of [`Test`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

impl Test {
    /// Whether a value passes. A missing value passes only `_`.
    #[must_use]
    pub fn accepts(&self, value: &Value) -> bool {
        match self {
            Self::Any => true,
            Self::Is(want) => same(want, value),
            Self::In(list) => list.iter().any(|want| same(want, value)),
            Self::Compare(how, want) => order(value, want).is_some_and(|found| match how {
                Comparison::Less => found.is_lt(),
                Comparison::AtMost => found.is_le(),
                Comparison::More => found.is_gt(),
                Comparison::AtLeast => found.is_ge(),
                Comparison::Equal => found.is_eq(),
                Comparison::NotEqual => found.is_ne(),
            }),
            Self::Range(low, high) => {
                order(value, low).is_some_and(std::cmp::Ordering::is_ge)
                    && order(value, high).is_some_and(std::cmp::Ordering::is_le)
            }
        }
    }
}

fn same(a: &Value, b: &Value) -> bool {
    order(a, b).map_or_else(|| a == b && !a.is_missing(), std::cmp::Ordering::is_eq)
}

fn order(a: &Value, b: &Value) -> Option<std::cmp::Ordering> {
    match (a, b) {
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        _ => Some(a.as_decimal()?.cmp(&b.as_decimal()?)),
    }
}

/// Which invoices the playbook takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppliesTo {
    /// Fact path and test; all must pass.
    pub tests: Vec<(String, Test)>,
    /// The rest, as an expression.
    pub when: Option<ExprId>,
    /// Highest wins.
    pub priority: i64,
}

/// What a cap counts. Plain `2 per week` counts contacts on all channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap {
    /// At most so many ...
    pub most: u32,
    /// ... in any such window. Days and weeks are rolling windows of civil dates.
    pub per: Span,
    /// Only on this channel (`2 calls per week`).
    pub channel: Option<Channel>,
}

/// `contact:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactRules {
    /// First one that the template exists in.
    pub locales: Vec<Arg<String>>,
    /// Customer's time, working days only.
    pub hours: Hours,
    /// Per customer over all of its invoices.
    pub caps: Vec<Cap>,
    /// Dates between two contacts with the customer.
    pub min_gap: Option<Span>,
    /// Merge what is due (issue "guard"); read and kept.
    pub bundle: Option<Bundle>,
}

/// `bundle: customer` or `{by: customer, window: 3 days}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Days either side; none means the same day.
    pub window: Option<Span>,
}

/// `backlog:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// A case that enters later than this after the due date ...
    pub over: Span,
    /// ... starts at this stage, its clock on the stage's first day.
    pub start_at: usize,
    /// The day of the start is drawn by customer inside so many days; without it all start at once.
    pub spread: Option<Span>,
}

/// `roll:`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Roll {
    /// Later days stay where they are.
    #[default]
    Keep,
    /// Pushed days are added to all later days of the stage.
    Shift,
}

/// A decision table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Name.
    pub name: String,
    /// Fact paths.
    pub inputs: Vec<String>,
    /// Names and types of outputs.
    pub outputs: Vec<(String, Type)>,
    /// Rows in order.
    pub rows: Vec<TableRow>,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRow {
    /// One test per input.
    pub tests: Vec<Test>,
    /// One value per output.
    pub outputs: Vec<Value>,
    /// Line in the file.
    pub line: u32,
}

/// A stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Name, `fragment/stage` where a fragment brought it.
    pub name: String,
    /// Skips the whole stage when false at each of its steps.
    pub when: Option<ExprId>,
    /// Position of its first step; the next stage's first where it has none.
    pub first: usize,
    /// Line.
    pub line: u32,
}

/// What happens at an end that is not the plain one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outlet {
    /// Go on with the step after.
    Next,
    /// Jump to a stage ahead.
    Goto {
        /// Index of the stage.
        stage: usize,
        /// Move the clock as well.
        at_once: bool,
    },
    /// End the case.
    Finish(Outcome),
    /// Keep waiting, tell the role, remind again after the same limit.
    Remind(Arg<String>),
    /// In a stage: continue at this position, whose steps lead back to the step after.
    /// In a handler: the steps at these positions, opened and not awaited.
    Steps(Vec<usize>),
    /// Another playbook takes over.
    Handover(Handover),
}

/// `{playbook, at}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    /// Playbook name.
    pub playbook: String,
    /// Stage to start at; else by its own rule.
    pub at: Option<String>,
}

/// `repeat: {times, every}` and `attempts: {times, every}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// How often in all.
    pub times: u32,
    /// Pause between.
    pub every: Span,
}

/// `fallback: {if: no_reply, after: 4 days}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// Silence for so long sends on the next channel.
    pub after: Span,
}

/// `meanwhile: {send, via, every}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meanwhile {
    /// Courtesy template.
    pub template: String,
    /// Channels.
    pub via: Vec<Via>,
    /// Pause between.
    pub every: Span,
}

/// An entry of `via`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// A channel.
    Channel(Channel),
    /// The channel that last reached the customer.
    LastWorking,
}

/// The limit of a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Until {
    /// The end of a date that an expression names.
    Date(ExprId),
    /// The end of a plain date.
    On(chrono::NaiveDate),
    /// An event.
    Event(String),
}

/// The `when` of one entry of a `choose` list, or one of its `cases`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// `choose: EXPR` with `cases`: text to outlet.
    Cases {
        /// The expression.
        expr: ExprId,
        /// Outlets by result.
        cases: BTreeMap<String, Outlet>,
    },
    /// A list of `{when, outlet}` ending in `else`.
    List {
        /// Conditions in order.
        arms: Vec<(ExprId, Outlet)>,
        /// The last entry.
        otherwise: Outlet,
    },
}

/// `after:` with `of:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct After {
    /// How long.
    pub span: Span,
    /// Since which step or notice kind; else since the previous step ended.
    pub of: Option<String>,
}

/// A step: one verb with its options. Every field that a verb does not know is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Local name, unique in its playbook unless inside arms.
    pub id: String,
    /// Unique name: `split-id/arm/step-id`, `fragment/step-id`, `whenever/3/step-id`.
    pub path: String,
    /// Stage, nothing in a handler.
    pub stage: Option<usize>,
    /// File, relative to the project.
    pub file: String,
    /// Line.
    pub line: u32,
    /// The verb with its value.
    pub verb: Verb,
    /// Position after this step in its list (handlers: unused).
    pub next: usize,
    /// Earliest day on the dunning clock.
    pub day: Option<i64>,
    /// Earliest distance from an earlier end.
    pub after: Option<After>,
    /// Condition, read when the step is ready.
    pub when: Option<ExprId>,
    /// Seasons (its own and its stage's) in which it stays pending.
    pub not_during: Vec<String>,
    /// Friendly word while a season keeps it waiting.
    pub meanwhile: Option<Meanwhile>,
    /// Tries of transient failures.
    pub retry: Retry,
    /// Every channel failed.
    pub on_error: Outlet,
    /// Do it again.
    pub repeat: Option<Repeat>,
    /// Never given up because of caps.
    pub required: bool,
    /// Working days that caps and windows may defer it; ten where not said.
    pub give_up: Span,
    /// Everything only some verbs know.
    pub options: Options,
}

/// Options that only some verbs know; see the table in [`crate::step`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Channels in order.
    pub via: Vec<Via>,
    /// Role addressed, `billing` where empty.
    pub to: String,
    /// Roles in copy.
    pub cc: Vec<String>,
    /// Sender.
    pub from: Option<Arg<String>>,
    /// Values passed on.
    pub with: BTreeMap<String, Arg<Value>>,
    /// Attachments.
    pub attach: Vec<String>,
    /// Merging of several invoices.
    pub bundle: Option<Bundle>,
    /// One more try on silence.
    pub fallback: Option<Fallback>,
    /// A missing locale file may fall back.
    pub allow_fallback: bool,
    /// Ends on the proven day of delivery.
    pub proof: bool,
    /// Limit of an answer.
    pub within: Option<Span>,
    /// Limit as a date.
    pub due: Option<ExprId>,
    /// At the limit.
    pub on_timeout: Option<Outlet>,
    /// A rejected approval.
    pub on_reject: Option<Outlet>,
    /// Who does the work.
    pub assign: Option<Arg<String>>,
    /// Calls again when nobody answers.
    pub attempts: Option<Repeat>,
    /// Outlets by outcome; also adds outcomes of its own.
    pub outcomes: BTreeMap<String, Outlet>,
    /// The case is held while the task is open.
    pub hold_while_open: bool,
    /// Template offered to the person.
    pub draft: Option<String>,
    /// Positions an approval covers.
    pub covers: Vec<usize>,
    /// Roles that must approve.
    pub by: Vec<String>,
    /// Most instalments of an offer.
    pub max_instalments: Option<Arg<i64>>,
    /// The offer's plan must end by this date.
    pub ends_by: Option<ExprId>,
    /// How instalments are paid.
    pub method: Option<String>,
    /// How long an offer stands.
    pub valid_for: Option<Span>,
    /// Limit of a `wait_for` (`for:`).
    pub wait_at_most: Option<Span>,
    /// End of a hold.
    pub until: Option<Until>,
    /// Longest life of a hold.
    pub at_most: Option<Span>,
}

/// A verb with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `send: TEMPLATE`.
    Send(String),
    /// `call: NAME`.
    Call(String),
    /// `task: NAME`.
    Task(String),
    /// `approve: NAME`.
    Approve(String),
    /// `offer_plan: TEMPLATE`.
    OfferPlan(String),
    /// `escalate: DESK`.
    Escalate(Arg<String>),
    /// `outsource: AGENCY`.
    Outsource(Arg<String>),
    /// `request: ACTION`.
    Request(String),
    /// `wait: SPAN`.
    Wait(Span),
    /// `wait_for: EVENT`.
    WaitFor(String),
    /// `choose:`.
    Choose(Choice),
    /// `split: NAME` with weights and the first position of each arm.
    Split {
        /// Arm, weight, first position.
        arms: Vec<(String, u32, usize)>,
    },
    /// `set: {name: value}`.
    Set(Vec<(String, Arg<Value>)>),
    /// `goto: STAGE`.
    Goto {
        /// Index of the stage.
        stage: usize,
        /// Move the clock as well.
        at_once: bool,
    },
    /// `notify: TEXT` to staff.
    Notify(String),
    /// `hold: NAME`.
    Hold(String),
    /// `finish: OUTCOME`.
    Finish(Outcome),
    /// `handover: {playbook, at}`.
    Handover(Handover),
}

/// What follows a handler's `do`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// Go on; the event is also offered to the step that waits for it.
    Resume,
    /// Jump ahead.
    Goto {
        /// Index of the stage.
        stage: usize,
        /// Move the clock as well.
        at_once: bool,
    },
    /// End the case.
    Finish(Outcome),
    /// Another playbook takes over.
    Handover(Handover),
    /// A new due date was agreed: generation + 1, from the first step.
    Restart,
}

/// A handler of `whenever`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handler {
    /// Event name.
    pub event: String,
    /// Condition.
    pub when: Option<ExprId>,
    /// Positions of its steps.
    pub steps: Vec<usize>,
    /// What follows.
    pub then: Then,
    /// File.
    pub file: String,
    /// Line.
    pub line: u32,
}

/// What the header of a template says, per template and channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateInfo {
    /// Class.
    pub class: Class,
    /// Severity, 1 to 6.
    pub level: u8,
    /// Kinds of notice it gives.
    pub notice: Vec<String>,
    /// Typed values passed by `with:`.
    pub takes: BTreeMap<String, Type>,
    /// Locales that exist, by channel.
    pub files: BTreeMap<Channel, Vec<String>>,
    /// Hash over its files.
    pub hash: Hash,
}

/// Class of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestClass {
    /// Hurts the customer: guarded and recalled like dunning, never repeated blindly.
    Adverse,
    /// Neither.
    Neutral,
    /// Gives something back.
    Restoring,
}

/// A line of `workflows/requests.yaml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestInfo {
    /// Class.
    pub class: RequestClass,
    /// The action that takes it back.
    pub undo: Option<String>,
    /// Whether it ends when confirmed (`request.done`) rather than accepted.
    pub confirmed: bool,
    /// Typed parameters.
    pub with: BTreeMap<String, Type>,
}

/// The hashes a turn names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hashes {
    /// Logic: playbook, fragments, tables, scripts.
    pub bundle: Hash,
    /// Templates.
    pub content: Hash,
    /// Customer's calendar.
    pub calendar: Hash,
    /// All policies.
    pub policy: Hash,
    /// Version of the functions and facts that hooks see.
    pub hook_api: u32,
    /// Version of the rule engine.
    pub rhai: String,
}

/// A checked playbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Playbook {
    /// Name.
    pub name: String,
    /// Version that its author raises.
    pub version: u32,
    /// Title for people.
    pub title: String,
    /// Role that owns it.
    pub owner: String,
    /// Currency of bare amounts; nothing for `any`.
    pub currency: Option<Currency>,
    /// Calendar by name.
    pub calendar: String,
    /// Policies by name.
    pub policies: Vec<String>,
    /// The facts it was checked with.
    pub facts: Arc<Registry>,
    /// Selection.
    pub applies_to: AppliesTo,
    /// Contact rules.
    pub contact: ContactRules,
    /// Amount at or below which the invoice counts as paid, major units.
    pub tolerance: rust_decimal::Decimal,
    /// Late entry.
    pub backlog: Option<Backlog>,
    /// Weekends.
    pub roll: Roll,
    /// Typed constants that `set` may change.
    pub vars: BTreeMap<String, Value>,
    /// Decision tables.
    pub tables: Vec<Table>,
    /// Stages in order.
    pub stages: Vec<Stage>,
    /// All steps: first the stages' (positions of the cursor), then the handlers'.
    pub steps: Vec<Step>,
    /// How many of `steps` the cursor can stand on.
    pub cursor_len: usize,
    /// Handlers in order of the page.
    pub handlers: Vec<Handler>,
    /// Templates it uses.
    pub templates: BTreeMap<String, TemplateInfo>,
    /// Requests it uses.
    pub requests: BTreeMap<String, RequestInfo>,
    /// Expressions by [`ExprId`].
    pub exprs: Vec<Expr>,
    /// Hash of playbook, fragments, tables and scripts.
    pub bundle: Hash,
    /// Hash of the templates it uses.
    pub content: Hash,
}

impl Playbook {
    /// The expression of an id.
    ///
    /// # Panics
    /// Never for an id of this playbook.
    #[must_use]
    pub fn expr(&self, id: ExprId) -> &Expr {
        &self.exprs[id.0 as usize]
    }

    /// The stage's name of a position, empty in a handler.
    #[must_use]
    pub fn stage_name(&self, position: usize) -> &str {
        self.steps.get(position).and_then(|step| step.stage).map_or("", |stage| &self.stages[stage].name)
    }

    /// Positions of the steps that belong to the main line of stages (arms and outlets excluded), for coverage.
    pub fn main_line(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.cursor_len).filter(|&i| !self.steps[i].path.contains('/'))
    }
}
