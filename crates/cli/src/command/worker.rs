//! `recobro worker`: real time, until interrupted.

use crate::failure::{Exit, Failure};
use crate::inbox::Inbox;
use crate::session::{Session, interrupted};
use tokio::sync::watch;

/// Arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Ctrl-C or SIGTERM ends it after the batch at work. On PostgreSQL any number of workers share one database;
an SQLite file belongs to one process. What people enter meanwhile (consent, payment, promise,
dispute, hold and the like) is left in a folder beside it, FILE.inbox, and taken within a second.")]
pub(crate) struct Args {
    /// Go over to the machine's time for good, where the database was played in virtual time
    #[arg(long)]
    real: bool,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    let engine = session.engine(session.real_clock(args.real).await?).await?;
    session.out.say(&format!("working on {}; Ctrl-C ends it", session.config.text("db")));
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        interrupted().await;
        // The receiver is gone only when the run has ended by itself.
        let _ = stop.send(true);
    });
    let inbox = Inbox::of(session);
    if let Some(inbox) = &inbox {
        inbox.open()?;
    }
    let mut silent = |_: &recobro_engine::Progress| {};
    let done = match &inbox {
        None => engine.run_real(stopped, &mut silent).await?,
        Some(inbox) => {
            let done = tokio::select! {
                done = engine.run_real(stopped, &mut silent) => done,
                never = inbox.keep_taking(&engine) => match never {},
            };
            inbox.shut(&engine).await?;
            done?
        }
    };
    session.out.say(&format!("stopped: {} turns, {} contacts, {} tasks", done.turns, done.contacts, done.tasks));
    Ok(Exit::Ok)
}
