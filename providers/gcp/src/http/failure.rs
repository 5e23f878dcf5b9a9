//! Requests without an answer.
//!
//! What matters is whether the request had been sent: if no connection came about, nothing happened, and trying again is
//! safe; after that a write may have happened, and only reading can tell. Two failures do not heal by themselves: a
//! certificate that is not trusted, and a port of this very machine where nobody listens.

use std::error::Error as StdError;
use std::fmt::Display;
use std::io;

use kroutes_core::{Error, ErrorKind};

use super::Endpoint;

const CERTIFICATE_HELP: &str = "set SSL_CERT_FILE to the certificates that your network's proxy needs";

/// A request to Compute that got no answer, or half of one.
pub(crate) fn lost(action: &'static str, endpoint: &Endpoint, write: bool, error: reqwest::Error) -> Error {
    let error = error.without_url();
    let made = if error.is_builder() {
        Error::new(ErrorKind::Invalid, format!("`{action}` cannot be sent: {}", deepest(&error)))
    } else if error.is_connect() {
        unconnected(endpoint, endpoint.is_loopback(), &error)
    } else {
        broken(endpoint, &error).with_ambiguous(write)
    };
    made.with("action", action)
}

/// No connection came about, so nothing was sent.
pub(crate) fn unconnected(to: impl Display, loopback: bool, error: &(dyn StdError + 'static)) -> Error {
    let cause = deepest(error);
    let refused = chain(error)
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    let made = Error::new(ErrorKind::Unavailable, format!("cannot connect to `{to}`: {cause}"));
    if cause.contains("certificate") {
        made.with_retryable(false).help(CERTIFICATE_HELP)
    } else if refused && loopback {
        made.with_retryable(false).help("start what should listen there, or correct the endpoint")
    } else {
        made.help("check the network and the endpoint, and HTTPS_PROXY if there is a proxy")
    }
}

/// The connection was lost after it had come about.
pub(crate) fn broken(to: impl Display, error: &(dyn StdError + 'static)) -> Error {
    Error::new(ErrorKind::Unavailable, format!("lost the connection to `{to}`: {}", deepest(error)))
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| (*error).source())
}

/// The last of a chain of errors, which is the one that says something.
fn deepest(error: &(dyn StdError + 'static)) -> String {
    let last = chain(error).last().map(ToString::to_string).unwrap_or_default();
    last.trim_end_matches('.').to_owned()
}
