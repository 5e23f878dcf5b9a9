//! What stops packets although the routes are right, or will.
//!
//! All of it is read from listings that are needed anyway; nothing here costs a call. Compute Engine itself warns of most
//! of it, on the route and some time after it was made; the instances say the same before, and which machine it is. So
//! they are asked first, and a route's own warnings are told where they add something.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use ipnet::IpNet;
use kroutes_core::{Error, ErrorKind, Finding, Observation, Origin, Severity, Table, TableId, Worker, WorkerName};

use crate::instances::{Machine, Machines, given};
use crate::{routes, wire};

const FORWARDING: &str = "ip-forwarding";
const ADDRESS: &str = "next-hop-address";
const NOT_RUNNING: &str = "not-running";

/// Compute Engine's word for a machine that runs.
const RUNNING: &str = "RUNNING";

fn about(worker: &WorkerName, code: &'static str, severity: Severity, message: String) -> Finding {
    Finding { code, severity, worker: Some(worker.clone()), table: None, message, fix: None }
}

/// What is the matter with a worker's instance, given which one it is, if that is known.
pub(crate) fn of_worker(worker: &Worker, machine: Option<&Machine>, machines: &Machines) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ipv6 in [false, true] {
        if worker.pod_cidrs.iter().any(|cidr| cidr.is_ipv6() == ipv6)
            && let Some(address) = given(worker, ipv6)
        {
            findings.extend(of_address(worker, address, machine, machines));
        }
    }
    let Some(machine) = machine else { return findings };
    let named = machines.by_ref(&worker.machine).filter(|named| named.key != machine.key);
    if let Some(named) = named {
        let message = format!(
            "the worker's address is that of instance `{}`, not of `{}`, which has its name: one of the two is wrong",
            machine.key, named.key
        );
        findings.push(about(&worker.name, "address-mismatch", Severity::Warning, message));
    }
    if machine.status != RUNNING {
        let message = format!(
            "instance `{}` is `{}`: nothing forwards to its pods until it runs",
            machine.key,
            machine.status.to_lowercase()
        );
        findings.push(about(&worker.name, NOT_RUNNING, Severity::Error, message));
    }
    if !machine.can_ip_forward {
        findings.push(about(&worker.name, FORWARDING, Severity::Error, no_forwarding(machine)));
    }
    findings
}

/// Forwarding can be switched on without a restart, by an update that sends the whole instance back ("Insights about
/// routes with an invalid next hop", Network Intelligence Center; Compute Engine API, `instances.update`).
fn no_forwarding(machine: &Machine) -> String {
    let Machine { key, name, zone, .. } = machine;
    let place = match &machine.project {
        Some(project) => format!("--project={project} --zone={zone}"),
        None => format!("--zone={zone}"),
    };
    format!(
        "instance `{key}` may not forward packets (`canIpForward` is off), so Google Cloud drops those to and from its pods. \
         To switch it on without a restart: `gcloud compute instances export {name} {place} --destination={name}.yaml`, write \
         `canIpForward: true` into that file, `gcloud compute instances update-from-file {name} {place} \
         --source={name}.yaml --most-disruptive-allowed-action=REFRESH`; new ones are created with `--can-ip-forward`"
    )
}

/// Whether a next hop's address is one that leads to a machine: it "must be the primary internal address" of a VM's
/// interface in the network ("Static routes", VPC documentation).
fn of_address(worker: &Worker, address: IpAddr, machine: Option<&Machine>, machines: &Machines) -> Option<Finding> {
    let network = machines.network();
    if let Some(holder) = machines.by_address(address) {
        let other = machine.filter(|machine| machine.key != holder.key)?;
        let message = format!(
            "address `{address}` is that of instance `{}`, the worker's other one of `{}`",
            holder.key, other.key
        );
        return Some(about(&worker.name, "address-mismatch", Severity::Warning, message));
    }
    let all = machines.all().iter();
    let aliased = all.clone().find(|one| one.aliases.iter().any(|range| range.contains(&address)));
    let elsewhere: Vec<(&Machine, &str)> = all
        .filter_map(|one| {
            let place = one.elsewhere.iter().find(|(_, known)| *known == Some(address))?;
            Some((one, place.0.as_str()))
        })
        .collect();
    let instead = machine.and_then(|one| Some((one, one.address(address.is_ipv6())?)));
    let own = elsewhere.iter().find(|(one, _)| one.is(&worker.machine));
    let known = if let Some(one) = aliased {
        Some(format!("it is an alias address of instance `{}`", one.key))
    } else if let Some((one, primary)) = instead {
        Some(format!("instance `{}` has `{primary}`", one.key))
    } else {
        own.map(|(one, other)| format!("instance `{}` has it in network `{other}`", one.key))
    };
    if let Some(why) = known {
        let message = format!(
            "`{address}` is no instance's primary internal address in network `{network}`, so packets for the worker's pods \
             are lost: {why}"
        );
        let severity = if machines.is_complete() { Severity::Error } else { Severity::Warning };
        return Some(about(&worker.name, ADDRESS, severity, message));
    }
    // That nobody is seen with it proves nothing: whoever has it may be in another project. If nobody has, Compute Engine
    // says so on the route once there is one.
    let message = if !machines.is_complete() {
        format!("`{address}` was not seen on any instance in network `{network}`, but not every zone could be listed")
    } else if machines.sees_nobody() {
        format!(
            "whether `{address}` is an instance's primary internal address could not be checked: the project shows no instance \
             in network `{network}` (in a Shared VPC, those of service projects cannot be seen from here)"
        )
    } else {
        format!(
            "no instance of this project has `{address}` in network `{network}`: packets for the worker's pods are lost, \
             unless this is a Shared VPC and one of a service project has it, which cannot be seen from here"
        )
    };
    let hint = elsewhere.first().map(|(one, other)| format!("; instance `{}` has it in network `{other}`", one.key));
    Some(about(&worker.name, ADDRESS, Severity::Warning, message + hint.as_deref().unwrap_or_default()))
}

