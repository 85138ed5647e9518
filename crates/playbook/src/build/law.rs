//! What the policies demand of a playbook: hours and caps, seasons, approvals, notices, consent, what its texts say.
//!
//! The guard keeps all of it at every contact and act, whatever stands here; these checks tell the author beforehand. A
//! policy that surely binds some of the playbook's customers gives errors; one that may bind some, because the playbook
//! names no country, gives warnings. Rules and policies with a last day are left to the guard: no check knows the date.

use super::Builder;
use crate::content::is_supplied;
use crate::diagnostic::Diagnostic;
use crate::read::examples::short;
use crate::statutes::rule_place;
use crate::yaml::{Node, Place};
use recobro_kernel::expr::Arg;
use recobro_kernel::facts::{Channel, Class};
use recobro_kernel::guard::policy::{Confidence, Kind, Of, Policy, Precondition, Rule, Term};
use recobro_kernel::playbook::{Cap, RequestClass, Step, Test, Verb, Via};
use recobro_kernel::time::{Hours, Span, Unit};
use recobro_kernel::value::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A policy that binds customers of the playbook.
#[derive(Clone, Copy)]
struct Binding<'a> {
    policy: &'a Policy,
    /// It surely binds some; else it may.
    sure: bool,
}

impl Binding<'_> {
    fn problem(self, code: &'static str, place: &Place, message: String) -> Diagnostic {
        if self.sure { Diagnostic::error(code, place, message) } else { Diagnostic::warning(code, place, message) }
    }
}

impl<'a> Builder<'a> {
    /// PB403 to PB410.
    pub(super) fn check_law(&self, node: &Node) {
        let bindings: Vec<Binding<'a>> = self.shared.law.policies.values().filter_map(|one| self.binds(one)).collect();
        for binding in &bindings {
            for rule in binding.policy.rules.iter().filter(|rule| rule.to.is_none() && self.may_apply(rule)) {
                self.check_rule(*binding, rule, node);
            }
        }
        self.check_undone();
    }

    fn check_rule(&self, binding: Binding<'a>, rule: &Rule, node: &Node) {
        match &rule.kind {
            Kind::Window { open, .. } if binding.sure && self.uses(rule) => {
                for one in open.iter().filter(|one| one.days.is_empty() || one.days.iter().any(|day| *day < 5)) {
                    self.hours_inside(binding, rule, one.hours, node);
                }
            }
            Kind::Frequency { most, per, of: Of::Customer, .. } if binding.sure => {
                self.caps_inside(binding, rule, (*most, *per), node);
            }
            Kind::Consent { opted_in: true } if binding.sure => self.reachable(binding, rule),
            Kind::Content { refuse, require } => self.texts(binding, rule, (refuse, require)),
            Kind::Precondition(wanted) => self.preconditions(binding, rule, wanted),
            Kind::Moratorium { season: Some(season), .. } => self.seasons_kept(binding, rule, season),
            Kind::Window { .. }
            | Kind::Frequency { .. }
            | Kind::Gap { .. }
            | Kind::Consent { .. }
            | Kind::Recipient { .. }
            | Kind::Moratorium { .. }
            | Kind::Deadline(_)
            | Kind::Retention { .. } => {}
        }
    }

