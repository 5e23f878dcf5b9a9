//! `route-table = "associated"`: every table that serves a worker, and each worker's pods judged by its own.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use kroutes_lab::model::{Destination, Launch, Route, Subnet, Target, Vpc};
use kroutes_lab::{Fault, FaultKind, Options, Seed, SeedInstance, SeedSubnet, SeedTable};

use crate::cli::world::{HEAD, World, assert_snapshot, pod_range, seed, topology, transcript, worker};

fn associated(workers: usize) -> String {
    topology(workers).replace("{ name = \"kubernetes\" }", "\"associated\"")
}

fn table(name: &str, main: bool, subnet: &str) -> SeedTable {
    SeedTable {
        tags: BTreeMap::from([("Name".to_owned(), name.to_owned())]),
        main,
        subnets: vec![SeedSubnet { id: None, cidr: Some(subnet.parse().expect("a range")) }],
        ..SeedTable::default()
    }
}

/// Worker 0 and worker 2 in a subnet with a table of its own, worker 1 in one that uses the main table, and a table that
/// serves none.
fn spread() -> Seed {
    let at = |nth: usize, third: u8| SeedInstance {
        private_ip: Some(Ipv4Addr::new(10, 240, third, 30)),
        ..SeedInstance::named(&format!("worker-{nth}"))
    };
    Seed {
        tables: vec![
            table("kubernetes", false, "10.240.0.0/24"),
            table("main", true, "10.240.1.0/24"),
            table("idle", false, "10.240.3.0/24"),
        ],
        instances: vec![
            at(0, 0),
            at(1, 1),
            SeedInstance { private_ip: Some(Ipv4Addr::new(10, 240, 0, 32)), ..at(2, 0) },
        ],
        ..seed(0)
    }
}

fn named(world: &World, name: &str) -> String {
    world.lab.cloud(|cloud| cloud.table_named(name)).expect("the table")
}

/// Which workers' ranges a table has routes to.
fn held(world: &World, table: &str) -> Vec<usize> {
    (0..9).filter(|nth| world.leads_in(&named(world, table), &pod_range(*nth)).is_some()).collect()
}

#[test]
fn every_table_that_serves_a_worker_gets_all_routes_and_no_other_table_any() {
    let world = World::new(&associated(3), spread(), Options::default());
    world.run("apply").code(0).says("Verdict: as wanted: 6 of 6 routes ok, 6 of 6 pairs");
    assert_eq!([held(&world, "kubernetes"), held(&world, "main")], [[0, 1, 2], [0, 1, 2]]);
    assert!(held(&world, "idle").is_empty());
    world.lab.reset_calls();
    world.run("apply").code(0).says("Nothing to change");
    assert_eq!(world.writes(), 0);
    world.run("destroy --yes").code(0);
    assert!(held(&world, "kubernetes").is_empty() && held(&world, "main").is_empty());
}

#[test]
fn a_table_that_serves_no_worker_any_more_is_told_and_left() {
    let world = World::new(&associated(3), spread(), Options::default());
    let idle = named(&world, "idle");
    world.lab.change(|cloud| {
        let target = cloud.instance_target(&cloud.instance_named("worker-0").expect("the instance")).expect("a target");
        let range: ipnet::IpNet = pod_range(0).parse().expect("a range");
        cloud.put_route(&idle, Route::new(range, target));
        let tags = &mut cloud.tables.get_mut(&idle).expect("the table").tags;
        tags.insert("kroutes/kubernetes".to_owned(), "10.200.0.0/16".to_owned());
    });
    let run = world.run("apply --prune").code(0);
    run.says("bears this cluster's claim and serves no worker any more");
    assert_eq!(held(&world, "idle"), [0]);
}

