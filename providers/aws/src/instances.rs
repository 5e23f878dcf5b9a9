//! Which instance a worker is.
//!
//! By id or by Name tag, two hundred at a time, inside the VPC of the tables: another instance of the same name in another
//! VPC is somebody else's. Instances that are ending or have ended do not count; EC2 shows them for a while, under the name
//! that their successor bears already. A name that fits two instances is refused with both, because a guess would send
//! pods' packets to a stranger.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::net::IpAddr;

use aws_sdk_ec2::types::{Filter, Instance, InstanceNetworkInterface, InstanceStateName};
use futures_util::future::join_all;
use kroutes_core::{Error, ErrorKind, MachineRef, NextHop, Result, Worker};

use crate::ec2::{Ec2, LONGEST_VALUE, VALUES_PER_FILTER, filter, literally};

/// The states of an instance that is there or will be.
const PRESENT: [&str; 4] = ["pending", "running", "stopping", "stopped"];

/// What matters of a worker's instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) addresses: Vec<IpAddr>,
    /// The instance, or its primary interface where it has several: EC2 refuses an instance of several interfaces as a
    /// target (EC2 API Reference, `CreateRoute`).
    pub(crate) next_hop: NextHop,
    /// Of the instance, or of the primary interface where it has several.
    pub(crate) source_dest_check: Option<bool>,
    pub(crate) interfaces: Vec<String>,
}

/// Finds every worker's instance; the answers stand in the order of the workers.
pub(crate) async fn find(ec2: &Ec2, vpc: &str, workers: &[Worker]) -> Result<Vec<Result<Machine>>> {
    let mut ids = BTreeSet::new();
    let mut names = BTreeSet::new();
    for worker in workers {
        match &worker.machine {
            MachineRef::Id(id) => ids.insert(id.as_str()),
            MachineRef::Name(name) => fits(name) && names.insert(name.as_str()),
            _ => false,
        };
    }
    let ids: Vec<&str> = ids.into_iter().collect();
    let names: Vec<&str> = names.into_iter().collect();
    let by_id = join_all(ids.chunks(VALUES_PER_FILTER).map(|batch| {
        let filters = vec![filter("instance-id", batch.iter().copied())];
        async move { (batch, ec2.instances(filters).await) }
    }));
    let by_name = join_all(names.chunks(VALUES_PER_FILTER).map(|batch| {
        let filters = named(vpc, batch);
        async move { (batch, ec2.instances(filters).await) }
    }));
    let (by_id, by_name) = futures_util::join!(by_id, by_name);

    let mut failed: HashMap<MachineRef, Error> = HashMap::new();
    let mut found: BTreeMap<String, Instance> = BTreeMap::new();
    let answers = by_id
        .into_iter()
        .map(|(batch, answer)| (batch, answer, MachineRef::Id as fn(String) -> MachineRef))
        .chain(by_name.into_iter().map(|(batch, answer)| (batch, answer, MachineRef::Name as _)));
    for (batch, answer, wanted) in answers {
        match answer {
            Ok(instances) => {
                let with_id = |instance: Instance| Some((instance.instance_id()?.to_owned(), instance));
                found.extend(instances.into_iter().filter_map(with_id));
            }
            // Nothing else will get an answer either.
            Err(error) if matches!(error.kind(), ErrorKind::Unauthenticated | ErrorKind::Interrupted) => {
                return Err(error);
            }
            Err(error) => {
                failed.extend(batch.iter().map(|one| (wanted((*one).to_owned()), error.clone())));
            }
        }
    }
    let mut by_name: HashMap<&str, Vec<&Instance>> = HashMap::new();
    for instance in found.values() {
        by_name.entry(name_of(instance)).or_default().push(instance);
    }
    let place = Place { vpc, region: &ec2.region };
    let choose = |worker: &Worker| match failed.get(&worker.machine) {
        Some(error) => Err(error.clone()),
        None => match &worker.machine {
            MachineRef::Id(id) => place.by_id(id, found.get(id)),
            MachineRef::Name(name) => place.by_name(name, by_name.get(name.as_str()).map_or(&[], Vec::as_slice)),
            other => Err(Error::new(ErrorKind::Unsupported, format!("EC2 cannot be asked for an instance {other}"))),
        },
    };
    let mut machines: Vec<Result<Machine>> = workers.iter().map(choose).collect();
    refuse_shared(workers, &mut machines);
    Ok(machines)
}

fn named(vpc: &str, names: &[&str]) -> Vec<Filter> {
    vec![
        filter("tag:Name", names.iter().map(|name| literally(name))),
        filter("vpc-id", [vpc]),
        filter("instance-state-name", PRESENT),
    ]
}

/// Whether a name can be asked for at all. One that cannot would fail the whole batch.
fn fits(name: &str) -> bool {
    literally(name).chars().count() <= LONGEST_VALUE
}

fn name_of(instance: &Instance) -> &str {
    let tag = instance.tags().iter().find(|tag| tag.key() == Some("Name"));
    tag.and_then(|tag| tag.value()).unwrap_or_default()
}

fn state_of(instance: &Instance) -> &str {
    instance.state().and_then(|state| state.name()).map_or("unknown", InstanceStateName::as_str)
}

/// Where instances are looked for.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    vpc: &'a str,
    region: &'a str,
}

