//! Workers and tables that are named by what else the cloud knows of them: exports, addresses, tags, user data, subnets.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kroutes_aws::{AwsSettings, TableRef, gate_settings};
use kroutes_core::{
    Discovered, ErrorKind, MachineRef, Observation, RangeFrom, RouteBackend, Selector, TableId, Worker,
};
use kroutes_lab::model::{Launch, Subnet, Tags, Vpc};
use kroutes_lab::{Fault, FaultKind, Lab, Options, Seed, SeedExport, SeedInstance, SeedSubnet, SeedTable};

use crate::bench::{Bench, NAME, counts, impatient, named, open, seed, workers};

fn settings(route_table: Vec<TableRef>) -> AwsSettings {
    AwsSettings { route_table, ..AwsSettings::default() }
}

fn told(observation: &Observation, code: &str) -> Vec<String> {
    let of_code = observation.findings.iter().filter(|finding| finding.code == code);
    of_code.map(|finding| finding.worker.as_ref().map_or_else(String::new, ToString::to_string)).collect()
}

fn hop(observation: &Observation, worker: usize) -> Result<String, String> {
    let cidr = format!("10.200.{worker}.0/24").parse().expect("cidr");
    let hop = observation.next_hops[&cidr].as_ref();
    hop.map(ToString::to_string).map_err(|error| error.message().to_owned())
}

// ---- exports

fn exporting(workers: usize, more: usize) -> Seed {
    let mut seed = seed(workers);
    seed.tables[0].export = Some("hard-k8s-rtb".to_owned());
    for (index, instance) in seed.instances.iter_mut().enumerate() {
        instance.export = Some(format!("hard-k8s-worker-{index}"));
        instance.tags.clear();
    }
    let literal = |index| SeedExport { name: format!("other-{index:04}"), value: "value".to_owned() };
    seed.exports = (0..more).map(literal).collect();
    seed
}

fn by_export(count: usize) -> Vec<Worker> {
    let mut workers = workers(count);
    for (index, worker) in workers.iter_mut().enumerate() {
        worker.machine = MachineRef::Export(format!("hard-k8s-worker-{index}"));
    }
    workers
}

#[tokio::test]
async fn a_table_and_instances_are_named_by_exports_and_every_page_of_them_is_read_once() {
    let lab = Lab::start(exporting(3, 250), Options::default()).await.expect("lab");
    let (backend, gate) = open(&lab, &settings(vec![TableRef::Export("hard-k8s-rtb".to_owned())]), impatient()).await;
    let workers = by_export(3);
    let observation = backend.observe(&workers).await.expect("observation");
    assert!(observation.tables[0].table.is_ok(), "{:?}", observation.tables);
    assert_eq!(observation.tables[0].wanted, "{ export = \"hard-k8s-rtb\" }");
    assert_eq!(observation.machines.len(), 3, "{:?}", observation.next_hops);
    let exports = lab.calls()["ListExports"];
    assert!(exports >= 3, "more than two hundred exports are three pages of a hundred: {exports}");
    assert_eq!(gate.counts()["ListExports"], exports);

    backend.observe(&workers).await.expect("again");
    assert_eq!(lab.calls()["ListExports"], exports, "once is enough");
}

#[tokio::test]
async fn exports_are_not_read_where_nobody_asks_for_one() {
    let bench = Bench::new(1).await;
    bench.observe(1).await;
    assert_eq!(bench.calls(), counts(&[("DescribeRouteTables", 1), ("DescribeInstances", 1)]));
}

