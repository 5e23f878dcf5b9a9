//! What the user wants: one cluster, its workers, and the ranges their pods live in.
//!
//! Everything that could make a topology contradict itself is judged once, in [`Topology::new`], and all of it at once:
//! somebody who has made three mistakes wants to hear of three. After that nothing validates again, since a `Topology`
//! that breaks a rule cannot be had. The faults name their subject by position, not by text, so that a loader can point
//! at the very value in the file.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use crate::cidr::overlap;
use crate::{ClusterCidr, Error, PodCidr};

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameError(String);

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NameError {}

/// The cluster's name: 1 to 63 of `A-Z a-z 0-9 . _ -`. It becomes part of tag keys and route descriptions, which is
/// where the narrow alphabet comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClusterName(String);

impl ClusterName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClusterName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if text.is_empty() || text.len() > 63 || !text.chars().all(allowed) {
            return Err(NameError(format!(
                "a cluster name has 1 to 63 letters, digits, dots, underscores or dashes; this is `{}`",
                text.escape_debug()
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A worker's name: 1 to 253 printable characters, which is as long as a Kubernetes node's may be.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkerName(String);

impl WorkerName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WorkerName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let printable = text.chars().all(|c| !c.is_control() && !c.is_whitespace());
        if text.is_empty() || text.len() > 253 || !printable {
            return Err(NameError(format!(
                "a worker name has 1 to 253 printable characters and no spaces; this is `{}`",
                text.escape_debug()
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for WorkerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a cloud is asked for a worker's machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MachineRef {
    /// By the provider's id.
    Id(String),
    /// By an address inside the network that the routes are in.
    Address(IpAddr),
    /// By the name that the provider shows (EC2: the `Name` tag).
    Name(String),
    /// By the name under which a stack exports the provider's id (AWS: `CloudFormation`).
    Export(String),
}

impl fmt::Display for MachineRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => f.write_str(id),
            Self::Address(address) => write!(f, "at `{address}`"),
            Self::Name(name) => write!(f, "named `{name}`"),
            Self::Export(export) => write!(f, "exported as `{export}`"),
        }
    }
}

/// What a Kubernetes node's provider id (`spec.providerID`, such as `aws:///us-west-2a/i-0123`) means to a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeId {
    /// A machine of this provider.
    Machine(MachineRef),
    /// Something that another cloud knows, or none.
    OtherCloud,
    /// Something of this provider's to which no route can lead; what it is, such as `a Fargate pod`.
    NotAMachine(&'static str),
}

/// A machine that hosts pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// What the topology calls it.
    pub name: WorkerName,
    /// The ranges of its pods.
    pub pod_cidrs: Vec<PodCidr>,
    /// Its own addresses inside the network, at most one per family, where the topology gives them.
    pub addresses: Vec<IpAddr>,
    /// How the cloud is asked for it.
    pub machine: MachineRef,
}

/// What is claimed, and under which name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// The name under which routes are ours.
    pub name: ClusterName,
    /// The claim: one range, or one per family.
    pub pod_cidrs: Vec<ClusterCidr>,
    /// Ranges of service addresses, which no pod range may touch.
    pub service_cidrs: Vec<IpNet>,
}

impl Cluster {
    /// Whether the whole of `net` lies inside the claim.
    pub fn contains(&self, net: &IpNet) -> bool {
        self.pod_cidrs.iter().any(|cidr| cidr.contains(net))
    }
}

/// What a fault is about, by position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Subject {
    /// The cluster's list of pod CIDRs as a whole.
    ClusterPodCidrs,
    /// One of the cluster's pod CIDRs.
    ClusterPodCidr(usize),
    /// One of the cluster's service CIDRs.
    ServiceCidr(usize),
    /// A worker's name.
    WorkerName(usize),
    /// A worker's list of pod CIDRs as a whole.
    WorkerPodCidrs(usize),
    /// A worker's nth pod CIDR.
    WorkerPodCidr(usize, usize),
    /// A worker's nth address.
    WorkerAddress(usize, usize),
}

/// One thing that makes a topology contradict itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub subject: Subject,
    /// What, in words.
    pub message: String,
}

/// A machine that a source of workers knows and that is none to route to: it has no range yet, belongs to another cloud,
/// is going away, or says something that cannot be read. Its routes, if it has any, are neither wanted nor stale.
#[derive(Debug, Clone)]
pub struct LeftOut {
    /// What the source calls it.
    pub name: WorkerName,
    /// The ranges that are known to be its own.
    pub pod_cidrs: Vec<PodCidr>,
    /// Why.
    pub why: Error,
    /// Whether something is wrong with it: the run has then not done all that was asked for.
    pub is_fault: bool,
}

