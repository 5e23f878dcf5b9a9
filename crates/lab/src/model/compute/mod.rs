//! One project of Compute Engine as data, and its rules as methods. No HTTP, no JSON, no clock.
//!
//! What Compute derives is derived here too, never stored: a route's warnings follow from who has the address that it
//! leads to, so a test that deletes a machine behind the API's back sees what it would see after `instances.delete`.
//! Subnet routes and the default route are resources like any other, since `routes.list` shows them all.
//!
//! Writes are operations: a request is judged in part when it comes (name, form, permission) and takes effect, or fails,
//! when its operation ends. Until then the operation carries the effect. Time is handed in.

mod machines;
mod networks;
mod operations;
mod routes;
mod warnings;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::SystemTime;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

pub use operations::Asked;
pub use routes::NewRoute;
pub use warnings::{NextHops, Warning};

use super::{Refusal, Shelf};

/// A VPC network.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// Its number, which Compute shows as a decimal text.
    pub id: u64,
    /// Text for people.
    pub description: String,
}

/// A subnetwork: a range of a network in one region.
#[derive(Debug, Clone)]
pub struct Subnetwork {
    /// Its number.
    pub id: u64,
    /// The network's name.
    pub network: String,
    /// Its range.
    pub range: Ipv4Net,
    /// Its IPv6 range.
    pub ipv6_range: Option<Ipv6Net>,
}

/// One interface of a machine.
#[derive(Debug, Clone)]
pub struct Nic {
    /// The network's name.
    pub network: String,
    /// The subnetwork's key, `REGION/NAME`.
    pub subnetwork: String,
    /// The primary internal address: the only IPv4 address that a route's next hop may be.
    pub address: Ipv4Addr,
    /// The IPv6 address.
    pub ipv6: Option<Ipv6Addr>,
    /// Alias ranges.
    pub aliases: Vec<Ipv4Net>,
}

/// Where a machine is in its life (Compute Engine API, `Instance.status`). `Terminated` is Compute's word for stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "Compute's own words")]
pub enum Status {
    Provisioning,
    Staging,
    Running,
    Stopping,
    Terminated,
    Suspended,
}

/// A VM.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Its number.
    pub id: u64,
    /// Where it is in its life.
    pub status: Status,
    /// Whether it may forward packets that are not addressed to it.
    pub can_ip_forward: bool,
    /// Its interfaces, the primary one first.
    pub nics: Vec<Nic>,
    /// Metadata items.
    pub metadata: super::Tags,
    /// Labels.
    pub labels: super::Tags,
    /// Network tags.
    pub tags: Vec<String>,
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hop {
    /// `nextHopIp`.
    Address(IpAddr),
    /// `nextHopInstance`: the machine's key, `ZONE/NAME`.
    Machine(String),
    /// `nextHopGateway`, such as `default-internet-gateway`.
    Gateway(String),
    /// `nextHopNetwork`: a subnet route; the network's name.
    Network(String),
    /// `nextHopVpnTunnel`: the tunnel's key, `REGION/NAME`.
    VpnTunnel(String),
    /// `nextHopIlb`: an address or a forwarding rule.
    Ilb(String),
    /// `nextHopPeering`: the peering's name.
    Peering(String),
}

/// A route of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Its number: another one when it is made anew under the same name.
    pub id: u64,
    /// The network's name.
    pub network: String,
    /// The destination, canonical.
    pub destination: IpNet,
    /// The lower wins.
    pub priority: u32,
    /// Free text, the only place for a mark.
    pub description: String,
    /// Network tags of the VMs to which it applies; all without any.
    pub tags: Vec<String>,
    /// Where it leads.
    pub hop: Hop,
    /// When it was made.
    pub created: SystemTime,
}

