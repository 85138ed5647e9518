//! Places in files, and the way from an offset inside a scalar back to its line and column.

use super::{Kind, Node, Style};
use std::sync::Arc;

/// A line and a column, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spot {
    /// Line.
    pub(crate) line: u32,
    /// Column.
    pub(crate) column: u32,
}

/// A stretch of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// File, relative to the project.
    pub(crate) file: Arc<str>,
    /// First character.
    pub(crate) start: Spot,
    /// After the last one.
    pub(crate) end: Spot,
}

impl Place {
    /// The start of a file.
    pub(crate) fn top(file: &Arc<str>) -> Self {
        let spot = Spot { line: 1, column: 1 };
        Self { file: Arc::clone(file), start: spot, end: spot }
    }

    /// A whole line of a file, for sources that only know lines.
    pub(crate) fn line(file: &Arc<str>, line: u32, column: u32) -> Self {
        let spot = Spot { line, column };
        Self { file: Arc::clone(file), start: spot, end: spot }
    }
}

impl Node {
    /// The place of a stretch of a scalar's value, by byte offsets.
    pub(crate) fn stretch(&self, source: &str, start: usize, end: usize) -> Place {
        let Kind::Scalar(value, style) = &self.kind else { return self.place.clone() };
        let spots = spots(source, self, value, *style);
        let index = |offset: usize| value.char_indices().take_while(|(at, _)| *at < offset).count();
        let (first, last) = (index(start), index(end.max(start)));
        let at = |i: usize| spots.get(i).copied().unwrap_or(self.place.end);
        let start = at(first);
        let end = if last > first {
            let before = at(last - 1);
            Spot { line: before.line, column: before.column + 1 }
        } else {
            start
        };
        Place { file: Arc::clone(&self.place.file), start, end }
    }
}

/// The spot of each character of a scalar's value.
fn spots(source: &str, node: &Node, value: &str, style: Style) -> Vec<Spot> {
    let mut walk = Walk::new(source, node.place.start);
    match style {
        Style::Quoted => walk.quote = walk.peek().filter(|c| matches!(c, '"' | '\'')),
        // The parser gives the header's place or the text's own.
        Style::Block if matches!(walk.peek(), Some('|' | '>')) => walk.line_end(),
        Style::Plain | Style::Block => {}
    }
    if walk.quote.is_some() {
        walk.step();
    }
    let mut spots = Vec::with_capacity(value.len());
    let chars: Vec<char> = value.chars().collect();
    for (i, c) in chars.iter().enumerate() {
        if matches!(c, ' ' | '\n') && walk.at_fold() {
            spots.push(walk.spot());
            // Several breaks in the value stand for one run of blank lines in the file.
            if chars.get(i + 1) != Some(&'\n') {
                walk.skip_blank();
            }
        } else {
            if style == Style::Block && !matches!(c, ' ' | '\n') {
                walk.skip_indent(*c);
            }
            spots.push(walk.spot());
            walk.take(*c);
        }
    }
    spots.push(walk.spot());
    spots
}

struct Walk {
    chars: Vec<char>,
    at: usize,
    spot: Spot,
    quote: Option<char>,
}

impl Walk {
    fn new(source: &str, start: Spot) -> Self {
        let skipped: usize =
            source.split_inclusive('\n').take(start.line.saturating_sub(1) as usize).map(str::len).sum();
        let chars: Vec<char> = source.get(skipped..).unwrap_or_default().chars().take(SCALAR_MAX).collect();
        let at = start.column.saturating_sub(1) as usize;
        Self { chars, at, spot: start, quote: None }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn spot(&self) -> Spot {
        self.spot
    }

    fn step(&mut self) {
        match self.peek() {
            Some('\n') => self.spot = Spot { line: self.spot.line + 1, column: 1 },
            Some(_) => self.spot.column += 1,
            None => return,
        }
        self.at += 1;
    }

    fn line_end(&mut self) {
        while self.peek().is_some_and(|c| c != '\n') {
            self.step();
        }
        self.step();
        self.skip_indent('\0');
    }

    /// Whether the blanks here hold a line break, which the value shows as a space or as breaks.
    fn at_fold(&self) -> bool {
        let rest = self.chars.get(self.at..).unwrap_or_default();
        rest.iter().take_while(|c| c.is_whitespace()).any(|c| *c == '\n')
    }

    fn skip_blank(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.step();
        }
    }

    fn skip_indent(&mut self, wanted: char) {
        while self.peek().is_some_and(|c| c == ' ' && c != wanted) {
            self.step();
        }
    }

    /// Passes what stands in the file for one character of the value.
    fn take(&mut self, wanted: char) {
        match (self.quote, self.peek()) {
            (Some('"'), Some('\\')) => {
                self.step();
                let digits = match self.peek() {
                    Some('x') => 2,
                    Some('u') => 4,
                    Some('U') => 8,
                    _ => 0,
                };
                for _ in 0..=digits {
                    self.step();
                }
            }
            (Some('\''), Some('\'')) if wanted == '\'' => {
                self.step();
                self.step();
            }
            _ => self.step(),
        }
    }
}

/// No expression is longer; a scalar beyond it keeps its start as its place.
const SCALAR_MAX: usize = 16 * 1024;
