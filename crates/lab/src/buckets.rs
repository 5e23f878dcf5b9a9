//! Published throttling: EC2's token buckets, and Compute's requests a minute.
//!
//! EC2 has one bucket per action, account and region, and the numbers are those of "Request throttling for the Amazon EC2
//! API". `DescribeInstances` and `DescribeNetworkInterfaces` have a second, smaller bucket for requests that are neither
//! filtered nor paginated. Compute has one number per group of methods ("Compute Engine rate quotas"), and it is not a
//! bucket that fills by drops: at the start of each minute all of it is there again.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// Size, and tokens a second.
const fn limits(action: &str) -> (f64, f64) {
    match action.as_bytes() {
        b"ModifyNetworkInterfaceAttribute" | b"TerminateInstances" => (100.0, 5.0),
        b"CreateTags" | b"DeleteTags" => (100.0, 10.0),
        b"RunInstances" | b"StartInstances" => (5.0, 2.0),
        [b'D', b'e', b's', b'c', b'r', b'i', b'b', b'e', ..] | [b'G', b'e', b't', ..] => (100.0, 20.0),
        _ => (50.0, 5.0),
    }
}

const UNFILTERED: (f64, f64) = (50.0, 10.0);

/// The buckets of one account in one region, full at first.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    levels: BTreeMap<(String, bool), (f64, Instant)>,
}

impl Buckets {
    /// Takes a token for one attempt, if there is one. `narrowed` says that the request has filters or pages.
    pub(crate) fn take(&mut self, action: &str, narrowed: bool, now: Instant) -> bool {
        let wide = !narrowed && matches!(action, "DescribeInstances" | "DescribeNetworkInterfaces");
        let (size, refill) = if wide { UNFILTERED } else { limits(action) };
        let (level, filled) = self.levels.entry((action.to_owned(), wide)).or_insert((size, now));
        *level = (*level + now.duration_since(*filled).as_secs_f64() * refill).min(size);
        *filled = now;
        if *level < 1.0 {
            return false;
        }
        *level -= 1.0;
        true
    }
}

/// Requests a minute of one group of methods.
const A_MINUTE: u32 = 1500;

/// What is left of each group's minute.
#[derive(Debug)]
pub(crate) struct Rates {
    start: Instant,
    taken: BTreeMap<&'static str, (u64, u32)>,
}

impl Rates {
    /// Minutes are counted from `start`.
    pub(crate) const fn new(start: Instant) -> Self {
        Self { start, taken: BTreeMap::new() }
    }

    /// Takes one request of a group, if its minute has one left.
    pub(crate) fn take(&mut self, group: &'static str, now: Instant) -> bool {
        let minute = now.duration_since(self.start).as_secs() / Duration::from_mins(1).as_secs();
        let (at, taken) = self.taken.entry(group).or_default();
        if *at != minute {
            (*at, *taken) = (minute, 0);
        }
        *taken += 1;
        *taken <= A_MINUTE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutating_action_has_fifty_at_once_and_five_a_second_after_that() {
        let mut buckets = Buckets::default();
        let start = Instant::now();
        let mut taken = |seconds| {
            let now = start + Duration::from_secs(seconds);
            std::iter::repeat_with(|| buckets.take("CreateRoute", false, now)).take_while(|taken| *taken).count()
        };
        assert_eq!([taken(0), taken(1), taken(3), taken(1000)], [50, 5, 10, 50]);
    }

    #[test]
    fn each_action_has_its_own_bucket_and_an_unfiltered_listing_a_smaller_one() {
        let mut buckets = Buckets::default();
        let now = Instant::now();
        let mut taken = |action, narrowed| {
            std::iter::repeat_with(|| buckets.take(action, narrowed, now)).take_while(|taken| *taken).count()
        };
        assert_eq!(taken("DescribeInstances", false), 50);
        assert_eq!(taken("DescribeInstances", true), 100);
        assert_eq!(taken("DescribeRouteTables", false), 100);
        assert_eq!(taken("DeleteRoute", false), 50);
        assert_eq!(taken("ModifyNetworkInterfaceAttribute", false), 100);
    }

    #[test]
    fn a_group_has_its_fifteen_hundred_again_when_the_next_minute_begins_and_not_before() {
        let start = Instant::now();
        let mut rates = Rates::new(start);
        let mut taken = |group, second| {
            let now = start + Duration::from_secs(second);
            std::iter::repeat_with(|| rates.take(group, now)).take_while(|taken| *taken).count()
        };
        assert_eq!([taken("Queries", 30), taken("Queries", 59), taken("Queries", 60)], [1500, 0, 1500]);
        assert_eq!(taken("List requests", 61), 1500);
    }
}
