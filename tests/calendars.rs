//! `recobro calendar`: what a place keeps, and holidays that others publish.

use crate::program::{Home, text};
use expect_test::expect;

const ICS: &str = "\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//town hall//EN
BEGIN:VEVENT
UID:1
DTSTAMP:20260101T000000Z
DTSTART;VALUE=DATE:20270519
DTEND;VALUE=DATE:20270520
SUMMARY:San \"Isidro\": fiesta local
END:VEVENT
BEGIN:VEVENT
UID:2
DTSTAMP:20260101T000000Z
DTSTART;VALUE=DATE:20201109
RRULE:FREQ=YEARLY
EXDATE;VALUE=DATE:20251109
SUMMARY:Almudena
END:VEVENT
END:VCALENDAR
";

/// A project whose only calendar is what an import writes.
fn project(home: &Home) {
    std::fs::create_dir_all(home.path().join("p/workflows/calendars")).unwrap();
    std::fs::write(home.path().join("madrid.ics"), ICS).unwrap();
}

const OUT: &str = "p/workflows/calendars/madrid.yaml";
const IMPORT: [&str; 9] =
    ["calendar", "import", "madrid.ics", "--name", "madrid", "--country", "ES", "--subdivision", "ES-MD"];

#[test]
fn imported_holidays_are_a_calendar_that_checks_and_shows() {
    let home = Home::new();
    project(&home);
    let said = home.data(&[&IMPORT[..], &["--out", OUT, "--project", "p"]].concat());
    assert_eq!(said, format!("{OUT}: 2 days\n"));
    expect![[r#"
        # Written by `recobro calendar import`.
        calendar: madrid
        version: 1
        title: "Holidays of madrid.ics"
        country: ES
        subdivision: ES-MD
        source: "madrid.ics"
        working_days: [mon, tue, wed, thu, fri]
        holidays:
          - {name: "Almudena", on: 11-09, from: 2020, except: [2025]}
          - {name: "San \"Isidro\": fiesta local", on: [2027-05-19]}
    "#]]
    .assert_eq(&std::fs::read_to_string(home.path().join(OUT)).unwrap());
    home.data(&["check", "p"]);
    let shown = home.data(&["calendar", "show", "madrid", "--year", "2027", "--project", "p"]);
    expect![[r#"
              date  day  holiday
        2027-05-19  wed  San "Isidro": fiesta local
        2027-11-09  tue  Almudena
    "#]]
    .assert_eq(&shown);
    let none = home.run(&["calendar", "show", "ES-MD", "--year", "2025", "--project", "p"]);
    assert!(none.status.success() && none.stdout.is_empty(), "{}", text(&none.stdout));
}

#[test]
fn an_import_may_keep_what_the_place_keeps_already() {
    let home = Home::new();
    std::fs::write(home.path().join("madrid.ics"), ICS).unwrap();
    let alone = home.run(&IMPORT);
    assert!(
        text(&alone.stderr).contains("`--extends es-business/ES-MD` keeps the known ones"),
        "{}",
        text(&alone.stderr)
    );
    let output = home.run(&[&IMPORT[..], &["--extends", "es-business/ES-MD"]].concat());
    let yaml = text(&output.stdout);
    assert!(yaml.contains("extends: es-business/ES-MD\n") && !yaml.contains("working_days"), "{yaml}");
    assert!(!text(&output.stderr).contains("extends"), "{}", text(&output.stderr));
    let unknown = home.run(&[&IMPORT[..], &["--extends", "es-busines"]].concat());
    assert_eq!(unknown.status.code(), Some(9));
    assert!(text(&unknown.stderr).contains("did you mean `es-business`"), "{}", text(&unknown.stderr));
    let twice = home.run(&["calendar", "import", "madrid.ics", "--name", "spain", "--country", "ES"]);
    assert!(text(&twice.stderr).contains("two calendars speak for `ES`"), "{}", text(&twice.stderr));
}

#[test]
fn what_cannot_be_taken_over_is_refused_and_nothing_written() {
    let home = Home::new();
    project(&home);
    let import = |args: &[&str]| {
        let output = home.run(&[&IMPORT[..], args].concat());
        (output.status.code(), text(&output.stderr))
    };
    let wrong = import(&["--out", "p/workflows/calendars/other.yaml"]);
    assert!(wrong.0 == Some(2) && wrong.1.contains("madrid.yaml"), "{}", wrong.1);
    std::fs::write(home.path().join(OUT), "mine\n").unwrap();
    assert_eq!(import(&["--out", OUT]).0, Some(4));
    assert_eq!(std::fs::read_to_string(home.path().join(OUT)).unwrap(), "mine\n");
    assert_eq!(import(&["--out", OUT, "--replace"]).0, Some(0));
    std::fs::write(home.path().join("madrid.ics"), ICS.replace("FREQ=YEARLY", "FREQ=MONTHLY")).unwrap();
    let (code, said) = import(&["--out", OUT, "--replace"]);
    assert_eq!(code, Some(9));
    expect![[r"
        error: madrid.ics cannot be taken over as holidays:
          line 15: RRULE `FREQ=MONTHLY` is not supported: only FREQ=YEARLY is
        help: take these events out of the file, or write them into the calendar by hand
    "]]
    .assert_eq(&said);
    assert_eq!(home.run(&["calendar", "import", "none.ics", "--name", "x"]).status.code(), Some(3));
}

#[test]
fn a_place_shows_its_holidays_with_names_and_moved_days() {
    let home = Home::new();
    let scotland = home.data(&["calendar", "show", "uk-business", "--subdivision", "GB-SCT", "--year", "2022"]);
    expect![[r"
              date  day  holiday
        2022-01-01  sat  New Year's Day
        2022-01-02  sun  2nd January
        2022-01-03  mon  New Year's Day                       moved or substitute
        2022-01-04  tue  2nd January                          moved or substitute
        2022-04-15  fri  Good Friday
        2022-05-02  mon  Early May bank holiday
        2022-06-02  thu  Spring bank holiday
        2022-06-03  fri  Jubilee of the Queen
        2022-08-01  mon  Summer bank holiday
        2022-09-19  mon  State funeral of Queen Elizabeth II
        2022-11-30  wed  St Andrew's Day
        2022-12-25  sun  Christmas Day
        2022-12-26  mon  Boxing Day
        2022-12-27  tue  Christmas Day                        moved or substitute
    "]]
    .assert_eq(&scotland);
    assert_eq!(home.data(&["calendar", "show", "GB-SCT", "--year", "2022"]), scotland);
    assert_eq!(home.data(&["calendar", "show", "GB", "--subdivision", "SCT", "--year", "2022"]), scotland);
    let rows = home.data(&["calendar", "show", "GB-SCT", "--year", "2022", "--until", "2023", "--json"]);
    let first: serde_json::Value = serde_json::from_str(rows.lines().next().unwrap()).unwrap();
    assert_eq!(first["schema"], "holiday/1");
    assert_eq!((&first["date"], &first["weekday"]), (&"2022-01-01".into(), &"sat".into()));
    assert!(rows.lines().any(|line| line.contains("2023-05-08")));
}

#[test]
fn an_unknown_calendar_or_part_names_the_way_out() {
    let home = Home::new();
    let output = home.run(&["calendar", "show", "es-busines"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("`recobro calendar list`"), "{}", text(&output.stderr));
    let output = home.run(&["calendar", "show", "it-business", "--subdivision", "IT-XX"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("it has IT-BZ"), "{}", text(&output.stderr));
    let listed = home.data(&["calendar", "list", "--json"]);
    let rows: Vec<serde_json::Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let spain = rows.iter().find(|row| row["calendar"] == "es-business").unwrap();
    assert_eq!(spain["place"], "ES");
    assert!(spain["subdivisions"].as_array().unwrap().iter().any(|part| part == "ES-MD"), "{spain}");
    assert!(rows.iter().all(|row| !row["calendar"].as_str().unwrap().contains('/')));
}
