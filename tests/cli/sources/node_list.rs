//! The JSON of `kubectl get nodes -o json`, from a file and from standard input.

use serde_json::json;

use super::clouds::{BOTH, Cloud, NODE_LIST};
use super::nodes::{identified, leaving, list, node, node_list, nodes, nth_node, ranged, rangeless};
use crate::cli::world::{Ran, assert_snapshot, transcript};

#[test]
fn the_nodes_of_a_file_get_routes_and_a_second_run_changes_nothing() {
    for cloud in BOTH {
        for text in [list(&nodes(3)), node_list(&nodes(3), ""), json!({"items": nodes(3)}).to_string()] {
            let world = cloud.world(3, NODE_LIST);
            world.write("nodes.json", text);
            world.run("apply").code(0).says("Verdict: as wanted");
            cloud.assert_routed(&world, &[0, 1, 2]);
            world.lab.reset_calls();
            world.run("apply").code(0).says("Nothing to change");
            assert_eq!(world.writes(), 0);
            world.run("verify").code(0);
        }
    }
}

#[test]
fn what_kubectl_prints_of_one_node_is_a_list_of_one() {
    for cloud in BOTH {
        let world = cloud.world(3, NODE_LIST);
        world.write("nodes.json", nth_node(1).to_string());
        world.run("apply").code(0);
        cloud.assert_routed(&world, &[1]);
    }
}

#[test]
fn a_list_can_be_piped_in() {
    for cloud in BOTH {
        let world = cloud.world(3, &NODE_LIST.replace("nodes.json", "-"));
        world.run_with_input("apply", &list(&nodes(3))).code(0).says("Verdict: as wanted");
        cloud.assert_routed(&world, &[0, 1, 2]);
        world.run_with_input("verify", &list(&nodes(3))).code(0);
    }
}

#[test]
fn a_path_begins_at_the_folder_of_the_topology() {
    let world = Cloud::Aws.world(1, "");
    world.write("there/kroutes.toml", format!("{}{NODE_LIST}", Cloud::Aws.head()));
    world.write("there/nodes.json", list(&nodes(1)));
    world.run("apply -f there/kroutes.toml").code(0);
    Cloud::Aws.assert_routed(&world, &[0]);
}

#[test]
fn nodes_that_are_nobodys_fault_are_told_and_their_routes_outlive_pruning() {
    for (cloud, stranger) in [(Cloud::Aws, "azure:///subscriptions/x/vm"), (Cloud::Gcp, "aws:///a/i-0123456789abcdef0")]
    {
        let world = cloud.world(5, NODE_LIST);
        world.write("nodes.json", list(&nodes(4)));
        world.run("apply").code(0);
        // Worker 3 is gone altogether.
        let changed = [nth_node(0), identified(nth_node(1), stranger), leaving(nth_node(2))];
        world.write("nodes.json", list(&changed));
        let run = world.run("apply --prune --yes").code(0);
        run.says(&format!("its id is `{stranger}`")).says("`worker-2` is being deleted");
        cloud.assert_routed(&world, &[0, 1, 2]);
        world.run("apply --prune --yes").code(0).says("Nothing to change");
        world.run("verify").code(0);

        // Worker 4 has just come, and what is stale may be its own.
        world.write("nodes.json", list(&[nth_node(0), nth_node(1), rangeless(nth_node(4))]));
        let run = world.run("apply --prune --yes").code(0);
        run.says("node `worker-4` has no pod CIDR yet").says("nothing is pruned");
        cloud.assert_routed(&world, &[0, 1, 2]);
    }
}

#[test]
fn a_node_whose_range_is_wrong_fails_alone_and_nothing_is_pruned() {
    let bad: [(&[&str], &str); 4] = [
        (&["10.200.1.0/24", "10.200.7.0/24"], "are of one family"),
        (&["10.200.1.9/24"], "`10.200.1.9/24` has host bits set; the range is `10.200.1.0/24`"),
        (&["10.200.1"], "`10.200.1` is not a CIDR range"),
        (&["10.200.1.0/24", "bananas"], "`bananas` is not a CIDR range"),
    ];
    for cloud in BOTH {
        for (ranges, message) in bad {
            let world = cloud.world(4, NODE_LIST);
            world.write("nodes.json", list(&[nth_node(0), nth_node(1)]));
            world.run("apply").code(0);
            world.write("nodes.json", list(&[nth_node(0), ranged(nth_node(1), ranges), nth_node(2)]));
            world.run("plan").code(1).says(message);
            world.run("apply --prune --yes").code(1).says(message);
            cloud.assert_routed(&world, &[0, 1, 2]);
            world.run("verify").code(1).says(message);
        }
    }
}

