//! What templates make, and how they say what they cannot.
#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them")]

use super::*;
use expect_test::{Expect, expect};
use serde_json::json;
use std::fmt::Write as _;

const FILE: &str = "workflows/templates/overdue-first/email.es.j2";

fn files(source: &str) -> Files {
    BTreeMap::from([(FILE.to_owned(), source.as_bytes().to_vec())])
}

fn context() -> TemplateContext {
    json!({
        "invoice": {"number": "INV-<1>", "due": "2026-05-01", "claimable": 7200.15, "disputed_amount": 0.0, "currency": "EUR"},
        "contact": {"name": null},
        "creditor": {"name": "Acme & Co"},
        "payment_link": "https://pay.example/i?a=1&b=2",
        "invoices": [{"number": "A", "claimable": 1}, {"number": "B", "claimable": 2.5}],
        "deadline": "10 working days",
    })
}

fn check(source: &str, expected: &Expect) {
    let (templates, problems) = Templates::load(&files(source));
    let made = match problems.first() {
        Some(problem) => problem.to_string(),
        None => match templates.render("overdue-first", "email", "es", &context()) {
            Ok(made) => format!("{}\n----\n{}----\n{}", made.subject, made.text, made.html),
            Err(error) => error.to_string(),
        },
    };
    expected.assert_eq(&made);
}

const HEAD: &str = "---\nclass: dunning\nlevel: 1\nsubject: \"Factura {{ invoice.number }}\"\n---\n";

