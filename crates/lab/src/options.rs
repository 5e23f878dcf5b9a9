//! How a lab behaves, as opposed to what it holds.
//!
//! The defaults are those of a patient teacher: no throttling and no lag, so that the first run is instant. Whoever
//! wants to see how a tool lives with the real thing switches them on.

use std::collections::BTreeSet;
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
    /// Meter every action by what its cloud publishes: the token buckets of "Request throttling for the Amazon EC2 API",
    /// and 1,500 requests a minute for each group of methods of "Compute Engine rate quotas".
    pub published_buckets: bool,
    /// The share of every such allowance that another caller of the same account takes, from 0 to 1: of what there is at
    /// first, and of what comes back.
    pub other_caller: f64,
    /// For how long after a write listings still show what was there before it. At Compute a write is what an operation
    /// does when it ends.
    pub lag: Duration,
    /// Where generated ids and the dice of [`Fault::probability`](crate::Fault::probability) start from.
    pub seed: u64,
    /// Non-propagated routes that one table holds, per family ("Amazon VPC quotas": 500, at most 1,000).
    pub routes_limit: u32,
    /// Static routes that one VPC network holds. Google's own number differs from project to project and only the project's
    /// console shows it ("Quotas and limits", VPC documentation: `STATIC_ROUTES_PER_NETWORK`).
    pub network_routes_limit: u32,
    /// The account that owns everything: twelve digits.
    pub account: String,
    /// The one region that holds anything; a request signed for another finds an empty cloud.
    pub region: String,
    /// The port to listen on; without one the system picks a free one.
    pub port: Option<u16>,
    /// What a repeated `CreateRoute` is told.
    pub identical_create: IdenticalCreate,
    /// Compute's project: its id.
    pub project: String,
    /// How long an operation of Compute is under way: `PENDING` for the first half, `RUNNING` for the second. With none
    /// at all it is done when the next request of any kind comes.
    pub operation_delay: Duration,
    /// How many operations of the project may be under way at once; without a number, any.
    pub concurrent_operations: Option<u32>,
    /// Whether the first page of every listing of Compute is empty, with the token of the next: a filter may do that to
    /// any page ("Compute Engine API": a client goes by `nextPageToken`, never by the number of items).
    pub empty_pages: bool,
    /// The most that one page of a listing of EC2's or Compute's holds, whatever is asked for: either cloud may give less.
    pub largest_page: Option<usize>,
    /// How long an access token that the lab issues is good for.
    pub token_lifetime: Duration,
    /// Whether EC2's `DryRun` is not known, so that what it marks is carried out. EC2 knows it; moto 5.2.1 does not.
    pub ignores_dry_run: bool,
    /// What the caller may do, if not everything: see [`Cloud::allowed`](crate::Cloud::allowed).
    pub allowed: Option<BTreeSet<String>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            published_buckets: false,
            other_caller: 0.0,
            lag: Duration::ZERO,
            seed: 0,
            routes_limit: 500,
            network_routes_limit: 1000,
            account: "123456789012".to_owned(),
            region: "us-west-2".to_owned(),
            port: None,
            identical_create: IdenticalCreate::Refuse,
            project: "lab".to_owned(),
            operation_delay: Duration::ZERO,
            concurrent_operations: None,
            empty_pages: false,
            largest_page: None,
            token_lifetime: Duration::from_secs(3599),
            ignores_dry_run: false,
            allowed: None,
        }
    }
}
