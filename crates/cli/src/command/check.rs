//! `recobro check [PATHS]`.

use crate::failure::{Doing, Exit, Failure};
use crate::session::{Session, embedded};
use recobro_connectors::template::Templates;
use recobro_playbook::{Diagnostic, Files, Selection, Severity, report};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  recobro check                                 the project, else the shipped library
  recobro check workflows/b2b-standard.yaml     what concerns one file
  recobro check --format sarif > check.sarif

Exit codes: 0 clean, 9 findings, 1 cannot read.")]
pub(crate) struct Args {
    /// Projects, or files and folders inside one [default: the project, else the shipped library]
    paths: Vec<PathBuf>,
    /// Shape of the report
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Warnings are findings too
    #[arg(long)]
    strict: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Text,
    /// {schema, diagnostics: [..]}
    Json,
    /// SARIF 2.1.0, for code hosts
    Sarif,
}

/// A project with the files asked for; all of them where the list is empty.
struct Asked {
    files: Files,
    only: Vec<String>,
}

#[expect(clippy::unused_async, reason = "every command has the same signature")]
pub(crate) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    let format = args.format.unwrap_or(if session.out.is_json() { Format::Json } else { Format::Text });
    let mut files = Files::new();
    let mut found: Vec<Diagnostic> = Vec::new();
    let mut tables: Vec<String> = Vec::new();
    for asked in projects(&args.paths, session)? {
        let wanted = |file: &str| {
            asked.only.is_empty() || asked.only.iter().any(|path| file == path || file.starts_with(&format!("{path}/")))
        };
        let checked = recobro_playbook::check_for(&asked.files, session.collector());
        if let Some(table) = checked.library.selection.as_deref().filter(|_| wanted("workflows/segments.yaml")) {
            tables.push(picks(table));
        }
        let all = checked.diagnostics.into_iter().chain(broken_templates(&asked.files));
        found.extend(all.filter(|diagnostic| wanted(&diagnostic.file)));
        found.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        files.extend(asked.files);
    }
    let text = match format {
        Format::Text => report::text(&found, &files),
        Format::Json => report::json(&found),
        Format::Sarif => report::sarif(&found),
    };
    if !text.trim().is_empty() {
        session.out.line(&text)?;
    }
    let errors = found.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    let warnings = found.len() - errors;
    if format == Format::Text {
        for table in &tables {
            session.out.say(table);
        }
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        session.out.say(&format!("{errors} error{}, {warnings} warning{}", plural(errors), plural(warnings)));
    }
    Ok(if errors > 0 || (args.strict && warnings > 0) { Exit::Findings } else { Exit::Ok })
}

/// What a table of segments does, in a line.
fn picks(table: &Selection) -> String {
    let names: BTreeSet<&str> = table.rows.iter().filter_map(|row| row.playbook.as_deref()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let (rows, inputs) = (table.rows.len(), table.inputs.join(", "));
    format!("workflows/segments.yaml: {rows} rows pick by {inputs} among {}", names.join(", "))
}

/// Templates that do not compile: the texts are the connectors' business, their places are told like all others.
fn broken_templates(files: &Files) -> Vec<Diagnostic> {
    let (_, problems) = Templates::load(files);
    let found = problems.into_iter().map(|problem| {
        let line = u32::try_from(problem.line).unwrap_or(1);
        Diagnostic {
            code: "PB008",
            severity: Severity::Error,
            file: problem.file,
            line,
            column: 1,
            end_line: line,
            end_column: 2,
            message: problem.message,
            label: None,
            help: Some("mend the template: until then nothing is sent with it".to_owned()),
            notes: Vec::new(),
        }
    });
    found.collect()
}

fn projects(paths: &[PathBuf], session: &Session) -> Result<Vec<Asked>, Failure> {
    if paths.is_empty() {
        return Ok(vec![Asked { files: session.files()?, only: Vec::new() }]);
    }
    let mut roots: std::collections::BTreeMap<PathBuf, Vec<String>> = std::collections::BTreeMap::new();
    for path in paths {
        let (root, inner) = root_of(path)?;
        let only = roots.entry(root).or_default();
        only.extend(inner);
    }
    roots
        .into_iter()
        .map(|(root, only)| {
            let files = recobro_playbook::read_dir(&root)
                .doing(Exit::Failed, || format!("cannot read {}", root.display()))?;
            Ok(Asked { files, only })
        })
        .collect()
}

/// The project that a path belongs to, and the path inside it.
fn root_of(path: &Path) -> Result<(PathBuf, Option<String>), Failure> {
    let full = path.canonicalize().doing(Exit::Failed, || format!("cannot read {}", path.display()))?;
    if full.join("workflows").is_dir() {
        return Ok((full, None));
    }
    for root in full.ancestors() {
        let Ok(inner) = full.strip_prefix(root) else { continue };
        let first = inner.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned());
        if matches!(first.as_deref(), Some("workflows" | "scripts")) {
            let inner = inner.to_string_lossy().replace('\\', "/");
            let whole = inner == "workflows";
            return Ok((root.to_path_buf(), (!whole).then_some(inner)));
        }
    }
    Err(Failure::new(Exit::Usage, format!("{} is in no project: no folder above it has workflows/", path.display()))
        .help(format!("the shipped library has {} files; `recobro check` checks it", embedded().len())))
}
