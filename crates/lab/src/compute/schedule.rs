//! When operations begin and end, and those that do not.
//!
//! The model ends an operation when it is told to; the clock is here. An operation is `PENDING` for the first half of
//! its time and `RUNNING` for the second. Faults make one that never ends, one that nobody finds again, or one that ends
//! badly whatever the cloud would have said.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::FaultKind;
use crate::model::compute::Failure;

/// What happens to an operation.
#[derive(Debug)]
pub(crate) enum Event {
    /// It begins to run.
    Begin(String),
    /// It ends: badly with this failure, else as the cloud has it.
    End(String, Option<Failure>),
}

#[derive(Debug)]
struct Item {
    name: String,
    begins: Option<Instant>,
    /// None for one that is stuck.
    ends: Option<Instant>,
    failure: Option<Failure>,
}

/// The operations that are under way in one lab.
#[derive(Debug)]
pub(crate) struct Schedule {
    delay: Duration,
    under_way: Vec<Item>,
    lost: BTreeSet<String>,
    most: u64,
}

impl Schedule {
    pub(crate) const fn new(delay: Duration) -> Self {
        Self { delay, under_way: Vec::new(), lost: BTreeSet::new(), most: 0 }
    }

    /// Takes an operation on that was asked for now.
    pub(super) fn add(&mut self, name: &str, now: Instant, fault: Option<&FaultKind>) {
        let failure = match fault {
            Some(FaultKind::OperationError { code, status, message }) => {
                Some(Failure { code: code.clone(), message: message.clone(), status: *status, quota: None })
            }
            _ => None,
        };
        if fault == Some(&FaultKind::OperationLost) {
            self.lost.insert(name.to_owned());
        }
        let ends = (fault != Some(&FaultKind::OperationStuck)).then(|| now + self.delay);
        self.under_way.push(Item { name: name.to_owned(), begins: Some(now + self.delay / 2), ends, failure });
        self.most = self.most.max(self.under_way.len() as u64);
    }

    /// The next thing that happens until then, and when. Nothing happens twice.
    pub(crate) fn next(&mut self, until: Instant) -> Option<(Instant, Event)> {
        let times = self.under_way.iter().enumerate().filter_map(|(index, item)| {
            let at = item.begins.or(item.ends)?;
            (at <= until).then_some((at, index))
        });
        let (at, index) = times.min()?;
        let item = &mut self.under_way[index];
        if item.begins.take().is_some() {
            return Some((at, Event::Begin(item.name.clone())));
        }
        let item = self.under_way.remove(index);
        Some((at, Event::End(item.name, item.failure)))
    }

    pub(super) fn count(&self) -> usize {
        self.under_way.len()
    }

    /// The greatest number that was ever under way at once.
    pub(crate) const fn most(&self) -> u64 {
        self.most
    }

    pub(super) fn is_lost(&self, name: &str) -> bool {
        self.lost.contains(name)
    }

    /// How long one that is under way still takes, at most so long; nothing for one that is not.
    pub(super) fn time_left(&self, name: &str, now: Instant, most: Duration) -> Option<Duration> {
        let item = self.under_way.iter().find(|item| item.name == name)?;
        Some(item.ends.map_or(most, |at| at.saturating_duration_since(now).min(most)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn happened(schedule: &mut Schedule, until: Instant) -> Vec<String> {
        let tell = |(_, event)| match event {
            Event::Begin(name) => format!("{name} begins"),
            Event::End(name, failure) => format!("{name} {}", if failure.is_some() { "fails" } else { "ends" }),
        };
        std::iter::from_fn(|| schedule.next(until)).map(tell).collect()
    }

    #[test]
    fn operations_begin_at_half_time_and_end_in_the_order_of_their_dues() {
        let mut schedule = Schedule::new(Duration::from_secs(4));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let failure = FaultKind::OperationError { code: "X".to_owned(), status: 400, message: String::new() };
        schedule.add("one", at(0), None);
        schedule.add("two", at(1), Some(&failure));
        schedule.add("stuck", at(1), Some(&FaultKind::OperationStuck));
        assert_eq!(happened(&mut schedule, at(1)), Vec::<String>::new());
        assert_eq!(happened(&mut schedule, at(3)), ["one begins", "two begins", "stuck begins"]);
        assert_eq!(happened(&mut schedule, at(600)), ["one ends", "two fails"]);
        assert_eq!((schedule.count(), schedule.most()), (1, 3));
    }
}
