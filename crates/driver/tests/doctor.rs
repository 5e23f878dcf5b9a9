//! What the doctor says of what is known: nothing falls out in silence, and what was not looked at is not called sound.

use kroutes_core::{
    Capabilities, Check, CheckGroup, CheckStatus, Claim, Cluster, Destination, Error, ErrorKind, Finding, Fix, LeftOut,
    Life, MachineRef, NextHop, Observation, ObservedRoute, Origin, Quota, Reading, RouteState, Severity, Table,
    TableId, Target, Topology, Worker,
};
use kroutes_driver::doctor::{Seen, checks, is_well};

const EC2: Capabilities = Capabilities {
    atomic_replace: true,
    conditional_writes: false,
    duplicates: false,
    marks: false,
    ipv6: true,
    precedence: 0,
};
const COMPUTE: Capabilities =
    Capabilities { atomic_replace: false, duplicates: true, marks: true, precedence: 1000, ..EC2 };

fn cluster() -> Cluster {
    Cluster {
        name: "kubernetes".parse().expect("name"),
        pod_cidrs: vec!["10.200.0.0/16".parse().expect("cidr")],
        service_cidrs: vec!["10.32.0.0/24".parse().expect("net")],
    }
}

fn topology(workers: usize) -> Topology {
    let worker = |nth: usize| Worker {
        name: format!("worker-{nth}").parse().expect("name"),
        pod_cidrs: vec![format!("10.200.{}.{}/28", nth / 16, nth % 16 * 16).parse().expect("cidr")],
        addresses: Vec::new(),
        machine: MachineRef::Name(format!("worker-{nth}")),
    };
    Topology::new(cluster(), (0..workers).map(worker).collect()).expect("sound")
}

fn route(destination: &str, target: Target, hop: NextHop) -> ObservedRoute {
    ObservedRoute {
        destination: Destination::net(destination.parse().expect("net")),
        next_hops: vec![hop],
        target,
        state: RouteState::Active,
        origin: Origin::Static,
        marked: false,
        precedence: 0,
        deviation: None,
        name: None,
    }
}

fn nat(destination: &str) -> ObservedRoute {
    let hop = NextHop::Other("nat-gateway".to_owned(), "nat-77".to_owned());
    route(destination, Target::NotAMachine("nat-gateway".to_owned()), hop)
}

fn to_machine(destination: &str, id: &str) -> ObservedRoute {
    let target = Target::Machine { id: id.to_owned(), life: Life::Live };
    route(destination, target, NextHop::Instance(id.to_owned()))
}

fn local(destination: &str) -> ObservedRoute {
    ObservedRoute { origin: Origin::Local, ..nat(destination) }
}

fn table(routes: Vec<ObservedRoute>) -> Table {
    Table {
        id: TableId("rtb-1".to_owned()),
        location: "us-west-2".to_owned(),
        routes,
        quotas: vec![Quota { name: "routes".to_owned(), ipv6: None, limit: 2000, used: 3 }],
        claims: Vec::new(),
    }
}

/// Every worker found at `i-N`, and this table.
fn seen(topology: &Topology, table: Table) -> Observation {
    let hops = topology.ranges().enumerate().map(|(nth, (_, cidr))| (cidr, Ok(NextHop::Instance(format!("i-{nth}")))));
    let machines = topology.workers().iter().enumerate();
    Observation {
        next_hops: hops.collect(),
        machines: machines.map(|(nth, worker)| (format!("i-{nth}"), worker.name.clone())).collect(),
        tables: vec![Reading { wanted: "name kubernetes".to_owned(), table: Ok(table) }],
        ..Observation::default()
    }
}

fn judge(topology: &Topology, observation: &Observation, capabilities: Capabilities) -> Vec<Check> {
    let cloud = Ok((observation, capabilities));
    checks(Seen { topology, unlisted: None, cloud, examined: Vec::new(), drop_claim: None })
}

fn named<'a>(checks: &'a [Check], name: &str) -> Vec<&'a Check> {
    checks.iter().filter(|check| check.name == name).collect()
}

