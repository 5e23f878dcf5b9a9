//! Ownership, plan and verify as tables: what is seen, what is wanted, what is decided.

use std::collections::HashMap;

use kroutes_core::memory::Character;
use kroutes_core::{
    Capabilities, Change, Claim, ClaimState, Cluster, Destination, Error, ErrorKind, Finding, Judge, LeftOut, Life,
    MachineRef, NextHop, Observation, ObservedRoute, Origin, Plan, Policy, Quota, Reading, ReplaceReason, RouteState,
    Severity, Status, Table, TableId, Target, Topology, Verdict, Worker,
};

const EC2: Capabilities = Character::ec2().capabilities;

const GCP: Capabilities = Character::gcp().capabilities;

const PRUNE: Policy = Policy { prune: true, take_over: false };
const TAKE_OVER: Policy = Policy { prune: false, take_over: true };

fn topology(workers: u8) -> Topology {
    let cluster = Cluster {
        name: "kubernetes".parse().expect("name"),
        pod_cidrs: vec!["10.200.0.0/16".parse().expect("cidr")],
        service_cidrs: Vec::new(),
    };
    let worker = |n: u8| Worker {
        name: format!("worker-{n}").parse().expect("name"),
        pod_cidrs: vec![format!("10.200.{n}.0/24").parse().expect("cidr")],
        addresses: Vec::new(),
        machine: MachineRef::Name(format!("worker-{n}")),
    };
    Topology::new(cluster, (0..workers).map(worker).collect()).expect("sound")
}

fn machine(destination: &str, id: &str, life: Life) -> ObservedRoute {
    ObservedRoute {
        destination: Destination::net(destination.parse().expect("net")),
        next_hops: vec![NextHop::Instance(id.to_owned()), NextHop::Interface(format!("eni-{id}"))],
        target: Target::Machine { id: id.to_owned(), life },
        state: RouteState::Active,
        origin: Origin::Static,
        marked: false,
        precedence: 0,
        deviation: None,
        name: None,
    }
}

fn to_worker(n: u8) -> ObservedRoute {
    machine(&format!("10.200.{n}.0/24"), &format!("i-{n}"), Life::Live)
}

fn nat(destination: &str) -> ObservedRoute {
    ObservedRoute {
        next_hops: vec![NextHop::Other("nat-gateway".to_owned(), "nat-77".to_owned())],
        target: Target::NotAMachine("nat-gateway".to_owned()),
        ..machine(destination, "i-x", Life::Live)
    }
}

fn local(destination: &str) -> ObservedRoute {
    ObservedRoute {
        next_hops: vec![NextHop::Other("local".to_owned(), "local".to_owned())],
        target: Target::NotAMachine("local".to_owned()),
        origin: Origin::Local,
        ..nat(destination)
    }
}

fn dead(route: ObservedRoute) -> ObservedRoute {
    ObservedRoute { state: RouteState::Blackhole, ..route }
}

fn table(routes: Vec<ObservedRoute>) -> Table {
    Table {
        id: TableId("rtb-1".to_owned()),
        location: "lab".to_owned(),
        routes,
        quotas: Vec::new(),
        claims: Vec::new(),
    }
}

fn seen(topology: &Topology, tables: Vec<Table>) -> Observation {
    let workers = topology.workers().iter().enumerate();
    Observation {
        tables: tables.into_iter().map(|table| Reading { wanted: table.id.0.clone(), table: Ok(table) }).collect(),
        next_hops: topology
            .ranges()
            .zip(0..)
            .map(|((_, cidr), n)| (cidr, Ok(NextHop::Instance(format!("i-{n}")))))
            .collect::<HashMap<_, _>>(),
        machines: workers.map(|(n, worker)| (format!("i-{n}"), worker.name.clone())).collect::<HashMap<_, _>>(),
        serves: HashMap::new(),
        findings: Vec::new(),
        unproved: Vec::new(),
        out_of_reach: Vec::new(),
    }
}

fn decide(workers: u8, table: Table, policy: Policy) -> Plan {
    let topology = topology(workers);
    Plan::new(&topology, &seen(&topology, vec![table]), EC2, policy)
}

