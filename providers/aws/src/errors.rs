//! From whatever the SDK reports to one of our errors.
//!
//! EC2's model names no errors at all, so the SDK hands every one of them over as "unhandled" with a code as text: the
//! one `match` on those codes is here, with a row of the test for each arm. Three questions are answered apart. What
//! sort is it? Would the same request work later? And, for a write without a clear answer, may it have happened?
//!
//! Codes are those of "Error codes for the Amazon EC2 API" (Amazon EC2 API Reference) unless a comment says otherwise.

use std::error::Error as StdError;
use std::io;

use aws_config::imds::client::error::ImdsError;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ec2::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use kroutes_core::{Error, ErrorKind};

use crate::action::Action;
use crate::client::PLAIN_HTTP_HELP;
use crate::connector::{PlainHttp, Unreached, chain, find};

const CREDENTIALS_HELP: &str = "run `aws configure` or `aws sso login`, set AWS_PROFILE or AWS_ACCESS_KEY_ID and \
    AWS_SECRET_ACCESS_KEY, or try `--lab`, which needs no account";
const CREDENTIALS_OR_CLOCK_HELP: &str = "look at the credentials (`aws configure`, `aws sso login`, AWS_PROFILE, AWS_ACCESS_KEY_ID and \
    AWS_SECRET_ACCESS_KEY) and at this machine's clock, which signatures depend on; or try `--lab`, which needs no account";
const NOT_EC2_HELP: &str = "something else than EC2 answered: look at HTTPS_PROXY, NO_PROXY, `endpoint-url` and AWS_ENDPOINT_URL_EC2, or sign in to the network";

/// What a code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Meaning {
    kind: ErrorKind,
    /// Where the answer differs from what the kind says by itself.
    retryable: Option<bool>,
    /// Whether a write may have happened all the same.
    open: bool,
    help: Option<&'static str>,
}

impl Meaning {
    const fn of(kind: ErrorKind) -> Self {
        Self { kind, retryable: None, open: false, help: None }
    }

    const fn help(self, help: &'static str) -> Self {
        Self { help: Some(help), ..self }
    }
}

/// The one place that knows EC2's codes.
fn meaning(action: Action, code: &str, message: &str, status: u16) -> Meaning {
    use ErrorKind as K;
    match code {
        "RequestLimitExceeded" | "EC2ThrottledException" | "Throttling" | "ThrottlingException"
        | "RequestThrottled" | "RequestThrottledException" | "TooManyRequestsException" => Meaning::of(K::RateLimited)
            .help("another program uses the same API allowance; run again later, or ask AWS for a higher one"),

        "RouteLimitExceeded" | "ResourceCountLimitExceeded" => Meaning::of(K::QuotaExceeded).help(
            "ask AWS for a higher quota `Routes per route table` (code L-93826ACB, at most 1000), or use a second table",
        ),
        "TagLimitExceeded" => Meaning::of(K::QuotaExceeded).help("remove a tag: a resource has at most 50"),

        "RouteAlreadyExists" => Meaning::of(K::Conflict),
        "InvalidRoute.NotFound" => Meaning::of(K::NotFound),
        "InvalidParameterValue" if message.contains("There is no route defined") => Meaning::of(K::NotFound),
        "InvalidParameterValue" if message.contains("equal to or more specific than") => Meaning::of(K::Invalid)
            .help("pod CIDRs must not lie inside the VPC's own ranges; choose another `pod-cidr`"),
        "InvalidParameterValue" if message.contains("belong to different networks") => {
            Meaning::of(K::Invalid).help("the instance and the route table must be in one VPC")
        }

        // A fresh instance may not be known everywhere yet ("Eventual consistency in the Amazon EC2 API").
        "InvalidInstanceID.NotFound" => {
            let recent = Meaning { retryable: Some(action.is_write()), ..Meaning::of(K::NotFound) };
            recent.help("the instance is gone, or is in another region")
        }
        "InvalidRouteTableID.NotFound" | "InvalidRouteTableId.NotFound" => {
            Meaning::of(K::NotFound).help("the route table is gone, or is in another region")
        }
        "InvalidInstanceID" => Meaning::of(K::Invalid)
            .help("the instance got a second network interface meanwhile; run again, and its primary one is used"),
        code if code.ends_with(".NotFound") => Meaning::of(K::NotFound),

        "IncorrectInstanceState" | "InvalidInstanceState" | "IncorrectState" | "DependencyViolation" => {
            Meaning::of(K::Conflict).help("wait until the resource has settled, then run again")
        }

        "UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException" | "OperationNotPermitted" => {
            Meaning::of(K::PermissionDenied)
        }
        // The last two are of STS and SSO, whose answers come through here when a role is assumed.
        // A clock that is off makes signatures that EC2 calls wrong, too early or too late.
        "AuthFailure" | "SignatureDoesNotMatch" => Meaning::of(K::Unauthenticated).help(CREDENTIALS_OR_CLOCK_HELP),
        "InvalidClientTokenId" | "MissingAuthenticationToken"
        | "UnrecognizedClientException" | "ExpiredToken" | "ExpiredTokenException" => {
            Meaning::of(K::Unauthenticated).help(CREDENTIALS_HELP)
        }
        "RequestExpired" => Meaning::of(K::Unauthenticated).help(
            "the session has expired, or this machine's clock is more than 15 minutes off: renew the credentials, or set the clock",
        ),
        "OptInRequired" | "Blocked" | "PendingVerification" => {
            Meaning::of(K::Unauthenticated).help("the account may not use EC2 here; look into the AWS console")
        }

        "InternalError" | "InternalFailure" | "ServerInternal" | "Unavailable" | "ServiceUnavailable"
        | "RetryableError" | "RequestTimeout" => Meaning { open: true, ..Meaning::of(K::Unavailable) },

        "UnsupportedOperation" | "InvalidAction" | "Unsupported" => Meaning::of(K::Unsupported),

        _ => match status {
            429 => Meaning::of(K::RateLimited),
            500.. => Meaning { open: true, ..Meaning::of(K::Unavailable) },
            400.. if code.is_empty() => Meaning::of(K::Unexpected).help(NOT_EC2_HELP),
            // A request that EC2 understood and does not want: wrong values, or a bug of ours.
            400.. => Meaning::of(K::Invalid),
            _ => Meaning::of(K::Unexpected),
        },
    }
}

