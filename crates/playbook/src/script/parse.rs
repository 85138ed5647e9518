//! From the text of an expression to a small tree: rhai parses, a closed list of its nodes is taken over, everything
//! else is refused by name. The tree carries byte positions; the check and the evaluation both walk it.

use super::engine;
use super::lex::Text;
use super::{ExprProblem, ProblemLevel};
use recobro_kernel::value::Value;
use rhai::{ASTFlags, Expr, FnCallExpr, ParseErrorType, Stmt, StmtBlock};

/// A node with its bytes in the source.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// What it is.
    pub(super) kind: NodeKind,
    /// First byte.
    pub(super) start: usize,
    /// Byte after the last.
    pub(super) end: usize,
}

/// One name of a path: `.segment` of `customer.segment`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The name.
    pub(super) name: String,
    /// First byte of the name.
    pub(super) start: usize,
    /// Whether `?.` stands before it.
    pub(super) safe: bool,
}

/// The closed list of nodes.
#[derive(Clone, Debug)]
pub(super) enum NodeKind {
    /// A constant; `()` is [`Value::Missing`].
    Constant(Value),
    /// A root with properties: `customer.segment`, `today`.
    Path(Vec<Part>),
    /// `[a, b]`
    List(Vec<Node>),
    /// `a and b`
    And(Vec<Node>),
    /// `a or b`
    Or(Vec<Node>),
    /// `a ?? b`
    Coalesce(Vec<Node>),
    /// `not a`
    Not(Box<Node>),
    /// `-a`
    Negative(Box<Node>),
    /// `a + b`, `a == b`
    Binary {
        /// Operator.
        op: Op,
        /// Its first byte.
        at: usize,
        /// Left and right.
        sides: Box<(Node, Node)>,
    },
    /// `a in list`, `a !in list`
    In {
        /// Item and list.
        sides: Box<(Node, Node)>,
        /// `!in`.
        negated: bool,
    },
    /// `if a { b } else { c }`
    If {
        /// Condition, result, other result.
        parts: Box<(Node, Node, Node)>,
    },
    /// `days(3)`, `risk::route(facts)`
    Call {
        /// `risk`.
        module: Option<String>,
        /// `route`.
        name: String,
        /// Arguments.
        args: Vec<Node>,
    },
}

/// Operators between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

impl Op {
    /// Every operator.
    pub(super) const ALL: [Self; 11] = [
        Self::Add,
        Self::Subtract,
        Self::Multiply,
        Self::Divide,
        Self::Remainder,
        Self::Equal,
        Self::NotEqual,
        Self::Less,
        Self::AtMost,
        Self::More,
        Self::AtLeast,
    ];

    /// How it is written.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }

    /// Whether it answers true or false.
    pub(super) fn compares(self) -> bool {
        match self {
            Self::Add | Self::Subtract | Self::Multiply | Self::Divide | Self::Remainder => false,
            Self::Equal | Self::NotEqual | Self::Less | Self::AtMost | Self::More | Self::AtLeast => true,
        }
    }
}

/// An error of a code at a place.
pub(super) fn problem(code: &'static str, start: usize, end: usize, message: impl Into<String>) -> ExprProblem {
    ExprProblem { code, level: ProblemLevel::Error, start, end, message: message.into(), help: None, note: None }
}

impl ExprProblem {
    /// The same problem with a way out.
    pub(super) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// A parsed expression.
pub(super) struct Parsed<'a> {
    /// The tree.
    pub(super) root: Node,
    /// The source with its tokens.
    pub(super) text: Text<'a>,
}

/// Parses one expression.
pub(super) fn parse(source: &str) -> Result<Parsed<'_>, Vec<ExprProblem>> {
    let text = Text::new(source);
    refuse_early(&text)?;
    let rewritten = join_modules(&text);
    let ast = engine::parser().compile_expression(&rewritten).map_err(|error| vec![syntax(&text, &error)])?;
    let mut lowering = Lowering { text: &text, problems: Vec::new() };
    let root = match ast.statements() {
        [Stmt::Expr(expr)] => lowering.expr(expr),
        [Stmt::FnCall(call, at)] => lowering.call(call, *at),
        _ => Some(lowering.refused(0, source.len(), "this")),
    };
    let problems = lowering.problems;
    match root {
        Some(root) if problems.is_empty() => Ok(Parsed { root, text }),
        _ => Err(problems),
    }
}

