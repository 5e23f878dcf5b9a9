//! EC2's query protocol, byte by byte where bytes matter.

use std::time::Duration;

use kroutes_lab::{Lab, Options};

use crate::client::{Client, form};
use crate::{hard_way, ids};

async fn lab(options: Options) -> (Lab, Client, String, [String; 3]) {
    let lab = Lab::start(hard_way(), options).await.expect("a lab");
    let client = Client::connect(&lab.endpoint()).await;
    let (table, workers) = lab.cloud(ids);
    (lab, client, table, workers)
}

#[tokio::test]
async fn success_and_error_have_the_shape_of_ec2s() {
    let (_lab, mut client, table, [w0, ..]) = lab(Options::default()).await;
    let route = [("RouteTableId", table.as_str()), ("DestinationCidrBlock", "10.200.0.0/24"), ("InstanceId", &w0)];
    let created = client.call("CreateRoute", &route).await;
    let request_id = created.texts("requestId")[0];
    assert_eq!(
        created.body,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
             <CreateRouteResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
             <requestId>{request_id}</requestId><return>true</return></CreateRouteResponse>"
        )
    );
    assert!(created.head.contains(&format!("x-amzn-requestid: {request_id}")), "{}", created.head);

    let taken = client.call("CreateRoute", &route).await;
    let request_id = taken.texts("RequestID")[0];
    assert_eq!(
        taken.body,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Errors><Error><Code>RouteAlreadyExists</Code>\
             <Message>The route identified by 10.200.0.0/24 already exists.</Message></Error></Errors>\
             <RequestID>{request_id}</RequestID></Response>"
        )
    );
    assert_eq!(taken.status, 400);
}

