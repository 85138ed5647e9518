//! How a message tells its reader to end such messages: a link, or the word to answer.

use crate::consent::{OptOut, OptOutLink};
use crate::deliver::Wanted;
use recobro_kernel::consent::{ALL, Purpose, how_to_stop};
use recobro_kernel::effect::Effect;
use recobro_kernel::facts::{Channel, Class};
use std::collections::BTreeMap;

/// What `opt_out` says in a message. Notices of the law have none: where the law demands them, nobody can refuse them.
/// A letter and a call have no place for it.
pub(super) fn variable(effect: &Effect, link: Option<&OptOutLink>) -> String {
    let channel = effect.channel.filter(|_| effect.class != Class::LegalNotice);
    let Some(channel) = channel.filter(|channel| matches!(channel, Channel::Email | Channel::Sms | Channel::Whatsapp))
    else {
        return String::new();
    };
    link.map_or_else(|| how_to_stop(&effect.locale), |link| link.link(&refused(effect, channel)))
}

/// The words before the way to opt out, by language; English where none is known.
const WORDS: &[(&str, &str)] = &[
    ("de", "Keine solchen Nachrichten mehr:"),
    ("en", "To stop these messages:"),
    ("es", "Para no recibir más mensajes:"),
    ("fr", "Pour ne plus recevoir ces messages :"),
    ("it", "Per non ricevere altri messaggi:"),
    ("pt", "Para não receber mais mensagens:"),
];

/// The line that is put under a text without one: where law demands it, and for people in short messages, and by e-mail
/// where there is a page to go to.
pub(super) fn line(effect: &Effect, kind: &str, link: Option<&OptOutLink>, wanted: Wanted) -> Option<String> {
    let offers = matches!(effect.class, Class::Dunning | Class::Courtesy) && link.is_some();
    let is_polite = kind == "person" && (effect.channel != Some(Channel::Email) || offers);
    let told = variable(effect, link);
    if told.is_empty() || wanted == Wanted::No || (wanted == Wanted::Polite && !is_polite) {
        return None;
    }
    let language = effect.locale.split(['-', '_']).next().unwrap_or_default();
    let find = |code: &str| WORDS.iter().find(|(of, _)| *of == code);
    let (_, words) = find(language).or_else(|| find("en"))?;
    Some(format!("{words} {told}"))
}

/// A text with the line under it; a short message goes on in its line.
pub(super) fn put(text: &str, line: &str, channel: &str) -> String {
    let between = if channel == "sms" { " " } else { "\n\n" };
    format!("{}{between}{line}\n", text.trim_end())
}

/// Headers by which mail programs offer to unsubscribe (RFC 2369, RFC 8058): where that is lawful and there is a page.
pub(super) fn headers(effect: &Effect, link: Option<&OptOutLink>) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    let offers = matches!(effect.class, Class::Dunning | Class::Courtesy) && effect.channel == Some(Channel::Email);
    let Some(link) = link.filter(|_| offers) else { return headers };
    headers.insert("List-Unsubscribe".to_owned(), format!("<{}>", link.link(&refused(effect, Channel::Email))));
    // One click is a promise that only a page with TLS may make.
    if link.url.starts_with("https://") {
        headers.insert("List-Unsubscribe-Post".to_owned(), "List-Unsubscribe=One-Click".to_owned());
    }
    headers
}

/// A friendly word can be refused alone; who refuses what asks for money wants nothing by this channel.
fn refused(effect: &Effect, channel: Channel) -> OptOut {
    let purpose = match effect.class {
        Class::Courtesy => Purpose::Courtesy.name(),
        Class::Dunning | Class::Transactional | Class::LegalNotice => ALL,
    };
    OptOut { customer: effect.customer.clone(), channel, purpose: purpose.to_owned() }
}
