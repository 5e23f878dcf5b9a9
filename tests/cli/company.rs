//! Not alone: two runs at once, and two topologies in one table or network.
//!
//! What is promised: nobody's routes are lost or fought over, and whoever cannot have what he asked for is told, by his
//! exit code too. Runs that start together may each find a write already done by the other; that is no failure.

use std::process::{Command, Output};

use kroutes_lab::model::compute::Hop;

use super::world::{self, World, compute, pod_range};

/// How often what hangs on chance is tried.
const ROUNDS: usize = 5;

/// Starts these together and waits for their ends.
fn together(commands: Vec<Command>) -> Vec<Output> {
    let children: Vec<_> = commands.into_iter().map(|mut it| it.spawn().expect("the binary starts")).collect();
    children.into_iter().map(|child| child.wait_with_output().expect("an end")).collect()
}

fn text(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{out}--- stderr\n{err}--- exit {:?}", output.status.code())
}

/// The same with another name, and with its ranges moved there: `10.201.`.
fn named(topology: &str, name: &str, prefix: &str) -> String {
    topology.replacen("name = \"kubernetes\"", &format!("name = \"{name}\""), 1).replace("10.200.", prefix)
}

/// Every run must be right, or say why not; and afterwards there must be nothing left to do.
fn two_runs_at_once(world: &World, words: &str, allowed: &[i32]) {
    let ended = together(vec![world.command(words), world.command(words)]);
    for output in &ended {
        let code = output.status.code().expect("a code");
        assert!(allowed.contains(&code), "{}", text(output));
        // A failure that is not told is none.
        assert!(code == 0 || text(output).contains('!') || text(output).contains("error"), "{}", text(output));
        assert!(!text(output).contains("panicked"), "{}", text(output));
    }
}

#[test]
fn two_runs_of_one_topology_at_once_on_ec2_want_the_same_and_get_it() {
    for _ in 0..ROUNDS {
        let world = World::of(12);
        two_runs_at_once(&world, "apply", &[0]);
        world.assert_all_routed(12);
        world.lab.reset_calls();
        world.run("apply").code(0).says("Nothing to change");
        assert_eq!(world.writes(), 0);
        two_runs_at_once(&world, "destroy --yes", &[0]);
        assert!((0..12).all(|nth| world.leads(&pod_range(nth)).is_none()));
        assert!(!world.tags().contains_key("kroutes/kubernetes"));
    }
}

#[test]
fn two_runs_of_one_topology_at_once_on_google_cloud_want_the_same_and_get_it() {
    for _ in 0..ROUNDS {
        let world = World::gcp(12);
        two_runs_at_once(&world, "apply", &[0]);
        world.assert_all_lead(12, compute::address);
        world.lab.reset_calls();
        world.run("apply").code(0).says("Nothing to change");
        assert_eq!(world.writes(), 0);
        two_runs_at_once(&world, "destroy --yes", &[0]);
        assert!((0..12).all(|nth| world.to(&pod_range(nth)).is_empty()));
    }
}

/// An apply and a destroy of one topology cannot both have their way; each says how it found things in the end.
#[test]
fn an_apply_beside_a_destroy_ends_truthfully_and_the_next_run_settles_it() {
    for round in 0..2 {
        for (cloud, world) in [("ec2", World::of(12)), ("google", World::gcp(12))] {
            if round % 2 == 0 {
                world.run("apply").code(0);
            }
            let ended = together(vec![
                // Whose routes are taken away would look for them for two minutes.
                world.command("apply -o json --timeout 10s"),
                world.command("destroy --yes -o json"),
            ]);
            for output in &ended {
                assert!(matches!(output.status.code(), Some(0 | 1)), "{cloud} {round}: {}", text(output));
                assert!(!text(output).contains("panicked"), "{cloud} {round}: {}", text(output));
            }
            world.run("apply --yes").code(0);
            world.run("verify").code(0);
            world.run("destroy --yes").code(0);
        }
    }
}

/// Two clusters whose ranges do not touch, three rounds in turn; neither changes what is the other's.
fn share(world: &World, pods: &str) {
    world.write("second.toml", pods);
    world.run("apply").code(0);
    world.run("apply -f second.toml").code(0);
    for _ in 0..3 {
        world.lab.reset_calls();
        world.run("apply --prune --yes").code(0).says("Nothing to change");
        world.run("apply --prune --yes -f second.toml").code(0).says("Nothing to change");
        assert_eq!(world.writes(), 0, "{:?}", world.lab.calls());
    }
    world.run("destroy --yes").code(0);
    world.run("verify -f second.toml").code(0);
}

#[test]
fn two_clusters_in_one_table_whose_ranges_do_not_touch_leave_each_other_alone() {
    let world = World::of(4);
    share(&world, &named(&world::topology(4), "second", "10.201."));
}

#[test]
fn two_clusters_in_one_network_whose_ranges_do_not_touch_leave_each_other_alone() {
    let world = World::gcp(4);
    share(&world, &named(&compute::topology(4), "second", "10.201."));
}

