//! What a source found, judged like a topology that somebody wrote.
//!
//! The rules are those of [`Topology::new`]; what is missing is a line to point at. So messages name the source and the
//! workers. An empty list says that nothing is wanted, and is far more often a selector that fits nothing or an API that
//! answered too early. Who only reads gets it as an error; who would change something gets a topology without workers,
//! because then there is a plan to show before it is refused.

use std::fmt::Write as _;

use kroutes_core::{Error, ErrorKind, LeftOut, Result, Topology};

use super::Loaded;
use crate::source::{Found, SourceKind, SourceSpec};

/// How many reasons a message tells.
const TOLD: usize = 5;

impl Loaded {
    /// Where the workers come from, if they are not in the file.
    pub const fn source(&self) -> Option<&SourceSpec> {
        self.source.as_ref()
    }

    /// The topology of what the source found, as one provider sees it. Where the provider routes by address, a worker
    /// without one is left out, as a fault.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] where there are no workers; [`ErrorKind::Invalid`] where they contradict the cluster or one
    /// another.
    pub fn topology_of(&self, provider: &str, found: Found) -> Result<Topology> {
        let topology = self.topology_even_of_nobody(provider, found)?;
        match self.nobody(&topology) {
            Some(error) => Err(error),
            None => Ok(topology),
        }
    }

    /// The same, where nobody may have been found: whoever asks for this must not take it to mean that no routes are wanted.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] where the workers contradict the cluster or one another.
    pub fn topology_even_of_nobody(&self, provider: &str, found: Found) -> Result<Topology> {
        let Found { workers, mut left_out } = found;
        let needs_address = self.formats.iter().any(|format| format.name == provider && format.needs_address);
        let (workers, without): (Vec<_>, Vec<_>) =
            workers.into_iter().partition(|worker| !needs_address || !worker.addresses.is_empty());
        left_out.extend(without.into_iter().map(|worker| {
            let message =
                format!("`{}` has no address, and `{provider}` sends to a worker by its address", worker.name);
            let why = Error::new(ErrorKind::Invalid, message);
            LeftOut { name: worker.name, pod_cidrs: worker.pod_cidrs, why, is_fault: true }
        }));
        match Topology::new(self.cluster.clone(), workers) {
            Ok(topology) => Ok(topology.leaving_out(left_out)),
            Err(faults) => {
                let faults = faults.iter().map(|fault| fault.message.as_str());
                let message = format!("{} no topology: {}", self.they("make", "makes"), told(faults));
                let error = Error::new(ErrorKind::Invalid, message);
                Err(error.help(self.source.as_ref().map_or("mend the workers", SourceSpec::narrowing)))
            }
        }
    }

    /// The source and what it does, in the right number.
    fn they(&self, plural: &str, singular: &str) -> String {
        match &self.source {
            Some(source) if matches!(source.kind, SourceKind::NodeList { .. }) => format!("{source} {singular}"),
            Some(source) => format!("{source} {plural}"),
            None => format!("the workers {plural}"),
        }
    }

    /// What is to be said of a topology without workers; `None` if it has some.
    pub fn nobody(&self, topology: &Topology) -> Option<Error> {
        if !topology.workers().is_empty() {
            return None;
        }
        let left_out = topology.left_out();
        let mut message = match &self.source {
            Some(source) if matches!(source.kind, SourceKind::NodeList { .. }) => {
                format!("found no workers in {source}")
            }
            Some(source) => format!("found no workers among {source}"),
            None => "found no workers".to_owned(),
        };
        if !left_out.is_empty() {
            let _ = write!(message, ": {}", told(left_out.iter().map(|one| one.why.message())));
        }
        let help = "an empty list is never taken to mean that no routes are wanted";
        Some(Error::new(ErrorKind::NotFound, message).help(help))
    }
}

/// The first few of several messages, and how many more there are.
fn told<'a>(messages: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<&str> = messages.collect();
    let mut text = all.iter().take(TOLD).copied().collect::<Vec<_>>().join("; ");
    if let Some(more) = all.len().checked_sub(TOLD).filter(|more| *more > 0) {
        let _ = write!(text, "; and {more} more");
    }
    text
}
