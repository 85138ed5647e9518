//! Why customers dispute: the closed list of codes, after the clarification list of Peppol's invoice response, and the
//! words of other systems that mean one of them.

/// Every code, with what it says.
pub const REASONS: &[(&str, &str)] = &[
    ("reference", "an order number or reference is missing or wrong"),
    ("legal", "legal information is missing or wrong"),
    ("receiver", "it went to the wrong receiver"),
    ("quality", "quality"),
    ("delivery", "not or wrongly delivered"),
    ("price", "price"),
    ("quantity", "quantity"),
    ("item", "wrong item"),
    ("terms", "payment terms"),
    ("not_recognised", "never ordered, or invoiced twice"),
    ("finance", "tax, account or other financial details"),
    ("partially_paid", "paid, or paid in part"),
    ("other", "anything else"),
];

/// Words of other lists.
const ALIASES: &[(&str, &str)] = &[
    ("billing", "price"),
    ("commercial", "price"),
    ("damaged", "quality"),
    ("delivery_missing", "delivery"),
    ("duplicate", "not_recognised"),
    ("late_delivery", "delivery"),
    ("logistic", "delivery"),
    ("logistics", "delivery"),
    ("not_delivered", "delivery"),
    ("not_ordered", "not_recognised"),
    ("not_received", "delivery"),
    ("not_recognized", "not_recognised"),
    ("paid", "partially_paid"),
    ("payment", "partially_paid"),
    ("payment_terms", "terms"),
    ("po_missing", "reference"),
    ("product", "item"),
    ("rebate", "price"),
    ("service", "quality"),
    ("shortage", "quantity"),
    ("tax", "finance"),
    ("technical", "quality"),
    ("unknown_receiver", "receiver"),
    ("unspecified", "other"),
    ("wrong_item", "item"),
];

/// The code that a word means, whatever its case.
#[must_use]
pub fn code(word: &str) -> Option<&'static str> {
    let word = word.trim().to_lowercase().replace(['-', ' '], "_");
    let own = REASONS.iter().map(|(code, _)| *code).find(|code| *code == word);
    own.or_else(|| ALIASES.iter().find(|(alias, _)| *alias == word).map(|(_, code)| *code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_other_lists_mean_a_code() {
        assert_eq!(
            (code("Not ordered"), code("duplicate"), code("quality")),
            (Some("not_recognised"), Some("not_recognised"), Some("quality"))
        );
        assert_eq!(code("qualty"), None);
        assert!(ALIASES.iter().all(|(_, of)| REASONS.iter().any(|(code, _)| code == of)));
    }
}
