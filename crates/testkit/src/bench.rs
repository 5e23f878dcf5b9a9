//! What a provider's test has to bring: a fresh world per case, and hands to meddle with it.
//!
//! The suite speaks to the backend only through the contract. What happens to the world besides (another writer, a lost
//! answer, a machine that ends) is different for every provider's stand-in, so the bench does it. A hook that a bench does
//! not have stays at its default, which skips the case aloud.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ipnet::IpNet;
use kroutes_core::{
    Capabilities, Destination, MachineRef, Observation, ObservedRoute, PodCidr, Route, RouteBackend, Table, TableId,
    Topology, Worker, WorkerName,
};

use crate::Skip;

/// What a hook answers: what was made, or that this bench cannot.
pub type Hook<T = ()> = Result<T, Skip>;

/// A way to get fresh worlds.
#[async_trait]
pub trait Bench: Send + Sync {
    /// A world of its own: at least three workers, each with a running machine; a table that holds no route inside the
    /// cluster CIDRs. Two calls share nothing that a write could touch.
    async fn fresh(&self) -> Subject;

    /// The same, where the topology also asks for a table that is not there.
    async fn fresh_with_missing_table(&self) -> Hook<Subject> {
        Err(Skip::Unable("ask for a table that is not there"))
    }

    /// The names of the cases for which this bench lacks a hook. Any other case that it cannot arrange fails.
    fn skips(&self) -> &'static [&'static str] {
        &[]
    }
}

/// What is done to the world behind the backend's back. Everything is visible to the backend's listings at once.
#[async_trait]
pub trait Outside: Send + Sync {
    /// How long after a write a listing may still lack its effect, as far as the suite has to know: it waits that long
    /// before it says that nothing came of something.
    fn lag(&self) -> Duration {
        Duration::ZERO
    }

    /// Somebody adds a route to something that is no machine (a NAT gateway, an internet gateway).
    async fn add_route_elsewhere(&self, _destination: IpNet) -> Hook {
        Err(Skip::Unable("add a route to what is no machine"))
    }

    /// Somebody adds a route to a machine that is no worker.
    async fn add_route_to_a_stranger(&self, _destination: IpNet) -> Hook {
        Err(Skip::Unable("add a route to a machine that is no worker"))
    }

    /// A gateway propagates a route into the table.
    async fn propagate_route(&self, _destination: IpNet) -> Hook {
        Err(Skip::Unable("propagate a route"))
    }

    /// Somebody adds a route for a prefix list. Its name.
    async fn add_prefix_list_route(&self) -> Hook<String> {
        Err(Skip::Unable("add a route for a prefix list"))
    }

    /// Somebody makes the one route to this destination lead to that worker instead, under its old name if it has one.
    async fn move_route(&self, _destination: IpNet, _to: &WorkerName) -> Hook {
        Err(Skip::Unable("move a route"))
    }

    /// Fills the table up to its quota, with routes outside of the cluster CIDRs.
    async fn fill_table(&self) -> Hook {
        Err(Skip::Unable("fill the table"))
    }

    /// Gives the table's listing at least two pages, and makes the second fail until the world ends.
    async fn break_second_page(&self) -> Hook {
        Err(Skip::Unable("fail the second page of a listing"))
    }

    /// The next write takes effect, and its answer never comes.
    async fn lose_next_answer(&self) -> Hook {
        Err(Skip::Unable("lose the answer of a write"))
    }

    /// From now on every write is refused without effect, or is allowed again.
    async fn refuse_writes(&self, _refuse: bool) -> Hook {
        Err(Skip::Unable("refuse writes"))
    }

    /// The next call of whatever sort is throttled once.
    async fn throttle_once(&self) -> Hook {
        Err(Skip::Unable("throttle a call"))
    }

    /// From now on the credentials are not accepted.
    async fn refuse_credentials(&self) -> Hook {
        Err(Skip::Unable("refuse the credentials"))
    }

    /// Ends a worker's machine.
    async fn terminate(&self, _worker: &WorkerName) -> Hook {
        Err(Skip::Unable("terminate a machine"))
    }

    /// Stops a worker's machine.
    async fn stop(&self, _worker: &WorkerName) -> Hook {
        Err(Skip::Unable("stop a machine"))
    }

    /// Makes the provider drop what a worker forwards (EC2: source/dest check on), in a way that a fix can mend.
    async fn forbid_forwarding(&self, _worker: &WorkerName) -> Hook {
        Err(Skip::Unable("forbid forwarding"))
    }

    /// Gives a worker's machine a second interface. The id of the primary one, or its address where routes lead to
    /// addresses.
    async fn add_interface(&self, _worker: &WorkerName) -> Hook<String> {
        Err(Skip::Unable("add an interface"))
    }

    /// Adds a second machine of a worker's name. The ids of both.
    async fn add_namesake(&self, _worker: &WorkerName) -> Hook<[String; 2]> {
        Err(Skip::Unable("give two machines one name"))
    }
}

