//! A lab with a backend opened on it, and short words for what tests ask of both.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kroutes_core::{
    Cluster, Destination, Finding, Gate, GateSettings, MachineRef, NextHop, Observation, ObservedRoute, Result, Route,
    RouteBackend, Table, TableId, Worker,
};
use kroutes_gcp::{Connection, GcpBackend, GcpSettings};
use kroutes_lab::model::compute::{self, Hop, Operation};
use kroutes_lab::{Lab, Options, Seed, SeedMachine, SeedNetwork, SeedSubnetwork};

/// The name of the cluster and of its network.
pub(crate) const NAME: &str = "kubernetes";
/// Another network of the project.
pub(crate) const OTHER: &str = "other";
pub(crate) const ZONE: &str = "us-west1-a";
/// Its route is named so in "Kubernetes The Hard Way".
pub(crate) const POD: &str = "10.200.0.0/24";
pub(crate) const USUAL: &str = "kubernetes-route-10-200-0-0-24";

pub(crate) struct Bench {
    pub(crate) lab: Lab,
    pub(crate) gate: Arc<Gate>,
    pub(crate) backend: Arc<GcpBackend>,
    pub(crate) table: TableId,
}

pub(crate) fn cluster() -> Cluster {
    Cluster {
        name: NAME.parse().expect("name"),
        pod_cidrs: vec!["10.200.0.0/16".parse().expect("cidr"), "10.204.0.0/14".parse().expect("cidr")],
        service_cidrs: Vec::new(),
    }
}

/// Short patience, so that a test of what never comes ends; and no throttle is waited out until the next minute.
pub(crate) fn impatient() -> GateSettings {
    GateSettings {
        attempts: 3,
        attempt_timeout: Duration::from_secs(2),
        total: Duration::from_secs(4),
        ..GateSettings::default()
    }
}

pub(crate) fn settings(project: &str, network: &str) -> GcpSettings {
    // Longer than any operation of these tests takes that ends at all.
    GcpSettings {
        project: Some(project.to_owned()),
        network: Some(network.to_owned()),
        operation_timeout: 5,
        ..GcpSettings::default()
    }
}

pub(crate) fn worker_name(index: usize) -> String {
    format!("worker-{index}")
}

/// `10.240.0.30` for the first, and so on.
pub(crate) fn address(index: usize) -> Ipv4Addr {
    let first = u32::from(Ipv4Addr::new(10, 240, 0, 30));
    Ipv4Addr::from(first + u32::try_from(index).expect("few"))
}

/// `10.200.0.0/24` for the first, and so on.
pub(crate) fn pod(index: usize) -> String {
    let first = u32::from(Ipv4Addr::new(10, 200, 0, 0));
    let net = Ipv4Addr::from(first + 256 * u32::try_from(index).expect("few"));
    format!("{net}/24")
}

pub(crate) fn network(name: &str, workers: usize) -> SeedNetwork {
    let range = "10.240.0.0/20".parse().expect("net");
    let subnetworks = vec![SeedSubnetwork { name: name.to_owned(), range, ipv6_range: None }];
    let machine = |index| SeedMachine { address: Some(address(index)), ..SeedMachine::named(&worker_name(index)) };
    SeedNetwork { subnetworks, machines: (0..workers).map(machine).collect(), ..SeedNetwork::named(name) }
}

pub(crate) fn seed(workers: usize) -> Seed {
    Seed { compute: vec![network(NAME, workers), SeedNetwork::named(OTHER)], ..Seed::default() }
}

/// Workers with the addresses that their machines have.
pub(crate) fn workers(count: usize) -> Vec<Worker> {
    (0..count)
        .map(|index| Worker {
            name: worker_name(index).parse().expect("name"),
            pod_cidrs: vec![pod(index).parse().expect("cidr")],
            addresses: vec![address(index).into()],
            machine: MachineRef::Name(worker_name(index)),
        })
        .collect()
}

/// The same, of whom the topology says no address.
pub(crate) fn nameless_addresses(count: usize) -> Vec<Worker> {
    workers(count).into_iter().map(|worker| Worker { addresses: Vec::new(), ..worker }).collect()
}

pub(crate) async fn open_at(endpoint: &str, settings: &GcpSettings, patience: GateSettings) -> (GcpBackend, Arc<Gate>) {
    let gate = Arc::new(Gate::new(patience));
    let connection = Connection::Fixed { endpoint: endpoint.to_owned(), token: Lab::ACCESS_TOKEN.to_owned() };
    let backend = GcpBackend::open(settings, &cluster(), Arc::clone(&gate), connection).await.expect("open");
    (backend, gate)
}

/// A route as somebody else would make it.
pub(crate) fn theirs(network: &str, cidr: &str, hop: Hop) -> compute::Route {
    compute::Route {
        id: 0,
        network: network.to_owned(),
        destination: cidr.parse().expect("net"),
        priority: 1000,
        description: String::new(),
        tags: Vec::new(),
        hop,
        created: SystemTime::now(),
    }
}

pub(crate) fn via(index: usize) -> Hop {
    Hop::Address(address(index).into())
}

