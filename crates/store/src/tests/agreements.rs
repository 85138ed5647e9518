//! Plans and holds on both databases.

use super::world::{at, customer_id, invoice_id, on};
use crate::debits::DebitFile;
use crate::holds::{self, HoldRow};
use crate::plans::{self, CoveredRow, InstalmentRow, PlanRow};
use crate::{Store, Tx};
use recobro_kernel::money::Currency;
use std::collections::BTreeMap;

fn plan(id: &str, status: &str, invoices: &[usize], watch: Option<i64>) -> PlanRow {
    let covered = |n: &usize| CoveredRow { invoice: invoice_id(*n), amount_minor: 600, base_minor: 700 };
    let instalment = |due: &str, paid_minor: i64| InstalmentRow {
        due_on: on(due),
        amount_minor: 600,
        paid_minor,
        told: "open".to_owned(),
        collected: None,
    };
    PlanRow {
        id: id.to_owned(),
        source: "csv".to_owned(),
        customer: customer_id(1),
        currency: Currency::EUR,
        amount_minor: 1_200,
        status: status.to_owned(),
        offered_on: Some(on("2026-03-01")),
        valid_until: Some(on("2026-03-15")),
        max_instalments: Some(3),
        ends_by: None,
        agreed_on: (status == "active").then(|| on("2026-03-05")),
        ended_on: None,
        method: "direct_debit".to_owned(),
        by: "Ana".to_owned(),
        default_after: 2,
        re_ages: true,
        mandate: Some("{}".to_owned()),
        reason: String::new(),
        watch_at: watch.map(at),
        known_at: at(1),
        invoices: invoices.iter().map(covered).collect(),
        instalments: vec![instalment("2026-04-01", 600), instalment("2026-05-01", 0)],
    }
}

fn ids(rows: &[PlanRow]) -> Vec<&str> {
    rows.iter().map(|row| row.id.as_str()).collect()
}

pub(super) async fn plans_are_found_by_their_invoices_and_days(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let active = plan("a", "active", &[1, 2], Some(500));
    let later = PlanRow { known_at: at(2), ..plan("b", "proposed", &[2], Some(900)) };
    let over = plan("c", "completed", &[3], None);
    plans::upsert(&mut tx, &[later.clone(), active.clone(), over.clone()]).await.unwrap();
    let all = [invoice_id(1), invoice_id(2), invoice_id(3), invoice_id(4)];
    let latest = plans::latest_of(&mut tx, &all).await.unwrap();
    let said: BTreeMap<_, _> = latest.iter().map(|(invoice, plan)| (invoice.clone(), plan.id.as_str())).collect();
    assert_eq!(said, BTreeMap::from([(invoice_id(1), "a"), (invoice_id(2), "a"), (invoice_id(3), "c")]));
    assert_eq!(latest[&invoice_id(1)], active);
    assert_eq!(ids(&plans::open_of(&mut tx, &all).await.unwrap()), ["a", "b"]);
    assert_eq!(plans::next_at(&mut tx).await.unwrap(), Some(at(500)));
    assert_eq!(ids(&plans::due(&mut tx, at(900), 10).await.unwrap()), ["a", "b"]);
    assert_eq!(ids(&plans::due(&mut tx, at(899), 10).await.unwrap()), ["a"]);
    assert_eq!(ids(&plans::list(&mut tx, ("", ""), "a", 10).await.unwrap()), ["b", "c"]);
    assert_eq!(ids(&plans::list(&mut tx, ("active", ""), "", 10).await.unwrap()), ["a"]);
    assert!(plans::list(&mut tx, ("", "nobody"), "", 10).await.unwrap().is_empty());
    shorter(&mut tx, &active).await;
    debits(&mut tx).await;
}

/// An accepted offer may cover less and have fewer dates than it proposed.
async fn shorter(tx: &mut Tx, plan: &PlanRow) {
    let (dates, invoices) = (plan.instalments[..1].to_vec(), plan.invoices[1..].to_vec());
    let one = PlanRow { instalments: dates, invoices, ..plan.clone() };
    plans::upsert(tx, std::slice::from_ref(&one)).await.unwrap();
    assert_eq!(plans::get(tx, &["a".to_owned()]).await.unwrap(), [one]);
    plans::upsert(tx, std::slice::from_ref(plan)).await.unwrap();
}

