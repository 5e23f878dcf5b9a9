//! Trouble on demand.
//!
//! A fault names an action, which of its calls it spares, and what happens to the others. Chance comes from the lab's
//! own seeded dice, so that a run that went wrong can be had again. A fault that drops the answer *after* the effect is
//! the one that matters most: it is how a write that succeeded comes back as an error.

use serde::{Deserialize, Serialize};

/// What happens to a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FaultKind {
    /// 503 `RequestLimitExceeded`, at Compute 403 `rateLimitExceeded`; nothing is done.
    Throttle,
    /// 500 `InternalError`, at Compute 503 `backendError`; nothing is done.
    ServerError,
    /// The same although everything was done.
    ServerErrorAfter,
    /// The connection is closed before anything is done.
    DropBefore,
    /// The connection is closed after everything was done.
    DropAfter,
    /// No answer, ever; nothing is done.
    Hang,
    /// No answer, ever, although everything was done. With [`Hang`](Self::Hang) for the calls behind it the world stands
    /// still at one call, and whoever waits for an answer can be killed there.
    HangAfter,
    /// 200 with a page of HTML, as from a captive portal; nothing is done.
    Html,
    /// 200 with the right answer, cut off in the middle of its body.
    CutShort,
    /// 200 with the first half of the right answer, whose length is told as if that were all: only who reads it notices.
    Truncated,
    /// The right answer, late: half of the time passes before its first byte, and the other half between its pieces.
    Slow {
        /// How long it takes, in milliseconds.
        millis: u64,
    },
    /// The right answer, called `text/html` by its content type.
    WrongType,
    /// The answer to the call that was answered before it, as from a proxy that mixes up two connections; nothing is done.
    Mixed,
    /// What something between caller and cloud says in its own words, neither XML nor JSON.
    Gateway {
        /// The HTTP status, such as 502.
        status: u16,
        /// What it says: nothing, plain text, or HTML if it begins with `<`.
        #[serde(default)]
        body: String,
        /// Whether everything was done all the same, as it may be behind a 504.
        #[serde(default)]
        after: bool,
    },
    /// 403 `UnauthorizedOperation`, at `CloudFormation` `AccessDenied`, at Compute `forbidden`.
    Deny,
    /// This error; nothing is done.
    Error {
        /// The HTTP status.
        status: u16,
        /// EC2's code, such as `InvalidInstanceID.NotFound`, or Compute's reason, such as `resourceNotReady`.
        code: String,
        /// The text for people.
        message: String,
    },
    /// Compute: the write is accepted, and its operation ends with this error; nothing is done.
    OperationError {
        /// Compute's code, such as `RESOURCE_OPERATION_RATE_EXCEEDED`.
        code: String,
        /// The HTTP status that the operation shows.
        status: u16,
        /// The text for people.
        message: String,
    },
    /// Compute: the write is accepted, and its operation never ends; nothing is done.
    OperationStuck,
    /// Compute: the write is accepted and done, but its operation is found by nobody.
    OperationLost,
}

const fn always() -> f64 {
    1.0
}

/// A [`FaultKind`] and the calls that it meets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fault {
    /// Only calls of this action; all of them without one.
    #[serde(default)]
    pub action: Option<String>,
    /// That many matching calls pass first.
    #[serde(default)]
    pub skip: u64,
    /// After that many hits the fault is spent; never without a number.
    #[serde(default)]
    pub times: Option<u64>,
    /// The share of matching calls that are hit, 0 to 1.
    #[serde(default = "always")]
    pub probability: f64,
    /// Only calls that ask for the second page of a listing or a later one.
    #[serde(default)]
    pub later_pages: bool,
    /// What happens.
    pub kind: FaultKind,
}

impl Fault {
    /// A fault that hits every call of every action.
    pub const fn new(kind: FaultKind) -> Self {
        Self { action: None, skip: 0, times: None, probability: always(), later_pages: false, kind }
    }

    /// Only calls of this action.
    #[must_use]
    pub fn on(mut self, action: &str) -> Self {
        self.action = Some(action.to_owned());
        self
    }

    /// Lets the first matching calls pass.
    #[must_use]
    pub const fn after(mut self, skip: u64) -> Self {
        self.skip = skip;
        self
    }

    /// Ends after that many hits.
    #[must_use]
    pub const fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Spares the first page of every listing, and all that is no listing.
    #[must_use]
    pub const fn on_later_pages(mut self) -> Self {
        self.later_pages = true;
        self
    }

    /// Hits only this share of the calls.
    #[must_use]
    pub const fn with_probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }
}

/// The faults of one lab, and how far each has come.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    all: Vec<Fault>,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.all.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.all.clear();
    }

    /// Whether a call may yet be given another one's answer.
    pub(crate) fn mix_up(&self) -> bool {
        self.all.iter().any(|fault| fault.kind == FaultKind::Mixed && fault.times != Some(0))
    }

    /// The first fault that hits this call. Those before it in the list have seen the call too.
    pub(crate) fn meet(&mut self, action: &str, later_page: bool, dice: &mut fastrand::Rng) -> Option<FaultKind> {
        for fault in &mut self.all {
            let concerned = fault.action.as_deref().is_none_or(|wanted| wanted == action);
            if !concerned || fault.times == Some(0) || (fault.later_pages && !later_page) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            if fault.probability < 1.0 && dice.f64() >= fault.probability {
                continue;
            }
            if let Some(times) = &mut fault.times {
                *times -= 1;
            }
            return Some(fault.kind.clone());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_spares_the_first_calls_hits_so_many_and_is_spent() {
        let mut faults = Faults::default();
        faults.add(Fault::new(FaultKind::Throttle).on("CreateRoute").after(1).times(2));
        let mut dice = fastrand::Rng::with_seed(1);
        let mut hit = |action| faults.meet(action, false, &mut dice).is_some();
        assert!(!hit("DeleteRoute"));
        assert_eq!([(); 4].map(|()| hit("CreateRoute")), [false, true, true, false]);
    }

    #[test]
    fn the_same_seed_hits_the_same_calls() {
        let run = |seed| {
            let mut faults = Faults::default();
            faults.add(Fault::new(FaultKind::ServerError).with_probability(0.3));
            let mut dice = fastrand::Rng::with_seed(seed);
            (0..64).map(|_| faults.meet("CreateRoute", false, &mut dice).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert!(run(7).contains(&true) && run(7).contains(&false));
        assert_ne!(run(7), run(8));
    }

    #[test]
    fn a_fault_of_later_pages_does_not_count_first_ones() {
        let mut faults = Faults::default();
        faults.add(Fault::new(FaultKind::Deny).on("routes.list").on_later_pages().after(1).times(1));
        let mut dice = fastrand::Rng::with_seed(1);
        let mut hit = |later| faults.meet("routes.list", later, &mut dice).is_some();
        assert_eq!([false, true, false, true, true].map(&mut hit), [false, false, false, true, false]);
    }

    #[test]
    fn a_fault_reads_from_json_with_nothing_but_its_kind() {
        let fault: Fault = serde_json::from_str(r#"{"kind": "drop-after"}"#).expect("a fault");
        assert_eq!(fault, Fault::new(FaultKind::DropAfter));
        let json = r#"{"action": "CreateRoute", "kind": {"error": {"status": 400, "code": "X", "message": "y"}}}"#;
        let fault: Fault = serde_json::from_str(json).expect("a fault");
        assert_eq!(fault.kind, FaultKind::Error { status: 400, code: "X".to_owned(), message: "y".to_owned() });
    }
}
