//! A fresh model cloud for every case, with a topology that has come true in it but for the routes.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kroutes_aws::{AwsBackend, AwsSettings, Connection, TableRef, gate_settings};
use kroutes_core::{Cluster, Gate, GateSettings, MachineRef, TableId, Topology, Worker};
use kroutes_lab::{Lab, Options, Seed, SeedInstance, TableWish};
use kroutes_testkit::{Bench, Hook, Subject};

use crate::hands::{Hands, STRANGER};

/// The table's `Name` tag and the cluster's name.
const NAME: &str = "kubernetes";
/// A table that is in no world.
const MISSING: &str = "rtb-0123456789abcdef0";
/// Few enough to fill a table quickly, and twice what the topology needs.
const ROUTES_LIMIT: u32 = 24;

/// What EC2 cannot be made to show.
///
/// `DescribeRouteTables` pages by tables, each with all its routes (EC2 API Reference), and `list_routes` asks for one
/// table by its id: there is no second page to fail. An observation has one only of more tables than a page holds, for
/// which [`pages`](crate::pages) has a bench.
const ONE_PAGE: &[&str] = &[
    "a_listing_whose_second_page_failed_is_an_error",
    "an_observation_whose_second_page_failed_is_not_taken_for_the_whole",
];

/// EC2 as a lab plays it.
pub(crate) struct Ec2 {
    options: Options,
    /// Tables that the topology asks for besides the first.
    more_tables: usize,
}

impl Ec2 {
    pub(crate) fn new(options: Options) -> Self {
        Self { options, more_tables: 0 }
    }

    pub(crate) fn with_more_tables(self, more_tables: usize) -> Self {
        Self { more_tables, ..self }
    }

    async fn world(&self, mut route_table: Vec<TableRef>) -> Subject {
        let topology = topology();
        let tags = [("Name".to_owned(), NAME.to_owned())].into_iter().collect();
        let mut seed = Seed::for_topology(&topology, &[TableWish::Tags(tags)]);
        seed.instances.push(SeedInstance::named(STRANGER));
        let lab = Lab::start(seed, self.options.clone()).await.expect("a port");

        let mut table = lab.cloud(|cloud| cloud.table_named(NAME)).expect("the table of the topology");
        if self.more_tables == 0 {
            route_table.insert(0, TableRef::Name(NAME.to_owned()));
        } else {
            let ids = self.add_tables(&lab, &table);
            // Listings are sorted by id: the subject's table is to be on the first page.
            table.clone_from(&ids[0]);
            route_table.extend(ids.into_iter().map(TableRef::Id));
        }
        let settings = AwsSettings { route_table, routes_limit: ROUTES_LIMIT, ..AwsSettings::default() };
        let backend = open(&lab, &settings, topology.cluster()).await;
        let table = TableId(table);
        let outside = Hands::new(lab, &topology, table.clone(), self.options.lag);
        Subject { backend: Arc::new(backend), table, topology, outside: Box::new(outside) }
    }

    /// The ids of all tables of the topology, sorted.
    fn add_tables(&self, lab: &Lab, first: &str) -> Vec<String> {
        lab.change(|cloud| {
            let vpc = cloud.tables.get(first).expect("the first table").vpc.clone();
            let added = (0..self.more_tables).map(|_| cloud.add_table(None, &vpc, kroutes_lab::model::Tags::new()));
            let mut ids: Vec<String> = added.collect();
            ids.push(first.to_owned());
            ids.sort();
            ids
        })
    }
}

/// A quick lab whose tables are soon full.
pub(crate) fn options() -> Options {
    Options { routes_limit: ROUTES_LIMIT, ..Options::default() }
}

/// Opens the provider with EC2's own allowances, and patience for as many attempts as a single fault needs.
pub(crate) async fn open(lab: &Lab, settings: &AwsSettings, cluster: &Cluster) -> AwsBackend {
    let gate = Gate::new(GateSettings { attempts: 3, attempt_timeout: Duration::from_secs(5), ..gate_settings() });
    let connection = Connection::Fixed {
        endpoint: lab.endpoint(),
        region: lab.region(),
        access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret_access_key: "secret".to_owned(),
    };
    AwsBackend::open(settings, cluster, Arc::new(gate), connection).await.expect("a backend")
}

fn topology() -> Topology {
    let worker = |index: u8| {
        let name = format!("worker-{index}");
        Worker {
            name: name.parse().expect("a name"),
            pod_cidrs: vec![
                format!("10.200.{index}.0/24").parse().expect("a range"),
                format!("fd00:10:200:{index}::/64").parse().expect("a range"),
            ],
            addresses: vec![format!("10.240.0.{}", 20 + index).parse().expect("an address")],
            machine: MachineRef::Name(name),
        }
    };
    let cluster = Cluster {
        name: NAME.parse().expect("a name"),
        pod_cidrs: vec!["10.200.0.0/16".parse().expect("a range"), "fd00:10:200::/48".parse().expect("a range")],
        service_cidrs: Vec::new(),
    };
    // The second name begins with the first one: a filter that takes prefixes takes one for the other.
    Topology::new(cluster, [1, 10, 11, 2].map(worker).to_vec()).expect("a sound topology")
}

#[async_trait]
impl Bench for Ec2 {
    async fn fresh(&self) -> Subject {
        self.world(Vec::new()).await
    }

    async fn fresh_with_missing_table(&self) -> Hook<Subject> {
        Ok(self.world(vec![TableRef::Id(MISSING.to_owned())]).await)
    }

    fn skips(&self) -> &'static [&'static str] {
        if self.more_tables == 0 { ONE_PAGE } else { &[] }
    }
}
