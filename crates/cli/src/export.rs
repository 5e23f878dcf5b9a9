//! The same routes as somebody would type them.
//!
//! Whoever reads a guide sees commands, and whoever hands a cluster over wants files that work without kroutes. What is
//! exported is all that the topology wants, whatever the cloud holds already: run against a cloud without these routes it
//! leaves nothing for `kroutes plan` to do. A provider writes in its own tool's words; `ip route` needs no provider, only
//! addresses.

use std::fmt::Write;
use std::net::IpAddr;

use clap::ValueEnum;
use kroutes_core::{Error, ErrorKind, Observation, Result, Table, Topology, Worker};
use kroutes_driver::Loaded;

/// In whose words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// `aws ec2 create-route`
    AwsCli,
    /// A `CloudFormation` template
    Cloudformation,
    /// `gcloud compute routes create`
    Gcloud,
    /// `ip route add`, for a Linux router
    IpRoute,
}

impl Format {
    /// The provider whose words they are; `ip route` is nobody's.
    pub(crate) const fn provider(self) -> Option<&'static str> {
        match self {
            Self::AwsCli | Self::Cloudformation => Some("aws"),
            Self::Gcloud => Some("gcp"),
            Self::IpRoute => None,
        }
    }

    /// What a provider's routes are written as when nobody says.
    pub(crate) fn of(provider: &str) -> Option<Self> {
        match provider {
            "aws" => Some(Self::AwsCli),
            "gcp" => Some(Self::Gcloud),
            _ => None,
        }
    }
}

/// All that a provider needs to write them.
#[derive(Debug)]
#[cfg_attr(not(all(feature = "aws", feature = "gcp")), allow(dead_code, reason = "each provider uses its part of it"))]
pub(crate) struct Export<'a> {
    pub(crate) loaded: &'a Loaded,
    pub(crate) observation: &'a Observation,
    pub(crate) routes: Vec<Exported<'a>>,
    /// Whether a lab stands in for the cloud.
    pub(crate) in_lab: bool,
}

#[cfg_attr(not(all(feature = "aws", feature = "gcp")), allow(dead_code, reason = "each provider uses its part of it"))]
impl Export<'_> {
    /// The tables, each with how the topology names it.
    pub(crate) fn readings(&self) -> impl Iterator<Item = (&str, &Table)> {
        let readings = self.observation.tables.iter();
        readings.filter_map(|reading| Some((reading.wanted.as_str(), reading.table.as_ref().ok()?)))
    }

    /// The tables.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &Table> {
        self.readings().map(|(_, table)| table)
    }
}

/// One wanted route with all that a command may need of it.
#[derive(Debug)]
#[cfg_attr(not(all(feature = "aws", feature = "gcp")), allow(dead_code, reason = "each provider uses its part of it"))]
pub(crate) struct Exported<'a> {
    pub(crate) worker: &'a Worker,
    pub(crate) route: kroutes_core::Route,
}

/// Every wanted route. An export that lacks one would be taken for the whole, so the first worker that cannot be used or is
/// not found, and the first table that cannot be read, fails it.
pub(crate) fn wanted<'a>(topology: &'a Topology, observation: &Observation) -> Result<Vec<Exported<'a>>> {
    whole(topology)?;
    if let Some(error) = observation.tables.iter().find_map(|reading| reading.table.as_ref().err()) {
        return Err(error.clone());
    }
    let exported = topology.ranges().map(|(worker, destination)| {
        let next_hop = match observation.next_hops.get(&destination) {
            Some(Ok(hop)) => hop.clone(),
            Some(Err(error)) => return Err(error.clone()),
            None => {
                let message = format!("the provider said nothing of worker `{}`", worker.name);
                return Err(Error::new(ErrorKind::Unexpected, message));
            }
        };
        let route = kroutes_core::Route { destination, next_hop, worker: worker.name.clone() };
        Ok(Exported { worker, route })
    });
    exported.collect()
}

/// A worker that the source could make nothing of is missing from the topology, and would be from the export.
fn whole(topology: &Topology) -> Result<()> {
    let lost = topology.left_out().iter().find(|one| one.is_fault);
    lost.map_or(Ok(()), |one| Err(one.why.clone().with("worker", one.name.as_str())))
}

/// A word as a shell takes it.
#[cfg_attr(
    not(any(feature = "aws", feature = "gcp")),
    allow(dead_code, reason = "a build without providers quotes nothing")
)]
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// For a Linux router: one command a range, with the worker's own address of that family as gateway.
pub(crate) fn ip_route(topology: &Topology) -> Result<String> {
    whole(topology)?;
    let mut text = String::new();
    for (worker, cidr) in topology.ranges() {
        let same_family = |address: &&IpAddr| address.is_ipv6() == cidr.is_ipv6();
        let Some(address) = worker.addresses.iter().find(same_family) else {
            let family = if cidr.is_ipv6() { "IPv6" } else { "IPv4" };
            let message = format!("worker `{}` has no {family} address, and a router sends to addresses", worker.name);
            let help = "give it an `address` in the topology, one per family of its pods";
            return Err(Error::new(ErrorKind::Invalid, message).help(help));
        };
        let family = if cidr.is_ipv6() { "-6 " } else { "" };
        let _ = writeln!(text, "ip {family}route add {cidr} via {address}");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_a_shell_would_read_is_quoted() {
        for (word, shown) in
            [("rtb-0a", "rtb-0a"), ("", "''"), ("a b", "'a b'"), ("it's", "'it'\\''s'"), ("$x", "'$x'")]
        {
            assert_eq!(quoted(word), shown);
        }
    }
}
