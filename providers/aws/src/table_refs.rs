//! How a topology names a route table.
//!
//! The visitors are written by hand: an untagged enum would answer every slip with "did not match any variant", and it
//! would read into a buffer that knows neither positions nor unknown keys.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::settings::is_id;

/// One way of naming one route table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableRef {
    /// By id: `"rtb-…"`.
    Id(String),
    /// By its `Name` tag: `{ name = "…" }`.
    Name(String),
    /// By tags, all of which it has: `{ tag = { … } }`.
    Tags(BTreeMap<String, String>),
    /// The main table of a VPC: `{ vpc = "vpc-…" }`.
    Vpc(String),
    /// The table that serves a subnet: `{ subnet = "subnet-…" }`.
    Subnet(String),
    /// By the `CloudFormation` export that holds its id: `{ export = "…" }`.
    Export(String),
    /// Every table that serves a worker: `"associated"`. It stands alone.
    Associated,
}

impl fmt::Display for TableRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => f.write_str(id),
            Self::Name(name) => write!(f, "{{ name = {name:?} }}"),
            Self::Tags(tags) => {
                let pairs: Vec<String> = tags.iter().map(|(key, value)| format!("{key:?} = {value:?}")).collect();
                write!(f, "{{ tag = {{ {} }} }}", pairs.join(", "))
            }
            Self::Vpc(id) => write!(f, "{{ vpc = {id:?} }}"),
            Self::Subnet(id) => write!(f, "{{ subnet = {id:?} }}"),
            Self::Export(export) => write!(f, "{{ export = {export:?} }}"),
            Self::Associated => f.write_str("\"associated\""),
        }
    }
}

const KEYS: &[&str] = &["name", "tag", "export", "vpc", "subnet"];
const FORMS: &str = "`\"rtb-…\"`, `{ name = \"…\" }`, `{ tag = { … } }`, `{ export = \"…\" }`, `{ vpc = \"vpc-…\" }`, \
    `{ subnet = \"subnet-…\" }` or `\"associated\"`";

/// Why a list cannot hold [`TableRef::Associated`] and more: it means every table of use already, and in which VPC is
/// known from the workers alone.
pub(crate) const ASSOCIATED_ALONE: &str = "`\"associated\"` stands alone; it cannot be listed with other route tables";

fn id<E: de::Error>(prefix: &str, what: &str, text: &str) -> Result<String, E> {
    if is_id(prefix, text) {
        return Ok(text.to_owned());
    }
    Err(E::custom(format!("`{}` is no {what} id; one looks like `{prefix}-0123456789abcdef0`", text.escape_debug())))
}

fn filled<E: de::Error>(key: &str, text: String) -> Result<String, E> {
    if text.is_empty() { Err(E::custom(format!("`{key}` is empty"))) } else { Ok(text) }
}

struct One;

impl<'de> Visitor<'de> for One {
    type Value = TableRef;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a route table: {FORMS}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<TableRef, E> {
        if text == "associated" {
            return Ok(TableRef::Associated);
        }
        match id("rtb", "route table", text) {
            Ok(id) => Ok(TableRef::Id(id)),
            Err(error) if text.starts_with("rtb-") => Err(error),
            Err(_) => Err(E::custom(format!(
                "`{}` is no route table id, which begins with `rtb-`; a table is named by {FORMS}",
                text.escape_debug()
            ))),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TableRef, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            if found.is_some() {
                return Err(de::Error::custom(format!("a route table is named by one key; `{key}` is a second")));
            }
            found = Some(match key.as_str() {
                "name" => TableRef::Name(filled(&key, map.next_value()?)?),
                "tag" => {
                    let tags: BTreeMap<String, String> = map.next_value()?;
                    if tags.is_empty() {
                        return Err(de::Error::custom("`tag` is empty; it takes keys and values of tags"));
                    }
                    TableRef::Tags(tags)
                }
                "vpc" => TableRef::Vpc(id("vpc", "VPC", &map.next_value::<String>()?)?),
                "subnet" => TableRef::Subnet(id("subnet", "subnet", &map.next_value::<String>()?)?),
                "export" => TableRef::Export(filled(&key, map.next_value()?)?),
                _ => return Err(de::Error::unknown_field(&key, KEYS)),
            });
        }
        found.ok_or_else(|| de::Error::custom(format!("a route table is named by {FORMS}")))
    }
}

impl<'de> Deserialize<'de> for TableRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(One)
    }
}

struct OneOrMany;

impl<'de> Visitor<'de> for OneOrMany {
    type Value = Vec<TableRef>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a route table or a list of them: {FORMS}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<TableRef>, E> {
        One.visit_str(text).map(|table| vec![table])
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<TableRef>, A::Error> {
        One.visit_map(map).map(|table| vec![table])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<TableRef>, A::Error> {
        let mut tables: Vec<TableRef> = Vec::new();
        while let Some(table) = items.next_element()? {
            if tables.contains(&table) {
                return Err(de::Error::custom(format!("route table `{table}` is listed twice")));
            }
            tables.push(table);
        }
        if tables.len() > 1 && tables.contains(&TableRef::Associated) {
            return Err(de::Error::custom(ASSOCIATED_ALONE));
        }
        if tables.is_empty() {
            return Err(de::Error::custom(format!("the list is empty; a route table is named by {FORMS}")));
        }
        Ok(tables)
    }
}

/// Reads one table or a list of them. A list is never empty.
pub(crate) fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<TableRef>, D::Error> {
    deserializer.deserialize_any(OneOrMany)
}
