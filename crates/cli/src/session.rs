//! One run of the program: its settings, its two streams, and how the crates are wired together.

use crate::command::Globals;
use crate::config::{Config, Origin, Surroundings, pasteable};
use crate::failure::{Doing, Exit, Failure};
use crate::inbox::Inbox;
use crate::out::{Out, Shape};
use crate::reads;
use include_dir::{Dir, include_dir};
use recobro_connectors::channel::{self, LANES, Secret};
use recobro_engine::consent::OptOutLink;
use recobro_engine::{Channels, Clock, Creditor, Engine, Sender, Settings};
use recobro_kernel::facts::Registry;
use recobro_kernel::guard::policy::Collector;
use recobro_playbook::{Files, Library, Severity, report};
use recobro_store::{Options, Store};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

static WORKFLOWS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../workflows");
static SCRIPTS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../scripts");

/// The shipped library, as files.
pub(crate) fn embedded() -> Files {
    let mut files = Files::new();
    for (root, dir) in [("workflows", &WORKFLOWS), ("scripts", &SCRIPTS)] {
        collect(root, dir, &mut files);
    }
    files
}

fn collect(root: &str, dir: &Dir<'_>, into: &mut Files) {
    for file in dir.files() {
        let path = file.path().to_string_lossy().replace('\\', "/");
        into.insert(format!("{root}/{path}"), file.contents().to_vec());
    }
    for inner in dir.dirs() {
        collect(root, inner, into);
    }
}

/// Shortest secret, in characters.
const SECRET_CHARS_MIN: usize = 16;

/// Commands that failures name as a way out.
const COMMANDS: &[&str] = &[
    "calendar",
    "case",
    "consent",
    "dispute",
    "guard",
    "hold",
    "import",
    "ledger",
    "match",
    "outbox",
    "payment",
    "plan",
    "promise",
    "run",
    "task",
    "unmatched",
    "worker",
];

/// One run of the program.
pub(crate) struct Session {
    /// Where words go.
    pub(crate) out: Out,
    /// Settings.
    pub(crate) config: Config,
}

/// What the wiring may differ in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wiring {
    /// Database other than the configured one.
    pub(crate) db: Option<String>,
    /// Folder for files other than the configured one.
    pub(crate) outbox: Option<String>,
    /// A temporary database may lose its last commits.
    pub(crate) fleeting: bool,
}

impl Session {
    /// Reads every layer of settings and starts logging.
    pub(crate) fn new(globals: &Globals) -> Result<Self, Failure> {
        let around = Surroundings::of_process(globals.project.as_deref());
        let flags = [
            ("as", globals.actor.clone()),
            ("db", globals.db.clone()),
            ("limit", globals.limit.map(|limit| limit.to_string())),
            ("project", globals.project.as_ref().map(|path| path.display().to_string())),
            ("quiet", globals.quiet.then(|| "true".to_owned())),
        ];
        let config = Config::load(&flags, &around)?;
        let shape = if globals.json { Shape::Json } else { Shape::Text };
        log(&config)?;
        Ok(Self { out: Out { shape, quiet: config.truth("quiet") }, config })
    }

    /// A command that works where this one did: `recobro --db sqlite://x.db run`. What was said in a file or a variable
    /// still holds there; what was said in flags is said again.
    pub(crate) fn again(&self, rest: &str) -> String {
        format!("recobro {}{rest}", self.flags())
    }

    fn flags(&self) -> String {
        let mut flags = String::new();
        for name in ["db", "project"] {
            if *self.config.origin(name) == Origin::Flag {
                // A password is not written to a screen; `password_note` says where it is read from.
                let value = pasteable(self.config.text(name));
                let _ = write!(flags, "--{name} {} ", quoted(&value));
            }
        }
        flags
    }

