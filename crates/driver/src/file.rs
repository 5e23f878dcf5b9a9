//! The topology file as serde sees it, without the providers' sections.
//!
//! Every key is optional here although some are required: the environment may still give what the file leaves out, and a
//! missing key should be told together with all other faults, not as the first thing that stopped a derive. Providers'
//! sections are absent on purpose: they are read by whoever knows them, through [`crate::ProviderFormat`].

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{SeqAccess, Visitor};

/// The `[cluster]` table.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ClusterTable {
    pub(crate) name: Option<String>,
    pub(crate) pod_cidr: Option<OneOrMany>,
    pub(crate) service_cidr: Option<OneOrMany>,
    pub(crate) node_prefix: Option<Lengths>,
}

/// One `[[worker]]` table.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct WorkerTable {
    pub(crate) name: Option<String>,
    pub(crate) pod_cidr: Option<OneOrMany>,
    pub(crate) address: Option<OneOrMany>,
}

/// The `[source]` table: the keys of every kind, because one type that knows them all can say whose a misplaced one is.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct SourceTable {
    pub(crate) kind: Option<Kind>,
    pub(crate) path: Option<String>,
    pub(crate) context: Option<String>,
    pub(crate) selector: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) tags: Option<BTreeMap<String, String>>,
    pub(crate) labels: Option<BTreeMap<String, String>>,
    pub(crate) pod_cidr: Option<Range>,
}

/// The kinds of sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    NodeList,
    Kubernetes,
    Cloud,
}

/// Where a machine of the cloud gets its range from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Range {
    Instance,
    NodePrefix,
}

/// A prefix length, or a list of them.
#[derive(Debug, Default)]
pub(crate) struct Lengths(pub(crate) Vec<u8>);

impl<'de> Deserialize<'de> for Lengths {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers;

        impl<'de> Visitor<'de> for Numbers {
            type Value = Lengths;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a prefix length such as `24`, or a list of them")
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Lengths, E> {
                match u8::try_from(number) {
                    Ok(length) => Ok(Lengths(vec![length])),
                    Err(_) => Err(E::invalid_value(serde::de::Unexpected::Signed(number), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Lengths, A::Error> {
                let mut lengths = Vec::new();
                while let Some(length) = items.next_element()? {
                    lengths.push(length);
                }
                Ok(Lengths(lengths))
            }
        }

        // Asked for a number, the reader takes text from the environment for the number that it spells.
        deserializer.deserialize_u8(Numbers)
    }
}

/// A string, or a list of strings.
#[derive(Debug, Default)]
pub(crate) struct OneOrMany(pub(crate) Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;

        impl<'de> Visitor<'de> for Texts {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of strings")
            }

            fn visit_str<E>(self, text: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<OneOrMany, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = items.next_element()? {
                    texts.push(text);
                }
                Ok(OneOrMany(texts))
            }
        }

        deserializer.deserialize_any(Texts)
    }
}
