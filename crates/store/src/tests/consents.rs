//! Words of customers: every one is kept, in the order in which they were said.

use super::world::{at, customer, customer_id, on};
use crate::consents::{self, ConsentRow};
use crate::{Store, customers};
use recobro_kernel::consent::Word;

pub(super) async fn words_are_kept_in_the_order_they_were_said(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    customers::upsert(&mut tx, &[customer(1), customer(2)]).await.unwrap();
    let said = |id: &str, n: usize, word: Word, said: i64, known: i64| ConsentRow {
        id: id.to_owned(),
        customer: customer_id(n),
        channel: "sms".to_owned(),
        purpose: "dunning".to_owned(),
        word,
        source: "test".to_owned(),
        booked_on: on("2026-05-05"),
        said_at: at(said),
        dated: word != Word::Lapsed,
        evidence: "form 7".to_owned(),
        said_by: "person:ana".to_owned(),
        known_at: at(known),
    };
    let (late, early) = (said("a", 1, Word::Withdrawn, 20, 20), said("b", 1, Word::Granted, 10, 30));
    let (told, other) = (said("c", 1, Word::Lapsed, 20, 25), said("d", 2, Word::Granted, 5, 5));
    let rows = [late.clone(), early.clone(), told.clone(), other.clone()];
    consents::put(&mut tx, &rows).await.unwrap();
    // What came before stays, whatever comes under its id.
    consents::put(&mut tx, &[ConsentRow { word: Word::Granted, ..late.clone() }]).await.unwrap();
    let ids = [customer_id(1), customer_id(2), customer_id(3)];
    assert_eq!(consents::of_customers(&mut tx, &ids).await.unwrap(), [early, late, told, other.clone()]);
    assert_eq!(consents::of_customers(&mut tx, &ids[1..]).await.unwrap(), [other]);
    assert_eq!(consents::of_customers(&mut tx, &ids[2..]).await.unwrap(), []);
}
