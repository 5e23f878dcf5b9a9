//! What listings still show while the lab lags.
//!
//! EC2 promises no more than that a change becomes visible some time later ("Eventual consistency in the Amazon EC2
//! API"). Here every write leaves behind the cloud as it was before, and a listing shows the oldest of those that is
//! not older than the lag. Writes themselves always act on the present, as they do in EC2.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::Cloud;

/// The pasts that listings may still show, oldest first, each with the moment at which it ended.
#[derive(Debug)]
pub(crate) struct History {
    lag: Duration,
    past: VecDeque<(Instant, Cloud)>,
}

impl History {
    pub(crate) const fn new(lag: Duration) -> Self {
        Self { lag, past: VecDeque::new() }
    }

    /// A copy to be handed back after a write, if anybody will want to see it.
    pub(crate) fn before(&self, present: &Cloud) -> Option<Cloud> {
        (!self.lag.is_zero()).then(|| present.clone())
    }

    /// Remembers what a write has put an end to.
    pub(crate) fn remember(&mut self, before: Option<Cloud>, now: Instant) {
        self.past.extend(before.map(|cloud| (now, cloud)));
    }

    /// What a listing shows now.
    pub(crate) fn view<'a>(&'a mut self, present: &'a Cloud, now: Instant) -> &'a Cloud {
        while self.past.front().is_some_and(|(ended, _)| now.duration_since(*ended) >= self.lag) {
            self.past.pop_front();
        }
        self.past.front().map_or(present, |(_, cloud)| cloud)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;

    #[test]
    fn a_listing_shows_the_state_before_a_write_until_the_lag_is_over() {
        let mut cloud = Cloud::empty(&Options::default());
        let mut history = History::new(Duration::from_secs(2));
        let start = Instant::now();
        for (second, limit) in [(0, 501), (1, 502)] {
            let before = history.before(&cloud);
            cloud.routes_limit = limit;
            history.remember(before, start + Duration::from_secs(second));
        }
        let mut shown = |millis| history.view(&cloud, start + Duration::from_millis(millis)).routes_limit;
        assert_eq!([shown(1999), shown(2000), shown(2999), shown(3000)], [500, 501, 501, 502]);
    }
}
