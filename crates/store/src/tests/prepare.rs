//! Every statement is listed, and both databases accept its text.

use super::world::each;
use crate::sql::{Bulk, Query};

fn all() -> (Vec<&'static Query>, Vec<&'static Bulk>) {
    let files = [
        crate::artefacts::statements(),
        crate::cases::statements(),
        crate::catch_up::statements(),
        crate::commit::statements(),
        crate::consents::statements(),
        crate::contacts::statements(),
        crate::customers::statements(),
        crate::debits::statements(),
        crate::disputes::statements(),
        crate::events::statements(),
        crate::exceptions::statements(),
        crate::history::statements(),
        crate::inbound::statements(),
        crate::incentives::statements(),
        crate::invoices::statements(),
        crate::meta::statements(),
        crate::outbox::statements(),
        crate::payments::statements(),
        crate::holds::statements(),
        crate::plans::statements(),
        crate::playbooks::statements(),
        crate::promises::statements(),
        crate::report::statements(),
        crate::tasks::statements(),
        crate::unmatched::statements(),
        crate::verdicts::statements(),
        crate::waivers::statements(),
        crate::wake::statements(),
    ];
    let (queries, bulks): (Vec<_>, Vec<_>) = files.into_iter().unzip();
    (queries.concat(), bulks.concat())
}

/// The names of all statements.
pub(super) fn names() -> Vec<&'static str> {
    let (queries, bulks) = all();
    queries.iter().map(|q| q.name).chain(bulks.iter().map(|b| b.name)).collect()
}

#[tokio::test]
async fn both_databases_prepare_every_statement() {
    each(async |store| {
        let (queries, bulks) = all();
        let mut tx = store.begin().await.unwrap();
        for query in queries {
            let texts = if store.is_shared() { vec![query.postgres, query.locking] } else { vec![query.sqlite] };
            for text in texts {
                tx.prepare(query.name, text).await;
            }
        }
        for bulk in bulks {
            let (sqlite, postgres) = bulk.all_texts();
            for text in if store.is_shared() { vec![postgres] } else { sqlite } {
                tx.prepare(bulk.name, text).await;
            }
        }
    })
    .await;
}

#[test]
fn no_statement_is_forgotten_in_its_list() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut written = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(path).unwrap();
            let starts = |line: &&str| {
                line.starts_with("const ") && line.contains(": Query")
                    || line.starts_with("static ") && line.contains(": Bulk")
            };
            written += text.lines().filter(starts).count();
        }
    }
    assert_eq!(written, names().len());
    let mut unique = names();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), written, "two statements share a name");
}
