//! A seeded bug for each rule, and its repaired form: a rule that catches nothing is not a rule.

use super::{RULES, Tree, house, manifests, onlys, shape};

/// A small tree that breaks a rule, and one that does not.
struct Seed {
    rule: &'static str,
    bad: (&'static str, &'static str),
    good: (&'static str, &'static str),
}

const fn seed(rule: &'static str, bad: (&'static str, &'static str), good: (&'static str, &'static str)) -> Seed {
    Seed { rule, bad, good }
}

const SEEDS: &[Seed] = &[
    seed(
        manifests::ARROWS,
        ("crates/kernel/Cargo.toml", "[dependencies]\nrecobro-store.workspace = true\n"),
        ("crates/engine/Cargo.toml", "[dependencies]\nrecobro-store.workspace = true\n"),
    ),
    seed(
        manifests::ARROWS,
        ("crates/store/Cargo.toml", "[dependencies]\nrecobro-testkit.workspace = true\n"),
        ("crates/store/Cargo.toml", "[dev-dependencies]\nrecobro-testkit.workspace = true\n"),
    ),
    seed(
        manifests::ARROWS,
        ("crates/web/Cargo.toml", "[target.'cfg(unix)'.dependencies]\nrecobro-playbook = { path = '../playbook' }\n"),
        ("crates/web/Cargo.toml", "[target.'cfg(unix)'.dependencies]\nrecobro-kernel = { path = '../kernel' }\n"),
    ),
    seed(manifests::ARROWS, ("crates/common/Cargo.toml", "[dependencies]\n"), ("crates/cli/Cargo.toml", "")),
    seed(
        manifests::OWNERS,
        ("crates/engine/Cargo.toml", "[dependencies]\nsqlx.workspace = true\n"),
        ("crates/store/Cargo.toml", "[dependencies]\nsqlx.workspace = true\n"),
    ),
    seed(
        manifests::OWNERS,
        ("crates/kernel/Cargo.toml", "[dependencies]\ntokio = '1'\n"),
        ("crates/kernel/Cargo.toml", "[dependencies]\nserde = '1'\n[dev-dependencies]\nproptest = '1'\n"),
    ),
    seed(
        manifests::INHERITED,
        ("crates/kernel/Cargo.toml", "[package]\nlicense = 'GPL-3.0'\n"),
        (
            "crates/kernel/Cargo.toml",
            "[package]\nversion.workspace = true\nedition.workspace = true\nrust-version.workspace = true\n\
             license.workspace = true\npublish.workspace = true\n[lints]\nworkspace = true\n",
        ),
    ),
    seed(
        onlys::CLOCK,
        ("crates/engine/src/route.rs", "fn a() { let t = std::time::Instant::now(); }"),
        ("crates/engine/src/clock.rs", "fn a() { let t = std::time::Instant::now(); }"),
    ),
    seed(
        onlys::CLOCK,
        ("crates/store/src/outbox.rs", "fn a() { let t = chrono::Utc::now(); }"),
        ("crates/store/src/outbox.rs", "#[cfg(test)]\nmod tests { fn a() { let t = chrono::Utc::now(); } }"),
    ),
    seed(
        onlys::DECIDE,
        ("crates/cli/src/simulate.rs", "fn a() { recobro_kernel::decide::decide(&input, &case, &[]); }"),
        ("crates/engine/src/advance/turn.rs", "fn a() { recobro_kernel::decide::decide(&input, &case, &[]); }"),
    ),
    seed(
        onlys::DECIDE,
        ("crates/engine/src/route.rs", "use recobro_kernel::decide::{Entry, enter};"),
        ("crates/engine/src/route.rs", "use recobro_kernel::decide::{Entry, Input}; // decide::decide does it"),
    ),
    seed(
        onlys::CHANNEL,
        ("crates/engine/src/advance.rs", "async fn a() { lanes.channel(x)?\n    .deliver(&items).await; }"),
        ("crates/engine/src/deliver.rs", "async fn a() { lanes.channel(x)?\n    .deliver(&items).await; }"),
    ),
    seed(
        onlys::CHANNEL,
        ("crates/cli/src/demo.rs", "async fn a() { channel.deliver(&items).await; }"),
        ("crates/cli/src/demo.rs", "async fn a() { engine.deliver(now).await; self.deliver(now).await; }"),
    ),
    seed(
        onlys::CHANNEL,
        ("crates/cli/src/demo.rs", "async fn send() { self.0.deliver(&items).await; }"),
        ("crates/cli/src/demo.rs", "async fn deliver() { self.0.deliver(&items).await; }"),
    ),
    seed(
        onlys::HISTORY,
        ("crates/store/src/case.rs", "const ADD: &str = \"INSERT INTO\n    history (stream) VALUES ($1)\";"),
        ("crates/store/src/commit.rs", "const ADD: &str = \"INSERT INTO\n    history (stream) VALUES ($1)\";"),
    ),
    seed(
        onlys::HISTORY,
        ("crates/store/src/case.rs", "const MEND: &str = \"UPDATE history \\\n SET body = $1\";"),
        ("crates/store/src/case.rs", "const READ: &str = \"SELECT body FROM history LIMIT 1\";"),
    ),
    seed(
        onlys::ENVIRONMENT,
        ("crates/connectors/src/channel/email.rs", "fn a() { std::env::var(\"PASSWORD\"); }"),
        ("crates/cli/src/config.rs", "fn a() { std::env::var(\"PASSWORD\"); }"),
    ),
    seed(
        onlys::ENVIRONMENT,
        ("crates/cli/src/main.rs", "fn a() { EnvFilter::from_default_env(); }"),
        ("crates/cli/src/main.rs", "fn a() { std::env::args(); env!(\"CARGO_PKG_VERSION\"); }"),
    ),
    seed(
        onlys::SQL,
        ("crates/engine/src/route.rs", "const A: &str = \"SELECT id\n    FROM cases LIMIT 1\";"),
        ("crates/store/src/case.rs", "const A: &str = \"SELECT id\n    FROM cases LIMIT 1\";"),
    ),
    seed(
        onlys::SQL,
        ("crates/cli/src/main.rs", "const A: &str = \"pragma synchronous\";"),
        (
            "crates/cli/src/main.rs",
            "const A: &str = \"update the mapping and set a currency, or select one from the list\";",
        ),
    ),
    seed(onlys::SQL, ("crates/engine/src/all.sql", "SELECT 1"), ("migrations/sqlite/0001_all.sql", "SELECT 1")),
    seed(
        onlys::KERNEL,
        ("crates/kernel/src/money.rs", "use std::collections::HashMap;"),
        ("crates/kernel/src/money.rs", "use std::collections::BTreeMap; // HashMap has no order"),
    ),
    seed(
        house::MIGRATIONS,
        ("migrations/sqlite/first.sql", ""),
        ("migrations/README.md", "the folders of both databases hold the same names"),
    ),
    seed(
        house::REGISTERED,
        ("crates/store/src/forgotten.rs", "//! A file."),
        ("crates/store/src/lib.rs", "//! The database."),
    ),
    seed(
        house::MAP,
        ("crates/README.md", "start at `kernel/src/gone.rs`"),
        ("crates/README.md", "start at `kernel/src/<verb>.rs`"),
    ),
    seed(shape::HEAD, ("crates/store/src/lib.rs", "mod a;"), ("crates/store/src/lib.rs", "//! The database.\nmod a;")),
    seed(
        shape::UNWRAP,
        ("crates/store/src/lib.rs", "fn a() { b().unwrap(); }"),
        ("crates/store/src/lib.rs", "fn a() { b().unwrap_or(1); } // .unwrap()\n#[test]\nfn c() { b().unwrap(); }"),
    ),
    seed(
        shape::SILENCE,
        ("crates/store/src/lib.rs", "#[allow(dead_code)]\nfn a() {}"),
        ("crates/store/src/lib.rs", "#[expect(dead_code, reason = \"the next migration uses it\")]\nfn a() {}"),
    ),
    seed(
        shape::SILENCE,
        ("crates/store/src/lib.rs", "#[expect(dead_code)]\nfn a() {}"),
        ("crates/store/src/lib.rs", "// #[ignore]\nfn a() {}"),
    ),
];