    fn binds(&self, policy: &'a Policy) -> Option<Binding<'a>> {
        let kinds = self.may_be("customer.kind", &policy.debtor_kinds);
        let products = self.may_be("invoice.product", &policy.products);
        let ours = policy.is_for(self.shared.law.collector);
        if !kinds || !products || !ours || policy.to.is_some() {
            return None;
        }
        let named = self.head.policies.contains(&policy.name);
        if policy.jurisdictions.is_empty() {
            return named.then_some(Binding { policy, sure: true });
        }
        let countries = self.countries();
        if countries.is_empty() {
            return Some(Binding { policy, sure: named });
        }
        countries.iter().any(|(country, _)| policy.speaks_for(country)).then_some(Binding { policy, sure: true })
    }

    /// Whether the playbook's own tests let a fact be one of some texts; no texts mean any.
    fn may_be(&self, path: &str, texts: &[String]) -> bool {
        let passes = |text: &String| self.tests_of(path).all(|test| test.accepts(&Value::text(text)));
        texts.is_empty() || texts.iter().any(passes)
    }

    fn tests_of<'s>(&'s self, path: &'s str) -> impl Iterator<Item = &'s Test> {
        self.head.applies_to.tests.iter().filter(move |(of, _)| of == path).map(|(_, test)| test)
    }

    fn may_apply(&self, rule: &Rule) -> bool {
        // Only texts can be compared here; what is a flag or a list may always hold.
        let texts = |path: &str| path != "customer.vulnerable" && path != "customer.tags";
        rule.applies.iter().all(|(path, wanted)| !texts(path) || self.may_be(path, wanted))
    }

    /// Whether the playbook uses a channel that the rule is about.
    fn uses(&self, rule: &Rule) -> bool {
        rule.channels.is_empty() || self.channels().iter().any(|channel| rule.channels.contains(channel))
    }

    fn channels(&self) -> BTreeSet<Channel> {
        let via = self.steps.iter().flat_map(|step| &step.options.via).filter_map(|via| match via {
            Via::Channel(channel) => Some(*channel),
            Via::LastWorking => None,
        });
        let calls = self.steps.iter().any(|step| matches!(step.verb, Verb::Call(_)));
        via.chain(calls.then_some(Channel::Call)).collect()
    }

    fn rule_note(&self, rule: &Rule) -> String {
        let place = rule_place(&self.shared.policies, &rule.id);
        format!("rule {}, {}:{}; {}", short(&rule.id), place.file, place.start.line, rule.source)
    }

    /// PB403: the contact hours.
    fn hours_inside(&self, binding: Binding<'_>, rule: &Rule, law: Hours, node: &Node) {
        let own = self.head.contact.hours;
        let name = &binding.policy.name;
        let message = if own.from < law.from {
            let (law, own) = (law.from.format("%H:%M"), own.from.format("%H:%M"));
            format!("policy {name} forbids contact before {law}; this playbook allows {own}")
        } else if own.to > law.to {
            let (law, own) = (law.to.format("%H:%M"), own.to.format("%H:%M"));
            format!("policy {name} forbids contact from {law} on; this playbook allows it until {own}")
        } else {
            return;
        };
        let contact = node.get("contact");
        let place = contact.and_then(|contact| contact.get("hours")).or(contact).unwrap_or(node);
        self.report().push(binding.problem("PB403", &place.place, message).note(self.rule_note(rule)));
    }

    /// PB403: caps that allow in a shorter time, or the same, more than a policy does for the same channels.
    fn caps_inside(&self, binding: Binding<'_>, rule: &Rule, (most, per): (u32, Span), node: &Node) {
        let covers = |cap: &Cap| match cap.channel {
            Some(channel) => rule.channels.is_empty() || rule.channels.contains(&channel),
            None => rule.channels.is_empty() || self.channels().iter().all(|channel| rule.channels.contains(channel)),
        };
        let wide = |cap: &&Cap| covers(cap) && cap.most > most && days(cap.per) <= days(per);
        for cap in self.head.contact.caps.iter().filter(wide) {
            let what = cap.channel.map_or(String::new(), |channel| format!("{} ", channel.name()));
            let message = format!(
                "policy {} allows {most} {what}per {per}; this playbook's cap is {} per {}",
                binding.policy.name, cap.most, cap.per
            );
            let caps = node.get("contact").and_then(|contact| contact.get("caps")).unwrap_or(node);
            self.report().push(binding.problem("PB403", &caps.place, message).note(self.rule_note(rule)));
        }
    }

    /// PB404: an act that a season forbids carries it.
    fn seasons_kept(&self, binding: Binding<'_>, rule: &Rule, season: &str) {
        for (position, act) in self.acts(rule) {
            let step = &self.steps[position];
            if step.not_during.iter().any(|own| own == season) {
                continue;
            }
            let message = format!(
                "`{}` must carry `not_during: {season}` (policy {}, rule {})",
                shown(step, act),
                binding.policy.name,
                short(&rule.id)
            );
            self.report().push(
                binding.problem("PB404", self.place_of(position), message).note(self.rule_note(rule)).help(
                    "the guard would hold it back in any case; with the season the plan says so and asks `when:` again",
                ),
            );
        }
    }

    fn preconditions(&self, binding: Binding<'_>, rule: &Rule, wanted: &Precondition) {
        for (position, act) in self.acts(rule) {
            if wanted.approve > 0 {
                self.approved(binding, rule, (position, act), wanted.approve);
            }
            if let Some(notice) = &wanted.notice {
                self.noticed(binding, rule, (position, act), (notice, wanted));
            }
        }
    }

    /// PB405: an approval that covers the act, by enough people.
    fn approved(&self, binding: Binding<'_>, rule: &Rule, (position, act): (usize, &str), people: u32) {
        let approve = |step: &&Step| matches!(step.verb, Verb::Approve(_)) && step.options.covers.contains(&position);
        let most = self.steps.iter().filter(approve).map(|step| step.options.by.len().max(1)).max();
        let (name, id) = (&binding.policy.name, short(&rule.id));
        let act = shown(&self.steps[position], act);
        let (message, help) = match most {
            None => (
                format!("`{act}` is covered by no `approve` (policy {name}, rule {id})"),
                "put an `approve` before it in its stage, or name it in `for: [..]`",
            ),
            Some(found) if found < people as usize => (
                format!("`{act}` needs {people} people to approve it, {found} may (policy {name}, rule {id})"),
                "name that many roles: `by: [credit-manager, head-of-legal]`",
            ),
            Some(_) => return,
        };
        let problem = binding.problem("PB405", self.place_of(position), message);
        self.report().push(problem.note(self.rule_note(rule)).help(help));
    }

    /// PB406: the notice comes before the act, is proven if it must be, and has its time.
    fn noticed(
        &self,
        binding: Binding<'_>,
        rule: &Rule,
        (position, act): (usize, &str),
        (notice, wanted): (&str, &Precondition),
    ) {
        let gives = |step: &Step| match &step.verb {
            Verb::Send(id) | Verb::OfferPlan(id) => self
                .shared
                .templates
                .get(id)
                .is_some_and(|template| template.info.notice.iter().any(|one| one == notice)),
            _ => false,
        };
        let before = if position < self.cursor_len { position } else { self.cursor_len };
        let givers: Vec<usize> = (0..before).filter(|&other| gives(&self.steps[other])).collect();
        let (name, id) = (&binding.policy.name, short(&rule.id));
        let act = shown(&self.steps[position], act);
        let place = self.place_of(position);
        let Some(last) = givers.last() else {
            let message =
                format!("nothing before `{act}` gives the notice `{notice}` that policy {name} asks for (rule {id})");
            self.report().push(
                binding
                    .problem("PB406", place, message)
                    .note(self.rule_note(rule))
                    .help(format!("send a template before it whose header says `notice: [{notice}]`")),
            );
            return;
        };
        if wanted.delivered && !givers.iter().any(|&giver| self.steps[giver].options.proof) {
            let message = format!(
                "policy {name} counts from the proven delivery of `{notice}`, but `{}` does not wait for a proof",
                self.steps[*last].id
            );
            self.report().push(
                Diagnostic::warning("PB406", self.place_of(*last), message)
                    .note(self.rule_note(rule))
                    .help("add `proof: delivery` with `within:` and `on_timeout:`"),
            );
        }
        let since = wanted.since.as_ref().and_then(|term| self.length(binding.policy, term));
        if let (Some(since), Some(from), Some(to)) = (since, self.steps[*last].day, self.steps[position].day)
            && to - from < days(since)
        {
            let between = to - from;
            let message = format!(
                "`{act}` comes {between} days after the notice `{notice}`; policy {name} asks for {since} (rule {id})"
            );
            let problem = Diagnostic::warning("PB406", place, message).note(self.rule_note(rule));
            self.report().push(problem.help("the guard will hold it until the time has run; give it a later `day:`"));
        }
    }

    fn length(&self, policy: &Policy, term: &Term) -> Option<Span> {
        let name = match term {
            Term::Span(span) => return Some(*span),
            Term::Law(name) => name,
        };
        match policy.values.get(name).or_else(|| self.shared.law.value(name)) {
            Some(Value::Span(span)) => Some(*span),
            _ => None,
        }
    }

    /// PB407: channels that the customer must have asked for, and nothing else.
    fn reachable(&self, binding: Binding<'_>, rule: &Rule) {
        for (position, step) in self.steps.iter().enumerate() {
            let (Verb::Send(id) | Verb::OfferPlan(id)) = &step.verb else { continue };
            let class = self.shared.templates.get(id).map_or(Class::Dunning, |template| template.info.class);
            let closed = |via: &Via| match via {
                Via::Channel(channel) => rule.is_about(Some(*channel), class),
                Via::LastWorking => false,
            };
            if step.options.via.is_empty() || !step.options.via.iter().all(closed) {
                continue;
            }
            let names: Vec<&str> = step
                .options
                .via
                .iter()
                .filter_map(|via| if let Via::Channel(channel) = via { Some(channel.name()) } else { None })
                .collect();
            let message = format!(
                "`via: [{}]` for customers without recorded consent will always fall through",
                names.join(", ")
            );
            let node = &self.nodes[position];
            let place = node.get("via").map_or_else(|| self.place_of(position), |via| &via.place);
            self.report().push(
                Diagnostic::warning("PB407", place, message)
                    .note(format!("policy {}: {}", binding.policy.name, self.rule_note(rule)))
                    .help("add a channel that needs no consent, or expect `on_error` for most customers"),
            );
        }
    }

    /// PB408: what hurts is taken back when the invoice is paid.
    fn check_undone(&self) {
        let paid = self.handlers.iter().filter(|handler| handler.event == "invoice.paid");
        let asked: BTreeSet<&str> = paid
            .flat_map(|handler| &handler.steps)
            .filter_map(|&position| match &self.steps[position].verb {
                Verb::Request(action) => Some(action.as_str()),
                _ => None,
            })
            .collect();
        for (position, step) in self.steps.iter().enumerate() {
            let Verb::Request(action) = &step.verb else { continue };
            let Some(info) = self.shared.requests.get(action) else { continue };
            let Some(undo) = info.undo.as_deref().filter(|_| info.class == RequestClass::Adverse) else { continue };
            if !asked.contains(undo) {
                let message = format!("adverse request `{action}` is not undone under `invoice.paid`");
                self.report().push(
                    Diagnostic::error("PB408", self.place_of(position), message)
                        .help(format!("`{{request: {undo}, when: done(\"{}\")}}`", step.id)),
                );
            }
        }
    }

    /// PB409 and PB410: every file of every template that the playbook uses, of every class.
    fn texts(&self, binding: Binding<'_>, rule: &Rule, (refuse, require): (&[String], &[String])) {
        for id in &self.templates {
            let Some(template) = self.shared.templates.get(id) else { continue };
            for file in &template.files {
                let Some((channel, locale)) = crate::template::spoken(file) else { continue };
                let text = self.shared.text(file).filter(|_| rule.is_about(Some(channel), template.info.class));
                let Some(text) = text else { continue };
                let file: Arc<str> = Arc::from(file.as_str());
                for what in refuse {
                    self.refused(binding, rule, what, text.refused(&file, locale, what));
                }
                // What a message says by itself is not asked for; what law demands is kept at the hand-over, so a
                // playbook for any country hears where its text cannot go.
                let asked = binding.sure || rule.confidence != Confidence::House;
                let supplied = |what: &str| is_supplied(what, channel, template.info.class);
                let lacks = |what: &&String| asked && !supplied(what) && !text.states(locale, what);
                for what in require.iter().filter(lacks) {
                    let name = &binding.policy.name;
                    let message = format!("template `{id}` lacks what policy {name} requires: {}", required(what));
                    let problem = binding.problem("PB410", &Place::top(&file), message);
                    self.report().push(problem.note(self.rule_note(rule)));
                }
            }
        }
    }

    fn refused(&self, binding: Binding<'_>, rule: &Rule, what: &str, found: Vec<(Place, &'static str)>) {
        for (place, phrase) in found {
            let name = &binding.policy.name;
            let message = format!("the text says `{phrase}`: {}, which policy {name} refuses", refusal(what));
            // A text is the same for whoever reads it, so a policy that may bind refuses it as well.
            self.report().push(Diagnostic::error("PB409", &place, message).note(self.rule_note(rule)));
        }
    }

