//! `node-prefix`: ranges by the number that ends a worker's name.

use crate::stand_in::{load_text, load_with, said};

fn text(node_prefix: &str, workers: &str) -> String {
    format!("[cluster]\nname = \"k\"\npod-cidr = \"10.200.0.0/16\"\nnode-prefix = {node_prefix}\n\n{workers}")
}

fn worker(rest: &str) -> String {
    format!("[[worker]]\n{rest}\n")
}

fn ranges(text: &str) -> Vec<String> {
    let topology = load_text(text).expect("loads").topology_for("aws").expect("topology");
    topology.ranges().map(|(worker, cidr)| format!("{} {cidr}", worker.name)).collect()
}

#[test]
fn the_number_that_ends_a_workers_name_picks_its_range() {
    let workers = worker("name = \"worker-2\"") + &worker("name = \"worker0\"");
    assert_eq!(ranges(&text("24", &workers)), ["worker-2 10.200.2.0/24", "worker0 10.200.0.0/24"]);
    let two = text("[24, 64]", &workers).replace("\"10.200.0.0/16\"", "[\"10.200.0.0/16\", \"fd00:10:200::/48\"]");
    assert_eq!(
        ranges(&two),
        ["worker-2 10.200.2.0/24", "worker-2 fd00:10:200:2::/64", "worker0 10.200.0.0/24", "worker0 fd00:10:200::/64"]
    );
}

#[test]
fn a_range_of_a_workers_own_wins() {
    let workers = worker("name = \"worker-2\"\npod-cidr = \"10.200.9.0/24\"")
        + &worker("name = \"edge\"\npod-cidr = \"10.200.7.0/25\"");
    assert_eq!(ranges(&text("24", &workers)), ["worker-2 10.200.9.0/24", "edge 10.200.7.0/25"]);
}

#[test]
fn a_worker_without_a_number_or_with_too_large_a_one_is_told() {
    let workers = worker("name = \"edge\"") + &worker("name = \"worker-256\"");
    assert_eq!(
        said(load_text(&text("24", &workers))),
        "\
error: `edge` gets no pod CIDR by `node-prefix`: the name does not end in a number
 --> kroutes.toml:7:8
  |
7 | name = \"edge\"
  |        ^^^^^^
  |
  = help: give it a pod CIDR of its own, or a name such as `worker-0`

error: `worker-256` gets no pod CIDR by `node-prefix`: `10.200.0.0/16` has 256 ranges of length 24, counted from 0, and none of number 256
 --> kroutes.toml:9:8
  |
9 | name = \"worker-256\"
  |        ^^^^^^^^^^^^
  |
  = help: give it a pod CIDR of its own, or a smaller number
"
    );
}

#[test]
fn two_names_with_one_number_are_told_at_the_name() {
    let workers = worker("name = \"worker-2\"") + &worker("name = \"node-2\"");
    assert_eq!(
        said(load_text(&text("24", &workers))),
        "\
error: workers `worker-2` and `node-2` have the same pod CIDR `10.200.2.0/24`
 --> kroutes.toml:9:8
  |
9 | name = \"node-2\"
  |        ^^^^^^^^
"
    );
}

#[test]
fn a_length_that_does_not_fit_is_told_where_it_stands() {
    let workers = worker("name = \"worker-2\"");
    assert_eq!(
        said(load_text(&text("12", &workers))),
        "\
error: a worker's range of length 12 does not fit into `10.200.0.0/16`; 16 to 32 do
 --> kroutes.toml:4:15
  |
4 | node-prefix = 12
  |               ^^
"
    );
    let place = |node_prefix: &str| {
        said(load_text(&text(node_prefix, &workers))).lines().take(2).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        place("[24, 64]"),
        "error: `node-prefix` has 2 lengths for `10.200.0.0/16`; each pod CIDR of the cluster has a length of its own\n \
         --> kroutes.toml:4:15"
    );
    assert_eq!(
        place("[33]"),
        "error: a worker's range of length 33 does not fit into `10.200.0.0/16`; 16 to 32 do\n --> kroutes.toml:4:16"
    );
    assert_eq!(
        place("\"24\""),
        "error: expected a prefix length such as `24`, or a list of them, found the string `24`\n --> kroutes.toml:4:15"
    );
    assert_eq!(
        place("300"),
        "error: expected a prefix length such as `24`, or a list of them, found the number `300`\n --> kroutes.toml:4:15"
    );
    assert_eq!(place("[true]"), "error: expected a whole number from 0 to 255, found `true`\n --> kroutes.toml:4:16");
}

#[test]
fn a_broken_claim_is_told_once_and_not_for_every_worker() {
    let workers = worker("name = \"worker-0\"") + &worker("name = \"worker-1\"");
    let said = said(load_text(&text("24", &workers).replace("10.200.0.0/16", "10.200.1.0/16")));
    assert_eq!(said.matches("error: ").count(), 1, "{said}");
}

#[test]
fn a_variable_may_set_it() {
    let workers = worker("name = \"worker-3\"");
    let without = text("24", &workers).replace("node-prefix = 24\n", "");
    let loaded = load_with(&without, &[("KROUTES_TOPOLOGY__CLUSTER__NODE_PREFIX", "26")]).expect("loads");
    let topology = loaded.topology_for("aws").expect("topology");
    assert_eq!(topology.workers()[0].pod_cidrs[0].to_string(), "10.200.0.192/26");
    assert!(said(load_text(&without)).starts_with("error: missing key `pod-cidr` in `[[worker]]`\n"));
}
