//! How many calls a command costs, counted by the cloud that is called.

use std::collections::BTreeMap;

use kroutes_lab::Options;

use super::world::{World, seed, topology};

fn calls(rows: &[(&str, u64)]) -> BTreeMap<String, u64> {
    rows.iter().map(|(action, count)| ((*action).to_owned(), *count)).collect()
}

/// So many workers in a table that holds them. Nothing is metered: 450 writes would take 80 seconds at the
/// published rate, so what is counted beyond 50 workers are only reads.
fn world(workers: usize) -> World {
    let options = Options { routes_limit: 1000, ..Options::default() };
    World::new(&topology(workers).replace("[aws]\n", "[aws]\nroutes-limit = 1000\n"), seed(workers), options)
}

/// What an apply would have made, made behind its back.
fn done(world: &World, workers: usize) {
    for nth in 0..workers {
        let instance = world.instance(&format!("worker-{nth}"));
        world.put_instance_route(&super::world::pod_range(nth), &instance);
        world.lab.change(|cloud| cloud.set_source_dest_check(&instance, false)).expect("one interface");
    }
    world.tag("kroutes/kubernetes", "10.200.0.0/16");
}

#[test]
fn a_cold_apply_costs_its_reads_its_writes_one_tag_and_one_reading_back() {
    let world = world(40);
    let report = world.run("apply -o json").code(0).json();
    let expected = calls(&[
        ("CreateRoute", 40),
        ("CreateTags", 1),
        ("DescribeInstances", 1),
        ("DescribeRouteTables", 2),
        ("ModifyInstanceAttribute", 40),
    ]);
    assert_eq!(world.lab.calls(), expected);
    assert_eq!(report["summary"]["api-calls"], serde_json::to_value(expected).expect("numbers"));
    assert!(world.lab.throttled().is_empty());
}

#[test]
fn a_run_that_has_nothing_to_do_costs_one_listing_of_tables_and_one_of_instances_per_two_hundred_workers() {
    for (workers, listings) in [(3, 1), (200, 1), (201, 2), (450, 3)] {
        let world = world(workers);
        done(&world, workers);
        let expected = calls(&[("DescribeInstances", listings), ("DescribeRouteTables", 1)]);
        for words in ["apply", "verify", "plan", "routes"] {
            world.lab.reset_calls();
            world.run(words).code(0);
            assert_eq!(world.lab.calls(), expected, "{words} with {workers} workers");
        }
    }
}

#[test]
fn foreign_instances_in_the_range_cost_one_listing_more() {
    let world = World::new(&topology(3), seed(6), Options::default());
    for nth in 3..6 {
        world.put_instance_route(&format!("10.200.{nth}.0/24"), &world.instance(&format!("worker-{nth}")));
    }
    world.run("verify").code(2);
    assert_eq!(world.lab.calls(), calls(&[("DescribeInstances", 2), ("DescribeRouteTables", 1)]));
}

#[test]
fn a_destroy_costs_its_reads_its_deletions_one_tag_and_one_reading_back() {
    let world = world(40);
    done(&world, 40);
    world.run("destroy --yes").code(0);
    let expected =
        calls(&[("DeleteRoute", 40), ("DeleteTags", 1), ("DescribeInstances", 1), ("DescribeRouteTables", 2)]);
    assert_eq!(world.lab.calls(), expected);
}
