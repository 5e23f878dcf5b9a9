//! Published throttling: EC2's token buckets, and Compute's requests a minute.
//!
//! EC2 has one bucket per action, account and region, and the numbers are those of "Request throttling for the Amazon EC2
//! API". `DescribeInstances` and `DescribeNetworkInterfaces` have a second, smaller bucket for requests that are neither
//! filtered nor paginated. Compute has one number per group of methods ("Compute Engine rate quotas"), and it is not a
//! bucket that fills by drops: at the start of each minute all of it is there again.
//!
//! An allowance is the account's, so another caller may take a share of it: that much is gone at first, and of all that comes
//! back. What he does not get round to is no business of ours: the bucket is as large as ever for whoever waits.

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
    /// The share that another caller takes.
    others: f64,
}

impl Buckets {
    /// Buckets of which another caller takes this share.
    pub(crate) fn shared(others: f64) -> Self {
        Self { others, ..Self::default() }
    }

    /// Takes a token for one attempt, if there is one. `narrowed` says that the request has filters or pages.
    pub(crate) fn take(&mut self, action: &str, narrowed: bool, now: Instant) -> bool {
        let wide = !narrowed && matches!(action, "DescribeInstances" | "DescribeNetworkInterfaces");
        let (size, refill) = if wide { UNFILTERED } else { limits(action) };
        let left = 1.0 - self.others;
        let (level, filled) = self.levels.entry((action.to_owned(), wide)).or_insert((size * left, now));
        *level = (*level + now.duration_since(*filled).as_secs_f64() * refill * left).min(size);
        *filled = now;
        if *level < 1.0 {
            return false;
        }
        *level -= 1.0;
        true
    }
}

/// Requests a minute of one group of methods.
const A_MINUTE: f64 = 1500.0;

/// What is left of each group's minute.
#[derive(Debug)]
pub(crate) struct Rates {
    start: Instant,
    taken: BTreeMap<&'static str, (u64, u32)>,
    /// What a minute has for us.
    a_minute: f64,
}

impl Rates {
    /// Minutes are counted from `start`; another caller takes this share of each.
    pub(crate) const fn new(start: Instant, others: f64) -> Self {
        Self { start, taken: BTreeMap::new(), a_minute: A_MINUTE * (1.0 - others) }
    }

    /// Takes one request of a group, if its minute has one left.
    pub(crate) fn take(&mut self, group: &'static str, now: Instant) -> bool {
        let minute = now.duration_since(self.start).as_secs() / Duration::from_mins(1).as_secs();
        let (at, taken) = self.taken.entry(group).or_default();
        if *at != minute {
            (*at, *taken) = (minute, 0);
        }
        *taken += 1;
        f64::from(*taken) <= self.a_minute
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
        let mut rates = Rates::new(start, 0.0);
        let mut taken = |group, second| {
            let now = start + Duration::from_secs(second);
            std::iter::repeat_with(|| rates.take(group, now)).take_while(|taken| *taken).count()
        };
        assert_eq!([taken("Queries", 30), taken("Queries", 59), taken("Queries", 60)], [1500, 0, 1500]);
        assert_eq!(taken("List requests", 61), 1500);
    }

    #[test]
    fn another_caller_takes_his_share_at_first_and_of_what_comes_back() {
        let start = Instant::now();
        let (mut buckets, mut rates) = (Buckets::shared(0.5), Rates::new(start, 0.5));
        let mut taken = |seconds| {
            let now = start + Duration::from_secs(seconds);
            let bucket =
                std::iter::repeat_with(|| buckets.take("CreateRoute", false, now)).take_while(|it| *it).count();
            let minute = std::iter::repeat_with(|| rates.take("Queries", now)).take_while(|it| *it).count();
            (bucket, minute)
        };
        assert_eq!([taken(0), taken(2), taken(60)], [(25, 750), (5, 0), (50, 750)]);
    }
}
