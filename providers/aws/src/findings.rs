//! What stops packets although the routes are right, or will.
//!
//! All of it is read from descriptions that are needed anyway; nothing here costs a call.

use aws_sdk_ec2::types::RouteTable;
use kroutes_core::{Finding, Fix, NextHop, Origin, Severity, Table, TableId, Worker};

use crate::machine::Machine;
use crate::settings::SourceDestCheck;

/// What is the matter with a worker's instance.
pub(crate) fn of_worker(worker: &Worker, machine: &Machine, check: SourceDestCheck) -> Vec<Finding> {
    let finding = |code, severity, message| Finding {
        code,
        severity,
        worker: Some(worker.name.clone()),
        table: None,
        message,
        fix: None,
    };
    let id = &machine.id;
    let mut findings = Vec::new();
    if machine.state != "running" {
        let message = format!("instance `{id}` is `{}`: nothing forwards to its pods until it runs", machine.state);
        findings.push(finding("not-running", Severity::Error, message));
    }
    if machine.source_dest_check == Some(true) {
        let what = match &machine.next_hop {
            NextHop::Interface(interface) => format!("interface `{interface}` of `{id}`"),
            _ => format!("instance `{id}`"),
        };
        let message = format!("source/dest check is on for {what}: EC2 drops packets to and from its pods");
        let fix = match check {
            SourceDestCheck::Off => {
                Some(Fix::SourceDestCheckOff { worker: worker.name.clone(), target: machine.next_hop.clone() })
            }
            SourceDestCheck::Leave => None,
        };
        let message = match check {
            SourceDestCheck::Off => message,
            SourceDestCheck::Leave => format!("{message}; `source-dest-check = \"leave\"` leaves it so"),
        };
        findings.push(Finding { fix, ..finding("source-dest-check", Severity::Error, message) });
    }
    for address in worker.addresses.iter().filter(|address| !machine.addresses.contains(address)) {
        let message = format!("the topology gives address `{address}`, which instance `{id}` does not have");
        findings.push(finding("address-mismatch", Severity::Warning, message));
    }
    let wants_v6 = worker.pod_cidrs.iter().any(kroutes_core::PodCidr::is_ipv6);
    if wants_v6 && !machine.addresses.iter().any(std::net::IpAddr::is_ipv6) {
        let message = format!("its pods have IPv6 addresses and instance `{id}` has none: it may not forward IPv6");
        findings.push(finding("no-ipv6-address", Severity::Warning, message));
    }
    findings
}

/// What is the matter with a table.
pub(crate) fn of_table(described: &RouteTable, table: &Table, workers: &[Worker]) -> Vec<Finding> {
    let id = &table.id;
    let mut findings = inside_vpc(table, workers);
    let used = described.associations().iter().any(|one| one.main() == Some(true) || one.subnet_id().is_some());
    if !used {
        findings.push(Finding {
            code: "no-association",
            severity: Severity::Warning,
            worker: None,
            table: Some(TableId(id.0.clone())),
            message: format!(
                "no subnet uses `{id}`, and it is no main table: its routes have no effect until it is associated"
            ),
            fix: None,
        });
    }
    findings
}

