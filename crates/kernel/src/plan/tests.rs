//! Plans by example, and through any history of money.

use super::*;
use crate::calendar::holidays::{Holidays, On, Rule};
use proptest::prelude::*;

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn parts(schedule: Vec<Instalment>) -> Vec<Part> {
    schedule.into_iter().map(|instalment| Part { instalment, paid_minor: 0, told: Told::Nothing }).collect()
}

fn eur(minor: i64) -> Money {
    Money::new(minor, crate::money::Currency::EUR)
}

const PATIENCE: Patience = Patience { reminder: Span::days(3), grace: Span::days(5), default_after: 2 };
const MONTH: Span = Span { count: 1, unit: crate::time::Unit::Months };

#[test]
fn a_plan_of_month_ends_stays_at_the_months_end_and_its_last_instalment_takes_the_cents() {
    let plan = divide(100_000, 3, date("2026-01-31"), MONTH).unwrap();
    let said: Vec<_> = plan.iter().map(|one| (one.due.to_string(), one.amount_minor)).collect();
    assert_eq!(
        said,
        [("2026-01-31".to_owned(), 33_333), ("2026-02-28".to_owned(), 33_333), ("2026-03-31".to_owned(), 33_334)]
    );
}

#[test]
fn impossible_plans_are_refused_with_their_reason() {
    let first = date("2026-01-31");
    assert!(divide(100, 0, first, MONTH).unwrap_err().contains("1 to 120"));
    assert!(divide(2, 3, first, MONTH).unwrap_err().contains("too small"));
    assert!(divide(100, 2, first, Span { count: 3, unit: crate::time::Unit::Hours }).unwrap_err().contains("1 month"));
    let twice = [Instalment { due: first, amount_minor: 50 }, Instalment { due: first, amount_minor: 50 }];
    assert!(check(&twice, eur(100)).unwrap_err().contains("does not come after"));
    assert!(check(&twice[..1], eur(100)).unwrap_err().contains("add up to 0.50 EUR, the plan is over 1.00 EUR"));
}

#[test]
fn an_offer_admits_only_what_it_offered() {
    let plan = divide(900, 3, date("2026-02-01"), MONTH).unwrap();
    let limits =
        Limits { max_instalments: Some(3), ends_by: Some(date("2026-04-01")), valid_until: Some(date("2026-01-20")) };
    assert_eq!(limits.admit(&plan, date("2026-01-20")), Ok(()));
    assert!(limits.admit(&plan, date("2026-01-21")).unwrap_err().contains("valid until 2026-01-20"));
    let few = Limits { max_instalments: Some(2), ..limits.clone() };
    assert!(few.admit(&plan, date("2026-01-20")).unwrap_err().contains("at most 2"));
    let short = Limits { ends_by: Some(date("2026-03-31")), ..limits };
    assert!(short.admit(&plan, date("2026-01-20")).unwrap_err().contains("2026-04-01"));
}

#[test]
fn an_instalment_is_announced_then_missed_and_the_second_missed_one_ends_the_plan() {
    let weekdays = Calendar::weekdays();
    let mut plan = parts(divide(900, 3, date("2026-02-01"), MONTH).unwrap());
    let look_on = |plan: &mut Vec<Part>, day: &str| look(plan, PATIENCE, &weekdays, date(day));
    assert_eq!(look_on(&mut plan, "2026-01-15"), (vec![], Some(date("2026-01-29"))));
    assert_eq!(look_on(&mut plan, "2026-01-29"), (vec![News::Due(0)], Some(date("2026-02-07"))));
    assert_eq!(look_on(&mut plan, "2026-02-06"), (vec![], Some(date("2026-02-07"))));
    assert_eq!(look_on(&mut plan, "2026-02-07"), (vec![News::Missed(0)], Some(date("2026-02-26"))));
    assert_eq!(look_on(&mut plan, "2026-02-26"), (vec![News::Due(1)], Some(date("2026-03-07"))));
    assert_eq!(look_on(&mut plan, "2026-03-07"), (vec![News::Missed(1), News::Defaulted], None));
}

