//! What a backend is like, as data.
//!
//! The difference between clouds that matters here is small: may a destination be there twice, is a replacement one step,
//! does the provider compare before it writes, do routes carry marks, what is a next hop. Each is a knob of its own, so that
//! a test can turn one and leave the rest. [`Character::ec2`] and [`Character::gcp`] are only two well-known settings.

use crate::Capabilities;

/// How a backend names the machine that a route leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HopStyle {
    /// By the machine's id; a listing shows the machine and its interface. A machine with several interfaces has to be
    /// named by one of them (EC2 API Reference, `CreateRoute`, `InstanceId`).
    Machine,
    /// By an address inside the network.
    Address,
}

/// What a [`MemoryBackend`](super::MemoryBackend) is like.
// Independent knobs, each turned on its own; there is no state machine hiding in them.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Character {
    /// What it says of itself.
    pub capabilities: Capabilities,
    /// What its next hops look like.
    pub hops: HopStyle,
    /// Whether routes have names, and are deleted by them.
    pub names: bool,
    /// Whether the forwarding of a machine can be switched on by a fix. Where it cannot, it is a finding without one.
    pub forwarding_fix: bool,
    /// Whether quotas count IPv4 and IPv6 apart.
    pub quota_per_family: bool,
    /// How many routes a table holds before [`QuotaExceeded`](crate::ErrorKind::QuotaExceeded).
    pub quota: u32,
    /// For how many listings after a write the state before it is still shown.
    pub lag: u32,
    /// How many routes one page of a listing has.
    pub page: usize,
}

impl Character {
    /// Like EC2: one route per destination, replaced in one call, no marks, no names, hops by instance id.
    pub const fn ec2() -> Self {
        Self {
            capabilities: Capabilities {
                atomic_replace: true,
                conditional_writes: false,
                duplicates: false,
                marks: false,
                ipv6: true,
                precedence: 0,
            },
            hops: HopStyle::Machine,
            names: false,
            forwarding_fix: true,
            quota_per_family: true,
            quota: 500,
            lag: 0,
            page: 100,
        }
    }

    /// Like Google Cloud: routes have names and marks and may share a destination, and are never changed but made anew.
    pub const fn gcp() -> Self {
        Self {
            capabilities: Capabilities {
                atomic_replace: false,
                conditional_writes: false,
                duplicates: true,
                marks: true,
                ipv6: true,
                precedence: 1000,
            },
            hops: HopStyle::Address,
            names: true,
            forwarding_fix: false,
            quota_per_family: false,
            quota: 500,
            lag: 0,
            page: 100,
        }
    }

    /// The same, with listings that show the old state `listings` times after each write.
    #[must_use]
    pub const fn with_lag(mut self, listings: u32) -> Self {
        self.lag = listings;
        self
    }

    /// The same, with room for `routes` in each table.
    #[must_use]
    pub const fn with_quota(mut self, routes: u32) -> Self {
        self.quota = routes;
        self
    }

    /// The same, with a provider that compares before it replaces or deletes, or does not.
    #[must_use]
    pub const fn with_conditional_writes(mut self, conditional: bool) -> Self {
        self.capabilities.conditional_writes = conditional;
        self
    }

    /// The same, with IPv6 or without.
    #[must_use]
    pub const fn with_ipv6(mut self, ipv6: bool) -> Self {
        self.capabilities.ipv6 = ipv6;
        self
    }
}
