//! Events in a few words. Inner events and those that only wake a case say nothing.

use recobro_kernel::event::Event;
use recobro_kernel::value::Value;
use rust_decimal::Decimal;

/// What people read of an event; nothing for inner ones.
pub(super) fn told(event: &Event, broken: u32) -> Option<String> {
    let amount = || event.field("amount").as_decimal().map_or(String::new(), |sum| format!(" {}", money(sum)));
    let text = |field: &str| match event.text(field) {
        "" => String::new(),
        text => format!(": {text}"),
    };
    Some(match event.name.as_str() {
        "promise.made" => format!("promise{} by {}", amount(), day(event.field("date"))),
        "promise.broken" => format!("promise broken ({})", ordinal(broken)),
        "promise.kept" => "promise kept".to_owned(),
        "promise.cancelled" => "promise cancelled".to_owned(),
        "dispute.opened" => format!("dispute opened{}", text("reason")),
        "dispute.closed" => format!("dispute closed{}", text("outcome")),
        "incentive.taken" => format!("discount taken{}", amount()),
        "invoice.paid" => "invoice paid".to_owned(),
        "invoice.closed" => format!("invoice closed{}", text("by")),
        "invoice.reopened" => "invoice reopened".to_owned(),
        "invoice.due_changed" => format!("due date moved to {}", day(event.field("to"))),
        "payment.received" => format!("payment{}", amount()),
        "payment.returned" => format!("payment{} returned", amount()),
        "payment.claimed" => "customer says it is paid".to_owned(),
        "reply.received" => match event.text("kind") {
            "auto" => return None,
            _ => format!("reply by {}", event.text("channel")),
        },
        "channel.opted_out" => format!("opted out of {}", event.text("channel")),
        "deadline.near" => format!("deadline near: {} by {}", event.text("what"), day(event.field("until"))),
        "deadline.missed" => format!("deadline missed: {} by {}", event.text("what"), day(event.field("until"))),
        "exception.begun" => format!("exception {} lifts {}", event.text("exception"), event.text("rule")),
        "law.changed" => format!("planned again: {} changed", event.text("changed")),
        "contact.failed" => format!("nobody reached{}", text("step")),
        name if name.starts_with("operator.") => {
            let verb = name.trim_start_matches("operator.");
            let why = event.text("why");
            let why = if why.is_empty() { String::new() } else { format!(": {why}") };
            let who = event.text("who");
            format!("{verb} by {}{why}", who.strip_prefix("person:").unwrap_or(who))
        }
        name if inner(name) => return None,
        name => name.replace('.', " "),
    })
}

fn inner(name: &str) -> bool {
    name.starts_with("outcome.")
        || matches!(
            name,
            "task.done"
                | "task.timed_out"
                | "claimable.zero"
                | "claimable.positive"
                | "contact.delivered"
                | "contact.unanswered"
                | "customer.changed"
                | "invoice.changed"
                | "placement.accepted"
                | "request.done"
        )
}

fn day(value: &Value) -> String {
    value.as_date().map_or_else(String::new, |date| date.format("%m-%d").to_string())
}

fn ordinal(n: u32) -> String {
    let ending = match (n % 10, n % 100) {
        (1, rest) if rest != 11 => "st",
        (2, rest) if rest != 12 => "nd",
        (3, rest) if rest != 13 => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

/// `7,200.00`.
pub(crate) fn money(sum: Decimal) -> String {
    let text = format!("{:.2}", sum.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, "00"));
    let sign = if sum.is_sign_negative() && !sum.is_zero() { "-" } else { "" };
    format!("{sign}{}.{fraction}", crate::out::grouped(whole.parse::<i64>().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_and_amounts_read_as_people_say_them() {
        let said: Vec<_> = [1, 2, 3, 4, 11, 22].map(ordinal).into();
        assert_eq!(said, ["1st", "2nd", "3rd", "4th", "11th", "22nd"]);
        assert_eq!(money("7200".parse().unwrap()), "7,200.00");
    }
}
