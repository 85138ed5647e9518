//! What customers say about being contacted: for what, by which words they end it, and at which times of the day.
//!
//! The words are a table, one row a language, read by whatever takes a reply and by what tells a customer how to answer.

use crate::calendar::weekday;
use crate::facts::Class;
use crate::guard::policy::Opening;
use crate::time::Hours;
use chrono::NaiveTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a customer allows a channel for, or refuses it for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Everything about what is owed: demands, notices, confirmations.
    Dunning,
    /// Friendly words that nobody must send.
    Courtesy,
}

/// The word for every purpose at once.
pub const ALL: &str = "all";

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 2] = [Self::Dunning, Self::Courtesy];

    /// The names of purposes in files and commands.
    pub const NAMES: [&'static str; 3] = [ALL, "courtesy", "dunning"];

    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dunning => "dunning",
            Self::Courtesy => "courtesy",
        }
    }

    /// The purposes of a name: both of [`ALL`], none of a name that is not known.
    #[must_use]
    pub fn named(name: &str) -> Vec<Self> {
        Self::ALL.into_iter().filter(|purpose| name == ALL || name == purpose.name()).collect()
    }

    /// What a message is for.
    #[must_use]
    pub fn of(class: Class) -> Self {
        match class {
            Class::Courtesy => Self::Courtesy,
            Class::Dunning | Class::Transactional | Class::LegalNotice => Self::Dunning,
        }
    }
}

/// What a customer said about a channel, as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consent {
    /// What they asked for contact for.
    pub asked: BTreeSet<Purpose>,
    /// What they want no contact for.
    pub refused: BTreeSet<Purpose>,
}

impl Consent {
    /// Whether they asked for such messages.
    #[must_use]
    pub fn asks_for(&self, class: Class) -> bool {
        self.asked.contains(&Purpose::of(class))
    }

    /// Whether they refused such messages.
    #[must_use]
    pub fn refuses(&self, class: Class) -> bool {
        self.refused.contains(&Purpose::of(class))
    }

    /// Whether a refusal closes the channel whatever policies say. A notice of the law is for the law: policies decide.
    #[must_use]
    pub fn closes(&self, class: Class) -> bool {
        class != Class::LegalNotice && self.refuses(class)
    }

    /// How they stand to such messages, in words.
    #[must_use]
    pub fn words(&self, class: Class) -> String {
        let purpose = Purpose::of(class).name();
        if self.refuses(class) {
            format!("opted out of {purpose}")
        } else if self.asks_for(class) {
            format!("opted in to {purpose}")
        } else {
            format!("nothing said about {purpose}")
        }
    }

    /// Takes a word that came after those before it.
    pub fn take(&mut self, purposes: &[Purpose], word: Word) {
        for purpose in purposes {
            match word {
                Word::Granted => {
                    self.refused.remove(purpose);
                    self.asked.insert(*purpose);
                }
                Word::Lapsed => drop(self.asked.remove(purpose)),
                Word::Withdrawn => {
                    self.asked.remove(purpose);
                    self.refused.insert(*purpose);
                }
            }
        }
    }
}

/// What was said of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// They ask for contact by it.
    Granted,
    /// They ask for it no longer, and did not refuse it.
    Lapsed,
    /// They want none by it.
    Withdrawn,
}

impl Word {
    /// Every word.
    pub const ALL: [Self; 3] = [Self::Granted, Self::Lapsed, Self::Withdrawn];

    /// The name in files and in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Lapsed => "lapsed",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The word of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|word| word.name() == name)
    }
}

/// The words of one language.
struct Language {
    /// As locales begin.
    code: &'static str,
    /// What ends messages, folded; the first is the one that customers are told.
    stop: &'static [&'static str],
    /// How a customer is told; `{}` is the word.
    told: &'static str,
}

