//! Which machine a node is, where nobody says so.

use std::collections::BTreeMap;

use kroutes_lab::model::{Launch, Subnet, Vpc};
use kroutes_lab::{Seed, SeedMachine, SeedNetwork, SeedSubnetwork};

use super::clouds::{BOTH, Cloud, NODE_LIST};
use super::nodes::{at, identified, list, node, nth_node};
use crate::cli::world::compute::{address, network, options};
use crate::cli::world::{World, pod_range};

/// A node with a name that no cloud has.
fn full_name(nth: usize) -> serde_json::Value {
    node(&format!("IP-10-240-0-{}.us-west-2.Compute.Internal", 30 + nth), &pod_range(nth))
}

#[track_caller]
fn settles(cloud: Cloud, world: &World, workers: &[usize]) {
    world.run("apply").code(0).says("Verdict: as wanted");
    cloud.assert_routed(world, workers);
    world.lab.reset_calls();
    world.run("apply --prune").code(0).says("Nothing to change");
    assert_eq!(world.writes(), 0, "{:?}", world.lab.calls());
}

/// kops#13376, kubernetes#52398, hcloud-cloud-controller-manager#1221: names that the cloud does not have made routes
/// come and go for ever.
#[test]
fn a_node_of_another_name_is_the_machine_of_its_provider_id_and_a_second_run_changes_nothing() {
    for cloud in BOTH {
        let world = cloud.world(3, NODE_LIST);
        let node = |nth| at(identified(full_name(nth), &cloud.provider_id(&world, nth)), &address(nth).to_string());
        world.write("nodes.json", list(&[node(0), node(1), node(2)]));
        settles(cloud, &world, &[0, 1, 2]);
    }
}

/// The same threads: a cluster without a cloud's controller has no provider ids.
#[test]
fn without_a_provider_id_a_node_is_the_machine_at_its_internal_address() {
    for cloud in BOTH {
        let world = cloud.world(3, NODE_LIST);
        let node = |nth| at(full_name(nth), &address(nth).to_string());
        let third = identified(node(2), "k3s://ip-10-240-0-32");
        world.write("nodes.json", list(&[node(0), node(1), third]));
        settles(cloud, &world, &[0, 1, 2]);
    }
}

#[test]
fn with_neither_a_node_is_the_machine_of_its_name() {
    for cloud in BOTH {
        let world = cloud.world(2, NODE_LIST);
        world.write("nodes.json", list(&[node("worker-0", &pod_range(0)), node("worker-1", &pod_range(1))]));
        settles(cloud, &world, &[0, 1]);
    }
}

#[test]
fn the_provider_id_goes_before_the_address_and_the_address_before_the_name() {
    let world = Cloud::Aws.world(3, NODE_LIST);
    let id = Cloud::Aws.provider_id(&world, 0);
    let first = at(identified(node("worker-2", &pod_range(0)), &id), "10.240.99.99");
    let second = at(node("worker-0", &pod_range(1)), &address(1).to_string());
    world.write("nodes.json", list(&[first, second]));
    settles(Cloud::Aws, &world, &[0, 1]);
}

/// hetznercloud/hcloud-cloud-controller-manager#470: a machine outside the network was taken for the node.
#[test]
fn an_instance_at_the_same_address_in_another_vpc_is_another_machine() {
    let world = Cloud::Aws.world(2, NODE_LIST);
    world.lab.change(|cloud| {
        let range: ipnet::Ipv4Net = "10.240.0.0/16".parse().expect("a range");
        let vpc = cloud.add_vpc(None, Vpc { cidrs: vec![range], ..Vpc::default() });
        let zone = "us-west-2a".to_owned();
        let subnet = Subnet { vpc, cidr: range, ipv6_cidr: None, zone, tags: BTreeMap::new() };
        let subnet = cloud.add_subnet(None, subnet);
        for nth in [1, 5] {
            let launch = Launch { subnet: subnet.clone(), private_ip: Some(address(nth)), ..Launch::default() };
            cloud.launch(launch).expect("launched");
        }
    });
    world.write("nodes.json", list(&[at(full_name(0), "10.240.0.30"), at(full_name(1), "10.240.0.31")]));
    settles(Cloud::Aws, &world, &[0, 1]);
    // Where only the other VPC has that address, nobody has it.
    world.write("nodes.json", list(&[nth_node(0), nth_node(1), nth_node(5)]));
    world.run("apply").code(1).says("no instance has the private address `10.240.0.35` in `vpc-");
    Cloud::Aws.assert_routed(&world, &[0, 1]);
}

/// The same thread.
#[test]
fn a_vm_at_the_same_address_in_another_network_is_another_machine() {
    let range = "10.240.0.0/16".parse().expect("a range");
    let twin = |nth: usize| SeedMachine {
        zone: "us-west1-b".to_owned(),
        address: Some(address(nth)),
        can_ip_forward: false,
        ..SeedMachine::named(&format!("worker-{nth}"))
    };
    let other = SeedNetwork {
        subnetworks: vec![SeedSubnetwork { name: "other".to_owned(), range, ipv6_range: None }],
        machines: vec![twin(0), twin(1)],
        ..SeedNetwork::named("other")
    };
    let seed = Seed { compute: vec![network(2), other], ..Seed::default() };
    let world = World::new_gcp(&format!("{}{NODE_LIST}", Cloud::Gcp.head()), seed, options());
    world.write("nodes.json", list(&[nth_node(0), node("worker-1", &pod_range(1))]));
    settles(Cloud::Gcp, &world, &[0, 1]);
}

#[test]
fn a_node_whose_machine_is_gone_fails_alone() {
    let world = Cloud::Aws.world(2, NODE_LIST);
    let gone = identified(nth_node(2), "aws:///us-west-2a/i-0123456789abcdef0");
    world.write("nodes.json", list(&[nth_node(0), nth_node(1), gone]));
    world.run("apply").code(1).says("i-0123456789abcdef0").says("worker-2");
    Cloud::Aws.assert_routed(&world, &[0, 1]);
}
