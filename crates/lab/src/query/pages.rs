//! Pages of a listing.
//!
//! A token holds the key of the last item that was shown, so that a listing goes on at the right place even when
//! something came or went in between.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The items of one page in the order of their keys, and the token of the next page if there is one; nothing at all where
/// `token` is none that was handed out. Without a size a page holds everything.
pub(crate) fn cut<T>(
    size: Option<usize>,
    token: Option<&str>,
    mut items: Vec<(String, T)>,
) -> Option<(Vec<T>, Option<String>)> {
    items.sort_by(|(one, _), (other, _)| one.cmp(other));
    if let Some(token) = token.filter(|token| !token.is_empty()) {
        let last = decode(token)?;
        items.retain(|(key, _)| *key > last);
    }
    let more = size.is_some_and(|size| items.len() > size);
    if let Some(size) = size {
        items.truncate(size);
    }
    let next = items.last().filter(|_| more).map(|(key, _)| URL_SAFE_NO_PAD.encode(format!("after {key}")));
    Some((items.into_iter().map(|(_, item)| item).collect(), next))
}

fn decode(token: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    text.strip_prefix("after ").map(str::to_owned)
}
