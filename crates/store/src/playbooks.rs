//! Published playbooks, addressed by their content.

use crate::sql::{Bulk, Query, Row, Tail, args, columns, newest};
use crate::{Result, Tx};
use recobro_kernel::ids::Hash;
use recobro_kernel::time::Timestamp;

/// A version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRow {
    /// Hash of the logic.
    pub bundle: Hash,
    /// Hash of the templates.
    pub content: Hash,
    /// Name.
    pub name: String,
    /// Version.
    pub version: u32,
    /// JSON: path to text of every file it was made of.
    pub sources: String,
    /// Who published it.
    pub author: String,
    /// When.
    pub published_at: Timestamp,
}
static INSERT: Bulk = Bulk::insert(
    "playbooks.insert",
    "playbook_versions",
    columns!(bundle Bytes, content Bytes, name Text, version Int, sources Text, author Text, published_at Int,
             current Int),
    "ON CONFLICT DO NOTHING",
);

static RETIRE: Bulk = Bulk::new(
    "playbooks.retire",
    columns!(name Text, bundle Bytes, content Bytes),
    Tail::Text(
        "UPDATE playbook_versions SET current = 0 FROM x WHERE playbook_versions.name = x.name
           AND playbook_versions.current = 1
           AND (playbook_versions.bundle <> x.bundle OR playbook_versions.content <> x.content)",
    ),
);

static MAKE_CURRENT: Bulk = Bulk::new(
    "playbooks.make_current",
    columns!(name Text, bundle Bytes, content Bytes),
    Tail::Text(
        "UPDATE playbook_versions SET current = 1 FROM x
         WHERE playbook_versions.bundle = x.bundle AND playbook_versions.content = x.content
           AND playbook_versions.current = 0",
    ),
);

/// Publishes versions; a known pair of bundle and content changes nothing but becomes the current one of its name.
///
/// # Errors
/// Those of the database.
pub async fn publish(tx: &mut Tx, rows: &[VersionRow]) -> Result<()> {
    let args = newest(rows, |row| (row.bundle, row.content))
        .flat_map(|v| args![v.bundle, v.content, &v.name, v.version, &v.sources, &v.author, v.published_at, false]);
    tx.bulk(&INSERT, args.collect()).await?;
    let keys = || newest(rows, |row| &row.name).flat_map(|v| args![&v.name, v.bundle, v.content]).collect();
    tx.bulk(&RETIRE, keys()).await?;
    tx.bulk(&MAKE_CURRENT, keys()).await?;
    Ok(())
}
const GET: Query = Query::new(
    "playbooks.get",
    "SELECT bundle, content, name, version, sources, author, published_at FROM playbook_versions
     WHERE bundle = $1 AND content = $2 ORDER BY bundle, content LIMIT 1",
);

/// Returns a version by its two hashes.
///
/// # Errors
/// Those of the database.
pub async fn get(tx: &mut Tx, bundle: Hash, content: Hash) -> Result<Option<VersionRow>> {
    tx.row(&GET, args![bundle, content]).await?.as_mut().map(read).transpose()
}
/// By `playbook_versions_current`.
const CURRENT: Query = Query::new(
    "playbooks.current",
    "SELECT bundle, content, name, version, sources, author, published_at FROM playbook_versions
     WHERE current = 1 ORDER BY name LIMIT 10000",
);

/// Returns the current version of every playbook, ordered by name.
///
/// # Errors
/// Those of the database.
pub async fn current(tx: &mut Tx) -> Result<Vec<VersionRow>> {
    tx.rows(&CURRENT, args![]).await?.iter_mut().map(read).collect()
}

fn read(row: &mut Row) -> Result<VersionRow> {
    Ok(VersionRow {
        bundle: row.next()?,
        content: row.next()?,
        name: row.next()?,
        version: row.next()?,
        sources: row.next()?,
        author: row.next()?,
        published_at: row.next()?,
    })
}

crate::sql::statements! {GET, CURRENT ; INSERT, RETIRE, MAKE_CURRENT}
