//! The head of a playbook: identity, selection, contact rules, defaults, variables and tables.

use super::{At, Builder};
use crate::diagnostic::{Diagnostic, Report};
use crate::read::{self, tests};
use crate::script::Expected;
use crate::segments;
use crate::yaml::Node;
use recobro_kernel::effect::Retry;
use recobro_kernel::expr::Arg;
use recobro_kernel::money::Currency;
use recobro_kernel::playbook::{AppliesTo, Backlog, Cap, ContactRules, Roll, Table, TableRow, Test};
use recobro_kernel::time::Hours;
use recobro_kernel::value::{Type, Value};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// What stands above the stages.
pub(crate) struct Head {
    pub(crate) name: String,
    pub(crate) version: u32,
    pub(crate) title: String,
    pub(crate) owner: String,
    pub(crate) currency: Option<Currency>,
    pub(crate) calendar: String,
    pub(crate) policies: Vec<String>,
    pub(crate) scripts: Vec<String>,
    pub(crate) applies_to: AppliesTo,
    pub(crate) contact: ContactRules,
    pub(crate) tolerance: Decimal,
    pub(crate) backlog: Option<Backlog>,
    pub(crate) roll: Roll,
    pub(crate) retry: Retry,
    pub(crate) vars: BTreeMap<String, Value>,
    pub(crate) tables: Vec<Table>,
    /// Line of the test on `customer.country`.
    pub(crate) country_line: u32,
}

impl Default for Head {
    fn default() -> Self {
        let contact = ContactRules {
            locales: vec![Arg::Const("en".to_owned())],
            hours: Hours::office(),
            caps: Vec::new(),
            min_gap: None,
            bundle: None,
        };
        Self {
            name: String::new(),
            version: 0,
            title: String::new(),
            owner: String::new(),
            currency: None,
            calendar: String::new(),
            policies: Vec::new(),
            scripts: Vec::new(),
            applies_to: AppliesTo::default(),
            contact,
            tolerance: Decimal::ZERO,
            backlog: None,
            roll: Roll::Keep,
            retry: Retry::default(),
            vars: BTreeMap::new(),
            tables: Vec::new(),
            country_line: 0,
        }
    }
}

const KEYS: &[&str] = &[
    "applies_to",
    "backlog",
    "calendar",
    "contact",
    "currency",
    "defaults",
    "owner",
    "playbook",
    "policy",
    "roll",
    "scripts",
    "stages",
    "tables",
    "title",
    "tolerance",
    "vars",
    "version",
    "whenever",
];

/// Words that expressions already use: no variable or table may take them.
const TAKEN: &[&str] = &[
    "contacts", "contract", "customer", "dispute", "event", "facts", "invoice", "law", "now", "param", "plan",
    "promise", "run", "today", "vars",
];

