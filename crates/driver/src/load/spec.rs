//! From the `[source]` table to a source that can be asked.
//!
//! The kinds have different keys, and the commonest mistake is a key of another kind, left there when the kind was
//! changed. It is told with the kind that has it. A source that would take every machine of a cloud is refused, because
//! nobody means that without saying so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kroutes_core::{RangeFrom, Selector};

use crate::file::{Kind, Range, SourceTable};
use crate::source::{SourceKind, SourceSpec};

use super::meaning::{Allocation, Judge};
use super::problem::Problem;
use super::tree::{Origin, Step, quoted};

/// The keys besides `kind`, in the order in which they are told, with the kind that has them.
const KEYS: [(&str, Kind); 7] = [
    ("path", Kind::NodeList),
    ("context", Kind::Kubernetes),
    ("selector", Kind::Kubernetes),
    ("name", Kind::Cloud),
    ("tags", Kind::Cloud),
    ("labels", Kind::Cloud),
    ("pod-cidr", Kind::Cloud),
];

const fn written(kind: Kind) -> &'static str {
    match kind {
        Kind::NodeList => "node-list",
        Kind::Kubernetes => "kubernetes",
        Kind::Cloud => "cloud",
    }
}

impl Judge<'_> {
    /// The source that the table of the topology `file` describes; none where something is wrong with it.
    pub(super) fn source(&mut self, table: &SourceTable, file: &str) -> Option<SourceSpec> {
        let here = [Step::from("source")];
        let before = self.problems.len();
        self.not_both();
        self.required(&here, "kind", table.kind.is_some());
        let kind = table.kind?;
        self.keys_of_other_kinds(kind);
        let kind = match kind {
            Kind::NodeList => self.node_list(table, file),
            Kind::Kubernetes => {
                let context = self.some_text("context", table.context.as_deref());
                Some(SourceKind::Kubernetes { context, selector: table.selector.clone().filter(|all| !all.is_empty()) })
            }
            Kind::Cloud => self.cloud(table),
        };
        let node_prefix = match &self.allocation {
            Allocation::By(prefix) => Some(prefix.clone()),
            Allocation::None | Allocation::Broken => None,
        };
        (self.problems.len() == before).then_some(SourceSpec { kind: kind?, node_prefix })
    }

    fn at(&self, key: &str) -> Origin {
        self.root.locate(&[Step::from("source"), Step::from(key)]).clone()
    }

    fn wrong(&mut self, key: &str, message: impl Into<String>, help: &str) {
        let problem = Problem::meaning(&self.at(key), message).with_help(help);
        self.problems.push(problem);
    }

    fn not_both(&mut self) {
        let entries = self.root.entries();
        let Some(source) = entries.iter().find(|entry| entry.key == "source") else { return };
        if entries.iter().any(|entry| entry.key == "worker") {
            let message = "a topology has a `[source]` or `[[worker]]` tables, not both";
            self.problems.push(Problem::meaning(&source.origin, message).with_help("remove the one or the other"));
        }
    }

    fn keys_of_other_kinds(&mut self, kind: Kind) {
        let entries = self.root.get("source").map_or(&[][..], |source| source.entries());
        for entry in entries {
            let owner = KEYS.iter().find(|(key, _)| *key == entry.key).map(|(_, owner)| *owner);
            if let Some(owner) = owner.filter(|owner| *owner != kind) {
                let message = format!(
                    "`{}` is a key of `kind = \"{}\"`, and this source's kind is `{}`",
                    entry.key,
                    written(owner),
                    written(kind)
                );
                let has: Vec<String> =
                    KEYS.iter().filter(|(_, owner)| *owner == kind).map(|(key, _)| format!("`{key}`")).collect();
                let help = format!("`{}` has {}", written(kind), has.join(", "));
                self.problems.push(Problem::meaning(&entry.origin, message).with_help(help));
            }
        }
    }

    fn some_text(&mut self, key: &str, text: Option<&str>) -> Option<String> {
        if text.is_some_and(|text| text.trim().is_empty()) {
            self.wrong(key, format!("`{key}` is empty"), "leave the key out where it has no value");
        }
        text.map(str::to_owned)
    }

    fn node_list(&mut self, table: &SourceTable, file: &str) -> Option<SourceKind> {
        self.required(&[Step::from("source")], "path", table.path.is_some());
        let path = self.some_text("path", table.path.as_deref())?;
        if path == "-" {
            if file == super::source::STDIN {
                let message = "standard input cannot be both the topology and its node list";
                self.wrong("path", message, "name the topology with `-f FILE`, or the node list by a path");
            }
            return Some(SourceKind::NodeList { path: PathBuf::from(path) });
        }
        let folder = Path::new(file).parent().unwrap_or(Path::new(""));
        Some(SourceKind::NodeList { path: folder.join(path) })
    }

    fn cloud(&mut self, table: &SourceTable) -> Option<SourceKind> {
        let name = self.some_text("name", table.name.as_deref());
        let labels = self.labels(table);
        if name.is_none() && labels.is_empty() {
            let origin = self.root.locate(&[Step::from("source")]).clone();
            let message = "this source takes every machine of the cloud: it has no `name`, `tags` or `labels`";
            let problem = Problem::meaning(&origin, message);
            self.problems.push(problem.with_help("say which are workers, such as `name = \"worker-*\"`"));
        }
        let range = match (table.pod_cidr, &self.allocation) {
            (Some(Range::Instance), _) => RangeFrom::Machine,
            (Some(Range::NodePrefix), Allocation::None) => {
                let message = "`pod-cidr = \"node-prefix\"` needs `node-prefix` in `[cluster]`";
                self.wrong("pod-cidr", message, "add one, such as `node-prefix = 24`");
                RangeFrom::Elsewhere
            }
            (Some(Range::NodePrefix), _) => RangeFrom::Elsewhere,
            (None, _) => {
                self.required(&[Step::from("source")], "pod-cidr", false);
                if let Some(last) = self.problems.pop() {
                    let help = "`pod-cidr = \"instance\"` where each machine says its own, or `\"node-prefix\"`";
                    self.problems.push(last.with_help(help));
                }
                return None;
            }
        };
        Some(SourceKind::Cloud { selector: Selector { name, labels, range } })
    }

    /// Tags and labels: two clouds' words for one thing.
    fn labels(&mut self, table: &SourceTable) -> BTreeMap<String, String> {
        let mut merged = table.tags.clone().unwrap_or_default();
        for (key, value) in table.labels.iter().flatten() {
            let former = merged.insert(key.clone(), value.clone());
            if let Some(former) = former.filter(|former| former != value) {
                let path = [Step::from("source"), Step::from("labels"), Step::from(key.as_str())];
                let message = format!("{} must be {} and, as a tag, {}", quoted(key), quoted(value), quoted(&former));
                let problem = Problem::meaning(self.root.locate(&path), message);
                self.problems
                    .push(problem.with_help("`tags` and `labels` are two words for one thing: give each key once"));
            }
        }
        merged
    }
}
