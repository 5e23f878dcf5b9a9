//! A plan in a file: what somebody has seen and agreed to, to be done later and nothing else.
//!
//! The file is never carried out. Whoever applies it observes and plans afresh, and the file then does two things: it
//! asserts that each of its changes is still the same change that saw the same routes, and it leaves out of the fresh plan
//! what is not in it. So nothing that stands in a file, damaged, forged or old, can make a write that a plan of this
//! moment would not make: the worst that a forger gets is a part of what `apply` would do anyway. The checksum is against
//! accidents and edits in good faith; it is no signature and need not be one.
//!
//! For the same reason what is compared is what was written down: the fresh plan is put into the words of the file, and the
//! words are compared. Nothing in a file is ever turned into a route.
//!
//! What is refused before that is told apart, since each has another remedy: no such file, another tool's, another version's,
//! one that ends too early, one that was changed.

mod compare;

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use kroutes_core::{Change, Finding, Fix, MaxDeletes, NextHop, Observation, ObservedRoute, Plan, TableId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::reconcile::table_in;
pub use compare::Moved;
pub(crate) use compare::{keep_what_is_in, recount};

/// The number that changes when the format does.
const FORMAT: u32 = 1;
/// What tells a saved plan from any other JSON.
const KIND: &str = "kroutes-plan";
/// The version that saves, and the only one that reads what it saved: another may decide otherwise.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A next hop: its kind, and its id.
type Hop = BTreeMap<String, String>;

/// A plan as it stands in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SavedPlan {
    format: u32,
    kind: String,
    kroutes: String,
    provider: String,
    lab: bool,
    cluster: String,
    topology: String,
    options: SavedOptions,
    tables: Vec<SavedTable>,
    fixes: Vec<SavedFix>,
    checksum: String,
}

/// How far the user let the plan go: options that an apply of it cannot change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SavedOptions {
    /// Also delete routes of ours that no worker wants.
    pub prune: bool,
    /// Replace foreign routes that hold a wanted destination.
    pub take_over: bool,
    /// What alone is looked at; everything without any.
    pub only: Vec<String>,
    /// How many routes that lead to something may be deleted or replaced.
    #[serde(with = "limit", default, skip_serializing_if = "Option::is_none")]
    pub max_deletes: Option<MaxDeletes>,
}

/// What a plan was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeFrom {
    /// The provider.
    pub provider: String,
    /// Whether the built-in cloud stood in for it.
    pub lab: bool,
    /// The cluster's name.
    pub cluster: String,
    /// The topology's digest, by [`Loaded::digest`](crate::Loaded::digest).
    pub topology: String,
    /// How far the user let it go.
    pub options: SavedOptions,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct SavedTable {
    table: String,
    /// Where it is. A network of the same name may be in another project.
    location: String,
    /// What becomes of its claim, in the word that JSON has for it: only one that somebody has seen is written.
    claim: String,
    changes: Vec<SavedChange>,
}

/// One change, and every route that its destination had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct SavedChange {
    action: String,
    destination: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    worker: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_hop: Option<Hop>,
    reason: String,
    /// What goes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    was: Vec<Entry>,
    /// What was there, whoever's it is.
    saw: Vec<Entry>,
}

/// A route by all that makes it the same entry of a table, as [`ObservedRoute::is_same_entry`] has it; in the order in
/// which they are sorted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Entry {
    precedence: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    next_hops: Vec<Hop>,
    marked: bool,
}

/// Something to be mended that is no route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct SavedFix {
    code: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    worker: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    table: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<Hop>,
}

