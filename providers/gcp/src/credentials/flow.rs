//! Tokens by yup-oauth2, and what its failures mean.
//!
//! yup-oauth2 does not look at the HTTP status of an answer: a server's failure shows as JSON without a token in it, or as
//! something that is no JSON at all. Both are passing as far as anybody can tell, so they are asked again. What Google
//! says in the words of OAuth (RFC 6749, section 5.2) is an answer, and final.
//!
//! Its cache is passed over by always asking for a forced refresh: it keeps an answer without a token for ever.
//!
//! It panics on an answer whose token lives beyond the year 9999 (`TokenInfo::from_json` adds without looking), and an answer
//! can be looked at before only by doing without it. So the panic is caught, and is one answer without a token; it happens
//! before anything is kept, so nothing is left half-done. Its line on the error output says no more than that a date is out
//! of range, and as it would come again with every attempt there is only one.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::time::SystemTime;

use futures_util::FutureExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use kroutes_core::{Error, ErrorKind, Result};
use serde_json::error::Category;
use yup_oauth2::authenticator::{
    Authenticator, AuthorizedUserAuthenticator, ExternalAccountAuthenticator, ServiceAccountAuthenticator,
    ServiceAccountImpersonationAuthenticator,
};
use yup_oauth2::error::{AuthError, SendError};
use yup_oauth2::{CustomHyperClientBuilder, Error as Failure};

use super::connector::Connector;
use super::file::Secret;
use super::{Fetched, SCOPE, Token};
use crate::errors::CREDENTIALS_HELP;
use crate::http::endpoint::is_loopback;
use crate::http::failure;

const IMPERSONATION_HELP: &str =
    "grant `roles/iam.serviceAccountTokenCreator` on the service account to whoever impersonates it";
const PROXY_HELP: &str =
    "something else than a token endpoint answered: look at HTTPS_PROXY and NO_PROXY, or sign in to the network";

/// The URL that yup-oauth2 has for users' logins.
const LOGINS: &str = "https://accounts.google.com/o/oauth2/token";

