//! The doors by which a client gets its token, and what opens Compute.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use kroutes_lab::{Fault, FaultKind, Lab, Options};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

use crate::client::Client;
use crate::compute_client::{Bench, raw, reason};

/// An assertion as a client makes it from the key file.
fn assertion(lab: &Lab, change: impl Fn(&mut Value)) -> String {
    let file: Value = serde_json::from_str(&lab.service_account_key()).expect("JSON");
    let text = |field: &str| file[field].as_str().expect("a text").to_owned();
    let pem: String = text("private_key").lines().filter(|line| !line.starts_with("-----")).collect();
    let key = RsaKeyPair::from_pkcs8(&STANDARD.decode(pem).expect("base64")).expect("a key");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let scope = "https://www.googleapis.com/auth/compute";
    let mut claims =
        json!({"iss": text("client_email"), "aud": text("token_uri"), "iat": now, "exp": now + 3595, "scope": scope});
    change(&mut claims);
    let header = json!({"alg": "RS256", "typ": "JWT"});
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&header), part(&claims));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).expect("signed");
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

async fn ask(lab: &Lab, grant: &str, field: &str, value: &str) -> (u16, Value) {
    let mut form = form_urlencoded::Serializer::new(String::new());
    let body = form.append_pair("grant_type", grant).append_pair(field, value).finish();
    let answer = Client::connect(&lab.endpoint()).await.send("POST", "/token", None, &body).await;
    (answer.status, serde_json::from_str(&answer.body).expect("JSON"))
}

const BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

fn token(answer: &Value) -> String {
    answer["access_token"].as_str().expect("a token").to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_service_account_key_gets_a_token_that_expires() {
    let mut bench = Bench::new(Options { token_lifetime: Duration::from_mins(1), ..Options::default() }).await;
    let assertion = assertion(&bench.lab, |_| ());
    let (status, answer) = ask(&bench.lab, BEARER, "assertion", &assertion).await;
    assert_eq!((status, &answer["expires_in"], &answer["token_type"]), (200, &json!(60), &json!("Bearer")));
    bench.token = token(&answer);
    assert_eq!(bench.get("global/routes").await.0, 200);
    tokio::time::advance(Duration::from_mins(1)).await;
    assert_eq!(reason(&bench.get("global/routes").await), (401, "authError"));
    assert_eq!(bench.lab.calls()["oauth2.token"], 1);
}

#[tokio::test]
async fn an_assertion_that_is_wrong_is_an_invalid_grant() {
    let bench = Bench::new(Options::default()).await;
    let elsewhere = assertion(&bench.lab, |claims| claims["aud"] = "https://example.com/token".into());
    let late = assertion(&bench.lab, |claims| claims["exp"] = 1.into());
    for wrong in [elsewhere.as_str(), late.as_str(), "a.b.c", ""] {
        let (status, answer) = ask(&bench.lab, BEARER, "assertion", wrong).await;
        assert_eq!((status, &answer["error"]), (400, &json!("invalid_grant")), "{answer}");
    }
    let (status, answer) = ask(&bench.lab, "password", "password", "x").await;
    assert_eq!((status, &answer["error"]), (400, &json!("unsupported_grant_type")));
}

#[tokio::test]
async fn without_a_good_token_nothing_is_told_and_a_refresh_helps() {
    let mut bench = Bench::new(Options::default()).await;
    assert_eq!(bench.get("global/routes").await.0, 200);
    bench.lab.revoke_tokens();
    assert_eq!(reason(&bench.get("global/routes").await), (401, "authError"));
    let (_, answer) = ask(&bench.lab, "refresh_token", "refresh_token", Lab::REFRESH_TOKEN).await;
    bench.token = token(&answer);
    assert_eq!(bench.get("global/routes").await.0, 200);
    let (status, answer) = ask(&bench.lab, "refresh_token", "refresh_token", "another").await;
    assert_eq!((status, &answer["error"]), (400, &json!("invalid_grant")));
    let bare = raw(&bench.lab, "GET /compute/v1/projects/lab/global/routes HTTP/1.1", "").await;
    assert!(bare.starts_with("HTTP/1.1 401 ") && bare.contains("www-authenticate: Bearer"), "{bare}");
}

#[tokio::test]
async fn the_metadata_server_answers_those_who_name_its_flavour() {
    let mut bench = Bench::new(Options::default()).await;
    let account = "/computeMetadata/v1/instance/service-accounts/default/token?scopes=compute";
    let get = |path: &str| format!("GET {path} HTTP/1.1\nMetadata-Flavor: Google");
    let bare = raw(&bench.lab, &format!("GET {account} HTTP/1.1"), "").await;
    assert!(bare.starts_with("HTTP/1.1 403 "), "{bare}");
    let answer = raw(&bench.lab, &get(account), "").await;
    assert!(answer.contains("metadata-flavor: Google"), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    bench.token = token(&serde_json::from_str(body).expect("JSON"));
    assert_eq!(bench.get("global/routes").await.0, 200);
    let project = raw(&bench.lab, &get("/computeMetadata/v1/project/project-id"), "").await;
    assert!(project.ends_with("\r\n\r\nlab"), "{project}");
    let ping = raw(&bench.lab, &get("/"), "").await;
    assert!(ping.starts_with("HTTP/1.1 200 ") && ping.contains("metadata-flavor: Google"), "{ping}");
}

#[tokio::test]
async fn faults_meet_the_token_endpoint_too() {
    let bench = Bench::new(Options::default()).await;
    bench.lab.add_fault(Fault::new(FaultKind::ServerError).on("oauth2.token").times(1));
    let refresh = || ask(&bench.lab, "refresh_token", "refresh_token", Lab::REFRESH_TOKEN);
    assert_eq!(refresh().await.0, 503);
    assert_eq!(refresh().await.0, 200);
    bench.lab.add_fault(Fault::new(FaultKind::Html).on("metadata.token"));
    let head = "GET /computeMetadata/v1/instance/service-accounts/default/token HTTP/1.1\nMetadata-Flavor: Google";
    assert!(raw(&bench.lab, head, "").await.contains("Please log in"));
}
