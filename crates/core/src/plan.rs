//! What has to change so that the tables are as the topology wants them, and why.
//!
//! A pure function of three values: the topology, what the cloud was seen to hold, and how far the user lets us go. It
//! walks the union of the wanted and the observed destinations once, in the order of addresses, and says for each what
//! becomes of it. Nothing is left out in silence: what stays is counted, what is in the way is a conflict with its
//! reason, and a destination whose worker could not be found in the cloud is held, neither wanted nor stale.
//!
//! Destroying is the same walk with nothing wanted.

use std::collections::{BTreeMap, HashSet};

use ipnet::IpNet;

use crate::change::{Change, Conflict, DeleteReason, ReplaceReason};
use crate::ownership::{ClaimRefusal, ClaimState, Judge, Owner, claim_state, refusal};
use crate::{
    Capabilities, Error, ErrorKind, Finding, Fix, LeftOut, Life, Observation, ObservedRoute, Origin, Route, RouteState,
    Severity, Table, TableId, Target, Topology, WorkerName, overlap,
};

/// How far the user lets us go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// Also delete routes of ours that no worker wants.
    pub prune: bool,
    /// Replace foreign routes that hold a wanted destination.
    pub take_over: bool,
}

/// What becomes of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TablePlan {
    /// Which table.
    pub id: TableId,
    /// Where it is, for people.
    pub location: String,
    /// What changes, in the order of addresses.
    pub changes: Vec<Change>,
    /// What is in the way.
    pub conflicts: Vec<Conflict>,
    /// Routes of ours that no worker wants, and that this plan leaves.
    pub stale: Vec<ObservedRoute>,
    /// How many wanted routes are there as they should be.
    pub unchanged: usize,
    /// How many other routes the table holds.
    pub foreign: usize,
    /// Routes of ours whose worker could not be found in the cloud: left as they are.
    pub held: usize,
    /// How many routes of ours lead to something that still exists: what a bad reading could cost.
    pub standing: usize,
    /// How many of those this plan deletes or replaces.
    pub leaving: usize,
    /// What becomes of the claim.
    pub claim: ClaimState,
    /// A claim that forbids all writes.
    pub refusal: Option<ClaimRefusal>,
}

impl TablePlan {
    /// Counts what stands and what of it leaves: a guard is to judge what is done, so this is asked again where changes
    /// were left out. A foreign route that is taken over is none of ours that could be lost.
    pub fn count(&mut self, topology: &Topology, table: &Table, judge: &Judge<'_>) {
        self.count_leaving(judge);
        self.count_standing(topology, table, judge);
    }

    fn count_leaving(&mut self, judge: &Judge<'_>) {
        self.leaving = self.changes.iter().flat_map(Change::was).filter(|seen| stands(seen, judge)).count();
    }

    fn count_standing(&mut self, topology: &Topology, table: &Table, judge: &Judge<'_>) {
        let here = |seen: &&ObservedRoute| seen.destination.as_net().is_some_and(|net| topology.is_in_scope(&net));
        self.standing = table.routes.iter().filter(here).filter(|seen| stands(seen, judge)).count();
    }
}

fn stands(seen: &ObservedRoute, judge: &Judge<'_>) -> bool {
    seen.leads_somewhere() && judge.owner(seen).is_ours()
}

/// A table as the topology names it, and what becomes of it or why it could not be read.
#[derive(Debug, Clone)]
pub struct PlannedTable {
    /// How the topology names it.
    pub wanted: String,
    /// What becomes of it.
    pub plan: Result<TablePlan, Error>,
}

/// What has to change, and why.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Every table that the topology asks for, in the order of ids; unreadable ones last.
    pub tables: Vec<PlannedTable>,
    /// What stops packets besides the routes, or will.
    pub findings: Vec<Finding>,
    /// Workers that have no next hop, and why.
    pub unresolved: BTreeMap<WorkerName, Error>,
    /// Look-ups that failed although they decide whose a route is.
    pub unproved: Vec<Error>,
    /// Whether a mark says whose a route is, so that nothing depends on who was found.
    pub by_mark: bool,
}

