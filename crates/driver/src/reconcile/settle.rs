//! Reading back until it shows.
//!
//! A listing right after a write may still show the old state ("Eventual consistency in the Amazon EC2 API" asks for
//! exponential backoff "starting with a couple of seconds"), so a route that is not there yet is no failure at first.
//! After a bounded time it is: what cannot be seen is not done.

use std::time::Duration;

use kroutes_core::{Change, Error, ErrorKind, Result, RouteBackend, Table, TableId};
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::debug;

use super::Settings;
use super::index::Index;

/// How long an interrupted run looks at the tables before it ends. Whoever pressed ^C waits.
const LAST_LOOK: Duration = Duration::from_secs(10);

/// Lists the table until all of `changes` show, or the time is up. Once the run is told to stop, that is soon; all writes
/// have ended when this is called, so looking is all that is left to do.
pub(super) async fn settle(
    backend: &dyn RouteBackend,
    id: &TableId,
    changes: &[&Change],
    settings: &Settings,
) -> Result<Table> {
    let mut deadline = Instant::now() + settings.settle;
    let mut delay = Duration::from_millis(500);
    let mut hurried = false;
    loop {
        if settings.stop.is_stopped() && !hurried {
            hurried = true;
            settings.stop.let_look();
            deadline = Instant::now() + LAST_LOOK;
            delay = Duration::from_millis(500);
        }
        let looking = backend.list_routes(id);
        let table = if hurried {
            timeout_at(deadline, looking).await.unwrap_or_else(|_| Err(no_last_look()))
        } else {
            looking.await
        };
        if settings.stop.is_stopped() && !hurried {
            // The listing may have been cut off by that.
            continue;
        }
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
            () = settings.stop.stopped(), if !hurried => {}
            () = sleep_until(next) => {}
        }
        delay = (delay * 2).min(Duration::from_secs(15));
    }
}

fn no_last_look() -> Error {
    let message =
        format!("the run was interrupted, and the table could not be read back within {} s", LAST_LOOK.as_secs());
    Error::new(ErrorKind::Unavailable, message).help("`kroutes verify` tells how things stand")
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

/// What a change of several writes is told of which the first ones were accepted. Not even an interruption makes it one
/// that was not begun.
pub(super) fn half_done(error: Error) -> Error {
    let (kind, message) = match error.kind() {
        ErrorKind::Interrupted => {
            (ErrorKind::Unavailable, "the run was interrupted after the first of several writes".to_owned())
        }
        kind => (kind, format!("the first of several writes was made, and the next one failed: {error}")),
    };
    let known = Error::new(kind, message).with_retryable(error.is_retryable()).with_ambiguous(error.is_ambiguous());
    let known = error.context().iter().fold(known, |known, (name, value)| known.with(name, value.clone()));
    known.with_source(error).help("run kroutes again: it removes what is left over")
}
