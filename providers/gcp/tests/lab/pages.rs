//! Listings of more than one page.

use kroutes_core::{ErrorKind, RouteBackend};
use kroutes_lab::{Fault, FaultKind, Options};
use serde_json::json;

use crate::bench::{Bench, NAME, impatient, nameless_addresses, open_at, seed, settings, table, theirs, via};
use crate::stub::{Stub, reply};

const MANY: usize = 1100;

fn fill(bench: &Bench) {
    let range: ipnet::IpNet = "198.18.0.0/15".parse().expect("net");
    bench.lab.change(|cloud| {
        for (number, net) in range.subnets(28).expect("longer").take(MANY).enumerate() {
            cloud.compute.put_route(&format!("theirs-{number}"), theirs(NAME, &net.to_string(), via(0)));
        }
    });
}

#[tokio::test]
async fn three_pages_of_routes_and_of_instances_are_all_read() {
    let options = Options { network_routes_limit: 5000, ..Options::default() };
    let bench = Bench::with(seed(MANY), options, impatient()).await;
    fill(&bench);
    let observation = bench.observe(&nameless_addresses(MANY)).await;
    assert_eq!(table(&observation).routes.len(), MANY + 2, "and the default route and the subnet's");
    assert!(observation.next_hops.values().all(Result::is_ok));
    assert_eq!(observation.machines.len(), MANY);
    let calls = bench.calls();
    assert_eq!((calls["routes.list"], calls["instances.aggregatedList"]), (3, 3));
}

/// Google may end a page early, even with nothing on it.
#[tokio::test]
async fn an_empty_page_with_a_token_is_not_the_end() {
    let options = Options { empty_pages: true, ..Options::default() };
    let bench = Bench::with(seed(2), options, impatient()).await;
    let observation = bench.observe(&nameless_addresses(2)).await;
    assert_eq!(table(&observation).routes.len(), 2);
    assert!(observation.next_hops.values().all(Result::is_ok), "{:?}", observation.next_hops);
    let calls = bench.calls();
    assert_eq!((calls["routes.list"], calls["instances.aggregatedList"]), (2, 2));
    bench.create("10.200.0.0/24", 0).await;
}

/// A listing whose second page failed was taken for the whole.
#[tokio::test]
async fn instances_whose_second_page_failed_are_nobodys_proof() {
    let options = Options { empty_pages: true, ..Options::default() };
    let bench = Bench::with(seed(2), options, impatient()).await;
    bench.lab.add_fault(Fault::new(FaultKind::Deny).on("instances.aggregatedList").after(1));
    let observation = bench.observe(&nameless_addresses(2)).await;
    for hop in observation.next_hops.values() {
        let error = hop.as_ref().expect_err("half a listing proves nothing");
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    }
}

/// Pages shift while others write: a route that came on two of them was deleted as its own duplicate.
#[tokio::test]
async fn a_route_on_two_pages_is_one_route_as_the_later_page_has_it() {
    let route = |name: &str, hop: &str| {
        json!({"name": name, "network": "projects/lab/global/networks/kubernetes", "destRange": "10.200.0.0/24",
            "priority": 1000, "nextHopIp": hop, "description": "kroutes cluster=kubernetes"})
    };
    let stub = Stub::start(move |line, _| {
        let (items, token) = if line.contains("pageToken=") {
            (vec![route("b", "10.240.0.31"), route("c", "10.240.0.32")], None)
        } else {
            (vec![route("a", "10.240.0.30"), route("b", "10.240.0.30")], Some("more"))
        };
        reply(200, &json!({"kind": "compute#routeList", "items": items, "nextPageToken": token}).to_string())
    })
    .await;
    let (backend, _) = open_at(&stub.url, &settings("lab", NAME), impatient()).await;
    let table = backend.list_routes(&kroutes_core::TableId(NAME.to_owned())).await.expect("listing");
    let listed: Vec<_> = table
        .routes
        .iter()
        .map(|route| format!("{} {}", route.name.as_deref().unwrap_or_default(), route.next_hops[0].id()))
        .collect();
    assert_eq!(listed, ["a 10.240.0.30", "b 10.240.0.31", "c 10.240.0.32"]);
}

#[tokio::test]
async fn a_token_that_comes_again_is_an_error_and_not_a_loop() {
    let stub = Stub::start(|_, _| reply(200, r#"{"kind":"compute#routeList","nextPageToken":"again"}"#)).await;
    let (backend, _) = open_at(&stub.url, &settings("lab", NAME), impatient()).await;
    let error = backend.list_routes(&kroutes_core::TableId(NAME.to_owned())).await.expect_err("a loop");
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unexpected, false));
    assert!(error.message().contains("page that was read already"), "{error}");
    assert_eq!(stub.asked().len(), 2);
}
