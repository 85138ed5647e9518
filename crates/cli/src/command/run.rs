//! `recobro run`: what is due now, or virtual time to a date.

use crate::failure::{Exit, Failure};
use crate::out::{bar, grouped};
use crate::session::{Session, interrupted};
use chrono::{Days, NaiveDate};
use recobro_engine::{Clock, Nobody, Progress, Until};
use recobro_kernel::time::Timestamp;
use recobro_store::{Store, inbound, meta};
use serde::Serialize;
use tokio::sync::watch;

/// Arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  recobro run                                  what is due now, then stop
  recobro run --virtual --until 2026-12-31     play to the end of that day as fast as the machine allows
  recobro run --virtual                        play until no case is open

Virtual time only goes forward: the database remembers how far it was played.")]
pub(crate) struct Args {
    /// Play virtual time instead of the machine's
    #[arg(long = "virtual")]
    virtual_time: bool,
    /// Last day to play, whole (in the creditor's time zone), or an instant
    #[arg(long, value_name = "DATE", requires = "virtual_time")]
    until: Option<String>,
    /// Go over to the machine's time for good, where the database was played in virtual time
    #[arg(long, conflicts_with = "virtual_time")]
    real: bool,
}

#[derive(Serialize)]
struct Said {
    schema: &'static str,
    now: Timestamp,
    turns: u64,
    routed: u64,
    opened: u64,
    finished: u64,
    contacts: u64,
    returned: u64,
    tasks: u64,
    /// News of this run that fit nothing and waits.
    parked: u64,
    seconds: f64,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        interrupted().await;
        // The receiver is gone only when the run has ended by itself.
        let _ = stop.send(true);
    });
    let (done, parked) = if args.virtual_time {
        let until = until(args.until.as_deref(), session)?;
        play(session, until, stopped).await?
    } else {
        let engine = session.engine(session.real_clock(args.real).await?).await?;
        let before = Parked::before(engine.store(), Clock::Real.now()).await?;
        let done = engine.run_due(&stopped, &mut |_| {}).await?;
        (done, before.after(engine.store()).await?)
    };
    report(session, &done, parked)?;
    Ok(Exit::Ok)
}

/// What was parked since an instant before a run began.
struct Parked {
    since: Timestamp,
    rows: i64,
}

impl Parked {
    async fn before(store: &Store, since: Timestamp) -> Result<Self, Failure> {
        let mut tx = store.read().await?;
        Ok(Self { since, rows: inbound::parked_since(&mut tx, since).await? })
    }

    /// What the run added: a clock that did not move has rows of an earlier run at the same instant.
    async fn after(self, store: &Store) -> Result<u64, Failure> {
        let mut tx = store.read().await?;
        let rows = inbound::parked_since(&mut tx, self.since).await?;
        Ok(u64::try_from(rows - self.rows).unwrap_or(0))
    }
}

async fn play(session: &Session, until: Until, stop: watch::Receiver<bool>) -> Result<(Progress, u64), Failure> {
    session.found().await?;
    // Before anything was played, virtual time begins with the first news.
    let engine = session.engine(Clock::virtual_at(Timestamp::from_us(0))).await?;
    let from = reached(engine.store()).await?;
    let before = Parked::before(engine.store(), from.unwrap_or_default()).await?;
    let length = match (from, until) {
        (Some(from), Until::At(at)) => u64::try_from((at.as_us() - from.as_us()) / 86_400_000_000).unwrap_or(0),
        _ => 0,
    };
    let bar = bar(session.out.quiet, length, "playing");
    let mut progress = |now: &Progress| {
        if let Some(from) = from {
            let day = (now.now.as_us() - from.as_us()) / 86_400_000_000;
            bar.set_position(u64::try_from(day).unwrap_or(0));
        }
        bar.set_message(format!("{}  {} turns, {} contacts", now.now.to_utc().date_naive(), now.turns, now.contacts));
    };
    let done = engine.run_virtual(until, &Nobody, Some(stop), &mut progress).await?;
    bar.finish_and_clear();
    Ok((done, before.after(engine.store()).await?))
}

async fn reached(store: &Store) -> Result<Option<Timestamp>, Failure> {
    let mut tx = store.read().await?;
    Ok(meta::virtual_now(&mut tx).await?)
}

fn until(text: Option<&str>, session: &Session) -> Result<Until, Failure> {
    let Some(text) = text else { return Ok(Until::Done) };
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(Until::At(at));
    }
    let date: NaiveDate = text
        .parse()
        .map_err(|_| Failure::new(Exit::Usage, format!("--until: `{text}` is no date")).help("write 2026-12-31"))?;
    let zone = session.settings()?.creditor.time_zone;
    let next = date.checked_add_days(Days::new(1)).unwrap_or(date);
    Ok(Until::At(Timestamp::start_of(next, zone).plus_us(-1)))
}

fn report(session: &Session, done: &Progress, parked: u64) -> Result<(), Failure> {
    if session.out.is_json() {
        return session.out.json(&Said {
            schema: "recobro/v1/run",
            now: done.now,
            turns: done.turns,
            routed: done.routed,
            opened: done.opened,
            finished: done.finished,
            contacts: done.contacts,
            returned: done.returned,
            tasks: done.tasks,
            parked,
            seconds: done.seconds,
        });
    }
    session.out.say(&format!(
        "{} news taken, {} turns, {} cases opened, {} finished, {} contacts, {} tasks, in {:.1} s",
        grouped(done.routed),
        grouped(done.turns),
        grouped(done.opened),
        grouped(done.finished),
        grouped(done.contacts),
        grouped(done.tasks),
        done.seconds
    ));
    if parked > 0 {
        let unmatched = session.again("unmatched list");
        session.out.say(&format!("{} of them wait because they fit nothing: {unmatched}", grouped(parked)));
    }
    Ok(())
}
