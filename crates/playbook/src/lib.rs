//! Reads and checks playbooks and evaluates their rules: YAML, rhai and template headers in, a checked
//! `kernel::playbook::Playbook` out, or every problem at once with its place.
//!
//! Nothing here reads a clock or the network; [`read_dir`] is the only function that touches files. Start at [`check`]:
//! `yaml` keeps positions, `library` loads what playbooks share, `build` flattens one playbook, `flow` looks at what it
//! would do over time, [`script`] holds every expression, hook and helper.

mod build;
mod content;
mod diagnostic;
mod examples;
mod flow;
mod library;
mod read;
pub mod report;
pub mod script;
mod segments;
mod select;
mod statutes;
mod template;
mod yaml;

use recobro_kernel::expr::Rules;
use recobro_kernel::facts::Registry;
use recobro_kernel::guard::policy::Collector;
use recobro_kernel::law::Law;
use recobro_kernel::playbook::Playbook;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

pub use content::{Statements, is_supplied};
pub use diagnostic::{Diagnostic, Severity};
pub use examples::Tried;
pub use segments::{Selected, Selection, SelectionRow};

/// Version of the rule engine, recorded with each decision.
pub const RHAI_VERSION: &str = "1.27.0";

/// Version of the functions and facts that hooks see.
pub const HOOK_API: u32 = 1;

/// Files by relative path with `/` between the parts: `workflows/b2b-standard.yaml`.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Everything that compiled without errors.
pub struct Library {
    /// Playbooks by name.
    pub playbooks: Vec<Arc<Compiled>>,
    /// Calendars and policies.
    pub law: Arc<Law>,
    /// Built-in facts and those of `workflows/facts.yaml`.
    pub facts: Arc<Registry>,
    /// `workflows/segments.yaml`, where a project has it: the table that picks the playbook.
    pub selection: Option<Arc<Selection>>,
    /// `workflows/templates/**`.
    pub templates: Files,
}

/// A playbook that may run.
pub struct Compiled {
    /// What `decide` walks.
    pub playbook: Arc<Playbook>,
    /// Its expressions.
    pub rules: Arc<dyn Rules>,
    /// The files it was made of, enough for [`compile_one`].
    pub sources: Files,
}

/// What a check found.
pub struct Checked {
    /// What compiled without errors.
    pub library: Library,
    /// Every problem, by file, line and column.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads `workflows/**` and `scripts/**` below a folder.
///
/// # Errors
/// What the file system answers, with the path.
pub fn read_dir(root: &Path) -> io::Result<Files> {
    let mut files = Files::new();
    for top in ["workflows", "scripts"] {
        let folder = root.join(top);
        if folder.is_dir() {
            read_folder(&folder, top, &mut files)?;
        }
    }
    Ok(files)
}

fn read_folder(folder: &Path, name: &str, files: &mut Files) -> io::Result<()> {
    let place = |path: &Path, error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    for entry in std::fs::read_dir(folder).map_err(|error| place(folder, error))? {
        let entry = entry.map_err(|error| place(folder, error))?;
        let path = entry.path();
        let inner = format!("{name}/{}", entry.file_name().to_string_lossy());
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if hidden {
            continue;
        }
        if path.is_dir() {
            read_folder(&path, &inner, files)?;
        } else {
            files.insert(inner, std::fs::read(&path).map_err(|error| place(&path, error))?);
        }
    }
    Ok(())
}

/// Checks every playbook of a project for a creditor that collects its own debts. Never panics; all problems at once.
#[must_use]
pub fn check(files: &Files) -> Checked {
    check_for(files, Collector::default())
}

/// As [`check`], with the policies that bind who collects.
#[must_use]
pub fn check_for(files: &Files, collector: Collector) -> Checked {
    library::check(files, collector)
}

/// The facts that a project's playbooks may name: what a source needs to read `x.NAME`.
///
/// # Errors
/// Every error found in `workflows/facts.yaml`.
pub fn facts(files: &Files) -> Result<Arc<Registry>, Vec<Diagnostic>> {
    let report = diagnostic::Report::default();
    let facts = library::registry(files, &report);
    let errors: Vec<Diagnostic> = report.into_sorted().into_iter().filter(Diagnostic::is_error).collect();
    if errors.is_empty() { Ok(Arc::new(facts)) } else { Err(errors) }
}

/// Tries the `examples:` of one policy, or of all; nothing where no policy has the name.
///
/// # Errors
/// Every error found in calendars and policies.
pub fn try_examples(files: &Files, policy: Option<&str>) -> Result<Option<Vec<Tried>>, Vec<Diagnostic>> {
    examples::run(files, policy)
}

/// Compiles one playbook out of its own sources: a pinned bundle of a running case.
///
/// # Errors
/// Every error found in what the playbook uses.
pub fn compile_one(files: &Files, playbook: &str) -> Result<Arc<Compiled>, Vec<Diagnostic>> {
    library::compile_one(files, playbook)
}
