//! What goes wrong on demand, and what was attempted.
//!
//! Failures are counted, not timed, and chance comes from a seed: a test that failed once fails again. Each says whether
//! it strikes before the effect or after it, because the two look alike from outside and call for different answers.

use crate::{Destination, Error, ErrorKind, Fix, NextHop, ObservedRoute, Result, TableId};

/// One sort of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Call {
    /// `observe`.
    Observe,
    /// `list_routes`.
    List,
    /// One page of a table's listing, whether for `observe` or for `list_routes`.
    Page,
    /// `create_route`.
    Create,
    /// `replace_route`.
    Replace,
    /// `delete_route`.
    Delete,
    /// `fix`.
    Fix,
}

impl Call {
    /// Every sort there is.
    pub const ALL: [Self; 7] =
        [Self::Observe, Self::List, Self::Page, Self::Create, Self::Replace, Self::Delete, Self::Fix];

    /// The sorts that change something.
    pub const WRITES: [Self; 4] = [Self::Create, Self::Replace, Self::Delete, Self::Fix];
}

/// A rule by which calls fail.
#[derive(Debug, Clone)]
pub struct Failure {
    calls: Vec<Call>,
    table: Option<TableId>,
    destination: Option<Destination>,
    first: u32,
    times: u32,
    percent: u32,
    after: bool,
    error: Error,
    seen: u32,
}

impl Failure {
    /// The next call of that sort fails with `error`, before it has any effect.
    pub fn of(call: Call, error: Error) -> Self {
        Self::of_any([call], error)
    }

    /// The next call of any of those sorts fails with `error`, before it has any effect.
    pub fn of_any(calls: impl IntoIterator<Item = Call>, error: Error) -> Self {
        let calls = calls.into_iter().collect();
        Self { calls, table: None, destination: None, first: 1, times: 1, percent: 100, after: false, error, seen: 0 }
    }

    /// The `n`th matching call from now is the first that fails, counted from 1.
    #[must_use]
    pub const fn from_nth(mut self, n: u32) -> Self {
        self.first = n;
        self
    }

    /// So many matching calls may fail, one after the other.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// Every matching call fails from there on, until [`clear_failures`](super::MemoryBackend::clear_failures).
    #[must_use]
    pub const fn for_ever(self) -> Self {
        self.times(u32::MAX)
    }

    /// Each matching call fails with this chance in percent, drawn from the backend's seed; instead of surely.
    #[must_use]
    pub const fn chance(mut self, percent: u32) -> Self {
        self.percent = percent;
        self
    }

    /// Only calls about this table match.
    #[must_use]
    pub fn on_table(mut self, table: &TableId) -> Self {
        self.table = Some(table.clone());
        self
    }

    /// Only writes about this destination match.
    #[must_use]
    pub fn on(mut self, destination: Destination) -> Self {
        self.destination = Some(destination);
        self
    }

    /// The call takes effect, and only its answer is lost: the error is ambiguous.
    #[must_use]
    pub fn after_the_effect(mut self) -> Self {
        self.after = true;
        self.error = self.error.with_ambiguous(true);
        self
    }

    /// The error with which a matching call fails, if this one does. `roll` draws from 0 to 99.
    pub(super) fn strike(
        &mut self,
        call: Call,
        table: Option<&TableId>,
        destination: Option<&Destination>,
        roll: impl FnOnce() -> u32,
    ) -> Option<Struck> {
        let matches = self.calls.contains(&call)
            && self.table.as_ref().is_none_or(|wanted| Some(wanted) == table)
            && self.destination.as_ref().is_none_or(|wanted| Some(wanted) == destination);
        if !matches {
            return None;
        }
        self.seen = self.seen.saturating_add(1);
        if self.seen < self.first
            || self.seen - self.first >= self.times
            || (self.percent < 100 && roll() >= self.percent)
        {
            return None;
        }
        Some(Struck { error: self.error.clone(), after: self.after })
    }
}

/// A failure that has been drawn for one call.
#[derive(Debug)]
pub(super) struct Struck {
    pub(super) error: Error,
    pub(super) after: bool,
}

/// One attempt to change something.
#[derive(Debug, Clone)]
pub struct Write {
    /// Which method.
    pub call: Call,
    /// Which table, where the write names one.
    pub table: Option<TableId>,
    /// Which destination, where the write names one.
    pub destination: Option<Destination>,
    /// The route that was to be replaced or deleted.
    pub from: Option<ObservedRoute>,
    /// Where the new route was to lead.
    pub to: Option<NextHop>,
    /// The fix.
    pub fix: Option<Fix>,
    /// How it ended: `None` while it is on its way or if it was dropped there.
    pub outcome: Option<Result<(), ErrorKind>>,
}
