//! Carrying out a plan, one outcome per change.
//!
//! Everything that adds or replaces runs side by side, since the gate is what meters, and so do deletions afterwards; but
//! what concerns one destination is done one after the other, so that no two writes ever meet on it. A failure ends its
//! own change and nothing else, unless it makes the rest pointless: without credentials nothing will work, and a full
//! table takes no more routes, so that what would not fit as far as is known is tried one by one (see [`room`](super::room)).

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use ipnet::IpNet;
use kroutes_core::{
    Change, ClaimState, Destination, Error, ErrorKind, Finding, Fix, Observation, ObservedRoute, Plan, Result, Route,
    Table, TableId, overlap,
};

use super::index::Index;
use super::room::{Demand, Place, Rooms};
use super::settle::{half_done, unseen};
use super::{Outcome, Progress, Reconciler, Report, TableReport, Watcher, changed_since, table_in};

/// A table's changes and how each of them ended so far.
struct TableRun<'a> {
    id: &'a TableId,
    changes: &'a [Change],
    outcomes: Vec<Option<Outcome>>,
    /// The changes that were sent since the table was last read.
    unread: Vec<usize>,
    /// Wanted destinations without a route of their own, as far as is known when removals begin; mostly none.
    open: Vec<IpNet>,
    claim: ClaimState,
}

/// The wanted destinations that have no route yet: whatever covers them may carry their packets.
fn open_destinations(table: &TableRun<'_>) -> Vec<IpNet> {
    let undone = table
        .changes
        .iter()
        .zip(&table.outcomes)
        .filter(|(change, outcome)| !change.is_removal() && !outcome.as_ref().is_some_and(Outcome::is_done));
    undone.filter_map(|(change, _)| change.destination().as_net()).collect()
}

/// What makes the rest pointless.
#[derive(Default)]
struct Halt {
    everything: Option<Error>,
    /// Tables that take no more routes.
    full: Vec<Full>,
}

/// A refusal for want of room.
struct Full {
    table: TableId,
    ipv6: bool,
    /// Whether what was refused would have stayed beside all that is there.
    lasting: bool,
    error: Error,
}

pub(super) struct Run<'a> {
    reconciler: &'a Reconciler,
    tables: Vec<TableRun<'a>>,
    fixes: Vec<(&'a Finding, &'a Fix, Option<Outcome>)>,
    errors: Vec<Error>,
    halt: Mutex<Halt>,
    moved: HashSet<&'a (TableId, Destination)>,
    /// How much room there is for what is made.
    rooms: Rooms,
    watch: Watcher<'a>,
}

/// Something to do while things are added: a fix, or a change of a table.
#[derive(Clone, Copy)]
enum Job {
    Fix(usize),
    Change(usize, usize),
}

impl<'a> Run<'a> {
    pub(super) fn new(
        reconciler: &'a Reconciler,
        plan: &'a Plan,
        latest: &Plan,
        moved: &'a [(TableId, Destination)],
        watch: Watcher<'a>,
    ) -> Self {
        let tables = plan
            .readable()
            .map(|table| TableRun {
                id: &table.id,
                changes: &table.changes,
                outcomes: table.changes.iter().map(|_| None).collect(),
                unread: Vec::new(),
                open: Vec::new(),
                claim: latest
                    .readable()
                    .find(|other| other.id == table.id)
                    .map_or_else(|| table.claim.clone(), |other| other.claim.clone()),
            })
            .collect();
        let fixes = plan.fixes().map(|(finding, fix)| (finding, fix, None)).collect();
        let moved = moved.iter().collect();
        let (errors, halt, rooms) = (Vec::new(), Mutex::default(), Rooms::default());
        Self { reconciler, tables, fixes, errors, halt, moved, rooms, watch }
    }

    pub(super) fn tell(&self, progress: Progress) {
        (self.watch)(progress);
    }

