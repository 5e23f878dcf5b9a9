//! Who a Kubernetes node is in the cloud.
//!
//! A node's name is what its kubelet was told: often the machine's name, as often a full host name, sometimes in other
//! capitals, now and then something made up. Whoever looks machines up by it ends up creating and deleting the same
//! route for ever. So the name comes last. First the provider id, which the cloud itself gave the node; then the internal
//! address, looked up inside the network that the routes are in; only then the name.
//!
//! The order of questions is that of harm. A node that is going away, or that another cloud knows, is no fault of
//! anybody's, whatever else is odd about it; it keeps its routes until whoever owns it is done. A range that cannot be read is a
//! fault, and the ranges that it probably means are kept from deletion too.

use std::net::IpAddr;

use kroutes_core::{CidrError, Error, ErrorKind, LeftOut, MachineRef, NameError, NodeId, PodCidr, Worker};

use super::{Node, NodePrefix};
use crate::ProviderFormat;

/// Schemes of provider ids that name no cloud: distributions write them where nobody else wrote one, on any machine.
const OF_NO_CLOUD: [&str; 3] = ["k3s://", "rke2://", "kind://"];

/// What becomes of a node.
#[derive(Debug)]
pub(super) enum Verdict {
    Worker(Worker),
    LeftOut(LeftOut),
}

/// By what nodes are judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judge<'a> {
    pub(super) format: &'a ProviderFormat,
    pub(super) node_prefix: Option<&'a NodePrefix>,
}

/// Why a node is no worker, and whether that is a fault.
struct Reason {
    why: Error,
    is_fault: bool,
}

fn as_it_is(message: String) -> Reason {
    Reason { why: Error::new(ErrorKind::Unsupported, message), is_fault: false }
}

fn fault(message: String) -> Reason {
    Reason { why: Error::new(ErrorKind::Invalid, message), is_fault: true }
}

impl Judge<'_> {
    /// A worker, or why not. The error is that of a name which no message could tell.
    pub(super) fn verdict(&self, node: &Node) -> Result<Verdict, NameError> {
        let name = node.name.parse()?;
        let ranges = Ranges::of(node);
        Ok(
            match self
                .machine(node)
                .and_then(|(machine, addresses)| Ok((machine, addresses, self.ranges(node, &ranges)?)))
            {
                Ok((machine, addresses, pod_cidrs)) => Verdict::Worker(Worker { name, pod_cidrs, addresses, machine }),
                Err(Reason { why, is_fault }) => {
                    let pod_cidrs = self.spared(node, ranges);
                    Verdict::LeftOut(LeftOut { name, pod_cidrs, why, is_fault })
                }
            },
        )
    }

    /// The ranges whose routes are left alone. What is half readable is not known, and then nothing is pruned; where names
    /// stand for ranges, a node that is going away has had one by its name.
    fn spared(&self, node: &Node, ranges: Ranges) -> Vec<PodCidr> {
        if ranges.wrong.is_some() {
            return Vec::new();
        }
        if !ranges.known.is_empty() {
            return ranges.known;
        }
        let by_name = self.node_prefix.and_then(|prefix| prefix.ranges(&node.name).ok());
        by_name.unwrap_or_default()
    }

    fn machine(&self, node: &Node) -> Result<(MachineRef, Vec<IpAddr>), Reason> {
        let name = &node.name;
        if node.leaving {
            return Err(as_it_is(format!("node `{name}` is being deleted")));
        }
        let by_id = self.by_id(node)?;
        let addresses = addresses(node)?;
        let provider = self.format.name;
        if self.format.needs_address && addresses.is_empty() {
            return Err(fault(format!(
                "node `{name}` has no `InternalIP`, and `{provider}` sends to a worker by its address"
            )));
        }
        let by_address = || addresses.first().map(|address| MachineRef::Address(*address));
        let machine = by_id.or_else(by_address).unwrap_or_else(|| MachineRef::Name(name.clone()));
        Ok((machine, addresses))
    }

    fn by_id(&self, node: &Node) -> Result<Option<MachineRef>, Reason> {
        let (name, provider) = (&node.name, self.format.name);
        let id = node.provider_id.as_deref().map(str::trim).filter(|id| !id.is_empty());
        let Some(id) = id.filter(|id| !OF_NO_CLOUD.iter().any(|scheme| id.starts_with(scheme))) else {
            return Ok(None);
        };
        if self.format.needs_address {
            return Ok(None);
        }
        let shown = crate::load::quoted(id);
        match (self.format.node)(id) {
            NodeId::Machine(machine) => Ok(Some(machine)),
            NodeId::OtherCloud => {
                Err(as_it_is(format!("node `{name}` is no machine of `{provider}`: its id is {shown}")))
            }
            NodeId::NotAMachine(what) => Err(as_it_is(format!("node `{name}` is {what}: its id is {shown}"))),
        }
    }

    fn ranges(&self, node: &Node, ranges: &Ranges) -> Result<Vec<PodCidr>, Reason> {
        let name = &node.name;
        if let Some(wrong) = &ranges.wrong {
            return Err(fault(format!("node `{name}`: {wrong}")));
        }
        if !ranges.known.is_empty() {
            return Ok(ranges.known.clone());
        }
        match self.node_prefix {
            Some(prefix) => prefix.ranges(name).map_err(|why| Reason { why, is_fault: true }),
            None => Err(as_it_is(format!("node `{name}` has no pod CIDR yet"))),
        }
    }
}

/// A node's ranges as far as they can be read.
struct Ranges {
    /// With what a range with host bits means: a route to it is nobody's to remove.
    known: Vec<PodCidr>,
    wrong: Option<String>,
}

impl Ranges {
    fn of(node: &Node) -> Self {
        let mut ranges = Self { known: Vec::new(), wrong: None };
        for text in &node.pod_cidrs {
            let cidr = match text.parse::<PodCidr>() {
                Ok(cidr) => cidr,
                Err(error) => {
                    let meant = match &error {
                        CidrError::HostBits(_, meant) => PodCidr::new(*meant).ok(),
                        _ => None,
                    };
                    ranges.wrong.get_or_insert_with(|| error.to_string());
                    let Some(meant) = meant else { continue };
                    meant
                }
            };
            if let Some(other) = ranges.known.iter().find(|other| other.is_ipv6() == cidr.is_ipv6()) {
                let message = format!("its pod CIDRs `{other}` and `{cidr}` are of one family");
                ranges.wrong.get_or_insert(message);
            }
            ranges.known.push(cidr);
        }
        ranges
    }
}

/// The first internal address of each family.
fn addresses(node: &Node) -> Result<Vec<IpAddr>, Reason> {
    let mut addresses: Vec<IpAddr> = Vec::new();
    for text in &node.addresses {
        let address: IpAddr = text.parse().map_err(|_| {
            let shown = crate::load::quoted(text);
            fault(format!("node `{}`: its `InternalIP` {shown} is not an IP address", node.name))
        })?;
        if !addresses.iter().any(|known| known.is_ipv6() == address.is_ipv6()) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}