#[track_caller]
fn only<'a>(checks: &'a [Check], name: &str, status: CheckStatus) -> &'a Check {
    match named(checks, name).as_slice() {
        [one] if one.status == status => one,
        other => panic!("not one `{name}` that is {status:?}, but {other:#?} in {checks:#?}"),
    }
}

#[track_caller]
fn assert_every_group_and_remedy(checks: &[Check]) {
    for group in CheckGroup::ALL {
        assert!(checks.iter().any(|check| check.group == group), "nothing is said of {group}: {checks:#?}");
    }
    assert!(checks.is_sorted_by_key(|check| check.group), "{checks:#?}");
    for check in checks.iter().filter(|check| check.status != CheckStatus::Pass) {
        assert!(check.remedy.as_ref().is_some_and(|remedy| !remedy.is_empty()), "no remedy: {check:?}");
    }
}

#[test]
fn a_sound_cloud_is_told_with_the_numbers_of_what_was_looked_at() {
    let topology = topology(3);
    let all = judge(&topology, &seen(&topology, table(vec![local("10.240.0.0/16")])), EC2);
    assert_every_group_and_remedy(&all);
    assert!(is_well(&all), "{all:#?}");
    for (name, message) in [
        ("workers", "3 workers with 3 pod CIDRs in 10.200.0.0/16"),
        ("table", "`rtb-1` (us-west-2), name kubernetes: 1 route"),
        ("routes-quota", "`rtb-1` holds 3 of at most 2000 routes, and this plan adds 3"),
        (
            "pod-cidrs",
            "3 pod CIDRs: none lies inside a range of the network, and none of 1 existing route takes their packets",
        ),
        ("service-range", "services in 10.32.0.0/24 overlap none of the network's own 1 range"),
        ("machines", "3 of 3 workers' machines were found, run and may forward packets"),
        (
            "others",
            "no claim but ours, and none of 1 foreign routes holds anything in 10.200.0.0/16 that no worker has",
        ),
    ] {
        assert_eq!(only(&all, name, CheckStatus::Pass).message, message);
    }
}

/// The codes in the table of docs/errors.md, which is where a user looks one up.
fn documented_codes() -> Vec<String> {
    let page = include_str!("../../../docs/errors.md");
    let (_, rest) = page.split_once("## Findings").expect("the findings");
    let (section, _) = rest.split_once("\n## ").expect("the next section");
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.map(|(code, _)| code.to_owned()).collect()
}

#[test]
fn every_finding_that_there_is_and_one_that_there_is_not_yet_becomes_a_check() {
    let mut codes = documented_codes();
    assert!(codes.len() >= 15, "{codes:?}");
    codes.push("of-tomorrow".to_owned());
    let topology = topology(1);
    for code in codes {
        for (worker, table_id) in [(true, false), (true, true), (false, true), (false, false)] {
            for severity in [Severity::Error, Severity::Warning] {
                let mut observation = seen(&topology, table(Vec::new()));
                observation.findings.push(Finding {
                    code: code.clone().leak(),
                    severity,
                    worker: worker.then(|| topology.workers()[0].name.clone()),
                    table: table_id.then(|| TableId("rtb-1".to_owned())),
                    message: "something is the matter".to_owned(),
                    fix: None,
                });
                let all = judge(&topology, &observation, EC2);
                assert_every_group_and_remedy(&all);
                let told: Vec<_> = named(&all, &code).into_iter().filter(|it| it.status != CheckStatus::Pass).collect();
                assert_eq!(told.len(), 1, "{code} ({worker}, {table_id}) fell out of {all:#?}");
                assert_eq!(is_well(&all), severity == Severity::Warning, "{code}");
                assert!(told[0].message.contains("something is the matter"), "{code}: {:?}", told[0]);
            }
        }
    }
}

