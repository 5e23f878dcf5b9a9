//! The answer for programs: one object, `"format": 1`, keys in kebab-case, absent values omitted.
//!
//! These types are the format. They are apart from the core's on purpose: the core's may change with every release, these
//! only with the number. `docs/output.schema.json` is the same format as a JSON Schema.

use std::collections::BTreeMap;

use kroutes_core::{
    Change, ClaimState, Conflict, Error, Finding, Held, NextHop, ObservedRoute, Plan, Reachability, RouteVerdict,
    Verdict,
};
use kroutes_driver::{Moved, Outcome, Report, Tally};
use serde::{Serialize, Serializer};

use super::{Counts, Head, OwnedTable, text};

/// The number that changes when the format does.
pub(super) const FORMAT: u32 = 1;

type Hop = BTreeMap<String, String>;

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Document<'a> {
    format: u32,
    command: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a str>,
    /// What alone was looked at.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    only: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    ok: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interrupted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tables: Option<Vec<TableJson>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    routes: Option<Vec<VerdictJson>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reachability: Option<ReachabilityJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<Vec<FindingJson>>,
    /// Routes that no plan mends although they lose packets to others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shadowed: Vec<VerdictJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unresolved: Option<Vec<UnresolvedJson>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorJson>,
    /// What the guards say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refused: Vec<RefusedJson>,
    /// What is not any more as a saved plan saw it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    moved: Vec<MovedJson<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ErrorJson>,
}

#[derive(Debug, Serialize)]
struct MovedJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<&'a str>,
    was: &'a str,
    is: &'a str,
    reason: &'a str,
}

#[derive(Debug, Serialize)]
struct RefusedJson {
    guard: &'static str,
    message: String,
    help: String,
}

impl<'a> Document<'a> {
    fn new(head: &Head<'a>) -> Self {
        Self { provider: Some(head.provider), cluster: Some(head.cluster), only: head.only, ..Self::bare(head.command) }
    }

    fn bare(command: &'a str) -> Self {
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

    fn print(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("plain data with text keys always serialises");
        text.push('\n');
        text
    }
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
struct TableJson {
    table: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<ChangeJson>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conflicts: Option<Vec<ConflictJson>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unchanged: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    foreign: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stale: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim_blocked_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    routes: Option<Vec<RouteJson>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct ChangeJson {
    action: &'static str,
    destination: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_hop: Option<Hop>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    was: Vec<WasJson>,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorJson>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct WasJson {
    next_hop: Hop,
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct ConflictJson {
    destination: String,
    worker: String,
    want: Hop,
    was: Vec<WasJson>,
    reason: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct RouteJson {
    destination: String,
    next_hop: Hop,
    state: String,
    origin: String,
    owner: &'static str,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Among routes of one destination the lower wins; absent where a provider has no such number.
    #[serde(skip_serializing_if = "Option::is_none")]
    precedence: Option<u32>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct VerdictJson {
    table: String,
    destination: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<String>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Debug, Serialize)]
struct ReachabilityJson<'a> {
    pairs: u64,
    reachable: u64,
    #[serde(serialize_with = "pairs")]
    unreachable: &'a Reachability,
}

#[derive(Debug, Serialize)]
struct PairJson<'a> {
    from: &'a str,
    to: &'a str,
    reason: &'a str,
}

/// Among a thousand workers there are a million pairs: they are written one by one and never gathered.
// serde asks for the field by reference, and the field is one.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn pairs<S: Serializer>(reachability: &&Reachability, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(reachability.unreachable().map(|(from, to, reason)| PairJson {
        from: from.as_str(),
        to: to.as_str(),
        reason,
    }))
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct FindingJson {
    code: &'static str,
    severity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<String>,
    message: String,
    fixable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorJson>,
}

#[derive(Debug, Serialize)]
struct UnresolvedJson {
    worker: String,
    error: ErrorJson,
}

#[derive(Debug, Serialize)]
struct ErrorJson {
    kind: &'static str,
    message: String,
    retryable: bool,
    #[serde(flatten)]
    context: BTreeMap<&'static str, String>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Summary {
    create: usize,
    replace: usize,
    delete: usize,
    fix: usize,
    unchanged: usize,
    foreign: usize,
    stale: usize,
    conflict: usize,
    unresolved: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    done: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unconfirmed: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_calls: Option<BTreeMap<&'static str, u64>>,
}

/// What a plan would change, and why it is refused if it is; `held` is the part of the guards in that.
pub(crate) fn plan(
    head: &Head<'_>,
    plan: &Plan,
    verdict: Option<&Verdict>,
    refused: Option<&Error>,
    held: &[Held],
) -> String {
    let mut document = Document::new(head);
    document.shadowed = verdict.into_iter().flat_map(super::unmended).map(verdict_json).collect();
    document.error = refused.map(error_json);
    let guard = |one: &Held| RefusedJson { guard: one.guard, message: one.message.clone(), help: one.help.clone() };
    document.refused = held.iter().map(guard).collect();
    document.errors = plan.unproved.iter().map(error_json).collect();
    document.tables = Some(tables(plan));
    document.findings = Some(plan.findings.iter().map(|finding| finding_json(finding, None)).collect());
    document.unresolved = Some(unresolved(plan));
    document.summary = Some(summary(plan));
    document.print()
}

/// What an apply or a destroy did.
pub(crate) fn report<'a>(
    head: &Head<'a>,
    plan: &Plan,
    report: &'a Report,
    calls: BTreeMap<&'static str, u64>,
) -> String {
    let mut document = Document::new(head);
    let mut planned = tables(plan);
    for table in &report.tables {
        let Some(json) = planned.iter_mut().find(|json| json.table == table.id.0) else { continue };
        json.claim = Some(table.claim.as_str());
        json.claim_blocked_by = blocked_by(&table.claim);
        json.changes = Some(table.changes.iter().map(|(change, outcome)| change_json(change, Some(outcome))).collect());
    }
    document.tables = Some(planned);
    // What was to be fixed has its outcome; what was found besides is as the world was left, as far as that was read.
    let fixes = report.fixes.iter().map(|(finding, outcome)| finding_json(finding, Some(outcome)));
    let left = report.verdict.as_ref().map_or(&plan.findings, |verdict| &verdict.plan.findings);
    let spared = plan.findings.iter().filter(|finding| text::spares(finding) && !left.contains(finding));
    let besides = left.iter().filter(|finding| !report.fixes.iter().any(|(fixed, _)| fixed == *finding)).chain(spared);
    document.findings = Some(fixes.chain(besides.map(|finding| finding_json(finding, None))).collect());
    document.unresolved = Some(unresolved(plan));
    let Tally { done, failed, skipped, unconfirmed } = report.tally();
    document.summary = Some(Summary {
        done: Some(done),
        failed: Some(failed),
        skipped: Some(skipped),
        unconfirmed: Some(unconfirmed),
        api_calls: Some(calls),
        ..summary(plan)
    });
    if let Some(verdict) = report.verdict.as_ref().filter(|_| head.command == "apply") {
        document.ok = Some(verdict.ok);
        document.reachability = Some(reachability(&verdict.reachability));
    }
    document.interrupted = report.interrupted.then_some(true);
    document.errors = plan.unproved.iter().chain(&report.errors).map(error_json).collect();
    document.print()
}

