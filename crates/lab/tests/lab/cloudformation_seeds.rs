//! What a topology that goes by exports, associations or a source in the cloud finds in a lab.

use std::collections::{BTreeMap, BTreeSet};

use kroutes_core::{Cluster, MachineRef, Topology};
use kroutes_lab::model::Association;
use kroutes_lab::{Cloud, Lab, Options, Seed, SeedInstance, TableWish};

use crate::client::{Client, Response};
use crate::{exported_as, topology};

fn cluster(ranges: &[&str]) -> Cluster {
    Cluster {
        name: "kubernetes".parse().expect("a name"),
        pod_cidrs: ranges.iter().map(|cidr| cidr.parse().expect("a range")).collect(),
        service_cidrs: Vec::new(),
    }
}

fn value(cloud: &Cloud, export: &str) -> String {
    cloud.exports().get(export).map(|(_, value)| (*value).to_owned()).unwrap_or_default()
}

#[test]
fn tables_and_instances_are_exported_by_stacks_as_in_the_guide() {
    let topology = topology("10.200.0.0/16", &[("10.200.0.0/24", "10.240.0.20"), ("10.200.1.0/24", "10.240.0.21")]);
    let wishes = [TableWish::Export("hard-k8s-rtb".to_owned()), TableWish::Export("hard-k8s-rtb-b".to_owned())];
    let topology = exported_as(&topology, |n| ["hard-k8s-worker-0", "other-worker"][n].to_owned());
    let cloud = Seed::for_topology(&topology, &wishes).build(&Options::default());
    let (_, network) = cloud.find_stack("hard-k8s-network").expect("the network's stack");
    let outputs: Vec<_> =
        network.outputs.iter().map(|it| (it.key.as_str(), it.export.as_deref().unwrap_or_default())).collect();
    assert_eq!(outputs, [("RouteTableId", "hard-k8s-rtb"), ("VpcId", "hard-k8s-vpc"), ("SubnetId", "hard-k8s-subnet")]);
    let table = &cloud.tables[&value(&cloud, "hard-k8s-rtb")];
    assert_eq!(table.vpc, value(&cloud, "hard-k8s-vpc"));
    assert!(table.associations.values().any(|it| *it == Association::Subnet(value(&cloud, "hard-k8s-subnet"))));
    assert!(cloud.tables.contains_key(&value(&cloud, "hard-k8s-rtb-b")));
    assert_eq!(Some(value(&cloud, "hard-k8s-worker-0")), cloud.instance_named("worker-0"));
    assert_eq!(Some(value(&cloud, "other-worker")), cloud.instance_named("worker-1"));
    let stacks: BTreeSet<_> = cloud.stacks.values().map(|stack| stack.name.as_str()).collect();
    assert_eq!(stacks, ["hard-k8s-instances", "hard-k8s-network", "hard-k8s-rtb-network", "instances"].into());
}

#[test]
fn odd_names_of_exports_are_no_trouble() {
    let topology = topology("10.200.0.0/16", &[("10.200.0.0/24", "")]);
    let names = ["rtb", "1:a-rtb", "ü-rtb", "a-vpc", "a-rtb", "a-subnet", "-"];
    let wishes = names.map(|name| TableWish::Export(name.to_owned()));
    let topology = exported_as(&topology, |_| "a-rtb".to_owned());
    let cloud = Seed::for_topology(&topology, &wishes).build(&Options::default());
    for name in names {
        assert!(cloud.tables.contains_key(&value(&cloud, name)), "{name}");
    }
}

