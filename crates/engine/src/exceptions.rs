//! Exceptions from rules of policies: one person asks, another one decides, and it ends by itself.
//!
//! Nobody can lift what the customer said, what protects others, or what law asks ([`Rule::stands_because`]). What a turn
//! and the hand-over know is what stands at that instant, so an end needs no news; at its beginning the cases that wait
//! for a day are told, because that day may come earlier now.

use crate::route::book::holds::{PATHS, in_class};
use crate::{Engine, Error, Who, db};
use chrono::{NaiveDate, NaiveTime};
use chrono_tz::Tz;
use recobro_connectors::source::record::Customer;
use recobro_kernel::case::shift;
use recobro_kernel::guard::policy::{EXCEPTION_DAYS, Policy, Rule};
use recobro_kernel::ids::{CustomerId, EventId};
use recobro_kernel::time::Timestamp;
use recobro_kernel::value::Value;
use recobro_store::exceptions::{self, ActRow, ExceptionRow};
use recobro_store::{CaseNo, Tx, cases, customers, events};
use std::collections::BTreeMap;

/// Exceptions that begin in one batch.
const BATCH: i64 = 100;

/// Customers of one page.
const PAGE: i64 = 500;

/// Where a date begins first: cases are told from then on, each for the hour at which its customer's date begins.
const FIRST_HOUR_UTC: u32 = 10;

/// What a person asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Its name.
    pub name: String,
    /// `policy/rule`.
    pub rule: String,
    /// For this customer; else for the class.
    pub customer: Option<CustomerId>,
    /// Tests of a class: `customer.segment=key`.
    pub class: Vec<String>,
    /// Reason code.
    pub reason: String,
    /// What people should know.
    pub note: String,
    /// First day; today where nothing is said.
    pub from: Option<NaiveDate>,
    /// Last day.
    pub until: NaiveDate,
}

/// What a person does with an exception that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The second person agrees.
    Approve,
    /// The second person does not.
    Refuse,
    /// Anybody ends it, or takes it back, before its last day.
    End,
}

/// Whether an exception stands at an instant, on the date that it is for the customer.
pub(crate) fn stands(row: &ExceptionRow, on: NaiveDate, at: Timestamp) -> bool {
    let known = row.decided_at.is_some_and(|decided| decided <= at);
    let ended = row.ended_at.is_some_and(|ended| ended <= at);
    row.status != "refused" && known && !ended && row.from_on <= on && on <= row.until_on
}

impl Engine {
    /// Asks for an exception. It lifts nothing until another person approves it. `trial` takes everything back.
    ///
    /// # Errors
    /// [`Error::Refused`] for a rule that is not there or that nobody can lift, for days that are past or too many.
    pub async fn ask_exception(&self, wish: &Wish, who: &Who, trial: bool) -> Result<ExceptionRow, Error> {
        by_name(who)?;
        let mut tx = self.store.begin().await?;
        let now = self.clock.now();
        if exceptions::get(&mut tx, &wish.name).await?.is_some() {
            let why = format!("an exception `{}` is known; another one needs a name of its own", wish.name);
            return Err(Error::Taken(why));
        }
        let customer = match &wish.customer {
            Some(id) => Some(self.excepted(&mut tx, id).await?),
            None => None,
        };
        let (policy, rule) = self.rule_to_lift(&wish.rule)?;
        if let Some(customer) = &customer {
            speaks_for(policy, customer)?;
        }
        let zone = customer.as_ref().map_or(self.settings.creditor.time_zone, |customer| customer.time_zone);
        let from_on = fitting_days(wish, now.date_in(zone))?;
        let row = ExceptionRow {
            id: wish.name.clone(),
            rule: rule.id.clone(),
            customer: wish.customer.clone(),
            class: class_of(wish)?,
            reason: wish.reason.clone(),
            note: wish.note.clone(),
            from_on,
            until_on: wish.until,
            status: "asked".to_owned(),
            asked_by: who.recorded(),
            asked_at: now,
            decided_by: None,
            decided_at: None,
            ended_by: None,
            ended_at: None,
            tell_at: None,
        };
        write(&mut tx, &row, ("asked", &row.asked_by, &wish.reason), now).await?;
        finish(tx, trial).await?;
        Ok(row)
    }

