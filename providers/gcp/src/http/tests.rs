use std::collections::BTreeMap;
use std::io;

use futures_util::future::join_all;
use kroutes_core::{GateSettings, Repeat};
use serde_json::json;

use super::stub::{Stub, header, reply};
use super::*;

type Json = BTreeMap<String, Value>;

fn gate() -> Arc<Gate> {
    Arc::new(Gate::new(GateSettings { attempts: 3, ..GateSettings::default() }))
}

fn http(stub: &Stub) -> Http {
    Http::new(&stub.endpoint(), Credentials::ready("s3cret"), gate()).expect("http")
}

fn request(method: Method) -> Request<'static> {
    Request { method, path: "projects/p/global/routes", query: &[], body: None }
}

async fn get(http: &Http) -> Result<Json> {
    http.send("routes.list", request(Method::GET)).await
}

async fn post(http: &Http) -> Result<Json> {
    http.send("routes.insert", request(Method::POST)).await
}

#[tokio::test]
async fn a_request_is_what_google_expects() {
    let stub = Stub::start(|_, _| Some(reply(200, r#"{"kind":"compute#operation"}"#))).await;
    let http = http(&stub);
    let body = json!({"name": "r"});
    let query = [("requestId", "a b".to_owned())];
    let insert = Request { method: Method::POST, path: "projects/p/global/routes", query: &query, body: Some(&body) };
    let answer: Json = http.send("routes.insert", insert).await.expect("answer");
    assert_eq!(answer["kind"], "compute#operation");
    post(&http).await.expect("answer");
    get(&http).await.expect("answer");
    let asked = stub.asked();
    assert!(asked[0].starts_with("POST /compute/v1/projects/p/global/routes?requestId=a+b HTTP/1.1\r\n"), "{asked:?}");
    assert!(asked[0].ends_with("\r\n\r\n{\"name\":\"r\"}"), "{asked:?}");
    assert_eq!(header(&asked[0], "content-type"), Some("application/json"));
    assert_eq!(header(&asked[0], "authorization"), Some("Bearer s3cret"));
    assert_eq!(header(&asked[0], "user-agent"), Some(USER_AGENT));
    assert_eq!(header(&asked[0], "accept-encoding"), None);
    assert_eq!(header(&asked[1], "content-length"), Some("0"), "Google's front ends want a length");
    assert_eq!(header(&asked[2], "content-length"), None);
}

#[tokio::test]
async fn a_token_never_follows_a_redirect() {
    let other = Stub::start(|_, _| Some(reply(200, "{}"))).await;
    let to = other.url.clone();
    let answer = move |_: usize, _: &str| {
        Some(format!(
            "HTTP/1.1 307 X\r\nLocation: {to}/compute/v1/projects/p\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ))
    };
    let stub = Stub::start(answer).await;
    let error = get(&http(&stub)).await.expect_err("redirect");
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unexpected, false));
    assert!(error.get("redirect").is_some());
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn a_ready_token_that_is_refused_is_final_and_says_where_it_came_from() {
    let stub = Stub::start(|_, _| Some(reply(401, r#"{"error":{"errors":[{"reason":"authError"}]}}"#))).await;
    let http = http(&stub);
    let error = get(&http).await.expect_err("refused");
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unauthenticated, false));
    assert!(error.message().contains("a ready token"), "{error}");
    assert_eq!(error.get("code"), Some("authError"));
    assert!(error.get("help").is_some_and(|help| help.contains("GOOGLE_OAUTH_ACCESS_TOKEN")));
    assert_eq!(stub.asked().len(), 1);
    assert!(!format!("{error:?} {http:?}").contains("s3cret"));
}

async fn by_metadata(tokens: &Stub, compute: &Stub, gate: &Arc<Gate>) -> Http {
    let host = tokens.url.trim_start_matches("http://").to_owned();
    let variable = move |name: &str| (name == "GCE_METADATA_HOST").then(|| host.clone());
    let credentials = Credentials::find(&variable).await.expect("credentials");
    Http::new(&compute.endpoint(), credentials, Arc::clone(gate)).expect("http")
}

fn numbered(number: usize) -> String {
    reply(200, &json!({"access_token": format!("s3cret-{number}"), "expires_in": 3600}).to_string())
}

#[tokio::test]
async fn many_calls_that_are_refused_cause_one_refresh_and_go_through() {
    let tokens = Stub::start(|number, _| Some(numbered(number))).await;
    let compute = Stub::start(|_, request| {
        let good = header(request, "authorization") == Some("Bearer s3cret-2");
        Some(if good { reply(200, "{}") } else { reply(401, "{}") })
    })
    .await;
    let gate = gate();
    let http = by_metadata(&tokens, &compute, &gate).await;
    let call = || gate.call("routes.list", Repeat::Always, |_| get(&http));
    for answer in join_all((0..20).map(|_| call())).await {
        answer.expect("goes through with the second token");
    }
    assert_eq!(tokens.asked().len(), 2);
    assert_eq!(compute.asked().len(), 40);
}

/// An operation was promised, the run was interrupted, and the token's hour ended while its end was awaited.
#[tokio::test]
async fn after_an_interruption_a_write_is_followed_with_a_new_token_and_nothing_else_begins() {
    let tokens = Stub::start(|number, _| Some(numbered(number))).await;
    let compute = Stub::start(|_, _| Some(reply(200, "{}"))).await;
    let gate = gate();
    let http = by_metadata(&tokens, &compute, &gate).await;
    gate.stopper().stop();

    let read = gate.call("routes.list", Repeat::Always, |_| get(&http)).await.expect_err("closed");
    let write = gate.call("routes.insert", Repeat::Always, |_| post(&http)).await.expect_err("closed");
    // Its attempt had begun before, and waited for a token.
    let begun = post(&http).await.expect_err("closed");
    for error in [read, write, begun] {
        assert_eq!((error.kind(), error.is_ambiguous()), (ErrorKind::Interrupted, false), "{error}");
    }
    assert_eq!((tokens.asked().len(), compute.asked().len()), (0, 0));

    gate.call_to_finish("globalOperations.get", |_| get(&http)).await.expect("followed");
    assert_eq!((tokens.asked().len(), compute.asked().len()), (1, 1));
}

#[tokio::test]
async fn a_renewed_token_that_is_refused_as_well_is_final() {
    let tokens = Stub::start(|number, _| Some(numbered(number))).await;
    let compute = Stub::start(|_, _| Some(reply(401, "<html>s3cret</html>"))).await;
    let gate = gate();
    let http = by_metadata(&tokens, &compute, &gate).await;
    let error = gate.call("routes.list", Repeat::Always, |_| get(&http)).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert_eq!((tokens.asked().len(), compute.asked().len()), (2, 2));
    assert!(!format!("{error:?} {http:?}").contains("s3cret"));
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_nothing_is_tried_twice_over() {
    let tokens = Stub::start(|_, _| Some(reply(503, ""))).await;
    let compute = Stub::start(|_, _| Some(reply(200, "{}"))).await;
    let gate = gate();
    let http = by_metadata(&tokens, &compute, &gate).await;
    let error = gate.call("routes.insert", Repeat::Always, |_| post(&http)).await.expect_err("no token");
    assert_eq!((error.kind(), error.is_ambiguous()), (ErrorKind::Unavailable, false));
    assert_eq!(error.get("action"), Some("oauth2.token"));
    assert_eq!((tokens.asked().len(), compute.asked().len()), (3, 0));
}

#[tokio::test]
async fn a_success_that_is_no_json_leaves_a_write_open() {
    use ErrorKind as K;
    for (answer, kind, words) in [
        (reply(200, "<!DOCTYPE html><html>s3cret</html>"), K::Unavailable, "not JSON"),
        (reply(200, ""), K::Unavailable, "cut off"),
        (reply(200, r#"{"name":"s3cr"#), K::Unavailable, "cut off"),
        ("HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\n{\"a\"".to_owned(), K::Unavailable, "lost the connection"),
        (String::new(), K::Unavailable, "lost the connection"),
        (reply(200, r#"["s3cret"]"#), K::Unexpected, "another shape"),
    ] {
        let text = answer.clone();
        let stub = Stub::start(move |_, _| Some(answer.clone())).await;
        let http = http(&stub);
        let (read, wrote) = (get(&http).await.expect_err("no answer"), post(&http).await.expect_err("no answer"));
        assert_eq!((read.is_ambiguous(), wrote.is_ambiguous()), (false, true), "{text}");
        for error in [read, wrote] {
            assert_eq!((error.kind(), error.is_retryable()), (kind, kind == K::Unavailable), "{text}: {error}");
            assert!(error.message().contains(words), "{text}: {error}");
            assert!(!format!("{error:?}").contains("s3cr"), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_refusal_is_sorted_by_its_reason_and_keeps_the_wait() {
    let body = r#"{"error":{"code":403,"message":"Rate Limit Exceeded","errors":[{"reason":"rateLimitExceeded"}]}}"#;
    let answer = format!(
        "HTTP/1.1 403 X\r\nRetry-After: 9\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let stub = Stub::start(move |_, _| Some(answer.clone())).await;
    let error = post(&http(&stub)).await.expect_err("refused");
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::RateLimited, Some(Duration::from_secs(9))));
    let stub = Stub::start(|_, _| Some(reply(503, "<html></html>"))).await;
    let error = post(&http(&stub)).await.expect_err("refused");
    assert_eq!((error.kind(), error.is_ambiguous()), (ErrorKind::Unavailable, true));
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_done() {
    let endpoint = Endpoint::parse("http://127.0.0.1:1", false).expect("endpoint");
    let http = Http::new(&endpoint, Credentials::ready("s3cret"), gate()).expect("http");
    let error = post(&http).await.expect_err("nobody");
    assert_eq!((error.kind(), error.is_retryable(), error.is_ambiguous()), (ErrorKind::Unavailable, false, false));
    assert!(error.message().contains("cannot connect to `http://127.0.0.1:1/compute/v1/`"), "{error}");
    assert!(error.get("help").is_some());
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_was_never_sent_a_request() {
    let stub = Stub::start(|_, _| Some(reply(200, "{}"))).await;
    let endpoint = Endpoint::parse(&stub.url.replace("http:", "https:"), false).expect("endpoint");
    let http = Http::new(&endpoint, Credentials::ready("s3cret"), gate()).expect("http");
    // The stub waits for a request that looks like http, so a deadline has to end it.
    let error = tokio::time::timeout(Duration::from_millis(300), post(&http)).await;
    assert!(error.is_err() || error.is_ok_and(|answer| answer.is_err_and(|error| !error.is_ambiguous())));
    assert!(stub.asked().iter().all(|request| !request.contains("s3cret")));
}

#[test]
fn a_certificate_that_is_not_trusted_is_not_tried_again() {
    let untrusted = io::Error::other("invalid peer certificate: UnknownIssuer");
    let error = failure::unconnected("https://compute.googleapis.com/", false, &untrusted);
    assert_eq!((error.kind(), error.is_retryable(), error.is_ambiguous()), (ErrorKind::Unavailable, false, false));
    assert!(error.message().contains("certificate"));
    assert!(error.get("help").is_some_and(|help| help.contains("SSL_CERT_FILE")));
    let away = io::Error::from(io::ErrorKind::ConnectionRefused);
    assert!(failure::unconnected("https://compute.googleapis.com/", false, &away).is_retryable());
}
