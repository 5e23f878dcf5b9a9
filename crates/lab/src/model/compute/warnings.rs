//! What Compute remarks on a route: never why it refused one, but why packets will not arrive.
//!
//! Compute accepts a next hop that nothing answers to, so these remarks are all that a user gets to see of a wrong
//! address. They are derived from the machines at every look. The texts are the descriptions that the discovery document
//! gives for the codes (`Route.warnings[].code`).

use std::collections::HashMap;
use std::net::IpAddr;

use super::{Compute, Hop, Machine, Nic, Route, Status};

/// A warning on a route, derived from what it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Compute's code, such as `NEXT_HOP_ADDRESS_NOT_ASSIGNED`.
    pub code: &'static str,
    /// The text for people.
    pub message: &'static str,
}

const ADDRESS_NOT_ASSIGNED: Warning = Warning {
    code: "NEXT_HOP_ADDRESS_NOT_ASSIGNED",
    message: "The route's nextHopIp address is not assigned to an instance on the network.",
};
const CANNOT_IP_FORWARD: Warning =
    Warning { code: "NEXT_HOP_CANNOT_IP_FORWARD", message: "The route's next hop instance cannot ip forward." };
const NOT_RUNNING: Warning = Warning {
    code: "NEXT_HOP_NOT_RUNNING",
    message: "The route's next hop instance does not have a status of RUNNING.",
};
const NOT_FOUND: Warning = Warning {
    code: "NEXT_HOP_INSTANCE_NOT_FOUND",
    message: "The route's nextHopInstance URL refers to an instance that does not exist.",
};
const NOT_ON_NETWORK: Warning = Warning {
    code: "NEXT_HOP_INSTANCE_NOT_ON_NETWORK",
    message: "The route's nextHopInstance URL refers to an instance that is not on the same network as the route.",
};
const NO_IPV6_INTERFACE: Warning = Warning {
    code: "NEXT_HOP_INSTANCE_HAS_NO_IPV6_INTERFACE",
    message: "The route's nextHopInstance URL refers to an instance that does not have an ipv6 interface on the same \
              network as the route.",
};

/// Who holds which address of which network at one moment, so that a listing asks once and not once a route.
#[derive(Debug)]
pub struct NextHops<'a> {
    compute: &'a Compute,
    holders: HashMap<(&'a str, IpAddr), &'a Machine>,
}

/// The addresses that a route's next hop may be: an alias range is none ("Static routes", VPC documentation).
fn addresses(nic: &Nic) -> impl Iterator<Item = IpAddr> {
    std::iter::once(IpAddr::V4(nic.address)).chain(nic.ipv6.map(IpAddr::V6))
}

impl NextHops<'_> {
    /// Everything that Compute remarks on this route; nothing for next hops other than addresses and machines.
    pub fn warnings(&self, route: &Route) -> Vec<Warning> {
        match &route.hop {
            Hop::Address(address) => match self.holders.get(&(route.network.as_str(), *address)) {
                Some(machine) => of_machine(machine).collect(),
                None => vec![ADDRESS_NOT_ASSIGNED],
            },
            Hop::Machine(key) => match self.compute.machines.get(key) {
                Some(machine) => of_place(route, machine).into_iter().chain(of_machine(machine)).collect(),
                None => vec![NOT_FOUND],
            },
            _ => Vec::new(),
        }
    }
}

fn of_place(route: &Route, machine: &Machine) -> Option<Warning> {
    let mut nics = machine.nics.iter().filter(|nic| nic.network == route.network).peekable();
    if nics.peek().is_none() {
        return Some(NOT_ON_NETWORK);
    }
    let lacks_ipv6 = route.destination.network().is_ipv6() && nics.all(|nic| nic.ipv6.is_none());
    lacks_ipv6.then_some(NO_IPV6_INTERFACE)
}

fn of_machine(machine: &Machine) -> impl Iterator<Item = Warning> {
    let forwards = (!machine.can_ip_forward).then_some(CANNOT_IP_FORWARD);
    let runs = (machine.status != Status::Running).then_some(NOT_RUNNING);
    forwards.into_iter().chain(runs)
}

impl Compute {
    /// Who answers to which next hop right now.
    pub fn next_hops(&self) -> NextHops<'_> {
        let mut holders = HashMap::new();
        for machine in self.machines.values() {
            for nic in &machine.nics {
                holders.extend(addresses(nic).map(|address| ((nic.network.as_str(), address), machine)));
            }
        }
        NextHops { compute: self, holders }
    }

    /// The warnings of one route; whoever shows many asks [`next_hops`](Self::next_hops) once.
    pub fn warnings(&self, route: &Route) -> Vec<Warning> {
        self.next_hops().warnings(route)
    }
}
