//! Other people's routes in the same network and project: seen, named, and left exactly as they are.

use kroutes_lab::model::compute::Hop;

use crate::cli::world::compute::{MARK, address, topology, via};
use crate::cli::world::{World, assert_snapshot, pod_range, transcript};

/// Three workers, and every kind of route that is not ours.
fn crowded() -> World {
    let world = World::gcp(3);
    let gateway = || Hop::Gateway("default-internet-gateway".to_owned());
    world.put_beside("office", "192.168.0.0/16", Hop::VpnTunnel("us-west1/office".to_owned()), "");
    world.put_beside("wider", "10.0.0.0/8", via(address(0)), "");
    // Marked, but not contained in the cluster's range: it merely shares its first address.
    world.put_beside("wider-marked", "10.200.0.0/15", via(address(0)), MARK);
    world.put_beside("unmarked", "10.200.77.0/24", via(address(0)), "");
    world.put_beside("peer", "10.201.0.0/16", Hop::Peering("peer".to_owned()), "");
    world.put_beside("balanced", "10.202.0.0/16", Hop::Ilb("10.240.0.99".to_owned()), "");
    world.put_beside("machine", "10.203.0.0/16", Hop::Machine("us-west1-a/worker-0".to_owned()), "");
    world.put_beside("of-other-cluster", "10.200.78.0/24", via(address(1)), "kroutes cluster=kubernetes-2");
    world.put_beside("almost", "10.200.79.0/24", via(address(1)), "kroutes cluster=kubernetes ");
    // Ours by all signs but in another network.
    world.put_in("other", "kubernetes-route-10-200-1-0-24", "10.200.1.0/24", via(address(1)), MARK);
    world.put_in("other", "elsewhere", "10.200.9.0/24", gateway(), MARK);
    world
}

/// kubernetes/cloud-provider-aws#627 and deckhouse/deckhouse#5185 (one foreign route stopped all work);
/// ansible-collections/amazon.aws `ec2_vpc_route_table` (the default route was deleted because it was not listed).
#[test]
fn default_and_unmarked_routes_survive_apply_prune_take_over_and_destroy() {
    let world = crowded();
    let before = world.project_routes();
    assert!(before.values().any(|route| route.destination.prefix_len() == 0), "the default route is there");
    let all_there = |step: &str| {
        let now = world.project_routes();
        for (name, route) in &before {
            assert_eq!(now.get(name), Some(route), "{step} touched {name}");
        }
    };
    for words in ["apply", "apply --prune --yes", "apply --take-over --prune --yes"] {
        world.run(words).code(0);
        all_there(words);
    }
    world.assert_all_lead(3, address);
    world.run("destroy --yes").code(0);
    assert_eq!(world.project_routes(), before);
}

#[test]
fn routes_lists_every_route_with_its_name_whose_it_is_and_why() {
    let world = crowded();
    world.run("apply").code(0);
    let runs = [world.run("routes").code(0), world.run("routes -o json").code(0)];
    let listed = runs[1].json();
    let routes = listed["tables"][0]["routes"].as_array().expect("routes");
    assert!(routes.iter().all(|route| route["name"].is_string()), "{}", runs[1]);
    assert_snapshot("gcp-foreign-routes", &transcript(&runs));
}

#[test]
fn an_unmarked_route_that_is_already_as_wanted_counts_as_unchanged_and_is_never_deleted() {
    let world = World::gcp(3);
    world.put_beside("by-hand", "10.200.1.0/24", via(address(1)), "made by hand");
    let before = world.project_routes();
    let plan = world.run("plan -o json").code(0).json();
    assert_eq!((&plan["summary"]["unchanged"], &plan["summary"]["create"]), (&1.into(), &2.into()), "{plan}");
    world.run("apply").code(0);
    world.run("apply --prune --take-over --yes").code(0).says("Nothing to change");
    world.assert_all_lead(3, address);
    world.run("destroy --yes").code(0);
    assert_eq!(world.project_routes(), before);
    // And when its worker has left, it is somebody else's route to nobody of ours.
    world.write("kroutes.toml", topology(1));
    world.run("apply --prune --yes").code(0);
    assert_eq!(world.project_routes()["by-hand"], before["by-hand"]);
}

#[test]
fn stale_routes_stay_without_prune_and_go_with_it() {
    let world = World::gcp(3);
    world.run("apply").code(0);
    world.write("kroutes.toml", topology(2));
    let kept = world.run("apply").code(0);
    assert_eq!(world.to(&pod_range(2)).len(), 1, "{kept}");
    let refused = world.run("apply --prune").code(3);
    assert_eq!(world.to(&pod_range(2)).len(), 1);
    let pruned = world.run("apply --prune --yes").code(0);
    assert!(world.to(&pod_range(2)).is_empty());
    world.assert_all_lead(2, address);
    assert_snapshot("gcp-stale", &transcript([&kept, &refused, &pruned]));
}
