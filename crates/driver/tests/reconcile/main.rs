//! Plan, apply, verify and destroy over a cloud in memory: one scenario a test, each with what goes wrong.

mod halves;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use kroutes_core::memory::{Call, Character, Failure, Machine};
use kroutes_core::{
    ClaimState, Cluster, Destination, Error, ErrorKind, MachineRef, MemoryBackend, Policy, Topology, Worker,
};
use kroutes_driver::{NotApplied, Outcome, Planned, Reconciler, Report, Settings};
use tokio::time::{Instant, advance};

fn topology(workers: u8) -> Topology {
    let cluster = Cluster {
        name: "kubernetes".parse().expect("name"),
        pod_cidrs: vec!["10.200.0.0/16".parse().expect("cidr")],
        service_cidrs: Vec::new(),
    };
    let worker = |n: u8| Worker {
        name: format!("worker-{n}").parse().expect("name"),
        pod_cidrs: vec![format!("10.200.{n}.0/24").parse().expect("cidr")],
        addresses: vec![IpAddr::from([10, 240, 0, 20 + n])],
        machine: MachineRef::Name(format!("worker-{n}")),
    };
    Topology::new(cluster, (0..workers).map(worker).collect()).expect("sound")
}

struct Scene {
    backend: MemoryBackend,
    topology: Topology,
    settings: Settings,
}

impl Scene {
    fn new(workers: u8) -> Self {
        Self::of(workers, Character::ec2())
    }

    fn of(workers: u8, character: Character) -> Self {
        let topology = topology(workers);
        let backend = MemoryBackend::for_topology(&topology, character);
        Self { backend, topology, settings: Settings::default() }
    }

    fn pruning(mut self) -> Self {
        self.settings.policy = Policy { prune: true, take_over: false };
        self
    }

    fn reconciler(&self) -> Reconciler {
        Reconciler::new(Arc::new(self.backend.clone()), self.topology.clone(), self.settings.clone()).expect("possible")
    }

    async fn plan(&self) -> Planned {
        self.reconciler().plan().await.expect("a plan")
    }

    async fn apply(&self) -> Report {
        self.reconciler().apply(self.plan().await, &|_| {}).await.expect("a report")
    }

    async fn destroy(&self) -> Report {
        let reconciler = self.reconciler();
        let planned = reconciler.plan_destroy().await.expect("a plan");
        reconciler.apply(planned, &|_| {}).await.expect("a report")
    }

    fn destinations(&self) -> Vec<String> {
        let routes = self.backend.routes(&self.backend.table());
        let mut found: Vec<_> = routes.iter().map(|route| route.destination.to_string()).collect();
        found.sort();
        found
    }
}

fn at(destination: &str) -> Destination {
    Destination::net(destination.parse().expect("net"))
}

fn outcome<'a>(report: &'a Report, destination: &str) -> &'a Outcome {
    let mut changes = report.tables.iter().flat_map(|table| &table.changes);
    let found = changes.find(|(change, _)| change.destination() == at(destination));
    &found.unwrap_or_else(|| panic!("no change of {destination} in {report:#?}")).1
}

fn refused(kind: ErrorKind) -> Error {
    Error::new(kind, "refused by the test").with_retryable(false)
}

#[tokio::test(start_paused = true)]
async fn three_routes_are_made_read_back_and_judged() {
    let scene = Scene::new(3);
    let report = scene.apply().await;
    assert!(report.is_clean());
    assert!(report.verdict.expect("a verdict").ok);
    assert_eq!(report.tables[0].claim, ClaimState::Ours);
    assert_eq!(scene.destinations(), ["10.200.0.0/24", "10.200.1.0/24", "10.200.2.0/24", "10.240.0.0/16"]);
}

/// aws/eks-hybrid#650 and flannel's awsvpc: a rerun failed because the route existed, or made it again.
#[tokio::test(start_paused = true)]
async fn a_rerun_makes_no_write() {
    let scene = Scene::new(3);
    scene.apply().await;
    scene.backend.start_afresh();
    let report = scene.apply().await;
    assert_eq!(scene.backend.writes().len(), 0);
    assert!(report.verdict.expect("a verdict").ok);
}

/// cloud-provider-azure#11003 and #11007: a failed write was reported as success for two years.
#[tokio::test(start_paused = true)]
async fn a_failed_write_reaches_the_report_and_hides_no_other() {
    let scene = Scene::new(3);
    scene.backend.fail(Failure::of(Call::Create, refused(ErrorKind::Invalid)).on(at("10.200.1.0/24")));
    let report = scene.apply().await;
    assert_eq!(outcome(&report, "10.200.1.0/24").as_str(), "failed");
    assert_eq!(outcome(&report, "10.200.0.0/24").as_str(), "done");
    assert_eq!(outcome(&report, "10.200.2.0/24").as_str(), "done");
    assert!(!report.is_clean());
    assert!(!report.verdict.expect("a verdict").ok);
}

