//! Following what Compute has promised.
//!
//! An insert or delete is answered with an operation, HTTP 200, and fails inside of it later. Waiting on each one costs a
//! request that is held for every one of five hundred; so those who wait share their looks: whose turn it is lists the
//! project's latest operations once, for all of them. An operation that a listing does not show, or shows as failed without
//! saying why, is asked for by name, and so is each one where listing them is not allowed, which is found out once.
//!
//! Nobody waits for ever: an operation that does not end in time leaves the write open, which only reading can close.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use kroutes_core::{Error, ErrorKind, Result};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use crate::client::Compute;
use crate::wire::{Operation, OperationList};
use crate::{errors, links};

/// The first look comes this soon, later ones after a third of the age of the oldest that is awaited.
const SOONEST: Duration = Duration::from_millis(250);
const LATEST: Duration = Duration::from_secs(5);
/// How many pages of a busy project's operations are looked through.
const PAGES: usize = 3;
/// After so many listings that do not show an operation it is asked for by name.
const UNSEEN: u32 = 2;

/// One operation that somebody waits for: nearly always one, but a name's next taker may wait for its holder's, too.
#[derive(Debug)]
struct Awaited {
    since: Instant,
    /// How many listings in a row did not show it.
    unseen: u32,
    /// How many wait, those who have been told and do not know it yet included.
    waiting: usize,
    /// Whom to tell; nobody once it has ended.
    tell: Vec<oneshot::Sender<Result<Operation>>>,
}

impl Awaited {
    const fn is_open(&self) -> bool {
        !self.tell.is_empty()
    }
}

/// All operations that are being followed.
#[derive(Debug)]
pub(crate) struct Operations {
    compute: Arc<Compute>,
    patience: Duration,
    awaited: Mutex<HashMap<String, Awaited>>,
    turn: tokio::sync::Mutex<()>,
    /// Whether listing was refused.
    blind: AtomicBool,
    latest: tokio::sync::Mutex<Option<Latest>>,
}

/// What the latest page of operations showed.
#[derive(Debug)]
struct Latest {
    /// When it was asked for.
    asked: Instant,
    shown: Arc<Vec<Operation>>,
}

/// Takes an operation off the list when nobody waits for it any more.
struct Following<'a> {
    all: &'a Operations,
    name: &'a str,
}

impl Drop for Following<'_> {
    fn drop(&mut self) {
        let mut all = self.all.awaited();
        if let Some(awaited) = all.get_mut(self.name) {
            awaited.waiting -= 1;
            if awaited.waiting == 0 {
                all.remove(self.name);
            }
        }
    }
}

impl Operations {
    pub(crate) fn new(compute: Arc<Compute>, patience: Duration) -> Self {
        Self {
            compute,
            patience,
            awaited: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            blind: AtomicBool::new(false),
            latest: tokio::sync::Mutex::default(),
        }
    }

    fn awaited(&self) -> MutexGuard<'_, HashMap<String, Awaited>> {
        // What is kept here is true or absent whoever panicked.
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the operation has ended, and says how.
    ///
    /// # Errors
    ///
    /// What the operation ended with; ambiguous where its end could not be seen.
    pub(crate) async fn follow(&self, action: &'static str, operation: Operation) -> Result<()> {
        let name = operation.name.clone();
        let ended = if operation.is_done() { self.with_reason(operation).await? } else { self.end_of(&name).await? };
        match ended.failure() {
            Some(failure) => {
                Err(errors::operation(action, &failure.code, failure.status, &failure.message).with("operation", name))
            }
            None => Ok(()),
        }
    }

    /// The operation that is making or deleting something right now, by the path of that, as far as the latest page of
    /// operations shows one. Whoever may not list them sees none.
    pub(crate) async fn under_way(&self, target: &str) -> Option<Operation> {
        let latest = self.latest().await.ok()?;
        let concerned = |operation: &&Operation| !operation.is_done() && links::path(&operation.target_link) == target;
        latest.iter().find(concerned).cloned()
    }

    /// The latest operations of the project, the newest first. Many ask for them at the same moment, and one listing that
    /// began after all of them had asked is as good as one for each. Whoever may not list them is shown none.
    ///
    /// # Errors
    ///
    /// Why they could not be listed, where that may be otherwise the next time.
    pub(crate) async fn latest(&self) -> Result<Arc<Vec<Operation>>> {
        let since = Instant::now();
        let mut latest = self.latest.lock().await;
        if let Some(latest) = latest.as_ref().filter(|latest| latest.asked >= since) {
            return Ok(Arc::clone(&latest.shown));
        }
        let asked = Instant::now();
        let (mut shown, mut token) = (Vec::new(), None);
        for _ in 0..PAGES {
            let Some(page) = self.page(token.as_deref()).await? else { break };
            (shown, token) = (page.items, page.next_page_token.filter(|token| !token.is_empty()));
            // An empty page with a token is not the end.
            if !shown.is_empty() || token.is_none() {
                break;
            }
        }
        let shown = Arc::new(shown);
        *latest = Some(Latest { asked, shown: Arc::clone(&shown) });
        Ok(shown)
    }

