//! All that a plan needs to know, in as few calls as Compute allows: the network, its routes a page, the project's instances a
//! page, all asked for at once.
//!
//! The network is asked for although its routes would come without: a network that does not exist has none either, and an
//! empty answer must not be taken for an empty network. The instances are asked for although addresses may be given: whether
//! anybody has such an address, and may forward, decides whether packets arrive.
//!
//! A listing shows what is, and not what a run that was killed has asked for: its operations go on without it. Where a route is
//! missing, or is another than the wanted one, that may be why, so then, and only then, the operations of the project are asked
//! for too, and those that are making routes of this cluster are awaited before the routes are listed again. Otherwise a plan
//! would make a second route beside each of them, take the network for empty a moment before it is not, or leave a route behind.

use std::collections::{HashMap, HashSet};

use futures_util::future::try_join_all;
use kroutes_core::{Error, ErrorKind, NextHop, Observation, PodCidr, Reading, Result, Table, Worker};
use tokio::{join, select};

use crate::action::Action;
use crate::backend::GcpBackend;
use crate::instances::{self, Machines};
use crate::wire::{Operation, Route};
use crate::{findings, links, routes, writers};

/// Whether a failure makes the whole reading worthless: nothing else will work either.
fn spoils_all(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Unauthenticated | ErrorKind::Unavailable | ErrorKind::RateLimited | ErrorKind::Interrupted
    )
}

impl GcpBackend {
    pub(crate) async fn observation(&self, workers: &[Worker]) -> Result<Observation> {
        self.compute.authenticate().await?;
        let path = self.network_path();
        let (network, listed, machines) =
            join!(self.compute.network(&self.settings.network), self.compute.routes(&path), self.compute.instances());
        let failed = [network.as_ref().err(), listed.as_ref().err()];
        if let Some(error) = failed.into_iter().flatten().find(|error| spoils_all(error)) {
            return Err(error.clone());
        }
        let machines = match machines {
            Err(error) if matches!(error.kind(), ErrorKind::Unauthenticated | ErrorKind::Interrupted) => {
                return Err(error);
            }
            other => other.map(|listed| Machines::new(listed.found, &path, listed.complete)),
        };
        let resolution = instances::resolve(workers, machines.as_ref());
        let listed = match (network, listed) {
            (Err(error), _) | (_, Err(error)) => Err(error.with("table", self.settings.network.clone())),
            (Ok(_), Ok(listed)) => match self.settled(workers, &resolution.next_hops, listed).await {
                Err(error) if matches!(error.kind(), ErrorKind::Unauthenticated | ErrorKind::Interrupted) => {
                    return Err(error);
                }
                settled => settled.map_err(|error| error.with("table", self.settings.network.clone())),
            },
        };
        let mut observation = Observation {
            next_hops: resolution.next_hops,
            machines: resolution.machines,
            findings: resolution.findings,
            ..Observation::default()
        };
        if listed.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            // Of a network that is not there it says nothing that nobody has an address in it.
            observation.findings.clear();
        }
        let table = listed.map(|listed| {
            let table = self.table(&listed);
            observation.findings.extend(findings::subnet_overlaps(workers, &table));
            observation.findings.extend(findings::route_warnings(workers, &observation, &listed, &table));
            let wanted: Vec<_> = workers.iter().flat_map(|worker| &worker.pod_cidrs).map(PodCidr::net).collect();
            observation.findings.extend(writers::finding(&listed, &self.mark, &table.id, &wanted));
            table
        });
        observation.tables.push(Reading { wanted: self.settings.network.clone(), table });
        Ok(observation)
    }

    /// The routes once nobody is making any of the missing ones. One that is there and wrong is missing too: whoever
    /// replaces it makes the right one first.
    async fn settled(
        &self,
        workers: &[Worker],
        next_hops: &HashMap<PodCidr, Result<NextHop>>,
        listed: Vec<Route>,
    ) -> Result<Vec<Route>> {
        let known = next_hops.iter().filter_map(|(cidr, hop)| Some((cidr.net(), hop.as_ref().ok()?)));
        let known: HashMap<_, _> = known.collect();
        let ours = listed.iter().map(|route| self.observed(route)).filter(|route| route.marked);
        let here: HashSet<_> = ours
            .filter_map(|route| {
                let net = route.destination.as_net()?;
                let right = known.get(&net).is_none_or(|hop| route.leads_to(hop) && route.deviation.is_none());
                right.then_some(net)
            })
            .collect();
        let wanted = workers.iter().flat_map(|worker| &worker.pod_cidrs);
        let missing: Vec<&PodCidr> = wanted.filter(|cidr| !here.contains(&cidr.net())).collect();
        if missing.is_empty() {
            return Ok(listed);
        }
        let latest = self.operations.latest().await?;
        let coming = self.coming(&latest, &listed, &missing);
        if coming.is_empty() {
            return Ok(listed);
        }
        let stopper = self.compute.gate().stopper();
        select! {
            // Listing again says that the run was stopped.
            () = stopper.stopped() => {}
            ended = try_join_all(coming.into_iter().map(|(name, operation)| self.awaited(name, operation))) => drop(ended?),
        }
        self.compute.routes(&self.network_path()).await
    }

    /// The operations that are making routes of this cluster, or made them since the routes were listed, and the routes'
    /// names. Of each route's operations the newest comes first.
    fn coming<'a>(
        &self,
        latest: &'a [Operation],
        listed: &[Route],
        missing: &[&PodCidr],
    ) -> Vec<(&'a str, &'a Operation)> {
        let listed: HashSet<&str> = listed.iter().map(|route| route.name.as_str()).collect();
        let mut seen = HashSet::new();
        let ours = latest.iter().filter_map(|operation| {
            let name = links::route_name(&self.settings.project, links::path(&operation.target_link))?;
            let is_newest = seen.insert(name);
            let is_unlisted = is_newest && !operation.has_failed() && !listed.contains(name);
            let is_coming = operation.operation_type == "insert" && (!operation.is_done() || is_unlisted);
            (is_coming && missing.iter().any(|cidr| self.names.begin_like(name, cidr))).then_some((name, operation))
        });
        ours.collect()
    }

    /// Waits until an operation of another run has ended, however it does: what it leaves is listed.
    async fn awaited(&self, route: &str, operation: &Operation) -> Result<()> {
        match self.operations.follow(Action::InsertRoute.name(), operation.clone()).await {
            Err(error) if error.is_ambiguous() => {
                let message = format!("another run, perhaps one that was killed, is making route `{route}`: {error}");
                let known = Error::new(ErrorKind::Unavailable, message).with_retryable(false).with("route", route);
                Err(error.context().iter().fold(known, |known, (name, value)| known.with(name, value.clone())))
            }
            _ => Ok(()),
        }
    }

    /// The network again.
    pub(crate) async fn reading(&self) -> Result<Table> {
        let listed = self.compute.routes(&self.network_path()).await?;
        if listed.is_empty() {
            // A network has at least its subnets' routes, unless it is gone.
            self.compute.network(&self.settings.network).await?;
        }
        Ok(self.table(&listed))
    }

    fn table(&self, listed: &[Route]) -> Table {
        routes::table(listed, &self.settings, &self.mark)
    }
}
