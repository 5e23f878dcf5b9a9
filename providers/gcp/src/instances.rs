//! Which machine a worker is, and where its packets go.
//!
//! A next hop on Google Cloud is an address, and the topology usually gives it; the instances are looked at all the same,
//! since Compute Engine takes a route to an address that nobody has. Machines are known by their primary address inside
//! the network of the routes and nowhere else: the same private address in another network is a stranger's. Only where the
//! topology gives no address is a machine looked up by name, and names are unique within a zone only, so a name that fits
//! two machines is refused with both.
//!
//! A listing may be short of a zone that did not answer. What was not seen then is not known to be absent, and nothing
//! here says that it is: nor is the one machine of a name known to be the only one. An address, or a name with its zone, is
//! as good as ever.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;
use kroutes_core::{Error, ErrorKind, Finding, MachineRef, NextHop, PodCidr, Result, Worker, WorkerName};

use crate::{findings, links, wire};

/// How many names are shown where one was not found.
const NEARBY: usize = 3;

/// How many workers are named where one instance has more.
const SHARING: usize = 3;

/// How many misses get such names. Each is compared with all, and whoever mistook every name needs no list for each.
const SUGGESTIONS: usize = 20;

/// What matters of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    /// `ZONE/NAME`.
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) zone: String,
    pub(crate) project: Option<String>,
    pub(crate) status: String,
    pub(crate) can_ip_forward: bool,
    /// Its primary addresses in the network; empty for a machine that is elsewhere.
    pub(crate) addresses: Vec<IpAddr>,
    /// What else leads to it in the network, but cannot be a next hop.
    pub(crate) aliases: Vec<IpNet>,
    /// Its networks besides, with its addresses there.
    pub(crate) elsewhere: Vec<(String, Option<IpAddr>)>,
    /// Whether it has an interface in the network.
    pub(crate) is_here: bool,
}

impl Machine {
    pub(crate) fn new(instance: &wire::Instance, network_path: &str) -> Self {
        let zone = links::last(&instance.zone);
        let key = links::instance_key(&instance.self_link).unwrap_or_else(|| format!("{zone}/{}", instance.name));
        let mut machine = Self {
            zone: key.split('/').next().unwrap_or(zone).to_owned(),
            key,
            name: instance.name.clone(),
            project: links::project(&instance.self_link).map(ToOwned::to_owned),
            status: instance.status.clone(),
            can_ip_forward: instance.can_ip_forward,
            addresses: Vec::new(),
            aliases: Vec::new(),
            elsewhere: Vec::new(),
            is_here: false,
        };
        for interface in &instance.network_interfaces {
            let texts = interface.network_ip.iter().chain(&interface.ipv6_address);
            let addresses = texts.filter_map(|text| text.parse().ok());
            let network = links::path(&interface.network);
            if network == network_path {
                machine.is_here = true;
                machine.addresses.extend(addresses);
                machine
                    .aliases
                    .extend(interface.alias_ip_ranges.iter().filter_map(|alias| range(&alias.ip_cidr_range)));
            } else {
                let network = links::last(network).to_owned();
                let first = addresses.into_iter().next();
                machine.elsewhere.push((network, first));
            }
        }
        machine
    }

    /// Whether it is named so.
    pub(crate) fn is(&self, wanted: &MachineRef) -> bool {
        match wanted {
            MachineRef::Name(name) => self.name == *name,
            MachineRef::Id(key) => self.key == *key,
            _ => false,
        }
    }

    /// Its primary address of a family.
    pub(crate) fn address(&self, ipv6: bool) -> Option<IpAddr> {
        self.addresses.iter().copied().find(|address| address.is_ipv6() == ipv6)
    }
}