/// `=` and `not in` are mistakes with a name of their own; rhai would only say "unexpected".
fn refuse_early(text: &Text<'_>) -> Result<(), Vec<ExprProblem>> {
    if text.tokens.is_empty() {
        return Err(vec![problem("PB200", 0, text.source.len(), "this expression is empty")]);
    }
    for (at, token) in text.tokens.iter().enumerate() {
        match text.word(at) {
            "=" => {
                let message = "`=` in a condition; did you mean `==`?";
                return Err(vec![problem("PB210", token.start, token.end, message).with_help("write `==`")]);
            }
            "not" if text.word(at + 1) == "in" => {
                let end = text.tokens[at + 1].end;
                let found = problem("PB200", token.start, end, "there is no `not in`");
                return Err(vec![found.with_help("write `not (x in [..])` or `x !in [..]`")]);
            }
            _ => {}
        }
    }
    Ok(())
}

/// `risk::route` becomes `risk__route`: rhai without modules does not know `::`; the length, hence every position, stays.
fn join_modules(text: &Text<'_>) -> String {
    let mut source = text.source.to_owned();
    for at in 1..text.tokens.len().saturating_sub(1) {
        let (before, here, after) = (text.tokens[at - 1], text.tokens[at], text.tokens[at + 1]);
        if text.word(at) == "::" && before.end == here.start && here.end == after.start {
            source.replace_range(here.start..here.end, "__");
        }
    }
    source
}

fn syntax(text: &Text<'_>, error: &rhai::ParseError) -> ExprProblem {
    let start = text.offset(error.position()).min(text.source.len());
    let end = if start == text.source.len() { start } else { text.end_of(start) };
    let found = problem(
        "PB200",
        start,
        end,
        format!("this expression cannot be read: {}", engine::lower_first(error.err_type())),
    );
    match error.err_type() {
        ParseErrorType::ExprTooDeep => found.with_help("split it into a table or a hook"),
        ParseErrorType::UnexpectedEOF => found.with_help("something is missing at the end"),
        _ => found,
    }
}

struct Lowering<'a, 'b> {
    text: &'a Text<'b>,
    problems: Vec<ExprProblem>,
}

impl Lowering<'_, '_> {
    fn refused(&mut self, start: usize, end: usize, what: &str) -> Node {
        let message = format!("{what} is not allowed in a one-line expression");
        let help = "use facts, comparisons, arithmetic, `in`, `and or not`, `if {} else {}`, `?.`, `??`, helpers and \
                    hooks; longer logic belongs into a hook";
        self.problems.push(problem("PB200", start, end, message).with_help(help));
        Node { kind: NodeKind::Constant(Value::Missing), start, end }
    }

    fn refuse_at(&mut self, at: rhai::Position, what: &str) -> Node {
        let start = self.text.offset(at);
        let end = self.text.end_of(start);
        self.refused(start, end, what)
    }

    fn token(&self, kind: NodeKind, at: rhai::Position) -> Node {
        let start = self.text.offset(at);
        Node { kind, start, end: self.text.end_of(start) }
    }

    fn bracketed(&self, kind: NodeKind, at: rhai::Position) -> Node {
        let start = self.text.offset(at);
        let close = self.text.closing(self.text.token_at(start));
        Node { kind, start, end: self.text.tokens[close].end }
    }

    fn spanning(&self, kind: NodeKind, start: usize, end: usize) -> Node {
        let (start, end) = self.text.balanced(start, end);
        Node { kind, start, end }
    }

