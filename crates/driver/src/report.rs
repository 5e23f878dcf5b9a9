//! What an apply or a destroy did: one outcome per change, never one for the batch.
//!
//! A batch that reports "failed" leaves its user to find out which of five hundred routes exist. A batch that reports
//! "done" because the last one worked has hidden the first. So every change and every fix carries its own outcome, and
//! whatever else went wrong (a claim that could not be removed, a table that could not be read back) is listed beside
//! them. What was written but not seen when reading back is not done: it is `unconfirmed`, and counts as failed.

use kroutes_core::{Change, ClaimState, Error, Finding, Observation, TableId, Verdict};

/// How one change ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The provider said so, and reading back showed it (unless the run was interrupted before that).
    Done,
    /// It failed; why.
    Failed(Error),
    /// It was not tried; why.
    Skipped(Error),
    /// It was written, but reading back did not show it.
    Unconfirmed(Error),
}

impl Outcome {
    /// The word used in JSON.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed(_) => "failed",
            Self::Skipped(_) => "skipped",
            Self::Unconfirmed(_) => "unconfirmed",
        }
    }

    /// Why it is not done, if it is not.
    pub const fn error(&self) -> Option<&Error> {
        match self {
            Self::Done => None,
            Self::Failed(error) | Self::Skipped(error) | Self::Unconfirmed(error) => Some(error),
        }
    }

    /// Whether it is done.
    pub const fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }
}

/// What was done to one table.
#[derive(Debug, Clone)]
pub struct TableReport {
    /// Which table.
    pub id: TableId,
    /// Every change of its plan with its outcome, in the plan's order.
    pub changes: Vec<(Change, Outcome)>,
    /// What became of the claim.
    pub claim: ClaimState,
}

/// How often each outcome occurred.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Done.
    pub done: usize,
    /// Failed.
    pub failed: usize,
    /// Not tried.
    pub skipped: usize,
    /// Written, not seen on reading back.
    pub unconfirmed: usize,
}

/// What an apply or a destroy did.
#[derive(Debug, Clone)]
pub struct Report {
    /// Table by table, in the plan's order.
    pub tables: Vec<TableReport>,
    /// Every fix that was due, with its outcome.
    pub fixes: Vec<(Finding, Outcome)>,
    /// What else went wrong: reading back, removing the claim.
    pub errors: Vec<Error>,
    /// The world afterwards, as far as it was read.
    pub after: Observation,
    /// The judgement of that world; `None` if the run was interrupted before it could be read.
    pub verdict: Option<Verdict>,
    /// Whether the run was told to stop.
    pub interrupted: bool,
    /// Routes of ours that are still there after a destroy.
    pub remaining: usize,
}

impl Report {
    /// Every outcome there is.
    pub fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        let changes = self.tables.iter().flat_map(|table| table.changes.iter().map(|(_, outcome)| outcome));
        changes.chain(self.fixes.iter().map(|(_, outcome)| outcome))
    }

    /// How often each outcome occurred.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for outcome in self.outcomes() {
            match outcome {
                Outcome::Done => tally.done += 1,
                Outcome::Failed(_) => tally.failed += 1,
                Outcome::Skipped(_) => tally.skipped += 1,
                Outcome::Unconfirmed(_) => tally.unconfirmed += 1,
            }
        }
        tally
    }

    /// Whether everything that was tried was done, and nothing was left untried.
    pub fn is_clean(&self) -> bool {
        self.errors.is_empty() && self.outcomes().all(Outcome::is_done)
    }
}