impl Builder<'_> {
    pub(super) fn read_head(&mut self, node: &Node) {
        let report = self.report();
        read::only(report, node, "`playbook`", KEYS);
        let named =
            |key: &str| read::required(report, node, key).and_then(|node| read::name(report, node)).unwrap_or_default();
        self.head.name = named("playbook");
        self.head.owner = named("owner");
        self.head.title =
            read::required(report, node, "title").and_then(|node| read::words(report, node)).unwrap_or_default();
        self.head.version =
            read::required(report, node, "version").and_then(|node| read::count(report, node, 1)).unwrap_or(1);
        self.head.currency = self.currency(node);
        self.shared_names(node);
        if let Some(tolerance) = node.get("tolerance") {
            self.tolerance(tolerance);
        }
        match node.get("roll").map(|roll| (roll, roll.text())) {
            None | Some((_, Some("keep"))) => {}
            Some((_, Some("shift"))) => self.head.roll = Roll::Shift,
            Some((roll, _)) => read::wrong(report, roll, "`keep` or `shift`"),
        }
        self.vars(node);
        self.tables(node);
        self.applies_to(node);
        self.contact(node);
        self.defaults(node);
    }

    fn currency(&self, node: &Node) -> Option<Currency> {
        let found = read::required(self.report(), node, "currency")?;
        match found.text() {
            Some("any") => None,
            text => text.and_then(|text| text.parse().ok()).or_else(|| {
                read::wrong(self.report(), found, "an ISO currency such as `EUR`, or `any`");
                Some(Currency::EUR)
            }),
        }
    }

    /// Calendar, policies and modules: each must be a file.
    fn shared_names(&mut self, node: &Node) {
        let report = self.report();
        if let Some(calendar) = read::required(report, node, "calendar") {
            let known = self.shared.law.calendars.keys().map(String::as_str);
            self.head.calendar = self.known(calendar, "calendar", known).unwrap_or_default();
        }
        for policy in node.get("policy").map(|node| read::items(report, node)).unwrap_or_default() {
            let known = self.shared.law.policies.keys().map(String::as_str);
            let found = self.known(policy, "policy", known);
            self.head.policies.extend(found);
        }
        let modules = self.modules();
        for script in node.get("scripts").map(|node| read::items(report, node)).unwrap_or_default() {
            let found = self.known(script, "script", modules.iter().map(String::as_str));
            self.head.scripts.extend(found);
        }
    }

    /// Modules that have a file, whether or not it compiles: a broken one has its own problem.
    pub(super) fn modules(&self) -> Vec<String> {
        let file = |file: &String| Some(file.strip_prefix("scripts/")?.strip_suffix(".rhai")?.to_owned());
        self.shared.files.keys().filter_map(file).filter(|name| !name.contains('/') && name != "lib").collect()
    }

    /// PB101: a name that must be one of some known ones.
    pub(super) fn known<'k>(&self, node: &Node, what: &str, known: impl Iterator<Item = &'k str>) -> Option<String> {
        let name = read::name(self.report(), node)?;
        let known: Vec<&str> = known.collect();
        if known.contains(&name.as_str()) {
            return Some(name);
        }
        let mut problem = Diagnostic::error("PB101", &node.place, format!("no {what} `{}`", read::cut(&name)))
            .nearest(&name, known.iter().copied());
        if problem.label.is_none() && known.len() <= 12 && !known.is_empty() {
            problem = problem.help(format!("known: {}", known.join(", ")));
        }
        self.report().push(problem);
        None
    }

    fn tolerance(&mut self, node: &Node) {
        let (number, code) = tests::split_currency(node.text().unwrap_or_default());
        match Decimal::from_str_exact(number) {
            Ok(amount) if amount >= Decimal::ZERO => {
                if !amount.is_zero() {
                    tests::same_currency(self.report(), node, code, self.head.currency);
                }
                self.head.tolerance = amount;
            }
            _ => read::wrong(self.report(), node, "an amount of zero or more"),
        }
    }

    fn vars(&mut self, node: &Node) {
        let report = self.report();
        for (key, value) in node.get("vars").map(|node| read::map(report, node, "variables")).unwrap_or_default() {
            let Some(name) = read::name(report, key) else { continue };
            if self.is_free(key, &name)
                && let Some(value) = read::guess(report, value)
            {
                self.head.vars.insert(name, value);
            }
        }
    }

    fn is_free(&self, key: &Node, name: &str) -> bool {
        if !TAKEN.contains(&name) {
            return true;
        }
        self.report().error(
            "PB105",
            key,
            format!("`{name}` already means something in expressions; choose another name"),
        );
        false
    }

    fn tables(&mut self, node: &Node) {
        let report = self.report();
        for (key, value) in node.get("tables").map(|node| read::map(report, node, "tables")).unwrap_or_default() {
            let Some(name) = read::name(report, key) else { continue };
            if !self.is_free(key, &name) {
                continue;
            }
            if self.head.vars.contains_key(&name) {
                report.error("PB105", key, format!("`{name}` is a variable and a table"));
            }
            if let Some(table) = self.table(key, name, value) {
                self.head.tables.push(table);
            }
        }
    }

    fn table(&self, key: &Node, name: String, node: &Node) -> Option<Table> {
        let report = self.report();
        read::only(report, node, "a table", &["inputs", "note", "outputs", "rows"]);
        let inputs = read::list(report, read::required(report, node, "inputs")?, "facts");
        let subjects: Vec<Option<(String, Type)>> = inputs.iter().map(|input| self.fact(input)).collect();
        let outputs = read::names(report, read::required(report, node, "outputs")?);
        let rows = read::list(report, read::required(report, node, "rows")?, "rows");
        let mut found = Vec::new();
        for row in rows {
            let cells = read::list(report, row, "cells");
            if cells.len() != inputs.len() + outputs.len() {
                let wanted = format!("{} inputs and {} outputs", inputs.len(), outputs.len());
                report.error("PB006", row, format!("this row has {} cells; table `{name}` has {wanted}", cells.len()));
                continue;
            }
            let tests = subjects.iter().zip(cells).filter_map(|(subject, cell)| {
                let (path, of) = subject.as_ref()?;
                let subject = tests::Subject { path, of: of.clone(), currency: self.head.currency };
                tests::test(report, cell, &subject)
            });
            let tests: Vec<Test> = tests.collect();
            let values: Vec<Value> =
                cells[inputs.len()..].iter().filter_map(|cell| read::guess(report, cell)).collect();
            if tests.len() == inputs.len() && values.len() == outputs.len() {
                found.push((row, TableRow { tests, outputs: values, line: row.place.start.line }));
            }
        }
        let tests: Vec<(&Node, &[Test])> = found.iter().map(|(row, found)| (*row, &*found.tests)).collect();
        check_rows(report, key, &format!("table `{name}`"), (inputs.len(), "…"), &tests);
        let rows: Vec<TableRow> = found.into_iter().map(|(_, row)| row).collect();
        let typed = outputs.into_iter().enumerate().map(|(i, output)| {
            let column: Vec<&Value> = rows.iter().map(|row| &row.outputs[i]).collect();
            (output, column_type(&column))
        });
        let outputs: Vec<(String, Type)> = typed.collect();
        let rows = rows.into_iter().map(|row| widen(row, &outputs)).collect();
        let inputs = subjects.into_iter().map(|subject| subject.map(|(path, _)| path)).collect::<Option<_>>()?;
        Some(Table { name, inputs, outputs, rows })
    }

    /// PB201: a fact that exists, with its type.
    fn fact(&self, node: &Node) -> Option<(String, Type)> {
        let path = read::name(self.report(), node)?;
        if let Some(fact) = self.shared.facts.find(&path) {
            let of = fact.of();
            return Some((path, of));
        }
        self.unknown_fact(node, &path);
        None
    }

    fn unknown_fact(&self, node: &Node, path: &str) {
        let known = self.shared.facts.paths();
        let problem = Diagnostic::error("PB201", &node.place, format!("unknown fact `{}`", read::cut(path)));
        self.report().push(problem.nearest(path, known));
    }

    fn applies_to(&mut self, node: &Node) {
        let report = self.report();
        let Some(tests) = read::required(report, node, "applies_to") else { return };
        for (key, value) in read::map(report, tests, "tests") {
            match key.text().unwrap_or_default() {
                "priority" if self.shared.files.contains_key(segments::FILE) => {
                    let message = format!("`priority` says nothing where `{}` picks the playbook", segments::FILE);
                    report.push(
                        Diagnostic::error("PB402", &key.place, message)
                            .help("leave it out; the order of the table's rows decides"),
                    );
                }
                "priority" => self.head.applies_to.priority = read::int(report, value).unwrap_or_default(),
                "when" => {
                    let at = self.head_at();
                    self.head.applies_to.when = self.condition(value, &at);
                }
                _ => {
                    let Some((path, of)) = self.fact(key) else { continue };
                    let subject = tests::Subject { path: &path, of, currency: self.head.currency };
                    if let Some(test) = tests::test(report, value, &subject) {
                        if path == "customer.country" {
                            self.head.country_line = key.place.start.line;
                        }
                        self.head.applies_to.tests.push((path, test));
                    }
                }
            }
        }
    }

    fn head_at(&self) -> At {
        At {
            scope: self.root_scope(),
            stage: None,
            prefix: String::new(),
            seasons: Vec::new(),
            arm: false,
            event: None,
        }
    }

    fn contact(&mut self, node: &Node) {
        let report = self.report();
        let Some(contact) = read::required(report, node, "contact") else { return };
        read::only(report, contact, "`contact`", &["bundle", "caps", "hours", "locales", "min_gap"]);
        if let Some(locales) = contact.get("locales") {
            let at = self.head_at();
            let items: Vec<Node> = read::items(report, locales).into_iter().cloned().collect();
            let found = items.iter().filter_map(|item| self.text_arg(item, &at, Expected::Type(Type::Text)));
            self.head.contact.locales = found.collect();
        }
        if let Some(hours) = contact.get("hours") {
            match hours.text().unwrap_or_default().parse() {
                Ok(window) => self.head.contact.hours = window,
                Err(_) => read::wrong(report, hours, "a daily window such as `09:00-18:00`"),
            }
        }
        for cap in contact.get("caps").map(|caps| read::items(report, caps)).unwrap_or_default() {
            self.head.contact.caps.extend(self.cap(cap));
        }
        self.head.contact.min_gap = contact.get("min_gap").and_then(|gap| read::span(report, "min_gap", gap));
        self.head.contact.bundle = contact.get("bundle").and_then(|bundle| read::bundle(report, bundle));
    }

    /// `2 per week`, `6 per 30 days`, `2 calls per week`.
    fn cap(&self, node: &Node) -> Option<Cap> {
        let parsed = node.text().and_then(|text| {
            let (what, window) = text.split_once(" per ")?;
            let mut words = what.split_whitespace();
            let most = words.next()?.parse().ok().filter(|most| *most > 0)?;
            let channel = match words.next() {
                None => None,
                Some(word) => Some(
                    recobro_kernel::facts::Channel::parse(word.trim_end_matches('s'))
                        .or_else(|| recobro_kernel::facts::Channel::parse(word))?,
                ),
            };
            let window = window.trim();
            let per = window.parse().or_else(|_| format!("1 {window}").parse()).ok()?;
            words.next().is_none().then_some(Cap { most, per, channel })
        });
        if parsed.is_none() {
            read::wrong(self.report(), node, "a cap such as `2 per week`, `6 per 30 days` or `2 calls per week`");
        }
        parsed
    }

    fn defaults(&mut self, node: &Node) {
        let Some(defaults) = node.get("defaults") else { return };
        read::only(self.report(), defaults, "`defaults`", &["on_error", "retry"]);
        if let Some(retry) = defaults.get("retry").and_then(|retry| self.retry(retry)) {
            self.head.retry = retry;
        }
        self.defaults_on_error = defaults.get("on_error").cloned();
    }

    /// `{times, first, factor}`.
    pub(super) fn retry(&self, node: &Node) -> Option<Retry> {
        let report = self.report();
        read::only(report, node, "`retry`", &["factor", "first", "times"]);
        let standard = Retry::default();
        let times = node.get("times").map_or(Some(standard.times), |node| read::count(report, node, 1))?;
        let factor = node.get("factor").map_or(Some(standard.factor), |node| read::count(report, node, 1))?;
        let first_s = match node.get("first") {
            None => standard.first_s,
            Some(first) => {
                let Some(us) = read::span(report, "first", first)?.exact_us() else {
                    read::wrong(report, first, "an exact pause in minutes or hours");
                    return None;
                };
                us / 1_000_000
            }
        };
        Some(Retry { times, first_s, factor })
    }
}

