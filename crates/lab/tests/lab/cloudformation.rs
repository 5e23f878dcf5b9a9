//! `CloudFormation`'s query protocol, and stacks that make routes.

use std::time::Duration;

use kroutes_lab::{Fault, FaultKind, Lab, Options, Seed, SeedExport, TableWish};

use crate::client::Client;
use crate::{exported_as, topology};

/// The guide's template, word for word.
const GUIDE: &str = "
Resources:
  RouteWorker0:
    Type: AWS::EC2::Route
    Properties:
      DestinationCidrBlock: 10.200.0.0/24
      RouteTableId: !ImportValue hard-k8s-rtb
      InstanceId: !ImportValue  hard-k8s-worker-0

  RouteWorker1:
    Type: AWS::EC2::Route
    Properties:
      DestinationCidrBlock: 10.200.1.0/24
      RouteTableId: !ImportValue hard-k8s-rtb
      InstanceId: !ImportValue  hard-k8s-worker-1
";

fn seed() -> Seed {
    let workers =
        [("10.200.0.0/24", "10.240.0.20"), ("10.200.1.0/24", "10.240.0.21"), ("10.200.2.0/24", "10.240.0.22")];
    let topology = topology("10.200.0.0/16", &workers);
    let topology = exported_as(&topology, |n| format!("hard-k8s-worker-{n}"));
    Seed::for_topology(&topology, &[TableWish::Export("hard-k8s-rtb".to_owned())])
}

async fn lab(seed: Seed, options: Options) -> (Lab, Client) {
    let lab = Lab::start(seed, options).await.expect("a lab");
    let client = Client::connect(&lab.endpoint()).await;
    (lab, client)
}

/// The table's routes to machines, in the order of their making.
fn routes(lab: &Lab) -> Vec<String> {
    lab.cloud(|cloud| {
        let (_, table) = cloud.exports()["hard-k8s-rtb"];
        let shown = cloud.tables[table].routes.iter().filter_map(|route| {
            let instance = cloud.show_route(route).instance?;
            let name = cloud.instances[&instance].tags.get("Name")?;
            Some(format!("{} {name}", route.destination))
        });
        shown.collect()
    })
}

fn stack<'a>(name: &'a str, template: &'a str) -> [(&'a str, &'a str); 2] {
    [("StackName", name), ("TemplateBody", template)]
}

#[tokio::test]
async fn exports_have_the_shape_of_cloudformations() {
    let exports = vec![SeedExport { name: "a".to_owned(), value: "1 < 2".to_owned() }];
    let (lab, mut client) = lab(Seed { exports, ..Seed::default() }, Options::default()).await;
    let answer = client.cloudformation("ListExports", &[]).await;
    let stack = lab.cloud(|cloud| cloud.exports()["a"].0.to_owned());
    let request_id = answer.texts("RequestId")[0];
    assert!(stack.starts_with("arn:aws:cloudformation:us-west-2:123456789012:stack/exports/"), "{stack}");
    assert_eq!(
        answer.body,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
             <ListExportsResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><ListExportsResult>\
             <Exports><member><ExportingStackId>{stack}</ExportingStackId><Name>a</Name><Value>1 &lt; 2</Value></member>\
             </Exports></ListExportsResult><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\
             </ListExportsResponse>"
        )
    );
    let absent = client.cloudformation("DescribeStacks", &[("StackName", "nobody")]).await;
    let request_id = absent.texts("RequestId")[0];
    assert_eq!(
        absent.body,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
             <ErrorResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><Error><Type>Sender</Type>\
             <Code>ValidationError</Code><Message>Stack with id nobody does not exist</Message></Error>\
             <RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    );
    assert_eq!(absent.status, 400);
}

#[tokio::test]
async fn exports_come_a_hundred_a_page() {
    let export = |n| SeedExport { name: format!("export-{n:03}"), value: format!("value-{n}") };
    let (_lab, mut client) =
        lab(Seed { exports: (0..250).map(export).collect(), ..Seed::default() }, Options::default()).await;
    let (mut pages, mut names, mut token) = (Vec::new(), Vec::new(), String::new());
    loop {
        let answer = client.cloudformation("ListExports", &[("NextToken", &token)]).await;
        let page: Vec<String> = answer.texts("Name").into_iter().map(str::to_owned).collect();
        pages.push(page.len());
        names.extend(page);
        match answer.texts("NextToken").first() {
            Some(next) => token = (*next).to_owned(),
            None => break,
        }
    }
    names.dedup();
    assert_eq!((pages, names.len()), (vec![100, 100, 50], 250));
    let wrong = client.cloudformation("ListExports", &[("NextToken", "x")]).await;
    assert_eq!(wrong.error().1, "ValidationError");
}

