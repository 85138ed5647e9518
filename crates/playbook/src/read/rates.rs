//! Tables of late-payment rates: data of compliance, always used in their newest form.

use super::{date, decimal, list, name, names, only, required, text, wrong};
use crate::diagnostic::{Diagnostic, Report};
use crate::yaml::Node;
use recobro_kernel::ids::Hash;
use recobro_kernel::interest::{Application, DayCount, FixedSum, Rate, Rates, Rounding};
use rust_decimal::Decimal;

/// Folder of tables.
pub(crate) const RATES: &str = "workflows/rates/";

const KEYS: &[&str] = &[
    "application",
    "currency",
    "day_count",
    "debtor_kind",
    "fixed",
    "jurisdiction",
    "owner",
    "periods",
    "rates",
    "rounding",
    "source",
    "title",
    "version",
];

/// Reads one table.
pub(crate) fn read(report: &Report, node: &Node, hash: Hash) -> Option<Rates> {
    only(report, node, "`rates`", KEYS);
    let name = required(report, node, "rates").and_then(|node| name(report, node))?;
    super::law::header(report, node);
    let currency = required(report, node, "currency").and_then(|node| {
        let parsed = node.text().and_then(|text| text.parse().ok());
        if parsed.is_none() {
            wrong(report, node, "a currency such as EUR");
        }
        parsed
    });
    let application = required(report, node, "application").and_then(|node| one_of(report, node, Application::ALL));
    let day_count = node.get("day_count").map_or(Some(DayCount::Actual365), |n| one_of(report, n, DayCount::ALL));
    let rounding = node.get("rounding").map_or(Some(Rounding::Total), |n| one_of(report, n, Rounding::ALL));
    let periods = required(report, node, "periods").map(|node| periods(report, node)).unwrap_or_default();
    let sums = node.get("fixed").map(|node| list(report, node, "sums")).unwrap_or_default();
    Some(Rates {
        name,
        jurisdictions: node.get("jurisdiction").map(|node| names(report, node)).unwrap_or_default(),
        debtor_kinds: required(report, node, "debtor_kind").map(|node| names(report, node)).unwrap_or_default(),
        currency: currency?,
        application: application?,
        day_count: day_count?,
        rounding: rounding?,
        rates: periods,
        fixed: sums.iter().filter_map(|item| fixed(report, item)).collect(),
        hash,
    })
}

fn one_of<T: Copy>(report: &Report, node: &Node, known: &[(&'static str, T)]) -> Option<T> {
    let wanted = node.text().unwrap_or_default();
    let found = known.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
    if found.is_none() {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        report.push(
            Diagnostic::error("PB006", &node.place, format!("`{wanted}` is none of {}", names.join(", ")))
                .nearest(wanted, names.iter().copied()),
        );
    }
    found
}

/// Periods one after the other. A gap is a rate that nobody knows; an overlap would be two.
fn periods(report: &Report, node: &Node) -> Vec<Rate> {
    let mut rates: Vec<Rate> = Vec::new();
    for item in list(report, node, "periods") {
        let Some(rate) = period(report, item) else { continue };
        if rate.to < rate.from {
            report.error("PB006", item, "the period ends before it begins");
        } else if rates.last().is_some_and(|last| last.to >= rate.from) {
            report.error("PB006", item, "periods are written in order of time and do not overlap");
        } else {
            rates.push(rate);
        }
    }
    rates
}

fn period(report: &Report, node: &Node) -> Option<Rate> {
    only(report, node, "a period", &["from", "percent", "source", "to"]);
    let from = required(report, node, "from").and_then(|node| date(report, node));
    let to = required(report, node, "to").and_then(|node| date(report, node));
    let percent = required(report, node, "percent").and_then(|node| {
        let percent = decimal(report, node)?;
        if percent < Decimal::ZERO || percent > Decimal::from(100) {
            wrong(report, node, "a percentage between 0 and 100");
            return None;
        }
        Some(percent)
    });
    let source = required(report, node, "source").and_then(|node| text(report, node));
    Some(Rate { from: from?, to: to?, percent: percent?, source: source? })
}

fn fixed(report: &Report, node: &Node) -> Option<FixedSum> {
    only(report, node, "a fixed sum", &["amount", "at_least", "source"]);
    if let Some(source) = node.get("source") {
        text(report, source);
    }
    let at_least = node.get("at_least").map_or(Some(Decimal::ZERO), |node| decimal(report, node));
    let amount = required(report, node, "amount").and_then(|node| decimal(report, node));
    Some(FixedSum { at_least: at_least?, amount: amount? })
}
