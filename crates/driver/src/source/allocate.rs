//! Ranges by number: the number that ends a worker's name picks its part of the cluster's range.
//!
//! The labs number their workers and count ranges with them: `worker-2` has the third /24. The number alone decides, never
//! the order of workers or which of them are there, because a range that moves when another worker leaves would take
//! running pods off the network. So a name without a number gets nothing.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use kroutes_core::{ClusterCidr, Error, ErrorKind, PodCidr, Result};

/// How long the range of one worker is in each of the cluster's ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodePrefix(Vec<(ClusterCidr, u8)>);

/// Why lengths do not fit a cluster, and the position of the one that does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misfit {
    pub(crate) nth: Option<usize>,
    pub(crate) message: String,
}

impl NodePrefix {
    /// One length for each of the cluster's ranges, in their order.
    pub(crate) fn new(cluster: &[ClusterCidr], lengths: &[u8]) -> Result<Self, Misfit> {
        if lengths.len() != cluster.len() {
            let ranges: Vec<String> = cluster.iter().map(|cidr| format!("`{cidr}`")).collect();
            let message = format!(
                "`node-prefix` has {} for {}; each pod CIDR of the cluster has a length of its own",
                if lengths.len() == 1 { "one length".to_owned() } else { format!("{} lengths", lengths.len()) },
                ranges.join(" and "),
            );
            return Err(Misfit { nth: None, message });
        }
        for (nth, (cidr, length)) in cluster.iter().zip(lengths).enumerate() {
            let (shortest, longest) = (cidr.net().prefix_len(), cidr.net().max_prefix_len());
            if !(shortest..=longest).contains(length) {
                let message = format!(
                    "a worker's range of length {length} does not fit into `{cidr}`; {shortest} to {longest} do"
                );
                return Err(Misfit { nth: Some(nth), message });
            }
        }
        Ok(Self(cluster.iter().copied().zip(lengths.iter().copied()).collect()))
    }

    /// The ranges of the worker of that name, one per range of the cluster.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] where the name ends in no number, or in one that is too large.
    pub fn ranges(&self, name: &str) -> Result<Vec<PodCidr>> {
        let digits = &name[name.trim_end_matches(|c: char| c.is_ascii_digit()).len()..];
        if digits.is_empty() {
            let message = format!("`{name}` gets no pod CIDR by `node-prefix`: the name does not end in a number");
            return Err(Error::new(ErrorKind::Invalid, message)
                .help("give it a pod CIDR of its own, or a name such as `worker-0`"));
        }
        // What is too large for this type is too large for any range.
        let number = digits.parse().unwrap_or(u128::MAX);
        self.0.iter().map(|(cidr, length)| nth(name, *cidr, *length, number, digits)).collect()
    }
}

fn nth(name: &str, cluster: ClusterCidr, length: u8, number: u128, digits: &str) -> Result<PodCidr> {
    let net = cluster.net();
    // A cluster's range is never a whole family, so this stays below the type's width.
    let count = 1_u128 << (length - net.prefix_len());
    if number >= count {
        let message = format!(
            "`{name}` gets no pod CIDR by `node-prefix`: `{cluster}` has {count} ranges of length {length}, counted from 0, \
             and none of number {digits}"
        );
        return Err(Error::new(ErrorKind::Invalid, message).help("give it a pod CIDR of its own, or a smaller number"));
    }
    // Shifting by the whole width happens only where there is one range, whose number is 0.
    let offset = number.checked_shl(u32::from(net.max_prefix_len() - length)).unwrap_or(0);
    let part = match net {
        IpNet::V4(v4) => {
            let address = u128::from(v4.network().to_bits()) + offset;
            let address = u32::try_from(address).unwrap_or(u32::MAX);
            Ipv4Net::new(Ipv4Addr::from_bits(address), length).map(IpNet::V4)
        }
        IpNet::V6(v6) => Ipv6Net::new(Ipv6Addr::from_bits(v6.network().to_bits() + offset), length).map(IpNet::V6),
    };
    let invalid = |error: &dyn std::fmt::Display| {
        Error::new(ErrorKind::Invalid, format!("`{name}` gets no pod CIDR by `node-prefix`: {error}"))
    };
    let part = part.map_err(|error| invalid(&error))?;
    PodCidr::new(part).map_err(|error| invalid(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(cluster: &[&str], lengths: &[u8]) -> Result<NodePrefix, Misfit> {
        let cluster: Vec<ClusterCidr> = cluster.iter().map(|text| text.parse().expect("cluster")).collect();
        NodePrefix::new(&cluster, lengths)
    }

    fn ranges(cluster: &[&str], lengths: &[u8], name: &str) -> Result<Vec<String>, String> {
        let ranges = prefix(cluster, lengths).expect("fits").ranges(name);
        ranges.map(|all| all.iter().map(ToString::to_string).collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_number_that_ends_a_name_picks_the_range() {
        for (name, range) in [
            ("worker-2", "10.200.2.0/24"),
            ("worker0", "10.200.0.0/24"),
            ("w1-worker-010", "10.200.10.0/24"),
            ("255", "10.200.255.0/24"),
        ] {
            assert_eq!(ranges(&["10.200.0.0/16"], &[24], name), Ok(vec![range.to_owned()]), "{name}");
        }
        assert_eq!(
            ranges(&["10.64.0.0/12", "fd00:10:64::/48"], &[24, 64], "node-257"),
            Ok(vec!["10.65.1.0/24".to_owned(), "fd00:10:64:101::/64".to_owned()])
        );
        assert_eq!(ranges(&["8000::/1"], &[128], "n-1"), Ok(vec!["8000::1/128".to_owned()]));
        assert_eq!(ranges(&["10.0.0.0/8"], &[8], "n-0"), Ok(vec!["10.0.0.0/8".to_owned()]));
    }

    #[test]
    fn a_name_without_a_number_or_with_too_large_a_one_gets_nothing() {
        let said = |name| ranges(&["10.200.0.0/16"], &[24], name).expect_err(name);
        assert_eq!(said("edge"), "`edge` gets no pod CIDR by `node-prefix`: the name does not end in a number");
        assert!(said("worker-2.example").ends_with("the name does not end in a number"));
        assert!(said("").ends_with("the name does not end in a number"));
        assert_eq!(
            said("worker-256"),
            "`worker-256` gets no pod CIDR by `node-prefix`: `10.200.0.0/16` has 256 ranges of length 24, counted from 0, \
             and none of number 256"
        );
        let long = "9".repeat(60);
        assert!(said(&long).ends_with(&format!("none of number {long}")));
    }

    #[test]
    fn lengths_that_do_not_fit_say_which_would() {
        let said = |cluster: &[&str], lengths: &[u8]| {
            let misfit = prefix(cluster, lengths).expect_err("does not fit");
            (misfit.nth, misfit.message)
        };
        let small = "a worker's range of length 15 does not fit into `10.200.0.0/16`; 16 to 32 do";
        assert_eq!(said(&["10.200.0.0/16"], &[15]), (Some(0), small.to_owned()));
        let large = "a worker's range of length 129 does not fit into `fd00::/48`; 48 to 128 do";
        assert_eq!(said(&["10.0.0.0/8", "fd00::/48"], &[24, 129]), (Some(1), large.to_owned()));
        let count = "`node-prefix` has one length for `10.0.0.0/8` and `fd00::/48`; each pod CIDR of the cluster has a \
                     length of its own";
        assert_eq!(said(&["10.0.0.0/8", "fd00::/48"], &[24]), (None, count.to_owned()));
    }
}
