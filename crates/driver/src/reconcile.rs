//! From a topology to true tables: observe, plan, apply, read back, judge.
//!
//! The decisions are the core's; here is what has to happen in time. The order of an apply is chosen so that a
//! destination that stays never goes without a route, and so that the program can be killed between any two calls and
//! run again: the claim first, because a route of ours without it may not be recognised later; then everything that adds
//! or replaces; then reading back, because an answer is not yet a fact; and deletions last, against what was just read.
//!
//! A plan is a statement about the moment in which the tables were read. If a person thought about it for a while, the
//! tables are read again and what has moved since is left alone, each with its own outcome.

mod execute;
mod index;
mod room;
mod settle;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use kroutes_core::{
    Change, ClaimState, Destination, Error, ErrorKind, Fix, Held, MaxDeletes, Observation, Plan, Policy, Reading,
    Result, RouteBackend, Stopper, Table, TableId, TablePlan, Topology, Verdict, guard,
};
use tokio::time::Instant;

use self::index::Index;
use crate::report::{Outcome, Report, TableReport};
use crate::saved::{Moved, SavedPlan, keep_what_is_in, recount};

/// How long a plan may lie before the tables are read again.
const FRESH: Duration = Duration::from_secs(5);

/// How a reconciler goes about it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How far the user lets us go.
    pub policy: Policy,
    /// How much of what stands may be deleted or replaced; the guard's own default without one.
    pub max_deletes: Option<MaxDeletes>,
    /// How many writes of one sort may be under way at once; the gate meters them besides.
    pub concurrency: usize,
    /// How long reading back waits for a write to show. EC2 documents "up to a few minutes" for the worst case
    /// ("Eventual consistency in the Amazon EC2 API").
    pub settle: Duration,
    /// Stopped when nothing new may begin; the gate's own, so that it refuses calls as well.
    pub stop: Stopper,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            max_deletes: None,
            concurrency: 64,
            settle: Duration::from_mins(2),
            stop: Stopper::default(),
        }
    }
}

/// A plan together with what it was made from, and when.
#[derive(Debug, Clone)]
pub struct Planned {
    /// What the cloud was seen to hold.
    pub observation: Observation,
    /// What follows from it.
    pub plan: Plan,
    /// Why it is held back, if it is: then [`Reconciler::apply`] will not begin.
    pub held: Vec<Held>,
    kind: Kind,
    at: Instant,
    /// Whether it is no more than a saved plan.
    cut_down: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Apply,
    Destroy,
}

/// Why an apply was not begun. Nothing has been changed.
#[derive(Debug, Clone)]
pub enum NotApplied {
    /// A claim stands against us; the plan in which it does, since it may have come while a person was asked.
    Refused(Box<Plan>),
    /// A guard holds the plan back; never empty.
    Held(Vec<Held>),
    /// The tables could not be read again.
    Failed(Error),
}

impl From<Error> for NotApplied {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// How far an apply has come, for whoever shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// Writes begin; how many there are.
    Writing {
        /// Fixes, creations, replacements and deletions together.
        total: usize,
    },
    /// One more has ended, well or not.
    Written,
    /// The tables are read back.
    ReadingBack,
}

/// Whoever wants to know how far it has come.
pub type Watcher<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// Makes a topology true over a backend.
#[derive(Debug, Clone)]
pub struct Reconciler {
    backend: Arc<dyn RouteBackend>,
    topology: Topology,
    settings: Settings,
}

