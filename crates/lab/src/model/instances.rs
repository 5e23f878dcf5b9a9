//! Instances, their lives and their interfaces.
//!
//! The lab's instances have no transitional moments: a launched instance runs, a terminated one is gone at once with its
//! interfaces, though the record of it stays, as EC2 keeps showing a terminated instance for up to an hour.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::ids::Kind;
use super::{Attachment, Cloud, Instance, Interface, Life, Refusal, Tags};

/// When everything in a lab was launched: always the same, so that two runs compare equal.
pub(crate) const LAUNCHED: &str = "2026-01-01T00:00:00.000Z";

/// What an instance is launched with.
#[derive(Debug, Clone, Default)]
pub struct Launch {
    /// Its id; made up without one.
    pub id: Option<String>,
    /// The subnet's id.
    pub subnet: String,
    /// Its address; the first free one of the subnet without one.
    pub private_ip: Option<Ipv4Addr>,
    /// IPv6 addresses.
    pub ipv6: Vec<Ipv6Addr>,
    /// User data in base64.
    pub user_data: Option<String>,
    /// The type's name.
    pub kind: String,
    /// The image's id.
    pub image: String,
    /// Tags.
    pub tags: Tags,
    /// Whether EC2 drops packets that are not its own.
    pub source_dest_check: bool,
}

impl Cloud {
    pub(crate) fn instance(&self, id: &str) -> Result<&Instance, Refusal> {
        self.instances.get(id).ok_or_else(|| Kind::Instance.unknown(&[id]))
    }

    /// The interfaces of an instance, the primary one first.
    pub fn interfaces_of(&self, instance: &str) -> Vec<(&str, &Interface)> {
        let mut held: Vec<(u32, &str, &Interface)> = self
            .interfaces
            .iter()
            .filter_map(|(id, interface)| {
                let attachment = interface.attachment.as_ref().filter(|held| held.instance == instance)?;
                Some((attachment.device_index, id.as_str(), interface))
            })
            .collect();
        held.sort_by_key(|(index, id, _)| (*index, *id));
        held.into_iter().map(|(_, id, interface)| (id, interface)).collect()
    }

    /// The one interface of an instance, where EC2 takes the instance's id for it.
    pub(crate) fn only_interface(&self, instance: &str) -> Result<String, Refusal> {
        match self.interfaces_of(instance).as_slice() {
            [(id, _)] => Ok((*id).to_owned()),
            [] => Err(Refusal::new(
                "IncorrectInstanceState",
                format!("The instance '{instance}' is terminated and has no network interface"),
            )),
            _ => Err(Refusal::new(
                "InvalidInstanceID",
                format!(
                    "There are multiple interfaces attached to instance '{instance}'. \
                     Please specify an interface ID for the operation instead."
                ),
            )),
        }
    }

    /// Launches one running instance with one interface; answers its id.
    ///
    /// # Errors
    ///
    /// An unknown subnet; an address outside it or taken; a full subnet.
    pub fn launch(&mut self, launch: Launch) -> Result<String, Refusal> {
        let subnet = self.subnets.get(&launch.subnet).ok_or_else(|| Kind::Subnet.unknown(&[&launch.subnet]))?;
        let vpc = subnet.vpc.clone();
        let private_ip = self.free_address(&launch.subnet, launch.private_ip)?;
        let id = launch.id.clone().unwrap_or_else(|| self.new_id(Kind::Instance));
        let reservation = self.new_id(Kind::Reservation);
        let instance = Instance {
            life: Life::Running,
            vpc: vpc.clone(),
            subnet: launch.subnet.clone(),
            kind: launch.kind,
            image: launch.image,
            user_data: launch.user_data,
            reservation,
            tags: launch.tags,
        };
        self.instances.insert(id.clone(), instance);
        let interface = Interface {
            vpc,
            subnet: launch.subnet,
            private_ip,
            ipv6: launch.ipv6,
            source_dest_check: launch.source_dest_check,
            attachment: None,
            tags: Tags::new(),
        };
        self.attach(&id, interface, 0);
        Ok(id)
    }

