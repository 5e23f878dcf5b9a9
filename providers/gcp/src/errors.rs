//! From Google's words to one of our errors.
//!
//! Compute says no in two places: at once, with an HTTP status and a reason in camel case, or later, in an operation that
//! ended badly although HTTP had said 200, with a code in capitals. They are the same refusals, so one `match` knows
//! both spellings, with a row of the test for each arm. The status alone decides nothing where there is a word: a 403 is a
//! rate (wait), a quota (final), a missing permission (final) or a switched-off API, and some 400s are over in a
//! minute.
//!
//! Where several words come with one answer the most exact one counts: `ErrorInfo.reason` of `error.details[]`, then
//! `error.errors[].reason`, then the status word ("AIP-193: Errors", Google API Improvement Proposals; "Troubleshoot API
//! errors", Compute Engine documentation).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kroutes_core::{Error, ErrorKind};
use serde_json::Value;

const RATE_HELP: &str = "another program uses the same API allowance of this project; run again in a minute, or ask Google \
    for a higher one";
const API_OFF_HELP: &str =
    "switch it on in that project with `gcloud services enable compute.googleapis.com`, and wait a few minutes";
const NOT_FOUND_HELP: &str = "look at `project` and `network` in the `[gcp]` table of the topology; \
    `gcloud projects list` and `gcloud compute networks list` show what there is";
const NOT_COMPUTE_HELP: &str = "something else than Compute Engine answered: look at HTTPS_PROXY, NO_PROXY, `endpoint` and \
    CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE, or sign in to the network";
/// What to do where a token was not accepted.
pub(crate) const CREDENTIALS_HELP: &str = "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to the \
    file of a service account's key, or try `--lab`, which needs no account";

/// How long to wait for others' operations to end: the limit is on those under way, not on those of a minute.
const OPERATIONS_END: Duration = Duration::from_secs(5);

/// How long to wait for a change of the network to end: peerings and routes take longer than a few short attempts.
const NETWORK_SETTLES: Duration = Duration::from_secs(15);

/// The longest that a header can ask for: all that is metered here comes back within a minute.
const LONGEST_WAIT: Duration = Duration::from_mins(2);

/// An answer of Compute's that is a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The HTTP status.
    pub(crate) status: u16,
    /// Google's own word, or nothing where the answer was none of Google's.
    pub(crate) reason: String,
    /// Google's own sentence.
    pub(crate) message: String,
    /// `ErrorInfo.reason`, which is more exact than `reason` where there is one.
    pub(crate) info: Option<String>,
    /// How long to wait, by the header or by what is known of the limit.
    pub(crate) retry_after: Option<Duration>,
}

impl Refused {
    /// Reads an answer, whatever it is: HTML and nothing at all give an empty reason. `now` says how far the minute is.
    pub(crate) fn read(status: u16, retry_after: Option<&str>, now: SystemTime, body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        // `error` may be the text alone, as token endpoints have it.
        let error = &body["error"];
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(ToOwned::to_owned);
        let info = error["details"].as_array().into_iter().flatten().find_map(|detail| text(&detail["reason"]));
        let reason = text(&error["errors"][0]["reason"])
            .or_else(|| info.clone())
            .or_else(|| text(&error["status"]))
            .or_else(|| text(error))
            .unwrap_or_default();
        let message = text(&error["message"]).or_else(|| text(&error["errors"][0]["message"])).unwrap_or_default();
        let asked = retry_after.and_then(|seconds| seconds.trim().parse().ok()).map(Duration::from_secs);
        let asked = asked.map(|wait| wait.min(LONGEST_WAIT));
        let mut refused = Self { status, reason, message, info, retry_after: asked };
        if refused.retry_after.is_none() {
            let meaning = refused.meaning();
            refused.retry_after = match refused.word() {
                word if is_concurrency(word) => Some(OPERATIONS_END),
                word if is_rate(word) => Some(until_next_minute(now)),
                _ => meaning.wait,
            };
        }
        refused
    }

    /// The most exact word that is known here.
    fn word(&self) -> &str {
        let exact = self.info.as_deref().filter(|info| meaning(info, &self.message).is_some());
        exact.unwrap_or(&self.reason)
    }

    fn meaning(&self) -> Meaning {
        meaning(self.word(), &self.message).unwrap_or_else(|| by_status(self.status, &self.reason))
    }
}

/// Rate quotas are refilled at the start of the next minute, not by and by ("Rate quotas", Compute Engine documentation).
fn until_next_minute(now: SystemTime) -> Duration {
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() % 60;
    // One second more: the two clocks are not the same.
    Duration::from_secs(60 - seconds + 1)
}

