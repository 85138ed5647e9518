//! What the compiler of scripts says.

use super::fixtures::RISK;
use crate::script::{Returns, Scripts};
use expect_test::{Expect, expect};
use recobro_kernel::value::Type;

fn compile(source: &str, wanted: &Expect) {
    use std::fmt::Write;
    let (_, problems) = Scripts::compile(&[("scripts/risk.rhai".to_owned(), source.as_bytes().to_vec())].into());
    let mut out = String::new();
    for found in problems {
        writeln!(out, "{}:{}:{} [{}] {}", found.file, found.line, found.column, found.code, found.message).unwrap();
        if let Some(help) = found.help {
            writeln!(out, "  help: {help}").unwrap();
        }
    }
    wanted.assert_eq(&out);
}

#[test]
fn hooks_carry_their_contract() {
    let (scripts, problems) = Scripts::compile(&[("scripts/risk.rhai".to_owned(), RISK.as_bytes().to_vec())].into());
    assert_eq!(problems, []);
    let route = scripts.hook("risk", "route").unwrap();
    assert_eq!(route.returns, Returns::Texts(["legal", "agency", "write_off"].map(str::to_owned).into()));
    assert_eq!(
        (route.line, route.doc.as_str()),
        (3, "Where does the debt go ten working days after the final notice?")
    );
    assert!(route.compares_bare_amount);
    assert_eq!(scripts.hook("risk", "can_keep_plan").unwrap().returns, Returns::Of(Type::Bool));
    assert_eq!(scripts.modules().collect::<Vec<_>>(), ["risk"]);
}

#[test]
fn a_hook_has_one_parameter_and_a_contract() {
    compile(
        "/// @returns bool\nfn a(facts, n) { true }\nfn b(case_) { true }\nfn c(facts) { true }\n/// @returns boolean\nfn d(facts) { true }\nprivate fn e(x, y) { x }\n",
        &expect![[r#"
        scripts/risk.rhai:2:1 [PB206] hook `a` must have exactly one parameter, `facts`
          help: write `fn a(facts)`, or `private fn a` for a helper
        scripts/risk.rhai:3:1 [PB206] hook `b` must have exactly one parameter, `facts`
          help: write `fn b(facts)`, or `private fn b` for a helper
        scripts/risk.rhai:4:1 [PB207] hook `c` does not say what it returns
          help: add a line `/// @returns bool`, or the texts: `/// @returns "a" | "b"`
        scripts/risk.rhai:6:1 [PB207] hook `d`: `@returns boolean` is no type
          help: a type (bool int decimal text date duration, or `[text]`), or texts: `"a" | "b"`
    "#]],
    );
}

#[test]
fn unknown_facts_are_found_without_running() {
    compile(
        "/// @returns bool\nfn a(facts) {\n    let c = facts.customer;\n    c.segmnt == \"key\" or facts.invoce.balance > 3 or facts.invoice.balence > 3\n}\n",
        &expect![[r#"
        scripts/risk.rhai:4:7 [PB201] unknown fact `customer.segmnt`
          help: did you mean `segment`?
        scripts/risk.rhai:4:68 [PB201] unknown fact `invoice.balence`
          help: did you mean `balance`?
    "#]],
    );
}

#[test]
fn a_script_that_does_not_compile_names_its_line() {
    compile(
        "/// @returns bool\nfn a(facts) {\n    if facts.invoice.disputed {\n",
        &expect![[r#"
        scripts/risk.rhai:4:1 [PB207] scripts/risk.rhai does not compile: expecting '}' to terminate this block
    "#]],
    );
    compile(
        "/// @returns bool\nfn a(facts) {\n    while true { }\n}\nlet x = 3;\n",
        &expect![[r#"
        scripts/risk.rhai:3:5 [PB207] scripts/risk.rhai does not compile: 'while' is a reserved keyword
          help: hooks know no `while`: they have `fn let if switch for` and the helpers, and return a value
    "#]],
    );
    compile(
        "/// @returns bool\nfn a(facts) { true }\nlet x = 3;\n",
        &expect![[r#"
        scripts/risk.rhai:3:1 [PB207] a script holds functions, nothing beside them
          help: put it into a function
    "#]],
    );
    compile(
        "/// @returns bool\nfn a(facts) { true }\n/// @returns bool\nfn a(facts) { false }\n",
        &expect![[r#"
        scripts/risk.rhai:4:1 [PB207] scripts/risk.rhai does not compile: function a with 1 parameter already exists
    "#]],
    );
}