#[tokio::test]
async fn an_export_that_does_not_exist_is_an_error_in_its_own_place() {
    let lab = Lab::start(exporting(2, 0), Options::default()).await.expect("lab");
    let tables = vec![TableRef::Export("hard-k8s-rtb".to_owned()), TableRef::Export("hard-k8s-rtbs".to_owned())];
    let (backend, _) = open(&lab, &settings(tables), impatient()).await;
    let mut workers = by_export(2);
    workers[1].machine = MachineRef::Export("hard-k8s-rtb".to_owned());
    let observation = backend.observe(&workers).await.expect("observation");
    assert!(observation.tables[0].table.is_ok());
    let error = observation.tables[1].table.as_ref().expect_err("no such export");
    assert_eq!(error.message(), "no stack exports `hard-k8s-rtbs` in region `us-west-2`");
    assert!(error.get("help").is_some_and(|help| help.contains("`hard-k8s-rtb`")), "{error:?}");
    assert!(hop(&observation, 0).is_ok());
    let wrong = hop(&observation, 1).expect_err("a table is no instance");
    assert!(wrong.starts_with("the export `hard-k8s-rtb` is `rtb-") && wrong.ends_with("no instance id"), "{wrong}");
}

#[tokio::test]
async fn exports_that_cannot_be_listed_hide_nothing_that_needs_none() {
    let lab = Lab::start(exporting(1, 0), Options::default()).await.expect("lab");
    lab.add_fault(Fault::new(FaultKind::Deny).on("ListExports"));
    let (backend, _) = open(&lab, &named(NAME), impatient()).await;
    let observation = backend.observe(&by_export(1)).await.expect("observation");
    assert!(observation.tables[0].table.is_ok());
    let cidr = "10.200.0.0/24".parse().expect("cidr");
    let error = observation.next_hops[&cidr].as_ref().expect_err("denied");
    assert_eq!((error.kind(), error.get("export")), (ErrorKind::PermissionDenied, Some("hard-k8s-worker-0")));
    assert!(error.get("help").is_some_and(|help| help.contains("`cloudformation:ListExports`")), "{error:?}");
}

#[tokio::test]
async fn a_page_of_exports_that_fails_for_a_moment_is_asked_for_again() {
    let lab = Lab::start(exporting(1, 120), Options::default()).await.expect("lab");
    lab.add_fault(Fault::new(FaultKind::Throttle).on("ListExports").times(1));
    let (backend, _) = open(&lab, &settings(vec![TableRef::Export("hard-k8s-rtb".to_owned())]), impatient()).await;
    let observation = backend.observe(&by_export(1)).await.expect("observation");
    assert!(observation.tables[0].table.is_ok() && hop(&observation, 0).is_ok());
}

// ---- addresses

/// hcloud-cloud-controller-manager#470: another machine with the same private address outside the network.
#[tokio::test]
async fn an_address_is_looked_for_in_the_vpc_of_the_table_two_hundred_a_call() {
    let bench = Bench::new(201).await;
    bench.lab.change(|cloud| elsewhere(cloud, "stranger", Some(Ipv4Addr::new(10, 240, 0, 4))));
    let mut workers = workers(201);
    let addresses: Vec<Ipv4Addr> = bench.lab.cloud(|cloud| {
        let vpc = cloud.tables.get(&bench.table.0).expect("table").vpc.clone();
        cloud.interfaces.values().filter(|one| one.vpc == vpc).map(|one| one.private_ip).collect()
    });
    for (worker, address) in workers.iter_mut().zip(addresses) {
        worker.machine = MachineRef::Address(address.into());
    }
    let observation = bench.backend.observe(&workers).await.expect("observation");
    assert_eq!(observation.machines.len(), 201);
    assert_eq!(bench.calls(), counts(&[("DescribeRouteTables", 1), ("DescribeInstances", 2)]));

    workers[0].machine = MachineRef::Address("10.240.255.250".parse().expect("address"));
    let observation = bench.backend.observe(&workers).await.expect("observation");
    let error = hop(&observation, 0).expect_err("nobody");
    assert!(error.starts_with("no instance has the private address `10.240.255.250` in `vpc-"), "{error}");
}

// ---- associated

