//! What somebody needs to know who makes the same routes by hand: which name and which description they bear.

use kroutes_core::{ClusterName, PodCidr};

use crate::names::RouteNames;
use crate::settings::Resolved;

/// The name that a route has unless another one has it.
pub fn route_name(settings: &Resolved, cluster: &ClusterName, destination: &PodCidr) -> String {
    RouteNames::new(&settings.template, cluster, &settings.network_path()).usual(destination)
}

/// The description that makes a route the cluster's own.
pub fn mark(cluster: &ClusterName) -> String {
    crate::routes::mark(cluster)
}
