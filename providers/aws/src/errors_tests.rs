use aws_sdk_ec2::error::ErrorMetadata;
use aws_sdk_ec2::operation::create_route::CreateRouteError;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

use super::*;

fn service(code: &str, message: &str, status: u16, body: &str) -> SdkError<CreateRouteError, HttpResponse> {
    let mut metadata = ErrorMetadata::builder();
    if !code.is_empty() {
        metadata = metadata.code(code).message(message);
    }
    let response = HttpResponse::new(StatusCode::try_from(status).expect("status"), SdkBody::from(body));
    SdkError::service_error(CreateRouteError::generic(metadata.build()), response)
}

fn made(code: &str, message: &str, status: u16) -> Error {
    from_sdk(Action::CreateRoute, &service(code, message, status, ""))
}

/// Code, message, HTTP status; kind, retryable, ambiguous for a write.
type Row = (&'static str, &'static str, u16, ErrorKind, bool, bool);

#[test]
fn every_code_has_its_meaning() {
    use ErrorKind as K;
    let rows: &[Row] = &[
        ("RequestLimitExceeded", "Request limit exceeded.", 503, K::RateLimited, true, false),
        ("EC2ThrottledException", "", 503, K::RateLimited, true, false),
        ("Throttling", "Rate exceeded", 400, K::RateLimited, true, false),
        ("RouteLimitExceeded", "The maximum number of routes has been reached.", 400, K::QuotaExceeded, false, false),
        ("ResourceCountLimitExceeded", "", 400, K::QuotaExceeded, false, false),
        ("TagLimitExceeded", "", 400, K::QuotaExceeded, false, false),
        ("RouteAlreadyExists", "The route identified by 10.200.0.0/24 already exists.", 400, K::Conflict, false, false),
        ("InvalidRoute.NotFound", "no route with destination-cidr-block", 400, K::NotFound, false, false),
        (
            "InvalidParameterValue",
            "There is no route defined for '10.200.77.0/24' in the route table. Use CreateRoute instead.",
            400,
            K::NotFound,
            false,
            false,
        ),
        (
            "InvalidParameterValue",
            "The destination CIDR block 10.1.102.0/24 is equal to or more specific than one of this VPC's CIDR blocks.",
            400,
            K::Invalid,
            false,
            false,
        ),
        (
            "InvalidParameterValue",
            "route table rtb-1 and interface eni-1 belong to different networks",
            400,
            K::Invalid,
            false,
            false,
        ),
        ("InvalidParameterValue", "anything else", 400, K::Invalid, false, false),
        ("InvalidInstanceID.NotFound", "The instance ID 'i-1' does not exist", 400, K::NotFound, true, false),
        ("InvalidRouteTableID.NotFound", "", 400, K::NotFound, false, false),
        ("InvalidNetworkInterfaceID.NotFound", "", 400, K::NotFound, false, false),
        ("InvalidInstanceID", "There are multiple interfaces attached", 400, K::Invalid, false, false),
        ("InvalidInstanceID.Malformed", "", 400, K::Invalid, false, false),
        ("InvalidRouteTableId.Malformed", "", 400, K::Invalid, false, false),
        ("IncorrectInstanceState", "", 400, K::Conflict, false, false),
        ("UnauthorizedOperation", "You are not authorized.", 403, K::PermissionDenied, false, false),
        ("AccessDenied", "", 403, K::PermissionDenied, false, false),
        ("AuthFailure", "AWS was not able to validate the credentials", 401, K::Unauthenticated, false, false),
        ("SignatureDoesNotMatch", "", 403, K::Unauthenticated, false, false),
        ("ExpiredToken", "", 400, K::Unauthenticated, false, false),
        ("RequestExpired", "Request has expired.", 400, K::Unauthenticated, false, false),
        ("OptInRequired", "", 401, K::Unauthenticated, false, false),
        ("InternalError", "An internal error has occurred", 500, K::Unavailable, true, true),
        ("Unavailable", "The server is overloaded", 503, K::Unavailable, true, true),
        ("UnsupportedOperation", "", 400, K::Unsupported, false, false),
        ("MissingParameter", "", 400, K::Invalid, false, false),
        ("SomethingNew", "", 400, K::Invalid, false, false),
        ("SomethingNew", "", 502, K::Unavailable, true, true),
        ("", "", 429, K::RateLimited, true, false),
        ("", "", 502, K::Unavailable, true, true),
        ("", "", 404, K::Unexpected, false, false),
        ("", "", 407, K::Unexpected, false, false),
    ];
    for (code, message, status, kind, retryable, ambiguous) in rows {
        let error = made(code, message, *status);
        assert_eq!(
            (error.kind(), error.is_retryable(), error.is_ambiguous()),
            (*kind, *retryable, *ambiguous),
            "{code} {message} {status}"
        );
    }
}