#[test]
fn a_range_that_cannot_be_told_keeps_every_stale_route() {
    for cloud in BOTH {
        let world = cloud.world(4, NODE_LIST);
        world.write("nodes.json", list(&nodes(3)));
        world.run("apply").code(0);
        world.write("nodes.json", list(&[nth_node(0), ranged(nth_node(1), &["bananas"])]));
        world.run("apply --prune --yes").code(1).says("nothing is pruned");
        let run = world.run("plan --prune -o json").code(1);
        let told = run.json()["findings"].as_array().expect("findings").clone();
        assert!(told.iter().any(|one| one["code"] == "not-pruned" && one["worker"] == "worker-1"), "{run}");
        cloud.assert_routed(&world, &[0, 1, 2]);

        // Half readable is not known.
        world.write("nodes.json", list(&[nth_node(0), ranged(nth_node(1), &["10.200.1.9/24"])]));
        world.run("apply --prune --yes").code(1).says("nothing is pruned");
        cloud.assert_routed(&world, &[0, 1, 2]);

        world.write("nodes.json", list(&nodes(2)));
        world.run("apply --prune --yes").code(0);
        cloud.assert_routed(&world, &[0, 1]);
    }
}

/// kubernetes#29058: two nodes with one pod CIDR.
#[test]
fn two_nodes_with_one_range_are_refused_with_both_names() {
    for cloud in BOTH {
        let world = cloud.world(2, NODE_LIST);
        world.write("nodes.json", list(&[nth_node(0), ranged(nth_node(1), &["10.200.0.0/24"])]));
        let run = world.run("apply").code(1);
        run.says("workers `worker-0` and `worker-1` have the same pod CIDR `10.200.0.0/24`");
        cloud.assert_routed(&world, &[]);
    }
}

/// Each with what is read, and the code.
fn unreadable() -> Vec<(&'static str, String)> {
    let whole = list(&nodes(2));
    let pods = json!({"kind": "List", "items": [{"kind": "Pod", "metadata": {"name": "p"}}]}).to_string();
    vec![
        ("cut short", whole[..whole.len() / 2].to_owned()),
        ("pods", pods),
        ("a list of pods", json!({"kind": "PodList", "items": []}).to_string()),
        ("a deployment", json!({"kind": "Deployment", "metadata": {"name": "d"}, "spec": {"replicas": 1}}).to_string()),
        ("one page", node_list(&nodes(1), "further")),
        ("YAML", "apiVersion: v1\nitems:\n- kind: Node\n".to_owned()),
        ("a table", "NAME       STATUS   ROLES\nworker-0   Ready    <none>\n".to_owned()),
        ("nothing", String::new()),
        ("no JSON", "{\"items\": [}".to_owned()),
        ("a name that no node has", list(&[node("two words", "10.200.0.0/24")])),
    ]
}

#[test]
fn what_is_no_node_list_is_refused_with_what_it_is_and_changes_nothing() {
    for cloud in BOTH {
        let world = cloud.world(2, NODE_LIST);
        world.write("nodes.json", list(&nodes(2)));
        world.run("apply").code(0);
        world.lab.reset_calls();
        let mut runs: Vec<Ran> = Vec::new();
        for (what, text) in unreadable() {
            world.write("nodes.json", text);
            let run = world.run("apply --prune --yes").code(1);
            assert!(run.err.contains("nodes.json"), "{what}: {run}");
            runs.push(run);
        }
        std::fs::remove_file(world.folder().join("nodes.json")).expect("removed");
        runs.push(world.run("apply --prune --yes").code(1));
        std::fs::create_dir(world.folder().join("nodes.json")).expect("a folder");
        runs.push(world.run("plan").code(1));
        runs.push(world.run("plan -o json").code(1));
        assert_eq!(world.lab.calls().values().sum::<u64>(), 0, "the cloud is not even asked");
        cloud.assert_routed(&world, &[0, 1]);
        // What is wrong with a file is the same whatever cloud its nodes are in.
        assert_snapshot("node-list-unreadable", &transcript(&runs));
    }
}

