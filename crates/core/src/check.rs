//! One thing that was looked at to tell whether kroutes can work here, and what came of it.
//!
//! A finding says what stops packets. A check says what stops kroutes, or would: no credentials, a permission that is missing,
//! somebody else who writes to the same table. Most is known from an observation; what only the provider can tell comes from
//! [`RouteBackend::examine`](crate::RouteBackend::examine).

use std::fmt;

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CheckStatus {
    /// It is as it should be.
    Pass,
    /// It works, and somebody should know; or it could not be found out.
    Warn,
    /// Something will not work.
    Fail,
}

impl CheckStatus {
    /// The word used in JSON and in text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What a check is about; in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum CheckGroup {
    /// The file, and the workers that follow from it.
    Topology,
    /// Who the provider takes us for.
    Credentials,
    /// What that one may do.
    Permissions,
    /// Whether the tables are there and can be read.
    Tables,
    /// Whether there is room for what is missing.
    Quota,
    /// The pod CIDRs against the ranges of the network and the routes that are there.
    Addresses,
    /// The workers' machines: found, running, forwarding.
    Machines,
    /// Who else writes to the tables.
    Writers,
}

impl CheckGroup {
    /// Every group, in order.
    pub const ALL: [Self; 8] = [
        Self::Topology,
        Self::Credentials,
        Self::Permissions,
        Self::Tables,
        Self::Quota,
        Self::Addresses,
        Self::Machines,
        Self::Writers,
    ];

    /// The word used in JSON and in text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Topology => "topology",
            Self::Credentials => "credentials",
            Self::Permissions => "permissions",
            Self::Tables => "tables",
            Self::Quota => "quota",
            Self::Addresses => "addresses",
            Self::Machines => "machines",
            Self::Writers => "writers",
        }
    }
}

impl fmt::Display for CheckGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What it is about.
    pub group: CheckGroup,
    /// A stable name: kebab-case, or a permission in the provider's own spelling.
    pub name: String,
    /// What came of it.
    pub status: CheckStatus,
    /// What was seen, for people.
    pub message: String,
    /// What to do about it; `None` where there is nothing to do.
    pub remedy: Option<String>,
}

impl Check {
    /// A check that passed.
    pub fn pass(group: CheckGroup, name: impl Into<String>, message: impl Into<String>) -> Self {
        Self { group, name: name.into(), status: CheckStatus::Pass, message: message.into(), remedy: None }
    }

    /// A check that somebody should know of.
    pub fn warn(
        group: CheckGroup,
        name: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { status: CheckStatus::Warn, remedy: Some(remedy.into()), ..Self::pass(group, name, message) }
    }

    /// A check that failed.
    pub fn fail(
        group: CheckGroup,
        name: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { status: CheckStatus::Fail, ..Self::warn(group, name, message, remedy) }
    }
}
