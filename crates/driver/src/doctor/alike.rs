//! Checks that differ only in whom they are about are one check with a count: twelve hundred lines hide the one that is
//! different.

use kroutes_core::{Check, CheckGroup, CheckStatus, Error};

/// How many of those that are alike are named.
const NAMED: usize = 3;

/// Where an error does not know better.
const ASK_AGAIN: &str = "mend what the message says, and ask again";

/// What failed, with the provider's code, its causes and its own remedy; of `whom`, if of somebody.
pub(super) fn failure(group: CheckGroup, name: &str, whom: &str, error: &Error) -> Check {
    Check::fail(group, name, of(whom, &sentence(error)), error.get("help").unwrap_or(ASK_AGAIN))
}

/// An error in one line.
pub(super) fn sentence(error: &Error) -> String {
    let mut text = error.message().to_owned();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    match error.get("code") {
        Some(code) if !text.contains(code) => format!("{text} ({code})"),
        _ => text,
    }
}

fn of(whom: &str, message: &str) -> String {
    if whom.is_empty() { message.to_owned() } else { format!("{whom}: {message}") }
}

/// Checks, each about somebody or something, of which those that are alike become one.
#[derive(Debug, Default)]
pub(super) struct Folded(Vec<Several>);

#[derive(Debug)]
struct Several {
    first: Check,
    shape: (String, String),
    /// Whom else it is about.
    others: Vec<String>,
}

impl Folded {
    /// Adds a check about `whom`.
    pub(super) fn add(&mut self, whom: &str, check: Check) {
        let shape = (shape(&check.message), shape(check.remedy.as_deref().unwrap_or_default()));
        let is_alike = |known: &&mut Several| {
            let first = &known.first;
            (first.group, &first.name, first.status) == (check.group, &check.name, check.status) && known.shape == shape
        };
        if let Some(known) = self.0.iter_mut().find(is_alike) {
            known.others.push(whom.to_owned());
        } else {
            let message = of(whom, &check.message);
            self.0.push(Several { first: Check { message, ..check }, shape, others: Vec::new() });
        }
    }

    /// One check for each sort, in the order in which they came, with how many others there are.
    pub(super) fn into_checks(self) -> Vec<Check> {
        self.0.into_iter().map(Several::into_check).collect()
    }

    /// Whether something was added that is more than to be known.
    pub(super) fn has_failed(&self) -> bool {
        self.0.iter().any(|known| known.first.status == CheckStatus::Fail)
    }

    /// Whether nothing was added.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Several {
    fn into_check(self) -> Check {
        let Self { mut first, others, .. } = self;
        if !others.is_empty() {
            let named =
                others.iter().filter(|whom| !whom.is_empty()).take(NAMED).cloned().collect::<Vec<_>>().join(", ");
            let named = if named.is_empty() { named } else { format!(": {named}") };
            let more = if others.len() > NAMED && !named.is_empty() { ", ..." } else { "" };
            first.message = format!("{}; and {} more alike{named}{more}", first.message, others.len());
        }
        first
    }
}

/// A message without the names in it.
fn shape(message: &str) -> String {
    message.split('`').step_by(2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_hundred_equal_failures_are_one_with_a_count_and_the_one_that_differs_stands_out() {
        let mut folded = Folded::default();
        for nth in 0..1200 {
            let message = if nth == 700 { "instance `i-700` is gone" } else { "instance `i-1` is stopped" };
            let message = message.replace("i-1", &format!("i-{nth}"));
            folded.add(&format!("worker-{nth}"), Check::fail(CheckGroup::Machines, "not-running", message, "start it"));
        }
        let checks = folded.into_checks();
        let messages: Vec<_> = checks.iter().map(|check| check.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "worker-0: instance `i-0` is stopped; and 1198 more alike: worker-1, worker-2, worker-3, ...",
                "worker-700: instance `i-700` is gone"
            ]
        );
    }
}
