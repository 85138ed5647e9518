//! The sources over small files: what they make, what they refuse and how they say it.
#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them")]

use super::mapping::Mapping;
use super::record::Record;
use super::*;
use expect_test::{Expect, expect};
use recobro_kernel::facts::{OwnFact, Registry};
use recobro_kernel::value::{Type, Value};
use std::fmt::Write as _;

const IBM_HEADER: &str = "countryCode,customerID,PaperlessDate,invoiceNumber,InvoiceDate,DueDate,InvoiceAmount,Disputed,SettledDate,PaperlessBill,DaysToSettle,DaysLate\n";

fn shipped(name: &str) -> Mapping {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../workflows/maps").join(name);
    Mapping::parse(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn read(source: &str, kind: FileKind, mapping: Option<&Mapping>, bytes: impl Into<Vec<u8>>) -> (String, ReadReport) {
    let mut out = String::new();
    let mut reader = match open(source, kind, mapping, io::Cursor::new(bytes.into())) {
        Ok(reader) => reader,
        Err(error) => return (format!("{error}\n"), ReadReport::default()),
    };
    for row in reader.by_ref() {
        match row {
            Ok(row) => {
                for record in &row.records {
                    writeln!(out, "{} {} {}", row.line, record.kind(), record.body()).unwrap();
                }
            }
            Err(rejected) => rejected.problems.iter().for_each(|problem| writeln!(out, "{problem}").unwrap()),
        }
    }
    (out, reader.report().clone())
}

/// Reads with facts of one's own.
fn read_own(source: &str, kind: FileKind, mapping: Option<&Mapping>, text: &str) -> String {
    let fact = |of, default| OwnFact { of, default, doc: String::new() };
    let own = [
        ("customer.x.arr", fact(Type::Decimal, Some(Value::Int(0)))),
        ("customer.x.seats", fact(Type::Int, None)),
        ("invoice.x.channel", fact(Type::Enum(vec!["shop".to_owned(), "web".to_owned()]), None)),
        ("invoice.x.departs_on", fact(Type::Date, None)),
        ("invoice.x.insured", fact(Type::Bool, None)),
    ];
    let own = own.into_iter().map(|(path, fact)| (path.to_owned(), fact)).collect();
    let facts = Arc::new(Registry::new(own, Some(vec!["standard".to_owned(), "tourism".to_owned()])));
    let reader = match open_with(source, kind, mapping, &facts, io::Cursor::new(text.to_owned().into_bytes())) {
        Ok(reader) => reader,
        Err(error) => return format!("{error}\n"),
    };
    let mut out = String::new();
    for row in reader {
        match row {
            Ok(row) => row.records.iter().for_each(|record| writeln!(out, "{} {}", row.line, record.body()).unwrap()),
            Err(rejected) => rejected.problems.iter().for_each(|problem| writeln!(out, "{problem}").unwrap()),
        }
    }
    out
}

#[test]
fn own_facts_are_read_as_their_type_or_refused_with_their_place() {
    let customers = "id,country,segment,x.arr,x.seats\nC1,ES,tourism,1200.50,7\nC2,ES,,,\nC3,ES,sme,lots,7.5\n";
    expect![[r#"
        2 {"country":"ES","id":"C1","kind":"business","locale":"es","name":"C1","segment":"tourism","time_zone":"Europe/Madrid","vulnerable":false,"x":{"arr":"1200.5","seats":"7"}}
        3 {"country":"ES","id":"C2","kind":"business","locale":"es","name":"C2","segment":"standard","time_zone":"Europe/Madrid","vulnerable":false,"x":{"arr":"","seats":""}}
        line 4, column 3 `segment`: customer.segment `sme` is none of standard, tourism
        line 4, column 4 `x.arr`: customer.x.arr `lots` is not a number with `.` as decimal mark
        line 4, column 5 `x.seats`: customer.x.seats `7.5` is not of type int
    "#]].assert_eq(&read_own("customers", FileKind::Csv, None, customers));
    let invoices = "id,customer,issued,due,amount,currency,x.channel,x.departs_on,x.insured\n\
        I1,C1,2026-01-02,2026-02-02,10,EUR,web,2026-07-01,yes\n\
        I2,C1,2026-01-02,2026-02-02,10,EUR,wbe,2026-07-32,perhaps\n";
    expect![[r#"
        2 {"amount":{"currency":"EUR","minor":1000},"customer":"C1","due":"2026-02-02","id":"I1","issued":"2026-01-02","number":"I1","product":"","reference":"I1","x":{"channel":"web","departs_on":"2026-07-01","insured":"true"}}
        line 3, column 7 `x.channel`: invoice.x.channel `wbe` is none of shop, web
        line 3, column 8 `x.departs_on`: invoice.x.departs_on `2026-07-32` is no date after YYYY-MM-DD
        line 3, column 9 `x.insured`: invoice.x.insured `perhaps` is neither yes (yes, y, true, 1, x) nor no (no, n, false, 0)
    "#]].assert_eq(&read_own("invoices", FileKind::Csv, None, invoices));
}

#[test]
fn a_column_that_is_no_declared_fact_is_refused_before_the_first_row() {
    expect![[r#"
        `x.limit` is no customer fact of workflows/facts.yaml; it declares x.arr, x.seats
    "#]]
    .assert_eq(&read_own("customers", FileKind::Csv, None, "id,country,x.limit\nC1,ES,5\n"));
    expect![[r#"
        `x.limit` is no customer fact of workflows/facts.yaml; it declares no `customer.x.*`
    "#]]
    .assert_eq(&read("customers", FileKind::Csv, None, "id,country,x.limit\nC1,ES,5\n").0);
}

#[test]
fn a_json_object_without_the_key_says_nothing_of_an_own_fact() {
    let lines = "{\"id\":\"C1\",\"country\":\"ES\"}\n{\"id\":\"C2\",\"country\":\"ES\",\"x.arr\":\"12.0\",\"x.seats\":3}\n\
        {\"id\":\"C3\",\"country\":\"ES\",\"x.seets\":3}\n";
    expect![[r#"
        1 {"country":"ES","id":"C1","kind":"business","locale":"es","name":"C1","segment":"standard","time_zone":"Europe/Madrid","vulnerable":false}
        2 {"country":"ES","id":"C2","kind":"business","locale":"es","name":"C2","segment":"standard","time_zone":"Europe/Madrid","vulnerable":false,"x":{"arr":"12","seats":"3"}}
        line 3: holds `x.seets`, which nothing reads; known are id, name, kind, segment, country, subdivision, locale, time_zone, risk, account_manager, vulnerable, tags, contact_name, email, phone, sms, whatsapp, letter, email_opt_in, phone_opt_in, sms_opt_in, voice_opt_in, whatsapp_opt_in, preferred_times, inconvenient_times, x.arr, x.seats
    "#]].assert_eq(&read_own("customers", FileKind::JsonLines, None, lines));
}

#[test]
fn a_mapping_names_the_columns_of_own_facts() {
    let mapping = "ledger: erp\nformat: {decimal: ',', thousands: '.', dates: DD.MM.YYYY}\n\
        customer: {id: Kunde, country: {value: ES}, x: {arr: Umsatz}}\n\
        invoice: {id: Nr, issued: Datum, due: Ziel, amount: Betrag, currency: {value: EUR}, x: {departs_on: Reise}}\n";
    let mapping = Mapping::parse(mapping).unwrap();
    let rows = "Kunde;Umsatz;Nr;Datum;Ziel;Betrag;Reise\nC1;1.200,5;I1;02.01.2026;01.02.2026;10,00;03.07.2026\n\
        C1;1.200,5;I2;02.01.2026;01.02.2026;10,00;July\n";
    expect![[r#"
        2 {"country":"ES","id":"C1","kind":"business","locale":"es","name":"C1","segment":"standard","time_zone":"Europe/Madrid","vulnerable":false,"x":{"arr":"1200.5"}}
        2 {"amount":{"currency":"EUR","minor":1000},"at":"2026-01-01T23:00:00.000000Z","customer":"C1","due":"2026-02-01","id":"I1","issued":"2026-01-02","number":"I1","product":"","reference":"I1","x":{"departs_on":"2026-07-03"}}
        line 3, column 7 `Reise`: invoice.x.departs_on `July` is no date after DD.MM.YYYY
    "#]].assert_eq(&read_own("ledger", FileKind::Csv, Some(&mapping), rows));
    let wrong = Mapping::parse("ledger: erp\ncustomer: {id: Kunde, country: {value: ES}, x: {ar: Umsatz}}\n").unwrap();
    expect![[r#"
        `x.ar` is no customer fact of workflows/facts.yaml; it declares x.arr, x.seats
    "#]]
    .assert_eq(&read_own("customers", FileKind::Csv, Some(&wrong), "Kunde;Umsatz\nC1;5\n"));
}

fn check_csv(source: &str, text: &str, expected: &Expect) {
    expected.assert_eq(&read(source, FileKind::Csv, None, text).0);
}

#[test]
fn the_ibm_ledger_needs_its_mapping_only() {
    let rows = "391,0379-NEVHP,4/6/2013,611365,1/2/2013,2/1/2013,55.94,No,1/15/2013,Paper,13,0\n\
        406,8976-AMJEO,3/3/2012,7900770,1/26/2013,2/25/2013,61.74,Yes,3/3/2013,Electronic,36,6\n\
        406,8976-AMJEO,3/3/2012,7900771,1/26/2013,2/25/2013,61.74,Yes,2/26/2013,Paper,31,1\n\
        770,7209-MDWKR,3/4/2012,7900772,1/26/2013,2/30/2013,61.749,Maybe,,Paper,31,1\n\
        391,0379-NEVHP,4/6/2013,611365,1/2/2013,2/1/2013,55.94,No,1/15/2013,Paper,13,0\n\
        999,0379-NEVHP,4/6/2013,611366,1/2/2013,2/1/2013,55.94,No,1/15/2013,Paper,13,0\n";
    let (out, report) =
        read("ledger", FileKind::Csv, Some(&shipped("ibm-receivables.yaml")), format!("{IBM_HEADER}{rows}"));
    expect![[r#"
        2 customer {"country":"ES","id":"0379-NEVHP","kind":"business","locale":"es","name":"0379-NEVHP","segment":"standard","time_zone":"Europe/Madrid","vulnerable":false}
        2 invoice {"amount":{"currency":"EUR","minor":5594},"at":"2013-01-01T23:00:00.000000Z","customer":"0379-NEVHP","due":"2013-02-01","id":"611365","issued":"2013-01-02","number":"611365","product":"services","reference":"611365"}
        2 payment {"amount":{"currency":"EUR","minor":5594},"at":"2013-01-14T23:00:00.000000Z","id":"611365/payment","invoice":"611365","on":"2013-01-15"}
        3 customer {"country":"PT","id":"8976-AMJEO","kind":"business","locale":"pt","name":"8976-AMJEO","segment":"standard","time_zone":"Europe/Lisbon","vulnerable":false}
        3 invoice {"amount":{"currency":"EUR","minor":6174},"at":"2013-01-26T00:00:00.000000Z","customer":"8976-AMJEO","due":"2013-02-25","id":"7900770","issued":"2013-01-26","number":"7900770","product":"services","reference":"7900770"}
        3 payment {"amount":{"currency":"EUR","minor":6174},"at":"2013-03-03T00:00:00.000000Z","id":"7900770/payment","invoice":"7900770","on":"2013-03-03"}
        3 dispute {"at":"2013-02-26T00:00:00.000000Z","change":{"opened":{"reason":"other"}},"id":"7900770/dispute","invoice":"7900770","on":"2013-02-26"}
        3 dispute {"at":"2013-03-03T00:00:00.000000Z","change":{"closed":{"outcome":"withdrawn"}},"id":"7900770/dispute","invoice":"7900770","on":"2013-03-03"}
        4 invoice {"amount":{"currency":"EUR","minor":6174},"at":"2013-01-26T00:00:00.000000Z","customer":"8976-AMJEO","due":"2013-02-25","id":"7900771","issued":"2013-01-26","number":"7900771","product":"services","reference":"7900771"}
        4 payment {"amount":{"currency":"EUR","minor":6174},"at":"2013-02-26T00:00:00.000000Z","id":"7900771/payment","invoice":"7900771","on":"2013-02-26"}
        line 5, column 6 `DueDate`: invoice.due `2/30/2013` is no date after M/D/YYYY
        line 5, column 7 `InvoiceAmount`: invoice.amount `61.749` has more decimals than EUR knows (2)
        6 invoice {"amount":{"currency":"EUR","minor":5594},"at":"2013-01-01T23:00:00.000000Z","customer":"0379-NEVHP","due":"2013-02-01","id":"611365","issued":"2013-01-02","number":"611365","product":"services","reference":"611365"}
        6 payment {"amount":{"currency":"EUR","minor":5594},"at":"2013-01-14T23:00:00.000000Z","id":"611365/payment","invoice":"611365","on":"2013-01-15"}
        line 7, column 1 `countryCode`: derive.country `999` is not in the table `countries`
    "#]].assert_eq(&out);
    expect![[r#"
        ReadReport {
            rows: 6,
            rejected: 2,
            records: {
                "customer": 2,
                "dispute": 2,
                "invoice": 4,
                "payment": 4,
            },
            defaults: {
                (
                    "customer.locale",
                    "es",
                ): 2,
                (
                    "customer.locale",
                    "pt",
                ): 2,
                (
                    "customer.time_zone",
                    "Europe/Lisbon",
                ): 2,
                (
                    "customer.time_zone",
                    "Europe/Madrid",
                ): 2,
            },
            notes: {
                "dispute dropped: settled on or before the day it would open": Note {
                    rows: 1,
                    lines: [
                        4,
                    ],
                },
            },
            unread_columns: [
                "PaperlessDate",
                "PaperlessBill",
                "DaysToSettle",
                "DaysLate",
            ],
        }
    "#]]
    .assert_debug_eq(&report);
}

#[test]
fn a_ledger_without_mapping_says_so() {
    check_csv(
        "ledger",
        "a,b\n",
        &expect![[r#"
        a ledger needs a mapping file that says which column is what
    "#]],
    );
    check_csv(
        "ledgers",
        "a,b\n",
        &expect![[r#"
            unknown source `ledgers`; write one of customers, invoices, payments, disputes, promises, replies, events, plans, holds, credit_notes, incentives, waivers, consents, ledger
        "#]],
    );
}

/// The worked example of `MAPPING.md`, as it is printed there.
#[test]
fn the_worked_example_of_the_mapping_document_works() {
    let document = include_str!("../../MAPPING.md");
    let block = |mark: &str| {
        let start = document.find(mark).unwrap() + mark.len();
        let start = start + document[start..].find("```").unwrap();
        let start = start + document[start..].find('\n').unwrap() + 1;
        &document[start..start + document[start..].find("```").unwrap()]
    };
    let mapping = Mapping::parse(block("<!-- example: mapping -->")).unwrap();
    let bytes = encoding_rs::WINDOWS_1252.encode(block("<!-- example: ledger -->")).0.into_owned();
    let (out, report) = read("ledger", FileKind::Csv, Some(&mapping), bytes);
    expect![[r#"
        2 customer {"country":"DE","id":"K1","kind":"business","locale":"de","name":"Müller & Söhne; \"Export\" GmbH","segment":"standard","time_zone":"Europe/Berlin","vulnerable":false}
        2 invoice {"amount":{"currency":"EUR","minor":123450},"at":"2025-01-09T23:00:00.000000Z","customer":"K1","due":"2025-02-09","id":"R-2025/001","issued":"2025-01-10","number":"R-2025/001","product":"","reference":"R-2025/001"}
        2 payment {"amount":{"currency":"EUR","minor":123450},"at":"2025-02-19T23:00:00.000000Z","id":"R-2025/001/payment","invoice":"R-2025/001","on":"2025-02-20"}
        3 customer {"country":"ES","id":"K2","kind":"person","locale":"es","name":"Señora Núñez-Øst","segment":"standard","time_zone":"Europe/Madrid","vulnerable":false}
        3 invoice {"amount":{"currency":"EUR","minor":8000},"at":"2025-01-14T23:00:00.000000Z","customer":"K2","due":"2025-01-29","id":"R-2025/002","issued":"2025-01-15","number":"R-2025/002","product":"","reference":"R-2025/002"}
        4 invoice {"amount":{"currency":"EUR","minor":50000},"at":"2025-01-31T23:00:00.000000Z","customer":"K1","due":"2025-03-03","id":"R-2025/003","issued":"2025-02-01","number":"R-2025/003","product":"","reference":"R-2025/003"}
        4 payment {"amount":{"currency":"EUR","minor":20000},"at":"2025-03-14T23:00:00.000000Z","id":"R-2025/003/payment","invoice":"R-2025/003","on":"2025-03-15"}
        4 dispute {"at":"2025-03-03T23:00:00.000000Z","change":{"opened":{"reason":"quality"}},"id":"R-2025/003/dispute","invoice":"R-2025/003","on":"2025-03-04"}
        4 dispute {"at":"2025-05-02T22:00:00.000000Z","change":{"closed":{"outcome":"withdrawn"}},"id":"R-2025/003/dispute","invoice":"R-2025/003","on":"2025-05-03"}
        5 invoice {"amount":{"currency":"EUR","minor":9990},"at":"2025-02-09T23:00:00.000000Z","customer":"K1","due":"2025-03-12","id":"R-2025/004","issued":"2025-02-10","number":"R-2025/004","product":"","reference":"R-2025/004"}
        5 payment {"amount":{"currency":"EUR","minor":9990},"at":"2025-02-27T23:00:00.000000Z","id":"R-2025/004/payment","invoice":"R-2025/004","on":"2025-02-28"}
        line 6, column 8 `Brutto`: invoice.amount -12.50 EUR is not above zero; credit notes are no invoices
        line 8, column 8 `Brutto`: invoice.amount `1.2345,00` is not an amount with `,` as decimal mark and `.` between thousands
    "#]].assert_eq(&out);
    expect![[r#"
        {
            "customer differs from its first row, which holds": Note {
                rows: 1,
                lines: [
                    5,
                ],
            },
            "dispute dropped: settled on or before the day it would open": Note {
                rows: 1,
                lines: [
                    5,
                ],
            },
        }
    "#]]
    .assert_debug_eq(&report.notes);
}

#[test]
fn each_source_reads_columns_of_its_own_names() {
    check_csv(
        "customers",
        "id;name;country;email;tags;vulnerable\nC1;\"Peña; Hijos \"\"S.L.\"\"\";es;a@b.example;b|a;yes\nC2;x;Spain;;;perhaps\n",
        &expect![[r#"
            2 customer {"contact_points":[{"address":"a@b.example","channel":"email","role":"billing"}],"country":"ES","id":"C1","kind":"business","locale":"es","name":"Peña; Hijos \"S.L.\"","segment":"standard","tags":["a","b"],"time_zone":"Europe/Madrid","vulnerable":true}
            line 3, column 3 `country`: customer.country `SPAIN` is not an ISO country code of two letters
            line 3, column 6 `vulnerable`: customer.vulnerable `perhaps` is neither yes (yes, y, true, 1, x) nor no (no, n, false, 0)
        "#]],
    );
    check_csv(
        "invoices",
        "number,customer,issued,due_days,amount,currency\nI1,C1,2026-01-01,30,100,EUR\nI2,C1,2026-01-01,30,-5,EUR\nI3,,2026-13-01,x,1.234,EURO\n",
        &expect![[r#"
            2 invoice {"amount":{"currency":"EUR","minor":10000},"customer":"C1","due":"2026-01-31","id":"I1","issued":"2026-01-01","number":"I1","product":"","reference":"I1"}
            line 3, column 5 `amount`: invoice.amount -5.00 EUR is not above zero; credit notes are no invoices
            line 4, column 2 `customer`: invoice.customer is empty
            line 4, column 3 `issued`: invoice.issued `2026-13-01` is no date after YYYY-MM-DD
            line 4, column 4 `due_days`: invoice.due_days `x` is not a number of days
            line 4, column 6 `currency`: invoice.currency `EURO` is not an ISO 4217 currency code in use
        "#]],
    );
    check_csv(
        "payments",
        "id,invoice,on,amount,currency\nP1,I1,2026-02-01,10.5,EUR\nP2,,2026-02-01T10:00:00Z,-10.5,EUR\nP3,I1,2026-02-01T10:00:00Z,0,EUR\n",
        &expect![[r#"
            2 payment {"amount":{"currency":"EUR","minor":1050},"id":"P1","invoice":"I1","on":"2026-02-01"}
            line 3, column 2 `invoice`: payment.invoice neither an invoice, a customer nor a reference is named
            line 4, column 4 `amount`: payment.amount is zero
        "#]],
    );
    check_csv(
        "disputes",
        "id,invoice,opened,closed,reason\nD1,I1,2026-02-01,2026-02-09,quality\nD2,I1,2026-02-01,,\nD3,I1,2026-02-09,2026-02-01,\n",
        &expect![[r#"
            2 dispute {"change":{"opened":{"reason":"quality"}},"id":"D1","invoice":"I1","on":"2026-02-01"}
            2 dispute {"change":{"closed":{"outcome":"withdrawn"}},"id":"D1","invoice":"I1","on":"2026-02-09"}
            3 dispute {"change":{"opened":{"reason":"other"}},"id":"D2","invoice":"I1","on":"2026-02-01"}
            line 4, column 4 `closed`: dispute.closed is before the day it was opened
        "#]],
    );
    check_csv(
        "promises",
        "id,customer,invoices,made_on,date\nR1,C1,I1;I2,2026-02-01,2026-02-10\nR2,,,2026-02-01,2026-01-10\n",
        &expect![[r#"
            2 promise {"customer":"C1","date":"2026-02-10","id":"R1","invoices":["I1","I2"],"made_on":"2026-02-01"}
            line 3, column 3 `invoices`: promise.invoices neither invoices nor a customer are named
            line 3, column 5 `date`: promise.date is before the day the promise was made
        "#]],
    );
    check_csv(
        "replies",
        "id,customer,on,text\nE1,C1,2026-02-01T09:30:00Z,\"Ya pagué\nayer\"\n",
        &expect![[r#"
        2 reply {"at":"2026-02-01T09:30:00.000000Z","channel":"email","customer":"C1","id":"E1","kind":"text","on":"2026-02-01","text":"Ya pagué\nayer"}
    "#]],
    );
}

#[test]
fn events_that_others_report_are_read_with_the_fields_of_their_kind() {
    check_csv(
        "events",
        "id,event,customer,invoice,on,agency,amount,date\nE1,placement.returned,,I1,2026-02-01,acme,,\n\
         E2,meeting.accepted,,I1,2026-02-01,,,\nE3,placement.closed,,,2026-02-01,acme,5,\n\
         E4,invoice.paid,,I1,2026-02-01,,5,\nE5,metting.accepted,,I1,2026-02-01,,,2026-03-01\n\
         E6,customer.deceased,C1,,2026-02-01,,,\n",
        &expect![[r#"
            2 event {"event":"placement.returned","fields":{"agency":"acme"},"id":"E1","invoice":"I1","on":"2026-02-01"}
            line 3, column 8 `date`: event.date is empty; `meeting.accepted` needs it
            line 4, column 4 `invoice`: event.invoice is empty; `placement.closed` is about one invoice
            line 4, column 7 `amount`: event.amount `placement.closed` has no such field
            line 5, column 2 `event`: event.event `invoice.paid` is not reported: the ledger raises it from payments, disputes, promises, plans or replies
            line 6, column 2 `event`: event.event `metting.accepted` is none of attorney.named, card.failed, contact.cease_requested, contact.delivered, contact.unanswered, customer.deceased, customer.insolvent, hardship.reported, incentive.expired, incentive.taken, meeting.accepted, payment.claimed, placement.accepted, placement.closed, placement.returned, promise.cancelled, request.done, request.failed
            7 event {"customer":"C1","event":"customer.deceased","fields":{"on":"2026-02-01"},"id":"E6","on":"2026-02-01"}
        "#]],
    );
}

#[test]
fn words_of_customers_are_read_from_their_own_file_and_from_their_rows() {
    check_csv(
        "customers",
        "id,country,sms_opt_in,email_opt_in,voice_opt_in,preferred_times,inconvenient_times\n\
         C1,CO,2026-01-05,yes,,mon-fri 10:00-13:00,\nC2,CO,maybe,no,,,lunes 9-12\n",
        &expect![[r#"
            2 customer {"country":"CO","id":"C1","kind":"business","locale":"es","name":"C1","segment":"standard","time_zone":"America/Bogota","vulnerable":false}
            2 consent {"customer":"C1","id":"C1#email","said":{"channel":{"channel":"email","purpose":"dunning","word":"granted"}}}
            2 consent {"customer":"C1","id":"C1#sms","on":"2026-01-05","said":{"channel":{"channel":"sms","purpose":"dunning","word":"granted"}}}
            2 consent {"customer":"C1","id":"C1#times","said":{"times":{"preferred":"mon-fri 10:00-13:00"}}}
            line 3, column 3 `sms_opt_in`: customer.sms_opt_in `maybe` is no date after YYYY-MM-DD
            line 3, column 7 `inconvenient_times`: customer.inconvenient_times `lunes` is no day of the week; write mon, tue, wed, thu, fri, sat or sun
        "#]],
    );
    check_csv(
        "consents",
        "id,customer,on,change,channel,purpose,preferred,inconvenient,evidence\n\
         1,C1,2026-02-01,granted,sms,,,,form 7\n2,C1,2026-02-02T10:00:00Z,withdrawn,sms,,,,\n\
         3,C1,2026-02-03,granted,email,courtesy,,,\n4,C1,2026-02-04,,,,none,mon 09:00-12:00,\n\
         5,C1,2026-02-05,said,telex,fun,,,\n6,C1,2026-02-05,granted,,,,,\n",
        &expect![[r#"
            2 consent {"customer":"C1","evidence":"form 7","id":"1","on":"2026-02-01","said":{"channel":{"channel":"sms","purpose":"dunning","word":"granted"}}}
            3 consent {"at":"2026-02-02T10:00:00.000000Z","customer":"C1","id":"2","on":"2026-02-02","said":{"channel":{"channel":"sms","purpose":"all","word":"withdrawn"}}}
            4 consent {"customer":"C1","id":"3","on":"2026-02-03","said":{"channel":{"channel":"email","purpose":"courtesy","word":"granted"}}}
            5 consent {"customer":"C1","id":"4","on":"2026-02-04","said":{"times":{"inconvenient":"mon 09:00-12:00","preferred":""}}}
            line 6, column 5 `channel`: consent.channel `telex` is none of call, email, letter, sms, voice, whatsapp
            line 6, column 4 `change`: consent.change `said` is none of granted, lapsed, withdrawn
            line 6, column 6 `purpose`: consent.purpose `fun` is none of all, courtesy, dunning
            line 7, column 5 `channel`: consent.channel neither a channel nor times are named
        "#]],
    );
}

#[test]
fn line_breaks_become_spaces_in_names_and_are_refused_in_ids() {
    check_csv(
        "customers",
        "id,name,country,letter\nC1,\"Café  \nZoë\t\",FR,\"1 rue A\nParis\"\n\"C\n2\",x,FR,\n",
        &expect![[r#"
            2 customer {"contact_points":[{"address":"1 rue A\nParis","channel":"letter","role":"billing"}],"country":"FR","id":"C1","kind":"business","locale":"fr","name":"Café Zoë","segment":"standard","time_zone":"Europe/Paris","vulnerable":false}
            line 5, column 1 `id`: customer.id holds a line break or another control character
        "#]],
    );
}

#[test]
fn json_lines_are_read_like_rows() {
    let lines = "{\"id\":\"P1\",\"invoice\":\"I1\",\"on\":\"2026-02-01\",\"amount\":10.5,\"currency\":\"EUR\"}\n\n\
        {\"id\":\"P2\",\"invoice\":\"I1\",\"on\":\"2026-02-01\",\"amount\":12345678901234567.89,\"currency\":\"EUR\"}\n\
        {\"id\":\"P3\",\"invoice\":\"I1\",\"on\":\"2026-02-01\",\"amuont\":1,\"currency\":\"EUR\"}\n\
        [1]\n\
        {\"id\":\"P4\",\"invoice\":\"I1\",\"on\":\"2026-02-30\",\"amount\":1,\"currency\":\"EUR\"}\n";
    expect![[r#"
        1 payment {"amount":{"currency":"EUR","minor":1050},"id":"P1","invoice":"I1","on":"2026-02-01"}
        line 3: `amount` is a number too long to be read exactly: write it in quotes
        line 4: holds `amuont`, which nothing reads; known are id, invoice, customer, amount, currency, on, reference
        line 5: is not a JSON object (character 0): invalid type: sequence, expected a map
        line 6, `on`: payment.on `2026-02-30` is no date after YYYY-MM-DD
    "#]]
    .assert_eq(&read("payments", FileKind::JsonLines, None, lines).0);
}

#[test]
fn json_lines_of_another_layout_take_a_mapping() {
    let mapping = Mapping::parse(
        "ledger: x\ncustomer: {id: who, country: {value: ES}}\n\
         invoice: {number: nr, issued: on, due_days: {value: 30}, amount: total, currency: {value: EUR}}\n",
    )
    .unwrap();
    let line = "{\"who\":\"C1\",\"nr\":17,\"on\":\"2026-02-01\",\"total\":10.5,\"colour\":\"red\"}\n";
    expect![[r#"
        1 customer {"country":"ES","id":"C1","kind":"business","locale":"es","name":"C1","segment":"standard","time_zone":"Europe/Madrid","vulnerable":false}
        1 invoice {"amount":{"currency":"EUR","minor":1050},"at":"2026-01-31T23:00:00.000000Z","customer":"C1","due":"2026-03-03","id":"17","issued":"2026-02-01","number":"17","product":"","reference":"17"}
    "#]].assert_eq(&read("ledger", FileKind::JsonLines, Some(&mapping), line).0);
}

/// Files made of odd pieces, always the same ones: every row is read or refused, nothing panics.
#[test]
fn odd_bytes_never_stop_the_reader() {
    const PIECES: &[&str] = &[
        "id",
        "invoice",
        "on",
        "opened",
        "country",
        ",",
        ",",
        ",",
        ";",
        "\n",
        "\n",
        "\"",
        "\r",
        "\t",
        "é",
        "\u{202f}",
        "-",
        "(",
        ")",
        "0",
        "12",
        ".5",
        "2026-02-01",
        "2026-02-3",
        "T",
        "ES",
        "EUR",
        "\u{0}",
        "{",
        "}",
        ":",
        "[",
        "null",
        "\\",
        "amount",
        "currency",
        "1e9",
    ];
    let mut state: u64 = 42;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let ibm = shipped("ibm-receivables.yaml");
    for round in 0..3_000 {
        let body: String = (0..next(60)).map(|_| PIECES[next(PIECES.len())]).collect();
        let source = &SOURCES[round % SOURCES.len()];
        let kind = if next(4) == 0 { FileKind::JsonLines } else { FileKind::Csv };
        let is_ledger = source.columns.is_empty();
        let header = if is_ledger { IBM_HEADER.to_owned() } else { format!("{}\n", source.columns.join(",")) };
        let mut bytes = if kind == FileKind::Csv { format!("{header}{body}") } else { body }.into_bytes();
        if next(5) == 0 {
            bytes.insert(bytes.len() / 2, 0xff);
        }
        let (_, report) = read(source.name, kind, Some(&ibm).filter(|_| is_ledger), bytes);
        assert!(report.rejected <= report.rows);
    }
}

#[test]
fn odd_files_are_refused_row_by_row_or_at_the_header() {
    check_csv(
        "payments",
        "",
        &expect![[r#"
        the file is empty: a header with the columns' names is missing
    "#]],
    );
    check_csv(
        "payments",
        "id,invoice,on,currency\n",
        &expect![[r#"
            no column `amount`; the file has the columns id, invoice, on, currency
        "#]],
    );
    check_csv(
        "payments",
        "id,id,invoice,on,amount,currency\n",
        &expect![[r#"
        mapping: payment.id: the file has two columns `id`
    "#]],
    );
    check_csv(
        "payments",
        "id,invoice,on,amount,currency\nP1,I1\n\n,,,,\nP2,I1,2026-02-01,1,EUR\n",
        &expect![[r#"
        line 2: has 2 cells, the header has 5
        5 payment {"amount":{"currency":"EUR","minor":100},"id":"P2","invoice":"I1","on":"2026-02-01"}
    "#]],
    );
    let latin = b"id,invoice,on,amount,currency\nP\xf1,I1,2026-02-01,1,EUR\n".to_vec();
    expect![[r#"
        line 2, column 1 `id`: payment.id holds bytes that its encoding does not know; set `encoding`, for example windows-1252
    "#]].assert_eq(&read("payments", FileKind::Csv, None, latin).0);
    let open_quote = format!("id,invoice,on,amount,currency\nP1,\"I1,2026-02-01,1,EUR\n{}", "x,".repeat(3_000_000));
    expect![[r#"
        line 2: a row longer than 4194304 bytes; is a quote left open?
    "#]]
    .assert_eq(&read("payments", FileKind::Csv, None, open_quote).0);
}

#[test]
fn mappings_that_do_not_fit_the_file_are_refused_before_the_first_row() {
    for (mapping, expected) in [
        (
            "customer: {id: Kunde, country: {value: DE}}",
            expect![[r#"
            mapping: customer.id: no column `Kunde`; the file has `A`, `B`
        "#]],
        ),
        (
            "customer: {id: A, country: {column: B, lookup: lands}}",
            expect![[r#"
            mapping: customer.country: no table `lands` under `lookups`
        "#]],
        ),
        (
            "derive: [{name: A, value: x}]\ncustomer: {id: A, country: B}",
            expect![[r#"
            mapping: derive `A`: a column of that name exists already
        "#]],
        ),
        (
            "customer: {id: A}",
            expect![[r#"
            nothing says where `customer.country` comes from; the file has the columns A, B
        "#]],
        ),
        (
            "format: {dates: yyyy-mm-dd}\ncustomer: {id: A, country: B}",
            expect![[r#"
            mapping: format: `yyyy-mm-dd` is no date pattern; write for example YYYY-MM-DD, M/D/YYYY or DD.MM.YY
        "#]],
        ),
        (
            "format: {encoding: klingon}\ncustomer: {id: A, country: B}",
            expect![[r#"
            mapping: format: unknown encoding `klingon`; write for example windows-1252
        "#]],
        ),
        (
            "format: {decimal: \",\", thousands: \",\"}\ncustomer: {id: A, country: B}",
            expect![[r#"
            mapping: format: `,` cannot be both `decimal` and `thousands`
        "#]],
        ),
    ] {
        let mapping = Mapping::parse(&format!("ledger: x\n{mapping}\n")).unwrap();
        expected.assert_eq(&read("customers", FileKind::Csv, Some(&mapping), "A,B\n1,ES\n").0);
    }
}

#[test]
fn rules_test_columns_in_every_way_the_document_names() {
    let mapping = Mapping::parse(
        "ledger: x\nderive:\n  - name: tag\n    rules:\n\
         \x20     - {if: {A: {empty: true}}, then: empty}\n\
         \x20     - {if: {A: {starts_with: X}}, then: starts}\n\
         \x20     - {if: {A: {contains: mid}}, then: contains}\n\
         \x20     - {if: {A: {at_least: 100, below: 200}}, then: hundreds}\n\
         \x20     - {if: {A: {modulo: [0, 0], of: 2}}, then: even}\n\
         \x20     - {if: {A: [7, 9]}, then: listed}\n\
         \x20     - {if: {A: {not: [1, 3]}}, then: other}\n\
         customer: {id: I, country: {value: ES}, tags: {column: tag, default: none}}\n",
    )
    .unwrap();
    let rows = "I,A\na,\nb,Xy\nc,amidst\nd,150.5\ne,42\nf,7\ng,5\nh,3\n";
    let (mut tags, kind) = (Vec::new(), FileKind::Csv);
    for row in open("customers", kind, Some(&mapping), io::Cursor::new(rows)).unwrap() {
        if let Record::Customer(customer) = &row.unwrap().records[0] {
            tags.push(customer.tags[0].clone());
        }
    }
    assert_eq!(tags, ["empty", "starts", "contains", "hundreds", "even", "listed", "other", "none"]);
}

#[test]
fn a_key_twice_in_a_file_is_refused_unless_it_says_the_same() {
    check_csv(
        "payments",
        "id,invoice,on,amount,currency\nP1,I1,2026-02-01,1,EUR\nP1,I1,2026-02-01,1,EUR\nP1,I1,2026-02-01,2,EUR\nP2,I1,2026-02-01,2,EUR\n",
        &expect![[r#"
            2 payment {"amount":{"currency":"EUR","minor":100},"id":"P1","invoice":"I1","on":"2026-02-01"}
            3 payment {"amount":{"currency":"EUR","minor":100},"id":"P1","invoice":"I1","on":"2026-02-01"}
            line 4, column 1 `id`: payment.id `P1` stood in line 2 with other content, which holds; keep one of the two rows, or import the newer one as a file of its own
            5 payment {"amount":{"currency":"EUR","minor":200},"id":"P2","invoice":"I1","on":"2026-02-01"}
        "#]],
    );
    check_csv(
        "customers",
        "id,country,locale,time_zone,kind,segment\nC1,ES,es,Europe/Madrid,business,standard\nC1,FR,fr,Europe/Paris,business,standard\n",
        &expect![[r#"
            2 customer {"country":"ES","id":"C1","kind":"business","locale":"es","name":"C1","segment":"standard","time_zone":"Europe/Madrid","vulnerable":false}
            line 3, column 1 `id`: customer.id `C1` stood in line 2 with other content, which holds; keep one of the two rows, or import the newer one as a file of its own
        "#]],
    );
}

#[test]
fn a_hundred_thousand_rows_pass_without_being_kept() {
    /// Makes rows as they are asked for.
    struct Rows(u32, Vec<u8>);
    impl Read for Rows {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.1.is_empty() && self.0 < 100_000 {
                self.0 += 1;
                self.1 =
                    format!("391,C{},x,{},1/2/2013,2/1/2013,55.94,No,1/15/2013,Paper,13,0\n", self.0 % 100, self.0)
                        .into();
            }
            let count = self.1.len().min(buffer.len());
            buffer[..count].copy_from_slice(&self.1[..count]);
            self.1.drain(..count);
            Ok(count)
        }
    }
    let mapping = shipped("ibm-receivables.yaml");
    let rows = Rows(0, IBM_HEADER.as_bytes().to_vec());
    let mut reader = open("ledger", FileKind::Csv, Some(&mapping), rows).unwrap();
    let records: usize = reader.by_ref().map(|row| row.unwrap().records.len()).sum();
    assert_eq!(records, 200_100);
    assert_eq!(reader.report().records["customer"], 100);
}
