//! The contract between kroutes and a cloud.
//!
//! A backend is one provider, opened for one topology. It reports facts and carries out single writes; it decides
//! nothing. Whose a route is, what should change and in which order, whether a difference matters: all that is the
//! core's, so that every provider gets the same judgement and a new one cannot get it wrong.
//!
//! The shape is that of a protocol: owned nouns of ours in and out, no callbacks, no associated types, no SDK's types. A
//! provider in another process can serve it. There are no default bodies, because a wrapper that forgets to forward
//! a defaulted method loses it without a word. Each sentence of a method's contract is a named case in `kroutes-testkit`.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use async_trait::async_trait;
use ipnet::IpNet;

use crate::{Check, ClusterName, Error, LeftOut, NextHop, ObservedRoute, PodCidr, Result, Route, Worker, WorkerName};

/// The place that is written to, by the provider's id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId(pub String);

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a backend can and cannot do. Some of it the core acts by; some are promises that the conformance suite checks.
// Independent facts about a provider, each asked for on its own; there is no state machine hiding in them.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// `replace_route` leaves no moment without a route, in one call.
    pub atomic_replace: bool,
    /// Replace and delete are refused by the provider itself when the route has changed since it was listed.
    pub conditional_writes: bool,
    /// A table may hold several routes for one destination.
    pub duplicates: bool,
    /// Routes can carry our mark, and so ownership is read from it. Where they cannot, tables can carry claims.
    pub marks: bool,
    /// IPv6 destinations are possible.
    pub ipv6: bool,
    /// The precedence of the routes that this backend writes.
    pub precedence: u32,
}

/// A cluster's claim on destinations of a table, where routes can carry no mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Who claims. Any text: others' claims are read too.
    pub cluster: String,
    /// The ranges; `Err` with the text as it stands where it cannot be read.
    pub cidrs: Result<Vec<IpNet>, String>,
}

impl Claim {
    /// The claim that a cluster makes.
    pub fn of(cluster: &ClusterName, cidrs: impl IntoIterator<Item = IpNet>) -> Self {
        let mut cidrs: Vec<IpNet> = cidrs.into_iter().collect();
        cidrs.sort();
        Self { cluster: cluster.as_str().to_owned(), cidrs: Ok(cidrs) }
    }

    /// Reads a claim from its text form.
    pub fn parse(cluster: &str, value: &str) -> Self {
        let mut cidrs: Vec<IpNet> = Vec::new();
        for word in value.split_whitespace() {
            match word.parse::<IpNet>() {
                Ok(net) => cidrs.push(net.trunc()),
                Err(_) => return Self { cluster: cluster.to_owned(), cidrs: Err(value.to_owned()) },
            }
        }
        cidrs.sort();
        let cidrs = if cidrs.is_empty() { Err(value.to_owned()) } else { Ok(cidrs) };
        Self { cluster: cluster.to_owned(), cidrs }
    }

    /// The text form of the ranges, separated by single spaces.
    pub fn value(&self) -> String {
        match &self.cidrs {
            Ok(cidrs) => cidrs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            Err(text) => text.clone(),
        }
    }
}

/// How many routes a table may hold, for plans to warn before a write fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// What is limited, in the provider's words.
    pub name: String,
    /// Whether it counts IPv6 destinations only (`Some(true)`), IPv4 only (`Some(false)`) or all.
    pub ipv6: Option<bool>,
    /// How many there may be.
    pub limit: u32,
    /// How many there are.
    pub used: u32,
}

/// A table with everything in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The provider's id.
    pub id: TableId,
    /// Where it is, for people: a region, a project.
    pub location: String,
    /// All its routes, ours and others'.
    pub routes: Vec<ObservedRoute>,
    /// The limits that new routes run into.
    pub quotas: Vec<Quota>,
    /// All claims on it, ours and others'.
    pub claims: Vec<Claim>,
}

/// One table that the topology asks for, read or not.
#[derive(Debug, Clone)]
pub struct Reading {
    /// How the topology names it; the id where nothing else is known.
    pub wanted: String,
    /// The table, or why it could not be read.
    pub table: Result<Table>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Packets are stopped.
    Error,
    /// They will be, or nobody could tell.
    Warning,
}

impl Severity {
    /// The word used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Something that stops packets although the route is right, or will.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// A stable name in kebab-case, such as `source-dest-check`.
    pub code: &'static str,
    /// How bad.
    pub severity: Severity,
    /// The worker it is about, if it is about one.
    pub worker: Option<WorkerName>,
    /// The table it is about, if it is about one.
    pub table: Option<TableId>,
    /// What is the matter and what to do, for people.
    pub message: String,
    /// What would mend it, where the backend can.
    pub fix: Option<Fix>,
}

/// A write that is no route.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fix {
    /// Let a worker forward packets that are not addressed to it.
    SourceDestCheckOff {
        /// Whose machine.
        worker: WorkerName,
        /// The machine or interface.
        target: NextHop,
    },
    /// Write our claim on a table, in place of an older one of the same cluster.
    SetClaim {
        /// Which table.
        table: TableId,
        /// What it says.
        claim: Claim,
    },
    /// Remove our claim from a table.
    DropClaim {
        /// Which table.
        table: TableId,
        /// The claim as it stands.
        claim: Claim,
    },
}

