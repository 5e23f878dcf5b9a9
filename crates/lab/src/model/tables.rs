//! Route tables and what they are associated with.
//!
//! A subnet that is not associated explicitly uses the VPC's main table and does not show up there: that is EC2's way,
//! and a client that counts associations must learn it here rather than in production.

use super::ids::Kind;
use super::{
    Association, Cloud, Destination, Gateway, InternetGateway, Origin, Refusal, Route, RouteTable, Subnet, Tags,
    Target, Vpc,
};

impl Cloud {
    pub(crate) fn table(&self, id: &str) -> Result<&RouteTable, Refusal> {
        self.tables.get(id).ok_or_else(|| Kind::RouteTable.unknown(&[id]))
    }

    pub(crate) fn table_mut(&mut self, id: &str) -> Result<&mut RouteTable, Refusal> {
        self.tables.get_mut(id).ok_or_else(|| Kind::RouteTable.unknown(&[id]))
    }

    /// A VPC with an internet gateway; its tables come separately.
    pub fn add_vpc(&mut self, id: Option<String>, vpc: Vpc) -> String {
        let id = id.unwrap_or_else(|| self.new_id(Kind::Vpc));
        self.vpcs.insert(id.clone(), vpc);
        let gateway = self.new_id(Kind::InternetGateway);
        self.internet_gateways.insert(gateway, InternetGateway { vpc: id.clone(), tags: Tags::new() });
        id
    }

    /// A subnet.
    pub fn add_subnet(&mut self, id: Option<String>, subnet: Subnet) -> String {
        let id = id.unwrap_or_else(|| self.new_id(Kind::Subnet));
        self.subnets.insert(id.clone(), subnet);
        id
    }

    /// A route table with its local routes and nothing else.
    pub fn add_table(&mut self, id: Option<String>, vpc: &str, tags: Tags) -> String {
        let id = id.unwrap_or_else(|| self.new_id(Kind::RouteTable));
        let local =
            |net| Route { destination: Destination::Net(net), target: Target::Local, origin: Origin::CreateRouteTable };
        let routes = self.vpc_ranges(vpc).into_iter().map(local).collect();
        self.tables.insert(id.clone(), RouteTable { vpc: vpc.to_owned(), routes, tags, ..RouteTable::default() });
        id
    }

    /// The id of the table with this `Name` tag; the first of several.
    pub fn table_named(&self, name: &str) -> Option<String> {
        let mut named = self.tables.iter().filter(|(_, table)| table.tags.get("Name").is_some_and(|tag| tag == name));
        named.next().map(|(id, _)| id.clone())
    }

    /// Puts a route into a table without judging it: somebody else's NAT gateway, a propagated route.
    pub fn put_route(&mut self, table: &str, route: Route) {
        if let Some(table) = self.tables.get_mut(table) {
            table.routes.push(route);
        }
    }

    /// Adds the default route to the VPC's internet gateway, as every lab's table has it.
    pub(crate) fn add_default_route(&mut self, table: &str) {
        let Some(vpc) = self.tables.get(table).map(|table| table.vpc.clone()) else { return };
        let gateway = self.internet_gateways.iter().find(|(_, gateway)| gateway.vpc == vpc).map(|(id, _)| id.clone());
        let everything: ipnet::IpNet = "0.0.0.0/0".parse().expect("a constant range");
        if let Some(gateway) = gateway {
            self.put_route(table, Route::new(everything, Target::Gateway(Gateway::Gateway, gateway)));
        }
    }

    /// Adds an association without judging it.
    pub(crate) fn add_association(&mut self, table: &str, association: Association) -> String {
        let id = self.new_id(Kind::Association);
        if let Some(table) = self.tables.get_mut(table) {
            table.associations.insert(id.clone(), association);
        }
        id
    }

