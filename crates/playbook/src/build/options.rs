//! Options of steps: one reader per kind of the kernel's table, then one place where each is kept.

use super::{At, Builder, Line};
use crate::diagnostic::Diagnostic;
use crate::read;
use crate::script::Expected;
use crate::yaml::Node;
use recobro_kernel::effect::Retry;
use recobro_kernel::event;
use recobro_kernel::expr::{Arg, ExprId};
use recobro_kernel::playbook::{After, Bundle, Fallback, Meanwhile, Outlet, Repeat, Until, Verb, Via};
use recobro_kernel::step::{COMMON, OptionKind, OptionSpec, VerbSpec};
use recobro_kernel::time::Span;
use recobro_kernel::value::{Type, Value};
use std::collections::BTreeMap;

/// A value that was read by its kind.
enum Got {
    Name(String),
    Text(Arg<String>),
    Names(Vec<String>),
    Channels(Vec<Via>),
    With(BTreeMap<String, Arg<Value>>),
    Bool(bool),
    Int(i64),
    Count(Arg<i64>),
    Span(Span),
    Expr(ExprId),
    Until(Until),
    Outlet(Outlet),
    Outlets(BTreeMap<String, Outlet>),
    Repeat(Repeat),
    Fallback(Fallback),
    Bundle(Bundle),
    Proof,
    Meanwhile(Meanwhile),
    Retry(Retry),
}

