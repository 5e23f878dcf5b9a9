//! Nodes as `kubectl get nodes -o json` prints them, without most of what it prints.

use serde_json::{Value, json};

use crate::cli::world::compute::address;
use crate::cli::world::pod_range;

/// A node with its range and nothing else.
pub(super) fn node(name: &str, range: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
           "spec": {"podCIDR": range, "podCIDRs": [range]}, "status": {"addresses": []}})
}

/// The node `worker-0` and so on, with its range and its internal address.
pub(super) fn nth_node(nth: usize) -> Value {
    at(node(&format!("worker-{nth}"), &pod_range(nth)), &address(nth).to_string())
}

/// So many of them.
pub(super) fn nodes(count: usize) -> Vec<Value> {
    (0..count).map(nth_node).collect()
}

/// The same node at this internal address, with what else kubelets report.
pub(super) fn at(mut node: Value, address: &str) -> Value {
    node["status"]["addresses"] = json!([
        {"type": "ExternalIP", "address": "198.51.100.7"},
        {"type": "InternalIP", "address": address},
        {"type": "Hostname", "address": "whatever"},
    ]);
    node
}

/// The same node with the id that its cloud gave it.
pub(super) fn identified(mut node: Value, id: &str) -> Value {
    node["spec"]["providerID"] = id.into();
    node
}

/// The same node with these ranges.
pub(super) fn ranged(mut node: Value, ranges: &[&str]) -> Value {
    node["spec"]["podCIDR"] = ranges[0].into();
    node["spec"]["podCIDRs"] = ranges.into();
    node
}

/// The same node before it got a range.
pub(super) fn rangeless(mut node: Value) -> Value {
    node["spec"] = json!({});
    node
}

/// The same node on its way out.
pub(super) fn leaving(mut node: Value) -> Value {
    node["metadata"]["deletionTimestamp"] = "2026-11-20T17:00:00Z".into();
    node
}

/// A list as kubectl prints it.
pub(super) fn list(nodes: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": nodes}).to_string()
}

/// A list as the API server answers it.
pub(super) fn node_list(nodes: &[Value], next: &str) -> String {
    json!({"apiVersion": "v1", "kind": "NodeList", "metadata": {"continue": next}, "items": nodes}).to_string()
}