#[tokio::test]
async fn the_guides_template_makes_its_routes_and_deleting_the_stack_removes_them() {
    let (lab, mut client) = lab(seed(), Options::default()).await;
    let made = client.cloudformation("CreateStack", &stack("hard-k8s-pod-routes", GUIDE)).await;
    assert_eq!(made.status, 200, "{}", made.body);
    assert_eq!(routes(&lab), ["10.200.0.0/24 worker-0", "10.200.1.0/24 worker-1"]);
    let shown = client.cloudformation("DescribeStacks", &[("StackName", "hard-k8s-pod-routes")]).await;
    assert_eq!((shown.texts("StackId"), shown.texts("StackStatus")), (made.texts("StackId"), vec!["CREATE_COMPLETE"]));
    let resources = client.cloudformation("DescribeStackResources", &[("StackName", "hard-k8s-pod-routes")]).await;
    assert_eq!(resources.texts("LogicalResourceId"), ["RouteWorker0", "RouteWorker1"]);
    let again = client.cloudformation("CreateStack", &stack("hard-k8s-pod-routes", GUIDE)).await;
    assert_eq!(again.error(), (400, "AlreadyExistsException", "Stack [hard-k8s-pod-routes] already exists"));
    let log = lab.log();
    assert_eq!((log.len(), log[0].action.as_str()), (1, "CreateStack"));
    assert!(log[0].what.starts_with("hard-k8s-pod-routes CREATE_COMPLETE: rtb-"), "{}", log[0].what);

    // What a stack made is deleted with it, wherever it leads by now, and what is gone already is no trouble.
    lab.change(|cloud| {
        let table = cloud.exports()["hard-k8s-rtb"].1.to_owned();
        let destination = "10.200.1.0/24".parse::<ipnet::IpNet>().expect("a range").into();
        cloud.delete_route(&table, &destination).expect("deleted");
    });
    let gone = client.cloudformation("DeleteStack", &[("StackName", "hard-k8s-pod-routes")]).await;
    assert_eq!((gone.status, routes(&lab)), (200, Vec::new()));
    let absent = client.cloudformation("DescribeStacks", &[("StackName", "hard-k8s-pod-routes")]).await;
    assert_eq!(absent.error().1, "ValidationError");
    let by_id = client.cloudformation("DescribeStacks", &[("StackName", made.texts("StackId")[0])]).await;
    assert_eq!(by_id.texts("StackStatus"), ["DELETE_COMPLETE"]);
    assert_eq!(client.cloudformation("DeleteStack", &[("StackName", "nobody")]).await.status, 200);
}

#[tokio::test]
async fn a_template_in_json_takes_parameters_and_exports_what_it_made() {
    let (lab, mut client) = lab(seed(), Options::default()).await;
    let template = r#"{
        "Description": "routes",
        "Parameters": {"Prefix": {"Type": "String", "Default": "hard-k8s"}, "Cidr": {"Type": "String"}},
        "Resources": {"Route": {"Type": "AWS::EC2::Route", "Properties": {
            "RouteTableId": {"Fn::ImportValue": {"Fn::Sub": "${Prefix}-rtb"}},
            "DestinationCidrBlock": {"Ref": "Cidr"},
            "InstanceId": {"Fn::ImportValue": {"Fn::Join": ["-", [{"Ref": "Prefix"}, "worker-0"]]}}}}},
        "Outputs": {"Range": {"Value": {"Fn::GetAtt": ["Route", "CidrBlock"]}, "Description": "the range",
                              "Export": {"Name": {"Fn::Sub": "${AWS::StackName}-range"}}}}
    }"#;
    let missing = client.cloudformation("CreateStack", &stack("json", template)).await;
    assert_eq!(missing.error(), (400, "ValidationError", "Parameters: [Cidr] must have values"));
    let cidr = [("Parameters.member.1.ParameterKey", "Cidr"), ("Parameters.member.1.ParameterValue", "10.200.7.0/24")];
    let more = [("Tags.member.1.Key", "team"), ("Tags.member.1.Value", "pods")];
    let made = client.cloudformation("CreateStack", &[&stack("json", template)[..], &cidr, &more].concat()).await;
    assert_eq!(made.status, 200, "{}", made.body);
    assert_eq!(routes(&lab), ["10.200.7.0/24 worker-0"]);
    assert_eq!(lab.cloud(|cloud| cloud.exports()["json-range"].1.to_owned()), "10.200.7.0/24");
    let shown = client.cloudformation("DescribeStacks", &[("StackName", "json")]).await;
    let rows = [
        ("Description", vec!["routes", "the range"]),
        ("ParameterKey", vec!["Cidr", "Prefix"]),
        ("OutputKey", vec!["Range"]),
        ("OutputValue", vec!["10.200.7.0/24"]),
        ("ExportName", vec!["json-range"]),
        ("Key", vec!["team"]),
    ];
    for (element, texts) in rows {
        assert_eq!(shown.texts(element), texts, "{element}");
    }
    let unknown = [("Parameters.member.2.ParameterKey", "Colour"), ("Parameters.member.2.ParameterValue", "red")];
    let refused = client.cloudformation("CreateStack", &[&stack("two", template)[..], &cidr, &unknown].concat()).await;
    assert_eq!(refused.error().2, "Parameters: [Colour] do not exist in the template");
}

