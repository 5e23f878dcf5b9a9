//! What has been learned of instances, so that reading a table again costs one call.
//!
//! After an apply each table is read back, several times if EC2 is slow to show what was written. What stands behind its
//! routes rarely changes between two such readings, so instances are looked up once. What was learned errs only to the
//! careful side when it ages: an instance that has ended since is still taken for alive, and its route is left alone. A
//! new observation starts afresh.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_ec2::types::RouteTable;
use kroutes_core::{Claim, Life, TableId, WorkerName};

use crate::life::{Circumstances, Sighting, life};
use crate::routes::{Lives, claims};

/// What is known of instances, interfaces and claims.
#[derive(Debug, Default)]
pub(crate) struct Known {
    workers: HashMap<String, WorkerName>,
    interfaces: HashMap<String, String>,
    sightings: HashMap<String, Sighting>,
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

    /// Of these instances, those that still have to be looked up. A lookup that failed is made again.
    pub(crate) fn unseen<'a>(&self, ids: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
        ids.into_iter()
            .filter(|id| !self.workers.contains_key(*id))
            .filter(|id| matches!(self.sightings.get(*id), None | Some(Sighting::Failed(_))))
            .map(ToOwned::to_owned)
            .collect()
    }
}

impl Lives for Known {
    fn by_interface(&self, interface: &str) -> Option<&str> {
        self.interfaces.get(interface).map(String::as_str)
    }

    fn life(&self, id: &str, around: Circumstances<'_>) -> Life {
        if self.workers.contains_key(id) {
            return Life::Live;
        }
        match self.sightings.get(id) {
            Some(sighting) => life(id, sighting, around),
            None => Life::Unknown(format!("`{id}` was not looked up")),
        }
    }
}
