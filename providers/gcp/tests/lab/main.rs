//! The provider against a model cloud: real requests, real sockets, and every sort of trouble in between. What the contract
//! says is tried by the conformance suite; this is what it does not say.

mod asking;
mod bench;
mod credentials;
mod deleting;
mod examining;
mod killed_runs;
mod names;
mod no_answers;
mod observing;
mod operations;
mod pages;
mod replacing;
mod strange_answers;
mod stub;
mod trouble;
