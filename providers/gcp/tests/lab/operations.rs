//! Promises: an answer of 200 is an operation, which may fail, never end or vanish.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kroutes_core::{ErrorKind, RouteBackend, TableId};
use kroutes_gcp::GcpSettings;
use kroutes_lab::{Fault, FaultKind, Options};
use serde_json::json;

use crate::bench::{Bench, NAME, POD, impatient, open_at, pod, route, seed, settings, via};
use crate::stub::{Stub, reply};

fn failing(code: &str, status: u16, message: &str) -> FaultKind {
    FaultKind::OperationError { code: code.to_owned(), status, message: message.to_owned() }
}

/// kubernetes#17627, #41671: a quota that is used up was tried again every ten seconds for ever.
#[tokio::test]
async fn a_full_network_is_told_once_as_a_quota_although_the_answer_was_200() {
    let options = Options { network_routes_limit: 1, ..Options::default() };
    let bench = Bench::with(seed(2), options, impatient()).await;
    bench.create(POD, 0).await;
    bench.calls();
    let error = bench.try_create(&pod(1), 1).await.expect_err("full");
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::QuotaExceeded, false));
    assert!(!error.is_ambiguous());
    assert!(error.message().contains("Quota 'STATIC_ROUTES_PER_NETWORK' exceeded.  Limit: 1.0"), "{error}");
    assert_eq!(error.get("code"), Some("QUOTA_EXCEEDED"));
    assert_eq!((error.get("table"), error.get("destination")), (Some("kubernetes"), Some("10.200.1.0/24")));
    assert!(error.get("operation").is_some_and(|name| name.starts_with("operation-")), "{error:?}");
    assert_eq!(bench.calls()["routes.insert"], 1, "waiting does not help");
}

#[tokio::test]
async fn an_operation_that_keeps_failing_for_the_moment_is_given_up_with_its_reason() {
    let bench = Bench::patient(1).await;
    let busy =
        failing("RESOURCE_NOT_READY", 400, "The resource 'projects/lab/global/networks/kubernetes' is not ready");
    bench.lab.add_fault(Fault::new(busy).on("routes.insert"));
    let error = bench.hurried(bench.try_create(POD, 0)).await.expect_err("never ready");
    assert_eq!((error.kind(), error.is_retryable(), error.is_ambiguous()), (ErrorKind::Unavailable, true, false));
    assert_eq!(error.get("code"), Some("RESOURCE_NOT_READY"));
    assert_eq!(bench.calls()["routes.insert"], 3);
    assert_eq!(bench.held(POD), []);
}

/// Compute can find out only in the operation that the name is taken, or that there is nothing left to delete.
#[tokio::test]
async fn exists_and_not_found_inside_an_operation_mean_what_they_mean_at_once() {
    let bench = Bench::slow(1, Duration::from_millis(300)).await;
    let (backend, table) = (bench.backend.clone(), bench.table.clone());
    let create = tokio::spawn(async move { backend.create_route(&table, &route(POD, 0)).await });
    while bench.operations().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bench.put("kubernetes-route-10-200-0-0-24", crate::bench::theirs("kubernetes", POD, via(0)));
    create.await.expect("no panic").expect("an identical one is there");
    assert_eq!(bench.operations()[0].failure.as_ref().expect("failed").code, "RESOURCE_ALREADY_EXISTS");
    assert_eq!(bench.held(POD).len(), 1);

    let listed = bench.entries(POD).await.remove(0);
    let (backend, table) = (bench.backend.clone(), bench.table.clone());
    let delete = tokio::spawn(async move { backend.delete_route(&table, &listed, None).await });
    while bench.operations().len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bench.lab.change(|cloud| cloud.compute.remove_route("kubernetes-route-10-200-0-0-24"));
    delete.await.expect("no panic").expect("absent is ok");
    assert_eq!(bench.operations()[1].failure.as_ref().expect("failed").code, "RESOURCE_NOT_FOUND");
}