    /// Gives an instance one more interface in its own subnet; answers the interface's id.
    ///
    /// # Errors
    ///
    /// An unknown instance, a full subnet.
    pub fn add_interface(&mut self, instance: &str) -> Result<String, Refusal> {
        let found = self.instance(instance)?;
        let (vpc, subnet) = (found.vpc.clone(), found.subnet.clone());
        let private_ip = self.free_address(&subnet, None)?;
        let next = self.interfaces_of(instance).len();
        let interface = Interface {
            vpc,
            subnet,
            private_ip,
            ipv6: Vec::new(),
            source_dest_check: true,
            attachment: None,
            tags: Tags::new(),
        };
        Ok(self.attach(instance, interface, u32::try_from(next).unwrap_or(u32::MAX)))
    }

    fn attach(&mut self, instance: &str, mut interface: Interface, device_index: u32) -> String {
        let id = self.new_id(Kind::Interface);
        let attachment = self.new_id(Kind::Attachment);
        interface.attachment = Some(Attachment { id: attachment, instance: instance.to_owned(), device_index });
        self.interfaces.insert(id.clone(), interface);
        id
    }

    fn free_address(&self, id: &str, wanted: Option<Ipv4Addr>) -> Result<Ipv4Addr, Refusal> {
        let subnet = self.subnets.get(id).ok_or_else(|| Kind::Subnet.unknown(&[id]))?;
        let neighbours = || self.interfaces.values().filter(|it| it.vpc == subnet.vpc).map(|it| it.private_ip);
        if let Some(address) = wanted {
            if !subnet.cidr.contains(&address) {
                return Err(Refusal::invalid_value(format!(
                    "Address {address} does not fall within the subnet's address range"
                )));
            }
            if neighbours().any(|taken| taken == address) {
                return Err(Refusal::new("InvalidIPAddress.InUse", format!("Address {address} is in use.")));
            }
            return Ok(address);
        }
        let taken: BTreeSet<Ipv4Addr> = neighbours().collect();
        // EC2 keeps the first four addresses of a subnet and its last one for itself.
        let mut free = subnet.cidr.hosts().skip(3).filter(|address| !taken.contains(address));
        free.next().ok_or_else(|| {
            Refusal::new("InsufficientFreeAddressesInSubnet", format!("Not enough free addresses in subnet '{id}'."))
        })
    }

    /// Moves an instance on, as start, stop and terminate do. Termination deletes its interfaces.
    ///
    /// # Errors
    ///
    /// An unknown instance, or one that cannot go that way.
    pub fn set_life(&mut self, id: &str, life: Life) -> Result<Life, Refusal> {
        let before = self.instance(id)?.life;
        if before == Life::Terminated && life != Life::Terminated {
            let message = format!("The instance '{id}' is not in a state from which it can be started or stopped.");
            return Err(Refusal::new("IncorrectInstanceState", message));
        }
        if let Some(instance) = self.instances.get_mut(id) {
            instance.life = life;
        }
        if life == Life::Terminated {
            self.interfaces.retain(|_, interface| interface.attachment.as_ref().is_none_or(|held| held.instance != id));
        }
        Ok(before)
    }

    /// Ends an instance for good, as `TerminateInstances` does; its record stays.
    pub fn terminate(&mut self, id: &str) {
        // An unknown instance cannot be more gone than it is.
        let _unknown = self.set_life(id, Life::Terminated);
    }

    /// Ends an instance and its record, as an hour after its termination.
    pub fn forget_instance(&mut self, id: &str) {
        self.terminate(id);
        self.instances.remove(id);
    }

    /// `ModifyInstanceAttribute` with `SourceDestCheck`.
    ///
    /// # Errors
    ///
    /// An unknown instance; several interfaces.
    pub fn set_source_dest_check(&mut self, instance: &str, on: bool) -> Result<(), Refusal> {
        self.instance(instance)?;
        let interface = self.only_interface(instance)?;
        self.set_interface_check(&interface, on)
    }

    /// `ModifyNetworkInterfaceAttribute` with `SourceDestCheck`.
    ///
    /// # Errors
    ///
    /// An unknown interface.
    pub fn set_interface_check(&mut self, interface: &str, on: bool) -> Result<(), Refusal> {
        let found = self.interfaces.get_mut(interface).ok_or_else(|| Kind::Interface.unknown(&[interface]))?;
        found.source_dest_check = on;
        Ok(())
    }

    /// The id of the instance with this `Name` tag that has not ended; the first of several.
    pub fn instance_named(&self, name: &str) -> Option<String> {
        let alive = self.instances.iter().filter(|(_, instance)| instance.life != Life::Terminated);
        let mut named = alive.filter(|(_, instance)| instance.tags.get("Name").is_some_and(|tag| tag == name));
        named.next().map(|(id, _)| id.clone())
    }
}
