//! The sample portfolio: customers, invoices, and what will become of each. Made from one seed, the same on any machine.

use super::random::Random;
use super::segments::{Home, SEGMENTS, Segment};
use chrono::{Days, NaiveDate};

/// First day of the year that is played.
pub(crate) fn first_day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2025, 7, 1).expect("a date of the calendar")
}

/// Day after the last one.
pub(crate) fn last_day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 7, 1).expect("a date of the calendar")
}

/// A customer.
#[derive(Clone, Debug)]
pub(crate) struct Customer {
    /// Number.
    pub(crate) id: String,
    /// Invented name.
    pub(crate) name: String,
    /// Segment.
    pub(crate) segment: &'static Segment,
    /// Where.
    pub(crate) home: Home,
    /// `low`, `medium` or `high`.
    pub(crate) risk: &'static str,
    /// Person in charge, of some.
    pub(crate) manager: Option<&'static str>,
    /// Under protection.
    pub(crate) vulnerable: bool,
    /// E-mail address; one that bounces has a host that says so.
    pub(crate) email: Option<String>,
    /// Mobile number.
    pub(crate) mobile: Option<String>,
    /// Answers on `WhatsApp`.
    pub(crate) whatsapp: bool,
    /// Postal address.
    pub(crate) address: String,
}

/// A payment to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paid {
    /// Day.
    pub(crate) on: NaiveDate,
    /// Amount, minor units.
    pub(crate) minor: i64,
}

/// A promise made by the customer without being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Promised {
    /// Day it is made.
    pub(crate) made_on: NaiveDate,
    /// Day promised.
    pub(crate) date: NaiveDate,
    /// Amount, minor units.
    pub(crate) minor: i64,
}

/// A dispute to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Disputed {
    /// Day it opens.
    pub(crate) opened_on: NaiveDate,
    /// Day it closes.
    pub(crate) closed_on: NaiveDate,
    /// Amount, minor units.
    pub(crate) minor: i64,
    /// Reason code.
    pub(crate) reason: &'static str,
    /// `accepted`, `rejected` or `withdrawn`.
    pub(crate) outcome: &'static str,
}

/// An invoice with its future.
#[derive(Clone, Debug)]
pub(crate) struct Invoice {
    /// Number.
    pub(crate) number: String,
    /// Index of its customer.
    pub(crate) customer: usize,
    /// What was sold.
    pub(crate) product: &'static str,
    /// Day of issue.
    pub(crate) issued: NaiveDate,
    /// Day due.
    pub(crate) due: NaiveDate,
    /// Amount, minor units.
    pub(crate) minor: i64,
    /// Payments.
    pub(crate) payments: Vec<Paid>,
    /// A promise.
    pub(crate) promise: Option<Promised>,
    /// A dispute.
    pub(crate) dispute: Option<Disputed>,
    /// Day on which the customer writes.
    pub(crate) reply_on: Option<NaiveDate>,
}

impl Invoice {
    /// The first day on which anything happens to it.
    fn first_news_on(&self) -> Option<NaiveDate> {
        let promise = self.promise.map(|promise| promise.made_on);
        let dispute = self.dispute.map(|dispute| dispute.opened_on);
        let paid = self.payments.first().map(|paid| paid.on);
        [promise, dispute, paid, self.reply_on].into_iter().flatten().min()
    }

    /// The day that settles it, if any.
    #[cfg(test)]
    fn settled_on(&self) -> Option<NaiveDate> {
        let paid: i64 = self.payments.iter().map(|payment| payment.minor).sum();
        if paid >= self.minor { self.payments.last().map(|payment| payment.on) } else { None }
    }
}

/// Everything.
#[derive(Clone, Debug)]
pub(crate) struct Portfolio {
    /// The seed it was made from.
    pub(crate) seed: u64,
    /// Customers.
    pub(crate) customers: Vec<Customer>,
    /// Invoices, by day of issue.
    pub(crate) invoices: Vec<Invoice>,
}

const FIRST: &[&str] = &[
    "Alba", "Norte", "Levante", "Río", "Mar", "Monte", "Luz", "Vega", "Sol", "Puente", "Costa", "Prado", "Torre",
    "Duna", "Faro", "Cumbre", "Olivo", "Cedro", "Brisa", "Roble",
];
const SECOND: &[&str] = &[
    "Textil",
    "Logística",
    "Alimentos",
    "Gráficas",
    "Cerámica",
    "Motor",
    "Clima",
    "Óptica",
    "Papel",
    "Madera",
    "Sistemas",
    "Hostelería",
];
const GIVEN: &[&str] = &[
    "Lucía", "Hugo", "Camille", "Jules", "Inês", "Tomás", "Chloé", "Louis", "Marta", "Pablo", "Élise", "Noah", "Ana",
    "Bruno", "Manon", "Adam",
];
const FAMILY: &[&str] = &[
    "Alonso", "Bernard", "Castro", "Duarte", "Esteban", "Fontaine", "Girard", "Herrero", "Iglesias", "Jourdan",
    "Leroy", "Molina", "Navarro", "Oliveira", "Perrin", "Rojas",
];
const REASONS: &[&str] = &["quantity", "price", "quality", "delivery", "partially_paid"];

