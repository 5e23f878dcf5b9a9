//! Is it so? A verdict per route, and whether every worker's pods can be reached from every other's.
//!
//! A route in the table is not yet a packet delivered: a longer prefix may take half of the range elsewhere, another
//! route of the same destination may win or share the traffic, the next hop may not run or may refuse to forward. So the
//! table is judged as a router reads it, by longest prefix, and not as a list of entries that were written.
//!
//! Reachability is a statement about ordered pairs of workers, and there are a million of those among a thousand
//! workers. But in one table whether packets reach b does not depend on where they come from, so it is enough to judge
//! each destination once a table, each sender once, and to derive the pairs. Sorted by address a prefix stands right before all
//! that it contains, so one pass with a stack of the enclosing prefixes judges a whole table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ipnet::IpNet;

use crate::ownership::Judge;
use crate::{
    Capabilities, Finding, NextHop, Observation, ObservedRoute, Plan, Policy, Route, RouteState, Severity, Table,
    TableId, Topology, WorkerName,
};

/// What is to be said of one route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Status {
    /// It is there, and packets follow it.
    Ok,
    /// No route has that destination.
    Missing,
    /// What is there leads elsewhere, or differs from what it should be.
    WrongNextHop,
    /// What is there leads to something that is gone or does not run.
    Blackhole,
    /// It is there, but another route takes packets away: a longer prefix, or a better precedence.
    Shadowed,
    /// Several routes share the destination.
    Duplicate,
    /// It is ours, and no worker wants it.
    Stale,
}

impl Status {
    /// The word used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::WrongNextHop => "wrong-next-hop",
            Self::Blackhole => "blackhole",
            Self::Shadowed => "shadowed",
            Self::Duplicate => "duplicate",
            Self::Stale => "stale",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The judgement of one route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteVerdict {
    /// In which table.
    pub table: TableId,
    /// Where to.
    pub destination: IpNet,
    /// Whose pods live there; `None` for a stale route.
    pub worker: Option<WorkerName>,
    /// The judgement.
    pub status: Status,
    /// What is there instead, or besides, in words.
    pub detail: Option<String>,
}

/// Which workers' pods reach which. Kept as senders and receivers that are cut off; pairs are derived.
#[derive(Debug, Clone, Default)]
pub struct Reachability {
    workers: Vec<WorkerName>,
    senders: BTreeMap<WorkerName, String>,
    views: Vec<View>,
    /// The view of each worker, in the order of `workers`.
    view_of: Vec<usize>,
}

/// What the senders of one table see.
#[derive(Debug, Clone, Default)]
struct View {
    /// Their own table; `None` where they are judged by all tables.
    table: Option<TableId>,
    receivers: BTreeMap<WorkerName, String>,
}

impl Reachability {
    /// How many ordered pairs of different workers there are.
    pub const fn pairs(&self) -> u64 {
        let count = self.workers.len() as u64;
        count * count.saturating_sub(1)
    }

    /// How many of them work.
    pub fn reachable(&self) -> u64 {
        let receivers = |view: &View| (self.workers.len() - view.receivers.len()) as u64;
        let reached = |(worker, view): (&WorkerName, &View)| {
            let itself = u64::from(!view.receivers.contains_key(worker));
            if self.senders.contains_key(worker) { 0 } else { receivers(view) - itself }
        };
        self.views().map(reached).sum()
    }

    /// Every pair that does not work, with its reason.
    pub fn unreachable(&self) -> impl Iterator<Item = (&WorkerName, &WorkerName, &str)> {
        self.views().flat_map(move |(from, view)| {
            let cut = self.senders.get(from).map(String::as_str);
            self.workers.iter().filter(move |to| *to != from).filter_map(move |to| {
                let reason = view.receivers.get(to).map(String::as_str).or(cut)?;
                Some((from, to, reason))
            })
        })
    }

    /// The workers that nobody reaches, with the reason.
    pub fn receivers(&self) -> impl Iterator<Item = (&WorkerName, &str)> {
        let first = self.views.first().into_iter().flat_map(|view| &view.receivers);
        first.filter(|(worker, _)| self.is_cut_off(worker)).map(|(worker, reason)| (worker, reason.as_str()))
    }

