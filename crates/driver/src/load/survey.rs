//! One walk over a whole tree: every table read by the type that knows it.
//!
//! The walk is made twice, over the file alone and over what the environment makes of it. The first shows what is wrong in
//! the file whether or not a variable hides it; the second, which keys are missing in the end. Nothing stops the
//! walk: a table that cannot be read is left empty and the rest is read all the same.

use crate::file::{ClusterTable, SourceTable, WorkerTable};

use super::problem::{Nature, Problem};
use super::reader;
use super::section::{ProviderFormat, Section};
use super::tree::{Entry, Kind, Node, Origin, Step};

/// Our own tables.
const OURS: [&str; 3] = ["cluster", "worker", "source"];

/// What may be written in a topology besides our own tables.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grammar<'a> {
    pub(crate) formats: &'a [ProviderFormat],
    /// Names of sections that are left unread.
    pub(crate) reserved: &'a [&'a str],
}

impl<'a> Grammar<'a> {
    fn providers(&self) -> impl Iterator<Item = &'a str> {
        self.formats.iter().map(|format| format.name).chain(self.reserved.iter().copied())
    }

    /// Whether a top-level key has a reader, or is known to have none.
    pub(crate) fn knows(&self, key: &str) -> bool {
        OURS.contains(&key) || self.providers().any(|provider| provider == key)
    }

    fn format(&self, name: &str) -> Option<&'a ProviderFormat> {
        self.formats.iter().find(|format| format.name == name)
    }
}

/// All tables; `None` where one is there but could not be read.
#[derive(Debug)]
pub(crate) struct Survey {
    pub(crate) cluster: Option<ClusterTable>,
    pub(crate) workers: Vec<Option<WorkerTable>>,
    pub(crate) source: Option<SourceTable>,
    pub(crate) problems: Vec<Problem>,
}

/// Reads everything.
pub(crate) fn survey(root: &Node, grammar: Grammar<'_>) -> Survey {
    let mut survey =
        Survey { cluster: Some(ClusterTable::default()), workers: Vec::new(), source: None, problems: Vec::new() };
    for entry in root.entries() {
        match entry.key.as_str() {
            "cluster" => survey.cluster(entry),
            "worker" => survey.workers(entry, grammar),
            "source" => survey.source(entry),
            name => {
                if let Some(format) = grammar.format(name) {
                    let section = Section::new(&entry.value, vec![Step::from(name)]);
                    survey.provider((format.section)(&section).err().map(|problems| problems.0));
                } else if !grammar.reserved.contains(&name) {
                    let known: Vec<&str> = OURS.into_iter().chain(grammar.providers()).collect();
                    survey.problems.push(Problem::unknown(&entry.origin, Vec::new(), name, &known));
                }
            }
        }
    }
    survey
}

impl Survey {
    fn cluster(&mut self, entry: &Entry) {
        let (cluster, problems) = reader::read(&entry.value, &[Step::from("cluster")]);
        self.cluster = cluster;
        self.problems.extend(problems);
    }

    fn source(&mut self, entry: &Entry) {
        if let Kind::List(_) = &entry.value.kind {
            let problem = Problem::form("expected a table, found a list").or_at(&entry.value.origin, Vec::new);
            self.problems.push(problem.with_help("there is one source, `[source]`, in one pair of brackets"));
            return;
        }
        let (source, problems) = reader::read(&entry.value, &[Step::from("source")]);
        self.source = source;
        self.problems.extend(problems);
    }

    fn workers(&mut self, entry: &Entry, grammar: Grammar<'_>) {
        let Kind::List(tables) = &entry.value.kind else {
            let message = format!("expected a list of tables, found {}", entry.value.describe());
            let problem = Problem::form(message).or_at(&entry.value.origin, Vec::new);
            self.problems.push(problem.with_help("a worker begins with `[[worker]]`, in two pairs of brackets"));
            return;
        };
        for (index, table) in tables.iter().enumerate() {
            self.worker(index, table, grammar);
        }
    }

    fn worker(&mut self, index: usize, table: &Node, grammar: Grammar<'_>) {
        let path = [Step::from("worker"), Step::from(index)];
        for entry in table.entries() {
            if let Some(format) = grammar.format(&entry.key) {
                let inner = [path.as_slice(), &[Step::from(entry.key.as_str())]].concat();
                let section = Section::new(&entry.value, inner);
                self.provider((format.worker)(&section).err().map(|problems| problems.0));
            }
        }
        let own = table.only(|key| !grammar.providers().any(|provider| provider == key));
        let (worker, mut problems) = reader::read(&own, &path);
        for problem in &mut problems {
            if let Nature::Unknown { known, .. } = &mut problem.nature
                && problem.table == path
            {
                known.extend(grammar.providers().map(str::to_owned));
            }
        }
        self.workers.push(worker);
        self.problems.extend(problems);
    }

    /// A provider's required keys are judged when that provider is used: a file for two clouds is whole for one of them
    /// although the other still lacks what its user would set in the environment.
    fn provider(&mut self, problems: Option<Vec<Problem>>) {
        let present = |problem: &Problem| !matches!(problem.nature, Nature::Missing { .. });
        self.problems.extend(problems.into_iter().flatten().filter(present));
    }

    /// What is reported of the file alone: every unknown key, and of those values that do not fit the first, since the
    /// others are often its consequence.
    pub(crate) fn strict(self) -> Vec<Problem> {
        let mut first: Option<Problem> = None;
        let mut kept = Vec::new();
        for problem in self.problems {
            match problem.nature {
                Nature::Form => {
                    let order = |problem: &Problem| problem.origin.as_ref().map_or(usize::MAX, Origin::order);
                    if first.as_ref().is_none_or(|first| order(&problem) < order(first)) {
                        first = Some(problem);
                    }
                }
                Nature::Missing { .. } => {}
                Nature::Unknown { .. } | Nature::Meaning => kept.push(problem),
            }
        }
        kept.extend(first);
        kept
    }
}
