//! A saved plan against the plan of this moment: what has moved, and what is left to do.

use std::collections::{BTreeSet, HashMap, HashSet};

use kroutes_core::{Capabilities, Change, ClaimState, Judge, Observation, Plan, TablePlan, Topology};

use super::{Entry, Hop, SavedChange, SavedFix, SavedPlan, SavedTable, Seen, table_in};

/// The word for a claim that is written before the first route.
const TO_SET: &str = "to-set";

/// A change or a fix of a saved plan that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moved {
    /// Its table; none where it is about a machine.
    pub table: Option<String>,
    /// What the route was to be for, if it is one.
    pub destination: Option<String>,
    /// What was to be mended, if it is no route.
    pub fix: Option<String>,
    /// The worker, where it is about one.
    pub worker: Option<String>,
    /// What was there when the plan was saved, in words.
    pub was: String,
    /// What is there now, in words.
    pub is: String,
    /// Why it is not the same any more.
    pub reason: String,
}

impl SavedPlan {
    /// The part of a fresh plan that is this one. Reasons and the routes' states are not compared: an instance that stops
    /// has moved nothing.
    ///
    /// # Errors
    ///
    /// All that has moved, in the order of the file.
    pub fn cut_down(&self, fresh: &Plan, observation: &Observation) -> Result<Plan, Vec<Moved>> {
        let mut plan = fresh.clone();
        let mut moved = Vec::new();
        let mut saved: HashMap<&str, &SavedTable> = HashMap::new();
        for table in &self.tables {
            let is_here = |one: &TablePlan| one.id.0 == table.table && one.location == table.location;
            if !fresh.readable().any(is_here) {
                let why = unreadable(fresh, table);
                moved.extend(table.changes.iter().map(|change| change.moved(&table.table, "not known", why.clone())));
                continue;
            }
            saved.insert(&table.table, table);
        }
        for table in plan.tables.iter_mut().filter_map(|table| table.plan.as_mut().ok()) {
            let wanted = saved.get(table.id.0.as_str()).map_or(&[][..], |saved| &saved.changes);
            let seen = Seen::of(observation, &table.id);
            let mut now: HashMap<String, Vec<(usize, SavedChange)>> = HashMap::new();
            for (nth, change) in table.changes.iter().enumerate() {
                let change = SavedChange::of(change, &seen);
                now.entry(change.destination.clone()).or_default().push((nth, change));
            }
            let mut kept = BTreeSet::new();
            let mut differing = Vec::new();
            for change in wanted {
                let here = now.get(&change.destination).map_or(&[][..], Vec::as_slice);
                match here.iter().find(|(_, other)| other.is_same(change)) {
                    Some((nth, _)) => drop(kept.insert(*nth)),
                    None => differing.push((change, here)),
                }
            }
            moved.extend(differing.into_iter().map(|(change, here)| {
                let again = here.first().map(|(_, other)| other);
                change.compared(&table.id.0, again, &seen.at(&change.destination), fresh)
            }));
            let claims = saved.get(table.id.0.as_str()).is_some_and(|saved| saved.claim == TO_SET);
            without_unseen_claim(table, claims);
            let mut nth = 0;
            table.changes.retain(|_| (kept.contains(&nth), nth += 1).0);
        }
        self.cut_fixes(&mut plan, &mut moved);
        without_needless_claims(&mut plan);
        let mut told = HashSet::new();
        moved.retain(|one| {
            told.insert((one.table.clone(), one.destination.clone(), one.fix.clone(), one.worker.clone()))
        });
        if moved.is_empty() { Ok(plan) } else { Err(moved) }
    }

    fn cut_fixes(&self, plan: &mut Plan, moved: &mut Vec<Moved>) {
        let now: Vec<SavedFix> = plan.fixes().map(|(finding, fix)| SavedFix::of(finding, fix)).collect();
        moved.extend(self.fixes.iter().filter(|fix| !now.contains(fix)).map(|fix| {
            let again = now.iter().find(|other| (&other.code, &other.worker) == (&fix.code, &fix.worker));
            fix.moved(again, plan)
        }));
        for finding in &mut plan.findings {
            let saved = finding.fix.as_ref().is_some_and(|fix| self.fixes.contains(&SavedFix::of(finding, fix)));
            if !saved {
                finding.fix = None;
            }
        }
    }
}

impl SavedChange {
    fn moved(&self, table: &str, is: &str, reason: String) -> Moved {
        Moved {
            table: Some(plain(table)),
            destination: Some(plain(&self.destination)),
            fix: None,
            worker: self.worker.as_deref().map(plain),
            was: in_words(&self.saw),
            is: is.to_owned(),
            reason,
        }
    }

    /// Why it is not in the plan of this moment. `now` is a change there to the same destination, if there is one.
    fn compared(&self, table: &str, now: Option<&Self>, here: &[Entry], fresh: &Plan) -> Moved {
        let leads = |hop: &Hop| here.iter().any(|entry| entry.next_hops.contains(hop));
        let reason = if now.is_none() && self.next_hop.as_ref().is_some_and(leads) {
            "already as wanted".to_owned()
        } else if self.next_hop.is_none() && here.is_empty() {
            "gone already".to_owned()
        } else if here != self.saw {
            "the route has changed".to_owned()
        } else if let Some(now) = now {
            match (&self.next_hop, &now.next_hop) {
                (Some(then), Some(hop)) if then != hop || self.worker != now.worker => format!(
                    "it was to lead to {} and would lead to {} now",
                    target(then, self.worker.as_deref()),
                    target(hop, now.worker.as_deref())
                ),
                _ => format!("it was to be a `{}` and would be a `{}` now", plain(&self.action), now.action),
            }
        } else {
            self.spared(table, fresh)
        };
        self.moved(table, &in_words(here), reason)
    }

