//! The words for one stack: what was asked for, what it says, what became of it.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::{Destination, Refusal, Tags};

/// The type of resource that a lab's stacks may hold.
pub(crate) const ROUTE: &str = "AWS::EC2::Route";

/// What becomes of a stack that cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// What was made is taken back; the failed stack stays to be looked at.
    #[default]
    Rollback,
    /// What was made stays.
    DoNothing,
    /// What was made is taken back, and the stack with it.
    Delete,
}

/// Where a stack, or one resource of it, is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "CloudFormation's own words")]
pub enum StackStatus {
    CreateComplete,
    CreateFailed,
    RollbackComplete,
    DeleteComplete,
    DeleteFailed,
    DeleteSkipped,
}

impl StackStatus {
    /// `CloudFormation`'s word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CreateComplete => "CREATE_COMPLETE",
            Self::CreateFailed => "CREATE_FAILED",
            Self::RollbackComplete => "ROLLBACK_COMPLETE",
            Self::DeleteComplete => "DELETE_COMPLETE",
            Self::DeleteFailed => "DELETE_FAILED",
            Self::DeleteSkipped => "DELETE_SKIPPED",
        }
    }
}

/// What a stack says about itself, and to other stacks if it exports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackOutput {
    /// Its name in the stack.
    pub key: String,
    /// Its value.
    pub value: String,
    /// What it is, for people.
    pub description: Option<String>,
    /// Its name in the region.
    pub export: Option<String>,
}

/// The target of a route as a template names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StackTarget {
    /// An instance by its id.
    Instance(String),
    /// An interface by its id.
    Interface(String),
}

/// A route that a stack is to have, all of its values known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackRoute {
    /// Its name in the template.
    pub logical_id: String,
    /// The table's id.
    pub table: String,
    /// The range, as it is written.
    pub destination: String,
    /// Whether it is written as an IPv6 range.
    pub is_ipv6: bool,
    /// Where it leads.
    pub target: StackTarget,
    /// Whether it outlives the stack (`DeletionPolicy: Retain`).
    pub retain: bool,
}

impl StackRoute {
    /// The id that `CloudFormation` shows for it.
    pub fn physical_id(&self) -> String {
        format!("{}|{}", self.table, self.destination)
    }

    pub(super) fn destination(&self) -> Result<Destination, Refusal> {
        let (net, parameter) = if self.is_ipv6 {
            (self.destination.parse().map(IpNet::V6), "destinationIpv6CidrBlock")
        } else {
            (self.destination.parse().map(IpNet::V4), "destinationCidrBlock")
        };
        net.map(Destination::from).map_err(|_| Refusal::not_a_cidr(&self.destination, parameter))
    }
}

/// One resource of a stack, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackResource {
    /// What was asked for.
    pub route: StackRoute,
    /// Where it is in its life.
    pub status: StackStatus,
    /// Why, if something went wrong.
    pub reason: Option<String>,
}

/// A stack that is asked for, all of its values known.
#[derive(Debug, Clone, Default)]
pub struct StackOrder {
    /// Its name.
    pub name: String,
    /// What it is, for people.
    pub description: Option<String>,
    /// The values of its parameters.
    pub parameters: BTreeMap<String, String>,
    /// Tags.
    pub tags: Tags,
    /// The routes that it is to have.
    pub routes: Vec<StackRoute>,
    /// What it says about itself.
    pub outputs: Vec<StackOutput>,
    /// The exports of other stacks that it uses.
    pub imports: BTreeSet<String>,
    /// Why nothing can be made of it, if that is known before: an export that is not there.
    pub hopeless: Option<String>,
    /// What becomes of it if it fails.
    pub on_failure: OnFailure,
    /// When it was asked for, as the API writes it.
    pub created: String,
}

/// A stack.
#[derive(Debug, Clone)]
pub struct Stack {
    /// Its name, unique among those that have not been deleted.
    pub name: String,
    /// Where it is in its life.
    pub status: StackStatus,
    /// Why.
    pub reason: Option<String>,
    /// What it is, for people.
    pub description: Option<String>,
    /// The values of its parameters.
    pub parameters: BTreeMap<String, String>,
    /// Tags.
    pub tags: Tags,
    /// Its resources.
    pub resources: Vec<StackResource>,
    /// What it says about itself.
    pub outputs: Vec<StackOutput>,
    /// The exports of other stacks that it uses.
    pub imports: BTreeSet<String>,
    /// When it was made, as the API writes it.
    pub created: String,
    /// Its place in the order of making, from 1.
    pub number: usize,
}

impl Stack {
    /// Whether it has been deleted, and only its id finds it any more.
    pub fn is_gone(&self) -> bool {
        self.status == StackStatus::DeleteComplete
    }
}
