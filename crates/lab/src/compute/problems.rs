//! Errors as Google's front ends write them.
//!
//! A 403 may mean too fast, no room, no permission or a service that is off: clients tell them apart by
//! `errors[].reason` and by the `ErrorInfo` in `details[]`, so those are there wherever Google has them ("Troubleshooting
//! API errors" and "Error model", Google Cloud documentation).

use serde_json::{Value, json};

use crate::dialect::Rendered;
use crate::model::Refusal;

/// The code by which a refusal says that too many operations are under way; its reason is `rateLimitExceeded`.
pub(super) const CONCURRENT_OPERATIONS: &str = "CONCURRENT_OPERATIONS_QUOTA_EXCEEDED";

/// The code by which a refusal says that the API is off; its reason is `accessNotConfigured`.
const SERVICE_DISABLED: &str = "SERVICE_DISABLED";

pub(super) fn throttle(number: &str) -> Refusal {
    let message = format!(
        "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute' of service 'compute.googleapis.com' \
         for consumer 'project_number:{number}'."
    );
    Refusal::with_status(403, "rateLimitExceeded", message)
}

pub(super) fn too_many_operations() -> Refusal {
    let message = "Quota exceeded for quota metric 'Concurrent regional operations per project, operation type' and \
                   limit 'Concurrent regional operations per project, operation type per minute'.";
    Refusal::with_status(403, CONCURRENT_OPERATIONS, message)
}

pub(super) fn disabled(number: u64) -> Refusal {
    let message = format!(
        "Compute Engine API has not been used in project {number} before or it is disabled. Enable it by visiting \
         https://console.developers.google.com/apis/api/compute.googleapis.com/overview?project={number} then retry. \
         If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry."
    );
    Refusal::with_status(403, SERVICE_DISABLED, message)
}

pub(super) fn unauthenticated(with_token: bool) -> Refusal {
    let message = if with_token {
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid \
         authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
    } else {
        "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other \
         valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
    };
    Refusal::with_status(401, "authError", message)
}

/// What a page of HTML says to a POST that does not tell how long it is. Google's front end never lets it through, so it
/// is counted as nothing.
pub(crate) fn length_required() -> String {
    "<!DOCTYPE html>\n<html lang=en>\n<title>Error 411 (Length Required)!!1</title>\n<p><b>411.</b> <ins>That's an \
     error.</ins>\n<p>POST requests require a <code>Content-length</code> header. <ins>That's all we know.</ins>\n"
        .to_owned()
}

/// Google's canonical code for a status, where an answer shows it.
const fn canonical(status: u16) -> Option<&'static str> {
    match status {
        401 => Some("UNAUTHENTICATED"),
        403 => Some("PERMISSION_DENIED"),
        503 => Some("UNAVAILABLE"),
        _ => None,
    }
}

fn error_info(reason: &str, metadata: &Value) -> Value {
    json!({
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": metadata,
    })
}

/// The whole answer to a refused request.
pub(super) fn render(refusal: &Refusal, number: &str) -> Rendered {
    let consumer = format!("projects/{number}");
    let of_service = json!({"service": "compute.googleapis.com", "consumer": consumer});
    let (reason, domain, details) = match refusal.code.as_str() {
        CONCURRENT_OPERATIONS => {
            ("rateLimitExceeded", "usageLimits", Some(error_info(CONCURRENT_OPERATIONS, &of_service)))
        }
        SERVICE_DISABLED => ("accessNotConfigured", "usageLimits", Some(error_info(SERVICE_DISABLED, &of_service))),
        "rateLimitExceeded" => {
            ("rateLimitExceeded", "usageLimits", Some(error_info("RATE_LIMIT_EXCEEDED", &of_service)))
        }
        other => (other, "global", None),
    };
    let mut item = json!({"message": refusal.message, "domain": domain, "reason": reason});
    if refusal.status == 401 {
        item["location"] = "Authorization".into();
        item["locationType"] = "header".into();
    }
    let mut error = json!({"code": refusal.status, "message": refusal.message, "errors": [item]});
    if let Some(details) = details {
        error["details"] = json!([details]);
    }
    if let Some(canonical) =
        canonical(refusal.status).filter(|_| error.get("details").is_some() || refusal.status == 401)
    {
        error["status"] = canonical.into();
    }
    let headers = if refusal.status == 401 {
        let realm = "Bearer realm=\"https://accounts.google.com/\", error=\"invalid_token\"";
        vec![("www-authenticate", realm.to_owned())]
    } else {
        Vec::new()
    };
    let body = format!("{:#}\n", json!({"error": error}));
    Rendered { status: refusal.status, body, content_type: "application/json; charset=UTF-8", headers }
}
