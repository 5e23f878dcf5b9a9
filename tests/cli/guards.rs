//! What is refused although it was asked for: a bad reading looks just like it. The plan is shown, nothing is changed, and
//! what would let it pass is told.

use kroutes_lab::model::compute::Status;
use kroutes_lab::{Fault, FaultKind, Options};

use super::world::{World, assert_snapshot, compute, pod_range, seed, topology, transcript};

const BOTH: [fn(usize) -> World; 2] = [World::of, World::gcp];

/// All that a run could change: tables, tags and checks of the one cloud, the project's routes of the other.
fn picture(world: &World) -> String {
    format!("{}\n{:#?}", world.picture(), world.project_routes())
}

/// The topology of the first so many workers, for the cloud that this one is for.
fn shrink(world: &World, workers: usize) {
    let text = std::fs::read_to_string(world.folder().join("kroutes.toml")).expect("the topology");
    let text = if text.contains("[gcp]") { compute::topology(workers) } else { topology(workers) };
    world.write("kroutes.toml", text);
}

/// How many of the first twelve ranges have a route.
fn routed(world: &World) -> usize {
    (0..12).filter(|nth| world.holds(&pod_range(*nth))).count()
}

/// deckhouse#13350: node objects vanished for a moment, and all routes were deleted.
#[test]
fn a_plan_that_would_lose_too_much_is_shown_and_refused_and_goes_with_the_number_that_is_told() {
    let mut runs = Vec::new();
    for new in BOTH {
        let world = new(12);
        world.run("apply").code(0);
        shrink(&world, 7);
        let before = picture(&world);
        world.lab.reset_calls();
        runs.push(world.run("plan --prune").code(0));
        runs.push(world.run("apply --prune --yes").code(3));
        for words in ["apply --prune --yes --max-deletes 4", "apply --prune --yes --max-deletes 41%", "apply --prune"] {
            world.run(words).code(3).says("refused: 5 (42%) of this cluster's 12 routes");
        }
        world.run("plan --prune --detailed-exitcode").code(2).says("say --max-deletes 5");
        assert_eq!((picture(&world), world.writes()), (before, 0));
        // What is only stale is no loss.
        world.run("apply").code(0);
        world.run("plan --prune --max-deletes 5").code(0).never_says("refused: ");
        world.run("apply --prune --yes --max-deletes 5").code(0).says("Verdict: as wanted");
        assert_eq!(routed(&world), 7);
    }
    assert_snapshot("guard-max-deletes", &transcript(&runs));
}

#[test]
fn in_json_the_guards_stand_beside_the_plan() {
    for new in BOTH {
        let world = new(12);
        world.run("apply").code(0);
        shrink(&world, 7);
        for (words, code) in [("plan --prune -o json", 0), ("apply --prune --yes -o json", 3)] {
            let run = world.run(words).code(code);
            let answer = run.json();
            assert_eq!(answer["summary"]["delete"], 5, "{run}");
            assert_eq!(answer["refused"][0]["guard"], "max-deletes", "{run}");
            assert_eq!(answer["refused"].as_array().map(Vec::len), Some(1), "{run}");
            assert_eq!(answer["refused"][0]["message"], answer["error"]["message"], "{run}");
            let help = answer["refused"][0]["help"].as_str().expect("a help");
            assert!(help.contains("--max-deletes 5"), "{run}");
        }
        assert_eq!(routed(&world), 12);
        let done = world.run("apply --prune --yes --max-deletes 50% -o json").code(0);
        assert!(done.json().get("refused").is_none(), "{done}");
    }
}

#[test]
fn a_limit_that_is_named_holds_for_few_routes_too() {
    let world = World::of(3);
    world.run("apply").code(0);
    shrink(&world, 2);
    world.run("apply --prune --yes --max-deletes 0").code(3).says("1 (34%) of this cluster's 3 routes");
    world.run("apply --prune --yes --max-deletes 10%").code(3).says("at most 0 (10%) may be");
    world.run("apply --prune --yes").code(0);
}

#[test]
fn a_limit_that_is_none_is_refused_with_both_forms() {
    let world = World::of(1);
    for limit in ["half", "101%", "-1", "1.5", "%"] {
        let run = world.run(&format!("apply --max-deletes={limit}")).code(64);
        run.says("such as 5").says("such as 30%");
    }
    world.run("destroy --yes --max-deletes 5").code(64);
    assert!(world.lab.calls().is_empty());
}

