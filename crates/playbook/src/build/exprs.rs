//! Expressions: collected while reading, checked when all names are known, their problems mapped back to the file.

use super::{At, Builder, Scope};
use crate::diagnostic::{Diagnostic, nearest};
use crate::library::severity;
use crate::read;
use crate::script::{Expected, ExprContext, ExprInfo, ExprProblem, check_expr};
use crate::yaml::{Kind, Node, Place, Style};
use recobro_kernel::expr::{Arg, Expr, ExprId};
use recobro_kernel::value::{Type, Value};
use std::rc::Rc;
use std::sync::Arc;

/// An expression that waits for its check.
pub(super) struct Pending {
    id: ExprId,
    node: Node,
    /// Bytes of the scalar in front of the expression.
    offset: usize,
    scope: Rc<Scope>,
    expected: Expected,
    /// The step's node, for a `choose` with `cases`.
    choose: Option<Node>,
}

impl Builder<'_> {
    /// A `when:`: the whole scalar is the expression.
    pub(super) fn condition(&mut self, node: &Node, at: &At) -> Option<ExprId> {
        self.bare(node, at, Expected::Type(Type::Bool), None)
    }

    /// A scalar that is an expression as a whole: `when:`, `choose:`.
    pub(super) fn bare(&mut self, node: &Node, at: &At, expected: Expected, choose: Option<Node>) -> Option<ExprId> {
        let Some(text) = node.text().map(str::trim).filter(|text| !text.is_empty()) else {
            // A tag was already reported where it stands.
            if node.text().is_none() {
                read::wrong(self.report(), node, "an expression");
            }
            return None;
        };
        if node.expression().is_some() {
            self.report().push(
                Diagnostic::error("PB006", &node.place, "this field always holds an expression")
                    .help("remove the `= ` in front"),
            );
            return None;
        }
        let text = text.to_owned();
        let offset = node.text().map_or(0, |whole| whole.len() - whole.trim_start().len());
        self.add(node, (text, offset), at, expected, choose)
    }

    /// A value that may be an expression behind `= `.
    pub(super) fn value_expr(&mut self, node: &Node, at: &At, expected: Expected) -> Option<ExprId> {
        let (source, offset) = node.expression()?;
        let source = source.to_owned();
        self.add(node, (source, offset), at, expected, None)
    }

    /// A text, or an expression that yields one.
    pub(super) fn text_arg(&mut self, node: &Node, at: &At, expected: Expected) -> Option<Arg<String>> {
        if node.expression().is_some() {
            return self.value_expr(node, at, expected).map(Arg::Expr);
        }
        read::name(self.report(), node).map(Arg::Const)
    }

    /// A whole number, or an expression that yields one.
    pub(super) fn int_arg(&mut self, node: &Node, at: &At) -> Option<Arg<i64>> {
        if node.expression().is_some() {
            return self.value_expr(node, at, Expected::Type(Type::Int)).map(Arg::Expr);
        }
        read::int(self.report(), node).map(Arg::Const)
    }

    /// A constant of a type (guessed where there is none), or an expression that yields it.
    pub(super) fn value_arg(&mut self, node: &Node, at: &At, of: Option<&Type>) -> Option<Arg<Value>> {
        if node.expression().is_some() {
            let expected = of.map_or(Expected::Any, |of| Expected::Type(of.clone()));
            return self.value_expr(node, at, expected).map(Arg::Expr);
        }
        let value = match of {
            Some(of) => read::value(self.report(), node, of),
            None => read::guess(self.report(), node),
        };
        value.map(Arg::Const)
    }

    /// A date, or an expression that yields one; always an expression in the end.
    pub(super) fn date_expr(&mut self, node: &Node, at: &At) -> Option<ExprId> {
        if node.expression().is_some() {
            return self.value_expr(node, at, Expected::Type(Type::Date));
        }
        let date = read::date(self.report(), node)?;
        Some(self.push_expr(node, format!("date(\"{date}\")"), 0, at, Type::Date))
    }

    fn push_expr(&mut self, node: &Node, source: String, offset: usize, at: &At, returns: Type) -> ExprId {
        let place = self.stretch(node, offset, offset);
        let id = ExprId(u32::try_from(self.exprs.len()).unwrap_or(u32::MAX));
        self.exprs.push(Expr {
            source,
            file: place.file.to_string(),
            line: place.start.line,
            column: place.start.column,
            returns,
            params: Arc::clone(&at.scope.params),
            event: at.event,
        });
        id
    }

    fn add(
        &mut self,
        node: &Node,
        (source, offset): (String, usize),
        at: &At,
        expected: Expected,
        choose: Option<Node>,
    ) -> Option<ExprId> {
        if source.len() > EXPR_MAX {
            self.report().push(
                Diagnostic::error("PB006", &node.place, format!("an expression longer than {EXPR_MAX} bytes"))
                    .help("put the rule into a decision table or a hook"),
            );
            return None;
        }
        if self.is_cut(node, &source) {
            return None;
        }
        let returns = match &expected {
            Expected::Type(of) => of.clone(),
            Expected::OneOf(list) => list.first().cloned().unwrap_or(Type::Text),
            Expected::Any | Expected::Choice => Type::Text,
        };
        let id = self.push_expr(node, source, offset, at, returns);
        let (node, scope) = (node.clone(), Rc::clone(&at.scope));
        self.pending.push(Pending { id, node, offset, scope, expected, choose });
        Some(id)
    }

    /// PB004: ` #` began a comment in the middle of an expression.
    fn is_cut(&self, node: &Node, source: &str) -> bool {
        if !matches!(node.kind, Kind::Scalar(_, Style::Plain)) {
            return false;
        }
        let text = self.shared.source(&node.place.file);
        let end = node.place.end;
        let Some(line) = text.lines().nth(end.line as usize - 1) else { return false };
        let rest: String = line.chars().skip(end.column as usize - 1).collect();
        let blanks = rest.chars().take_while(|c| c.is_whitespace()).count();
        let behind = rest.trim_start();
        // Inside braces the value may end before the comment does; then it was not cut.
        if !behind.starts_with('#') || !(behind.starts_with("#{") || is_unfinished(source)) {
            return false;
        }
        let column = end.column + u32::try_from(blanks).unwrap_or(0);
        let start = crate::yaml::Spot { line: end.line, column };
        let place =
            Place { file: Arc::clone(&node.place.file), start, end: crate::yaml::Spot { column: column + 1, ..start } };
        let message = format!("` #` starts a YAML comment; the expression would be cut to `{}`", read::cut(source));
        self.report().push(Diagnostic::error("PB004", &place, message).help("put the whole line in quotes"));
        true
    }

    fn stretch(&self, node: &Node, start: usize, end: usize) -> Place {
        node.stretch(&self.shared.source(&node.place.file), start, end)
    }

    /// Checks every expression now that all ids are known.
    pub(super) fn check_exprs(&mut self) {
        let mut steps: Vec<String> = self.steps.iter().flat_map(|step| [step.id.clone(), step.path.clone()]).collect();
        steps.extend(self.shared.requests.keys().cloned());
        steps.sort();
        steps.dedup();
        let seasons: Vec<String> = self.shared.law.calendars.values().flat_map(|c| c.seasons.keys().cloned()).collect();
        let pending = std::mem::take(&mut self.pending);
        for expr in &pending {
            let index = expr.id.0 as usize;
            let context = ExprContext {
                scripts: &self.shared.scripts,
                modules: &expr.scope.modules,
                tables: &self.head.tables,
                vars: &self.head.vars,
                params: &expr.scope.params,
                event: self.exprs[index].event,
                law: &self.shared.law,
                steps: &steps,
                seasons: &seasons,
                currency: self.head.currency,
                expected: &expr.expected,
            };
            match check_expr(&self.exprs[index].source, &context) {
                Ok(info) => {
                    if matches!(expr.expected, Expected::Any | Expected::OneOf(_)) {
                        self.exprs[index].returns = info.of.clone();
                    }
                    self.judge(expr, &info);
                }
                Err(problems) => problems.iter().for_each(|problem| self.problem(expr, problem)),
            }
        }
    }

    fn problem(&self, expr: &Pending, problem: &ExprProblem) {
        let place = self.stretch(&expr.node, expr.offset + problem.start, expr.offset + problem.end);
        let mut found = Diagnostic::error(problem.code, &place, problem.message.clone());
        found.severity = severity(problem.level);
        match &problem.help {
            Some(help) if help.starts_with("did you mean") && !help.contains(';') => found = found.label(help.clone()),
            help => found.help.clone_from(help),
        }
        found.notes.extend(problem.note.clone());
        self.report().push(found);
    }

    fn judge(&self, expr: &Pending, info: &ExprInfo) {
        for warning in &info.warnings {
            self.problem(expr, warning);
        }
        if info.compares_bare_amount && self.head.currency.is_none() {
            let place = self.stretch(&expr.node, expr.offset, expr.offset + self.expr_at(expr.id).source.len());
            self.report().push(
                Diagnostic::error("PB401", &place, "a bare amount means nothing where `currency: any`")
                    .help("name the playbook's currency, or compare two amounts of the same invoice"),
            );
        }
        if let Some(step) = &expr.choose {
            self.cases(step, info);
        }
    }

    /// PB208: cases are exactly the answers.
    fn cases(&self, step: &Node, info: &ExprInfo) {
        let (Some(verb), Some(cases)) = (step.key("choose"), step.get("cases")) else { return };
        let hook = info.hook.as_deref().and_then(|hook| hook.split_once("::"));
        let declared = hook.and_then(|(module, name)| self.shared.scripts.hook(module, name));
        let Some(answers) = &info.returns_texts else {
            self.report().push(
                Diagnostic::error("PB208", &verb.place, "nobody can know every answer of this `choose`")
                    .help("let a hook with `@returns \"A\" | \"B\"`, a table or a fact with a closed list answer; or write a list of `when:`"),
            );
            return;
        };
        let listed = answers.iter().map(|answer| format!("\"{answer}\"")).collect::<Vec<_>>().join(" | ");
        let note = match declared {
            Some(hook) => format!("{}:{} declares {listed}", hook.file, hook.line),
            None => format!("it answers {listed}"),
        };
        for answer in answers.iter().filter(|answer| cases.get(answer).is_none()) {
            self.report().push(
                Diagnostic::error("PB208", &verb.place, format!("`choose` has no case for \"{answer}\""))
                    .note(note.clone()),
            );
        }
        for (key, _) in cases.entries() {
            let name = key.text().unwrap_or_default();
            if !answers.iter().any(|answer| answer == name) {
                let mut problem =
                    Diagnostic::error("PB208", &key.place, format!("`choose` never answers \"{}\"", read::cut(name)));
                if let Some(near) = nearest(name, answers.iter().map(String::as_str)) {
                    problem = problem.label(format!("did you mean `{near}`?"));
                }
                self.report().push(problem.note(note.clone()));
            }
        }
    }
}

/// Expressions are one line; a page of them is a hook.
const EXPR_MAX: usize = 4 * 1024;

/// Whether an expression cannot end here: an open quote or bracket, or an operator at its end.
fn is_unfinished(source: &str) -> bool {
    let (mut quote, mut depth) = (None, 0_i32);
    for c in source.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth -= 1,
            _ => {}
        }
    }
    let last = source.split_whitespace().last().unwrap_or_default();
    quote.is_some()
        || depth > 0
        || matches!(last, "and" | "or" | "not" | "in")
        || source.ends_with(['=', '<', '>', '+', '-', '*', '/', '&', '|', '!', ',', '?', '%', '.'])
}
