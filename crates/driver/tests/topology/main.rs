//! Reading topologies: what loads, and what is said of what does not.
//!
//! Messages are compared whole. They are most of what a user gets from this code, and a caret one column off is a fault.

mod environment;
mod files;
mod fuzz;
mod messages;
mod node_prefix;
mod source;
mod stand_in;
