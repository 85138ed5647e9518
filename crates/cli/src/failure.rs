//! How a command ends: the exit codes of the product, and the message with its way out. Nothing else prints errors.

use std::fmt;

/// How the process ends; scripts branch on these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Ok,
    /// It failed.
    Failed,
    /// The command line is wrong.
    Usage,
    /// No such case, task or file.
    NotFound,
    /// Somebody or something moved first; look again.
    Conflict,
    /// A rule of the house forbids it.
    Refused,
    /// Some items failed, the others are done.
    Partial,
    /// The database is away or owned by another process.
    Unavailable,
    /// A check found something.
    Findings,
    /// The configuration is wrong.
    Configuration,
}

impl Exit {
    /// The process's exit code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Conflict => 4,
            Self::Refused => 5,
            Self::Partial => 6,
            Self::Unavailable => 7,
            Self::Findings => 9,
            Self::Configuration => 78,
        }
    }
}

/// Why a command stopped: what, where, and what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Exit code.
    pub(crate) exit: Exit,
    /// What and where.
    pub(crate) message: String,
    /// The way out.
    pub(crate) help: Option<String>,
    /// The reader of our output went away: nothing to say.
    pub(crate) silent: bool,
}

impl Failure {
    /// A failure with its exit code.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), help: None, silent: false }
    }

    /// Adds the way out.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Something that was asked for is not there.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Exit::NotFound, message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        match &self.help {
            Some(help) => write!(f, "\nhelp: {help}"),
            None => Ok(()),
        }
    }
}

/// An error with all its causes, `a: b: c`, each said once.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let any: &(dyn std::error::Error + 'static) = &error;
        let pipe = |e: &std::io::Error| e.kind() == std::io::ErrorKind::BrokenPipe;
        let silent = any.downcast_ref::<std::io::Error>().is_some_and(pipe);
        Self { exit: exit_of(any), message: chain(any), help: None, silent }
    }
}

/// The exit code of an error, found along its causes.
fn exit_of(error: &(dyn std::error::Error + 'static)) -> Exit {
    let mut next = Some(error);
    while let Some(one) = next {
        if let Some(exit) = crate::session::exit_of(one) {
            return exit;
        }
        next = one.source();
    }
    Exit::Failed
}

/// Adds what was being done to an error that does not say it.
pub(crate) trait Doing<T> {
    /// Puts `what` in front of the error's text and sets the exit code.
    fn doing(self, exit: Exit, what: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: std::error::Error + 'static> Doing<T> for Result<T, E> {
    fn doing(self, exit: Exit, what: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(exit, format!("{}: {}", what(), chain(&error))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_is_silent() {
        let failure = Failure::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert!(failure.silent);
        assert!(!Failure::from(std::io::Error::from(std::io::ErrorKind::NotFound)).silent);
    }

    #[test]
    fn people_read_the_problem_and_the_way_out() {
        let failure = Failure::not_found("no case for `INV-9`").help("`recobro case list` shows all");
        assert_eq!(failure.to_string(), "error: no case for `INV-9`\nhelp: `recobro case list` shows all");
        assert_eq!(failure.exit.code(), 3);
    }
}
