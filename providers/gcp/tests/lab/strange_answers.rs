//! Answers that no lab gives: links to elsewhere, failures without a reason, listings short of a zone.

use kroutes_core::{ErrorKind, RouteBackend, TableId};
use serde_json::{Value, json};

use crate::bench::{NAME, POD, USUAL, impatient, open_at, route, settings, workers};
use crate::stub::{Stub, reply};

fn table() -> TableId {
    TableId(NAME.to_owned())
}

fn ok(body: &Value) -> String {
    reply(200, &body.to_string())
}

/// A token is worth as much as a password: whatever links an answer holds, it goes to the configured endpoint alone.
#[tokio::test]
async fn links_in_answers_are_never_followed() {
    let elsewhere = Stub::start(|_, _| reply(200, "{}")).await;
    let base = format!("{}/compute/v1/projects/lab/global", elsewhere.url);
    let stub = Stub::start(move |line, _| {
        let operation = |status: &str| {
            json!({"kind": "compute#operation", "name": "operation-1", "status": status, "operationType": "insert",
                "selfLink": format!("{base}/operations/operation-1"), "targetLink": format!("{base}/routes/{USUAL}")})
        };
        let route = json!({"name": USUAL, "network": format!("{base}/networks/kubernetes"), "destRange": POD, "priority": 1000,
            "nextHopIp": "10.240.0.30", "description": "kroutes cluster=kubernetes", "selfLink": format!("{base}/routes/{USUAL}")});
        match line.split(' ').take(2).collect::<Vec<_>>()[..] {
            ["POST" | "DELETE", _] => ok(&operation("RUNNING")),
            ["GET", path] if path.contains("/global/operations") => {
                ok(&json!({"kind": "compute#operationList", "items": [operation("DONE")], "selfLink": format!("{base}/operations")}))
            }
            ["GET", path] if path.contains("/global/routes/") => ok(&route),
            ["GET", path] if path.contains("/global/routes") => ok(&json!({"kind": "compute#routeList", "items": [route], "selfLink": format!("{base}/routes")})),
            ["GET", path] if path.contains("/global/networks/") => {
                ok(&json!({"name": NAME, "selfLink": format!("{base}/networks/{NAME}")}))
            }
            _ => ok(&json!({"kind": "compute#instanceAggregatedList", "items": {}, "selfLink": format!("{base}/instances")})),
        }
    })
    .await;
    let (backend, _) = open_at(&stub.url, &settings("lab", NAME), impatient()).await;
    let observation = backend.observe(&workers(1)).await.expect("observation");
    let listed = crate::bench::table(&observation).routes.clone();
    assert_eq!(listed.len(), 1, "links are compared from `projects/` on, whatever their host");
    assert!(listed[0].is_as_wanted(&route(POD, 0)));
    backend.create_route(&table(), &route(POD, 0)).await.expect("created");
    backend.delete_route(&table(), &listed[0], None).await.expect("deleted");
    assert_eq!(elsewhere.asked(), Vec::<String>::new());
}

/// A listing of operations may leave out why one failed; then that one alone is asked for.
#[tokio::test]
async fn the_reason_of_a_failed_operation_is_fetched_where_the_listing_lacks_it() {
    let stub = Stub::start(|line, _| {
        let bare = json!({"name": "operation-1", "status": "DONE", "httpErrorStatusCode": 403, "httpErrorMessage": "FORBIDDEN"});
        if line.starts_with("POST") {
            let target = format!("projects/lab/global/routes/{USUAL}");
            return ok(&json!({"name": "operation-1", "status": "PENDING", "targetLink": target}));
        }
        if line.contains("/global/operations/operation-1") {
            let mut whole = bare;
            whole["error"] = json!({"errors": [{"code": "QUOTA_EXCEEDED", "message": "Quota 'ROUTES' exceeded.  Limit: 7.0"}]});
            return ok(&whole);
        }
        ok(&json!({"kind": "compute#operationList", "items": [bare]}))
    })
    .await;
    let (backend, _) = open_at(&stub.url, &settings("lab", NAME), impatient()).await;
    let error = backend.create_route(&table(), &route(POD, 0)).await.expect_err("failed");
    assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
    assert!(error.message().contains("Quota 'ROUTES' exceeded.  Limit: 7.0"), "{error}");
    let asked = stub.asked();
    assert_eq!(asked.len(), 3, "one insert, one listing, one operation by name: {asked:?}");
    assert!(asked.iter().all(|line| !line.contains("/wait")));
}

/// An answer that is no operation promises nothing, and nobody knows what was done.
#[tokio::test]
async fn an_answer_to_a_write_that_names_no_operation_is_not_success() {
    for body in ["{}", r#"{"kind":"compute#operation"}"#, "[]", "null"] {
        let stub = Stub::start(move |line, _| match line {
            line if line.starts_with("POST") => reply(200, body),
            line if line.contains("/global/routes/") => {
                reply(404, r#"{"error":{"code":404,"errors":[{"reason":"notFound"}]}}"#)
            }
            _ => reply(200, "{}"),
        })
        .await;
        let (backend, _) = open_at(&stub.url, &settings("lab", NAME), impatient()).await;
        let error = backend.create_route(&table(), &route(POD, 0)).await.expect_err("no promise");
        assert!(error.is_ambiguous(), "{body}: {error}");
    }
}

/// A zone that did not answer hides its instances, and a worker that was not seen there is not known to be absent.
#[tokio::test]
async fn a_listing_short_of_a_zone_says_so_and_proves_no_absence() {
    let stub = Stub::start(|line, _| {
        if line.contains("/aggregated/instances") {
            return ok(&json!({"kind": "compute#instanceAggregatedList", "unreachables": ["zones/us-west1-a"]}));
        }
        match line {
            line if line.contains("/global/routes") => ok(&json!({"kind": "compute#routeList"})),
            line if line.contains("/global/operations") => ok(&json!({"kind": "compute#operationList"})),
            _ => ok(&json!({"name": NAME})),
        }
    })
    .await;
    let (backend, _) = open_at(&stub.url, &settings("lab", NAME), impatient()).await;
    let observation = backend.observe(&crate::bench::nameless_addresses(1)).await.expect("observation");
    let error = observation.next_hops.values().next().expect("one").clone().expect_err("not seen");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn a_page_of_html_in_place_of_a_listing_is_no_empty_network() {
    let stub = Stub::start(|_, _| reply(200, "<!DOCTYPE html><title>Sign in</title>")).await;
    let (backend, _) = open_at(&stub.url, &settings("lab", NAME), impatient()).await;
    let error = backend.observe(&workers(1)).await.expect_err("nothing was read");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.get("help").is_some_and(|help| help.contains("PROXY")), "{error:?}");
    backend.list_routes(&table()).await.expect_err("no listing either");
}
