//! `--only`: a part is changed as if there were nothing else, and nothing else is changed, deleted or held against it.

use kroutes_lab::model::{Gateway, Target};
use kroutes_lab::{Fault, FaultKind, Options};

use super::world::{World, assert_snapshot, compute, pod_range, seed, topology, transcript, worker};

/// Which of the first ranges have a route, in either cloud.
fn ranges(world: &World) -> Vec<String> {
    (0..20).map(pod_range).filter(|range| world.holds(range)).collect()
}

fn nth(numbers: &[usize]) -> Vec<String> {
    numbers.iter().copied().map(pod_range).collect()
}

#[test]
fn only_the_route_of_the_worker_that_is_named_is_made() {
    let mut runs = Vec::new();
    for new in [World::of, World::gcp] {
        let world = new(3);
        runs.push(world.run("plan --only worker-1").code(0));
        runs.push(world.run("apply --only worker-1").code(0));
        assert_eq!(ranges(&world), nth(&[1]));
        runs.push(world.run("apply --only worker-1").code(0).says("Nothing to change"));
        world.run("apply --only worker-0 --only 10.200.2.0/24").code(0);
        assert_eq!(ranges(&world), nth(&[0, 1, 2]));
        world.run("verify").code(0);
    }
    assert_snapshot("only", &transcript(&runs));
}

#[test]
fn a_filter_is_never_a_deletion() {
    for new in [World::of, World::gcp] {
        let world = new(4);
        world.run("apply").code(0);
        world.lab.reset_calls();
        world.run("apply --only worker-1 --prune --yes").code(0).says("Nothing to change").says("only worker-1");
        assert_eq!((world.writes(), ranges(&world)), (0, nth(&[0, 1, 2, 3])));
        // Two of the workers are gone from the topology.
        let gcp = std::fs::read_to_string(world.folder().join("kroutes.toml")).expect("text").contains("[gcp]");
        world.write("kroutes.toml", if gcp { compute::topology(2) } else { topology(2) });
        world.run("apply --only worker-1 --prune --yes").code(0);
        assert_eq!(ranges(&world), nth(&[0, 1, 2, 3]));
        world.run("apply --only 10.200.3.0/24 --prune --yes").code(0);
        assert_eq!(ranges(&world), nth(&[0, 1, 2]));
        world.run("apply --only 10.200.0.0/22 --prune --yes").code(0);
        assert_eq!(ranges(&world), nth(&[0, 1]));
        world.run("verify").code(0);
    }
}

#[test]
fn the_old_route_of_a_worker_that_got_another_range_is_outside() {
    let world = World::of(3);
    world.run("apply").code(0);
    world.write("kroutes.toml", topology(2) + &worker(2).replace("10.200.2.0/24", "10.200.12.0/24"));
    world.run("apply --only worker-2 --prune --yes").code(0).says("1 to add, 0 to change, 0 to delete");
    assert_eq!(ranges(&world), nth(&[0, 1, 2, 12]));
    world.run("apply --prune --yes").code(0);
    assert_eq!(ranges(&world), nth(&[0, 1, 12]));
}

#[test]
fn what_is_wrong_elsewhere_is_neither_mended_nor_told_nor_held_against_the_part() {
    // The fourth worker has no instance, the checks of all are on, and the third one's range is somebody else's.
    let world = World::new(&topology(4), seed(3), Options::default());
    let gateway = Target::Gateway(Gateway::Nat, "nat-77".to_owned());
    world.put_route("10.200.2.0/24", gateway);
    let run = world.run("apply --only worker-0 -o json").code(0);
    let answer = run.json();
    assert_eq!(answer["only"], serde_json::json!(["worker-0"]), "{run}");
    assert_eq!(answer["ok"], true, "{run}");
    assert_eq!(answer["unresolved"], serde_json::json!([]), "{run}");
    assert_eq!((&answer["summary"]["fix"], &answer["summary"]["conflict"]), (&1.into(), &0.into()), "{run}");
    assert_eq!(answer["reachability"]["pairs"], 0, "{run}");
    let check = |name: &str| {
        let instance = world.instance(name);
        world.lab.cloud(|cloud| cloud.interfaces_of(&instance)[0].1.source_dest_check)
    };
    assert!(!check("worker-0") && check("worker-1") && check("worker-2"));
    world.run("plan --only worker-0 --detailed-exitcode").code(0).never_says("worker-3");
    world.run("apply --only worker-2 --yes").code(1).says("conflict");
    world.run("apply --only worker-3").code(1).says("worker-3");
    world.run("apply --only worker-1 --take-over --yes").code(0);
    assert_eq!(world.leads("10.200.2.0/24").as_deref(), Some("nat-77"), "nothing outside is taken over");
    world.run("plan").code(1);
}

#[test]
fn whose_a_route_is_still_depends_on_all_workers() {
    let world = World::of(3);
    // No claim yet: that this one is ours follows from worker-2 alone.
    world.put_instance_route("10.200.1.0/24", &world.instance("worker-2"));
    world.run("apply --only worker-1 --yes").code(0).says("wrong next hop");
    assert_eq!(world.leads("10.200.1.0/24").as_deref(), Some("worker-1"));
    assert_eq!(ranges(&world), nth(&[1]));
}

#[test]
fn the_claim_is_of_the_whole_cluster_and_comes_before_the_first_route_all_the_same() {
    let world = World::of(2);
    world.run("apply --only worker-1").code(0);
    assert_eq!(world.tags().get("kroutes/kubernetes").map(String::as_str), Some("10.200.0.0/16"));
    let world = World::new(&topology(2), seed(3), Options::default());
    world.put_instance_route("10.200.99.0/24", &world.instance("worker-2"));
    world.run("apply --only worker-1").code(0).says("no claim is set on this table while `10.200.99.0/24");
    assert_eq!(world.tags().get("kroutes/kubernetes"), None);
    world.tag("kroutes/other", "10.200.0.0/24");
    world.run("apply --only worker-1").code(3).says("kroutes/other");
}

#[test]
fn a_failure_elsewhere_is_none_and_one_of_the_whole_table_is() {
    let world = World::of(3);
    world.run("apply --only worker-1").code(0);
    world.lab.add_fault(Fault::new(FaultKind::Deny).on("DescribeRouteTables"));
    world.run("apply --only worker-1").code(1);
    world.run("plan --only worker-1").code(1);
}

#[test]
fn the_guard_counts_the_part() {
    let world = World::of(12);
    world.run("apply").code(0);
    world.write("kroutes.toml", topology(9));
    world.run("plan --prune").code(0).never_says("refused");
    world.run("apply --prune --yes --only 10.200.8.0/21 --max-deletes 50%").code(3).says("3 (75%)");
    world.run("apply --prune --yes --only 10.200.8.0/21").code(0);
    assert_eq!(ranges(&world), nth(&[0, 1, 2, 3, 4, 5, 6, 7, 8]));
}

#[test]
fn what_cannot_be_meant_is_a_mistake_that_says_what_would_be_right() {
    let world = World::of(3);
    let words = [
        "apply --only wrker-1",
        "apply --only 10.200.1.7/24",
        "apply --only 10.200.1.7",
        "apply --only 10.201.0.0/24",
        "apply --only 10.200.1.0/25",
        "plan --only 0.0.0.0/0 -o json",
        "verify --only worker-1",
        "destroy --only worker-1 --yes",
        "routes --only worker-1",
    ];
    let runs: Vec<_> = words.iter().map(|words| world.run(words).code(64)).collect();
    assert_eq!(world.writes(), 0);
    assert_snapshot("only-mistaken", &transcript(&runs));
}
