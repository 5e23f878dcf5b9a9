//! Who one is to the lab: Google's token endpoint and metadata server, as far as a client gets its token from them.
//!
//! A provisioner must be able to come in by every door that it knows: a service account key, the refresh token that
//! `gcloud auth application-default login` leaves behind, the metadata server of a VM. Each is counted and met by faults
//! like any other action, as `oauth2.token` and `metadata.token`, so that what a lost or late token does can be tried.

mod key;
mod tokens;

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::json;

use crate::dialect::{Dialect, Rendered};
use crate::model::Refusal;
use crate::world::World;
use crate::{FaultKind, Options};

pub(crate) use key::{client_email, is_self_signed, key_file};
pub(crate) use tokens::Tokens;

/// The token that opens every lab from its start until it is revoked.
pub(crate) const ACCESS_TOKEN: &str = "ya29.lab";

/// The one refresh token that the token endpoint takes.
pub(crate) const REFRESH_TOKEN: &str = "1//lab";

const ACCOUNT: &str = "/computeMetadata/v1/instance/service-accounts/default/";

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    OauthToken,
    MetadataToken,
    Scopes,
    Email,
    Account,
    ProjectId,
    ProjectNumber,
    Universe,
    Ping,
    Nothing,
}

/// A request for a token, or for what a VM knows of itself. It holds what must not be printed.
pub(crate) struct Request {
    wish: Wish,
    form: BTreeMap<String, String>,
    token_uri: String,
    /// Whether the header `Metadata-Flavor: Google` is there, without which a metadata server says nothing.
    flavoured: bool,
}

impl Request {
    /// Reads a request for `POST /token` or of a path below `/computeMetadata`, or the ping of a metadata server.
    pub(crate) fn new(verb: &str, path: &str, body: &[u8], token_uri: String, flavoured: bool) -> Self {
        let wish = match (verb, path) {
            ("POST", "/token") => Wish::OauthToken,
            ("GET", "/computeMetadata/v1/project/project-id") => Wish::ProjectId,
            ("GET", "/computeMetadata/v1/project/numeric-project-id") => Wish::ProjectNumber,
            (
                "GET",
                "/computeMetadata/v1/universe/universe-domain" | "/computeMetadata/v1/universe/universe_domain",
            ) => Wish::Universe,
            ("GET", "/" | "/computeMetadata" | "/computeMetadata/" | "/computeMetadata/v1/") => Wish::Ping,
            ("GET", path) => match path.strip_prefix(ACCOUNT) {
                Some("token") => Wish::MetadataToken,
                Some("scopes") => Wish::Scopes,
                Some("email") => Wish::Email,
                Some("") => Wish::Account,
                _ => Wish::Nothing,
            },
            _ => Wish::Nothing,
        };
        let form = form_urlencoded::parse(body).into_owned().collect();
        Self { wish, form, token_uri, flavoured }
    }

    fn given(&self, name: &str) -> &str {
        self.form.get(name).map_or("", String::as_str)
    }

    /// The token endpoint's judgement ("OAuth 2.0", RFC 6749, section 5.2, gives the codes).
    fn grant(&self, options: &Options) -> Result<(), Refusal> {
        let refused = |message: &str| Err(Refusal::new("invalid_grant", message));
        match self.given("grant_type") {
            "urn:ietf:params:oauth:grant-type:jwt-bearer" => {
                // A client signs by its own clock, which a paused one of the lab's is not.
                let judged = key::judge(self.given("assertion"), &options.project, &self.token_uri, SystemTime::now());
                judged.or_else(refused)
            }
            "refresh_token" if self.given("refresh_token") == REFRESH_TOKEN => Ok(()),
            "refresh_token" => refused("Bad Request"),
            other => Err(Refusal::new("unsupported_grant_type", format!("Invalid grant_type: {other}"))),
        }
    }
}

/// Whether there is such an action.
pub(crate) fn knows(action: &str) -> bool {
    ["oauth2.token", "metadata.token", "metadata.ping", "metadata.get"].contains(&action)
}

impl Dialect for Request {
    type Content = String;

    fn action(&self) -> &str {
        match self.wish {
            Wish::OauthToken => "oauth2.token",
            Wish::MetadataToken => "metadata.token",
            Wish::Ping => "metadata.ping",
            _ => "metadata.get",
        }
    }

    fn trouble(&self, kind: &FaultKind, _options: &Options) -> Option<Refusal> {
        Some(match kind {
            FaultKind::Throttle => Refusal::with_status(429, "rate_limit_exceeded", "Rate Limit Exceeded"),
            FaultKind::ServerError | FaultKind::ServerErrorAfter => {
                Refusal::with_status(503, "internal_failure", "Backend Error")
            }
            FaultKind::Deny => Refusal::with_status(403, "access_denied", "Account restricted"),
            FaultKind::Error { status, code, message } => Refusal::with_status(*status, code, message.clone()),
            _ => return None,
        })
    }

    fn is_throttle(&self, refusal: &Refusal) -> bool {
        refusal.status == 429
    }

    fn admit(&self, _world: &mut World, _options: &Options) -> Result<(), Refusal> {
        if self.wish == Wish::Nothing {
            return Err(Refusal::with_status(404, "not_found", "GET /_lab/ tells what this endpoint is"));
        }
        if self.flavoured || self.wish == Wish::OauthToken {
            return Ok(());
        }
        Err(Refusal::with_status(403, "forbidden", "Missing required header \"Metadata-Flavor\": \"Google\""))
    }

    fn perform(&self, world: &mut World, options: &Options, _fault: Option<&FaultKind>) -> Result<String, Refusal> {
        let email = client_email(&options.project);
        let scope = "https://www.googleapis.com/auth/cloud-platform";
        Ok(match self.wish {
            Wish::OauthToken | Wish::MetadataToken => {
                if self.wish == Wish::OauthToken {
                    self.grant(options)?;
                }
                let (token, seconds) = world.issue_token();
                json!({"access_token": token, "expires_in": seconds, "token_type": "Bearer"}).to_string()
            }
            Wish::Scopes => format!("{scope}\n"),
            Wish::Email => email,
            Wish::Account => json!({"aliases": ["default"], "email": email, "scopes": [scope]}).to_string(),
            Wish::ProjectId => options.project.clone(),
            Wish::ProjectNumber => world.cloud.compute.number.to_string(),
            Wish::Universe => "googleapis.com".to_owned(),
            Wish::Ping | Wish::Nothing => "computeMetadata/\n".to_owned(),
        })
    }

    fn render(&self, answer: Result<String, Refusal>, _options: &Options) -> Rendered {
        let (status, body) = match answer {
            Ok(body) => (200, body),
            Err(refusal) => {
                let error = json!({"error": refusal.code, "error_description": refusal.message});
                (refusal.status, error.to_string())
            }
        };
        let content_type = if body.starts_with('{') { "application/json; charset=utf-8" } else { "text/plain" };
        let headers = match self.wish {
            Wish::OauthToken => Vec::new(),
            _ => vec![("metadata-flavor", "Google".to_owned()), ("server", "Metadata Server for VM".to_owned())],
        };
        Rendered { status, body, content_type, headers }
    }
}
