//! Whose route is it, and why.
//!
//! Everything that kroutes may ever change is decided here. The rule is strict in one direction: a route is foreign
//! unless it can be shown to be ours. It has to lie wholly inside the cluster CIDR (10.0.0.0/8 shares its first address
//! with 10.0.0.0/16 and has been deleted for it by other tools), and then:
//!
//! - where routes can carry a mark, it carries ours, exactly;
//! - where they cannot (EC2), it was made by a call like ours, leads to a machine, and that machine is one of our
//!   workers, or is proved gone, or the table bears our claim for that destination.
//!
//! A failed lookup proves nothing, so what cannot be looked up is foreign until it can.
//!
//! The claim is how a table remembers us where routes cannot: with it, the route of a worker that has left the topology
//! is still ours to remove. It may be written only while nothing in its range is somebody else's machine route, because
//! afterwards it would cover that one too.

use std::fmt;

use crate::{
    Capabilities, Claim, Cluster, Destination, Life, Observation, ObservedRoute, Origin, Table, Target, overlap,
};

/// Why a route is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ours {
    /// It carries our mark.
    Marked,
    /// It leads to one of the workers.
    Worker,
    /// Its machine is gone; how that is known, in words.
    Gone(String),
    /// The table bears our claim for it.
    Claimed,
}

/// Why a route is not ours.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Foreign {
    /// Its destination is no range of addresses.
    NotARange,
    /// Its destination is not wholly inside the cluster CIDR.
    Outside,
    /// It does not carry our mark.
    Unmarked,
    /// It was not made by a call like ours; the origin, in words.
    NotStatic(String),
    /// It leads to something that is no machine; what, in words.
    NotAMachine(String),
    /// It leads to a network interface that belongs to no machine.
    Detached,
    /// It leads to a machine that is no worker, and no claim of ours covers it.
    OtherMachine(String),
    /// Whether its machine still exists could not be found out; why, in words.
    Unproved(String),
}

/// Whose route it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// Ours, and may be changed.
    Ours(Ours),
    /// Somebody else's, and is left alone.
    Foreign(Foreign),
}

impl Owner {
    /// Whether it is ours.
    pub const fn is_ours(&self) -> bool {
        matches!(self, Self::Ours(_))
    }
}

impl fmt::Display for Ours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Marked => f.write_str("carries our mark"),
            Self::Worker => f.write_str("leads to a worker"),
            Self::Gone(why) => f.write_str(why),
            Self::Claimed => f.write_str("the table bears our claim for it"),
        }
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARange => f.write_str("not a range of addresses"),
            Self::Outside => f.write_str("outside the cluster CIDR"),
            Self::Unmarked => f.write_str("does not carry our mark"),
            Self::NotStatic(origin) => write!(f, "not a static route ({origin})"),
            Self::NotAMachine(_) => f.write_str("not an instance route"),
            Self::Detached => f.write_str("leads to an interface that belongs to no instance"),
            Self::OtherMachine(id) => write!(f, "leads to `{id}`, which is no worker, and no claim of ours covers it"),
            Self::Unproved(why) => write!(f, "whether its instance still exists is not known: {why}"),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours(why) => why.fmt(f),
            Self::Foreign(why) => why.fmt(f),
        }
    }
}

/// Judges the routes of one table.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    capabilities: Capabilities,
    cluster: &'a Cluster,
    observation: &'a Observation,
    claim: Option<&'a Claim>,
}

impl<'a> Judge<'a> {
    /// A judge for `table`.
    pub fn new(
        capabilities: Capabilities,
        cluster: &'a Cluster,
        observation: &'a Observation,
        table: &'a Table,
    ) -> Self {
        let claim = table.claims.iter().find(|claim| claim.cluster == cluster.name.as_str());
        Self { capabilities, cluster, observation, claim }
    }

    /// Whose route it is, and why.
    pub fn owner(&self, route: &ObservedRoute) -> Owner {
        let Destination::Net(net) = route.destination else { return Owner::Foreign(Foreign::NotARange) };
        if !self.cluster.contains(&net) {
            return Owner::Foreign(Foreign::Outside);
        }
        if self.capabilities.marks {
            return if route.marked { Owner::Ours(Ours::Marked) } else { Owner::Foreign(Foreign::Unmarked) };
        }
        if route.origin != Origin::Static {
            return Owner::Foreign(Foreign::NotStatic(route.origin.as_str().to_owned()));
        }
        let claimed = || self.claims(&net);
        match &route.target {
            Target::NotAMachine(what) => Owner::Foreign(Foreign::NotAMachine(what.clone())),
            Target::Address | Target::AddressAtRest => Owner::Foreign(Foreign::NotAMachine("address".to_owned())),
            Target::Detached if route.state == crate::RouteState::Blackhole && claimed() => Owner::Ours(Ours::Claimed),
            Target::Detached => Owner::Foreign(Foreign::Detached),
            Target::Machine { id, .. } if self.observation.machines.contains_key(id) => Owner::Ours(Ours::Worker),
            Target::Machine { life: Life::Gone(why), .. } => Owner::Ours(Ours::Gone(why.clone())),
            Target::Machine { .. } if claimed() => Owner::Ours(Ours::Claimed),
            Target::Machine { life: Life::Unknown(why), .. } => Owner::Foreign(Foreign::Unproved(why.clone())),
            Target::Machine { id, life: Life::Live } => Owner::Foreign(Foreign::OtherMachine(id.clone())),
        }
    }

