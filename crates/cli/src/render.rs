//! What is printed, as text made from values: nothing here touches a stream or the cloud.

mod columns;
pub(crate) mod doctor;
pub(crate) mod graph;
pub(crate) mod json;
pub(crate) mod text;

use kroutes_core::{
    Change, Error, Judge, Observation, ObservedRoute, Owner, Plan, RouteBackend, RouteVerdict, Status, Topology,
    Verdict, WorkerName,
};

/// What every answer begins with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) command: &'a str,
    pub(crate) provider: &'a str,
    pub(crate) cluster: &'a str,
    /// The cluster's pod CIDRs, for people.
    pub(crate) cidrs: &'a str,
    /// What alone is looked at; everything without any.
    pub(crate) only: &'a [String],
}

/// How much of everything a plan holds, over all tables that could be read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) create: usize,
    pub(crate) replace: usize,
    pub(crate) delete: usize,
    pub(crate) fix: usize,
    pub(crate) unchanged: usize,
    pub(crate) foreign: usize,
    pub(crate) stale: usize,
    pub(crate) conflict: usize,
    pub(crate) unresolved: usize,
}

impl Counts {
    pub(crate) fn of(plan: &Plan) -> Self {
        let mut counts = Self { fix: plan.fixes().count(), unresolved: plan.unresolved.len(), ..Self::default() };
        for table in plan.readable() {
            counts.unchanged += table.unchanged;
            counts.foreign += table.foreign;
            counts.stale += table.stale.len();
            counts.conflict += table.conflicts.len();
            for change in &table.changes {
                match change {
                    Change::Create { .. } => counts.create += 1,
                    Change::Replace { .. } => counts.replace += 1,
                    Change::Delete { .. } => counts.delete += 1,
                }
            }
        }
        counts
    }
}

/// A table with whose each route is; for `kroutes routes`.
#[derive(Debug)]
pub(crate) struct OwnedTable {
    /// The id, or how the topology names it where it could not be read.
    pub(crate) name: String,
    pub(crate) location: String,
    pub(crate) routes: Result<Vec<OwnedRoute>, Error>,
}

/// A route with whose it is.
#[derive(Debug)]
pub(crate) struct OwnedRoute {
    pub(crate) route: ObservedRoute,
    pub(crate) owner: Owner,
    pub(crate) worker: Option<WorkerName>,
}

/// Judges whose every observed route is, sorted by table, then by address.
pub(crate) fn owned(backend: &dyn RouteBackend, topology: &Topology, observation: &Observation) -> Vec<OwnedTable> {
    let mut tables: Vec<OwnedTable> = observation
        .tables
        .iter()
        .map(|reading| match &reading.table {
            Err(error) => {
                OwnedTable { name: reading.wanted.clone(), location: String::new(), routes: Err(error.clone()) }
            }
            Ok(table) => {
                let judge = Judge::new(backend.capabilities(), topology.cluster(), observation, table);
                let mut routes: Vec<OwnedRoute> = table
                    .routes
                    .iter()
                    .map(|route| OwnedRoute {
                        owner: judge.owner(route),
                        worker: worker_behind(topology, observation, route),
                        route: route.clone(),
                    })
                    .collect();
                routes.sort_by(|a, b| {
                    let key = |owned: &OwnedRoute| (owned.route.destination.clone(), owned.route.precedence);
                    key(a).cmp(&key(b))
                });
                OwnedTable { name: table.id.0.clone(), location: table.location.clone(), routes: Ok(routes) }
            }
        })
        .collect();
    tables.sort_by(|a, b| (a.routes.is_err(), &a.name).cmp(&(b.routes.is_err(), &b.name)));
    tables
}

/// The routes that are as they should be and yet lose packets to others, which no plan mends: where a plan tells a conflict
/// it tells the remedy, too.
pub(crate) fn unmended(verdict: &Verdict) -> impl Iterator<Item = &RouteVerdict> {
    let in_conflict = |route: &RouteVerdict| {
        let mut tables = verdict.plan.readable().filter(|table| table.id == route.table);
        tables.any(|table| table.conflicts.iter().any(|conflict| conflict.want.destination.net() == route.destination))
    };
    verdict.routes.iter().filter(move |route| route.status == Status::Shadowed && !in_conflict(route))
}

/// The worker that a route leads to, whatever its destination.
fn worker_behind(topology: &Topology, observation: &Observation, route: &ObservedRoute) -> Option<WorkerName> {
    let by_machine = route.next_hops.iter().find_map(|hop| observation.machines.get(&hop.id()).cloned());
    by_machine.or_else(|| {
        let leads = topology.ranges().find(|(_, cidr)| {
            observation.next_hops.get(cidr).and_then(|hop| hop.as_ref().ok()).is_some_and(|hop| route.leads_to(hop))
        });
        leads.map(|(worker, _)| worker.name.clone())
    })
}