/// A reply that says nothing but one of these ends messages, whatever language the customer reads: nobody writes one of
/// them alone to mean something else, and to close too much is mended with one word.
const LANGUAGES: &[Language] = &[
    Language { code: "ca", stop: &["baixa", "atura", "prou"], told: "respongui {}" },
    Language {
        code: "de",
        stop: &["stopp", "abmelden", "abbestellen", "austragen", "keine sms mehr"],
        told: "antworten Sie {}",
    },
    Language {
        code: "en",
        stop: &[
            "stop",
            "stop all",
            "stopall",
            "unsubscribe",
            "cancel",
            "end",
            "quit",
            "opt out",
            "optout",
            "revoke",
            "stop texting me",
            "stop messages",
            "remove me",
        ],
        told: "reply {}",
    },
    Language {
        code: "es",
        stop: &["baja", "darme de baja", "alto", "parar", "cancelar", "detener", "no mas", "no mas mensajes"],
        told: "responda {}",
    },
    Language {
        code: "fr",
        stop: &["arret", "arreter", "stop sms", "desabonner", "desinscrire", "desinscription"],
        told: "répondez {}",
    },
    Language { code: "it", stop: &["ferma", "cancellami", "disiscrivi", "annulla"], told: "rispondi {}" },
    Language { code: "nl", stop: &["afmelden", "uitschrijven", "stoppen"], told: "antwoord {}" },
    Language { code: "pl", stop: &["wypisz", "rezygnuje"], told: "odpowiedz {}" },
    Language { code: "pt", stop: &["sair", "parar", "remover", "descadastrar", "cancelar"], told: "responda {}" },
];

/// Longest reply that can be a word alone, in characters.
const WORD_CHARS_MAX: usize = 40;

/// Whether a reply says nothing but that messages shall end. Case, accents and signs around it do not matter; anything
/// more is for people to read: `stop calling, I have paid` is no word to a machine.
#[must_use]
pub fn ends_messages(text: &str) -> bool {
    if text.chars().count() > WORD_CHARS_MAX {
        return false;
    }
    let said = folded(text);
    LANGUAGES.iter().any(|language| language.stop.contains(&said.as_str()))
}

/// How a customer of a language is told to end messages by an answer: `responda BAJA`. English where it is not known.
#[must_use]
pub fn how_to_stop(locale: &str) -> String {
    let code = locale.get(..2).unwrap_or_default().to_ascii_lowercase();
    let find = |code: &str| LANGUAGES.iter().find(|language| language.code == code);
    let language = find(&code).or_else(|| find("en"));
    let (told, word) = language.map_or(("reply {}", "stop"), |language| (language.told, language.stop[0]));
    told.replace("{}", &word.to_uppercase())
}

/// Words in small letters without accents, one space between them, without any other sign.
fn folded(text: &str) -> String {
    let mut words = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        // An accent that stands by itself belongs to the letter before it.
        if ('\u{300}'..='\u{36f}').contains(&c) {
            continue;
        }
        if c.is_alphanumeric() {
            words.push(plain(c));
        } else if !words.is_empty() && !words.ends_with(' ') && c != '\'' && c != '’' {
            words.push(' ');
        }
    }
    words.trim_end().to_owned()
}

/// A letter of the languages above without its accent.
fn plain(c: char) -> char {
    match c {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ą' => 'a',
        'ç' | 'ć' => 'c',
        'è' | 'é' | 'ê' | 'ë' | 'ę' => 'e',
        'ì' | 'í' | 'î' | 'ï' => 'i',
        'ł' => 'l',
        'ñ' | 'ń' => 'n',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' => 'o',
        'ś' => 's',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        'ź' | 'ż' => 'z',
        other => other,
    }
}

/// Reads times of the week: `mon-fri 09:00-12:00; sat 10:00-11:00`. Without days it is every day, at the customer's place.
///
/// # Errors
/// What cannot be read, for people.
pub fn hours(text: &str) -> Result<Vec<Opening>, String> {
    text.split(';').map(str::trim).filter(|part| !part.is_empty()).map(opening).collect()
}

