//! What a record would do, before anybody says it: the answer of the ledger as it stands, without a trace.

use crate::{Engine, Error, route};
use recobro_connectors::source::record::Record;
use recobro_kernel::ids::CaseId;
use recobro_store::inbound::{self, Inbound};

/// What a record would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// Why it would be refused; nothing where it would be taken.
    pub refused: Option<String>,
    /// The events that open cases would hear.
    pub news: Vec<(CaseId, String)>,
    /// Other news waits to be routed first, and may change the answer.
    pub waits: bool,
}

impl Engine {
    /// Tries a record on the ledger and takes everything back.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn preview(&self, source: &str, record: &Record) -> Result<Preview, Error> {
        let mut tx = self.store.begin().await?;
        let waits = inbound::next_at(&mut tx).await?.is_some_and(|at| at <= self.clock.now());
        let new = self.row_of(&mut tx, source, record).await?;
        let row = Inbound {
            id: 0,
            source: new.source,
            kind: new.kind,
            external_id: new.external_id,
            version: 1,
            body: new.body,
            at: new.at,
            rank: new.rank,
            received_at: self.clock.now(),
        };
        let tried = route::try_alone(self, &mut tx, row).await?;
        tx.rollback().await?;
        Ok(match tried {
            Ok(events) => {
                let news = events.into_iter().map(|(case, event)| (case, event.name)).collect();
                Preview { refused: None, news, waits }
            }
            Err(reason) => Preview { refused: Some(reason), news: Vec::new(), waits },
        })
    }
}
