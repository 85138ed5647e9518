//! What a message about several invoices says of them: the variables of templates, and a list for templates that have
//! none of their own.

use super::Line;
use recobro_connectors::template::plain;
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

/// The list that is put behind a text which names one invoice only; nothing for one invoice.
pub(super) fn list(lines: &[Line], locale: &str, channel: &str) -> Option<String> {
    if lines.len() < 2 {
        return None;
    }
    let language = locale.split(['-', '_']).next().unwrap_or_default();
    let found =
        WORDS.iter().find(|(code, _)| *code == language).or_else(|| WORDS.iter().find(|(code, _)| *code == "en"));
    let [head, due, total] = found.map(|(_, words)| *words)?;
    let sums: Vec<String> =
        totals(lines).iter().map(|(currency, minor)| Money::new(*minor, *currency).to_string()).collect();
    if channel == "sms" {
        // A short message has room for the sum only.
        let numbers: Vec<&str> = lines.iter().map(|line| line.number.as_str()).collect();
        return Some(format!("{head} {}. {total}: {}.", numbers.join(", "), sums.join(", ")));
    }
    let mut text = format!("{head}\n\n");
    for line in lines {
        let _ = writeln!(text, "- {}, {due} {}: {}", line.number, line.due, line.claimable);
    }
    let _ = write!(text, "\n{total}: {}", sums.join(", "));
    Some(text)
}

/// The list behind the HTML of a text, escaped.
pub(super) fn html(html: &str, list: &str) -> String {
    let escaped = list.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\n', "<br>\n");
    let block = format!("<p>{escaped}</p>\n");
    match html.rfind("</body>") {
        Some(end) => format!("{}{block}{}", &html[..end], &html[end..]),
        None => format!("{html}{block}"),
    }
}