#[test]
fn a_reminder_in_working_days_counts_those_of_the_customers_calendar() {
    let thursday = Rule::new("a holiday", vec![On::Date(date("2026-02-26"))]);
    let calendar = Calendar { holidays: Holidays::new(vec![thursday]), ..Calendar::weekdays() };
    let patience = Patience { reminder: Span { count: 3, unit: crate::time::Unit::WorkingDays }, ..PATIENCE };
    let mut plan = parts(divide(900, 1, date("2026-03-02"), MONTH).unwrap());
    // Monday 2 March; before it Friday the 27th, not Thursday, a holiday, but Wednesday and Tuesday.
    assert_eq!(look(&mut plan, patience, &calendar, date("2026-02-20")), (vec![], Some(date("2026-02-24"))));
    let (news, _) = look(&mut plan, patience, &calendar, date("2026-02-24"));
    assert_eq!(news, [News::Due(0)]);
}

#[test]
fn a_missed_instalment_that_comes_late_is_healed() {
    let weekdays = Calendar::weekdays();
    let mut plan = parts(divide(900, 3, date("2026-02-01"), MONTH).unwrap());
    look(&mut plan, PATIENCE, &weekdays, date("2026-02-07"));
    assert!(plan[0].is_missed());
    spread(&mut plan, 300);
    assert!(!plan[0].is_missed());
    let (news, _) = look(&mut plan, PATIENCE, &weekdays, date("2026-03-07"));
    assert_eq!(news, [News::Missed(1)], "one at a time");
    spread(&mut plan, 900);
    assert_eq!(look(&mut plan, PATIENCE, &weekdays, date("2026-03-08")), (vec![News::Completed], None));
}

#[test]
fn the_last_instalment_missed_ends_the_plan_however_patient_it_is() {
    let mut plan = parts(divide(900, 1, date("2026-02-01"), MONTH).unwrap());
    let (news, next) = look(&mut plan, PATIENCE, &Calendar::weekdays(), date("2026-02-07"));
    assert_eq!((news, next), (vec![News::Missed(0), News::Defaulted], None));
}

proptest! {
    #[test]
    fn a_plan_adds_up_and_its_days_ascend(amount in 1_i64..10_000_000, count in 1_i64..=120, days in 1_i64..60) {
        prop_assume!(amount >= count);
        let plan = divide(amount, count, date("2026-01-31"), Span::days(days)).unwrap();
        prop_assert_eq!(check(&plan, eur(amount)), Ok(()));
    }

    #[test]
    fn money_is_spread_to_the_cent(amount in 10_i64..10_000, count in 1_i64..10, paid in 0_i64..12_000) {
        let mut plan = parts(divide(amount, count, date("2026-01-31"), MONTH).unwrap());
        spread(&mut plan, paid);
        prop_assert_eq!(plan.iter().map(|part| part.paid_minor).sum::<i64>(), paid.min(amount));
        prop_assert_eq!(plan.iter().map(Part::rest_minor).sum::<i64>(), (amount - paid).max(0));
    }

    #[test]
    fn looking_every_day_or_only_when_asked_tells_the_same(paid_on in prop::collection::vec((0_i64..200, 1_i64..400), 0..6)) {
        // Money moves the next look to its own day; between two looks nothing can be due.
        let weekdays = Calendar::weekdays();
        let start = date("2026-01-01");
        let paid_by = |day: i64| paid_on.iter().filter(|(on, _)| *on <= day).map(|(_, minor)| minor).sum::<i64>();
        let run = |every_day: bool| {
            let mut plan = parts(divide(900, 3, date("2026-02-01"), MONTH).unwrap());
            let (mut told, mut next) = (Vec::new(), Some(start));
            for day in 0..260 {
                let today = crate::case::shift(start, day);
                let has_money = paid_on.iter().any(|(on, _)| *on == day);
                if !(every_day || has_money || next.is_some_and(|next| next <= today)) { continue }
                spread(&mut plan, paid_by(day));
                let (news, later) = look(&mut plan, PATIENCE, &weekdays, today);
                let over = news.iter().any(|one| matches!(one, News::Defaulted | News::Completed));
                told.extend(news.into_iter().map(|one| (today, one)));
                next = later;
                if over { break }
            }
            told
        };
        prop_assert_eq!(run(true), run(false));
    }
}
