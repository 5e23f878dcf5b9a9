//! Compute Engine's REST protocol over the model: one function per method, from path and JSON to a piece of JSON.
//!
//! What a method is called, who may call it and what it does stands in one [table](methods); what all methods share
//! (tokens, rates, permissions, the form of an error) stands around it. A write answers with an operation that has not
//! happened yet; [`Schedule`] knows when it will.

mod batch;
mod bodies;
mod filter;
mod instances;
mod links;
mod lists;
mod methods;
mod networks;
mod operations;
mod permissions;
mod problems;
mod routes;
mod schedule;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::dialect::{Dialect, Rendered};
use crate::model::Refusal;
use crate::world::World;
use crate::{FaultKind, Options, identity};

pub(crate) use batch::{answers as batch_answers, parts as batch_parts};
pub(crate) use methods::knows;
pub(crate) use operations::change_text;
pub(crate) use problems::length_required;
pub(crate) use schedule::{Event, Schedule};

use methods::{Group, Method};

/// What a method answers.
type Answer = Result<Value, Refusal>;

/// Parameters that every method of every Google API takes, and those of the methods that the lab has.
const PARAMETERS: [&str; 22] = [
    "$.xgafv",
    "access_token",
    "alt",
    "$alt",
    "callback",
    "discardLocalSsd",
    "fields",
    "filter",
    "includeAllScopes",
    "key",
    "maxResults",
    "noGracefulShutdown",
    "oauth_token",
    "orderBy",
    "pageToken",
    "prettyPrint",
    "quotaUser",
    "requestId",
    "returnPartialSuccess",
    "serviceProjectNumber",
    "userIp",
    "views",
];

/// One request, alone or as a part of a batch. It holds what must not be printed.
pub(crate) struct Request {
    verb: String,
    /// The path from `projects/` on.
    path: String,
    method: Option<&'static Method>,
    project: String,
    /// What stands for the braces in the method's path.
    ids: Vec<String>,
    query: BTreeMap<String, String>,
    body: Vec<u8>,
    /// The token, if there is one.
    bearer: Option<String>,
}

/// One method at work.
struct Visit<'a> {
    request: &'a Request,
    world: &'a mut World,
    options: &'a Options,
    fault: Option<&'a FaultKind>,
}

impl Request {
    /// Reads a request below `/compute/v1/`.
    pub(crate) fn new(verb: &str, path: &str, query: &str, authorization: Option<&str>, body: &[u8]) -> Self {
        // What is below another version keeps its whole path, and so is no method's.
        let path = path.strip_prefix("/compute/v1/").unwrap_or(path);
        let segments: Vec<String> = path.split('/').map(decode).collect();
        let (project, below) = match segments.as_slice() {
            [projects, project, below @ ..] if projects == "projects" => (project.clone(), below),
            _ => (String::new(), &[][..]),
        };
        let found = if project.is_empty() { None } else { methods::find(verb, below) };
        let (method, ids) = found.map_or((None, Vec::new()), |(method, ids)| (Some(method), ids));
        let bearer = authorization.and_then(|value| value.strip_prefix("Bearer ")).map(|it| it.trim().to_owned());
        let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let path = segments.join("/");
        Self { verb: verb.to_owned(), path, method, project, ids, query, body: body.to_owned(), bearer }
    }

    fn id(&self, index: usize) -> &str {
        self.ids.get(index).map_or("", String::as_str)
    }

    fn param(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The body as a JSON object.
    fn json(&self) -> Result<serde_json::Map<String, Value>, Refusal> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let message = format!("Invalid JSON payload received. {error}");
            Refusal::new("badRequest", message)
        })
    }

    fn known(&self) -> Result<&'static Method, Refusal> {
        self.method.ok_or_else(|| {
            let message = format!("the lab has no `{} {}`; GET /_lab/ tells what it has", self.verb, self.path);
            Refusal::with_status(404, "notFound", message)
        })
    }
}

/// Whether a token is an assertion that stands for one; it was signed by the client's clock, which no test stops.
fn self_signed(token: &str, options: &Options) -> bool {
    token.starts_with("eyJ") && identity::is_self_signed(token, &options.project, SystemTime::now())
}

/// A segment of a path without its percents.
fn decode(segment: &str) -> String {
    // A plus means itself in a path, which the reader of forms does not know.
    let escaped = segment.replace('+', "%2B");
    let mut pairs = form_urlencoded::parse(escaped.as_bytes()).map(|(name, _)| name.into_owned());
    pairs.next().unwrap_or_default()
}

impl Dialect for Request {
    type Content = Value;

    fn action(&self) -> &str {
        self.method.map_or("compute.unknown", |method| method.action)
    }

    fn trouble(&self, kind: &FaultKind, options: &Options) -> Option<Refusal> {
        Some(match kind {
            FaultKind::Throttle => problems::throttle(&options.account),
            FaultKind::ServerError | FaultKind::ServerErrorAfter => {
                Refusal::with_status(503, "backendError", "Backend Error")
            }
            FaultKind::Deny => permissions::denied_by_fault(self),
            FaultKind::Error { status, code, message } => Refusal::with_status(*status, code, message.clone()),
            _ => return None,
        })
    }

    fn is_later_page(&self) -> bool {
        self.param("pageToken").is_some()
    }

    fn is_throttle(&self, refusal: &Refusal) -> bool {
        matches!(refusal.code.as_str(), "rateLimitExceeded" | problems::CONCURRENT_OPERATIONS)
    }

    fn admit(&self, world: &mut World, options: &Options) -> Result<(), Refusal> {
        let method = self.known()?;
        if !self.bearer.as_ref().is_some_and(|token| world.is_good_token(token) || self_signed(token, options)) {
            return Err(problems::unauthenticated(self.bearer.is_some()));
        }
        let now = world.now();
        if options.published_buckets && !world.rates.take(method.group.name(), now) {
            return Err(problems::throttle(&options.account));
        }
        let compute = &world.cloud.compute;
        if self.project != compute.project && self.project != compute.number.to_string() {
            let message = format!("The resource 'projects/{}' was not found", self.project);
            return Err(Refusal::with_status(404, "notFound", message));
        }
        if !compute.enabled {
            return Err(problems::disabled(compute.number));
        }
        permissions::judge(self, &world.cloud)?;
        if let Some(unknown) = self.query.keys().find(|name| !PARAMETERS.contains(&name.as_str())) {
            let message =
                format!("Invalid JSON payload received. Unknown name \"{unknown}\": Cannot bind query parameter.");
            return Err(Refusal::new("badRequest", message));
        }
        if method.group == Group::Queries
            && options.concurrent_operations.is_some_and(|most| world.schedule.count() >= most as usize)
        {
            return Err(problems::too_many_operations());
        }
        Ok(())
    }

    fn hold(&self, world: &World) -> Option<Duration> {
        operations::hold(self, world)
    }

    fn perform(&self, world: &mut World, options: &Options, fault: Option<&FaultKind>) -> Answer {
        (self.known()?.does)(&mut Visit { request: self, world, options, fault })
    }

    fn render(&self, answer: Answer, options: &Options) -> Rendered {
        match answer {
            Ok(body) => {
                let content_type = "application/json; charset=UTF-8";
                Rendered { status: 200, body: format!("{body:#}\n"), content_type, headers: Vec::new() }
            }
            Err(refusal) => problems::render(&refusal, &options.account),
        }
    }
}
