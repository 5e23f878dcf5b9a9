//! From a template and its parameters to an order for the model.
//!
//! What a template may hold is judged before anything is made, and all sections and properties that the lab does not know
//! are refused: a route that is made without what somebody wrote beside it would teach him something wrong.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use serde_json::{Map, Value};

use super::invalid;
use super::values::{Scope, Trouble};
use crate::Cloud;
use crate::model::{ROUTE, Refusal, StackOrder, StackOutput, StackRoute, StackTarget};

/// A moment as the API writes it.
pub(super) fn time(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}

fn object<'a>(value: &'a Value, at: &str) -> Result<&'a Map<String, Value>, Refusal> {
    value.as_object().ok_or_else(|| invalid(format!("Template format error: {at} must be a map")))
}

fn section<'a>(template: &'a Map<String, Value>, name: &str) -> Result<Option<&'a Map<String, Value>>, Refusal> {
    template.get(name).map(|value| object(value, name)).transpose()
}

fn plain(members: &Map<String, Value>, name: &str) -> Option<String> {
    members.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// The order that a template comes to. `id` is the stack's own, `given` are the parameters of the request.
pub(super) fn order(
    cloud: &Cloud,
    template: &Value,
    (name, id): (&str, &str),
    given: &BTreeMap<String, String>,
) -> Result<StackOrder, Refusal> {
    const SECTIONS: [&str; 6] =
        ["AWSTemplateFormatVersion", "Description", "Metadata", "Outputs", "Parameters", "Resources"];
    let template = object(template, "the template")?;
    let unknown: Vec<&str> = template.keys().map(String::as_str).filter(|it| !SECTIONS.contains(it)).collect();
    if !unknown.is_empty() {
        let unknown = unknown.join(", ");
        return Err(invalid(format!(
            "Invalid template property or properties [{unknown}]: the lab has {}",
            SECTIONS.join(", ")
        )));
    }
    let parameters = parameters(section(template, "Parameters")?, given)?;
    let resources = section(template, "Resources")?.filter(|resources| !resources.is_empty());
    let Some(resources) = resources else {
        return Err(invalid("Template format error: At least one Resources member must be defined."));
    };
    let pseudo = [
        ("AWS::AccountId", cloud.account.as_str()),
        ("AWS::Partition", "aws"),
        ("AWS::Region", cloud.region.as_str()),
        ("AWS::StackId", id),
        ("AWS::StackName", name),
        ("AWS::URLSuffix", "amazonaws.com"),
    ];
    let pseudo = pseudo.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let scope = Scope {
        names: parameters.clone().into_iter().chain(pseudo).collect(),
        routes: properties(resources)?,
        exports: cloud.exports(),
        imports: RefCell::default(),
    };
    let mut order = StackOrder {
        name: name.to_owned(),
        description: plain(template, "Description"),
        parameters,
        ..StackOrder::default()
    };
    let mut hopeless = BTreeSet::new();
    for (logical_id, resource) in resources {
        match route(&scope, logical_id, resource) {
            Ok(route) => order.routes.push(route),
            Err(Trouble::Refused(refusal)) => return Err(refusal),
            Err(Trouble::Hopeless(reason)) => _ = hopeless.insert(reason),
        }
    }
    for (key, declared) in section(template, "Outputs")?.into_iter().flatten() {
        match output(&scope, key, declared) {
            Ok(output) => order.outputs.push(output),
            Err(Trouble::Refused(refusal)) => return Err(refusal),
            Err(Trouble::Hopeless(reason)) => _ = hopeless.insert(reason),
        }
    }
    order.imports = scope.imports.into_inner();
    order.hopeless = hopeless.pop_first();
    Ok(order)
}

/// The values of the parameters: those that were given, else the defaults.
fn parameters(
    declared: Option<&Map<String, Value>>,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Refusal> {
    let mut values = BTreeMap::new();
    let mut missing = Vec::new();
    for (name, declaration) in declared.into_iter().flatten() {
        let declaration = object(declaration, &format!("Parameters/{name}"))?;
        if plain(declaration, "Type").is_none() {
            return Err(invalid(format!(
                "Template format error: Every Parameters object must contain a Type member; {name} has none."
            )));
        }
        let default = declaration.get("Default").and_then(|value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
            _ => None,
        });
        match given.get(name).cloned().or(default) {
            Some(value) => _ = values.insert(name.clone(), value),
            None => missing.push(name.as_str()),
        }
    }
    if !missing.is_empty() {
        return Err(invalid(format!("Parameters: [{}] must have values", missing.join(", "))));
    }
    let unknown: Vec<&str> = given.keys().filter(|name| !values.contains_key(*name)).map(String::as_str).collect();
    if !unknown.is_empty() {
        return Err(invalid(format!("Parameters: [{}] do not exist in the template", unknown.join(", "))));
    }
    Ok(values)
}

/// The properties of each resource, if all of them are routes.
fn properties(resources: &Map<String, Value>) -> Result<BTreeMap<&str, &Map<String, Value>>, Refusal> {
    const ATTRIBUTES: [&str; 6] =
        ["DeletionPolicy", "DependsOn", "Metadata", "Properties", "Type", "UpdateReplacePolicy"];
    let mut routes = BTreeMap::new();
    let mut unknown = BTreeSet::new();
    for (logical_id, resource) in resources {
        let at = format!("Resources/{logical_id}");
        let resource = object(resource, &at)?;
        let Some(kind) = plain(resource, "Type") else {
            return Err(invalid(format!(
                "Template format error: [/{at}] Every Resources object must contain a Type member."
            )));
        };
        if kind != ROUTE {
            unknown.insert(kind);
            continue;
        }
        if let Some(other) = resource.keys().find(|it| !ATTRIBUTES.contains(&it.as_str())) {
            return Err(invalid(format!("Invalid template resource property '{other}'")));
        }
        let Some(properties) = resource.get("Properties") else {
            return Err(invalid(format!("Template format error: [/{at}] a route needs Properties.")));
        };
        routes.insert(logical_id.as_str(), object(properties, &format!("{at}/Properties"))?);
    }
    if unknown.is_empty() {
        return Ok(routes);
    }
    let unknown = unknown.into_iter().collect::<Vec<_>>().join(", ");
    Err(invalid(format!("Template format error: Unrecognized resource types: [{unknown}]; the lab makes {ROUTE} only")))
}

fn route(scope: &Scope<'_>, logical_id: &str, resource: &Value) -> Result<StackRoute, Trouble> {
    const PROPERTIES: [&str; 5] =
        ["DestinationCidrBlock", "DestinationIpv6CidrBlock", "InstanceId", "NetworkInterfaceId", "RouteTableId"];
    let wrong = |message: String| Trouble::Refused(invalid(format!("[/Resources/{logical_id}/Properties] {message}")));
    let properties = &resource["Properties"];
    let given = scope.routes.get(logical_id).copied();
    if let Some(other) = given.into_iter().flat_map(Map::keys).find(|it| !PROPERTIES.contains(&it.as_str())) {
        return Err(wrong(format!("the lab's routes have no property {other}, only {}", PROPERTIES.join(", "))));
    }
    let value = |name: &str| {
        let at = format!("/Resources/{logical_id}/Properties/{name}");
        properties.get(name).map(|value| scope.text(value, &at)).transpose()
    };
    let table = value("RouteTableId")?.ok_or_else(|| wrong("required key [RouteTableId] not found".to_owned()))?;
    let (destination, is_ipv6) = match (value("DestinationCidrBlock")?, value("DestinationIpv6CidrBlock")?) {
        (Some(range), None) => (range, false),
        (None, Some(range)) => (range, true),
        _ => {
            return Err(wrong("exactly one of DestinationCidrBlock and DestinationIpv6CidrBlock is needed".to_owned()));
        }
    };
    let target = match (value("InstanceId")?, value("NetworkInterfaceId")?) {
        (Some(id), None) => StackTarget::Instance(id),
        (None, Some(id)) => StackTarget::Interface(id),
        _ => return Err(wrong("exactly one of InstanceId and NetworkInterfaceId is needed".to_owned())),
    };
    let retain = match resource.get("DeletionPolicy").map(|policy| policy.as_str().unwrap_or_default()) {
        None | Some("Delete") => false,
        Some("Retain") => true,
        Some(other) => return Err(wrong(format!("Unrecognized DeletionPolicy {other} for a route"))),
    };
    Ok(StackRoute { logical_id: logical_id.to_owned(), table, destination, is_ipv6, target, retain })
}

fn output(scope: &Scope<'_>, key: &str, declared: &Value) -> Result<StackOutput, Trouble> {
    let at = format!("Outputs/{key}");
    let declared = object(declared, &at)?;
    if let Some(other) = declared.keys().find(|it| !["Description", "Export", "Value"].contains(&it.as_str())) {
        return Err(invalid(format!("Template format error: [/{at}] the lab's outputs have no {other}")).into());
    }
    let Some(value) = declared.get("Value") else {
        return Err(invalid(format!("Template format error: Output {key} is malformed: it has no Value")).into());
    };
    let export = match declared.get("Export") {
        None => None,
        Some(export) => match object(export, &format!("{at}/Export"))?.get("Name") {
            Some(name) => Some(scope.text(name, &format!("/{at}/Export/Name"))?),
            None => {
                return Err(
                    invalid(format!("Template format error: Output {key} is malformed: Export has no Name")).into()
                );
            }
        },
    };
    let value = scope.text(value, &format!("/{at}/Value"))?;
    Ok(StackOutput { key: key.to_owned(), value, description: plain(declared, "Description"), export })
}