/// Why a text is no plan that could be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unusable {
    /// It ends in the middle.
    Truncated,
    /// It is something else; what the reader stumbled over, where there is more to say.
    Foreign(Option<String>),
    /// Its format is another.
    Format(u64),
    /// Another version of kroutes saved it.
    Version(String),
    /// It says that it is a plan of this format, and is not.
    Damaged(String),
    /// It is not what was saved.
    Changed,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("it is truncated"),
            Self::Foreign(None) => f.write_str("it is no plan that kroutes has saved"),
            Self::Foreign(Some(why)) => write!(f, "it is no plan that kroutes has saved: {why}"),
            Self::Format(format) => write!(f, "its format is {format}, and this kroutes reads {FORMAT}"),
            Self::Version(version) => {
                write!(f, "kroutes {} has saved it, and this is kroutes {VERSION}", version.escape_debug())
            }
            Self::Damaged(why) => write!(f, "it is damaged: {why}"),
            Self::Changed => f.write_str("it was changed since it was saved"),
        }
    }
}

/// What is read of any file first, to say what it is.
#[derive(Deserialize)]
struct Heading {
    kind: Option<serde_json::Value>,
    format: Option<u64>,
    kroutes: Option<String>,
}

impl SavedPlan {
    /// A plan, and what it saw, as a file has it.
    pub fn new(made: MadeFrom, plan: &Plan, observation: &Observation) -> Self {
        let MadeFrom { provider, lab, cluster, topology, options } = made;
        let changes = |id: &TableId, changes: &[Change]| {
            let seen = Seen::of(observation, id);
            changes.iter().map(|change| SavedChange::of(change, &seen)).collect()
        };
        let tables = plan
            .readable()
            .map(|table| SavedTable {
                table: table.id.0.clone(),
                location: table.location.clone(),
                claim: table.claim.as_str().to_owned(),
                changes: changes(&table.id, &table.changes),
            })
            .collect();
        let fixes = plan.fixes().map(|(finding, fix)| SavedFix::of(finding, fix)).collect();
        let mut saved = Self {
            format: FORMAT,
            kind: KIND.to_owned(),
            kroutes: VERSION.to_owned(),
            provider,
            lab,
            cluster,
            topology,
            options,
            tables,
            fixes,
            checksum: String::new(),
        };
        saved.checksum = saved.sum();
        saved
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("plain data with text keys always serialises");
        text.push('\n');
        text
    }

    /// Whether this is a saved plan, or was one before something happened to it: of any version, cut off, edited.
    pub fn is_one(bytes: &[u8]) -> bool {
        let kind = |heading: Heading| heading.kind.is_some_and(|kind| kind == KIND);
        let begins_like_one = || {
            let beginning = bytes.iter().filter(|byte| !byte.is_ascii_whitespace()).take(64).copied().collect();
            let Ok(beginning) = String::from_utf8(beginning) else { return false };
            let rest = beginning
                .strip_prefix("{\"format\":")
                .map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
            rest.is_some_and(|rest| rest.starts_with(&format!(",\"kind\":\"{KIND}\"")))
        };
        serde_json::from_slice(bytes).is_ok_and(kind) || begins_like_one()
    }

    /// Reads a file's content.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from being a plan that this very kroutes has saved.
    pub fn parse(bytes: &[u8]) -> Result<Self, Unusable> {
        let heading: Heading = serde_json::from_slice(bytes).map_err(|error| match error.classify() {
            _ if bytes.trim_ascii().is_empty() => Unusable::Foreign(Some("it is empty".to_owned())),
            serde_json::error::Category::Eof => Unusable::Truncated,
            _ => Unusable::Foreign(Some(error.to_string())),
        })?;
        if heading.kind.as_ref().and_then(serde_json::Value::as_str) != Some(KIND) {
            return Err(Unusable::Foreign(None));
        }
        match heading.format {
            Some(format) if format == u64::from(FORMAT) => {}
            Some(format) => return Err(Unusable::Format(format)),
            None => return Err(Unusable::Damaged("it names no format".to_owned())),
        }
        match heading.kroutes {
            Some(version) if version == VERSION => {}
            Some(version) => return Err(Unusable::Version(version)),
            None => return Err(Unusable::Damaged("it names no version".to_owned())),
        }
        let saved: Self = serde_json::from_slice(bytes).map_err(|error| Unusable::Damaged(error.to_string()))?;
        if saved.checksum == saved.sum() { Ok(saved) } else { Err(Unusable::Changed) }
    }

