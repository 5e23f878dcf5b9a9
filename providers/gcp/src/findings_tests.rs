use kroutes_core::{Destination, MachineRef, NextHop, ObservedRoute, RouteState, Target};
use serde_json::json;

use super::*;

const NETWORK: &str = "projects/p/global/networks/n";

fn instance(name: &str, address: &str, changed: &serde_json::Value) -> wire::Instance {
    let mut json = json!({
        "name": name, "zone": "zones/z", "status": "RUNNING", "canIpForward": true,
        "selfLink": format!("https://x/compute/v1/projects/p/zones/z/instances/{name}"),
        "networkInterfaces": [{"network": NETWORK, "networkIP": address}],
    });
    for (key, value) in changed.as_object().into_iter().flatten() {
        json[key] = value.clone();
    }
    serde_json::from_value(json).expect("instance")
}

fn worker(cidrs: &[&str], addresses: &[&str]) -> Worker {
    Worker {
        name: "w".parse().expect("name"),
        pod_cidrs: cidrs.iter().map(|cidr| cidr.parse().expect("cidr")).collect(),
        addresses: addresses.iter().map(|address| address.parse().expect("address")).collect(),
        machine: MachineRef::Name("w".to_owned()),
    }
}

fn judge(worker: &Worker, instances: Vec<wire::Instance>, complete: bool) -> Vec<Finding> {
    let machines = Machines::new(instances, NETWORK, complete);
    crate::instances::resolve(std::slice::from_ref(worker), Ok(&machines)).findings
}

fn codes(findings: &[Finding]) -> Vec<(&str, Severity)> {
    assert!(findings.iter().all(|finding| finding.fix.is_none()), "{findings:?}");
    findings.iter().map(|finding| (finding.code, finding.severity)).collect()
}

#[test]
fn a_sound_worker_has_no_findings() {
    let worker = worker(&["10.200.0.0/24"], &["10.240.0.30"]);
    assert_eq!(judge(&worker, vec![instance("w", "10.240.0.30", &json!({}))], true), []);
}

#[test]
fn forwarding_that_is_off_is_told_with_the_commands_that_switch_it_on() {
    let worker = worker(&["10.200.0.0/24"], &["10.240.0.30"]);
    // Google leaves out what is false.
    for changed in [json!({"canIpForward": false}), json!({"canIpForward": null})] {
        let mut given = instance("w", "10.240.0.30", &json!({}));
        given.can_ip_forward = changed["canIpForward"].as_bool().unwrap_or_default();
        let findings = judge(&worker, vec![given], true);
        assert_eq!(codes(&findings), [("ip-forwarding", Severity::Error)]);
        for part in [
            "`gcloud compute instances export w --project=p --zone=z --destination=w.yaml`",
            "`canIpForward: true`",
            "`gcloud compute instances update-from-file w --project=p --zone=z --source=w.yaml --most-disruptive-allowed-action=REFRESH`",
            "`--can-ip-forward`",
        ] {
            assert!(findings[0].message.contains(part), "{part}: {}", findings[0].message);
        }
    }
}

#[test]
fn an_instance_that_does_not_run_is_told() {
    let worker = worker(&["10.200.0.0/24"], &[]);
    for status in ["TERMINATED", "STOPPING", "SUSPENDED", "STAGING", "REPAIRING"] {
        let findings = judge(&worker, vec![instance("w", "10.240.0.30", &json!({"status": status}))], true);
        assert_eq!(codes(&findings), [("not-running", Severity::Error)], "{status}");
    }
}

#[test]
fn an_address_that_is_no_primary_one_says_what_it_is_instead() {
    let worker = worker(&["10.200.0.0/24"], &["10.240.0.99"]);
    let alias = json!({"networkInterfaces": [{"network": NETWORK, "networkIP": "10.240.0.31",
        "aliasIpRanges": [{"ipCidrRange": "10.240.0.96/28"}]}]});
    let single = json!({"networkInterfaces": [{"network": NETWORK, "networkIP": "10.240.0.31",
        "aliasIpRanges": [{"ipCidrRange": "10.240.0.99"}]}]});
    let other = json!({"networkInterfaces": [{"network": "projects/p/global/networks/m", "networkIP": "10.240.0.99"}]});
    let here = || instance("v", "10.240.0.30", &json!({}));
    // Not the first of those that have it there.
    let stranger = || instance("a", "", &other);
    let rows = [
        (vec![instance("a", "", &alias)], "it is an alias address of instance `z/a`"),
        (vec![instance("a", "", &single)], "it is an alias address of instance `z/a`"),
        (vec![instance("w", "10.240.0.30", &json!({}))], "instance `z/w` has `10.240.0.30`"),
        (vec![here(), stranger(), instance("w", "", &other)], "instance `z/w` has it in network `m`"),
        (vec![instance("w", "", &other)], "instance `z/w` has it in network `m`"),
    ];
    for (instances, why) in rows {
        let findings = judge(&worker, instances, true);
        assert_eq!(codes(&findings), [("next-hop-address", Severity::Error)], "{why}");
        assert!(findings[0].message.contains("`10.240.0.99` is no instance's primary internal address in network `n`"));
        assert!(findings[0].message.ends_with(why), "{}", findings[0].message);
    }
}

