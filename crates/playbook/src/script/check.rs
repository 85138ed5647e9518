//! The static type check (being widened).

use super::parse;
use super::{Expected, ExprContext, ExprInfo, ExprProblem};
use recobro_kernel::facts::FACTS;
use recobro_kernel::value::Type;

/// Checks one expression.
///
/// # Errors
/// Every problem found.
pub fn check_expr(source: &str, context: &ExprContext<'_>) -> Result<ExprInfo, Vec<ExprProblem>> {
    parse::parse(source)?;
    let of = match context.expected {
        Expected::Type(of) => of.clone(),
        Expected::OneOf(list) => list.first().cloned().unwrap_or(Type::Text),
        Expected::Any | Expected::Choice => Type::Text,
    };
    Ok(ExprInfo { of, returns_texts: None, hook: None, compares_bare_amount: false, warnings: Vec::new() })
}

/// Names below a root.
pub(super) fn fields_of(root: &str) -> Vec<String> {
    let prefix = format!("{root}.");
    FACTS.iter().filter_map(|fact| fact.path.strip_prefix(&prefix)).map(str::to_owned).collect()
}
