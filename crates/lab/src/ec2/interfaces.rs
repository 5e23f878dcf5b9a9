//! Network interfaces.

use super::filters::{Filters, one};
use super::paging::{not_with_ids, page};
use super::{Answer, Element, Params, yes};
use crate::Cloud;
use crate::model::{Attachment, Interface, Kind, LAUNCHED, Refusal};
use crate::query::boolean;

const FILTERS: [&str; 13] = [
    "addresses.private-ip-address",
    "attachment.attachment-id",
    "attachment.device-index",
    "attachment.instance-id",
    "attachment.status",
    "availability-zone",
    "ipv6-addresses.ipv6-address",
    "network-interface-id",
    "private-ip-address",
    "source-dest-check",
    "status",
    "subnet-id",
    "vpc-id",
];

pub(super) fn describe(cloud: &Cloud, params: &Params) -> Answer {
    let filters = Filters::read(params, &FILTERS)?;
    not_with_ids(params, "NetworkInterfaceId")?;
    let ids = params.list("NetworkInterfaceId");
    let unknown: Vec<&str> = ids.iter().map(String::as_str).filter(|id| !cloud.interfaces.contains_key(*id)).collect();
    if !unknown.is_empty() {
        return Err(Kind::Interface.unknown(&unknown));
    }
    let wanted = cloud.interfaces.iter().filter(|(id, _)| ids.is_empty() || ids.contains(id));
    let passing = wanted.filter(|(id, it)| filters.pass(&it.tags, |name| values(cloud, id, it, name)));
    page(params, 5..=1000, "networkInterfaceSet", passing.map(|(id, it)| (id.clone(), show(cloud, id, it))).collect())
}

fn values(cloud: &Cloud, id: &str, interface: &Interface, name: &str) -> Vec<String> {
    let attachment = interface.attachment.as_ref();
    match name {
        "addresses.private-ip-address" | "private-ip-address" => one(Some(interface.private_ip)),
        "attachment.attachment-id" => one(attachment.map(|held| &held.id)),
        "attachment.device-index" => one(attachment.map(|held| held.device_index)),
        "attachment.instance-id" => one(attachment.map(|held| &held.instance)),
        "attachment.status" => one(attachment.map(|_| "attached")),
        "availability-zone" => one(cloud.subnets.get(&interface.subnet).map(|subnet| &subnet.zone)),
        "ipv6-addresses.ipv6-address" => interface.ipv6.iter().map(ToString::to_string).collect(),
        "network-interface-id" => one(Some(id)),
        "source-dest-check" => one(Some(interface.source_dest_check)),
        "status" => one(Some(status(attachment))),
        "subnet-id" => one(Some(&interface.subnet)),
        "vpc-id" => one(Some(&interface.vpc)),
        _ => Vec::new(),
    }
}

const fn status(attachment: Option<&Attachment>) -> &'static str {
    if attachment.is_some() { "in-use" } else { "available" }
}

/// The elements that a description of an interface and of its instance have in common.
pub(super) fn common(cloud: &Cloud, id: &str, interface: &Interface) -> Element {
    let address =
        |primary: bool| Element::new("item").text("privateIpAddress", interface.private_ip).text("primary", primary);
    let ipv6 = interface.ipv6.iter().map(|address| Element::new("item").text("ipv6Address", address));
    Element::new("item")
        .text("networkInterfaceId", id)
        .text("subnetId", &interface.subnet)
        .text("vpcId", &interface.vpc)
        .text("description", "")
        .text("ownerId", &cloud.account)
        .text("status", status(interface.attachment.as_ref()))
        .text("macAddress", mac(interface))
        .text("privateIpAddress", interface.private_ip)
        .text("sourceDestCheck", interface.source_dest_check)
        .list("groupSet", [])
        .list("privateIpAddressesSet", [address(true)])
        .list("ipv6AddressesSet", ipv6)
        .text("interfaceType", "interface")
}

/// A locally administered address, made of the IPv4 one.
fn mac(interface: &Interface) -> String {
    let [a, b, c, d] = interface.private_ip.octets();
    format!("02:00:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

fn show(cloud: &Cloud, id: &str, interface: &Interface) -> Element {
    let zone = cloud.subnets.get(&interface.subnet).map(|subnet| &subnet.zone);
    let item = common(cloud, id, interface).maybe("availabilityZone", zone).text("requesterManaged", false);
    let item = match &interface.attachment {
        Some(held) => item.child(
            Element::new("attachment")
                .text("attachmentId", &held.id)
                .text("instanceId", &held.instance)
                .text("instanceOwnerId", &cloud.account)
                .text("deviceIndex", held.device_index)
                .text("networkCardIndex", 0)
                .text("status", "attached")
                .text("attachTime", LAUNCHED)
                .text("deleteOnTermination", true),
        ),
        None => item,
    };
    item.tags(&interface.tags)
}

pub(super) fn modify_attribute(cloud: &mut Cloud, params: &Params) -> Answer {
    let id = params.need("NetworkInterfaceId")?;
    let Some(value) = params.get("SourceDestCheck.Value") else {
        let message = "this lab changes only the attribute SourceDestCheck of a network interface";
        return Err(Refusal::new("UnsupportedOperation", message));
    };
    cloud.set_interface_check(id, boolean("SourceDestCheck.Value", value)?)?;
    Ok(yes())
}