async fn debits(tx: &mut Tx) {
    assert_eq!(ids(&plans::debits(tx, on("2026-05-01"), "", 10).await.unwrap()), ["a"]);
    assert!(plans::debits(tx, on("2026-04-30"), "", 10).await.unwrap().is_empty(), "the first one is paid");
    assert_eq!(plans::collected(tx, &[("a".to_owned(), 2)], "D1").await.unwrap(), 1);
    assert_eq!(plans::collected(tx, &[("a".to_owned(), 2)], "D2").await.unwrap(), 0);
    let row = &plans::get(tx, &["a".to_owned()]).await.unwrap()[0];
    assert_eq!(row.instalments[1].collected.as_deref(), Some("D1"), "the first file holds");
    assert!(plans::debits(tx, on("2026-05-01"), "", 10).await.unwrap().is_empty(), "ordered once");
    let file = |message: &str, made_at: i64| DebitFile {
        message: message.to_owned(),
        made_at: at(made_at),
        made_by: "ana".to_owned(),
        instalments: 2,
        amount_minor: 700,
        currency: Currency::EUR,
        body: "<Document/>".to_owned(),
    };
    for one in [file("D1", 1), file("D2", 2), DebitFile { body: "another".to_owned(), ..file("D1", 3) }] {
        crate::debits::put(tx, &one).await.unwrap();
    }
    assert_eq!(crate::debits::get(tx, "D1").await.unwrap(), Some(file("D1", 1)), "as it was made first");
    assert_eq!(crate::debits::get(tx, "D3").await.unwrap(), None);
    let newest = DebitFile { body: String::new(), ..file("D2", 2) };
    assert_eq!(crate::debits::list(tx, 1).await.unwrap(), [newest]);
}

fn hold(id: &str, scope: &str, until: &str) -> HoldRow {
    HoldRow {
        id: id.to_owned(),
        source: "person:ana".to_owned(),
        scope: scope.to_owned(),
        invoice: (scope == "invoice").then(|| invoice_id(1)),
        customer: (scope != "class").then(|| customer_id(1)),
        class: (scope == "class").then(|| "customer.country=ES".to_owned()),
        reason: "complaint".to_owned(),
        note: String::new(),
        owner: "ana".to_owned(),
        from_on: on("2026-03-01"),
        until_on: on(until),
        released_on: None,
        released_by: None,
        known_at: at(1),
    }
}

pub(super) async fn holds_stand_until_they_end_or_are_released(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let rows =
        [hold("1", "invoice", "2026-04-01"), hold("2", "customer", "2026-05-01"), hold("3", "class", "2026-03-20")];
    holds::upsert(&mut tx, &rows).await.unwrap();
    assert_eq!(holds::get(&mut tx, &["2".to_owned()]).await.unwrap(), rows[1..2]);
    let named = |rows: Vec<HoldRow>| rows.into_iter().map(|row| row.id).collect::<Vec<_>>();
    let of = [customer_id(1)];
    assert_eq!(named(holds::standing(&mut tx, &of, on("2026-03-20")).await.unwrap()), ["1", "2", "3"]);
    assert_eq!(named(holds::standing(&mut tx, &[customer_id(2)], on("2026-03-20")).await.unwrap()), ["3"]);
    assert_eq!(named(holds::standing(&mut tx, &of, on("2026-03-21")).await.unwrap()), ["1", "2"]);
    let released =
        HoldRow { released_on: Some(on("2026-03-10")), released_by: Some("bo".to_owned()), ..rows[0].clone() };
    holds::upsert(&mut tx, std::slice::from_ref(&released)).await.unwrap();
    assert_eq!(named(holds::standing(&mut tx, &of, on("2026-03-10")).await.unwrap()), ["2", "3"]);
    assert_eq!(named(holds::list(&mut tx, None, "1", 10).await.unwrap()), ["2", "3"]);
    assert_eq!(named(holds::list(&mut tx, Some(on("2026-04-02")), "", 10).await.unwrap()), ["2"]);
}
