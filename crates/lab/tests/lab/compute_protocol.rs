//! Compute Engine's REST, field by field where clients look at fields.

use std::time::Duration;

use kroutes_lab::{Options, allowed_by_policy};
use serde_json::{Value, json};

use crate::compute_client::{Bench, names, raw, reason, route};

#[tokio::test]
async fn a_route_is_shown_with_the_fields_and_types_of_computes() {
    let mut bench = Bench::new(Options::default()).await;
    bench.insert("kr-0", "10.200.0.0/24").await;
    let (status, shown) = bench.get("global/routes/kr-0").await;
    let base = "https://www.googleapis.com/compute/v1/projects/lab/global";
    let expected = json!({
        "kind": "compute#route",
        "id": shown["id"],
        "creationTimestamp": shown["creationTimestamp"],
        "name": "kr-0",
        "description": "",
        "network": format!("{base}/networks/kubernetes"),
        "destRange": "10.200.0.0/24",
        "priority": 1000,
        "nextHopIp": "10.240.0.20",
        "routeType": "STATIC",
        "selfLink": format!("{base}/routes/kr-0"),
    });
    assert_eq!((status, &shown), (200, &expected));
    assert!(shown["id"].as_str().is_some_and(|id| id.parse::<u64>().is_ok()), "{shown}");
    let astray = json!({"nextHopIp": "10.240.0.99", "tags": ["pods"], "description": "x"});
    let mut body = route("kr-1", "10.200.1.0/24");
    body.as_object_mut().expect("an object").extend(astray.as_object().expect("an object").clone());
    bench.call("POST", "global/routes", &body).await;
    let (_, shown) = bench.get("global/routes/kr-1").await;
    assert_eq!((&shown["tags"], &shown["description"]), (&json!(["pods"]), &json!("x")));
    assert_eq!(shown["warnings"][0]["code"], "NEXT_HOP_ADDRESS_NOT_ASSIGNED");
}

/// A request's verb, path and body, and the status and reason that it is refused with.
type Row<'a> = (&'a str, &'a str, Value, u16, &'a str);

