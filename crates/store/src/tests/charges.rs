//! What is not asked for: waivers and discounts.

use super::world::{at, customer_id, invoice_id, on};
use crate::{Tx, incentives, waivers};

/// Both are written, written over and found by their invoices and limits.
pub(super) async fn come_back(tx: &mut Tx) {
    let offer = incentives::IncentiveRow {
        id: "csv:i".to_owned(),
        source: "csv".to_owned(),
        invoice: invoice_id(1),
        customer: customer_id(1),
        percent: Some("2".to_owned()),
        amount_minor: 20,
        opened_on: on("2026-03-01"),
        until_on: on("2026-03-09"),
        expires_at: Some(at(70)),
        reason: String::new(),
        status: "open".to_owned(),
        taken_on: None,
        known_at: at(1),
    };
    incentives::upsert(tx, std::slice::from_ref(&offer)).await.unwrap();
    assert_eq!(incentives::next_at(tx).await.unwrap(), Some(at(70)));
    assert!(incentives::due(tx, at(69), 10).await.unwrap().is_empty());
    assert_eq!(incentives::due(tx, at(70), 10).await.unwrap(), std::slice::from_ref(&offer));
    assert_eq!(incentives::list(tx, true, "", 10).await.unwrap(), std::slice::from_ref(&offer));
    let taken = incentives::IncentiveRow { status: "taken".to_owned(), expires_at: None, ..offer };
    incentives::upsert(tx, std::slice::from_ref(&taken)).await.unwrap();
    assert!(incentives::list(tx, true, "", 10).await.unwrap().is_empty());
    assert_eq!(incentives::of_invoices(tx, &[invoice_id(1)]).await.unwrap(), [taken]);
    let waiver = waivers::WaiverRow {
        id: "csv:w".to_owned(),
        source: "csv".to_owned(),
        invoice: invoice_id(1),
        kind: "all".to_owned(),
        amount_minor: None,
        reason: "goodwill".to_owned(),
        waived_on: on("2026-03-01"),
        known_at: at(1),
    };
    waivers::upsert(tx, &[waiver.clone(), waivers::WaiverRow { amount_minor: Some(5), ..waiver.clone() }])
        .await
        .unwrap();
    let found = waivers::of_invoices(tx, &[invoice_id(1), invoice_id(2)]).await.unwrap();
    assert_eq!(found, [waivers::WaiverRow { amount_minor: Some(5), ..waiver }]);
}
