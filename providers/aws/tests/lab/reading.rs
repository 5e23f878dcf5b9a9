//! What is read, and how many calls it takes.

use std::collections::BTreeMap;

use kroutes_aws::{AwsSettings, TableRef};
use kroutes_core::{ErrorKind, Fix, Life, MachineRef, NextHop, Observation, RouteBackend, RouteState, Target};
use kroutes_lab::model::{self, Association, Gateway, Tags};
use kroutes_lab::{Options, SeedInstance, SeedTable};

use crate::bench::{Bench, NAME, counts, impatient, named, open, seed, workers};

fn table(observation: &Observation) -> &kroutes_core::Table {
    observation.tables[0].table.as_ref().expect("table")
}

#[tokio::test]
async fn a_reading_takes_one_call_for_the_table_and_one_for_two_hundred_workers() {
    for (count, lookups) in [(1, 1), (200, 1), (201, 2)] {
        let bench = Bench::new(count).await;
        let observation = bench.observe(count).await;
        assert_eq!(observation.machines.len(), count);
        assert!(observation.next_hops.values().all(Result::is_ok));
        assert_eq!(bench.calls(), counts(&[("DescribeRouteTables", 1), ("DescribeInstances", lookups)]), "{count}");
        assert_eq!(bench.gate.counts()["DescribeInstances"], lookups);
    }
}

#[tokio::test]
async fn strangers_behind_routes_in_range_are_looked_up_once_and_reading_back_takes_one_call() {
    let bench = Bench::with(seed(3), Options::default(), impatient()).await;
    bench.create("10.200.0.0/24", "worker-0").await;
    bench.create("10.200.9.0/24", "worker-2").await;
    bench.create("192.168.0.0/24", "worker-2").await;
    bench.calls();
    bench.observe(2).await;
    assert_eq!(bench.calls(), counts(&[("DescribeRouteTables", 1), ("DescribeInstances", 2)]));
    bench.list().await;
    assert_eq!(bench.calls(), counts(&[("DescribeRouteTables", 1)]));
}

#[tokio::test]
async fn an_instance_is_looked_up_again_once_its_route_has_become_a_black_hole() {
    let bench = Bench::new(1).await;
    bench.create("10.200.0.0/24", "worker-0").await;
    bench.observe(1).await;
    let id = bench.instance("worker-0");
    bench.lab.change(|cloud| cloud.terminate(&id));
    bench.calls();
    for lookups in [Some(1), None] {
        let route = bench.entry("10.200.0.0/24").await.expect("route");
        assert!(matches!(&route.target, Target::Machine { life: Life::Gone(_), .. }), "{route:?}");
        assert_eq!(bench.calls().get("DescribeInstances").copied(), lookups);
    }
}

/// kubernetes/cloud-provider-aws#1351: a table with more than one instance route could not be listed.
#[tokio::test]
async fn a_table_of_many_routes_of_every_sort_lists_fine() {
    let bench = Bench::new(3).await;
    bench.create("10.200.0.0/24", "worker-0").await;
    bench.create("10.200.1.0/24", "worker-1").await;
    bench.lab.change(|cloud| {
        let nat = model::Target::Gateway(Gateway::Nat, "nat-0123456789abcdef0".to_owned());
        let net: ipnet::IpNet = "10.200.8.0/24".parse().expect("net");
        cloud.put_route(&bench.table.0, model::Route::new(net, nat));
    });
    let observation = bench.observe(2).await;
    let table = table(&observation);
    assert_eq!(table.routes.len(), 5, "local, default, two workers, one NAT gateway: {:?}", table.routes);
    let nat = table.routes.iter().find(|route| route.destination.to_string() == "10.200.8.0/24").expect("route");
    assert_eq!(nat.target, Target::NotAMachine("nat-gateway".to_owned()));
    assert_eq!(table.location, "us-west-2");
    let used = table.quotas.iter().find(|quota| quota.ipv6 == Some(false)).expect("quota").used;
    assert_eq!(used, 5);
}

#[tokio::test]
async fn a_terminated_instance_does_not_count_for_a_name_and_its_route_is_proved_dead() {
    let bench = Bench::new(2).await;
    bench.create("10.200.0.0/24", "worker-0").await;
    let old = bench.instance("worker-0");
    bench.lab.change(|cloud| {
        let subnet = cloud.instances.get(&old).expect("instance").subnet.clone();
        cloud.terminate(&old);
        let tags = Tags::from([("Name".to_owned(), "worker-0".to_owned())]);
        let launch = model::Launch { tags, subnet, ..model::Launch::default() };
        cloud.launch(launch).expect("launched")
    });
    let observation = bench.observe(2).await;
    let hop = observation.next_hops[&"10.200.0.0/24".parse().expect("cidr")].clone().expect("found");
    assert!(matches!(&hop, NextHop::Instance(id) if *id != old));
    let dead = |observation: &Observation| {
        let table = observation.tables[0].table.as_ref().expect("table");
        table.routes.iter().find(|route| route.destination.to_string() == "10.200.0.0/24").cloned().expect("route")
    };
    let route = dead(&observation);
    assert_eq!(route.state, RouteState::Blackhole);
    assert!(matches!(&route.target, Target::Machine { life: Life::Gone(why), .. } if why.contains("terminated")));

    bench.lab.change(|cloud| cloud.forget_instance(&old));
    let route = dead(&bench.observe(2).await);
    let gone = matches!(&route.target, Target::Machine { life: Life::Gone(why), .. } if why.contains("does not exist"));
    assert!(gone, "{route:?}");
}

