//! Where workers come from if they are not written in the topology: a list of nodes, a running cluster, the cloud itself.
//!
//! A source is read once, at the beginning of a run, and ends as what a file with `[[worker]]` tables would have been: plain
//! workers, judged by the same rules. What differs is that nobody wrote this list by hand. One node of a thousand is
//! always being deleted, or has no range yet, or is another cloud's, and none of that may stop the others or, worse,
//! have its routes removed. So a node becomes a worker, or is left out with its reason and its ranges; it never
//! vanishes. And a list of no workers at all is an error or a refusal, since it looks exactly like "nothing is wanted".
//!
//! Each kind is one file. `identity` says who a node is, `allocate` which range a name stands for.

mod allocate;
mod identity;
#[cfg(feature = "kubernetes")]
mod kubernetes;
mod node_list;

use std::fmt;
use std::path::{Path, PathBuf};

use kroutes_core::{Error, ErrorKind, LeftOut, RangeFrom, Result, RouteBackend, Selector, Worker};

use crate::ProviderFormat;
use identity::{Judge, Verdict};

pub use allocate::NodePrefix;

/// Where workers come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSpec {
    /// What is asked, and how.
    pub kind: SourceKind,
    /// Where a range comes from that the source does not have.
    pub node_prefix: Option<NodePrefix>,
}

/// What is asked for workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceKind {
    /// The JSON of `kubectl get nodes -o json`.
    NodeList {
        /// The file; `-` is standard input.
        path: PathBuf,
    },
    /// The API server of a running cluster.
    Kubernetes {
        /// The kubeconfig's context; its current one, or the cluster that this runs in, without.
        context: Option<String>,
        /// A label selector as `kubectl -l` takes it.
        selector: Option<String>,
    },
    /// The provider that the routes are for.
    Cloud {
        /// Which of its machines.
        selector: Selector,
    },
}

impl SourceSpec {
    /// How to have fewer workers than the source finds.
    pub(crate) fn narrowing(&self) -> &'static str {
        match self.kind {
            SourceKind::NodeList { .. } => "a node is kept out by `kubectl get nodes -l SELECTOR -o json`",
            SourceKind::Kubernetes { .. } => "a node is kept out by `selector` in `[source]`",
            SourceKind::Cloud { .. } => "a machine is kept out by `name`, `tags` or `labels` in `[source]`",
        }
    }
}

impl fmt::Display for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            SourceKind::NodeList { path } if path == Path::new("-") => f.write_str("the node list on standard input"),
            SourceKind::NodeList { path } => write!(f, "the node list `{}`", path.display()),
            SourceKind::Kubernetes { context, selector } => {
                match context {
                    Some(context) => write!(f, "the nodes of context `{context}`")?,
                    None => f.write_str("the nodes of the cluster")?,
                }
                selector.as_ref().map_or(Ok(()), |selector| write!(f, " with `{selector}`"))
            }
            SourceKind::Cloud { selector } => {
                f.write_str("the cloud's machines")?;
                if let Some(name) = &selector.name {
                    write!(f, " named `{name}`")?;
                }
                for (index, (key, value)) in selector.labels.iter().enumerate() {
                    write!(f, "{} `{key}={value}`", if index == 0 { " with" } else { "," })?;
                }
                Ok(())
            }
        }
    }
}

/// What a source has.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Workers, in the source's order.
    pub workers: Vec<Worker>,
    /// What is no worker, and why.
    pub left_out: Vec<LeftOut>,
}

/// A Kubernetes node, as far as it matters here, not yet judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) provider_id: Option<String>,
    /// Its ranges as they are written.
    pub(crate) pod_cidrs: Vec<String>,
    /// Its internal addresses as they are written.
    pub(crate) addresses: Vec<String>,
    /// Whether it is being deleted.
    pub(crate) leaving: bool,
}

