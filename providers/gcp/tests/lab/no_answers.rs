//! Well-formed JSON with HTTP 200 that is not what was asked for: absent is empty, and empty would be believed.

use kroutes_core::{ErrorKind, RouteBackend, TableId};
use serde_json::{Value, json};

use crate::bench::{NAME, POD, USUAL, impatient, open_at, route, settings, workers};
use crate::stub::{Stub, reply};

fn table() -> TableId {
    TableId(NAME.to_owned())
}

/// The end of each path, and what is answered there.
async fn answering(answers: [(&'static str, Value); 3]) -> Stub {
    Stub::start(move |line, _| {
        let path = line.split(['?', ' ']).nth(1).unwrap_or_default();
        let found = answers.iter().find(|(end, _)| path.ends_with(end));
        let answer = found.map_or_else(|| json!({"kind": "compute#operationList"}), |(_, answer)| answer.clone());
        reply(200, &answer.to_string())
    })
    .await
}

fn sound() -> [(&'static str, Value); 3] {
    [
        ("/global/routes", json!({"kind": "compute#routeList"})),
        ("/global/networks/kubernetes", json!({"kind": "compute#network", "name": NAME})),
        ("/aggregated/instances", json!({"kind": "compute#instanceAggregatedList"})),
    ]
}

#[tokio::test]
async fn an_empty_object_is_no_listing_and_no_network() {
    for place in 0..2 {
        for strange in [json!({}), json!({"status": "ok"}), json!({"kind": "compute#instanceList", "name": "other"})] {
            let mut answers = sound();
            answers[place].1 = strange.clone();
            let stub = answering(answers).await;
            let (backend, _) = open_at(&stub.url, &settings("lab", NAME), impatient()).await;
            let observation = backend.observe(&workers(1)).await.expect("observation");
            let error = observation.tables[0].table.clone().expect_err("not read");
            assert_eq!((error.kind(), error.is_ambiguous()), (ErrorKind::Unexpected, false), "{strange}: {error}");
            assert!(error.message().contains("was answered with something else"), "{error}");
            assert!(error.get("help").is_some_and(|help| help.contains("PROXY")), "{error:?}");
            backend.list_routes(&table()).await.expect_err("read back neither");
        }
    }
    let stub = answering(sound()).await;
    let (backend, _) = open_at(&stub.url, &settings("lab", NAME), impatient()).await;
    let observation = backend.observe(&workers(1)).await.expect("observation");
    assert!(observation.tables[0].table.is_ok(), "{:?}", observation.tables);
}

#[tokio::test]
async fn an_empty_object_is_no_listing_of_instances() {
    let mut answers = sound();
    answers[2].1 = json!({});
    let stub = answering(answers).await;
    let (backend, _) = open_at(&stub.url, &settings("lab", NAME), impatient()).await;
    let observation = backend.observe(&crate::bench::nameless_addresses(1)).await.expect("observation");
    let error = observation.next_hops.values().next().expect("one").clone().expect_err("not seen");
    assert_eq!(error.kind(), ErrorKind::Unexpected, "absence was not proved: {error}");
}

/// The same where operations are to be seen: a route may be on its way.
#[tokio::test]
async fn an_empty_object_is_no_listing_of_operations() {
    let stub = Stub::start(|line, _| {
        let path = line.split(['?', ' ']).nth(1).unwrap_or_default();
        let answers = sound();
        let found = answers.iter().find(|(end, _)| path.ends_with(end));
        reply(200, &found.map_or_else(|| json!({}), |(_, answer)| answer.clone()).to_string())
    })
    .await;
    let (backend, _) = open_at(&stub.url, &settings("lab", NAME), impatient()).await;
    let observation = backend.observe(&workers(1)).await.expect("observation");
    assert_eq!(observation.tables[0].table.clone().expect_err("open").kind(), ErrorKind::Unexpected);
}

/// A listing that says itself that it is not whole was taken for all there is.
#[tokio::test]
async fn a_listing_of_routes_with_a_warning_is_an_error() {
    let page =
        |code: &str| json!({"kind": "compute#routeList", "warning": {"code": code, "message": "Some are missing."}});
    for (code, whole) in [("NO_RESULTS_ON_PAGE", true), ("UNREACHABLE", false), ("PARTIAL_SUCCESS", false)] {
        let mut answers = sound();
        answers[0].1 = page(code);
        let stub = answering(answers).await;
        let (backend, _) = open_at(&stub.url, &settings("lab", NAME), impatient()).await;
        match backend.list_routes(&table()).await {
            Ok(_) => assert!(whole, "{code}"),
            Err(error) => {
                assert!(!whole, "{code}: {error}");
                assert_eq!((error.kind(), error.get("code")), (ErrorKind::Unavailable, Some(code)));
                assert!(error.message().ends_with("was answered in part: Some are missing"), "{error}");
            }
        }
    }
}

/// Of a write nobody knows then what was done, and of a route not what it is.
#[tokio::test]
async fn what_was_asked_for_by_name_has_that_name() {
    let mine = json!({"name": USUAL, "network": "projects/lab/global/networks/kubernetes", "destRange": POD, "priority": 1000,
        "nextHopIp": "10.240.0.30", "description": "kroutes cluster=kubernetes"});
    let listing = json!({"kind": "compute#routeList", "items": [mine]});
    for strange in [json!({}), json!({"name": "another", "network": "projects/lab/global/networks/kubernetes"})] {
        let listing = listing.clone();
        let stub = Stub::start(move |line, _| match line {
            line if line.contains("/global/routes/") => reply(200, &strange.to_string()),
            line if line.contains("/global/routes?") && line.starts_with("GET") => reply(200, &listing.to_string()),
            _ => reply(200, "{}"),
        })
        .await;
        let (backend, _) = open_at(&stub.url, &settings("lab", NAME), impatient()).await;
        let listed = backend.list_routes(&table()).await.expect("listing").routes.remove(0);
        let error = backend.delete_route(&table(), &listed, None).await.expect_err("not read");
        assert_eq!((error.kind(), error.is_ambiguous()), (ErrorKind::Unexpected, false), "{error}");
        assert!(stub.asked().iter().all(|line| !line.starts_with("DELETE")), "{:?}", stub.asked());

        let error = backend.create_route(&table(), &route(POD, 0)).await.expect_err("no promise");
        assert_eq!((error.kind(), error.is_ambiguous()), (ErrorKind::Unexpected, true), "{error}");
        assert!(error.message().contains("it is an operation without a name"), "{error}");
    }
}