    /// Where a password that was left out of the printed flags is read from; empty where none was.
    pub(crate) fn password_note(&self) -> &'static str {
        let db = self.config.text("db");
        if *self.config.origin("db") == Origin::Flag && pasteable(db) != db {
            "; the password is left out: put it into PGPASSWORD, or the whole address into RECOBRO_DB instead of --db"
        } else {
            ""
        }
    }

    /// The ways out of a failure, with this run's flags.
    pub(crate) fn located(&self, mut failure: Failure) -> Failure {
        let flags = self.flags();
        if let Some(help) = failure.help.as_mut().filter(|_| !flags.is_empty()) {
            for command in COMMANDS {
                *help = help.replace(&format!("recobro {command}"), &format!("recobro {flags}{command}"));
            }
            if help.contains(&format!("recobro {flags}")) {
                help.push_str(self.password_note());
            }
        }
        failure
    }

    /// Says what takes up news that was just queued.
    pub(crate) fn say_run(&self, clock: &Clock) {
        if clock.is_virtual() {
            let run = self.again("run --virtual --until DATE");
            self.out.say(&format!(
                "next: {run}    takes it up (this database is played in virtual time){}",
                self.password_note()
            ));
        } else {
            self.out.say(&format!(
                "next: {}    (or a worker that is running) takes it up{}",
                self.again("run"),
                self.password_note()
            ));
        }
    }

    /// The machine's clock, on a database that knows no other; `on_purpose` takes one that was played over.
    pub(crate) async fn real_clock(&self, on_purpose: bool) -> Result<Clock, Failure> {
        let store = self.open(&Wiring::default(), true).await?;
        let mut tx = store.begin().await?;
        let played = recobro_store::meta::virtual_now(&mut tx).await?;
        if let Some(played) = played {
            if !on_purpose {
                let day = played.to_utc().date_naive();
                return Err(Failure::new(
                    Exit::Refused,
                    format!("this database was played in virtual time, up to {day}; the machine's time would mix the two"),
                )
                .help("`recobro run --virtual --until DATE` plays on; `recobro run --real` goes over to the machine's time for good"));
            }
            recobro_store::meta::forget_virtual(&mut tx).await?;
        }
        tx.commit().await?;
        store.close().await;
        Ok(Clock::Real)
    }

    /// Most rows of a list.
    pub(crate) fn limit(&self) -> u32 {
        self.config.number("limit").max(1)
    }

    /// The project's files, else the shipped library's.
    pub(crate) fn files(&self) -> Result<Files, Failure> {
        let Some(folder) = self.config.optional("project") else { return Ok(embedded()) };
        if !Path::new(folder).join("workflows").is_dir() {
            return Err(Failure::new(Exit::Configuration, format!("{folder} has no folder workflows/"))
                .help("--project names the folder above workflows/ and scripts/"));
        }
        recobro_playbook::read_dir(Path::new(folder)).doing(Exit::Failed, || format!("cannot read {folder}"))
    }

    /// Whose debts are collected: some policies bind only who collects for others.
    pub(crate) fn collector(&self) -> Collector {
        Collector::parse(self.config.text("collector_role")).unwrap_or_default()
    }

    /// The checked library; nothing runs on one with errors.
    pub(crate) fn library(&self) -> Result<Library, Failure> {
        let files = self.files()?;
        let checked = recobro_playbook::check_for(&files, self.collector());
        let errors: Vec<_> =
            checked.diagnostics.into_iter().filter(|diagnostic| diagnostic.severity == Severity::Error).collect();
        if errors.is_empty() {
            return Ok(checked.library);
        }
        let text = report::text(&errors, &files);
        Err(Failure::new(Exit::Findings, format!("the library has {} errors\n{}", errors.len(), text.trim_end()))
            .help("`recobro check` prints them; nothing runs until they are mended"))
    }

    /// The facts of the project, for files that come in.
    pub(crate) fn facts(&self) -> Result<Arc<Registry>, Failure> {
        let files = self.files()?;
        recobro_playbook::facts(&files).map_err(|errors| {
            let text = report::text(&errors, &files);
            Failure::new(Exit::Findings, format!("workflows/facts.yaml has errors\n{}", text.trim_end()))
        })
    }

    /// The database, for reading; it must be there.
    pub(crate) async fn store(&self) -> Result<Store, Failure> {
        self.open(&Wiring::default(), false).await
    }

    /// Makes the database where there is none yet: for what begins one, an import or a worker. Everybody else looks for
    /// one that is there, so that a slip in its name is told and not answered by an empty one.
    pub(crate) async fn found(&self) -> Result<(), Failure> {
        self.open(&Wiring::default(), true).await?.close().await;
        Ok(())
    }

    async fn open(&self, wiring: &Wiring, create: bool) -> Result<Store, Failure> {
        let url = wiring.db.as_deref().unwrap_or(self.config.text("db"));
        if !create {
            is_there(url)?;
        }
        let options = Options { durable: !wiring.fleeting, create };
        Ok(Store::open(url, options).await?)
    }

    /// The time that acts and imports happen at: where a database was played virtually, time goes on from there.
    pub(crate) async fn clock(&self) -> Result<Clock, Failure> {
        let store = match self.open(&Wiring::default(), false).await {
            // A worker that takes entries works in the machine's time.
            Err(failure) if self.inbox(&failure).is_some() => return Ok(Clock::Real),
            opened => opened?,
        };
        let mut tx = store.read().await?;
        let played = recobro_store::meta::virtual_now(&mut tx).await?;
        drop(tx);
        store.close().await;
        Ok(played.map_or(Clock::Real, Clock::virtual_at))
    }

    /// The worker, with the checked library published.
    pub(crate) async fn engine(&self, clock: Clock) -> Result<Engine, Failure> {
        let wiring = Wiring::default();
        is_there(self.config.text("db"))?;
        let channels = self.channels(&wiring)?;
        let engine = self.engine_with(clock, &wiring, channels, self.settings()?).await?;
        // What was left for a worker that died is not lost.
        if let Some(inbox) = Inbox::of(self).filter(Inbox::is_open) {
            inbox.take(&engine).await?;
        }
        Ok(engine)
    }

    /// Where an entry can be left that cannot be tried: a worker owns the file, and takes what lies beside it.
    pub(crate) fn inbox(&self, failure: &Failure) -> Option<Inbox> {
        Inbox::of(self).filter(|inbox| failure.exit == Exit::Unavailable && inbox.is_open())
    }

    /// The worker's eyes over a database: they publish and move nothing.
    pub(crate) async fn reader(&self, store: &Store) -> Result<Engine, Failure> {
        let now = reads::now(store).await?;
        Ok(Engine::to_read(store.clone(), &self.library()?, self.settings()?, Clock::virtual_at(now)))
    }

    /// The worker, wired otherwise.
    pub(crate) async fn engine_with(
        &self,
        clock: Clock,
        wiring: &Wiring,
        channels: Channels,
        settings: Settings,
    ) -> Result<Engine, Failure> {
        let library = self.library()?;
        self.engine_of(clock, wiring, channels, settings, &library).await
    }

    /// The worker over a library of one's choice.
    pub(crate) async fn engine_of(
        &self,
        clock: Clock,
        wiring: &Wiring,
        channels: Channels,
        settings: Settings,
        library: &Library,
    ) -> Result<Engine, Failure> {
        let store = self.open(wiring, true).await?;
        Ok(Engine::start(store, library, channels, settings, clock).await?)
    }

    /// What the engine is told once.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        let config = &self.config;
        let text = |name: &str| config.text(name).to_owned();
        let zone = config.text("creditor.time_zone");
        let time_zone = zone
            .parse()
            .map_err(|_| Failure::new(Exit::Configuration, format!("creditor.time_zone: no time zone `{zone}`")))?;
        let worker =
            config.optional("worker.name").map_or_else(|| format!("process-{}", std::process::id()), str::to_owned);
        Ok(Settings {
            worker,
            creditor: Creditor {
                name: text("creditor.name"),
                address: text("creditor.address"),
                city: text("creditor.city"),
                iban: text("creditor.iban"),
                time_zone,
                country: text("creditor.country"),
            },
            default_sender: Sender {
                name: text("sender.name"),
                role: text("sender.role"),
                phone: text("sender.phone"),
                email: text("sender.email"),
            },
            payment_link: text("creditor.payment_link"),
            catch_up_above: usize::try_from(config.number("catch_up.hold_above")).unwrap_or(usize::MAX),
            opt_out: self.opt_out_link()?,
            batch: config.number("worker.batch").clamp(1, 1000) as usize,
            ..Settings::default()
        })
    }

    /// What links that say no are signed with, where it is set.
    pub(crate) fn opt_out_secret(&self) -> Result<Option<Secret>, Failure> {
        let Some(secret) = self.config.secret("opt_out.secret")? else { return Ok(None) };
        if secret.chars().count() < SECRET_CHARS_MIN {
            let why = format!("opt_out.secret: {SECRET_CHARS_MIN} characters or more; a short one can be guessed");
            return Err(Failure::new(Exit::Configuration, why).help("for example: openssl rand -hex 32"));
        }
        Ok(Some(Secret::new(secret)))
    }

    fn opt_out_link(&self) -> Result<Option<OptOutLink>, Failure> {
        let Some(url) = self.config.optional("opt_out.url") else { return Ok(None) };
        let Some(secret) = self.opt_out_secret()? else {
            let why = "opt_out.url is set and opt_out.secret is not: anybody could make such links";
            return Err(Failure::new(Exit::Configuration, why).help("opt_out.secret = \"env:NAME\" or \"file:PATH\""));
        };
        Ok(Some(OptOutLink { url: url.to_owned(), secret }))
    }

    /// The channel of each lane: e-mail as configured, everything else as files.
    pub(crate) fn channels(&self, wiring: &Wiring) -> Result<Channels, Failure> {
        let outbox = wiring.outbox.as_deref().unwrap_or(self.config.text("outbox"));
        let mut channels = Channels::new();
        for lane in LANES {
            let transport = match (*lane, self.config.text("mail.transport")) {
                ("email", "file") => format!("file:{outbox}/email"),
                ("email", other) => other.to_owned(),
                _ => format!("outbox:{outbox}"),
            };
            let mut settings = channel::Settings::new(lane, &transport);
            settings.durable = !wiring.fleeting;
            if let (Some(user), Some(password)) =
                (self.config.optional("mail.user"), self.config.secret("mail.password")?)
            {
                settings.credentials = Some((user.to_owned(), Secret::new(password)));
            }
            let opened = channel::open(&settings).doing(Exit::Configuration, || "mail.transport".to_owned())?;
            channels.insert((*lane).to_owned(), opened);
        }
        Ok(channels)
    }
}

