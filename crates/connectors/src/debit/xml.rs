//! The file itself: elements in the standard's order, every value escaped.

use super::check::compact;
use super::text::plain;
use super::{Batch, Blocks, Creditor, Entry, Scheme, Sequence, Version};
use chrono::NaiveDate;
use recobro_kernel::money::{Currency, Money};
use std::fmt::Write as _;

/// Elements written one after the other; names are ours, values anybody's.
struct Xml {
    out: String,
    depth: usize,
}

impl Xml {
    fn indent(&mut self) {
        self.out.extend(std::iter::repeat_n("  ", self.depth));
    }

    /// An element that holds others.
    fn node(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        self.indent();
        let _ = writeln!(self.out, "<{name}>");
        self.depth += 1;
        inside(self);
        self.depth -= 1;
        self.indent();
        let end = name.split(' ').next().unwrap_or(name);
        let _ = writeln!(self.out, "</{end}>");
    }

    /// An element that holds a value.
    fn leaf(&mut self, name: &str, value: &str) {
        self.indent();
        let end = name.split(' ').next().unwrap_or(name);
        let _ = write!(self.out, "<{name}>");
        for c in value.chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                _ => self.out.push(c),
            }
        }
        let _ = writeln!(self.out, "</{end}>");
    }

    /// Elements in each other, the innermost with a value.
    fn path(&mut self, names: &[&str], value: &str) {
        match names {
            [] => {}
            [leaf] => self.leaf(leaf, value),
            [node, rest @ ..] => self.node(node, |xml| xml.path(rest, value)),
        }
    }
}

/// The whole file of a batch that has no problems.
pub(super) fn document(batch: &Batch, blocks: &Blocks<'_>) -> String {
    let mut xml = Xml { out: String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"), depth: 0 };
    let name = match batch.version {
        Version::V08 => "pain.008.001.08",
        Version::V02 => "pain.008.001.02",
    };
    xml.node(&format!("Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:{name}\""), |xml| {
        xml.node("CstmrDrctDbtInitn", |xml| {
            header(xml, batch);
            for (no, ((date, sequence, scheme), entries)) in (1..).zip(blocks) {
                let key = (*date, *sequence, *scheme);
                block(xml, batch, &format!("{}-{no}", batch.message), key, entries);
            }
        });
    });
    xml.out
}

fn header(xml: &mut Xml, batch: &Batch) {
    xml.node("GrpHdr", |xml| {
        xml.leaf("MsgId", &batch.message);
        xml.leaf("CreDtTm", &batch.created.to_utc().format("%Y-%m-%dT%H:%M:%SZ").to_string());
        totals(xml, &batch.entries.iter().collect::<Vec<_>>());
        xml.path(&["InitgPty", "Nm"], &plain(&batch.creditor.name));
    });
}

fn totals(xml: &mut Xml, entries: &[&Entry]) {
    let sum: i128 = entries.iter().map(|entry| i128::from(entry.amount.minor)).sum();
    xml.leaf("NbOfTxs", &entries.len().to_string());
    xml.leaf("CtrlSum", &format!("{}.{:02}", sum / 100, sum % 100));
}

fn block(xml: &mut Xml, batch: &Batch, id: &str, key: (NaiveDate, Sequence, Scheme), entries: &[&Entry]) {
    let (date, sequence, scheme) = key;
    let creditor = &batch.creditor;
    xml.node("PmtInf", |xml| {
        xml.leaf("PmtInfId", id);
        xml.leaf("PmtMtd", "DD");
        totals(xml, entries);
        xml.node("PmtTpInf", |xml| {
            xml.path(&["SvcLvl", "Cd"], "SEPA");
            xml.path(&["LclInstrm", "Cd"], scheme.code());
            xml.leaf("SeqTp", sequence.code());
        });
        xml.leaf("ReqdColltnDt", &date.to_string());
        xml.path(&["Cdtr", "Nm"], &plain(&creditor.name));
        xml.path(&["CdtrAcct", "Id", "IBAN"], &compact(&creditor.iban));
        agent(xml, "CdtrAgt", creditor.bic.as_deref(), batch.version);
        xml.leaf("ChrgBr", "SLEV");
        scheme_identifier(xml, creditor);
        for entry in entries {
            transaction(xml, entry, batch.version);
        }
    });
}

fn scheme_identifier(xml: &mut Xml, creditor: &Creditor) {
    xml.node("CdtrSchmeId", |xml| {
        xml.node("Id", |xml| {
            xml.node("PrvtId", |xml| {
                xml.node("Othr", |xml| {
                    xml.leaf("Id", &compact(&creditor.identifier));
                    xml.path(&["SchmeNm", "Prtry"], "SEPA");
                });
            });
        });
    });
}

/// A bank; where nobody knows it, the account number says it.
fn agent(xml: &mut Xml, name: &str, bic: Option<&str>, version: Version) {
    let tag = match version {
        Version::V08 => "BICFI",
        Version::V02 => "BIC",
    };
    match bic {
        Some(bic) => xml.path(&[name, "FinInstnId", tag], &compact(bic)),
        None => xml.path(&[name, "FinInstnId", "Othr", "Id"], "NOTPROVIDED"),
    }
}

fn transaction(xml: &mut Xml, entry: &Entry, version: Version) {
    xml.node("DrctDbtTxInf", |xml| {
        xml.path(&["PmtId", "EndToEndId"], &entry.end_to_end);
        xml.leaf("InstdAmt Ccy=\"EUR\"", &euros(entry.amount));
        xml.node("DrctDbtTx", |xml| {
            xml.node("MndtRltdInf", |xml| {
                xml.leaf("MndtId", &entry.mandate);
                xml.leaf("DtOfSgntr", &entry.signed_on.to_string());
            });
        });
        agent(xml, "DbtrAgt", entry.bic.as_deref(), version);
        xml.path(&["Dbtr", "Nm"], &plain(&entry.debtor));
        xml.path(&["DbtrAcct", "Id", "IBAN"], &compact(&entry.iban));
        xml.path(&["RmtInf", "Ustrd"], &plain(&entry.remittance));
    });
}

fn euros(amount: Money) -> String {
    debug_assert_eq!(amount.currency, Currency::EUR, "checked before");
    amount.to_decimal().to_string()
}
