//! A model cloud on loopback that speaks EC2's query protocol.
//!
//! Somebody who learns should see routes come and go without a cloud bill, and a test should meet the real SDK on a real
//! socket. Both need an endpoint that behaves as EC2 does where a route provisioner could be hurt: canonical ranges,
//! routes that turn into black holes, quotas, throttling, listings that lag, answers that never arrive. Where behaviour
//! is documented the lab follows the document; what it leaves out, it refuses by name instead of pretending.
//!
//! The cloud itself ([`model`]) knows no HTTP; the endpoint knows no rules. [`Lab`] joins the two and counts.
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
mod control;
mod ec2;
mod faults;
mod history;
mod lab;
mod layout;
pub mod model;
mod options;
mod seed;
mod server;
mod state;

pub use faults::{Fault, FaultKind};
pub use lab::Lab;
pub use model::Cloud;
pub use options::{IdenticalCreate, Options};
pub use seed::{Seed, SeedInstance, SeedSubnet, SeedTable, TableWish};
