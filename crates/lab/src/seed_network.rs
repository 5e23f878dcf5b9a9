//! What a Compute Engine project holds at the start, as plain data: see [`Seed`](crate::Seed).

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// One subnetwork of a [`SeedNetwork`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedSubnetwork {
    /// Its name.
    pub name: String,
    /// Its range.
    pub range: Ipv4Net,
    /// Its IPv6 range.
    pub ipv6_range: Option<Ipv6Net>,
}

/// One running VM at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedMachine {
    /// Its name.
    pub name: String,
    /// Its zone.
    pub zone: String,
    /// Its primary address; a free one of a subnetwork without one.
    pub address: Option<Ipv4Addr>,
    /// Its IPv6 address; none without one, unless its subnetwork has IPv6.
    pub ipv6: Option<Ipv6Addr>,
    /// Whether it may forward packets that are not addressed to it.
    pub can_ip_forward: bool,
    /// Metadata items.
    pub metadata: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

impl SeedMachine {
    /// A VM of this name in us-west1-a that may forward packets.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            zone: "us-west1-a".to_owned(),
            address: None,
            ipv6: None,
            can_ip_forward: true,
            metadata: BTreeMap::new(),
            labels: BTreeMap::new(),
        }
    }
}

/// One network at the start: with its default route, and its subnetworks with their subnet routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedNetwork {
    /// Its name.
    pub name: String,
    /// The region of its subnetworks.
    pub region: String,
    /// Its subnetworks.
    pub subnetworks: Vec<SeedSubnetwork>,
    /// The VMs in it.
    pub machines: Vec<SeedMachine>,
}

impl SeedNetwork {
    /// A network of this name in us-west1, with nothing in it.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), region: "us-west1".to_owned(), subnetworks: Vec::new(), machines: Vec::new() }
    }
}
