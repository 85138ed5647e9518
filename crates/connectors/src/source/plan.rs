//! A mapping met with a file: every section compiled, and what a source needs asked for before the first row.

use super::columns::{Cells, Columns};
use super::disputes::{DAY_FIELDS, DisputeDays};
use super::mapping::day::{Day, DayBase};
use super::mapping::{CustomerMap, DisputeMap, EventMap, Field, InvoiceMap, Mapping, PaymentMap, PromiseMap, ReplyMap};
use super::take::Section;
use super::{FileKind, SourceError};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The fields of every section, compiled against a header; a section that is not mapped has none.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) cells: Cells,
    pub(super) columns: Columns,
    pub(super) customer: Section,
    pub(super) invoice: Section,
    pub(super) payment: Section,
    pub(super) dispute: Section,
    pub(super) days: DisputeDays,
    pub(super) promise: Section,
    pub(super) reply: Section,
    pub(super) event: Section,
}

/// What a ledger's rows have named so far: 16 bytes an invoice, 24 a customer.
#[derive(Default)]
pub(super) struct Seen {
    /// A hash of the customer's attributes by the digest of their id.
    pub(super) customers: HashMap<u128, u64>,
    /// Digests of ids.
    pub(super) invoices: HashSet<u128>,
}

impl Plan {
    /// Compiles a mapping against a file's header.
    pub(super) fn compile(mapping: &Mapping, header: Vec<String>, kind: FileKind) -> Result<Self, SourceError> {
        let cells = Cells::compile(mapping)?;
        let columns = Columns::compile(mapping, header, kind)?;
        let section = |name: &'static str, fields: Option<Vec<(&'static str, Option<&Field>)>>| {
            let mut values = BTreeMap::new();
            for (field, from) in fields.unwrap_or_default() {
                if let Some(from) = from {
                    values.insert(field, columns.field(mapping, &format!("{name}.{field}"), from)?);
                }
            }
            Ok::<_, SourceError>(Section { name, values })
        };
        let dispute = mapping.dispute.as_ref();
        let dispute_fields = dispute.map(|map| Ok::<_, SourceError>([map.fields(), day_columns(map)?].concat()));
        let customer = section("customer", mapping.customer.as_ref().map(CustomerMap::fields))?;
        let invoice = section("invoice", mapping.invoice.as_ref().map(InvoiceMap::fields))?;
        let payment = section("payment", mapping.payment.as_ref().map(PaymentMap::fields))?;
        let disputed = section("dispute", dispute_fields.transpose()?)?;
        let promise = section("promise", mapping.promise.as_ref().map(PromiseMap::fields))?;
        let reply = section("reply", mapping.reply.as_ref().map(ReplyMap::fields))?;
        let event = section("event", mapping.event.as_ref().map(EventMap::fields))?;
        let days = dispute.map_or_else(DisputeDays::default, |map| DisputeDays {
            opens: map.opens.clone(),
            closes: map.closes.0.clone(),
            drop_if_settled_by_open: map.drop_if_settled_by_open,
        });
        Ok(Self { cells, columns, customer, invoice, payment, dispute: disputed, days, promise, reply, event })
    }

    /// Asks that one field of each group is mapped, before a million rows are rejected one by one.
    pub(super) fn need(&self, section: &Section, groups: &[&[&str]]) -> Result<(), SourceError> {
        match groups.iter().find(|group| !group.iter().any(|field| section.has(field))) {
            None => Ok(()),
            Some(group) => {
                let wanted: Vec<String> = group.iter().map(|field| format!("`{}.{field}`", section.name)).collect();
                Err(SourceError::Header(format!(
                    "nothing says where {} comes from; the file has the columns {}",
                    wanted.join(" or "),
                    self.columns.header().join(", ")
                )))
            }
        }
    }
}

/// The columns of `opens` and `closes`, as fields of their own.
fn day_columns(map: &DisputeMap) -> Result<Vec<(&'static str, Option<&Field>)>, SourceError> {
    let days: Vec<&Day> = map.opens.iter().chain(&map.closes.0).collect();
    let first = usize::from(map.opens.is_none());
    if days.len() + first > DAY_FIELDS.len() {
        return Err(SourceError::Mapping(format!("dispute: `closes` takes at most {} days", DAY_FIELDS.len() - 1)));
    }
    let named = days.into_iter().zip(&DAY_FIELDS[first..]);
    Ok(named
        .filter_map(|(day, name)| match &day.base {
            DayBase::Column(field) => Some((*name, Some(field))),
            DayBase::Issued | DayBase::Due | DayBase::Settled | DayBase::Opens => None,
        })
        .collect())
}