    /// Approves, refuses or ends an exception. `trial` takes everything back.
    ///
    /// # Errors
    /// [`Error::NoException`]; [`Error::Refused`] where who asked would approve, or where nothing is left to answer.
    pub async fn answer_exception(
        &self,
        name: &str,
        answer: Answer,
        who: &Who,
        trial: bool,
    ) -> Result<ExceptionRow, Error> {
        let mut tx = self.store.begin().await?;
        let now = self.clock.now();
        let known = exceptions::get(&mut tx, name).await?.ok_or_else(|| Error::NoException(name.to_owned()))?;
        let (row, act) = match answer {
            Answer::Approve => (self.approved(&mut tx, known, who).await?, "approved"),
            Answer::Refuse => (refused(known, who, now)?, "refused"),
            Answer::End => (ended(known, who, now)?, "ended"),
        };
        write(&mut tx, &row, (act, &who.recorded(), &who.why), now).await?;
        finish(tx, trial).await?;
        Ok(row)
    }

    /// The exceptions that stand for a customer at an instant.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn exceptions_of(&self, customer: &CustomerId, at: Timestamp) -> Result<Vec<ExceptionRow>, Error> {
        let mut tx = self.store.read().await?;
        let Some(row) = customers::get(&mut tx, std::slice::from_ref(customer)).await?.remove(customer) else {
            return Ok(Vec::new());
        };
        let record = db::customer_of(row)?;
        let on = at.date_in(record.time_zone);
        let rows = exceptions::standing(&mut tx, std::slice::from_ref(customer), on).await?;
        let about = |row: &ExceptionRow| stands(row, on, at) && is_about(row, &record);
        Ok(rows.into_iter().filter(about).collect())
    }

    async fn approved(&self, tx: &mut Tx, row: ExceptionRow, who: &Who) -> Result<ExceptionRow, Error> {
        let now = self.clock.now();
        by_name(who)?;
        asked_still(&row)?;
        if is_same(&row.asked_by, &who.name) {
            return refuse(format!("{} asked for `{}`; another person must approve it", row.asked_by, row.id));
        }
        self.rule_to_lift(&row.rule)?;
        let zone = match &row.customer {
            Some(id) => self.excepted(tx, id).await?.time_zone,
            None => self.settings.creditor.time_zone,
        };
        if row.until_on < now.date_in(zone) {
            return refuse(format!("the last day of `{}`, {}, is over", row.id, row.until_on));
        }
        let opens = NaiveTime::from_hms_opt(FIRST_HOUR_UTC, 0, 0).unwrap_or_default();
        let first = Timestamp::at_local(shift(row.from_on, -1), opens, Tz::UTC);
        Ok(ExceptionRow {
            status: "approved".to_owned(),
            decided_by: Some(who.recorded()),
            decided_at: Some(now),
            tell_at: Some(first.max(now)),
            ..row
        })
    }

    /// A rule that two people can lift, with its policy.
    fn rule_to_lift(&self, id: &str) -> Result<(&Policy, &Rule), Error> {
        let policies = self.shelf.law.policies.values();
        let found = policies.flat_map(|policy| policy.rules.iter().map(move |rule| (&**policy, rule)));
        let Some((policy, rule)) = found.into_iter().find(|(_, rule)| rule.id == id) else {
            return Err(Error::Unknown(format!(
                "no policy has a rule `{id}`; an exception names one as POLICY/RULE, and never a gap or cap of a playbook"
            )));
        };
        match rule.stands_because() {
            Some(why) => refuse(format!("nobody can lift `{id}`: {why}")),
            None => Ok((policy, rule)),
        }
    }

    async fn excepted(&self, tx: &mut Tx, id: &CustomerId) -> Result<Customer, Error> {
        match customers::get(tx, std::slice::from_ref(id)).await?.remove(id) {
            Some(row) => db::customer_of(row),
            None => Err(Error::Unknown(format!("no customer `{id}`"))),
        }
    }
}

fn refuse<T>(why: String) -> Result<T, Error> {
    Err(Error::Refused(why))
}

/// Two people are two names: what the system calls somebody is nobody's word for who they are.
fn by_name(who: &Who) -> Result<(), Error> {
    if who.name.starts_with("person:") {
        return Ok(());
    }
    refuse(format!("an exception is asked for and approved by people by name, not by `{}`: --as PERSON", who.name))
}

