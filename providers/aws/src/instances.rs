//! Which instance a worker is.
//!
//! By id, by Name tag or by private address, two hundred at a time, inside the VPC of the tables: another instance of the
//! same name or address in another VPC is somebody else's. Instances that are ending or have ended do not count; EC2
//! shows them for a while, under the name that their successor bears already. A name that fits two instances is refused
//! with both, because a guess would send pods' packets to a stranger.
//!
//! Where the tables are to be found by the workers, no VPC is known to look in, and the whole region is searched. Workers
//! of one run share a VPC, so an instance that is named by its id decides for a name that fits several. A name that fits
//! one does not: a single stray instance of another cluster would take all the others along into its VPC. Workers in two
//! VPCs are refused.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use aws_sdk_ec2::types::{Filter, Instance};
use futures_util::future::join_all;
use kroutes_core::{Error, ErrorKind, MachineRef, Result, Worker};

use crate::ec2::{Ec2, LONGEST_VALUE, VALUES_PER_FILTER, filter, literally};
use crate::exports::Asked;
use crate::machine::{Machine, PRESENT, addresses, is_present, listed, machine, name_of, state_of};

/// How many workers are named where all of them are meant.
const NAMED: usize = 3;

/// Every worker's instance.
#[derive(Debug)]
pub(crate) struct Found {
    /// The VPC that they share, if any was found.
    pub(crate) vpc: Option<String>,
    /// In the order of the workers.
    pub(crate) machines: Vec<Result<Machine>>,
}

/// Finds every worker's instance, in this VPC or, without one, in the region.
pub(crate) async fn find(ec2: &Ec2, vpc: Option<&str>, workers: &[Worker], exports: &Asked<'_>) -> Result<Found> {
    let wanted: Vec<Result<MachineRef>> = workers.iter().map(|worker| exports.machine(&worker.machine)).collect();
    let seen = look_up(ec2, vpc, wanted.iter().flatten()).await?;
    let index = Index::new(&seen);
    let all = |vpc: Option<&str>| -> Vec<Result<Machine>> {
        let place = Place { vpc, region: &ec2.region };
        let choose =
            |wanted: &Result<MachineRef>| wanted.as_ref().map_err(Error::clone).and_then(|it| place.choose(it, &index));
        let chosen = wanted.iter().zip(workers).map(|(wanted, worker)| match (&worker.machine, choose(wanted)) {
            (MachineRef::Export(export), Err(error)) => Err(error.with("export", export)),
            (_, other) => other,
        });
        chosen.collect()
    };
    let mut machines = all(vpc);
    let mut shared = vpc.map(ToOwned::to_owned);
    if vpc.is_none() {
        shared = one_vpc(workers, &machines)?;
        let mut torn = index.torn(wanted.iter().flatten());
        if !torn.is_empty() {
            torn.extend(shared.as_deref());
        }
        if torn.len() > 1 && !is_decided(&wanted, &machines) {
            refuse_undecided(&wanted, &mut machines, &torn);
            shared = None;
        }
        if shared.is_some() {
            machines = all(shared.as_deref());
        }
    }
    refuse_shared(workers, &mut machines);
    Ok(Found { vpc: shared, machines })
}

/// What the listings showed.
#[derive(Debug, Default)]
struct Seen {
    failed: HashMap<MachineRef, Error>,
    by_id: BTreeMap<String, Instance>,
}

/// The same, by what instances are asked for by.
#[derive(Debug)]
struct Index<'a> {
    seen: &'a Seen,
    by_name: HashMap<&'a str, Vec<&'a Instance>>,
    by_address: HashMap<IpAddr, Vec<&'a Instance>>,
}

impl<'a> Index<'a> {
    fn new(seen: &'a Seen) -> Self {
        let mut index = Self { seen, by_name: HashMap::new(), by_address: HashMap::new() };
        for instance in seen.by_id.values() {
            index.by_name.entry(name_of(instance)).or_default().push(instance);
            for address in addresses(instance) {
                index.by_address.entry(address).or_default().push(instance);
            }
        }
        index
    }

    /// The VPCs of all that names and addresses fit which fit several.
    fn torn<'w>(&self, wanted: impl Iterator<Item = &'w MachineRef>) -> BTreeSet<&'a str> {
        let mut vpcs = BTreeSet::new();
        for one in wanted {
            let fitting = match one {
                MachineRef::Name(name) => self.by_name.get(name.as_str()),
                MachineRef::Address(address) => self.by_address.get(address),
                _ => None,
            };
            let present: Vec<&Instance> =
                fitting.into_iter().flatten().filter(|one| is_present(one)).copied().collect();
            if present.len() > 1 {
                vpcs.extend(present.into_iter().filter_map(Instance::vpc_id));
            }
        }
        vpcs
    }
}