/// A VPC besides the first, with one instance in it.
fn elsewhere(cloud: &mut kroutes_lab::Cloud, name: &str, private_ip: Option<Ipv4Addr>) -> String {
    let cidr: ipnet::Ipv4Net = "10.240.0.0/16".parse().expect("cidr");
    let vpc = cloud.add_vpc(None, Vpc { cidrs: vec![cidr], ..Vpc::default() });
    let zone = "us-west-2a".to_owned();
    let subnet = cloud.add_subnet(None, Subnet { vpc: vpc.clone(), cidr, ipv6_cidr: None, zone, tags: Tags::new() });
    let tags = Tags::from([("Name".to_owned(), name.to_owned())]);
    cloud.launch(Launch { subnet, private_ip, tags, ..Launch::default() }).expect("launched");
    vpc
}

fn table_of(name: &str, main: bool, subnets: &[&str]) -> SeedTable {
    let subnet = |cidr: &&str| SeedSubnet { id: None, cidr: Some(cidr.parse().expect("cidr")) };
    SeedTable {
        tags: BTreeMap::from([("Name".to_owned(), name.to_owned())]),
        main,
        subnets: subnets.iter().map(subnet).collect(),
        ..SeedTable::default()
    }
}

fn at(name: &str, address: &str) -> SeedInstance {
    SeedInstance { private_ip: Some(address.parse().expect("address")), ..SeedInstance::named(name) }
}

/// Three tables, of which the main one serves worker-1 and none the last.
fn spread() -> Seed {
    Seed {
        tables: vec![
            table_of("a", false, &["10.240.0.0/24"]),
            table_of("main", true, &["10.240.1.0/24"]),
            table_of("idle", false, &["10.240.2.0/24"]),
        ],
        instances: vec![at("worker-0", "10.240.0.30"), at("worker-1", "10.240.1.31"), at("worker-2", "10.240.0.32")],
        ..Seed::default()
    }
}

async fn associated(seed: Seed, prepare: impl FnOnce(&mut kroutes_lab::Cloud)) -> (Lab, kroutes_aws::AwsBackend) {
    let lab = Lab::start(seed, Options::default()).await.expect("lab");
    lab.change(prepare);
    let (backend, _) = open(&lab, &settings(vec![TableRef::Associated]), impatient()).await;
    (lab, backend)
}

fn table_named(lab: &Lab, name: &str) -> TableId {
    TableId(lab.cloud(|cloud| cloud.table_named(name)).expect("table"))
}

#[tokio::test]
async fn associated_means_every_table_that_serves_a_worker_in_one_listing() {
    let (lab, backend) = associated(spread(), |_| {}).await;
    let observation = backend.observe(&workers(3)).await.expect("observation");
    let ids: BTreeSet<TableId> =
        observation.tables.iter().map(|one| one.table.as_ref().expect("table").id.clone()).collect();
    assert_eq!(ids, BTreeSet::from([table_named(&lab, "a"), table_named(&lab, "main")]));
    let serves = |worker: &str| observation.serves[&worker.parse().expect("name")].clone();
    assert_eq!(serves("worker-0"), table_named(&lab, "a"));
    assert_eq!(serves("worker-1"), table_named(&lab, "main"));
    assert_eq!(serves("worker-2"), table_named(&lab, "a"));
    assert_eq!(lab.calls(), counts(&[("DescribeRouteTables", 1), ("DescribeInstances", 1)]));
    assert!(told(&observation, "no-association").is_empty() && told(&observation, "other-table").is_empty());
}

#[tokio::test]
async fn workers_in_two_vpcs_are_refused_with_the_workers_of_each() {
    let (lab, backend) = associated(spread(), |cloud| drop(elsewhere(cloud, "worker-3", None))).await;
    let error = backend.observe(&workers(4)).await.expect_err("two VPCs");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let message = error.message();
    assert!(message.starts_with("the workers are in several VPCs: "), "{message}");
    assert!(message.contains("`worker-0`, `worker-1`, `worker-2` in `vpc-"), "{message}");
    assert!(message.contains("`worker-3` in `vpc-"), "{message}");
    drop(lab);
}

