//! The `[aws]` table of a topology, and `aws` inside a worker's table.
//!
//! Plain serde types that any format can be read into. They depend on nothing that reads files, so that the crate that
//! does need not know AWS. The form of ids is judged here, where the mistake was made, since EC2 answers a malformed id
//! with a code, and an id of another region with silence.

use std::fmt;

use kroutes_core::{Error, ErrorKind, MachineRef, Result};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::table_refs::{ASSOCIATED_ALONE, TableRef, one_or_many};

/// What to do about EC2's source/dest check, which drops packets that are not addressed to the instance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceDestCheck {
    /// Switch it off for every worker.
    #[default]
    Off,
    /// Leave it as it is. Where it is on, that is still told.
    Leave,
}

/// The `[aws]` table of a topology.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AwsSettings {
    /// The region; without one, the SDK's own chain decides.
    #[serde(default)]
    pub region: Option<String>,
    /// The tables to write to. Required, which is judged when the provider is opened: the environment may give it.
    #[serde(default, deserialize_with = "one_or_many")]
    pub route_table: Vec<TableRef>,
    /// How many non-propagated routes of one family a table holds. Default 500, which is EC2's own since June 2025
    /// ("Amazon VPC quotas"; adjustable to 1,000).
    #[serde(default = "routes_limit")]
    pub routes_limit: u32,
    /// What to do about the source/dest check.
    #[serde(default)]
    pub source_dest_check: SourceDestCheck,
    /// Where EC2 is, if not where the SDK thinks. On this machine `CloudFormation` is taken to be there too.
    #[serde(default)]
    pub endpoint_url: Option<String>,
    /// Whether the endpoint may be plain http on another machine, which anybody on the way can read and change.
    #[serde(default)]
    pub plain_http: bool,
}

const fn routes_limit() -> u32 {
    500
}

impl Default for AwsSettings {
    fn default() -> Self {
        Self {
            region: None,
            route_table: Vec::new(),
            routes_limit: routes_limit(),
            source_dest_check: SourceDestCheck::Off,
            endpoint_url: None,
            plain_http: false,
        }
    }
}

impl AwsSettings {
    /// What cannot be judged key by key.
    pub(crate) fn check(&self) -> Result<()> {
        if self.route_table.is_empty() {
            return Err(Error::new(ErrorKind::Invalid, "the topology names no route table").help(
                "add `route-table` to the `[aws]` table of the topology: `route-table = { name = \"…\" }` for its Name tag, or `\"rtb-…\"`",
            ));
        }
        if self.route_table.len() > 1 && self.route_table.contains(&TableRef::Associated) {
            return Err(Error::new(ErrorKind::Invalid, ASSOCIATED_ALONE)
                .help("leave the others out: every table that serves a worker is written to anyway"));
        }
        if self.routes_limit == 0 {
            return Err(Error::new(ErrorKind::Invalid, "`routes-limit` is 0, with which no route could ever be made")
                .help("leave it out for EC2's own 500, or write the quota that your account has"));
        }
        if let Some(region) = &self.region
            && (region.is_empty() || !region.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'))
        {
            return Err(Error::new(ErrorKind::Invalid, format!("`{}` is no AWS region", region.escape_debug()))
                .help("a region looks like `us-west-2`"));
        }
        Ok(())
    }
}

/// How a topology names a worker's instance.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InstanceRef {
    /// By id: `"i-…"`.
    Id(String),
    /// By its `Name` tag: `{ name = "…" }`.
    Name(String),
    /// By the `CloudFormation` export that holds its id: `{ export = "…" }`.
    Export(String),
}

/// The `aws` table inside a worker's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AwsWorker {
    /// The instance; without one, the instance whose `Name` tag is the worker's name.
    #[serde(default)]
    pub instance: Option<InstanceRef>,
}

impl AwsWorker {
    /// How EC2 is asked for the instance, where the topology says.
    pub fn machine(self) -> Option<MachineRef> {
        self.instance.map(|instance| match instance {
            InstanceRef::Id(id) => MachineRef::Id(id),
            InstanceRef::Name(name) => MachineRef::Name(name),
            InstanceRef::Export(export) => MachineRef::Export(export),
        })
    }
}

const FORMS: &str = "`\"i-…\"`, `{ name = \"…\" }` or `{ export = \"…\" }`";

struct OneInstance;

impl<'de> Visitor<'de> for OneInstance {
    type Value = InstanceRef;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an instance: {FORMS}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<InstanceRef, E> {
        if is_id("i", text) {
            return Ok(InstanceRef::Id(text.to_owned()));
        }
        Err(E::custom(format!(
            "`{}` is no instance id; one looks like `i-0123456789abcdef0`, and a Name tag is written `{{ name = \"…\" }}`",
            text.escape_debug()
        )))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<InstanceRef, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            if found.is_some() {
                return Err(de::Error::custom(format!("an instance is named by one key; `{key}` is a second")));
            }
            let make = match key.as_str() {
                "name" => InstanceRef::Name,
                "export" => InstanceRef::Export,
                _ => return Err(de::Error::unknown_field(&key, &["name", "export"])),
            };
            let text: String = map.next_value()?;
            if text.is_empty() {
                return Err(de::Error::custom(format!("`{key}` is empty")));
            }
            found = Some(make(text));
        }
        found.ok_or_else(|| de::Error::custom(format!("an instance is named by {FORMS}")))
    }
}

