//! How many routes a table still takes, as far as is known.
//!
//! A table that is full refuses every creation that is under way, and sixty refusals tell no more than one. So as many
//! are sent side by side as there was room for when the table was read; the next ones go one at a time, each
//! after the answer to the one before. They are sent all the same, since the number may be wrong: it comes from the
//! topology, or from what clouds publish, and an account may have been given more. The first refusal ends it.
//!
//! A replacement that is made beside the old route needs room too, and gives it back. So replacements have a place of
//! their own, for which they wait, and many of them get through a table that has room for one. A creation keeps the room it
//! takes: one for which there is none but that place waits until every replacement has ended, or a table could be filled
//! to the brim with routes that are wrong. And a creation that is refused stops no replacement that has a place.
//!
//! Where nothing is known of a limit nothing is held back.

use std::iter::Sum;
use std::sync::atomic::{AtomicUsize, Ordering};

use kroutes_core::{Observation, Quota, TableId};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore, SemaphorePermit, watch};

/// How many routes are to be made under a limit.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Demand {
    /// Those that stay beside all that is there.
    pub(super) creations: usize,
    /// Those for which another one goes.
    pub(super) replacements: usize,
}

impl Sum for Demand {
    fn sum<I: Iterator<Item = Self>>(demands: I) -> Self {
        demands.fold(Self::default(), |all, one| Self {
            creations: all.creations + one.creations,
            replacements: all.replacements + one.replacements,
        })
    }
}

/// What one limit of one table leaves.
#[derive(Debug)]
pub(super) struct Room {
    table: TableId,
    /// The family that it counts, if it counts only one.
    ipv6: Option<bool>,
    for_creations: AtomicUsize,
    for_replacements: Option<Semaphore>,
    /// The replacements that have not ended.
    replacing: watch::Sender<usize>,
    /// Read by those for whom there is room, written by whoever tries beyond: he must not take a place that is theirs.
    order: RwLock<()>,
}

/// A change that may be tried, until this is dropped.
#[derive(Debug)]
pub(super) enum Place<'a> {
    /// There is room for it.
    Taken(#[expect(dead_code, reason = "held, not read")] RwLockReadGuard<'a, ()>),
    /// There is room for it, and others wait for that.
    Lent(
        #[expect(dead_code, reason = "held, not read")] SemaphorePermit<'a>,
        #[expect(dead_code, reason = "held, not read")] Replacing<'a>,
    ),
    /// Nobody knows, and nobody else tries meanwhile.
    Alone(
        #[expect(dead_code, reason = "held, not read")] RwLockWriteGuard<'a, ()>,
        #[expect(dead_code, reason = "held, not read")] Option<Replacing<'a>>,
    ),
}

impl Place<'_> {
    /// Whether it is one that only replacements have.
    pub(super) const fn is_lent(&self) -> bool {
        matches!(self, Self::Lent(..))
    }
}

/// A replacement, which ends when this is dropped, well or not.
#[derive(Debug)]
pub(super) struct Replacing<'a>(&'a watch::Sender<usize>);

impl Drop for Replacing<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|left| *left = left.saturating_sub(1));
    }
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
            replacing: watch::Sender::new(demand.replacements),
            order: RwLock::new(()),
        }
    }

    /// Comes back when one more route may be tried. `lasting` is one that stays beside all that is there; every other one
    /// that was announced has to come here, and must not wait for a lasting one.
    pub(super) async fn enter(&self, lasting: bool) -> Place<'_> {
        if !lasting {
            let replacing = Replacing(&self.replacing);
            if let Some(places) = &self.for_replacements
                && let Ok(place) = places.acquire().await
            {
                return Place::Lent(place, replacing);
            }
            return Place::Alone(self.order.write().await, Some(replacing));
        }
        let fits = |left: usize| left.checked_sub(1);
        if self.for_creations.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fits).is_ok() {
            return Place::Taken(self.order.read().await);
        }
        let mut replacing = self.replacing.subscribe();
        // It fails only without a sender, and the sender is our own. What it returns is a lock, and must not be kept.
        let _ended = replacing.wait_for(|left| *left == 0).await.is_ok();
        Place::Alone(self.order.write().await, None)
    }
}

/// What the limits of all tables leave.
#[derive(Debug, Default)]
pub(super) struct Rooms(Vec<Room>);

impl Rooms {
    /// As the tables were seen, and what is wanted of each family.
    pub(super) fn of(seen: &Observation, demand: impl Fn(&TableId, bool) -> Demand) -> Self {
        let tables = seen.tables.iter().filter_map(|reading| reading.table.as_ref().ok());
        let limits: Vec<_> =
            tables.flat_map(|table| table.quotas.iter().map(move |quota| (&table.id, quota))).collect();
        let meets =
            |table: &TableId, ipv6: bool| limits.iter().position(|(id, quota)| is_met(id, quota.ipv6, table, ipv6));
        let room = |(nth, (table, quota)): (usize, &(&TableId, &Quota))| {
            // Only those that will come to this room: for one that never comes others would wait in vain.
            let families = [false, true].into_iter().filter(|ipv6| meets(table, *ipv6) == Some(nth));
            Room::new(table, quota, families.map(|ipv6| demand(table, ipv6)).sum())
        };
        Self(limits.iter().enumerate().map(room).collect())
    }

    /// The limit that a new route of this family meets.
    pub(super) fn room(&self, table: &TableId, ipv6: bool) -> Option<&Room> {
        self.0.iter().find(|room| is_met(&room.table, room.ipv6, table, ipv6))
    }
}

/// Whether a limit, on a table and perhaps a family, is one that a route of this family meets.
fn is_met(limited: &TableId, counted: Option<bool>, table: &TableId, ipv6: bool) -> bool {
    limited == table && counted.is_none_or(|family| family == ipv6)
}
