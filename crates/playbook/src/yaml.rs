//! YAML as a tree that keeps positions. Scalars stay text; the field that reads them gives the type.
//!
//! Refused with a place: broken syntax, tags, anchors, aliases, merges, several documents, duplicate keys, keys that are
//! not plain text, files and nests beyond the limits. Nothing is ever expanded, so a small file cannot become a large
//! tree.

mod place;
mod tree;

pub(crate) use place::{Place, Spot};
pub(crate) use tree::parse;

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Without quotes.
    Plain,
    /// In single or double quotes.
    Quoted,
    /// After `|` or `>`.
    Block,
}

/// A node with its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Where it stands.
    pub(crate) place: Place,
    /// What it is.
    pub(crate) kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Text as written, quotes and folds taken away.
    Scalar(String, Style),
    /// A list.
    List(Vec<Node>),
    /// Keys with their values, in order.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        if let Kind::Scalar(text, _) = &self.kind { Some(text) } else { None }
    }

    /// Whether a scalar stands in quotes or a block.
    pub(crate) fn is_quoted(&self) -> bool {
        matches!(self.kind, Kind::Scalar(_, Style::Quoted | Style::Block))
    }

    /// The entries of a map, none for anything else.
    pub(crate) fn entries(&self) -> &[(Node, Node)] {
        if let Kind::Map(entries) = &self.kind { entries } else { &[] }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    /// The key's own node.
    pub(crate) fn key(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(name, _)| name.text() == Some(key)).map(|(name, _)| name)
    }

    /// Whether nothing stands there: `key:` alone.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(text, Style::Plain) if text.is_empty() || text == "~" || text == "null")
    }

    /// What the node is, for messages.
    pub(crate) fn shape(&self) -> &'static str {
        match self.kind {
            Kind::Scalar(..) => "a single value",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    /// The text behind `= `, with the offset at which it begins in the scalar.
    pub(crate) fn expression(&self) -> Option<(&str, usize)> {
        let text = self.text()?;
        let rest = text.strip_prefix('=')?;
        let trimmed = rest.trim_start();
        (rest.len() != trimmed.len() || rest.is_empty()).then(|| (trimmed.trim_end(), text.len() - trimmed.len()))
    }
}
