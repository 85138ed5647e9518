//! Names that need the whole list of steps, and what templates promise: files, locales, attachments, values, class.

use super::Builder;
use crate::diagnostic::Diagnostic;
use crate::read;
use crate::script::registry::NOTICES;
use crate::template::Template;
use crate::yaml::{Node, Place};
use recobro_kernel::expr::Arg;
use recobro_kernel::facts::{Channel, Class};
use recobro_kernel::playbook::{Step, Test, Then, Verb, Via};
use recobro_kernel::value::Value;

/// Country and the language its people are written to.
const LANGUAGES: &[(&str, &str)] = &[
    ("AD", "ca"),
    ("AR", "es"),
    ("AT", "de"),
    ("AU", "en"),
    ("BR", "pt"),
    ("CL", "es"),
    ("CO", "es"),
    ("DE", "de"),
    ("ES", "es"),
    ("FR", "fr"),
    ("GB", "en"),
    ("IE", "en"),
    ("IT", "it"),
    ("LU", "fr"),
    ("MX", "es"),
    ("NL", "nl"),
    ("PE", "es"),
    ("PL", "pl"),
    ("PT", "pt"),
    ("US", "en"),
    ("UY", "es"),
];

impl Builder<'_> {
    /// Approvals and `of:` name other steps; both are resolved once all steps are known.
    pub(super) fn resolve_names(&mut self) {
        for (position, named) in std::mem::take(&mut self.covers) {
            let covers = match named {
                None => self.outward_after(position),
                Some(node) => self.covered(&node, position),
            };
            self.steps[position].options.covers = covers;
        }
        for (position, node) in std::mem::take(&mut self.afters) {
            self.check_of(position, &node);
        }
    }

    /// Without `for:` an approval covers the outward steps after it in its stage.
    fn outward_after(&self, position: usize) -> Vec<usize> {
        let stage = self.steps[position].stage;
        (position + 1..self.cursor_len)
            .filter(|&other| self.steps[other].stage == stage && self.steps[other].verb.spec().outward)
            .collect()
    }

    fn covered(&self, node: &Node, position: usize) -> Vec<usize> {
        let mut all = Vec::new();
        for item in read::items(self.report(), node) {
            let Some(name) = read::name(self.report(), item) else { continue };
            let found: Vec<usize> =
                (0..self.cursor_len).filter(|&i| i != position && self.is_called(&self.steps[i], &name)).collect();
            if found.is_empty() {
                let outward = self.steps[..self.cursor_len].iter().filter(|step| step.verb.spec().outward);
                let known: Vec<&str> = outward.map(called).collect();
                let problem = Diagnostic::error(
                    "PB103",
                    &item.place,
                    format!("`for: {}` names no outward step", read::cut(&name)),
                );
                self.report().push(problem.nearest(&name, known.iter().copied()));
            }
            all.extend(found);
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    /// By id, path, or the desk or agency of a placement.
    fn is_called(&self, step: &Step, name: &str) -> bool {
        let scope = self.steps.iter().position(|other| std::ptr::eq(other, step)).map(|i| &self.step_scopes[i]);
        let local =
            scope.and_then(|scope| scope.prefix.as_ref()).is_some_and(|prefix| step.path == format!("{prefix}/{name}"));
        step.verb.spec().outward && (step.id == name || step.path == name || local || called(step) == name)
    }

    fn check_of(&self, position: usize, node: &Node) {
        let Some(name) = node.text() else { return };
        let earlier = self.steps[..position].iter().any(|step| step.id == name || step.path == name);
        if earlier || NOTICES.contains(&name) {
            return;
        }
        let known = self.steps[..position].iter().map(|step| step.id.as_str()).chain(NOTICES.iter().copied());
        self.report().push(
            Diagnostic::error(
                "PB103",
                &node.place,
                format!("`of: {}` names no earlier step and no kind of notice", read::cut(name)),
            )
            .nearest(name, known),
        );
    }

    /// What every message needs of its template.
    pub(super) fn check_messages(&self) {
        let shared = self.shared;
        for (position, step) in self.steps.iter().enumerate() {
            let (Verb::Send(id) | Verb::OfferPlan(id)) = &step.verb else { continue };
            let Some(template) = shared.templates.get(id) else { continue };
            let node = &self.nodes[position];
            let verb = node.key(step.verb.name()).unwrap_or(node);
            self.check_values(step, template, id, verb);
            self.check_files(step, template, id, verb, node);
            self.check_locales(step, template, id, verb);
            self.check_uses(position, template, id);
        }
        for handler in &self.handlers {
            let ends = matches!(handler.then, Then::Finish(_));
            let holds = handler
                .steps
                .iter()
                .any(|&i| matches!(self.steps[i].verb, Verb::Hold(_)) && self.steps[i].when.is_none());
            if ends || holds {
                self.check_classes(&handler.steps, if ends { "ends the case" } else { "holds the case" });
            }
        }
    }

    /// PB106: facts that may be missing, unless the handler's own event brings them.
    fn check_uses(&self, position: usize, template: &Template, id: &str) {
        let event = self.step_events[position].and_then(|event| event.split('.').next());
        let offers = matches!(self.steps[position].verb, Verb::OfferPlan(_)).then_some("plan");
        for used in &template.uses {
            let root = used.path.split('.').next();
            if root == event || root == offers {
                continue;
            }
            let message = format!("template `{id}` uses `{}`, which may be missing here", used.path);
            let step = &self.steps[position];
            self.report().push(
                Diagnostic::error("PB106", &used.place, message)
                    .note(format!("sent by {}:{}", step.file, step.line))
                    .help(format!("put it behind `{{% if {} %}}`", used.path)),
            );
        }
    }

    /// PB312: what would be recalled at once must not be ordered.
    fn check_classes(&self, steps: &[usize], why: &str) {
        for &position in steps {
            let step = &self.steps[position];
            let (Verb::Send(id) | Verb::OfferPlan(id)) = &step.verb else { continue };
            let class = self.shared.templates.get(id).map(|template| template.info.class);
            if let Some(class @ (Class::Dunning | Class::LegalNotice)) = class {
                let node = &self.nodes[position];
                let place = node.get(step.verb.name()).unwrap_or(node);
                self.report().push(
                    Diagnostic::error(
                        "PB312",
                        &place.place,
                        format!("`{id}` is of class {}, but this handler {why}", class.name()),
                    )
                    .help("only messages of class courtesy and transactional pass a hold or an end"),
                );
            }
        }
    }

    /// PB106: values that the template takes and `with:` does not pass.
    fn check_values(&self, step: &Step, template: &Template, id: &str, verb: &Node) {
        let known = ["agreed_method", "ends_by", "instalments", "max_instalments", "valid_for"];
        for name in template.info.takes.keys() {
            let own = matches!(step.verb, Verb::OfferPlan(_)) && known.contains(&name.as_str());
            if !step.options.with.contains_key(name) && !own {
                self.report().push(
                    Diagnostic::error(
                        "PB106",
                        &verb.place,
                        format!("template `{id}` takes `{name}`, which this step does not pass"),
                    )
                    .help(format!("add `with: {{{name}: ..}}`")),
                );
            }
        }
        for (place, needed) in &template.needs {
            if !step.options.attach.contains(needed) {
                let from = &place.file;
                self.report().push(
                    Diagnostic::error(
                        "PB106",
                        &verb.place,
                        format!("template `{id}` needs `{needed}`, which is not attached"),
                    )
                    .note(format!("needed by {from}:{}", place.start.line))
                    .help(format!("add it to `attach:`: `attach: [{needed}]`")),
                );
                break;
            }
        }
    }

    /// PB101: a channel for which the template has no file at all.
    fn check_files(&self, step: &Step, template: &Template, id: &str, verb: &Node, node: &Node) {
        for via in &step.options.via {
            let Via::Channel(channel) = via else { continue };
            if !template.info.files.contains_key(channel) {
                let place = node.get("via").map_or(&verb.place, |via| place_of(via, channel.name()));
                let has: Vec<&str> = template.info.files.keys().map(|channel| channel.name()).collect();
                self.report().push(
                    Diagnostic::error(
                        "PB101",
                        place,
                        format!("template `{id}` has no `{channel}` file", channel = channel.name()),
                    )
                    .help(format!(
                        "it has files for {}; add templates/{id}/{}.LOCALE.j2",
                        has.join(", "),
                        channel.name()
                    )),
                );
            }
        }
    }

    /// PB102: a language that a customer may have, without a file.
    fn check_locales(&self, step: &Step, template: &Template, id: &str, verb: &Node) {
        if step.options.allow_fallback || template.info.class.is_exempt() || !self.asks_locale() {
            return;
        }
        let legal = template.info.class == Class::LegalNotice;
        let countries = self.countries();
        if countries.is_empty() && legal {
            self.report().push(
                Diagnostic::warning(
                    "PB102",
                    &verb.place,
                    format!("legal notice `{id}` may go to any country, so in any language"),
                )
                .help("limit `customer.country` under `applies_to:`, or write `allow_fallback: true` on this step"),
            );
        }
        for via in &step.options.via {
            let Via::Channel(channel) = via else { continue };
            let Some(locales) = template.info.files.get(channel) else { continue };
            for (country, line) in &countries {
                let Some((_, locale)) = LANGUAGES.iter().find(|(code, _)| code == country) else { continue };
                if !locales.iter().any(|known| known == locale) {
                    self.missing_locale(&Missing { id, channel: *channel, locale, country, line: *line, legal }, verb);
                }
            }
        }
    }

    fn missing_locale(&self, missing: &Missing<'_>, verb: &Node) {
        let Missing { id, channel, locale, country, line, legal } = *missing;
        let channel = channel.name();
        let what = if legal { "legal notice" } else { "message" };
        let message = format!("{what} `{id}` has no `{channel}` file for locale `{locale}`");
        let next =
            self.head.contact.locales.iter().find_map(|arg| if let Arg::Const(next) = arg { Some(next) } else { None });
        let next = next.map(|next| format!("; the next locale tried is `{next}`")).unwrap_or_default();
        let note =
            format!("customer.country may be {country} (line {line}), so customer.locale may be `{locale}`{next}");
        let help = format!("add templates/{id}/{channel}.{locale}.j2, or write `allow_fallback: true` on this step");
        let problem = if legal {
            Diagnostic::error("PB102", &verb.place, message)
        } else {
            Diagnostic::warning("PB102", &verb.place, message)
        };
        self.report().push(problem.note(note).help(help));
    }

    /// Whether the customer's own language is asked for at all.
    fn asks_locale(&self) -> bool {
        self.head.contact.locales.iter().any(|arg| match arg {
            Arg::Expr(id) => self.expr_at(*id).source == "customer.locale",
            Arg::Const(_) => false,
        })
    }

    /// Countries that the playbook takes, with the line that says so.
    pub(super) fn countries(&self) -> Vec<(String, u32)> {
        let line = self.head.country_line;
        let tests = self.head.applies_to.tests.iter().filter(|(path, _)| path == "customer.country");
        let values = tests.flat_map(|(_, test)| match test {
            Test::Is(value) => vec![value.clone()],
            Test::In(values) => values.clone(),
            Test::Any | Test::Compare(..) | Test::Range(..) => Vec::new(),
        });
        values.filter_map(|value| if let Value::Text(code) = value { Some((code, line)) } else { None }).collect()
    }
}

#[derive(Clone, Copy)]
struct Missing<'a> {
    id: &'a str,
    channel: Channel,
    locale: &'a str,
    country: &'a str,
    line: u32,
    legal: bool,
}

/// The desk or agency of a placement, else the id.
fn called(step: &Step) -> &str {
    match &step.verb {
        Verb::Escalate(Arg::Const(name)) | Verb::Outsource(Arg::Const(name)) => name,
        _ => &step.id,
    }
}

/// The place of one item of a list.
fn place_of<'n>(node: &'n Node, text: &str) -> &'n Place {
    match &node.kind {
        crate::yaml::Kind::List(items) => {
            items.iter().find(|item| item.text() == Some(text)).map_or(&node.place, |item| &item.place)
        }
        _ => &node.place,
    }
}
