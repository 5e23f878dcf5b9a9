//! What has been learned of instances, so that reading a table again costs one call.
//!
//! After an apply each table is read back, several times if EC2 is slow to show what was written. What stands behind its
//! routes rarely changes between two such readings, so instances are looked up once, and once more when a route has become
//! a black hole since: then something has happened to its instance. A new observation starts afresh.

use std::collections::{BTreeSet, HashMap, HashSet};

use aws_sdk_ec2::types::RouteTable;
use kroutes_core::{Claim, Life, TableId, WorkerName};

use crate::life::{Circumstances, Sighting, life};
use crate::outside::Behind;
use crate::routes::{Lives, claims};

/// What is known of instances, interfaces and claims.
#[derive(Debug, Default)]
pub(crate) struct Known {
    workers: HashMap<String, WorkerName>,
    interfaces: HashMap<String, String>,
    sightings: HashMap<String, Sighting>,
    /// Instances that were looked at when a route to them was a black hole already.
    dark: HashSet<String>,
    claims: HashMap<(TableId, String), String>,
}

impl Known {
    /// Notes a worker's instance and its interfaces.
    pub(crate) fn worker(&mut self, id: &str, name: &WorkerName, interfaces: impl IntoIterator<Item = String>) {
        self.workers.insert(id.to_owned(), name.clone());
        self.interfaces.extend(interfaces.into_iter().map(|interface| (interface, id.to_owned())));
    }

    /// Notes what a lookup showed.
    pub(crate) fn saw(&mut self, sightings: impl IntoIterator<Item = (String, Sighting)>) {
        self.sightings.extend(sightings);
    }

    /// Notes the texts of a table's claims: a tag is removed by key *and* value, and must be named as it stands.
    pub(crate) fn read(&mut self, table: &RouteTable) {
        let id = TableId(table.route_table_id().unwrap_or_default().to_owned());
        self.claims.retain(|(known, _), _| *known != id);
        for (cluster, value) in claims(table) {
            self.claims.insert((id.clone(), cluster.to_owned()), value.to_owned());
        }
    }

    /// A claim's text as it stands in the tag.
    pub(crate) fn text_of(&self, table: &TableId, claim: &Claim) -> String {
        let known = self.claims.get(&(table.clone(), claim.cluster.clone()));
        known.filter(|text| Claim::parse(&claim.cluster, text) == *claim).cloned().unwrap_or_else(|| claim.value())
    }

    /// Notes that what is known of these instances is as new as these routes to them.
    pub(crate) fn is_current<'a>(&mut self, routes: impl IntoIterator<Item = Behind<'a>>) {
        self.dark.extend(routes.into_iter().filter(|route| route.blackhole).map(|route| route.id.to_owned()));
    }

    /// Of the instances behind these routes, those that still have to be looked up. A lookup that failed is made again.
    pub(crate) fn unseen<'a>(&self, routes: impl IntoIterator<Item = Behind<'a>>) -> BTreeSet<String> {
        let unseen = |Behind { id, blackhole }: &Behind<'_>| match self.sightings.get(*id) {
            Some(Sighting::Failed(_)) => true,
            None if !self.workers.contains_key(*id) => true,
            _ => *blackhole && !self.dark.contains(*id),
        };
        routes.into_iter().filter(unseen).map(|route| route.id.to_owned()).collect()
    }
}

impl Lives for Known {
    fn by_interface(&self, interface: &str) -> Option<&str> {
        self.interfaces.get(interface).map(String::as_str)
    }

    fn life(&self, id: &str, around: Circumstances<'_>) -> Life {
        match self.sightings.get(id) {
            Some(sighting) => life(id, sighting, around),
            None if self.workers.contains_key(id) => Life::Live,
            None => Life::Unknown(format!("`{id}` was not looked up")),
        }
    }
}
