//! Routes cannot be changed, only made and deleted: what that means for a destination that is in use.

use std::net::Ipv4Addr;

use kroutes_lab::model::compute::Hop;

use crate::cli::world::compute::{HEAD, MARK, address, topology, via, worker_at};
use crate::cli::world::{World, assert_snapshot, pod_range, transcript};

const MOVED: Ipv4Addr = Ipv4Addr::new(10, 240, 7, 7);

/// Three routed workers, of which the second then gets another address.
fn moved() -> World {
    let world = World::gcp(3);
    world.run("apply").code(0);
    world.move_worker(1, MOVED);
    let text = worker_at(0, address(0)) + &worker_at(1, MOVED) + &worker_at(2, address(2));
    world.write("kroutes.toml", HEAD.to_owned() + &text);
    world
}

/// kubernetes/kubernetes#98359: a node's address changed and the route never followed.
#[test]
fn a_route_follows_its_workers_address_without_a_moment_in_which_there_is_none() {
    let world = moved();
    let watch = world.watch();
    let plan = world.run("plan --detailed-exitcode").code(2).says("10.240.0.31 -> 10.240.7.7");
    let refused = world.run("apply").code(3);
    assert_eq!(world.calls("routes.insert") + world.calls("routes.delete"), 3, "{:?}", world.lab.calls());
    let mended = world.run("apply --yes").code(0);
    world.assert_all_lead(3, |nth| if nth == 1 { MOVED } else { address(nth) });
    world.assert_never_without(watch);
    let log = world.lab.log();
    let actions: Vec<_> = log.iter().skip(3).map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["routes.insert", "routes.delete"], "{log:#?}");
    world.run("apply").code(0).says("Nothing to change");
    assert_snapshot("gcp-moved", &transcript([&plan, &refused, &mended]));
}

#[test]
fn a_worker_that_moves_to_and_fro_ends_with_one_route_each_time() {
    let world = moved();
    let watch = world.watch();
    world.run("apply --yes").code(0);
    world.move_worker(1, address(1));
    world.write("kroutes.toml", topology(3));
    world.run("apply --yes").code(0);
    world.assert_all_lead(3, address);
    world.assert_never_without(watch);
    assert_eq!(world.to(&pod_range(1))[0].0, "kubernetes-route-10-200-1-0-24");
}

/// ansible-collections/google.cloud `gcp_compute_route`: a wrong next hop was reported as unchanged.
#[test]
fn workers_that_swap_their_addresses_swap_their_routes() {
    let world = World::gcp(2);
    world.run("apply").code(0);
    let watch = world.watch();
    let other = |nth: usize| address(1 - nth);
    (0..2).for_each(|nth| world.move_worker(nth, other(nth)));
    world.write("kroutes.toml", HEAD.to_owned() + &worker_at(0, other(0)) + &worker_at(1, other(1)));
    world.run("apply --yes").code(0).says("wrong next hop");
    world.assert_all_lead(2, other);
    world.assert_never_without(watch);
    world.run("apply").code(0).says("Nothing to change");
}

#[test]
fn a_second_route_of_ours_to_one_destination_goes_without_prune_and_is_asked_about() {
    let world = World::gcp(2);
    world.run("apply").code(0);
    world.put_beside("kubernetes-route-10-200-0-0-24-abcdef", "10.200.0.0/24", via(address(1)), MARK);
    let watch = world.watch();
    let verdict = world.run("verify").code(2).says("duplicate");
    let refused = world.run("apply").code(3);
    assert_eq!(world.to("10.200.0.0/24").len(), 2);
    let before = world.project_routes();
    let mended = world.run("apply --yes").code(0);
    world.assert_all_lead(2, address);
    assert_eq!(world.to("10.200.0.0/24")[0].0, "kubernetes-route-10-200-0-0-24", "the good one stays");
    assert_eq!(world.project_routes().len(), before.len() - 1);
    world.assert_never_without(watch);
    assert_snapshot("gcp-duplicate", &transcript([&verdict, &refused, &mended]));
}

#[test]
fn a_name_that_another_networks_route_has_gets_a_hash_and_that_route_stays() {
    let world = World::gcp(2);
    world.put_in("other", "kubernetes-route-10-200-0-0-24", "10.200.0.0/24", via(address(0)), MARK);
    let before = world.project_routes();
    world.run("apply").code(0);
    world.assert_all_lead(2, address);
    let name = world.to("10.200.0.0/24")[0].0.clone();
    let hash = name.strip_prefix("kubernetes-route-10-200-0-0-24-").expect("a suffix");
    assert!(hash.len() == 6 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
    world.run("apply").code(0).says("Nothing to change");
    world.run("destroy --yes").code(0);
    assert_eq!(world.project_routes(), before);
}

#[test]
fn an_unmarked_route_that_leads_elsewhere_is_a_conflict_until_it_is_taken_over() {
    let world = World::gcp(3);
    world.put_beside("by-hand", "10.200.1.0/24", via(address(2)), "mine");
    let (before, watch) = (world.project_routes(), world.watch());
    let runs = [
        world.run("plan --detailed-exitcode").code(2),
        world.run("apply").code(1),
        world.run("verify").code(2),
        world.run("apply --take-over").code(3),
    ];
    assert_eq!(world.to("10.200.1.0/24"), [("by-hand".to_owned(), before["by-hand"].clone())]);
    assert_eq!((world.to("10.200.0.0/24").len(), world.to("10.200.2.0/24").len()), (1, 1));
    let taken = world.run("apply --take-over --yes").code(0);
    world.assert_all_lead(3, address);
    world.assert_never_without(watch);
    world.run("apply").code(0).says("Nothing to change");
    assert_snapshot("gcp-conflict", &transcript(runs.iter().chain([&taken])));
}

#[test]
fn a_route_of_ours_with_another_priority_is_replaced_by_one_with_the_wanted_one() {
    let world = World::gcp(1);
    world.run("apply").code(0);
    let watch = world.watch();
    world.write("kroutes.toml", topology(1).replace("[gcp]\n", "[gcp]\npriority = 500\n"));
    world.run("apply --yes").code(0);
    world.assert_all_lead(1, address);
    assert_eq!(world.to("10.200.0.0/24")[0].1.priority, 500);
    world.assert_never_without(watch);
    world.run("apply").code(0).says("Nothing to change");
}

/// Somebody else deletes our route between two runs, and makes another one of its name that is none of ours.
#[test]
fn a_name_that_somebody_else_took_meanwhile_is_not_ours_for_its_name() {
    let world = World::gcp(2);
    world.run("apply").code(0);
    world.lab.change(|cloud| cloud.compute.remove_route("kubernetes-route-10-200-0-0-24"));
    world.put_beside(
        "kubernetes-route-10-200-0-0-24",
        "192.168.7.0/24",
        Hop::Gateway("default-internet-gateway".into()),
        "",
    );
    let taken = world.project_routes()["kubernetes-route-10-200-0-0-24"].clone();
    world.run("apply").code(0);
    world.assert_all_lead(2, address);
    world.run("destroy --yes").code(0);
    assert_eq!(world.project_routes()["kubernetes-route-10-200-0-0-24"], taken);
}
