//! Networks that are made for a topology must not stand in its way.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::SystemTime;

use kroutes_core::{Cluster, MachineRef, Topology, Worker, overlap};
use kroutes_lab::model::compute::{Asked, Compute, Hop, Machine, NewRoute, Status};
use kroutes_lab::{Options, Seed, SeedMachine, SeedNetwork};

use crate::topology;

fn build(topology: &Topology) -> Compute {
    let seed = Seed::for_topology(topology, &[]).with_network(topology, "kubernetes");
    seed.build(&Options { routes_limit: 100_000, ..Options::default() }).compute
}

fn machine<'a>(compute: &'a Compute, name: &str) -> &'a Machine {
    &compute.machines[&compute.machine_named(name).expect("a machine of that name")]
}

/// Every worker's routes can be made, and Compute has nothing to remark on them.
fn comes_true(topology: &Topology, compute: &mut Compute) {
    for (worker, cidr) in topology.ranges() {
        let nic = &machine(compute, worker.name.as_str()).nics[0];
        let address = if cidr.is_ipv6() { nic.ipv6.map(IpAddr::V6) } else { Some(IpAddr::V4(nic.address)) };
        let new = NewRoute {
            network: "kubernetes".to_owned(),
            destination: cidr.to_string(),
            hop: address.map(Hop::Address),
            ..NewRoute::default()
        };
        let name = format!("r{}", compute.operations.len());
        let asked = Asked { request_id: None, user: String::new(), now: SystemTime::UNIX_EPOCH };
        let operation = compute.insert_route(&name, new, asked).unwrap_or_else(|refusal| panic!("{cidr}: {refusal:?}"));
        compute.end_operation(&operation, SystemTime::UNIX_EPOCH);
        assert_eq!(compute.warnings(&compute.routes[&name]), [], "{cidr}");
    }
}

#[test]
fn the_guides_network_is_the_guides() {
    let workers = [("10.200.0.0/24", "10.240.0.20"), ("10.200.1.0/24", "10.240.0.21")];
    let topology = topology("10.200.0.0/16", &workers);
    let mut compute = build(&topology);
    let subnetwork = &compute.subnetworks["us-west1/kubernetes"];
    assert_eq!((subnetwork.range.to_string(), subnetwork.ipv6_range), ("10.240.0.0/24".to_owned(), None));
    let keys: Vec<_> = compute.machines.keys().cloned().collect();
    assert_eq!(keys, ["us-west1-a/worker-0", "us-west1-b/worker-1"]);
    let worker = &compute.machines["us-west1-b/worker-1"];
    assert!(worker.can_ip_forward);
    assert_eq!(worker.status, Status::Running);
    assert_eq!(worker.metadata["pod-cidr"], "10.200.1.0/24");
    assert_eq!(worker.nics[0].address.to_string(), "10.240.0.21");
    comes_true(&topology, &mut compute);
}

#[test]
fn subnetworks_hold_the_addresses_and_keep_clear_of_the_pods() {
    let rows: [(&str, &[(&str, &str)]); 10] = [
        ("10.200.0.0/16", &[("10.200.0.0/24", ""), ("10.200.1.0/24", "")]),
        ("10.240.0.0/16", &[("10.240.0.0/24", ""), ("10.240.1.0/24", "")]),
        ("10.0.0.0/8", &[("10.1.0.0/24", "172.16.0.4")]),
        ("10.0.0.0/8", &[("10.1.0.0/24", "")]),
        ("10.0.0.0/16", &[("10.0.1.0/24", "10.1.0.4"), ("10.0.2.0/24", "10.2.0.4")]),
        ("10.0.0.0/16", &[("10.0.1.0/24", "10.0.200.4"), ("10.0.2.0/24", "10.0.200.5")]),
        ("10.200.0.0/16", &[("10.200.1.0/24", "10.0.0.4"), ("10.200.2.0/24", "192.168.0.4"), ("10.200.3.0/24", "")]),
        ("10.200.0.0/16,fd00:10:200::/48", &[("10.200.0.0/24,fd00:10:200::/64", "10.240.0.4")]),
        ("10.0.0.0/16,fd20::/16", &[("10.0.1.0/24,fd20:9::/64", "10.1.0.4"), ("10.0.2.0/24,fd20:8::/64", "10.2.0.4")]),
        ("fd00:10:200::/48", &[("fd00:10:200:1::/64", "fd20:1:2:3::4"), ("fd00:10:200:2::/64", "fd20:1:2:4::4")]),
    ];
    for (cluster, workers) in rows {
        let topology = topology(cluster, workers);
        let mut compute = build(&topology);
        let ranges: Vec<_> = compute.subnetworks.values().flat_map(|held| held.ranges().collect::<Vec<_>>()).collect();
        for (_, cidr) in topology.ranges() {
            assert!(!ranges.iter().any(|range| overlap(range, &cidr.net())), "{cluster}: {ranges:?} touches {cidr}");
        }
        for machine in compute.machines.values() {
            let nic = &machine.nics[0];
            assert!(compute.subnetworks[&nic.subnetwork].range.contains(&nic.address), "{cluster}: {nic:?}");
        }
        assert_eq!(compute.machines.len(), workers.len(), "{cluster}");
        comes_true(&topology, &mut compute);
    }
}