/// What a verify found.
pub(crate) fn verdict<'a>(head: &Head<'a>, verdict: &'a Verdict) -> String {
    let mut document = Document::new(head);
    document.ok = Some(verdict.ok);
    document.tables = Some(tables(&verdict.plan));
    document.routes = Some(verdict.routes.iter().map(verdict_json).collect());
    document.reachability = Some(reachability(&verdict.reachability));
    document.findings = Some(verdict.plan.findings.iter().map(|finding| finding_json(finding, None)).collect());
    document.unresolved = Some(unresolved(&verdict.plan));
    document.errors = verdict.plan.unproved.iter().map(error_json).collect();
    document.summary = Some(summary(&verdict.plan));
    document.print()
}

/// The tables as they are.
pub(crate) fn routes(head: &Head<'_>, tables: &[OwnedTable], plan: &Plan) -> String {
    let mut document = Document::new(head);
    let table = |table: &OwnedTable| match &table.routes {
        Err(error) => TableJson { table: table.name.clone(), error: Some(error_json(error)), ..TableJson::default() },
        Ok(routes) => TableJson {
            table: table.name.clone(),
            routes: Some(
                routes
                    .iter()
                    .map(|owned| RouteJson {
                        destination: owned.route.destination.to_string(),
                        next_hop: hops(&owned.route.next_hops),
                        state: owned.route.state.as_str().to_owned(),
                        origin: owned.route.origin.as_str().to_owned(),
                        owner: if owned.owner.is_ours() { "ours" } else { "foreign" },
                        reason: owned.owner.to_string(),
                        worker: owned.worker.as_ref().map(ToString::to_string),
                        name: owned.route.name.clone(),
                        precedence: owned.route.name.as_ref().map(|_| owned.route.precedence),
                    })
                    .collect(),
            ),
            ..TableJson::default()
        },
    };
    document.tables = Some(tables.iter().map(table).collect());
    document.unresolved = Some(unresolved(plan));
    document.errors = plan.unproved.iter().map(error_json).collect();
    document.print()
}

/// Why a saved plan was not applied.
pub(crate) fn moved<'a>(head: &Head<'a>, moved: &'a [Moved], error: &Error) -> String {
    let mut document = Document::new(head);
    document.error = Some(error_json(error));
    let json = |one: &'a Moved| MovedJson {
        table: one.table.as_deref(),
        destination: one.destination.as_deref(),
        fix: one.fix.as_deref(),
        worker: one.worker.as_deref(),
        was: &one.was,
        is: &one.is,
        reason: &one.reason,
    };
    document.moved = moved.iter().map(json).collect();
    document.print()
}

