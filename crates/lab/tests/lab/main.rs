//! The lab as its users meet it: the rules of the model cloud, the seed, and the protocol over real sockets.

mod client;
mod cloudformation;
mod cloudformation_seeds;
mod compute_client;
mod compute_identity;
mod compute_model;
mod compute_operations;
mod compute_protocol;
mod compute_seeds;
mod compute_trouble;
mod faults;
mod model;
mod policies;
mod protocol;
mod seeds;

use std::collections::BTreeMap;

use kroutes_core::{Cluster, MachineRef, Topology, Worker};
use kroutes_lab::{Cloud, Options, Seed, TableWish};

/// A tag set of one `Name`.
fn name(text: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("Name".to_owned(), text.to_owned())])
}

/// Workers `worker-0` and so on with these pod CIDRs and addresses, each of which may be a list separated by commas.
fn topology(cluster: &str, workers: &[(&str, &str)]) -> Topology {
    let list = |text: &str| text.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let cluster = Cluster {
        name: "kubernetes".parse().expect("a name"),
        pod_cidrs: list(cluster).iter().map(|cidr| cidr.parse().expect("a range")).collect(),
        service_cidrs: Vec::new(),
    };
    let worker = |(index, (cidrs, addresses)): (usize, &(&str, &str))| Worker {
        name: format!("worker-{index}").parse().expect("a name"),
        pod_cidrs: list(cidrs).iter().map(|cidr| cidr.parse().expect("a range")).collect(),
        addresses: list(addresses).iter().map(|address| address.parse().expect("an address")).collect(),
        machine: MachineRef::Name(format!("worker-{index}")),
    };
    Topology::new(cluster, workers.iter().enumerate().map(worker).collect()).expect("a sound topology")
}

/// The same, with every machine asked for by the name under which it is exported.
fn exported_as(topology: &Topology, export: impl Fn(usize) -> String) -> Topology {
    let worker =
        |(index, worker): (usize, &Worker)| Worker { machine: MachineRef::Export(export(index)), ..worker.clone() };
    let workers = topology.workers().iter().enumerate().map(worker).collect();
    Topology::new(topology.cluster().clone(), workers).expect("a sound topology")
}

/// The guide's three workers and the table called `kubernetes`.
fn hard_way() -> Seed {
    let workers =
        [("10.200.0.0/24", "10.240.0.20"), ("10.200.1.0/24", "10.240.0.21"), ("10.200.2.0/24", "10.240.0.22")];
    Seed::for_topology(&topology("10.200.0.0/16", &workers), &[TableWish::Tags(name("kubernetes"))])
}

/// The ids of the table and of the three workers.
fn ids(cloud: &Cloud) -> (String, [String; 3]) {
    let worker = |n: usize| cloud.instance_named(&format!("worker-{n}")).expect("a worker");
    (cloud.table_named("kubernetes").expect("the table"), [0, 1, 2].map(worker))
}

/// The guide's cloud without an endpoint.
fn hard_way_cloud(options: &Options) -> (Cloud, String, [String; 3]) {
    let cloud = hard_way().build(options);
    let (table, workers) = ids(&cloud);
    (cloud, table, workers)
}
