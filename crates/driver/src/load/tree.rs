//! A topology as a tree in which every value knows where it came from.
//!
//! A message is only as good as the place it points at, and a value may stand in the file or come from the environment.
//! So each node carries its origin from the moment it is parsed, through the overlay, to the deserializer and the
//! judgement of meaning; no layer has to find a value a second time to say where it is.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Where a value or a key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Bytes of the file.
    File(Range<usize>),
    /// An environment variable, by its name.
    Variable(String),
    /// Nowhere: a section that is absent.
    Absent,
}

impl Origin {
    /// A sort key that keeps the order of the file; what is not in the file comes last.
    pub(crate) fn order(&self) -> usize {
        match self {
            Self::File(span) => span.start,
            Self::Variable(_) | Self::Absent => usize::MAX,
        }
    }
}

/// A value with its origin.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) origin: Origin,
    pub(crate) kind: Kind,
}

/// What TOML knows.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Text(String),
    /// Wide enough for every number that any field can take; beyond that it is clamped, which no field accepts either.
    Integer(i128),
    Float(f64),
    Boolean(bool),
    Datetime(String),
    List(Vec<Node>),
    /// In the order of the file.
    Table(Vec<Entry>),
}

/// A key of a table with its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) origin: Origin,
    pub(crate) value: Node,
}

/// One step from a table or list to what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl Node {
    /// The tree of a parsed document.
    pub(crate) fn from_document(document: &Spanned<DeTable<'_>>) -> Self {
        Self { origin: Origin::File(document.span()), kind: Self::table(document.get_ref()) }
    }

    /// An empty table that stands nowhere.
    pub(crate) const fn absent() -> Self {
        Self { origin: Origin::Absent, kind: Kind::Table(Vec::new()) }
    }

    fn from_value(value: &Spanned<DeValue<'_>>) -> Self {
        let kind = match value.get_ref() {
            DeValue::String(text) => Kind::Text(text.clone().into_owned()),
            DeValue::Integer(number) => {
                let clamped = if number.as_str().starts_with('-') { i128::MIN } else { i128::MAX };
                Kind::Integer(i128::from_str_radix(number.as_str(), number.radix()).unwrap_or(clamped))
            }
            DeValue::Float(number) => Kind::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(flag) => Kind::Boolean(*flag),
            DeValue::Datetime(datetime) => Kind::Datetime(datetime.to_string()),
            DeValue::Array(items) => Kind::List(items.iter().map(Self::from_value).collect()),
            DeValue::Table(table) => Self::table(table),
        };
        Self { origin: Origin::File(value.span()), kind }
    }

    fn table(table: &DeTable<'_>) -> Kind {
        let mut entries: Vec<Entry> = table
            .iter()
            .map(|(key, value)| Entry {
                key: key.get_ref().clone().into_owned(),
                origin: Origin::File(key.span()),
                value: Self::from_value(value),
            })
            .collect();
        entries.sort_by_key(|entry| entry.origin.order());
        Kind::Table(entries)
    }

    /// The entries of a table; none where this is no table.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Table(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none where this is no list.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The same table with only the entries that pass.
    pub(crate) fn only(&self, keep: impl Fn(&str) -> bool) -> Self {
        let kind = match &self.kind {
            Kind::Table(entries) => Kind::Table(entries.iter().filter(|entry| keep(&entry.key)).cloned().collect()),
            other => other.clone(),
        };
        Self { origin: self.origin.clone(), kind }
    }

    /// Where the value at the end of `path` stands. A string that could have been a list is its own first item, and
    /// where the path ends early, so does the answer.
    pub(crate) fn locate(&self, path: &[Step]) -> &Origin {
        let mut node = self;
        for step in path {
            let next = match step {
                Step::Key(key) => node.get(key),
                Step::Index(index) => node.items().get(*index),
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        &node.origin
    }

    /// What sort of value this is, with the value where it is short.
    pub(crate) fn describe(&self) -> String {
        match &self.kind {
            Kind::Text(text) => format!("the string {}", quoted(text)),
            Kind::Integer(number) => format!("the number `{number}`"),
            Kind::Float(number) => format!("the number `{number}`"),
            Kind::Boolean(flag) => format!("`{flag}`"),
            Kind::Datetime(datetime) => format!("the date `{datetime}`"),
            Kind::List(_) => "a list".to_owned(),
            Kind::Table(_) => "a table".to_owned(),
        }
    }
}

/// A text from the outside in backticks, cut where it would fill the screen, with nothing in it that moves a cursor.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.chars().count() <= LONGEST {
        return format!("`{}`", text.escape_debug());
    }
    let head: String = text.chars().take(LONGEST).collect();
    format!("`{}…`", head.escape_debug())
}
