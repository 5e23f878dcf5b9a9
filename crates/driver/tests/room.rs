//! Tables that are full, or will be: how much is sent, and what is said of the rest.

use std::net::IpAddr;
use std::sync::Arc;

use kroutes_core::memory::{Call, Character, Failure};
use kroutes_core::{Change, Cluster, Destination, Error, ErrorKind, MachineRef, MemoryBackend, Topology, Worker};
use kroutes_driver::{Outcome, Reconciler, Report, Settings};

fn topology(workers: u8, dual: bool) -> Topology {
    let cluster = Cluster {
        name: "kubernetes".parse().expect("name"),
        pod_cidrs: ["10.200.0.0/16", "fd00:200::/48"].map(|cidr| cidr.parse().expect("cidr")).to_vec(),
        service_cidrs: Vec::new(),
    };
    let worker = |n: u8| {
        let v4 = format!("10.200.{n}.0/24").parse().expect("cidr");
        let v6 = dual.then(|| format!("fd00:200:0:{n:x}::/64").parse().expect("cidr"));
        Worker {
            name: format!("worker-{n}").parse().expect("name"),
            pod_cidrs: [v4].into_iter().chain(v6).collect(),
            addresses: vec![IpAddr::from([10, 240, 0, 20 + n])],
            machine: MachineRef::Name(format!("worker-{n}")),
        }
    };
    Topology::new(cluster, (0..workers).map(worker).collect()).expect("sound")
}

async fn apply(backend: &MemoryBackend, topology: &Topology) -> Report {
    apply_with(backend, topology, Settings::default()).await
}

/// Applies, whatever the guard would say.
async fn apply_with(backend: &MemoryBackend, topology: &Topology, settings: Settings) -> Report {
    let max_deletes = Some("100%".parse().expect("a limit"));
    let settings = Settings { max_deletes, ..settings };
    let reconciler = Reconciler::new(Arc::new(backend.clone()), topology.clone(), settings).expect("possible");
    reconciler.apply(reconciler.plan().await.expect("a plan"), &|_| {}).await.expect("a report")
}

/// Changes of a family that ended so.
fn count(report: &Report, ipv6: bool, word: &str) -> usize {
    let changes = report.tables.iter().flat_map(|table| &table.changes);
    let of_family =
        changes.filter(|(change, _)| change.want().is_some_and(|route| route.destination.is_ipv6() == ipv6));
    of_family.filter(|(_, outcome)| outcome.as_str() == word).count()
}

