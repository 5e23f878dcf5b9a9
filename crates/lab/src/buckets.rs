//! EC2's published throttling: one token bucket per action, account and region.
//!
//! The numbers are those of "Request throttling for the Amazon EC2 API". `DescribeInstances` and
//! `DescribeNetworkInterfaces` have a second, smaller bucket for requests that are neither filtered nor paginated.

use std::collections::BTreeMap;

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

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
}
