//! What the law of the reader's place wants a text to state, asked of the very text that is about to leave.
//!
//! The check of a playbook cannot know where its customers live, so what it lets pass is asked again here.

use crate::Engine;
use crate::library::Bundle;
use recobro_connectors::template::path;
use recobro_kernel::effect::{Effect, EffectKind};
use recobro_kernel::facts::{Channel, Facts};
use recobro_kernel::guard::{Bound, Finding, Judgement, Verdict};
use recobro_playbook::is_supplied;

/// The answer to a message whose text lacks what a rule of law demands and nothing can supply: forbidden, by that rule.
pub(super) fn kept(
    engine: &Engine,
    bundle: &Bundle,
    (effect, facts): (&Effect, &Facts),
    mut judgement: Judgement,
) -> Judgement {
    let message = effect.channel.filter(|_| effect.kind == EffectKind::Contact);
    let Some(channel) = message.filter(|_| judgement.verdict == Verdict::Allow) else { return judgement };
    let file = file_of(effect, channel);
    let bound = Bound::of(&engine.shelf.law, &bundle.compiled.playbook.policies, facts);
    let mut demands = bound.statements(channel, effect.class);
    let lacks = |what: &str| !is_supplied(what, channel, effect.class) && !bundle.statements.has(&file, what);
    if let Some((rule, what)) = demands.find(|(_, what)| lacks(what)) {
        let why = format!("template {} does not state `{what}`", file.trim_start_matches("workflows/templates/"));
        let verdict = Verdict::Forbid { rule: format!("{}: {why}", rule.id) };
        let (id, source) = (rule.id.clone(), rule.source.clone());
        judgement.findings.push(Finding { rule: id, verdict: verdict.clone(), why, source, exception: None });
        judgement.verdict = verdict;
    }
    judgement
}

/// Whether the way to opt out must be put under a message: its text has none, and law demands one.
pub(super) fn wants_opt_out(engine: &Engine, bundle: &Bundle, effect: &Effect, facts: &Facts) -> Wanted {
    let Some(channel) = effect.channel.filter(|_| effect.kind == EffectKind::Contact) else { return Wanted::No };
    if bundle.statements.has(&file_of(effect, channel), "opt_out") {
        return Wanted::No;
    }
    let bound = Bound::of(&engine.shelf.law, &bundle.compiled.playbook.policies, facts);
    let demanded = bound.statements(channel, effect.class).any(|(_, what)| what == "opt_out");
    if demanded { Wanted::Demanded } else { Wanted::Polite }
}

/// How much a message wants the way to opt out put under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Its text says it.
    No,
    /// Good manners only.
    Polite,
    /// A rule of law demands it.
    Demanded,
}

fn file_of(effect: &Effect, channel: Channel) -> String {
    path(&effect.subject, channel.name(), &effect.locale)
}
