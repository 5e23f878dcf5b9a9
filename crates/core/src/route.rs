//! Routes: what should be, and what a table holds.
//!
//! They are two types on purpose. A [`Route`] is a decision of ours: one destination, one next hop, one worker. An
//! [`ObservedRoute`] is whatever a provider shows: several targets at once (EC2 shows the instance *and* its interface),
//! destinations that are no range at all (a prefix list), states and origins that we have never heard of. One struct for
//! both would have to make most of its fields optional, and then every comparison would have to say what absence means.
//!
//! What a backend reports here are facts. Whose route it is, and what becomes of it, is decided in `ownership` and `plan`.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::{PodCidr, WorkerName};

/// Where packets are handed to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum NextHop {
    /// A machine, by the provider's id.
    Instance(String),
    /// A network interface, by the provider's id.
    Interface(String),
    /// An address inside the network.
    Address(IpAddr),
    /// Anything else that a table can point to: the kind in kebab-case (`nat-gateway`), and its id.
    Other(String, String),
}

impl NextHop {
    /// The kind in kebab-case, as JSON has it.
    pub fn kind(&self) -> &str {
        match self {
            Self::Instance(_) => "instance",
            Self::Interface(_) => "interface",
            Self::Address(_) => "address",
            Self::Other(kind, _) => kind,
        }
    }

    /// The id or address alone.
    pub fn id(&self) -> String {
        match self {
            Self::Instance(id) | Self::Interface(id) | Self::Other(_, id) => id.clone(),
            Self::Address(address) => address.to_string(),
        }
    }
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(id) | Self::Interface(id) | Self::Other(_, id) => f.write_str(id),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// A route as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Route {
    /// The pod CIDR.
    pub destination: PodCidr,
    /// The worker, as the provider knows it.
    pub next_hop: NextHop,
    /// Whose pods live there.
    pub worker: WorkerName,
}

/// What an observed route leads to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Destination {
    /// A range. Canonical, because providers show it so; built with [`Destination::net`].
    Net(IpNet),
    /// A prefix list or whatever else a provider allows, by its own name.
    Other(String),
}

impl Destination {
    /// A range with its host bits cleared, so that networks are compared and never texts.
    pub fn net(net: IpNet) -> Self {
        Self::Net(net.trunc())
    }

    /// The range, if it is one.
    pub const fn as_net(&self) -> Option<IpNet> {
        match self {
            Self::Net(net) => Some(*net),
            Self::Other(_) => None,
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(net) => net.fmt(f),
            Self::Other(name) => f.write_str(name),
        }
    }
}

/// What the provider says of a route's health.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RouteState {
    /// Packets follow it.
    Active,
    /// Its next hop is not there, or does not run: packets that match it are dropped.
    Blackhole,
    /// A state that we have no name for, in the provider's word.
    Other(String),
}

impl RouteState {
    /// The provider-neutral word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Active => "active",
            Self::Blackhole => "blackhole",
            Self::Other(word) => word,
        }
    }
}

/// How a route came into its table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Origin {
    /// Somebody made it, by a call like ours.
    Static,
    /// It came with the table or the network.
    Local,
    /// A gateway or a routing protocol put it there.
    Propagated,
    /// A word that we do not know.
    Other(String),
}

impl Origin {
    /// The provider-neutral word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Static => "static",
            Self::Local => "local",
            Self::Propagated => "propagated",
            Self::Other(word) => word,
        }
    }
}

/// Whether the machine behind a route still exists.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Life {
    /// A complete lookup showed it.
    Live,
    /// A complete lookup proved that it is gone; why, in words.
    Gone(String),
    /// Nothing proves either: the lookup failed, or the machine may be another account's. Why, in words.
    Unknown(String),
}

/// What stands behind a route, as far as the provider tells.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Target {
    /// A machine, or an interface of one.
    Machine {
        /// The provider's id of the machine.
        id: String,
        /// Whether it still exists.
        life: Life,
    },
    /// A network interface that belongs to no machine.
    Detached,
    /// An address; who has it is not known.
    Address,
    /// An address whose machine does not run, and is there. Which one it is, is not told.
    AddressAtRest,
    /// Something that is no machine: a gateway, a peering, an endpoint. The kind, in words.
    NotAMachine(String),
}

/// A route as a table holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedRoute {
    /// What it leads to.
    pub destination: Destination,
    /// Every target that the provider shows; the one to print comes first.
    pub next_hops: Vec<NextHop>,
    /// What stands behind it.
    pub target: Target,
    /// Its health.
    pub state: RouteState,
    /// How it came there.
    pub origin: Origin,
    /// Whether it carries our mark, exactly. Always false where routes can carry none.
    pub marked: bool,
    /// Among routes with one destination the lower wins: a GCP priority, a Linux metric. Where a provider has no such
    /// number, 0 for what we would write and more for what would lose against it.
    pub precedence: u32,
    /// What else differs from what this backend would write, in words; `None` if nothing does.
    pub deviation: Option<String>,
    /// The route's own name, where routes have names.
    pub name: Option<String>,
}

impl ObservedRoute {
    /// Whether packets go to `hop` by this route: it is among the targets that the provider shows.
    pub fn leads_to(&self, hop: &NextHop) -> bool {
        self.next_hops.contains(hop)
    }

    /// Whether what it leads to still exists, as far as is known: a machine that does not run is there, one whose look-up
    /// failed may be. Of an address nobody asks who has it, so there the provider's word for a dead route decides, unless
    /// the provider adds that the machine merely does not run.
    pub fn leads_somewhere(&self) -> bool {
        match &self.target {
            Target::Machine { life, .. } => !matches!(life, Life::Gone(_)),
            Target::AddressAtRest => true,
            Target::Detached | Target::Address | Target::NotAMachine(_) => self.state != RouteState::Blackhole,
        }
    }

    /// Whether the backend would write exactly this for `route`.
    pub fn is_as_wanted(&self, route: &Route) -> bool {
        self.destination == Destination::Net(route.destination.net())
            && self.leads_to(&route.next_hop)
            && self.deviation.is_none()
    }

    /// Whether `other` is the same entry of the table: what a write was planned against has not moved. State and what
    /// stands behind are left out, since an instance that stops does not make it another route. The mark is part of it: a
    /// route that was made anew without it, alike in all else, is somebody else's.
    pub fn is_same_entry(&self, other: &Self) -> bool {
        self.destination == other.destination
            && self.name == other.name
            && self.precedence == other.precedence
            && self.marked == other.marked
            && self.next_hops == other.next_hops
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_compared_not_texts() {
        let given = Destination::net("100.68.0.18/18".parse().expect("net"));
        assert_eq!(given, Destination::net("100.68.0.0/18".parse().expect("net")));
    }

    #[test]
    fn a_route_that_shows_instance_and_interface_leads_to_both() {
        let route = ObservedRoute {
            destination: Destination::net("10.200.0.0/24".parse().expect("net")),
            next_hops: vec![NextHop::Instance("i-1".into()), NextHop::Interface("eni-1".into())],
            target: Target::Machine { id: "i-1".into(), life: Life::Live },
            state: RouteState::Active,
            origin: Origin::Static,
            marked: false,
            precedence: 0,
            deviation: None,
            name: None,
        };
        assert!(route.leads_to(&NextHop::Interface("eni-1".into())));
        assert!(route.leads_to(&NextHop::Instance("i-1".into())));
        assert!(!route.leads_to(&NextHop::Instance("eni-1".into())));
    }
}