#[test]
fn with_an_explicit_table_a_worker_that_it_does_not_serve_is_told() {
    let world = World::new(&topology(3), spread(), Options::default());
    let run = world.run("verify -o json").code(2);
    let told: Vec<_> = run.json()["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .filter(|one| one["code"] == "other-table")
        .map(|one| one["worker"].clone())
        .collect();
    assert_eq!(told, ["worker-1"], "{run}");
    world.run("apply").code(0).says("uses a route table that is not written to");
}

/// A machine of this name in another VPC.
fn put_elsewhere(world: &World, name: &str) {
    world.lab.change(|cloud| {
        let range: ipnet::Ipv4Net = "10.241.0.0/16".parse().expect("a range");
        let vpc = cloud.add_vpc(None, Vpc { cidrs: vec![range], ..Vpc::default() });
        let zone = "us-west-2a".to_owned();
        let subnet = Subnet { vpc, cidr: range, ipv6_cidr: None, zone, tags: BTreeMap::new() };
        let subnet = cloud.add_subnet(None, subnet);
        let tags = [("Name".to_owned(), name.to_owned())].into();
        cloud.launch(Launch { subnet, tags, ..Launch::default() }).expect("launched");
    });
}

#[test]
fn workers_in_two_vpcs_are_refused_with_the_workers_of_each() {
    let world = World::new(&associated(4), spread(), Options::default());
    put_elsewhere(&world, "worker-3");
    let runs = [world.run("plan").code(1), world.run("apply").code(1), world.run("verify -o json").code(1)];
    assert_eq!(world.writes(), 0);
    assert_snapshot("associated-two-vpcs", &transcript(&runs));
}

#[test]
fn without_a_worker_that_is_found_the_tables_are_not_known() {
    let world = World::new(&associated(3), Seed { instances: Vec::new(), ..spread() }, Options::default());
    let runs = [world.run("plan").code(1), world.run("apply").code(1), world.run("destroy --yes").code(1)];
    assert_eq!(world.writes(), 0);
    assert_snapshot("associated-nobody", &transcript(&runs));
}

/// cloud-provider-azure and others: success in one table hid failure in another.
#[test]
fn a_table_that_is_full_leaves_the_others_going_and_the_verdict_is_of_all() {
    let world = World::new(&associated(3), spread(), Options { routes_limit: 5, ..Options::default() });
    let main = named(&world, "main");
    world.lab.change(|cloud| {
        let target = Target::Gateway(kroutes_lab::model::Gateway::Nat, "nat-0123456789abcdef0".to_owned());
        for nth in 0..2 {
            let range: ipnet::IpNet = format!("192.168.{nth}.0/24").parse().expect("a range");
            cloud.put_route(&main, Route::new(range, target.clone()));
        }
    });
    let run = world.run("apply").code(1);
    assert_eq!(held(&world, "kubernetes"), [0, 1, 2], "{run}");
    assert!(held(&world, "main").len() < 3, "{run}");
    let verdict = world.run("verify -o json").code(2);
    assert_eq!(verdict.json()["ok"], false);
}

#[test]
fn a_table_that_cannot_be_read_leaves_the_others_going_and_the_verdict_is_of_all() {
    let several = "[{ name = \"kubernetes\" }, { name = \"nowhere\" }, { name = \"main\" }]";
    let text = topology(3).replace("{ name = \"kubernetes\" }", several);
    let world = World::new(&text, spread(), Options::default());
    world.run("plan").code(1);
    let run = world.run("apply -o json").code(1);
    assert_eq!(run.json()["ok"], false, "{run}");
    assert_eq!([held(&world, "kubernetes"), held(&world, "main")], [[0, 1, 2], [0, 1, 2]]);
    world.run("verify").code(1).says("no route table has the Name tag `nowhere`");
    world.run("destroy --yes").code(1);
    assert!(held(&world, "kubernetes").is_empty() && held(&world, "main").is_empty());
}

#[test]
fn whether_one_reaches_another_is_judged_in_its_own_table() {
    let world = World::new(&associated(3), spread(), Options::default());
    world.run("apply").code(0);
    let own = named(&world, "kubernetes");
    let range: ipnet::IpNet = pod_range(1).parse().expect("a range");
    world.lab.change(|cloud| cloud.delete_route(&own, &Destination::Net(range))).expect("deleted");
    let run = world.run("verify -o json").code(2);
    let reachability = &run.json()["reachability"];
    let cut: Vec<_> = reachability["unreachable"]
        .as_array()
        .expect("pairs")
        .iter()
        .map(|pair| (pair["from"].clone(), pair["to"].clone()))
        .collect();
    assert_eq!(reachability["reachable"], 4, "{run}");
    assert_eq!(cut.len(), 2, "{run}");
    assert!(cut.iter().all(|(from, to)| from != "worker-1" && to == "worker-1"), "{run}");
    assert_snapshot("associated-cut-off", &world.run("verify").code(2).to_string());
}

#[test]
fn where_machines_may_not_be_listed_nothing_is_pruned() {
    let world = World::new(&associated(3), spread(), Options::default());
    world.run("apply").code(0);
    world.lab.add_fault(Fault::new(FaultKind::Deny).on("DescribeInstances"));
    world.run("apply --prune --yes").code(1);
    assert_eq!([held(&world, "kubernetes"), held(&world, "main")], [[0, 1, 2], [0, 1, 2]]);
}

#[test]
fn workers_are_found_in_the_whole_region_where_no_table_is_named() {
    let source = "\n[source]\nkind = \"cloud\"\nname = \"worker-*\"\npod-cidr = \"node-prefix\"\n";
    let head =
        HEAD.replace("{ name = \"kubernetes\" }", "\"associated\"").replace("16\"\n", "16\"\nnode-prefix = 24\n");
    let world = World::new(&format!("{head}{source}"), spread(), Options::default());
    world.run("apply").code(0);
    assert_eq!([held(&world, "kubernetes"), held(&world, "main")], [[0, 1, 2], [0, 1, 2]]);
    put_elsewhere(&world, "worker-7");
    world.run("apply").code(1).says("the workers are in several VPCs");
    world.write("kroutes.toml", associated(3) + &worker(8));
    world.run("apply").code(1);
    assert_eq!([held(&world, "kubernetes"), held(&world, "main")], [[0, 1, 2], [0, 1, 2]]);
}
