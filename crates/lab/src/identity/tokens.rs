//! Access tokens: which of them open the lab, and for how long.
//!
//! They are worth nothing outside, and still are never printed: whoever logs a lab must not get used to seeing tokens.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

/// The tokens of one lab.
pub(crate) struct Tokens {
    lifetime: Duration,
    /// Until when each is good; the one that is good for ever has no end.
    good: BTreeMap<String, Option<Instant>>,
}

impl Tokens {
    /// `forever` is good from the start and until it is revoked.
    pub(crate) fn new(lifetime: Duration, forever: &str) -> Self {
        Self { lifetime, good: BTreeMap::from([(forever.to_owned(), None)]) }
    }

    /// A new token, and the seconds for which it is good.
    pub(crate) fn issue(&mut self, now: Instant) -> (String, u64) {
        let token = format!("ya29.lab-{}", uuid::Uuid::new_v4().simple());
        self.good.insert(token.clone(), Some(now + self.lifetime));
        (token, self.lifetime.as_secs())
    }

    pub(crate) fn is_good(&self, token: &str, now: Instant) -> bool {
        self.good.get(token).is_some_and(|end| end.is_none_or(|end| now < end))
    }

    /// Puts an end to all that there are.
    pub(crate) fn revoke(&mut self) {
        self.good.clear();
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Tokens")
            .field("lifetime", &self.lifetime)
            .field("good", &self.good.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_until_its_lifetime_is_over_or_it_is_revoked_and_is_never_shown() {
        let mut tokens = Tokens::new(Duration::from_mins(1), "forever");
        let start = Instant::now();
        let (token, seconds) = tokens.issue(start);
        assert_eq!(seconds, 60);
        let good = |tokens: &Tokens, after| tokens.is_good(&token, start + Duration::from_secs(after));
        assert_eq!([good(&tokens, 0), good(&tokens, 59), good(&tokens, 60)], [true, true, false]);
        assert!(!format!("{tokens:?}").contains("ya29"));
        tokens.revoke();
        assert!(!good(&tokens, 0) && !tokens.is_good("forever", start));
        let (fresh, _) = tokens.issue(start);
        assert!(tokens.is_good(&fresh, start));
    }
}