#[test]
fn routes_of_machines_that_are_gone_go_without_a_word() {
    let world = World::of(12);
    world.run("apply").code(0);
    for nth in 4..12 {
        let id = world.instance(&format!("worker-{nth}"));
        world.lab.change(|cloud| cloud.terminate(&id));
    }
    shrink(&world, 4);
    world.run("apply --prune --yes").code(0).says("8 to delete");
    assert_eq!(routed(&world), 4);
}

#[test]
fn machines_that_are_stopped_count_as_there_in_both_clouds() {
    for new in BOTH {
        let world = new(12);
        world.run("apply").code(0);
        for nth in 2..12 {
            let name = format!("worker-{nth}");
            world.lab.change(|cloud| {
                if let Some(key) = cloud.compute.machine_named(&name) {
                    cloud.compute.set_status(&key, Status::Terminated);
                } else {
                    let id = cloud.instance_named(&name).expect("an instance");
                    cloud.set_life(&id, kroutes_lab::model::Life::Stopped).expect("it stops");
                }
            });
        }
        shrink(&world, 2);
        let before = picture(&world);
        world.run("plan --prune").code(0).says("refused: 10 (84%) of this cluster's 12 routes").says("10 to delete");
        world.run("apply --prune --yes").code(3);
        assert_eq!(picture(&world), before);
        world.run("apply --prune --yes --max-deletes 10").code(0);
        assert_eq!(routed(&world), 2);
    }
}

#[test]
fn on_google_cloud_routes_of_machines_that_are_gone_go_without_a_word() {
    let world = World::gcp(12);
    world.run("apply").code(0);
    world.lab.change(|cloud| {
        for nth in 2..12 {
            let key = cloud.compute.machine_named(&format!("worker-{nth}")).expect("a machine");
            cloud.compute.machines.remove(&key);
        }
    });
    shrink(&world, 2);
    world.run("apply --prune --yes").code(0).says("10 to delete");
    assert_eq!(routed(&world), 2);
}

/// What a second cluster of the same name does to the first.
#[test]
fn replacing_most_routes_that_lead_somewhere_is_refused() {
    let world = World::of(12);
    world.run("apply").code(0);
    for nth in 0..4 {
        world.lead(&pod_range(nth), "worker-11");
    }
    let before = picture(&world);
    world.run("apply --yes").code(3).says("4 (34%) of this cluster's 12 routes");
    assert_eq!(picture(&world), before);
    world.run("apply --yes --max-deletes 4").code(0);
    world.assert_all_routed(12);
}

#[test]
fn destroying_asks_no_guard() {
    for new in BOTH {
        let world = new(12);
        world.run("apply").code(0);
        world.run("destroy --yes").code(0);
        assert_eq!(routed(&world), 0);
    }
}

#[test]
fn nothing_is_deleted_while_a_look_up_fails_and_the_rest_is_done_without_pruning() {
    let world = World::new(&topology(3), seed(5), Options::default());
    world.run("apply").code(0);
    world.put_instance_route("10.200.77.0/24", &world.instance("worker-4"));
    shrink(&world, 4);
    let before = picture(&world);
    // The workers are found; who is behind the other route is not.
    world.lab.add_fault(Fault::new(FaultKind::Deny).on("DescribeInstances").after(1).times(1));
    let refused = world.run("apply --prune --yes --max-deletes 100%").code(3);
    assert_eq!(picture(&world), before);
    world.lab.clear_faults();
    world.lab.add_fault(Fault::new(FaultKind::Deny).on("DescribeInstances").after(1).times(1));
    let planned = world.run("plan --prune -o json").code(1);
    assert_eq!(planned.json()["refused"][0]["guard"], "incomplete-listing", "{planned}");
    world.lab.clear_faults();
    world.lab.add_fault(Fault::new(FaultKind::Deny).on("DescribeInstances").after(1).times(1));
    world.run("apply").code(1).says("1 to add").never_says("nothing was changed");
    world.assert_all_routed(4);
    world.lab.clear_faults();
    world.run("apply --prune --yes").code(0);
    assert_eq!(world.leads("10.200.77.0/24"), None);
    assert_snapshot("guard-incomplete-listing", &transcript([&refused]));
}

#[test]
fn a_topology_without_workers_and_without_a_source_is_a_mistake_and_no_plan() {
    let world = World::of(2);
    world.run("apply").code(0);
    world.write("kroutes.toml", super::world::HEAD);
    world.run("apply --prune --yes").code(64);
    world.assert_all_routed(2);
}
