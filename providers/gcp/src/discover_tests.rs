use serde_json::{Value, json};

use super::*;

const NETWORK: &str = "projects/p/global/networks/n";

fn instance(key: &str, address: &str, items: &[(&str, &str)]) -> Value {
    let (zone, name) = key.split_once('/').expect("ZONE/NAME");
    let items: Vec<_> = items.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    json!({
        "name": name, "zone": format!("projects/p/zones/{zone}"), "status": "RUNNING", "labels": {"role": "worker"},
        "selfLink": format!("projects/p/zones/{zone}/instances/{name}"), "metadata": {"items": items},
        "networkInterfaces": [{"network": NETWORK, "networkIP": address}],
    })
}

fn cidr(range: &str) -> [(&'static str, &str); 1] {
    [("pod-cidr", range)]
}

fn read(values: &[Value]) -> Vec<Instance> {
    values.iter().map(|value| serde_json::from_value(value.clone()).expect("instance")).collect()
}

fn selector(name: Option<&str>, range: RangeFrom) -> Selector {
    let labels = BTreeMap::from([("role".to_owned(), "worker".to_owned())]);
    Selector { name: name.map(ToOwned::to_owned), labels, range }
}

fn names(discovered: &Discovered) -> Vec<&str> {
    discovered.workers.iter().map(|worker| worker.name.as_str()).collect()
}

#[test]
fn an_instance_is_a_worker_with_its_address_and_the_range_of_its_metadata() {
    let listed = read(&[
        instance("b/worker-1", "10.240.0.31", &cidr("10.200.1.0/24")),
        instance("a/worker-0", "10.240.0.30", &[("startup-script", "x"), ("pod-cidr", "10.200.0.0/24")]),
    ]);
    let found = choose(&selector(Some("worker-?"), RangeFrom::Machine), &listed, NETWORK);
    assert_eq!(names(&found), ["worker-0", "worker-1"]);
    let first = &found.workers[0];
    assert_eq!(first.machine, MachineRef::Id("a/worker-0".to_owned()));
    assert_eq!(first.addresses, ["10.240.0.30".parse::<std::net::IpAddr>().expect("address")]);
    assert_eq!(first.pod_cidrs, ["10.200.0.0/24".parse().expect("cidr")]);
    assert!(found.left_out.is_empty());
}

/// hcloud-cloud-controller-manager#470: another machine with the same private address outside the network.
#[test]
fn only_what_fits_and_is_in_the_network_counts() {
    let mut elsewhere = instance("a/worker-1", "10.240.0.30", &cidr("10.200.1.0/24"));
    elsewhere["networkInterfaces"][0]["network"] = json!("projects/p/global/networks/other");
    let mut unlabelled = instance("a/worker-2", "10.240.0.32", &cidr("10.200.2.0/24"));
    unlabelled["labels"] = json!({"role": "controller"});
    let mut going = instance("a/worker-3", "10.240.0.33", &cidr("10.200.3.0/24"));
    going["status"] = json!("DEPROVISIONING");
    let mut stopped = instance("a/worker-4", "10.240.0.34", &cidr("10.200.4.0/24"));
    stopped["status"] = json!("TERMINATED");
    let other_case = instance("a/Worker-5", "10.240.0.35", &cidr("10.200.5.0/24"));
    let listed = read(&[elsewhere, unlabelled, going, stopped, other_case]);
    let found = choose(&selector(Some("worker-*"), RangeFrom::Machine), &listed, NETWORK);
    assert_eq!((names(&found), found.left_out.len()), (vec!["worker-4"], 0));
}

#[test]
fn a_machine_that_says_nothing_readable_is_left_out_and_hides_no_other() {
    let listed = read(&[
        instance("a/w-0", "10.240.0.30", &[("token", "s3cret")]),
        instance("a/w-1", "10.240.0.31", &cidr("nonsense")),
        instance("a/w-2", "10.240.0.32", &[("pod-cidr", "10.200.2.0/24"), ("pod-cidr", "10.200.3.0/24")]),
        instance("a/w-3", "10.240.0.33", &cidr("10.200.3.0/24,fd00:10:200:3::/64")),
    ]);
    let found = choose(&selector(None, RangeFrom::Machine), &listed, NETWORK);
    assert_eq!(names(&found), ["w-3"]);
    assert_eq!(found.workers[0].pod_cidrs.len(), 2);
    let told: Vec<&str> = found.left_out.iter().map(|one| one.why.message()).collect();
    assert_eq!(told[0], "instance `a/w-0` has no metadata item `pod-cidr`");
    assert!(told[1].starts_with("the metadata of instance `a/w-1`: its `pod-cidr` cannot be read"), "{}", told[1]);
    assert_eq!(told[2], "instance `a/w-2` has 2 metadata items `pod-cidr`");
    assert!(found.left_out.iter().all(|one| one.is_fault));

    let ranges_elsewhere = choose(&selector(None, RangeFrom::Elsewhere), &listed, NETWORK);
    assert_eq!(ranges_elsewhere.workers.len(), 4);
    assert!(ranges_elsewhere.workers.iter().all(|worker| worker.pod_cidrs.is_empty()));
}

#[test]
fn one_name_in_two_zones_is_left_out_with_both_and_their_ranges() {
    let listed = read(&[
        instance("b/w", "10.240.0.31", &cidr("10.200.1.0/24")),
        instance("a/w", "10.240.0.30", &cidr("10.200.0.0/24")),
    ]);
    let found = choose(&selector(None, RangeFrom::Machine), &listed, NETWORK);
    assert!(found.workers.is_empty());
    let one = &found.left_out[0];
    let expected = "named `w` there are 2 instances: `a/w` (10.240.0.30, RUNNING), `b/w` (10.240.0.31, RUNNING)";
    assert_eq!(one.why.message(), expected);
    assert_eq!(one.pod_cidrs.len(), 2);
}

#[test]
fn of_twins_half_the_ranges_are_none() {
    let listed = read(&[
        instance("b/w", "10.240.0.31", &cidr("10.200.1.0/24")),
        instance("a/w", "10.240.0.30", &cidr("nonsense")),
    ]);
    let found = choose(&selector(None, RangeFrom::Machine), &listed, NETWORK);
    assert_eq!((found.workers.len(), found.left_out.len()), (0, 1));
    assert_eq!(found.left_out[0].pod_cidrs, []);
}
