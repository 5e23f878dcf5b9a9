//! A cloud that cannot be asked, or does not hold what the topology names: nothing is changed, one message says why.

use std::net::TcpListener;

use kroutes_lab::{Fault, FaultKind, Options, SeedTable};

use super::world::{World, assert_snapshot, seed, topology, transcript};

#[test]
fn a_table_that_is_not_there_is_named_in_every_command() {
    let world = World::of(2);
    world.write("kroutes.toml", topology(2).replace("{ name = \"kubernetes\" }", "{ name = \"nowhere\" }"));
    let words = ["plan", "apply", "verify", "routes", "destroy --yes", "apply -o json"];
    let runs: Vec<_> = words.iter().map(|words| world.run(words).code(1)).collect();
    assert_eq!(world.writes(), 0);
    assert_snapshot("no-such-table", &transcript(&runs));
}

#[test]
fn a_table_of_an_id_that_is_not_there_and_one_that_is_no_id_are_told_apart() {
    let world = World::of(2);
    world.write("kroutes.toml", topology(2).replace("{ name = \"kubernetes\" }", "\"rtb-0123456789abcdef0\""));
    let unknown = world.run("plan").code(1);
    world.write("kroutes.toml", topology(2).replace("{ name = \"kubernetes\" }", "\"kubernetes\""));
    let malformed = world.run("plan").code(64);
    assert_snapshot("table-ids", &transcript([&unknown, &malformed]));
}

#[test]
fn a_name_that_several_tables_bear_is_refused_with_all_of_them() {
    let mut cloud = seed(2);
    let namesake = SeedTable { tags: cloud.tables[0].tags.clone(), ..SeedTable::default() };
    cloud.tables.push(namesake);
    let world = World::new(&topology(2), cloud, Options::default());
    let run = world.run("apply").code(1);
    assert_eq!(world.writes(), 0);
    assert_snapshot("ambiguous-table", &transcript([&run]));
}

/// Success in one table must not hide failure in another.
#[test]
fn of_two_tables_the_one_that_can_be_read_is_done_and_the_other_decides_the_exit_code() {
    let world = World::of(2);
    let both = topology(2).replace("{ name = \"kubernetes\" }", "[{ name = \"kubernetes\" }, { name = \"nowhere\" }]");
    world.write("kroutes.toml", both);
    let runs = [world.run("apply").code(1), world.run("verify").code(1), world.run("destroy --yes").code(1)];
    assert_snapshot("one-table-of-two", &transcript(&runs));
}

#[test]
fn both_of_two_tables_get_every_route() {
    let mut cloud = seed(2);
    cloud.tables.push(SeedTable { tags: [("zone".to_owned(), "b".to_owned())].into(), ..SeedTable::default() });
    let world = World::new(&topology(2), cloud, Options::default());
    let both =
        topology(2).replace("{ name = \"kubernetes\" }", "[{ name = \"kubernetes\" }, { tag = { zone = \"b\" } }]");
    world.write("kroutes.toml", both);
    let second = world.lab.cloud(|cloud| {
        let tagged = cloud.tables.iter().find(|(_, table)| table.tags.contains_key("zone"));
        tagged.map(|(id, _)| id.clone()).expect("the second table")
    });
    world.run("apply").code(0);
    world.assert_all_routed(2);
    assert_eq!(world.leads_in(&second, "10.200.1.0/24").as_deref(), Some("worker-1"));
    world.run("apply").code(0).says("Nothing to change");
    world.run("destroy --yes").code(0);
    assert_eq!(world.leads_in(&second, "10.200.1.0/24"), None);
}

#[test]
fn two_names_for_one_table_are_one_table() {
    let world = World::of(2);
    let both = topology(2)
        .replace("{ name = \"kubernetes\" }", &format!("[{{ name = \"kubernetes\" }}, \"{}\"]", world.table));
    world.write("kroutes.toml", both);
    world.run("apply").code(0);
    assert_eq!(world.calls("CreateRoute"), 2);
    world.run("apply").code(0).says("Nothing to change");
}

#[test]
fn in_the_wrong_region_there_is_no_such_table_and_the_region_is_named() {
    let mut world = World::of(2);
    world.set("AWS_REGION", "eu-central-1");
    let run = world.run("apply").code(1).says("eu-central-1");
    assert_snapshot("wrong-region", &transcript([&run]));
}

#[test]
fn without_a_region_it_says_where_to_write_one() {
    let mut world = World::of(2);
    world.unset("AWS_REGION");
    let run = world.run("apply");
    assert!(matches!(run.code, Some(1 | 64)), "{run}");
    assert!(world.lab.calls().is_empty());
    assert_snapshot("no-region", &transcript([&run]));
}

