//! Machines for a topology that names none: its workers are whatever the cloud has that fits.
//!
//! Somebody who tries such a topology on a local cloud must find something there. Three machines are what the guides have,
//! with the guides' addresses and ranges as far as the cluster's own allow it.

use std::collections::{BTreeMap, HashSet};
use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};
use kroutes_core::{Cluster, ClusterCidr};

use crate::{Seed, SeedInstance, SeedMachine, SeedNetwork};

const COUNT: usize = 3;

/// The guides' first worker: `10.240.0.20`.
const FIRST_ADDRESS: u32 = 20;

/// The names that a glob finds: as many as there are machines, or one where nothing in it can vary.
fn names(glob: Option<&str>, tags: &BTreeMap<String, String>) -> Vec<String> {
    let glob = glob.or_else(|| tags.get("Name").map(String::as_str)).unwrap_or("worker-*");
    if !glob.contains(['*', '?']) {
        return vec![glob.to_owned()];
    }
    (0..COUNT).map(|number| glob.replace(['*', '?'], &number.to_string())).collect()
}

/// The nth machine's range in each of the cluster's, as a pod CIDR is written.
fn pod_cidr(cluster: &Cluster, number: usize) -> String {
    let ranges = cluster.pod_cidrs.iter().map(ClusterCidr::net);
    let of = |range: IpNet| {
        // Four of them fit into the smallest of clusters.
        let usual = if range.addr().is_ipv4() { 24 } else { 64 };
        let length = (range.prefix_len() + 2).max(usual).min(range.max_prefix_len());
        range.subnets(length).ok()?.nth(number)
    };
    ranges.filter_map(of).map(|range| range.to_string()).collect::<Vec<_>>().join(",")
}

/// The nth machine's address in one of these subnets, in turn; none where it would not fit.
fn address(subnets: &[Ipv4Net], number: usize, taken: &HashSet<Ipv4Addr>) -> Option<Ipv4Addr> {
    let subnet = subnets.get(number % subnets.len().max(1))?;
    let offset = FIRST_ADDRESS + u32::try_from(number).ok()?;
    let address = Ipv4Addr::from(u32::from(subnet.network()).checked_add(offset)?);
    (subnet.contains(&address) && address != subnet.broadcast() && !taken.contains(&address)).then_some(address)
}

/// See [`Seed::with_matching_instances`].
pub(crate) fn add_instances(seed: &mut Seed, cluster: &Cluster, name: Option<&str>, tags: &BTreeMap<String, String>) {
    let subnets =
        seed.tables.iter().flat_map(|table| &table.subnets).filter_map(|subnet| subnet.cidr).collect::<Vec<_>>();
    let taken = seed.instances.iter().filter_map(|instance| instance.private_ip).collect();
    for (number, name) in names(name, tags).into_iter().enumerate() {
        let cidr = pod_cidr(cluster, number);
        let mut instance = SeedInstance::named(&name);
        instance.private_ip = address(&subnets, number, &taken);
        instance.user_data = Some(format!("name={name}|pod-cidr={cidr}"));
        instance
            .tags
            .extend(tags.iter().filter(|(key, _)| *key != "Name").map(|(key, value)| (key.clone(), value.clone())));
        seed.instances.push(instance);
    }
}

/// See [`Seed::with_matching_machines`].
pub(crate) fn add_machines(
    seed: &mut Seed,
    cluster: &Cluster,
    network: &str,
    name: Option<&str>,
    labels: &BTreeMap<String, String>,
) {
    let position = seed.compute.iter().position(|it| it.name == network).unwrap_or_else(|| {
        seed.compute.push(SeedNetwork::named(network));
        seed.compute.len() - 1
    });
    let network = &mut seed.compute[position];
    let subnets: Vec<_> = network.subnetworks.iter().map(|subnetwork| subnetwork.range).collect();
    let taken = network.machines.iter().filter_map(|machine| machine.address).collect();
    for (number, name) in names(name, &BTreeMap::new()).into_iter().enumerate() {
        let machine = SeedMachine {
            zone: format!("{}-{}", network.region, ["a", "b", "c"][number % 3]),
            address: address(&subnets, number, &taken),
            metadata: BTreeMap::from([("pod-cidr".to_owned(), pod_cidr(cluster, number))]),
            labels: labels.clone(),
            ..SeedMachine::named(&name)
        };
        network.machines.push(machine);
    }
}
