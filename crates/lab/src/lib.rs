//! A model cloud on loopback that speaks the query protocols of EC2 and `CloudFormation`, and Compute Engine's REST.
//!
//! Somebody who learns should see routes come and go without a cloud bill, and a test should meet the real SDK on a real
//! socket. Both need an endpoint that behaves as the real ones do where a route provisioner could be hurt: canonical
//! ranges, routes that turn into black holes, operations that fail after they were accepted, quotas, throttling, listings
//! that lag, answers that never arrive. Where behaviour is documented the lab follows the document; what it leaves out,
//! it refuses by name instead of pretending.
//!
//! The cloud itself ([`model`]) knows no HTTP; the protocols know no rules, and none of them knows how requests are
//! counted, faulted and remembered. [`Lab`] joins them, on one port.
//!
//! ```
//! use kroutes_lab::{Fault, FaultKind, Lab, Options, Seed, SeedInstance};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let seed = Seed { instances: vec![SeedInstance::named("worker-0")], ..Seed::default() };
//! let lab = Lab::start(seed, Options::default()).await?;
//! lab.add_fault(Fault::new(FaultKind::DropAfter).on("CreateRoute").times(1));
//! // Point AWS_ENDPOINT_URL at lab.endpoint(), sign for lab.region() with any key, and afterwards:
//! assert_eq!(lab.calls().get("CreateRoute"), None);
//! lab.change(|cloud| cloud.terminate(&cloud.instance_named("worker-0").unwrap_or_default()));
//! # Ok(())
//! # }
//! ```
//!
//! Whoever is not in the same process finds counts and faults under `/_lab/` of the endpoint; `GET /_lab/` explains it.

mod buckets;
mod build;
mod build_network;
mod build_stacks;
mod cloudformation;
mod compute;
mod control;
mod dialect;
mod ec2;
mod faults;
mod history;
mod identity;
mod lab;
mod layout;
mod layout_network;
mod log;
mod matching;
pub mod model;
mod options;
mod policy;
mod query;
mod seed;
mod seed_network;
mod server;
mod state;
mod sts;
mod world;

pub use faults::{Fault, FaultKind};
pub use lab::Lab;
pub use log::LogEntry;
pub use model::Cloud;
pub use options::{IdenticalCreate, Options};
pub use policy::allowed_by_policy;
pub use seed::{Seed, SeedExport, SeedInstance, SeedSubnet, SeedTable, TableWish};
pub use seed_network::{SeedMachine, SeedNetwork, SeedSubnetwork};
