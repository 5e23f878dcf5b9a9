//! One function per action, from parameters to a piece of XML.

use std::collections::BTreeMap;

use super::{invalid, template, text};
use crate::Cloud;
use crate::model::{OnFailure, ROUTE, Refusal, Stack, StackStatus, StackTarget, Tags};
use crate::query::{Element, Params, boolean, cut};

/// What an action answers.
type Answer = Result<Element, Refusal>;

/// What a write answers, and what it tells the log, if it has changed anything.
type Written = Result<(Element, Option<String>), Refusal>;

/// An action, as a function of the cloud. A write is told the moment.
pub(super) enum Step {
    Read(fn(&Cloud, &Params) -> Answer),
    Write(fn(&mut Cloud, &Params, &str) -> Written),
}

/// The function behind an action's name.
pub(super) fn step(action: &str) -> Option<Step> {
    Some(match action {
        "CreateStack" => Step::Write(create_stack),
        "DeleteStack" => Step::Write(delete_stack),
        "DescribeStackEvents" => Step::Read(describe_events),
        "DescribeStackResources" => Step::Read(describe_resources),
        "DescribeStacks" => Step::Read(describe_stacks),
        "ListExports" => Step::Read(list_exports),
        _ => return None,
    })
}

/// A page holds so many exports ("`ListExports`"); other listings are given the same size here.
const PAGE: usize = 100;

/// The longest template that may be sent in a request ("`CloudFormation` quotas"), in bytes.
const LONGEST_TEMPLATE: usize = 51_200;

fn need<'a>(params: &'a Params, name: &str) -> Result<&'a str, Refusal> {
    params.get(name).filter(|value| !value.is_empty()).ok_or_else(|| {
        let mut lower = name.to_owned();
        lower[..1].make_ascii_lowercase();
        invalid(format!(
            "1 validation error detected: Value null at '{lower}' failed to satisfy constraint: Member must not be null"
        ))
    })
}

fn page(params: &Params, items: Vec<(String, Element)>) -> Result<(Vec<Element>, Option<String>), Refusal> {
    let token = params.get("NextToken");
    cut(Some(PAGE), token, items)
        .ok_or_else(|| invalid(format!("NextToken '{}' is not valid", token.unwrap_or_default())))
}

fn list_exports(cloud: &Cloud, params: &Params) -> Answer {
    let item = |(name, (stack, value)): (&str, (&str, &str))| {
        let shown = Element::new("member").text("ExportingStackId", stack).text("Name", name).text("Value", value);
        (name.to_owned(), shown)
    };
    let (items, next) = page(params, cloud.exports().into_iter().map(item).collect())?;
    Ok(Element::response().members("Exports", items).maybe("NextToken", next))
}

fn no_such(name: &str) -> Refusal {
    invalid(format!("Stack with id {name} does not exist"))
}

fn describe_stacks(cloud: &Cloud, params: &Params) -> Answer {
    let items: Vec<(&str, &Stack)> = match params.get("StackName").filter(|name| !name.is_empty()) {
        Some(name) => vec![cloud.find_stack(name).ok_or_else(|| no_such(name))?],
        None => cloud.stack_ids().into_iter().filter_map(|id| cloud.find_stack(id)).collect(),
    };
    let key = |index: usize| format!("{index:09}");
    let shown = items.into_iter().enumerate().map(|(index, (id, stack))| (key(index), show(id, stack)));
    let (items, next) = page(params, shown.collect())?;
    Ok(Element::response().members("Stacks", items).maybe("NextToken", next))
}

fn show(id: &str, stack: &Stack) -> Element {
    let pairs = |pairs: &BTreeMap<String, String>, key: &'static str, value: &'static str| {
        let pair = |(name, text): (&String, &String)| Element::new("member").text(key, name).text(value, text);
        pairs.iter().map(pair).collect::<Vec<_>>()
    };
    let outputs = stack.outputs.iter().map(|output| {
        Element::new("member")
            .text("OutputKey", &output.key)
            .text("OutputValue", &output.value)
            .maybe("Description", output.description.as_ref())
            .maybe("ExportName", output.export.as_ref())
    });
    let drift = Element::new("DriftInformation").text("StackDriftStatus", "NOT_CHECKED");
    let shown = Element::new("member")
        .text("StackId", id)
        .text("StackName", &stack.name)
        .maybe("Description", stack.description.as_ref())
        .text("CreationTime", &stack.created)
        .child(Element::new("RollbackConfiguration"))
        .text("StackStatus", stack.status.name())
        .maybe("StackStatusReason", stack.reason.as_ref())
        .text("DisableRollback", false)
        .members("NotificationARNs", []);
    // What a stack has none of is no empty list but no member at all, so that a query for it finds null.
    let parameters = pairs(&stack.parameters, "ParameterKey", "ParameterValue");
    let shown = if parameters.is_empty() { shown } else { shown.members("Parameters", parameters) };
    let shown = if stack.outputs.is_empty() { shown } else { shown.members("Outputs", outputs) };
    shown.members("Tags", pairs(&stack.tags, "Key", "Value")).text("EnableTerminationProtection", false).child(drift)
}

