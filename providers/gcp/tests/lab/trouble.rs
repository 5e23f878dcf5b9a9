//! Refusals, by their reason: what is over in a minute, what has to be waited out, and what is final.

use kroutes_core::{ErrorKind, RouteBackend};
use kroutes_lab::{Fault, FaultKind, Options};

use crate::bench::{Bench, POD, impatient, pod, seed, workers};

fn refusal(status: u16, code: &str, message: &str) -> FaultKind {
    FaultKind::Error { status, code: code.to_owned(), message: message.to_owned() }
}

/// "There is a peering operation in progress" was treated as a bad request (hashicorp/terraform-provider-google).
#[tokio::test]
async fn a_400_that_is_over_in_a_minute_is_tried_again() {
    let rows = [
        ("badRequest", "There is a peering operation in progress on the local or peer network. Try again later."),
        ("badRequest", "There is a route operation in progress on the local or peer network. Try again later."),
        ("resourceNotReady", "The resource 'projects/lab/global/networks/kubernetes' is not ready"),
    ];
    for (code, message) in rows {
        let bench = Bench::patient(1).await;
        bench.lab.add_fault(Fault::new(refusal(400, code, message)).on("routes.insert").times(1));
        let listed = bench.hurried(bench.create(POD, 0)).await;
        bench.lab.add_fault(Fault::new(refusal(400, code, message)).on("routes.delete").times(1));
        bench.hurried(bench.backend.delete_route(&bench.table, &listed, None)).await.expect("deleted");
        let calls = bench.calls();
        assert_eq!((calls["routes.insert"], calls["routes.delete"]), (2, 2), "{message}");
    }
}

/// The same inside of an operation, where the code is in capitals.
#[tokio::test]
async fn an_operation_that_met_another_operation_is_tried_again() {
    let message = "There is a peering operation in progress on the local or peer network. Try again later.";
    let kind = FaultKind::OperationError { code: "INVALID_USAGE".to_owned(), status: 400, message: message.to_owned() };
    let bench = Bench::patient(1).await;
    bench.lab.add_fault(Fault::new(kind).on("routes.insert").times(1));
    bench.hurried(bench.create(POD, 0)).await;
    assert_eq!(bench.calls()["routes.insert"], 2);
}

/// cloud-provider-gcp#482: a pod CIDR inside a subnet's range was refused by the API alone.
#[tokio::test]
async fn a_400_that_means_it_is_final_and_says_what_to_do() {
    let bench = Bench::new(1).await;
    let error = bench.try_create("10.240.0.0/24", 0).await.expect_err("inside the subnet's range");
    assert_eq!((error.kind(), error.is_retryable(), error.is_ambiguous()), (ErrorKind::Invalid, false, false));
    assert!(error.get("help").is_some_and(|help| help.contains("choose another `pod-cidr`")), "{error:?}");
    assert_eq!(bench.calls()["routes.insert"], 1);
}

/// One status, three meanings, and a fourth for an API that is off.
#[tokio::test]
async fn a_403_is_told_apart_by_its_reason() {
    let rows = [
        (refusal(403, "rateLimitExceeded", "Rate Limit Exceeded"), ErrorKind::RateLimited, true),
        (refusal(403, "quotaExceeded", "Quota 'ROUTES' exceeded. Limit: 200.0"), ErrorKind::QuotaExceeded, false),
        (
            refusal(
                403,
                "forbidden",
                "Required 'compute.networks.updatePolicy' permission for 'projects/lab/global/networks/kubernetes'",
            ),
            ErrorKind::PermissionDenied,
            false,
        ),
    ];
    for (kind, expected, retryable) in rows {
        let bench = Bench::new(1).await;
        bench.lab.add_fault(Fault::new(kind.clone()).on("routes.insert"));
        let error = bench.try_create(POD, 0).await.expect_err("refused");
        assert_eq!(
            (error.kind(), error.is_retryable(), error.is_ambiguous()),
            (expected, retryable, false),
            "{kind:?}"
        );
        if expected == ErrorKind::PermissionDenied {
            let help = error.get("help").expect("help");
            assert!(help.contains("grant `compute.networks.updatePolicy`"), "{help}");
        }
        if !retryable {
            assert_eq!(bench.calls()["routes.insert"], 1, "{kind:?}");
        }
    }
}

