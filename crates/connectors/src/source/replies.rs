//! The source `replies`: one answer of a customer a row.

use super::SourceKind;
use super::mapping::{Mapping, ReplyMap};
use super::record::{Record, Reply};
use super::take::{Section, Take};
use recobro_kernel::facts::Channel;

pub(super) const KIND: SourceKind = SourceKind {
    name: "replies",
    doc: "one answer of a customer a row",
    columns: ReplyMap::NAMES,
    by_name: |mapping, has| Mapping { reply: Some(ReplyMap::by_name(has)), ..mapping },
    check: |plan| plan.need(&plan.reply, &[&["id"], &["customer", "invoice"], &["on"]]),
    records: |plan, take, _| reply(take, &plan.reply).map(Record::Reply).into_iter().collect(),
};

/// A reply.
fn reply(take: &mut Take<'_>, fields: &Section) -> Option<Reply> {
    let id = take.need(fields, "id");
    let customer = take.text(fields, "customer");
    let invoice = take.text(fields, "invoice");
    if invoice.is_none() && customer.is_none() {
        take.wrong(fields, "customer", "neither a customer nor an invoice is named");
    }
    let channels = Channel::ALL.map(Channel::name);
    let channel = take.one_of(fields, "channel", &channels, "email");
    let kind = take.one_of(fields, "kind", &["text", "auto", "opt_out", "paid_claim"], "text");
    let moment = take.needed(fields, "on", Take::moment);
    let text = take.text(fields, "text").unwrap_or_default();
    let (id, (on, at)) = (id?, moment?);
    Some(Reply { id, customer, invoice, channel, kind, on, at, text })
}
