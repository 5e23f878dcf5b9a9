//! From a topology to a Compute Engine network in which it can come true.
//!
//! What [`layout`](crate::layout) says of a VPC holds here too: whatever is made up stands in nobody's way, since Compute
//! refuses a route inside a subnetwork's range. But a subnetwork spans all zones of its region, so that one around all
//! addresses is what somebody would make by hand; only where pods lie between the workers there are several.

use std::collections::{BTreeMap, HashSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use kroutes_core::{MachineRef, Topology, Worker};

use crate::layout::{Taken, USUAL, distinct_machines, subnet_length, subnets_of, v4, v6, vpc_ranges};
use crate::{SeedMachine, SeedNetwork, SeedSubnetwork};

/// The region of "Kubernetes The Hard Way".
const REGION: &str = "us-west1";

/// Where Google takes internal and external IPv6 ranges from ("Subnets", VPC documentation); a network's is a /48.
const USUAL_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd20, 0x0abc, 0x0de0, 0, 0, 0, 0, 0), Ipv6Addr::new(0x2600, 0x1900, 0x4000, 0x0abc, 0, 0, 0, 0)];

/// The addresses that Compute keeps of a range, and a few for those who want to try something.
const SPARE_ADDRESSES: usize = 8;

/// The whole of it: see [`Seed::with_network`](crate::Seed::with_network).
pub(crate) fn lay_out(topology: &Topology, network: &str) -> SeedNetwork {
    let taken = Taken::by(topology);
    let workers = distinct_machines(topology);
    let ranges = ranges_of(&taken, &workers);
    let ipv6_ranges = ipv6_ranges(topology, &workers, &taken, ranges.len());
    let subnetwork = |(index, range): (usize, Ipv4Net)| SeedSubnetwork {
        name: if index == 0 { network.to_owned() } else { format!("{network}-{index}") },
        range,
        ipv6_range: ipv6_ranges.get(index).copied(),
    };
    let subnetworks = ranges.into_iter().enumerate().map(subnetwork).collect();
    let region = region_of(&workers).unwrap_or(REGION).to_owned();
    let mut names = HashSet::new();
    let machine = |(index, worker): (usize, &&Worker)| {
        let mut machine = machine(worker, &region, index);
        machine.name = distinct(&machine.name, &mut names);
        machine
    };
    let machines = workers.iter().enumerate().map(machine).collect();
    SeedNetwork { name: network.to_owned(), region, subnetworks, machines }
}

/// The longest prefix, from this one on, with room for so many.
fn length_for(workers: usize, longest: u8) -> Option<u8> {
    let holds = |length: u8| (1_usize << (32 - u32::from(length))).saturating_sub(SPARE_ADDRESSES) >= workers;
    (8..=longest).rev().find(|length| holds(*length))
}

/// One range around all addresses with room for everybody, a /24 where that will do; several where that would touch what
/// is taken.
fn ranges_of(taken: &Taken, workers: &[&Worker]) -> Vec<Ipv4Net> {
    let addresses: Vec<Ipv4Addr> = workers.iter().filter_map(|worker| v4(worker)).collect();
    let Some(first) = addresses.first() else {
        return usual_range(taken, &[], workers.len()).into_iter().collect();
    };
    let differing = addresses.iter().fold(0, |bits, address| bits | (u32::from(*address) ^ u32::from(*first)));
    let common = u8::try_from(differing.leading_zeros()).unwrap_or(32).min(24);
    let whole = length_for(workers.len(), common).map(|length| Ipv4Net::new_assert(*first, length).trunc());
    if let Some(range) = whole.filter(|range| taken.is_clear(*range)) {
        return vec![range];
    }
    let blocks = vpc_ranges(taken, &addresses);
    let length = subnet_length(&blocks, workers.len());
    let mut ranges = subnets_of(&blocks, &addresses, length);
    if addresses.len() < workers.len() {
        // The small blocks may have no room for those without an address.
        ranges.extend(usual_range(taken, &ranges, workers.len() - addresses.len()));
    }
    ranges
}

