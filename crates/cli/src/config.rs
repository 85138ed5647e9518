//! Settings: defaults, then `recobro.toml`, then the environment (`RECOBRO_*`), then flags. The only reader of the
//! environment and of configuration files. Every value knows where it came from; secrets are named, never written down.

use crate::failure::{Doing, Exit, Failure};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// One setting.
pub(crate) struct Key {
    /// Dotted name in `recobro.toml`.
    pub(crate) name: &'static str,
    /// Value where nobody sets it; empty means none.
    pub(crate) default: &'static str,
    /// What it accepts.
    pub(crate) of: Of,
    /// One sentence.
    pub(crate) doc: &'static str,
}

/// What a setting accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// Any text.
    Text,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Truth,
    /// One of a closed list.
    Choice(&'static [&'static str]),
    /// `env:NAME` or `file:PATH`.
    Secret,
    /// A name of the time zone database.
    Zone,
    /// Two capital letters of ISO 3166-1.
    Country,
    /// An e-mail address.
    Email,
    /// A page's address; may be empty.
    Url,
}

const fn key(name: &'static str, default: &'static str, of: Of, doc: &'static str) -> Key {
    Key { name, default, of, doc }
}

/// Every setting, ordered by name.
pub(crate) const KEYS: &[Key] = &[
    key("as", "", Of::Text, "who acts, for the record; the system's user where nobody is named"),
    key(
        "catch_up.hold_above",
        "1000",
        Of::Number,
        "after an outage of a day, hold contacts for a person where more cases are late than this; 0 never holds",
    ),
    key(
        "collector_role",
        "first_party",
        Of::Choice(&["first_party", "third_party"]),
        "who collects: the creditor its own debts (`first_party`), or an agency or a buyer of debts (`third_party`)",
    ),
    key("creditor.address", "", Of::Text, "street and postal code printed in messages"),
    key("creditor.city", "", Of::Text, "city printed in messages"),
    key("creditor.country", "ES", Of::Country, "ISO country of the creditor, and of customers without one"),
    key("creditor.iban", "", Of::Text, "account to pay to"),
    key("creditor.name", "Example Creditor", Of::Text, "name printed in messages"),
    key("creditor.payment_link", "", Of::Url, "page where an invoice is paid; {invoice} becomes its number"),
    key("creditor.sepa_id", "", Of::Text, "creditor identifier for direct debits"),
    key("creditor.time_zone", "Europe/Madrid", Of::Zone, "time zone where the customer's is not known"),
    key("db", "sqlite://recobro.db", Of::Text, "database: sqlite://FILE or postgres://USER@HOST/NAME"),
    key("limit", "100", Of::Number, "most rows of a list"),
    key("log", "warn", Of::Text, "what is logged to stderr: error, warn, info, debug, or a tracing filter"),
    key("log_format", "text", Of::Choice(&["text", "json"]), "shape of log lines"),
    key("mail.password", "", Of::Secret, "password at the mail server"),
    key(
        "mail.transport",
        "file",
        Of::Text,
        "`file` writes .eml files into the outbox folder; smtp://HOST (STARTTLS), smtps://HOST or smtp+plain://HOST sends",
    ),
    key("mail.user", "", Of::Text, "user at the mail server"),
    key(
        "opt_out.secret",
        "",
        Of::Secret,
        "what links that say no are signed with, 16 characters or more; who changes it ends them all",
    ),
    key(
        "opt_out.url",
        "",
        Of::Url,
        "page of links that say no, /u/TOKEN is put behind it; empty: messages name the word to answer",
    ),
    key("outbox", "outbox", Of::Text, "folder for everything that leaves as a file"),
    key("project", "", Of::Text, "folder with workflows/ and scripts/; the shipped library where empty"),
    key("quiet", "false", Of::Truth, "no talk on stderr, only data and errors"),
    key("sender.email", "credit-control@example.com", Of::Email, "sender's address, and where answers go"),
    key("sender.name", "Credit control", Of::Text, "who signs"),
    key("sender.phone", "", Of::Text, "sender's telephone number"),
    key("sender.role", "credit-control", Of::Text, "sender's role"),
    key("worker.batch", "200", Of::Number, "cases taken per round"),
    key("worker.name", "", Of::Text, "name of this worker in leases and records; host and process where empty"),
];

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody set it.
    Default,
    /// `recobro.toml`.
    File(PathBuf),
    /// A variable.
    Environment(String),
    /// A flag.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => f.write_str(name),
            Self::Flag => f.write_str("flag"),
        }
    }
}

