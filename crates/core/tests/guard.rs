//! The guards as tables: what stands, what a plan would take away, and whether it is held back; and what a part of a
//! cluster can never do to the rest.

use std::collections::HashMap;

use kroutes_core::memory::Character;
use kroutes_core::{
    Capabilities, Change, Claim, ClaimState, Cluster, Destination, Error, ErrorKind, Finding, Fix, Held, INCOMPLETE,
    LeftOut, Life, MachineRef, MaxDeletes, NO_WORKERS, NextHop, Observation, ObservedRoute, Origin, Plan, Policy,
    Reading, RouteState, Severity, TOO_MANY, Table, TableId, Target, Topology, Verdict, Worker, guard,
};
use proptest::prelude::*;

const EC2: Capabilities = Character::ec2().capabilities;
const GCP: Capabilities = Character::gcp().capabilities;
const PRUNE: Policy = Policy { prune: true, take_over: false };
const TAKE_OVER: Policy = Policy { prune: false, take_over: true };

fn cluster() -> Cluster {
    Cluster {
        name: "kubernetes".parse().expect("name"),
        pod_cidrs: vec!["10.200.0.0/16".parse().expect("cidr")],
        service_cidrs: Vec::new(),
    }
}

fn worker(n: u8) -> Worker {
    Worker {
        name: format!("worker-{n}").parse().expect("name"),
        pod_cidrs: vec![format!("10.200.{n}.0/24").parse().expect("cidr")],
        addresses: Vec::new(),
        machine: MachineRef::Name(format!("worker-{n}")),
    }
}

fn topology(workers: u8) -> Topology {
    Topology::new(cluster(), (0..workers).map(worker).collect()).expect("sound")
}

/// A route to a machine, of ours by the claim or by the mark whoever the machine is.
fn route(destination: &str, machine: &str, life: Life) -> ObservedRoute {
    ObservedRoute {
        destination: Destination::net(destination.parse().expect("net")),
        next_hops: vec![NextHop::Instance(machine.to_owned())],
        target: Target::Machine { id: machine.to_owned(), life },
        state: RouteState::Active,
        origin: Origin::Static,
        marked: true,
        precedence: 0,
        deviation: None,
        name: None,
    }
}

fn right(n: u8) -> ObservedRoute {
    route(&format!("10.200.{n}.0/24"), &format!("i-{n}"), Life::Live)
}

/// The route of a worker that has left the topology, and whose machine is there still.
fn stale(n: u8) -> ObservedRoute {
    route(&format!("10.200.{n}.0/24"), &format!("i-former-{n}"), Life::Live)
}

fn gone(route: ObservedRoute) -> ObservedRoute {
    let Target::Machine { id, .. } = &route.target else { panic!("no machine: {route:?}") };
    let life = Life::Gone(format!("instance `{id}` is terminated"));
    ObservedRoute { target: Target::Machine { id: id.clone(), life }, state: RouteState::Blackhole, ..route }
}

/// Leads to another machine, which is there.
fn astray(route: ObservedRoute) -> ObservedRoute {
    ObservedRoute {
        next_hops: vec![NextHop::Instance("i-other".to_owned())],
        target: Target::Machine { id: "i-other".to_owned(), life: Life::Live },
        ..route
    }
}

fn nat(destination: &str) -> ObservedRoute {
    ObservedRoute {
        next_hops: vec![NextHop::Other("nat-gateway".to_owned(), "nat-77".to_owned())],
        target: Target::NotAMachine("nat-gateway".to_owned()),
        marked: false,
        ..route(destination, "x", Life::Live)
    }
}

fn table(id: &str, routes: Vec<ObservedRoute>) -> Table {
    Table {
        id: TableId(id.to_owned()),
        location: "lab".to_owned(),
        routes,
        quotas: Vec::new(),
        claims: vec![Claim::parse("kubernetes", "10.200.0.0/16")],
    }
}

fn seen(topology: &Topology, tables: Vec<Table>) -> Observation {
    let hop = |worker: &Worker| worker.name.as_str().replace("worker", "i");
    Observation {
        tables: tables.into_iter().map(|table| Reading { wanted: table.id.0.clone(), table: Ok(table) }).collect(),
        next_hops: topology.ranges().map(|(worker, cidr)| (cidr, Ok(NextHop::Instance(hop(worker))))).collect(),
        machines: topology.workers().iter().map(|worker| (hop(worker), worker.name.clone())).collect(),
        serves: HashMap::new(),
        findings: Vec::new(),
        unproved: Vec::new(),
        out_of_reach: Vec::new(),
    }
}