#[test]
fn topology_and_node_list_cannot_both_come_in_by_standard_input() {
    let world = Cloud::Aws.world(1, "");
    let text = format!("{}{}", Cloud::Aws.head(), NODE_LIST.replace("nodes.json", "-"));
    let run = world.run_with_input("apply -f -", &text).code(64);
    assert_snapshot("node-list-stdin-twice", &transcript([&run]));
}

/// deckhouse#13350: node objects vanished for a moment, and all routes were deleted.
#[test]
fn of_an_empty_list_the_plan_is_shown_and_refused_and_only_destroy_goes_on() {
    let mut runs = Vec::new();
    for cloud in BOTH {
        for empty in [Vec::new(), vec![leaving(nth_node(0)), rangeless(nth_node(1))]] {
            let world = cloud.world(2, NODE_LIST);
            world.write("nodes.json", list(&nodes(2)));
            world.run("apply").code(0);
            world.write("nodes.json", list(&empty));
            world.lab.reset_calls();
            let nobody = "found no workers in the node list `nodes.json`";
            runs.push(world.run("plan --prune").code(0).says(nobody).says("kroutes destroy"));
            for words in ["apply", "apply --prune --yes", "apply --prune --yes --max-deletes 100%"] {
                runs.push(world.run(words).code(3).says(nobody).says("kroutes destroy"));
            }
            let run = world.run("apply --prune --yes -o json").code(3);
            assert_eq!(run.json()["refused"][0]["guard"], "no-workers", "{run}");
            assert!(run.json()["refused"][0]["message"].as_str().expect("a text").contains(nobody), "{run}");
            for words in ["verify", "routes", "export"] {
                world.run(words).code(1).says(nobody);
            }
            assert_eq!(world.writes(), 0);
            cloud.assert_routed(&world, &[0, 1]);
            world.run("destroy --yes").code(0);
            cloud.assert_routed(&world, &[]);
        }
    }
    assert_snapshot("guard-no-workers", &transcript(&runs[..4]));
}

/// deckhouse#13350, when not all of them vanish.
#[test]
fn of_a_list_that_is_much_shorter_at_once_the_plan_is_shown_and_refused() {
    for cloud in BOTH {
        let world = cloud.world(10, NODE_LIST);
        world.write("nodes.json", list(&nodes(10)));
        world.run("apply").code(0);
        world.write("nodes.json", list(&nodes(6)));
        world.run("plan --prune").code(0).says("4 to delete").says("say --max-deletes 4");
        world.lab.reset_calls();
        world.run("apply --prune --yes").code(3).says("refused: 4 (40%) of this cluster's 10 routes");
        assert_eq!(world.writes(), 0);
        cloud.assert_routed(&world, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        // Nodes that are there and cannot be used keep their routes, so nothing is to be deleted.
        let drained: Vec<_> = (0..10).map(|nth| if nth < 6 { nth_node(nth) } else { leaving(nth_node(nth)) }).collect();
        world.write("nodes.json", list(&drained));
        world.run("apply --prune --yes").code(0);
        cloud.assert_routed(&world, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        world.write("nodes.json", list(&nodes(6)));
        world.run("apply --prune --yes --max-deletes 4").code(0);
        cloud.assert_routed(&world, &[0, 1, 2, 3, 4, 5]);
    }
}

#[test]
fn where_the_list_cannot_be_read_destroy_removes_nothing() {
    let world = Cloud::Aws.world(2, NODE_LIST);
    world.write("nodes.json", list(&nodes(2)));
    world.run("apply").code(0);
    world.write("nodes.json", "{");
    world.run("destroy --yes").code(1).says("ends in the middle");
    Cloud::Aws.assert_routed(&world, &[0, 1]);
}
