//! The guard through the real program: why now, why not, by which rule, and what was answered on a day.

use crate::program::{Home, text};

fn home() -> Home {
    let home = Home::new();
    let put = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    put("customers.csv", "id,name,country,email\nC1,Acme SL,ES,a@example.com\n");
    put(
        "invoices.csv",
        "id,number,customer,issued,due,amount,currency\nI1,2026/1,C1,2026-01-02,2026-02-01,900.00,EUR\n\
         I2,2026/2,C1,2026-01-02,2026-02-01,400.00,EUR\n",
    );
    home.data(&["import", "customers", "customers.csv"]);
    home.data(&["import", "invoices", "invoices.csv"]);
    home.data(&["run", "--virtual", "--until", "2026-02-03"]);
    home
}

fn lines(text: &str) -> Vec<serde_json::Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_guard_says_why_not_by_which_rule_and_when_next() {
    let home = home();
    let ask =
        |at: &str| lines(&home.data(&["guard", "explain", "C1", "--channel", "email", "--at", at, "--json"])).remove(0);
    // The evening before a working day: the window of the playbook, then those of the policies.
    let night = ask("2026-02-10T20:30");
    assert_eq!(
        (night["verdict"].as_str(), night["until"].as_str()),
        (Some("defer"), Some("2026-02-11T08:00:00.000000Z"))
    );
    // The cap chose the day and the window its hour: the cap decides, and the window is named as well.
    let twice = home.data(&["guard", "explain", "C1", "--channel", "email", "--at", "2026-02-02T20:30"]);
    let first = twice.lines().next().unwrap_or_default();
    assert!(first.contains("because ") && !first.contains("because hours"), "{twice}");
    assert!(first.contains("; also hours"), "{twice}");
    let day = ask("2026-02-10T11:00");
    assert_eq!(day["verdict"], "allow", "{day}");
    let rules: Vec<&str> = day["findings"].as_array().unwrap().iter().filter_map(|one| one["rule"].as_str()).collect();
    assert!(rules.contains(&"eu-b2b/one-a-day") && rules.contains(&"eu-b2b/hours"), "{rules:?}");
    assert_eq!(home.run(&["guard", "explain", "C9"]).status.code(), Some(3));
    assert_eq!(home.run(&["guard", "explain", "C1", "--at", "soon"]).status.code(), Some(2));
}

#[test]
fn without_a_channel_each_has_one_line_and_the_rules_come_on_request() {
    let home = home();
    let short = home.data(&["guard", "explain", "C1", "--at", "2026-02-10T20:30"]);
    let channels = recobro_kernel::facts::Channel::ALL.len();
    assert_eq!(short.lines().count(), 2 * channels, "a line for each invoice and channel: {short}");
    assert!(short.contains("2026/1  email     wait until Wed 2026-02-11 09:00, because "), "{short}");
    let long = home.data(&["guard", "explain", "C1", "--at", "2026-02-10T20:30", "--verbose"]);
    assert!(long.lines().count() > short.lines().count() && long.contains("eu-b2b/hours"), "{long}");
    let all = lines(&home.data(&["guard", "explain", "C1", "--at", "2026-02-10T20:30", "--json"]));
    assert!(all.iter().all(|one| one["findings"].is_array()), "JSON keeps everything");
}

#[test]
fn an_instant_is_said_with_its_zone_and_a_local_time_without() {
    let home = home();
    let at = |when: &str| {
        let said = lines(&home.data(&["guard", "explain", "C1", "--channel", "email", "--at", when, "--json"]));
        said[0]["at"].as_str().unwrap().to_owned()
    };
    // Madrid is an hour ahead in February.
    for when in ["2026-02-10T20:30", "2026-02-10 20:30", "2026-02-10T20:30:00", "2026-02-10T19:30Z"] {
        assert_eq!(at(when), "2026-02-10T19:30:00.000000Z", "{when}");
    }
    for when in ["2026-02-10 19:30Z", "2026-02-10T19:30:00Z", "2026-02-10T20:30+01:00"] {
        assert_eq!(at(when), "2026-02-10T19:30:00.000000Z", "{when}");
    }
    assert_eq!(at("2026-02-10"), "2026-02-10T11:00:00.000000Z", "a date is its noon");
}

#[test]
fn an_act_is_asked_about_like_a_contact() {
    let home = home();
    let act = |name: &str| lines(&home.data(&["guard", "explain", "C1", "--act", name, "--json"])).remove(0);
    let court = act("escalate");
    assert_eq!((court["schema"].as_str(), court["act"].as_str()), (Some("recobro/v1/act-verdict"), Some("escalate")));
    assert_eq!(court["verdict"], "forbid", "no invitation to settle was given: {court}");
    assert!(!court["findings"].as_array().unwrap().is_empty(), "{court}");
    let said = home.data(&["guard", "explain", "C1", "--act", "escalate"]);
    assert!(said.contains("2026/1  escalate  no, because "), "{said}");
    let unknown = home.run(&["guard", "explain", "C1", "--act", "shout"]);
    assert_eq!(unknown.status.code(), Some(3));
    assert!(text(&unknown.stderr).contains("escalate"), "it names those that are known");
}

