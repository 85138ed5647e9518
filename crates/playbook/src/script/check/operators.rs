//! Comparisons and arithmetic: unlike types, texts that are no value of an enumeration, missing values, `not` before
//! a comparison, and division that drops the remainder.

use super::ty::{self, Kind, Of, Typed};
use super::{Check, maybe_missing};
use crate::script::eval::read_date;
use crate::script::names::nearest;
use crate::script::parse::{Node, NodeKind, Op, problem};
use crate::script::{ExprProblem, ProblemLevel};
use recobro_kernel::value::{Type, Value};

impl Check<'_> {
    /// An operand; a missing one is named with the whole comparison as the way out.
    fn operand(&mut self, whole: &Node, side: &Node, compares: bool) -> Typed {
        let found = self.node(side);
        if !found.optional {
            return found;
        }
        let NodeKind::Path(parts) = &side.kind else {
            return self.report(maybe_missing(self.source(side), side, "this needs a value"));
        };
        let path = super::paths::names(parts).join(".");
        let why =
            if compares { "comparing it would be false without notice" } else { "there is nothing to calculate with" };
        let help = if compares {
            let whole = self.source(whole).replace("?.", ".");
            format!("`has({path}) and {whole}`")
        } else {
            format!("`{path} ?? ..`")
        };
        self.report(problem("PB204", side.start, side.end, format!("`{path}` may be missing; {why}")).with_help(help))
    }

    /// `not a == b` reads `(not a) == b`.
    fn bare_not(&mut self, left: &Node, sign: &str) -> bool {
        if !matches!(left.kind, NodeKind::Not(_)) {
            return false;
        }
        let after = self.text.token_at(left.end.saturating_sub(1)) + 1;
        let before = self.text.token_at(left.start).checked_sub(1);
        let enclosed = before.is_some_and(|before| self.text.word(before) == "(") && self.text.word(after) == ")";
        if enclosed {
            return false;
        }
        let word = self.text.word(self.text.token_at(left.start));
        let message = format!("`{word} a {sign} b` reads `({word} a) {sign} b`");
        let help = match sign {
            "in" => "write `not (x in [..])` or `x !in [..]`".to_owned(),
            "==" => "write `not (a == b)` or `a != b`".to_owned(),
            _ => format!("write `not (a {sign} b)`"),
        };
        self.report(problem("PB203", left.start, left.end, message).with_help(help));
        true
    }

    /// `a op b`.
    pub(super) fn binary(&mut self, node: &Node, op: Op, at: usize, left: &Node, right: &Node) -> Typed {
        if op.compares() && self.bare_not(left, op.sign()) {
            return Typed::plain(Type::Bool);
        }
        let a = self.operand(node, left, op.compares());
        let b = self.operand(node, right, op.compares());
        if a.amount != b.amount && !matches!(op, Op::Multiply | Op::Divide | Op::Remainder) {
            let other = if a.amount { right } else { left };
            let zero =
                matches!(&other.kind, NodeKind::Constant(value) if value.as_decimal().is_some_and(|n| n.is_zero()));
            let numbers = [&a, &b].into_iter().all(|side| side.known().is_some_and(|of| ty::kind(of) == Kind::Number));
            self.compares_bare_amount |= numbers && !zero;
        }
        if op.compares() {
            self.comparison(op, at, (left, &a), (right, &b))
        } else {
            self.arithmetic(node, op, at, (left, &a), (right, &b))
        }
    }

    fn comparison(&mut self, op: Op, at: usize, left: (&Node, &Typed), right: (&Node, &Typed)) -> Typed {
        let answer = Typed::plain(Type::Bool);
        let (a, b) = match (&left.1.of, &right.1.of) {
            (Some(Of::Plain(a)), Some(Of::Plain(b))) => (a, b),
            (Some(Of::EmptyList), Some(of)) | (Some(of), Some(Of::EmptyList)) => {
                if !matches!(of, Of::EmptyList | Of::Plain(Type::List(_))) || !matches!(op, Op::Equal | Op::NotEqual) {
                    self.report(problem("PB203", at, self.text.end_of(at), "a list compared with something else"));
                }
                return answer;
            }
            _ => return answer,
        };
        if !ty::alike(a, b) {
            let found = self.unlike(op, at, (left.0, a), (right.0, b));
            self.report(found);
            return answer;
        }
        let equality = matches!(op, Op::Equal | Op::NotEqual);
        if !equality && !ty::kind(a).ordered() {
            let message = format!("`{}` has no meaning for {}", op.sign(), ty::kind(a).name());
            self.report(problem("PB203", at, self.text.end_of(at), message));
        } else if equality {
            self.never_a_value(left.0, a, right.0);
            self.never_a_value(right.0, b, left.0);
        }
        answer
    }

    fn unlike(&self, op: Op, at: usize, left: (&Node, &Type), right: (&Node, &Type)) -> ExprProblem {
        let (a, b) = (ty::kind(left.1), ty::kind(right.1));
        let answer = if op == Op::NotEqual { "true" } else { "false" };
        let message = format!("{} compared with {}; this would always be {answer}", a.name(), b.name());
        let mut found = problem("PB203", at, self.text.end_of(at), message);
        found.note =
            Some(format!("`{}` is {}, `{}` is {}", self.source(left.0), left.1, self.source(right.0), right.1));
        let text = [left.0, right.0].into_iter().find_map(|node| match &node.kind {
            NodeKind::Constant(Value::Text(text)) => Some(text.as_str()),
            _ => None,
        });
        let other = if a == Kind::Text { b } else { a };
        found.help = match (text, other) {
            (Some(text), Kind::Number) if text.parse::<rust_decimal::Decimal>().is_ok() => {
                Some("remove the quotes".to_owned())
            }
            (Some(text), Kind::Date) if read_date(text).is_ok() => Some(format!("`date(\"{text}\")`")),
            (Some("true" | "false"), Kind::Bool) => Some("remove the quotes".to_owned()),
            _ => match (a, b) {
                (Kind::Date, Kind::Number) | (Kind::Number, Kind::Date) => {
                    Some("`date - date` is a number of days; a date is written `date(\"2026-05-04\")`".to_owned())
                }
                (Kind::Date, Kind::Instant) | (Kind::Instant, Kind::Date) => {
                    Some("use `today`, the date, beside dates".to_owned())
                }
                (Kind::List, _) | (_, Kind::List) => Some("`x in [..]`".to_owned()),
                _ => None,
            },
        };
        found
    }

    /// Reports a text constant that is no value of the enumeration it meets.
    fn never_a_value(&mut self, of_node: &Node, of: &Type, constant: &Node) {
        let (Type::Enum(names), NodeKind::Constant(Value::Text(text))) = (of, &constant.kind) else { return };
        if names.contains(text) || matches!(of_node.kind, NodeKind::Constant(_)) {
            return;
        }
        let near = nearest(text, names.iter().map(String::as_str));
        let mean = near.map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
        let message = format!("\"{text}\" is never a value of `{}`", self.source(of_node));
        let help = format!("values are {}{mean}", ty::quoted(names));
        self.report(problem("PB202", constant.start, constant.end, message).with_help(help));
    }

    /// `item in list`.
    pub(super) fn membership(&mut self, node: &Node, item: &Node, list: &Node) -> Typed {
        let answer = Typed::plain(Type::Bool);
        if self.bare_not(item, "in") {
            return answer;
        }
        let found = self.operand(node, item, true);
        let among = self.operand(node, list, true);
        let Some(of) = found.known().cloned() else { return answer };
        let inner = match &among.of {
            Some(Of::Plain(Type::List(inner))) => (**inner).clone(),
            Some(Of::Plain(text @ (Type::Text | Type::Enum(_)))) if ty::kind(&of) == Kind::Text => {
                let _ = text;
                return answer;
            }
            Some(Of::EmptyList) | None => return answer,
            Some(Of::Plain(other)) => {
                let message = format!("`in` needs a list, not {other}");
                self.report(
                    problem("PB203", list.start, list.end, message)
                        .with_help("write `x in [a, b]`, or compare with `==`"),
                );
                return answer;
            }
        };
        if !ty::alike(&of, &inner) {
            let message = format!(
                "{} looked for in a list of {}; this would always be false",
                ty::kind(&of).name(),
                ty::kind(&inner).name()
            );
            self.report(problem("PB203", list.start, list.end, message));
        } else if let NodeKind::List(items) = &list.kind {
            self.compares_bare_amount |= found.amount;
            for one in items {
                self.never_a_value(item, &of, one);
            }
        }
        answer
    }

    /// `-a`.
    pub(super) fn negative(&mut self, node: &Node, inner: &Node) -> Typed {
        let found = self.value(inner);
        match found.known() {
            Some(Type::Int | Type::Decimal) => found,
            Some(other) => {
                let message = format!("`-` does not fit {other}");
                self.report(problem("PB203", node.start, node.end, message))
            }
            None if found.of.is_some() => {
                self.report(problem("PB203", node.start, node.end, "`-` does not fit a list"))
            }
            None => found,
        }
    }

    fn arithmetic(&mut self, node: &Node, op: Op, at: usize, left: (&Node, &Typed), right: (&Node, &Typed)) -> Typed {
        let (Some(first), Some(second)) = (&left.1.of, &right.1.of) else { return Typed::unknown() };
        let (Of::Plain(a), Of::Plain(b)) = (first, second) else {
            return self.report(problem(
                "PB203",
                at,
                self.text.end_of(at),
                format!("`{}` does not fit a list", op.sign()),
            ));
        };
        let of = match (op, a, b) {
            (_, Type::Int, Type::Int) => {
                if op == Op::Divide {
                    self.whole_division(node, left.0, right.0);
                }
                Type::Int
            }
            (_, Type::Int | Type::Decimal, Type::Int | Type::Decimal) => Type::Decimal,
            (Op::Add, Type::Text | Type::Enum(_), Type::Text | Type::Enum(_)) => Type::Text,
            (Op::Add | Op::Subtract, Type::Date, Type::Span) | (Op::Add, Type::Span, Type::Date) => Type::Date,
            (Op::Subtract, Type::Date, Type::Date) => Type::Int,
            (Op::Add | Op::Subtract, Type::Instant, Type::Span) | (Op::Add, Type::Span, Type::Instant) => Type::Instant,
            _ => {
                let message = format!("`{}` does not fit {a} and {b}", op.sign());
                let mut found = problem("PB203", at, self.text.end_of(at), message);
                found.help = match (ty::kind(a), ty::kind(b)) {
                    (Kind::Date | Kind::Instant, Kind::Number) => {
                        Some(format!("`days({})` or `working_days({})`", self.source(right.0), self.source(right.0)))
                    }
                    (Kind::Span, Kind::Span) => Some("add durations to a date one after the other".to_owned()),
                    (Kind::Text, _) | (_, Kind::Text) => Some("texts are joined in templates".to_owned()),
                    _ => None,
                };
                return self.report(found);
            }
        };
        // A ratio of two amounts is no amount; a part of an amount is one.
        let both = left.1.amount && right.1.amount;
        let amount = of != Type::Int && (left.1.amount || right.1.amount) && !(both && op == Op::Divide);
        Typed { of: Some(Of::Plain(of)), optional: false, amount }
    }

    fn whole_division(&mut self, node: &Node, left: &Node, right: &Node) {
        let source = self.source(node);
        let (message, help) = match (&left.kind, &right.kind) {
            (NodeKind::Constant(Value::Int(a)), NodeKind::Constant(Value::Int(b))) if *b != 0 => {
                let exact = rust_decimal::Decimal::from(*a) / rust_decimal::Decimal::from(*b);
                (format!("whole-number division: `{source}` is {}", a / b), format!("`{}`", exact.normalize()))
            }
            (_, NodeKind::Constant(Value::Int(b))) => {
                (format!("whole-number division: `{source}` drops the remainder"), format!("divide by `{b}.0`"))
            }
            _ => (
                format!("whole-number division: `{source}` drops the remainder"),
                "multiply one side by `1.0`".to_owned(),
            ),
        };
        let mut found = problem("PB209", node.start, node.end, message).with_help(help);
        found.level = ProblemLevel::Warning;
        self.problems.push(found);
    }
}
