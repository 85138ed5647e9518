//! A hold on a class of customers: its open cases hear of it page by page, so that memory does not grow with the class.

use super::book::Origin;
use super::book::holds::{ClassNews, in_class};
use crate::db::{self, Keys};
use crate::{Engine, Error};
use recobro_kernel::ids::CustomerId;
use recobro_store::{Tx, customers};

/// Customers of one page.
const PAGE: i64 = 500;

/// Tells the open cases of a class. An act of people: its work grows with the customers, and only with it.
///
/// # Errors
/// [`Error::Store`].
pub(super) async fn tell(engine: &Engine, tx: &mut Tx, news: &ClassNews) -> Result<(), Error> {
    let class = news.hold.row.class.as_deref().unwrap_or_default();
    let origin = Origin { source: &news.source, kind: &news.kind, key: &news.key, at: news.at };
    let mut after = String::new();
    loop {
        let page = customers::list(tx, &after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after.clone_from(&last.id.0);
        let mut all_of = std::collections::BTreeSet::<CustomerId>::new();
        for row in page {
            let id = row.id.clone();
            if in_class(class, None, &db::customer_of(row)?) {
                all_of.insert(id);
            }
        }
        if !all_of.is_empty() {
            let mut book = db::load_book(engine, tx, &Keys { all_of, ..Keys::default() }).await?;
            book.tell_about(&news.hold, &origin);
            db::tell(tx, &book.events, &book.numbers).await?;
        }
    }
}
