//! The same program on Google Cloud, where everything below it differs: routes that cannot be changed, names, marks,
//! operations that fail after they were accepted, and tokens.

mod budgets;
mod changes;
mod commands;
mod credentials;
mod faults;
mod foreign;
mod input;
mod interrupts;
mod secrets;
mod throttling;
mod trouble;
mod workers;
