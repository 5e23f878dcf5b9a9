//! Tokens from the metadata server of a VM.
//!
//! yup-oauth2 could ask it, but only after looking at the process's environment once more and by itself, and it takes a
//! "not found" for a broken answer. The protocol is one GET ("About VM metadata", Compute Engine documentation).
//!
//! The server is a link-local neighbour: it answers in milliseconds or does not exist. So where no connection comes about,
//! the machine is no VM, and that is told at once as what it is: no credentials. Once it has handed out a token it is known
//! to exist, and then the same failure is a passing one.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use kroutes_core::{Error, ErrorKind, Result};
use reqwest::{Client, Url};
use serde::Deserialize;

use super::find::nowhere;
use super::{Fetched, SCOPE, Token};
use crate::http::{client, failure, unbuilt};

const HOST: &str = "metadata.google.internal";
const CONNECT: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(5);
/// The longest life that is believed; a token of Google's has half of it at the most.
const LONGEST_LIFE: Duration = Duration::from_hours(24);

/// A metadata server that may or may not be there.
pub(super) struct Metadata {
    url: Url,
    host: String,
    client: Client,
    known: AtomicBool,
    /// Where credentials were looked for before.
    looked: Vec<String>,
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metadata").field("host", &self.host).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Metadata {
    /// `host` is `host[:port]` as in `GCE_METADATA_HOST`.
    pub(super) fn new(host: Option<&str>, looked: Vec<String>) -> Result<Self> {
        let host = host.unwrap_or(HOST);
        let path = "computeMetadata/v1/instance/service-accounts/default/token";
        let url = Url::parse(&format!("http://{host}/{path}?scopes={SCOPE}"));
        let plain = !host.contains(['/', '@', '?', '#', '\\']);
        let url = url.ok().filter(|url| plain && url.has_host()).ok_or_else(|| {
            Error::new(ErrorKind::Invalid, "`GCE_METADATA_HOST` is no host")
                .help("write it as `HOST` or `HOST:PORT`, without `http://`")
        })?;
        // Never by a proxy: it would ask its own neighbour.
        let client = client(false)?.no_proxy().connect_timeout(CONNECT).timeout(ANSWER).build().map_err(unbuilt)?;
        Ok(Self { url, host: host.to_owned(), client, known: AtomicBool::new(false), looked })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) async fn fetch(&self) -> Result<Fetched> {
        let request = self.client.get(self.url.clone()).header("Metadata-Flavor", "Google");
        let response = request.send().await.map_err(|error| self.lost(error))?;
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(|error| self.lost(error))?;
        let told = |kind, what: &str| Error::new(kind, format!("the metadata server at `{}` {what}", self.host));
        match status {
            200 => {}
            404 => {
                return Err(told(ErrorKind::Unauthenticated, "knows no service account of this machine")
                    .help("attach a service account to the VM, or run `gcloud auth application-default login`"));
            }
            429 | 500.. => return Err(told(ErrorKind::Unavailable, &format!("answered with HTTP {status}"))),
            _ => {
                return Err(told(ErrorKind::Unauthenticated, &format!("gives no token (HTTP {status})"))
                    .help("look at the VM's service account and its access scopes; it needs `cloud-platform`"));
            }
        }
        let answer = serde_json::from_slice::<Answer>(&body).ok();
        let expires = answer.as_ref().and_then(|answer| answer.expires_in);
        let token = answer.and_then(|answer| answer.access_token).and_then(|token| Token::new(&token));
        let token = token.ok_or_else(|| {
            told(ErrorKind::Unavailable, "answered with something that is no token")
                .help("look at GCE_METADATA_HOST: something else may listen there")
        })?;
        self.known.store(true, Ordering::Relaxed);
        let expires = expires.map(|seconds| SystemTime::now() + Duration::from_secs(seconds).min(LONGEST_LIFE));
        Ok(Fetched { token, expires })
    }

    /// The service account whose tokens these are.
    pub(super) async fn email(&self) -> Result<String> {
        let told = |what: &str| Error::new(ErrorKind::Unavailable, format!("the metadata server {what}"));
        let url = self.url.join("email").map_err(|_| told("has no such place"))?;
        let request = self.client.get(url).header("Metadata-Flavor", "Google");
        let response = request.send().await.map_err(|error| self.lost(error))?;
        let is_ok = response.status().is_success();
        let body = response.text().await.map_err(|error| self.lost(error))?;
        let email = body.trim();
        // Something else that listens there may answer with anything.
        let is_email =
            is_ok && email.contains('@') && email.len() <= 200 && email.bytes().all(|byte| byte.is_ascii_graphic());
        if is_email {
            Ok(email.to_owned())
        } else {
            Err(told("does not say whose tokens it gives").with_retryable(false))
        }
    }

    fn lost(&self, error: reqwest::Error) -> Error {
        let error = error.without_url();
        if !error.is_connect() || self.known.load(Ordering::Relaxed) {
            return failure::broken(&self.host, &error);
        }
        let mut looked = self.looked.clone();
        looked.push(format!("and no metadata server answers at `{}`", self.host));
        nowhere(&looked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::stub::{Stub, reply};

    #[tokio::test]
    async fn no_token_is_believed_to_live_for_ages() {
        let body = format!(r#"{{"access_token":"t","expires_in":{}}}"#, u64::MAX);
        let stub = Stub::start(move |_, _| Some(reply(200, &body))).await;
        let metadata = Metadata::new(Some(stub.url.trim_start_matches("http://")), Vec::new()).expect("metadata");
        let expires = metadata.fetch().await.expect("token").expires.expect("an end");
        assert!(expires <= SystemTime::now() + LONGEST_LIFE);
    }

    #[tokio::test]
    async fn a_server_that_has_answered_before_is_only_away_for_a_while() {
        // Nobody listens on port 1.
        let metadata = Metadata::new(Some("127.0.0.1:1"), Vec::new()).expect("metadata");
        assert_eq!(metadata.fetch().await.expect_err("nobody").kind(), ErrorKind::Unauthenticated);
        metadata.known.store(true, Ordering::Relaxed);
        let error = metadata.fetch().await.expect_err("nobody");
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true));
    }
}
