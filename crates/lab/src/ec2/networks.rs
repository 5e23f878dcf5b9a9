//! VPCs, subnets, internet gateways; and the little that clients ask before they begin.

use super::filters::{Filters, one};
use super::paging::{not_with_ids, page};
use super::{Answer, Element, Params};
use crate::Cloud;
use crate::model::{Kind, Refusal, Subnet, Tags, Vpc};

/// Refuses ids that are not there.
fn judge_ids(kind: Kind, ids: &[String], known: impl Fn(&str) -> bool) -> Result<(), Refusal> {
    let unknown: Vec<&str> = ids.iter().map(String::as_str).filter(|id| !known(id)).collect();
    if unknown.is_empty() { Ok(()) } else { Err(kind.unknown(&unknown)) }
}

pub(super) fn describe_vpcs(cloud: &Cloud, params: &Params) -> Answer {
    const FILTERS: [&str; 8] = [
        "cidr",
        "cidr-block-association.cidr-block",
        "dhcp-options-id",
        "ipv6-cidr-block-association.ipv6-cidr-block",
        "is-default",
        "owner-id",
        "state",
        "vpc-id",
    ];
    let filters = Filters::read(params, &FILTERS)?;
    not_with_ids(params, "VpcId")?;
    let ids = params.list("VpcId");
    judge_ids(Kind::Vpc, &ids, |id| cloud.vpcs.contains_key(id))?;
    let passes = |id: &str, vpc: &Vpc| {
        filters.pass(&vpc.tags, |name| match name {
            "cidr" => one(vpc.cidrs.first()),
            "cidr-block-association.cidr-block" => vpc.cidrs.iter().map(ToString::to_string).collect(),
            "ipv6-cidr-block-association.ipv6-cidr-block" => vpc.ipv6_cidrs.iter().map(ToString::to_string).collect(),
            "dhcp-options-id" => one(Some("default")),
            "is-default" => one(Some(false)),
            "owner-id" => one(Some(&cloud.account)),
            "state" => one(Some("available")),
            _ => one(Some(id)),
        })
    };
    let wanted = cloud.vpcs.iter().filter(|(id, vpc)| (ids.is_empty() || ids.contains(id)) && passes(id, vpc));
    page(params, 5..=1000, "vpcSet", wanted.map(|(id, vpc)| (id.clone(), show_vpc(cloud, id, vpc))).collect())
}

fn show_vpc(cloud: &Cloud, id: &str, vpc: &Vpc) -> Element {
    let associated = || Element::new("cidrBlockState").text("state", "associated");
    let v4 = vpc.cidrs.iter().enumerate().map(|(index, net)| {
        Element::new("item")
            .text("cidrBlock", net)
            .text("associationId", format!("vpc-cidr-assoc-{index:017x}"))
            .child(associated())
    });
    let v6 = vpc.ipv6_cidrs.iter().enumerate().map(|(index, net)| {
        Element::new("item")
            .text("ipv6CidrBlock", net)
            .text("associationId", format!("vpc-cidr-assoc-6{index:016x}"))
            .child(associated().named("ipv6CidrBlockState"))
    });
    Element::new("item")
        .text("vpcId", id)
        .text("ownerId", &cloud.account)
        .text("state", "available")
        .maybe("cidrBlock", vpc.cidrs.first())
        .list("cidrBlockAssociationSet", v4)
        .list("ipv6CidrBlockAssociationSet", v6)
        .text("dhcpOptionsId", "default")
        .text("instanceTenancy", "default")
        .text("isDefault", false)
        .tags(&vpc.tags)
}

