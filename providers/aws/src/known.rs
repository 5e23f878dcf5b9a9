//! What has been learned of instances, so that reading a table again costs one call.
//!
//! After an apply each table is read back, several times if EC2 is slow to show what was written. What stands behind its
//! routes rarely changes between two such readings, so instances are looked up once, and once more when a route has become
//! a black hole since: then something has happened to its instance. A new observation starts afresh.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use aws_sdk_ec2::types::RouteTable;
use kroutes_core::{Claim, Life, NextHop, TableId, WorkerName};

use crate::life::{Circumstances, Sighting, life};
use crate::machine::Machine;
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
    forwarders: Vec<Forwarder>,
    controllers: BTreeMap<TableId, Vec<String>>,
}

/// What is to be known of a worker's machine to ask whether its source/dest check could be switched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Forwarder {
    pub(crate) instance: String,
    /// The primary one, or the only one.
    pub(crate) interface: Option<String>,
    pub(crate) has_several: bool,
    pub(crate) source_dest_check: Option<bool>,
}

/// Whether a tag's key is one by which Kubernetes' own controllers know the resources of a cluster
/// (kubernetes/cloud-provider-aws, `pkg/providers/v1/tags.go`); the second is the older form.
fn is_of_a_controller(key: &str) -> bool {
    key.strip_prefix("kubernetes.io/cluster/").is_some_and(|name| !name.is_empty()) || key == "KubernetesCluster"
}

impl Known {
    /// Notes a worker's instance and its interfaces.
    pub(crate) fn worker(&mut self, name: &WorkerName, machine: &Machine) {
        self.workers.insert(machine.id.clone(), name.clone());
        self.interfaces.extend(machine.interfaces.iter().map(|interface| (interface.clone(), machine.id.clone())));
        let primary = match &machine.next_hop {
            NextHop::Interface(id) => Some(id),
            _ => machine.interfaces.first(),
        };
        self.forwarders.push(Forwarder {
            instance: machine.id.clone(),
            interface: primary.cloned(),
            has_several: machine.interfaces.len() > 1,
            source_dest_check: machine.source_dest_check,
        });
    }

    /// The workers' machines, in the order of the workers.
    pub(crate) fn forwarders(&self) -> &[Forwarder] {
        &self.forwarders
    }

    /// The keys of a table's tags that are of Kubernetes' own controllers.
    pub(crate) fn controllers(&self, table: &TableId) -> &[String] {
        self.controllers.get(table).map_or(&[], Vec::as_slice)
    }

    /// The text of a cluster's claim on a table.
    pub(crate) fn claim_of(&self, table: &TableId, cluster: &str) -> Option<String> {
        self.claims.get(&(table.clone(), cluster.to_owned())).cloned()
    }

    /// Notes what a lookup showed.
    pub(crate) fn saw(&mut self, sightings: impl IntoIterator<Item = (String, Sighting)>) {
        self.sightings.extend(sightings);
    }

    /// Notes tags of a table: those of controllers, and the texts of its claims. A tag is removed by key *and* value, and must be named as it stands.
    pub(crate) fn read(&mut self, table: &RouteTable) {
        let id = TableId(table.route_table_id().unwrap_or_default().to_owned());
        self.claims.retain(|(known, _), _| *known != id);
        for (cluster, value) in claims(table) {
            self.claims.insert((id.clone(), cluster.to_owned()), value.to_owned());
        }
        let keys = table.tags().iter().filter_map(|tag| tag.key());
        self.controllers.insert(id, keys.filter(|key| is_of_a_controller(key)).map(ToOwned::to_owned).collect());
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
