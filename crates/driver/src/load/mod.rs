//! From text to a judged topology.
//!
//! The steps, each in a file of its own: the text is parsed into a [tree](tree) whose every value knows its place; the
//! file alone is [surveyed](survey), strictly; the environment is [laid over](overlay) it; the result is surveyed again and
//! [judged](meaning). What is wrong is kept as data up to the end and then told [all at once](diagnostic). The exception
//! is syntax, and values that do not fit their key: of these the first is told, because the rest tends to follow from it.

mod diagnostic;
mod digest;
mod found;
mod meaning;
mod overlay;
mod problem;
mod reader;
mod section;
mod source;
mod spec;
mod suggest;
mod survey;
mod tree;

use std::ffi::OsString;

use kroutes_core::{Cluster, Topology, Worker};
use serde::de::DeserializeOwned;

use crate::source::SourceSpec;
use toml::de::DeTable;

pub use diagnostic::{Diagnostic, Diagnostics, Place};
pub use section::{Problems, ProviderFormat, Section};
pub use source::{Source, read_source};

#[cfg(feature = "kubernetes")]
pub(crate) use suggest::listed;
pub use suggest::suggest;
pub(crate) use tree::quoted;

use meaning::Meaning;
use problem::{Nature, Problem};
use survey::{Grammar, survey};
use tree::{Node, Origin, Step};

/// A topology file under its environment, read and judged.
#[derive(Debug, Clone)]
pub struct Loaded {
    name: String,
    text: String,
    root: Node,
    formats: Vec<ProviderFormat>,
    providers: Vec<&'static str>,
    cluster: Cluster,
    workers: Vec<Worker>,
    source: Option<SourceSpec>,
}

/// Reads and judges a topology. `name` is what messages call the text. `formats` are the providers of this program,
/// `reserved` the names of sections that are accepted and left unread, because another build of it reads them.
/// `environment` are all variables; those that do not begin with `KROUTES_TOPOLOGY` are not looked at.
///
/// # Errors
///
/// All that is wrong; of syntax and of values that do not fit, the first.
pub fn load(
    text: &str,
    name: &str,
    formats: &[ProviderFormat],
    reserved: &[&str],
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Loaded, Diagnostics> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let fail = |problems| Diagnostics::of(name, text, problems);
    let grammar = Grammar { formats, reserved };
    let file = match DeTable::parse(text) {
        Ok(document) => Node::from_document(&document),
        Err(error) => return Err(fail(vec![syntax(error, text)])),
    };
    let mut problems = survey(&file, grammar).strict();
    if problems.iter().any(|problem| matches!(problem.nature, Nature::Form)) {
        return Err(fail(problems));
    }
    let root = match overlay::lay_over(&file.only(|key| grammar.knows(key)), environment) {
        Ok(root) => root,
        Err(more) => {
            problems.extend(more);
            return Err(fail(problems));
        }
    };
    match meaning::judge(&root, survey(&root, grammar), name) {
        Ok(Meaning { cluster, workers, source }) if problems.is_empty() => {
            let known = |key: &str| formats.iter().map(|format| format.name).find(|name| *name == key);
            let providers = file.entries().iter().filter_map(|entry| known(&entry.key)).collect();
            Ok(Loaded {
                name: name.to_owned(),
                text: text.to_owned(),
                root,
                formats: formats.to_vec(),
                providers,
                cluster,
                workers,
                source,
            })
        }
        Ok(_) => Err(fail(problems)),
        Err(more) => {
            problems.extend(more);
            Err(fail(problems))
        }
    }
}

