//! Held back means that nothing is written: the backend panics on a write. And a part of a cluster is written to as if there
//! were nothing else, whatever world it is in.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use kroutes_core::memory::{Character, Machine};
use kroutes_core::{
    Cluster, Destination, Error, ErrorKind, Fix, Held, INCOMPLETE, MachineRef, MaxDeletes, MemoryBackend, NO_WORKERS,
    Policy, TOO_MANY, Topology, Worker,
};
use kroutes_driver::{NotApplied, Planned, Reconciler, Report, Settings};
use kroutes_testkit::worlds::{World, worlds};
use proptest::prelude::*;
use tokio::time::advance;

const PRUNE: Policy = Policy { prune: true, take_over: false };

fn cluster() -> Cluster {
    Cluster {
        name: "kubernetes".parse().expect("name"),
        pod_cidrs: vec!["10.200.0.0/16".parse().expect("cidr")],
        service_cidrs: Vec::new(),
    }
}

fn topology(workers: u8) -> Topology {
    let worker = |n: u8| Worker {
        name: format!("worker-{n}").parse().expect("name"),
        pod_cidrs: vec![format!("10.200.{n}.0/24").parse().expect("cidr")],
        addresses: vec![IpAddr::from([10, 240, 0, 20 + n])],
        machine: MachineRef::Name(format!("worker-{n}")),
    };
    Topology::new(cluster(), (0..workers).map(worker).collect()).expect("sound")
}

fn reconciler(backend: &MemoryBackend, topology: Topology, policy: Policy, limit: Option<MaxDeletes>) -> Reconciler {
    let settings = Settings { policy, max_deletes: limit, ..Settings::default() };
    Reconciler::new(Arc::new(backend.clone()), topology, settings).expect("possible")
}

/// A cloud in which these workers have their routes, and a machine that is nobody's.
async fn provisioned(workers: u8, character: Character) -> MemoryBackend {
    let topology = topology(workers);
    let backend = MemoryBackend::for_topology(&topology, character);
    let first = reconciler(&backend, topology, Policy::default(), None);
    let report = first.apply(first.plan().await.expect("a plan"), &|_| {}).await.expect("a report");
    assert!(report.is_clean(), "{report:?}");
    backend.add_machine(Machine::new("i-other", "other", [IpAddr::from([10, 240, 9, 9])]));
    backend
}

async fn refused(reconciler: &Reconciler, planned: Planned) -> Vec<Held> {
    match reconciler.apply(planned, &|_| {}).await {
        Err(NotApplied::Held(held)) => held,
        other => panic!("not held: {other:?}"),
    }
}

fn names(held: &[Held]) -> Vec<&'static str> {
    held.iter().map(|one| one.guard).collect()
}

