//! The walk of a case, tried on a playbook built by hand, with rules answered from a table.

mod world;

use chrono::Datelike;
use recobro_kernel::case::Status;
use recobro_kernel::expr::Arg;
use recobro_kernel::facts::{Channel, Class};
use recobro_kernel::guard::policy::{Awaited, Begins, Confidence, Counts, Deadline, Kind, Of, Policy, Rule, Term};
use recobro_kernel::law::Law;
use recobro_kernel::playbook::{Cap, Handler, Handover, Outcome, Outlet, Playbook, Repeat, Stage, Step, Then, Verb};
use recobro_kernel::record::Record;
use recobro_kernel::time::Span;
use recobro_kernel::value::Value;
use std::sync::Arc;
use world::{World, at, playbook};

#[test]
fn a_silent_customer_meets_every_step_and_the_case_ends() {
    let mut world = World::new(playbook());
    world.run_to_the_end();
    assert_eq!(world.sent(), ["first", "second", "notice"]);
    assert_eq!(world.case.outcome, Some(Outcome::Uncollected));
    assert!(world.case.wake.is_none(), "a finished case asks for nothing");
}

#[test]
fn payment_before_due_closes_without_contact() {
    let mut world = World::new(playbook());
    world.pay("2026-05-01T08:00:00Z");
    world.run_to_the_end();
    assert_eq!(world.sent(), ["thanks"], "only the thank-you leaves");
    assert_eq!(world.case.outcome, Some(Outcome::Paid));
}

#[test]
fn a_payment_of_the_same_second_comes_before_the_step() {
    let mut world = World::new(playbook());
    // The first reminder is due on 5 May at 09:00 in Madrid.
    world.pay("2026-05-05T07:00:00Z");
    world.run_to_the_end();
    assert_eq!(world.sent(), ["thanks"]);
}

#[test]
fn a_finish_keeps_the_pending_thank_you_and_drops_the_reminder() {
    let mut world = World::new(playbook());
    world.until("2026-05-06T00:00:00Z");
    world.pay("2026-05-08T20:30:00Z");
    world.until("2026-05-08T21:00:00Z");
    assert_eq!(world.case.status, Status::Finished);
    assert_eq!(world.case.wake.as_ref().map(|wake| wake.at), Some(at("2026-05-11T07:00:00Z")), "Monday morning");
    world.run_to_the_end();
    assert_eq!(world.sent(), ["first", "thanks"]);
}

/// The step names e-mail first, where the customer has no address and the cap no room; the text message may leave.
#[test]
fn a_cap_on_a_channel_without_an_address_holds_nothing_back() {
    let mut playbook = playbook();
    playbook.contact.caps = vec![Cap { most: 1, per: Span::days(30), channel: Some(Channel::Email) }];
    let mut world = World::new(playbook);
    world.reachable_by(Channel::Sms);
    world.contact_made("2026-04-29");
    world.until("2026-05-07T00:00:00Z");
    assert_eq!((world.sent_on("first").as_str(), world.lanes_of("first")), ("2026-05-05", vec!["sms"]));
}

#[test]
fn a_cap_on_a_channel_holds_no_other_channel_back() {
    let mut playbook = playbook();
    playbook.contact.caps = vec![Cap { most: 1, per: Span::days(30), channel: Some(Channel::Email) }];
    playbook.steps[0].options.via.remove(0);
    let mut world = World::new(playbook);
    world.contact_made("2026-04-29");
    world.until("2026-05-07T00:00:00Z");
    assert_eq!((world.sent_on("first").as_str(), world.lanes_of("first")), ("2026-05-05", vec!["sms"]));
}

/// A friendly note before the due date is no thank-you: it is not sent for an invoice that was paid meanwhile.
#[test]
fn a_courtesy_of_a_stage_is_taken_back_by_the_payment() {
    let mut playbook = playbook();
    playbook.templates.get_mut("first").unwrap().class = recobro_kernel::facts::Class::Courtesy;
    let mut world = World::new(playbook);
    assert_eq!(world.waiting_at("2026-05-05T07:00:00Z"), ["first"]);
    world.pay("2026-05-05T07:00:01Z");
    assert_eq!(world.waiting_at("2026-05-05T07:00:01Z"), ["thanks"]);
}

