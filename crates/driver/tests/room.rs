//! Tables that are full, or will be: how much is sent, and what is said of the rest.

use std::net::IpAddr;
use std::sync::Arc;

use kroutes_core::memory::{Call, Character};
use kroutes_core::{Cluster, ErrorKind, MachineRef, MemoryBackend, Topology, Worker};
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

/// Applies, whatever the guard would say.
async fn apply(backend: &MemoryBackend, topology: &Topology) -> Report {
    let max_deletes = Some("100%".parse().expect("a limit"));
    let settings = Settings { max_deletes, ..Settings::default() };
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