/// Where a machine that the cloud knows gets its pod CIDR from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeFrom {
    /// It says so itself, in what it was launched with (EC2: user data; Compute Engine: metadata).
    Machine,
    /// From somewhere else, later: whatever it says itself is not read.
    Elsewhere,
}

/// Which machines of the cloud are workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// A glob over names, with `*` and `?`; all without one.
    pub name: Option<String>,
    /// Tags or labels that a machine must have, each with this value.
    pub labels: BTreeMap<String, String>,
    /// Where its pod CIDR comes from.
    pub range: RangeFrom,
}

/// The machines that a selector fits.
#[derive(Debug, Clone, Default)]
pub struct Discovered {
    /// Workers, in the order of names; without pod CIDRs where these come from elsewhere.
    pub workers: Vec<Worker>,
    /// Machines that fit and cannot be used: those that say nothing, or nothing readable, of their range.
    pub left_out: Vec<LeftOut>,
}

/// All that a plan needs to know of the cloud, read in one go.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// Every table that the topology asks for.
    pub tables: Vec<Reading>,
    /// The next hop of each pod CIDR, or why there is none. Pod CIDRs are unique in a topology, so they are the key.
    pub next_hops: HashMap<PodCidr, Result<NextHop>>,
    /// The machines that are workers, by the provider's id.
    pub machines: HashMap<String, WorkerName>,
    /// The table that a worker's own packets are looked up in, where workers have different ones. Empty where every
    /// table is to be judged for all of them.
    pub serves: HashMap<WorkerName, TableId>,
    /// What stops packets besides the routes.
    pub findings: Vec<Finding>,
    /// Tables that are known to hold something of ours and were not read, each with why: nobody may say that nothing is left.
    pub out_of_reach: Vec<Error>,
    /// Look-ups that failed although they decide whose a route is: what could not be looked up is foreign for now, and
    /// nobody may say that nothing of ours is there.
    pub unproved: Vec<Error>,
}

/// One provider, opened for one topology.
///
/// Writes are idempotent; `Ok` from a write means that the provider has finished it, though a listing may lag. One bad
/// worker or table never hides the others. No method decides anything.
#[async_trait]
pub trait RouteBackend: fmt::Debug + Send + Sync + 'static {
    /// The provider's name, as the user names it.
    fn name(&self) -> &str;

    /// What it can and cannot do. Constant for the life of the backend.
    fn capabilities(&self) -> Capabilities;

    /// Finds the machines that are workers, inside the network of the topology's tables where the provider has one:
    /// running or not, but none that is gone.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](crate::ErrorKind::Unsupported) where the provider knows no machines; otherwise what makes the whole
    /// listing worthless.
    async fn discover(&self, selector: &Selector) -> Result<Discovered>;

    /// Reads every table of the topology with all its routes, a next hop per pod CIDR, and findings, in as few calls as
    /// the provider allows. A worker that cannot be found, or a table that cannot be read, is an error in its own
    /// place.
    ///
    /// # Errors
    ///
    /// Only what makes the whole reading worthless: no credentials, no connection.
    async fn observe(&self, workers: &[Worker]) -> Result<Observation>;

    /// Reads one table again, complete or not at all: a listing whose second page failed is an error.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) where there is no such table, or why it could not be read.
    async fn list_routes(&self, table: &TableId) -> Result<Table>;

    /// Makes a route. Over an identical one it is `Ok`. Over another one of the same destination it is a
    /// [`Conflict`](crate::ErrorKind::Conflict) that changes nothing, or where `duplicates`, the new one is added
    /// beside it.
    ///
    /// # Errors
    ///
    /// What the provider said; nothing was made unless the error is ambiguous.
    async fn create_route(&self, table: &TableId, route: &Route) -> Result<()>;

    /// Puts `to` in the place of `from`; both have one destination. Where `atomic_replace`, no moment passes without
    /// a route; elsewhere the new one goes in before the old one is removed. Where `from` is gone and `to` is there
    /// already it is `Ok`.
    ///
    /// # Errors
    ///
    /// [`Conflict`](crate::ErrorKind::Conflict) where `conditional_writes` and `from` has changed;
    /// [`NotFound`](crate::ErrorKind::NotFound) where no route of that destination is there.
    async fn replace_route(&self, table: &TableId, from: &ObservedRoute, to: &Route) -> Result<()>;

    /// Removes a route. An absent one is `Ok`. Where another route of its destination has to carry the packets from then
    /// on, that is `standing`, and without it nothing is removed: a listing that lags may show what is gone already.
    ///
    /// # Errors
    ///
    /// [`Conflict`](crate::ErrorKind::Conflict) where `standing` does not stand any more, and where `conditional_writes`
    /// and the route has changed since it was listed.
    async fn delete_route(
        &self,
        table: &TableId,
        route: &ObservedRoute,
        standing: Option<&ObservedRoute>,
    ) -> Result<()>;

    /// Mends what is not a route but keeps routes from working or from being ours. Again is `Ok`.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](crate::ErrorKind::Unsupported) where the provider has no such thing.
    async fn fix(&self, fix: &Fix) -> Result<()>;

    /// What only the provider can tell of how well kroutes would work here: who it takes us for, whether it would allow each
    /// call that kroutes makes for this topology, and who else writes to the tables. Of `observation` it uses what is there;
    /// `None` where nothing could be observed. Changes nothing, and answers whatever happens: what could not be found out
    /// is a check of its own.
    async fn examine(&self, observation: Option<&Observation>) -> Vec<Check>;
}
