//! Where tokens come from.
//!
//! Google's tools agree on an order: what the environment says outright, the file that the environment names, gcloud's own
//! file, and at last the metadata server of the machine ("How Application Default Credentials works", Google Cloud
//! documentation). Whoever has used one of them expects it here, so it is kept; but what was named and cannot be used is an
//! error and no reason to look further, since acting as somebody else would be worse than not acting.
//!
//! yup-oauth2 does the talking for files. Its own cache is bypassed: it keeps answers without a token in them, and it
//! does not know which token Compute has refused. The cache here asks once for many callers, whether for a first token
//! or for another after a 401, and when asking fails all who waited hear the same.
//!
//! No secret is ever shown: neither [`Token`] nor [`Credentials`] prints one, and no error quotes a file or an answer.
//! yup-oauth2 hands requests and answers, secrets included, to the `log` crate at debug level. Nothing of ours listens to
//! `log`: there is no bridge from it to `tracing`, and none may be added.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use kroutes_core::{Error, ErrorKind, Gate, Repeat, Result};
use reqwest::header::HeaderValue;
use tokio::sync::Mutex;

use crate::errors::CREDENTIALS_HELP;
use flow::Flow;
use metadata::Metadata;

mod connector;
mod file;
mod find;
mod flow;
mod metadata;

/// What the gate calls a request for a token.
pub(crate) const ACTION: &str = "oauth2.token";

/// What the gate calls the question whose tokens a metadata server gives.
const EMAIL_ACTION: &str = "metadata.email";

/// The one scope that all of Google's credentials have: a user's login is for this one, and a VM's is by advice ("Access
/// scopes", Compute Engine documentation). What may be done is decided by IAM, not by scopes.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// How much life a token must have left to be used.
const MARGIN: Duration = Duration::from_mins(1);

const READY_HELP: &str = "GOOGLE_OAUTH_ACCESS_TOKEN holds a token that is wrong or has expired: set it to what \
    `gcloud auth print-access-token` prints, or unset it";

/// A bearer token. What it is is shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(Arc<str>);

