//! The answer for people.
//!
//! One line per change, in the order of addresses, each with its reason; then one line that sums up. What failed is told
//! once however often it happened, since twelve hundred equal lines hide the one that is different. Colour repeats what the
//! first character of a line says and never says more.

use std::collections::BTreeMap;
use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use kroutes_core::{
    Change, ClaimState, Conflict, Destination, Error, ErrorKind, Finding, NextHop, ObservedRoute, Plan, Severity,
    Status, TablePlan, Verdict,
};
use kroutes_driver::Report;

use super::columns::columns;
use super::{Counts, Head, OwnedTable};
use crate::failure::explain;

/// With more routes than this a verdict lists only what is not in order.
const LISTED: usize = 60;
/// How many findings of one sort are spelled out.
const ALIKE: usize = 20;
/// How many reasons for unreachable pairs are spelled out.
const REASONS: usize = 20;

/// What the calls of a plan cost, and what carrying it out would.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) reads: u64,
    pub(crate) writes: u64,
}

/// What a plan would change.
pub(crate) fn plan(head: &Head<'_>, plan: &Plan, cost: Cost) -> String {
    let mut text = String::new();
    for (at, planned) in plan.tables.iter().enumerate() {
        match &planned.plan {
            Ok(table) => {
                heading(&mut text, head, &table.id.0, &table.location);
                lines(&mut text, table_rows(table));
                // What concerns no table stands with the last one, so that a plan for one table reads as one block.
                if at + 1 == plan.readable().count() {
                    lines(&mut text, plan.fixes().map(|(finding, _)| fix_row(finding)).collect());
                }
                note_on_claim(&mut text, head, table);
                notes_on_table(&mut text, table);
            }
            Err(error) => unreadable(&mut text, head, &planned.wanted, error),
        }
        text.push('\n');
    }
    problems(&mut text, plan);
    let Counts { create, replace, delete, fix, unchanged, foreign, stale, conflict, .. } = Counts::of(plan);
    let remedy = if plan.findings.iter().any(spares) { "" } else { ": --prune deletes them" };
    let stale = if stale == 0 { String::new() } else { format!(", {stale} stale{remedy}") };
    let _ = writeln!(
        text,
        "Plan: {create} to add, {replace} to change, {delete} to delete, {fix} to fix. ({unchanged} unchanged, {foreign} foreign, \
         {conflict} conflict{stale})   {}, {}",
        plural(usize::try_from(cost.reads).unwrap_or(usize::MAX), "read"),
        plural(usize::try_from(cost.writes).unwrap_or(usize::MAX), "write")
    );
    text
}

/// That there was nothing to do, in one sentence.
pub(crate) fn nothing_to_do(head: &Head<'_>, verdict: &Verdict) -> String {
    let mut text = String::new();
    problems(&mut text, &verdict.plan);
    let only = in_brackets(head);
    let _ = writeln!(text, "Nothing to change in cluster {}{only}: {}.", head.cluster, judgement(verdict));
    text
}

/// That there was nothing to remove, in one sentence; and what the claim's end came to.
pub(crate) fn nothing_left(head: &Head<'_>, plan: &Plan, report: &Report) -> String {
    let mut text = String::new();
    problems(&mut text, plan);
    for planned in &plan.tables {
        if let Err(error) = &planned.plan {
            unreadable(&mut text, head, &planned.wanted, error);
        }
    }
    for error in &report.errors {
        let _ = write!(text, "  {}!{} {}", red().render(), red().render_reset(), explain(error));
    }
    text.push_str(&left_after(head, plan, report));
    text
}

/// What a destroy that found no route of ours left may say, and no more than that.
fn left_after(head: &Head<'_>, plan: &Plan, report: &Report) -> String {
    let cluster = head.cluster;
    if !plan.unproved.is_empty() {
        format!("No route could be shown to be cluster {cluster}'s, but not all could be looked up.\n")
    } else if !report.errors.is_empty() {
        format!("No route of cluster {cluster} is left, but its claim may be: see above.\n")
    } else if !plan.unresolved.is_empty() && !plan.by_mark {
        format!(
            "No route that is known to be cluster {cluster}'s is left; of workers that were not found nothing is known.\n"
        )
    } else {
        format!("Nothing of cluster {cluster} is in the tables that could be read.\n")
    }
}

