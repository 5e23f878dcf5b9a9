//! The older syntax: `field eq regex`, `field ne regex`, several of them each in parentheses.

use regex_lite::Regex;

use super::{Filter, Test};

/// Whether a filter begins as one of this syntax does.
pub(super) fn is_legacy(text: &str) -> bool {
    let mut words = text.trim_start_matches(|c: char| c == '(' || c.is_whitespace()).split_whitespace();
    words.next();
    matches!(words.next(), Some("eq" | "ne"))
}

pub(super) fn read(text: &str) -> Result<Filter, String> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    if !rest.starts_with('(') {
        return comparison(rest);
    }
    while !rest.is_empty() {
        let end = closing(rest)?;
        parts.push(comparison(&rest[1..end])?);
        rest = rest[end + 1..].trim_start();
    }
    Ok(Filter::All(parts))
}

/// Where the parenthesis closes that a text begins with.
fn closing(text: &str) -> Result<usize, String> {
    if !text.starts_with('(') {
        return Err(format!("Expressions of `eq` and `ne` cannot be joined by others: {text}"));
    }
    let (mut depth, mut quote, mut escaped) = (0_u32, None, false);
    for (index, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if quote == Some(c) => quote = None,
            _ if quote.is_some() => {}
            '"' | '\'' => quote = Some(c),
            '(' => depth += 1,
            ')' if depth == 1 => return Ok(index),
            ')' => depth -= 1,
            _ => {}
        }
    }
    Err("A parenthesis is not closed.".to_owned())
}

fn comparison(text: &str) -> Result<Filter, String> {
    let text = text.trim_start();
    let (field, rest) = text.split_once(char::is_whitespace).ok_or("A comparison lacks its operator.")?;
    let rest = rest.trim_start();
    let (operator, pattern) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let pattern = pattern.trim();
    let quoted = ['"', '\''].into_iter().find_map(|quote| pattern.strip_prefix(quote)?.strip_suffix(quote));
    let mixed = [" AND ", " OR ", " = ", " != "].iter().any(|joint| pattern.contains(joint));
    if mixed && quoted.is_none() {
        return Err("The two syntaxes of filters cannot be mixed.".to_owned());
    }
    let regex = Regex::new(&format!("^(?s:{})$", quoted.unwrap_or(pattern))).map_err(|error| error.to_string())?;
    let compared = match operator {
        "eq" => Test::Matches(regex),
        "ne" => Test::MatchesNot(regex),
        other => return Err(format!("`{other}` is no operator; `eq` and `ne` are.")),
    };
    Ok(Filter::Field(field.to_owned(), compared))
}
