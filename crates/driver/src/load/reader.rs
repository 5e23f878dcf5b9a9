//! Our tree as a serde deserializer.
//!
//! `toml`'s own deserializer reads the file, but not a value that comes from the environment, where everything is text;
//! `config`'s reads both, but has no positions. This one reads the tree that both end in. What it adds to plain serde:
//! an error stands at the innermost value that it is about; a key that a type ignores is noted with the names that the
//! type does know, and reading goes on, so that one run tells of every typo; text from the environment passes for
//! the number or the flag that it spells, text from the file never does.

use std::cell::RefCell;
use std::slice;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};

use super::problem::{Nature, Problem};
use super::tree::{Entry, Kind, Node, Origin, Step};

/// Where a reader is, as a chain along the stack: written out only when something is wrong.
#[derive(Debug, Clone, Copy)]
enum Path<'a> {
    Base(&'a [Step]),
    Key(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl Path<'_> {
    fn steps(&self) -> Vec<Step> {
        match self {
            Self::Base(steps) => steps.to_vec(),
            Self::Key(parent, key) => {
                let mut steps = parent.steps();
                steps.push(Step::from(*key));
                steps
            }
            Self::Index(parent, index) => {
                let mut steps = parent.steps();
                steps.push(Step::from(*index));
                steps
            }
        }
    }

    fn table(&self) -> Vec<Step> {
        match self {
            Self::Base(_) => Vec::new(),
            Self::Key(parent, _) | Self::Index(parent, _) => parent.steps(),
        }
    }
}

/// Reads a type from a tree that stands at `base`. Every key that the type does not know is a problem, which leaves the
/// value usable; so is the first value that does not fit, which does not.
pub(crate) fn read<T: DeserializeOwned>(node: &Node, base: &[Step]) -> (Option<T>, Vec<Problem>) {
    let unknown = RefCell::new(Vec::new());
    let path = Path::Base(base);
    let result = T::deserialize(Reader { node, path: &path, unknown: &unknown, key: None });
    let mut problems = unknown.into_inner();
    match result {
        Ok(value) => (Some(value), problems),
        Err(problem) => {
            problems.push(problem);
            (None, problems)
        }
    }
}

/// The key under which a value stands, and what else would be known there.
#[derive(Debug, Clone, Copy)]
struct Under<'a> {
    entry: &'a Entry,
    known: &'a [&'static str],
}

#[derive(Debug, Clone, Copy)]
struct Reader<'a> {
    node: &'a Node,
    path: &'a Path<'a>,
    unknown: &'a RefCell<Vec<Problem>>,
    key: Option<Under<'a>>,
}

impl<'a> Reader<'a> {
    fn placed<T>(self, result: Result<T, Problem>) -> Result<T, Problem> {
        result.map_err(|problem| problem.or_at(&self.node.origin, || self.path.steps()))
    }

    fn variable(self) -> Option<&'a str> {
        match (&self.node.origin, &self.node.kind) {
            (Origin::Variable(_), Kind::Text(text)) => Some(text.trim()),
            _ => None,
        }
    }

    fn whole<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.variable().and_then(|text| text.parse().ok()) {
            Some(number) => self.placed(visit_whole(number, visitor)),
            None => self.deserialize_any(visitor),
        }
    }

    fn fields<'de, V: Visitor<'de>>(self, known: &'a [&'static str], visitor: V) -> Result<V::Value, Problem> {
        match &self.node.kind {
            Kind::Table(entries) => {
                let access = Entries { reader: self, rest: entries.iter(), current: None, known };
                // A visitor of its own making refuses a key by name only; it stands in this table.
                let result = visitor.visit_map(access).map_err(|problem| match &problem.nature {
                    Nature::Unknown { key, .. } => match entries.iter().find(|entry| *entry.key == **key) {
                        Some(entry) => problem.or_at(&entry.origin, || self.path.steps()),
                        None => problem,
                    },
                    _ => problem,
                });
                self.placed(result)
            }
            // A derived type would take a list for its fields in order, which nobody means in a topology.
            _ => self.placed(Err(Problem::form(format!("expected a table, found {}", self.node.describe())))),
        }
    }
}

fn visit_whole<'de, V: Visitor<'de>>(number: i128, visitor: V) -> Result<V::Value, Problem> {
    if let Ok(number) = i64::try_from(number) {
        visitor.visit_i64(number)
    } else if let Ok(number) = u64::try_from(number) {
        visitor.visit_u64(number)
    } else {
        Err(Problem::form("this number is too large"))
    }
}

