//! Worlds for property tests: topologies, tables with everybody's routes in them, and trouble.
//!
//! A [`World`] is plain data: it prints as what it is, shrinks part by part, and can be built as often as a property needs it.
//! What stands in a table is chosen by its role (the right route, one to a machine that is gone, somebody's supernet that
//! shares the cluster's first address), not by dice over addresses, since that would never meet the interesting ones.

mod roles;
mod topologies;
mod trouble;

use ipnet::IpNet;
use kroutes_core::memory::{Character, HopStyle, Machine};
use kroutes_core::{
    Claim, ClusterCidr, Destination, Life, MemoryBackend, NextHop, Observation, ObservedRoute, Origin,
    RouteBackend as _, RouteState, TableId, Target, Topology, Worker,
};
use proptest::prelude::*;

pub use roles::{Foreign, Leads, Place, Quirk, Stale, StalePlace, Standing};
pub use topologies::{topologies, topologies_of};
pub use trouble::{Trouble, troubles};

/// The machine that lives and is no worker.
pub const STRANGER: &str = "i-stranger";
/// The machine that is gone.
pub const GONE: &str = "i-gone";
/// The machine that may be another account's: nothing proves whether it lives.
pub const HIDDEN: &str = "i-hidden";

/// A topology and the cloud it meets, as plain data.
#[derive(Debug, Clone)]
pub struct World {
    /// What is wanted.
    pub topology: Topology,
    /// What the cloud is like.
    pub character: Character,
    /// What stands at each wanted destination, in the order of [`Topology::ranges`]; nothing where this is shorter.
    pub standing: Vec<Standing>,
    /// Routes of ours that no worker wants.
    pub stale: Vec<Stale>,
    /// Other people's routes.
    pub foreign: Vec<Foreign>,
    /// What is particular about the workers' machines.
    pub quirks: Vec<Quirk>,
    /// Whether the table bears our claim, where tables bear claims.
    pub claimed: bool,
    /// Whether it also bears another cluster's claim, of ranges that are not ours.
    pub claimed_by_another: bool,
    /// Whether there is a second table, which nothing has been written to.
    pub second_table: bool,
    /// What goes wrong. Nothing does before [`World::start_trouble`].
    pub trouble: Vec<Trouble>,
    /// Where the cloud draws its chance from.
    pub seed: u64,
}

/// Clouds like either of the well-known ones, with or without lag and conditional writes.
pub fn characters() -> impl Strategy<Value = Character> {
    let known = prop_oneof![Just(Character::ec2()), Just(Character::gcp())];
    (known, prop_oneof![3 => Just(0), 1 => 1u32..4], prop::bool::weighted(0.25))
        .prop_map(|(known, lag, conditional)| known.with_lag(lag).with_conditional_writes(conditional))
}

/// Worlds of either character in which every worker has a machine and nothing goes wrong.
pub fn worlds() -> impl Strategy<Value = World> {
    worlds_of(characters(), topologies())
}

/// Worlds of this character and topology in which every worker has a machine and nothing goes wrong.
pub fn worlds_of(
    characters: impl Strategy<Value = Character>,
    topologies: impl Strategy<Value = Topology>,
) -> impl Strategy<Value = World> {
    let tables = (
        prop::collection::vec(roles::standings(), 0..80),
        prop::collection::vec(roles::stales(), 0..5),
        prop::collection::vec(roles::foreigners(), 0..8),
        prop::collection::vec(roles::quirks(), 0..4),
    );
    let rest = (any::<bool>(), prop::bool::weighted(0.25), prop::bool::weighted(0.25), any::<u64>());
    (characters, topologies, tables, rest).prop_map(
        |(
            character,
            topology,
            (standing, stale, foreign, quirks),
            (claimed, claimed_by_another, second_table, seed),
        )| World {
            topology,
            character,
            standing,
            stale,
            foreign,
            quirks,
            claimed,
            claimed_by_another,
            second_table,
            trouble: Vec::new(),
            seed,
        },
    )
}

/// Worlds in which calls fail and workers may have no machine.
pub fn troubled_worlds() -> impl Strategy<Value = World> {
    let ended = prop::option::weighted(0.3, any::<prop::sample::Index>());
    (worlds(), troubles(), ended).prop_map(|(mut world, trouble, ended)| {
        world.trouble = trouble;
        world.quirks.extend(ended.map(|index| Quirk::Ended(index.index(64))));
        world
    })
}