/// A backend in a world of its own.
pub struct Subject {
    /// The backend, opened for the topology.
    pub backend: Arc<dyn RouteBackend>,
    /// A table that the topology asks for.
    pub table: TableId,
    /// The topology.
    pub topology: Topology,
    /// Hands to meddle with the world.
    pub outside: Box<dyn Outside>,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("backend", &self.backend)
            .field("table", &self.table)
            .field("topology", &self.topology)
            .finish_non_exhaustive()
    }
}

/// How often a listing is looked at before it is said never to show something. With the pauses between, about ten seconds.
const LOOKS: u32 = 60;

impl Subject {
    /// What the backend can do.
    pub fn capabilities(&self) -> Capabilities {
        self.backend.capabilities()
    }

    /// Reads everything.
    pub async fn observe(&self) -> Observation {
        self.backend.observe(self.topology.workers()).await.expect("an observation")
    }

    /// Reads the table.
    pub async fn list(&self) -> Table {
        self.backend.list_routes(&self.table).await.expect("a listing")
    }

    /// Reads the table until it is as it should be, a bounded number of times, since a listing may lag.
    ///
    /// # Panics
    ///
    /// If it never is.
    pub async fn settled(&self, what: &str, is_so: impl Fn(&Table) -> bool) -> Table {
        let mut table = self.list().await;
        for look in 0..LOOKS {
            if is_so(&table) {
                return table;
            }
            tokio::time::sleep(Duration::from_millis(u64::from(look.min(20)) * 10)).await;
            table = self.list().await;
        }
        panic!("the table never settled: {what}; it holds {:#?}", table.routes);
    }

    /// Reads the table twice as often as it could lag after one write, and for as long as the bench says that it may, to see
    /// that something does *not* come.
    pub async fn after_all(&self) -> Table {
        tokio::time::sleep(self.outside.lag()).await;
        let mut table = self.list().await;
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            table = self.list().await;
        }
        table
    }

    /// Every route that the topology wants, in its order.
    pub async fn wanted(&self) -> Vec<Route> {
        let observation = self.observe().await;
        let route = |(worker, cidr): (&Worker, PodCidr)| {
            let hop = observation.next_hops.get(&cidr).unwrap_or_else(|| panic!("no next hop for `{cidr}`"));
            let next_hop = hop.clone().unwrap_or_else(|error| panic!("no next hop for `{cidr}`: {error}"));
            Route { destination: cidr, next_hop, worker: worker.name.clone() }
        };
        self.topology.ranges().map(route).collect()
    }

    /// The first route wanted, and the same destination by another worker's next hop of the same family.
    pub async fn wanted_and_moved(&self) -> (Route, Route) {
        let wanted = self.wanted().await;
        let first = wanted.first().expect("a range").clone();
        let other = wanted
            .iter()
            .find(|route| route.worker != first.worker && route.destination.is_ipv6() == first.destination.is_ipv6())
            .expect("a second worker with a range of the same family");
        let moved = Route { destination: first.destination, ..other.clone() };
        (first, moved)
    }

    /// Creates a route and waits until it is listed.
    pub async fn created(&self, route: &Route) -> ObservedRoute {
        self.backend.create_route(&self.table, route).await.expect("a route is created");
        let table = self.settled("the created route is listed", |table| find(table, route).is_some()).await;
        find(&table, route).expect("listed just now").clone()
    }

    /// A range inside the cluster CIDR that is no worker's and overlaps none.
    pub fn spare(&self) -> PodCidr {
        let first = self.topology.ranges().next().expect("a range").1.net();
        let cluster = self.topology.cluster().pod_cidrs.iter().find(|cidr| cidr.contains(&first)).expect("its cluster");
        let mut subnets = cluster.net().subnets(first.prefix_len()).expect("a longer prefix");
        let free = |net: &IpNet| self.topology.ranges().all(|(_, cidr)| !kroutes_core::overlap(&cidr.net(), net));
        PodCidr::new(subnets.find(free).expect("a spare range")).expect("a range of pods")
    }

    /// A worker that no provider knows.
    pub fn nobody(&self) -> Worker {
        Worker {
            name: "nobody".parse().expect("a name"),
            pod_cidrs: vec![self.spare()],
            addresses: Vec::new(),
            machine: MachineRef::Name("nobody-has-this-name".to_owned()),
        }
    }

    /// The name of the first worker.
    pub fn first_worker(&self) -> &WorkerName {
        &self.topology.workers().first().expect("a worker").name
    }
}

/// All routes to a destination.
pub fn to<'a>(table: &'a Table, destination: &PodCidr) -> Vec<&'a ObservedRoute> {
    let destination = Destination::Net(destination.net());
    table.routes.iter().filter(|route| route.destination == destination).collect()
}

/// The route that is just as wanted.
pub fn find<'a>(table: &'a Table, route: &Route) -> Option<&'a ObservedRoute> {
    table.routes.iter().find(|listed| listed.is_as_wanted(route))
}