/// PB211 and PB212: the last row takes everything, and no row stands behind one that takes all of it.
pub(crate) fn check_rows(
    report: &Report,
    key: &Node,
    what: &str,
    (inputs, output): (usize, &str),
    rows: &[(&Node, &[Test])],
) {
    let all = |tests: &[Test]| tests.iter().all(|test| *test == Test::Any);
    if !rows.last().is_some_and(|(_, tests)| all(tests)) {
        let cells = vec!["_"; inputs].join(", ");
        report.push(
            Diagnostic::error("PB211", &key.place, format!("{what} has no catch-all row"))
                .help(format!("end with `- [{cells}, {output}]`")),
        );
    }
    for (late, (node, tests)) in rows.iter().enumerate() {
        let cover = rows[..late]
            .iter()
            .position(|(_, earlier)| earlier.iter().zip(*tests).all(|(wide, narrow)| covers(wide, narrow)));
        if let Some(early) = cover {
            let message = format!("row {} of {what} can never match: row {} covers it", late + 1, early + 1);
            report.push(Diagnostic::warning("PB212", &node.place, message));
        }
    }
}

/// The type of a column: numbers widen to decimals, different texts are a closed list.
fn column_type(column: &[&Value]) -> Type {
    if column.iter().all(|value| matches!(value, Value::Int(_))) && !column.is_empty() {
        return Type::Int;
    }
    if column.iter().all(|value| matches!(value, Value::Int(_) | Value::Decimal(_))) && !column.is_empty() {
        return Type::Decimal;
    }
    let first = column.first().map(|value| read::type_of(value));
    match first {
        Some(of) if of != Type::Text && column.iter().all(|value| read::type_of(value) == of) => of,
        _ => {
            let mut names: Vec<String> = column.iter().map(ToString::to_string).collect();
            names.sort();
            names.dedup();
            Type::Enum(names)
        }
    }
}