pub(super) fn describe_subnets(cloud: &Cloud, params: &Params) -> Answer {
    const FILTERS: [&str; 9] = [
        "availability-zone",
        "availabilityZone",
        "cidr",
        "cidr-block",
        "ipv6-cidr-block-association.ipv6-cidr-block",
        "owner-id",
        "state",
        "subnet-id",
        "vpc-id",
    ];
    let filters = Filters::read(params, &FILTERS)?;
    not_with_ids(params, "SubnetId")?;
    let ids = params.list("SubnetId");
    judge_ids(Kind::Subnet, &ids, |id| cloud.subnets.contains_key(id))?;
    let passes = |id: &str, subnet: &Subnet| {
        filters.pass(&subnet.tags, |name| match name {
            "availability-zone" | "availabilityZone" => one(Some(&subnet.zone)),
            "cidr" | "cidr-block" => one(Some(subnet.cidr)),
            "ipv6-cidr-block-association.ipv6-cidr-block" => one(subnet.ipv6_cidr),
            "owner-id" => one(Some(&cloud.account)),
            "state" => one(Some("available")),
            "vpc-id" => one(Some(&subnet.vpc)),
            _ => one(Some(id)),
        })
    };
    let wanted = cloud.subnets.iter().filter(|(id, it)| (ids.is_empty() || ids.contains(id)) && passes(id, it));
    page(params, 5..=1000, "subnetSet", wanted.map(|(id, it)| (id.clone(), show_subnet(cloud, id, it))).collect())
}

fn show_subnet(cloud: &Cloud, id: &str, subnet: &Subnet) -> Element {
    let used = cloud.interfaces.values().filter(|interface| interface.subnet == id).count();
    // Two to the power of the host bits; EC2 keeps five addresses for itself.
    let size = 1_usize << (32 - u32::from(subnet.cidr.prefix_len()));
    let v6 = subnet.ipv6_cidr.iter().map(|net| {
        Element::new("item")
            .text("ipv6CidrBlock", net)
            .text("associationId", format!("subnet-cidr-assoc-{:017x}", 0))
            .child(Element::new("ipv6CidrBlockState").text("state", "associated"))
    });
    Element::new("item")
        .text("subnetId", id)
        .text("subnetArn", format!("arn:aws:ec2:{}:{}:subnet/{id}", cloud.region, cloud.account))
        .text("state", "available")
        .text("ownerId", &cloud.account)
        .text("vpcId", &subnet.vpc)
        .text("cidrBlock", subnet.cidr)
        .list("ipv6CidrBlockAssociationSet", v6)
        .text("availableIpAddressCount", size.saturating_sub(5).saturating_sub(used))
        .text("availabilityZone", &subnet.zone)
        .text("defaultForAz", false)
        .text("mapPublicIpOnLaunch", false)
        .text("assignIpv6AddressOnCreation", false)
        .tags(&subnet.tags)
}

pub(super) fn describe_internet_gateways(cloud: &Cloud, params: &Params) -> Answer {
    let filters = Filters::read(params, &["attachment.state", "attachment.vpc-id", "internet-gateway-id", "owner-id"])?;
    not_with_ids(params, "InternetGatewayId")?;
    let ids = params.list("InternetGatewayId");
    judge_ids(Kind::InternetGateway, &ids, |id| cloud.internet_gateways.contains_key(id))?;
    let mut items = Vec::new();
    for (id, gateway) in cloud.internet_gateways.iter().filter(|(id, _)| ids.is_empty() || ids.contains(id)) {
        let passes = filters.pass(&gateway.tags, |name| match name {
            "attachment.state" => one(Some("available")),
            "attachment.vpc-id" => one(Some(&gateway.vpc)),
            "owner-id" => one(Some(&cloud.account)),
            _ => one(Some(id)),
        });
        if passes {
            let attachment = Element::new("item").text("vpcId", &gateway.vpc).text("state", "available");
            let item = Element::new("item")
                .text("internetGatewayId", id)
                .text("ownerId", &cloud.account)
                .list("attachmentSet", [attachment])
                .tags(&gateway.tags);
            items.push((id.clone(), item));
        }
    }
    page(params, 5..=1000, "internetGatewaySet", items)
}

pub(super) fn describe_regions(cloud: &Cloud, params: &Params) -> Answer {
    let filters = Filters::read(params, &["endpoint", "opt-in-status", "region-name"])?;
    let endpoint = format!("ec2.{}.amazonaws.com", cloud.region);
    let passes = filters.pass(&Tags::new(), |name| match name {
        "endpoint" => one(Some(&endpoint)),
        "opt-in-status" => one(Some("opt-in-not-required")),
        _ => one(Some(&cloud.region)),
    });
    let region = Element::new("item")
        .text("regionName", &cloud.region)
        .text("regionEndpoint", &endpoint)
        .text("optInStatus", "opt-in-not-required");
    Ok(Element::response().list("regionInfo", passes.then_some(region)))
}
