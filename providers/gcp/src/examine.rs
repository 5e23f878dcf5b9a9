//! Whether kroutes would be let do its work here, asked without doing any of it.
//!
//! First who we are. That a token was given says little, since a ready one is given without a question; so what counts is that
//! Compute answers a call made with it, whatever the answer. If that call fails in a way that every other would too, it is
//! told once and nothing more is asked: a dead endpoint is waited for once, and not once for each permission.
//!
//! Then each permission of the [list](permissions), by the question that Compute has for it. `routes.testIamPermissions`
//! answers for those on routes, if need be on a name that is not taken yet. What it says then is written down nowhere, and
//! nothing at all may mean that nothing is there: so a route of ours is asked where there is one, and of a name that nobody
//! has only a yes counts, and the lack of one beside a yes. Reading is tried by reading. For the permission to change
//! the network's policy there is no question: `networks` has no such method in v1, and a route may answer for itself alone.
//! It is put to the route all the same, since an answer would be welcome; but silence there proves nothing, and trying would
//! be a write. So it is told as not known, with the command that knows it, and never as missing.
//!
//! At last who else writes here, of a listing made for it.

use futures_util::future::join_all;
use kroutes_core::{Check, CheckGroup, Error, ErrorKind, Observation, PodCidr, Result};
use tokio::join;

use crate::backend::GcpBackend;
use crate::permissions::Permission;
use crate::permissions::{
    self, ALL, CREATE, DELETE, GET, INSTANCES, LIST, NETWORK, Need, OPERATION, OPERATIONS, POLICY,
};
use crate::wire::Route;
use crate::writers;

const IDENTITY: &str = "identity";
const NOT_ASKED: &str = "not-asked";
/// The method that answers for permissions on routes.
const QUESTION: &str = "`routes.testIamPermissions`";
const AGAIN: &str = "run `kroutes doctor` again";

/// What is known of one permission.
#[derive(Debug)]
enum Known {
    /// It is there; how that showed.
    Held(String),
    Missing,
    /// Why nobody knows, and what to do about that.
    Open(String, String),
}

impl GcpBackend {
    pub(crate) async fn examined(&self, observation: Option<&Observation>) -> Vec<Check> {
        if let Err(error) = self.compute.authenticate().await {
            return vec![self.refused(&error), not_asked(CheckGroup::Permissions, &error)];
        }
        let probe = self.compute.network(&self.settings.network).await.map(drop);
        if let Some(stopping) = stopping(&probe) {
            return vec![self.identity(&probe).await, stopping];
        }
        let listed = self.compute.routes(&self.network_path()).await;
        let (name, stands) = self.route_to_ask_about(listed.as_deref().unwrap_or_default(), observation);
        let (instances, on_routes, policy, operations, operation) = join!(
            self.compute.may_list_instances(),
            self.asked_of_a_route(&name, stands),
            self.compute.has(&name, POLICY),
            self.compute.may_list_operations(),
            self.compute.may_get_operations(),
        );
        let mut known = vec![
            (NETWORK, by_call("networks.get", NETWORK, probe.as_ref().map(drop))),
            (LIST, by_call("routes.list", LIST, listed.as_ref().map(drop))),
            (INSTANCES, by_call("instances.aggregatedList", INSTANCES, instances.as_ref().map(drop))),
            (POLICY, self.policy(policy.as_ref().copied())),
            (OPERATIONS, by_call("globalOperations.list", OPERATIONS, operations.as_ref().map(drop))),
            (OPERATION, by_call("globalOperations.get", OPERATION, operation.as_ref().map(drop))),
        ];
        known.extend(on_routes);
        let mut checks = vec![self.identity(&probe).await];
        for permission in ALL {
            let Some((_, known)) = known.iter().find(|(name, _)| *name == permission.name) else { continue };
            checks.push(judged(&permission, known, observation));
        }
        checks.extend(self.writers(&listed, observation));
        checks
    }

