//! The worlds of the campaign on EC2: a table with something of every sort that an apply mends, beside what is nobody's
//! business here.
//!
//! What may be pruned differs with the claim. Without it only routes to the workers themselves and to machines that are
//! proved gone are ours, so that is what the unclaimed world has for leftovers. A route to a machine that lives on and has
//! left the topology is ours under the claim alone; the claimed worlds have those, and one whose claim is lost too early
//! keeps them for ever.

use std::collections::{BTreeMap, BTreeSet};

use kroutes_lab::Options;
use kroutes_lab::SeedInstance;
use kroutes_lab::model::{Gateway, Target};

use super::{Entry, Ground, Scenario, Sort};
use crate::cli::world::{World, pod_range, seed, topology};

const CLAIM: &str = "kroutes/kubernetes";
const RANGE: &str = "10.200.0.0/16";

/// How many of each sort there are.
struct Counts {
    creates: usize,
    moved: usize,
    blackholes: usize,
    right: usize,
    /// Leftovers that lead to workers.
    lost: usize,
    /// Leftovers that lead to machines which are gone.
    gone: usize,
    /// Leftovers that lead to machines which live on and are no workers.
    left: usize,
    fixes: usize,
    claimed: bool,
}

/// 25 creations, 10 replacements, 8 deletions, 6 fixes and the claim: fifty.
pub(super) const APPLY: Scenario = Scenario {
    name: "aws-apply",
    words: "apply --prune --yes --max-deletes 100%",
    destroys: false,
    ground: || {
        ground(&Counts {
            creates: 25,
            moved: 5,
            blackholes: 5,
            right: 5,
            lost: 4,
            gone: 4,
            left: 0,
            fixes: 6,
            claimed: false,
        })
    },
};

/// What can be told as ours by the claim alone.
pub(super) const CLAIMED: Scenario = Scenario {
    name: "aws-claimed",
    words: "apply --prune --yes --max-deletes 100%",
    destroys: false,
    ground: || {
        ground(&Counts {
            creates: 6,
            moved: 2,
            blackholes: 2,
            right: 2,
            lost: 1,
            gone: 2,
            left: 6,
            fixes: 2,
            claimed: true,
        })
    },
};

pub(super) const DESTROY: Scenario = Scenario {
    name: "aws-destroy",
    words: "destroy --yes",
    destroys: true,
    ground: || {
        ground(&Counts {
            creates: 0,
            moved: 0,
            blackholes: 2,
            right: 18,
            lost: 2,
            gone: 2,
            left: 6,
            fixes: 0,
            claimed: true,
        })
    },
};

fn ground(counts: &Counts) -> Ground {
    let workers = counts.creates + counts.moved + counts.blackholes + counts.right;
    let mut seed = seed(workers);
    for (nth, instance) in seed.instances.iter_mut().enumerate() {
        instance.source_dest_check = nth < counts.fixes;
    }
    let others = ["gone", "left"].into_iter().flat_map(|sort| (0..9).map(move |nth| format!("{sort}-{nth}")));
    seed.instances.extend(others.chain(["stranger".to_owned()]).map(|name| SeedInstance::named(&name)));
    let world = World::new(&topology(workers), seed, Options::default());

    let put = |destination: &str, name: &str| world.put_instance_route(destination, &world.instance(name));
    let (moved, blackholes) = (counts.creates, counts.creates + counts.moved);
    let right = blackholes + counts.blackholes;
    (moved..blackholes).for_each(|nth| put(&pod_range(nth), &format!("worker-{}", nth - 1)));
    (blackholes..right).for_each(|nth| put(&pod_range(nth), &format!("gone-{}", nth % 9)));
    (right..workers).for_each(|nth| put(&pod_range(nth), &format!("worker-{nth}")));
    let leftovers = (0..counts.lost)
        .map(|nth| format!("worker-{nth}"))
        .chain((0..counts.gone).map(|nth| format!("gone-{nth}")))
        .chain((0..counts.left).map(|nth| format!("left-{nth}")));
    let leftovers: BTreeMap<String, String> =
        leftovers.enumerate().map(|(nth, to)| (pod_range(100 + nth), to)).collect();
    for (destination, name) in &leftovers {
        put(destination, name);
    }
    // Some have left a record behind, as in their first hour, and some have not.
    for nth in 0..9 {
        let id = world.instance(&format!("gone-{nth}"));
        world.lab.change(|cloud| if nth % 2 == 0 { cloud.terminate(&id) } else { cloud.forget_instance(&id) });
    }

    put("10.201.7.0/24", "stranger");
    world.put_route("10.200.240.0/24", Target::Gateway(Gateway::Nat, "nat-0123456789abcdef0".to_owned()));
    world.put_route("10.200.241.0/24", Target::Gateway(Gateway::Peering, "pcx-0123456789abcdef0".to_owned()));
    world.put_route("10.96.0.0/12", Target::Gateway(Gateway::Transit, "tgw-0123456789abcdef0".to_owned()));
    world.tag("kroutes/neighbour", "10.201.0.0/16");
    if counts.claimed {
        world.tag(CLAIM, RANGE);
    }

    let wanted: BTreeSet<String> = (0..workers).map(pod_range).collect();
    let ours = wanted.iter().cloned().chain(leftovers.into_keys()).collect();
    Ground { world, wanted, look: Box::new(move |world| look(world, &ours)), at_once, at_last, unbroken }
}

