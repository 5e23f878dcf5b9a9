//! The one door through which every API attempt goes.
//!
//! Clouds meter calls per action and per account, so a tool that writes five hundred routes must know the meter or spend
//! its time being refused, and take the meter away from everybody else in the account. Retries, deadlines and counts
//! belong to the same place: whoever retries must pay a token for the new attempt, and whoever counts must see it. So
//! there is one retrier in the process, and a backend hands it attempts as closures.
//!
//! Tokens are taken in the order of asking. How fast they come, when somebody else drinks from the same bucket too, is the
//! business of [`meter`].
//!
//! This and the meter are the only files of the core that know time, and they know tokio's: it never goes back, whatever
//! becomes of the wall clock, and tests can pause it.

#[cfg(test)]
mod answers_tests;
mod meter;
#[cfg(test)]
mod sharing_tests;

use std::collections::{BTreeMap, HashMap};
use std::future::{Future, ready};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug_span, info, warn};

use self::meter::{LONGEST_WAIT, Lane, PATIENCE, Token};
use crate::{Error, ErrorKind, Result};

/// A provider's published allowance for one action.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// How many calls may be made at once.
    pub capacity: u32,
    /// How many calls a second it regains.
    pub refill_per_second: f64,
}

/// How a gate behaves.
#[derive(Debug, Clone)]
pub struct GateSettings {
    /// The allowances, each with the actions that share it; an action that is not named is not metered.
    pub buckets: Vec<(Vec<&'static str>, Bucket)>,
    /// How often one call is tried at the most.
    pub attempts: u32,
    /// How long one attempt may take.
    pub attempt_timeout: Duration,
    /// How long one call may take with all its attempts, waiting for tokens left out.
    pub total: Duration,
}

impl Default for GateSettings {
    fn default() -> Self {
        Self {
            buckets: Vec::new(),
            attempts: 6,
            attempt_timeout: Duration::from_secs(20),
            total: Duration::from_mins(2),
        }
    }
}

/// When a failed attempt may be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Always: doing it twice is doing it once.
    Always,
    /// Only when the failed attempt surely had no effect. An ambiguous failure is returned, and the caller reads.
    OnlyIfUntouched,
}

/// What a closed gate does to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closed {
    Refuses,
    LetsPass,
}

/// Ends a run without breaking it off: nothing new begins, what is under way ends by itself, and then the tables may be
/// looked at once more. All clones are one.
#[derive(Debug, Clone, Default)]
pub struct Stopper {
    stopped: CancellationToken,
    looking: Arc<AtomicBool>,
}

impl Stopper {
    /// Nothing new begins from now on.
    pub fn stop(&self) {
        self.stopped.cancel();
    }

    /// Whether the run was told to stop. It stays so.
    pub fn is_stopped(&self) -> bool {
        self.stopped.is_cancelled()
    }

    /// Returns when the run is told to stop.
    pub async fn stopped(&self) {
        self.stopped.cancelled().await;
    }

    /// Lets calls pass again although the run was told to stop, for whoever has seen all writes end and writes no more: a
    /// report is worth only as much as the last look at the tables.
    pub fn let_look(&self) {
        self.looking.store(true, Ordering::SeqCst);
    }

    /// What ends the wait of a call that begins now.
    fn token(&self) -> CancellationToken {
        if self.looking.load(Ordering::SeqCst) { CancellationToken::new() } else { self.stopped.clone() }
    }
}

/// What is no answer of the provider's, or none about its allowance.
const NO_ANSWER: [ErrorKind; 2] = [ErrorKind::Unavailable, ErrorKind::Interrupted];

/// From this long on a wait that the provider asks for is told without being asked.
const WORTH_TELLING: Duration = Duration::from_secs(5);

/// The one door for API attempts: tokens, deadlines, retries, counts and spans.
#[derive(Debug)]
pub struct Gate {
    settings: GateSettings,
    lanes: HashMap<&'static str, Arc<Lane>>,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    stop: Stopper,
}