#[tokio::test]
async fn a_name_that_another_vpc_has_too_means_the_instance_beside_a_worker_that_is_named_by_id() {
    let (lab, backend) = associated(spread(), |cloud| drop(elsewhere(cloud, "worker-0", None))).await;
    let mut by_id = workers(3);
    by_id[1].machine = MachineRef::Id(lab.cloud(|cloud| cloud.instance_named("worker-1")).expect("instance"));
    let observation = backend.observe(&by_id).await.expect("observation");
    assert_eq!(observation.machines.len(), 3, "{:?}", observation.next_hops);
    // Alone it could be either, and which one is not guessed.
    let alone = backend.observe(&workers(1)).await.expect("observation");
    let error = hop(&alone, 0).expect_err("ambiguous");
    assert!(error.starts_with("the Name tag `worker-0` fits 2 instances:") && error.contains(" in `vpc-"), "{error}");
    assert!(alone.tables[0].table.is_err(), "no VPC is known");
    drop(lab);
}

#[tokio::test]
async fn one_stray_instance_does_not_take_workers_of_ambiguous_names_along_into_its_vpc() {
    let (_lab, backend) = associated(spread(), |cloud| {
        let vpc = elsewhere(cloud, "worker-0", None);
        let subnet = cloud.subnets.iter().find(|(_, subnet)| subnet.vpc == vpc).expect("subnet").0.clone();
        for name in ["worker-1", "worker-2", "worker-3"] {
            let tags = Tags::from([("Name".to_owned(), name.to_owned())]);
            cloud.launch(Launch { subnet: subnet.clone(), tags, ..Launch::default() }).expect("launched");
        }
    })
    .await;
    // Only the stray VPC has a worker-3.
    let observation = backend.observe(&workers(4)).await.expect("observation");
    assert!(observation.machines.is_empty(), "{:?}", observation.machines);
    assert!(observation.tables.iter().all(|one| one.table.is_err()), "no VPC is known");
    assert!(hop(&observation, 0).expect_err("ambiguous").starts_with("the Name tag `worker-0` fits 2 instances:"));
    let stray = hop(&observation, 3).expect_err("stray");
    assert!(stray.contains("but other workers fit several instances"), "{stray}");
}

#[tokio::test]
async fn without_a_worker_no_table_is_known_and_that_is_an_error() {
    let (_lab, backend) = associated(Seed::default(), |_| {}).await;
    let observation = backend.observe(&workers(2)).await.expect("observation");
    let error = observation.tables[0].table.as_ref().expect_err("no table");
    assert_eq!(error.message(), "no worker was found, so the route tables that serve them are not known");
    let nobody = backend.observe(&[]).await.expect("observation");
    assert!(nobody.tables[0].table.is_err());
}

#[tokio::test]
async fn a_table_with_our_claim_that_serves_no_worker_is_told_and_left() {
    let (lab, backend) = associated(spread(), |cloud| {
        let idle = cloud.table_named("idle").expect("table");
        let claim = ("kroutes/kubernetes".to_owned(), "10.200.0.0/16".to_owned());
        cloud.tables.get_mut(&idle).expect("table").tags.extend([claim]);
    })
    .await;
    let observation = backend.observe(&workers(3)).await.expect("observation");
    let idle = table_named(&lab, "idle");
    assert!(observation.findings.iter().any(|one| one.code == "serves-no-worker" && one.table == Some(idle.clone())));
    assert!(!observation.tables.iter().any(|one| one.wanted == idle.0));
    let unread: Vec<&str> = observation.out_of_reach.iter().map(kroutes_core::Error::message).collect();
    assert_eq!(unread, [format!("table `{idle}` bears our claim and serves no worker, so it was not looked at")]);
}

#[tokio::test]
async fn a_worker_whose_subnet_uses_another_table_than_the_named_ones_is_told() {
    let lab = Lab::start(spread(), Options::default()).await.expect("lab");
    let (backend, _) = open(&lab, &named("a"), impatient()).await;
    let observation = backend.observe(&workers(3)).await.expect("observation");
    assert_eq!(told(&observation, "other-table"), ["worker-1"]);
    assert!(observation.serves.is_empty(), "named tables are judged for everybody");
}

// ---- discovery

fn selector(name: Option<&str>, labels: &[(&str, &str)], range: RangeFrom) -> Selector {
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Selector { name: name.map(ToOwned::to_owned), labels, range }
}