/// `action destination (reason)` for each change, then `conflict destination`.
fn told(plan: &Plan) -> Vec<String> {
    let table = plan.readable().next().expect("a table");
    let changes = table
        .changes
        .iter()
        .map(|change| format!("{} {} ({})", change.action(), change.destination(), change.reason()));
    let conflicts =
        table.conflicts.iter().map(|conflict| format!("conflict {} ({})", conflict.want.destination, conflict.reason));
    changes.chain(conflicts).collect()
}

fn owner_of(route: &ObservedRoute, claims: Vec<Claim>) -> (bool, String) {
    let topology = topology(3);
    let table = Table { claims, ..table(vec![route.clone()]) };
    let observation = seen(&topology, vec![table.clone()]);
    let owner = Judge::new(EC2, topology.cluster(), &observation, &table).owner(route);
    (owner.is_ours(), owner.to_string())
}

fn our_claim() -> Vec<Claim> {
    vec![Claim::parse("kubernetes", "10.200.0.0/16")]
}

#[test]
fn a_route_is_ours_only_if_it_can_be_shown_to_be() {
    let gone = || Life::Gone("instance `i-9` is terminated".to_owned());
    let unknown = || Life::Unknown("the lookup failed".to_owned());
    let detached = || ObservedRoute { target: Target::Detached, ..machine("10.200.9.0/24", "i-9", Life::Live) };
    let prefix_list = ObservedRoute {
        destination: Destination::Other("pl-1".to_owned()),
        ..machine("10.200.9.0/24", "i-0", Life::Live)
    };
    let propagated = ObservedRoute { origin: Origin::Propagated, ..to_worker(0) };
    for (name, route, claimed, ours) in [
        ("to a worker", to_worker(0), false, true),
        ("to a worker, wherever in the range", machine("10.200.77.0/24", "i-0", Life::Live), false, true),
        ("to another machine", machine("10.200.9.0/24", "i-9", Life::Live), false, false),
        ("to another machine, claimed", machine("10.200.9.0/24", "i-9", Life::Live), true, true),
        ("to a machine that is gone", machine("10.200.9.0/24", "i-9", gone()), false, true),
        ("to a machine nobody could look up", machine("10.200.9.0/24", "i-9", unknown()), false, false),
        ("the same, claimed", machine("10.200.9.0/24", "i-9", unknown()), true, true),
        ("to a gateway, claimed", nat("10.200.9.0/24"), true, false),
        ("propagated, claimed", propagated, true, false),
        ("to a loose interface, claimed", detached(), true, false),
        ("to a dead loose interface", dead(detached()), false, false),
        ("to a dead loose interface, claimed", dead(detached()), true, true),
        ("a prefix list", prefix_list, true, false),
        ("outside, to a worker", machine("10.201.0.0/24", "i-0", Life::Live), true, false),
        ("exactly the claim, to a worker", machine("10.200.0.0/16", "i-0", Life::Live), false, true),
    ] {
        let claims = if claimed { our_claim() } else { Vec::new() };
        let (is_ours, why) = owner_of(&route, claims);
        assert_eq!(is_ours, ours, "{name}: {why}");
    }
}

/// cloud-provider-aws: a route that shares its first or last address with the cluster CIDR counted as owned.
#[test]
fn only_contained_destinations_can_ever_be_ours() {
    for destination in ["10.0.0.0/8", "10.200.0.0/15", "10.192.0.0/10", "0.0.0.0/0"] {
        let (ours, why) = owner_of(&machine(destination, "i-0", Life::Live), our_claim());
        assert!(!ours, "{destination}");
        assert_eq!(why, "outside the cluster CIDR");
    }
}

#[test]
fn a_claim_covers_only_what_lies_in_its_own_ranges_and_in_the_topologys() {
    let other = |destination| machine(destination, "i-9", Life::Live);
    let narrow = || vec![Claim::parse("kubernetes", "10.200.0.0/17")];
    assert!(owner_of(&other("10.200.9.0/24"), narrow()).0);
    assert!(!owner_of(&other("10.200.200.0/24"), narrow()).0);
    let wide = vec![Claim::parse("kubernetes", "10.0.0.0/8")];
    assert!(!owner_of(&other("10.201.9.0/24"), wide).0);
    let others = vec![Claim::parse("someone-else", "10.200.0.0/16")];
    assert!(!owner_of(&other("10.200.9.0/24"), others).0);
}

