//! What a played world must hold: the lines of `then` and `always`.

use crate::world::{Played, is_step};
use chrono::{NaiveDate, NaiveTime};
use chrono_tz::Tz;
use recobro_kernel::effect::EffectKind;
use recobro_kernel::facts::Class;
use recobro_kernel::ids::{EffectId, TaskId};
use recobro_kernel::record::{Place, Record, TurnBody};
use recobro_kernel::time::Timestamp;
use serde_yaml::{Mapping, Value};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// One thing that happened.
#[derive(Clone, Debug)]
pub(crate) struct Deed {
    pub(crate) on: NaiveDate,
    pub(crate) at: Timestamp,
    pub(crate) step: String,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Sent { subject: String, lane: String, class: Class, kind: EffectKind, held: bool },
    Opened { subject: String, limit: Option<NaiveDate>, closed: bool },
    Skipped { because: String },
    Superseded,
    Held,
    Finished,
}

struct Order {
    subject: String,
    class: Class,
    kind: EffectKind,
    held: bool,
}

#[derive(Default)]
struct Reader {
    deeds: Vec<Deed>,
    orders: BTreeMap<EffectId, Order>,
    work: BTreeMap<TaskId, usize>,
    holds: Vec<String>,
    decided: BTreeMap<usize, String>,
}

/// Everything that happened in all cases, in order of cases and turns.
pub(crate) fn deeds(played: &[Played], zone: Tz) -> Vec<Deed> {
    let mut all = Vec::new();
    for case in played {
        let mut reader = Reader::default();
        for turn in &case.turns {
            for record in &turn.records {
                reader.record(turn, record, zone);
            }
        }
        all.append(&mut reader.deeds);
    }
    all
}

impl Reader {
    fn add(&mut self, turn: &TurnBody, step: &str, what: What) {
        self.deeds.push(Deed { on: turn.local, at: turn.at, step: step.to_owned(), what });
    }

    fn record(&mut self, turn: &TurnBody, record: &Record, zone: Tz) {
        match record {
            Record::Ordered { effect, subject, state, .. } => {
                let held = !self.holds.is_empty();
                let order = Order { subject: subject.clone(), class: state.class, kind: state.kind, held };
                self.orders.insert(*effect, order);
            }
            Record::Sent { place, effect, lane, .. } => {
                let Some(order) = self.orders.remove(effect) else { return };
                let Order { subject, class, kind, held } = order;
                self.add(turn, &place.step, What::Sent { subject, lane: lane.clone(), class, kind, held });
            }
            Record::WorkOpened { place, work, .. } => {
                let limit = work.limit_at.map(|at| at.plus_us(-1).date_in(zone));
                let subject = if place.step.is_empty() { work.kind.clone() } else { place.step.clone() };
                self.work.insert(work.id, self.deeds.len());
                self.add(turn, &subject.clone(), What::Opened { subject, limit, closed: false });
            }
            Record::WorkClosed { task, .. } => {
                if let Some(index) = self.work.remove(task)
                    && let What::Opened { closed, .. } = &mut self.deeds[index].what
                {
                    *closed = true;
                }
            }
            Record::Decision(decision) => {
                let text = format!("{} {:?} {:?}", decision.expr, decision.tables, decision.clauses);
                let all = self.decided.entry(decision.place.position).or_default();
                let _ = write!(all, "{text} ");
            }
            Record::Skipped { place, reason } => self.skipped(turn, place, reason),
            Record::Superseded { place, .. } => self.add(turn, &place.step, What::Superseded),
            Record::HoldOpened { hold } => {
                self.holds.push(hold.name.clone());
                self.add(turn, &hold.name, What::Held);
            }
            Record::HoldClosed { name, .. } => self.holds.retain(|open| open != name),
            Record::Finished { outcome, .. } => self.add(turn, outcome.name(), What::Finished),
            _ => {}
        }
    }

    fn skipped(&mut self, turn: &TurnBody, place: &Place, reason: &str) {
        let decided = self.decided.remove(&place.position).unwrap_or_default();
        self.add(turn, &place.step, What::Skipped { because: format!("{reason} {decided}") });
    }
}

pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Sequence(list) => list.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Null | Value::Mapping(_) | Value::Tagged(_) => String::new(),
    }
}

fn get<'a>(line: &'a Mapping, key: &str) -> Option<&'a Value> {
    line.get(Value::String(key.to_owned()))
}

fn day(line: &Mapping, key: &str) -> Result<Option<NaiveDate>, String> {
    let Some(value) = get(line, key) else { return Ok(None) };
    text(value).parse().map(Some).map_err(|error| format!("{key}: {error}"))
}

fn one_or_list(value: &Value) -> Vec<String> {
    value.as_sequence().map_or_else(|| vec![text(value)], |list| list.iter().map(text).collect())
}

fn names(deed: &Deed, wanted: &str) -> bool {
    let subject = match &deed.what {
        What::Sent { subject, .. } | What::Opened { subject, .. } => subject.as_str(),
        What::Skipped { .. } | What::Superseded | What::Held | What::Finished => "",
    };
    is_step(&deed.step, wanted) || subject == wanted
}

fn is_sent(deed: &Deed) -> bool {
    matches!(deed.what, What::Sent { .. })
}

fn is_opened(deed: &Deed) -> bool {
    matches!(deed.what, What::Opened { .. })
}

/// `07:00-08:00`, both included.
fn inside(at: Timestamp, window: &str) -> Result<bool, String> {
    let (from, to) = window.split_once('-').ok_or("utc: HH:MM-HH:MM")?;
    let parse = |text: &str| NaiveTime::parse_from_str(text.trim(), "%H:%M").map_err(|error| error.to_string());
    let time = at.to_utc().time();
    Ok(parse(from)? <= time && time <= parse(to)?)
}

/// Checks one line of `then`; `None` where it holds.
pub(crate) fn then(line: &Mapping, deeds: &[Deed], cases: usize) -> Result<bool, String> {
    if let Some(count) = get(line, "cases") {
        return Ok(text(count) == cases.to_string());
    }
    if let Some(count) = get(line, "count") {
        let sent = get(line, "sent");
        let wanted = text(sent.or_else(|| get(line, "opened")).ok_or("count of what?")?);
        let kind = if sent.is_some() { is_sent } else { is_opened };
        let found = deeds.iter().filter(|deed| kind(deed) && names(deed, &wanted)).count();
        return Ok(text(count) == found.to_string());
    }
    if let Some(never) = get(line, "never") {
        let never = text(never);
        let (kind, step) = never.split_once(' ').ok_or("never: sent STEP")?;
        let kind = if kind == "sent" { is_sent } else { is_opened };
        return Ok(!deeds.iter().any(|deed| kind(deed) && names(deed, step)));
    }
    if let Some(range) = get(line, "between") {
        return between(line, &one_or_list(range), deeds);
    }
    let on = day(line, "on")?;
    let that_day = |deed: &&Deed| on.is_none_or(|on| deed.on == on);
    let mut of_day = deeds.iter().filter(that_day);
    if let Some(steps) = get(line, "sent") {
        return sent(line, &one_or_list(steps), &of_day.collect::<Vec<_>>());
    }
    if let Some(step) = get(line, "opened") {
        let limit = day(line, "limit")?;
        return Ok(of_day.any(|deed| {
            let in_time = match &deed.what {
                What::Opened { limit: found, .. } => limit.is_none() || *found == limit,
                _ => false,
            };
            in_time && names(deed, &text(step))
        }));
    }
    if let Some(step) = get(line, "still_open") {
        let open = |deed: &&Deed| matches!(deed.what, What::Opened { closed: false, .. });
        return Ok(of_day.filter(open).any(|deed| names(deed, &text(step))));
    }
    if let Some(step) = get(line, "skipped") {
        let because = get(line, "because").map_or(String::new(), text);
        return Ok(of_day.any(|deed| match &deed.what {
            What::Skipped { because: found } => is_step(&deed.step, &text(step)) && found.contains(&because),
            _ => false,
        }));
    }
    let simple = [("superseded", 0), ("held", 1), ("finished", 2)];
    for (key, kind) in simple {
        let Some(name) = get(line, key) else { continue };
        return Ok(of_day.any(|deed| {
            let same = match deed.what {
                What::Superseded => kind == 0,
                What::Held => kind == 1,
                What::Finished => kind == 2,
                What::Sent { .. } | What::Opened { .. } | What::Skipped { .. } => false,
            };
            same && is_step(&deed.step, &text(name))
        }));
    }
    Err(format!("no check for {line:?}"))
}