/// Whoever adds a code to a provider shall find it in the table, and so in the test above.
#[test]
fn every_code_of_a_finding_in_the_code_is_in_the_documentation() {
    let documented = documented_codes();
    let sources = [
        include_str!("../../core/src/plan.rs"),
        include_str!("../../../providers/aws/src/findings.rs"),
        include_str!("../../../providers/aws/src/associated.rs"),
        include_str!("../../../providers/gcp/src/findings.rs"),
    ];
    let mut found = 0;
    for source in sources {
        let source = source.split("#[cfg(test)]").next().expect("code");
        // A code stands after `code:`, as the first argument of `finding(`, or in a constant.
        for lead in ["code: \"", "finding(\"", "&worker.name, \"", "(worker, \"", ": &str = \""] {
            for (at, _) in source.match_indices(lead) {
                let code = source[at + lead.len()..].split('"').next().expect("a literal");
                if code.is_empty() || !code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') {
                    continue;
                }
                found += 1;
                assert!(documented.contains(&code.to_owned()), "`{code}` is not in docs/errors.md");
            }
        }
    }
    assert!(found >= 14, "only {found} codes were recognised");
}

#[test]
fn what_apply_mends_is_to_be_known_and_what_it_leaves_is_a_failure() {
    let topology = topology(1);
    let worker = topology.workers()[0].name.clone();
    let mut observation = seen(&topology, table(Vec::new()));
    let target = NextHop::Instance("i-0".to_owned());
    let finding = Finding {
        code: "source-dest-check",
        severity: Severity::Error,
        worker: Some(worker.clone()),
        table: None,
        message: "source/dest check is on".to_owned(),
        fix: Some(Fix::SourceDestCheckOff { worker, target }),
    };
    observation.findings.push(finding.clone());
    let all = judge(&topology, &observation, EC2);
    assert!(only(&all, "source-dest-check", CheckStatus::Warn).remedy.as_ref().expect("one").contains("apply"));
    assert!(is_well(&all));
    observation.findings[0] = Finding { fix: None, ..finding };
    assert!(!is_well(&judge(&topology, &observation, EC2)));
}

#[test]
fn a_cloud_that_takes_no_credentials_is_one_failure_and_no_news_of_the_rest() {
    let topology = topology(2);
    let error = Error::new(ErrorKind::Unauthenticated, "nobody knows you").help("log in");
    let seen = Seen { topology: &topology, unlisted: None, cloud: Err(&error), examined: Vec::new(), drop_claim: None };
    let all = checks(seen);
    assert_every_group_and_remedy(&all);
    let failed: Vec<_> = all.iter().filter(|check| check.status == CheckStatus::Fail).collect();
    assert_eq!(failed.len(), 1, "{all:#?}");
    assert_eq!((failed[0].group, failed[0].remedy.as_deref()), (CheckGroup::Credentials, Some("log in")));
    assert_eq!(named(&all, "not-looked-at").len(), 6, "{all:#?}");
    assert_eq!(only(&all, "workers", CheckStatus::Pass).group, CheckGroup::Topology);
}

#[test]
fn what_the_provider_tells_of_the_credentials_is_not_told_twice() {
    let topology = topology(2);
    let error = Error::new(ErrorKind::Unauthenticated, "nobody knows you");
    let told = Check::fail(CheckGroup::Credentials, "identity", "expired yesterday", "log in");
    let all = checks(Seen {
        topology: &topology,
        unlisted: None,
        cloud: Err(&error),
        examined: vec![told.clone()],
        drop_claim: None,
    });
    let credentials: Vec<_> = all.iter().filter(|check| check.group == CheckGroup::Credentials).collect();
    assert_eq!(credentials, [&told]);
}

#[test]
fn a_source_that_cannot_be_read_does_not_hide_the_tables() {
    let error = Error::new(ErrorKind::Unavailable, "the cluster does not answer");
    let nobody = topology(0);
    // With the workers unknown their routes look like strangers', and that is no news.
    let observation = seen(&nobody, table(vec![to_machine("10.200.0.0/28", "i-0")]));
    let all = checks(Seen {
        topology: &nobody,
        unlisted: Some(&error),
        cloud: Ok((&observation, EC2)),
        examined: Vec::new(),
        drop_claim: None,
    });
    assert_every_group_and_remedy(&all);
    let failed: Vec<_> = all.iter().filter(|check| check.status == CheckStatus::Fail).collect();
    assert_eq!(failed.len(), 1, "{all:#?}");
    assert_eq!(failed[0].message, "the workers are not known: the cluster does not answer");
    only(&all, "table", CheckStatus::Pass);
    let blind: Vec<_> = named(&all, "not-looked-at").into_iter().map(|check| check.group).collect();
    assert!(blind.contains(&CheckGroup::Machines) && blind.contains(&CheckGroup::Addresses), "{blind:?}");
    assert!(named(&all, "foreign-route").is_empty());
}