    /// Steps that do what the rule comes before, with the name it knows them by.
    fn acts<'s>(&'s self, rule: &'s Rule) -> impl Iterator<Item = (usize, &'s str)> {
        let named = self.steps.iter().enumerate().filter_map(|(position, step)| Some((position, act_of(step)?)));
        named.filter(|(_, act)| rule.before.contains(*act))
    }

    fn place_of(&self, position: usize) -> &Place {
        let node = &self.nodes[position];
        node.key(self.steps[position].verb.name()).map_or(&node.place, |key| &key.place)
    }
}

/// The name by which policies know a step that is no contact.
fn act_of(step: &Step) -> Option<&str> {
    match &step.verb {
        Verb::Escalate(_) => Some("escalate"),
        Verb::Outsource(_) => Some("outsource"),
        Verb::Request(action) => Some(action),
        _ => None,
    }
}

/// A step as its author wrote it.
fn shown(step: &Step, act: &str) -> String {
    match &step.verb {
        Verb::Escalate(Arg::Const(name)) | Verb::Outsource(Arg::Const(name)) => format!("{act}: {name}"),
        Verb::Request(action) => format!("request: {action}"),
        _ => act.to_owned(),
    }
}

/// What is refused, in words.
fn refusal(what: &str) -> &str {
    match what {
        "threat" => "a threat",
        "misleading_deadline" => "a deadline that nothing stands behind",
        "debt_not_claimable" => "that the debt cannot be claimed",
        "reason_for_default" => "a question for the reason of not paying",
        other => other,
    }
}

/// What is required, in words.
fn required(what: &str) -> &str {
    match what {
        "creditor" => "the creditor's name, `{{ creditor.name }}`",
        "amount" => "the amount, `{{ invoice.claimable | money }}`",
        "opt_out" => "a way to opt out, `{{ opt_out }}`",
        "how_to_object" => "how to object",
        "fixed_indemnity" => "the fixed sum, `{{ interest_statement.fixed_sum | money }}`",
        other => other,
    }
}

/// Days of a span, roughly where it counts months or working days.
fn days(span: Span) -> i64 {
    match span.unit {
        Unit::Minutes | Unit::Hours => 1,
        Unit::Days | Unit::WorkingDays => span.count,
        Unit::Weeks => span.count * 7,
        Unit::Months => span.count * 30,
    }
}
