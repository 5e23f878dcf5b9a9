//! How fast the calls of one bucket may go.
//!
//! A provider's bucket is the account's, and other programs drink from it. So the published numbers are what may be hoped
//! for, not what is there: a bucket that should be full may be empty, and of what comes back a half may be gone. Nothing
//! tells but a refusal, and a refused call is one that was made in vain, out of the allowance of all. Two rules keep refusals
//! few without giving anything away where nobody else is there:
//!
//! - **What has been saved up is spent in small waves.** Every call that is under way when the bucket runs dry is refused, so
//!   as many calls as could be lost are allowed to be without an answer: [`WAVE`] at first, more with every answer
//!   of the provider's that was none of refusal. Silence and failure are no such answers: they say nothing of the bucket.
//!   What drips in by the published rate is never held back so, however slow the answers are: an idle bucket is used up to
//!   its published floor.
//! - **A refusal halves the pace, and answers win it back by small steps**, the same for all, so that two of us end with
//!   equal shares. The pace swings about what is left for us: it takes [`RECOVERY`] to say how many calls one
//!   refusal is worth. With half of the rate left for us that is one in 130.
//! - **A bucket that gives nothing is given up.** After [`PATIENCE`] without an answer but refusals those who wait are told
//!   so, and one call in a while looks whether it is over. Five hundred changes would each try six times otherwise, for hours.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::Bucket;

/// The least share of its rate that a slowed bucket keeps.
const SLOWEST: f64 = 1.0 / 16.0;
/// How much of its rate a slowed bucket regains with each answer that is no refusal.
const RECOVERY: f64 = 0.0025;
/// How close together refusals are taken for one.
const ONE_PIECE_OF_NEWS: Duration = Duration::from_secs(1);
/// The longest that one answer can hold up a bucket, whatever it asks for: a minute's allowance comes back in a minute, and
/// whoever is told to wait a day is better told so than kept waiting.
pub(super) const LONGEST_WAIT: Duration = Duration::from_mins(2);
/// How long a bucket may give nothing but refusals until it is given up: several of the minutes that Google counts.
pub(super) const PATIENCE: Duration = Duration::from_mins(4);
/// How long after that nobody tries again whether it is over.
const UNTRIED: Duration = Duration::from_mins(1);
/// How many calls may be without an answer at first while savings are spent.
const WAVE: u32 = 3;
/// How many answers allow one more of them.
const TRUST: u32 = 16;

#[derive(Debug)]
pub(super) struct Meter {
    bucket: Bucket,
    tokens: f64,
    at: Instant,
    /// The share of the published rate that is used at present, `SLOWEST..=1`.
    pace: f64,
    /// When it was last slowed down: calls that are under way together are refused together, and that is one piece of news.
    slowed: Option<Instant>,
    /// The first refusal since the last answer that was none.
    dry: Option<Instant>,
    /// When somebody last tried a bucket that was given up.
    tried: Option<Instant>,
    /// Calls without an answer yet.
    under_way: u32,
    /// Answers of the provider's since the last refusal.
    answered: u32,
    /// When the last token was taken.
    taken: Instant,
}

impl Meter {
    pub(super) fn new(bucket: Bucket) -> Self {
        let now = Instant::now();
        Self {
            bucket,
            tokens: f64::from(bucket.capacity),
            at: now,
            pace: 1.0,
            slowed: None,
            dry: None,
            tried: None,
            under_way: 0,
            answered: 0,
            taken: now,
        }
    }

    fn rate(&self) -> f64 {
        (self.bucket.refill_per_second * self.pace).max(f64::MIN_POSITIVE)
    }

    fn refill(&mut self, now: Instant) {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * self.rate();
        self.tokens = (self.tokens + gained).min(f64::from(self.bucket.capacity));
        self.at = self.at.max(now);
    }

    /// How long so many tokens take to come.
    fn time_for(&self, tokens: f64) -> Duration {
        // Timers are no finer than a millisecond; asking a moment early would only ask twice.
        Duration::from_secs_f64((tokens / self.rate()).min(3600.0)) + Duration::from_millis(1)
    }

    /// Takes a token for a call that begins now, or says when to ask again. An answer that comes before that is a reason
    /// to ask, too.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Instant> {
        self.refill(now);
        // A hair of tolerance: seconds as floating point never add up to exactly one token.
        if self.tokens < 1.0 - 1e-6 {
            return Err(self.at.max(now) + self.time_for(1.0 - self.tokens));
        }
        if self.under_way >= WAVE + self.answered / TRUST {
            let next = self.taken + self.time_for(1.0);
            if now < next {
                return Err(next);
            }
        }
        self.tokens -= 1.0;
        self.under_way += 1;
        self.taken = now;
        Ok(())
    }

    /// A call has been answered, or nobody waits for its answer any more.
    fn ended(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// Whether it is news.
    pub(super) fn slow_down(&mut self, now: Instant, retry_after: Option<Duration>) -> bool {
        self.refill(now);
        self.tokens = self.tokens.min(0.0);
        self.answered = 0;
        self.dry.get_or_insert(now);
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

    /// The provider has answered, and it was no refusal.
    pub(super) fn recover(&mut self, now: Instant) {
        self.refill(now);
        self.pace = (self.pace + RECOVERY).min(1.0);
        self.answered = self.answered.saturating_add(1);
        self.dry = None;
    }

    /// Whether it gives nothing, and has not for long.
    fn is_given_up(&self, now: Instant) -> bool {
        self.dry.is_some_and(|since| now.saturating_duration_since(since) >= PATIENCE)
    }

    /// Whether it is time to try a bucket that was given up.
    fn may_try(&self, now: Instant) -> bool {
        self.tried.is_none_or(|last| now.saturating_duration_since(last) >= UNTRIED)
    }
}

/// One bucket: the meter, and a queue so that tokens go out in the order of asking.
#[derive(Debug)]
pub(super) struct Lane {
    meter: Mutex<Meter>,
    turn: tokio::sync::Mutex<()>,
    answers: Notify,
}

impl Lane {
    pub(super) fn new(bucket: Bucket) -> Self {
        Self { meter: Mutex::new(Meter::new(bucket)), turn: tokio::sync::Mutex::new(()), answers: Notify::new() }
    }

    /// The meter. A panic elsewhere cannot leave numbers half-written, so a poisoned lock is as good as any.
    pub(super) fn meter(&self) -> MutexGuard<'_, Meter> {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a token; none where the bucket was given up. The call is under way until what is returned is dropped.
    pub(super) async fn token(self: &Arc<Self>) -> Option<Token> {
        let _turn = self.turn.lock().await;
        let mut trying = false;
        loop {
            let taken = {
                let (now, mut meter) = (Instant::now(), self.meter());
                if meter.is_given_up(now) && !trying {
                    if !meter.may_try(now) {
                        return None;
                    }
                    trying = true;
                }
                let taken = meter.take(now);
                if trying && taken.is_ok() {
                    meter.tried = Some(now);
                }
                taken
            };
            let Err(at) = taken else { return Some(Token { lane: Arc::clone(self) }) };
            tokio::select! {
                () = sleep_until(at) => {}
                () = self.answers.notified() => {}
            }
        }
    }
}

/// A call that is under way.
#[derive(Debug)]
pub(super) struct Token {
    lane: Arc<Lane>,
}

impl Drop for Token {
    fn drop(&mut self) {
        self.lane.meter().ended();
        // Whoever is first in the queue, now or next, may look again.
        self.lane.answers.notify_one();
    }
}
