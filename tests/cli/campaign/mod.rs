//! Campaigns: not one thing that may go wrong, but each one of a sort, in a world of its own.
//!
//! A campaign has more cases than anybody waits for at every change, so without a word each runs a sample by a seed that it
//! prints; `KROUTES_CAMPAIGN=all` runs every case, and `KROUTES_CAMPAIGN=` with the name of a case, as a failure prints it,
//! that one alone. `KROUTES_CAMPAIGN_SEED` gives the seed.

mod crash;
mod faults;
mod truth;
