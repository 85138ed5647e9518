//! Names: facts, variables, parameters, events, tables, and what to write instead of an unknown one.

use super::ty::{self, Of, Typed};
use super::{Check, carried};
use crate::script::names::{Found, Names, Place, nearest};
use crate::script::parse::{Node, Part, problem};
use crate::script::registry::{self, EXTRAS, ROOTS};
use recobro_kernel::event;
use recobro_kernel::expr::RUN;
use recobro_kernel::facts::{OPTIONAL_ROOTS, Presence, Registry};
use recobro_kernel::value::Type;

/// The names of a path without `facts` in front.
pub(super) fn names(parts: &[Part]) -> Vec<&str> {
    let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
    match names.split_first() {
        Some((&"facts", rest)) if !rest.is_empty() => rest.to_vec(),
        _ => names,
    }
}

/// Names below a root of registered facts.
pub(in crate::script) fn fields_of(facts: &Registry, root: &str) -> Vec<String> {
    let prefix = format!("{root}.");
    let facts = facts.paths().chain(EXTRAS.iter().map(|extra| extra.path));
    let runs = RUN.iter().map(|(path, _)| *path);
    facts.chain(runs).filter_map(|path| path.strip_prefix(&prefix)).map(str::to_owned).collect()
}

impl Check<'_> {
    fn scope(&self) -> Names<'_> {
        let context = self.context;
        Names {
            facts: context.scripts.facts(),
            tables: context.tables,
            vars: context.vars,
            params: context.params,
            event: context.event,
        }
    }

    /// Whether `has` or a handler shows that an optional root is there.
    fn is_present(&self, root: &str) -> bool {
        !OPTIONAL_ROOTS.contains(&root) || carried(self.context, root) || self.present.contains(root)
    }

    /// The type of a path; `lenient` under `has` and `??`, where a missing root makes it missing.
    pub(super) fn path(&mut self, node: &Node, parts: &[Part], lenient: bool) -> Typed {
        let names = names(parts);
        let place = match self.scope().find(&names) {
            Found::Value(place) => self.typed(&names, place),
            Found::Object => {
                let message = format!("`{}` is no value; name one of its fields", names.join("."));
                let mut found = problem("PB203", node.start, node.end, message);
                found.help = self.an_example(&names);
                return self.report(found);
            }
            Found::Nothing => None,
        };
        let Some((of, optional, amount)) = place else { return self.unknown(node, parts) };
        let root = names[0];
        let path = names.join(".");
        let absent = !self.is_present(root);
        let safe = parts.iter().any(|part| part.safe);
        if absent && !lenient && !safe {
            let field = names.get(1).copied().unwrap_or_default();
            let message = format!("`{path}` may be missing: there may be no {root}");
            let help = format!("`has({root}) and ..`, or `{root}?.{field} ?? ..`");
            return self.report(problem("PB204", node.start, node.end, message).with_help(help));
        }
        let optional = (optional && !self.present.contains(&path)) || absent;
        Typed { of: Some(of), optional, amount }
    }

    /// Type, optionality and whether it is an amount.
    fn typed(&self, names: &[&str], place: Place<'_>) -> Option<(Of, bool, bool)> {
        let context = self.context;
        Some(match place {
            Place::Fact(fact) => (Of::Plain(fact.of()), fact.presence() == Presence::Optional, fact.is_amount()),
            Place::Extra(extra) => (Of::Plain((extra.of)()), extra.optional, false),
            Place::Run(path) => {
                let (_, of) = RUN.iter().find(|(known, _)| *known == path)?;
                (Of::Plain(of()), false, false)
            }
            Place::Var(name) => (ty::of_value(context.vars.get(name)?)?, false, false),
            Place::Param(name) => (ty::of_value(context.params.get(name)?)?, false, false),
            Place::Law(name) => (ty::of_value(context.law.value(name)?)?, false, false),
            Place::Event(name) => {
                let kind = context.event.and_then(event::find)?;
                let (field, of) = kind.fields.iter().find(|(field, _)| field.trim_end_matches('?') == name)?;
                (Of::Plain(of.to_type()), field.ends_with('?'), *of == event::FieldType::Amount)
            }
            Place::Today => (Of::Plain(Type::Date), false, false),
            Place::Now => (Of::Plain(Type::Instant), false, false),
            Place::Output(table, output) => {
                let table = context.tables.get(table)?;
                debug_assert_eq!(names.first(), Some(&table.name.as_str()), "resolved by name");
                (Of::Plain(table.outputs.get(output)?.1.clone()), false, false)
            }
        })
    }

    fn an_example(&self, names: &[&str]) -> Option<String> {
        let root = *names.first()?;
        if root == "facts" {
            return Some("`facts` is the argument of a hook: `risk::route(facts)`".to_owned());
        }
        let first = self.known_below(names).into_iter().next()?;
        Some(format!("for example `{}.{first}`", names.join(".")))
    }

    /// Every name that could stand after these.
    fn known_below(&self, names: &[&str]) -> Vec<String> {
        let context = self.context;
        match names {
            [] => {
                let roots = ROOTS.iter().map(|root| root.name.to_owned());
                let tables = context.tables.iter().map(|table| table.name.clone());
                roots.chain(tables).chain(context.vars.keys().cloned()).collect()
            }
            ["vars"] => context.vars.keys().cloned().collect(),
            ["param"] => context.params.keys().cloned().collect(),
            ["law"] => context.law.policies.values().flat_map(|policy| policy.values.keys().cloned()).collect(),
            ["event"] => {
                let fields = context.event.and_then(event::find).map_or(&[][..], |kind| kind.fields);
                fields.iter().map(|(field, _)| field.trim_end_matches('?').to_owned()).collect()
            }
            [table] if context.tables.iter().any(|known| known.name == **table) => {
                let found = context.tables.iter().find(|known| known.name == **table);
                found.into_iter().flat_map(|table| table.outputs.iter().map(|(name, _)| name.clone())).collect()
            }
            _ => fields_of(context.scripts.facts(), &names.join(".")),
        }
    }

    fn unknown(&mut self, node: &Node, parts: &[Part]) -> Typed {
        let full = names(parts);
        let shown = &parts[parts.len() - full.len()..];
        // The first name that leads nowhere is the one to underline.
        let wrong = (1..=full.len()).find(|end| matches!(self.scope().find(&full[..*end]), Found::Nothing));
        let last = wrong.unwrap_or(full.len()) - 1;
        let before = &full[..last];
        let message = match (before, full[last]) {
            ([], "event") => "there is no `event` here; only handlers of `whenever` have one".to_owned(),
            ([], "param") => "there is no `param` here; only fragments have parameters".to_owned(),
            (["event"], field) => format!("event `{}` has no field `{field}`", self.context.event.unwrap_or_default()),
            (["law"], field) => format!("no policy has the value `law.{field}`"),
            (["param"], field) => format!("there is no parameter `{field}`"),
            (["vars"], field) => format!("there is no variable `{field}`"),
            ([table], field) if self.context.tables.iter().any(|known| known.name == *table) => {
                format!("table `{table}` has no output `{field}`")
            }
            _ => format!("unknown fact `{}`", full[..=last].join(".")),
        };
        let known = self.known_below(before);
        let start = shown[last].start;
        let mut found = problem("PB201", start, self.text.end_of(start).max(start), message);
        let near = nearest(full[last], known.iter().map(String::as_str));
        found.help = match near {
            Some(name) => Some(format!("did you mean `{name}`?")),
            None if before.is_empty() && registry::helper_named(full[last]).is_some() => {
                Some(format!("`{}` is a function: `{}(..)`", full[last], full[last]))
            }
            None if before.is_empty() && self.quoted_would_do(node) => {
                Some(format!("text stands in quotes: \"{}\"", full[last]))
            }
            None if known.is_empty() || before.is_empty() => None,
            None => Some(format!("`{}` has {}", before.join("."), known.join(", "))),
        };
        self.report(found)
    }

    /// Whether the name stands alone beside a comparison, as an unquoted text would.
    fn quoted_would_do(&self, node: &Node) -> bool {
        let at = self.text.token_at(node.start);
        at > 0 && matches!(self.text.word(at - 1), "==" | "!=" | "[" | ",")
    }
}
