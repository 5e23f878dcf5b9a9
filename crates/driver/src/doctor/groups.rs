//! The groups, one function each.

use std::collections::{BTreeSet, HashSet};

use ipnet::IpNet;
use kroutes_core::{
    Capabilities, Change, Check, CheckGroup, CheckStatus, ClaimState, Destination, Error, Judge, NextHop, Observation,
    ObservedRoute, Origin, Owner, PodCidr, Quota, Severity, Status, Table, TablePlan, Topology, Verdict, WorkerName,
    guard, overlap,
};

use super::alike::{Folded, failure, sentence};
use super::{DropClaim, findings, not_looked_at};

/// Everything, where the cloud could be read.
pub(super) struct Known<'a> {
    pub(super) topology: &'a Topology,
    pub(super) observation: &'a Observation,
    pub(super) capabilities: Capabilities,
    pub(super) verdict: &'a Verdict,
    pub(super) drop_claim: Option<DropClaim<'a>>,
    /// What the provider tells by itself, so that nothing is told twice.
    pub(super) told: &'a [Check],
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

fn list(nets: impl IntoIterator<Item = impl ToString>) -> String {
    nets.into_iter().map(|net| net.to_string()).collect::<Vec<_>>().join(" ")
}

/// The workers, and the machines of a source that are none.
pub(super) fn topology(topology: &Topology, unlisted: Option<&Error>) -> Vec<Check> {
    const GROUP: CheckGroup = CheckGroup::Topology;
    if let Some(error) = unlisted {
        return vec![failure(GROUP, "source", "the workers are not known", error)];
    }
    let mut checks = Vec::new();
    if !topology.workers().is_empty() {
        let ranges = topology.ranges().count();
        let cluster = list(&topology.cluster().pod_cidrs);
        let message =
            format!("{} with {} in {cluster}", plural(topology.workers().len(), "worker"), plural(ranges, "pod CIDR"));
        checks.push(Check::pass(GROUP, "workers", message));
    }
    let mut folded = Folded::default();
    for one in topology.left_out().iter().filter(|one| one.is_fault) {
        folded.add(one.name.as_str(), failure(GROUP, "left-out", "", &one.why));
    }
    checks.extend(folded.into_checks());
    checks
}

