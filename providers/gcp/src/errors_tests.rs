use super::*;

/// Twenty seconds past a full minute.
fn clock() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(60 * 1_000_000 + 20)
}

fn answer(status: u16, reason: &str, message: &str) -> Refused {
    let body = serde_json::json!({"error": {"code": status, "message": message,
        "errors": [{"message": message, "domain": "global", "reason": reason}]}});
    Refused::read(status, None, clock(), body.to_string().as_bytes())
}

fn detailed(status: u16, reason: &str, info: &str) -> Refused {
    let body = serde_json::json!({"error": {"code": status, "message": "no",
    "errors": [{"message": "no", "domain": "global", "reason": reason}],
    "details": [
        {"@type": "type.googleapis.com/google.rpc.Help", "links": []},
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": info, "domain": "compute.googleapis.com",
         "metadatas": {"resourceType": "networks"}},
    ]}});
    Refused::read(status, None, clock(), body.to_string().as_bytes())
}

/// HTTP status, reason, message; kind, retryable, ambiguous for a write.
type Row = (u16, &'static str, &'static str, ErrorKind, bool, bool);

const PEERING: &str = "There is a peering operation in progress on the local or peer network. Try again later.";
const ROUTE: &str = "There is a route operation in progress on the local or peer network. Try again later.";
const HIDDEN: &str = "Invalid value for field 'resource.destRange': '10.240.0.0/24'. \
    Route hides the address space of the network.";

/// "There is a peering operation in progress" is a 400 that other tools took for a bad request
/// (hashicorp/terraform-provider-google retries it).
#[test]
fn every_reason_of_http_has_its_meaning() {
    use ErrorKind as K;
    let rows: &[Row] = &[
        (403, "rateLimitExceeded", "Rate Limit Exceeded", K::RateLimited, true, false),
        (403, "userRateLimitExceeded", "", K::RateLimited, true, false),
        (429, "rateLimitExceeded", "", K::RateLimited, true, false),
        (429, "tooMany", "", K::RateLimited, true, false),
        (403, "operationRateExceeded", "", K::RateLimited, true, false),
        (403, "quotaExceeded", "Quota 'STATIC_ROUTES_PER_NETWORK' exceeded.", K::QuotaExceeded, false, false),
        (403, "limitExceeded", "", K::QuotaExceeded, false, false),
        (403, "accessNotConfigured", "Compute Engine API has not been used", K::PermissionDenied, false, false),
        (403, "billingNotEnabled", "", K::PermissionDenied, false, false),
        (403, "forbidden", "This API method requires billing to be enabled.", K::PermissionDenied, false, false),
        (403, "forbidden", "Required 'compute.routes.create' permission for 'x'", K::PermissionDenied, false, false),
        (403, "insufficientPermissions", "", K::PermissionDenied, false, false),
        (403, "somethingNew", "", K::PermissionDenied, false, false),
        (401, "authError", "Invalid Credentials", K::Unauthenticated, false, false),
        (401, "required", "Login Required.", K::Unauthenticated, false, false),
        (400, "required", "Required field 'network' not specified", K::Invalid, false, false),
        (401, "", "", K::Unauthenticated, false, false),
        (404, "notFound", "The resource 'projects/p/global/routes/r' was not found", K::NotFound, false, false),
        (404, "somethingNew", "", K::NotFound, false, false),
        (409, "alreadyExists", "The resource 'projects/p/global/routes/r' already exists", K::Conflict, false, false),
        (409, "somethingNew", "", K::Conflict, false, false),
        (412, "conditionNotMet", "", K::Conflict, false, false),
        (412, "somethingNew", "", K::Conflict, false, false),
        (400, "resourceInUseByAnotherResource", "", K::Conflict, false, false),
        (
            400,
            "resourceNotReady",
            "The resource 'projects/p/global/networks/n' is not ready",
            K::Unavailable,
            true,
            false,
        ),
        (400, "badRequest", PEERING, K::Unavailable, true, false),
        (400, "badRequest", ROUTE, K::Unavailable, true, false),
        (400, "invalid", HIDDEN, K::Invalid, false, false),
        (400, "invalid", "Invalid value for field 'resource.name': 'R'.", K::Invalid, false, false),
        (400, "badRequest", "", K::Invalid, false, false),
        (400, "somethingNew", "", K::Invalid, false, false),
        (411, "somethingNew", "", K::Invalid, false, false),
        (501, "notImplemented", "", K::Unsupported, false, false),
        (500, "backendError", "", K::Unavailable, true, true),
        (503, "somethingNew", "", K::Unavailable, true, true),
        (502, "", "", K::Unavailable, true, true),
        (408, "", "", K::Unavailable, true, true),
        (403, "", "", K::Unexpected, false, false),
        (404, "", "", K::Unexpected, false, false),
        (302, "", "", K::Unexpected, false, false),
    ];
    for (status, reason, message, kind, retryable, ambiguous) in rows {
        let error = refused("routes.insert", &answer(*status, reason, message), true);
        assert_eq!(
            (error.kind(), error.is_retryable(), error.is_ambiguous()),
            (*kind, *retryable, *ambiguous),
            "{status} {reason} {message}"
        );
    }
}

