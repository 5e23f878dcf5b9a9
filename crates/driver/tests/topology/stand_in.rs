//! A provider that is none: its tables have every form that a real one's have, so that the loader is tried on all of
//! them without knowing any provider.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

use kroutes_core::{MachineRef, NodeId};
use kroutes_driver::{Diagnostics, Loaded, ProviderFormat, Section, load};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Settings {
    pub(crate) region: Option<String>,
    pub(crate) route_table: Tables,
    pub(crate) routes_limit: Option<u32>,
    pub(crate) source_dest_check: Option<Check>,
    pub(crate) endpoint_url: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Check {
    Off,
    Leave,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Tables(pub(crate) Vec<Table>);

#[derive(Debug, PartialEq)]
pub(crate) enum Table {
    Id(String),
    By(Lookup),
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Lookup {
    Name(String),
    Tag(BTreeMap<String, String>),
    Vpc(String),
    Subnet(String),
}

struct OneTable;

impl<'de> Visitor<'de> for OneTable {
    type Value = Table;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a route table's id or a table such as `{ name = \"kubernetes\" }`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Table, E> {
        if text.starts_with("rtb-") {
            return Ok(Table::Id(text.to_owned()));
        }
        Err(E::custom(format!("`{text}` is not the id of a route table")))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Table, A::Error> {
        Lookup::deserialize(MapAccessDeserializer::new(map)).map(Table::By)
    }
}

impl<'de> Deserialize<'de> for Table {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneTable)
    }
}

impl<'de> Deserialize<'de> for Tables {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Tables;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                OneTable.expecting(f)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Tables, E> {
                OneTable.visit_str(text).map(|table| Tables(vec![table]))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Tables, A::Error> {
                OneTable.visit_map(map).map(|table| Tables(vec![table]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tables, A::Error> {
                let mut tables = Vec::new();
                while let Some(table) = items.next_element()? {
                    tables.push(table);
                }
                Ok(Tables(tables))
            }
        }

        deserializer.deserialize_any(All)
    }
}

#[derive(Debug, Deserialize)]
struct Machine {
    instance: Option<Instance>,
}

#[derive(Debug)]
struct Instance(MachineRef);

impl<'de> Deserialize<'de> for Instance {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Instance;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an instance's id or `{ name = … }`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Instance, E> {
                Ok(Instance(MachineRef::Id(text.to_owned())))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Instance, A::Error> {
                match map.next_key::<String>()?.as_deref() {
                    Some("name") => map.next_value().map(|name| Instance(MachineRef::Name(name))),
                    Some(other) => Err(A::Error::unknown_field(other, &["name"])),
                    None => Err(A::Error::missing_field("name")),
                }
            }
        }

        deserializer.deserialize_any(Either)
    }
}

#[derive(Debug, Deserialize)]
struct Anything {}

/// `aws`, by instance; `metal`, by address.
pub(crate) const FORMATS: [ProviderFormat; 2] = [
    ProviderFormat {
        name: "aws",
        section: Section::check::<Settings>,
        worker: |section| Ok(section.read::<Machine>()?.instance.map(|instance| instance.0)),
        needs_address: false,
        node: |id| match id.rsplit_once('/') {
            Some((head, machine)) if head.starts_with("aws://") && machine.starts_with("i-") => {
                NodeId::Machine(MachineRef::Id(machine.to_owned()))
            }
            Some((head, _)) if head.starts_with("aws://") => NodeId::NotAMachine("no instance"),
            _ => NodeId::OtherCloud,
        },
    },
    ProviderFormat {
        name: "metal",
        section: Section::check::<Anything>,
        worker: |section| section.read::<Anything>().map(|_| None),
        needs_address: true,
        node: |_| NodeId::OtherCloud,
    },
];

pub(crate) const RESERVED: [&str; 2] = ["gcp", "linux"];

pub(crate) fn load_with(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, Diagnostics> {
    let environment = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    load(text, "kroutes.toml", &FORMATS, &RESERVED, environment)
}

pub(crate) fn load_text(text: &str) -> Result<Loaded, Diagnostics> {
    load_with(text, &[])
}

/// What a person sees.
pub(crate) fn said(result: Result<Loaded, Diagnostics>) -> String {
    result.expect_err("this topology is wrong").render(false)
}

/// Twenty lines that are right.
pub(crate) const GOOD: &str = r#"[cluster]
name = "kubernetes"
pod-cidr = "10.200.0.0/16"

[aws]
region = "us-west-2"
route-table = { name = "kubernetes" }

[[worker]]
name = "worker-0"
pod-cidr = "10.200.0.0/24"
address = "10.240.0.20"

[[worker]]
name = "worker-1"
pod-cidr = "10.200.1.0/24"
"#;