    /// Why nothing is planned for it although the table has not moved.
    fn spared(&self, table: &str, fresh: &Plan) -> String {
        let mut conflicts = fresh.readable().filter(|one| one.id.0 == table).flat_map(|one| &one.conflicts);
        if let Some(conflict) = conflicts.find(|one| one.want.destination.to_string() == self.destination) {
            return format!("it is somebody else's now: {}", conflict.reason);
        }
        let unresolved = fresh.unresolved.iter().find(|(name, _)| Some(name.as_str()) == self.worker.as_deref());
        match unresolved {
            Some((_, error)) => format!("its worker cannot be found now: {error}"),
            None => "a plan of this moment would leave it alone".to_owned(),
        }
    }
}

impl SavedFix {
    fn moved(&self, again: Option<&Self>, plan: &Plan) -> Moved {
        let named = |hop: &Option<Hop>| hop.as_ref().map_or_else(|| "not known".to_owned(), |hop| target(hop, None));
        let unresolved = plan.unresolved.iter().find(|(worker, _)| Some(worker.as_str()) == self.worker.as_deref());
        let (is, reason) = match (again, unresolved) {
            (Some(other), _) => (named(&other.target), "it is about another machine now".to_owned()),
            (None, Some((_, error))) => ("not known".to_owned(), format!("its worker cannot be found now: {error}")),
            (None, None) => (named(&self.target), "already as wanted, or not to be mended any more".to_owned()),
        };
        Moved {
            table: self.table.as_deref().map(plain),
            destination: None,
            fix: Some(plain(&self.code)),
            worker: self.worker.as_deref().map(plain),
            was: named(&self.target),
            is,
            reason,
        }
    }
}

/// Leaves of a plan only what is in another one, by what is done and to what.
pub(crate) fn keep_what_is_in(plan: &mut Plan, other: &Plan) {
    let place = |table: &str, change: &Change| (table.to_owned(), change.action(), change.destination());
    let kept: HashSet<_> =
        other.readable().flat_map(|table| table.changes.iter().map(|change| place(&table.id.0, change))).collect();
    for table in plan.tables.iter_mut().filter_map(|table| table.plan.as_mut().ok()) {
        let id = table.id.0.clone();
        table.changes.retain(|change| kept.contains(&place(&id, change)));
        let claims = other.readable().any(|one| one.id == table.id && matches!(one.claim, ClaimState::ToSet(_)));
        without_unseen_claim(table, claims);
    }
    without_needless_claims(plan);
}

/// Counts once more what a plan takes away, after something was left out of it.
pub(crate) fn recount(plan: &mut Plan, topology: &Topology, observation: &Observation, capabilities: Capabilities) {
    for table in plan.tables.iter_mut().filter_map(|table| table.plan.as_mut().ok()) {
        let Some(seen) = table_in(observation, &table.id) else { continue };
        table.count(topology, seen, &Judge::new(capabilities, topology.cluster(), observation, seen));
    }
}

/// A claim is a write like any other, and was in the plan that somebody has agreed to, or is not done.
fn without_unseen_claim(table: &mut TablePlan, was_seen: bool) {
    if !was_seen && matches!(table.claim, ClaimState::ToSet(_)) {
        table.claim = ClaimState::None;
    }
}

/// A table to which nothing is written gets no claim either.
fn without_needless_claims(plan: &mut Plan) {
    for table in plan.tables.iter_mut().filter_map(|table| table.plan.as_mut().ok()) {
        if table.changes.is_empty() && matches!(table.claim, ClaimState::ToSet(_)) {
            table.claim = ClaimState::None;
        }
    }
}

fn unreadable(fresh: &Plan, table: &SavedTable) -> String {
    if let Some(elsewhere) = fresh.readable().find(|one| one.id.0 == table.table) {
        return format!("its table was in {} and is in {} now", plain(&table.location), elsewhere.location);
    }
    let named = fresh.tables.iter().find(|planned| planned.wanted == table.table);
    let failed = named.or_else(|| fresh.tables.iter().find(|planned| planned.plan.is_err()));
    match failed.map(|planned| &planned.plan) {
        Some(Err(error)) => format!("its table could not be read: {error}"),
        _ => "its table is none of this topology's any more".to_owned(),
    }
}

fn in_words(entries: &[Entry]) -> String {
    let one = |entry: &Entry| {
        let hop = entry.next_hops.first().map_or_else(|| "nothing".to_owned(), |hop| target(hop, None));
        let name = entry.name.as_deref().map_or_else(String::new, |name| format!(" (`{}`)", plain(name)));
        format!("{hop}{name}")
    };
    match entries {
        [] => "no route".to_owned(),
        several => several.iter().map(one).collect::<Vec<_>>().join(", "),
    }
}

fn target(hop: &Hop, worker: Option<&str>) -> String {
    let id = hop.values().next().map_or_else(|| "nothing".to_owned(), |id| plain(id));
    worker.map_or(id.clone(), |worker| format!("{id} ({})", plain(worker)))
}

/// What comes from a file goes to a terminal.
fn plain(text: &str) -> String {
    text.escape_debug().to_string()
}
