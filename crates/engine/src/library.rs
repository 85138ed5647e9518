//! The playbooks in use: current ones by name for new cases, pinned ones by bundle for running cases, and the law.
//!
//! Logic is pinned, the law is not: a case keeps its bundle and its templates; calendars and policies are always the
//! newest. A bundle that no longer compiles is refused, never reinterpreted.

use crate::Error;
use recobro_connectors::template::Templates;
use recobro_kernel::facts::Registry;
use recobro_kernel::guard::policy::Kind;
use recobro_kernel::ids::Hash;
use recobro_kernel::law::Law;
use recobro_kernel::money::{Currency, Money};
use recobro_kernel::time::Unit;
use recobro_playbook::{Compiled, Files, Library, Selection, Statements};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// A pinned playbook with the templates of its bundle.
pub(crate) struct Bundle {
    /// Playbook and rules.
    pub(crate) compiled: Arc<Compiled>,
    /// Templates as published.
    pub(crate) templates: Arc<Templates>,
    /// What they state, of what policies may demand.
    pub(crate) statements: Arc<Statements>,
}

/// What a case is pinned to: logic and templates.
pub(crate) type Pin = (Hash, Hash);

/// Playbooks, templates and law of this process.
pub(crate) struct Shelf {
    /// The newest law.
    pub(crate) law: Arc<Law>,
    /// Current playbooks: what new cases are offered to, ordered by name.
    pub(crate) current: Vec<Arc<Compiled>>,
    /// The table that picks among them, where the project has one.
    pub(crate) selection: Option<Arc<Selection>>,
    /// The facts that it reads.
    pub(crate) facts: Arc<Registry>,
    pinned: Mutex<HashMap<Pin, Arc<Bundle>>>,
}

impl Shelf {
    /// Puts a checked library on the shelf.
    pub(crate) fn new(library: &Library) -> Self {
        let mut current = library.playbooks.clone();
        current.sort_by(|a, b| a.playbook.name.cmp(&b.playbook.name));
        let templates = Arc::new(Templates::load(&library.templates).0);
        let statements = Arc::new(Statements::of(&library.templates));
        let pinned = current.iter().map(|compiled| {
            let (compiled_here, templates) = (Arc::clone(compiled), Arc::clone(&templates));
            let bundle = Bundle { compiled: compiled_here, templates, statements: Arc::clone(&statements) };
            (pin(compiled), Arc::new(bundle))
        });
        Self {
            law: Arc::clone(&library.law),
            pinned: Mutex::new(pinned.collect()),
            current,
            selection: library.selection.clone(),
            facts: Arc::clone(&library.facts),
        }
    }

    /// The bundle of a pin, if it is on the shelf.
    pub(crate) fn get(&self, pin: Pin) -> Option<Arc<Bundle>> {
        self.pinned.lock().expect("no panic under this lock").get(&pin).cloned()
    }

    /// The current bundle of a name.
    pub(crate) fn current_bundle(&self, name: &str) -> Option<Arc<Bundle>> {
        self.get(pin(self.current.iter().find(|compiled| compiled.playbook.name == name)?))
    }

    /// Whether any playbook counts small rests as paid.
    pub(crate) fn has_tolerance(&self) -> bool {
        let pinned = self.pinned.lock().expect("no panic under this lock");
        pinned.values().any(|bundle| !bundle.compiled.playbook.tolerance.is_zero())
    }

    /// The tolerance of a pinned playbook, minor units.
    pub(crate) fn tolerance_minor(&self, pin: Pin, name: &str, currency: Currency) -> i64 {
        let Some(bundle) = self.get(pin).or_else(|| self.current_bundle(name)) else { return 0 };
        let text = bundle.compiled.playbook.tolerance.to_string();
        Money::parse(&text, currency).map_or(0, |money| money.minor)
    }

    /// Compiles a bundle from its stored sources and puts it on the shelf.
    ///
    /// # Errors
    /// [`Error::Bundle`] with the first diagnostic.
    pub(crate) fn load(&self, pin: Pin, name: &str, sources: &Files) -> Result<Arc<Bundle>, Error> {
        let compiled = recobro_playbook::compile_one(sources, name).map_err(|problems| Error::Bundle {
            name: name.to_owned(),
            bundle: pin.0.short(),
            cause: problems
                .first()
                .map_or_else(|| "no diagnostic".to_owned(), |d| format!("{}:{}: {}", d.file, d.line, d.message)),
        })?;
        let templates = Arc::new(Templates::load(sources).0);
        let statements = Arc::new(Statements::of(sources));
        let bundle = Arc::new(Bundle { compiled, templates, statements });
        self.pinned.lock().expect("no panic under this lock").insert(pin, Arc::clone(&bundle));
        Ok(bundle)
    }

    /// Days back that any cap, gap or fact of the current playbooks and policies looks: how much of the contact ledger a turn reads.
    pub(crate) fn contact_days(&self) -> i64 {
        let days = |span: recobro_kernel::time::Span| match span.unit {
            Unit::Minutes | Unit::Hours => 1,
            Unit::Days => span.count,
            Unit::WorkingDays => span.count * 2 + 4,
            Unit::Weeks => span.count * 7,
            Unit::Months => span.count * 31,
        };
        let rules = self.current.iter().map(|compiled| &compiled.playbook.contact);
        let law = self.law.policies.values().flat_map(|policy| &policy.rules).filter_map(|rule| match rule.kind {
            Kind::Frequency { per, .. } => Some(per),
            Kind::Gap { gap, .. } => Some(gap),
            _ => None,
        });
        let spans = rules.flat_map(|rule| rule.caps.iter().map(|cap| cap.per).chain(rule.min_gap)).chain(law);
        spans.map(days).max().unwrap_or(0).max(CONTACT_DAYS_MIN)
    }
}

/// Facts such as `contacts.calls` look back at least so far.
const CONTACT_DAYS_MIN: i64 = 90;

/// What a case of this playbook is pinned to.
pub(crate) fn pin(compiled: &Compiled) -> Pin {
    (compiled.playbook.bundle, compiled.playbook.content)
}
