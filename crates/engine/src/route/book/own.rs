//! The organisation's own facts of a customer or an invoice, when a source brings its row again.

use recobro_kernel::facts::OwnValues;

/// A fact that changed: its name as events say it, before, after; empty where it was or is not said.
pub(super) type Change = (String, String, String);

/// Completes what came with what is known, and says what changed. A source that has no column for a fact leaves it as it
/// was; an empty cell takes it away.
pub(super) fn merge(known: &OwnValues, came: &mut OwnValues) -> Vec<Change> {
    let said = |text: Option<&String>| text.cloned().unwrap_or_default();
    let changed = came.iter().filter(|(name, to)| said(known.get(*name)) != **to);
    let changes = changed.map(|(name, to)| (format!("x.{name}"), said(known.get(name)), to.clone())).collect();
    for (name, text) in known {
        came.entry(name.clone()).or_insert_with(|| text.clone());
    }
    came.retain(|_, text| !text.is_empty());
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_changes_what_it_names_and_takes_away_what_it_leaves_empty() {
        let of = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect::<OwnValues>()
        };
        let mut came = of(&[("arr", "12"), ("limit", ""), ("seats", "3"), ("none", "")]);
        let changes = merge(&of(&[("arr", "12"), ("limit", "500"), ("kept", "yes")]), &mut came);
        assert_eq!(came, of(&[("arr", "12"), ("kept", "yes"), ("seats", "3")]));
        let shown: Vec<String> = changes.iter().map(|(field, from, to)| format!("{field}:{from}>{to}")).collect();
        assert_eq!(shown, ["x.limit:500>", "x.seats:>3"]);
    }
}
