//! The actions that are called, and the allowance that is published for each.
//!
//! EC2 keeps one token bucket per account, region and action ("Request throttling for the Amazon EC2 API", EC2 Developer
//! Guide). We start with one token less than the bucket holds: ours and theirs fill at the same rate, but the network
//! may deliver two calls closer together than they were sent, and then a bucket counted to the last token is refused.
//!
//! `CloudFormation` throttles too, but publishes no numbers: it gets the tightest allowance that EC2 has for reading, and
//! so does STS, which is asked once.

use kroutes_core::{Bucket, GateSettings};

/// An action of EC2, or of one of the other services that are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    DescribeRouteTables,
    DescribeInstances,
    DescribeSubnets,
    DescribeInstanceAttribute,
    ListExports,
    GetCallerIdentity,
    CreateRoute,
    ReplaceRoute,
    DeleteRoute,
    ModifyInstanceAttribute,
    ModifyNetworkInterfaceAttribute,
    CreateTags,
    DeleteTags,
}

impl Action {
    pub(crate) const ALL: [Self; 13] = [
        Self::DescribeRouteTables,
        Self::DescribeInstances,
        Self::DescribeSubnets,
        Self::DescribeInstanceAttribute,
        Self::ListExports,
        Self::GetCallerIdentity,
        Self::CreateRoute,
        Self::ReplaceRoute,
        Self::DeleteRoute,
        Self::ModifyInstanceAttribute,
        Self::ModifyNetworkInterfaceAttribute,
        Self::CreateTags,
        Self::DeleteTags,
    ];

    /// The name in the service's API, in counts and in IAM policies behind [`Self::service`].
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::DescribeRouteTables => "DescribeRouteTables",
            Self::DescribeInstances => "DescribeInstances",
            Self::DescribeSubnets => "DescribeSubnets",
            Self::DescribeInstanceAttribute => "DescribeInstanceAttribute",
            Self::ListExports => "ListExports",
            Self::GetCallerIdentity => "GetCallerIdentity",
            Self::CreateRoute => "CreateRoute",
            Self::ReplaceRoute => "ReplaceRoute",
            Self::DeleteRoute => "DeleteRoute",
            Self::ModifyInstanceAttribute => "ModifyInstanceAttribute",
            Self::ModifyNetworkInterfaceAttribute => "ModifyNetworkInterfaceAttribute",
            Self::CreateTags => "CreateTags",
            Self::DeleteTags => "DeleteTags",
        }
    }

    /// The service, as IAM policies name it.
    pub(crate) const fn service(self) -> &'static str {
        match self {
            Self::ListExports => "cloudformation",
            Self::GetCallerIdentity => "sts",
            _ => "ec2",
        }
    }

    /// Whether a lost answer leaves open what happened.
    pub(crate) const fn is_write(self) -> bool {
        !matches!(
            self,
            Self::DescribeRouteTables
                | Self::DescribeInstances
                | Self::DescribeSubnets
                | Self::DescribeInstanceAttribute
                | Self::ListExports
                | Self::GetCallerIdentity
        )
    }

    /// Size and refill per second of the bucket, by its category in "Request throttling for the Amazon EC2 API":
    /// non-mutating (all our describes are filtered and paginated), mutating, uncategorized. Tags are written once per
    /// table and are given the mutating allowance, the tightest of these. `ListExports` has that of the unfiltered describes.
    const fn published(self) -> (u32, f64) {
        match self {
            Self::DescribeRouteTables
            | Self::DescribeInstances
            | Self::DescribeSubnets
            | Self::DescribeInstanceAttribute => (100, 20.0),
            Self::ListExports | Self::GetCallerIdentity => (50, 10.0),
            Self::CreateRoute
            | Self::ReplaceRoute
            | Self::DeleteRoute
            | Self::ModifyInstanceAttribute
            | Self::CreateTags
            | Self::DeleteTags => (50, 5.0),
            Self::ModifyNetworkInterfaceAttribute => (100, 5.0),
        }
    }
}

/// A gate's settings with EC2's published allowances, everything else as the core has it.
pub fn gate_settings() -> GateSettings {
    let bucket = |action: Action| {
        let (size, refill_per_second) = action.published();
        (vec![action.name()], Bucket { capacity: size - 1, refill_per_second })
    };
    GateSettings { buckets: Action::ALL.into_iter().map(bucket).collect(), ..GateSettings::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_hundred_creations_stay_within_five_percent_of_the_published_floor() {
        let settings = gate_settings();
        let (_, bucket) = settings.buckets.iter().find(|(names, _)| names.contains(&"CreateRoute")).expect("metered");
        let ours = f64::from(500 - bucket.capacity) / bucket.refill_per_second;
        let floor = f64::from(500 - 50) / 5.0;
        assert!(ours >= floor && ours < floor * 1.05, "{ours}");
    }

    #[test]
    fn every_action_is_metered() {
        let settings = gate_settings();
        for action in Action::ALL {
            assert!(settings.buckets.iter().any(|(names, _)| names.contains(&action.name())), "{action:?}");
        }
    }
}