    /// `CreateRouteTable`.
    ///
    /// # Errors
    ///
    /// An unknown VPC.
    pub fn create_route_table(&mut self, vpc: &str, tags: Tags) -> Result<String, Refusal> {
        if !self.vpcs.contains_key(vpc) {
            return Err(Kind::Vpc.unknown(&[vpc]));
        }
        Ok(self.add_table(None, vpc, tags))
    }

    /// `DeleteRouteTable`.
    ///
    /// # Errors
    ///
    /// An unknown table, or one that still serves something.
    pub fn delete_route_table(&mut self, id: &str) -> Result<(), Refusal> {
        if !self.table(id)?.associations.is_empty() {
            let message = format!("The routeTable '{id}' has dependencies and cannot be deleted.");
            return Err(Refusal::new("DependencyViolation", message));
        }
        self.tables.remove(id);
        Ok(())
    }

    /// `AssociateRouteTable`; answers the association's id.
    ///
    /// # Errors
    ///
    /// An unknown table, subnet or gateway; another VPC; a subnet that has an explicit association already.
    pub fn associate(&mut self, id: &str, to: Association) -> Result<String, Refusal> {
        let vpc = self.table(id)?.vpc.clone();
        let (other, noun) = match &to {
            Association::Subnet(subnet) => {
                let found = self.subnets.get(subnet).ok_or_else(|| Kind::Subnet.unknown(&[subnet]))?;
                (found.vpc.clone(), format!("subnet {subnet}"))
            }
            Association::Gateway(gateway) => {
                let found =
                    self.internet_gateways.get(gateway).ok_or_else(|| Kind::InternetGateway.unknown(&[gateway]))?;
                (found.vpc.clone(), format!("network gateway {gateway}"))
            }
            Association::Main => (vpc.clone(), String::new()),
        };
        if other != vpc {
            return Err(Refusal::invalid_value(format!("route table {id} and {noun} belong to different networks")));
        }
        if let Some((table, association)) = self.association_to(&to) {
            if table == id {
                return Ok(association);
            }
            let message =
                format!("the specified association for route table {id} conflicts with an existing association");
            return Err(Refusal::new("Resource.AlreadyAssociated", message));
        }
        Ok(self.add_association(id, to))
    }

    /// `DisassociateRouteTable`.
    ///
    /// # Errors
    ///
    /// An unknown association, or the main one.
    pub fn disassociate(&mut self, association: &str) -> Result<(), Refusal> {
        let table = self.holder_of(association)?;
        let table = self.table_mut(&table)?;
        if table.associations.get(association) == Some(&Association::Main) {
            let message = format!("cannot disassociate the main route table association {association}");
            return Err(Refusal::invalid_value(message));
        }
        table.associations.remove(association);
        Ok(())
    }

    /// `ReplaceRouteTableAssociation`, which is also how a VPC gets another main table; answers the new association's id.
    ///
    /// # Errors
    ///
    /// An unknown association or table; another VPC.
    pub fn replace_association(&mut self, association: &str, table: &str) -> Result<String, Refusal> {
        let holder = self.holder_of(association)?;
        if self.table(table)?.vpc != self.table(&holder)?.vpc {
            let message = format!("route table {table} and association {association} belong to different networks");
            return Err(Refusal::invalid_value(message));
        }
        let Some(moved) = self.table_mut(&holder)?.associations.remove(association) else {
            return Err(Kind::Association.unknown(&[association]));
        };
        Ok(self.add_association(table, moved))
    }

    fn holder_of(&self, association: &str) -> Result<String, Refusal> {
        let holder = self.tables.iter().find(|(_, table)| table.associations.contains_key(association));
        holder.map(|(id, _)| id.clone()).ok_or_else(|| Kind::Association.unknown(&[association]))
    }

    fn association_to(&self, wanted: &Association) -> Option<(String, String)> {
        self.tables.iter().find_map(|(table, found)| {
            let held = found.associations.iter().find(|(_, held)| *held == wanted && **held != Association::Main);
            held.map(|(id, _)| (table.clone(), id.clone()))
        })
    }
}
