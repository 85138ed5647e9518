//! What a batch must be before a bank sees it: all problems at once, each with its place.

use super::text::{is_plain, plain};
use super::{Batch, DebitProblem, Entry, Part};
use chrono::NaiveDate;
use chrono_tz::Tz;
use recobro_kernel::money::Currency;
use std::collections::BTreeSet;

/// Countries that SEPA reaches, with the length of their account numbers (ISO 13616).
const COUNTRIES: &[(&str, usize)] = &[
    ("AD", 24),
    ("AL", 28),
    ("AT", 20),
    ("BE", 16),
    ("BG", 22),
    ("CH", 21),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DK", 18),
    ("EE", 20),
    ("ES", 24),
    ("FI", 18),
    ("FR", 27),
    ("GB", 22),
    ("GI", 23),
    ("GR", 27),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IS", 26),
    ("IT", 27),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MT", 31),
    ("NL", 18),
    ("NO", 15),
    ("PL", 28),
    ("PT", 25),
    ("RO", 24),
    ("RS", 22),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("VA", 22),
];

/// Most that one collection may be, in cents: 999,999,999.99 euros.
const AMOUNT_MAX: i64 = 99_999_999_999;

struct Found {
    problems: Vec<DebitProblem>,
    part: Part,
}

impl Found {
    fn at(&mut self, part: Part) {
        self.part = part;
    }

    fn say(&mut self, field: &'static str, message: String) {
        self.problems.push(DebitProblem { part: self.part.clone(), field, message });
    }

    fn take(&mut self, field: &'static str, checked: Result<(), String>) {
        if let Err(message) = checked {
            self.say(field, message);
        }
    }
}

/// Every problem of a batch that makes so many blocks.
pub(super) fn problems(batch: &Batch, blocks: usize) -> Vec<DebitProblem> {
    let mut found = Found { problems: Vec::new(), part: Part::Message };
    let room = 35 - 1 - blocks.to_string().len();
    found.take("message", identifier(&batch.message, room));
    if batch.entries.is_empty() {
        found.say("entries", "there is nothing to collect".to_owned());
    }
    found.at(Part::Creditor);
    let creditor = &batch.creditor;
    found.take("name", words(&creditor.name, 70));
    found.take("iban", iban(&creditor.iban));
    found.take("bic", bic(creditor.bic.as_deref()));
    found.take("identifier", creditor_identifier(&creditor.identifier));
    let today = batch.created.date_in(Tz::UTC);
    let mut names = BTreeSet::new();
    for (index, entry) in batch.entries.iter().enumerate() {
        found.at(Part::Entry(index + 1, entry.end_to_end.clone()));
        found.take("end_to_end", identifier(&entry.end_to_end, 35));
        if !names.insert(&entry.end_to_end) {
            found.say("end_to_end", "another entry of this file has the same name".to_owned());
        }
        collection(&mut found, entry, today);
    }
    found.problems
}

/// Every problem of one collection.
pub(super) fn alone(entry: &Entry, created: recobro_kernel::time::Timestamp) -> Vec<DebitProblem> {
    let mut found = Found { problems: Vec::new(), part: Part::Entry(1, entry.end_to_end.clone()) };
    found.take("end_to_end", identifier(&entry.end_to_end, 35));
    collection(&mut found, entry, created.date_in(Tz::UTC));
    found.problems
}

fn collection(found: &mut Found, entry: &Entry, today: NaiveDate) {
    found.take("mandate", identifier(&entry.mandate, 35));
    if entry.signed_on > entry.collect_on {
        let (signed, collect) = (entry.signed_on, entry.collect_on);
        found.say("signed_on", format!("signed on {signed}, after the collection on {collect}"));
    }
    if entry.collect_on < today {
        found.say("collect_on", format!("{} is over; the file was made on {today}", entry.collect_on));
    }
    if entry.amount.currency != Currency::EUR {
        found.say("amount", format!("{} is not in euros, the only currency of SEPA", entry.amount));
    } else if !(1..=AMOUNT_MAX).contains(&entry.amount.minor) {
        found.say("amount", format!("{} is not between 0.01 and 999999999.99", entry.amount));
    }
    found.take("debtor", words(&entry.debtor, 70));
    found.take("iban", iban(&entry.iban));
    found.take("bic", bic(entry.bic.as_deref()));
    found.take("remittance", words(&entry.remittance, 140));
}

