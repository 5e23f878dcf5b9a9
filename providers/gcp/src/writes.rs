//! Single writes: names, promises, and what to make of an answer that is none.
//!
//! A route on Google Cloud cannot be changed, only made and deleted, and its name is unique in the whole project. So to
//! replace is to make the new one under a name that is free, wait until it is there, and only then delete the old one; and a
//! name says nothing of what the route is. "Already exists" is therefore never taken for success: the route that has the name
//! is read and compared.
//!
//! Deletion is by name, and a name can be given away: before a route is deleted it is read once more, and only the very entry
//! that was to go is deleted. Between that reading and the deletion a moment remains in which somebody else could make
//! another route of that name; Compute has no conditional deletion that would close it.
//!
//! Every request bears an id that its retries share, so that the second attempt of a request whose answer was lost does
//! nothing. An operation that failed is another matter: it is asked for anew, under a new id.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kroutes_core::{Error, ErrorKind, NextHop, ObservedRoute, PodCidr, Repeat, Result, Route, TableId};
use tokio::time::sleep;
use uuid::Uuid;

use crate::action::Action;
use crate::backend::GcpBackend;
use crate::links;
use crate::wire::NewRoute;

/// How often a route is looked for whose name is taken although nobody can be seen to have it.
const LOOKS: u32 = 6;
/// The pause after the first look; it doubles from look to look.
const PAUSE: Duration = Duration::from_millis(250);
/// How many names are tried for one route.
const NAMES: u32 = 4;

/// The id of a request, renewed when what it promised has failed.
struct RequestId(Mutex<Uuid>);

impl RequestId {
    fn new() -> Self {
        Self(Mutex::new(Uuid::new_v4()))
    }

    fn get(&self) -> Uuid {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn renew(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Uuid::new_v4();
    }
}

/// Says where an error happened.
fn at(error: Error, table: &TableId, destination: &impl ToString) -> Error {
    error.with("table", table.0.clone()).with("destination", destination.to_string())
}

/// Whether the name is taken. There are conflicts that say nothing of names, such as a network that is being deleted.
fn exists(error: &Error) -> bool {
    matches!(error.get("code"), Some("alreadyExists" | "RESOURCE_ALREADY_EXISTS" | "ALREADY_EXISTS"))
}

fn gone(error: &Error) -> bool {
    error.kind() == ErrorKind::NotFound
}

impl GcpBackend {
    pub(crate) async fn create(&self, table: &TableId, route: &Route) -> Result<()> {
        self.is_ours(table)?;
        self.make(route, None).await.map_err(|error| at(error, table, &route.destination))
    }

