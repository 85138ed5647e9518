//! The thin channel of lanes without a provider yet: one `.json` and one `.txt` file per act, in a folder per lane.
//!
//! A person or another program picks the files up. The name comes from the key, and what is already there stays as it
//! is: the same key twice is one act. Also owns the atomic write that the `file:` transport uses.

use super::{Channel, Delivery, OpenError, Outgoing, Settings, file_name};
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

struct Outbox {
    lane: String,
    folder: PathBuf,
    durable: bool,
}

pub(super) fn open(settings: &Settings) -> Result<Arc<dyn Channel>, OpenError> {
    let folder = settings.folder()?.join(&settings.lane);
    Ok(Arc::new(Outbox { lane: settings.lane.clone(), folder, durable: settings.durable }))
}

#[async_trait]
impl Channel for Outbox {
    fn lane(&self) -> &str {
        &self.lane
    }

    fn idempotent(&self) -> bool {
        true
    }

    fn slice(&self) -> Option<usize> {
        None
    }

    fn render(&self, item: &Outgoing) -> Result<Vec<u8>, String> {
        // A text message or a request has no use for the same words with markup.
        let html = item.html.clone().filter(|_| item.lane == "letter" || item.lane == "email");
        let item = Outgoing { html, ..item.clone() };
        serde_json::to_vec_pretty(&item).map_err(|error| error.to_string())
    }

    async fn deliver(&self, items: &[Outgoing]) -> Vec<Delivery> {
        let mut files = Vec::with_capacity(items.len());
        for item in items {
            let name = file_name(&item.key);
            files.push(match item.raw.clone().map_or_else(|| self.render(item), Ok) {
                // The text first: whoever waits for the .json finds both.
                Ok(json) => Ok(vec![
                    (self.folder.join(format!("{name}.txt")), page(item).into_bytes()),
                    (self.folder.join(format!("{name}.json")), json),
                ]),
                Err(reason) => Err(reason),
            });
        }
        write_batch(files, self.durable).await
    }
}

/// The text with a head that a person can act on.
fn page(item: &Outgoing) -> String {
    let to = [item.to_name.as_str(), item.to_address.as_str()];
    let to: Vec<&str> = to.into_iter().filter(|part| !part.is_empty()).collect();
    format!("To: {}\nSubject: {}\n\n{}", to.join(", "), item.subject_line, item.text)
}

/// Files of one item, or why it can never leave.
pub(super) type Files = Result<Vec<(PathBuf, Vec<u8>)>, String>;

/// Writes the files of each item; the last one is the item's reference.
pub(super) async fn write_batch(items: Vec<Files>, durable: bool) -> Vec<Delivery> {
    let count = items.len();
    let written = tokio::task::spawn_blocking(move || write_items(items, durable)).await;
    written.unwrap_or_else(|error| {
        vec![Delivery::Retry { reason: format!("the writing task ended early: {error}") }; count]
    })
}

fn write_items(items: Vec<Files>, durable: bool) -> Vec<Delivery> {
    let mut folders = BTreeSet::new();
    let mut answers: Vec<Delivery> = items.into_iter().map(|files| write_item(files, durable, &mut folders)).collect();
    // A name is on the disk when its folder is: once a batch, not once a file.
    let synced = folders.iter().filter(|_| durable).try_for_each(|folder| std::fs::File::open(folder)?.sync_all());
    if let Err(error) = synced {
        let reason = format!("the folder could not be written to the disk: {error}");
        for answer in answers.iter_mut().filter(|answer| matches!(answer, Delivery::Accepted { .. })) {
            *answer = Delivery::Retry { reason: reason.clone() };
        }
    }
    answers
}

fn write_item(files: Files, durable: bool, folders: &mut BTreeSet<PathBuf>) -> Delivery {
    let files = match files {
        Ok(files) => files,
        Err(reason) => return Delivery::Refused { reason },
    };
    let mut reference = String::new();
    for (path, bytes) in files {
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        if let Err(error) = write_once(&folder, &path, &bytes, durable) {
            // Nothing was taken: the file appears by its rename alone.
            return Delivery::Retry { reason: format!("{}: {error}", path.display()) };
        }
        folders.insert(folder);
        reference = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    }
    Delivery::Accepted { reference }
}

/// Writes a file so that it is there wholly or not at all; one that is there already stays as it is.
fn write_once(folder: &Path, path: &Path, bytes: &[u8], durable: bool) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    std::fs::create_dir_all(folder)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = folder.join(format!(".{name}.part"));
    let mut file = std::fs::File::create(&draft)?;
    file.write_all(bytes)?;
    if durable {
        file.sync_all()?;
    }
    drop(file);
    std::fs::rename(&draft, path)
}
