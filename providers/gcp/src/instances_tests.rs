use kroutes_core::Severity;
use serde_json::json;

use super::*;

const NETWORK: &str = "projects/p/global/networks/n";
const COMPUTE: &str = "https://www.googleapis.com/compute/v1";

fn instance(key: &str, interfaces: &[(&str, Option<&str>, Option<&str>)]) -> wire::Instance {
    let (zone, name) = key.split_once('/').expect("ZONE/NAME");
    let interfaces: Vec<_> = interfaces
        .iter()
        .map(|(network, v4, v6)| {
            let network = format!("{COMPUTE}/projects/p/global/networks/{network}");
            json!({"network": network, "networkIP": v4, "ipv6Address": v6})
        })
        .collect();
    serde_json::from_value(json!({
        "name": name, "zone": format!("{COMPUTE}/projects/p/zones/{zone}"), "status": "RUNNING", "canIpForward": true,
        "selfLink": format!("{COMPUTE}/projects/p/zones/{zone}/instances/{name}"), "networkInterfaces": interfaces,
    }))
    .expect("instance")
}

fn simple(key: &str, address: &str) -> wire::Instance {
    instance(key, &[("n", Some(address), None)])
}

fn worker(name: &str, cidrs: &[&str], addresses: &[&str], machine: MachineRef) -> Worker {
    Worker {
        name: name.parse().expect("name"),
        pod_cidrs: cidrs.iter().map(|cidr| cidr.parse().expect("cidr")).collect(),
        addresses: addresses.iter().map(|address| address.parse().expect("address")).collect(),
        machine,
    }
}

fn named(name: &str, cidrs: &[&str], addresses: &[&str]) -> Worker {
    worker(name, cidrs, addresses, MachineRef::Name(name.to_owned()))
}

fn see(instances: impl IntoIterator<Item = wire::Instance>) -> Machines {
    Machines::new(instances, NETWORK, true)
}

fn hop(resolution: &Resolution, cidr: &str) -> std::result::Result<String, String> {
    let found = &resolution.next_hops[&cidr.parse::<PodCidr>().expect("cidr")];
    found.as_ref().map(ToString::to_string).map_err(|error| error.message().to_owned())
}

fn failure(workers: &[Worker], machines: &Machines) -> Error {
    let mut resolution = resolve(workers, Ok(machines));
    let cidr = workers[0].pod_cidrs[0];
    resolution.next_hops.remove(&cidr).expect("an answer").expect_err("no next hop")
}

#[test]
fn the_topologys_address_is_the_next_hop_and_else_the_instances_by_name() {
    let machines = see([simple("a/w0", "10.240.0.30"), simple("b/w1", "10.240.0.31"), simple("b/w2", "10.240.0.32")]);
    let workers = [
        named("w0", &["10.200.0.0/24"], &["10.240.0.30"]),
        named("w1", &["10.200.1.0/24"], &[]),
        worker("x", &["10.200.2.0/24"], &[], MachineRef::Id("b/w2".to_owned())),
    ];
    let found = resolve(&workers, Ok(&machines));
    for (cidr, address) in
        [("10.200.0.0/24", "10.240.0.30"), ("10.200.1.0/24", "10.240.0.31"), ("10.200.2.0/24", "10.240.0.32")]
    {
        assert_eq!(hop(&found, cidr).as_deref(), Ok(address));
    }
    let names: std::collections::BTreeMap<_, _> =
        found.machines.iter().map(|(key, name)| (key.as_str(), name.as_str())).collect();
    assert_eq!(names, [("a/w0", "w0"), ("b/w1", "w1"), ("b/w2", "x")].into());
    assert_eq!(found.findings, []);
}

#[test]
fn each_family_has_a_next_hop_of_its_own() {
    let machines = see([instance("a/w", &[("n", Some("10.240.0.30"), Some("FD20:0:0::1"))])]);
    let both = named("w", &["10.200.0.0/24", "fd00:10:64::/64"], &["10.240.0.30"]);
    let found = resolve(&[both], Ok(&machines));
    assert_eq!(hop(&found, "10.200.0.0/24").as_deref(), Ok("10.240.0.30"));
    assert_eq!(hop(&found, "fd00:10:64::/64").as_deref(), Ok("fd20::1"), "of the instance that has the other address");

    let machines = see([simple("a/w", "10.240.0.30")]);
    let error = failure(&[named("w", &["fd00:10:64::/64"], &[])], &machines);
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(error.message(), "instance `a/w` has no IPv6 address in network `n`, for `fd00:10:64::/64`");
}

/// hcloud-cloud-controller-manager#470: another machine with the same private address outside the network.
#[test]
fn a_machine_with_the_same_address_in_another_network_is_a_stranger() {
    let stranger = instance("a/stranger", &[("other", Some("10.240.0.30"), None)]);
    let machines = see([stranger, simple("a/w", "10.240.0.30")]);
    let found = resolve(&[named("w", &["10.200.0.0/24"], &["10.240.0.30"])], Ok(&machines));
    assert_eq!(found.machines.keys().collect::<Vec<_>>(), ["a/w"]);
    assert_eq!(found.findings, []);
}

