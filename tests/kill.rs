//! The real binary killed at random moments and started again, until it is done: nothing lost, nothing repeated.
//!
//! Contacts, tasks, outcomes and balances are compared with those of an undisturbed run.

use crate::program::Home;
use crate::world::said;
use recobro_kernel::ids::InvoiceId;
use recobro_kernel::time::Timestamp;
use recobro_store::{CaseNo, Options, Store, cases, contacts, invoices, tasks};
use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// `SplitMix64`: where to kill.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Runs until done or until the moment comes; whether it was killed.
fn run_or_kill(home: &Home, args: &[&str], after: Option<Duration>) -> bool {
    let mut child = home.command(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let id = child.id();
    let stderr = child.stderr.take();
    let (done, ended) = channel();
    let waiter = std::thread::spawn(move || {
        let said = stderr.map(std::io::read_to_string).map(Result::unwrap_or_default).unwrap_or_default();
        let status = child.wait().unwrap();
        // The other side has gone only after it killed the child.
        let _ = done.send((status, said));
        drop(child);
    });
    let answer = match after {
        Some(after) => ended.recv_timeout(after),
        None => ended.recv().map_err(|_| RecvTimeoutError::Disconnected),
    };
    let killed = answer.is_err();
    if let Ok((status, said)) = answer {
        assert!(status.success(), "recobro {} ended with {status}\n{said}", args.join(" "));
    } else {
        // A child that ended in the same instant cannot be killed any more; the next round sees it finished.
        let _ = std::process::Command::new("kill").args(["-9", &id.to_string()]).status().unwrap();
    }
    waiter.join().unwrap();
    killed
}

/// Everything that must be the same, sorted.
async fn dump(home: &Home) -> Result<BTreeSet<String>, String> {
    let url = format!("sqlite://{}", home.path().join("r.db").display());
    let store = Store::open(&url, Options { durable: false, create: false }).await.map_err(said)?;
    let mut tx = store.read().await.map_err(said)?;
    let mut lines = BTreeSet::new();
    let mut ids: Vec<InvoiceId> = Vec::new();
    for row in cases::list(&mut tx, &cases::Filter::default(), CaseNo(0), 100_000).await.map_err(said)? {
        lines.insert(format!("case {} {} {:?} {:?} {}", row.invoice, row.playbook, row.status, row.outcome, row.step));
        ids.push(row.invoice);
    }
    for row in contacts::list(&mut tx, (Timestamp::from_us(0), ""), 1_000_000).await.map_err(said)? {
        lines.insert(format!(
            "contact {} {} {} {} {} {}",
            row.id, row.invoice, row.step, row.channel, row.at, row.state
        ));
    }
    for row in tasks::list(&mut tx, &tasks::Filter::default(), None, 1_000_000).await.map_err(said)? {
        lines.insert(format!("task {} {} {} {:?}", row.task.id, row.invoice, row.task.subject, row.outcome));
    }
    for row in invoices::get(&mut tx, &ids).await.map_err(said)?.into_values() {
        lines.insert(format!("balance {} {}", row.id, row.balance_minor));
    }
    drop(tx);
    store.close().await;
    Ok(lines)
}

fn dumped(home: &Home) -> BTreeSet<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(dump(home)).unwrap()
}

/// Files that left, by name: one per effect.
fn outbox(home: &Home) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders = vec![home.path().join("outbox")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                names.insert(path.strip_prefix(home.path()).unwrap().display().to_string());
            }
        }
    }
    names
}

