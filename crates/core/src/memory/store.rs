//! Tables, and what a write does to them.
//!
//! Every single mutation leaves a [`Moment`], so that a test can ask what packets met in between, which no listing before
//! and after can show. The same moments are what lag shows: a listing sees the newest one that is old enough.

use std::sync::Arc;

use ipnet::IpNet;

use super::character::{Character, HopStyle};
use super::machine::{Machine, Machines};
use crate::{
    Claim, Destination, Error, ErrorKind, Fix, Life, NextHop, ObservedRoute, Origin, Quota, Result, Route, RouteState,
    TableId, Target,
};

/// What a table held between two mutations. What stands behind its routes is as it was when they were written.
#[derive(Debug, Clone)]
pub struct Moment {
    /// All routes.
    pub routes: Vec<Arc<ObservedRoute>>,
    /// All claims.
    pub claims: Vec<Claim>,
    visible_from: u64,
}

impl Moment {
    /// Whether any route has exactly this destination.
    pub fn holds(&self, destination: &Destination) -> bool {
        self.routes.iter().any(|route| route.destination == *destination)
    }
}

#[derive(Debug)]
pub(super) struct Store {
    pub(super) location: String,
    pub(super) quota: u32,
    /// What an out-of-band test makes every reading of it fail with.
    pub(super) unreadable: Option<Error>,
    moments: Vec<Moment>,
    listings: u64,
    names: u32,
}

/// The second half of a replacement that takes two steps. Others may look, and write, between the two.
#[derive(Debug)]
pub(super) enum SecondStep {
    Insert(Box<ObservedRoute>),
    Remove(Arc<ObservedRoute>),
}

/// Whether the backend would write exactly this entry for `route`.
fn is_what_we_would_write(entry: &ObservedRoute, route: &Route, character: &Character) -> bool {
    entry.is_as_wanted(route)
        && entry.origin == Origin::Static
        && entry.precedence == character.capabilities.precedence
        && entry.marked == character.capabilities.marks
}

impl Store {
    pub(super) fn new(quota: u32) -> Self {
        let empty = Moment { routes: Vec::new(), claims: Vec::new(), visible_from: 0 };
        let location = "memory".to_owned();
        Self { location, quota, unreadable: None, moments: vec![empty], listings: 0, names: 0 }
    }

    pub(super) fn now(&self) -> &Moment {
        // There is always the moment that the table began with.
        self.moments.last().unwrap_or_else(|| unreachable!("a table without a beginning"))
    }

    pub(super) fn moments(&self) -> &[Moment] {
        &self.moments
    }

    /// What one more listing shows.
    pub(super) fn list(&mut self) -> Moment {
        self.listings += 1;
        let listing = self.listings;
        self.moments.iter().rev().find(|moment| moment.visible_from <= listing).unwrap_or(self.now()).clone()
    }

    /// Makes the next moment from this one; shown `lag` listings late.
    pub(super) fn mutate(&mut self, lag: u32, change: impl FnOnce(&mut Moment)) {
        let mut next = self.now().clone();
        next.visible_from = self.listings + u64::from(lag) + 1;
        change(&mut next);
        self.moments.push(next);
    }

    /// Forgets what was before, so that a history begins here.
    pub(super) fn begin(&mut self) {
        let mut now = self.now().clone();
        now.visible_from = 0;
        self.moments = vec![now];
    }

    pub(super) fn quotas(&self, character: &Character) -> Vec<Quota> {
        let families: &[Option<bool>] = if character.quota_per_family { &[Some(false), Some(true)] } else { &[None] };
        let quota = |ipv6: &Option<bool>| Quota {
            name: "routes per table".to_owned(),
            ipv6: *ipv6,
            limit: self.quota,
            used: self.used(*ipv6),
        };
        families.iter().map(quota).collect()
    }

    fn used(&self, ipv6: Option<bool>) -> u32 {
        let counts = |route: &&Arc<ObservedRoute>| {
            let family = route.destination.as_net().map(|net| matches!(net, IpNet::V6(_)));
            route.origin != Origin::Propagated && (ipv6.is_none() || family.unwrap_or(false) == ipv6.unwrap_or(false))
        };
        u32::try_from(self.now().routes.iter().filter(counts).count()).unwrap_or(u32::MAX)
    }

    /// The entry that a new one would have to be, where destinations are unique. What a gateway has propagated stands
    /// aside for a route that somebody makes (Amazon VPC User Guide, route priority).
    fn holder(&self, destination: &Destination) -> Option<Arc<ObservedRoute>> {
        let taken =
            |route: &&Arc<ObservedRoute>| route.destination == *destination && route.origin != Origin::Propagated;
        self.now().routes.iter().find(taken).cloned()
    }

    /// The entry that `listed` was, by what identifies it where destinations are not unique, moved or not.
    fn entry_of(&self, listed: &ObservedRoute) -> Option<Arc<ObservedRoute>> {
        let is_it = |route: &&Arc<ObservedRoute>| match &listed.name {
            Some(name) => route.name.as_ref() == Some(name),
            None => route.is_same_entry(listed),
        };
        self.now().routes.iter().find(is_it).cloned()
    }

