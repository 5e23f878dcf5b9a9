//! One lab's state behind one lock, and the way of a request through it.
//!
//! The order is EC2's where it is known: a request is counted whatever becomes of it, throttled before anything looks at
//! it, refused for want of permission before its parameters matter, and a dry run ends before the table is looked at.
//! The lock is never held across an await, so a call that hangs holds up nobody.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use tracing::debug;

use crate::buckets::Buckets;
use crate::ec2::{self, Answer, Params, Step};
use crate::faults::Faults;
use crate::history::History;
use crate::model::Refusal;
use crate::{Cloud, Fault, FaultKind, Options, Seed};

#[derive(Debug)]
struct Inner {
    cloud: Cloud,
    history: History,
    faults: Faults,
    buckets: Buckets,
    dice: fastrand::Rng,
    calls: BTreeMap<String, u64>,
    throttled: BTreeMap<String, u64>,
}

/// Everything that one lab knows.
#[derive(Debug)]
pub(crate) struct State {
    options: Options,
    inner: Mutex<Inner>,
}

/// What becomes of a request on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Whole,
    CutShort,
    Dropped,
    Never,
}

/// An answer, and how it gets out.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) content_type: &'static str,
    pub(crate) request_id: String,
    pub(crate) delivery: Delivery,
}

/// Who asks, as far as the lab reads a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Signed for this region.
    Region(String),
    /// Not signed at all.
    Unsigned,
}

impl State {
    pub(crate) fn new(seed: &Seed, options: Options) -> Self {
        let inner = Inner {
            cloud: seed.build(&options),
            history: History::new(options.lag),
            faults: Faults::default(),
            buckets: Buckets::default(),
            dice: fastrand::Rng::with_seed(options.seed),
            calls: BTreeMap::new(),
            throttled: BTreeMap::new(),
        };
        Self { options, inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A test's closure may have panicked inside the lock; the counts and the cloud are still worth reading.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn region(&self) -> String {
        self.options.region.clone()
    }

    pub(crate) fn calls(&self) -> BTreeMap<String, u64> {
        self.lock().calls.clone()
    }

    pub(crate) fn throttled(&self) -> BTreeMap<String, u64> {
        self.lock().throttled.clone()
    }

    pub(crate) fn reset_calls(&self) {
        let mut inner = self.lock();
        inner.calls.clear();
        inner.throttled.clear();
    }

    pub(crate) fn add_fault(&self, fault: Fault) {
        self.lock().faults.add(fault);
    }

    pub(crate) fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    pub(crate) fn look<R>(&self, look: impl FnOnce(&Cloud) -> R) -> R {
        look(&self.lock().cloud)
    }

    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut Cloud) -> R) -> R {
        let inner = &mut *self.lock();
        let before = inner.history.before(&inner.cloud);
        let result = change(&mut inner.cloud);
        inner.history.remember(before, Instant::now());
        result
    }

    /// Everything between a request's parameters and its answer.
    pub(crate) fn handle(&self, params: &Params, caller: &Caller) -> Reply {
        let request_id = uuid::Uuid::new_v4().to_string();
        let Some(action) = params.get("Action").filter(|action| !action.is_empty()).map(str::to_owned) else {
            let message = "The request must contain the parameter Action; GET /_lab/ tells what this endpoint is";
            return Reply::refused(&Refusal::new("MissingAction", message));
        };
        let inner = &mut *self.lock();
        *inner.calls.entry(action.clone()).or_default() += 1;
        let fault = inner.faults.meet(&action, &mut inner.dice);
        let delivery = match &fault {
            Some(FaultKind::DropBefore) => return Reply::undelivered(request_id, Delivery::Dropped),
            Some(FaultKind::Hang) => return Reply::undelivered(request_id, Delivery::Never),
            Some(FaultKind::Html) => return Reply::html(request_id),
            Some(FaultKind::DropAfter) => Delivery::Dropped,
            Some(FaultKind::CutShort) => Delivery::CutShort,
            _ => Delivery::Whole,
        };
        let before_effect = fault.as_ref().and_then(|kind| refusal_of(kind, &action, &self.options.account));
        let mut answer = match before_effect {
            Some(refusal) => Err(refusal),
            None => self.act(inner, &action, params, caller),
        };
        if fault == Some(FaultKind::ServerErrorAfter) {
            answer = Err(internal());
        }
        if answer.as_ref().is_err_and(|refusal| refusal.code == "RequestLimitExceeded") {
            *inner.throttled.entry(action.clone()).or_default() += 1;
        }
        debug!(action, request_id, refused = answer.as_ref().err().map(|refusal| refusal.code.as_str()));
        let (status, body) = match answer {
            Ok(content) => (200, content.into_success(&action, &request_id)),
            Err(refusal) => (refusal.status, ec2::error_body(&refusal, &request_id)),
        };
        Reply { status, body, content_type: "text/xml;charset=UTF-8", request_id, delivery }
    }

    fn act(&self, inner: &mut Inner, action: &str, params: &Params, caller: &Caller) -> Answer {
        let Some(step) = ec2::step(action) else {
            let message = format!("The action {action} is not valid for this web service.");
            return Err(Refusal::new("InvalidAction", message));
        };
        let Caller::Region(region) = caller else {
            let message = "AWS was not able to validate the provided access credentials: the request is not signed";
            return Err(Refusal::with_status(401, "AuthFailure", message));
        };
        let now = Instant::now();
        if self.options.published_buckets && !inner.buckets.take(action, params.is_narrowed(), now) {
            return Err(throttle());
        }
        if inner.cloud.denied.contains(action) {
            return Err(unauthorized(action, &self.options.account));
        }
        if params.boolean("DryRun")? == Some(true) {
            let message = "Request would have succeeded, but DryRun flag is set.";
            return Err(Refusal::with_status(412, "DryRunOperation", message));
        }
        if *region != self.options.region {
            let mut elsewhere = Cloud::empty(&Options { region: region.clone(), ..self.options.clone() });
            return match step {
                Step::Read(read) => read(&elsewhere, params),
                Step::Write(write) => write(&mut elsewhere, params),
            };
        }
        match step {
            Step::Read(read) => read(inner.history.view(&inner.cloud, now), params),
            Step::Write(write) => {
                let before = inner.history.before(&inner.cloud);
                let answer = write(&mut inner.cloud, params);
                if answer.is_ok() {
                    inner.history.remember(before, now);
                }
                answer
            }
        }
    }
}

