//! The world of a test: machines, and routes as the backend would show them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::character::{Character, HopStyle};
use super::machine::{Machine, find, next_hop};
use super::{MemoryBackend, Store};
use crate::cidr::overlap;
use crate::{
    Destination, Life, MachineRef, NextHop, ObservedRoute, Origin, PodCidr, Result, Route, RouteState, TableId, Target,
    Topology, Worker,
};

/// Networks that machines may live in; a test takes the first that the topology leaves free.
const NETWORKS: [Ipv4Net; 3] = [
    Ipv4Net::new_assert(Ipv4Addr::new(10, 240, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 31, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
];

/// Where IPv6 addresses of machines come from.
const NETWORK_V6: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 0), 64);

impl MemoryBackend {
    /// A cloud as somebody has it who begins with this topology: one table, `rtb-0`, with its local route, and a machine
    /// per worker that runs and, where a fix can change that, does not forward yet.
    ///
    /// # Panics
    ///
    /// If the topology covers all of `10.240.0.0/16`, `172.31.0.0/16` and `192.168.0.0/16`.
    pub fn for_topology(topology: &Topology, character: Character) -> Self {
        let backend = Self::new(character);
        let table = backend.add_table("rtb-0");
        let cluster = topology.cluster();
        let taken = |net: &IpNet| {
            cluster.pod_cidrs.iter().any(|cidr| overlap(&cidr.net(), net))
                || cluster.service_cidrs.iter().any(|cidr| overlap(cidr, net))
        };
        let network = NETWORKS.into_iter().find(|net| !taken(&IpNet::V4(*net))).expect("room beside the topology");
        backend.plant(&table, local(IpNet::V4(network)));
        for (index, worker) in topology.workers().iter().enumerate() {
            backend.add_machine(machine_for(worker, index, network, &character));
        }
        backend.store(&table, Store::begin);
        backend
    }

    /// Adds a machine, or changes the one of that id.
    pub fn add_machine(&self, machine: Machine) {
        self.state().machines.insert(machine.id.clone(), machine);
    }

    /// A machine by its id.
    pub fn machine(&self, id: &str) -> Option<Machine> {
        self.state().machines.get(id).cloned()
    }

    /// The machine that is this worker.
    ///
    /// # Errors
    ///
    /// As `observe` would report it.
    pub fn machine_of(&self, worker: &Worker) -> Result<Machine> {
        find(&self.state().machines, worker, self.character().hops).cloned()
    }

    /// Changes a machine.
    ///
    /// # Panics
    ///
    /// If there is none of that id.
    pub fn change_machine(&self, id: &str, change: impl FnOnce(&mut Machine)) {
        let mut state = self.state();
        change(state.machines.get_mut(id).unwrap_or_else(|| panic!("no machine `{id}` in this memory backend")));
    }

    /// Ends a machine: routes to it are black holes, and a lookup proves that it is gone.
    pub fn terminate(&self, id: &str) {
        self.change_machine(id, |machine| machine.life = Life::Gone("terminated".to_owned()));
    }

    /// Stops a machine: it is there, and routes to it are black holes.
    pub fn stop(&self, id: &str) {
        self.change_machine(id, |machine| machine.running = false);
    }

    /// Where packets for a range of this worker's go.
    ///
    /// # Errors
    ///
    /// As `observe` would report it.
    pub fn next_hop(&self, worker: &Worker, cidr: PodCidr) -> Result<NextHop> {
        let state = self.state();
        let machine = find(&state.machines, worker, self.character().hops)?;
        next_hop(machine, worker, cidr, self.character())
    }

    /// Every route that the topology wants, in its order.
    ///
    /// # Errors
    ///
    /// The first worker that has no next hop.
    pub fn wanted(&self, topology: &Topology) -> Result<Vec<Route>> {
        let route = |(worker, cidr): (&Worker, PodCidr)| {
            Ok(Route { destination: cidr, next_hop: self.next_hop(worker, cidr)?, worker: worker.name.clone() })
        };
        topology.ranges().map(route).collect()
    }

    /// A route to a machine as this backend would write it: with our mark, where there are marks.
    ///
    /// # Panics
    ///
    /// If there is no machine of that id, or it has no address where next hops are addresses.
    pub fn our_route(&self, destination: IpNet, machine: &str) -> ObservedRoute {
        ObservedRoute { marked: self.character().capabilities.marks, ..self.route_to(destination, machine) }
    }

