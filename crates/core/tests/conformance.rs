//! The contract, on the backend in memory: in the characters of both clouds, with providers that compare before they write,
//! and with listings that lag.

use std::sync::Arc;

use async_trait::async_trait;
use ipnet::IpNet;
use kroutes_core::memory::{Call, Character, Failure, Machine};
use kroutes_core::{
    Cluster, ClusterCidr, Destination, Error, ErrorKind, MachineRef, MemoryBackend, ObservedRoute, TableId, Topology,
    Worker, WorkerName,
};
use kroutes_testkit::{Bench, Hook, Outside, Skip, Subject};

/// A cloud in memory.
struct Memory {
    character: Character,
    skips: &'static [&'static str],
}

/// What such a backend has no way to show: an address has no name that could be ambiguous, and no interface.
const BY_ADDRESS: &[&str] = &[
    "a_name_that_two_machines_bear_is_refused_with_both",
    "of_several_interfaces_the_primary_one_is_used",
    "a_check_that_stops_packets_is_found_fixed_and_gone",
];

fn topology(ipv6: bool) -> Topology {
    let cidr = |text: &str| text.parse().expect("a range");
    let worker = |index: u8| {
        let mut pod_cidrs = vec![cidr(&format!("10.200.{index}.0/24"))];
        pod_cidrs.extend(ipv6.then(|| cidr(&format!("fd00:10:200:{index}::/64"))));
        let name = format!("worker-{index}");
        let addresses = vec![format!("10.240.0.{}", 20 + index).parse().expect("an address")];
        Worker { name: name.parse().expect("a name"), pod_cidrs, addresses, machine: MachineRef::Name(name) }
    };
    let mut pod_cidrs: Vec<ClusterCidr> = vec!["10.200.0.0/16".parse().expect("a range")];
    pod_cidrs.extend(ipv6.then(|| "fd00:10:200::/48".parse::<ClusterCidr>().expect("a range")));
    let cluster = Cluster { name: "kubernetes".parse().expect("a name"), pod_cidrs, service_cidrs: Vec::new() };
    // The second name begins with the first one: whoever compares prefixes takes one for the other.
    Topology::new(cluster, [1, 10, 11, 2].map(worker).to_vec()).expect("a sound topology")
}

#[async_trait]
impl Bench for Memory {
    async fn fresh(&self) -> Subject {
        let topology = topology(self.character.capabilities.ipv6);
        let backend = MemoryBackend::for_topology(&topology, self.character);
        backend.add_machine(Machine::new("i-stranger", "stranger", ["10.240.7.7".parse().expect("an address")]));
        let table = backend.table();
        let outside = Hands { backend: backend.clone(), topology: topology.clone(), table: table.clone() };
        Subject { backend: Arc::new(backend), table, topology, outside: Box::new(outside) }
    }

    async fn fresh_with_missing_table(&self) -> Hook<Subject> {
        let topology = topology(self.character.capabilities.ipv6);
        let backend = MemoryBackend::for_topology(&topology, self.character);
        backend.add_missing_table("rtb-missing", Error::new(ErrorKind::NotFound, "there is no table `rtb-missing`"));
        let table = backend.table();
        let outside = Hands { backend: backend.clone(), topology: topology.clone(), table: table.clone() };
        Ok(Subject { backend: Arc::new(backend), table, topology, outside: Box::new(outside) })
    }

    fn skips(&self) -> &'static [&'static str] {
        self.skips
    }
}

struct Hands {
    backend: MemoryBackend,
    topology: Topology,
    table: TableId,
}

impl Hands {
    fn machine(&self, worker: &WorkerName) -> String {
        let worker = self.topology.workers().iter().find(|known| known.name == *worker).expect("a worker");
        self.backend.machine_of(worker).expect("its machine").id
    }

    fn plant(&self, route: ObservedRoute) {
        self.backend.plant(&self.table, route);
    }
}

#[async_trait]
impl Outside for Hands {
    async fn add_route_elsewhere(&self, destination: IpNet) -> Hook {
        self.plant(self.backend.route_elsewhere(Destination::net(destination), "nat-gateway", "nat-1"));
        Ok(())
    }

    async fn add_route_to_a_stranger(&self, destination: IpNet) -> Hook {
        self.plant(self.backend.route_to(destination, "i-stranger"));
        Ok(())
    }

    async fn propagate_route(&self, destination: IpNet) -> Hook {
        self.plant(self.backend.propagated_route(destination, "vgw-1"));
        Ok(())
    }

    async fn add_prefix_list_route(&self) -> Hook<String> {
        let name = "pl-1".to_owned();
        self.plant(self.backend.route_elsewhere(Destination::Other(name.clone()), "gateway-endpoint", "vpce-1"));
        Ok(name)
    }