fn saying(name: &str, user_data: &str) -> SeedInstance {
    SeedInstance { user_data: Some(user_data.to_owned()), ..SeedInstance::named(name) }
}

fn names(discovered: &Discovered) -> Vec<&str> {
    discovered.workers.iter().map(|worker| worker.name.as_str()).collect()
}

fn reasons(discovered: &Discovered) -> Vec<(&str, &str)> {
    discovered.left_out.iter().map(|one| (one.name.as_str(), one.why.message())).collect()
}

#[tokio::test]
async fn instances_are_found_by_glob_and_tags_with_the_range_of_their_user_data() {
    let mut seed = seed(0);
    seed.instances =
        (0..3).map(|n| saying(&format!("worker-{n}"), &format!("name=worker-{n}|pod-cidr=10.200.{n}.0/24"))).collect();
    seed.instances.push(saying("Worker-3", "pod-cidr=10.200.3.0/24"));
    seed.instances.push(saying("controller-0", "pod-cidr=10.200.4.0/24"));
    seed.instances[2].tags.insert("env".to_owned(), "a*".to_owned());
    let bench = Bench::with(seed, Options::default(), impatient()).await;
    bench.lab.change(|cloud| elsewhere(cloud, "worker-9", None));

    let found = bench.backend.discover(&selector(Some("worker-?"), &[], RangeFrom::Machine)).await.expect("found");
    assert_eq!((names(&found), found.left_out.len()), (vec!["worker-0", "worker-1", "worker-2"], 0));
    let first = &found.workers[0];
    assert_eq!(first.machine, MachineRef::Id(bench.instance("worker-0")));
    assert_eq!(first.pod_cidrs, ["10.200.0.0/24".parse().expect("cidr")]);
    assert_eq!(first.addresses.len(), 1);
    let calls = [("DescribeRouteTables", 1), ("DescribeInstances", 1), ("DescribeInstanceAttribute", 3)];
    assert_eq!(bench.calls(), counts(&calls));

    let tagged = selector(None, &[("env", "a*")], RangeFrom::Elsewhere);
    let found = bench.backend.discover(&tagged).await.expect("found");
    assert_eq!(names(&found), ["worker-2"]);
    assert!(found.workers[0].pod_cidrs.is_empty());
    assert_eq!(bench.calls().get("DescribeInstanceAttribute"), None, "nobody asked for user data");

    let observation = bench.backend.observe(&found.workers).await.expect("observation");
    assert_eq!(observation.machines.len(), 1);
}

#[tokio::test]
async fn an_instance_that_says_nothing_readable_is_left_out_and_hides_no_other() {
    let mut seed = seed(0);
    seed.instances = vec![
        SeedInstance::named("w-0"),
        saying("w-1", "#!/bin/sh\ntoken=s3cret\n"),
        saying("w-2", "x"),
        saying("w-3", "x"),
        saying("w-4", "pod-cidr=10.200.4.0/24"),
        saying("w-5", "pod-cidr=10.200.5.0/24"),
        saying("w-5", "pod-cidr=10.200.6.0/24"),
        saying("w-6", "pod-cidr=10.200.7.0/24"),
    ];
    let bench = Bench::with(seed, Options::default(), impatient()).await;
    bench.lab.change(|cloud| {
        let say = |cloud: &mut kroutes_lab::Cloud, name: &str, data: String| {
            let id = cloud.instance_named(name).expect("instance");
            cloud.instances.get_mut(&id).expect("instance").user_data = Some(data);
        };
        say(cloud, "w-2", "*** no base64 ***".to_owned());
        say(cloud, "w-3", STANDARD.encode([0x1f, 0x8b, 8, 0, 0]));
        let ended = cloud.instance_named("w-6").expect("instance");
        cloud.terminate(&ended);
    });
    let found = bench.backend.discover(&selector(Some("w-*"), &[], RangeFrom::Machine)).await.expect("found");
    assert_eq!(names(&found), ["w-4"]);
    let reasons = reasons(&found);
    let expected = [
        ("w-0", "has no user data"),
        ("w-1", "there is no `pod-cidr=` in it"),
        ("w-2", "is not base64"),
        ("w-3", "is compressed with gzip"),
        ("w-5", "the Name tag `w-5` fits 2 instances: `i-"),
    ];
    assert_eq!(reasons.len(), expected.len(), "{reasons:?}");
    for ((name, message), (wanted, part)) in reasons.iter().zip(expected) {
        assert!(*name == wanted && message.contains(part), "{name}: {message}");
    }
    assert!(found.left_out.iter().all(|one| one.is_fault));
    assert_eq!(found.left_out[4].pod_cidrs.len(), 2, "the ranges of both are known and not to be pruned");
}

