//! Clouds that are made for a topology must not stand in its way.

use std::collections::BTreeMap;

use ipnet::IpNet;
use kroutes_core::{Topology, overlap};
use kroutes_lab::model::Association;
use kroutes_lab::{Cloud, Options, Seed, SeedInstance, TableWish};

use crate::{hard_way_cloud, name, topology};

fn build(topology: &Topology, wishes: &[TableWish]) -> Cloud {
    Seed::for_topology(topology, wishes).build(&Options { routes_limit: 10_000, ..Options::default() })
}

/// Every worker's route can be created in every table that was wished for.
fn comes_true(topology: &Topology, cloud: &mut Cloud) {
    let tables: Vec<String> = cloud.tables.keys().cloned().collect();
    for table in tables {
        for (worker, cidr) in topology.ranges() {
            let instance = cloud.instance_named(worker.name.as_str()).expect("an instance per worker");
            let target = cloud.instance_target(&instance).expect("one interface");
            cloud
                .create_route(&table, cidr.net().into(), target)
                .unwrap_or_else(|refusal| panic!("{cidr}: {refusal:?}"));
        }
    }
}

#[test]
fn the_guides_cloud_is_the_guides() {
    let (cloud, table, [w0, ..]) = hard_way_cloud(&Options::default());
    let instance = &cloud.instances[&w0];
    assert_eq!(cloud.vpc_ranges(&instance.vpc), ["10.240.0.0/16".parse::<IpNet>().expect("a range")]);
    assert_eq!(cloud.subnets[&instance.subnet].cidr.to_string(), "10.240.0.0/24");
    // base64 of name=worker-0|pod-cidr=10.200.0.0/24
    assert_eq!(instance.user_data.as_deref(), Some("bmFtZT13b3JrZXItMHxwb2QtY2lkcj0xMC4yMDAuMC4wLzI0"));
    let (_, interface) = cloud.interfaces_of(&w0)[0];
    assert_eq!(interface.private_ip.to_string(), "10.240.0.20");
    assert!(interface.source_dest_check);
    let routes: Vec<_> = cloud.tables[&table].routes.iter().map(|route| route.destination.to_string()).collect();
    assert_eq!(routes, ["10.240.0.0/16", "0.0.0.0/0"]);
    let served: Vec<_> = cloud.tables[&table].associations.values().cloned().collect();
    assert_eq!(served, [Association::Subnet(instance.subnet.clone())]);
}

#[test]
fn the_vpc_holds_the_addresses_and_keeps_clear_of_the_pods() {
    let rows: [(&str, &[(&str, &str)]); 8] = [
        ("10.200.0.0/16", &[("10.200.0.0/24", ""), ("10.200.1.0/24", "")]),
        ("10.240.0.0/16", &[("10.240.0.0/24", ""), ("10.240.1.0/24", "")]),
        ("10.0.0.0/8", &[("10.1.0.0/24", "172.16.0.4")]),
        ("10.0.0.0/8", &[("10.1.0.0/24", "")]),
        ("10.0.0.0/16", &[("10.0.1.0/24", "10.1.0.4"), ("10.0.2.0/24", "10.2.0.4")]),
        ("10.0.0.0/16", &[("10.0.1.0/24", "10.0.200.4"), ("10.0.2.0/24", "10.0.200.5")]),
        ("10.0.0.0/17", &[("10.0.1.0/24", "10.0.200.4")]),
        ("10.200.0.0/16,fd00:10:200::/48", &[("10.200.0.0/24,fd00:10:200::/64", "10.240.0.4")]),
    ];
    for (cluster, workers) in rows {
        let topology = topology(cluster, workers);
        let mut cloud = build(&topology, &[TableWish::Tags(name("kubernetes"))]);
        let vpc = cloud.vpcs.keys().next().expect("a vpc").clone();
        let ranges = cloud.vpc_ranges(&vpc);
        for (_, cidr) in topology.ranges() {
            assert!(!ranges.iter().any(|range| overlap(range, &cidr.net())), "{cluster}: {ranges:?} touches {cidr}");
        }
        for interface in cloud.interfaces.values() {
            assert!(cloud.subnets[&interface.subnet].cidr.contains(&interface.private_ip), "{cluster}");
            assert!(
                ranges.iter().any(|range| range.contains(&IpNet::from(std::net::IpAddr::from(interface.private_ip))))
            );
        }
        comes_true(&topology, &mut cloud);
    }
}