fn guarded(workers: u8, tables: Vec<Table>, policy: Policy, limit: Option<&str>) -> Vec<Held> {
    let topology = topology(workers);
    let plan = Plan::new(&topology, &seen(&topology, tables), EC2, policy);
    guard(&topology, &plan, limit.map(|limit| limit.parse().expect("a limit")))
}

fn names(held: &[Held]) -> Vec<&'static str> {
    held.iter().map(|one| one.guard).collect()
}

/// So many right routes, and so many stale ones whose machines are there.
fn with_stale(right_ones: u8, stale_ones: u8) -> Vec<ObservedRoute> {
    (0..right_ones).map(right).chain((100..100 + stale_ones).map(stale)).collect()
}

#[test]
fn a_plan_is_held_above_thirty_in_a_hundred_of_ten_or_more() {
    for (kept, pruned, limit, held) in [
        (7, 3, None, false),
        (6, 4, None, true),
        (70, 30, None, false),
        (69, 31, None, true),
        (8, 3, None, false),
        // Nine have no shares.
        (0, 9, None, false),
        (5, 4, None, false),
        (0, 10, None, true),
        (1, 9, None, true),
        // What the user names holds always, and instead.
        (5, 4, Some("3"), true),
        (5, 4, Some("4"), false),
        (5, 4, Some("40%"), true),
        (5, 4, Some("45%"), false),
        (8, 1, Some("0"), true),
        (8, 1, Some("0%"), true),
        (9, 0, Some("0"), false),
        (0, 10, Some("10"), false),
        (0, 10, Some("100%"), false),
        (90, 5, Some("4"), true),
        (90, 5, Some("5%"), true),
        (95, 5, Some("5%"), false),
    ] {
        let tables = vec![table("rtb-1", with_stale(kept, pruned))];
        // One worker of no route at all: what is only added weighs nothing.
        let found = guarded(kept + 1, tables, PRUNE, limit);
        assert_eq!(names(&found), if held { &[TOO_MANY][..] } else { &[] }, "{pruned} of {}, {limit:?}", kept + pruned);
    }
}

#[test]
fn what_is_left_alone_without_prune_weighs_nothing() {
    assert_eq!(guarded(1, vec![table("rtb-1", with_stale(1, 20))], Policy::default(), Some("0")), []);
}

#[test]
fn the_numbers_the_threshold_and_the_option_are_told() {
    let held = guarded(6, vec![table("rtb-1", with_stale(6, 6))], PRUNE, None);
    assert_eq!(
        held[0].message,
        "6 (50%) of this cluster's 12 routes whose next hop still exists would be deleted or replaced, and at most 3 (30%) \
         may be"
    );
    assert!(held[0].help.ends_with("say --max-deletes 6"), "{}", held[0].help);
    let held = guarded(1, vec![table("rtb-1", vec![stale(9)])], PRUNE, Some("0"));
    assert!(held[0].message.starts_with("1 (100%) of this cluster's 1 route whose"), "{}", held[0].message);
    assert!(held[0].message.ends_with("at most 0 may be"), "{}", held[0].message);
}

#[test]
fn routes_of_machines_that_are_gone_weigh_nothing_however_many_they_are() {
    let routes = || (0..6).map(right).chain((100..150).map(|n| gone(stale(n)))).collect();
    assert_eq!(guarded(6, vec![table("rtb-1", routes())], PRUNE, Some("0")), []);
    // Nor do they make up the ten.
    let mut few: Vec<ObservedRoute> = routes();
    few.extend((200..203).map(stale));
    assert_eq!(guarded(6, vec![table("rtb-1", few)], PRUNE, None), []);
}

