//! What a cloud holds at the start.
//!
//! A seed is plain data, so that a test can write one by hand, and so that what a topology leaves open is decided before
//! the cloud is built and can be looked at.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use kroutes_core::Topology;

use crate::SeedNetwork;

/// Tags of one resource.
pub(crate) type Tags = BTreeMap<String, String>;

/// How a topology asks for a route table; the lab then makes sure that there is one which answers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableWish {
    /// A table of this id.
    Id(String),
    /// A table with all these tags.
    Tags(BTreeMap<String, String>),
    /// The main table of this VPC.
    MainOf(String),
    /// The table that serves this subnet.
    Subnet(String),
}

/// One subnet of a [`SeedTable`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeedSubnet {
    /// Its id; made up without one.
    pub id: Option<String>,
    /// Its range; a free block of the VPC without one.
    pub cidr: Option<Ipv4Net>,
}

/// One route table at the start: with its local routes, and a default route to the internet gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeedTable {
    /// Its id; made up without one.
    pub id: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Whether it is the VPC's main table. If none is, the VPC gets one more, bare.
    pub main: bool,
    /// The subnets that it serves: associated explicitly unless the table is the main one.
    pub subnets: Vec<SeedSubnet>,
}

/// One running instance at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedInstance {
    /// Its id; made up without one.
    pub id: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its address; a free one of a subnet without one.
    pub private_ip: Option<Ipv4Addr>,
    /// Its IPv6 address; none without one, unless the VPC has IPv6.
    pub ipv6: Option<Ipv6Addr>,
    /// User data as plain text.
    pub user_data: Option<String>,
    /// Whether EC2 drops packets that are not its own.
    pub source_dest_check: bool,
}

impl SeedInstance {
    /// An instance with this `Name` tag, and the source/dest check on as EC2 leaves it.
    pub fn named(name: &str) -> Self {
        Self {
            id: None,
            tags: Tags::from([("Name".to_owned(), name.to_owned())]),
            private_ip: None,
            ipv6: None,
            user_data: None,
            source_dest_check: true,
        }
    }
}

/// What a cloud holds at the start: on EC2 one VPC with an internet gateway, route tables and instances; in Compute
/// Engine any number of networks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// The VPC's id; made up without one.
    pub vpc: Option<String>,
    /// The VPC's IPv4 ranges, the first being its primary one.
    pub vpc_cidrs: Vec<Ipv4Net>,
    /// The VPC's IPv6 ranges.
    pub vpc_ipv6_cidrs: Vec<Ipv6Net>,
    /// Its route tables.
    pub tables: Vec<SeedTable>,
    /// Its instances.
    pub instances: Vec<SeedInstance>,
    /// The networks of the Compute Engine project.
    pub compute: Vec<SeedNetwork>,
}

impl Default for Seed {
    /// A VPC of 10.240.0.0/16 with nothing in it but its bare main table, and an empty Compute Engine project.
    fn default() -> Self {
        Self {
            vpc: None,
            vpc_cidrs: vec![Ipv4Net::new_assert(Ipv4Addr::new(10, 240, 0, 0), 16)],
            vpc_ipv6_cidrs: Vec::new(),
            tables: Vec::new(),
            instances: Vec::new(),
            compute: Vec::new(),
        }
    }
}

impl Seed {
    /// The cloud in which a topology can come true: a VPC around the workers' addresses that touches neither pods nor
    /// services, a table for every wish with subnets that it serves, and one running instance per machine, with its
    /// `Name` tag or id, its address, and `name=…|pod-cidr=…` as user data.
    ///
    /// Ids that are wished for are taken as they are. Of several VPCs that are wished for, only the first is made.
    pub fn for_topology(topology: &Topology, wishes: &[TableWish]) -> Self {
        Self::default().with_route_tables(topology, wishes)
    }

    /// Puts the EC2 half of [`for_topology`](Self::for_topology) in place of what this seed had there.
    #[must_use]
    pub fn with_route_tables(self, topology: &Topology, wishes: &[TableWish]) -> Self {
        Self { compute: self.compute, ..crate::layout::lay_out(topology, wishes) }
    }

    /// Adds the Compute Engine network of this name in which a topology can come true: a subnetwork around the workers'
    /// addresses that touches neither pods nor services, and one running VM per machine, called as the topology calls
    /// it, with its address, `canIpForward`, and its ranges as the metadata item `pod-cidr`.
    ///
    /// A worker that is asked for by the id `ZONE/NAME` gets that zone; the others are spread over three.
    #[must_use]
    pub fn with_network(mut self, topology: &Topology, network: &str) -> Self {
        self.compute.push(crate::layout_network::lay_out(topology, network));
        self
    }
}