/// kubernetes#17627 and #41671: quota exhausted, tried again every ten seconds for ever.
#[tokio::test(start_paused = true)]
async fn of_what_does_not_fit_one_is_tried_however_many_go_side_by_side() {
    for character in [Character::ec2(), Character::gcp()] {
        let topology = topology(40, false);
        let backend = MemoryBackend::for_topology(&topology, character.with_quota(14));
        let report = apply(&backend, &topology).await;
        let done = count(&report, false, "done");
        assert!((10..=14).contains(&done), "{done}");
        assert_eq!(count(&report, false, "failed"), 1);
        assert_eq!(count(&report, false, "skipped"), 39 - done);
        assert_eq!(backend.calls(Call::Create) as usize, done + 1);
        for outcome in report.outcomes() {
            assert!(outcome.error().is_none_or(|error| error.kind() == ErrorKind::QuotaExceeded), "{outcome:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_family_has_its_own_room_where_it_is_counted_so() {
    let topology = topology(20, true);
    let backend = MemoryBackend::for_topology(&topology, Character::ec2().with_quota(8));
    let report = apply(&backend, &topology).await;
    for ipv6 in [false, true] {
        assert!(count(&report, ipv6, "done") >= 6, "{ipv6}");
        assert_eq!(count(&report, ipv6, "failed"), 1, "{ipv6}");
    }
}

/// A route that is made beside the old one needs room for a moment only.
#[tokio::test(start_paused = true)]
async fn many_routes_are_replaced_where_there_is_room_for_one_more() {
    let topology = topology(20, false);
    let backend = MemoryBackend::for_topology(&topology, Character::gcp());
    assert!(apply(&backend, &topology).await.is_clean());
    let table = backend.table();
    let full = u32::try_from(backend.routes(&table).len()).expect("few");
    // Everybody leads to somebody else's machine, as after a mix-up.
    let routes = backend.routes(&table);
    backend.edit(&table, |held| {
        for (route, other) in held.iter_mut().zip(routes.iter().cycle().skip(1)) {
            route.next_hops.clone_from(&other.next_hops);
        }
    });
    backend.set_quota(&table, full);
    let report = apply(&backend, &topology).await;
    assert_eq!((count(&report, false, "failed"), count(&report, false, "skipped")), (1, 19));
    backend.set_quota(&table, full + 1);
    let report = apply(&backend, &topology).await;
    assert!(report.outcomes().all(Outcome::is_done), "{report:#?}");
}

/// A cloud like Google's whose table has room for one more route, where so many workers have routes to the wrong machine
/// and one more has none.
fn wrong_and_one_missing(wrong: u8, missing: u8, seed: u64) -> (MemoryBackend, Topology) {
    let topology = topology(wrong + 1, false);
    let backend = MemoryBackend::for_topology(&topology, Character::gcp());
    backend.set_seed(seed);
    let table = backend.table();
    let machine_of = |nth: u8| backend.machine_of(&topology.workers()[usize::from(nth)]).expect("a machine").id;
    for nth in (0..=wrong).filter(|nth| *nth != missing) {
        let destination = format!("10.200.{nth}.0/24").parse().expect("net");
        backend.plant(&table, backend.our_route(destination, &machine_of((nth + 1) % (wrong + 1))));
    }
    let used = u32::try_from(backend.routes(&table).len()).expect("few");
    backend.set_quota(&table, used + 1);
    (backend, topology)
}

/// The creation that took the last place would leave a full table of routes that nobody can replace.
#[tokio::test(start_paused = true)]
async fn a_creation_does_not_take_the_place_that_replacements_are_made_in() {
    for seed in 0..40 {
        for (concurrency, missing) in [(64, 0), (64, 5), (1, 0), (1, 5), (2, 3)] {
            let (backend, topology) = wrong_and_one_missing(5, missing, seed);
            let report = apply_with(&backend, &topology, Settings { concurrency, ..Settings::default() }).await;
            let what = format!("seed {seed}, concurrency {concurrency}, missing {missing}: {report:#?}");
            assert!(report.outcomes().all(Outcome::is_done), "{what}");
            assert!(report.verdict.as_ref().is_some_and(|verdict| verdict.ok), "{what}");
        }
    }
}

/// A creation waits for the end of replacements, whatever it is.
#[tokio::test(start_paused = true)]
async fn a_creation_that_waits_gets_its_turn_when_a_replacement_fails() {
    for seed in 0..20 {
        for concurrency in [1, 64] {
            let (backend, topology) = wrong_and_one_missing(5, 2, seed);
            let refused = Error::new(ErrorKind::PermissionDenied, "refused by the test");
            backend.fail(Failure::of(Call::Replace, refused).from_nth(2));
            let report = apply_with(&backend, &topology, Settings { concurrency, ..Settings::default() }).await;
            let words = ["done", "failed", "skipped"].map(|word| count(&report, false, word));
            assert_eq!(words, [5, 1, 0], "seed {seed}, concurrency {concurrency}: {report:#?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_waits_is_skipped_when_the_replacements_are_interrupted() {
    for seed in 0..20 {
        for concurrency in [1, 64] {
            let (backend, topology) = wrong_and_one_missing(5, 2, seed);
            let settings = Settings { concurrency, ..Settings::default() };
            let stop = settings.stop.clone();
            backend.before(Call::Replace, 3, move |_| stop.stop());
            let report = apply_with(&backend, &topology, settings).await;
            assert!(report.interrupted);
            assert_eq!(backend.calls(Call::Create), 0, "seed {seed}");
            let words = ["done", "failed", "skipped"].map(|word| count(&report, false, word));
            assert_eq!(words, [3, 0, 3], "seed {seed}, concurrency {concurrency}: {report:#?}");
        }
    }
}

/// The limit is not always what it was said to be, and other writers fill a table too.
#[tokio::test(start_paused = true)]
async fn a_creation_that_is_refused_stops_no_replacement_that_has_a_place() {
    for seed in 0..20 {
        let (backend, topology) = wrong_and_one_missing(5, 2, seed);
        let table = backend.table();
        let used = u32::try_from(backend.routes(&table).len()).expect("few");
        backend.set_quota(&table, used + 2);
        let full = Error::new(ErrorKind::QuotaExceeded, "refused by the test");
        backend.fail(Failure::of(Call::Create, full).on(Destination::net("10.200.2.0/24".parse().expect("net"))));
        let settings = Settings { concurrency: 1, ..Settings::default() };
        let report = apply_with(&backend, &topology, settings).await;
        for (change, outcome) in report.tables.iter().flat_map(|table| &table.changes) {
            assert_eq!(outcome.is_done(), matches!(change, Change::Replace { .. }), "seed {seed}: {report:#?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_table_is_tried_once_by_replacements_and_no_creation_waits_for_ever() {
    for seed in 0..20 {
        let (backend, topology) = wrong_and_one_missing(5, 2, seed);
        let table = backend.table();
        backend.set_quota(&table, u32::try_from(backend.routes(&table).len()).expect("few"));
        let report = apply(&backend, &topology).await;
        let words = ["done", "failed", "skipped"].map(|word| count(&report, false, word));
        assert_eq!(words, [0, 1, 5], "seed {seed}: {report:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_leaves_no_room_to_replace_routes_says_so() {
    let told = async |backend: &MemoryBackend, topology: &Topology| -> Vec<String> {
        let reconciler = Reconciler::new(Arc::new(backend.clone()), topology.clone(), Settings::default());
        let plan = reconciler.expect("possible").plan().await.expect("a plan").plan;
        let quota = plan.findings.into_iter().filter(|finding| finding.code == "routes-quota");
        quota.map(|finding| finding.message).collect()
    };
    let (backend, topology) = wrong_and_one_missing(5, 2, 0);
    let table = backend.table();
    let used = u32::try_from(backend.routes(&table).len()).expect("few");
    let told_of_last = told(&backend, &topology).await;
    assert!(
        told_of_last[0]
            .ends_with("adds 1: a route is replaced by making the new one first, for which no room will be left"),
        "{told_of_last:?}"
    );
    backend.set_quota(&table, used);
    let told_of_full = told(&backend, &topology).await;
    assert!(
        told_of_full[0].contains("1 will be refused") && told_of_full[0].contains("is replaced"),
        "{told_of_full:?}"
    );
    backend.set_quota(&table, used + 2);
    assert_eq!(told(&backend, &topology).await, Vec::<String>::new());
}
