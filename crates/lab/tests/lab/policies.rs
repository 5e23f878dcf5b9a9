//! Who asks, and what he may do, over the wire.

use kroutes_lab::{Fault, FaultKind, Lab, Options, allowed_by_policy};

use crate::client::{Client, form};
use crate::{hard_way, ids};

/// Every write that kroutes makes, with real resources, and the permission that it needs.
fn writes<'a>(table: &'a str, worker: &'a str, interface: &'a str) -> [(&'a str, Vec<(&'a str, &'a str)>); 7] {
    let route = vec![("RouteTableId", table), ("DestinationCidrBlock", "10.200.0.0/24")];
    let to = [&route[..], &[("InstanceId", worker)]].concat();
    let tag = vec![("ResourceId.1", table), ("Tag.1.Key", "kroutes/kubernetes"), ("Tag.1.Value", "10.200.0.0/16")];
    [
        ("CreateRoute", to.clone()),
        ("ReplaceRoute", to),
        ("DeleteRoute", route),
        ("ModifyInstanceAttribute", vec![("InstanceId", worker), ("SourceDestCheck.Value", "false")]),
        (
            "ModifyNetworkInterfaceAttribute",
            vec![("NetworkInterfaceId", interface), ("SourceDestCheck.Value", "false")],
        ),
        ("CreateTags", tag.clone()),
        ("DeleteTags", tag),
    ]
}

#[tokio::test]
async fn the_caller_is_told_who_he_is_whatever_he_may_do() {
    let options = Options { allowed: Some(std::collections::BTreeSet::new()), ..Options::default() };
    let lab = Lab::start(hard_way(), options).await.expect("a lab");
    let mut client = Client::connect(&lab.endpoint()).await;
    let answer = client.sts("GetCallerIdentity").await;
    let id = answer.texts("RequestId")[0];
    assert_eq!(
        answer.body,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
             <GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
             <Arn>arn:aws:iam::123456789012:user/lab</Arn><UserId>AIDALABLABLABLABLABLA</UserId>\
             <Account>123456789012</Account></GetCallerIdentityResult>\
             <ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
        )
    );
    assert_eq!(client.call("DescribeInstances", &[]).await.error().1, "UnauthorizedOperation");
    assert_eq!(client.cloudformation("ListExports", &[]).await.error().1, "AccessDenied");
    assert_eq!(client.sts("AssumeRole").await.error().1, "InvalidAction");
    assert_eq!(client.call("GetCallerIdentity", &[]).await.error().1, "InvalidAction", "it is no action of EC2's");
    let unsigned = client.send("POST", "/", None, "Action=GetCallerIdentity&Version=2011-06-15").await;
    assert_eq!((unsigned.status, unsigned.error().1), (403, "MissingAuthenticationToken"));
    lab.add_fault(Fault::new(FaultKind::Throttle).on("GetCallerIdentity").times(1));
    let throttled = client.sts("GetCallerIdentity").await;
    assert_eq!((throttled.status, throttled.error().1), (400, "Throttling"));
    assert_eq!(lab.throttled()["GetCallerIdentity"], 1);
}

#[tokio::test]
async fn a_dry_run_of_any_write_is_judged_by_permission_alone_and_changes_nothing() {
    let lab = Lab::start(hard_way(), Options::default()).await.expect("a lab");
    let mut client = Client::connect(&lab.endpoint()).await;
    let before = lab.cloud(|cloud| format!("{cloud:?}"));
    let unknown = writes("rtb-0123456789abcdef0", "i-0123456789abcdef0", "eni-0123456789abcdef0");
    for (action, params) in &unknown {
        let answer = client.call(action, &[&params[..], &[("DryRun", "true")]].concat()).await;
        assert_eq!((answer.status, answer.error().1), (412, "DryRunOperation"), "{action}");
    }
    lab.change(|cloud| cloud.denied = unknown.iter().map(|(action, _)| (*action).to_owned()).collect());
    for (action, params) in &unknown {
        let answer = client.call(action, &[&params[..], &[("DryRun", "true")]].concat()).await;
        assert_eq!((answer.status, answer.error().1), (403, "UnauthorizedOperation"), "{action}");
        assert!(answer.error().2.contains(&format!("ec2:{action}")), "{}", answer.body);
    }
    lab.change(|cloud| cloud.denied.clear());
    assert_eq!(lab.cloud(|cloud| format!("{cloud:?}")), before);
    assert_eq!(lab.log(), []);
}

#[tokio::test]
async fn a_policy_holds_for_its_resources_and_tags() {
    let policy = r#"{"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["ec2:CreateRoute", "ec2:ReplaceRoute", "ec2:DeleteRoute"],
         "Resource": "arn:aws:ec2:*:*:route-table/TABLE"},
        {"Effect": "Allow", "Action": ["ec2:ModifyInstanceAttribute", "ec2:ModifyNetworkInterfaceAttribute"],
         "Resource": ["arn:aws:ec2:*:*:instance/*", "arn:aws:ec2:*:*:network-interface/*"]},
        {"Effect": "Allow", "Action": ["ec2:CreateTags", "ec2:DeleteTags"], "Resource": "arn:aws:ec2:*:*:route-table/*",
         "Condition": {"ForAllValues:StringLike": {"aws:TagKeys": ["kroutes/*"]}}}]}"#;
    let lab = Lab::start(hard_way(), Options::default()).await.expect("a lab");
    let (table, [worker, ..]) = lab.cloud(ids);
    let interface = lab.cloud(|cloud| cloud.interfaces_of(&worker)[0].0.to_owned());
    let other = lab.change(|cloud| {
        let vpc = cloud.vpcs.iter().next().map(|(id, _)| id.clone()).expect("a VPC");
        cloud.add_table(None, &vpc, kroutes_lab::model::Tags::new())
    });
    lab.change(|cloud| cloud.allowed = Some(allowed_by_policy(&policy.replace("TABLE", &table)).expect("a policy")));
    let mut client = Client::connect(&lab.endpoint()).await;
    let dry = |params: &[(&'static str, &str)]| {
        let params: Vec<_> = params.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        [params, vec![("DryRun".to_owned(), "true".to_owned())]].concat()
    };
    let mut code = async |action: &str, params: Vec<(String, String)>| {
        let params: Vec<_> = params.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        client.send("POST", "/", Some(crate::client::SIGNED), &form(action, &params)).await.error().1.to_owned()
    };
    for (action, params) in writes(&table, &worker, &interface) {
        let params: Vec<(String, String)> =
            params.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let with = [params, vec![("DryRun".to_owned(), "true".to_owned())]].concat();
        assert_eq!(code(action, with).await, "DryRunOperation", "{action}");
    }
    let rows = [
        ("CreateRoute", dry(&[("RouteTableId", &other), ("DestinationCidrBlock", "10.200.0.0/24")])),
        ("CreateTags", dry(&[("ResourceId.1", &table), ("Tag.1.Key", "Name"), ("Tag.1.Value", "x")])),
        ("CreateTags", dry(&[("ResourceId.1", &worker), ("Tag.1.Key", "kroutes/a"), ("Tag.1.Value", "x")])),
        ("TerminateInstances", dry(&[("InstanceId.1", &worker)])),
        ("DescribeRouteTables", dry(&[])),
    ];
    for (action, params) in rows {
        assert_eq!(code(action, params.clone()).await, "UnauthorizedOperation", "{action} {params:?}");
    }
}