    /// Whether our claim covers a destination: it must lie inside the claim's own ranges and inside the topology's.
    fn claims(&self, net: &ipnet::IpNet) -> bool {
        self.claim
            .and_then(|claim| claim.cidrs.as_ref().ok())
            .is_some_and(|cidrs| self.cluster.contains(net) && cidrs.iter().any(|cidr| cidr.contains(net)))
    }

    /// The first route, by address, that forbids writing our claim: in our range, made by hand, and with the claim it
    /// would become ours although nothing shows that it is. That is a machine route whose machine is neither a worker's
    /// nor gone, and one to a loose interface, which the claim would cover as soon as it is a blackhole.
    fn blocker(&self, table: &'a Table) -> Option<&'a ObservedRoute> {
        let blocks = |route: &&ObservedRoute| {
            let inside = route.destination.as_net().is_some_and(|net| self.cluster.contains(&net));
            inside
                && route.origin == Origin::Static
                && match &route.target {
                    Target::Machine { id, life } => {
                        !self.observation.machines.contains_key(id) && !matches!(life, Life::Gone(_))
                    }
                    Target::Detached => !self.owner(route).is_ours(),
                    _ => false,
                }
        };
        table.routes.iter().filter(blocks).min_by_key(|route| (&route.destination, &route.next_hops))
    }
}

/// What becomes of the claim on a table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimState {
    /// It is there.
    Ours,
    /// It is written before the first write to the table.
    ToSet(Claim),
    /// It cannot be written while this route stands in the way: destination and next hop, in words.
    Blocked(String),
    /// The provider does not let us write it; set by an apply that has tried.
    Denied,
    /// There is none, and none is needed: the provider has marks, or nothing is to be written.
    None,
}

impl ClaimState {
    /// The word used in JSON.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::ToSet(_) => "to-set",
            Self::Blocked(_) => "blocked",
            Self::Denied => "denied",
            Self::None => "none",
        }
    }
}

/// A claim that forbids any write to any table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRefusal {
    /// The claim that stands there.
    pub claim: Claim,
    /// What is wrong with it, in words.
    pub message: String,
}

/// The claim that stands against us, if one does: another cluster's that overlaps ours, or one of our name that has no
/// address in common with us. A claim whose ranges cannot be read cannot be shown to be harmless.
pub(crate) fn refusal(cluster: &Cluster, table: &Table) -> Option<ClaimRefusal> {
    let ours = cluster.pod_cidrs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    table.claims.iter().find_map(|claim| {
        let own_name = claim.cluster == cluster.name.as_str();
        let shared = claim.cidrs.as_ref().map(|cidrs| {
            cidrs.iter().any(|cidr| cluster.pod_cidrs.iter().any(|own| overlap(cidr, &own.net())))
        });
        let message = match (own_name, shared) {
            (true, Ok(true)) | (false, Ok(false)) => return None,
            (true, Ok(false)) => format!(
                "table `{}` is claimed by a cluster of the same name `{}` for `{}`, which shares no address with `{ours}`",
                table.id,
                claim.cluster,
                claim.value()
            ),
            (false, Ok(true)) => format!(
                "table `{}` is claimed by cluster `{}` for `{}`, which overlaps `{ours}` of cluster `{}`",
                table.id,
                claim.cluster,
                claim.value(),
                cluster.name
            ),
            (_, Err(_)) => format!(
                "table `{}` bears a claim of cluster `{}` whose ranges cannot be read (`{}`), so it may overlap `{ours}` of \
                 cluster `{}`",
                table.id,
                claim.cluster,
                claim.value(),
                cluster.name
            ),
        };
        Some(ClaimRefusal { claim: claim.clone(), message })
    })
}

/// What becomes of the claim on `table`, given whether anything is to be written to it.
pub(crate) fn claim_state(judge: &Judge<'_>, table: &Table, writes: bool) -> ClaimState {
    if judge.capabilities.marks {
        return ClaimState::None;
    }
    let wanted = Claim::of(&judge.cluster.name, judge.cluster.pod_cidrs.iter().map(crate::ClusterCidr::net));
    match judge.claim {
        Some(claim) if !writes || *claim == wanted => ClaimState::Ours,
        None if !writes => ClaimState::None,
        _ => match judge.blocker(table) {
            Some(route) => {
                let hop = route.next_hops.first().map(ToString::to_string).unwrap_or_default();
                ClaimState::Blocked(format!("{} -> {hop}", route.destination))
            }
            None => ClaimState::ToSet(wanted),
        },
    }
}
