//! What happens to the cloud behind the provider's back: other people, and Google's bad days.
//!
//! A hook promises that listings show at once what it did. In a lab that lags it therefore waits until they do.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use ipnet::IpNet;
use kroutes_core::{MachineRef, Topology, WorkerName};
use kroutes_lab::model::compute::{Hop, Machine, Route, Status};
use kroutes_lab::{Cloud, Fault, FaultKind, Lab, Options};
use kroutes_testkit::{Hook, Outside, Skip};

/// A machine that is no worker.
pub(crate) const STRANGER: &str = "stranger";

/// Every method that changes something.
const WRITES: [&str; 2] = ["routes.insert", "routes.delete"];
/// What one needs for them.
const PERMISSIONS: [&str; 2] = ["compute.routes.create", "compute.routes.delete"];
/// The most that is on a page (Compute Engine API, `maxResults`).
const PAGE: u32 = 500;

/// Hands on one lab, which lives as long as they do.
pub(crate) struct Hands {
    lab: Lab,
    /// By the worker's name, for a machine that is gone is not found by its own any more.
    machines: BTreeMap<WorkerName, String>,
    network: String,
    lag: Duration,
    operation_delay: Duration,
    by_address: bool,
}

impl Hands {
    pub(crate) fn new(lab: Lab, topology: &Topology, network: &str, options: &Options) -> Self {
        let named = |name: &str| lab.cloud(|cloud| cloud.compute.machine_named(name)).expect("a machine");
        let key = |worker: &kroutes_core::Worker| match &worker.machine {
            MachineRef::Name(name) => (worker.name.clone(), named(name)),
            other => panic!("`{other}` is no name"),
        };
        let machines = topology.workers().iter().map(key).collect();
        let by_address = topology.workers().iter().all(|worker| !worker.addresses.is_empty());
        let Options { lag, operation_delay, .. } = *options;
        Self { lab, machines, network: network.to_owned(), lag, operation_delay, by_address }
    }

    fn machine(&self, worker: &WorkerName) -> &str {
        &self.machines[worker]
    }

    async fn change<R: Send>(&self, change: impl FnOnce(&mut Cloud) -> R + Send) -> R {
        let result = self.lab.change(change);
        tokio::time::sleep(self.lag).await;
        result
    }

    /// A route as somebody makes it who knows nothing of marks.
    fn route(&self, destination: IpNet, hop: Hop) -> Route {
        Route {
            id: 0,
            network: self.network.clone(),
            destination,
            priority: 1000,
            description: String::new(),
            tags: Vec::new(),
            hop,
            created: SystemTime::now(),
        }
    }

    async fn add_route(&self, destination: IpNet, hop: Hop) {
        let route = self.route(destination, hop);
        self.change(|cloud| {
            let name = format!("theirs-{}", cloud.compute.routes.len());
            cloud.compute.put_route(&name, route);
        })
        .await;
    }

    /// Where a route of that family to a machine leads.
    fn hop(&self, key: &str, destination: IpNet) -> Hop {
        let nic = self.lab.cloud(|cloud| cloud.compute.machines[key].nics[0].clone());
        Hop::Address(match destination {
            IpNet::V4(_) => nic.address.into(),
            IpNet::V6(_) => nic.ipv6.expect("an IPv6 address").into(),
        })
    }

    async fn change_machine(&self, worker: &WorkerName, change: impl FnOnce(&mut Machine) + Send) {
        let key = self.machine(worker);
        self.change(|cloud| change(cloud.compute.machines.get_mut(key).expect("a machine"))).await;
    }
}

fn internet() -> Hop {
    Hop::Gateway("default-internet-gateway".to_owned())
}

#[async_trait]
impl Outside for Hands {
    fn lag(&self) -> Duration {
        self.lag + self.operation_delay
    }

    async fn add_route_elsewhere(&self, destination: IpNet) -> Hook {
        self.add_route(destination, internet()).await;
        Ok(())
    }

    async fn add_route_to_a_stranger(&self, destination: IpNet) -> Hook {
        let stranger = self.lab.cloud(|cloud| cloud.compute.machine_named(STRANGER)).expect("the stranger");
        self.add_route(destination, self.hop(&stranger, destination)).await;
        Ok(())
    }