impl Place<'_> {
    fn by_id(self, id: &str, instance: Option<&Instance>) -> Result<Machine> {
        let Some(instance) = instance else {
            return Err(Error::new(ErrorKind::NotFound, format!("no instance `{id}` in region `{}`", self.region))
                .help("check `aws.instance` of the worker, and `region`"));
        };
        let state = state_of(instance);
        if !PRESENT.contains(&state) {
            return Err(Error::new(ErrorKind::NotFound, format!("instance `{id}` is `{state}`"))
                .help("name the instance that took its place"));
        }
        match instance.vpc_id() {
            Some(vpc) if vpc == self.vpc => Ok(machine(instance)),
            other => Err(Error::new(
                ErrorKind::Invalid,
                format!("instance `{id}` is in VPC `{}`, the route table in `{}`", other.unwrap_or("none"), self.vpc),
            )
            .help("a route leads only to instances of its table's VPC")),
        }
    }

    fn by_name(self, name: &str, instances: &[&Instance]) -> Result<Machine> {
        let here = |instance: &&&Instance| {
            instance.vpc_id() == Some(self.vpc) && PRESENT.contains(&state_of(instance)) && name_of(instance) == name
        };
        let candidates: Vec<&Instance> = instances.iter().filter(here).copied().collect();
        let shown = name.escape_debug();
        match candidates.as_slice() {
            [one] => Ok(machine(one)),
            [] if !fits(name) => {
                Err(Error::new(ErrorKind::Invalid, format!("`{shown}` is too long for EC2 to look for"))
                    .help("name the instance by its id: `aws = { instance = \"i-…\" }`"))
            }
            [] => Err(Error::new(
                ErrorKind::NotFound,
                format!("no instance with the Name tag `{shown}` in `{}`, region `{}`", self.vpc, self.region),
            )
            .help("tag the instance, or name it by id in the topology: `aws = { instance = \"i-…\" }`")),
            several => {
                let mut message = format!("the Name tag `{shown}` fits {} instances:", several.len());
                for (index, instance) in several.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "," };
                    // Writing to a string cannot fail.
                    let _ = write!(message, "{separator} {}", described(instance));
                }
                Err(Error::new(ErrorKind::Invalid, message)
                    .help("name the right one by id in the topology: `aws = { instance = \"i-…\" }`"))
            }
        }
    }
}

fn described(instance: &Instance) -> String {
    let zone = instance.placement().and_then(|placement| placement.availability_zone()).unwrap_or("unknown zone");
    format!(
        "`{}` ({}, {}, {zone})",
        instance.instance_id().unwrap_or_default(),
        instance.private_ip_address().unwrap_or("no address"),
        state_of(instance),
    )
}

/// The interface at device index 0 of network card 0.
fn primary(interfaces: &[InstanceNetworkInterface]) -> Option<&InstanceNetworkInterface> {
    interfaces.iter().find(|interface| {
        interface.attachment().is_some_and(|attachment| {
            attachment.device_index() == Some(0) && attachment.network_card_index().unwrap_or(0) == 0
        })
    })
}

fn machine(instance: &Instance) -> Machine {
    let id = instance.instance_id().unwrap_or_default().to_owned();
    let interfaces = instance.network_interfaces();
    let several = if interfaces.len() > 1 { primary(interfaces) } else { None };
    let (next_hop, source_dest_check) = match several.and_then(|one| Some((one, one.network_interface_id()?))) {
        Some((interface, name)) => (NextHop::Interface(name.to_owned()), interface.source_dest_check()),
        None => (NextHop::Instance(id.clone()), instance.source_dest_check()),
    };
    let v4 = interfaces.iter().flat_map(|interface| {
        let all = interface.private_ip_addresses().iter().filter_map(|one| one.private_ip_address());
        all.chain(interface.private_ip_address())
    });
    let v6 = interfaces.iter().flat_map(|one| one.ipv6_addresses().iter().filter_map(|address| address.ipv6_address()));
    let texts = v4.chain(v6).chain(instance.private_ip_address()).chain(instance.ipv6_address());
    let addresses: BTreeSet<IpAddr> = texts.filter_map(|text| text.parse().ok()).collect();
    Machine {
        id,
        state: state_of(instance).to_owned(),
        addresses: addresses.into_iter().collect(),
        next_hop,
        source_dest_check,
        interfaces: interfaces.iter().filter_map(|one| one.network_interface_id().map(ToOwned::to_owned)).collect(),
    }
}

/// Two workers cannot be one instance: the second one's pods would be looked for at the first one's.
fn refuse_shared(workers: &[Worker], machines: &mut [Result<Machine>]) {
    let mut holders: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, machine) in machines.iter().enumerate() {
        if let Ok(machine) = machine {
            holders.entry(machine.id.clone()).or_default().push(index);
        }
    }
    for (id, sharing) in holders.into_iter().filter(|(_, sharing)| sharing.len() > 1) {
        let names: Vec<String> = sharing.iter().map(|index| format!("`{}`", workers[*index].name)).collect();
        let message = format!("workers {} are one instance, `{id}`", names.join(" and "));
        let error = Error::new(ErrorKind::Invalid, message).help("give each worker an instance of its own");
        for index in sharing {
            machines[index] = Err(error.clone());
        }
    }
}

#[cfg(test)]
#[path = "instances_tests.rs"]
mod tests;
