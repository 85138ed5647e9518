//! Rules about manifests: the arrows between our crates, who alone may use a library, what is inherited.

use super::{Finding, Tree};
use std::collections::BTreeSet;

/// Our crates use each other as the design's table says.
pub(super) const ARROWS: &str = "arrows";
/// Some libraries belong to one crate.
pub(super) const OWNERS: &str = "owners";
/// Lints, licence and edition come from the workspace.
pub(super) const INHERITED: &str = "inherited";

/// Which of our crates each crate may use. A new arrow is an entry in `crates/DECISIONS.md` first.
const TABLE: &[(&str, &[&str])] = &[
    ("kernel", &[]),
    ("playbook", &["kernel"]),
    ("store", &["kernel"]),
    ("connectors", &["kernel"]),
    ("engine", &["kernel", "playbook", "store", "connectors"]),
    ("web", &["kernel", "store", "engine"]),
    ("cli", &["kernel", "playbook", "store", "connectors", "engine", "web"]),
    ("testkit", &["kernel"]),
    ("bench", &["kernel", "playbook", "store", "connectors", "engine"]),
    ("xtask", &[]),
];

/// Libraries that only these crates may use.
const OWNED: &[(&str, &[&str])] = &[
    ("sqlx", &["store"]),
    ("rhai", &["playbook"]),
    ("saphyr-parser", &["playbook"]),
    ("lettre", &["connectors"]),
    ("minijinja", &["connectors"]),
    ("clap", &["cli", "bench"]),
    ("indicatif", &["cli"]),
    ("include_dir", &["cli"]),
    ("anyhow", &["cli", "testkit", "xtask", "bench"]),
];

/// Libraries that the kernel may use: none of them reads a file, a clock or a socket as it is configured here.
const PURE: [&str; 9] =
    ["chrono", "chrono-tz", "rust_decimal", "serde", "serde_json", "sha2", "hex", "uuid", "thiserror"];

/// One dependency of one manifest.
struct Use<'a> {
    path: &'a str,
    krate: &'a str,
    name: String,
    dev: bool,
}

/// Returns (path, crate folder, manifest) of each crate's manifest.
fn manifests(tree: &Tree) -> impl Iterator<Item = (&str, &str, Option<toml::Table>)> {
    tree.files.iter().filter_map(|(path, text)| {
        let krate = path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")?;
        Some((path.as_str(), krate, text.parse().ok()))
    })
}

fn uses(tree: &Tree) -> Vec<Use<'_>> {
    let mut uses = Vec::new();
    for (path, krate, manifest) in manifests(tree) {
        let Some(manifest) = manifest else { continue };
        let targets = manifest.get("target").and_then(toml::Value::as_table);
        let per_target = targets.into_iter().flat_map(|table| table.values()).filter_map(toml::Value::as_table);
        for table in std::iter::once(&manifest).chain(per_target) {
            for (section, dev) in [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)] {
                let names = table.get(section).and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys);
                uses.extend(names.map(|name| Use { path, krate, name: name.clone(), dev }));
            }
        }
    }
    uses
}

fn allowed<'a>(table: &[(&str, &'a [&'a str])], name: &str) -> Option<&'a [&'a str]> {
    table.iter().find(|(row, _)| *row == name).map(|(_, allowed)| *allowed)
}

pub(super) fn arrows(tree: &Tree, findings: &mut Vec<Finding>) {
    let ours: BTreeSet<&str> = TABLE.iter().map(|(krate, _)| *krate).collect();
    for (path, krate, manifest) in manifests(tree) {
        if manifest.is_none() {
            findings.push(Finding::new(ARROWS, path, 1, "the manifest is not TOML"));
        } else if !ours.contains(krate) {
            findings.push(Finding::new(ARROWS, path, 1, "a crate that the table of arrows in xtask does not know"));
        }
    }
    for found in uses(tree) {
        let target = found.name.strip_prefix("recobro-").unwrap_or(&found.name);
        let may = allowed(TABLE, found.krate).unwrap_or(&[]);
        let tests_with = found.dev && target == "testkit";
        if ours.contains(target) && !may.contains(&target) && !tests_with {
            let message = format!("`{}` may not use `{target}`: a new arrow is a decision entry first", found.krate);
            findings.push(Finding::new(ARROWS, found.path, 1, message));
        }
    }
}

pub(super) fn owners(tree: &Tree, findings: &mut Vec<Finding>) {
    for found in uses(tree) {
        let ours = allowed(OWNED, &found.name);
        if let Some(owners) = ours.filter(|owners| !owners.contains(&found.krate)) {
            let message = format!("`{}` belongs to {} alone", found.name, owners.join(", "));
            findings.push(Finding::new(OWNERS, found.path, 1, message));
        } else if found.krate == "kernel" && !found.dev && !PURE.contains(&found.name.as_str()) {
            let message = format!("the kernel is pure and may not use `{}`", found.name);
            findings.push(Finding::new(OWNERS, found.path, 1, message));
        }
    }
}

pub(super) fn inherited(tree: &Tree, findings: &mut Vec<Finding>) {
    for (path, _, manifest) in manifests(tree) {
        let Some(manifest) = manifest else { continue };
        let from_workspace = |value: Option<&toml::Value>| {
            value.and_then(|value| value.get("workspace")).and_then(toml::Value::as_bool) == Some(true)
        };
        let package = manifest.get("package");
        for key in ["version", "edition", "rust-version", "license", "publish"] {
            if !from_workspace(package.and_then(|package| package.get(key))) {
                findings.push(Finding::new(INHERITED, path, 1, format!("say `{key}.workspace = true`")));
            }
        }
        if !from_workspace(manifest.get("lints")) {
            findings.push(Finding::new(INHERITED, path, 1, "say `[lints] workspace = true`"));
        }
    }
}