pub(crate) fn route(cidr: &str, worker: usize) -> Route {
    Route {
        destination: cidr.parse().expect("cidr"),
        next_hop: NextHop::Address(address(worker).into()),
        worker: worker_name(worker).parse().expect("name"),
    }
}

impl Bench {
    pub(crate) async fn new(count: usize) -> Self {
        Self::with(seed(count), Options::default(), impatient()).await
    }

    pub(crate) async fn slow(count: usize, operation_delay: Duration) -> Self {
        Self::with(seed(count), Options { operation_delay, ..Options::default() }, impatient()).await
    }

    /// For refusals that are over in a minute: to be used inside [`Self::hurried`].
    pub(crate) async fn patient(count: usize) -> Self {
        let patience = GateSettings { total: Duration::from_mins(2), ..impatient() };
        Self::with(seed(count), Options::default(), patience).await
    }

    /// Does something that has to wait for long, and lets the clock jump wherever nothing happens but waiting.
    pub(crate) async fn hurried<T>(&self, work: impl Future<Output = T>) -> T {
        let jumping = async {
            loop {
                let before = self.lab.calls();
                // Whoever follows an operation looks at it more often than that.
                tokio::time::sleep(Duration::from_millis(700)).await;
                if self.lab.calls() == before {
                    tokio::time::pause();
                    tokio::time::advance(Duration::from_secs(16)).await;
                    tokio::time::resume();
                }
            }
        };
        tokio::select! {
            biased;
            done = work => done,
            () = jumping => unreachable!("it jumps for ever"),
        }
    }

    pub(crate) async fn with(seed: Seed, options: Options, patience: GateSettings) -> Self {
        let lab = Lab::start(seed, options).await.expect("lab");
        let (backend, gate) = open_at(&lab.compute_endpoint(), &settings(&lab.project(), NAME), patience).await;
        Self { lab, gate, backend: Arc::new(backend), table: TableId(NAME.to_owned()) }
    }

    /// Another run of the program, on the same cloud.
    pub(crate) async fn another(&self, settings: &GcpSettings) -> GcpBackend {
        open_at(&self.lab.compute_endpoint(), settings, impatient()).await.0
    }

    pub(crate) fn settings(&self) -> GcpSettings {
        settings(&self.lab.project(), NAME)
    }

    pub(crate) async fn try_create(&self, cidr: &str, worker: usize) -> Result<()> {
        self.backend.create_route(&self.table, &route(cidr, worker)).await
    }

    pub(crate) async fn create(&self, cidr: &str, worker: usize) -> ObservedRoute {
        self.try_create(cidr, worker).await.expect("created");
        let wanted = route(cidr, worker);
        let listed = self.list().await.routes;
        listed.into_iter().find(|route| route.is_as_wanted(&wanted)).expect("listed")
    }

    pub(crate) async fn observe(&self, workers: &[Worker]) -> Observation {
        self.backend.observe(workers).await.expect("observation")
    }

    pub(crate) async fn list(&self) -> Table {
        self.backend.list_routes(&self.table).await.expect("listing")
    }

    pub(crate) async fn entries(&self, cidr: &str) -> Vec<ObservedRoute> {
        let wanted = Destination::net(cidr.parse().expect("cidr"));
        self.list().await.routes.into_iter().filter(|route| route.destination == wanted).collect()
    }

    /// The names of all routes of the project for a destination, and where they lead, without any lag.
    pub(crate) fn held(&self, cidr: &str) -> Vec<(String, Hop)> {
        let wanted: ipnet::IpNet = cidr.parse().expect("cidr");
        self.lab.cloud(|cloud| {
            let found = cloud.compute.routes.iter().filter(|(_, route)| route.destination == wanted);
            found.map(|(name, route)| (name.clone(), route.hop.clone())).collect()
        })
    }

    pub(crate) fn stored(&self, name: &str) -> Option<compute::Route> {
        self.lab.cloud(|cloud| cloud.compute.routes.get(name).cloned())
    }

    /// Puts a route there as somebody else would.
    pub(crate) fn put(&self, name: &str, route: compute::Route) {
        self.lab.change(|cloud| cloud.compute.put_route(name, route));
    }

    /// All operations that there ever were, the oldest first.
    pub(crate) fn operations(&self) -> Vec<Operation> {
        let mut all: Vec<Operation> = self.lab.cloud(|cloud| cloud.compute.operations.values().cloned().collect());
        all.sort_by_key(|operation| operation.inserted);
        all
    }

    /// Calls since the last time this was asked.
    pub(crate) fn calls(&self) -> BTreeMap<String, u64> {
        let calls = self.lab.calls();
        self.lab.reset_calls();
        calls
    }

    /// What took effect, in its order.
    pub(crate) fn effects(&self) -> Vec<String> {
        self.lab.log().into_iter().map(|entry| format!("{} {}", entry.action, entry.what)).collect()
    }
}

pub(crate) fn counts(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
    pairs.iter().map(|(action, count)| ((*action).to_owned(), *count)).collect()
}

/// A table of an observation that was read.
pub(crate) fn table(observation: &Observation) -> &Table {
    observation.tables[0].table.as_ref().expect("table")
}

pub(crate) fn codes(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.code).collect()
}
