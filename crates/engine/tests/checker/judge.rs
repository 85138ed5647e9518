//! The slow checker: given what happened as plain facts, says of each contact which rule forbade it. It compares every
//! contact with every other one, and shares no code with the guard.

use super::dates::{At, is_holiday, is_working_day, plus, wall, working_days_after};
use super::law::{Days, HOUSE, LINES, Line, Of, Rule};
use chrono::{Datelike, NaiveDate, Timelike};
use chrono_tz::Tz;
use std::collections::BTreeSet;

/// Who owes.
#[derive(Clone, Debug)]
pub(crate) struct Customer {
    pub(crate) id: String,
    pub(crate) country: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) zone: Tz,
    pub(crate) vulnerable: bool,
    /// By which they have an address.
    pub(crate) channels: Vec<String>,
}

/// What is owed.
#[derive(Clone, Debug)]
pub(crate) struct Debt {
    pub(crate) id: String,
    pub(crate) customer: String,
    pub(crate) product: &'static str,
    pub(crate) residence: &'static str,
    pub(crate) amount: i64,
    pub(crate) book: usize,
}

/// What a playbook binds itself to: hours in minutes, caps as (so many, in days, by channel), days between
/// contacts.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    pub(crate) hours: (u32, u32),
    pub(crate) caps: Vec<(usize, i64, Option<&'static str>)>,
    pub(crate) gap: Option<i64>,
    pub(crate) house: bool,
    /// Days of a bundle's window.
    pub(crate) window: Option<i64>,
}

/// What kind of contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A message left the house.
    Message,
    /// A person dialled; true where somebody was talked to. People are not the guard's to stop: it counts.
    Called(bool),
    /// A person was asked to dial: judged, and counts for nothing.
    AskedToCall,
    /// A person was shown the number: judged, and counts as a call; true where somebody was talked to.
    Opened(bool),
}

/// A contact as it was seen from outside.
#[derive(Clone, Debug)]
pub(crate) struct Contact {
    pub(crate) at: At,
    /// Order in which they were seen, for equal instants.
    pub(crate) seq: usize,
    pub(crate) what: What,
    pub(crate) channel: String,
    pub(crate) class: &'static str,
    pub(crate) customer: String,
    /// The debts it was about; the first one spoke.
    pub(crate) debts: Vec<String>,
    /// Role of the address.
    pub(crate) role: String,
    pub(crate) step: String,
    /// Contacts of one handler's run share it.
    pub(crate) run: String,
}

/// What became known, and when.
#[derive(Clone, Debug)]
pub(crate) enum News {
    Paid {
        debt: String,
        minor: i64,
    },
    Disputed {
        debt: String,
        minor: Option<i64>,
    },
    Agreed {
        debt: String,
    },
    Promised {
        debt: String,
        date: NaiveDate,
    },
    Held {
        customer: String,
        until: NaiveDate,
    },
    /// Death, or the wish to hear nothing more.
    Silenced {
        customer: String,
    },
    Represented {
        customer: String,
    },
    OptedOut {
        customer: String,
        channel: String,
    },
    AskedFor {
        customer: String,
        channel: String,
    },
    /// Times of the week at which the customer wants nothing: days (Monday is 0), from and to in minutes.
    Inconvenient {
        customer: String,
        days: &'static [u32],
        from: u32,
        to: u32,
    },
    /// Two people lifted a rule, up to and with a date.
    Lifted {
        customer: String,
        line: &'static str,
        until: NaiveDate,
    },
    /// Somebody ended it before its time.
    Unlifted {
        customer: String,
        line: &'static str,
    },
    Approved {
        debt: String,
    },
    /// A letter that carries a notice was posted, or was proven to have arrived.
    Noticed {
        debt: String,
        kind: &'static str,
        proven: bool,
    },
}

/// An act that hurts: court, agency, cut.
#[derive(Clone, Debug)]
pub(crate) struct Act {
    pub(crate) at: At,
    pub(crate) what: String,
    pub(crate) debt: String,
}

