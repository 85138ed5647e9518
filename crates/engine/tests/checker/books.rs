//! Random playbooks: steps on random days by random channels, handlers, bundles, scripts and adverse tails, some of which
//! forget what the law wants first.

use super::judge::Own;
use super::random::Random;
use recobro_playbook::{Files, Library};
use std::fmt::Write;
use std::path::Path;

/// A playbook with what it binds itself to.
pub(crate) struct Book {
    pub(crate) own: Own,
    pub(crate) text: String,
}

/// Templates of a stage: name, channels, class.
const ASKING: &[(&str, &[&str], &str)] = &[
    ("overdue-first", &["email", "sms", "whatsapp"], "dunning"),
    ("overdue-second", &["email", "whatsapp"], "dunning"),
    ("reminder-gentle-1", &["email", "sms"], "dunning"),
    ("firm-reminder", &["email", "letter"], "dunning"),
    ("statement-of-account", &["email", "letter"], "dunning"),
    ("spoken-reminder", &["voice"], "dunning"),
    ("spoken-reminder", &["voice"], "dunning"),
    ("formal-notice", &["letter"], "legal_notice"),
    ("social-aid-information", &["letter", "email"], "courtesy"),
];

/// Notices that letters carry.
const NOTICES: &[(&str, &str)] = &[
    ("masc-invitation", "masc_invitation"),
    ("provable-demand", "provable_demand"),
    ("non-payment", "non_payment"),
    ("supply-cut-warning", "suspension_warning"),
];

/// The notice of a letter.
pub(crate) fn notice_of(template: &str) -> Option<&'static str> {
    NOTICES.iter().find(|(name, _)| *name == template).map(|(_, notice)| *notice)
}

/// The class of a template; a call, which has none, asks for money.
pub(crate) fn class_of(template: &str) -> &'static str {
    let beside =
        [("", "dunning"), ("promise-broken", "dunning"), ("thank-you", "courtesy"), ("upcoming-invoice", "courtesy")];
    if notice_of(template).is_some() {
        return "legal_notice";
    }
    let stage = ASKING.iter().find(|(name, _, _)| *name == template).map(|(_, _, class)| *class);
    let other = || beside.iter().find(|(name, _)| *name == template).map(|(_, class)| *class);
    stage.or_else(other).unwrap_or("transactional")
}

const SCRIPT: &str = "
/// One of the pool of tests that steps ask.
/// @returns bool
fn small(facts) { facts.invoice.balance < 60000 }
/// @returns bool
fn odd(facts) { facts.customer.open_invoices % 2 == 1 }
/// @returns bool
fn late(facts) { facts.invoice.days_overdue > 12 }
";

/// A random playbook by number.
pub(crate) fn book(random: &mut Random, number: usize) -> Book {
    let from = random.between(7, 10);
    let hours = (from, random.between(from + 4, 21));
    let caps = caps(random);
    let gap = random.chance(600).then(|| random.between(1, 6));
    let house = random.chance(400);
    let mut text = format!(
        "playbook: book-{number}\nversion: 1\ntitle: Random {number}\nowner: credit-control\ncurrency: EUR\n\
         calendar: house\nscripts: [pool]\napplies_to: {{invoice.x.book: b{number}}}\n"
    );
    if house {
        text.push_str("policy: [house]\n");
    }
    let _ = write!(text, "contact: {{locales: [en], hours: {:02}:00-{:02}:00", hours.0, hours.1);
    if !caps.is_empty() {
        let _ = write!(text, ", caps: [{}]", caps.iter().map(cap_text).collect::<Vec<_>>().join(", "));
    }
    if let Some(gap) = gap {
        let _ = write!(text, ", min_gap: {gap} days");
    }
    let mut window = None;
    match random.between(0, 5) {
        0 | 1 => text.push_str(", bundle: customer"),
        2 => {
            let days = random.between(2, 5);
            window = Some(days);
            let _ = write!(text, ", bundle: {{by: customer, window: {days} days}}");
        }
        _ => {}
    }
    text.push_str("}\nstages:\n  - stage: asking\n    steps:\n");
    let last = stage(random, &mut text);
    tail(random, &mut text, last);
    handlers(random, &mut text);
    let minutes = |hour: i64| u32::try_from(hour * 60).unwrap();
    let own = Own { hours: (minutes(hours.0), minutes(hours.1)), caps, gap, house, window };
    Book { own, text }
}

