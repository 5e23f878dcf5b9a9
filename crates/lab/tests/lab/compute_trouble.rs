//! Trouble on demand in Compute's words, and the chronicle of what really happened.

use std::time::Duration;

use kroutes_lab::{Fault, FaultKind, Options};
use serde_json::Value;

use crate::client::Client;
use crate::compute_client::{Bench, reason};
use crate::hard_way;

#[tokio::test]
async fn each_fault_does_what_it_says_to_answer_and_effect() {
    let error = FaultKind::Error { status: 400, code: "resourceNotReady".to_owned(), message: "wait".to_owned() };
    let rows = [
        (FaultKind::Throttle, Some((403, "rateLimitExceeded")), false),
        (FaultKind::ServerError, Some((503, "backendError")), false),
        (FaultKind::ServerErrorAfter, Some((503, "backendError")), true),
        (FaultKind::DropBefore, None, false),
        (FaultKind::DropAfter, None, true),
        (FaultKind::CutShort, None, true),
        (FaultKind::Html, None, false),
        (FaultKind::Deny, Some((403, "forbidden")), false),
        (error, Some((400, "resourceNotReady")), false),
        (FaultKind::OperationStuck, Some((200, "")), false),
        (FaultKind::OperationLost, Some((200, "")), true),
    ];
    for (kind, expected, effect) in rows {
        let mut bench = Bench::new(Options::default()).await;
        bench.lab.add_fault(Fault::new(kind.clone()).on("routes.insert").times(1));
        let body = crate::compute_client::route("kr-0", "10.200.0.0/24");
        let answer = bench.try_call("POST", "global/routes", &body).await;
        assert_eq!(answer.as_ref().map(reason), expected, "{kind:?}");
        assert_eq!(bench.lab.cloud(|cloud| cloud.compute.routes.contains_key("kr-0")), effect, "{kind:?}");
        assert_eq!((bench.lab.calls()["routes.insert"], bench.lab.log().len()), (1, usize::from(effect)), "{kind:?}");
        bench.reconnect().await;
        assert_eq!(bench.get("global/routes/kr-0").await.0, if effect { 200 } else { 404 }, "{kind:?}");
    }
}

#[tokio::test]
async fn an_operation_may_end_badly_or_be_found_by_nobody() {
    let mut bench = Bench::new(Options::default()).await;
    let code = "RESOURCE_OPERATION_RATE_EXCEEDED".to_owned();
    let failing = FaultKind::OperationError { code, status: 403, message: "Operation rate exceeded.".to_owned() };
    bench.lab.add_fault(Fault::new(failing).on("routes.insert").times(1));
    let (_, begun) = bench.insert("kr-0", "10.200.0.0/24").await;
    let operation = format!("global/operations/{}", begun["name"].as_str().expect("a name"));
    let (_, ended) = bench.get(&operation).await;
    assert_eq!(ended["error"]["errors"][0]["code"], "RESOURCE_OPERATION_RATE_EXCEEDED");
    assert_eq!(bench.get("global/routes/kr-0").await.0, 404);

    bench.lab.add_fault(Fault::new(FaultKind::OperationLost).on("routes.insert").times(1));
    let (_, begun) = bench.insert("kr-0", "10.200.0.0/24").await;
    let name = begun["name"].as_str().expect("a name").to_owned();
    let wait = format!("global/operations/{name}/wait");
    assert_eq!(bench.call("POST", &wait, &Value::Null).await.0, 404);
    assert!(!bench.names("global/operations").await.contains(&name));
    assert_eq!(bench.get("global/routes/kr-0").await.0, 200);
}

#[tokio::test]
async fn faults_of_operations_are_read_from_json() {
    let mut bench = Bench::new(Options::default()).await;
    let mut client = Client::connect(&bench.lab.endpoint()).await;
    let faults = r#"[{"action": "routes.insert", "times": 1, "kind": "operation-stuck"}, {"kind": {"operation-error":
        {"code": "X", "status": 400, "message": "m"}}, "action": "routes.insert"}]"#;
    assert_eq!(client.send("POST", "/_lab/faults", None, faults).await.status, 200);
    bench.insert("kr-0", "10.200.0.0/24").await;
    bench.insert("kr-1", "10.200.1.0/24").await;
    let (_, listed) = bench.get("global/operations").await;
    let seen: Vec<_> = listed["items"].as_array().expect("items").iter().map(|it| it["status"].as_str()).collect();
    assert_eq!(seen.iter().filter(|status| **status == Some("DONE")).count(), 1, "{listed}");
}

#[tokio::test]
async fn the_log_tells_the_effects_of_both_clouds_in_their_order() {
    let mut seed = crate::compute_client::seed();
    let guide = hard_way();
    (seed.tables, seed.instances) = (guide.tables, guide.instances);
    let lab = kroutes_lab::Lab::start(seed, Options::default()).await.expect("a lab");
    let (table, worker) =
        lab.cloud(|cloud| (cloud.table_named("kubernetes").expect("a table"), cloud.instance_named("worker-0")));
    let worker = worker.expect("a worker");
    let mut client = Client::connect(&lab.endpoint()).await;
    let body = crate::compute_client::route("kr-0", "10.200.0.0/24").to_string();
    let path = "/compute/v1/projects/lab/global/routes";
    client.send("POST", path, Some("Bearer ya29.lab"), &body).await;
    let route = [("RouteTableId", table.as_str()), ("DestinationCidrBlock", "10.200.1.0/24"), ("InstanceId", &worker)];
    client.call("CreateRoute", &route).await;
    client.call("CreateRoute", &route).await;
    client.send("DELETE", &format!("{path}/kr-0"), Some("Bearer ya29.lab"), "").await;
    let told: Vec<_> =
        lab.log().into_iter().map(|entry| format!("{} {} {}", entry.number, entry.action, entry.what)).collect();
    let expected = [
        "1 routes.insert kr-0 10.200.0.0/24 -> 10.240.0.20".to_owned(),
        format!("2 CreateRoute {table} 10.200.1.0/24 -> {worker}"),
        "3 routes.delete kr-0 10.200.0.0/24 -> 10.240.0.20".to_owned(),
    ];
    assert_eq!(told, expected);
    let page = client.send("GET", "/_lab/log", None, "").await;
    let page: Value = serde_json::from_str(&page.body).expect("JSON");
    assert_eq!(page[0]["what"], "kr-0 10.200.0.0/24 -> 10.240.0.20");
}

#[tokio::test(start_paused = true)]
async fn the_published_rate_is_back_at_the_next_minute() {
    let mut bench = Bench::new(Options { published_buckets: true, ..Options::default() }).await;
    for _ in 0..1500 {
        assert_eq!(bench.get("global/networks/kubernetes").await.0, 200);
    }
    assert_eq!(reason(&bench.get("global/networks/kubernetes").await), (403, "rateLimitExceeded"));
    // Each group has a rate of its own.
    assert_eq!(bench.get("global/routes").await.0, 200);
    assert_eq!(bench.lab.throttled()["networks.get"], 1);
    tokio::time::advance(Duration::from_mins(1)).await;
    assert_eq!(bench.get("global/networks/kubernetes").await.0, 200);
}