#[test]
fn a_machine_that_is_stopped_or_could_not_be_looked_up_counts_as_there() {
    let stopped = |n| ObservedRoute { state: RouteState::Blackhole, ..stale(n) };
    let unknown = |n| route(&format!("10.200.{n}.0/24"), "i-u", Life::Unknown("refused".to_owned()));
    let at_rest = |n| ObservedRoute { target: Target::AddressAtRest, ..stopped(n) };
    for routes in [
        (100..112).map(stopped).collect::<Vec<_>>(),
        (100..112).map(unknown).collect(),
        (100..112).map(at_rest).collect(),
    ] {
        let topology = topology(1);
        let capabilities = if routes[0].target == Target::AddressAtRest { GCP } else { EC2 };
        let plan = Plan::new(&topology, &seen(&topology, vec![table("rtb-1", routes)]), capabilities, PRUNE);
        assert_eq!(names(&guard(&topology, &plan, None)), [TOO_MANY]);
    }
    // Whereas an address that nobody has leads nowhere.
    let nobody = |n| ObservedRoute { target: Target::Address, ..stopped(n) };
    let topology = topology(1);
    let seen = seen(&topology, vec![table("n", (100..112).map(nobody).collect())]);
    assert_eq!(guard(&topology, &Plan::new(&topology, &seen, GCP, PRUNE), Some(MaxDeletes::Routes(0))), []);
}

#[test]
fn a_replacement_of_a_route_that_leads_somewhere_weighs_as_much_as_a_deletion() {
    let moved = |alive: u8, dead: u8| {
        let routes = (0..12).map(|n| match n {
            n if n < alive => astray(right(n)),
            n if n < alive + dead => gone(route(&format!("10.200.{n}.0/24"), &format!("i-old-{n}"), Life::Live)),
            n => right(n),
        });
        guarded(12, vec![table("rtb-1", routes.collect())], Policy::default(), None)
    };
    assert_eq!(names(&moved(4, 0)), [TOO_MANY]);
    assert_eq!(moved(3, 0), []);
    assert_eq!(moved(0, 12), []);
    // 3 of the 10 that lead somewhere, and 3 of the 9.
    assert_eq!(moved(3, 2), []);
    assert_eq!(names(&moved(4, 2)), [TOO_MANY]);
}

#[test]
fn what_is_taken_over_from_others_is_no_loss_of_ours() {
    let routes = || (0..12).map(|n| nat(&format!("10.200.{n}.0/24"))).collect();
    assert_eq!(guarded(12, vec![table("rtb-1", routes())], TAKE_OVER, Some("0")), []);
    // Other people's routes make up no ten either.
    let beside: Vec<_> = (0..50).map(|n| nat(&format!("10.200.200.{n}/32"))).chain((100..104).map(stale)).collect();
    assert_eq!(guarded(1, vec![table("rtb-1", beside)], PRUNE, None), []);
}

#[test]
fn a_duplicate_that_goes_is_one_of_the_routes_that_stand() {
    let beside = |n: u8| ObservedRoute { name: Some(format!("surplus-{n}")), ..astray(right(n)) };
    let held = |duplicates: u8| {
        let topology = topology(12);
        let routes = (0..12).map(right).chain((0..duplicates).map(beside)).collect();
        let plan = Plan::new(&topology, &seen(&topology, vec![table("n", routes)]), GCP, Policy::default());
        names(&guard(&topology, &plan, None))
    };
    assert_eq!(held(5), Vec::<&str>::new(), "5 of 17");
    assert_eq!(held(6), [TOO_MANY], "6 of 18");
}

#[test]
fn two_tables_are_judged_together() {
    let tables = |pruned| vec![table("rtb-1", with_stale(6, pruned)), table("rtb-2", (0..6).map(right).collect())];
    assert_eq!(guarded(6, tables(2), PRUNE, None), [], "2 of 14");
    let both = |pruned| vec![table("rtb-1", with_stale(6, pruned)), table("rtb-2", with_stale(6, pruned))];
    assert_eq!(guarded(6, both(2), PRUNE, None), [], "4 of 16");
    assert_eq!(names(&guarded(6, both(3), PRUNE, None)), [TOO_MANY], "6 of 18, and 3 of 9 in each");
    let few = |pruned| vec![table("rtb-1", with_stale(2, pruned)), table("rtb-2", with_stale(2, pruned))];
    assert_eq!(guarded(2, few(2), PRUNE, None), [], "4 of 8");
    assert_eq!(names(&guarded(2, few(3), PRUNE, None)), [TOO_MANY], "6 of 10, and 5 in each");
}

