//! Credential files, read strictly.
//!
//! A file says by its `type` what it is, and each type is another way to a token. What yup-oauth2 cannot do is refused
//! here, by name: some of it would fail later with words about something else, and some would send a wrong thing to the
//! right place. It also takes URLs and headers on trust, so they are checked: an assertion, a refresh token or another
//! cloud's token goes over TLS, or to this machine.
//!
//! An error names the file and the field and never quotes: the neighbour of a misspelt field is a private key.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::Path;

use http::{HeaderName, HeaderValue, Uri};
use kroutes_core::{Error, ErrorKind, Result};
use serde_json::Value;
use serde_json::error::Category;
use yup_oauth2::ServiceAccountKey;
use yup_oauth2::authorized_user::AuthorizedUserSecret;
use yup_oauth2::external_account::{CredentialSource, ExternalAccountSecret, UrlCredentialSourceFormat};

use crate::http::endpoint::is_loopback;

const LOGIN: &str =
    "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a service account's key";
/// What a service account's key means that does not say where tokens are ("Create and delete service account keys").
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
const IMPERSONATION: &str = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/";

/// What a file holds, as yup-oauth2 takes it.
pub(super) enum Secret {
    ServiceAccount(ServiceAccountKey),
    AuthorizedUser(AuthorizedUserSecret),
    ExternalAccount(ExternalAccountSecret),
    Impersonated(AuthorizedUserSecret, String),
}

/// A file that can be used.
pub(super) struct Found {
    pub(super) secret: Secret,
    /// For people.
    pub(super) source: String,
    pub(super) project: Option<String>,
}

/// One file, for messages.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a Path,
    /// What led to it.
    named: &'a str,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({})", self.path.display(), self.named)
    }
}

impl Place<'_> {
    fn wrong(self, what: &str) -> Error {
        Error::new(ErrorKind::Unauthenticated, format!("the credential file {self} {what}")).help(LOGIN)
    }

    fn unsupported(self, what: &str) -> Error {
        let message = format!("the credential file {self} {what}, which kroutes does not support");
        Error::new(ErrorKind::Unsupported, message)
            .help(format!("{LOGIN}, or set GOOGLE_OAUTH_ACCESS_TOKEN to what `gcloud auth print-access-token` prints"))
    }
}

/// Reads a credential file; nothing if there is none.
pub(super) async fn read(path: &Path, named: &str) -> Result<Option<Found>> {
    let place = Place { path, named };
    let bytes = match tokio::fs::read(path).await {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let message = format!("the credential file {place} cannot be read: {error}");
            return Err(Error::new(ErrorKind::Unauthenticated, message).help(LOGIN));
        }
    };
    parse(place, &bytes).map(Some)
}

fn parse(place: Place<'_>, bytes: &[u8]) -> Result<Found> {
    let json: Value = serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        _ if bytes.trim_ascii().is_empty() => place.wrong("is empty"),
        Category::Eof => place.wrong(&format!("is cut off in line {}", error.line())),
        _ => place.wrong(&format!("is not JSON (line {}, column {})", error.line(), error.column())),
    })?;
    let object = Object { place, json: &json, within: "" };
    let (secret, who) = match object.text("type")? {
        "service_account" => service_account(object)?,
        "authorized_user" => (Secret::AuthorizedUser(authorized_user(object)?), "a user's login".to_owned()),
        "external_account" => external_account(object)?,
        "impersonated_service_account" => impersonated(object)?,
        "external_account_authorized_user" => {
            return Err(
                place.unsupported("is of type `external_account_authorized_user`, a login by workforce identity")
            );
        }
        "gdch_service_account" => {
            return Err(place.unsupported("is of type `gdch_service_account`, for Google Distributed Cloud"));
        }
        // A type is a plain word; anything else may be something that got there by accident.
        kind if kind.len() < 50 && kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') => {
            return Err(place.unsupported(&format!("is of type `{kind}`")));
        }
        _ => return Err(place.unsupported("is of a type that is no plain word")),
    };
    let project = object.maybe("project_id")?.map(ToOwned::to_owned);
    Ok(Found { secret, source: format!("{named} (`{}`, {who})", place.path.display(), named = place.named), project })
}