    /// A page of operations; none for whoever may not list them, who is refused once and does not ask again.
    async fn page(&self, token: Option<&str>) -> Result<Option<OperationList>> {
        if self.blind.load(Ordering::Relaxed) {
            return Ok(None);
        }
        match self.compute.operations(token).await {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                self.blind.store(true, Ordering::Relaxed);
                Ok(None)
            }
            other => other.map(Some),
        }
    }

    async fn end_of(&self, name: &str) -> Result<Operation> {
        let since = Instant::now();
        let (tell, mut told) = oneshot::channel();
        {
            let mut all = self.awaited();
            let nobody_yet = || Awaited { since, unseen: 0, waiting: 0, tell: Vec::new() };
            let awaited = all.entry(name.to_owned()).or_insert_with(nobody_yet);
            awaited.waiting += 1;
            awaited.tell.push(tell);
        }
        let _following = Following { all: self, name };
        loop {
            // The sender lives in the list until it has spoken, so a closed channel cannot be met here.
            let turn = tokio::select! {
                biased;
                Ok(ended) = &mut told => return ended,
                turn = self.turn.lock() => turn,
            };
            if since.elapsed() >= self.patience {
                return Err(never_ended(name, self.patience));
            }
            tokio::select! {
                biased;
                Ok(ended) = &mut told => return ended,
                () = sleep_until((Instant::now() + self.pause()).min(since + self.patience)) => {}
            }
            // Whoever looks, looks to the end: others wait for what is seen.
            self.look().await;
            drop(turn);
        }
    }

    /// How long to wait before the next look.
    fn pause(&self) -> Duration {
        let awaited = self.awaited();
        let open = awaited.values().filter(|awaited| awaited.is_open());
        let oldest = open.map(|awaited| awaited.since.elapsed()).max().unwrap_or_default();
        (oldest / 3).clamp(SOONEST, LATEST)
    }

    /// One look for everybody.
    async fn look(&self) {
        let mut token: Option<String> = None;
        let mut missing: HashSet<String> = {
            let all = self.awaited();
            all.iter().filter(|(_, awaited)| awaited.is_open()).map(|(name, _)| name.clone()).collect()
        };
        for _ in 0..PAGES {
            let page = match self.page(token.as_deref()).await {
                Ok(Some(page)) => page,
                Err(error) if error.is_retryable() => break,
                // No listing to be had: each by name then.
                Ok(None) | Err(_) => {
                    for awaited in self.awaited().values_mut() {
                        awaited.unseen = UNSEEN;
                    }
                    break;
                }
            };
            let mut done = Vec::new();
            {
                let mut all = self.awaited();
                for operation in page.items {
                    if let Some(awaited) = all.get_mut(&operation.name) {
                        awaited.unseen = 0;
                        missing.remove(&operation.name);
                        if operation.is_done() {
                            done.push(operation);
                        }
                    }
                }
            }
            for operation in done {
                self.settle(operation).await;
            }
            token = page.next_page_token.filter(|token| !token.is_empty());
            if token.is_none() || missing.is_empty() {
                break;
            }
        }
        let lost: Vec<String> = {
            let mut all = self.awaited();
            let open = all.iter_mut().filter(|(_, awaited)| awaited.is_open());
            open.filter_map(|(name, awaited)| {
                awaited.unseen += 1;
                (awaited.unseen > UNSEEN).then(|| name.clone())
            })
            .collect()
        };
        join_all(lost.iter().map(|name| self.look_at(name))).await;
    }

    /// A look at one operation alone.
    async fn look_at(&self, name: &str) {
        let ended = match self.compute.operation(name).await {
            Ok(operation) if !operation.is_done() => return,
            Err(error) if error.is_retryable() => return,
            Err(error) if error.kind() == ErrorKind::NotFound => Err(vanished(name)),
            other => other.map_err(|error| error.with_ambiguous(true)),
        };
        self.end(name, &ended);
    }

    async fn settle(&self, operation: Operation) {
        let name = operation.name.clone();
        let ended = self.with_reason(operation).await;
        self.end(&name, &ended);
    }

    /// A listing may leave out why an operation failed.
    async fn with_reason(&self, operation: Operation) -> Result<Operation> {
        if !operation.lacks_reason() {
            return Ok(operation);
        }
        // That it failed is known; if the reason cannot be had, the failure is told without.
        Ok(self.compute.operation(&operation.name).await.unwrap_or(operation))
    }

    fn end(&self, name: &str, ended: &Result<Operation>) {
        let tell = self.awaited().get_mut(name).map(|awaited| std::mem::take(&mut awaited.tell));
        for tell in tell.into_iter().flatten() {
            // Whoever has stopped waiting does not want to know.
            let _nobody_waits = tell.send(ended.clone());
        }
    }
}

/// How an operation failed.
struct Failure {
    code: String,
    message: String,
    status: Option<u16>,
}

impl Operation {
    pub(crate) fn is_done(&self) -> bool {
        self.status == "DONE"
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.error.is_some() || self.http_error_status_code.is_some_and(|status| status >= 400)
    }

    fn lacks_reason(&self) -> bool {
        self.has_failed() && self.error.as_ref().is_none_or(|error| error.errors.is_empty())
    }

    /// `DONE` says only that it is over ("Compute Engine API, operations").
    fn failure(&self) -> Option<Failure> {
        if !self.has_failed() {
            return None;
        }
        let first = self.error.as_ref().and_then(|error| error.errors.first());
        let word = || self.http_error_message.clone().unwrap_or_else(|| "an error without a reason".to_owned());
        Some(Failure {
            code: first.map(|error| error.code.clone()).unwrap_or_default(),
            message: first.map_or_else(word, |error| error.message.clone()),
            status: self.http_error_status_code,
        })
    }
}

fn never_ended(name: &str, patience: Duration) -> Error {
    let message = format!("operation `{name}` did not end within {} s", patience.as_secs());
    open_ended(message, name).help(format!(
        "look at it with `gcloud compute operations describe {name} --global`; `operation-timeout` in `[gcp]` allows more time"
    ))
}

fn vanished(name: &str) -> Error {
    open_ended(format!("operation `{name}` vanished before its end was seen"), name)
        .help("run `kroutes verify` to see what became of it")
}

fn open_ended(message: String, name: &str) -> Error {
    Error::new(ErrorKind::Unavailable, message).with_retryable(false).with_ambiguous(true).with("operation", name)
}