#[test]
fn of_several_interfaces_the_one_in_the_network_counts() {
    let machines = see([instance("a/w", &[("other", Some("10.1.0.1"), None), ("n", Some("10.240.0.30"), None)])]);
    let found = resolve(&[named("w", &["10.200.0.0/24"], &[])], Ok(&machines));
    assert_eq!(hop(&found, "10.200.0.0/24").as_deref(), Ok("10.240.0.30"));
}

#[test]
fn a_name_that_fits_several_is_refused_with_all_of_them() {
    let machines = see([simple("b/w", "10.240.0.31"), simple("a/w", "10.240.0.30")]);
    let error = failure(&[named("w", &["10.200.0.0/24"], &[])], &machines);
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(
        error.message(),
        "named `w` there are 2 instances: `a/w` (10.240.0.30, RUNNING), `b/w` (10.240.0.31, RUNNING)"
    );
    assert!(error.get("help").is_some_and(|help| help.contains("instance = \"a/w\"")), "{error:?}");
    let elsewhere = see([simple("b/w", "10.240.0.31"), instance("a/w", &[("other", Some("10.1.0.1"), None)])]);
    let found = resolve(&[named("w", &["10.200.0.0/24"], &[])], Ok(&elsewhere));
    assert_eq!(hop(&found, "10.200.0.0/24").as_deref(), Ok("10.240.0.31"), "one of the two is in the network");
}

/// kops#13376 and others: names are compared whole, and `worker-1` is not `worker-10`.
#[test]
fn an_instance_that_is_not_there_says_which_ones_are() {
    let machines =
        see(["worker-10", "worker-2", "worker-3", "db"].map(|name| simple(&format!("a/{name}"), "10.0.0.1")));
    let error = failure(&[named("worker-1", &["10.200.0.0/24"], &[])], &machines);
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.message(), "no instance named `worker-1` in network `n`");
    let help = error.get("help").expect("help");
    assert!(help.contains("in the network there are `a/worker-10`, `a/worker-2`, `a/worker-3` and 1 more"), "{help}");
    let zoned = worker("w", &["10.200.0.0/24"], &[], MachineRef::Id("b/db".to_owned()));
    assert_eq!(failure(&[zoned], &machines).message(), "no instance `b/db` in network `n`");
}

#[test]
fn an_instance_outside_the_network_says_where_it_is() {
    let machines =
        see([instance("a/w", &[("x", Some("10.1.0.1"), None), ("y", None, None)]), simple("a/v", "10.240.0.1")]);
    let error = failure(&[named("w", &["10.200.0.0/24"], &[])], &machines);
    assert_eq!(
        (error.kind(), error.message()),
        (ErrorKind::Invalid, "instance `a/w` is in `x` and `y`, not in network `n`")
    );
}

#[test]
fn what_a_partial_listing_does_not_show_is_not_known_to_be_absent() {
    let machines = Machines::new([simple("a/v", "10.240.0.1")], NETWORK, false);
    let error = failure(&[named("w", &["10.200.0.0/24"], &[])], &machines);
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("not every zone could be listed"), "{error}");
}

/// Names are a zone's: the one that is meant may be in the zone that did not answer.
#[test]
fn the_one_instance_of_a_name_in_a_partial_listing_is_not_known_to_be_the_only_one() {
    let elsewhere = instance("b/x", &[("other", Some("10.1.0.1"), None)]);
    let machines = Machines::new([simple("a/w", "10.240.0.30"), elsewhere], NETWORK, false);
    let error = failure(&[named("w", &["10.200.0.0/24"], &[])], &machines);
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().starts_with("instance `a/w` is named `w`, but not every zone could be listed"), "{error}");
    assert!(error.get("help").is_some_and(|help| help.contains("instance = \"a/w\"")), "{error:?}");
    let error = failure(&[named("x", &["10.200.0.0/24"], &[])], &machines);
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");

    let sure = [
        named("w", &["10.200.0.0/24"], &["10.240.0.30"]),
        worker("z", &["10.200.0.0/24"], &[], MachineRef::Id("a/w".to_owned())),
    ];
    for worker in sure {
        let name = worker.name.clone();
        let found = resolve(&[worker], Ok(&machines));
        assert_eq!(hop(&found, "10.200.0.0/24").as_deref(), Ok("10.240.0.30"));
        assert_eq!(found.machines["a/w"], name);
    }
}

/// A search for each of 5,000 names among as many took most of a minute.
#[test]
fn only_the_first_misses_are_compared_with_all_names() {
    let machines = see([simple("a/other", "10.240.0.1")]);
    let workers: Vec<Worker> = (0..50).map(|n| named(&format!("w{n}"), &[&format!("10.200.{n}.0/24")], &[])).collect();
    let found = resolve(&workers, Ok(&machines));
    let helps = found.next_hops.values().map(|hop| hop.as_ref().expect_err("absent").get("help").expect("help"));
    let (with, without): (Vec<_>, Vec<_>) = helps.partition(|help| help.contains("in the network there are"));
    assert_eq!((with.len(), without.len()), (SUGGESTIONS, 50 - SUGGESTIONS));
    assert!(without.iter().all(|help| help.contains("give the worker its `address`")));
}

