//! Instances: describing them, their attributes, and their lives.

use std::collections::BTreeMap;

use super::filters::{Filters, one};
use super::interfaces::common;
use super::paging::{cut, not_with_ids};
use super::{Answer, Element, Params, yes};
use crate::Cloud;
use crate::model::{Instance, Interface, Kind, LAUNCHED, Launch, Life, Refusal};
use crate::query::boolean;

const FILTERS: [&str; 19] = [
    "availability-zone",
    "image-id",
    "instance-id",
    "instance-state-code",
    "instance-state-name",
    "instance-type",
    "ip-address",
    "network-interface.addresses.private-ip-address",
    "network-interface.ipv6-addresses.ipv6-address",
    "network-interface.network-interface-id",
    "network-interface.source-dest-check",
    "network-interface.subnet-id",
    "network-interface.vpc-id",
    "owner-id",
    "private-dns-name",
    "private-ip-address",
    "source-dest-check",
    "subnet-id",
    "vpc-id",
];

/// An instance with its interfaces, the primary one first.
struct Whole<'a> {
    cloud: &'a Cloud,
    id: &'a str,
    instance: &'a Instance,
    interfaces: &'a [(&'a str, &'a Interface)],
}

/// Interfaces by instance, found in one pass: asking instance by instance would be quadratic.
fn interfaces_by_instance(cloud: &Cloud) -> BTreeMap<&str, Vec<(&str, &Interface)>> {
    let mut all: BTreeMap<&str, Vec<(&str, &Interface)>> = BTreeMap::new();
    for (id, interface) in cloud.interfaces.iter() {
        if let Some(held) = &interface.attachment {
            all.entry(held.instance.as_str()).or_default().push((id, interface));
        }
    }
    for held in all.values_mut() {
        held.sort_by_key(|(_, interface)| interface.attachment.as_ref().map(|held| held.device_index));
    }
    all
}

fn judge_ids(cloud: &Cloud, ids: &[String]) -> Result<(), Refusal> {
    let unknown: Vec<&str> = ids.iter().map(String::as_str).filter(|id| !cloud.instances.contains_key(*id)).collect();
    if unknown.is_empty() { Ok(()) } else { Err(Kind::Instance.unknown(&unknown)) }
}

pub(super) fn describe(cloud: &Cloud, params: &Params) -> Answer {
    let filters = Filters::read(params, &FILTERS)?;
    not_with_ids(params, "InstanceId")?;
    let ids = params.list("InstanceId");
    judge_ids(cloud, &ids)?;
    let interfaces = interfaces_by_instance(cloud);
    // A page is counted in instances; what was launched together is shown together, as far as it is on one page.
    let mut items = Vec::new();
    for (id, instance) in cloud.instances.iter().filter(|(id, _)| ids.is_empty() || ids.contains(id)) {
        let held = interfaces.get(id.as_str()).map_or(&[][..], Vec::as_slice);
        let whole = Whole { cloud, id, instance, interfaces: held };
        if filters.pass(&instance.tags, |name| whole.values(name)) {
            let reservation = instance.reservation.as_str();
            items.push((format!("{reservation} {id}"), (reservation, whole.show())));
        }
    }
    let (items, next) = cut(params, &(5..=1000), items)?;
    let mut reservations: Vec<(&str, Vec<Element>)> = Vec::new();
    for (reservation, shown) in items {
        match reservations.last_mut() {
            Some((last, instances)) if *last == reservation => instances.push(shown),
            _ => reservations.push((reservation, vec![shown])),
        }
    }
    let show = |(id, instances): (&str, Vec<Element>)| {
        Element::new("item")
            .text("reservationId", id)
            .text("ownerId", &cloud.account)
            .list("groupSet", [])
            .list("instancesSet", instances)
    };
    Ok(Element::response().list("reservationSet", reservations.into_iter().map(show)).maybe("nextToken", next))
}

