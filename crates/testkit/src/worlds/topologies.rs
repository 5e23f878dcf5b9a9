//! Topologies that are sound by construction.
//!
//! Ranges are laid one after the other, each aligned to its own length, at most a 128th of the cluster each: forty of them
//! with a gap behind each fill at most two thirds, so the last part of every cluster is spare.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use kroutes_core::{Cluster, ClusterCidr, MachineRef, PodCidr, Topology, Worker};
use proptest::prelude::*;

/// Cluster ranges that leave one of the networks free in which the memory backend's machines live.
const CLUSTERS: [&str; 6] =
    ["10.200.0.0/16", "10.0.0.0/12", "100.64.0.0/10", "192.168.0.0/18", "172.16.0.0/13", "10.128.0.0/11"];

/// The IPv6 range of a dual-stack cluster.
const CLUSTER_V6: &str = "fd00:10:200::/48";

/// How many bits the widest pod range has more than its cluster.
const DEEPER: u8 = 7;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Families {
    V4,
    V6,
    Both,
}

// What is drawn for one worker, each thing on its own.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Clone)]
struct Part {
    deeper: u8,
    gap: bool,
    by_id: bool,
    addressed: bool,
    both: bool,
    order: u16,
}

fn parts() -> impl Strategy<Value = Part> {
    (0u8..=5, any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<u16>())
        .prop_map(|(deeper, gap, by_id, addressed, both, order)| Part { deeper, gap, by_id, addressed, both, order })
}

/// Topologies of one to forty workers, IPv4, IPv6 or both, with ranges of many lengths, in any order.
pub fn topologies() -> impl Strategy<Value = Topology> {
    topologies_of(1..=40)
}

/// The same with so many workers; forty at most.
pub fn topologies_of(workers: RangeInclusive<usize>) -> impl Strategy<Value = Topology> {
    assert!(*workers.end() <= 40, "more workers than the ranges have room for");
    let families = prop_oneof![6 => Just(Families::V4), 1 => Just(Families::V6), 3 => Just(Families::Both)];
    (prop::sample::select(&CLUSTERS[..]), families, prop::collection::vec(parts(), workers))
        .prop_map(|(cluster, families, parts)| build(cluster, families, &parts))
}

fn build(cluster: &str, families: Families, parts: &[Part]) -> Topology {
    let v4: Ipv4Net = cluster.parse().expect("a range");
    let v6: Ipv6Net = CLUSTER_V6.parse().expect("a range");
    let mut cursor = v4.network().to_bits();
    let mut workers: Vec<(u16, Worker)> = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let ordinal = u16::try_from(index).expect("few workers");
        let length = v4.prefix_len() + DEEPER + part.deeper;
        let size = 1u32 << (32 - length);
        let start = cursor.next_multiple_of(size);
        cursor = start + if part.gap { 2 * size } else { size };
        let range_v4 = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::from_bits(start), length));
        let bits = v6.network().to_bits() + (u128::from(ordinal) << 64);
        let range_v6 = IpNet::V6(Ipv6Net::new_assert(std::net::Ipv6Addr::from_bits(bits), 64 + part.deeper));
        let ranges: &[IpNet] = match families {
            Families::V6 => &[range_v6],
            Families::Both if part.both => &[range_v4, range_v6],
            Families::V4 | Families::Both => &[range_v4],
        };
        let pod_cidrs = ranges.iter().map(|net| PodCidr::new(*net).expect("a range of pods")).collect();
        let name = format!("worker-{index}");
        let address = IpAddr::V4(Ipv4Addr::new(10, 240, 0, 20 + u8::try_from(index).expect("few workers")));
        let addresses = part.addressed.then_some(address).into_iter().collect();
        let machine =
            if part.by_id { MachineRef::Id(format!("i-0aa{index:014x}")) } else { MachineRef::Name(name.clone()) };
        workers.push((part.order, Worker { name: name.parse().expect("a name"), pod_cidrs, addresses, machine }));
    }
    workers.sort_by_key(|(order, _)| *order);
    let claimed: &[IpNet] = match families {
        Families::V4 => &[IpNet::V4(v4)],
        Families::V6 => &[IpNet::V6(v6)],
        Families::Both => &[IpNet::V4(v4), IpNet::V6(v6)],
    };
    let pod_cidrs = claimed.iter().map(|net| ClusterCidr::new(*net).expect("a range of a cluster")).collect();
    let cluster = Cluster { name: "kubernetes".parse().expect("a name"), pod_cidrs, service_cidrs: Vec::new() };
    let workers = workers.into_iter().map(|(_, worker)| worker).collect();
    Topology::new(cluster, workers).unwrap_or_else(|faults| panic!("an unsound topology: {faults:?}"))
}

/// A range in the spare part of the first cluster range, which no worker's overlaps.
pub(super) fn spare(topology: &Topology, index: usize) -> IpNet {
    let from_the_end = u8::try_from(index % 16).expect("less than sixteen") + 1;
    match topology.cluster().pod_cidrs[0].net() {
        IpNet::V4(net) => {
            let length = net.prefix_len() + DEEPER;
            let start = net.broadcast().to_bits() - ((u32::from(from_the_end) << (32 - length)) - 1);
            IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::from_bits(start), length))
        }
        IpNet::V6(net) => {
            let start = net.broadcast().to_bits() - ((u128::from(from_the_end) << 64) - 1);
            IpNet::V6(Ipv6Net::new_assert(std::net::Ipv6Addr::from_bits(start), 64))
        }
    }
}
