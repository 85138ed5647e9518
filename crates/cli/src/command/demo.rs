//! `recobro demo`: a generated portfolio, played through the real engine and a real database.

use crate::demo::agents::Agents;
use crate::demo::bounces::Bounces;
use crate::demo::{news, portfolio, summary};
use crate::config::pasteable;
use crate::failure::{Doing, Exit, Failure};
use crate::out::{bar, grouped};
use crate::session::{Session, Wiring, interrupted};
use recobro_engine::clock::Stopwatch;
use recobro_engine::{Clock, Engine, Until};
use recobro_kernel::time::Timestamp;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use std::fmt::Write as _;

/// Folder of a demo without `--db`.
const FOLDER: &str = "recobro-demo";

/// Invoices of the sample portfolio, about.
const INVOICES: u32 = 2400;

/// Which sample portfolio.
const SEED: u64 = 42;

/// Arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Without --db a folder recobro-demo/ is made anew: the database, and outbox/ with every message.
With --db the demo goes on where it was, even after a crash. Without --exit it then goes on in real time,
from the last day of the year that was played, until interrupted.")]
pub(crate) struct Args {
    /// Stop after the year
    #[arg(long)]
    exit: bool,
    /// How many invoices, about
    #[arg(long, value_name = "N", default_value_t = INVOICES, hide = true)]
    invoices: u32,
    /// Another portfolio
    #[arg(long, value_name = "N", default_value_t = SEED, hide = true)]
    seed: u64,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    let own = *session.config.origin("db") == crate::config::Origin::Default;
    let wiring = if own { fresh()? } else { Wiring::default() };
    let portfolio = portfolio::make(args.seed, args.invoices);
    let engine = engine(session, &wiring).await?;
    let watch = Stopwatch::start();
    let records = news::records(&portfolio);
    session.out.say(&format!(
        "importing {} invoices of {} customers",
        grouped(portfolio.invoices.len() as u64),
        grouped(portfolio.customers.len() as u64)
    ));
    let received = engine.receive(news::SOURCE, &mut records.into_iter()).await?;
    if received.unchanged > 0 {
        session.out.say(&format!("{} of the records were there already", grouped(received.unchanged)));
    }
    let agents = Agents::new(&portfolio);
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        interrupted().await;
        // The receiver is gone only when the run has ended by itself.
        let _ = stop.send(true);
    });
    play(session, &engine, &agents, stopped.clone()).await?;
    if *stopped.borrow() {
        session.out.say(&format!("interrupted; {}", way_on(session, &wiring, &args)));
        return Ok(Exit::Ok);
    }
    let db = wiring.db.as_deref().unwrap_or(session.config.text("db"));
    // Its password is not written to a screen.
    let flags = format!("--db {} ", pasteable(db));
    let said = summary::of(engine.store(), &portfolio, portfolio::last_day(), &flags).await?;
    if session.out.is_json() {
        session.out.json(&said)?;
    } else {
        session.out.line(&said.text())?;
    }
    let outbox = wiring.outbox.as_deref().unwrap_or(session.config.text("outbox"));
    session.out.say(&format!("{:.1} s; every message is a file in {outbox}/", watch.seconds()));
    if !args.exit {
        go_on(session, &engine, &agents, stopped).await?;
        session.out.say(&format!("stopped; {}", way_on(session, &wiring, &args)));
    }
    Ok(Exit::Ok)
}

/// The command that goes on after an interruption. A demo without `--db` makes its folder anew, so said again it would
/// start over: the way on names the database and the outbox.
fn way_on(session: &Session, wiring: &Wiring, args: &Args) -> String {
    let (Some(db), Some(outbox)) = (&wiring.db, &wiring.outbox) else {
        return "the same command goes on".to_owned();
    };
    let mut rest = String::new();
    if args.exit {
        rest.push_str(" --exit");
    }
    if args.invoices != INVOICES {
        let _ = write!(rest, " --invoices {}", args.invoices);
    }
    if args.seed != SEED {
        let _ = write!(rest, " --seed {}", args.seed);
    }
    let outbox_variable = crate::config::variable_of("outbox");
    let command = session.again(&format!("--db {db} demo{rest}"));
    format!(
        "the database is {db}, the messages are in {outbox}/\n\
         next: {outbox_variable}={outbox} {command}    goes on; without --db it starts anew"
    )
}