/// Returns the names of the rules that such a tree breaks.
fn broken(path: &str, text: &str) -> Vec<&'static str> {
    let tree = Tree::of([(path.to_owned(), text.to_owned())]);
    super::check(&tree).into_iter().map(|finding| finding.rule).collect()
}

#[test]
fn each_rule_catches_its_seeded_bug_and_passes_the_repaired_form() {
    for Seed { rule, bad, good } in SEEDS {
        assert!(broken(bad.0, bad.1).contains(rule), "{rule} does not catch {bad:?}");
        assert!(!broken(good.0, good.1).contains(rule), "{rule} complains about {good:?}");
    }
}

#[test]
fn each_rule_has_a_seed() {
    let generated = [shape::FILE, shape::FUNCTION];
    for rule in RULES {
        let seeded = SEEDS.iter().any(|seed| seed.rule == rule.name) || generated.contains(&rule.name);
        assert!(seeded, "{} has no seeded bug", rule.name);
    }
}

#[test]
fn a_function_has_at_most_seventy_lines_of_code() {
    let function = |lines: usize| format!("//! A file.\nfn a() {{\n{}}}\n", "    b();\n".repeat(lines - 2));
    let path = "crates/store/src/lib.rs";
    assert!(!broken(path, &function(70)).contains(&shape::FUNCTION));
    assert!(broken(path, &function(71)).contains(&shape::FUNCTION));
    let commented = function(70).replacen("    b();\n", "    b();\n    // why\n\n", 1);
    assert!(!broken(path, &commented).contains(&shape::FUNCTION));
    assert!(!broken("tests/story.rs", &function(71)).contains(&shape::FUNCTION));
}

