//! The contract of [`RouteBackend`](kroutes_core::RouteBackend) as named cases, and strategies for property tests.
//!
//! A contract that only prose holds drifts apart in as many directions as there are backends. Here each of its sentences
//! is a case with a name, and every backend runs all of them: what a case cannot try on a backend it says aloud, and
//! what a bench cannot arrange has to be listed by that bench, so that nothing is left out unnoticed.
//!
//! A provider's integration test is a [`Bench`] and one line:
//!
//! ```text
//! kroutes_testkit::conformance!(LabBench::default());
//! ```
//!
//! which makes one test per case. The property tests begin with [`worlds`].

pub mod bench;
pub mod cases;
mod suite;
pub mod worlds;

pub use bench::{Bench, Hook, Outside, Subject};
pub use suite::{Case, Outcome, Running, Skip, cases, run};