impl Plan {
    /// What makes the tables as the topology wants them.
    pub fn new(topology: &Topology, observation: &Observation, capabilities: Capabilities, policy: Policy) -> Self {
        let mut desired = Vec::new();
        let mut held = Vec::new();
        let mut unresolved = BTreeMap::new();
        for (worker, destination) in topology.ranges() {
            let in_scope = topology.is_in_scope(&destination.net());
            match observation.next_hops.get(&destination) {
                Some(Ok(hop)) if in_scope => {
                    desired.push(Route { destination, next_hop: hop.clone(), worker: worker.name.clone() });
                }
                Some(Ok(_)) => {}
                other => {
                    held.push(destination.net());
                    if !in_scope {
                        continue;
                    }
                    let error = other.and_then(|found| found.as_ref().err().cloned()).unwrap_or_else(|| {
                        let message = format!("the provider said nothing of worker `{}`", worker.name);
                        Error::new(ErrorKind::Unexpected, message)
                    });
                    unresolved.entry(worker.name.clone()).or_insert(error);
                }
            }
        }
        desired.sort_by_key(|route| route.destination);
        held.extend(topology.spared());
        held.sort();
        held.dedup();
        // Where only a part is looked at, nobody knows whether a machine of unknown range belongs to it: no failure there, but
        // a fault is told.
        let concerned = |one: &&LeftOut| topology.concerns(&one.pod_cidrs);
        let (here, elsewhere): (Vec<_>, Vec<_>) = topology.left_out().iter().partition(concerned);
        let (faults, others): (Vec<_>, Vec<_>) = here.into_iter().partition(|one| one.is_fault);
        unresolved.extend(faults.into_iter().map(|one| (one.name.clone(), one.why.clone())));
        let perhaps = elsewhere.into_iter().filter(|one| one.is_fault && one.pod_cidrs.is_empty());
        // A machine whose range is not known may have one all the same, and its route would look stale.
        let unread = topology.left_out().iter().find(|one| one.pod_cidrs.is_empty());
        let held_back = policy.prune.then_some(unread).flatten();
        let policy = Policy { prune: policy.prune && held_back.is_none(), ..policy };
        let wanted = Wanted { desired: &desired, held: &held, policy, removal: DeleteReason::NoWorker };
        let mut plan = wanted.plan(topology, observation, capabilities);
        let names: Option<HashSet<&WorkerName>> =
            topology.is_narrowed().then(|| topology.workers_in_scope().map(|worker| &worker.name).collect());
        let told = |finding: &&Finding| {
            names.as_ref().is_none_or(|names| finding.worker.as_ref().is_none_or(|worker| names.contains(worker)))
        };
        plan.findings.extend(observation.findings.iter().filter(told).cloned());
        plan.findings.extend(held_back.map(not_pruned));
        plan.findings.extend(others.into_iter().chain(perhaps).map(left_out));
        plan.findings
            .sort_by(|a, b| (a.severity, a.code, &a.worker, &a.table).cmp(&(b.severity, b.code, &b.worker, &b.table)));
        if may_decide(topology, observation) {
            plan.unproved.clone_from(&observation.unproved);
        }
        plan.note_failed_lookups(unresolved, capabilities);
        plan
    }

    /// What removes everything of ours.
    pub fn destroy(topology: &Topology, observation: &Observation, capabilities: Capabilities) -> Self {
        let policy = Policy { prune: true, take_over: false };
        let wanted = Wanted { desired: &[], held: &[], policy, removal: DeleteReason::Destroy };
        let mut plan = wanted.plan(topology, observation, capabilities);
        let unresolved = topology.ranges().filter_map(|(worker, cidr)| {
            let error = observation.next_hops.get(&cidr)?.as_ref().err()?;
            Some((worker.name.clone(), error.clone()))
        });
        // Of a machine that is left out nobody asked the provider whether a route leads to it.
        let left_out = topology.left_out().iter().map(|one| (one.name.clone(), one.why.clone()));
        plan.unproved.clone_from(&observation.unproved);
        plan.note_failed_lookups(unresolved.chain(left_out).collect(), capabilities);
        plan.unproved.extend(observation.out_of_reach.iter().cloned());
        plan
    }

