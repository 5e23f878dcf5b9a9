use std::path::Path;

use futures_util::future::join_all;
use kroutes_core::GateSettings;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::http::stub::{Stub, header, reply};

const PEM: &str = include_str!("../../tests/data/rsa-key-for-tests-only-not-a-secret.pem");

/// Patient enough for a busy machine, and brief enough for a test.
fn gate() -> Gate {
    Gate::new(GateSettings { attempts: 2, ..GateSettings::default() })
}

async fn find(variables: &[(&str, &str)]) -> Result<Credentials> {
    let variable = |name: &str| {
        let known = variables.iter().find(|(known, _)| *known == name);
        known.map(|(_, value)| (*value).to_owned())
    };
    Credentials::find(&variable).await
}

fn key(token_uri: &str) -> String {
    json!({"type": "service_account", "project_id": "my-project", "private_key": PEM,
        "client_email": "kroutes@my-project.iam.gserviceaccount.com", "token_uri": token_uri})
    .to_string()
}

fn put(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("parent")).expect("folder");
    std::fs::write(&path, text).expect("file");
    path.to_str().expect("path").to_owned()
}

/// Credentials by a service account's key whose tokens come from the stub.
async fn keyed(stub: &Stub) -> Credentials {
    let folder = TempDir::new().expect("folder");
    let path = put(folder.path(), "key.json", &key(&format!("{}/token", stub.url)));
    find(&[("GOOGLE_APPLICATION_CREDENTIALS", &path)]).await.expect("credentials")
}

fn token_json(token: &str, expires_in: u64) -> String {
    reply(200, &json!({"access_token": token, "expires_in": expires_in, "token_type": "Bearer"}).to_string())
}

fn shown(token: &Token) -> String {
    token.header().expect("header").to_str().expect("text").to_owned()
}

fn host(stub: &Stub) -> &str {
    stub.url.trim_start_matches("http://")
}

/// No secret that a test uses, nor an assertion (which is a JWT), is in what a person may see of an error.
fn assert_discreet(error: &Error) {
    let all = format!("{error} {error:?}");
    for secret in ["s3cret", "eyJ", "BEGIN", "assertion="] {
        assert!(!all.contains(secret), "{secret}: {all}");
    }
}

#[tokio::test]
async fn credentials_are_looked_for_in_googles_order() {
    let folder = TempDir::new().expect("folder");
    let named = put(folder.path(), "key.json", &key("https://oauth2.googleapis.com/token"));
    let login = r#"{"type":"authorized_user","client_id":"a","client_secret":"s3cret","refresh_token":"s3cret"}"#;
    put(folder.path(), "sdk/application_default_credentials.json", login);
    put(folder.path(), "home/.config/gcloud/application_default_credentials.json", login);
    let path = |name: &str| folder.path().join(name).to_str().expect("path").to_owned();
    let (sdk, home) = (path("sdk"), path("home"));
    let mut variables = vec![
        ("GOOGLE_OAUTH_ACCESS_TOKEN", " ya29.s3cret\n"),
        ("GOOGLE_APPLICATION_CREDENTIALS", &named),
        ("CLOUDSDK_CONFIG", &sdk),
        ("HOME", &home),
        ("GCE_METADATA_HOST", "127.0.0.1:1"),
    ];
    let expected = [
        "`GOOGLE_OAUTH_ACCESS_TOKEN`".to_owned(),
        format!(
            "`GOOGLE_APPLICATION_CREDENTIALS` (`{named}`, service account `kroutes@my-project.iam.gserviceaccount.com`)"
        ),
        format!("gcloud's own file (`{sdk}/application_default_credentials.json`, a user's login)"),
        format!("gcloud's own file (`{home}/.config/gcloud/application_default_credentials.json`, a user's login)"),
        "the metadata server at `127.0.0.1:1`".to_owned(),
    ];
    for source in expected {
        let found = find(&variables).await.expect("credentials");
        assert_eq!(found.source(), source);
        assert_eq!(found.project().is_some(), source.contains("service account"));
        assert!(!format!("{found:?}").contains("s3cret"));
        // What is set to nothing counts as not set.
        variables[0].1 = "";
        if let Some(next) = variables.iter_mut().find(|(name, value)| !value.is_empty() && source_of(name, &source)) {
            next.1 = "";
        }
    }
}

