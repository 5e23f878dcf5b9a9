//! Whether an answer is the one that was asked for.
//!
//! Whatever is absent from Google's JSON is empty, so `{}` with HTTP 200, as proxies and health checks have it, would be read as
//! a network without routes, and everything that is there would be made a second time. So a listing has to bear its kind, and
//! a resource the name by which it was asked for, as all of Compute's do (discovery document of Compute v1).

use kroutes_core::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;

use crate::wire::{AggregatedInstances, Held, Network, Operation, OperationList, Route, RouteList, Warning};

const HELP: &str = "something else than Compute Engine answered: look at HTTPS_PROXY, NO_PROXY and the endpoint";

/// What Compute answers with.
pub(super) trait Answer: DeserializeOwned {
    /// What shows that it is something else; `asked` is the last part of the path that was asked for.
    fn flaw(&self, asked: &str) -> Option<String>;

    /// What Compute says that it left out, where that makes the whole worthless.
    fn loss(&self) -> Option<&Warning> {
        None
    }
}

/// The answer, if it is one.
pub(super) fn judged<T: Answer>(action: &'static str, write: bool, asked: &str, answer: T) -> Result<T> {
    if let Some(flaw) = answer.flaw(asked) {
        let message = format!("`{action}` was answered with something else: {flaw}");
        return Err(Error::new(ErrorKind::Unexpected, message).with_ambiguous(write).with("action", action).help(HELP));
    }
    if let Some(warning) = answer.loss() {
        let said = warning.message.trim_end_matches('.');
        let message = format!("`{action}` was answered in part: {said}");
        return Err(Error::new(ErrorKind::Unavailable, message)
            .with("action", action)
            .with("code", warning.code.clone())
            .help("try again in a few minutes"));
    }
    Ok(answer)
}

fn unlike(what: &str, expected: &str, found: &str) -> Option<String> {
    (expected != found).then(|| match found {
        "" => format!("it lacks the {what} `{expected}`"),
        _ => format!("its {what} is `{}` and not `{expected}`", found.escape_debug()),
    })
}

impl Answer for RouteList {
    fn flaw(&self, _: &str) -> Option<String> {
        unlike("kind", "compute#routeList", &self.kind)
    }

    fn loss(&self) -> Option<&Warning> {
        self.warning.as_ref().filter(|warning| warning.is_loss())
    }
}

impl Answer for OperationList {
    fn flaw(&self, _: &str) -> Option<String> {
        unlike("kind", "compute#operationList", &self.kind)
    }
}

impl Answer for AggregatedInstances {
    fn flaw(&self, _: &str) -> Option<String> {
        unlike("kind", "compute#instanceAggregatedList", &self.kind)
    }
}

impl Answer for Held {
    /// An empty object is an answer here: nothing is held.
    fn flaw(&self, _: &str) -> Option<String> {
        None
    }
}

impl Answer for Network {
    fn flaw(&self, asked: &str) -> Option<String> {
        unlike("name", asked, &self.name)
    }
}

impl Answer for Route {
    fn flaw(&self, asked: &str) -> Option<String> {
        unlike("name", asked, &self.name)
    }
}

impl Answer for Operation {
    fn flaw(&self, _: &str) -> Option<String> {
        // Under whatever name a write was promised, it is that which is followed.
        self.name.is_empty().then(|| "it is an operation without a name".to_owned())
    }
}