/// Makes a portfolio of so many invoices.
pub(crate) fn make(seed: u64, count: u32) -> Portfolio {
    let mut portfolio = Portfolio { seed, customers: Vec::new(), invoices: Vec::new() };
    for segment in &SEGMENTS {
        let invoices = (u64::from(count) * u64::from(segment.share)).div_ceil(100);
        let customers = invoices.div_ceil(u64::from(segment.per_customer)).max(1);
        let first = portfolio.customers.len();
        for n in 0..customers {
            portfolio.customers.push(customer(seed, segment, n));
        }
        for n in 0..invoices {
            let which = first + usize::try_from(n % customers).unwrap_or(0);
            let made = invoice(seed, segment, which, &portfolio.customers[which], n);
            portfolio.invoices.push(made);
        }
    }
    // What ended before the first day is not news any more.
    portfolio.invoices.retain(|invoice| invoice.first_news_on().is_none_or(|on| on >= first_day()));
    portfolio.invoices.sort_by(|a, b| (a.issued, &a.number).cmp(&(b.issued, &b.number)));
    portfolio
}

fn customer(seed: u64, segment: &'static Segment, n: u64) -> Customer {
    let id = format!("{}-{:04}", segment.name.to_ascii_uppercase(), n + 1);
    let mut random = Random::of(seed, &id);
    let home = *random.pick(segment.homes);
    let name = match segment.kind {
        "person" => format!("{} {}", random.pick(GIVEN), random.pick(FAMILY)),
        "public" => format!("Ayuntamiento de {} {}", random.pick(FIRST), n + 1),
        _ => format!("{} {} {}", random.pick(FIRST), random.pick(SECOND), n + 1),
    };
    let risk = *random.pick(&["low", "low", "low", "medium", "medium", "high"]);
    let host = if random.chance(25) { "gone.example" } else { "cliente.example" };
    let mobile = format!("{} 6{:08}", home.prefix, random.between(0, 99_999_999));
    Customer {
        name,
        segment,
        home,
        risk,
        manager: (segment.grade == "key").then(|| *random.pick(&["ines.duarte", "pablo.molina", "chloe.girard"])),
        vulnerable: segment.kind == "person" && random.chance(60),
        email: (!random.chance(20)).then(|| format!("{}@{host}", id.to_ascii_lowercase())),
        mobile: random.chance(if segment.kind == "public" { 200 } else { 850 }).then_some(mobile),
        whatsapp: random.chance(450),
        address: format!("Calle {} {}, {}", random.pick(FIRST), random.between(1, 140), home.country),
        id,
    }
}

fn later(date: NaiveDate, days: i64) -> NaiveDate {
    let count = Days::new(days.unsigned_abs());
    let moved = if days < 0 { date.checked_sub_days(count) } else { date.checked_add_days(count) };
    moved.unwrap_or(date)
}

fn invoice(seed: u64, segment: &'static Segment, which: usize, customer: &Customer, n: u64) -> Invoice {
    let number = format!("{}-{:05}", segment.name[..2].to_ascii_uppercase(), n + 1);
    let mut random = Random::of(seed, &number);
    // Issued up to two weeks before the end of the year; one in eleven is overdue already on its first day.
    let terms = *random.pick(segment.terms);
    let overdue = random.chance(90);
    let issued = if overdue {
        later(first_day(), -terms - random.between(3, 95))
    } else {
        later(first_day(), random.between(-30, 350))
    };
    let (low, high) = segment.amounts;
    // The smaller of three draws: many small invoices, few large ones, as ledgers have them.
    let draws = [random.between(low, high), random.between(low, high), random.between(low, high)];
    let minor = draws.into_iter().min().unwrap_or(low) * 100 + random.between(0, 99);
    let mut made = Invoice {
        number,
        customer: which,
        product: random.word(segment.products),
        issued,
        due: later(issued, terms),
        minor,
        payments: Vec::new(),
        promise: None,
        dispute: None,
        reply_on: None,
    };
    if overdue {
        backlog(&mut made, &mut random);
    } else {
        future(&mut made, &mut random, customer);
    }
    made
}

