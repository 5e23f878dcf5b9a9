//! One change to one destination, and one that cannot be made: the words that a plan is written in.
//!
//! Every change carries what it saw and why it is due, so that whoever carries it out can tell whether the table has moved
//! since, and whoever reads it need not guess.

use std::fmt;

use crate::ownership::Foreign;
use crate::{Destination, ObservedRoute, Route};

/// Why a route is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplaceReason {
    /// It leads elsewhere.
    WrongNextHop,
    /// It leads elsewhere, and that is gone or does not run.
    Blackhole,
    /// It leads to the worker but differs from what we would write; how, in words.
    Deviation(String),
    /// The right route is there, and this one is left over beside it.
    Duplicate,
    /// It is foreign and the user said to take it over; why it is foreign.
    TakeOver(Foreign),
}

/// Why a route is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeleteReason {
    /// No worker wants it.
    NoWorker,
    /// Everything of ours goes.
    Destroy,
}

/// One change to one destination of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A route that is missing.
    Create {
        /// The route.
        route: Route,
    },
    /// A route in the place of others.
    Replace {
        /// What goes; never empty.
        was: Vec<ObservedRoute>,
        /// What comes.
        to: Route,
        /// Whether it is there already, and only the others go.
        there: bool,
        /// Why.
        reason: ReplaceReason,
    },
    /// A route that goes.
    Delete {
        /// The route.
        was: ObservedRoute,
        /// Why.
        reason: DeleteReason,
    },
}

impl Change {
    /// `create`, `replace` or `delete`.
    pub const fn action(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Replace { .. } => "replace",
            Self::Delete { .. } => "delete",
        }
    }

    /// What it is about.
    pub fn destination(&self) -> Destination {
        match self {
            Self::Create { route } | Self::Replace { to: route, .. } => Destination::Net(route.destination.net()),
            Self::Delete { was, .. } => was.destination.clone(),
        }
    }

    /// The route that is there afterwards.
    pub const fn want(&self) -> Option<&Route> {
        match self {
            Self::Create { route } | Self::Replace { to: route, .. } => Some(route),
            Self::Delete { .. } => None,
        }
    }

    /// The routes that are not there afterwards.
    pub fn was(&self) -> &[ObservedRoute] {
        match self {
            Self::Create { .. } => &[],
            Self::Replace { was, .. } => was,
            Self::Delete { was, .. } => std::slice::from_ref(was),
        }
    }

    /// How many writes it takes at the least, where a route is replaced in one (`atomic`), or made anew and the old one
    /// deleted.
    pub const fn writes(&self, atomic: bool) -> usize {
        match self {
            Self::Create { .. } | Self::Delete { .. } => 1,
            Self::Replace { was, there: true, .. } => was.len(),
            Self::Replace { was, there: false, .. } if atomic => was.len(),
            Self::Replace { was, there: false, .. } => was.len() + 1,
        }
    }

    /// Whether all it does is remove something: such changes come last.
    pub const fn is_removal(&self) -> bool {
        matches!(self, Self::Delete { .. } | Self::Replace { there: true, .. })
    }

    /// Why, in words.
    pub fn reason(&self) -> String {
        match self {
            Self::Create { .. } => "missing".to_owned(),
            Self::Replace { reason, .. } => reason.to_string(),
            Self::Delete { reason, .. } => reason.to_string(),
        }
    }
}

impl fmt::Display for ReplaceReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongNextHop => f.write_str("wrong next hop"),
            Self::Blackhole => f.write_str("blackhole"),
            Self::Deviation(what) => f.write_str(what),
            Self::Duplicate => f.write_str("duplicate"),
            Self::TakeOver(why) => write!(f, "taken over: {why}"),
        }
    }
}

impl fmt::Display for DeleteReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWorker => f.write_str("no worker"),
            Self::Destroy => f.write_str("destroy"),
        }
    }
}

/// Foreign routes that hold a wanted destination and win against ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// What we want there.
    pub want: Route,
    /// What is there.
    pub was: Vec<ObservedRoute>,
    /// Why the first of them is foreign.
    pub reason: Foreign,
    /// Whether `--take-over` could replace them: only static routes can be.
    pub can_take_over: bool,
}