/// Its end would be taken for the end of our own, and the old route be deleted for one that was never made.
#[tokio::test]
async fn an_operation_on_another_route_is_no_answer_and_the_request_asks_again() {
    let bench = Bench::new(2).await;
    bench.lab.add_fault(Fault::new(FaultKind::Mixed).on("routes.insert").after(1).times(1));
    // The second one comes while the first one's operation is the latest answer.
    let (one, other) = tokio::join!(bench.try_create(POD, 0), bench.try_create("10.200.1.0/24", 1));
    one.expect("made");
    other.expect("made by the second attempt");
    assert_eq!(bench.calls()["routes.insert"], 3);
    assert_eq!(bench.held(POD).len(), 1);
    assert_eq!(bench.held("10.200.1.0/24").len(), 1);
}

/// Compute's rates are refilled at the start of the next minute, not by and by.
#[tokio::test]
async fn a_throttle_asks_to_wait_for_the_next_minute() {
    let bench = Bench::new(1).await;
    bench.lab.add_fault(Fault::new(FaultKind::Throttle).on("routes.insert"));
    let error = bench.try_create(POD, 0).await.expect_err("throttled");
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    let wait = error.retry_after().expect("a time to wait").as_secs();
    assert!((1..=61).contains(&wait), "{wait} s");
}

/// Too many operations under way is a limit of another sort: it ends when one of them does.
#[tokio::test]
async fn too_many_operations_at_once_are_waited_for() {
    let options = Options { concurrent_operations: Some(0), ..Options::default() };
    let bench = Bench::with(seed(1), options, impatient()).await;
    let error = bench.try_create(POD, 0).await.expect_err("none allowed");
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::RateLimited, true));
    assert_eq!(error.get("code"), Some("CONCURRENT_OPERATIONS_QUOTA_EXCEEDED"));
    assert_eq!(error.retry_after(), Some(std::time::Duration::from_secs(5)));
}

#[tokio::test]
async fn a_missing_permission_is_named_and_changes_nothing() {
    for permission in ["compute.routes.create", "compute.networks.updatePolicy"] {
        let bench = Bench::new(1).await;
        bench.lab.change(|cloud| cloud.denied.insert(permission.to_owned()));
        let error = bench.try_create(POD, 0).await.expect_err("denied");
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(error.get("help").is_some_and(|help| help.contains(&format!("grant `{permission}`"))), "{error:?}");
        assert_eq!(bench.held(POD), []);
    }
}

/// A ready token cannot be renewed, so nothing is gained by asking again.
#[tokio::test]
async fn a_ready_token_that_is_not_accepted_ends_everything_and_is_never_shown() {
    let bench = Bench::new(1).await;
    bench.lab.revoke_tokens();
    let error = bench.backend.observe(&workers(1)).await.expect_err("refused");
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unauthenticated, false));
    assert!(error.get("help").is_some(), "{error:?}");
    assert!(!format!("{error:?} {:?}", bench.backend).contains(kroutes_lab::Lab::ACCESS_TOKEN));
    assert!(bench.calls().values().all(|calls| *calls == 1), "asked once each");
    let error = bench.try_create(POD, 0).await.expect_err("refused");
    assert_eq!((error.kind(), error.is_ambiguous()), (ErrorKind::Unauthenticated, false));
}