fn opening(part: &str) -> Result<Opening, String> {
    let words: Vec<&str> = part.split_whitespace().collect();
    let (days, hours) = match words.as_slice() {
        [hours] => ((0..7).collect(), *hours),
        [days, hours] => (days_of(days)?, *hours),
        _ => return Err(format!("`{part}` is no time of the week; write for example mon-fri 09:00-12:00")),
    };
    let (from, to) = hours.split_once('-').ok_or_else(|| format!("`{hours}` is no span such as 09:00-12:00"))?;
    let (from, to) = (time(from)?, time(to)?);
    if from >= to {
        return Err(format!("`{hours}` ends before it begins; write a night as two: 22:00-24:00; 00:00-06:00"));
    }
    Ok(Opening { days, hours: Hours { from, to } })
}

fn time(text: &str) -> Result<NaiveTime, String> {
    // The end of a day: no clock shows 24:00.
    let text = if text == "24:00" { "23:59" } else { text };
    NaiveTime::parse_from_str(text, "%H:%M").map_err(|_| format!("`{text}` is no time such as 09:00"))
}

fn days_of(text: &str) -> Result<BTreeSet<u8>, String> {
    let mut days = BTreeSet::new();
    let wrong = |day: &str| format!("`{day}` is no day of the week; write mon, tue, wed, thu, fri, sat or sun");
    for part in text.to_lowercase().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let read = |day: &str| weekday(day).ok_or_else(|| wrong(day));
        let (mut day, last) = (read(first)?, read(last)?);
        days.insert(day);
        while day != last {
            day = (day + 1) % 7;
            days.insert(day);
        }
    }
    Ok(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_alone_ends_messages_in_any_case_accent_or_sign() {
        for text in ["STOP", " stop. ", "Arrêt!", "ARRE\u{302}T", "¡Baja!", "\"BAJA\"", "no más", "Opt-out", "stopp\n"]
        {
            assert!(ends_messages(text), "{text}");
        }
        let others = ["", "stop calling, I paid", "baja el importe", "bajan", "I will not stop", "start", "ok"];
        for text in others {
            assert!(!ends_messages(text), "{text}");
        }
    }

    #[test]
    fn what_customers_are_told_to_write_is_understood() {
        for language in LANGUAGES {
            for word in language.stop {
                assert!(ends_messages(word), "{}: {word} is not folded", language.code);
            }
            assert!(language.told.contains("{}"));
        }
        assert_eq!(how_to_stop("es-CO"), "responda BAJA");
        assert_eq!(how_to_stop("ja"), "reply STOP");
    }

    #[test]
    fn times_of_the_week_are_read_or_refused_with_the_reason() {
        let read = hours("mon-fri 09:00-12:00; sat,sun 10:00-24:00;07:00-08:00").unwrap();
        assert_eq!(read.iter().map(|one| one.days.len()).collect::<Vec<_>>(), [5, 2, 7]);
        assert_eq!(hours("fri-mon 09:00-10:00").unwrap()[0].days, [0, 4, 5, 6].into());
        assert_eq!(hours("").unwrap(), []);
        for wrong in ["lunes 09:00-12:00", "09:00", "mon 22:00-06:00", "mon fri 09:00-10:00", "mon 9-12"] {
            hours(wrong).unwrap_err();
        }
    }

    #[test]
    fn the_last_word_holds_and_what_lapses_is_no_refusal() {
        let mut consent = Consent::default();
        consent.take(&Purpose::named("all"), Word::Granted);
        consent.take(&Purpose::named("courtesy"), Word::Withdrawn);
        assert!(consent.asks_for(Class::Dunning) && consent.refuses(Class::Courtesy));
        consent.take(&Purpose::named("dunning"), Word::Lapsed);
        assert!(!consent.asks_for(Class::Dunning) && !consent.refuses(Class::Dunning));
        consent.take(&Purpose::named("all"), Word::Withdrawn);
        assert!(consent.closes(Class::Transactional) && !consent.closes(Class::LegalNotice));
        assert_eq!(consent.words(Class::Dunning), "opted out of dunning");
    }
}