impl Reconciler {
    /// A reconciler for one topology and the backend that was opened for it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] if the topology has IPv6 pod CIDRs and the provider has no IPv6 routes: better now
    /// than after the first half.
    pub fn new(backend: Arc<dyn RouteBackend>, topology: Topology, settings: Settings) -> Result<Self> {
        if !backend.capabilities().ipv6
            && let Some((worker, cidr)) = topology.ranges().find(|(_, cidr)| cidr.is_ipv6())
        {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "provider `{}` has no IPv6 routes, and worker `{}` has pod CIDR `{cidr}`",
                    backend.name(),
                    worker.name
                ),
            )
            .help("remove the IPv6 ranges from the topology, or use another provider"));
        }
        Ok(Self { backend, topology, settings })
    }

    /// The topology that is made true.
    pub const fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The backend.
    pub fn backend(&self) -> &dyn RouteBackend {
        &*self.backend
    }

    /// Reads what the cloud holds.
    ///
    /// # Errors
    ///
    /// What makes the whole reading worthless.
    pub async fn observe(&self) -> Result<Observation> {
        self.backend.observe(self.topology.workers()).await
    }

    /// What would have to change.
    ///
    /// # Errors
    ///
    /// As [`Self::observe`].
    pub async fn plan(&self) -> Result<Planned> {
        self.planned(Kind::Apply).await
    }

    /// What would have to go.
    ///
    /// # Errors
    ///
    /// As [`Self::observe`].
    pub async fn plan_destroy(&self) -> Result<Planned> {
        self.planned(Kind::Destroy).await
    }

    /// Judges what the cloud holds.
    ///
    /// # Errors
    ///
    /// As [`Self::observe`].
    pub async fn verify(&self) -> Result<Verdict> {
        let observation = self.observe().await?;
        Ok(Verdict::new(&self.topology, &observation, self.backend.capabilities()))
    }

    async fn planned(&self, kind: Kind) -> Result<Planned> {
        let observation = self.observe().await?;
        let plan = self.decide(kind, &observation);
        let held = self.guard(kind, &plan);
        Ok(Planned { observation, plan, held, kind, at: Instant::now(), cut_down: false })
    }

    /// Of a plan of this moment, exactly what a saved one holds.
    ///
    /// # Errors
    ///
    /// What is not any more as the saved one saw it.
    pub fn cut_down(&self, planned: Planned, saved: &SavedPlan) -> Result<Planned, Vec<Moved>> {
        let mut plan = saved.cut_down(&planned.plan, &planned.observation)?;
        recount(&mut plan, &self.topology, &planned.observation, self.backend.capabilities());
        let held = self.guard(planned.kind, &plan);
        Ok(Planned { plan, held, cut_down: true, ..planned })
    }

    /// Taking away is what a destroy is for.
    fn guard(&self, kind: Kind, plan: &Plan) -> Vec<Held> {
        match kind {
            Kind::Apply => guard(&self.topology, plan, self.settings.max_deletes),
            Kind::Destroy => Vec::new(),
        }
    }

    fn decide(&self, kind: Kind, observation: &Observation) -> Plan {
        let capabilities = self.backend.capabilities();
        match kind {
            Kind::Apply => Plan::new(&self.topology, observation, capabilities, self.settings.policy),
            Kind::Destroy => Plan::destroy(&self.topology, observation, capabilities),
        }
    }

    /// Does what was planned, reads back, and judges.
    ///
    /// # Errors
    ///
    /// Only before the first write, when nothing has been changed: a claim that stands against us, or tables that could
    /// not be read again. Everything after that is an outcome.
    pub async fn apply(&self, planned: Planned, watch: Watcher<'_>) -> Result<Report, NotApplied> {
        let Planned { mut observation, plan, held, kind, at, cut_down } = planned;
        refuse(&plan, held)?;
        let mut read_at: HashMap<TableId, Instant> = plan.readable().map(|table| (table.id.clone(), at)).collect();
        let mut moved = Vec::new();
        let mut again = None;
        if at.elapsed() > FRESH && plan.readable().any(|table| !table.changes.is_empty()) {
            let before = observation.clone();
            self.list_again(&mut observation, &plan, &mut read_at).await?;
            let mut now = self.decide(kind, &observation);
            if cut_down {
                keep_what_is_in(&mut now, &plan);
                recount(&mut now, &self.topology, &observation, self.backend.capabilities());
            }
            refuse(&now, self.guard(kind, &now))?;
            moved = moved_since(&plan, &now, &before, &observation);
            again = Some(now);
        }

        let total = plan.readable().map(|table| table.changes.len()).sum::<usize>() + plan.fixes().count();
        watch(Progress::Writing { total });
        // Whether the claim may be written is a matter of this moment, not of that in which the user saw the plan.
        let latest = again.as_ref().unwrap_or(&plan);
        let mut run = execute::Run::new(self, &plan, latest, &moved, watch);
        run.set_claims().await;
        run.add_and_fix(&observation).await;
        self.read_back(&mut run, &mut observation, &mut read_at).await;
        self.look_before_removing(&run, &mut observation, &read_at).await;
        run.remove(&observation).await;
        self.read_back(&mut run, &mut observation, &mut read_at).await;
        let mut report = run.into_report(observation);

        if kind == Kind::Destroy {
            self.drop_claims(&mut report).await;
        }
        report.interrupted = self.settings.stop.is_stopped();
        if !report.interrupted {
            report.verdict = Some(Verdict::new(&self.topology, &report.after, self.backend.capabilities()));
        }
        Ok(report)
    }

    async fn list_again(
        &self,
        observation: &mut Observation,
        plan: &Plan,
        read_at: &mut HashMap<TableId, Instant>,
    ) -> Result<()> {
        for table in plan.readable().filter(|table| !table.changes.is_empty()) {
            let fresh = self.backend.list_routes(&table.id).await?;
            put(observation, &table.id, Ok(fresh));
            read_at.insert(table.id.clone(), Instant::now());
        }
        Ok(())
    }

    /// What is to be removed is compared with the table as it is now. A table that was read back a moment ago is known;
    /// one in which nothing was added, while five hundred routes went into another, is not.
    async fn look_before_removing(
        &self,
        run: &execute::Run<'_>,
        observation: &mut Observation,
        read_at: &HashMap<TableId, Instant>,
    ) {
        let stale = |id: &TableId| read_at.get(id).is_none_or(|at| at.elapsed() > FRESH);
        for id in run.removing_from().filter(|id| stale(id)) {
            if self.settings.stop.is_stopped() {
                return;
            }
            let listing = self.backend.list_routes(id).await;
            put(observation, id, listing);
        }
    }

    /// Reads back every table in which something was done since the last time, until it shows or time is up. An
    /// interrupted run does so too: whoever stopped it wants to know how things stand.
    async fn read_back(
        &self,
        run: &mut execute::Run<'_>,
        observation: &mut Observation,
        read_at: &mut HashMap<TableId, Instant>,
    ) {
        let waiting = run.unread();
        if waiting.is_empty() {
            return;
        }
        run.tell(Progress::ReadingBack);
        let listings = join_all(waiting.into_iter().map(|(id, changes)| async move {
            let listing = settle::settle(&*self.backend, &id, &changes, &self.settings).await;
            (id, listing)
        }));
        for (id, listing) in listings.await {
            run.confirm(&id, &listing);
            read_at.insert(id.clone(), Instant::now());
            put(observation, &id, listing);
        }
    }

    /// The claim goes last, and only from a table that was read and shows nothing of ours.
    async fn drop_claims(&self, report: &mut Report) {
        let left = Plan::destroy(&self.topology, &report.after, self.backend.capabilities());
        report.remaining = left.readable().map(|table| table.changes.len()).sum();
        // Where a look-up failed nobody knows whether something of ours is left.
        if self.settings.stop.is_stopped() || !left.unproved.is_empty() {
            return;
        }
        let empty = |table: &&TablePlan| table.changes.is_empty();
        for id in left.readable().filter(empty).map(|table| table.id.clone()) {
            let claim = table_in(&report.after, &id).and_then(|table| {
                table.claims.iter().find(|claim| claim.cluster == self.topology.cluster().name.as_str()).cloned()
            });
            let Some(claim) = claim else { continue };
            match self.backend.fix(&Fix::DropClaim { table: id.clone(), claim: claim.clone() }).await {
                Ok(()) => {
                    for reading in &mut report.after.tables {
                        if let Ok(table) = &mut reading.table
                            && table.id == id
                        {
                            table.claims.retain(|other| *other != claim);
                        }
                    }
                    for table in report.tables.iter_mut().filter(|table| table.id == id) {
                        table.claim = ClaimState::None;
                    }
                }
                Err(error) => report.errors.push(error.with("table", id.0)),
            }
        }
    }
}

