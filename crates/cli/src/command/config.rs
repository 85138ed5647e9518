//! `recobro config show`.

use crate::config::{KEYS, Of, variable_of, without_password};
use crate::failure::{Exit, Failure};
use crate::session::Session;
use serde::Serialize;

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Every setting with its value and origin
    #[command(after_help = "\
Later wins: default, recobro.toml (in the current folder, else in --project), variable, flag.
Secrets are references: env:NAME or file:PATH.")]
    Show,
}

#[derive(Serialize)]
struct Row {
    schema: &'static str,
    name: &'static str,
    value: String,
    origin: String,
    variable: String,
    secret: bool,
    doc: &'static str,
}

#[expect(clippy::unused_async, reason = "every command has the same signature")]
pub(crate) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    let Verb::Show = args.verb;
    let row = |key: &crate::config::Key| Row {
        schema: "recobro/v1/setting",
        name: key.name,
        value: without_password(session.config.text(key.name)),
        origin: session.config.origin(key.name).to_string(),
        variable: variable_of(key.name),
        secret: key.of == Of::Secret,
        doc: key.doc,
    };
    let rows: Vec<Row> = KEYS.iter().map(row).collect();
    session.out.list(&rows, &["name", "value", "origin", "meaning"], |row| {
        vec![row.name.to_owned(), row.value.clone(), row.origin.clone(), row.doc.to_owned()]
    })?;
    Ok(Exit::Ok)
}