/// Routes that are as they should be and yet lose packets to a longer prefix or a better precedence, which no plan mends.
pub(crate) fn shadowed(verdict: &Verdict) -> String {
    let mut text = String::new();
    for route in super::unmended(verdict) {
        let worker = route.worker.as_ref().map(ToString::to_string).unwrap_or_default();
        let detail = route.detail.as_deref().unwrap_or_default();
        let sign = format!("{}!{}", red().render(), red().render_reset());
        let _ = writeln!(
            text,
            "  {sign} {} of {worker} is shadowed in {}: {detail}; kroutes does not touch that route",
            route.destination, route.table
        );
    }
    text
}

/// What an apply or a destroy did.
pub(crate) fn report(head: &Head<'_>, report: &Report) -> String {
    let mut text = String::new();
    let failures = report.tables.iter().flat_map(|table| {
        table.changes.iter().filter_map(|(change, outcome)| {
            Some((format!("{} {}", change.action(), change.destination()), outcome.as_str(), outcome.error()?))
        })
    });
    let fixes = report.fixes.iter().filter_map(|(finding, outcome)| {
        let worker = finding.worker.as_ref().map(ToString::to_string).unwrap_or_default();
        Some((format!("fix {} {worker}", finding.code), outcome.as_str(), outcome.error()?))
    });
    text.push_str(&collapsed(failures.chain(fixes)));
    for error in &report.errors {
        let _ = write!(text, "  {}!{} {}", red().render(), red().render_reset(), explain(error));
    }
    for table in report.tables.iter().filter(|table| table.claim == ClaimState::Denied) {
        let _ = writeln!(
            text,
            "  note: no permission to tag table `{}` with our claim; routes of workers that leave the topology may not be recognised as ours",
            table.id
        );
    }
    let tally = report.tally();
    let total = tally.done + tally.failed + tally.skipped + tally.unconfirmed;
    let how = if report.interrupted { "interrupted before reading back" } else { "read back" };
    let _ = write!(text, "Done: {} of {total}, {how}.", tally.done);
    for (count, word) in [(tally.failed, "failed"), (tally.unconfirmed, "unconfirmed"), (tally.skipped, "skipped")] {
        if count > 0 {
            let _ = write!(text, " {count} {word}.");
        }
    }
    text.push('\n');
    match &report.verdict {
        Some(verdict) if head.command == "apply" => {
            text.push('\n');
            text.push_str(&self::verdict(head, verdict));
        }
        Some(verdict) if report.remaining == 0 => text.push_str(&left_after(head, &verdict.plan, report)),
        Some(_) => {
            let _ = writeln!(text, "{} of cluster {} left.", plural(report.remaining, "route"), head.cluster);
        }
        None => {}
    }
    text
}

/// What a verify found.
pub(crate) fn verdict(head: &Head<'_>, verdict: &Verdict) -> String {
    let mut text = String::new();
    let all = verdict.routes.len() <= LISTED;
    for planned in &verdict.plan.tables {
        match &planned.plan {
            Ok(table) => {
                heading(&mut text, head, &table.id.0, &table.location);
                let of_table = verdict.routes.iter().filter(|route| route.table == table.id);
                let listed = of_table.filter(|route| all || route.status != Status::Ok);
                let rows = listed.map(|route| {
                    let worker = route.worker.as_ref().map(ToString::to_string).unwrap_or_default();
                    let detail = route.detail.clone().unwrap_or_default();
                    vec![route.status.to_string(), route.destination.to_string(), worker, detail]
                });
                for line in columns(rows.collect()) {
                    let style = if line.trim_start().starts_with("ok ") { green() } else { red() };
                    let _ = writeln!(text, "{}{line}{}", style.render(), style.render_reset());
                }
                notes_on_table(&mut text, table);
            }
            Err(error) => unreadable(&mut text, head, &planned.wanted, error),
        }
        text.push('\n');
    }
    problems(&mut text, &verdict.plan);
    text.push_str(&cut_off(verdict));
    let word = if verdict.ok { "as wanted" } else { "not as wanted" };
    let style = if verdict.ok { green() } else { red() };
    let only = in_brackets(head);
    let _ = writeln!(text, "{}Verdict{only}: {word}{}: {}.", style.render(), style.render_reset(), judgement(verdict));
    text
}