impl Token {
    /// Nothing, if the text cannot stand in a header.
    fn new(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.into()))
    }

    /// The value of the `Authorization` header, marked so that HTTP libraries do not show it either.
    pub(crate) fn header(&self) -> Result<HeaderValue> {
        let made = HeaderValue::from_str(&format!("Bearer {}", self.0));
        let mut value =
            made.map_err(|_| Error::new(ErrorKind::Invalid, "the access token cannot stand in a header"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

/// What an answer of a token endpoint gave.
#[derive(Debug)]
struct Fetched {
    token: Token,
    /// Nothing, if it was not said: then it is used until it is refused.
    expires: Option<SystemTime>,
}

#[derive(Debug)]
struct Held {
    token: Token,
    expires: Option<SystemTime>,
    /// Whether it was asked for because another had been refused.
    forced: bool,
}

impl Held {
    fn is_fresh(&self) -> bool {
        self.expires.is_none_or(|expires| expires > SystemTime::now() + MARGIN)
    }
}

#[derive(Debug, Default)]
struct State {
    held: Option<Held>,
    /// What the last request for a token said, if it failed.
    failed: Option<Error>,
}

/// What becomes of a request for a token once the gate is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    /// It is for something new, which is not begun any more.
    Refuses,
    /// It is for a reading, by which a write may be finished. A reading that is none was let through the gate before.
    LetsPass,
}

enum Origin {
    Ready(Token),
    File(Box<Flow>),
    Metadata(Metadata),
}

/// Whom requests are made for.
pub(crate) struct Credentials {
    origin: Origin,
    source: String,
    project: Option<String>,
    state: Mutex<State>,
    /// How many requests for a token have ended, so that who waited for one can tell that it was made meanwhile.
    ended: AtomicU64,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("source", &self.source)
            .field("project", &self.project)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    fn new(origin: Origin, source: String, project: Option<String>) -> Self {
        Self { origin, source, project, state: Mutex::default(), ended: AtomicU64::new(0) }
    }

    /// In Google's order. `variable` reads an environment variable. Reads files, and asks nobody over the network.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unauthenticated`] if there are none or what was named cannot be used; [`ErrorKind::Invalid`] if
    /// `GCE_METADATA_HOST` is no host.
    pub(crate) async fn find(variable: &(dyn Fn(&str) -> Option<String> + Sync)) -> Result<Self> {
        find::find(variable).await
    }

    /// A ready token, which nobody can renew.
    pub(crate) fn ready(token: &str) -> Self {
        Self::new(Origin::Ready(Token(token.trim().into())), "a ready token".to_owned(), None)
    }

    /// A token that is valid for at least a minute. Many callers cause one request.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unauthenticated`] if there will be none, [`ErrorKind::Unavailable`] if nobody could be asked.
    pub(crate) async fn token(&self, gate: &Gate) -> Result<Token> {
        self.fresh(gate, Closed::Refuses).await
    }

    /// As [`Self::token`], for reading how a write ends: a closed gate lets that finish, and so the token for it, too.
    pub(crate) async fn token_to_finish(&self, gate: &Gate) -> Result<Token> {
        self.fresh(gate, Closed::LetsPass).await
    }

    async fn fresh(&self, gate: &Gate, closed: Closed) -> Result<Token> {
        if let Origin::Ready(token) = &self.origin {
            return Ok(token.clone());
        }
        let ended = self.ended.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        if let Some(held) = state.held.as_ref().filter(|held| held.is_fresh()) {
            return Ok(held.token.clone());
        }
        self.renew(gate, closed, &mut state, ended, false).await
    }

    /// After a 401: one forced refresh, however many callers were refused. Says whether there is another token worth
    /// trying: not if the refused one is ready-made, or was itself the product of a forced refresh.
    ///
    /// # Errors
    ///
    /// As [`Self::token`].
    pub(crate) async fn refresh(&self, gate: &Gate, closed: Closed, refused: &Token) -> Result<bool> {
        if matches!(self.origin, Origin::Ready(_)) {
            return Ok(false);
        }
        let ended = self.ended.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        match &state.held {
            Some(held) if held.token != *refused => return Ok(true),
            Some(held) if held.forced => return Ok(false),
            _ => {}
        }
        // A metadata server may hand out the same one again.
        Ok(self.renew(gate, closed, &mut state, ended, true).await? != *refused)
    }

    async fn renew(&self, gate: &Gate, closed: Closed, state: &mut State, ended: u64, forced: bool) -> Result<Token> {
        if self.ended.load(Ordering::Acquire) != ended
            && let Some(error) = &state.failed
        {
            return Err(error.clone());
        }
        let answer = match closed {
            Closed::Refuses => gate.call(ACTION, Repeat::Always, |_| self.fetch()).await,
            Closed::LetsPass => gate.call_to_finish(ACTION, |_| self.fetch()).await,
        };
        if let Err(error) = &answer
            && error.kind() == ErrorKind::Interrupted
        {
            // Says nothing of the endpoint: who waits to finish a write asks for itself.
            return Err(error.clone().with("credentials", &self.source));
        }
        self.ended.fetch_add(1, Ordering::AcqRel);
        match answer {
            Ok(Fetched { token, expires }) => {
                state.failed = None;
                state.held = Some(Held { token: token.clone(), expires, forced });
                Ok(token)
            }
            Err(error) => {
                let error = error.with("action", ACTION).with("credentials", &self.source);
                state.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    async fn fetch(&self) -> Result<Fetched> {
        match &self.origin {
            Origin::Ready(token) => Ok(Fetched { token: token.clone(), expires: None }),
            Origin::File(flow) => flow.fetch().await,
            Origin::Metadata(metadata) => metadata.fetch().await,
        }
    }

    /// Where they come from, for people.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// Whom a token is for, where that is not known from where it comes from and can be asked of the same place.
    pub(crate) async fn email(&self, gate: &Gate) -> Option<String> {
        match &self.origin {
            Origin::Metadata(metadata) => {
                // It is told besides, and nothing hangs on it.
                gate.call(EMAIL_ACTION, Repeat::Always, |_| metadata.email()).await.ok()
            }
            Origin::Ready(_) | Origin::File(_) => None,
        }
    }

    /// The project that the credentials' file is for, if it says.
    pub(crate) fn project(&self) -> Option<&str> {
        self.project.as_deref()
    }

    /// Whether it is a token alone, of which nothing else is known.
    pub(crate) const fn is_ready(&self) -> bool {
        matches!(self.origin, Origin::Ready(_))
    }

    /// What to do if they are not accepted.
    pub(crate) const fn remedy(&self) -> &'static str {
        match self.origin {
            Origin::Ready(_) => READY_HELP,
            Origin::File(_) | Origin::Metadata(_) => CREDENTIALS_HELP,
        }
    }
}

#[cfg(test)]
mod tests;