fn throttle() -> Refusal {
    Refusal::with_status(503, "RequestLimitExceeded", "Request limit exceeded.")
}

fn internal() -> Refusal {
    Refusal::with_status(500, "InternalError", "An internal error has occurred")
}

fn unauthorized(action: &str, account: &str) -> Refusal {
    let message = format!(
        "You are not authorized to perform this operation. User: arn:aws:iam::{account}:user/lab is not authorized to \
         perform: ec2:{action} because no identity-based policy allows the ec2:{action} action"
    );
    Refusal::with_status(403, "UnauthorizedOperation", message)
}

fn refusal_of(kind: &FaultKind, action: &str, account: &str) -> Option<Refusal> {
    match kind {
        FaultKind::Throttle => Some(throttle()),
        FaultKind::ServerError => Some(internal()),
        FaultKind::Deny => Some(unauthorized(action, account)),
        FaultKind::Error { status, code, message } => Some(Refusal::with_status(*status, code, message.clone())),
        _ => None,
    }
}

impl Reply {
    const fn undelivered(request_id: String, delivery: Delivery) -> Self {
        Self { status: 200, body: String::new(), content_type: "text/plain", request_id, delivery }
    }

    fn html(request_id: String) -> Self {
        let body = "<!DOCTYPE html><html><body><h1>Please log in to the network</h1></body></html>".to_owned();
        Self { status: 200, body, content_type: "text/html", request_id, delivery: Delivery::Whole }
    }

    /// An error made before there was anything to act on.
    pub(crate) fn refused(refusal: &Refusal) -> Self {
        let request_id = uuid::Uuid::new_v4().to_string();
        let body = ec2::error_body(refusal, &request_id);
        let content_type = "text/xml;charset=UTF-8";
        Self { status: refusal.status, body, content_type, request_id, delivery: Delivery::Whole }
    }

    /// An answer of the control pages.
    pub(crate) fn control(status: u16, content_type: &'static str, body: String) -> Self {
        let request_id = uuid::Uuid::new_v4().to_string();
        Self { status, body, content_type, request_id, delivery: Delivery::Whole }
    }
}
