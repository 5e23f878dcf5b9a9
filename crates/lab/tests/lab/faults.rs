//! Trouble on demand, by handle and over HTTP; and the end of a lab.

use kroutes_lab::{Fault, FaultKind, Lab, Options};

use crate::client::Client;
use crate::{hard_way, ids};

struct Setting {
    lab: Lab,
    table: String,
    worker: String,
}

impl Setting {
    async fn new() -> Self {
        let lab = Lab::start(hard_way(), Options::default()).await.expect("a lab");
        let (table, [worker, ..]) = lab.cloud(ids);
        Self { lab, table, worker }
    }

    fn route(&self) -> [(&str, &str); 3] {
        [("RouteTableId", &self.table), ("DestinationCidrBlock", "10.200.0.0/24"), ("InstanceId", &self.worker)]
    }

    fn made(&self) -> bool {
        self.lab.cloud(|cloud| cloud.tables[&self.table].routes.len() == 3)
    }
}

#[tokio::test]
async fn each_fault_does_what_it_says_to_answer_and_effect() {
    let error = FaultKind::Error { status: 400, code: "RequestExpired".to_owned(), message: "late".to_owned() };
    let rows = [
        (FaultKind::Throttle, Some((503, "RequestLimitExceeded")), false),
        (FaultKind::ServerError, Some((500, "InternalError")), false),
        (FaultKind::ServerErrorAfter, Some((500, "InternalError")), true),
        (FaultKind::DropBefore, None, false),
        (FaultKind::DropAfter, None, true),
        (FaultKind::CutShort, None, true),
        (FaultKind::Html, Some((200, "")), false),
        (FaultKind::Deny, Some((403, "UnauthorizedOperation")), false),
        (error, Some((400, "RequestExpired")), false),
        (gateway(502, "", false), Some((502, "")), false),
        (gateway(503, "no healthy upstream", false), Some((503, "")), false),
        (gateway(504, "<html>timed out</html>", true), Some((504, "")), true),
        (FaultKind::Slow { millis: 40 }, Some((200, "")), true),
        (FaultKind::WrongType, Some((200, "")), true),
        (FaultKind::Truncated, Some((200, "")), true),
        // There was no answer before it that could be given to it.
        (FaultKind::Mixed, None, false),
    ];
    for (kind, expected, effect) in rows {
        let setting = Setting::new().await;
        setting.lab.add_fault(Fault::new(kind.clone()).on("CreateRoute").times(1));
        let mut client = Client::connect(&setting.lab.endpoint()).await;
        let answer = client.try_call("CreateRoute", &setting.route()).await;
        let seen = answer.as_ref().map(|answer| (answer.status, answer.error().1));
        assert_eq!((seen, setting.made()), (expected, effect), "{kind:?}");
        // A dropped call was an attempt like any other, and the fault is spent.
        assert_eq!(setting.lab.calls()["CreateRoute"], 1, "{kind:?}");
        let mut client = Client::connect(&setting.lab.endpoint()).await;
        let again = client.call("CreateRoute", &setting.route()).await;
        assert_eq!(again.status, if effect { 400 } else { 200 }, "{kind:?}");
    }
}

fn gateway(status: u16, body: &str, after: bool) -> FaultKind {
    FaultKind::Gateway { status, body: body.to_owned(), after }
}

/// What only a reader of the body can notice: half of it, another one's, or none that is XML at all.
#[tokio::test]
async fn answers_may_be_short_mixed_up_slow_and_of_a_gateway_and_say_so_nowhere_else() {
    let setting = Setting::new().await;
    let mut client = Client::connect(&setting.lab.endpoint()).await;
    let whole = client.call("DescribeRouteTables", &[]).await.body;
    setting.lab.add_fault(Fault::new(FaultKind::Truncated).on("DescribeRouteTables").times(1));
    let half = client.call("DescribeRouteTables", &[]).await.body;
    assert_eq!((half.len(), &whole[..40]), (whole.len() / 2, &half[..40]));
    setting.lab.add_fault(Fault::new(FaultKind::Slow { millis: 40 }).on("DescribeRouteTables").times(1));
    assert_eq!(client.call("DescribeRouteTables", &[]).await.body.len(), whole.len());
    setting.lab.add_fault(Fault::new(FaultKind::Mixed).on("DescribeRouteTables").times(1));
    let vpcs = client.call("DescribeVpcs", &[]).await;
    assert_eq!(client.call("DescribeRouteTables", &[]).await.body, vpcs.body);
    setting.lab.add_fault(Fault::new(gateway(502, "<html>", false)).on("DescribeVpcs").times(1));
    let page = client.call("DescribeVpcs", &[]).await;
    assert!(page.head.contains("content-type: text/html") && page.body == "<html>", "{page:?}");
    setting.lab.add_fault(Fault::new(FaultKind::WrongType).on("DescribeVpcs").times(1));
    assert!(client.call("DescribeVpcs", &[]).await.head.contains("content-type: text/html"));
}