#[tokio::test]
async fn user_data_that_cannot_be_asked_for_fails_the_whole() {
    let mut seed = seed(0);
    seed.instances = vec![saying("w-0", "pod-cidr=10.200.0.0/24"), saying("w-1", "pod-cidr=10.200.1.0/24")];
    let bench = Bench::with(seed, Options::default(), impatient()).await;
    bench.lab.add_fault(Fault::new(FaultKind::Deny).on("DescribeInstanceAttribute").times(1));
    let error = bench.backend.discover(&selector(None, &[], RangeFrom::Machine)).await.expect_err("denied");
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.get("instance").is_some_and(|id| id.starts_with("i-")));
}

#[tokio::test]
async fn a_listed_instance_whose_user_data_ec2_does_not_find_is_left_out_and_told() {
    let mut seed = seed(0);
    seed.instances = vec![saying("w-0", "pod-cidr=10.200.0.0/24")];
    let bench = Bench::with(seed, Options::default(), impatient()).await;
    let code = "InvalidInstanceID.NotFound".to_owned();
    let unknown = FaultKind::Error { status: 400, code, message: "The instance ID does not exist".to_owned() };
    bench.lab.add_fault(Fault::new(unknown).on("DescribeInstanceAttribute"));
    let found = bench.backend.discover(&selector(None, &[], RangeFrom::Machine)).await.expect("found");
    assert!(found.workers.is_empty());
    let one = found.left_out.first().expect("told");
    assert!(one.is_fault && one.pod_cidrs.is_empty() && one.name.as_str() == "w-0", "{one:?}");
}

#[tokio::test]
async fn user_data_of_more_instances_than_the_bucket_holds_is_read_of_all() {
    let mut seed = seed(0);
    // The bucket holds a hundred. Whether one call comes too early is a matter of the machine's load; none may be lost.
    seed.instances = (0..110).map(|n| saying(&format!("w-{n:03}"), &format!("pod-cidr=10.200.{n}.0/24"))).collect();
    let options = Options { published_buckets: true, ..Options::default() };
    let bench = Bench::with(seed, options, gate_settings()).await;
    let found = bench.backend.discover(&selector(Some("w-*"), &[], RangeFrom::Machine)).await.expect("found");
    assert_eq!((found.workers.len(), found.left_out.len()), (110, 0));
    assert!(bench.gate.counts()["DescribeInstanceAttribute"] >= 110);
}

#[tokio::test]
async fn without_named_tables_the_whole_region_is_searched() {
    let (lab, backend) = associated(spread(), |cloud| drop(elsewhere(cloud, "worker-9", None))).await;
    let found = backend.discover(&selector(Some("worker-*"), &[], RangeFrom::Elsewhere)).await.expect("found");
    assert_eq!(found.workers.len(), 4);
    assert_eq!(lab.calls(), counts(&[("DescribeInstances", 1)]));
}

#[tokio::test]
async fn discovery_without_its_table_is_that_tables_error() {
    let lab = Lab::start(seed(1), Options::default()).await.expect("lab");
    let (backend, _) = open(&lab, &named("nowhere"), impatient()).await;
    let error = backend.discover(&selector(None, &[], RangeFrom::Elsewhere)).await.expect_err("no table");
    assert_eq!(error.message(), "no route table has the Name tag `nowhere` in region `us-west-2`");
}
