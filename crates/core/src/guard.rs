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

use crate::{Change, ErrorKind, Plan, TablePlan, Topology};

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
        let (number, is_share) = text.strip_suffix('%').map_or((text, false), |number| (number, true));
        // A number of Rust's may have a sign.
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        if is_share {
            number.parse().ok().filter(|share| *share <= 100).map(Self::Percent).ok_or_else(wrong)
        } else {
            number.parse().map(Self::Routes).map_err(|_| wrong())
        }
    }
}

/// The guard that speaks where nobody is there to route to.
pub const NO_WORKERS: &str = "no-workers";
/// The guard that counts what would be lost.
pub const TOO_MANY: &str = "max-deletes";
/// The guard that speaks where not everything could be read.
pub const INCOMPLETE: &str = "incomplete-listing";

/// Why a plan is held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// A stable name in kebab-case: [`NO_WORKERS`], [`TOO_MANY`] or [`INCOMPLETE`].
    pub guard: &'static str,
    /// What would happen, in numbers, and the threshold.
    pub message: String,
    /// What to do, and what overrides the guard, if something does.
    pub help: String,
    /// The limit that would let it pass, if one would.
    pub passes_with: Option<MaxDeletes>,
}

/// Every reason to hold this plan back; it is the plan of an apply, never of a destroy, whose job it is to take away.
pub fn guard(topology: &Topology, plan: &Plan, limit: Option<MaxDeletes>) -> Vec<Held> {
    [no_workers(topology, plan), too_many(plan, limit), incomplete(plan)].into_iter().flatten().collect()
}

fn no_workers(topology: &Topology, plan: &Plan) -> Option<Held> {
    let unwanted: usize = plan.readable().map(|table| table.stale.len() + table.changes.len()).sum();
    topology.workers().is_empty().then(|| Held {
        guard: NO_WORKERS,
        message: format!("there are 0 workers, and at least 1 must be: {} would be unwanted", routes(unwanted)),
        help: "look at where the workers come from; if this cluster is really to have no routes, run `kroutes destroy`"
            .to_owned(),
        passes_with: None,
    })
}

/// All tables together, and each by itself: a cluster has a table for each zone, say, and one that loses everything is no
/// small share of its own. A number of routes says the same of all and of each.
fn too_many(plan: &Plan, limit: Option<MaxDeletes>) -> Option<Held> {
    let standing: usize = plan.readable().map(|table| table.standing).sum();
    let leaving: usize = plan.readable().map(|table| table.leaving).sum();
    let most = limit.unwrap_or(MaxDeletes::DEFAULT);
    let is_judged = limit.is_some() || standing >= MaxDeletes::FEW;
    let message = if is_judged && !most.allows(leaving, standing) {
        lost(most, leaving, standing, &format!("this cluster's {}", routes(standing)))
    } else {
        let loses =
            |table: &&TablePlan| table.standing >= MaxDeletes::FEW && !most.allows(table.leaving, table.standing);
        let told = |table: &TablePlan| {
            let of = format!("the {} in table `{}`", routes(table.standing), table.id);
            lost(most, table.leaving, table.standing, &of)
        };
        plan.readable().filter(loses).map(told).collect::<Vec<_>>().join("; ")
    };
    (!message.is_empty()).then(|| Held {
        guard: TOO_MANY,
        message,
        help: format!("look at the plan; if that is what you want, say --max-deletes {leaving}"),
        passes_with: Some(MaxDeletes::Routes(leaving)),
    })
}

fn lost(most: MaxDeletes, leaving: usize, standing: usize, of: &str) -> String {
    let share = leaving.saturating_mul(100).div_ceil(standing.max(1));
    let most = match most {
        MaxDeletes::Routes(most) => most.to_string(),
        MaxDeletes::Percent(share) => format!("{} ({share}%)", standing.saturating_mul(usize::from(share)) / 100),
    };
    format!(
        "{leaving} ({share}%) of {of} whose next hop still exists would be deleted or replaced, and at most {most} may be"
    )
}

/// Nothing is deleted from a table that was not read, nor for a worker that was not looked up; but what else is wrong with a
/// cloud that cannot be read is anybody's guess. A table that is not there has been looked for, and hides nothing.
fn incomplete(plan: &Plan) -> Option<Held> {
    let deletions = plan.readable().flat_map(|table| &table.changes);
    let deletions = deletions.filter(|change| matches!(change, Change::Delete { .. })).count();
    let unread = plan.tables.iter().find_map(|table| {
        let error = table.plan.as_ref().err()?;
        (error.kind() != ErrorKind::NotFound).then(|| format!("table `{}`: {error}", table.wanted))
    });
    let why = unread.or_else(|| plan.unproved.first().map(ToString::to_string))?;
    (deletions > 0).then(|| Held {
        guard: INCOMPLETE,
        message: format!(
            "{} would be deleted, and at most 0 may be while not everything could be read: {why}",
            routes(deletions)
        ),
        help: "run it again when everything can be read; without --prune all else is done now".to_owned(),
        passes_with: None,
    })
}

fn routes(count: usize) -> String {
    if count == 1 { "1 route".to_owned() } else { format!("{count} routes") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_of_routes_or_a_share() {
        for (text, limit) in [
            ("0", MaxDeletes::Routes(0)),
            ("5", MaxDeletes::Routes(5)),
            ("007", MaxDeletes::Routes(7)),
            ("0%", MaxDeletes::Percent(0)),
            ("30%", MaxDeletes::Percent(30)),
            ("100%", MaxDeletes::Percent(100)),
        ] {
            assert_eq!(text.parse(), Ok(limit), "{text}");
        }
        let huge = "9".repeat(40);
        for text in ["", "%", "101%", "-1", "+5", "+5%", "1.5", "1.5%", " 5", "5 %", "%5", "5%%", "half", &huge] {
            let error = text.parse::<MaxDeletes>().expect_err(text);
            assert!(error.contains("such as 5") && error.contains("such as 30%"), "{error}");
        }
        for text in ["5", "30%"] {
            assert_eq!(text.parse::<MaxDeletes>().expect("a limit").to_string(), text);
        }
    }

    #[test]
    fn a_share_is_allowed_up_to_exactly_itself() {
        for (limit, leaving, standing, allowed) in [
            ("30%", 3, 10, true),
            ("30%", 4, 10, false),
            ("30%", 30, 100, true),
            ("30%", 31, 100, false),
            ("30%", 3, 11, true),
            ("30%", 4, 13, false),
            ("30%", 4, 14, true),
            ("0%", 0, 10, true),
            ("0%", 1, 1_000_000, false),
            ("100%", 10, 10, true),
            ("100%", 0, 0, true),
            ("5", 5, 6, true),
            ("5", 6, 1_000_000, false),
            ("0", 0, 0, true),
        ] {
            let limit: MaxDeletes = limit.parse().expect("a limit");
            assert_eq!(limit.allows(leaving, standing), allowed, "{leaving} of {standing} under {limit}");
        }
    }
}
