//! From an effect and its facts to a message: what templates may read, and who it is from and to.

mod interest;
mod opt_out;
mod together;

use crate::deliver::Wanted;
use crate::settings::{Sender, Settings};
use chrono::NaiveDate;
use recobro_connectors::channel::Outgoing;
use recobro_connectors::template::{TemplateContext, Templates, html_of, plain, put};
use recobro_kernel::effect::{Effect, EffectKind};
use recobro_kernel::facts::{Facts, OPTIONAL_ROOTS, PlanFacts, Registry, has_root};
use recobro_kernel::ids::InvoiceId;
use recobro_kernel::interest::Statement;
use recobro_kernel::money::Money;
use recobro_kernel::plan::Part;
use recobro_kernel::time::Timestamp;
use recobro_kernel::value::Value;
use std::collections::BTreeMap;

/// Where a message goes. The only place where name and address meet outside the database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recipient {
    /// Name shown.
    pub(crate) name: String,
    /// Role that was found.
    pub(crate) role: String,
    /// Address on the effect's channel.
    pub(crate) address: String,
}

/// Everything a rendering needs beside the effect.
pub(crate) struct Rendering<'a> {
    /// Snapshot at the dispatch check.
    pub(crate) facts: &'a Facts,
    /// What the law adds to the invoice, where a table of rates is for its customer.
    pub(crate) interest: Option<&'a Statement>,
    /// The facts that the case's playbook was checked with.
    pub(crate) registry: &'a Registry,
    /// Recipient.
    pub(crate) recipient: &'a Recipient,
    /// The pinned templates.
    pub(crate) templates: &'a Templates,
    /// Sender and creditor.
    pub(crate) settings: &'a Settings,
    /// Hand-over time.
    pub(crate) at: Timestamp,
    /// The invoices that it is about, where several leave in one message.
    pub(crate) lines: &'a [Line],
    /// Whether the way to opt out is put under the text.
    pub(crate) opt_out: Wanted,
}

/// An invoice of a message about several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The invoice.
    pub(crate) invoice: InvoiceId,
    /// Printed number.
    pub(crate) number: String,
    /// Due date.
    pub(crate) due: NaiveDate,
    /// What may be asked for.
    pub(crate) claimable: Money,
    /// Level of its own text.
    pub(crate) level: u8,
}

/// The sender of a role: settings know some, the rest is the default sender with that role.
fn sender<'a>(settings: &'a Settings, role: &str) -> &'a Sender {
    settings.senders.get(role).unwrap_or(&settings.default_sender)
}

/// Renders an effect into what its lane takes.
///
/// # Errors
/// The reason, for people, why this message can never leave as it is: a template that lacks a value.
pub(crate) fn render(effect: &Effect, with: &Rendering<'_>) -> Result<Outgoing, String> {
    let from = sender(with.settings, &effect.from);
    let mut item = Outgoing {
        key: effect.key.unwrap_or(effect.id).to_string(),
        lane: effect.lane.clone(),
        to_name: with.recipient.name.clone(),
        to_address: with.recipient.address.clone(),
        from_name: from.name.clone(),
        from_address: from.email.clone(),
        at: with.at,
        meta: meta(effect, with.facts),
        ..Outgoing::default()
    };
    match effect.kind {
        EffectKind::Contact if with.settings.render => {
            let channel = effect.channel.map_or(effect.lane.as_str(), |channel| channel.name());
            let context = context(effect, with);
            let done = with
                .templates
                .render(&effect.subject, channel, &effect.locale, &context)
                .map_err(|problem| problem.to_string())?;
            let lists = with.templates.lists_invoices(&effect.subject, channel, &effect.locale);
            let list = if lists { None } else { together::list(with.lines, &effect.locale, channel) };
            item.subject_line = done.subject;
            item.headers = opt_out::headers(effect, with.settings.opt_out.as_ref());
            let line = opt_out::line(effect, &with.facts.customer.kind, with.settings.opt_out.as_ref(), with.opt_out);
            let text = list.map(|list| together::put(&done.text, &list, &from.name)).unwrap_or(done.text);
            item.text = line.map(|line| opt_out::put(&text, &line, channel)).unwrap_or(text);
            item.html = Some(html_of(&item.text));
        }
        EffectKind::Contact | EffectKind::Placement | EffectKind::Request | EffectKind::Notify => {
            item.subject_line.clone_from(&effect.subject);
        }
    }
    Ok(item)
}