impl Known<'_> {
    /// Everything that follows from what was read.
    pub(super) fn checks(&self, unlisted: Option<&Error>) -> Vec<Check> {
        let mut checks = self.guards(unlisted);
        checks.extend(self.tables());
        checks.extend(self.quotas());
        let by_workers = match unlisted {
            None => [self.addresses(), self.machines()].concat(),
            Some(_) => [CheckGroup::Addresses, CheckGroup::Machines]
                .map(|group| not_looked_at(group, "the workers are not known"))
                .to_vec(),
        };
        checks.extend(by_workers);
        checks.extend(self.writers(unlisted.is_none()));
        checks
    }

    fn readable(&self) -> impl Iterator<Item = &Table> {
        self.observation.tables.iter().filter_map(|reading| reading.table.as_ref().ok())
    }

    /// The findings of a group, those that are alike as one.
    fn findings(&self, group: CheckGroup) -> Folded {
        let mut folded = Folded::default();
        for finding in self.verdict.plan.findings.iter().filter(|finding| findings::group(finding) == group) {
            let whom = finding.worker.as_ref().map(ToString::to_string).unwrap_or_default();
            folded.add(&whom, findings::check(finding));
        }
        folded
    }

    /// What an apply would be refused for.
    fn guards(&self, unlisted: Option<&Error>) -> Vec<Check> {
        let held = if unlisted.is_some() { Vec::new() } else { guard(self.topology, &self.verdict.plan, None) };
        let held = held.into_iter().map(|held| Check::fail(CheckGroup::Topology, held.guard, held.message, held.help));
        held.chain(self.findings(CheckGroup::Topology).into_checks()).collect()
    }

    fn tables(&self) -> Vec<Check> {
        const GROUP: CheckGroup = CheckGroup::Tables;
        let found = self.observation.tables.iter().map(|reading| match &reading.table {
            Ok(table) => {
                let place = if table.location.is_empty() { String::new() } else { format!(" ({})", table.location) };
                let name = if reading.wanted == table.id.0 { String::new() } else { format!(", {}", reading.wanted) };
                let routes = plural(table.routes.len(), "route");
                Check::pass(GROUP, "table", format!("`{}`{place}{name}: {routes}", table.id))
            }
            Err(error) => failure(GROUP, "table", &reading.wanted, error),
        });
        let mut checks: Vec<Check> = found.collect();
        if checks.is_empty() {
            let message = "the topology's workers lead to no table";
            checks.push(Check::warn(GROUP, "table", message, "name a table, or look at the list of workers"));
        }
        checks.extend(self.findings(GROUP).into_checks());
        checks
    }

    fn quotas(&self) -> Vec<Check> {
        const GROUP: CheckGroup = CheckGroup::Quota;
        let plans = || self.verdict.plan.readable();
        let plan_of = |table: &Table| plans().find(|plan| plan.id == table.id);
        let atomic = self.capabilities.atomic_replace;
        let mut checks: Vec<Check> = self
            .readable()
            .flat_map(|table| table.quotas.iter().map(move |quota| (table, quota)))
            .filter(|(table, quota)| matters(table, quota, plan_of(table)))
            .map(|(table, quota)| room(table, quota, plan_of(table), atomic))
            .collect();
        let told = |check: &Check| check.group == GROUP;
        if checks.is_empty() && !self.told.iter().any(told) && self.readable().next().is_some() {
            let used: usize = self.readable().map(|table| table.routes.len()).sum();
            let added = plans().flat_map(|plan| &plan.changes).filter(|change| is_added(change)).count();
            let message =
                format!("how many routes there may be is not known: there are {used}, and this plan adds {added}");
            checks.push(Check::warn(
                GROUP,
                "routes-quota",
                message,
                "write the quota into the topology as `routes-limit`",
            ));
        }
        if checks.is_empty() && !self.told.iter().any(told) {
            checks.push(not_looked_at(GROUP, "no table could be read"));
        }
        // Usually the same again, and then it has been said with its numbers.
        if checks.iter().all(|check| check.status == CheckStatus::Pass) {
            checks.extend(self.findings(GROUP).into_checks());
        }
        checks
    }

    /// The wanted ranges against those of the network, and against routes that would take their packets.
    fn addresses(&self) -> Vec<Check> {
        const GROUP: CheckGroup = CheckGroup::Addresses;
        let mut folded = self.findings(GROUP);
        for plan in self.verdict.plan.readable() {
            for conflict in &plan.conflicts {
                let was = conflict.was.iter().map(named).collect::<Vec<_>>().join(", ");
                let remedy = if conflict.can_take_over {
                    "remove that route, or say --take-over to have it replaced"
                } else {
                    "remove that route, or choose another pod CIDR"
                };
                let message =
                    format!("`{}` of `{}` is held by `{was}`: {}", conflict.want.destination, plan.id, conflict.reason);
                folded.add(conflict.want.worker.as_str(), Check::fail(GROUP, "conflict", message, remedy));
            }
        }
        self.thieves(&mut folded);
        self.ranges_of_the_network(&mut folded);
        let clean = !folded.has_failed();
        let mut checks = folded.into_checks();
        let looked_at: usize = self.readable().map(|table| table.routes.len()).sum();
        let ranges = self.topology.ranges().count();
        if clean && ranges > 0 && self.readable().next().is_some() {
            let message = format!(
                "{}: none lies inside a range of the network, and none of {} takes their packets",
                plural(ranges, "pod CIDR"),
                plural(looked_at, "existing route")
            );
            checks.insert(0, Check::pass(GROUP, "pod-cidrs", message));
        }
        if checks.is_empty() {
            let reason = if ranges == 0 { "there are no workers" } else { "no table could be read" };
            checks.push(not_looked_at(GROUP, reason));
        }
        checks
    }

    /// Routes with a longer prefix than a wanted one take their part of its packets, whether it is there already or not.
    fn thieves(&self, folded: &mut Folded) {
        let mut pods: Vec<(IpNet, &WorkerName, PodCidr)> =
            self.topology.ranges().map(|(worker, cidr)| (cidr.net(), &worker.name, cidr)).collect();
        pods.sort();
        let mut told: HashSet<(&str, IpNet)> = HashSet::new();
        for table in self.readable() {
            let judge = Judge::new(self.capabilities, self.topology.cluster(), self.observation, table);
            for route in &table.routes {
                let Some(net) = route.destination.as_net() else { continue };
                // Pod CIDRs do not overlap, so only the last one that begins before it can hold it.
                let after = pods.partition_point(|(pod, ..)| *pod <= net);
                let Some((pod, worker, cidr)) = after.checked_sub(1).map(|at| pods[at]) else { continue };
                let wanted = self.observation.next_hops.get(&cidr).and_then(|hop| hop.as_ref().ok());
                if !pod.contains(&net) || pod == net || wanted.is_some_and(|hop| route.leads_to(hop)) {
                    continue;
                }
                told.insert((&table.id.0, pod));
                let remedy = if judge.owner(route).is_ours() {
                    "run `kroutes apply --prune`: that route is ours, and no worker wants it"
                } else {
                    "remove that route: kroutes does not touch it"
                };
                let message = format!("`{}` takes part of `{pod}` in `{}`", named_route(route), table.id);
                folded.add(worker.as_str(), Check::fail(CheckGroup::Addresses, "shadowed", message, remedy));
            }
        }
        let conflicting: HashSet<(&str, IpNet)> = self
            .verdict
            .plan
            .readable()
            .flat_map(|plan| plan.conflicts.iter().map(|one| (plan.id.0.as_str(), one.want.destination.net())))
            .collect();
        for route in self.verdict.routes.iter().filter(|route| route.status == Status::Shadowed) {
            let place = (route.table.0.as_str(), route.destination);
            if told.contains(&place) || conflicting.contains(&place) {
                continue;
            }
            let whom = route.worker.as_ref().map(ToString::to_string).unwrap_or_default();
            let detail = route.detail.as_deref().unwrap_or("another route wins");
            let message = format!("`{}` in `{}` is shadowed: {detail}", route.destination, route.table);
            let check = Check::fail(CheckGroup::Addresses, "shadowed", message, "remove the route that wins");
            folded.add(&whom, check);
        }
    }

    /// Ranges of the network itself, which the provider shows as local routes, against those of the cluster that no worker
    /// has yet and those of services.
    fn ranges_of_the_network(&self, folded: &mut Folded) {
        let cluster = self.topology.cluster();
        let local: BTreeSet<IpNet> = self
            .readable()
            .flat_map(|table| &table.routes)
            .filter(|route| route.origin == Origin::Local)
            .filter_map(|route| route.destination.as_net())
            .collect();
        for own in &cluster.pod_cidrs {
            for net in local.iter().filter(|net| overlap(net, &own.net())) {
                let message = format!("the cluster's range `{own}` and the network's own range `{net}` overlap");
                let remedy =
                    "give no worker a pod CIDR in the network's range, or choose another range for the cluster";
                folded.add("", Check::warn(CheckGroup::Addresses, "cluster-range", message, remedy));
            }
        }
        let mut clear = Vec::new();
        for services in &cluster.service_cidrs {
            let mut taken = local.iter().filter(|net| overlap(net, services)).peekable();
            if taken.peek().is_none() {
                clear.push(services);
            }
            for net in taken {
                let message = format!("the service range `{services}` and the network's own range `{net}` overlap");
                let remedy = "choose another service range: pods cannot reach machines whose addresses services have";
                folded.add("", Check::warn(CheckGroup::Addresses, "service-range", message, remedy));
            }
        }
        if !clear.is_empty() && !local.is_empty() {
            let message = format!(
                "services in {} overlap none of the network's own {}",
                list(clear),
                plural(local.len(), "range")
            );
            folded.add("", Check::pass(CheckGroup::Addresses, "service-range", message));
        }
    }

    fn machines(&self) -> Vec<Check> {
        const GROUP: CheckGroup = CheckGroup::Machines;
        let mut folded = Folded::default();
        let faults: HashSet<&WorkerName> = self.topology.left_out().iter().map(|one| &one.name).collect();
        for (worker, error) in self.verdict.plan.unresolved.iter().filter(|(worker, _)| !faults.contains(worker)) {
            folded.add(worker.as_str(), failure(GROUP, "not-found", "", error));
        }
        let unresolved = !folded.is_empty();
        let found = self.findings(GROUP);
        let quiet = found.is_empty();
        let stopped: HashSet<&WorkerName> = self
            .verdict
            .plan
            .findings
            .iter()
            .filter(|finding| findings::group(finding) == GROUP && finding.severity == Severity::Error)
            .filter_map(|finding| finding.worker.as_ref())
            .collect();
        let all = self.topology.workers().len();
        let good = self
            .topology
            .workers()
            .iter()
            .filter(|worker| {
                !self.verdict.plan.unresolved.contains_key(&worker.name) && !stopped.contains(&worker.name)
            })
            .count();
        let mut checks = Vec::new();
        if all > 0 && quiet && !unresolved {
            let message = format!("{good} of {all} workers' machines were found, run and may forward packets");
            checks.push(Check::pass(GROUP, "machines", message));
        }
        checks.extend(folded.into_checks());
        checks.extend(found.into_checks());
        if checks.is_empty() {
            checks.push(not_looked_at(GROUP, "there are no workers"));
        }
        checks
    }

    /// Who else writes to the tables.
    fn writers(&self, are_workers_known: bool) -> Vec<Check> {
        const GROUP: CheckGroup = CheckGroup::Writers;
        let mut checks = Vec::new();
        for (plan, refusal) in self.verdict.plan.refusals() {
            let remedy = match self.drop_claim {
                Some(command) => {
                    format!(
                        "if that cluster is gone, remove its claim: {}",
                        command(&plan.id, &plan.location, &refusal.claim)
                    )
                }
                None => "if that cluster is gone, remove its claim".to_owned(),
            };
            checks.push(Check::fail(GROUP, "claim", &refusal.message, remedy));
        }
        let mut folded = Folded::default();
        for error in &self.verdict.plan.unproved {
            let known = self.verdict.plan.unresolved.values().any(|other| other.message() == error.message());
            if !known {
                let message = format!("whose some routes are is not known: {}", sentence(error));
                let remedy = error.get("help").unwrap_or("see to it that this can be looked up, and ask again");
                folded.add("", Check::fail(GROUP, "not-known", message, remedy));
            }
        }
        for plan in self.verdict.plan.readable() {
            if let ClaimState::Blocked(route) = &plan.claim {
                let message = format!("`{route}` keeps `{}` from bearing our claim", plan.id);
                let remedy = "remove that route if nobody needs it; without the claim, routes of workers that leave may not be recognised as ours";
                folded.add("", Check::warn(GROUP, "claim-blocked", message, remedy));
            }
        }
        // What the provider was asked about is told by it, and better.
        let asked = |name: &str| self.told.iter().any(|check| check.name == name);
        checks.extend(self.findings(GROUP).into_checks().into_iter().filter(|check| !asked(&check.name)));
        let told = self.told.iter().any(|check| check.group == GROUP && check.status != CheckStatus::Pass);
        let own = self.topology.cluster().name.as_str();
        let mut foreign = 0;
        for table in self.readable() {
            let refused = self.verdict.plan.refusals().find(|(plan, _)| plan.id == table.id);
            let refused = refused.map(|(_, refusal)| &refusal.claim);
            for claim in table.claims.iter().filter(|claim| claim.cluster != own && Some(*claim) != refused) {
                let message = format!(
                    "cluster `{}` writes to `{}` too, in `{}`, which is apart from our ranges",
                    claim.cluster,
                    table.id,
                    claim.value()
                );
                folded
                    .add("", Check::warn(GROUP, "other-cluster", message, "nothing, as long as the ranges stay apart"));
            }
            // Where routes bear marks, the provider has told whose these are.
            if are_workers_known && !(self.capabilities.marks && told) {
                foreign += self.strangers(table, &mut folded);
            }
        }
        checks.extend(folded.into_checks());
        if checks.is_empty() && !told {
            checks.push(if !are_workers_known {
                not_looked_at(GROUP, "the workers are not known")
            } else if self.readable().next().is_some() {
                let ranges = list(&self.topology.cluster().pod_cidrs);
                let claims = if self.capabilities.marks { "" } else { "no claim but ours, and " };
                let message =
                    format!("{claims}none of {foreign} foreign routes holds anything in {ranges} that no worker has");
                Check::pass(GROUP, "others", message)
            } else {
                not_looked_at(GROUP, "no table could be read")
            });
        }
        checks
    }

    /// Somebody else's routes in the cluster's range that hold nothing which is wanted; how many foreign ones there are at all.
    fn strangers(&self, table: &Table, folded: &mut Folded) -> usize {
        let judge = Judge::new(self.capabilities, self.topology.cluster(), self.observation, table);
        let is_wanted = |net: &IpNet| self.topology.ranges().any(|(_, cidr)| cidr.net().contains(net));
        let mut foreign = 0;
        for route in &table.routes {
            let Owner::Foreign(why) = judge.owner(route) else { continue };
            foreign += 1;
            let Some(net) = route.destination.as_net() else { continue };
            // What holds a part of a wanted range is told as that.
            if route.origin != Origin::Local && self.topology.cluster().contains(&net) && !is_wanted(&net) {
                let message = format!("`{}` in `{}` is somebody else's: {why}", named_route(route), table.id);
                let remedy = "find out who made it, and give no worker that range";
                folded.add("", Check::warn(CheckGroup::Writers, "foreign-route", message, remedy));
            }
        }
        foreign
    }
}

