//! Composes the bytes of one e-mail from an [`Outgoing`]: same item, same bytes.
//!
//! Everything is validated before the builder of `lettre` sees it: a line break in a display name panics it, and NUL gives
//! an error that names something else. The boundary and the Message-ID come from the key, the Date from the item.

use super::{Outgoing, file_name};
use lettre::message::header::{ContentType, HeaderName, HeaderValue, MimeVersion};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use std::time::{Duration, SystemTime};

/// The longest subject, in characters; longer ones are a template's mistake.
const SUBJECT_CHARS_MAX: usize = 500;

/// Headers of ours that `headers` may not replace.
const RESERVED: &[&str] = &[
    "auto-submitted",
    "bcc",
    "cc",
    "content-transfer-encoding",
    "content-type",
    "date",
    "from",
    "message-id",
    "mime-version",
    "reply-to",
    "sender",
    "subject",
    "to",
];

/// The bytes of the message.
///
/// # Errors
/// The reason, for people, why this message can never be composed.
pub fn compose(item: &Outgoing) -> Result<Vec<u8>, String> {
    let from = mailbox("sender", &item.from_name, &item.from_address)?;
    let to = mailbox("recipient", &item.to_name, &item.to_address)?;
    if item.subject_line.chars().count() > SUBJECT_CHARS_MAX {
        return Err(format!("the subject is longer than {SUBJECT_CHARS_MAX} characters"));
    }
    let key = file_name(&item.key).replace('%', "_");
    if key.is_empty() {
        return Err("the item has no key".to_owned());
    }
    let id = format!("<{key}@{}>", from.email.domain());
    let mut builder = Message::builder()
        .from(from)
        .to(to)
        .subject(one_line("subject", &item.subject_line)?)
        .date(date(item)?)
        .message_id(Some(id))
        .header(MimeVersion::new(1, 0))
        .raw_header(header("Auto-Submitted", "auto-generated")?);
    if let Some(address) = &item.reply_to {
        builder = builder.reply_to(mailbox("reply address", "", address)?);
    }
    for (name, value) in &item.headers {
        if RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(format!("header `{name}` cannot be set"));
        }
        builder = builder.raw_header(header(name, value)?);
    }
    let message = match &item.html {
        Some(html) => builder.multipart(
            MultiPart::alternative()
                .boundary(format!("recobro_{key}"))
                .singlepart(part(ContentType::TEXT_PLAIN, &item.text)?)
                .singlepart(part(ContentType::TEXT_HTML, html)?),
        ),
        None => builder.singlepart(part(ContentType::TEXT_PLAIN, &item.text)?),
    };
    message.map(|message| message.formatted()).map_err(|error| format!("the message cannot be composed: {error}"))
}

/// The bare address of an item's party, for the SMTP envelope.
pub(super) fn address(what: &str, text: &str) -> Result<Address, String> {
    let text = one_line(what, text)?;
    if text.is_empty() {
        return Err(format!("the {what} has no e-mail address"));
    }
    text.parse().map_err(|error| format!("the address of the {what} is not an e-mail address: {error}"))
}

fn mailbox(what: &str, name: &str, email: &str) -> Result<Mailbox, String> {
    let name = one_line(&format!("name of the {what}"), name)?;
    Ok(Mailbox::new(Some(name).filter(|name| !name.is_empty()), address(what, email)?))
}

/// Text without line breaks and other control characters: they could add headers of their own.
fn one_line(what: &str, text: &str) -> Result<String, String> {
    match text.chars().find(|c| c.is_control()) {
        Some(c) => Err(format!("the {what} holds {}, which no header may hold", control_name(c))),
        None => Ok(text.trim().to_owned()),
    }
}

fn control_name(c: char) -> String {
    match c {
        '\r' | '\n' => "a line break".to_owned(),
        '\0' => "a NUL character".to_owned(),
        other => format!("the control character U+{:04X}", u32::from(other)),
    }
}