#[test]
fn the_exact_word_counts_more_than_the_reason() {
    use ErrorKind as K;
    for (reason, info, kind) in [
        ("rateLimitExceeded", "CONCURRENT_OPERATIONS_QUOTA_EXCEEDED", K::RateLimited),
        ("quotaExceeded", "CONCURRENT_OPERATIONS_QUOTA_EXCEEDED", K::RateLimited),
        ("forbidden", "RATE_LIMIT_EXCEEDED", K::RateLimited),
        ("forbidden", "SERVICE_DISABLED", K::PermissionDenied),
        ("forbidden", "BILLING_DISABLED", K::PermissionDenied),
        ("insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", K::PermissionDenied),
        ("quotaExceeded", "SOMETHING_NEW", K::QuotaExceeded),
    ] {
        let answer = detailed(403, reason, info);
        assert_eq!(answer.info.as_deref(), Some(info));
        assert_eq!(refused("routes.insert", &answer, true).kind(), kind, "{reason} {info}");
    }
    let code = |info| refused("routes.insert", &detailed(403, "forbidden", info), true);
    assert_eq!(code("SERVICE_DISABLED").get("code"), Some("SERVICE_DISABLED"));
    assert_eq!(code("SOMETHING_NEW").get("code"), Some("forbidden"));
}

#[test]
fn every_code_of_an_operation_has_its_meaning_and_is_never_ambiguous() {
    use ErrorKind as K;
    let rows: &[(&str, Option<u16>, &str, ErrorKind, bool)] = &[
        ("QUOTA_EXCEEDED", Some(403), "Quota 'STATIC_ROUTES_PER_NETWORK' exceeded.", K::QuotaExceeded, false),
        ("LIMIT_EXCEEDED", None, "", K::QuotaExceeded, false),
        ("RATE_LIMIT_EXCEEDED", Some(403), "", K::RateLimited, true),
        ("RESOURCE_OPERATION_RATE_EXCEEDED", Some(403), "", K::RateLimited, true),
        ("RESOURCE_ALREADY_EXISTS", Some(409), "", K::Conflict, false),
        ("RESOURCE_IN_USE_BY_ANOTHER_RESOURCE", Some(400), "", K::Conflict, false),
        ("CONDITION_NOT_MET", Some(412), "", K::Conflict, false),
        ("RESOURCE_NOT_FOUND", Some(404), "", K::NotFound, false),
        ("RESOURCE_NOT_READY", Some(400), "", K::Unavailable, true),
        ("INVALID_USAGE", Some(400), PEERING, K::Unavailable, true),
        ("INVALID_USAGE", Some(400), "", K::Invalid, false),
        ("INVALID_FIELD_VALUE", Some(400), HIDDEN, K::Invalid, false),
        ("PERMISSIONS_ERROR", Some(403), "", K::PermissionDenied, false),
        ("INTERNAL_ERROR", Some(500), "", K::Unavailable, true),
        ("UNSUPPORTED_OPERATION", None, "", K::Unsupported, false),
        ("SOMETHING_NEW", Some(503), "", K::Unavailable, true),
        ("SOMETHING_NEW", Some(400), "", K::Invalid, false),
        ("SOMETHING_NEW", None, "", K::Unexpected, false),
        ("", None, "", K::Unexpected, false),
    ];
    for (code, status, message, kind, retryable) in rows {
        let error = operation("routes.insert", code, *status, message);
        assert_eq!(
            (error.kind(), error.is_retryable(), error.is_ambiguous()),
            (*kind, *retryable, false),
            "{code} {status:?} {message}"
        );
    }
}

#[test]
fn a_rate_limit_waits_for_the_next_minute_and_the_limit_on_operations_does_not() {
    assert_eq!(answer(403, "rateLimitExceeded", "").retry_after, Some(Duration::from_secs(41)));
    for body in ["metadata", "metadatas"] {
        let text = format!(
            r#"{{"error":{{"code":403,"errors":[{{"reason":"rateLimitExceeded"}}],"details":[{{"reason":"CONCURRENT_OPERATIONS_QUOTA_EXCEEDED","{body}":{{}}}}]}}}}"#
        );
        let answer = Refused::read(403, None, clock(), text.as_bytes());
        assert_eq!(answer.retry_after, Some(OPERATIONS_END), "{body}");
    }
    assert_eq!(answer(403, "quotaExceeded", "").retry_after, None);
}

#[test]
fn a_header_says_better_how_long_to_wait() {
    let body = br#"{"error":{"errors":[{"reason":"rateLimitExceeded"}]}}"#;
    let answer = Refused::read(403, Some("7"), clock(), body);
    assert_eq!(answer.retry_after, Some(Duration::from_secs(7)));
    let error = refused("routes.list", &answer, false);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    let unavailable = Refused::read(503, Some("Fri, 20 Nov 2026 04:00:00 GMT"), clock(), b"");
    assert_eq!(unavailable.retry_after, None);
}

