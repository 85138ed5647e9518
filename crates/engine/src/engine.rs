//! The engine's handle: database, library, channels, settings.

use crate::library::{Bundle, Pin, Shelf};
use crate::{Channels, Clock, Error, Settings, deliver};
use recobro_kernel::time::{HOUR_US, Timestamp};
use recobro_playbook::{Files, Library};
use recobro_store::playbooks::{self, VersionRow};
use recobro_store::{Store, Tx};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The worker of one database. Open one per process.
pub struct Engine {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) channels: Channels,
    pub(crate) settings: Settings,
    pub(crate) shelf: Shelf,
}

impl Engine {
    /// Opens the worker: publishes the library into the store (a bundle that is there stays as it is), frees what a dead
    /// worker held where nobody else can hold anything, offers unmatched invoices again when the playbooks changed.
    /// A virtual clock goes on where `meta.virtual_now` left it.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn start(
        store: Store,
        library: &Library,
        channels: Channels,
        settings: Settings,
        clock: Clock,
    ) -> Result<Self, Error> {
        let engine = Self { store, clock, channels, settings, shelf: Shelf::new(library) };
        let mut tx = engine.store.begin().await?;
        if let (true, Some(reached)) = (engine.clock.is_virtual(), recobro_store::meta::virtual_now(&mut tx).await?) {
            engine.clock.move_to(reached);
        }
        if engine.publish(&mut tx).await? {
            crate::route::offer_unmatched(&engine, &mut tx, &mut crate::run::Tick::default()).await?;
        }
        // Nobody else can hold a lease on a database of one process; a virtual run is alone on any.
        if engine.clock.is_virtual() || !engine.store.is_shared() {
            while deliver::sweep(&engine, &mut tx, Timestamp::MAX).await? > 0 {}
        }
        tx.commit().await?;
        Ok(engine)
    }

    /// Publishes what is new on the shelf. Says whether anything was.
    async fn publish(&self, tx: &mut Tx) -> Result<bool, Error> {
        let at = self.clock.now();
        let rows = self.shelf.current.iter().map(|compiled| {
            let texts: BTreeMap<&str, String> = compiled
                .sources
                .iter()
                .map(|(path, bytes)| (path.as_str(), String::from_utf8_lossy(bytes).into_owned()))
                .collect();
            VersionRow {
                bundle: compiled.playbook.bundle,
                content: compiled.playbook.content,
                name: compiled.playbook.name.clone(),
                version: compiled.playbook.version,
                sources: serde_json::to_string(&texts).expect("a map of texts"),
                author: self.settings.worker.clone(),
                published_at: at,
            }
        });
        let rows: Vec<VersionRow> = rows.collect();
        let known = playbooks::current(tx).await?;
        let same = |row: &VersionRow| known.iter().any(|k| k.bundle == row.bundle && k.content == row.content);
        if rows.iter().all(same) {
            return Ok(false);
        }
        playbooks::publish(tx, &rows).await?;
        Ok(true)
    }

    /// The bundles of some pins; those not yet on the shelf are compiled from what was published.
    pub(crate) async fn bundles(&self, tx: &mut Tx, pins: &[(Pin, &str)]) -> Result<HashMap<Pin, Arc<Bundle>>, Error> {
        let mut found = HashMap::new();
        for (pin, name) in pins {
            if found.contains_key(pin) {
                continue;
            }
            let bundle = match self.shelf.get(*pin) {
                Some(bundle) => bundle,
                // At most once per bundle and process.
                None => self.shelf.load(*pin, name, &self.sources(tx, *pin, name).await?)?,
            };
            found.insert(*pin, bundle);
        }
        Ok(found)
    }

    async fn sources(&self, tx: &mut Tx, pin: Pin, name: &str) -> Result<Files, Error> {
        let gone = |cause: String| Error::Bundle { name: name.to_owned(), bundle: pin.0.short(), cause };
        let row =
            playbooks::get(tx, pin.0, pin.1).await?.ok_or_else(|| gone("it was never published here".to_owned()))?;
        let texts: BTreeMap<String, String> = serde_json::from_str(&row.sources).map_err(|e| gone(e.to_string()))?;
        Ok(texts.into_iter().map(|(path, text)| (path, text.into_bytes())).collect())
    }

    /// How far back the contact ledger is read.
    pub(crate) fn contacts_since(&self, now: Timestamp) -> Timestamp {
        now.plus_us(-self.shelf.contact_days() * 24 * HOUR_US)
    }

    /// The database, for reads.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The time now.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}
