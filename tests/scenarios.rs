//! Runs every file of `tests/scenarios` on the real engine; all failures are told at once.

use crate::checks::{always, deeds, text, then, told};
use crate::program::root;
use crate::simulate::customer;
use crate::world::{World, before, invoice, is_step, points, said, zone_of};
use chrono::NaiveDate;
use recobro_connectors::source::record::{
    Customer, Dispute, DisputeChange, Hold, HoldChange, OutsideEvent, Payment, Plan, PlanChange, PlanTerms, Promise,
    Record, Reply,
};
use recobro_engine::{Answer, Until};
use recobro_kernel::ids::Hash;
use recobro_kernel::money::{Currency, Money};
use recobro_kernel::record::Record as Kept;
use recobro_kernel::time::Timestamp;
use serde::Deserialize;
use serde_yaml::{Mapping, Value};
use std::collections::BTreeMap;
use std::fmt::Write as _;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    #[serde(rename = "scenario")]
    #[expect(dead_code, reason = "the title is for readers")]
    title: String,
    playbook: String,
    playbook_text: Option<String>,
    given: Given,
    #[serde(default)]
    when: Vec<Mapping>,
    then: Vec<Mapping>,
    #[serde(default)]
    always: Vec<Mapping>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    invoice: BTreeMap<String, Value>,
    customer: BTreeMap<String, Value>,
    contacts: Option<Vec<String>>,
    enters: Option<String>,
}

/// An entry of `when` with its instant.
struct Entry {
    at: Timestamp,
    fields: BTreeMap<String, String>,
}

impl Entry {
    fn get(&self, key: &str) -> &str {
        self.fields.get(key).map_or("", String::as_str)
    }

    fn day(&self, key: &str) -> Result<NaiveDate, String> {
        self.get(key).parse().map_err(|error| format!("{key} `{}`: {error}", self.get(key)))
    }
}