#[tokio::test]
async fn a_lab_may_hold_its_pages_small_and_trouble_may_wait_for_the_second() {
    let options = Options { largest_page: Some(2), ..Options::default() };
    let lab = Lab::start(hard_way(), options).await.expect("a lab");
    lab.add_fault(Fault::new(FaultKind::Deny).on_later_pages().times(1));
    let mut client = Client::connect(&lab.endpoint()).await;
    let first = client.call("DescribeInstances", &[("MaxResults", "1000")]).await;
    let (ids, token) = (first.texts("instanceId").len(), first.texts("nextToken")[0].to_owned());
    assert_eq!((first.status, ids), (200, 2));
    let next = [("MaxResults", "1000"), ("NextToken", token.as_str())];
    assert_eq!(client.call("DescribeInstances", &next).await.status, 403);
    assert_eq!(client.call("DescribeInstances", &next).await.status, 200);
}

#[tokio::test]
async fn a_call_that_hangs_holds_up_nobody_else() {
    for (kind, effect) in [(FaultKind::Hang, false), (FaultKind::HangAfter, true)] {
        let setting = Setting::new().await;
        setting.lab.add_fault(Fault::new(kind.clone()).on("CreateRoute"));
        let mut stuck = Client::connect(&setting.lab.endpoint()).await;
        let mut other = Client::connect(&setting.lab.endpoint()).await;
        let route = setting.route();
        tokio::select! {
            biased;
            answer = stuck.try_call("CreateRoute", &route) => panic!("answered: {answer:?}"),
            answer = async {
                while !setting.lab.calls().contains_key("CreateRoute") {
                    tokio::task::yield_now().await;
                }
                other.call("DescribeRouteTables", &[]).await
            } => assert_eq!(answer.status, 200),
        }
        assert_eq!(setting.made(), effect, "{kind:?}");
    }
}

#[tokio::test]
async fn counts_and_faults_are_reached_over_http_without_a_signature() {
    let setting = Setting::new().await;
    let mut client = Client::connect(&setting.lab.endpoint()).await;
    assert!(client.send("GET", "/_lab/", None, "").await.body.contains("POST   /_lab/faults"));
    let fault = r#"[{"action": "CreateRoute", "times": 1, "kind": "throttle"}]"#;
    assert_eq!(client.send("POST", "/_lab/faults", None, fault).await.status, 200);
    assert_eq!(client.call("CreateRoute", &setting.route()).await.status, 503);
    assert_eq!(client.call("CreateRoute", &setting.route()).await.status, 200);
    let counts = client.send("GET", "/_lab/calls", None, "").await;
    assert_eq!(counts.body, "{\"calls\":{\"CreateRoute\":2},\"throttled\":{\"CreateRoute\":1}}\n");
    assert_eq!(client.send("POST", "/_lab/reset", None, "").await.status, 200);
    assert_eq!(setting.lab.calls().len(), 0);
    let unknown = client.send("POST", "/_lab/faults", None, r#"{"action": "CreateRout", "kind": "deny"}"#).await;
    assert_eq!(unknown.status, 400);
    assert!(unknown.body.contains("`CreateRout`") && unknown.body.contains(" CreateRoute "), "{}", unknown.body);
    let nonsense = client.send("POST", "/_lab/faults", None, r#"{"kind": "gremlins"}"#).await;
    assert_eq!(nonsense.status, 400);
    client.send("POST", "/_lab/faults", None, r#"{"kind": "deny"}"#).await;
    assert_eq!(client.send("DELETE", "/_lab/faults", None, "").await.status, 200);
    assert_eq!(client.call("DescribeVpcs", &[]).await.status, 200);
    assert_eq!(client.send("GET", "/_lab/unknown", None, "").await.status, 404);
}

#[tokio::test]
async fn a_body_without_bounds_is_refused() {
    let setting = Setting::new().await;
    let mut client = Client::connect(&setting.lab.endpoint()).await;
    let answer = client.send("POST", "/", None, &"x".repeat(1024 * 1024 + 1)).await;
    assert_eq!((answer.status, answer.error().1), (413, "RequestEntityTooLarge"));
}

#[tokio::test]
async fn a_dropped_lab_closes_its_connections_and_its_port() {
    let setting = Setting::new().await;
    let endpoint = setting.lab.endpoint();
    let mut client = Client::connect(&endpoint).await;
    assert_eq!(client.call("DescribeVpcs", &[]).await.status, 200);
    drop(setting);
    assert_eq!(client.try_call("DescribeVpcs", &[]).await, None);
    let address = endpoint.strip_prefix("http://").expect("http").to_owned();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