#[tokio::test]
async fn a_name_that_two_instances_bear_is_that_workers_error_alone() {
    let mut seed = seed(2);
    seed.instances.push(SeedInstance::named("worker-1"));
    let bench = Bench::with(seed, Options::default(), impatient()).await;
    let observation = bench.observe(2).await;
    assert!(observation.next_hops[&"10.200.0.0/24".parse().expect("cidr")].is_ok());
    let error = observation.next_hops[&"10.200.1.0/24".parse().expect("cidr")].clone().expect_err("ambiguous");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().starts_with("the Name tag `worker-1` fits 2 instances:"), "{error}");
}

#[tokio::test]
async fn a_worker_that_is_not_there_is_its_own_error_with_the_place_that_was_searched() {
    let bench = Bench::new(1).await;
    let observation = bench.observe(2).await;
    let error = observation.next_hops[&"10.200.1.0/24".parse().expect("cidr")].clone().expect_err("absent");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let vpc = bench.lab.cloud(|cloud| cloud.vpcs.iter().next().map(|(id, _)| id.clone())).expect("vpc");
    let expected = format!("no instance with the Name tag `worker-1` in `{vpc}`, region `us-west-2`");
    assert_eq!(error.message(), expected);
}

/// kubernetes#92783, flannel#447: EC2 refuses the instance id of an instance with several interfaces.
#[tokio::test]
async fn an_instance_of_several_interfaces_is_reached_and_mended_by_its_primary_one() {
    let bench = Bench::new(1).await;
    let id = bench.instance("worker-0");
    let primary = bench.lab.cloud(|cloud| cloud.interfaces_of(&id)[0].0.to_owned());
    bench.lab.change(|cloud| cloud.add_interface(&id).expect("second"));
    let observation = bench.observe(1).await;
    let hop = NextHop::Interface(primary.clone());
    assert_eq!(observation.next_hops[&"10.200.0.0/24".parse().expect("cidr")].clone().expect("found"), hop);
    let fix = observation.findings.iter().find_map(|finding| finding.fix.clone()).expect("fix");
    assert!(matches!(&fix, Fix::SourceDestCheckOff { target, .. } if *target == hop));
    bench.backend.fix(&fix).await.expect("mended");

    let mut route = bench.route("10.200.0.0/24", "worker-0");
    route.next_hop = hop.clone();
    bench.backend.create_route(&bench.table, &route).await.expect("created");
    let observation = bench.observe(1).await;
    assert_eq!(observation.findings, []);
    let entry = bench.entry("10.200.0.0/24").await.expect("route");
    assert!(entry.is_as_wanted(&route), "{entry:?}");
    assert_eq!(entry.target, Target::Machine { id, life: Life::Live });
}

#[tokio::test]
async fn the_source_dest_check_is_found_mended_and_then_gone() {
    let bench = Bench::new(1).await;
    let finding = bench.observe(1).await.findings.into_iter().next().expect("finding");
    assert_eq!(finding.code, "source-dest-check");
    bench.backend.fix(&finding.fix.expect("fix")).await.expect("mended");
    assert_eq!(bench.observe(1).await.findings, []);
}

#[tokio::test]
async fn every_way_of_naming_a_table_finds_it() {
    let mut seed = seed(1);
    let tags = BTreeMap::from([("Name".to_owned(), "second".to_owned()), ("tier".to_owned(), "pods".to_owned())]);
    let subnets = vec![kroutes_lab::SeedSubnet::default()];
    seed.tables.push(SeedTable { tags: tags.clone(), subnets, ..SeedTable::default() });
    let bench = Bench::with(seed, Options::default(), impatient()).await;
    let second = bench.lab.cloud(|cloud| cloud.table_named("second")).expect("table");
    let vpc = bench.lab.cloud(|cloud| cloud.vpcs.iter().next().map(|(id, _)| id.clone())).expect("vpc");
    let served = bench.lab.cloud(|cloud| {
        let table = cloud.tables.get(&second).expect("table");
        table.associations.values().find_map(|association| match association {
            Association::Subnet(id) => Some(id.clone()),
            _ => None,
        })
    });
    let served = served.expect("subnet");
    let unserved = bench.lab.change(|cloud| {
        let subnet = cloud.subnets.get(&served).expect("subnet").clone();
        cloud.add_subnet(None, model::Subnet { cidr: "10.240.99.0/24".parse().expect("net"), ..subnet })
    });
    let rows = [
        (TableRef::Id(second.clone()), &second),
        (TableRef::Name("second".to_owned()), &second),
        (TableRef::Tags(tags), &second),
        (TableRef::Subnet(served), &second),
        (TableRef::Vpc(vpc), &bench.table.0),
        (TableRef::Subnet(unserved), &bench.table.0),
    ];
    for (wanted, expected) in rows {
        let settings = AwsSettings { route_table: vec![wanted.clone()], ..AwsSettings::default() };
        let (backend, _) = open(&bench.lab, &settings, impatient()).await;
        let observation = backend.observe(&workers(1)).await.expect("observation");
        assert_eq!(table(&observation).id.0, *expected, "{wanted}");
    }
}