    fn expr(&mut self, expr: &Expr) -> Option<Node> {
        Some(match expr {
            Expr::BoolConstant(value, at) => self.token(NodeKind::Constant(Value::Bool(*value)), *at),
            Expr::IntegerConstant(value, at) => self.number(Value::Int(*value), *at),
            Expr::StringConstant(value, at) => self.token(NodeKind::Constant(Value::text(value.as_str())), *at),
            Expr::Unit(at) => self.bracketed(NodeKind::Constant(Value::Missing), *at),
            Expr::DynamicConstant(value, at) => match value.as_decimal() {
                Ok(decimal) => self.number(Value::Decimal(decimal), *at),
                Err(_) => self.refuse_at(*at, "this constant"),
            },
            Expr::Variable(name, _, at) => {
                let start = self.text.offset(*at);
                let path = vec![Part { name: name.1.to_string(), start, safe: false }];
                self.token(NodeKind::Path(path), *at)
            }
            Expr::Array(items, at) => {
                let items = self.all(items.iter())?;
                self.bracketed(NodeKind::List(items), *at)
            }
            Expr::And(items, _) => self.chain(items.iter(), NodeKind::And)?,
            Expr::Or(items, _) => self.chain(items.iter(), NodeKind::Or)?,
            Expr::Coalesce(items, _) => self.chain(items.iter(), NodeKind::Coalesce)?,
            Expr::Dot(..) => self.path(expr)?,
            Expr::FnCall(call, at) => self.call(call, *at)?,
            Expr::Stmt(block) => self.block(block)?,
            Expr::CharConstant(_, at) => {
                let node = self.refuse_at(*at, "text in single quotes");
                if let Some(last) = self.problems.last_mut() {
                    last.help = Some("use double quotes".to_owned());
                }
                node
            }
            Expr::InterpolatedString(_, at) => self.refuse_at(*at, "text in backticks"),
            Expr::Map(_, at) => self.refuse_at(*at, "an object map"),
            Expr::ThisPtr(at) => self.refuse_at(*at, "`this`"),
            Expr::Index(_, _, at) => self.refuse_at(*at, "an index"),
            Expr::MethodCall(_, at) => self.refuse_at(*at, "a method call"),
            other => self.refuse_at(other.start_position(), "this"),
        })
    }

    /// A number; its sign is part of the node.
    fn number(&self, value: Value, at: rhai::Position) -> Node {
        let start = self.text.offset(at);
        let index = self.text.token_at(start);
        let last = if matches!(self.text.word(index), "-" | "+") { index + 1 } else { index };
        let end = self.text.tokens.get(last).map_or(self.text.source.len(), |token| token.end);
        Node { kind: NodeKind::Constant(value), start, end }
    }

