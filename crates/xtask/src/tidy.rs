//! The rules of the house that no compiler checks: arrows, onlys, sizes, licences.
//!
//! A rule is a function over a [`Tree`], so that each is tried on a seeded bug (`tidy/seeds.rs`). The rules run on the
//! real tree in `cargo test -p xtask` and in `cargo xtask tidy`; licences ask cargo and run in the latter only.

mod house;
mod licences;
mod manifests;
mod onlys;
#[cfg(test)]
mod seeds;
mod shape;
mod source;

use crate::workspace::{root, say};
use anyhow::Context;
use source::Source;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

/// One thing that is wrong.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// File.
    path: String,
    /// Line, from 1.
    line: usize,
    /// Name of the rule.
    rule: &'static str,
    /// What is wrong and the way out.
    message: String,
}

impl Finding {
    fn new(rule: &'static str, path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, rule, message: message.into() }
    }

    fn at(rule: &'static str, source: &Source, at: usize, message: impl Into<String>) -> Self {
        Self::new(rule, &source.path, source.line(at), message)
    }
}

/// What the rules read: the Rust files, scanned, and the other files of interest as text.
pub(crate) struct Tree {
    sources: Vec<Source>,
    files: BTreeMap<String, String>,
}

impl Tree {
    /// Makes a tree of (path, text) pairs.
    fn of(files: impl IntoIterator<Item = (String, String)>) -> Self {
        let (rust, files): (BTreeMap<_, _>, BTreeMap<_, _>) =
            files.into_iter().partition(|(path, _)| has_extension(path, "rs"));
        let mut sources: Vec<Source> = rust.iter().map(|(path, text)| Source::new(path, text)).collect();
        while mark_test_files(&mut sources) {}
        Self { sources, files }
    }

    /// Reads the checkout.
    fn read(root: &Path) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        for folder in ["crates", "tests", "migrations", "scripts", "workflows"] {
            read_folder(root, folder, &mut files)?;
        }
        Ok(Self::of(files))
    }

    fn has(&self, path: &str) -> bool {
        self.files.contains_key(path) || self.sources.iter().any(|source| source.path == path)
    }
}

/// Marks the files that their parents declare for tests only; tells whether another round may find more.
fn mark_test_files(sources: &mut [Source]) -> bool {
    let children = |source: &Source| {
        let path = source.path.strip_suffix(".rs").unwrap_or(&source.path);
        let folder =
            ["/lib", "/main", "/mod"].iter().find_map(|root| path.strip_suffix(root)).unwrap_or(path).to_owned();
        let child = |module: &str| [format!("{folder}/{module}.rs"), format!("{folder}/{module}/mod.rs")];
        source.test_modules().into_iter().flat_map(child).collect::<Vec<String>>()
    };
    let paths: Vec<String> = sources.iter().flat_map(children).collect();
    let fresh = sources.iter_mut().filter(|source| !source.in_test(0) && paths.contains(&source.path));
    fresh.map(Source::become_test).count() > 0
}

fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

fn read_folder(root: &Path, folder: &str, files: &mut Vec<(String, String)>) -> anyhow::Result<()> {
    const READ: [&str; 5] = ["rs", "toml", "sql", "md", "rhai"];
    let Ok(entries) = std::fs::read_dir(root.join(folder)) else { return Ok(()) };
    for entry in entries {
        let entry = entry.with_context(|| format!("{folder} could not be listed"))?;
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            if !path.ends_with("/target") && !path.ends_with("/node_modules") {
                read_folder(root, &path, files)?;
            }
        } else if READ.iter().any(|extension| has_extension(&path, extension)) {
            let text = std::fs::read_to_string(root.join(&path)).with_context(|| format!("{path} is not text"))?;
            files.push((path, text));
        }
    }
    Ok(())
}

/// A rule over the tree.
pub(crate) struct Rule {
    /// Its name, in findings.
    name: &'static str,
    /// Finds what breaks it.
    check: fn(&Tree, &mut Vec<Finding>),
}

/// Every rule that reads files alone.
const RULES: &[Rule] = &[
    Rule { name: manifests::ARROWS, check: manifests::arrows },
    Rule { name: manifests::OWNERS, check: manifests::owners },
    Rule { name: manifests::INHERITED, check: manifests::inherited },
    Rule { name: onlys::CLOCK, check: onlys::clock },
    Rule { name: onlys::DECIDE, check: onlys::decide },
    Rule { name: onlys::CHANNEL, check: onlys::channel },
    Rule { name: onlys::HISTORY, check: onlys::history },
    Rule { name: onlys::ENVIRONMENT, check: onlys::environment },
    Rule { name: onlys::SQL, check: onlys::sql },
    Rule { name: onlys::KERNEL, check: onlys::kernel },
    Rule { name: house::MIGRATIONS, check: house::migrations },
    Rule { name: house::REGISTERED, check: house::registered },
    Rule { name: house::MAP, check: house::map },
    Rule { name: shape::HEAD, check: shape::head },
    Rule { name: shape::FILE, check: shape::file },
    Rule { name: shape::FUNCTION, check: shape::function },
    Rule { name: shape::UNWRAP, check: shape::unwrap },
    Rule { name: shape::SILENCE, check: shape::silence },
];

fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in RULES {
        let before = findings.len();
        (rule.check)(tree, &mut findings);
        assert!(findings[before..].iter().all(|finding| finding.rule == rule.name), "{} borrows a name", rule.name);
    }
    findings.sort();
    findings
}

/// `cargo xtask tidy`: prints findings to stdout, one a line, and fails when there are any.
pub(crate) fn run(_args: &[String]) -> anyhow::Result<ExitCode> {
    let tree = Tree::read(&root())?;
    let mut findings = check(&tree);
    findings.extend(licences::check_workspace()?);
    for finding in &findings {
        println!("{}", line(finding));
    }
    let (rules, files) = (RULES.len() + licences::RULES, tree.sources.len());
    say(&format!("tidy: {rules} rules, {files} source files, {} findings", findings.len()));
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn line(finding: &Finding) -> String {
    format!("{}:{}: {} [{}]", finding.path, finding.line, finding.message, finding.rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_tree_is_tidy() {
        let findings = check(&Tree::read(&root()).unwrap());
        let lines: Vec<String> = findings.iter().map(line).collect();
        assert!(lines.is_empty(), "{} findings:\n{}", lines.len(), lines.join("\n"));
    }
}
