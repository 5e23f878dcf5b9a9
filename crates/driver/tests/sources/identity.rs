//! Who a node is, and what becomes of one that is no worker.

use std::sync::Arc;

use kroutes_core::memory::Character;
use kroutes_core::{ErrorKind, MachineRef, MemoryBackend};
use kroutes_driver::{Reconciler, Settings};

use crate::{BY_ADDRESS, BY_ID, cidr, found, list, node, topology};

const INSIDE: [(&str, &str); 4] = [
    ("ExternalIP", "198.51.100.7"),
    ("InternalIP", "10.240.0.7"),
    ("InternalIP", "fd00::7"),
    ("InternalIP", "10.240.0.8"),
];

fn id(id: &str) -> String {
    format!(r#"{},"providerID":"{id}""#, cidr("10.200.0.0/24"))
}

/// Ranges, reason, and whether it is a fault, of the only node.
async fn left_out(node: String, cluster: &str) -> (Vec<String>, String, bool) {
    let found = found(list(&[node]), cluster, &BY_ID).await.expect("a node list");
    assert!(found.workers.is_empty(), "{found:?}");
    let one = &found.left_out[0];
    (one.pod_cidrs.iter().map(ToString::to_string).collect(), one.why.to_string(), one.is_fault)
}

/// kops#13376, kubernetes#52398, hcloud-ccm#1221: names that differ between Kubernetes and the cloud.
#[tokio::test]
async fn the_provider_id_comes_first_then_the_address_then_the_name() {
    let machine = async |spec: &str, addresses: &[(&str, &str)]| {
        let list = list(&[node("IP-10-0-0-7.Example.Internal", spec, addresses)]);
        found(list, "", &BY_ID).await.expect(spec).workers[0].clone()
    };
    let worker = machine(&id("aws:///us-west-2a/i-0123"), &INSIDE).await;
    assert_eq!(worker.machine, MachineRef::Id("i-0123".to_owned()));
    assert_eq!(worker.name.as_str(), "IP-10-0-0-7.Example.Internal");
    let address = MachineRef::Address("10.240.0.7".parse().expect("address"));
    for unsaid in [cidr("10.200.0.0/24"), id(""), id("k3s://ip-10-0-0-7"), id("kind://docker/kind/worker")] {
        assert_eq!(machine(&unsaid, &INSIDE).await.machine, address, "{unsaid}");
    }
    let outside = [("ExternalIP", "198.51.100.7"), ("Hostname", "w")];
    assert_eq!(machine(&id(""), &outside).await.machine, MachineRef::Name("IP-10-0-0-7.Example.Internal".to_owned()));
}

/// hcloud-ccm#470: another machine with the same private address, outside the network.
#[tokio::test]
async fn only_the_first_internal_address_of_each_family_is_a_nodes_own() {
    let found = found(list(&[node("w", &id(""), &INSIDE)]), "", &BY_ID).await.expect("a node list");
    let addresses: Vec<String> = found.workers[0].addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["10.240.0.7", "fd00::7"]);
}

#[tokio::test]
async fn who_routes_by_address_asks_no_id_but_needs_the_address() {
    let nodes = [
        node("w-0", &id("aws:///us-west-2a/i-0123"), &INSIDE),
        node("w-1", &cidr("10.200.1.0/24"), &[("Hostname", "w-1")]),
    ];
    let topology = topology(&list(&nodes), "", &BY_ADDRESS).await.expect("a topology");
    assert_eq!(topology.workers()[0].machine, MachineRef::Address("10.240.0.7".parse().expect("address")));
    let [left_out] = topology.left_out() else { panic!("{topology:?}") };
    assert_eq!(
        left_out.why.to_string(),
        "node `w-1` has no `InternalIP`, and `linux` sends to a worker by its address"
    );
    assert!(left_out.is_fault);
}

