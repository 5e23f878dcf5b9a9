//! Why a command could not do its work at all, and how that is told.
//!
//! A failure of one route is an outcome in a report. What stands here ended the command before there was anything to
//! report: a mistake in the topology, a cloud that cannot be read, a refusal.

use std::fmt::Write;
use std::io;

use kroutes_core::{Error, ErrorKind};
use kroutes_driver::Diagnostics;

use crate::exit::Exit;

/// Why a command could not do its work at all.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A mistake in how the command was called.
    Usage(String),
    /// Mistakes in the topology.
    Topology(Diagnostics),
    /// A refusal; nothing was changed.
    Refused(Error),
    /// What the topology says of its provider cannot be.
    Misconfigured(Error),
    /// The work could not be begun.
    Error(Error),
    /// What was to be printed could not be.
    Output(io::Error),
    /// What was done could not be printed.
    Report(io::Error),
    /// The user stopped it before anything was changed.
    Interrupted,
    /// The user stopped it twice, and calls were under way.
    Abandoned,
}

impl Failure {
    /// Why a provider could not be opened: a mistake in the topology, or something that is no mistake.
    #[cfg_attr(
        not(any(feature = "aws", feature = "gcp")),
        expect(dead_code, reason = "a build without providers opens none")
    )]
    pub(crate) fn opening(error: Error) -> Self {
        if error.kind() == ErrorKind::Invalid { Self::Misconfigured(error) } else { Self::Error(error) }
    }

    /// How the command ends.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Topology(_) | Self::Misconfigured(_) => Exit::Usage,
            Self::Refused(_) => Exit::Refused,
            Self::Error(error) if error.kind() == ErrorKind::Interrupted => Exit::Interrupted,
            Self::Interrupted | Self::Abandoned => Exit::Interrupted,
            Self::Error(_) | Self::Output(_) | Self::Report(_) => Exit::Failed,
        }
    }

    /// For a person, ending with a line break.
    pub(crate) fn text(&self, color: bool) -> String {
        match self {
            Self::Usage(message) => format!("error: {message}\n"),
            Self::Topology(diagnostics) => diagnostics.render(color),
            Self::Refused(error) => format!("refused: {}", explain(error)),
            Self::Error(error) if error.kind() == ErrorKind::Interrupted => {
                "interrupted: nothing was changed\n".to_owned()
            }
            Self::Interrupted => "interrupted: nothing was changed\n".to_owned(),
            Self::Abandoned => format!("interrupted: {}", explain(&self.as_error())),
            Self::Error(error) | Self::Misconfigured(error) => format!("error: {}", explain(error)),
            Self::Output(_) | Self::Report(_) => format!("error: {}", explain(&self.as_error())),
        }
    }

    /// The same as an error of the core, for JSON.
    pub(crate) fn as_error(&self) -> Error {
        match self {
            Self::Usage(message) => Error::new(ErrorKind::Invalid, message.clone()),
            Self::Topology(diagnostics) => in_one_line(diagnostics),
            Self::Refused(error) | Self::Error(error) | Self::Misconfigured(error) => error.clone(),
            Self::Output(error) => {
                Error::new(ErrorKind::Unexpected, format!("the output could not be written: {error}"))
                    .help("nothing was changed")
            }
            Self::Report(error) => {
                Error::new(ErrorKind::Unexpected, format!("what was done could not be written: {error}"))
                    .help("the changes were carried out; `kroutes verify` tells how things stand")
            }
            Self::Interrupted => Error::new(ErrorKind::Interrupted, "interrupted; nothing was changed"),
            Self::Abandoned => {
                Error::new(ErrorKind::Interrupted, "calls were under way, and may or may not have had an effect")
                    .help("`kroutes verify` tells how things stand")
            }
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Diagnostics> for Failure {
    fn from(diagnostics: Diagnostics) -> Self {
        Self::Topology(diagnostics)
    }
}

/// The mistakes of a topology without the pictures that people get of them.
fn in_one_line(diagnostics: &Diagnostics) -> Error {
    let place = |found: &kroutes_driver::Diagnostic| match (&found.file, &found.place) {
        (Some(file), Some(place)) => format!("{file}:{}:{}: ", place.line, place.column),
        _ => String::new(),
    };
    let messages: Vec<String> = diagnostics.iter().map(|found| format!("{}{}", place(found), found.message)).collect();
    let error = Error::new(ErrorKind::Invalid, messages.join("; "));
    match diagnostics.iter().find_map(|found| found.help.clone()) {
        Some(help) => error.help(help),
        None => error,
    }
}

/// An error with all that is known of it: its causes, the provider's code and request id, and what to do.
pub(crate) fn explain(error: &Error) -> String {
    let mut text = format!("{error}\n");
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let _ = writeln!(text, "  because: {inner}");
        cause = inner.source();
    }
    let facts: Vec<String> = error
        .context()
        .iter()
        .filter(|(name, _)| *name != "help")
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    if !facts.is_empty() {
        let _ = writeln!(text, "  ({})", facts.join(", "));
    }
    if let Some(help) = error.get("help") {
        let _ = writeln!(text, "  help: {help}");
    }
    text
}
