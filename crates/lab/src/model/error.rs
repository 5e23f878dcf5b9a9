//! Why the cloud refuses: the cloud's code and text, and the HTTP status that goes with it.
//!
//! The texts are those that EC2 is known to send ("Error codes for the Amazon EC2 API" and users' reports), periods
//! included, because clients and people have learnt to recognise them. Compute Engine refuses in the same shape, with
//! Google's `reason` for a code.

use std::fmt::Display;

/// One refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// EC2's code, or Compute's `reason`.
    pub code: String,
    /// The text.
    pub message: String,
}

impl Refusal {
    /// A refusal with status 400, like nearly all.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self::with_status(400, code, message)
    }

    /// A refusal with another status.
    pub fn with_status(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    pub(crate) fn invalid_value(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterValue", message)
    }

    pub(crate) fn invalid_combination(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterCombination", message)
    }

    pub(crate) fn missing(parameter: impl Display) -> Self {
        Self::new("MissingParameter", format!("The request must contain the parameter {parameter}"))
    }

    pub(crate) fn not_a_cidr(text: &str, parameter: &str) -> Self {
        Self::invalid_value(format!(
            "Value ({text}) for parameter {parameter} is invalid. This is not a valid CIDR block."
        ))
    }
}
