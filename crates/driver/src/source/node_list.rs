//! The JSON of `kubectl get nodes -o json`.
//!
//! A node's object is a dozen kilobytes, nearly all of it images and managed fields; five thousand of them are 60 MB, of
//! which this needs one. So nothing is kept that is not asked for: serde passes over the rest without building
//! it. `List` is what kubectl makes of several objects, `NodeList` what the API server answers, and a single `Node` what
//! `kubectl get node NAME` prints.
//!
//! A list that is not whole is no list. An end in mid-object, or the mark of a further page, is an error: the nodes that are
//! missing would look as if they were gone.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use kroutes_core::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Node;

/// How to get what this reads.
const HELP: &str = "write it with `kubectl get nodes -o json`";

/// The nodes of 40,000 machines take less.
const LARGEST: u64 = 512 * 1024 * 1024;

/// One page of nodes.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) nodes: Vec<Node>,
    /// Where the next page begins, if there is one.
    pub(super) next: Option<String>,
}

/// Reads a file, or standard input for `-`.
pub(super) fn read(path: &Path) -> Result<Vec<Node>> {
    let (name, bytes) = if path == Path::new("-") {
        ("<stdin>".to_owned(), bytes(io::stdin().lock(), 0))
    } else {
        (path.display().to_string(), open(path))
    };
    let bytes = bytes.map_err(|error| unreadable(&name, error))?;
    if bytes.len() as u64 > LARGEST {
        let message = format!("`{name}` is larger than {} MiB, which no node list is", LARGEST / 1024 / 1024);
        return Err(Error::new(ErrorKind::Invalid, message).help(HELP));
    }
    nodes(&bytes, &name)
}

fn open(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    bytes(file, length)
}

fn bytes(reader: impl Read, expected: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(expected.min(LARGEST)).unwrap_or(0) + 1);
    reader.take(LARGEST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(name: &str, error: io::Error) -> Error {
    let (kind, message) = match error.kind() {
        io::ErrorKind::NotFound => (ErrorKind::NotFound, format!("no such file: `{name}`")),
        io::ErrorKind::PermissionDenied => {
            (ErrorKind::PermissionDenied, format!("`{name}` may not be read: permission denied"))
        }
        io::ErrorKind::IsADirectory => (ErrorKind::Invalid, format!("`{name}` is a directory, not a node list")),
        _ => (ErrorKind::Unexpected, format!("`{name}` cannot be read: {error}")),
    };
    Error::new(kind, message).with_source(error).help(HELP)
}

/// Every node of a complete list.
pub(super) fn nodes(bytes: &[u8], name: &str) -> Result<Vec<Node>> {
    let page = page(bytes, name)?;
    if page.next.is_some() {
        let message = format!("`{name}` is one page of a longer list: its `metadata.continue` is set");
        return Err(Error::new(ErrorKind::Invalid, message).help(HELP));
    }
    Ok(page.nodes)
}

/// The nodes of a list that may go on.
pub(super) fn page(bytes: &[u8], name: &str) -> Result<Page> {
    let invalid = |message: String| Error::new(ErrorKind::Invalid, message).help(HELP);
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Some(what) = no_json(bytes) {
        return Err(invalid(format!("`{name}` {what}")));
    }
    let document: Object = serde_json::from_slice(bytes).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        match error.classify() {
            serde_json::error::Category::Eof => {
                invalid(format!("`{name}` ends in the middle, at {place}: it is not complete"))
            }
            // Another kind's fields may have the names of a node's and other contents.
            serde_json::error::Category::Data => match other_kind(bytes) {
                Some(kind) => invalid(format!("`{name}` has {kind}, no nodes")),
                None => invalid(format!("`{name}` is no node list: {}", plain(&error))),
            },
            _ => invalid(format!("`{name}` is not JSON: {}", plain(&error))),
        }
    })?;
    let items = document.items.as_ref().map(|items| items.iter().map(|item| item.kind.as_deref()));
    if let Some(kind) = stranger(document.kind.as_deref(), items) {
        return Err(invalid(format!("`{name}` has {kind}, no nodes")));
    }
    if document.items.is_none() && document.kind.as_deref() != Some("Node") {
        return Err(invalid(format!("`{name}` is no node list: it has no `items`")));
    }
    let next = document.metadata.as_ref().and_then(|metadata| metadata.next.clone());
    Ok(Page {
        next: next.filter(|next| !next.is_empty()),
        nodes: match document.items {
            Some(items) => items.into_iter().map(Node::from).collect(),
            None => vec![Node::from(document)],
        },
    })
}

