//! Who may do what: IAM as far as a client can see it.
//!
//! The caller may do what the cloud [permits](crate::Cloud::permits). A refusal names the permission and the resource,
//! since that is what an administrator needs; routes need `compute.networks.updatePolicy` on their network besides their
//! own permissions, which is the one that people forget.
//!
//! Asking what one may do is a method of a resource, and it takes the permissions of that type of resource only: what is
//! decided on something else, such as a network or the whole project, cannot be asked of a route. Google refuses the whole
//! question then (reported of Resource Manager in googleapis/google-cloud-java#722; what Compute says is not written down
//! anywhere), so a client that puts too much into one question learns nothing here either.

use serde_json::{Value, json};

use super::{Answer, Request, Visit, links};
use crate::Cloud;
use crate::model::Refusal;

fn denied(permission: &str, resource: &str) -> Refusal {
    let message = format!("Required '{permission}' permission for '{resource}'");
    Refusal::with_status(403, "forbidden", message)
}

/// What the fault says that denies a call whatever the cloud allows.
pub(super) fn denied_by_fault(request: &Request) -> Refusal {
    let permission = request.method.map_or("", |method| method.permission);
    let permission = if permission.is_empty() { "resourcemanager.projects.get" } else { permission };
    denied(permission, &resource(request))
}

/// The resource that a refusal names: a listing is judged on the project, an insert on what it would make.
fn resource(request: &Request) -> String {
    let project = format!("projects/{}", request.project);
    let path = request.path.as_str();
    let action = request.method.map_or("", |method| method.action);
    match action.rsplit('.').next() {
        Some("insert") => {
            let name = text(request, "name").unwrap_or_default();
            format!("{path}/{name}")
        }
        Some("list" | "aggregatedList" | "testIamPermissions") => project,
        _ => ["/start", "/stop", "/wait"].iter().find_map(|verb| path.strip_suffix(verb)).unwrap_or(path).to_owned(),
    }
}

fn text(request: &Request, field: &str) -> Option<String> {
    Some(request.json().ok()?.get(field)?.as_str()?.to_owned())
}

/// The network whose policy a write to a route changes.
fn network(request: &Request, cloud: &Cloud) -> Option<String> {
    match request.method?.action {
        "routes.insert" => links::name_of(&text(request, "network")?, "networks").map(str::to_owned),
        "routes.delete" => cloud.compute.routes.get(request.id(0)).map(|route| route.network.clone()),
        _ => None,
    }
}

/// Refuses what is denied.
pub(super) fn judge(request: &Request, cloud: &Cloud) -> Result<(), Refusal> {
    let permission = request.method.map_or("", |method| method.permission);
    if !permission.is_empty() && !cloud.permits(permission) {
        return Err(denied(permission, &resource(request)));
    }
    let policy = "compute.networks.updatePolicy";
    match network(request, cloud) {
        Some(network) if !cloud.permits(policy) => {
            Err(denied(policy, &format!("projects/{}/global/networks/{network}", request.project)))
        }
        _ => Ok(()),
    }
}

/// `testIamPermissions`: those of the permissions asked about that the caller has; the resource need not exist.
pub(super) fn test(visit: &mut Visit<'_>) -> Answer {
    let body = visit.request.json()?;
    let asked = body.get("permissions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let kind = if visit.request.path.contains("/routes/") { "compute.routes." } else { "compute.instances." };
    let mut held = Vec::new();
    for permission in asked {
        let name = permission.as_str().unwrap_or_default();
        // Listing is judged on the project, and so is no question to one of its resources.
        if name.strip_prefix(kind).is_none_or(|verb| verb.is_empty() || verb == "list" || verb.contains('.')) {
            let message = format!("Permission {name} is not valid for this resource.");
            return Err(Refusal::new("badRequest", message));
        }
        if visit.world.cloud.permits(name) {
            held.push(permission);
        }
    }
    // Like every list of Google's, an empty one is left out.
    Ok(if held.is_empty() { json!({}) } else { json!({"permissions": held}) })
}
