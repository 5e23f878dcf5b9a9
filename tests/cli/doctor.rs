//! What `doctor` says of each cloud, that it changes nothing, and that what it prints as the least policy is exactly what
//! kroutes needs.

use std::collections::BTreeSet;

use kroutes_lab::{
    Fault, FaultKind, Options, Seed, SeedInstance, SeedMachine, SeedNetwork, SeedSubnet, SeedTable, allowed_by_policy,
};
use serde_json::Value;

use super::world::{self, Ran, World, assert_snapshot, compute, pod_range, transcript};

/// The checks of this name.
fn checks<'a>(said: &'a Value, name: &str) -> Vec<&'a Value> {
    said["checks"].as_array().expect("checks").iter().filter(|check| check["name"] == name).collect()
}

/// The groups, each once, and what stands in them.
fn groups(said: &Value) -> Vec<String> {
    let mut groups: Vec<String> = Vec::new();
    for check in said["checks"].as_array().expect("checks") {
        let group = check["group"].as_str().expect("a group");
        if groups.last().is_none_or(|last| last != group) {
            groups.push(group.to_owned());
        }
    }
    groups
}

const GROUPS: [&str; 8] =
    ["topology", "credentials", "permissions", "tables", "quota", "addresses", "machines", "writers"];

#[test]
fn a_sound_cloud_is_told_before_and_after_the_first_apply() {
    for (name, world) in [("doctor-aws", World::of(3)), ("doctor-gcp", World::gcp(3))] {
        let before = world.run("doctor").code(0);
        world.run("apply").code(0);
        let after = world.run("doctor -v").code(0);
        assert_eq!(groups(&world.run("doctor -o json").code(0).json()), GROUPS);
        assert_snapshot(name, &transcript([&before, &after]));
    }
}

#[test]
fn a_program_gets_every_check_with_its_remedy_and_the_counts() {
    for world in [World::of(3), World::gcp(3)] {
        let said = world.run("doctor -o json").code(0).json();
        assert_eq!((&said["format"], &said["command"], &said["ok"]), (&1.into(), &"doctor".into(), &true.into()));
        assert_eq!(said["cluster"], "kubernetes");
        let all = said["checks"].as_array().expect("checks");
        for status in ["pass", "warn", "fail"] {
            let count = all.iter().filter(|check| check["status"] == status).count();
            assert_eq!(said["summary"][status], count, "{said:#}");
        }
        for check in all {
            assert_eq!(check["status"] == "pass", check.get("remedy").is_none(), "{check}");
        }
    }
}

#[test]
fn the_doctor_changes_nothing() {
    for (name, world) in [("aws", World::of(3)), ("gcp", World::gcp(3))] {
        for words in ["doctor", "doctor -o json", "doctor --policy"] {
            world.run(words).code(0);
        }
        assert!(world.lab.log().is_empty(), "{name}: {:?}", world.lab.log());
    }
}

#[test]
fn what_is_wrong_is_told_with_its_remedy_and_ends_with_1() {
    let world = World::of(3);
    world.lab.change(|cloud| {
        let id = cloud.instance_named("worker-1").expect("the instance");
        cloud.set_life(&id, kroutes_lab::model::Life::Stopped).expect("stopped");
    });
    world.tag("kroutes/other", "10.200.128.0/17");
    world.put_route(
        "10.200.2.128/25",
        kroutes_lab::model::Target::Gateway(kroutes_lab::model::Gateway::Nat, "nat-77".to_owned()),
    );
    let run = world.run("doctor").code(1);
    assert_snapshot("doctor-trouble", &transcript([&run]));
    assert!(world.lab.log().is_empty());
}

#[test]
fn a_worker_that_is_not_there_and_a_table_that_is_not_there_do_not_hide_each_other() {
    let text = world::topology(2).replace("\"kubernetes\" }", "\"nobody\" }") + &world::worker(7);
    let world = World::new(&text, world::seed(2), Options::default());
    let said = world.run("doctor -o json").code(1).json();
    assert_eq!(checks(&said, "table")[0]["status"], "fail", "{said:#}");
    assert_eq!(groups(&said), GROUPS);
}

