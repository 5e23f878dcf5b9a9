//! What is asked of Compute, and under which id: a request whose answer is lost is repeated, and must not act twice.

use std::collections::BTreeSet;

use kroutes_core::RouteBackend;
use kroutes_lab::{Fault, FaultKind};

use crate::bench::{Bench, NAME, POD, USUAL, impatient, open_at, route, settings};
use crate::stub::{Stub, reply};

/// All ways to lose the answer to a write that was taken.
const LOST: [FaultKind; 3] = [FaultKind::DropAfter, FaultKind::ServerErrorAfter, FaultKind::CutShort];

/// A create that had succeeded came back as an error after a dropped connection.
#[tokio::test]
async fn the_attempts_of_one_insert_share_their_request_id() {
    for kind in LOST {
        let bench = Bench::new(1).await;
        bench.lab.add_fault(Fault::new(kind.clone()).on("routes.insert").times(2));
        bench.create(POD, 0).await;
        let calls = bench.calls();
        assert_eq!((calls["routes.insert"], calls.get("routes.get")), (3, None), "{kind:?}: known again by its id");
        assert_eq!((bench.held(POD).len(), bench.operations().len()), (1, 1), "{kind:?}");
    }
}

#[tokio::test]
async fn the_attempts_of_one_deletion_share_their_request_id() {
    for kind in LOST {
        let bench = Bench::new(1).await;
        let listed = bench.create(POD, 0).await;
        bench.lab.add_fault(Fault::new(kind.clone()).on("routes.delete").times(2));
        bench.backend.delete_route(&bench.table, &listed, None).await.expect("deleted");
        assert_eq!(bench.calls()["routes.delete"], 3, "{kind:?}");
        assert_eq!((bench.held(POD).len(), bench.operations().len()), (0, 2), "{kind:?}: one insert, one delete");
    }
}

/// Compute ignores a request whose id it has seen, so what failed has to be asked for under a new one.
#[tokio::test]
async fn an_operation_that_failed_for_the_moment_is_asked_for_anew_under_a_new_id() {
    let not_ready = FaultKind::OperationError {
        code: "RESOURCE_NOT_READY".to_owned(),
        status: 400,
        message: "The resource 'projects/lab/global/networks/kubernetes' is not ready".to_owned(),
    };
    let bench = Bench::patient(1).await;
    bench.lab.add_fault(Fault::new(not_ready.clone()).on("routes.insert").times(1));
    let listed = bench.hurried(bench.create(POD, 0)).await;
    bench.lab.add_fault(Fault::new(not_ready).on("routes.delete").times(1));
    bench.hurried(bench.backend.delete_route(&bench.table, &listed, None)).await.expect("deleted");

    let operations = bench.operations();
    let failed: Vec<bool> = operations.iter().map(|operation| operation.failure.is_some()).collect();
    assert_eq!(failed, [true, false, true, false]);
    let ids: BTreeSet<_> = operations.iter().map(|operation| operation.client_operation_id.clone()).collect();
    assert_eq!((ids.len(), ids.contains(&None)), (4, false), "{ids:?}");
    assert_eq!(bench.held(POD), []);
}

/// Two writes of one run are two requests.
#[tokio::test]
async fn every_write_has_a_request_id_of_its_own() {
    let bench = Bench::new(1).await;
    for _ in 0..2 {
        let listed = bench.create(POD, 0).await;
        bench.backend.delete_route(&bench.table, &listed, None).await.expect("deleted");
    }
    let ids: BTreeSet<_> = bench.operations().into_iter().map(|operation| operation.client_operation_id).collect();
    assert_eq!((ids.len(), ids.contains(&None)), (4, false), "{ids:?}");
}

/// The same, looked at on the wire.
#[tokio::test]
async fn a_repeated_request_bears_the_id_of_the_first() {
    let stub = Stub::start(|line, _| match line {
        line if line.starts_with("GET") && line.contains("/global/routes/") => reply(200, &listed().to_string()),
        // Closed without a word: whether it was done is open.
        _ => String::new(),
    })
    .await;
    let (backend, _) = open_at(&stub.url, &settings("lab", NAME), impatient()).await;
    let table = kroutes_core::TableId(NAME.to_owned());
    backend.create_route(&table, &route(POD, 0)).await.expect("found when it was read");
    let asked = stub.asked();
    let ids: Vec<&str> =
        asked.iter().filter_map(|line| line.split("requestId=").nth(1)?.split(['&', ' ']).next()).collect();
    assert_eq!(ids.len(), 3, "{asked:?}");
    assert!(ids.iter().all(|id| *id == ids[0] && id.len() == 36), "{ids:?}");
}

fn listed() -> serde_json::Value {
    serde_json::json!({"name": USUAL, "network": "projects/lab/global/networks/kubernetes", "destRange": POD,
        "priority": 1000, "nextHopIp": "10.240.0.30", "description": "kroutes cluster=kubernetes"})
}
