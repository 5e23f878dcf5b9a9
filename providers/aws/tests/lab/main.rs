//! The provider against a model cloud: the real SDK, real sockets, and every sort of trouble in between.

mod bench;
mod examining;
mod reading;
mod sources;
mod trouble;
mod writing;
