//! What templates say against what policies refuse and require: words of each language in the text, statements in tags.

mod words;

use crate::Files;
use crate::read::policy::REQUIRED;
use crate::yaml::{Place, Spot};
use recobro_kernel::facts::{Channel, Class};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A word of a text; a value that is filled in is a word of its own, and so is the end of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    text: String,
    line: u32,
    column: u32,
    width: u32,
}

/// The end of a sentence.
const STOP: &str = ".";
/// A value.
const VALUE: &str = "{}";

/// A text that people will read, and the tags in it.
pub(crate) struct Text {
    words: Vec<Word>,
    /// Where each word stands, so that a phrase is looked for only where it begins.
    firsts: BTreeMap<String, Vec<usize>>,
    /// What stands inside `{{ }}` and `{% %}`.
    tags: Vec<String>,
}

/// Reads a template file: the subject and the body; comments say nothing.
pub(crate) fn read(source: &str) -> Text {
    let mut text = Text { words: Vec::new(), firsts: BTreeMap::new(), tags: Vec::new() };
    let mut marks = 0;
    let mut inside: Option<(&'static str, String)> = None;
    for (number, line) in (1_u32..).zip(source.lines()) {
        if marks < 2 && line.trim_end() == "---" {
            marks += 1;
            continue;
        }
        let skipped = if marks < 2 { line.find("subject:").map(|at| at + "subject:".len()) } else { Some(0) };
        let Some(skipped) = skipped else { continue };
        take_line(&mut text, &mut inside, line, (number, skipped));
        if marks < 2 {
            text.stop(number);
        }
    }
    for (at, word) in text.words.iter().enumerate() {
        text.firsts.entry(word.text.clone()).or_default().push(at);
    }
    text
}

fn take_line(
    text: &mut Text,
    inside: &mut Option<(&'static str, String)>,
    line: &str,
    (number, skipped): (u32, usize),
) {
    const PAIRS: [(&str, &str); 3] = [("{{", "}}"), ("{%", "%}"), ("{#", "#}")];
    let mut at = skipped;
    while at < line.len() {
        let rest = &line[at..];
        if let Some((close, mut tag)) = inside.take() {
            let Some(end) = rest.find(close) else {
                tag.push_str(rest);
                tag.push(' ');
                *inside = Some((close, tag));
                return;
            };
            tag.push_str(&rest[..end]);
            at += end + close.len();
            if close == "}}" {
                let column = column_of(line, at - close.len());
                text.words.push(Word { text: VALUE.to_owned(), line: number, column, width: 2 });
            }
            if close != "#}" {
                text.tags.push(tag);
            }
            continue;
        }
        let open = PAIRS.iter().filter_map(|(open, close)| Some((rest.find(open)?, *close))).min();
        let end = open.map_or(rest.len(), |(end, _)| end);
        text.plain(&rest[..end], number, column_of(line, at));
        at += end;
        if let Some((_, close)) = open {
            at += 2;
            *inside = Some((close, String::new()));
        }
    }
    // A blank line ends what was said; the end of another line does not.
    if line.trim().is_empty() && inside.is_none() {
        text.stop(number);
    }
}

fn column_of(line: &str, at: usize) -> u32 {
    u32::try_from(line[..at].chars().count() + 1).unwrap_or(u32::MAX - 1)
}

impl Text {
    fn stop(&mut self, line: u32) {
        self.words.push(Word { text: STOP.to_owned(), line, column: 1, width: 1 });
    }

    fn plain(&mut self, text: &str, line: u32, from: u32) {
        let mut word: Option<Word> = None;
        for (column, c) in (from..).zip(text.chars()) {
            if c.is_alphanumeric() {
                let open = word.get_or_insert_with(|| Word { text: String::new(), line, column, width: 0 });
                open.text.extend(c.to_lowercase().map(plain_letter));
                open.width += 1;
                continue;
            }
            self.words.extend(word.take());
            if matches!(c, '.' | '!' | '?' | ':' | ';') {
                self.words.push(Word { text: STOP.to_owned(), line, column, width: 1 });
            }
        }
        self.words.extend(word.take());
    }

    /// Every place at which a phrase of what is refused stands.
    pub(crate) fn refused(&self, file: &Arc<str>, locale: &str, what: &str) -> Vec<(Place, &'static str)> {
        let lists = words::REFUSED.iter().filter(|(name, of, _)| *name == what && *of == language(locale));
        let phrases = lists.flat_map(|(_, _, phrases)| phrases.iter());
        phrases.flat_map(|phrase| self.find(phrase).into_iter().map(|words| (place(file, words), *phrase))).collect()
    }

    /// Whether a statement is there; one whose words nobody has listed for the language counts as there.
    pub(crate) fn states(&self, locale: &str, what: &str) -> bool {
        let tag = |name: &str| self.tags.iter().any(|tag| tag.contains(name));
        match what {
            "creditor" => tag("creditor.name"),
            "amount" => tag("| money") || tag("|money"),
            "opt_out" => tag("opt_out"),
            "fixed_indemnity" => tag("fixed_sum") || tag("fixed_compensation"),
            _ => {
                let list = words::HOW_TO_OBJECT.iter().find(|(of, _)| *of == language(locale));
                list.is_none_or(|(_, phrases)| phrases.iter().any(|phrase| !self.find(phrase).is_empty()))
            }
        }
    }

    fn find(&self, phrase: &str) -> Vec<&[Word]> {
        let wanted: Vec<&str> = phrase.split(' ').collect();
        let stem = wanted[0].trim_end_matches('*');
        let begins = self.firsts.range(stem.to_owned()..).take_while(|(word, _)| word.starts_with(stem));
        let begins = begins.flat_map(|(_, at)| at.iter());
        let found = begins.filter_map(|&at| self.words.get(at..at + wanted.len()));
        found.filter(|found| wanted.iter().zip(*found).all(|(want, word)| fits(want, word))).collect()
    }
}

/// `es` of `es-MX`.
fn language(locale: &str) -> &str {
    locale.split(['-', '_']).next().unwrap_or(locale)
}

fn fits(wanted: &str, word: &Word) -> bool {
    match (wanted, wanted.strip_suffix('*')) {
        ("_", _) => word.text != STOP,
        (_, Some(stem)) => word.text.starts_with(stem),
        _ => word.text == wanted,
    }
}

fn place(file: &Arc<str>, words: &[Word]) -> Place {
    let (first, last) = (&words[0], &words[words.len() - 1]);
    Place {
        file: Arc::clone(file),
        start: Spot { line: first.line, column: first.column },
        end: Spot { line: last.line, column: last.column + last.width },
    }
}

/// A letter without its accent: people forget them, and a phrase must be found all the same.
fn plain_letter(c: char) -> char {
    match c {
        'á' | 'à' | 'â' | 'ã' | 'ä' => 'a',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'í' | 'ì' | 'î' | 'ï' => 'i',
        'ó' | 'ò' | 'ô' | 'õ' | 'ö' => 'o',
        'ú' | 'ù' | 'û' | 'ü' => 'u',
        'ç' => 'c',
        'ñ' => 'n',
        other => other,
    }
}

/// What the files of templates state, out of what policies may require.
#[derive(Debug, Default)]
pub struct Statements(BTreeMap<String, BTreeSet<&'static str>>);

impl Statements {
    /// Reads every template among the files.
    #[must_use]
    pub fn of(files: &Files) -> Self {
        let stated = |(file, bytes): (&String, &Vec<u8>)| {
            let (_, locale) = crate::template::spoken(file)?;
            let text = read(&String::from_utf8_lossy(bytes));
            let said = REQUIRED.iter().copied().filter(|what| text.states(locale, what)).collect();
            Some((file.clone(), said))
        };
        Self(files.iter().filter_map(stated).collect())
    }

    /// Whether a file states something; a file that is not there states whatever it is asked for, and fails elsewhere.
    #[must_use]
    pub fn has(&self, file: &str, what: &str) -> bool {
        self.0.get(file).is_none_or(|said| said.contains(what))
    }
}

/// Whether a message says something by itself where its text does not: the way to opt out is put under it.
#[must_use]
pub fn is_supplied(what: &str, channel: Channel, class: Class) -> bool {
    let has_room = matches!(channel, Channel::Email | Channel::Sms | Channel::Whatsapp);
    what == "opt_out" && has_room && class != Class::LegalNotice
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::policy::REFUSED;

    fn found(locale: &str, what: &str, body: &str) -> Vec<(u32, u32, &'static str)> {
        let source = format!("---\nclass: dunning\nsubject: \"Invoice\"\n---\n{body}");
        let text = read(&source);
        let found = text.refused(&Arc::from("x"), locale, what);
        found.into_iter().map(|(place, phrase)| (place.start.line, place.start.column, phrase)).collect()
    }

    #[test]
    fn words_are_found_whatever_their_case_accents_and_lines() {
        assert_eq!(found("es", "threat", "Es su ÚLTIMA\noportunidad."), [(5, 7, "ultima oportunidad")]);
        assert_eq!(found("es-MX", "threat", "Ultima oportunidad"), [(5, 1, "ultima oportunidad")]);
        assert_eq!(found("en", "misleading_deadline", "Pay within {{ n }} hours"), [(5, 1, "pay within _ hours")]);
        assert_eq!(found("en", "threat", "We shall be prosecuting you"), [(5, 13, "prosecut*")]);
        assert_eq!(found("en", "threat", "{% if x %}the police{% endif %}"), [(5, 15, "police")], "in any branch");
    }

    #[test]
    fn other_words_comments_and_ends_of_sentences_are_not() {
        assert!(found("es", "threat", "Sin embargo, seguimos a su disposición.").is_empty());
        assert!(found("en", "threat", "This is the last. Chance has it").is_empty());
        assert!(found("en", "threat", "{# police #}policeman").is_empty());
        assert!(found("nl", "threat", "police").is_empty(), "a language without a list");
    }

    #[test]
    fn the_subject_is_read_and_the_rest_of_the_header_is_not() {
        let text = read("---\nclass: police\nsubject: \"Last chance\"\n---\nHello\n");
        let found = text.refused(&Arc::from("x"), "en", "threat");
        assert_eq!(found.iter().map(|(place, _)| place.start.line).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn statements_stand_in_tags_or_words() {
        let text =
            read("---\nclass: dunning\n---\n{{ creditor.name }}: {{ invoice.claimable | money }}. Do you disagree?\n");
        assert!(text.states("en", "creditor") && text.states("en", "amount") && text.states("en", "how_to_object"));
        assert!(!text.states("en", "opt_out") && !text.states("en", "fixed_indemnity"));
        assert!(!text.states("es", "how_to_object") && text.states("nl", "how_to_object"));
    }

    #[test]
    fn every_name_has_its_words_in_every_language() {
        for what in REFUSED {
            for locale in ["de", "en", "es", "fr", "it", "pt"] {
                assert!(words::REFUSED.iter().any(|(name, of, _)| name == what && *of == locale), "{what} {locale}");
            }
        }
        assert_eq!(REQUIRED, ["creditor", "amount", "opt_out", "how_to_object", "fixed_indemnity"]);
        for (_, _, phrases) in words::REFUSED {
            for phrase in *phrases {
                let plain = phrase.chars().all(|c| c.is_ascii_lowercase() || " _*".contains(c));
                assert!(plain, "{phrase}: accents and capitals are never met");
            }
        }
    }
}