#[test]
fn a_table_that_loses_much_is_held_whatever_stands_in_the_others() {
    let four = |lost: u8, of: u8| {
        let whole = |id: &str| table(id, (0..20).map(right).collect());
        vec![whole("rtb-1"), table("rtb-2", with_stale(of - lost, lost)), whole("rtb-3"), whole("rtb-4")]
    };
    for limit in [None, Some("25%"), Some("30%")] {
        let held = guarded(20, four(20, 20), PRUNE, limit);
        assert_eq!(names(&held), [TOO_MANY], "{limit:?}");
        let told = held[0].message.as_str();
        assert!(told.starts_with("20 (100%) of the 20 routes in table `rtb-2` whose next hop still exists"), "{told}");
        assert!(held[0].help.ends_with("say --max-deletes 20"), "{}", held[0].help);
    }
    assert_eq!(guarded(20, four(6, 20), PRUNE, None), [], "30 in a hundred of one");
    assert_eq!(names(&guarded(20, four(7, 20), PRUNE, None)), [TOO_MANY], "35 in a hundred of one");
    assert_eq!(guarded(20, four(9, 9), PRUNE, None), [], "nine have no shares");
    assert_eq!(guarded(20, four(9, 9), PRUNE, Some("25%")), [], "nor by a share that is named for all");
    // What the help says lets it pass.
    assert_eq!(guarded(20, four(20, 20), PRUNE, Some("20")), []);
    assert_eq!(guarded(20, four(20, 20), PRUNE, Some("100%")), []);
    assert_eq!(names(&guarded(20, four(20, 20), PRUNE, Some("19"))), [TOO_MANY]);
    // Two of them, in one breath.
    let mut two = four(20, 20);
    two.push(table("rtb-5", with_stale(5, 5)));
    two.extend((6..9).map(|n| table(&format!("rtb-{n}"), (0..20).map(right).collect())));
    let held = guarded(20, two, PRUNE, None);
    assert_eq!(names(&held), [TOO_MANY]);
    assert!(held[0].message.contains("`rtb-2`") && held[0].message.contains("`rtb-5`"), "{}", held[0].message);
    assert!(held[0].help.ends_with("say --max-deletes 25"), "{}", held[0].help);
}

#[test]
fn nobody_to_route_to_is_held_whatever_is_allowed() {
    let none = |tables, policy, limit| guarded(0, tables, policy, limit);
    let stale_ones = || vec![table("rtb-1", with_stale(0, 12))];
    assert_eq!(names(&none(stale_ones(), PRUNE, Some("100%"))), [NO_WORKERS]);
    assert_eq!(names(&none(stale_ones(), PRUNE, None)), [NO_WORKERS, TOO_MANY]);
    assert_eq!(names(&none(vec![table("rtb-1", Vec::new())], Policy::default(), None)), [NO_WORKERS]);
    let held = none(stale_ones(), Policy::default(), None);
    assert_eq!(names(&held), [NO_WORKERS]);
    assert!(held[0].message.contains("0 workers") && held[0].message.contains("12 routes"), "{}", held[0].message);
    assert!(held[0].help.contains("kroutes destroy") && !held[0].help.contains("--max-deletes"), "{}", held[0].help);
}

#[test]
fn nothing_is_deleted_while_not_everything_could_be_read_and_all_else_goes_on() {
    let topology = topology(3);
    let unread = |kind| Reading { wanted: "rtb-2".to_owned(), table: Err(Error::new(kind, "no")) };
    let failed = || Error::new(ErrorKind::PermissionDenied, "not allowed to look `i-9` up");
    let held = |policy, table_error: Option<ErrorKind>, unproved: bool, limit| {
        let mut observation = seen(&topology, vec![table("rtb-1", vec![right(0), astray(right(1)), stale(9)])]);
        observation.tables.extend(table_error.map(unread));
        observation.unproved.extend(unproved.then(failed));
        let plan = Plan::new(&topology, &observation, EC2, policy);
        guard(&topology, &plan, limit)
    };
    let all = Some(MaxDeletes::Percent(100));
    assert_eq!(held(PRUNE, None, false, None), []);
    assert_eq!(names(&held(PRUNE, Some(ErrorKind::Unavailable), false, all)), [INCOMPLETE]);
    assert_eq!(names(&held(PRUNE, None, true, all)), [INCOMPLETE]);
    assert_eq!(names(&held(PRUNE, Some(ErrorKind::PermissionDenied), true, None)), [INCOMPLETE]);
    // A creation and a replacement are planned, and go on.
    assert_eq!(held(Policy::default(), Some(ErrorKind::Unavailable), true, None), []);
    // A table that is not there hides no route.
    assert_eq!(held(PRUNE, Some(ErrorKind::NotFound), false, None), []);
    let told = held(PRUNE, Some(ErrorKind::Unavailable), false, None);
    assert!(told[0].message.contains("1 route would") && told[0].message.contains("`rtb-2`"), "{}", told[0].message);
    assert!(!told[0].help.contains("--max-deletes"), "{}", told[0].help);
}

