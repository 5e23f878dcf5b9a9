//! From texts to a topology: names and ranges are parsed, and the whole is judged, all faults at once.
//!
//! One bad range should not hide the overlap of two others, so whatever can be parsed is judged even when something
//! else could not be. The core names a fault's subject by position in what it was given; positions are translated back to
//! paths of the file here.

use std::collections::HashSet;
use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use kroutes_core::{
    Cluster, ClusterCidr, ClusterName, Fault, MachineRef, PodCidr, Subject, Topology, Worker, WorkerName,
};

use crate::file::{ClusterTable, Lengths, OneOrMany, WorkerTable};
use crate::source::{NodePrefix, SourceSpec};

use super::problem::{Nature, Problem};
use super::survey::Survey;
use super::tree::{Node, Origin, Step, quoted};

/// A topology without contradictions: what is written in it, and where the rest comes from.
pub(super) struct Meaning {
    pub(super) cluster: Cluster,
    /// Each worker's machine is the one of its name.
    pub(super) workers: Vec<Worker>,
    pub(super) source: Option<SourceSpec>,
}

/// Judges a topology that messages call `name`.
///
/// # Errors
///
/// All that is wrong, with what the survey found.
pub(super) fn judge(root: &Node, survey: Survey, name: &str) -> Result<Meaning, Vec<Problem>> {
    let misspelt = survey.problems.iter().filter_map(|problem| match problem.nature {
        Nature::Unknown { .. } => Some(problem.table.clone()),
        _ => None,
    });
    let (misspelt, problems) = (misspelt.collect(), survey.problems);
    let mut judge = Judge { root, misspelt, allocation: Allocation::None, problems };
    let cluster = judge.cluster(survey.cluster.as_ref());
    let mut places = Places { services: cluster.services, workers: Vec::new() };
    let mut workers = Vec::new();
    for (index, table) in survey.workers.iter().enumerate() {
        if let Some((worker, place)) = table.as_ref().and_then(|table| judge.worker(index, table)) {
            workers.push(worker);
            places.workers.push(place);
        }
    }
    if root.get("worker").is_none_or(|list| list.items().is_empty()) && root.get("source").is_none() {
        let problem = Problem::meaning(&Origin::Absent, "the topology has no workers");
        judge.problems.push(problem.with_help(
            "add a `[[worker]]` table with `name` and `pod-cidr` for each, or a `[source]` that knows them",
        ));
    }
    let source = survey.source.as_ref().and_then(|table| judge.source(table, name));
    let (cluster, workers) = judge.together(cluster.name, cluster.claim, workers, &places)?;
    Ok(Meaning { cluster, workers, source })
}

/// Where workers without a `pod-cidr` get one from.
pub(super) enum Allocation {
    None,
    /// There is a `node-prefix`, and something is wrong with it or with the claim: told already.
    Broken,
    By(NodePrefix),
}

/// What could be parsed of the `[cluster]` table.
struct Parsed {
    name: Option<ClusterName>,
    /// The ranges of pods and of services, if all of them could be parsed.
    claim: Option<(Vec<ClusterCidr>, Vec<IpNet>)>,
    services: Vec<usize>,
}

/// Where the parsed things stand in the file's lists.
struct Places {
    services: Vec<usize>,
    workers: Vec<Place>,
}

/// Where a parsed worker, its ranges and its addresses stand.
struct Place {
    index: usize,
    /// Whether the list of ranges is empty because the file says so, not because nothing in it could be parsed.
    none: bool,
    /// Whether its ranges were given to it by its name.
    allocated: bool,
    ranges: Vec<usize>,
    hosts: Vec<usize>,
}

pub(super) struct Judge<'a> {
    pub(super) root: &'a Node,
    /// Tables that have a key nobody knows: a missing one is most likely that.
    misspelt: HashSet<Vec<Step>>,
    pub(super) allocation: Allocation,
    pub(super) problems: Vec<Problem>,
}

