//! Which instance a worker is, and what becomes of the others when one cannot be told.

use std::collections::BTreeMap;

use kroutes_lab::model::{Life, Subnet, Vpc};
use kroutes_lab::{Options, SeedInstance};

use super::world::{World, assert_snapshot, seed, topology, transcript, worker};

#[test]
fn a_worker_that_has_no_instance_fails_alone() {
    let world = World::new(&topology(4), seed(3), Options::default());
    let runs = [
        world.run("plan").code(1),
        world.run("apply").code(1),
        world.run("apply").code(1),
        world.run("verify").code(1),
        world.run("routes").code(1),
        world.run("destroy --yes").code(0),
    ];
    assert_snapshot("worker-without-instance", &transcript(&runs));
}

#[test]
fn a_worker_that_has_no_instance_keeps_its_route_and_is_data_in_json() {
    let world = World::of(3);
    world.run("apply").code(0);
    let gone = world.instance("worker-1");
    world.lab.change(|cloud| {
        cloud.instances.get_mut(&gone).expect("the instance").tags.insert("Name".to_owned(), "renamed".to_owned());
    });
    let run = world.run("apply --prune --yes -o json").code(1);
    assert_eq!(run.json()["unresolved"][0]["worker"], "worker-1", "{run}");
    assert_eq!(run.json()["unresolved"][0]["error"]["kind"], "not-found", "{run}");
    assert_eq!(world.leads("10.200.1.0/24").as_deref(), Some("renamed"), "nothing is deleted for a failed look-up");
}

#[test]
fn a_name_that_several_instances_bear_is_refused_with_all_candidates() {
    let mut cloud = seed(3);
    cloud.instances.push(SeedInstance::named("worker-1"));
    let world = World::new(&topology(3), cloud, Options::default());
    let run = world.run("apply").code(1);
    let namesakes: Vec<String> = world.lab.cloud(|cloud| {
        let bear = cloud.instances.iter().filter(|(_, it)| it.tags.get("Name").is_some_and(|name| name == "worker-1"));
        bear.map(|(id, _)| id.clone()).collect()
    });
    assert_eq!(namesakes.len(), 2);
    for id in &namesakes {
        assert!(run.err.contains(id) || run.out.contains(id), "{id} is not in {run}");
    }
    assert_eq!(world.leads("10.200.0.0/24").as_deref(), Some("worker-0"));
    assert_eq!(world.leads("10.200.1.0/24"), None);
    assert_snapshot("ambiguous-instance", &transcript([&run]));
}

#[test]
fn a_terminated_namesake_is_no_candidate() {
    let mut cloud = seed(3);
    cloud.instances.push(SeedInstance::named("worker-1"));
    let world = World::new(&topology(3), cloud, Options::default());
    let first = world.instance("worker-1");
    world.lab.change(|cloud| cloud.terminate(&first));
    world.run("apply").code(0);
    assert_eq!(world.leads("10.200.1.0/24").as_deref(), Some("worker-1"));
}

/// hetznercloud/hcloud-cloud-controller-manager#470: a machine outside the network was taken for the node.
#[test]
fn a_namesake_in_another_vpc_is_another_machine() {
    let world = World::of(3);
    world.lab.change(|cloud| {
        let ranges = vec!["10.240.0.0/16".parse().expect("a range")];
        let vpc = cloud.add_vpc(None, Vpc { cidrs: ranges, ..Vpc::default() });
        let cidr = "10.240.0.0/24".parse().expect("a range");
        let zone = "us-west-2a".to_owned();
        let subnet = cloud.add_subnet(None, Subnet { vpc, cidr, ipv6_cidr: None, zone, tags: BTreeMap::new() });
        let tags = [("Name".to_owned(), "worker-1".to_owned())].into();
        cloud.launch(kroutes_lab::model::Launch { subnet, tags, ..Default::default() }).expect("a machine");
    });
    world.run("apply").code(0);
    world.run("apply").code(0).says("Nothing to change");
}

/// kubernetes/kubernetes#92783, flannel-io/flannel#447, aws-custom-route-controller#484: EC2 refuses the instance id.
#[test]
fn an_instance_with_several_interfaces_is_reached_by_its_primary_one() {
    let world = World::of(3);
    let instance = world.instance("worker-1");
    world.lab.change(|cloud| cloud.add_interface(&instance)).expect("a second interface");
    let primary = world.lab.cloud(|cloud| cloud.interfaces_of(&instance)[0].0.to_owned());
    world.run("apply").code(0);
    assert_eq!(world.leads("10.200.1.0/24"), Some(primary.clone()));
    let check = |id: &str| world.lab.cloud(|cloud| cloud.interfaces.get(id).expect("the interface").source_dest_check);
    assert!(!check(&primary));
    world.run("apply").code(0).says("Nothing to change");
    world.run("destroy --yes").code(0);
    assert_eq!(world.leads("10.200.1.0/24"), None);
}

/// Names that differ from the cloud's made routes come and go for ever (kubernetes/kops#13376, kubernetes#52398).
#[test]
fn an_instance_given_by_id_or_by_another_name_is_that_instance() {
    let world = World::of(3);
    let text = topology(1)
        + &worker(1).replace("worker-1", "node-1")
        + "aws = { instance = { name = \"worker-1\" } }\n"
        + &worker(2).replace("worker-2", "node-2")
        + &format!("aws = {{ instance = \"{}\" }}\n", world.instance("worker-2"));
    world.write("kroutes.toml", text);
    world.run("apply").code(0);
    world.assert_all_routed(3);
    world.run("apply").code(0).says("Nothing to change");
}

#[test]
fn a_machine_that_does_not_run_is_an_error_although_its_route_is_there() {
    let world = World::of(3);
    world.run("apply").code(0);
    let stopped = world.instance("worker-1");
    world.lab.change(|cloud| cloud.set_life(&stopped, Life::Stopped)).expect("the instance");
    let verdict = world.run("verify").code(2);
    let applied = world.run("apply --yes").code(1);
    assert_snapshot("stopped-instance", &transcript([&verdict, &applied]));
}

#[test]
fn a_check_that_is_to_be_left_alone_is_left_and_still_told_as_an_error() {
    let world = World::of(2);
    let text = topology(2).replace("[aws]\n", "[aws]\nsource-dest-check = \"leave\"\n");
    world.write("kroutes.toml", text);
    let applied = world.run("apply").code(1);
    assert_eq!(world.calls("ModifyInstanceAttribute"), 0);
    world.assert_all_routed(2);
    let verdict = world.run("verify").code(2);
    assert_snapshot("check-left", &transcript([&applied, &verdict]));
}

#[test]
fn a_check_that_came_back_on_is_switched_off_again() {
    let world = World::of(2);
    world.run("apply").code(0);
    let instance = world.instance("worker-1");
    world.lab.change(|cloud| cloud.set_source_dest_check(&instance, true)).expect("one interface");
    world.run("plan --detailed-exitcode").code(2);
    world.run("verify").code(2);
    world.lab.reset_calls();
    world.run("apply").code(0);
    assert_eq!(world.writes(), 1);
    world.run("verify").code(0);
}