/// A range for so many apart from those that are used.
fn usual_range(taken: &Taken, used: &[Ipv4Net], workers: usize) -> Option<Ipv4Net> {
    let length = length_for(workers, 24).unwrap_or(8);
    let apart = |block: &Ipv4Net| !used.iter().any(|net| net.contains(block) || block.contains(net));
    let blocks = USUAL.map(|address| Ipv4Net::new_assert(address, length).trunc());
    let apart: Vec<_> = blocks.into_iter().filter(apart).collect();
    taken.spare(&apart).or_else(|| apart.first().copied())
}

/// A range for each subnetwork, a /64 as on Compute. Where workers bring addresses along there is but one around the
/// first of them, and a longer one where pods come as close as that.
fn ipv6_ranges(topology: &Topology, workers: &[&Worker], taken: &Taken, count: usize) -> Vec<Ipv6Net> {
    if let Some(address) = workers.iter().find_map(|worker| v6(worker)) {
        let around: Vec<_> = (64..=124).step_by(4).map(|length| Ipv6Net::new_assert(address, length).trunc()).collect();
        return taken.spare(&around).into_iter().collect();
    }
    if !topology.ranges().any(|(_, cidr)| cidr.is_ipv6()) {
        return Vec::new();
    }
    let spare = taken.spare(&USUAL_V6.map(|address| Ipv6Net::new_assert(address, 48)));
    spare.and_then(|range| range.subnets(64).ok()).into_iter().flatten().take(count).collect()
}

/// Zone and name out of an id, which may be as short as `ZONE/NAME` and as long as a link.
fn zone_and_name(id: &str) -> Option<(&str, &str)> {
    let mut parts = id.rsplit('/').filter(|part| *part != "instances");
    let name = parts.next()?;
    Some((parts.next()?, name))
}

/// The region of the first zone that the topology names: a lab network has its subnetworks in one region.
fn region_of<'a>(workers: &[&'a Worker]) -> Option<&'a str> {
    let zone = workers.iter().find_map(|worker| match &worker.machine {
        MachineRef::Id(id) => zone_and_name(id),
        _ => None,
    });
    zone.and_then(|(zone, _)| zone.rsplit_once('-')).map(|(region, _)| region)
}

/// One running VM as the guide makes it.
fn machine(worker: &Worker, region: &str, index: usize) -> SeedMachine {
    let (zone, name) = match &worker.machine {
        MachineRef::Id(id) => zone_and_name(id).map_or((None, id.as_str()), |(zone, name)| (Some(zone), name)),
        MachineRef::Name(name) => (None, name.as_str()),
        _ => (None, worker.name.as_str()),
    };
    let zone = zone.map_or_else(|| format!("{region}-{}", ["a", "b", "c"][index % 3]), str::to_owned);
    let cidrs: Vec<_> = worker.pod_cidrs.iter().map(ToString::to_string).collect();
    SeedMachine {
        name: valid_name(name),
        zone,
        address: v4(worker),
        ipv6: v6(worker),
        can_ip_forward: true,
        metadata: BTreeMap::from([("pod-cidr".to_owned(), cidrs.join(","))]),
        labels: BTreeMap::new(),
    }
}

/// The nearest name that Compute takes ("Naming resources").
fn valid_name(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let mut name: String = text.chars().map(plain).collect();
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        name.insert_str(0, "vm-");
    }
    name.truncate(63);
    name.truncate(name.trim_end_matches('-').len());
    name
}

/// Two names may have become one by that.
fn distinct(name: &str, names: &mut HashSet<String>) -> String {
    let mut candidate = name.to_owned();
    let mut number = 2_u32;
    while !names.insert(candidate.clone()) {
        let suffix = format!("-{number}");
        candidate = format!("{}{suffix}", &name[..name.len().min(63 - suffix.len())]);
        number += 1;
    }
    candidate
}
