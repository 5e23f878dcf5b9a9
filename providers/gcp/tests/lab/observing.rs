//! What is read, and how many calls it takes.

use std::net::Ipv4Addr;

use kroutes_core::{ErrorKind, MachineRef, NextHop, RouteBackend, RouteState, Severity, Worker};
use kroutes_gcp::GcpSettings;
use kroutes_lab::model::compute::{Hop, Status};
use kroutes_lab::{Fault, FaultKind};

use crate::bench::{
    Bench, NAME, OTHER, POD, ZONE, address, codes, counts, nameless_addresses, pod, settings, table, theirs, via,
    workers,
};

fn hop(observation: &kroutes_core::Observation, cidr: &str) -> kroutes_core::Result<NextHop> {
    observation.next_hops[&cidr.parse().expect("cidr")].clone()
}

#[tokio::test]
async fn a_reading_takes_one_call_each_for_network_routes_and_instances() {
    let bench = Bench::new(3).await;
    for index in 0..3 {
        bench.create(&pod(index), index).await;
    }
    bench.calls();
    let observation = bench.observe(&workers(3)).await;
    assert!(observation.next_hops.values().all(Result::is_ok));
    let expected = counts(&[("networks.get", 1), ("routes.list", 1), ("instances.aggregatedList", 1)]);
    assert_eq!(bench.calls(), expected);
    assert_eq!(observation.findings, []);
    assert_eq!(observation.machines.len(), 3);
    bench.list().await;
    assert_eq!(bench.calls(), counts(&[("routes.list", 1)]), "reading back");
}

/// A route that is missing may be on its way.
#[tokio::test]
async fn a_reading_that_misses_a_route_takes_one_look_at_the_operations() {
    let bench = Bench::new(3).await;
    let reading =
        [("networks.get", 1), ("routes.list", 1), ("instances.aggregatedList", 1), ("globalOperations.list", 1)];
    bench.observe(&workers(3)).await;
    assert_eq!(bench.calls(), counts(&reading), "nothing is there yet");
    let listed = bench.create(POD, 0).await;
    bench.calls();
    bench.observe(&workers(3)).await;
    assert_eq!(bench.calls(), counts(&reading), "two of three are missing");
    bench.backend.delete_route(&bench.table, &listed, None).await.expect("deleted");
    bench.calls();
    bench.observe(&workers(3)).await;
    assert_eq!(bench.calls(), counts(&reading), "what was made has been deleted since");
}

/// Other networks' routes are not the network's, and its own are listed whoever made them.
#[tokio::test]
async fn the_networks_routes_are_listed_and_no_others() {
    let bench = Bench::new(1).await;
    bench.put("theirs-1", theirs(OTHER, POD, via(0)));
    bench.put("theirs-2", theirs("kubernetes-2", POD, via(0)));
    bench.put("theirs-3", theirs(NAME, "172.16.0.0/12", Hop::VpnTunnel("us-west1/office".to_owned())));
    let table = bench.list().await;
    let names: Vec<_> = table.routes.iter().filter_map(|route| route.name.as_deref()).collect();
    assert!(names.contains(&"theirs-3"), "{names:?}");
    assert_eq!(table.routes.len(), 3, "the default route, the subnet's, and the tunnel's: {names:?}");
    assert_eq!((table.id.0.as_str(), table.location.as_str()), (NAME, bench.lab.project().as_str()));
}

#[tokio::test]
async fn a_network_that_does_not_exist_is_no_empty_one() {
    let bench = Bench::new(1).await;
    let settings = settings(&bench.lab.project(), "kubernetes-the-easy-way");
    let backend = bench.another(&settings).await;
    let observation = backend.observe(&workers(1)).await.expect("observation");
    let error = observation.tables[0].table.clone().expect_err("no such network");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("networks/kubernetes-the-easy-way' was not found"), "{error}");
    assert!(error.get("help").is_some_and(|help| help.contains("`network`")), "{error:?}");
    let table = kroutes_core::TableId("kubernetes-the-easy-way".to_owned());
    let error = backend.list_routes(&table).await.expect_err("nor here");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_project_that_does_not_exist_is_named() {
    let bench = Bench::new(1).await;
    let backend = bench.another(&settings("not-my-project", NAME)).await;
    let observation = backend.observe(&nameless_addresses(1)).await.expect("observation");
    let error = observation.tables[0].table.clone().expect_err("no such project");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("not-my-project"), "{error}");
    assert!(error.get("help").is_some_and(|help| help.contains("`project`")), "{error:?}");
    hop(&observation, POD).expect_err("nor a next hop");
}

