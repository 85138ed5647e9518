//! Licences and banned crates of everything we build with, against `.cargo/deny.toml`, without cargo-deny.
//!
//! Reads `cargo metadata` for this machine's platform. `cargo deny check`, where installed, does the same and more.

use super::Finding;
use crate::workspace::{metadata, root};
use anyhow::Context;
use std::collections::BTreeSet;
use std::process::Command;

const LICENCES: &str = "licences";
const BANS: &str = "bans";
/// How many rules this file adds to the others.
pub(super) const RULES: usize = 2;

const DENY_FILE: &str = ".cargo/deny.toml";

/// What `.cargo/deny.toml` says.
struct Policy {
    allowed: BTreeSet<String>,
    banned: BTreeSet<String>,
}

/// Checks the real dependencies.
pub(super) fn check_workspace() -> anyhow::Result<Vec<Finding>> {
    let text = std::fs::read_to_string(root().join(DENY_FILE)).with_context(|| format!("{DENY_FILE} is missing"))?;
    let rustc = Command::new("rustc").arg("-vV").output().context("rustc could not be started")?;
    let rustc = String::from_utf8_lossy(&rustc.stdout).into_owned();
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    let described = metadata(&["--filter-platform", host])?;
    Ok(check(&Policy::parse(&text)?, &described))
}

impl Policy {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let table: toml::Table = text.parse().with_context(|| format!("{DENY_FILE} is not TOML"))?;
        let list = |section: &str, key: &str| {
            let values = table.get(section).and_then(|section| section.get(key)).and_then(toml::Value::as_array);
            values.with_context(|| format!("{DENY_FILE}: [{section}] {key} is missing"))
        };
        let name = |value: &toml::Value| value.as_str().or_else(|| value.get("crate")?.as_str()).map(str::to_owned);
        let allowed = list("licenses", "allow")?.iter().filter_map(name).collect();
        let banned = list("bans", "deny")?.iter().filter_map(name).collect();
        Ok(Self { allowed, banned })
    }
}

fn check(policy: &Policy, described: &serde_json::Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in described["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or("?");
        let licence = package["license"].as_str().unwrap_or("");
        if !accepts(&policy.allowed, licence) {
            let shown = if licence.is_empty() { "no licence" } else { licence };
            let message = format!("`{name}` is under {shown}, which [licenses] allow does not name");
            findings.push(Finding::new(LICENCES, DENY_FILE, 1, message));
        }
        if policy.banned.contains(name) {
            findings.push(Finding::new(BANS, DENY_FILE, 1, format!("`{name}` is banned and was pulled in")));
        }
    }
    findings
}

/// Tells whether an SPDX expression can be met by allowed licences alone. `/` is the old way to write OR.
fn accepts(allowed: &BTreeSet<String>, expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { allowed, tokens: &tokens };
    reader.any() == Some(true) && reader.tokens.is_empty()
}

struct Reader<'a> {
    allowed: &'a BTreeSet<String>,
    tokens: &'a [&'a str],
}

impl Reader<'_> {
    fn take(&mut self, word: &str) -> bool {
        let found = self.tokens.first() == Some(&word);
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }

    fn any(&mut self) -> Option<bool> {
        let mut met = self.all()?;
        while self.take("OR") {
            met |= self.all()?;
        }
        Some(met)
    }

    fn all(&mut self) -> Option<bool> {
        let mut met = self.one()?;
        while self.take("AND") {
            met &= self.one()?;
        }
        Some(met)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let met = self.any()?;
            return self.take(")").then_some(met);
        }
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        let mut name = first.trim_end_matches('+').to_owned();
        if self.take("WITH") {
            let (exception, rest) = self.tokens.split_first()?;
            self.tokens = rest;
            name = format!("{name} WITH {exception}");
        }
        Some(self.allowed.contains(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENY: &str =
        "[licenses]\nallow = ['MIT', 'Apache-2.0', 'Unicode-3.0']\n[bans]\ndeny = [{ crate = 'aws-lc-rs' }]\n";

    #[test]
    fn an_expression_is_met_by_allowed_licences_or_not() {
        let allowed = Policy::parse(DENY).unwrap().allowed;
        let met = ["MIT", "MIT OR GPL-3.0", "MIT/Apache-2.0", "(GPL-3.0 OR MIT) AND Unicode-3.0", "Apache-2.0+"];
        let unmet = ["GPL-3.0", "MIT AND GPL-3.0", "", "(MIT", "MIT MIT", "Apache-2.0 WITH LLVM-exception"];
        assert_eq!(met.map(|expression| accepts(&allowed, expression)), [true; 5]);
        assert_eq!(unmet.map(|expression| accepts(&allowed, expression)), [false; 6]);
    }

    #[test]
    fn a_foreign_licence_and_a_banned_crate_are_found() {
        let described = serde_json::json!({"packages": [
            {"name": "good", "license": "MIT"},
            {"name": "copyleft", "license": "AGPL-3.0"},
            {"name": "unlicensed", "license": null},
            {"name": "aws-lc-rs", "license": "MIT"},
        ]});
        let findings = check(&Policy::parse(DENY).unwrap(), &described);
        let seen: Vec<(&str, bool)> =
            findings.iter().map(|finding| (finding.rule, finding.message.contains("AGPL"))).collect();
        assert_eq!(seen, [(LICENCES, true), (LICENCES, false), (BANS, false)]);
    }

    #[test]
    fn our_own_policy_reads() {
        let text = std::fs::read_to_string(root().join(DENY_FILE)).unwrap();
        let policy = Policy::parse(&text).unwrap();
        assert!(policy.allowed.contains("MIT") && policy.banned.contains("aws-lc-rs"));
    }
}
