//! What `routes.insert` is sent.
//!
//! A field that Compute does not know is refused, and so is one that the lab does not have: a slip in a name must not
//! pass for a route without the field. Fields that only Compute writes are taken and overlooked, as Compute does.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::links;
use crate::model::Refusal;
use crate::model::compute::{Hop, NewRoute};

const OUTPUT_ONLY: [&str; 13] = [
    "asPaths",
    "creationTimestamp",
    "id",
    "kind",
    "nextHopHub",
    "nextHopInterRegionCost",
    "nextHopInterconnectAttachment",
    "nextHopMed",
    "nextHopOrigin",
    "routeStatus",
    "routeType",
    "selfLink",
    "warnings",
];

/// A body whose fields are taken out one by one; what is left is unknown.
struct Fields(Map<String, Value>);

impl Fields {
    fn text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong_type(name, &other, "TYPE_STRING")),
        }
    }

    fn need(&mut self, name: &str) -> Result<String, Refusal> {
        self.text(name)?.filter(|text| !text.is_empty()).ok_or_else(|| {
            // As Compute words it in reports about other resources.
            let message = format!("Required field 'resource.{name}' not specified");
            Refusal::new("required", message)
        })
    }

    /// A whole number, which may stand in quotes as in all of Google's JSON.
    fn number(&mut self, name: &str) -> Result<Option<i64>, Refusal> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
                number.map(Some).ok_or_else(|| wrong_type(name, &value, "TYPE_UINT32"))
            }
        }
    }

    fn texts(&mut self, name: &str) -> Result<Vec<String>, Refusal> {
        let Some(value) = self.0.remove(name) else { return Ok(Vec::new()) };
        serde_json::from_value(value.clone()).map_err(|_| wrong_type(name, &value, "TYPE_STRING"))
    }
}

fn wrong_type(name: &str, value: &Value, wanted: &str) -> Refusal {
    Refusal::new("invalid", format!("Invalid value at 'resource.{name}' ({wanted}), {value}"))
}

/// The name and the rest of a route that shall be made.
pub(super) fn new_route(body: Map<String, Value>, project: &str) -> Result<(String, NewRoute), Refusal> {
    let mut fields = Fields(body);
    let name = fields.need("name")?;
    let network = fields.need("network")?;
    let network = links::judge("resource.network", &network, project, links::name_of(&network, "networks"))?.to_owned();
    let destination = fields.need("destRange")?;
    let priority = fields.number("priority")?;
    let description = fields.text("description")?.unwrap_or_default();
    let tags = fields.texts("tags")?;
    let hop = hop(&mut fields, project)?;
    for name in OUTPUT_ONLY {
        fields.0.remove(name);
    }
    if let Some(unknown) = fields.0.keys().next() {
        let message = if unknown == "params" {
            "the lab has no `params` of a route".to_owned()
        } else {
            format!("Invalid JSON payload received. Unknown name \"{unknown}\" at 'resource': Cannot find field.")
        };
        return Err(Refusal::new("badRequest", message));
    }
    Ok((name, NewRoute { network, destination, priority, description, tags, hop }))
}

fn hop(fields: &mut Fields, project: &str) -> Result<Option<Hop>, Refusal> {
    let mut hops = Vec::new();
    for field in ["Ip", "Instance", "Gateway", "Network", "VpnTunnel", "Ilb", "Peering"] {
        let name = format!("nextHop{field}");
        let Some(given) = fields.text(&name)?.filter(|text| !text.is_empty()) else { continue };
        let at = format!("resource.{name}");
        let named = |kind| links::judge(&at, &given, project, links::name_of(&given, kind).map(str::to_owned));
        let keyed = |places, kind| links::judge(&at, &given, project, links::key_of(&given, places, kind));
        hops.push(match field {
            "Ip" => match given.parse::<IpAddr>() {
                Ok(address) => Hop::Address(address),
                Err(_) => return Err(Refusal::invalid_field(&at, &given, "Must be a valid IP address.")),
            },
            "Instance" => Hop::Machine(keyed("zones", "instances")?),
            "Gateway" => Hop::Gateway(named("gateways")?),
            "Network" => Hop::Network(named("networks")?),
            "VpnTunnel" => Hop::VpnTunnel(keyed("regions", "vpnTunnels")?),
            "Ilb" => Hop::Ilb(given),
            _ => Hop::Peering(given),
        });
    }
    if hops.len() > 1 {
        // That it is refused is documented (Compute Engine API, Route), the wording is not.
        let message = "Invalid resource usage: 'A Route must specify exactly one type of next hop.'.";
        return Err(Refusal::new("invalidResourceUsage", message));
    }
    Ok(hops.pop())
}