    /// Over what it says, so that spaces do not matter.
    fn sum(&self) -> String {
        let bare = Self { checksum: String::new(), ..self.clone() };
        sha256(&serde_json::to_vec(&bare).expect("plain data with text keys always serialises"))
    }

    /// The provider that it is for.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Whether it is for the built-in cloud.
    pub const fn is_lab(&self) -> bool {
        self.lab
    }

    /// The cluster that it is for.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The digest of the topology that it was made from.
    pub fn topology(&self) -> &str {
        &self.topology
    }

    /// How far the user let it go.
    pub const fn options(&self) -> &SavedOptions {
        &self.options
    }

    /// How many changes and fixes it holds.
    pub fn size(&self) -> usize {
        self.tables.iter().map(|table| table.changes.len()).sum::<usize>() + self.fixes.len()
    }
}

impl SavedChange {
    fn of(change: &Change, seen: &Seen<'_>) -> Self {
        let destination = change.destination().to_string();
        Self {
            action: change.action().to_owned(),
            worker: change.want().map(|route| route.worker.to_string()),
            next_hop: change.want().map(|route| hop(&route.next_hop)),
            reason: change.reason(),
            was: entries(change.was()),
            saw: seen.at(&destination),
            destination,
        }
    }

    /// Why it is due is for readers: an instance that stops makes a black hole of a wrong next hop, and moves nothing.
    fn is_same(&self, other: &Self) -> bool {
        (&self.action, &self.destination, &self.worker) == (&other.action, &other.destination, &other.worker)
            && (&self.next_hop, &self.was, &self.saw) == (&other.next_hop, &other.was, &other.saw)
    }
}

impl SavedFix {
    fn of(finding: &Finding, fix: &Fix) -> Self {
        let target = match fix {
            Fix::SourceDestCheckOff { target, .. } => Some(hop(target)),
            _ => None,
        };
        Self {
            code: finding.code.to_owned(),
            worker: finding.worker.as_ref().map(ToString::to_string),
            table: finding.table.as_ref().map(ToString::to_string),
            target,
        }
    }
}

/// What a table was seen to hold, by destination in the words of the file.
struct Seen<'a>(HashMap<String, Vec<&'a ObservedRoute>>);

impl<'a> Seen<'a> {
    fn of(observation: &'a Observation, id: &TableId) -> Self {
        let mut routes: HashMap<String, Vec<&ObservedRoute>> = HashMap::new();
        for route in table_in(observation, id).into_iter().flat_map(|table| &table.routes) {
            routes.entry(route.destination.to_string()).or_default().push(route);
        }
        Self(routes)
    }

    fn at(&self, destination: &str) -> Vec<Entry> {
        entries(self.0.get(destination).into_iter().flatten().copied())
    }
}

fn entries<'a>(routes: impl IntoIterator<Item = &'a ObservedRoute>) -> Vec<Entry> {
    let entry = |route: &ObservedRoute| Entry {
        precedence: route.precedence,
        name: route.name.clone(),
        next_hops: route.next_hops.iter().map(hop).collect(),
        marked: route.marked,
    };
    let mut entries: Vec<Entry> = routes.into_iter().map(entry).collect();
    entries.sort();
    entries
}

fn hop(hop: &NextHop) -> Hop {
    BTreeMap::from([(hop.kind().to_owned(), hop.id())])
}

/// A digest as it is written everywhere.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    use fmt::Write;
    Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A limit as the command line has it.
mod limit {
    use kroutes_core::MaxDeletes;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    // serde asks for the field by reference, and the field is one.
    #[allow(clippy::ref_option)]
    pub(super) fn serialize<S: Serializer>(limit: &Option<MaxDeletes>, serializer: S) -> Result<S::Ok, S::Error> {
        match limit {
            Some(limit) => serializer.collect_str(limit),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<MaxDeletes>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}
