//! What a lab holds and the moment at which it is looked at: the cloud, its past, and what is under way in it.
//!
//! Compute's operations end by the clock, so nobody may see the world at a moment without everything before that moment
//! having happened. There is one way to a moment, [`World::arrive`], and every request and every look goes through it.
//! The clock is tokio's, so that a test may stop it; the wall clock that the cloud shows is counted from it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::buckets::{Buckets, Rates};
use crate::compute::{Event, Schedule, change_text};
use crate::history::History;
use crate::identity::{ACCESS_TOKEN, Tokens};
use crate::log::{Log, LogEntry};
use crate::{Cloud, Options, Seed};

/// Everything behind the lock but counts and faults.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) cloud: Cloud,
    pub(crate) buckets: Buckets,
    pub(crate) rates: Rates,
    pub(crate) schedule: Schedule,
    history: History,
    tokens: Tokens,
    log: Log,
    start: Instant,
    wall_start: SystemTime,
    now: Instant,
}

impl World {
    pub(crate) fn new(seed: &Seed, options: &Options) -> Self {
        let (start, wall_start) = (Instant::now(), SystemTime::now());
        // A rate comes back when a minute begins by everybody's clock, whenever the lab was started.
        let into_the_minute = wall_start.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() % 60_000;
        let into_the_minute = Duration::from_millis(u64::try_from(into_the_minute).unwrap_or_default());
        let minute = start.checked_sub(into_the_minute).unwrap_or(start);
        Self {
            cloud: seed.build(options),
            buckets: Buckets::shared(options.other_caller),
            rates: Rates::new(minute, options.other_caller),
            schedule: Schedule::new(options.operation_delay),
            history: History::new(options.lag),
            tokens: Tokens::new(options.token_lifetime, ACCESS_TOKEN),
            log: Log::default(),
            start,
            wall_start,
            now: start,
        }
    }

    /// Comes to the present: whatever was due by now has happened, in its order and at its own time.
    pub(crate) fn arrive(&mut self) {
        self.now = Instant::now();
        while let Some((at, event)) = self.schedule.next(self.now) {
            let wall = self.wall(at);
            match event {
                Event::Begin(name) => self.cloud.compute.begin_operation(&name, wall),
                Event::End(name, failure) => {
                    let before = self.history.before(&self.cloud);
                    if let Some(failure) = failure {
                        self.cloud.compute.fail_operation(&name, failure, wall);
                        continue;
                    }
                    let change = change_text(&self.cloud.compute, &name);
                    self.cloud.compute.end_operation(&name, wall);
                    let failed = self.cloud.compute.operations.get(&name).is_some_and(|it| it.failure.is_some());
                    if !failed {
                        self.history.remember(before, at);
                        self.log_at(at, change);
                    }
                }
            }
        }
    }

    fn log_at(&mut self, at: Instant, change: Option<(String, String)>) {
        if let Some((action, what)) = change {
            self.log.add(at.duration_since(self.start), &action, what);
        }
    }

    /// The present moment.
    pub(crate) const fn now(&self) -> Instant {
        self.now
    }

    /// The time that the cloud shows for a moment.
    pub(crate) fn wall(&self, at: Instant) -> SystemTime {
        self.wall_start + at.duration_since(self.start)
    }

    /// The cloud as listings show it.
    pub(crate) fn view(&mut self) -> &Cloud {
        self.history.view(&self.cloud, self.now)
    }

    /// Changes the cloud. What went well leaves a past behind, and a line in the log if it has one.
    pub(crate) fn write<R, E>(
        &mut self,
        change: Option<(String, String)>,
        write: impl FnOnce(&mut Cloud) -> Result<R, E>,
    ) -> Result<R, E> {
        let before = self.history.before(&self.cloud);
        let written = write(&mut self.cloud);
        if written.is_ok() {
            self.history.remember(before, self.now);
            self.log_at(self.now, change);
        }
        written
    }

    /// Changes the cloud by a write that can tell only afterwards what it has done.
    pub(crate) fn write_telling<R, E>(
        &mut self,
        action: &str,
        write: impl FnOnce(&mut Cloud) -> Result<(R, Option<String>), E>,
    ) -> Result<R, E> {
        let (answer, what) = self.write(None, write)?;
        self.log_at(self.now, what.map(|what| (action.to_owned(), what)));
        Ok(answer)
    }

    pub(crate) fn log(&self) -> Vec<LogEntry> {
        self.log.entries().to_vec()
    }

    /// A new access token and its lifetime in seconds.
    pub(crate) fn issue_token(&mut self) -> (String, u64) {
        self.tokens.issue(self.now)
    }

    pub(crate) fn is_good_token(&self, token: &str) -> bool {
        self.tokens.is_good(token, self.now)
    }

    pub(crate) fn revoke_tokens(&mut self) {
        self.tokens.revoke();
    }
}
