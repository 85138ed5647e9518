//! The engine's handle: database, library, channels, settings.

use crate::deliver::Carried;
use crate::library::{Bundle, Pin, Shelf};
use crate::run::Tick;
use crate::{Channels, Clock, Error, Settings};
use recobro_kernel::time::{HOUR_US, Timestamp};
use recobro_playbook::{Files, Library};
use recobro_store::playbooks::{self, VersionRow};
use recobro_store::{Store, Tx, inbound, outbox};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a lease has left when the slowest hand-over ends: time to settle it.
const LEASE_MARGIN_S: i64 = 60;

/// Batches of effects that a worker carries at most.
const CARRIED_BATCHES: usize = 10;

/// The worker of one database. Open one per process.
pub struct Engine {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) channels: Channels,
    pub(crate) settings: Settings,
    pub(crate) shelf: Shelf,
    /// Lanes where nothing could be handed over, until when they are left alone.
    pub(crate) rests: Mutex<BTreeMap<String, Timestamp>>,
    /// Whether sleeping cases are being told of a changed law.
    pub(crate) replans: Mutex<crate::replan::Replanning>,
    /// What this worker has committed and is handing over itself.
    carried: Mutex<VecDeque<Carried>>,
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
        let engine = Self { channels, ..Self::to_read(store, library, settings, clock) };
        let mut tx = engine.store.begin().await?;
        if let (true, Some(reached)) = (engine.clock.is_virtual(), recobro_store::meta::virtual_now(&mut tx).await?) {
            engine.clock.move_to(reached);
        }
        if engine.publish(&mut tx).await? {
            crate::route::offer_unmatched(&engine, &mut tx, &mut Tick::default()).await?;
        }
        // Nobody else can hold a lease on a database of one process; a virtual run is alone on any.
        if engine.clock.is_virtual() || !engine.store.is_shared() {
            // The first round finds them and looks after each.
            outbox::end_leases(&mut tx, "", Timestamp::from_us(0)).await?;
        }
        tx.commit().await?;
        Ok(engine)
    }

    /// The worker's eyes: reads with the newest law, publishes and moves nothing.
    #[must_use]
    pub fn to_read(store: Store, library: &Library, settings: Settings, clock: Clock) -> Self {
        let (channels, shelf) = (Channels::default(), Shelf::new(library));
        let (rests, replans) = (Mutex::default(), Mutex::default());
        Self { store, clock, channels, settings, shelf, rests, replans, carried: Mutex::default() }
    }

    /// Takes up what a commit has just begun.
    pub(crate) fn carry(&self, tick: &mut Tick) {
        self.carried().extend(tick.begun.drain(..));
    }

    /// Gives out a batch of what is carried, the oldest first.
    pub(crate) fn take_carried(&self) -> Vec<Carried> {
        let mut carried = self.carried();
        let taken = carried.len().min(self.settings.batch);
        carried.drain(..taken).collect()
    }

    /// How much more this worker may carry: what it would lose if it died now waits for its lease to end.
    pub(crate) fn room(&self) -> usize {
        (CARRIED_BATCHES * self.settings.batch).saturating_sub(self.carried().len())
    }

    fn carried(&self) -> MutexGuard<'_, VecDeque<Carried>> {
        self.carried.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// How long a lease lasts: as set, but longer than one slice of every lane may take, one lane after the other.
    pub(crate) fn lease_us(&self) -> i64 {
        let longest: std::time::Duration = self.channels.values().map(|channel| channel.longest()).sum();
        let longest_s = i64::try_from(longest.as_secs()).unwrap_or(i64::MAX / 4_000_000);
        self.settings.lease_seconds.max(longest_s + LEASE_MARGIN_S).saturating_mul(1_000_000)
    }

    /// Whether anything has come that is not taken up yet; parked rows wait for people.
    pub(crate) async fn news_waits(&self, tx: &mut Tx) -> Result<bool, Error> {
        Ok(inbound::next_at(tx).await?.is_some_and(|at| at <= self.clock.now()))
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
