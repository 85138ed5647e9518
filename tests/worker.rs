//! `recobro worker` as a process, in real time, with a mail relay on loopback: what is due leaves, at night and after a
//! payment nothing does, and a signal ends it with exit code 0.

use crate::program::Home;
use recobro_engine::Clock;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The longest that a process may take for what it does at once.
const PATIENCE: Duration = Duration::from_mins(1);

/// A relay that takes everything.
struct Relay {
    port: u16,
    taken: Arc<Mutex<Vec<String>>>,
}

impl Relay {
    fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let taken: Arc<Mutex<Vec<String>>> = Arc::default();
        let all = Arc::clone(&taken);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let taken = Arc::clone(&all);
                // A connection that breaks off has said everything it had to say.
                std::thread::spawn(move || drop(speak(&stream, &taken)));
            }
        });
        Self { port, taken }
    }

    fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }
}

fn speak(stream: &TcpStream, taken: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let mut out = stream;
    out.write_all(b"220 relay.example ESMTP\r\n")?;
    while let Some(line) = lines.next() {
        let answer = match line?.split_whitespace().next().unwrap_or_default() {
            "EHLO" => "250-relay.example\r\n250 8BITMIME\r\n",
            "DATA" => {
                out.write_all(b"354 go ahead\r\n")?;
                let message = lines.by_ref().map_while(Result::ok).take_while(|line| line != ".");
                taken.lock().unwrap().push(message.collect::<Vec<_>>().join("\n"));
                "250 queued\r\n"
            }
            "QUIT" => return out.write_all(b"221 bye\r\n"),
            _ => "250 ok\r\n",
        };
        out.write_all(answer.as_bytes())?;
    }
    Ok(())
}

/// Asks until it is so.
fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sends a signal and answers the exit code.
fn end(child: &mut Child, signal: &str) -> Option<i32> {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let mut code = None;
    wait_for("the worker ends", || {
        code = child.try_wait().unwrap();
        code.is_some()
    });
    code.and_then(|status| status.code())
}

const PLAYBOOK: &str = "\
playbook: loopback
version: 1
title: One reminder
owner: credit-control
currency: EUR
calendar: house
policy: [eu-b2b]
applies_to: {customer.kind: business, priority: 90}
contact: {locales: [= customer.locale, en], hours: 09:00-18:00}
defaults:
  on_error: {task: fix-delivery, assign: credit-control, within: 1 working day}
stages:
  - stage: only
    steps:
      - {send: overdue-first, day: 1, via: [email]}
      - {send: statement-of-account, day: 60, via: [email]}
      - finish: uncollected
whenever:
  - event: invoice.paid
    then: {finish: paid}
";

/// The shipped library with one playbook more, where every day is a working day, so that the test passes on any.
fn project(home: &Home) {
    let folder = home.path().join("project");
    std::fs::create_dir(&folder).unwrap();
    for part in ["workflows", "scripts"] {
        let from = crate::program::root().join(part);
        assert!(Command::new("cp").arg("-r").args([&from, &folder]).status().unwrap().success());
    }
    std::fs::write(folder.join("workflows/loopback.yaml"), PLAYBOOK).unwrap();
    let house = folder.join("workflows/calendars/house.yaml");
    let text = std::fs::read_to_string(&house).unwrap();
    let text = text.replace("[mon, tue, wed, thu, fri]", "[mon, tue, wed, thu, fri, sat, sun]");
    std::fs::write(house, text.replace("[\"01-01\", \"12-25\"]", "[]")).unwrap();
}

/// The zone where it is about this hour now.
fn zone_at(hour: i64) -> chrono_tz::Tz {
    let utc = Clock::Real.now().as_us().div_euclid(3_600_000_000).rem_euclid(24);
    let east = (hour - utc + 12).rem_euclid(24) - 12;
    // The names of these zones count westwards.
    format!("Etc/GMT{:+}", -east).parse().unwrap()
}

/// A customer where it is noon, one where it is midnight, and one at noon who pays; each owes since yesterday.
fn import(home: &Home, run: &dyn Fn(&[&str])) {
    let (noon, night) = (zone_at(12), zone_at(0));
    let file = |name: &str, text: String| std::fs::write(home.path().join(name), text).unwrap();
    let mut customers = "id,name,kind,segment,country,locale,time_zone,email\n".to_owned();
    let mut invoices = "number,customer,issued,due,amount,currency\n".to_owned();
    let mut today = String::new();
    for (name, zone) in [("noon", noon), ("night", night), ("payer", noon)] {
        let date = Clock::Real.now().date_in(zone);
        let due = date.checked_sub_days(chrono::Days::new(1)).unwrap();
        let issued = date.checked_sub_days(chrono::Days::new(31)).unwrap();
        let _ = writeln!(customers, "{name},{name},business,standard,SE,en,{zone},{name}@cliente.example");
        let _ = writeln!(invoices, "I-{name},{name},{issued},{due},900.00,EUR");
        today = date.to_string();
    }
    file("customers.csv", customers);
    file("invoices.csv", invoices);
    file("payments.csv", format!("id,invoice,amount,currency,on\nP-1,I-payer,900.00,EUR,{today}\n"));
    for kind in ["customers", "invoices", "payments"] {
        run(&["import", kind, &format!("{kind}.csv"), "--quiet"]);
    }
}

