//! Where words go: data to stdout, talk to stderr. Lists are tables for people, one JSON object a line for programs.

use crate::failure::Failure;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use serde::Serialize;
use std::io::{IsTerminal, Write};

/// Shape of the data on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// The two streams.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Out {
    /// Shape of the data.
    pub(crate) shape: Shape,
    /// No talk.
    pub(crate) quiet: bool,
}

impl Out {
    /// Whether programs read.
    pub(crate) fn is_json(self) -> bool {
        self.shape == Shape::Json
    }

    /// One line of data.
    #[expect(clippy::unused_self, reason = "data always goes through the same hand")]
    pub(crate) fn line(self, text: &str) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        if !text.ends_with('\n') {
            out.write_all(b"\n")?;
        }
        Ok(out.flush()?)
    }

    /// One object on one line.
    pub(crate) fn json(self, value: &impl Serialize) -> Result<(), Failure> {
        self.line(&serde_json::to_string(value)?)
    }

    /// A list: one JSON object a line, or a table.
    pub(crate) fn list<T: Serialize>(
        self,
        rows: &[T],
        head: &[&str],
        cells: impl Fn(&T) -> Vec<String>,
    ) -> Result<(), Failure> {
        if self.is_json() {
            let mut text = String::new();
            for row in rows {
                text.push_str(&serde_json::to_string(row)?);
                text.push('\n');
            }
            return if text.is_empty() { Ok(()) } else { self.line(&text) };
        }
        if rows.is_empty() {
            self.say("nothing to list");
            return Ok(());
        }
        self.line(&table(head, rows.iter().map(cells)))
    }

    /// Talk, on stderr.
    pub(crate) fn say(self, text: &str) {
        if !self.quiet {
            // Talk that cannot be heard changes nothing.
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        }
    }
}

/// A plain table without rules: columns two spaces apart, numbers to the right.
pub(crate) fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(head.iter().copied());
    let mut numbers = vec![true; head.len()];
    for row in rows {
        for (i, cell) in row.iter().enumerate().take(head.len()) {
            let numeric = cell.is_empty() || cell.chars().all(|c| c.is_ascii_digit() || ",.- %".contains(c));
            numbers[i] = numbers[i] && numeric;
        }
        table.add_row(row);
    }
    for (i, numeric) in numbers.into_iter().enumerate() {
        let Some(column) = table.column_mut(i) else { continue };
        column.set_padding((0, 2));
        if numeric {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// A progress bar on stderr; hidden where nobody watches.
pub(crate) fn bar(quiet: bool, length: u64, what: &str) -> indicatif::ProgressBar {
    let watched = !quiet && std::io::stderr().is_terminal();
    let target =
        if watched { indicatif::ProgressDrawTarget::stderr() } else { indicatif::ProgressDrawTarget::hidden() };
    let bar = indicatif::ProgressBar::with_draw_target(Some(length), target);
    let style = indicatif::ProgressStyle::with_template("{prefix:>12} {bar:32} {percent:>3}%  {msg}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.set_prefix(what.to_owned());
    bar
}

/// Thousands apart: `1,234,567`.
pub(crate) fn grouped(number: impl Into<i128>) -> String {
    let number: i128 = number.into();
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_to_the_right_and_lines_end_clean() {
        let rows = [vec!["email".to_owned(), "1,200".to_owned()], vec!["sms".to_owned(), "7".to_owned()]];
        let text = table(&["channel", "sent"], rows.into_iter());
        assert_eq!(text, "channel   sent\nemail    1,200\nsms          7");
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(-1000), "-1,000");
        assert_eq!(grouped(12), "12");
    }
}
