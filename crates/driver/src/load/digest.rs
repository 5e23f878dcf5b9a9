//! What a topology comes to, in one short word.
//!
//! Two runs that mean the same have the same digest: comments, spaces and the order of keys and workers do not matter, and
//! whether a value stands in the file or comes from the environment does not either. What a source has found counts, since it
//! is what the plan is made from. A digest tells nothing of what went into it, not even of an endpoint with a password.

use std::fmt::Write;

use kroutes_core::Topology;

use super::Loaded;
use super::tree::{Kind, Node};
use crate::saved::sha256;

impl Loaded {
    /// The digest of this file under its environment, and of the cluster and the workers that it came to, whole: before
    /// anybody narrows it.
    pub fn digest(&self, topology: &Topology) -> String {
        // The workers go in as they came out, which is the same for every source.
        let mut text = canonical(&self.root.only(|key| key != "worker"));
        let cluster = topology.cluster();
        let _ = writeln!(text, "\n{:?} {:?}", cluster.name, cluster.pod_cidrs);
        let mut workers: Vec<String> = topology
            .workers()
            .iter()
            .map(|worker| {
                let mut ranges = worker.pod_cidrs.clone();
                ranges.sort();
                let mut addresses = worker.addresses.clone();
                addresses.sort();
                format!("{:?} {ranges:?} {addresses:?} {:?}\n", worker.name, worker.machine)
            })
            .collect();
        workers.sort();
        text.extend(workers);
        sha256(text.as_bytes())
    }
}

/// One text for all ways to write the same values.
fn canonical(node: &Node) -> String {
    match &node.kind {
        Kind::Text(text) => format!("{text:?}"),
        Kind::Integer(number) => number.to_string(),
        Kind::Float(number) => format!("{number:?}"),
        Kind::Boolean(flag) => flag.to_string(),
        Kind::Datetime(datetime) => format!("date {datetime:?}"),
        Kind::List(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Kind::Table(entries) => {
            let mut entries: Vec<String> =
                entries.iter().map(|entry| format!("{:?}:{}", entry.key, canonical(&entry.value))).collect();
            entries.sort();
            format!("{{{}}}", entries.join(","))
        }
    }
}
