//! Ranges that follow from the number which ends a worker's name.

use super::clouds::{BOTH, Cloud, NODE_LIST};
use super::nodes::{list, nth_node, rangeless};
use crate::cli::world::compute::address;
use crate::cli::world::{Ran, assert_snapshot, transcript};

fn head(cloud: Cloud) -> String {
    cloud.head().replace("10.200.0.0/16\"\n", "10.200.0.0/16\"\nnode-prefix = 24\n")
}

fn worker(name: &str, nth: usize) -> String {
    format!("\n[[worker]]\nname = \"{name}\"\naddress = \"{}\"\n", address(nth))
}

#[test]
fn a_worker_without_a_range_gets_that_of_its_number_whoever_else_is_there() {
    for cloud in BOTH {
        let world = cloud.world(4, "");
        let third = worker("worker-3", 3) + "pod-cidr = \"10.200.9.0/24\"\n";
        world.write("kroutes.toml", head(cloud) + &worker("worker-2", 2) + &worker("worker-0", 0) + &third);
        world.run("apply").code(0);
        assert_eq!(cloud.leads(&world, "10.200.0.0/24").as_deref(), Some("worker-0"));
        assert_eq!(cloud.leads(&world, "10.200.1.0/24"), None);
        assert_eq!(cloud.leads(&world, "10.200.2.0/24").as_deref(), Some("worker-2"));
        assert_eq!(cloud.leads(&world, "10.200.9.0/24").as_deref(), Some("worker-3"));
        world.run("apply").code(0).says("Nothing to change");
        // Another one that comes or goes moves nobody.
        world.write("kroutes.toml", head(cloud) + &worker("worker-1", 1) + &worker("worker-2", 2) + &third);
        world.run("apply --prune --yes").code(0);
        assert_eq!(cloud.leads(&world, "10.200.0.0/24"), None);
        assert_eq!(cloud.leads(&world, "10.200.1.0/24").as_deref(), Some("worker-1"));
        assert_eq!(cloud.leads(&world, "10.200.2.0/24").as_deref(), Some("worker-2"));
    }
}

#[test]
fn a_name_without_a_number_or_with_too_large_a_one_is_a_mistake_in_the_topology() {
    for cloud in BOTH {
        let world = cloud.world(1, "");
        let mut runs: Vec<Ran> = Vec::new();
        for name in ["edge", "worker-256", "worker-99999999999999999999999999999999999999999999"] {
            world.write("kroutes.toml", format!("{}{}", head(cloud), worker(name, 0)));
            runs.push(world.run("apply").code(64));
        }
        world.write("kroutes.toml", head(cloud) + &worker("worker-1", 0) + &worker("w-1", 1));
        runs.push(world.run("apply").code(64));
        assert!(world.lab.calls().is_empty());
        if cloud == Cloud::Aws {
            assert_snapshot("node-prefix", &transcript(&runs));
        }
    }
}

#[test]
fn a_node_without_a_range_gets_that_of_its_number_and_others_keep_theirs() {
    for cloud in BOTH {
        let world = cloud.world(4, NODE_LIST);
        world.write("kroutes.toml", format!("{}{NODE_LIST}", head(cloud)));
        let mut edge = rangeless(nth_node(3));
        edge["metadata"]["name"] = "edge".into();
        world.write("nodes.json", list(&[rangeless(nth_node(0)), nth_node(1), rangeless(nth_node(2))]));
        world.run("apply").code(0);
        cloud.assert_routed(&world, &[0, 1, 2]);
        world.write("nodes.json", list(&[nth_node(1), edge]));
        let run = world.run("apply --prune --yes").code(1);
        run.says("`edge` gets no pod CIDR by `node-prefix`: the name does not end in a number")
            .says("nothing is pruned");
        cloud.assert_routed(&world, &[0, 1, 2]);
    }
}
