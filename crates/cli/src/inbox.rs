//! What people enter while a worker owns an SQLite file: it is left in a folder beside the file, and the worker takes it.
//!
//! One process owns such a file, so that nobody else can try an entry on its ledger. An opt-out must not wait for that.
//! The folder is there while a worker runs; what is left in it is taken once, by that worker or by the next process that
//! works on the database, and what the ledger refuses is shown by `recobro unmatched`.

use crate::failure::{Doing, Exit, Failure};
use crate::session::Session;
use recobro_connectors::source::record::Record;
use recobro_engine::{Clock, Engine};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a worker looks.
const EVERY: Duration = Duration::from_secs(1);

/// Entries that are taken at once, so that a full folder does not keep a worker from its work.
const BATCH: usize = 500;

/// The folder of a database.
#[derive(Clone, Debug)]
pub(crate) struct Inbox(PathBuf);

/// An entry as it lies there.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Left {
    v: u32,
    by: String,
    kind: String,
    body: String,
}

impl Inbox {
    /// The folder of the session's database; nothing on PostgreSQL, which any number of processes share.
    pub(crate) fn of(session: &Session) -> Option<Self> {
        let path = session.config.text("db").strip_prefix("sqlite://")?;
        Some(Self(PathBuf::from(format!("{path}.inbox"))))
    }

    /// Whether a worker takes what is left there.
    pub(crate) fn is_open(&self) -> bool {
        self.0.is_dir()
    }

    /// Leaves an entry. It has a name of its own before it is whole, so that nobody takes half of one.
    pub(crate) fn leave(&self, by: &str, record: &Record) -> Result<(), Failure> {
        let (kind, body) = (record.kind().to_owned(), record.body());
        let name = format!("{:020}-{}", Clock::Real.now().as_us(), record.hash().short());
        let text = serde_json::to_string(&Left { v: 1, by: by.to_owned(), kind, body })?;
        let (draft, whole) = (self.0.join(format!("{name}.part")), self.0.join(format!("{name}.json")));
        let write = || {
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create(true).truncate(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(&draft)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&draft, &whole)
        };
        write().doing(Exit::Failed, || format!("cannot leave it in {}", self.0.display()))
    }

    /// Opens the folder to others, for as long as a worker runs.
    pub(crate) fn open(&self) -> Result<(), Failure> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.0).doing(Exit::Failed, || format!("cannot make {}", self.0.display()))
    }

    /// Takes what came last and shuts the folder; one that still holds something stays for the next process.
    pub(crate) async fn shut(&self, engine: &Engine) -> Result<(), Failure> {
        self.take(engine).await?;
        match std::fs::remove_dir(&self.0) {
            Err(error) if error.kind() != std::io::ErrorKind::DirectoryNotEmpty => {
                Err(error).doing(Exit::Failed, || format!("cannot remove {}", self.0.display()))
            }
            _ => Ok(()),
        }
    }

    /// Hands what lies there to the engine, the oldest first. A file goes when its entry is in the database; taken twice
    /// it is one entry, because it carries its id.
    pub(crate) async fn take(&self, engine: &Engine) -> Result<usize, Failure> {
        let files = whole(&self.0).doing(Exit::Failed, || format!("cannot read {}", self.0.display()))?;
        for path in &files {
            let cannot = || format!("cannot take {}", path.display());
            match read(path).doing(Exit::Failed, cannot)? {
                Ok((by, record)) => {
                    engine.receive(&by, &mut std::iter::once(record)).await?;
                    std::fs::remove_file(path).doing(Exit::Failed, cannot)?;
                }
                Err(cause) => {
                    tracing::error!(file = %path.display(), cause, "an entry in the inbox cannot be read; it is put aside");
                    std::fs::rename(path, path.with_extension("bad")).doing(Exit::Failed, cannot)?;
                }
            }
        }
        Ok(files.len())
    }

    /// Takes what comes, for ever: a folder that cannot be read is told, and tried again.
    pub(crate) async fn keep_taking(&self, engine: &Engine) -> Infallible {
        loop {
            match self.take(engine).await {
                Ok(0) => {}
                Ok(taken) => tracing::info!(taken, "entries taken from the inbox"),
                Err(failure) => tracing::warn!(cause = failure.message, "the inbox is not taken"),
            }
            tokio::time::sleep(EVERY).await;
        }
    }
}

fn whole(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(files),
        Err(error) => return Err(error),
        Ok(entries) => {
            for entry in entries {
                let path = entry?.path();
                if path.extension().is_some_and(|ending| ending == "json") {
                    files.push(path);
                }
            }
        }
    }
    files.sort();
    files.truncate(BATCH);
    Ok(files)
}

fn read(path: &Path) -> std::io::Result<Result<(String, Record), String>> {
    let text = std::fs::read_to_string(path)?;
    let left: Result<Left, _> = serde_json::from_str(&text);
    Ok(left
        .map_err(|error| error.to_string())
        .and_then(|left| Record::parse(&left.kind, &left.body).map(|record| (left.by, record))))
}