fn sent(line: &Mapping, steps: &[String], of_day: &[&Deed]) -> Result<bool, String> {
    let via = get(line, "via").map(text);
    let utc = get(line, "utc").map(text);
    let mut found = 0;
    for deed in of_day {
        let What::Sent { lane, .. } = &deed.what else { continue };
        let window = utc.as_deref().map_or(Ok(true), |window| inside(deed.at, window))?;
        if window && via.as_ref().is_none_or(|via| via == lane) && steps.iter().any(|step| names(deed, step)) {
            found += 1;
        }
    }
    // A list means exactly one of these.
    Ok(if steps.len() > 1 { found == 1 } else { found > 0 })
}

fn between(line: &Mapping, range: &[String], deeds: &[Deed]) -> Result<bool, String> {
    let [from, to] = range else { return Err("between: [DATE, DATE]".to_owned()) };
    let date = |text: &str| text.parse::<NaiveDate>().map_err(|error| format!("{text}: {error}"));
    let (from, to) = (date(from)?, date(to)?);
    let all = get(line, "nothing").map(text).as_deref() == Some("contact");
    Ok(!deeds.iter().any(|deed| {
        let message = match &deed.what {
            What::Sent { class, kind: EffectKind::Contact, .. } => all || demands(*class),
            _ => false,
        };
        message && from <= deed.on && deed.on <= to
    }))
}

fn demands(class: Class) -> bool {
    matches!(class, Class::Dunning | Class::LegalNotice)
}

/// Checks one line of `always`; the violation where it does not hold.
pub(crate) fn always(line: &Mapping, deeds: &[Deed]) -> Result<Option<String>, String> {
    if let Some(never) = get(line, "never") {
        if text(never) != "dunning while held" {
            return Err(format!("always: never: {}", text(never)));
        }
        let bad = deeds.iter().find(|deed| match &deed.what {
            What::Sent { class: Class::Dunning, kind: EffectKind::Contact, held, .. } => *held,
            _ => false,
        });
        return Ok(bad.map(|deed| format!("{} left on {} while held", deed.step, deed.on)));
    }
    let rule = get(line, "never_more_than").map(text).ok_or_else(|| format!("no check for {line:?}"))?;
    let words: Vec<&str> = rule.split(' ').collect();
    let most: usize = words.first().and_then(|word| word.parse().ok()).ok_or_else(|| rule.clone())?;
    let days = if words.last() == Some(&"day") { 1 } else { 7 };
    let dunning: Vec<NaiveDate> = deeds
        .iter()
        .filter(|deed| matches!(deed.what, What::Sent { class: Class::Dunning, kind: EffectKind::Contact, .. }))
        .map(|deed| deed.on)
        .collect();
    let crowded = |from: &NaiveDate| dunning.iter().filter(|on| (0..days).contains(&(**on - *from).num_days())).count();
    Ok(dunning.iter().find(|from| crowded(from) > most).map(|from| format!("more than {most} from {from}")))
}

/// The deeds as lines, for a failing scenario.
pub(crate) fn told(deeds: &[Deed]) -> String {
    let mut all = String::new();
    for deed in deeds {
        let what = match &deed.what {
            What::Sent { lane, class, .. } => format!("sent {} via {lane} ({})", deed.step, class.name()),
            What::Opened { limit, closed, .. } => format!("opened {} limit {limit:?} closed {closed}", deed.step),
            What::Skipped { because } => format!("skipped {} because {because}", deed.step),
            What::Superseded => format!("superseded {}", deed.step),
            What::Held => format!("held {}", deed.step),
            What::Finished => format!("finished {}", deed.step),
        };
        let _ = writeln!(all, "      {} {what}", deed.on);
    }
    all
}
