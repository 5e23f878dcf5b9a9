//! The reference implementation of [`RouteBackend`](crate::RouteBackend): a cloud in memory.
//!
//! It has two uses. It says in code what the contract's sentences mean, and so the conformance suite runs on it first; and
//! it is the world in which plan, apply, verify and destroy are tested, with everything going wrong that goes wrong in a
//! cloud: other writers, failures before and after the effect, listings that lag, machines that end, a quota.
//!
//! It is deterministic: lag is counted in listings, failures in calls, and chance comes from a seed. A handle is cheap to
//! clone and all clones are one cloud, so a test keeps one while the driver works with another. What is called through
//! the trait is counted, metered and may fail; what a test does by the inherent methods is the world's own doing:
//! seen at once, never counted, never recorded as a write.

mod character;
mod failure;
mod machine;
mod serve;
mod state;
mod store;
mod world;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use character::{Character, HopStyle};
pub use failure::{Call, Failure, Write};
pub use machine::Machine;
pub use store::Moment;

use state::{Happening, State};
use store::Store;

use crate::{Claim, Destination, Error, ObservedRoute, TableId};

/// A cloud in memory. Clones share it.
#[derive(Clone)]
pub struct MemoryBackend {
    character: Character,
    state: Arc<Mutex<State>>,
}

impl fmt::Debug for MemoryBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        let tables: Vec<_> = state.tables.iter().map(|(id, store)| (id, &store.now().routes)).collect();
        f.debug_struct("MemoryBackend")
            .field("character", &self.character)
            .field("tables", &tables)
            .field("machines", &state.machines)
            .finish_non_exhaustive()
    }
}

impl MemoryBackend {
    /// A cloud without tables or machines.
    pub fn new(character: Character) -> Self {
        Self { character, state: Arc::new(Mutex::new(State::new())) }
    }

    /// What it is like.
    pub const fn character(&self) -> &Character {
        &self.character
    }

    /// Draws chance from this seed from now on. The seed is 0 until then.
    pub fn set_seed(&self, seed: u64) {
        self.state().chance = fastrand::Rng::with_seed(seed);
    }

    /// Adds an empty table, which every observation shows from then on.
    pub fn add_table(&self, id: impl Into<String>) -> TableId {
        let id = TableId(id.into());
        self.state().tables.insert(id.clone(), Store::new(self.character.quota));
        id
    }

    /// A table that the topology asks for and that is not there: observations report `error` in its place.
    pub fn add_missing_table(&self, wanted: impl Into<String>, error: Error) {
        self.state().missing.push((wanted.into(), error));
    }

    /// Makes every reading of a table fail, or work again.
    pub fn set_unreadable(&self, table: &TableId, error: Option<Error>) {
        self.store(table, |store| store.unreadable = error);
    }

    /// The tables there are, by id.
    pub fn tables(&self) -> Vec<TableId> {
        self.state().tables.keys().cloned().collect()
    }