impl World {
    /// Builds the cloud, the first moment of whose history is this world.
    pub fn backend(&self) -> MemoryBackend {
        let backend = MemoryBackend::for_topology(&self.topology, self.character);
        let table = backend.table();
        let address = |last: u8| std::net::IpAddr::from([203, 0, 113, last]);
        backend.add_machine(Machine::new(STRANGER, "stranger", [address(1)]));
        backend.add_machine(Machine::new(GONE, "gone", [address(2)]));
        backend.add_machine(Machine::new(HIDDEN, "hidden", [address(3)]));
        for quirk in &self.quirks {
            self.quirk(&backend, *quirk);
        }
        for route in self.standing_routes(&backend) {
            self.plant(&backend, &table, route);
        }
        for route in self.foreign_and_claimed(&backend).into_iter().map(|(route, _)| route) {
            self.plant(&backend, &table, route);
        }
        for stale in &self.stale {
            let route = self.stale_route(&backend, *stale);
            self.plant(&backend, &table, route);
        }
        // What is gone went after its routes were made.
        backend.terminate(GONE);
        backend.change_machine(HIDDEN, |machine| {
            machine.life = Life::Unknown("the lookup was refused".to_owned());
            machine.running = false;
        });
        for quirk in self.quirks.iter().filter(|quirk| matches!(quirk, Quirk::Ended(_))) {
            backend.terminate(&self.machine(&backend, quirk.worker()));
        }
        if !self.character.capabilities.marks {
            if self.claimed {
                backend.set_claim(&table, self.claim());
            }
            if self.claimed_by_another {
                let name = "somebody-else".parse().expect("a name");
                backend.set_claim(&table, Claim::of(&name, ["198.18.0.0/24".parse().expect("a network")]));
            }
        }
        if self.second_table {
            backend.add_table("rtb-1");
        }
        backend.set_seed(self.seed);
        backend.start_afresh();
        backend
    }

    /// Lets the world's trouble begin.
    pub fn start_trouble(&self, backend: &MemoryBackend) {
        for trouble in &self.trouble {
            backend.fail(trouble.failure());
        }
    }

    /// What the world's cloud shows at first.
    pub fn observation(&self) -> Observation {
        observe(&self.backend(), &self.topology)
    }

    /// The claim of this world's cluster.
    pub fn claim(&self) -> Claim {
        let cluster = self.topology.cluster();
        Claim::of(&cluster.name, cluster.pod_cidrs.iter().map(ClusterCidr::net))
    }

    /// The routes in the first table that nothing may ever touch without take-over, as they stand in the built cloud: what
    /// `foreign` made, without what a claim makes ours, what lacks a mark where there are marks, and what came with the
    /// table. Known by how they came there, not by the core's own judgement.
    pub fn untouchable(&self, backend: &MemoryBackend) -> Vec<ObservedRoute> {
        let standing = backend.routes(&backend.table());
        let foreign = self.foreign_and_claimed(backend).into_iter().filter(|(_, claimed)| !claimed);
        let is_it = |route: &ObservedRoute, listed: &ObservedRoute| {
            listed.destination == route.destination
                && listed.next_hops == route.next_hops
                && listed.origin == route.origin
                && listed.precedence == route.precedence
                && listed.marked == route.marked
        };
        let marks = self.character.capabilities.marks;
        let never_ours = |route: &&ObservedRoute| route.origin == Origin::Local || (marks && !route.marked);
        let never_ours = standing.iter().filter(never_ours).cloned();
        let found = foreign.filter_map(|(route, _)| standing.iter().find(|listed| is_it(&route, listed)).cloned());
        let mut found: Vec<_> = found.chain(never_ours).collect();
        found.sort_by(|a, b| (&a.destination, &a.next_hops, &a.name).cmp(&(&b.destination, &b.next_hops, &b.name)));
        found.dedup();
        found
    }

    /// Adds a route if the table has room for it: where destinations are unique the first one has the place, but what is
    /// propagated may stand beside.
    fn plant(&self, backend: &MemoryBackend, table: &TableId, route: ObservedRoute) {
        let propagated = route.origin == Origin::Propagated;
        let taken = backend.routes(table).iter().any(|listed| {
            let same = listed.destination == route.destination;
            let beside = self.character.capabilities.duplicates
                || (listed.origin == Origin::Propagated) != propagated && listed.origin != Origin::Local;
            let twin = listed.next_hops == route.next_hops && listed.precedence == route.precedence;
            same && (!beside || twin)
        });
        if !taken {
            backend.plant(table, route);
        }
    }

    fn worker(&self, index: usize) -> &Worker {
        let workers = self.topology.workers();
        &workers[index % workers.len()]
    }

    fn machine(&self, backend: &MemoryBackend, index: usize) -> String {
        backend.machine_of(self.worker(index)).map_or_else(|_| GONE.to_owned(), |machine| machine.id)
    }

    fn range(&self, index: usize) -> IpNet {
        let ranges: Vec<IpNet> = self.topology.ranges().map(|(_, cidr)| cidr.net()).collect();
        ranges[index % ranges.len()]
    }

    fn quirk(&self, backend: &MemoryBackend, quirk: Quirk) {
        let id = self.machine(backend, quirk.worker());
        backend.change_machine(&id, |machine| match quirk {
            Quirk::Stopped(_) => machine.running = false,
            Quirk::Forwards(_) => machine.forwards = true,
            Quirk::SecondInterface(_) if self.character.hops == HopStyle::Machine => {
                machine.interfaces.push(format!("{}-second", machine.interfaces[0]));
            }
            Quirk::SecondInterface(_) | Quirk::Ended(_) => {}
        });
    }

