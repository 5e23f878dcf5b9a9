//! Topologies that cannot be on Google Cloud: one message with the remedy, 64, and no call.

use crate::cli::world::compute::{HEAD, topology};
use crate::cli::world::{Ran, World, assert_snapshot, transcript};

#[test]
fn what_google_cloud_could_not_take_is_refused_before_any_call() {
    let world = World::gcp(1);
    let with = |from: &str, to: &str| topology(1).replace(from, to);
    let rows = [
        ("no-project", with("project = \"hard-way\"\n", "")),
        ("no-network", with("network = \"kubernetes\"\n", "")),
        ("project-number", with("\"hard-way\"", "\"123456789012\"")),
        ("project-form", with("\"hard-way\"", "\"Hard Way/../x\"")),
        ("network-form", with("network = \"kubernetes\"", "network = \"Kubernetes_1\"")),
        ("network-elsewhere", with("network = \"kubernetes\"", "network = \"projects/p/global/networks/n\"")),
        ("unknown-key", with("network =", "netwrok =")),
        ("priority", with("[gcp]\n", "[gcp]\npriority = 65536\n")),
        ("priority-negative", with("[gcp]\n", "[gcp]\npriority = -1\n")),
        ("template", with("[gcp]\n", "[gcp]\nroute-name = \"{clutser}-route\"\n")),
        ("template-without-destination", with("[gcp]\n", "[gcp]\nroute-name = \"{cluster}-route\"\n")),
        ("operation-timeout", with("[gcp]\n", "[gcp]\noperation-timeout = 0\n")),
        ("routes-limit", with("[gcp]\n", "[gcp]\nroutes-limit = 0\n")),
        ("endpoint", with("[gcp]\n", "[gcp]\nendpoint = \"compute\"\n")),
        ("instance", format!("{}gcp = {{ instance = \"a/b/c\" }}\n", topology(1))),
        ("no-workers", HEAD.to_owned()),
    ];
    let runs: Vec<Ran> = rows
        .iter()
        .map(|(name, text)| {
            world.write(&format!("{name}.toml"), text);
            world.run(&format!("plan --provider gcp -f {name}.toml"))
        })
        .collect();
    let said = transcript(&runs);
    assert_snapshot("gcp-input", &said);
    assert!(world.lab.calls().is_empty(), "{:?}", world.lab.calls());
}

#[test]
fn the_environment_gives_what_the_file_leaves_out() {
    let mut world = World::gcp(1);
    world.write("kroutes.toml", topology(1).replace("project = \"hard-way\"\n", ""));
    world.run("plan").code(64).says("CLOUDSDK_CORE_PROJECT");
    world.set("CLOUDSDK_CORE_PROJECT", "hard-way");
    world.run("plan").code(0).says("1 to add");
    world.set("KROUTES_TOPOLOGY__GCP__NETWORK", "nowhere");
    world.run("plan").code(1).says("nowhere");
}