/// Why there is nothing else to print.
pub(crate) fn failure(command: &str, error: &Error) -> String {
    let mut document = Document::bare(command);
    document.error = Some(error_json(error));
    document.print()
}

fn tables(plan: &Plan) -> Vec<TableJson> {
    let table = |planned: &kroutes_core::PlannedTable| match &planned.plan {
        Ok(table) => TableJson {
            table: table.id.0.clone(),
            changes: Some(table.changes.iter().map(|change| change_json(change, None)).collect()),
            conflicts: Some(table.conflicts.iter().map(conflict_json).collect()),
            unchanged: Some(table.unchanged),
            foreign: Some(table.foreign),
            stale: Some(table.stale.len()),
            claim: Some(ClaimState::as_str(&table.claim)),
            claim_blocked_by: blocked_by(&table.claim),
            refused: table.refusal.as_ref().map(|refusal| refusal.message.clone()),
            ..TableJson::default()
        },
        Err(error) => {
            TableJson { table: planned.wanted.clone(), error: Some(error_json(error)), ..TableJson::default() }
        }
    };
    plan.tables.iter().map(table).collect()
}

fn blocked_by(claim: &ClaimState) -> Option<String> {
    match claim {
        ClaimState::Blocked(route) => Some(route.clone()),
        _ => None,
    }
}

fn change_json(change: &Change, outcome: Option<&Outcome>) -> ChangeJson {
    ChangeJson {
        action: change.action(),
        destination: change.destination().to_string(),
        worker: change.want().map(|route| route.worker.to_string()),
        next_hop: change.want().map(|route| hops(std::slice::from_ref(&route.next_hop))),
        was: change.was().iter().map(was_json).collect(),
        reason: change.reason(),
        outcome: outcome.map(Outcome::as_str),
        error: outcome.and_then(Outcome::error).map(error_json),
    }
}

fn was_json(route: &ObservedRoute) -> WasJson {
    WasJson { next_hop: hops(&route.next_hops), state: route.state.as_str().to_owned(), name: route.name.clone() }
}

fn conflict_json(conflict: &Conflict) -> ConflictJson {
    ConflictJson {
        destination: conflict.want.destination.to_string(),
        worker: conflict.want.worker.to_string(),
        want: hops(std::slice::from_ref(&conflict.want.next_hop)),
        was: conflict.was.iter().map(was_json).collect(),
        reason: conflict.reason.to_string(),
    }
}

fn verdict_json(verdict: &RouteVerdict) -> VerdictJson {
    VerdictJson {
        table: verdict.table.0.clone(),
        destination: verdict.destination.to_string(),
        worker: verdict.worker.as_ref().map(ToString::to_string),
        status: verdict.status.as_str(),
        detail: verdict.detail.clone(),
    }
}

fn reachability(reachability: &Reachability) -> ReachabilityJson<'_> {
    ReachabilityJson { pairs: reachability.pairs(), reachable: reachability.reachable(), unreachable: reachability }
}

fn finding_json(finding: &Finding, outcome: Option<&Outcome>) -> FindingJson {
    FindingJson {
        code: finding.code,
        severity: finding.severity.as_str(),
        worker: finding.worker.as_ref().map(ToString::to_string),
        table: finding.table.as_ref().map(ToString::to_string),
        message: finding.message.clone(),
        fixable: finding.fix.is_some(),
        outcome: outcome.map(Outcome::as_str),
        error: outcome.and_then(Outcome::error).map(error_json),
    }
}

fn unresolved(plan: &Plan) -> Vec<UnresolvedJson> {
    let entry = |(worker, error): (&kroutes_core::WorkerName, &Error)| UnresolvedJson {
        worker: worker.to_string(),
        error: error_json(error),
    };
    plan.unresolved.iter().map(entry).collect()
}

fn summary(plan: &Plan) -> Summary {
    let Counts { create, replace, delete, fix, unchanged, foreign, stale, conflict, unresolved } = Counts::of(plan);
    Summary { create, replace, delete, fix, unchanged, foreign, stale, conflict, unresolved, ..Summary::default() }
}

fn hops(hops: &[NextHop]) -> Hop {
    hops.iter().map(|hop| (hop.kind().to_owned(), hop.id())).collect()
}

fn error_json(error: &Error) -> ErrorJson {
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        message = format!("{message}: {inner}");
        cause = inner.source();
    }
    ErrorJson {
        kind: error.kind().as_str(),
        message,
        retryable: error.is_retryable(),
        context: error.context().iter().map(|(name, value)| (*name, value.clone())).collect(),
    }
}