#[tokio::test]
async fn a_stack_that_fails_takes_back_what_it_made_and_says_why() {
    let (lab, mut client) = lab(seed(), Options::default()).await;
    let absent = GUIDE.replace("hard-k8s-worker-1", "hard-k8s-worker-9");
    client.cloudformation("CreateStack", &stack("no-export", &absent)).await;
    let taken = GUIDE.replace("10.200.1.0/24", "10.200.0.0/24");
    client.cloudformation("CreateStack", &stack("taken", &taken)).await;
    assert_eq!(routes(&lab), Vec::<String>::new());
    let rows = [
        ("no-export", "No export named hard-k8s-worker-9 found. Rollback requested by user."),
        ("taken", "The following resource(s) failed to create: [RouteWorker1]. Rollback requested by user."),
    ];
    for (name, reason) in rows {
        let shown = client.cloudformation("DescribeStacks", &[("StackName", name)]).await;
        assert_eq!(
            (shown.texts("StackStatus"), shown.texts("StackStatusReason")),
            (vec!["ROLLBACK_COMPLETE"], vec![reason])
        );
    }
    let events = client.cloudformation("DescribeStackEvents", &[("StackName", "taken")]).await;
    assert_eq!(events.texts("ResourceStatus"), ["ROLLBACK_COMPLETE", "CREATE_FAILED", "DELETE_COMPLETE"]);
    assert!(events.texts("ResourceStatusReason")[1].contains("The route identified by 10.200.0.0/24 already exists."));

    let nothing = [&stack("kept", &taken)[..], &[("OnFailure", "DO_NOTHING")]].concat();
    client.cloudformation("CreateStack", &nothing).await;
    assert_eq!(routes(&lab), ["10.200.0.0/24 worker-0"]);
    lab.change(|cloud| cloud.denied.insert("DeleteRoute".to_owned()));
    client.cloudformation("DeleteStack", &[("StackName", "kept")]).await;
    let shown = client.cloudformation("DescribeStacks", &[("StackName", "kept")]).await;
    assert_eq!((shown.texts("StackStatus"), routes(&lab).len()), (vec!["DELETE_FAILED"], 1));
}

#[tokio::test]
async fn an_export_that_is_used_holds_its_stack_and_none_is_exported_twice() {
    let (lab, mut client) = lab(seed(), Options::default()).await;
    client.cloudformation("CreateStack", &stack("routes", GUIDE)).await;
    client.cloudformation("DeleteStack", &[("StackName", "hard-k8s-network")]).await;
    let shown = client.cloudformation("DescribeStacks", &[("StackName", "hard-k8s-network")]).await;
    let reason = "Delete canceled. Cannot delete export hard-k8s-rtb as it is in use by routes.";
    assert_eq!((shown.texts("StackStatus"), shown.texts("StackStatusReason")), (vec!["CREATE_COMPLETE"], vec![reason]));
    let twice = "
Resources:
  R: {Type: AWS::EC2::Route, Properties: {DestinationCidrBlock: 10.200.9.0/24, RouteTableId: !ImportValue hard-k8s-rtb, InstanceId: !ImportValue hard-k8s-worker-0}}
Outputs:
  Table: {Value: x, Export: {Name: hard-k8s-rtb}}
";
    client.cloudformation("CreateStack", &stack("twice", twice)).await;
    let shown = client.cloudformation("DescribeStacks", &[("StackName", "twice")]).await;
    let reason =
        "Export with name hard-k8s-rtb is already exported by stack hard-k8s-network. Rollback requested by user.";
    assert_eq!(shown.texts("StackStatusReason"), [reason]);
    client.cloudformation("DeleteStack", &[("StackName", "routes")]).await;
    client.cloudformation("DeleteStack", &[("StackName", "hard-k8s-network")]).await;
    assert!(lab.cloud(|cloud| !cloud.exports().contains_key("hard-k8s-rtb")));
}