/// What becomes of an invoice that nobody has chased so far.
fn backlog(invoice: &mut Invoice, random: &mut Random) {
    if random.chance(150) {
        return;
    }
    let on = later(first_day(), random.between(2, 75));
    if random.chance(150) {
        let first = invoice.minor * random.between(20, 70) / 100;
        invoice.payments.push(Paid { on, minor: first });
        invoice.payments.push(Paid { on: later(on, random.between(10, 40)), minor: invoice.minor - first });
    } else {
        invoice.payments.push(Paid { on, minor: invoice.minor });
    }
}

/// What becomes of an invoice.
fn future(invoice: &mut Invoice, random: &mut Random, customer: &Customer) {
    let (due, minor) = (invoice.due, invoice.minor);
    let pay = |on: NaiveDate, minor: i64| Paid { on: on.max(later(invoice.issued, 1)), minor };
    let mut weights = customer.segment.habits.weights();
    if customer.risk == "high" {
        // A risky customer is late where others are on time.
        weights[0] /= 2;
        weights[2] *= 2;
        weights[5] *= 2;
        weights[7] *= 3;
    }
    match random.weighted(&weights) {
        0 => invoice.payments.push(pay(later(due, -random.between(0, 12)), minor)),
        1 => invoice.payments.push(pay(later(due, random.between(1, 12)), minor)),
        2 => {
            invoice.payments.push(pay(later(due, random.between(13, 60)), minor));
            invoice.reply_on = random.chance(250).then(|| later(due, random.between(4, 12)));
        }
        3 => {
            let first = minor * random.between(20, 70) / 100;
            let on = later(due, random.between(2, 15));
            invoice.payments.push(pay(on, first));
            invoice.payments.push(pay(later(on, random.between(8, 40)), minor - first));
        }
        4 => {
            let made_on = later(due, random.between(3, 20));
            let date = later(made_on, random.between(4, 14));
            invoice.promise = Some(Promised { made_on, date, minor });
            invoice.payments.push(pay(later(date, -random.between(0, 2)), minor));
        }
        5 => {
            let made_on = later(due, random.between(3, 20));
            let date = later(made_on, random.between(4, 12));
            invoice.promise = Some(Promised { made_on, date, minor });
            if random.chance(600) {
                invoice.payments.push(pay(later(date, random.between(8, 50)), minor));
            }
        }
        6 => dispute(invoice, random),
        _ => invoice.reply_on = random.chance(300).then(|| later(due, random.between(4, 30))),
    }
}

fn dispute(invoice: &mut Invoice, random: &mut Random) {
    let opened_on = later(invoice.due, random.between(-3, 15));
    let closed_on = later(opened_on, random.between(6, 24));
    let outcome = *random.pick(&["rejected", "withdrawn", "rejected", "accepted"]);
    let part = if random.chance(300) { random.between(15, 60) } else { 100 };
    let minor = invoice.minor * part / 100;
    invoice.dispute = Some(Disputed { opened_on, closed_on, minor, reason: random.word(REASONS), outcome });
    // What was accepted is credited when it is closed; the rest is paid.
    let credited = if outcome == "accepted" { minor } else { 0 };
    if credited < invoice.minor {
        let on = later(closed_on, random.between(2, 25));
        invoice.payments.push(Paid { on, minor: invoice.minor - credited });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_portfolio() {
        let text = |seed| format!("{:?}", make(seed, 300));
        assert_eq!(text(1), text(1));
        assert_ne!(text(1), text(2));
    }

    #[test]
    fn shares_are_plausible() {
        let portfolio = make(42, 2400);
        let count = portfolio.invoices.len();
        assert!((2_050..2_420).contains(&count), "{count}");
        let share = |test: fn(&Invoice) -> bool| portfolio.invoices.iter().filter(|i| test(i)).count() * 1000 / count;
        let on_time = share(|i| i.settled_on().is_some_and(|on| on <= i.due));
        let late = share(|i| i.settled_on().is_some_and(|on| on > i.due));
        let never = share(|i| i.settled_on().is_none());
        assert!((430..600).contains(&on_time), "{on_time}");
        assert!((300..480).contains(&late), "{late}");
        assert!((10..80).contains(&never), "{never}");
        assert!(share(|i| i.dispute.is_some()) >= 15);
        assert!(share(|i| i.promise.is_some()) >= 30);
        assert!(share(|i| i.payments.len() == 2) >= 20);
        assert!(share(|i| i.due < first_day()) >= 60, "some are overdue on the first day");
    }

    #[test]
    fn nothing_is_paid_beyond_its_amount_or_before_its_issue() {
        for invoice in make(42, 2400).invoices {
            let paid: i64 = invoice.payments.iter().map(|payment| payment.minor).sum();
            assert!(paid <= invoice.minor, "{}", invoice.number);
            assert!(invoice.payments.iter().all(|payment| payment.on >= invoice.issued && payment.minor > 0));
            assert!(invoice.payments.is_sorted_by_key(|payment| payment.on), "{}", invoice.number);
        }
    }
}
