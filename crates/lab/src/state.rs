//! One lab's state behind one lock, and the way of a request through it.
//!
//! The way is the same in every dialect: a request is counted whatever becomes of it, meets its faults, is admitted
//! (known, signed, throttled, permitted, in its protocol's order) before its parameters matter, and then acts. The lock
//! is never held across an await, so a call that hangs, or waits for an operation, holds up nobody.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::debug;

use crate::dialect::{Dialect, Rendered};
use crate::faults::Faults;
use crate::log::LogEntry;
use crate::model::Refusal;
use crate::world::World;
use crate::{Cloud, Fault, FaultKind, Options, Seed, identity};

#[derive(Debug)]
struct Inner {
    world: World,
    faults: Faults,
    dice: fastrand::Rng,
    calls: BTreeMap<String, u64>,
    throttled: BTreeMap<String, u64>,
    /// The answer before, while somebody wants it given to another.
    last: Option<Rendered>,
}

/// Everything that one lab knows.
#[derive(Debug)]
pub(crate) struct State {
    options: Options,
    address: SocketAddr,
    inner: Mutex<Inner>,
}

/// What becomes of a request on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Delivery {
    Whole,
    /// In so much time.
    Slow(Duration),
    /// Half of it, as if that were all.
    Truncated,
    CutShort,
    Dropped,
    Never,
}

/// An answer, and how it gets out.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) rendered: Rendered,
    pub(crate) delivery: Delivery,
}

/// How far a request got at once.
enum Arrival {
    Answered(Reply),
    /// Its answer is held back until then.
    Held(Instant, Option<FaultKind>),
}