#[test]
fn a_header_cannot_ask_to_wait_for_longer_than_two_minutes() {
    for seconds in ["120", "121", "86400", "18446744073709551615"] {
        let answer = Refused::read(429, Some(seconds), clock(), b"");
        assert_eq!(answer.retry_after, Some(Duration::from_mins(2)), "{seconds}");
    }
    assert_eq!(Refused::read(429, Some("18446744073709551616"), clock(), b"").retry_after, None);
}

/// Six attempts without it are over in nine seconds, and such an operation is not.
#[test]
fn a_network_that_is_being_changed_is_given_time() {
    let not_ready = "The resource 'projects/p/global/networks/n' is not ready";
    for (reason, code, message) in [
        ("badRequest", "INVALID_USAGE", PEERING),
        ("badRequest", "INVALID_USAGE", ROUTE),
        ("resourceNotReady", "RESOURCE_NOT_READY", not_ready),
    ] {
        let at_once = refused("routes.insert", &answer(400, reason, message), true);
        let later = operation("routes.insert", code, Some(400), message);
        for error in [at_once, later] {
            assert_eq!(error.retry_after(), Some(NETWORK_SETTLES), "{error}");
        }
    }
    assert_eq!(operation("routes.insert", "INTERNAL_ERROR", Some(500), "").retry_after(), None);
    let body = serde_json::json!({"error": {"message": PEERING, "errors": [{"reason": "badRequest"}]}}).to_string();
    let told = Refused::read(400, Some("3"), clock(), body.as_bytes());
    assert_eq!(told.retry_after, Some(Duration::from_secs(3)), "a header knows better");
}

#[test]
fn an_answer_that_is_none_of_googles_has_no_reason_and_speaks_of_proxies() {
    for body in
        [&b""[..], b"<!DOCTYPE html><html>Sign in</html>", b"[1]", b"null", b"\"no\"", b"{\"error\":{}}", &[0xff]]
    {
        let answer = Refused::read(404, None, clock(), body);
        assert_eq!((answer.reason.as_str(), answer.info.as_deref()), ("", None));
        let error = refused("routes.list", &answer, false);
        assert_eq!(error.message(), "`routes.list` was answered with HTTP 404");
        assert_eq!(error.get("status"), Some("404"));
        assert!(error.get("help").is_some_and(|help| help.contains("NO_PROXY")));
    }
}

#[test]
fn an_error_carries_code_message_and_action() {
    let error = refused("routes.insert", &answer(403, "quotaExceeded", "Quota\n'X' exceeded."), true);
    assert_eq!(error.message(), "`routes.insert` was refused: Quota 'X' exceeded");
    assert_eq!(["code", "action"].map(|name| error.get(name)), [Some("quotaExceeded"), Some("routes.insert")]);
    let error = operation("routes.insert", "QUOTA_EXCEEDED", Some(403), "Quota 'X' exceeded.  Limit: 200.0 globally.");
    assert_eq!(error.message(), "`routes.insert` failed: Quota 'X' exceeded.  Limit: 200.0 globally");
    assert_eq!(error.get("code"), Some("QUOTA_EXCEEDED"));
}

#[test]
fn a_denied_permission_is_named() {
    let text = "Required 'compute.networks.updatePolicy' permission for 'projects/p/global/networks/n'";
    let error = refused("routes.insert", &answer(403, "forbidden", text), true);
    let help = error.get("help").expect("help");
    assert!(help.contains("`compute.networks.updatePolicy`"), "{help}");
    let error = refused("routes.insert", &answer(403, "forbidden", ""), true);
    assert!(error.get("help").is_some_and(|help| help.contains("docs/gcp-iam.md")));
}

#[test]
fn what_to_do_next_fits_what_is_wrong() {
    for (status, reason, message, words) in [
        (403, "accessNotConfigured", "", "gcloud services enable compute.googleapis.com"),
        (403, "forbidden", "This API method requires billing to be enabled.", "billing account"),
        (400, "invalid", HIDDEN, "subnet"),
        (401, "authError", "", "gcloud auth application-default login"),
        (404, "notFound", "The resource 'projects/p' was not found", "`project`"),
        (404, "notFound", "The resource 'projects/p/global/networks/n' was not found", "`network`"),
        (403, "quotaExceeded", "", "higher quota"),
    ] {
        let error = refused("routes.list", &answer(status, reason, message), false);
        let help = error.get("help").unwrap_or_default();
        assert!(help.contains(words), "{status} {reason}: {help}");
    }
    let route = refused(
        "routes.get",
        &answer(404, "notFound", "The resource 'projects/p/global/routes/r' was not found"),
        false,
    );
    assert_eq!(route.get("help"), None);
}

#[test]
fn a_failed_reading_leaves_nothing_open() {
    let error = refused("routes.list", &answer(500, "backendError", ""), false);
    assert!(error.is_retryable() && !error.is_ambiguous());
}