fn meta(effect: &Effect, facts: &Facts) -> BTreeMap<String, String> {
    let mut meta: BTreeMap<String, String> = [
        ("case", effect.case.to_string()),
        ("invoice", effect.invoice.to_string()),
        ("customer", effect.customer.to_string()),
        ("step", effect.step.clone()),
        ("subject", effect.subject.clone()),
        ("claimable", facts.invoice.money(facts.invoice.claimable_minor()).to_string()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    if effect.kind == EffectKind::Notify {
        meta.insert("to".to_owned(), effect.role.clone());
    }
    for (name, value) in &effect.with {
        meta.insert(format!("with.{name}"), value.to_string());
    }
    if !effect.attach.is_empty() {
        meta.insert("attach".to_owned(), effect.attach.join(","));
    }
    meta
}

/// What templates may read: every fact, the promised variables, and what the step passed.
fn context(effect: &Effect, with: &Rendering<'_>) -> TemplateContext {
    let offered;
    let facts = if effect.offers_plan {
        offered = crate::offer::facts(effect, with.facts);
        &offered
    } else {
        with.facts
    };
    let settings = with.settings;
    let mut context = serde_json::json!({});
    for fact in with.registry.all() {
        put(&mut context, fact.path(), plain(&fact.read(facts)));
    }
    for root in OPTIONAL_ROOTS.iter().filter(|root| !has_root(facts, root)) {
        put(&mut context, root, serde_json::Value::Null);
    }
    if let Some(plan) = &facts.plan {
        put(&mut context, "plan.schedule", schedule(plan, facts));
    }
    let from = sender(settings, &effect.from);
    let creditor = &settings.creditor;
    let invoice = &facts.invoice;
    let own = [Line {
        invoice: invoice.id.clone(),
        number: invoice.number.clone(),
        due: invoice.due,
        claimable: invoice.money(invoice.claimable_minor()),
        level: 1,
    }];
    let lines = if with.lines.is_empty() { &own[..] } else { with.lines };
    let (invoices, statement) = together::variables(lines, invoice.currency);
    let link = settings.payment_link.replace("{invoice}", &invoice.number);
    let variables = serde_json::json!({
        "creditor": {"name": creditor.name, "address": creditor.address, "city": creditor.city, "iban": creditor.iban},
        "sender": {
            "name": from.name,
            "role": if from.role.is_empty() { effect.from.as_str() } else { from.role.as_str() },
            "phone": from.phone,
            "email": from.email,
        },
        "contact": {
            "name": with.recipient.name,
            "role": if with.recipient.role.is_empty() { effect.role.as_str() } else { with.recipient.role.as_str() },
            "address": with.recipient.address,
        },
        "payment_link": link,
        "opt_out": opt_out::variable(effect, settings.opt_out.as_ref()),
        "today": facts.today.to_string(),
        "invoices": invoices,
        "statement": statement,
        "attach": effect.attach,
    });
    if let serde_json::Value::Object(map) = variables {
        for (name, value) in map {
            put(&mut context, &name, value);
        }
    }
    put(&mut context, "interest_statement", interest::variable(with.interest, facts));
    for (name, value) in &effect.with {
        put(&mut context, name, plain(value));
    }
    context
}

/// The dates of a plan as templates list them.
fn schedule(plan: &PlanFacts, facts: &Facts) -> serde_json::Value {
    let money = |minor: i64| plain(&Value::Decimal(facts.invoice.money(minor).to_decimal()));
    let row = |(number, part): (usize, &Part)| {
        let status = if part.rest_minor() == 0 { "paid" } else { part.told.name() };
        serde_json::json!({
            "number": number,
            "due": part.instalment.due.to_string(),
            "amount": money(part.instalment.amount_minor),
            "paid": money(part.paid_minor),
            "status": status,
        })
    };
    (1..).zip(&plan.parts).map(row).collect()
}