#[test]
fn the_same_seed_gives_the_same_stacks() {
    let topology = topology("10.200.0.0/16", &[("10.200.0.0/24", "")]);
    let build = || {
        let cloud = Seed::for_topology(&topology, &[TableWish::Export("a-rtb".to_owned())]).build(&Options::default());
        cloud.stacks.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(build(), build());
}

#[test]
fn a_machine_that_is_asked_for_by_its_address_has_it() {
    let mut worker = topology("10.200.0.0/16", &[("10.200.0.0/24", "")]).workers()[0].clone();
    worker.machine = MachineRef::Address("10.9.0.7".parse().expect("an address"));
    let topology = Topology::new(cluster(&["10.200.0.0/16"]), vec![worker]).expect("a sound topology");
    let cloud = Seed::for_topology(&topology, &[]).with_network(&topology, "kubernetes").build(&Options::default());
    let interface = cloud.interfaces.values().next().expect("an interface");
    let machine = cloud.compute.machines.values().next().expect("a machine");
    assert_eq!([interface.private_ip, machine.nics[0].address].map(|it| it.to_string()), ["10.9.0.7", "10.9.0.7"]);
}

/// The tables that serve these instances' subnets: their own, or the main one.
fn serving(cloud: &Cloud, instances: &[&str]) -> Vec<(String, bool)> {
    let table_of = |name: &&str| {
        let subnet = cloud.instances[&cloud.instance_named(name).expect("an instance")].subnet.clone();
        let by = |wanted: &Association| {
            let found = cloud.tables.iter().find(|(_, table)| table.associations.values().any(|held| held == wanted));
            found.map(|(id, _)| id.clone())
        };
        match by(&Association::Subnet(subnet)) {
            Some(own) => (own, false),
            None => (by(&Association::Main).expect("a main table"), true),
        }
    };
    instances.iter().map(table_of).collect()
}

#[test]
fn associated_tables_are_one_a_subnet_and_the_main_one_for_the_last() {
    let addresses = [["10.240.0.20", "10.240.1.20", "10.240.2.20"], ["", "", ""]];
    for [a, b, c] in addresses {
        let workers = [("10.200.0.0/24", a), ("10.200.1.0/24", b), ("10.200.2.0/24", c)];
        let cloud = Seed::for_topology(&topology("10.200.0.0/16", &workers), &[TableWish::Associated])
            .build(&Options::default());
        let served = serving(&cloud, &["worker-0", "worker-1", "worker-2"]);
        let distinct: BTreeSet<_> = served.iter().map(|(table, _)| table).collect();
        assert_eq!(distinct.len(), 3, "{served:?}");
        assert_eq!(served.iter().map(|(_, main)| *main).collect::<Vec<_>>(), [false, false, true]);
        assert_eq!(cloud.tables.len(), 3);
    }
    let alone = topology("10.200.0.0/16", &[("10.200.0.0/24", "10.240.0.20")]);
    let wishes = [TableWish::Associated, TableWish::Id("rtb-0a1b".to_owned()), TableWish::MainOf("vpc-0f".to_owned())];
    let cloud = Seed::for_topology(&alone, &wishes).build(&Options::default());
    let [(table, main)] = serving(&cloud, &["worker-0"]).try_into().expect("one");
    assert!(!main && table != "rtb-0a1b" && cloud.tables.len() == 3 && cloud.vpcs.contains_key("vpc-0f"));
}

async fn filtered(client: &mut Client, action: &str, filters: &[(&str, &str)]) -> Response {
    let names: Vec<_> =
        (1..=filters.len()).map(|n| (format!("Filter.{n}.Name"), format!("Filter.{n}.Value.1"))).collect();
    let pairs = names
        .iter()
        .zip(filters)
        .flat_map(|((name, value), filter)| [(name.as_str(), filter.0), (value.as_str(), filter.1)]);
    client.call(action, &pairs.collect::<Vec<_>>()).await
}

#[tokio::test]
async fn the_table_of_a_workers_subnet_is_found_as_a_client_looks_for_it() {
    let workers = [("10.200.0.0/24", "10.240.0.20"), ("10.200.1.0/24", "10.240.1.20")];
    let seed = Seed::for_topology(&topology("10.200.0.0/16", &workers), &[TableWish::Associated]);
    let lab = Lab::start(seed, Options::default()).await.expect("a lab");
    let client = &mut Client::connect(&lab.endpoint()).await;
    let expected = lab.cloud(|cloud| serving(cloud, &["worker-0", "worker-1"]));
    let vpc = filtered(client, "DescribeVpcs", &[]).await.texts("vpcId")[0].to_owned();
    for (n, (table, main)) in expected.iter().enumerate() {
        let address = format!("10.240.{n}.20");
        let found = [("vpc-id", vpc.as_str()), ("private-ip-address", address.as_str())];
        let instance = filtered(client, "DescribeInstances", &found).await;
        assert_eq!(instance.texts("instanceId").len(), 1);
        let subnet = instance.texts("subnetId")[0].to_owned();
        let shown = filtered(client, "DescribeSubnets", &[("subnet-id", &subnet), ("vpc-id", &vpc)]).await;
        assert_eq!(shown.texts("cidrBlock"), [format!("10.240.{n}.0/24")]);
        let own =
            filtered(client, "DescribeRouteTables", &[("vpc-id", &vpc), ("association.subnet-id", &subnet)]).await;
        assert_eq!(
            own.texts("propagatingVgwSet").len() + own.body.matches("<propagatingVgwSet/>").count(),
            usize::from(!main)
        );
        let found = if *main {
            filtered(client, "DescribeRouteTables", &[("vpc-id", &vpc), ("association.main", "true")]).await
        } else {
            own
        };
        assert_eq!(found.texts("routeTableId").first(), Some(&table.as_str()));
        assert_eq!(found.texts("main"), [main.to_string()]);
    }
    let elsewhere = [("vpc-id", "vpc-00000000"), ("private-ip-address", "10.240.0.20")];
    assert!(filtered(client, "DescribeInstances", &elsewhere).await.body.contains("<reservationSet/>"));
    let main = filtered(client, "DescribeRouteTables", &[("association.main", "true")]).await;
    assert_eq!(main.texts("main"), ["true"], "the main table does not show the subnets that are left to it");
}

#[test]
fn three_machines_match_a_source_in_the_cloud() {
    let nobody = Topology::new(cluster(&["10.200.0.0/16"]), Vec::new()).expect("a sound topology");
    let labels = BTreeMap::from([("role".to_owned(), "worker".to_owned())]);
    let wishes = [TableWish::Tags(crate::name("kubernetes"))];
    let seed = Seed::for_topology(&nobody, &wishes)
        .with_network(&nobody, "hard-way")
        .with_matching_instances(nobody.cluster(), Some("node-*"), &labels)
        .with_matching_machines(nobody.cluster(), "hard-way", Some("node-*"), &labels);
    let cloud = seed.build(&Options::default());
    assert_eq!(seed.compute[0].machines.len(), 3);
    for (n, instance) in seed.instances.iter().enumerate() {
        let name = format!("node-{n}");
        let SeedInstance { tags, private_ip, user_data, .. } = instance;
        assert_eq!((&tags["Name"], &tags["role"]), (&name, &"worker".to_owned()));
        assert_eq!(private_ip.map(|it| it.to_string()), Some(format!("10.240.0.{}", 20 + n)));
        assert_eq!(user_data.as_deref(), Some(format!("name={name}|pod-cidr=10.200.{n}.0/24").as_str()));
        let (_, machine) =
            cloud.compute.machines.iter().find(|(key, _)| key.ends_with(&format!("/{name}"))).expect("a machine");
        assert_eq!(machine.metadata["pod-cidr"], format!("10.200.{n}.0/24"));
        assert_eq!((&machine.labels, machine.nics[0].address.to_string()), (&labels, format!("10.240.0.{}", 20 + n)));
        assert!(cloud.instance_named(&name).is_some());
    }
}

/// A glob, tags, the cluster's ranges, and the names that come of it.
type Row<'a> = (Option<&'a str>, &'a BTreeMap<String, String>, &'a [&'a str], &'a [&'a str]);

#[test]
fn matching_machines_are_found_whatever_is_asked_for() {
    let none = BTreeMap::new();
    let rows: [Row; 5] = [
        (None, &none, &["10.240.0.0/16"], &["worker-0", "worker-1", "worker-2"]),
        (Some("w?-*"), &none, &["10.0.0.0/8"], &["w0-0", "w1-1", "w2-2"]),
        (Some("only"), &none, &["10.200.0.0/16", "fd00:10:200::/48"], &["only"]),
        (None, &crate::name("tagged"), &["10.200.0.0/23"], &["tagged"]),
        (Some("*"), &none, &["192.168.0.0/30"], &["0", "1", "2"]),
    ];
    for (glob, tags, ranges, names) in rows {
        let nobody = Topology::new(cluster(ranges), Vec::new()).expect("a sound topology");
        let seed =
            Seed::for_topology(&nobody, &[TableWish::Associated]).with_matching_instances(nobody.cluster(), glob, tags);
        let cloud = seed.build(&Options::default());
        let mut cidrs = BTreeSet::new();
        for name in names {
            let id = cloud.instance_named(name).unwrap_or_else(|| panic!("{name} of {glob:?}"));
            let (_, interface) = cloud.interfaces_of(&id)[0];
            assert!(!nobody.cluster().contains(&std::net::IpAddr::from(interface.private_ip).into()), "{glob:?}");
        }
        for instance in &seed.instances {
            let said = instance.user_data.as_deref().expect("user data");
            for cidr in said.split("pod-cidr=").nth(1).expect("a range").split(',') {
                assert!(nobody.cluster().contains(&cidr.parse().expect("a range")), "{said}");
                assert!(cidrs.insert(cidr.to_owned()), "{said}");
            }
        }
        assert_eq!(cidrs.len(), names.len() * ranges.len());
    }
    let machines = Seed::default().with_matching_machines(&cluster(&["10.200.0.0/16"]), "new", None, &none);
    assert_eq!(machines.build(&Options::default()).compute.machines.len(), 3);
}