#[test]
fn two_clusters_that_start_together_in_one_table_or_network_both_get_what_they_want() {
    for _ in 0..ROUNDS {
        for (world, text_of_second) in [
            (World::of(6), named(&world::topology(6), "second", "10.201.")),
            (World::gcp(6), named(&compute::topology(6), "second", "10.201.")),
        ] {
            world.write("second.toml", text_of_second);
            for output in together(vec![world.command("apply"), world.command("apply -f second.toml")]) {
                assert_eq!(output.status.code(), Some(0), "{}", text(&output));
            }
            world.run("verify").code(0);
            world.run("verify -f second.toml").code(0);
        }
    }
}

#[test]
fn a_second_cluster_whose_range_overlaps_is_refused_on_ec2_and_told_by_whom() {
    let world = World::of(4);
    world.write("second.toml", world::topology(4).replacen("\"kubernetes\"", "\"second\"", 1));
    world.run("apply").code(0);
    let before = world.picture();
    for _ in 0..3 {
        for words in ["apply", "apply --prune --take-over --yes", "destroy --yes"] {
            world.run(&format!("{words} -f second.toml")).code(3).says("kubernetes").says("second");
        }
        world.run("apply").code(0).says("Nothing to change");
    }
    assert_eq!(world.picture(), before);
}

/// A second cluster on Google Cloud whose workers stand elsewhere, in the same range.
#[test]
fn a_second_cluster_whose_range_overlaps_is_told_of_each_conflict_on_google_cloud() {
    let world = World::gcp(8);
    world.write("kroutes.toml", compute::topology(4));
    let other = (0..4).fold(compute::HEAD.replacen("\"kubernetes\"", "\"second\"", 1), |text, nth| {
        text + &compute::worker_at(nth, compute::address(nth + 4))
    });
    world.write("second.toml", other);
    world.run("apply").code(0);
    let before = world.project_routes();
    for _ in 0..3 {
        world.run("apply --prune --yes -f second.toml").code(1).says("conflict").says("does not carry our mark");
        world.run("apply --prune --yes").code(0).says("Nothing to change");
        world.run("destroy --yes -f second.toml").code(0);
    }
    assert_eq!(world.project_routes(), before);
    world.assert_all_lead(4, compute::address);
}

#[test]
fn a_cluster_of_our_name_with_quite_other_ranges_is_refused_on_ec2_and_foreign_on_google_cloud() {
    let world = World::of(4);
    world.write("second.toml", world::topology(4).replace("10.200.", "10.201."));
    world.run("apply").code(0);
    let before = world.picture();
    world.run("apply -f second.toml").code(3).says("kubernetes");
    world.run("destroy --yes -f second.toml").code(3);
    assert_eq!(world.picture(), before);

    let world = World::gcp(4);
    share(&world, &compute::topology(4).replace("10.200.", "10.201."));
}

/// Nothing tells two clusters apart that share name, range and table. Neither loses a route without `--prune`, and then the
/// guard asks first where there is much to lose.
#[test]
fn two_topologies_of_one_name_and_range_take_each_others_routes_for_stale_and_tell() {
    let half = |head: &str, worker: &dyn Fn(usize) -> String, range: std::ops::Range<usize>| {
        range.fold(head.to_owned(), |text, nth| text + &worker(nth))
    };
    let on_gcp = |nth| compute::worker_at(nth, compute::address(nth));
    let rows = [
        (World::of(24), half(world::HEAD, &world::worker, 0..12), half(world::HEAD, &world::worker, 12..24)),
        (World::gcp(24), half(compute::HEAD, &on_gcp, 0..12), half(compute::HEAD, &on_gcp, 12..24)),
    ];
    for (world, first, second) in rows {
        world.write("kroutes.toml", first);
        world.write("second.toml", second);
        world.run("apply").code(0);
        world.run("apply -f second.toml").code(0).says("12 stale");
        for _ in 0..3 {
            world.lab.reset_calls();
            world.run("apply").code(0).says("12 stale");
            world.run("apply -f second.toml").code(0).says("12 stale");
            // Half of what is taken for ours would go: more than the guard lets pass.
            world.run("apply --prune --yes").code(3).says("--max-deletes");
            assert_eq!(world.writes(), 0, "{:?}", world.lab.calls());
        }
        world.run("verify").code(0);
        world.run("verify -f second.toml").code(0);
    }
}

/// The same destination for two workers: the last run wins, and each run says what it replaces.
#[test]
fn two_topologies_of_one_name_that_want_a_range_for_different_workers_are_seen_as_a_change() {
    let world = World::gcp(2);
    world.write("kroutes.toml", compute::HEAD.to_owned() + &compute::worker_at(0, compute::address(0)));
    world.write("second.toml", compute::HEAD.to_owned() + &compute::worker_at(0, compute::address(1)));
    world.run("apply").code(0);
    world.run("apply -f second.toml").code(3);
    assert_eq!(world.to(&pod_range(0))[0].1.hop, Hop::Address(compute::address(0).into()));
    world.run("apply --yes -f second.toml").code(0).says("wrong next hop");
    assert_eq!(world.to(&pod_range(0))[0].1.hop, Hop::Address(compute::address(1).into()));
    world.run("verify").code(2);
}
