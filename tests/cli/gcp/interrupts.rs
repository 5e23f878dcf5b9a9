//! Stopped in the middle, politely and otherwise, while operations are under way that nobody can call back.

use std::time::Duration;

use kroutes_lab::{Fault, FaultKind, Options};

use crate::cli::world::compute::{HEAD, MARK, address, options, seed, topology, via, worker_at};
use crate::cli::world::{World, pod_range, signal, wait_for};

fn slow(workers: usize, operation: u64) -> World {
    let options = Options { operation_delay: Duration::from_millis(operation), ..options() };
    World::new_gcp(&topology(workers), seed(workers), options)
}

fn kill(world: &World, words: &str, after: u64) {
    world.lab.reset_calls();
    let mut child = world.command(words).spawn().expect("it starts");
    wait_for(world, &mut child, |world| world.lab.calls().values().sum::<u64>() >= after);
    // It may have ended by itself meanwhile.
    let _gone = child.kill();
    child.wait().expect("an end");
}

/// deckhouse/deckhouse#14215: a restart in the middle of the work left routes that blocked new ones.
#[test]
fn killed_anywhere_in_an_apply_or_a_destroy_the_next_run_converges() {
    const WORKERS: usize = 6;
    let world = slow(WORKERS, 40);
    world.put_beside("by-hand", "10.200.99.0/24", via(address(0)), "");
    let before = world.project_routes();
    // An apply makes 3 reads, 6 inserts, some looks at operations and a read; a destroy a read before each deletion.
    for point in [4, 5, 7, 9, 10, 11] {
        kill(&world, "apply", point);
        world.run("apply").code(0);
        world.assert_all_lead(WORKERS, address);
        assert_eq!(world.project_routes().len(), before.len() + WORKERS, "killed at {point}");
        world.run("apply --prune --yes").code(0).says("Nothing to change");
        kill(&world, "destroy --yes", point + 3);
        world.run("destroy --yes").code(0);
        assert_eq!(world.project_routes(), before, "killed at {point}");
    }
}

#[test]
fn killed_anywhere_in_a_replacement_the_next_run_leaves_one_route_and_never_had_none() {
    const WORKERS: usize = 4;
    // 3 reads; then for each worker a read of the old route, an insert, looks, another read, a deletion and looks.
    for point in [4, 7, 8, 10, 12, 14, 16, 18] {
        let world = slow(WORKERS, 40);
        world.run("apply").code(0);
        let other = |nth| address(nth + 100);
        let text: String = (0..WORKERS).map(|nth| worker_at(nth, other(nth))).collect();
        world.write("kroutes.toml", HEAD.to_owned() + &text);
        (0..WORKERS).for_each(|nth| world.move_worker(nth, other(nth)));
        let watch = world.watch();
        kill(&world, "apply --yes", point);
        world.run("apply --yes").code(0);
        world.assert_all_lead(WORKERS, other);
        world.assert_never_without(watch);
        world.run("apply --prune --yes").code(0).says("Nothing to change");
    }
}

#[test]
fn an_interrupted_apply_follows_what_it_began_to_the_end_and_skips_the_rest() {
    const WORKERS: usize = 500;
    // More workers than may be asked for at once: the gate's bucket holds some back, and there it is interrupted.
    let world = slow(WORKERS + 40, 1500);
    let mut child = world.command("apply -o json").spawn().expect("it starts");
    wait_for(&world, &mut child, |world| world.calls("routes.insert") >= 100);
    signal(&child, "INT");
    let end = child.wait_with_output().expect("an end");
    let said = String::from_utf8_lossy(&end.stderr).into_owned();
    assert_eq!(end.status.code(), Some(130), "{said}");
    let report: serde_json::Value = serde_json::from_slice(&end.stdout).expect("a report");
    assert_eq!(report["interrupted"], true);
    let changes = report["tables"][0]["changes"].as_array().expect("changes");
    let with = |outcome: &str| -> Vec<&str> {
        let having = changes.iter().filter(|change| change["outcome"] == outcome);
        having.filter_map(|change| change["destination"].as_str()).collect()
    };
    assert!(with("done").len() >= 100 && !with("skipped").is_empty(), "{}", report["summary"]);
    assert_eq!(with("done").len() + with("skipped").len(), WORKERS + 40, "{}", report["summary"]);
    for nth in 0..WORKERS + 40 {
        let range = pod_range(nth);
        assert_eq!(!world.to(&range).is_empty(), with("done").contains(&range.as_str()), "{range}");
    }
}

#[test]
fn a_second_interrupt_does_not_wait_for_an_operation_that_never_ends() {
    let world = World::gcp(3);
    world.lab.add_fault(Fault::new(FaultKind::OperationStuck).on("routes.insert"));
    let mut child = world.command("apply").spawn().expect("it starts");
    wait_for(&world, &mut child, |world| world.calls("routes.insert") >= 3);
    signal(&child, "INT");
    let mut waited = 0;
    // The first one is answered on stderr; the second follows once the program had its chance to be told.
    while child.try_wait().expect("a child").is_none() {
        std::thread::sleep(Duration::from_millis(200));
        waited += 1;
        if waited % 2 == 0 {
            signal(&child, "INT");
        }
        assert!(waited < 200, "it never ends");
    }
    assert_eq!(child.wait().expect("an end").code(), Some(130));
}

#[test]
fn two_runs_at_once_do_not_undo_each_other() {
    let world = slow(10, 40);
    let children = [0, 1, 2].map(|_| world.command("apply").spawn().expect("it starts"));
    for child in children {
        let end = child.wait_with_output().expect("an end");
        assert_eq!(end.status.code(), Some(0), "{}", String::from_utf8_lossy(&end.stdout));
    }
    world.assert_all_lead(10, address);
    assert!(world.to(&pod_range(0)).iter().all(|(_, route)| route.description == MARK));
    world.run("apply --prune --yes").code(0).says("Nothing to change");
}
