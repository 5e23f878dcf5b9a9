//! Compute Engine's methods as functions, each attempt and each page through the gate.
//!
//! A listing is whole or an error: Google may end a page early, even with nothing on it, and says so only by the token of the
//! next one. Filters are a wish ("filtering is best effort" where it matters), so what comes is filtered again. And since
//! everything that is absent from Google's JSON is empty, an answer first has to show that it is the one that was asked for.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use kroutes_core::{Error, ErrorKind, Gate, Repeat, Result};
use reqwest::Method;
use uuid::Uuid;

use self::answer::Answer;

use crate::action::Action;
use crate::credentials::Credentials;
use crate::http::{Http, Request};
use crate::links;
use crate::wire::{AggregatedInstances, Instance, Network, NewRoute, Operation, OperationList, Route, RouteList};

mod answer;
mod questions;

/// The most that Compute puts on a page (Compute Engine API, `maxResults`).
const PAGE: &str = "500";

/// Compute Engine of one project, behind the gate.
#[derive(Debug)]
pub(crate) struct Compute {
    http: Http,
    gate: Arc<Gate>,
    project: String,
}

/// The project's instances, and whether these are all.
#[derive(Debug)]
pub(crate) struct Instances {
    pub(crate) found: Vec<Instance>,
    /// Whether every zone answered.
    pub(crate) complete: bool,
}