/// All of it.
#[derive(Default)]
pub(crate) struct Facts {
    pub(crate) customers: Vec<Customer>,
    pub(crate) debts: Vec<Debt>,
    pub(crate) own: Vec<Own>,
    pub(crate) contacts: Vec<Contact>,
    /// What nobody saw leave and the ledger counts, because it may have, or counted until it was refused: what waits,
    /// waits for these too.
    pub(crate) doubts: Vec<Contact>,
    /// Numbers that people asked for and were not shown, with the rule.
    pub(crate) kept: Vec<(Contact, String)>,
    pub(crate) acts: Vec<Act>,
    pub(crate) news: Vec<(At, News)>,
}

/// A contact that must not have been, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Complaint {
    pub(crate) rule: &'static str,
    pub(crate) customer: String,
    pub(crate) at: At,
    pub(crate) text: String,
}

fn is_exempt(class: &str) -> bool {
    matches!(class, "courtesy" | "transactional")
}

/// What a step of a stage says by itself; the rest is an answer to news.
fn is_of_a_stage(step: &str) -> bool {
    !step.starts_with("whenever/")
}

impl Facts {
    /// Everything that must not have been.
    pub(crate) fn complaints(&self) -> Vec<Complaint> {
        let judged = self.contacts.iter().filter(|one| match one.what {
            What::Message | What::Opened(_) => true,
            What::AskedToCall => is_of_a_stage(&one.step),
            What::Called(_) => false,
        });
        let mut all: Vec<Complaint> = judged.flat_map(|one| self.against(one)).collect();
        all.extend(self.acts.iter().flat_map(|act| self.against_act(act)));
        all.extend(self.kept_for_nothing());
        all
    }

    /// Numbers that were not shown though nothing stood against it. A hold of a playbook is not the checker's to know,
    /// nor whether a number is known.
    fn kept_for_nothing(&self) -> Vec<Complaint> {
        let own = |rule: &str| rule.starts_with("held by") || rule == "paused" || rule.starts_with("no open number");
        let free = |(one, rule): &&(Contact, String)| !own(rule) && self.against(one).is_empty();
        let told = |(one, rule): &(Contact, String)| Complaint {
            rule: "kept for nothing",
            customer: one.customer.clone(),
            at: one.at,
            text: tell(one, self.customer(&one.customer), "kept for nothing", rule),
        };
        self.kept.iter().filter(free).map(told).collect()
    }

    /// Whether two people lifted a rule for the customer, and it was not ended.
    fn is_lifted(&self, name: &str, one: &Contact) -> bool {
        let today = self.day_of(one);
        let mut lifted = false;
        for news in self.known(one.at) {
            match news {
                News::Lifted { customer, line, until } if *customer == one.customer && *line == name => {
                    lifted = today <= *until;
                }
                News::Unlifted { customer, line } if *customer == one.customer && *line == name => lifted = false,
                _ => {}
            }
        }
        lifted
    }

    pub(crate) fn customer(&self, id: &str) -> &Customer {
        self.customers.iter().find(|one| one.id == id).expect("a customer of this world")
    }

    pub(crate) fn debt(&self, id: &str) -> &Debt {
        self.debts.iter().find(|one| one.id == id).expect("a debt of this world")
    }

    /// What forbids one contact.
    pub(crate) fn against(&self, one: &Contact) -> Vec<Complaint> {
        let customer = self.customer(&one.customer);
        let mut found = Vec::new();
        let mut lines: Vec<&Line> = LINES.iter().collect();
        if one.debts.iter().any(|debt| self.own[self.debt(debt).book].house) {
            lines.extend(HOUSE);
        }
        let is_about = |line: &&&Line| line.is_about(customer.country, customer.kind, &one.channel);
        for line in lines.iter().filter(is_about) {
            if let Some(why) = self.breaks(line, one, customer).filter(|_| !self.is_lifted(line.name, one)) {
                found.push((line.name, why));
            }
        }
        self.against_own(one, customer, &mut found);
        self.against_person(one, &mut found);
        for debt in &one.debts {
            if !is_exempt(one.class) || is_of_a_stage(&one.step) {
                self.against_debt(debt, one.at, customer, &mut found);
            }
        }
        let told = |(rule, why): (&'static str, String)| Complaint {
            rule,
            customer: customer.id.clone(),
            at: one.at,
            text: tell(one, customer, rule, &why),
        };
        found.into_iter().map(told).collect()
    }

