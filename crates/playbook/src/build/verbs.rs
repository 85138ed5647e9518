//! What stands behind a verb's key.

use super::{At, Builder, Line};
use crate::diagnostic::Diagnostic;
use crate::read;
use crate::script::Expected;
use crate::yaml::{Kind, Node};
use recobro_kernel::playbook::{Choice, Verb};
use recobro_kernel::step::{ValueKind, VerbSpec};
use recobro_kernel::value::Type;

impl Builder<'_> {
    /// The verb with its value; nothing where the value is wrong.
    pub(super) fn verb(
        &mut self,
        spec: &'static VerbSpec,
        value: &Node,
        node: &Node,
        at: &At,
        position: usize,
        arms: &mut Vec<Line>,
    ) -> Option<Verb> {
        match spec.value {
            ValueKind::Template => {
                self.template(value).map(|id| if spec.name == "send" { Verb::Send(id) } else { Verb::OfferPlan(id) })
            }
            ValueKind::Work => {
                let name = read::name(self.report(), value)?;
                Some(match spec.name {
                    "call" => Verb::Call(name),
                    "task" => Verb::Task(name),
                    _ => Verb::Approve(name),
                })
            }
            ValueKind::Party => {
                let party = self.text_arg(value, at, Expected::Type(Type::Text))?;
                Some(if spec.name == "escalate" { Verb::Escalate(party) } else { Verb::Outsource(party) })
            }
            ValueKind::Action => {
                let known = self.shared.requests.keys().map(String::as_str);
                let action = self.known(value, "action", known)?;
                self.requests.insert(action.clone());
                let undo = self.shared.requests.get(&action).and_then(|info| info.undo.clone());
                self.requests.extend(undo);
                Some(Verb::Request(action))
            }
            ValueKind::Span => read::span(self.report(), spec.name, value).map(Verb::Wait),
            ValueKind::Event => self.event(value).map(|event| Verb::WaitFor(event.to_owned())),
            ValueKind::Choice => self.choice(value, node, at, position, arms).map(Verb::Choose),
            ValueKind::Name => match spec.name {
                "split" => self.split(value, node, at, position, arms),
                "hold" => read::name(self.report(), value).map(Verb::Hold),
                _ => read::words(self.report(), value).map(Verb::Notify),
            },
            ValueKind::Vars => self.set(value, at),
            ValueKind::Stage => {
                let (stage, at_once) = self.goto(node, at, Some(position))?;
                Some(Verb::Goto { stage, at_once })
            }
            ValueKind::Outcome => self.outcome(value).map(Verb::Finish),
            ValueKind::Handover => self.handover(value).map(Verb::Handover),
            ValueKind::Fragment => {
                let problem = Diagnostic::error("PB306", &value.place, "a fragment cannot be included in an arm");
                self.report().push(problem.help("include it in the list of a stage, or write its steps here"));
                None
            }
        }
    }

    /// PB101: a template that exists.
    fn template(&mut self, node: &Node) -> Option<String> {
        let known = self.shared.templates.keys().map(String::as_str);
        let id = self.known(node, "template", known)?;
        self.templates.insert(id.clone());
        Some(id)
    }

    /// The template of another field: `draft`, `meanwhile`.
    pub(super) fn template_named(&mut self, node: &Node) -> Option<String> {
        self.template(node)
    }

    fn choice(&mut self, value: &Node, node: &Node, at: &At, from: usize, arms: &mut Vec<Line>) -> Option<Choice> {
        if let Kind::List(items) = &value.kind {
            if let Some(cases) = node.key("cases") {
                self.report().error("PB001", cases, "`cases` stands beside an expression, not beside a list");
            }
            let items = items.clone();
            return self.choice_list(value, &items, at, from, arms);
        }
        let expr = self.bare(value, at, Expected::Choice, Some(node.clone()));
        let Some(cases) = node.get("cases") else {
            let key = node.key("choose").unwrap_or(node);
            self.report().push(
                Diagnostic::error("PB208", &key.place, "`choose` with an expression needs `cases:`")
                    .help("`cases: {ANSWER: {goto: STAGE}, ..}`, one for each answer"),
            );
            return None;
        };
        let cases = self.outlets(&cases.clone(), at, "", from, arms);
        Some(Choice::Cases { expr: expr?, cases })
    }

    fn choice_list(
        &mut self,
        value: &Node,
        items: &[Node],
        at: &At,
        from: usize,
        arms: &mut Vec<Line>,
    ) -> Option<Choice> {
        let (mut conditions, mut otherwise) = (Vec::new(), None);
        for (i, item) in items.iter().enumerate() {
            if let Some(last) = item.get("else") {
                read::only(self.report(), item, "the last entry of `choose`", &["else"]);
                otherwise = self.outlet(&last.clone(), at, "else", from, arms);
                if i + 1 < items.len() {
                    self.report().error("PB208", &items[i + 1], "nothing after `else` is ever read");
                }
                break;
            }
            let Some(when) = read::required(self.report(), item, "when").cloned() else { continue };
            let condition = self.condition(&when, at);
            let rest = item.entries().iter().filter(|(key, _)| key.text() != Some("when")).cloned().collect();
            let rest = Node { place: item.place.clone(), kind: Kind::Map(rest) };
            let outlet = self.outlet(&rest, at, &format!("when-{}", i + 1), from, arms);
            if let (Some(condition), Some(outlet)) = (condition, outlet) {
                conditions.push((condition, outlet));
            }
        }
        if items.last().is_none_or(|last| last.get("else").is_none()) && otherwise.is_none() {
            self.report().push(
                Diagnostic::error("PB208", &value.place, "this list of `choose` has no `else`")
                    .help("end with `- else: OUTLET`; `- else: []` goes on"),
            );
        }
        Some(Choice::List { arms: conditions, otherwise: otherwise? })
    }

    fn split(&mut self, value: &Node, node: &Node, at: &At, from: usize, arms: &mut Vec<Line>) -> Option<Verb> {
        read::name(self.report(), value)?;
        let weights = read::required(self.report(), node, "weights")?.clone();
        let lists = read::required(self.report(), node, "do")?.clone();
        let mut all = Vec::new();
        for (key, weight) in read::map(self.report(), &weights, "weights").to_vec() {
            let Some(name) = read::name(self.report(), &key) else { continue };
            let weight = read::count(self.report(), &weight, 1);
            let Some(steps) = lists.get(&name) else {
                let known = lists.entries().iter().filter_map(|(key, _)| key.text());
                let problem = Diagnostic::error("PB103", &key.place, format!("`do:` has no arm `{name}`"));
                self.report().push(problem.nearest(&name, known));
                continue;
            };
            let steps = read::list(self.report(), steps, "steps").to_vec();
            let inner = self.inside(at, from, &name);
            let line = self.step_list(&steps, &inner);
            let first = line.first().map_or(usize::MAX, |placed| placed.position);
            arms.push(line);
            all.push((name, weight?, first));
        }
        for (key, _) in lists.entries() {
            let name = key.text().unwrap_or_default();
            if weights.get(name).is_none() {
                self.report().error("PB103", key, format!("arm `{}` has no weight", read::cut(name)));
            }
        }
        if all.len() < 2 {
            self.report().error("PB009", &weights, "a split needs at least two arms");
        }
        Some(Verb::Split { arms: all })
    }

    fn set(&mut self, value: &Node, at: &At) -> Option<Verb> {
        let mut sets = Vec::new();
        for (key, value) in read::map(self.report(), value, "variables").to_vec() {
            let known: Vec<String> = self.head.vars.keys().cloned().collect();
            let Some(name) = self.known(&key, "variable", known.iter().map(String::as_str)) else { continue };
            let of = self.head.vars.get(&name).map(read::type_of)?;
            sets.push((name, self.value_arg(&value, at, Some(&of))?));
        }
        Some(Verb::Set(sets))
    }
}
