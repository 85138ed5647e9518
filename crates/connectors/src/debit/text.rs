//! The characters that every bank of SEPA reads: Latin letters without accents, digits, space and `/-?:().,'+`.

/// Punctuation with its customary replacement.
const SIGNS: &[(char, &str)] = &[
    ('&', "+"),
    ('_', "-"),
    ('~', "-"),
    ('–', "-"),
    ('—', "-"),
    ('‐', "-"),
    ('`', "'"),
    ('´', "'"),
    ('’', "'"),
    ('‘', "'"),
    (';', ","),
    ('[', "("),
    ('{', "("),
    (']', ")"),
    ('}', ")"),
    ('\\', "/"),
    ('|', "/"),
    ('€', "E"),
    ('¡', ""),
    ('¿', "?"),
    ('ª', "a"),
    ('º', "o"),
];

/// Letters of Latin alphabets; capitals follow from the small ones.
const LATIN: &[(&str, &str)] = &[
    ("àáâãåāăą", "a"),
    ("ä", "ae"),
    ("æ", "ae"),
    ("çćĉċč", "c"),
    ("ďđð", "d"),
    ("èéêëēĕėęě", "e"),
    ("ĝğġģ", "g"),
    ("ĥħ", "h"),
    ("ìíîïĩīĭįı", "i"),
    ("ĵ", "j"),
    ("ķ", "k"),
    ("ĺļľŀł", "l"),
    ("ñńņňŋ", "n"),
    ("òóôõøōŏő", "o"),
    ("ö", "oe"),
    ("œ", "oe"),
    ("ŕŗř", "r"),
    ("śŝşšș", "s"),
    ("ß", "ss"),
    ("ţťŧț", "t"),
    ("ùúûũūŭůűų", "u"),
    ("ü", "ue"),
    ("ŵ", "w"),
    ("ýÿŷ", "y"),
    ("źżž", "z"),
    ("þ", "th"),
];

/// Letters of Greek and of Bulgarian.
const OTHERS: &[(&str, &str)] = &[
    ("αά", "a"),
    ("β", "v"),
    ("γ", "g"),
    ("δ", "d"),
    ("εέ", "e"),
    ("ζ", "z"),
    ("ηήιίϊΐ", "i"),
    ("θ", "th"),
    ("κ", "k"),
    ("λ", "l"),
    ("μ", "m"),
    ("ν", "n"),
    ("ξ", "x"),
    ("οόωώ", "o"),
    ("π", "p"),
    ("ρ", "r"),
    ("σς", "s"),
    ("τ", "t"),
    ("υύϋΰ", "y"),
    ("φ", "f"),
    ("χ", "ch"),
    ("ψ", "ps"),
    ("а", "a"),
    ("б", "b"),
    ("в", "v"),
    ("г", "g"),
    ("д", "d"),
    ("е", "e"),
    ("ж", "zh"),
    ("з", "z"),
    ("и", "i"),
    ("й", "y"),
    ("к", "k"),
    ("л", "l"),
    ("м", "m"),
    ("н", "n"),
    ("о", "o"),
    ("п", "p"),
    ("р", "r"),
    ("с", "s"),
    ("т", "t"),
    ("у", "u"),
    ("ф", "f"),
    ("х", "h"),
    ("ц", "ts"),
    ("ч", "ch"),
    ("ш", "sh"),
    ("щ", "sht"),
    ("ъ", "a"),
    ("ь", "y"),
    ("ю", "yu"),
    ("я", "ya"),
];

/// Whether every bank reads the character.
pub(super) fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || " /-?:().,'+".contains(c)
}

/// A text in plain characters: single spaces, none at the ends; what has no counterpart becomes a full stop.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() {
            if !out.ends_with(' ') {
                out.push(' ');
            }
        } else if is_plain(c) {
            out.push(c);
        } else if let Some((_, sign)) = SIGNS.iter().find(|(sign, _)| *sign == c) {
            out.push_str(sign);
        } else if !is_mark(c) {
            out.push_str(&letter(c).unwrap_or_else(|| ".".to_owned()));
        }
    }
    out.trim().to_owned()
}

/// A combining mark behind a letter that is already plain: `e` and an accent of its own.
fn is_mark(c: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&c)
}

fn letter(c: char) -> Option<String> {
    let mut lower = c.to_lowercase();
    let small = lower.next().unwrap_or(c);
    let mut tables = LATIN.iter().chain(OTHERS);
    let (_, plain) = tables.find(|(letters, _)| letters.contains(small))?;
    if c == small {
        return Some((*plain).to_owned());
    }
    let mut letters = plain.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    Some(first.into_iter().chain(letters).collect())
}
