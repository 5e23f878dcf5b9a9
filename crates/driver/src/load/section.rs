//! How a provider's part of the topology is read without this crate knowing the provider.
//!
//! A provider has plain serde types for its settings and depends on nothing of ours but the core. The binary, which names
//! all providers, ties the two together with one [`ProviderFormat`] each:
//!
//! ```
//! use kroutes_core::{MachineRef, NodeId};
//! use kroutes_driver::{ProviderFormat, Section};
//! # #[derive(serde::Deserialize)] struct Settings { region: Option<String> }
//! # #[derive(serde::Deserialize)] struct Machine { instance: Option<String> }
//!
//! let format = ProviderFormat {
//!     name: "aws",
//!     section: Section::check::<Settings>,
//!     worker: |section| Ok(section.read::<Machine>()?.instance.map(MachineRef::Id)),
//!     needs_address: false,
//!     node: |id| match id.strip_prefix("aws:///us-west-2a/") {
//!         Some(instance) => NodeId::Machine(MachineRef::Id(instance.to_owned())),
//!         None => NodeId::OtherCloud,
//!     },
//! };
//! ```

use kroutes_core::{MachineRef, NodeId};
use serde::de::DeserializeOwned;

use super::problem::Problem;
use super::reader;
use super::tree::{Node, Step};

/// How one provider's part of a topology is read.
#[derive(Debug, Clone, Copy)]
pub struct ProviderFormat {
    /// The provider's name, which is also that of its table: `[aws]`, and `aws` inside `[[worker]]`.
    pub name: &'static str,
    /// Reads the provider's table, to see whether it can be: [`Section::check`] of the type of its settings.
    pub section: fn(&Section) -> Result<(), Problems>,
    /// Reads what a worker's table says of its machine. `None` leaves it to the worker's name.
    pub worker: fn(&Section) -> Result<Option<MachineRef>, Problems>,
    /// Whether the next hop is the worker's address, so that every worker needs one.
    pub needs_address: bool,
    /// Reads the provider id of a Kubernetes node. Not asked where `needs_address`: then the address says who a node is.
    pub node: fn(&str) -> NodeId,
}

/// A provider's table, or a worker's table for a provider, not yet read.
#[derive(Debug, Clone)]
pub struct Section {
    node: Node,
    path: Vec<Step>,
}

/// What is wrong with a [`Section`]. The loader makes messages of it.
#[derive(Debug)]
pub struct Problems(pub(super) Vec<Problem>);

impl Section {
    pub(super) fn new(node: &Node, path: Vec<Step>) -> Self {
        Self { node: node.clone(), path }
    }

    /// Reads the table as `T`. Keys that `T` does not know are problems, as are values that do not fit. `T` should not
    /// flatten nor be untagged: serde then reads into a buffer of its own, and both positions and unknown keys are lost.
    ///
    /// # Errors
    ///
    /// Every unknown key, and the first value that does not fit or required key that is missing.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Problems> {
        match reader::read(&self.node, &self.path) {
            (Some(value), problems) if problems.is_empty() => Ok(value),
            (_, problems) => Err(Problems(problems)),
        }
    }

    /// Whether the table can be read as `T`.
    ///
    /// # Errors
    ///
    /// Those of [`Section::read`].
    pub fn check<T: DeserializeOwned>(&self) -> Result<(), Problems> {
        self.read::<T>().map(drop)
    }
}
