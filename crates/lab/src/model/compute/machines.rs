//! VMs: what somebody may do to them behind the API's back, and the three requests that change one.
//!
//! A route never notices what becomes of its machine ("Static routes", VPC documentation: a stopped or deleted VM leaves
//! the route in place and packets are dropped), so nothing here touches a route.

use std::net::Ipv4Addr;

use super::{Asked, Compute, Effect, Machine, Nic, Refusal, Status};
use crate::model::Tags;

impl Status {
    /// Compute's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provisioning => "PROVISIONING",
            Self::Staging => "STAGING",
            Self::Running => "RUNNING",
            Self::Stopping => "STOPPING",
            Self::Terminated => "TERMINATED",
            Self::Suspended => "SUSPENDED",
        }
    }
}

impl Compute {
    /// The key, `ZONE/NAME`, of a machine of this name; of several, that of the first zone.
    pub fn machine_named(&self, name: &str) -> Option<String> {
        let named = |key: &&String| key.split_once('/').is_some_and(|(_, held)| held == name);
        self.machines.keys().find(named).cloned()
    }

    /// A running machine that may forward packets, with one interface in this subnetwork; its key. Whatever else it
    /// should be is written into [`machines`](Self::machines).
    pub fn add_machine(&mut self, zone: &str, name: &str, subnetwork: &str, address: Ipv4Addr) -> String {
        let machine = Machine {
            id: 0,
            status: Status::Running,
            can_ip_forward: true,
            nics: vec![self.nic(subnetwork, address)],
            metadata: Tags::new(),
            labels: Tags::new(),
            tags: Vec::new(),
        };
        self.put_machine(zone, name, machine)
    }

    /// Adds or replaces a machine under a new number; its key.
    pub fn put_machine(&mut self, zone: &str, name: &str, machine: Machine) -> String {
        let key = format!("{zone}/{name}");
        let id = self.new_id();
        self.machines.insert(key.clone(), Machine { id, ..machine });
        key
    }

    fn nic(&self, subnetwork: &str, address: Ipv4Addr) -> Nic {
        let network = self.subnetworks.get(subnetwork).map(|held| held.network.clone()).unwrap_or_default();
        Nic { network, subnetwork: subnetwork.to_owned(), address, ipv6: None, aliases: Vec::new() }
    }

    /// One more interface; `false` without such a machine.
    pub fn add_nic(&mut self, key: &str, subnetwork: &str, address: Ipv4Addr) -> bool {
        let nic = self.nic(subnetwork, address);
        self.machines.get_mut(key).map(|machine| machine.nics.push(nic)).is_some()
    }

    /// Gives the primary interface another address; `false` without such a machine.
    pub fn set_address(&mut self, key: &str, address: Ipv4Addr) -> bool {
        let nic = self.machines.get_mut(key).and_then(|machine| machine.nics.first_mut());
        nic.map(|nic| nic.address = address).is_some()
    }

    /// Moves a machine on in its life; `false` without such a machine.
    pub fn set_status(&mut self, key: &str, status: Status) -> bool {
        self.machines.get_mut(key).map(|machine| machine.status = status).is_some()
    }

    /// Takes a machine away, as if it had never been; `false` without such a machine.
    pub fn delete_machine(&mut self, key: &str) -> bool {
        self.machines.remove(key).is_some()
    }

    /// `instances.start` and `stop`, or with `None` `delete`: the name of the zonal operation that will do it.
    ///
    /// # Errors
    ///
    /// No such machine, or another operation on it is not done; a request id that is none.
    pub fn ask_machine(&mut self, key: &str, status: Option<Status>, asked: Asked) -> Result<String, Refusal> {
        if let Some(known) = self.known(&asked)? {
            return Ok(known);
        }
        let (zone, name) = key.split_once('/').unwrap_or(("", key));
        let target = format!("projects/{}/zones/{zone}/instances/{name}", self.project);
        let Some(id) = self.machines.get(key).map(|machine| machine.id) else {
            return Err(Refusal::not_found(&target));
        };
        if self.is_pending(&target) {
            return Err(Refusal::not_ready(&target));
        }
        let kind = match status {
            None => "delete",
            Some(Status::Running) => "start",
            Some(Status::Suspended) => "suspend",
            Some(_) => "stop",
        };
        Ok(self.begin(kind, Some(zone), target, id, Effect::Machine(status), asked))
    }
}