    /// A worker that is not there is known not to be there. A worker whose look-up failed may be there, and then a route
    /// to it would be ours; unless routes carry marks, which say so whoever is there.
    fn note_failed_lookups(&mut self, unresolved: BTreeMap<WorkerName, Error>, capabilities: Capabilities) {
        self.by_mark = capabilities.marks;
        for error in unresolved.values().filter(|_| !capabilities.marks) {
            let failed = !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Invalid | ErrorKind::Unsupported);
            if failed && !self.unproved.iter().any(|known| known.message() == error.message()) {
                self.unproved.push(error.clone());
            }
        }
        self.unresolved = unresolved;
    }

    /// The tables that could be read.
    pub fn readable(&self) -> impl Iterator<Item = &TablePlan> {
        self.tables.iter().filter_map(|table| table.plan.as_ref().ok())
    }

    /// What can be mended besides routes.
    pub fn fixes(&self) -> impl Iterator<Item = (&Finding, &Fix)> {
        self.findings.iter().filter_map(|finding| finding.fix.as_ref().map(|fix| (finding, fix)))
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.readable().all(|table| table.changes.is_empty()) && self.fixes().next().is_none()
    }

    /// Whether every table could be read, every worker found, and every route judged.
    pub fn is_complete(&self) -> bool {
        self.unresolved.is_empty() && self.unproved.is_empty() && self.tables.iter().all(|table| table.plan.is_ok())
    }

    /// The claims that forbid all writes.
    pub fn refusals(&self) -> impl Iterator<Item = (&TablePlan, &ClaimRefusal)> {
        self.readable().filter_map(|table| table.refusal.as_ref().map(|refusal| (table, refusal)))
    }
}

/// One walk's wishes.
struct Wanted<'a> {
    /// Sorted by destination.
    desired: &'a [Route],
    /// Destinations that are wanted but whose next hop is not known, sorted.
    held: &'a [IpNet],
    policy: Policy,
    removal: DeleteReason,
}