fn refuse(plan: &Plan, held: Vec<Held>) -> Result<(), NotApplied> {
    if plan.refusals().next().is_some() {
        return Err(NotApplied::Refused(Box::new(plan.clone())));
    }
    if held.is_empty() { Ok(()) } else { Err(NotApplied::Held(held)) }
}

/// Puts a new reading of a table in the place of the old one.
fn put(observation: &mut Observation, id: &TableId, fresh: Result<Table>) {
    let old = observation.tables.iter_mut().find(|reading| reading.table.as_ref().is_ok_and(|table| table.id == *id));
    if let Some(Reading { table, .. }) = old {
        *table = fresh;
    }
}

/// A table as it was read.
pub(crate) fn table_in<'a>(observation: &'a Observation, id: &TableId) -> Option<&'a Table> {
    observation.tables.iter().filter_map(|reading| reading.table.as_ref().ok()).find(|table| table.id == *id)
}

/// The changes whose destination does not hold any more what it held when they were planned, or that would not be planned
/// any more: a route may have stopped being ours although it is the same, because the claim on it has gone.
fn moved_since(plan: &Plan, again: &Plan, before: &Observation, now: &Observation) -> Vec<(TableId, Destination)> {
    let mut moved = Vec::new();
    for table in plan.readable() {
        let (then, here) = (Index::of(table_in(before, &table.id)), Index::of(table_in(now, &table.id)));
        let planned_again = again.readable().find(|other| other.id == table.id);
        let still: HashSet<(&str, Destination)> = planned_again
            .into_iter()
            .flat_map(|other| &other.changes)
            .map(|change| (change.action(), change.destination()))
            .collect();
        let differs = |change: &&Change| {
            let destination = change.destination();
            !then.agrees(&here, &destination) || !still.contains(&(change.action(), destination))
        };
        moved.extend(table.changes.iter().filter(differs).map(|change| (table.id.clone(), change.destination())));
    }
    moved
}

fn changed_since(destination: &Destination) -> Error {
    Error::new(ErrorKind::Conflict, format!("the route to `{destination}` has changed since the plan was made"))
        .help("run kroutes again to see what is there now")
}
