//! Types as the check sees them: which values compare, what two branches have in common, what a position accepts.

use recobro_kernel::value::{Type, Value};

/// What is known of a node.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    /// Its type; nothing after a problem was reported, so that one mistake gives one message.
    pub(super) of: Option<Of>,
    /// It may be missing.
    pub(super) optional: bool,
    /// An amount of money.
    pub(super) amount: bool,
}

/// A type, or a list without items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// A plain type; a text constant is the enumeration of itself.
    Plain(Type),
    /// `[]`
    EmptyList,
}

impl Typed {
    /// A value that is always there.
    pub(super) fn plain(of: Type) -> Self {
        Self { of: Some(Of::Plain(of)), optional: false, amount: false }
    }

    /// After a reported problem.
    pub(super) fn unknown() -> Self {
        Self { of: None, optional: false, amount: false }
    }

    /// The type, if it is known and plain.
    pub(super) fn known(&self) -> Option<&Type> {
        match &self.of {
            Some(Of::Plain(of)) => Some(of),
            Some(Of::EmptyList) | None => None,
        }
    }
}

/// Kinds of values that compare with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// True or false.
    Bool,
    /// Int and decimal.
    Number,
    /// Text and enumerations.
    Text,
    /// Civil dates.
    Date,
    /// Instants.
    Instant,
    /// Durations.
    Span,
    /// Lists.
    List,
}

/// The kind of a type.
pub(super) fn kind(of: &Type) -> Kind {
    match of {
        Type::Bool => Kind::Bool,
        Type::Int | Type::Decimal => Kind::Number,
        Type::Text | Type::Enum(_) => Kind::Text,
        Type::Date => Kind::Date,
        Type::Instant => Kind::Instant,
        Type::Span => Kind::Span,
        Type::List(_) => Kind::List,
    }
}

impl Kind {
    /// How people call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Number => "number",
            Self::Text => "text",
            Self::Date => "date",
            Self::Instant => "instant",
            Self::Span => "duration",
            Self::List => "list",
        }
    }

    /// Whether `<` has a meaning.
    pub(super) fn ordered(self) -> bool {
        match self {
            Self::Number | Self::Text | Self::Date | Self::Instant => true,
            Self::Bool | Self::Span | Self::List => false,
        }
    }
}

/// Whether two types can be compared: the same kind, lists by their items.
pub(super) fn alike(a: &Type, b: &Type) -> bool {
    match (a, b) {
        (Type::List(a), Type::List(b)) => alike(a, b),
        _ => kind(a) == kind(b),
    }
}

/// The type that holds both, if there is one: int and decimal make decimal, two enumerations one.
pub(super) fn join(a: &Type, b: &Type) -> Option<Type> {
    match (a, b) {
        (Type::Enum(a), Type::Enum(b)) => {
            let mut all = a.clone();
            all.extend(b.iter().filter(|name| !a.contains(name)).cloned());
            Some(Type::Enum(all))
        }
        (Type::Text | Type::Enum(_), Type::Text | Type::Enum(_)) => Some(Type::Text),
        (Type::Int, Type::Decimal) | (Type::Decimal, Type::Int) => Some(Type::Decimal),
        (Type::List(a), Type::List(b)) => Some(Type::List(Box::new(join(a, b)?))),
        _ => (a == b).then(|| a.clone()),
    }
}

/// Whether a value of one type is accepted where another is asked.
pub(super) fn fits(found: &Type, wanted: &Type) -> bool {
    match (found, wanted) {
        (Type::Int, Type::Decimal) | (Type::Text | Type::Enum(_), Type::Text) => true,
        (Type::Enum(found), Type::Enum(wanted)) => found.iter().all(|name| wanted.contains(name)),
        (Type::List(found), Type::List(wanted)) => fits(found, wanted),
        _ => found == wanted,
    }
}

/// The type of a constant in scope; its text is free, another use of the fragment may pass another.
pub(super) fn of_value(value: &Value) -> Option<Of> {
    Some(Of::Plain(match value {
        Value::Missing => return None,
        Value::Bool(_) => Type::Bool,
        Value::Int(_) => Type::Int,
        Value::Decimal(_) => Type::Decimal,
        Value::Text(_) => Type::Text,
        Value::Date(_) => Type::Date,
        Value::Instant(_) => Type::Instant,
        Value::Span(_) => Type::Span,
        Value::List(items) => {
            let mut joined: Option<Type> = None;
            for item in items {
                let Some(Of::Plain(of)) = of_value(item) else { continue };
                joined = match &joined {
                    Some(so_far) => join(so_far, &of),
                    None => Some(of),
                };
            }
            match joined {
                Some(of) => Type::List(Box::new(of)),
                None => return Some(Of::EmptyList),
            }
        }
    }))
}

/// Texts in quotes, for messages.
pub(super) fn quoted(names: &[String]) -> String {
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.join(", ")
}
