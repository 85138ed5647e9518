//! Every way out of the sandbox that we know of, and what stops it.

use super::fixtures::*;
use crate::script::{Scripts, Watch};
use recobro_kernel::expr::RuleError;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

fn compile_problem(body: &str) -> String {
    let source = format!("/// @returns int\nfn probe(facts) {{\n    {body}\n}}\n");
    let (_, problems) = Scripts::compile(&[("scripts/risk.rhai".to_owned(), source.into_bytes())].into());
    let problem = problems.first().unwrap_or_else(|| panic!("{body} should not compile"));
    assert_eq!(problem.file, "scripts/risk.rhai");
    assert_eq!(problem.line, 3, "{body}: {problem:?}");
    problem.message.clone()
}

#[test]
fn words_that_reach_out_do_not_compile() {
    for body in [
        "eval(\"1\")",
        "import \"os\" as os;",
        "while true { }",
        "loop { }",
        "do { } while true;",
        "print(1)",
        "debug(1)",
        "let f = Fn(\"route\");",
        "call(1)",
        "curry(1)",
        "try { 1 } catch { 2 }",
        "let f = |x| x + 1;",
        "throw 1;",
        "nowhere + 1",
        "let m = #{}; m[\"k\"] = 1;",
        "facts.invoice.balance = 1; 1",
    ] {
        compile_problem(body);
    }
}

#[test]
fn functions_that_reach_out_do_not_exist() {
    for body in
        ["sleep(1000)", "timestamp_now()", "rand()", "open_file(\"x\")", "parse_yaml(\"1\")", "get_env(\"HOME\")"]
    {
        let text = failure(hook(body, "int"));
        assert!(text.contains("scripts/risk.rhai:3: there is no function"), "{text}");
    }
}

#[test]
fn nothing_grows_without_end() {
    for (body, want) in [
        ("let s = \"x\"; for i in 0..1000 { s += s; } 1", "too large"),
        ("let a = [1]; for i in 0..1000 { a += a; } 1", "too large"),
        ("let a = []; a.pad(1000000000, 1); 1", "too large"),
        ("let s = \"x\"; s.pad(1000000000, \"y\"); 1", "too large"),
        ("let n = 0; for i in 0..9223372036854775807 { n += 1; } n", "more than 100000 operations"),
        ("let m = #{}; for i in 0..1000 { m.set(\"k\" + i, i); } 1", "too large"),
        ("let m = #{a: 1}; for i in 0..20 { m = #{a: m, b: m}; } 1", "too large"),
        ("let a = []; for i in 0..2000 { a.push(i); } 1", "too large"),
        ("let a = []; for i in 0..2000 { a.insert(0, i); } 1", "too large"),
        ("let s = \"\"; for i in 0..9000 { s.append(\"x\"); } 1", "too large"),
        ("let s = \"abc\"; for i in 0..100 { s.replace(\"a\", \"aaaa\"); } 1", "too large"),
        ("let x = 9223372036854775807; x + 1", "overflow"),
        ("1 / 0", "division by zero"),
    ] {
        let text = failure(hook(body, "int"));
        assert!(text.to_lowercase().contains(want), "{body}: {text}");
        assert!(text.contains("scripts/risk.rhai:"), "{text}");
    }
}

#[test]
fn deep_recursion_ends() {
    let source =
        "/// @returns int\nfn probe(facts) { down(facts, 1) }\nprivate fn down(facts, n) { down(facts, n + 1) }\n";
    let rules = rules("risk::probe(facts)", recobro_kernel::value::Type::Int, source, None);
    let text = failure(recobro_kernel::expr::Rules::eval(&rules, recobro_kernel::expr::ExprId(0), &view()));
    assert!(text.contains("more than 16 calls inside calls"), "{text}");
}

#[test]
fn the_wall_clock_aborts_and_never_decides() {
    let ticks = Arc::new(AtomicU64::new(0));
    let clock = Arc::clone(&ticks);
    let elapsed = Arc::new(move || Duration::from_millis(clock.fetch_add(10, Ordering::Relaxed)));
    let watch = Watch::new(elapsed, Duration::from_millis(50));
    let slow = hook_watched("let n = 0; for i in 0..50000 { n += 1; } n", "int", watch.clone());
    assert!(matches!(&slow, Err(RuleError::Slow(text)) if text.contains("longer than 50 ms")), "{slow:?}");
    assert!(hook_watched("1", "int", watch).is_ok());
}

