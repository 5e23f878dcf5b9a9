//! Two clouds of twelve workers, each in two states: in disorder, with something of every sort that an apply mends, and in
//! order, with something that a destroy or a prune removes. Routes of others stand beside ours in all of them.
//!
//! Pages are small here, so that a listing has a second one to fail.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use kroutes_lab::model::compute::{Hop as ComputeHop, Route as ComputeRoute};
use kroutes_lab::model::{Destination, Gateway, Target};
use kroutes_lab::{Options, SeedInstance};

use super::super::truth::{Held, Hop, Picture, Wish};
use crate::cli::world::{World, compute, pod_range, seed, topology};

pub(super) const WORKERS: usize = 12;
const PAGE: usize = 7;
const CLAIM: &str = "kroutes/kubernetes";

/// The workers that have no route, in disorder.
const MISSING: std::ops::Range<usize> = 0..5;
/// The workers whose route leads elsewhere, in disorder.
const MOVED: std::ops::Range<usize> = 5..8;

/// A world, and what is true of it.
pub(super) struct Ground {
    pub(super) world: World,
    pub(super) wish: Wish,
    pub(super) look: fn(&World) -> Picture,
}

/// A cloud, as far as the campaign has to know one from another.
pub(super) struct Site {
    pub(super) name: &'static str,
    pub(super) ground: fn(tidy: bool, dice: u64) -> Ground,
    /// The actions that list something.
    pub(super) listings: &'static [&'static str],
    /// The actions that only promise what they do.
    pub(super) promises: &'static [&'static str],
    /// The writes that nothing is read back of.
    pub(super) unread: &'static [&'static str],
    /// What an expired token is answered with: status and code.
    pub(super) expired: (u16, &'static str),
    /// What a full table is answered with.
    pub(super) full: (u16, &'static str),
}

pub(super) const EC2: Site = Site {
    name: "aws",
    ground: ec2,
    listings: &["DescribeRouteTables", "DescribeInstances"],
    promises: &[],
    unread: &["CreateTags", "DeleteTags", "ModifyInstanceAttribute"],
    expired: (400, "RequestExpired"),
    full: (400, "RouteLimitExceeded"),
};

pub(super) const COMPUTE: Site = Site {
    name: "gcp",
    ground: gcp,
    listings: &["routes.list", "instances.aggregatedList", "globalOperations.list"],
    promises: &["routes.insert", "routes.delete"],
    unread: &[],
    expired: (401, "authError"),
    full: (403, "quotaExceeded"),
};

fn pair(kind: &str, id: &impl ToString) -> (String, String) {
    (kind.to_owned(), id.to_string())
}

fn ec2(tidy: bool, dice: u64) -> Ground {
    let mut seed = seed(WORKERS);
    for (nth, instance) in seed.instances.iter_mut().enumerate() {
        instance.source_dest_check = !tidy && nth < 4;
    }
    seed.instances.extend(["gone", "stranger"].map(SeedInstance::named));
    let options = Options { seed: dice, largest_page: Some(PAGE), ..Options::default() };
    let world = World::new(&topology(WORKERS), seed, options);
    let put = |destination: &str, name: &str| world.put_instance_route(destination, &world.instance(name));
    let stale = BTreeSet::from(["10.200.90.0/24", "10.200.91.0/24"].map(str::to_owned));
    put("10.200.90.0/24", "worker-0");
    put("10.200.91.0/24", "gone");
    for nth in (0..WORKERS).filter(|nth| tidy || !MISSING.contains(nth)) {
        let to = match nth {
            7 if !tidy => "gone".to_owned(),
            nth if !tidy && MOVED.contains(&nth) => format!("worker-{}", nth - 1),
            nth => format!("worker-{nth}"),
        };
        put(&pod_range(nth), &to);
    }
    put("10.201.7.0/24", "stranger");
    let gone = world.instance("gone");
    world.lab.change(|cloud| cloud.terminate(&gone));
    world.put_route("10.200.240.0/24", Target::Gateway(Gateway::Nat, "nat-0123456789abcdef0".to_owned()));
    world.put_route("10.96.0.0/12", Target::Gateway(Gateway::Transit, "tgw-0123456789abcdef0".to_owned()));
    world.tag("kroutes/neighbour", "10.201.0.0/16");
    if tidy {
        world.tag(CLAIM, "10.200.0.0/16");
    }
    let wanted = |nth| {
        let instance = world.instance(&format!("worker-{nth}"));
        (pod_range(nth), Hop::from([pair("instance", &instance)]))
    };
    let routes = (0..WORKERS).map(wanted).collect();
    Ground { wish: Wish { routes, stale }, world, look: look_ec2 }
}

fn look_ec2(world: &World) -> Picture {
    let held = |route: kroutes_lab::model::Route| {
        let hop = match &route.target {
            Target::Instance { instance, interface } => {
                Hop::from([pair("instance", &instance), pair("interface", &interface)])
            }
            other => Hop::from([pair("other", &format!("{other:?}"))]),
        };
        let marked =
            matches!(route.target, Target::Instance { .. }) && matches!(route.destination, Destination::Net(_));
        let text = format!("{route:?}");
        Held { destination: route.destination.to_string(), name: None, hop, marked, text }
    };
    let routes = world.routes().into_iter().map(held).collect();
    let mut tags = world.tags();
    let claim = tags.remove(CLAIM);
    let all = world.lab.cloud(|cloud| {
        let on = |(id, it): (&String, &kroutes_lab::model::Interface)| {
            let name = it.attachment.as_ref().and_then(|held| cloud.instances.get(&held.instance)?.tags.get("Name"));
            (name.unwrap_or(id).clone(), it.source_dest_check)
        };
        cloud.interfaces.iter().map(on).collect::<BTreeMap<_, _>>()
    });
    let (checks, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
        all.into_iter().partition(|(name, _)| name.starts_with("worker-"));
    let tables = world.lab.cloud(|cloud| {
        let others = cloud.tables.iter().filter(|(id, _)| **id != world.table);
        others.map(|(id, table)| format!("{id} {table:?}")).collect::<Vec<_>>()
    });
    Picture { routes, checks, claim, rest: format!("{tags:?} {others:?} {tables:?}") }
}

fn gcp(tidy: bool, dice: u64) -> Ground {
    let options = Options { seed: dice, largest_page: Some(PAGE), ..compute::options() };
    // Who waits for an operation that never ends shall not wait long.
    let text = compute::topology(WORKERS).replace("[gcp]\n", "[gcp]\noperation-timeout = 2\n");
    let world = World::new_gcp(&text, compute::seed(WORKERS), options);
    let put = |network: &str, name: &str, destination: &str, nth: usize, description: &str| {
        let route = ComputeRoute {
            id: 0,
            network: network.to_owned(),
            destination: destination.parse().expect("a range"),
            priority: 1000,
            description: description.to_owned(),
            tags: Vec::new(),
            hop: compute::via(compute::address(nth)),
            created: SystemTime::UNIX_EPOCH,
        };
        world.lab.change(|cloud| cloud.compute.put_route(name, route));
    };
    let usual = |destination: &str| format!("kubernetes-route-{}", destination.replace(['.', '/'], "-"));
    let ours = |destination: &str, nth| put("kubernetes", &usual(destination), destination, nth, compute::MARK);
    let stale = BTreeSet::from(["10.200.90.0/24", "10.200.91.0/24"].map(str::to_owned));
    for destination in &stale {
        ours(destination, 0);
    }
    for nth in (0..WORKERS).filter(|nth| tidy || !MISSING.contains(nth)) {
        ours(&pod_range(nth), if !tidy && MOVED.contains(&nth) { nth - 1 } else { nth });
    }
    if !tidy {
        // Right, with a second one beside.
        put("kubernetes", &format!("{}-0beef0", usual(&pod_range(8))), &pod_range(8), 9, compute::MARK);
    }
    put("kubernetes", "by-hand", "10.200.240.0/24", 0, "");
    put("kubernetes", "neighbours", "10.200.241.0/24", 0, "kroutes cluster=other");
    put("kubernetes", "outside", "10.201.0.0/24", 0, compute::MARK);
    // Names are the project's: where there is no route yet, another network has its name.
    let taken = if tidy { "elsewhere".to_owned() } else { usual(&pod_range(3)) };
    put("other", &taken, &pod_range(3), 3, compute::MARK);
    let wanted = |nth| (pod_range(nth), Hop::from([pair("address", &compute::address(nth))]));
    let routes = (0..WORKERS).map(wanted).collect();
    Ground { wish: Wish { routes, stale }, world, look: look_gcp }
}

fn look_gcp(world: &World) -> Picture {
    let (here, elsewhere): (Vec<_>, Vec<_>) =
        world.project_routes().into_iter().partition(|(_, route)| route.network == "kubernetes");
    let held = |(name, route): (String, ComputeRoute)| {
        let hop = match &route.hop {
            ComputeHop::Address(address) => Hop::from([pair("address", &address)]),
            other => Hop::from([pair("other", &format!("{other:?}"))]),
        };
        let text = format!("{name} {route:?}");
        let marked = route.description == compute::MARK;
        Held { destination: route.destination.to_string(), name: Some(name), hop, marked, text }
    };
    let routes = here.into_iter().map(held).collect();
    Picture { routes, checks: BTreeMap::new(), claim: None, rest: format!("{elsewhere:?}") }
}
