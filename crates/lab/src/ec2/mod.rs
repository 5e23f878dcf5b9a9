//! EC2's query protocol over the model: one function per action, from parameters to a piece of XML.
//!
//! An action reads or writes, and says so by its type: reads may see the past (the lab lags), writes never do.

mod dialect;
mod filters;
mod instances;
mod interfaces;
mod networks;
mod paging;
mod routes;
mod tables;
mod tags;

use crate::Cloud;
use crate::model::Refusal;
use crate::query::{Element, Params};

pub(crate) use dialect::{Request, refused};

/// What an action answers.
type Answer = Result<Element, Refusal>;

/// An action, as a function of the cloud.
enum Step {
    Read(fn(&Cloud, &Params) -> Answer),
    Write(fn(&mut Cloud, &Params) -> Answer),
}

/// The function behind an action's name.
fn step(action: &str) -> Option<Step> {
    use Step::{Read, Write};
    Some(match action {
        "AssociateRouteTable" => Write(tables::associate),
        "CreateRoute" => Write(routes::create),
        "CreateRouteTable" => Write(tables::create),
        "CreateTags" => Write(tags::create),
        "DeleteRoute" => Write(routes::delete),
        "DeleteRouteTable" => Write(tables::delete),
        "DeleteTags" => Write(tags::delete),
        "DescribeInstanceAttribute" => Read(instances::describe_attribute),
        "DescribeInstances" => Read(instances::describe),
        "DescribeInternetGateways" => Read(networks::describe_internet_gateways),
        "DescribeNetworkInterfaces" => Read(interfaces::describe),
        "DescribeRegions" => Read(networks::describe_regions),
        "DescribeRouteTables" => Read(tables::describe),
        "DescribeSubnets" => Read(networks::describe_subnets),
        "DescribeTags" => Read(tags::describe),
        "DescribeVpcs" => Read(networks::describe_vpcs),
        "DisassociateRouteTable" => Write(tables::disassociate),
        "ModifyInstanceAttribute" => Write(instances::modify_attribute),
        "ModifyNetworkInterfaceAttribute" => Write(interfaces::modify_attribute),
        "ReplaceRoute" => Write(routes::replace),
        "ReplaceRouteTableAssociation" => Write(tables::replace_association),
        "RunInstances" => Write(instances::run),
        "StartInstances" => Write(instances::start),
        "StopInstances" => Write(instances::stop),
        "TerminateInstances" => Write(instances::terminate),
        _ => return None,
    })
}

/// Whether there is such an action.
pub(crate) fn knows(action: &str) -> bool {
    step(action).is_some()
}

/// The answer of actions that have nothing to say but yes.
fn yes() -> Element {
    Element::response().text("return", true)
}
