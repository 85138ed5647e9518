//! What a message about several invoices says of them: the variables of templates, and a list for templates that have
//! none of their own.

use super::Line;
use recobro_connectors::template::{date_in, money_in, plain};
use recobro_kernel::money::{Currency, Money};
use recobro_kernel::value::Value;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The words around the list, by language; English where none is known.
const WORDS: &[(&str, [&str; 3])] = &[
    ("de", ["Diese Rechnungen sind offen:", "fällig am", "Zusammen"]),
    ("en", ["These invoices are open:", "due on", "Together"]),
    ("es", ["Estas facturas están pendientes:", "vencida el", "En total"]),
    ("fr", ["Ces factures restent à payer :", "échue le", "Au total"]),
    ("it", ["Queste fatture sono aperte:", "scaduta il", "In totale"]),
    ("pt", ["Estas faturas estão em aberto:", "vencida em", "No total"]),
];

/// `invoices` and `statement` as templates read them. Totals are per currency and never mixed.
pub(super) fn variables(lines: &[Line], currency: Currency) -> (serde_json::Value, serde_json::Value) {
    let amount = |money: Money| plain(&Value::Decimal(money.to_decimal()));
    // A text that says `| money` of an amount in another currency than its own invoice must not show it in that one.
    let shown = |money: Money| {
        if money.currency == currency {
            amount(money)
        } else {
            serde_json::json!({"minor": money.minor, "currency": money.currency.code()})
        }
    };
    let rows: serde_json::Value = lines
        .iter()
        .map(|line| {
            serde_json::json!({
                "number": line.number,
                "due": line.due.to_string(),
                "claimable": shown(line.claimable),
                "currency": line.claimable.currency.code(),
                "level": line.level,
            })
        })
        .collect();
    let totals = totals(lines);
    let own = Money::new(totals.get(&currency).copied().unwrap_or(0), currency);
    let all: serde_json::Value = totals
        .iter()
        .map(|(currency, minor)| {
            serde_json::json!({"total": amount(Money::new(*minor, *currency)), "currency": currency.code()})
        })
        .collect();
    (rows, serde_json::json!({"total": amount(own), "currency": currency.code(), "totals": all}))
}

fn totals(lines: &[Line]) -> BTreeMap<Currency, i64> {
    lines.iter().fold(BTreeMap::new(), |mut sums, line| {
        *sums.entry(line.claimable.currency).or_default() += line.claimable.minor;
        sums
    })
}

/// The list that is put into a text which names one invoice only; nothing for one invoice.
pub(super) fn list(lines: &[Line], locale: &str, channel: &str) -> Option<String> {
    if lines.len() < 2 {
        return None;
    }
    let language = locale.split(['-', '_']).next().unwrap_or_default();
    let found =
        WORDS.iter().find(|(code, _)| *code == language).or_else(|| WORDS.iter().find(|(code, _)| *code == "en"));
    let [head, due, total] = found.map(|(_, words)| *words)?;
    let sums: Vec<String> = totals(lines)
        .iter()
        .map(|(currency, minor)| money_in(locale, channel, Money::new(*minor, *currency)))
        .collect();
    if channel == "sms" {
        // A short message has room for the sum only.
        let numbers: Vec<&str> = lines.iter().map(|line| line.number.as_str()).collect();
        return Some(format!("{head} {}. {total}: {}.", numbers.join(", "), sums.join(", ")));
    }
    let mut text = format!("{head}\n\n");
    for line in lines {
        let (day, amount) = (date_in(locale, channel, line.due), money_in(locale, channel, line.claimable));
        let _ = writeln!(text, "- {}, {due} {day}: {amount}", line.number);
    }
    let _ = write!(text, "\n{total}: {}", sums.join(", "));
    Some(text)
}

/// A text with the list before its signature, the last paragraph that names the sender; at the end where there is none.
pub(super) fn put(text: &str, list: &str, sender: &str) -> String {
    let text = text.trim_end();
    let parts: Vec<&str> = text.split("\n\n").collect();
    let signed = parts.iter().rposition(|part| !sender.is_empty() && part.contains(sender));
    match signed.filter(|at| *at > 0) {
        Some(at) => format!("{}\n\n{list}\n\n{}\n", parts[..at].join("\n\n"), parts[at..].join("\n\n")),
        None => format!("{text}\n\n{list}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_stands_before_the_signature_as_its_readers_write() {
        let line = |number: &str, minor: i64| Line {
            invoice: recobro_kernel::ids::InvoiceId::from(number),
            number: number.to_owned(),
            due: "2026-02-02".parse().unwrap(),
            claimable: Money::new(minor, "EUR".parse().unwrap()),
            level: 1,
        };
        let lines = [line("1", 123_456), line("2", 100)];
        let list = list(&lines, "es-MX", "email").unwrap();
        assert!(list.contains("- 1, vencida el 2 de febrero de 2026: 1.234,56\u{a0}€"), "{list}");
        let text = put("Hola:\n\nSu factura.\n\nUn saludo,\nAna\n", "LISTA", "Ana");
        assert_eq!(text, "Hola:\n\nSu factura.\n\nLISTA\n\nUn saludo,\nAna\n");
        assert_eq!(put("Hola, soy Ana.\n", "LISTA", "Ana"), "Hola, soy Ana.\n\nLISTA\n", "no signature of its own");
        assert_eq!(put("Hola.\n", "LISTA", ""), "Hola.\n\nLISTA\n");
    }
}
