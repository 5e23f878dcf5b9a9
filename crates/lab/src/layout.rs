//! From a topology to a cloud in which it can come true.
//!
//! A topology says little about the network below it, so the lab has to choose, and choose so that nothing it makes up
//! stands in the way: the VPC holds every address that is given and touches neither pods nor services (EC2 refuses
//! routes inside a VPC's own range). Workers in different /24s get different subnets, as they would in different zones.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use kroutes_core::{MachineRef, Topology, Worker, overlap};

use crate::seed::Tags;
use crate::{Seed, SeedInstance, SeedSubnet, SeedTable, TableWish};

/// Where a VPC goes when no address says otherwise, in the order of preference. The first is the guide's own.
pub(crate) const USUAL: [Ipv4Addr; 7] = [
    Ipv4Addr::new(10, 240, 0, 0),
    Ipv4Addr::new(172, 31, 0, 0),
    Ipv4Addr::new(192, 168, 0, 0),
    Ipv4Addr::new(10, 0, 0, 0),
    Ipv4Addr::new(172, 16, 0, 0),
    Ipv4Addr::new(100, 64, 0, 0),
    Ipv4Addr::new(198, 18, 0, 0),
];

/// Where Amazon takes a VPC's IPv6 range from.
const USUAL_V6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0x2600, 0x1f14, 0x0abc, 0xde00, 0, 0, 0, 0),
    Ipv6Addr::new(0x2a05, 0xd014, 0x0abc, 0xde00, 0, 0, 0, 0),
];

/// The ranges that a VPC must leave alone: those of the topology as a whole, and those of the pods alone.
pub(crate) struct Taken {
    claimed: Vec<IpNet>,
    pods: Vec<IpNet>,
}

impl Taken {
    pub(crate) fn by(topology: &Topology) -> Self {
        let cluster = topology.cluster();
        let claims = cluster.pod_cidrs.iter().map(kroutes_core::ClusterCidr::net);
        let claimed = claims.chain(cluster.service_cidrs.iter().copied()).collect();
        Self { claimed, pods: topology.ranges().map(|(_, cidr)| cidr.net()).collect() }
    }

    /// Whether this block touches nothing.
    pub(crate) fn is_clear(&self, block: impl Into<IpNet>) -> bool {
        let block = block.into();
        !self.claimed.iter().chain(&self.pods).any(|net| overlap(net, &block))
    }

    /// The first of these blocks that touches nothing; failing that, the first that touches no pod.
    pub(crate) fn spare<N: Copy + Into<IpNet>>(&self, blocks: &[N]) -> Option<N> {
        let free = |taken: &[IpNet], block: N| !taken.iter().any(|net| overlap(net, &block.into()));
        let clear = blocks.iter().copied().find(|block| free(&self.claimed, *block));
        clear.or_else(|| blocks.iter().copied().find(|block| free(&self.pods, *block)))
    }
}

/// The whole of it: see [`Seed::for_topology`].
pub(crate) fn lay_out(topology: &Topology, wishes: &[TableWish]) -> Seed {
    let taken = Taken::by(topology);
    let workers = distinct_machines(topology);
    let addresses: Vec<Ipv4Addr> = workers.iter().filter_map(|worker| v4(worker)).collect();
    let mut vpc_cidrs = vpc_ranges(&taken, &addresses);
    let length = subnet_length(&vpc_cidrs, workers.len());
    let subnets = subnets_of(&vpc_cidrs, &addresses, length);
    let mut tables = tables_of(wishes);
    let subnets = if wishes.contains(&TableWish::Associated) {
        serve_workers(&mut tables, subnets);
        Vec::new()
    } else {
        subnets
    };
    deal_out(&mut tables, subnets, &mut vpc_cidrs, length, &taken);
    let vpc = wishes.iter().find_map(|wish| match wish {
        TableWish::MainOf(vpc) => Some(vpc.clone()),
        _ => None,
    });
    let vpc_ipv6_cidrs = vpc_v6_ranges(topology, &workers, &taken);
    let instances = workers.into_iter().map(instance).collect();
    Seed { vpc, vpc_cidrs, vpc_ipv6_cidrs, tables, instances, exports: Vec::new(), compute: Vec::new() }
}

/// A worker's addresses, and the one by which its machine is asked for.
fn addresses(worker: &Worker) -> impl Iterator<Item = IpAddr> {
    let asked = match &worker.machine {
        MachineRef::Address(address) => Some(*address),
        _ => None,
    };
    worker.addresses.iter().copied().chain(asked)
}

