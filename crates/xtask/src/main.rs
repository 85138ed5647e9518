//! For development: `cargo xtask test`, `demo`, `tidy`, `bench`, `soak`.
//!
//! The only automation of this repository; `.ci/run` calls it too. Nothing here ships. Start reading at [`COMMANDS`].

mod bench;
mod demo;
mod postgres;
mod soak;
mod suite;
mod tidy;
mod workspace;

use std::process::ExitCode;

/// One thing that `cargo xtask` does.
struct Command {
    name: &'static str,
    says: &'static str,
    run: fn(&[String]) -> anyhow::Result<ExitCode>,
}

/// Every command, in the order of the help text.
const COMMANDS: &[Command] = &[
    Command {
        name: "test",
        says: "prepare what is missing (PostgreSQL), run every test, then tidy; [ARGS] go to cargo test",
        run: suite::run,
    },
    Command { name: "demo", says: "build recobro in release and run `recobro demo [ARGS]`", run: demo::run },
    Command {
        name: "bench",
        says: "measure the worker beside the limits of the same databases; [--cases N] [--rounds N]",
        run: bench::run,
    },
    Command {
        name: "soak",
        says: "play long campaigns of random worlds against the independent checker; [WORLDS], 200 if nothing is said",
        run: soak::run,
    },
    Command { name: "tidy", says: "check the arrows, the onlys, sizes and licences", run: tidy::run },
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let wanted = args.first().map_or("", String::as_str);
    let Some(command) = COMMANDS.iter().find(|command| command.name == wanted) else {
        eprint!("{}", usage(wanted));
        return ExitCode::from(2);
    };
    match (command.run)(&args[1..]) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask {}: {error:#}", command.name);
            ExitCode::FAILURE
        }
    }
}

/// Returns the help text, with the word that was not understood in front.
fn usage(wanted: &str) -> String {
    let mut text = match wanted {
        "" | "help" | "--help" | "-h" => String::new(),
        other => format!("xtask: unknown command `{other}`\n"),
    };
    text.push_str("usage: cargo xtask COMMAND [ARGS]\n");
    text.extend(COMMANDS.iter().map(|command| format!("  {:<5} {}\n", command.name, command.says)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_command_names_itself_and_the_known_ones() {
        let text = usage("tset");
        assert!(text.starts_with("xtask: unknown command `tset`\n"), "{text}");
        for command in COMMANDS {
            assert!(text.contains(command.says), "{text}");
        }
    }
}