impl Wanted<'_> {
    fn plan(&self, topology: &Topology, observation: &Observation, capabilities: Capabilities) -> Plan {
        let mut plan = Plan::default();
        for reading in &observation.tables {
            let table = match &reading.table {
                Ok(table) => {
                    let judge = Judge::new(capabilities, topology.cluster(), observation, table);
                    let mut planned = self.walk(topology, table, &judge, capabilities);
                    planned.refusal = refusal(topology.cluster(), table);
                    plan.findings.extend(quota_findings(table, &planned.changes, capabilities));
                    Ok(planned)
                }
                Err(error) => Err(error.clone()),
            };
            plan.tables.push(PlannedTable { wanted: reading.wanted.clone(), plan: table });
        }
        plan.tables.sort_by(|a, b| match (&a.plan, &b.plan) {
            (Ok(a), Ok(b)) => a.id.cmp(&b.id),
            (Ok(_), Err(_)) => std::cmp::Ordering::Less,
            (Err(_), Ok(_)) => std::cmp::Ordering::Greater,
            (Err(_), Err(_)) => a.wanted.cmp(&b.wanted),
        });
        plan
    }

    fn walk(&self, topology: &Topology, table: &Table, judge: &Judge<'_>, capabilities: Capabilities) -> TablePlan {
        let mut planned = TablePlan {
            id: table.id.clone(),
            location: table.location.clone(),
            changes: Vec::new(),
            conflicts: Vec::new(),
            stale: Vec::new(),
            unchanged: 0,
            foreign: 0,
            held: 0,
            standing: 0,
            leaving: 0,
            claim: ClaimState::None,
            refusal: None,
        };
        let mut observed: Vec<&ObservedRoute> = table.routes.iter().collect();
        // Among routes of one destination the order must not depend on how the provider happened to list them.
        observed.sort_by(|a, b| {
            (&a.destination, a.precedence, &a.name, &a.next_hops).cmp(&(
                &b.destination,
                b.precedence,
                &b.name,
                &b.next_hops,
            ))
        });
        let mut desired = self.desired.iter().peekable();
        for group in observed.chunk_by(|a, b| a.destination == b.destination) {
            let Some(here) = group[0].destination.as_net() else {
                planned.foreign += if topology.is_narrowed() { 0 } else { group.len() };
                continue;
            };
            if !topology.is_in_scope(&here) {
                continue;
            }
            while let Some(route) = desired.next_if(|route| route.destination.net() < here) {
                planned.changes.push(Change::Create { route: route.clone() });
            }
            match desired.next_if(|route| route.destination.net() == here) {
                Some(route) => self.judge_wanted(&mut planned, route, group, judge, capabilities),
                None => self.judge_unwanted(&mut planned, here, group, judge),
            }
        }
        planned.changes.extend(desired.map(|route| Change::Create { route: route.clone() }));
        self.spare_what_may_be_needed(&mut planned, &observed);
        planned.count_leaving(judge);
        let setting = !planned.changes.is_empty() && self.removal != DeleteReason::Destroy;
        planned.claim = claim_state(judge, table, setting);
        planned
    }

    fn judge_wanted(
        &self,
        planned: &mut TablePlan,
        route: &Route,
        group: &[&ObservedRoute],
        judge: &Judge<'_>,
        capabilities: Capabilities,
    ) {
        // By far the commonest: one route, exactly right. Whose it is makes no difference then.
        if let [only] = group
            && only.is_as_wanted(route)
        {
            planned.unchanged += 1;
            // It leads to a worker, so whose it is hangs on nothing else, and a million of these need no look-up.
            let ours = if capabilities.marks { only.marked } else { only.origin == Origin::Static };
            planned.standing += usize::from(ours && only.leads_somewhere());
            return;
        }
        let judged: Vec<(&ObservedRoute, Owner)> = group.iter().map(|seen| (*seen, judge.owner(seen))).collect();
        let as_wanted = |(seen, _): &&(&ObservedRoute, Owner)| seen.is_as_wanted(route);
        planned.standing += judged.iter().filter(|(seen, owner)| owner.is_ours() && seen.leads_somewhere()).count();
        // One that is right is kept, ours before anybody's.
        let kept = judged
            .iter()
            .find(|entry| as_wanted(entry) && entry.1.is_ours())
            .or_else(|| judged.iter().find(as_wanted))
            .map(|(seen, _)| *seen);
        let is_kept = |seen: &ObservedRoute| kept.is_some_and(|kept| std::ptr::eq(kept, seen));
        let mut ours = Vec::new();
        let mut winning = Vec::new();
        for (seen, owner) in &judged {
            match owner {
                _ if is_kept(seen) => {}
                Owner::Ours(_) => ours.push((*seen).clone()),
                Owner::Foreign(why) if seen.precedence <= capabilities.precedence => winning.push((*seen, why.clone())),
                Owner::Foreign(_) => planned.foreign += 1,
            }
        }
        if let Some((_, reason)) = winning.first().cloned() {
            let can_take_over = winning.iter().all(|(seen, _)| seen.origin == Origin::Static);
            let was: Vec<ObservedRoute> = winning.into_iter().map(|(seen, _)| seen.clone()).collect();
            if self.policy.take_over && can_take_over {
                let was = was.into_iter().chain(ours).collect();
                let (to, reason) = (route.clone(), ReplaceReason::TakeOver(reason));
                planned.changes.push(Change::Replace { was, to, there: kept.is_some(), reason });
            } else {
                planned.conflicts.push(Conflict { want: route.clone(), was, reason, can_take_over });
            }
            return;
        }
        match (kept, ours.first()) {
            (Some(_), None) => planned.unchanged += 1,
            (Some(_), Some(_)) => {
                planned.changes.push(Change::Replace {
                    was: ours,
                    to: route.clone(),
                    there: true,
                    reason: ReplaceReason::Duplicate,
                });
            }
            (None, Some(first)) => {
                let reason = match &first.deviation {
                    Some(what) if first.leads_to(&route.next_hop) => ReplaceReason::Deviation(what.clone()),
                    _ if first.state == RouteState::Blackhole => ReplaceReason::Blackhole,
                    _ => ReplaceReason::WrongNextHop,
                };
                planned.changes.push(Change::Replace { was: ours, to: route.clone(), there: false, reason });
            }
            (None, None) => planned.changes.push(Change::Create { route: route.clone() }),
        }
    }

    /// A worker that was not found and has no route of its own may be reached by a stale one that covers its range. That
    /// stays until more is known.
    fn spare_what_may_be_needed(&self, planned: &mut TablePlan, observed: &[&ObservedRoute]) {
        if self.held.is_empty() {
            return;
        }
        let routed: HashSet<IpNet> = observed.iter().filter_map(|seen| seen.destination.as_net()).collect();
        let open: Vec<IpNet> = self.held.iter().filter(|net| !routed.contains(net)).copied().collect();
        let needed = |change: &mut Change| match change {
            Change::Delete { was, .. } => {
                was.destination.as_net().is_some_and(|net| open.iter().any(|held| overlap(held, &net)))
            }
            _ => false,
        };
        let spared = planned.changes.extract_if(.., needed);
        planned.stale.extend(spared.flat_map(|change| change.was().to_vec()));
    }

    fn judge_unwanted(&self, planned: &mut TablePlan, here: IpNet, group: &[&ObservedRoute], judge: &Judge<'_>) {
        let held = self.held.binary_search(&here).is_ok();
        for seen in group {
            let owner = judge.owner(seen);
            planned.standing += usize::from(owner.is_ours() && seen.leads_somewhere());
            match owner {
                Owner::Foreign(_) => planned.foreign += 1,
                Owner::Ours(_) if held => planned.held += 1,
                Owner::Ours(_) if self.policy.prune => {
                    planned.changes.push(Change::Delete { was: (*seen).clone(), reason: self.removal });
                }
                Owner::Ours(_) => planned.stale.push((*seen).clone()),
            }
        }
    }
}

