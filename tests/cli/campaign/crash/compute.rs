//! The worlds of the campaign on Google Cloud: every way in which routes of ours can be wrong, and every sort of route that
//! is not ours, one of which has a name that would be ours.
//!
//! Operations take a moment, so that a run is killed between what it asked for and what came of it, and the next one looks
//! while that is still under way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use kroutes_lab::Options;
use kroutes_lab::model::compute::Route;

use super::{Entry, Ground, Scenario, Sort};
use crate::cli::world::compute::{MARK, address, options, seed, topology, via};
use crate::cli::world::{World, pod_range};

const DELAY: Duration = Duration::from_millis(150);

/// How many of each sort there are.
struct Counts {
    creates: usize,
    moved: usize,
    /// Of another priority than ours.
    deviating: usize,
    /// Right, with a second one beside.
    doubled: usize,
    right: usize,
    leftovers: usize,
}

/// 25 creations, 10 replacements, 5 duplicates and 10 deletions: fifty.
pub(super) const APPLY: Scenario = Scenario {
    name: "gcp-apply",
    words: "apply --prune --yes --max-deletes 100%",
    destroys: false,
    ground: || ground(&Counts { creates: 25, moved: 6, deviating: 4, doubled: 5, right: 5, leftovers: 10 }),
};

/// Nothing is missing here: only what is wrong tells that a killed run may still be making something.
pub(super) const MOVED: Scenario = Scenario {
    name: "gcp-moved",
    words: "apply --prune --yes --max-deletes 100%",
    destroys: false,
    ground: || ground(&Counts { creates: 0, moved: 4, deviating: 2, doubled: 0, right: 4, leftovers: 2 }),
};

pub(super) const DESTROY: Scenario = Scenario {
    name: "gcp-destroy",
    words: "destroy --yes",
    destroys: true,
    ground: || ground(&Counts { creates: 0, moved: 2, deviating: 2, doubled: 2, right: 14, leftovers: 4 }),
};

fn usual(destination: &str) -> String {
    format!("kubernetes-route-{}", destination.replace(['.', '/'], "-"))
}

fn ground(counts: &Counts) -> Ground {
    let workers = counts.creates + counts.moved + counts.deviating + counts.doubled + counts.right;
    let options = Options { operation_delay: DELAY, ..options() };
    let world = World::new_gcp(&topology(workers), seed(workers), options);

    let put = |network: &str, name: &str, destination: &str, nth: usize, priority: u32, description: &str| {
        let route = Route {
            id: 0,
            network: network.to_owned(),
            destination: destination.parse().expect("a range"),
            priority,
            description: description.to_owned(),
            tags: Vec::new(),
            hop: via(address(nth)),
            created: SystemTime::UNIX_EPOCH,
        };
        world.lab.change(|cloud| cloud.compute.put_route(name, route));
    };
    let ours =
        |destination: &str, nth, priority| put("kubernetes", &usual(destination), destination, nth, priority, MARK);
    let mut next = counts.creates;
    let mut take = |count: usize| {
        next += count;
        next - count..next
    };
    take(counts.moved).for_each(|nth| ours(&pod_range(nth), nth + 1, 1000));
    take(counts.deviating).for_each(|nth| ours(&pod_range(nth), nth, 900));
    for nth in take(counts.doubled) {
        ours(&pod_range(nth), nth, 1000);
        let name = format!("{}-0beef0", usual(&pod_range(nth)));
        put("kubernetes", &name, &pod_range(nth), nth + 1, 1000, MARK);
    }
    take(counts.right).for_each(|nth| ours(&pod_range(nth), nth, 1000));
    (100..100 + counts.leftovers).for_each(|nth| ours(&pod_range(nth), nth % workers, 1000));

    put("kubernetes", "by-hand", "10.200.240.0/24", 0, 1000, "");
    put("kubernetes", "neighbours", "10.200.241.0/24", 0, 1000, "kroutes cluster=other");
    put("kubernetes", "nearly", "10.200.242.0/24", 0, 1000, &format!("{MARK} "));
    put("kubernetes", "last-resort", &pod_range(0), 1, 2000, "");
    put("kubernetes", "outside", "10.201.0.0/24", 0, 1000, MARK);
    put("other", &usual(&pod_range(3)), &pod_range(3), 3, 1000, MARK);

    let wanted: BTreeSet<String> = (0..workers).map(pod_range).collect();
    Ground { world, wanted, look: Box::new(look), at_once: |_, _, _, _| Ok(()), at_last: |_, _| Ok(()), unbroken }
}

fn look(world: &World) -> Vec<Entry> {
    let entries = world.project_routes().into_iter().map(|(name, route)| {
        let destination = route.destination.to_string();
        let inside = destination.starts_with("10.200.");
        let is_right = || {
            let leads = |nth: usize| pod_range(nth) == destination && route.hop == via(address(nth));
            route.priority == 1000 && (0..100).any(leads)
        };
        let sort = match route.network == "kubernetes" && route.description == MARK && inside {
            false => Sort::Foreign,
            true if is_right() => Sort::Right,
            true => Sort::Other,
        };
        let Route { id, network, priority, description, tags, hop, .. } = route;
        // A route that was made anew is another one, however alike.
        let id = if sort == Sort::Foreign { id } else { 0 };
        let text = format!("{name} {id} in {network}: {destination} -> {hop:?} {priority} {tags:?} `{description}`");
        Entry { destination, text, sort }
    });
    entries.collect()
}

/// That no wanted destination which had a route of ours, or got one, was ever without.
fn unbroken(world: &World, wanted: &BTreeSet<String>, before: &[Entry]) -> Result<(), String> {
    let mut held: BTreeMap<String, i64> = BTreeMap::new();
    for entry in before.iter().filter(|entry| entry.is_ours()) {
        *held.entry(entry.destination.clone()).or_default() += 1;
    }
    for entry in world.lab.log() {
        let destination = entry.what.split(' ').nth(1).unwrap_or_default().to_owned();
        if !wanted.contains(&destination) {
            continue;
        }
        let count = held.entry(destination).or_default();
        *count += if entry.action == "routes.insert" { 1 } else { -1 };
        if *count < 1 {
            return Err(format!("a destination that stays was without a route: {entry:?}"));
        }
    }
    Ok(())
}
