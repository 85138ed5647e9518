//! Lists of steps: one verb each, its id and path, its options from the kernel's table.

use super::{At, Builder, Line, Placed};
use crate::diagnostic::Diagnostic;
use crate::read;
use crate::yaml::{Kind, Node, Place};
use recobro_kernel::playbook::{Options, Outcome, Outlet, Step, Verb};
use recobro_kernel::step::{self, COMMON, ValueKind, VerbSpec};
use recobro_kernel::time::Span;
use std::rc::Rc;

impl Builder<'_> {
    /// Reads a list of steps, fragments expanded.
    pub(super) fn step_list(&mut self, nodes: &[Node], at: &At) -> Line {
        let mut line = Line::new();
        for node in nodes {
            if node.get("include").is_some() && !at.arm && at.stage.is_some() {
                for (inner, scope) in self.include(node, &Rc::clone(&at.scope), "steps") {
                    line.extend(self.step_list(&[inner], &At { scope, ..at.clone() }));
                }
            } else {
                line.extend(self.step(node, at));
            }
        }
        line
    }

    fn step(&mut self, node: &Node, at: &At) -> Option<Placed> {
        let spec = self.verb_of(node)?;
        if at.stage.is_none() && !spec.in_handler {
            self.waits(node, spec);
            return None;
        }
        let verb_key = node.key(spec.name)?.clone();
        let value = node.get(spec.name)?.clone();
        let (id, path) = self.name_step(node, spec, &value, at);
        let position = self.steps.len();
        self.steps.push(self.blank(&verb_key, at, (id, path)));
        self.nodes.push(node.clone());
        self.scopes_of_steps(at);
        let mut arms = Vec::new();
        match self.verb(spec, &value, node, at, position, &mut arms) {
            Some(verb) => self.steps[position].verb = verb,
            None => self.broken = true,
        }
        self.options(spec, node, at, position, &mut arms);
        self.fill_defaults(spec, node, at, position, &mut arms);
        Some(Placed { position, arms })
    }

    /// PB007, and steps without a verb.
    fn verb_of(&self, node: &Node) -> Option<&'static VerbSpec> {
        let Kind::Map(entries) = &node.kind else {
            read::wrong(self.report(), node, "a step such as `send: TEMPLATE`");
            return None;
        };
        let verbs: Vec<(&Node, &'static VerbSpec)> =
            entries.iter().filter_map(|(key, _)| Some((key, step::find(key.text()?)?))).collect();
        match verbs.as_slice() {
            [(_, spec)] => Some(spec),
            [] => {
                let Some((key, _)) = entries.first() else {
                    self.report().error("PB009", node, "an empty step");
                    return None;
                };
                let name = key.text().unwrap_or_default();
                let known: Vec<&str> = step::VERBS.iter().map(|verb| verb.name).collect();
                self.report().push(
                    Diagnostic::error(
                        "PB001",
                        &key.place,
                        format!("this step has no verb; `{}` is none", read::cut(name)),
                    )
                    .nearest(name, known.iter().copied())
                    .help(format!("verbs are {}", known.join(" "))),
                );
                None
            }
            [(_, first), (key, second), ..] => {
                self.report().push(
                    Diagnostic::error(
                        "PB007",
                        &key.place,
                        format!("one step, two verbs: `{}` and `{}`", first.name, second.name),
                    )
                    .help("make two steps; they run in this order"),
                );
                None
            }
        }
    }

    /// PB306.
    fn waits(&self, node: &Node, spec: &VerbSpec) {
        let help = match spec.name {
            "wait" | "wait_for" => "use `hold:` with `until:`",
            "finish" | "goto" | "handover" => "write it under `then:` of the handler",
            "choose" | "split" => "write one handler per case, each with its `when:`",
            "include" => "include a fragment of handlers beside this handler",
            _ => "let `then: {goto: STAGE}` lead to a stage that does it",
        };
        let place = node.key(spec.name).map_or_else(|| node.place.clone(), |key| key.place.clone());
        let message = match spec.name {
            "finish" | "goto" | "handover" | "include" => format!("`{}` is no step of a handler", spec.name),
            _ => "a handler may not wait".to_owned(),
        };
        self.report().push(Diagnostic::error("PB306", &place, message).help(help));
    }

    /// Id and path. `choose`, `wait`, `set` and ends are named by place, all others by their value.
    fn name_step(&mut self, node: &Node, spec: &'static VerbSpec, value: &Node, at: &At) -> (String, String) {
        let written = node.get("id").and_then(|id| read::name(self.report(), id));
        let by_value = match spec.value {
            ValueKind::Choice
            | ValueKind::Span
            | ValueKind::Vars
            | ValueKind::Stage
            | ValueKind::Outcome
            | ValueKind::Handover
            | ValueKind::Fragment => None,
            ValueKind::Template
            | ValueKind::Work
            | ValueKind::Party
            | ValueKind::Action
            | ValueKind::Event
            | ValueKind::Name => {
                let text = value.text().filter(|_| value.expression().is_none());
                text.filter(|text| !text.is_empty() && !text.contains(char::is_whitespace)).map(str::to_owned)
            }
        };
        let place = if written.is_some() { node.get("id") } else { Some(value) };
        let place = place.map_or_else(|| node.place.clone(), |node| node.place.clone());
        if let Some(id) = written.or(by_value) {
            let fragment = at.scope.prefix.as_ref().filter(|_| !at.arm);
            let local = fragment.map_or_else(|| id.clone(), |prefix| format!("{prefix}/{id}"));
            let path = if at.stage.is_none() || at.arm { format!("{}{id}", at.prefix) } else { local.clone() };
            self.unique(if at.arm { path.clone() } else { local }, &id, place, at);
            (id, path)
        } else {
            let list = match at.stage.filter(|_| !at.arm) {
                Some(stage) => format!("{}/", self.stages[stage].name),
                None => at.prefix.clone(),
            };
            let count = self.counters.entry((list.clone(), spec.name)).or_default();
            *count += 1;
            let id = format!("{}-{count}", spec.name);
            let path = format!("{list}{id}");
            (id, path)
        }
    }

    /// PB105.
    fn unique(&mut self, key: String, id: &str, place: Place, at: &At) {
        match self.ids.get(&key) {
            None => {
                self.ids.insert(key, place);
            }
            Some(first) => {
                // A fragment included twice clashes where it is included, not inside itself.
                let here = at.scope.included.as_ref().filter(|_| *first == place);
                let (place, help) = match here {
                    Some(place) => (place, "add `id:` to one of the includes"),
                    None => (&place, "add `id:` to one of them"),
                };
                let problem = Diagnostic::error("PB105", place, format!("two steps have the id `{id}`")).help(help);
                let note = format!("the first is at {}:{}:{}", first.file, first.start.line, first.start.column);
                self.report().push(problem.note(note));
            }
        }
    }

    fn blank(&self, verb: &Node, at: &At, (id, path): (String, String)) -> Step {
        Step {
            id,
            path,
            stage: at.stage,
            file: verb.place.file.to_string(),
            line: verb.place.start.line,
            verb: Verb::Finish(Outcome::NeedsReview),
            next: 0,
            day: None,
            after: None,
            when: None,
            not_during: at.seasons.clone(),
            meanwhile: None,
            retry: self.head.retry,
            on_error: Outlet::Next,
            repeat: None,
            required: false,
            give_up: Span::working_days(10),
            options: Options::default(),
        }
    }

    fn scopes_of_steps(&mut self, at: &At) {
        debug_assert_eq!(self.nodes.len(), self.steps.len(), "a node for each step");
        self.step_scopes.push(Rc::clone(&at.scope));
        self.step_events.push(at.event);
    }

    /// What a step has without saying it.
    fn fill_defaults(&mut self, spec: &VerbSpec, node: &Node, at: &At, position: usize, arms: &mut Vec<Line>) {
        let step = &mut self.steps[position];
        if matches!(step.verb, Verb::Send(_) | Verb::OfferPlan(_)) && step.options.via.is_empty() {
            step.options.via = vec![recobro_kernel::playbook::Via::Channel(recobro_kernel::facts::Channel::Email)];
        }
        if matches!(step.verb, Verb::Approve(_)) {
            self.covers.push((position, node.get("for").cloned()));
        }
        if spec.outward && node.get("on_error").is_none() {
            let outlet = match self.defaults_on_error.clone() {
                Some(outlet) => {
                    let root = At { scope: self.root_scope(), ..at.clone() };
                    self.outlet(&outlet, &root, "on_error", position, arms).unwrap_or(Outlet::Next)
                }
                None => self.fix_delivery(node, at, position, arms),
            };
            self.steps[position].on_error = outlet;
        }
    }

    /// Without `on_error` anywhere: the owner gets a task, then the next step.
    fn fix_delivery(&mut self, node: &Node, at: &At, from: usize, arms: &mut Vec<Line>) -> Outlet {
        let inner = self.inside(at, from, "on_error");
        let id = "fix-delivery".to_owned();
        let path = format!("{}{id}", inner.prefix);
        let position = self.steps.len();
        let mut step = self.blank(node, &inner, (id.clone(), path));
        step.line = self.steps[from].line;
        step.verb = Verb::Task(id);
        step.options.assign = Some(recobro_kernel::expr::Arg::Const(self.head.owner.clone()));
        step.options.within = Some(Span::working_days(1));
        self.steps.push(step);
        self.nodes.push(Node { place: node.place.clone(), kind: Kind::Map(Vec::new()) });
        self.scopes_of_steps(&inner);
        arms.push(vec![Placed { position, arms: Vec::new() }]);
        Outlet::Steps(vec![position])
    }

    /// Keys of a step: those of its verb and the common ones.
    pub(super) fn step_keys(spec: &VerbSpec) -> Vec<&'static str> {
        let mut keys: Vec<&str> = COMMON.iter().chain(spec.options).map(|option| option.name).collect();
        keys.sort_unstable();
        keys
    }
}
