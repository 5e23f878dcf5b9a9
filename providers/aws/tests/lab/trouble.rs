//! Endpoints that refuse, hang, lie or deny.

use std::sync::Arc;

use kroutes_aws::{AwsBackend, AwsSettings, Connection};
use kroutes_core::{Error, ErrorKind, Gate, RouteBackend};
use kroutes_lab::{Fault, FaultKind};
use tokio::net::TcpListener;

use crate::bench::{Bench, NAME, cluster, connection, impatient, named, workers};

async fn failure_of(connection: Connection) -> Error {
    let gate = Arc::new(Gate::new(impatient()));
    match AwsBackend::open(&named(NAME), &cluster(), gate, connection).await {
        Ok(backend) => backend.observe(&workers(1)).await.expect_err("fails"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn nobody_listening_is_told_at_once_with_the_endpoint() {
    let port = TcpListener::bind("127.0.0.1:0").await.expect("port").local_addr().expect("address").port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let error = failure_of(connection(&endpoint, "us-west-2")).await;
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, false));
    assert!(error.message().starts_with(&format!("cannot connect to `{endpoint}`: ")), "{error}");
    assert!(error.get("help").is_some());
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("port");
    let endpoint = format!("http://{}", silent.local_addr().expect("address"));
    let error = failure_of(connection(&endpoint, "us-west-2")).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("got no answer within"), "{error}");
    assert_eq!(error.get("attempts"), Some("3"));
}

#[tokio::test]
async fn plain_http_to_another_machine_is_refused_before_anything_is_sent() {
    let error = failure_of(connection("http://ec2.example.com", "us-west-2")).await;
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("plain http to another machine"), "{error}");
}

#[tokio::test]
async fn a_page_of_html_speaks_of_proxies_and_is_not_asked_for_again() {
    let bench = Bench::new(1).await;
    bench.lab.add_fault(Fault::new(FaultKind::Html));
    let observation = bench.observe(1).await;
    let error = observation.tables[0].table.clone().expect_err("no table");
    assert_eq!(error.kind(), ErrorKind::Unexpected);
    assert!(error.get("help").is_some_and(|help| help.contains("PROXY")), "{error:?}");
    assert_eq!(bench.calls()["DescribeRouteTables"], 1);
}

#[tokio::test]
async fn throttles_failures_and_broken_answers_are_tried_again() {
    for kind in
        [FaultKind::Throttle, FaultKind::ServerError, FaultKind::DropBefore, FaultKind::CutShort, FaultKind::Hang]
    {
        let bench = Bench::new(1).await;
        bench.lab.add_fault(Fault::new(kind.clone()).on("DescribeRouteTables").times(1));
        let observation = bench.observe(1).await;
        assert!(observation.tables[0].table.is_ok(), "{kind:?}");
        assert_eq!(bench.calls()["DescribeRouteTables"], 2, "{kind:?}");
    }
}

#[tokio::test]
async fn a_hanging_write_is_given_up_and_settled_by_reading() {
    let bench = Bench::new(1).await;
    bench.lab.add_fault(Fault::new(FaultKind::Hang).on("CreateRoute"));
    let route = bench.route("10.200.0.0/24", "worker-0");
    let error = bench.backend.create_route(&bench.table, &route).await.expect_err("hangs");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.get("table"), Some(bench.table.0.as_str()));
    assert_eq!(error.get("destination"), Some("10.200.0.0/24"));
}

#[tokio::test]
async fn a_denied_action_names_itself_and_the_policy_and_hides_nothing_else() {
    let bench = Bench::new(2).await;
    bench.create("10.200.9.0/24", "worker-1").await;
    let stopped = bench.instance("worker-1");
    bench.lab.change(|cloud| cloud.set_life(&stopped, kroutes_lab::model::Life::Stopped).expect("stopped"));
    bench.lab.add_fault(Fault::new(FaultKind::Deny).on("DescribeInstances"));
    let observation = bench.observe(1).await;
    let table = observation.tables[0].table.as_ref().expect("the table is read all the same");
    let unproved = table.routes.iter().any(|route| {
        matches!(&route.target, kroutes_core::Target::Machine { life: kroutes_core::Life::Unknown(_), .. })
    });
    assert!(unproved, "a failed lookup proves nothing: {:?}", table.routes);
    let error = observation.next_hops.values().next().expect("one").clone().expect_err("denied");
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.get("help").is_some_and(|help| help.contains("`ec2:DescribeInstances`")), "{error:?}");
    assert_eq!(error.get("code"), Some("UnauthorizedOperation"));
}

/// A listing whose second page failed was taken for the whole.
#[tokio::test]
async fn a_page_that_fails_makes_no_listing_of_what_came_before() {
    let bench = Bench::new(1).await;
    bench.lab.change(|cloud| {
        let vpc = cloud.vpcs.iter().next().map(|(id, _)| id.clone()).expect("vpc");
        for _ in 0..150 {
            cloud.add_table(None, &vpc, [("Name".to_owned(), NAME.to_owned())].into_iter().collect());
        }
    });
    bench.lab.add_fault(Fault::new(FaultKind::Deny).on("DescribeRouteTables").after(1));
    let observation = bench.observe(1).await;
    let error = observation.tables[0].table.clone().expect_err("incomplete");
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
}

#[tokio::test]
async fn rejected_credentials_end_the_reading() {
    let bench = Bench::new(1).await;
    let kind = FaultKind::Error {
        status: 401,
        code: "AuthFailure".to_owned(),
        message: "AWS was not able to validate the provided access credentials".to_owned(),
    };
    bench.lab.add_fault(Fault::new(kind));
    let error = bench.backend.observe(&workers(1)).await.expect_err("rejected");
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.get("help").is_some_and(|help| help.contains("aws configure")));
    assert!(!format!("{error:?}").contains("secret"));
}

#[tokio::test]
async fn a_fixed_connection_needs_a_table_all_the_same() {
    let gate = Arc::new(Gate::new(impatient()));
    let connection = connection("http://127.0.0.1:1", "us-west-2");
    let error = AwsBackend::open(&AwsSettings::default(), &cluster(), gate, connection).await.expect_err("no table");
    assert!(error.get("help").is_some_and(|help| help.contains("`route-table`")));
}

#[tokio::test]
async fn a_gate_that_was_closed_sends_nothing() {
    let bench = Bench::new(1).await;
    bench.gate.stopper().stop();
    let error = bench.backend.observe(&workers(1)).await.expect_err("closed");
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert!(bench.calls().is_empty());
}
