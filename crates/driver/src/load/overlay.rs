//! The environment, laid over the scalars of tables.
//!
//! `config` knows how a variable's name becomes a key and how one layer goes over another. It does not know where a value
//! stands in a file, and it would turn a list into a table if a variable's name said so. So it gets the tables of the file
//! with blanks for values, and what it returns is woven back into the tree: a key that a variable set has the variable for
//! its origin, everything else is the file's own, positions and lists included. Variables that cannot mean anything are
//! refused first, because a setting lost in silence is a wrong route later.

use std::collections::BTreeMap;
use std::ffi::OsString;

use config::{Case, Config, ConfigError, Environment, Map, Value, ValueKind};

use super::problem::Problem;
use super::tree::{Entry, Kind, Node, Origin};

/// What the names of our variables begin with, before the first separator.
pub(crate) const PREFIX: &str = "KROUTES_TOPOLOGY";

/// No table of a topology is deeper; a name that claims to be is refused before anything recurses on it.
const DEEPEST: usize = 8;

/// Variable names by the path that they set, as `config` writes it: `aws.route-table`.
type Variables = BTreeMap<String, String>;

/// The tree with the environment laid over it. An empty variable counts as not set.
pub(crate) fn lay_over(
    root: &Node,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Node, Vec<Problem>> {
    let mut problems = Vec::new();
    let values = ours(environment, &mut problems);
    let variables = paths(&values, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    if variables.is_empty() {
        return Ok(root.clone());
    }
    let merged = Config::builder()
        .add_source(Blank(blank(root)))
        .add_source(naming().source(Some(values.into_iter().collect())))
        .build()
        .map_err(|error| vec![Problem::form(format!("the environment cannot be read: {error}"))])?;
    Ok(weave(&merged.cache, Some(root), &mut Vec::new(), &variables))
}

fn naming() -> Environment {
    Environment::with_prefix(PREFIX).separator("__").convert_case(Case::Kebab)
}

/// Those variables that are meant for us, as text.
fn ours(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for (name, value) in environment {
        let Ok(name) = name.into_string() else { continue };
        // `config` reads names in any case, so any case must be looked at.
        let ours = name.get(..PREFIX.len()).is_some_and(|head| head.eq_ignore_ascii_case(PREFIX));
        if !ours || value.is_empty() {
            continue;
        }
        let origin = Origin::Variable(name.clone());
        let Ok(value) = value.into_string() else {
            problems.push(Problem::meaning(&origin, "the value is not UTF-8 text"));
            continue;
        };
        let rest = &name[PREFIX.len()..];
        if rest.strip_prefix("__").is_some_and(is_path) {
            values.insert(name, value);
        } else {
            let help = format!("two underscores go between all parts: `{PREFIX}__CLUSTER__POD_CIDR`");
            problems.push(Problem::meaning(&origin, "this names no key of a topology").with_help(help));
        }
    }
    values
}

fn is_path(rest: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let word = |segment: &str| segment.contains(|c: char| c.is_ascii_alphanumeric()) && segment.chars().all(plain);
    rest.split("__").count() <= DEEPEST && rest.split("__").all(word)
}

/// The path of every variable, refusing those that contradict one another or go where no variable can.
fn paths(values: &BTreeMap<String, String>, problems: &mut Vec<Problem>) -> Variables {
    let mut variables = Variables::new();
    for (name, value) in values {
        let origin = Origin::Variable(name.clone());
        let alone = Map::from_iter([(name.clone(), value.clone())]);
        let Some(path) = config::Source::collect(&naming().source(Some(alone)))
            .ok()
            .and_then(|collected| collected.into_keys().next())
        else {
            problems.push(Problem::meaning(&origin, "this names no key of a topology"));
            continue;
        };
        match path.split('.').next() {
            Some("worker") => {
                let message = "`worker` cannot be set from the environment";
                problems.push(Problem::meaning(&origin, message).with_help("write the workers into the file"));
                continue;
            }
            Some(section) if section == path => {
                let message = format!("`[{section}]` is a table; a variable sets one key of it");
                let help = format!("add two underscores and the key: `{name}__KEY`");
                problems.push(Problem::meaning(&origin, message).with_help(help));
                continue;
            }
            _ => {}
        }
        let rival = variables
            .iter()
            .find(|(other, _)| within(&path, other) || within(other, &path))
            .map(|(_, rival): (&String, &String)| rival.clone());
        if let Some(rival) = rival {
            let message = format!("it sets the same key as `{rival}`");
            problems.push(Problem::meaning(&origin, message).with_help("unset one of them"));
            continue;
        }
        variables.insert(path, name.clone());
    }
    variables
}

/// Whether `inner` is `outer` or lies inside of it.
fn within(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The tables of the file, for `config` to lay the environment over.
#[derive(Debug, Clone)]
struct Blank(Value);

impl config::Source for Blank {
    fn clone_into_box(&self) -> Box<dyn config::Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        self.0.clone().into_table()
    }
}

fn blank(node: &Node) -> Value {
    match &node.kind {
        Kind::Table(entries) => {
            let table: Map<String, Value> =
                entries.iter().map(|entry| (entry.key.clone(), blank(&entry.value))).collect();
            Value::new(None, ValueKind::Table(table))
        }
        _ => Value::new(None, ValueKind::Nil),
    }
}

fn weave(value: &Value, file: Option<&Node>, path: &mut Vec<String>, variables: &Variables) -> Node {
    if let Some(name) = variables.get(&path.join(".")) {
        let text = value.clone().into_string().unwrap_or_default();
        return Node { origin: Origin::Variable(name.clone()), kind: Kind::Text(text) };
    }
    let ValueKind::Table(table) = &value.kind else {
        return file.cloned().unwrap_or_else(Node::absent);
    };
    let mut entries = Vec::with_capacity(table.len());
    for (key, value) in table {
        path.push(key.clone());
        let old = file.and_then(|file| file.entries().iter().find(|entry| entry.key == *key));
        let value = weave(value, old.map(|entry| &entry.value), path, variables);
        path.pop();
        let origin = old.map_or_else(|| first_origin(&value), |entry| entry.origin.clone());
        // Where a variable sets the value, the key is the file's still; but what is wrong with it is the variable's.
        let origin = if matches!(value.origin, Origin::Variable(_)) { value.origin.clone() } else { origin };
        entries.push(Entry { key: key.clone(), origin, value });
    }
    entries.sort_by(|a, b| (a.origin.order(), &a.key).cmp(&(b.origin.order(), &b.key)));
    let origin = match file {
        Some(file) if matches!(file.kind, Kind::Table(_)) => file.origin.clone(),
        _ => entries.first().map_or(Origin::Absent, |entry| first_origin(&entry.value)),
    };
    Node { origin, kind: Kind::Table(entries) }
}

/// A table that only the environment has is the matter of the first variable in it.
fn first_origin(node: &Node) -> Origin {
    match (&node.origin, node.entries().first()) {
        (Origin::Absent, Some(entry)) => first_origin(&entry.value),
        (origin, _) => origin.clone(),
    }
}
