//! The nodes of a running cluster, from its API server.
//!
//! They are listed once, in pages, with kube's client: that is what knows kubeconfigs, their exec plugins and client
//! certificates. It does not get to parse the answer. The node list's own reader takes the few fields that matter from the
//! same JSON, so both sources agree on what a node is, and the typed bindings of the whole Kubernetes API are
//! compiled for kube's sake only. Nor does it get to retry: that is the gate's, as for every other API here.
//!
//! What an exec plugin prints can be a token, and so can a line of a kubeconfig: nothing of either is ever repeated, since
//! `kubectl` shows the same failure.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use kroutes_core::{Error, ErrorKind, Gate, GateSettings, Repeat, Result};
use kube::client::AuthError;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::core::Status;
use kube::{Client, Config};

use super::Node;
use super::node_list::{Page, page};
use crate::load::{listed, suggest};

/// As many as `kubectl` asks for at once.
const PAGE: u32 = 500;

/// The name of the one call.
const LIST_NODES: &str = "ListNodes";

/// Lists the nodes of a context, or of the cluster that this runs in.
pub(super) async fn read(context: Option<&str>, selector: Option<&str>) -> Result<Vec<Node>> {
    let config = match Kubeconfig::read() {
        Ok(kubeconfig) => configuration(kubeconfig, context).await?,
        Err(error) if is_absent(&error) && context.is_none() => inside()?,
        Err(error) => return Err(unusable(&error)),
    };
    Cluster::new(config)?.nodes(selector).await
}

fn is_absent(error: &KubeconfigError) -> bool {
    match error {
        KubeconfigError::FindPath => true,
        KubeconfigError::ReadConfig(error, _) => error.kind() == io::ErrorKind::NotFound,
        _ => false,
    }
}

fn inside() -> Result<Config> {
    Config::incluster().map_err(|error| {
        let message = "there is no kubeconfig, and this does not run inside a cluster";
        Error::new(ErrorKind::Unauthenticated, message)
            .with("cause", error.to_string())
            .help("write `~/.kube/config`, or point `KUBECONFIG` at another")
    })
}

/// A kubeconfig's context, or its current one.
async fn configuration(kubeconfig: Kubeconfig, context: Option<&str>) -> Result<Config> {
    let names: Vec<String> = kubeconfig.contexts.iter().map(|known| known.name.clone()).collect();
    if context.is_none() && kubeconfig.current_context.as_deref().is_none_or(str::is_empty) {
        // An empty file is what `touch` leaves in an image; a service account beside it is what is meant.
        if names.is_empty() {
            return inside();
        }
        let message = "the kubeconfig has no current context, and `[source]` names none";
        return Err(Error::new(ErrorKind::Invalid, message)
            .help(format!("set `context` in `[source]` to one of {}", listed(&names))));
    }
    let wanted = context.or(kubeconfig.current_context.as_deref()).unwrap_or_default().to_owned();
    if !names.contains(&wanted) {
        let message = format!("the kubeconfig has no context `{wanted}`");
        let help = match suggest(&wanted, &names) {
            _ if names.is_empty() => "it has none at all; is `KUBECONFIG` the right file?".to_owned(),
            Some(near) => format!("did you mean `{near}`? It has {}", listed(&names)),
            None => format!("it has {}", listed(&names)),
        };
        return Err(Error::new(ErrorKind::NotFound, message).help(help));
    }
    let options = KubeConfigOptions { context: Some(wanted), ..KubeConfigOptions::default() };
    Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| unusable(&error))
}

fn unusable(error: &KubeconfigError) -> Error {
    let why = match error {
        // The parser's own words show the lines around the fault, and a token may be in them.
        KubeconfigError::Parse(_) => "it is not the YAML of a kubeconfig".to_owned(),
        _ => error.to_string(),
    };
    Error::new(ErrorKind::Invalid, format!("the kubeconfig cannot be used: {why}"))
        .help("`kubectl config view` shows what it says, `KUBECONFIG` names another")
}

/// One API server.
struct Cluster {
    client: Client,
    /// Host and port, for messages.
    server: String,
    gate: Gate,
}

impl Cluster {
    fn new(mut config: Config) -> Result<Self> {
        config.default_retry = false;
        config.connect_timeout = Some(Duration::from_secs(10));
        let url = &config.cluster_url;
        let server = match (url.host(), url.port_u16()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or("the API server").to_owned(),
        };
        let client = Client::try_from(config).map_err(|error| failed(&server, None, error))?;
        // A page of 500 large nodes is some megabytes, which a slow line needs its time for.
        let gate =
            Gate::new(GateSettings { attempts: 4, attempt_timeout: Duration::from_mins(1), ..GateSettings::default() });
        Ok(Self { client, server, gate })
    }