#[test]
fn twelve_hundred_workers_that_are_not_there_are_one_line() {
    let topology = topology(1200);
    let mut observation = seen(&topology, table(Vec::new()));
    for (worker, cidr) in topology.ranges() {
        let error = Error::new(ErrorKind::NotFound, format!("no instance is called `{}`", worker.name));
        observation.next_hops.insert(cidr, Err(error));
    }
    let all = judge(&topology, &observation, EC2);
    let check = only(&all, "not-found", CheckStatus::Fail);
    assert!(check.message.contains("and 1199 more alike"), "{check:?}");
    assert!(named(&all, "machines").is_empty(), "nothing is called sound: {all:#?}");
}

#[test]
fn room_is_judged_for_this_plan() {
    let topology = topology(10);
    let rows = [
        (100, 500, CheckStatus::Pass, "holds 100 of at most 500 routes, and this plan adds 10"),
        (440, 500, CheckStatus::Pass, "adds 10"),
        (441, 500, CheckStatus::Warn, "49 stay free"),
        (490, 500, CheckStatus::Warn, "0 stay free"),
        (491, 500, CheckStatus::Fail, "1 will be refused"),
        (495, 500, CheckStatus::Fail, "5 will be refused"),
        (600, 500, CheckStatus::Fail, "10 will be refused"),
    ];
    for (used, limit, status, words) in rows {
        let mut full = table(Vec::new());
        full.quotas = vec![Quota { name: "routes".to_owned(), ipv6: Some(false), limit, used }];
        let all = judge(&topology, &seen(&topology, full), EC2);
        let check = named(&all, "routes-quota")[0];
        assert_eq!(check.status, status, "{used} of {limit}: {check:?}");
        assert!(check.message.contains(words), "{used} of {limit}: {check:?}");
        assert_eq!(named(&all, "routes-quota").len(), 1, "{all:#?}");
    }
}

#[test]
fn a_limit_that_nobody_knows_is_no_room() {
    let topology = topology(1);
    let mut table = table(Vec::new());
    table.quotas.clear();
    only(&judge(&topology, &seen(&topology, table), COMPUTE), "routes-quota", CheckStatus::Warn);
}

#[test]
fn what_stands_in_a_ranges_way_is_named_before_anything_is_written() {
    let topology = topology(4);
    let there = vec![nat("10.200.0.0/28"), nat("10.200.0.24/29"), nat("0.0.0.0/0"), nat("10.0.0.0/8")];
    let all = judge(&topology, &seen(&topology, table(there)), EC2);
    let conflict = only(&all, "conflict", CheckStatus::Fail);
    assert!(conflict.message.starts_with("worker-0: `10.200.0.0/28` of `rtb-1` is held by"), "{conflict:?}");
    assert!(conflict.remedy.as_ref().expect("one").contains("--take-over"), "{conflict:?}");
    let shadow = only(&all, "shadowed", CheckStatus::Fail);
    assert!(shadow.message.starts_with("worker-1: `10.200.0.24/29 -> "), "{shadow:?}");
    assert!(named(&all, "pod-cidrs").is_empty(), "{all:#?}");
}

#[test]
fn a_shadow_is_told_once_when_the_route_below_it_is_there_and_also_when_it_is_not() {
    let topology = topology(1);
    for there in [vec![], vec![to_machine("10.200.0.0/28", "i-0")]] {
        let routes = there.into_iter().chain([nat("10.200.0.8/29")]).collect();
        only(&judge(&topology, &seen(&topology, table(routes)), EC2), "shadowed", CheckStatus::Fail);
    }
    // A longer prefix to the same machine takes nothing away.
    let own = vec![to_machine("10.200.0.8/29", "i-0")];
    assert!(named(&judge(&topology, &seen(&topology, table(own)), EC2), "shadowed").is_empty());
}

