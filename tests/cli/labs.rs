//! The published labs, each from its file in `config/` and by one command, judged as the lab itself has its reader judge.
//!
//! Each of them makes three routes by hand, and differs in how it finds the network, the machines and their ranges. The
//! cloud here is built as the lab's earlier chapters leave it, not from the topology: what a topology says of a cloud must
//! be true of one that somebody else has made.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use kroutes_lab::model::compute::Hop;
use kroutes_lab::model::{Origin, Route, Target};
use kroutes_lab::{Options, Seed, SeedInstance, SeedMachine, SeedNetwork, SeedSubnet, SeedSubnetwork, SeedTable};

use super::examples::example;
use super::world::compute::{HEAD, options};
use super::world::{Ran, World};

/// The words that run a file of `config/`.
fn on(words: &str, provider: &str, file: &str) -> String {
    format!("{words} --provider {provider} -f {}", example(file).display())
}

/// What everybody does: look, do, look again, and do it once more to no effect.
#[track_caller]
fn run_the_chapter(world: &World, provider: &str, file: &str) -> Ran {
    world.run(&on("plan --detailed-exitcode", provider, file)).code(2).says("3 to add");
    let applied = world.run(&on("apply", provider, file)).code(0).says("Verdict: as wanted: 3 of 3 routes ok");
    world.run(&on("verify", provider, file)).code(0);
    let changes = world.lab.log().len();
    world.run(&on("apply", provider, file)).code(0).says("Nothing to change");
    assert_eq!(world.lab.log().len(), changes);
    applied
}

/// Of the lines on stderr, those before the table of routes, which tell the workers.
fn workers_told(run: &Ran) -> Vec<&str> {
    let begins_with_address = |line: &&str| line.split(' ').next().is_some_and(|word| word.parse::<Ipv4Addr>().is_ok());
    run.err.lines().filter(begins_with_address).collect()
}

/// A network with three VMs, called like this and addressed from there, that know their ranges if they are `told`.
fn network(name: &str, machines: [&str; 3], first: Ipv4Addr, told: bool) -> SeedNetwork {
    let machine = |(nth, name): (usize, &str)| SeedMachine {
        address: Some(Ipv4Addr::from(u32::from(first) + u32::try_from(nth).expect("three"))),
        metadata: told.then(|| ("pod-cidr".to_owned(), format!("10.200.{nth}.0/24"))).into_iter().collect(),
        ..SeedMachine::named(name)
    };
    let range = "10.240.0.0/24".parse().expect("a range");
    SeedNetwork {
        subnetworks: vec![SeedSubnetwork { name: "kubernetes".to_owned(), range, ipv6_range: None }],
        machines: machines.into_iter().enumerate().map(machine).collect(),
        ..SeedNetwork::named(name)
    }
}

/// A project with that network, and the `default` one that every project has.
fn project(network: SeedNetwork) -> World {
    let seed = Seed { compute: vec![network, SeedNetwork::named("default")], ..Seed::default() };
    World::new_gcp(HEAD, seed, options())
}

/// `gcloud compute routes list --filter "network=NAME"` as the guide shows it, without what Google makes itself.
fn routes_list(world: &World, network: &str) -> Vec<String> {
    let routes = world.project_routes().into_iter().filter(|(_, route)| route.network == network);
    let shown = routes.filter_map(|(name, route)| match route.hop {
        Hop::Address(address) => {
            Some(format!("{name} {} {} {address} {}", route.network, route.destination, route.priority))
        }
        _ => None,
    });
    shown.collect()
}

/// The machines of the first edition.
const FIRST: [&str; 3] = ["worker0", "worker1", "worker2"];
/// Those of all later ones.
const LATER: [&str; 3] = ["worker-0", "worker-1", "worker-2"];

fn first_edition() -> World {
    project(network("kubernetes", FIRST, Ipv4Addr::new(10, 240, 0, 30), false))
}

#[test]
fn the_first_edition_on_google_cloud_routes_what_kubectl_lists() {
    let expected = [
        "kubernetes-route-10-200-0-0-24 kubernetes 10.200.0.0/24 10.240.0.30 1000",
        "kubernetes-route-10-200-1-0-24 kubernetes 10.200.1.0/24 10.240.0.31 1000",
        "kubernetes-route-10-200-2-0-24 kubernetes 10.200.2.0/24 10.240.0.32 1000",
    ];
    for file in ["hard-way-nodes.toml", "hard-way-2016.toml"] {
        let world = first_edition();
        run_the_chapter(&world, "gcp", file);
        assert_eq!(routes_list(&world, "kubernetes"), expected, "{file}");
    }
}

#[test]
fn the_node_list_of_the_first_edition_comes_through_a_pipe_as_well() {
    let world = first_edition();
    let file = std::fs::read_to_string(example("hard-way-nodes.toml")).expect("the file");
    let piped = file.replace("\"hard-way-nodes.json\"", "\"-\"");
    assert_ne!(file, piped);
    world.write("piped.toml", piped);
    let nodes = std::fs::read_to_string(example("hard-way-nodes.json")).expect("the nodes");
    world.run_with_input("--provider gcp -f piped.toml", &nodes).code(0);
    assert_eq!(routes_list(&world, "kubernetes").len(), 3);
}