/// The tables as they are.
pub(crate) fn routes(head: &Head<'_>, tables: &[OwnedTable]) -> String {
    let mut text = String::new();
    for table in tables {
        match &table.routes {
            Ok(routes) => {
                heading(&mut text, head, &table.name, &table.location);
                let named = routes.iter().any(|owned| owned.route.name.is_some());
                let rows = routes.iter().map(|owned| {
                    let owner = if owned.owner.is_ours() { "ours" } else { "foreign" };
                    let worker = owned.worker.as_ref().map(ToString::to_string).unwrap_or_default();
                    let name = named.then(|| owned.route.name.clone().unwrap_or_default());
                    let mut row = vec![
                        owned.route.destination.to_string(),
                        format!("-> {}", hop(&owned.route.next_hops)),
                        owned.route.state.as_str().to_owned(),
                        owned.route.origin.as_str().to_owned(),
                        owner.to_owned(),
                        worker,
                        owned.owner.to_string(),
                    ];
                    if named {
                        row.insert(4, format!("priority {}", owned.route.precedence));
                    }
                    row.splice(1..1, name);
                    row
                });
                for line in columns(rows.collect()) {
                    let _ = writeln!(text, "{line}");
                }
            }
            Err(error) => unreadable(&mut text, head, &table.name, error),
        }
        text.push('\n');
    }
    text.truncate(text.trim_end_matches('\n').len());
    text.push('\n');
    text
}

fn heading(text: &mut String, head: &Head<'_>, table: &str, location: &str) {
    let location = if location.is_empty() { String::new() } else { format!(" ({location})") };
    let bold = Style::new().bold();
    let _ = writeln!(
        text,
        "{}{} {table}{location}  cluster {}  {}{}{}",
        bold.render(),
        head.provider,
        head.cluster,
        head.cidrs,
        narrowed(head),
        bold.render_reset()
    );
}

/// What alone was looked at, where that is not everything.
fn narrowed(head: &Head<'_>) -> String {
    if head.only.is_empty() { String::new() } else { format!("  only {}", head.only.join(" ")) }
}

fn in_brackets(head: &Head<'_>) -> String {
    if head.only.is_empty() { String::new() } else { format!(" ({})", narrowed(head).trim_start()) }
}

fn unreadable(text: &mut String, head: &Head<'_>, wanted: &str, error: &Error) {
    heading(text, head, wanted, "");
    let _ = write!(text, "  {}!{} could not be read: {}", red().render(), red().render_reset(), explain(error));
}

/// Changes and conflicts of a table in the order of addresses.
fn table_rows(table: &TablePlan) -> Vec<Vec<String>> {
    let changes = table.changes.iter().map(|change| (change.destination(), change_row(change)));
    let conflicts = table
        .conflicts
        .iter()
        .map(|conflict| (Destination::Net(conflict.want.destination.net()), conflict_row(conflict)));
    let mut rows: Vec<_> = changes.chain(conflicts).collect();
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    rows.into_iter().map(|(_, row)| row).collect()
}

/// When the claim comes or goes, where it does.
fn note_on_claim(text: &mut String, head: &Head<'_>, table: &TablePlan) {
    match &table.claim {
        _ if table.refusal.is_some() => {}
        ClaimState::ToSet(claim) => {
            let value = claim.value();
            let _ = writeln!(text, "  note: the claim kroutes/{}={value} is set on this table first", claim.cluster);
        }
        ClaimState::Ours if head.command == "destroy" => {
            let _ = writeln!(text, "  note: the claim kroutes/{} is removed from this table last", head.cluster);
        }
        _ => {}
    }
}

fn lines(text: &mut String, rows: Vec<Vec<String>>) {
    for line in columns(rows) {
        let style = match line.trim_start().chars().next() {
            Some('+') => green(),
            Some('~') => Style::new().fg_color(Some(AnsiColor::Yellow.into())),
            _ => red(),
        };
        let _ = writeln!(text, "{}{line}{}", style.render(), style.render_reset());
    }
}

