//! What commands say about money.

use crate::program::Home;
use expect_test::expect;

fn book() -> Home {
    let home = Home::new();
    let put = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    put("customers.csv", "id,name,country,email\nC1,Acme SL,ES,a@example.com\nC2,Ana,ES,ana@example.com\n");
    put(
        "invoices.csv",
        "id,number,customer,issued,due,amount,currency,reference\n\
         I1,2026/1,C1,2025-10-02,2025-11-01,7200.00,EUR,RF18\nI2,2026/2,C1,2025-10-02,2025-11-01,10.00,EUR,RF18\n\
         I3,2026/3,C1,2025-10-02,2025-11-01,10.00,USD,\n",
    );
    put("payments.csv", "id,invoice,amount,currency,on\nP1,2026/1,1200,EUR,2026-01-15\nP2,RF18,5,EUR,2026-01-15\n");
    for source in ["customers", "invoices", "payments"] {
        home.data(&["import", source, &format!("{source}.csv")]);
    }
    home.data(&["run", "--virtual", "--until", "2026-01-20"]);
    home
}

#[test]
fn interest_is_shown_line_by_line_and_stops_where_no_rate_is_known() {
    let home = book();
    expect![[r#"
        2026/1  C1  due 2025-11-01  6,000.00 EUR open as of 2026-07-20

              from          to  days  principal     rate  interest
        2025-11-02  2026-01-15    75    7200.00  10.15 %    150.16
        2026-01-16  2026-06-30   166    6000.00  10.15 %    276.97

        interest 427.13 EUR, fixed sum 40.00 EUR, with the principal 6,467.13 EUR
        table es-late-payment: simple interest, piecewise_by_semester
        the rate from 2026-07-01 on is not loaded: these days are not counted; add it to workflows/rates/es-late-payment.yaml
    "#]].assert_eq(&home.data(&["interest", "2026/1", "--as-of", "2026-07-20"]));
    let json: serde_json::Value =
        serde_json::from_str(&home.data(&["interest", "I1", "--as-of", "2026-01-15", "--json"])).unwrap();
    assert_eq!((json["interest"].as_str(), json["fixed"].as_str()), (Some("150.16"), Some("40.00")));
    let today = home.data(&["interest", "I1"]);
    assert!(today.contains("as of 2026-01-20"), "the time that was played: {today}");
    for (args, code) in [(["interest", "I9"], 3), (["interest", "RF18"], 4), (["interest", "I3"], 3)] {
        assert_eq!(home.run(&args).status.code(), Some(code), "{args:?}");
    }
}

#[test]
fn a_payment_whose_reference_names_two_invoices_waits_in_sight() {
    let waiting = book().data(&["unmatched"]);
    assert!(waiting.contains("several invoices carry the number or reference `RF18`"), "{waiting}");
}
