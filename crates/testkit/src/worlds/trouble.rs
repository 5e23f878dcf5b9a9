//! What goes wrong with calls, as data.

use kroutes_core::memory::{Call, Failure};
use kroutes_core::{Error, ErrorKind};
use proptest::prelude::*;

/// Some calls that fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trouble {
    /// Which.
    pub call: Call,
    /// From which of them on, counted from 1.
    pub from: u32,
    /// How many.
    pub times: u32,
    /// How.
    pub kind: ErrorKind,
    /// Whether they take effect all the same. Such an answer is always one that never came.
    pub after_the_effect: bool,
}

impl Trouble {
    /// The rule for a memory backend.
    pub fn failure(&self) -> Failure {
        let failure = Failure::of(self.call, Error::new(self.kind, format!("`{:?}` is in trouble", self.call)));
        let failure = failure.from_nth(self.from).times(self.times);
        if self.after_the_effect { failure.after_the_effect() } else { failure }
    }
}

/// Up to four troubles, each of which passes.
pub fn troubles() -> impl Strategy<Value = Vec<Trouble>> {
    let kinds = prop_oneof![
        3 => Just(ErrorKind::Unavailable),
        2 => Just(ErrorKind::RateLimited),
        1 => Just(ErrorKind::Unexpected),
        1 => Just(ErrorKind::PermissionDenied),
        1 => Just(ErrorKind::QuotaExceeded),
        1 => Just(ErrorKind::Unauthenticated),
    ];
    let one = (prop::sample::select(&Call::ALL[..]), 1u32..20, 1u32..5, kinds, any::<bool>()).prop_map(
        |(call, from, times, kind, after)| {
            let after_the_effect = after && kind == ErrorKind::Unavailable && Call::WRITES.contains(&call);
            Trouble { call, from, times, kind, after_the_effect }
        },
    );
    prop::collection::vec(one, 0..4)
}
