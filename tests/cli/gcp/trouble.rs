//! A cloud that cannot be asked, or does not hold what the topology names: nothing is changed, one message says why.

use std::net::TcpListener;

use kroutes_lab::{Fault, FaultKind};

use crate::cli::world::compute::{options, seed, topology};
use crate::cli::world::{World, assert_snapshot, transcript};

/// The commands that must all say it, none of which may write.
const WORDS: [&str; 4] = ["plan", "apply --prune --yes", "destroy --yes", "apply -o json"];

fn all_fail(world: &World) -> String {
    let before = world.project_routes();
    // At the same time: some of them ask again and again before they give up.
    let runs = std::thread::scope(|scope| {
        let threads = WORDS.map(|words| scope.spawn(move || world.run(words)));
        threads.map(|thread| thread.join().expect("an end").code(1))
    });
    assert_eq!(world.writes(), 0, "{:?}", world.lab.calls());
    assert_eq!(world.project_routes(), before);
    transcript(&runs)
}

#[test]
fn a_network_that_is_not_there_is_named_and_is_no_empty_one() {
    let world = World::gcp(2);
    world.write("kroutes.toml", topology(2).replace("network = \"kubernetes\"", "network = \"nowhere\""));
    let said = all_fail(&world);
    assert!(said.contains("nowhere"), "{said}");
    assert_snapshot("gcp-no-such-network", &said);
}

#[test]
fn a_project_that_is_not_there_is_named() {
    let world = World::gcp(2);
    world.write("kroutes.toml", topology(2).replace("hard-way", "no-such-project"));
    let said = all_fail(&world);
    assert_snapshot("gcp-no-such-project", &said);
}

#[test]
fn a_project_without_the_compute_engine_api_is_told_where_to_switch_it_on() {
    let world = World::gcp(2);
    world.lab.change(|cloud| cloud.compute.enabled = false);
    assert_snapshot("gcp-api-disabled", &all_fail(&world));
}

#[test]
fn without_permission_to_read_the_network_or_its_routes_nothing_is_changed() {
    for permission in ["compute.networks.get", "compute.routes.list"] {
        let world = World::gcp(2);
        world.lab.change(|cloud| cloud.denied.insert(permission.to_owned()));
        let said = all_fail(&world);
        assert!(said.contains(&format!("Required '{permission}' permission")), "{said}");
    }
}

#[test]
fn without_permission_to_list_instances_addresses_are_used_unchecked_with_a_warning() {
    let world = World::gcp(2);
    world.lab.change(|cloud| cloud.denied.insert("compute.instances.list".to_owned()));
    let runs = [world.run("plan").code(0), world.run("apply").code(0), world.run("verify").code(0)];
    assert_eq!(world.to("10.200.0.0/24").len(), 1);
    assert_snapshot("gcp-instances-denied", &transcript(&runs));
}

/// Behind a sign-in page every call is answered with 200 and a page of HTML.
#[test]
fn an_answer_that_is_not_computes_is_no_empty_cloud() {
    let world = World::gcp(3);
    world.run("apply").code(0);
    world.lab.reset_calls();
    world.lab.add_fault(Fault::new(FaultKind::Html));
    assert_snapshot("gcp-not-compute", &all_fail(&world));
}

#[test]
fn an_endpoint_where_nobody_listens_is_named() {
    let mut world = World::gcp(2);
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    world.set("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", format!("http://{free}/compute/v1/"));
    let run = world.run("apply").code(1).says(&free.to_string());
    let shown = transcript([&run]).replace(&free.to_string(), "127.0.0.1:PORT");
    assert_snapshot("gcp-refused-connection", &shown);
}

/// A bearer token can be read by whoever is on the way.
#[test]
fn a_token_goes_over_plain_http_to_this_machine_only() {
    let mut world = World::gcp(2);
    let endpoints = [
        "http://192.0.2.1/compute/v1/",
        "http://127.0.0.1.example.com/",
        "http://localhost.evil.example/",
        "ftp://127.0.0.1/",
    ];
    let runs = endpoints.map(|endpoint| {
        world.set("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", endpoint);
        world.run("apply").code(64)
    });
    assert_snapshot("gcp-plain-http", &transcript(&runs));
}

#[test]
fn a_timeout_ends_a_call_that_hangs() {
    let world = World::gcp(2);
    world.lab.add_fault(Fault::new(FaultKind::Hang).on("routes.list"));
    world.run("apply --timeout 1s").code(1).says("not done within 1s");
    assert_eq!(world.writes(), 0);
}

#[test]
fn pages_that_are_empty_but_for_a_token_are_not_the_end_of_a_listing() {
    let options = kroutes_lab::Options { empty_pages: true, ..options() };
    let world = World::new_gcp(&topology(3), seed(3), options);
    world.run("apply").code(0);
    world.run("apply").code(0).says("Nothing to change");
    world.run("destroy --yes").code(0);
    assert!(world.to("10.200.0.0/24").is_empty());
}