#[tokio::test]
async fn an_operation_that_never_ends_is_given_up_in_bounded_time_and_leaves_the_write_open() {
    let bench = Bench::new(1).await;
    let listed = bench.create(POD, 0).await;
    let hurried = bench.another(&GcpSettings { operation_timeout: 1, ..bench.settings() }).await;
    bench.lab.add_fault(Fault::new(FaultKind::OperationStuck));

    let create = hurried.create_route(&bench.table, &route(&pod(1), 0)).await.expect_err("stuck");
    let delete = hurried.delete_route(&bench.table, &listed, None).await.expect_err("stuck");
    for error in [create, delete] {
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, false));
        assert!(error.is_ambiguous(), "nobody knows what became of it: {error}");
        assert!(error.message().ends_with("did not end within 1 s"), "{error}");
        assert!(error.get("help").is_some_and(|help| help.contains("`operation-timeout`")), "{error:?}");
    }
    let calls = bench.calls();
    assert_eq!((calls["routes.insert"], calls["routes.delete"]), (2, 1), "asked for once each");
}

#[tokio::test]
async fn an_operation_that_vanishes_is_settled_by_reading() {
    let bench = Bench::new(1).await;
    bench.lab.add_fault(Fault::new(FaultKind::OperationLost));
    let listed = bench.create(POD, 0).await;
    bench.backend.delete_route(&bench.table, &listed, None).await.expect("deleted");
    assert_eq!(bench.held(POD), []);
    let calls = bench.calls();
    assert_eq!((calls["routes.insert"], calls["routes.delete"]), (1, 1));
}

/// Where the list is not to be had, each operation is asked for by name.
#[tokio::test]
async fn without_permission_to_list_operations_each_is_asked_for_by_name() {
    let bench = Bench::slow(2, Duration::from_millis(100)).await;
    bench.lab.change(|cloud| cloud.denied.insert("compute.globalOperations.list".to_owned()));
    let listed = bench.create(POD, 0).await;
    bench.backend.delete_route(&bench.table, &listed, None).await.expect("deleted");
    assert!(bench.calls()["globalOperations.get"] >= 2);
}

/// A refusal is for the whole run, and five hundred operations one after the other would take minutes.
#[tokio::test]
async fn a_refused_listing_is_not_asked_for_again_and_operations_are_looked_at_together() {
    const FEW: usize = 4;
    let bench = Bench::new(FEW).await;
    bench.lab.change(|cloud| cloud.denied.insert("compute.globalOperations.list".to_owned()));
    let mut writes = tokio::task::JoinSet::new();
    for index in 0..FEW {
        let (backend, table) = (bench.backend.clone(), bench.table.clone());
        writes.spawn(async move { backend.create_route(&table, &route(&pod(index), index)).await });
    }
    writes.join_next().await.expect("one").expect("no panic").expect("created");
    assert_eq!(bench.gate.counts().get("globalOperations.get"), Some(&(FEW as u64)), "before the first has ended");
    for written in writes.join_all().await {
        written.expect("created");
    }
    bench.create(POD, 0).await;
    bench.observe(&crate::bench::workers(FEW + 1)).await;
    assert_eq!(bench.calls()["globalOperations.list"], 1);
}

/// What was awaited is nearly always on the first page: a project with many operations cost three pages a look.
#[tokio::test]
async fn a_look_ends_with_the_page_that_shows_all_that_is_awaited() {
    let looks = AtomicUsize::new(0);
    let stub = Stub::start(move |line, _| {
        let target = "projects/lab/global/routes/kubernetes-route-10-200-0-0-24";
        let operation = |status: &str| {
            json!({"name": "operation-1", "status": status, "operationType": "insert", "targetLink": target})
        };
        if line.starts_with("POST") {
            return reply(200, &operation("PENDING").to_string());
        }
        let status = if looks.fetch_add(1, Ordering::Relaxed) < 2 { "RUNNING" } else { "DONE" };
        let page = json!({"kind": "compute#operationList", "items": [operation(status)], "nextPageToken": "more"});
        reply(200, &page.to_string())
    })
    .await;
    let (backend, _) = open_at(&stub.url, &settings("lab", NAME), impatient()).await;
    backend.create_route(&TableId(NAME.to_owned()), &route(POD, 0)).await.expect("created");
    let asked = stub.asked();
    assert_eq!(asked.len(), 4, "one insert and three looks: {asked:?}");
    assert!(asked.iter().all(|line| !line.contains("pageToken")), "{asked:?}");
}