/// What a text obviously is if it is no JSON object.
fn no_json(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Some("is UTF-16 text, as PowerShell's `>` writes it; save it as UTF-8");
    }
    let text = bytes.trim_ascii_start();
    let begins = |head: &[u8]| text.starts_with(head);
    match text.first() {
        None => Some("is empty"),
        Some(b'{') => None,
        _ if [&b"apiVersion:"[..], b"kind:", b"items:", b"---", b"- ", b"#", b"%YAML"].into_iter().any(begins) => {
            Some("is YAML, not JSON")
        }
        _ if begins(b"NAME ") => Some("is the table that `kubectl` prints, not JSON"),
        _ => Some("is not JSON: it does not begin with `{`"),
    }
}

/// serde's sentence, which may repeat a text of the file, with nothing in it that moves a cursor.
fn plain(error: &serde_json::Error) -> String {
    error.to_string().chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// A list, or what is in it: one type, because a single node stands where a list would.
#[derive(Deserialize)]
struct Object {
    kind: Option<String>,
    metadata: Option<Metadata>,
    spec: Option<Spec>,
    status: Option<Status>,
    items: Option<Vec<Object>>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    name: Option<String>,
    #[serde(rename = "deletionTimestamp")]
    deleted: Option<IgnoredAny>,
    #[serde(rename = "continue")]
    next: Option<String>,
}

#[derive(Default, Deserialize)]
struct Spec {
    #[serde(rename = "podCIDR")]
    pod_cidr: Option<String>,
    #[serde(rename = "podCIDRs")]
    pod_cidrs: Option<Vec<String>>,
    #[serde(rename = "providerID")]
    provider_id: Option<String>,
}

#[derive(Default, Deserialize)]
struct Status {
    addresses: Option<Vec<Address>>,
}

#[derive(Deserialize)]
struct Address {
    r#type: Option<String>,
    address: Option<String>,
}

impl From<Object> for Node {
    fn from(object: Object) -> Self {
        let metadata = object.metadata.unwrap_or_default();
        let spec = object.spec.unwrap_or_default();
        let addresses = object.status.unwrap_or_default().addresses.unwrap_or_default();
        let internal = addresses.into_iter().filter(|one| one.r#type.as_deref() == Some("InternalIP"));
        // `podCIDR` is what there was before there were two families; the API server keeps it equal to the first.
        let pod_cidrs = match spec.pod_cidrs {
            Some(list) if !list.is_empty() => list,
            _ => spec.pod_cidr.into_iter().filter(|text| !text.is_empty()).collect(),
        };
        Self {
            name: metadata.name.unwrap_or_default(),
            provider_id: spec.provider_id,
            pod_cidrs,
            addresses: internal.filter_map(|one| one.address).collect(),
            leaving: metadata.deleted.is_some(),
        }
    }
}

/// The kinds alone, for a list that cannot be read as nodes.
#[derive(Deserialize)]
struct Kinds {
    kind: Option<String>,
    items: Option<Vec<Kinds>>,
}

/// The first kind that is not a node's, as a person would say it.
fn other_kind(bytes: &[u8]) -> Option<String> {
    let kinds: Kinds = serde_json::from_slice(bytes).ok()?;
    let items = kinds.items.as_ref().map(|items| items.iter().map(|item| item.kind.as_deref()));
    stranger(kinds.kind.as_deref(), items)
}

fn stranger<'a>(kind: Option<&'a str>, items: Option<impl Iterator<Item = Option<&'a str>>>) -> Option<String> {
    let other = |kind: &&str| *kind != "Node";
    let found = match (kind, items) {
        (Some("List" | "NodeList") | None, Some(items)) => items.flatten().find(other),
        (Some("List" | "NodeList") | None, None) => None,
        (Some(kind), Some(_)) => Some(kind.strip_suffix("List").unwrap_or(kind)),
        (Some(kind), None) => Some(kind).filter(other),
    };
    found.map(|kind| format!("objects of kind {}", crate::load::quoted(kind)))
}