impl Whole<'_> {
    fn primary(&self) -> Option<&Interface> {
        self.interfaces.first().map(|(_, interface)| *interface)
    }

    fn zone(&self) -> Option<&String> {
        self.cloud.subnets.get(&self.instance.subnet).map(|subnet| &subnet.zone)
    }

    /// "This name is not available until the instance enters the running state" (`DescribeInstances`).
    fn private_dns_name(&self) -> String {
        let address = self.primary().map(|interface| interface.private_ip.to_string().replace('.', "-"));
        address.map_or_else(String::new, |address| format!("ip-{address}.{}.compute.internal", self.cloud.region))
    }

    fn values(&self, name: &str) -> Vec<String> {
        let each = |value: &dyn Fn(&Interface) -> String| self.interfaces.iter().map(|(_, it)| value(it)).collect();
        let ended = self.instance.life == Life::Terminated;
        match name {
            "availability-zone" => one(self.zone()),
            "image-id" => one(Some(&self.instance.image)),
            "instance-id" => one(Some(self.id)),
            "instance-state-code" => one(Some(self.instance.life.code())),
            "instance-state-name" => one(Some(self.instance.life.name())),
            "instance-type" => one(Some(&self.instance.kind)),
            "network-interface.addresses.private-ip-address" => each(&|it| it.private_ip.to_string()),
            "network-interface.ipv6-addresses.ipv6-address" => {
                self.interfaces.iter().flat_map(|(_, it)| it.ipv6.iter().map(ToString::to_string)).collect()
            }
            "network-interface.network-interface-id" => {
                self.interfaces.iter().map(|(id, _)| (*id).to_owned()).collect()
            }
            "network-interface.source-dest-check" => each(&|it| it.source_dest_check.to_string()),
            "network-interface.subnet-id" => each(&|it| it.subnet.clone()),
            "network-interface.vpc-id" => each(&|it| it.vpc.clone()),
            "owner-id" => one(Some(&self.cloud.account)),
            "private-dns-name" => one(Some(self.private_dns_name())),
            "private-ip-address" => one(self.primary().map(|it| it.private_ip)),
            "source-dest-check" => one(self.primary().map(|it| it.source_dest_check)),
            "subnet-id" => one((!ended).then_some(&self.instance.subnet)),
            "vpc-id" => one((!ended).then_some(&self.instance.vpc)),
            _ => Vec::new(),
        }
    }

    /// A terminated instance shows neither network nor address, as in EC2.
    fn show(&self) -> Element {
        let instance = self.instance;
        let alive = instance.life != Life::Terminated;
        let placement = Element::new("placement").maybe("availabilityZone", self.zone()).text("tenancy", "default");
        Element::new("item")
            .text("instanceId", self.id)
            .text("imageId", &instance.image)
            .child(state("instanceState", instance.life))
            .text("privateDnsName", self.private_dns_name())
            .text("dnsName", "")
            .text("amiLaunchIndex", 0)
            .text("instanceType", &instance.kind)
            .text("launchTime", LAUNCHED)
            .child(placement)
            .child(Element::new("monitoring").text("state", "disabled"))
            .maybe("subnetId", alive.then_some(&instance.subnet))
            .maybe("vpcId", alive.then_some(&instance.vpc))
            .maybe("privateIpAddress", self.primary().map(|it| it.private_ip))
            .maybe("ipv6Address", self.primary().and_then(|it| it.ipv6.first()))
            .maybe("sourceDestCheck", self.primary().map(|it| it.source_dest_check))
            .list("groupSet", [])
            .text("architecture", "x86_64")
            .text("virtualizationType", "hvm")
            .text("hypervisor", "xen")
            .list("networkInterfaceSet", self.interfaces.iter().map(|(id, it)| self.show_interface(id, it)))
            .tags(&instance.tags)
    }

    fn show_interface(&self, id: &str, interface: &Interface) -> Element {
        let item = common(self.cloud, id, interface);
        match &interface.attachment {
            Some(held) => item.child(
                Element::new("attachment")
                    .text("attachmentId", &held.id)
                    .text("deviceIndex", held.device_index)
                    .text("networkCardIndex", 0)
                    .text("status", "attached")
                    .text("attachTime", LAUNCHED)
                    .text("deleteOnTermination", true),
            ),
            None => item,
        }
    }
}

fn state(name: &str, life: Life) -> Element {
    Element::new(name).text("code", life.code()).text("name", life.name())
}

pub(super) fn describe_attribute(cloud: &Cloud, params: &Params) -> Answer {
    let id = params.need("InstanceId")?;
    let attribute = params.need("Attribute")?;
    judge_ids(cloud, &[id.to_owned()])?;
    let response = Element::response().text("instanceId", id);
    let Some(instance) = cloud.instances.get(id) else { return Ok(response) };
    let value = match attribute {
        "userData" => instance.user_data.clone(),
        "sourceDestCheck" => cloud.interfaces_of(id).first().map(|(_, it)| it.source_dest_check.to_string()),
        "instanceType" => Some(instance.kind.clone()),
        "instanceInitiatedShutdownBehavior" => Some("stop".to_owned()),
        "disableApiTermination" | "disableApiStop" | "ebsOptimized" | "enaSupport" => Some("false".to_owned()),
        "kernel" | "ramdisk" | "rootDeviceName" | "sriovNetSupport" => None,
        _ => {
            return Err(Refusal::invalid_value(format!(
                "Value ({attribute}) for parameter attribute is invalid. Unknown attribute."
            )));
        }
    };
    Ok(response.child(Element::new(attribute).maybe("value", value)))
}

