//! The static check of one expression: names, types, enumerations, and facts that may be missing. What passes here
//! never fails at run time for a type or a missing value; rhai itself would answer `false` and say nothing.

mod calls;
mod operators;
mod paths;
mod ty;

use super::context::owns;
use super::lex::Text;
use super::parse::{self, Node, NodeKind, problem};
use super::{Expected, ExprContext, ExprInfo, ExprProblem, ProblemLevel};
use recobro_kernel::value::{Type, Value};
use std::collections::BTreeSet;
use ty::{Of, Typed};

pub(super) use paths::fields_of;

/// Checks one expression.
///
/// # Errors
/// Every problem found, in order of its place; warnings of a good expression are in [`ExprInfo::warnings`].
pub fn check_expr(source: &str, context: &ExprContext<'_>) -> Result<ExprInfo, Vec<ExprProblem>> {
    let parsed = parse::parse(source)?;
    let mut check = Check {
        context,
        text: &parsed.text,
        present: BTreeSet::new(),
        problems: Vec::new(),
        compares_bare_amount: false,
    };
    let found = check.node(&parsed.root);
    check.result(&parsed.root, &found);
    let mut problems = check.problems;
    problems.sort_by_key(|problem| (problem.start, problem.end, problem.code));
    problems.dedup();
    if problems.iter().any(|problem| problem.level == ProblemLevel::Error) {
        return Err(problems);
    }
    let of = match found.of {
        Some(Of::Plain(of)) => of,
        Some(Of::EmptyList) | None => Type::List(Box::new(Type::Text)),
    };
    let hook = match &parsed.root.kind {
        NodeKind::Call { module: Some(module), name, .. } => Some(format!("{module}::{name}")),
        _ => None,
    };
    let returns_texts = if let Type::Enum(texts) = &of { Some(texts.clone()) } else { None };
    let compares_bare_amount = check.compares_bare_amount;
    Ok(ExprInfo { of, returns_texts, hook, compares_bare_amount, warnings: problems })
}

struct Check<'a> {
    context: &'a ExprContext<'a>,
    text: &'a Text<'a>,
    /// Paths and roots known to be there: `has(promise) and ..`.
    present: BTreeSet<String>,
    problems: Vec<ExprProblem>,
    compares_bare_amount: bool,
}

