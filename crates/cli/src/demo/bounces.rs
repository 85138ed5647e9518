//! E-mail of the sample portfolio: mailboxes at `gone.example` do not exist, everything else becomes a file.

use async_trait::async_trait;
use recobro_connectors::channel::{Channel, Delivery, Outgoing};
use std::sync::Arc;

/// A channel whose unknown mailboxes are refused.
pub(crate) struct Bounces(pub(crate) Arc<dyn Channel>);

fn is_gone(item: &Outgoing) -> bool {
    item.to_address.ends_with("@gone.example")
}

#[async_trait]
impl Channel for Bounces {
    fn lane(&self) -> &str {
        self.0.lane()
    }

    fn idempotent(&self) -> bool {
        self.0.idempotent()
    }

    fn slice(&self) -> Option<usize> {
        self.0.slice()
    }

    fn render(&self, item: &Outgoing) -> Result<Vec<u8>, String> {
        self.0.render(item)
    }

    async fn deliver(&self, items: &[Outgoing]) -> Vec<Delivery> {
        let kept: Vec<Outgoing> = items.iter().filter(|item| !is_gone(item)).cloned().collect();
        let mut answers = self.0.deliver(&kept).await.into_iter();
        let refused = || Delivery::Refused { reason: "550 5.1.1 no such mailbox".to_owned() };
        let lost = || Delivery::Retry { reason: "the channel gave no answer".to_owned() };
        items.iter().map(|item| if is_gone(item) { refused() } else { answers.next().unwrap_or_else(lost) }).collect()
    }
}