/// Identifiers come back in answers, so they are refused where a bank would change them.
fn identifier(text: &str, max: usize) -> Result<(), String> {
    if text.trim() != text || text.is_empty() {
        return Err("is empty, or begins or ends with a space".to_owned());
    }
    if let Some(c) = text.chars().find(|c| !is_plain(*c)) {
        return Err(format!("holds `{}`; banks read A-Z, a-z, 0-9, space and /-?:().,'+ only", c.escape_default()));
    }
    if text.starts_with('/') || text.ends_with('/') || text.contains("//") {
        return Err("begins or ends with a slash, or has two in a row".to_owned());
    }
    length(text, max)
}

/// Names and words are written in plain characters; something must be left of them.
fn words(text: &str, max: usize) -> Result<(), String> {
    let plain = plain(text);
    if !plain.contains(|c: char| c.is_ascii_alphanumeric()) {
        return Err("is empty in the characters that banks read (Latin letters, digits)".to_owned());
    }
    length(&plain, max)
}

fn length(text: &str, max: usize) -> Result<(), String> {
    let length = text.chars().count();
    if length > max { Err(format!("has {length} characters, at most {max} fit")) } else { Ok(()) }
}

/// Without spaces and in capitals, as files write it.
pub(super) fn compact(text: &str) -> String {
    text.chars().filter(|c| *c != ' ').map(|c| c.to_ascii_uppercase()).collect()
}

/// An account number: country, length, characters, check digits.
pub(super) fn iban(text: &str) -> Result<(), String> {
    let iban = compact(text);
    if !iban.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err("an IBAN has letters and digits only".to_owned());
    }
    let country = iban.get(..2).unwrap_or_default();
    let Some((_, length)) = COUNTRIES.iter().find(|(code, _)| *code == country) else {
        return Err(format!("`{country}` is no country that SEPA reaches"));
    };
    if iban.len() != *length {
        return Err(format!("has {} characters, IBANs of {country} have {length}", iban.len()));
    }
    let (head, rest) = iban.split_at(4);
    if remainder(&format!("{rest}{head}")) == Some(1) && head.as_bytes()[2..].iter().all(u8::is_ascii_digit) {
        Ok(())
    } else {
        Err("the check digits do not fit: a digit is wrong or two are swapped".to_owned())
    }
}

/// A creditor identifier: country, check digits, business code (which the check skips), national part.
fn creditor_identifier(text: &str) -> Result<(), String> {
    let id = compact(text);
    if !(8..=35).contains(&id.len()) || !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err("has 8 to 35 letters and digits: ES12ZZZ and a national part".to_owned());
    }
    let (country, check, national) = (&id[..2], &id[2..4], &id[7..]);
    if !COUNTRIES.iter().any(|(code, _)| *code == country) {
        return Err(format!("`{country}` is no country that SEPA reaches"));
    }
    let is_number = check.bytes().all(|b| b.is_ascii_digit());
    if is_number && remainder(&format!("{national}{country}{check}")) == Some(1) {
        Ok(())
    } else {
        Err("the check digits do not fit: a digit is wrong or two are swapped".to_owned())
    }
}

/// Eight or eleven characters: bank, country, place, branch.
fn bic(text: Option<&str>) -> Result<(), String> {
    let Some(text) = text else { return Ok(()) };
    let bic = compact(text);
    let is_form = matches!(bic.len(), 8 | 11)
        && bic.bytes().all(|b| b.is_ascii_alphanumeric())
        && bic.as_bytes()[4..6].iter().all(u8::is_ascii_uppercase);
    if is_form { Ok(()) } else { Err(format!("`{text}` is no BIC: 8 or 11 letters and digits")) }
}

/// What is left of the number, letters as 10 to 35, after division by 97.
fn remainder(text: &str) -> Option<u32> {
    text.chars().try_fold(0, |rest, c| {
        let digit = c.to_digit(36)?;
        Some((if digit < 10 { rest * 10 + digit } else { rest * 100 + digit }) % 97)
    })
}