#[tokio::test]
async fn what_the_lab_cannot_make_is_refused_by_name_before_anything_is_made() {
    let (lab, mut client) = lab(seed(), Options::default()).await;
    let route = |more: &str| {
        format!(
            "Resources:\n  R:\n    Type: AWS::EC2::Route\n    Properties:\n      RouteTableId: rtb-1\n      \
             DestinationCidrBlock: 10.200.0.0/24\n{more}"
        )
    };
    let rows = [
        (
            "Resources:\n  V: {Type: AWS::EC2::VPC}\n  S: {Type: AWS::EC2::Subnet}\n".to_owned(),
            "[AWS::EC2::Subnet, AWS::EC2::VPC]",
        ),
        ("Mappings: {}\nConditions: {}\nResources: {}".to_owned(), "[Conditions, Mappings]"),
        ("Description: nothing\n".to_owned(), "At least one Resources member must be defined"),
        (String::new(), "must be a map"),
        ("Resources: {".to_owned(), "YAML not well-formed"),
        ("{\"Resources\": ".to_owned(), "JSON not well-formed"),
        (route("      GatewayId: igw-1\n"), "no property GatewayId"),
        (route(""), "exactly one of InstanceId and NetworkInterfaceId"),
        (
            route("      InstanceId: i-1\n      NetworkInterfaceId: eni-1\n"),
            "exactly one of InstanceId and NetworkInterfaceId",
        ),
        (route("      InstanceId: !Ref Nobody\n"), "Unresolved resource dependencies [Nobody] in the Resources block"),
        (route("      InstanceId: !If [a, b, c]\n"), "Fn::If"),
        (route("      InstanceId: i-1\n    Condition: x\n"), "property &apos;Condition&apos;"),
        (route("      InstanceId: i-1\nOutputs: {A: {Value: !GetAtt R.Colour}}\n"), "attribute type Colour"),
    ];
    for (template, expected) in rows {
        let answer = client.cloudformation("CreateStack", &stack("x", &template)).await;
        let (status, code, message) = answer.error();
        assert_eq!((status, code), (400, "ValidationError"), "{template}");
        assert!(message.contains(expected), "{template}: {message}");
    }
    let long = format!("Description: {}", "x".repeat(52_000));
    assert_eq!(client.cloudformation("CreateStack", &stack("x", &long)).await.error().1, "ValidationError");
    assert_eq!(client.cloudformation("CreateStack", &stack("1x", GUIDE)).await.error().1, "ValidationError");
    assert_eq!(client.cloudformation("CreateStack", &[("TemplateBody", GUIDE)]).await.error().1, "ValidationError");
    let by_url = [("StackName", "x"), ("TemplateURL", "https://example.com")];
    assert!(client.cloudformation("CreateStack", &by_url).await.error().2.contains("TemplateURL"));
    let unknown = client.cloudformation("UpdateStack", &[]).await;
    assert_eq!(unknown.error().1, "InvalidAction");
    assert!(lab.cloud(|cloud| cloud.find_stack("x").is_none()) && lab.log().is_empty());
}

#[tokio::test]
async fn cloudformation_is_counted_faulted_and_lags_like_the_rest() {
    let (lab, mut client) = lab(seed(), Options { lag: Duration::from_mins(10), ..Options::default() }).await;
    lab.add_fault(Fault::new(FaultKind::Throttle).on("ListExports").times(1));
    lab.add_fault(Fault::new(FaultKind::ServerError).on("DescribeStacks").times(1));
    let throttled = client.cloudformation("ListExports", &[]).await;
    assert_eq!(throttled.error(), (400, "Throttling", "Rate exceeded"));
    let failed = client.cloudformation("DescribeStacks", &[]).await;
    assert_eq!((failed.status, failed.error().1), (500, "InternalFailure"));
    assert!(failed.body.contains("<Type>Receiver</Type>"));
    assert_eq!((lab.calls()["ListExports"], lab.throttled()["ListExports"]), (1, 1));
    client.cloudformation("CreateStack", &stack("routes", GUIDE)).await;
    let shown = client.cloudformation("DescribeStacks", &[]).await;
    assert_eq!(
        shown.texts("StackName"),
        ["hard-k8s-instances", "hard-k8s-network"],
        "the youngest first, without the new one"
    );
    lab.change(|cloud| cloud.denied.insert("ListExports".to_owned()));
    let denied = client.cloudformation("ListExports", &[]).await;
    assert_eq!((denied.status, denied.error().1), (403, "AccessDenied"));
    assert!(denied.error().2.contains("cloudformation:ListExports"));
    let body = "Action=DescribeStacks&Version=2010-05-15";
    let unsigned = client.send("POST", "/", None, body).await;
    assert_eq!((unsigned.status, unsigned.error().1), (403, "MissingAuthenticationToken"));
    let elsewhere = "AWS4-HMAC-SHA256 Credential=lab/20260101/eu-west-1/cloudformation/aws4_request, Signature=0";
    let empty = client.send("POST", "/", Some(elsewhere), body).await;
    assert!(empty.body.contains("<Stacks/>"), "{}", empty.body);
}