impl Book {
    /// Template and channels of a step or of a handler's contact; nothing for what is no contact.
    pub(crate) fn message(&self, path: &str) -> Option<(String, Vec<String>)> {
        let id = path.rsplit('/').next()?;
        let named = self.text.find(&format!("{{id: {id},")).map(|at| &self.text[at..]);
        let unnamed = || self.text.find(&format!("{{send: {id},")).map(|at| &self.text[at..]);
        let line = named.or_else(unnamed)?.lines().next()?;
        let ends = ["}, {id", "}, {send", "}]"].iter().filter_map(|end| line.find(end)).min();
        let item = &line[..ends.unwrap_or(line.len())];
        let until = |text: &str, ends: &[char]| text.split(ends).next().unwrap_or_default().trim().to_owned();
        let (send, call) = (item.find("send: "), item.find("call: "));
        if call.is_some_and(|call| send.is_none_or(|send| call < send)) {
            return Some((String::new(), vec!["call".to_owned()]));
        }
        let template = until(&item[send? + 6..], &[',', '}']);
        let via = until(&item[item.find("via: [")? + 6..], &[']']);
        Some((template, via.split(", ").map(str::to_owned).collect()))
    }
}

type Cap = (usize, i64, Option<&'static str>);

fn caps(random: &mut Random) -> Vec<Cap> {
    let pool: &[Cap] = &[
        (1, 7, None),
        (2, 7, None),
        (3, 7, None),
        (6, 30, None),
        (1, 1, None),
        (1, 7, Some("sms")),
        (2, 14, Some("email")),
        (3, 10, None),
    ];
    (0..random.between(0, 2)).map(|_| *random.pick(pool)).collect()
}

fn cap_text((most, days, channel): &Cap) -> String {
    let what = channel.map_or(String::new(), |channel| format!(" {channel}"));
    if *days == 1 { format!("{most}{what} per day") } else { format!("{most}{what} per {days} days") }
}

/// Asks on random days, the days rising. Answers the last one.
fn stage(random: &mut Random, text: &mut String) -> i64 {
    let mut day = random.between(-4, 3);
    if day < 0 {
        let _ = writeln!(text, "      - {{id: s0, send: upcoming-invoice, day: {day}, via: [email]}}");
    }
    for n in 1..=random.between(3, 8) {
        day = day.max(0) + random.between(0, 9);
        let id = format!("s{n}");
        if random.chance(220) {
            let _ = write!(text, "      - {{id: {id}, call: ring, day: {day}, within: 5 working days");
            if random.chance(600) {
                let _ = write!(text, ", attempts: {{times: 3, every: {} days}}", random.between(1, 2));
            }
            text.push_str("}\n");
            continue;
        }
        let (template, channels, class) = *random.pick(ASKING);
        let mut via: Vec<&str> = channels.to_vec();
        if random.chance(500) {
            via.reverse();
        }
        via.truncate(usize::try_from(random.between(1, 3)).unwrap());
        let _ = write!(text, "      - {{id: {id}, send: {template}, day: {day}, via: [{}]", via.join(", "));
        if template == "overdue-second" {
            text.push_str(", with: {tone: neutral}");
        }
        if class == "dunning" && random.chance(150) {
            text.push_str(", required: true");
        }
        if random.chance(200) {
            let _ = write!(text, ", when: 'pool::{}(facts)'", random.word(&["small", "odd", "late"]));
        }
        text.push_str("}\n");
    }
    day
}

/// Court, agency or a cut; what must come before is left out now and then.
fn tail(random: &mut Random, text: &mut String, last: i64) {
    text.push_str("  - stage: tail\n    steps:\n");
    let mut day = random.between(45, 60).max(last);
    let mut letter = |random: &mut Random, text: &mut String, name: &str| {
        if random.chance(750) {
            let _ = write!(text, "      - {{id: {name}, send: {name}, day: {day}, via: [letter], required: true");
            if random.chance(800) {
                text.push_str(", proof: delivery, within: 12 days, on_timeout: {notify: no-proof}");
            }
            text.push_str("}\n");
            day += 1;
        }
    };
    let (act, covers) = match random.between(0, 3) {
        0 => {
            letter(random, text, "masc-invitation");
            ("{id: act, escalate: legal, within: 30 days}", true)
        }
        1 => ("{id: act, outsource: agency-a, within: 30 days}", true),
        2 => {
            letter(random, text, "supply-cut-warning");
            letter(random, text, "non-payment");
            letter(random, text, "provable-demand");
            ("{id: act, request: supply.cut}", true)
        }
        _ => ("", false),
    };
    if covers {
        if random.chance(750) {
            text.push_str(
                "      - {id: allow, approve: act, by: credit-manager, within: 5 working days, for: [act], \
                 on_reject: {finish: needs_review}, on_timeout: {finish: needs_review}}\n",
            );
        }
        let _ = writeln!(text, "      - {act}");
    }
    let _ = writeln!(text, "      - {{finish: needs_review, after: {} days}}", random.between(1, 20));
}

fn handlers(random: &mut Random, text: &mut String) {
    text.push_str(
        "whenever:\n  - event: invoice.paid\n    do: [{request: supply.restore, when: done(\"supply.cut\")}, \
         {send: thank-you, via: [email]}]\n    then: {finish: paid}\n",
    );
    let pool: &[(&str, &str)] = &[
        (
            "promise.broken",
            "[{send: promise-broken, via: [sms, email]}, {id: r1, call: broken, within: 2 working days}]",
        ),
        ("promise.broken", "[{send: promise-broken, via: [email, sms]}, {id: f1, send: firm-reminder, via: [letter]}]"),
        ("payment.received", "[{send: part-payment-received, via: [email]}]"),
        ("dispute.opened", "[{send: dispute-received, via: [email]}]"),
        ("contact.unanswered", "[{id: r2, call: silent, within: 2 working days}]"),
        (
            "reply.received",
            "[{id: a1, send: overdue-second, with: {tone: neutral}, via: [email, whatsapp]}, {id: a2, send: overdue-first, via: [sms]}]",
        ),
        ("reply.received", "[{id: a3, send: spoken-reminder, via: [voice]}]"),
        ("dispute.closed", "[{id: a4, send: firm-reminder, via: [email]}]"),
        ("promise.made", "[{send: promise-confirmation, via: [email, whatsapp]}]"),
    ];
    for (event, list) in pool {
        if random.chance(450) && !text.contains(&format!("event: {event}\n")) {
            let _ = write!(text, "  - event: {event}\n    do: {list}\n    then: resume\n");
        }
    }
}

/// The shipped law and templates with these playbooks instead of the shipped ones; `change` may spoil any file.
pub(crate) fn library(books: &[Book], change: &dyn Fn(&str, &str) -> Option<String>) -> Library {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files: Files = recobro_playbook::read_dir(&root).unwrap();
    let playbook = |file: &str| file.matches('/').count() == 1 && file.starts_with("workflows/");
    files.retain(|file, _| {
        let other = file.starts_with("scripts/") || file.contains("/fragments/") || file.contains("/maps/");
        !other && (!playbook(file) || file == "workflows/requests.yaml")
    });
    let text_of = |files: &Files, name: &str| String::from_utf8(files[name].clone()).unwrap();
    let sms = text_of(&files, "workflows/templates/overdue-first/sms.en.j2").replace("max_parts: 6\n", "");
    let letter = text_of(&files, "workflows/templates/masc-invitation/letter.en.j2");
    let mut put = |name: &str, text: String| files.insert(name.to_owned(), text.into_bytes());
    put("workflows/templates/spoken-reminder/voice.en.j2", sms);
    put("workflows/templates/provable-demand/letter.en.j2", letter.replace("masc_invitation", "provable_demand"));
    put("workflows/templates/non-payment/letter.en.j2", letter.replace("masc_invitation", "non_payment"));
    put("scripts/pool.rhai", SCRIPT.to_owned());
    let names: Vec<String> = (0..books.len()).map(|n| format!("b{n}")).collect();
    let facts = format!(
        "facts:\n  invoice.x.book: {{type: text, values: [{}]}}\n  invoice.x.residence: {{type: text, values: [main, second]}}\n",
        names.join(", ")
    );
    put("workflows/facts.yaml", facts);
    for (n, book) in books.iter().enumerate() {
        put(&format!("workflows/book-{n}.yaml"), book.text.clone());
    }
    for (name, bytes) in &mut files {
        if let Some(spoilt) = std::str::from_utf8(bytes).ok().and_then(|text| change(name, text)) {
            *bytes = spoilt.into_bytes();
        }
    }
    let checked = recobro_playbook::check(&files);
    // What `check` demands of playbooks for the sake of the law is left aside: the guard must hold without it.
    let demanded = |code: &str| ("PB403"..="PB412").contains(&code);
    let is_error = |one: &recobro_playbook::Diagnostic| one.is_error() && !demanded(one.code);
    let errors: Vec<_> = checked.diagnostics.into_iter().filter(is_error).collect();
    assert!(errors.is_empty(), "{}", recobro_playbook::report::text(&errors, &files));
    checked.library
}
