//! Calls: helpers with their arguments, and hooks with their one.

use super::Check;
use super::ty::{self, Kind, Typed};
use crate::script::eval::read_date;
use crate::script::names::nearest;
use crate::script::objects::ROUND;
use crate::script::parse::{Node, NodeKind, problem};
use crate::script::registry::{self, HELPERS, NOTICES, Takes};
use recobro_kernel::facts::Channel;
use recobro_kernel::value::{Type, Value};

impl Check<'_> {
    /// `risk::route(facts)`.
    pub(super) fn hook(&mut self, node: &Node, module: &str, name: &str, args: &[Node]) -> Typed {
        let context = self.context;
        if !context.modules.iter().any(|listed| listed == module) {
            let exists = context.scripts.module(module).is_some();
            let mut found =
                problem("PB205", node.start, node.start + module.len(), format!("no script `{module}` is listed here"));
            found.help = if exists {
                Some(format!("add `{module}` to `scripts:`"))
            } else {
                let near = nearest(module, context.modules.iter().map(String::as_str));
                near.map(|near| format!("did you mean `{near}::{name}`?"))
            };
            return self.report(found);
        }
        if context.scripts.is_broken(module) {
            let message = format!("scripts/{module}.rhai does not compile");
            return self.report(problem("PB205", node.start, node.start + module.len(), message));
        }
        let Some(info) = context.scripts.hook(module, name) else {
            let known: Vec<&str> = context.scripts.hooks(module).map(|hook| hook.name.as_str()).collect();
            let message = format!("no function `{name}` in scripts/{module}.rhai");
            let start = self.text.tokens[self.text.token_at(node.start) + 2].start;
            let mut found = problem("PB205", start, start + name.len(), message);
            found.help = nearest(name, known.iter().copied())
                .map(|near| format!("did you mean `{module}::{near}`?"))
                .or_else(|| (!known.is_empty()).then(|| format!("it has {}", known.join(", "))));
            return self.report(found);
        };
        let facts = |arg: &Node| matches!(&arg.kind, NodeKind::Path(parts) if matches!(&parts[..], [part] if part.name == "facts"));
        let help = format!("`{module}::{name}(facts)`");
        match args {
            [arg] if facts(arg) => {}
            [arg] => {
                let message = format!("a hook takes exactly one argument, `facts`, not `{}`", self.source(arg));
                return self.report(problem("PB206", arg.start, arg.end, message).with_help(help));
            }
            _ => {
                let message = format!("a hook takes exactly one argument, `facts`; {} given", args.len());
                return self.report(problem("PB206", node.start, node.end, message).with_help(help));
            }
        }
        let known =
            |name: &str| context.vars.contains_key(name) || context.tables.iter().any(|table| table.name == name);
        if let Some((wrong, line)) = info.open_names.iter().find(|(name, _)| !known(name)) {
            let message = format!(
                "`{module}::{name}` reads `facts.{wrong}` ({}:{line}), which is no fact, table or variable here",
                info.file
            );
            let tables = context.tables.iter().map(|table| table.name.as_str());
            let names = registry::ROOTS
                .iter()
                .map(|root| root.name)
                .chain(tables)
                .chain(context.vars.keys().map(String::as_str));
            let mut found = problem("PB201", node.start, node.end, message);
            found.help = nearest(wrong, names).map(|near| format!("did you mean `facts.{near}`?"));
            return self.report(found);
        }
        self.compares_bare_amount |= info.compares_bare_amount;
        let of = info.returns.to_type();
        Typed::plain(of)
    }

    /// `days(3)`.
    pub(super) fn helper(&mut self, node: &Node, name: &str, args: &[Node]) -> Typed {
        let Some(helper) = registry::helper_named(name) else { return self.unknown_function(node, name) };
        let Some(gives) = helper.gives else {
            let message = format!("`{name}` is for hooks; it has no value");
            return self.report(problem("PB205", node.start, node.end, message));
        };
        if helper.takes.len() != args.len() {
            let wanted = helper.takes.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            let s = if helper.takes.len() == 1 { "" } else { "s" };
            let message = format!("`{name}` takes {} argument{s}; {} given", helper.takes.len(), args.len());
            return self
                .report(problem("PB206", node.start, node.end, message).with_help(format!("`{name}({wanted})`")));
        }
        let mut amount = false;
        for (arg, (_, takes)) in args.iter().zip(helper.takes) {
            amount |= self.argument(name, arg, *takes);
        }
        let of = gives();
        let amount = amount && of == Type::Decimal;
        Typed { amount, ..Typed::plain(of) }
    }

    fn unknown_function(&mut self, node: &Node, name: &str) -> Typed {
        let end = node.start + name.len();
        if name == "round" {
            return self.report(problem("PB205", node.start, end, ROUND).with_help("`round_money(x)`"));
        }
        let mut found = problem("PB205", node.start, end, format!("no function `{name}`"));
        let module = self.context.modules.iter().find(|module| self.context.scripts.hook(module, name).is_some());
        found.help = match module {
            Some(module) => Some(format!("did you mean `{module}::{name}`?")),
            None => {
                nearest(name, HELPERS.iter().map(|helper| helper.name)).map(|near| format!("did you mean `{near}`?"))
            }
        };
        self.report(found)
    }

    /// Checks one argument; answers whether it is an amount.
    fn argument(&mut self, name: &str, arg: &Node, takes: Takes) -> bool {
        if takes == Takes::Anything {
            self.asked(arg);
            return false;
        }
        let found = self.value(arg);
        let Some(of) = found.known() else {
            if found.of.is_some() {
                self.report(problem(
                    "PB203",
                    arg.start,
                    arg.end,
                    format!("`{name}` needs {}, not a list", takes.name()),
                ));
            }
            return false;
        };
        let fits = match takes {
            Takes::Anything => true,
            Takes::Int => *of == Type::Int,
            Takes::Number => ty::kind(of) == Kind::Number,
            Takes::Date => *of == Type::Date,
            Takes::Text | Takes::DateText | Takes::Step | Takes::Season | Takes::Channel | Takes::Notice => {
                ty::kind(of) == Kind::Text
            }
        };
        if !fits {
            let message = format!("`{name}` needs {}, not {of}", takes.name());
            self.report(problem("PB203", arg.start, arg.end, message));
            return false;
        }
        self.written_out(name, arg, takes, of);
        found.amount
    }

    /// Texts and numbers that must be right as they are written.
    fn written_out(&mut self, name: &str, arg: &Node, takes: Takes, of: &Type) {
        let texts = if let Type::Enum(texts) = of { texts.as_slice() } else { &[] };
        let context = self.context;
        let known: Vec<&str> = match takes {
            Takes::Step => context.steps.iter().map(String::as_str).collect(),
            Takes::Season => context.seasons.iter().map(String::as_str).collect(),
            Takes::Channel => Channel::ALL.iter().map(|channel| channel.name()).collect(),
            Takes::Notice => NOTICES.to_vec(),
            Takes::DateText => {
                if !matches!(&arg.kind, NodeKind::Constant(Value::Text(text)) if read_date(text).is_ok()) {
                    let message = format!("`{}` is no date", self.source(arg));
                    self.report(
                        problem("PB203", arg.start, arg.end, message).with_help("write `date(\"2026-05-04\")`"),
                    );
                }
                return;
            }
            Takes::Int if name == "bucket" => {
                if !matches!(&arg.kind, NodeKind::Constant(Value::Int(n)) if *n > 0) {
                    let message = "`bucket` needs a number of at least 1, written out";
                    self.report(problem("PB203", arg.start, arg.end, message));
                }
                return;
            }
            Takes::Anything | Takes::Int | Takes::Number | Takes::Date | Takes::Text => return,
        };
        if takes == Takes::Channel && texts.is_empty() {
            let message = "`unanswered` needs the name of a channel, written out";
            self.report(
                problem("PB203", arg.start, arg.end, message).with_help(format!("channels are {}", known.join(", "))),
            );
            return;
        }
        // Without a list there is nothing to compare with.
        if known.is_empty() {
            return;
        }
        let Some(wrong) = texts.iter().find(|text| !known.contains(&text.as_str())) else { return };
        let what = match takes {
            Takes::Step => "step or request",
            Takes::Season => "season",
            Takes::Channel => "channel",
            _ => "kind of notice",
        };
        let mut found = problem("PB202", arg.start, arg.end, format!("there is no {what} `{wrong}`"));
        found.help = match nearest(wrong, known.iter().copied()) {
            Some(near) => Some(format!("did you mean \"{near}\"?")),
            None if takes == Takes::Step => None,
            None => Some(format!("known are {}", known.join(", "))),
        };
        self.report(found);
    }

    /// The argument of `has`: a root, or anything that may be missing.
    fn asked(&mut self, arg: &Node) {
        if let NodeKind::Path(parts) = &arg.kind {
            let names = super::paths::names(parts);
            if let [root] = names[..]
                && super::super::names::is_root(root)
            {
                return;
            }
            self.path(arg, parts, true);
            return;
        }
        self.node(arg);
    }
}