    /// The workers that are reached from some tables' subnets and not from this one's, with the reason.
    pub fn receivers_by_table(&self) -> impl Iterator<Item = (&TableId, &WorkerName, &str)> {
        self.views.iter().filter_map(|view| Some((view.table.as_ref()?, view))).flat_map(|(table, view)| {
            let some = view.receivers.iter().filter(|(worker, _)| !self.is_cut_off(worker));
            some.map(move |(worker, reason)| (table, worker, reason.as_str()))
        })
    }

    /// The workers that reach nobody, with the reason.
    pub fn senders(&self) -> impl Iterator<Item = (&WorkerName, &str)> {
        self.senders.iter().map(|(worker, reason)| (worker, reason.as_str()))
    }

    fn views(&self) -> impl Iterator<Item = (&WorkerName, &View)> {
        self.workers.iter().zip(self.view_of.iter().map(|index| &self.views[*index]))
    }

    fn is_cut_off(&self, worker: &WorkerName) -> bool {
        self.views.iter().all(|view| view.receivers.contains_key(worker))
    }
}

/// The judgement of everything.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Whether all is as wanted and nothing stops packets.
    pub ok: bool,
    /// Every wanted route in every table, and the stale ones; in the order of tables, then addresses.
    pub routes: Vec<RouteVerdict>,
    /// How many wanted routes cannot be judged, over all tables, because their worker was not found.
    pub unjudged: usize,
    /// Which workers' pods reach which.
    pub reachability: Reachability,
    /// What would have to change; its findings and unresolved workers are part of the judgement.
    pub plan: Plan,
}

impl Verdict {
    /// Judges what was observed.
    pub fn new(topology: &Topology, observation: &Observation, capabilities: Capabilities) -> Self {
        let plan = Plan::new(topology, observation, capabilities, Policy::default());
        let in_scope = || topology.ranges().filter(|(_, cidr)| topology.is_in_scope(&cidr.net()));
        let mut wanted: Vec<Route> = in_scope()
            .filter_map(|(worker, destination)| {
                let next_hop = observation.next_hops.get(&destination)?.as_ref().ok()?.clone();
                Some(Route { destination, next_hop, worker: worker.name.clone() })
            })
            .collect();
        wanted.sort_by_key(|route| route.destination);
        // Wanted, but not to be judged: nobody knows where they should lead.
        let mut held: Vec<IpNet> = in_scope()
            .filter(|(_, cidr)| !matches!(observation.next_hops.get(cidr), Some(Ok(_))))
            .map(|(_, cidr)| cidr.net())
            .collect();
        let unjudged = held.len() * plan.readable().count();
        held.extend(topology.spared());
        held.sort();

        let mut tables: Vec<&Table> =
            observation.tables.iter().filter_map(|reading| reading.table.as_ref().ok()).collect();
        tables.sort_by(|a, b| a.id.cmp(&b.id));
        let mut routes = Vec::with_capacity(wanted.len() * tables.len());
        let mut receivers: BTreeMap<TableId, BTreeMap<WorkerName, String>> = BTreeMap::new();
        for table in tables {
            let cut_off = receivers.entry(table.id.clone()).or_default();
            let judge = Judge::new(capabilities, topology.cluster(), observation, table);
            for judged in judge_table(table, &wanted, &held, &judge) {
                if !topology.is_in_scope(&judged.verdict.destination) {
                    continue;
                }
                if let (Some(worker), Err(reason)) = (&judged.verdict.worker, judged.delivers) {
                    cut_off.entry(worker.clone()).or_insert(reason);
                }
                routes.push(judged.verdict);
            }
        }
        let reachability = reachability(topology, &plan, observation, &receivers);
        let ok = plan.is_complete()
            && plan
                .readable()
                .all(|table| table.changes.is_empty() && table.conflicts.is_empty() && table.refusal.is_none())
            && routes.iter().all(|route| matches!(route.status, Status::Ok | Status::Stale))
            && plan.findings.iter().all(|finding| finding.severity != Severity::Error)
            && reachability.reachable() == reachability.pairs();
        Self { ok, routes, unjudged, reachability, plan }
    }
}

