//! How `kroutes-gcp` is tied to the rest.

use std::sync::Arc;

use kroutes_core::{Gate, RouteBackend, Topology};
use kroutes_driver::{Loaded, ProviderFormat, Section};
use kroutes_gcp::{Connection, GcpBackend, GcpSettings, GcpWorker, gate_settings};

use super::{Opening, Provider};
use crate::failure::Failure;

const NAME: &str = "gcp";

/// The project of a lab whose topology names none.
const LAB_PROJECT: &str = "lab";

/// The token that a lab takes; a build without one has nothing that would.
#[cfg(feature = "lab")]
const LAB_TOKEN: &str = kroutes_lab::Lab::ACCESS_TOKEN;
#[cfg(not(feature = "lab"))]
const LAB_TOKEN: &str = "";

pub(super) const PROVIDER: Provider = Provider {
    format: ProviderFormat {
        name: NAME,
        section: Section::check::<GcpSettings>,
        worker: |section| Ok(section.read::<GcpWorker>()?.machine()),
        needs_address: false,
    },
    open,
    drop_claim: None,
    #[cfg(feature = "lab")]
    lab,
    #[cfg(feature = "lab")]
    lab_variables,
};

fn open<'a>(loaded: &'a Loaded, topology: &'a Topology, lab: Option<String>) -> Opening<'a> {
    Box::pin(async move {
        let mut settings: GcpSettings = loaded.section(NAME)?;
        let connection = match lab {
            Some(endpoint) => {
                in_lab(&mut settings);
                Connection::Fixed { endpoint: format!("{endpoint}/compute/v1/"), token: LAB_TOKEN.to_owned() }
            }
            None => Connection::Standard,
        };
        let gate = Arc::new(Gate::new(gate_settings()));
        let backend = GcpBackend::open(&settings, topology.cluster(), Arc::clone(&gate), connection).await;
        let backend: Arc<dyn RouteBackend> = Arc::new(backend.map_err(Failure::opening)?);
        Ok((backend, gate))
    })
}

/// What a lab needs to know is in the topology, or made up: no variable of the user's own cloud has a say.
fn in_lab(settings: &mut GcpSettings) {
    settings.project.get_or_insert_with(|| LAB_PROJECT.to_owned());
}

#[cfg(feature = "lab")]
fn lab(loaded: &Loaded, topology: &Topology, plan: &mut super::LabPlan) -> Result<(), Failure> {
    let mut settings: GcpSettings = loaded.section(NAME)?;
    in_lab(&mut settings);
    let settings = settings.resolve(&|_| None).map_err(Failure::opening)?;
    plan.seed = std::mem::take(&mut plan.seed).with_network(topology, &settings.network);
    plan.options.project = settings.project;
    if let Some(limit) = settings.routes_limit {
        plan.options.network_routes_limit = limit;
    }
    Ok(())
}

/// gcloud wants its token in a file, and a folder of its own so that nothing it keeps about the real cloud interferes.
#[cfg(feature = "lab")]
fn lab_variables(lab: &kroutes_lab::Lab, folder: &std::path::Path) -> std::io::Result<String> {
    let token = folder.join("access-token");
    std::fs::write(&token, kroutes_lab::Lab::ACCESS_TOKEN)?;
    Ok(format!(
        "unset GOOGLE_APPLICATION_CREDENTIALS\n\
         export GOOGLE_OAUTH_ACCESS_TOKEN={}\n\
         export CLOUDSDK_CORE_PROJECT={}\n\
         export CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE={}\n\
         export CLOUDSDK_AUTH_ACCESS_TOKEN_FILE={}\n\
         export CLOUDSDK_CONFIG={}\n\
         export CLOUDSDK_CORE_DISABLE_PROMPTS=1\n\
         export CLOUDSDK_CORE_CHECK_GCE_METADATA=false\n",
        kroutes_lab::Lab::ACCESS_TOKEN,
        lab.project(),
        lab.compute_endpoint(),
        quoted(&token),
        quoted(&folder.join("gcloud")),
    ))
}

/// A path as a shell takes it.
#[cfg(feature = "lab")]
fn quoted(path: &std::path::Path) -> String {
    let path = path.display().to_string();
    let plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    if plain { path } else { format!("'{}'", path.replace('\'', "'\\''")) }
}