impl Check<'_> {
    fn report(&mut self, problem: ExprProblem) -> Typed {
        self.problems.push(problem);
        Typed::unknown()
    }

    fn source(&self, node: &Node) -> &str {
        &self.text.source[node.start..node.end]
    }

    /// The type of a node, with its problems reported.
    fn node(&mut self, node: &Node) -> Typed {
        match &node.kind {
            NodeKind::Constant(value) => self.constant(node, value),
            NodeKind::Path(parts) => self.path(node, parts, false),
            NodeKind::List(items) => self.list(items),
            NodeKind::And(items) => self.chain(items, true),
            NodeKind::Or(items) => self.chain(items, false),
            NodeKind::Coalesce(items) => self.coalesce(node, items),
            NodeKind::Not(inner) => {
                self.truth(inner);
                Typed::plain(Type::Bool)
            }
            NodeKind::Negative(inner) => self.negative(node, inner),
            NodeKind::Binary { op, at, sides } => self.binary(node, *op, *at, &sides.0, &sides.1),
            NodeKind::In { sides, .. } => self.membership(node, &sides.0, &sides.1),
            NodeKind::If { parts } => self.branches(node, &parts.0, &parts.1, &parts.2),
            NodeKind::Call { module: Some(module), name, args } => self.hook(node, module, name, args),
            NodeKind::Call { module: None, name, args } => self.helper(node, name, args),
        }
    }

    /// The type of a node whose value must be there.
    fn value(&mut self, node: &Node) -> Typed {
        let found = self.node(node);
        if found.optional { self.report(maybe_missing(self.source(node), node, "this needs a value")) } else { found }
    }

    fn constant(&mut self, node: &Node, value: &Value) -> Typed {
        match value {
            Value::Missing => self.report(
                problem("PB203", node.start, node.end, "`()` is no value of a playbook")
                    .with_help("write `not has(..)`"),
            ),
            Value::Text(text) => Typed::plain(Type::Enum(vec![text.clone()])),
            other => Typed { of: ty::of_value(other), optional: false, amount: false },
        }
    }

    fn list(&mut self, items: &[Node]) -> Typed {
        let mut joined: Option<Type> = None;
        for item in items {
            let found = self.value(item);
            let Some(of) = found.known().cloned() else { return Typed::unknown() };
            let both = match &joined {
                None => Some(of.clone()),
                Some(so_far) => ty::join(so_far, &of),
            };
            if both.is_none() {
                let first = joined.as_ref().map_or("", |first| ty::kind(first).name());
                let message = format!("a list of {first} cannot hold {}", ty::kind(&of).name());
                return self.report(problem("PB203", item.start, item.end, message));
            }
            joined = both;
        }
        let of = joined.map_or(Of::EmptyList, |of| Of::Plain(Type::List(Box::new(of))));
        Typed { of: Some(of), optional: false, amount: false }
    }

    /// A condition: true or false, and there.
    fn truth(&mut self, node: &Node) {
        let found = self.value(node);
        if let Some(of) = &found.of
            && *of != Of::Plain(Type::Bool)
        {
            let name = found.known().map_or("a list".to_owned(), ToString::to_string);
            let message = format!("a condition must be true or false; this is {name}");
            let help = match found.known() {
                Some(Type::Int | Type::Decimal) => Some(format!("compare it: `{} > 0`", self.source(node))),
                _ => None,
            };
            let mut found = problem("PB203", node.start, node.end, message);
            found.help = help;
            self.report(found);
        }
    }

    /// `and` (or `or`): what an operand shows to be there, the next ones may use.
    fn chain(&mut self, items: &[Node], when: bool) -> Typed {
        let before = self.present.clone();
        for item in items {
            self.truth(item);
            self.present.extend(shown(item, when));
        }
        self.present = before;
        Typed::plain(Type::Bool)
    }

    fn coalesce(&mut self, node: &Node, items: &[Node]) -> Typed {
        let mut joined: Option<Typed> = None;
        for item in items {
            let found = match &item.kind {
                NodeKind::Path(parts) => self.path(item, parts, true),
                _ => self.node(item),
            };
            joined = match joined {
                None => Some(found),
                Some(so_far) => Some(self.both(node, &so_far, &found, so_far.optional && found.optional)),
            };
        }
        joined.unwrap_or_else(Typed::unknown)
    }

    fn branches(&mut self, node: &Node, condition: &Node, then: &Node, otherwise: &Node) -> Typed {
        self.truth(condition);
        let before = self.present.clone();
        self.present.extend(shown(condition, true));
        let first = self.node(then);
        self.present.clone_from(&before);
        self.present.extend(shown(condition, false));
        let second = self.node(otherwise);
        self.present = before;
        self.both(node, &first, &second, first.optional || second.optional)
    }

    /// One type for two results.
    fn both(&mut self, node: &Node, a: &Typed, b: &Typed, optional: bool) -> Typed {
        let amount = a.amount || b.amount;
        let of = match (&a.of, &b.of) {
            (Some(Of::Plain(first)), Some(Of::Plain(second))) => {
                let Some(of) = ty::join(first, second) else {
                    let message = format!("this is {first} or {second}, as the case may be; it must be of one type");
                    return self.report(problem("PB203", node.start, node.end, message));
                };
                Of::Plain(of)
            }
            (Some(Of::EmptyList), Some(Of::EmptyList)) => Of::EmptyList,
            (Some(Of::EmptyList), Some(of @ Of::Plain(Type::List(_))))
            | (Some(of @ Of::Plain(Type::List(_))), Some(Of::EmptyList)) => of.clone(),
            (Some(_), Some(_)) => {
                let message = "this is a list or something else, as the case may be; it must be of one type";
                return self.report(problem("PB203", node.start, node.end, message));
            }
            _ => return Typed::unknown(),
        };
        Typed { of: Some(of), optional, amount }
    }

    /// The value against what the position accepts.
    fn result(&mut self, node: &Node, found: &Typed) {
        if found.optional {
            self.report(maybe_missing(self.source(node), node, "this place needs a value"));
            return;
        }
        let wanted = match self.context.expected {
            Expected::Any => return,
            Expected::Type(of) => std::slice::from_ref(of),
            Expected::OneOf(list) => list.as_slice(),
            Expected::Choice => &[Type::Text],
        };
        let fits = match &found.of {
            None => return,
            Some(Of::EmptyList) => wanted.iter().any(|of| matches!(of, Type::List(_))),
            Some(Of::Plain(of)) => wanted.iter().any(|wanted| ty::fits(of, wanted)),
        };
        if fits {
            return;
        }
        if let (Some(Type::Enum(texts)), [Type::Enum(names)]) = (found.known(), wanted) {
            let wrong: Vec<String> = texts.iter().filter(|text| !names.contains(text)).cloned().collect();
            let message = format!("{} is not accepted here", ty::quoted(&wrong));
            let found = problem("PB202", node.start, node.end, message);
            self.report(found.with_help(format!("values are {}", ty::quoted(names))));
            return;
        }
        if wanted == [Type::Bool] {
            self.truth(node);
            return;
        }
        let name = found.known().map_or("a list".to_owned(), ToString::to_string);
        let names = wanted.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        self.report(problem("PB203", node.start, node.end, format!("this is {name}, but {names} is needed here")));
    }
}

/// The problem of a value that may be missing where one is needed.
fn maybe_missing(source: &str, node: &Node, why: &str) -> ExprProblem {
    let help = format!("write `{source} ?? ..`, or ask `has({source})` first");
    problem("PB204", node.start, node.end, format!("`{source}` may be missing; {why}")).with_help(help)
}

/// The paths that are there if a condition is `when`.
fn shown(node: &Node, when: bool) -> BTreeSet<String> {
    match &node.kind {
        NodeKind::Not(inner) => shown(inner, !when),
        NodeKind::And(items) | NodeKind::Or(items) => {
            let all = matches!(node.kind, NodeKind::And(_)) == when;
            let mut each = items.iter().map(|item| shown(item, when));
            if all {
                each.flatten().collect()
            } else {
                let first = each.next().unwrap_or_default();
                each.fold(first, |common, next| common.intersection(&next).cloned().collect())
            }
        }
        NodeKind::Call { module: None, name, args } if name == "has" && when => match &args[..] {
            [Node { kind: NodeKind::Path(parts), .. }] => {
                let names = paths::names(parts);
                [names.first().copied().unwrap_or_default().to_owned(), names.join(".")].into()
            }
            _ => BTreeSet::new(),
        },
        _ => BTreeSet::new(),
    }
}

/// Whether a root is there because the handler's event carries it.
fn carried(context: &ExprContext<'_>, root: &str) -> bool {
    context.event.is_some_and(|event| owns(event, root))
}