#[tokio::test]
async fn a_described_route_has_every_target_that_ec2_shows() {
    let (lab, mut client, table, [w0, ..]) = lab(Options::default()).await;
    let route = [("RouteTableId", table.as_str()), ("DestinationCidrBlock", "10.200.0.0/24"), ("InstanceId", &w0)];
    client.call("CreateRoute", &route).await;
    let interface = lab.cloud(|cloud| cloud.interfaces_of(&w0)[0].0.to_owned());
    let described = client.call("DescribeRouteTables", &[("RouteTableId.1", &table)]).await;
    let item = format!(
        "<item><destinationCidrBlock>10.200.0.0/24</destinationCidrBlock><instanceId>{w0}</instanceId>\
         <instanceOwnerId>123456789012</instanceOwnerId><networkInterfaceId>{interface}</networkInterfaceId>\
         <state>active</state><origin>CreateRoute</origin></item>"
    );
    assert!(described.body.contains(&item), "{}", described.body);
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_says_so() {
    let (lab, mut client, table, [w0, ..]) = lab(Options::default()).await;
    let before = lab.cloud(|cloud| cloud.tables[&table].routes.clone());
    let route = [("RouteTableId", table.as_str()), ("DestinationCidrBlock", "10.200.0.0/24"), ("InstanceId", &w0)];
    for action in ["CreateRoute", "ReplaceRoute", "DeleteRoute", "DescribeRouteTables", "TerminateInstances"] {
        let answer = client.call(action, &[&route[..], &[("DryRun", "true")]].concat()).await;
        let expected = (412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.");
        assert_eq!(answer.error(), expected, "{action}");
    }
    assert_eq!(lab.cloud(|cloud| cloud.tables[&table].routes.clone()), before);
    lab.change(|cloud| cloud.denied.insert("CreateRoute".to_owned()));
    let denied = client.call("CreateRoute", &[&route[..], &[("DryRun", "true")]].concat()).await;
    assert_eq!((denied.status, denied.texts("Code")), (403, vec!["UnauthorizedOperation"]));
}

/// An action, its parameters, and the status and code that it is refused with.
type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], u16, &'a str);

#[tokio::test]
async fn requests_that_make_no_sense_are_refused_by_name() {
    let (_lab, mut client, table, [w0, ..]) = lab(Options::default()).await;
    let route = ("RouteTableId", table.as_str());
    let to = ("DestinationCidrBlock", "10.200.0.0/24");
    let by = ("InstanceId", w0.as_str());
    let unknown = "i-0123456789abcdef1";
    let rows: [Row; 18] = [
        ("CreateRoute", &[to, by], 400, "MissingParameter"),
        ("CreateRoute", &[route, by], 400, "MissingParameter"),
        ("CreateRoute", &[route, to], 400, "MissingParameter"),
        ("CreateRoute", &[route, to, by, ("NatGatewayId", "nat-1")], 400, "InvalidParameterCombination"),
        (
            "CreateRoute",
            &[route, to, ("DestinationIpv6CidrBlock", "fd00::/64"), by],
            400,
            "InvalidParameterCombination",
        ),
        ("CreateRoute", &[route, ("DestinationCidrBlock", "::/0"), by], 400, "InvalidParameterValue"),
        ("CreateRoute", &[route, to, ("InstanceId", unknown)], 400, "InvalidInstanceID.NotFound"),
        ("CreateRoute", &[route, to, ("InstanceId", "worker-0")], 400, "InvalidInstanceID.Malformed"),
        ("CreateRoute", &[("RouteTableId", "rtb-01234567"), to, by], 400, "InvalidRouteTableID.NotFound"),
        ("DescribeRouteTables", &[("RouteTableId.1", "kubernetes")], 400, "InvalidRouteTableId.Malformed"),
        ("DescribeRouteTables", &[("MaxResults", "4")], 400, "InvalidParameterValue"),
        ("DescribeRouteTables", &[("MaxResults", "101")], 400, "InvalidParameterValue"),
        ("DescribeRouteTables", &[("NextToken", "x")], 400, "InvalidNextToken"),
        ("DescribeRouteTables", &[("Filter.1.Name", "x"), ("Filter.1.Value.1", "y")], 400, "InvalidParameterValue"),
        ("DescribeInstances", &[("InstanceId.1", &w0), ("MaxResults", "5")], 400, "InvalidParameterCombination"),
        ("DescribeInstances", &[("InstanceId.1", &w0), ("InstanceId.2", unknown)], 400, "InvalidInstanceID.NotFound"),
        ("DescribeInstanceAttribute", &[by, ("Attribute", "colour")], 400, "InvalidParameterValue"),
        ("DescribeColours", &[], 400, "InvalidAction"),
    ];
    for (action, params, status, code) in rows {
        let answer = client.call(action, params).await;
        assert_eq!((answer.status, answer.error().1), (status, code), "{action} {params:?}: {}", answer.body);
    }
}

#[tokio::test]
async fn an_unsigned_request_is_refused_and_another_region_is_empty() {
    let (lab, mut client, table, _) = lab(Options::default()).await;
    let body = form("DescribeRouteTables", &[]);
    let unsigned = client.send("POST", "/", None, &body).await;
    assert_eq!((unsigned.status, unsigned.error().1), (401, "AuthFailure"));
    let elsewhere = "AWS4-HMAC-SHA256 Credential=lab/20260101/eu-west-1/ec2/aws4_request, Signature=0";
    let empty = client.send("POST", "/", Some(elsewhere), &body).await;
    assert!(empty.body.contains("<routeTableSet/>"), "{}", empty.body);
    let body = form("DescribeRouteTables", &[("RouteTableId.1", &table)]);
    let absent = client.send("POST", "/", Some(elsewhere), &body).await;
    assert_eq!(absent.error().1, "InvalidRouteTableID.NotFound");
    assert_eq!(client.send("GET", "/", None, "").await.error().1, "MissingAction");
    let presigned = format!("/?{body}&X-Amz-Credential=lab/20260101/us-west-2/ec2/aws4_request");
    assert_eq!(client.send("GET", &presigned, None, "").await.texts("vpcId").len(), 1);
    assert_eq!(lab.calls()["DescribeRouteTables"], 4);
}

#[tokio::test]
async fn pages_hold_everything_once_and_in_order() {
    let (_lab, mut client, ..) = lab(Options::default()).await;
    client.call("RunInstances", &[("ImageId", "ami-1"), ("MinCount", "9"), ("MaxCount", "9")]).await;
    let all = client.call("DescribeInstances", &[]).await;
    let (mut seen, mut token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = client.call("DescribeInstances", &[("MaxResults", "5"), ("NextToken", &token)]).await;
        seen.extend(page.texts("instanceId").into_iter().map(str::to_owned));
        pages += 1;
        match page.texts("nextToken").first() {
            Some(next) => token = (*next).to_owned(),
            None => break,
        }
    }
    assert_eq!((pages, seen.len()), (3, 12));
    assert_eq!(seen, all.texts("instanceId"));
}

#[tokio::test]
async fn user_data_is_base64_and_an_instance_without_it_shows_an_empty_element() {
    let (_lab, mut client, _, [w0, ..]) = lab(Options::default()).await;
    let ask = |id| [("InstanceId", id), ("Attribute", "userData")];
    let answer = client.call("DescribeInstanceAttribute", &ask(&w0)).await;
    assert!(
        answer.body.contains("<userData><value>bmFtZT13b3JrZXItMHxwb2QtY2lkcj0xMC4yMDAuMC4wLzI0</value></userData>"),
        "{}",
        answer.body
    );
    let ran = client.call("RunInstances", &[("ImageId", "ami-1"), ("MinCount", "1"), ("MaxCount", "1")]).await;
    let answer = client.call("DescribeInstanceAttribute", &ask(ran.texts("instanceId")[0])).await;
    assert!(answer.body.contains("<userData/>"), "{}", answer.body);
}

#[tokio::test]
async fn filters_select_whole_tables_and_an_association_filter_only_associated_ones() {
    let (_lab, mut client, table, [w0, ..]) = lab(Options::default()).await;
    let route = [("RouteTableId", table.as_str()), ("DestinationCidrBlock", "10.200.0.0/24"), ("InstanceId", &w0)];
    client.call("CreateRoute", &route).await;
    let vpc = client.call("DescribeVpcs", &[]).await.texts("vpcId")[0].to_owned();
    let lone = client.call("CreateRouteTable", &[("VpcId", &vpc)]).await.texts("routeTableId")[0].to_owned();
    let rows: [(&str, &str, usize); 6] = [
        ("route.instance-id", &w0, 1),
        ("tag:Name", "kuber*", 1),
        ("association.main", "true", 1),
        ("association.main", "false", 1),
        ("vpc-id", &vpc, 3),
        ("route-table-id", &lone, 1),
    ];
    for (filter, value, tables) in rows {
        let filter = [("Filter.1.Name", filter), ("Filter.1.Value.1", value)];
        let answer = client.call("DescribeRouteTables", &filter).await;
        assert_eq!(answer.body.matches("<propagatingVgwSet/>").count(), tables, "{filter:?}");
        // Each table has a local route, whatever made it pass.
        assert_eq!(answer.texts("gatewayId").iter().filter(|id| **id == "local").count(), tables, "{filter:?}");
    }
}

#[tokio::test]
async fn names_are_looked_up_two_hundred_at_a_time() {
    let (_lab, mut client, _, workers) = lab(Options::default()).await;
    let names: Vec<_> = (0..200).map(|n| (format!("Filter.1.Value.{}", n + 1), format!("worker-{n}"))).collect();
    let mut params: Vec<_> = names.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    params.push(("Filter.1.Name", "tag:Name"));
    let mut found = client.call("DescribeInstances", &params).await.texts("instanceId").join(" ");
    for worker in workers {
        assert!(found.contains(&worker));
        found = found.replace(&worker, "");
    }
    assert_eq!(found.trim(), "");
}

#[tokio::test]
async fn an_instance_stops_starts_and_ends_and_stays_visible() {
    let (_lab, mut client, table, [w0, ..]) = lab(Options::default()).await;
    let route = [("RouteTableId", table.as_str()), ("DestinationCidrBlock", "10.200.0.0/24"), ("InstanceId", &w0)];
    client.call("CreateRoute", &route).await;
    let rows = [
        ("StopInstances", "stopped", "running", "blackhole"),
        ("StartInstances", "running", "stopped", "active"),
        ("TerminateInstances", "terminated", "running", "blackhole"),
    ];
    for (action, now, before, state) in rows {
        let moved = client.call(action, &[("InstanceId.1", &w0)]).await;
        assert_eq!(moved.texts("name"), [now, before], "{action}");
        let seen = client.call("DescribeInstances", &[("InstanceId.1", &w0)]).await;
        assert!(seen.texts("name").contains(&now), "{action}");
        let tables = client.call("DescribeRouteTables", &[("RouteTableId.1", &table)]).await;
        assert_eq!(tables.texts("state").last(), Some(&"associated"));
        assert!(
            tables.body.contains(&format!("<state>{state}</state><origin>CreateRoute</origin></item></routeSet>")),
            "{action}"
        );
    }
    let again = client.call("StartInstances", &[("InstanceId.1", &w0)]).await;
    assert_eq!(again.error().1, "IncorrectInstanceState");
    let network = client.call("DescribeInstances", &[("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", "*")]).await;
    assert!(!network.texts("instanceId").contains(&w0.as_str()), "a terminated instance is in no network");
}

#[tokio::test]
async fn source_dest_check_is_changed_on_instance_or_interface_and_read_from_both() {
    let (_lab, mut client, _, [w0, ..]) = lab(Options::default()).await;
    let off = client.call("ModifyInstanceAttribute", &[("InstanceId", &w0), ("SourceDestCheck.Value", "false")]).await;
    assert_eq!(off.status, 200);
    let attribute = [("InstanceId", w0.as_str()), ("Attribute", "sourceDestCheck")];
    let answer = client.call("DescribeInstanceAttribute", &attribute).await;
    assert!(answer.body.contains("<sourceDestCheck><value>false</value></sourceDestCheck>"), "{}", answer.body);
    let held = [("Filter.1.Name", "attachment.instance-id"), ("Filter.1.Value.1", w0.as_str())];
    let interfaces = client.call("DescribeNetworkInterfaces", &held).await;
    assert_eq!(interfaces.texts("sourceDestCheck"), ["false"]);
    let interface = interfaces.texts("networkInterfaceId")[0];
    let on = [("NetworkInterfaceId", interface), ("SourceDestCheck.Value", "true")];
    assert_eq!(client.call("ModifyNetworkInterfaceAttribute", &on).await.status, 200);
    let instance = client.call("DescribeInstances", &[("InstanceId.1", &w0)]).await;
    assert_eq!(instance.texts("sourceDestCheck"), ["true", "true"]);
}

#[tokio::test]
async fn tags_are_written_listed_and_deleted() {
    let (_lab, mut client, table, _) = lab(Options::default()).await;
    let tag = [("ResourceId.1", table.as_str()), ("Tag.1.Key", "kroutes/kubernetes"), ("Tag.1.Value", "10.200.0.0/16")];
    assert_eq!(client.call("CreateTags", &tag).await.status, 200);
    let filter = [("Filter.1.Name", "resource-type"), ("Filter.1.Value.1", "route-table")];
    let listed = client.call("DescribeTags", &filter).await;
    assert_eq!(listed.texts("key"), ["Name", "kroutes/kubernetes"]);
    let other = [("ResourceId.1", table.as_str()), ("Tag.1.Key", "kroutes/kubernetes"), ("Tag.1.Value", "10.0.0.0/8")];
    assert_eq!(client.call("DeleteTags", &other).await.status, 200);
    assert_eq!(client.call("DescribeTags", &filter).await.texts("key").len(), 2);
    assert_eq!(client.call("DeleteTags", &tag).await.status, 200);
    assert_eq!(client.call("DescribeTags", &filter).await.texts("key"), ["Name"]);
    let absent = client.call("CreateTags", &[("ResourceId.1", "rtb-01234567"), tag[1], tag[2]]).await;
    assert_eq!(absent.error().1, "InvalidRouteTableID.NotFound");
}

#[tokio::test]
async fn a_subnet_moves_from_table_to_table_and_a_table_in_use_is_kept() {
    let (_lab, mut client, table, _) = lab(Options::default()).await;
    let before = client.call("DescribeRouteTables", &[("RouteTableId.1", &table)]).await;
    let (association, vpc) = (before.texts("routeTableAssociationId")[0], before.texts("vpcId")[0]);
    let subnet = before.texts("subnetId")[0];
    let made = client.call("CreateRouteTable", &[("VpcId", vpc)]).await;
    let other = made.texts("routeTableId")[0];
    let conflict = client.call("AssociateRouteTable", &[("RouteTableId", other), ("SubnetId", subnet)]).await;
    assert_eq!(conflict.error().1, "Resource.AlreadyAssociated");
    let moved = [("AssociationId", association), ("RouteTableId", other)];
    let moved = client.call("ReplaceRouteTableAssociation", &moved).await;
    let association = moved.texts("newAssociationId")[0];
    let kept = client.call("DeleteRouteTable", &[("RouteTableId", other)]).await;
    assert_eq!(kept.error().1, "DependencyViolation");
    assert_eq!(client.call("DisassociateRouteTable", &[("AssociationId", association)]).await.status, 200);
    assert_eq!(client.call("DeleteRouteTable", &[("RouteTableId", other)]).await.status, 200);
    let back = client.call("AssociateRouteTable", &[("RouteTableId", &table), ("SubnetId", subnet)]).await;
    assert_eq!(back.texts("state"), ["associated"]);
}

#[tokio::test(start_paused = true)]
async fn listings_lag_behind_writes_but_writes_never_do() {
    let (lab, mut client, table, [w0, ..]) = lab(Options { lag: Duration::from_hours(1), ..Options::default() }).await;
    let route = [("RouteTableId", table.as_str()), ("DestinationCidrBlock", "10.200.0.0/24"), ("InstanceId", &w0)];
    client.call("CreateRoute", &route).await;
    let shows = async |client: &mut Client| {
        let listed = client.call("DescribeRouteTables", &[("RouteTableId.1", &table)]).await;
        listed.texts("destinationCidrBlock").contains(&"10.200.0.0/24")
    };
    assert!(!shows(&mut client).await);
    assert_eq!(client.call("CreateRoute", &route).await.error().1, "RouteAlreadyExists");
    assert_eq!(lab.cloud(|cloud| cloud.tables[&table].routes.len()), 3);
    tokio::time::advance(Duration::from_hours(1)).await;
    assert!(shows(&mut client).await);
}

#[tokio::test(start_paused = true)]
async fn published_buckets_throttle_by_action_and_count_it() {
    let (lab, mut client, table, _) = lab(Options { published_buckets: true, ..Options::default() }).await;
    let route = [("RouteTableId", table.as_str()), ("DestinationCidrBlock", "10.200.0.0/24")];
    for _ in 0..50 {
        assert_eq!(client.call("DeleteRoute", &route).await.error().1, "InvalidRoute.NotFound");
    }
    let expected = (503, "RequestLimitExceeded", "Request limit exceeded.");
    assert_eq!(client.call("DeleteRoute", &route).await.error(), expected);
    assert_eq!(client.call("DescribeRouteTables", &[]).await.status, 200);
    assert_eq!((lab.calls()["DeleteRoute"], lab.throttled()["DeleteRoute"]), (51, 1));
    tokio::time::advance(Duration::from_millis(200)).await;
    assert_eq!(client.call("DeleteRoute", &route).await.error().1, "InvalidRoute.NotFound");
}