/// Cells of a mixed column as the column's type.
fn widen(mut row: TableRow, outputs: &[(String, Type)]) -> TableRow {
    for (value, (_, of)) in row.outputs.iter_mut().zip(outputs) {
        *value = match (&*value, of) {
            (Value::Int(n), Type::Decimal) => Value::Decimal(Decimal::from(*n)),
            (Value::Text(_), Type::Enum(_)) => continue,
            (other, Type::Enum(_)) => Value::text(other.to_string()),
            _ => continue,
        };
    }
    row
}

/// Whether every value that passes `narrow` passes `wide`.
pub(crate) fn covers(wide: &Test, narrow: &Test) -> bool {
    use recobro_kernel::playbook::Comparison::{AtLeast, AtMost, Less, More};
    match (wide, narrow) {
        (Test::Any, _) => true,
        (wide, Test::Is(value)) => wide.accepts(value),
        (wide, Test::In(values)) => values.iter().all(|value| wide.accepts(value)),
        (Test::Compare(AtLeast | More | AtMost | Less, _), Test::Range(low, high)) => {
            wide.accepts(low) && wide.accepts(high)
        }
        (Test::Range(..), Test::Range(low, high)) => wide.accepts(low) && wide.accepts(high),
        (Test::Compare(AtLeast | More, _), Test::Compare(AtLeast, limit))
        | (Test::Compare(AtMost | Less, _), Test::Compare(AtMost, limit)) => wide.accepts(limit),
        (Test::Compare(AtLeast | More, bound), Test::Compare(More, limit))
        | (Test::Compare(AtMost | Less, bound), Test::Compare(Less, limit)) => wide.accepts(limit) || bound == limit,
        (wide, narrow) => wide == narrow,
    }
}
