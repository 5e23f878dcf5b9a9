//! `CreateRoute`, `ReplaceRoute`, `DeleteRoute`.

use super::{Answer, Params, yes};
use crate::Cloud;
use crate::model::{Destination, Gateway, Refusal, Target};

pub(super) fn create(cloud: &mut Cloud, params: &Params) -> Answer {
    let table = table(cloud, params)?;
    let destination = destination(params)?;
    let target = target(cloud, params)?;
    cloud.create_route(&table, destination, target)?;
    Ok(yes())
}

pub(super) fn replace(cloud: &mut Cloud, params: &Params) -> Answer {
    let table = table(cloud, params)?;
    let destination = destination(params)?;
    let target = target(cloud, params)?;
    cloud.replace_route(&table, &destination, target)?;
    Ok(yes())
}

pub(super) fn delete(cloud: &mut Cloud, params: &Params) -> Answer {
    let table = table(cloud, params)?;
    let destination = destination(params)?;
    cloud.delete_route(&table, &destination)?;
    Ok(yes())
}

/// The table comes first: a wrong region or a mistyped table should not be told as a missing instance.
fn table(cloud: &Cloud, params: &Params) -> Result<String, Refusal> {
    let id = params.need("RouteTableId")?;
    cloud.table(id).map(|_| id.to_owned())
}

fn destination(params: &Params) -> Result<Destination, Refusal> {
    let v4 = params.ipv4_range("DestinationCidrBlock", "destinationCidrBlock")?.map(Destination::Net);
    let v6 = params.ipv6_range("DestinationIpv6CidrBlock", "destinationIpv6CidrBlock")?.map(Destination::Net);
    let list = params.get("DestinationPrefixListId").map(|id| Destination::PrefixList(id.to_owned()));
    let mut given = [v4, v6, list].into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(destination), None) => Ok(destination),
        (None, _) => Err(Refusal::missing("destinationCidrBlock")),
        _ => Err(Refusal::invalid_combination(
            "The request must contain exactly one of destinationCidrBlock, destinationIpv6CidrBlock and \
             destinationPrefixListId",
        )),
    }
}

fn target(cloud: &Cloud, params: &Params) -> Result<Target, Refusal> {
    let instance = params.get("InstanceId").map(|id| cloud.instance_target(id));
    let interface = params.get("NetworkInterfaceId").map(|id| cloud.interface_target(id));
    let local = params.boolean("LocalTarget")?.filter(|local| *local).map(|_| Ok(Target::Local));
    let endpoint = params.get("VpcEndpointId").map(|id| Ok(Target::Gateway(Gateway::Gateway, id.to_owned())));
    let gateways = Gateway::ALL.iter().filter_map(|kind| {
        let id = params.get(kind.parameter())?;
        Some(Ok(if *kind == Gateway::Gateway && id == "local" {
            Target::Local
        } else {
            Target::Gateway(*kind, id.to_owned())
        }))
    });
    let mut given: Vec<_> = [instance, interface, local, endpoint].into_iter().flatten().chain(gateways).collect();
    match (given.pop(), given.len()) {
        (Some(target), 0) => target,
        (None, _) => Err(Refusal::missing("gatewayId or another target")),
        _ => Err(Refusal::invalid_combination("The request must contain exactly one target of the route")),
    }
}