proptest! {
    #[test]
    fn what_passes_leaves_at_least_seventy_in_a_hundred_of_what_stands(
        kinds in prop::collection::vec(0..6u8, 0..60),
        prune in any::<bool>(),
    ) {
        let topology = topology(40);
        let routes: Vec<ObservedRoute> = (0..).zip(&kinds).map(|(n, kind)| match kind {
            0 => astray(right(n)),
            1 => gone(stale(n)),
            2 => ObservedRoute { deviation: Some("other tags".to_owned()), ..right(n) },
            _ => right(n),
        }).collect();
        let before = routes.iter().filter(|seen| seen.leads_somewhere()).count();
        let observation = seen(&topology, vec![table("rtb-1", routes.clone())]);
        let plan = Plan::new(&topology, &observation, EC2, Policy { prune, take_over: false });
        if before < MaxDeletes::FEW || !guard(&topology, &plan, None).is_empty() {
            return Ok(());
        }
        let taken: Vec<&ObservedRoute> = plan.readable().flat_map(|one| &one.changes).flat_map(Change::was).collect();
        let left = routes.iter().filter(|seen| seen.leads_somewhere() && !taken.contains(seen)).count();
        prop_assert!(left * 10 >= before * 7, "{left} of {before} are left");
    }
}

fn told(plan: &Plan) -> Vec<String> {
    let changes = plan.readable().flat_map(|one| &one.changes);
    changes.map(|change| format!("{} {}", change.action(), change.destination())).collect()
}

fn narrowed(topology: &Topology, scope: &[&str]) -> Topology {
    let scope: Vec<_> = scope.iter().map(|net| net.parse().expect("net")).collect();
    topology.clone().narrowed_to(&scope)
}

#[test]
fn outside_of_its_part_nothing_is_wanted_and_nothing_is_stale() {
    let topology = topology(3);
    let routes = || vec![astray(right(0)), stale(90), stale(91), nat("10.200.92.0/24"), nat("0.0.0.0/0")];
    let planned = |scope: &[&str], policy| {
        let part = narrowed(&topology, scope);
        let plan = Plan::new(&part, &seen(&topology, vec![table("rtb-1", routes())]), EC2, policy);
        let one = plan.readable().next().expect("a table").clone();
        (told(&plan), one.stale.len(), one.foreign)
    };
    assert_eq!(planned(&["10.200.1.0/24"], PRUNE), (vec!["create 10.200.1.0/24".to_owned()], 0, 0));
    assert_eq!(planned(&["10.200.90.0/24"], PRUNE), (vec!["delete 10.200.90.0/24".to_owned()], 0, 0));
    assert_eq!(planned(&["10.200.90.0/23"], Policy::default()), (vec![], 2, 0));
    assert_eq!(planned(&["10.200.90.0/24", "10.200.92.0/24"], Policy::default()), (vec![], 1, 1));
    // A route is inside of it wholly, or outside.
    assert_eq!(planned(&["10.200.90.0/25"], PRUNE), (vec![], 0, 0));
    assert_eq!(planned(&[], PRUNE), (vec![], 0, 0));
    // What lies over two parts is inside of neither.
    let over_both = vec![stale(90), route("10.200.90.0/23", "i-former", Life::Live)];
    let part = narrowed(&topology, &["10.200.90.0/24", "10.200.91.0/24", "10.200.90.0/25"]);
    let plan = Plan::new(&part, &seen(&topology, vec![table("rtb-1", over_both)]), EC2, PRUNE);
    assert_eq!(told(&plan), ["delete 10.200.90.0/24"]);
}

