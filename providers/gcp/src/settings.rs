//! The `[gcp]` table of a topology, and `gcp` inside a worker's table.
//!
//! Plain serde types that any format can be read into. They depend on nothing that reads files, so that the crate that
//! does need not know Google Cloud. What is missing is judged only when the provider is opened, since the environment
//! may give it, and there the form of names is judged too: Google answers a malformed one with a page of HTML or with
//! "not found", neither of which says which key of the topology is wrong.

use std::fmt;
use std::time::Duration;

use kroutes_core::{Error, ErrorKind, MachineRef, Result};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

use crate::links;
use crate::names::Template;

/// The variable with which gcloud is told its project.
const PROJECT: &str = "CLOUDSDK_CORE_PROJECT";
/// The variable with which gcloud is told where Compute Engine is.
const ENDPOINT: &str = "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE";

/// The `[gcp]` table of a topology.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct GcpSettings {
    /// The project's id; without one, `CLOUDSDK_CORE_PROJECT`. In a Shared VPC, the host project: routes are its.
    #[serde(default)]
    pub project: Option<String>,
    /// The VPC network: its name, or a link to it. Required, which is judged when the provider is opened.
    #[serde(default)]
    pub network: Option<String>,
    /// How route names are made. Default `{cluster}-route-{destination}`.
    #[serde(default)]
    pub route_name: Template,
    /// The priority of our routes, 0 to 65535; the lower one wins. Default 1000, which is Compute Engine's own ("Static
    /// routes", VPC documentation).
    #[serde(default = "priority", deserialize_with = "sixteen_bits")]
    pub priority: u32,
    /// Where Compute Engine is, if not at Google's; without one, `CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE`.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Whether the endpoint may be plain http on another machine, where anybody on the way can read the token.
    #[serde(default)]
    pub plain_http: bool,
    /// How many static routes the network may hold: the quota `STATIC_ROUTES_PER_NETWORK`, which Google shows per project
    /// only ("Quotas and limits", VPC documentation). Without one, plans do not warn.
    #[serde(default)]
    pub routes_limit: Option<u32>,
    /// How long a write is followed until Compute Engine has finished it, in seconds, at least 1. Default 300.
    #[serde(default = "operation_timeout")]
    pub operation_timeout: u64,
}

const fn priority() -> u32 {
    1000
}

const fn operation_timeout() -> u64 {
    300
}

fn sixteen_bits<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<u32, D::Error> {
    deserializer.deserialize_u32(SixteenBits)
}

/// The number is judged inside the visitor, so that a mistake is reported at the value and not at the table around it.
struct SixteenBits;

impl SixteenBits {
    fn judge<E: de::Error>(number: impl TryInto<u16> + Copy + fmt::Display) -> std::result::Result<u32, E> {
        let judged = number.try_into().map(u32::from);
        judged.map_err(|_| E::custom(format!("a priority is a number from 0 to 65535, and this is {number}")))
    }
}

impl Visitor<'_> for SixteenBits {
    type Value = u32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number from 0 to 65535")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> std::result::Result<u32, E> {
        Self::judge(number)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> std::result::Result<u32, E> {
        Self::judge(number)
    }
}

impl Default for GcpSettings {
    fn default() -> Self {
        Self {
            project: None,
            network: None,
            route_name: Template::default(),
            priority: priority(),
            endpoint: None,
            plain_http: false,
            routes_limit: None,
            operation_timeout: operation_timeout(),
        }
    }
}

/// The settings with everything filled in and judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The project's id.
    pub project: String,
    /// The network's name alone.
    pub network: String,
    /// Where Compute Engine is, if not at Google's.
    pub endpoint: Option<String>,
    /// Whether it may be plain http on another machine.
    pub plain_http: bool,
    /// How route names are made.
    pub template: Template,
    /// The priority of our routes.
    pub priority: u32,
    /// How many static routes the network may hold, if that is known.
    pub routes_limit: Option<u32>,
    /// How long a write is followed.
    pub operation_timeout: Duration,
}

impl Resolved {
    /// The network's path, from `projects/` on.
    pub(crate) fn network_path(&self) -> String {
        links::network_path(&self.project, &self.network)
    }
}