    /// A route to a machine as somebody else would make it by hand: like ours, but without a mark.
    ///
    /// # Panics
    ///
    /// As for [`our_route`](Self::our_route).
    pub fn route_to(&self, destination: IpNet, machine: &str) -> ObservedRoute {
        let machine = self.machine(machine).unwrap_or_else(|| panic!("no machine `{machine}` in this memory backend"));
        let (next_hops, target) = match self.character().hops {
            HopStyle::Machine => {
                (machine.shown(None), Target::Machine { id: machine.id.clone(), life: machine.life.clone() })
            }
            HopStyle::Address => {
                let v6 = matches!(destination, IpNet::V6(_));
                let same = machine.addresses.iter().find(|address| address.is_ipv6() == v6);
                let address = same.or(machine.addresses.first()).expect("a machine with an address");
                (vec![NextHop::Address(*address)], Target::Address)
            }
        };
        let origin = Origin::Static;
        ObservedRoute { target, ..plain(Destination::net(destination), next_hops, origin, self.precedence()) }
    }

    /// A route to something that is no machine: `kind` in kebab-case, such as `nat-gateway`. The destination may be a
    /// prefix list.
    pub fn route_elsewhere(&self, destination: Destination, kind: &str, id: &str) -> ObservedRoute {
        let hops = vec![NextHop::Other(kind.to_owned(), id.to_owned())];
        let target = Target::NotAMachine(kind.replace('-', " "));
        ObservedRoute { target, ..plain(destination, hops, Origin::Static, self.precedence()) }
    }

    /// A route that a gateway has propagated into the table.
    pub fn propagated_route(&self, destination: IpNet, gateway: &str) -> ObservedRoute {
        let route = self.route_elsewhere(Destination::net(destination), "vpn-gateway", gateway);
        // Where it may stand beside a static route, it loses against that.
        ObservedRoute { origin: Origin::Propagated, precedence: self.precedence() + 1, ..route }
    }

    /// A route to an interface that belongs to no machine: a black hole.
    pub fn detached_route(&self, destination: IpNet, interface: &str) -> ObservedRoute {
        let hops = vec![NextHop::Interface(interface.to_owned())];
        let state = RouteState::Blackhole;
        let route = plain(Destination::net(destination), hops, Origin::Static, self.precedence());
        ObservedRoute { target: Target::Detached, state, ..route }
    }

    /// Puts exactly the routes that the topology wants into a table, as this backend would write them.
    ///
    /// # Errors
    ///
    /// The first worker that has no next hop, or what a write would answer.
    pub fn provision(&self, table: &TableId, topology: &Topology) -> Result<()> {
        let routes = self.wanted(topology)?;
        let mut state = self.state();
        let state = &mut *state;
        let store = state.tables.get_mut(table).ok_or_else(|| super::store::no_table(table))?;
        let character = Character { lag: 0, ..self.character };
        routes.iter().try_for_each(|route| store.create(route, &character, &state.machines))
    }

    const fn precedence(&self) -> u32 {
        self.character.capabilities.precedence
    }
}

fn plain(destination: Destination, next_hops: Vec<NextHop>, origin: Origin, precedence: u32) -> ObservedRoute {
    ObservedRoute {
        destination,
        next_hops,
        target: Target::NotAMachine("local".to_owned()),
        state: RouteState::Active,
        origin,
        marked: false,
        precedence,
        deviation: None,
        name: None,
    }
}

fn local(network: IpNet) -> ObservedRoute {
    let hops = vec![NextHop::Other("local".to_owned(), "local".to_owned())];
    plain(Destination::net(network), hops, Origin::Local, 0)
}

fn machine_for(worker: &Worker, index: usize, network: Ipv4Net, character: &Character) -> Machine {
    let ordinal = u32::try_from(index).unwrap_or(u32::MAX);
    let mut addresses = worker.addresses.clone();
    if !addresses.iter().any(IpAddr::is_ipv4) {
        addresses.push(IpAddr::V4(Ipv4Addr::from_bits(network.network().to_bits() + 16 + ordinal)));
    }
    if !addresses.iter().any(IpAddr::is_ipv6) && worker.pod_cidrs.iter().any(PodCidr::is_ipv6) {
        addresses.push(IpAddr::V6(Ipv6Addr::from_bits(NETWORK_V6.network().to_bits() + 16 + u128::from(ordinal))));
    }
    let made_up = format!("i-{:017x}", index + 1);
    let (id, name) = match &worker.machine {
        MachineRef::Id(id) => (id.clone(), worker.name.to_string()),
        MachineRef::Address(_) | MachineRef::Export(_) => (made_up, worker.name.to_string()),
        MachineRef::Name(name) => (made_up, name.clone()),
    };
    Machine { forwards: !character.forwarding_fix, ..Machine::new(id, name, addresses) }
}
