//! The filters `money`, `percent`, `date` and `duration`, by the locale in the template's file name.
//!
//! Spanish, English, French and Portuguese are spelled out; any other language gets ISO dates and `7200.00 EUR`, which
//! nobody misreads. In an SMS the characters are kept to the ones that do not halve its length.

use chrono::{Datelike, NaiveDate};
use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State};
use recobro_kernel::money::{Currency, Money};
use recobro_kernel::time::{Span, Unit};

pub(super) fn register(environment: &mut Environment<'static>) {
    environment.add_filter("money", money);
    environment.add_filter("date", date);
    environment.add_filter("duration", duration);
    environment.add_filter("percent", percent);
    environment.add_filter("length", minijinja::filters::length);
    environment.add_filter("join", minijinja::filters::join);
    environment.add_filter("upper", minijinja::filters::upper);
    environment.add_filter("lower", minijinja::filters::lower);
    environment.add_filter("title", minijinja::filters::title);
    environment.add_filter("capitalize", minijinja::filters::capitalize);
    environment.add_filter("trim", minijinja::filters::trim);
    environment.add_filter("first", minijinja::filters::first);
    environment.add_filter("last", minijinja::filters::last);
    environment.add_filter("sort", minijinja::filters::sort);
    environment.add_filter("abs", minijinja::filters::abs);
    environment.add_filter("urlencode", minijinja::filters::urlencode);
    environment.add_test("defined", minijinja::tests::is_defined);
    environment.add_test("none", minijinja::tests::is_none);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    Es,
    En,
    Fr,
    Pt,
    Other,
}

struct Place {
    language: Language,
    is_sms: bool,
}

/// `workflows/templates/overdue-first/email.es.j2` speaks Spanish; so does its `#subject`.
fn place(state: &State<'_, '_>) -> Place {
    let name = state.name().rsplit('/').next().unwrap_or_default();
    let mut parts = name.split('.');
    let channel = parts.next().unwrap_or_default();
    place_of(parts.next().unwrap_or_default(), channel)
}

/// An amount as the readers of a locale write it, for text that no template wrote.
#[must_use]
pub fn money_in(locale: &str, channel: &str, amount: Money) -> String {
    write_money(&place_of(locale, channel), amount)
}

/// A date as the readers of a locale write it, for text that no template wrote.
#[must_use]
pub fn date_in(locale: &str, channel: &str, day: NaiveDate) -> String {
    let place = place_of(locale, channel);
    write_date(place.language, day, place.is_sms)
}

fn place_of(locale: &str, channel: &str) -> Place {
    let language = match locale.get(..2) {
        Some("es") => Language::Es,
        Some("en") => Language::En,
        Some("fr") => Language::Fr,
        Some("pt") => Language::Pt,
        Some(_) | None => Language::Other,
    };
    Place { language, is_sms: channel == "sms" }
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

fn money(state: &State<'_, '_>, value: &Value, currency: Option<String>) -> Result<String, Error> {
    let code = currency.or_else(|| currency_of(value)).or_else(|| context_currency(state));
    let code = code.ok_or_else(|| wrong("`money` knows no currency here: write `| money(\"EUR\")`".to_owned()))?;
    let currency: Currency = code.parse().map_err(|error| wrong(format!("`money`: {error}")))?;
    let amount = match value.kind() {
        ValueKind::Map => {
            let minor = value.get_attr("minor").ok().and_then(|minor| minor.as_i64());
            Money::new(minor.ok_or_else(|| wrong("`money` asks for `minor` and `currency`".to_owned()))?, currency)
        }
        // The shortest decimal form of a double is the amount it was made from.
        ValueKind::Number | ValueKind::String => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Money::parse(&text, currency).map_err(|error| wrong(format!("`money`: {error}")))?
        }
        other => return Err(wrong(format!("`money` was given {other}, not an amount"))),
    };
    Ok(write_money(&place(state), amount))
}