pub(crate) fn v4(worker: &Worker) -> Option<Ipv4Addr> {
    addresses(worker).find_map(|address| match address {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(_) => None,
    })
}

pub(crate) fn v6(worker: &Worker) -> Option<Ipv6Addr> {
    addresses(worker).find_map(|address| match address {
        IpAddr::V6(v6) => Some(v6),
        IpAddr::V4(_) => None,
    })
}

/// Two workers may stand for one machine, which then is there once.
pub(crate) fn distinct_machines(topology: &Topology) -> Vec<&Worker> {
    let mut seen = std::collections::HashSet::new();
    topology.workers().iter().filter(|worker| seen.insert(&worker.machine)).collect()
}

/// The widest block that AWS allows around each address (a VPC's ranges are /16 to /28) without touching what is taken.
pub(crate) fn vpc_ranges(taken: &Taken, addresses: &[Ipv4Addr]) -> Vec<Ipv4Net> {
    let mut ranges: Vec<Ipv4Net> = Vec::new();
    for address in addresses {
        if ranges.iter().any(|range| range.contains(address)) {
            continue;
        }
        let around: Vec<_> = (16..=28).map(|length| Ipv4Net::new_assert(*address, length).trunc()).collect();
        // An address among the pods of its neighbours cannot have a block of its own size; the smallest must do.
        let block = taken.spare(&around).unwrap_or_else(|| Ipv4Net::new_assert(*address, 28).trunc());
        ranges.retain(|range| !block.contains(range));
        ranges.push(block);
    }
    if ranges.is_empty() {
        let usual = USUAL.map(|address| Ipv4Net::new_assert(address, 16));
        ranges.push(taken.spare(&usual).unwrap_or(usual[0]));
    }
    ranges
}

/// A /24 a subnet, unless the workers need more room.
pub(crate) fn subnet_length(ranges: &[Ipv4Net], workers: usize) -> u8 {
    let widest = ranges.iter().map(Ipv4Net::prefix_len).min().unwrap_or(16);
    let holds = |length: u8| (1_usize << (32 - u32::from(length))).saturating_sub(8) >= workers;
    (widest..=24).rev().find(|length| holds(*length)).unwrap_or(widest)
}

pub(crate) fn subnets_of(ranges: &[Ipv4Net], addresses: &[Ipv4Addr], length: u8) -> Vec<Ipv4Net> {
    let mut subnets: Vec<Ipv4Net> = Vec::new();
    for address in addresses {
        let range = ranges.iter().find(|range| range.contains(address)).map_or(length, Ipv4Net::prefix_len);
        let subnet = Ipv4Net::new_assert(*address, length.max(range)).trunc();
        if !subnets.contains(&subnet) {
            subnets.push(subnet);
        }
    }
    subnets
}

fn tables_of(wishes: &[TableWish]) -> Vec<SeedTable> {
    let mut distinct: Vec<&TableWish> = Vec::new();
    for wish in wishes {
        let second_main =
            matches!(wish, TableWish::MainOf(_)) && distinct.iter().any(|other| matches!(other, TableWish::MainOf(_)));
        if !distinct.contains(&wish) && !second_main {
            distinct.push(wish);
        }
    }
    if distinct.is_empty() {
        return vec![SeedTable { main: true, ..SeedTable::default() }];
    }
    let table = |wish: &TableWish| {
        Some(match wish {
            TableWish::Id(id) => SeedTable { id: Some(id.clone()), ..SeedTable::default() },
            TableWish::Tags(tags) => SeedTable { tags: tags.clone(), ..SeedTable::default() },
            TableWish::MainOf(_) => SeedTable { main: true, ..SeedTable::default() },
            TableWish::Export(name) => SeedTable { export: Some(name.clone()), ..SeedTable::default() },
            TableWish::Associated => return None,
            TableWish::Subnet(id) => {
                let subnet = SeedSubnet { id: Some(id.clone()), cidr: None };
                SeedTable { subnets: vec![subnet], ..SeedTable::default() }
            }
        })
    };
    distinct.into_iter().filter_map(table).collect()
}

