//! `POST /batch/compute/v1`: several requests in one, as gcloud sends two deletes.
//!
//! The outer request carries the token; each part is a request of its own that is counted and met by faults like one
//! that came alone ("Batching requests", Compute Engine documentation).

use super::Request;
use crate::model::Refusal;
use crate::state::{Delivery, Reply};

/// Google's bound on the parts of one batch.
const MOST: usize = 1000;

/// The parts of a batch: their ids and requests.
pub(crate) fn parts(
    content_type: &str,
    authorization: Option<&str>,
    body: &[u8],
) -> Result<Vec<(String, Request)>, Reply> {
    let refused = |message: &str| {
        let rendered = super::problems::render(&Refusal::new("badRequest", message), "");
        Reply { rendered, delivery: Delivery::Whole }
    };
    let boundary =
        boundary(content_type).ok_or_else(|| refused("Failed to parse batch request, error: no boundary"))?;
    let text = std::str::from_utf8(body).map_err(|_| refused("Failed to parse batch request, error: not UTF-8"))?;
    let marker = format!("--{boundary}");
    let parts = text.split(marker.as_str()).skip(1).take_while(|part| !part.starts_with("--"));
    let parts: Vec<_> = parts.filter_map(|part| read(part, authorization)).collect();
    match parts.len() {
        0 => Err(refused("Failed to parse batch request, error: 0 items")),
        1..=MOST => Ok(parts),
        _ => Err(refused("The batch request has more than 1000 calls")),
    }
}

fn boundary(content_type: &str) -> Option<&str> {
    let (_, rest) = content_type.split_once("boundary=")?;
    Some(rest.split(';').next()?.trim().trim_matches('"'))
}

/// Everything up to the first empty line, and what comes after it.
fn halves(text: &str) -> (&str, &str) {
    text.split_once("\r\n\r\n").or_else(|| text.split_once("\n\n")).unwrap_or((text, ""))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = head.lines().filter_map(|line| line.split_once(':'));
    pairs.find(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn read(part: &str, authorization: Option<&str>) -> Option<(String, Request)> {
    let (outer, inner) = halves(part.trim_start_matches(['\r', '\n']));
    let (head, body) = halves(inner.trim_start_matches(['\r', '\n']));
    let mut line = head.lines().next()?.split_whitespace();
    let (verb, target) = (line.next()?, line.next()?);
    let after_host = target.split_once("://").map_or(target, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
    let (path, query) = after_host.split_once('?').unwrap_or((after_host, ""));
    let authorization = header(head, "authorization").or(authorization);
    let id = header(outer, "content-id").unwrap_or("<0>").to_owned();
    Some((id, Request::new(verb, path, query, authorization, body.trim_end().as_bytes())))
}

/// The answers of a batch in one. How badly it is delivered is up to the worst of them.
pub(crate) fn answers(replies: Vec<(String, Reply)>) -> Reply {
    let delivery = replies.iter().map(|(_, reply)| reply.delivery).max().unwrap_or(Delivery::Whole);
    let parts: Vec<String> = replies.into_iter().map(|(id, reply)| answer(&id, &reply)).collect();
    let body = parts.concat() + "--batch_lab--\r\n";
    Reply { delivery, ..Reply::page(200, "multipart/mixed; boundary=batch_lab", body) }
}

fn answer(id: &str, Reply { rendered, .. }: &Reply) -> String {
    let id = id.trim_start_matches('<');
    let status = hyper::StatusCode::from_u16(rendered.status).unwrap_or_default();
    format!(
        "--batch_lab\r\nContent-Type: application/http\r\nContent-ID: <response-{id}\r\n\r\nHTTP/1.1 {} {}\r\n\
         Content-Type: {}\r\nContent-Length: {}\r\n\r\n{}\r\n",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default(),
        rendered.content_type,
        rendered.body.len(),
        rendered.body,
    )
}