#[test]
fn what_could_not_be_seen_is_only_a_warning() {
    let worker = worker(&["10.200.0.0/24"], &["10.240.0.99"]);
    let partial = judge(&worker, vec![instance("v", "10.240.0.30", &json!({}))], false);
    assert_eq!(codes(&partial), [("next-hop-address", Severity::Warning)]);
    assert!(partial[0].message.contains("not every zone could be listed"));
    let nobody = judge(&worker, Vec::new(), true);
    assert_eq!(codes(&nobody), [("next-hop-address", Severity::Warning)]);
    assert!(nobody[0].message.contains("Shared VPC"));
}

/// In a Shared VPC the host project may have instances of its own beside those of service projects, which it does not
/// show; and any address may be somebody's in another network.
#[test]
fn an_address_that_nobody_of_this_project_has_may_be_a_service_projects() {
    let worker = worker(&["10.200.0.0/24"], &["10.240.0.99"]);
    let other = json!({"networkInterfaces": [{"network": "projects/p/global/networks/m", "networkIP": "10.240.0.99"}]});
    let here = || instance("v", "10.240.0.30", &json!({}));
    let hint = "; instance `z/m` has it in network `m`";
    for (instances, ending) in
        [(vec![here()], "cannot be seen from here"), (vec![here(), instance("m", "", &other)], hint)]
    {
        let findings = judge(&worker, instances, true);
        assert_eq!(codes(&findings), [("next-hop-address", Severity::Warning)]);
        let message = &findings[0].message;
        assert!(message.starts_with("no instance of this project has `10.240.0.99` in network `n`"), "{message}");
        assert!(message.contains("Shared VPC") && message.ends_with(ending), "{message}");
    }
}

#[test]
fn an_address_that_no_pod_cidr_uses_is_not_judged() {
    let worker = worker(&["10.200.0.0/24"], &["10.240.0.30", "fd20::99"]);
    assert_eq!(judge(&worker, vec![instance("w", "10.240.0.30", &json!({}))], true), []);
}

#[test]
fn an_address_of_another_machine_than_the_named_one_is_told() {
    let worker = worker(&["10.200.0.0/24"], &["10.240.0.31"]);
    let instances = vec![instance("w", "10.240.0.30", &json!({})), instance("v", "10.240.0.31", &json!({}))];
    let findings = judge(&worker, instances, true);
    assert_eq!(codes(&findings), [("address-mismatch", Severity::Warning)]);
    assert!(findings[0].message.contains("instance `z/v`, not of `z/w`"), "{}", findings[0].message);
}

fn observed(cidr: &str, origin: Origin) -> ObservedRoute {
    ObservedRoute {
        destination: Destination::net(cidr.parse().expect("net")),
        next_hops: Vec::new(),
        target: Target::Address,
        state: RouteState::Active,
        origin,
        marked: false,
        precedence: 0,
        deviation: None,
        name: Some("default-route-1".to_owned()),
    }
}

fn table(routes: Vec<ObservedRoute>) -> Table {
    Table { id: TableId("n".to_owned()), location: "p".to_owned(), routes, quotas: Vec::new(), claims: Vec::new() }
}