fn is_rate(word: &str) -> bool {
    matches!(word, "rateLimitExceeded" | "RATE_LIMIT_EXCEEDED" | "userRateLimitExceeded")
}

fn is_concurrency(word: &str) -> bool {
    word == "CONCURRENT_OPERATIONS_QUOTA_EXCEEDED"
}

/// What a word means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Meaning {
    kind: ErrorKind,
    /// Whether a write may have happened all the same.
    open: bool,
    help: Option<&'static str>,
    /// How long it lasts, if that is known whatever the answer says.
    wait: Option<Duration>,
}

impl Meaning {
    const fn of(kind: ErrorKind) -> Self {
        Self { kind, open: false, help: None, wait: None }
    }

    const fn help(self, help: &'static str) -> Self {
        Self { help: Some(help), ..self }
    }

    /// The network is being changed, by whomever.
    const fn settling() -> Self {
        Self { wait: Some(NETWORK_SETTLES), ..Self::of(ErrorKind::Unavailable).help(SETTLING_HELP) }
    }
}

/// The one place that knows Google's words: HTTP reasons, `ErrorInfo` reasons and the codes of operations.
fn meaning(word: &str, message: &str) -> Option<Meaning> {
    use ErrorKind as K;
    Some(match word {
        word if is_concurrency(word) => {
            Meaning::of(K::RateLimited).help("too many operations are under way in this project; run again when they have ended")
        }
        word if is_rate(word) => Meaning::of(K::RateLimited).help(RATE_HELP),
        "RESOURCE_OPERATION_RATE_EXCEEDED" | "operationRateExceeded" => Meaning::of(K::RateLimited).help(RATE_HELP),

        "quotaExceeded" | "QUOTA_EXCEEDED" | "limitExceeded" | "LIMIT_EXCEEDED" => Meaning::of(K::QuotaExceeded).help(
            "ask Google for a higher quota (`gcloud compute project-info describe` and the console's `Quotas` page show it), \
             or delete routes that nobody needs",
        ),

        "SERVICE_DISABLED" | "accessNotConfigured" => Meaning::of(K::PermissionDenied).help(API_OFF_HELP),
        "BILLING_DISABLED" | "billingNotEnabled" => {
            Meaning::of(K::PermissionDenied).help("link the project to a billing account in the console")
        }
        "forbidden" | "PERMISSION_DENIED" if message.contains("requires billing to be enabled") => {
            Meaning::of(K::PermissionDenied).help("link the project to a billing account in the console")
        }
        "ACCESS_TOKEN_SCOPE_INSUFFICIENT" => Meaning::of(K::PermissionDenied).help(
            "the token was made for other APIs: give the VM the scope `cloud-platform`, or make the token anew",
        ),
        "forbidden" | "insufficientPermissions" | "PERMISSION_DENIED" | "PERMISSIONS_ERROR" | "IAM_PERMISSION_DENIED" => {
            Meaning::of(K::PermissionDenied)
        }

        "authError" | "UNAUTHENTICATED" | "ACCESS_TOKEN_EXPIRED" | "CREDENTIALS_MISSING" => {
            Meaning::of(K::Unauthenticated).help(CREDENTIALS_HELP)
        }

        "alreadyExists" | "RESOURCE_ALREADY_EXISTS" | "ALREADY_EXISTS" => Meaning::of(K::Conflict),
        "conditionNotMet" | "CONDITION_NOT_MET" | "fingerprintMismatch" => {
            Meaning::of(K::Conflict).help("somebody else changed it at the same time; run again")
        }
        "resourceInUseByAnotherResource" | "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE" => {
            Meaning::of(K::Conflict).help("something else uses it still")
        }

        "notFound" | "RESOURCE_NOT_FOUND" | "NOT_FOUND" | "PROJECT_NOT_FOUND" | "NETWORK_NOT_FOUND" => {
            let missing = Meaning::of(K::NotFound);
            if about_place(word, message) { missing.help(NOT_FOUND_HELP) } else { missing }
        }

        "resourceNotReady" | "RESOURCE_NOT_READY" => Meaning::settling(),
        // They come as `badRequest`, `invalid` and others; the sentence is what is common to them.
        _ if is_settling(message) => Meaning::settling(),
        _ if message.contains("hides the address space of the network") => Meaning::of(K::Invalid)
            .help("the pod CIDR lies inside, or is, a range of one of the network's subnets; choose another `pod-cidr`"),
        "invalid" | "badRequest" | "INVALID_USAGE" | "INVALID_FIELD_VALUE" | "INVALID_ARGUMENT"
        | "invalidParameter" | "parseError" | "FAILED_PRECONDITION" => Meaning::of(K::Invalid),

        "backendError" | "internalError" | "INTERNAL_ERROR" | "INTERNAL" | "UNAVAILABLE" | "TIMEOUT" => {
            Meaning { open: true, ..Meaning::of(K::Unavailable) }
        }

        "UNSUPPORTED_OPERATION" | "unsupportedOperation" | "notImplemented" | "UNIMPLEMENTED" => Meaning::of(K::Unsupported),

        _ => return None,
    })
}

