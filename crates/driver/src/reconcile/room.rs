//! How many routes a table still takes, as far as is known.
//!
//! A table that is full refuses every creation that is under way, and sixty refusals tell no more than one. So as many
//! are sent side by side as there was room for when the table was read; the next ones go one at a time, each
//! after the answer to the one before. They are sent all the same, since the number may be wrong: it comes from the
//! topology, or from what clouds publish, and an account may have been given more. The first refusal ends it.
//!
//! A replacement that is made beside the old route needs room too, and gives it back. So replacements have a place of
//! their own, for which they wait, and many of them get through a table that has room for one.
//!
//! Where nothing is known of a limit nothing is held back.

use std::sync::atomic::{AtomicUsize, Ordering};

use kroutes_core::{Observation, Quota, TableId};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore, SemaphorePermit};

/// How many routes are to be made under a limit.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Demand {
    /// Those that stay beside all that is there.
    pub(super) creations: usize,
    /// Those for which another one goes.
    pub(super) replacements: usize,
}

/// What one limit of one table leaves.
#[derive(Debug)]
pub(super) struct Room {
    table: TableId,
    /// The family that it counts, if it counts only one.
    ipv6: Option<bool>,
    for_creations: AtomicUsize,
    for_replacements: Option<Semaphore>,
    /// Read by those for whom there is room, written by whoever tries beyond: he must not take a place that is theirs.
    order: RwLock<()>,
}

/// A change that may be tried, until this is dropped.
#[derive(Debug)]
pub(super) enum Place<'a> {
    /// There is room for it.
    Taken(#[expect(dead_code, reason = "held, not read")] RwLockReadGuard<'a, ()>),
    /// There is room for it, and others wait for that.
    Lent(#[expect(dead_code, reason = "held, not read")] SemaphorePermit<'a>),
    /// Nobody knows, and nobody else tries meanwhile.
    Alone(#[expect(dead_code, reason = "held, not read")] RwLockWriteGuard<'a, ()>),
}

impl Room {
    fn new(table: &TableId, quota: &Quota, demand: Demand) -> Self {
        let left = usize::try_from(quota.limit.saturating_sub(quota.used)).unwrap_or(usize::MAX);
        let for_creations = if demand.replacements == 0 { left } else { left.saturating_sub(1).min(demand.creations) };
        let spare = (left - for_creations).min(demand.replacements);
        Self {
            table: table.clone(),
            ipv6: quota.ipv6,
            for_creations: AtomicUsize::new(for_creations),
            for_replacements: (spare > 0).then(|| Semaphore::new(spare)),
            order: RwLock::new(()),
        }
    }

    /// Comes back when one more route may be tried. `lasting` is one that stays beside all that is there.
    pub(super) async fn enter(&self, lasting: bool) -> Place<'_> {
        if lasting {
            let fits = |left: usize| left.checked_sub(1);
            if self.for_creations.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fits).is_ok() {
                return Place::Taken(self.order.read().await);
            }
        } else if let Some(places) = &self.for_replacements
            && let Ok(place) = places.acquire().await
        {
            return Place::Lent(place);
        }
        Place::Alone(self.order.write().await)
    }
}

/// What the limits of all tables leave.
#[derive(Debug, Default)]
pub(super) struct Rooms(Vec<Room>);

impl Rooms {
    /// As the tables were seen, and what is wanted of each family, or of both.
    pub(super) fn of(seen: &Observation, demand: impl Fn(&TableId, Option<bool>) -> Demand) -> Self {
        let tables = seen.tables.iter().filter_map(|reading| reading.table.as_ref().ok());
        let limits = tables.flat_map(|table| table.quotas.iter().map(move |quota| (&table.id, quota)));
        Self(limits.map(|(id, quota)| Room::new(id, quota, demand(id, quota.ipv6))).collect())
    }

    /// The limit that a new route of this family meets.
    pub(super) fn room(&self, table: &TableId, ipv6: bool) -> Option<&Room> {
        self.0.iter().find(|room| room.table == *table && room.ipv6.is_none_or(|family| family == ipv6))
    }
}