/// Where the instances could not be listed although addresses are given: routes can be made, and nobody knows whether
/// they work.
pub(crate) fn not_checked(workers: &[Worker], error: &Error) -> Option<Finding> {
    let used = |worker: &Worker| worker.pod_cidrs.iter().any(|cidr| given(worker, cidr.is_ipv6()).is_some());
    workers.iter().any(used).then(|| {
        let switched_off = ["accessNotConfigured", "SERVICE_DISABLED", "BILLING_DISABLED", "billingNotEnabled"];
        let is_off = error.get("code").is_some_and(|code| switched_off.contains(&code));
        let forbidden = error.kind() == ErrorKind::PermissionDenied && !is_off;
        let remedy = if forbidden { "; allow `compute.instances.list`" } else { "" };
        Finding {
            code: "not-checked",
            severity: Severity::Warning,
            worker: None,
            table: None,
            message: format!(
                "whether the workers' instances run, may forward packets and have the addresses that the topology gives \
                 was not checked, since they could not be listed: {error}{remedy}"
            ),
            fix: None,
        }
    })
}

/// Pod CIDRs that Compute Engine refuses: a static route's destination can neither be a subnet's range nor lie inside one
/// ("Static routes", VPC documentation). What there is already was accepted.
pub(crate) fn subnet_overlaps(workers: &[Worker], table: &Table) -> Vec<Finding> {
    let nets = |origin: Origin| {
        let routes = table.routes.iter().filter(move |route| route.origin == origin);
        routes.filter_map(|route| Some((route.destination.as_net()?, route)))
    };
    let subnets: Vec<_> = nets(Origin::Local).collect();
    let taken: HashSet<IpNet> = nets(Origin::Static).map(|(net, _)| net).collect();
    let pods = workers.iter().flat_map(|worker| worker.pod_cidrs.iter().map(move |cidr| (worker, cidr)));
    pods.filter(|(_, cidr)| !taken.contains(&cidr.net()))
        .filter_map(|(worker, cidr)| {
            let (around, route) = subnets.iter().find(|(subnet, _)| subnet.contains(&cidr.net()))?;
            let how = if *around == cidr.net() { "is" } else { "lies inside" };
            let name = route.name.as_deref().unwrap_or_default();
            let message = format!(
                "pod CIDR `{cidr}` {how} the subnet range `{around}` (route `{name}`), where Google Cloud refuses such a route \
                 unless the subnet was made with `--allow-cidr-routes-overlap`: choose another range"
            );
            let table = Some(table.id.clone());
            Some(Finding { table, ..about(&worker.name, "subnet-overlap", Severity::Error, message) })
        })
        .collect()
}

/// What Compute Engine says of routes that are as they should be, where the instances did not say it already.
pub(crate) fn route_warnings(
    workers: &[Worker],
    observation: &Observation,
    listed: &[wire::Route],
    table: &Table,
) -> Vec<Finding> {
    let owners: HashMap<IpNet, _> = workers
        .iter()
        .flat_map(|worker| worker.pod_cidrs.iter().map(move |cidr| (cidr.net(), (worker, cidr))))
        .collect();
    let mut findings = Vec::new();
    for route in listed.iter().filter(|route| !route.warnings.is_empty()) {
        let Some((worker, cidr)) = routes::destination(route).as_net().and_then(|net| owners.get(&net)) else {
            continue;
        };
        let Some(Ok(wanted)) = observation.next_hops.get(cidr) else { continue };
        if !routes::next_hops(route).contains(wanted) {
            continue;
        }
        for warning in &route.warnings {
            let (code, severity) = meaning(&warning.code);
            let told = |known: &Finding| {
                known.worker.as_ref() == Some(&worker.name) && known.code == code && known.severity == severity
            };
            // Warnings of no known kind share one code, and each may be another.
            if code != OTHER && observation.findings.iter().chain(&findings).any(told) {
                continue;
            }
            findings.push(of_route(&table.id, &worker.name, route, warning, (code, severity)));
        }
    }
    findings
}

const OTHER: &str = "route-warning";

/// The code under which the instances' own description tells the same.
fn meaning(warning: &str) -> (&'static str, Severity) {
    match warning {
        "NEXT_HOP_CANNOT_IP_FORWARD" => (FORWARDING, Severity::Error),
        "NEXT_HOP_NOT_RUNNING" => (NOT_RUNNING, Severity::Error),
        other if routes::is_dead(other) => (ADDRESS, Severity::Error),
        _ => (OTHER, Severity::Warning),
    }
}

fn of_route(
    table: &TableId,
    worker: &WorkerName,
    route: &wire::Route,
    warning: &wire::Warning,
    (code, severity): (&'static str, Severity),
) -> Finding {
    let said = warning.message.trim_end_matches('.');
    let message = format!("Google Cloud warns of route `{}`: {said} ({})", route.name, warning.code);
    Finding { table: Some(table.clone()), ..about(worker, code, severity, message) }
}

#[cfg(test)]
#[path = "findings_tests.rs"]
mod tests;
