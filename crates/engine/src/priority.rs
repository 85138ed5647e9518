//! Who goes first where a customer's slots are few: class and level, then the oldest due date, then the largest balance.

use chrono::NaiveDate;
use recobro_kernel::case::Case;
use recobro_kernel::facts::{Class, Facts};
use recobro_kernel::playbook::Playbook;
use std::cmp::Reverse;

/// The place in the queue: smaller goes first.
pub(crate) type Rank = (u8, Reverse<u8>, NaiveDate, Reverse<i64>);

/// The place of a message of a class and level about an invoice.
pub(crate) fn rank(class: Class, level: u8, facts: &Facts) -> Rank {
    let first = match class {
        Class::LegalNotice => 0,
        Class::Dunning => 1,
        Class::Transactional => 2,
        Class::Courtesy => 3,
    };
    (first, Reverse(level), facts.invoice.due, Reverse(facts.invoice.claimable_minor()))
}

/// The place of what a case does next, as far as its step says it before it is decided.
pub(crate) fn rank_of_case(case: &Case, playbook: &Playbook, facts: &Facts) -> Rank {
    let step = playbook.steps.get(case.cursor.position);
    let info = step.and_then(|step| playbook.templates.get(step.verb.template()?));
    rank(info.map_or(Class::Dunning, |info| info.class), info.map_or(0, |info| info.level), facts)
}