const SETTLING_HELP: &str = "the network is being changed by somebody else; run again when that has ended";

/// Refusals that are over by themselves ("There is a peering operation in progress on the local or peer network. Try
/// again later.", and the same of routes).
fn is_settling(message: &str) -> bool {
    message.contains("operation in progress")
}

/// Whether it is the project or the network that is missing, and not a route, an operation or a machine.
fn about_place(word: &str, message: &str) -> bool {
    let resource = message.split('\'').nth(1).unwrap_or_default();
    let project = resource.strip_prefix("projects/").is_some_and(|rest| !rest.contains('/'));
    word.starts_with("PROJECT") || word.starts_with("NETWORK") || project || resource.contains("/networks/")
}

fn by_status(status: u16, reason: &str) -> Meaning {
    use ErrorKind as K;
    match status {
        429 => Meaning::of(K::RateLimited).help(RATE_HELP),
        408 | 500.. => Meaning { open: true, ..Meaning::of(K::Unavailable) },
        401 => Meaning::of(K::Unauthenticated).help(CREDENTIALS_HELP),
        // No word of Google's: a proxy, a sign-in page, another server.
        _ if reason.is_empty() => Meaning::of(K::Unexpected).help(NOT_COMPUTE_HELP),
        403 => Meaning::of(K::PermissionDenied),
        404 => Meaning::of(K::NotFound),
        409 | 412 => Meaning::of(K::Conflict),
        400.. => Meaning::of(K::Invalid),
        _ => Meaning::of(K::Unexpected).help(NOT_COMPUTE_HELP),
    }
}

/// One of our errors for a refusal. `write` says whether a server's failure leaves it open if something was changed.
pub(crate) fn refused(action: &'static str, refused: &Refused, write: bool) -> Error {
    let meaning = refused.meaning();
    let said = spoken(&refused.message);
    let code = refused.word();
    let message = match (code, said.as_str()) {
        ("", "") => format!("`{action}` was answered with HTTP {}", refused.status),
        (code, "") => format!("`{action}` was refused with `{code}`"),
        (_, said) => format!("`{action}` was refused: {said}"),
    };
    let error = Error::new(meaning.kind, message).with_ambiguous(meaning.open && write);
    let error = match refused.retry_after {
        Some(wait) => error.with_retry_after(wait),
        None => error,
    };
    let error =
        if code.is_empty() { error.with("status", refused.status.to_string()) } else { error.with("code", code) };
    helped(error, meaning, &refused.message).with("action", action)
}

/// One of our errors for an operation that ended with one. It is never ambiguous: it has ended, and did nothing.
pub(crate) fn operation(action: &'static str, code: &str, status: Option<u16>, message: &str) -> Error {
    let meaning = meaning(code, message).unwrap_or_else(|| match status {
        Some(status) => by_status(status, code),
        None => Meaning::of(ErrorKind::Unexpected),
    });
    let said = spoken(message);
    let text = match (code, said.as_str()) {
        ("", "") => format!("`{action}` failed, and Google does not say why"),
        (code, "") => format!("`{action}` failed with `{code}`"),
        (_, said) => format!("`{action}` failed: {said}"),
    };
    let error = Error::new(meaning.kind, text);
    let error = match meaning.wait {
        Some(wait) => error.with_retry_after(wait),
        None => error,
    };
    let error = if code.is_empty() { error } else { error.with("code", code) };
    helped(error, meaning, message).with("action", action)
}

fn helped(error: Error, meaning: Meaning, message: &str) -> Error {
    match (meaning.help, permission(message)) {
        (Some(help), _) => error.help(help),
        (None, Some(permission)) => {
            error.help(format!("grant `{permission}` to whoever runs this; docs/gcp-iam.md has the whole role"))
        }
        (None, None) if meaning.kind == ErrorKind::PermissionDenied => {
            error.help("grant the role of docs/gcp-iam.md to whoever runs this")
        }
        (None, None) => error,
    }
}

/// The permission that Google names: `Required 'compute.routes.create' permission for 'projects/p/...'`.
fn permission(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("Required '")?;
    rest.split_once('\'').map(|(permission, _)| permission)
}

/// A provider's text as part of a sentence of ours.
fn spoken(text: &str) -> String {
    let line: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    line.trim().trim_end_matches('.').to_owned()
}

#[cfg(test)]
#[path = "errors_tests.rs"]
mod tests;