#[test]
fn every_way_of_asking_for_a_table_finds_one() {
    let topology = topology("10.200.0.0/16", &[("10.200.0.0/24", "10.240.0.4"), ("10.200.1.0/24", "10.240.1.4")]);
    let role = BTreeMap::from([("role".to_owned(), "pods".to_owned()), ("zone".to_owned(), "a".to_owned())]);
    let wishes = [
        TableWish::Id("rtb-0a1b".to_owned()),
        TableWish::Tags(role.clone()),
        TableWish::MainOf("vpc-0f".to_owned()),
        TableWish::Subnet("subnet-1a".to_owned()),
    ];
    let mut cloud = build(&topology, &wishes);
    assert!(cloud.tables.contains_key("rtb-0a1b"));
    assert!(cloud.tables.values().any(|table| table.tags == role));
    let serves = |association: &Association| {
        let table = cloud.tables.values().find(|table| table.associations.values().any(|held| held == association));
        table.map(|table| table.vpc.clone())
    };
    assert_eq!(serves(&Association::Main).as_deref(), Some("vpc-0f"));
    assert_eq!(serves(&Association::Subnet("subnet-1a".to_owned())).as_deref(), Some("vpc-0f"));
    assert_eq!(cloud.tables.len(), 4);
    comes_true(&topology, &mut cloud);
}

#[test]
fn a_thousand_workers_without_addresses_all_get_one() {
    let ranges: Vec<String> = (0..1000).map(|n| format!("10.{}.{}.0/24", 64 + n / 256, n % 256)).collect();
    let workers: Vec<(&str, &str)> = ranges.iter().map(|range| (range.as_str(), "")).collect();
    let topology = topology("10.64.0.0/10", &workers);
    let cloud = build(&topology, &[TableWish::Tags(name("a")), TableWish::Tags(name("b"))]);
    let addresses: std::collections::BTreeSet<_> = cloud.interfaces.values().map(|it| it.private_ip).collect();
    assert_eq!((cloud.instances.len(), addresses.len()), (1000, 1000));
}

#[test]
fn a_dual_stack_topology_gets_a_vpc_with_ipv6() {
    let topology = topology("10.200.0.0/16,fd00:10:200::/48", &[("10.200.0.0/24,fd00:10:200::/64", "")]);
    let mut cloud = build(&topology, &[]);
    let vpc = cloud.vpcs.values().next().expect("a vpc");
    assert_eq!(vpc.ipv6_cidrs.len(), 1);
    let worker = cloud.instance_named("worker-0").expect("the worker");
    let address = cloud.interfaces_of(&worker)[0].1.ipv6[0];
    assert!(vpc.ipv6_cidrs[0].contains(&address), "{address}");
    comes_true(&topology, &mut cloud);
}

#[test]
fn an_instance_outside_the_vpc_of_a_handmade_seed_gets_the_network_it_needs() {
    let lost =
        SeedInstance { private_ip: Some("192.0.2.9".parse().expect("an address")), ..SeedInstance::named("lost") };
    let seed = Seed { instances: vec![lost, SeedInstance::named("found")], ..Seed::default() };
    let cloud = seed.build(&Options::default());
    let lost = cloud.instance_named("lost").expect("there");
    assert_eq!(cloud.interfaces_of(&lost)[0].1.private_ip.to_string(), "192.0.2.9");
    assert!(cloud.instance_named("found").is_some());
}
