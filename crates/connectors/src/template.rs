//! Templates: `workflows/templates/<id>/<channel>.<locale>.j2` and a context become subject, text and HTML.
//!
//! The template is the text; the HTML is made from the finished text ([`html`]) by escaping all of it first, so no value
//! can bring markup. Names that are not there are errors with file and line, never an empty string: what may be absent is
//! `null` in the context. Loops are bounded by fuel. Nothing here reads files or the clock.

mod filters;
mod header;
mod html;

pub use filters::{date_in, money_in};
pub use header::{Header, split};

use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use std::collections::BTreeMap;

/// Files by relative path, `/`-separated, as `recobro_playbook::Files`.
pub type Files = BTreeMap<String, Vec<u8>>;

/// What a template may read: an object with the facts' roots and the variables (`creditor`, `sender`, `contact`, ...).
pub type TemplateContext = serde_json::Value;

/// Where templates stand in a project.
pub const ROOT: &str = "workflows/templates/";

/// Steps of one rendering; the longest shipped template uses under 2,000.
const FUEL: u64 = 200_000;

/// The largest text that leaves, in bytes.
const TEXT_BYTES_MAX: usize = 512 * 1024;

/// What a template made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// Subject line; empty where the header has none.
    pub subject: String,
    /// The text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// Why a template could not be read or rendered, with its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct TemplateError {
    /// The template file.
    pub file: String,
    /// Line from 1; 1 where the whole file is meant.
    pub line: usize,
    /// What and what to do.
    pub message: String,
}

/// Every template of a library, compiled.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
    files: BTreeMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    header: Header,
    /// The text lists every invoice it is about.
    lists: bool,
    body_line: usize,
    subject_line: usize,
}

impl Templates {
    /// Compiles the templates among the files; problems do not stop the others.
    #[must_use]
    pub fn load(files: &Files) -> (Self, Vec<TemplateError>) {
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(50);
        environment.set_formatter(write_value);
        filters::register(&mut environment);
        let mut templates = Self { environment, files: BTreeMap::new() };
        let mut problems = Vec::new();
        for (file, bytes) in files.iter().filter(|(file, _)| file.starts_with(ROOT) && is_template(file)) {
            if let Err(problem) = templates.add(file, bytes) {
                problems.push(problem);
            }
        }
        (templates, problems)
    }

    fn add(&mut self, file: &str, bytes: &[u8]) -> Result<(), TemplateError> {
        let at = |line, message: String| TemplateError { file: file.to_owned(), line, message };
        let source = std::str::from_utf8(bytes).map_err(|_| at(1, "the file is not UTF-8".to_owned()))?;
        let source = source.replace("\r\n", "\n");
        let parts = split(&source).map_err(|(line, message)| at(line, message))?;
        let lists = parts.body.contains(" in invoices ");
        let entry = Entry { lists, body_line: parts.body_line, subject_line: parts.subject_line, header: parts.header };
        let subject = format!("{file}#subject");
        for (name, text, first) in [
            (file.to_owned(), parts.body.to_owned(), entry.body_line),
            (subject, entry.header.subject.clone().unwrap_or_default(), entry.subject_line),
        ] {
            self.environment.add_template_owned(name, text).map_err(|error| problem(file, first, &error))?;
        }
        self.files.insert(file.to_owned(), entry);
        Ok(())
    }

    /// The header of a template, where it exists.
    #[must_use]
    pub fn header(&self, id: &str, channel: &str, locale: &str) -> Option<&Header> {
        self.files.get(&path(id, channel, locale)).map(|entry| &entry.header)
    }

    /// Whether a template lists every invoice it is about (`for ... in invoices`).
    #[must_use]
    pub fn lists_invoices(&self, id: &str, channel: &str, locale: &str) -> bool {
        self.files.get(&path(id, channel, locale)).is_some_and(|entry| entry.lists)
    }

    /// Renders one template.
    ///
    /// # Errors
    /// [`TemplateError`] with the file and the line: a missing file, name or need, a wrong value, too many steps.
    pub fn render(
        &self,
        id: &str,
        channel: &str,
        locale: &str,
        context: &TemplateContext,
    ) -> Result<Rendered, TemplateError> {
        let file = path(id, channel, locale);
        let at = |line, message: String| TemplateError { file: file.clone(), line, message };
        let entry =
            self.files.get(&file).ok_or_else(|| at(1, format!("no template `{id}` for {channel} in {locale}")))?;
        if let Some(need) = entry.header.needs.iter().find(|need| is_absent(context, need)) {
            return Err(at(1, format!("needs `{need}`, which is missing for this contact")));
        }
        let value = Value::from(Serde(context));
        let part = |name: &str, first: usize| {
            let template = self.environment.get_template(name).map_err(|error| problem(&file, first, &error))?;
            template.render(&value).map_err(|error| problem(&file, first, &error))
        };
        let text = tidy(&part(&file, entry.body_line)?);
        let subject = part(&format!("{file}#subject"), entry.subject_line)?.trim().to_owned();
        if text.len() > TEXT_BYTES_MAX {
            return Err(at(entry.body_line, format!("the text is longer than {TEXT_BYTES_MAX} bytes")));
        }
        if let Some(limit) = entry.header.max_parts.filter(|limit| filters::sms_parts(&text) > *limit) {
            let parts = filters::sms_parts(&text);
            return Err(at(entry.body_line, format!("the message takes {parts} parts, `max_parts` is {limit}")));
        }
        Ok(Rendered { html: html::from_text(&text), subject, text })
    }
}