fn look(world: &World, ours: &BTreeSet<String>) -> Vec<Entry> {
    let name_of = |target: &Target| match target {
        Target::Instance { instance, .. } => world.lab.cloud(|cloud| {
            let name = cloud.instances.get(instance).and_then(|found| found.tags.get("Name").cloned());
            name.unwrap_or_else(|| instance.clone())
        }),
        other => format!("{other:?}"),
    };
    let entries = world.routes().into_iter().map(|route| {
        let destination = route.destination.to_string();
        let leads = name_of(&route.target);
        let is_right = || (0..100).any(|nth| pod_range(nth) == destination && leads == format!("worker-{nth}"));
        let sort = match ours.contains(&destination) {
            false => Sort::Foreign,
            true if is_right() => Sort::Right,
            true => Sort::Other,
        };
        Entry { text: format!("{destination} -> {leads} ({:?})", route.origin), destination, sort }
    });
    entries.collect()
}

/// The claim covers every write: it is there before the first, and until the last.
fn at_once(world: &World, before: &[Entry], now: &[Entry], destroys: bool) -> Result<(), String> {
    let claimed = world.tags().contains_key(CLAIM);
    let needed = if destroys { now.iter().any(Entry::is_ours) } else { before != now };
    if needed && !claimed {
        return Err("there are routes of ours, and no claim to know them by".to_owned());
    }
    Ok(())
}

fn at_last(world: &World, destroyed: bool) -> Result<(), String> {
    let tags = world.tags();
    let claim = tags.get(CLAIM).map(String::as_str);
    let expected = (!destroyed).then_some(RANGE);
    let neighbours = tags.get("kroutes/neighbour").map(String::as_str);
    if claim != expected || neighbours != Some("10.201.0.0/16") || tags.len() != 2 + usize::from(!destroyed) {
        return Err(format!("the table's tags are {tags:?}"));
    }
    let checked = |cloud: &kroutes_lab::Cloud| {
        let name = |id: &String| cloud.instances.get(id).and_then(|found| found.tags.get("Name").cloned());
        let on = cloud.interfaces.values().filter(|interface| interface.source_dest_check);
        on.filter_map(|interface| interface.attachment.as_ref().and_then(|held| name(&held.instance)))
            .collect::<BTreeSet<_>>()
    };
    let checked = world.lab.cloud(checked);
    let of_workers = checked.iter().filter(|name| name.starts_with("worker-")).count();
    if (of_workers > 0 && !destroyed) || !checked.contains("stranger") || !checked.contains("left-0") {
        return Err(format!("source/dest checks are on at {checked:?}"));
    }
    Ok(())
}

/// That nothing wanted was ever deleted: `ReplaceRoute` leaves no gap.
fn unbroken(world: &World, wanted: &BTreeSet<String>, _before: &[Entry]) -> Result<(), String> {
    let deleted = |entry: &&kroutes_lab::LogEntry| {
        entry.action == "DeleteRoute" && entry.what.split(' ').nth(1).is_some_and(|gone| wanted.contains(gone))
    };
    match world.lab.log().iter().find(deleted) {
        Some(entry) => Err(format!("a destination that stays was deleted: {entry:?}")),
        None => Ok(()),
    }
}