/// Asks a source for its workers, for one provider. `backend` is that provider, opened; only a `cloud` source needs it.
/// A node list is read on a thread of its own: to be called inside a tokio runtime.
///
/// # Errors
///
/// What makes the whole list worthless: it cannot be read, is incomplete, or is a list of something else. A node that
/// cannot be used is left out instead. That there are no workers is judged by
/// [`Loaded::topology_of`](crate::Loaded::topology_of).
pub async fn read(spec: &SourceSpec, format: &ProviderFormat, backend: Option<&dyn RouteBackend>) -> Result<Found> {
    let nodes = match &spec.kind {
        SourceKind::NodeList { path } => {
            // Whoever writes into the pipe may take for ever, and an interruption must be heard meanwhile.
            let path = path.clone();
            let read = tokio::task::spawn_blocking(move || node_list::read(&path)).await;
            read.map_err(|error| Error::new(ErrorKind::Unexpected, format!("reading {spec} ended: {error}")))??
        }
        SourceKind::Kubernetes { context, selector } => {
            kubernetes_nodes(context.as_deref(), selector.as_deref()).await?
        }
        SourceKind::Cloud { selector } => {
            let backend = backend.ok_or_else(|| {
                Error::new(ErrorKind::Unexpected, format!("{spec} were asked for before `{}` was opened", format.name))
            })?;
            return cloud(spec, selector, backend).await;
        }
    };
    let judge = Judge { format, node_prefix: spec.node_prefix.as_ref() };
    let mut found = Found::default();
    for (index, node) in nodes.into_iter().enumerate() {
        match judge.verdict(&node) {
            Ok(Verdict::Worker(worker)) => found.workers.push(worker),
            Ok(Verdict::LeftOut(left_out)) => found.left_out.push(left_out),
            Err(error) => {
                let message = format!("{spec}: node {} in the list has no usable name: {error}", index + 1);
                return Err(Error::new(ErrorKind::Invalid, message));
            }
        }
    }
    Ok(found)
}

/// Machines have ranges of their own here only if they say so themselves.
async fn cloud(spec: &SourceSpec, selector: &Selector, backend: &dyn RouteBackend) -> Result<Found> {
    let discovered = backend.discover(selector).await.map_err(|error| match error.kind() {
        ErrorKind::Unsupported => {
            let provider = backend.name();
            let message = format!("`{provider}` knows no machines, so they cannot be the source of workers");
            Error::new(ErrorKind::Unsupported, message)
                .with_source(error)
                .help("use `kind = \"node-list\"` or `kind = \"kubernetes\"`, or write `[[worker]]` tables")
        }
        _ => error,
    })?;
    let mut found = Found { workers: Vec::new(), left_out: discovered.left_out };
    for mut worker in discovered.workers {
        if selector.range == RangeFrom::Elsewhere && worker.pod_cidrs.is_empty() {
            let ranges = match &spec.node_prefix {
                Some(prefix) => prefix.ranges(worker.name.as_str()),
                None => Err(Error::new(ErrorKind::Invalid, "`[cluster]` has no `node-prefix`")),
            };
            match ranges {
                Ok(ranges) => worker.pod_cidrs = ranges,
                Err(why) => {
                    found.left_out.push(LeftOut { name: worker.name, pod_cidrs: Vec::new(), why, is_fault: true });
                    continue;
                }
            }
        }
        found.workers.push(worker);
    }
    Ok(found)
}

#[cfg(feature = "kubernetes")]
async fn kubernetes_nodes(context: Option<&str>, selector: Option<&str>) -> Result<Vec<Node>> {
    kubernetes::read(context, selector).await
}

#[cfg(not(feature = "kubernetes"))]
#[allow(clippy::unused_async)] // The same signature as with the feature.
async fn kubernetes_nodes(context: Option<&str>, selector: Option<&str>) -> Result<Vec<Node>> {
    let context = context.map(|context| format!(" --context {context}")).unwrap_or_default();
    let selector = selector.map(|selector| format!(" -l '{selector}'")).unwrap_or_default();
    Err(Error::new(ErrorKind::Unsupported, "this build of kroutes cannot ask a Kubernetes cluster").help(format!(
        "build it with `--features kubernetes`, or write `kind = \"node-list\"` and `path = \"-\"` and pipe \
         `kubectl{context} get nodes{selector} -o json` into it"
    )))
}
