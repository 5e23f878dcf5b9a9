//! A destination that we want and that somebody else's route holds.

use kroutes_lab::model::{Gateway, Target};

use super::world::{World, assert_snapshot, transcript};

fn contested() -> World {
    let world = World::of(3);
    world.put_route("10.200.1.0/24", Target::Gateway(Gateway::Nat, "nat-0123456789abcdef0".to_owned()));
    world
}

#[test]
fn a_conflict_is_reported_fails_the_apply_and_hinders_no_other_route() {
    let world = contested();
    let runs = [
        world.run("plan").code(0),
        world.run("plan --detailed-exitcode").code(2),
        world.run("apply").code(1),
        world.run("apply").code(1),
        world.run("verify").code(2),
    ];
    assert_eq!(world.leads("10.200.0.0/24").as_deref(), Some("worker-0"));
    assert_eq!(world.leads("10.200.1.0/24").as_deref(), Some("nat-0123456789abcdef0"));
    assert_eq!(world.leads("10.200.2.0/24").as_deref(), Some("worker-2"));
    assert_snapshot("conflict", &transcript(&runs));
}

#[test]
fn a_conflict_is_data_in_json() {
    let world = contested();
    let plan = world.run("plan -o json").code(0).json();
    assert_eq!(plan["summary"]["conflict"], 1);
    assert_eq!(plan["tables"][0]["conflicts"][0]["destination"], "10.200.1.0/24");
    assert_eq!(plan["tables"][0]["conflicts"][0]["worker"], "worker-1");
    assert_eq!(plan["tables"][0]["conflicts"][0]["was"][0]["next-hop"]["nat-gateway"], "nat-0123456789abcdef0");
    let applied = world.run("apply -o json").code(1).json();
    assert_eq!(applied["ok"], false);
}

#[test]
fn take_over_asks_and_where_nobody_can_be_asked_nothing_is_changed() {
    let world = contested();
    let before = world.picture();
    let text = world.run("apply --take-over").code(3);
    let json = world.run("apply --take-over -o json").code(3);
    assert_eq!(world.picture(), before);
    assert_eq!(world.writes(), 0);
    assert_eq!(json.json()["error"]["kind"], "invalid");
    assert_snapshot("take-over-refused", &transcript([&text]));
}

#[test]
fn take_over_with_yes_replaces_what_stands_in_the_way_and_nothing_else() {
    let world = contested();
    world.put_route("10.200.9.0/24", Target::Gateway(Gateway::Nat, "nat-0123456789abcdef0".to_owned()));
    let taken = world.run("apply --take-over --yes").code(0);
    world.assert_all_routed(3);
    assert_eq!(world.leads("10.200.9.0/24").as_deref(), Some("nat-0123456789abcdef0"));
    assert_eq!((world.calls("ReplaceRoute"), world.calls("DeleteRoute")), (1, 0));
    world.run("apply").code(0).says("Nothing to change");
    assert_snapshot("taken-over", &transcript([&taken]));
}

/// kubernetes/kubernetes#98359: a node's address changed and the route never followed;
/// ansible-collections/google.cloud `gcp_compute_route`: a wrong next hop was reported as unchanged.
#[test]
fn a_wrong_next_hop_is_replaced_in_one_step_with_the_reason_shown() {
    let world = World::of(3);
    let wrong = world.instance("worker-2");
    world.put_instance_route("10.200.0.0/24", &wrong);
    let verdict = world.run("verify").code(2);
    let refused = world.run("apply").code(3);
    assert_eq!(world.writes(), 0);
    let mended = world.run("apply --yes").code(0);
    world.assert_all_routed(3);
    // Never a moment without a route: it is replaced, not deleted and made again.
    assert_eq!((world.calls("ReplaceRoute"), world.calls("DeleteRoute")), (1, 0));
    world.run("apply").code(0).says("Nothing to change");
    assert_snapshot("wrong-next-hop", &transcript([&verdict, &refused, &mended]));
}

/// A narrower route of somebody else takes a part of a worker's packets: the route is there and still not as wanted.
#[test]
fn a_route_that_is_shadowed_in_part_is_not_as_wanted() {
    let world = World::of(3);
    world.run("apply").code(0);
    world.put_route("10.200.1.128/25", Target::Gateway(Gateway::Nat, "nat-0123456789abcdef0".to_owned()));
    let verdict = world.run("verify").code(2);
    let applied = world.run("apply").code(1);
    assert_snapshot("shadowed", &transcript([&verdict, &applied]));
}
