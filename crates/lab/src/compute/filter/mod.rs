//! `filter`: which items a listing is about, in both of the syntaxes that Compute takes.
//!
//! The newer one is AIP-160, as far as Compute documents it: comparisons, `AND`, `OR` (which binds closer than `AND`),
//! `NOT`, parentheses, `:` for substrings and `:*` for "is there". The older one is `field eq regex` and `field ne
//! regex`, where the expression must match the whole field. The two cannot be mixed, and gcloud speaks the older one.

mod aip;
mod legacy;

use regex_lite::Regex;
use serde_json::Value;

use crate::model::Refusal;

/// How a field is compared.
#[derive(Debug)]
pub(super) enum Test {
    Equal(String),
    NotEqual(String),
    Has(String),
    Present,
    Ordered(std::cmp::Ordering, bool, String),
    Matches(Regex),
    MatchesNot(Regex),
}

/// What an item must be.
#[derive(Debug)]
pub(super) enum Filter {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Field(String, Test),
}

impl Filter {
    pub(super) fn read(text: &str) -> Result<Self, Refusal> {
        let read = if legacy::is_legacy(text) { legacy::read(text) } else { aip::read(text) };
        read.map_err(|reason| {
            Refusal::invalid_field("filter", text, &format!("Invalid list filter expression. {reason}"))
        })
    }

    pub(super) fn holds(&self, item: &Value) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(item)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(item)),
            Self::Not(part) => !part.holds(item),
            Self::Field(field, test) => {
                let mut values = Vec::new();
                collect(item, field, &mut values);
                test.holds(&values)
            }
        }
    }
}

/// The values of a field by its path; of a list, those of each of its items.
fn collect<'a>(value: &'a Value, path: &str, into: &mut Vec<&'a Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, path, into)),
        value if path.is_empty() => into.push(value),
        Value::Object(fields) => {
            let (first, rest) = path.split_once('.').unwrap_or((path, ""));
            if let Some(field) = fields.get(first) {
                collect(field, rest, into);
            }
        }
        _ => {}
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Test {
    fn holds(&self, values: &[&Value]) -> bool {
        // A field that is not there is like an empty one to the older syntax.
        let any = |test: &dyn Fn(&str) -> bool| match values {
            [] => test(""),
            values => values.iter().any(|value| test(&text(value))),
        };
        match self {
            Self::Equal(wanted) => values.iter().any(|value| text(value) == *wanted),
            Self::NotEqual(wanted) => values.iter().all(|value| text(value) != *wanted),
            Self::Present => !values.is_empty(),
            Self::Has(wanted) => values.iter().any(|value| match value {
                Value::String(held) => held.contains(wanted.as_str()),
                Value::Object(fields) => fields.contains_key(wanted),
                other => other.to_string() == *wanted,
            }),
            Self::Ordered(ordering, or_equal, wanted) => values.iter().any(|value| {
                let held = match (value.as_f64(), wanted.parse::<f64>()) {
                    (Some(held), Ok(wanted)) => held.partial_cmp(&wanted),
                    _ => Some(text(value).as_str().cmp(wanted)),
                };
                held.is_some_and(|held| held == *ordering || (*or_equal && held.is_eq()))
            }),
            Self::Matches(regex) => any(&|value| regex.is_match(value)),
            Self::MatchesNot(regex) => !any(&|value| regex.is_match(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn route() -> Value {
        json!({
            "name": "worker-1",
            "network": "https://www.googleapis.com/compute/v1/projects/p/global/networks/kubernetes-the-hard-way",
            "priority": 1000,
            "labels": {"owner": "kroutes"},
            "tags": ["one", "two"],
            "warnings": [{"code": "NEXT_HOP_NOT_RUNNING"}],
        })
    }

    fn holds(filter: &str) -> Result<bool, String> {
        Filter::read(filter).map(|filter| filter.holds(&route())).map_err(|refusal| refusal.message)
    }

    #[test]
    fn the_newer_syntax_compares_fields_and_joins_comparisons() {
        let rows = [
            (r#"name = "worker-1""#, true),
            (r#"name="worker-10""#, false),
            ("name = worker-1", true),
            ("name != worker-1", false),
            ("absent != x", true),
            ("priority = 1000", true),
            ("priority > 999 AND priority <= 1000", true),
            ("priority < 1000", false),
            ("name : worker", true),
            ("labels.owner:*", true),
            ("labels.other:*", false),
            ("labels:owner", true),
            ("labels.owner = kroutes", true),
            ("tags = two", true),
            ("warnings.code = NEXT_HOP_NOT_RUNNING", true),
            ("(name = a) OR (name = worker-1)", true),
            // The parentheses that AIP-160 implies: (a OR b) AND c.
            ("name = worker-1 OR name = a AND priority = 1", false),
            ("NOT name = a", true),
            ("-name = a", true),
            ("(name = worker-1) (priority = 1)", false),
            ("(name = worker-1) AND ((priority = 1) OR (priority = 1000))", true),
        ];
        for (filter, expected) in rows {
            assert_eq!(holds(filter), Ok(expected), "{filter}");
        }
    }

    #[test]
    fn the_older_syntax_matches_whole_fields() {
        let rows = [
            ("name eq worker-.*", true),
            ("name eq worker", false),
            ("name ne worker", true),
            ("name ne worker-1", false),
            (r#"network eq ".*\bkubernetes\-the\-hard\-way\b.*""#, true),
            (r#"network eq ".*\bkubernetes\-the\-easy\-way\b.*""#, false),
            ("name eq 'worker-1|worker-2'", true),
            ("(name eq worker-.*)(priority ne 1000)", false),
            ("(name eq worker-.*) (priority eq 1000)", true),
            ("(name eq (worker|node)-1)", true),
            ("absent eq ", true),
        ];
        for (filter, expected) in rows {
            assert_eq!(holds(filter), Ok(expected), "{filter}");
        }
    }

    #[test]
    fn a_filter_that_is_broken_or_mixed_is_refused_with_its_text() {
        let broken = [
            "name",
            "name =",
            "name == x",
            "= x",
            "(name = x",
            "name = x)",
            "name = \"x",
            "name = x AND",
            "name eq [",
            "name eq worker-.* AND priority = 1000",
            "(name eq worker-1) AND (priority = 1000)",
            "priority = 1000 AND name eq worker-.*",
        ];
        for filter in broken {
            let refused = holds(filter).expect_err(filter);
            assert!(refused.starts_with(&format!("Invalid value for field 'filter': '{filter}'.")), "{refused}");
        }
    }
}
