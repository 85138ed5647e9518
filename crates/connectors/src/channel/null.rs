//! The channel of backtests: takes everything at once and sends nothing.

use super::{Channel, Delivery, OpenError, Outgoing, Settings};
use async_trait::async_trait;
use std::sync::Arc;

struct Null {
    lane: String,
}

#[expect(clippy::unnecessary_wraps, reason = "the registry's signature: other transports can fail to open")]
pub(super) fn open(settings: &Settings) -> Result<Arc<dyn Channel>, OpenError> {
    Ok(Arc::new(Null { lane: settings.lane.clone() }))
}

#[async_trait]
impl Channel for Null {
    fn lane(&self) -> &str {
        &self.lane
    }

    fn idempotent(&self) -> bool {
        true
    }

    fn slice(&self) -> Option<usize> {
        None
    }

    fn render(&self, _item: &Outgoing) -> Result<Vec<u8>, String> {
        Ok(Vec::new())
    }

    async fn deliver(&self, items: &[Outgoing]) -> Vec<Delivery> {
        items.iter().map(|item| Delivery::Accepted { reference: format!("null:{}", item.key) }).collect()
    }
}
