//! Normalised records become inbound rows; the same row again is answered as such, never taken twice.

use crate::{Engine, Error};
use recobro_connectors::source::record::Record;

/// What became of a delivery of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// New or changed rows.
    pub accepted: u64,
    /// Rows that were known with the same content.
    pub unchanged: u64,
}

impl Engine {
    /// Stores records of one source as inbound rows, in batches; they are routed when their time has come.
    ///
    /// # Errors
    /// [`Error::Store`]; the batches before it stay, and taking the same records again is harmless.
    pub async fn receive(
        &self,
        source: &str,
        records: &mut (dyn Iterator<Item = Record> + Send),
    ) -> Result<Received, Error> {
        let _ = (source, records);
        todo!()
    }
}
