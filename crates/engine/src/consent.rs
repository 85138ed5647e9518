//! Where customers stand to channels, folded from their words; and the tokens by which a link in a message says no.
//!
//! A token names customer, channel and purpose and carries a code over them that only we can make: nothing is stored for
//! it, nobody can guess one, and it is good for nothing but to say no.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use recobro_connectors::channel::Secret;
use recobro_kernel::consent::{Consent, Purpose, Word};
use recobro_kernel::facts::Channel;
use recobro_kernel::ids::CustomerId;
use recobro_store::consents::ConsentRow;
use sha2::Sha256;
use std::collections::BTreeMap;

/// Where a customer stands to each channel, by their words, the oldest first.
///
/// Two things a mere list from elsewhere cannot do: take an opt-out back without a day on which that was said, and end
/// what another source was told.
#[must_use]
pub fn standing(words: &[ConsentRow]) -> BTreeMap<Channel, Consent> {
    let mut standing: BTreeMap<Channel, Consent> = BTreeMap::new();
    let mut granted_by: BTreeMap<(Channel, Purpose), &str> = BTreeMap::new();
    for row in words {
        let Some(channel) = Channel::parse(&row.channel) else { continue };
        let consent = standing.entry(channel).or_default();
        for purpose in Purpose::named(&row.purpose) {
            let counts = match row.word {
                Word::Granted => row.dated || !consent.refused.contains(&purpose),
                Word::Lapsed => granted_by.get(&(channel, purpose)) == Some(&row.source.as_str()),
                Word::Withdrawn => true,
            };
            if counts {
                consent.take(&[purpose], row.word);
                granted_by.insert((channel, purpose), &row.source);
            }
        }
    }
    standing
}

/// How messages tell customers to say no.
#[derive(Clone, Debug)]
pub struct OptOutLink {
    /// Page behind which `/u/TOKEN` stands.
    pub url: String,
    /// What the tokens are made with.
    pub secret: Secret,
}

/// What a token says no to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptOut {
    /// Customer.
    pub customer: CustomerId,
    /// Channel.
    pub channel: Channel,
    /// `all`, `courtesy` or `dunning`.
    pub purpose: String,
}

/// Bytes of a token's code: 128 bits are beyond guessing, and a text message has little room.
const CODE_BYTES: usize = 16;

/// What is signed begins with its use, so that no other code made with the same secret is ever a token.
const USE: &str = "recobro opt-out 1";

impl OptOutLink {
    /// The link that says no.
    #[must_use]
    pub fn link(&self, opt_out: &OptOut) -> String {
        format!("{}/u/{}", self.url.trim_end_matches('/'), token(&self.secret, opt_out))
    }
}

/// The token of an opt-out.
#[must_use]
pub fn token(secret: &Secret, opt_out: &OptOut) -> String {
    let said = format!("{}\n{}\n{}", opt_out.channel.name(), opt_out.purpose, opt_out.customer);
    let code = code(secret, &said).finalize().into_bytes();
    format!("{}.{}", URL_SAFE_NO_PAD.encode(said), URL_SAFE_NO_PAD.encode(&code[..CODE_BYTES]))
}

/// What a token says, if we made it. Why not is not told apart: whoever forges one learns nothing.
#[must_use]
pub fn read_token(secret: &Secret, token: &str) -> Option<OptOut> {
    let (said, claimed) = token.trim().split_once('.')?;
    let said = String::from_utf8(URL_SAFE_NO_PAD.decode(said).ok()?).ok()?;
    let claimed = URL_SAFE_NO_PAD.decode(claimed).ok().filter(|claimed| claimed.len() == CODE_BYTES)?;
    // Compared in constant time.
    code(secret, &said).verify_truncated_left(&claimed).ok()?;
    let mut parts = said.splitn(3, '\n');
    let (channel, purpose, customer) = (parts.next()?, parts.next()?, parts.next()?);
    let channel = Channel::parse(channel)?;
    Some(OptOut { customer: CustomerId(customer.to_owned()), channel, purpose: purpose.to_owned() })
}

fn code(secret: &Secret, said: &str) -> Hmac<Sha256> {
    let mut code = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("a key of any length is taken");
    code.update(USE.as_bytes());
    code.update(b"\n");
    code.update(said.as_bytes());
    code
}

#[cfg(test)]
mod tests {
    use super::*;
    use recobro_kernel::facts::Class;
    use recobro_kernel::time::Timestamp;

    fn word(word: Word, source: &str, dated: bool) -> ConsentRow {
        ConsentRow {
            id: String::new(),
            customer: "C1".into(),
            channel: "sms".to_owned(),
            purpose: "all".to_owned(),
            word,
            source: source.to_owned(),
            booked_on: "2026-05-05".parse().unwrap(),
            said_at: Timestamp::default(),
            dated,
            evidence: String::new(),
            said_by: String::new(),
            known_at: Timestamp::default(),
        }
    }

    fn stands(words: &[ConsentRow]) -> (bool, bool) {
        let consent = standing(words).remove(&Channel::Sms).unwrap_or_default();
        (consent.asks_for(Class::Dunning), consent.refuses(Class::Dunning))
    }

    #[test]
    fn the_last_word_holds_but_a_list_without_days_takes_no_opt_out_back() {
        let (yes, no) = (word(Word::Granted, "crm", true), word(Word::Withdrawn, "replies", true));
        let list = word(Word::Granted, "crm", false);
        assert_eq!(stands(&[]), (false, false));
        assert_eq!(stands(std::slice::from_ref(&list)), (true, false));
        assert_eq!(stands(&[yes.clone(), no.clone()]), (false, true));
        assert_eq!(stands(&[no.clone(), list.clone()]), (false, true));
        assert_eq!(stands(&[no, list, yes]), (true, false));
    }

    #[test]
    fn a_source_ends_only_what_it_was_told_itself() {
        let (crm, form) = (word(Word::Granted, "crm", false), word(Word::Granted, "form", true));
        let lapsed = word(Word::Lapsed, "crm", false);
        assert_eq!(stands(&[crm.clone(), lapsed.clone()]), (false, false), "no refusal");
        assert_eq!(stands(&[crm, form, lapsed.clone()]), (true, false));
        assert_eq!(stands(&[word(Word::Withdrawn, "x", true), lapsed]), (false, true));
    }

    #[test]
    fn a_token_is_read_back_and_a_forged_one_is_nothing() {
        let secret = Secret::new("0123456789abcdef");
        let said = OptOut { customer: "C-1 ñ".into(), channel: Channel::Sms, purpose: "all".to_owned() };
        let good = token(&secret, &said);
        assert!(good.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)), "{good}");
        assert_eq!(read_token(&secret, &good), Some(said.clone()));
        assert_eq!(read_token(&Secret::new("another secret"), &good), None);
        let (payload, code) = good.split_once('.').unwrap();
        let other = token(&secret, &OptOut { customer: "C-2".into(), ..said });
        let others = other.split_once('.').unwrap().0;
        let forged = [format!("{others}.{code}"), format!("{payload}."), format!("{payload}.{}", &code[..4])];
        for forged in forged.iter().map(String::as_str).chain(["", ".", "x.y", payload]) {
            assert_eq!(read_token(&secret, forged), None, "{forged}");
        }
    }
}
