//! The sentences of the contract, by the part of it that they are about.
//!
//! A case gets a bench, makes a world of its own with it, and panics where the contract is broken. Cases whose sentence
//! was learnt from somebody else's bug name the thread.

// What a case returns is no error: it says why it did not run, which `Skip` explains once for all of them.
#![allow(clippy::missing_errors_doc)]

pub mod creating;
pub mod deleting;
pub mod fixing;
pub mod listing;
pub mod observing;
pub mod replacing;
