//! `recobro guard retention`: what is past the time for which policies let it be kept. It deletes nothing.

use crate::entry;
use crate::failure::{Exit, Failure};
use crate::session::Session;
use chrono::NaiveDate;
use serde::Serialize;

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// On this day [default: today]
    #[arg(long, value_name = "DATE")]
    as_of: Option<NaiveDate>,
}

#[derive(Serialize)]
struct Line {
    schema: &'static str,
    rule: String,
    keep: String,
    as_of: NaiveDate,
    finished: u64,
    cases: u64,
    customers: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest: Option<NaiveDate>,
    source: String,
}

pub(super) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    let as_of = match args.as_of {
        Some(day) => day,
        None => entry::today(session).await?,
    };
    let reader = session.reader(&session.store().await?).await?;
    let kept = reader.retention(as_of).await?;
    let rows: Vec<Line> = kept
        .into_iter()
        .map(|kept| Line {
            schema: "recobro/v1/retention",
            rule: kept.rule,
            keep: kept.keep.to_string(),
            as_of,
            finished: kept.finished,
            cases: kept.cases,
            customers: kept.customers,
            oldest: kept.oldest,
            source: kept.source,
        })
        .collect();
    if rows.is_empty() && !session.out.is_json() {
        session.out.say("no policy has a rule of the kind `retention`");
        return Ok(Exit::Ok);
    }
    let head = ["rule", "keep", "finished", "cases past", "customers past", "oldest", "source"];
    session.out.list(&rows, &head, |row| {
        vec![
            row.rule.clone(),
            row.keep.clone(),
            row.finished.to_string(),
            row.cases.to_string(),
            row.customers.to_string(),
            row.oldest.map_or_else(String::new, |on| on.to_string()),
            row.source.clone(),
        ]
    })?;
    session.out.say("nothing is deleted: this only counts");
    Ok(Exit::Ok)
}