    /// Contacts that were made before this one, at the same customer.
    fn before<'a>(&'a self, one: &'a Contact) -> impl Iterator<Item = &'a Contact> {
        let doubts = if one.seq == usize::MAX { &self.doubts[..] } else { &[] };
        self.contacts.iter().chain(doubts).filter(|other| {
            other.what != What::AskedToCall
                && other.customer == one.customer
                && (other.at, other.seq) < (one.at, one.seq)
        })
    }

    fn breaks(&self, line: &Line, one: &Contact, customer: &Customer) -> Option<String> {
        let now = wall(one.at, customer.zone);
        match line.rule {
            Rule::Hours(open) => {
                let minute = now.hour() * 60 + now.minute();
                let is_open = open.iter().any(|(days, from, to)| {
                    opens(*days, customer.country, now.date()) && (*from..*to).contains(&minute)
                });
                (!is_open).then(|| format!("at {}", now.format("%a %H:%M:%S")))
            }
            // Whether a customer wants to be called is asked when the number is opened, not when the work is.
            Rule::AskedFor if one.what == What::AskedToCall => None,
            Rule::AskedFor => {
                let asked = self.known(one.at).any(|news| {
                    matches!(news, News::AskedFor { customer, channel }
                        if *customer == one.customer && *channel == one.channel)
                });
                (!asked).then(|| "never asked for".to_owned())
            }
            Rule::Most { most, days, of, each } => {
                if is_exempt(one.class) {
                    return None;
                }
                let since = plus(now.date(), 1 - days);
                let inside = self.counted(line, one, of).filter(|other| self.day_of(other) >= since);
                let count = if each {
                    inside.count()
                } else {
                    let others = inside.filter(|other| !is_one_run(one, other));
                    others.map(|other| (other.run.clone(), self.day_of(other))).collect::<BTreeSet<_>>().len()
                };
                (count >= most).then(|| format!("{count} since {since}, no more than {most} in {days} days"))
            }
            Rule::Apart { days, of, after_talks, other_channel } => {
                if is_exempt(one.class) {
                    return None;
                }
                let counted = self.counted(line, one, of);
                let talks = counted
                    .filter(|other| !after_talks || matches!(other.what, What::Called(true) | What::Opened(true)));
                let others = talks.filter(|other| !other_channel || other.channel != one.channel);
                let last = others.filter(|other| !is_one_run(one, other)).map(|other| self.day_of(other)).max()?;
                (now.date() < plus(last, days)).then(|| format!("the last was on {last}, {days} days apart"))
            }
        }
    }

