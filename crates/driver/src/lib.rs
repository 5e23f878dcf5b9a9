//! From a topology file to a true route table.
//!
//! The half that reads: a topology is parsed once, strictly and to the line, laid under the environment, and judged, so
//! that what leaves this crate as a [`kroutes_core::Topology`] needs no second look. Where the workers are not in the file,
//! they are asked of a [`source`].

pub mod doctor;
mod file;
mod load;
mod reconcile;
mod report;
mod saved;
pub mod source;

pub use load::{
    Diagnostic, Diagnostics, Loaded, Place, Problems, ProviderFormat, Section, Source, load, read_source, suggest,
};
pub use reconcile::{NotApplied, Planned, Progress, Reconciler, Settings, Watcher};
pub use report::{Outcome, Report, TableReport, Tally};
pub use saved::{MadeFrom, Moved, SavedOptions, SavedPlan, Unusable};
pub use source::{Found, SourceKind, SourceSpec};