    pub(super) fn create(&mut self, route: &Route, character: &Character, machines: &Machines) -> Result<()> {
        let entry = entry_for(route, character, machines)?;
        let routes = &self.now().routes;
        if routes.iter().any(|existing| is_what_we_would_write(existing, route, character)) {
            return Ok(());
        }
        if !character.capabilities.duplicates
            && let Some(holder) = self.holder(&entry.destination)
        {
            return Err(taken(&holder));
        }
        self.insert(entry, character)
    }

    pub(super) fn replace(
        &mut self,
        from: &ObservedRoute,
        to: &Route,
        character: &Character,
        machines: &Machines,
    ) -> Result<Option<SecondStep>> {
        if from.destination != Destination::Net(to.destination.net()) {
            let message =
                format!("a route to `{}` cannot take the place of one to `{}`", to.destination, from.destination);
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        let entry = entry_for(to, character, machines)?;
        if character.capabilities.duplicates {
            return self.replace_beside(from, to, entry, character);
        }
        let Some(holder) = self.holder(&from.destination) else { return Err(absent(&from.destination)) };
        if is_what_we_would_write(&holder, to, character) {
            return Ok(None);
        }
        writable(&holder)?;
        if character.capabilities.conditional_writes && !holder.is_same_entry(from) {
            return Err(changed(&holder));
        }
        if !character.capabilities.atomic_replace {
            self.remove(&holder, character);
            return Ok(Some(SecondStep::Insert(Box::new(entry))));
        }
        self.mutate(character.lag, |moment| {
            for slot in moment.routes.iter_mut().filter(|slot| Arc::ptr_eq(slot, &holder)) {
                *slot = Arc::new(entry.clone());
            }
        });
        Ok(None)
    }

    fn replace_beside(
        &mut self,
        from: &ObservedRoute,
        to: &Route,
        entry: ObservedRoute,
        character: &Character,
    ) -> Result<Option<SecondStep>> {
        let old = self.entry_of(from);
        if let Some(old) = &old {
            writable(old)?;
            if character.capabilities.conditional_writes && !old.is_same_entry(from) {
                return Err(changed(old));
            }
        }
        let is_old = |route: &Arc<ObservedRoute>| old.as_ref().is_some_and(|old| Arc::ptr_eq(old, route));
        let mut others = self.now().routes.iter().filter(|route| !is_old(route));
        let there = others.any(|route| is_what_we_would_write(route, to, character));
        match &old {
            Some(old) if !there && is_what_we_would_write(old, to, character) => return Ok(None),
            None if there => return Ok(None),
            None => match self.holder(&from.destination) {
                None => return Err(absent(&from.destination)),
                Some(other) if character.capabilities.conditional_writes => return Err(changed(&other)),
                Some(_) => {}
            },
            Some(_) => {}
        }
        if !there {
            self.insert(entry, character)?;
        }
        Ok(old.map(SecondStep::Remove))
    }

    pub(super) fn finish(&mut self, step: SecondStep, character: &Character) -> Result<()> {
        match step {
            SecondStep::Insert(entry) => self.insert(*entry, character),
            SecondStep::Remove(entry) => {
                self.remove(&entry, character);
                Ok(())
            }
        }
    }

    pub(super) fn delete(
        &mut self,
        listed: &ObservedRoute,
        standing: Option<&ObservedRoute>,
        character: &Character,
    ) -> Result<()> {
        if standing.is_some_and(|standing| !self.now().routes.iter().any(|route| route.is_same_entry(standing))) {
            let message = format!("the route to `{}` that was to stay is not there any more", listed.destination);
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        let found = if character.capabilities.duplicates || listed.origin == Origin::Propagated {
            self.entry_of(listed)
        } else {
            self.holder(&listed.destination)
        };
        let Some(found) = found else { return Ok(()) };
        writable(&found)?;
        if character.capabilities.conditional_writes && !found.is_same_entry(listed) {
            return Err(changed(&found));
        }
        self.remove(&found, character);
        Ok(())
    }

    pub(super) fn fix_claim(&mut self, fix: &Fix, character: &Character) -> Result<()> {
        match fix {
            Fix::SetClaim { claim, .. } => {
                if !self.now().claims.contains(claim) {
                    self.mutate(character.lag, |moment| {
                        moment.claims.retain(|other| other.cluster != claim.cluster);
                        moment.claims.push(claim.clone());
                    });
                }
                Ok(())
            }
            Fix::DropClaim { claim, .. } => match self.now().claims.iter().find(|it| it.cluster == claim.cluster) {
                None => Ok(()),
                Some(standing) if standing.value() != claim.value() => {
                    let message = format!("the claim of `{}` has changed to `{}`", claim.cluster, standing.value());
                    Err(Error::new(ErrorKind::Conflict, message))
                }
                Some(_) => {
                    self.mutate(character.lag, |moment| moment.claims.retain(|it| it.cluster != claim.cluster));
                    Ok(())
                }
            },
            Fix::SourceDestCheckOff { .. } => Err(Error::new(ErrorKind::Invalid, "that is no fix of a table")),
        }
    }

    fn insert(&mut self, mut entry: ObservedRoute, character: &Character) -> Result<()> {
        let ipv6 = entry.destination.as_net().map(|net| matches!(net, IpNet::V6(_)));
        let used = self.used(ipv6.filter(|_| character.quota_per_family));
        if used >= self.quota {
            let message = format!("the table is full: it holds {used} routes of {} allowed", self.quota);
            return Err(Error::new(ErrorKind::QuotaExceeded, message).with("code", "RouteLimitExceeded"));
        }
        if character.names {
            entry.name = Some(self.free_name(&entry.destination));
        }
        self.mutate(character.lag, |moment| moment.routes.push(Arc::new(entry)));
        Ok(())
    }

    fn remove(&mut self, entry: &Arc<ObservedRoute>, character: &Character) {
        // Between two steps somebody else may have been faster.
        if self.now().routes.iter().any(|route| Arc::ptr_eq(route, entry)) {
            self.mutate(character.lag, |moment| moment.routes.retain(|route| !Arc::ptr_eq(route, entry)));
        }
    }

    /// A name that no route has: a name is not an identity, since the old route keeps its own until it is deleted.
    fn free_name(&mut self, destination: &Destination) -> String {
        let stem: String =
            destination.to_string().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let stem = format!("kroutes-{stem}");
        let taken = |name: &str| self.now().routes.iter().any(|route| route.name.as_deref() == Some(name));
        let mut name = stem.clone();
        let mut number = self.names;
        while taken(&name) {
            number += 1;
            name = format!("{stem}-{number:06x}");
        }
        self.names = number;
        name
    }
}

/// What the table would hold for `route`.
fn entry_for(route: &Route, character: &Character, machines: &Machines) -> Result<ObservedRoute> {
    if route.destination.is_ipv6() && !character.capabilities.ipv6 {
        let message = format!("`{}` is IPv6, which this provider does not route", route.destination);
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    let (next_hops, target) = match (&route.next_hop, character.hops) {
        (NextHop::Instance(id), HopStyle::Machine) => {
            let machine = live(machines.get(id), &route.next_hop)?;
            if machine.interfaces.len() > 1 {
                let message = format!("there are multiple interfaces attached to instance `{id}`");
                return Err(Error::new(ErrorKind::Invalid, message).help("name the interface instead"));
            }
            (machine.shown(None), Target::Machine { id: id.clone(), life: Life::Live })
        }
        (NextHop::Interface(id), HopStyle::Machine) => {
            let owner = machines.values().find(|machine| machine.interfaces.contains(id));
            let machine = live(owner, &route.next_hop)?;
            (machine.shown(Some(id)), Target::Machine { id: machine.id.clone(), life: Life::Live })
        }
        (hop @ NextHop::Address(_), HopStyle::Address) => (vec![hop.clone()], Target::Address),
        (hop, _) => {
            let message = format!("a route cannot lead to {} `{hop}` here", hop.kind());
            return Err(Error::new(ErrorKind::Invalid, message));
        }
    };
    Ok(ObservedRoute {
        destination: Destination::Net(route.destination.net()),
        next_hops,
        target,
        state: RouteState::Active,
        origin: Origin::Static,
        marked: character.capabilities.marks,
        precedence: character.capabilities.precedence,
        deviation: None,
        name: None,
    })
}

fn live<'a>(machine: Option<&'a Machine>, hop: &NextHop) -> Result<&'a Machine> {
    machine.filter(|machine| machine.is_live()).ok_or_else(|| {
        Error::new(ErrorKind::NotFound, format!("{} `{hop}` is not there", hop.kind()))
            .with("code", "InvalidInstanceID.NotFound")
    })
}

fn writable(entry: &ObservedRoute) -> Result<()> {
    if entry.origin == Origin::Static {
        return Ok(());
    }
    let message = format!("the {} route to `{}` cannot be changed", entry.origin.as_str(), entry.destination);
    Err(Error::new(ErrorKind::Invalid, message))
}

fn shown(entry: &ObservedRoute) -> String {
    entry.next_hops.iter().map(ToString::to_string).collect::<Vec<_>>().join("`, `")
}

fn taken(entry: &ObservedRoute) -> Error {
    let message = format!("there is a route to `{}` already, by `{}`", entry.destination, shown(entry));
    Error::new(ErrorKind::Conflict, message).with("code", "RouteAlreadyExists")
}

fn changed(entry: &ObservedRoute) -> Error {
    let message =
        format!("the route to `{}` has changed since it was listed: it goes by `{}`", entry.destination, shown(entry));
    Error::new(ErrorKind::Conflict, message)
}

fn absent(destination: &Destination) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no route to `{destination}`"))
}

pub(super) fn no_table(table: &TableId) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no table `{table}`")).with("table", &table.0)
}