/// An alias range, or a single alias address.
fn range(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// The instances of the project, as seen from one network.
#[derive(Debug)]
pub(crate) struct Machines {
    all: Vec<Machine>,
    by_address: HashMap<IpAddr, usize>,
    by_name: HashMap<String, Vec<usize>>,
    network: String,
    complete: bool,
}

/// Why no machine was found by name.
#[derive(Debug)]
enum Miss<'a> {
    /// There is none.
    Absent,
    /// There are several.
    Several(Vec<&'a Machine>),
    /// There is one, and another may be where nothing could be seen.
    Doubtful(&'a Machine),
    /// There is one without an interface in the network.
    Elsewhere(&'a Machine),
    /// It was named in a way that Compute Engine does not know.
    Unknown,
}

impl Machines {
    /// Takes a listing, and whether it is the whole.
    pub(crate) fn new(instances: impl IntoIterator<Item = wire::Instance>, network_path: &str, complete: bool) -> Self {
        let mut all: Vec<Machine> =
            instances.into_iter().map(|instance| Machine::new(&instance, network_path)).collect();
        // A machine that moves from page to page during the listing may be on both.
        all.sort_by(|a, b| a.key.cmp(&b.key));
        all.dedup_by(|a, b| a.key == b.key);
        let mut by_address = HashMap::new();
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, machine) in all.iter().enumerate() {
            by_address.extend(machine.addresses.iter().map(|address| (*address, index)));
            by_name.entry(machine.name.clone()).or_default().push(index);
        }
        Self { all, by_address, by_name, network: links::last(network_path).to_owned(), complete }
    }

    /// Whether no zone was left out.
    pub(crate) const fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether the network has instances that this project does not show, as far as can be told. In a Shared VPC they are
    /// in service projects, and the host project, where the routes are, often has none of its own ("Shared VPC", VPC
    /// documentation).
    pub(crate) fn sees_nobody(&self) -> bool {
        self.by_address.is_empty()
    }

    /// The network's name.
    pub(crate) fn network(&self) -> &str {
        &self.network
    }

    pub(crate) fn all(&self) -> &[Machine] {
        &self.all
    }

    /// The machine that has an address as a primary one in the network.
    pub(crate) fn by_address(&self, address: IpAddr) -> Option<&Machine> {
        self.by_address.get(&address).map(|index| &self.all[*index])
    }

    /// The machine in the network that the worker is named after, if there is exactly one.
    pub(crate) fn by_ref(&self, wanted: &MachineRef) -> Option<&Machine> {
        self.find(wanted).ok()
    }

    fn find(&self, wanted: &MachineRef) -> std::result::Result<&Machine, Miss<'_>> {
        let (name, key) = match wanted {
            MachineRef::Name(name) => (name.as_str(), None),
            MachineRef::Id(key) => (links::last(key), Some(key)),
            MachineRef::Address(address) => return self.by_address(*address).ok_or(Miss::Absent),
            _ => return Err(Miss::Unknown),
        };
        let found = self.by_name.get(name).map_or(&[][..], Vec::as_slice).iter().map(|index| &self.all[*index]);
        let found: Vec<&Machine> = found.filter(|machine| key.is_none_or(|key| *key == machine.key)).collect();
        let here: Vec<&Machine> = found.iter().filter(|machine| machine.is_here).copied().collect();
        // With its zone an instance is known whatever the other zones hide.
        let certain = self.complete || key.is_some();
        match (here.as_slice(), found.first()) {
            ([one], _) if certain => Ok(one),
            ([one], _) => Err(Miss::Doubtful(one)),
            ([], Some(one)) if certain => Err(Miss::Elsewhere(one)),
            ([], _) => Err(Miss::Absent),
            _ => Err(Miss::Several(here)),
        }
    }

    fn explain(&self, wanted: &MachineRef, miss: &Miss<'_>, suggesting: bool) -> Error {
        let network = &self.network;
        let shown = match wanted {
            MachineRef::Name(name) => format!("named `{}`", name.escape_debug()),
            MachineRef::Address(address) => format!("at `{address}`"),
            other => format!("`{}`", other.to_string().escape_debug()),
        };
        match miss {
            Miss::Absent if !self.complete => Error::new(
                ErrorKind::Unavailable,
                format!("no instance {shown} was seen in network `{network}`, but not every zone could be listed"),
            )
            .help("run again later, or give the worker its `address` in the topology"),
            Miss::Absent if matches!(wanted, MachineRef::Address(_)) => {
                Error::new(ErrorKind::NotFound, format!("no instance {shown} in network `{network}`"))
                    .help("a route leads only to instances of its own network")
            }
            Miss::Absent => Error::new(ErrorKind::NotFound, format!("no instance {shown} in network `{network}`"))
                .help(format!(
                    "give the worker its `address`, or name its instance: `gcp = {{ instance = \"NAME\" }}`{}",
                    if suggesting { format!("; {}", self.nearby(wanted)) } else { String::new() }
                )),
            Miss::Doubtful(one) => Error::new(
                ErrorKind::Unavailable,
                format!(
                    "instance `{}` is {shown}, but not every zone could be listed, and another one may be so, too",
                    one.key
                ),
            )
            .help(format!(
                "run again later, or give the worker its `address`, or name the instance with its zone: \
                 `gcp = {{ instance = \"{}\" }}`",
                one.key
            )),
            Miss::Several(several) => {
                let list: Vec<String> = several.iter().map(|machine| described(machine)).collect();
                let message = format!("{shown} there are {} instances: {}", several.len(), list.join(", "));
                Error::new(ErrorKind::Invalid, message).help(format!(
                    "name the right one with its zone: `gcp = {{ instance = \"{}\" }}`",
                    several.first().map_or("ZONE/NAME", |machine| machine.key.as_str())
                ))
            }
            Miss::Elsewhere(one) => {
                let networks: Vec<String> = one.elsewhere.iter().map(|(name, _)| format!("`{name}`")).collect();
                let place = if networks.is_empty() { "no network".to_owned() } else { networks.join(" and ") };
                let message = format!("instance `{}` is in {place}, not in network `{network}`", one.key);
                Error::new(ErrorKind::Invalid, message).help("a route leads only to instances of its own network")
            }
            Miss::Unknown => {
                Error::new(ErrorKind::Unsupported, format!("Compute Engine cannot be asked for an instance {shown}"))
            }
        }
    }

    /// Names that there are, the likest first.
    fn nearby(&self, wanted: &MachineRef) -> String {
        let name = match wanted {
            MachineRef::Name(name) => name.as_str(),
            MachineRef::Id(key) => links::last(key),
            _ => "",
        };
        let here = self.all.iter().filter(|machine| machine.is_here);
        let mut names: Vec<(f64, &str)> =
            here.map(|machine| (strsim::jaro_winkler(name, &machine.name), machine.key.as_str())).collect();
        if names.is_empty() {
            return "the project shows no instance in the network".to_owned();
        }
        names.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
        let shown: Vec<String> = names.iter().take(NEARBY).map(|(_, key)| format!("`{key}`")).collect();
        let more = names.len().saturating_sub(NEARBY);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        format!("in the network there are {}{more}", shown.join(", "))
    }
}

pub(crate) fn described(machine: &Machine) -> String {
    let address = machine.addresses.first().map_or_else(|| "no address".to_owned(), ToString::to_string);
    format!("`{}` ({address}, {})", machine.key, machine.status)
}

/// What is known of the workers.
#[derive(Debug, Default)]
pub(crate) struct Resolution {
    pub(crate) next_hops: HashMap<PodCidr, Result<NextHop>>,
    /// The machines that are workers, by `ZONE/NAME`.
    pub(crate) machines: HashMap<String, WorkerName>,
    pub(crate) findings: Vec<Finding>,
}

/// The topology's address for a pod CIDR's family.
pub(crate) fn given(worker: &Worker, ipv6: bool) -> Option<IpAddr> {
    worker.addresses.iter().copied().find(|address| address.is_ipv6() == ipv6)
}

/// The machine that has the worker's address in the network.
pub(crate) fn holder<'a>(worker: &Worker, machines: &'a Machines) -> Option<&'a Machine> {
    worker.addresses.iter().find_map(|address| machines.by_address(*address))
}