#[test]
fn credentials_that_nobody_takes_are_one_failure_and_the_rest_says_why_it_was_not_looked_at() {
    let message = "AWS was not able to validate the provided access credentials".to_owned();
    let aws = World::of(3);
    aws.lab.add_fault(Fault::new(FaultKind::Error { status: 401, code: "AuthFailure".to_owned(), message }));
    let mut gcp = World::gcp(3);
    gcp.set("GOOGLE_OAUTH_ACCESS_TOKEN", "nobody-knows-it");
    let mut lost = World::gcp(3);
    lost.unset("GOOGLE_OAUTH_ACCESS_TOKEN");
    lost.set("GOOGLE_APPLICATION_CREDENTIALS", "nowhere.json");
    for world in [aws, gcp, lost] {
        let run = world.run("doctor -o json").code(1);
        let said = run.json();
        let failed: Vec<_> =
            said["checks"].as_array().expect("checks").iter().filter(|check| check["status"] == "fail").collect();
        assert_eq!(failed.len(), 1, "{said:#}");
        assert_eq!(failed[0]["group"], "credentials", "{said:#}");
        assert_eq!(groups(&said), GROUPS);
        for name in &GROUPS[3..] {
            let told = said["checks"].as_array().expect("checks").iter().filter(|check| check["group"] == *name);
            let told: Vec<_> = told.collect();
            assert!(told.iter().all(|check| check["status"] == "warn"), "{name}: {told:?}");
        }
    }
}

#[test]
fn a_source_that_cannot_be_read_fails_and_the_cloud_is_looked_at_all_the_same() {
    let source = "\n[source]\nkind = \"node-list\"\npath = \"nodes.json\"\n";
    let aws = World::new(&format!("{}{source}", world::HEAD), world::seed(2), Options::default());
    let gcp = World::new_gcp(&format!("{}{source}", compute::HEAD), compute::seed(2), compute::options());
    for world in [aws, gcp] {
        let said = world.run("doctor -o json").code(1).json();
        let source = checks(&said, "source");
        assert_eq!((source.len(), &source[0]["status"]), (1, &"fail".into()), "{said:#}");
        assert_eq!(checks(&said, "table")[0]["status"], "pass", "{said:#}");
        assert_eq!(groups(&said), GROUPS);
        assert_eq!(said["summary"]["fail"], 1, "{said:#}");
    }
}

#[test]
fn a_broken_topology_ends_the_doctor_as_it_ends_every_command() {
    let world = World::of(1);
    world.write("kroutes.toml", "[cluster]\nname = 7\n");
    let run = world.run("doctor").code(64);
    assert_eq!(run.out, "");
    world.run("doctor --policy").code(64);
}

#[test]
fn the_policy_needs_neither_cloud_nor_credentials_and_is_nothing_but_the_file() {
    let mut aws = World::of(1);
    let mut gcp = World::gcp(1);
    for world in [&mut aws, &mut gcp] {
        for name in ["AWS_ENDPOINT_URL", "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"] {
            world.set(name, "http://127.0.0.1:1");
        }
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "GOOGLE_OAUTH_ACCESS_TOKEN"] {
            world.unset(name);
        }
    }
    let run = aws.run("doctor --policy").code(0);
    assert_eq!((&run.json()["Version"], run.err.as_str()), (&"2012-10-17".into(), ""));
    let run = gcp.run("doctor --policy").code(0);
    assert!(run.out.contains("\nincludedPermissions:\n- compute."), "{run}");
    assert_eq!(run.err, "");
}

#[test]
fn the_lab_of_one_command_holds_to_a_policy() {
    let world = World::of(2);
    let policy = world.run("doctor --policy").code(0).out;
    world.write("policy.json", &policy);
    world.run("apply --lab --lab-policy policy.json").code(0).says("as wanted");
    let less = policy.replace("\"ec2:CreateRoute\",\n        ", "");
    assert_ne!(less, policy);
    world.write("policy.json", less);
    world.run("apply --lab --lab-policy policy.json").code(1).says("ec2:CreateRoute");
    world.run("doctor --lab --lab-policy policy.json").code(1).says("ec2:CreateRoute");
}

/// In China and in `GovCloud` an ARN begins otherwise, and a policy with another beginning grants nothing.
#[test]
fn a_policy_is_of_the_partition_that_the_region_lies_in_wherever_the_region_comes_from() {
    let partition = |world: &World| {
        let run = world.run("doctor --policy").code(0);
        let found: BTreeSet<String> =
            run.out.split('"').filter(|text| text.starts_with("arn:")).map(|arn| arn.replace(":ec2:", " ")).collect();
        let found: BTreeSet<String> = found.iter().filter_map(|arn| Some(arn.split_once(' ')?.0.to_owned())).collect();
        assert_eq!(found.len(), 1, "{run}");
        found.into_iter().next().unwrap_or_default()
    };
    let mut world = World::of(2);
    for (first, second, expected) in [
        (None, None, "arn:aws"),
        (Some("cn-northwest-1"), None, "arn:aws-cn"),
        (None, Some("us-gov-west-1"), "arn:aws-us-gov"),
        (Some("us-gov-east-1"), Some("cn-north-1"), "arn:aws-us-gov"),
    ] {
        for (name, value) in [("AWS_REGION", first), ("AWS_DEFAULT_REGION", second)] {
            world.unset(name);
            if let Some(value) = value {
                world.set(name, value);
            }
        }
        assert_eq!(partition(&world), expected, "{first:?} {second:?}");
    }
    // The topology goes before both, and its lab holds to the policy there.
    let head = format!("{}region = \"cn-north-1\"\n", world::HEAD);
    world.write("kroutes.toml", world::topology(2).replace(world::HEAD, &head));
    assert_eq!(partition(&world), "arn:aws-cn");
    let policy = world.run("doctor --policy").code(0).out;
    world.write("policy.json", &policy);
    world.run("apply --lab --lab-policy policy.json").code(0).says("as wanted");
    world.write("policy.json", policy.replace("arn:aws-cn:", "arn:aws:"));
    world.run("apply --lab --lab-policy policy.json").code(1).says("ec2:CreateRoute");
}

