//! Who a worker is in the project, and what keeps its packets away although its route is right.

use std::net::Ipv4Addr;

use kroutes_lab::model::compute::Status;
use kroutes_lab::{Seed, SeedMachine, SeedNetwork, SeedSubnetwork};

use crate::cli::world::compute::{HEAD, address, network, options, seed, topology};
use crate::cli::world::{World, assert_snapshot, transcript};

fn key(world: &World, nth: usize) -> String {
    world.lab.cloud(|cloud| cloud.compute.machine_named(&format!("worker-{nth}"))).expect("the VM")
}

/// Workers without addresses.
fn nameless(rows: &[&str]) -> String {
    rows.iter().enumerate().fold(HEAD.to_owned(), |text, (nth, row)| {
        format!("{text}\n[[worker]]\nname = \"worker-{nth}\"\npod-cidr = \"10.200.{nth}.0/24\"\n{row}\n")
    })
}

#[test]
fn a_vm_that_may_not_forward_one_that_is_stopped_and_an_address_nobody_has_are_told_and_clear_the_verdict() {
    let world = World::gcp(4);
    let (deaf, stopped, gone) = (key(&world, 0), key(&world, 1), key(&world, 2));
    world.lab.change(|cloud| {
        cloud.compute.machines.get_mut(&deaf).expect("the VM").can_ip_forward = false;
        cloud.compute.set_status(&stopped, Status::Terminated);
        cloud.compute.delete_machine(&gone);
    });
    let runs = [world.run("plan").code(0), world.run("apply").code(1), world.run("verify").code(2)];
    assert_eq!(runs[1].out.matches("Done: 4 of 4").count(), 1, "{}", runs[1]);
    assert_snapshot("gcp-findings", &transcript(&runs));
}

#[test]
fn a_worker_without_an_address_is_the_vm_of_its_name_or_the_one_that_is_named() {
    let world = World::gcp(4);
    world.write(
        "kroutes.toml",
        nameless(&["", "gcp = { instance = \"worker-3\" }", "gcp = { instance = \"us-west1-a/worker-2\" }"]),
    );
    world.run("apply").code(0);
    let at = |nth| if nth == 1 { address(3) } else { address(nth) };
    world.assert_all_lead(3, at);
    world.run("apply").code(0).says("Nothing to change");
}

#[test]
fn a_worker_that_is_found_nowhere_or_twice_fails_alone() {
    let mut cloud = seed(3);
    let namesake =
        SeedMachine { zone: "us-west1-b".to_owned(), address: Some(address(50)), ..SeedMachine::named("worker-1") };
    cloud.compute[0].machines.push(namesake);
    let world = World::new_gcp(&nameless(&["", "", "", ""]), cloud, options());
    let runs = [world.run("plan").code(1), world.run("apply").code(1), world.run("apply -o json").code(1)];
    assert_eq!(world.to("10.200.0.0/24").len() + world.to("10.200.2.0/24").len(), 2);
    assert!(world.to("10.200.1.0/24").is_empty() && world.to("10.200.3.0/24").is_empty());
    assert_snapshot("gcp-unresolved", &transcript(&runs));
}

/// hetznercloud/hcloud-cloud-controller-manager#470: another machine with the same private address outside the network.
#[test]
fn a_vm_of_the_same_name_and_address_in_another_network_is_no_candidate() {
    let range = "10.240.0.0/16".parse().expect("a range");
    let other = SeedNetwork {
        subnetworks: vec![SeedSubnetwork { name: "other".to_owned(), range, ipv6_range: None }],
        machines: vec![SeedMachine {
            zone: "us-west1-b".to_owned(),
            address: Some(address(0)),
            can_ip_forward: false,
            ..SeedMachine::named("worker-0")
        }],
        ..SeedNetwork::named("other")
    };
    let cloud = Seed { compute: vec![network(2), other], ..Seed::default() };
    let world = World::new_gcp(&topology(2), cloud, options());
    world.run("apply").code(0).says("Verdict: as wanted");
    world.write("kroutes.toml", nameless(&["", ""]));
    world.run("apply").code(0).says("Nothing to change");
}

/// kubernetes/cloud-provider-gcp#482: a pod CIDR inside a subnet was refused only by the API.
#[test]
fn a_pod_cidr_inside_a_subnet_range_is_told_by_the_plan_before_any_write() {
    let mut inside = network(2);
    let range = "10.200.0.0/20".parse().expect("a range");
    inside.subnetworks.push(SeedSubnetwork { name: "pods".to_owned(), range, ipv6_range: None });
    let world = World::new_gcp(&topology(2), Seed { compute: vec![inside], ..Seed::default() }, options());
    let plan = world.run("plan");
    assert_eq!(world.writes(), 0);
    let applied = world.run("apply").code(1);
    assert_snapshot("gcp-inside-a-subnet", &transcript([&plan, &applied]));
}

/// flannel and others: several interfaces on one instance.
#[test]
fn the_interface_inside_the_network_is_the_one_that_counts() {
    let world = World::gcp(1);
    let range = "172.16.0.0/16".parse().expect("a range");
    let worker = key(&world, 0);
    world.lab.change(|cloud| {
        let subnet = cloud.compute.add_subnetwork("us-west1", "other", "other", range, None);
        cloud.compute.add_nic(&worker, &subnet, Ipv4Addr::new(172, 16, 0, 9));
        let nics = &mut cloud.compute.machines.get_mut(&worker).expect("the VM").nics;
        nics.reverse();
    });
    world.write("kroutes.toml", nameless(&[""]));
    world.run("apply").code(0).says("Verdict: as wanted");
    world.assert_all_lead(1, address);
}
