//! Orders outward acts: contacts on the first channel that can reach the customer, placements, requests, staff notices.

use super::{Flow, Walk};
use crate::case::InFlight;
use crate::effect::{Effect, EffectKind, Retry};
use crate::event::Event;
use crate::facts::{Channel, Class, ContactMade};
use crate::guard::{self, Verdict};
use crate::ids::{EffectId, GroupId, Hash};
use crate::playbook::{RequestClass, Step, TemplateInfo, Verb, Via};
use crate::record::Record;
use crate::schedule::Wish;
use crate::value::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An outward act that wants to be ordered.
pub(super) struct Order {
    /// Step.
    pub(super) position: usize,
    /// First channel of `via` to try.
    pub(super) channel: usize,
    /// Part of the key.
    pub(super) occurrence: u32,
    /// Handler run.
    pub(super) group: GroupId,
    /// The handler's event, for expressions.
    pub(super) event: Option<Arc<Event>>,
    /// Ordered by the cursor's step.
    pub(super) of_cursor: bool,
}

/// What became of an order.
pub(super) enum Ordered {
    /// It is in the outbox.
    Out(EffectId),
    /// No channel can reach the customer; what was tried and why not.
    Exhausted(Vec<String>),
}

/// Why the channels that were tried cannot take a message.
type PassedOver = Vec<(Channel, String)>;

/// A channel that can take the message.
struct Route {
    via: usize,
    channel: Channel,
    locale: String,
    to: Option<String>,
}

/// What asks for money and friendly words leave together, each among its own; a notice of the law and a confirmation
/// speak for themselves.
fn is_bundled(class: Class) -> bool {
    matches!(class, Class::Dunning | Class::Courtesy)
}