#[test]
fn a_panic_inside_the_engine_is_a_failure_of_the_rule() {
    let calls = AtomicU64::new(0);
    let elapsed = Arc::new(move || {
        // The second look happens inside the running hook.
        assert!(calls.fetch_add(1, Ordering::Relaxed) != 1, "a panic on purpose");
        Duration::ZERO
    });
    let watch = Watch::new(elapsed, Duration::from_secs(1));
    let text = failure(hook_watched("let n = 1; n + 1", "int", watch.clone()));
    assert!(text.contains("risk::probe (scripts/risk.rhai:2) made the rule engine panic"), "{text}");
    assert!(hook_watched("let n = 1; n + 1", "int", watch).is_ok());
}

#[test]
fn comparisons_inside_hooks_never_answer_false_by_accident() {
    for body in [
        "facts.invoice.balance > \"5000\"",
        "facts.today > 3",
        "facts.invoice.due == \"2026-05-04\"",
        "facts.customer.last_reply_on > facts.today",
        "facts.customer.account_manager < \"z\"",
        "facts.customer.risk == 1",
        "\"vip\" in facts.invoice.balance",
        "facts.promise.date > facts.today",
        "facts.customer.last_reply_on + 1 == 2",
    ] {
        failure(hook(body, "bool"));
    }
    for body in [
        "facts.invoice.balance > 5000 and facts.invoice.balance == 7200",
        "0.1 + 0.2 == 0.3",
        "facts.promise == () and not has(facts.promise)",
        "(facts.customer.account_manager ?? \"x\") == \"x\"",
        "facts.promise?.date == ()",
        "\"vip\" in facts.customer.tags and \"x\" !in facts.customer.tags",
        "facts.today + days(1) > facts.today and facts.today - facts.invoice.due == 16",
        "facts.customer.risk in [\"low\", \"medium\"]",
        "facts.approach.opening == \"email\" and facts.vars.grace == working_days(2)",
        "facts.run.stage == \"reminders\" and facts.law.fixed_compensation == 40",
        "switch facts.customer.risk { \"medium\" => true, _ => false }",
        "round_money(2.345) == 2.35",
        "min(2, 3) == 2 and [3, 1].len() == 2",
    ] {
        let found = hook(body, "bool").unwrap_or_else(|error| panic!("{body}: {error:?}"));
        assert_eq!(found.value, recobro_kernel::value::Value::Bool(true), "{body}");
    }
}

#[test]
fn facts_are_read_only_and_known() {
    assert!(
        failure(hook("let x = \"segment\"; facts.customer[x + \"s\"]; 1", "int"))
            .contains("unknown fact `customer.segments`")
    );
    assert!(failure(hook("round(2.5)", "decimal")).contains("round_money"));
}

#[test]
fn the_promise_of_returns_is_kept() {
    assert!(
        failure(hook("\"legl\"", "\"legal\" | \"agency\""))
            .contains("returned \"legl\"; its `@returns` says \"legal\" | \"agency\"")
    );
    assert!(failure(hook("()", "int")).contains("returned nothing; its `@returns` says int"));
    assert!(failure(hook("facts", "text")).contains("returned facts"));
    assert_eq!(hook("1", "decimal").unwrap().value.to_string(), "1");
}

#[test]
fn private_functions_stay_inside() {
    let source = "/// @returns bool\nfn open(facts) { secret(facts) }\nprivate fn secret(facts) { true }\n";
    let rules = rules("risk::secret(facts)", recobro_kernel::value::Type::Bool, source, None);
    let text = failure(recobro_kernel::expr::Rules::eval(&rules, recobro_kernel::expr::ExprId(0), &view()));
    assert!(text.contains("there is no hook `risk::secret`"), "{text}");
}

#[test]
fn the_library_is_shared_and_lines_stay_right() {
    let lib = "// shared\nfn is_large(facts) {\n    facts.invoice.balance > \"x\"\n}\n";
    let risk = "/// @returns bool\nfn probe(facts) {\n    is_large(facts)\n}\n/// @returns int\nfn other(facts) {\n    1 / 0\n}\n";
    let files = [("scripts/lib.rhai".to_owned(), lib.into()), ("scripts/risk.rhai".to_owned(), risk.into())].into();
    let (scripts, problems) = Scripts::compile(&files);
    assert_eq!(problems, []);
    assert_eq!(scripts.hook("risk", "other").unwrap().line, 6);
    assert!(scripts.hook("risk", "is_large").is_none());
    for (name, of, want) in [
        ("probe", recobro_kernel::value::Type::Bool, "scripts/lib.rhai:3"),
        ("other", recobro_kernel::value::Type::Int, "scripts/risk.rhai:7"),
    ] {
        let expr = expr(&format!("risk::{name}(facts)"), of, None);
        let rules =
            crate::script::RhaiRules::new(&[expr], Vec::new(), vars(), &scripts, &["risk".into()]).ok().unwrap();
        let text = failure(recobro_kernel::expr::Rules::eval(&rules, recobro_kernel::expr::ExprId(0), &view()));
        assert!(text.contains(want), "{text}");
    }
}