/// Where IPv4 and IPv6 have limits of their own, that of the family which nobody uses is no news.
fn matters(table: &Table, quota: &Quota, plan: Option<&TablePlan>) -> bool {
    let changes = plan.map_or(&[][..], |plan| &plan.changes);
    let fits = |change: &Change| quota.ipv6.is_none_or(|ipv6| ipv6 == is_ipv6(&change.destination()));
    table.quotas.len() == 1 || quota.ipv6 != Some(true) || quota.used > 0 || changes.iter().any(fits)
}

/// Whether a change adds a route.
const fn is_added(change: &Change) -> bool {
    matches!(change, Change::Create { .. })
}

/// How much room there is for what is missing. Where a route is replaced by making the new one first, one more place is
/// needed for as long as that takes.
fn room(table: &Table, quota: &Quota, plan: Option<&TablePlan>, atomic_replace: bool) -> Check {
    let changes = plan.map_or(&[][..], |plan| &plan.changes);
    let fits = |change: &&Change| quota.ipv6.is_none_or(|ipv6| ipv6 == is_ipv6(&change.destination()));
    let added = changes.iter().filter(fits).filter(|change| is_added(change)).count();
    let beside = |change: &Change| matches!(change, Change::Replace { there: false, .. });
    let passing = usize::from(!atomic_replace && changes.iter().filter(fits).any(beside));
    let (used, limit) = (quota.used as usize, quota.limit as usize);
    let after = used + added;
    let message = format!("`{}` holds {used} of at most {limit} {}, and this plan adds {added}", table.id, quota.name);
    let group = CheckGroup::Quota;
    if after.max(used + passing) > limit && added + passing > 0 {
        let message = if added > 0 {
            format!("{message}: {} will be refused", (after - limit.min(after)).min(added).max(1))
        } else {
            format!("{message}: there is no room to replace one, which is done by making the new one first")
        };
        let remedy = "raise the quota and write it into the topology as `routes-limit`, or use a second table";
        return Check::fail(group, "routes-quota", message, remedy);
    }
    if after.saturating_mul(10) > limit.saturating_mul(9) {
        let message = format!("{message}: {} stay free", limit.saturating_sub(after));
        return Check::warn(group, "routes-quota", message, "have the quota raised before the next workers come");
    }
    Check::pass(group, "routes-quota", message)
}

const fn is_ipv6(destination: &Destination) -> bool {
    matches!(destination, Destination::Net(IpNet::V6(_)))
}

fn named(route: &ObservedRoute) -> String {
    let hop = route.next_hops.first().map_or_else(|| "nothing".to_owned(), NextHop::to_string);
    let name = route.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    format!("{hop}{name}")
}

fn named_route(route: &ObservedRoute) -> String {
    format!("{} -> {}", route.destination, named(route))
}
