//! A mapping met with a file: every section compiled, and what a source needs asked for before the first row.

use super::columns::{Cells, Columns};
use super::disputes::{DAY_FIELDS, DisputeDays};
use super::mapping::day::{Day, DayBase};
use super::mapping::{
    ConsentMap, CreditMap, CustomerMap, DisputeMap, EventMap, Field, HoldMap, IncentiveMap, InvoiceMap, Mapping,
    PaymentMap, PlanMap, PromiseMap, ReplyMap, WaiverMap,
};
use super::record::Record;
use super::take::{Section, own_field};
use super::{FileKind, SourceError};
use recobro_kernel::facts::Registry;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The fields of every section, compiled against a header; a section that is not mapped has none.
#[derive(Debug)]
pub(super) struct Plan {
    /// The file's own columns are the fields: nobody wrote a mapping.
    pub(super) by_column: bool,
    pub(super) cells: Cells,
    pub(super) columns: Columns,
    /// The registered facts.
    pub(super) facts: Arc<Registry>,
    pub(super) customer: Section,
    pub(super) invoice: Section,
    pub(super) payment: Section,
    pub(super) dispute: Section,
    pub(super) days: DisputeDays,
    pub(super) promise: Section,
    pub(super) reply: Section,
    pub(super) event: Section,
    pub(super) agreement: Section,
    pub(super) hold: Section,
    pub(super) credit: Section,
    pub(super) waiver: Section,
    pub(super) incentive: Section,
    pub(super) consent: Section,
}

/// What the rows of a file have named so far: 32 bytes a record, whatever its size.
#[derive(Default)]
pub(super) struct Seen(HashMap<u128, First>);

/// The first record of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct First {
    /// Hash of its content: 64 bits, since it decides between two rows of one key only.
    content: u64,
    /// Line of the file.
    pub(super) line: u64,
}

impl Seen {
    /// The first record of this one's key, where one came and said something else.
    pub(super) fn other(&self, record: &Record) -> Option<First> {
        self.0.get(&key(record)).copied().filter(|first| first.content != content(record))
    }

    /// Whether a record of this key came.
    pub(super) fn has(&self, record: &Record) -> bool {
        self.0.contains_key(&key(record))
    }

    /// Keeps the records of an accepted row; what came first holds.
    pub(super) fn keep(&mut self, records: &[Record], line: u64) {
        for record in records {
            self.0.entry(key(record)).or_insert(First { content: content(record), line });
        }
    }
}

/// 128 bits of SHA-256: two different ids never meet in practice.
fn key(record: &Record) -> u128 {
    let digest = Sha256::new().chain_update([record.rank()]).chain_update(record.external_id()).finalize();
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    u128::from_be_bytes(first)
}

fn content(record: &Record) -> u64 {
    u64::from_be_bytes(record.hash().0[..8].try_into().unwrap_or_default())
}

