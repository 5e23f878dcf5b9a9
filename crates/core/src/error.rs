//! Errors as data.
//!
//! A failure has two readers. The program asks whether to wait, to go on with the rest, or to give up; the person asks
//! what failed, where, what the provider said and what to do next. The fields serve the first, `Display` and the context
//! serve the second, so neither has to parse the other's text.
//!
//! `Display` prints this error alone: a renderer that walks `source()` would otherwise say everything twice. Errors are
//! `Clone` because one failed lookup is often the reason of many outcomes.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// `Result` with our [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of failure it is, and so what can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request can never work as it stands: change the topology or report a bug.
    Invalid,
    /// No credentials, or not accepted: nothing else will work either.
    Unauthenticated,
    /// Known, but not allowed to do this.
    PermissionDenied,
    /// The thing is not there.
    NotFound,
    /// The thing is there, but is not what was expected.
    Conflict,
    /// A limit on how much may exist. Waiting does not help.
    QuotaExceeded,
    /// A limit on how fast one may ask. Waiting helps.
    RateLimited,
    /// The provider or this backend has no such thing.
    Unsupported,
    /// The provider did not answer, or answered that it cannot now.
    Unavailable,
    /// The run was stopped before this call began; nothing was sent.
    Interrupted,
    /// An answer that fits none of the above.
    Unexpected,
}

impl ErrorKind {
    /// The name used in JSON and in docs, in kebab-case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Unauthenticated => "unauthenticated",
            Self::PermissionDenied => "permission-denied",
            Self::NotFound => "not-found",
            Self::Conflict => "conflict",
            Self::QuotaExceeded => "quota-exceeded",
            Self::RateLimited => "rate-limited",
            Self::Unsupported => "unsupported",
            Self::Unavailable => "unavailable",
            Self::Interrupted => "interrupted",
            Self::Unexpected => "unexpected",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failure: what sort, what happened, and what is known about it.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    retryable: bool,
    ambiguous: bool,
    retry_after: Option<Duration>,
    context: Vec<(&'static str, String)>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of that kind. Messages are lower-case, without a final period, the thing in backticks. Retryable
    /// exactly when the kind says so by itself: [`ErrorKind::RateLimited`] and [`ErrorKind::Unavailable`].
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            retryable: matches!(kind, ErrorKind::RateLimited | ErrorKind::Unavailable),
            ambiguous: false,
            retry_after: None,
            context: Vec::new(),
            source: None,
        }
    }

    /// Overrides whether the same request may work when tried again.
    #[must_use]
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.retryable = retryable;
        self
    }

    /// Says that the request may have taken effect although it failed: only reading can tell.
    #[must_use]
    pub fn with_ambiguous(mut self, ambiguous: bool) -> Self {
        self.ambiguous = ambiguous;
        self
    }

    /// The provider's own word on how long to wait.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Adds a fact, such as `code`, `request-id`, `table` or `help`. Facts keep the order in which they came, and a
    /// name that is there already keeps its first value: the innermost knows best.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if self.get(name).is_none() {
            self.context.push((name, value.into()));
        }
        self
    }

    /// What to do next, in words for a person.
    #[must_use]
    pub fn help(self, remedy: impl Into<String>) -> Self {
        self.with("help", remedy)
    }

    /// The error beneath.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// What sort of failure it is.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message alone.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether the same request may work when tried again.
    pub const fn is_retryable(&self) -> bool {
        self.retryable
    }

    /// Whether the request may have taken effect although it failed.
    pub const fn is_ambiguous(&self) -> bool {
        self.ambiguous
    }

    /// How long the provider asked to wait.
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The facts, in the order in which they were added.
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.context
    }

    /// One fact by name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.context.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_never_repeats_the_source() {
        let inner = Error::new(ErrorKind::Unavailable, "connection refused");
        let outer = Error::new(ErrorKind::Unavailable, "`DescribeRouteTables` failed").with_source(inner);
        assert_eq!(outer.to_string(), "`DescribeRouteTables` failed");
        assert_eq!(outer.source().expect("source").to_string(), "connection refused");
    }

    #[test]
    fn only_waiting_kinds_are_retryable_by_themselves() {
        assert!(Error::new(ErrorKind::RateLimited, "slow down").is_retryable());
        assert!(!Error::new(ErrorKind::QuotaExceeded, "full").is_retryable());
    }

    #[test]
    fn the_innermost_fact_wins() {
        let error = Error::new(ErrorKind::Invalid, "no").with("code", "inner").with("code", "outer");
        assert_eq!(error.get("code"), Some("inner"));
    }
}