impl Walk<'_> {
    /// The template's class of a contact step; calls and unknown templates count as dunning.
    pub(super) fn class_of(&self, step: &Step) -> Class {
        let info = step.verb.template().and_then(|template| self.playbook.templates.get(template));
        info.map_or(Class::Dunning, |info| info.class)
    }

    /// The contact wish of a step, nothing where it is no contact.
    pub(super) fn wish_of(&self, step: &Step, index: usize, group: Option<GroupId>) -> Option<Wish> {
        if !crate::schedule::is_contact(step) {
            return None;
        }
        let class = self.class_of(step);
        // Room is asked for on the channel that it would leave by; a cap on one without an address holds nothing.
        let reaches = |via: &&Via| match via {
            Via::Channel(channel) => guard::reach(self.facts, (*channel, class), &step.options.to).is_some(),
            Via::LastWorking => true,
        };
        let via = step.options.via.get(index..).unwrap_or_default();
        let named = match via.iter().find(reaches).or(via.first()) {
            Some(Via::Channel(channel)) => Some(*channel),
            Some(Via::LastWorking) | None => None,
        };
        let channel = if matches!(step.verb, Verb::Call(_)) { Some(Channel::Call) } else { named };
        let together = if group.is_none() { self.together(step, index, class) } else { None };
        Some(Wish { channel, group: together.or(group), class, bundled: together.is_some() })
    }

    /// The group of what leaves in one message: by customer, class, channel and address, where the playbook bundles. What
    /// is required, gives a notice or waits for its proof speaks for itself.
    fn together(&self, step: &Step, first: usize, class: Class) -> Option<GroupId> {
        let Verb::Send(template) = &step.verb else { return None };
        let gives_notice = self.playbook.templates.get(template).is_none_or(|info| !info.notice.is_empty());
        if self.playbook.contact.bundle.is_none()
            || !is_bundled(class)
            || step.required
            || step.options.proof
            || gives_notice
        {
            return None;
        }
        // The first channel that reaches the customer is the one it would leave by.
        step.options.via.iter().skip(first).find_map(|via| {
            let Via::Channel(channel) = via else { return None };
            let point = guard::reach(self.facts, (*channel, class), &step.options.to)?;
            Some(self.group_together((*channel, class), point.map(|point| point.id.as_str())))
        })
    }

    fn group_together(&self, (channel, class): (Channel, Class), point: Option<&str>) -> GroupId {
        let (customer, point) = (self.case.customer.as_str(), point.unwrap_or_default());
        GroupId::derive(&["together", customer, channel.name(), class.name(), point])
    }

    /// Orders a `send` or `offer_plan` on the first channel that works.
    pub(super) fn order_contact(&mut self, order: &Order) -> Flow<Ordered> {
        let Some(step) = self.step(order.position) else { return Ok(Ordered::Exhausted(Vec::new())) };
        let (Verb::Send(template) | Verb::OfferPlan(template)) = &step.verb else {
            return Ok(Ordered::Exhausted(Vec::new()));
        };
        let Some(info) = self.playbook.templates.get(template) else {
            return Ok(Ordered::Exhausted(vec![format!("template {template} is unknown")]));
        };
        let locales = self.locales(order)?;
        let (route, passed) = self.route(step, info, &locales, order.channel);
        self.pass_over(order.position, &passed);
        let Some(route) = route else {
            let why = passed.into_iter().map(|(channel, why)| format!("{}: {why}", channel.name()));
            return Ok(Ordered::Exhausted(why.collect()));
        };
        let lane = route.channel.name();
        let id = self.effect_id(&step.path, order.occurrence, lane);
        let mut effect = Effect {
            kind: EffectKind::Contact,
            channel: Some(route.channel),
            class: info.class,
            locale: route.locale,
            to: route.to,
            content: info.hash,
            // What a stage says by itself is said about an invoice that is owed: paid or held, it stays unsaid.
            exempt: info.class.is_exempt() && !order.of_cursor,
            ..self.effect(id, lane, template, step, order)?
        };
        let own = order.of_cursor && self.call_before(order.position).is_none();
        let together = if own { self.together(step, route.via, info.class) } else { None };
        if let Some(group) = together {
            (effect.group, effect.bundled) = (group, true);
        }
        let state = Self::in_flight(order, &effect, route.via);
        self.push_effect(order, effect, state);
        Ok(Ordered::Out(id))
    }

    fn locales(&mut self, order: &Order) -> Flow<Vec<String>> {
        let place = self.place(order.position);
        let playbook = self.playbook;
        let mut locales = Vec::with_capacity(playbook.contact.locales.len());
        for arg in &playbook.contact.locales {
            // Reading the customer's language is no decision worth a record of its own: it shows in the effect.
            match arg {
                crate::expr::Arg::Const(text) => locales.push(text.clone()),
                crate::expr::Arg::Expr(id) if playbook.expr(*id).source == "customer.locale" => {
                    locales.push(self.facts.customer.locale.clone());
                }
                crate::expr::Arg::Expr(id) => {
                    let value = self.eval(&place, "locales", *id, order.event.as_ref())?;
                    locales.push(value.to_string());
                }
            }
        }
        Ok(locales)
    }

    /// Each channel on which the message does not leave, and why, is in the log: also where another one takes it.
    fn pass_over(&mut self, position: usize, passed: &PassedOver) {
        for (channel, rule) in passed {
            self.restrain(position, Some(*channel), Verdict::Forbid { rule: rule.clone() }, &[]);
        }
    }

    /// The first channel that works, and those passed over before it.
    fn route(&self, step: &Step, info: &TemplateInfo, locales: &[String], from: usize) -> (Option<Route>, PassedOver) {
        let mut why = Vec::new();
        for (via, wanted) in step.options.via.iter().enumerate().skip(from) {
            let channel = match wanted {
                Via::Channel(channel) => *channel,
                Via::LastWorking => self.last_working(),
            };
            let files = info.files.get(&channel).map_or(&[][..], Vec::as_slice);
            // `es-MX` reads Spanish before it reads another language.
            let of = |locale: &str| files.iter().find(|file| *file == locale);
            let exists = |locale: &String| of(locale).or_else(|| of(locale.split(['-', '_']).next()?));
            let any = || files.first().filter(|_| step.options.allow_fallback || locales.is_empty());
            let Some(locale) = locales.iter().find_map(exists).or_else(any) else {
                why.push((channel, format!("no text in {}", locales.join(", "))));
                continue;
            };
            let Some(point) = guard::reach(self.facts, (channel, info.class), &step.options.to) else {
                why.push((channel, self.unreachable(channel, info.class)));
                continue;
            };
            let wish = Wish { channel: Some(channel), group: None, class: info.class, bundled: false };
            if let Some(rule) = self.bound().closes(wish, channel, point, &self.facts.customer.contact_points) {
                why.push((channel, rule.to_owned()));
                continue;
            }
            let to = point.map(|point| point.id.clone());
            return (Some(Route { via, channel, locale: locale.clone(), to }), why);
        }
        (None, why)
    }

    /// Why nobody is reached: there is an address, and the customer wants nothing by it.
    fn unreachable(&self, channel: Channel, class: Class) -> String {
        let points = &self.facts.customer.contact_points;
        let refusing = points.iter().find(|point| point.channel == channel && point.consent.closes(class));
        refusing.map_or_else(|| "no usable address".to_owned(), |point| point.consent.words(class))
    }

    fn last_working(&self) -> Channel {
        self.facts.contacts.last().map_or(Channel::Email, |made| made.channel)
    }

    fn effect_id(&self, path: &str, occurrence: u32, lane: &str) -> EffectId {
        let case = &self.case;
        EffectId::derive(&[&case.id.to_string(), &case.generation.to_string(), path, &occurrence.to_string(), lane])
    }

    /// The parts that every effect of a step shares.
    fn effect(&mut self, id: EffectId, lane: &str, subject: &str, step: &Step, order: &Order) -> Flow<Effect> {
        let place = self.place(order.position);
        let event = order.event.as_ref();
        let from = self.text_arg(&place, "from", step.options.from.as_ref(), event)?;
        let mut with = BTreeMap::new();
        for (name, arg) in &step.options.with {
            let value = match arg {
                crate::expr::Arg::Const(value) => value.clone(),
                crate::expr::Arg::Expr(expr) => self.eval(&place, &format!("with.{name}"), *expr, event)?,
            };
            with.insert(name.clone(), value);
        }
        self.offer_terms(step, order, &mut with)?;
        Ok(Effect {
            id,
            case: self.case.id,
            invoice: self.case.invoice.clone(),
            customer: self.case.customer.clone(),
            kind: EffectKind::Contact,
            lane: lane.to_owned(),
            channel: None,
            class: Class::Dunning,
            step: step.path.clone(),
            stage: place.stage,
            subject: subject.to_owned(),
            locale: String::new(),
            to: None,
            role: if step.options.to.is_empty() { "billing".to_owned() } else { step.options.to.clone() },
            from: from.unwrap_or_else(|| self.playbook.owner.clone()),
            with,
            offers_plan: matches!(step.verb, Verb::OfferPlan(_)),
            bundled: false,
            attach: step.options.attach.clone(),
            group: order.group,
            ordered_at: self.now,
            exempt: false,
            retry: step.retry,
            content: self.case.content,
            key: None,
        })
    }

    /// The limits of an offered plan travel with the message.
    fn offer_terms(&mut self, step: &Step, order: &Order, with: &mut BTreeMap<String, Value>) -> Flow {
        let place = self.place(order.position);
        let options = &step.options;
        match &options.max_instalments {
            None => {}
            Some(crate::expr::Arg::Const(most)) => {
                with.insert("max_instalments".to_owned(), Value::Int(*most));
            }
            Some(crate::expr::Arg::Expr(id)) => {
                let most = self.eval(&place, "max_instalments", *id, order.event.as_ref())?;
                with.insert("max_instalments".to_owned(), most);
            }
        }
        if let Some(id) = options.ends_by {
            let date = self.eval(&place, "ends_by", id, order.event.as_ref())?;
            with.insert("ends_by".to_owned(), date);
        }
        if let Some(span) = options.valid_for {
            with.insert("valid_until".to_owned(), Value::Date(self.calendar.add(self.today, span)));
        }
        if let Some(method) = &options.method {
            with.insert("method".to_owned(), Value::text(method));
        }
        Ok(())
    }

    fn in_flight(order: &Order, effect: &Effect, via: usize) -> InFlight {
        InFlight {
            step: order.position,
            kind: effect.kind,
            class: effect.class,
            channel: effect.channel,
            via,
            exempt: effect.exempt,
            of_cursor: order.of_cursor,
            unknown: false,
        }
    }

    fn push_effect(&mut self, order: &Order, effect: Effect, state: InFlight) {
        self.emit(Record::Ordered {
            place: self.place(order.position),
            effect: effect.id,
            subject: effect.subject.clone(),
            lane: effect.lane.clone(),
            occurrence: order.occurrence,
            to: effect.to.clone(),
            state,
            content: effect.content,
            claimable_minor: self.facts.invoice.claimable_minor(),
        });
        if let Some(channel) = effect.channel.filter(|_| effect.kind == EffectKind::Contact) {
            let (class, group, invoice) = (effect.class, effect.group, effect.invoice.clone());
            let made =
                ContactMade { at: self.now, on: self.today, channel, class, group, invoice, talk: false, left: false };
            self.contacts.to_mut().push(made);
        }
        self.effects.push(effect);
    }

    /// Orders an `escalate` or `outsource`.
    pub(super) fn order_placement(&mut self, order: &Order) -> Flow {
        let Some(step) = self.step(order.position) else { return Ok(()) };
        let (lane, party) = match &step.verb {
            Verb::Escalate(party) => ("legal", party),
            Verb::Outsource(party) => ("agency", party),
            _ => return Ok(()),
        };
        let place = self.place(order.position);
        let party = self.text_arg(&place, "party", Some(party), None)?.unwrap_or_default();
        let id = self.effect_id(&step.path, order.occurrence, lane);
        let effect = Effect { kind: EffectKind::Placement, ..self.effect(id, lane, &party, step, order)? };
        let state = Self::in_flight(order, &effect, 0);
        self.push_effect(order, effect, state);
        Ok(())
    }

    /// Orders a `request`.
    pub(super) fn order_request(&mut self, order: &Order) -> Flow<EffectId> {
        let step = self.step(order.position);
        let action = match step.map(|step| &step.verb) {
            Some(Verb::Request(action)) => action.clone(),
            _ => String::new(),
        };
        let restoring = self.is_restoring(order.position);
        let adverse = self.playbook.requests.get(&action).is_none_or(|info| info.class == RequestClass::Adverse);
        let path = step.map_or("", |step| step.path.as_str());
        let id = self.effect_id(path, order.occurrence, "request");
        if let Some(step) = step {
            let effect = Effect {
                kind: EffectKind::Request,
                class: if adverse { Class::Dunning } else { Class::Transactional },
                exempt: restoring,
                ..self.effect(id, "request", &action, step, order)?
            };
            let state = Self::in_flight(order, &effect, 0);
            self.push_effect(order, effect, state);
        }
        Ok(id)
    }

    /// Tells staff. Nobody waits for it.
    pub(super) fn notify(&mut self, to: &str, subject: &str, key: &str) {
        let id = self.effect_id(&format!("notify/{key}/{}", self.case.rev), 0, "staff");
        let effect = self.house_effect(id, EffectKind::Notify, "staff", subject, to);
        self.record_house_effect(effect, true);
    }

    /// Tells staff once for all cases of the customer that hear the same news: each orders, all under one key, and a lane
    /// takes a key once. So nothing depends on which cases are open, or which of them has the handler.
    pub(super) fn notify_once(&mut self, to: &str, subject: &str, key: &str, event: &Event) {
        let id = self.effect_id(&format!("notify/{key}/{}", self.case.rev), 0, "staff");
        let news = serde_json::to_string(&event.fields).unwrap_or_default();
        let (customer, at) = (self.case.customer.to_string(), event.at.to_string());
        let shared = EffectId::derive(&["notify", &customer, to, subject, &event.name, &at, &news]);
        let effect = self.house_effect(id, EffectKind::Notify, "staff", subject, to);
        self.record_house_effect(Effect { key: Some(shared), ..effect }, true);
    }

    /// A case that ends, restarts or times out while placed takes the claim back.
    pub(super) fn order_recall(&mut self, agency: &str) {
        // One generation may place twice, so the turn tells its recalls apart.
        let id = self.effect_id(&format!("placement.recall/{}", self.case.rev), self.case.generation, "request");
        let mut effect = self.house_effect(id, EffectKind::Request, "request", "placement.recall", agency);
        effect.with.insert("agency".to_owned(), Value::text(agency));
        self.record_house_effect(effect, true);
    }

    fn house_effect(&self, id: EffectId, kind: EffectKind, lane: &str, subject: &str, to: &str) -> Effect {
        let place = self.place(self.case.cursor.position);
        Effect {
            id,
            case: self.case.id,
            invoice: self.case.invoice.clone(),
            customer: self.case.customer.clone(),
            kind,
            lane: lane.to_owned(),
            channel: None,
            class: Class::Transactional,
            step: place.step,
            stage: place.stage,
            subject: subject.to_owned(),
            locale: String::new(),
            to: None,
            role: to.to_owned(),
            from: self.playbook.owner.clone(),
            with: BTreeMap::new(),
            offers_plan: false,
            bundled: false,
            attach: Vec::new(),
            group: self.group_of(&id.to_string()),
            ordered_at: self.now,
            exempt: true,
            retry: Retry::default(),
            content: Hash::default(),
            key: None,
        }
    }

    fn record_house_effect(&mut self, effect: Effect, exempt: bool) {
        let position = self.case.cursor.position;
        let state = InFlight {
            step: position,
            kind: effect.kind,
            class: effect.class,
            channel: None,
            via: 0,
            exempt,
            of_cursor: false,
            unknown: false,
        };
        let order = Order { position, channel: 0, occurrence: 0, group: effect.group, event: None, of_cursor: false };
        self.push_effect(&order, effect, state);
    }
}