fn describe_resources(cloud: &Cloud, params: &Params) -> Answer {
    let name = need(params, "StackName")?;
    let (id, stack) = cloud.find_stack(name).ok_or_else(|| no_such(name))?;
    let wanted = params.get("LogicalResourceId");
    let resources = stack.resources.iter().filter(|it| wanted.is_none_or(|wanted| wanted == it.route.logical_id));
    let shown = resources.map(|resource| {
        Element::new("member")
            .text("StackId", id)
            .text("StackName", &stack.name)
            .text("LogicalResourceId", &resource.route.logical_id)
            .text("PhysicalResourceId", resource.route.physical_id())
            .text("ResourceType", ROUTE)
            .text("Timestamp", &stack.created)
            .text("ResourceStatus", resource.status.name())
            .maybe("ResourceStatusReason", resource.reason.as_ref())
            .child(Element::new("DriftInformation").text("StackResourceDriftStatus", "NOT_CHECKED"))
    });
    Ok(Element::response().members("StackResources", shown))
}

/// What there is to tell of a stack that changes in one step: where each resource has ended, and where the stack has.
fn describe_events(cloud: &Cloud, params: &Params) -> Answer {
    let name = need(params, "StackName")?;
    let (id, stack) = cloud.find_stack(name).ok_or_else(|| no_such(name))?;
    let event = |logical: &str, physical: &str, kind: &str, status: &str, reason: Option<&String>| {
        Element::new("member")
            .text("StackId", id)
            .text("EventId", format!("{logical}-{status}"))
            .text("StackName", &stack.name)
            .text("LogicalResourceId", logical)
            .text("PhysicalResourceId", physical)
            .text("ResourceType", kind)
            .text("Timestamp", &stack.created)
            .text("ResourceStatus", status)
            .maybe("ResourceStatusReason", reason)
    };
    let own = event(&stack.name, id, "AWS::CloudFormation::Stack", stack.status.name(), stack.reason.as_ref());
    let resources = stack.resources.iter().rev().map(|resource| {
        let route = &resource.route;
        event(&route.logical_id, &route.physical_id(), ROUTE, resource.status.name(), resource.reason.as_ref())
    });
    Ok(Element::response().members("StackEvents", std::iter::once(own).chain(resources)))
}

fn create_stack(cloud: &mut Cloud, params: &Params, now: &str) -> Written {
    let name = need(params, "StackName")?;
    judge_name(name)?;
    let body = match (params.get("TemplateBody"), params.get("TemplateURL")) {
        (Some(body), None) => body,
        (None, Some(_)) => return Err(invalid("the lab reads no TemplateURL: send the template as TemplateBody")),
        _ => return Err(invalid("Either Template URL or Template Body must be specified.")),
    };
    if body.len() > LONGEST_TEMPLATE {
        return Err(invalid(format!(
            "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length \
             less than or equal to {LONGEST_TEMPLATE}"
        )));
    }
    let id = cloud.new_stack_id(name);
    let mut order = template::order(cloud, &text::parse(body)?, (name, &id), &parameters(params))?;
    order.tags = tags(params);
    order.on_failure = on_failure(params)?;
    now.clone_into(&mut order.created);
    let routes: Vec<String> = order
        .routes
        .iter()
        .map(|route| {
            let (StackTarget::Instance(hop) | StackTarget::Interface(hop)) = &route.target;
            format!("{} {} -> {hop}", route.table, route.destination)
        })
        .collect();
    let id = cloud.create_stack(id, order)?;
    let status = cloud.stacks.get(&id).map_or("", |stack| stack.status.name());
    let told = format!("{name} {status}: {}", routes.join(", "));
    Ok((Element::response().text("StackId", id), Some(told)))
}

fn judge_name(name: &str) -> Result<(), Refusal> {
    let fits = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.len() <= 128
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if fits {
        return Ok(());
    }
    Err(invalid(format!(
        "1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must satisfy \
         regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
    )))
}

fn parameters(params: &Params) -> BTreeMap<String, String> {
    pairs(params, "Parameters.member", "ParameterKey", "ParameterValue")
}

fn tags(params: &Params) -> Tags {
    pairs(params, "Tags.member", "Key", "Value")
}

fn pairs(params: &Params, list: &str, key: &str, value: &str) -> BTreeMap<String, String> {
    let pair = |number: u32| {
        let name = params.get(&format!("{list}.{number}.{key}"))?.to_owned();
        Some((name, params.get(&format!("{list}.{number}.{value}"))?.to_owned()))
    };
    params.numbers(list).into_iter().filter_map(pair).collect()
}

fn on_failure(params: &Params) -> Result<OnFailure, Refusal> {
    let disabled = params.get("DisableRollback").map(|text| boolean("DisableRollback", text)).transpose()?;
    Ok(match (params.get("OnFailure"), disabled) {
        (Some(_), Some(_)) => {
            return Err(invalid("You can't specify both OnFailure and DisableRollback in the same request."));
        }
        (Some("DO_NOTHING"), None) | (None, Some(true)) => OnFailure::DoNothing,
        (Some("DELETE"), None) => OnFailure::Delete,
        (Some("ROLLBACK") | None, _) => OnFailure::Rollback,
        (Some(other), None) => {
            return Err(invalid(format!(
                "1 validation error detected: Value '{other}' at 'onFailure' failed to satisfy constraint: Member must \
                 satisfy enum value set: [ROLLBACK, DO_NOTHING, DELETE]"
            )));
        }
    })
}

fn delete_stack(cloud: &mut Cloud, params: &Params, _: &str) -> Written {
    let name = need(params, "StackName")?;
    // A stack that stays, because somebody uses its exports, is no change.
    let status = cloud.delete_stack(name).filter(|status| *status != StackStatus::CreateComplete);
    Ok((Element::response(), status.map(|status| format!("{name} {}", status.name()))))
}