/// A cluster and its workers, free of contradictions.
#[derive(Debug, Clone)]
pub struct Topology {
    cluster: Cluster,
    workers: Vec<Worker>,
    left_out: Vec<LeftOut>,
    /// Disjoint and sorted; everything without one.
    scope: Option<Vec<IpNet>>,
}

impl Topology {
    /// Judges everything, and keeps what passes.
    ///
    /// # Errors
    ///
    /// Every fault there is, in the order of the topology.
    pub fn new(cluster: Cluster, workers: Vec<Worker>) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        judge_cluster(&cluster, &mut faults);
        judge_names(&workers, &mut faults);
        judge_ranges(&cluster, &workers, &mut faults);
        judge_addresses(&workers, &mut faults);
        if faults.is_empty() {
            return Ok(Self { cluster, workers, left_out: Vec::new(), scope: None });
        }
        faults.sort_by_key(|fault| fault.subject);
        Err(faults)
    }

    /// The same, with machines that are left alone.
    #[must_use]
    pub fn leaving_out(mut self, left_out: Vec<LeftOut>) -> Self {
        self.left_out = left_out;
        self
    }

    /// Machines that are left alone.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// The ranges of machines that are left alone, where no worker wants the same.
    pub(crate) fn spared(&self) -> Vec<IpNet> {
        let wanted: HashSet<IpNet> = self.ranges().map(|(_, cidr)| cidr.net()).collect();
        let ranges = self.left_out.iter().flat_map(|one| &one.pod_cidrs).map(PodCidr::net);
        ranges.filter(|net| !wanted.contains(net)).collect()
    }

    /// The same, of which only what lies inside these ranges is looked at: wanted and observed alike, so that what is not
    /// looked at can never seem unwanted. The workers all stay, since whose a route is may depend on any of them.
    #[must_use]
    pub fn narrowed_to(mut self, scope: &[IpNet]) -> Self {
        // Neighbours are not joined: a route over two of them is inside of neither.
        let mut ranges = scope.to_vec();
        ranges.sort();
        ranges.dedup_by(|later, earlier| earlier.contains(&*later));
        self.scope = Some(ranges);
        self
    }

    /// Whether a destination is looked at.
    pub fn is_in_scope(&self, net: &IpNet) -> bool {
        self.scope.as_ref().is_none_or(|scope| {
            // Of disjoint ranges only the last one that begins at or before it can hold it.
            let after = scope
                .partition_point(|range| (range.network(), range.prefix_len()) <= (net.network(), net.prefix_len()));
            after > 0 && scope[after - 1].contains(net)
        })
    }

    /// The workers with a range that is looked at.
    pub fn workers_in_scope(&self) -> impl Iterator<Item = &Worker> {
        self.workers.iter().filter(|worker| self.concerns(&worker.pod_cidrs))
    }

    /// Whether only a part is looked at.
    pub const fn is_narrowed(&self) -> bool {
        self.scope.is_some()
    }

    /// Whether one of these ranges is looked at. Where only a part is, ranges that nobody knows are none of it.
    pub(crate) fn concerns(&self, ranges: &[PodCidr]) -> bool {
        self.scope.is_none() || ranges.iter().any(|cidr| self.is_in_scope(&cidr.net()))
    }

    /// The cluster.
    pub const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The workers, in the order in which they were given.
    pub fn workers(&self) -> &[Worker] {
        &self.workers
    }

    /// Every pod CIDR with its worker.
    pub fn ranges(&self) -> impl Iterator<Item = (&Worker, PodCidr)> {
        self.workers.iter().flat_map(|worker| worker.pod_cidrs.iter().map(move |cidr| (worker, *cidr)))
    }
}

fn judge_cluster(cluster: &Cluster, faults: &mut Vec<Fault>) {
    if cluster.pod_cidrs.is_empty() {
        let message = "a cluster needs at least one pod CIDR".to_owned();
        faults.push(Fault { subject: Subject::ClusterPodCidrs, message });
    }
    let mut families = [false; 2];
    for (index, cidr) in cluster.pod_cidrs.iter().enumerate() {
        let seen = &mut families[usize::from(cidr.is_ipv6())];
        if *seen {
            let message = format!("`{cidr}` is a second pod CIDR of its family; a cluster has one per family");
            faults.push(Fault { subject: Subject::ClusterPodCidr(index), message });
        }
        *seen = true;
    }
    for (index, service) in cluster.service_cidrs.iter().enumerate() {
        if let Some(cidr) = cluster.pod_cidrs.iter().find(|cidr| overlap(&cidr.net(), service)) {
            let message = format!("the service range `{service}` overlaps the cluster's pod range `{cidr}`");
            faults.push(Fault { subject: Subject::ServiceCidr(index), message });
        }
    }
}

