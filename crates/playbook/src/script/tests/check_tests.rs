//! What the check says of each mistake.

use super::fixtures::*;
use crate::script::{Expected, ExprContext, ExprInfo, ExprProblem, ProblemLevel, Scripts, check_expr};
use expect_test::{Expect, expect};
use recobro_kernel::money::Currency;
use recobro_kernel::value::Type;

pub(super) fn check_as(
    source: &str,
    event: Option<&'static str>,
    expected: &Expected,
) -> Result<ExprInfo, Vec<ExprProblem>> {
    let scripts = scripts(RISK);
    check_with(&scripts, source, event, expected)
}

pub(super) fn check_with(
    scripts: &Scripts,
    source: &str,
    event: Option<&'static str>,
    expected: &Expected,
) -> Result<ExprInfo, Vec<ExprProblem>> {
    let (tables, vars, law) = ([approach()], vars(), law());
    let params = expr("", Type::Bool, None).params;
    let steps = ["overdue-first", "supply.cut"].map(str::to_owned);
    let seasons = ["winter-truce".to_owned()];
    let modules = ["risk".to_owned()];
    let context = ExprContext {
        scripts,
        modules: &modules,
        tables: &tables,
        vars: &vars,
        params: &params,
        event,
        law: &law,
        steps: &steps,
        seasons: &seasons,
        currency: Some(Currency::EUR),
        expected,
    };
    check_expr(source, &context)
}

fn render(source: &str, problems: &[ExprProblem]) -> String {
    use std::fmt::Write;
    let mut out = String::new();
    for found in problems {
        let level = if found.level == ProblemLevel::Error { "error" } else { "warning" };
        writeln!(out, "{level}[{}]: {}", found.code, found.message).unwrap();
        writeln!(out, "  {source}").unwrap();
        let indent = source[..found.start].chars().count();
        let width = source[found.start..found.end].chars().count().max(1);
        writeln!(out, "  {}{}", " ".repeat(indent), "^".repeat(width)).unwrap();
        for (name, text) in [("help", &found.help), ("note", &found.note)] {
            if let Some(text) = text {
                writeln!(out, "  = {name}: {text}").unwrap();
            }
        }
    }
    out
}

fn check_in(source: &str, event: Option<&'static str>, of: Type, wanted: &Expect) {
    let shown = match check_as(source, event, &Expected::Type(of)) {
        Ok(info) => format!("{}\n{}", info.of, render(source, &info.warnings)),
        Err(problems) => render(source, &problems),
    };
    wanted.assert_eq(&shown);
}

fn when(source: &str, wanted: &Expect) {
    check_in(source, None, Type::Bool, wanted);
}

fn good(source: &str, event: Option<&'static str>, of: Type) {
    if let Err(problems) = check_as(source, event, &Expected::Type(of)) {
        panic!("{}", render(source, &problems));
    }
}