/// One of our errors for whatever came instead of an answer.
pub(crate) fn from_sdk<E>(action: Action, error: &SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let name = action.name();
    let write = action.is_write();
    let request_id = error.request_id().map(ToOwned::to_owned);
    let made = match error {
        SdkError::ServiceError(service) => {
            let response = service.raw();
            let (code, text) = (service.err().code().unwrap_or_default(), service.err().message().unwrap_or_default());
            let body = response.body().bytes().map(String::from_utf8_lossy).unwrap_or_default();
            let status = response.status().as_u16();
            let made = if code.is_empty() && status < 300 {
                unreadable(name, write, &body)
            } else {
                answered(action, code, text, status)
            };
            let in_body = || {
                let of_ec2 = between(&body, "<RequestID>", "</RequestID>");
                of_ec2.or_else(|| between(&body, "<RequestId>", "</RequestId>"))
            };
            match request_id.or_else(in_body) {
                Some(id) => made.with("request-id", id),
                None => made,
            }
        }
        // Without a body it broke off on the way; with one it came, and was found not to be the whole answer.
        SdkError::ResponseError(response) => {
            let body = response.raw().body().bytes().map(String::from_utf8_lossy).unwrap_or_default();
            unreadable(name, write, &body)
        }
        SdkError::TimeoutError(_) => Error::new(ErrorKind::Unavailable, format!("`{name}` got no answer in time"))
            .with_ambiguous(write)
            .help("check the network and the endpoint"),
        SdkError::DispatchFailure(_) => undelivered(name, write, error),
        // What cannot even be built will not be built better next time.
        _ => Error::new(ErrorKind::Invalid, format!("`{name}` cannot be sent: {}", deepest(error))),
    };
    made.with("action", name)
}

fn answered(action: Action, code: &str, text: &str, status: u16) -> Error {
    let name = action.name();
    let meaning = meaning(action, code, text, status);
    let said = spoken(text);
    let message = match (code, said.as_str()) {
        ("", _) => format!("`{name}` was answered with HTTP {status}"),
        (code, "") => format!("`{name}` was refused with `{code}`"),
        (_, said) => format!("`{name}` was refused: {said}"),
    };
    let error = Error::new(meaning.kind, message).with_ambiguous(meaning.open && action.is_write());
    let error = match meaning.retryable {
        Some(retryable) => error.with_retryable(retryable),
        None => error,
    };
    let error = if code.is_empty() { error.with("status", status.to_string()) } else { error.with("code", code) };
    match meaning.help {
        Some(help) => error.help(help),
        None if meaning.kind == ErrorKind::PermissionDenied => {
            let service = action.service();
            error.help(format!("allow `{service}:{name}` to whoever runs this; docs/aws-iam.md has the whole policy"))
        }
        None => error,
    }
}

