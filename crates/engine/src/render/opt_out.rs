//! How a message tells its reader to end such messages: a link, or the word to answer.

use crate::consent::{OptOut, OptOutLink};
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