fn service_account(object: Object<'_>) -> Result<(Secret, String)> {
    let email = object.text("client_email")?.to_owned();
    let token_uri = object.maybe("token_uri")?.unwrap_or(TOKEN_URI);
    object.safe("token_uri", token_uri, false)?;
    let key = ServiceAccountKey {
        key_type: None,
        project_id: None,
        private_key_id: None,
        private_key: object.text("private_key")?.to_owned(),
        client_email: email.clone(),
        client_id: None,
        auth_uri: None,
        token_uri: token_uri.to_owned(),
        auth_provider_x509_cert_url: None,
        client_x509_cert_url: None,
    };
    Ok((Secret::ServiceAccount(key), format!("service account `{}`", printable(&email))))
}

fn authorized_user(object: Object<'_>) -> Result<AuthorizedUserSecret> {
    Ok(AuthorizedUserSecret {
        client_id: object.text("client_id")?.to_owned(),
        client_secret: object.text("client_secret")?.to_owned(),
        refresh_token: object.text("refresh_token")?.to_owned(),
        key_type: "authorized_user".to_owned(),
    })
}

fn impersonated(object: Object<'_>) -> Result<(Secret, String)> {
    let place = object.place;
    if object.json["delegates"].as_array().is_some_and(|delegates| !delegates.is_empty()) {
        return Err(place.unsupported("impersonates a service account by way of others (`delegates`)"));
    }
    let email = account(object.text("service_account_impersonation_url")?).ok_or_else(|| {
        place.unsupported("has a `service_account_impersonation_url` that is not one of iamcredentials.googleapis.com")
    })?;
    let user = object.inside("source_credentials", "source_credentials.");
    if user.text("type")? != "authorized_user" {
        return Err(place.unsupported("impersonates a service account by something else than a user's login"));
    }
    let who = format!("service account `{email}`, impersonated by a user");
    Ok((Secret::Impersonated(authorized_user(user)?, email.to_owned()), who))
}

/// The service account in `.../serviceAccounts/EMAIL:generateAccessToken`. It becomes a part of a URL again.
fn account(url: &str) -> Option<&str> {
    let email = url.strip_prefix(IMPERSONATION)?.strip_suffix(":generateAccessToken")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"@.-_".contains(&byte);
    (!email.is_empty() && email.bytes().all(plain)).then_some(email)
}

fn external_account(object: Object<'_>) -> Result<(Secret, String)> {
    let place = object.place;
    if object.json.get("workforce_pool_user_project").is_some() {
        return Err(place.unsupported("is a login by workforce identity (`workforce_pool_user_project`)"));
    }
    let token_url = object.text("token_url")?;
    object.safe("token_url", token_url, false)?;
    let impersonation = object.maybe("service_account_impersonation_url")?;
    if let Some(url) = impersonation {
        object.safe("service_account_impersonation_url", url, false)?;
    }
    let secret = ExternalAccountSecret {
        audience: object.text("audience")?.to_owned(),
        subject_token_type: object.text("subject_token_type")?.to_owned(),
        service_account_impersonation_url: impersonation.map(ToOwned::to_owned),
        token_url: token_url.to_owned(),
        credential_source: credential_source(object.inside("credential_source", "credential_source."))?,
        key_type: "external_account".to_owned(),
    };
    let who = match impersonation.and_then(account) {
        Some(email) => format!("another cloud's identity as service account `{email}`"),
        None => "another cloud's identity".to_owned(),
    };
    Ok((Secret::ExternalAccount(secret), who))
}

