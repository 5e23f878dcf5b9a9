//! Operations: what was asked for and has not happened yet, or has, or has failed.
//!
//! A request that is judged sound is answered with an operation, and whatever it asked for happens when that operation
//! ends, or does not: room and rivals are judged then, because that is when Compute judges them (a quota shows in
//! `Operation.error`, not as the answer to `routes.insert`). Whoever drives this model decides when that is.
//!
//! Operations that are done are kept: a request that comes again with its `requestId` is given the one that it was given
//! before, whatever became of it. Nothing bounds them, which a lab of minutes can afford.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{Compute, Effect, Failure, Operation, Phase, Refusal, Route};

/// What every request for an operation has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The `requestId`, by which a retry is known.
    pub request_id: Option<String>,
    /// Who asks.
    pub user: String,
    /// When.
    pub now: SystemTime,
}

impl Failure {
    fn exists(target: &str) -> Self {
        let message = format!("The resource '{target}' already exists");
        Self { code: "RESOURCE_ALREADY_EXISTS".to_owned(), message, status: 409, quota: None }
    }

    fn not_found(target: &str) -> Self {
        let message = format!("The resource '{target}' was not found");
        Self { code: "RESOURCE_NOT_FOUND".to_owned(), message, status: 404, quota: None }
    }

    fn no_room(limit: u32) -> Self {
        Self {
            code: "QUOTA_EXCEEDED".to_owned(),
            message: format!("Quota 'STATIC_ROUTES_PER_NETWORK' exceeded.  Limit: {limit}.0 globally."),
            status: 403,
            quota: Some(("compute.googleapis.com/static_routes_per_vpc_network".to_owned(), limit)),
        }
    }
}

impl Compute {
    /// The operation that this request was given when it came before.
    pub(super) fn known(&self, asked: &Asked) -> Result<Option<String>, Refusal> {
        let Some(id) = &asked.request_id else {
            return Ok(None);
        };
        // "The request ID must be a valid UUID with the exception that zero UUID is not supported": Compute Engine API,
        // routes.insert. The wording of the refusal is not documented.
        match uuid::Uuid::parse_str(id) {
            Ok(uuid) if !uuid.is_nil() => Ok(self.asked.get(id).cloned()),
            _ => Err(Refusal::invalid_field("requestId", id, "Must be a valid UUID other than the zero UUID.")),
        }
    }

    /// Whether something about this resource is not done yet.
    pub(super) fn is_pending(&self, target: &str) -> bool {
        let operation = self.pending.get(target).and_then(|name| self.operations.get(name));
        operation.is_some_and(|operation| operation.phase != Phase::Done)
    }

    pub(super) fn begin(
        &mut self,
        kind: &str,
        zone: Option<&str>,
        target: String,
        target_id: u64,
        effect: Effect,
        asked: Asked,
    ) -> String {
        let millis = asked.now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let name = format!("operation-{millis}-{:013x}-{:08x}", self.ids.u64(..1 << 52), self.ids.u32(..));
        let id = self.new_id();
        if let Some(request) = &asked.request_id {
            self.asked.insert(request.clone(), name.clone());
        }
        self.pending.insert(target.clone(), name.clone());
        let operation = Operation {
            id,
            kind: kind.to_owned(),
            zone: zone.map(str::to_owned),
            target,
            target_id,
            client_operation_id: asked.request_id,
            user: asked.user,
            phase: Phase::Pending,
            inserted: asked.now,
            started: None,
            ended: None,
            failure: None,
            effect,
        };
        self.operations.insert(name.clone(), operation);
        name
    }

    /// Lets a pending operation run.
    pub fn begin_operation(&mut self, name: &str, now: SystemTime) {
        let pending = self.operations.get(name).is_some_and(|operation| operation.phase == Phase::Pending);
        if pending && let Some(operation) = self.operations.get_mut(name) {
            operation.phase = Phase::Running;
            operation.started = Some(now);
        }
    }

    /// Ends an operation: what it was to do is done, or turns out to be impossible. One that is done stays as it is.
    pub fn end_operation(&mut self, name: &str, now: SystemTime) {
        let Some(operation) = self.operations.get(name).filter(|operation| operation.phase != Phase::Done) else {
            return;
        };
        let (target, id, effect) = (operation.target.clone(), operation.target_id, operation.effect.clone());
        let failure = self.take_effect(&target, id, effect).err();
        self.finish(name, failure, now);
    }

    /// Ends an operation without effect. One that is done stays as it is.
    pub fn fail_operation(&mut self, name: &str, failure: Failure, now: SystemTime) {
        if self.operations.get(name).is_some_and(|operation| operation.phase != Phase::Done) {
            self.finish(name, Some(failure), now);
        }
    }

    fn finish(&mut self, name: &str, failure: Option<Failure>, now: SystemTime) {
        if let Some(operation) = self.operations.get_mut(name) {
            operation.phase = Phase::Done;
            operation.started.get_or_insert(now);
            operation.ended = Some(now);
            operation.failure = failure;
            let target = operation.target.clone();
            if self.pending.get(&target).is_some_and(|held| held == name) {
                self.pending.remove(&target);
            }
        }
    }

    fn take_effect(&mut self, target: &str, id: u64, effect: Effect) -> Result<(), Failure> {
        let name = target.rsplit('/').next().unwrap_or_default();
        match effect {
            Effect::Insert(route) => self.insert_now(target, name, *route),
            Effect::Delete => {
                // An operation is about a resource, not about its name: one that took the name meanwhile is another.
                if self.routes.get(name).is_none_or(|route| route.id != id) {
                    return Err(Failure::not_found(target));
                }
                self.routes.remove(name);
                Ok(())
            }
            Effect::Machine(status) => {
                let zone = target.rsplit('/').nth(2).unwrap_or_default();
                let key = format!("{zone}/{name}");
                let there = match status {
                    Some(status) => self.set_status(&key, status),
                    None => self.delete_machine(&key),
                };
                if there { Ok(()) } else { Err(Failure::not_found(target)) }
            }
        }
    }

    fn insert_now(&mut self, target: &str, name: &str, route: Route) -> Result<(), Failure> {
        if self.routes.contains_key(name) {
            return Err(Failure::exists(target));
        }
        if !self.has_room(&route.network) {
            return Err(Failure::no_room(self.routes_limit));
        }
        self.routes.insert(name.to_owned(), route);
        Ok(())
    }
}