impl Walk<'_> {
    /// Orders the friendly word of a `meanwhile`; its key keeps it apart from the step's own messages.
    pub(super) fn order_meanwhile(
        &mut self,
        position: usize,
        key: &str,
        meanwhile: &crate::playbook::Meanwhile,
    ) -> Flow {
        let Some(step) = self.step(position) else { return Ok(()) };
        let Some(info) = self.playbook.templates.get(&meanwhile.template) else { return Ok(()) };
        let occurrence = self.case.marks.steps.get(key).map_or(0, |mark| mark.sent);
        let out = self.effect_id(key, occurrence, "meanwhile");
        if self.case.in_flight.contains_key(&out) {
            return Ok(());
        }
        let group = self.group_of(&out.to_string());
        let order = Order { position, channel: 0, occurrence, group, event: None, of_cursor: false };
        let locales = self.locales(&order)?;
        let mut spoken = step.clone();
        spoken.options.via.clone_from(&meanwhile.via);
        let (route, passed) = self.route(&spoken, info, &locales, 0);
        self.pass_over(position, &passed);
        let Some(route) = route else { return Ok(()) };
        let effect = Effect {
            kind: EffectKind::Contact,
            lane: route.channel.name().to_owned(),
            channel: Some(route.channel),
            class: info.class,
            locale: route.locale,
            to: route.to,
            content: info.hash,
            exempt: info.class.is_exempt(),
            ..self.effect(out, route.channel.name(), &meanwhile.template, step, &order)?
        };
        let state = Self::in_flight(&order, &effect, route.via);
        self.push_effect(&order, effect, state);
        Ok(())
    }

    /// The mark under which a `meanwhile` message is counted; nothing for every other effect.
    pub(super) fn meanwhile_key(&self, effect: EffectId, state: &InFlight) -> Option<String> {
        let step = self.step(state.step)?;
        step.meanwhile.as_ref()?;
        let key = format!("{}/meanwhile", step.path);
        let occurrence = self.case.marks.steps.get(&key).map_or(0, |mark| mark.sent);
        (self.effect_id(&key, occurrence, "meanwhile") == effect).then_some(key)
    }
}
