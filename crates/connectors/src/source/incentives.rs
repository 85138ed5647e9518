//! The source `incentives`: one discount for paying early a row.

use super::SourceKind;
use super::mapping::{IncentiveMap, Mapping};
use super::record::{Incentive, Record};
use super::take::{Section, Take};
use rust_decimal::Decimal;

pub(super) const KIND: SourceKind = SourceKind {
    name: "incentives",
    doc: "one discount for paying early a row",
    columns: IncentiveMap::NAMES,
    by_name: |mapping, has| Mapping { incentive: Some(IncentiveMap::by_name(has)), ..mapping },
    check: |plan| plan.need(&plan.incentive, &[&["id"], &["invoice"], &["percent", "amount"], &["until"], &["on"]]),
    records: |plan, take, _| incentive(take, &plan.incentive).map(Record::Incentive).into_iter().collect(),
};

/// An incentive.
fn incentive(take: &mut Take<'_>, fields: &Section) -> Option<Incentive> {
    let id = take.need(fields, "id");
    let invoice = take.need(fields, "invoice");
    let percent = percent(take, fields);
    let amount = if take.text(fields, "amount").is_some() { take.money(fields) } else { None };
    if amount.is_some_and(|amount| amount.minor <= 0) {
        take.wrong(fields, "amount", "is not above zero");
    }
    if amount.is_some() == percent.is_some() && take.problems.is_empty() {
        take.wrong(fields, "percent", "or an amount is said, one of the two");
    }
    let until = take.needed(fields, "until", Take::date);
    let moment = take.needed(fields, "on", Take::moment);
    let reason = take.text(fields, "reason").unwrap_or_default();
    let (id, invoice, until, (on, at)) = (id?, invoice?, until?, moment?);
    if until < on {
        take.wrong(fields, "until", "is before the day it was offered");
    }
    Some(Incentive { id, invoice, percent, amount, until, on, at, reason })
}

fn percent(take: &mut Take<'_>, fields: &Section) -> Option<String> {
    let text = take.text(fields, "percent")?;
    match text.trim_end_matches(['%', ' ']).parse::<Decimal>() {
        Ok(percent) if percent > Decimal::ZERO && percent < Decimal::ONE_HUNDRED => {
            Some(percent.normalize().to_string())
        }
        Ok(_) | Err(_) => {
            take.wrong(fields, "percent", format!("`{text}` is no percentage between 0 and 100"));
            None
        }
    }
}
