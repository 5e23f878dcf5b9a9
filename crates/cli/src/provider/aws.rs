//! How `kroutes-aws` is tied to the rest.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use kroutes_aws::{AwsBackend, AwsSettings, AwsWorker, Connection, Needs, SourceDestCheck, TableRef, gate_settings};
use kroutes_core::{
    Claim, Cluster, ClusterName, Gate, MachineRef, NextHop, RangeFrom, RouteBackend, TableId, Topology,
};
use kroutes_driver::{Loaded, ProviderFormat, Section, SourceKind};

use super::{Opening, Provider};
use crate::export::{Export, Format, quoted};
use crate::failure::Failure;
#[cfg(feature = "lab")]
use crate::workers::Workers;

const NAME: &str = "aws";

/// How many resources a template may have ("AWS `CloudFormation` quotas").
const RESOURCES: usize = 500;

/// The region of a lab whose topology names none.
const LAB_REGION: &str = "us-west-2";

pub(super) const PROVIDER: Provider = Provider {
    format: ProviderFormat {
        name: NAME,
        section: Section::check::<AwsSettings>,
        worker: |section| Ok(section.read::<AwsWorker>()?.machine()),
        needs_address: false,
        node: kroutes_aws::node_id,
    },
    open,
    drop_claim: Some(drop_claim),
    export,
    policy,
    #[cfg(feature = "lab")]
    lab,
    #[cfg(feature = "lab")]
    lab_variables,
};

