//! A lab with a backend opened on it, and short words for what tests ask of both.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kroutes_aws::{AwsBackend, AwsSettings, Connection, TableRef, gate_settings};
use kroutes_core::{
    Cluster, Destination, Gate, GateSettings, MachineRef, NextHop, Observation, ObservedRoute, Route, RouteBackend,
    Table, TableId, Worker,
};
use kroutes_lab::{Lab, Options, Seed, SeedInstance, SeedTable};

pub(crate) const NAME: &str = "kubernetes";

pub(crate) struct Bench {
    pub(crate) lab: Lab,
    pub(crate) gate: Arc<Gate>,
    pub(crate) backend: AwsBackend,
    pub(crate) table: TableId,
}

pub(crate) fn cluster() -> Cluster {
    Cluster {
        name: NAME.parse().expect("name"),
        pod_cidrs: vec!["10.200.0.0/16".parse().expect("cidr"), "fd00:10::/48".parse().expect("cidr")],
        service_cidrs: Vec::new(),
    }
}

/// Short patience, so that a test of what never comes ends.
pub(crate) fn impatient() -> GateSettings {
    GateSettings { attempts: 3, attempt_timeout: Duration::from_millis(400), ..gate_settings() }
}

pub(crate) fn named(name: &str) -> AwsSettings {
    AwsSettings { route_table: vec![TableRef::Name(name.to_owned())], ..AwsSettings::default() }
}

pub(crate) fn seed(workers: usize) -> Seed {
    let tags = BTreeMap::from([("Name".to_owned(), NAME.to_owned())]);
    let table = SeedTable { tags, main: true, ..SeedTable::default() };
    let instances = (0..workers).map(|index| SeedInstance::named(&worker_name(index))).collect();
    Seed { tables: vec![table], instances, ..Seed::default() }
}

fn worker_name(index: usize) -> String {
    format!("worker-{index}")
}

pub(crate) fn workers(count: usize) -> Vec<Worker> {
    (0..count)
        .map(|index| Worker {
            name: worker_name(index).parse().expect("name"),
            pod_cidrs: vec![format!("10.200.{index}.0/24").parse().expect("cidr")],
            addresses: Vec::new(),
            machine: MachineRef::Name(worker_name(index)),
        })
        .collect()
}

pub(crate) fn connection(endpoint: &str, region: &str) -> Connection {
    Connection::Fixed {
        endpoint: endpoint.to_owned(),
        region: region.to_owned(),
        access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret_access_key: "secret".to_owned(),
    }
}

pub(crate) async fn open(lab: &Lab, settings: &AwsSettings, patience: GateSettings) -> (AwsBackend, Arc<Gate>) {
    let gate = Arc::new(Gate::new(patience));
    let connection = connection(&lab.endpoint(), &lab.region());
    let backend = AwsBackend::open(settings, &cluster(), Arc::clone(&gate), connection).await.expect("open");
    (backend, gate)
}

impl Bench {
    pub(crate) async fn new(count: usize) -> Self {
        Self::with(seed(count), Options::default(), impatient()).await
    }

    pub(crate) async fn with(seed: Seed, options: Options, patience: GateSettings) -> Self {
        let lab = Lab::start(seed, options).await.expect("lab");
        let (backend, gate) = open(&lab, &named(NAME), patience).await;
        let table = TableId(lab.cloud(|cloud| cloud.table_named(NAME)).expect("table"));
        Self { lab, gate, backend, table }
    }

    pub(crate) fn instance(&self, name: &str) -> String {
        self.lab.cloud(|cloud| cloud.instance_named(name)).expect("instance")
    }

    pub(crate) fn route(&self, cidr: &str, worker: &str) -> Route {
        let next_hop = NextHop::Instance(self.instance(worker));
        Route { destination: cidr.parse().expect("cidr"), next_hop, worker: worker.parse().expect("name") }
    }

    pub(crate) async fn create(&self, cidr: &str, worker: &str) {
        self.backend.create_route(&self.table, &self.route(cidr, worker)).await.expect("created");
    }

    pub(crate) async fn observe(&self, count: usize) -> Observation {
        self.backend.observe(&workers(count)).await.expect("observation")
    }

    pub(crate) async fn list(&self) -> Table {
        self.backend.list_routes(&self.table).await.expect("listing")
    }

    pub(crate) async fn entry(&self, cidr: &str) -> Option<ObservedRoute> {
        let wanted = Destination::net(cidr.parse().expect("cidr"));
        self.list().await.routes.into_iter().find(|route| route.destination == wanted)
    }

    /// Calls since the last time this was asked.
    pub(crate) fn calls(&self) -> BTreeMap<String, u64> {
        let calls = self.lab.calls();
        self.lab.reset_calls();
        calls
    }
}

pub(crate) fn counts(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
    pairs.iter().map(|(action, count)| ((*action).to_owned(), *count)).collect()
}
