//! What a cloud holds at the start.
//!
//! A seed is plain data, so that a test can write one by hand, and so that what a topology leaves open is decided before
//! the cloud is built and can be looked at.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use kroutes_core::{Cluster, Topology};

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
    /// A table whose id is exported under this name, by a stack with the network in it.
    Export(String),
    /// The tables of the subnets in which the workers are: one for each subnet, but for the last one, which is left to
    /// the VPC's main table. Workers without addresses are spread over three.
    Associated,
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
    /// The name under which a stack exports its id.
    pub export: Option<String>,
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
    /// The name under which a stack exports its id.
    pub export: Option<String>,
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
            export: None,
        }
    }
}

/// A value that a stack exports at the start: anything but the id of a table or an instance of the seed, which say so
/// themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedExport {
    /// Its name, unique in the region: of several with one name, only the first is there.
    pub name: String,
    /// Its value.
    pub value: String,
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
    /// What is exported besides the ids of tables and instances.
    pub exports: Vec<SeedExport>,
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
            exports: Vec::new(),
            compute: Vec::new(),
        }
    }
}

impl Seed {
    /// The cloud in which a topology can come true: a VPC around the workers' addresses that touches neither pods nor
    /// services, a table for every wish with subnets that it serves, and one running instance per machine, with its
    /// `Name` tag or id, its address, and `name=…|pod-cidr=…` as user data. What is asked for by an export is exported.
    ///
    /// Ids that are wished for are taken as they are. Of several VPCs that are wished for, only the first is made.
    pub fn for_topology(topology: &Topology, wishes: &[TableWish]) -> Self {
        Self::default().with_route_tables(topology, wishes)
    }

    /// Puts the EC2 half of [`for_topology`](Self::for_topology) in place of what this seed had there.
    #[must_use]
    pub fn with_route_tables(self, topology: &Topology, wishes: &[TableWish]) -> Self {
        Self { compute: self.compute, exports: self.exports, ..crate::layout::lay_out(topology, wishes) }
    }

    /// Adds three running instances that a source of workers finds by this glob over `Name` tags and by these tags, each
    /// with a range of the cluster's in its user data, `name=worker-0|pod-cidr=10.200.0.0/24`. Names are the glob with 0
    /// to 2 for its wildcards, or `worker-0` and so on; a name without a wildcard is one instance. To be called after
    /// [`with_route_tables`](Self::with_route_tables), whose subnets the instances go into.
    #[must_use]
    pub fn with_matching_instances(
        mut self,
        cluster: &Cluster,
        name: Option<&str>,
        tags: &BTreeMap<String, String>,
    ) -> Self {
        crate::matching::add_instances(&mut self, cluster, name, tags);
        self
    }

    /// The same in Compute Engine: three running VMs in this network, with the range in the metadata item `pod-cidr`. To
    /// be called after [`with_network`](Self::with_network).
    #[must_use]
    pub fn with_matching_machines(
        mut self,
        cluster: &Cluster,
        network: &str,
        name: Option<&str>,
        labels: &BTreeMap<String, String>,
    ) -> Self {
        crate::matching::add_machines(&mut self, cluster, network, name, labels);
        self
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
