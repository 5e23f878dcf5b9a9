//! The contract, on EC2: the real SDK over real sockets, against a model cloud that behaves as EC2 is documented to.
//!
//! The same sentences hold in memory. What they meet here besides is everything between a call and its effect: the wire
//! format, the error codes, the gate's retries, answers that never arrive. The settings are the things that EC2's documents
//! leave open or that differ from day to day: how late a listing is, and what a repeated `CreateRoute` is told.
//!
//! The lag is there twice. "Nothing came of it" can only be said once a listing would show it, and the suite waits forty
//! milliseconds for that, so the shorter lag is one that it outlasts. The longer one outlasts several calls in a row, so
//! that whatever the provider itself reads after a write is stale.

mod bench;
mod canonical;
mod hands;
mod pages;

use std::time::Duration;

use kroutes_lab::{IdenticalCreate, Options};

use crate::bench::{Ec2, options};

mod by_default {
    use super::*;
    kroutes_testkit::conformance!(Ec2::new(options()));
}

mod with_a_lag_that_the_suite_waits_out {
    use super::*;
    kroutes_testkit::conformance!(Ec2::new(Options { lag: Duration::from_millis(30), ..options() }));
}

mod with_a_lag_of_several_calls {
    use super::*;
    kroutes_testkit::conformance!(Ec2::new(Options { lag: Duration::from_millis(150), ..options() }));
}

mod where_creating_again_is_accepted {
    use super::*;
    kroutes_testkit::conformance!(Ec2::new(Options { identical_create: IdenticalCreate::Accept, ..options() }));
}
