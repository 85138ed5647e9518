//! What playbooks share: law, requests, templates, fragments, scripts; and the check of a whole project.

use crate::build;
use crate::content::{self, Text};
use crate::diagnostic::{Diagnostic, Report, Severity};
use crate::read::{examples, law, own, policy, rates, requests};
use crate::script::{ProblemLevel, Scripts};
use crate::template::{self, Template};
use crate::yaml::{self, Node, Place};
use crate::{Checked, Compiled, Files, Library, segments, select, statutes};
use recobro_kernel::calendar::Calendar;
use recobro_kernel::facts::Registry;
use recobro_kernel::guard::policy::{Collector, Policy};
use recobro_kernel::ids::Hash;
use recobro_kernel::law::Law;
use recobro_kernel::playbook::{RequestClass, RequestInfo};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Folder of playbooks.
pub(crate) const PLAYBOOKS: &str = "workflows/";
/// Folder of fragments.
pub(crate) const FRAGMENTS: &str = "workflows/fragments/";

/// What every playbook of a project may use.
pub(crate) struct Shared<'a> {
    /// All files.
    pub(crate) files: &'a Files,
    /// Where problems go.
    pub(crate) report: Report,
    /// Built-in facts and the organisation's own.
    pub(crate) facts: Arc<Registry>,
    /// Calendars and policies.
    pub(crate) law: Law,
    /// Policies as read, for places.
    pub(crate) policies: BTreeMap<String, Node>,
    /// Registered actions.
    pub(crate) requests: BTreeMap<String, RequestInfo>,
    /// Templates by id.
    pub(crate) templates: BTreeMap<String, Template>,
    /// What the files of templates say, read when first asked for.
    pub(crate) texts: OnceCell<BTreeMap<String, Text>>,
    /// Fragments by name, as read.
    pub(crate) fragments: BTreeMap<String, Node>,
    /// Hooks.
    pub(crate) scripts: Scripts,
    /// Stages that some playbook hands over to: `(playbook, stage)`.
    pub(crate) handovers: BTreeSet<(String, String)>,
    /// Only what a running case was published with is compiled: what policies demand today is the guard's business.
    pub(crate) pinned: bool,
    /// Names of all playbooks.
    pub(crate) names: BTreeSet<String>,
}

impl Shared<'_> {
    /// What a file of a template says.
    pub(crate) fn text(&self, file: &str) -> Option<&Text> {
        let files = || self.templates.values().flat_map(|template| &template.files);
        let all = || files().map(|file| (file.clone(), content::read(&self.source(file)))).collect();
        self.texts.get_or_init(all).get(file)
    }

    /// The text of a file, for places inside scalars.
    pub(crate) fn source(&self, file: &str) -> Cow<'_, str> {
        let bytes = self.files.get(file).map(Vec::as_slice).unwrap_or_default();
        String::from_utf8_lossy(bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes))
    }
}

/// Checks every playbook of a project.
pub(crate) fn check(files: &Files, collector: Collector) -> Checked {
    let (mut shared, nodes) = load(files);
    shared.law.collector = collector;
    let mut found = Vec::new();
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for (file, node) in &nodes {
        let Some(built) = build::compile(&shared, file, node) else { continue };
        let name = built.compiled.playbook.name.clone();
        if let Some(other) = seen.get(&name) {
            let place = node.get("playbook").map_or_else(|| Place::top(file), |name| name.place.clone());
            shared.report.push(
                Diagnostic::error("PB105", &place, format!("two playbooks have the name `{name}`"))
                    .note(format!("the other one is {other}")),
            );
            continue;
        }
        seen.insert(name, file.to_string());
        found.push(built);
    }
    let selection = parse(files, segments::FILE, &shared.report).map(|node| segments::read(&shared, &node, &found));
    if selection.is_none() {
        select::overlaps(&shared.report, &found);
    }
    let mut playbooks: Vec<Arc<Compiled>> = found.into_iter().map(|built| Arc::new(built.compiled)).collect();
    playbooks.sort_by(|a, b| a.playbook.name.cmp(&b.playbook.name));
    let templates = files.iter().filter(|(file, _)| file.starts_with(template::FOLDER));
    let library = Library {
        playbooks,
        law: Arc::new(shared.law.indexed()),
        facts: shared.facts,
        selection: selection.flatten().map(Arc::new),
        templates: templates.map(|(file, bytes)| (file.clone(), bytes.clone())).collect(),
    };
    Checked { library, diagnostics: shared.report.into_sorted() }
}

/// Compiles one playbook out of its own sources.
pub(crate) fn compile_one(files: &Files, name: &str) -> Result<Arc<Compiled>, Vec<Diagnostic>> {
    let (mut shared, nodes) = load(files);
    shared.pinned = true;
    let wanted = nodes.iter().find(|(_, node)| node.get("playbook").and_then(Node::text) == Some(name));
    if wanted.is_none() {
        let place = Place::top(&Arc::from(PLAYBOOKS));
        shared.report.push(Diagnostic::error("PB101", &place, format!("no playbook `{name}` in these files")));
    }
    let built = wanted.and_then(|(file, node)| build::compile(&shared, file, node));
    built.map(|built| Arc::new(built.compiled)).ok_or_else(|| {
        let all = shared.report.into_sorted();
        all.into_iter().filter(|found| found.severity == Severity::Error).collect()
    })
}

