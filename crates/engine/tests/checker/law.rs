//! What the law and the house allow, typed by hand from the project's notes on the law (domain, section 3). Nothing here
//! is read from the policies that ship: a wrong figure there disagrees with this table.

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Of {
    /// All contacts of the customer.
    Customer,
    /// Those about one debt.
    Debt,
}

/// On which days a window is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Days {
    /// Working days of the place.
    Working,
    /// Every day, holidays too.
    Every,
    /// These days of the week (Monday is 0), no holidays.
    Week(&'static [u32]),
}

/// One rule on contacts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    /// Only while one of these is open: days, from and to in minutes of the local day.
    Hours(&'static [(Days, u32, u32)]),
    /// No more than so many in so many days, today included; `each` message counts, else each run of a handler.
    Most { most: usize, days: i64, of: Of, each: bool },
    /// So many days apart, the day of the contact being the first.
    Apart { days: i64, of: Of, after_talks: bool, other_channel: bool },
    /// Only by channels that the customer asked for.
    AskedFor,
}

/// A rule with the channels and people that it is about.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) countries: &'static [&'static str],
    /// Empty: everybody.
    pub(crate) kinds: &'static [&'static str],
    pub(crate) channels: &'static [&'static str],
    pub(crate) rule: Rule,
}

const EU: &[&str] = &["ES", "FR", "DE", "IT", "PT"];
const PERSON: &[&str] = &["person"];
const ALL: &[&str] = &[];
/// What machines send and can be timed; a letter is posted when it is posted.
const MESSAGES: &[&str] = &["email", "sms", "whatsapp", "voice"];
const SPOKEN: &[&str] = &["call", "voice"];
const NOT_POSTED: &[&str] = &["call", "voice", "sms", "whatsapp", "email"];
const WRITTEN: &[&str] = &["email", "letter", "sms", "whatsapp"];

const fn oclock(hour: u32) -> u32 {
    hour * 60
}

/// Working days from eight to eight: the house's rule where the law has none.
const DAY: Rule = Rule::Hours(&[(Days::Working, oclock(8), oclock(20))]);
/// One message per debtor per day (section 2: "one message per debtor per day").
const ONE_A_DAY: Rule = Rule::Most { most: 1, days: 1, of: Of::Customer, each: false };

/// The table. The law of the place binds whatever a playbook says.
pub(crate) const LINES: &[Line] = &[
    // 3.1-3.4 have no hours: the house keeps eight to eight and one message a day in the Union.
    line("EU hours", EU, ALL, MESSAGES, DAY),
    line("EU one a day", EU, ALL, MESSAGES, ONE_A_DAY),
    // First-party creditors follow 7-in-7 as policy (3.6, last line).
    line("EU seven calls", EU, PERSON, SPOKEN, Rule::Most { most: 7, days: 7, of: Of::Debt, each: false }),
    line(
        "EU after a talk",
        EU,
        PERSON,
        SPOKEN,
        Rule::Apart { days: 7, of: Of::Debt, after_talks: true, other_channel: false },
    ),
    // Recorded calls tell whoever answers.
    line("IT recorded calls", &["IT"], PERSON, &["voice"], Rule::AskedFor),
    // United Kingdom: reasonable times; calls count among the messages of the day.
    line("UK hours", &["GB"], ALL, NOT_POSTED, DAY),
    line("UK one a day", &["GB"], PERSON, NOT_POSTED, ONE_A_DAY),
    // 3.6: not before 8:00 or after 21:00 where the consumer is, on any day of the week.
    line("US hours", &["US"], PERSON, NOT_POSTED, Rule::Hours(&[(Days::Every, oclock(8), oclock(21))])),
    // 3.6: no more than 7 calls in 7 consecutive days about a debt.
    line("US seven calls", &["US"], PERSON, SPOKEN, Rule::Most { most: 7, days: 7, of: Of::Debt, each: true }),
    // 3.6: nor within 7 days after a conversation about it; its day is day 1.
    line(
        "US after a talk",
        &["US"],
        PERSON,
        SPOKEN,
        Rule::Apart { days: 7, of: Of::Debt, after_talks: true, other_channel: false },
    ),
    // 3.7 Chile: not on holidays nor outside 8:00-20:00. Sundays are holidays there (Ley 2.977).
    line(
        "CL hours",
        &["CL"],
        PERSON,
        NOT_POSTED,
        Rule::Hours(&[(Days::Week(&[0, 1, 2, 3, 4, 5]), oclock(8), oclock(20))]),
    ),
    // 3.7 Chile: no more than one call a week.
    line("CL one call", &["CL"], PERSON, SPOKEN, Rule::Most { most: 1, days: 7, of: Of::Customer, each: true }),
    // 3.7 Chile: other means at most two a week ...
    line("CL two messages", &["CL"], PERSON, WRITTEN, Rule::Most { most: 2, days: 7, of: Of::Customer, each: true }),
    // ... at least two days apart.
    line(
        "CL two days apart",
        &["CL"],
        PERSON,
        WRITTEN,
        Rule::Apart { days: 2, of: Of::Customer, after_talks: false, other_channel: false },
    ),
    // 3.7 Colombia: Monday-Friday 7:00-19:00, Saturday 8:00-15:00, never on Sundays or holidays.
    line(
        "CO hours",
        &["CO"],
        PERSON,
        NOT_POSTED,
        Rule::Hours(&[
            (Days::Week(&[0, 1, 2, 3, 4]), oclock(7), oclock(19)),
            (Days::Week(&[5]), oclock(8), oclock(15)),
        ]),
    ),
    // 3.7 Colombia: only channels the debtor authorised.
    line("CO channels", &["CO"], PERSON, NOT_POSTED, Rule::AskedFor),
    // 3.7 Colombia: not more than once a day ...
    line("CO once a day", &["CO"], PERSON, NOT_POSTED, Rule::Most { most: 1, days: 1, of: Of::Customer, each: true }),
    // ... nor a second channel in the same week after a direct contact; by the house's stricter reading any message is one.
    line(
        "CO one channel",
        &["CO"],
        PERSON,
        NOT_POSTED,
        Rule::Apart { days: 7, of: Of::Customer, after_talks: false, other_channel: true },
    ),
];

/// What a playbook that names the house's policy binds itself to, anywhere.
pub(crate) const HOUSE: &[Line] =
    &[line("house hours", ALL, ALL, MESSAGES, DAY), line("house one a day", ALL, ALL, MESSAGES, ONE_A_DAY)];

const fn line(
    name: &'static str,
    countries: &'static [&'static str],
    kinds: &'static [&'static str],
    channels: &'static [&'static str],
    rule: Rule,
) -> Line {
    Line { name, countries, kinds, channels, rule }
}

impl Line {
    /// Whether it binds only playbooks that name it.
    pub(crate) fn is_of_the_house(&self) -> bool {
        HOUSE.iter().any(|line| line.name == self.name)
    }

    /// Whether it speaks of a customer and a channel.
    pub(crate) fn is_about(&self, country: &str, kind: &str, channel: &str) -> bool {
        (self.countries.is_empty() || self.countries.contains(&country))
            && (self.kinds.is_empty() || self.kinds.contains(&kind))
            && self.channels.contains(&channel)
    }
}