/// cloud-provider-azure#11003: success in one table hid failure in another.
#[tokio::test(start_paused = true)]
async fn the_verdict_is_of_all_tables() {
    let scene = Scene::new(2);
    let second = scene.backend.add_table("rtb-1");
    scene.backend.fail(Failure::of(Call::Create, refused(ErrorKind::Invalid)).on_table(&second).for_ever());
    let report = scene.apply().await;
    let done = |n: usize| report.tables[n].changes.iter().filter(|(_, outcome)| outcome.is_done()).count();
    assert_eq!((done(0), done(1)), (2, 0));
    assert!(!report.verdict.expect("a verdict").ok);
}

#[tokio::test(start_paused = true)]
async fn without_credentials_the_rest_is_skipped() {
    let mut scene = Scene::new(10);
    scene.settings.concurrency = 1;
    scene.backend.fail(Failure::of(Call::Create, refused(ErrorKind::Unauthenticated)).from_nth(3).for_ever());
    let tally = scene.apply().await.tally();
    assert_eq!(scene.backend.calls(Call::Create), 3);
    let creations = scene.backend.writes().iter().filter(|write| write.call == Call::Create).count();
    assert_eq!((creations, tally.failed), (3, 1), "the third is refused, and none follows");
    assert_eq!(tally.done + tally.skipped, 19);
}

/// kubernetes#17627 and #41671: quota exhausted, tried again every ten seconds for ever.
#[tokio::test(start_paused = true)]
async fn a_full_table_takes_no_more_creations_but_everything_else_goes_on() {
    let mut scene = Scene::of(10, Character::ec2().with_quota(4));
    scene.settings.concurrency = 1;
    let report = scene.apply().await;
    let tally = report.tally();
    assert_eq!(tally.failed, 1, "{tally:?}");
    assert_eq!(scene.backend.calls(Call::Create) as usize, tally.done - 10 + 1);
    assert_eq!(tally.done + tally.failed + tally.skipped, 20);
    assert!(report.verdict.expect("a verdict").plan.findings.iter().any(|finding| finding.code == "routes-quota"));
}

/// EC2's eventual consistency: the next listing after a create does not see it yet.
#[tokio::test(start_paused = true)]
async fn a_listing_that_lags_is_waited_for() {
    let scene = Scene::of(3, Character::ec2().with_lag(4));
    let report = scene.apply().await;
    assert!(report.is_clean(), "{report:#?}");
    assert!(scene.backend.calls(Call::List) >= 4);
}