#[test]
fn what_the_guard_answered_is_on_record_for_what_left_and_what_did_not() {
    let home = home();
    let log = home.data(&["guard", "explain", "C1", "--log", "--at", "2026-02-02", "--json"]);
    let log = lines(&log);
    let allowed: Vec<_> = log.iter().filter(|row| row["verdict"] == "allow").collect();
    assert_eq!(allowed.len(), 2, "both invoices, in one message: {log:?}");
    let sent = std::fs::read_dir(home.path().join("outbox/email")).unwrap().count();
    assert_eq!(sent, 2, "a friendly word before the due date and one reminder after it");
    assert!(allowed.iter().all(|row| row["step"].as_str().is_some_and(|step| !step.is_empty())), "{log:?}");
    let told = home.data(&["guard", "explain", "C1", "--log", "--at", "2026-02-02"]);
    assert!(told.contains("(dunning)  allow"), "{told}");
    let findings = allowed[0]["findings"].as_array().unwrap();
    assert!(
        findings.iter().any(|one| one["rule"] == "eu-b2b/one-a-day" && one["why"] == "0 of 1 in 1 day"),
        "{findings:?}"
    );
}

#[test]
fn calls_about_several_invoices_are_one_line_one_call_and_one_answer() {
    let home = Home::new();
    let put = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    put("customers.csv", "id,name,country,email,phone,kind\nC8,Marie,FR,m@example.fr,+33600000001,person\n");
    put(
        "invoices.csv",
        "id,number,customer,issued,due,amount,currency\nI2,2,C8,2026-10-02,2026-11-01,90.00,EUR\n\
         I3,3,C8,2026-10-02,2026-11-01,50.00,EUR\nI4,4,C8,2026-10-02,2026-11-01,70.00,USD\n",
    );
    home.data(&["import", "customers", "customers.csv"]);
    home.data(&["import", "invoices", "invoices.csv"]);
    home.data(&["run", "--virtual", "--until", "2026-11-23T10:00:00Z"]);
    let list = home.data(&["task", "list"]);
    assert!(list.lines().count() == 2 && list.contains(" +2 "), "{list}");
    assert_eq!(home.data(&["task", "list", "--each"]).lines().count(), 4);
    let task = lines(&home.data(&["task", "list", "--json"])).remove(0)["id"].as_str().unwrap().to_owned();
    // A person who asks is told what the call itself would be told.
    for opened in [false, true] {
        let explained = lines(&home.data(&["guard", "explain", "C8", "--channel", "call", "--json"])).remove(0);
        let call = text(&home.run(&["task", "call", &task, "--json"]).stdout);
        let call = lines(&call).remove(0);
        let answer = |said: &serde_json::Value| {
            ["verdict", "rule", "until"].map(|key| said[key].as_str().unwrap_or_default().to_owned())
        };
        assert_eq!(answer(&explained), answer(&call), "opened before: {opened}");
    }
    let show = home.data(&["task", "show", &task]);
    assert!(show.contains("140.00 EUR, 70.00 USD"), "{show}");
    let done = lines(&home.data(&["task", "done", &task, "--outcome", "no_answer", "--json"])).remove(0);
    assert_eq!((done["with"].as_array().map(Vec::len), done["with_outcome"].as_str()), (Some(2), Some("no_answer")));
    assert_eq!(home.data(&["task", "list", "--json"]), "");
}

/// A household in New York under a policy of six weeks' silence that binds only who collects for others.
#[test]
fn who_collects_for_others_is_bound_by_the_policies_for_them() {
    let home = Home::new();
    let root = crate::program::root();
    let copy = |from: &str| {
        let done = std::process::Command::new("cp").arg("-r").arg(root.join(from)).arg(home.path()).status().unwrap();
        assert!(done.success());
    };
    copy("workflows");
    copy("scripts");
    let put = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    put(
        "workflows/policies/us-agencies.yaml",
        "policy: us-agencies\nversion: 1\ntitle: Agencies\nowner: compliance\njurisdiction: US\n\
         debtor_kind: [person]\ncollector_role: third_party\nrules:\n  - rule: seldom\n    kind: frequency\n    \
         params: {most: 1, per: 42 days, of: customer}\n    source: a test\n",
    );
    put("customers.csv", "id,name,country,subdivision,email,kind\nC1,Ann,US,US-NY,a@example.com,person\n");
    put("invoices.csv", "id,number,customer,issued,due,amount,currency\nI1,1,C1,2026-01-02,2026-02-02,90.00,USD\n");
    let run = |role: &str, args: &[&str]| {
        let mut command = home.command(args);
        let output = command.env("RECOBRO_PROJECT", ".").env("RECOBRO_COLLECTOR_ROLE", role).output().unwrap();
        assert!(output.status.success(), "{args:?}\n{}", crate::program::text(&output.stderr));
        crate::program::text(&output.stdout)
    };
    let own = "first_party";
    run(own, &["import", "customers", "customers.csv"]);
    run(own, &["import", "invoices", "invoices.csv"]);
    run(own, &["run", "--virtual", "--until", "2026-02-06"]);
    let rules = |role: &str| {
        let ask = ["guard", "explain", "C1", "--channel", "email", "--at", "2026-02-10T11:00", "--json"];
        run(role, &ask)
    };
    assert!(!rules(own).contains("us-agencies/seldom"), "{}", rules(own));
    assert!(rules("third_party").contains("us-agencies/seldom"), "{}", rules("third_party"));
    // Who changes it tells the cases that sleep.
    run("third_party", &["run", "--virtual", "--until", "2026-03-30"]);
    let case = run(own, &["case", "list", "--json"]);
    let id = lines(&case)[0]["id"].as_str().unwrap().to_owned();
    let why = run(own, &["case", "why", &id]);
    assert!(why.contains("us-agencies"), "{why}");
    let bad = home.command(&["config", "show"]).env("RECOBRO_COLLECTOR_ROLE", "agency").output().unwrap();
    assert_eq!(bad.status.code(), Some(78), "{}", crate::program::text(&bad.stderr));
}