fn change_row(change: &Change) -> Vec<String> {
    let was = change.was().iter().map(|route| hop(&route.next_hops)).collect::<Vec<_>>().join(", ");
    let (sign, way) = match (change, change.want()) {
        (Change::Delete { .. }, _) => ("-", was),
        (Change::Create { .. }, Some(route)) => ("+", format!("-> {}", route.next_hop)),
        (_, want) => ("~", format!("{was} -> {}", want.map(|route| route.next_hop.to_string()).unwrap_or_default())),
    };
    let worker = change.want().map(|route| route.worker.to_string()).unwrap_or_default();
    vec![sign.to_owned(), change.destination().to_string(), way, worker, change.reason()]
}

fn conflict_row(conflict: &Conflict) -> Vec<String> {
    let was = conflict.was.iter().map(named_hop).collect::<Vec<_>>().join(", ");
    let remedy = if conflict.can_take_over { "; --take-over replaces it" } else { "" };
    let reason = format!("conflict: {}{remedy}", conflict.reason);
    vec!["!".to_owned(), conflict.want.destination.to_string(), was, conflict.want.worker.to_string(), reason]
}

/// Where routes have names, it is by its name that somebody removes one by hand.
fn named_hop(route: &ObservedRoute) -> String {
    let name = route.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    format!("{}{name}", hop(&route.next_hops))
}

fn fix_row(finding: &Finding) -> Vec<String> {
    let worker = finding.worker.as_ref().map(ToString::to_string).unwrap_or_default();
    let what = match finding.fix {
        Some(kroutes_core::Fix::SourceDestCheckOff { .. }) => "source/dest check on -> off".to_owned(),
        _ => finding.message.clone(),
    };
    vec!["~".to_owned(), worker, what]
}

/// What is to be said of a table besides its changes.
fn notes_on_table(text: &mut String, table: &TablePlan) {
    if let Some(refusal) = &table.refusal {
        let _ = writeln!(text, "  {}! refused: {}{}", red().render(), refusal.message, red().render_reset());
    }
    if let ClaimState::Blocked(route) = &table.claim {
        let _ = writeln!(text, "  note: no claim is set on this table while `{route}` stands in the cluster CIDR");
    }
    if table.held > 0 {
        let routes = plural(table.held, "route");
        let _ = writeln!(text, "  note: {routes} of workers that were not found in the cloud, left as they are");
    }
}

/// Workers that have no next hop, and look-ups that failed although they decide whose a route is.
pub(crate) fn unknown(plan: &Plan) -> String {
    let workers = plan.unresolved.iter().map(|(worker, error)| (worker.to_string(), "not resolved", error));
    let told = |error: &&Error| plan.unresolved.values().any(|other| other.message() == error.message());
    let failed = plan.unproved.iter().filter(|error| !told(error));
    collapsed(workers.chain(failed.map(|error| ("whose some routes are".to_owned(), "not known", error))))
}

/// Workers that were not found, and findings that nothing mends.
fn problems(text: &mut String, plan: &Plan) {
    text.push_str(&unknown(plan));
    warnings(text, plan.findings.iter().filter(|finding| finding.fix.is_none()));
}

/// Whether this is why nothing is pruned although that was asked for. A verdict does not have it, since it asks for nothing.
pub(super) fn spares(finding: &Finding) -> bool {
    finding.code == "not-pruned"
}

/// Why nothing was pruned, for a plan that was not shown.
pub(crate) fn spared(plan: &Plan) -> String {
    let mut text = String::new();
    warnings(&mut text, plan.findings.iter().filter(|finding| spares(finding)));
    text
}