#[test]
fn a_hold_stops_the_clock_and_its_limit_ends_it() {
    let mut world = World::new(playbook());
    world.until("2026-05-06T00:00:00Z");
    world.tell("dispute.opened", "2026-05-06T10:00:00Z", &[]);
    world.until("2026-05-15T00:00:00Z");
    assert_eq!(world.case.status, Status::Held);
    world.run_to_the_end();
    // Held from 6 May to the end of 15 May: nine midnights move the second reminder (day 15) from 19 to 28 May.
    assert_eq!(world.sent_on("second"), "2026-05-28");
}

#[test]
fn a_duplicate_of_any_event_changes_nothing() {
    let mut once = World::new(playbook());
    let mut twice = World::new(playbook());
    for world in [&mut once, &mut twice] {
        world.until("2026-05-06T00:00:00Z");
    }
    once.tell("dispute.opened", "2026-05-06T10:00:00Z", &[]);
    twice.tell("dispute.opened", "2026-05-06T10:00:00Z", &[]);
    twice.tell_again();
    once.run_to_the_end();
    twice.run_to_the_end();
    assert_eq!(once.sent(), twice.sent());
    assert_eq!(once.case.clock, twice.case.clock);
    assert_eq!(once.opened, twice.opened);
}

#[test]
fn a_failing_rule_parks_the_case_and_a_retry_reads_it_again() {
    let mut world = World::new(playbook());
    world.fail("is_large");
    world.until("2026-07-01T00:00:00Z");
    assert_eq!(world.case.status, Status::Attention);
    assert!(world.case.trouble.as_deref().unwrap_or("").contains("is_large"), "the cause names the rule");
    assert_eq!(world.sent(), ["first"], "nothing after the failing condition");
    world.mend();
    world.operator("retry", "2026-07-02T08:00:00Z");
    world.run_to_the_end();
    assert_eq!(world.case.outcome, Some(Outcome::Uncollected));
}

#[test]
fn an_operator_pauses_and_resumes() {
    let mut world = World::new(playbook());
    world.operator("pause", "2026-05-01T08:00:00Z");
    world.until("2026-06-10T00:00:00Z");
    assert_eq!(world.case.status, Status::Paused);
    assert!(world.sent().is_empty());
    world.operator("resume", "2026-06-10T08:00:00Z");
    world.run_to_the_end();
    // Both reminders are long past: only the last of them goes.
    assert_eq!(world.sent(), ["second", "notice"]);
    assert!(world.records().any(|record| matches!(record, Record::Superseded { .. })));
}

#[test]
fn the_approval_is_asked_again_when_the_balance_moved() {
    let mut world = World::new(playbook());
    world.answer("approve", "approved");
    world.until("2026-06-18T00:00:00Z");
    world.balance(300_000);
    world.run_to_the_end();
    let asked = world.opened.iter().filter(|(kind, _)| kind == "approve").count();
    assert_eq!(asked, 2, "once in its turn, once because the balance changed before the notice");
}

#[test]
fn a_refused_channel_gives_way_to_the_next_and_the_last_to_on_error() {
    let mut world = World::new(playbook());
    world.refuse("email");
    world.run_to_the_end();
    assert_eq!(world.lanes_of("first"), ["sms"], "the second channel");
    assert!(world.opened.iter().any(|(kind, step)| kind == "task" && step == "fix"), "second has e-mail only");
}

#[test]
fn the_gap_defers_and_the_record_names_it() {
    let mut world = World::new(playbook());
    world.contact_made("2026-05-04");
    world.until("2026-05-30T00:00:00Z");
    assert_eq!(world.sent_on("first"), "2026-05-07", "three days after the other invoice's message");
    let named = world.records().any(|record| match record {
        Record::Deferred { moved, .. } => moved.iter().any(|moved| moved.rule == "min_gap"),
        _ => false,
    });
    assert!(named);
}

