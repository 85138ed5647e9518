//! From the parser's events to the tree, with every refusal.

use super::{Kind, Node, Place, Spot, Style};
use crate::diagnostic::{Diagnostic, Report};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};
use std::collections::BTreeMap;
use std::sync::Arc;

/// No hand-written file comes near; beyond it somebody generates.
const BYTES_MAX: usize = 1024 * 1024;
const DEPTH_MAX: usize = 24;
const NODES_MAX: usize = 60_000;

/// Reads one document. Problems go to the report; nothing comes back where the file cannot be used at all.
pub(crate) fn parse(file: &Arc<str>, bytes: &[u8], report: &Report) -> Option<Node> {
    let top = Place::top(file);
    if bytes.len() > BYTES_MAX {
        report.push(Diagnostic::error("PB008", &top, "the file is larger than 1 MiB").help("split it into fragments"));
        return None;
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        report.push(Diagnostic::error("PB008", &top, "the file is not UTF-8").help("save it as UTF-8"));
        return None;
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        file: Arc::clone(file),
        lines: text.lines().collect(),
        report,
        nodes: 0,
        open: Vec::new(),
        root: None,
    };
    if reader.read(text).is_err() {
        return None;
    }
    if reader.root.is_none() {
        report.push(Diagnostic::error("PB008", &top, "the file is empty"));
    }
    reader.root
}

/// Reading stopped; the reason stands in the report.
struct Stop;

enum Open {
    List(Spot, Vec<Node>),
    Map(Spot, Vec<(Node, Node)>, Option<Node>),
}

struct Reader<'a> {
    file: Arc<str>,
    lines: Vec<&'a str>,
    report: &'a Report,
    nodes: usize,
    open: Vec<Open>,
    root: Option<Node>,
}

