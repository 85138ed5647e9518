//! `workflows/facts.yaml`: the facts that an organisation adds, each with its type, and its segments.

use super::{cut, items, map, name, only, required, value, words, wrong};
use crate::diagnostic::{Diagnostic, Report};
use crate::yaml::Node;
use recobro_kernel::facts::{OWN_ROOTS, OwnFact, Registry};
use recobro_kernel::value::Type;
use std::collections::BTreeMap;

/// Where the file stands.
pub(crate) const FILE: &str = "workflows/facts.yaml";

const TYPES: &[&str] = &["bool", "date", "decimal", "int", "text"];

/// Reads the declared facts; what is wrong with one leaves it out.
pub(crate) fn read(report: &Report, node: &Node) -> Registry {
    only(report, node, "`facts.yaml`", &["facts", "segments", "title", "version"]);
    let mut own = BTreeMap::new();
    for (key, declared) in node.get("facts").map(|facts| map(report, facts, "facts")).unwrap_or_default() {
        let path = path(report, key);
        let fact = fact(report, declared);
        if let (Some(path), Some(fact)) = (path, fact) {
            own.insert(path, fact);
        }
    }
    Registry::new(own, node.get("segments").and_then(|node| segments(report, node)))
}

/// `customer.x.NAME` or `invoice.x.NAME`, so that no version of ours can ever take the name.
fn path(report: &Report, key: &Node) -> Option<String> {
    let path = name(report, key)?;
    let own = OWN_ROOTS.iter().find_map(|root| path.strip_prefix(root));
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    match own {
        Some(own) if is_name(own) => Some(path),
        Some(own) => {
            let message = format!("`{}` is no name of a fact", cut(own));
            report.push(
                Diagnostic::error("PB006", &key.place, message)
                    .help("a name is small letters, digits and `_`, a letter first: `credit_limit`"),
            );
            None
        }
        None => {
            let last = path.rsplit('.').next().unwrap_or_default();
            let root = if path.starts_with("invoice") { OWN_ROOTS[1] } else { OWN_ROOTS[0] };
            report.push(
                Diagnostic::error("PB006", &key.place, format!("an own fact cannot be called `{}`", cut(&path)))
                    .help(format!("own facts stand under `customer.x` and `invoice.x`: `{root}{last}`")),
            );
            None
        }
    }
}

fn fact(report: &Report, node: &Node) -> Option<OwnFact> {
    only(report, node, "a fact", &["default", "doc", "type", "values"]);
    let of = of(report, node);
    let default = match (&of, node.get("default")) {
        (Some(of), Some(default)) => Some(value(report, default, of)?),
        _ => None,
    };
    let doc = node.get("doc").and_then(|doc| words(report, doc)).unwrap_or_default();
    Some(OwnFact { of: of?, default, doc })
}

fn of(report: &Report, node: &Node) -> Option<Type> {
    let named = required(report, node, "type")?;
    let values = node.get("values");
    let of = match named.text().unwrap_or_default() {
        "bool" => Type::Bool,
        "date" => Type::Date,
        "decimal" => Type::Decimal,
        "int" => Type::Int,
        "text" => return Some(values.map_or(Type::Text, |values| Type::Enum(texts(report, values, "values")))),
        other => {
            report.push(
                Diagnostic::error("PB006", &named.place, format!("`{}` is not the type of an own fact", cut(other)))
                    .nearest(other, TYPES.iter().copied())
                    .help(format!("types are {}", TYPES.join(", "))),
            );
            return None;
        }
    };
    if let Some(values) = values {
        report.push(
            Diagnostic::error("PB006", &values.place, format!("`values:` belong to type text; this is {of}"))
                .help("leave `values:` out, or write `type: text`"),
        );
    }
    Some(of)
}

fn segments(report: &Report, node: &Node) -> Option<Vec<String>> {
    let found = texts(report, node, "segments");
    if !found.is_empty() && !found.iter().any(|name| name == "standard") {
        report.push(
            Diagnostic::error("PB006", &node.place, "the segments lack `standard`")
                .help("a customer of whom no source names a segment is `standard`"),
        );
    }
    (!found.is_empty()).then_some(found)
}

/// Different names, at least one.
fn texts(report: &Report, node: &Node, what: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let all = items(report, node);
    if all.is_empty() {
        wrong(report, node, &format!("a list of {what}"));
    }
    for item in all {
        let Some(text) = name(report, item) else { continue };
        if found.contains(&text) {
            report.error("PB105", item, format!("`{text}` stands here twice"));
        } else {
            found.push(text);
        }
    }
    found
}