/// Whether a variable is what led to a source.
fn source_of(name: &str, source: &str) -> bool {
    match name {
        "CLOUDSDK_CONFIG" => source.contains("/sdk/"),
        "HOME" => source.contains("/home/.config/"),
        name => source.contains(name),
    }
}

#[tokio::test]
async fn a_ready_token_is_used_as_it_is_and_never_renewed() {
    let found = find(&[("GOOGLE_OAUTH_ACCESS_TOKEN", "  ya29.ready\n")]).await.expect("credentials");
    let gate = gate();
    let token = found.token(&gate).await.expect("token");
    assert_eq!(shown(&token), "Bearer ya29.ready");
    assert!(!found.refresh(&gate, Closed::Refuses, &token).await.expect("no failure"));
    assert!(gate.counts().is_empty());
    assert!(found.remedy().contains("GOOGLE_OAUTH_ACCESS_TOKEN"));
    let lab = Credentials::ready("lab");
    assert_eq!(shown(&lab.token(&gate).await.expect("token")), "Bearer lab");
    assert!(!format!("{found:?} {token:?} {:?}", token.header()).contains("ya29"));
}

#[tokio::test]
async fn a_ready_token_with_odd_characters_is_an_error_that_does_not_print_it() {
    for odd in ["s3cret\nX-Evil: 1", "s3cret two", "s3cr\u{7f}et-s3cret", "s3cret\u{e9}"] {
        let error = find(&[("GOOGLE_OAUTH_ACCESS_TOKEN", odd)]).await.expect_err("odd");
        assert_eq!(error.kind(), ErrorKind::Unauthenticated);
        assert_discreet(&error);
    }
}

#[tokio::test]
async fn a_file_that_was_named_and_cannot_be_used_is_no_reason_to_look_further() {
    let folder = TempDir::new().expect("folder");
    let whole = key("https://oauth2.googleapis.com/token");
    let missing = folder.path().join("nothing.json").to_str().expect("path").to_owned();
    let not_rsa = key("https://oauth2.googleapis.com/token").replace("BEGIN PRIVATE KEY", "BEGIN s3cret KEY");
    for (path, kind, words) in [
        (missing, ErrorKind::Unauthenticated, "where there is no file"),
        (folder.path().to_str().expect("path").to_owned(), ErrorKind::Unauthenticated, "cannot be read"),
        (put(folder.path(), "cut.json", &whole[..whole.len() / 2]), ErrorKind::Unauthenticated, "cut off"),
        (put(folder.path(), "no-key.json", &not_rsa), ErrorKind::Unauthenticated, "no RSA key in PEM"),
        (put(folder.path(), "other.json", r#"{"type":"gdch_service_account"}"#), ErrorKind::Unsupported, "gdch"),
    ] {
        let home = put(folder.path(), ".config/gcloud/application_default_credentials.json", &whole);
        let home = home.trim_end_matches("/.config/gcloud/application_default_credentials.json");
        let error = find(&[("GOOGLE_APPLICATION_CREDENTIALS", &path), ("HOME", home)]).await.expect_err("named");
        assert_eq!(error.kind(), kind, "{path}: {error}");
        assert!(
            error.message().contains(words) && error.message().contains("GOOGLE_APPLICATION_CREDENTIALS"),
            "{error}"
        );
        assert!(error.get("help").is_some());
        assert_discreet(&error);
    }
}

#[tokio::test]
async fn a_broken_file_of_gclouds_is_an_error_and_an_absent_one_is_not() {
    let folder = TempDir::new().expect("folder");
    let home = folder.path().to_str().expect("path");
    let variables = [("HOME", home), ("GCE_METADATA_HOST", "127.0.0.1:1")];
    assert!(find(&variables).await.expect("credentials").source().contains("metadata server"));
    put(folder.path(), ".config/gcloud/application_default_credentials.json", "{");
    assert!(find(&variables).await.expect_err("broken").message().contains("gcloud's own file"));
}

#[tokio::test]
async fn without_any_credentials_all_the_places_that_were_looked_at_are_told() {
    let folder = TempDir::new().expect("folder");
    let home = folder.path().to_str().expect("path");
    // Nobody listens on port 1.
    let found = find(&[("HOME", home), ("GCE_METADATA_HOST", "127.0.0.1:1")]).await.expect("not asked yet");
    let gate = gate();
    let asked = found.token(&gate).await.expect_err("nobody there");
    assert_eq!(gate.counts()[ACTION], 1, "it is told at once");
    let forbidden = find(&[("HOME", home), ("NO_GCE_CHECK", "true")]).await.expect_err("not to be asked");
    for (error, words) in [(asked, "`127.0.0.1:1`"), (forbidden, "`NO_GCE_CHECK`")] {
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unauthenticated, false));
        assert!(error.message().starts_with("no Google credentials were found"), "{error}");
        for place in ["GOOGLE_OAUTH_ACCESS_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS", home, words] {
            assert!(error.message().contains(place), "{place}: {error}");
        }
        assert!(error.get("help").is_some_and(|help| help.contains("--lab")));
    }
}