pub(super) fn modify_attribute(cloud: &mut Cloud, params: &Params) -> Answer {
    let id = params.need("InstanceId")?;
    judge_ids(cloud, &[id.to_owned()])?;
    let named = |name: &str| (params.get("Attribute") == Some(name)).then(|| params.get("Value")).flatten();
    if let Some(value) = params.get("SourceDestCheck.Value").or_else(|| named("sourceDestCheck")) {
        cloud.set_source_dest_check(id, boolean("SourceDestCheck.Value", value)?)?;
        return Ok(yes());
    }
    if let Some(value) = params.get("UserData.Value").or_else(|| named("userData")) {
        let Some(instance) = cloud.instances.get_mut(id) else { return Ok(yes()) };
        if instance.life != Life::Stopped {
            let message = format!("The instance '{id}' is not in the 'stopped' state.");
            return Err(Refusal::new("IncorrectInstanceState", message));
        }
        instance.user_data = Some(value.to_owned());
        return Ok(yes());
    }
    let message = "this lab changes only the attributes SourceDestCheck and UserData of an instance";
    Err(Refusal::new("UnsupportedOperation", message))
}

pub(super) fn run(cloud: &mut Cloud, params: &Params) -> Answer {
    let number = |name: &str| {
        let text = params.need(name)?;
        text.parse::<usize>().ok().filter(|count| (1..=1000).contains(count)).ok_or_else(|| {
            Refusal::invalid_value(format!("Value ({text}) for parameter {name} is invalid. Expecting 1 to 1000."))
        })
    };
    number("MinCount")?;
    let count = number("MaxCount")?;
    // The lab has no default VPC; the first subnet stands in for it, as a default subnet would.
    let subnet = params.get("SubnetId").or_else(|| params.get("NetworkInterface.1.SubnetId"));
    let Some(subnet) = subnet.or_else(|| cloud.subnets.keys().next().map(String::as_str)).map(str::to_owned) else {
        return Err(Refusal::new("MissingInput", "No subnets found for the default VPC"));
    };
    let address = params.get("PrivateIpAddress").or_else(|| params.get("NetworkInterface.1.PrivateIpAddress"));
    let address = address.map(|text| {
        text.parse().map_err(|_| Refusal::invalid_value(format!("Invalid value '{text}' for privateIpAddress")))
    });
    let launch = Launch {
        id: None,
        subnet,
        private_ip: address.transpose()?,
        ipv6: Vec::new(),
        user_data: params.get("UserData").map(str::to_owned),
        kind: params.get("InstanceType").unwrap_or("m1.small").to_owned(),
        image: params.get("ImageId").unwrap_or("ami-00000000000000000").to_owned(),
        tags: params.tag_specification("instance"),
        source_dest_check: true,
    };
    // All or none: a request that is refused half-way leaves nothing behind.
    let mut draft = cloud.clone();
    let mut launched = Vec::new();
    for _ in 0..count {
        launched.push(draft.launch(launch.clone())?);
    }
    *cloud = draft;
    let reservation =
        launched.first().and_then(|id| cloud.instances.get(id)).map(|instance| instance.reservation.clone());
    for id in &launched {
        if let (Some(instance), Some(reservation)) = (cloud.instances.get_mut(id), &reservation) {
            instance.reservation.clone_from(reservation);
        }
    }
    let shown = launched.iter().filter_map(|id| {
        let instance = cloud.instances.get(id)?;
        Some(Whole { cloud, id, instance, interfaces: &cloud.interfaces_of(id) }.show())
    });
    Ok(Element::response()
        .maybe("reservationId", reservation)
        .text("ownerId", &cloud.account)
        .list("groupSet", [])
        .list("instancesSet", shown))
}

fn move_all(cloud: &mut Cloud, params: &Params, life: Life) -> Answer {
    let ids = params.list("InstanceId");
    if ids.is_empty() {
        return Err(Refusal::missing("InstanceId"));
    }
    judge_ids(cloud, &ids)?;
    let mut draft = cloud.clone();
    let mut changes = Vec::new();
    for id in &ids {
        let before = draft.set_life(id, life)?;
        changes.push(
            Element::new("item")
                .text("instanceId", id)
                .child(state("currentState", life))
                .child(state("previousState", before)),
        );
    }
    *cloud = draft;
    Ok(Element::response().list("instancesSet", changes))
}

pub(super) fn start(cloud: &mut Cloud, params: &Params) -> Answer {
    move_all(cloud, params, Life::Running)
}

pub(super) fn stop(cloud: &mut Cloud, params: &Params) -> Answer {
    move_all(cloud, params, Life::Stopped)
}

pub(super) fn terminate(cloud: &mut Cloud, params: &Params) -> Answer {
    move_all(cloud, params, Life::Terminated)
}
