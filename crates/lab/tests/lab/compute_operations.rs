//! Operations: what a write is answered with, when it happens, and who waits for it.

use std::time::Duration;

use kroutes_lab::{Fault, FaultKind, Options};
use serde_json::{Value, json};

use crate::compute_client::{Bench, reason, route};

fn slow() -> Options {
    Options { operation_delay: Duration::from_secs(10), ..Options::default() }
}

fn path(operation: &Value) -> String {
    format!("global/operations/{}", operation["name"].as_str().expect("a name"))
}

#[tokio::test]
async fn a_write_is_an_operation_that_is_done_at_the_next_request() {
    let mut bench = Bench::new(Options::default()).await;
    let (status, begun) = bench.insert("kr-0", "10.200.0.0/24").await;
    assert_eq!((status, &begun["status"], &begun["operationType"]), (200, &json!("PENDING"), &json!("insert")));
    let target = "https://www.googleapis.com/compute/v1/projects/lab/global/routes/kr-0";
    assert_eq!(begun["targetLink"], target);
    let (_, ended) = bench.call("POST", &format!("{}/wait", path(&begun)), &Value::Null).await;
    assert_eq!((&ended["status"], &ended["progress"], ended.get("error")), (&json!("DONE"), &json!(100), None));
    // gcloud takes two answers about one operation for the same only if this is the same.
    assert_eq!((&ended["selfLink"], &ended["id"]), (&begun["selfLink"], &begun["id"]));
    let (_, shown) = bench.get("global/routes/kr-0").await;
    assert_eq!((&shown["selfLink"], &shown["id"]), (&json!(target), &begun["targetId"]));
}

#[tokio::test(start_paused = true)]
async fn an_operation_is_pending_then_running_then_done() {
    let mut bench = Bench::new(slow()).await;
    let (_, begun) = bench.insert("kr-0", "10.200.0.0/24").await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let (_, operation) = bench.get(&path(&begun)).await;
        let route = bench.get("global/routes/kr-0").await.0;
        seen.push((operation["status"].as_str().expect("a status").to_owned(), route));
        tokio::time::advance(Duration::from_secs(5)).await;
    }
    let expected = [("PENDING", 404), ("RUNNING", 404), ("DONE", 200)];
    assert_eq!(seen, expected.map(|(status, route)| (status.to_owned(), route)));
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_answered_when_the_operation_ends_or_after_two_minutes() {
    let mut bench = Bench::new(slow()).await;
    let start = tokio::time::Instant::now();
    let (_, begun) = bench.insert("kr-0", "10.200.0.0/24").await;
    let (_, ended) = bench.call("POST", &format!("{}/wait", path(&begun)), &Value::Null).await;
    assert_eq!((ended["status"].as_str(), start.elapsed().as_secs()), (Some("DONE"), 10));
    bench.lab.add_fault(Fault::new(FaultKind::OperationStuck).on("routes.insert"));
    let (_, stuck) = bench.insert("kr-1", "10.200.1.0/24").await;
    let (_, waited) = bench.call("POST", &format!("{}/wait", path(&stuck)), &Value::Null).await;
    assert_eq!((waited["status"].as_str(), start.elapsed().as_secs()), (Some("RUNNING"), 130));
}

#[tokio::test]
async fn a_request_id_makes_one_operation_of_all_its_retries() {
    let mut bench = Bench::new(Options::default()).await;
    let insert = "global/routes?requestId=2f3a8c1e-8a54-4f0e-9a39-0d1f6b1c7e55";
    let (_, first) = bench.call("POST", insert, &route("kr-0", "10.200.0.0/24")).await;
    let (status, again) = bench.call("POST", insert, &route("kr-0", "10.200.0.0/24")).await;
    assert_eq!((status, &again["name"], &again["status"]), (200, &first["name"], &json!("DONE")));
    assert_eq!(again["clientOperationId"], "2f3a8c1e-8a54-4f0e-9a39-0d1f6b1c7e55");
    assert_eq!(bench.lab.log().len(), 1);
    let nil = "global/routes?requestId=00000000-0000-0000-0000-000000000000";
    let refused = bench.call("POST", nil, &route("kr-1", "10.200.1.0/24")).await;
    assert_eq!(reason(&refused), (400, "invalid"));
}

#[tokio::test]
async fn a_full_network_shows_in_the_operation_and_not_in_the_answer() {
    let mut bench = Bench::new(Options::default()).await;
    bench.lab.change(|cloud| cloud.compute.routes_limit = 1);
    bench.insert("kr-0", "10.200.0.0/24").await;
    let (status, begun) = bench.insert("kr-1", "10.200.1.0/24").await;
    assert_eq!((status, begun.get("error")), (200, None));
    let (_, ended) = bench.get(&path(&begun)).await;
    let error = &ended["error"]["errors"][0];
    assert_eq!((&ended["status"], &error["code"]), (&json!("DONE"), &json!("QUOTA_EXCEEDED")));
    assert_eq!((&ended["httpErrorStatusCode"], &ended["httpErrorMessage"]), (&json!(403), &json!("FORBIDDEN")));
    assert_eq!(error["errorDetails"][0]["quotaInfo"]["limit"], 1);
    assert_eq!(bench.lab.log().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn more_operations_at_once_than_allowed_are_refused_as_google_refuses_them() {
    let mut bench = Bench::new(Options { concurrent_operations: Some(2), ..slow() }).await;
    assert_eq!(bench.insert("kr-0", "10.200.0.0/24").await.0, 200);
    assert_eq!(bench.insert("kr-1", "10.200.1.0/24").await.0, 200);
    let refused = bench.insert("kr-2", "10.200.2.0/24").await;
    assert_eq!(reason(&refused), (403, "rateLimitExceeded"));
    assert_eq!(refused.1["error"]["details"][0]["reason"], "CONCURRENT_OPERATIONS_QUOTA_EXCEEDED");
    assert_eq!((bench.lab.most_operations(), bench.lab.throttled()["routes.insert"]), (2, 1));
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(bench.insert("kr-2", "10.200.2.0/24").await.0, 200);
    assert_eq!(bench.lab.most_operations(), 2);
}

#[tokio::test]
async fn a_machine_is_stopped_started_and_deleted_by_zonal_operations() {
    let mut bench = Bench::new(Options::default()).await;
    let machine = "zones/us-west1-a/instances/worker-0";
    for (verb, path, expected) in
        [("POST", "/stop", Some("TERMINATED")), ("POST", "/start", Some("RUNNING")), ("DELETE", "", None)]
    {
        let (status, begun) = bench.call(verb, &format!("{machine}{path}"), &Value::Null).await;
        assert_eq!(status, 200, "{begun}");
        let name = begun["name"].as_str().expect("a name");
        let wait = format!("zones/us-west1-a/operations/{name}/wait");
        let (_, ended) = bench.call("POST", &wait, &Value::Null).await;
        assert_eq!((&ended["status"], &ended["selfLink"]), (&json!("DONE"), &begun["selfLink"]));
        // A zonal operation is no global one.
        assert_eq!(bench.get(&format!("global/operations/{name}")).await.0, 404);
        let (_, shown) = bench.get(machine).await;
        assert_eq!(shown["status"].as_str(), expected);
    }
}
