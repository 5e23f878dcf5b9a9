//! The nodes of a running cluster.

use serde_json::json;

use super::api_server::{ApiServer, TOKEN};
use super::clouds::{BOTH, Cloud};
use super::nodes::{identified, node_list, nodes, nth_node};
use crate::cli::world::{World, assert_snapshot};

const SOURCE: &str = "\n[source]\nkind = \"kubernetes\"\ncontext = \"prod-eu-1\"\n";
const SELECTOR: &str = "selector = \"!node-role.kubernetes.io/control-plane\"\n";

fn status(code: u16, reason: &str, message: &str) -> String {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason, "code": code})
        .to_string()
}

/// A cloud with three machines, whose workers this server knows.
fn world(cloud: Cloud, server: &ApiServer) -> World {
    let mut world = cloud.world(3, SOURCE);
    server.known_to(&mut world, "http");
    world
}

/// Three nodes on two pages.
fn in_pages(target: &str) -> (u16, String) {
    let nodes = nodes(3);
    (200, if target.contains("continue=p2") { node_list(&nodes[2..], "") } else { node_list(&nodes[..2], "p2") })
}

#[test]
fn every_page_of_the_contexts_nodes_is_read_once_with_the_selector() {
    for cloud in BOTH {
        let server = ApiServer::start(in_pages);
        let mut world = cloud.world(3, &format!("{SOURCE}{SELECTOR}"));
        server.known_to(&mut world, "http");
        world.run("apply").code(0).says("Verdict: as wanted");
        cloud.assert_routed(&world, &[0, 1, 2]);
        let first = "/api/v1/nodes?limit=500&labelSelector=%21node-role.kubernetes.io%2Fcontrol-plane";
        let bearer = format!("Bearer {TOKEN}");
        assert_eq!(server.asked(), [format!("{first} {bearer}"), format!("{first}&continue=p2 {bearer}")]);
        world.run("verify").code(0);
        world.run("apply").code(0).says("Nothing to change");
    }
}

#[test]
fn without_a_context_it_is_the_current_one() {
    let server = ApiServer::saying(200, &node_list(&nodes(3), ""));
    let mut world = Cloud::Aws.world(3, "\n[source]\nkind = \"kubernetes\"\n");
    server.known_to(&mut world, "http");
    world.run("plan").code(1).says("`127.0.0.1:1` does not answer: connection refused");
    let path = world.folder().join("kubeconfig");
    let text = std::fs::read_to_string(&path).expect("the kubeconfig");
    world.write("kubeconfig", text.replace("current-context: here", "current-context: prod-eu-1"));
    world.run("apply").code(0);
    Cloud::Aws.assert_routed(&world, &[0, 1, 2]);
}