/// Whether two names may be one person's: what the system calls them counts as well.
fn is_same(one: &str, other: &str) -> bool {
    let bare = |name: &str| {
        let name = name.strip_suffix(" (unauthenticated)").unwrap_or(name);
        name.rsplit_once(':').map_or(name, |(_, bare)| bare).trim().to_lowercase()
    };
    bare(one) == bare(other)
}

/// An exception from a policy that has nothing to say to a customer is a slip of the hand.
fn speaks_for(policy: &Policy, customer: &Customer) -> Result<(), Error> {
    let (name, country, kind) = (&policy.name, &customer.country, &customer.kind);
    if !policy.jurisdictions.is_empty() && !policy.speaks_for(country) {
        return refuse(format!("policy `{name}` does not speak for customers in {country}"));
    }
    if !policy.debtor_kinds.is_empty() && !policy.debtor_kinds.contains(kind) {
        return refuse(format!("policy `{name}` does not speak for customers of the kind {kind}"));
    }
    Ok(())
}

fn fitting_days(wish: &Wish, today: NaiveDate) -> Result<NaiveDate, Error> {
    let from = wish.from.unwrap_or(today);
    if from < today {
        return refuse(format!("{from} is past; an exception begins today or later"));
    }
    if wish.until < from {
        return refuse(format!("{} is before its first day, {from}", wish.until));
    }
    let last = shift(from, EXCEPTION_DAYS - 1);
    if wish.until > last {
        return refuse(format!(
            "an exception lasts {EXCEPTION_DAYS} days at most, here to {last}; what must last longer is a change of the policy"
        ));
    }
    Ok(from)
}

fn class_of(wish: &Wish) -> Result<Option<String>, Error> {
    if wish.customer.is_some() != wish.class.is_empty() {
        return refuse("an exception is for one customer or for a class of them".to_owned());
    }
    let mut tests = Vec::new();
    for test in &wish.class {
        let Some((path, value)) = test.split_once('=').map(|(path, value)| (path.trim(), value.trim())) else {
            return refuse(format!("`{test}` is no test of a class; write customer.segment=key"));
        };
        if !PATHS.contains(&path) {
            return refuse(format!("`{path}` names no class; it may be {}", PATHS.join(", ")));
        }
        tests.push(format!("{path}={value}"));
    }
    Ok((!tests.is_empty()).then(|| tests.join("\n")))
}

fn asked_still(row: &ExceptionRow) -> Result<(), Error> {
    if row.status == "asked" {
        return Ok(());
    }
    let by = row.ended_by.as_ref().or(row.decided_by.as_ref()).map(|by| format!(" by {by}")).unwrap_or_default();
    refuse(format!("exception `{}` was {}{by}", row.id, row.status))
}

fn refused(row: ExceptionRow, who: &Who, now: Timestamp) -> Result<ExceptionRow, Error> {
    asked_still(&row)?;
    if is_same(&row.asked_by, &who.name) {
        return refuse(format!("{} asked for `{}`; `exception end` takes it back", row.asked_by, row.id));
    }
    Ok(ExceptionRow { status: "refused".to_owned(), decided_by: Some(who.recorded()), decided_at: Some(now), ..row })
}

fn ended(row: ExceptionRow, who: &Who, now: Timestamp) -> Result<ExceptionRow, Error> {
    if !["asked", "approved"].contains(&row.status.as_str()) {
        asked_still(&row)?;
    }
    Ok(ExceptionRow {
        status: "ended".to_owned(),
        ended_by: Some(who.recorded()),
        ended_at: Some(now),
        tell_at: None,
        ..row
    })
}

/// Writes a row and what was done with it.
async fn write(
    tx: &mut Tx,
    row: &ExceptionRow,
    (act, who, why): (&str, &str, &str),
    at: Timestamp,
) -> Result<(), Error> {
    exceptions::upsert(tx, std::slice::from_ref(row)).await?;
    note(tx, std::slice::from_ref(&row.id), (act, who, why), at).await
}

async fn note(tx: &mut Tx, ids: &[String], (act, who, why): (&str, &str, &str), at: Timestamp) -> Result<(), Error> {
    let mut last: BTreeMap<String, i64> = BTreeMap::new();
    for act in exceptions::acts(tx, ids).await? {
        last.insert(act.exception, act.ordinal);
    }
    let row = |id: &String| ActRow {
        exception: id.clone(),
        ordinal: last.get(id).copied().unwrap_or(0) + 1,
        at,
        who: who.to_owned(),
        act: act.to_owned(),
        why: why.to_owned(),
    };
    exceptions::note(tx, &ids.iter().map(row).collect::<Vec<_>>()).await?;
    Ok(())
}

