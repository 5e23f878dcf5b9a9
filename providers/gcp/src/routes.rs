//! From Compute Engine's description of a route to the core's.
//!
//! One list holds everything: static routes of all networks of the project, the routes of subnets, and what peers and
//! gateways announced. What a route leads to is told by which of ten fields is filled. The mark is the description,
//! compared whole, because a route has no labels and a description that merely begins alike is somebody else's.
//!
//! Compute Engine takes a route whose next hop nobody has, and says so afterwards in a warning on the route. Those that
//! mean that nobody receives the packets make it a black hole; a machine that receives them but may not forward is
//! another trouble, which is told of the machine.

use ipnet::IpNet;
use kroutes_core::{
    ClusterName, Destination, Life, NextHop, ObservedRoute, Origin, Quota, RouteState, Table, TableId, Target,
};

use crate::settings::Resolved;
use crate::{links, wire};

/// The priority of a route that shows none: Compute Engine's default ("Static routes", VPC documentation).
const DEFAULT_PRIORITY: u32 = 1000;

/// Warnings on a route that mean that its packets arrive nowhere (Compute Engine API, `routes.get`, `warnings[].code`).
const DEAD: [&str; 5] = [
    "NEXT_HOP_ADDRESS_NOT_ASSIGNED",
    "NEXT_HOP_INSTANCE_NOT_FOUND",
    "NEXT_HOP_INSTANCE_NOT_ON_NETWORK",
    "NEXT_HOP_INSTANCE_HAS_NO_IPV6_INTERFACE",
    AT_REST,
];

/// Of those the one that says that there is a machine: it has been stopped, and may be started again.
const AT_REST: &str = "NEXT_HOP_NOT_RUNNING";

/// What the descriptions of all clusters' routes begin with.
pub(crate) const MARK: &str = "kroutes cluster=";

/// The description that makes a route ours.
pub(crate) fn mark(cluster: &ClusterName) -> String {
    format!("{MARK}{cluster}")
}

/// Whether packets that follow a route with that warning are lost before any machine could forward them.
pub(crate) fn is_dead(code: &str) -> bool {
    DEAD.contains(&code)
}

pub(crate) fn destination(route: &wire::Route) -> Destination {
    match route.dest_range.parse::<IpNet>() {
        Ok(net) => Destination::net(net),
        Err(_) => Destination::Other(route.dest_range.clone()),
    }
}

/// All targets that Compute Engine shows, the one to print first.
pub(crate) fn next_hops(route: &wire::Route) -> Vec<NextHop> {
    let address = route.next_hop_ip.as_deref().map(|text| match text.parse() {
        Ok(address) => NextHop::Address(address),
        Err(_) => NextHop::Other("address".to_owned(), text.to_owned()),
    });
    let instance = route.next_hop_instance.as_deref().map(|link| NextHop::Instance(key_of(link)));
    let others = [
        ("gateway", &route.next_hop_gateway),
        ("vpn-tunnel", &route.next_hop_vpn_tunnel),
        ("ilb", &route.next_hop_ilb),
        ("peering", &route.next_hop_peering),
        ("hub", &route.next_hop_hub),
        ("interconnect-attachment", &route.next_hop_interconnect_attachment),
        ("network", &route.next_hop_network),
    ];
    let others = others
        .into_iter()
        .filter_map(|(kind, link)| Some(NextHop::Other(kind.to_owned(), links::last(link.as_deref()?).to_owned())));
    address.into_iter().chain(instance).chain(others).collect()
}

fn key_of(link: &str) -> String {
    links::instance_key(link).unwrap_or_else(|| links::last(link).to_owned())
}

/// Whether all that keeps packets from arriving is that the machine has been stopped.
fn is_at_rest(route: &wire::Route) -> bool {
    let mut dead = route.warnings.iter().filter(|warning| is_dead(&warning.code)).peekable();
    dead.peek().is_some() && dead.all(|warning| warning.code == AT_REST)
}

fn target(next_hops: &[NextHop], at_rest: bool) -> Target {
    match next_hops.first() {
        Some(NextHop::Address(_)) if at_rest => Target::AddressAtRest,
        Some(NextHop::Address(_)) => Target::Address,
        Some(NextHop::Instance(key)) => Target::Machine {
            id: key.clone(),
            life: Life::Unknown("not looked up: here the mark says whose a route is".to_owned()),
        },
        Some(other) => Target::NotAMachine(other.kind().to_owned()),
        None => Target::NotAMachine("unknown".to_owned()),
    }
}