    async fn propagate_route(&self, destination: IpNet) -> Hook {
        self.add_route(destination, Hop::Peering("to-the-office".to_owned())).await;
        Ok(())
    }

    /// Compute cannot move a route: whoever wants that deletes it and makes it anew.
    async fn move_route(&self, destination: IpNet, to: &WorkerName) -> Hook {
        let hop = self.hop(self.machine(to), destination);
        self.change(|cloud| {
            let found = cloud.compute.routes.iter().find(|(_, route)| route.destination == destination);
            let (name, old) = found.map(|(name, route)| (name.clone(), route.clone())).expect("a route to move");
            cloud.compute.put_route(&name, Route { hop, ..old });
        })
        .await;
        Ok(())
    }

    async fn fill_table(&self) -> Hook {
        let limit = self.lab.cloud(|cloud| cloud.compute.routes_limit);
        let range: IpNet = "198.18.0.0/15".parse().expect("a network");
        let nets = range.subnets(24).expect("a longer prefix").take(limit as usize);
        let routes: Vec<Route> = nets.map(|net| self.route(net, internet())).collect();
        self.change(|cloud| {
            for (number, route) in routes.into_iter().enumerate() {
                cloud.compute.put_route(&format!("filling-{number}"), route);
            }
        })
        .await;
        Ok(())
    }

    async fn break_second_page(&self) -> Hook {
        let range: IpNet = "198.18.0.0/15".parse().expect("a network");
        let nets = range.subnets(28).expect("a longer prefix").take(PAGE as usize);
        let routes: Vec<Route> = nets.map(|net| self.route(net, internet())).collect();
        self.change(|cloud| {
            for (number, route) in routes.into_iter().enumerate() {
                cloud.compute.put_route(&format!("many-{number}"), route);
            }
        })
        .await;
        self.lab.add_fault(Fault::new(FaultKind::Deny).on("routes.list").after(1));
        Ok(())
    }

    async fn lose_next_answer(&self) -> Hook {
        for action in WRITES {
            self.lab.add_fault(Fault::new(FaultKind::DropAfter).on(action).times(1));
        }
        Ok(())
    }

    async fn refuse_writes(&self, refuse: bool) -> Hook {
        let denied = PERMISSIONS.iter().filter(|_| refuse).map(|permission| (*permission).to_owned()).collect();
        self.change(|cloud| cloud.denied = denied).await;
        Ok(())
    }

    async fn throttle_once(&self) -> Hook {
        self.lab.add_fault(Fault::new(FaultKind::Throttle).times(1));
        Ok(())
    }

    async fn refuse_credentials(&self) -> Hook {
        self.lab.revoke_tokens();
        Ok(())
    }

    async fn terminate(&self, worker: &WorkerName) -> Hook {
        assert!(self.change(|cloud| cloud.compute.delete_machine(self.machine(worker))).await, "a machine to delete");
        Ok(())
    }

    async fn stop(&self, worker: &WorkerName) -> Hook {
        self.change_machine(worker, |machine| machine.status = Status::Terminated).await;
        Ok(())
    }

    /// In a network of its own, as Compute insists.
    async fn add_interface(&self, worker: &WorkerName) -> Hook<String> {
        let key = self.machine(worker);
        let primary = self.lab.cloud(|cloud| cloud.compute.machines[key].nics[0].address);
        self.change(|cloud| {
            cloud.compute.add_network("storage");
            let range = "10.99.0.0/24".parse().expect("a network");
            let subnetwork = cloud.compute.add_subnetwork("us-west1", "storage", "storage", range, None);
            cloud.compute.add_nic(key, &subnetwork, Ipv4Addr::new(10, 99, 0, 7))
        })
        .await;
        Ok(primary.to_string())
    }

    async fn add_namesake(&self, worker: &WorkerName) -> Hook<[String; 2]> {
        if self.by_address {
            return Err(Skip::Unable("make a name matter where the topology gives every address"));
        }
        let first = self.machine(worker);
        let second = self.change(|cloud| {
            let subnetwork = cloud.compute.machines[first].nics[0].subnetwork.clone();
            cloud.compute.add_machine("us-west1-f", worker.as_str(), &subnetwork, Ipv4Addr::new(10, 240, 0, 200))
        });
        Ok([first.to_owned(), second.await])
    }
}
