//! What Compute lets a route be.
//!
//! Forms are judged before the state of the project, field after field, since that is the order in which Google's own
//! front ends find fault. A second route for the same destination under another name is none of it: Compute spreads the
//! traffic over both. Texts are Google's where they are known ("Troubleshooting API errors", users' reports); where they
//! are not, a comment says so.

use ipnet::IpNet;

use super::networks::INTERNET;
use super::{Asked, Compute, Effect, Hop, Refusal, Route};

/// A name of anything, as "Naming resources" spells it.
const NAME_RULE: &str = "Must be a match of regex '(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)'";

/// What `routes.insert` is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewRoute {
    /// The network's name.
    pub network: String,
    /// `destRange` as it came.
    pub destination: String,
    /// `priority` as it came; 1000 without one.
    pub priority: Option<i64>,
    /// Free text.
    pub description: String,
    /// Network tags.
    pub tags: Vec<String>,
    /// Where it shall lead.
    pub hop: Option<Hop>,
}

/// Whether Compute takes this for a name: 1 to 63 characters ("Naming resources").
pub(crate) fn is_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.len() <= 63
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.bytes().all(inner)
}

impl Compute {
    /// The part of a route's link from `projects/` on.
    pub fn route_path(&self, name: &str) -> String {
        format!("projects/{}/global/routes/{name}", self.project)
    }

    /// `routes.insert`: the name of the operation that will do it.
    ///
    /// # Errors
    ///
    /// As Compute refuses it at once; what can only be known when it is done, the operation tells.
    pub fn insert_route(&mut self, name: &str, new: NewRoute, asked: Asked) -> Result<String, Refusal> {
        if let Some(known) = self.known(&asked)? {
            return Ok(known);
        }
        if !is_name(name) {
            return Err(Refusal::invalid_field("resource.name", name, NAME_RULE));
        }
        let priority = priority(new.priority)?;
        if let Some((index, tag)) = new.tags.iter().enumerate().find(|(_, tag)| !is_name(tag)) {
            return Err(Refusal::invalid_field(&format!("resource.tags[{index}]"), tag, NAME_RULE));
        }
        let destination = destination(&new.destination)?;
        let hop = self.hop(new.hop, &destination)?;
        self.judge_network(&new.network, &destination)?;
        let target = self.route_path(name);
        if self.routes.contains_key(name) || self.is_pending(&target) {
            let message = format!("The resource '{target}' already exists");
            return Err(Refusal::with_status(409, "alreadyExists", message));
        }
        let id = self.new_id();
        let (network, description, tags) = (new.network, new.description, new.tags);
        let route = Route { id, network, destination, priority, description, tags, hop, created: asked.now };
        Ok(self.begin("insert", None, target, id, Effect::Insert(Box::new(route)), asked))
    }

    /// `routes.delete`: the name of the operation that will do it.
    ///
    /// # Errors
    ///
    /// As Compute refuses it: an absent route, a subnet route, a route that is being made or deleted.
    pub fn delete_route(&mut self, name: &str, asked: Asked) -> Result<String, Refusal> {
        if let Some(known) = self.known(&asked)? {
            return Ok(known);
        }
        let target = self.route_path(name);
        if self.is_pending(&target) {
            return Err(Refusal::not_ready(&target));
        }
        let Some(route) = self.routes.get(name) else {
            return Err(Refusal::not_found(&target));
        };
        if matches!(route.hop, Hop::Network(_) | Hop::Peering(_)) {
            // As reported, among others in openshift/installer#3049.
            return Err(Refusal::new("badRequest", "The local route cannot be deleted."));
        }
        let id = route.id;
        Ok(self.begin("delete", None, target, id, Effect::Delete, asked))
    }

    /// Adds or replaces a route behind the API's back, as somebody else would: under a new number.
    pub fn put_route(&mut self, name: &str, route: Route) {
        let id = self.new_id();
        self.routes.insert(name.to_owned(), Route { id, ..route });
    }

    /// Takes a route away behind the API's back.
    pub fn remove_route(&mut self, name: &str) -> Option<Route> {
        self.routes.remove(name)
    }

