//! The guard against an independent checker: random playbooks, scripts, people, clocks, zones and outages. No contact
//! leaves that the checker forbids, and none that it allows is held for ever (`alive.rs` states the bound).
//!
//! Calls are judged where the number is shown, whoever ordered them: in rounds people ask for it, at odd hours too, and
//! what is not shown though nothing forbids it is told as well. In a virtual run nobody opens a number: there the
//! opening of a call's work is judged, and only that of a stage.

mod alive;
mod books;
mod dates;
mod judge;
mod law;
mod play;
mod portfolio;
mod random;
mod staff;
mod workers;

use books::Book;
use chrono::NaiveDate;
use judge::Complaint;
use play::{How, Played, play};
use random::Random;
use recobro_kernel::guard::policy::Collector;
use recobro_playbook::Library;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Worlds of a virtual run, and of rounds as in real time. A campaign raises them: a thousand take a quarter of an hour.
const VIRTUAL: u64 = 24;
const ROUNDS: u64 = 6;

/// Worlds that share a library, and playbooks in it.
const SHARE: u64 = 6;
const BOOKS: usize = 8;

/// Worlds in which a spoilt law must be noticed.
const SPOILT: u64 = 8;

/// Days that worlds begin on: both changes of the clock, Christmas, Easter, the truce and its end.
const STARTS: &[&str] = &["2025-10-06", "2025-12-08", "2026-02-16", "2026-03-23", "2026-05-04", "2026-08-31"];

/// A library with the playbooks in it.
struct Shelf {
    books: Vec<Book>,
    library: Library,
    /// The law does not ask whether somebody wanted a channel, as if everybody had: Colombia would hear nothing else.
    asked_for: bool,
}

/// How the law's files are spoilt.
type Spoil<'s> = &'s dyn Fn(&str) -> String;

fn as_it_is(text: &str) -> String {
    text.to_owned()
}

fn shelf_of(number: u64, spoil: Spoil<'_>) -> Shelf {
    let mut random = Random::of(number);
    let books: Vec<Book> = (0..BOOKS).map(|number| books::book(&mut random, number)).collect();
    let asked_for = number % 3 != 2;
    let law = |name: &str, text: &str| {
        let spoilt = (name.starts_with("workflows/policies/")).then(|| spoil(text))?;
        // The examples would no longer hold.
        let spoilt = spoilt.split("\nexamples:").next().unwrap().to_owned() + "\n";
        Some(if asked_for { spoilt.replace("needs: opted_in", "needs: not_opted_out") } else { spoilt })
    };
    let mut library = books::library(&books, &law);
    // Every other one collects for others: every rule binds them as well.
    if number % 2 == 1 {
        Arc::make_mut(&mut library.law).collector = Collector::ThirdParty;
    }
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

/// As many worlds as a long campaign asks for (`cargo xtask soak`), else as many as every change can bear.
fn soaked(worlds: u64) -> u64 {
    std::env::var("RECOBRO_SOAK").map_or(worlds, |text| text.parse().expect("RECOBRO_SOAK is a number of worlds"))
}

/// Plays worlds and says what the checker has against them. Every other one is rough; in rounds people open the number
/// before they answer for a call.
async fn campaign(worlds: u64, rounds: bool) {
    let worlds = soaked(worlds);
    let (mut contacts, mut acts, mut against) = (0, 0, Vec::new());
    let mut shelf = shelf_of(0, &as_it_is);
    for seed in 0..worlds {
        if seed % SHARE == 0 {
            shelf = shelf_of(seed / SHARE, &as_it_is);
            eprintln!("world {seed} of {worlds}, rounds: {rounds}, {contacts} contacts, {} complaints", against.len());
        }
        let how = How { rounds, rough: seed % 2 == 1, dials: rounds, ..How::default() };
        let played = world(&shelf, seed, how).await;
        contacts += played.facts.contacts.len();
        acts += played.facts.acts.len();
        let mut complaints = played.facts.complaints();
        complaints.extend(alive::complaints(&played, &shelf.books).await);
        let told = |one: &Complaint| format!("world {seed}, {how:?}: {}", played.facts.report(one));
        against.extend(complaints.iter().map(told));
    }
    let many = usize::try_from(worlds).unwrap();
    assert!(contacts > 40 * many && acts > many, "{contacts} contacts and {acts} acts prove little");
    assert!(against.is_empty(), "{} complaints\n{}", against.len(), against.join("\n"));
}

#[tokio::test]
async fn no_virtual_run_does_what_the_checker_forbids_or_holds_what_it_allows() {
    campaign(VIRTUAL, false).await;
}

#[tokio::test]
async fn no_worker_does_what_the_checker_forbids_or_holds_what_it_allows() {
    campaign(ROUNDS, true).await;
}

fn tally(complaints: &[Complaint]) -> BTreeMap<&'static str, usize> {
    let mut tally = BTreeMap::new();
    for complaint in complaints {
        *tally.entry(complaint.rule).or_default() += 1;
        if complaint.text.contains("Opened(") {
            *tally.entry("a number was shown").or_default() += 1;
            if complaint.text.contains("`whenever/") {
                *tally.entry("a handler's number was shown").or_default() += 1;
            }
        }
    }
    tally
}