#[test]
fn the_claim_is_set_and_blocked_as_without_a_part() {
    let topology = topology(2);
    let claim = |routes: Vec<ObservedRoute>, scope: &[&str]| {
        let seen_now = seen(&topology, vec![Table { claims: Vec::new(), ..table("rtb-1", routes) }]);
        let plan = Plan::new(&narrowed(&topology, scope), &seen_now, EC2, Policy::default());
        plan.readable().next().expect("a table").claim.clone()
    };
    let whole = Claim::parse("kubernetes", "10.200.0.0/16");
    assert_eq!(claim(Vec::new(), &["10.200.1.0/24"]), ClaimState::ToSet(whole));
    assert_eq!(claim(vec![right(1)], &["10.200.1.0/24"]), ClaimState::None, "nothing to write there");
    let stranger = route("10.200.99.0/24", "i-stranger", Life::Live);
    let blocked = ClaimState::Blocked("10.200.99.0/24 -> i-stranger".to_owned());
    assert_eq!(claim(vec![stranger], &["10.200.1.0/24"]), blocked);
}

#[test]
fn what_is_wrong_outside_of_the_part_is_neither_told_nor_mended() {
    let topology = topology(3).leaving_out(vec![
        left_out("elsewhere", &["10.200.50.0/24"], true),
        left_out("rangeless", &[], false),
        left_out("garbled", &[], true),
    ]);
    let check = |n: u8| Finding {
        code: "source-dest-check",
        severity: Severity::Error,
        worker: Some(format!("worker-{n}").parse().expect("name")),
        table: None,
        message: "source/dest check is on".to_owned(),
        fix: Some(Fix::SourceDestCheckOff {
            worker: format!("worker-{n}").parse().expect("name"),
            target: NextHop::Instance(format!("i-{n}")),
        }),
    };
    let mut observation = seen(&topology, vec![table("rtb-1", vec![right(0), right(1)])]);
    observation.findings = vec![check(0), check(2)];
    let (_, lost) = topology.ranges().nth(2).expect("the third");
    observation.next_hops.insert(lost, Err(Error::new(ErrorKind::Unavailable, "no answer")));
    observation.unproved.push(Error::new(ErrorKind::Unavailable, "no answer of `i-9`"));

    let there = Plan::new(&narrowed(&topology, &["10.200.1.0/24"]), &observation, EC2, Policy::default());
    assert!(there.is_empty() && there.is_complete(), "{there:#?}");
    let codes: Vec<_> = there.findings.iter().map(|finding| (finding.code, finding.severity)).collect();
    assert_eq!(codes, [("left-out", Severity::Warning)], "the garbled one may belong there: nobody knows");
    assert!(Verdict::new(&narrowed(&topology, &["10.200.1.0/24"]), &observation, EC2).ok);

    let here = Plan::new(&narrowed(&topology, &["10.200.0.0/24"]), &observation, EC2, Policy::default());
    assert_eq!(here.fixes().count(), 1);
    let third = Plan::new(&narrowed(&topology, &["10.200.2.0/24"]), &observation, EC2, Policy::default());
    assert_eq!(third.unresolved.len(), 1);
    assert!(!third.is_complete());
    let all = Plan::new(&topology, &observation, EC2, Policy::default());
    assert_eq!((all.unresolved.len(), all.fixes().count(), all.unproved.len()), (3, 2, 2));
    // Whose the routes in it are may depend on the look-up that failed.
    let unknown = route("10.200.1.128/25", "i-9", Life::Unknown("no answer".to_owned()));
    observation.tables[0].table.as_mut().expect("the table").routes.push(unknown);
    let unsure = Plan::new(&narrowed(&topology, &["10.200.1.0/24"]), &observation, EC2, Policy::default());
    assert!(!unsure.is_complete(), "{unsure:#?}");
}

#[test]
fn a_guard_judges_the_part_that_is_looked_at() {
    let topology = topology(100);
    let routes: Vec<_> = (0..100).map(right).chain((100..112).map(stale)).collect();
    let observation = seen(&topology, vec![table("rtb-1", routes)]);
    let held = |topology: &Topology| {
        let plan = Plan::new(topology, &observation, EC2, PRUNE);
        names(&guard(topology, &plan, None))
    };
    assert_eq!(held(&topology), Vec::<&str>::new(), "12 of 112");
    assert_eq!(held(&narrowed(&topology, &["10.200.96.0/20"])), [TOO_MANY], "12 of 16");
}

fn left_out(name: &str, ranges: &[&str], is_fault: bool) -> LeftOut {
    LeftOut {
        name: name.parse().expect("name"),
        pod_cidrs: ranges.iter().map(|cidr| cidr.parse().expect("cidr")).collect(),
        why: Error::new(ErrorKind::Invalid, format!("`{name}` cannot be used")),
        is_fault,
    }
}