impl Reader<'_> {
    fn read(&mut self, text: &str) -> Result<(), Stop> {
        let mut parser = Parser::new_from_str(text);
        let mut documents = 0;
        while let Some(next) = parser.next_event() {
            let (event, span) = match next {
                Ok(found) => found,
                Err(error) => return self.broken(*error.marker(), error.info()),
            };
            match event {
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        let place = self.place(span);
                        return self.stop(
                            Diagnostic::error("PB008", &place, "a second document begins here")
                                .help("one file holds one document; put the other into a file of its own"),
                        );
                    }
                }
                event => self.event(event, span)?,
            }
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Stop> {
        match event {
            Event::Alias(_) => {
                let place = self.place(span);
                self.stop(
                    Diagnostic::error("PB008", &place, "aliases (`*name`) are not used in playbooks")
                        .help("write the value again, or put shared steps into a fragment"),
                )
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.anchor(anchor, span)?;
                let place = self.place(span);
                if tag.is_some() {
                    self.tag(span);
                }
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                };
                // The parser writes `~` for nothing at all.
                let empty = place.start == place.end;
                let text = if empty { String::new() } else { text.into_owned() };
                self.add(Node { place, kind: Kind::Scalar(text, style) })
            }
            Event::SequenceStart(anchor, tag) => {
                self.anchor(anchor, span)?;
                if tag.is_some() {
                    self.tag(span);
                }
                self.deeper(span)?;
                self.open.push(Open::List(spot(span.start), Vec::new()));
                Ok(())
            }
            Event::MappingStart(anchor, tag) => {
                self.anchor(anchor, span)?;
                if tag.is_some() {
                    self.tag(span);
                }
                self.deeper(span)?;
                self.open.push(Open::Map(spot(span.start), Vec::new(), None));
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                Ok(())
            }
        }
    }

    fn close(&mut self, span: Span) -> Result<(), Stop> {
        let (start, kind) = match self.open.pop() {
            Some(Open::List(start, items)) => (start, Kind::List(items)),
            Some(Open::Map(start, entries, _)) => {
                self.duplicates(&entries);
                (start, Kind::Map(entries))
            }
            None => return Ok(()),
        };
        let place = Place { file: Arc::clone(&self.file), start, end: spot(span.end).max(start) };
        self.add(Node { place, kind })
    }

    fn add(&mut self, node: Node) -> Result<(), Stop> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return self.stop(Diagnostic::error(
                "PB008",
                &node.place,
                format!("more than {NODES_MAX} values in one file"),
            ));
        }
        match self.open.last_mut() {
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map(_, entries, key)) => match key.take() {
                Some(key) => entries.push((key, node)),
                None if node.text().is_some() => *key = Some(node),
                None => {
                    let problem =
                        Diagnostic::error("PB008", &node.place, format!("a key is plain text, not {}", node.shape()))
                            .help("put quotes around a value that begins with `{` or `[`");
                    return self.stop(problem);
                }
            },
            None => self.root = Some(node),
        }
        Ok(())
    }

    fn duplicates(&self, entries: &[(Node, Node)]) {
        let mut first: BTreeMap<&str, &Node> = BTreeMap::new();
        for (key, _) in entries {
            let Some(name) = key.text() else { continue };
            if name == "<<" {
                self.report.push(
                    Diagnostic::error("PB008", &key.place, "merges (`<<`) are not used in playbooks")
                        .help("write the keys again, or put shared steps into a fragment"),
                );
            } else if let Some(known) = first.get(name) {
                let Spot { line, column } = known.place.start;
                self.report.push(
                    Diagnostic::error("PB002", &key.place, format!("key `{name}` appears twice"))
                        .label("the second one")
                        .note(format!("first at {line}:{column}")),
                );
            } else {
                first.insert(name, key);
            }
        }
    }

    /// PB003: `!` begins a tag, so a condition that begins with it is lost.
    fn tag(&self, span: Span) {
        let value = spot(span.start);
        let found = (1..=value.line).rev().take(2).find_map(|number| {
            let line = self.lines.get(number as usize - 1)?;
            let end = if number == value.line { value.column as usize } else { usize::MAX };
            let (at, _) = line.chars().enumerate().take(end).filter(|(_, c)| *c == '!').last()?;
            Some((number, at, *line))
        });
        let Some((number, at, line)) = found else {
            self.report.push(Diagnostic::error("PB003", &self.place(span), "tags are not used in playbooks"));
            return;
        };
        let column = u32::try_from(at + 1).unwrap_or(1);
        let start = Spot { line: number, column };
        let place = Place { file: Arc::clone(&self.file), start, end: Spot { column: column + 1, ..start } };
        let before: String = line.chars().take(at).collect();
        let rest: String = line.chars().skip(at + 1).collect();
        let rest = rest.split(" #").next().unwrap_or_default().trim();
        let condition = before.trim_end().ends_with("when:");
        let problem = if condition {
            Diagnostic::error("PB003", &place, "this value is a YAML tag, not a condition")
                .help(format!("write `not {rest}`"))
        } else {
            Diagnostic::error("PB003", &place, "tags are not used in playbooks").help("put quotes around the value")
        };
        self.report.push(problem.label("YAML reads a leading `!` as a tag"));
    }

    fn anchor(&self, id: usize, span: Span) -> Result<(), Stop> {
        if id == 0 {
            return Ok(());
        }
        let place = self.place(span);
        self.stop(
            Diagnostic::error("PB008", &place, "anchors (`&name`) are not used in playbooks")
                .help("remove it; put a value that begins with `&` into quotes, and shared steps into a fragment"),
        )
    }

    fn deeper(&self, span: Span) -> Result<(), Stop> {
        if self.open.len() < DEPTH_MAX {
            return Ok(());
        }
        let place = self.place(span);
        self.stop(Diagnostic::error("PB008", &place, format!("more than {DEPTH_MAX} levels of nesting")))
    }

    fn broken(&self, at: Marker, info: &str) -> Result<(), Stop> {
        let start = spot(at);
        let place = Place { file: Arc::clone(&self.file), start, end: Spot { column: start.column + 1, ..start } };
        // Inside braces a comma ends the value: the usual cause.
        let line = self.lines.get(start.line as usize - 1).copied().unwrap_or_default();
        let help = if line.contains('{') && line.contains('=') {
            "expressions inside `{ }` or `[ ]` that hold a comma, `{`, `}` or `?` go into quotes"
        } else {
            "look at the indentation, the colons and the quotes here and on the line above"
        };
        self.stop(Diagnostic::error("PB008", &place, format!("this is not YAML: {info}")).help(help))
    }

    fn stop(&self, problem: Diagnostic) -> Result<(), Stop> {
        self.report.push(problem);
        Err(Stop)
    }

    fn place(&self, span: Span) -> Place {
        let start = spot(span.start);
        Place { file: Arc::clone(&self.file), start, end: spot(span.end).max(start) }
    }
}

fn spot(at: Marker) -> Spot {
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX - 1);
    Spot { line: narrow(at.line()).max(1), column: narrow(at.col()) + 1 }
}