    /// What a counting rule counts before a contact.
    fn counted<'a>(&'a self, line: &'a Line, one: &'a Contact, of: Of) -> impl Iterator<Item = &'a Contact> {
        self.before(one).filter(move |other| {
            // Of two at the same instant the one that the house does not bind may be the second.
            let binds = || other.debts.iter().any(|debt| self.own[self.debt(debt).book].house);
            !is_exempt(other.class)
                && (other.at < one.at || one.seq == usize::MAX || !line.is_of_the_house() || binds())
                && line.channels.contains(&other.channel.as_str())
                && (of == Of::Customer || other.debts.iter().any(|debt| one.debts.contains(debt)))
        })
    }

    fn day_of(&self, one: &Contact) -> NaiveDate {
        wall(one.at, self.customer(&one.customer).zone).date()
    }

    /// What the playbooks of its debts bind themselves to; of a call that takes others along, the one whose task it is.
    fn against_own(&self, one: &Contact, customer: &Customer, found: &mut Vec<(&'static str, String)>) {
        let now = wall(one.at, customer.zone);
        let speaking = if matches!(one.what, What::Opened(_)) { &one.debts[..1] } else { &one.debts[..] };
        let books: BTreeSet<usize> = speaking.iter().map(|debt| self.debt(debt).book).collect();
        for own in books.iter().map(|book| &self.own[*book]) {
            let minute = now.hour() * 60 + now.minute();
            if !(own.hours.0..own.hours.1).contains(&minute) || !is_working_day(customer.country, now.date()) {
                found.push(("playbook hours", format!("at {}", now.format("%a %H:%M:%S"))));
            }
            if is_exempt(one.class) {
                continue;
            }
            // Of two at the same instant the one that nothing binds may be the second; a number that stayed closed may have
            // been asked for after the other.
            let binds = |other: &&Contact| {
                other.at < one.at
                    || one.seq == usize::MAX
                    || other.debts.iter().any(|debt| books.contains(&self.debt(debt).book))
            };
            let others = || self.before(one).filter(|other| !is_exempt(other.class)).filter(binds);
            let apart = own.gap.and_then(|gap| {
                let last = others().filter(|other| !is_one_call(one, other)).map(|other| self.day_of(other)).max()?;
                (now.date() < plus(last, gap)).then(|| format!("the last was on {last}, {gap} days apart"))
            });
            found.extend(apart.map(|why| ("playbook gap", why)));
            for (most, days, channel) in &own.caps {
                let since = plus(now.date(), 1 - days);
                let inside = others()
                    .filter(|other| !is_one_run(one, other))
                    .filter(|other| channel.is_none_or(|by| other.channel == by) && self.day_of(other) >= since);
                // One run counts as one where it is held against a contact; what waits for room waits for each.
                let each = one.seq == usize::MAX;
                let name = |other: &Contact| if each { other.seq.to_string() } else { other.run.clone() };
                let count = inside.map(name).collect::<BTreeSet<_>>().len();
                if count >= *most && channel.is_none_or(|by| one.channel == by) {
                    found.push(("playbook cap", format!("{count} since {since}, no more than {most} in {days} days")));
                }
            }
        }
    }

    /// Whether the person wants it, and whether it went to the right one.
    fn against_person(&self, one: &Contact, found: &mut Vec<(&'static str, String)>) {
        for news in self.known(one.at) {
            match news {
                // The wish closes the customer's own addresses; their attorney's is another one.
                News::OptedOut { customer, channel }
                    if *customer == one.customer && *channel == one.channel && one.role != "attorney" =>
                {
                    found.push(("opted out", format!("nothing more by {channel}")));
                }
                News::Represented { customer } if *customer == one.customer && one.role != "attorney" => {
                    found.push(("only the attorney", format!("it went to the role {}", one.role)));
                }
                // 3.6: nor at any time known to be inconvenient.
                News::Inconvenient { customer, days, from, to } if *customer == one.customer => {
                    let now = wall(one.at, self.customer(customer).zone);
                    let minute = now.hour() * 60 + now.minute();
                    if days.contains(&now.weekday().num_days_from_monday()) && (*from..*to).contains(&minute) {
                        found.push(("inconvenient", format!("at {}", now.format("%a %H:%M:%S"))));
                    }
                }
                _ => {}
            }
        }
    }

    /// Whether a debt may be asked for at all.
    fn against_debt(&self, id: &str, at: At, customer: &Customer, found: &mut Vec<(&'static str, String)>) {
        let debt = self.debt(id);
        let today = wall(at, customer.zone).date();
        let (mut owed, mut disputed, mut promised, mut held) = (debt.amount, 0, None, None);
        for news in self.known(at) {
            match news {
                News::Paid { debt, minor } if debt == id => owed -= minor,
                News::Disputed { debt, minor } if debt == id => disputed = minor.unwrap_or(i64::MAX / 4),
                News::Agreed { debt } if debt == id => disputed = 0,
                News::Promised { debt, date } if debt == id => promised = Some(*date),
                News::Held { customer: who, until } if *who == customer.id => held = held.max(Some(*until)),
                News::Silenced { customer: who } if *who == customer.id => {
                    found.push(("silenced", "death or a wish to hear nothing more".to_owned()));
                }
                News::Represented { customer: who } if *who == customer.id => {
                    found.push(("represented", "an attorney was named, people go on".to_owned()));
                }
                _ => {}
            }
        }
        if owed <= 0 {
            found.push(("paid", format!("{id} is paid")));
        } else if owed - disputed <= 0 {
            found.push(("disputed", format!("all of {id} is disputed")));
        }
        // A promise gives its date and two working days of grace.
        if let Some(date) = promised.filter(|date| today <= working_days_after(customer.country, *date, 2)) {
            found.push(("promised", format!("{id} is promised for {date}")));
        }
        if let Some(until) = held.filter(|until| today <= *until) {
            found.push(("held", format!("people hold {id} until {until}")));
        }
    }

    /// What was known at an instant.
    fn known(&self, at: At) -> impl Iterator<Item = &News> {
        self.news.iter().filter(move |(known, _)| *known <= at).map(|(_, news)| news)
    }

    /// What forbids an act that hurts.
    fn against_act(&self, act: &Act) -> Vec<Complaint> {
        let debt = self.debt(&act.debt);
        let customer = self.customer(&debt.customer);
        let today = wall(act.at, customer.zone).date();
        let mut found = Vec::new();
        self.against_debt(&debt.id, act.at, customer, &mut found);
        let (country, person) = (customer.country, customer.kind == "person");
        let union = ["ES", "FR", "DE", "IT", "PT", "GB"].contains(&country);
        let cut = act.what == "supply.cut";
        let energy = person && ["electricity", "gas"].contains(&debt.product);
        let decides =
            if cut { energy && ["FR", "ES"].contains(&country) } else { person || union || self.own[debt.book].house };
        // 3.8: what hurts needs a human decision on record.
        let approved = self.known(act.at).any(|news| matches!(news, News::Approved { debt } if *debt == act.debt));
        if decides && !approved {
            found.push(("human decision", "nobody approved it".to_owned()));
        }
        if act.what == "escalate" && country == "ES" {
            // 3.2: the month of negotiation has run since the proven day.
            self.wants_notice(act, ("masc_invitation", true), &|given| months(given, 1) < today, &mut found);
        }
        if cut && energy && country == "FR" {
            // 3.5: 1 November to 31 March, main residence.
            let (month, truce) = (today.month(), debt.residence != "second");
            if truce && (month >= 11 || month <= 3) {
                found.push(("FR truce", format!("cut on {today}")));
            }
        }
        if cut && energy && country == "ES" {
            // 3.5: two months from the provable demand, four for vulnerable customers; a written notice before.
            let wait = if customer.vulnerable { 4 } else { 2 };
            self.wants_notice(act, ("provable_demand", true), &|given| months(given, wait) < today, &mut found);
            self.wants_notice(act, ("non_payment", false), &|_| true, &mut found);
            if !is_working_day(country, today) || !is_working_day(country, plus(today, 1)) {
                found.push(("ES eves", format!("cut on {today}")));
            }
        }
        let told = |(rule, why): (&'static str, String)| Complaint {
            rule,
            customer: customer.id.clone(),
            at: act.at,
            text: format!("[{rule}] {} {} of {} on {today}: {why}", customer.id, act.what, act.debt),
        };
        found.into_iter().map(told).collect()
    }

    fn wants_notice(
        &self,
        act: &Act,
        (wanted, proof): (&'static str, bool),
        has_run: &dyn Fn(NaiveDate) -> bool,
        found: &mut Vec<(&'static str, String)>,
    ) {
        let zone = self.customer(&self.debt(&act.debt).customer).zone;
        let given = self.news.iter().filter(|(at, _)| *at <= act.at).filter_map(|(at, news)| match news {
            News::Noticed { debt, kind, proven } if *debt == act.debt && *kind == wanted && *proven == proof => {
                Some(wall(*at, zone).date())
            }
            _ => None,
        });
        let given: Vec<NaiveDate> = given.collect();
        if !given.iter().any(|on| has_run(*on)) {
            found.push((wanted, format!("given on {given:?}")));
        }
    }
}

/// The tries of one call keep their own distance, whichever debts it takes along.
fn is_one_call(one: &Contact, other: &Contact) -> bool {
    let same_step = one.step == other.step && one.debts[0] == other.debts[0];
    let asks = matches!(one.what, What::AskedToCall | What::Opened(_));
    one.run == other.run || (asks && other.channel == "call" && same_step)
}

/// Contacts of one run do not count against each other; but each time a number is shown is one more, whatever its run has
/// said before.
fn is_one_run(one: &Contact, other: &Contact) -> bool {
    one.run == other.run && !matches!(one.what, What::Opened(_))
}

fn opens(days: Days, country: &str, on: NaiveDate) -> bool {
    match days {
        Days::Every => true,
        Days::Working => is_working_day(country, on),
        Days::Week(list) => list.contains(&on.weekday().num_days_from_monday()) && !is_holiday(country, on),
    }
}

fn months(on: NaiveDate, count: u32) -> NaiveDate {
    on.checked_add_months(chrono::Months::new(count)).expect("a date in range")
}

fn tell(one: &Contact, customer: &Customer, rule: &str, why: &str) -> String {
    let local = wall(one.at, customer.zone).format("%Y-%m-%d %H:%M");
    format!(
        "[{rule}] {} ({} {}) {:?} {} {} `{}` about {:?} at {local}: {why}",
        customer.id, customer.kind, customer.country, one.what, one.channel, one.class, one.step, one.debts
    )
}

impl Facts {
    /// A complaint with what happened to the customer in the days around it.
    pub(crate) fn report(&self, complaint: &Complaint) -> String {
        let customer = self.customer(&complaint.customer);
        let near = |at: At| (at - complaint.at).num_days().abs() <= 8 && at <= complaint.at + chrono::Duration::days(1);
        let mut lines: Vec<(At, String)> = Vec::new();
        for one in self.contacts.iter().filter(|one| one.customer == customer.id && near(one.at)) {
            let text = format!(
                "#{} {:?} {} {} `{}` {:?} run {}",
                one.seq,
                one.what,
                one.channel,
                one.class,
                one.step,
                one.debts,
                &one.run[..one.run.len().min(8)]
            );
            lines.push((one.at, text));
        }
        let mine = |text: &String| {
            text.contains(&format!("\"{}\"", customer.id)) || text.contains(&format!("\"{}-", customer.id))
        };
        let news = self.news.iter().filter(|(at, _)| near(*at)).map(|(at, news)| (*at, format!("{news:?}")));
        lines.extend(news.filter(|(_, text)| mine(text)));
        lines.sort();
        let own: Vec<String> = self
            .debts
            .iter()
            .filter(|debt| debt.customer == customer.id)
            .map(|debt| format!("{} {:?}", debt.id, self.own[debt.book]))
            .collect();
        let lines: Vec<String> = lines
            .into_iter()
            .map(|(at, text)| format!("      {} {text}", wall(at, customer.zone).format("%a %Y-%m-%d %H:%M:%S")))
            .collect();
        format!("{}\n      {}\n{}", complaint.text, own.join("\n      "), lines.join("\n"))
    }

    /// As if everybody had asked for every channel before anything began.
    pub(crate) fn everybody_asked_for_everything(&mut self) {
        let channels = ["email", "sms", "whatsapp", "voice", "call"];
        let asked = self.customers.iter().flat_map(|customer| {
            channels
                .iter()
                .map(|channel| News::AskedFor { customer: customer.id.clone(), channel: (*channel).to_owned() })
        });
        let asked: Vec<_> = asked.map(|news| (At::UNIX_EPOCH, news)).collect();
        self.news.splice(0..0, asked);
    }
}