fn open<'a>(loaded: &'a Loaded, cluster: &'a Cluster, lab: Option<String>) -> Opening<'a> {
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
        let backend = AwsBackend::open(&settings, cluster, Arc::clone(&gate), connection).await;
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

/// The region that the environment names, as the SDK looks for it. Its profile files are left to it: a policy is printed
/// without a look at anybody's account.
fn region_of_environment() -> Option<String> {
    ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(|name| std::env::var(name).ok())
}

fn policy(loaded: &Loaded) -> Result<String, Failure> {
    let mut settings: AwsSettings = loaded.section(NAME)?;
    settings.region = settings.region.or_else(region_of_environment);
    // Workers that a source knows are named by nothing that takes a permission of its own.
    let topology = loaded.source().is_none().then(|| loaded.topology_for(NAME)).transpose()?;
    let workers = topology.as_ref().map_or(&[][..], Topology::workers);
    let user_data = loaded.source().is_some_and(|source| match &source.kind {
        SourceKind::Cloud { selector } => selector.range == RangeFrom::Machine,
        _ => false,
    });
    Ok(kroutes_aws::policy(&Needs::of(&settings, workers, user_data)))
}

/// A target as `create-route` and the source/dest check take it: the option's name, and the id.
fn target(hop: &NextHop) -> (&'static str, String) {
    match hop {
        NextHop::Interface(id) => ("network-interface", id.clone()),
        other => ("instance", other.id()),
    }
}

fn export(format: Format, export: &Export<'_>) -> Result<String, Failure> {
    match format {
        Format::AwsCli => commands(export),
        Format::Cloudformation => template(export),
        other => Err(Failure::Usage(format!("`aws` does not export {other:?}"))),
    }
}

/// The routes, and the source/dest check off wherever they lead unless the topology leaves it alone.
fn commands(export: &Export<'_>) -> Result<String, Failure> {
    let settings: AwsSettings = export.loaded.section(NAME)?;
    let mut text = String::new();
    for table in export.tables() {
        let region = quoted(&table.location);
        for one in &export.routes {
            let (kind, id) = target(&one.route.next_hop);
            let family = if one.route.destination.is_ipv6() { "-ipv6" } else { "" };
            let _ = writeln!(
                text,
                "aws ec2 create-route --region {region} --route-table-id {} --destination{family}-cidr-block {} --{kind}-id {}",
                quoted(&table.id.0),
                one.route.destination,
                quoted(&id)
            );
        }
    }
    if settings.source_dest_check == SourceDestCheck::Leave {
        return Ok(text);
    }
    let region = export.tables().next().map(|table| quoted(&table.location)).unwrap_or_default();
    let targets: BTreeSet<_> = export.routes.iter().map(|one| target(&one.route.next_hop)).collect();
    for (kind, id) in targets {
        let _ = writeln!(
            text,
            "aws ec2 modify-{kind}-attribute --region {region} --{kind}-id {} --no-source-dest-check",
            quoted(&id)
        );
    }
    Ok(text)
}

/// What other stacks export is imported, as the topology says; everything else stands as it was found.
fn template(export: &Export<'_>) -> Result<String, Failure> {
    let settings: AwsSettings = export.loaded.section(NAME)?;
    let literal = |text: &str| serde_json::Value::from(text).to_string();
    let import = |name: &str| format!("!ImportValue {}", literal(name));
    let mut text = format!(
        "# Instances drop packets that are not theirs unless their source/dest check is off, which no stack of routes can do.\n\
         AWSTemplateFormatVersion: \"2010-09-09\"\n\
         Description: {}\n\
         Resources:\n",
        literal(&format!("Pod routes of cluster {}", export.loaded.cluster().name))
    );
    let tables: Vec<_> = export.readings().collect();
    let count = tables.len() * export.routes.len();
    if count > RESOURCES {
        return Err(Failure::Usage(format!(
            "{count} routes are more than the {RESOURCES} resources of one CloudFormation template; export them as `aws-cli`"
        )));
    }
    for (nth, (wanted, table)) in tables.iter().enumerate() {
        let by_export = settings.route_table.iter().find_map(|reference| match reference {
            TableRef::Export(name) if reference.to_string() == *wanted => Some(import(name)),
            _ => None,
        });
        for one in &export.routes {
            let destination = one.route.destination.to_string();
            let id: String = destination.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { 'x' }).collect();
            let family = if one.route.destination.is_ipv6() { "Ipv6" } else { "" };
            let (kind, target) = match target(&one.route.next_hop) {
                ("instance", id) => ("InstanceId", id),
                (_, id) => ("NetworkInterfaceId", id),
            };
            let target = match (&one.worker.machine, kind) {
                (MachineRef::Export(name), "InstanceId") => import(name),
                _ => literal(&target),
            };
            let number = if tables.len() > 1 { (nth + 1).to_string() } else { String::new() };
            let _ = write!(
                text,
                "  Route{number}To{id}:\n    Type: AWS::EC2::Route\n    Properties:\n      RouteTableId: {}\n      \
                 Destination{family}CidrBlock: {}\n      {kind}: {target}\n",
                by_export.clone().unwrap_or_else(|| literal(&table.id.0)),
                literal(&destination)
            );
        }
    }
    Ok(text)
}

#[cfg(feature = "lab")]
fn lab(loaded: &Loaded, workers: &Workers, plan: &mut super::LabPlan) -> Result<(), Failure> {
    use kroutes_lab::TableWish;

    let settings: AwsSettings = loaded.section(NAME)?;
    let wish = |table: &TableRef| {
        Ok(match table {
            TableRef::Id(id) => TableWish::Id(id.clone()),
            TableRef::Name(name) => TableWish::Tags([("Name".to_owned(), name.clone())].into()),
            TableRef::Tags(tags) => TableWish::Tags(tags.clone()),
            TableRef::Vpc(id) => TableWish::MainOf(id.clone()),
            TableRef::Subnet(id) => TableWish::Subnet(id.clone()),
            TableRef::Export(name) => TableWish::Export(name.clone()),
            TableRef::Associated => TableWish::Associated,
            other => return Err(Failure::Usage(format!("the lab has no route table that answers to {other}"))),
        })
    };
    let tables: Vec<TableWish> = settings.route_table.iter().map(wish).collect::<Result<_, _>>()?;
    plan.seed = std::mem::take(&mut plan.seed).with_route_tables(&workers.so_far()?, &tables);
    if let Some(selector) = workers.selector() {
        let seed = std::mem::take(&mut plan.seed);
        plan.seed = seed.with_matching_instances(workers.cluster(), selector.name.as_deref(), &selector.labels);
    }
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