#[test]
fn a_policy_that_cannot_be_enforced_is_refused_and_so_is_one_without_a_lab() {
    let world = World::of(1);
    world.write("policy.json", "{\"Statement\": [{\"Effect\": \"Deny\"}]}");
    let words = ["plan --lab --lab-policy nowhere.json", "plan --lab --lab-policy policy.json", "plan --lab-policy x"];
    for words in words {
        world.run(words).code(64).says("--lab-policy");
    }
}

/// A command line, and what somebody does to the world before it.
type Run = (&'static str, fn(&World));

/// What kroutes does in a life, each run with what its cloud held afterwards.
struct Life {
    world: World,
    /// Runs, and the change that somebody else makes before each.
    runs: Vec<Run>,
    picture: fn(&World) -> String,
}

fn nothing(_: &World) {}

/// Somebody leads a worker's packets to another one.
fn lead_astray_on_aws(world: &World) {
    let wrong = world.instance("worker-1");
    world.lab.change(|cloud| {
        let target = cloud.instance_target(&wrong).or_else(|_| {
            let interfaces: Vec<String> = cloud.interfaces_of(&wrong).iter().map(|(id, _)| (*id).to_owned()).collect();
            cloud.interface_target(&interfaces[0])
        });
        let destination = "10.200.0.0/24".parse::<ipnet::IpNet>().expect("a range");
        let target = target.expect("a target");
        let table = cloud.table_named("kubernetes").expect("the table");
        let route = kroutes_lab::model::Route::new(destination, target);
        // Where it could not be made there is nothing to replace.
        if cloud.replace_route(&table, &destination.into(), route.target.clone()).is_err() {
            cloud.put_route(&table, route);
        }
    });
}

/// Every item of the least policy has something to do here: a table by its export and one by a subnet, workers that the
/// cloud knows with their ranges in their user data, instances with one interface and with two.
fn aws_life() -> Life {
    let text = "[cluster]\nname = \"kubernetes\"\npod-cidr = \"10.200.0.0/16\"\n\n[aws]\nroute-table = [{ export = \"pods\" }, \
                { subnet = \"subnet-0123456789abcdef0\" }]\n\n[source]\nkind = \"cloud\"\nname = \"worker-*\"\n\
                pod-cidr = \"instance\"\n";
    let subnet = |id: Option<&str>, cidr: &str| SeedSubnet {
        id: id.map(str::to_owned),
        cidr: Some(cidr.parse().expect("a range")),
    };
    let exported = SeedTable {
        tags: [("Name".to_owned(), "kubernetes".to_owned())].into(),
        subnets: vec![subnet(None, "10.240.0.0/24")],
        export: Some("pods".to_owned()),
        ..SeedTable::default()
    };
    let main = SeedTable {
        main: true,
        subnets: vec![subnet(Some("subnet-0123456789abcdef0"), "10.240.1.0/24")],
        ..SeedTable::default()
    };
    let instance = |nth: usize| SeedInstance {
        user_data: Some(format!("pod-cidr={}", pod_range(nth))),
        ..SeedInstance::named(&format!("worker-{nth}"))
    };
    let seed = Seed { tables: vec![exported, main], instances: (0..2).map(instance).collect(), ..Seed::default() };
    let world = World::new(text, seed, Options::default());
    let second = world.instance("worker-1");
    world.lab.change(|cloud| cloud.add_interface(&second)).expect("a second interface");
    Life {
        world,
        runs: vec![
            ("plan", nothing),
            ("doctor", nothing),
            ("apply", nothing),
            ("verify", nothing),
            ("apply --prune --yes", lead_astray_on_aws),
            ("routes", nothing),
            ("destroy --yes", nothing),
        ],
        picture: World::picture,
    }
}

/// The same, with a route that nobody wants besides.
fn lead_astray_on_gcp(world: &World) {
    for (name, _) in world.to("10.200.0.0/24") {
        world.lab.change(|cloud| cloud.compute.remove_route(&name));
    }
    world.put_beside("astray", "10.200.0.0/24", compute::via(compute::address(1)), compute::MARK);
    world.put_beside("stale", "10.200.9.0/24", compute::via(compute::address(1)), compute::MARK);
}

/// Workers that the cloud knows, a route that has to be replaced, and one whose name another network has taken.
fn gcp_life() -> Life {
    let text = format!("{}\n[source]\nkind = \"cloud\"\nname = \"worker-*\"\npod-cidr = \"instance\"\n", compute::HEAD);
    let machine = |nth: usize| SeedMachine {
        address: Some(compute::address(nth)),
        metadata: [("pod-cidr".to_owned(), pod_range(nth))].into(),
        ..SeedMachine::named(&format!("worker-{nth}"))
    };
    let network = SeedNetwork { machines: (0..2).map(machine).collect(), ..compute::network(0) };
    let seed = Seed { compute: vec![network, SeedNetwork::named("other")], ..Seed::default() };
    let options = Options { operation_delay: std::time::Duration::from_millis(30), ..compute::options() };
    Life {
        world: World::new_gcp(&text, seed, options),
        runs: vec![
            ("plan", nothing),
            ("doctor", nothing),
            ("apply", nothing),
            ("verify", nothing),
            ("apply --prune --yes", lead_astray_on_gcp),
            ("routes", nothing),
            ("destroy --yes", nothing),
        ],
        picture: |world| {
            let routes: Vec<_> =
                world.project_routes().into_iter().map(|(name, route)| (name, route.destination)).collect();
            format!("{routes:?}")
        },
    }
}

impl Life {
    /// What the cloud refuses everything but.
    fn allow(&self, allowed: &BTreeSet<String>) {
        self.world.lab.change(|cloud| cloud.allowed = Some(allowed.clone()));
    }

    /// Each run's code and what the cloud held after it; and whom the run needed.
    fn live(&self) -> Vec<(Ran, String)> {
        let one = |(words, change): &(&'static str, fn(&World))| {
            change(&self.world);
            let ran = self.world.run(words);
            (ran, (self.picture)(&self.world))
        };
        self.runs.iter().map(one).collect()
    }

    fn policy(&self) -> BTreeSet<String> {
        allowed_by_policy(&self.world.run("doctor --policy").code(0).out).expect("a policy")
    }
}

/// The action or permission of an entry, without what it is narrowed to.
fn action(entry: &str) -> &str {
    entry.split(' ').next().expect("a word")
}

/// That with the whole policy everything works, and that each item is missed when it is taken away: something ends or
/// stands differently, and the doctor names it. `comfort` are those without which only the calls differ.
fn assert_least(make: fn() -> Life, comfort: &[&str]) {
    let life = make();
    let policy = life.policy();
    life.allow(&policy);
    let whole = life.live();
    let all_calls: BTreeSet<String> = life.world.lab.calls().into_keys().collect();
    for (ran, _) in &whole {
        assert_eq!(ran.code, Some(0), "{}", transcript([ran]));
    }
    let actions: BTreeSet<&str> = policy.iter().map(|entry| action(entry)).collect();
    for taken in actions {
        let rest: BTreeSet<String> = policy.iter().filter(|entry| action(entry) != taken).cloned().collect();
        let life = make();
        life.allow(&rest);
        let less = life.live();
        let differs = |((before, held), (after, holds)): (&(Ran, String), &(Ran, String))| {
            before.code != after.code || held != holds
        };
        let missed = whole.iter().zip(&less).skip(2).any(differs) || differs((&whole[0], &less[0]));
        // What is only for comfort shows in the calls: another way is taken, or it is asked for in vain.
        let calls: BTreeSet<String> = life.world.lab.calls().into_keys().collect();
        let asked = life.world.lab.calls().keys().any(|call| taken.ends_with(call.as_str()));
        let used = comfort.contains(&taken) && (calls != all_calls || asked);
        assert!(missed || used, "nothing differs without `{taken}`");

        let life = make();
        life.allow(&rest);
        let said = life.world.run("doctor -o json").json();
        let told = checks(&said, taken);
        let told: Vec<_> = told.into_iter().filter(|check| check["status"] != "pass").collect();
        assert_eq!(told.len(), 1, "without `{taken}` the doctor says {said:#}");
        let named = told[0]["message"].as_str().unwrap_or_default().contains(taken)
            || told[0]["remedy"].as_str().unwrap_or_default().contains(taken);
        assert!(named, "{}", told[0]);
    }
}

#[test]
fn with_the_printed_policy_everything_works_on_aws_and_without_any_item_of_it_something_does_not() {
    assert_least(aws_life, &[]);
}

#[test]
fn with_the_printed_role_everything_works_on_google_cloud_and_without_any_item_of_it_something_does_not() {
    assert_least(gcp_life, &["compute.globalOperations.list", "compute.globalOperations.get"]);
}
