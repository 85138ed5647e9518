//! What every load stands on: a database, a library of one playbook, customers and invoices.

use anyhow::{Context, bail};
use chrono::NaiveDate;
use recobro_connectors::channel::{self, LANES};
use recobro_connectors::source::record::{Customer, Invoice, Record};
use recobro_engine::{Channels, Clock, Engine, Settings};
use recobro_kernel::money::{Currency, Money};
use recobro_playbook::Library;
use recobro_store::{Options, Store};
use std::collections::BTreeMap;
use std::path::Path;

/// The shipped library with this playbook in place of its own: calendars, policies and requests are all in force.
pub(crate) fn library(playbook: &str) -> anyhow::Result<Library> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = recobro_playbook::read_dir(&root)?;
    let is_playbook = |file: &str| file.starts_with("workflows/") && file.matches('/').count() == 1;
    files.retain(|file, _| !is_playbook(file) || file == "workflows/requests.yaml");
    files.insert("workflows/load.yaml".to_owned(), playbook.as_bytes().to_vec());
    let checked = recobro_playbook::check(&files);
    let errors: Vec<_> = checked.diagnostics.into_iter().filter(recobro_playbook::Diagnostic::is_error).collect();
    if !errors.is_empty() {
        bail!("{}", recobro_playbook::report::text(&errors, &files));
    }
    Ok(checked.library)
}

/// A worker in real time on a database, every lane open and taking everything.
pub(crate) async fn engine(url: &str, library: &Library, settings: Settings) -> anyhow::Result<Engine> {
    let store = Store::open(url, Options::default()).await.with_context(|| format!("opening {url}"))?;
    let mut channels = Channels::new();
    for lane in LANES {
        channels.insert((*lane).to_owned(), channel::open(&channel::Settings::new(lane, "null:"))?);
    }
    Ok(Engine::start(store, library, channels, settings, Clock::Real).await?)
}

/// A customer of the load.
pub(crate) fn customer(n: usize) -> Record {
    Record::Customer(Customer {
        id: format!("C{n:07}"),
        name: format!("Customer {n}"),
        kind: "business".to_owned(),
        segment: "standard".to_owned(),
        country: "ES".to_owned(),
        subdivision: None,
        locale: "en".to_owned(),
        time_zone: chrono_tz::Europe::Madrid,
        risk: None,
        account_manager: None,
        vulnerable: false,
        tags: Vec::new(),
        contact_points: Vec::new(),
        x: BTreeMap::new(),
    })
}

/// An invoice of a customer, issued and due on these days.
pub(crate) fn invoice(n: usize, customer: usize, (issued, due): (NaiveDate, NaiveDate)) -> Record {
    let euro: Currency = "EUR".parse().expect("a known currency");
    Record::Invoice(Invoice {
        id: format!("I{n:08}"),
        number: format!("N-{n:08}"),
        customer: format!("C{customer:07}"),
        issued,
        due,
        amount: Money::new(120_000, euro),
        product: String::new(),
        reference: String::new(),
        x: BTreeMap::new(),
        at: None,
    })
}
