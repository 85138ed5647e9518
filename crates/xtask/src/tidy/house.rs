//! Rules about folders: paired migrations, files that are registered, a map that names what exists.

use super::source::Source;
use super::{Finding, Tree};
use std::collections::{BTreeMap, BTreeSet};

/// Both databases have the same migrations.
pub(super) const MIGRATIONS: &str = "migrations";
/// Every module is declared by its parent.
pub(super) const REGISTERED: &str = "registered";
/// `crates/README.md` is short and names files that exist.
pub(super) const MAP: &str = "map";

const MAP_FILE: &str = "crates/README.md";
const MAP_LINES_MAX: usize = 200;

pub(super) fn migrations(tree: &Tree, findings: &mut Vec<Finding>) {
    let names = |folder: &str| -> BTreeSet<&str> {
        tree.files.keys().filter_map(|path| path.strip_prefix("migrations/")?.strip_prefix(folder)).collect()
    };
    let (sqlite, postgres) = (names("sqlite/"), names("postgres/"));
    for name in sqlite.symmetric_difference(&postgres) {
        let (here, there) = if sqlite.contains(name) { ("sqlite", "postgres") } else { ("postgres", "sqlite") };
        let message = format!("migrations/{there} has no file of this name; both databases move together");
        findings.push(Finding::new(MIGRATIONS, &format!("migrations/{here}/{name}"), 1, message));
    }
    let mut taken = BTreeMap::new();
    for name in &sqlite {
        let number = name.split('_').next().unwrap_or("");
        let path = format!("migrations/sqlite/{name}");
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            findings.push(Finding::new(MIGRATIONS, &path, 1, "a migration is called <number>_<what>.sql"));
        } else if let Some(other) = taken.insert(number, name) {
            findings.push(Finding::new(MIGRATIONS, &path, 1, format!("its number is taken by {other}")));
        }
    }
}

/// A file that no parent names is not compiled, and nobody notices.
pub(super) fn registered(tree: &Tree, findings: &mut Vec<Finding>) {
    let by_path: BTreeMap<&str, &Source> = tree.sources.iter().map(|source| (source.path.as_str(), source)).collect();
    for source in &tree.sources {
        let Some((folder, module)) = module_of(&source.path) else { continue };
        let parents = [
            format!("{folder}.rs"),
            format!("{folder}/mod.rs"),
            format!("{folder}/lib.rs"),
            format!("{folder}/main.rs"),
        ];
        let parents: Vec<&Source> = parents.iter().filter_map(|path| by_path.get(path.as_str()).copied()).collect();
        if !parents.iter().any(|parent| !parent.words(module).is_empty()) {
            let message = format!("no parent module names `{module}`: the file is not compiled; register it");
            findings.push(Finding::new(REGISTERED, &source.path, 1, message));
        }
    }
}

/// Returns the folder and the module name of a file that some parent must declare.
fn module_of(path: &str) -> Option<(&str, &str)> {
    let (folder, file) = path.rsplit_once('/')?;
    let module = file.strip_suffix(".rs")?;
    let root = matches!(module, "lib" | "main") && folder.ends_with("/src");
    (path.starts_with("crates/") && path.contains("/src/") && !root && !path.contains("/bin/"))
        .then_some((folder, module))
}

pub(super) fn map(tree: &Tree, findings: &mut Vec<Finding>) {
    let Some(text) = tree.files.get(MAP_FILE) else {
        return findings.push(Finding::new(MAP, MAP_FILE, 1, "the map is missing"));
    };
    let lines = text.lines().count();
    if lines > MAP_LINES_MAX {
        findings.push(Finding::new(MAP, MAP_FILE, lines, format!("{lines} lines, more than {MAP_LINES_MAX}")));
    }
    for (number, line) in text.lines().enumerate() {
        let quoted = line.split('`').skip(1).step_by(2);
        for path in quoted.filter(|word| super::has_extension(word, "rs") && !word.contains(['*', '<', ' '])) {
            if !tree.has(&format!("crates/{path}")) && !tree.has(path) {
                findings.push(Finding::new(MAP, MAP_FILE, number + 1, format!("`{path}` does not exist")));
            }
        }
    }
}