macro_rules! whole_numbers {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
            self.whole(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        let result = match &self.node.kind {
            Kind::Text(text) => visitor.visit_str(text),
            Kind::Integer(number) => visit_whole(*number, visitor),
            Kind::Float(number) => visitor.visit_f64(*number),
            Kind::Boolean(flag) => visitor.visit_bool(*flag),
            Kind::Datetime(_) => Err(Problem::invalid_type(Unexpected::Other(&self.node.describe()), &visitor)),
            Kind::List(items) => visitor.visit_seq(Items { reader: self, rest: items.iter().enumerate() }),
            Kind::Table(_) => return self.fields(&[], visitor),
        };
        self.placed(result)
    }

    whole_numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.variable().and_then(|text| text.parse().ok()) {
            Some(number) => self.placed(visitor.visit_f64(number)),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.variable().and_then(|text| text.to_lowercase().parse().ok()) {
            Some(flag) => self.placed(visitor.visit_bool(flag)),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.placed(visitor.visit_some(self))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Problem> {
        self.placed(visitor.visit_newtype_struct(self))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        self.fields(fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        let result = match &self.node.kind {
            Kind::Text(text) => {
                let name: StrDeserializer<'_, Problem> = text.as_str().into_deserializer();
                visitor.visit_enum(name)
            }
            Kind::Table(entries) => match entries.as_slice() {
                [entry] => visitor.visit_enum(Variant { reader: self, entry }),
                [] => Err(Problem::form("this table is empty; it takes one key")),
                [_, second, ..] => {
                    Err(Problem::form(format!("this table takes one key; `{}` is a second", second.key))
                        .or_at(&second.origin, Vec::new))
                }
            },
            _ => Err(Problem::form(format!("expected a string or a table, found {}", self.node.describe()))),
        };
        self.placed(result)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        if let Some(Under { entry, known }) = self.key {
            let problem = Problem::unknown(&entry.origin, self.path.table(), &entry.key, known);
            self.unknown.borrow_mut().push(problem);
        }
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map identifier
    }
}

struct Items<'a> {
    reader: Reader<'a>,
    rest: std::iter::Enumerate<slice::Iter<'a, Node>>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Problem;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Problem> {
        let Some((index, node)) = self.rest.next() else { return Ok(None) };
        let path = Path::Index(self.reader.path, index);
        seed.deserialize(Reader { node, path: &path, unknown: self.reader.unknown, key: None }).map(Some)
    }
}

struct Entries<'a> {
    reader: Reader<'a>,
    rest: slice::Iter<'a, Entry>,
    current: Option<&'a Entry>,
    known: &'a [&'static str],
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Problem;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Problem> {
        self.current = self.rest.next();
        let Some(entry) = self.current else { return Ok(None) };
        let key: StrDeserializer<'_, Problem> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|problem| problem.or_at(&entry.origin, || self.reader.path.steps()))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Problem> {
        let Some(entry) = self.current else { return Err(Problem::form("a value was asked for before its key")) };
        let path = Path::Key(self.reader.path, &entry.key);
        let key = Some(Under { entry, known: self.known });
        seed.deserialize(Reader { node: &entry.value, path: &path, unknown: self.reader.unknown, key })
    }
}

/// A table of one key, as a variant with its content.
struct Variant<'a> {
    reader: Reader<'a>,
    entry: &'a Entry,
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Problem;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Problem> {
        let name: StrDeserializer<'_, Problem> = self.entry.key.as_str().into_deserializer();
        let value =
            seed.deserialize(name).map_err(|problem| problem.or_at(&self.entry.origin, || self.reader.path.steps()))?;
        Ok((value, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Problem;

    fn unit_variant(self) -> Result<(), Problem> {
        let message = format!("`{}` takes no value: write it as a string", self.entry.key);
        Err(Problem::form(message).or_at(&self.entry.origin, || self.reader.path.steps()))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Problem> {
        let path = Path::Key(self.reader.path, &self.entry.key);
        seed.deserialize(Reader { node: &self.entry.value, path: &path, unknown: self.reader.unknown, key: None })
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Problem> {
        let path = Path::Key(self.reader.path, &self.entry.key);
        Reader { node: &self.entry.value, path: &path, unknown: self.reader.unknown, key: None }
            .deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Problem> {
        let path = Path::Key(self.reader.path, &self.entry.key);
        Reader { node: &self.entry.value, path: &path, unknown: self.reader.unknown, key: None }.fields(fields, visitor)
    }
}
