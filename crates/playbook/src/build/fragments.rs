//! Fragments are expanded while reading: typed parameters become constants, ids get the fragment's name in front. There
//! is no subflow at run time.

use super::{Builder, Scope};
use crate::diagnostic::Diagnostic;
use crate::read;
use crate::yaml::{Kind, Node};
use recobro_kernel::playbook::Via;
use recobro_kernel::value::Value;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

const KEYS: &[&str] = &["fragment", "note", "params", "scripts", "stages", "steps", "title", "version", "whenever"];
const PARAM_KEYS: &[&str] = &["default", "doc", "max", "min", "type"];
const PARAM_TYPES: &[&str] = &[
    "agency", "amount", "bool", "channels", "date", "decimal", "duration", "int", "role", "stage", "template", "text",
];
/// Fragments in fragments: nobody can follow more.
const DEPTH_MAX: usize = 4;

impl Builder<'_> {
    /// The items of an included fragment, with their scope. `wanted` is the kind of list it stands in.
    pub(super) fn include(&mut self, item: &Node, outer: &Rc<Scope>, wanted: &str) -> Vec<(Node, Rc<Scope>)> {
        let report = self.report();
        let keys: &[&str] = if wanted == "whenever" {
            &["except", "id", "include", "note", "with"]
        } else {
            &["id", "include", "note", "with"]
        };
        read::only(report, item, "an `include`", keys);
        let Some(named) = item.get("include") else { return Vec::new() };
        let Some(name) = read::name(report, named) else { return Vec::new() };
        let short = name.strip_prefix("fragments/").unwrap_or(&name).to_owned();
        let Some(fragment) = self.shared.fragments.get(&short) else {
            report.push(
                Diagnostic::error("PB101", &named.place, format!("no fragment `{}`", read::cut(&short)))
                    .nearest(&short, self.shared.fragments.keys().map(String::as_str))
                    .help(format!("a fragment is a file `workflows/fragments/{short}.yaml`")),
            );
            return Vec::new();
        };
        let prefix = item.get("id").and_then(|id| read::name(report, id)).unwrap_or_else(|| short.clone());
        let prefix = outer.prefix.as_ref().map_or_else(|| prefix.clone(), |outer| format!("{outer}/{prefix}"));
        if prefix.matches('/').count() >= DEPTH_MAX {
            report.error("PB008", named, format!("fragments include each other more than {DEPTH_MAX} deep"));
            return Vec::new();
        }
        self.used_files.insert(fragment.place.file.to_string());
        read::only(report, fragment, "`fragment`", KEYS);
        let Some(list) = self.content(fragment, named, wanted) else { return Vec::new() };
        let (nodes, values) = self.params(fragment, item);
        let scope = Rc::new(Scope {
            prefix: Some(prefix),
            params: Arc::new(values),
            modules: self.fragment_modules(fragment, named),
            included: Some(named.place.clone()),
        });
        let except = item.get("except").map(|except| self.except(except, list)).unwrap_or_default();
        list.iter()
            .filter(|item| {
                !item.get("event").and_then(Node::text).is_some_and(|event| except.iter().any(|e| e == event))
            })
            .map(|item| (substitute(item, &nodes), Rc::clone(&scope)))
            .collect()
    }

    /// The one list a fragment holds, if it is of the kind that may stand here.
    fn content<'f>(&self, fragment: &'f Node, named: &Node, wanted: &str) -> Option<&'f [Node]> {
        let held: Vec<&str> =
            ["stages", "steps", "whenever"].into_iter().filter(|key| fragment.get(key).is_some()).collect();
        if held.len() != 1 {
            self.report().error("PB009", fragment, "a fragment holds exactly one of `steps`, `stages` and `whenever`");
            return None;
        }
        if held[0] != wanted {
            let list = |kind: &str| if kind == "whenever" { "handlers".to_owned() } else { kind.to_owned() };
            let message = format!("this fragment holds {}, but {} are needed here", list(held[0]), list(wanted));
            self.report().error("PB006", named, message);
            return None;
        }
        fragment.get(wanted).map(|node| read::list(self.report(), node, wanted))
    }

    /// Events left out; each must have a handler in the fragment.
    fn except(&self, node: &Node, handlers: &[Node]) -> Vec<String> {
        let known: Vec<&str> = handlers.iter().filter_map(|item| item.get("event")?.text()).collect();
        for item in read::items(self.report(), node) {
            let event = item.text().unwrap_or_default();
            if !known.contains(&event) {
                self.report().push(
                    Diagnostic::error(
                        "PB104",
                        &item.place,
                        format!("the fragment has no handler for `{}`", read::cut(event)),
                    )
                    .nearest(event, known.iter().copied()),
                );
            }
        }
        read::names(self.report(), node)
    }

    /// The modules a fragment calls; the playbook must list them too, because they are part of its bundle.
    fn fragment_modules(&self, fragment: &Node, named: &Node) -> Vec<String> {
        let modules = self.modules();
        let scripts = fragment.get("scripts").map(|node| read::items(self.report(), node)).unwrap_or_default();
        let found: Vec<String> = scripts
            .into_iter()
            .filter_map(|item| self.known(item, "script", modules.iter().map(String::as_str)))
            .collect();
        for module in found.iter().filter(|module| !self.head.scripts.contains(module)) {
            self.report().push(
                Diagnostic::error("PB101", &named.place, format!("this fragment calls hooks of `{module}`"))
                    .help(format!("add `{module}` to `scripts:` of the playbook")),
            );
        }
        found
    }

    /// Parameters as nodes, for constant positions, and as values, for expressions.
    fn params(&self, fragment: &Node, item: &Node) -> (BTreeMap<String, Node>, BTreeMap<String, Value>) {
        let report = self.report();
        let (mut nodes, mut values) = (BTreeMap::new(), BTreeMap::new());
        let declared = fragment.get("params").map(|node| read::map(report, node, "parameters")).unwrap_or_default();
        let given = item.get("with").map(|node| read::map(report, node, "parameters")).unwrap_or_default();
        let known: Vec<&str> = declared.iter().filter_map(|(key, _)| key.text()).collect();
        for (key, _) in given {
            if !key.text().is_some_and(|name| known.contains(&name)) {
                read::unknown_key(report, key, "`with` of this fragment", &known);
            }
        }
        for (key, spec) in declared {
            let Some(name) = read::name(report, key) else { continue };
            read::only(report, spec, "a parameter", PARAM_KEYS);
            let given = item.get("with").and_then(|with| with.get(&name));
            let Some(node) = given.or_else(|| spec.get("default")) else {
                let place = item.get("with").unwrap_or(item);
                report.push(
                    Diagnostic::error("PB009", &place.place, format!("parameter `{name}` of the fragment is missing"))
                        .help(format!("add `{name}:` under `with:`")),
                );
                continue;
            };
            if let Some(value) = self.param(spec, node) {
                values.insert(name.clone(), value);
                nodes.insert(name, node.clone());
            }
        }
        (nodes, values)
    }

    fn param(&self, spec: &Node, node: &Node) -> Option<Value> {
        let report = self.report();
        let of = read::required(report, spec, "type")?;
        if node.expression().is_some() {
            report.error("PB006", node, "a parameter is a constant, not an expression");
            return None;
        }
        let value = match of.text().unwrap_or_default() {
            "int" => Value::Int(read::int(report, node)?),
            "amount" | "decimal" => Value::Decimal(read::decimal(report, node)?),
            "text" => Value::Text(read::text(report, node)?),
            "duration" => Value::Span(read::span(report, "duration", node)?),
            "date" => Value::Date(read::date(report, node)?),
            "bool" => Value::Bool(read::boolean(report, node)?),
            "template" | "role" | "stage" | "agency" => Value::Text(read::name(report, node)?),
            "channels" => {
                let names = read::channels(report, node).into_iter().map(|via| match via {
                    Via::Channel(channel) => Value::text(channel.name()),
                    Via::LastWorking => Value::text("last_working"),
                });
                Value::List(names.collect())
            }
            other => {
                report.push(
                    Diagnostic::error("PB006", &of.place, format!("`{}` is not a type of parameter", read::cut(other)))
                        .nearest(other, PARAM_TYPES.iter().copied())
                        .help(format!("types are {}", PARAM_TYPES.join(", "))),
                );
                return None;
            }
        };
        self.bounds(spec, node, &value);
        Some(value)
    }

    fn bounds(&self, spec: &Node, node: &Node, value: &Value) {
        let Some(found) = value.as_decimal() else { return };
        for (key, sign) in [("min", "at least"), ("max", "at most")] {
            let Some(limit) = spec.get(key).and_then(|limit| read::decimal(self.report(), limit)) else { continue };
            if (key == "min" && found < limit) || (key == "max" && found > limit) {
                self.report().error("PB006", node, format!("`{found}` is out of range; {sign} {limit}"));
            }
        }
    }
}

/// Puts parameters in place of `= param.NAME`; problems still point at the place of use.
fn substitute(node: &Node, params: &BTreeMap<String, Node>) -> Node {
    let kind = match &node.kind {
        Kind::Scalar(..) => {
            let name = node.expression().and_then(|(source, _)| source.strip_prefix("param."));
            match name.and_then(|name| params.get(name)) {
                Some(param) => param.kind.clone(),
                None => node.kind.clone(),
            }
        }
        Kind::List(items) => Kind::List(items.iter().map(|item| substitute(item, params)).collect()),
        Kind::Map(entries) => {
            Kind::Map(entries.iter().map(|(key, value)| (key.clone(), substitute(value, params))).collect())
        }
    };
    Node { place: node.place.clone(), kind }
}