#[test]
fn an_empty_table_gets_every_route_in_the_order_of_addresses() {
    let plan = decide(3, table(vec![local("10.240.0.0/16")]), Policy::default());
    assert_eq!(
        told(&plan),
        ["create 10.200.0.0/24 (missing)", "create 10.200.1.0/24 (missing)", "create 10.200.2.0/24 (missing)"]
    );
    assert_eq!(plan.readable().next().expect("table").foreign, 1);
}

#[test]
fn what_is_there_is_kept_and_what_leads_elsewhere_is_replaced_with_its_reason() {
    let gone = Life::Gone("instance `i-9` is terminated".to_owned());
    let plan = decide(
        3,
        table(vec![
            to_worker(0),
            machine("10.200.1.0/24", "i-2", Life::Live),
            dead(machine("10.200.2.0/24", "i-9", gone)),
        ]),
        Policy::default(),
    );
    assert_eq!(told(&plan), ["replace 10.200.1.0/24 (wrong next hop)", "replace 10.200.2.0/24 (blackhole)"]);
    assert_eq!(plan.readable().next().expect("table").unchanged, 1);
}

/// kubernetes#98359: a node's address changed and the route never followed. On EC2 it shows as another instance.
#[test]
fn a_route_follows_a_worker_that_became_another_machine() {
    let gone = Life::Gone("instance `i-old` is terminated".to_owned());
    let plan = decide(1, table(vec![machine("10.200.0.0/24", "i-old", gone)]), Policy::default());
    assert_eq!(told(&plan), ["replace 10.200.0.0/24 (wrong next hop)"]);
}

/// cloud-provider-aws#627 and deckhouse#5185: one route to an instance that is no node stopped all route work;
/// cloud-provider-aws#1351: a table with more than one instance route could not be listed.
#[test]
fn other_peoples_routes_are_counted_and_block_nothing() {
    let others = vec![
        machine("10.0.0.0/8", "i-77", Life::Live),
        machine("192.168.0.0/16", "i-77", Life::Live),
        machine("10.200.99.0/24", "i-78", Life::Live),
        nat("10.200.98.0/24"),
        nat("0.0.0.0/0"),
        ObservedRoute { destination: Destination::Other("pl-1".to_owned()), ..nat("10.1.0.0/16") },
        local("10.240.0.0/16"),
    ];
    let plan = decide(2, table(others), PRUNE);
    assert_eq!(told(&plan), ["create 10.200.0.0/24 (missing)", "create 10.200.1.0/24 (missing)"]);
    assert_eq!(plan.readable().next().expect("table").foreign, 7);
}

#[test]
fn a_foreign_route_in_the_way_is_a_conflict_until_the_user_says_take_over() {
    let holding = || table(vec![nat("10.200.0.0/24")]);
    assert_eq!(told(&decide(1, holding(), PRUNE)), ["conflict 10.200.0.0/24 (not an instance route)"]);
    assert_eq!(told(&decide(1, holding(), TAKE_OVER)), ["replace 10.200.0.0/24 (taken over: not an instance route)"]);
    let own = decide(1, table(vec![local("10.200.0.0/24")]), TAKE_OVER);
    assert_eq!(told(&own), ["conflict 10.200.0.0/24 (not a static route (local))"]);
}

/// ansible PR #43417: a propagated route cannot be replaced, and a static one of the same destination wins over it.
#[test]
fn a_propagated_route_that_would_lose_is_no_conflict() {
    let propagated = ObservedRoute { origin: Origin::Propagated, precedence: 1, ..nat("10.200.0.0/24") };
    let plan = decide(1, table(vec![propagated]), Policy::default());
    assert_eq!(told(&plan), ["create 10.200.0.0/24 (missing)"]);
    assert_eq!(plan.readable().next().expect("table").foreign, 1);
}