fn credential_source(object: Object<'_>) -> Result<CredentialSource> {
    let (place, json) = (object.place, object.json);
    for (field, what) in [
        ("executable", "gets its token from a program (`credential_source.executable`)"),
        ("environment_id", "gets its token from AWS (`credential_source.environment_id`)"),
        ("certificate", "uses a client certificate (`credential_source.certificate`)"),
    ] {
        if json.get(field).is_some() {
            return Err(place.unsupported(what));
        }
    }
    let format = object.inside("format", "credential_source.format.");
    let kind = if format.json.is_null() { None } else { format.maybe("type")? };
    if let Some(file) = object.maybe("file")? {
        if kind.is_some_and(|kind| kind != "text") {
            // The whole file would be sent as the token.
            return Err(
                place.unsupported("gets its token from a file that is not plain text (`credential_source.format`)")
            );
        }
        return Ok(CredentialSource::File { file: file.to_owned() });
    }
    let url = object.text("url")?;
    object.safe("url", url, true)?;
    let format = match kind {
        None | Some("text") => UrlCredentialSourceFormat::Text,
        Some("json") => UrlCredentialSourceFormat::Json {
            subject_token_field_name: format.text("subject_token_field_name")?.to_owned(),
        },
        Some(_) => return Err(place.unsupported("has a `credential_source.format` that is neither `text` nor `json`")),
    };
    Ok(CredentialSource::Url { url: url.to_owned(), headers: headers(object)?, format })
}

fn headers(object: Object<'_>) -> Result<Option<HashMap<String, String>>> {
    let Some(given) = object.json.get("headers").filter(|headers| !headers.is_null()) else { return Ok(None) };
    let fit = |(name, value): (&String, &Value)| {
        let value = value.as_str()?;
        let fits = HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_str(value).is_ok();
        fits.then(|| (name.clone(), value.to_owned()))
    };
    let headers = given.as_object().and_then(|pairs| pairs.iter().map(fit).collect());
    let wrong = || object.place.wrong("has `credential_source.headers` that cannot be sent");
    headers.map(Some).ok_or_else(wrong)
}

/// An object of the file.
#[derive(Clone, Copy)]
struct Object<'a> {
    place: Place<'a>,
    json: &'a Value,
    /// Goes before the names of its fields in messages.
    within: &'a str,
}

impl<'a> Object<'a> {
    fn inside(self, field: &str, within: &'a str) -> Self {
        Self { json: &self.json[field], within, ..self }
    }

    fn maybe(self, field: &str) -> Result<Option<&'a str>> {
        match self.json.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text)),
            Some(_) => Err(self.place.wrong(&format!("has a `{}{field}` that is empty or no text", self.within))),
        }
    }

    fn text(self, field: &str) -> Result<&'a str> {
        self.maybe(field)?.ok_or_else(|| self.place.wrong(&format!("has no `{}{field}`", self.within)))
    }

    /// Whether a secret may be sent to a URL. What hands out another cloud's token may also be a link-local neighbour, as
    /// Azure's is ("Configure Workload Identity Federation with AWS or Azure VMs", Google Cloud documentation).
    fn safe(self, field: &str, url: &str, neighbours: bool) -> Result<()> {
        let wrong = |what| Err(self.place.wrong(&format!("has a `{}{field}` that {what}", self.within)));
        // The parser of the client that will use it: two parsers might see two hosts.
        let Ok(uri) = url.parse::<Uri>() else { return wrong("is no URL") };
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return wrong("is no URL") };
        if authority.as_str().contains('@') {
            return wrong("has a user name in it");
        }
        let host = authority.host();
        let neighbour =
            || neighbours && host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_link_local());
        match scheme {
            "https" => Ok(()),
            "http" if is_loopback(host) || neighbour() => Ok(()),
            "http" => wrong("is plain http to another machine, where anybody on the way could read what is sent"),
            _ => wrong("is no http or https URL"),
        }
    }
}

/// A name out of a file as part of a line of ours.
fn printable(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(200).collect()
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
