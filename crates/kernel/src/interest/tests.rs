//! Published examples to the cent, and what must hold for any history.

use super::*;
use proptest::prelude::*;

fn on(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn table(currency: &str, rates: &[(&str, &str, &str)]) -> Rates {
    Rates {
        name: "test".to_owned(),
        jurisdictions: Vec::new(),
        debtor_kinds: vec!["business".to_owned()],
        currency: currency.parse().unwrap(),
        application: Application::Piecewise,
        day_count: DayCount::Actual365,
        rounding: Rounding::Total,
        rates: rates
            .iter()
            .map(|(from, to, percent)| Rate {
                from: on(from),
                to: on(to),
                percent: dec(percent),
                source: String::new(),
            })
            .collect(),
        fixed: Vec::new(),
        hash: Hash::of(b"test"),
    }
}

fn debt(currency: &str, amount: &str, due: &str) -> Debt {
    let currency: Currency = currency.parse().unwrap();
    Debt {
        due: on(due),
        amount_minor: Money::parse(amount, currency).unwrap().minor,
        currency,
        paid: Vec::new(),
        waivers: Vec::new(),
    }
}

fn interest_of(rates: Rates, debt: &Debt, as_of: &str) -> i64 {
    statement(&Arc::new(rates), debt, on(as_of)).interest_minor
}

/// Garfield (UK, calculator's own example): 5,000 at 4 + 8 percent, 90 days.
/// Agence iPro (France): 15,000 at 15 percent, 30 days. Toolfy (UK): 2,000 at 13.25 percent, 45 days.
#[test]
fn published_examples_come_out_to_the_cent() {
    let year = |percent: &'static str| [("2025-01-01", "2025-12-31", percent)];
    let uk = table("GBP", &year("12"));
    assert_eq!(interest_of(uk, &debt("GBP", "5000", "2025-01-31"), "2025-05-01"), 14_795);
    let fr = table("EUR", &year("15"));
    assert_eq!(interest_of(fr, &debt("EUR", "15000", "2025-01-31"), "2025-03-02"), 18_493);
    let uk = table("GBP", &year("13.25"));
    assert_eq!(interest_of(uk, &debt("GBP", "2000", "2025-01-31"), "2025-03-17"), 3_267);
}

/// GOV.UK's method (1,000 at 8.5 percent, 50 days) and Paidnice's (5,000 at 12.25, 101 days) round the day first.
#[test]
fn a_daily_amount_is_rounded_before_it_is_multiplied_where_the_table_says_so() {
    let daily =
        |percent: &str| Rates { rounding: Rounding::Daily, ..table("GBP", &[("2025-01-01", "2025-12-31", percent)]) };
    assert_eq!(interest_of(daily("8.5"), &debt("GBP", "1000", "2025-01-31"), "2025-03-22"), 1_150);
    assert_eq!(interest_of(daily("12.25"), &debt("GBP", "5000", "2025-01-31"), "2025-05-12"), 16_968);
}

/// 10,000 due on 30 May, asked on 31 August: 31 days of June at 12.50 (31 May and June), 62 days at 12.25.
#[test]
fn a_changing_rate_applies_in_three_ways() {
    let rates = || table("EUR", &[("2024-01-01", "2024-06-30", "12.50"), ("2024-07-01", "2024-12-31", "12.25")]);
    let debt = debt("EUR", "10000", "2024-05-30");
    // 10,000 x (31 x 12.50 + 62 x 12.25) / 36,500
    assert_eq!(interest_of(rates(), &debt, "2024-08-31"), 31_425);
    let locked = Rates { application: Application::LockedAtDefault, ..rates() };
    assert_eq!(interest_of(locked, &debt, "2024-08-31"), 31_849);
    let last = Rates { application: Application::RateAtPayment, ..rates() };
    assert_eq!(interest_of(last, &debt, "2024-08-31"), 31_212);
}

#[test]
fn days_of_a_year_count_as_the_table_says() {
    let rates = |day_count| Rates { day_count, ..table("EUR", &[("2024-01-01", "2025-12-31", "10")]) };
    let debt = debt("EUR", "36600", "2023-12-31");
    assert_eq!(interest_of(rates(DayCount::ActualActual), &debt, "2024-12-31"), 366_000);
    assert_eq!(interest_of(rates(DayCount::Actual365), &debt, "2024-12-31"), 367_003);
    assert_eq!(interest_of(rates(DayCount::Actual360), &debt, "2024-12-31"), 372_100);
}

#[test]
fn payments_lower_the_principal_from_the_next_day_and_what_is_taken_back_raises_it() {
    let rates = Arc::new(table("EUR", &[("2024-01-01", "2024-12-31", "36.5")]));
    let mut debt = debt("EUR", "1000", "2024-01-31");
    debt.paid = vec![(on("2024-02-10"), 60_000), (on("2024-02-20"), -10_000), (on("2024-03-01"), 50_000)];
    let statement = statement(&rates, &debt, on("2024-12-31"));
    let lines: Vec<_> = statement.lines.iter().map(|l| (l.days, l.principal_minor, l.interest_minor)).collect();
    assert_eq!(lines, [(10, 100_000, 1_000), (10, 40_000, 400), (10, 50_000, 500)]);
    assert_eq!(statement.interest_minor, 1_900);
}

#[test]
fn a_fixed_sum_is_owed_once_by_the_size_of_the_invoice() {
    let mut rates = table("GBP", &[("2024-01-01", "2024-12-31", "13.25")]);
    let fixed = |at_least: &str, amount: &str| FixedSum { at_least: dec(at_least), amount: dec(amount) };
    rates.fixed = vec![fixed("0", "40"), fixed("1000", "70"), fixed("10000", "100")];
    let rates = Arc::new(rates);
    let of = |amount: &str, as_of: &str| statement(&rates, &debt("GBP", amount, "2024-01-31"), on(as_of)).fixed_minor;
    assert_eq!(of("999.99", "2024-02-01"), 4_000);
    assert_eq!(of("1000", "2024-02-01"), 7_000);
    assert_eq!(of("10000", "2024-11-30"), 10_000);
    assert_eq!(of("10000", "2024-01-31"), 0, "the last day to pay is in time");
}

/// 1 a day from 1 February, 40 fixed: a waiver holds from its day, takes no more than is there, and names its reason.
#[test]
fn waivers_take_off_what_had_come_about_and_never_more_than_is_there() {
    let mut rates = table("EUR", &[("2024-01-01", "2024-12-31", "36.5")]);
    rates.fixed = vec![FixedSum { at_least: dec("0"), amount: dec("40") }];
    let rates = Arc::new(rates);
    let waiver = |day: &str, of, minor| Waiver { on: on(day), of, minor, reason: day.to_owned() };
    let of = |waivers: Vec<Waiver>, as_of: &str| {
        let debt = Debt { waivers, ..debt("EUR", "1000", "2024-01-31") };
        let statement = statement(&rates, &debt, on(as_of));
        (statement.charges_minor(), statement.waived.len())
    };
    let open = |day: &str| waiver(day, Waives::Interest, None);
    assert_eq!(of(vec![open("2024-02-10")], "2024-02-09"), (4_900, 0), "not yet");
    assert_eq!(of(vec![open("2024-02-10")], "2024-02-15"), (4_500, 1), "ten days of fifteen");
    assert_eq!(of(vec![open("2024-02-12"), open("2024-02-10")], "2024-02-15"), (4_300, 2), "each day once");
    assert_eq!(of(vec![waiver("2024-02-10", Waives::FixedSum, None)], "2024-02-15"), (1_500, 1));
    assert_eq!(of(vec![waiver("2024-02-10", Waives::All, Some(2_000))], "2024-02-15"), (3_500, 1), "interest first");
    assert_eq!(of(vec![waiver("2024-02-10", Waives::All, Some(9_000))], "2024-02-15"), (0, 1));
    assert_eq!(of(vec![waiver("2024-02-10", Waives::Interest, Some(9_000))], "2024-02-15"), (4_000, 1));
    let both = vec![waiver("2024-02-10", Waives::All, None), waiver("2024-02-10", Waives::All, Some(9_000))];
    assert_eq!(of(both, "2024-02-15"), (0, 2));
}

#[test]
fn a_rate_that_nobody_loaded_is_not_assumed() {
    let rates = Arc::new(table("EUR", &[("2026-01-01", "2026-06-30", "10.15")]));
    let statement = statement(&rates, &debt("EUR", "10000", "2026-06-20"), on("2026-07-31"));
    assert_eq!((statement.lines.len(), statement.lines[0].days), (1, 10));
    assert_eq!(statement.unknown_from, Some(on("2026-07-01")));
}

prop_compose! {
    fn histories()(
        amount in 1_i64..5_000_000,
        due in 0_i64..700,
        paid in prop::collection::vec((-40_i64..900, -200_000_i64..2_000_000), 0..6),
    ) -> Debt {
        let day = |n: i64| on("2024-01-01") + chrono::Duration::days(n);
        Debt {
            due: day(due),
            amount_minor: amount,
            currency: Currency::EUR,
            paid: paid.into_iter().map(|(n, minor)| (day(due + n), minor)).collect(),
            waivers: Vec::new(),
        }
    }
}

proptest! {
    /// Day by day, without stretches: the definition.
    #[test]
    fn stretches_give_what_days_give(debt in histories(), days in 0_i64..900) {
        let rates = Arc::new(table("EUR", &[
            ("2024-01-01", "2024-06-30", "12.50"), ("2024-07-01", "2024-12-31", "12.25"),
            ("2025-01-01", "2025-06-30", "11.15"), ("2025-07-01", "2030-12-31", "10.15"),
        ]));
        let as_of = debt.due + chrono::Duration::days(days);
        let found = statement(&rates, &debt, as_of);
        let by_day: Decimal = debt.due.iter_days().skip(1).take_while(|day| *day <= as_of).map(|day| {
            Decimal::from(debt.owed_on(day)) * rates.on(day).unwrap().percent
        }).sum();
        prop_assert_eq!(found.interest_minor, minor(by_day / Decimal::from(36_500)));
        prop_assert_eq!(found.interest_minor, found.lines.iter().map(|line| line.interest_minor).sum::<i64>());
    }

    /// The order in which payments became known does not matter, and a later day never costs less.
    #[test]
    fn any_order_gives_the_same_and_time_only_adds(mut debt in histories(), days in 0_i64..900) {
        let rates = Arc::new(table("EUR", &[("2024-01-01", "2030-12-31", "10.15")]));
        let as_of = debt.due + chrono::Duration::days(days);
        let first = statement(&rates, &debt, as_of);
        debt.paid.reverse();
        prop_assert_eq!(&first, &statement(&rates, &debt, as_of));
        let later = statement(&rates, &debt, as_of + chrono::Duration::days(1));
        prop_assert!(later.interest_minor >= first.interest_minor);
    }
}