/// Pod CIDRs that EC2 refuses: inside a VPC's own range a route "must match the entire IPv4 or IPv6 CIDR block of a
/// subnet" ("Configure route tables", Amazon VPC User Guide). The range is known from the table's local routes.
fn inside_vpc(table: &Table, workers: &[Worker]) -> Vec<Finding> {
    let nets = |origin: Origin| {
        let routes = table.routes.iter().filter(move |route| route.origin == origin);
        routes.filter_map(|route| route.destination.as_net())
    };
    let pods = workers.iter().flat_map(|worker| worker.pod_cidrs.iter().map(move |cidr| (worker, cidr)));
    pods.filter_map(|(worker, cidr)| {
        let around = nets(Origin::Local).find(|local| local.contains(&cidr.net()))?;
        // What is there already was accepted.
        if nets(Origin::Static).any(|net| net == cidr.net()) {
            return None;
        }
        Some(Finding {
            code: "inside-vpc",
            severity: Severity::Error,
            worker: Some(worker.name.clone()),
            table: Some(table.id.clone()),
            message: format!(
                "pod CIDR `{cidr}` lies inside the VPC's own range `{around}`, where EC2 takes no such route: choose another"
            ),
            fix: None,
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use kroutes_core::{Destination, MachineRef, ObservedRoute, RouteState, Target};

    use super::*;

    fn worker(cidrs: &[&str], addresses: &[&str]) -> Worker {
        Worker {
            name: "w".parse().expect("name"),
            pod_cidrs: cidrs.iter().map(|cidr| cidr.parse().expect("cidr")).collect(),
            addresses: addresses.iter().map(|address| address.parse().expect("address")).collect(),
            machine: MachineRef::Name("w".to_owned()),
        }
    }

    fn machine(check: bool, state: &str) -> Machine {
        Machine {
            id: "i-1".to_owned(),
            state: state.to_owned(),
            vpc: "vpc-1".to_owned(),
            subnet: "subnet-1".to_owned(),
            addresses: vec!["10.240.0.30".parse().expect("address")],
            next_hop: NextHop::Interface("eni-1".to_owned()),
            source_dest_check: Some(check),
            interfaces: vec!["eni-1".to_owned(), "eni-2".to_owned()],
        }
    }

    fn codes(findings: &[Finding]) -> Vec<(&str, Severity, bool)> {
        findings.iter().map(|finding| (finding.code, finding.severity, finding.fix.is_some())).collect()
    }

    #[test]
    fn a_sound_worker_has_no_findings() {
        let worker = worker(&["10.200.0.0/24"], &["10.240.0.30"]);
        assert_eq!(of_worker(&worker, &machine(false, "running"), SourceDestCheck::Off), []);
    }

    #[test]
    fn the_check_is_fixed_where_the_packets_pass_and_left_alone_when_told_so() {
        let worker = worker(&["10.200.0.0/24"], &[]);
        let off = of_worker(&worker, &machine(true, "running"), SourceDestCheck::Off);
        let target = NextHop::Interface("eni-1".to_owned());
        assert_eq!(off[0].fix, Some(Fix::SourceDestCheckOff { worker: worker.name.clone(), target }));
        let leave = of_worker(&worker, &machine(true, "running"), SourceDestCheck::Leave);
        assert_eq!(codes(&leave), [("source-dest-check", Severity::Error, false)]);
    }

    #[test]
    fn each_thing_that_is_wrong_is_told() {
        let worker = worker(&["10.200.0.0/24", "fd00::/64"], &["10.240.0.31"]);
        let findings = of_worker(&worker, &machine(true, "stopped"), SourceDestCheck::Off);
        let expected = [
            ("not-running", Severity::Error, false),
            ("source-dest-check", Severity::Error, true),
            ("address-mismatch", Severity::Warning, false),
            ("no-ipv6-address", Severity::Warning, false),
        ];
        assert_eq!(codes(&findings), expected);
    }

    fn route(cidr: &str, origin: Origin) -> ObservedRoute {
        ObservedRoute {
            destination: Destination::net(cidr.parse().expect("net")),
            next_hops: Vec::new(),
            target: Target::Detached,
            state: RouteState::Active,
            origin,
            marked: false,
            precedence: 0,
            deviation: None,
            name: None,
        }
    }

    /// kubernetes/cloud-provider-gcp#482: a pod CIDR inside a subnet was refused only by the API.
    #[test]
    fn a_pod_cidr_inside_the_vpc_is_told_before_any_write() {
        let table = Table {
            id: TableId("rtb-1".to_owned()),
            location: "us-west-2".to_owned(),
            routes: vec![route("10.200.0.0/16", Origin::Local), route("10.200.7.0/24", Origin::Static)],
            quotas: Vec::new(),
            claims: Vec::new(),
        };
        let told = |cidr| codes(&inside_vpc(&table, &[worker(&[cidr], &[])])).len();
        assert_eq!((told("10.200.1.0/24"), told("10.200.0.0/16")), (1, 1));
        assert_eq!((told("10.0.0.0/8"), told("10.201.0.0/24"), told("10.200.7.0/24")), (0, 0, 0));
    }
}