#[tokio::test]
async fn what_is_nobodys_fault_is_left_out_with_its_ranges() {
    let range = vec!["10.200.0.0/24".to_owned()];
    let leaving = node("w", &id("aws:///a/i-1"), &INSIDE)
        .replace(r#""name":"w","#, r#""name":"w","deletionTimestamp":"2026-11-20T17:00:00Z","#);
    assert_eq!(left_out(leaving, "").await, (range.clone(), "node `w` is being deleted".to_owned(), false));
    assert_eq!(
        left_out(node("w", &id("gce://p/z/w"), &INSIDE), "").await,
        (range.clone(), "node `w` is no machine of `aws`: its id is `gce://p/z/w`".to_owned(), false)
    );
    assert_eq!(
        left_out(node("w", &id("aws:///a/fargate-10.0.0.1"), &INSIDE), "").await,
        (range, "node `w` is a Fargate pod: its id is `aws:///a/fargate-10.0.0.1`".to_owned(), false)
    );
    assert_eq!(
        left_out(node("w", "", &INSIDE), "").await,
        (Vec::new(), "node `w` has no pod CIDR yet".to_owned(), false)
    );
}

/// What is half readable is not known: a range that was taken for the whole would have the node's other routes pruned.
#[tokio::test]
async fn one_bad_range_is_that_nodes_fault_and_the_others_go_on() {
    let pair = |first: &str, second: &str| format!(r#""podCIDRs":["{first}","{second}"]"#);
    for (spec, message) in [
        (cidr("banana"), "node `w`: `banana` is not a CIDR range such as `10.200.0.0/24`"),
        (cidr("10.200.0.7/24"), "node `w`: `10.200.0.7/24` has host bits set; the range is `10.200.0.0/24`"),
        (
            pair("10.200.0.0/24", "10.200.1.0/24"),
            "node `w`: its pod CIDRs `10.200.0.0/24` and `10.200.1.0/24` are of one family",
        ),
        (pair("10.200.0.0/24", ""), "node `w`: `` is not a CIDR range such as `10.200.0.0/24`"),
    ] {
        let bad = node("w", &spec, &[]);
        assert_eq!(left_out(bad.clone(), "").await, (Vec::new(), message.to_owned(), true));
        let found = found(list(&[bad, node("good", &cidr("10.200.9.0/24"), &[])]), "", &BY_ID).await.expect(&spec);
        assert_eq!(found.workers.len(), 1);
    }
    let odd = node("w", &id(""), &[("InternalIP", "nowhere")]);
    assert_eq!(left_out(odd, "").await.1, "node `w`: its `InternalIP` `nowhere` is not an IP address");
}

#[tokio::test]
async fn node_prefix_serves_only_nodes_that_have_no_range() {
    let nodes = [
        node("worker-3", "", &[]),
        node("worker-4", &cidr("10.200.77.0/24"), &[]),
        node("edge", "", &[]),
        node("worker-256", "", &[]),
    ];
    let found = found(list(&nodes), "node-prefix = 24", &BY_ID).await.expect("a node list");
    let ranges: Vec<String> = found.workers.iter().map(|worker| worker.pod_cidrs[0].to_string()).collect();
    assert_eq!(ranges, ["10.200.3.0/24", "10.200.77.0/24"]);
    assert!(found.left_out.iter().all(|one| one.is_fault));
    let names: Vec<&str> = found.left_out.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["edge", "worker-256"]);
}

/// kubernetes#29058: two nodes with one pod CIDR.
#[tokio::test]
async fn nodes_that_contradict_each_other_are_told_with_the_source() {
    let nodes = [
        node("a", &cidr("10.200.0.0/24"), &[]),
        node("b", &cidr("10.200.0.0/24"), &[]),
        node("c", &cidr("10.99.0.0/24"), &[]),
    ];
    let error = topology(&list(&nodes), "", &BY_ID).await.expect_err("a contradiction");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(
        error.to_string(),
        "the node list `here/nodes.json` makes no topology: workers `a` and `b` have the same pod CIDR \
         `10.200.0.0/24`; `10.99.0.0/24` of worker `c` is not inside the cluster's pod CIDR `10.200.0.0/16`"
    );
    let many: Vec<String> = (0..9).map(|n| node(&format!("n-{n}"), &cidr(&format!("10.9.{n}.0/24")), &[])).collect();
    let error = topology(&list(&many), "", &BY_ID).await.expect_err("outside");
    assert!(error.to_string().ends_with("; and 4 more"), "{error}");
}

/// deckhouse#13350: node objects vanished for a moment, and all routes were deleted.
#[tokio::test]
async fn no_workers_at_all_is_an_error() {
    let error = topology(&list(&[]), "", &BY_ID).await.expect_err("none");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.to_string(), "found no workers in the node list `here/nodes.json`");
    let error = topology(&list(&[node("a", "", &[]), node("b", "", &[])]), "", &BY_ID).await.expect_err("none");
    assert_eq!(
        error.to_string(),
        "found no workers in the node list `here/nodes.json`: node `a` has no pod CIDR yet; node `b` has no pod CIDR yet"
    );
}

/// kops#13376 and others: routes created and deleted in a loop.
#[tokio::test(start_paused = true)]
async fn with_names_that_the_cloud_does_not_know_a_second_run_changes_nothing() {
    let nodes = [
        node("IP-10-240-0-20.Example", &id("aws:///a/i-0123"), &[("InternalIP", "10.240.0.20")]),
        node("ip-10-240-0-21.example", &cidr("10.200.1.0/24"), &[("InternalIP", "10.240.0.21")]),
    ];
    let topology = topology(&list(&nodes), "", &BY_ID).await.expect("a topology");
    let backend = MemoryBackend::for_topology(&topology, Character::ec2());
    let reconciler = Reconciler::new(Arc::new(backend.clone()), topology, Settings::default()).expect("a reconciler");
    let planned = reconciler.plan().await.expect("a plan");
    reconciler.apply(planned, &|_| {}).await.expect("a report");
    let again = reconciler.plan().await.expect("a plan").plan;
    assert!(again.is_empty(), "{again:?}");
    assert_eq!(again.readable().map(|table| table.unchanged).collect::<Vec<_>>(), [2]);
}