/// A range around both workers would hold the services, which no route's source should tell from a neighbour.
#[test]
fn a_subnetwork_keeps_clear_of_the_services_between_the_workers() {
    let workers = topology("10.200.0.0/16", &[("10.200.0.0/24", "10.1.0.4"), ("10.200.1.0/24", "10.60.0.4")]);
    let services = "10.32.0.0/24".parse().expect("a range");
    let cluster = Cluster { service_cidrs: vec![services], ..workers.cluster().clone() };
    let topology = Topology::new(cluster, workers.workers().to_vec()).expect("a sound topology");
    let compute = build(&topology);
    assert!(compute.subnetworks.values().all(|held| held.ranges().all(|range| !overlap(&range, &services))));
}

#[test]
fn a_machine_is_called_and_placed_as_the_topology_asks_for_it() {
    let sound = topology("10.200.0.0/16", &[("10.200.0.0/24", ""); 0]);
    let worker = |name: &str, cidr: &str, machine: MachineRef| Worker {
        name: name.parse().expect("a name"),
        pod_cidrs: vec![cidr.parse().expect("a range")],
        addresses: Vec::new(),
        machine,
    };
    let named = |text: &str| MachineRef::Name(text.to_owned());
    let workers = vec![
        worker("a", "10.200.0.0/24", MachineRef::Id("europe-west4-b/node-a".to_owned())),
        worker("b", "10.200.1.0/24", named("node-b")),
        worker("c", "10.200.2.0/24", named("Node_B.example.com.")),
        worker("d", "10.200.3.0/24", named("node-b-example-com")),
        worker("e", "10.200.4.0/24", named(&"7".repeat(80))),
        worker("f", "10.200.5.0/24", MachineRef::Id("projects/p/zones/europe-west4-a/instances/node-f".to_owned())),
        worker("g", "10.200.6.0/24", named("node-b")),
    ];
    let topology = Topology::new(sound.cluster().clone(), workers).expect("a sound topology");
    let compute = build(&topology);
    let mut keys: Vec<_> = compute.machines.keys().cloned().collect();
    keys.sort_unstable();
    let sevens = format!("europe-west4-b/vm-{}", "7".repeat(60));
    assert_eq!(
        keys,
        [
            "europe-west4-a/node-b-example-com-2",
            "europe-west4-a/node-f",
            "europe-west4-b/node-a",
            "europe-west4-b/node-b",
            &sevens,
            "europe-west4-c/node-b-example-com",
        ],
        "two workers that stand for one machine are one"
    );
    assert!(compute.subnetworks.contains_key("europe-west4/kubernetes"));
}

#[test]
fn five_thousand_workers_all_get_an_address() {
    let rows: Vec<(String, String)> = (0..5000)
        .map(|n| {
            let given = if n % 2 == 0 { format!("10.0.{}.{}", n / 250, 2 + n % 250) } else { String::new() };
            (format!("10.{}.{}.0/24", 64 + n / 256, n % 256), given)
        })
        .collect();
    let workers: Vec<(&str, &str)> = rows.iter().map(|(cidr, address)| (cidr.as_str(), address.as_str())).collect();
    let topology = topology("10.64.0.0/10", &workers);
    let seed = Seed::default().with_network(&topology, "kubernetes");
    let compute = seed.build(&Options::default()).compute;
    let addresses: HashSet<_> = compute.machines.values().map(|it| it.nics[0].address).collect();
    assert_eq!((compute.machines.len(), addresses.len(), compute.subnetworks.len()), (5000, 5000, 1));
}

#[test]
fn a_handmade_network_gets_what_its_machines_need() {
    let at = |name: &str, address: &str| SeedMachine {
        address: Some(address.parse().expect("an address")),
        ..SeedMachine::named(name)
    };
    let machines = vec![at("lost", "192.0.2.9"), at("twin", "192.0.2.9"), SeedMachine::named("found")];
    let network = SeedNetwork { machines, ..SeedNetwork::named("handmade") };
    let compute = Seed { compute: vec![network], ..Seed::default() }.build(&Options::default()).compute;
    let addresses: HashSet<_> = compute.machines.values().map(|it| it.nics[0].address).collect();
    assert_eq!((compute.machines.len(), addresses.len()), (3, 3));
    assert_eq!(machine(&compute, "lost").nics[0].address.to_string(), "192.0.2.9");
}

#[test]
fn one_seed_holds_a_half_for_either_cloud_whichever_comes_first() {
    let topology = topology("10.200.0.0/16", &[("10.200.0.0/24", "10.240.0.20")]);
    let tables = Seed::default().with_route_tables(&topology, &[]).with_network(&topology, "kubernetes");
    let network = Seed::default().with_network(&topology, "kubernetes").with_route_tables(&topology, &[]);
    assert_eq!(tables, network);
    let cloud = tables.build(&Options::default());
    assert!(cloud.instance_named("worker-0").is_some() && cloud.compute.machine_named("worker-0").is_some());
}

#[test]
fn a_seed_without_a_network_is_an_empty_project() {
    let compute = Seed::default().build(&Options::default()).compute;
    assert!(compute.networks.is_empty() && compute.routes.is_empty() && compute.machines.is_empty());
}