/// A sort of listing: the filter, and the references that it is for.
type Sort = (&'static str, BTreeMap<String, MachineRef>);

/// Asks for everything that is named, all at once.
async fn look_up(ec2: &Ec2, vpc: Option<&str>, wanted: impl Iterator<Item = &MachineRef>) -> Result<Seen> {
    let mut sorts: BTreeMap<&'static str, BTreeMap<String, MachineRef>> = BTreeMap::new();
    for one in wanted {
        let (sort, value) = match one {
            MachineRef::Id(id) => ("instance-id", id.clone()),
            MachineRef::Name(name) if fits(name) => ("tag:Name", literally(name)),
            MachineRef::Address(address @ IpAddr::V4(_)) => ("private-ip-address", address.to_string()),
            MachineRef::Address(address) => ("network-interface.ipv6-addresses.ipv6-address", address.to_string()),
            _ => continue,
        };
        sorts.entry(sort).or_default().insert(value, one.clone());
    }
    let batches = sorts.into_iter().flat_map(|(sort, members): Sort| {
        let members: Vec<(String, MachineRef)> = members.into_iter().collect();
        let batches: Vec<_> = members.chunks(VALUES_PER_FILTER).map(|batch| (sort, batch.to_vec())).collect();
        batches
    });
    let answers = join_all(batches.map(|(sort, batch)| async move {
        let answer = ec2.instances(filters(sort, &batch, vpc)).await;
        (batch, answer)
    }))
    .await;
    let mut seen = Seen::default();
    for (batch, answer) in answers {
        match answer {
            Ok(instances) => {
                let with_id = |instance: Instance| Some((instance.instance_id()?.to_owned(), instance));
                seen.by_id.extend(instances.into_iter().filter_map(with_id));
            }
            // Nothing else will get an answer either.
            Err(error) if matches!(error.kind(), ErrorKind::Unauthenticated | ErrorKind::Interrupted) => {
                return Err(error);
            }
            Err(error) => seen.failed.extend(batch.into_iter().map(|(_, wanted)| (wanted, error.clone()))),
        }
    }
    Ok(seen)
}

/// An id is asked for wherever it is, so that a wrong one is told with its state and place.
fn filters(sort: &str, batch: &[(String, MachineRef)], vpc: Option<&str>) -> Vec<Filter> {
    let mut filters = vec![filter(sort, batch.iter().map(|(value, _)| value.clone()))];
    if sort != "instance-id" {
        filters.extend(vpc.map(|vpc| filter("vpc-id", [vpc])));
        filters.push(filter("instance-state-name", PRESENT));
    }
    filters
}

/// Whether a name can be asked for at all. One that cannot would fail the whole batch.
fn fits(name: &str) -> bool {
    literally(name).chars().count() <= LONGEST_VALUE
}

/// The one VPC of all that were found. A route table leads only to instances of its own VPC.
fn one_vpc(workers: &[Worker], machines: &[Result<Machine>]) -> Result<Option<String>> {
    let mut vpcs: BTreeMap<&str, Vec<&Worker>> = BTreeMap::new();
    for (worker, machine) in workers.iter().zip(machines) {
        if let Ok(machine) = machine {
            vpcs.entry(machine.vpc.as_str()).or_default().push(worker);
        }
    }
    if vpcs.len() < 2 {
        return Ok(vpcs.into_keys().next().map(ToOwned::to_owned));
    }
    let listed: Vec<String> = vpcs.iter().map(|(vpc, workers)| format!("{} in `{vpc}`", some(workers, ", "))).collect();
    Err(Error::new(ErrorKind::Invalid, format!("the workers are in several VPCs: {}", listed.join("; ")))
        .help("give each VPC a topology of its own, or name the right instances by id: `aws = { instance = \"i-…\" }`"))
}

/// The first of the workers, and how many more there are.
fn some(workers: &[&Worker], last: &str) -> String {
    let names: Vec<String> = workers.iter().take(NAMED).map(|worker| format!("`{}`", worker.name)).collect();
    match workers.len().saturating_sub(NAMED) {
        0 => names.join(last),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// Whether a worker was found by an id, which fits one instance wherever that is. Exports are ids by now.
fn is_decided(wanted: &[Result<MachineRef>], machines: &[Result<Machine>]) -> bool {
    wanted.iter().zip(machines).any(|pair| matches!(pair, (Ok(MachineRef::Id(_)), Ok(_))))
}

/// Whoever was found by a name or an address may be the stray one as well as the right one.
fn refuse_undecided(wanted: &[Result<MachineRef>], machines: &mut [Result<Machine>], torn: &BTreeSet<&str>) {
    let vpcs: Vec<String> = torn.iter().map(|vpc| format!("`{vpc}`")).collect();
    for (wanted, machine) in wanted.iter().zip(machines) {
        if let (Ok(MachineRef::Name(_) | MachineRef::Address(_)), Ok(found)) = (wanted, &*machine) {
            let message = format!(
                "instance `{}` is in `{}`, but other workers fit several instances, so which VPC is meant is not known: {}",
                found.id,
                found.vpc,
                vpcs.join(" or ")
            );
            *machine = Err(Error::new(ErrorKind::Invalid, message).help(
                "name one worker's instance by id in the topology: `aws = { instance = \"i-…\" }`; or name the route table, so that its VPC is known",
            ));
        }
    }
}

/// Where instances are looked for: in one VPC, or in the whole region.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    vpc: Option<&'a str>,
    region: &'a str,
}

impl Place<'_> {
    fn choose(self, wanted: &MachineRef, index: &Index<'_>) -> Result<Machine> {
        if let Some(error) = index.seen.failed.get(wanted) {
            return Err(error.clone());
        }
        match wanted {
            MachineRef::Id(id) => self.by_id(id, index.seen.by_id.get(id)),
            MachineRef::Name(name) => self.by_name(name, index.by_name.get(name.as_str()).map_or(&[], Vec::as_slice)),
            MachineRef::Address(address) => {
                self.by_address(*address, index.by_address.get(address).map_or(&[], Vec::as_slice))
            }
            other => Err(Error::new(ErrorKind::Unsupported, format!("EC2 cannot be asked for an instance {other}"))),
        }
    }

    fn is_here(self, instance: &Instance) -> bool {
        is_present(instance) && self.vpc.is_none_or(|vpc| instance.vpc_id() == Some(vpc))
    }

    /// `in vpc-1, region us-west-2`, as far as it is known.
    fn words(self) -> String {
        match self.vpc {
            Some(vpc) => format!("in `{vpc}`, region `{}`", self.region),
            None => format!("in region `{}`", self.region),
        }
    }

    fn by_id(self, id: &str, instance: Option<&Instance>) -> Result<Machine> {
        let Some(instance) = instance else {
            return Err(Error::new(ErrorKind::NotFound, format!("no instance `{id}` in region `{}`", self.region))
                .help("check `aws.instance` of the worker, and `region`"));
        };
        if !is_present(instance) {
            return Err(Error::new(ErrorKind::NotFound, format!("instance `{id}` is `{}`", state_of(instance)))
                .help("name the instance that took its place"));
        }
        match (self.vpc, instance.vpc_id()) {
            (Some(wanted), found) if found != Some(wanted) => Err(Error::new(
                ErrorKind::Invalid,
                format!("instance `{id}` is in VPC `{}`, the route table in `{wanted}`", found.unwrap_or("none")),
            )
            .help("a route leads only to instances of its table's VPC")),
            _ => Ok(machine(instance)),
        }
    }

    fn by_name(self, name: &str, instances: &[&Instance]) -> Result<Machine> {
        let here = |instance: &&&Instance| self.is_here(instance) && name_of(instance) == name;
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
                format!("no instance with the Name tag `{shown}` {}", self.words()),
            )
            .help("tag the instance, or name it by id in the topology: `aws = { instance = \"i-…\" }`")),
            several => Err(Error::new(
                ErrorKind::Invalid,
                format!("the Name tag `{shown}` fits {} instances: {}", several.len(), listed(several)),
            )
            .help("name the right one by id in the topology: `aws = { instance = \"i-…\" }`")),
        }
    }

    fn by_address(self, address: IpAddr, instances: &[&Instance]) -> Result<Machine> {
        let candidates: Vec<&Instance> = instances.iter().filter(|one| self.is_here(one)).copied().collect();
        match candidates.as_slice() {
            [one] => Ok(machine(one)),
            [] => Err(Error::new(
                ErrorKind::NotFound,
                format!("no instance has the private address `{address}` {}", self.words()),
            )
            .help("check that the worker runs in the VPC of the route table")),
            several => Err(Error::new(
                ErrorKind::Invalid,
                format!("`{address}` is the address of {} instances: {}", several.len(), listed(several)),
            )
            .help("name the route table in the topology, so that its VPC is known")),
        }
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
        let names: Vec<&Worker> = sharing.iter().map(|index| &workers[*index]).collect();
        let message = format!("workers {} are one instance, `{id}`", some(&names, " and "));
        let error = Error::new(ErrorKind::Invalid, message).help("give each worker an instance of its own");
        for index in sharing {
            machines[index] = Err(error.clone());
        }
    }
}

#[cfg(test)]
#[path = "instances_tests.rs"]
mod tests;