#[test]
fn a_route_that_no_worker_wants_is_stale_and_goes_only_with_prune() {
    let routes = || table(vec![to_worker(0), machine("10.200.9.0/24", "i-0", Life::Live)]);
    let kept = decide(1, routes(), Policy::default());
    assert_eq!(told(&kept), Vec::<String>::new());
    assert_eq!(kept.readable().next().expect("table").stale.len(), 1);
    assert_eq!(told(&decide(1, routes(), PRUNE)), ["delete 10.200.9.0/24 (no worker)"]);
}

#[test]
fn the_route_of_a_worker_that_was_not_found_is_neither_wanted_nor_stale() {
    let topology = topology(2);
    let mut observation = seen(&topology, vec![table(vec![to_worker(0), to_worker(1)])]);
    let (_, lost) = topology.ranges().nth(1).expect("second");
    observation.next_hops.insert(lost, Err(Error::new(ErrorKind::NotFound, "no instance")));
    let plan = Plan::new(&topology, &observation, EC2, PRUNE);
    assert_eq!(told(&plan), Vec::<String>::new());
    assert_eq!(plan.readable().next().expect("table").held, 1);
    assert_eq!(plan.unresolved.keys().map(ToString::to_string).collect::<Vec<_>>(), ["worker-1"]);
    assert!(!plan.is_complete());
}

#[test]
fn the_route_of_a_machine_that_is_left_out_stays_with_prune_and_a_fault_is_told() {
    let left_out = |name: &str, cidr: &str, is_fault| LeftOut {
        name: name.parse().expect("name"),
        pod_cidrs: vec![cidr.parse().expect("cidr")],
        why: Error::new(ErrorKind::Invalid, "is going away"),
        is_fault,
    };
    let topology = topology(1).leaving_out(vec![
        left_out("leaving", "10.200.9.0/24", false),
        left_out("garbled", "10.200.8.0/24", true),
        left_out("former-worker-0", "10.200.0.0/24", false),
    ]);
    let stale = |cidr: &str| machine(cidr, "i-0", Life::Live);
    let routes = vec![stale("10.200.0.0/24"), stale("10.200.7.0/24"), stale("10.200.8.0/24"), stale("10.200.9.0/24")];
    let plan = Plan::new(&topology, &seen(&topology, vec![table(routes)]), EC2, PRUNE);
    assert_eq!(told(&plan), ["delete 10.200.7.0/24 (no worker)"]);
    assert_eq!(plan.unresolved.keys().map(ToString::to_string).collect::<Vec<_>>(), ["garbled"]);
    let found: Vec<_> = plan.findings.iter().map(|finding| (finding.code, finding.severity)).collect();
    assert_eq!(found, [("left-out", Severity::Warning); 2]);
}

#[test]
fn nothing_is_pruned_while_the_range_of_a_machine_could_not_be_read() {
    let garbled = LeftOut {
        name: "garbled".parse().expect("name"),
        pod_cidrs: Vec::new(),
        why: Error::new(ErrorKind::Invalid, "no pod-cidr"),
        is_fault: true,
    };
    let topology = topology(1).leaving_out(vec![garbled]);
    let routes = vec![to_worker(0), machine("10.200.9.0/24", "i-0", Life::Live)];
    let plan = Plan::new(&topology, &seen(&topology, vec![table(routes)]), EC2, PRUNE);
    assert_eq!(told(&plan), Vec::<String>::new());
    assert_eq!(plan.readable().next().expect("table").stale.len(), 1);
    assert!(plan.findings.iter().any(|finding| finding.code == "not-pruned"), "{:?}", plan.findings);
}

#[test]
fn a_full_table_has_no_room_to_replace_where_the_new_route_goes_in_first() {
    let wrong = ObservedRoute { marked: true, precedence: 1000, ..machine("10.200.0.0/24", "i-9", Life::Live) };
    let quota = Quota { name: "static routes".to_owned(), ipv6: None, limit: 1, used: 1 };
    let full = || Table { quotas: vec![quota.clone()], ..table(vec![wrong.clone()]) };
    let codes = |capabilities| {
        let topology = topology(1);
        let plan = Plan::new(&topology, &seen(&topology, vec![full()]), capabilities, Policy::default());
        assert_eq!(told(&plan).len(), 1, "{plan:?}");
        plan.findings.iter().map(|finding| finding.code).collect::<Vec<_>>()
    };
    assert_eq!(codes(GCP), ["routes-quota"]);
    assert_eq!(codes(Capabilities { atomic_replace: true, ..GCP }), Vec::<&str>::new());
}

