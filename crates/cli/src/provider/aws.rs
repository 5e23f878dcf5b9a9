//! How `kroutes-aws` is tied to the rest.

use std::sync::Arc;

use kroutes_aws::{AwsBackend, AwsSettings, AwsWorker, Connection, gate_settings};
use kroutes_core::{Claim, ClusterName, Gate, RouteBackend, TableId, Topology};
use kroutes_driver::{Loaded, ProviderFormat, Section};

use super::{Opening, Provider};
use crate::failure::Failure;

const NAME: &str = "aws";

/// The region of a lab whose topology names none.
const LAB_REGION: &str = "us-west-2";

pub(super) const PROVIDER: Provider = Provider {
    format: ProviderFormat {
        name: NAME,
        section: Section::check::<AwsSettings>,
        worker: |section| Ok(section.read::<AwsWorker>()?.machine()),
        needs_address: false,
    },
    open,
    drop_claim: Some(drop_claim),
    #[cfg(feature = "lab")]
    lab,
    #[cfg(feature = "lab")]
    lab_variables,
};

fn open<'a>(loaded: &'a Loaded, topology: &'a Topology, lab: Option<String>) -> Opening<'a> {
    Box::pin(async move {
        let settings: AwsSettings = loaded.section(NAME)?;
        let connection = match lab {
            Some(endpoint) => Connection::Fixed {
                endpoint,
                region: region(&settings),
                access_key_id: "lab".to_owned(),
                secret_access_key: "lab".to_owned(),
            },
            None => Connection::Standard,
        };
        let gate = Arc::new(Gate::new(gate_settings()));
        let backend = AwsBackend::open(&settings, topology.cluster(), Arc::clone(&gate), connection).await;
        let backend: Arc<dyn RouteBackend> = Arc::new(backend.map_err(Failure::opening)?);
        Ok((backend, gate))
    })
}

fn region(settings: &AwsSettings) -> String {
    settings.region.clone().unwrap_or_else(|| LAB_REGION.to_owned())
}

fn drop_claim(table: &TableId, region: &str, claim: &Claim) -> String {
    let key = format!("kroutes/{}", claim.cluster);
    // A tag of somebody else's can hold anything, and this is for pasting into a shell.
    let tag = if claim.cluster.parse::<ClusterName>().is_ok() {
        format!("Key={key}")
    } else {
        let json = serde_json::json!([{ "Key": key }]).to_string();
        format!("'{}'", json.replace('\'', "'\\''"))
    };
    format!("aws ec2 delete-tags --region {region} --resources {table} --tags {tag}")
}

#[cfg(feature = "lab")]
fn lab(loaded: &Loaded, topology: &Topology, plan: &mut super::LabPlan) -> Result<(), Failure> {
    use kroutes_aws::TableRef;
    use kroutes_lab::TableWish;

    let settings: AwsSettings = loaded.section(NAME)?;
    let wish = |table: &TableRef| {
        Ok(match table {
            TableRef::Id(id) => TableWish::Id(id.clone()),
            TableRef::Name(name) => TableWish::Tags([("Name".to_owned(), name.clone())].into()),
            TableRef::Tags(tags) => TableWish::Tags(tags.clone()),
            TableRef::Vpc(id) => TableWish::MainOf(id.clone()),
            TableRef::Subnet(id) => TableWish::Subnet(id.clone()),
            other => return Err(Failure::Usage(format!("the lab has no route table that answers to {other}"))),
        })
    };
    let tables: Vec<TableWish> = settings.route_table.iter().map(wish).collect::<Result<_, _>>()?;
    plan.seed = std::mem::take(&mut plan.seed).with_route_tables(topology, &tables);
    plan.options.region = region(&settings);
    plan.options.routes_limit = settings.routes_limit;
    Ok(())
}

#[cfg(feature = "lab")]
// It has the form that every provider's has, and another one writes files.
#[allow(clippy::unnecessary_wraps)]
fn lab_variables(lab: &kroutes_lab::Lab, _: &std::path::Path) -> std::io::Result<String> {
    let (endpoint, region) = (lab.endpoint(), lab.region());
    Ok(format!(
        "unset AWS_PROFILE AWS_SESSION_TOKEN\n\
         export AWS_ENDPOINT_URL={endpoint}\n\
         export AWS_ACCESS_KEY_ID=lab\n\
         export AWS_SECRET_ACCESS_KEY=lab\n\
         export AWS_REGION={region}\n\
         export AWS_DEFAULT_REGION={region}\n"
    ))
}
