//! A table's routes by destination, so that judging a change costs a look-up and not a walk: tables of a hundred
//! thousand routes are read back as often as tables of three.

use std::collections::HashMap;

use kroutes_core::{Change, Destination, ObservedRoute, Table};

/// The routes of one table by destination.
pub(super) struct Index<'a>(HashMap<&'a Destination, Vec<&'a ObservedRoute>>);

impl<'a> Index<'a> {
    pub(super) fn of(table: Option<&'a Table>) -> Self {
        let mut routes: HashMap<_, Vec<_>> = HashMap::new();
        for route in table.into_iter().flat_map(|table| &table.routes) {
            routes.entry(&route.destination).or_default().push(route);
        }
        Self(routes)
    }

    /// What the table holds for a destination.
    pub(super) fn at(&self, destination: &Destination) -> &[&'a ObservedRoute] {
        self.0.get(destination).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether this very entry is there.
    pub(super) fn holds(&self, entry: &ObservedRoute) -> bool {
        self.at(&entry.destination).iter().any(|route| route.is_same_entry(entry))
    }

    /// Whether the table holds for a destination exactly what `other` holds.
    pub(super) fn agrees(&self, other: &Self, destination: &Destination) -> bool {
        let (here, there) = (self.at(destination), other.at(destination));
        here.len() == there.len() && here.iter().all(|route| other.holds(route))
    }

    /// Whether the table is as it should be after `change`.
    pub(super) fn shows(&self, change: &Change) -> bool {
        let here = self.at(&change.destination());
        let there = change.want().is_none_or(|want| here.iter().any(|route| route.is_as_wanted(want)));
        let left_over = |was: &ObservedRoute| {
            here.iter().any(|route| {
                // A route that was right but for a detail comes back as the same entry with the detail mended.
                let mended = !change.is_removal() && change.want().is_some_and(|want| route.is_as_wanted(want));
                route.is_same_entry(was) && !mended
            })
        };
        there && !change.was().iter().any(left_over)
    }
}