#[test]
fn text_and_html_come_from_one_template_and_nothing_is_unescaped() {
    let body = "Hola{% if contact.name %} {{ contact.name }}{% endif %}:\n\n\n\
        La factura {{ invoice.number }} de {{ invoice.claimable | money }} venció el {{ invoice.due | date }} y sigue\n\
        pendiente; plazo {{ deadline | duration }}.\n{% if invoice.disputed_amount > 0 %}En disputa.{% endif %}\n\
        {% for i in invoices %}- {{ i.number }}: {{ i.claimable | money }}\n{% endfor %}\n\
        Pagar: {{ payment_link }}.\n\n    Total   1\n    IVA     <2>\n\nUn saludo,\n{{ creditor.name }}\n";
    check(
        &format!("{HEAD}{body}"),
        &expect![[r#"
            Factura INV-<1>
            ----
            Hola:

            La factura INV-<1> de 7.200,15 € venció el 1 de mayo de 2026 y sigue
            pendiente; plazo 10 días hábiles.

            - A: 1,00 €
            - B: 2,50 €

            Pagar: https://pay.example/i?a=1&b=2.

                Total   1
                IVA     <2>

            Un saludo,
            Acme & Co
            ----
            <!DOCTYPE html>
            <html><head><meta charset="utf-8"></head><body>
            <p>Hola:</p>
            <p>La factura INV-&lt;1&gt; de 7.200,15 € venció el 1 de mayo de 2026 y sigue pendiente; plazo 10 días hábiles.</p>
            <ul><li>A: 1,00 €</li><li>B: 2,50 €</li></ul>
            <p>Pagar: <a href="https://pay.example/i?a=1&amp;b=2">https://pay.example/i?a=1&amp;b=2</a>.</p>
            <pre>Total   1
            IVA     &lt;2&gt;</pre>
            <p>Un saludo,<br>
            Acme &amp; Co</p>
            </body></html>
        "#]],
    );
}

#[test]
fn a_name_that_is_not_there_is_an_error_with_its_line() {
    check(
        &format!("{HEAD}Hola\n{{{{ invoice.numbre }}}}\n"),
        &expect![
            "workflows/templates/overdue-first/email.es.j2:7: a name that is not there: `invoice.numbre` is undefined"
        ],
    );
    check(
        &format!("{HEAD}Hola\n{{% if customer.name %}}x{{% endif %}}\n"),
        &expect![
            "workflows/templates/overdue-first/email.es.j2:7: a name that is not there: `customer` is undefined (at `customer.name`)"
        ],
    );
    check(
        "---\nclass: dunning\nsubject: \"{{ invoic.number }}\"\n---\nHola\n",
        &expect![
            "workflows/templates/overdue-first/email.es.j2:3: a name that is not there: `invoic` is undefined (at `invoic.number`)"
        ],
    );
}

#[test]
fn missing_values_and_bare_amounts_are_not_printed() {
    check(
        &format!("{HEAD}\n\n{{{{ contact.name }}}}\n"),
        &expect![
            "workflows/templates/overdue-first/email.es.j2:8: this value is missing here: ask with `{% if %}` first, or list it under `needs` (at `contact.name`)"
        ],
    );
    check(
        &format!("{HEAD}{{{{ invoice.claimable }}}}\n"),
        &expect![
            "workflows/templates/overdue-first/email.es.j2:6: an amount is printed with `| money` (at `invoice.claimable`)"
        ],
    );
    check(
        &format!("{HEAD}{{{{ invoice.number | money }}}}\n"),
        &expect!["workflows/templates/overdue-first/email.es.j2:6: `money`: `INV-<1>` is not an amount"],
    );
    check(
        &format!("{HEAD}{{{{ invoice.number | date }}}}\n"),
        &expect![
            "workflows/templates/overdue-first/email.es.j2:6: `date` was given `INV-<1>`, which is no date such as 2026-05-04"
        ],
    );
}

#[test]
fn needs_are_asked_for_before_anything_is_written() {
    let head = "---\nclass: dunning\nneeds: [payment_link, contract.number]\n---\n";
    check(
        &format!("{head}Hola\n"),
        &expect![
            "workflows/templates/overdue-first/email.es.j2:1: needs `contract.number`, which is missing for this contact"
        ],
    );
}

#[test]
fn headers_and_syntax_are_checked_with_their_line() {
    check(
        "Hola\n",
        &expect![
            "workflows/templates/overdue-first/email.es.j2:1: a template begins with its header between two `---` lines"
        ],
    );
    check(
        "---\nclass: dunning\nlevle: 2\n---\nHola\n",
        &expect![
            "workflows/templates/overdue-first/email.es.j2:3: header: unknown field `levle`, expected one of `class`, `level`, `subject`, `needs`, `takes`, `notice`, `post`, `max_parts`, `correction`"
        ],
    );
    check(
        "---\nclass: friendly\n---\nHola\n",
        &expect![
            "workflows/templates/overdue-first/email.es.j2:2: header: class: unknown variant `friendly`, expected one of `dunning`, `courtesy`, `transactional`, `legal_notice`"
        ],
    );
    check(
        &format!("{HEAD}Hola\n{{% if x %}}\n"),
        &expect![
            "workflows/templates/overdue-first/email.es.j2:7: syntax error: unexpected end of input, expected end of block (at `%}`)"
        ],
    );
    check(
        &format!("{HEAD}{{{{ invoice.due | datum }}}}\n"),
        &expect!["workflows/templates/overdue-first/email.es.j2:6: unknown filter: filter datum is unknown"],
    );
}

#[test]
fn a_loop_that_grows_is_stopped() {
    let body = "{% for a in invoices %}".repeat(20) + "x" + &"{% endfor %}".repeat(20);
    check(
        &format!("{HEAD}{body}\n"),
        &expect![
            "workflows/templates/overdue-first/email.es.j2:6: more than 200000 steps: does a loop grow without end? (at `invoices`)"
        ],
    );
}

#[test]
fn each_language_writes_its_own_way() {
    let source = "---\nclass: dunning\n---\n{{ a | money }} | {{ b | money(\"JPY\") }} | {{ c | money }} | \
        {{ d | date }} | {{ d | date(\"short\") }} | {{ e | duration }}\n";
    let context = json!({
        "a": -1234.5, "b": "1234567", "c": {"minor": 199, "currency": "USD"}, "d": "2026-03-01", "e": "1 month",
        "invoice": {"currency": "EUR"},
    });
    let mut out = String::new();
    for name in ["email.es", "email.en-GB", "email.fr", "email.pt", "email.de", "sms.es"] {
        let (channel, locale) = name.split_once('.').unwrap();
        let files = BTreeMap::from([(path("t", channel, locale), source.as_bytes().to_vec())]);
        let made = Templates::load(&files).0.render("t", channel, locale, &context).unwrap();
        write!(out, "{name}: {}", made.text.replace('\u{a0}', "~")).unwrap();
    }
    expect![[r#"
        email.es: -1.234,50~€ | 1.234.567~JPY | 1,99~USD | 1 de marzo de 2026 | 01/03/2026 | 1 mes
        email.en-GB: -€1,234.50 | 1,234,567~JPY | $1.99 | 1 March 2026 | 1 Mar 2026 | 1 month
        email.fr: -1~234,50~€ | 1~234~567~JPY | 1,99~USD | 1er mars 2026 | 01/03/2026 | 1 mois
        email.pt: -1.234,50~€ | 1.234.567~JPY | 1,99~USD | 1 de março de 2026 | 01/03/2026 | 1 mês
        email.de: -1234.50~EUR | 1234567~JPY | 1.99~USD | 2026-03-01 | 2026-03-01 | 1 month
        sms.es: -1.234,50 € | 1.234.567 JPY | 1,99 USD | 01/03/2026 | 01/03/2026 | 1 mes
    "#]]
    .assert_eq(&out);
}

#[test]
fn an_sms_longer_than_its_parts_is_refused() {
    assert_eq!(filters::sms_parts(&"a".repeat(160)), 1);
    assert_eq!(filters::sms_parts(&"a".repeat(161)), 2);
    assert_eq!(filters::sms_parts(&"€".repeat(80)), 1);
    assert_eq!(filters::sms_parts(&"ó".repeat(71)), 2);
    let files = BTreeMap::from([(
        path("t", "sms", "es"),
        format!("---\nclass: dunning\nmax_parts: 1\n---\n{}\n", "a".repeat(200)).into_bytes(),
    )]);
    let error = Templates::load(&files).0.render("t", "sms", "es", &json!({})).unwrap_err();
    assert_eq!(error.message, "the message takes 2 parts, `max_parts` is 1");
}

#[test]
fn kernel_values_become_what_templates_compare() {
    use recobro_kernel::value::Value as Kernel;
    let decimal = |text: &str| plain(&Kernel::Decimal(text.parse().unwrap()));
    assert_eq!(decimal("7200.00"), json!(7200.0));
    assert_eq!(decimal("7200.15"), json!(7200.15));
    assert_eq!(decimal("12345678901234567.89"), json!("12345678901234567.89"));
    let mut context = json!({});
    put(&mut context, "invoice.balance", plain(&Kernel::Missing));
    put(&mut context, "invoice.number", json!("1"));
    assert_eq!(context, json!({"invoice": {"balance": null, "number": "1"}}));
}