/// Whoever may do neither cannot see the end of a write, and is told what to allow; reading settles it.
#[tokio::test]
async fn without_permission_to_see_operations_a_write_is_settled_by_reading() {
    let bench = Bench::new(1).await;
    bench.lab.change(|cloud| {
        for permission in ["compute.globalOperations.list", "compute.globalOperations.get"] {
            cloud.denied.insert(permission.to_owned());
        }
    });
    bench.create(POD, 0).await;
    assert_eq!(bench.calls()["routes.insert"], 1);
}

/// A look that fails is a look, not an end.
#[tokio::test]
async fn looks_that_fail_are_followed_by_others() {
    let bench = Bench::slow(1, Duration::from_millis(400)).await;
    for kind in [FaultKind::ServerError, FaultKind::DropBefore, FaultKind::CutShort] {
        bench.lab.add_fault(Fault::new(kind).on("globalOperations.list").times(2));
    }
    bench.create(POD, 0).await;
    assert_eq!(bench.calls()["routes.insert"], 1);
}

/// One look is for all who wait: five hundred operations at once cost a few listings and no `wait`.
#[tokio::test]
async fn five_hundred_operations_at_once_cost_a_few_listings() {
    const MANY: usize = 500;
    let options = Options { operation_delay: Duration::from_secs(3), network_routes_limit: 1000, ..Options::default() };
    let patience = kroutes_core::GateSettings {
        attempt_timeout: Duration::from_secs(20),
        total: Duration::from_mins(1),
        ..impatient()
    };
    let bench = Bench::with(seed(MANY), options, patience.clone()).await;
    let settings = GcpSettings { operation_timeout: 60, ..bench.settings() };
    let (backend, _) = open_at(&bench.lab.compute_endpoint(), &settings, patience).await;
    let backend = std::sync::Arc::new(backend);
    let failures = 3;
    let refused = failing("QUOTA_EXCEEDED", 403, "Quota 'ROUTES' exceeded.  Limit: 497.0 globally.");
    bench.lab.add_fault(Fault::new(refused).on("routes.insert").times(failures));
    bench.calls();

    let mut writes = tokio::task::JoinSet::new();
    for index in 0..MANY {
        let (backend, table) = (backend.clone(), bench.table.clone());
        writes.spawn(async move { backend.create_route(&table, &route(&pod(index), index)).await });
    }
    let refused: Vec<_> = writes.join_all().await.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len() as u64, failures);
    for error in &refused {
        assert!(error.message().contains("Quota 'ROUTES' exceeded"), "the reason reaches the caller: {error}");
    }
    let calls = bench.calls();
    assert_eq!(calls["routes.insert"], MANY as u64);
    assert_eq!(calls.get("globalOperations.wait"), None);
    let looks: u64 = ["globalOperations.list", "globalOperations.get"].iter().filter_map(|name| calls.get(*name)).sum();
    assert!(looks <= 25, "{looks} looks for {MANY} operations: {calls:?}");
    assert!(bench.lab.most_operations() > 100, "they were under way together: {}", bench.lab.most_operations());
}

/// Two of one process may wait for one operation: whoever finds a name taken waits for what has it.
#[tokio::test]
async fn two_who_wait_for_one_operation_are_both_told() {
    let bench = Bench::slow(1, Duration::from_millis(600)).await;
    let mut writes = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let (backend, table) = (bench.backend.clone(), bench.table.clone());
        writes.spawn(async move { backend.create_route(&table, &route(POD, 0)).await });
    }
    for written in writes.join_all().await {
        written.expect("one makes it, and the others find it made");
    }
    assert_eq!((bench.held(POD).len(), bench.operations().len()), (1, 1));
}

/// One of many that wait gives up, perhaps just while it looks for all; the others do not notice.
#[tokio::test]
async fn whoever_stops_waiting_takes_nothing_from_the_others() {
    let bench = Bench::slow(4, Duration::from_millis(700)).await;
    let mut writes = Vec::new();
    for index in 0..4 {
        let (backend, table) = (bench.backend.clone(), bench.table.clone());
        writes.push(tokio::spawn(async move { backend.create_route(&table, &route(&pod(index), index)).await }));
    }
    while bench.operations().len() < 4 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for (write, wait) in writes.drain(..2).zip([260, 100]) {
        tokio::time::sleep(Duration::from_millis(wait)).await;
        write.abort();
    }
    for write in writes {
        write.await.expect("no panic").expect("created");
    }
    assert_eq!(bench.calls()["routes.insert"], 4);
}
