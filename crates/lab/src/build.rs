//! From a seed to a cloud.
//!
//! Building never fails: a seed is written by a test or derived from a topology, and one that is a little off (an address
//! outside the VPC) gets the network that it needs rather than an error at an odd place.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ipnet::{Ipv4AddrRange, Ipv4Net, Ipv6Net};

use crate::build_stacks::{Exported, ExportedInstance, ExportedTable};
use crate::model::{Association, Launch, Subnet, Tags, Vpc};
use crate::{Cloud, Options, Seed, SeedInstance, SeedTable};

/// A subnet and what is left of it.
struct Room {
    id: String,
    cidr: Ipv4Net,
    left: Ipv4AddrRange,
}

impl Room {
    fn new(id: String, cidr: Ipv4Net) -> Self {
        let mut left = cidr.hosts();
        // EC2 keeps the first four addresses of a subnet and its last one for itself.
        left.nth(2);
        Self { id, cidr, left }
    }
}

struct Builder<'a> {
    seed: &'a Seed,
    cloud: Cloud,
    vpc: String,
    ranges: Vec<Ipv4Net>,
    /// Subnets in the order of their making, which is the order in which instances without an address fill them.
    subnets: Vec<Room>,
    /// Addresses that instances bring along.
    taken: BTreeSet<Ipv4Addr>,
    /// What has come of it that a stack exports.
    exported: Exported,
}

impl Seed {
    /// The cloud itself, without an endpoint: for those who want its rules and no sockets.
    pub fn build(&self, options: &Options) -> Cloud {
        let given: BTreeSet<Ipv4Addr> = self.instances.iter().filter_map(|instance| instance.private_ip).collect();
        let mut ranges = self.vpc_cidrs.clone();
        for address in &given {
            if !ranges.iter().any(|range| range.contains(address)) {
                ranges.push(Ipv4Net::new_assert(*address, 24).trunc());
            }
        }
        let mut cloud = Cloud::empty(options);
        let tags = Tags::from([("Name".to_owned(), "lab".to_owned())]);
        let vpc = Vpc { cidrs: ranges.clone(), ipv6_cidrs: self.vpc_ipv6_cidrs.clone(), tags };
        let vpc = cloud.add_vpc(self.vpc.clone(), vpc);
        let mut builder = Builder {
            seed: self,
            cloud,
            vpc,
            ranges,
            subnets: Vec::new(),
            taken: given,
            exported: Exported::default(),
        };
        builder.tables();
        builder.instances();
        builder.exported.literals.clone_from(&self.exports);
        crate::build_stacks::build(&mut builder.cloud, &builder.exported);
        for network in &self.compute {
            crate::build_network::build(network, &mut builder.cloud.compute);
        }
        builder.cloud
    }
}

