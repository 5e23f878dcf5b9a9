//! What EC2 lets a route be, and how it shows one.
//!
//! The order of the judgements is chosen so that the first mistake named is the one that a person would fix first: the
//! table, then the target, then the destination, then room.

use ipnet::IpNet;

use super::ids::Kind;
use super::{Cloud, Destination, Gateway, Life, Origin, Refusal, Route, RouteTable, ShownRoute, Target};
use crate::IdenticalCreate;

impl Cloud {
    /// A route as EC2 describes it: instance, its owner and the interface together, and `blackhole` once the interface
    /// is gone or its instance does not run. (That a stopped instance counts is reported, not documented.)
    pub fn show_route(&self, route: &Route) -> ShownRoute {
        let (named, interface) = match &route.target {
            Target::Local => {
                return ShownRoute { gateway: Some(("gatewayId", "local".to_owned())), ..ShownRoute::default() };
            }
            Target::Gateway(kind, id) => {
                return ShownRoute { gateway: Some((kind.element(), id.clone())), ..ShownRoute::default() };
            }
            Target::Instance { instance, interface } => (Some(instance), interface),
            Target::Interface(interface) => (None, interface),
        };
        let holder = self.interfaces.get(interface).and_then(|interface| interface.attachment.as_ref());
        let instance = holder.map(|held| &held.instance).or(named);
        let visible = instance.and_then(|id| self.instances.get(id));
        let running = holder.is_some() && visible.is_some_and(|instance| instance.life == Life::Running);
        ShownRoute {
            instance: instance.cloned(),
            instance_owner: visible.map(|_| self.account.clone()),
            interface: Some(interface.clone()),
            gateway: None,
            blackhole: !running,
        }
    }

    /// `CreateRoute`.
    ///
    /// # Errors
    ///
    /// As EC2 refuses it.
    pub fn create_route(&mut self, table: &str, destination: Destination, target: Target) -> Result<(), Refusal> {
        let found = self.table(table)?;
        self.judge(table, found, &destination, &target)?;
        let same_family =
            |route: &&Route| route.origin.is_static() && route.destination.is_ipv6() == destination.is_ipv6();
        if let Some(taken) = found.routes.iter().filter(same_family).find(|route| route.destination == destination) {
            if self.identical_create == IdenticalCreate::Accept && taken.target == target {
                return Ok(());
            }
            let message = format!("The route identified by {destination} already exists.");
            return Err(Refusal::new("RouteAlreadyExists", message));
        }
        if found.routes.iter().filter(same_family).count() >= self.routes_limit as usize {
            let message = format!("The maximum number of routes ({}) has been reached.", self.routes_limit);
            return Err(Refusal::new("RouteLimitExceeded", message));
        }
        self.table_mut(table)?.routes.push(Route::new(destination, target));
        Ok(())
    }

    /// `ReplaceRoute`.
    ///
    /// # Errors
    ///
    /// As EC2 refuses it; among others when there is no static route for that destination.
    pub fn replace_route(&mut self, table: &str, destination: &Destination, target: Target) -> Result<(), Refusal> {
        let found = self.table(table)?;
        let Some(position) = static_route(found, destination) else {
            return Err(Refusal::invalid_value(format!(
                "There is no route defined for '{destination}' in the route table. Use CreateRoute instead."
            )));
        };
        let local = found.routes[position].origin == Origin::CreateRouteTable;
        if target == Target::Local {
            if !local {
                return Err(Refusal::invalid_value(format!("{destination} is not a local route of {table}")));
            }
        } else {
            self.judge(table, found, destination, &target)?;
        }
        self.table_mut(table)?.routes[position].target = target;
        Ok(())
    }

    /// `DeleteRoute`.
    ///
    /// # Errors
    ///
    /// As EC2 refuses it: an absent route, the local route.
    pub fn delete_route(&mut self, table: &str, destination: &Destination) -> Result<(), Refusal> {
        let found = self.table(table)?;
        let Some(position) = static_route(found, destination) else {
            let message = format!("no route with {} {destination} in route table {table}", destination.parameter());
            return Err(Refusal::new("InvalidRoute.NotFound", message));
        };
        if found.routes[position].origin == Origin::CreateRouteTable {
            return Err(Refusal::invalid_value(format!(
                "cannot remove local route {destination} in route table {table}"
            )));
        }
        self.table_mut(table)?.routes.remove(position);
        Ok(())
    }