impl Judge<'_> {
    fn cluster(&mut self, table: Option<&ClusterTable>) -> Parsed {
        let path = [Step::from("cluster")];
        let nothing = Parsed { name: None, claim: None, services: Vec::new() };
        let Some(table) = table else { return nothing };
        if self.root.get("cluster").is_none() {
            let help = "begin with `[cluster]`, `name = \"kubernetes\"` and `pod-cidr = \"10.200.0.0/16\"`";
            self.problems.push(Problem::meaning(&Origin::Absent, "missing section `[cluster]`").with_help(help));
            return nothing;
        }
        self.required(&path, "name", table.name.is_some());
        self.required(&path, "pod-cidr", table.pod_cidr.is_some());
        let name = self.text(&path, "name", table.name.as_deref());
        let (pods, found) = self.texts::<ClusterCidr>(&path, "pod-cidr", table.pod_cidr.as_ref());
        let whole = table.pod_cidr.as_ref().is_some_and(|texts| texts.0.len() == found.len());
        let (services, places) = self.texts::<ClusterCidr>(&path, "service-cidr", table.service_cidr.as_ref());
        let services = services.iter().map(ClusterCidr::net).collect();
        if let Some(lengths) = &table.node_prefix {
            self.allocation = self.allocation(lengths, whole.then_some(&pods));
        }
        Parsed { name, claim: whole.then_some((pods, services)), services: places }
    }

    fn allocation(&mut self, lengths: &Lengths, pods: Option<&Vec<ClusterCidr>>) -> Allocation {
        let Some(pods) = pods else { return Allocation::Broken };
        match NodePrefix::new(pods, &lengths.0) {
            Ok(prefix) => Allocation::By(prefix),
            Err(misfit) => {
                let path = [Step::from("cluster"), Step::from("node-prefix")];
                let path: Vec<Step> = path.into_iter().chain(misfit.nth.map(Step::from)).collect();
                self.problems.push(Problem::meaning(self.root.locate(&path), misfit.message));
                Allocation::Broken
            }
        }
    }

    /// The ranges that a worker without any gets by its name.
    fn allocate(&mut self, path: &[Step], name: Option<&str>) -> Vec<PodCidr> {
        let (Allocation::By(prefix), Some(name)) = (&self.allocation, name) else { return Vec::new() };
        prefix.ranges(name).unwrap_or_else(|error| {
            let origin = self.root.locate(&[path, &[Step::from("name")]].concat());
            let problem = Problem::meaning(origin, error.message());
            let help = error.get("help").unwrap_or("give it a `pod-cidr`");
            self.problems.push(problem.with_help(help));
            Vec::new()
        })
    }

    fn worker(&mut self, index: usize, table: &WorkerTable) -> Option<(Worker, Place)> {
        let path = [Step::from("worker"), Step::from(index)];
        let allocated = table.pod_cidr.is_none() && !matches!(self.allocation, Allocation::None);
        self.required(&path, "name", table.name.is_some());
        self.required(&path, "pod-cidr", table.pod_cidr.is_some() || allocated);
        let name: Option<WorkerName> = self.text(&path, "name", table.name.as_deref());
        let (mut pod_cidrs, ranges) = self.texts(&path, "pod-cidr", table.pod_cidr.as_ref());
        let (addresses, hosts) = self.texts::<Host>(&path, "address", table.address.as_ref());
        if allocated {
            pod_cidrs = self.allocate(&path, name.as_ref().map(WorkerName::as_str));
        }
        let machine = MachineRef::Name(table.name.clone()?);
        let addresses = addresses.into_iter().map(|host| host.0).collect();
        let none = table.pod_cidr.as_ref().is_some_and(|texts| texts.0.is_empty());
        Some((Worker { name: name?, pod_cidrs, addresses, machine }, Place { index, none, allocated, ranges, hosts }))
    }

    pub(super) fn required(&mut self, path: &[Step], key: &str, present: bool) {
        if !present && !self.misspelt.contains(path) {
            let origin = self.root.locate(path);
            self.problems.push(Problem::missing(origin, path.to_vec(), key));
        }
    }

    fn text<T: FromStr<Err: Display>>(&mut self, path: &[Step], key: &str, text: Option<&str>) -> Option<T> {
        text.and_then(|text| self.parse(path, key, 0, text))
    }

    fn texts<T: FromStr<Err: Display>>(
        &mut self,
        path: &[Step],
        key: &str,
        texts: Option<&OneOrMany>,
    ) -> (Vec<T>, Vec<usize>) {
        texts
            .map_or(&[][..], |texts| &texts.0)
            .iter()
            .enumerate()
            .filter_map(|(nth, text)| self.parse(path, key, nth, text).map(|value| (value, nth)))
            .unzip()
    }

    fn parse<T: FromStr<Err: Display>>(&mut self, path: &[Step], key: &str, nth: usize, text: &str) -> Option<T> {
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                let place = [path, &[Step::from(key), Step::from(nth)]].concat();
                self.problems.push(Problem::meaning(self.root.locate(&place), error.to_string()));
                None
            }
        }
    }

    fn together(
        mut self,
        name: Option<ClusterName>,
        claim: Option<(Vec<ClusterCidr>, Vec<IpNet>)>,
        workers: Vec<Worker>,
        places: &Places,
    ) -> Result<(Cluster, Vec<Worker>), Vec<Problem>> {
        let claimed = claim.is_some();
        let (pod_cidrs, service_cidrs) = claim.unwrap_or_else(|| (everything(), Vec::new()));
        let named = name.is_some();
        // A name is only in the way of judging the rest if there is none; no message tells the stand-in.
        let Some(name) = name.or_else(|| "unnamed".parse().ok()) else { return Err(self.problems) };
        match Topology::new(Cluster { name, pod_cidrs, service_cidrs }, workers) {
            Ok(topology) if self.problems.is_empty() && claimed && named => {
                Ok((topology.cluster().clone(), topology.workers().to_vec()))
            }
            Ok(_) => Err(self.problems),
            Err(faults) => {
                for Fault { subject, message } in faults {
                    if let Some(path) = places.path(subject, claimed) {
                        self.problems.push(Problem::meaning(self.root.locate(&path), message));
                    }
                }
                Err(self.problems)
            }
        }
    }
}

