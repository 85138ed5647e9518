//! From one playbook's tree to a `kernel::playbook::Playbook`: head, stages and handlers decoded, fragments expanded,
//! everything flattened into one list of positions. Problems are collected; a playbook with errors is not handed out.

mod checks;
mod exprs;
mod fragments;
pub(crate) mod head;
mod law;
mod options;
mod outlets;
mod steps;
mod verbs;

use crate::Compiled;
use crate::Files;
use crate::diagnostic::{Diagnostic, Report};
use crate::flow;
use crate::library::Shared;
use crate::read;
use crate::script::RhaiRules;
use crate::template;
use crate::yaml::{Node, Place};
use head::Head;
use recobro_kernel::expr::{Expr, ExprId};
use recobro_kernel::ids::Hash;
use recobro_kernel::playbook::{Backlog, Handler, Playbook, Stage, Step, Then, Verb};
use recobro_kernel::time::Span;
use recobro_kernel::value::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

/// A playbook without errors, with what the check of the whole project still needs.
pub(crate) struct Built {
    /// Playbook, rules, sources.
    pub(crate) compiled: Compiled,
    /// `priority:` or the playbook's name, where an overlap is shown.
    pub(crate) priority: Place,
}

/// What names mean at a place: the playbook's own, or those of the fragment it came from.
pub(crate) struct Scope {
    /// Name in front of ids, `gentle-reminders`.
    prefix: Option<String>,
    /// Parameters.
    params: Arc<BTreeMap<String, Value>>,
    /// Modules of hooks.
    modules: Vec<String>,
    /// Where the fragment was included.
    included: Option<Place>,
}

/// Where a list of steps stands.
#[derive(Clone)]
struct At {
    scope: Rc<Scope>,
    stage: Option<usize>,
    /// In front of paths: `split-id/arm/`, `whenever/3/`.
    prefix: String,
    seasons: Vec<String>,
    /// Arms and outlets may repeat ids of other arms.
    arm: bool,
    event: Option<&'static str>,
}

/// A step with the arms behind it, before positions are tied together.
struct Placed {
    position: usize,
    arms: Vec<Vec<Placed>>,
}

type Line = Vec<Placed>;

/// A jump to a stage, for the checks of flow.
pub(crate) struct Jump {
    /// The step it leaves from; nothing in a handler.
    pub(crate) from: Option<usize>,
    /// Stage.
    pub(crate) to: usize,
    /// Where the stage's name stands.
    pub(crate) place: Place,
    /// Whether the clock moves.
    pub(crate) at_once: bool,
}

/// A stage as found, before its steps are read.
struct Draft {
    name: Node,
    full: String,
    node: Node,
    scope: Rc<Scope>,
}

pub(crate) struct Builder<'a> {
    pub(crate) shared: &'a Shared<'a>,
    pub(crate) head: Head,
    pub(crate) stages: Vec<Stage>,
    pub(crate) stage_places: Vec<Place>,
    pub(crate) steps: Vec<Step>,
    /// The node of each step, for places.
    pub(crate) nodes: Vec<Node>,
    pub(crate) jumps: Vec<Jump>,
    pub(crate) cursor_len: usize,
    /// A verb or an outlet could not be read, so nobody knows what leads where.
    pub(crate) broken: bool,
    pub(crate) handlers: Vec<Handler>,
    pub(crate) handler_nodes: Vec<Node>,
    step_scopes: Vec<Rc<Scope>>,
    step_events: Vec<Option<&'static str>>,
    exprs: Vec<Expr>,
    pending: Vec<exprs::Pending>,
    covers: Vec<(usize, Option<Node>)>,
    afters: Vec<(usize, Node)>,
    counters: BTreeMap<(String, &'static str), usize>,
    ids: BTreeMap<String, Place>,
    main: BTreeSet<usize>,
    used_files: BTreeSet<String>,
    templates: BTreeSet<String>,
    requests: BTreeSet<String>,
    defaults_on_error: Option<Node>,
}