/// A folder of its own, made anew; never under a demo that is at work.
fn fresh() -> Result<Wiring, Failure> {
    let folder = Path::new(FOLDER);
    std::fs::create_dir_all(folder).doing(Exit::Failed, || format!("cannot make {FOLDER}/"))?;
    let lock = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(folder.join("recobro.db.lock"))?;
    if lock.try_lock().is_err() {
        return Err(Failure::new(Exit::Unavailable, format!("another demo is at work in {FOLDER}/"))
            .help("stop it first, or use --db with a database of its own"));
    }
    let missing = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
    for name in ["recobro.db", "recobro.db-wal", "recobro.db-shm"] {
        std::fs::remove_file(folder.join(name)).or_else(|error| if missing(&error) { Ok(()) } else { Err(error) })?;
    }
    let outbox = std::fs::remove_dir_all(folder.join("outbox"));
    outbox.or_else(|error| if missing(&error) { Ok(()) } else { Err(error) })?;
    Ok(Wiring {
        db: Some(format!("sqlite://{FOLDER}/recobro.db")),
        outbox: Some(format!("{FOLDER}/outbox")),
        fleeting: true,
    })
}

async fn engine(session: &Session, wiring: &Wiring) -> Result<Engine, Failure> {
    let mut channels = session.channels(wiring)?;
    if let Some(email) = channels.remove("email") {
        channels.insert("email".to_owned(), Arc::new(Bounces(email)));
    }
    let mut settings = session.settings()?;
    "https://pay.example/{invoice}".clone_into(&mut settings.payment_link);
    session.engine_with(Clock::virtual_at(start()), wiring, channels, settings).await
}

fn start() -> Timestamp {
    Timestamp::start_of(portfolio::first_day(), chrono_tz::Tz::UTC).plus_us(-3_600_000_000 * 3)
}

fn end() -> Timestamp {
    Timestamp::start_of(portfolio::last_day(), chrono_tz::Tz::UTC)
}

async fn play(session: &Session, engine: &Engine, agents: &Agents, stop: watch::Receiver<bool>) -> Result<(), Failure> {
    let days = (end().as_us() - start().as_us()) / 86_400_000_000;
    let bar = bar(session.out.quiet, u64::try_from(days).unwrap_or(0), "a year");
    let mut progress = |now: &recobro_engine::Progress| {
        let day = (now.now.as_us() - start().as_us()) / 86_400_000_000;
        bar.set_position(u64::try_from(day).unwrap_or(0));
        bar.set_message(format!("{}  {} turns, {} contacts", now.now.to_utc().date_naive(), now.turns, now.contacts));
    };
    engine.run_virtual(Until::At(end()), agents, Some(stop), &mut progress).await?;
    bar.finish_and_clear();
    Ok(())
}

/// Real time from where the year ended: a second is a second.
async fn go_on(session: &Session, engine: &Engine, agents: &Agents, mut stop: watch::Receiver<bool>) -> Result<(), Failure> {
    session.out.say("going on in real time; Ctrl-C ends it");
    let from = engine.clock().now().max(end());
    let watch = Stopwatch::start();
    loop {
        tokio::select! {
            _ = stop.changed() => break,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
        #[expect(clippy::cast_possible_truncation, reason = "microseconds of one session")]
        let passed = (watch.seconds() * 1e6) as i64;
        engine.run_virtual(Until::At(from.plus_us(passed)), agents, Some(stop.clone()), &mut |_| {}).await?;
    }
    Ok(())
}
