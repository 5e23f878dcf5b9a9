//! How long deciding takes: plan and verify over tables far larger than any cloud allows today.
//!
//! `cargo bench -p kroutes-core`. The budgets are in `docs/performance.md`.

use std::collections::HashMap;
use std::net::Ipv6Addr;

use divan::{Bencher, black_box};
use ipnet::{IpNet, Ipv6Net};
use kroutes_core::memory::Character;
use kroutes_core::{
    Capabilities, Cluster, Destination, Life, MachineRef, NextHop, Observation, ObservedRoute, Origin, Plan, PodCidr,
    Policy, Reading, RouteState, Table, TableId, Target, Topology, Verdict, Worker,
};

const EC2: Capabilities = Character::ec2().capabilities;

fn main() {
    divan::main();
}

fn range(n: u32) -> PodCidr {
    let address = Ipv6Addr::from((0xfd00_u128 << 112) | (u128::from(n) << 64));
    PodCidr::new(IpNet::V6(Ipv6Net::new(address, 64).expect("a length"))).expect("a range")
}

/// As many workers as asked for, and a table in which every tenth route leads elsewhere and every tenth is missing.
fn world(workers: u32) -> (Topology, Observation) {
    let cluster = Cluster {
        name: "bench".parse().expect("a name"),
        pod_cidrs: vec!["fd00::/16".parse().expect("a range")],
        service_cidrs: Vec::new(),
    };
    let worker = |n: u32| Worker {
        name: format!("worker-{n}").parse().expect("a name"),
        pod_cidrs: vec![range(n)],
        addresses: Vec::new(),
        machine: MachineRef::Id(format!("i-{n}")),
    };
    let topology = Topology::new(cluster, (0..workers).map(worker).collect()).expect("sound");
    let route = |n: u32| ObservedRoute {
        destination: Destination::Net(range(n).net()),
        next_hops: vec![NextHop::Instance(format!("i-{}", if n.is_multiple_of(10) { n + 1 } else { n }))],
        target: Target::Machine { id: format!("i-{n}"), life: Life::Live },
        state: RouteState::Active,
        origin: Origin::Static,
        marked: false,
        precedence: 0,
        deviation: None,
        name: None,
    };
    let table = Table {
        id: TableId("rtb-0".to_owned()),
        location: "bench".to_owned(),
        routes: (0..workers).filter(|n| n % 10 != 5).map(route).collect(),
        quotas: Vec::new(),
        claims: Vec::new(),
    };
    let observation = Observation {
        tables: vec![Reading { wanted: "rtb-0".to_owned(), table: Ok(table) }],
        next_hops: (0..workers).map(|n| (range(n), Ok(NextHop::Instance(format!("i-{n}"))))).collect::<HashMap<_, _>>(),
        machines: topology
            .workers()
            .iter()
            .enumerate()
            .map(|(n, worker)| (format!("i-{n}"), worker.name.clone()))
            .collect::<HashMap<_, _>>(),
        serves: HashMap::new(),
        findings: Vec::new(),
        unproved: Vec::new(),
        out_of_reach: Vec::new(),
    };
    (topology, observation)
}

#[divan::bench(args = [1_000, 100_000, 1_000_000], sample_count = 3, sample_size = 1)]
fn plan(bencher: Bencher<'_, '_>, workers: u32) {
    let (topology, observation) = world(workers);
    bencher.bench_local(|| black_box(Plan::new(&topology, &observation, EC2, Policy::default())));
}

#[divan::bench(args = [1_000, 100_000, 1_000_000], sample_count = 3, sample_size = 1)]
fn verify(bencher: Bencher<'_, '_>, workers: u32) {
    let (topology, observation) = world(workers);
    bencher.bench_local(|| black_box(Verdict::new(&topology, &observation, EC2)));
}
