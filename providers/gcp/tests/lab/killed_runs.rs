//! What a run that was killed has asked for comes to be without it, perhaps after the next run has looked.

use std::time::Duration;

use kroutes_core::{ErrorKind, RouteBackend};
use kroutes_gcp::GcpSettings;
use kroutes_lab::{Fault, FaultKind};

use crate::bench::{Bench, NAME, POD, USUAL, pod, route, table, via, workers};

/// Asks for routes, and is killed before any of them is there.
async fn kill_a_run_midway(bench: &Bench, settings: &GcpSettings, count: usize) {
    let backend = std::sync::Arc::new(bench.another(settings).await);
    let before = bench.operations().len();
    let mut writes = tokio::task::JoinSet::new();
    for index in 0..count {
        let (backend, table) = (backend.clone(), bench.table.clone());
        writes.spawn(async move { backend.create_route(&table, &route(&pod(index), index)).await });
    }
    while bench.operations().len() < before + count {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    writes.shutdown().await;
}

fn settings_with(bench: &Bench, route_name: &str) -> GcpSettings {
    GcpSettings { route_name: route_name.parse().expect("template"), ..bench.settings() }
}

/// A destroy after a killed apply found nothing, said so, and the routes came afterwards.
#[tokio::test]
async fn routes_that_a_killed_run_asked_for_are_awaited_and_seen() {
    let bench = Bench::slow(3, Duration::from_millis(1200)).await;
    kill_a_run_midway(&bench, &bench.settings(), 3).await;
    assert_eq!(bench.held(POD), [], "they are not there yet");
    bench.calls();

    let observation = bench.observe(&workers(3)).await;
    let ours = table(&observation).routes.iter().filter(|route| route.marked).count();
    assert_eq!(ours, 3, "{:#?}", table(&observation).routes);
    let calls = bench.calls();
    assert_eq!((calls["networks.get"], calls["routes.list"], calls["instances.aggregatedList"]), (1, 2, 1));
    assert_eq!(calls.get("globalOperations.get"), None, "they were followed together");
}

/// The same where it ended after the routes were listed, and before the operations were.
#[tokio::test]
async fn a_route_that_comes_between_the_two_listings_is_seen() {
    let bench = Bench::new(1).await;
    bench.create(POD, 0).await;
    let made = bench.stored(USUAL).expect("there");
    bench.lab.change(|cloud| cloud.compute.remove_route(USUAL));
    let workers = workers(1);
    let reading = bench.observe(&workers);
    let late = async {
        while !bench.lab.calls().contains_key("globalOperations.list") {
            tokio::task::yield_now().await;
        }
        bench.put(USUAL, made);
        std::future::pending::<()>().await;
    };
    bench.lab.reset_calls();
    // The operations come late, so that the route is there by then.
    bench.lab.add_fault(Fault::new(FaultKind::DropBefore).on("globalOperations.list").times(1));
    let observation = tokio::select! {
        observation = reading => observation,
        () = late => unreachable!("it waits for ever"),
    };
    assert!(table(&observation).routes.iter().any(|route| route.marked), "{:?}", table(&observation).routes);
}

/// An apply with other addresses made a second route beside each one that was still to come.
#[tokio::test]
async fn a_run_with_other_addresses_replaces_what_a_killed_run_asked_for() {
    let bench = Bench::slow(2, Duration::from_millis(800)).await;
    kill_a_run_midway(&bench, &bench.settings(), 1).await;
    let observation = bench.observe(&workers(1)).await;
    let listed = table(&observation).routes.iter().find(|route| route.marked).expect("seen").clone();
    bench.backend.replace_route(&bench.table, &listed, &route(POD, 1)).await.expect("replaced");
    let held = bench.held(POD);
    assert_eq!((held.len(), &held[0].1), (1, &via(1)), "{held:?}");
}

/// Names that were cut or got a hash begin as the others do.
#[tokio::test]
async fn routes_under_second_and_shortened_names_are_awaited_too() {
    for template in ["{cluster}-route-{destination}", "a-long-prefix-that-somebody-chose-for-{cluster}-{destination}"] {
        let bench = Bench::slow(1, Duration::from_millis(800)).await;
        let settings = settings_with(&bench, template);
        let backend = bench.another(&settings).await;
        let other = GcpSettings { priority: 900, ..settings.clone() };
        bench.another(&other).await.create_route(&bench.table, &route(POD, 0)).await.expect("its usual name is taken");
        bench.lab.change(|cloud| cloud.compute.routes.values_mut().for_each(|route| route.description.clear()));
        let before = bench.operations().len();
        let asked = async {
            while bench.operations().len() < before + 1 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let wanted = route(POD, 0);
        tokio::select! {
            _ = backend.create_route(&bench.table, &wanted) => panic!("it takes longer"),
            () = asked => {}
        }
        let next = bench.another(&settings).await;
        let observation = next.observe(&workers(1)).await.expect("observation");
        assert_eq!(table(&observation).routes.iter().filter(|route| route.marked).count(), 1, "{template}");
    }
}

#[tokio::test]
async fn an_operation_that_fails_is_awaited_and_leaves_nothing() {
    let bench = Bench::slow(1, Duration::from_millis(600)).await;
    let full = FaultKind::OperationError {
        code: "QUOTA_EXCEEDED".to_owned(),
        status: 403,
        message: "Quota 'ROUTES' exceeded.  Limit: 1.0 globally.".to_owned(),
    };
    bench.lab.add_fault(Fault::new(full).on("routes.insert"));
    kill_a_run_midway(&bench, &bench.settings(), 1).await;
    let observation = bench.observe(&workers(1)).await;
    assert!(table(&observation).routes.iter().all(|route| !route.marked));
}

/// Whoever does not know what comes must not plan.
#[tokio::test]
async fn an_operation_that_never_ends_leaves_the_table_unread() {
    let bench = Bench::new(1).await;
    bench.lab.add_fault(Fault::new(FaultKind::OperationStuck).on("routes.insert").times(1));
    kill_a_run_midway(&bench, &bench.settings(), 1).await;
    let hurried = bench.another(&GcpSettings { operation_timeout: 1, ..bench.settings() }).await;
    let observation = hurried.observe(&workers(1)).await.expect("the rest was read");
    let error = observation.tables[0].table.clone().expect_err("open");
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, false));
    assert!(error.message().contains(&format!("is making route `{USUAL}`")), "{error}");
    assert!(error.message().ends_with("did not end within 1 s"), "{error}");
    assert_eq!(error.get("table"), Some(NAME));
    assert!(error.get("help").is_some_and(|help| help.contains("`operation-timeout`")), "{error:?}");
}

