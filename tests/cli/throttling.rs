//! Too fast, and too much: another caller who drinks from the same bucket, and tables that are full.

use kroutes_lab::{Fault, FaultKind, Options};

use super::world::{HEAD, World, assert_snapshot, pod_range, seed, topology, worker};

/// Everything, and not only what is quick.
pub(crate) fn thorough() -> bool {
    std::env::var_os("KROUTES_CAMPAIGN").is_some_and(|value| value == "all")
}

/// Attempts, and those of them that were answered with a throttle; printed for whoever wants the figures.
#[allow(clippy::print_stdout)]
pub(crate) fn refusals(world: &World, told: &str) -> (u64, u64) {
    let (calls, throttled) = (world.lab.calls(), world.lab.throttled());
    println!("{told}: calls {calls:?}, throttled {throttled:?}");
    (throttled.values().sum(), calls.values().sum())
}

/// So many new routes while another caller takes half of every bucket.
fn beside_another(workers: usize) -> (u64, u64) {
    let options = Options { published_buckets: true, other_caller: 0.5, routes_limit: 1000, ..Options::default() };
    let topology = topology(workers).replace("[aws]\n", "[aws]\nroutes-limit = 1000\n");
    let world = World::new(&topology, seed(workers), options);
    let start = std::time::Instant::now();
    let run = world.run("apply").code(0);
    assert!(run.out.contains("Verdict: as wanted"), "{run}");
    world.assert_all_routed(workers);
    refusals(&world, &format!("{workers} workers on EC2 beside another caller, {:.0?}", start.elapsed()))
}

/// Half of EC2's buckets are another caller's: 25 calls at first, and 2.5 a second after that.
#[test]
fn beside_another_caller_who_takes_half_every_route_is_made_and_few_calls_are_refused() {
    let (throttled, _) = beside_another(50);
    // Two buckets have to find out, and a few calls are under way when they do.
    assert!((1..=12).contains(&throttled), "{throttled}");
    if thorough() {
        let (throttled, calls) = beside_another(500);
        assert!(throttled * 50 < calls, "{throttled} of {calls}");
    }
}

/// kubernetes/kubernetes#17627 and #41671: an exhausted quota was tried again every ten seconds for ever.
#[test]
fn what_does_not_fit_is_refused_once_and_told_with_numbers() {
    // Two routes are in the table from the start, so 28 fit.
    let options = Options { routes_limit: 30, ..Options::default() };
    let topology = topology(40).replace("[aws]\n", "[aws]\nroutes-limit = 30\n");
    let world = World::new(&topology, seed(40), options);
    let run = world.run("apply").code(1);
    assert_eq!(world.calls("CreateRoute"), 29, "{:?}", world.lab.calls());
    assert_eq!(world.routes().len(), 30);
    let told = run.out.lines().skip_while(|line| !line.starts_with("Plan:"));
    let told: Vec<_> = told.take_while(|line| !line.is_empty()).collect();
    assert_snapshot("quota-exhausted", &told.join("\n"));

    world.lab.reset_calls();
    let again = world.run("apply -o json").code(1).json();
    assert_eq!(world.calls("CreateRoute"), 1, "one more try, since somebody may have made room");
    let summary = &again["summary"];
    assert_eq!((&summary["failed"], &summary["skipped"]), (&1.into(), &11.into()), "{summary}");
    let changes = again["tables"][0]["changes"].as_array().expect("changes");
    let kinds: Vec<_> = changes.iter().map(|change| change["error"]["kind"].as_str()).collect();
    assert_eq!(kinds, [Some("quota-exceeded"); 12], "{changes:?}");
}

#[test]
fn a_quota_that_is_larger_than_the_topology_says_is_used() {
    let topology = topology(12).replace("[aws]\n", "[aws]\nroutes-limit = 5\n");
    let world = World::new(&topology, seed(12), Options::default());
    world.run("plan").code(0).says("will be refused unless the quota is raised");
    world.run("apply").code(0);
    world.assert_all_routed(12);
}

/// "Amazon VPC quotas": each family has its own, and each table.
#[test]
fn a_full_table_of_one_family_keeps_nothing_else_back() {
    let second = "route-table = [{ name = \"kubernetes\" }, { name = \"second\" }]";
    let head = HEAD
        .replace("route-table = { name = \"kubernetes\" }", &format!("routes-limit = 6\n{second}"))
        .replace("pod-cidr = \"10.200.0.0/16\"", "pod-cidr = [\"10.200.0.0/16\", \"fd00:10:200::/48\"]");
    let both = |nth: usize| {
        let range = pod_range(nth);
        worker(nth).replace(&format!("\"{range}\""), &format!("[\"{range}\", \"fd00:10:200:{nth}::/64\"]"))
    };
    let mut cloud = seed(8);
    let mut table = cloud.tables[0].clone();
    table.tags.insert("Name".to_owned(), "second".to_owned());
    table.subnets.clear();
    cloud.tables.push(table);
    let text = (0..8).fold(head, |text, nth| text + &both(nth));
    let world = World::new(&text, cloud, Options { routes_limit: 6, ..Options::default() });
    let run = world.run("apply -o json").code(1);
    let report = run.json();
    let mut rows = Vec::new();
    for table in report["tables"].as_array().expect("tables") {
        for ipv6 in [false, true] {
            let of_family = |change: &&serde_json::Value| {
                change["destination"].as_str().is_some_and(|destination| destination.contains(':') == ipv6)
            };
            let changes: Vec<_> = table["changes"].as_array().expect("changes").iter().filter(of_family).collect();
            let with = |outcome: &str| changes.iter().filter(|change| change["outcome"] == outcome).count();
            rows.push((with("done"), with("failed"), with("skipped")));
        }
    }
    // The two that are there from the start are IPv4.
    assert_eq!(rows, [(4, 1, 3), (6, 1, 1), (4, 1, 3), (6, 1, 1)], "{run}");
    assert_eq!(world.calls("CreateRoute"), 24);
}

/// EC2 refuses a request that was signed more than some minutes ago, or will be.
#[test]
fn a_clock_that_is_off_is_told_once_and_nothing_else_is_tried() {
    let error =
        |status, code: &str, message: &str| FaultKind::Error { status, code: code.into(), message: message.into() };
    let expired = error(400, "RequestExpired", "Request has expired.");
    for kind in [expired.clone(), error(401, "AuthFailure", "AWS was not able to validate the provided credentials")] {
        let world = World::of(30);
        world.lab.add_fault(Fault::new(kind.clone()).on("DescribeRouteTables"));
        let run = world.run("apply").code(1);
        assert!(kind != expired || run.err.contains("clock"), "{run}");
        assert_eq!(world.writes(), 0);
        assert_eq!(world.calls("DescribeRouteTables"), 1, "{kind:?}");
    }
    // The clock jumps in the middle of the work.
    let world = World::of(30);
    world.lab.add_fault(Fault::new(expired).on("CreateRoute").after(10));
    let run = world.run("apply -o json").code(1).says("clock").json();
    // Those that were under way are refused with it; none of them is tried again.
    let refused = world.calls("CreateRoute") - 10;
    assert_eq!(run["summary"]["failed"].as_u64(), Some(refused), "{}", run["summary"]);
    world.lab.clear_faults();
    world.run("apply").code(0);
    world.assert_all_routed(30);
}
