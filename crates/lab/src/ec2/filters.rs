//! `Filter.N`: which resources a listing is about.
//!
//! From "Find your Amazon EC2 resources": at most 50 filters and 200 values each, `*` and `?` as wildcards, a backslash
//! takes their meaning away, names and values are case-sensitive. All filters must hold, and of each filter one value.

use wildmatch::WildMatchPattern;

use super::Params;
use crate::model::{Refusal, Tags};

// Wildcards that nobody types, so that an escaped `*` can stay what it is.
const MANY: char = '\u{e000}';
const ONE: char = '\u{e001}';

enum Pattern {
    Literal(String),
    Wild(WildMatchPattern<MANY, ONE>),
}

impl Pattern {
    fn new(text: &str) -> Self {
        let mut wild = false;
        let mut translated = String::with_capacity(text.len());
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match c {
                '\\' => translated.push(rest.next().unwrap_or('\\')),
                '*' => translated.push(MANY),
                '?' => translated.push(ONE),
                _ => translated.push(c),
            }
            wild |= matches!(c, '*' | '?');
        }
        if wild { Self::Wild(WildMatchPattern::new(&translated)) } else { Self::Literal(translated) }
    }

    fn matches(&self, value: &str) -> bool {
        match self {
            Self::Literal(text) => text == value,
            Self::Wild(pattern) => pattern.matches(value),
        }
    }
}

/// The filters of one request.
pub(super) struct Filters(Vec<(String, Vec<Pattern>)>);

impl Filters {
    /// Reads and judges them; `known` are the names that the action understands besides those of tags.
    pub(super) fn read(params: &Params, known: &[&str]) -> Result<Self, Refusal> {
        let numbers = params.numbers("Filter");
        if numbers.len() > 50 {
            let message = "The maximum number of filters specified on a single call is 50";
            return Err(Refusal::new("FilterLimitExceeded", message));
        }
        let mut filters = Vec::new();
        for number in numbers {
            let name = params.need(&format!("Filter.{number}.Name"))?;
            let of_tags = name == "tag-key" || name.strip_prefix("tag:").is_some_and(|key| !key.is_empty());
            if !of_tags && !known.contains(&name) {
                return Err(Refusal::invalid_value(format!("The filter '{name}' is invalid")));
            }
            let values = params.list(&format!("Filter.{number}.Value"));
            if values.is_empty() {
                return Err(Refusal::invalid_value(format!("The filter '{name}' is missing a value")));
            }
            if values.len() > 200 {
                let message = "The maximum number of filter values specified on a single call is 200";
                return Err(Refusal::new("FilterLimitExceeded", message));
            }
            if values.iter().any(|value| value.chars().count() > 255) {
                return Err(Refusal::invalid_value(format!(
                    "The filter '{name}' has a value longer than 255 characters"
                )));
            }
            filters.push((name.to_owned(), values.iter().map(|value| Pattern::new(value)).collect()));
        }
        Ok(Self(filters))
    }

    /// Whether a resource passes; `values` tells what it has under a filter's name.
    pub(super) fn pass(&self, tags: &Tags, values: impl Fn(&str) -> Vec<String>) -> bool {
        self.0.iter().all(|(name, patterns)| {
            let hit = |value: &str| patterns.iter().any(|pattern| pattern.matches(value));
            if name == "tag-key" {
                return tags.keys().any(|key| hit(key));
            }
            if let Some(key) = name.strip_prefix("tag:") {
                return tags.get(key).is_some_and(|value| hit(value));
            }
            values(name).iter().any(|value| hit(value))
        })
    }
}

/// A filter's values where there is at most one.
pub(super) fn one(value: Option<impl ToString>) -> Vec<String> {
    value.map(|value| value.to_string()).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(query: &str, name: &str) -> Result<bool, String> {
        let params = Params::parse(query.as_bytes());
        let filters = Filters::read(&params, &["vpc-id"]).map_err(|refusal| refusal.code)?;
        let tags = Tags::from([("Name".to_owned(), name.to_owned())]);
        Ok(filters.pass(&tags, |_| vec!["vpc-1".to_owned()]))
    }

    #[test]
    fn wildcards_match_and_a_backslash_takes_their_meaning_away() {
        let rows = [
            ("worker-1", "worker-1", true),
            ("worker-1", "worker-10", false),
            ("worker-*", "worker-10", true),
            ("worker-?", "worker-1", true),
            ("worker-?", "worker-10", false),
            (r"worker-\*", "worker-1", false),
            (r"worker-\*", "worker-*", true),
            (r"*-\?", "worker-?", true),
            ("Worker-1", "worker-1", false),
            ("*", "", true),
        ];
        for (pattern, name, expected) in rows {
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("Filter.1.Name", "tag:Name")
                .append_pair("Filter.1.Value.1", pattern)
                .finish();
            assert_eq!(passes(&query, name), Ok(expected), "{pattern} on {name}");
        }
    }

    #[test]
    fn all_filters_must_hold_and_of_each_one_value() {
        let both =
            "Filter.1.Name=tag:Name&Filter.1.Value.1=a&Filter.1.Value.2=b&Filter.2.Name=vpc-id&Filter.2.Value.1=";
        assert_eq!(passes(&format!("{both}vpc-1"), "b"), Ok(true));
        assert_eq!(passes(&format!("{both}vpc-2"), "b"), Ok(false));
        assert_eq!(passes(&format!("{both}vpc-1"), "c"), Ok(false));
    }

    #[test]
    fn an_unknown_filter_and_too_many_values_are_refused() {
        let unknown = passes("Filter.1.Name=colour&Filter.1.Value.1=red", "a");
        assert_eq!(unknown, Err("InvalidParameterValue".to_owned()));
        let values: Vec<_> = (1..=201).map(|n| format!("Filter.1.Value.{n}=w{n}")).collect();
        let many = passes(&format!("Filter.1.Name=tag:Name&{}", values.join("&")), "a");
        assert_eq!(many, Err("FilterLimitExceeded".to_owned()));
    }
}