impl Places {
    /// The path of a fault's subject; none where the fault follows from one that is told already.
    fn path(&self, subject: Subject, claimed: bool) -> Option<Vec<Step>> {
        let cluster = |key: &str, nth: Option<usize>| {
            claimed.then(|| [Step::from("cluster"), Step::from(key)].into_iter().chain(nth.map(Step::from)).collect())
        };
        let worker = |place: &Place, key: &str, nth: Option<usize>| {
            let start = [Step::from("worker"), Step::from(place.index), Step::from(key)];
            Some(start.into_iter().chain(nth.map(Step::from)).collect())
        };
        match subject {
            Subject::ClusterPodCidr(nth) => cluster("pod-cidr", Some(nth)),
            Subject::ServiceCidr(nth) => cluster("service-cidr", Some(*self.services.get(nth)?)),
            Subject::WorkerName(index) => worker(self.workers.get(index)?, "name", None),
            Subject::WorkerPodCidrs(index) => {
                let place = self.workers.get(index)?;
                place.none.then(|| worker(place, "pod-cidr", None)).flatten()
            }
            Subject::WorkerPodCidr(index, nth) => {
                let place = self.workers.get(index)?;
                if place.allocated {
                    return worker(place, "name", None);
                }
                worker(place, "pod-cidr", Some(*place.ranges.get(nth)?))
            }
            Subject::WorkerAddress(index, nth) => {
                let place = self.workers.get(index)?;
                worker(place, "address", Some(*place.hosts.get(nth)?))
            }
            // `ClusterPodCidrs` and whatever the core may come to judge: the cluster as a whole.
            _ => cluster("pod-cidr", None),
        }
    }
}

/// A claim that holds every address, for judging workers when the real one could not be read. The default route itself is
/// no claim, so it takes two halves of each family.
fn everything() -> Vec<ClusterCidr> {
    ["0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"].iter().filter_map(|half| half.parse().ok()).collect()
}

/// A machine's own address.
struct Host(IpAddr);

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<IpAddr>() {
            Ok(IpAddr::V6(v6)) => match v6.to_ipv4_mapped() {
                Some(v4) => Err(format!("`{v6}` is an IPv4-mapped IPv6 address; write it as `{v4}`")),
                None => Ok(Self(v6.into())),
            },
            Ok(v4) => Ok(Self(v4)),
            Err(_) if text.parse::<IpNet>().is_ok() => {
                Err(format!("{} is a range; a worker's address has no prefix length", quoted(text)))
            }
            Err(_) => Err(format!("{} is not an IP address such as `10.240.0.20`", quoted(text))),
        }
    }
}
