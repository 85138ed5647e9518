//! A small ledger and turns to play with.

use crate::commit::{Snapshot, TurnCommit};
use crate::contacts::ContactRow;
use crate::customers::{ContactPointRow, CustomerRow};
use crate::events::NewEvent;
use crate::history::HistoryRow;
use crate::invoices::InvoiceRow;
use crate::outbox::{Birth, NewEffect};
use crate::tasks::OpenTask;
use crate::wake::{Priority, WakeAt, Waking};
use crate::{CaseNo, Options, Store};
use chrono::NaiveDate;
use recobro_kernel::case::Status;
use recobro_kernel::ids::{CaseId, CustomerId, EffectId, EventId, GroupId, Hash, InvoiceId, TaskId};
use recobro_kernel::money::Currency;
use recobro_kernel::time::Timestamp;

pub(super) async fn sqlite() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    (folder, Store::open(&url, Options { durable: false, create: true }).await.unwrap())
}

pub(super) async fn postgres() -> Store {
    let url = tokio::task::spawn_blocking(|| recobro_testkit::postgres::cluster().database()).await.unwrap();
    Store::open(&url, Options::default()).await.unwrap()
}

/// Runs a check on a new database of each kind.
pub(super) async fn each(check: impl AsyncFn(&Store)) {
    let (folder, store) = sqlite().await;
    check(&store).await;
    store.close().await;
    drop(folder);
    let store = postgres().await;
    check(&store).await;
    store.close().await;
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_us(1_767_225_600_000_000 + second * 1_000_000)
}

pub(super) fn on(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub(super) fn customer_id(n: usize) -> CustomerId {
    CustomerId(format!("C{n:04}"))
}

pub(super) fn invoice_id(n: usize) -> InvoiceId {
    InvoiceId(format!("I{n:04}"))
}

pub(super) fn case_id(n: usize) -> CaseId {
    CaseId::derive(&[&n.to_string()])
}

pub(super) fn effect_id(n: usize) -> EffectId {
    EffectId::derive(&[&n.to_string()])
}

pub(super) fn customer(n: usize) -> CustomerRow {
    CustomerRow {
        id: customer_id(n),
        source: "csv".to_owned(),
        name: format!("Bodegas \"{n}\" Ñandú, S.L."),
        kind: "business".to_owned(),
        segment: "sme".to_owned(),
        country: "ES".to_owned(),
        subdivision: n.is_multiple_of(2).then(|| "ES-MD".to_owned()),
        locale: "es".to_owned(),
        time_zone: "Europe/Madrid".to_owned(),
        risk: "medium".to_owned(),
        risk_score: 50,
        account_manager: None,
        vulnerable: n.is_multiple_of(3),
        tags: vec!["a".to_owned(), "b, c".to_owned()],
        defaults: vec!["risk = medium".to_owned()],
        x: [("arr".to_owned(), format!("{n}.50"))].into(),
        booked_on: on("2026-01-01"),
        known_at: at(0),
    }
}

pub(super) fn point(id: &str, customer: usize) -> ContactPointRow {
    ContactPointRow {
        id: id.to_owned(),
        customer: customer_id(customer),
        channel: "email".to_owned(),
        role: "billing".to_owned(),
        name: String::new(),
        address: "a@example.test".to_owned(),
        usable: true,
        known_at: at(0),
    }
}

pub(super) fn invoice(n: usize) -> InvoiceRow {
    InvoiceRow {
        id: invoice_id(n),
        customer: customer_id(n),
        source: "csv".to_owned(),
        number: format!("2026/{n}"),
        creditor: String::new(),
        product: "saas".to_owned(),
        currency: Currency::EUR,
        issued_on: on("2026-01-01"),
        due_on: on("2026-02-01"),
        amount_minor: 10_000,
        balance_minor: 10_000,
        charges_minor: 0,
        disputed_minor: 0,
        retained_minor: 0,
        not_due_minor: 0,
        last_payment_on: None,
        reference: String::new(),
        closed: None,
        defaults: Vec::new(),
        x: [("channel".to_owned(), "shop \"ñ\"".to_owned())].into(),
        booked_on: on("2026-01-01"),
        known_at: at(0),
    }
}

/// The first turn of case `n`.
pub(super) fn first(n: usize) -> TurnCommit {
    turn(n, None, 0, Hash::default())
}

/// A turn of case `n` from revision `expected`.
pub(super) fn turn(n: usize, no: Option<CaseNo>, expected: u64, prev: Hash) -> TurnCommit {
    let body = format!("{{\"rev\":{}}}", expected + 1);
    TurnCommit {
        no,
        expected,
        follows: None,
        case: Snapshot {
            id: case_id(n),
            invoice: invoice_id(n),
            customer: customer_id(n),
            playbook: "b2b-standard".to_owned(),
            version: 1,
            bundle: Hash::of(b"bundle"),
            content: Hash::of(b"content"),
            generation: 1,
            status: Status::WaitingTime,
            outcome: None,
            stage: "friendly".to_owned(),
            step: "first".to_owned(),
            next_at: Some(at(100)),
            next_reason: "send first".to_owned(),
            entered_at: at(0),
            state: format!("{{\"case\":{n},\"rev\":{}}}", expected + 1),
        },
        history: HistoryRow {
            seq: expected * 2 + 1,
            rev: expected + 1,
            at: at(i64::try_from(expected).unwrap()),
            actor: "worker".to_owned(),
            cause: None,
            hash: Hash::of(format!("{n} {body}").as_bytes()),
            body,
            prev,
        },
        wake: Waking::Set(Some(WakeAt { due_at: at(100), priority: Priority::Timer })),
        effects: Vec::new(),
        recalls: Vec::new(),
        resolved: Vec::new(),
        opened: Vec::new(),
        closed: Vec::new(),
        consumed: Vec::new(),
        news: Vec::new(),
    }
}

pub(super) fn effect(n: usize, customer: usize) -> NewEffect {
    NewEffect {
        id: effect_id(n),
        customer: customer_id(customer),
        invoice: invoice_id(customer),
        lane: "email".to_owned(),
        payload: "{}".to_owned(),
        birth: Birth::Ready { due_at: at(10) },
    }
}

pub(super) fn task(n: usize) -> OpenTask {
    OpenTask {
        id: TaskId::derive(&[&n.to_string()]),
        kind: "call".to_owned(),
        subject: "Call them".to_owned(),
        stage: "friendly".to_owned(),
        step: "call".to_owned(),
        assignee: "collections".to_owned(),
        by: Vec::new(),
        outcomes: vec!["promise".to_owned(), "no_answer".to_owned()],
        seen: Hash::of(b"seen"),
        opened_at: at(5),
        limit_at: Some(at(500)),
        together: Some(GroupId::derive(&["one call"])),
    }
}

pub(super) fn event(key: &str, no: CaseNo, second: i64) -> NewEvent {
    NewEvent { no, id: EventId::derive(&[key]), at: at(second), body: format!("{{\"key\":\"{key}\"}}") }
}

pub(super) fn contact(n: usize, customer: usize, second: i64) -> ContactRow {
    ContactRow {
        id: effect_id(n).to_string(),
        customer: customer_id(customer),
        invoice: invoice_id(customer),
        no: CaseNo(1),
        channel: "email".to_owned(),
        class: "dunning".to_owned(),
        stage: "friendly".to_owned(),
        step: "first".to_owned(),
        group: GroupId::derive(&["g"]),
        at: at(second),
        local_on: on("2026-01-01"),
        state: "claimed".to_owned(),
        talk: false,
    }
}