#[test]
fn without_a_listing_addresses_still_work_and_one_warning_says_what_was_not_checked() {
    let denied = Error::new(ErrorKind::PermissionDenied, "not allowed");
    let workers = [
        named("w0", &["10.200.0.0/24"], &["10.240.0.30"]),
        named("w1", &["10.200.1.0/24"], &["10.240.0.31"]),
        named("w2", &["10.200.2.0/24"], &[]),
    ];
    let found = resolve(&workers, Err(&denied));
    assert_eq!(hop(&found, "10.200.0.0/24").as_deref(), Ok("10.240.0.30"));
    assert_eq!(hop(&found, "10.200.2.0/24"), Err("not allowed".to_owned()));
    let told: Vec<_> = found.findings.iter().map(|finding| (finding.code, finding.severity)).collect();
    assert_eq!(told, [("not-checked", Severity::Warning)]);
    assert!(found.findings[0].message.contains("`compute.instances.list`"));
    assert_eq!(resolve(&workers[2..], Err(&denied)).findings, [], "its error says it already");
}

#[test]
fn two_workers_that_are_one_instance_are_both_refused() {
    let machines = see([simple("a/w", "10.240.0.30"), simple("a/v", "10.240.0.31")]);
    let workers = [
        named("w", &["10.200.0.0/24"], &[]),
        named("x", &["10.200.1.0/24"], &["10.240.0.30"]),
        named("v", &["10.200.2.0/24"], &[]),
    ];
    let found = resolve(&workers, Ok(&machines));
    for cidr in ["10.200.0.0/24", "10.200.1.0/24"] {
        assert_eq!(hop(&found, cidr), Err("workers `w` and `x` are one instance, `a/w`".to_owned()));
    }
    assert_eq!(hop(&found, "10.200.2.0/24").as_deref(), Ok("10.240.0.31"));
}

#[test]
fn a_worker_whose_address_is_mistaken_does_not_take_anothers_machine() {
    let machines = see([simple("a/w", "10.240.0.30")]);
    let mistaken = named("w", &["10.200.0.0/24"], &["10.240.0.99"]);
    let holder = named("x", &["10.200.1.0/24"], &["10.240.0.30"]);
    for workers in [[mistaken.clone(), holder.clone()], [holder, mistaken]] {
        let found = resolve(&workers, Ok(&machines));
        assert_eq!(hop(&found, "10.200.0.0/24").as_deref(), Ok("10.240.0.99"));
        assert_eq!(hop(&found, "10.200.1.0/24").as_deref(), Ok("10.240.0.30"));
        assert_eq!(found.machines["a/w"].as_str(), "x");
    }
}

#[test]
fn a_machine_that_two_pages_show_is_one() {
    let machines = see([simple("a/w", "10.240.0.30"), simple("a/w", "10.240.0.30")]);
    let found = resolve(&[named("w", &["10.200.0.0/24"], &[])], Ok(&machines));
    assert_eq!(hop(&found, "10.200.0.0/24").as_deref(), Ok("10.240.0.30"));
}

#[test]
fn an_address_of_another_instance_than_the_one_with_the_workers_id_is_refused() {
    let both = [simple("a/w", "10.240.0.30"), simple("a/x", "10.240.0.31")];
    let machines = see(both.clone());
    let mistaken = worker("w", &["10.200.0.0/24"], &["10.240.0.31"], MachineRef::Id("a/w".to_owned()));
    let right = worker("x", &["10.200.1.0/24"], &["10.240.0.31"], MachineRef::Id("a/x".to_owned()));
    let found = resolve(&[mistaken.clone(), right], Ok(&machines));
    let expected = "the worker is instance `a/w`, but its address `10.240.0.31` is that of `a/x`";
    assert_eq!(hop(&found, "10.200.0.0/24"), Err(expected.to_owned()));
    assert_eq!(hop(&found, "10.200.1.0/24").as_deref(), Ok("10.240.0.31"), "it hides no other");
    let partial = Machines::new(both, NETWORK, false);
    assert!(hop(&resolve(&[mistaken], Ok(&partial)), "10.200.0.0/24").is_ok());
}

#[test]
fn of_many_workers_that_are_one_instance_three_are_named() {
    let many: Vec<Worker> =
        (0..5).map(|n| named(&format!("w-{n}"), &[&format!("10.200.{n}.0/24")], &["10.240.0.30"])).collect();
    let error = failure(&many, &see([simple("a/w", "10.240.0.30")]));
    assert_eq!(error.message(), "workers `w-0`, `w-1`, `w-2` and 2 more are one instance, `a/w`");
}