/// The error that stands first in the text: the parser tells first what it notices first, which for an unclosed bracket is
/// long after what is wrong inside.
fn syntax(noticed: toml::de::Error, text: &str) -> Problem {
    let start = |error: &toml::de::Error| error.span().map_or(usize::MAX, |span| span.start);
    // To the parser a carriage return in a text is one more wrong character; to who wrote it, it is the end of the line.
    let plain = text.replace("\r\n", " \n");
    let (_, all) = DeTable::parse_recoverable(&plain);
    let error = all.into_iter().min_by_key(start).unwrap_or(noticed);
    let span = error.span().unwrap_or(text.len()..text.len());
    Problem::form(error.message().trim_end_matches('\n')).or_at(&Origin::File(span), Vec::new)
}

impl Loaded {
    /// The providers that the file has a section for, in the order of the file.
    pub fn providers(&self) -> &[&'static str] {
        &self.providers
    }

    /// The cluster.
    pub const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// What messages call the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The topology as one provider sees it: every worker with its machine there. For workers that are in the file; those
    /// of a [source](Self::source) make a topology by [`Loaded::topology_of`].
    ///
    /// # Errors
    ///
    /// The workers come from a source; a worker's part for this provider lacks a key, or has no address although this provider routes by address.
    pub fn topology_for(&self, provider: &str) -> Result<Topology, Diagnostics> {
        let Some(format) = self.formats.iter().find(|format| format.name == provider) else {
            return Err(Diagnostics::outside(
                format!("this build of kroutes has no provider `{provider}`"),
                format!("it has {}", suggest::listed(&self.formats.iter().map(|known| known.name).collect::<Vec<_>>())),
            ));
        };
        self.in_the_file()?;
        let tables = self.root.get("worker").map_or(&[][..], Node::items);
        let mut problems = Vec::new();
        let mut workers = self.workers.clone();
        for (index, (worker, table)) in workers.iter_mut().zip(tables).enumerate() {
            let path = vec![Step::from("worker"), Step::from(index)];
            if format.needs_address && worker.addresses.is_empty() {
                let problem = Problem::missing(&table.origin, path.clone(), "address");
                problems.push(problem.with_help(format!("`{provider}` sends to a worker by its address")));
            }
            let Some(own) = table.get(provider) else { continue };
            let section = Section::new(own, [path, vec![Step::from(provider)]].concat());
            match (format.worker)(&section) {
                Ok(Some(machine)) => worker.machine = machine,
                Ok(None) => {}
                Err(more) => problems.extend(more.0),
            }
        }
        if !problems.is_empty() {
            return Err(Diagnostics::of(&self.name, &self.text, problems));
        }
        self.judged(workers)
    }

    fn in_the_file(&self) -> Result<(), Diagnostics> {
        match &self.source {
            None => Ok(()),
            Some(source) => {
                let message = format!("the workers of `{}` are not in it: they are {source}", self.name);
                Err(Diagnostics::outside(message, "ask the source for them first"))
            }
        }
    }

    /// The names and ranges were judged when the file was loaded, and a machine is no reason for a fault.
    fn judged(&self, workers: Vec<Worker>) -> Result<Topology, Diagnostics> {
        Topology::new(self.cluster.clone(), workers).map_err(|faults| {
            let problems = faults.into_iter().map(|fault| Problem::meaning(&Origin::Absent, fault.message));
            Diagnostics::of(&self.name, &self.text, problems.collect())
        })
    }

    /// The topology as no provider sees it: workers with the names and addresses that the file gives them.
    ///
    /// # Errors
    ///
    /// The workers come from a source.
    pub fn topology(&self) -> Result<Topology, Diagnostics> {
        self.in_the_file()?;
        self.judged(self.workers.clone())
    }

    /// A provider's section, under the environment. An absent one reads like an empty one.
    ///
    /// # Errors
    ///
    /// A required key is missing, or a value does not fit `T`.
    pub fn section<T: DeserializeOwned>(&self, name: &str) -> Result<T, Diagnostics> {
        let absent = Node::absent();
        let section = Section::new(self.root.get(name).unwrap_or(&absent), vec![Step::from(name)]);
        section.read().map_err(|problems| Diagnostics::of(&self.name, &self.text, problems.0))
    }
}
