//! The `file:` transport of e-mail: one `.eml` file per message, named by the key.
//!
//! Writing the same key again is the same file, so this transport is idempotent where SMTP is not.

use super::outbox::write_batch;
use super::{Channel, Delivery, OpenError, Outgoing, Settings, file_name, message};
use async_trait::async_trait;
use std::path::PathBuf;
use std::sync::Arc;

struct EmailFiles {
    folder: PathBuf,
    durable: bool,
}

pub(super) fn open(settings: &Settings) -> Result<Arc<dyn Channel>, OpenError> {
    Ok(Arc::new(EmailFiles { folder: settings.folder()?, durable: settings.durable }))
}

#[async_trait]
impl Channel for EmailFiles {
    fn lane(&self) -> &'static str {
        "email"
    }

    fn idempotent(&self) -> bool {
        true
    }

    fn slice(&self) -> Option<usize> {
        None
    }

    fn render(&self, item: &Outgoing) -> Result<Vec<u8>, String> {
        message::compose(item)
    }

    async fn deliver(&self, items: &[Outgoing]) -> Vec<Delivery> {
        let files = items.iter().map(|item| {
            let bytes = item.raw.clone().map_or_else(|| self.render(item), Ok)?;
            Ok(vec![(self.folder.join(format!("{}.eml", file_name(&item.key))), bytes)])
        });
        write_batch(files.collect(), self.durable).await
    }
}