#[test]
fn the_newer_edition_on_google_cloud_keeps_the_names_of_the_routes_in_a_network_of_its_own() {
    let world = project(network("kubernetes-the-hard-way", LATER, Ipv4Addr::new(10, 240, 0, 20), true));
    run_the_chapter(&world, "gcp", "hard-way-gcp.toml");
    let expected = [
        "kubernetes-route-10-200-0-0-24 kubernetes-the-hard-way 10.200.0.0/24 10.240.0.20 1000",
        "kubernetes-route-10-200-1-0-24 kubernetes-the-hard-way 10.200.1.0/24 10.240.0.21 1000",
        "kubernetes-route-10-200-2-0-24 kubernetes-the-hard-way 10.200.2.0/24 10.240.0.22 1000",
    ];
    assert_eq!(routes_list(&world, "kubernetes-the-hard-way"), expected);
}

/// A VPC with one table that serves one subnet, and three instances in it.
fn vpc(table: SeedTable, subnet: &str, instance: impl Fn(usize) -> SeedInstance) -> Seed {
    let cidr: ipnet::Ipv4Net = subnet.parse().expect("a range");
    let range = ipnet::Ipv4Net::new(cidr.addr(), 16).expect("a length").trunc();
    Seed {
        vpc_cidrs: vec![range],
        tables: vec![SeedTable { subnets: vec![SeedSubnet { id: None, cidr: Some(cidr) }], ..table }],
        instances: (0..3).map(instance).collect(),
        ..Seed::default()
    }
}

fn named(name: &str) -> SeedTable {
    SeedTable { tags: BTreeMap::from([("Name".to_owned(), name.to_owned())]), ..SeedTable::default() }
}

fn in_region(region: &str) -> Options {
    Options { region: region.to_owned(), ..Options::default() }
}

/// `DestinationCidrBlock`, `InstanceId` and `GatewayId` of every route, as the chapter has its reader list them.
fn rows(world: &World, table: &str) -> Vec<[String; 3]> {
    let row = |route: Route| {
        let (instance, gateway) = match route.target {
            Target::Instance { instance, .. } => (instance, String::new()),
            Target::Local => (String::new(), "local".to_owned()),
            Target::Interface(id) | Target::Gateway(_, id) => (String::new(), id),
        };
        [route.destination.to_string(), instance, gateway]
    };
    let mut rows: Vec<_> = world.routes_of(table).into_iter().map(row).collect();
    rows.sort();
    rows
}

#[test]
fn the_first_edition_on_aws_goes_by_name_tags() {
    let instance = |nth: usize| SeedInstance {
        private_ip: Some(Ipv4Addr::new(10, 240, 0, 30 + u8::try_from(nth).expect("three"))),
        ..SeedInstance::named(FIRST[nth])
    };
    let world = World::new(HEAD, vpc(named("kubernetes"), "10.240.0.0/24", instance), Options::default());
    run_the_chapter(&world, "aws", "hard-way-2016.toml");
    for (nth, name) in FIRST.iter().enumerate() {
        assert_eq!(world.leads(&format!("10.200.{nth}.0/24")).as_deref(), Some(*name));
    }
    let checked = world.lab.cloud(|cloud| cloud.interfaces.values().filter(|it| it.source_dest_check).count());
    assert_eq!(checked, 0, "`modify-instance-attribute --no-source-dest-check` is part of that chapter");
}

#[test]
fn the_cloudformation_edition_goes_by_exports_and_ends_with_five_rows() {
    let instance = |nth: usize| SeedInstance {
        export: Some(format!("hard-k8s-worker-{nth}")),
        ..SeedInstance::named(&format!("hard-k8s-{}", LATER[nth]))
    };
    let table = SeedTable { export: Some("hard-k8s-rtb".to_owned()), ..SeedTable::default() };
    let world = World::new(HEAD, vpc(table, "10.240.0.0/24", instance), in_region("us-east-1"));
    let value = |export: &str| {
        world.lab.cloud(|cloud| cloud.exports().get(export).map(|(_, value)| (*value).to_owned())).expect("the export")
    };
    run_the_chapter(&world, "aws", "hard-way-cloudformation.toml");
    let rows = rows(&world, &value("hard-k8s-rtb"));
    assert_eq!(rows.len(), 5, "{rows:?}");
    assert!(rows[0][0] == "0.0.0.0/0" && rows[0][2].starts_with("igw-"), "{rows:?}");
    for nth in 0..3 {
        let expected = [format!("10.200.{nth}.0/24"), value(&format!("hard-k8s-worker-{nth}")), String::new()];
        assert_eq!(rows[1 + nth], expected);
    }
    assert_eq!(rows[4], ["10.240.0.0/16", "", "local"]);
}