impl<'de> Deserialize<'de> for InstanceRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(OneInstance)
    }
}

/// Whether a text has the form of an EC2 resource id: the prefix, then 8 hexadecimal digits (resources made before 2018)
/// or 17 ("Amazon EC2 resource IDs", EC2 User Guide).
pub(crate) fn is_id(prefix: &str, text: &str) -> bool {
    text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-')).is_some_and(|digits| {
        matches!(digits.len(), 8 | 17) && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(text: &str) -> Result<AwsSettings, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn every_form_of_a_route_table_reads() {
        let rows = [
            ("'rtb-0123456789abcdef0'", vec![TableRef::Id("rtb-0123456789abcdef0".into())]),
            ("{ name = 'kubernetes' }", vec![TableRef::Name("kubernetes".into())]),
            (
                "{ tag = { a = '1', 'b/c' = '' } }",
                vec![TableRef::Tags(BTreeMap::from([("a".into(), "1".into()), ("b/c".into(), String::new())]))],
            ),
            ("{ vpc = 'vpc-01234567' }", vec![TableRef::Vpc("vpc-01234567".into())]),
            ("{ export = 'hard-k8s-rtb' }", vec![TableRef::Export("hard-k8s-rtb".into())]),
            ("'associated'", vec![TableRef::Associated]),
            ("['associated']", vec![TableRef::Associated]),
            ("{ subnet = 'subnet-01234567' }", vec![TableRef::Subnet("subnet-01234567".into())]),
            ("['rtb-01234567', { name = 'b' }]", vec![TableRef::Id("rtb-01234567".into()), TableRef::Name("b".into())]),
        ];
        for (text, tables) in rows {
            assert_eq!(
                read(&format!("route-table = {text}")).map(|settings| settings.route_table),
                Ok(tables),
                "{text}"
            );
        }
    }

    #[test]
    fn a_wrong_form_says_what_is_right() {
        let rows = [
            ("'kubernetes'", "`kubernetes` is no route table id, which begins with `rtb-`; a table is named by"),
            ("'rtb-12'", "`rtb-12` is no route table id; one looks like `rtb-0123456789abcdef0`"),
            ("'Associated'", "`Associated` is no route table id"),
            ("['associated', 'rtb-01234567']", "`\"associated\"` stands alone"),
            ("{ export = '' }", "`export` is empty"),
            ("{ name = 'a', vpc = 'vpc-01234567' }", "named by one key; `vpc` is a second"),
            ("{ nme = 'a' }", "unknown field `nme`, expected one of `name`, `tag`, `export`, `vpc`, `subnet`"),
            ("{ name = '' }", "`name` is empty"),
            ("{ tag = {} }", "`tag` is empty"),
            ("{ vpc = 'rtb-01234567' }", "`rtb-01234567` is no VPC id"),
            ("{}", "a route table is named by"),
            ("[]", "the list is empty"),
            ("['rtb-01234567', 'rtb-01234567']", "listed twice"),
            ("7", "a route table or a list of them"),
        ];
        for (text, expected) in rows {
            let error = read(&format!("route-table = {text}")).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn absent_keys_have_defaults_and_a_missing_table_says_which_key_to_write() {
        let settings = read("").expect("empty");
        assert_eq!(settings, AwsSettings::default());
        assert_eq!((settings.routes_limit, settings.source_dest_check), (500, SourceDestCheck::Off));
        let error = settings.check().expect_err("no table");
        assert!(error.get("help").is_some_and(|help| help.contains("`route-table`")), "{error:?}");
    }

    #[test]
    fn the_config_crate_reads_the_same_settings() {
        let text =
            "region = 'eu-west-1'\nroutes-limit = 1000\nsource-dest-check = 'leave'\nroute-table = { name = 'x' }";
        let layered = config::Config::builder()
            .add_source(config::File::from_str(text, config::FileFormat::Toml))
            .build()
            .expect("built")
            .try_deserialize::<AwsSettings>()
            .expect("read");
        assert_eq!(Ok(layered), read(text));
    }

    #[test]
    fn a_worker_names_its_instance_by_id_name_or_export() {
        let machine = |text: &str| toml::from_str::<AwsWorker>(text).map(AwsWorker::machine);
        let id = "i-0123456789abcdef0";
        assert_eq!(machine(&format!("instance = '{id}'")).expect("id"), Some(MachineRef::Id(id.to_owned())));
        let named = machine("instance = { name = 'a' }").expect("name");
        assert_eq!(named, Some(MachineRef::Name("a".to_owned())));
        let exported = machine("instance = { export = 'hard-k8s-worker-0' }").expect("export");
        assert_eq!(exported, Some(MachineRef::Export("hard-k8s-worker-0".to_owned())));
        assert_eq!(machine("").expect("none"), None);
        for (text, expected) in [
            ("instance = 'worker-0'", "a Name tag is written"),
            ("instance = { export = '' }", "`export` is empty"),
            ("instance = { export = 'x', name = 'y' }", "`name` is a second"),
            ("instance = { id = 'x' }", "unknown field `id`"),
        ] {
            let error = machine(text).expect_err(text).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_region_has_the_form_of_one() {
        for region in ["", "us west", "us-west-2.example.com"] {
            let settings = AwsSettings {
                region: Some(region.to_owned()),
                route_table: vec![TableRef::Name("x".to_owned())],
                ..AwsSettings::default()
            };
            assert!(settings.check().is_err(), "{region}");
        }
    }
}
