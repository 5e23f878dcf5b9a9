//! The harness on EC2: one VPC, its route tables, and instances found by their `Name` tag.

use std::collections::BTreeMap;

use kroutes_lab::model::{Route, Target};
use kroutes_lab::{Options, Seed, SeedInstance, SeedSubnet, SeedTable};

use super::{World, pod_range};

/// What stands at the top of most topologies.
pub(crate) const HEAD: &str = "[cluster]
name = \"kubernetes\"
pod-cidr = \"10.200.0.0/16\"

[aws]
route-table = { name = \"kubernetes\" }
";

/// A topology of so many workers, `worker-0` and so on.
pub(crate) fn topology(workers: usize) -> String {
    (0..workers).fold(HEAD.to_owned(), |text, nth| text + &worker(nth))
}

/// One worker of a topology.
pub(crate) fn worker(nth: usize) -> String {
    let range = pod_range(nth);
    format!("\n[[worker]]\nname = \"worker-{nth}\"\npod-cidr = \"{range}\"\n")
}

/// A cloud with one table, `kubernetes`, and so many instances, `worker-0` and so on.
pub(crate) fn seed(workers: usize) -> Seed {
    let cidr = "10.240.0.0/16".parse().expect("a range");
    let table = SeedTable {
        tags: BTreeMap::from([("Name".to_owned(), "kubernetes".to_owned())]),
        subnets: vec![SeedSubnet { id: None, cidr: Some(cidr) }],
        ..SeedTable::default()
    };
    let instances = (0..workers).map(|nth| SeedInstance::named(&format!("worker-{nth}"))).collect();
    Seed { tables: vec![table], instances, ..Seed::default() }
}

impl World {
    /// A topology of so many workers, and a cloud that has them.
    pub(crate) fn of(workers: usize) -> Self {
        Self::new(&topology(workers), seed(workers), Options::default())
    }

    /// This topology, in this cloud.
    pub(crate) fn new(topology: &str, seed: Seed, options: Options) -> Self {
        let mut world = Self::start(topology, seed, options);
        world.set("AWS_EC2_METADATA_DISABLED", "true");
        world.set("AWS_ENDPOINT_URL", world.lab.endpoint());
        world.set("AWS_ACCESS_KEY_ID", "lab");
        world.set("AWS_SECRET_ACCESS_KEY", "lab");
        world.set("AWS_REGION", world.lab.region());
        world
    }

    /// The routes of the table `kubernetes` as the cloud holds them.
    pub(crate) fn routes(&self) -> Vec<Route> {
        self.routes_of(&self.table)
    }

    /// The routes of a table as the cloud holds them.
    pub(crate) fn routes_of(&self, table: &str) -> Vec<Route> {
        self.lab.cloud(|cloud| cloud.tables.get(table).expect("the table").routes.clone())
    }

    /// The table's tags.
    pub(crate) fn tags(&self) -> BTreeMap<String, String> {
        self.lab.cloud(|cloud| cloud.tables.get(&self.table).expect("the table").tags.clone())
    }

    /// Everything there is in the cloud that kroutes could change, for comparison.
    pub(crate) fn picture(&self) -> String {
        self.lab.cloud(|cloud| {
            let tables: Vec<_> = cloud.tables.iter().collect();
            let checks: Vec<_> = cloud.interfaces.iter().map(|(id, it)| (id, it.source_dest_check)).collect();
            format!("{tables:#?}\n{checks:#?}")
        })
    }

    /// Where the route for this destination leads, if there is one: an instance's name, or what the cloud shows.
    pub(crate) fn leads(&self, destination: &str) -> Option<String> {
        self.leads_in(&self.table, destination)
    }

    /// The same in another table.
    pub(crate) fn leads_in(&self, table: &str, destination: &str) -> Option<String> {
        let route = self.routes_of(table).into_iter().find(|route| route.destination.to_string() == destination)?;
        Some(match &route.target {
            Target::Instance { instance, .. } => self.name_of(instance),
            Target::Interface(id) | Target::Gateway(_, id) => id.clone(),
            Target::Local => "local".to_owned(),
        })
    }

    /// That each of the first so many workers has its route.
    #[track_caller]
    pub(crate) fn assert_all_routed(&self, workers: usize) {
        for nth in 0..workers {
            assert_eq!(self.leads(&pod_range(nth)), Some(format!("worker-{nth}")), "{}", pod_range(nth));
        }
    }

    /// The id of the instance of this name.
    pub(crate) fn instance(&self, name: &str) -> String {
        self.lab.cloud(|cloud| cloud.instance_named(name)).expect("an instance of that name")
    }

    fn name_of(&self, instance: &str) -> String {
        let name = |cloud: &kroutes_lab::Cloud| cloud.instances.get(instance)?.tags.get("Name").cloned();
        self.lab.cloud(name).unwrap_or_else(|| instance.to_owned())
    }

    /// Puts a route to an instance into the table, as somebody else would.
    pub(crate) fn put_instance_route(&self, destination: &str, instance: &str) {
        let destination: ipnet::IpNet = destination.parse().expect("a range");
        self.lab.change(|cloud| {
            let target = cloud.instance_target(instance).expect("an instance with one interface");
            cloud.put_route(&self.table, Route::new(destination, target));
        });
    }

    /// Has a route lead to another instance, as somebody else would.
    pub(crate) fn lead(&self, destination: &str, instance: &str) {
        self.drop_route(destination);
        self.put_instance_route(destination, &self.instance(instance));
    }

    /// Takes a route out of the table, as somebody else would.
    pub(crate) fn drop_route(&self, destination: &str) {
        self.lab.change(|cloud| {
            let table = cloud.tables.get_mut(&self.table).expect("the table");
            table.routes.retain(|route| route.destination.to_string() != destination);
        });
    }

    /// Puts a route to anything else into the table.
    pub(crate) fn put_route(&self, destination: &str, target: Target) {
        let destination: ipnet::IpNet = destination.parse().expect("a range");
        self.lab.change(|cloud| cloud.put_route(&self.table, Route::new(destination, target)));
    }

    /// Tags the table, as somebody else would.
    pub(crate) fn tag(&self, key: &str, value: &str) {
        self.lab.change(|cloud| {
            let table = cloud.tables.get_mut(&self.table).expect("the table");
            table.tags.insert(key.to_owned(), value.to_owned());
        });
    }
}
