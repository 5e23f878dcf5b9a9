//! Networks and subnetworks, and the routes that come with them.
//!
//! Nobody makes these over the lab's API: they are there at the start, or a test adds them. Compute gives every network
//! a default route and every range of a subnetwork a subnet route ("Routes", VPC documentation), which stand among all
//! others in `routes.list` and must survive whatever a client does.

use std::net::Ipv4Addr;
use std::time::SystemTime;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{Compute, Hop, Network, Route, Subnetwork};

/// The gateway that every network has.
pub(super) const INTERNET: &str = "default-internet-gateway";

impl Compute {
    /// A network in custom mode, with its default route and without any subnetwork.
    pub fn add_network(&mut self, name: &str) {
        let id = self.new_id();
        self.networks.insert(name.to_owned(), Network { id, description: String::new() });
        let everywhere = Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0);
        let hop = Hop::Gateway(INTERNET.to_owned());
        self.add_own_route(name, everywhere.into(), 1000, "Default route to the Internet.".to_owned(), hop);
    }

    /// A subnetwork with its subnet routes; its key.
    pub fn add_subnetwork(
        &mut self,
        region: &str,
        name: &str,
        network: &str,
        range: Ipv4Net,
        ipv6_range: Option<Ipv6Net>,
    ) -> String {
        let key = format!("{region}/{name}");
        let id = self.new_id();
        let subnetwork = Subnetwork { id, network: network.to_owned(), range, ipv6_range };
        for range in subnetwork.ranges() {
            let description = format!("Default local route to the subnetwork {range}.");
            self.add_own_route(network, range, 0, description, Hop::Network(network.to_owned()));
        }
        self.subnetworks.insert(key.clone(), subnetwork);
        key
    }

    fn add_own_route(&mut self, network: &str, destination: IpNet, priority: u32, description: String, hop: Hop) {
        let name = format!("default-route-{:016x}", self.ids.u64(..));
        let route = Route {
            id: self.new_id(),
            network: network.to_owned(),
            destination,
            priority,
            description,
            tags: Vec::new(),
            hop,
            created: SystemTime::UNIX_EPOCH,
        };
        self.routes.insert(name, route);
    }
}

impl Subnetwork {
    /// Its ranges of both families.
    pub fn ranges(&self) -> impl Iterator<Item = IpNet> + use<> {
        std::iter::once(IpNet::V4(self.range)).chain(self.ipv6_range.map(IpNet::V6))
    }
}
