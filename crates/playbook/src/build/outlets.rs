//! Outlets: `{goto}`, `{finish}`, `{remind}`, `{handover}`, one step or `{do: [steps]}`; and what follows a handler.

use super::{At, Builder, Jump, Line, Scope};
use crate::diagnostic::Diagnostic;
use crate::read;
use crate::script::Expected;
use crate::yaml::{Kind, Node};
use recobro_kernel::event;
use recobro_kernel::playbook::{Handover, Outcome, Outlet, Then};
use recobro_kernel::step;
use recobro_kernel::value::Type;
use std::collections::BTreeMap;
use std::rc::Rc;

const OUTLET: &str = "an outlet: {goto}, {finish}, {remind: ROLE}, one step, or {do: [steps]}";

impl Builder<'_> {
    /// An outlet of the step at `at`'s prefix; a broken one leaves the check of reach undone.
    pub(super) fn outlet(
        &mut self,
        node: &Node,
        at: &At,
        arm: &str,
        from: usize,
        arms: &mut Vec<Line>,
    ) -> Option<Outlet> {
        let found = self.read_outlet(node, at, arm, from, arms);
        self.broken |= found.is_none();
        found
    }

    /// Its steps are placed right here in the list of positions.
    fn read_outlet(&mut self, node: &Node, at: &At, arm: &str, from: usize, arms: &mut Vec<Line>) -> Option<Outlet> {
        let inner = self.inside(at, from, arm);
        match &node.kind {
            Kind::List(items) => {
                let items = items.clone();
                return Some(self.outlet_steps(&items, &inner, arms));
            }
            Kind::Map(_) => {}
            Kind::Scalar(..) => {
                read::wrong(self.report(), node, OUTLET);
                return None;
            }
        }
        let first = node.entries().iter().find_map(|(key, _)| {
            let name = key.text()?;
            (matches!(name, "do" | "remind") || step::find(name).is_some()).then_some(name)
        });
        match first {
            Some("goto") => {
                read::only(self.report(), node, "an outlet with `goto`", &["at_once", "goto"]);
                let (stage, at_once) = self.goto(node, at, at.stage.map(|_| from))?;
                Some(Outlet::Goto { stage, at_once })
            }
            Some("finish") => {
                read::only(self.report(), node, "an outlet with `finish`", &["finish"]);
                self.outcome(node.get("finish")?).map(Outlet::Finish)
            }
            Some("remind") => {
                read::only(self.report(), node, "an outlet with `remind`", &["remind"]);
                self.text_arg(node.get("remind")?, at, Expected::Type(Type::Text)).map(Outlet::Remind)
            }
            Some("handover") => {
                read::only(self.report(), node, "an outlet with `handover`", &["handover"]);
                self.handover(node.get("handover")?).map(Outlet::Handover)
            }
            Some("do") => {
                read::only(self.report(), node, "an outlet with `do`", &["do"]);
                let steps = read::list(self.report(), node.get("do")?, "steps").to_vec();
                Some(self.outlet_steps(&steps, &inner, arms))
            }
            Some(_) => Some(self.outlet_steps(std::slice::from_ref(node), &inner, arms)),
            None => {
                read::wrong(self.report(), node, OUTLET);
                None
            }
        }
    }

    fn outlet_steps(&mut self, steps: &[Node], at: &At, arms: &mut Vec<Line>) -> Outlet {
        let line = self.step_list(steps, at);
        if line.is_empty() {
            return Outlet::Next;
        }
        let positions = line.iter().map(|placed| placed.position).collect();
        arms.push(line);
        Outlet::Steps(positions)
    }

    /// Where the steps of an arm stand: behind the path of their step.
    pub(super) fn inside(&self, at: &At, from: usize, arm: &str) -> At {
        At { prefix: format!("{}/{arm}/", self.steps[from].path), arm: true, ..at.clone() }
    }

    /// Outlets by name.
    pub(super) fn outlets(
        &mut self,
        node: &Node,
        at: &At,
        arm: &str,
        from: usize,
        arms: &mut Vec<Line>,
    ) -> BTreeMap<String, Outlet> {
        let mut all = BTreeMap::new();
        for (key, value) in read::map(self.report(), node, "outlets").to_vec() {
            let Some(name) = read::name(self.report(), &key) else { continue };
            let arm = if arm.is_empty() { name.clone() } else { format!("{arm}.{name}") };
            if let Some(outlet) = self.outlet(&value, at, &arm, from, arms) {
                all.insert(name, outlet);
            }
        }
        all
    }

    /// `goto` with its `at_once`.
    pub(super) fn goto(&mut self, node: &Node, at: &At, from: Option<usize>) -> Option<(usize, bool)> {
        let name = node.get("goto")?;
        let to = self.stage_named(name, &Rc::clone(&at.scope), "goto")?;
        let at_once = node.get("at_once").and_then(|flag| read::boolean(self.report(), flag)).unwrap_or(false);
        self.jumps.push(Jump { from, to, place: name.place.clone(), at_once });
        Some((to, at_once))
    }

    /// PB103: a stage by its name; inside a fragment its own stages come first.
    pub(super) fn stage_named(&self, node: &Node, scope: &Rc<Scope>, key: &str) -> Option<usize> {
        let name = read::name(self.report(), node)?;
        let find = |wanted: &str| self.stages.iter().position(|stage| stage.name == wanted);
        let own = scope.prefix.as_ref().and_then(|prefix| find(&format!("{prefix}/{name}")));
        let found = own.or_else(|| find(&name));
        if found.is_none() {
            let known = self.stages.iter().map(|stage| stage.name.as_str());
            let problem =
                Diagnostic::error("PB103", &node.place, format!("`{key}: {}` names no stage", read::cut(&name)))
                    .nearest(&name, known.clone());
            let listed = known.collect::<Vec<_>>().join(", ");
            self.report().push(if problem.label.is_none() {
                problem.help(format!("stages are {listed}"))
            } else {
                problem
            });
        }
        found
    }

    /// An outcome out of the closed list.
    pub(super) fn outcome(&self, node: &Node) -> Option<Outcome> {
        let name = node.text().unwrap_or_default();
        let found = Outcome::parse(name);
        if found.is_none() {
            let known = Outcome::ALL.map(Outcome::name);
            self.report().push(
                Diagnostic::error("PB103", &node.place, format!("`finish: {}` names no outcome", read::cut(name)))
                    .nearest(name, known)
                    .help(format!("outcomes are {}", known.join(", "))),
            );
        }
        found
    }

    /// `{playbook, at}`; the stage is checked where that playbook is.
    pub(super) fn handover(&self, node: &Node) -> Option<Handover> {
        read::only(self.report(), node, "`handover`", &["at", "playbook"]);
        let known = self.shared.names.iter().map(String::as_str);
        let playbook = self.known(read::required(self.report(), node, "playbook")?, "playbook", known)?;
        let at = node.get("at").and_then(|at| read::name(self.report(), at));
        Some(Handover { playbook, at })
    }

    /// PB104: an event of the catalogue that a playbook may name.
    pub(super) fn event(&self, node: &Node) -> Option<&'static str> {
        let name = node.text().unwrap_or_default();
        let open = |kind: &&event::EventKind| kind.scope != event::Scope::Internal;
        if let Some(kind) = event::find(name).filter(open) {
            return Some(kind.name);
        }
        let known = event::EVENTS.iter().filter(open).map(|kind| kind.name);
        self.report().push(
            Diagnostic::error(
                "PB104",
                &node.place,
                format!("event `{}` is not in the event catalogue", read::cut(name)),
            )
            .nearest(name, known),
        );
        None
    }

    /// What follows a handler's `do`.
    pub(super) fn then(&mut self, node: &Node, at: &At) -> Option<Then> {
        match node.text() {
            Some("resume") => return Some(Then::Resume),
            Some("restart") => return Some(Then::Restart),
            _ => {}
        }
        let first = node.entries().first().and_then(|(key, _)| key.text());
        match first {
            Some("goto" | "at_once") if node.get("goto").is_some() => {
                read::only(self.report(), node, "`then` with `goto`", &["at_once", "goto"]);
                let (stage, at_once) = self.goto(node, at, None)?;
                Some(Then::Goto { stage, at_once })
            }
            Some("finish") => {
                read::only(self.report(), node, "`then` with `finish`", &["finish"]);
                self.outcome(node.get("finish")?).map(Then::Finish)
            }
            Some("handover") => {
                read::only(self.report(), node, "`then` with `handover`", &["handover"]);
                self.handover(node.get("handover")?).map(Then::Handover)
            }
            _ => {
                read::wrong(self.report(), node, "`resume`, `restart`, {goto}, {finish} or {handover}");
                None
            }
        }
    }
}
