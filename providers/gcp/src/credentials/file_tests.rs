use std::path::PathBuf;

use serde_json::json;

use super::*;

const SECRET: &str = "s3cret-of-the-file";

fn try_text(text: &str) -> Result<Found> {
    let path = PathBuf::from("/home/me/key.json");
    parse(Place { path: &path, named: "`GOOGLE_APPLICATION_CREDENTIALS`" }, text.as_bytes())
}

fn try_json(json: &Value) -> Result<Found> {
    try_text(&json.to_string())
}

fn failure(text: &str) -> Error {
    match try_text(text) {
        Ok(_) => panic!("this file was taken: {text}"),
        Err(error) => error,
    }
}

fn key() -> Value {
    json!({"type": "service_account", "project_id": "my-project", "private_key": SECRET,
        "client_email": "kroutes@my-project.iam.gserviceaccount.com", "token_uri": "https://oauth2.googleapis.com/token"})
}

fn user() -> Value {
    json!({"type": "authorized_user", "client_id": "me", "client_secret": SECRET, "refresh_token": SECRET,
        "quota_project_id": "billed"})
}

fn federated(source: &Value) -> Value {
    json!({"type": "external_account", "audience": "//iam.googleapis.com/projects/1/x", "credential_source": source,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": "https://sts.googleapis.com/v1/token"})
}

fn impersonating(url: &str, source: &Value) -> Value {
    json!({"type": "impersonated_service_account", "service_account_impersonation_url": url, "source_credentials": source})
}

const IMPERSONATED: &str = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/robot@p.iam.gserviceaccount.com:generateAccessToken";

fn with(mut json: Value, field: &str, value: impl Into<Value>) -> Value {
    json[field] = value.into();
    json
}

fn without(mut json: Value, field: &str) -> Value {
    json.as_object_mut().expect("object").remove(field);
    json
}

#[test]
fn each_type_that_can_be_used_says_who_one_is() {
    for (json, who, project) in [
        (key(), "service account `kroutes@my-project.iam.gserviceaccount.com`", Some("my-project")),
        (without(key(), "token_uri"), "service account `kroutes@", Some("my-project")),
        (with(key(), "token_uri", "http://127.0.0.1:8080/token"), "service account", Some("my-project")),
        (user(), "a user's login", None),
        (impersonating(IMPERSONATED, &user()), "service account `robot@p.iam.gserviceaccount.com`, impersonated", None),
        (federated(&json!({"file": "/token"})), "another cloud's identity", None),
        (federated(&json!({"file": "/token", "format": {"type": "text"}})), "another cloud's identity", None),
        (
            federated(&json!({"url": "http://169.254.169.254/token", "headers": {"Metadata": "True"}})),
            "another cloud's",
            None,
        ),
        (
            federated(
                &json!({"url": "https://x.example/t", "format": {"type": "json", "subject_token_field_name": "t"}}),
            ),
            "another cloud's identity",
            None,
        ),
        (
            with(federated(&json!({"file": "/token"})), "service_account_impersonation_url", IMPERSONATED),
            "as service account `robot@p.iam.gserviceaccount.com`",
            None,
        ),
    ] {
        let found = try_json(&json).unwrap_or_else(|error| panic!("{json}: {error}"));
        assert!(found.source.contains(who), "{}", found.source);
        assert!(
            found.source.starts_with("`GOOGLE_APPLICATION_CREDENTIALS` (`/home/me/key.json`, "),
            "{}",
            found.source
        );
        assert_eq!(found.project.as_deref(), project);
    }
}

#[test]
fn a_key_without_a_token_endpoint_means_googles() {
    let found = try_json(&without(key(), "token_uri")).unwrap_or_else(|error| panic!("{error}"));
    assert!(matches!(found.secret, Secret::ServiceAccount(key) if key.token_uri == TOKEN_URI));
}

#[test]
fn a_file_that_is_wrong_is_named_with_what_is_wrong_and_never_quoted() {
    let cut = &key().to_string()[..60];
    for (text, words) in [
        (String::new(), "is empty"),
        (" \n".to_owned(), "is empty"),
        (cut.to_owned(), "is cut off in line 1"),
        (format!("{SECRET} {{}}"), "is not JSON (line 1, column 1)"),
        (format!("\"{SECRET}\""), "has no `type`"),
        ("[]".to_owned(), "has no `type`"),
        ("{\"installed\": {\"client_id\": \"x\"}}".to_owned(), "has no `type`"),
        (with(key(), "type", 5).to_string(), "has a `type` that is empty or no text"),
        (without(key(), "private_key").to_string(), "has no `private_key`"),
        (with(key(), "private_key", json!([SECRET])).to_string(), "has a `private_key` that is empty or no text"),
        (with(key(), "private_key", "").to_string(), "has a `private_key` that is empty or no text"),
        (without(key(), "client_email").to_string(), "has no `client_email`"),
        (with(key(), "token_uri", "http://oauth2.googleapis.com/token").to_string(), "plain http to another machine"),
        (with(key(), "token_uri", "http://169.254.169.254/token").to_string(), "plain http to another machine"),
        (with(key(), "token_uri", "http://127.0.0.1.example.com/").to_string(), "plain http to another machine"),
        (with(key(), "token_uri", "http://127.0.0.1\\@evil.example/").to_string(), "is no URL"),
        (with(key(), "token_uri", format!("https://{SECRET}@x.example/")).to_string(), "has a user name"),
        (with(key(), "token_uri", "oauth2.googleapis.com/token").to_string(), "is no URL"),
        (with(key(), "token_uri", "ftp://127.0.0.1/token").to_string(), "is no http or https URL"),
        (without(user(), "refresh_token").to_string(), "has no `refresh_token`"),
        (without(user(), "client_secret").to_string(), "has no `client_secret`"),
        (
            impersonating(IMPERSONATED, &without(user(), "refresh_token")).to_string(),
            "has no `source_credentials.refresh_token`",
        ),
        (impersonating(IMPERSONATED, &json!(null)).to_string(), "has no `source_credentials.type`"),
        (federated(&json!({})).to_string(), "has no `credential_source.url`"),
        (federated(&json!({"url": "http://x.example/"})).to_string(), "plain http to another machine"),
        (
            federated(&json!({"url": "https://x.example/", "format": {"type": "json"}})).to_string(),
            "has no `credential_source.format.subject_token_field_name`",
        ),
        (federated(&json!({"url": "https://x.example/", "headers": {"a b": SECRET}})).to_string(), "headers"),
        (federated(&json!({"url": "https://x.example/", "headers": {"a": "b\nc"}})).to_string(), "headers"),
        (with(federated(&json!({"file": "/t"})), "token_url", "http://sts.googleapis.com/").to_string(), "`token_url`"),
        (
            with(federated(&json!({"file": "/t"})), "service_account_impersonation_url", "http://x.example/")
                .to_string(),
            "`service_account_impersonation_url`",
        ),
    ] {
        let error = failure(&text);
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{text}: {error}");
        assert!(error.message().contains(words), "{words}: {error}");
        assert!(error.message().contains("/home/me/key.json"), "{error}");
        assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
        assert!(error.get("help").is_some_and(|help| help.contains("gcloud auth application-default login")));
    }
}

#[test]
fn what_cannot_be_done_is_refused_by_name() {
    for (json, words) in [
        (json!({"type": "external_account_authorized_user"}), "external_account_authorized_user"),
        (json!({"type": "gdch_service_account"}), "gdch_service_account"),
        (json!({"type": "something_new"}), "something_new"),
        (json!({"type": format!("{SECRET}/+=")}), "no plain word"),
        (federated(&json!({"executable": {"command": SECRET}})), "credential_source.executable"),
        (federated(&json!({"environment_id": "aws1", "url": "http://169.254.169.254/x"})), "from AWS"),
        (federated(&json!({"certificate": {}})), "client certificate"),
        (
            federated(&json!({"file": "/t", "format": {"type": "json", "subject_token_field_name": "t"}})),
            "not plain text",
        ),
        (federated(&json!({"url": "https://x.example/", "format": {"type": "xml"}})), "neither `text` nor `json`"),
        (with(federated(&json!({"file": "/t"})), "workforce_pool_user_project", "p"), "workforce"),
        (impersonating(IMPERSONATED, &key()), "something else than a user's login"),
        (impersonating("https://evil.example/v1/robot:generateAccessToken", &user()), "not one of iamcredentials"),
        (impersonating(&IMPERSONATED.replace('@', "/../"), &user()), "not one of iamcredentials"),
        (with(impersonating(IMPERSONATED, &user()), "delegates", json!(["a"])), "`delegates`"),
    ] {
        let error = failure(&json.to_string());
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unsupported, false), "{json}");
        assert!(error.message().contains(words) && error.message().contains("does not support"), "{error}");
        assert!(error.message().contains("/home/me/key.json"), "{error}");
        assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
    }
}