fn with(field: &str, value: Value) -> Value {
    let mut body = route("kr-1", "10.200.1.0/24");
    body[field] = value;
    body
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused_with_status_and_reason() {
    let mut bench = Bench::new(Options::default()).await;
    bench.insert("kr-0", "10.200.0.0/24").await;
    let routes = "global/routes";
    let rows: [Row; 20] = [
        ("POST", routes, route("kr-0", "10.200.1.0/24"), 409, "alreadyExists"),
        ("POST", routes, with("name", json!("Upper")), 400, "invalid"),
        ("POST", routes, with("name", Value::Null), 400, "required"),
        ("POST", routes, with("network", json!("global/networks/other")), 400, "invalid"),
        ("POST", routes, with("network", json!("kubernetes")), 400, "invalid"),
        ("POST", routes, with("network", json!("projects/other/global/networks/kubernetes")), 400, "invalid"),
        ("POST", routes, with("destRange", json!("10.240.0.0/26")), 400, "invalid"),
        ("POST", routes, with("nextHopIp", json!("worker-0")), 400, "invalid"),
        ("POST", routes, with("nextHopIp", Value::Null), 400, "invalidResourceUsage"),
        ("POST", routes, with("nextHopIlb", json!("10.240.0.9")), 400, "invalidResourceUsage"),
        ("POST", routes, with("priority", json!("high")), 400, "invalid"),
        ("POST", routes, with("colour", json!("red")), 400, "badRequest"),
        ("POST", routes, Value::Null, 400, "badRequest"),
        ("GET", "global/routes?colour=red", Value::Null, 400, "badRequest"),
        ("GET", "global/routes?maxResults=501", Value::Null, 400, "invalid"),
        ("GET", "global/routes?pageToken=x", Value::Null, 400, "invalid"),
        ("GET", "global/routes?orderBy=priority", Value::Null, 400, "invalid"),
        ("GET", "global/routes?filter=name%20eq%20x%20AND%20priority%20%3D%201", Value::Null, 400, "invalid"),
        ("DELETE", "global/routes/kr-9", Value::Null, 404, "notFound"),
        ("PATCH", "global/routes/kr-0", json!({}), 404, "notFound"),
    ];
    for (verb, path, body, status, code) in rows {
        let answer = bench.call(verb, path, &body).await;
        assert_eq!(reason(&answer), (status, code), "{verb} {path} {body}: {}", answer.1);
        assert_eq!(answer.1["error"]["code"], status);
    }
    let (_, missing) = bench.get("global/routes/kr-9").await;
    assert_eq!(missing["error"]["message"], "The resource 'projects/lab/global/routes/kr-9' was not found");
    let (_, unknown) = bench.call("PATCH", "global/routes/kr-0", &json!({})).await;
    assert!(unknown["error"]["message"].as_str().is_some_and(|text| text.contains("PATCH")), "{unknown}");
}

#[tokio::test]
async fn a_listing_goes_on_from_its_token_and_has_no_items_where_nothing_is() {
    for empty_pages in [false, true] {
        let mut bench = Bench::new(Options { empty_pages, ..Options::default() }).await;
        for n in 0..5 {
            bench.insert(&format!("kr-{n}"), &format!("10.200.{n}.0/24")).await;
        }
        let (mut found, mut pages, mut token) = (Vec::new(), 0, String::new());
        loop {
            let path = format!("global/routes?maxResults=2&filter=name%20eq%20kr-.*&pageToken={token}");
            let (_, page) = bench.get(&path).await;
            assert_eq!(page["kind"], "compute#routeList");
            found.extend(names(&page));
            pages += 1;
            match page["nextPageToken"].as_str() {
                Some(next) => token = next.to_owned(),
                None => break,
            }
        }
        assert_eq!((found.concat(), pages), ("kr-0kr-1kr-2kr-3kr-4".to_owned(), if empty_pages { 4 } else { 3 }));
    }
    let mut bench = Bench::new(Options::default()).await;
    let (_, none) = bench.get("global/routes?filter=name%3Dnobody").await;
    assert_eq!((none.get("items"), none.get("nextPageToken")), (None, None));
    let newest = "global/routes?orderBy=creationTimestamp%20desc&maxResults=1";
    bench.insert("kr-0", "10.200.0.0/24").await;
    assert_eq!(bench.names(newest).await, ["kr-0"]);
}

#[tokio::test]
async fn an_aggregated_page_counts_instances_and_names_every_zone() {
    let mut bench = Bench::new(Options::default()).await;
    let (_, page) =
        bench.get("aggregated/instances?maxResults=2&includeAllScopes=true&returnPartialSuccess=true").await;
    let zones = page["items"].as_object().expect("a map");
    let shown: usize = zones.values().filter_map(|zone| zone["instances"].as_array()).map(Vec::len).sum();
    assert_eq!((zones.len(), shown), (3, 2));
    let empty = zones.values().find(|zone| zone.get("instances").is_none()).expect("a zone of the next page");
    assert_eq!(empty["warning"]["code"], "NO_RESULTS_ON_PAGE");
    let token = page["nextPageToken"].as_str().expect("a token");
    let (_, rest) = bench.get(&format!("aggregated/instances?pageToken={token}")).await;
    let instance = &rest["items"]["zones/us-west1-c"]["instances"][0];
    assert_eq!((&instance["name"], &instance["canIpForward"]), (&json!("worker-2"), &json!(true)));
    assert_eq!(instance["networkInterfaces"][0]["networkIP"], "10.240.0.22");
    assert_eq!(instance["metadata"]["items"][0], json!({"key": "pod-cidr", "value": "10.200.2.0/24"}));
    assert_eq!(rest.get("nextPageToken"), None);
}

#[tokio::test(start_paused = true)]
async fn listings_lag_behind_the_end_of_an_operation_and_a_get_does_not() {
    let mut bench = Bench::new(Options { lag: Duration::from_secs(5), ..Options::default() }).await;
    bench.insert("kr-0", "10.200.0.0/24").await;
    assert_eq!(bench.get("global/routes/kr-0").await.0, 200);
    let listing = "global/routes?filter=name%20eq%20kr-.*";
    assert_eq!(bench.names(listing).await, Vec::<String>::new());
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(bench.names(listing).await, ["kr-0"]);
}

#[tokio::test]
async fn what_is_denied_names_the_permission_and_the_resource() {
    let mut bench = Bench::new(Options::default()).await;
    bench.insert("kr-0", "10.200.0.0/24").await;
    let (project, network) = ("projects/lab", "projects/lab/global/networks/kubernetes");
    let rows = [
        ("compute.routes.create", "POST", "global/routes", "projects/lab/global/routes/kr-1"),
        ("compute.networks.updatePolicy", "POST", "global/routes", network),
        ("compute.networks.updatePolicy", "DELETE", "global/routes/kr-0", network),
        ("compute.routes.list", "GET", "global/routes", project),
        ("compute.instances.list", "GET", "aggregated/instances", project),
        ("compute.networks.get", "GET", "global/networks/kubernetes", network),
        (
            "compute.globalOperations.get",
            "POST",
            "global/operations/operation-1/wait",
            "projects/lab/global/operations/operation-1",
        ),
    ];
    for (permission, verb, path, resource) in rows {
        bench.lab.change(|cloud| cloud.denied = [permission.to_owned()].into());
        let answer = bench.call(verb, path, &route("kr-1", "10.200.1.0/24")).await;
        assert_eq!(reason(&answer), (403, "forbidden"), "{permission}");
        let message = format!("Required '{permission}' permission for '{resource}'");
        assert_eq!(answer.1["error"]["message"], message);
    }
    bench.lab.change(|cloud| cloud.denied = ["compute.routes.delete".to_owned()].into());
    let asked = json!({"permissions": ["compute.routes.create", "compute.routes.delete"]});
    let (_, held) = bench.call("POST", "global/routes/new/testIamPermissions", &asked).await;
    assert_eq!(held, json!({"permissions": ["compute.routes.create"]}));
}

#[tokio::test]
async fn with_a_role_only_what_is_in_it_is_allowed() {
    let role = allowed_by_policy("title: x\nincludedPermissions:\n- compute.routes.list\n- compute.routes.create\n");
    let mut bench = Bench::new(Options { allowed: Some(role.expect("a role")), ..Options::default() }).await;
    assert_eq!(bench.get("global/routes").await.0, 200);
    let denied = bench.get("global/networks/kubernetes").await;
    assert_eq!(reason(&denied), (403, "forbidden"));
    // A route needs its network's permission too, and the route's own is asked for first.
    let network = "Required 'compute.networks.updatePolicy' permission for 'projects/lab/global/networks/kubernetes'";
    let (_, insert) = bench.call("POST", "global/routes", &route("kr-0", "10.200.0.0/24")).await;
    assert_eq!(insert["error"]["message"], network);
    let (_, delete) = bench.call("DELETE", "global/routes/kr-0", &json!({})).await;
    let own = "Required 'compute.routes.delete' permission for 'projects/lab/global/routes/kr-0'";
    assert_eq!(delete["error"]["message"], own);
}

#[tokio::test]
async fn a_route_is_asked_only_about_permissions_on_routes_and_by_those_who_may_list_them() {
    let mut bench = Bench::new(Options::default()).await;
    let path = "global/routes/new/testIamPermissions";
    let (_, held) = bench.call("POST", path, &json!({"permissions": ["compute.routes.get"]})).await;
    assert_eq!(held, json!({"permissions": ["compute.routes.get"]}));
    let unfit =
        ["compute.networks.updatePolicy", "compute.routes.list", "compute.globalOperations.get", "compute.routes.*.x"];
    for permission in unfit {
        let asked = json!({"permissions": ["compute.routes.get", permission]});
        let answer = bench.call("POST", path, &asked).await;
        assert_eq!(reason(&answer), (400, "badRequest"), "{permission}");
    }
    bench.lab.change(|cloud| cloud.denied = ["compute.routes.get".to_owned()].into());
    let (_, none) = bench.call("POST", path, &json!({"permissions": ["compute.routes.get"]})).await;
    assert_eq!(none, json!({}), "like every empty list of Google's");
    bench.lab.change(|cloud| cloud.denied = ["compute.routes.list".to_owned()].into());
    let answer = bench.call("POST", path, &json!({"permissions": ["compute.routes.get"]})).await;
    assert_eq!(reason(&answer), (403, "forbidden"));
}

#[tokio::test]
async fn a_project_that_is_another_or_has_no_compute_is_refused() {
    let mut bench = Bench::new(Options { project: "other".to_owned(), ..Options::default() }).await;
    let elsewhere = bench.get("global/routes").await;
    assert_eq!(reason(&elsewhere), (404, "notFound"));
    assert_eq!(elsewhere.1["error"]["message"], "The resource 'projects/lab' was not found");
    let mut bench = Bench::new(Options::default()).await;
    bench.lab.change(|cloud| cloud.compute.enabled = false);
    let disabled = bench.get("global/routes").await;
    assert_eq!(reason(&disabled), (403, "accessNotConfigured"));
    assert_eq!(disabled.1["error"]["details"][0]["reason"], "SERVICE_DISABLED");
}

#[tokio::test]
async fn a_batch_is_its_parts_with_the_token_of_the_whole() {
    let mut bench = Bench::new(Options::default()).await;
    bench.insert("kr-0", "10.200.0.0/24").await;
    let part = |name: &str| {
        format!(
            "--b\r\nContent-Type: application/http\r\nContent-ID: <{name}>\r\n\r\n\
             DELETE /compute/v1/projects/lab/global/routes/{name}?alt=json HTTP/1.1\r\nContent-Length: 0\r\n\r\n\r\n"
        )
    };
    let body = format!("{}{}--b--", part("kr-0"), part("kr-9"));
    let head = |token: &str| {
        format!(
            "POST /batch/compute/v1 HTTP/1.1\nAuthorization: Bearer {token}\n\
             Content-Type: multipart/mixed; boundary=\"b\"\nContent-Length: {}",
            body.len()
        )
    };
    let stranger = raw(&bench.lab, &head("nobody"), &body).await;
    assert_eq!(stranger.matches("HTTP/1.1 401 Unauthorized").count(), 2, "{stranger}");
    let answer = raw(&bench.lab, &head("ya29.lab"), &body).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("Content-ID: <response-kr-0>\r\n\r\nHTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("Content-ID: <response-kr-9>\r\n\r\nHTTP/1.1 404 Not Found"), "{answer}");
    assert_eq!(bench.lab.calls()["routes.delete"], 4);
    assert_eq!(bench.get("global/routes/kr-0").await.0, 404);
}

#[tokio::test]
async fn a_post_without_a_length_meets_the_front_end() {
    let bench = Bench::new(Options::default()).await;
    let wait =
        "POST /compute/v1/projects/lab/global/operations/operation-1/wait HTTP/1.1\nAuthorization: Bearer ya29.lab";
    let answer = raw(&bench.lab, wait, "").await;
    assert!(answer.starts_with("HTTP/1.1 411 ") && answer.contains("text/html"), "{answer}");
    let answer = raw(&bench.lab, &format!("{wait}\nContent-Length: 0"), "").await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}
