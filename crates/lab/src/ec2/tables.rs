//! Route tables: describing them, and what they are associated with.

use super::filters::{Filters, one};
use super::paging::page;
use super::{Answer, Element, Params, yes};
use crate::Cloud;
use crate::model::{Association, Destination, Kind, Refusal, Route, RouteTable};

const FILTERS: [&str; 20] = [
    "association.gateway-id",
    "association.main",
    "association.route-table-association-id",
    "association.route-table-id",
    "association.subnet-id",
    "owner-id",
    "route-table-id",
    "route.destination-cidr-block",
    "route.destination-ipv6-cidr-block",
    "route.destination-prefix-list-id",
    "route.egress-only-internet-gateway-id",
    "route.gateway-id",
    "route.instance-id",
    "route.nat-gateway-id",
    "route.origin",
    "route.state",
    "route.transit-gateway-id",
    "route.vpc-peering-connection-id",
    "vpc-id",
    "propagating-vgw-id",
];

pub(super) fn describe(cloud: &Cloud, params: &Params) -> Answer {
    let filters = Filters::read(params, &FILTERS)?;
    let ids = params.list("RouteTableId");
    let unknown: Vec<&str> = ids.iter().map(String::as_str).filter(|id| !cloud.tables.contains_key(*id)).collect();
    if !unknown.is_empty() {
        return Err(Kind::RouteTable.unknown(&unknown));
    }
    let wanted = cloud.tables.iter().filter(|(id, _)| ids.is_empty() || ids.contains(id));
    let passing = wanted.filter(|(id, table)| filters.pass(&table.tags, |name| values(cloud, id, table, name)));
    page(params, 5..=100, "routeTableSet", passing.map(|(id, table)| (id.clone(), show(cloud, id, table))).collect())
}

fn values(cloud: &Cloud, id: &str, table: &RouteTable, name: &str) -> Vec<String> {
    let associations =
        |value: fn(&Association) -> Option<String>| table.associations.values().filter_map(value).collect();
    let shown = |element: &str| {
        let gateways = table.routes.iter().filter_map(|route| cloud.show_route(route).gateway);
        gateways.filter(|(shown, _)| *shown == element).map(|(_, id)| id).collect()
    };
    match name {
        "association.gateway-id" => associations(|association| match association {
            Association::Gateway(id) => Some(id.clone()),
            _ => None,
        }),
        "association.main" => associations(|association| Some((*association == Association::Main).to_string())),
        "association.route-table-association-id" => table.associations.keys().cloned().collect(),
        "association.route-table-id" => one((!table.associations.is_empty()).then_some(id)),
        "association.subnet-id" => associations(|association| match association {
            Association::Subnet(id) => Some(id.clone()),
            _ => None,
        }),
        "owner-id" => one(Some(&cloud.account)),
        "route-table-id" => one(Some(id)),
        "vpc-id" => one(Some(&table.vpc)),
        "propagating-vgw-id" => table.propagating.clone(),
        "route.destination-cidr-block" | "route.destination-ipv6-cidr-block" | "route.destination-prefix-list-id" => {
            let wanted = &name["route.".len()..];
            let destinations = table.routes.iter().map(|route| &route.destination);
            destinations.filter(|to| to.parameter() == wanted).map(ToString::to_string).collect()
        }
        "route.egress-only-internet-gateway-id" => shown("egressOnlyInternetGatewayId"),
        "route.gateway-id" => shown("gatewayId"),
        "route.nat-gateway-id" => shown("natGatewayId"),
        "route.transit-gateway-id" => shown("transitGatewayId"),
        "route.vpc-peering-connection-id" => shown("vpcPeeringConnectionId"),
        "route.instance-id" => table.routes.iter().filter_map(|route| cloud.show_route(route).instance).collect(),
        "route.origin" => table.routes.iter().map(|route| route.origin.name().to_owned()).collect(),
        "route.state" => table.routes.iter().map(|route| state(cloud.show_route(route).blackhole).to_owned()).collect(),
        _ => Vec::new(),
    }
}

