//! One module for each thing that a user relies on.

mod budgets;
mod campaign;
mod claims;
mod commands;
mod conflicts;
mod examples;
mod exports;
mod faults;
mod foreign;
mod gcp;
mod graph;
mod input;
mod interrupts;
mod labs;
mod outages;
mod pipes;
mod readme;
mod secrets;
mod sources;
mod trouble;
mod tutorial;
mod workers;
mod world;
