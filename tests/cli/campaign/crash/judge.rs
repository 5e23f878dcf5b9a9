//! What must hold of a table, in the moment of a kill and in the end.
//!
//! The judges know nothing of clouds: a table is its routes, each with its destination and with whose it is. That is told
//! by how the world was built and never by what kroutes would say, or a mistake of kroutes would be its own alibi.

use std::collections::BTreeSet;

use crate::cli::world::World;

/// Whose a route is, as the world was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// Ours, wanted, and as wanted.
    Right,
    /// Ours otherwise: wrong, surplus or left over.
    Other,
    Foreign,
}

/// A route as a judge sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) destination: String,
    pub(super) text: String,
    pub(super) sort: Sort,
}

impl Entry {
    pub(super) const fn is_ours(&self) -> bool {
        !matches!(self.sort, Sort::Foreign)
    }
}

pub(super) type Judged = Result<(), String>;

/// What there is in a world.
pub(super) type Look = Box<dyn Fn(&World) -> Vec<Entry>>;

/// A fresh world and its judges.
pub(super) struct Ground {
    pub(super) world: World,
    /// The destinations that are to have a route when an apply is through.
    pub(super) wanted: BTreeSet<String>,
    /// Every route that there is.
    pub(super) look: Look,
    /// What else holds at every moment; what there was, what there is, and whether all is to go.
    pub(super) at_once: fn(&World, &[Entry], &[Entry], bool) -> Judged,
    /// What else holds in the end; whether all is gone.
    pub(super) at_last: fn(&World, bool) -> Judged,
    /// That no destination that stays was ever without a route, by the cloud's own log.
    pub(super) unbroken: fn(&World, &BTreeSet<String>, &[Entry]) -> Judged,
}

impl Ground {
    pub(super) fn entries(&self) -> Vec<Entry> {
        (self.look)(&self.world)
    }

    /// What must hold at every moment, after these routes.
    pub(super) fn judge_at_once(&self, before: &[Entry], destroys: bool) -> Judged {
        let now = self.entries();
        same_foreign(before, &now)?;
        if let Some(new) = now.iter().find(|entry| entry.sort == Sort::Other && !before.contains(entry)) {
            return Err(format!("a route came to be that nobody wants: {}", new.text));
        }
        if !destroys {
            let open = self.wanted.iter().find(|wanted| !has(&now, wanted, |entry| entry.sort == Sort::Right));
            for wanted in &self.wanted {
                if has(before, wanted, |entry| entry.sort == Sort::Right)
                    && !has(&now, wanted, |entry| entry.sort == Sort::Right)
                {
                    return Err(format!("{wanted} had its route and lost it"));
                }
                if has(before, wanted, Entry::is_ours) && !has(&now, wanted, Entry::is_ours) {
                    return Err(format!("{wanted} had a route and has none"));
                }
            }
            let is_stale = |entry: &&Entry| entry.sort == Sort::Other && !self.wanted.contains(&entry.destination);
            let pruned = before.iter().filter(is_stale).find(|entry| !now.contains(entry));
            if let (Some(pruned), Some(open)) = (pruned, open) {
                return Err(format!("{} was deleted before {open} had its route", pruned.text));
            }
        }
        (self.at_once)(&self.world, before, &now, destroys)
    }

    /// What must hold when a run has ended well, the world having begun with these routes.
    pub(super) fn judge_at_last(&self, before: &[Entry], destroyed: bool) -> Judged {
        let now = self.entries();
        same_foreign(before, &now)?;
        if let Some(orphan) = now.iter().find(|entry| entry.sort == Sort::Other || (destroyed && entry.is_ours())) {
            return Err(format!("an orphan: {}", orphan.text));
        }
        for wanted in self.wanted.iter().filter(|_| !destroyed) {
            match now.iter().filter(|entry| entry.is_ours() && entry.destination == **wanted).count() {
                1 => {}
                count => return Err(format!("{wanted} has {count} routes of ours")),
            }
        }
        (self.at_last)(&self.world, destroyed)
    }
}

fn has(entries: &[Entry], destination: &str, such: impl Fn(&Entry) -> bool) -> bool {
    entries.iter().any(|entry| entry.destination == destination && such(entry))
}

fn same_foreign(before: &[Entry], now: &[Entry]) -> Judged {
    let foreign = |entries: &[Entry]| -> BTreeSet<String> {
        entries.iter().filter(|entry| !entry.is_ours()).map(|entry| entry.text.clone()).collect()
    };
    let (before, now) = (foreign(before), foreign(now));
    match before.symmetric_difference(&now).next() {
        Some(changed) => Err(format!("a foreign route was changed: {changed}")),
        None => Ok(()),
    }
}