/// deckhouse#13350: node objects vanished for a moment, and all routes were deleted.
#[tokio::test(start_paused = true)]
async fn a_plan_that_is_held_back_makes_no_write() {
    for character in [Character::ec2(), Character::gcp()] {
        let backend = provisioned(12, character).await;
        backend.forbid_writes();
        for (workers, held_by) in [(7, &[TOO_MANY][..]), (0, &[NO_WORKERS, TOO_MANY])] {
            let reconciler = reconciler(&backend, topology(workers), PRUNE, None);
            let planned = reconciler.plan().await.expect("a plan");
            assert_eq!(names(&planned.held), held_by);
            assert_eq!(
                planned.plan.readable().map(|table| table.changes.len()).sum::<usize>(),
                12 - usize::from(workers)
            );
            assert_eq!(names(&refused(&reconciler, planned).await), held_by);
        }
        assert_eq!(backend.routes(&backend.table()).len(), 13, "with the local one");
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_is_asked_again_when_the_tables_were_listed_again_and_then_nothing_is_written_either() {
    for character in [Character::ec2(), Character::gcp()] {
        let backend = provisioned(12, character).await;
        let reconciler = reconciler(&backend, topology(11), PRUNE, None);
        let planned = reconciler.plan().await.expect("a plan");
        assert_eq!(planned.held, []);
        // While the user was asked, somebody moved some more.
        let table = backend.table();
        for n in 0..4 {
            let net = format!("10.200.{n}.0/24").parse().expect("net");
            assert_eq!(backend.uproot(&table, &Destination::net(net)), 1);
            backend.plant(&table, backend.our_route(net, "i-other"));
        }
        advance(Duration::from_secs(6)).await;
        backend.forbid_writes();
        let held = refused(&reconciler, planned).await;
        assert_eq!(names(&held), [TOO_MANY]);
        assert!(held[0].message.starts_with("5 (42%) of this cluster's 12 routes"), "{}", held[0].message);
    }
}

#[tokio::test(start_paused = true)]
async fn with_a_limit_that_allows_it_the_same_plan_is_carried_out() {
    let backend = provisioned(12, Character::ec2()).await;
    let allowed = reconciler(&backend, topology(7), PRUNE, Some(MaxDeletes::Routes(5)));
    let report = allowed.apply(allowed.plan().await.expect("a plan"), &|_| {}).await.expect("a report");
    assert_eq!(report.tally().done, 5);
    assert!(report.verdict.expect("a verdict").ok);
}

#[tokio::test(start_paused = true)]
async fn destroying_is_held_back_by_no_share_and_no_empty_list() {
    for workers in [12, 0] {
        let backend = provisioned(12, Character::ec2()).await;
        let all = reconciler(&backend, topology(workers), Policy::default(), Some(MaxDeletes::Routes(0)));
        let planned = all.plan_destroy().await.expect("a plan");
        assert_eq!(planned.held, []);
        let report = all.apply(planned, &|_| {}).await.expect("a report");
        assert_eq!((report.tally().done, report.remaining), (12, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_table_that_cannot_be_read_keeps_deletions_and_nothing_else_from_being_made() {
    let backend = provisioned(11, Character::ec2()).await;
    let second = backend.add_table("rtb-1");
    backend.set_unreadable(&second, Some(Error::new(ErrorKind::PermissionDenied, "not allowed")));
    backend.add_machine(Machine::new("i-11", "worker-11", [IpAddr::from([10, 240, 0, 31])]));
    let without_the_first = |policy| {
        let workers = topology(12).workers()[1..].to_vec();
        reconciler(&backend, Topology::new(cluster(), workers).expect("sound"), policy, None)
    };
    let pruning = without_the_first(PRUNE);
    let before = backend.writes().len();
    assert_eq!(names(&refused(&pruning, pruning.plan().await.expect("a plan")).await), [INCOMPLETE]);
    assert_eq!(backend.writes().len(), before);
    let adding = without_the_first(Policy::default());
    let report = adding.apply(adding.plan().await.expect("a plan"), &|_| {}).await.expect("a report");
    assert_eq!(report.tables[0].changes.iter().filter(|(_, outcome)| outcome.is_done()).count(), 1);
}

/// Runs a future on a clock that jumps.
fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// Without guards, which have tests of their own.
fn applied(backend: &MemoryBackend, topology: &Topology, policy: Policy) -> Report {
    let all = Some(MaxDeletes::Percent(100));
    let reconciler = reconciler(backend, topology.clone(), policy, all);
    block(async {
        let planned = reconciler.plan().await.expect("a plan");
        reconciler.apply(planned, &|_| {}).await.expect("a report")
    })
}

/// Some of the cluster's ranges: workers', and a piece of the cluster.
fn scopes(world: &World, chosen: &[bool], piece: prop::sample::Index) -> Vec<IpNet> {
    let ranges = world.topology.ranges().zip(chosen).filter(|(_, chosen)| **chosen);
    let claims = &world.topology.cluster().pod_cidrs;
    let claim = claims[piece.index(claims.len())].net();
    let longer = (claim.prefix_len() + 2).min(claim.max_prefix_len());
    let piece = claim.subnets(longer).expect("longer").nth(piece.index(4)).unwrap_or(claim);
    ranges.map(|((_, cidr), _)| cidr.net()).chain([piece]).collect()
}

/// Everything of the first table that a plan goes by, in an order of its own.
fn picture(backend: &MemoryBackend) -> Vec<String> {
    let routes = backend.routes(&backend.table());
    let mut all: Vec<String> =
        routes.iter().map(|route| format!("{} {:?} {}", route.destination, route.next_hops, route.marked)).collect();
    all.sort();
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_write_is_outside_of_the_part_and_the_part_and_then_all_is_the_same_as_all(
        world in worlds(),
        chosen in prop::collection::vec(any::<bool>(), 0..20),
        piece in any::<prop::sample::Index>(),
        prune in any::<bool>(),
    ) {
        let policy = Policy { prune, take_over: false };
        let scope = scopes(&world, &chosen, piece);
        let inside = |net: &IpNet| scope.iter().any(|range| range.contains(net));
        let part = world.topology.clone().narrowed_to(&scope);
        let backend = world.backend();
        let first = applied(&backend, &part, policy);
        prop_assert!(first.is_clean(), "{first:?}");
        for write in backend.writes() {
            match (&write.destination, &write.fix) {
                (Some(destination), _) => {
                    let net = destination.as_net();
                    prop_assert!(net.is_some_and(|net| inside(&net)), "outside of {scope:?}: {write:?}");
                }
                (None, Some(Fix::SourceDestCheckOff { worker, .. })) => {
                    let here = part.workers_in_scope().any(|one| one.name == *worker);
                    prop_assert!(here, "outside of {scope:?}: {write:?}");
                }
                _ => {}
            }
        }
        backend.start_afresh();
        applied(&backend, &part, policy);
        prop_assert_eq!(backend.writes().len(), 0, "a rerun made a write");

        applied(&backend, &world.topology, policy);
        let at_once = world.backend();
        applied(&at_once, &world.topology, policy);
        prop_assert_eq!(picture(&backend), picture(&at_once));
    }
}
