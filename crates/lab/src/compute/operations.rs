//! Operations: begun, shown, waited for.
//!
//! That a write was accepted says nothing of whether it will work: the answer is 200 with an operation, and the error
//! comes in the operation later ("Handling API responses", Compute Engine documentation).

use std::time::Duration;

use serde_json::{Value, json};

use super::instances::zones;
use super::lists::Listing;
use super::{Answer, Request, Visit, links, routes};
use crate::identity::client_email;
use crate::model::Refusal;
use crate::model::compute::{Asked, Compute, Effect, Failure, Operation, Phase};
use crate::world::World;

/// How long `wait` waits at most (Compute Engine API, globalOperations.wait: "near the 2 minute deadline").
const LONGEST_WAIT: Duration = Duration::from_mins(2);

/// Begins what is asked for, and answers with the operation. One that was asked for before is not begun again.
pub(super) fn begin(visit: &mut Visit<'_>, ask: impl FnOnce(&mut Compute, Asked) -> Result<String, Refusal>) -> Answer {
    let Visit { request, world, options, fault } = visit;
    let now = world.now();
    let asked = Asked {
        request_id: request.param("requestId").map(str::to_owned),
        user: client_email(&options.project),
        now: world.wall(now),
    };
    let before = world.cloud.compute.operations.len();
    let name = ask(&mut world.cloud.compute, asked)?;
    if world.cloud.compute.operations.len() > before {
        world.schedule.add(&name, now, *fault);
    }
    let compute = &world.cloud.compute;
    let begun = compute.operations.get(&name).map(|operation| show(&compute.project, &name, operation));
    begun.ok_or_else(|| unknown(request))
}

fn unknown(request: &Request) -> Refusal {
    let path = request.path.trim_end_matches("/wait");
    Refusal::with_status(404, "notFound", format!("The resource '{path}' was not found"))
}

/// The zone in a request's path, if it is a zonal one, and what comes after it.
fn place(request: &Request) -> (Option<&str>, &str) {
    if request.path.contains("/zones/") { (Some(request.id(0)), request.id(1)) } else { (None, request.id(0)) }
}

pub(super) fn get(visit: &mut Visit<'_>) -> Answer {
    let (zone, name) = place(visit.request);
    let World { cloud, schedule, .. } = &*visit.world;
    let found = cloud.compute.operations.get(name).filter(|it| it.zone.as_deref() == zone && !schedule.is_lost(name));
    found.map(|it| show(&cloud.compute.project, name, it)).ok_or_else(|| unknown(visit.request))
}

pub(super) fn list(visit: &mut Visit<'_>) -> Answer {
    let listing = Listing::read(visit.request, visit.options)?;
    let (zone, _) = place(visit.request);
    let World { cloud, schedule, .. } = visit.world;
    let project = cloud.compute.project.as_str();
    let operations = cloud.compute.operations.iter();
    let shown = operations.filter(|(name, it)| it.zone.as_deref() == zone && !schedule.is_lost(name));
    let page = listing.page(shown, |it| it.inserted, |name, it| show(project, name, it));
    Ok(page.answer(visit.request, "compute#operationList"))
}

pub(super) fn aggregated(visit: &mut Visit<'_>) -> Answer {
    let listing = Listing::read(visit.request, visit.options)?;
    let mut scopes: Vec<String> = zones(&visit.world.cloud).into_iter().map(|zone| format!("zones/{zone}")).collect();
    scopes.push("global".to_owned());
    let World { cloud, schedule, .. } = &*visit.world;
    let project = cloud.compute.project.as_str();
    let shown = cloud.compute.operations.iter().filter(|(name, _)| !schedule.is_lost(name));
    let mut page = listing.page(shown, |it| it.inserted, |name, it| show(project, name, it));
    for (key, value) in &mut page.items {
        if let Some(zone) = value.get("zone").and_then(Value::as_str).and_then(|link| link.rsplit('/').next()) {
            *key = format!("{zone}/{key}");
        }
    }
    Ok(page.aggregate(visit.request, "compute#operationAggregatedList", "operations", scopes))
}

/// How long the answer of a `wait` is held back: until the operation ends.
pub(super) fn hold(request: &Request, world: &World) -> Option<Duration> {
    let (_, name) = place(request);
    if !request.method?.action.ends_with("Operations.wait") || world.schedule.is_lost(name) {
        return None;
    }
    world.schedule.time_left(name, world.now(), LONGEST_WAIT)
}

/// What an operation changes when it ends: the action and a line for people.
pub(crate) fn change_text(compute: &Compute, name: &str) -> Option<(String, String)> {
    let operation = compute.operations.get(name)?;
    let target = operation.target.rsplit('/').next().unwrap_or_default();
    let tell = |route: &crate::model::compute::Route| {
        format!("{target} {} -> {}", route.destination, routes::tell(&route.hop))
    };
    Some(match &operation.effect {
        Effect::Insert(route) => ("routes.insert".to_owned(), tell(route)),
        Effect::Delete => {
            let what = compute.routes.get(target).map_or_else(|| target.to_owned(), tell);
            ("routes.delete".to_owned(), what)
        }
        Effect::Machine(_) => (format!("instances.{}", operation.kind), target.to_owned()),
    })
}

fn show(project: &str, name: &str, operation: &Operation) -> Value {
    let done = operation.phase == Phase::Done;
    let status = match operation.phase {
        Phase::Pending => "PENDING",
        Phase::Running => "RUNNING",
        Phase::Done => "DONE",
    };
    let link = operation.zone.as_ref().map_or_else(
        || links::global(project, "operations", name),
        |zone| links::placed(project, "zones", "operations", &format!("{zone}/{name}")),
    );
    let mut shown = json!({
        "kind": "compute#operation",
        "id": operation.id.to_string(),
        "name": name,
        "operationType": operation.kind,
        "targetLink": links::link(&operation.target),
        "targetId": operation.target_id.to_string(),
        "status": status,
        "progress": if done { 100 } else { 0 },
        "user": operation.user,
        "insertTime": links::time(operation.inserted),
        "selfLink": link,
    });
    if let Some(zone) = &operation.zone {
        shown["zone"] = links::link(&format!("projects/{project}/zones/{zone}")).into();
    }
    if let Some(id) = &operation.client_operation_id {
        shown["clientOperationId"] = id.as_str().into();
    }
    for (field, time) in [("startTime", operation.started), ("endTime", operation.ended)] {
        if let Some(time) = time {
            shown[field] = links::time(time).into();
        }
    }
    if let Some(failure) = &operation.failure {
        shown["error"] = json!({"errors": [show_failure(failure)]});
        shown["httpErrorStatusCode"] = failure.status.into();
        let reason = hyper::StatusCode::from_u16(failure.status).ok().and_then(|status| status.canonical_reason());
        shown["httpErrorMessage"] = reason.unwrap_or("ERROR").to_uppercase().into();
    }
    shown
}

fn show_failure(failure: &Failure) -> Value {
    let mut shown = json!({"code": failure.code, "message": failure.message});
    if let Some((metric, limit)) = &failure.quota {
        let quota = json!({"metricName": metric, "limitName": "STATIC-ROUTES-PER-NETWORK-per-project", "limit": limit});
        shown["errorDetails"] = json!([{"quotaInfo": quota}]);
    }
    shown
}
