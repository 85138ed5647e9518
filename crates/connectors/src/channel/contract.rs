//! The contract that every channel keeps, as tests; also the item that the channels' own tests send.

use super::{Channel, Delivery, LANES, OpenError, Outgoing, Settings, open};
use recobro_kernel::time::Timestamp;
use std::path::Path;
use std::sync::Arc;

/// A valid e-mail with a key.
pub(super) fn item(key: &str) -> Outgoing {
    Outgoing {
        key: key.to_owned(),
        lane: "email".to_owned(),
        subject_line: "Factura INV-1".to_owned(),
        text: "Hola:\n\nUn saludo".to_owned(),
        html: Some("<p>Hola:</p><p>Un saludo</p>".to_owned()),
        to_name: "José Álvarez".to_owned(),
        to_address: "jose@cliente.example".to_owned(),
        from_name: "Tésar S.A.".to_owned(),
        from_address: "cobros@acme.example".to_owned(),
        at: "2026-05-04T07:00:00Z".parse::<Timestamp>().unwrap(),
        ..Outgoing::default()
    }
}

fn opened(lane: &str, transport: &str) -> Arc<dyn Channel> {
    open(&Settings::new(lane, transport)).unwrap()
}

fn files(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                names.push(path.strip_prefix(folder).unwrap().display().to_string());
            }
        }
    }
    names.sort();
    names
}

#[tokio::test]
async fn one_key_twice_is_one_act_in_every_file_channel() {
    for (lane, scheme, expected) in [
        ("email", "file", vec!["k%2f%2e%2e%2f1.eml"]),
        ("letter", "outbox", vec!["letter/k%2f%2e%2e%2f1.json", "letter/k%2f%2e%2e%2f1.txt"]),
        ("request", "outbox", vec!["request/k%2f%2e%2e%2f1.json", "request/k%2f%2e%2e%2f1.txt"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let channel = opened(lane, &format!("{scheme}:{}", folder.path().display()));
        assert!(channel.idempotent());
        let first = Outgoing { lane: lane.to_owned(), ..item("k/../1") };
        let again = Outgoing { text: "changed since".to_owned(), ..first.clone() };
        let before = channel.deliver(std::slice::from_ref(&first)).await;
        let bytes = std::fs::read(folder.path().join(expected[0])).unwrap();
        assert_eq!(channel.deliver(&[again]).await, before, "the same reference");
        assert!(matches!(&before[..], [Delivery::Accepted { .. }]));
        assert_eq!(files(folder.path()), expected, "no part files left");
        assert_eq!(std::fs::read(folder.path().join(expected[0])).unwrap(), bytes, "what left stays as it was");
    }
}

#[tokio::test]
async fn every_item_gets_its_own_answer_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let channel = opened("email", &format!("file:{}", folder.path().display()));
    let bad = Outgoing { to_name: "a\nb".to_owned(), ..item("2") };
    let answers = channel.deliver(&[item("1"), bad, item("3")]).await;
    assert_eq!(answers[0], Delivery::Accepted { reference: "1.eml".to_owned() });
    assert_eq!(
        answers[1],
        Delivery::Refused {
            reason: "the name of the recipient holds a line break, which no header may hold".to_owned()
        }
    );
    assert_eq!(answers[2], Delivery::Accepted { reference: "3.eml".to_owned() });
}

#[tokio::test]
async fn what_was_rendered_is_what_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let channel = opened("email", &format!("file:{}", folder.path().display()));
    let raw = b"From: x\r\n\r\nas approved".to_vec();
    channel.deliver(&[Outgoing { raw: Some(raw.clone()), ..item("1") }]).await;
    assert_eq!(std::fs::read(folder.path().join("1.eml")).unwrap(), raw);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("not-a-folder");
    std::fs::write(&blocked, "").unwrap();
    let channel = opened("email", &format!("file:{}", blocked.display()));
    assert!(matches!(&channel.deliver(&[item("1")]).await[..], [Delivery::Retry { .. }]));
}

#[tokio::test]
async fn the_null_channel_takes_every_lane_and_a_customer_without_address() {
    for lane in LANES {
        let channel = opened(lane, "null:");
        assert_eq!(channel.lane(), *lane);
        let nobody = Outgoing { to_address: String::new(), ..item("1") };
        assert_eq!(channel.deliver(&[nobody]).await, [Delivery::Accepted { reference: "null:1".to_owned() }]);
    }
}

#[test]
fn a_wrong_transport_says_what_to_write() {
    let error = open(&Settings::new("email", "carrier-pigeon:")).err().unwrap();
    assert!(error.to_string().starts_with("unknown transport `carrier-pigeon:`; write one of `null:`"), "{error}");
    let error = open(&Settings::new("sms", "file:out")).err().unwrap();
    assert_eq!(error, OpenError::WrongLane("file:out".to_owned(), "sms".to_owned()));
    assert_eq!(
        open(&Settings::new("email", "file:")).err().unwrap().to_string(),
        "transport `file:` names no folder; write for example `file:outbox/mail`"
    );
}