const STAGE_KEYS: &[&str] = &["note", "not_during", "stage", "steps", "when"];
const HANDLER_KEYS: &[&str] = &["do", "event", "note", "then", "when"];

/// Compiles one playbook; nothing where it has errors.
pub(crate) fn compile(shared: &Shared<'_>, file: &Arc<str>, node: &Node) -> Option<Built> {
    let report = &shared.report;
    let before = report.errors();
    let mut builder = Builder::new(shared, file);
    builder.read_head(node);
    let root = builder.root_scope();
    builder.read_stages(node, &root);
    builder.read_backlog(node);
    builder.read_handlers(node, &root);
    builder.resolve_names();
    builder.check_exprs();
    builder.check_messages();
    if !shared.pinned {
        builder.check_law(node);
    }
    flow::check(&builder, node);
    if report.errors() > before {
        return None;
    }
    builder.finish(node)
}

impl<'a> Builder<'a> {
    fn new(shared: &'a Shared<'a>, file: &Arc<str>) -> Self {
        Self {
            shared,
            head: Head::default(),
            stages: Vec::new(),
            stage_places: Vec::new(),
            steps: Vec::new(),
            nodes: Vec::new(),
            jumps: Vec::new(),
            cursor_len: 0,
            broken: false,
            handlers: Vec::new(),
            handler_nodes: Vec::new(),
            step_scopes: Vec::new(),
            step_events: Vec::new(),
            exprs: Vec::new(),
            pending: Vec::new(),
            covers: Vec::new(),
            afters: Vec::new(),
            counters: BTreeMap::new(),
            ids: BTreeMap::new(),
            main: BTreeSet::new(),
            used_files: [file.to_string()].into(),
            templates: BTreeSet::new(),
            requests: BTreeSet::new(),
            defaults_on_error: None,
        }
    }

