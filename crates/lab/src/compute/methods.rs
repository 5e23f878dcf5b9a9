//! Which methods there are: the one table from which counting, metering, permission and action follow.
//!
//! Paths are those of the discovery document of Compute Engine v1, below `projects/{project}/`.

use super::{Answer, Visit, instances, networks, operations, permissions, routes};

/// The groups of methods of which each has a rate of its own ("Compute Engine rate quotas").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    /// Everything that changes something.
    Queries,
    /// Reads of one resource.
    Reads,
    /// Listings.
    Lists,
    /// Reads of operations.
    OperationReads,
}

impl Group {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Queries => "Queries",
            Self::Reads => "Read requests",
            Self::Lists => "List requests",
            Self::OperationReads => "Operation read requests",
        }
    }
}

/// One method.
#[derive(Debug)]
pub(super) struct Method {
    verb: &'static str,
    path: &'static str,
    /// Its name, such as `routes.insert`.
    pub(super) action: &'static str,
    /// What one needs for it; to ask about permissions that of listing ("Method: routers.testIamPermissions" and others of the
    /// kind, Compute Engine API).
    pub(super) permission: &'static str,
    pub(super) group: Group,
    pub(super) does: fn(&mut Visit<'_>) -> Answer,
}

macro_rules! methods {
    ($($verb:literal $path:literal $action:literal $permission:literal $group:ident $does:expr;)*) => {
        &[$(Method {
            verb: $verb, path: $path, action: $action, permission: $permission, group: Group::$group, does: $does,
        }),*]
    };
}

#[rustfmt::skip]
const METHODS: &[Method] = methods! {
    "GET" "" "projects.get" "compute.projects.get" Reads networks::project;
    "GET" "regions" "regions.list" "compute.regions.list" Lists networks::regions;
    "GET" "regions/{}" "regions.get" "compute.regions.get" Reads networks::region;
    "GET" "zones" "zones.list" "compute.zones.list" Lists networks::zones;
    "GET" "zones/{}" "zones.get" "compute.zones.get" Reads networks::zone;
    "GET" "global/networks" "networks.list" "compute.networks.list" Lists networks::list;
    "GET" "global/networks/{}" "networks.get" "compute.networks.get" Reads networks::get;
    "GET" "aggregated/subnetworks" "subnetworks.aggregatedList" "compute.subnetworks.list" Lists networks::aggregated_subnetworks;
    "GET" "regions/{}/subnetworks" "subnetworks.list" "compute.subnetworks.list" Lists networks::subnetworks;
    "GET" "regions/{}/subnetworks/{}" "subnetworks.get" "compute.subnetworks.get" Reads networks::subnetwork;
    "GET" "global/routes" "routes.list" "compute.routes.list" Lists routes::list;
    "POST" "global/routes" "routes.insert" "compute.routes.create" Queries routes::insert;
    "GET" "global/routes/{}" "routes.get" "compute.routes.get" Reads routes::get;
    "DELETE" "global/routes/{}" "routes.delete" "compute.routes.delete" Queries routes::delete;
    "POST" "global/routes/{}/testIamPermissions" "routes.testIamPermissions" "compute.routes.list" Reads permissions::test;
    "GET" "aggregated/instances" "instances.aggregatedList" "compute.instances.list" Lists instances::aggregated;
    "GET" "zones/{}/instances" "instances.list" "compute.instances.list" Lists instances::list;
    "GET" "zones/{}/instances/{}" "instances.get" "compute.instances.get" Reads instances::get;
    "DELETE" "zones/{}/instances/{}" "instances.delete" "compute.instances.delete" Queries instances::delete;
    "POST" "zones/{}/instances/{}/start" "instances.start" "compute.instances.start" Queries instances::start;
    "POST" "zones/{}/instances/{}/stop" "instances.stop" "compute.instances.stop" Queries instances::stop;
    "POST" "zones/{}/instances/{}/testIamPermissions" "instances.testIamPermissions" "compute.instances.list" Reads permissions::test;
    "GET" "aggregated/operations" "globalOperations.aggregatedList" "compute.globalOperations.list" OperationReads operations::aggregated;
    "GET" "global/operations" "globalOperations.list" "compute.globalOperations.list" OperationReads operations::list;
    "GET" "global/operations/{}" "globalOperations.get" "compute.globalOperations.get" OperationReads operations::get;
    "POST" "global/operations/{}/wait" "globalOperations.wait" "compute.globalOperations.get" OperationReads operations::get;
    "GET" "zones/{}/operations" "zoneOperations.list" "compute.zoneOperations.list" OperationReads operations::list;
    "GET" "zones/{}/operations/{}" "zoneOperations.get" "compute.zoneOperations.get" OperationReads operations::get;
    "POST" "zones/{}/operations/{}/wait" "zoneOperations.wait" "compute.zoneOperations.get" OperationReads operations::get;
};

/// Whether there is such a method.
pub(crate) fn knows(action: &str) -> bool {
    METHODS.iter().any(|method| method.action == action)
}

/// The method of a verb and the segments below the project, and what stands for its braces.
pub(super) fn find(verb: &str, below: &[String]) -> Option<(&'static Method, Vec<String>)> {
    METHODS.iter().filter(|method| method.verb == verb).find_map(|method| {
        let wanted: Vec<&str> = method.path.split('/').filter(|segment| !segment.is_empty()).collect();
        if wanted.len() != below.len() {
            return None;
        }
        let mut ids = Vec::new();
        for (wanted, given) in wanted.into_iter().zip(below) {
            if wanted == "{}" {
                ids.push(given.clone());
            } else if wanted != given {
                return None;
            }
        }
        Some((method, ids))
    })
}
