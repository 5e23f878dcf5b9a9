//! The chronicle of a lab: every change that took effect, in its order, of both clouds.
//!
//! Counts tell what was asked. Whether a destination was ever without a route, or a route of somebody else was touched
//! in between, only the order of effects tells. At Compute an effect comes when its operation ends, not when it was
//! asked for.

use std::time::Duration;

use serde::Serialize;

/// A change that took effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogEntry {
    /// Its place in the order, from 1.
    pub number: u64,
    /// Milliseconds since the start of the lab.
    pub millis: u64,
    /// The action, such as `CreateRoute` or `routes.insert`.
    pub action: String,
    /// What changed, such as `kubernetes-route-10-200-0-0-24 10.200.0.0/24 -> 10.240.0.30`.
    pub what: String,
}

/// All entries of one lab.
#[derive(Debug, Default)]
pub(crate) struct Log(Vec<LogEntry>);

impl Log {
    pub(crate) fn add(&mut self, since_start: Duration, action: &str, what: String) {
        let millis = u64::try_from(since_start.as_millis()).unwrap_or(u64::MAX);
        self.0.push(LogEntry { number: self.0.len() as u64 + 1, millis, action: action.to_owned(), what });
    }

    pub(crate) fn entries(&self) -> &[LogEntry] {
        &self.0
    }
}