#[test]
fn without_credentials_it_says_how_to_get_some() {
    let mut world = World::of(2);
    world.unset("AWS_ACCESS_KEY_ID");
    world.unset("AWS_SECRET_ACCESS_KEY");
    let none = world.run("apply").code(1);
    world.set("AWS_PROFILE", "nobody");
    let unknown = world.run("apply").code(1);
    let json = world.run("apply -o json").code(1);
    assert_eq!(json.json()["error"]["kind"], "unauthenticated", "{json}");
    assert!(world.lab.calls().is_empty());
    assert_snapshot("no-credentials", &transcript([&none, &unknown, &json]));
}

#[test]
fn credentials_that_are_refused_end_the_run_at_once() {
    let rows = [
        ("AuthFailure", 401, "AWS was not able to validate the provided access credentials"),
        ("RequestExpired", 400, "Request has expired."),
        (
            "SignatureDoesNotMatch",
            403,
            "The request signature we calculated does not match the signature you provided.",
        ),
    ];
    let runs = rows.map(|(code, status, message)| {
        let world = World::of(2);
        let kind = FaultKind::Error { status, code: code.to_owned(), message: message.to_owned() };
        world.lab.add_fault(Fault::new(kind));
        let run = world.run("apply").code(1);
        assert_eq!(world.lab.calls().values().sum::<u64>(), 1, "{:?}", world.lab.calls());
        run
    });
    assert_snapshot("credentials-refused", &transcript(&runs));
}

#[test]
fn an_endpoint_where_nobody_listens_is_named() {
    let mut world = World::of(2);
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    world.set("AWS_ENDPOINT_URL", format!("http://{free}"));
    let run = world.run("apply").code(1).says(&free.to_string());
    let shown = transcript([&run]).replace(&free.to_string(), "127.0.0.1:PORT");
    assert_snapshot("refused-connection", &shown);
}

/// Signed requests can be read and held back by whoever is on the way.
#[test]
fn plain_http_is_for_this_machine_only() {
    let mut world = World::of(2);
    world.set("AWS_ENDPOINT_URL", "http://192.0.2.1");
    let run = world.run("apply");
    assert!(matches!(run.code, Some(1 | 64)), "{run}");
    assert_snapshot("plain-http", &transcript([&run]));
}

#[test]
fn without_permission_to_look_nothing_is_changed() {
    for action in ["DescribeRouteTables", "DescribeInstances"] {
        let world = World::of(2);
        world.lab.add_fault(Fault::new(FaultKind::Deny).on(action));
        let runs = [world.run("plan").code(1), world.run("apply --prune --yes").code(1)];
        assert_eq!(world.writes(), 0);
        assert_snapshot(&format!("denied-{action}"), &transcript(&runs));
    }
}

/// What cannot be looked up cannot be shown to be ours, and then nobody may say that nothing of ours is left.
#[test]
fn a_destroy_that_could_not_look_everything_up_does_not_say_that_nothing_is_left() {
    let world = World::of(2);
    world.lab.add_fault(Fault::new(FaultKind::Deny).on("CreateTags"));
    world.run("apply").code(0);
    world.lab.clear_faults();
    world.lab.add_fault(Fault::new(FaultKind::Deny).on("DescribeInstances"));
    let runs = [world.run("destroy --yes").code(1), world.run("destroy --yes -o json").code(1)];
    world.assert_all_routed(2);
    for run in &runs {
        assert!(!run.out.contains("Nothing of cluster"), "{run}");
    }
    assert_snapshot("destroy-in-the-dark", &transcript(&runs));
}

/// The instance behind a route that is no worker's decides whose the route is; a look-up of it that failed is told.
#[test]
fn a_failed_look_up_behind_a_route_is_told_and_is_no_success() {
    let world = World::of(3);
    world.lab.add_fault(Fault::new(FaultKind::Deny).on("CreateTags"));
    world.run("apply").code(0);
    world.lab.clear_faults();
    let leaver = world.instance("worker-2");
    world.lab.change(|cloud| cloud.terminate(&leaver));
    world.write("kroutes.toml", topology(2));
    world.lab.add_fault(Fault::new(FaultKind::Deny).on("DescribeInstances").after(1).times(1));
    let told = world.run("apply --prune --yes").code(1).says("UnauthorizedOperation");
    assert_eq!(world.leads(&super::world::pod_range(2)).as_deref(), Some("worker-2"), "{told}");
    world.run("apply --prune --yes").code(0);
    assert_eq!(world.leads(&super::world::pod_range(2)), None);
}

/// A tag key of somebody else's can hold anything, and the command that is proposed is pasted into a shell.
#[test]
fn a_proposed_command_holds_nothing_that_a_shell_would_run() {
    let world = World::of(1);
    world.tag("kroutes/a; touch /tmp/x '", "10.200.0.0/16");
    let help = world.run("apply").code(3).err;
    assert!(help.contains(r#"--tags '[{"Key":"kroutes/a; touch /tmp/x '\''"}]'"#), "{help}");
}
