//! The harness on Google Cloud: one project, a network called `kubernetes`, and VMs found by their addresses.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::SystemTime;

use kroutes_lab::model::compute::{Hop, Route};
use kroutes_lab::{Lab, Options, Seed, SeedMachine, SeedNetwork, SeedSubnetwork};

use super::{World, pod_range};

/// What stands at the top of most topologies.
pub(crate) const HEAD: &str = "[cluster]
name = \"kubernetes\"
pod-cidr = \"10.200.0.0/16\"

[gcp]
project = \"hard-way\"
network = \"kubernetes\"
";

/// What ours bear.
pub(crate) const MARK: &str = "kroutes cluster=kubernetes";

/// The address of a worker, beginning where the Hard Way begins.
pub(crate) fn address(nth: usize) -> Ipv4Addr {
    let first = u32::from(Ipv4Addr::new(10, 240, 0, 30));
    Ipv4Addr::from(first + u32::try_from(nth).expect("few workers"))
}

/// One worker of a topology, at this address.
pub(crate) fn worker_at(nth: usize, address: Ipv4Addr) -> String {
    let range = pod_range(nth);
    format!("\n[[worker]]\nname = \"worker-{nth}\"\npod-cidr = \"{range}\"\naddress = \"{address}\"\n")
}

/// A topology of so many workers, `worker-0` and so on.
pub(crate) fn topology(workers: usize) -> String {
    (0..workers).fold(HEAD.to_owned(), |text, nth| text + &worker_at(nth, address(nth)))
}

/// The network `kubernetes` with so many VMs, `worker-0` and so on.
pub(crate) fn network(workers: usize) -> SeedNetwork {
    let range = "10.240.0.0/16".parse().expect("a range");
    let machine = |nth| SeedMachine { address: Some(address(nth)), ..SeedMachine::named(&format!("worker-{nth}")) };
    SeedNetwork {
        subnetworks: vec![SeedSubnetwork { name: "kubernetes".to_owned(), range, ipv6_range: None }],
        machines: (0..workers).map(machine).collect(),
        ..SeedNetwork::named("kubernetes")
    }
}

/// A project with that network and another one, so that names and routes are seen to be the project's.
pub(crate) fn seed(workers: usize) -> Seed {
    Seed { compute: vec![network(workers), SeedNetwork::named("other")], ..Seed::default() }
}

/// A patient cloud in which the topology's project is the one there is.
pub(crate) fn options() -> Options {
    Options { project: "hard-way".to_owned(), ..Options::default() }
}

impl World {
    /// A topology of so many workers, and a project that has them.
    pub(crate) fn gcp(workers: usize) -> Self {
        Self::new_gcp(&topology(workers), seed(workers), options())
    }

    /// This topology, in this project, with a ready token.
    pub(crate) fn new_gcp(topology: &str, seed: Seed, options: Options) -> Self {
        let mut world = Self::start(topology, seed, options);
        world.set("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", world.lab.compute_endpoint());
        world.set("GOOGLE_OAUTH_ACCESS_TOKEN", Lab::ACCESS_TOKEN);
        world
    }

    /// Comes in by the project's service account instead of a ready token.
    pub(crate) fn use_key(&mut self) {
        self.use_key_file(self.lab.service_account_key());
    }

    /// Comes in by what this file says, if it says anything.
    pub(crate) fn use_key_file(&mut self, content: impl AsRef<[u8]>) {
        self.unset("GOOGLE_OAUTH_ACCESS_TOKEN");
        let path = self.write("key.json", content);
        self.set("GOOGLE_APPLICATION_CREDENTIALS", path.to_str().expect("a plain path"));
    }

    /// Every route of the project by name, default and subnet routes included.
    pub(crate) fn project_routes(&self) -> BTreeMap<String, Route> {
        self.lab.cloud(|cloud| BTreeMap::clone(&cloud.compute.routes))
    }

    /// The routes of the network `kubernetes` to this destination, by name.
    pub(crate) fn to(&self, destination: &str) -> Vec<(String, Route)> {
        let mut routes: Vec<_> = self.project_routes().into_iter().collect();
        routes.retain(|(_, route)| route.network == "kubernetes" && route.destination.to_string() == destination);
        routes
    }

    /// That each of the first so many workers has exactly one route, and that it leads there.
    #[track_caller]
    pub(crate) fn assert_all_lead(&self, workers: usize, address: impl Fn(usize) -> Ipv4Addr) {
        for nth in 0..workers {
            let range = pod_range(nth);
            let hops: Vec<_> = self.to(&range).into_iter().map(|(_, route)| route.hop).collect();
            assert_eq!(hops, [Hop::Address(address(nth).into())], "{range}");
        }
    }

    /// Puts a route into the network `kubernetes`, as somebody else would.
    pub(crate) fn put_beside(&self, name: &str, destination: &str, hop: Hop, description: &str) {
        self.put_in("kubernetes", name, destination, hop, description);
    }

    /// Puts a route into a network.
    pub(crate) fn put_in(&self, network: &str, name: &str, destination: &str, hop: Hop, description: &str) {
        let route = Route {
            id: 0,
            network: network.to_owned(),
            destination: destination.parse().expect("a range"),
            priority: 1000,
            description: description.to_owned(),
            tags: Vec::new(),
            hop,
            created: SystemTime::UNIX_EPOCH,
        };
        self.lab.change(|cloud| cloud.compute.put_route(name, route));
    }

    /// Gives a worker's VM another address.
    pub(crate) fn move_worker(&self, nth: usize, address: Ipv4Addr) {
        let moved = self.lab.change(|cloud| {
            let key = cloud.compute.machine_named(&format!("worker-{nth}"));
            cloud.compute.set_address(&key.expect("the VM"), address)
        });
        assert!(moved);
    }

    /// Begins to watch what becomes of each destination.
    pub(crate) fn watch(&self) -> Watch {
        let routes = self.project_routes().into_values().filter(|route| route.network == "kubernetes");
        let mut held = BTreeMap::new();
        for route in routes {
            *held.entry(route.destination.to_string()).or_default() += 1;
        }
        Watch { held, seen: self.lab.log().len() }
    }

    /// That no destination which had or got a route since then was ever without one, by the cloud's own log.
    #[track_caller]
    pub(crate) fn assert_never_without(&self, watch: Watch) {
        let (mut held, log) = (watch.held, self.lab.log());
        for entry in &log[watch.seen..] {
            let destination = entry.what.split(' ').nth(1).expect("a destination").to_owned();
            let count = held.entry(destination).or_default();
            *count += if entry.action == "routes.insert" { 1 } else { -1 };
            assert!(*count > 0, "{entry:?} left its destination without a route: {log:#?}");
        }
    }
}

/// How many routes each destination had when it began, and how much had happened by then.
#[derive(Debug)]
pub(crate) struct Watch {
    held: BTreeMap<String, i64>,
    seen: usize,
}

/// A hop by address.
pub(crate) fn via(address: Ipv4Addr) -> Hop {
    Hop::Address(address.into())
}