fn header(name: &str, value: &str) -> Result<HeaderValue, String> {
    let wrong = || format!("`{}` is not the name of a header", name.escape_debug());
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err(wrong());
    }
    let name = HeaderName::new_from_ascii(name.to_owned()).map_err(|_| wrong())?;
    let value = one_line(&format!("header {name}"), value)?;
    Ok(HeaderValue::new(name, value))
}

fn part(kind: ContentType, body: &str) -> Result<SinglePart, String> {
    if body.contains('\0') {
        return Err("the text holds a NUL character".to_owned());
    }
    Ok(SinglePart::builder().header(kind).body(body.to_owned()))
}

fn date(item: &Outgoing) -> Result<SystemTime, String> {
    // The Date header of the builder knows the years 1970 to 9999.
    let us = u64::try_from(item.at.as_us()).ok().filter(|us| *us < 253_402_300_800_000_000);
    let us = us.ok_or_else(|| format!("{} is no date that a message can bear", item.at))?;
    Ok(SystemTime::UNIX_EPOCH + Duration::from_micros(us))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::contract::item;

    #[test]
    fn the_same_item_gives_the_same_bytes() {
        let item = item("11111111-2222-8333-8444-555555555555");
        let bytes = compose(&item).unwrap();
        assert_eq!(bytes, compose(&item).unwrap());
        expect_test::expect![[r#"
            From: =?utf-8?b?VMOpc2FyIFMuQS4=?= <cobros@acme.example>
            To: =?utf-8?b?Sm9zw6kgw4FsdmFyZXo=?= <jose@cliente.example>
            Subject: Factura INV-1
            Date: Mon, 04 May 2026 07:00:00 +0000
            Message-ID: <11111111-2222-8333-8444-555555555555@acme.example>
            MIME-Version: 1.0
            Auto-Submitted: auto-generated
            Content-Type: multipart/alternative;
             boundary="recobro_11111111-2222-8333-8444-555555555555"

            --recobro_11111111-2222-8333-8444-555555555555
            Content-Type: text/plain; charset=utf-8
            Content-Transfer-Encoding: 7bit

            Hola:

            Un saludo
            --recobro_11111111-2222-8333-8444-555555555555
            Content-Type: text/html; charset=utf-8
            Content-Transfer-Encoding: 7bit

            <p>Hola:</p><p>Un saludo</p>
            --recobro_11111111-2222-8333-8444-555555555555--
        "#]]
        .assert_eq(&String::from_utf8(bytes).unwrap().replace("\r\n", "\n"));
    }

    #[test]
    fn line_breaks_and_nul_never_reach_the_builder() {
        type Spoil = fn(&mut Outgoing, &str);
        let places: [(&str, Spoil); 6] = [
            ("name of the recipient", |item, bad| item.to_name.push_str(bad)),
            ("name of the sender", |item, bad| item.from_name.push_str(bad)),
            ("recipient", |item, bad| item.to_address.push_str(bad)),
            ("sender", |item, bad| item.from_address.push_str(bad)),
            ("subject", |item, bad| item.subject_line.push_str(bad)),
            ("header X-Case", |item, bad| drop(item.headers.insert("X-Case".to_owned(), bad.to_owned()))),
        ];
        for (place, spoil) in places {
            for (bad, called) in
                [("\r\nBcc: x@y.example", "a line break"), ("\nx", "a line break"), ("a\0b", "a NUL character")]
            {
                let mut item = item("k");
                spoil(&mut item, bad);
                let reason = compose(&item).unwrap_err();
                assert_eq!(reason, format!("the {place} holds {called}, which no header may hold"));
            }
        }
    }

    #[test]
    fn reserved_headers_and_missing_addresses_are_refused_with_the_reason() {
        let mut without = item("k");
        without.to_address.clear();
        assert_eq!(compose(&without).unwrap_err(), "the recipient has no e-mail address");
        let mut reserved = item("k");
        reserved.headers.insert("Bcc".to_owned(), "x@y.example".to_owned());
        assert_eq!(compose(&reserved).unwrap_err(), "header `Bcc` cannot be set");
    }
}