fn warnings<'a>(text: &mut String, findings: impl Iterator<Item = &'a Finding>) {
    let mut alike: BTreeMap<(Severity, &str), usize> = BTreeMap::new();
    for finding in findings {
        let count = alike.entry((finding.severity, finding.code)).or_default();
        *count += 1;
        if *count > ALIKE {
            continue;
        }
        let (word, style) = match finding.severity {
            Severity::Error => ("error", red()),
            Severity::Warning => ("warning", Style::new().fg_color(Some(AnsiColor::Yellow.into()))),
        };
        let whose = finding.worker.as_ref().map(|worker| format!("{worker}: ")).unwrap_or_default();
        let _ = writeln!(text, "  {}{word}{}: {whose}{}", style.render(), style.render_reset(), finding.message);
    }
    for ((severity, code), count) in alike.into_iter().filter(|(_, count)| *count > ALIKE) {
        let more = count - ALIKE;
        let _ = writeln!(text, "  and {more} more with {} `{code}`; `--output json` has them all", severity.as_str());
    }
}

fn cut_off(verdict: &Verdict) -> String {
    let reachability = &verdict.reachability;
    let mut reasons: Vec<String> = Vec::new();
    reasons.extend(reachability.receivers().map(|(worker, reason)| format!("nobody reaches {worker}: {reason}")));
    reasons.extend(
        reachability
            .receivers_by_table()
            .map(|(table, worker, reason)| format!("nobody whose table is {table} reaches {worker}: {reason}")),
    );
    reasons.extend(reachability.senders().map(|(worker, reason)| format!("{worker} reaches nobody: {reason}")));
    let mut text = String::new();
    for reason in reasons.iter().take(REASONS) {
        let _ = writeln!(text, "  {}!{} {reason}", red().render(), red().render_reset());
    }
    if reasons.len() > REASONS {
        let _ = writeln!(text, "  and {} more; `--output json` has them all", reasons.len() - REASONS);
    }
    text
}

fn judgement(verdict: &Verdict) -> String {
    let judged = verdict.routes.iter().filter(|route| route.status != Status::Stale).count();
    // A worker that was not found has routes that nobody can judge, and they are wanted all the same.
    let wanted = judged + verdict.unjudged;
    let right = verdict.routes.iter().filter(|route| route.status == Status::Ok).count();
    let stale = verdict.routes.len() - judged;
    let stale = if stale == 0 { String::new() } else { format!(", {stale} stale") };
    format!(
        "{right} of {} ok{stale}, {} of {} reach each other",
        plural(wanted, "route"),
        verdict.reachability.reachable(),
        match verdict.reachability.pairs() {
            1 => "1 pair of workers".to_owned(),
            pairs => format!("{pairs} pairs of workers"),
        }
    )
}

/// Failures that are alike are told once, with their number.
fn collapsed<'a>(failures: impl Iterator<Item = (String, &'static str, &'a Error)>) -> String {
    // The first of its sort is told whole, with the names of the others.
    let mut groups: BTreeMap<_, (&'a Error, Vec<String>)> = BTreeMap::new();
    for (what, word, error) in failures {
        let (_, all) = groups.entry((word, error.kind(), shape(error))).or_insert_with(|| (error, Vec::new()));
        all.push(what);
    }
    let mut text = String::new();
    for ((word, ..), (error, all)) in groups {
        let first = &all[0];
        let _ = write!(text, "  {}! {word}{} {first}: {}", red().render(), red().render_reset(), explain(error));
        if all.len() > 1 {
            let some = all[1..].iter().take(3).cloned().collect::<Vec<_>>().join(", ");
            let more = if all.len() > 4 { ", ..." } else { "" };
            let _ = writeln!(text, "  and {} more alike: {some}{more}", all.len() - 1);
        }
    }
    text
}

/// What makes two failures alike: the provider's code, or else the words without the names in them. Where an error is a
/// mistake in the topology, as a name that fits two instances, each says something of its own.
fn shape(error: &Error) -> String {
    match (error.get("code"), error.kind()) {
        (Some(code), _) => code.to_owned(),
        (None, ErrorKind::Invalid) => error.message().to_owned(),
        (None, _) => error.message().split('`').step_by(2).collect(),
    }
}

fn hop(hops: &[NextHop]) -> String {
    hops.first().map_or_else(|| "nothing".to_owned(), NextHop::to_string)
}

pub(crate) fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

const fn green() -> Style {
    Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)))
}

const fn red() -> Style {
    Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)))
}