#[tokio::test]
async fn an_api_that_is_off_says_how_to_switch_it_on() {
    let bench = Bench::new(1).await;
    bench.lab.change(|cloud| cloud.compute.enabled = false);
    let observation = bench.observe(&workers(1)).await;
    let error = observation.tables[0].table.clone().expect_err("off");
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::PermissionDenied, false));
    assert!(error.get("help").is_some_and(|help| help.contains("gcloud services enable compute")), "{error:?}");
}

/// Whoever may write routes may not always see instances; where addresses are given none are needed.
#[tokio::test]
async fn without_permission_to_list_instances_given_addresses_are_enough() {
    let bench = Bench::new(1).await;
    bench.lab.change(|cloud| cloud.denied.insert("compute.instances.list".to_owned()));
    let mut both = workers(2);
    both[1].addresses.clear();
    let observation = bench.observe(&both).await;
    assert_eq!(hop(&observation, POD).expect("given"), NextHop::Address(address(0).into()));
    let error = hop(&observation, &pod(1)).expect_err("has to be looked up");
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(table(&observation).routes.len() >= 2);
    let [finding] = &observation.findings[..] else { panic!("not one finding: {:#?}", observation.findings) };
    assert_eq!((finding.code, finding.severity), ("not-checked", Severity::Warning));
    assert!(finding.message.contains("`compute.instances.list`"), "{}", finding.message);
}

#[tokio::test]
async fn without_permission_to_list_routes_nothing_is_known_of_the_table_and_all_of_the_workers() {
    let bench = Bench::new(1).await;
    bench.lab.add_fault(Fault::new(FaultKind::Deny).on("routes.list"));
    let observation = bench.observe(&nameless_addresses(1)).await;
    let error = observation.tables[0].table.clone().expect_err("denied");
    assert!(error.get("help").is_some_and(|help| help.contains("`compute.routes.list`")), "{error:?}");
    hop(&observation, POD).expect("the instance is found all the same");
}

#[tokio::test]
async fn instances_are_found_by_name_or_by_zone_and_name() {
    let bench = Bench::new(2).await;
    let mut looked_up = nameless_addresses(2);
    looked_up[1].machine = MachineRef::Id(format!("{ZONE}/worker-1"));
    let observation = bench.observe(&looked_up).await;
    for index in 0..2 {
        assert_eq!(hop(&observation, &pod(index)).expect("found"), NextHop::Address(address(index).into()));
    }
    assert_eq!(observation.machines[&format!("{ZONE}/worker-0")].as_str(), "worker-0");
}

/// hcloud-cloud-controller-manager#470: another machine with the same private address, in another network, was taken.
#[tokio::test]
async fn the_same_address_and_name_in_another_network_are_a_strangers() {
    let bench = Bench::new(0).await;
    bench.lab.change(|cloud| {
        let range = "10.240.0.0/20".parse().expect("net");
        let subnetwork = cloud.compute.add_subnetwork("us-west1", "theirs", OTHER, range, None);
        cloud.compute.add_machine(ZONE, "worker-0", &subnetwork, address(0))
    });
    let observation = bench.observe(&nameless_addresses(1)).await;
    let error = hop(&observation, POD).expect_err("it is elsewhere");
    assert!(error.message().contains("is in `other`, not in network `kubernetes`"), "{error}");
    assert_eq!(observation.machines.len(), 0);

    let observation = bench.observe(&workers(1)).await;
    assert_eq!(observation.machines.len(), 0, "an address elsewhere proves nothing here");
    assert!(codes(&observation.findings).contains(&"next-hop-address"), "{:#?}", observation.findings);
}

