//! The roles that a route or a machine can have in a world.
//!
//! Numbers in them are taken modulo whatever there is, so that any of them fits any topology and shrinks on its own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};
use proptest::prelude::*;

/// What stands at a wanted destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Absent,
    /// Our route, as wanted.
    Right,
    /// Our route, to the worker that comes so many places later.
    WrongWorker(usize),
    /// Our route, to a machine that is gone.
    Gone,
    /// Our route as wanted, and beside it one to a later worker; just the first where destinations are unique.
    Surplus(usize),
    /// Our route, to the right worker, with another priority; as wanted where there are none.
    Deviating,
    /// A route as wanted that somebody made by hand, without our mark.
    Unmarked,
}

/// A route of ours that no worker wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stale {
    /// Where it is.
    pub place: StalePlace,
    /// Which worker it leads to, unless `gone`.
    pub worker: usize,
    /// Whether it leads to a machine that is gone.
    pub gone: bool,
}

/// Where a stale route is. All inside the cluster CIDR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StalePlace {
    /// In the spare part.
    Spare(usize),
    /// The first half of a wanted range.
    InsideWorker(usize),
    /// Twice as wide as a wanted range, and around it.
    AroundWorker(usize),
}

/// Somebody else's route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    /// Where it is.
    pub place: Place,
    /// Where it leads.
    pub leads: Leads,
    /// Whether it is as strong as ours, stronger or weaker, where there are priorities.
    pub precedence: usize,
}

/// Where a foreign route is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The default route.
    Default,
    /// Around the cluster CIDR, by so many bits; many of these share its first or its last address.
    Around(u8),
    /// Exactly the cluster CIDR.
    Whole,
    /// As wide as the cluster CIDR, and right before it.
    Before,
    /// As wide as the cluster CIDR, and right after it.
    After,
    /// Far from it.
    Outside(u8),
    /// In its spare part.
    Spare(usize),
    /// Exactly a wanted range.
    Worker(usize),
    /// The first half of a wanted range.
    InsideWorker(usize),
    /// Twice as wide as a wanted range, and around it.
    AroundWorker(usize),
    /// A prefix list.
    PrefixList,
}

/// Where a foreign route leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leads {
    /// To a NAT gateway.
    Nat,
    /// To an internet gateway.
    Gateway,
    /// To a VPN gateway, which has propagated it.
    Propagated,
    /// To a machine that is no worker.
    Stranger,
    /// To a worker, without our mark; to a stranger where that would be ours.
    Worker(usize),
    /// To an interface without a machine.
    Detached,
    /// To a machine that may be another account's.
    Hidden,
}

/// What is particular about a worker's machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quirk {
    /// It does not run.
    Stopped(usize),
    /// It forwards already.
    Forwards(usize),
    /// It has a second interface.
    SecondInterface(usize),
    /// It is gone: the worker has no next hop.
    Ended(usize),
}

impl Quirk {
    /// Which worker's, modulo how many there are.
    pub const fn worker(self) -> usize {
        match self {
            Self::Stopped(worker) | Self::Forwards(worker) | Self::SecondInterface(worker) | Self::Ended(worker) => {
                worker
            }
        }
    }
}

pub(super) fn standings() -> impl Strategy<Value = Standing> {
    prop_oneof![
        3 => Just(Standing::Absent),
        3 => Just(Standing::Right),
        2 => (0usize..40).prop_map(Standing::WrongWorker),
        1 => Just(Standing::Gone),
        1 => (0usize..40).prop_map(Standing::Surplus),
        1 => Just(Standing::Deviating),
        1 => Just(Standing::Unmarked),
    ]
}

pub(super) fn stales() -> impl Strategy<Value = Stale> {
    let place = prop_oneof![
        2 => (0usize..16).prop_map(StalePlace::Spare),
        1 => (0usize..80).prop_map(StalePlace::InsideWorker),
        1 => (0usize..80).prop_map(StalePlace::AroundWorker),
    ];
    (place, 0usize..40, any::<bool>()).prop_map(|(place, worker, gone)| Stale { place, worker, gone })
}

pub(super) fn foreigners() -> impl Strategy<Value = Foreign> {
    let place = prop_oneof![
        Just(Place::Default),
        (1u8..9).prop_map(Place::Around),
        Just(Place::Whole),
        Just(Place::Before),
        Just(Place::After),
        any::<u8>().prop_map(Place::Outside),
        (0usize..16).prop_map(Place::Spare),
        (0usize..80).prop_map(Place::Worker),
        (0usize..80).prop_map(Place::InsideWorker),
        (0usize..80).prop_map(Place::AroundWorker),
        Just(Place::PrefixList),
    ];
    let leads = prop_oneof![
        Just(Leads::Nat),
        Just(Leads::Gateway),
        Just(Leads::Propagated),
        Just(Leads::Stranger),
        (0usize..40).prop_map(Leads::Worker),
        Just(Leads::Detached),
        Just(Leads::Hidden),
    ];
    (place, leads, 0usize..3).prop_map(|(place, leads, precedence)| Foreign { place, leads, precedence })
}

pub(super) fn quirks() -> impl Strategy<Value = Quirk> {
    prop_oneof![
        (0usize..40).prop_map(Quirk::Stopped),
        (0usize..40).prop_map(Quirk::Forwards),
        (0usize..40).prop_map(Quirk::SecondInterface),
    ]
}

/// The first half of a range.
pub(super) fn half(net: IpNet) -> IpNet {
    IpNet::new_assert(net.network(), net.prefix_len() + 1)
}

/// The range twice as wide around a range.
pub(super) fn twice(net: IpNet) -> IpNet {
    net.supernet().unwrap_or(net)
}

/// The default route of a range's family.
pub(super) const fn everything(net: IpNet) -> IpNet {
    match net {
        IpNet::V4(_) => IpNet::new_assert(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        IpNet::V6(_) => IpNet::new_assert(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0),
    }
}

/// A range so many bits wider around a range.
pub(super) fn around(net: IpNet, bits: u8) -> IpNet {
    IpNet::new_assert(net.network(), net.prefix_len() - bits.min(net.prefix_len() - 1)).trunc()
}

/// The range as wide as this one that begins where it ends, or ends where it begins.
pub(super) fn beside(net: IpNet, after: bool) -> IpNet {
    let start = match (net.network(), net.broadcast()) {
        (IpAddr::V4(_), IpAddr::V4(last)) if after => IpAddr::V4(Ipv4Addr::from_bits(last.to_bits() + 1)),
        (IpAddr::V4(first), _) => IpAddr::V4(Ipv4Addr::from_bits(first.to_bits() - 1)),
        (_, IpAddr::V6(last)) if after => IpAddr::V6(Ipv6Addr::from_bits(last.to_bits() + 1)),
        (IpAddr::V6(first), _) => IpAddr::V6(Ipv6Addr::from_bits(first.to_bits() - 1)),
    };
    IpNet::new_assert(start, net.prefix_len()).trunc()
}

/// A range of TEST-NET space for benchmarks (RFC 2544), which no cluster here touches.
pub(super) fn outside(third: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(198, 19, third, 0), 24))
}
