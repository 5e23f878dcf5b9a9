//! From EC2's description of a route table to the core's.
//!
//! EC2 resolves an instance target to its interface and shows both; an interface that is attached shows its instance too.
//! So the targets are a list, instance first, and a route leads to a worker if any of them is the worker's. What a route
//! points to is told by which of a dozen fields is filled, and gateways of several kinds share one of them, told apart by
//! the id's prefix.

use aws_sdk_ec2::types::{Route as Ec2Route, RouteOrigin, RouteState as Ec2State, RouteTable};
use ipnet::IpNet;
use kroutes_core::{
    Claim, Destination, Life, NextHop, ObservedRoute, Origin, Quota, RouteState, Table, TableId, Target,
};

use crate::life::Circumstances;

/// What the key of a claim begins with, before the cluster's name.
pub(crate) const CLAIM: &str = "kroutes/";

/// Where a route leads to, in the form of the core.
pub(crate) fn destination(route: &Ec2Route) -> Destination {
    let text = route
        .destination_cidr_block()
        .or(route.destination_ipv6_cidr_block())
        .or(route.destination_prefix_list_id())
        .unwrap_or_default();
    match text.parse::<IpNet>() {
        Ok(net) => Destination::net(net),
        Err(_) => Destination::Other(text.to_owned()),
    }
}

/// All targets that EC2 shows, the one to print first.
pub(crate) fn next_hops(route: &Ec2Route) -> Vec<NextHop> {
    let instance = route.instance_id().map(|id| NextHop::Instance(id.to_owned()));
    let interface = route.network_interface_id().map(|id| NextHop::Interface(id.to_owned()));
    let others = [
        (route.gateway_id().map(gateway), route.gateway_id()),
        (Some("nat-gateway"), route.nat_gateway_id()),
        (Some("transit-gateway"), route.transit_gateway_id()),
        (Some("vpc-peering"), route.vpc_peering_connection_id()),
        (Some("egress-only-internet-gateway"), route.egress_only_internet_gateway_id()),
        (Some("local-gateway"), route.local_gateway_id()),
        (Some("carrier-gateway"), route.carrier_gateway_id()),
        (Some("core-network"), route.core_network_arn()),
        (Some("odb-network"), route.odb_network_arn()),
    ];
    let others = others.into_iter().filter_map(|(kind, id)| Some(NextHop::Other(kind?.to_owned(), id?.to_owned())));
    instance.into_iter().chain(interface).chain(others).collect()
}

/// The kinds that share the field `gatewayId`.
fn gateway(id: &str) -> &'static str {
    match id.split('-').next().unwrap_or_default() {
        "local" => "local",
        "igw" => "internet-gateway",
        "vgw" => "virtual-private-gateway",
        "vpce" => "vpc-endpoint",
        "eigw" => "egress-only-internet-gateway",
        _ => "gateway",
    }
}

fn state(route: &Ec2Route) -> RouteState {
    match route.state() {
        Some(Ec2State::Active) => RouteState::Active,
        Some(Ec2State::Blackhole) => RouteState::Blackhole,
        other => RouteState::Other(other.map_or("unknown", Ec2State::as_str).to_owned()),
    }
}

fn origin(route: &Ec2Route) -> Origin {
    match route.origin() {
        Some(RouteOrigin::CreateRoute) => Origin::Static,
        Some(RouteOrigin::CreateRouteTable) => Origin::Local,
        Some(RouteOrigin::EnableVgwRoutePropagation) => Origin::Propagated,
        other => Origin::Other(other.map_or_else(|| "unknown".to_owned(), |word| word.as_str().to_lowercase())),
    }
}

/// The instance behind a route, if there is one: shown by the route, or known by its interface.
pub(crate) fn instance_of<'a>(
    route: &'a Ec2Route,
    by_interface: impl FnOnce(&str) -> Option<&'a str>,
) -> Option<&'a str> {
    route.instance_id().or_else(|| route.network_interface_id().and_then(by_interface))
}

/// What stands behind a route, given how to tell an instance's life.
fn target<'a>(
    route: &'a Ec2Route,
    by_interface: impl FnOnce(&str) -> Option<&'a str>,
    life: impl FnOnce(&str) -> Life,
) -> Target {
    if let Some(id) = instance_of(route, by_interface) {
        return Target::Machine { id: id.to_owned(), life: life(id) };
    }
    match next_hops(route).first() {
        Some(NextHop::Interface(_)) => Target::Detached,
        Some(other) => Target::NotAMachine(other.kind().to_owned()),
        None => Target::NotAMachine("unknown".to_owned()),
    }
}

/// How a table's routes are completed with what a table does not say.
pub(crate) trait Lives {
    /// The instance that an interface is known to belong to.
    fn by_interface(&self, interface: &str) -> Option<&str>;
    /// Whether an instance still exists.
    fn life(&self, id: &str, around: Circumstances<'_>) -> Life;
}

/// One route as the core sees it.
pub(crate) fn observed(route: &Ec2Route, table_owner: Option<&str>, lives: &impl Lives) -> ObservedRoute {
    let (state, origin) = (state(route), origin(route));
    let around = Circumstances {
        blackhole: state == RouteState::Blackhole,
        instance_owner: route.instance_owner_id(),
        table_owner,
    };
    // A static route wins against a propagated one of the same destination ("Route priority", Amazon VPC User Guide).
    let (precedence, deviation) = match &origin {
        Origin::Static => (0, None),
        Origin::Local => (0, Some("local, not static".to_owned())),
        other => (1, Some(format!("{}, not static", other.as_str()))),
    };
    ObservedRoute {
        destination: destination(route),
        next_hops: next_hops(route),
        target: target(route, |interface| lives.by_interface(interface), |id| lives.life(id, around)),
        state,
        origin,
        marked: false,
        precedence,
        deviation,
        name: None,
    }
}

/// A table as the core sees it.
pub(crate) fn table(described: &RouteTable, region: &str, routes_limit: u32, lives: &impl Lives) -> Table {
    let routes: Vec<ObservedRoute> =
        described.routes().iter().map(|route| observed(route, described.owner_id(), lives)).collect();
    Table {
        id: TableId(described.route_table_id().unwrap_or_default().to_owned()),
        location: region.to_owned(),
        quotas: quotas(&routes, routes_limit),
        claims: claims(described).map(|(cluster, value)| Claim::parse(cluster, value)).collect(),
        routes,
    }
}

/// All claims on a table, as its tags have them: the cluster's name and the text.
pub(crate) fn claims(described: &RouteTable) -> impl Iterator<Item = (&str, &str)> {
    described.tags().iter().filter_map(|tag| Some((tag.key()?.strip_prefix(CLAIM)?, tag.value().unwrap_or_default())))
}

/// Non-propagated routes against the quota, which holds for each family by itself ("Amazon VPC quotas").
fn quotas(routes: &[ObservedRoute], limit: u32) -> Vec<Quota> {
    let used = |ipv6: bool| {
        let counted = routes.iter().filter(|route| {
            let family = matches!(route.destination.as_net(), Some(IpNet::V6(_)));
            matches!(route.origin, Origin::Static | Origin::Local) && family == ipv6
        });
        u32::try_from(counted.count()).unwrap_or(u32::MAX)
    };
    [false, true]
        .map(|ipv6| Quota {
            name: format!("non-propagated {} routes per route table", if ipv6 { "IPv6" } else { "IPv4" }),
            ipv6: Some(ipv6),
            limit,
            used: used(ipv6),
        })
        .to_vec()
}

#[cfg(test)]
#[path = "routes_tests.rs"]
mod tests;