    /// The first table.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn table(&self) -> TableId {
        self.tables().into_iter().next().expect("a memory backend with a table")
    }

    /// What a table really holds now, lag or not.
    pub fn routes(&self, table: &TableId) -> Vec<ObservedRoute> {
        let state = self.state();
        let Some(store) = state.tables.get(table) else { return Vec::new() };
        store.now().routes.iter().map(|route| machine::as_shown(route, &state.machines)).collect()
    }

    /// The claims that a table really bears now, lag or not.
    pub fn claims(&self, table: &TableId) -> Vec<Claim> {
        self.state().tables.get(table).map(|store| store.now().claims.clone()).unwrap_or_default()
    }

    /// Somebody else adds a route. Where routes have names and this one has none, it gets one.
    pub fn plant(&self, table: &TableId, mut route: ObservedRoute) {
        self.store(table, |store| {
            if self.character.names && route.name.is_none() {
                let ordinal = store.now().routes.len();
                route.name = Some(format!("somebody-{ordinal}-{}", store.moments().len()));
            }
            store.mutate(0, |moment| moment.routes.push(Arc::new(route)));
        });
    }

    /// Somebody else removes every route to a destination. How many there were.
    pub fn uproot(&self, table: &TableId, destination: &Destination) -> usize {
        self.edit(table, |routes| {
            let before = routes.len();
            routes.retain(|route| route.destination != *destination);
            before - routes.len()
        })
    }

    /// Somebody else changes a table.
    pub fn edit<T>(&self, table: &TableId, change: impl FnOnce(&mut Vec<ObservedRoute>) -> T) -> T {
        let mut routes = self.routes(table);
        let result = change(&mut routes);
        self.store(table, |store| store.mutate(0, |moment| moment.routes = routes.into_iter().map(Arc::new).collect()));
        result
    }

    /// Somebody writes a claim, in place of one of the same name.
    pub fn set_claim(&self, table: &TableId, claim: Claim) {
        self.store(table, |store| {
            store.mutate(0, |moment| {
                moment.claims.retain(|other| other.cluster != claim.cluster);
                moment.claims.push(claim);
            });
        });
    }

    /// How many routes a table may hold from now on.
    pub fn set_quota(&self, table: &TableId, routes: u32) {
        self.store(table, |store| store.quota = routes);
    }

    /// What a table held after each mutation, the first being what it began with. Failed writes leave none, a replacement
    /// that is not atomic leaves two.
    pub fn history(&self, table: &TableId) -> Vec<Moment> {
        self.state().tables.get(table).map(|store| store.moments().to_vec()).unwrap_or_default()
    }

    /// How often a destination that had a route stood without one, and had one again later.
    pub fn gaps(&self, table: &TableId, destination: &Destination) -> usize {
        let held: Vec<bool> = self.history(table).iter().map(|moment| moment.holds(destination)).collect();
        let from = held.iter().position(|held| *held).unwrap_or(held.len());
        let to = held.iter().rposition(|held| *held).unwrap_or(from);
        held.get(from..to).unwrap_or_default().windows(2).filter(|pair| pair[0] && !pair[1]).count()
    }

    /// Makes calls fail from now on. Of several rules that match a call the first one decides.
    pub fn fail(&self, failure: Failure) {
        self.state().failures.push(failure);
    }

    /// Forgets every rule by which calls fail.
    pub fn clear_failures(&self) {
        self.state().failures.clear();
    }

    /// Lets something happen right before the `nth` call of that sort from now takes effect, counted from 1: another
    /// writer between a listing and a write.
    pub fn before(&self, call: Call, nth: u32, work: impl FnOnce(&Self) + Send + 'static) {
        self.state().happenings.push(Happening { call, left: nth, work: Box::new(work) });
    }

    /// From now on a write is a bug of the caller's: it panics. For what must only ever read.
    pub fn forbid_writes(&self) {
        self.state().forbidden = true;
    }

    /// Allows writes again.
    pub fn allow_writes(&self) {
        self.state().forbidden = false;
    }

    /// Every attempt to change something, in the order in which they came, failed ones included.
    pub fn writes(&self) -> Vec<Write> {
        self.state().writes.clone()
    }

    /// How many calls of that sort came.
    pub fn calls(&self, call: Call) -> u32 {
        self.state().calls.get(&call).copied().unwrap_or_default()
    }

    /// The destinations for which a write began before another one had ended, each as often as that happened.
    pub fn overlaps(&self) -> Vec<Destination> {
        self.state().overlaps.clone()
    }

    /// The most writes that were ever on their way at once.
    pub fn most_at_once(&self) -> usize {
        self.state().most_at_once
    }

    /// Forgets writes, counts, overlaps and history, so that what comes next can be judged by itself.
    pub fn start_afresh(&self) {
        let mut state = self.state();
        state.writes.clear();
        state.calls.clear();
        state.overlaps.clear();
        state.most_at_once = 0;
        state.tables.values_mut().for_each(Store::begin);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under the lock is a failed test already; its handle should still be printable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store<T>(&self, table: &TableId, work: impl FnOnce(&mut Store) -> T) -> T {
        let mut state = self.state();
        work(state.tables.get_mut(table).unwrap_or_else(|| panic!("no table `{table}` in this memory backend")))
    }
}

#[cfg(test)]
mod tests;
