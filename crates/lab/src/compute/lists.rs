//! `filter`, `orderBy`, `maxResults` and `pageToken`: what every listing has.
//!
//! A token holds the key of the last item that was shown, so that a listing goes on at the right place even when
//! something came or went in between. Items are written only when they are shown, or a filter must see them: a project
//! of a hundred thousand routes is paged through two hundred times.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::filter::Filter;
use super::{Request, links};
use crate::Options;
use crate::model::Refusal;

/// The largest page, and the page without a wish (Compute Engine API, `maxResults`).
const LARGEST: usize = 500;

/// How a listing goes through what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Key,
    NewestFirst,
}

/// What one request wants of a listing.
pub(super) struct Listing {
    filter: Option<Filter>,
    order: Order,
    size: usize,
    after: Option<String>,
    empty: bool,
}

/// One page: items with their keys, and the token of the next page if there is one.
pub(super) struct Page {
    pub(super) items: Vec<(String, Value)>,
    next: Option<String>,
}

fn token(after: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("after {after}"))
}

fn read_token(token: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    String::from_utf8(bytes).ok()?.strip_prefix("after ").map(str::to_owned)
}

impl Listing {
    pub(super) fn read(request: &Request, options: &Options) -> Result<Self, Refusal> {
        let filter = request.param("filter").map(Filter::read).transpose()?;
        let order = match request.param("orderBy") {
            None | Some("name") => Order::Key,
            Some("creationTimestamp desc") => Order::NewestFirst,
            Some(other) => {
                let reason = "Must be `name` or `creationTimestamp desc`";
                return Err(Refusal::invalid_field("orderBy", other, reason));
            }
        };
        let size = match request.param("maxResults") {
            None => LARGEST,
            Some(text) => match text.parse() {
                Ok(0) => LARGEST,
                Ok(size) if size <= LARGEST => size,
                _ => {
                    let reason = "Must be greater than or equal to 0 and less than or equal to 500";
                    return Err(Refusal::invalid_field("maxResults", text, reason));
                }
            },
        };
        let size = options.largest_page.map_or(size, |most| size.min(most));
        let given = request.param("pageToken");
        let invalid = |text| Refusal::invalid_field("pageToken", text, "Invalid page token.");
        let after = given.map(|text| read_token(text).ok_or_else(|| invalid(text))).transpose()?;
        Ok(Self { filter, order, size, after, empty: options.empty_pages && given.is_none() })
    }

    /// One page of these items, which come in the order of their keys: how old each is, and how it is written.
    pub(super) fn page<'a, T: 'a>(
        &self,
        items: impl Iterator<Item = (&'a String, &'a T)>,
        created: impl Fn(&T) -> SystemTime,
        show: impl Fn(&str, &T) -> Value,
    ) -> Page {
        let keyed: Box<dyn Iterator<Item = (Cow<'a, str>, &'a String, &'a T)> + '_> = match self.order {
            Order::Key => Box::new(items.map(|(key, item)| (Cow::Borrowed(key.as_str()), key, item))),
            Order::NewestFirst => {
                let mut all: Vec<_> =
                    items.map(|(key, item)| (Cow::Owned(newest_first(created(item), key)), key, item)).collect();
                all.sort_unstable_by(|(one, ..): &(Cow<'_, str>, _, _), (other, ..)| one.cmp(other));
                Box::new(all.into_iter())
            }
        };
        if self.empty {
            return Page { items: Vec::new(), next: Some(token("")) };
        }
        let after = self.after.as_deref().unwrap_or_default();
        let mut shown = keyed
            .filter(|(place, ..)| place.as_ref() > after)
            .map(|(place, key, item)| (place, key.clone(), show(key, item)))
            .filter(|(.., value)| self.filter.as_ref().is_none_or(|filter| filter.holds(value)));
        let page: Vec<_> = shown.by_ref().take(self.size).collect();
        let more = page.len() == self.size && shown.next().is_some();
        let next = page.last().filter(|_| more).map(|(place, ..)| token(place));
        Page { items: page.into_iter().map(|(_, key, value)| (key, value)).collect(), next }
    }
}

/// A key that sorts the newest first, and the rest by name.
fn newest_first(created: SystemTime, key: &str) -> String {
    let millis = created.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    format!("{:020} {key}", u128::from(u64::MAX) - millis.min(u128::from(u64::MAX)))
}

impl Page {
    /// The answer of a plain listing; without items there is no `items`.
    pub(super) fn answer(self, request: &Request, kind: &str) -> Value {
        let items: Vec<Value> = self.items.into_iter().map(|(_, value)| value).collect();
        let mut answer = Self::frame(self.next, request, kind);
        if !items.is_empty() {
            answer["items"] = items.into();
        }
        answer
    }

    /// The answer of an aggregated listing: by scope, which is `zones/` or `regions/` and the first part of the key, or else
    /// `global`; and every scope is there.
    pub(super) fn aggregate(self, request: &Request, kind: &str, items: &str, scopes: Vec<String>) -> Value {
        let mut by_scope = serde_json::Map::new();
        for scope in scopes {
            let warning = json!({
                "code": "NO_RESULTS_ON_PAGE",
                "message": format!("There are no results for scope '{scope}' on this page."),
                "data": [{"key": "scope", "value": scope}],
            });
            by_scope.insert(scope, json!({"warning": warning}));
        }
        let places = if kind.starts_with("compute#subnetwork") { "regions" } else { "zones" };
        for (key, value) in self.items {
            let scope =
                key.split_once('/').map_or_else(|| "global".to_owned(), |(place, _)| format!("{places}/{place}"));
            let scope = by_scope.entry(scope).or_insert(Value::Null);
            match scope.get_mut(items).and_then(Value::as_array_mut) {
                Some(list) => list.push(value),
                None => *scope = json!({items: [value]}),
            }
        }
        let mut answer = Self::frame(self.next, request, kind);
        answer["items"] = by_scope.into();
        answer
    }

    fn frame(next: Option<String>, request: &Request, kind: &str) -> Value {
        let mut answer = json!({"kind": kind, "id": request.path, "selfLink": links::link(&request.path)});
        if let Some(next) = next {
            answer["nextPageToken"] = next.into();
        }
        answer
    }
}
