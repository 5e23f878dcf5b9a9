//! What Amazon's query protocols have in common: a form goes in, XML comes out, and a signature says who asks.
//!
//! EC2 and `CloudFormation` name, page and refuse differently, but they read the same flat list of parameters and the same
//! credential scope, so those are read in one place.

mod caller;
mod pages;
mod params;
mod xml;

pub(crate) use caller::Caller;
pub(crate) use pages::cut;
pub(crate) use params::{Params, boolean};
pub(crate) use xml::{Element, Wrapping, error_body, error_response};

use crate::dialect::Rendered;

/// A new request id.
pub(crate) fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// An answer as Amazon sends it: the request's id is in a header as well.
pub(crate) fn rendered(status: u16, body: String, id: String) -> Rendered {
    Rendered { status, body, content_type: "text/xml;charset=UTF-8", headers: vec![("x-amzn-requestid", id)] }
}