#[test]
fn a_file_has_at_most_eight_hundred_lines_or_a_reason() {
    let path = "crates/store/src/lib.rs";
    let file = |head: &str, lines: usize| format!("{head}\n{}", "const A: u8 = 1;\n".repeat(lines - 1));
    assert!(!broken(path, &file("//! A file.", 800)).contains(&shape::FILE));
    assert!(broken(path, &file("//! A file.", 801)).contains(&shape::FILE));
    assert!(broken(path, &file("//! A file. size:", 801)).contains(&shape::FILE));
    assert!(!broken(path, &file("//! A file. size: one table", 801)).contains(&shape::FILE));
}

#[test]
fn both_databases_have_the_same_migrations() {
    let broken = |names: &[&str]| {
        let files = names.iter().map(|name| (format!("migrations/{name}"), String::new()));
        let findings = super::check(&Tree::of(files));
        findings.iter().filter(|finding| finding.rule == house::MIGRATIONS).count()
    };
    assert_eq!(broken(&["sqlite/0001_a.sql", "postgres/0001_a.sql"]), 0);
    assert_eq!(broken(&["sqlite/0001_a.sql", "postgres/0001_b.sql"]), 2);
    assert_eq!(broken(&["sqlite/0001_a.sql", "postgres/0001_a.sql", "postgres/0002_b.sql"]), 1);
    let twice = ["sqlite/0001_a.sql", "postgres/0001_a.sql", "sqlite/0001_b.sql", "postgres/0001_b.sql"];
    assert_eq!(broken(&twice), 1);
}

#[test]
fn a_module_that_its_parent_names_is_registered() {
    let broken = |parent: &str| {
        let files = [("crates/store/src/outbox.rs", parent), ("crates/store/src/outbox/claim.rs", "//! Claims.")];
        let findings = super::check(&Tree::of(files.map(|(path, text)| (path.to_owned(), text.to_owned()))));
        findings.iter().any(|finding| finding.rule == house::REGISTERED && finding.path.ends_with("claim.rs"))
    };
    assert!(broken("//! The outbox. mod claim;"));
    assert!(!broken("//! The outbox.\nmod claim;"));
}

#[test]
fn a_file_that_is_declared_for_tests_is_a_test_and_so_are_its_own() {
    let broken = |parent: &str| {
        let files = [
            ("crates/store/src/lib.rs", parent),
            ("crates/store/src/contract.rs", "//! The contract.\nmod rows;"),
            ("crates/store/src/contract/rows.rs", "//! Rows.\nfn a() { b().unwrap(); }"),
        ];
        let findings = super::check(&Tree::of(files.map(|(path, text)| (path.to_owned(), text.to_owned()))));
        findings.iter().any(|finding| finding.rule == shape::UNWRAP)
    };
    assert!(broken("//! The store.\nmod contract;"));
    assert!(!broken("//! The store.\n#[cfg(test)]\nmod contract;"));
    assert!(!broken("//! The store.\n#[cfg(test)]\npub(crate) mod contract;"));
}

#[test]
fn the_map_is_short() {
    assert!(!broken("crates/README.md", &"a line\n".repeat(200)).contains(&house::MAP));
    assert!(broken("crates/README.md", &"a line\n".repeat(201)).contains(&house::MAP));
}
