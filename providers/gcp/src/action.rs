//! The Compute Engine methods that are called, and the allowance that Google publishes for each group of them.
//!
//! Compute keeps one allowance per project and group of methods and minute, refilled at the start of each minute
//! ("Compute Engine rate quotas": 1,500 requests a minute for mutations, for `get`, for `list` and for reading
//! operations; projects may have other numbers, which only the console shows). A token bucket knows no minutes, so ours is
//! one that can never take more than the allowance in any sixty seconds: a third at once, the rest spread evenly.

use kroutes_core::{Bucket, GateSettings};

/// A method of the Compute Engine API, or the request for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    InsertRoute,
    DeleteRoute,
    GetRoute,
    ListRoutes,
    GetNetwork,
    ListInstances,
    GetOperation,
    ListOperations,
    TestPermissions,
}

/// Requests a minute and group.
const PUBLISHED: f64 = 1500.0;
/// How many of them may be made at once.
const AT_ONCE: u32 = 500;

impl Action {
    #[cfg(test)]
    const ALL: [Self; 9] = [
        Self::InsertRoute,
        Self::DeleteRoute,
        Self::GetRoute,
        Self::ListRoutes,
        Self::GetNetwork,
        Self::ListInstances,
        Self::GetOperation,
        Self::ListOperations,
        Self::TestPermissions,
    ];

    /// Google's name for it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::InsertRoute => "routes.insert",
            Self::DeleteRoute => "routes.delete",
            Self::GetRoute => "routes.get",
            Self::ListRoutes => "routes.list",
            Self::GetNetwork => "networks.get",
            Self::ListInstances => "instances.aggregatedList",
            Self::GetOperation => "globalOperations.get",
            Self::ListOperations => "globalOperations.list",
            Self::TestPermissions => "routes.testIamPermissions",
        }
    }
}

/// The groups that share an allowance: mutations, reads, lists, and reading operations.
const GROUPS: [&[Action]; 4] = [
    &[Action::InsertRoute, Action::DeleteRoute],
    &[Action::GetRoute, Action::GetNetwork, Action::TestPermissions],
    &[Action::ListRoutes, Action::ListInstances],
    &[Action::GetOperation, Action::ListOperations],
];

/// A gate's settings with Compute's published allowances, everything else as the core has it.
pub fn gate_settings() -> GateSettings {
    let capacity = AT_ONCE - 1;
    let bucket = Bucket { capacity, refill_per_second: (PUBLISHED - f64::from(AT_ONCE)) / 60.0 };
    let names = |group: &&[Action]| group.iter().map(|action| action.name()).collect();
    let buckets = GROUPS.iter().map(|group| (names(group), bucket)).collect();
    GateSettings { buckets, ..GateSettings::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_metered_once() {
        let settings = gate_settings();
        for action in Action::ALL {
            let metered = settings.buckets.iter().filter(|(names, _)| names.contains(&action.name())).count();
            assert_eq!(metered, 1, "{action:?}");
        }
    }

    #[test]
    fn no_minute_sees_more_calls_than_are_published() {
        for (names, bucket) in gate_settings().buckets {
            let most = f64::from(bucket.capacity) + 60.0 * bucket.refill_per_second;
            assert!(most < PUBLISHED, "{names:?}: {most}");
            assert!(most > 0.99 * PUBLISHED, "{names:?}: {most} wastes the allowance");
        }
    }
}