/// Finds a next hop for each pod CIDR, and what is the matter with it. `machines` is the listing, or why there is none.
pub(crate) fn resolve(workers: &[Worker], machines: std::result::Result<&Machines, &Error>) -> Resolution {
    let mut resolution = Resolution::default();
    let machines = match machines {
        Ok(machines) => machines,
        Err(error) => {
            for worker in workers {
                for cidr in &worker.pod_cidrs {
                    let hop = given(worker, cidr.is_ipv6()).map(NextHop::Address);
                    resolution.next_hops.insert(*cidr, hop.ok_or_else(|| error.clone()));
                }
            }
            resolution.findings.extend(findings::not_checked(workers, error));
            return resolution;
        }
    };
    let shared = shared(workers, machines);
    let mut misses = 0;
    for worker in workers {
        if let Some(error) = contradicted(worker, machines) {
            resolution.next_hops.extend(worker.pod_cidrs.iter().map(|cidr| (*cidr, Err(error.clone()))));
            continue;
        }
        let held = holder(worker, machines);
        // Whose address a worker has decides; the name is only asked where that says nothing.
        if let Some(error) = held.or_else(|| machines.by_ref(&worker.machine)).and_then(|one| shared.get(&one.key))
            && (held.is_some() || worker.addresses.is_empty())
        {
            resolution.next_hops.extend(worker.pod_cidrs.iter().map(|cidr| (*cidr, Err(error.clone()))));
            continue;
        }
        let found = held.map_or_else(|| machines.find(&worker.machine), Ok);
        let suggesting = misses < SUGGESTIONS;
        misses += usize::from(found.is_err());
        for cidr in &worker.pod_cidrs {
            resolution.next_hops.insert(*cidr, next_hop(worker, *cidr, &found, machines, suggesting));
        }
        if let Ok(machine) = found {
            if held.is_some() {
                resolution.machines.insert(machine.key.clone(), worker.name.clone());
            } else {
                resolution.machines.entry(machine.key.clone()).or_insert_with(|| worker.name.clone());
            }
        }
        resolution.findings.extend(findings::of_worker(worker, found.ok(), machines));
    }
    resolution
}

