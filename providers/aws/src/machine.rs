//! What matters of an instance.

use std::collections::BTreeSet;
use std::net::IpAddr;

use aws_sdk_ec2::types::{Instance, InstanceNetworkInterface, InstanceStateName};
use kroutes_core::NextHop;

/// The states of an instance that is there or will be.
pub(crate) const PRESENT: [&str; 4] = ["pending", "running", "stopping", "stopped"];

/// What matters of a worker's instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) vpc: String,
    /// Where its primary interface is.
    pub(crate) subnet: String,
    pub(crate) addresses: Vec<IpAddr>,
    /// The instance, or its primary interface where it has several: EC2 refuses an instance of several interfaces as a
    /// target (EC2 API Reference, `CreateRoute`).
    pub(crate) next_hop: NextHop,
    /// Of the instance, or of the primary interface where it has several.
    pub(crate) source_dest_check: Option<bool>,
    pub(crate) interfaces: Vec<String>,
}

pub(crate) fn name_of(instance: &Instance) -> &str {
    tag_of(instance, "Name").unwrap_or_default()
}

pub(crate) fn tag_of<'a>(instance: &'a Instance, key: &str) -> Option<&'a str> {
    let tag = instance.tags().iter().find(|tag| tag.key() == Some(key));
    tag.map(|tag| tag.value().unwrap_or_default())
}

pub(crate) fn state_of(instance: &Instance) -> &str {
    instance.state().and_then(|state| state.name()).map_or("unknown", InstanceStateName::as_str)
}

pub(crate) fn is_present(instance: &Instance) -> bool {
    PRESENT.contains(&state_of(instance))
}

/// An instance for people who have to tell it from another one.
pub(crate) fn described(instance: &Instance) -> String {
    let zone = instance.placement().and_then(|placement| placement.availability_zone()).unwrap_or("unknown zone");
    format!(
        "`{}` ({}, {}, {zone})",
        instance.instance_id().unwrap_or_default(),
        instance.private_ip_address().unwrap_or("no address"),
        state_of(instance),
    )
}

/// Several instances for people who have to choose; with their VPCs where these differ.
pub(crate) fn listed(instances: &[&Instance]) -> String {
    let vpcs: BTreeSet<Option<&str>> = instances.iter().map(|instance| instance.vpc_id()).collect();
    let one = |instance: &&Instance| match instance.vpc_id() {
        Some(vpc) if vpcs.len() > 1 => format!("{} in `{vpc}`", described(instance)),
        _ => described(instance),
    };
    instances.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The interface at device index 0 of network card 0.
fn primary(interfaces: &[InstanceNetworkInterface]) -> Option<&InstanceNetworkInterface> {
    interfaces.iter().find(|interface| {
        interface.attachment().is_some_and(|attachment| {
            attachment.device_index() == Some(0) && attachment.network_card_index().unwrap_or(0) == 0
        })
    })
}

/// The addresses of an instance's primary interface, at most one a family.
pub(crate) fn primary_addresses(instance: &Instance) -> Vec<IpAddr> {
    let interfaces = instance.network_interfaces();
    let first = primary(interfaces).or(interfaces.first());
    let v6 = first.and_then(|one| one.ipv6_addresses().first()).and_then(|address| address.ipv6_address());
    let texts = instance.private_ip_address().into_iter().chain(v6.or(instance.ipv6_address()));
    texts.filter_map(|text| text.parse().ok()).collect()
}

/// All addresses of an instance, of every interface.
pub(crate) fn addresses(instance: &Instance) -> BTreeSet<IpAddr> {
    let interfaces = instance.network_interfaces();
    let v4 = interfaces.iter().flat_map(|interface| {
        let all = interface.private_ip_addresses().iter().filter_map(|one| one.private_ip_address());
        all.chain(interface.private_ip_address())
    });
    let v6 = interfaces.iter().flat_map(|one| one.ipv6_addresses().iter().filter_map(|address| address.ipv6_address()));
    let texts = v4.chain(v6).chain(instance.private_ip_address()).chain(instance.ipv6_address());
    texts.filter_map(|text| text.parse().ok()).collect()
}

/// What matters of it.
pub(crate) fn machine(instance: &Instance) -> Machine {
    let id = instance.instance_id().unwrap_or_default().to_owned();
    let interfaces = instance.network_interfaces();
    let several = if interfaces.len() > 1 { primary(interfaces) } else { None };
    let (next_hop, source_dest_check) = match several.and_then(|one| Some((one, one.network_interface_id()?))) {
        Some((interface, name)) => (NextHop::Interface(name.to_owned()), interface.source_dest_check()),
        None => (NextHop::Instance(id.clone()), instance.source_dest_check()),
    };
    Machine {
        id,
        state: state_of(instance).to_owned(),
        vpc: instance.vpc_id().unwrap_or_default().to_owned(),
        subnet: instance.subnet_id().unwrap_or_default().to_owned(),
        addresses: addresses(instance).into_iter().collect(),
        next_hop,
        source_dest_check,
        interfaces: interfaces.iter().filter_map(|one| one.network_interface_id().map(ToOwned::to_owned)).collect(),
    }
}
