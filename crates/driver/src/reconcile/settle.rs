//! Reading back until it shows.
//!
//! A listing right after a write may still show the old state ("Eventual consistency in the Amazon EC2 API" asks for
//! exponential backoff "starting with a couple of seconds"), so a route that is not there yet is no failure at first.
//! After a bounded time it is: what cannot be seen is not done.

use std::time::Duration;

use kroutes_core::{Change, Error, ErrorKind, Result, RouteBackend, Table, TableId};
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::Settings;
use super::index::Index;

/// Lists the table until all of `changes` show, or the time is up.
pub(super) async fn settle(
    backend: &dyn RouteBackend,
    id: &TableId,
    changes: &[&Change],
    settings: &Settings,
) -> Result<Table> {
    let deadline = Instant::now() + settings.settle;
    let mut delay = Duration::from_millis(500);
    loop {
        let table = backend.list_routes(id).await;
        let done = match &table {
            Ok(table) => {
                let index = Index::of(Some(table));
                changes.iter().all(|change| index.shows(change))
            }
            Err(error) => !error.is_retryable(),
        };
        let next = Instant::now() + delay;
        if done || next > deadline {
            return table;
        }
        debug!(table = %id, ?delay, "not everything shows yet; reading back again");
        tokio::select! {
            biased;
            () = settings.stop.cancelled() => return table,
            () = sleep_until(next) => {}
        }
        delay = (delay * 2).min(Duration::from_secs(15));
    }
}

/// What is said of a change that was accepted but does not show.
pub(super) fn unseen(change: &Change) -> Error {
    let what = if change.want().is_some() { "is not there" } else { "is still there" };
    Error::new(
        ErrorKind::Unavailable,
        format!("the provider accepted the change, but on reading back the route to `{}` {what}", change.destination()),
    )
    .help("another writer may have undone it, or the provider lags: run `kroutes verify` in a minute")
}
