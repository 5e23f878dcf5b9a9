//! The instances behind a table's routes that are no workers.
//!
//! Whose such a route is depends on whether its instance still exists, so those in the cluster's range are looked up, all
//! together. Nothing outside the range is, since nothing there can ever be ours.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_ec2::types::{InstanceStateName, RouteState, RouteTable};
use futures_util::future::try_join_all;
use kroutes_core::{Cluster, Error, ErrorKind, Result};

use crate::ec2::{Ec2, VALUES_PER_FILTER, filter};
use crate::life::Sighting;
use crate::routes::{destination, instance_of};

/// An instance behind a route, and whether the route is a black hole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Behind<'a> {
    pub(crate) id: &'a str,
    pub(crate) blackhole: bool,
}

/// The instances behind the routes of a table that lie in the cluster's range.
pub(crate) fn in_range<'a>(cluster: &'a Cluster, table: &'a RouteTable) -> impl Iterator<Item = Behind<'a>> {
    table.routes().iter().filter_map(|route| {
        let inside = destination(route).as_net().is_some_and(|net| cluster.contains(&net));
        let id = if inside { instance_of(route, |_| None) } else { None };
        Some(Behind { id: id?, blackhole: route.state() == Some(&RouteState::Blackhole) })
    })
}

/// What looking instances up came to.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    pub(crate) seen: Vec<(String, Sighting)>,
    /// Why some could not be looked up.
    pub(crate) failed: Vec<Error>,
}

/// Looks instances up. A lookup that fails proves nothing, and is noted as such.
pub(crate) async fn look_up(ec2: &Ec2, ids: BTreeSet<String>) -> Result<Sightings> {
    let ids: Vec<String> = ids.into_iter().collect();
    let batches = ids.chunks(VALUES_PER_FILTER).map(|batch| async move {
        let found = match ec2.instances(vec![filter("instance-id", batch)]).await {
            Ok(found) => found,
            Err(error) if matches!(error.kind(), ErrorKind::Unauthenticated | ErrorKind::Interrupted) => {
                return Err(error);
            }
            Err(error) => {
                let why = Sighting::Failed(error.to_string());
                let seen = batch.iter().map(|id| (id.clone(), why.clone())).collect();
                return Ok(Sightings { seen, failed: vec![error] });
            }
        };
        let states: HashMap<&str, &str> = found
            .iter()
            .filter_map(|instance| {
                let state =
                    instance.state().and_then(|state| state.name()).map_or("unknown", InstanceStateName::as_str);
                Some((instance.instance_id()?, state))
            })
            .collect();
        let sighting = |id: &String| match states.get(id.as_str()) {
            Some(state) => Sighting::Shown((*state).to_owned()),
            None => Sighting::Absent,
        };
        Ok(Sightings { seen: batch.iter().map(|id| (id.clone(), sighting(id))).collect(), failed: Vec::new() })
    });
    let mut all = Sightings::default();
    for Sightings { seen, failed } in try_join_all(batches).await? {
        all.seen.extend(seen);
        all.failed.extend(failed);
    }
    Ok(all)
}