impl Compute {
    pub(crate) const fn new(http: Http, gate: Arc<Gate>, project: String) -> Self {
        Self { http, gate, project }
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    pub(crate) const fn credentials(&self) -> &Credentials {
        self.http.credentials()
    }

    /// Gets a token, so that the first calls need not share their deadline with it.
    pub(crate) async fn authenticate(&self) -> Result<()> {
        self.http.credentials().token(&self.gate).await.map(drop)
    }

    fn global(&self, rest: &str) -> String {
        format!("projects/{}/global/{rest}", self.project)
    }

    async fn get<T: Answer + Send>(&self, action: Action, path: &str, query: &[(&'static str, String)]) -> Result<T> {
        self.gate.call(action.name(), Repeat::Always, |_| self.attempt(action, Method::GET, path, query)).await
    }

    async fn attempt<T: Answer>(
        &self,
        action: Action,
        method: Method,
        path: &str,
        query: &[(&'static str, String)],
    ) -> Result<T> {
        self.send(action, Request { method, path, query, body: None }).await
    }

    /// Who is not allowed, or does not see a project, has often brought the key of another one.
    async fn send<T: Answer>(&self, action: Action, request: Request<'_>) -> Result<T> {
        let (write, asked) = (request.method != Method::GET, links::last(request.path));
        let answer = self.http.send(action.name(), request).await;
        let answer = answer.and_then(|answer| answer::judged(action.name(), write, asked, answer));
        answer.map_err(|error| {
            let credentials = self.http.credentials();
            match (error.kind(), credentials.project()) {
                (ErrorKind::PermissionDenied | ErrorKind::NotFound, Some(other)) if other != self.project => {
                    error.with("credentials", format!("{}, which are of project `{other}`", credentials.source()))
                }
                (ErrorKind::PermissionDenied, _) => error.with("credentials", credentials.source()),
                _ => error,
            }
        })
    }

    pub(crate) async fn network(&self, name: &str) -> Result<Network> {
        self.get(Action::GetNetwork, &self.global(&format!("networks/{name}")), &[]).await
    }

    /// All routes of a network, by its path, whoever made them.
    pub(crate) async fn routes(&self, network: &str) -> Result<Vec<Route>> {
        // The form that gcloud and the Kubernetes provider use. Equality is by regular expression over the whole link.
        let filter = format!("network eq \".*/{}\"", network.replace('.', "\\."));
        let mut routes: Vec<Route> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut pages = Pages::default();
        while let Some(query) = pages.next(vec![("filter", filter.clone())])? {
            let page: RouteList = self.get(Action::ListRoutes, &self.global("routes"), &query).await?;
            pages.turn(Action::ListRoutes, page.next_page_token);
            for route in page.items.into_iter().filter(|route| links::path(&route.network) == network) {
                // Pages shift while others write. A name is one route's, so what comes again is the same or newer.
                if let Some(place) = places.get(&route.name) {
                    routes[*place] = route;
                } else {
                    places.insert(route.name.clone(), routes.len());
                    routes.push(route);
                }
            }
        }
        Ok(routes)
    }

    /// One route by name, as it is at this moment.
    pub(crate) async fn route(&self, name: &str) -> Result<Option<Route>> {
        found(self.get(Action::GetRoute, &self.global(&format!("routes/{name}")), &[]).await)
    }

    /// The same, to see what became of a write: it passes a closed gate, too.
    pub(crate) async fn route_after_write(&self, name: &str) -> Result<Option<Route>> {
        let path = self.global(&format!("routes/{name}"));
        let attempt = |_| self.attempt(Action::GetRoute, Method::GET, &path, &[]);
        found(self.gate.call_to_finish(Action::GetRoute.name(), attempt).await)
    }

    /// Every instance of the project: a listing by network is not to be had, and by zone would cost a call for each.
    pub(crate) async fn instances(&self) -> Result<Instances> {
        let path = format!("projects/{}/aggregated/instances", self.project);
        let mut instances = Instances { found: Vec::new(), complete: true };
        let mut pages = Pages::default();
        while let Some(query) = pages.next(Vec::new())? {
            let page: AggregatedInstances = self.get(Action::ListInstances, &path, &query).await?;
            pages.turn(Action::ListInstances, page.next_page_token.clone());
            instances.complete &= page.is_complete();
            instances.found.extend(page.into_instances());
        }
        Ok(instances)
    }

    /// The latest operations of the project, the newest first, as far as one page goes.
    pub(crate) async fn operations(&self, token: Option<&str>) -> Result<OperationList> {
        let mut query = vec![("orderBy", "creationTimestamp desc".to_owned()), ("maxResults", PAGE.to_owned())];
        query.extend(token.map(|token| ("pageToken", token.to_owned())));
        let path = self.global("operations");
        let attempt = |_| self.attempt(Action::ListOperations, Method::GET, &path, &query);
        self.gate.call_to_finish(Action::ListOperations.name(), attempt).await
    }

    pub(crate) async fn operation(&self, name: &str) -> Result<Operation> {
        let path = self.global(&format!("operations/{name}"));
        let attempt = |_| self.attempt(Action::GetOperation, Method::GET, &path, &[]);
        self.gate.call_to_finish(Action::GetOperation.name(), attempt).await
    }

    /// One attempt to insert a route; the answer is a promise.
    pub(crate) async fn insert(&self, route: &NewRoute, request: Uuid) -> Result<Operation> {
        let body = serde_json::to_value(route).map_err(|error| {
            Error::new(ErrorKind::Unexpected, "a route could not be written as JSON").with_source(error)
        })?;
        let path = self.global("routes");
        let query = [("requestId", request.to_string())];
        let request = Request { method: Method::POST, path: &path, query: &query, body: Some(&body) };
        let operation = self.send(Action::InsertRoute, request).await?;
        self.is_about(operation, Action::InsertRoute, &route.name)
    }

    /// One attempt to delete a route; the answer is a promise.
    pub(crate) async fn delete(&self, name: &str, request: Uuid) -> Result<Operation> {
        let query = [("requestId", request.to_string())];
        let path = self.global(&format!("routes/{name}"));
        let operation = self.attempt(Action::DeleteRoute, Method::DELETE, &path, &query).await?;
        self.is_about(operation, Action::DeleteRoute, name)
    }

    /// Whoever follows the operation of another route takes that one's end for the end of his own, and deletes what his was to
    /// replace. So an answer that belongs to another request is none, and the same request asks once more.
    fn is_about(&self, operation: Operation, action: Action, name: &str) -> Result<Operation> {
        let target = links::path(&operation.target_link);
        if target == links::route_path(&self.project, name) {
            return Ok(operation);
        }
        let message = format!("`{}` of route `{name}` was answered with an operation on `{target}`", action.name());
        Err(Error::new(ErrorKind::Unavailable, message)
            .with_ambiguous(true)
            .with("operation", operation.name)
            .help("something between here and Google mixes up answers: look at HTTPS_PROXY"))
    }
}

/// Absence is an answer.
fn found<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Where a listing stands.
#[derive(Debug, Default)]
struct Pages {
    begun: bool,
    token: Option<String>,
    seen: HashSet<String>,
    turning_in_circles: Option<Error>,
}

impl Pages {
    /// The parameters of the next page, if there is one.
    fn next(&mut self, mut query: Vec<(&'static str, String)>) -> Result<Option<Vec<(&'static str, String)>>> {
        if let Some(error) = self.turning_in_circles.take() {
            return Err(error);
        }
        if self.begun && self.token.is_none() {
            return Ok(None);
        }
        self.begun = true;
        query.push(("maxResults", PAGE.to_owned()));
        query.extend(self.token.take().map(|token| ("pageToken", token)));
        Ok(Some(query))
    }

    /// Notes what a page says of the next one. A token that comes again would be followed for ever.
    fn turn(&mut self, action: Action, next: Option<String>) {
        self.token = next.filter(|token| !token.is_empty());
        if let Some(token) = &self.token
            && !self.seen.insert(token.clone())
        {
            let message = format!("`{}` answered with the token of a page that was read already", action.name());
            let error = Error::new(ErrorKind::Unexpected, message).with("action", action.name());
            self.turning_in_circles = Some(error.help("try again; a proxy that answers from a cache does this"));
        }
    }
}
