//! The guard against an independent checker: random playbooks, people, clocks, zones and outages. Nothing leaves that the
//! checker forbids, and nothing that it allows is held for ever.

mod books;
mod dates;
mod judge;
mod law;
mod play;
mod portfolio;
mod random;

use books::Book;
use chrono::NaiveDate;
use judge::Complaint;
use play::{How, Played, play};
use random::Random;
use recobro_playbook::Library;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Playbooks of one library.
const BOOKS: usize = 8;

/// Days that worlds begin on: both changes of the clock, Christmas, Easter, the truce and its end.
const STARTS: &[&str] = &["2025-10-06", "2025-12-08", "2026-02-16", "2026-03-23", "2026-05-04", "2026-08-31"];

/// A library with the playbooks in it.
struct Shelf {
    books: Vec<Book>,
    library: Library,
    /// Who wants what by which channel is as if everybody had asked for everything.
    asked_for: bool,
}

fn shelf_of(seed: u64, asked_for: bool, change: &dyn Fn(&str, &str) -> Option<String>) -> Shelf {
    let mut random = Random::of(seed);
    let books: Vec<Book> = (0..BOOKS).map(|number| books::book(&mut random, number)).collect();
    let spoil = |name: &str, text: &str| {
        let text = change(name, text).unwrap_or_else(|| text.to_owned());
        let opened = asked_for && name.starts_with("workflows/policies/");
        Some(if opened { text.replace("needs: opted_in", "needs: not_opted_out") } else { text })
    };
    let library = books::library(&books, &spoil);
    Shelf { books, library, asked_for }
}

/// Plays one world.
async fn world(shelf: &Shelf, seed: u64, how: How) -> Played {
    let mut random = Random::of(seed);
    let start: NaiveDate = random.word(STARTS).parse().unwrap();
    let portfolio = portfolio::portfolio(&mut random, start, 6, shelf.books.len());
    let mut played = play(&portfolio, &shelf.library, (start, 110), seed, how).await;
    played.facts.own = shelf.books.iter().map(|book| book.own.clone()).collect();
    if shelf.asked_for {
        played.facts.everybody_asked_for_everything();
    }
    played
}

fn tally(complaints: &[Complaint]) -> BTreeMap<&'static str, usize> {
    let mut tally = BTreeMap::new();
    for complaint in complaints {
        *tally.entry(complaint.rule).or_default() += 1;
    }
    tally
}

async fn show(name: &str, seeds: std::ops::Range<u64>, shelf: &Shelf, deaf: bool) {
    for seed in seeds {
        let how = How { rounds: seed % 5 == 4, rough: seed % 2 == 1, deaf };
        let started = std::time::Instant::now();
        let played = world(shelf, seed, how).await;
        let complaints = played.facts.complaints();
        println!(
            "{name} seed {seed} {how:?} {:?}: {} contacts, {} acts, {:?}",
            started.elapsed(),
            played.facts.contacts.len(),
            played.facts.acts.len(),
            tally(&complaints)
        );
        for complaint in complaints.iter().take(3) {
            println!("   {}", played.facts.report(complaint));
        }
    }
}

#[tokio::test]
async fn probe() {
    let shelf = shelf_of(1, true, &|_, _| None);
    show("plain", 24..26, &shelf, false).await;
    for n in 4..8 {
        let shelf = shelf_of(n, true, &|_, _| None);
        show("more", n*100..n*100+10, &shelf, false).await;
    }
}

#[tokio::test]
async fn probe2() {
    let shelf = shelf_of(2, true, &|name, text| {
        name.starts_with("workflows/policies/").then(|| {
            let head = text.split("rules:\n").next().unwrap();
            format!("{head}rules:\n  - {{rule: none, kind: retention, params: {{keep: 1 month}}, source: nobody, confidence: house}}\n")
        })
    });
    show("lawless", 0..3, &shelf, false).await;
    let shelf = shelf_of(2, true, &|_, _| None);
    show("deaf", 0..3, &shelf, true).await;
    for n in 8..12 {
        let shelf = shelf_of(n, true, &|_, _| None);
        show("more", n*100..n*100+10, &shelf, false).await;
    }
}
