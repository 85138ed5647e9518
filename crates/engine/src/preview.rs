//! What a record would do, before anybody says it: the answer of the ledger after all that waits, without a trace.

use crate::people::Nobody;
use crate::route::book::{Book, scoped};
use crate::run::{self, Span, Tick};
use crate::{Engine, Error, route};
use recobro_connectors::source::record::Record;
use recobro_kernel::ids::CaseId;
use recobro_kernel::money::Money;
use recobro_kernel::time::Timestamp;
use recobro_store::Tx;
use recobro_store::inbound::{self, Inbound, NewInbound, Receipt};

/// Most waiting rows that are routed for one trial: a person waits for the answer, and more than these are an import.
const WAITING_MAX: i64 = 2_000;

/// What a record would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// The same was said before; saying it again does nothing. Where it was refused then, that reason stands.
    pub known: bool,
    /// Why it would be refused; nothing where it would be taken.
    pub refused: Option<String>,
    /// The events that open cases would hear.
    pub news: Vec<(CaseId, String)>,
    /// What it is taken with and may yet be a slip of the hand.
    pub warnings: Vec<String>,
    /// When it becomes news.
    pub at: Timestamp,
    /// More news waits to be routed first than a trial takes up, and may change the answer.
    pub waits: bool,
}

/// What of the news that is due was not routed for a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    /// Nothing: the trial is exact.
    Nothing,
    /// Another worker is routing it just now.
    Busy,
    /// More than a trial takes up.
    TooMany,
}

/// What a record promises or takes off beyond what is owed: it can be right (charges are paid too), and is often a slip.
fn excess(book: &Book, source: &str, record: &Record) -> Option<String> {
    match record {
        Record::Promise(promise) => {
            let id = scoped(source, &promise.id);
            let pledge = book.pledges.iter().find(|pledge| pledge.id == id)?;
            let owed = pledge.invoices.iter().filter_map(|invoice| book.bills.get(invoice));
            let owed: i64 = owed.map(|bill| bill.balance_minor.max(0)).sum();
            let owed = Money::new(owed, pledge.amount.currency);
            (pledge.amount.minor > owed.minor)
                .then(|| format!("{} is promised, and {owed} is open without charges", pledge.amount))
        }
        Record::Dispute(dispute) => {
            let quarrel = book.quarrels.iter().find(|quarrel| quarrel.id == scoped(source, &dispute.id))?;
            let bill = book.bills.get(&quarrel.invoice).filter(|_| quarrel.closed_on.is_none())?;
            let (said, owed) = (
                Money::new(quarrel.amount_minor, bill.currency()),
                Money::new(bill.balance_minor.max(0), bill.currency()),
            );
            let all = Money::new(book.contested(&quarrel.invoice), bill.currency());
            (all.minor > owed.minor).then(|| {
                format!("{said} is contested, {all} with the other disputes of the invoice, and {owed} is open")
            })
        }
        Record::Credit(_) => {
            // The trial booked nothing else.
            let note = book.booked.iter().find(|booked| booked.kind == "credit" && booked.source == source)?;
            let taken: i64 = note.parts.iter().map(|(_, minor)| minor).sum();
            let owed = Money::new(taken, note.amount.currency);
            (note.amount.minor > taken)
                .then(|| format!("{} is credited, and {owed} is open; the rest will settle nothing yet", note.amount))
        }
        _ => None,
    }
}

impl Engine {
    /// Takes up what waits, tries a record on the ledger that comes of it, and takes everything back.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn preview(&self, source: &str, record: &Record) -> Result<Preview, Error> {
        for _ in 1..run::AGAIN_MAX {
            match self.preview_once(source, record).await {
                Err(Error::Store(error)) if error.may_retry() => run::pause(&error).await,
                // Another worker is routing just now: in a moment it is done.
                Ok((Waits::Busy, _)) => tokio::time::sleep(run::CONFLICT_PAUSE).await,
                done => return done.map(|(_, preview)| preview),
            }
        }
        self.preview_once(source, record).await.map(|(_, preview)| preview)
    }

    async fn preview_once(&self, source: &str, record: &Record) -> Result<(Waits, Preview), Error> {
        let mut tx = self.store.begin().await?;
        let tried = self.try_in(&mut tx, source, record).await;
        tx.rollback().await?;
        tried
    }

    async fn try_in(&self, tx: &mut Tx, source: &str, record: &Record) -> Result<(Waits, Preview), Error> {
        let waits = self.route_waiting(tx).await?;
        let new = self.row_of(tx, source, record).await?;
        let blank = Preview { at: new.at, waits: waits != Waits::Nothing, ..Preview::default() };
        let (receipt, row) = self.stored(tx, new).await?;
        if receipt == Receipt::Unchanged {
            let parked = inbound::parked(tx, row.id - 1, 1).await?.pop().filter(|parked| parked.inbound.id == row.id);
            return Ok((waits, Preview { known: true, refused: parked.map(|parked| parked.reason), ..blank }));
        }
        let preview = match route::try_alone(self, tx, row).await? {
            Ok(book) => {
                let warnings = excess(&book, source, record).into_iter().collect();
                let news = book.events.into_iter().map(|(case, event)| (case, event.name)).collect();
                Preview { news, warnings, ..blank }
            }
            Err(reason) => Preview { refused: Some(reason), ..blank },
        };
        Ok((waits, preview))
    }

    /// Routes what is due, as the next round would. Says what of it still waits.
    async fn route_waiting(&self, tx: &mut Tx) -> Result<Waits, Error> {
        let now = self.clock.now();
        if inbound::waiting(tx, now, WAITING_MAX + 1).await? > WAITING_MAX {
            return Ok(Waits::TooMany);
        }
        let span = Span { now, cell_end: now, horizon: now, sliced: true };
        let mut tick = Tick::default();
        // What arrives may wake rows that waited for it, so that there are more passes than batches.
        while inbound::next_at(tx).await?.is_some_and(|at| at <= now) {
            let before = tick.progress.routed;
            route::route(self, tx, span, &Nobody, &mut tick).await?;
            let routed = tick.progress.routed;
            if routed > WAITING_MAX.unsigned_abs() {
                return Ok(Waits::TooMany);
            }
            if routed == before {
                return Ok(Waits::Busy);
            }
        }
        Ok(Waits::Nothing)
    }

    /// The row as it is stored, with its version, and whether it was known with this content.
    async fn stored(&self, tx: &mut Tx, new: NewInbound) -> Result<(Receipt, Inbound), Error> {
        let receipts = inbound::insert(tx, std::slice::from_ref(&new), self.clock.now()).await?;
        let versions = inbound::versions(tx, &new.kind, std::slice::from_ref(&new.external_id)).await?;
        let newest = versions.into_iter().rfind(|row| row.source == new.source);
        let stored = receipts.into_iter().next().zip(newest);
        stored.ok_or_else(|| Error::Refused(format!("{} {} could not be stored", new.kind, new.external_id)))
    }
}