type Parsed = Vec<(Arc<str>, Node)>;

fn load(files: &Files) -> (Shared<'_>, Parsed) {
    let report = Report::default();
    let requests = parse(files, requests::FILE, &report).map(|node| requests::read(&report, &node)).unwrap_or_default();
    let Statutes { mut law, nodes: policies } = law(files, &report);
    name_adverse(&mut law, &requests);
    for (name, node) in &policies {
        if let Some(policy) = law.policies.get(name) {
            examples::read(&report, node, policy);
        }
    }
    statutes::check(&report, &law, &policies);
    let fragments = fragments(files, &report);
    let facts = Arc::new(registry(files, &report));
    let templates = template::load(files, &facts, &report);
    let (scripts, problems) = Scripts::compile_with(files, Arc::clone(&facts));
    for problem in problems {
        let place = Place::line(&Arc::from(problem.file.as_str()), problem.line, problem.column);
        let mut found = Diagnostic::error(problem.code, &place, problem.message);
        found.help = problem.help;
        report.push(found);
    }
    let nodes: Parsed = files
        .keys()
        .filter(|file| is_playbook(file))
        .filter_map(|file| {
            let name: Arc<str> = Arc::from(file.as_str());
            Some((Arc::clone(&name), parse(files, file, &report)?))
        })
        .collect();
    let mut handovers = BTreeSet::new();
    for node in nodes.iter().map(|(_, node)| node).chain(fragments.values()) {
        targets(node, &mut handovers);
    }
    let names = nodes.iter().filter_map(|(_, node)| Some(node.get("playbook")?.text()?.to_owned())).collect();
    (
        Shared {
            files,
            report,
            facts,
            law,
            policies,
            requests,
            templates,
            texts: OnceCell::new(),
            fragments,
            scripts,
            handovers,
            pinned: false,
            names,
        },
        nodes,
    )
}

/// `before: [adverse]` speaks of everything that hurts: both hand-overs and every action of that class, also an
/// organisation's own.
fn name_adverse(law: &mut Law, requests: &BTreeMap<String, RequestInfo>) {
    let adverse = requests.iter().filter(|(_, info)| info.class == RequestClass::Adverse).map(|(name, _)| name.clone());
    let all: BTreeSet<String> = adverse.chain(["escalate", "outsource"].map(str::to_owned)).collect();
    let speaks = |policy: &Policy| policy.rules.iter().any(|rule| rule.before.contains(policy::ADVERSE));
    for policy in law.policies.values_mut().filter(|policy| speaks(policy)) {
        for rule in &mut Arc::make_mut(policy).rules {
            if rule.before.remove(policy::ADVERSE) {
                rule.before.extend(all.iter().cloned());
            }
        }
    }
}

/// Playbooks stand directly in `workflows/`; four other files with grammars of their own stand beside them.
fn is_playbook(file: &str) -> bool {
    let Some(name) = file.strip_prefix(PLAYBOOKS).and_then(|rest| rest.strip_suffix(".yaml")) else { return false };
    !name.contains('/') && !matches!(name, "facts" | "requests" | "segments" | "roles")
}

/// Every fact that the project's playbooks may name.
pub(crate) fn registry(files: &Files, report: &Report) -> Registry {
    parse(files, own::FILE, report).map(|node| own::read(report, &node)).unwrap_or_default()
}

fn parse(files: &Files, file: &str, report: &Report) -> Option<Node> {
    yaml::parse(&Arc::from(file), files.get(file)?, report)
}

/// Whether a file's name ends in `.ENDING`.
pub(crate) fn has_ending(file: &str, ending: &str) -> bool {
    std::path::Path::new(file).extension().is_some_and(|found| found == ending)
}

fn in_folder<'f>(files: &'f Files, folder: &'f str) -> impl Iterator<Item = (&'f String, &'f Vec<u8>)> {
    files.iter().filter(move |(file, _)| file.starts_with(folder) && has_ending(file, "yaml"))
}

/// The law with the trees of its policies, for places.
pub(crate) struct Statutes {
    /// Calendars, policies, rates.
    pub(crate) law: Law,
    /// By name of policy.
    pub(crate) nodes: BTreeMap<String, Node>,
}

/// Reads calendars, policies and rates.
pub(crate) fn law(files: &Files, report: &Report) -> Statutes {
    let (mut all, mut nodes) = (Law::default(), BTreeMap::new());
    calendars(files, report, &mut all);
    for (file, bytes) in in_folder(files, policy::POLICIES) {
        let Some(node) = parse(files, file, report) else { continue };
        if let Some(found) = policy::policy(report, &node, Hash::of(bytes)) {
            named_as_file(report, file, policy::POLICIES, &found.name);
            nodes.insert(found.name.clone(), node);
            all.policies.insert(found.name.clone(), Arc::new(found));
        }
    }
    for (file, bytes) in in_folder(files, rates::RATES) {
        let read = parse(files, file, report).and_then(|node| rates::read(report, &node, Hash::of(bytes)));
        if let Some(rates) = read {
            named_as_file(report, file, rates::RATES, &rates.name);
            all.rates.insert(rates.name.clone(), Arc::new(rates));
        }
    }
    Statutes { law: all, nodes }
}

