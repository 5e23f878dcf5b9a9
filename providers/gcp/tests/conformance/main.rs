//! The contract, on Compute Engine: real requests over real sockets, against a model cloud that behaves as Compute is
//! documented to.
//!
//! The same sentences hold in memory. What they meet here besides is everything between a call and its effect: the wire
//! format, operations that end later than they are answered, the error reasons, the gate's retries, answers that never
//! arrive. The settings are the things that Google's documents leave open or that differ from day to day: how late a
//! listing is, how long an operation takes, and how a listing is cut into pages.
//!
//! The lag is there twice: once so short that the next listing but one has it all, and once so long that it outlasts several
//! calls in a row, so that whatever the provider itself lists after a write is stale.

mod bench;
mod hands;

use std::time::Duration;

use kroutes_lab::Options;

use crate::bench::{Vpc, options};

mod by_default {
    use super::*;
    kroutes_testkit::conformance!(Vpc::new(options()));
}

mod with_a_lag_of_several_calls {
    use super::*;
    kroutes_testkit::conformance!(Vpc::new(Options { lag: Duration::from_millis(150), ..options() }));
}

mod where_operations_take_their_time {
    use super::*;
    kroutes_testkit::conformance!(Vpc::new(Options {
        operation_delay: Duration::from_millis(40),
        lag: Duration::from_millis(30),
        ..options()
    }));
}

mod where_pages_may_be_empty {
    use super::*;
    kroutes_testkit::conformance!(Vpc::new(Options { empty_pages: true, ..options() }));
}

mod where_the_topology_gives_every_address {
    use super::*;
    kroutes_testkit::conformance!(Vpc::new(options()).with_every_address());
}
