//! The cloud as data, and its rules as methods. No HTTP, no XML, no clock.
//!
//! What EC2 derives is derived here too, never stored: whether a route is a black hole follows from its instance, the
//! instance that a route shows follows from who holds the interface. So a test that terminates an instance behind the
//! API's back sees what it would see after `TerminateInstances`.
//!
//! Every kind of resource sits on a [`Shelf`], a map that is cheap to copy until it is changed: that is what lets a lab
//! with lag remember a past for every write.

pub mod compute;
mod error;
mod ids;
mod instances;
mod rights;
mod route;
mod routes;
mod shelf;
mod stack;
mod stacks;
mod tables;
mod tags;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

pub use error::Refusal;
pub(crate) use ids::Kind;
pub(crate) use instances::LAUNCHED;
pub use instances::Launch;
pub(crate) use rights::NARROWABLE;
pub use route::{Destination, Gateway, Origin, Route, ShownRoute, Target};
pub use shelf::Shelf;
pub(crate) use stack::ROUTE;
pub use stack::{OnFailure, Stack, StackOrder, StackOutput, StackResource, StackRoute, StackStatus, StackTarget};

use crate::{IdenticalCreate, Options};

/// Tags of one resource, by key.
pub type Tags = BTreeMap<String, String>;

/// A virtual network.
#[derive(Debug, Clone, Default)]
pub struct Vpc {
    /// IPv4 ranges, the primary one first.
    pub cidrs: Vec<Ipv4Net>,
    /// IPv6 ranges.
    pub ipv6_cidrs: Vec<Ipv6Net>,
    /// Tags.
    pub tags: Tags,
}

/// A part of a VPC that instances live in.
#[derive(Debug, Clone)]
pub struct Subnet {
    /// The VPC's id.
    pub vpc: String,
    /// Its range.
    pub cidr: Ipv4Net,
    /// Its IPv6 range.
    pub ipv6_cidr: Option<Ipv6Net>,
    /// The availability zone's name.
    pub zone: String,
    /// Tags.
    pub tags: Tags,
}

/// An internet gateway, attached.
#[derive(Debug, Clone)]
pub struct InternetGateway {
    /// The VPC's id.
    pub vpc: String,
    /// Tags.
    pub tags: Tags,
}

/// What ties a table to a subnet, a gateway, or (as main table) to the VPC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Association {
    /// The VPC's main table: every subnet without an association of its own.
    Main,
    /// This subnet.
    Subnet(String),
    /// This gateway.
    Gateway(String),
}

/// A route table.
#[derive(Debug, Clone, Default)]
pub struct RouteTable {
    /// The VPC's id.
    pub vpc: String,
    /// What it serves, by association id.
    pub associations: BTreeMap<String, Association>,
    /// Its routes.
    pub routes: Vec<Route>,
    /// Virtual private gateways that may propagate into it.
    pub propagating: Vec<String>,
    /// Tags.
    pub tags: Tags,
}

/// Where an instance is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "EC2's own words")]
pub enum Life {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl Life {
    /// EC2's number for it ("EC2 API Reference", `InstanceState`).
    pub const fn code(self) -> u16 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }

    /// EC2's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }
}

/// An instance. Its network interfaces are resources of their own.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Where it is in its life.
    pub life: Life,
    /// The VPC's id.
    pub vpc: String,
    /// The subnet's id.
    pub subnet: String,
    /// The type's name.
    pub kind: String,
    /// The image's id.
    pub image: String,
    /// User data in base64, as EC2 keeps it.
    pub user_data: Option<String>,
    /// The reservation that it was launched in.
    pub reservation: String,
    /// Tags.
    pub tags: Tags,
}

/// How an interface is held by an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The attachment's id.
    pub id: String,
    /// The instance's id.
    pub instance: String,
    /// 0 is the primary interface.
    pub device_index: u32,
}

/// A network interface.
#[derive(Debug, Clone)]
pub struct Interface {
    /// The VPC's id.
    pub vpc: String,
    /// The subnet's id.
    pub subnet: String,
    /// The address.
    pub private_ip: Ipv4Addr,
    /// IPv6 addresses.
    pub ipv6: Vec<Ipv6Addr>,
    /// Whether EC2 drops packets that are not its own.
    pub source_dest_check: bool,
    /// Who holds it.
    pub attachment: Option<Attachment>,
    /// Tags.
    pub tags: Tags,
}

/// Everything that one account holds in one region.
#[derive(Debug, Clone)]
pub struct Cloud {
    /// The account's number.
    pub account: String,
    /// The region's name.
    pub region: String,
    /// Non-propagated routes that one table holds, per family.
    pub routes_limit: u32,
    /// What a repeated `CreateRoute` is told.
    pub identical_create: IdenticalCreate,
    /// Actions that the caller may not do, by their bare name (`CreateRoute`) or as [`allowed`](Self::allowed) spells them.
    pub denied: BTreeSet<String>,
    /// What the caller may do, if that is not everything: permissions in the provider's own spelling, such as
    /// `ec2:CreateRoute`, `cloudformation:ListExports` and `compute.routes.create`. What is not in it is denied. An entry for
    /// EC2 may be narrowed, as [`allowed_by_policy`](crate::allowed_by_policy) does it.
    pub allowed: Option<BTreeSet<String>>,
    /// VPCs by id.
    pub vpcs: Shelf<Vpc>,
    /// Subnets by id.
    pub subnets: Shelf<Subnet>,
    /// Internet gateways by id.
    pub internet_gateways: Shelf<InternetGateway>,
    /// Route tables by id.
    pub tables: Shelf<RouteTable>,
    /// Instances by id; terminated ones stay until they are [forgotten](Self::forget_instance).
    pub instances: Shelf<Instance>,
    /// Network interfaces by id.
    pub interfaces: Shelf<Interface>,
    /// `CloudFormation`'s stacks by id; deleted ones stay.
    pub stacks: Shelf<Stack>,
    /// The Compute Engine project, which shares nothing with the rest.
    pub compute: compute::Compute,
    ids: fastrand::Rng,
}

impl Cloud {
    /// A cloud that holds nothing at all.
    pub fn empty(options: &Options) -> Self {
        // A Google project's number has twelve digits as well, so the account's will do.
        let number = options.account.parse().unwrap_or(123_456_789_012);
        Self {
            account: options.account.clone(),
            region: options.region.clone(),
            routes_limit: options.routes_limit,
            identical_create: options.identical_create,
            denied: BTreeSet::new(),
            allowed: options.allowed.clone(),
            vpcs: Shelf::default(),
            subnets: Shelf::default(),
            internet_gateways: Shelf::default(),
            tables: Shelf::default(),
            instances: Shelf::default(),
            interfaces: Shelf::default(),
            stacks: Shelf::default(),
            compute: compute::Compute::empty(&options.project, number, options.network_routes_limit, options.seed),
            ids: fastrand::Rng::with_seed(options.seed),
        }
    }

    /// The VPC's ranges of both families.
    pub fn vpc_ranges(&self, vpc: &str) -> Vec<IpNet> {
        self.vpcs.get(vpc).map_or_else(Vec::new, |vpc| {
            let v4 = vpc.cidrs.iter().map(|net| IpNet::V4(*net));
            v4.chain(vpc.ipv6_cidrs.iter().map(|net| IpNet::V6(*net))).collect()
        })
    }
}
