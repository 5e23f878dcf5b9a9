//! Instances: where the addresses are that routes lead to, and the three writes that tests of trouble need.

use std::collections::BTreeSet;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::lists::Listing;
use super::{Answer, Visit, links, operations, routes};
use crate::Cloud;
use crate::model::compute::{Compute, Machine, Nic, Status};

/// The zones that there are: those with machines, and three in each region that has a subnetwork.
pub(super) fn zones(cloud: &Cloud) -> BTreeSet<String> {
    let compute = &cloud.compute;
    let held = compute.machines.keys().filter_map(|key| key.split_once('/')).map(|(zone, _)| zone.to_owned());
    let regions = regions(cloud);
    let usual = regions.iter().flat_map(|region| ["a", "b", "c"].map(|letter| format!("{region}-{letter}")));
    held.chain(usual).collect()
}

/// The regions that there are: those with subnetworks.
pub(super) fn regions(cloud: &Cloud) -> BTreeSet<String> {
    let keys = cloud.compute.subnetworks.keys().filter_map(|key| key.split_once('/'));
    keys.map(|(region, _)| region.to_owned()).collect()
}

pub(super) fn aggregated(visit: &mut Visit<'_>) -> Answer {
    let listing = Listing::read(visit.request, visit.options)?;
    let cloud = visit.world.view();
    let compute = &cloud.compute;
    let machines = compute.machines.iter();
    let page = listing.page(machines, |_| SystemTime::UNIX_EPOCH, |key, machine| show(compute, key, machine));
    let scopes = zones(cloud).into_iter().map(|zone| format!("zones/{zone}")).collect();
    Ok(page.aggregate(visit.request, "compute#instanceAggregatedList", "instances", scopes))
}

pub(super) fn list(visit: &mut Visit<'_>) -> Answer {
    let listing = Listing::read(visit.request, visit.options)?;
    let compute = &visit.world.view().compute;
    let prefix = format!("{}/", visit.request.id(0));
    let machines = compute.machines.iter().filter(|(key, _)| key.starts_with(&prefix));
    let page = listing.page(machines, |_| SystemTime::UNIX_EPOCH, |key, machine| show(compute, key, machine));
    Ok(page.answer(visit.request, "compute#instanceList"))
}

fn key(visit: &Visit<'_>) -> String {
    format!("{}/{}", visit.request.id(0), visit.request.id(1))
}

pub(super) fn get(visit: &mut Visit<'_>) -> Answer {
    let key = key(visit);
    let compute = &visit.world.cloud.compute;
    compute.machines.get(&key).map(|machine| show(compute, &key, machine)).ok_or_else(|| routes::not_found(visit))
}

pub(super) fn start(visit: &mut Visit<'_>) -> Answer {
    ask(visit, Some(Status::Running))
}

pub(super) fn stop(visit: &mut Visit<'_>) -> Answer {
    ask(visit, Some(Status::Terminated))
}

pub(super) fn delete(visit: &mut Visit<'_>) -> Answer {
    ask(visit, None)
}

fn ask(visit: &mut Visit<'_>, status: Option<Status>) -> Answer {
    let key = key(visit);
    operations::begin(visit, |compute, asked| compute.ask_machine(&key, status, asked))
}

fn show(compute: &Compute, key: &str, machine: &Machine) -> Value {
    let project = compute.project.as_str();
    let (zone, name) = key.split_once('/').unwrap_or(("", key));
    let zone = links::link(&format!("projects/{project}/zones/{zone}"));
    let items: Vec<Value> = machine.metadata.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    let mut metadata = json!({"kind": "compute#metadata", "fingerprint": "AAAAAAAAAAA="});
    if !items.is_empty() {
        metadata["items"] = items.into();
    }
    let mut tags = json!({"fingerprint": "AAAAAAAAAAA="});
    if !machine.tags.is_empty() {
        tags["items"] = json!(machine.tags);
    }
    let nics = machine.nics.iter().enumerate().map(|(index, nic)| show_nic(project, index, nic));
    let mut shown = json!({
        "kind": "compute#instance",
        "id": machine.id.to_string(),
        "creationTimestamp": links::AT_THE_START,
        "name": name,
        "machineType": format!("{zone}/machineTypes/e2-medium"),
        "status": machine.status.name(),
        "zone": zone,
        "canIpForward": machine.can_ip_forward,
        "networkInterfaces": nics.collect::<Vec<_>>(),
        "metadata": metadata,
        "tags": tags,
        "scheduling": {"automaticRestart": true, "onHostMaintenance": "MIGRATE", "preemptible": false},
        "fingerprint": "AAAAAAAAAAA=",
        "selfLink": links::placed(project, "zones", "instances", key),
    });
    if !machine.labels.is_empty() {
        shown["labels"] = json!(machine.labels);
    }
    shown
}

fn show_nic(project: &str, index: usize, nic: &Nic) -> Value {
    let mut shown = json!({
        "kind": "compute#networkInterface",
        "name": format!("nic{index}"),
        "network": links::global(project, "networks", &nic.network),
        "subnetwork": links::placed(project, "regions", "subnetworks", &nic.subnetwork),
        "networkIP": nic.address.to_string(),
        "stackType": if nic.ipv6.is_some() { "IPV4_IPV6" } else { "IPV4_ONLY" },
        "fingerprint": "AAAAAAAAAAA=",
    });
    if let Some(address) = nic.ipv6 {
        shown["ipv6Address"] = address.to_string().into();
    }
    if !nic.aliases.is_empty() {
        let ranges: Vec<Value> = nic.aliases.iter().map(|range| json!({"ipCidrRange": range.to_string()})).collect();
        shown["aliasIpRanges"] = ranges.into();
    }
    shown
}
