//! What happens to the cloud behind the provider's back: other people, and EC2's bad days.
//!
//! A hook promises that listings show at once what it did. In a lab that lags it therefore waits until they do.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use ipnet::IpNet;
use kroutes_core::{TableId, Topology, WorkerName};
use kroutes_lab::model::{Destination, Gateway, Launch, Life, Origin, Route, Tags, Target};
use kroutes_lab::{Cloud, Fault, FaultKind, Lab};
use kroutes_testkit::{Hook, Outside, Skip};

/// The `Name` tag of a machine that is no worker.
pub(crate) const STRANGER: &str = "stranger";

/// Every action that changes something.
const WRITES: [&str; 7] = [
    "CreateRoute",
    "ReplaceRoute",
    "DeleteRoute",
    "ModifyInstanceAttribute",
    "ModifyNetworkInterfaceAttribute",
    "CreateTags",
    "DeleteTags",
];

/// Hands on one lab, which lives as long as they do.
pub(crate) struct Hands {
    lab: Lab,
    /// A terminated instance keeps its id and is not found by name any more.
    instances: BTreeMap<WorkerName, String>,
    stranger: String,
    table: TableId,
    lag: Duration,
}

impl Hands {
    pub(crate) fn new(lab: Lab, topology: &Topology, table: TableId, lag: Duration) -> Self {
        let named = |name: &str| lab.cloud(|cloud| cloud.instance_named(name)).expect("an instance");
        let workers = topology.workers().iter().map(|worker| &worker.name);
        let instances = workers.map(|name| (name.clone(), named(name.as_str()))).collect();
        let stranger = named(STRANGER);
        Self { lab, instances, stranger, table, lag }
    }

    fn instance(&self, worker: &WorkerName) -> &str {
        &self.instances[worker]
    }

    async fn change<R: Send>(&self, change: impl FnOnce(&mut Cloud) -> R + Send) -> R {
        let result = self.lab.change(change);
        tokio::time::sleep(self.lag).await;
        result
    }

    async fn add_route(&self, destination: IpNet, target: Target) {
        let made = self.change(|cloud| cloud.create_route(&self.table.0, destination.into(), target)).await;
        made.expect("a route that EC2 takes");
    }
}

fn nat() -> Target {
    Target::Gateway(Gateway::Nat, "nat-0123456789abcdef0".to_owned())
}

#[async_trait]
impl Outside for Hands {
    async fn add_route_elsewhere(&self, destination: IpNet) -> Hook {
        self.add_route(destination, nat()).await;
        Ok(())
    }

    async fn add_route_to_a_stranger(&self, destination: IpNet) -> Hook {
        let target = self.lab.cloud(|cloud| cloud.instance_target(&self.stranger)).expect("one interface");
        self.add_route(destination, target).await;
        Ok(())
    }

    async fn propagate_route(&self, destination: IpNet) -> Hook {
        let target = Target::Gateway(Gateway::Gateway, "vgw-0123456789abcdef0".to_owned());
        let route = Route { destination: destination.into(), target, origin: Origin::EnableVgwRoutePropagation };
        self.change(|cloud| cloud.put_route(&self.table.0, route)).await;
        Ok(())
    }

    async fn add_prefix_list_route(&self) -> Hook<String> {
        let name = "pl-0123456789abcdef0".to_owned();
        let endpoint = Target::Gateway(Gateway::Gateway, "vpce-0123456789abcdef0".to_owned());
        let destination = Destination::PrefixList(name.clone());
        let made = self.change(|cloud| cloud.create_route(&self.table.0, destination, endpoint)).await;
        made.expect("a route that EC2 takes");
        Ok(name)
    }

    async fn move_route(&self, destination: IpNet, to: &WorkerName) -> Hook {
        let target = self.lab.cloud(|cloud| cloud.instance_target(self.instance(to))).expect("one interface");
        let moved = self.change(|cloud| cloud.replace_route(&self.table.0, &destination.into(), target)).await;
        moved.expect("a route to move");
        Ok(())
    }

    async fn fill_table(&self) -> Hook {
        let v4: IpNet = "198.18.0.0/15".parse().expect("a network");
        let v6: IpNet = "2001:db8::/32".parse().expect("a network");
        self.change(|cloud| {
            for (range, length) in [(v4, 24), (v6, 48)] {
                let mut nets = range.subnets(length).expect("a longer prefix");
                let refused = nets.find_map(|net| cloud.create_route(&self.table.0, net.into(), nat()).err());
                assert_eq!(refused.expect("a full table").code, "RouteLimitExceeded");
            }
        })
        .await;
        Ok(())
    }

    async fn break_second_page(&self) -> Hook {
        // The largest page of `DescribeRouteTables` (EC2 API Reference).
        if self.lab.cloud(|cloud| cloud.tables.len()) <= 100 {
            return Err(Skip::Unable("give one table a second page: `DescribeRouteTables` pages whole tables"));
        }
        self.lab.add_fault(Fault::new(FaultKind::Deny).on("DescribeRouteTables").after(1));
        Ok(())
    }

    async fn lose_next_answer(&self) -> Hook {
        for action in WRITES {
            self.lab.add_fault(Fault::new(FaultKind::DropAfter).on(action).times(1));
        }
        Ok(())
    }

    async fn refuse_writes(&self, refuse: bool) -> Hook {
        let denied = WRITES.iter().filter(|_| refuse).map(|action| (*action).to_owned()).collect();
        self.change(|cloud| cloud.denied = denied).await;
        Ok(())
    }

    async fn throttle_once(&self) -> Hook {
        self.lab.add_fault(Fault::new(FaultKind::Throttle).times(1));
        Ok(())
    }

    async fn refuse_credentials(&self) -> Hook {
        let message = "AWS was not able to validate the provided access credentials".to_owned();
        self.lab.add_fault(Fault::new(FaultKind::Error { status: 401, code: "AuthFailure".to_owned(), message }));
        Ok(())
    }

    async fn terminate(&self, worker: &WorkerName) -> Hook {
        self.change(|cloud| cloud.terminate(self.instance(worker))).await;
        Ok(())
    }

    async fn stop(&self, worker: &WorkerName) -> Hook {
        self.change(|cloud| cloud.set_life(self.instance(worker), Life::Stopped)).await.expect("a running instance");
        Ok(())
    }

    async fn forbid_forwarding(&self, worker: &WorkerName) -> Hook {
        let set = self.change(|cloud| cloud.set_source_dest_check(self.instance(worker), true)).await;
        set.expect("one interface");
        Ok(())
    }

    async fn add_interface(&self, worker: &WorkerName) -> Hook<String> {
        let instance = self.instance(worker);
        self.change(|cloud| cloud.add_interface(instance)).await.expect("a free address");
        Ok(self.lab.cloud(|cloud| cloud.interfaces_of(instance)[0].0.to_owned()))
    }

    async fn add_namesake(&self, worker: &WorkerName) -> Hook<[String; 2]> {
        let first = self.instance(worker);
        let tags = Tags::from([("Name".to_owned(), worker.as_str().to_owned())]);
        let second = self.change(|cloud| {
            let subnet = cloud.instances.get(first).expect("an instance").subnet.clone();
            cloud.launch(Launch { subnet, tags, ..Launch::default() })
        });
        Ok([first.to_owned(), second.await.expect("a free address")])
    }
}