/// What an operation does to its target when it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Adds this route under the target's name.
    Insert(Box<Route>),
    /// Deletes the route of the target's name.
    Delete,
    /// Moves the machine of the target's key on; `None` deletes it.
    Machine(Option<Status>),
}

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "Compute's own words")]
pub enum Phase {
    Pending,
    Running,
    Done,
}

/// Why an operation failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Compute's code, such as `QUOTA_EXCEEDED`.
    pub code: String,
    /// The text for people.
    pub message: String,
    /// What the HTTP status would have been.
    pub status: u16,
    /// The quota's metric and limit, where it was one.
    pub quota: Option<(String, u32)>,
}

/// An operation. Its key is its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Its number.
    pub id: u64,
    /// `insert`, `delete`, `stop`, `start`.
    pub kind: String,
    /// The zone of a zonal operation; none for a global one.
    pub zone: Option<String>,
    /// What it is about, from `projects/` on, such as `projects/p/global/routes/r`.
    pub target: String,
    /// The target's number.
    pub target_id: u64,
    /// The `requestId` of the request.
    pub client_operation_id: Option<String>,
    /// Who asked.
    pub user: String,
    /// How far it is.
    pub phase: Phase,
    /// When it was asked for, began and ended.
    pub inserted: SystemTime,
    /// When it began.
    pub started: Option<SystemTime>,
    /// When it ended.
    pub ended: Option<SystemTime>,
    /// How it failed, if it did.
    pub failure: Option<Failure>,
    /// What it does when it ends.
    pub effect: Effect,
}

/// Everything that one project holds.
#[derive(Debug, Clone)]
pub struct Compute {
    /// The project's id.
    pub project: String,
    /// The project's number.
    pub number: u64,
    /// Whether the Compute Engine API is switched on in it.
    pub enabled: bool,
    /// How many static routes one network holds.
    pub routes_limit: u32,
    /// Networks by name.
    pub networks: Shelf<Network>,
    /// Subnetworks by `REGION/NAME`.
    pub subnetworks: Shelf<Subnetwork>,
    /// Machines by `ZONE/NAME`.
    pub machines: Shelf<Machine>,
    /// Routes by name, subnet and default routes included.
    pub routes: Shelf<Route>,
    /// Operations by name, those that are done too: a lab lives shorter than Compute's memory of them.
    pub operations: Shelf<Operation>,
    /// Operations by the `requestId` that asked for them.
    asked: Shelf<String>,
    /// What operations that are not done are about, and their names.
    pending: Shelf<String>,
    ids: fastrand::Rng,
}

impl Compute {
    /// A project that holds nothing at all, not even the network `default`.
    pub fn empty(project: &str, number: u64, routes_limit: u32, seed: u64) -> Self {
        Self {
            project: project.to_owned(),
            number,
            enabled: true,
            routes_limit,
            networks: Shelf::default(),
            subnetworks: Shelf::default(),
            machines: Shelf::default(),
            routes: Shelf::default(),
            operations: Shelf::default(),
            asked: Shelf::default(),
            pending: Shelf::default(),
            ids: fastrand::Rng::with_seed(seed),
        }
    }

    /// A new number, the same in every run of the same seed; of nineteen digits, as Compute's nearly always are.
    fn new_id(&mut self) -> u64 {
        self.ids.u64(1_000_000_000_000_000_000..=i64::MAX.unsigned_abs())
    }
}

impl Refusal {
    /// 400 `invalid`: the form in which Compute finds fault with one field of a request (Compute Engine documentation,
    /// "Troubleshooting API errors").
    pub fn invalid_field(field: &str, value: impl std::fmt::Display, reason: &str) -> Self {
        Self::new("invalid", format!("Invalid value for field '{field}': '{value}'. {reason}"))
    }

    fn not_found(resource: &str) -> Self {
        Self::with_status(404, "notFound", format!("The resource '{resource}' was not found"))
    }

    fn not_ready(resource: &str) -> Self {
        Self::new("resourceNotReady", format!("The resource '{resource}' is not ready"))
    }
}