#[tokio::test]
async fn a_metadata_server_is_asked_as_google_says_and_only_when_needed() {
    let stub =
        Stub::start(|number, _| Some(token_json(&format!("vm-{number}"), if number == 1 { 30 } else { 3600 }))).await;
    let found = find(&[("GCE_METADATA_HOST", host(&stub))]).await.expect("credentials");
    let gate = gate();
    assert_eq!(shown(&found.token(&gate).await.expect("token")), "Bearer vm-1");
    // Half a minute of life is too little; an hour is enough.
    assert_eq!(shown(&found.token(&gate).await.expect("token")), "Bearer vm-2");
    assert_eq!(shown(&found.token(&gate).await.expect("token")), "Bearer vm-2");
    let asked = stub.asked();
    assert_eq!(asked.len(), 2);
    let line = asked[0].lines().next().expect("line");
    let path = "/computeMetadata/v1/instance/service-accounts/default/token";
    assert_eq!(line, format!("GET {path}?scopes={SCOPE} HTTP/1.1"));
    assert_eq!(header(&asked[0], "metadata-flavor"), Some("Google"));
}

#[tokio::test]
async fn a_metadata_server_that_cannot_give_a_token_is_told_from_one_that_cannot_now() {
    use ErrorKind as K;
    for (answer, kind, attempts, words) in [
        (reply(404, "s3cret"), K::Unauthenticated, 1, "no service account"),
        (reply(403, "s3cret"), K::Unauthenticated, 1, "HTTP 403"),
        (reply(503, "s3cret"), K::Unavailable, 2, "HTTP 503"),
        (reply(200, "<html>s3cret</html>"), K::Unavailable, 2, "no token"),
        (reply(200, r#"{"expires_in":3600}"#), K::Unavailable, 2, "no token"),
        (token_json("s3cret\n", 3600), K::Unavailable, 2, "no token"),
    ] {
        let stub = Stub::start(move |_, _| Some(answer.clone())).await;
        let found = find(&[("GCE_METADATA_HOST", host(&stub))]).await.expect("credentials");
        let error = found.token(&gate()).await.expect_err("no token");
        assert_eq!((error.kind(), stub.asked().len()), (kind, attempts), "{error}");
        assert!(error.message().contains(words), "{error}");
        assert_discreet(&error);
    }
}

#[tokio::test]
async fn a_metadata_host_is_a_host() {
    for bad in ["http://127.0.0.1", "a@b", "a/b", "a?b", "a#b", " \\ ", "a b"] {
        let error = find(&[("GCE_METADATA_HOST", bad)]).await.expect_err(bad);
        assert_eq!(error.kind(), ErrorKind::Invalid, "{bad}");
    }
}

#[tokio::test]
async fn many_callers_cause_one_request_and_a_refused_token_one_more() {
    let stub = Stub::start(|number, _| Some(token_json(&format!("sa-{number}"), 3600))).await;
    let (found, gate) = (keyed(&stub).await, gate());
    let tokens = join_all((0..50).map(|_| found.token(&gate))).await;
    let tokens: Vec<_> = tokens.into_iter().map(|token| token.expect("token")).collect();
    assert!(tokens.iter().all(|token| shown(token) == "Bearer sa-1"));
    assert_eq!(stub.asked().len(), 1);
    assert!(stub.asked()[0].starts_with("POST /token HTTP/1.1"));
    assert!(stub.asked()[0].contains("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=eyJ"));

    let again = join_all(tokens.iter().map(|token| found.refresh(&gate, Closed::Refuses, token))).await;
    assert!(again.into_iter().all(|again| again.expect("refresh")), "each has another token to try");
    assert_eq!(stub.asked().len(), 2);
    let second = found.token(&gate).await.expect("token");
    assert_eq!(shown(&second), "Bearer sa-2");
    assert!(
        !found.refresh(&gate, Closed::Refuses, &second).await.expect("refresh"),
        "a forced one is not forced again"
    );
    assert_eq!((stub.asked().len(), gate.counts()[ACTION]), (2, 2));
}

#[tokio::test]
async fn the_same_token_again_is_not_worth_trying() {
    let stub = Stub::start(|_, _| Some(token_json("cached", 3600))).await;
    let found = find(&[("GCE_METADATA_HOST", host(&stub))]).await.expect("credentials");
    let gate = gate();
    let token = found.token(&gate).await.expect("token");
    assert!(!found.refresh(&gate, Closed::Refuses, &token).await.expect("refresh"));
    assert!(!found.refresh(&gate, Closed::Refuses, &token).await.expect("refresh"));
    assert_eq!(stub.asked().len(), 2);
}

#[tokio::test]
async fn a_token_without_an_end_is_used_until_it_is_refused() {
    let stub = Stub::start(|number, _| Some(reply(200, &format!(r#"{{"access_token":"endless-{number}"}}"#)))).await;
    let (found, gate) = (keyed(&stub).await, gate());
    let token = found.token(&gate).await.expect("token");
    assert_eq!(found.token(&gate).await.expect("token"), token);
    assert!(found.refresh(&gate, Closed::Refuses, &token).await.expect("refresh"));
    assert_eq!(stub.asked().len(), 2);
}

#[tokio::test]
async fn an_answer_without_a_token_is_asked_for_again() {
    for bad in [
        reply(200, "<!DOCTYPE html><html>Sign in</html>"),
        reply(500, r#"{"message":"s3cret"}"#),
        reply(200, "{}"),
        reply(200, r#"{"access_token":""}"#),
        reply(200, r#"{"access_token":"ya29.cut"#),
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"access_token\":\"s3cret\"".to_owned(),
        String::new(),
    ] {
        let text = bad.clone();
        let stub =
            Stub::start(move |number, _| Some(if number == 1 { bad.clone() } else { token_json("good", 3600) })).await;
        let found = keyed(&stub).await;
        let token = found.token(&gate()).await.unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((shown(&token).as_str(), stub.asked().len()), ("Bearer good", 2), "{text}");
    }
}

#[tokio::test]
async fn a_token_endpoint_that_stays_bad_is_unavailable_and_all_who_waited_hear_the_same() {
    let stub = Stub::start(|_, _| Some(reply(200, r#"{"expires_in":"s3cret","id_token":5}"#))).await;
    let (found, gate) = (keyed(&stub).await, gate());
    for answer in join_all((0..20).map(|_| found.token(&gate))).await {
        let error = answer.expect_err("no token");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(error.get("action"), Some(ACTION));
        assert!(error.get("credentials").is_some_and(|source| source.contains("kroutes@")));
        assert_discreet(&error);
    }
    assert_eq!(stub.asked().len(), 2, "two attempts for all of them");
}

#[tokio::test]
async fn what_google_says_in_the_words_of_oauth_is_final_unless_it_is_of_the_moment() {
    use ErrorKind as K;
    for (code, kind, attempts) in [
        ("invalid_grant", K::Unauthenticated, 1),
        ("invalid_client", K::Unauthenticated, 1),
        ("unauthorized_client", K::Unauthenticated, 1),
        ("something_new", K::Unauthenticated, 1),
        ("internal_failure", K::Unavailable, 2),
        ("rate_limit_exceeded", K::RateLimited, 2),
    ] {
        // A server that sends back what it got must not make us print it.
        let answer = move |_: usize, request: &str| {
            let said = request.split("assertion=").nth(1).unwrap_or_default();
            let body = json!({"error": code, "error_description": format!("Invalid JWT\nSignature {said}.")});
            Some(reply(400, &body.to_string()))
        };
        let stub = Stub::start(answer).await;
        let error = keyed(&stub).await.token(&gate()).await.expect_err("refused");
        assert_eq!((error.kind(), stub.asked().len()), (kind, attempts), "{error}");
        assert_eq!(error.get("code"), Some(code));
        assert_eq!(error.message(), format!("`{}` gives no token: Invalid JWT Signature", stub.url));
        assert_discreet(&error);
    }
}

#[tokio::test]
async fn a_token_endpoint_where_nobody_listens_is_told_at_once() {
    let folder = TempDir::new().expect("folder");
    let path = put(folder.path(), "key.json", &key("http://127.0.0.1:1/token"));
    let found = find(&[("GOOGLE_APPLICATION_CREDENTIALS", &path)]).await.expect("credentials");
    let error = found.token(&gate()).await.expect_err("nobody");
    assert_eq!((error.kind(), error.is_ambiguous()), (ErrorKind::Unavailable, false));
    assert!(error.message().contains("cannot connect to `http://127.0.0.1:1`"), "{error}");
    assert_discreet(&error);
}

#[tokio::test]
async fn a_token_endpoint_that_never_answers_ends_at_the_gates_deadline() {
    let stub = Stub::start(|_, _| None).await;
    let settings = GateSettings { attempts: 2, attempt_timeout: Duration::from_millis(300), ..GateSettings::default() };
    let error = keyed(&stub).await.token(&Gate::new(settings)).await.expect_err("silence");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.get("action"), Some(ACTION));
}

#[tokio::test]
async fn a_closed_gate_lets_pass_only_the_token_that_finishes_a_write() {
    let stub = Stub::start(|number, _| Some(token_json(&format!("sa-{number}"), 3600))).await;
    let (found, gate) = (keyed(&stub).await, gate());
    gate.stopper().stop();
    assert_eq!(found.token(&gate).await.expect_err("closed").kind(), ErrorKind::Interrupted);
    assert_eq!(stub.asked().len(), 0);
    let token = found.token_to_finish(&gate).await.expect("token");
    let error = found.refresh(&gate, Closed::Refuses, &token).await.expect_err("closed");
    assert_eq!((error.kind(), stub.asked().len()), (ErrorKind::Interrupted, 1));
    assert!(found.refresh(&gate, Closed::LetsPass, &token).await.expect("refresh"));
    assert_eq!(stub.asked().len(), 2);
}

/// yup-oauth2 panics where the end of a token's life is after the year 9999.
#[tokio::test]
async fn an_answer_that_makes_the_library_panic_is_an_answer_without_a_token() {
    for life in [i64::MAX, i64::MIN, 1_000_000_000_000] {
        let body = json!({"access_token": "s3cret", "expires_in": life, "token_type": "Bearer"}).to_string();
        let stub = Stub::start(move |_, _| Some(reply(200, &body))).await;
        let found = keyed(&stub).await;
        let error = found.token(&gate()).await.expect_err("no token");
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, false));
        assert_eq!(error.message(), format!("`{}` answered without a token", stub.url));
        assert_eq!(stub.asked().len(), 1, "it would only panic again");
        assert_discreet(&error);
    }
}
