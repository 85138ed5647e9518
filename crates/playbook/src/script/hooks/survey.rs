//! What a script's tree shows without running it: properties of `facts` that do not exist, assignments into lists and
//! maps, and amounts compared with bare numbers. Types are left to the run; a hook's `@returns` is its contract.

use crate::script::check::fields_of;
use crate::script::names::{Found, Names, Place, is_root, nearest};
use crate::script::parse::Op;
use crate::script::registry::ROOTS;
use recobro_kernel::facts::Registry;
use rhai::{AST, ASTNode, Expr, FnCallExpr, Position, Stmt};
use std::collections::BTreeMap;

/// A problem with rhai's position.
pub(super) struct Finding {
    /// `PB201` or `PB207`.
    pub(super) code: &'static str,
    /// Where.
    pub(super) at: Position,
    /// What is wrong.
    pub(super) message: String,
    /// What to write instead.
    pub(super) help: Option<String>,
}

/// What a survey found.
pub(super) struct Survey<'f> {
    facts: &'f Registry,
    /// Problems.
    pub(super) findings: Vec<Finding>,
    /// An amount meets a bare number other than zero.
    pub(super) compares_bare_amount: bool,
    /// Names below `facts` that only a playbook can explain: tables, variables, slips of the pen.
    pub(super) open_names: Vec<(String, Position)>,
    /// `let c = facts.customer;`; nothing where one name has two meanings.
    aliases: BTreeMap<String, Option<Vec<String>>>,
}

/// Looks through a module.
pub(super) fn survey<'f>(ast: &AST, facts: &'f Registry) -> Survey<'f> {
    let mut survey = Survey {
        facts,
        findings: Vec::new(),
        compares_bare_amount: false,
        open_names: Vec::new(),
        aliases: BTreeMap::new(),
    };
    ast.walk(&mut |nodes| {
        match nodes.last() {
            Some(ASTNode::Stmt(Stmt::Var(var, ..))) => survey.name(&var.0.name, &var.1),
            Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => {
                survey.assigned(&assignment.1.lhs, assignment.0.position());
            }
            _ => {}
        }
        true
    });
    ast.walk(&mut |nodes| {
        match nodes {
            // The rest of a chain was looked at with its head.
            [.., ASTNode::Expr(Expr::Dot(head, ..)), ASTNode::Expr(Expr::Dot(..))]
                if matches!(head.rhs, Expr::Dot(..)) => {}
            [.., ASTNode::Expr(expr @ Expr::Dot(..))] => survey.path(expr),
            [.., ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))] => {
                survey.operator(call);
            }
            _ => {}
        }
        true
    });
    survey
}

impl Survey<'_> {
    fn name(&mut self, name: &str, value: &Expr) {
        let path = chain(value).map(|(names, _)| names);
        let known = self.aliases.entry(name.to_owned()).or_insert_with(|| path.clone());
        if *known != path {
            *known = None;
        }
    }

    fn assigned(&mut self, target: &Expr, at: Position) {
        if let Expr::Variable(name, ..) = target {
            self.aliases.insert(name.1.to_string(), None);
            return;
        }
        // rhai does not measure a map that grows by `m[key] = x`.
        let message = "a hook assigns variables only, never an item of a list or map, nor a property".to_owned();
        let help = Some("build a new list with `+`, or name a variable".to_owned());
        self.findings.push(Finding { code: "PB207", at, message, help });
    }

    /// The path of a fact behind an expression, aliases followed.
    fn fact(&self, expr: &Expr) -> Option<(Vec<String>, Position)> {
        let (names, at) = chain(expr)?;
        let (first, rest) = names.split_first()?;
        if first == "facts" {
            return Some((rest.to_vec(), at));
        }
        let alias = self.aliases.get(first)?.as_ref()?;
        let (root, inner) = alias.split_first()?;
        (root == "facts").then(|| (inner.iter().chain(rest).cloned().collect(), at))
    }

    fn path(&mut self, expr: &Expr) {
        let Some((path, at)) = self.fact(expr) else { return };
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        // Tables, variables, parameters, events and figures of the law differ by playbook: the run finds those.
        let Some(root) = names.first() else { return };
        if !is_root(root) {
            if !ROOTS.iter().any(|known| known.name == *root) {
                self.open_names.push(((*root).to_owned(), at));
            }
            return;
        }
        if !matches!(self.scope().find(&names), Found::Nothing) {
            return;
        }
        let last = names.last().copied().unwrap_or(root);
        let below = if names.len() > 2 && names[1] == "x" { format!("{root}.x") } else { (*root).to_owned() };
        let known = fields_of(self.facts, &below);
        let help = nearest(last, known.iter().map(String::as_str)).map(|name| format!("did you mean `{name}`?"));
        let message = format!("unknown fact `{}`", names.join("."));
        self.findings.push(Finding { code: "PB201", at, message, help });
    }

    fn scope(&self) -> Names<'_> {
        static EMPTY: BTreeMap<String, recobro_kernel::value::Value> = BTreeMap::new();
        Names { facts: self.facts, tables: &[], vars: &EMPTY, params: &EMPTY, event: None }
    }

    fn is_amount(&self, expr: &Expr) -> bool {
        let Some((path, _)) = self.fact(expr) else { return false };
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        matches!(self.scope().find(&names), Found::Value(Place::Fact(fact)) if fact.is_amount())
    }

    fn operator(&mut self, call: &FnCallExpr) {
        let Some(op) = Op::ALL.into_iter().find(|op| op.sign() == call.name) else { return };
        let [left, right] = &call.args[..] else { return };
        if matches!(op, Op::Multiply | Op::Divide | Op::Remainder) || !call.is_operator_call() {
            return;
        }
        let other = match (self.is_amount(left), self.is_amount(right)) {
            (true, false) => right,
            (false, true) => left,
            (true, true) | (false, false) => return,
        };
        let literal = other.get_literal_value(None);
        let number = literal.and_then(|value| value.as_decimal().ok().or_else(|| value.as_int().ok().map(Into::into)));
        self.compares_bare_amount |= number.is_some_and(|number: rust_decimal::Decimal| !number.is_zero());
    }
}

/// The names of `a.b.c` with the position of the last one; stops before a method call.
fn chain(expr: &Expr) -> Option<(Vec<String>, Position)> {
    let mut names = Vec::new();
    let mut at = Position::NONE;
    let mut rest = expr;
    loop {
        let (here, next) = match rest {
            Expr::Dot(pair, ..) => (&pair.lhs, Some(&pair.rhs)),
            last => (last, None),
        };
        match here {
            Expr::Variable(name, _, pos) if names.is_empty() => (names.push(name.1.to_string()), at = *pos),
            Expr::Property(name, pos) if !names.is_empty() => (names.push(name.2.to_string()), at = *pos),
            _ if names.is_empty() => return None,
            _ => return Some((names, at)),
        };
        match next {
            Some(next) => rest = next,
            None => return Some((names, at)),
        }
    }
}