fn state(route: &wire::Route) -> RouteState {
    if route.warnings.iter().any(|warning| is_dead(&warning.code)) {
        return RouteState::Blackhole;
    }
    match route.route_status.as_deref() {
        None | Some("" | "ACTIVE") => RouteState::Active,
        Some(word) => RouteState::Other(word.to_lowercase()),
    }
}

fn origin(route: &wire::Route) -> Origin {
    let learned = [&route.next_hop_peering, &route.next_hop_hub, &route.next_hop_interconnect_attachment];
    if learned.iter().any(|field| field.is_some()) {
        return Origin::Propagated;
    }
    match route.route_type.as_deref() {
        Some("SUBNET") => Origin::Local,
        Some("BGP" | "TRANSIT") => Origin::Propagated,
        None | Some("" | "STATIC") if route.next_hop_network.is_some() => Origin::Local,
        None | Some("" | "STATIC") => Origin::Static,
        Some(other) => Origin::Other(other.to_lowercase()),
    }
}

/// What differs from what we would write, besides the next hop.
fn deviation(route: &wire::Route, origin: &Origin, precedence: u32, wanted: u32) -> Option<String> {
    if *origin != Origin::Static {
        return Some(format!("{}, not static", origin.as_str()));
    }
    let mut words = Vec::new();
    if precedence != wanted {
        words.push(format!("priority {precedence} instead of {wanted}"));
    }
    if !route.tags.is_empty() {
        let tags: Vec<String> = route.tags.iter().map(|tag| format!("`{tag}`")).collect();
        words.push(format!("only for instances with the network tag {}", tags.join(", ")));
    }
    (!words.is_empty()).then(|| words.join("; "))
}

/// One route as the core sees it, given our mark and the priority that we write.
pub(crate) fn observed(route: &wire::Route, mark: &str, priority: u32) -> ObservedRoute {
    let (next_hops, origin) = (next_hops(route), origin(route));
    let absent = if origin == Origin::Local { 0 } else { DEFAULT_PRIORITY };
    let precedence = route.priority.unwrap_or(absent);
    ObservedRoute {
        destination: destination(route),
        target: target(&next_hops, is_at_rest(route)),
        next_hops,
        state: state(route),
        marked: origin == Origin::Static && route.description.as_deref() == Some(mark),
        deviation: deviation(route, &origin, precedence, priority),
        origin,
        precedence,
        name: Some(route.name.clone()),
    }
}

/// The routes of the network, out of a listing of the whole project.
pub(crate) fn of_network<'a>(
    listed: &'a [wire::Route],
    network_path: &'a str,
) -> impl Iterator<Item = &'a wire::Route> + 'a {
    listed.iter().filter(move |route| links::path(&route.network) == network_path)
}

/// Whether a route takes from the network's quota: what somebody made, but not the default route that came with the
/// network ("Quotas and limits", VPC documentation: user-defined static routes).
fn counts(route: &ObservedRoute) -> bool {
    let came_with_it = route.name.as_ref().is_some_and(|name| name.starts_with("default-route-"));
    route.origin == Origin::Static && !came_with_it
}

/// The network as a table of the core. Routes of other networks are left out.
pub(crate) fn table(listed: &[wire::Route], settings: &Resolved, mark: &str) -> Table {
    let network_path = settings.network_path();
    let routes: Vec<ObservedRoute> =
        of_network(listed, &network_path).map(|route| observed(route, mark, settings.priority)).collect();
    let used = routes.iter().filter(|route| counts(route)).count();
    let quota = settings.routes_limit.map(|limit| Quota {
        name: "static routes".to_owned(),
        ipv6: None,
        limit,
        used: u32::try_from(used).unwrap_or(u32::MAX),
    });
    Table {
        id: TableId(settings.network.clone()),
        location: settings.project.clone(),
        routes,
        quotas: quota.into_iter().collect(),
        claims: Vec::new(),
    }
}

#[cfg(test)]
#[path = "routes_tests.rs"]
mod tests;
