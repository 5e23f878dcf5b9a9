//! What holds in every world: two characters of cloud, other people's routes, claims, faults, lag.
//!
//! Each case is one world, drawn from a seed that a failure prints (and that proptest then keeps in a file beside this
//! one). The clock is tokio's, paused.

use std::sync::Arc;

use kroutes_core::memory::Call;
use kroutes_core::{Destination, MemoryBackend, ObservedRoute, Plan, Policy, Topology};
use kroutes_driver::{Outcome, Reconciler, Report, Settings};
use kroutes_testkit::worlds::{World, observe, troubled_worlds, worlds};
use proptest::prelude::*;

fn reconciler(backend: &MemoryBackend, topology: &Topology, policy: Policy) -> Reconciler {
    let settings = Settings { policy, ..Settings::default() };
    Reconciler::new(Arc::new(backend.clone()), topology.clone(), settings).expect("the backend can do it")
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

async fn apply(backend: &MemoryBackend, world: &World, policy: Policy) -> Option<Report> {
    let reconciler = reconciler(backend, &world.topology, policy);
    let planned = reconciler.plan().await.ok()?;
    reconciler.apply(planned, &|_| {}).await.ok()
}

async fn destroy(backend: &MemoryBackend, world: &World) -> Option<Report> {
    let reconciler = reconciler(backend, &world.topology, Policy::default());
    let planned = reconciler.plan_destroy().await.ok()?;
    reconciler.apply(planned, &|_| {}).await.ok()
}

fn plan(backend: &MemoryBackend, world: &World, policy: Policy) -> Plan {
    let capabilities = world.character.capabilities;
    Plan::new(&world.topology, &observe(backend, &world.topology), capabilities, policy)
}

fn policies() -> impl Strategy<Value = Policy> {
    (any::<bool>(), any::<bool>()).prop_map(|(prune, take_over)| Policy { prune, take_over })
}

fn same(a: &ObservedRoute, b: &ObservedRoute) -> bool {
    a.is_same_entry(b) && a.marked == b.marked && a.origin == b.origin
}

/// Every write stays inside the cluster CIDR, no two meet on one destination, and no route of anybody else's has changed.
fn harmless(backend: &MemoryBackend, world: &World, untouchable: &[ObservedRoute]) -> Result<(), TestCaseError> {
    for write in backend.writes() {
        if let Some(destination) = &write.destination {
            let inside = destination.as_net().is_some_and(|net| world.topology.cluster().contains(&net));
            prop_assert!(inside, "a write outside the cluster CIDR: {write:?}");
        }
    }
    prop_assert_eq!(backend.overlaps(), Vec::<Destination>::new(), "two writes at once on one destination");
    let now = backend.routes(&backend.table());
    for route in untouchable {
        prop_assert!(now.iter().any(|other| same(other, route)), "touched: {route:?}");
    }
    Ok(())
}

/// Wanted destinations that had a route of ours or a right one never went without one.
fn no_gaps(backend: &MemoryBackend, world: &World) -> Result<(), TestCaseError> {
    for (_, cidr) in world.topology.ranges() {
        prop_assert_eq!(backend.gaps(&backend.table(), &Destination::Net(cidr.net())), 0, "{} had a gap", cidr);
    }
    Ok(())
}

/// What is called done is there, and what is called failed is not.
fn truthful(backend: &MemoryBackend, report: &Report) -> Result<(), TestCaseError> {
    for table in &report.tables {
        let routes = backend.routes(&table.id);
        for (change, outcome) in &table.changes {
            let there = change.want().is_none_or(|want| routes.iter().any(|route| route.is_as_wanted(want)));
            let left = change.was().iter().any(|was| {
                routes.iter().any(|route| {
                    route.is_same_entry(was) && !change.want().is_some_and(|want| route.is_as_wanted(want))
                })
            });
            match outcome {
                Outcome::Done => prop_assert!(there && !left, "called done: {change:?}"),
                Outcome::Failed(error) => prop_assert!(!there || left, "called failed ({error}): {change:?}"),
                Outcome::Skipped(_) | Outcome::Unconfirmed(_) => {}
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn after_an_apply_the_plan_is_empty_and_nobody_elses_route_has_changed(world in worlds(), prune in any::<bool>()) {
        let policy = Policy { prune, take_over: false };
        let backend = world.backend();
        let untouchable = world.untouchable(&backend);
        let Some(report) = block(apply(&backend, &world, policy)) else { return Ok(()) };
        harmless(&backend, &world, &untouchable)?;
        no_gaps(&backend, &world)?;
        truthful(&backend, &report)?;
        prop_assert!(report.is_clean(), "{report:?}");
        let again = plan(&backend, &world, policy);
        prop_assert!(again.is_empty(), "{again:#?}");
        backend.start_afresh();
        let second = block(apply(&backend, &world, policy)).expect("a second run");
        prop_assert_eq!(backend.writes().len(), 0, "a rerun made a write");
        prop_assert_eq!(second.verdict.map(|verdict| verdict.ok), report.verdict.map(|verdict| verdict.ok));
    }

    #[test]
    fn with_take_over_every_wanted_destination_is_ours_in_the_end(world in worlds(), prune in any::<bool>()) {
        let policy = Policy { prune, take_over: true };
        let backend = world.backend();
        let Some(report) = block(apply(&backend, &world, policy)) else { return Ok(()) };
        truthful(&backend, &report)?;
        no_gaps(&backend, &world)?;
        let again = plan(&backend, &world, policy);
        prop_assert!(again.is_empty(), "{again:#?}");
    }

    #[test]
    fn destroy_removes_what_is_ours_and_leaves_the_rest_as_it_was(world in worlds()) {
        let backend = world.backend();
        let untouchable = world.untouchable(&backend);
        let Some(_) = block(apply(&backend, &world, Policy::default())) else { return Ok(()) };
        let Some(report) = block(destroy(&backend, &world)) else { return Ok(()) };
        harmless(&backend, &world, &untouchable)?;
        prop_assert_eq!(report.remaining, 0, "{:?}", report);
        let name = world.topology.cluster().name.as_str();
        prop_assert!(backend.claims(&backend.table()).iter().all(|claim| claim.cluster != name), "the claim is left");
        backend.start_afresh();
        let again = block(destroy(&backend, &world)).expect("a second destroy");
        prop_assert_eq!(backend.writes().len(), 0, "a second destroy made a write");
        prop_assert!(again.is_clean());
    }

    #[test]
    fn whatever_fails_the_report_is_true_and_a_run_without_faults_converges(world in troubled_worlds(), policy in policies()) {
        let backend = world.backend();
        let untouchable = world.untouchable(&backend);
        world.start_trouble(&backend);
        if let Some(report) = block(apply(&backend, &world, policy)) {
            truthful(&backend, &report)?;
        }
        if !policy.take_over {
            harmless(&backend, &world, &untouchable)?;
        }
        no_gaps(&backend, &world)?;
        backend.clear_failures();
        let Some(_) = block(apply(&backend, &world, policy)) else { return Ok(()) };
        let again = plan(&backend, &world, policy);
        prop_assert!(again.is_empty(), "{again:#?}");
    }

    /// external-dns#2232: changes made under dry run. There is no dry run to forget; the backend panics on a write.
    #[test]
    fn planning_and_verifying_never_write(world in worlds(), policy in policies()) {
        let backend = world.backend();
        backend.forbid_writes();
        let reconciler = reconciler(&backend, &world.topology, policy);
        let _plan = block(reconciler.plan());
        let _destroy = block(reconciler.plan_destroy());
        let _verdict = block(reconciler.verify());
        prop_assert_eq!(backend.calls(Call::Create) + backend.calls(Call::Replace) + backend.calls(Call::Delete), 0);
    }

    #[test]
    fn the_order_of_the_input_does_not_matter(world in worlds(), policy in policies(), turn in any::<prop::sample::Index>()) {
        let observation = observe(&world.backend(), &world.topology);
        let capabilities = world.character.capabilities;
        let mut workers = world.topology.workers().to_vec();
        let mut turned = observation.clone();
        if !workers.is_empty() {
            let by = turn.index(workers.len());
            workers.rotate_left(by);
            workers.reverse();
        }
        turned.tables.reverse();
        for reading in &mut turned.tables {
            if let Ok(table) = &mut reading.table {
                table.routes.reverse();
            }
        }
        turned.findings.reverse();
        let topology = Topology::new(world.topology.cluster().clone(), workers).expect("the same topology");
        let one = Plan::new(&world.topology, &observation, capabilities, policy);
        let other = Plan::new(&topology, &turned, capabilities, policy);
        prop_assert_eq!(format!("{:?}", one), format!("{:?}", other));
    }
}