impl Builder<'_> {
    fn tables(&mut self) {
        if !self.seed.tables.iter().any(|table| table.main) {
            let bare = self.cloud.add_table(None, &self.vpc, Tags::new());
            self.cloud.add_association(&bare, Association::Main);
        }
        for table in &self.seed.tables {
            self.table(table);
        }
        if self.subnets.is_empty() {
            self.subnet(None, None);
        }
    }

    fn table(&mut self, table: &SeedTable) {
        let id = self.cloud.add_table(table.id.clone(), &self.vpc, table.tags.clone());
        self.cloud.add_default_route(&id);
        if table.main {
            self.cloud.add_association(&id, Association::Main);
        }
        let mut first = None;
        for subnet in &table.subnets {
            let subnet = self.subnet(subnet.id.clone(), subnet.cidr);
            first.get_or_insert_with(|| subnet.clone());
            if !table.main {
                self.cloud.add_association(&id, Association::Subnet(subnet));
            }
        }
        if let Some(export) = table.export.clone() {
            self.exported.tables.push(ExportedTable { export, id, vpc: self.vpc.clone(), subnet: first });
        }
    }

    fn subnet(&mut self, id: Option<String>, cidr: Option<Ipv4Net>) -> String {
        let cidr = cidr.unwrap_or_else(|| self.free_block());
        let index = self.subnets.len();
        let ipv6_cidr = self.seed.vpc_ipv6_cidrs.first().and_then(|range| range.subnets(64).ok()?.nth(index));
        let zone = format!("{}{}", self.cloud.region, ["a", "b", "c"][index % 3]);
        let subnet = Subnet { vpc: self.vpc.clone(), cidr, ipv6_cidr, zone, tags: Tags::new() };
        let id = self.cloud.add_subnet(id, subnet);
        self.subnets.push(Room::new(id.clone(), cidr));
        id
    }

    fn free_block(&self) -> Ipv4Net {
        let blocks =
            self.ranges.iter().flat_map(|range| range.subnets(range.prefix_len().max(24)).into_iter().flatten());
        let overlaps =
            |block: &Ipv4Net| self.subnets.iter().any(|room| room.cidr.contains(block) || block.contains(&room.cidr));
        let mut free = blocks.filter(|block| !overlaps(block));
        free.next().or_else(|| self.ranges.first().copied()).unwrap_or_default()
    }

    fn instances(&mut self) {
        let seed = self.seed;
        for (index, instance) in seed.instances.iter().enumerate() {
            let (subnet, address) = self.place(instance, index);
            let launch = Launch {
                id: instance.id.clone(),
                subnet: subnet.clone(),
                private_ip: address,
                ipv6: instance.ipv6.or_else(|| self.ipv6(&subnet, index)).into_iter().collect(),
                user_data: instance.user_data.as_ref().map(|text| STANDARD.encode(text)),
                kind: "t3.micro".to_owned(),
                image: "ami-0123456789abcdef0".to_owned(),
                tags: instance.tags.clone(),
                source_dest_check: instance.source_dest_check,
            };
            let mut launched = self.cloud.launch(launch);
            if launched.is_err() {
                // Two instances of one address: the second gets another, as the cloud itself would insist.
                let again = SeedInstance { private_ip: None, ..instance.clone() };
                let (subnet, address) = self.place(&again, index);
                let tags = instance.tags.clone();
                let launch = Launch { id: instance.id.clone(), subnet, private_ip: address, tags, ..Launch::default() };
                // A subnet that is full as well holds no more: the cloud then lacks this instance.
                launched = self.cloud.launch(launch);
            }
            if let (Some(export), Ok(id)) = (instance.export.clone(), launched) {
                let name = instance.tags.get("Name").cloned().unwrap_or_default();
                self.exported.instances.push(ExportedInstance { export, id, name });
            }
        }
    }

    /// A subnet, and an address in it.
    fn place(&mut self, instance: &SeedInstance, index: usize) -> (String, Option<Ipv4Addr>) {
        if let Some(address) = instance.private_ip {
            let found = self.subnets.iter().find(|room| room.cidr.contains(&address)).map(|room| room.id.clone());
            let subnet = found.unwrap_or_else(|| self.subnet(None, Some(Ipv4Net::new_assert(address, 28).trunc())));
            return (subnet, Some(address));
        }
        let count = self.subnets.len();
        for step in 0..count {
            let room = &mut self.subnets[(index + step) % count];
            if let Some(address) = room.left.find(|address| !self.taken.contains(address)) {
                return (room.id.clone(), Some(address));
            }
        }
        (self.subnets[index % count].id.clone(), None)
    }

    /// An IPv6 address in the subnet's range, if it has one.
    fn ipv6(&self, subnet: &str, index: usize) -> Option<Ipv6Addr> {
        let range: Ipv6Net = self.cloud.subnets.get(subnet)?.ipv6_cidr?;
        Some(Ipv6Addr::from(u128::from(range.network()) + 0x1000 + index as u128))
    }
}