fn next_hop(
    worker: &Worker,
    cidr: PodCidr,
    found: &std::result::Result<&Machine, Miss<'_>>,
    machines: &Machines,
    suggesting: bool,
) -> Result<NextHop> {
    let ipv6 = cidr.is_ipv6();
    if let Some(address) = given(worker, ipv6) {
        return Ok(NextHop::Address(address));
    }
    let machine = found.as_ref().map_err(|miss| machines.explain(&worker.machine, miss, suggesting))?;
    machine.address(ipv6).map(NextHop::Address).ok_or_else(|| {
        let family = if ipv6 { "IPv6" } else { "IPv4" };
        let message = format!(
            "instance `{}` has no {family} address in network `{}`, for `{cidr}`",
            machine.key, machines.network
        );
        Error::new(ErrorKind::Invalid, message)
            .help(format!("give its interface an {family} address, or take the {family} range from the worker"))
    })
}

/// A worker's instance, named with its zone, and its address are of two machines: which one is meant nobody can tell. A
/// partial listing may show an address at a machine that has lost it, so it refuses nobody.
fn contradicted(worker: &Worker, machines: &Machines) -> Option<Error> {
    let MachineRef::Id(key) = &worker.machine else { return None };
    let holders = worker.addresses.iter().filter(|_| machines.complete);
    let (address, other) = holders
        .filter_map(|address| Some((address, machines.by_address(*address)?)))
        .find(|(_, holder)| holder.key != *key)?;
    let message = format!("the worker is instance `{key}`, but its address `{address}` is that of `{}`", other.key);
    Some(Error::new(ErrorKind::Invalid, message).help("correct the one that is wrong, or leave the `address` out"))
}

/// Two workers cannot be one machine: the second one's pods would be looked for at the first one's.
fn shared(workers: &[Worker], machines: &Machines) -> HashMap<String, Error> {
    let mut holders: HashMap<&str, Vec<&WorkerName>> = HashMap::new();
    for worker in workers.iter().filter(|worker| contradicted(worker, machines).is_none()) {
        let named = || machines.by_ref(&worker.machine).filter(|_| worker.addresses.is_empty());
        if let Some(machine) = holder(worker, machines).or_else(named) {
            holders.entry(&machine.key).or_default().push(&worker.name);
        }
    }
    holders.retain(|_, names| names.len() > 1);
    let error = |(key, names): (&str, Vec<&WorkerName>)| {
        let shown: Vec<String> = names.iter().take(SHARING).map(|name| format!("`{name}`")).collect();
        let shown = match names.len().saturating_sub(SHARING) {
            0 => shown.join(" and "),
            more => format!("{} and {more} more", shown.join(", ")),
        };
        let message = format!("workers {shown} are one instance, `{key}`");
        let error = Error::new(ErrorKind::Invalid, message).help("give each worker an instance of its own");
        (key.to_owned(), error)
    };
    holders.into_iter().map(error).collect()
}

#[cfg(test)]
#[path = "instances_tests.rs"]
mod tests;
