//! The vocabulary, the contract and the decisions of kroutes.
//!
//! Nothing here knows a cloud, HTTP, TOML or a command line. What is decided is decided by pure functions over plain
//! values; the only file that knows time is `gate`.

mod backend;
mod cidr;
mod error;
mod route;
mod topology;

pub use backend::{
    Capabilities, Claim, Finding, Fix, Observation, Quota, Reading, RouteBackend, Severity, Table, TableId,
};
pub use cidr::{CidrError, ClusterCidr, PodCidr, overlap};
pub use error::{Error, ErrorKind, Result};
pub use route::{Destination, Life, NextHop, ObservedRoute, Origin, Route, RouteState, Target};
pub use topology::{Cluster, ClusterName, Fault, MachineRef, NameError, Subject, Topology, Worker, WorkerName};