/// The HTML of a finished text.
#[must_use]
pub fn html_of(text: &str) -> String {
    html::from_text(text)
}

fn is_template(file: &str) -> bool {
    std::path::Path::new(file).extension().is_some_and(|extension| extension == "j2")
}

/// Where a template stands.
#[must_use]
pub fn path(id: &str, channel: &str, locale: &str) -> String {
    format!("{ROOT}{id}/{channel}.{locale}.j2")
}

/// A kernel value as templates read it: amounts and counts are numbers, dates and durations text, missing is `null`.
///
/// An amount that a double cannot hold to the last digit stays text; the `money` filter reads both exactly.
#[must_use]
pub fn plain(value: &recobro_kernel::value::Value) -> serde_json::Value {
    use recobro_kernel::value::Value as Kernel;
    match value {
        Kernel::Decimal(decimal) => {
            let text = decimal.normalize().to_string();
            let number = text.parse::<f64>().ok().filter(|double| double.to_string() == text);
            number.and_then(serde_json::Number::from_f64).map_or(serde_json::Value::String(text), Into::into)
        }
        Kernel::List(items) => items.iter().map(plain).collect(),
        Kernel::Missing
        | Kernel::Bool(_)
        | Kernel::Int(_)
        | Kernel::Text(_)
        | Kernel::Date(_)
        | Kernel::Instant(_)
        | Kernel::Span(_) => value.to_plain(),
    }
}

/// Puts a value under a dotted path: `put(&mut context, "invoice.balance", ..)`.
pub fn put(context: &mut TemplateContext, path: &str, value: serde_json::Value) {
    let mut place = context;
    for name in path.split('.') {
        if !place.is_object() {
            *place = serde_json::Value::Object(serde_json::Map::new());
        }
        place = &mut place[name];
    }
    *place = value;
}

fn is_absent(context: &TemplateContext, path: &str) -> bool {
    let found = path.split('.').try_fold(context, |place, name| place.get(name));
    match found {
        None | Some(serde_json::Value::Null) => true,
        Some(serde_json::Value::String(text)) => text.is_empty(),
        Some(_) => false,
    }
}

/// Prints what people can read; an amount without `money` and a missing value are mistakes, not output.
fn write_value(
    out: &mut minijinja::Output<'_>,
    state: &mut minijinja::State<'_, '_>,
    value: &Value,
) -> Result<(), minijinja::Error> {
    let refuse = |message: &str| Err(minijinja::Error::new(ErrorKind::InvalidOperation, message.to_owned()));
    match value.kind() {
        ValueKind::None => refuse("this value is missing here: ask with `{% if %}` first, or list it under `needs`"),
        ValueKind::Number if !value.is_integer() => refuse("an amount is printed with `| money`"),
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => {
            refuse("a list is printed with `{% for %}` or `| join`")
        }
        _ => minijinja::escape_formatter(out, state, value),
    }
}

/// No space at line ends, no more than one empty line in a row, one line break at the end.
fn tidy(text: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines().map(str::trim_end) {
        if !(line.is_empty() && lines.last().is_none_or(|last| last.is_empty())) {
            lines.push(line);
        }
    }
    while lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    lines.join("\n") + "\n"
}

fn problem(file: &str, first_line: usize, error: &minijinja::Error) -> TemplateError {
    let line = first_line + error.line().unwrap_or(1).saturating_sub(1);
    let what = match error.kind() {
        ErrorKind::UndefinedError => "a name that is not there".to_owned(),
        ErrorKind::OutOfFuel => format!("more than {FUEL} steps: does a loop grow without end?"),
        _ => error.kind().to_string(),
    };
    let message = match error.detail() {
        Some(detail) if error.kind() == ErrorKind::InvalidOperation => detail.to_owned(),
        Some(detail) => format!("{what}: {detail}"),
        None => what,
    };
    let expression = error.range().and_then(|range| error.template_source()?.get(range));
    let message = match expression {
        Some(expression) if expression.len() < 80 && !message.contains(expression) => {
            format!("{message} (at `{}`)", expression.trim())
        }
        _ => message,
    };
    TemplateError { file: file.to_owned(), line, message }
}

#[cfg(test)]
mod tests;
