//! What routes stand in: the project, its networks and subnetworks, and where they are. Read only: they come with the
//! lab.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::instances::{regions as all_regions, zones as all_zones};
use super::lists::Listing;
use super::{Answer, Visit, links, routes};
use crate::model::compute::{Compute, Network, Subnetwork};

#[expect(clippy::unnecessary_wraps, reason = "it is a method like those that may refuse")]
pub(super) fn project(visit: &mut Visit<'_>) -> Answer {
    let compute = &visit.world.cloud.compute;
    Ok(json!({
        "kind": "compute#project",
        "id": compute.number.to_string(),
        "creationTimestamp": links::AT_THE_START,
        "name": compute.project,
        "commonInstanceMetadata": {"kind": "compute#metadata", "fingerprint": "AAAAAAAAAAA="},
        "selfLink": links::link(&format!("projects/{}", compute.project)),
    }))
}

pub(super) fn list(visit: &mut Visit<'_>) -> Answer {
    let listing = Listing::read(visit.request, visit.options)?;
    let compute = &visit.world.view().compute;
    let networks = compute.networks.iter();
    let page = listing.page(networks, |_| SystemTime::UNIX_EPOCH, |name, network| show(compute, name, network));
    Ok(page.answer(visit.request, "compute#networkList"))
}

pub(super) fn get(visit: &mut Visit<'_>) -> Answer {
    let compute = &visit.world.cloud.compute;
    let name = visit.request.id(0);
    let found = compute.networks.get(name).map(|network| show(compute, name, network));
    found.ok_or_else(|| routes::not_found(visit))
}

fn show(compute: &Compute, name: &str, network: &Network) -> Value {
    let project = compute.project.as_str();
    let own = compute.subnetworks.iter().filter(|(_, subnetwork)| subnetwork.network == name);
    let subnetworks: Vec<String> = own.map(|(key, _)| links::placed(project, "regions", "subnetworks", key)).collect();
    let mut shown = json!({
        "kind": "compute#network",
        "id": network.id.to_string(),
        "creationTimestamp": links::AT_THE_START,
        "name": name,
        "description": network.description,
        "autoCreateSubnetworks": false,
        "mtu": 1460,
        "networkFirewallPolicyEnforcementOrder": "AFTER_CLASSIC_FIREWALL",
        "routingConfig": {"routingMode": "REGIONAL"},
        "selfLink": links::global(project, "networks", name),
        "selfLinkWithId": links::global(project, "networks", &network.id.to_string()),
    });
    if !subnetworks.is_empty() {
        shown["subnetworks"] = json!(subnetworks);
    }
    shown
}

pub(super) fn aggregated_subnetworks(visit: &mut Visit<'_>) -> Answer {
    let listing = Listing::read(visit.request, visit.options)?;
    let cloud = visit.world.view();
    let compute = &cloud.compute;
    let all = compute.subnetworks.iter();
    let page = listing.page(all, |_| SystemTime::UNIX_EPOCH, |key, it| show_subnetwork(compute, key, it));
    let scopes = all_regions(cloud).into_iter().map(|region| format!("regions/{region}")).collect();
    Ok(page.aggregate(visit.request, "compute#subnetworkAggregatedList", "subnetworks", scopes))
}

pub(super) fn subnetworks(visit: &mut Visit<'_>) -> Answer {
    let listing = Listing::read(visit.request, visit.options)?;
    let compute = &visit.world.view().compute;
    let prefix = format!("{}/", visit.request.id(0));
    let here = compute.subnetworks.iter().filter(|(key, _)| key.starts_with(&prefix));
    let page = listing.page(here, |_| SystemTime::UNIX_EPOCH, |key, it| show_subnetwork(compute, key, it));
    Ok(page.answer(visit.request, "compute#subnetworkList"))
}

pub(super) fn subnetwork(visit: &mut Visit<'_>) -> Answer {
    let compute = &visit.world.cloud.compute;
    let key = format!("{}/{}", visit.request.id(0), visit.request.id(1));
    let found = compute.subnetworks.get(&key).map(|subnetwork| show_subnetwork(compute, &key, subnetwork));
    found.ok_or_else(|| routes::not_found(visit))
}

fn show_subnetwork(compute: &Compute, key: &str, subnetwork: &Subnetwork) -> Value {
    let project = compute.project.as_str();
    let (region, name) = key.split_once('/').unwrap_or(("", key));
    let mut shown = json!({
        "kind": "compute#subnetwork",
        "id": subnetwork.id.to_string(),
        "creationTimestamp": links::AT_THE_START,
        "name": name,
        "network": links::global(project, "networks", &subnetwork.network),
        "ipCidrRange": subnetwork.range.to_string(),
        "gatewayAddress": subnetwork.range.hosts().next().map(|address| address.to_string()),
        "region": links::link(&format!("projects/{project}/regions/{region}")),
        "purpose": "PRIVATE",
        "privateIpGoogleAccess": false,
        "stackType": if subnetwork.ipv6_range.is_some() { "IPV4_IPV6" } else { "IPV4_ONLY" },
        "fingerprint": "AAAAAAAAAAA=",
        "selfLink": links::placed(project, "regions", "subnetworks", key),
    });
    if let Some(range) = subnetwork.ipv6_range {
        shown["ipv6CidrRange"] = range.to_string().into();
        shown["internalIpv6Prefix"] = range.to_string().into();
        shown["ipv6AccessType"] = "INTERNAL".into();
    }
    shown
}

/// The places of one kind, as a listing.
fn places(visit: &Visit<'_>, kind: &str, names: impl IntoIterator<Item = String>) -> Answer {
    let listing = Listing::read(visit.request, visit.options)?;
    let names: Vec<(String, ())> = names.into_iter().map(|name| (name, ())).collect();
    let project = visit.request.project.as_str();
    let page = listing.page(
        names.iter().map(|(name, nothing)| (name, nothing)),
        |()| SystemTime::UNIX_EPOCH,
        |name, ()| show_place(project, kind, name),
    );
    Ok(page.answer(visit.request, &format!("compute#{kind}List")))
}

fn show_place(project: &str, kind: &str, name: &str) -> Value {
    let mut shown = json!({
        "kind": format!("compute#{kind}"),
        "id": "1000",
        "creationTimestamp": links::AT_THE_START,
        "name": name,
        "description": name,
        "status": "UP",
        "selfLink": links::link(&format!("projects/{project}/{kind}s/{name}")),
    });
    if let Some((region, _)) = name.rsplit_once('-').filter(|_| kind == "zone") {
        shown["region"] = links::link(&format!("projects/{project}/regions/{region}")).into();
    }
    shown
}

pub(super) fn zones(visit: &mut Visit<'_>) -> Answer {
    let zones = all_zones(&visit.world.cloud);
    places(visit, "zone", zones)
}

pub(super) fn zone(visit: &mut Visit<'_>) -> Answer {
    let there = all_zones(&visit.world.cloud).contains(visit.request.id(0));
    place(visit, "zone", there)
}

pub(super) fn regions(visit: &mut Visit<'_>) -> Answer {
    let regions = all_regions(&visit.world.cloud);
    places(visit, "region", regions)
}

pub(super) fn region(visit: &mut Visit<'_>) -> Answer {
    let there = all_regions(&visit.world.cloud).contains(visit.request.id(0));
    place(visit, "region", there)
}

fn place(visit: &Visit<'_>, kind: &str, there: bool) -> Answer {
    let shown = there.then(|| show_place(&visit.request.project, kind, visit.request.id(0)));
    shown.ok_or_else(|| routes::not_found(visit))
}