/// What stands outside the command line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// The environment.
    pub(crate) environment: BTreeMap<String, String>,
    /// Folders that may hold `recobro.toml`; the first that has one.
    pub(crate) folders: Vec<PathBuf>,
}

impl Surroundings {
    /// Those of this process.
    pub(crate) fn of_process(project: Option<&Path>) -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let environment = std::env::vars_os().filter_map(text).collect();
        let folders = std::iter::once(PathBuf::from(".")).chain(project.map(Path::to_path_buf)).collect();
        Self { environment, folders }
    }
}

#[derive(Clone, Debug)]
struct Setting {
    value: String,
    origin: Origin,
}

/// Every setting with its origin.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    settings: BTreeMap<&'static str, Setting>,
    environment: BTreeMap<String, String>,
}

impl Config {
    /// Reads every layer; all problems are told at once.
    pub(crate) fn load(flags: &[(&'static str, Option<String>)], around: &Surroundings) -> Result<Self, Failure> {
        let mut problems = Vec::new();
        let mut settings: BTreeMap<_, _> = KEYS
            .iter()
            .map(|key| (key.name, Setting { value: key.default.to_owned(), origin: Origin::Default }))
            .collect();
        let mut put = |name: &str, value: String, origin: Origin| match find(name) {
            Some(key) => match check(key, &value) {
                Ok(()) => drop(settings.insert(key.name, Setting { value, origin })),
                Err(problem) => problems.push(format!("{origin}: {problem}")),
            },
            None => problems.push(unknown(name, &origin)),
        };
        for (name, value, origin) in file_values(around)? {
            put(&name, value, origin);
        }
        for (variable, value) in &around.environment {
            if let Some(name) = name_of_variable(variable) {
                put(&name, value.clone(), Origin::Environment(variable.clone()));
            }
        }
        for (name, value) in flags {
            if let Some(value) = value {
                put(name, value.clone(), Origin::Flag);
            }
        }
        if !problems.is_empty() {
            return Err(Failure::new(Exit::Configuration, problems.join("\n       "))
                .help("`recobro config show` lists every setting"));
        }
        Ok(Self { settings, environment: around.environment.clone() })
    }

    /// A setting as text.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.settings.get(name).map_or("", |setting| &setting.value)
    }

    /// A setting as text, nothing where it is empty.
    pub(crate) fn optional(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// A setting that is a whole number.
    pub(crate) fn number(&self, name: &str) -> u32 {
        self.text(name).parse().unwrap_or_default()
    }

    /// A setting that is true or false.
    pub(crate) fn truth(&self, name: &str) -> bool {
        self.text(name) == "true"
    }

    /// Where a setting came from.
    pub(crate) fn origin(&self, name: &str) -> &Origin {
        self.settings.get(name).map_or(&Origin::Default, |setting| &setting.origin)
    }

    /// Resolves a secret's reference; nothing where none is set.
    pub(crate) fn secret(&self, name: &str) -> Result<Option<String>, Failure> {
        let Some(reference) = self.optional(name) else { return Ok(None) };
        if let Some(variable) = reference.strip_prefix("env:") {
            let found = self.environment.get(variable).cloned();
            let missing = || Failure::new(Exit::Configuration, format!("{name}: variable {variable} is not set"));
            return found.map(Some).ok_or_else(missing);
        }
        let path = reference.strip_prefix("file:").unwrap_or(reference);
        let text = std::fs::read_to_string(path).doing(Exit::Configuration, || format!("{name}: file {path}"))?;
        Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    /// Who acts: `--as`, else the system's user, marked as such.
    pub(crate) fn actor(&self) -> String {
        match self.optional("as") {
            Some(person) => format!("person:{person}"),
            None => format!("cli:{}", self.user()),
        }
    }

    /// The system's user.
    fn user(&self) -> &str {
        ["USER", "LOGNAME"].iter().find_map(|name| self.environment.get(*name)).map_or("unknown", String::as_str)
    }

    /// Whether colours are unwanted (`NO_COLOR`, any value but empty).
    pub(crate) fn no_color(&self) -> bool {
        self.environment.get("NO_COLOR").is_some_and(|value| !value.is_empty())
    }
}

/// The system's place for temporary files (`TMPDIR`).
pub(crate) fn temporary() -> PathBuf {
    std::env::temp_dir()
}

/// Hides the password of an address: `postgres://ana:***@host/db`.
pub(crate) fn without_password(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("://") else { return value.to_owned() };
    let Some((login, host)) = rest.rsplit_once('@') else { return value.to_owned() };
    match login.split_once(':') {
        Some((user, _)) => format!("{scheme}://{user}:***@{host}"),
        None => value.to_owned(),
    }
}

/// An address that can be pasted into a command: a password is left out, since a mask in its place would be taken for it.
pub(crate) fn pasteable(value: &str) -> String {
    without_password(value).replacen(":***@", "@", usize::from(without_password(value) != value))
}

fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// `RECOBRO_MAIL_TRANSPORT` names `mail.transport`; variables for tests are not settings.
fn name_of_variable(variable: &str) -> Option<String> {
    let name = variable.strip_prefix("RECOBRO_")?;
    if name.starts_with("TEST_") {
        return None;
    }
    let lower = name.to_ascii_lowercase();
    let same = |key: &&Key| key.name.replace('.', "_") == lower;
    Some(KEYS.iter().find(same).map_or(lower, |key| key.name.to_owned()))
}

/// The variable that sets a key.
pub(crate) fn variable_of(name: &str) -> String {
    format!("RECOBRO_{}", name.replace('.', "_").to_ascii_uppercase())
}

fn file_values(around: &Surroundings) -> Result<Vec<(String, String, Origin)>, Failure> {
    for folder in &around.folders {
        let path = folder.join("recobro.toml");
        let path = path.strip_prefix(".").unwrap_or(&path).to_path_buf();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                return Err(Failure::new(Exit::Configuration, format!("cannot read {}: {error}", path.display())));
            }
        };
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            Failure::new(Exit::Configuration, format!("{}: {}", path.display(), error.to_string().trim_end()))
        })?;
        let mut values = Vec::new();
        flatten("", &table, &mut values);
        return Ok(values.into_iter().map(|(name, value)| (name, value, Origin::File(path.clone()))).collect());
    }
    Ok(Vec::new())
}