#[test]
fn destroying_names_every_route_of_ours_and_nothing_else() {
    let topology = topology(2);
    let routes = vec![to_worker(0), to_worker(1), nat("10.200.50.0/24"), machine("10.0.0.0/8", "i-0", Life::Live)];
    let plan = Plan::destroy(&topology, &seen(&topology, vec![table(routes)]), EC2);
    assert_eq!(told(&plan), ["delete 10.200.0.0/24 (destroy)", "delete 10.200.1.0/24 (destroy)"]);
}

#[test]
fn where_routes_carry_marks_destroying_depends_on_nobody_being_found() {
    let topology = topology(1);
    let route = ObservedRoute { marked: true, target: Target::Address, ..to_worker(0) };
    let mut observation = seen(&topology, vec![table(vec![route])]);
    let (_, lost) = topology.ranges().next().expect("first");
    let failed = Error::new(ErrorKind::PermissionDenied, "not allowed to list instances");
    observation.next_hops.insert(lost, Err(failed));
    let plan = Plan::destroy(&topology, &observation, GCP);
    assert_eq!(told(&plan), ["delete 10.200.0.0/24 (destroy)"]);
    assert!(plan.unproved.is_empty() && plan.unresolved.len() == 1, "{plan:?}");
    assert!(!Plan::destroy(&topology, &observation, EC2).unproved.is_empty());
}

fn claim_after(routes: Vec<ObservedRoute>, claims: Vec<Claim>) -> ClaimState {
    let plan = decide(1, Table { claims, ..table(routes) }, Policy::default());
    plan.readable().next().expect("table").claim.clone()
}

#[test]
fn the_claim_is_set_with_the_first_write_unless_somebodys_machine_route_stands_in_the_range() {
    let wanted = Claim::parse("kubernetes", "10.200.0.0/16");
    let other = || machine("10.200.9.0/24", "i-9", Life::Live);
    assert_eq!(claim_after(vec![], vec![]), ClaimState::ToSet(wanted.clone()));
    assert_eq!(claim_after(vec![to_worker(0)], vec![]), ClaimState::None);
    assert_eq!(claim_after(vec![], our_claim()), ClaimState::Ours);
    assert_eq!(claim_after(vec![other()], vec![]), ClaimState::Blocked("10.200.9.0/24 -> i-9".to_owned()));
    assert_eq!(claim_after(vec![nat("10.200.9.0/24")], vec![]), ClaimState::ToSet(wanted.clone()));
    let narrower = vec![Claim::parse("kubernetes", "10.200.0.0/17")];
    assert_eq!(claim_after(vec![], narrower.clone()), ClaimState::ToSet(wanted));
    assert_eq!(claim_after(vec![to_worker(0)], narrower), ClaimState::Ours);
}

#[test]
fn a_claim_that_stands_against_us_refuses_everything() {
    for (cluster, value, refused) in [
        ("kubernetes", "10.200.0.0/16", false),
        ("kubernetes", "10.200.0.0/17 fd00::/48", false),
        ("kubernetes", "10.64.0.0/12", true),
        ("other", "10.200.128.0/17", true),
        ("other", "10.0.0.0/8", true),
        ("other", "10.64.0.0/12", false),
        ("other", "rubbish", true),
        ("kubernetes", "", true),
    ] {
        let claims = vec![Claim::parse(cluster, value)];
        let plan = decide(1, Table { claims, ..table(vec![]) }, TAKE_OVER);
        assert_eq!(plan.refusals().count() == 1, refused, "kroutes/{cluster}={value}");
        if let Some((_, refusal)) = plan.refusals().next() {
            assert!(refusal.message.contains(cluster) && refusal.message.contains("kubernetes"), "{}", refusal.message);
        }
    }
}

