//! From a seed to a Compute Engine network, as forgiving as [`build`](crate::build): a VM whose address lies outside
//! every subnetwork gets one around it.
//!
//! A lab may have thousands of VMs, so nobody here asks all that are there whether an address is free: each subnetwork
//! hands out its own in turn.

use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4AddrRange, Ipv4Net, Ipv6Net};

use crate::model::compute::{Compute, Machine, Nic, Status};
use crate::{SeedMachine, SeedNetwork};

/// A subnetwork and what is left of it.
struct Room {
    key: String,
    range: Ipv4Net,
    ipv6_range: Option<Ipv6Net>,
    left: Ipv4AddrRange,
}

struct Builder<'a> {
    seed: &'a SeedNetwork,
    compute: &'a mut Compute,
    rooms: Vec<Room>,
    /// Addresses that VMs have or will bring along.
    taken: HashSet<Ipv4Addr>,
    taken_v6: HashSet<Ipv6Addr>,
}

/// Adds the network and all that is in it.
pub(crate) fn build(seed: &SeedNetwork, compute: &mut Compute) {
    if !compute.networks.contains_key(&seed.name) {
        compute.add_network(&seed.name);
    }
    let taken = seed.machines.iter().filter_map(|machine| machine.address).collect();
    let taken_v6 = seed.machines.iter().filter_map(|machine| machine.ipv6).collect();
    let mut builder = Builder { seed, compute, rooms: Vec::new(), taken, taken_v6 };
    for subnetwork in &seed.subnetworks {
        builder.subnetwork(&subnetwork.name, subnetwork.range, subnetwork.ipv6_range);
    }
    builder.machines();
}

impl Builder<'_> {
    fn subnetwork(&mut self, name: &str, range: Ipv4Net, ipv6_range: Option<Ipv6Net>) -> usize {
        let key = self.compute.add_subnetwork(&self.seed.region, name, &self.seed.name, range, ipv6_range);
        let mut left = range.hosts();
        // Compute keeps the first two addresses of a primary range and its last two for itself ("Subnets", VPC
        // documentation); the outermost are no hosts anyway.
        left.next();
        self.rooms.push(Room { key, range, ipv6_range, left });
        self.rooms.len() - 1
    }

    fn machines(&mut self) {
        let mut given = HashSet::new();
        for (index, machine) in self.seed.machines.iter().enumerate() {
            // Of two VMs with one address, the second gets another, as the cloud itself would insist.
            let wanted = machine.address.filter(|address| given.insert(*address));
            let place = match wanted {
                Some(address) => Some((self.room_of(address), address)),
                None => self.free_address(),
            };
            // A subnetwork that is full holds no more: the cloud then lacks this VM.
            if let Some((room, address)) = place {
                self.machine(machine, index, room, address);
            }
        }
    }

    fn machine(&mut self, machine: &SeedMachine, index: usize, room: usize, address: Ipv4Addr) {
        let room = &self.rooms[room];
        let ipv6 = machine.ipv6.or_else(|| {
            let range = room.ipv6_range?;
            let first = u128::from(range.network()) + 0x1000 + index as u128;
            let mut candidates = (first..).take(self.taken_v6.len() + 1).map(Ipv6Addr::from);
            candidates.find(|address| range.contains(address) && !self.taken_v6.contains(address))
        });
        self.taken_v6.extend(ipv6);
        let nic =
            Nic { network: self.seed.name.clone(), subnetwork: room.key.clone(), address, ipv6, aliases: Vec::new() };
        let made = Machine {
            id: 0,
            status: Status::Running,
            can_ip_forward: machine.can_ip_forward,
            nics: vec![nic],
            metadata: machine.metadata.clone(),
            labels: machine.labels.clone(),
            tags: Vec::new(),
        };
        self.compute.put_machine(&machine.zone, &machine.name, made);
    }

    fn room_of(&mut self, address: Ipv4Addr) -> usize {
        let found = self.rooms.iter().position(|room| room.range.contains(&address));
        found.unwrap_or_else(|| {
            let name = format!("{}-{}", self.seed.name, self.rooms.len());
            self.subnetwork(&name, Ipv4Net::new_assert(address, 28).trunc(), None)
        })
    }

    fn free_address(&mut self) -> Option<(usize, Ipv4Addr)> {
        if self.rooms.is_empty() {
            let name = self.seed.name.clone();
            self.subnetwork(&name, Ipv4Net::new_assert(Ipv4Addr::new(10, 240, 0, 0), 20), None);
        }
        let taken = &mut self.taken;
        self.rooms.iter_mut().enumerate().find_map(|(index, room)| {
            let kept = u32::from(room.range.broadcast()).wrapping_sub(1);
            let address = room.left.find(|address| u32::from(*address) != kept && !taken.contains(address))?;
            taken.insert(address);
            Some((index, address))
        })
    }
}
