//! The network as a picture, in Mermaid's words, which documents and code hosts draw.
//!
//! What a reader wants to see is where a packet goes: a range of pods, the table that knows it, the worker behind. So ranges
//! stand left, tables in the middle, workers right, and each arrow from a table bears what verify says of that route. Above
//! fifty workers nobody can read that, and the picture becomes a sum: how many routes of each table are in which state.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write;

use kroutes_core::{Destination, RouteVerdict, Severity, Status, Topology, Verdict, WorkerName};

use super::OwnedTable;

/// With more workers than this the picture is a sum.
const DRAWN: usize = 50;

/// A text inside quotes of Mermaid's.
fn label(text: &str) -> String {
    // A number sign begins an entity, and backticks around a whole label make it Markdown.
    let text = text.replace('#', "#35;").replace('&', "#amp;").replace('"', "#quot;").replace('`', "#96;");
    text.replace('<', "#lt;").replace('>', "#gt;").replace('\n', " ")
}

/// The class, and with it the colour, of a verdict. The word stands on the arrow besides.
const fn class(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Stale => "stale",
        _ => "broken",
    }
}

/// The network with every worker, or in sums.
pub(crate) fn mermaid(topology: &Topology, tables: &[OwnedTable], verdict: &Verdict) -> String {
    let mut text = String::from("flowchart LR\n");
    if topology.workers().len() > DRAWN {
        sums(&mut text, topology, tables, verdict);
    } else {
        whole(&mut text, topology, tables, verdict);
    }
    text.push_str(
        "  classDef ok stroke:#2e7d32\n  classDef broken stroke:#c62828,stroke-width:3px\n  classDef stale stroke:#9e9e9e,stroke-dasharray:4\n",
    );
    text
}

fn whole(text: &mut String, topology: &Topology, tables: &[OwnedTable], verdict: &Verdict) {
    let mut workers = BTreeMap::new();
    for (at, worker) in topology.workers().iter().enumerate() {
        let addresses: Vec<_> = worker.addresses.iter().map(ToString::to_string).collect();
        let below = if addresses.is_empty() { String::new() } else { format!("<br/>{}", addresses.join("<br/>")) };
        let trouble = trouble(&worker.name, verdict);
        let class = if trouble.is_empty() { "" } else { ":::broken" };
        let _ = writeln!(text, "  w{at}[\"{}{below}{trouble}\"]{class}", label(worker.name.as_str()));
        workers.insert(&worker.name, at);
    }
    for (at, table) in tables.iter().enumerate() {
        table_node(text, at, table);
        let routes = verdict.routes.iter().filter(|route| route.table.0 == table.name);
        for (nth, route) in routes.enumerate() {
            let _ = writeln!(text, "  r{at}_{nth}([\"{}\"]):::{} --> t{at}", route.destination, class(route.status));
            let arrow = arrow(route);
            match route.worker.as_ref().and_then(|worker| workers.get(worker)) {
                Some(worker) => {
                    let _ = writeln!(text, "  t{at} {arrow}|\"{} {}\"| w{worker}", route.destination, route.status);
                }
                None => {
                    let _ = writeln!(
                        text,
                        "  t{at} {arrow}|\"{} {}\"| nobody([\"no worker\"])",
                        route.destination, route.status
                    );
                }
            }
        }
        rest(text, at, table, verdict);
    }
}

/// What keeps packets from a worker although its route may be right. Where it was not found its routes are not judged, and
/// so no arrow leads to it.
fn trouble(worker: &WorkerName, verdict: &Verdict) -> String {
    if verdict.plan.unresolved.contains_key(worker) {
        return "<br/>not found".to_owned();
    }
    let errors = verdict.plan.findings.iter().filter(|finding| finding.severity == Severity::Error);
    let codes: BTreeSet<_> = errors.filter(|one| one.worker.as_ref() == Some(worker)).map(|one| one.code).collect();
    let lines: Vec<_> = std::iter::once("").chain(codes).collect();
    lines.join("<br/>")
}

/// A broken route is no arrow that anything follows.
const fn arrow(route: &RouteVerdict) -> &'static str {
    match route.status {
        Status::Ok => "-->",
        _ => "-.-x",
    }
}

fn table_node(text: &mut String, at: usize, table: &OwnedTable) {
    let place = if table.location.is_empty() { String::new() } else { format!("<br/>{}", label(&table.location)) };
    match &table.routes {
        Ok(_) => {
            let _ = writeln!(text, "  t{at}{{{{\"{}{place}\"}}}}", label(&table.name));
        }
        Err(error) => {
            let _ = writeln!(text, "  t{at}{{{{\"{}<br/>{}\"}}}}:::broken", label(&table.name), label(error.message()));
        }
    }
}

/// What is not ours is one node: how many there are, not which. So is what is ours and not judged: routes of workers that
/// were not found, and of machines that are left alone.
fn rest(text: &mut String, at: usize, table: &OwnedTable, verdict: &Verdict) {
    let Ok(routes) = &table.routes else { return };
    let of_table = verdict.routes.iter().filter(|route| route.table.0 == table.name);
    let judged: HashSet<_> = of_table.map(|route| Destination::Net(route.destination)).collect();
    let (ours, foreign): (Vec<_>, Vec<_>) = routes.iter().partition(|owned| owned.owner.is_ours());
    let alone = ours.into_iter().filter(|owned| !judged.contains(&owned.route.destination)).count();
    for (sign, count, word) in [("f", foreign.len(), "foreign"), ("a", alone, "left alone")] {
        if count > 0 {
            let _ = writeln!(text, "  t{at} --> {sign}{at}([\"{count} {word}\"])");
        }
    }
}

fn sums(text: &mut String, topology: &Topology, tables: &[OwnedTable], verdict: &Verdict) {
    let count = topology.workers().len();
    let (pairs, reachable) = (verdict.reachability.pairs(), verdict.reachability.reachable());
    let _ = writeln!(text, "  all[\"{count} workers<br/>{reachable} of {pairs} pairs reach each other\"]");
    for (at, table) in tables.iter().enumerate() {
        table_node(text, at, table);
        let _ = writeln!(text, "  all --> t{at}");
        let mut by_status: BTreeMap<Status, usize> = BTreeMap::new();
        for route in verdict.routes.iter().filter(|route| route.table.0 == table.name) {
            *by_status.entry(route.status).or_default() += 1;
        }
        for (nth, (status, routes)) in by_status.into_iter().enumerate() {
            let _ = writeln!(text, "  t{at} --> s{at}_{nth}([\"{routes} {status}\"]):::{}", class(status));
        }
        rest(text, at, table, verdict);
    }
}
