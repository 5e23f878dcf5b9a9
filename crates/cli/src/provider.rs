//! The only file that names all providers.
//!
//! A provider crate knows its cloud and the core, and nothing of files, options or the lab. What ties it to the rest is
//! one [`Provider`] value here: how its part of a topology is read, how it is opened, and how the lab stands in for it.

#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "gcp")]
mod gcp;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use kroutes_core::{Claim, Cluster, Gate, RouteBackend, TableId};
use kroutes_driver::{Loaded, ProviderFormat};

use crate::args::Options;
use crate::export::{Export, Format};
use crate::failure::Failure;
use crate::output::Printer;
use crate::workers::Workers;

/// The providers of this build.
static PROVIDERS: &[Provider] = &[
    #[cfg(feature = "aws")]
    aws::PROVIDER,
    #[cfg(feature = "gcp")]
    gcp::PROVIDER,
];

/// Sections of providers that this build does not have: a file for several clouds is read all the same.
pub(crate) const RESERVED: &[&str] = &[
    #[cfg(not(feature = "aws"))]
    "aws",
    #[cfg(not(feature = "gcp"))]
    "gcp",
    "linux",
];

/// A provider, and all that this program has to know of it.
#[derive(Debug)]
pub(crate) struct Provider {
    /// How its part of a topology is read.
    pub(crate) format: ProviderFormat,
    /// Opens it for a topology.
    pub(crate) open: Open,
    /// The command of the provider's own tool that removes a claim, where there are claims.
    pub(crate) drop_claim: Option<DropClaim>,
    /// Writes the wanted routes in the words of the provider's own tools.
    pub(crate) export: fn(Format, &Export<'_>) -> Result<String, Failure>,
    /// The least policy or role that kroutes can work with for this topology, as a file of the provider's own.
    pub(crate) policy: fn(&Loaded) -> Result<String, Failure>,
    /// Adds what the lab has to hold for a topology of this provider.
    #[cfg(feature = "lab")]
    pub(crate) lab: fn(&Loaded, &Workers, &mut LabPlan) -> Result<(), Failure>,
    /// The lines that point this provider's own tool and kroutes at a lab. The folder is for files that the tool wants; it
    /// lives as long as the lab.
    #[cfg(feature = "lab")]
    pub(crate) lab_variables: fn(&kroutes_lab::Lab, &std::path::Path) -> std::io::Result<String>,
}

type Opening<'a> = Pin<Box<dyn Future<Output = Result<(Arc<dyn RouteBackend>, Arc<Gate>), Failure>> + Send + 'a>>;
type Open = for<'a> fn(&'a Loaded, &'a Cluster, Option<String>) -> Opening<'a>;
type DropClaim = fn(&TableId, &str, &Claim) -> String;

/// What the lab has to hold, and how it behaves.
#[cfg(feature = "lab")]
#[derive(Debug, Default)]
pub(crate) struct LabPlan {
    pub(crate) seed: kroutes_lab::Seed,
    pub(crate) options: kroutes_lab::Options,
}

/// A provider opened for a topology.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) backend: Arc<dyn RouteBackend>,
    pub(crate) gate: Arc<Gate>,
    /// Lives as long as the command.
    #[cfg(feature = "lab")]
    _lab: Option<kroutes_lab::Lab>,
}

/// How every provider's part of a topology is read.
pub(crate) fn formats() -> Vec<ProviderFormat> {
    PROVIDERS.iter().map(|provider| provider.format).collect()
}

/// The providers of this build, for people.
pub(crate) fn names() -> String {
    PROVIDERS.iter().map(|provider| provider.format.name).collect::<Vec<_>>().join(", ")
}

/// A provider by the name that the user gives it.
pub(crate) fn by_name(name: &str) -> Result<&'static Provider, Failure> {
    let found = PROVIDERS.iter().find(|provider| provider.format.name == name);
    found.ok_or_else(|| Failure::Usage(format!("this build of kroutes has no provider `{name}`; it has {}", names())))
}

/// Opens a provider: the cloud itself, or with `--lab` the built-in one.
pub(crate) async fn open(
    provider: &Provider,
    loaded: &Loaded,
    workers: &Workers,
    options: &Options,
    printer: Printer,
) -> Result<Opened, Failure> {
    #[cfg(feature = "lab")]
    if options.in_lab {
        let mut plan = LabPlan::default();
        (provider.lab)(loaded, workers, &mut plan)?;
        let lab = crate::lab::start(plan, &options.lab).await?;
        printer.note(&format!(
            "lab: a local {} cloud made from this topology, not a real one; it ends with this command\n",
            provider.format.name
        ));
        let (backend, gate) = (provider.open)(loaded, workers.cluster(), Some(lab.endpoint())).await?;
        return Ok(Opened { backend, gate, _lab: Some(lab) });
    }
    #[cfg(not(feature = "lab"))]
    let _ = (options, printer);
    let (backend, gate) = (provider.open)(loaded, workers.cluster(), None).await?;
    Ok(Opened {
        backend,
        gate,
        #[cfg(feature = "lab")]
        _lab: None,
    })
}
