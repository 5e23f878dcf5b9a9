//! What a finding means to somebody who asks what to do.
//!
//! A finding that `apply` mends by itself keeps nobody from working. One that nothing mends stops packets, or will. The
//! codes are the words of docs/errors.md; one that is not known here, since a provider may bring a new one, is shown all
//! the same, with the machines if it is about a worker and with the tables if not.

use kroutes_core::{Check, CheckGroup, CheckStatus, Finding, Severity};

/// Where a remedy begins inside a message that has its own.
const OWN_REMEDY: &str = ". To ";

/// Where a finding is shown.
pub(super) fn group(finding: &Finding) -> CheckGroup {
    match finding.code {
        "left-out" | "not-pruned" => CheckGroup::Topology,
        "inside-vpc" | "subnet-overlap" => CheckGroup::Addresses,
        "no-association" | "serves-no-worker" | "other-table" | "route-warning" => CheckGroup::Tables,
        "routes-quota" => CheckGroup::Quota,
        "other-cluster" => CheckGroup::Writers,
        _ if finding.worker.is_some() || finding.table.is_none() => CheckGroup::Machines,
        _ => CheckGroup::Tables,
    }
}

/// The check that a finding becomes, without whom it is about.
pub(super) fn check(finding: &Finding) -> Check {
    let mends_itself = finding.fix.is_some();
    let status = match finding.severity {
        Severity::Error if !mends_itself => CheckStatus::Fail,
        _ => CheckStatus::Warn,
    };
    let (message, own) = match finding.message.split_once(OWN_REMEDY) {
        Some((message, remedy)) => (message, Some(format!("to {remedy}"))),
        None => (finding.message.as_str(), None),
    };
    let remedy = match own {
        _ if mends_itself => "`kroutes apply` mends it".to_owned(),
        Some(own) => own,
        None => remedy(finding.code).to_owned(),
    };
    Check {
        group: group(finding),
        name: finding.code.to_owned(),
        status,
        message: message.to_owned(),
        remedy: Some(remedy),
    }
}

/// What to do where the finding itself does not say.
fn remedy(code: &str) -> &'static str {
    match code {
        "not-running" => "start it, or take the worker out of the topology",
        "source-dest-check" => "switch it off, or take `source-dest-check = \"leave\"` out of the topology and apply",
        "next-hop-address" => {
            "give the worker its instance's primary internal address in this network, or leave `address` out"
        }
        "address-mismatch" => "correct the address or the name in the topology",
        "no-ipv6-address" => "assign an IPv6 address to the instance",
        "inside-vpc" | "subnet-overlap" => "choose another pod CIDR for the worker",
        "no-association" => "associate the table with the workers' subnets",
        "other-table" => "name that table in `route-table` too, or write `route-table = \"associated\"`",
        "serves-no-worker" => {
            "name the table in `route-table` and run `kroutes destroy`, before naming `\"associated\"` again"
        }
        "routes-quota" => "raise the quota and `routes-limit`, or use a second table",
        "left-out" => "nothing, unless it is to be a worker: then mend what the message names",
        "not-pruned" => "mend the node, so that its range is known",
        "not-checked" => "allow what the message names, and ask again",
        _ => "do what the message says; docs/errors.md has the code",
    }
}
