//! Ranges of addresses, canonical by construction.
//!
//! Clouds store `10.200.1.0/24` when they are told `10.200.1.7/24`, and a tool that compares strings then finds a
//! difference that no write can remove. So host bits are refused where a range enters the program, with the range that
//! was probably meant, and from there on two ranges are the same exactly when they compare equal.
//!
//! `PodCidr` and `ClusterCidr` are different types because mixing them up is the one mistake that could delete somebody
//! else's route: a pod CIDR is a destination, a cluster CIDR is the fence around everything that may ever be changed.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// Why a text or a network is no canonical range.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CidrError {
    /// Not of the form `address/length`.
    Malformed(String),
    /// An address without a length; the suggestion is that one address as a range.
    NoLength(String),
    /// Bits are set behind the prefix; the second field is the range with those bits cleared.
    HostBits(IpNet, IpNet),
    /// `::ffff:a.b.c.d`: IPv4 in IPv6 clothes, which no cloud routes.
    MappedV4(IpNet),
    /// Length zero is the default route, which is never a pod range nor a claim.
    Everything(IpNet),
    /// Loopback, link-local or multicast: never the address of a pod.
    NotRoutable(IpNet),
}

impl fmt::Display for CidrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(text) => write!(f, "`{text}` is not a CIDR range such as `10.200.0.0/24`"),
            Self::NoLength(text) => write!(f, "`{text}` has no prefix length; a range looks like `10.200.0.0/24`"),
            Self::HostBits(given, meant) => write!(f, "`{given}` has host bits set; the range is `{meant}`"),
            Self::MappedV4(net) => {
                write!(f, "`{net}` is an IPv4-mapped IPv6 range; write it as plain IPv4")
            }
            Self::Everything(net) => write!(f, "`{net}` is every address there is, not a range of pods"),
            Self::NotRoutable(net) => {
                write!(f, "`{net}` is loopback, link-local or multicast space, which no router forwards to pods")
            }
        }
    }
}

impl std::error::Error for CidrError {}

fn canonical(net: IpNet) -> Result<IpNet, CidrError> {
    if let IpNet::V6(v6) = net
        && v6.addr().to_ipv4_mapped().is_some()
    {
        return Err(CidrError::MappedV4(net));
    }
    if net.prefix_len() == 0 {
        return Err(CidrError::Everything(net));
    }
    let meant = net.trunc();
    if meant != net {
        return Err(CidrError::HostBits(net, meant));
    }
    let address = net.addr();
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    if address.is_loopback() || address.is_multicast() || link_local {
        return Err(CidrError::NotRoutable(net));
    }
    Ok(net)
}

fn parse(text: &str) -> Result<IpNet, CidrError> {
    if let Ok(net) = text.parse::<IpNet>() {
        return canonical(net);
    }
    if text.parse::<IpAddr>().is_ok() {
        return Err(CidrError::NoLength(text.to_owned()));
    }
    Err(CidrError::Malformed(text.to_owned()))
}

macro_rules! range {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(IpNet);

        impl $name {
            /// Takes a network that has no host bits set and is not the whole family.
            ///
            /// # Errors
            ///
            /// [`CidrError`], which says what the range should have been.
            pub fn new(net: IpNet) -> Result<Self, CidrError> {
                canonical(net).map(Self)
            }

            /// The network itself.
            pub const fn net(&self) -> IpNet {
                self.0
            }

            /// Whether this is an IPv6 range.
            pub const fn is_ipv6(&self) -> bool {
                matches!(self.0, IpNet::V6(_))
            }
        }

        impl FromStr for $name {
            type Err = CidrError;

            fn from_str(text: &str) -> Result<Self, CidrError> {
                parse(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

range! {
    /// The range that one worker's pods get their addresses from.
    PodCidr
}
range! {
    /// The range that the topology claims: outside of it nothing is ever changed.
    ClusterCidr
}

impl ClusterCidr {
    /// Whether the whole of `net` lies inside this range. Sharing a first or last address is not enough.
    pub fn contains(&self, net: &IpNet) -> bool {
        self.0.contains(net)
    }
}

/// Whether two networks have an address in common. Ranges are prefixes, so one then contains the other.
pub fn overlap(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_bits_are_refused_with_the_range_that_was_meant() {
        let error = "100.68.0.18/18".parse::<PodCidr>().expect_err("host bits");
        assert_eq!(error.to_string(), "`100.68.0.18/18` has host bits set; the range is `100.68.0.0/18`");
    }

    #[test]
    fn what_is_no_range_says_what_one_looks_like() {
        for (text, want) in [
            ("banana", "not a CIDR range"),
            ("", "not a CIDR range"),
            ("10.200.0.0", "no prefix length"),
            ("10.200.0.0/33", "not a CIDR range"),
            ("::ffff:10.200.0.0/120", "IPv4-mapped"),
            ("0.0.0.0/0", "every address"),
            ("::/0", "every address"),
            ("127.0.0.0/8", "loopback"),
            ("224.0.0.0/4", "multicast"),
            ("fe80::/64", "link-local"),
        ] {
            let message = text.parse::<PodCidr>().expect_err(text).to_string();
            assert!(message.contains(want), "{text}: {message}");
        }
    }

    #[test]
    fn a_range_that_only_touches_the_cluster_cidr_is_not_contained() {
        let cluster: ClusterCidr = "10.0.0.0/16".parse().expect("cluster");
        for (net, inside) in
            [("10.0.0.0/8", false), ("10.0.0.0/16", true), ("10.0.255.0/24", true), ("10.1.0.0/24", false)]
        {
            assert_eq!(cluster.contains(&net.parse().expect("net")), inside, "{net}");
        }
    }
}