async fn finish(tx: Tx, trial: bool) -> Result<(), Error> {
    if trial {
        tx.rollback().await?;
    } else {
        tx.commit().await?;
    }
    Ok(())
}

/// Tells the waiting cases of the exceptions that begin at or before an instant. Says how many exceptions there were.
///
/// # Errors
/// [`Error::Store`].
pub(crate) async fn begin(engine: &Engine, tx: &mut Tx, until: Timestamp) -> Result<usize, Error> {
    let due = exceptions::untold(tx, until, BATCH).await?;
    if due.is_empty() {
        return Ok(0);
    }
    let named: Vec<CustomerId> = db::unique(&due.iter().filter_map(|row| row.customer.clone()).collect::<Vec<_>>());
    let rows = customers::get(tx, &named).await?.into_values().collect();
    tell(engine, tx, rows, &due.iter().filter(|row| row.class.is_none()).collect::<Vec<_>>()).await?;
    // An act of people on a class: its work grows with the customers, and only with it.
    let classes: Vec<&ExceptionRow> = due.iter().filter(|row| row.class.is_some()).collect();
    let mut after = String::new();
    while !classes.is_empty() {
        let page = customers::list(tx, &after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.id.0);
        tell(engine, tx, page, &classes).await?;
    }
    let ids: Vec<String> = due.iter().map(|row| row.id.clone()).collect();
    note(tx, &ids, ("began", "worker", ""), engine.clock.now()).await?;
    let told: Vec<ExceptionRow> = due.into_iter().map(|row| ExceptionRow { tell_at: None, ..row }).collect();
    exceptions::upsert(tx, &told).await?;
    Ok(told.len())
}

/// Of a page of customers, tells the open cases that wait for a day which a limit or the law had named.
async fn tell(
    engine: &Engine,
    tx: &mut Tx,
    page: Vec<customers::CustomerRow>,
    due: &[&ExceptionRow],
) -> Result<(), Error> {
    let mut about: BTreeMap<CustomerId, (Tz, Vec<&ExceptionRow>)> = BTreeMap::new();
    for row in page {
        let (id, record) = (row.id.clone(), db::customer_of(row)?);
        let theirs: Vec<&ExceptionRow> = due.iter().copied().filter(|row| is_about(row, &record)).collect();
        if !theirs.is_empty() {
            about.insert(id, (record.time_zone, theirs));
        }
    }
    if about.is_empty() {
        return Ok(());
    }
    let open = cases::open_of_customers(tx, &about.keys().cloned().collect::<Vec<_>>()).await?;
    let numbers: Vec<CaseNo> = open.iter().map(|(_, no, _)| *no).collect();
    let now = engine.clock.now();
    let mut news = Vec::new();
    for (no, case) in db::seen_cases(tx, &numbers).await?.into_iter().filter(|(_, case)| case.is_deferred()) {
        let Some((zone, theirs)) = about.get(&case.customer) else { continue };
        for row in theirs {
            let id = EventId::derive(&["exception", &row.id, &case.id.to_string()]);
            let fields = vec![
                ("exception", Value::text(&row.id)),
                ("rule", Value::text(&row.rule)),
                ("until", Value::Date(row.until_on)),
                ("asked_by", Value::text(&row.asked_by)),
                ("approved_by", Value::text(row.decided_by.clone().unwrap_or_default())),
            ];
            let at = Timestamp::start_of(row.from_on, *zone).max(now);
            news.push(db::event_row(no, &db::own_event(id, "exception.begun", at, fields))?);
        }
    }
    if !news.is_empty() {
        events::insert(tx, &news).await?;
    }
    Ok(())
}

/// Whether an exception is for a customer; what a class says of an invoice is seen where the invoice is.
fn is_about(row: &ExceptionRow, record: &Customer) -> bool {
    match (&row.customer, &row.class) {
        (Some(id), _) => id.as_str() == record.id,
        (None, Some(class)) => in_class(class, None, record),
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_is_one_person_under_any_name() {
        assert!(is_same("person:ana", "person:Ana "));
        assert!(is_same("cli:ana (unauthenticated)", "person:ana"));
        assert!(!is_same("person:ana", "person:bo"));
    }
}