/// Calendars and those of their subdivisions. A place has one calendar: a file of its own counts more than a part of its
/// country's file.
fn calendars(files: &Files, report: &Report, all: &mut Law) {
    let parsed: Vec<(&String, Node, Hash)> = in_folder(files, law::CALENDARS)
        .filter_map(|(file, bytes)| Some((file, parse(files, file, report)?, Hash::of(bytes))))
        .collect();
    let (mut places, mut parts) = (BTreeMap::new(), BTreeMap::new());
    // What extends another calendar comes after all that stand alone; there is no third round, so no circle either.
    for extending in [false, true] {
        let mut known = all.calendars.clone();
        known.extend(parts.iter().map(|(name, part): (&String, &Calendar)| (name.clone(), Arc::new(part.clone()))));
        for (file, node, hash) in &parsed {
            let base = node.get("extends");
            if base.is_some() != extending {
                continue;
            }
            let base = base.and_then(|base| extended(report, base, &known));
            let mut read = law::calendars(report, node, *hash, base.as_deref()).into_iter();
            let Some(calendar) = read.next() else { continue };
            named_as_file(report, file, law::CALENDARS, &calendar.name);
            claim(report, &mut places, file, node, &calendar);
            all.calendars.insert(calendar.name.clone(), Arc::new(calendar));
            parts.extend(read.map(|part| (part.name.clone(), part)));
        }
    }
    for (name, mut part) in parts {
        part.country = part.country.filter(|place| !places.contains_key(place));
        all.calendars.insert(name, Arc::new(part));
    }
}

/// The calendar that another one `extends:`.
fn extended(report: &Report, node: &Node, known: &BTreeMap<String, Arc<Calendar>>) -> Option<Arc<Calendar>> {
    let name = crate::read::name(report, node)?;
    if let Some(found) = known.get(&name) {
        return Some(Arc::clone(found));
    }
    let problem = Diagnostic::error("PB101", &node.place, format!("no calendar `{name}` that can be extended"));
    let help = "one that itself extends another cannot be";
    report.push(problem.nearest(&name, known.keys().map(String::as_str)).help(help));
    None
}

/// Notes which file speaks for a place. A second one is a warning, no error: bundles that were stored with two such files
/// must still compile, and the first by name counts, as it always did.
fn claim<'f>(
    report: &Report,
    places: &mut BTreeMap<String, &'f String>,
    file: &'f String,
    node: &Node,
    calendar: &Calendar,
) {
    let Some(place) = &calendar.country else { return };
    let Some(other) = places.insert(place.clone(), file) else { return };
    let at = node.get("subdivision").or_else(|| node.get("country")).unwrap_or(node);
    let message = format!("two calendars speak for `{place}`; the first by name counts");
    let problem = Diagnostic::warning("PB105", &at.place, message);
    let help = "put them into one file, or leave out `country:` in the one that playbooks name themselves";
    report.push(problem.note(format!("the other one is {other}")).help(help));
}

/// A shared file is found by its name, so the name inside must be the same.
fn named_as_file(report: &Report, file: &str, folder: &str, name: &str) {
    let stem = file.strip_prefix(folder).and_then(|rest| rest.strip_suffix(".yaml")).unwrap_or_default();
    if stem != name {
        let place = Place::top(&Arc::from(file));
        report.push(Diagnostic::error(
            "PB006",
            &place,
            format!("the file is called `{stem}` but names itself `{name}`"),
        ));
    }
}

fn fragments(files: &Files, report: &Report) -> BTreeMap<String, Node> {
    let mut all = BTreeMap::new();
    for (file, _) in in_folder(files, FRAGMENTS) {
        let Some(node) = parse(files, file, report) else { continue };
        if let Some(name) = crate::read::required(report, &node, "fragment").and_then(Node::text) {
            named_as_file(report, file, FRAGMENTS, name);
        }
        let stem = file.strip_prefix(FRAGMENTS).and_then(|rest| rest.strip_suffix(".yaml")).unwrap_or_default();
        all.insert(stem.to_owned(), node);
    }
    all
}

/// Finds `{playbook: X, at: Y}` anywhere.
fn targets(node: &Node, found: &mut BTreeSet<(String, String)>) {
    if let yaml::Kind::List(items) = &node.kind {
        for item in items {
            targets(item, found);
        }
    }
    if let (Some(playbook), Some(stage)) =
        (node.get("playbook").and_then(Node::text), node.get("at").and_then(Node::text))
    {
        found.insert((playbook.to_owned(), stage.to_owned()));
    }
    for (_, value) in node.entries() {
        targets(value, found);
    }
}

/// The level of a script's problem as a severity.
pub(crate) fn severity(level: ProblemLevel) -> Severity {
    match level {
        ProblemLevel::Error => Severity::Error,
        ProblemLevel::Warning => Severity::Warning,
    }
}