/// Runs one command undisturbed in one home and killed at random in another; both must end alike.
fn compare(args: &[&str], kills: u32, seed: u64, prepare: impl Fn(&Home)) {
    let calm = Home::new();
    prepare(&calm);
    let started = Instant::now();
    assert!(!run_or_kill(&calm, args, None));
    let whole = u64::try_from(started.elapsed().as_micros()).unwrap();
    let shaken = Home::new();
    prepare(&shaken);
    let mut dice = Dice(seed);
    let mut killed = 0;
    while killed < kills {
        // A whole run's length and a little more, so that the late moments are hit as well.
        let after = Duration::from_micros(dice.roll() % (whole + whole / 10));
        if run_or_kill(&shaken, args, Some(after)) {
            killed += 1;
        } else if killed < kills {
            // It got through: the rest of the kills hit a run that starts over on a finished database.
            assert_eq!(dumped(&shaken).len(), dumped(&calm).len(), "a finished run changes nothing");
        }
    }
    run_or_kill(&shaken, args, None);
    let (expected, found) = (dumped(&calm), dumped(&shaken));
    let lost: Vec<_> = expected.difference(&found).take(20).collect();
    let more: Vec<_> = found.difference(&expected).take(20).collect();
    assert!(lost.is_empty() && more.is_empty(), "after {killed} kills\nlost {lost:#?}\nmore {more:#?}");
    assert!(expected.iter().any(|line| line.starts_with("contact")), "there was something to lose");
    assert_eq!(outbox(&calm), outbox(&shaken), "every message is one file");
}

#[test]
fn a_demo_killed_thirty_times_ends_as_if_it_never_was() {
    let args = ["demo", "--exit", "--quiet", "--invoices", "60", "--db", "sqlite://r.db"];
    compare(&args, 30, 1, |_| {});
}

#[test]
fn a_run_killed_twenty_five_times_ends_as_if_it_never_was() {
    let args = ["run", "--virtual", "--quiet", "--until", "2026-09-30", "--db", "sqlite://r.db"];
    compare(&args, 25, 2, |home| {
        portfolio(home);
        for kind in ["customers", "invoices", "payments", "disputes", "promises"] {
            let file = format!("{kind}.csv");
            home.data(&["import", kind, &file, "--quiet", "--db", "sqlite://r.db"]);
        }
    });
}

/// A small portfolio of an organisation's own files.
fn portfolio(home: &Home) {
    use std::fmt::Write as _;
    let mut dice = Dice(9);
    let first: chrono::NaiveDate = "2026-01-07".parse().unwrap();
    let day = |n: u64| first.checked_add_days(chrono::Days::new(n)).unwrap();
    let mut customers = "id,name,kind,segment,country,email,sms,letter\n".to_owned();
    for n in 0..10 {
        let country = ["ES", "PT", "DE"][n % 3];
        let _ = writeln!(
            customers,
            "K{n},Kunde {n},business,standard,{country},k{n}@cliente.example,+34 60000000{n},Calle {n}"
        );
    }
    let mut invoices = "number,customer,issued,due,amount,currency\n".to_owned();
    let mut payments = "id,invoice,amount,currency,on\n".to_owned();
    let mut disputes = "id,invoice,opened,closed,reason,outcome\n".to_owned();
    let mut promises = "id,customer,invoices,made_on,date\n".to_owned();
    for n in 0..40 {
        let issued = dice.roll() % 120;
        let euros = 60 + dice.roll() % 9_000;
        let customer = n % 10;
        let _ = writeln!(invoices, "A{n},K{customer},{},{},{euros}.00,EUR", day(issued), day(issued + 30));
        match n % 5 {
            0 => {}
            1 => {
                let _ = writeln!(payments, "P{n},A{n},{euros}.00,EUR,{}", day(issued + 20));
            }
            2 => {
                let _ = writeln!(payments, "P{n},A{n},{}.00,EUR,{}", euros / 2, day(issued + 45));
            }
            3 => {
                let _ = writeln!(promises, "T{n},K{customer},A{n},{},{}", day(issued + 40), day(issued + 50));
                let _ = writeln!(payments, "P{n},A{n},{euros}.00,EUR,{}", day(issued + 70));
            }
            _ => {
                let _ = writeln!(disputes, "D{n},A{n},{},{},quality,rejected", day(issued + 35), day(issued + 55));
                let _ = writeln!(payments, "P{n},A{n},{euros}.00,EUR,{}", day(issued + 90));
            }
        }
    }
    for (name, text) in [
        ("customers", customers),
        ("invoices", invoices),
        ("payments", payments),
        ("disputes", disputes),
        ("promises", promises),
    ] {
        std::fs::write(home.path().join(format!("{name}.csv")), text).unwrap();
    }
}