#[test]
fn a_plan_says_before_the_first_write_that_the_table_will_be_full() {
    let quota = Quota { name: "IPv4 routes".to_owned(), ipv6: Some(false), limit: 5, used: 4 };
    let plan = decide(3, Table { quotas: vec![quota], ..table(vec![]) }, Policy::default());
    let finding = plan.findings.first().expect("a finding");
    assert_eq!((finding.code, finding.severity), ("routes-quota", Severity::Warning));
    assert!(
        finding.message.contains("4 of at most 5 IPv4 routes") && finding.message.contains("adds 3"),
        "{}",
        finding.message
    );
}

#[test]
fn where_routes_carry_marks_only_the_mark_counts() {
    let topology = topology(3);
    let marked = |destination: &str, n: u8, marked| ObservedRoute {
        next_hops: vec![NextHop::Instance(format!("i-{n}"))],
        target: Target::Address,
        marked,
        precedence: 1000,
        name: Some(format!("r-{destination}-{n}")),
        ..machine(destination, "x", Life::Live)
    };
    let routes = vec![
        marked("10.200.0.0/24", 0, false), // somebody's, but exactly as wanted
        marked("10.200.1.0/24", 1, true),
        marked("10.200.1.0/24", 7, true),  // surplus of ours
        marked("10.200.2.0/24", 9, false), // foreign and splits the traffic
        marked("10.200.9.0/24", 9, true),
    ];
    let plan = Plan::new(&topology, &seen(&topology, vec![table(routes)]), GCP, PRUNE);
    assert_eq!(
        told(&plan),
        [
            "replace 10.200.1.0/24 (duplicate)",
            "delete 10.200.9.0/24 (no worker)",
            "conflict 10.200.2.0/24 (does not carry our mark)"
        ]
    );
    let table = plan.readable().next().expect("table");
    assert_eq!((table.unchanged, &table.claim), (1, &ClaimState::None));
    let Change::Replace { was, reason: ReplaceReason::Duplicate, .. } = &table.changes[0] else { panic!("{table:?}") };
    assert_eq!(was.len(), 1);
}

#[test]
fn a_foreign_route_that_shares_the_packets_is_taken_over_by_that_name_although_ours_is_there() {
    let topology = topology(1);
    let route = |n: u8, marked| ObservedRoute {
        next_hops: vec![NextHop::Instance(format!("i-{n}"))],
        target: Target::Address,
        marked,
        precedence: 1000,
        name: Some(format!("r-{n}")),
        ..machine("10.200.0.0/24", "x", Life::Live)
    };
    let observation = seen(&topology, vec![table(vec![route(0, true), route(9, false)])]);
    let plan = Plan::new(&topology, &observation, GCP, TAKE_OVER);
    assert_eq!(told(&plan), ["replace 10.200.0.0/24 (taken over: does not carry our mark)"]);
    let change = &plan.readable().next().expect("table").changes[0];
    assert!(change.is_removal(), "the right route is there, so all that happens is that the other goes");
    assert_eq!(change.was().len(), 1);
}

fn judge(workers: u8, routes: Vec<ObservedRoute>) -> Verdict {
    let topology = topology(workers);
    Verdict::new(&topology, &seen(&topology, vec![table(routes)]), EC2)
}

#[test]
fn verify_tells_what_is_the_matter_with_each_route() {
    let verdict = judge(
        6,
        vec![
            to_worker(0),
            machine("10.200.1.0/24", "i-5", Life::Live),
            dead(to_worker(2)),
            to_worker(3),
            nat("10.200.3.128/25"),
            nat("10.200.5.0/24"),
            nat("0.0.0.0/0"),
            machine("10.200.77.0/24", "i-0", Life::Live),
        ],
    );
    let told: Vec<_> = verdict.routes.iter().map(|route| (route.destination.to_string(), route.status)).collect();
    assert_eq!(
        told,
        [
            ("10.200.0.0/24".to_owned(), Status::Ok),
            ("10.200.1.0/24".to_owned(), Status::WrongNextHop),
            ("10.200.2.0/24".to_owned(), Status::Blackhole),
            ("10.200.3.0/24".to_owned(), Status::Shadowed),
            ("10.200.4.0/24".to_owned(), Status::Missing),
            ("10.200.5.0/24".to_owned(), Status::WrongNextHop),
            ("10.200.77.0/24".to_owned(), Status::Stale),
        ]
    );
    assert!(!verdict.ok);
    // Only worker-0 is reached, by the five others.
    assert_eq!((verdict.reachability.pairs(), verdict.reachability.reachable()), (30, 5));
    assert_eq!(verdict.reachability.unreachable().count(), 25);
}

