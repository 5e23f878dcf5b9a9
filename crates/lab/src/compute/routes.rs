//! Routes: listed, shown, asked for.

use serde_json::{Value, json};

use super::lists::Listing;
use super::{Answer, Visit, bodies, links, operations};
use crate::model::Refusal;
use crate::model::compute::{Compute, Hop, NextHops, Route};

pub(super) fn list(visit: &mut Visit<'_>) -> Answer {
    let listing = Listing::read(visit.request, visit.options)?;
    let compute = &visit.world.view().compute;
    let hops = compute.next_hops();
    let page = listing.page(compute.routes.iter(), |route| route.created, |name, it| show(compute, &hops, name, it));
    Ok(page.answer(visit.request, "compute#routeList"))
}

pub(super) fn get(visit: &mut Visit<'_>) -> Answer {
    let compute = &visit.world.cloud.compute;
    let name = visit.request.id(0);
    let found = compute.routes.get(name).map(|route| show(compute, &compute.next_hops(), name, route));
    found.ok_or_else(|| not_found(visit))
}

/// The refusal of a path that leads to nothing.
pub(super) fn not_found(visit: &Visit<'_>) -> Refusal {
    let message = format!("The resource '{}' was not found", visit.request.path);
    Refusal::with_status(404, "notFound", message)
}

pub(super) fn insert(visit: &mut Visit<'_>) -> Answer {
    let (name, route) = bodies::new_route(visit.request.json()?, &visit.request.project)?;
    operations::begin(visit, |compute, asked| compute.insert_route(&name, route, asked))
}

pub(super) fn delete(visit: &mut Visit<'_>) -> Answer {
    let name = visit.request.id(0);
    operations::begin(visit, |compute, asked| compute.delete_route(name, asked))
}

/// Where a route leads, for people.
pub(super) fn tell(hop: &Hop) -> String {
    match hop {
        Hop::Address(address) => address.to_string(),
        Hop::Machine(other)
        | Hop::Gateway(other)
        | Hop::Network(other)
        | Hop::VpnTunnel(other)
        | Hop::Ilb(other)
        | Hop::Peering(other) => other.clone(),
    }
}

fn show(compute: &Compute, hops: &NextHops<'_>, name: &str, route: &Route) -> Value {
    let project = compute.project.as_str();
    let own = matches!(route.hop, Hop::Network(_) | Hop::Peering(_));
    let mut shown = json!({
        "kind": "compute#route",
        "id": route.id.to_string(),
        "creationTimestamp": links::time(route.created),
        "name": name,
        "description": route.description,
        "network": links::global(project, "networks", &route.network),
        "destRange": route.destination.to_string(),
        "priority": route.priority,
        "routeType": if own { "SUBNET" } else { "STATIC" },
        "selfLink": links::global(project, "routes", name),
    });
    let (field, value) = match &route.hop {
        Hop::Address(address) => ("nextHopIp", address.to_string()),
        Hop::Machine(key) => ("nextHopInstance", links::placed(project, "zones", "instances", key)),
        Hop::Gateway(gateway) => ("nextHopGateway", links::global(project, "gateways", gateway)),
        Hop::Network(network) => ("nextHopNetwork", links::global(project, "networks", network)),
        Hop::VpnTunnel(key) => ("nextHopVpnTunnel", links::placed(project, "regions", "vpnTunnels", key)),
        Hop::Ilb(ilb) => ("nextHopIlb", ilb.clone()),
        Hop::Peering(peering) => ("nextHopPeering", peering.clone()),
    };
    shown[field] = value.into();
    if !route.tags.is_empty() {
        shown["tags"] = json!(route.tags);
    }
    let warnings: Vec<Value> = hops
        .warnings(route)
        .into_iter()
        .map(|warning| json!({"code": warning.code, "message": warning.message, "data": []}))
        .collect();
    if !warnings.is_empty() {
        shown["warnings"] = warnings.into();
    }
    shown
}
