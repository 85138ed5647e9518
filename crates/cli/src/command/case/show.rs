//! `recobro case show CASE`.

use crate::command::guard::lifted::DeadlineLine;
use crate::failure::{Exit, Failure};
use crate::reads;
use crate::session::Session;
use crate::story::Story;
use recobro_kernel::case::Case;
use recobro_kernel::time::Timestamp;
use recobro_store::Store;
use serde::Serialize;
use std::fmt::Write as _;

/// Arguments.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Case id, invoice id or number
    case: String,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    case: reads::CaseRow,
    amount: String,
    balance: String,
    currency: String,
    due: String,
    turns: u64,
    records: u64,
    head: String,
    trouble: Option<String>,
    /// Latest dates that law and house set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deadlines: Vec<DeadlineLine>,
    story: Story,
}

pub(super) async fn run(args: &Args, session: &Session) -> Result<Exit, Failure> {
    let store = session.store().await?;
    let now = reads::now(&store).await?;
    let found = reads::find_case(&store, &args.case).await?;
    let file = reads::case_file(&store, &found).await?;
    let mut story = Story::of(&file.compiled.playbook, file.zone, &file.turns());
    // A hold that is running counts as well.
    story.totals.held_days = found.case.clock.held_until(now, file.zone);
    let row = found.row(&file.compiled.playbook);
    let deadlines = deadlines(&store, &found.case, now, session).await?;
    if session.out.is_json() {
        let shown = Shown {
            case: row,
            amount: file.amount.to_decimal().to_string(),
            balance: file.balance.to_decimal().to_string(),
            currency: file.amount.currency.to_string(),
            due: file.due.to_string(),
            turns: found.case.rev,
            records: found.case.seq,
            head: found.head.clone(),
            trouble: found.case.trouble.clone(),
            deadlines,
            story,
        };
        session.out.json(&shown)?;
        return Ok(Exit::Ok);
    }
    let mut text = file.headline(&found);
    text.push('\n');
    text.push_str(&story.table());
    text.push_str("\n\n");
    let state = row.outcome.clone().map_or(row.status.clone(), |outcome| format!("finished: {outcome}"));
    let _ = write!(text, "now     {state}, balance {}", file.balance);
    if let (Some(stage), Some(step)) = (&row.stage, &row.step) {
        // Steps named by place carry their stage already.
        let step = step.strip_prefix(&format!("{stage}/")).unwrap_or(step);
        let _ = write!(text, ", at {stage}/{step}");
    }
    if let Some(at) = row.next_at {
        let reason = row.next_reason.clone().map_or(String::new(), |reason| format!("  {reason}"));
        let _ = write!(text, "\nnext    {}{reason}", at.local(file.zone).format("%a %Y-%m-%d %H:%M"));
    }
    for hold in &found.case.holds {
        let _ = write!(text, "\nheld    {} since {}", hold.name, hold.opened_at.date_in(file.zone));
    }
    for deadline in &deadlines {
        let _ = write!(text, "\ndue     {}", deadline.text());
    }
    if let Some(trouble) = &found.case.trouble {
        let _ = write!(text, "\ntrouble {trouble}");
    }
    session.out.line(&text)?;
    let why = session.again(&format!("case why {}", args.case));
    session.out.say(&format!("next: {why}    every decision, with the facts it read{}", session.password_note()));
    Ok(Exit::Ok)
}

/// The deadlines of an open case. A library that cannot be read keeps nobody from looking at a case.
async fn deadlines(
    store: &Store,
    case: &Case,
    now: Timestamp,
    session: &Session,
) -> Result<Vec<DeadlineLine>, Failure> {
    if case.is_finished() {
        return Ok(Vec::new());
    }
    let Ok(reader) = session.reader(store).await else { return Ok(Vec::new()) };
    let running = reader.deadlines(&case.customer, now).await?;
    Ok(running.into_iter().filter(|one| one.invoice == case.invoice).map(DeadlineLine::from).collect())
}