    /// Whether the network may hold one more static route. Those that Compute made itself do not count ("Quotas and
    /// limits", VPC documentation: user-defined static routes).
    pub(super) fn has_room(&self, network: &str) -> bool {
        let limit = usize::try_from(self.routes_limit).unwrap_or(usize::MAX);
        let counts = |name: &str, route: &Route| {
            let own = matches!(route.hop, Hop::Network(_) | Hop::Peering(_)) || name.starts_with("default-route-");
            route.network == network && !own
        };
        // Counting is for those who come near the limit, or thousands of routes would be counted thousands of times.
        self.routes.len() < limit || self.routes.iter().filter(|(name, route)| counts(name, route)).count() < limit
    }

    fn hop(&self, hop: Option<Hop>, destination: &IpNet) -> Result<Hop, Refusal> {
        let Some(hop) = hop else {
            let message = "Invalid resource usage: 'A Route must specify at least one type of next hop.'.";
            return Err(Refusal::new("invalidResourceUsage", message));
        };
        let v6 = destination.network().is_ipv6();
        match &hop {
            // The families must agree ("Static routes", VPC documentation); the text is not documented.
            Hop::Address(address) if address.is_ipv6() != v6 => {
                let family = if v6 { "an IPv6" } else { "an IPv4" };
                let reason = format!("Must be {family} address, as the destination range is.");
                Err(Refusal::invalid_field("resource.nextHopIp", address, &reason))
            }
            Hop::Gateway(gateway) if gateway != INTERNET => {
                let reason = "The referenced gateway resource cannot be found.";
                Err(Refusal::invalid_field("resource.nextHopGateway", gateway, reason))
            }
            Hop::Machine(key) if !self.machines.contains_key(key) => {
                let (zone, name) = key.split_once('/').unwrap_or(("", key));
                let path = format!("projects/{}/zones/{zone}/instances/{name}", self.project);
                let reason = "The referenced instance resource cannot be found.";
                Err(Refusal::invalid_field("resource.nextHopInstance", path, reason))
            }
            // Compute makes these itself, with a subnetwork or a peering.
            Hop::Network(name) | Hop::Peering(name) => {
                let reason = "This next hop is for routes that Compute Engine makes itself.";
                Err(Refusal::invalid_field("resource.nextHopNetwork", name, reason))
            }
            _ => Ok(hop),
        }
    }

    fn judge_network(&self, name: &str, destination: &IpNet) -> Result<(), Refusal> {
        if !self.networks.contains_key(name) {
            // A resource named in a body is answered with 400 and not with the 404 of a path (google/anthos-microk8s#1).
            let path = format!("projects/{}/global/networks/{name}", self.project);
            let reason = "The referenced network resource cannot be found.";
            return Err(Refusal::invalid_field("resource.network", path, reason));
        }
        let ranges = self.subnetworks.values().filter(|held| held.network == name).flat_map(super::Subnetwork::ranges);
        for range in ranges {
            if range.contains(destination) {
                let reason = format!(
                    "{destination} hides the address space of the network ({range}). \
                     Cannot change the routing of packets destined for the network."
                );
                return Err(Refusal::invalid_field("resource.destRange", destination, &reason));
            }
        }
        Ok(())
    }
}

fn priority(given: Option<i64>) -> Result<u32, Refusal> {
    let given = given.unwrap_or(1000);
    let found = u32::try_from(given).ok().filter(|priority| *priority <= 65_535);
    found.ok_or_else(|| {
        let reason = "Must be greater than or equal to 0 and less than or equal to 65535";
        Refusal::invalid_field("resource.priority", given, reason)
    })
}

/// "Must specify an IPv4 range or an IPv6 range" (Compute Engine API, `Route.destRange`). Whether Compute would cut off
/// host bits is not documented; it is reported to refuse them in firewalls (CartoDB/cartodb#15649), so it does here.
fn destination(text: &str) -> Result<IpNet, Refusal> {
    let reason = "Must be a valid CIDR range without host bits.";
    let net = text.parse::<IpNet>().ok().filter(|net| net.trunc() == *net);
    net.ok_or_else(|| Refusal::invalid_field("resource.destRange", text, reason))
}