    fn all<'e>(&mut self, items: impl Iterator<Item = &'e Expr>) -> Option<Vec<Node>> {
        items.map(|item| self.expr(item)).collect()
    }

    fn chain<'e>(&mut self, items: impl Iterator<Item = &'e Expr>, wrap: fn(Vec<Node>) -> NodeKind) -> Option<Node> {
        let items = self.all(items)?;
        let (start, end) = (items.first()?.start, items.last()?.end);
        Some(self.spanning(wrap(items), start, end))
    }

    fn path(&mut self, expr: &Expr) -> Option<Node> {
        let mut parts = Vec::new();
        let mut rest = expr;
        let mut safe = false;
        loop {
            let (here, next) = match rest {
                Expr::Dot(pair, flags, _) => (&pair.lhs, Some((&pair.rhs, flags.contains(ASTFlags::NEGATED)))),
                last => (last, None),
            };
            match here {
                Expr::Variable(name, _, at) if parts.is_empty() => {
                    parts.push(Part { name: name.1.to_string(), start: self.text.offset(*at), safe });
                }
                Expr::Property(name, at) if !parts.is_empty() => {
                    parts.push(Part { name: name.2.to_string(), start: self.text.offset(*at), safe });
                }
                Expr::MethodCall(_, at) => return Some(self.refuse_at(*at, "a method call")),
                other => {
                    return Some(self.refuse_at(other.start_position(), "a property of something other than a fact"));
                }
            }
            match next {
                Some((rhs, question)) => (rest, safe) = (rhs, question),
                None => break,
            }
        }
        let (start, last) = (parts.first()?.start, parts.last()?.start);
        let end = self.text.end_of(last);
        Some(Node { kind: NodeKind::Path(parts), start, end })
    }

    fn call(&mut self, call: &FnCallExpr, at: rhai::Position) -> Option<Node> {
        let start = self.text.offset(at);
        let args = self.all(call.args.iter())?;
        // `in` arrives as a call of `contains` with its sides swapped.
        let is_in = call.name == "contains" && self.text.word(self.text.token_at(start)) != "contains";
        if call.op_token.is_some() || is_in {
            return self.operator(call.name.as_str(), args, start);
        }
        let index = self.text.token_at(start);
        let close = self.text.closing(index + 1);
        let (module, name, close) = if self.text.word(index + 1) == "::" {
            (Some(self.text.word(index).to_owned()), self.text.word(index + 2).to_owned(), self.text.closing(index + 3))
        } else {
            (None, call.name.to_string(), close)
        };
        let end = self.text.tokens.get(close)?.end;
        Some(Node { kind: NodeKind::Call { module, name, args }, start, end })
    }

    fn operator(&mut self, name: &str, mut args: Vec<Node>, at: usize) -> Option<Node> {
        match (name, args.len()) {
            ("!", 1) => {
                let inner = args.pop()?;
                // `a !in b` arrives as a negation around `in`, both at the operator's place.
                if let NodeKind::In { sides, negated: false } = &inner.kind
                    && inner.start < at
                {
                    let kind = NodeKind::In { sides: sides.clone(), negated: true };
                    return Some(Node { kind, ..inner });
                }
                let end = inner.end;
                Some(self.spanning(NodeKind::Not(Box::new(inner)), at, end))
            }
            ("-", 1) => {
                let inner = args.pop()?;
                let end = inner.end;
                if let NodeKind::Constant(Value::Decimal(number)) = inner.kind {
                    return Some(Node { kind: NodeKind::Constant(Value::Decimal(-number)), start: at, end });
                }
                Some(self.spanning(NodeKind::Negative(Box::new(inner)), at, end))
            }
            ("+", 1) => args.pop(),
            ("contains", 2) => {
                let item = args.pop()?;
                let list = args.pop()?;
                let (start, end) = (item.start, list.end);
                Some(self.spanning(NodeKind::In { sides: Box::new((item, list)), negated: false }, start, end))
            }
            (_, 2) => {
                let Some(op) = Op::ALL.into_iter().find(|op| op.sign() == name) else {
                    let end = self.text.end_of(at);
                    return Some(self.refused(at, end, &format!("`{name}`")));
                };
                let right = args.pop()?;
                let left = args.pop()?;
                let (start, end) = (left.start, right.end);
                Some(self.spanning(NodeKind::Binary { op, at, sides: Box::new((left, right)) }, start, end))
            }
            _ => {
                let end = self.text.end_of(at);
                Some(self.refused(at, end, &format!("`{name}`")))
            }
        }
    }

    fn block(&mut self, block: &StmtBlock) -> Option<Node> {
        match block.statements() {
            [stmt] => self.statement(stmt),
            _ => Some(self.refuse_at(block.position(), "a block of statements")),
        }
    }

    fn statement(&mut self, stmt: &Stmt) -> Option<Node> {
        match stmt {
            Stmt::Expr(expr) => self.expr(expr),
            Stmt::FnCall(call, at) => self.call(call, *at),
            Stmt::Block(block) => self.block(block),
            Stmt::If(flow, at) => {
                let start = self.text.offset(*at);
                let condition = self.expr(&flow.expr)?;
                let then = self.block(&flow.body)?;
                if flow.branch.is_empty() {
                    let message = "`if` without `else` has no value when the condition is false";
                    self.problems.push(problem("PB204", start, then.end, message).with_help("add `else { .. }`"));
                    return None;
                }
                let otherwise = self.block(&flow.branch)?;
                let end = self.close_brace(otherwise.end);
                Some(Node { kind: NodeKind::If { parts: Box::new((condition, then, otherwise)) }, start, end })
            }
            other => Some(self.refuse_at(other.position(), "a statement")),
        }
    }

    /// The end of the `}` after an offset; an inner `if` has already taken its own.
    fn close_brace(&self, from: usize) -> usize {
        let index = self.text.token_at(from);
        if self.text.word(index) == "}" { self.text.tokens[index].end } else { from }
    }
}