#[test]
fn an_unknown_instance_is_waited_for_by_writes_only() {
    let reading = from_sdk(Action::DescribeInstances, &service("InvalidInstanceID.NotFound", "", 400, ""));
    assert!(!reading.is_retryable());
}

#[test]
fn a_failed_reading_leaves_nothing_open() {
    let error = from_sdk(Action::DescribeRouteTables, &service("InternalError", "", 500, ""));
    assert!(error.is_retryable() && !error.is_ambiguous());
}

#[test]
fn an_error_carries_code_message_action_and_request_id() {
    let body = "<Response><Errors/><RequestID>292c04a0-1</RequestID></Response>";
    let error = from_sdk(Action::CreateRoute, &service("RouteLimitExceeded", "The limit is reached.", 400, body));
    assert_eq!(error.message(), "`CreateRoute` was refused: The limit is reached");
    let facts = ["code", "request-id", "action"].map(|name| error.get(name).unwrap_or_default());
    assert_eq!(facts, ["RouteLimitExceeded", "292c04a0-1", "CreateRoute"]);
    assert!(error.get("help").is_some_and(|help| help.contains("L-93826ACB")));
}

#[test]
fn a_denied_action_is_named_with_the_policy_and_without_the_encoded_message() {
    let text = "You are not authorized to perform this operation. Encoded authorization failure message: c2VjcmV0";
    let error = made("UnauthorizedOperation", text, 403);
    assert_eq!(error.message(), "`CreateRoute` was refused: You are not authorized to perform this operation");
    let help = error.get("help").expect("help");
    assert!(help.contains("`ec2:CreateRoute`") && help.contains("docs/aws-iam.md"), "{help}");
}

#[test]
fn expired_requests_mention_the_clock() {
    assert!(made("RequestExpired", "", 400).get("help").is_some_and(|help| help.contains("clock")));
}

#[test]
fn a_page_of_html_with_200_is_no_answer_and_speaks_of_proxies() {
    let error = from_sdk(Action::CreateRoute, &service("", "", 200, "<!DOCTYPE html><html>Sign in</html>"));
    assert_eq!((error.kind(), error.is_retryable(), error.is_ambiguous()), (ErrorKind::Unexpected, false, true));
    assert!(error.get("help").is_some_and(|help| help.contains("NO_PROXY")));
}

#[test]
fn half_an_answer_is_asked_for_again() {
    for body in ["", "<?xml version=\"1.0\"?><CreateRouteRes", "<CreateRouteResponse xmlns=\"http://"] {
        let error = from_sdk(Action::CreateRoute, &service("", "", 200, body));
        assert_eq!((error.kind(), error.is_ambiguous()), (ErrorKind::Unavailable, true), "{body}");
    }
}

#[test]
fn missing_credentials_say_where_to_get_some() {
    let source = Box::new(CredentialsError::not_loaded("no providers in chain provided credentials"));
    let failure = SdkError::<CreateRouteError, _>::dispatch_failure(ConnectorError::other(source, None));
    let error = from_sdk(Action::CreateRoute, &failure);
    assert_eq!((error.kind(), error.is_ambiguous()), (ErrorKind::Unauthenticated, false));
    assert_eq!(error.message(), "no AWS credentials were found");
    let help = error.get("help").expect("help");
    assert!(["aws configure", "AWS_PROFILE", "--lab"].iter().all(|word| help.contains(word)), "{help}");
}

#[test]
fn credentials_that_are_there_and_fail_say_why() {
    let source = Box::new(CredentialsError::provider_error("the SSO session has expired"));
    let failure = SdkError::<CreateRouteError, _>::dispatch_failure(ConnectorError::other(source, None));
    let error = from_sdk(Action::CreateRoute, &failure);
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert_eq!(error.message(), "the AWS credentials cannot be used: the SSO session has expired");
}

#[test]
fn plain_http_to_another_machine_is_a_mistake_of_the_settings() {
    let source = Box::new(PlainHttp { endpoint: "http://ec2.example.com".to_owned() });
    let failure = SdkError::<CreateRouteError, _>::dispatch_failure(ConnectorError::user(source));
    let error = from_sdk(Action::CreateRoute, &failure);
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Invalid, false));
}

#[test]
fn a_deadline_of_the_sdk_leaves_a_write_open() {
    let error = from_sdk(Action::DeleteRoute, &SdkError::<CreateRouteError, _>::timeout_error("late"));
    assert_eq!((error.kind(), error.is_ambiguous()), (ErrorKind::Unavailable, true));
}