/// The worlds of the campaign under a spoilt law, until the checker has noticed each of these.
async fn notices(expected: &[&str], numbers: &[u64], how: How, spoil: Spoil<'_>) {
    let mut seen: BTreeMap<&'static str, usize> = BTreeMap::new();
    for number in numbers {
        let shelf = shelf_of(*number, spoil);
        for seed in number * SHARE..number * SHARE + SPOILT {
            let played = world(&shelf, seed, how).await;
            for (rule, count) in tally(&played.facts.complaints()) {
                *seen.entry(rule).or_default() += count;
            }
            if expected.iter().all(|rule| seen.contains_key(rule)) {
                return;
            }
        }
    }
    panic!("the checker noticed {seen:?}, and not all of {expected:?}");
}

#[tokio::test]
async fn the_checker_notices_a_law_without_hours() {
    let spoil = |text: &str| text.replace("\"08:00\"", "\"00:00\"").replace("\"20:00\"", "\"23:00\"");
    notices(&["EU hours", "UK hours"], &[0, 1], How::default(), &spoil).await;
}

#[tokio::test]
async fn the_checker_notices_wrong_caps() {
    let spoil = |text: &str| text.replace("most: 1,", "most: 9,").replace("most: 2,", "most: 9,");
    notices(&["EU one a day", "CL one call"], &[0, 1, 3], How::default(), &spoil).await;
}

#[tokio::test]
async fn the_checker_notices_wrong_distances() {
    let spoil = |text: &str| text.replace("gap: 7 days", "gap: 1 day").replace("gap: 2 days", "gap: 1 day");
    notices(&["EU after a talk"], &[0, 1, 3], How::default(), &spoil).await;
}

#[tokio::test]
async fn the_checker_notices_who_hears_of_no_payment_and_of_no_time_that_does_not_suit() {
    notices(&["paid", "inconvenient"], &[0], How { deaf: true, ..How::default() }, &as_it_is).await;
}

#[tokio::test]
async fn the_checker_notices_acts_that_nobody_approved() {
    let spoil = |text: &str| {
        let less = ["outsource, escalate, ", "escalate, outsource, "].iter();
        less.fold(text.replace("outsource, escalate, ledger", "ledger"), |text, both| text.replace(both, ""))
    };
    notices(&["human decision"], &[0, 1, 3], How::default(), &spoil).await;
}

#[tokio::test]
async fn the_checker_notices_channels_that_nobody_asked_for() {
    notices(&["CO channels"], &[2, 5], How::default(), &|text| text.replace("needs: opted_in", "needs: not_opted_out"))
        .await;
}

#[tokio::test]
async fn the_checker_notices_numbers_that_are_shown_at_any_hour() {
    let spoil = |text: &str| {
        let open = text.replace("\"08:00\"", "\"00:00\"").replace("\"20:00\"", "\"23:00\"");
        open.replace("gap: 7 days", "gap: 1 day").replace("\"21:00\"", "\"23:59\"")
    };
    let how = How { rounds: true, dials: true, deaf: true, ..How::default() };
    notices(&["a number was shown", "a handler's number was shown"], &[0, 1, 3], how, &spoil).await;
}

#[tokio::test]
async fn the_checker_notices_rules_that_nobody_lifted() {
    notices(&["EU hours"], &[0, 1, 3], How { secret: true, ..How::default() }, &as_it_is).await;
}

#[tokio::test]
async fn the_checker_notices_a_law_that_those_who_collect_for_others_escape() {
    let spoil = |text: &str| text.replace("policy: us-reg-f\n", "policy: us-reg-f\ncollector_role: first_party\n");
    notices(&["US hours"], &[1, 3, 5], How::default(), &spoil).await;
}
