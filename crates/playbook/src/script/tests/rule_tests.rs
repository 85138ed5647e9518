//! What expressions answer, and what they leave behind.

use super::fixtures::*;
use expect_test::expect;
use recobro_kernel::expr::Evaluation;
use recobro_kernel::value::{Type, Value};

fn text() -> Type {
    Type::Text
}

fn shown(evaluation: &Evaluation) -> String {
    use std::fmt::Write;
    let mut out = format!("= {}\n", evaluation.value);
    for clause in &evaluation.clauses {
        let value = clause.value.map_or_else(|| "not reached".to_owned(), |value| value.to_string());
        writeln!(out, "clause {} -> {value}", clause.text).unwrap();
    }
    for (path, value) in &evaluation.read {
        writeln!(out, "read {path} = {value}").unwrap();
    }
    for used in &evaluation.tables {
        writeln!(out, "{} row {}: {} = {}", used.table, used.row, used.output, used.value).unwrap();
    }
    for note in &evaluation.notes {
        writeln!(out, "note {note}").unwrap();
    }
    out
}

#[test]
fn every_expression_of_b2b_standard_answers() {
    let view = with_event("promise.made", &[("date", Value::Date(date("2026-05-29"))), ("amount", Value::Int(7200))]);
    for (source, of, want) in [
        (r#"customer.risk != "low" or invoice.balance > 3000"#, Type::Bool, "true"),
        (r#"approach.opening == "call""#, Type::Bool, "false"),
        (r#"customer.account_manager ?? "credit-control""#, text(), "credit-control"),
        ("approach.tone", text(), "friendly"),
        ("not customer.has_open_plan and risk::can_keep_plan(facts)", Type::Bool, "true"),
        ("approach.max_instalments", Type::Int, "3"),
        ("risk::route(facts)", text(), "agency"),
        ("invoice.claimable <= 0", Type::Bool, "false"),
        ("promise.date + grace", Type::Date, "2026-06-02"),
        ("customer.broken_promises >= 2", Type::Bool, "false"),
        ("customer.locale", text(), "es"),
        ("if customer.vulnerable { 12 } else { 4 }", Type::Int, "4"),
        (r#"customer.vulnerable or in_season("winter-truce")"#, Type::Bool, "false"),
        (r#"done("supply.cut")"#, Type::Bool, "false"),
        (r#"risk::route(facts) == "legal" and invoice.balance > 50000"#, Type::Bool, "false"),
        ("event.date + param.grace", Type::Date, "2026-06-03"),
        ("event.date + working_days(2)", Type::Date, "2026-06-02"),
        ("today + law.masc_wait", Type::Date, "2026-06-20"),
    ] {
        let found = eval_in(source, of, &view).unwrap_or_else(|error| panic!("{source}: {error:?}"));
        assert_eq!(found.value.to_string(), want, "{source}");
    }
}

#[test]
fn short_circuit_is_visible_in_clauses_and_reads() {
    let found = eval_in(r#"customer.risk != "low" or invoice.balance > 3000"#, Type::Bool, &view()).unwrap();
    expect![[r#"
        = true
        clause customer.risk != "low" -> true
        clause invoice.balance > 3000 -> not reached
        read customer.risk = medium
    "#]]
    .assert_eq(&shown(&found));
    let found =
        eval_in("not (1 == 1) or (invoice.balance > 3000 and customer.vulnerable)", Type::Bool, &view()).unwrap();
    expect![[r#"
        = false
        clause not (1 == 1) -> false
        clause invoice.balance > 3000 -> true
        clause customer.vulnerable -> false
        read invoice.balance = 7200.00
        read customer.vulnerable = false
    "#]]
    .assert_eq(&shown(&found));
}

#[test]
fn hooks_and_tables_say_what_they_looked_at() {
    let found = eval_in("risk::route(facts)", text(), &view()).unwrap();
    expect![[r#"
        = agency
        read invoice.balance = 7200.00
        read customer.segment = standard
        note neither small nor large
    "#]]
    .assert_eq(&shown(&found));
    let found = eval_in(r#"approach.opening == "call""#, Type::Bool, &view()).unwrap();
    expect![[r#"
        = false
        clause approach.opening == "call" -> false
        read customer.segment = standard
        read invoice.balance = 7200.00
        read customer.risk = medium
        approach row 4: opening = "email"
    "#]]
    .assert_eq(&shown(&found));
}

#[test]
fn the_case_s_past_is_recorded_like_a_fact() {
    let source = r#"sent("overdue-first") == 1 and replied_since("overdue-first") and notified("payment_demand")
        and outcome("overdue-first") in ["", "no_answer"] and unanswered("email") == 0"#;
    let found = eval_in(source, Type::Bool, &view()).unwrap();
    let read: Vec<&str> = found.read.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(found.value, Value::Bool(true));
    assert_eq!(read[0], r#"sent("overdue-first")"#);
    assert_eq!(read.len(), 5);
}

#[test]
fn decimals_are_exact() {
    assert!(truth("0.1 + 0.2 == 0.3"));
    assert!(truth("invoice.balance == 7200"));
    assert!(truth("round_money(2.345) == 2.35 and round_money(-2.345) == -2.35"));
    assert!(truth("percent(invoice.balance, 2.5) == 180"));
    assert!(truth("10 / 3 == 3 and 10 / 4.0 == 2.5 and 7 % 4 == 3"));
    assert!(truth("-invoice.balance < 0 and -1.5 < -1"));
}

#[test]
fn dates_count_in_days() {
    assert!(truth(r#"today == date("2026-05-20")"#));
    assert!(truth("today - invoice.due == 16"));
    assert!(truth(r#"invoice.due + months(1) == date("2026-06-04") and today - days(20) < invoice.due"#));
    assert!(truth(r#"today - working_days(3) == date("2026-05-15")"#));
    assert!(truth(r#"today + years(1) == date("2027-05-20")"#));
    assert!(truth("is_working_day(today) and working_days_between(invoice.due, today) == 12"));
    assert!(truth("now > now - days(1)"));
}

#[test]
fn missing_facts_are_asked_for() {
    assert!(truth("not has(promise) and not has(customer.account_manager) and has(invoice)"));
    assert!(truth("not has(promise.date)"));
    assert!(truth("(promise?.amount ?? 0) == 0"));
    assert!(truth("not has(contract.number) and not contract.allows_suspension"));
    let view = with_facts(|facts| facts.promise = Some(promise()));
    let found = eval_in("has(promise) and promise.date > today", Type::Bool, &view).unwrap();
    assert_eq!(found.value, Value::Bool(true));
}

#[test]
fn what_would_be_silently_false_fails_instead() {
    for (source, want) in [
        (r#"invoice.balance > "5000""#, "decimal cannot be compared with text by `>`"),
        ("today > 3", "date cannot be compared with int by `>`"),
        (r#"today == "2026-05-20""#, "date cannot be compared with text by `==`"),
        ("promise.date > today", "there is no promise here; write `has(promise) and ..` or `promise?.date ?? ..`"),
        ("customer.last_reply_on > today", "`customer.last_reply_on` is missing here"),
        ("not customer.risk == \"low\"", "a condition must be true or false, not text"),
        ("1 / 0 == 1", "division by zero"),
        ("customer.segmnt == \"key\"", "unknown fact `customer.segmnt`"),
        ("invoice.balance", "a condition must be true or false, not decimal"),
    ] {
        let text = failure(eval_in(source, Type::Bool, &view()));
        assert!(text.contains(want), "{source}: {text}");
        assert!(text.starts_with("workflows/b2b.yaml:40: in `"), "{text}");
    }
}

#[test]
fn an_answer_of_another_type_is_a_failure() {
    assert!(failure(eval_in("invoice.number", Type::Int, &view())).contains("it is \"INV-1042\", but int is needed"));
    assert!(
        failure(eval_in("customer.account_manager", text(), &view())).contains("it is nothing, but text is needed")
    );
    assert_eq!(eval_in("3", Type::Decimal, &view()).unwrap().value.to_string(), "3");
}

#[test]
fn a_handler_of_promises_sees_the_event_s_own_values() {
    let view = with_event("promise.broken", &[("date", Value::Date(date("2026-06-01"))), ("amount", Value::Int(5))]);
    let found = eval_in(r#"promise.date == date("2026-06-01") and promise.status == "broken""#, Type::Bool, &view);
    assert_eq!(found.unwrap().value, Value::Bool(true));
}

#[test]
fn a_bucket_is_stable_and_in_range() {
    let once = eval_in(r#"bucket("link", 10)"#, Type::Int, &view()).unwrap().value;
    assert_eq!(once, eval_in(r#"bucket("link", 10)"#, Type::Int, &view()).unwrap().value);
    assert!(truth(r#"bucket("a", 3) < 3 and bucket("a", 3) >= 0"#));
}
