//! The network as a picture, in Mermaid's words, which documents and code hosts draw.
//!
//! What a reader wants to see is where a packet goes: a range of pods, the table that knows it, the worker behind. So ranges
//! stand left, tables in the middle, workers right, and each arrow from a table bears what verify says of that route. Above
//! fifty workers nobody can read that, and the picture becomes a sum: how many routes of each table are in which state.

use std::collections::BTreeMap;
use std::fmt::Write;

use kroutes_core::{RouteVerdict, Status, Topology, Verdict};

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
        let lost = verdict.plan.unresolved.contains_key(&worker.name);
        // Its routes are not judged, and so no arrow leads to it.
        let lost = if lost { ("<br/>not found", ":::broken") } else { ("", "") };
        let _ = writeln!(text, "  w{at}[\"{}{below}{}\"]{}", label(worker.name.as_str()), lost.0, lost.1);
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
        foreign(text, at, table);
    }
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

/// What is not ours is one node: how many there are, not which.
fn foreign(text: &mut String, at: usize, table: &OwnedTable) {
    let Ok(routes) = &table.routes else { return };
    let count = routes.iter().filter(|owned| !owned.owner.is_ours()).count();
    if count > 0 {
        let _ = writeln!(text, "  t{at} --> f{at}([\"{count} foreign\"])");
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
        foreign(text, at, table);
    }
}