    /// Makes the route under the first name that is free. A route that is already as wanted is enough, unless it is
    /// `but_not`, the one that is to go.
    async fn make(&self, route: &Route, but_not: Option<&str>) -> Result<()> {
        let NextHop::Address(address) = route.next_hop else {
            let message =
                format!("a route to `{}` is none that this provider writes: only addresses are", route.next_hop);
            return Err(Error::new(ErrorKind::Unsupported, message));
        };
        if address.is_ipv6() != route.destination.is_ipv6() {
            let message =
                format!("a route to `{}` cannot lead to `{address}`, which is of another family", route.destination);
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        let (mut taken, mut refusal) = (Vec::new(), None);
        for name in (0..NAMES).map(|number| self.names.nth(&route.destination, &route.next_hop, number)) {
            if but_not == Some(name.as_str()) {
                continue;
            }
            let error = match self.insert(route, &name).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if !exists(&error) && !error.is_ambiguous() {
                return Err(error);
            }
            let holder = match self.holder(&name, exists(&error)).await {
                // Whether anything was made is still open, which is more than that it cannot be read.
                Err(_) if error.is_ambiguous() => return Err(error),
                holder => holder?,
            };
            match holder {
                Some(found) if found.is_as_wanted(route) => return Ok(()),
                // Nobody is seen to have it, and an attempt of ours may: another name might make a second route.
                None if error.is_ambiguous() => return Err(error),
                Some(_) | None if exists(&error) => {
                    taken.push(name);
                    refusal = Some(error);
                }
                _ => return Err(error),
            }
        }
        let names = taken.join("`, `");
        let message = format!("the names `{names}` are all taken by other routes of the project");
        let error = Error::new(ErrorKind::Conflict, message)
            .help("delete or rename those, or give this cluster another `route-name`");
        Err(match refusal {
            Some(refusal) => error.with_source(refusal),
            None => error,
        })
    }

    /// What has a name. An operation that is still under way may hold a name that no route shows yet, such as one of a
    /// run that was killed; its end is awaited.
    async fn holder(&self, name: &str, expected: bool) -> Result<Option<ObservedRoute>> {
        let mut pause = PAUSE;
        for look in 1..=LOOKS {
            if let Some(found) = self.compute.route_after_write(name).await? {
                return Ok(Some(self.observed(&found)));
            }
            if !expected || look == LOOKS {
                break;
            }
            let target = links::route_path(&self.settings.project, name);
            if let Some(operation) = self.operations.under_way(&target).await {
                // However it ends: what it leaves is read.
                match self.operations.follow(Action::InsertRoute.name(), operation).await {
                    Err(error) if error.is_ambiguous() => return Err(error),
                    _ => {}
                }
            } else {
                sleep(pause).await;
                pause *= 2;
            }
        }
        Ok(None)
    }

    async fn insert(&self, route: &Route, name: &str) -> Result<()> {
        let new = NewRoute {
            name: name.to_owned(),
            network: self.network_path(),
            dest_range: route.destination.to_string(),
            next_hop_ip: route.next_hop.id(),
            priority: self.settings.priority,
            description: self.mark.clone(),
        };
        let request = RequestId::new();
        let action = Action::InsertRoute.name();
        let promise = |_| self.compute.insert(&new, request.get());
        let answer = self.compute.gate().call_and_follow(action, Repeat::Always, promise, |operation| async {
            self.operations.follow(action, operation).await.inspect_err(|_| request.renew())
        });
        answer.await.map_err(|error| error.with("route", name))
    }

    pub(crate) async fn replace(&self, table: &TableId, from: &ObservedRoute, to: &Route) -> Result<()> {
        self.is_ours(table)?;
        self.exchange(from, to).await.map_err(|error| at(error, table, &to.destination))
    }

    async fn exchange(&self, from: &ObservedRoute, to: &Route) -> Result<()> {
        if from.destination.as_net() != Some(to.destination.net()) {
            let message =
                format!("a route to `{}` cannot take the place of one to `{}`", to.destination, from.destination);
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        let old = self.entry(from).await?;
        match &old {
            Some(old) if old.is_as_wanted(to) => return Ok(()),
            // Before anything is made: beside somebody else's route ours would only share its traffic.
            Some(old) if !old.is_same_entry(from) => return Err(changed(&from.name.clone().unwrap_or_default(), old)),
            Some(_) => {}
            None if self.is_made(to).await? => return Ok(()),
            None => match self.beside(from, &to.destination).await? {
                here if here.iter().any(|route| route.is_as_wanted(to)) => return Ok(()),
                here if here.is_empty() => {
                    return Err(Error::new(ErrorKind::NotFound, format!("there is no route to `{}`", to.destination)));
                }
                _ => {}
            },
        }
        self.make(to, from.name.as_deref()).await?;
        if old.is_none() {
            return Ok(());
        }
        self.remove(from).await.map_err(half_done)
    }

    pub(crate) async fn delete(
        &self,
        table: &TableId,
        route: &ObservedRoute,
        standing: Option<&ObservedRoute>,
    ) -> Result<()> {
        self.is_ours(table)?;
        if let Some(standing) = standing {
            self.still_stands(standing).await.map_err(|error| at(error, table, &route.destination))?;
        }
        self.remove(route).await.map_err(|error| at(error, table, &route.destination))
    }

    /// Deletes the very entry that was listed.
    async fn remove(&self, route: &ObservedRoute) -> Result<()> {
        let Some(name) = &route.name else {
            let message = format!("the route to `{}` has no name to delete it by", route.destination);
            return Err(Error::new(ErrorKind::Invalid, message));
        };
        match self.entry(route).await? {
            None => return Ok(()),
            Some(found) if found.is_same_entry(route) => {}
            Some(found) => return Err(changed(name, &found)),
        }
        let request = RequestId::new();
        let action = Action::DeleteRoute.name();
        let promise = |_| self.compute.delete(name, request.get());
        let answer = self.compute.gate().call_and_follow(action, Repeat::Always, promise, |operation| async {
            self.operations.follow(action, operation).await.inspect_err(|_| request.renew())
        });
        let Err(error) = answer.await else { return Ok(()) };
        if gone(&error)
            || (error.is_ambiguous() && self.compute.route_after_write(name).await.is_ok_and(|left| left.is_none()))
        {
            return Ok(());
        }
        Err(error.with("route", name))
    }

    /// A listing may show what has been deleted since; by its name a route is shown as it is.
    async fn still_stands(&self, route: &ObservedRoute) -> Result<()> {
        if self.entry(route).await?.is_some_and(|found| found.is_same_entry(route)) {
            return Ok(());
        }
        let name = route.name.as_deref().unwrap_or_default();
        let message = format!("route `{name}`, which was to stay, is not there any more, so the one beside it is kept");
        Err(Error::new(ErrorKind::Conflict, message)
            .with("route", name)
            .help("run kroutes again to see what is there now"))
    }

    /// What has the name of a listed route at this moment.
    async fn entry(&self, route: &ObservedRoute) -> Result<Option<ObservedRoute>> {
        let Some(name) = &route.name else { return Ok(None) };
        let found = self.compute.route(name).await?;
        // The name may have gone to another network's route; then ours is no more.
        let own = self.network_path();
        Ok(found.filter(|found| links::path(&found.network) == own).map(|found| self.observed(&found)))
    }

    /// Whether a route stands under one of its first two names: a listing may lag behind the run that made it.
    async fn is_made(&self, route: &Route) -> Result<bool> {
        for name in (0..2).map(|number| self.names.nth(&route.destination, &route.next_hop, number)) {
            let found = self.compute.route(&name).await?;
            if found.is_some_and(|found| self.observed(&found).is_as_wanted(route)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// All routes of one destination but the one that is known to be gone: a listing may lag behind its deletion.
    async fn beside(&self, gone: &ObservedRoute, destination: &PodCidr) -> Result<Vec<ObservedRoute>> {
        let mut routes = self.listed().await?;
        routes.retain(|route| route.destination.as_net() == Some(destination.net()) && route.name != gone.name);
        Ok(routes)
    }

    pub(crate) fn is_ours(&self, table: &TableId) -> Result<()> {
        if *table == self.table_id() {
            return Ok(());
        }
        let message = format!("there is no network `{table}` in this topology");
        Err(Error::new(ErrorKind::NotFound, message).with("table", table.0.clone()))
    }
}

/// What a replacement is told whose first half is done. Not even an interruption makes it one that was not begun.
fn half_done(error: Error) -> Error {
    let message = format!("the new route is there, and the old one could not be removed: {error}");
    let kind = match error.kind() {
        ErrorKind::Interrupted => ErrorKind::Unavailable,
        kind => kind,
    };
    let known = Error::new(kind, message).with_retryable(error.is_retryable()).with_ambiguous(error.is_ambiguous());
    let known = error.context().iter().fold(known, |known, (name, value)| known.with(name, value.clone()));
    known.with_source(error).help("run kroutes again: it removes what is left over")
}

fn changed(name: &str, found: &ObservedRoute) -> Error {
    let hops: Vec<_> = found.next_hops.iter().map(ToString::to_string).collect();
    let message = format!(
        "route `{name}` has changed since it was listed: it now leads `{}` to `{}`",
        found.destination,
        hops.join("`, `")
    );
    Error::new(ErrorKind::Conflict, message).with("route", name).help("run kroutes again to see what is there now")
}