impl Plan {
    /// Compiles a mapping against a file's header.
    pub(super) fn compile(
        mapping: &Mapping,
        header: Vec<String>,
        kind: FileKind,
        facts: &Arc<Registry>,
    ) -> Result<Self, SourceError> {
        let cells = Cells::compile(mapping)?;
        let columns = Columns::compile(mapping, header, kind)?;
        let section = |name: &'static str, fields: Option<Vec<(&'static str, Option<&Field>)>>| {
            let mut values = BTreeMap::new();
            for (field, from) in fields.unwrap_or_default() {
                if let Some(from) = from {
                    values.insert(Cow::Borrowed(field), columns.field(mapping, &format!("{name}.{field}"), from)?);
                }
            }
            Ok::<_, SourceError>(Section { name, values })
        };
        let dispute = mapping.dispute.as_ref();
        let dispute_fields = dispute.map(|map| Ok::<_, SourceError>([map.fields(), day_columns(map)?].concat()));
        let mut customer = section("customer", mapping.customer.as_ref().map(CustomerMap::fields))?;
        let mut invoice = section("invoice", mapping.invoice.as_ref().map(InvoiceMap::fields))?;
        for (name, fields) in mapping.own() {
            let values = if name == "customer" { &mut customer.values } else { &mut invoice.values };
            for (field, from) in fields {
                let place = declared(facts, name, field)?;
                values.insert(Cow::Owned(own_field(field)), columns.field(mapping, &place, from)?);
            }
        }
        let payment = section("payment", mapping.payment.as_ref().map(PaymentMap::fields))?;
        let disputed = section("dispute", dispute_fields.transpose()?)?;
        let promise = section("promise", mapping.promise.as_ref().map(PromiseMap::fields))?;
        let reply = section("reply", mapping.reply.as_ref().map(ReplyMap::fields))?;
        let event = section("event", mapping.event.as_ref().map(EventMap::fields))?;
        let agreement = section("plan", mapping.plan.as_ref().map(PlanMap::fields))?;
        let hold = section("hold", mapping.hold.as_ref().map(HoldMap::fields))?;
        let credit = section("credit", mapping.credit.as_ref().map(CreditMap::fields))?;
        let waiver = section("waiver", mapping.waiver.as_ref().map(WaiverMap::fields))?;
        let incentive = section("incentive", mapping.incentive.as_ref().map(IncentiveMap::fields))?;
        let consent = section("consent", mapping.consent.as_ref().map(ConsentMap::fields))?;
        let days = dispute.map_or_else(DisputeDays::default, |map| DisputeDays {
            opens: map.opens.clone(),
            closes: map.closes.0.clone(),
            drop_if_settled_by_open: map.drop_if_settled_by_open,
        });
        let facts = Arc::clone(facts);
        Ok(Self {
            by_column: false,
            cells,
            columns,
            facts,
            customer,
            invoice,
            payment,
            dispute: disputed,
            days,
            promise,
            reply,
            event,
            agreement,
            hold,
            credit,
            waiver,
            incentive,
            consent,
        })
    }

    /// The section and the field that name a record.
    pub(super) fn named_by(&self, record: &Record) -> (&Section, &'static str) {
        let section = match record {
            Record::Customer(_) => &self.customer,
            Record::Invoice(_) => &self.invoice,
            Record::Payment(_) => &self.payment,
            Record::Dispute(_) => &self.dispute,
            Record::Promise(_) => &self.promise,
            Record::Reply(_) => &self.reply,
            Record::Event(_) | Record::Match(_) => &self.event,
            Record::Plan(_) => &self.agreement,
            Record::Hold(_) => &self.hold,
            Record::Credit(_) => &self.credit,
            Record::Waiver(_) => &self.waiver,
            Record::Incentive(_) => &self.incentive,
            // What stands in a customer's row is named by it.
            Record::Consent(_) if self.customer.is_mapped() => &self.customer,
            Record::Consent(_) => &self.consent,
        };
        (section, if section.has("id") || !section.has("number") { "id" } else { "number" })
    }

    /// Asks that one field of each group is mapped, before a million rows are rejected one by one.
    pub(super) fn need(&self, section: &Section, groups: &[&[&str]]) -> Result<(), SourceError> {
        match groups.iter().find(|group| !group.iter().any(|field| section.has(field))) {
            None => Ok(()),
            Some(group) => {
                let name = |field: &&str| {
                    if self.by_column { format!("`{field}`") } else { format!("`{}.{field}`", section.name) }
                };
                let wanted = group.iter().map(name).collect::<Vec<_>>().join(" or ");
                let header = self.columns.header().join(", ");
                Err(SourceError::Header(if self.by_column {
                    format!("no column {wanted}; the file has the columns {header}")
                } else {
                    format!("nothing says where {wanted} comes from; the file has the columns {header}")
                }))
            }
        }
    }
}

/// The path of an own fact, if it is declared.
fn declared(facts: &Registry, section: &str, name: &str) -> Result<String, SourceError> {
    if facts.own_of(section).any(|(known, _)| known == name) {
        return Ok(format!("{section}.x.{name}"));
    }
    let known: Vec<&str> = facts.own_of(section).map(|(known, _)| known).collect();
    let known = match known.as_slice() {
        [] => format!("it declares no `{section}.x.*`"),
        known => format!("it declares x.{}", known.join(", x.")),
    };
    Err(SourceError::Header(format!("`x.{name}` is no {section} fact of workflows/facts.yaml; {known}")))
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
