//! What customers say about channels and times: what it closes, what it moves, and that the law comes first.

use super::*;
use recobro_kernel::consent::hours as times;
use recobro_kernel::guard::{reach, weigh};
use recobro_kernel::schedule::wished;

impl Scene {
    /// When a contact would leave whose customer likes and dislikes times, in local words.
    fn wished(&self, (likes, dislikes): (&str, &str), from: &str, due: &str) -> String {
        let (law, zone) = (self.law(), self.facts.customer.time_zone);
        let (likes, dislikes) = (times(likes).unwrap(), times(dislikes).unwrap());
        let bound = Bound::of(&law, &[], &self.facts);
        let place = Place {
            playbook: &self.playbook,
            calendar: &self.calendar,
            staff: &self.calendar,
            zone,
            contacts: &[],
            invoice: &self.facts.invoice.id,
            customer: "C",
            several: false,
            inconvenient: &dislikes,
            preferred: &likes,
            bound: &bound,
        };
        let wish = Wish { channel: Some(Channel::Email), group: None, class: Class::Dunning, bundled: false };
        let (at, _) = wished(place, &self.playbook.contact, wish, (self.at(from), self.at(due)));
        at.local(zone).format("%Y-%m-%d %H:%M").to_string()
    }
}

/// An address whose customer refused a purpose.
fn refused(channel: Channel, purpose: &str) -> ContactPoint {
    let mut point = point(channel, "billing", true);
    point.consent.take(&Purpose::named(purpose), Word::Withdrawn);
    point
}

#[test]
fn an_opt_out_closes_its_channel_for_its_purpose_and_notices_only_where_a_policy_says_so() {
    let mut facts = facts();
    facts.customer.contact_points = vec![
        refused(Channel::Sms, "all"),
        refused(Channel::Email, "courtesy"),
        point(Channel::Letter, "billing", false),
    ];
    let reaches = |channel, class| reach(&facts, (channel, class), "billing").is_some();
    for class in [Class::Dunning, Class::Courtesy, Class::Transactional] {
        assert!(!reaches(Channel::Sms, class), "{class:?}");
    }
    assert!(reaches(Channel::Sms, Class::LegalNotice), "the law decides, and no policy speaks here");
    assert!(reaches(Channel::Email, Class::Dunning) && !reaches(Channel::Email, Class::Courtesy));
    let (law, playbook) = (Law::default(), playbook());
    let ask = |point: usize, class| {
        let point = &facts.customer.contact_points[point];
        let wish = Wish { channel: Some(point.channel), group: None, class, bundled: false };
        weigh(&playbook, &facts, &law, (wish, Some(point)), "2026-05-04T15:00:00Z".parse().unwrap()).verdict
    };
    let said = Verdict::Forbid { rule: "sms: opted out of dunning".to_owned() };
    assert_eq!((ask(0, Class::Dunning), ask(0, Class::LegalNotice)), (said, Verdict::Allow));
    // A policy that names notices closes the channel for them too.
    let strict = Scene::new(vec![rule("stop", Kind::Consent { opted_in: false })]);
    let notice = Wish { channel: Some(Channel::Sms), group: None, class: Class::LegalNotice, bundled: false };
    let (law, sms) = (strict.law(), refused(Channel::Sms, "all"));
    assert_eq!(Bound::of(&law, &[], &strict.facts).closes(notice, Channel::Sms, Some(&sms), &[]), Some("probe/stop"));
}

#[test]
fn what_the_customer_said_is_the_reason_that_is_shown() {
    let mut scene = Scene::new(vec![rule("chosen", Kind::Consent { opted_in: true })]);
    scene.facts.customer.contact_points = vec![point(Channel::Sms, "billing", false)];
    let law = scene.law();
    let wish = Wish { channel: Some(Channel::Sms), group: None, class: Class::Dunning, bundled: false };
    let why = |point: &ContactPoint| {
        let at = scene.at("2026-05-04 10:00");
        weigh(&scene.playbook, &scene.facts, &law, (wish, Some(point)), at).findings[0].why.clone()
    };
    assert_eq!(why(&point(Channel::Sms, "billing", false)), "nothing said about dunning");
    assert_eq!(why(&point(Channel::Sms, "billing", true)), "opted in to dunning");
    assert_eq!(why(&refused(Channel::Sms, "all")), "opted out of dunning");
}

#[test]
fn a_time_the_customer_likes_is_chosen_where_the_law_leaves_one() {
    // Monday to Friday from 08:00 to 20:00; 4 May 2026 is a Monday.
    let window = Kind::Window { open: vec![opening(&[0, 1, 2, 3, 4], "08:00-20:00")], holidays: true };
    let scene = Scene::new(vec![rule("hours", window)]);
    let may = |likes: &str, dislikes: &str, from: &str, due: &str| scene.wished((likes, dislikes), from, due);
    assert_eq!(may("", "", "2026-05-04 10:00", "2026-05-04 10:00"), "2026-05-04 10:00");
    assert_eq!(may("mon-fri 17:00-18:00", "", "2026-05-04 10:00", "2026-05-04 10:00"), "2026-05-04 17:00");
    assert_eq!(may("mon 09:00-11:00", "", "2026-05-04 10:00", "2026-05-04 10:00"), "2026-05-04 10:00", "it is one");
    assert_eq!(may("wed 09:00-11:00", "", "2026-05-04 10:00", "2026-05-04 10:00"), "2026-05-06 09:00");
    // The law first: Sunday is never open, and half of the other wish is before the window.
    assert_eq!(may("sun 10:00-12:00", "", "2026-05-04 10:00", "2026-05-04 10:00"), "2026-05-04 10:00");
    assert_eq!(may("tue 07:00-09:00", "", "2026-05-04 10:00", "2026-05-04 10:00"), "2026-05-05 08:00");
    // What is inconvenient is never chosen, whatever is liked.
    assert_eq!(may("mon-fri 09:00-11:00", "09:00-10:00", "2026-05-04 07:00", "2026-05-04 07:00"), "2026-05-04 10:00");
    assert_eq!(may("mon-fri 09:00-10:00", "09:00-10:00", "2026-05-04 07:00", "2026-05-04 07:00"), "2026-05-04 08:00");
    // Nobody waits for a second week: due on the 4th, the Monday after was missed by a minute.
    assert_eq!(may("mon 09:00-11:00", "", "2026-05-11 11:01", "2026-05-04 11:30"), "2026-05-11 11:01");
}

#[test]
fn an_inconvenient_time_moves_the_contact_behind_it() {
    let scene = Scene::new(Vec::new());
    let may = |dislikes: &str, from: &str| scene.wished(("", dislikes), from, from);
    assert_eq!(may("mon-fri 09:00-12:00", "2026-05-04 10:00"), "2026-05-04 12:00");
    assert_eq!(may("mon-fri 09:00-12:00", "2026-05-09 10:00"), "2026-05-09 10:00", "a Saturday");
    assert_eq!(may("22:00-24:00; 00:00-06:00", "2026-05-04 23:00"), "2026-05-05 06:00");
}
