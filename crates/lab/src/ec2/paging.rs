//! `MaxResults` and `NextToken`, with EC2's own words for what is wrong with them.

use std::ops::RangeInclusive;

use super::{Element, Params};
use crate::model::Refusal;
use crate::query;

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
    items: Vec<(String, T)>,
) -> Result<(Vec<T>, Option<String>), Refusal> {
    let size = size(params, sizes)?.into_iter().chain(params.largest_page()).min();
    let token = params.get("NextToken");
    query::cut(size, token, items).ok_or_else(|| {
        Refusal::new("InvalidNextToken", format!("The token '{}' is not valid", token.unwrap_or_default()))
    })
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