#[tokio::test]
async fn throttles_of_the_moment_failures_and_broken_answers_are_tried_again() {
    for kind in [FaultKind::ServerError, FaultKind::DropBefore, FaultKind::CutShort, FaultKind::Html, FaultKind::Hang] {
        let bench = Bench::new(1).await;
        bench.lab.add_fault(Fault::new(kind.clone()).on("routes.list").times(1));
        let observation = bench.observe(&workers(1)).await;
        assert!(observation.tables[0].table.is_ok(), "{kind:?}: {:?}", observation.tables);
        assert_eq!(bench.calls()["routes.list"], 2, "{kind:?}");
    }
}

/// What may have had an effect is repeated under the same id, whatever stood in the answer's place.
#[tokio::test]
async fn a_write_that_was_answered_with_html_or_not_at_all_is_repeated() {
    for kind in [FaultKind::Html, FaultKind::Hang, FaultKind::DropBefore, FaultKind::ServerError] {
        let bench = Bench::new(1).await;
        bench.lab.add_fault(Fault::new(kind.clone()).on("routes.insert").times(1));
        bench.create(POD, 0).await;
        assert_eq!((bench.calls()["routes.insert"], bench.operations().len()), (2, 1), "{kind:?}");
    }
}

#[tokio::test]
async fn a_write_whose_answers_are_all_lost_is_settled_by_reading() {
    let bench = Bench::new(1).await;
    bench.lab.add_fault(Fault::new(FaultKind::DropAfter).on("routes.insert"));
    bench.lab.add_fault(Fault::new(FaultKind::DropAfter).on("routes.delete"));
    let listed = bench.create(POD, 0).await;
    bench.backend.delete_route(&bench.table, &listed, None).await.expect("deleted");
    assert_eq!(bench.held(POD), []);
    assert_eq!(bench.operations().len(), 2, "one of each");
}

#[tokio::test]
async fn a_write_of_which_nobody_knows_says_so() {
    let bench = Bench::new(1).await;
    bench.lab.add_fault(Fault::new(FaultKind::Hang).on("routes.insert"));
    let error = bench.try_create(POD, 0).await.expect_err("hangs");
    assert_eq!((error.kind(), error.is_ambiguous()), (ErrorKind::Unavailable, true));
    assert_eq!((error.get("table"), error.get("destination")), (Some("kubernetes"), Some(POD)));
}

/// Closing the gate lets finish what has begun, and begins nothing.
#[tokio::test]
async fn a_closed_gate_begins_nothing_and_follows_what_was_begun() {
    let bench = Bench::slow(2, std::time::Duration::from_millis(600)).await;
    let (backend, table) = (bench.backend.clone(), bench.table.clone());
    let begun = tokio::spawn(async move { backend.create_route(&table, &crate::bench::route(POD, 0)).await });
    while bench.operations().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    // The answer is on its way by now, or the request would be ambiguous.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    bench.gate.stopper().stop();
    begun.await.expect("no panic").expect("what has begun is followed to its end");
    let error = bench.try_create(&pod(1), 1).await.expect_err("closed");
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert_eq!(bench.operations().len(), 1);
}

/// ^C while an answer is awaited: the write may have happened, and that it cannot be repeated any more does not change it.
#[tokio::test]
async fn a_gate_that_closes_over_an_open_write_does_not_make_it_undone() {
    for (kind, made) in [(FaultKind::Hang, false), (FaultKind::DropAfter, true)] {
        let bench = Bench::new(1).await;
        bench.lab.add_fault(Fault::new(kind.clone()).on("routes.insert"));
        let (backend, table) = (bench.backend.clone(), bench.table.clone());
        let write = tokio::spawn(async move { backend.create_route(&table, &crate::bench::route(POD, 0)).await });
        while !bench.lab.calls().contains_key("routes.insert") {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        bench.gate.stopper().stop();
        let written = write.await.expect("no panic");
        assert_eq!(bench.held(POD).len(), usize::from(made), "{kind:?}");
        match written {
            Ok(()) => assert!(made, "{kind:?}"),
            Err(error) => assert!(error.is_ambiguous() && !made, "{kind:?}: {error}"),
        }
    }
}
