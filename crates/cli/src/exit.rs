//! What a command's end means, as a number.
//!
//! Scripts steer by it, so each number means one thing: 1 is trouble, 2 is a difference, 3 is a refusal that changed
//! nothing, 64 is a mistake in the command line or the file.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// As wanted.
    Ok,
    /// Something failed, or could not be read or resolved; what was done is reported.
    Failed,
    /// Differences: `verify`, and `plan --detailed-exitcode`.
    Different,
    /// Refused by a claim or a guard, for want of a `--yes`, or because a saved plan has moved or is not one that could be
    /// applied here; nothing was changed.
    Refused,
    /// A mistake in the command line or in the topology.
    Usage,
    /// Interrupted.
    Interrupted,
}

impl Exit {
    /// The number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Different => 2,
            Self::Refused => 3,
            Self::Usage => 64,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
