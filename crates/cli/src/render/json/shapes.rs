//! The shapes of what programs are told: each type is an object of docs/output.schema.json, each field a key.

use std::collections::BTreeMap;

use kroutes_core::Reachability;
use serde::{Serialize, Serializer};

use super::super::Head;

/// The number that changes when the format does.
pub(in crate::render) const FORMAT: u32 = 1;

pub(super) type Hop = BTreeMap<String, String>;

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Document<'a> {
    pub(super) format: u32,
    pub(super) command: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) provider: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cluster: Option<&'a str>,
    /// What alone was looked at.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) only: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ok: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) interrupted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tables: Option<Vec<TableJson>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) routes: Option<Vec<VerdictJson>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reachability: Option<ReachabilityJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) findings: Option<Vec<FindingJson>>,
    /// Routes that no plan mends although they lose packets to others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) shadowed: Vec<VerdictJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unresolved: Option<Vec<UnresolvedJson>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) summary: Option<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<ErrorJson>,
    /// What the guards say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) refused: Vec<RefusedJson>,
    /// What is not any more as a saved plan saw it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) moved: Vec<MovedJson<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) errors: Vec<ErrorJson>,
}

#[derive(Debug, Serialize)]
pub(super) struct MovedJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) table: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) destination: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fix: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) worker: Option<&'a str>,
    pub(super) was: &'a str,
    pub(super) is: &'a str,
    pub(super) reason: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct RefusedJson {
    pub(super) guard: &'static str,
    pub(super) message: String,
    pub(super) help: String,
}

impl<'a> Document<'a> {
    pub(super) fn new(head: &Head<'a>) -> Self {
        Self { provider: Some(head.provider), cluster: Some(head.cluster), only: head.only, ..Self::bare(head.command) }
    }

    pub(super) fn bare(command: &'a str) -> Self {
        Self {
            format: FORMAT,
            command,
            provider: None,
            cluster: None,
            only: &[],
            ok: None,
            interrupted: None,
            tables: None,
            routes: None,
            reachability: None,
            findings: None,
            shadowed: Vec::new(),
            unresolved: None,
            summary: None,
            error: None,
            refused: Vec::new(),
            moved: Vec::new(),
            errors: Vec::new(),
        }
    }

    pub(super) fn print(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("plain data with text keys always serialises");
        text.push('\n');
        text
    }
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct TableJson {
    pub(super) table: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<ErrorJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) changes: Option<Vec<ChangeJson>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) conflicts: Option<Vec<ConflictJson>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unchanged: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) foreign: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stale: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) claim: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) claim_blocked_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) routes: Option<Vec<RouteJson>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ChangeJson {
    pub(super) action: &'static str,
    pub(super) destination: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) worker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_hop: Option<Hop>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) was: Vec<WasJson>,
    pub(super) reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<ErrorJson>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct WasJson {
    pub(super) next_hop: Hop,
    pub(super) state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ConflictJson {
    pub(super) destination: String,
    pub(super) worker: String,
    pub(super) want: Hop,
    pub(super) was: Vec<WasJson>,
    pub(super) reason: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RouteJson {
    pub(super) destination: String,
    pub(super) next_hop: Hop,
    pub(super) state: String,
    pub(super) origin: String,
    pub(super) owner: &'static str,
    pub(super) reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) worker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// Among routes of one destination the lower wins; absent where a provider has no such number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) precedence: Option<u32>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct VerdictJson {
    pub(super) table: String,
    pub(super) destination: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) worker: Option<String>,
    pub(super) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct ReachabilityJson<'a> {
    pub(super) pairs: u64,
    pub(super) reachable: u64,
    #[serde(serialize_with = "pairs")]
    pub(super) unreachable: &'a Reachability,
}

#[derive(Debug, Serialize)]
pub(super) struct PairJson<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) reason: &'a str,
}

/// Among a thousand workers there are a million pairs: they are written one by one and never gathered.
// serde asks for the field by reference, and the field is one.
#[allow(clippy::trivially_copy_pass_by_ref)]
pub(super) fn pairs<S: Serializer>(reachability: &&Reachability, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(reachability.unreachable().map(|(from, to, reason)| PairJson {
        from: from.as_str(),
        to: to.as_str(),
        reason,
    }))
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct FindingJson {
    pub(super) code: &'static str,
    pub(super) severity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) worker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) table: Option<String>,
    pub(super) message: String,
    pub(super) fixable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<ErrorJson>,
}

#[derive(Debug, Serialize)]
pub(super) struct UnresolvedJson {
    pub(super) worker: String,
    pub(super) error: ErrorJson,
}

#[derive(Debug, Serialize)]
pub(super) struct ErrorJson {
    pub(super) kind: &'static str,
    pub(super) message: String,
    pub(super) retryable: bool,
    #[serde(flatten)]
    pub(super) context: BTreeMap<&'static str, String>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Summary {
    pub(super) create: usize,
    pub(super) replace: usize,
    pub(super) delete: usize,
    pub(super) fix: usize,
    pub(super) unchanged: usize,
    pub(super) foreign: usize,
    pub(super) stale: usize,
    pub(super) conflict: usize,
    pub(super) unresolved: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) done: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failed: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) skipped: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unconfirmed: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) api_calls: Option<BTreeMap<&'static str, u64>>,
}