fn flatten(prefix: &str, table: &toml::Table, into: &mut Vec<(String, String)>) {
    for (name, value) in table {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            toml::Value::Table(inner) => flatten(&path, inner, into),
            toml::Value::String(text) => into.push((path, text.clone())),
            toml::Value::Integer(number) => into.push((path, number.to_string())),
            toml::Value::Boolean(truth) => into.push((path, truth.to_string())),
            toml::Value::Float(number) => into.push((path, number.to_string())),
            toml::Value::Datetime(at) => into.push((path, at.to_string())),
            // No setting is a list; its name is enough to refuse it.
            toml::Value::Array(_) => into.push((path, "[..]".to_owned())),
        }
    }
}

fn check(key: &Key, value: &str) -> Result<(), String> {
    let fine = match key.of {
        Of::Text => true,
        Of::Number => value.parse::<u32>().is_ok(),
        Of::Truth => matches!(value, "true" | "false"),
        Of::Choice(names) => names.contains(&value),
        Of::Secret => value.is_empty() || value.starts_with("env:") || value.starts_with("file:"),
        Of::Zone => value.parse::<chrono_tz::Tz>().is_ok(),
        Of::Country => value.len() == 2 && value.bytes().all(|byte| byte.is_ascii_uppercase()),
        Of::Email => is_email(value),
        Of::Url => value.is_empty() || is_page(value),
    };
    if fine {
        return Ok(());
    }
    Err(match key.of {
        // The value is not repeated: it may be the secret itself.
        Of::Secret => format!("`{}` must be a reference: env:NAME or file:PATH", key.name),
        Of::Number => format!("`{}` is a whole number, not `{value}`", key.name),
        Of::Truth => format!("`{}` is true or false, not `{value}`", key.name),
        Of::Choice(names) => format!("`{}` is one of {}, not `{value}`", key.name, names.join(", ")),
        Of::Zone => {
            let near = nearest(value, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()));
            let hint = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
            format!("`{}` is a time zone such as Europe/Madrid, not `{value}`{hint}", key.name)
        }
        Of::Country => format!("`{}` is a country's two capital letters, such as ES, not `{value}`", key.name),
        Of::Email => format!("`{}` is an e-mail address such as name@example.com, not `{value}`", key.name),
        Of::Url => format!("`{}` is an address that starts with https:// or http://, not `{value}`", key.name),
        Of::Text => format!("`{}` cannot be `{value}`", key.name),
    })
}