/// Where workers have tables of their own, whether a reaches b is judged in a's; elsewhere in all of them.
fn reachability(
    topology: &Topology,
    plan: &Plan,
    observation: &Observation,
    by_table: &BTreeMap<TableId, BTreeMap<WorkerName, String>>,
) -> Reachability {
    let mut workers: Vec<WorkerName> = topology.workers_in_scope().map(|worker| worker.name.clone()).collect();
    workers.sort();
    let unresolved = workers.iter().filter(|worker| plan.unresolved.contains_key(worker));
    let unresolved: BTreeMap<WorkerName, String> =
        unresolved.map(|worker| (worker.clone(), format!("`{worker}` could not be resolved"))).collect();
    let mut stopped: BTreeMap<WorkerName, String> = BTreeMap::new();
    for finding in &plan.findings {
        // A finding may speak of a machine that the topology does not name.
        if let Finding { severity: Severity::Error, worker: Some(worker), message, .. } = finding
            && workers.binary_search(worker).is_ok()
        {
            stopped.entry(worker.clone()).or_insert_with(|| message.clone());
        }
    }

    let unreadable = plan.tables.iter().find(|table| table.plan.is_err()).map(|table| table.wanted.as_str());
    let view = |table: Option<&TableId>| {
        let mut receivers = unresolved.clone();
        let (judged, unread) = match table {
            Some(id) => (by_table.get(id).into_iter().collect(), (!by_table.contains_key(id)).then_some(id.0.as_str())),
            None => (by_table.values().collect::<Vec<_>>(), unreadable),
        };
        for (worker, reason) in judged.into_iter().flatten() {
            receivers.entry(worker.clone()).or_insert_with(|| reason.clone());
        }
        for (table, worker) in unread.into_iter().flat_map(|table| workers.iter().map(move |worker| (table, worker))) {
            receivers.entry(worker.clone()).or_insert_with(|| format!("table {table} could not be read"));
        }
        for (worker, reason) in &stopped {
            receivers.entry(worker.clone()).or_insert_with(|| reason.clone());
        }
        View { table: table.cloned(), receivers }
    };
    let tables: Vec<Option<&TableId>> = workers.iter().map(|worker| observation.serves.get(worker)).collect();
    let distinct: Vec<Option<&TableId>> = tables.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let view_of = tables.iter().filter_map(|table| distinct.binary_search(table).ok()).collect();
    let views = distinct.into_iter().map(view).collect();
    let mut senders = stopped.clone();
    senders.extend(unresolved.clone());
    Reachability { workers, senders, views, view_of }
}

struct Judged {
    verdict: RouteVerdict,
    /// Whether every address of the range leads to the worker, whatever the entries look like.
    delivers: Result<(), String>,
}

fn hop_of(route: &ObservedRoute) -> String {
    route.next_hops.first().map_or_else(|| "nothing".to_owned(), NextHop::to_string)
}

fn is_dead(route: &ObservedRoute) -> bool {
    route.state == RouteState::Blackhole
}

fn judge_table(table: &Table, wanted: &[Route], held: &[IpNet], judge: &Judge<'_>) -> Vec<Judged> {
    let mut observed: Vec<(IpNet, &ObservedRoute)> =
        table.routes.iter().filter_map(|route| Some((route.destination.as_net()?, route))).collect();
    observed.sort_by(|a, b| (a.0, a.1.precedence, &a.1.next_hops).cmp(&(b.0, b.1.precedence, &b.1.next_hops)));

    let mut judged = Vec::with_capacity(wanted.len());
    let mut enclosing: Vec<&(IpNet, &ObservedRoute)> = Vec::new();
    let mut at = 0;
    let mut desired = wanted.iter().peekable();
    loop {
        let next_seen = observed.get(at).map(|(net, _)| *net);
        let next_want = desired.peek().map(|route| route.destination.net());
        let Some(here) = next_seen.into_iter().chain(next_want).min() else { break };
        while enclosing.last().is_some_and(|(net, _)| !net.contains(&here)) {
            enclosing.pop();
        }
        let same = observed[at..].partition_point(|(net, _)| *net == here);
        let group = &observed[at..at + same];
        if let Some(route) = desired.next_if(|route| route.destination.net() == here) {
            let longer = observed[at + same..].partition_point(|(net, _)| here.contains(net));
            let longer = &observed[at + same..at + same + longer];
            // Of equal prefixes the better precedence was pushed first, and only it is on the stack.
            let cover = enclosing.last().map(|(_, route)| *route);
            judged.push(judge_route(&table.id, route, group, longer, cover));
        } else {
            judged.extend(
                group.iter().filter(|(_, seen)| held.binary_search(&here).is_err() && judge.owner(seen).is_ours()).map(
                    |(net, seen)| Judged {
                        verdict: RouteVerdict {
                            table: table.id.clone(),
                            destination: *net,
                            worker: None,
                            status: Status::Stale,
                            detail: Some(format!("leads to {}", hop_of(seen))),
                        },
                        delivers: Ok(()),
                    },
                ),
            );
        }
        enclosing.extend(group.first());
        at += same;
    }
    judged
}