    /// The target that an instance id stands for: its only interface.
    ///
    /// # Errors
    ///
    /// An unknown instance; several interfaces, or none because the instance has ended.
    pub fn instance_target(&self, instance: &str) -> Result<Target, Refusal> {
        self.instance(instance)?;
        let interface = self.only_interface(instance)?;
        Ok(Target::Instance { instance: instance.to_owned(), interface })
    }

    /// The target that an interface id stands for.
    ///
    /// # Errors
    ///
    /// An unknown interface.
    pub fn interface_target(&self, interface: &str) -> Result<Target, Refusal> {
        match self.interfaces.get(interface) {
            Some(_) => Ok(Target::Interface(interface.to_owned())),
            None => Err(Kind::Interface.unknown(&[interface])),
        }
    }

    fn judge(&self, id: &str, table: &RouteTable, to: &Destination, target: &Target) -> Result<(), Refusal> {
        let elsewhere = |noun: &str, id_of_target: &str| {
            let message = format!("route table {id} and {noun} {id_of_target} belong to different networks");
            Err(Refusal::invalid_value(message))
        };
        let machine = match target {
            Target::Interface(interface) | Target::Instance { interface, .. } => {
                if self.interfaces.get(interface).is_some_and(|interface| interface.vpc != table.vpc) {
                    return elsewhere("interface", interface);
                }
                true
            }
            Target::Gateway(kind, gateway) => {
                if let Some(attached) = self.internet_gateways.get(gateway) {
                    if attached.vpc != table.vpc {
                        return elsewhere("network gateway", gateway);
                    }
                } else if *kind == Gateway::Gateway && gateway.starts_with("igw-") {
                    return Err(Kind::InternetGateway.unknown(&[gateway]));
                }
                if *kind == Gateway::EgressOnly && !to.is_ipv6() {
                    return Err(Refusal::invalid_value("an egress-only internet gateway carries only IPv6".to_owned()));
                }
                false
            }
            Target::Local => false,
        };
        match to {
            Destination::Net(net) => self.judge_range(&table.vpc, net, machine, target),
            Destination::PrefixList(_) => Ok(()),
        }
    }

    fn judge_range(&self, vpc: &str, net: &IpNet, machine: bool, target: &Target) -> Result<(), Refusal> {
        // "Configure route tables", Amazon VPC User Guide: reserved for EC2's own services.
        let reserved: IpNet = "169.254.168.0/22".parse().expect("a constant range");
        if reserved.contains(net) {
            let message = format!("The destination CIDR block {net} is inside the reserved range {reserved}.");
            return Err(Refusal::invalid_value(message));
        }
        let ranges = self.vpc_ranges(vpc);
        if !ranges.iter().any(|range| range.contains(net)) {
            return Ok(());
        }
        if machine && ranges.contains(net) {
            // The local route holds it, which the caller finds, or may be replaced by a machine.
            return Ok(());
        }
        let nat = matches!(target, Target::Gateway(Gateway::Nat, _));
        if !machine && !nat {
            return Err(Refusal::invalid_value(format!(
                "The destination CIDR block {net} is equal to or more specific than one of this VPC's CIDR blocks. \
                 This route can target only an interface or an instance."
            )));
        }
        let is_subnet = self.subnets.values().filter(|subnet| subnet.vpc == vpc).any(|subnet| {
            IpNet::V4(subnet.cidr) == *net || subnet.ipv6_cidr.is_some_and(|cidr| IpNet::V6(cidr) == *net)
        });
        if is_subnet {
            return Ok(());
        }
        Err(Refusal::invalid_value("Route destination doesn't match any subnet CIDR blocks.".to_owned()))
    }
}

fn static_route(table: &RouteTable, destination: &Destination) -> Option<usize> {
    table.routes.iter().position(|route| route.origin.is_static() && route.destination == *destination)
}
