//! Pod routes in EC2 route tables, through aws-sdk-ec2; what stacks export, through aws-sdk-cloudformation.
//!
//! A route here is an entry of an EC2 route table whose target is the worker's instance. Three properties of EC2 shape
//! the crate. Routes carry no mark, so ownership is read from what stands behind them: each foreign instance in the
//! cluster's range costs a look, and its fate has to be proved before anything of it is touched. There are no conditional
//! writes, so an answer that was lost is settled by reading. And calls are metered per action, so every attempt and every
//! page goes through the core's gate, and the SDK's own retries are off.
//!
//! What follows from the facts is decided in `kroutes-core`; this crate reports them and carries out single writes.

mod action;
mod associated;
mod backend;
mod client;
mod connector;
mod discover;
mod dry_run;
mod ec2;
mod errors;
mod examine;
mod exports;
mod findings;
mod instances;
mod known;
mod life;
mod machine;
mod node_id;
mod observe;
mod outside;
mod permissions;
mod routes;
mod settings;
mod sts;
mod table_refs;
mod tables;
mod whole;
mod writes;

pub use action::gate_settings;
pub use backend::AwsBackend;
pub use client::Connection;
pub use node_id::node_id;
pub use permissions::{Needs, Permission, permissions, policy};
pub use settings::{AwsSettings, AwsWorker, InstanceRef, SourceDestCheck};
pub use table_refs::TableRef;
