//! Whatever stands in the files, a check answers with problems and never panics; every place lies inside its file.

use proptest::prelude::*;
use recobro_playbook::{Files, check, read_dir, report};
use std::path::Path;
use std::sync::LazyLock;

static SHIPPED: LazyLock<Files> =
    LazyLock::new(|| read_dir(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))).unwrap());

/// The files that a mutation may hit, and enough of the rest to reach every check.
const TARGETS: &[&str] = &[
    "workflows/b2b-standard.yaml",
    "workflows/energy-household.yaml",
    "workflows/key-account.yaml",
    "workflows/fragments/standard-interrupts.yaml",
    "workflows/fragments/gentle-reminders.yaml",
    "workflows/requests.yaml",
    "workflows/policies/eu-b2b.yaml",
    "workflows/calendars/fr-energy.yaml",
    "workflows/templates/overdue-second/email.es.j2",
    "scripts/risk.rhai",
];

const SCRAPS: &[&str] = &[
    "\n",
    " ",
    ":",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "#",
    " #",
    "!",
    "&a ",
    "*a",
    "= ",
    "|\n",
    ">-\n",
    "---\n",
    "\t",
    "é",
    "\u{0}",
    "\u{202e}",
    "when: ",
    "do: ",
    "param.",
    "= param.grace",
    "999999999999999999999",
    "-1",
    "_",
    "..",
    "? ",
    "<<: ",
    "%}",
    "{{ plan.x ",
    "\\u12",
    "goto: ",
    "include: fragments/standard-interrupts\n",
];

fn mutate(text: &mut String, at: usize, length: usize, scrap: &str) {
    let floor = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let (start, end) = (floor(at % (text.len() + 1)), floor(at % (text.len() + 1) + length));
    text.replace_range(start..end, scrap);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_files_give_problems_and_no_panic(
        target in 0..TARGETS.len(),
        edits in prop::collection::vec((any::<usize>(), 0..40_usize, 0..SCRAPS.len()), 1..5),
    ) {
        let mut files = SHIPPED.clone();
        let file = TARGETS[target];
        let mut text = String::from_utf8(files[file].clone()).unwrap();
        for (at, length, scrap) in edits {
            mutate(&mut text, at, length, SCRAPS[scrap]);
        }
        files.insert(file.to_owned(), text.into_bytes());
        let found = check(&files).diagnostics;
        for problem in &found {
            let lines = String::from_utf8_lossy(&files[&problem.file]).lines().count();
            prop_assert!(problem.line >= 1 && problem.line as usize <= lines + 2, "{problem:?}");
            prop_assert!((problem.end_line, problem.end_column) >= (problem.line, problem.column), "{problem:?}");
        }
        prop_assert!(found.is_sorted_by_key(|d| (d.file.clone(), d.line, d.column)));
        let _ = (report::text(&found, &files), report::json(&found), report::sarif(&found));
    }

    #[test]
    fn any_bytes_are_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut files = Files::new();
        for file in ["workflows/x.yaml", "workflows/fragments/x.yaml", "workflows/templates/x/email.es.j2"] {
            files.insert(file.to_owned(), bytes.clone());
        }
        let _ = report::text(&check(&files).diagnostics, &files);
    }
}