fn currency_of(value: &Value) -> Option<String> {
    if value.kind() != ValueKind::Map {
        return None;
    }
    value.get_attr("currency").ok()?.as_str().map(str::to_owned)
}

fn context_currency(state: &State<'_, '_>) -> Option<String> {
    ["invoice", "statement"].iter().find_map(|root| {
        let root = state.lookup(root).filter(|value| value.kind() == ValueKind::Map)?;
        root.get_attr("currency").ok()?.as_str().map(str::to_owned)
    })
}

fn write_money(place: &Place, amount: Money) -> String {
    let (group, point) = match place.language {
        Language::Es | Language::Pt => (".", ","),
        Language::En => (",", "."),
        Language::Fr => ("\u{a0}", ","),
        Language::Other => ("", "."),
    };
    let digits = amount.to_decimal().abs().to_string();
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let mut number = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            number.push_str(group);
        }
        number.push(digit);
    }
    if !fraction.is_empty() {
        number.push_str(point);
        number.push_str(fraction);
    }
    let sign = if amount.minor < 0 { "-" } else { "" };
    let symbol = match (place.language, amount.currency.code()) {
        (Language::En, "EUR") => Some("€"),
        (Language::En, "GBP") => Some("£"),
        (Language::En, "USD") => Some("$"),
        _ => None,
    };
    let written = match (symbol, place.language, amount.currency.code()) {
        (Some(symbol), ..) => format!("{sign}{symbol}{number}"),
        (None, Language::Es | Language::Fr | Language::Pt, "EUR") => format!("{sign}{number}\u{a0}€"),
        (None, _, code) => format!("{sign}{number}\u{a0}{code}"),
    };
    // A no-break space is outside the SMS alphabet and would halve the length of the message.
    if place.is_sms { written.replace('\u{a0}', " ") } else { written }
}

/// A rate a year: `10.15` becomes `10,15 %` where people write it so.
fn percent(state: &State<'_, '_>, value: &Value) -> Result<String, Error> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let rate: rust_decimal::Decimal =
        text.parse().map_err(|_| wrong(format!("`percent` was given `{text}`, not a number")))?;
    let place = place(state);
    let written = match place.language {
        Language::Es | Language::Fr | Language::Pt => format!("{}\u{a0}%", rate.to_string().replace('.', ",")),
        Language::En | Language::Other => format!("{rate}%"),
    };
    Ok(if place.is_sms { written.replace('\u{a0}', " ") } else { written })
}

const MONTHS_ES: [&str; 12] = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
];
const MONTHS_EN: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const MONTHS_FR: [&str; 12] = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];
const MONTHS_PT: [&str; 12] = [
    "janeiro",
    "fevereiro",
    "março",
    "abril",
    "maio",
    "junho",
    "julho",
    "agosto",
    "setembro",
    "outubro",
    "novembro",
    "dezembro",
];

/// `2026-05-04`, or an instant whose date is taken, as people write it; in an SMS and with `date("short")` in digits.
fn date(state: &State<'_, '_>, value: &Value, form: Option<&str>) -> Result<String, Error> {
    let text = value.as_str().ok_or_else(|| wrong(format!("`date` was given {}, not a date", value.kind())))?;
    let day: NaiveDate = text
        .get(..10)
        .unwrap_or(text)
        .parse()
        .map_err(|_| wrong(format!("`date` was given `{text}`, which is no date such as 2026-05-04")))?;
    let place = place(state);
    let is_short = match form {
        None => place.is_sms,
        Some("short") => true,
        Some("long") => false,
        Some(other) => return Err(wrong(format!("`date` knows `short` and `long`, not `{other}`"))),
    };
    Ok(write_date(place.language, day, is_short))
}

