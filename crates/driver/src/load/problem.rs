//! What is wrong with one value, before it is prose.
//!
//! serde's own errors are sentences; what a good message needs is the pieces: which key, which table, what would have
//! been known there. So this type keeps them apart, is the error of our deserializer, and becomes a sentence only when
//! the whole topology has been read and it is clear what is reported at all.

use std::fmt;

use serde::de::{Expected, Unexpected};

use super::suggest::{listed, suggest};
use super::tree::{Origin, Step, quoted};

/// What sort of thing is wrong.
#[derive(Debug, Clone)]
pub(crate) enum Nature {
    /// A value that does not have the form that its key asks for.
    Form,
    /// A key that nobody reads.
    Unknown { key: Box<str>, known: Vec<String> },
    /// A key that must be there and is not.
    Missing { key: Box<str> },
    /// A well-formed value that cannot be meant.
    Meaning,
}

/// One thing that is wrong, and where. Texts are boxed because serde passes errors by value through every level.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) nature: Nature,
    pub(crate) message: Box<str>,
    pub(crate) help: Option<Box<str>>,
    /// Where; filled in by the innermost level that knows.
    pub(crate) origin: Option<Origin>,
    /// The path of the table that `nature` speaks of.
    pub(crate) table: Vec<Step>,
}

impl Problem {
    /// A well-formed value that cannot be meant.
    pub(crate) fn meaning(origin: &Origin, message: impl Into<String>) -> Self {
        Self { origin: Some(origin.clone()), ..Self::bare(Nature::Meaning, message.into().into()) }
    }

    /// A key that nobody reads.
    pub(crate) fn unknown(origin: &Origin, table: Vec<Step>, key: &str, known: &[&str]) -> Self {
        let known = known.iter().map(|&name| name.to_owned()).collect();
        let nature = Nature::Unknown { key: key.into(), known };
        Self { origin: Some(origin.clone()), table, ..Self::bare(nature, Box::default()) }
    }

    /// A key that must be there and is not.
    pub(crate) fn missing(origin: &Origin, table: Vec<Step>, key: &str) -> Self {
        let nature = Nature::Missing { key: key.into() };
        Self { origin: Some(origin.clone()), table, ..Self::bare(nature, Box::default()) }
    }

    /// A value that does not have the form that its key asks for.
    pub(crate) fn form(message: impl Into<String>) -> Self {
        Self::bare(Nature::Form, message.into().into())
    }

    /// Adds what to do about it.
    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into().into());
        self
    }

    /// Says where, unless a level further in has said so.
    pub(crate) fn or_at(mut self, origin: &Origin, table: impl FnOnce() -> Vec<Step>) -> Self {
        if self.origin.is_none() {
            self.origin = Some(origin.clone());
            self.table = table();
        }
        self
    }

    const fn bare(nature: Nature, message: Box<str>) -> Self {
        Self { nature, message, help: None, origin: None, table: Vec::new() }
    }

    /// The message and the help, as a person gets them.
    pub(crate) fn prose(&self) -> (String, Option<String>) {
        let variable = match &self.origin {
            Some(Origin::Variable(name)) => Some(name),
            _ => None,
        };
        match &self.nature {
            Nature::Unknown { key, known } => {
                let near = suggest(key, known);
                let message = match variable {
                    Some(name) => format!("environment variable `{name}` sets the unknown key {}", self.full(key)),
                    None if self.table.is_empty() => format!("unknown section or key {}", quoted(key)),
                    None => format!("unknown key {} in {}", quoted(key), table_name(&self.table)),
                };
                let help = match (near, variable) {
                    (Some(near), Some(_)) => match variable_name(&self.table, near) {
                        Some(meant) => Some(format!("did you mean `{meant}`?")),
                        None => Some(format!("did you mean `{near}`?")),
                    },
                    (Some(near), None) => Some(format!("did you mean `{near}`?")),
                    (None, _) if known.is_empty() => None,
                    (None, _) => Some(format!("known here: {}", listed(known))),
                };
                (message, self.help.as_deref().map(str::to_owned).or(help))
            }
            Nature::Missing { key } => {
                let message = format!("missing key `{key}` in {}", table_name(&self.table));
                let help = variable_name(&self.table, key).map(|name| format!("write it there, or set `{name}`"));
                (message, self.help.as_deref().map(str::to_owned).or(help))
            }
            Nature::Form | Nature::Meaning => {
                let message = match variable {
                    Some(name) => format!("environment variable `{name}`: {}", self.message),
                    None => self.message.to_string(),
                };
                (message, self.help.as_deref().map(str::to_owned))
            }
        }
    }

    fn full(&self, key: &str) -> String {
        let mut path = self.table.clone();
        path.push(Step::from(key));
        quoted(&dotted(&path))
    }
}

/// A path as it is written in TOML.
fn dotted(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        if let Step::Key(key) = step {
            if !text.is_empty() {
                text.push('.');
            }
            text.push_str(key);
        }
    }
    text
}

/// A table as its header shows it.
pub(crate) fn table_name(path: &[Step]) -> String {
    match path {
        [] => "the topology".to_owned(),
        [Step::Key(key)] => format!("`[{key}]`"),
        [Step::Key(list), Step::Index(_)] => format!("`[[{list}]]`"),
        longer => format!("`{}`", dotted(longer)),
    }
}

/// The environment variable that would set a key, where one can.
fn variable_name(table: &[Step], key: &str) -> Option<String> {
    let mut name = super::overlay::PREFIX.to_owned();
    for step in table {
        match step {
            Step::Key(key) => push_segment(&mut name, key),
            Step::Index(_) => return None,
        }
    }
    // Only keys of tables: a variable cannot hold a whole section.
    if table.is_empty() {
        return None;
    }
    push_segment(&mut name, key);
    Some(name)
}

fn push_segment(name: &mut String, key: &str) {
    name.push_str("__");
    name.push_str(&key.to_uppercase().replace('-', "_"));
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.prose().0)
    }
}

impl std::error::Error for Problem {}

impl serde::de::Error for Problem {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::form(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::form(format!("expected {}, found {}", in_words(expected), found_in_words(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let problem = Self::form(format!("{} is not one of {}", quoted(variant), listed(expected)));
        match suggest(variant, expected) {
            Some(near) => problem.with_help(format!("did you mean `{near}`?")),
            None => problem,
        }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let known = expected.iter().map(|&name| name.to_owned()).collect();
        Self::bare(Nature::Unknown { key: field.into(), known }, Box::default())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::bare(Nature::Missing { key: field.into() }, Box::default())
    }
}

/// serde speaks of Rust's types; a topology has texts and numbers.
fn in_words(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    match text.as_str() {
        "u8" => "a whole number from 0 to 255".to_owned(),
        "u16" => "a whole number from 0 to 65535".to_owned(),
        "u32" => "a whole number from 0 to 4294967295".to_owned(),
        "u64" | "usize" | "u128" => "a whole number of 0 or more".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" | "i128" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a table".to_owned(),
        _ if text.starts_with("struct ") => "a table".to_owned(),
        _ if text.starts_with("enum ") => "a name".to_owned(),
        _ => text,
    }
}

fn found_in_words(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Str(text) => format!("the string {}", quoted(text)),
        Unexpected::Bool(flag) => format!("`{flag}`"),
        Unexpected::Unsigned(number) => format!("the number `{number}`"),
        Unexpected::Signed(number) => format!("the number `{number}`"),
        Unexpected::Float(number) => format!("the number `{number}`"),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}
