//! What is not done although it was asked for, because a bad reading looks just like it.
//!
//! Nodes that vanish from a list for a moment, a selector with a typing mistake, a file of the wrong cluster: each makes a
//! plan that is correct and that nobody wants. So a plan that would take away much of what works is held back, with the
//! numbers that it was judged by and the word that lets it pass. A guard knows nothing that the plan does not; what it adds
//! is doubt.
//!
//! Only what still leads somewhere counts: removing the routes of machines that are gone costs nobody anything, however many
//! they are. And a handful of routes has no shares worth speaking of, unless the user has named a limit: that one holds always.

use std::fmt;
use std::str::FromStr;

use crate::{Change, ErrorKind, Plan, Topology};

/// How much of what stands may be deleted or replaced in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxDeletes {
    /// So many routes.
    Routes(usize),
    /// So many in a hundred, 0 to 100.
    Percent(u8),
}

impl MaxDeletes {
    /// The limit where the user has named none.
    pub const DEFAULT: Self = Self::Percent(30);
    /// Below this many routes the default does not judge.
    pub const FEW: usize = 10;

    fn allows(self, leaving: usize, standing: usize) -> bool {
        match self {
            Self::Routes(most) => leaving <= most,
            Self::Percent(most) => leaving.saturating_mul(100) <= standing.saturating_mul(usize::from(most)),
        }
    }
}

impl fmt::Display for MaxDeletes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Routes(most) => most.fmt(f),
            Self::Percent(most) => write!(f, "{most}%"),
        }
    }
}

impl FromStr for MaxDeletes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{}` is neither a number of routes, such as 5, nor a share, such as 30%", text.escape_debug());
        match text.strip_suffix('%') {
            Some(share) => share.parse().ok().filter(|share| *share <= 100).map(Self::Percent).ok_or_else(wrong),
            None => text.parse().map(Self::Routes).map_err(|_| wrong()),
        }
    }
}

/// Why a plan is held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// A stable name in kebab-case: `no-workers`, `max-deletes` or `incomplete-listing`.
    pub guard: &'static str,
    /// What would happen, in numbers, and the threshold.
    pub message: String,
    /// What to do, and what overrides the guard, if something does.
    pub help: String,
}

/// Every reason to hold this plan back; it is the plan of an apply, never of a destroy, whose job it is to take away.
pub fn guard(topology: &Topology, plan: &Plan, limit: Option<MaxDeletes>) -> Vec<Held> {
    [no_workers(topology), too_many(plan, limit), incomplete(plan)].into_iter().flatten().collect()
}

fn no_workers(topology: &Topology) -> Option<Held> {
    topology.workers().is_empty().then(|| Held {
        guard: "no-workers",
        message: "there are no workers, 0 of them: every route of this cluster would be unwanted".to_owned(),
        help: "look at the list of workers; if the cluster is really to have no routes, run `kroutes destroy`"
            .to_owned(),
    })
}

fn too_many(plan: &Plan, limit: Option<MaxDeletes>) -> Option<Held> {
    let standing: usize = plan.readable().map(|table| table.standing).sum();
    let leaving: usize = plan.readable().map(|table| table.leaving).sum();
    if limit.is_none() && standing < MaxDeletes::FEW {
        return None;
    }
    let most = limit.unwrap_or(MaxDeletes::DEFAULT);
    if most.allows(leaving, standing) {
        return None;
    }
    let share = leaving.saturating_mul(100).div_ceil(standing.max(1));
    Some(Held {
        guard: "max-deletes",
        message: format!(
            "{leaving} of the {standing} routes of this cluster that lead to something would be deleted or replaced ({share} %), \
             and at most {most} may be"
        ),
        help: format!("if that is what you want, say --max-deletes {leaving}"),
    })
}

/// Nothing is deleted from a table that was not read, nor for a worker that was not looked up; but what else is wrong with a
/// cloud that cannot be read is anybody's guess.
fn incomplete(plan: &Plan) -> Option<Held> {
    let deleted =
        plan.readable().flat_map(|table| &table.changes).filter(|change| matches!(change, Change::Delete { .. }));
    let deleted = deleted.count();
    let unread = plan.tables.iter().find_map(|table| {
        let error = table.plan.as_ref().err()?;
        (error.kind() != ErrorKind::NotFound).then(|| format!("table `{}`: {error}", table.wanted))
    });
    let why = unread.or_else(|| plan.unproved.first().map(ToString::to_string))?;
    (deleted > 0).then(|| Held {
        guard: "incomplete-listing",
        message: format!(
            "{deleted} routes would be deleted, and not everything could be read ({why}); at most 0 may be then"
        ),
        help: "run it again when everything can be read; without --prune the rest is done now".to_owned(),
    })
}