#[tokio::test]
async fn a_machine_that_may_not_forward_is_found_before_and_after_its_route_is_made() {
    let bench = Bench::new(1).await;
    let key = format!("{ZONE}/worker-0");
    bench.lab.change(|cloud| cloud.compute.machines.get_mut(&key).expect("machine").can_ip_forward = false);
    for _ in 0..2 {
        let observation = bench.observe(&workers(1)).await;
        assert_eq!(codes(&observation.findings), ["ip-forwarding"], "told once");
        assert_eq!(observation.findings[0].severity, Severity::Error);
        assert!(observation.findings[0].message.contains("`canIpForward` is off"));
        bench.create(POD, 0).await;
    }
}

#[tokio::test]
async fn a_machine_that_does_not_run_is_found_and_its_route_is_a_black_hole() {
    let bench = Bench::new(1).await;
    bench.create(POD, 0).await;
    bench.lab.change(|cloud| cloud.compute.set_status(&format!("{ZONE}/worker-0"), Status::Terminated));
    let observation = bench.observe(&workers(1)).await;
    assert_eq!(codes(&observation.findings), ["not-running"]);
    let listed = bench.entries(POD).await.remove(0);
    assert_eq!(listed.state, RouteState::Blackhole);
}

/// Only a primary address can be a next hop; Compute takes any, and the packets are lost.
#[tokio::test]
async fn an_alias_address_and_one_that_nobody_has_are_found_before_a_write() {
    let bench = Bench::new(1).await;
    let alias = Ipv4Addr::new(10, 240, 1, 7);
    bench.lab.change(|cloud| {
        let machine = cloud.compute.machines.get_mut(&format!("{ZONE}/worker-0")).expect("machine");
        machine.nics[0].aliases.push("10.240.1.0/28".parse().expect("net"));
    });
    for (given, why) in [(alias, "alias address"), (Ipv4Addr::new(10, 240, 9, 9), "`us-west1-a/worker-0` has")] {
        let worker = Worker { addresses: vec![given.into()], ..workers(1).remove(0) };
        let observation = bench.observe(&[worker]).await;
        let found = observation.findings.iter().find(|finding| finding.code == "next-hop-address").expect("found");
        assert_eq!(found.severity, Severity::Error);
        assert!(found.message.contains(why), "{}", found.message);
        assert_eq!(hop(&observation, POD).expect("as given"), NextHop::Address(given.into()));
    }
}

/// cloud-provider-gcp#482: a pod CIDR inside a subnet's range was refused by the API alone, one route after the other.
#[tokio::test]
async fn a_pod_cidr_inside_a_subnet_is_found_before_any_write() {
    let bench = Bench::new(2).await;
    bench.lab.change(|cloud| {
        let range = "10.200.0.0/23".parse().expect("net");
        cloud.compute.add_subnetwork("us-west1", "pods", NAME, range, None)
    });
    let observation = bench.observe(&workers(3)).await;
    let found: Vec<_> = observation
        .findings
        .iter()
        .filter(|finding| finding.code == "subnet-overlap")
        .map(|f| f.worker.clone())
        .collect();
    assert_eq!(found.len(), 2, "{:#?}", observation.findings);
    assert_eq!(bench.calls().keys().filter(|action| action.contains("subnet")).count(), 0, "it costs no call");
}

/// Two workers at one machine would have one's pods looked for at the other's.
#[tokio::test]
async fn two_workers_at_one_machine_are_refused_with_both_names() {
    let bench = Bench::new(3).await;
    let mut three = workers(3);
    three[1].addresses.clear();
    three[1].machine = MachineRef::Name("worker-0".to_owned());
    three[0].addresses.clear();
    let observation = bench.observe(&three).await;
    for index in 0..2 {
        let error = hop(&observation, &pod(index)).expect_err("shared");
        assert!(error.message().contains("`worker-0` and `worker-1`"), "{error}");
    }
    hop(&observation, &pod(2)).expect("the third is fine");
}

#[tokio::test]
async fn a_quota_that_the_topology_gives_is_counted_without_the_routes_that_came_with_the_network() {
    let bench = Bench::new(2).await;
    let backend = bench.another(&GcpSettings { routes_limit: Some(10), ..bench.settings() }).await;
    bench.create(POD, 0).await;
    let table = backend.list_routes(&bench.table).await.expect("listing");
    let [quota] = &table.quotas[..] else { panic!("{:?}", table.quotas) };
    assert_eq!((quota.limit, quota.used), (10, 1), "ours alone");
}
