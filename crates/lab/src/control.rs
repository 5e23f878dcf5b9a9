//! `/_lab/`: what a test handle can do, for those who are not in the same process.
//!
//! A person with `curl` and the interoperability tests count calls and make trouble here. Signing is not asked for.

use crate::state::{Reply, State};
use crate::{Fault, cloudformation, compute, ec2, identity, sts};

const HELP: &str = "kroutes lab: a model cloud on loopback that speaks EC2, CloudFormation and Compute Engine

GET    /_lab/calls    attempts and throttled attempts per action, as JSON
GET    /_lab/log      every change that took effect, in its order, of both clouds, as JSON
GET    /_lab/service-account-key
                      the key file for GOOGLE_APPLICATION_CREDENTIALS; it opens nothing but labs
POST   /_lab/reset    set both counts back
POST   /_lab/faults   add trouble: one object, or a list, such as
                      {\"action\": \"CreateRoute\", \"skip\": 2, \"times\": 1, \"kind\": \"drop-after\"}
                      actions: those of EC2 and CloudFormation, routes.insert and the like, oauth2.token, metadata.token
                      kinds: throttle, server-error, server-error-after, drop-before, drop-after, hang, hang-after, html,
                      cut-short, truncated, wrong-type, mixed, deny, {\"slow\": {\"millis\": 500}},
                      {\"error\": {\"status\": 400, \"code\": \"...\", \"message\": \"...\"}},
                      {\"gateway\": {\"status\": 502, \"body\": \"...\", \"after\": false}}
                      Compute only: operation-stuck, operation-lost,
                      {\"operation-error\": {\"status\": 403, \"code\": \"QUOTA_EXCEEDED\", \"message\": \"...\"}}
                      more: \"probability\": 0.0 to 1.0, by the lab's seeded dice;
                      \"later-pages\": true spares the first page of every listing
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

/// The first action that nothing here bears: a fault of it would wait for ever and be taken for one that was survived.
fn unknown_action(faults: &[Fault]) -> Option<&str> {
    let knows = [ec2::knows, cloudformation::knows, sts::knows, compute::knows, identity::knows];
    let actions = faults.iter().filter_map(|fault| fault.action.as_deref());
    actions.into_iter().find(|action| !knows.iter().any(|knows| knows(action)))
}

/// What there is, for whoever asked for something else.
const ACTIONS: &str = "\
EC2: AssociateRouteTable CreateRoute CreateRouteTable CreateTags DeleteRoute DeleteRouteTable DeleteTags
DescribeInstanceAttribute DescribeInstances DescribeInternetGateways DescribeNetworkInterfaces DescribeRegions
DescribeRouteTables DescribeSubnets DescribeTags DescribeVpcs DisassociateRouteTable ModifyInstanceAttribute
ModifyNetworkInterfaceAttribute ReplaceRoute ReplaceRouteTableAssociation RunInstances StartInstances StopInstances
TerminateInstances
STS: GetCallerIdentity
CloudFormation: CreateStack DeleteStack DescribeStackEvents DescribeStackResources DescribeStacks ListExports
Compute Engine: globalOperations.aggregatedList globalOperations.get globalOperations.list globalOperations.wait
instances.aggregatedList instances.delete instances.get instances.list instances.start instances.stop
instances.testIamPermissions networks.get networks.list projects.get regions.get regions.list routes.delete routes.get
routes.insert routes.list routes.testIamPermissions subnetworks.aggregatedList subnetworks.get subnetworks.list
zoneOperations.get zoneOperations.list zoneOperations.wait zones.get zones.list
Tokens: metadata.get metadata.ping metadata.token oauth2.token
";

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
                if let Some(action) = unknown_action(&faults) {
                    let text = format!("not a fault: nothing here is called `{action}`. Actions are:\n{ACTIONS}");
                    return Reply::page(400, "text/plain", text);
                }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_that_is_offered_is_known() {
        let names = ACTIONS.lines().flat_map(|line| line.rsplit(": ").next().unwrap_or_default().split(' '));
        for name in names {
            assert_eq!(unknown_action(&[Fault::new(crate::FaultKind::Deny).on(name)]), None);
        }
    }
}