    /// Who we are, as far as that can be seen, and whether Compute takes us for anybody.
    async fn identity(&self, probe: &Result<()>) -> Check {
        let credentials = self.compute.credentials();
        let source = credentials.source();
        match probe {
            Err(error) if error.kind() == ErrorKind::Unauthenticated => return self.refused(error),
            // Whoever is told that there is nothing, or that he may not, was asked in by name.
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::NotFound) => {}
            Err(error) => {
                let message =
                    format!("whether Google accepts the credentials from {source} could not be found out: {error}");
                return Check::warn(CheckGroup::Credentials, IDENTITY, message, remedy(error));
            }
        }
        let whose = match credentials.email(self.compute.gate()).await {
            Some(email) => format!(", which are of service account `{email}`"),
            None if credentials.is_ready() => ": a token that shows not whose it is, and that nobody renews".to_owned(),
            None => String::new(),
        };
        let message = format!("Google accepts the credentials from {source}{whose}");
        Check::pass(CheckGroup::Credentials, IDENTITY, message)
    }

    /// Credentials that give no token, or none that is accepted.
    fn refused(&self, error: &Error) -> Check {
        let source = self.compute.credentials().source();
        let message = error.message();
        let message = if message.contains(source) {
            message.to_owned()
        } else {
            format!("{message} (credentials from {source})")
        };
        match error.kind() {
            ErrorKind::Unauthenticated | ErrorKind::Unsupported | ErrorKind::Invalid => {
                let remedy = error.get("help").unwrap_or_else(|| self.compute.credentials().remedy());
                Check::fail(CheckGroup::Credentials, IDENTITY, message, remedy)
            }
            _ => Check::warn(CheckGroup::Credentials, IDENTITY, message, remedy(error)),
        }
    }

    /// A route of ours, or else the name of one that we would make, the first worker's or one for a whole range; and whether
    /// it is there.
    fn route_to_ask_about(&self, listed: &[Route], observation: Option<&Observation>) -> (String, bool) {
        let ours = listed.iter().filter(|route| route.description.as_deref() == Some(self.mark.as_str()));
        if let Some(name) = ours.map(|route| &route.name).min() {
            return (name.clone(), true);
        }
        let wanted = observation.into_iter().flat_map(|observation| observation.next_hops.keys());
        let first = wanted.min_by_key(|cidr| cidr.net()).copied();
        let whole = || self.claimed.first().and_then(|cidr| PodCidr::new(cidr.net()).ok());
        let name = first.or_else(whole).map_or_else(|| "kroutes".to_owned(), |cidr| self.names.usual(&cidr));
        let stands = listed.iter().any(|route| route.name == name);
        (name, stands)
    }

    /// The permissions that a route answers for, each in a question of its own: Google refuses a whole question for one
    /// permission in it that does not fit.
    async fn asked_of_a_route(&self, name: &str, stands: bool) -> Vec<(&'static str, Known)> {
        let asked = [CREATE, DELETE, GET].map(|one| async move { (one, self.compute.has(name, one).await) });
        let answers = join_all(asked).await;
        let speaks = stands || answers.iter().any(|(_, held)| matches!(held, Ok(true)));
        let known = |held: Result<bool, &Error>| {
            match held {
            Ok(false) if !speaks => Known::Open(
                format!("{QUESTION} granted nothing on `{name}`, which is not there, and that may be all that it means"),
                "look whether whoever runs this has the role of docs/gcp-iam.md; once a route of ours stands, `kroutes doctor` \
                 asks about that one"
                    .to_owned(),
            ),
            held => by_question(held),
        }
        };
        answers.iter().map(|(one, held)| (*one, known(held.as_ref().copied()))).collect()
    }

    /// What a route says of its network's policy.
    fn policy(&self, held: Result<bool, &Error>) -> Known {
        match held {
            Err(error) if error.kind() != ErrorKind::Invalid => by_question(Err(error)),
            Ok(true) => by_question(Ok(true)),
            _ => Known::Open(
                "Compute Engine answers no question about a permission on a network".to_owned(),
                format!(
                    "look whether the role has it: `gcloud policy-troubleshoot iam //compute.googleapis.com/{} \
                     --permission={POLICY} --principal-email=EMAIL`",
                    self.network_path()
                ),
            ),
        }
    }

    fn writers(&self, listed: &Result<Vec<Route>>, observation: Option<&Observation>) -> Vec<Check> {
        match listed {
            Ok(listed) => {
                let wanted = observation.into_iter().flat_map(|observation| observation.next_hops.keys());
                let wanted: Vec<_> = wanted.map(PodCidr::net).collect();
                writers::checks(listed, &self.mark, &self.claimed, &wanted)
            }
            Err(error) => vec![not_asked(CheckGroup::Writers, error)],
        }
    }
}

fn remedy(error: &Error) -> String {
    error.get("help").unwrap_or(AGAIN).to_owned()
}

fn not_asked(group: CheckGroup, error: &Error) -> Check {
    Check::warn(group, NOT_ASKED, format!("could not be found out: {error}"), remedy(error))
}

/// What keeps every further question from an answer, if the first one met it.
fn stopping(probe: &Result<()>) -> Option<Check> {
    let error = probe.as_ref().err()?;
    match error.kind() {
        ErrorKind::NotFound => None,
        ErrorKind::PermissionDenied if names(error, NETWORK) => None,
        // The API is off, or there is no billing: that is nobody's permission.
        ErrorKind::PermissionDenied => {
            Some(Check::fail(CheckGroup::Permissions, NOT_ASKED, error.message(), remedy(error)))
        }
        _ => Some(not_asked(CheckGroup::Permissions, error)),
    }
}

/// Whether a refusal is about that permission.
fn names(error: &Error, permission: &str) -> bool {
    error.message().contains(&format!("'{permission}'"))
}

fn open(error: &Error) -> Known {
    Known::Open(error.message().to_owned(), remedy(error))
}

/// What a call says of the permission that it needs.
fn by_call(call: &str, permission: &str, answer: Result<(), &Error>) -> Known {
    match answer {
        Ok(()) => Known::Held(format!("`{call}` was answered")),
        Err(error) if error.kind() == ErrorKind::PermissionDenied && names(error, permission) => Known::Missing,
        Err(error) => open(error),
    }
}

/// What the question about permissions says of one of them.
fn by_question(held: Result<bool, &Error>) -> Known {
    match held {
        Ok(true) => Known::Held(format!("{QUESTION} says so")),
        Ok(false) => Known::Missing,
        Err(error) => open(error),
    }
}

fn judged(permission: &Permission, known: &Known, observation: Option<&Observation>) -> Check {
    let (group, name) = (CheckGroup::Permissions, permission.name);
    match known {
        Known::Held(how) => Check::pass(group, name, format!("allowed: {how}")),
        Known::Open(why, remedy) => Check::warn(group, name, format!("could not be found out: {why}"), remedy.as_str()),
        Known::Missing => {
            let message = format!("not allowed: {}", permissions::spoken(permission.without));
            let remedy = format!("grant `{name}` to whoever runs this; docs/gcp-iam.md has the whole role");
            let works_without = match permission.need {
                Need::Always => false,
                Need::ForComfort => true,
                // Whoever has a next hop all the same was given an address.
                Need::ForWorkersWithoutAddress => observation
                    .is_some_and(|seen| !seen.next_hops.is_empty() && seen.next_hops.values().all(Result::is_ok)),
            };
            let check = if works_without { Check::warn } else { Check::fail };
            check(group, name, message, remedy)
        }
    }
}