fn write_date(language: Language, day: NaiveDate, is_short: bool) -> String {
    let (number, month, year) = (day.day(), day.month0() as usize, day.year());
    match language {
        Language::Other => day.to_string(),
        // Digits of a month are misread between Britain and America, hence its name.
        Language::En if is_short => format!("{number} {} {year}", &MONTHS_EN[month][..3]),
        Language::Es | Language::Fr | Language::Pt if is_short => day.format("%d/%m/%Y").to_string(),
        Language::En => format!("{number} {} {year}", MONTHS_EN[month]),
        Language::Es => format!("{number} de {} de {year}", MONTHS_ES[month]),
        Language::Pt => format!("{number} de {} de {year}", MONTHS_PT[month]),
        Language::Fr if number == 1 => format!("1er {} {year}", MONTHS_FR[month]),
        Language::Fr => format!("{number} {} {year}", MONTHS_FR[month]),
    }
}

/// `10 working days` in the reader's language.
fn duration(state: &State<'_, '_>, value: &Value) -> Result<String, Error> {
    let text = value.as_str().ok_or_else(|| wrong(format!("`duration` was given {}", value.kind())))?;
    let span: Span = text.parse().map_err(|error| wrong(format!("`duration`: {error}")))?;
    let (one, many) = unit_names(place(state).language, span.unit);
    // French counts zero and one alike.
    let is_one = span.count == 1 || (span.count == 0 && place(state).language == Language::Fr);
    Ok(format!("{} {}", span.count, if is_one { one } else { many }))
}

fn unit_names(language: Language, unit: Unit) -> (&'static str, &'static str) {
    match (unit, language) {
        (Unit::Minutes, Language::Es | Language::Pt) => ("minuto", "minutos"),
        (Unit::Minutes, Language::Fr | Language::En | Language::Other) => ("minute", "minutes"),
        (Unit::Hours, Language::Es | Language::Pt) => ("hora", "horas"),
        (Unit::Hours, Language::Fr) => ("heure", "heures"),
        (Unit::Hours, Language::En | Language::Other) => ("hour", "hours"),
        (Unit::Days, Language::Es) => ("día", "días"),
        (Unit::Days, Language::Pt) => ("dia", "dias"),
        (Unit::Days, Language::Fr) => ("jour", "jours"),
        (Unit::Days, Language::En | Language::Other) => ("day", "days"),
        (Unit::WorkingDays, Language::Es) => ("día hábil", "días hábiles"),
        (Unit::WorkingDays, Language::Pt) => ("dia útil", "dias úteis"),
        (Unit::WorkingDays, Language::Fr) => ("jour ouvré", "jours ouvrés"),
        (Unit::WorkingDays, Language::En | Language::Other) => ("working day", "working days"),
        (Unit::Weeks, Language::Es | Language::Pt) => ("semana", "semanas"),
        (Unit::Weeks, Language::Fr) => ("semaine", "semaines"),
        (Unit::Weeks, Language::En | Language::Other) => ("week", "weeks"),
        (Unit::Months, Language::Es) => ("mes", "meses"),
        (Unit::Months, Language::Pt) => ("mês", "meses"),
        (Unit::Months, Language::Fr) => ("mois", "mois"),
        (Unit::Months, Language::En | Language::Other) => ("month", "months"),
    }
}

/// Characters of the SMS alphabet (GSM 03.38) beyond the ASCII ones; the second list takes two places each.
const SMS_MORE: &str = "£¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà";
const SMS_DOUBLE: &str = "^{}\\[~]|€";

/// How many parts an SMS takes: 160 characters (153 where there are several), or 70 (67) outside the SMS alphabet.
pub(super) fn sms_parts(text: &str) -> usize {
    let text = text.trim_end();
    let is_plain = |c: char| (c.is_ascii() && c != '`') || SMS_MORE.contains(c) || SMS_DOUBLE.contains(c);
    let (units, alone, chained) = if text.chars().all(is_plain) {
        (text.chars().map(|c| if SMS_DOUBLE.contains(c) { 2 } else { 1 }).sum(), 160, 153)
    } else {
        (text.encode_utf16().count(), 70, 67)
    };
    if units <= alone { 1 } else { units.div_ceil(chained) }
}
