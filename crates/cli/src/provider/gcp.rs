//! How `kroutes-gcp` is tied to the rest.

use std::fmt::Write;
use std::sync::Arc;

use kroutes_core::{Cluster, Gate, RouteBackend};
use kroutes_driver::{Loaded, ProviderFormat, Section};
use kroutes_gcp::{Connection, GcpBackend, GcpSettings, GcpWorker, gate_settings, mark, route_name};

use super::{Opening, Provider};
use crate::export::{Export, Format, quoted};
use crate::failure::Failure;
#[cfg(feature = "lab")]
use crate::workers::Workers;

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
        node: kroutes_gcp::node_id,
    },
    open,
    drop_claim: None,
    export,
    policy,
    #[cfg(feature = "lab")]
    lab,
    #[cfg(feature = "lab")]
    lab_variables,
};

fn open<'a>(loaded: &'a Loaded, cluster: &'a Cluster, lab: Option<String>) -> Opening<'a> {
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
        let backend = GcpBackend::open(&settings, cluster, Arc::clone(&gate), connection).await;
        let backend: Arc<dyn RouteBackend> = Arc::new(backend.map_err(Failure::opening)?);
        Ok((backend, gate))
    })
}

/// What a lab needs to know is in the topology, or made up: no variable of the user's own cloud has a say.
fn in_lab(settings: &mut GcpSettings) {
    settings.project.get_or_insert_with(|| LAB_PROJECT.to_owned());
}

fn export(format: Format, export: &Export<'_>) -> Result<String, Failure> {
    if format != Format::Gcloud {
        return Err(Failure::Usage(format!("`gcp` does not export {format:?}")));
    }
    let mut settings: GcpSettings = export.loaded.section(NAME)?;
    if export.in_lab {
        in_lab(&mut settings);
    }
    let settings = settings.resolve(&|name| std::env::var(name).ok()).map_err(Failure::opening)?;
    let cluster = &export.loaded.cluster().name;
    let mut text = String::new();
    for one in &export.routes {
        let destination = one.route.destination;
        let _ = writeln!(
            text,
            "gcloud compute routes create {} --project {} --network {} --destination-range {destination} --next-hop-address {} \
             --priority {} --description {}",
            quoted(&route_name(&settings, cluster, &destination)),
            quoted(&settings.project),
            quoted(&settings.network),
            one.route.next_hop,
            settings.priority,
            quoted(&mark(cluster)),
        );
    }
    Ok(text)
}

// It has the form that every provider's has, and what another one needs depends on the topology.
#[allow(clippy::unnecessary_wraps)]
fn policy(_: &Loaded) -> Result<String, Failure> {
    Ok(kroutes_gcp::role())
}

#[cfg(feature = "lab")]
fn lab(loaded: &Loaded, workers: &Workers, plan: &mut super::LabPlan) -> Result<(), Failure> {
    let mut settings: GcpSettings = loaded.section(NAME)?;
    in_lab(&mut settings);
    let settings = settings.resolve(&|_| None).map_err(Failure::opening)?;
    plan.seed = std::mem::take(&mut plan.seed).with_network(&workers.so_far()?, &settings.network);
    if let Some(selector) = workers.selector() {
        let (name, labels) = (selector.name.as_deref(), &selector.labels);
        let seed = std::mem::take(&mut plan.seed);
        plan.seed = seed.with_matching_machines(workers.cluster(), &settings.network, name, labels);
    }
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
        quoted(&token.display().to_string()),
        quoted(&folder.join("gcloud").display().to_string()),
    ))
}
