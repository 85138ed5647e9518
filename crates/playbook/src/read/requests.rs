//! `workflows/requests.yaml`: named actions of connectors.

use super::{map, name, only, required, type_named, wrong};
use crate::diagnostic::{Diagnostic, Report};
use crate::yaml::Node;
use recobro_kernel::playbook::{RequestClass, RequestInfo};
use std::collections::BTreeMap;

/// Where the file stands.
pub(crate) const FILE: &str = "workflows/requests.yaml";

/// Reads the registered actions.
pub(crate) fn read(report: &Report, node: &Node) -> BTreeMap<String, RequestInfo> {
    only(report, node, "`requests`", &["actions", "requests", "title", "version"]);
    let Some(actions) = required(report, node, "actions") else { return BTreeMap::new() };
    let mut found = BTreeMap::new();
    for (key, value) in map(report, actions, "actions") {
        if let (Some(name), Some(info)) = (name(report, key), action(report, value)) {
            found.insert(name, info);
        }
    }
    for (_, value) in actions.entries() {
        let Some(undo) = value.get("undo") else { continue };
        let wanted = undo.text().unwrap_or_default();
        if !found.contains_key(wanted) {
            report.push(
                Diagnostic::error("PB101", &undo.place, format!("no action `{wanted}`"))
                    .nearest(wanted, found.keys().map(String::as_str)),
            );
        }
    }
    found
}

fn action(report: &Report, node: &Node) -> Option<RequestInfo> {
    only(report, node, "an action", &["class", "doc", "ends", "undo", "with"]);
    let class = required(report, node, "class")?;
    let class = match class.text() {
        Some("adverse") => RequestClass::Adverse,
        Some("neutral") => RequestClass::Neutral,
        Some("restoring") => RequestClass::Restoring,
        _ => {
            wrong(report, class, "`adverse`, `neutral` or `restoring`");
            return None;
        }
    };
    let confirmed = match node.get("ends").map(|ends| (ends, ends.text())) {
        None | Some((_, Some("accepted"))) => false,
        Some((_, Some("confirmed"))) => true,
        Some((ends, _)) => {
            wrong(report, ends, "`accepted` or `confirmed`");
            false
        }
    };
    let undo = node.get("undo").and_then(|undo| name(report, undo));
    let mut with = BTreeMap::new();
    for (key, value) in node.get("with").map(|with| map(report, with, "names and types")).unwrap_or_default() {
        if let (Some(name), Some(of)) = (name(report, key), type_named(report, value)) {
            with.insert(name, of);
        }
    }
    if let Some(doc) = node.get("doc") {
        super::words(report, doc);
    }
    Some(RequestInfo { class, undo, confirmed, with })
}
