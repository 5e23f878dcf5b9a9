//! One HTTP attempt to Compute.
//!
//! A bearer token is worth as much as a password for the hour that it lives, so this is the only place that writes one into
//! a request, and the only host that it goes to is the endpoint's: the path of a request cannot leave the endpoint, and no
//! redirect is followed. Retries, deadlines and counts are the gate's, in which every attempt here is made; a 401 merely has
//! the token renewed and says whether another attempt is worth it.
//!
//! Bodies are never logged. The protocol is HTTP/1.1 without compression: an answer's size is what it says, so the limit on
//! what is read is a limit on memory.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kroutes_core::{Error, ErrorKind, Gate, Result};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use reqwest::{Client, Method, Response};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;
use tracing::debug;

use crate::credentials::{Closed, Credentials, Token};
use crate::errors::{Refused, refused};

pub(crate) use endpoint::Endpoint;

pub(crate) mod endpoint;
pub(crate) mod failure;
#[cfg(test)]
pub(crate) mod stub;
pub(crate) mod tls;

/// How long a connection may take to come about.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The most of an answer that is read: a page of 500 instances with 512 KB of metadata each is no page that exists.
const LARGEST: usize = 64 << 20;

const USER_AGENT: &str = concat!("kroutes/", env!("CARGO_PKG_VERSION"));

const NOT_JSON_HELP: &str = "something between here and Google answers in its place: look at HTTPS_PROXY and NO_PROXY, or \
    sign in to the network";

/// One request to Compute.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    /// From `projects/` on.
    pub(crate) path: &'a str,
    pub(crate) query: &'a [(&'static str, String)],
    pub(crate) body: Option<&'a Value>,
}

/// The way to Compute: an endpoint, a client, and the credentials that go there and nowhere else.
pub(crate) struct Http {
    endpoint: Endpoint,
    client: Client,
    credentials: Credentials,
    gate: Arc<Gate>,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http")
            .field("endpoint", &self.endpoint)
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

/// A client that never follows a redirect and never repeats a request by itself.
pub(crate) fn client(tls: bool) -> Result<reqwest::ClientBuilder> {
    // Trust roots take milliseconds to load, which a run against a cloud on this machine should not pay.
    let tls = if tls { tls::config()? } else { tls::nobody()? };
    Ok(Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(USER_AGENT))
}

/// What cannot be built now will not be built later.
pub(crate) fn unbuilt(error: reqwest::Error) -> Error {
    Error::new(ErrorKind::Invalid, "the HTTP client cannot be set up")
        .help("look at HTTPS_PROXY, HTTP_PROXY and SSL_CERT_FILE")
        .with_source(error.without_url())
}

impl Http {
    pub(crate) fn new(endpoint: &Endpoint, credentials: Credentials, gate: Arc<Gate>) -> Result<Self> {
        let mut builder = client(endpoint.is_tls())?;
        if endpoint.is_loopback() {
            // A proxy elsewhere cannot know what listens here.
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(unbuilt)?;
        Ok(Self { endpoint: endpoint.clone(), client, credentials, gate })
    }

    pub(crate) const fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// One attempt: a token, one request, its answer as JSON. To be called inside the gate.
    ///
    /// A run does well to ask for `credentials().token()` before its first call: the token's own requests then have
    /// their own deadlines, and not what is left of this attempt's.
    pub(crate) async fn send<T: DeserializeOwned>(&self, action: &'static str, request: Request<'_>) -> Result<T> {
        let write = request.method != Method::GET;
        let url = self.endpoint.url(request.path, request.query)?;
        // The gate has tried often enough for a token, and nothing was sent to Compute.
        let token = match closed(write) {
            Closed::Refuses => self.credentials.token(&self.gate).await,
            Closed::LetsPass => self.credentials.token_to_finish(&self.gate).await,
        };
        let token = token.map_err(|error| error.with_retryable(false).with_ambiguous(false))?;
        let mut built = self
            .client
            .request(request.method.clone(), url)
            .header(AUTHORIZATION, token.header()?)
            .header(ACCEPT, "application/json");
        if let Some(body) = request.body {
            built = built.header(CONTENT_TYPE, "application/json").body(body.to_string());
        } else if request.method == Method::POST {
            // Google's front ends answer 411 to a POST without a length, and an empty body does not make reqwest send one.
            built = built.header(CONTENT_LENGTH, 0);
        }
        let lost = |error| failure::lost(action, &self.endpoint, write, error);
        let response = built.send().await.map_err(lost)?;
        let status = response.status();
        debug!(action, method = %request.method, path = request.path, status = status.as_u16(), "answered");
        if status.is_success() {
            let body = self.body(action, write, response).await?;
            return serde_json::from_slice(&body).map_err(|error| unreadable(action, write, &error));
        }
        let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
        let redirected = status.is_redirection() && response.headers().contains_key(LOCATION);
        // Half of a refusal is still one.
        let body = self.body(action, write, response).await.unwrap_or_default();
        let answer = Refused::read(status.as_u16(), after.as_deref(), SystemTime::now(), &body);
        if status.as_u16() == 401 {
            return Err(self.unauthenticated(action, write, &answer, &token).await);
        }
        let error = refused(action, &answer, write);
        Err(if redirected { error.with("redirect", "not followed: a token goes to the endpoint alone") } else { error })
    }

    async fn body(&self, action: &'static str, write: bool, mut response: Response) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        let lost = |error| failure::lost(action, &self.endpoint, write, error);
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > LARGEST {
                let message = format!("the answer to `{action}` is larger than {} MiB", LARGEST >> 20);
                return Err(Error::new(ErrorKind::Unexpected, message).with_ambiguous(write).with("action", action));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// The token was not accepted: have it renewed once, and say whether that may help.
    async fn unauthenticated(&self, action: &'static str, write: bool, answer: &Refused, token: &Token) -> Error {
        let known = refused(action, answer, false);
        let message = format!(
            "`{action}` was refused: Google does not accept the credentials from {}",
            self.credentials.source()
        );
        let error = Error::new(known.kind(), message)
            .with("code", known.get("code").unwrap_or("401"))
            .with("action", action)
            .help(self.credentials.remedy());
        match self.credentials.refresh(&self.gate, closed(write), token).await {
            Ok(again) => error.with_retryable(again),
            Err(error) => error.with_retryable(false).with_ambiguous(false),
        }
    }
}

/// What a gate that was closed meanwhile means for a token: a write that was not sent is not sent any more, but how one
/// ended that was, is read.
const fn closed(write: bool) -> Closed {
    if write { Closed::Refuses } else { Closed::LetsPass }
}

/// A success that cannot be read.
fn unreadable(action: &'static str, write: bool, error: &serde_json::Error) -> Error {
    // The words of serde would quote the answer.
    let place = format!("line {}, column {}", error.line(), error.column());
    let error = match error.classify() {
        Category::Data => {
            Error::new(ErrorKind::Unexpected, format!("`{action}` was answered with JSON of another shape ({place})"))
        }
        Category::Eof => Error::new(ErrorKind::Unavailable, format!("the answer to `{action}` was cut off")),
        Category::Syntax | Category::Io => {
            Error::new(ErrorKind::Unavailable, format!("`{action}` was answered with something that is not JSON"))
                .help(NOT_JSON_HELP)
        }
    };
    error.with_ambiguous(write).with("action", action)
}

#[cfg(test)]
mod tests;