#[tokio::test(start_paused = true)]
async fn what_never_shows_is_unconfirmed_after_a_bounded_time() {
    let scene = Scene::of(2, Character::ec2().with_lag(10_000));
    let start = Instant::now();
    let report = scene.apply().await;
    assert_eq!(outcome(&report, "10.200.0.0/24").as_str(), "unconfirmed");
    assert!(!report.is_clean());
    assert!(start.elapsed() <= scene.settings.settle + Duration::from_secs(1), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_table_that_cannot_be_read_back_confirms_nothing_and_nothing_is_deleted_from_it() {
    let scene = Scene::new(2).pruning();
    let table = scene.backend.table();
    let first = scene.backend.machine_of(&scene.topology.workers()[0]).expect("a machine").id;
    scene.backend.plant(&table, scene.backend.our_route("10.200.77.0/24".parse().expect("net"), &first));
    scene.backend.fail(Failure::of(Call::List, refused(ErrorKind::PermissionDenied)).for_ever());
    let report = scene.apply().await;
    assert_eq!(outcome(&report, "10.200.0.0/24").as_str(), "unconfirmed");
    assert_eq!(outcome(&report, "10.200.77.0/24").as_str(), "skipped");
    assert_eq!(scene.backend.calls(Call::Delete), 0);
    assert!(!report.errors.is_empty());
}

/// The old blackhole's delete ran beside the create for the same CIDR and removed the new route.
#[tokio::test(start_paused = true)]
async fn a_delete_is_refused_if_the_route_changed_since_it_was_listed() {
    let scene = Scene::new(1).pruning();
    let table = scene.backend.table();
    scene.apply().await;
    let first = scene.backend.machine_of(&scene.topology.workers()[0]).expect("a machine").id;
    let stale = "10.200.77.0/24".parse().expect("net");
    scene.backend.plant(&table, scene.backend.our_route(stale, &first));
    let planned = scene.plan().await;
    scene.backend.add_machine(Machine::new("i-other", "other", []));
    scene.backend.uproot(&table, &Destination::Net(stale));
    scene.backend.plant(&table, scene.backend.route_to(stale, "i-other"));
    advance(Duration::from_mins(1)).await;
    let report = scene.reconciler().apply(planned, &|_| {}).await.expect("a report");
    assert_eq!(outcome(&report, "10.200.77.0/24").as_str(), "failed");
    assert!(scene.destinations().contains(&"10.200.77.0/24".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn after_a_long_confirmation_what_has_moved_is_left_alone_and_the_rest_is_done() {
    let scene = Scene::new(2);
    let table = scene.backend.table();
    let planned = scene.plan().await;
    scene.backend.plant(&table, scene.backend.route_elsewhere(at("10.200.0.0/24"), "nat-gateway", "nat-1"));
    advance(Duration::from_mins(1)).await;
    let report = scene.reconciler().apply(planned, &|_| {}).await.expect("a report");
    let moved = outcome(&report, "10.200.0.0/24").error().expect("an error").kind();
    assert_eq!(moved, ErrorKind::Conflict);
    assert_eq!(outcome(&report, "10.200.1.0/24").as_str(), "done");
    assert!(scene.backend.writes().iter().all(|write| write.destination != Some(at("10.200.0.0/24"))));
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_appears_while_the_user_thinks_refuses_everything() {
    let scene = Scene::new(2);
    let planned = scene.plan().await;
    let claim = kroutes_core::Claim::parse("other", "10.200.0.0/16");
    scene.backend.set_claim(&scene.backend.table(), claim);
    advance(Duration::from_mins(1)).await;
    let error = scene.reconciler().apply(planned, &|_| {}).await.expect_err("refused");
    assert!(matches!(error, NotApplied::Refused(_)), "{error:?}");
    assert_eq!(scene.backend.writes().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_permission_to_tag_kroutes_works_on_without_a_claim() {
    let scene = Scene::new(2);
    // The claim is the first fix that is written.
    scene.backend.fail(Failure::of(Call::Fix, refused(ErrorKind::PermissionDenied)));
    let report = scene.apply().await;
    assert_eq!(report.tables[0].claim, ClaimState::Denied);
    assert!(report.is_clean());
    assert!(report.verdict.expect("a verdict").ok);
}

#[tokio::test(start_paused = true)]
async fn the_claim_comes_before_the_first_write_and_goes_after_the_last() {
    let scene = Scene::new(2);
    scene.apply().await;
    assert!(matches!(scene.backend.writes()[0].fix, Some(kroutes_core::Fix::SetClaim { .. })));
    scene.backend.start_afresh();
    let report = scene.destroy().await;
    assert!(report.is_clean());
    assert!(matches!(scene.backend.writes().last().expect("writes").fix, Some(kroutes_core::Fix::DropClaim { .. })));
    assert_eq!(scene.destinations(), ["10.240.0.0/16"]);
}

#[tokio::test(start_paused = true)]
async fn a_destroy_that_leaves_a_route_keeps_the_claim_and_says_so() {
    let scene = Scene::new(2);
    scene.apply().await;
    scene.backend.fail(Failure::of(Call::Delete, refused(ErrorKind::PermissionDenied)).on(at("10.200.1.0/24")));
    let report = scene.destroy().await;
    assert_eq!(report.remaining, 1);
    assert!(!report.is_clean());
    assert_eq!(scene.backend.claims(&scene.backend.table()).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_cannot_be_removed_is_an_error() {
    let scene = Scene::new(1);
    scene.apply().await;
    scene.backend.fail(Failure::of(Call::Fix, refused(ErrorKind::PermissionDenied)));
    let report = scene.destroy().await;
    assert_eq!((report.remaining, report.errors.len()), (0, 1));
    assert!(!report.is_clean());
}

/// With the claim, the route of a worker that has left the topology is still known to be ours.
#[tokio::test(start_paused = true)]
async fn a_worker_that_left_the_topology_leaves_no_orphan() {
    let mut scene = Scene::new(3).pruning();
    scene.apply().await;
    scene.topology = topology(2);
    let report = scene.apply().await;
    assert_eq!(outcome(&report, "10.200.2.0/24").as_str(), "done");
    assert_eq!(scene.destinations(), ["10.200.0.0/24", "10.200.1.0/24", "10.240.0.0/16"]);
}

#[tokio::test(start_paused = true)]
async fn a_stale_route_stays_while_what_it_covers_has_no_route_of_its_own() {
    let scene = Scene::new(2).pruning();
    let table = scene.backend.table();
    let first = scene.backend.machine_of(&scene.topology.workers()[0]).expect("a machine").id;
    scene.backend.plant(&table, scene.backend.our_route("10.200.0.0/23".parse().expect("net"), &first));
    scene.backend.fail(Failure::of(Call::Create, refused(ErrorKind::Invalid)).on(at("10.200.1.0/24")));
    let report = scene.apply().await;
    assert_eq!(outcome(&report, "10.200.0.0/23").as_str(), "skipped");
    assert!(scene.destinations().contains(&"10.200.0.0/23".to_owned()));
}

/// A create that had succeeded, and whose answer was lost, is settled by reading.
#[tokio::test(start_paused = true)]
async fn an_answer_that_was_lost_is_settled_by_reading_back() {
    let scene = Scene::new(2);
    let lost = Error::new(ErrorKind::Unavailable, "the connection was dropped");
    scene.backend.fail(Failure::of(Call::Create, lost).on(at("10.200.0.0/24")).after_the_effect());
    let report = scene.apply().await;
    assert_eq!(outcome(&report, "10.200.0.0/24").as_str(), "done");
    assert!(report.is_clean());
}

#[tokio::test(start_paused = true)]
async fn once_stopped_no_new_call_begins_and_the_rest_is_skipped() {
    let mut scene = Scene::new(10);
    scene.settings.concurrency = 1;
    let stop = scene.settings.stop.clone();
    scene.backend.before(Call::Create, 4, move |_| stop.stop());
    let report = scene.apply().await;
    assert!(report.interrupted && report.verdict.is_none());
    assert_eq!(scene.backend.calls(Call::Create), 4, "the call under way is finished, and none follows");
    let tally = report.tally();
    assert!(tally.skipped >= 6 && tally.done + tally.skipped == 20, "{tally:?}");
    assert_eq!(scene.backend.calls(Call::List), 1, "it looks once how things stand");
    assert!(
        report.after.tables.iter().all(|reading| reading.table.as_ref().is_ok_and(|table| table.routes.len() >= 4))
    );
}

/// hcloud-ccm#1280: an IPv6 pod CIDR where it is not supported was retried for ever.
#[tokio::test(start_paused = true)]
async fn ipv6_where_there_is_none_is_one_error_before_any_call() {
    let cluster = Cluster {
        name: "kubernetes".parse().expect("name"),
        pod_cidrs: vec!["fd00:10:64::/48".parse().expect("cidr")],
        service_cidrs: Vec::new(),
    };
    let worker = Worker {
        name: "worker-0".parse().expect("name"),
        pod_cidrs: vec!["fd00:10:64:1::/64".parse().expect("cidr")],
        addresses: Vec::new(),
        machine: MachineRef::Name("worker-0".to_owned()),
    };
    let topology = Topology::new(cluster, vec![worker]).expect("sound");
    let backend = MemoryBackend::for_topology(&topology, Character::ec2().with_ipv6(false));
    let error = Reconciler::new(Arc::new(backend.clone()), topology, Settings::default()).expect_err("unsupported");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(backend.calls(Call::Observe), 0);
}

/// deckhouse#14215: a restart in mid-work left orphans that blocked new routes. Killed before any call, the next run
/// converges.
#[tokio::test(start_paused = true)]
async fn killed_before_any_call_the_next_run_converges() {
    for last in 1..=12 {
        let scene = Scene::new(3).pruning();
        let table = scene.backend.table();
        let first = scene.backend.machine_of(&scene.topology.workers()[0]).expect("a machine").id;
        for stale in ["10.200.0.0/24", "10.200.1.0/24", "10.200.77.0/24"] {
            scene.backend.plant(&table, scene.backend.our_route(stale.parse().expect("net"), &first));
        }
        let dead = refused(ErrorKind::Unavailable);
        scene.backend.fail(Failure::of_any(Call::ALL, dead).from_nth(last).for_ever());
        let reconciler = scene.reconciler();
        if let Ok(planned) = reconciler.plan().await {
            let _killed = reconciler.apply(planned, &|_| {}).await;
        }
        scene.backend.clear_failures();
        let report = scene.apply().await;
        assert!(report.verdict.expect("a verdict").ok, "killed before call {last}");
        assert_eq!(scene.destinations(), ["10.200.0.0/24", "10.200.1.0/24", "10.200.2.0/24", "10.240.0.0/16"]);
        for destination in ["10.200.0.0/24", "10.200.1.0/24"] {
            assert_eq!(scene.backend.gaps(&table, &at(destination)), 0, "{destination} went without a route");
        }
    }
}

/// While one table was written and read back, somebody put a route of his own into another, where only a deletion was due.
#[tokio::test(start_paused = true)]
async fn a_table_that_nothing_was_added_to_is_read_again_before_anything_is_deleted_from_it() {
    let scene = Scene::of(2, Character::ec2().with_lag(5)).pruning();
    let (first, second) = (scene.backend.table(), scene.backend.add_table("rtb-1"));
    scene.apply().await;
    let worker = scene.backend.machine_of(&scene.topology.workers()[0]).expect("a machine").id;
    let stale = "10.200.77.0/24".parse().expect("net");
    scene.backend.uproot(&first, &at("10.200.1.0/24"));
    scene.backend.plant(&second, scene.backend.our_route(stale, &worker));
    scene.backend.add_machine(Machine::new("i-other", "other", []));
    scene.backend.start_afresh();
    let theirs = scene.backend.route_to(stale, "i-other");
    let table = second.clone();
    // The third listing is one of those that wait for the creation in the first table to show.
    scene.backend.before(Call::List, 3, move |backend| {
        backend.uproot(&table, &Destination::Net(stale));
        backend.plant(&table, theirs);
    });
    let report = scene.apply().await;
    assert_eq!(outcome(&report, "10.200.1.0/24").as_str(), "done");
    assert_eq!(outcome(&report, "10.200.77.0/24").as_str(), "failed");
    assert_eq!(scene.backend.calls(Call::Delete), 0);
}

/// A route that was ours only by the claim, and the claim went while the user was asked.
#[tokio::test(start_paused = true)]
async fn a_route_that_stopped_being_ours_while_the_user_was_asked_is_left_alone() {
    let mut scene = Scene::new(3).pruning();
    scene.apply().await;
    scene.topology = topology(2);
    let planned = scene.plan().await;
    scene.backend.set_claim(&scene.backend.table(), kroutes_core::Claim::parse("kubernetes", "10.200.0.0/23"));
    advance(Duration::from_mins(1)).await;
    let report = scene.reconciler().apply(planned, &|_| {}).await.expect("a report");
    assert_eq!(outcome(&report, "10.200.2.0/24").as_str(), "failed");
    assert!(scene.destinations().contains(&"10.200.2.0/24".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn what_carries_the_packets_of_a_worker_that_was_not_found_is_not_pruned() {
    let scene = Scene::new(2).pruning();
    let table = scene.backend.table();
    let workers = scene.topology.workers();
    let first = scene.backend.machine_of(&workers[0]).expect("a machine").id;
    let second = scene.backend.machine_of(&workers[1]).expect("a machine").id;
    scene.backend.plant(&table, scene.backend.our_route("10.200.0.0/23".parse().expect("net"), &first));
    scene.backend.terminate(&second);
    let planned = scene.plan().await;
    assert_eq!(planned.plan.readable().next().expect("a table").stale.len(), 1, "it is told, and stays");
    scene.apply().await;
    assert!(scene.destinations().contains(&"10.200.0.0/23".to_owned()));
}

/// Whoever allowed no time for waiting still wants to know how an interrupted run left things.
#[tokio::test(start_paused = true)]
async fn the_last_look_of_an_interrupted_run_has_its_own_time() {
    for call in [Call::Create, Call::List] {
        let mut scene = Scene::new(3);
        scene.settings.settle = Duration::ZERO;
        let stop = scene.settings.stop.clone();
        scene.backend.before(call, 1, move |_| stop.stop());
        let report = scene.apply().await;
        assert!(report.interrupted && report.errors.is_empty(), "{:?}", report.errors);
        assert_eq!(report.tally().unconfirmed, 0, "{report:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_everything_has_moved_no_claim_is_written_either() {
    let scene = Scene::new(2);
    let (table, planned) = (scene.backend.table(), scene.plan().await);
    for (destination, to) in [("10.200.0.0/24", 1), ("10.200.1.0/24", 0)] {
        let machine = scene.backend.machine_of(&scene.topology.workers()[to]).expect("a machine").id;
        scene.backend.plant(&table, scene.backend.our_route(destination.parse().expect("net"), &machine));
    }
    advance(Duration::from_mins(1)).await;
    let report = scene.reconciler().apply(planned, &|_| {}).await.expect("a report");
    assert_eq!(report.tally().failed, 2);
    assert_eq!(scene.backend.claims(&table).len(), 0);
    assert!(scene.backend.writes().iter().all(|write| write.destination.is_none()));
}