    fn standing_routes(&self, backend: &MemoryBackend) -> Vec<ObservedRoute> {
        let mut routes = Vec::new();
        for (index, ((worker, cidr), standing)) in self.topology.ranges().zip(&self.standing).enumerate() {
            let net = cidr.net();
            let own = backend.machine_of(worker).expect("a machine for every worker").id;
            let right = backend.our_route(net, &own);
            let twins = self.character.capabilities.duplicates;
            match standing {
                Standing::Absent => {}
                Standing::WrongWorker(by) => {
                    routes.push(backend.our_route(net, &self.machine(backend, index + by + 1)));
                }
                Standing::Gone => routes.push(backend.our_route(net, GONE)),
                Standing::Surplus(by) if twins => {
                    routes.push(right);
                    routes.push(backend.our_route(net, &self.machine(backend, index + by + 1)));
                }
                Standing::Deviating if twins => {
                    let precedence = right.precedence + 100;
                    let deviation = Some(format!("priority {precedence}"));
                    routes.push(ObservedRoute { precedence, deviation, ..right });
                }
                Standing::Unmarked => routes.push(backend.route_to(net, &own)),
                Standing::Right | Standing::Surplus(_) | Standing::Deviating => routes.push(right),
            }
        }
        routes
    }

    fn stale_route(&self, backend: &MemoryBackend, stale: Stale) -> ObservedRoute {
        let net = match stale.place {
            StalePlace::Spare(index) => topologies::spare(&self.topology, index),
            StalePlace::InsideWorker(index) => roles::half(self.range(index)),
            StalePlace::AroundWorker(index) => roles::twice(self.range(index)),
        };
        let machine = if stale.gone { GONE.to_owned() } else { self.machine(backend, stale.worker) };
        backend.our_route(net, &machine)
    }

    /// What `foreign` makes, each with whether our claim makes it ours all the same.
    fn foreign_and_claimed(&self, backend: &MemoryBackend) -> Vec<(ObservedRoute, bool)> {
        let claims = self.claimed && !self.character.capabilities.marks;
        let made = self.foreign.iter().map(|foreign| {
            let route = self.foreign_route(backend, *foreign);
            let inside = route.destination.as_net().is_some_and(|net| self.topology.cluster().contains(&net));
            let machine = matches!(route.target, Target::Machine { .. } | Target::Detached);
            let claimed = claims && inside && machine && route.origin == Origin::Static;
            (route, claimed)
        });
        made.collect()
    }

    fn foreign_route(&self, backend: &MemoryBackend, foreign: Foreign) -> ObservedRoute {
        let cluster = self.topology.cluster().pod_cidrs[0].net();
        let destination = match foreign.place {
            Place::Default => Destination::net(roles::everything(cluster)),
            Place::Around(bits) => Destination::net(roles::around(cluster, bits)),
            Place::Whole => Destination::net(cluster),
            Place::Before => Destination::net(roles::beside(cluster, false)),
            Place::After => Destination::net(roles::beside(cluster, true)),
            Place::Outside(third) => Destination::net(roles::outside(third)),
            Place::Spare(index) => Destination::net(topologies::spare(&self.topology, index)),
            Place::Worker(index) => Destination::net(self.range(index)),
            Place::InsideWorker(index) => Destination::net(roles::half(self.range(index))),
            Place::AroundWorker(index) => Destination::net(roles::twice(self.range(index))),
            Place::PrefixList => Destination::Other("pl-0123456789abcdef0".to_owned()),
        };
        let Some(net) = destination.as_net() else {
            return backend.route_elsewhere(destination, "gateway-endpoint", "vpce-1");
        };
        let inside = self.topology.cluster().contains(&net);
        let marks = self.character.capabilities.marks;
        let route = match foreign.leads {
            Leads::Nat => backend.route_elsewhere(destination, "nat-gateway", "nat-1"),
            Leads::Gateway => backend.route_elsewhere(destination, "internet-gateway", "igw-1"),
            Leads::Propagated => backend.propagated_route(net, "vgw-1"),
            Leads::Detached if !marks => backend.detached_route(net, "eni-detached"),
            Leads::Hidden if !marks => {
                let hops = vec![NextHop::Instance(HIDDEN.to_owned()), NextHop::Interface("eni-hidden".to_owned())];
                let state = RouteState::Blackhole;
                ObservedRoute { next_hops: hops, state, ..backend.route_to(net, HIDDEN) }
            }
            // Where routes carry no marks, an in-range route to a worker is ours whoever made it.
            Leads::Worker(index) if marks || !inside => backend.route_to(net, &self.machine(backend, index)),
            Leads::Worker(_) | Leads::Stranger | Leads::Detached | Leads::Hidden => backend.route_to(net, STRANGER),
        };
        let louder = if marks { [0, 500, 2000][foreign.precedence % 3] } else { 0 };
        let precedence = if louder == 0 { route.precedence } else { louder };
        let deviation = (louder != 0).then(|| format!("priority {precedence}"));
        ObservedRoute { precedence, deviation, ..route }
    }
}

/// Reads a cloud in memory without a runtime: its calls wait for nothing.
pub fn observe(backend: &MemoryBackend, topology: &Topology) -> Observation {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(backend.observe(topology.workers())).expect("an observation")
}

#[cfg(test)]
mod tests;
