//! The answer for programs: one object, `"format": 1`, keys in kebab-case, absent values omitted.
//!
//! The types in [`shapes`] are the format. They are apart from the core's on purpose: the core's may change with every release, these
//! only with the number. `docs/output.schema.json` is the same format as a JSON Schema.

mod shapes;

use std::collections::BTreeMap;

use kroutes_core::{
    Change, ClaimState, Conflict, Error, Finding, Held, NextHop, ObservedRoute, Plan, Reachability, RouteVerdict,
    Verdict,
};
use kroutes_driver::{Moved, Outcome, Report, Tally};

pub(super) use self::shapes::FORMAT;
use self::shapes::{
    ChangeJson, ConflictJson, Document, ErrorJson, FindingJson, Hop, MovedJson, ReachabilityJson, RefusedJson,
    RouteJson, Summary, TableJson, UnresolvedJson, VerdictJson, WasJson,
};
use super::{Counts, Head, OwnedTable, text};

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
