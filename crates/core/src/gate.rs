//! The one door through which every API attempt goes.
//!
//! Clouds meter calls per action and per account, so a tool that writes five hundred routes must know the meter or spend
//! its time being refused, and take the meter away from everybody else in the account. Retries, deadlines and counts
//! belong to the same place: whoever retries must pay a token for the new attempt, and whoever counts must see it. So
//! there is one retrier in the process, and a backend hands it attempts as closures.
//!
//! Tokens are taken in the order of asking. The bucket starts full because the provider's does, and when the provider
//! says that it is being asked too fast (somebody else drinks from the same bucket) the bucket is emptied and fills at
//! half its rate, recovering by and by with every answer that is not a refusal.
//!
//! This is the only file of the core that knows time, and it knows tokio's, which tests can pause.

use std::collections::{BTreeMap, HashMap};
use std::future::{Future, ready};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug_span, info, warn};

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

/// The least share of its rate that a slowed bucket keeps.
const SLOWEST: f64 = 1.0 / 16.0;
/// The longest that one answer can hold up a bucket, whatever it asks for: a minute's allowance comes back in a minute, and
/// whoever is told to wait a day is better told so than kept waiting.
const LONGEST_WAIT: Duration = Duration::from_mins(2);
/// From this long on a wait that the provider asks for is told without being asked.
const WORTH_TELLING: Duration = Duration::from_secs(5);
/// How close together refusals are taken for one.
const ONE_PIECE_OF_NEWS: Duration = Duration::from_secs(1);
/// How much of its rate a slowed bucket regains with each answer that is no refusal.
const RECOVERY: f64 = 0.02;

#[derive(Debug)]
struct Meter {
    bucket: Bucket,
    tokens: f64,
    at: Instant,
    /// The share of the published rate that is used at present, `SLOWEST..=1`.
    pace: f64,
    /// When it was last slowed down: many calls under way are refused together, and that is one piece of news.
    slowed: Option<Instant>,
}

impl Meter {
    fn new(bucket: Bucket) -> Self {
        Self { bucket, tokens: f64::from(bucket.capacity), at: Instant::now(), pace: 1.0, slowed: None }
    }

    fn rate(&self) -> f64 {
        (self.bucket.refill_per_second * self.pace).max(f64::MIN_POSITIVE)
    }

    fn refill(&mut self, now: Instant) {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * self.rate();
        self.tokens = (self.tokens + gained).min(f64::from(self.bucket.capacity));
        self.at = self.at.max(now);
    }

    /// Takes a token, or says when to ask again.
    fn take(&mut self, now: Instant) -> Result<(), Instant> {
        self.refill(now);
        // A hair of tolerance: seconds as floating point never add up to exactly one token.
        if self.tokens >= 1.0 - 1e-6 {
            self.tokens -= 1.0;
            return Ok(());
        }
        let wait = Duration::from_secs_f64(((1.0 - self.tokens) / self.rate()).min(3600.0));
        // Timers are no finer than a millisecond; asking a moment early would only ask twice.
        Err(self.at.max(now) + wait + Duration::from_millis(1))
    }

    /// Whether it is news.
    fn slow_down(&mut self, now: Instant, retry_after: Option<Duration>) -> bool {
        self.refill(now);
        self.tokens = self.tokens.min(0.0);
        let news = self.slowed.is_none_or(|last| now.saturating_duration_since(last) >= ONE_PIECE_OF_NEWS);
        if news {
            self.pace = (self.pace / 2.0).max(SLOWEST);
            self.slowed = Some(now);
        }
        if let Some(wait) = retry_after {
            self.at = self.at.max(now + wait.min(LONGEST_WAIT));
        }
        news
    }

    fn recover(&mut self, now: Instant) {
        self.refill(now);
        self.pace = (self.pace + RECOVERY).min(1.0);
    }
}

/// One bucket: the meter, and a queue so that tokens go out in the order of asking.
#[derive(Debug)]
struct Lane {
    meter: Mutex<Meter>,
    turn: tokio::sync::Mutex<()>,
}

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
        let lane = |bucket| Lane { meter: Mutex::new(Meter::new(bucket)), turn: tokio::sync::Mutex::new(()) };
        let mut lanes = HashMap::new();
        for (actions, bucket) in &settings.buckets {
            let shared = Arc::new(lane(*bucket));
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
            if let Err(closed) = self.token(action, &stop).await {
                return Err(ended_waiting(last, closed));
            }
            *lock(&self.counts).entry(action).or_insert(0) += 1;
            let began = Instant::now();
            let span = debug_span!("call", action, attempt = number);
            let answer = timeout(self.settings.attempt_timeout, attempt(number)).instrument(span).await;
            let error = match answer.unwrap_or_else(|_| Err(self.too_late(action))) {
                Ok(value) => {
                    self.note(action, None);
                    match follow(value).await {
                        Ok(done) => return Ok(done),
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            self.note(action, Some(&error));
            spent += began.elapsed();
            let again = error.is_retryable() && (repeat == Repeat::Always || !error.is_ambiguous());
            let delay = delays.next().unwrap_or_default().max(error.retry_after().unwrap_or_default());
            // Also in the sum: a wait of ages must not overflow it.
            let delay = delay.min(self.settings.total + Duration::from_secs(1));
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

    async fn token(&self, action: &'static str, stop: &CancellationToken) -> Result<()> {
        if let Some(lane) = self.lanes.get(action) {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = lane.token() => {}
            }
        }
        if stop.is_cancelled() {
            return Err(closed(action));
        }
        Ok(())
    }

    fn note(&self, action: &str, error: Option<&Error>) {
        let refused = error.filter(|error| error.kind() == ErrorKind::RateLimited);
        if let Some(lane) = self.lanes.get(action) {
            let mut meter = lock(&lane.meter);
            match refused {
                Some(error) => {
                    let wait = error.retry_after().unwrap_or_default().min(LONGEST_WAIT);
                    // Somebody sits before this and sees nothing happen.
                    if meter.slow_down(Instant::now(), error.retry_after()) && wait >= WORTH_TELLING {
                        warn!(action, ?wait, error = %error, "the provider asks to wait");
                    }
                }
                None => meter.recover(Instant::now()),
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

fn closed(action: &'static str) -> Error {
    Error::new(ErrorKind::Interrupted, format!("`{action}` was not done: the run was interrupted before"))
        .with("action", action)
}

/// What a call is told that waited for its next attempt when the gate closed. A failure that surely had no effect is as
/// good as never begun; one that may have had one is the answer.
fn ended_waiting(last: Option<Error>, closed: Error) -> Error {
    last.filter(Error::is_ambiguous).unwrap_or(closed)
}

impl Lane {
    async fn token(&self) {
        let _turn = self.turn.lock().await;
        loop {
            let taken = lock(&self.meter).take(Instant::now());
            match taken {
                Ok(()) => return,
                Err(at) => sleep_until(at).await,
            }
        }
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
