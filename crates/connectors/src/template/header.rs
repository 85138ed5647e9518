//! The header of a template file: what stands between the two `---` lines.

use recobro_kernel::facts::Class;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The header's keys.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Which checks the message must pass.
    pub class: Class,
    /// Severity, 1 to 6.
    #[serde(default)]
    pub level: Option<u8>,
    /// Subject of an e-mail; may hold expressions.
    #[serde(default)]
    pub subject: Option<String>,
    /// What must be there.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Names and types of what `with:` passes.
    #[serde(default)]
    pub takes: BTreeMap<String, String>,
    /// Kinds of legal notice that this message is.
    #[serde(default)]
    pub notice: Vec<String>,
    /// How a letter is posted: `standard` or `registered`.
    #[serde(default)]
    pub post: Option<String>,
    /// Most parts of an SMS.
    #[serde(default)]
    pub max_parts: Option<usize>,
    /// Why this file replaces the one that running cases were pinned to.
    #[serde(default)]
    pub correction: Option<String>,
}

/// A template file taken apart.
#[derive(Debug, PartialEq, Eq)]
pub struct Parts<'a> {
    /// The header.
    pub header: Header,
    /// What follows it.
    pub body: &'a str,
    /// Line of the file on which the body begins, from 1.
    pub body_line: usize,
    /// Line of the file on which the subject stands, from 1.
    pub subject_line: usize,
}

/// Takes a template file apart; problems come with their line.
///
/// # Errors
/// The line, from 1, and what is wrong with the header.
pub fn split(source: &str) -> Result<Parts<'_>, (usize, String)> {
    let missing = || (1, "a template begins with its header between two `---` lines".to_owned());
    let rest = source.strip_prefix("---\n").ok_or_else(missing)?;
    let end = rest.find("\n---\n").ok_or_else(missing)?;
    let (yaml, body) = (&rest[..=end], &rest[end + "\n---\n".len()..]);
    let header: Header = serde_yaml::from_str(yaml).map_err(|error| {
        let line = error.location().map_or(1, |place| place.line()) + 1;
        (line, format!("header: {}", crate::source::without_place(&error.to_string())))
    })?;
    let subject = yaml.lines().position(|line| line.starts_with("subject:"));
    Ok(Parts { header, body, body_line: yaml.lines().count() + 3, subject_line: subject.map_or(1, |line| line + 2) })
}
