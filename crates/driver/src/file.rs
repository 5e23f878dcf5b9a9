//! The topology file as serde sees it, without the providers' sections.
//!
//! Every key is optional here although some are required: the environment may still give what the file leaves out, and a
//! missing key should be told together with all other faults, not as the first thing that stopped a derive. Providers'
//! sections are absent on purpose: they are read by whoever knows them, through [`crate::ProviderFormat`].

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
}

/// One `[[worker]]` table.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct WorkerTable {
    pub(crate) name: Option<String>,
    pub(crate) pod_cidr: Option<OneOrMany>,
    pub(crate) address: Option<OneOrMany>,
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