/// A table for each subnet in which workers live; the last subnet is the main table's, which shows no association with it.
fn serve_workers(tables: &mut Vec<SeedTable>, subnets: Vec<Ipv4Net>) {
    let least = if subnets.is_empty() { 3 } else { 2 };
    let mut subnets: Vec<_> = subnets.into_iter().map(|cidr| SeedSubnet { id: None, cidr: Some(cidr) }).collect();
    subnets.resize(subnets.len().max(least), SeedSubnet::default());
    let of_the_main_table = subnets.pop();
    tables.extend(subnets.into_iter().map(|subnet| SeedTable { subnets: vec![subnet], ..SeedTable::default() }));
    match tables.iter_mut().find(|table| table.main) {
        Some(main) => main.subnets.extend(of_the_main_table),
        None => {
            tables.push(SeedTable { main: true, subnets: Vec::from_iter(of_the_main_table), ..SeedTable::default() });
        }
    }
}

/// Gives every table something to serve: first the subnets in which workers live, in turn, then empty ones.
fn deal_out(tables: &mut [SeedTable], subnets: Vec<Ipv4Net>, ranges: &mut Vec<Ipv4Net>, length: u8, taken: &Taken) {
    let served = tables.iter().flat_map(|table| &table.subnets).filter_map(|subnet| subnet.cidr);
    let mut used: Vec<_> = subnets.iter().copied().chain(served).collect();
    let count = tables.len();
    for (index, cidr) in subnets.into_iter().enumerate() {
        let table = &mut tables[index % count];
        match table.subnets.iter_mut().find(|subnet| subnet.cidr.is_none()) {
            Some(named) => named.cidr = Some(cidr),
            None => table.subnets.push(SeedSubnet { id: None, cidr: Some(cidr) }),
        }
    }
    for table in tables {
        if table.subnets.is_empty() {
            table.subnets.push(SeedSubnet::default());
        }
        for subnet in table.subnets.iter_mut().filter(|subnet| subnet.cidr.is_none()) {
            subnet.cidr = free_block(ranges, &mut used, length, taken);
        }
    }
}

fn free_block(ranges: &mut Vec<Ipv4Net>, used: &mut Vec<Ipv4Net>, length: u8, taken: &Taken) -> Option<Ipv4Net> {
    let free = |ranges: &[Ipv4Net], used: &[Ipv4Net]| {
        let blocks = ranges.iter().filter_map(|range| range.subnets(length).ok()).flatten();
        let mut spare = blocks.filter(|block| !used.iter().any(|net| net.contains(block) || block.contains(net)));
        spare.next()
    };
    let found = free(ranges, used).or_else(|| {
        let usual = USUAL.map(|address| Ipv4Net::new_assert(address, 16));
        let spare: Vec<_> =
            usual.into_iter().filter(|block| !ranges.iter().any(|range| block.contains(range))).collect();
        ranges.push(taken.spare(&spare)?);
        free(ranges, used)
    });
    used.extend(found);
    found
}

fn vpc_v6_ranges(topology: &Topology, workers: &[&Worker], taken: &Taken) -> Vec<Ipv6Net> {
    let mut ranges: Vec<Ipv6Net> = Vec::new();
    for address in workers.iter().filter_map(|worker| v6(worker)) {
        if ranges.iter().any(|range| range.contains(&address)) {
            continue;
        }
        let around: Vec<_> = (56..=124).step_by(4).map(|length| Ipv6Net::new_assert(address, length).trunc()).collect();
        ranges.extend(taken.spare(&around));
    }
    let dual = topology.ranges().any(|(_, cidr)| cidr.is_ipv6());
    if ranges.is_empty() && dual {
        ranges.extend(taken.spare(&USUAL_V6.map(|address| Ipv6Net::new_assert(address, 56))));
    }
    ranges
}

/// One running machine as the guides make it, user data included.
fn instance(worker: &Worker) -> SeedInstance {
    let name = worker.name.as_str();
    let cidrs: Vec<_> = worker.pod_cidrs.iter().map(ToString::to_string).collect();
    let (id, shown) = match &worker.machine {
        MachineRef::Id(id) => (Some(id.clone()), name),
        MachineRef::Name(tag) => (None, tag.as_str()),
        _ => (None, name),
    };
    let export = match &worker.machine {
        MachineRef::Export(export) => Some(export.clone()),
        _ => None,
    };
    SeedInstance {
        id,
        tags: Tags::from([("Name".to_owned(), shown.to_owned())]),
        private_ip: v4(worker),
        ipv6: v6(worker),
        user_data: Some(format!("name={name}|pod-cidr={}", cidrs.join(","))),
        source_dest_check: true,
        export,
    }
}