    async fn move_route(&self, destination: IpNet, to: &WorkerName) -> Hook {
        let moved = self.backend.our_route(destination, &self.machine(to));
        self.backend.edit(&self.table, |routes| {
            for route in routes.iter_mut().filter(|route| route.destination == moved.destination) {
                *route = ObservedRoute { name: route.name.clone(), ..moved.clone() };
            }
        });
        Ok(())
    }

    async fn fill_table(&self) -> Hook {
        let used = self.backend.routes(&self.table).len();
        self.backend.set_quota(&self.table, u32::try_from(used).expect("a small table"));
        Ok(())
    }

    async fn break_second_page(&self) -> Hook {
        for index in 0..=self.backend.character().page {
            let [high, low] = u16::try_from(index).expect("a small page").to_be_bytes();
            let destination = format!("198.{}.{low}.0/24", 18 + high).parse().expect("a network");
            self.add_route_to_a_stranger(destination).await?;
        }
        let error = Error::new(ErrorKind::Unavailable, "the connection was closed");
        self.backend.fail(Failure::of(Call::Page, error).from_nth(2).for_ever());
        Ok(())
    }

    async fn lose_next_answer(&self) -> Hook {
        let error = Error::new(ErrorKind::Unavailable, "the connection was closed");
        self.backend.fail(Failure::of_any(Call::WRITES, error).after_the_effect());
        Ok(())
    }

    async fn refuse_writes(&self, refuse: bool) -> Hook {
        self.backend.clear_failures();
        if refuse {
            let error = Error::new(ErrorKind::PermissionDenied, "not allowed to do this");
            self.backend.fail(Failure::of_any(Call::WRITES, error).for_ever());
        }
        Ok(())
    }

    async fn throttle_once(&self) -> Hook {
        self.backend.fail(Failure::of_any(Call::ALL, Error::new(ErrorKind::RateLimited, "slow down")));
        Ok(())
    }

    async fn refuse_credentials(&self) -> Hook {
        let error = Error::new(ErrorKind::Unauthenticated, "the credentials are not accepted");
        self.backend.fail(Failure::of_any(Call::ALL, error).for_ever());
        Ok(())
    }

    async fn terminate(&self, worker: &WorkerName) -> Hook {
        self.backend.terminate(&self.machine(worker));
        Ok(())
    }

    async fn stop(&self, worker: &WorkerName) -> Hook {
        self.backend.stop(&self.machine(worker));
        Ok(())
    }

    async fn forbid_forwarding(&self, worker: &WorkerName) -> Hook {
        if !self.backend.character().forwarding_fix {
            return Err(Skip::Unable("forbid forwarding in a way that a fix can mend"));
        }
        self.backend.change_machine(&self.machine(worker), |machine| machine.forwards = false);
        Ok(())
    }

    async fn add_interface(&self, worker: &WorkerName) -> Hook<String> {
        if self.backend.character().capabilities.marks {
            return Err(Skip::Unable("show interfaces where next hops are addresses"));
        }
        let id = self.machine(worker);
        self.backend.change_machine(&id, |machine| machine.interfaces.push("eni-second".to_owned()));
        Ok(self.backend.machine(&id).expect("its machine").interfaces.remove(0))
    }

    async fn add_namesake(&self, worker: &WorkerName) -> Hook<[String; 2]> {
        if self.backend.character().capabilities.marks {
            return Err(Skip::Unable("give one name to machines that are known by address"));
        }
        let id = self.machine(worker);
        self.backend.add_machine(Machine::new("i-namesake", worker.as_str(), []));
        Ok([id, "i-namesake".to_owned()])
    }
}

mod ec2 {
    use super::*;
    kroutes_testkit::conformance!(Memory { character: Character::ec2(), skips: &[] });
}

mod gcp {
    use super::*;
    kroutes_testkit::conformance!(Memory { character: Character::gcp(), skips: BY_ADDRESS });
}

mod ec2_with_lag {
    use super::*;
    kroutes_testkit::conformance!(Memory { character: Character::ec2().with_lag(3), skips: &[] });
}

mod gcp_with_lag {
    use super::*;
    kroutes_testkit::conformance!(Memory { character: Character::gcp().with_lag(3), skips: BY_ADDRESS });
}

mod ec2_that_compares_before_it_writes {
    use super::*;
    kroutes_testkit::conformance!(Memory { character: Character::ec2().with_conditional_writes(true), skips: &[] });
}

mod gcp_that_compares_before_it_writes {
    use super::*;
    kroutes_testkit::conformance!(Memory {
        character: Character::gcp().with_conditional_writes(true),
        skips: BY_ADDRESS
    });
}

mod without_ipv6 {
    use super::*;
    kroutes_testkit::conformance!(Memory { character: Character::ec2().with_ipv6(false), skips: &[] });
}