/// Something, one `@`, a host; what else a mail server wants, it says itself.
fn is_email(value: &str) -> bool {
    let parts = value.split_once('@');
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>,;@".contains(c);
    parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && format!("{name}{host}").chars().all(plain))
}

/// `https://pay.example/{invoice}`: a scheme, a host, no blanks.
fn is_page(value: &str) -> bool {
    let rest = value.strip_prefix("https://").or_else(|| value.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !rest.contains(char::is_whitespace))
}

fn unknown(name: &str, origin: &Origin) -> String {
    let shown = match origin {
        Origin::Environment(variable) => variable.clone(),
        Origin::Default | Origin::File(_) | Origin::Flag => name.to_owned(),
    };
    let near = nearest(name, KEYS.iter().map(|key| key.name)).map(|near| match origin {
        Origin::Environment(_) => variable_of(near),
        Origin::Default | Origin::File(_) | Origin::Flag => near.to_owned(),
    });
    let hint = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
    match origin {
        Origin::Environment(_) => format!("unknown setting `{shown}` in the environment{hint}"),
        Origin::Default | Origin::File(_) | Origin::Flag => format!("{origin}: unknown setting `{shown}`{hint}"),
    }
}

/// The known word that a mistyped one is closest to, if it is close.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Two letters in the wrong order are two changes.
    let most = (word.chars().count() / 3).max(2);
    known.map(|name| (distance(word, name), name)).filter(|(far, _)| *far <= most).min().map(|(_, name)| name)
}

/// Up to three known names that differ from a word in two letters at most, the nearest first.
pub(crate) fn near(word: &str, known: impl IntoIterator<Item = String>) -> Vec<String> {
    let close = known.into_iter().map(|name| (distance(word, &name), name)).filter(|(far, _)| *far <= 2);
    let close: std::collections::BTreeSet<(usize, String)> = close.collect();
    close.into_iter().map(|(_, name)| name).take(3).collect()
}