#[test]
fn ranges_of_the_network_are_held_against_the_clusters_and_the_services() {
    let topology = topology(1);
    let all = judge(&topology, &seen(&topology, table(vec![local("10.200.128.0/20"), local("10.32.0.0/16")])), EC2);
    assert!(is_well(&all), "{all:#?}");
    assert!(only(&all, "cluster-range", CheckStatus::Warn).message.contains("10.200.128.0/20"));
    assert!(only(&all, "service-range", CheckStatus::Warn).message.contains("10.32.0.0/16"));
}

#[test]
fn other_writers_are_named_and_those_that_forbid_to_write_are_failures() {
    let topology = topology(1);
    let claimed = |cluster: &str, range: &str| {
        let mut claimed = table(Vec::new());
        claimed.claims = vec![Claim::parse(cluster, range)];
        claimed
    };
    let apart = judge(&topology, &seen(&topology, claimed("other", "10.201.0.0/16")), EC2);
    assert!(only(&apart, "other-cluster", CheckStatus::Warn).message.contains("10.201.0.0/16"));
    let drop = |table: &TableId, place: &str, claim: &Claim| format!("drop {table} {place} {}", claim.cluster);
    let observation = seen(&topology, claimed("other", "10.200.128.0/17"));
    let all = checks(Seen {
        topology: &topology,
        unlisted: None,
        cloud: Ok((&observation, EC2)),
        examined: Vec::new(),
        drop_claim: Some(&drop),
    });
    let check = only(&all, "claim", CheckStatus::Fail);
    assert!(check.remedy.as_ref().expect("one").ends_with("drop rtb-1 us-west-2 other"), "{check:?}");
    assert!(named(&all, "other-cluster").is_empty(), "{all:#?}");

    let strangers =
        vec![to_machine("10.200.77.0/24", "i-77"), to_machine("10.200.78.0/24", "i-78"), nat("10.9.0.0/16")];
    let all = judge(&topology, &seen(&topology, table(strangers)), EC2);
    let check = only(&all, "foreign-route", CheckStatus::Warn);
    assert!(check.message.contains("10.200.77.0/24 -> ") && check.message.contains("1 more alike"), "{check:?}");
    only(&all, "claim-blocked", CheckStatus::Warn);
}

#[test]
fn what_could_not_be_looked_up_and_who_is_left_out_is_told() {
    let broken = |name: &str, is_fault| LeftOut {
        name: name.parse().expect("name"),
        pod_cidrs: Vec::new(),
        why: Error::new(ErrorKind::Invalid, "its range cannot be read"),
        is_fault,
    };
    let topology = topology(1).leaving_out(vec![broken("node-7", true), broken("node-8", false)]);
    let mut observation = seen(&topology, table(Vec::new()));
    observation.unproved.push(Error::new(ErrorKind::Unavailable, "instance `i-9` could not be looked up"));
    let all = judge(&topology, &observation, EC2);
    let left_out: Vec<_> = named(&all, "left-out").iter().map(|check| (check.status, check.group)).collect();
    assert_eq!(left_out, [(CheckStatus::Fail, CheckGroup::Topology), (CheckStatus::Warn, CheckGroup::Topology)]);
    assert!(only(&all, "not-known", CheckStatus::Fail).message.contains("i-9"));
    // What is wrong with a node of the source is no news of a machine.
    assert!(named(&all, "not-found").is_empty(), "{all:#?}");
}

#[test]
fn a_list_without_workers_is_refused_as_apply_would_refuse_it() {
    let nobody = topology(0);
    let all = judge(&nobody, &seen(&nobody, table(Vec::new())), EC2);
    assert_every_group_and_remedy(&all);
    only(&all, "no-workers", CheckStatus::Fail);
}