#[test]
fn a_broader_route_to_the_same_worker_delivers_although_its_own_is_missing() {
    let covering = judge(2, vec![to_worker(0), machine("10.200.0.0/16", "i-1", Life::Live)]);
    assert_eq!(covering.reachability.reachable(), 2);
    assert!(!covering.ok, "the route itself is missing");
}

#[test]
fn stale_routes_alone_are_no_fault() {
    let verdict = judge(1, vec![to_worker(0), machine("10.200.77.0/24", "i-0", Life::Live)]);
    assert!(verdict.ok);
}

#[test]
fn a_worker_that_may_not_forward_neither_sends_nor_receives() {
    let topology = topology(3);
    let mut observation = seen(&topology, vec![table(vec![to_worker(0), to_worker(1), to_worker(2)])]);
    observation.findings.push(Finding {
        code: "source-dest-check",
        severity: Severity::Error,
        worker: Some("worker-1".parse().expect("name")),
        table: None,
        message: "source/dest check is on".to_owned(),
        fix: None,
    });
    let verdict = Verdict::new(&topology, &observation, EC2);
    assert!(!verdict.ok);
    assert_eq!(verdict.reachability.reachable(), 2, "worker-0 and worker-2 reach each other");
}

/// cloud-provider-azure#11003: success in one table hid failure in another.
#[test]
fn one_unreadable_table_spoils_the_verdict_of_all() {
    let topology = topology(2);
    let mut observation = seen(&topology, vec![table(vec![to_worker(0), to_worker(1)])]);
    observation
        .tables
        .push(Reading { wanted: "rtb-2".to_owned(), table: Err(Error::new(ErrorKind::Unavailable, "no")) });
    let verdict = Verdict::new(&topology, &observation, EC2);
    assert!(!verdict.ok);
    assert_eq!(verdict.reachability.reachable(), 0);
}

#[test]
fn where_workers_have_tables_of_their_own_reachability_is_judged_in_the_senders() {
    let topology = topology(3);
    let mut other = table(vec![to_worker(0), to_worker(2)]);
    other.id = TableId("rtb-2".to_owned());
    let mut observation = seen(&topology, vec![table(vec![to_worker(0), to_worker(1), to_worker(2)]), other]);
    let own = [("worker-0", "rtb-1"), ("worker-1", "rtb-2"), ("worker-2", "rtb-2")];
    observation.serves =
        own.iter().map(|(worker, id)| (worker.parse().expect("name"), TableId((*id).to_owned()))).collect();
    let told = |verdict: &Verdict| -> Vec<String> {
        verdict.reachability.unreachable().map(|(from, to, _)| format!("{from} -> {to}")).collect()
    };
    let verdict = Verdict::new(&topology, &observation, EC2);
    assert_eq!(told(&verdict), ["worker-2 -> worker-1"], "worker-1 is not reached from rtb-2, and is itself in it");
    assert_eq!((verdict.reachability.pairs(), verdict.reachability.reachable()), (6, 5));
    assert_eq!(verdict.reachability.receivers().count(), 0);
    let partly: Vec<_> = verdict.reachability.receivers_by_table().collect();
    assert_eq!(partly.len(), 1);
    assert_eq!((partly[0].0.0.as_str(), partly[0].1.as_str()), ("rtb-2", "worker-1"));
    assert!(!verdict.ok);

    observation.tables[1].table = Err(Error::new(ErrorKind::Unavailable, "no"));
    let blind = Verdict::new(&topology, &observation, EC2);
    assert_eq!(blind.reachability.reachable(), 2, "only worker-0's own table could be read");

    observation.serves.clear();
    let strict = Verdict::new(&topology, &observation, EC2);
    assert_eq!(strict.reachability.reachable(), 0, "without tables of their own all tables count");
}