/// Letters to change, add or drop.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let change = before + usize::from(letter != *other);
            before = row[j + 1];
            row[j + 1] = change.min(before + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(file: Option<&str>, environment: &[(&str, &str)]) -> (tempfile::TempDir, Surroundings) {
        let folder = tempfile::tempdir().unwrap();
        if let Some(text) = file {
            std::fs::write(folder.path().join("recobro.toml"), text).unwrap();
        }
        let environment = environment.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let folders = vec![folder.path().to_path_buf()];
        (folder, Surroundings { environment, folders })
    }

    fn problem(file: Option<&str>, environment: &[(&str, &str)]) -> String {
        let (_folder, around) = around(file, environment);
        let failure = Config::load(&[], &around).unwrap_err();
        assert_eq!(failure.exit, Exit::Configuration);
        failure.message
    }

    #[test]
    fn the_keys_are_sorted_and_their_defaults_pass() {
        assert!(KEYS.is_sorted_by(|a, b| a.name < b.name));
        for key in KEYS {
            check(key, key.default).unwrap();
        }
    }

    #[test]
    fn flags_win_over_environment_over_file_over_defaults() {
        let file = "limit = 5\nlog = \"info\"\n[mail]\ntransport = \"smtp://relay:25\"\nuser = \"u\"";
        let (_folder, around) =
            around(Some(file), &[("RECOBRO_LIMIT", "6"), ("RECOBRO_MAIL_USER", "v"), ("HOME", "/")]);
        let config = Config::load(&[("limit", Some("7".into())), ("db", None)], &around).unwrap();
        assert_eq!((config.number("limit"), config.origin("limit")), (7, &Origin::Flag));
        assert_eq!(config.text("mail.user"), "v");
        assert_eq!(config.origin("mail.user").to_string(), "RECOBRO_MAIL_USER");
        assert_eq!(config.text("mail.transport"), "smtp://relay:25");
        assert!(matches!(config.origin("log"), Origin::File(_)));
        assert_eq!((config.text("db"), config.origin("db")), ("sqlite://recobro.db", &Origin::Default));
    }

    #[test]
    fn an_unknown_setting_is_an_error_with_a_suggestion() {
        assert!(
            problem(Some("[mail]\ntranspot = \"x\""), &[])
                .ends_with("unknown setting `mail.transpot`; did you mean `mail.transport`?")
        );
        let said = problem(None, &[("RECOBRO_LIMTI", "5")]);
        assert_eq!(said, "unknown setting `RECOBRO_LIMTI` in the environment; did you mean `RECOBRO_LIMIT`?");
    }

    #[test]
    fn a_written_secret_is_refused_and_never_repeated() {
        let said = problem(Some("[mail]\npassword = \"hunter2\""), &[]);
        assert!(said.contains("env:NAME or file:PATH") && !said.contains("hunter2"), "{said}");
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_refused_with_its_place_and_what_is_allowed() {
        let said = problem(Some("[creditor]\ntime_zone = \"Europe/Madird\""), &[]);
        assert!(said.contains("recobro.toml: `creditor.time_zone` is a time zone"), "{said}");
        assert!(said.ends_with("not `Europe/Madird`; did you mean `Europe/Madrid`?"), "{said}");
        for (variable, value, kind) in [
            ("RECOBRO_CREDITOR_COUNTRY", "Spain", "two capital letters"),
            ("RECOBRO_SENDER_EMAIL", "nobody", "an e-mail address"),
            ("RECOBRO_SENDER_EMAIL", "a@b@c", "an e-mail address"),
            ("RECOBRO_CREDITOR_PAYMENT_LINK", "pay.example/x", "starts with https://"),
        ] {
            let said = problem(None, &[(variable, value)]);
            assert!(said.starts_with(variable) && said.contains(kind) && said.contains(value), "{said}");
        }
        let fine = [
            ("RECOBRO_CREDITOR_PAYMENT_LINK", "https://pay.example/{invoice}"),
            ("RECOBRO_SENDER_EMAIL", "a@b.example"),
        ];
        let (_folder, around) = around(None, &fine);
        Config::load(&[], &around).unwrap();
    }

    #[test]
    fn secrets_come_from_variables_and_files() {
        let (folder, mut around) = around(None, &[("RECOBRO_MAIL_PASSWORD", "env:PW"), ("PW", "one")]);
        assert_eq!(Config::load(&[], &around).unwrap().secret("mail.password").unwrap().as_deref(), Some("one"));
        let path = folder.path().join("pw");
        std::fs::write(&path, "two\n").unwrap();
        around.environment.insert("RECOBRO_MAIL_PASSWORD".into(), format!("file:{}", path.display()));
        assert_eq!(Config::load(&[], &around).unwrap().secret("mail.password").unwrap().as_deref(), Some("two"));
    }

    #[test]
    fn passwords_in_addresses_are_not_shown() {
        assert_eq!(without_password("postgres://ana:s3:cret@db/r"), "postgres://ana:***@db/r");
        assert_eq!(without_password("postgres://ana@db/r"), "postgres://ana@db/r");
        assert_eq!(without_password("sqlite://recobro.db"), "sqlite://recobro.db");
        assert_eq!(pasteable("postgres://ana:s3:cret@db/r"), "postgres://ana@db/r");
        assert_eq!(pasteable("postgres://ana@db/r"), "postgres://ana@db/r");
    }
}
