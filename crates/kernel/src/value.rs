//! Typed values of facts, variables, event fields and results of expressions.

use crate::time::{Span, Timestamp};
use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A value. Missing facts are [`Value::Missing`], which no comparison accepts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// An optional fact that is not there.
    Missing,
    /// True or false.
    Bool(bool),
    /// A count.
    Int(i64),
    /// An amount or rate.
    Decimal(Decimal),
    /// Text, also the names of enumerations.
    Text(String),
    /// A civil date.
    Date(NaiveDate),
    /// An instant.
    Instant(Timestamp),
    /// A duration.
    Span(Span),
    /// A list.
    List(Vec<Value>),
}

/// The type of a value, as the checker and the registry name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// True or false.
    Bool,
    /// A count.
    Int,
    /// An amount or rate; an int is accepted where a decimal is asked.
    Decimal,
    /// Free text.
    Text,
    /// Text out of a closed list.
    Enum(Vec<String>),
    /// A civil date.
    Date,
    /// An instant.
    Instant,
    /// A duration.
    Span,
    /// A list of one type.
    List(Box<Type>),
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Decimal => f.write_str("decimal"),
            Self::Text | Self::Enum(_) => f.write_str("text"),
            Self::Date => f.write_str("date"),
            Self::Instant => f.write_str("instant"),
            Self::Span => f.write_str("duration"),
            Self::List(of) => write!(f, "list of {of}"),
        }
    }
}

impl Value {
    /// Text from anything that reads as text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Whether the value is there.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }

    /// The text inside, if it is text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The date inside, if it is a date.
    #[must_use]
    pub fn as_date(&self) -> Option<NaiveDate> {
        if let Self::Date(date) = self { Some(*date) } else { None }
    }

    /// As a decimal, if it is a number.
    #[must_use]
    pub fn as_decimal(&self) -> Option<Decimal> {
        match self {
            Self::Int(n) => Some(Decimal::from(*n)),
            Self::Decimal(d) => Some(*d),
            Self::Missing
            | Self::Bool(_)
            | Self::Text(_)
            | Self::Date(_)
            | Self::Instant(_)
            | Self::Span(_)
            | Self::List(_) => None,
        }
    }

    /// As plain JSON for records and `--json`: numbers and truth as such, everything else as text.
    #[must_use]
    pub fn to_plain(&self) -> serde_json::Value {
        match self {
            Self::Missing => serde_json::Value::Null,
            Self::Bool(b) => (*b).into(),
            Self::Int(n) => (*n).into(),
            Self::List(items) => items.iter().map(Self::to_plain).collect(),
            Self::Decimal(_) | Self::Text(_) | Self::Date(_) | Self::Instant(_) | Self::Span(_) => {
                self.to_string().into()
            }
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("missing"),
            Self::Bool(b) => b.fmt(f),
            Self::Int(n) => n.fmt(f),
            Self::Decimal(d) => d.fmt(f),
            Self::Text(text) => f.write_str(text),
            Self::Date(date) => date.fmt(f),
            Self::Instant(at) => at.fmt(f),
            Self::Span(span) => span.fmt(f),
            Self::List(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    item.fmt(f)?;
                }
                f.write_str("]")
            }
        }
    }
}