#[tokio::test]
async fn tables_by_id_share_one_call_and_a_missing_one_hides_no_other() {
    let mut seed = seed(1);
    seed.tables.push(SeedTable { tags: Tags::from([("Name".to_owned(), "b".to_owned())]), ..SeedTable::default() });
    let bench = Bench::with(seed, Options::default(), impatient()).await;
    let second = bench.lab.cloud(|cloud| cloud.table_named("b")).expect("table");
    let missing = "rtb-00000000000000000";
    let ids = [bench.table.0.as_str(), missing, second.as_str()];
    let route_table = ids.iter().map(|id| TableRef::Id((*id).to_owned())).collect();
    let settings = AwsSettings { route_table, ..AwsSettings::default() };
    let (backend, _) = open(&bench.lab, &settings, impatient()).await;
    let observation = backend.observe(&workers(1)).await.expect("observation");
    let kinds: Vec<_> =
        observation.tables.iter().map(|one| one.table.as_ref().map_err(kroutes_core::Error::kind).err()).collect();
    assert_eq!(kinds, [None, Some(ErrorKind::NotFound), None]);
    assert_eq!(observation.tables[1].wanted, missing);
    assert_eq!(bench.calls()["DescribeRouteTables"], 1);
    assert!(observation.next_hops.values().all(Result::is_ok));
}

#[tokio::test]
async fn tables_beyond_the_first_page_are_found() {
    let bench = Bench::new(1).await;
    bench.lab.change(|cloud| {
        let vpc = cloud.vpcs.iter().next().map(|(id, _)| id.clone()).expect("vpc");
        for _ in 0..150 {
            cloud.add_table(None, &vpc, Tags::from([("tier".to_owned(), "pods".to_owned())]));
        }
    });
    let many = TableRef::Tags(BTreeMap::from([("tier".to_owned(), "pods".to_owned())]));
    let settings = AwsSettings { route_table: vec![many], ..AwsSettings::default() };
    let (backend, _) = open(&bench.lab, &settings, impatient()).await;
    let observation = backend.observe(&workers(1)).await.expect("observation");
    let error = observation.tables[0].table.clone().expect_err("ambiguous");
    assert!(error.message().starts_with("the tag `tier=pods` fits 150 route tables: "), "{error}");
    assert_eq!(bench.calls()["DescribeRouteTables"], 2);
}

#[tokio::test]
async fn in_the_wrong_region_nothing_is_there_and_the_message_names_it() {
    let bench = Bench::new(1).await;
    let connection = crate::bench::connection(&bench.lab.endpoint(), "eu-west-1");
    let gate = std::sync::Arc::new(kroutes_core::Gate::new(impatient()));
    let backend = kroutes_aws::AwsBackend::open(&named(NAME), &crate::bench::cluster(), gate, connection).await;
    let observation = backend.expect("open").observe(&workers(1)).await.expect("observation");
    let error = observation.tables[0].table.clone().expect_err("not there");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.message(), "no route table has the Name tag `kubernetes` in region `eu-west-1`");
    let worker = observation.next_hops.values().next().expect("one").clone().expect_err("nowhere to look");
    assert_eq!(worker.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_worker_by_id_in_another_vpc_says_so() {
    let bench = Bench::new(1).await;
    let id = bench.instance("worker-0");
    let other = bench.lab.change(|cloud| {
        let vpc =
            cloud.add_vpc(None, model::Vpc { cidrs: vec!["10.9.0.0/16".parse().expect("net")], ..Default::default() });
        let subnet = cloud.instances.get(&id).expect("instance").subnet.clone();
        let subnet = cloud.subnets.get(&subnet).expect("subnet").clone();
        let cidr = "10.9.0.0/24".parse().expect("net");
        let subnet = cloud.add_subnet(None, model::Subnet { vpc, cidr, ..subnet });
        cloud.launch(model::Launch { subnet, ..model::Launch::default() }).expect("launched")
    });
    let mut workers = workers(2);
    workers[0].machine = MachineRef::Id(id.clone());
    workers[1].machine = MachineRef::Id(other.clone());
    let observation = bench.backend.observe(&workers).await.expect("observation");
    let hop = observation.next_hops[&"10.200.0.0/24".parse().expect("cidr")].clone().expect("found");
    assert_eq!(hop, NextHop::Instance(id));
    let error = observation.next_hops[&"10.200.1.0/24".parse().expect("cidr")].clone().expect_err("elsewhere");
    assert!(error.message().starts_with(&format!("instance `{other}` is in VPC `vpc-")), "{error}");
}
