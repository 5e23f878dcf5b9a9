//! The topologies that readers of the published guides begin with, as they stand.

use super::api_server::ApiServer;
use super::nodes::{at, identified, list, node, node_list, nodes, ranged};
use crate::cli::world::World;

const FROM_KUBERNETES: &str = r#"# Workers are the nodes of a running cluster; every table that serves one of them gets the routes.
[cluster]
name = "prod-eu-1"
pod-cidr = ["10.64.0.0/12", "fd00:10:64::/48"]
service-cidr = ["10.96.0.0/16", "fd00:10:96::/112"]

[aws]
region = "eu-west-1"
route-table = "associated"

[source]
kind = "kubernetes"
context = "prod-eu-1"
selector = "!node-role.kubernetes.io/control-plane"
"#;

const HARD_WAY_2016: &str = r#"# Kubernetes The Hard Way, first edition: three workers, route table and instances found by Name tag on AWS,
# next hop by internal address on GCP.
[cluster]
name = "kubernetes"
pod-cidr = "10.200.0.0/16"

[aws]
region = "us-west-2"
route-table = { name = "kubernetes" }

[gcp]
project = "hard-way"
network = "kubernetes"

[[worker]]
name = "worker0"
pod-cidr = "10.200.0.0/24"
address = "10.240.0.30"

[[worker]]
name = "worker1"
pod-cidr = "10.200.1.0/24"
address = "10.240.0.31"

[[worker]]
name = "worker2"
pod-cidr = "10.200.2.0/24"
address = "10.240.0.32"
"#;

const CLOUDFORMATION: &str = r#"# The CloudFormation edition: table and instances are other stacks' exports.
[cluster]
name = "hard-k8s"
pod-cidr = "10.200.0.0/16"

[aws]
region = "us-east-1"
route-table = { export = "hard-k8s-rtb" }

[[worker]]
name = "worker-0"
pod-cidr = "10.200.0.0/24"
aws = { instance = { export = "hard-k8s-worker-0" } }

[[worker]]
name = "worker-1"
pod-cidr = "10.200.1.0/24"
aws = { instance = { export = "hard-k8s-worker-1" } }

[[worker]]
name = "worker-2"
pod-cidr = "10.200.2.0/24"
aws = { instance = { export = "hard-k8s-worker-2" } }
"#;

const USER_DATA: &str = r#"# The editions that keep each worker's pod CIDR in the instance itself: EC2 user data `name=worker-0|pod-cidr=10.200.0.0/24`,
# GCE metadata `pod-cidr`. The workers are found by name in the cloud.
[cluster]
name = "kubernetes-the-hard-way"
pod-cidr = "10.200.0.0/16"

[aws]
region = "us-east-1"
route-table = { name = "kubernetes" }

[gcp]
project = "hard-way"
network = "kubernetes-the-hard-way"

[source]
kind = "cloud"
name = "worker-*"
pod-cidr = "instance"
"#;

const FROM_NODES: &str = r#"# kubectl get nodes -o json | kroutes --provider gcp -f node-list.toml
[cluster]
name = "kubernetes"
pod-cidr = "10.200.0.0/16"

[gcp]
project = "hard-way"
network = "kubernetes"

[source]
kind = "node-list"
path = "-"
"#;

const ON_PREMISES: &str = r#"# No cloud: the router is a Linux machine, and this is run on it.
[cluster]
name = "lab"
pod-cidr = "10.200.0.0/16"

[linux]
table = "main"

[[worker]]
name = "worker-0"
pod-cidr = "10.200.0.0/24"
address = "10.240.0.30"

[[worker]]
name = "worker-1"
pod-cidr = "10.200.1.0/24"
address = "10.240.0.31"
"#;

/// Applies in the built-in cloud; what was done there, by destination.
#[track_caller]
fn comes_true(text: &str, words: &str, input: &str) -> Vec<String> {
    let world = World::of(0);
    world.write("file.toml", text);
    let run = world.run_with_input(&format!("apply -o json --lab -f file.toml {words}"), input).code(0);
    let report = run.json();
    assert_eq!(report["ok"], true, "{run}");
    let changes = report["tables"].as_array().expect("tables").iter().filter_map(|table| table["changes"].as_array());
    changes.flatten().map(|change| change["destination"].as_str().expect("a range").to_owned()).collect()
}

const THREE: [&str; 3] = ["10.200.0.0/24", "10.200.1.0/24", "10.200.2.0/24"];

#[test]
fn the_first_edition_comes_true_on_both_clouds() {
    for provider in ["aws", "gcp"] {
        assert_eq!(comes_true(HARD_WAY_2016, &format!("--provider {provider}"), ""), THREE);
    }
}

#[test]
fn the_cloudformation_edition_comes_true() {
    assert_eq!(comes_true(CLOUDFORMATION, "", ""), THREE);
}

#[test]
fn the_user_data_editions_come_true_on_both_clouds() {
    for provider in ["aws", "gcp"] {
        assert_eq!(comes_true(USER_DATA, &format!("--provider {provider}"), ""), THREE);
    }
}

#[test]
fn the_node_list_comes_true() {
    assert_eq!(comes_true(FROM_NODES, "--provider gcp", &list(&nodes(3))), THREE);
}

#[test]
fn the_routes_on_premises_are_exported() {
    let world = World::of(0);
    world.write("file.toml", ON_PREMISES);
    let run = world.run("export --format ip-route -f file.toml").code(0);
    assert_eq!(run.out, "ip route add 10.200.0.0/24 via 10.240.0.30\nip route add 10.200.1.0/24 via 10.240.0.31\n");
    world.run("plan -f file.toml").code(64).says("provider");
}

#[test]
fn the_nodes_of_a_running_cluster_come_true() {
    let dual = |nth: usize| {
        let ranges = [format!("10.64.{nth}.0/24"), format!("fd00:10:64:{nth}::/64")];
        let node =
            ranged(node(&format!("ip-10-240-0-3{nth}.eu-west-1.compute.internal"), "x"), &[&ranges[0], &ranges[1]]);
        let id = format!("aws:///eu-west-1a/i-0123456789abcde0{nth}");
        at(identified(node, &id), &format!("10.240.0.3{nth}"))
    };
    let server = ApiServer::saying(200, &node_list(&[dual(0), dual(1)], ""));
    let mut world = World::of(0);
    server.known_to(&mut world, "http");
    world.write("file.toml", FROM_KUBERNETES);
    let run = world.run("apply --lab -f file.toml").code(0);
    run.says("Verdict: as wanted").says("fd00:10:64:1::/64");
}
