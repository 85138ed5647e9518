//! One conversation: what a customer's cases say on the same day leaves in one message.

use crate::program::Home;

/// Three open invoices of one customer and one of another, played over the first reminder.
fn home() -> Home {
    let home = Home::new();
    let put = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    put(
        "customers.csv",
        "id,name,country,email,locale\nC1,Acme Ltd,GB,a@example.com,en\nC2,Beta Ltd,GB,b@example.com,en\n",
    );
    put(
        "invoices.csv",
        "id,number,customer,issued,due,amount,currency\nI1,2026/1,C1,2026-01-02,2026-02-02,900.00,GBP\n\
         I2,2026/2,C1,2026-01-02,2026-02-02,400.00,GBP\nI3,2026/3,C1,2026-01-02,2026-02-02,70.00,EUR\n\
         I4,2026/4,C2,2026-01-02,2026-02-02,50.00,GBP\n",
    );
    home.data(&["import", "customers", "customers.csv"]);
    home.data(&["import", "invoices", "invoices.csv"]);
    home.data(&["run", "--virtual", "--until", "2026-02-12"]);
    home
}

/// Messages to an address, by subject.
fn messages(home: &Home, to: &str) -> Vec<(String, String)> {
    let folder = home.path().join("outbox/email");
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let text = crate::program::text(&bytes);
        if text.contains(to) {
            let subject = text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or_default();
            all.push((subject.to_owned(), text.clone()));
        }
    }
    all.sort();
    all
}

#[test]
fn three_invoices_of_a_customer_are_one_message_with_totals_by_currency() {
    let home = home();
    let sent = messages(&home, "a@example.com");
    let subjects: Vec<&str> = sent.iter().map(|(subject, _)| subject.as_str()).collect();
    // One word before the due date, one reminder after it; each for three invoices.
    assert_eq!(subjects.len(), 2, "{subjects:?}");
    let (_, reminder) = sent.iter().find(|(subject, _)| subject.contains("reminder")).unwrap();
    // The reminder's own text lists them; quoted-printable writes the signs of currencies as bytes.
    for line in ["- 2026/2, due on 2 February 2026: =C2=A3400.00", "- 2026/3, due on 2 February 2026: =E2=82=AC70.00"] {
        assert!(reminder.contains(line), "{reminder}");
    }
    assert!(reminder.contains("Total: =E2=82=AC70.00 + =C2=A31,300.00"), "currencies are never mixed: {reminder}");
    // The word before the due date speaks of one invoice: the list comes before its signature.
    let (_, word) = sent.iter().find(|(subject, _)| !subject.contains("reminder")).unwrap();
    for line in ["- 2026/1, due on 2 February 2026: =C2=A3900.00", "- 2026/3, due on 2 February 2026: =E2=82=AC70.00"] {
        assert!(word.contains(line), "{word}");
    }
    assert!(word.contains("Together: =E2=82=AC70.00, =C2=A31,300.00"), "{word}");
    let (_, alone) = messages(&home, "b@example.com").into_iter().next().unwrap();
    assert!(!alone.contains("Together"), "what is alone leaves as it is: {alone}");
    // Every case has the message in its own history, with the effect that took it along.
    let log = home.data(&["guard", "explain", "C1", "--log", "--json", "--at", "2026-02-05"]);
    let log: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(log.iter().filter(|row| row["verdict"] == "allow").count(), 3, "{log:?}");
    let bundles = ["2026/1", "2026/2", "2026/3"]
        .map(|number| home.data(&["case", "show", number]).matches("in one message with others").count());
    assert_eq!(bundles.iter().sum::<usize>(), 4, "of each message two went with the third: {bundles:?}");
}
