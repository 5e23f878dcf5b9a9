//! The vocabulary, the contract and the decisions of kroutes.
//!
//! Nothing here knows a cloud, HTTP, TOML or a command line. What is decided is decided by pure functions over plain
//! values; the only file that knows time is `gate`.

mod backend;
mod change;
mod check;
mod cidr;
mod error;
mod gate;
mod guard;
mod machine_data;
pub mod memory;
mod ownership;
mod plan;
mod route;
mod topology;
mod verify;

pub use backend::{
    Capabilities, Claim, Discovered, Finding, Fix, Observation, Quota, RangeFrom, Reading, RouteBackend, Selector,
    Severity, Table, TableId,
};
pub use change::{Change, Conflict, DeleteReason, ReplaceReason};
pub use check::{Check, CheckGroup, CheckStatus};
pub use cidr::{CidrError, ClusterCidr, PodCidr, overlap};
pub use error::{Error, ErrorKind, Result};
pub use gate::{Bucket, Gate, GateSettings, Repeat, Stopper};
pub use guard::{Held, INCOMPLETE, MaxDeletes, NO_WORKERS, TOO_MANY, guard};
pub use machine_data::{pod_cidr_in, pod_cidr_list};
pub use memory::MemoryBackend;
pub use ownership::{ClaimRefusal, ClaimState, Foreign, Judge, Ours, Owner};
pub use plan::{Plan, PlannedTable, Policy, TablePlan};
pub use route::{Destination, Life, NextHop, ObservedRoute, Origin, Route, RouteState, Target};
pub use topology::{
    Cluster, ClusterName, Fault, LeftOut, MachineRef, NameError, NodeId, Subject, Topology, Worker, WorkerName,
};
pub use verify::{Reachability, RouteVerdict, Status, Verdict};
