//! Who goes first where a customer's slots are few: class and level, then the oldest due date, then the largest balance.

use chrono::NaiveDate;
use recobro_kernel::case::Case;
use recobro_kernel::facts::{Class, Facts};
use recobro_kernel::ids::CustomerId;
use recobro_kernel::playbook::Playbook;
use recobro_kernel::time::Timestamp;
use std::cmp::Reverse;
use std::collections::BTreeSet;

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

/// Customers with more than one thing at the same instant: only those need a place.
pub(crate) fn crowded<'a>(due: impl Iterator<Item = (&'a CustomerId, Timestamp)>) -> BTreeSet<(CustomerId, Timestamp)> {
    let (mut once, mut more) = (BTreeSet::new(), BTreeSet::new());
    for (customer, at) in due {
        if !once.insert((customer, at)) {
            more.insert((customer.clone(), at));
        }
    }
    more
}