fn at_work(signal: &str) {
    let (home, relay) = (Home::new(), Relay::listen());
    project(&home);
    let command = |args: &[&str]| {
        let mut command = home.command(args);
        command.env("RECOBRO_MAIL_TRANSPORT", format!("smtp+plain://127.0.0.1:{}", relay.port));
        command.env("RECOBRO_PROJECT", Path::new("project"));
        command
    };
    let run = |args: &[&str]| {
        let output = command(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", crate::program::text(&output.stderr));
    };
    import(&home, &run);
    let mut worker = command(&["worker"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("a reminder leaves", || !relay.taken().is_empty());
    assert_eq!(end(&mut worker, signal), Some(0), "{signal} is no failure");
    // What is due now and was not reached before the signal is done by `run`: there is nothing more to send.
    run(&["run", "--quiet"]);
    let taken = relay.taken();
    assert_eq!(taken.len(), 1, "{taken:#?}");
    assert!(taken[0].contains("noon@cliente.example"), "{}", taken[0]);
    let cases = home.data(&["case", "list", "--json"]);
    let of = |invoice: &str| cases.lines().find(|line| line.contains(invoice)).unwrap_or_default().to_owned();
    assert_eq!(of("I-payer"), "", "paid before it was looked at: there is nothing to dun");
    assert!(of("I-night").contains("\"step\":\"overdue-first\""), "it waits for the morning: {cases}");
    assert!(of("I-noon").contains("\"step\":\"statement-of-account\""), "{cases}");
}

/// One process owns an SQLite file; an opt-out does not wait until it ends.
#[test]
fn an_opt_out_is_taken_beside_a_worker_that_owns_the_database() {
    let home = Home::new();
    let file = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    file("customers.csv", "id,name,country,email\nC1,Acme SL,ES,a@example.com\n");
    home.data(&["import", "customers", "customers.csv"]);
    let inbox = home.path().join("recobro.db.inbox");
    let mut worker = home.command(&["worker"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("the worker opens its inbox", || inbox.is_dir());
    let said = home.data(&["consent", "withdraw", "C1", "--channel", "email"]);
    assert!(said.contains("a worker owns the database"), "{said}");
    wait_for("the worker takes it", || std::fs::read_dir(&inbox).unwrap().count() == 0);
    assert_eq!(end(&mut worker, "-TERM"), Some(0));
    assert!(!inbox.exists(), "nobody takes entries any more");
    home.data(&["run", "--quiet"]);
    let list = home.data(&["consent", "list", "C1"]);
    assert!(list.contains("email     dunning withdrawn, courtesy withdrawn"), "{list}");
}

/// A worker that was killed leaves its folder behind; what is in it is taken by whoever works next.
#[test]
fn what_was_left_for_a_worker_that_died_is_not_lost() {
    let home = Home::new();
    std::fs::write(home.path().join("customers.csv"), "id,name,country,email\nC1,Acme SL,ES,a@example.com\n").unwrap();
    home.data(&["import", "customers", "customers.csv"]);
    let inbox = home.path().join("recobro.db.inbox");
    let mut worker = home.command(&["worker"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("the worker opens its inbox", || inbox.is_dir());
    // Stopped, it holds the file and takes nothing.
    let signal = |name: &str| Command::new("kill").args([name, &worker.id().to_string()]).status().unwrap();
    assert!(signal("-STOP").success());
    home.data(&["consent", "withdraw", "C1", "--channel", "email"]);
    assert!(signal("-KILL").success());
    worker.wait().unwrap();
    home.data(&["run", "--quiet"]);
    let list = home.data(&["consent", "list", "C1"]);
    assert!(list.contains("email     dunning withdrawn, courtesy withdrawn"), "{list}");
}

#[test]
fn a_worker_sends_what_is_due_and_ends_at_sigterm() {
    at_work("-TERM");
}

#[test]
fn a_worker_sends_what_is_due_and_ends_at_ctrl_c() {
    at_work("-INT");
}