/// kubernetes/cloud-provider-gcp#482: a pod CIDR inside a subnet was refused only by the API.
#[test]
fn a_pod_cidr_inside_a_subnet_is_told_before_any_write() {
    let table = table(vec![
        observed("10.200.0.0/16", Origin::Local),
        observed("10.200.7.0/24", Origin::Static),
        observed("10.199.0.0/16", Origin::Propagated),
    ]);
    let told = |cidr: &str| subnet_overlaps(&[worker(&[cidr], &[])], &table);
    for (cidr, how) in [("10.200.1.0/24", "lies inside the subnet range"), ("10.200.0.0/16", "is the subnet range")] {
        let findings = told(cidr);
        assert_eq!(codes(&findings), [("subnet-overlap", Severity::Error)]);
        let message = &findings[0].message;
        assert!(message.contains(how) && message.contains("`10.200.0.0/16` (route `default-route-1`)"), "{message}");
        assert!(message.contains("--allow-cidr-routes-overlap"), "{message}");
        assert_eq!(findings[0].table.as_ref(), Some(&table.id));
    }
    for cidr in ["10.0.0.0/8", "10.201.0.0/24", "10.199.1.0/24"] {
        assert_eq!(told(cidr), [], "{cidr}");
    }
    assert_eq!(told("10.200.7.0/24"), [], "what is there already was accepted");
}

fn warned(destination: &str, hop: &str, codes: &[&str]) -> wire::Route {
    let warnings: Vec<_> =
        codes.iter().map(|code| json!({"code": code, "message": format!("about {code}.")})).collect();
    serde_json::from_value(json!({"name": "r", "destRange": destination, "nextHopIp": hop, "warnings": warnings}))
        .expect("route")
}

fn warnings_of(route: wire::Route, before: &[(&'static str, Severity)]) -> Vec<Finding> {
    let worker = worker(&["10.200.0.0/24"], &[]);
    let address = NextHop::Address("10.240.0.30".parse().expect("address"));
    let known = |(code, severity): &(&'static str, Severity)| about(&worker.name, code, *severity, String::new());
    let observation = Observation {
        next_hops: [(worker.pod_cidrs[0], Ok(address))].into(),
        findings: before.iter().map(known).collect(),
        ..Observation::default()
    };
    route_warnings(std::slice::from_ref(&worker), &observation, &[route], &table(Vec::new()))
}

#[test]
fn a_routes_own_warnings_are_findings() {
    let rows = [
        ("NEXT_HOP_ADDRESS_NOT_ASSIGNED", "next-hop-address", Severity::Error),
        ("NEXT_HOP_INSTANCE_NOT_FOUND", "next-hop-address", Severity::Error),
        ("NEXT_HOP_INSTANCE_NOT_ON_NETWORK", "next-hop-address", Severity::Error),
        ("NEXT_HOP_INSTANCE_HAS_NO_IPV6_INTERFACE", "next-hop-address", Severity::Error),
        ("NEXT_HOP_NOT_RUNNING", "not-running", Severity::Error),
        ("NEXT_HOP_CANNOT_IP_FORWARD", "ip-forwarding", Severity::Error),
        ("SOMETHING_NEW", "route-warning", Severity::Warning),
    ];
    for (warning, code, severity) in rows {
        let findings = warnings_of(warned("10.200.0.0/24", "10.240.0.30", &[warning]), &[]);
        assert_eq!(codes(&findings), [(code, severity)]);
        assert_eq!(findings[0].message, format!("Google Cloud warns of route `r`: about {warning} ({warning})"));
        assert_eq!(findings[0].worker.as_ref().map(WorkerName::as_str), Some("w"));
    }
}

#[test]
fn what_the_instance_said_already_is_not_said_again() {
    let route = || warned("10.200.0.0/24", "10.240.0.30", &["NEXT_HOP_CANNOT_IP_FORWARD"]);
    assert_eq!(warnings_of(route(), &[("ip-forwarding", Severity::Error)]), []);
    assert_eq!(warnings_of(route(), &[("not-running", Severity::Error)]).len(), 1);
    let unassigned = warned("10.200.0.0/24", "10.240.0.30", &["NEXT_HOP_ADDRESS_NOT_ASSIGNED"]);
    let doubtful = [("next-hop-address", Severity::Warning)];
    assert_eq!(codes(&warnings_of(unassigned, &doubtful)), [("next-hop-address", Severity::Error)]);
}

#[test]
fn warnings_of_routes_that_are_not_as_wanted_are_not_ours_to_tell() {
    let code = &["NEXT_HOP_NOT_RUNNING"];
    assert_eq!(warnings_of(warned("10.200.0.0/24", "10.240.0.31", code), &[]), [], "it will be replaced");
    assert_eq!(warnings_of(warned("10.201.0.0/24", "10.240.0.30", code), &[]), []);
}