    /// Writes the claim on every table that is to be written to and lacks it. Without permission kroutes works on
    /// without a claim.
    pub(super) async fn set_claims(&mut self) {
        for at in 0..self.tables.len() {
            let table = &self.tables[at];
            let ClaimState::ToSet(claim) = &table.claim else { continue };
            // Where all has moved nothing will be written either.
            if table.changes.iter().all(|change| self.has_moved(table, change)) || self.pointless().is_some() {
                continue;
            }
            let fix = Fix::SetClaim { table: table.id.clone(), claim: claim.clone() };
            self.tables[at].claim = match self.reconciler.backend.fix(&fix).await {
                Ok(()) => ClaimState::Ours,
                Err(error) if error.kind() == ErrorKind::PermissionDenied && !error.is_ambiguous() => {
                    ClaimState::Denied
                }
                Err(error) => {
                    let error = error.with("table", self.tables[at].id.0.clone());
                    self.halt_on(&error, None);
                    if error.kind() != ErrorKind::Interrupted {
                        self.errors.push(error);
                    }
                    ClaimState::None
                }
            };
        }
    }

    /// Fixes, replacements and creations together, with as much room as the tables were seen to have.
    pub(super) async fn add_and_fix(&mut self, seen: &Observation) {
        self.rooms = Rooms::of(seen, |id, ipv6| self.demand(id, ipv6));
        let jobs: Vec<Job> = (0..self.fixes.len()).map(Job::Fix).chain(self.jobs(false)).collect();
        self.work(&jobs, None).await;
    }

    /// Deletions, each against what the table was last seen to hold.
    pub(super) async fn remove(&mut self, observation: &Observation) {
        let jobs: Vec<Job> = self.jobs(true).collect();
        for table in &mut self.tables {
            table.open = open_destinations(table);
        }
        self.work(&jobs, Some(observation)).await;
    }

    /// The changes that only remove something, or the others.
    fn jobs(&self, removals: bool) -> impl Iterator<Item = Job> {
        self.tables.iter().enumerate().flat_map(move |(at, table)| {
            let wanted = table.changes.iter().enumerate().filter(move |(_, change)| change.is_removal() == removals);
            wanted.map(move |(nth, _)| Job::Change(at, nth))
        })
    }

