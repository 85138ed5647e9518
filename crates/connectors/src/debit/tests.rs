//! The file against the standard: order, totals, lengths, numbers; and against hostile names.

use super::*;
use expect_test::expect_file;
use recobro_kernel::money::Currency;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn entry(no: usize) -> Entry {
    Entry {
        end_to_end: format!("PLAN-7-{no}"),
        collect_on: day("2026-12-01"),
        scheme: Scheme::Core,
        sequence: Sequence::Recurring,
        amount: Money::new(12_345, Currency::EUR),
        mandate: "MND-2026-7".to_owned(),
        signed_on: day("2026-11-20"),
        debtor: "Núñez & Müller <S.L.>".to_owned(),
        iban: "DE89 3704 0044 0532 0130 00".to_owned(),
        bic: None,
        remittance: "Factura F-1, plazo 2 de 3".to_owned(),
    }
}

fn batch(entries: Vec<Entry>) -> Batch {
    let creditor = Creditor {
        name: "Ejemplo Energía, S.A.".to_owned(),
        iban: "ES91 2100 0418 4502 0005 1332".to_owned(),
        bic: Some("CAIXESBBXXX".to_owned()),
        identifier: "DE98ZZZ09999999999".to_owned(),
    };
    let created = Timestamp::at_local(day("2026-11-23"), chrono::NaiveTime::MIN, chrono_tz::Tz::UTC);
    Batch { version: Version::V08, message: "RECOBRO-20261123".to_owned(), created, creditor, entries }
}

