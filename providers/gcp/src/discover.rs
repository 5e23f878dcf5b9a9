//! Workers that Compute Engine itself knows.
//!
//! The project's instances are listed anyway, with their labels and metadata, so choosing among them costs nothing more:
//! by name and labels, inside the network of the routes, and their ranges from the metadata item `pod-cidr`. A listing
//! that is short of a zone is an error here: a worker that was not seen would be missing, and its routes would look stale.
//!
//! A machine that fits and cannot be used is left out with its reason and hides no other.

use std::collections::{BTreeMap, HashSet};

use kroutes_core::{
    Discovered, Error, ErrorKind, LeftOut, MachineRef, PodCidr, RangeFrom, Result, Selector, Worker, WorkerName,
    pod_cidr_list,
};
use wildmatch::WildMatch;

use crate::backend::GcpBackend;
use crate::instances::{Machine, described};
use crate::wire::Instance;

/// The metadata item that holds a worker's range.
const KEY: &str = "pod-cidr";
/// The state of an instance that is about to be gone (Compute Engine API, `instances`, `status`). `TERMINATED` is not: that
/// is Google's word for stopped.
const GOING: &str = "DEPROVISIONING";

impl GcpBackend {
    pub(crate) async fn discovered(&self, selector: &Selector) -> Result<Discovered> {
        self.compute.authenticate().await?;
        let listed = self.compute.instances().await?;
        if !listed.complete {
            let message = "the instances cannot be told: not every zone could be listed";
            return Err(Error::new(ErrorKind::Unavailable, message).help("run again later"));
        }
        // A network that does not exist has no instances either, and that must not be taken for a cluster without workers.
        self.compute.network(&self.settings.network).await?;
        Ok(choose(selector, &listed.found, &self.network_path()))
    }
}

/// A fitting instance with what it says of its range.
type Fitting = (Machine, Result<Vec<PodCidr>>);

fn choose(selector: &Selector, listed: &[Instance], network_path: &str) -> Discovered {
    let mut seen = HashSet::new();
    let mut by_name: BTreeMap<&str, Vec<Fitting>> = BTreeMap::new();
    for instance in listed.iter().filter(|instance| fits(selector, instance)) {
        let machine = Machine::new(instance, network_path);
        // A machine that moves from page to page during the listing may be on both.
        if machine.is_here && seen.insert(machine.key.clone()) {
            let ranges = match selector.range {
                RangeFrom::Machine => said(instance, &machine.key),
                RangeFrom::Elsewhere => Ok(Vec::new()),
            };
            by_name.entry(&instance.name).or_default().push((machine, ranges));
        }
    }
    let mut discovered = Discovered::default();
    for (name, mut fitting) in by_name {
        // Compute Engine's names are narrower than ours (RFC 1035), so an unreadable one is in no real answer.
        let Ok(name) = name.parse::<WorkerName>() else { continue };
        match (fitting.pop(), fitting.is_empty()) {
            (Some((machine, Ok(pod_cidrs))), true) => discovered.workers.push(Worker {
                name,
                pod_cidrs,
                addresses: [false, true].into_iter().filter_map(|ipv6| machine.address(ipv6)).collect(),
                machine: MachineRef::Id(machine.key),
            }),
            (Some((_, Err(why))), true) => discovered.left_out.push(left_out(name, Vec::new(), why)),
            (last, _) => {
                fitting.extend(last);
                fitting.sort_by(|a, b| a.0.key.cmp(&b.0.key));
                discovered.left_out.push(ambiguous(name, fitting));
            }
        }
    }
    discovered
}

fn fits(selector: &Selector, instance: &Instance) -> bool {
    instance.status != GOING
        && selector.name.as_ref().is_none_or(|glob| WildMatch::new(glob).matches(&instance.name))
        && selector.labels.iter().all(|(key, value)| instance.labels.get(key) == Some(value))
}

/// The ranges in an instance's metadata. Other items may be secrets: nothing of them is repeated.
fn said(instance: &Instance, key: &str) -> Result<Vec<PodCidr>> {
    let items: Vec<Option<&str>> =
        instance.metadata.items.iter().filter(|item| item.key == KEY).map(|item| item.value.as_deref()).collect();
    let told = |kind, message: String, help: &str| Error::new(kind, message).help(help);
    match items.as_slice() {
        [] => Err(told(
            ErrorKind::NotFound,
            format!("instance `{key}` has no metadata item `{KEY}`"),
            "add it: `gcloud compute instances add-metadata NAME --metadata pod-cidr=10.200.0.0/24`; or allot ranges by `pod-cidr = \"node-prefix\"`",
        )),
        [value] => pod_cidr_list(value.unwrap_or_default()).map_err(|error| {
            told(error.kind(), format!("the metadata of instance `{key}`: {error}"), "write it like `10.200.0.0/24`")
        }),
        several => Err(told(
            ErrorKind::Invalid,
            format!("instance `{key}` has {} metadata items `{KEY}`", several.len()),
            "write it once; ranges of two families are separated by a comma",
        )),
    }
}

fn left_out(name: WorkerName, pod_cidrs: Vec<PodCidr>, why: Error) -> LeftOut {
    LeftOut { name, pod_cidrs, why, is_fault: true }
}

/// Names are unique in a zone only.
fn ambiguous(name: WorkerName, fitting: Vec<Fitting>) -> LeftOut {
    let list: Vec<String> = fitting.iter().map(|(machine, _)| described(machine)).collect();
    let message = format!("named `{name}` there are {} instances: {}", list.len(), list.join(", "));
    // If one did not say its own, which they are is not known, and a part would pass for the whole.
    let known = fitting.into_iter().map(|(_, ranges)| ranges).collect::<Result<Vec<_>>>().unwrap_or_default().concat();
    let why =
        Error::new(ErrorKind::Invalid, message).help("give each a name of its own, or narrow the source by `labels`");
    left_out(name, known, why)
}

#[cfg(test)]
#[path = "discover_tests.rs"]
mod tests;
