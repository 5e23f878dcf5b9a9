//! Where the workers of a run come from, and when: most are known before any cloud is asked; those that the cloud itself knows
//! are found when it has been opened, and a lab that stands in for it has to be made before that.

use kroutes_core::{Cluster, RouteBackend, Selector, Topology};
use kroutes_driver::{Found, Loaded, SourceKind, source};

use crate::failure::Failure;
use crate::output::Printer;
use crate::provider::Provider;

/// What is known of the workers before the provider is opened.
#[derive(Debug)]
pub(crate) enum Workers {
    /// All of it.
    Known(Topology),
    /// The cloud knows them, by this selector.
    #[cfg_attr(
        not(feature = "lab"),
        allow(dead_code, reason = "the source is asked by itself; only a lab is made by it")
    )]
    InTheCloud(Cluster, Selector),
}

impl Workers {
    /// Reads what can be read without the provider: the file, a list of nodes, a running cluster. Where `may_be_empty`, a
    /// source without workers is no error: to a destroy it makes no difference, and a plan is shown before it is refused.
    pub(crate) async fn before_opening(
        loaded: &Loaded,
        provider: &Provider,
        may_be_empty: bool,
    ) -> Result<Self, Failure> {
        let name = provider.format.name;
        let Some(spec) = loaded.source() else { return Ok(Self::Known(loaded.topology_for(name)?)) };
        if let SourceKind::Cloud { selector } = &spec.kind {
            return Ok(Self::InTheCloud(loaded.cluster().clone(), selector.clone()));
        }
        let found = source::read(spec, &provider.format, None).await?;
        Ok(Self::Known(judged(loaded, name, found, may_be_empty)?))
    }

    /// The topology, with what only the provider knew.
    pub(crate) async fn after_opening(
        self,
        loaded: &Loaded,
        provider: &Provider,
        backend: &dyn RouteBackend,
        may_be_empty: bool,
        printer: Printer,
    ) -> Result<Topology, Failure> {
        let (Self::InTheCloud(..), Some(spec)) = (&self, loaded.source()) else {
            return match self {
                Self::Known(topology) => Ok(topology),
                Self::InTheCloud(cluster, _) => judged_alone(cluster),
            };
        };
        let found = source::read(spec, &provider.format, Some(backend)).await?;
        for worker in &found.workers {
            let addresses: Vec<_> = worker.addresses.iter().map(ToString::to_string).collect();
            let ranges: Vec<_> = worker.pod_cidrs.iter().map(ToString::to_string).collect();
            printer.note(&format!("{} {}\n", addresses.join(" "), ranges.join(" ")));
        }
        judged(loaded, provider.format.name, found, may_be_empty)
    }

    /// The cluster.
    pub(crate) const fn cluster(&self) -> &Cluster {
        match self {
            Self::Known(topology) => topology.cluster(),
            Self::InTheCloud(cluster, _) => cluster,
        }
    }

    /// The topology as far as it is known: without workers where the cloud has them.
    #[cfg(feature = "lab")]
    pub(crate) fn so_far(&self) -> Result<Topology, Failure> {
        match self {
            Self::Known(topology) => Ok(topology.clone()),
            Self::InTheCloud(cluster, _) => judged_alone(cluster.clone()),
        }
    }

    /// How the cloud is asked for them, if it is.
    #[cfg(feature = "lab")]
    pub(crate) const fn selector(&self) -> Option<&Selector> {
        match self {
            Self::Known(_) => None,
            Self::InTheCloud(_, selector) => Some(selector),
        }
    }
}

fn judged(loaded: &Loaded, provider: &str, found: Found, may_be_empty: bool) -> Result<Topology, Failure> {
    let judged = if may_be_empty { Loaded::topology_even_of_nobody } else { Loaded::topology_of };
    Ok(judged(loaded, provider, found)?)
}

/// A cluster without workers. It was judged when the file was read.
fn judged_alone(cluster: Cluster) -> Result<Topology, Failure> {
    Topology::new(cluster, Vec::new()).map_err(|faults| {
        let messages: Vec<_> = faults.into_iter().map(|fault| fault.message).collect();
        Failure::Usage(messages.join("; "))
    })
}
