//! What is asked only to learn whether one may ask it, in the smallest form that Compute has.
//!
//! The permissions of routes have a method that says which of them one has. Those of networks, instances and operations
//! have none in Compute v1 that would fit (discovery document of Compute v1: `networks` and `globalOperations` lack
//! `testIamPermissions`, and that of `instances` is about one instance), so the call itself is made, for one result.

use kroutes_core::{ErrorKind, Repeat, Result};
use reqwest::Method;
use serde_json::json;

use super::Compute;
use crate::action::Action;
use crate::http::Request;
use crate::wire::{AggregatedInstances, Held, Operation, OperationList};

/// A name that no operation has: Compute's own begin with `operation-`.
const NOBODYS: &str = "kroutes-doctor-asks";

impl Compute {
    /// Whether the caller has a permission on a route, which need not exist.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] where that permission cannot be asked of a route.
    pub(crate) async fn has(&self, route: &str, permission: &str) -> Result<bool> {
        let path = self.global(&format!("routes/{route}/testIamPermissions"));
        let body = json!({ "permissions": [permission] });
        let attempt = |_| {
            let request = Request { method: Method::POST, path: &path, query: &[], body: Some(&body) };
            self.send::<Held>(Action::TestPermissions, request)
        };
        let held = self.gate.call(Action::TestPermissions.name(), Repeat::Always, attempt).await?;
        Ok(held.permissions.iter().any(|held| held == permission))
    }

    /// Whether instances may be listed: a page of one.
    pub(crate) async fn may_list_instances(&self) -> Result<()> {
        let path = format!("projects/{}/aggregated/instances", self.project);
        self.get::<AggregatedInstances>(Action::ListInstances, &path, &one()).await.map(drop)
    }

    /// Whether operations may be listed: a page of one.
    pub(crate) async fn may_list_operations(&self) -> Result<()> {
        self.get::<OperationList>(Action::ListOperations, &self.global("operations"), &one()).await.map(drop)
    }

    /// Whether an operation may be looked at: who may not is refused whether there is one or not.
    pub(crate) async fn may_get_operations(&self) -> Result<()> {
        let path = self.global(&format!("operations/{NOBODYS}"));
        match self.get::<Operation>(Action::GetOperation, &path, &[]).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other.map(drop),
        }
    }
}

fn one() -> [(&'static str, String); 1] {
    [("maxResults", "1".to_owned())]
}
