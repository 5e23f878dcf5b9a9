//! All that the clones of one backend share.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::MemoryBackend;
use super::failure::{Call, Failure, Struck, Write};
use super::machine::Machines;
use super::store::Store;
use crate::{Destination, Error, TableId};

#[derive(Debug)]
pub(super) struct State {
    pub(super) tables: BTreeMap<TableId, Store>,
    pub(super) missing: Vec<(String, Error)>,
    pub(super) machines: Machines,
    pub(super) chance: fastrand::Rng,
    pub(super) failures: Vec<Failure>,
    pub(super) happenings: Vec<Happening>,
    pub(super) forbidden: bool,
    pub(super) writes: Vec<Write>,
    pub(super) calls: BTreeMap<Call, u32>,
    pub(super) under_way: HashMap<(TableId, Destination), usize>,
    pub(super) under_way_in_all: usize,
    pub(super) most_at_once: usize,
    pub(super) overlaps: Vec<Destination>,
}

/// What is to happen right before a call.
pub(super) struct Happening {
    pub(super) call: Call,
    pub(super) left: u32,
    pub(super) work: Box<dyn FnOnce(&MemoryBackend) + Send>,
}

impl fmt::Debug for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Happening").field("call", &self.call).field("left", &self.left).finish_non_exhaustive()
    }
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            tables: BTreeMap::new(),
            missing: Vec::new(),
            machines: Machines::new(),
            chance: fastrand::Rng::with_seed(0),
            failures: Vec::new(),
            happenings: Vec::new(),
            forbidden: false,
            writes: Vec::new(),
            calls: BTreeMap::new(),
            under_way: HashMap::new(),
            under_way_in_all: 0,
            most_at_once: 0,
            overlaps: Vec::new(),
        }
    }

    pub(super) fn count(&mut self, call: Call) {
        *self.calls.entry(call).or_default() += 1;
    }

    /// Every rule counts every call that it matches, whichever of them decides.
    pub(super) fn strike(
        &mut self,
        call: Call,
        table: Option<&TableId>,
        destination: Option<&Destination>,
    ) -> Option<Struck> {
        let chance = &mut self.chance;
        let mut decided = None;
        for failure in &mut self.failures {
            let struck = failure.strike(call, table, destination, || chance.u32(0..100));
            decided = decided.or(struck);
        }
        decided
    }

    /// What is due right before this call.
    pub(super) fn due(&mut self, call: Call) -> Vec<Happening> {
        for happening in self.happenings.iter_mut().filter(|happening| happening.call == call) {
            happening.left = happening.left.saturating_sub(1);
        }
        self.happenings.extract_if(.., |happening| happening.call == call && happening.left == 0).collect()
    }
}