const fn state(blackhole: bool) -> &'static str {
    if blackhole { "blackhole" } else { "active" }
}

fn show(cloud: &Cloud, id: &str, table: &RouteTable) -> Element {
    let associations = table.associations.iter().map(|(association, to)| {
        let item = Element::new("item")
            .text("routeTableAssociationId", association)
            .text("routeTableId", id)
            .text("main", *to == Association::Main);
        let item = match to {
            Association::Main => item,
            Association::Subnet(subnet) => item.text("subnetId", subnet),
            Association::Gateway(gateway) => item.text("gatewayId", gateway),
        };
        item.child(Element::new("associationState").text("state", "associated"))
    });
    let propagating = table.propagating.iter().map(|gateway| Element::new("item").text("gatewayId", gateway));
    Element::new("item")
        .text("routeTableId", id)
        .text("vpcId", &table.vpc)
        .text("ownerId", &cloud.account)
        .list("routeSet", table.routes.iter().map(|route| show_route(cloud, route)))
        .list("associationSet", associations)
        .list("propagatingVgwSet", propagating)
        .tags(&table.tags)
}

fn show_route(cloud: &Cloud, route: &Route) -> Element {
    let element = match &route.destination {
        Destination::Net(ipnet::IpNet::V4(_)) => "destinationCidrBlock",
        Destination::Net(ipnet::IpNet::V6(_)) => "destinationIpv6CidrBlock",
        Destination::PrefixList(_) => "destinationPrefixListId",
    };
    let shown = cloud.show_route(route);
    let item = Element::new("item")
        .text(element, &route.destination)
        .maybe("instanceId", shown.instance)
        .maybe("instanceOwnerId", shown.instance_owner)
        .maybe("networkInterfaceId", shown.interface);
    let item = match shown.gateway {
        Some((element, id)) => item.text(element, id),
        None => item,
    };
    item.text("state", state(shown.blackhole)).text("origin", route.origin.name())
}

pub(super) fn create(cloud: &mut Cloud, params: &Params) -> Answer {
    let vpc = params.need("VpcId")?;
    let id = cloud.create_route_table(vpc, params.tag_specification("route-table"))?;
    match cloud.tables.get(&id) {
        Some(table) => Ok(Element::response().child(show(cloud, &id, table).named("routeTable"))),
        None => Err(Kind::RouteTable.unknown(&[&id])),
    }
}

pub(super) fn delete(cloud: &mut Cloud, params: &Params) -> Answer {
    cloud.delete_route_table(params.need("RouteTableId")?)?;
    Ok(yes())
}

pub(super) fn associate(cloud: &mut Cloud, params: &Params) -> Answer {
    let table = params.need("RouteTableId")?;
    let to = match (params.get("SubnetId"), params.get("GatewayId")) {
        (Some(subnet), None) => Association::Subnet(subnet.to_owned()),
        (None, Some(gateway)) => Association::Gateway(gateway.to_owned()),
        (None, None) => return Err(Refusal::missing("subnetId or gatewayId")),
        _ => return Err(Refusal::invalid_combination("Specify either subnetId or gatewayId, not both")),
    };
    Ok(associated("associationId", &cloud.associate(table, to)?))
}

pub(super) fn disassociate(cloud: &mut Cloud, params: &Params) -> Answer {
    cloud.disassociate(params.need("AssociationId")?)?;
    Ok(yes())
}

pub(super) fn replace_association(cloud: &mut Cloud, params: &Params) -> Answer {
    let (association, table) = (params.need("AssociationId")?, params.need("RouteTableId")?);
    Ok(associated("newAssociationId", &cloud.replace_association(association, table)?))
}

fn associated(element: &str, id: &str) -> Element {
    let state = Element::new("associationState").text("state", "associated");
    Element::response().text(element, id).child(state)
}