/// One way from a credential file to tokens.
pub(super) struct Flow {
    authenticator: Authenticator<Connector>,
    /// Scheme, host and port of the token endpoint.
    endpoint: String,
    loopback: bool,
    /// Whether the last step is to become a service account, whose refusals yup-oauth2 cannot read.
    impersonates: bool,
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Flow {
    pub(super) async fn new(secret: Secret, source: &str, connector: Connector) -> Result<Self> {
        // Tokens are asked for once an hour: a connection kept would be a dead one.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        let client = CustomHyperClientBuilder::from(client);
        let (url, impersonates) = match &secret {
            Secret::ServiceAccount(key) => (key.token_uri.clone(), false),
            Secret::AuthorizedUser(_) => (LOGINS.to_owned(), false),
            Secret::Impersonated(..) => (LOGINS.to_owned(), true),
            Secret::ExternalAccount(account) => {
                (account.token_url.clone(), account.service_account_impersonation_url.is_some())
            }
        };
        let authenticator = match secret {
            Secret::ServiceAccount(key) => ServiceAccountAuthenticator::with_client(key, client).build().await,
            Secret::AuthorizedUser(user) => AuthorizedUserAuthenticator::with_client(user, client).build().await,
            Secret::ExternalAccount(account) => {
                ExternalAccountAuthenticator::with_client(account, client).build().await
            }
            Secret::Impersonated(user, email) => {
                ServiceAccountImpersonationAuthenticator::with_client(user, &email, client).build().await
            }
        };
        // Nothing but a key has to be understood to build one.
        let authenticator = authenticator.map_err(|_| {
            Error::new(ErrorKind::Unauthenticated, format!("the `private_key` of {source} is no RSA key in PEM"))
                .help("make a new key: `gcloud iam service-accounts keys create FILE --iam-account EMAIL`")
        })?;
        let uri = url.parse::<http::Uri>().unwrap_or_default();
        let host = uri.host().unwrap_or_default();
        let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
        let endpoint = format!("{}://{host}{port}", uri.scheme_str().unwrap_or_default());
        Ok(Self { authenticator, loopback: is_loopback(host), endpoint, impersonates })
    }

    pub(super) async fn fetch(&self) -> Result<Fetched> {
        let asked = AssertUnwindSafe(self.authenticator.force_refreshed_token(&[SCOPE])).catch_unwind().await;
        let answer = asked.map_err(|_| self.without_token().with_retryable(false))?;
        let answer = answer.map_err(|error| self.failed(&error))?;
        let token = answer.token().and_then(Token::new).ok_or_else(|| self.without_token())?;
        Ok(Fetched { token, expires: answer.expiration_time().map(SystemTime::from) })
    }

    fn without_token(&self) -> Error {
        Error::new(ErrorKind::Unavailable, format!("`{}` answered without a token", self.endpoint)).help(PROXY_HELP)
    }

    /// Nothing of an answer is quoted but the words of OAuth: whatever else there is may be a secret.
    fn failed(&self, error: &Failure) -> Error {
        let unauthenticated = |message: String| Error::new(ErrorKind::Unauthenticated, message).help(CREDENTIALS_HELP);
        match error {
            Failure::AuthError(refusal) => self.refused(refusal),
            Failure::HttpClientError(SendError::Hyper(cause)) if cause.is_connect() => {
                failure::unconnected(&self.endpoint, self.loopback, cause)
            }
            Failure::HttpClientError(SendError::Hyper(cause)) => failure::broken(&self.endpoint, cause),
            Failure::HttpClientError(SendError::Timeout) => {
                Error::new(ErrorKind::Unavailable, format!("`{}` did not answer in time", self.endpoint))
            }
            Failure::HttpError(cause) => failure::broken(&self.endpoint, cause),
            Failure::JSONError(cause) if self.impersonates && cause.classify() == Category::Data => {
                let message = "Google gives no token for the service account that is to be impersonated";
                Error::new(ErrorKind::Unauthenticated, message).help(IMPERSONATION_HELP)
            }
            Failure::JSONError(_) => {
                let message = format!("`{}` answered with something that is no token", self.endpoint);
                Error::new(ErrorKind::Unavailable, message).help(PROXY_HELP)
            }
            Failure::MissingAccessToken => self.without_token(),
            Failure::LowLevelError(cause) => {
                unauthenticated(format!("a token could not be asked for: {}", cause.kind()))
            }
            Failure::CredentialSourceError(_) => {
                unauthenticated("what `credential_source` leads to is no token".to_owned())
            }
            Failure::UserError(_) | Failure::StorageError(_) => {
                unauthenticated("a token could not be asked for".to_owned())
            }
        }
    }

    fn refused(&self, refusal: &AuthError) -> Error {
        let code = refusal.error.as_str();
        let kind = match code {
            "internal_failure" | "server_error" | "temporarily_unavailable" | "backend_error" => ErrorKind::Unavailable,
            "rate_limit_exceeded" | "slow_down" => ErrorKind::RateLimited,
            _ => ErrorKind::Unauthenticated,
        };
        let code = spoken(code);
        let said = refusal.error_description.as_deref().map(spoken).filter(|said| !said.is_empty());
        let message = match said {
            Some(said) => format!("`{}` gives no token: {said}", self.endpoint),
            None => format!("`{}` gives no token: `{code}`", self.endpoint),
        };
        let help = match refusal.error.as_str() {
            // Also what a key gets whose JWT is dated wrongly.
            "invalid_grant" => INVALID_GRANT_HELP,
            _ => CREDENTIALS_HELP,
        };
        Error::new(kind, message).with("code", code).help(help)
    }
}

const INVALID_GRANT_HELP: &str = "the login has expired, or the key was deleted, or this machine's clock is wrong: run \
    `gcloud auth application-default login`, or make a new key, or set the clock";

/// A provider's text as part of a sentence of ours. What is too long to be a word may be what was sent, sent back.
fn spoken(text: &str) -> String {
    let words = text.split(|letter: char| letter.is_whitespace() || letter.is_control());
    let words: Vec<_> = words.filter(|word| !word.is_empty() && word.len() <= 100).take(60).collect();
    words.join(" ").trim_end_matches('.').to_owned()
}