fn judge_names(workers: &[Worker], faults: &mut Vec<Fault>) {
    let mut first = BTreeMap::new();
    for (index, worker) in workers.iter().enumerate() {
        match first.entry(&worker.name) {
            Entry::Vacant(entry) => drop(entry.insert(index)),
            Entry::Occupied(_) => {
                let message = format!("two workers are called `{}`", worker.name);
                faults.push(Fault { subject: Subject::WorkerName(index), message });
            }
        }
        if worker.pod_cidrs.is_empty() {
            let message = format!("worker `{}` has no pod CIDR", worker.name);
            faults.push(Fault { subject: Subject::WorkerPodCidrs(index), message });
        }
    }
}

/// A pod CIDR with where it stands: network, worker, place in that worker's list.
type Placed = (IpNet, usize, usize);

fn judge_ranges(cluster: &Cluster, workers: &[Worker], faults: &mut Vec<Fault>) {
    let mut placed: Vec<Placed> = Vec::new();
    for (index, worker) in workers.iter().enumerate() {
        for (nth, cidr) in worker.pod_cidrs.iter().enumerate() {
            placed.push((cidr.net(), index, nth));
            let mut fault = |message| faults.push(Fault { subject: Subject::WorkerPodCidr(index, nth), message });
            // A service range that overlaps the claim is a fault already; without it this could not happen. Nor is it the
            // worker's fault if there is no claim at all.
            if !cluster.pod_cidrs.is_empty() && !cluster.contains(&cidr.net()) {
                let claim: Vec<_> = cluster.pod_cidrs.iter().map(ToString::to_string).collect();
                fault(format!(
                    "`{cidr}` of worker `{}` is not inside the cluster's pod CIDR `{}`",
                    worker.name,
                    claim.join("`, `")
                ));
            }
        }
    }
    // Prefixes overlap only by containment, and a container sorts right before all that it contains: comparing each
    // range with the last one that was not inside another finds every overlap in one pass.
    placed.sort_by_key(|(net, worker, nth)| (*net, *worker, *nth));
    let mut outer: Option<Placed> = None;
    for range in placed {
        match outer {
            Some((net, other, _)) if net.contains(&range.0) => {
                let (first, second) = if other <= range.1 { (other, range.1) } else { (range.1, other) };
                let message = if other == range.1 {
                    format!("worker `{}` has `{}` and `{net}`, which overlap", workers[other].name, range.0)
                } else if net == range.0 {
                    format!(
                        "workers `{}` and `{}` have the same pod CIDR `{net}`",
                        workers[first].name, workers[second].name
                    )
                } else {
                    format!(
                        "`{}` of worker `{}` overlaps `{net}` of worker `{}`",
                        range.0, workers[range.1].name, workers[other].name
                    )
                };
                faults.push(Fault { subject: Subject::WorkerPodCidr(range.1, range.2), message });
            }
            _ => outer = Some(range),
        }
    }
}

fn judge_addresses(workers: &[Worker], faults: &mut Vec<Fault>) {
    let mut ranges: Vec<(IpNet, &WorkerName)> =
        workers.iter().flat_map(|worker| worker.pod_cidrs.iter().map(move |cidr| (cidr.net(), &worker.name))).collect();
    ranges.sort();
    let mut holders: BTreeMap<IpAddr, usize> = BTreeMap::new();
    for (index, worker) in workers.iter().enumerate() {
        let mut families = [false; 2];
        for (nth, address) in worker.addresses.iter().enumerate() {
            let mut fault = |message| faults.push(Fault { subject: Subject::WorkerAddress(index, nth), message });
            let unusable = address.is_unspecified() || address.is_loopback() || address.is_multicast();
            if unusable {
                fault(format!("`{address}` cannot be the address of worker `{}`", worker.name));
                continue;
            }
            let seen = &mut families[usize::from(address.is_ipv6())];
            if *seen {
                fault(format!("`{address}` is a second address of its family for worker `{}`", worker.name));
            }
            *seen = true;
            if let Some(other) = holders.insert(*address, index)
                && other != index
            {
                fault(format!("workers `{}` and `{}` share the address `{address}`", workers[other].name, worker.name));
            }
            // The last range that begins at or before the address is the only one that can hold it, because ranges
            // that overlap are faults of their own.
            let after = ranges.partition_point(|(net, _)| net.network() <= *address);
            if let Some((net, owner)) = after.checked_sub(1).and_then(|before| ranges.get(before))
                && net.contains(address)
            {
                fault(format!(
                    "the address `{address}` of worker `{}` lies inside the pod CIDR `{net}` of worker `{owner}`",
                    worker.name
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests;