#[test]
fn every_scenario_holds() {
    let folder = root().join("tests/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    files.sort();
    assert!(files.len() >= 60, "the scenarios are there");
    let queue = std::sync::Mutex::new(files.into_iter());
    let failed = std::sync::Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(path) = queue.lock().unwrap().next() else { return };
                    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
                    let played = std::panic::catch_unwind(|| play_file(&path));
                    let problem = match played {
                        Ok(Ok(())) => continue,
                        Ok(Err(problem)) => problem,
                        Err(_) => "panicked".to_owned(),
                    };
                    failed.lock().unwrap().insert(name, problem);
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    let mut report = String::new();
    for (name, problem) in &failed {
        let _ = writeln!(report, "  {name}: {problem}");
    }
    assert!(failed.is_empty(), "{} scenarios failed\n{report}", failed.len());
}

fn play_file(path: &std::path::Path) -> Result<(), String> {
    let source = std::fs::read_to_string(path).map_err(said)?;
    let scenario: Scenario = serde_yaml::from_str(&source).map_err(said)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(said)?;
    runtime.block_on(play(&scenario))
}

async fn play(scenario: &Scenario) -> Result<(), String> {
    let mut world = open(scenario).await?;
    let mut entries = Vec::new();
    for line in &scenario.when {
        let mut fields: BTreeMap<String, String> = line.iter().map(|(key, value)| (text(key), text(value))).collect();
        let at = world.local(&fields.remove("at").ok_or("an entry of `when` has no `at`")?)?;
        entries.push(Entry { at, fields });
    }
    entries.sort_by_key(|entry| entry.at);
    let mut news = vec![Record::Customer(world.customer.clone()), world.invoice_record()];
    for (n, entry) in entries.iter().enumerate() {
        news.extend(record(&world, entry, n)?);
    }
    world.receive(news).await?;
    counts(scenario, &world).await?;
    for (n, entry) in entries.iter().enumerate() {
        if record(&world, entry, n)?.is_none() {
            act(&mut world, entry).await?;
        }
    }
    world.until(Until::Done).await?;
    judge(scenario, &world).await
}

async fn open(scenario: &Scenario) -> Result<World, String> {
    let given = &scenario.given;
    let of = |map: &BTreeMap<String, Value>, key: &str| map.get(key).map(text);
    let invoice_of = |key: &str| of(&given.invoice, key);
    let customer_of = |key: &str| of(&given.customer, key);
    let currency: Currency = invoice_of("currency").unwrap_or_else(|| "EUR".into()).parse().map_err(said)?;
    let amount = invoice_of("amount").or_else(|| invoice_of("balance")).ok_or("no balance")?;
    let amount = Money::parse(&amount, currency).map_err(said)?;
    let date = |text: String| text.parse::<NaiveDate>().map_err(|error| format!("{text}: {error}"));
    let due = date(invoice_of("due").ok_or("no due date")?)?;
    let issued = invoice_of("issued").map_or(Ok(before(due, 30)), date)?;
    let product = invoice_of("product").unwrap_or_else(|| "goods".into());
    let country = customer_of("country").unwrap_or_else(|| "ES".into());
    let segment = customer_of("segment").unwrap_or_else(|| "standard".into());
    let risk = customer_of("risk").unwrap_or_else(|| "medium".into());
    let zone = match customer_of("time_zone") {
        Some(zone) => zone.parse().map_err(|_| format!("no zone {zone}"))?,
        None => zone_of(&country),
    };
    let customer = Customer {
        kind: customer_of("kind").unwrap_or_else(|| "business".into()),
        locale: customer_of("locale").unwrap_or_else(|| "es".into()),
        time_zone: zone,
        account_manager: customer_of("account_manager"),
        vulnerable: customer_of("vulnerable").as_deref() == Some("true"),
        contact_points: points(given.contacts.as_deref()),
        ..customer(&segment, &country, &risk)
    };
    let own = scenario.playbook_text.as_deref().map(|text| (scenario.playbook.as_str(), text));
    let mut world = World::open(own, customer, invoice(amount, issued, due, &product)).await?;
    if let Some(enters) = &given.enters {
        world.invoice.at = Some(world.local(enters)?);
    }
    Ok(world)
}

/// Counts that the ledger would have from earlier invoices.
async fn counts(scenario: &Scenario, world: &World) -> Result<(), String> {
    let count = |key: &str| scenario.given.customer.get(key).map(|value| text(value).parse::<i64>().unwrap_or(0));
    let (broken, kept, late) = (count("broken_promises"), count("kept_promises"), count("late_payments_12m"));
    if broken.is_none() && kept.is_none() && late.is_none() {
        return Ok(());
    }
    let entered = world.invoice.at.unwrap_or_else(|| Timestamp::start_of(world.invoice.issued, world.zone));
    world.until(Until::At(entered)).await?;
    let month = before(world.invoice.issued, 31).format("%Y-%m").to_string();
    world
        .count(|row| {
            row.broken_promises += broken.unwrap_or(0);
            row.kept_promises += kept.unwrap_or(0);
            if let Some(late) = late {
                row.late_by_month.insert(month, late);
            }
        })
        .await
}

/// Ledger news are known before their time and taken at it.
fn record(world: &World, entry: &Entry, n: usize) -> Result<Option<Record>, String> {
    let (at, on) = (Some(entry.at), entry.at.date_in(world.zone));
    let invoice = world.invoice.id.clone();
    let payment = |amount: Money| {
        Record::Payment(Payment {
            id: format!("P-{n}"),
            invoice: Some(invoice.clone()),
            invoices: Vec::new(),
            customer: None,
            amount,
            on,
            at,
            reference: String::new(),
        })
    };
    if let Some(amount) = entry.fields.get("payment") {
        return Ok(Some(payment(world.money(amount)?)));
    }
    if let Some(amount) = entry.fields.get("payment_returned") {
        let amount = world.money(amount)?;
        return Ok(Some(payment(Money::new(-amount.minor, amount.currency))));
    }
    let amount = || entry.fields.get("amount").map(|amount| world.money(amount)).transpose();
    let dispute = |change| Record::Dispute(Dispute { id: "D-1".to_owned(), invoice: invoice.clone(), change, on, at });
    let reply = |kind: &str| {
        Record::Reply(Reply {
            id: format!("R-{n}"),
            customer: Some(world.customer.id.clone()),
            invoice: Some(invoice.clone()),
            channel: entry.get("channel").to_owned(),
            kind: kind.to_owned(),
            on,
            at,
            text: String::new(),
        })
    };
    Ok(Some(match entry.get("event") {
        "invoice.paid" => payment(amount()?.unwrap_or(world.invoice.amount)),
        "promise.made" => Record::Promise(Promise {
            id: format!("T-{n}"),
            customer: Some(world.customer.id.clone()),
            invoices: vec![invoice.clone()],
            made_on: on,
            date: entry.day("date")?,
            amount: amount()?,
            method: None,
            by: None,
            at,
        }),
        "dispute.opened" => {
            let reason = entry.get("reason").to_owned();
            dispute(DisputeChange::Opened { reason, amount: amount()?, owner: None, answer_by: None })
        }
        "dispute.closed" => dispute(DisputeChange::Closed { outcome: entry.get("outcome").to_owned(), credit: None }),
        "plan.accepted" => plan(entry, &invoice, (on, at))?,
        "hold.placed" | "hold.released" => hold(entry, &invoice, (on, at))?,
        "reply.received" => reply(entry.get("kind")),
        "channel.opted_out" => reply("opt_out"),
        // It may put the customer under protection, which is the ledger's to note.
        "hardship.reported" => Record::Event(OutsideEvent {
            id: format!("E-{n}"),
            event: "hardship.reported".to_owned(),
            customer: Some(world.customer.id.clone()),
            invoice: None,
            on,
            at,
            fields: entry.fields.get("kind").map(|kind| ("kind".to_owned(), kind.clone())).into_iter().collect(),
        }),
        _ => return Ok(None),
    }))
}

/// A plan that people agreed, over the whole invoice.
fn plan(entry: &Entry, invoice: &str, (on, at): (NaiveDate, Option<Timestamp>)) -> Result<Record, String> {
    let number = |key: &str| entry.fields.get(key).map(|text| text.parse().map_err(said)).transpose();
    let terms = PlanTerms {
        invoices: vec![invoice.to_owned()],
        instalments: number("instalments")?,
        first_on: Some(entry.day("first")?),
        default_after: number("default_after")?,
        ..PlanTerms::default()
    };
    let change = PlanChange::Agreed(Box::new(terms));
    Ok(Record::Plan(Plan { id: entry.get("plan").to_owned(), change, on, at }))
}

/// A hold on the invoice.
fn hold(entry: &Entry, invoice: &str, (on, at): (NaiveDate, Option<Timestamp>)) -> Result<Record, String> {
    let change = if entry.get("event") == "hold.released" {
        HoldChange::Released { by: None }
    } else {
        HoldChange::Placed {
            invoice: Some(invoice.to_owned()),
            customer: None,
            class: Vec::new(),
            reason: entry.get("reason").to_owned(),
            owner: "ana".to_owned(),
            until: entry.day("until")?,
            note: String::new(),
        }
    };
    Ok(Record::Hold(Hold { id: entry.get("hold").to_owned(), change, on, at }))
}

/// The offer that a step sent is declined.
async fn decline(world: &World, entry: &Entry) -> Result<(), String> {
    let effect = last_sent(world, entry.get("offer")).await?.ok_or("no offer left")?;
    let id = format!("plan-{}", Hash::of(effect.as_bytes()).short());
    let (on, at) = (entry.at.date_in(world.zone), Some(entry.at));
    world.receive(vec![Record::Plan(Plan { id, change: PlanChange::Declined {}, on, at })]).await
}

async fn last_sent(world: &World, step: &str) -> Result<Option<String>, String> {
    let records = world.played().await?.into_iter().flat_map(|played| played.turns).flat_map(|turn| turn.records);
    let sent = records.filter_map(|record| match record {
        Kept::Sent { place, effect, .. } if is_step(&place.step, step) => Some(effect.to_string()),
        _ => None,
    });
    Ok(sent.last())
}

/// Everything that happens at its time and is no ledger row.
async fn act(world: &mut World, entry: &Entry) -> Result<(), String> {
    world.just_before(entry.at).await?;
    let get = |key: &str| entry.get(key);
    let optional = |key: &str| entry.fields.get(key).cloned();
    for (key, outcome) in [("approve", "approved"), ("reject", "rejected"), ("call", ""), ("task", "")] {
        let Some(step) = entry.fields.get(key) else { continue };
        let answer = Answer {
            outcome: optional("outcome").unwrap_or_else(|| outcome.to_owned()),
            date: optional("date").and_then(|date| date.parse().ok()),
            amount: optional("amount"),
            reason: optional("reason"),
            seen: None,
        };
        let by = optional("by").unwrap_or_else(|| "luis".to_owned());
        return world.answer(step, answer, &by).await;
    }
    if let Some(step) = entry.fields.get("bounce") {
        return bounce(world, entry, step).await;
    }
    if let Some(until) = entry.fields.get("down_until") {
        let until = world.local(until)?;
        return world.down_until(until).await;
    }
    if let Some(operator) = entry.fields.get("operator") {
        return world.operate(operator, get("stage"), get("by"), get("why")).await;
    }
    match get("event") {
        "" => Err(format!("no entry for {:?}", entry.fields)),
        "invoice.due_changed" => {
            world.invoice.due = entry.day("to")?;
            world.invoice.at = Some(entry.at);
            world.receive(vec![world.invoice_record()]).await
        }
        "customer.changed" => {
            let to = get("to").to_owned();
            match get("field") {
                "time_zone" => world.customer.time_zone = to.parse().map_err(|_| format!("no zone {to}"))?,
                "country" => {
                    world.customer.time_zone = zone_of(&to);
                    world.customer.country = to;
                }
                "segment" => world.customer.segment = to,
                "risk" => world.customer.risk = Some(to),
                other => return Err(format!("customer.changed: {other}")),
            }
            world.receive(vec![Record::Customer(world.customer.clone())]).await
        }
        "plan.declined" => decline(world, entry).await,
        name => world.event(name, entry.at, &entry.fields).await,
    }
}

async fn bounce(world: &mut World, entry: &Entry, step: &str) -> Result<(), String> {
    let via = entry.get("via").to_owned();
    let mut last = None;
    for played in world.played().await? {
        for record in played.turns.into_iter().flat_map(|turn| turn.records) {
            if let Kept::Sent { place, effect, lane, .. } = record
                && is_step(&place.step, step)
                && lane == via
            {
                last = Some(effect);
            }
        }
    }
    let effect = last.ok_or_else(|| format!("nothing of `{step}` left by {via}"))?;
    let fields = BTreeMap::from([
        ("effect".to_owned(), effect.to_string()),
        ("reason".to_owned(), "550 5.1.1 no such mailbox".to_owned()),
    ]);
    world.event("outcome.bounced", entry.at, &fields).await
}

async fn judge(scenario: &Scenario, world: &World) -> Result<(), String> {
    let played = world.played().await?;
    let Some(first) = played.first() else {
        return Err(format!("no case was opened: {}", world.unmatched().await?));
    };
    let mut problems = Vec::new();
    if first.state.playbook != scenario.playbook {
        problems.push(format!("playbook {} took the invoice", first.state.playbook));
    }
    let deeds = deeds(&played, world.zone);
    for line in &scenario.then {
        match then(line, &deeds, played.len()) {
            Ok(true) => {}
            Ok(false) => problems.push(format!("not so: {}", shown(line))),
            Err(problem) => problems.push(format!("{}: {problem}", shown(line))),
        }
    }
    for line in &scenario.always {
        match always(line, &deeds) {
            Ok(None) => {}
            Ok(Some(problem)) | Err(problem) => problems.push(format!("{}: {problem}", shown(line))),
        }
    }
    for case in &played {
        if let Some(trouble) = &case.state.trouble {
            problems.push(format!("parked: {trouble}"));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(format!("{}\n{}", problems.join("\n    "), told(&deeds))) }
}

fn shown(line: &Mapping) -> String {
    let pairs: Vec<String> = line.iter().map(|(key, value)| format!("{}: {}", text(key), text(value))).collect();
    format!("{{{}}}", pairs.join(", "))
}