/// The project's other operations are nobody's business here.
#[tokio::test]
async fn operations_on_other_names_are_not_awaited() {
    let bench = Bench::new(1).await;
    bench.lab.add_fault(Fault::new(FaultKind::OperationStuck).on("routes.insert").times(1));
    kill_a_run_midway(&bench, &settings_with(&bench, "theirs-{destination}"), 1).await;
    let observation = bench.observe(&workers(1)).await;
    assert!(observation.tables[0].table.is_ok(), "{:?}", observation.tables);
    assert_eq!(bench.calls()["routes.list"], 1);
}

#[tokio::test]
async fn without_permission_to_list_operations_a_reading_goes_on_without() {
    let bench = Bench::slow(1, Duration::from_secs(2)).await;
    kill_a_run_midway(&bench, &bench.settings(), 1).await;
    bench.lab.change(|cloud| cloud.denied.insert("compute.globalOperations.list".to_owned()));
    let observation = bench.observe(&workers(1)).await;
    assert!(observation.tables[0].table.is_ok(), "{:?}", observation.tables);
    assert_eq!(bench.calls()["routes.list"], 1);
}

/// Operations that could not be listed may hide any route.
#[tokio::test]
async fn where_operations_cannot_be_listed_for_the_moment_the_table_is_unread() {
    let bench = Bench::new(1).await;
    bench.lab.add_fault(Fault::new(FaultKind::ServerError).on("globalOperations.list"));
    let observation = bench.observe(&workers(1)).await;
    assert_eq!(observation.tables[0].table.clone().expect_err("open").kind(), ErrorKind::Unavailable);
}

/// ^C while an operation is awaited.
#[tokio::test]
async fn a_reading_that_waits_can_be_stopped() {
    let bench = Bench::new(1).await;
    bench.lab.add_fault(Fault::new(FaultKind::OperationStuck).on("routes.insert").times(1));
    kill_a_run_midway(&bench, &bench.settings(), 1).await;
    let backend = bench.backend.clone();
    bench.calls();
    let reading = tokio::spawn(async move { backend.observe(&workers(1)).await });
    while !reading.is_finished() && !bench.lab.calls().contains_key("globalOperations.list") {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    bench.gate.stopper().stop();
    let error = reading.await.expect("no panic").expect_err("stopped");
    assert_eq!(error.kind(), ErrorKind::Interrupted);
}
