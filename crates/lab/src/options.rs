//! How a lab behaves, as opposed to what it holds.
//!
//! The defaults are those of a patient teacher: no throttling and no lag, so that the first run is instant. Whoever
//! wants to see how a tool lives with the real thing switches them on.

use std::time::Duration;

/// What `CreateRoute` answers when the very same route is there already. The documents leave it open (it is not in the
/// list of "Ensuring idempotency in Amazon EC2 API requests"), and both have been reported, so a client must bear both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IdenticalCreate {
    /// `RouteAlreadyExists`, as for any other taken destination.
    #[default]
    Refuse,
    /// Success.
    Accept,
}

/// How a lab behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Meter every action by the token buckets of "Request throttling for the Amazon EC2 API".
    pub published_buckets: bool,
    /// For how long after a write listings still show what was there before it.
    pub lag: Duration,
    /// Where generated ids and the dice of [`Fault::probability`](crate::Fault::probability) start from.
    pub seed: u64,
    /// Non-propagated routes that one table holds, per family ("Amazon VPC quotas": 500, at most 1,000).
    pub routes_limit: u32,
    /// The account that owns everything: twelve digits.
    pub account: String,
    /// The one region that holds anything; a request signed for another finds an empty cloud.
    pub region: String,
    /// The port to listen on; without one the system picks a free one.
    pub port: Option<u16>,
    /// What a repeated `CreateRoute` is told.
    pub identical_create: IdenticalCreate,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            published_buckets: false,
            lag: Duration::ZERO,
            seed: 0,
            routes_limit: 500,
            account: "123456789012".to_owned(),
            region: "us-west-2".to_owned(),
            port: None,
            identical_create: IdenticalCreate::Refuse,
        }
    }
}