impl Builder<'_> {
    pub(super) fn options(
        &mut self,
        spec: &'static VerbSpec,
        node: &Node,
        at: &At,
        position: usize,
        arms: &mut Vec<Line>,
    ) {
        for (key, value) in node.entries() {
            let name = key.text().unwrap_or_default();
            if name == spec.name {
                continue;
            }
            let Some(option) = COMMON.iter().chain(spec.options).find(|option| option.name == name) else {
                self.unknown_option(spec, key, position);
                continue;
            };
            if at.stage.is_none() && matches!(name, "day" | "after" | "repeat" | "not_during" | "meanwhile") {
                let problem = Diagnostic::error("PB306", &key.place, "a handler may not wait");
                self.report().push(problem.help(format!("remove `{name}:`; a handler orders and opens at once")));
                continue;
            }
            if let Some(got) = self.option(option, value, at, position, arms) {
                self.keep(option.name, got, value, position);
            }
        }
        self.needs(spec, node, at, position);
    }

    /// PB001 for a step, by its id.
    fn unknown_option(&self, spec: &VerbSpec, key: &Node, position: usize) {
        let name = key.text().unwrap_or_default();
        let known = Self::step_keys(spec);
        let article = if spec.name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        self.report().push(
            Diagnostic::error(
                "PB001",
                &key.place,
                format!("unknown key `{}` in step `{}`", read::cut(name), self.steps[position].id),
            )
            .nearest(name, known.iter().copied())
            .help(format!("{article} `{}` step knows: {}", spec.name, known.join(" "))),
        );
    }

    fn option(&mut self, option: &OptionSpec, node: &Node, at: &At, from: usize, arms: &mut Vec<Line>) -> Option<Got> {
        let report = self.report();
        Some(match option.kind {
            OptionKind::Name if option.name == "note" => Got::Name(read::words(report, node)?),
            OptionKind::Name if option.name == "draft" => Got::Name(self.template_named(node)?),
            OptionKind::Name => Got::Name(read::name(report, node)?),
            OptionKind::NameOrExpr => Got::Text(self.text_arg(node, at, Expected::Type(Type::Text))?),
            OptionKind::Names if option.name == "not_during" => Got::Names(self.seasons(node)),
            OptionKind::Names => Got::Names(read::names(report, node)),
            OptionKind::Channels => Got::Channels(read::channels(report, node)),
            OptionKind::With => Got::With(self.with(node, at, from)),
            OptionKind::Bool => Got::Bool(read::boolean(report, node)?),
            OptionKind::Int => Got::Int(read::int(report, node)?),
            OptionKind::IntOrExpr => Got::Count(self.int_arg(node, at)?),
            OptionKind::Span => Got::Span(read::span(report, option.name, node)?),
            OptionKind::DateOrExpr => Got::Expr(self.date_expr(node, at)?),
            OptionKind::Until => Got::Until(self.until(node, at)?),
            OptionKind::Outlet => Got::Outlet(self.outlet(node, at, option.name, from, arms)?),
            // The verb itself has read these.
            OptionKind::Outlets if option.name == "cases" => return None,
            OptionKind::Weights | OptionKind::Arms => return None,
            OptionKind::Outlets => Got::Outlets(self.outlets(node, at, "", from, arms)),
            OptionKind::Repeat => Got::Repeat(read::repeat(report, node)?),
            OptionKind::Fallback => Got::Fallback(self.fallback(node)?),
            OptionKind::Bundle => Got::Bundle(read::bundle(report, node)?),
            OptionKind::Proof => {
                if node.text() != Some("delivery") {
                    read::wrong(report, node, "`delivery`");
                }
                Got::Proof
            }
            OptionKind::Condition => Got::Expr(self.condition(node, at)?),
            OptionKind::Meanwhile => Got::Meanwhile(self.meanwhile(node)?),
            OptionKind::Retry => Got::Retry(self.retry(node)?),
        })
    }

    fn keep(&mut self, name: &str, got: Got, node: &Node, position: usize) {
        if name == "of" {
            self.afters.push((position, node.clone()));
        }
        let step = &mut self.steps[position];
        let options = &mut step.options;
        match (name, got) {
            ("day", Got::Int(day)) => step.day = Some(day),
            ("after", Got::Span(span)) => {
                let of = step.after.take().and_then(|after| after.of);
                step.after = Some(After { span, of });
            }
            ("of", Got::Name(of)) => {
                let span = step.after.take().map_or(Span::days(0), |after| after.span);
                step.after = Some(After { span, of: Some(of) });
            }
            ("when", Got::Expr(when)) => step.when = Some(when),
            ("not_during", Got::Names(seasons)) => step.not_during.extend(seasons),
            ("meanwhile", Got::Meanwhile(meanwhile)) => step.meanwhile = Some(meanwhile),
            ("retry", Got::Retry(retry)) => step.retry = retry,
            ("on_error", Got::Outlet(outlet)) => step.on_error = outlet,
            ("repeat", Got::Repeat(repeat)) => step.repeat = Some(repeat),
            ("required", Got::Bool(required)) => step.required = required,
            ("give_up", Got::Span(span)) => step.give_up = span,
            ("via", Got::Channels(via)) => options.via = via,
            ("to", Got::Name(to)) => options.to = to,
            ("cc", Got::Names(cc)) => options.cc = cc,
            ("from", Got::Text(from)) => options.from = Some(from),
            ("with", Got::With(with)) => options.with = with,
            ("attach", Got::Names(attach)) => options.attach = attach,
            ("bundle", Got::Bundle(bundle)) => options.bundle = Some(bundle),
            ("fallback", Got::Fallback(fallback)) => options.fallback = Some(fallback),
            ("allow_fallback", Got::Bool(allow)) => options.allow_fallback = allow,
            ("proof", Got::Proof) => options.proof = true,
            ("within", Got::Span(span)) => options.within = Some(span),
            ("due", Got::Expr(due)) => options.due = Some(due),
            ("on_timeout", Got::Outlet(outlet)) => options.on_timeout = Some(outlet),
            ("on_reject", Got::Outlet(outlet)) => options.on_reject = Some(outlet),
            ("assign", Got::Text(assign)) => options.assign = Some(assign),
            ("attempts", Got::Repeat(attempts)) => options.attempts = Some(attempts),
            ("outcomes", Got::Outlets(outcomes)) => options.outcomes = outcomes,
            ("hold_while_open", Got::Bool(hold)) => options.hold_while_open = hold,
            ("draft", Got::Name(draft)) => options.draft = Some(draft),
            ("by", Got::Names(by)) => options.by = by,
            ("max_instalments", Got::Count(most)) => options.max_instalments = Some(most),
            ("ends_by", Got::Expr(date)) => options.ends_by = Some(date),
            ("method", Got::Name(method)) => options.method = Some(method),
            ("valid_for", Got::Span(span)) => options.valid_for = Some(span),
            ("for", Got::Span(span)) => options.wait_at_most = Some(span),
            ("until", Got::Until(until)) => options.until = Some(until),
            ("at_most", Got::Span(span)) => options.at_most = Some(span),
            // `id`, `note`, `was`, `for` of an approval and `at_once` are read where they matter.
            _ => {}
        }
    }

    /// Options without which a step makes no sense.
    fn needs(&self, spec: &VerbSpec, node: &Node, at: &At, position: usize) {
        let step = &self.steps[position];
        let verb = node.key(spec.name).unwrap_or(node);
        let missing = |key: &str| node.get(key).is_none();
        if missing("after") && !missing("of") {
            self.report().error("PB009", verb, "`of:` says from where `after:` counts; `after:` is missing");
        }
        if let Some(bundle) = node.key("bundle").filter(|_| spec.name == "notify") {
            let scope = at.event.and_then(event::find).map(|kind| kind.scope);
            if scope != Some(event::Scope::Customer) {
                let message = "`bundle:` of a `notify` needs the news of a customer: a handler of an event such as `customer.changed`";
                self.report().error("PB006", bundle, message);
            } else if matches!(step.options.bundle, Some(Bundle { window: Some(_) })) {
                self.report().error(
                    "PB006",
                    bundle,
                    "a `notify` has no window: what is said once is said of one change",
                );
            }
        }
        if spec.name == "approve" {
            for key in ["on_reject", "on_timeout", "by"] {
                if missing(key) {
                    self.report().error("PB009", verb, format!("approval `{}` has no `{key}:`", step.id));
                }
            }
        }
        let endless = match spec.name {
            "approve" | "call" => missing("within"),
            "task" => missing("within") && missing("due"),
            "wait_for" => missing("for"),
            _ => false,
        };
        let reminds = matches!(step.options.on_timeout, Some(Outlet::Remind(_)));
        if endless && (at.stage.is_some() || reminds) {
            let key = if spec.name == "wait_for" { "for" } else { "within" };
            let mut problem =
                Diagnostic::error("PB302", &verb.place, "this wait can never end").label(format!("no `{key}:` limit"));
            if spec.name == "wait_for" {
                problem = problem
                    .help("add `for: 5 working days`; only `invoice.paid` and other handlers could free the case");
            } else {
                problem = problem.help(format!("add `{key}: 5 working days`"));
            }
            self.report().push(problem);
        }
        if let Verb::Hold(name) = &step.verb {
            self.hold_ends(name, verb, node, position);
        }
    }

    /// PB307: a hold ends by a date or by its longest life.
    fn hold_ends(&self, name: &str, verb: &Node, node: &Node, position: usize) {
        let dated = matches!(self.steps[position].options.until, Some(Until::Date(_) | Until::On(_)));
        if dated || node.get("at_most").is_some() {
            return;
        }
        self.report().push(
            Diagnostic::error("PB307", &verb.place, format!("hold `{name}` has no `at_most`"))
                .help("add `at_most: 30 days` and say under `on_timeout:` what happens then"),
        );
    }

    /// Seasons that some calendar knows.
    pub(super) fn seasons(&self, node: &Node) -> Vec<String> {
        let known: Vec<&str> = self
            .shared
            .law
            .calendars
            .values()
            .flat_map(|calendar| calendar.seasons.keys())
            .map(String::as_str)
            .collect();
        let items = read::items(self.report(), node);
        items.into_iter().filter_map(|item| self.known(item, "season", known.iter().copied())).collect()
    }

    fn until(&mut self, node: &Node, at: &At) -> Option<Until> {
        if node.expression().is_some() {
            return self.value_expr(node, at, Expected::Type(Type::Date)).map(Until::Date);
        }
        let text = node.text().unwrap_or_default();
        if let Some(date) = read::plain_date(text) {
            return Some(Until::On(date));
        }
        if event::find(text).is_none() && !text.contains('.') {
            read::wrong(self.report(), node, "a date, `= EXPRESSION` or an event");
            return None;
        }
        self.event(node).map(|event| Until::Event(event.to_owned()))
    }

    fn fallback(&self, node: &Node) -> Option<Fallback> {
        read::only(self.report(), node, "`fallback`", &["after", "if"]);
        let condition = read::required(self.report(), node, "if")?;
        if condition.text() != Some("no_reply") {
            read::wrong(self.report(), condition, "`no_reply`");
        }
        let after = read::required(self.report(), node, "after")?;
        Some(Fallback { after: read::span(self.report(), "after", after)? })
    }

    fn meanwhile(&mut self, node: &Node) -> Option<Meanwhile> {
        read::only(self.report(), node, "`meanwhile`", &["every", "send", "via"]);
        let template = self.template_named(&read::required(self.report(), node, "send")?.clone())?;
        let class = self.shared.templates.get(&template).map(|template| template.info.class);
        if class.is_some_and(|class| class != recobro_kernel::facts::Class::Courtesy) {
            let send = node.get("send").unwrap_or(node);
            self.report().error(
                "PB312",
                send,
                format!("`{template}` is not of class courtesy; `meanwhile:` sends nothing else"),
            );
        }
        let via = node.get("via").map(|via| read::channels(self.report(), via));
        let every = read::required(self.report(), node, "every")?;
        let every = read::span(self.report(), "every", every)?;
        let email = vec![Via::Channel(recobro_kernel::facts::Channel::Email)];
        Some(Meanwhile { template, via: via.unwrap_or(email), every })
    }

    /// Values by name, typed by the template or the action that takes them.
    fn with(&mut self, node: &Node, at: &At, from: usize) -> BTreeMap<String, Arg<Value>> {
        let shared = self.shared;
        let types: Option<&BTreeMap<String, Type>> = match &self.steps[from].verb {
            Verb::Send(id) | Verb::OfferPlan(id) => shared.templates.get(id).map(|template| &template.info.takes),
            Verb::Request(action) => shared.requests.get(action).map(|info| &info.with),
            _ => None,
        };
        let mut all = BTreeMap::new();
        for (key, value) in read::map(self.report(), node, "values").to_vec() {
            let Some(name) = read::name(self.report(), &key) else { continue };
            let of = types.and_then(|types| types.get(&name));
            if let (Some(types), None) = (types, of) {
                let known: Vec<&str> = types.keys().map(String::as_str).collect();
                read::unknown_key(self.report(), &key, &format!("`with` of `{}`", self.steps[from].id), &known);
                continue;
            }
            if let Some(arg) = self.value_arg(&value, at, of) {
                all.insert(name, arg);
            }
        }
        all
    }
}
