//! Where the words of an expression begin and end: rhai's tree knows only where a node starts.

/// What a token is; everything that is no word, number or text is a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or keyword.
    Word,
    /// A number.
    Number,
    /// A quoted text with its quotes.
    Text,
    /// An operator or bracket.
    Symbol,
}

/// A token by its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// What it is.
    pub(super) kind: Kind,
    /// First byte.
    pub(super) start: usize,
    /// Byte after the last.
    pub(super) end: usize,
}

const SYMBOLS: &[&str] =
    &["...", "..=", "==", "!=", "<=", ">=", "&&", "||", "??", "?.", "?[", "::", "#{", "=>", "..", "+=", "-=", "**"];

/// Splits a source into tokens; white space and comments fall away.
pub(super) fn tokens(source: &str) -> Vec<Token> {
    let bytes = source.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let kind = match bytes[at] {
            b' ' | b'\t' | b'\r' | b'\n' => {
                at += 1;
                continue;
            }
            quote @ (b'"' | b'\'' | b'`') => {
                at = text_end(bytes, at, quote);
                Kind::Text
            }
            b'0'..=b'9' => {
                at = number_end(bytes, at);
                Kind::Number
            }
            byte if is_word(byte) => {
                while at < bytes.len() && (is_word(bytes[at]) || bytes[at].is_ascii_digit()) {
                    at += 1;
                }
                Kind::Word
            }
            _ => {
                let symbol = SYMBOLS.iter().find(|symbol| source[at..].starts_with(**symbol));
                at += symbol.map_or_else(|| source[at..].chars().next().map_or(1, char::len_utf8), |s| s.len());
                Kind::Symbol
            }
        };
        found.push(Token { kind, start, end: at });
    }
    found
}

fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphabetic()
}

fn text_end(bytes: &[u8], start: usize, quote: u8) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn number_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while at < bytes.len() {
        let fraction = bytes[at] == b'.' && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
        if bytes[at] == b'_' || bytes[at].is_ascii_alphanumeric() || fraction {
            at += 1;
        } else {
            break;
        }
    }
    at
}

/// A source with its tokens and lines, for turning rhai's positions into bytes.
pub(super) struct Text<'a> {
    /// The source.
    pub(super) source: &'a str,
    /// Its tokens in order.
    pub(super) tokens: Vec<Token>,
    lines: Vec<usize>,
}

impl<'a> Text<'a> {
    /// Reads a source.
    pub(super) fn new(source: &'a str) -> Self {
        let lines = std::iter::once(0).chain(source.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { source, tokens: tokens(source), lines }
    }

    /// The byte of a position; the source's end where it has none.
    pub(super) fn offset(&self, at: rhai::Position) -> usize {
        let (Some(line), Some(column)) = (at.line(), at.position()) else { return self.source.len() };
        let start = self.lines.get(line - 1).copied().unwrap_or(self.source.len());
        self.source[start..].char_indices().nth(column - 1).map_or(self.source.len(), |(index, _)| start + index)
    }

    /// Index of the token that holds a byte, or of the first one after it.
    pub(super) fn token_at(&self, offset: usize) -> usize {
        self.tokens.partition_point(|token| token.end <= offset)
    }

    /// The text of a token; empty past the end.
    pub(super) fn word(&self, index: usize) -> &'a str {
        self.tokens.get(index).map_or("", |token| &self.source[token.start..token.end])
    }

    /// Byte after the token at an offset.
    pub(super) fn end_of(&self, offset: usize) -> usize {
        self.tokens.get(self.token_at(offset)).map_or(self.source.len(), |token| token.end)
    }

    /// Index of the bracket that closes the one at `index`.
    pub(super) fn closing(&self, index: usize) -> usize {
        let mut depth = 0_i32;
        for at in index..self.tokens.len() {
            match self.word(at) {
                "(" | "[" | "{" | "#{" | "?[" => depth += 1,
                ")" | "]" | "}" => {
                    depth -= 1;
                    if depth == 0 {
                        return at;
                    }
                }
                _ => {}
            }
        }
        self.tokens.len().saturating_sub(1)
    }

    /// Widens a span until its brackets are closed: `not (a` becomes `not (a == b)`.
    pub(super) fn balanced(&self, start: usize, end: usize) -> (usize, usize) {
        let (first, mut last) = (self.token_at(start), self.token_at(end.saturating_sub(1)));
        let mut first = first.min(self.tokens.len().saturating_sub(1));
        let mut open = 0_i32;
        let mut missing = 0_i32;
        for at in first..=last.min(self.tokens.len().saturating_sub(1)) {
            match self.word(at) {
                "(" | "[" | "{" | "#{" | "?[" => open += 1,
                ")" | "]" | "}" if open > 0 => open -= 1,
                ")" | "]" | "}" => missing += 1,
                _ => {}
            }
        }
        while open > 0 && last + 1 < self.tokens.len() {
            last += 1;
            match self.word(last) {
                ")" | "]" | "}" => open -= 1,
                "(" | "[" | "{" | "#{" | "?[" => open += 1,
                _ => {}
            }
        }
        while missing > 0 && first > 0 {
            first -= 1;
            match self.word(first) {
                "(" | "[" | "{" | "#{" | "?[" => missing -= 1,
                ")" | "]" | "}" => missing += 1,
                _ => {}
            }
        }
        (self.tokens.get(first).map_or(start, |t| t.start), self.tokens.get(last).map_or(end, |t| t.end))
    }
}
