//! `MaxResults` and `NextToken`.
//!
//! A token holds the id of the last resource that was shown, so that a listing goes on at the right place even when
//! something came or went in between.

use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Element, Params};
use crate::model::Refusal;

/// One page of a listing whose items are sorted by their keys.
pub(super) fn page(
    params: &Params,
    sizes: RangeInclusive<usize>,
    set: &str,
    items: Vec<(String, Element)>,
) -> Result<Element, Refusal> {
    let (items, next) = cut(params, &sizes, items)?;
    Ok(Element::response().list(set, items).maybe("nextToken", next))
}

/// The items of one page in the order of their keys, and the token of the next page if there is one.
pub(super) fn cut<T>(
    params: &Params,
    sizes: &RangeInclusive<usize>,
    mut items: Vec<(String, T)>,
) -> Result<(Vec<T>, Option<String>), Refusal> {
    let size = size(params, sizes)?;
    items.sort_by(|(one, _), (other, _)| one.cmp(other));
    if let Some(token) = params.get("NextToken").filter(|token| !token.is_empty()) {
        let last = decode(token)
            .ok_or_else(|| Refusal::new("InvalidNextToken", format!("The token '{token}' is not valid")))?;
        items.retain(|(key, _)| *key > last);
    }
    let more = size.is_some_and(|size| items.len() > size);
    if let Some(size) = size {
        items.truncate(size);
    }
    let next = items.last().filter(|_| more).map(|(key, _)| URL_SAFE_NO_PAD.encode(format!("after {key}")));
    Ok((items.into_iter().map(|(_, item)| item).collect(), next))
}

/// Refuses pages of named resources where EC2 does.
pub(super) fn not_with_ids(params: &Params, ids: &str) -> Result<(), Refusal> {
    if params.get("MaxResults").is_none() || params.numbers(ids).is_empty() {
        return Ok(());
    }
    let message = format!("The parameter {ids}s cannot be used with the parameter maxResults");
    Err(Refusal::invalid_combination(message))
}

fn size(params: &Params, sizes: &RangeInclusive<usize>) -> Result<Option<usize>, Refusal> {
    let Some(text) = params.get("MaxResults") else { return Ok(None) };
    let bound = match text.parse::<usize>() {
        Ok(size) if sizes.contains(&size) => return Ok(Some(size)),
        Ok(size) if size > *sizes.end() => format!("less than {}", sizes.end()),
        _ => format!("greater than {}", sizes.start()),
    };
    let message = format!("Value ( {text} ) for parameter maxResults is invalid. Expecting a value {bound}.");
    Err(Refusal::invalid_value(message))
}

fn decode(token: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    text.strip_prefix("after ").map(str::to_owned)
}