#[test]
fn the_expressions_of_the_contract_are_good() {
    for source in [
        r#"customer.risk != "low" or invoice.balance > 3000"#,
        r#"approach.opening == "call""#,
        "not customer.has_open_plan and risk::can_keep_plan(facts)",
        "invoice.claimable <= 0",
        "customer.broken_promises >= 2",
        r#"customer.vulnerable or in_season("winter-truce")"#,
        r#"done("supply.cut")"#,
        r#"risk::route(facts) == "legal" and invoice.balance > 50000"#,
        r#"outcome("overdue-first") in ["", "no_answer", "voicemail"]"#,
        r#"unanswered("email") >= 2 and contacts.calls == 0"#,
        r#"has(contract.terms_on) and customer.kind != "person""#,
        "has(promise) and promise.date > today",
        "not has(promise) or promise.date > today",
        "has(customer.last_reply_on) and customer.last_reply_on > today - days(5)",
        r#"contacts.attempts_since_talk >= 3 and contacts.channels_since_talk >= 2 and sent("overdue-first") == 0"#,
        r#"has(promise) and not (has(dispute.outcome) and dispute.outcome == "rejected") and promise.amount > 0"#,
        "if has(promise) { promise.amount > 10 } else { false }",
        r#""vip" in customer.tags and invoice.days_overdue !in [1, 2]"#,
    ] {
        good(source, None, Type::Bool);
    }
    good(r#"customer.account_manager ?? "credit-control""#, None, Type::Text);
    good("approach.max_instalments", None, Type::Int);
    good("if customer.vulnerable { 12 } else { 4 }", None, Type::Int);
    good("promise.date + grace", Some("promise.made"), Type::Date);
    good("event.date + param.grace", Some("promise.made"), Type::Date);
    good("event.claim_deadline ?? today + days(15)", Some("customer.insolvent"), Type::Date);
    good("today + law.masc_wait", None, Type::Date);
    good("[customer.locale, \"es\"]", None, Type::List(Box::new(Type::Text)));
    good("promise?.amount ?? invoice.claimable", None, Type::Decimal);
}

#[test]
fn unknown_names_suggest_the_nearest() {
    when(
        "customer.segmnt == \"key\"",
        &expect![[r#"
        error[PB201]: unknown fact `customer.segmnt`
          customer.segmnt == "key"
                   ^^^^^^
          = help: did you mean `segment`?
    "#]],
    );
    when(
        "custmer.segment == \"key\" and tody > today",
        &expect![[r#"
        error[PB201]: unknown fact `custmer`
          custmer.segment == "key" and tody > today
          ^^^^^^^
          = help: did you mean `customer`?
        error[PB201]: unknown fact `tody`
          custmer.segment == "key" and tody > today
                                       ^^^^
          = help: did you mean `today`?
    "#]],
    );
    when(
        "approach.oppening == \"call\"",
        &expect![[r#"
        error[PB201]: table `approach` has no output `oppening`
          approach.oppening == "call"
                   ^^^^^^^^
          = help: did you mean `opening`?
    "#]],
    );
    when(
        "event.amount > 3",
        &expect![[r#"
        error[PB201]: there is no `event` here; only handlers of `whenever` have one
          event.amount > 3
          ^^^^^
    "#]],
    );
    check_in(
        "event.amuont > 3",
        Some("promise.made"),
        Type::Bool,
        &expect![[r#"
        error[PB201]: event `promise.made` has no field `amuont`
          event.amuont > 3
                ^^^^^^
          = help: did you mean `amount`?
    "#]],
    );
    when(
        "customer.segment == key",
        &expect![[r#"
        error[PB201]: unknown fact `key`
          customer.segment == key
                              ^^^
          = help: text stands in quotes: "key"
    "#]],
    );
}

#[test]
fn texts_outside_an_enumeration_are_named() {
    when(
        "customer.segment == \"kye\"",
        &expect![[r#"
        error[PB202]: "kye" is never a value of `customer.segment`
          customer.segment == "kye"
                              ^^^^^
          = help: values are key, sme, standard; did you mean "key"?
    "#]],
    );
    when(
        "customer.risk in [\"low\", \"midium\"]",
        &expect![[r#"
        error[PB202]: "midium" is never a value of `customer.risk`
          customer.risk in ["low", "midium"]
                                   ^^^^^^^^
          = help: values are high, low, medium; did you mean "medium"?
    "#]],
    );
    when(
        "risk::route(facts) != \"legl\" or sent(\"overdue-frist\") > 0",
        &expect![[r#"
        error[PB202]: "legl" is never a value of `risk::route(facts)`
          risk::route(facts) != "legl" or sent("overdue-frist") > 0
                                ^^^^^^
          = help: values are agency, legal, write_off; did you mean "legal"?
        error[PB202]: there is no step or request `overdue-frist`
          risk::route(facts) != "legl" or sent("overdue-frist") > 0
                                               ^^^^^^^^^^^^^^^
          = help: did you mean "overdue-first"?
    "#]],
    );
    when(
        "unanswered(\"emial\") > 1 and in_season(\"winter\")",
        &expect![[r#"
        error[PB202]: there is no channel `emial`
          unanswered("emial") > 1 and in_season("winter")
                     ^^^^^^^
          = help: did you mean "email"?
        error[PB202]: there is no season `winter`
          unanswered("emial") > 1 and in_season("winter")
                                                ^^^^^^^^
          = help: known are winter-truce
    "#]],
    );
}

#[test]
fn unlike_types_never_compare() {
    when(
        "customer.risk != \"low\" or invoice.balance > \"3000\"",
        &expect![[r#"
        error[PB203]: number compared with text; this would always be false
          customer.risk != "low" or invoice.balance > "3000"
                                                    ^
          = help: remove the quotes
          = note: `invoice.balance` is decimal, `"3000"` is text
    "#]],
    );
    when(
        "today == \"2026-05-04\" or today > 3",
        &expect![[r#"
        error[PB203]: date compared with text; this would always be false
          today == "2026-05-04" or today > 3
                ^^
          = help: `date("2026-05-04")`
          = note: `today` is date, `"2026-05-04"` is text
        error[PB203]: date compared with number; this would always be false
          today == "2026-05-04" or today > 3
                                         ^
          = help: `date - date` is a number of days; a date is written `date("2026-05-04")`
          = note: `today` is date, `3` is int
    "#]],
    );
    when(
        "today + 3 > invoice.due",
        &expect![[r#"
        error[PB203]: `+` does not fit date and int
          today + 3 > invoice.due
                ^
          = help: `days(3)` or `working_days(3)`
    "#]],
    );
}

#[test]
fn conditions_and_places_have_their_type() {
    when(
        "invoice.balance",
        &expect![[r#"
        error[PB203]: a condition must be true or false; this is decimal
          invoice.balance
          ^^^^^^^^^^^^^^^
          = help: compare it: `invoice.balance > 0`
    "#]],
    );
    when(
        "not customer.risk == \"low\"",
        &expect![[r#"
        error[PB203]: `not a == b` reads `(not a) == b`
          not customer.risk == "low"
          ^^^^^^^^^^^^^^^^^
          = help: write `not (a == b)` or `a != b`
    "#]],
    );
    good("(not customer.vulnerable) == customer.has_open_plan and not (customer.risk == \"low\")", None, Type::Bool);
    check_in(
        "invoice.number",
        None,
        Type::Int,
        &expect![[r#"
        error[PB203]: this is text, but int is needed here
          invoice.number
          ^^^^^^^^^^^^^^
    "#]],
    );
    check_in(
        "if customer.vulnerable { 12 } else { \"4\" }",
        None,
        Type::Int,
        &expect![[r#"
        error[PB203]: this is int or text, as the case may be; it must be of one type
          if customer.vulnerable { 12 } else { "4" }
          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#]],
    );
}

#[test]
fn what_may_be_missing_is_asked_for() {
    when(
        "promise.date > today",
        &expect![[r#"
        error[PB204]: `promise.date` may be missing: there may be no promise
          promise.date > today
          ^^^^^^^^^^^^
          = help: `has(promise) and ..`, or `promise?.date ?? ..`
    "#]],
    );
    when(
        "customer.last_reply_on > today - days(5)",
        &expect![[r#"
        error[PB204]: `customer.last_reply_on` may be missing; comparing it would be false without notice
          customer.last_reply_on > today - days(5)
          ^^^^^^^^^^^^^^^^^^^^^^
          = help: `has(customer.last_reply_on) and customer.last_reply_on > today - days(5)`
    "#]],
    );
    when(
        "has(promise) or promise.date > today",
        &expect![[r#"
        error[PB204]: `promise.date` may be missing: there may be no promise
          has(promise) or promise.date > today
                          ^^^^^^^^^^^^
          = help: `has(promise) and ..`, or `promise?.date ?? ..`
    "#]],
    );
    when(
        "has(dispute) and dispute.outcome == \"accepted\"",
        &expect![[r#"
        error[PB204]: `dispute.outcome` may be missing; comparing it would be false without notice
          has(dispute) and dispute.outcome == "accepted"
                           ^^^^^^^^^^^^^^^
          = help: `has(dispute.outcome) and dispute.outcome == "accepted"`
    "#]],
    );
    check_in(
        "customer.account_manager",
        None,
        Type::Text,
        &expect![[r#"
        error[PB204]: `customer.account_manager` may be missing; this place needs a value
          customer.account_manager
          ^^^^^^^^^^^^^^^^^^^^^^^^
          = help: write `customer.account_manager ?? ..`, or ask `has(customer.account_manager)` first
    "#]],
    );
}

#[test]
fn calls_are_checked_by_name_and_arity() {
    when(
        "risk::rout(facts) == \"legal\"",
        &expect![[r#"
        error[PB205]: no function `rout` in scripts/risk.rhai
          risk::rout(facts) == "legal"
                ^^^^
          = help: did you mean `risk::route`?
    "#]],
    );
    when(
        "risk::can_keep_plan(facts, 3)",
        &expect![[r#"
        error[PB206]: a hook takes exactly one argument, `facts`; 2 given
          risk::can_keep_plan(facts, 3)
          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          = help: `risk::can_keep_plan(facts)`
    "#]],
    );
    when(
        "can_keep_plan(facts) or rsk::route(facts) == \"x\" or dayz(3) == days()",
        &expect![[r#"
        error[PB205]: no function `can_keep_plan`
          can_keep_plan(facts) or rsk::route(facts) == "x" or dayz(3) == days()
          ^^^^^^^^^^^^^
          = help: did you mean `risk::can_keep_plan`?
        error[PB205]: no script `rsk` is listed here
          can_keep_plan(facts) or rsk::route(facts) == "x" or dayz(3) == days()
                                  ^^^
          = help: did you mean `risk::route`?
        error[PB205]: no function `dayz`
          can_keep_plan(facts) or rsk::route(facts) == "x" or dayz(3) == days()
                                                              ^^^^
          = help: did you mean `days`?
        error[PB206]: `days` takes 1 argument; 0 given
          can_keep_plan(facts) or rsk::route(facts) == "x" or dayz(3) == days()
                                                                         ^^^^^^
          = help: `days(n)`
    "#]],
    );
    when(
        "round(invoice.balance) > 3",
        &expect![[r#"
        error[PB205]: `round` rounds half to even; use `round_money(x)`, which rounds half away from zero
          round(invoice.balance) > 3
          ^^^^^
          = help: `round_money(x)`
    "#]],
    );
}

#[test]
fn other_mistakes_have_their_message() {
    when(
        "invoice.balance * (1 / 2) > 3",
        &expect![[r#"
        bool
        warning[PB209]: whole-number division: `1 / 2` is 0
          invoice.balance * (1 / 2) > 3
                             ^^^^^
          = help: `0.5`
    "#]],
    );
    when(
        "customer.risk = \"low\"",
        &expect![[r#"
        error[PB210]: `=` in a condition; did you mean `==`?
          customer.risk = "low"
                        ^
          = help: write `==`
    "#]],
    );
    when(
        "customer.risk not in [\"low\"]",
        &expect![[r#"
        error[PB200]: there is no `not in`
          customer.risk not in ["low"]
                        ^^^^^^
          = help: write `not (x in [..])` or `x !in [..]`
    "#]],
    );
    assert_eq!(check_as(" ", None, &Expected::Any).unwrap_err()[0].message, "this expression is empty");
    when(
        "invoice.balance >",
        &expect![[r#"
        error[PB200]: this expression cannot be read: script is incomplete
          invoice.balance >
                           ^
          = help: something is missing at the end
    "#]],
    );
}

#[test]
fn nothing_but_the_closed_list_is_an_expression() {
    for source in [
        "let x = 1",
        "{ let x = 1; x }",
        "switch invoice.balance { 1 => true, _ => false }",
        "|x| x + 1",
        "[1, 2][0] == 1",
        "customer.tags.len() == 1",
        "#{a: 1}",
        "`text ${1}`",
        "'c' == \"c\"",
        "while true { }",
        "for x in 0..3 { x }",
        "this == 1",
        "1 & 2",
        "1..3",
        "2 ** 3 == 8",
        "eval(\"1\")",
        "if invoice.disputed { true }",
        "invoice.balance; true",
        "return true",
        "import \"x\"",
        "fn x() { }",
    ] {
        let found = check_as(source, None, &Expected::Type(Type::Bool));
        let problems = found.err().unwrap_or_else(|| panic!("{source} should be refused"));
        assert!(
            problems.iter().all(|found| matches!(found.code, "PB200" | "PB204" | "PB205" | "PB210")),
            "{source}: {problems:?}"
        );
        assert!(
            problems.iter().all(|found| found.start <= found.end && found.end <= source.len()),
            "{source}: {problems:?}"
        );
    }
}

#[test]
fn the_texts_of_a_choice_are_known() {
    let texts = |source: &str| check_as(source, None, &Expected::Choice).unwrap().returns_texts;
    let list = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    assert_eq!(texts("risk::route(facts)"), list(&["legal", "agency", "write_off"]));
    assert_eq!(texts("if customer.vulnerable { \"soft\" } else { \"hard\" }"), list(&["soft", "hard"]));
    assert_eq!(texts("approach.tone"), list(&["personal", "neutral", "firm", "friendly"]));
    assert_eq!(texts("invoice.product"), None);
    assert_eq!(check_as("risk::route(facts)", None, &Expected::Choice).unwrap().hook.as_deref(), Some("risk::route"));
}

#[test]
fn bare_amounts_are_noticed() {
    let bare = |source: &str| check_as(source, None, &Expected::Any).unwrap().compares_bare_amount;
    assert!(bare("invoice.balance > 3000"));
    assert!(bare("invoice.balance - 5 > 0"));
    assert!(bare("if has(promise) { promise.amount * 2 > 10 } else { false }"));
    assert!(!bare("invoice.claimable > 0"));
    assert!(!bare("invoice.claimable > invoice.amount * 0.5"));
    assert!(!bare("invoice.claimable / invoice.amount > 0.5"));
    assert!(!bare("invoice.days_overdue > 30"));
    assert!(bare("risk::can_keep_plan(facts)"), "its module compares the balance with 300");
}

#[test]
fn a_hook_that_reads_a_name_of_no_playbook_is_refused_where_it_is_called() {
    let scripts = scripts(
        "/// @returns bool\nfn large(facts) { facts.invoce.balance > 3 }\n/// @returns text\nfn tone(facts) { facts.approach.tone }\n",
    );
    assert!(check_with(&scripts, "risk::tone(facts)", None, &Expected::Choice).is_ok());
    let problems = check_with(&scripts, "risk::large(facts)", None, &Expected::Any).unwrap_err();
    expect![[r#"
        error[PB201]: `risk::large` reads `facts.invoce` (scripts/risk.rhai:2), which is no fact, table or variable here
          risk::large(facts)
          ^^^^^^^^^^^^^^^^^^
          = help: did you mean `facts.invoice`?
    "#]]
    .assert_eq(&render("risk::large(facts)", &problems));
}
