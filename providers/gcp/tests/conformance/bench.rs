//! A fresh model cloud for every case, with a topology that has come true in it but for the routes.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kroutes_core::{Cluster, Gate, GateSettings, MachineRef, TableId, Topology, Worker};
use kroutes_gcp::{Connection, GcpBackend, GcpSettings};
use kroutes_lab::{Lab, Options, Seed, SeedMachine};
use kroutes_testkit::{Bench, Subject};

use crate::hands::{Hands, STRANGER};

/// The network's and the cluster's name.
const NAME: &str = "kubernetes";
/// Few enough to fill a network quickly, and more than the topology needs.
const ROUTES_LIMIT: u32 = 24;

/// What Compute has none of.
const NEVER: [&str; 3] = [
    // A destination is always a range (Compute Engine API, `Route.destRange`).
    "a_prefix_list_is_a_destination_of_its_own",
    // A topology has one network.
    "a_table_that_cannot_be_read_does_not_hide_the_others",
    // That a VM may not forward is found and told, and it is the user's to change: sending a whole VM back is no fix.
    "a_check_that_stops_packets_is_found_fixed_and_gone",
];

/// What is besides only where VMs are known by name: an address that the topology gives is the next hop whoever has it.
const BY_ADDRESS: [&str; 4] = [NEVER[0], NEVER[1], NEVER[2], "a_name_that_two_machines_bear_is_refused_with_both"];

/// Compute as a lab plays it.
pub(crate) struct Vpc {
    options: Options,
    /// Whether the topology gives all workers' addresses, and not only those of the latter half.
    every_address: bool,
}

impl Vpc {
    pub(crate) fn new(options: Options) -> Self {
        Self { options, every_address: false }
    }

    pub(crate) fn with_every_address(self) -> Self {
        Self { every_address: true, ..self }
    }
}

/// A quick lab whose networks are soon full.
pub(crate) fn options() -> Options {
    Options { network_routes_limit: ROUTES_LIMIT, ..Options::default() }
}

/// Opens the provider without allowances, and with patience for as many attempts as a single fault needs: a throttle, which
/// asks to wait for the next minute, is left to the caller.
async fn open(lab: &Lab, cluster: &Cluster) -> GcpBackend {
    let gate = GateSettings {
        attempts: 3,
        attempt_timeout: Duration::from_secs(5),
        total: Duration::from_secs(2),
        ..GateSettings::default()
    };
    let settings = GcpSettings {
        project: Some(lab.project()),
        network: Some(NAME.to_owned()),
        routes_limit: Some(ROUTES_LIMIT),
        ..GcpSettings::default()
    };
    let connection = Connection::Fixed { endpoint: lab.compute_endpoint(), token: Lab::ACCESS_TOKEN.to_owned() };
    GcpBackend::open(&settings, cluster, Arc::new(Gate::new(gate)), connection).await.expect("a backend")
}

/// The addresses of the first two workers are looked up by name, unless the topology is to give every one. All IPv6
/// addresses are looked up.
fn topology(every_address: bool) -> Topology {
    let worker = |(place, index): (usize, u8)| {
        let name = format!("worker-{index}");
        let address = format!("10.240.0.{}", 20 + index).parse().expect("an address");
        Worker {
            name: name.parse().expect("a name"),
            pod_cidrs: vec![
                format!("10.200.{index}.0/24").parse().expect("a range"),
                format!("fd00:10:200:{index}::/64").parse().expect("a range"),
            ],
            addresses: if every_address || place > 1 { vec![address] } else { Vec::new() },
            machine: MachineRef::Name(name),
        }
    };
    let cluster = Cluster {
        name: NAME.parse().expect("a name"),
        pod_cidrs: vec!["10.200.0.0/16".parse().expect("a range"), "fd00:10:200::/48".parse().expect("a range")],
        service_cidrs: Vec::new(),
    };
    // The second name begins with the first one: whoever takes prefixes takes one for the other.
    let workers = [1, 10, 11, 2].into_iter().enumerate().map(worker).collect();
    Topology::new(cluster, workers).expect("a sound topology")
}

#[async_trait]
impl Bench for Vpc {
    async fn fresh(&self) -> Subject {
        let topology = topology(self.every_address);
        let mut seed = Seed::default().with_network(&topology, NAME);
        seed.compute[0].machines.push(SeedMachine::named(STRANGER));
        let lab = Lab::start(seed, self.options.clone()).await.expect("a port");
        let backend = open(&lab, topology.cluster()).await;
        let outside = Hands::new(lab, &topology, NAME, &self.options);
        Subject { backend: Arc::new(backend), table: TableId(NAME.to_owned()), topology, outside: Box::new(outside) }
    }

    fn skips(&self) -> &'static [&'static str] {
        if self.every_address { &BY_ADDRESS } else { &NEVER }
    }
}
