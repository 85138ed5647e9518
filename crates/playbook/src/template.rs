//! Headers of template files: what makes checks on messages possible. Rendering is the connectors' business.

mod body;

use crate::Files;
use crate::diagnostic::{Diagnostic, Report};
use crate::library::has_ending;
use crate::read::{self, cut, map, names, only, required, text, type_named, wrong};
use crate::yaml::{self, Node, Place};
use recobro_kernel::facts::{Channel, Class, Registry};
use recobro_kernel::ids::Hash;
use recobro_kernel::playbook::TemplateInfo;
use recobro_kernel::value::Type;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where templates stand.
pub(crate) const FOLDER: &str = "workflows/templates/";

/// A template: all files of one id.
pub(crate) struct Template {
    /// What the kernel knows of it.
    pub(crate) info: TemplateInfo,
    /// Paths of its files.
    pub(crate) files: Vec<String>,
    /// What each file needs to be attached.
    pub(crate) needs: Vec<(Place, String)>,
    /// Facts that may be missing and stand behind no `if`.
    pub(crate) uses: Vec<body::Use>,
}

const KEYS: &[&str] = &["class", "correction", "level", "max_parts", "needs", "notice", "post", "subject", "takes"];

/// Kinds of notice that the law knows.
const NOTICES: &[&str] =
    &["bureau_warning", "masc_invitation", "non_payment", "payment_demand", "provable_demand", "suspension_warning"];

struct Header {
    class: (Place, Class),
    level: u8,
    notice: Vec<String>,
    takes: BTreeMap<String, Type>,
    needs: Vec<(Place, String)>,
    uses: Vec<body::Use>,
}

/// Reads the headers of all templates.
pub(crate) fn load(files: &Files, facts: &Registry, report: &Report) -> BTreeMap<String, Template> {
    let mut all: BTreeMap<String, Template> = BTreeMap::new();
    for (file, bytes) in files.iter().filter(|(file, _)| file.starts_with(FOLDER) && has_ending(file, "j2")) {
        let name: Arc<str> = Arc::from(file.as_str());
        let Some((id, channel, locale)) = parts(file) else {
            let place = Place::top(&name);
            report.push(
                Diagnostic::error("PB006", &place, "a template is `templates/ID/CHANNEL.LOCALE.j2`")
                    .help("for example `templates/overdue-first/email.es.j2`"),
            );
            continue;
        };
        let Some(header) = header(&name, bytes, facts, report) else { continue };
        let template = all.entry(id.to_owned()).or_insert_with(|| Template::new(&header));
        template.add(file, channel, locale, header, report);
    }
    for template in all.values_mut() {
        let bytes: Vec<u8> = template.files.iter().flat_map(|file| hash_of(files, file).0).collect();
        template.info.hash = Hash::of(&bytes);
    }
    all
}

/// The hash of a file under its name, so that moved text is another text.
pub(crate) fn hash_of(files: &Files, file: &str) -> Hash {
    let mut bytes = file.as_bytes().to_vec();
    bytes.push(0);
    bytes.extend_from_slice(files.get(file).map(Vec::as_slice).unwrap_or_default());
    Hash::of(&bytes)
}

/// `(id, channel, locale)`; no channel for a script that a person reads out.
fn parts(file: &str) -> Option<(&str, Option<Channel>, &str)> {
    let (id, rest) = file.strip_prefix(FOLDER)?.split_once('/')?;
    let (channel, locale) = rest.strip_suffix(".j2")?.split_once('.')?;
    let channel = if channel == "script" { None } else { Some(Channel::parse(channel)?) };
    (!id.is_empty() && !locale.is_empty() && !locale.contains(['/', '.'])).then_some((id, channel, locale))
}

/// The channel and the language of a template's file; what a person reads out is said in a call.
pub(crate) fn spoken(file: &str) -> Option<(Channel, &str)> {
    parts(file).map(|(_, channel, locale)| (channel.unwrap_or(Channel::Call), locale))
}