/// Whether a file that is to be opened is there.
fn is_there(url: &str) -> Result<(), Failure> {
    match url.strip_prefix("sqlite://").filter(|path| !Path::new(path).exists()) {
        Some(path) => Err(Failure::not_found(format!("no database at {path}"))
            .help("`recobro import` or `recobro demo --db` makes one; --db names another")),
        None => Ok(()),
    }
}

/// A word as a shell takes it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/.:_-@=+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Channels that take everything and send nothing.
pub(crate) fn silent_channels() -> Result<Channels, Failure> {
    let open = |lane: &&str| Ok(((*lane).to_owned(), channel::open(&channel::Settings::new(lane, "null:"))?));
    LANES.iter().map(open).collect()
}

fn log(config: &Config) -> Result<(), Failure> {
    let filter = tracing_subscriber::EnvFilter::try_new(config.text("log"))
        .doing(Exit::Configuration, || format!("log: `{}`", config.text("log")))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(!config.no_color() && std::io::IsTerminal::is_terminal(&std::io::stderr()));
    // A second start in one process (tests) keeps the first logger.
    let _ = if config.text("log_format") == "json" { builder.json().try_init() } else { builder.try_init() };
    Ok(())
}

/// Waits for Ctrl-C or SIGTERM.
pub(crate) async fn interrupted() {
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok();
    let terminated = async {
        match &mut term {
            Some(signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

/// The exit code of an engine's or a store's error.
pub(crate) fn exit_of(error: &(dyn std::error::Error + 'static)) -> Option<Exit> {
    use recobro_engine::Error as E;
    if let Some(error) = error.downcast_ref::<E>() {
        return match error {
            E::NoCase(_) | E::NoTask(_) | E::NoNews(_) | E::NoException(_) | E::Unknown(_) => Some(Exit::NotFound),
            E::Closed { .. } | E::Dismissed { .. } | E::Taken(_) => Some(Exit::Conflict),
            E::Refused(_) => Some(Exit::Refused),
            E::Store(store) => exit_of(store),
            _ => Some(Exit::Failed),
        };
    }
    match error.downcast_ref::<recobro_store::Error>()? {
        recobro_store::Error::Url { .. } => Some(Exit::Configuration),
        recobro_store::Error::InUse { .. } | recobro_store::Error::Unavailable(_) | recobro_store::Error::Schema(_) => {
            Some(Exit::Unavailable)
        }
        recobro_store::Error::Conflict(_) => Some(Exit::Conflict),
        _ => Some(Exit::Failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_left_out_of_what_can_be_pasted_and_its_source_is_said() {
        let flags = [("db", Some("postgres://ana:s3cret@db/r".to_owned()))];
        let config = Config::load(&flags, &Surroundings::default()).unwrap();
        let session = Session { out: Out { shape: Shape::Text, quiet: true }, config };
        assert_eq!(session.again("run"), "recobro --db postgres://ana@db/r run");
        let failure = session.located(Failure::not_found("no case").help("`recobro case list` shows all"));
        let help = failure.help.unwrap();
        assert!(help.starts_with("`recobro --db postgres://ana@db/r case list` shows all; "), "{help}");
        assert!(help.contains("PGPASSWORD") && help.contains("RECOBRO_DB") && !help.contains("s3cret"), "{help}");
    }
}