impl GcpSettings {
    /// Fills in what the environment gives, and judges the whole. An empty variable is none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] for what is missing or malformed, with the key to write.
    pub fn resolve(&self, variable: &dyn Fn(&str) -> Option<String>) -> Result<Resolved> {
        let given = |key: &Option<String>, name: &str| {
            key.clone().or_else(|| variable(name).filter(|value| !value.trim().is_empty()))
        };
        let project = given(&self.project, PROJECT).ok_or_else(|| {
            invalid("the topology names no Google Cloud project".to_owned()).help(format!(
                "add `project = \"…\"` to the `[gcp]` table of the topology, or set `KROUTES_TOPOLOGY__GCP__PROJECT` or `{PROJECT}`"
            ))
        })?;
        judge_project(&project)?;
        let network = self.network.as_deref().ok_or_else(|| {
            invalid("the topology names no VPC network".to_owned()).help(
                "add `network = \"…\"` to the `[gcp]` table of the topology, or set `KROUTES_TOPOLOGY__GCP__NETWORK`",
            )
        })?;
        let network = network_name(network, &project)?;
        if self.routes_limit == Some(0) {
            return Err(invalid("`routes-limit` is 0, with which no route could ever be made".to_owned())
                .help("leave it out, or write the quota `STATIC_ROUTES_PER_NETWORK` that your project has"));
        }
        if self.operation_timeout == 0 {
            return Err(invalid(
                "`operation-timeout` is 0 seconds, in which no write could ever be finished".to_owned(),
            )
            .help("leave it out for 300, or write at least 1"));
        }
        Ok(Resolved {
            project,
            network,
            endpoint: given(&self.endpoint, ENDPOINT),
            plain_http: self.plain_http,
            template: self.route_name.clone(),
            priority: self.priority,
            routes_limit: self.routes_limit,
            operation_timeout: Duration::from_secs(self.operation_timeout),
        })
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::Invalid, message)
}

/// Ids are 6 to 30 characters for people's projects, but Google's own and domain-scoped ones (`example.com:p`) are not,
/// so only what could not be part of a path is refused.
fn judge_project(project: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | ':' | '-');
    if project.starts_with(|c: char| c.is_ascii_lowercase()) && project.chars().all(allowed) {
        return Ok(());
    }
    let shown = project.escape_debug();
    let error = invalid(format!("`{shown}` is no Google Cloud project id"));
    Err(if !project.is_empty() && project.chars().all(|c| c.is_ascii_digit()) {
        error.help("this looks like a project number; write the id, which `gcloud projects list` shows beside it")
    } else {
        error.help(
            "an id looks like `my-project-123456`: lower-case letters, digits and dashes, and it begins with a letter",
        )
    })
}

fn network_name(text: &str, project: &str) -> Result<String> {
    let shown = text.escape_debug();
    let name = if text.contains('/') {
        let parts: Vec<&str> = links::path(text).split('/').collect();
        match parts.as_slice() {
            ["projects", owner, "global", "networks", name] if *owner == project => *name,
            ["projects", owner, "global", "networks", _] => {
                return Err(invalid(format!(
                    "network `{shown}` is in project `{}`, not in `{project}`",
                    owner.escape_debug()
                ))
                .help("a network's routes are in its own project: set `project` in `[gcp]` to that one, in a Shared VPC the host project"));
            }
            ["global", "networks", name] => *name,
            _ => {
                return Err(invalid(format!("`{shown}` is no link to a VPC network"))
                    .help("write the network's name, or `projects/PROJECT/global/networks/NAME`"));
            }
        }
    } else {
        text
    };
    if is_name(name) {
        return Ok(name.to_owned());
    }
    Err(invalid(format!("`{shown}` is no name of a VPC network"))
        .help("a name has 1 to 63 lower-case letters, digits and dashes, and begins with a letter; `gcloud compute networks list` shows them"))
}

/// Whether Compute Engine could call a resource so (RFC 1035, as "Naming resources" has it).
pub(crate) fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.chars().all(allowed)
}

/// How a topology names a worker's instance.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InstanceRef {
    /// By name, wherever in the network: `"NAME"`.
    Name(String),
    /// By zone and name: `"ZONE/NAME"`.
    Zoned(String),
}

/// The `gcp` table inside a worker's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct GcpWorker {
    /// The instance; without one, the instance that has the worker's address or else its name.
    #[serde(default)]
    pub instance: Option<InstanceRef>,
}

impl GcpWorker {
    /// How Compute Engine is asked for the instance, where the topology says.
    pub fn machine(self) -> Option<MachineRef> {
        self.instance.map(|instance| match instance {
            InstanceRef::Name(name) => MachineRef::Name(name),
            InstanceRef::Zoned(key) => MachineRef::Id(key),
        })
    }
}

struct OneInstance;

impl Visitor<'_> for OneInstance {
    type Value = InstanceRef;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an instance: `\"NAME\"` or `\"ZONE/NAME\"`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<InstanceRef, E> {
        match text.split_once('/') {
            None if is_name(text) => Ok(InstanceRef::Name(text.to_owned())),
            Some((zone, name)) if is_name(zone) && is_name(name) => Ok(InstanceRef::Zoned(text.to_owned())),
            _ => Err(E::custom(format!(
                "`{}` is no instance; one is named by `\"NAME\"` or `\"ZONE/NAME\"`, such as `\"us-west1-a/worker-0\"`",
                text.escape_debug()
            ))),
        }
    }
}

impl<'de> Deserialize<'de> for InstanceRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_str(OneInstance)
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
