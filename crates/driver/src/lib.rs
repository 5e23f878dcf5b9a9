//! From a topology file to a true route table.
//!
//! The half that reads: a topology is parsed once, strictly and to the line, laid under the environment, and judged, so
//! that what leaves this crate as a [`kroutes_core::Topology`] needs no second look.

mod file;
mod load;
mod reconcile;
mod report;

pub use load::{Diagnostic, Diagnostics, Loaded, Place, Problems, ProviderFormat, Section, Source, load, read_source};
pub use reconcile::{NotApplied, Planned, Progress, Reconciler, Settings, Watcher};
pub use report::{Outcome, Report, TableReport, Tally};