    async fn nodes(&self, selector: Option<&str>) -> Result<Vec<Node>> {
        let mut nodes = Vec::new();
        let mut at: Option<String> = None;
        let mut limit = Some(PAGE);
        loop {
            match self.page(selector, limit, at.as_deref()).await {
                Ok(page) => {
                    nodes.extend(page.nodes);
                    if page.next.is_none() {
                        return Ok(nodes);
                    }
                    if page.next == at {
                        let message = format!("`{}` lists the same page of nodes again and again", self.server);
                        return Err(Error::new(ErrorKind::Unexpected, message));
                    }
                    at = page.next;
                }
                // The server has forgotten the moment that the pages are of. One page of everything needs no memory.
                Err(error) if error.get("code") == Some("410") && at.is_some() => {
                    nodes.clear();
                    (at, limit) = (None, None);
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn page(&self, selector: Option<&str>, limit: Option<u32>, at: Option<&str>) -> Result<Page> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(limit) = limit {
            query.append_pair("limit", &limit.to_string());
        }
        if let Some(selector) = selector {
            query.append_pair("labelSelector", selector);
        }
        if let Some(at) = at {
            query.append_pair("continue", at);
        }
        let target = format!("/api/v1/nodes?{}", query.finish());
        let attempt = |_| {
            let request = http::Request::get(&target).body(Vec::new());
            async move {
                let request = request.map_err(|error| {
                    Error::new(ErrorKind::Invalid, format!("no request for nodes can be made: {error}"))
                })?;
                self.client.request_text(request).await.map_err(|error| failed(&self.server, selector, error))
            }
        };
        let text = self.gate.call(LIST_NODES, Repeat::Always, attempt).await?;
        page(text.as_bytes(), &self.server)
            .map_err(|error| Error::new(ErrorKind::Unexpected, format!("{error}; is it a Kubernetes API server?")))
    }
}

/// What went wrong, in our words.
fn failed(server: &str, selector: Option<&str>, error: kube::Error) -> Error {
    match error {
        kube::Error::Api(status) => refused(server, selector, &status),
        kube::Error::Auth(error) => {
            let why = match &error {
                AuthError::AuthExecStart(cause) => format!("the kubeconfig's command cannot be started: {cause}"),
                AuthError::AuthExecRun { out, .. } => format!("the kubeconfig's command failed with {}", out.status),
                AuthError::ReadTokenFile(cause, path) => {
                    format!("the token file `{}` cannot be read: {cause}", path.display())
                }
                _ => "what the kubeconfig says of it cannot be used".to_owned(),
            };
            Error::new(ErrorKind::Unauthenticated, format!("no credentials for `{server}`: {why}"))
                .help("`kubectl get nodes` with the same context shows more")
        }
        kube::Error::ProxyProtocolDisabled { .. } | kube::Error::ProxyProtocolUnsupported { .. } => {
            let message = format!("the proxy for `{server}` is of a kind that kroutes cannot use");
            Error::new(ErrorKind::Unsupported, message)
                .help("`proxy-url` in the kubeconfig and `HTTPS_PROXY` take http")
        }
        other => unanswered(server, &other),
    }
}

fn refused(server: &str, selector: Option<&str>, status: &Status) -> Error {
    // A proxy in between may answer with a page of its own.
    let said: String = status.message.lines().next().unwrap_or_default().chars().take(300).collect();
    let error = match status.code {
        400 if selector.is_some() => {
            let selector = selector.unwrap_or_default();
            Error::new(ErrorKind::Invalid, format!("`{server}` does not take the selector `{selector}`: {said}"))
                .help("`kubectl get nodes -l` takes the same; `selector` in `[source]` sets it")
        }
        401 => Error::new(ErrorKind::Unauthenticated, format!("`{server}` does not accept the credentials"))
            .help("log in again; `kubectl get nodes` with the same context must work"),
        403 => Error::new(ErrorKind::PermissionDenied, format!("`{server}` forbids to list nodes: {said}")).help(
            "grant the verb `list` on the resource `nodes`: `kubectl create clusterrole kroutes --verb=list \
             --resource=nodes` and a `clusterrolebinding` to it",
        ),
        404 => {
            Error::new(ErrorKind::NotFound, format!("`{server}` has no nodes to list; is it a Kubernetes API server?"))
        }
        429 => Error::new(ErrorKind::RateLimited, format!("`{server}` is asked too fast: {said}")),
        500.. => Error::new(ErrorKind::Unavailable, format!("`{server}` cannot answer now: {said}")),
        code => Error::new(ErrorKind::Unexpected, format!("`{server}` answered {code}: {said}")),
    };
    error.with("code", status.code.to_string())
}

/// No answer at all: what lies deepest says why.
fn unanswered(server: &str, error: &kube::Error) -> Error {
    let mut cause: &dyn StdError = error;
    let mut certificate = false;
    while let Some(deeper) = cause.source() {
        cause = deeper;
        certificate |= cause.to_string().contains("certificate");
    }
    let cause = match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
        _ => cause.to_string(),
    };
    if certificate {
        let message = format!("the certificate of `{server}` is not accepted: {cause}");
        return Error::new(ErrorKind::Unavailable, message)
            .with_retryable(false)
            .help("`certificate-authority` in the kubeconfig must be the one that signed it");
    }
    let refused = cause == "connection refused";
    let error = Error::new(ErrorKind::Unavailable, format!("`{server}` does not answer: {cause}"));
    // Nothing listens there: that it will in a moment is not worth keeping anybody waiting.
    error.with_retryable(!refused).help("is the cluster running, and the context the right one?")
}

#[cfg(test)]
mod tests;
