//! Pod routes in VPC networks of Google Cloud, next hop by address.
//!
//! Everything that makes Google Cloud different stays in here. A route cannot be changed, so replacing is making the new one
//! beside the old; a route has a name that is unique in the project and says nothing; a route can carry a mark, its
//! description, so whose it is needs no guessing; and a write is answered with a promise, an operation that may still fail.
//! What follows from a fact is decided in `kroutes-core`; this crate reports facts and carries out single writes.
//!
//! Every request goes through the [`Gate`](kroutes_core::Gate), with the allowances that Google publishes
//! ([`gate_settings`]). Requests go to one endpoint and nowhere else: links in answers are compared and never followed.

mod action;
mod backend;
mod client;
mod credentials;
mod discover;
mod errors;
mod examine;
mod findings;
mod handwork;
mod http;
mod instances;
mod links;
mod names;
mod node_id;
mod observe;
mod operations;
mod permissions;
mod routes;
mod settings;
mod wire;
mod writers;
mod writes;

pub use action::gate_settings;
pub use backend::{Connection, GcpBackend};
pub use handwork::{mark, route_name};
pub use names::Template;
pub use node_id::node_id;
pub use permissions::role;
pub use settings::{GcpSettings, GcpWorker, InstanceRef, Resolved};
