//! Other people's routes in the same table: seen, named, and left exactly as they are.

use kroutes_lab::Options;
use kroutes_lab::model::{Destination, Gateway, Origin, Route, Target};

use super::world::{World, assert_snapshot, seed, topology, transcript, worker};

fn gateway(kind: Gateway, id: &str) -> Target {
    Target::Gateway(kind, id.to_owned())
}

/// Three workers, a machine that is none, and every kind of route that is not ours.
fn crowded() -> World {
    let world = World::new(&topology(3), seed(4), Options::default());
    // `worker-3` is an instance that the topology does not know.
    let stranger = world.instance("worker-3");
    let worker = world.instance("worker-0");
    world.put_instance_route("10.0.0.0/8", &stranger);
    world.put_instance_route("192.168.0.0/16", &stranger);
    world.put_instance_route("10.200.77.0/24", &stranger);
    // Shares the first address with the cluster, and leads to a worker, but reaches beyond.
    world.put_instance_route("10.200.0.0/15", &worker);
    world.put_route("10.200.88.0/24", gateway(Gateway::Nat, "nat-0123456789abcdef0"));
    world.put_route("10.201.0.0/16", gateway(Gateway::Peering, "pcx-0123456789abcdef0"));
    world.put_route("10.202.0.0/16", gateway(Gateway::Transit, "tgw-0123456789abcdef0"));
    let list = Destination::PrefixList("pl-0123456789abcdef0".to_owned());
    let endpoint = gateway(Gateway::Gateway, "vpce-0123456789abcdef0");
    let vpn = "10.200.99.0/24".parse::<ipnet::IpNet>().expect("a range").into();
    let vpn_gateway = gateway(Gateway::Gateway, "vgw-0123456789abcdef0");
    world.lab.change(|cloud| {
        cloud.put_route(&world.table, Route { destination: list, target: endpoint, origin: Origin::CreateRoute });
        let origin = Origin::EnableVgwRoutePropagation;
        cloud.put_route(&world.table, Route { destination: vpn, target: vpn_gateway, origin });
    });
    world
}

/// kubernetes/cloud-provider-aws#1351 (a table of several instance routes could not be listed),
/// kubernetes/cloud-provider-aws#627 and deckhouse/deckhouse#5185 (one route to no node stopped all work), and
/// ansible-collections/amazon.aws `ec2_vpc_route_table` (the default route was deleted because it was not listed).
#[test]
fn foreign_routes_block_nothing_and_survive_apply_prune_and_destroy() {
    let world = crowded();
    let (routes, tags) = (world.routes(), world.tags());
    let foreign_are_there = |step: &str| {
        let now = world.routes();
        for route in &routes {
            assert!(now.contains(route), "{step} took {route:?}");
        }
    };
    world.run("apply").code(0);
    foreign_are_there("apply");
    world.assert_all_routed(3);
    world.run("apply --prune --yes").code(0);
    foreign_are_there("prune");
    world.run("apply --take-over --prune --yes").code(0);
    foreign_are_there("take-over");
    world.run("destroy --yes").code(0);
    assert_eq!(world.routes(), routes);
    assert_eq!(world.tags(), tags);
}

#[test]
fn routes_lists_every_route_with_whose_it_is_and_why() {
    let world = crowded();
    let runs = [world.run("apply").code(0), world.run("routes").code(0), world.run("routes -o json").code(0)];
    assert_snapshot("foreign-routes", &transcript(&runs));
}

/// A route to a machine that is no worker may be somebody's: a claim would later make it look like ours.
#[test]
fn no_claim_is_set_while_an_instance_route_of_somebody_else_stands_in_the_range() {
    let world = crowded();
    world.run("plan").code(0).says("no claim is set on this table while `10.200.77.0/24");
    assert_eq!(world.run("plan -o json").json()["tables"][0]["claim"], "blocked");
    assert_eq!(world.run("apply -o json").code(0).json()["tables"][0]["claim"], "blocked");
    assert_eq!(world.calls("CreateTags"), 0);
    let elsewhere: ipnet::IpNet = "10.200.77.0/24".parse().expect("a range");
    world.lab.change(|cloud| cloud.delete_route(&world.table, &elsewhere.into())).expect("the route");
    world.run("plan --detailed-exitcode").code(0);
    world.write("kroutes.toml", topology(4));
    assert_eq!(world.run("apply -o json").code(0).json()["tables"][0]["claim"], "ours");
}

/// Where routes are deleted by the beginning of a name, `worker-1` takes `worker-10` with it.
#[test]
fn a_worker_whose_name_begins_like_another_is_another() {
    let world = World::of(12);
    world.run("apply").code(0);
    let without_one =
        (0..12).filter(|nth| *nth != 1).fold(super::world::HEAD.to_owned(), |text, nth| text + &worker(nth));
    world.write("kroutes.toml", without_one);
    world.run("apply --prune --yes").code(0);
    for nth in 0..12 {
        let expected = (nth != 1).then(|| format!("worker-{nth}"));
        assert_eq!(world.leads(&format!("10.200.{nth}.0/24")), expected);
    }
}

#[test]
fn stale_routes_stay_without_prune_and_go_with_it() {
    let world = World::of(3);
    world.run("apply").code(0);
    world.write("kroutes.toml", topology(2));
    let kept = world.run("apply").code(0);
    assert_eq!(world.leads("10.200.2.0/24").as_deref(), Some("worker-2"));
    let shown = world.run("plan").code(0).says("1 stale");
    let asked = world.run("apply --prune").code(3);
    assert_eq!(world.leads("10.200.2.0/24").as_deref(), Some("worker-2"));
    let pruned = world.run("apply --prune --yes").code(0);
    assert_eq!(world.leads("10.200.2.0/24"), None);
    let again = world.run("apply --prune --yes").code(0).says("Nothing to change");
    assert_snapshot("stale", &transcript([&kept, &shown, &asked, &pruned, &again]));
}

#[test]
fn destroy_takes_stale_routes_too_and_asks_first() {
    let world = World::of(3);
    let (routes, tags) = (world.routes(), world.tags());
    world.run("apply").code(0);
    world.write("kroutes.toml", topology(2));
    let before = world.picture();
    world.run("destroy").code(3).says("--yes");
    assert_eq!(world.picture(), before);
    world.run("destroy --yes").code(0);
    assert_eq!(world.routes(), routes);
    assert_eq!(world.tags(), tags);
}

/// The claim is what makes a route to a terminated, forgotten machine recognisable as ours.
#[test]
fn a_route_to_a_machine_that_is_gone_is_ours_and_is_mended_or_pruned() {
    let world = World::of(3);
    world.run("apply").code(0);
    let (second, third) = (world.instance("worker-1"), world.instance("worker-2"));
    world.lab.change(|cloud| {
        cloud.terminate(&second);
        cloud.terminate(&third);
        cloud.forget_instance(&third);
    });
    let subnet = world.lab.cloud(|cloud| cloud.subnets.keys().next().cloned()).expect("a subnet");
    world.lab.change(|cloud| {
        let tags = [("Name".to_owned(), "worker-1".to_owned())].into();
        cloud.launch(kroutes_lab::model::Launch { subnet, tags, ..Default::default() }).expect("a new machine");
    });
    world.write("kroutes.toml", topology(2));
    let shown = world.run("plan --prune").code(0);
    world.run("verify").code(2);
    let mended = world.run("apply --prune --yes").code(0);
    world.assert_all_routed(2);
    assert_eq!(world.leads("10.200.2.0/24"), None);
    assert_snapshot("gone", &transcript([&shown, &mended]));
}
