//! One Rust file as the rules see it: code with comments and literals blanked out, the literals, the test parts.
//!
//! A scanner, not a parser: it knows comments, strings, characters and matching braces, which is enough for the rules
//! and costs no dependency. Line numbers count from 1.

use std::ops::Range;

/// A string literal: where it starts and what stands between its quotes, escapes untouched.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Literal {
    /// Line of its opening quote.
    pub(crate) line: usize,
    /// Offset of its opening quote.
    pub(crate) at: usize,
    /// Its content.
    pub(crate) text: String,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: String,
    /// Line of the `fn`.
    pub(crate) line: usize,
    /// Offset of the `fn`.
    pub(crate) at: usize,
    /// Offset behind its closing brace.
    pub(crate) end: usize,
    /// Lines that hold code, from `fn` to the closing brace.
    pub(crate) lines: usize,
}

/// A scanned Rust file.
#[derive(Debug)]
pub(crate) struct Source {
    /// Path from the top folder, `/`-separated.
    pub(crate) path: String,
    /// The file as it is.
    pub(crate) text: String,
    /// Same length as `text`, with comments and the content of literals as spaces.
    pub(crate) code: String,
    /// String literals in order.
    pub(crate) literals: Vec<Literal>,
    tests: Vec<Range<usize>>,
    code_lines: Vec<bool>,
}

impl Source {
    /// Scans a file.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let mut scan = Scan::new(text);
        while scan.at < scan.bytes.len() {
            scan.step();
        }
        let code = String::from_utf8_lossy(&scan.code).into_owned();
        let tests = if is_test_path(path) { whole(text) } else { test_parts(&code) };
        let (literals, code_lines) = (scan.literals, scan.code_lines);
        Self { path: path.to_owned(), text: text.to_owned(), code, literals, tests, code_lines }
    }

    /// Returns the crate's folder name; files in `tests/` belong to no crate.
    pub(crate) fn krate(&self) -> &str {
        self.path.strip_prefix("crates/").and_then(|rest| rest.split('/').next()).unwrap_or("")
    }

    /// Tells whether this offset stands in a test: a test file, a `#[cfg(test)]` item or a `#[test]` function.
    pub(crate) fn in_test(&self, at: usize) -> bool {
        self.tests.iter().any(|part| part.contains(&at))
    }

    /// Returns the line of an offset.
    pub(crate) fn line(&self, at: usize) -> usize {
        line_of(self.code.as_bytes(), at)
    }

    /// Makes the whole file a test: its parent declares it under `#[cfg(test)]`.
    pub(crate) fn become_test(&mut self) {
        self.tests = whole(&self.text);
    }

    /// Returns the modules that this file declares in other files and for tests only.
    pub(crate) fn test_modules(&self) -> Vec<&str> {
        let name = |at: usize| {
            let rest = self.code[at + "mod".len()..].trim_start();
            let end = rest.bytes().position(|byte| !is_word(byte))?;
            rest[end..].trim_start().starts_with(';').then(|| &rest[..end])
        };
        let for_tests = |at: &usize| {
            let before = self.code[..*at].trim_end();
            self.in_test(*at)
                || before.strip_suffix("pub(crate)").unwrap_or(before).trim_end().ends_with("#[cfg(test)]")
        };
        self.words("mod").into_iter().filter(for_tests).filter_map(name).collect()
    }

    /// Returns the offsets at which `needle` stands in code as whole words.
    pub(crate) fn words(&self, needle: &str) -> Vec<usize> {
        let bytes = self.code.as_bytes();
        let alone = |at: &usize| {
            let end = at + needle.len();
            let joins = |here: usize, there: u8| is_word(bytes[here]) && is_word(there);
            let before = *at > 0 && joins(*at, bytes[at - 1]);
            let after = end < bytes.len() && joins(end - 1, bytes[end]);
            !before && !after
        };
        self.code.match_indices(needle).map(|(at, _)| at).filter(alone).collect()
    }

    /// Returns every function with a body, outer before inner.
    pub(crate) fn functions(&self) -> Vec<Function> {
        self.words("fn").into_iter().filter_map(|at| self.function(at)).collect()
    }

    fn function(&self, at: usize) -> Option<Function> {
        let rest = self.code[at + 2..].trim_start();
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if name.is_empty() {
            return None; // a function pointer's type
        }
        let body = block_after(&self.code, at)?;
        let (first, last) = (self.line(at), self.line(body.end - 1));
        let lines = self.code_lines[first - 1..last].iter().filter(|holds| **holds).count();
        Some(Function { name, line: first, at, end: body.end, lines })
    }
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
    code: Vec<u8>,
    literals: Vec<Literal>,
    code_lines: Vec<bool>,
}

