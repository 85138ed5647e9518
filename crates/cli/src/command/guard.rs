//! `recobro guard`: what policies say to a contact, who lifts them, and whether they answer their own examples.

mod exception;
mod explain;
pub(crate) mod lifted;
mod retention;

pub(crate) use explain::moment;

use crate::failure::{Exit, Failure};
use crate::out::table;
use crate::session::Session;
use recobro_playbook::{Tried, report, try_examples};
use serde::Serialize;

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Why a customer may be contacted now, or why not, by which rule, and when next
    #[command(after_help = "\
Examples:
  recobro guard explain C7                                            a line for each channel, now
  recobro guard explain C7 --channel sms --at 2026-06-30T20:30        one channel, at the customer's time
  recobro guard explain C7 --act supply.cut                           may we, or when?
  recobro guard explain C7 --log --at 2026-06-03                      what it answered on a day

A call that waits for a person is answered as `task call` would, its own tries counted as there.")]
    Explain(explain::Args),
    /// Rules that two people lift, for a customer or a class, for a time
    Exception(exception::Args),
    /// What is past the time for which policies let it be kept: counts, deletes nothing
    #[command(after_help = "\
Examples:
  recobro guard retention                        today
  recobro guard retention --as-of 2028-12-31     on a day to come

For each rule of the kind `retention`: the finished cases that it is about, those whose last activity lies longer back than
it lets them be kept, the customers of whom nothing is open and everything it is about is past, and the day of the oldest.
Nothing is deleted, here or by the worker; what must be deleted is deleted elsewhere.")]
    Retention(retention::Args),
    /// Run the examples of a policy, or of all
    #[command(after_help = "\
Examples:
  recobro guard test                  every policy
  recobro guard test us-reg-f         one
  recobro guard test --json           one object an example, good or not

An example stands in the policy's own file under `examples:`; workflows/README.md says how it is written.

Exit codes: 0 all as expected, 1 some are not, 3 no such policy, 9 a policy cannot be read.")]
    Test(Test),
}

#[derive(clap::Args)]
struct Test {
    /// Policy [default: all]
    policy: Option<String>,
}

#[derive(Serialize)]
struct Said<'a> {
    schema: &'static str,
    policy: &'a str,
    example: &'a str,
    file: &'a str,
    line: u32,
    good: bool,
    expected: &'a str,
    found: &'a str,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    match args.verb {
        Verb::Explain(args) => explain::run(args, session).await,
        Verb::Exception(args) => exception::run(args, session).await,
        Verb::Retention(args) => retention::run(args, session).await,
        Verb::Test(test) => run_examples(&test, session),
    }
}

fn run_examples(test: &Test, session: &Session) -> Result<Exit, Failure> {
    let files = session.files()?;
    let tried = match try_examples(&files, test.policy.as_deref()) {
        Ok(Some(tried)) => tried,
        Ok(None) => {
            let name = test.policy.as_deref().unwrap_or_default();
            return Err(Failure::not_found(format!("no policy `{name}`"))
                .help("each file of workflows/policies/ is one; `recobro guard test` runs them all"));
        }
        Err(problems) => {
            session.out.line(&if session.out.is_json() {
                report::json(&problems)
            } else {
                report::text(&problems, &files)
            })?;
            return Ok(Exit::Findings);
        }
    };
    let bad: Vec<&Tried> = tried.iter().filter(|one| !one.is_good()).collect();
    if session.out.is_json() {
        let rows: Vec<Said<'_>> = tried.iter().map(said).collect();
        session.out.list(&rows, &[], |_| Vec::new())?;
    } else if !bad.is_empty() {
        let head = ["policy", "line", "example", "expected", "found"];
        session.out.line(&table(&head, bad.iter().map(|one| cells(one))))?;
    }
    session.out.say(&format!("{} of {} examples as expected", tried.len() - bad.len(), tried.len()));
    Ok(if bad.is_empty() { Exit::Ok } else { Exit::Failed })
}

fn cells(one: &Tried) -> Vec<String> {
    let place = format!("{}:{}", one.file, one.line);
    vec![one.policy.clone(), place, one.example.clone(), one.expected.clone(), one.found.clone()]
}

fn said(one: &Tried) -> Said<'_> {
    Said {
        schema: "recobro/v1/guard-test",
        policy: &one.policy,
        example: &one.example,
        file: &one.file,
        line: one.line,
        good: one.is_good(),
        expected: &one.expected,
        found: &one.found,
    }
}

/// What has come and nobody has taken up may change every answer.
pub(crate) async fn warn_of_news(engine: &recobro_engine::Engine, session: &Session) -> Result<(), Failure> {
    if engine.has_news().await? {
        session.out.say("news waits to be taken up and may change this: `recobro run`, then ask again");
    }
    Ok(())
}