impl Template {
    fn new(header: &Header) -> Self {
        let info = TemplateInfo {
            class: header.class.1,
            level: header.level,
            notice: Vec::new(),
            takes: BTreeMap::new(),
            files: BTreeMap::new(),
            hash: Hash::default(),
        };
        Self { info, files: Vec::new(), needs: Vec::new(), uses: Vec::new() }
    }

    fn add(&mut self, file: &str, channel: Option<Channel>, locale: &str, header: Header, report: &Report) {
        if header.class.1 != self.info.class {
            let (here, first) = (header.class.1.name(), self.info.class.name());
            let other = self.files.first().cloned().unwrap_or_default();
            report.push(
                Diagnostic::error(
                    "PB006",
                    &header.class.0,
                    format!("class `{here}` here, but `{first}` in another file of this template"),
                )
                .note(format!("the other file is {other}")),
            );
        }
        self.info.level = self.info.level.max(header.level);
        for kind in header.notice {
            if !self.info.notice.contains(&kind) {
                self.info.notice.push(kind);
            }
        }
        self.info.takes.extend(header.takes);
        self.needs.extend(header.needs);
        self.uses.extend(header.uses);
        if let Some(channel) = channel {
            self.info.files.entry(channel).or_default().push(locale.to_owned());
        }
        self.files.push(file.to_owned());
    }
}

fn header(file: &Arc<str>, bytes: &[u8], facts: &Registry, report: &Report) -> Option<Header> {
    let source = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    let Some((yaml, _)) = source.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")) else {
        report.push(
            Diagnostic::error("PB006", &Place::top(file), "a template begins with its header between two `---` lines")
                .help("---\nclass: dunning\nlevel: 1\n---".replace('\n', " / ")),
        );
        return None;
    };
    // An empty first line stands for the `---`, so that lines count as in the file.
    let node = yaml::parse(file, format!("\n{yaml}\n").as_bytes(), report)?;
    only(report, &node, "a template header", KEYS);
    let class = required(report, &node, "class")?;
    let Some(found) = class.text().and_then(Class::parse) else {
        wrong(report, class, "`dunning`, `courtesy`, `transactional` or `legal_notice`");
        return None;
    };
    let level = node.get("level").and_then(|node| read::int(report, node).map(|level| (node, level)));
    let level = match level {
        Some((_, level @ 1..=6)) => u8::try_from(level).unwrap_or(1),
        Some((node, _)) => {
            wrong(report, node, "a level from 1 to 6");
            1
        }
        None => 1,
    };
    plain_keys(report, &node);
    let needs = node.get("needs").map(|node| read::items(report, node)).unwrap_or_default();
    let needs = needs.into_iter().filter_map(|item| Some((item.place.clone(), read::name(report, item)?))).collect();
    Some(Header {
        class: (class.place.clone(), found),
        level,
        notice: notices(report, &node),
        takes: takes(report, &node),
        needs,
        uses: body::scan(report, facts, file, &source),
    })
}

fn plain_keys(report: &Report, node: &Node) {
    for key in ["subject", "correction"] {
        if let Some(node) = node.get(key) {
            text(report, node);
        }
    }
    if let Some(parts) = node.get("max_parts") {
        read::count(report, parts, 1);
    }
    if let Some(post) = node.get("post")
        && !matches!(post.text(), Some("standard" | "registered"))
    {
        wrong(report, post, "`standard` or `registered`");
    }
}

fn notices(report: &Report, node: &Node) -> Vec<String> {
    let Some(node) = node.get("notice") else { return Vec::new() };
    for item in read::items(report, node) {
        let kind = item.text().unwrap_or_default();
        if !NOTICES.contains(&kind) {
            report.push(
                Diagnostic::error("PB006", &item.place, format!("`{}` is no kind of notice", cut(kind)))
                    .nearest(kind, NOTICES.iter().copied())
                    .help(format!("kinds are {}", NOTICES.join(", "))),
            );
        }
    }
    names(report, node)
}

fn takes(report: &Report, node: &Node) -> BTreeMap<String, Type> {
    let entries = node.get("takes").map(|node| map(report, node, "names and types")).unwrap_or_default();
    entries.iter().filter_map(|(key, of)| Some((read::name(report, key)?, type_named(report, of)?))).collect()
}