    pub(crate) fn report(&self) -> &'a Report {
        &self.shared.report
    }

    fn root_scope(&self) -> Rc<Scope> {
        Rc::new(Scope {
            prefix: None,
            params: Arc::new(BTreeMap::new()),
            modules: self.head.scripts.clone(),
            included: None,
        })
    }

    fn read_stages(&mut self, node: &Node, root: &Rc<Scope>) {
        let Some(list) = read::required(self.report(), node, "stages") else { return };
        let mut drafts = Vec::new();
        for item in read::list(self.report(), list, "stages") {
            self.draft_stage(item, root, &mut drafts);
        }
        for draft in &drafts {
            if self.stages.iter().any(|stage| stage.name == draft.full) {
                self.report().error("PB105", &draft.name, format!("two stages have the name `{}`", draft.full));
            }
            let line = draft.name.place.start.line;
            self.stages.push(Stage { name: draft.full.clone(), when: None, first: 0, line });
            self.stage_places.push(draft.name.place.clone());
        }
        let mut all = Line::new();
        for (index, draft) in drafts.iter().enumerate() {
            self.stages[index].first = self.steps.len();
            all.extend(self.read_stage(index, draft));
        }
        self.cursor_len = self.steps.len();
        self.main = all.iter().map(|placed| placed.position).collect();
        self.tie(&all, self.cursor_len);
        if drafts.is_empty() {
            self.report().error("PB009", list, "a playbook needs at least one stage");
        }
    }

    fn draft_stage(&mut self, item: &Node, scope: &Rc<Scope>, drafts: &mut Vec<Draft>) {
        if item.get("include").is_some() {
            for (node, inner) in self.include(item, scope, "stages") {
                self.draft_stage(&node, &inner, drafts);
            }
            return;
        }
        read::only(self.report(), item, "a stage", STAGE_KEYS);
        let Some(name) = read::required(self.report(), item, "stage") else { return };
        let Some(text) = read::name(self.report(), name) else { return };
        let full = scope.prefix.as_ref().map_or_else(|| text.clone(), |prefix| format!("{prefix}/{text}"));
        drafts.push(Draft { name: name.clone(), full, node: item.clone(), scope: Rc::clone(scope) });
    }

    fn read_stage(&mut self, index: usize, draft: &Draft) -> Line {
        let seasons = draft.node.get("not_during").map(|node| self.seasons(node)).unwrap_or_default();
        let at = At {
            scope: Rc::clone(&draft.scope),
            stage: Some(index),
            prefix: String::new(),
            seasons,
            arm: false,
            event: None,
        };
        if let Some(when) = draft.node.get("when") {
            self.stages[index].when = self.condition(when, &at);
        }
        match read::required(self.report(), &draft.node, "steps") {
            Some(steps) => {
                let steps = read::list(self.report(), steps, "steps").to_vec();
                self.step_list(&steps, &at)
            }
            None => Line::new(),
        }
    }

    /// Gives every step the position that follows it in its list.
    fn tie(&mut self, line: &Line, exit: usize) {
        for (i, placed) in line.iter().enumerate() {
            let next = line.get(i + 1).map_or(exit, |after| after.position);
            self.steps[placed.position].next = next;
            if let Verb::Split { arms } = &mut self.steps[placed.position].verb {
                for arm in arms.iter_mut().filter(|arm| arm.2 == usize::MAX) {
                    arm.2 = next;
                }
            }
            for arm in &placed.arms {
                self.tie(arm, next);
            }
        }
    }

    fn read_backlog(&mut self, node: &Node) {
        let Some(backlog) = node.get("backlog") else { return };
        read::only(self.report(), backlog, "`backlog`", &["over", "spread", "start_at"]);
        let over =
            read::required(self.report(), backlog, "over").and_then(|node| read::span(self.report(), "over", node));
        let stage = read::required(self.report(), backlog, "start_at").cloned();
        let start_at = stage.and_then(|node| self.stage_named(&node, &self.root_scope(), "start_at"));
        if let (Some(over), Some(start_at)) = (over, start_at) {
            let spread = backlog.get("spread").and_then(|node| self.spread(node));
            self.head.backlog = Some(Backlog { over, start_at, spread });
        }
    }

    /// Whole days over which late entries are spread.
    fn spread(&self, node: &Node) -> Option<Span> {
        let spread = read::span(self.report(), "spread", node)?;
        if spread.exact_us().is_some() || !(1..=366).contains(&spread.count) {
            read::wrong(self.report(), node, "a number of days, working days, weeks or months, a year at most");
            return None;
        }
        Some(spread)
    }

    fn read_handlers(&mut self, node: &Node, root: &Rc<Scope>) {
        let Some(list) = node.get("whenever") else { return };
        for item in read::list(self.report(), list, "handlers") {
            if item.get("include").is_some() {
                for (node, scope) in self.include(item, root, "whenever") {
                    self.read_handler(&node, &scope);
                }
            } else {
                self.read_handler(item, root);
            }
        }
    }

    fn read_handler(&mut self, node: &Node, scope: &Rc<Scope>) {
        read::only(self.report(), node, "a handler", HANDLER_KEYS);
        let Some(named) = read::required(self.report(), node, "event") else { return };
        let Some(event) = self.event(named) else { return };
        let at = At {
            scope: Rc::clone(scope),
            stage: None,
            prefix: format!("whenever/{}/", self.handlers.len() + 1),
            seasons: Vec::new(),
            arm: false,
            event: Some(event),
        };
        let when = node.get("when").and_then(|when| self.condition(when, &at));
        let steps = node.get("do").map(|list| read::list(self.report(), list, "steps").to_vec()).unwrap_or_default();
        let line = self.step_list(&steps, &at);
        let exit = self.steps.len();
        self.tie(&line, exit);
        let then = node.get("then").map_or(Some(Then::Resume), |then| self.then(then, &at)).unwrap_or(Then::Resume);
        self.handlers.push(Handler {
            event: event.to_owned(),
            when,
            steps: line.iter().map(|placed| placed.position).collect(),
            then,
            file: node.place.file.to_string(),
            line: named.place.start.line,
        });
        self.handler_nodes.push(node.clone());
    }

    fn finish(self, node: &Node) -> Option<Built> {
        let shared = self.shared;
        let mut logic: BTreeSet<String> = self.used_files.clone();
        // Types and defaults are logic: a pinned case reads its facts as they were declared.
        if shared.files.contains_key(read::own::FILE) {
            logic.insert(read::own::FILE.to_owned());
        }
        if !self.requests.is_empty() {
            logic.insert(read::requests::FILE.to_owned());
        }
        for module in &self.head.scripts {
            logic.insert(format!("scripts/{module}.rhai"));
        }
        if !self.head.scripts.is_empty() && shared.files.contains_key("scripts/lib.rhai") {
            logic.insert("scripts/lib.rhai".to_owned());
        }
        let texts: BTreeSet<String> =
            self.templates.iter().filter_map(|id| shared.templates.get(id)).flat_map(|t| t.files.clone()).collect();
        let playbook = self.into_playbook(hash_files(shared.files, &logic), hash_files(shared.files, &texts));
        let priority = node.get("applies_to").and_then(|tests| tests.get("priority")).or_else(|| node.get("playbook"));
        let priority = priority.map_or_else(|| node.place.clone(), |node| node.place.clone());
        let (modules, playbook) = playbook;
        let rules =
            RhaiRules::new(&playbook.exprs, playbook.tables.clone(), playbook.vars.clone(), &shared.scripts, &modules);
        let rules = match rules {
            Ok(rules) => rules,
            Err((index, problems)) => {
                let expr = &playbook.exprs[index];
                let place = Place::line(&Arc::from(expr.file.as_str()), expr.line, expr.column);
                for problem in problems {
                    shared.report.push(Diagnostic::error(problem.code, &place, problem.message));
                }
                return None;
            }
        };
        let beside = shared
            .files
            .keys()
            .filter(|file| file.starts_with(read::law::CALENDARS) || file.starts_with(read::policy::POLICIES));
        let names = logic.iter().chain(&texts).chain(beside);
        let sources: Files = names.filter_map(|name| Some((name.clone(), shared.files.get(name)?.clone()))).collect();
        let compiled = Compiled { playbook: Arc::new(playbook), rules: Arc::new(rules), sources };
        Some(Built { compiled, priority })
    }

    fn into_playbook(self, bundle: Hash, content: Hash) -> (Vec<String>, Playbook) {
        let head = self.head;
        let templates =
            self.templates.iter().filter_map(|id| Some((id.clone(), self.shared.templates.get(id)?.info.clone())));
        let requests = self.requests.iter().filter_map(|id| Some((id.clone(), self.shared.requests.get(id)?.clone())));
        let playbook = Playbook {
            name: head.name,
            version: head.version,
            title: head.title,
            owner: head.owner,
            currency: head.currency,
            calendar: head.calendar,
            policies: head.policies,
            facts: Arc::clone(&self.shared.facts),
            applies_to: head.applies_to,
            contact: head.contact,
            tolerance: head.tolerance,
            backlog: head.backlog,
            roll: head.roll,
            vars: head.vars,
            tables: head.tables,
            stages: self.stages,
            steps: self.steps,
            cursor_len: self.cursor_len,
            handlers: self.handlers,
            templates: templates.collect(),
            requests: requests.collect(),
            exprs: self.exprs,
            bundle,
            content,
        };
        (head.scripts, playbook)
    }

    /// Whether a step stands in a stage's own list, not in an arm or outlet.
    pub(crate) fn is_main(&self, position: usize) -> bool {
        self.main.contains(&position)
    }

    /// The expression's id, for fields that hold one.
    fn expr_at(&self, id: ExprId) -> &Expr {
        &self.exprs[id.0 as usize]
    }
}

/// One hash over files with their names, in order of name.
fn hash_files(files: &Files, names: &BTreeSet<String>) -> Hash {
    let bytes: Vec<u8> = names.iter().flat_map(|name| template::hash_of(files, name).0).collect();
    Hash::of(&bytes)
}