/// Problems of a batch with one entry that was changed.
fn refused(change: impl FnOnce(&mut Batch)) -> Vec<String> {
    let mut batch = batch(vec![entry(1)]);
    change(&mut batch);
    write(&batch).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

/// Every element with the path of those around it; panics where tags do not close.
fn elements(xml: &str) -> Vec<(String, String)> {
    let (mut open, mut found): (Vec<String>, Vec<(String, String)>) = (Vec::new(), Vec::new());
    for part in xml.split('<').skip(2) {
        let (tag, text) = part.split_once('>').expect("every tag closes");
        assert!(!text.contains('>'), "{text}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
        } else {
            let name = tag.split(' ').next().unwrap().to_owned();
            found.push((open.join("/"), name.clone()));
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
    found
}

/// Children in the order of the message definition; what we never write is left out.
const ORDER: &[(&str, &[&str])] = &[
    ("CstmrDrctDbtInitn", &["GrpHdr", "PmtInf"]),
    ("GrpHdr", &["MsgId", "CreDtTm", "NbOfTxs", "CtrlSum", "InitgPty"]),
    (
        "PmtInf",
        &[
            "PmtInfId",
            "PmtMtd",
            "BtchBookg",
            "NbOfTxs",
            "CtrlSum",
            "PmtTpInf",
            "ReqdColltnDt",
            "Cdtr",
            "CdtrAcct",
            "CdtrAgt",
            "UltmtCdtr",
            "ChrgBr",
            "CdtrSchmeId",
            "DrctDbtTxInf",
        ],
    ),
    ("PmtTpInf", &["SvcLvl", "LclInstrm", "SeqTp"]),
    (
        "DrctDbtTxInf",
        &["PmtId", "InstdAmt", "DrctDbtTx", "UltmtCdtr", "DbtrAgt", "Dbtr", "DbtrAcct", "UltmtDbtr", "Purp", "RmtInf"],
    ),
    ("MndtRltdInf", &["MndtId", "DtOfSgntr"]),
    ("Othr", &["Id", "SchmeNm"]),
];

#[test]
fn a_file_reads_as_the_standard_has_it() {
    let mut last = entry(3);
    (last.sequence, last.collect_on) = (Sequence::Final, day("2027-02-01"));
    let mut business = entry(4);
    (business.scheme, business.bic) = (Scheme::B2b, Some("COBADEFFXXX".to_owned()));
    let xml = write(&batch(vec![entry(1), last, business, entry(2)])).unwrap();
    expect_file!["../../tests/data/debit.xml"].assert_eq(&xml);
    let mut at: BTreeMap<String, usize> = BTreeMap::new();
    for (path, name) in elements(&xml) {
        let parent = path.rsplit('/').next().unwrap().to_owned();
        let Some((_, order)) = ORDER.iter().find(|(known, _)| *known == parent) else { continue };
        let place = order.iter().position(|known| *known == name).unwrap_or_else(|| panic!("{path}/{name}"));
        // The first child of a parent begins its order again.
        let before = if place == 0 { 0 } else { at.get(&path).copied().unwrap_or(0) };
        assert!(place >= before, "{path}/{name} stands too late");
        at.insert(path, place);
    }
}

#[test]
fn blocks_part_by_day_sequence_and_scheme_and_their_sums_add_up() {
    let mut first = entry(2);
    first.sequence = Sequence::First;
    let mut later = entry(3);
    later.collect_on = day("2027-01-04");
    later.amount = Money::new(5, Currency::EUR);
    let xml = write(&batch(vec![entry(1), first, later, entry(4)])).unwrap();
    let sums: Vec<&str> = xml.lines().filter_map(|line| line.trim().strip_prefix("<CtrlSum>")).collect();
    assert_eq!(sums, ["370.40</CtrlSum>", "123.45</CtrlSum>", "246.90</CtrlSum>", "0.05</CtrlSum>"]);
    let counts: Vec<&str> = xml.lines().filter_map(|line| line.trim().strip_prefix("<NbOfTxs>")).collect();
    assert_eq!(counts, ["4</NbOfTxs>", "1</NbOfTxs>", "2</NbOfTxs>", "1</NbOfTxs>"]);
    for no in 1..=3 {
        assert_eq!(xml.matches(&format!("<PmtInfId>RECOBRO-20261123-{no}</PmtInfId>")).count(), 1);
    }
}

#[test]
fn the_older_version_names_banks_its_own_way() {
    let mut older = batch(vec![entry(1)]);
    older.version = Version::V02;
    let xml = write(&older).unwrap();
    assert!(xml.contains("pain.008.001.02") && xml.contains("<BIC>CAIXESBBXXX</BIC>") && !xml.contains("BICFI"));
}

#[test]
fn a_thousand_entries_make_one_block_with_the_exact_sum() {
    let xml = write(&batch((1..=1_000).map(entry).collect())).unwrap();
    assert_eq!(xml.matches("<DrctDbtTxInf>").count(), 1_000);
    assert_eq!(xml.matches("<CtrlSum>123450.00</CtrlSum>").count(), 2);
    assert_eq!(elements(&xml).iter().filter(|(_, name)| name == "EndToEndId").count(), 1_000);
}

#[test]
fn names_cannot_break_the_file() {
    for name in ["<&\">", "]]><x/>", "a\u{0}b\r\nc", "&amp;&#60;", "'--!>\u{202e}"] {
        let mut hostile = batch(vec![entry(1)]);
        hostile.entries[0].debtor = format!("Ana {name}");
        hostile.entries[0].remittance = format!("F-1 {name}");
        let known = elements(&write(&batch(vec![entry(1)])).unwrap());
        let xml = write(&hostile).unwrap();
        assert_eq!(elements(&xml), known, "{name}");
        assert!(xml.chars().all(|c| c == '\n' || (' '..='~').contains(&c)), "{name}");
    }
    assert_eq!(
        refused(|batch| batch.entries[0].end_to_end = "E<&\">".to_owned()),
        ["entry 1 (`E<&\">`), end_to_end: holds `<`; banks read A-Z, a-z, 0-9, space and /-?:().,'+ only"]
    );
}

#[test]
fn letters_become_what_every_bank_reads() {
    let cases = [
        ("Núñez & Müller <S.L.>", "Nunez + Mueller .S.L.."),
        ("Łukasz  Çağ\u{131}n ÆØÅ ß", "Lukasz Cagin AeOA ss"),
        ("e\u{301}te\u{301}", "ete"),
        ("Παπαδόπουλος", "Papadopoylos"),
        ("Иванов", "Ivanov"),
        ("«10 €» #1_2;3", ".10 E. .1-2,3"),
        ("日本", ".."),
    ];
    for (from, to) in cases {
        assert_eq!(text::plain(from), to);
    }
    assert_eq!(
        refused(|batch| batch.entries[0].debtor = "日本".to_owned()),
        ["entry 1 (`PLAN-7-1`), debtor: is empty in the characters that banks read (Latin letters, digits)"]
    );
}

#[test]
fn account_numbers_are_checked_to_the_digit() {
    for iban in [
        "DE89370400440532013000",
        "ES9121000418450200051332",
        "FR1420041010050500013M02606",
        "PT50000201231234567890154",
        "NL91ABNA0417164300",
        "gb82 west 1234 5698 7654 32",
    ] {
        assert_eq!(iban_problem(iban), None, "{iban}");
    }
    let bad = [
        ("DE88370400440532013000", "the check digits do not fit"),
        ("DE89370400440532031000", "the check digits do not fit"),
        ("DE8937040044053201300", "has 21 characters, IBANs of DE have 22"),
        ("US64SVBKUS6S3300958879", "`US` is no country that SEPA reaches"),
        ("", "`` is no country"),
        ("DE8937040044053201300<", "letters and digits only"),
        ("ÑE89370400440532013000", "letters and digits only"),
        ("DEA9370400440532013000", "the check digits do not fit"),
    ];
    for (iban, expected) in bad {
        let problem = iban_problem(iban).unwrap_or_default();
        assert!(problem.contains(expected), "{iban}: {problem}");
    }
}

#[test]
fn any_single_wrong_digit_of_an_account_is_seen() {
    let right = "ES9121000418450200051332";
    for at in 2..right.len() {
        for digit in b'0'..=b'9' {
            let mut wrong = right.as_bytes().to_vec();
            wrong[at] = digit;
            let wrong = String::from_utf8(wrong).unwrap();
            assert_eq!(iban_problem(&wrong).is_none(), wrong == right, "{wrong}");
        }
    }
}

#[test]
fn the_check_of_a_creditor_identifier_skips_the_business_code() {
    for identifier in ["DE98ZZZ09999999999", "DE98ABC09999999999", "FR72ZZZ123456", "NL08ZZZ502057730000"] {
        let problems = refused(|batch| batch.creditor.identifier = identifier.to_owned());
        assert_eq!(problems, Vec::<String>::new(), "{identifier}");
    }
    for identifier in ["DE97ZZZ09999999999", "DE98ZZZ", "XX98ZZZ09999999999", "DE98ZZZ0999999999é"] {
        let problems = refused(|batch| batch.creditor.identifier = identifier.to_owned());
        assert!(problems[0].starts_with("creditor, identifier: "), "{problems:?}");
    }
}

#[test]
fn every_problem_is_named_at_once() {
    let problems = refused(|batch| {
        batch.message = "M".repeat(34);
        batch.creditor.bic = Some("CAIX".to_owned());
        let entry = &mut batch.entries[0];
        entry.amount = Money::new(100, "USD".parse().unwrap());
        entry.mandate = "/a".to_owned();
        entry.debtor = "x".repeat(71);
        entry.remittance = "y".repeat(141);
        entry.signed_on = day("2026-12-02");
        let mut second = entry.clone();
        second.amount = Money::new(0, Currency::EUR);
        second.collect_on = day("2026-11-22");
        batch.entries.push(second);
    });
    let expected = [
        "message, message: has 34 characters, at most 33 fit",
        "creditor, bic: `CAIX` is no BIC: 8 or 11 letters and digits",
        "entry 1 (`PLAN-7-1`), mandate: begins or ends with a slash, or has two in a row",
        "entry 1 (`PLAN-7-1`), signed_on: signed on 2026-12-02, after the collection on 2026-12-01",
        "entry 1 (`PLAN-7-1`), amount: 1.00 USD is not in euros, the only currency of SEPA",
        "entry 1 (`PLAN-7-1`), debtor: has 71 characters, at most 70 fit",
        "entry 1 (`PLAN-7-1`), remittance: has 141 characters, at most 140 fit",
        "entry 2 (`PLAN-7-1`), end_to_end: another entry of this file has the same name",
    ];
    assert_eq!(problems[..expected.len()], expected);
    assert!(problems.iter().any(|p| p.contains("collect_on: 2026-11-22 is over")), "{problems:#?}");
    assert!(problems.iter().any(|p| p.contains("is not between 0.01 and 999999999.99")), "{problems:#?}");
    assert_eq!(refused(|batch| batch.entries.clear()), ["message, entries: there is nothing to collect"]);
}