    /// The tables from which something is to be removed.
    pub(super) fn removing_from(&self) -> impl Iterator<Item = &'a TableId> {
        let removing = self.tables.iter().filter(|table| table.changes.iter().any(Change::is_removal));
        removing.map(|table| table.id)
    }

    /// The tables in which something was sent since they were last read, with what has to show.
    pub(super) fn unread(&self) -> Vec<(TableId, Vec<&'a Change>)> {
        let touched = self.tables.iter().filter(|table| !table.unread.is_empty());
        touched
            .map(|table| {
                let accepted = table.unread.iter().filter(|nth| matches!(table.outcomes[**nth], Some(Outcome::Done)));
                (table.id.clone(), accepted.map(|nth| &table.changes[*nth]).collect())
            })
            .collect()
    }

    /// Judges what was sent by what was read.
    pub(super) fn confirm(&mut self, id: &TableId, listing: &Result<Table>) {
        let Some(table) = self.tables.iter_mut().find(|table| table.id == id) else { return };
        if let Err(error) = listing {
            self.errors.push(error.clone().with("table", id.0.clone()));
        }
        let index = Index::of(listing.as_ref().ok());
        for nth in std::mem::take(&mut table.unread) {
            let change = &table.changes[nth];
            let outcome = &mut table.outcomes[nth];
            *outcome = match (listing, outcome.take()) {
                // A failure is among these only if some write of the change was made, or may have been.
                (Ok(_), Some(Outcome::Done | Outcome::Failed(_) | Outcome::Unconfirmed(_))) if index.shows(change) => {
                    Some(Outcome::Done)
                }
                (Ok(_), Some(Outcome::Done)) => Some(Outcome::Unconfirmed(unseen(change))),
                // An answer that was lost stays unconfirmed: the listing may lag behind an effect that was had.
                (Err(error), Some(Outcome::Done)) => Some(Outcome::Unconfirmed(error.clone())),
                (_, other) => other,
            };
        }
    }

    pub(super) fn into_report(self, mut after: Observation) -> Report {
        let mended: Vec<&Finding> = self
            .fixes
            .iter()
            .filter(|(_, _, outcome)| outcome.as_ref().is_some_and(Outcome::is_done))
            .map(|(finding, _, _)| *finding)
            .collect();
        after.findings.retain(|finding| !mended.contains(&finding));
        // Every change passes through one of the two phases, so an outcome that is still open cannot occur; should it
        // ever, it was not tried.
        let closed = |outcome: Option<Outcome>| {
            outcome.unwrap_or_else(|| Outcome::Skipped(Error::new(ErrorKind::Interrupted, "not tried")))
        };
        let tables = self
            .tables
            .into_iter()
            .map(|table| TableReport {
                id: table.id.clone(),
                changes: table.changes.iter().cloned().zip(table.outcomes.into_iter().map(closed)).collect(),
                claim: table.claim,
            })
            .collect();
        let fixes = self.fixes.into_iter().map(|(finding, _, outcome)| (finding.clone(), closed(outcome))).collect();
        Report { tables, fixes, errors: self.errors, after, verdict: None, interrupted: false, remaining: 0 }
    }

    async fn work(&mut self, jobs: &[Job], removing: Option<&Observation>) {
        let indices: Vec<Option<Index<'_>>> = self
            .tables
            .iter()
            .map(|table| removing.and_then(|seen| table_in(seen, table.id)).map(|seen| Index::of(Some(seen))))
            .collect();
        let this = &*self;
        let indices = &indices;
        // Providers meter each action apart, so each sort of work has a queue of its own: five hundred fixes that wait for
        // their tokens must not keep five hundred creations from using theirs.
        let mut queues: BTreeMap<&str, Vec<&[Job]>> = BTreeMap::new();
        for group in jobs.chunk_by(|a, b| this.place(*a).is_some() && this.place(*a) == this.place(*b)) {
            queues.entry(this.sort(group[0])).or_default().push(group);
        }
        let queues = queues.into_values().map(|groups| {
            stream::iter(groups)
                .map(|group| async move {
                    let mut ended = Vec::with_capacity(group.len());
                    for job in group {
                        let (outcome, sent) = match *job {
                            Job::Fix(nth) => this.mend(nth).await,
                            Job::Change(at, nth) if removing.is_some() => {
                                this.take_away(at, nth, indices[at].as_ref()).await
                            }
                            Job::Change(at, nth) => this.put_in(at, nth).await,
                        };
                        (this.watch)(Progress::Written);
                        ended.push((*job, outcome, sent));
                    }
                    ended
                })
                .buffer_unordered(self.reconciler.settings.concurrency.max(1))
                .collect::<Vec<_>>()
        });
        let results: Vec<(Job, Outcome, bool)> = join_all(queues).await.into_iter().flatten().flatten().collect();
        for (job, outcome, sent) in results {
            match job {
                Job::Fix(nth) => self.fixes[nth].2 = Some(outcome),
                Job::Change(at, nth) => {
                    self.tables[at].outcomes[nth] = Some(outcome);
                    if sent {
                        self.tables[at].unread.push(nth);
                    }
                }
            }
        }
    }

    /// What sort of work a job is.
    fn sort(&self, job: Job) -> &'static str {
        match job {
            Job::Fix(_) => "fix",
            Job::Change(at, nth) => self.tables[at].changes[nth].action(),
        }
    }

    /// Where a job writes. A plan is sorted by destination, so jobs of one place stand side by side.
    fn place(&self, job: Job) -> Option<(usize, Destination)> {
        match job {
            Job::Fix(_) => None,
            Job::Change(at, nth) => Some((at, self.tables[at].changes[nth].destination())),
        }
    }

    async fn mend(&self, nth: usize) -> (Outcome, bool) {
        if let Some(error) = self.pointless() {
            return (Outcome::Skipped(error), false);
        }
        self.outcome(self.reconciler.backend.fix(self.fixes[nth].1).await, None, false)
    }

    async fn put_in(&self, at: usize, nth: usize) -> (Outcome, bool) {
        let table = &self.tables[at];
        let change = &table.changes[nth];
        // What has to wait until another has shown whether there is room asks after that whether it is still worth trying.
        let place = match self.made(change) {
            Some(route) => match self.rooms.room(table.id, route.destination.is_ipv6()) {
                Some(room) => Some(room.enter(lasts(change)).await),
                None => None,
            },
            None => None,
        };
        if let Some(outcome) = self.forbidden(table, change, place.as_ref().is_some_and(Place::is_lent)) {
            return (outcome, false);
        }
        let backend = &*self.reconciler.backend;
        let mut accepted = false;
        let answer = match change {
            Change::Create { route } => backend.create_route(table.id, route).await,
            Change::Replace { was, to, .. } => match was.split_first() {
                Some((first, rest)) => {
                    let mut answer = backend.replace_route(table.id, first, to).await;
                    // The new route is in; what else held the destination can go without leaving a gap.
                    for route in rest {
                        if answer.is_ok() {
                            accepted = true;
                            answer = self.delete_next(table.id, route, None).await;
                        }
                    }
                    answer
                }
                None => backend.create_route(table.id, to).await,
            },
            Change::Delete { was, .. } => backend.delete_route(table.id, was, None).await,
        };
        self.outcome(answer, Some((table.id, change)), accepted)
    }

    /// One more write of a change of which others have been accepted. Between them too the run may have been stopped.
    async fn delete_next(
        &self,
        table: &TableId,
        route: &ObservedRoute,
        standing: Option<&ObservedRoute>,
    ) -> Result<()> {
        match self.pointless() {
            Some(error) => Err(error),
            None => self.reconciler.backend.delete_route(table, route, standing).await,
        }
    }

    async fn take_away(&self, at: usize, nth: usize, index: Option<&Index<'_>>) -> (Outcome, bool) {
        let table = &self.tables[at];
        let change = &table.changes[nth];
        if let Some(outcome) = self.forbidden(table, change, false) {
            return (outcome, false);
        }
        let Some(index) = index else {
            let message = "nothing is deleted from a table that could not be read back";
            return (Outcome::Skipped(Error::new(ErrorKind::Unavailable, message)), false);
        };
        let covers = |open: &&IpNet| change.destination().as_net().is_some_and(|gone| overlap(open, &gone));
        if let Some(open) = table.open.iter().find(covers) {
            let message = format!("`{open}` has no route yet, and this one may still carry its packets");
            return (Outcome::Skipped(Error::new(ErrorKind::Conflict, message)), false);
        }
        let destination = change.destination();
        // One that goes is none that stays, even if a listing has it twice.
        let stays = |seen: &ObservedRoute| !change.was().iter().any(|was| was.is_same_entry(seen));
        let standing =
            change.want().map(|want| index.at(&destination).iter().find(|seen| seen.is_as_wanted(want) && stays(seen)));
        let right = standing.is_none_or(|found| found.is_some());
        let standing = standing.flatten().copied();
        let mut sent = false;
        for was in change.was() {
            if index.holds(was) && right {
                let answer = self.delete_next(table.id, was, standing).await;
                if answer.is_err() {
                    return self.outcome(answer, Some((table.id, change)), sent);
                }
                sent = true;
            } else if !right || (!index.at(&destination).is_empty() && change.want().is_none()) {
                return (Outcome::Failed(changed_since(&destination)), sent);
            }
        }
        (Outcome::Done, sent)
    }

    fn has_moved(&self, table: &TableRun<'_>, change: &Change) -> bool {
        self.moved.contains(&(table.id.clone(), change.destination()))
    }

    /// Why a change is not even tried. Of one that was lent a place a creation's refusal says nothing.
    fn forbidden(&self, table: &TableRun<'_>, change: &Change, lent: bool) -> Option<Outcome> {
        if let Some(error) = self.pointless() {
            return Some(Outcome::Skipped(error));
        }
        if self.has_moved(table, change) {
            return Some(Outcome::Failed(changed_since(&change.destination())));
        }
        let route = self.made(change)?;
        let halt = self.halt.lock().unwrap_or_else(PoisonError::into_inner);
        let here = |full: &&Full| full.table == *table.id && full.ipv6 == route.destination.is_ipv6();
        let full = halt.full.iter().filter(here).find(|full| !(lent && full.lasting));
        // The refusal itself is told once, by the change that met it.
        full.map(|Full { error, .. }| {
            let message = format!("table `{}` takes no more routes", table.id);
            let skipped = Error::new(ErrorKind::QuotaExceeded, message);
            Outcome::Skipped(match error.get("code") {
                Some(code) => skipped.with("code", code),
                None => skipped,
            })
        })
    }

    /// The route for which a change needs room.
    fn made<'c>(&self, change: &'c Change) -> Option<&'c Route> {
        match change {
            Change::Create { route } => Some(route),
            // Made beside the old one, it needs room like any other.
            Change::Replace { to, there: false, .. } if self.makes_beside() => Some(to),
            _ => None,
        }
    }

    /// How much room a table needs for a family.
    fn demand(&self, id: &TableId, ipv6: bool) -> Demand {
        let mut demand = Demand::default();
        for change in self.tables.iter().filter(|table| table.id == id).flat_map(|table| table.changes) {
            let made = self.made(change);
            if made.is_none_or(|route| route.destination.is_ipv6() != ipv6) {
                continue;
            }
            if lasts(change) {
                demand.creations += 1;
            } else {
                demand.replacements += 1;
            }
        }
        demand
    }

    /// Whether a route is replaced by making the new one beside the old one.
    fn makes_beside(&self) -> bool {
        !self.reconciler.backend.capabilities().atomic_replace
    }

    /// What makes every further write pointless, if something does.
    fn pointless(&self) -> Option<Error> {
        if self.reconciler.settings.stop.is_stopped() {
            return Some(Error::new(ErrorKind::Interrupted, "the run was interrupted before this was begun"));
        }
        self.halt.lock().unwrap_or_else(PoisonError::into_inner).everything.clone()
    }

    fn halt_on(&self, error: &Error, change: Option<(&TableId, &Change)>) {
        let mut halt = self.halt.lock().unwrap_or_else(PoisonError::into_inner);
        match (error.kind(), change) {
            (ErrorKind::Unauthenticated, _) => halt.everything = Some(error.clone()),
            (ErrorKind::QuotaExceeded, Some((id, change))) => {
                let ipv6 = change.want().is_some_and(|route| route.destination.is_ipv6());
                halt.full.push(Full { table: id.clone(), ipv6, lasting: lasts(change), error: error.clone() });
            }
            _ => {}
        }
    }

    /// The outcome of an answer, and whether something may have been sent that has to be read back. `accepted` says that
    /// other writes of the same change had been accepted before it.
    fn outcome(&self, answer: Result<()>, change: Option<(&TableId, &Change)>, accepted: bool) -> (Outcome, bool) {
        let Err(error) = answer else { return (Outcome::Done, true) };
        self.halt_on(&error, change);
        let error = if accepted { half_done(error) } else { error };
        match error.kind() {
            // A fix is not read back, so what nobody answered for stays open.
            _ if error.is_ambiguous() => (Outcome::Unconfirmed(error), true),
            ErrorKind::Interrupted => (Outcome::Skipped(error), false),
            // Where a replacement is two writes, the first of them may have been made.
            _ if change.is_some_and(|(_, change)| matches!(change, Change::Replace { .. })) => {
                (Outcome::Failed(error), accepted || self.makes_beside())
            }
            _ => (Outcome::Failed(error), accepted),
        }
    }
}

/// Whether what a change makes stays beside all that is there, and no other route goes for it.
const fn lasts(change: &Change) -> bool {
    matches!(change, Change::Create { .. })
}