impl State {
    pub(crate) fn new(seed: &Seed, options: Options, address: SocketAddr) -> Self {
        let inner = Inner {
            world: World::new(seed, &options),
            faults: Faults::default(),
            dice: fastrand::Rng::with_seed(options.seed),
            calls: BTreeMap::new(),
            throttled: BTreeMap::new(),
            last: None,
        };
        Self { options, address, inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A test's closure may have panicked inside the lock; the counts and the cloud are still worth reading.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state as it is now, with all that was due.
    fn present(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.lock();
        inner.world.arrive();
        inner
    }

    pub(crate) const fn options(&self) -> &Options {
        &self.options
    }

    /// Where this lab hands out tokens.
    pub(crate) fn token_uri(&self) -> String {
        format!("http://{}/token", self.address)
    }

    pub(crate) fn service_account_key(&self) -> String {
        identity::key_file(&self.options.project, &self.token_uri())
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

    pub(crate) fn log(&self) -> Vec<LogEntry> {
        self.present().world.log()
    }

    pub(crate) fn most_operations(&self) -> u64 {
        self.lock().world.schedule.most()
    }

    pub(crate) fn revoke_tokens(&self) {
        self.lock().world.revoke_tokens();
    }

    pub(crate) fn look<R>(&self, look: impl FnOnce(&Cloud) -> R) -> R {
        look(&self.present().world.cloud)
    }

    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut Cloud) -> R) -> R {
        let changed = self.present().world.write(None, |cloud| Ok::<_, std::convert::Infallible>(change(cloud)));
        match changed {
            Ok(result) => result,
            Err(never) => match never {},
        }
    }

    /// Everything between a request and its answer.
    pub(crate) async fn handle<D: Dialect>(&self, request: &D) -> Reply {
        match self.meet(request) {
            Arrival::Answered(reply) => reply,
            Arrival::Held(until, fault) => {
                tokio::time::sleep_until(until).await;
                let inner = &mut *self.present();
                let answer = request.perform(&mut inner.world, &self.options, fault.as_ref());
                self.conclude(inner, request, fault.as_ref(), answer)
            }
        }
    }

    /// Everything that happens to a request when it comes.
    fn meet<D: Dialect>(&self, request: &D) -> Arrival {
        let inner = &mut *self.present();
        let action = request.action();
        *inner.calls.entry(action.to_owned()).or_default() += 1;
        let fault = inner.faults.meet(action, request.is_later_page(), &mut inner.dice);
        let before_effect = match &fault {
            Some(FaultKind::DropBefore) => return Arrival::Answered(Reply::undelivered(Delivery::Dropped)),
            Some(FaultKind::Hang) => return Arrival::Answered(Reply::undelivered(Delivery::Never)),
            Some(FaultKind::Html) => return Arrival::Answered(Reply::html()),
            Some(FaultKind::Gateway { status, body, after: false }) => {
                return Arrival::Answered(Reply::in_words_of_its_own(*status, body));
            }
            Some(FaultKind::Mixed) => {
                return Arrival::Answered(inner.last.clone().map_or_else(
                    || Reply::undelivered(Delivery::Dropped),
                    |rendered| Reply { rendered, delivery: Delivery::Whole },
                ));
            }
            Some(FaultKind::ServerErrorAfter) | None => None,
            Some(kind) => request.trouble(kind, &self.options),
        };
        let mut admitted = before_effect.map_or(Ok(()), Err);
        if admitted.is_ok() {
            admitted = request.admit(&mut inner.world, &self.options);
        }
        if admitted.is_ok()
            && let Some(time) = request.hold(&inner.world)
        {
            return Arrival::Held(inner.world.now() + time, fault);
        }
        let answer = admitted.and_then(|()| request.perform(&mut inner.world, &self.options, fault.as_ref()));
        Arrival::Answered(self.conclude(inner, request, fault.as_ref(), answer))
    }

    fn conclude<D: Dialect>(
        &self,
        inner: &mut Inner,
        request: &D,
        fault: Option<&FaultKind>,
        answer: Result<D::Content, Refusal>,
    ) -> Reply {
        let action = request.action();
        let after_effect = fault.filter(|kind| **kind == FaultKind::ServerErrorAfter);
        let answer = match after_effect.and_then(|kind| request.trouble(kind, &self.options)) {
            Some(refusal) => Err(refusal),
            None => answer,
        };
        if answer.as_ref().is_err_and(|refusal| request.is_throttle(refusal)) {
            *inner.throttled.entry(action.to_owned()).or_default() += 1;
        }
        debug!(action, refused = answer.as_ref().err().map(|refusal| refusal.code.as_str()));
        let delivery = match fault {
            Some(FaultKind::DropAfter) => Delivery::Dropped,
            Some(FaultKind::HangAfter) => Delivery::Never,
            Some(FaultKind::CutShort) => Delivery::CutShort,
            Some(FaultKind::Truncated) => Delivery::Truncated,
            Some(FaultKind::Slow { millis }) => Delivery::Slow(Duration::from_millis(*millis)),
            _ => Delivery::Whole,
        };
        let mut rendered = request.render(answer, &self.options);
        match fault {
            Some(FaultKind::Gateway { status, body, .. }) => return Reply::in_words_of_its_own(*status, body),
            Some(FaultKind::WrongType) => rendered.content_type = "text/html",
            _ => {}
        }
        inner.last = inner.faults.mix_up().then(|| rendered.clone());
        Reply { rendered, delivery }
    }
}

impl Reply {
    fn undelivered(delivery: Delivery) -> Self {
        Self { delivery, ..Self::page(200, "text/plain", String::new()) }
    }

    /// What something on the way says.
    fn in_words_of_its_own(status: u16, body: &str) -> Self {
        Self::page(status, if body.starts_with('<') { "text/html" } else { "text/plain" }, body.to_owned())
    }

    fn html() -> Self {
        let body = "<!DOCTYPE html><html><body><h1>Please log in to the network</h1></body></html>";
        Self::page(200, "text/html", body.to_owned())
    }

    /// An answer that is no dialect's.
    pub(crate) const fn page(status: u16, content_type: &'static str, body: String) -> Self {
        let rendered = Rendered { status, body, content_type, headers: Vec::new() };
        Self { rendered, delivery: Delivery::Whole }
    }
}