/// A 200 that is no answer of EC2's: a sign-in page of a network, or the front half of an answer.
fn unreadable(name: &str, write: bool, body: &str) -> Error {
    let start = body.trim_start();
    if start.is_empty() || start.starts_with("<?xml") || start.starts_with(&format!("<{name}Response")) {
        return Error::new(ErrorKind::Unavailable, format!("the answer to `{name}` was cut off")).with_ambiguous(write);
    }
    Error::new(ErrorKind::Unexpected, format!("`{name}` was answered with something that is not EC2's XML"))
        .with_ambiguous(write)
        .help(NOT_EC2_HELP)
}

fn undelivered(name: &str, write: bool, error: &(dyn StdError + 'static)) -> Error {
    if let Some(plain) = find::<PlainHttp>(error) {
        return Error::new(ErrorKind::Invalid, plain.to_string()).help(PLAIN_HTTP_HELP);
    }
    if let Some(unreached) = find::<Unreached>(error) {
        let cause = deepest(unreached);
        let refused = find::<io::Error>(unreached).is_some_and(|io| io.kind() == io::ErrorKind::ConnectionRefused);
        let untrusted = cause.contains("certificate");
        let made = Error::new(ErrorKind::Unavailable, format!("{unreached}: {cause}"))
            .with_ambiguous(write && !unreached.before_sending);
        return if untrusted {
            made.with_retryable(false).help("set SSL_CERT_FILE to the certificates that your network's proxy needs")
        } else if refused && unreached.loopback {
            // Nobody listens on a port of this very machine: waiting will not change it.
            made.with_retryable(false).help("start what should listen there, or correct the endpoint")
        } else if unreached.before_sending {
            made.help("check the network, the region and the endpoint, and HTTPS_PROXY if there is a proxy")
        } else {
            made
        };
    }
    if let Some(error) = unsigned(error) {
        return error;
    }
    let cause = deepest(error);
    if cause.starts_with("endpoint") || cause.contains("invalid uri") {
        // No later attempt will find it better written.
        return Error::new(ErrorKind::Invalid, format!("`{name}` could not be sent: {cause}"))
            .help("write `endpoint-url`, AWS_ENDPOINT_URL_EC2 or AWS_ENDPOINT_URL as a whole URL, such as `https://ec2.us-west-2.amazonaws.com`");
    }
    Error::new(ErrorKind::Unavailable, format!("`{name}` could not be sent: {cause}")).with_ambiguous(write)
}

/// No request went out, because the SDK had nothing to sign it with.
fn unsigned(error: &(dyn StdError + 'static)) -> Option<Error> {
    let credentials = find::<CredentialsError>(error);
    // The SDK's cache gives up on slow providers with a type of its own, which it keeps to itself.
    if credentials.is_none() && !DisplayErrorContext(error).to_string().contains("identity resolver") {
        return None;
    }
    // The metadata service is asked last, after everything else had nothing: that it had nothing either is no news.
    let nothing =
        matches!(credentials, Some(CredentialsError::CredentialsNotLoaded(_))) || find::<ImdsError>(error).is_some();
    let message = if nothing {
        // A misspelt profile is the commonest reason.
        match std::env::var("AWS_PROFILE") {
            Ok(profile) if !profile.is_empty() => format!("no AWS credentials were found for profile `{profile}`"),
            _ => "no AWS credentials were found".to_owned(),
        }
    } else {
        format!("the AWS credentials cannot be used: {}", deepest(error))
    };
    Some(Error::new(ErrorKind::Unauthenticated, message).help(CREDENTIALS_HELP))
}

/// The last of a chain of errors, which is the one that says something.
fn deepest(error: &(dyn StdError + 'static)) -> String {
    chain(error).last().map(|error| spoken(&error.to_string())).unwrap_or_default()
}

/// A provider's text as part of a sentence of ours. What only `sts:DecodeAuthorizationMessage` can read is left out.
fn spoken(text: &str) -> String {
    let text = text.split("Encoded authorization failure message").next().unwrap_or_default();
    text.trim().trim_end_matches('.').to_owned()
}

fn between(text: &str, start: &str, end: &str) -> Option<String> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(inner, _)| inner.to_owned())
}

#[cfg(test)]
#[path = "errors_tests.rs"]
mod tests;