#[test]
fn the_user_data_editions_read_ranges_from_the_instances_and_tell_each_worker() {
    let instance = |nth: usize| SeedInstance {
        private_ip: Some(Ipv4Addr::new(10, 0, 1, 20 + u8::try_from(nth).expect("three"))),
        user_data: Some(format!("name=worker-{nth}|pod-cidr=10.200.{nth}.0/24")),
        ..SeedInstance::named(LATER[nth])
    };
    let world = World::new(HEAD, vpc(named("kubernetes"), "10.0.1.0/24", instance), in_region("us-east-1"));
    let applied = run_the_chapter(&world, "aws", "hard-way-user-data.toml");
    let told = ["10.0.1.20 10.200.0.0/24", "10.0.1.21 10.200.1.0/24", "10.0.1.22 10.200.2.0/24"];
    assert_eq!(workers_told(&applied), told);
    assert!(told.iter().all(|line| !applied.out.contains(line)), "{applied}");
    for (nth, name) in LATER.iter().enumerate() {
        let destination = format!("10.200.{nth}.0/24");
        let route = world.routes().into_iter().find(|route| route.destination.to_string() == destination);
        let route = route.expect("the route");
        let shown = world.lab.cloud(|cloud| cloud.show_route(&route));
        assert_eq!(shown.instance, Some(world.instance(name)));
        assert_eq!(shown.instance_owner.as_deref(), Some("123456789012"));
        assert!(shown.interface.is_some_and(|id| id.starts_with("eni-")));
        assert!(route.origin == Origin::CreateRoute && !shown.blackhole);
    }
}

#[test]
fn a_machine_that_says_nothing_of_its_range_fails_the_chapter_and_whatever_would_be_exported() {
    let instance = |nth: usize| SeedInstance {
        user_data: Some(if nth == 2 { "name=worker-2".to_owned() } else { format!("pod-cidr=10.200.{nth}.0/24") }),
        ..SeedInstance::named(LATER[nth])
    };
    let world = World::new(HEAD, vpc(named("kubernetes"), "10.0.1.0/24", instance), in_region("us-east-1"));
    for format in ["aws-cli", "cloudformation", "ip-route"] {
        let run = world.run(&on(&format!("export --format {format}"), "aws", "hard-way-user-data.toml")).code(1);
        assert_eq!(run.out, "", "an export that lacks a worker would be taken for the whole: {run}");
        run.says("there is no `pod-cidr=` in it").says("worker-2");
    }
    world.run(&on("apply", "aws", "hard-way-user-data.toml")).code(1).says("Done: 4 of 4").says("worker-2");
    assert_eq!(world.leads("10.200.1.0/24").as_deref(), Some("worker-1"), "it stops no other");
}

#[test]
fn metadata_does_on_google_cloud_what_user_data_does_on_aws() {
    let world = project(network("kubernetes-the-hard-way", LATER, Ipv4Addr::new(10, 240, 0, 20), true));
    let applied = run_the_chapter(&world, "gcp", "hard-way-user-data.toml");
    let told = ["10.240.0.20 10.200.0.0/24", "10.240.0.21 10.200.1.0/24", "10.240.0.22 10.200.2.0/24"];
    assert_eq!(workers_told(&applied), told);
    let destinations = [
        "kubernetes-the-hard-way-route-10-200-0-0-24 kubernetes-the-hard-way 10.200.0.0/24 10.240.0.20 1000",
        "kubernetes-the-hard-way-route-10-200-1-0-24 kubernetes-the-hard-way 10.200.1.0/24 10.240.0.21 1000",
        "kubernetes-the-hard-way-route-10-200-2-0-24 kubernetes-the-hard-way 10.200.2.0/24 10.240.0.22 1000",
    ];
    assert_eq!(routes_list(&world, "kubernetes-the-hard-way"), destinations);
}

#[test]
fn the_workers_of_a_source_in_the_cloud_are_not_told_to_whoever_wants_quiet() {
    let world = World::of(0);
    let run = world.run(&on("apply --lab --quiet", "aws", "hard-way-user-data.toml")).code(0);
    assert_eq!(run.err, "");
}

#[test]
fn on_premises_the_local_router_is_told_what_to_do() {
    let world = World::of(0);
    let file = example("on-premises.toml");
    let run = world.run(&format!("export --format ip-route -f {}", file.display())).code(0);
    let expected = "ip route add 10.200.0.0/24 via 10.240.0.30\nip route add 10.200.1.0/24 via 10.240.0.31\n";
    assert_eq!((run.out.as_str(), run.err.as_str()), (expected, ""));
    assert_eq!(world.lab.calls().len(), 0, "no cloud is asked");
    let run = world.run(&format!("export --format ip-route -f {}", example("hard-way-2016.toml").display())).code(0);
    assert_eq!(
        run.out.lines().last(),
        Some("ip route add 10.200.2.0/24 via 10.240.0.32"),
        "a cloud's file does as well"
    );
}