/// Whether a look-up that failed may decide whose a route is that is looked at.
fn may_decide(topology: &Topology, observation: &Observation) -> bool {
    let undecided = |seen: &ObservedRoute| {
        matches!(seen.target, Target::Machine { life: Life::Unknown(_), .. })
            && seen.destination.as_net().is_some_and(|net| topology.is_in_scope(&net))
    };
    let tables = observation.tables.iter().filter_map(|reading| reading.table.as_ref().ok());
    !topology.is_narrowed() || tables.flat_map(|table| &table.routes).any(undecided)
}

fn not_pruned(one: &LeftOut) -> Finding {
    Finding {
        code: "not-pruned",
        severity: Severity::Warning,
        worker: Some(one.name.clone()),
        table: None,
        message: "its range is not known, and any stale route may be its own: nothing is pruned".to_owned(),
        fix: None,
    }
}

fn left_out(one: &LeftOut) -> Finding {
    Finding {
        code: "left-out",
        severity: Severity::Warning,
        worker: Some(one.name.clone()),
        table: None,
        message: one.why.message().to_owned(),
        fix: None,
    }
}

fn quota_findings<'a>(
    table: &'a Table,
    changes: &'a [Change],
    capabilities: Capabilities,
) -> impl Iterator<Item = Finding> + 'a {
    table.quotas.iter().filter_map(move |quota| {
        let fits = |route: &Route| quota.ipv6.is_none_or(|ipv6| ipv6 == route.destination.is_ipv6());
        let creates = |change: &&Change| matches!(change, Change::Create { route } if fits(route));
        // Where the new route goes in beside the old one, a full table has no room for either.
        let beside = |change: &Change| match change {
            Change::Replace { to, there: false, .. } => !capabilities.atomic_replace && fits(to),
            _ => false,
        };
        let added = changes.iter().filter(creates).count();
        let after = u64::from(quota.used) + added as u64;
        let limit = u64::from(quota.limit);
        let replaces = changes.iter().any(beside);
        let finding = |message| Finding {
            code: "routes-quota",
            severity: Severity::Warning,
            worker: None,
            table: Some(table.id.clone()),
            message,
            fix: None,
        };
        let holds = format!("table `{}` holds {} of at most {} {}", table.id, quota.used, quota.limit, quota.name);
        let in_first = "a route is replaced by making the new one first, for which";
        if added == 0 && quota.used >= quota.limit && replaces {
            return Some(finding(format!("{holds}: {in_first} there is no room")));
        }
        if added > 0 && after == limit && replaces {
            return Some(finding(format!("{holds}, and this plan adds {added}: {in_first} no room will be left")));
        }
        (added > 0 && after > limit).then(|| {
            let refused = (after - limit).min(added as u64);
            let replaced = if replaces { format!("; {in_first} no room will be left") } else { String::new() };
            finding(format!(
                "{holds}, and this plan adds {added}: {refused} will be refused unless the quota is raised{replaced}"
            ))
        })
    })
}
