//! Workers that Compute Engine knows by itself, on the wire.

use std::collections::BTreeMap;
use std::sync::Arc;

use kroutes_core::{Cluster, ErrorKind, Gate, MachineRef, RangeFrom, RouteBackend, Selector};
use kroutes_gcp::{Connection, GcpBackend, GcpSettings, gate_settings};
use kroutes_lab::{Lab, Options, Seed, SeedMachine, SeedNetwork};

fn cluster() -> Cluster {
    let pod_cidrs = vec!["10.200.0.0/16".parse().expect("cidr")];
    Cluster { name: "kubernetes".parse().expect("name"), pod_cidrs, service_cidrs: Vec::new() }
}

fn machine(name: &str, range: &str) -> SeedMachine {
    let metadata = BTreeMap::from([("pod-cidr".to_owned(), range.to_owned())]);
    let labels = BTreeMap::from([("role".to_owned(), "worker".to_owned())]);
    SeedMachine { metadata, labels, ..SeedMachine::named(name) }
}

async fn open(network: &str) -> (Lab, GcpBackend) {
    let mut ours = SeedNetwork::named("kubernetes");
    ours.machines = vec![machine("worker-0", "10.200.0.0/24"), machine("worker-1", "10.200.1.0/24")];
    ours.machines.push(SeedMachine { labels: BTreeMap::new(), ..machine("worker-2", "10.200.2.0/24") });
    let mut other = SeedNetwork::named("other");
    other.machines = vec![machine("worker-9", "10.200.9.0/24")];
    let seed = Seed { compute: vec![ours, other], ..Seed::default() };
    let lab = Lab::start(seed, Options::default()).await.expect("lab");
    let connection = Connection::Fixed { endpoint: lab.compute_endpoint(), token: Lab::ACCESS_TOKEN.to_owned() };
    let settings =
        GcpSettings { project: Some(lab.project()), network: Some(network.to_owned()), ..GcpSettings::default() };
    let gate = Arc::new(Gate::new(gate_settings()));
    let backend = GcpBackend::open(&settings, &cluster(), gate, connection).await.expect("open");
    (lab, backend)
}

fn selector(name: &str) -> Selector {
    let labels = BTreeMap::from([("role".to_owned(), "worker".to_owned())]);
    Selector { name: Some(name.to_owned()), labels, range: RangeFrom::Machine }
}

#[tokio::test]
async fn what_is_discovered_in_the_network_is_what_observing_finds() {
    let (_lab, backend) = open("kubernetes").await;
    let found = backend.discover(&selector("worker-*")).await.expect("found");
    let names: Vec<&str> = found.workers.iter().map(|worker| worker.name.as_str()).collect();
    assert_eq!(names, ["worker-0", "worker-1"]);
    assert_eq!(found.workers[0].machine, MachineRef::Id("us-west1-a/worker-0".to_owned()));
    assert_eq!((found.workers[0].addresses.len(), found.left_out.len()), (1, 0));

    let observation = backend.observe(&found.workers).await.expect("observation");
    assert_eq!(observation.machines.len(), 2);
    assert!(observation.next_hops.values().all(Result::is_ok), "{:?}", observation.next_hops);

    let mut by_address = found.workers;
    for worker in &mut by_address {
        worker.machine = MachineRef::Address(worker.addresses.pop().expect("address"));
    }
    let observation = backend.observe(&by_address).await.expect("observation");
    assert!(observation.next_hops.values().all(Result::is_ok), "{:?}", observation.next_hops);
}

#[tokio::test]
async fn a_network_that_does_not_exist_is_not_taken_for_one_without_workers() {
    let (_lab, backend) = open("elsewhere").await;
    let error = backend.discover(&selector("worker-*")).await.expect_err("no network");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
