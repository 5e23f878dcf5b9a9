//! What would keep kroutes from working here, from what is known: the topology, what the cloud was seen to hold, and what the
//! provider told of itself.
//!
//! A verdict says whether it works now; this says whether it would, and who has to do what. So the measure is not the
//! packet but the next `apply`: what that will mend by itself is a warning, what it cannot get past is a failure, and all that
//! was found to be right is said with its number, since "nothing found" is also what somebody says who has not looked.
//! A group that could not be looked at says so, with the reason, once.
//!
//! Nothing here reads or writes: values in, values out.

mod alike;
mod findings;
mod groups;

use kroutes_core::{
    Capabilities, Check, CheckGroup, CheckStatus, Claim, Error, ErrorKind, Observation, TableId, Topology, Verdict,
};

use self::groups::Known;

/// The command that removes a claim from a table in this place, in the words of the provider's own tool.
pub type DropClaim<'a> = &'a dyn Fn(&TableId, &str, &Claim) -> String;

/// All that is known.
pub struct Seen<'a> {
    /// The cluster and its workers; without any where they are not known.
    pub topology: &'a Topology,
    /// Why the workers are not known, if they are not.
    pub unlisted: Option<&'a Error>,
    /// What the cloud holds, and what its provider can do, or why that could not be looked at.
    pub cloud: Result<(&'a Observation, Capabilities), &'a Error>,
    /// What the provider itself told: [`examine`](kroutes_core::RouteBackend::examine).
    pub examined: Vec<Check>,
    /// How a claim is removed, where there are claims.
    pub drop_claim: Option<DropClaim<'a>>,
}

impl std::fmt::Debug for Seen<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seen").field("topology", self.topology).field("cloud", &self.cloud).finish_non_exhaustive()
    }
}

/// Every check, in the order of groups; at least one for each.
pub fn checks(seen: Seen<'_>) -> Vec<Check> {
    let mut checks = groups::topology(seen.topology, seen.unlisted);
    match seen.cloud {
        Ok((observation, capabilities)) => {
            let verdict = Verdict::new(seen.topology, observation, capabilities);
            let known = Known {
                topology: seen.topology,
                observation,
                capabilities,
                verdict: &verdict,
                drop_claim: seen.drop_claim,
                told: &seen.examined,
            };
            checks.extend(known.checks(seen.unlisted));
        }
        Err(error) => checks.extend(unseen(error, &seen.examined)),
    }
    checks.extend(seen.examined);
    for group in CheckGroup::ALL {
        if !checks.iter().any(|check| check.group == group) {
            checks.push(untold(group, seen.cloud.is_ok()));
        }
    }
    // Within a group the order stays: what was looked at first stands first.
    checks.sort_by_key(|check| check.group);
    checks
}

/// Whether kroutes could work: nothing failed.
pub fn is_well(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.status != CheckStatus::Fail)
}

/// The cloud could not be looked at: that is one failure, and no news of anything else.
fn unseen(error: &Error, examined: &[Check]) -> Vec<Check> {
    let group = match error.kind() {
        ErrorKind::Unauthenticated => CheckGroup::Credentials,
        _ => CheckGroup::Tables,
    };
    let failed = |check: &Check| check.group == group && check.status == CheckStatus::Fail;
    let mut checks = Vec::new();
    if !examined.iter().any(failed) {
        checks.push(alike::failure(group, "reading", "", error));
    }
    let reason = match group {
        CheckGroup::Credentials => "the credentials do not open the cloud",
        _ => "the cloud could not be read",
    };
    let after = [
        CheckGroup::Credentials,
        CheckGroup::Permissions,
        CheckGroup::Tables,
        CheckGroup::Quota,
        CheckGroup::Addresses,
        CheckGroup::Machines,
        CheckGroup::Writers,
    ];
    let told = |group: CheckGroup| examined.iter().any(|check| check.group == group);
    checks.extend(
        after.into_iter().filter(|other| *other != group && !told(*other)).map(|group| not_looked_at(group, reason)),
    );
    checks
}

/// A group that nobody could look at.
fn not_looked_at(group: CheckGroup, reason: &str) -> Check {
    Check::warn(group, "not-looked-at", format!("not looked at, because {reason}"), "mend that first, and ask again")
}

/// A group of which the provider says nothing.
fn untold(group: CheckGroup, could_read: bool) -> Check {
    match group {
        CheckGroup::Credentials if could_read => {
            Check::pass(group, "accepted", "the provider took the credentials, and let the tables be read")
        }
        _ => Check::warn(
            group,
            "not-looked-at",
            "not looked at, because the provider has no way to ask",
            "`kroutes apply` tells when something is missing",
        ),
    }
}