fn judge_route(
    table: &TableId,
    route: &Route,
    group: &[(IpNet, &ObservedRoute)],
    longer: &[(IpNet, &ObservedRoute)],
    cover: Option<&ObservedRoute>,
) -> Judged {
    let best = group.first().map(|(_, seen)| seen.precedence);
    let winners: Vec<&ObservedRoute> =
        group.iter().map(|(_, seen)| *seen).filter(|seen| Some(seen.precedence) == best).collect();
    let right = |seen: &&ObservedRoute| seen.leads_to(&route.next_hop);
    let astray = winners.iter().find(|seen| !right(seen));
    let (status, detail, delivers) = match winners.first() {
        None => match cover {
            Some(cover) if right(&cover) && !is_dead(cover) => {
                (Status::Missing, Some(format!("`{}` covers it", cover.destination)), Ok(()))
            }
            Some(cover) => {
                let detail = format!("`{}` -> {} takes its packets", cover.destination, hop_of(cover));
                (Status::Missing, Some(detail.clone()), Err(format!("no route to `{}`: {detail}", route.destination)))
            }
            None => (Status::Missing, None, Err(format!("no route to `{}`", route.destination))),
        },
        Some(_) if !winners.iter().any(&right) => {
            let first = winners[0];
            let status = if group.iter().any(|(_, seen)| right(seen)) {
                Status::Shadowed
            } else if is_dead(first) {
                Status::Blackhole
            } else {
                Status::WrongNextHop
            };
            let detail = format!("leads to {} instead of {}", hop_of(first), route.next_hop);
            (status, Some(detail.clone()), Err(format!("`{}` {detail}", route.destination)))
        }
        Some(first) => {
            if let Some(other) = astray {
                let detail = format!("shares its packets with {}", hop_of(other));
                (Status::Duplicate, Some(detail.clone()), Err(format!("`{}` {detail}", route.destination)))
            } else if winners.iter().all(|seen| is_dead(seen)) {
                let detail = format!("{} does not run or is gone", route.next_hop);
                (
                    Status::Blackhole,
                    Some(detail.clone()),
                    Err(format!("`{}` is a blackhole: {detail}", route.destination)),
                )
            } else if winners.len() > 1 {
                (Status::Duplicate, Some(format!("{} routes lead to {}", winners.len(), route.next_hop)), Ok(()))
            } else {
                match &first.deviation {
                    Some(what) => (Status::WrongNextHop, Some(what.clone()), Ok(())),
                    None => (Status::Ok, None, Ok(())),
                }
            }
        }
    };
    // A longer prefix wins over all of this for the part that it covers.
    let thief = longer.iter().find(|(_, seen)| !right(seen) || is_dead(seen));
    let (status, detail, delivers) = match thief {
        Some((net, seen)) if delivers.is_ok() => {
            let detail = format!("`{net}` -> {} takes part of it", hop_of(seen));
            let status = if status == Status::Ok { Status::Shadowed } else { status };
            (status, Some(detail.clone()), Err(format!("in `{}`, {detail}", route.destination)))
        }
        _ => (status, detail, delivers),
    };
    let verdict = RouteVerdict {
        table: table.clone(),
        destination: route.destination.net(),
        worker: Some(route.worker.clone()),
        status,
        detail,
    };
    Judged { verdict, delivers }
}