/// The gap ends at midnight; that the office opens at nine is not why the customer waited two days.
#[test]
fn a_wait_is_named_after_the_rule_that_chose_its_day_not_after_the_hour_at_which_it_ends() {
    let mut world = World::new(playbook());
    world.contact_made("2026-05-04");
    world.until("2026-05-06T00:00:00Z");
    assert_eq!(world.case.cursor.rule.as_deref(), Some("min_gap"));
    let reason = world.case.wake.as_ref().map(|wake| wake.reason.clone());
    assert_eq!(reason.as_deref(), Some("send first: min_gap"));
}

#[test]
fn a_handlers_word_that_waits_says_once_which_rule_holds_it() {
    let mut playbook = playbook();
    let mut over = playbook.steps[7].clone();
    "defaulted".clone_into(&mut over.id);
    "defaulted".clone_into(&mut over.path);
    over.verb = Verb::Send("defaulted".to_owned());
    playbook.steps.push(over);
    let dunning = playbook.templates["second"].clone();
    playbook.templates.insert("defaulted".to_owned(), dunning);
    playbook.handlers.push(on("plan.defaulted", vec![10], Then::Resume));
    let mut world = World::new(playbook);
    world.contact_made("2026-04-30");
    world.tell("plan.defaulted", "2026-04-30T08:00:00Z", &[]);
    world.tell("note.added", "2026-04-30T09:00:00Z", &[]);
    world.until("2026-05-05T00:00:00Z");
    let waits: Vec<_> = world
        .records()
        .filter_map(|record| match record {
            Record::Deferred { place, until, moved, beside: true } => {
                Some((place.step.as_str(), until.to_string(), moved[0].rule.as_str()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(waits, [("defaulted", "2026-05-04T07:00:00.000000Z".to_owned(), "min_gap")]);
    assert_eq!(world.sent_on("defaulted"), "2026-05-04");
}

/// A plan is over before the office opens on the day of the first reminder: two words want to leave in one turn.
#[test]
fn a_handlers_word_leaves_before_the_stages_step_and_counts_for_it_in_the_same_turn() {
    let mut playbook = playbook();
    let mut over = playbook.steps[7].clone();
    "defaulted".clone_into(&mut over.id);
    "defaulted".clone_into(&mut over.path);
    over.verb = Verb::Send("defaulted".to_owned());
    playbook.steps.push(over);
    let dunning = playbook.templates["second"].clone();
    playbook.templates.insert("defaulted".to_owned(), dunning);
    playbook.handlers.push(on("plan.defaulted", vec![10], Then::Resume));
    let mut ordered = World::new(playbook.clone());
    ordered.tell("plan.defaulted", "2026-05-04T22:00:00Z", &[]);
    assert_eq!(ordered.waiting_at("2026-05-05T07:00:00Z"), ["defaulted"], "one of them, not both at once");
    let mut world = World::new(playbook);
    world.tell("plan.defaulted", "2026-05-04T22:00:00Z", &[]);
    world.until("2026-05-20T00:00:00Z");
    assert_eq!((world.sent_on("defaulted").as_str(), world.sent_on("first").as_str()), ("2026-05-05", "2026-05-08"));
}

#[test]
fn wherever_the_random_world_leads_the_fold_equals_the_case_and_it_ends() {
    // The assertions are inside World::turn: fold equals snapshot, decide is deterministic, records never vanish.
    for seed in 0..400 {
        let mut world = World::new(playbook());
        world.play_at_random(seed);
        world.run_to_the_end();
        assert!(world.case.is_finished(), "seed {seed}: {:?} {:?}", world.case.status, world.case.cursor);
        assert!(world.case.holds.is_empty() && world.case.in_flight.is_empty(), "seed {seed}");
    }
}

#[test]
fn a_handlers_word_that_still_waits_gives_way_to_the_newer_one() {
    let mut world = World::new(playbook());
    world.until("2026-05-06T00:00:00Z");
    // Both at night: one courtesy word leaves in the morning, not two.
    world.tell("meeting.accepted", "2026-05-06T20:00:00Z", &[]);
    world.tell("meeting.accepted", "2026-05-06T21:00:00Z", &[]);
    world.until("2026-05-08T00:00:00Z");
    assert_eq!(world.sent(), ["first", "thanks"]);
}

#[test]
fn what_a_hold_kept_back_leaves_in_the_morning_not_at_midnight() {
    let mut world = World::new(playbook());
    // The hold covers day 1 and the clock stops; its end at 00:00 must not send at 00:00.
    world.tell("dispute.opened", "2026-05-05T06:00:00Z", &[]);
    world.until("2026-06-01T00:00:00Z");
    let hours: Vec<_> = world.sent_at("first").map(|at| at.to_string()).collect();
    assert_eq!(hours, ["2026-05-15T07:00:00.000000Z"]);
}

#[test]
fn a_call_is_not_opened_again_while_the_case_is_held() {
    let mut playbook = playbook();
    let every = recobro_kernel::time::Span::days(1);
    playbook.steps[2].options.attempts = Some(recobro_kernel::playbook::Repeat { times: 3, every });
    playbook.steps[2].options.within = Some(recobro_kernel::time::Span::days(30));
    let mut world = World::new(playbook);
    world.answer("call", "no_answer");
    // The call opens on 19 May after the second reminder; the dispute comes before its second try.
    world.tell("dispute.opened", "2026-05-22T12:00:00Z", &[]);
    world.until("2026-05-30T00:00:00Z");
    let tries = |world: &World| world.opened.iter().filter(|(kind, _)| kind == "call").count();
    assert_eq!(world.case.status, Status::Held);
    let held = tries(&world);
    world.until("2026-06-20T00:00:00Z");
    assert!(held < 3 && tries(&world) == 3, "{held} while held, {} after", tries(&world));
}

fn calling(every: Span) -> Playbook {
    let mut playbook = playbook();
    playbook.steps[2].options.attempts = Some(Repeat { times: 3, every });
    playbook.steps[2].options.within = Some(Span::days(30));
    playbook
}

#[test]
fn a_second_try_of_a_call_keeps_to_contact_hours_and_working_days() {
    let mut world = World::new(calling(Span::days(1)));
    world.answer("call", "no_answer");
    world.run_to_the_end();
    let opened: Vec<_> = world.opened_at("call").map(|at| at.to_string()).collect();
    assert!(opened.len() == 3, "{opened:?}");
    for at in &opened {
        assert!(at.contains("T07:00:00") || at.contains("T08:00:00"), "a call at night: {opened:?}");
    }
    let mut weekend = World::new(calling(Span::days(3)));
    weekend.answer("call", "no_answer");
    weekend.run_to_the_end();
    let days: Vec<_> = weekend.opened_on("call").collect();
    assert!(days.iter().all(|day| day.weekday().number_from_monday() < 6), "{days:?}");
}

#[test]
fn no_call_is_opened_while_there_is_nothing_to_ask_for() {
    let mut world = World::new(playbook());
    // The second reminder left on 19 May; the call would open on the 22nd.
    world.until("2026-05-20T00:00:00Z");
    world.balance(0);
    world.until("2026-07-10T00:00:00Z");
    assert_eq!(world.opened_at("call").count(), 0);
}

fn placing() -> Playbook {
    let mut playbook = playbook();
    playbook.steps[2].verb = Verb::Outsource(Arg::Const("agency-a".to_owned()));
    playbook.steps[2].options.within = Some(Span::days(20));
    playbook.handlers.push(recobro_kernel::playbook::Handler {
        event: "invoice.due_changed".to_owned(),
        when: None,
        steps: vec![],
        then: Then::Restart,
        file: "test.yaml".to_owned(),
        line: 1,
    });
    playbook
}

#[test]
fn a_placement_that_runs_out_or_a_restart_takes_the_claim_back_from_the_agency() {
    let mut world = World::new(placing());
    world.until("2026-06-20T00:00:00Z");
    assert_eq!(world.ordered("placement.recall"), 1, "`within` ended the placement");
    world.run_to_the_end();
    assert_eq!(world.ordered("placement.recall"), 1, "and nothing is taken back twice");

    let mut world = World::new(placing());
    world.until("2026-05-25T00:00:00Z");
    let to = Value::Date("2026-07-01".parse().expect("a literal"));
    world.tell("invoice.due_changed", "2026-05-25T10:00:00Z", &[("to", to)]);
    world.until("2026-05-26T00:00:00Z");
    assert_eq!(world.ordered("placement.recall"), 1, "the restart ended the placement");
}

#[test]
fn what_a_case_remembers_of_its_news_is_bounded() {
    let mut world = World::new(playbook());
    for day in 0..40 {
        for hour in 0..24 {
            world.tell(
                "customer.changed",
                &format!("2026-0{}-{:02}T{hour:02}:00:00Z", 5 + day / 28, 1 + day % 28),
                &[],
            );
        }
    }
    world.until("2026-07-01T00:00:00Z");
    assert!(world.case.seen.len() <= 256, "{}", world.case.seen.len());
    let before = world.case.seen.clone();
    world.tell_again();
    world.until("2026-07-01T00:00:01Z");
    assert_eq!(world.case.seen, before, "a duplicate among the newest has no effect");
}

/// `playbook` with a hand-over in place of the call, on its day 20.
fn handing_over(stage: Option<&str>) -> Playbook {
    let mut playbook = playbook();
    let handover = Handover { playbook: "test".to_owned(), at: stage.map(str::to_owned) };
    playbook.steps[2].verb = Verb::Handover(handover.clone());
    playbook.steps[2].day = Some(20);
    playbook.handlers.push(on("customer.changed", vec![], Then::Handover(handover)));
    playbook
}

fn on(event: &str, steps: Vec<usize>, then: Then) -> Handler {
    Handler { event: event.to_owned(), when: None, steps, then, file: "test.yaml".to_owned(), line: 1 }
}

#[test]
fn a_hand_over_to_a_stage_begins_on_its_first_day_whatever_was_held_before() {
    let mut world = World::new(handing_over(Some("firm")));
    world.tell("dispute.opened", "2026-05-05T12:00:00Z", &[]);
    world.run_to_the_end();
    assert_eq!(world.case.outcome, Some(Outcome::HandedOver));
    assert_eq!(world.linked(playbook()).clock_day(), 40, "the first day that a step of `firm` names");
}

#[test]
fn a_hand_over_without_a_stage_keeps_the_clock_day() {
    let mut world = World::new(handing_over(None));
    world.tell("dispute.opened", "2026-05-05T12:00:00Z", &[]);
    let firm = [("who", Value::text("ana")), ("why", Value::text("test")), ("stage", Value::text("firm"))];
    world.tell("operator.goto", "2026-05-18T10:00:00Z", &firm);
    world.run_to_the_end();
    assert_eq!((world.case.outcome, world.clock_day()), (Some(Outcome::HandedOver), 20));
    assert_eq!(world.linked(playbook()).clock_day(), 20);
}

#[test]
fn what_a_linked_case_inherits_points_at_no_step_of_the_old_playbook() {
    let mut world = World::new(handing_over(None));
    world.tell("dispute.opened", "2026-05-08T12:00:00Z", &[]);
    world.tell("customer.changed", "2026-05-10T12:00:00Z", &[]);
    world.until("2026-05-11T00:00:00Z");
    let mut linked = world.linked(playbook());
    let holds: Vec<_> = linked.case.holds.iter().map(|hold| (hold.name.as_str(), hold.step)).collect();
    assert_eq!(holds, [("dispute", None)]);
    linked.until("2026-05-19T00:00:00Z");
    assert!(linked.case.holds.is_empty(), "its limit still ends it");
}

#[test]
fn an_agency_that_refused_is_asked_for_nothing_back() {
    let mut world = World::new(placing());
    world.refuse("agency");
    world.until("2026-06-10T00:00:00Z");
    assert_eq!(world.case.placed_with, None);
    world.pay("2026-06-10T09:00:00Z");
    world.run_to_the_end();
    assert_eq!((world.case.outcome, world.ordered("placement.recall")), (Some(Outcome::Paid), 0));
}

#[test]
fn a_placement_that_an_operator_skips_or_leaves_ends_and_is_taken_back() {
    for act in ["skip", "goto"] {
        let mut playbook = placing();
        playbook.stages.push(Stage { name: "last".to_owned(), first: 5, ..playbook.stages[1].clone() });
        playbook.steps[5].stage = Some(2);
        playbook.steps[6].stage = Some(2);
        let mut world = World::new(playbook);
        world.until("2026-05-25T00:00:00Z");
        assert_eq!(world.case.status, Status::Held);
        let fields = [("who", Value::text("ana")), ("why", Value::text("test")), ("stage", Value::text("last"))];
        world.tell(&format!("operator.{act}"), "2026-05-25T10:00:00Z", &fields);
        world.until("2026-05-26T00:00:00Z");
        assert_eq!(world.ordered("placement.recall"), 1, "{act}");
        assert!(world.case.holds.is_empty() && world.case.placed_with.is_none(), "{act}: {:?}", world.case.holds);
        world.run_to_the_end();
        assert_eq!(world.ordered("placement.recall"), 1, "{act}: nothing is taken back twice");
    }
}

fn due_moved(world: &mut World, when: &str) {
    let to = Value::Date("2026-07-01".parse().expect("a literal"));
    world.tell("invoice.due_changed", when, &[("to", to)]);
}

#[test]
fn a_restart_leaves_friendly_words_alone_waiting_or_on_their_way() {
    // At night it waits beside the cursor; by day it is in the outbox.
    for (said, moved) in [("2026-05-11T02:00:00Z", "03:00"), ("2026-05-11T09:00:00Z", "10:00")] {
        let mut world = World::new(placing());
        world.until("2026-05-11T00:00:00Z");
        world.shut_the_post(true);
        world.tell("meeting.accepted", said, &[]);
        due_moved(&mut world, &format!("2026-05-11T{moved}:00Z"));
        world.until("2026-05-11T05:00:00Z");
        world.until("2026-05-11T11:00:00Z");
        world.shut_the_post(false);
        world.run_to_the_end();
        assert_eq!(world.sent().iter().filter(|step| **step == "thanks").count(), 1, "{said}: {:?}", world.sent());
    }
}

#[test]
fn what_a_stage_had_on_its_way_before_a_restart_is_taken_back() {
    let mut playbook = placing();
    playbook.templates.get_mut("first").expect("it has one").class = Class::Courtesy;
    let mut world = World::new(playbook);
    world.until("2026-05-05T00:00:00Z");
    world.shut_the_post(true);
    due_moved(&mut world, "2026-05-05T10:00:00Z");
    world.until("2026-05-05T11:00:00Z");
    world.shut_the_post(false);
    world.tell("customer.changed", "2026-05-05T12:00:00Z", &[]);
    world.until("2026-07-20T00:00:00Z");
    let days: Vec<_> = world.sent_at("first").map(|at| at.to_string()[..10].to_owned()).collect();
    assert_eq!(days, ["2026-07-02"], "sent once, for the new due date");
    assert_eq!(world.sent_on("second"), "2026-07-16");
}

/// `playbook` with a dunning message `copy` beside the stages, at 11, and a call in front of it, at 10.
fn talking() -> Playbook {
    let mut playbook = playbook();
    let info = playbook.templates["second"].clone();
    playbook.templates.insert("copy".to_owned(), info);
    let mut call = playbook.steps[2].clone();
    (call.path, call.stage) = ("ring".to_owned(), None);
    let mut copy = playbook.steps[0].clone();
    copy.verb = Verb::Send("copy".to_owned());
    (copy.path, copy.stage, copy.day) = ("copy".to_owned(), None, None);
    playbook.steps.extend([call, copy]);
    playbook
}

#[test]
fn what_follows_a_call_of_a_stage_counts_as_one_contact_with_it() {
    let mut playbook = talking();
    let copy = Step { stage: Some(1), next: 4, ..playbook.steps[11].clone() };
    playbook.steps[3] = copy;
    playbook.steps[2].options.outcomes.insert("reached".to_owned(), Outlet::Steps(vec![3]));
    let mut world = World::new(playbook);
    world.answer("call", "reached");
    world.until("2026-06-10T00:00:00Z");
    let called: Vec<_> = world.opened_on("call").map(|on| on.to_string()).collect();
    assert_eq!(called, [world.sent_on("copy")]);
}

#[test]
fn a_call_and_the_messages_of_one_list_count_as_one_contact() {
    // Asked for at night: the call is answered before the message may leave.
    for listed in [true, false] {
        let mut playbook = talking();
        let steps = if listed { vec![11, 10] } else { vec![10] };
        if !listed {
            playbook.steps[10].options.outcomes.insert("reached".to_owned(), Outlet::Steps(vec![11]));
        }
        playbook.handlers.push(on("customer.changed", steps, Then::Resume));
        let mut world = World::new(playbook);
        world.answer("call", "reached");
        world.tell("customer.changed", "2026-05-11T02:00:00Z", &[]);
        world.until("2026-06-10T00:00:00Z");
        assert_eq!(world.sent_on("copy"), "2026-05-11", "in one list: {listed}");
    }
}

fn law_of(kind: Kind) -> Law {
    let rule = Rule {
        id: "house/probe".to_owned(),
        kind,
        channels: [].into(),
        classes: [Class::Dunning].into(),
        before: [].into(),
        applies: [].into(),
        from: None,
        to: None,
        source: "test".to_owned(),
        confidence: Confidence::House,
        exceptions: true,
    };
    let (name, jurisdictions) = ("house".to_owned(), vec!["ES".to_owned()]);
    let policy = Policy { name, jurisdictions, rules: vec![rule], ..Policy::default() };
    Law { policies: [("house".to_owned(), Arc::new(policy))].into(), ..Law::default() }
}

fn days(count: i64) -> Span {
    Span::days(count)
}

#[test]
fn a_wait_that_a_rule_named_is_worked_out_again_when_the_rule_is_lifted() {
    let one_in_twenty_days = || {
        let (most, per) = (1, days(20));
        law_of(Kind::Frequency { most, per, of: Of::Customer, counts: Counts::Attempts, each: false })
    };
    let mut worlds = [true, false].map(|lifted| {
        let mut world = World::new(playbook());
        world.under(one_in_twenty_days());
        world.until("2026-05-20T00:00:00Z");
        assert_eq!(world.sent(), ["first"], "the second one waits for the oldest to leave the window");
        assert!(world.case.is_deferred());
        if lifted {
            world.lift("house/probe");
        }
        world.tell("exception.begun", "2026-05-20T08:00:00Z", &[("exception", Value::text("EX-1"))]);
        world.until("2026-05-21T00:00:00Z");
        world
    });
    assert_eq!(worlds[0].sent_on("second"), "2026-05-20", "it has its own day again");
    assert_eq!(worlds[1].sent(), ["first"], "without the fact the news alone lifts nothing");
    worlds[1].until("2026-05-26T00:00:00Z");
    assert_eq!(worlds[1].sent_on("second"), "2026-05-25", "twenty days after the first one");
}

fn deadline(awaits: Awaited, within: i64, after: Begins, alert: i64) -> Kind {
    let within = Term::Span(days(within));
    Kind::Deadline(Box::new(Deadline { awaits, within, after, alert: days(alert) }))
}

fn told(world: &World) -> Vec<String> {
    let events = world.records().filter_map(|record| match record {
        Record::Event { event, .. } => event.name.strip_prefix("deadline.").map(|name| {
            let until = event.field("until").as_date().unwrap();
            format!("{name} {} {until}", event.at.to_utc().date_naive())
        }),
        _ => None,
    });
    events.collect()
}

#[test]
fn people_hear_of_a_deadline_before_it_passes_and_when_it_was_missed_once_each() {
    let mut world = World::new(playbook());
    // Forty days from the issue, 4 April: 14 May is the last one.
    world.under(law_of(deadline(Awaited::Notice("never_given".to_owned()), 40, Begins::Issue, 7)));
    world.run_to_the_end();
    // The days begin in Madrid at 22:00 of the evening before.
    assert_eq!(told(&world), ["near 2026-05-06 2026-05-14", "missed 2026-05-14 2026-05-14"]);
    assert_eq!(world.opened.iter().filter(|(kind, _)| kind == "fix").count(), 1, "work while there is time");
    assert_eq!(world.ordered("a deadline was missed"), 1);
    assert_eq!(world.case.outcome, Some(Outcome::Uncollected), "it holds nothing back");
}

#[test]
fn a_deadline_that_was_met_says_nothing() {
    let mut playbook = playbook();
    playbook.templates.get_mut("first").unwrap().notice = vec!["told".to_owned()];
    let mut world = World::new(playbook);
    world.under(law_of(deadline(Awaited::Notice("told".to_owned()), 40, Begins::Issue, 7)));
    world.run_to_the_end();
    assert_eq!(told(&world), [""; 0]);
}

#[test]
fn a_deadline_from_the_first_contact_begins_with_it() {
    let mut world = World::new(playbook());
    world.under(law_of(deadline(Awaited::Notice("validation".to_owned()), 5, Begins::FirstContact, 2)));
    world.until("2026-05-05T06:00:00Z");
    assert_eq!(told(&world), [""; 0]);
    // The first reminder leaves on 5 May; 10 May is the last day.
    world.until("2026-05-12T00:00:00Z");
    assert_eq!(told(&world), ["near 2026-05-07 2026-05-10", "missed 2026-05-10 2026-05-10"]);
}

#[test]
fn a_paused_case_still_hears_of_its_deadlines() {
    let mut world = World::new(playbook());
    world.under(law_of(deadline(Awaited::Notice("never_given".to_owned()), 40, Begins::Issue, 7)));
    world.until("2026-05-05T00:00:00Z");
    world.operator("pause", "2026-05-05T00:00:00Z");
    world.until("2026-05-05T12:00:00Z");
    assert_eq!(world.case.status, Status::Paused);
    assert_eq!(world.case.wake.as_ref().map(|wake| wake.at), Some(at("2026-05-06T22:00:00Z")));
    world.waiting_at("2026-05-06T22:00:00Z");
    assert_eq!(told(&world), ["near 2026-05-06 2026-05-14"]);
    assert_eq!(world.case.status, Status::Paused);
}

/// A handler says what else is done; it does not switch the protection of a person off.
#[test]
fn a_handler_that_holds_nothing_leaves_the_built_in_review_of_death_and_cease() {
    for (event, review) in [("customer.deceased", "deceased"), ("contact.cease_requested", "cease")] {
        let mut playbook = playbook();
        playbook.handlers.push(on(event, vec![], Then::Resume));
        let mut world = World::new(playbook);
        world.tell(event, "2026-05-05T12:00:00Z", &[]);
        world.until("2026-06-20T00:00:00Z");
        let holds: Vec<_> = world.case.holds.iter().map(|hold| hold.name.as_str()).collect();
        assert_eq!(holds, [review]);
        assert_eq!(world.ordered("second"), 0, "nothing leaves while nobody has decided");
    }
}
