//! One module for each thing that a user relies on.

mod budgets;
mod claims;
mod commands;
mod conflicts;
mod examples;
mod faults;
mod foreign;
mod gcp;
mod input;
mod interrupts;
mod pipes;
mod readme;
mod secrets;
mod trouble;
mod workers;
mod world;
