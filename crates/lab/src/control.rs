//! `/_lab/`: what a test handle can do, for those who are not in the same process.
//!
//! A person with `curl` and the interoperability tests count calls and make trouble here. Signing is not asked for.

use crate::Fault;
use crate::state::{Reply, State};

const HELP: &str = "kroutes lab: a model cloud on loopback that speaks EC2, CloudFormation and Compute Engine

GET    /_lab/calls    attempts and throttled attempts per action, as JSON
GET    /_lab/log      every change that took effect, in its order, of both clouds, as JSON
GET    /_lab/service-account-key
                      the key file for GOOGLE_APPLICATION_CREDENTIALS; it opens nothing but labs
POST   /_lab/reset    set both counts back
POST   /_lab/faults   add trouble: one object, or a list, such as
                      {\"action\": \"CreateRoute\", \"skip\": 2, \"times\": 1, \"kind\": \"drop-after\"}
                      actions: those of EC2 and CloudFormation, routes.insert and the like, oauth2.token, metadata.token
                      kinds: throttle, server-error, server-error-after, drop-before, drop-after, hang, html,
                      cut-short, deny, {\"error\": {\"status\": 400, \"code\": \"...\", \"message\": \"...\"}}
                      Compute only: operation-stuck, operation-lost,
                      {\"operation-error\": {\"status\": 403, \"code\": \"QUOTA_EXCEEDED\", \"message\": \"...\"}}
                      more: \"probability\": 0.0 to 1.0, by the lab's seeded dice
DELETE /_lab/faults   end all trouble

/compute/v1/         Compute Engine: CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE points there; the access token is ya29.lab,
                      or one of POST /token (service account key, refresh token) or of /computeMetadata/v1/
                      (GCE_METADATA_HOST points here). Routes, instances, networks, operations and batches of them
Everything else is Amazon's: AWS_ENDPOINT_URL points here, any access key and secret will do. What is signed for
                      cloudformation, or of version 2010-05-15, is CloudFormation: ListExports, CreateStack, DeleteStack,
                      DescribeStacks, DescribeStackResources, DescribeStackEvents; stacks hold AWS::EC2::Route alone.
                      All else is EC2
";

/// One fault, or a list of them. Told apart by hand, so that a slip in one gets serde's words for that one.
fn faults(body: &[u8]) -> serde_json::Result<Vec<Fault>> {
    match serde_json::from_slice(body)? {
        serde_json::Value::Array(list) => list.into_iter().map(serde_json::from_value).collect(),
        one => serde_json::from_value(one).map(|fault| vec![fault]),
    }
}

/// Answers a control request.
pub(crate) fn answer(state: &State, method: &str, path: &str, body: &[u8]) -> Reply {
    match (method, path) {
        ("GET", "/_lab" | "/_lab/") => Reply::page(200, "text/plain", HELP.to_owned()),
        ("GET", "/_lab/calls") => {
            let json = serde_json::json!({"calls": state.calls(), "throttled": state.throttled()});
            Reply::page(200, "application/json", format!("{json}\n"))
        }
        ("GET", "/_lab/log") => {
            let json = serde_json::json!(state.log());
            Reply::page(200, "application/json", format!("{json}\n"))
        }
        ("GET", "/_lab/service-account-key") => Reply::page(200, "application/json", state.service_account_key()),
        ("POST", "/_lab/reset") => {
            state.reset_calls();
            Reply::page(200, "application/json", "{}\n".to_owned())
        }
        ("POST", "/_lab/faults") => match faults(body) {
            Ok(faults) => {
                for fault in faults {
                    state.add_fault(fault);
                }
                Reply::page(200, "application/json", "{}\n".to_owned())
            }
            Err(error) => Reply::page(400, "text/plain", format!("not a fault, see GET /_lab/: {error}\n")),
        },
        ("DELETE", "/_lab/faults") => {
            state.clear_faults();
            Reply::page(200, "application/json", "{}\n".to_owned())
        }
        _ => Reply::page(404, "text/plain", format!("no such page; GET /_lab/ tells what there is\n\n{HELP}")),
    }
}