impl<'a> Scan<'a> {
    fn new(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let lines = line_of(bytes, bytes.len());
        let code = Vec::with_capacity(bytes.len());
        Self { bytes, at: 0, line: 1, code, literals: Vec::new(), code_lines: vec![false; lines] }
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Takes one token: a comment, a literal, or one byte of code.
    fn step(&mut self) {
        let after_word = self.at > 0 && is_word(self.bytes[self.at - 1]);
        match (self.peek(0), self.peek(1)) {
            (b'/', b'/') => self.comment(|scan| scan.peek(0) == b'\n'),
            (b'/', b'*') => self.block_comment(),
            (b'"', _) => self.string(),
            (b'r', b'"' | b'#') if !after_word => self.raw_string(),
            (b'b' | b'c', b'r') if !after_word => {
                self.keep();
                self.raw_string();
            }
            (b'\'', _) => self.quote(),
            _ => self.keep(),
        }
    }

    fn keep(&mut self) {
        self.push(true, true);
    }

    /// Moves over one byte: shown or blanked, counting as code or not.
    fn push(&mut self, shown: bool, counts: bool) {
        let byte = self.bytes[self.at];
        if counts && !byte.is_ascii_whitespace() {
            self.code_lines[self.line - 1] = true;
        }
        self.code.push(if shown || byte == b'\n' { byte } else { b' ' });
        self.line += usize::from(byte == b'\n');
        self.at += 1;
    }

    fn comment(&mut self, end: impl Fn(&Self) -> bool) {
        while self.at < self.bytes.len() && !end(self) {
            self.push(false, false);
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0_u32;
        while self.at < self.bytes.len() {
            let pair = (self.peek(0), self.peek(1));
            match pair {
                (b'/', b'*') => depth += 1,
                (b'*', b'/') => depth -= 1,
                _ => {}
            }
            self.push(false, false);
            if matches!(pair, (b'/', b'*') | (b'*', b'/')) {
                self.push(false, false);
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        let (line, start) = (self.line, self.at);
        self.keep();
        while self.at < self.bytes.len() && self.peek(0) != b'"' {
            if self.peek(0) == b'\\' && self.at + 1 < self.bytes.len() {
                self.push(false, true);
            }
            self.push(false, true);
        }
        self.close(line, start, start + 1);
    }

    fn raw_string(&mut self) {
        let hashes = self.bytes[self.at + 1..].iter().take_while(|byte| **byte == b'#').count();
        if self.peek(hashes + 1) != b'"' {
            return self.keep(); // a raw identifier, or a word that starts with r
        }
        let (line, start) = (self.line, self.at);
        for _ in 0..hashes + 2 {
            self.keep();
        }
        let content = self.at;
        let ends = |scan: &Self| scan.peek(0) == b'"' && (1..=hashes).all(|ahead| scan.peek(ahead) == b'#');
        while self.at < self.bytes.len() && !ends(self) {
            self.push(false, true);
        }
        self.close(line, start, content);
        for _ in 0..hashes.min(self.bytes.len() - self.at) {
            self.keep();
        }
    }

    fn close(&mut self, line: usize, at: usize, content: usize) {
        let text = String::from_utf8_lossy(&self.bytes[content..self.at]).into_owned();
        self.literals.push(Literal { line, at, text });
        if self.at < self.bytes.len() {
            self.keep();
        }
    }

    /// A character literal, or the tick of a lifetime.
    fn quote(&mut self) {
        let escaped = self.peek(1) == b'\\';
        let width = match self.peek(1) {
            0..0x80 => 1,
            0x80..0xE0 => 2,
            0xE0..0xF0 => 3,
            _ => 4,
        };
        self.keep();
        if !escaped && self.peek(width) != b'\'' {
            return;
        }
        for _ in 0..if escaped { 2 } else { width } {
            self.push(false, true);
        }
        while self.at < self.bytes.len() && self.peek(0) != b'\'' {
            self.push(false, true);
        }
        if self.at < self.bytes.len() {
            self.keep();
        }
    }
}

/// Tells whether a byte can stand inside a name.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn line_of(bytes: &[u8], at: usize) -> usize {
    bytes[..at.min(bytes.len())].split(|byte| *byte == b'\n').count()
}

fn whole(text: &str) -> Vec<Range<usize>> {
    std::iter::once(0..text.len() + 1).collect()
}

fn is_test_path(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/") || path.contains("/examples/")
}

fn test_parts(code: &str) -> Vec<Range<usize>> {
    let marks = ["#[cfg(test)]", "#[test]", "#[cfg(all(test"];
    let starts = marks.iter().flat_map(|mark| code.match_indices(mark).map(|(at, _)| at));
    let part = |at: usize| at..block_after(code, at).map_or(at, |body| body.end);
    starts.map(part).collect()
}

/// Returns the braces that follow an offset, or nothing when a `;` outside of brackets comes first.
fn block_after(code: &str, at: usize) -> Option<Range<usize>> {
    let (mut depth, mut nested, mut open) = (0_usize, 0_i64, None);
    for (offset, byte) in code.bytes().enumerate().skip(at) {
        match byte {
            b'(' | b'[' if open.is_none() => nested += 1,
            b')' | b']' if open.is_none() => nested -= 1,
            b';' if open.is_none() && nested == 0 => return None,
            b'{' => {
                open.get_or_insert(offset);
                depth += 1;
            }
            b'}' => {
                depth = depth.saturating_sub(1);
                if let (0, Some(start)) = (depth, open) {
                    return Some(start..offset + 1);
                }
            }
            _ => {}
        }
    }
    open.map(|start| start..code.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanned(text: &str) -> Source {
        Source::new("crates/engine/src/some.rs", text)
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        let source =
            scanned("a // .unwrap()\n/* x /* y */ z */ b \"SELECT \\\" c\" r#\"raw \" d\"# '\"' 'é' '\\'' &'a e");
        let words: Vec<&str> = source.code.split_whitespace().collect();
        assert_eq!(words, ["a", "b", "\"", "\"", "r#\"", "\"#", "'", "'", "'", "'", "'", "'", "&'a", "e"]);
        let literals: Vec<&str> = source.literals.iter().map(|literal| literal.text.as_str()).collect();
        assert_eq!(literals, ["SELECT \\\" c", "raw \" d"]);
        assert_eq!(source.text.len(), source.code.len());
    }

    #[test]
    fn words_stand_alone() {
        let text = "Instant::now() MyInstant::now() Instant::nowhere() x::Instant::now()";
        assert_eq!(scanned(text).words("Instant::now"), [0, text.len() - "Instant::now()".len()]);
    }

    #[test]
    fn test_parts_end_with_their_braces() {
        let source = scanned("fn a() {}\n#[cfg(test)]\nmod tests { fn b() { } }\nfn c() {}\n#[test]\nfn d() {}\n");
        let inside = |name: &str| source.in_test(source.text.find(name).unwrap());
        assert_eq!(["fn a", "fn b", "fn c", "fn d"].map(inside), [false, true, false, true]);
        assert!(Source::new("tests/kill.rs", "fn a() {}").in_test(0));
    }

    #[test]
    fn a_function_counts_its_lines_of_code() {
        let text = "trait T { fn none(&self) -> [u8; 2]; }\nfn one(f: fn(u8)) -> u8 {\n    // why\n\n    \"a\n    b\";\n    2\n}\n";
        let functions = scanned(text).functions();
        let seen: Vec<_> =
            functions.iter().map(|function| (function.name.as_str(), function.line, function.lines)).collect();
        assert_eq!(seen, [("one", 2, 5)]);
    }
}