/// deckhouse#13350: node objects vanished for a moment, and all routes were deleted.
#[test]
fn nodes_that_vanish_are_no_reason_to_delete_their_routes() {
    for cloud in BOTH {
        let whole = ApiServer::saying(200, &node_list(&nodes(10), ""));
        let mut world = cloud.world(10, SOURCE);
        whole.known_to(&mut world, "http");
        world.run("apply").code(0);
        world.lab.reset_calls();
        let some = ApiServer::saying(200, &node_list(&nodes(2), ""));
        some.known_to(&mut world, "http");
        world.run("apply --prune --yes").code(3).says("refused: 8 (80%) of this cluster's 10 routes");
        let none = ApiServer::saying(200, &node_list(&[], ""));
        none.known_to(&mut world, "http");
        world.run("apply --prune --yes").code(3).says("found no workers among the nodes of context `prod-eu-1`");
        assert_eq!(world.writes(), 0);
        cloud.assert_routed(&world, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
}

/// A listing whose second page failed was taken for the whole.
#[test]
fn a_page_that_fails_fails_the_run_and_nothing_is_pruned() {
    for cloud in BOTH {
        let whole = ApiServer::start(in_pages);
        let mut world = world(cloud, &whole);
        world.run("apply").code(0);
        let half = ApiServer::start(|target| match in_pages(target) {
            _ if target.contains("continue") => (403, status(403, "Forbidden", "nodes is forbidden")),
            first => first,
        });
        half.known_to(&mut world, "http");
        world.lab.reset_calls();
        world.run("apply --prune --yes").code(1).says("forbids to list nodes");
        assert_eq!(world.lab.calls().values().sum::<u64>(), 0, "the cloud is not even asked");
        cloud.assert_routed(&world, &[0, 1, 2]);
    }
}

#[test]
fn nodes_of_another_cloud_are_told_and_left() {
    let listed = [nth_node(0), identified(nth_node(1), "gce://p/z/worker-1"), nth_node(2)];
    let server = ApiServer::saying(200, &node_list(&listed, ""));
    let world = world(Cloud::Aws, &server);
    world.run("apply").code(0).says("node `worker-1` is no machine of `aws`");
    Cloud::Aws.assert_routed(&world, &[0, 2]);
}

#[test]
fn what_keeps_a_cluster_from_answering_is_told_with_what_to_do() {
    let forbidden = "nodes is forbidden: User \"system:serviceaccount:x:y\" cannot list resource \"nodes\"";
    let servers = [
        ("http", ApiServer::absent()),
        ("https", ApiServer::self_signed()),
        ("http", ApiServer::saying(403, &status(403, "Forbidden", forbidden))),
        ("http", ApiServer::saying(401, &status(401, "Unauthorized", "Unauthorized"))),
        ("http", ApiServer::saying(404, "<html>not here</html>")),
        ("http", ApiServer::saying(200, "<html>log in</html>")),
        ("http", ApiServer::saying(200, &json!({"kind": "PodList", "items": []}).to_string())),
        ("http", ApiServer::saying(200, &node_list(&[], ""))),
    ];
    let mut text = String::new();
    let last = servers.len() - 1;
    for (nth, (scheme, server)) in servers.into_iter().enumerate() {
        let mut world = world(Cloud::Aws, &server);
        server.known_to(&mut world, scheme);
        // A cluster that answers, and has no nodes, is held back by a guard.
        let code = if nth == last { 3 } else { 1 };
        let run = world.run("apply --prune --yes").code(code).never_says(TOKEN);
        assert_eq!(world.writes(), 0);
        text += &server.unnamed(&run);
        text.push('\n');
    }
    assert_snapshot("kubernetes-refused", &text);
}

#[test]
fn a_context_that_does_not_exist_is_told_with_those_that_do() {
    let server = ApiServer::absent();
    let mut text = String::new();
    for context in ["prod-eu1", "staging"] {
        let mut world = Cloud::Aws.world(1, &SOURCE.replace("prod-eu-1", context));
        server.known_to(&mut world, "http");
        for words in ["plan", "plan -o json"] {
            text += &world.run(words).code(1).to_string();
            text.push('\n');
        }
    }
    let mut world = Cloud::Aws.world(1, SOURCE);
    world.set("KUBECONFIG", world.folder().join("none").to_str().expect("a plain path").to_owned());
    text += &world.run("plan").code(1).to_string();
    text.push('\n');
    let mut world = Cloud::Aws.world(1, "\n[source]\nkind = \"kubernetes\"\n");
    world.unset("KUBECONFIG");
    text += &world.run("plan").code(1).to_string();
    assert_snapshot("kubernetes-contexts", &text);
}

/// flannel's backends printed credentials at start.
#[test]
fn no_token_is_printed_however_much_is_asked_for() {
    let server = ApiServer::start(in_pages);
    let world = world(Cloud::Aws, &server);
    world.run("apply -vvv").code(0).never_says(TOKEN).says("ListNodes");
    let broken =
        world.write("kubeconfig", format!("apiVersion: v1\nusers:\n- name: u\n  user: {{token: [{TOKEN}]}}\n"));
    assert!(broken.exists());
    world.run("plan -vvv").code(1).never_says(TOKEN).says("it is not the YAML of a kubeconfig");
    let plugin = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: prod-eu-1\n\
         clusters:\n- name: c\n  cluster: {{server: 'http://127.0.0.1:1'}}\n\
         contexts:\n- name: prod-eu-1\n  context: {{cluster: c, user: u}}\n\
         users:\n- name: u\n  user:\n    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      \
         command: /bin/sh\n      interactiveMode: Never\n      args: [-c, 'echo {TOKEN}; echo {TOKEN} >&2; exit 3']\n"
    );
    world.write("kubeconfig", plugin);
    world.run("plan -vvv").code(1).never_says(TOKEN).says("the kubeconfig's command failed");
}
