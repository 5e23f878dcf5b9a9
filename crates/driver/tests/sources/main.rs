//! Workers that are not in the file: what is read of nodes and machines, who they are, and what is left out.

mod cloud;
mod identity;
mod node_list;

use std::fmt::Write as _;
use std::fs;

use kroutes_core::{Error, MachineRef, NodeId, Topology};
use kroutes_driver::source::read;
use kroutes_driver::{Found, Loaded, ProviderFormat, Section, load};

#[derive(serde::Deserialize)]
struct Anything {}

/// A provider whose ids begin with `aws://`.
pub(crate) const BY_ID: ProviderFormat = ProviderFormat {
    name: "aws",
    section: Section::check::<Anything>,
    worker: |section| section.read::<Anything>().map(|_| None),
    needs_address: false,
    node: |id| match id.rsplit_once('/') {
        Some((head, machine)) if head.starts_with("aws://") && machine.starts_with("i-") => {
            NodeId::Machine(MachineRef::Id(machine.to_owned()))
        }
        Some((head, _)) if head.starts_with("aws://") => NodeId::NotAMachine("a Fargate pod"),
        _ => NodeId::OtherCloud,
    },
};

/// A provider that routes by address and knows no ids.
pub(crate) const BY_ADDRESS: ProviderFormat =
    ProviderFormat { name: "linux", needs_address: true, node: |_| NodeId::OtherCloud, ..BY_ID };

/// A topology with that source, as if it were the file `folder/kroutes.toml`.
pub(crate) fn loaded(folder: &str, cluster: &str, source: &str) -> Loaded {
    let text = format!("[cluster]\nname = \"k\"\npod-cidr = \"10.200.0.0/16\"\n{cluster}\n[source]\n{source}\n");
    load(&text, &format!("{folder}/kroutes.toml"), &[BY_ID, BY_ADDRESS], &[], []).expect("loads")
}

/// What a node list of that text has.
pub(crate) async fn found(text: impl AsRef<[u8]>, cluster: &str, format: &ProviderFormat) -> Result<Found, Error> {
    let folder = tempfile::tempdir().expect("folder");
    fs::write(folder.path().join("nodes.json"), text).expect("write");
    let folder = folder.path().to_str().expect("text");
    let loaded = loaded(folder, cluster, "kind = \"node-list\"\npath = \"nodes.json\"");
    read(loaded.source().expect("a source"), format, None).await.map_err(|error| without(&error, folder))
}

/// What a node list makes.
pub(crate) async fn topology(text: &str, cluster: &str, format: &ProviderFormat) -> Result<Topology, Error> {
    let found = found(text, cluster, format).await?;
    loaded("here", cluster, "kind = \"node-list\"\npath = \"nodes.json\"").topology_of(format.name, found)
}

/// The same error with the folder left out of its message.
fn without(error: &Error, folder: &str) -> Error {
    let plain = Error::new(error.kind(), error.message().replace(&format!("{folder}/"), ""));
    plain.help(error.get("help").unwrap_or_default())
}

/// A node as the API server shows it, cut down to what could matter.
pub(crate) fn node(name: &str, spec: &str, addresses: &[(&str, &str)]) -> String {
    let mut list = String::new();
    for (kind, address) in addresses {
        let comma = if list.is_empty() { "" } else { "," };
        let _ = write!(list, r#"{comma}{{"type":"{kind}","address":"{address}"}}"#);
    }
    format!(
        r#"{{"apiVersion":"v1","kind":"Node","metadata":{{"name":"{name}","labels":{{"a":"b"}}}},"spec":{{{spec}}},
            "status":{{"addresses":[{list}],"images":[{{"names":["x"],"sizeBytes":5}}]}}}}"#
    )
}

pub(crate) fn list(nodes: &[String]) -> String {
    format!(r#"{{"apiVersion":"v1","items":[{}],"kind":"List","metadata":{{"resourceVersion":""}}}}"#, nodes.join(","))
}

pub(crate) fn cidr(text: &str) -> String {
    format!(r#""podCIDR":"{text}","podCIDRs":["{text}"]"#)
}