/// A panic elsewhere cannot leave numbers half-written, so a poisoned lock is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gate {
    /// A gate with full buckets.
    pub fn new(settings: GateSettings) -> Self {
        let mut lanes = HashMap::new();
        for (actions, bucket) in &settings.buckets {
            let shared = Arc::new(Lane::new(*bucket));
            lanes.extend(actions.iter().map(|action| (*action, Arc::clone(&shared))));
        }
        let counts = Mutex::new(BTreeMap::new());
        Self { settings, lanes, counts, stop: Stopper::default() }
    }

    /// Makes one call: as many attempts as it takes and the settings allow. `attempt` gets the number of the attempt,
    /// from 1.
    ///
    /// # Errors
    ///
    /// What the last attempt said, with the number of attempts in its context if there were several;
    /// [`ErrorKind::Interrupted`] if the gate was closed before the first attempt began;
    /// [`ErrorKind::Unavailable`], ambiguous, if the attempt did not end in time.
    pub async fn call<T, F, Fut>(&self, action: &'static str, repeat: Repeat, attempt: F) -> Result<T>
    where
        F: FnMut(u32) -> Fut + Send,
        Fut: Future<Output = Result<T>> + Send,
        T: Send,
    {
        Box::pin(self.run(action, repeat, Closed::Refuses, attempt, |value| ready(Ok(value)))).await
    }

    /// As [`Self::call`], where an answer is only a promise: `follow` waits for what becomes of it, for as long as it
    /// likes, and a failure that it finds is tried again from the start as if the attempt itself had failed.
    ///
    /// # Errors
    ///
    /// As [`Self::call`], and what `follow` said.
    pub async fn call_and_follow<T, U, F, Fut, G, Following>(
        &self,
        action: &'static str,
        repeat: Repeat,
        attempt: F,
        follow: G,
    ) -> Result<U>
    where
        F: FnMut(u32) -> Fut + Send,
        Fut: Future<Output = Result<T>> + Send,
        G: FnMut(T) -> Following + Send,
        Following: Future<Output = Result<U>> + Send,
        T: Send,
        U: Send,
    {
        Box::pin(self.run(action, repeat, Closed::Refuses, attempt, follow)).await
    }

    /// As [`Self::call`], for reading how a write ends that is under way: such a call passes through a closed gate too,
    /// since closing it lets finish what has begun.
    ///
    /// # Errors
    ///
    /// As [`Self::call`], but never [`ErrorKind::Interrupted`].
    pub async fn call_to_finish<T, F, Fut>(&self, action: &'static str, attempt: F) -> Result<T>
    where
        F: FnMut(u32) -> Fut + Send,
        Fut: Future<Output = Result<T>> + Send,
        T: Send,
    {
        Box::pin(self.run(action, Repeat::Always, Closed::LetsPass, attempt, |value| ready(Ok(value)))).await
    }

    // Boxed where it is called: the futures of an SDK are nested so deeply already that the compiler gives up on one more.
    async fn run<T, U, F, Fut, G, Following>(
        &self,
        action: &'static str,
        repeat: Repeat,
        when_closed: Closed,
        mut attempt: F,
        mut follow: G,
    ) -> Result<U>
    where
        F: FnMut(u32) -> Fut + Send,
        Fut: Future<Output = Result<T>> + Send,
        G: FnMut(T) -> Following + Send,
        Following: Future<Output = Result<U>> + Send,
        T: Send,
        U: Send,
    {
        let stop = match when_closed {
            Closed::Refuses => self.stop.token(),
            Closed::LetsPass => CancellationToken::new(),
        };
        let mut delays = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(20))
            .with_factor(2.0)
            .with_jitter()
            .without_max_times()
            .build();
        let mut spent = Duration::ZERO;
        let mut number = 1;
        let mut last: Option<Error> = None;
        loop {
            let token = match self.token(action, &stop).await {
                Ok(token) => token,
                // What the provider itself has said tells more.
                Err(error) if error.kind() == ErrorKind::RateLimited => return Err(last.unwrap_or(error)),
                Err(closed) => return Err(ended_waiting(last, closed)),
            };
            *lock(&self.counts).entry(action).or_insert(0) += 1;
            let began = Instant::now();
            let span = debug_span!("call", action, attempt = number);
            let answer = timeout(self.settings.attempt_timeout, attempt(number)).instrument(span).await;
            let answer = answer.unwrap_or_else(|_| Err(self.too_late(action)));
            self.note(action, answer.as_ref().err());
            drop(token);
            let error = match answer {
                Ok(value) => match follow(value).await {
                    Ok(done) => return Ok(done),
                    Err(error) => {
                        // The attempt itself has been answered, and that was noted; only a refusal is news.
                        if error.kind() == ErrorKind::RateLimited {
                            self.note(action, Some(&error));
                        }
                        error
                    }
                },
                Err(error) => error,
            };
            spent += began.elapsed();
            let again = error.is_retryable() && (repeat == Repeat::Always || !error.is_ambiguous());
            let delay = delays.next().unwrap_or_default().max(error.retry_after().unwrap_or_default());
            // Also in the sum: a wait of ages must not overflow it.
            let delay = delay.min(self.settings.total + Duration::from_secs(1));
            // What an attempt before this one may have done is not undone by what this one was told.
            let open = last.as_ref().is_some_and(Error::is_ambiguous);
            let error = if open { error.with_ambiguous(true) } else { error };
            let error = if number > 1 { error.with("attempts", number.to_string()) } else { error };
            if !again || number >= self.settings.attempts || spent + delay > self.settings.total {
                return Err(error);
            }
            info!(action, attempt = number, error = %error, ?delay, "trying again");
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(ended_waiting(Some(error), closed(action))),
                () = sleep_until(Instant::now() + delay) => {}
            }
            spent += delay;
            number += 1;
            last = Some(error);
        }
    }

    /// How many attempts were made, by action.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.counts).clone()
    }

    /// Stopping it closes the gate: no attempt begins any more, those under way end by themselves.
    pub fn stopper(&self) -> Stopper {
        self.stop.clone()
    }

    /// A token where the action is metered, as soon as there is one.
    async fn token(&self, action: &'static str, stop: &CancellationToken) -> Result<Option<Token>> {
        let mut taken = None;
        if let Some(lane) = self.lanes.get(action) {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                granted = lane.token() => taken = Some(granted.ok_or_else(|| given_up(action))?),
            }
        }
        if stop.is_cancelled() {
            return Err(closed(action));
        }
        Ok(taken)
    }

    fn note(&self, action: &str, error: Option<&Error>) {
        if let Some(lane) = self.lanes.get(action) {
            let mut meter = lane.meter();
            match error {
                Some(error) if error.kind() == ErrorKind::RateLimited => {
                    let wait = error.retry_after().unwrap_or_default().min(LONGEST_WAIT);
                    // Somebody sits before this and sees nothing happen.
                    if meter.slow_down(Instant::now(), error.retry_after()) && wait >= WORTH_TELLING {
                        warn!(action, ?wait, error = %error, "the provider asks to wait");
                    }
                }
                // Whoever heard nothing, or that nothing works, has not learnt that there is room.
                Some(error) if error.is_ambiguous() || NO_ANSWER.contains(&error.kind()) => {}
                _ => meter.recover(Instant::now()),
            }
        }
    }

    fn too_late(&self, action: &'static str) -> Error {
        let seconds = self.settings.attempt_timeout.as_secs_f64();
        Error::new(ErrorKind::Unavailable, format!("`{action}` got no answer within {seconds} s"))
            .with_ambiguous(true)
            .with("action", action)
            .help("check the network and the endpoint")
    }
}

fn given_up(action: &'static str) -> Error {
    let minutes = PATIENCE.as_secs() / 60;
    let message =
        format!("`{action}` is not tried any more: for {minutes} minutes the provider has refused every such call");
    Error::new(ErrorKind::RateLimited, message)
        .with("action", action)
        .help("somebody else uses up the allowance, or it is far too small: run it again later, or have it raised")
}

fn closed(action: &'static str) -> Error {
    Error::new(ErrorKind::Interrupted, format!("`{action}` was not done: the run was interrupted before"))
        .with("action", action)
}

/// What a call is told that waited for its next attempt when the gate closed. A failure that surely had no effect is as
/// good as never begun; one that may have had one is the answer.
fn ended_waiting(last: Option<Error>, closed: Error) -> Error {
    last.filter(Error::is_ambiguous).unwrap_or(closed)
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
