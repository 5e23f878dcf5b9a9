"""boto3 against `kroutes lab`: every action that the lab has, through the client that most programs use.

The lab is a model, and a model is worth what a stranger's client makes of it. So each test says what the EC2 documents
promise (API Reference, "Error codes for the Amazon EC2 API") and lets botocore's own parser and waiters judge.
"""

import base64

import boto3
import pytest
from botocore.exceptions import ClientError

import servers
from conftest import TOPOLOGY
from support import by_tag, calls, client, describe_table, fault, instances, named, post, routes, tags

UNKNOWN = "0123456789abcdef0"


def refused(call, **arguments):
    """Makes a call that must fail; answers the code, the HTTP status and the message."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    assert answer["ResponseMetadata"]["RequestId"], "people quote the request id to support"
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


def launch(ec2, name, **arguments):
    """One more instance, by default in the lab's first subnet."""
    arguments = {"ImageId": "ami-12345678", "MinCount": 1, "MaxCount": 1} | arguments
    return ec2.run_instances(TagSpecifications=named("instance", name), **arguments)["Instances"][0]["InstanceId"]


# Route tables and routes


def test_a_route_table_is_described_with_every_member(ec2, table):
    shown = describe_table(ec2, table)
    assert shown.keys() == {
        "Associations", "OwnerId", "PropagatingVgws", "RouteTableId", "Routes", "Tags", "VpcId",
    }  # fmt: skip
    assert shown["OwnerId"].isdigit() and len(shown["OwnerId"]) == 12
    assert shown["PropagatingVgws"] == []
    assert tags(shown) == {"Name": "kubernetes"}
    (association,) = shown["Associations"]
    assert association["RouteTableId"] == table
    assert association["Main"] is False
    assert association["AssociationState"]["State"] == "associated"
    assert association["SubnetId"].startswith("subnet-")
    assert association["RouteTableAssociationId"].startswith("rtbassoc-")
    found = routes(ec2, table)
    assert found["10.240.0.0/16"] == {
        "DestinationCidrBlock": "10.240.0.0/16",
        "GatewayId": "local",
        "Origin": "CreateRouteTable",
        "State": "active",
    }
    assert found["0.0.0.0/0"]["GatewayId"].startswith("igw-")


def test_a_route_by_instance_id_shows_the_instance_its_owner_and_its_interface(ec2, table, workers):
    instance = workers["worker-0"]
    assert ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.200.0.0/24", InstanceId=instance)["Return"]
    (described,) = instances(ec2, InstanceIds=[instance])
    interface = described["NetworkInterfaces"][0]["NetworkInterfaceId"]
    expected = {
        "DestinationCidrBlock": "10.200.0.0/24",
        "InstanceId": instance,
        "InstanceOwnerId": describe_table(ec2, table)["OwnerId"],
        "NetworkInterfaceId": interface,
        "Origin": "CreateRoute",
        "State": "active",
    }
    assert routes(ec2, table)["10.200.0.0/24"] == expected
    ec2.delete_route(RouteTableId=table, DestinationCidrBlock="10.200.0.0/24")
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.200.0.0/24", NetworkInterfaceId=interface)
    assert routes(ec2, table)["10.200.0.0/24"] == expected, "by interface it looks the same"


def test_a_range_with_host_bits_is_kept_in_its_canonical_form(ec2, table, workers):
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="100.68.0.18/18", InstanceId=workers["worker-0"])
    assert "100.68.0.0/18" in routes(ec2, table)
    ec2.delete_route(RouteTableId=table, DestinationCidrBlock="100.68.0.0/18")


def test_ipv6_routes_are_described_under_their_own_member(ec2, table, workers):
    ec2.create_route(RouteTableId=table, DestinationIpv6CidrBlock="fd00:10:200::/64", InstanceId=workers["worker-0"])
    assert routes(ec2, table)["fd00:10:200::/64"]["DestinationIpv6CidrBlock"] == "fd00:10:200::/64"
    ec2.replace_route(RouteTableId=table, DestinationIpv6CidrBlock="fd00:10:200::/64", InstanceId=workers["worker-1"])
    assert routes(ec2, table)["fd00:10:200::/64"]["InstanceId"] == workers["worker-1"]
    ec2.delete_route(RouteTableId=table, DestinationIpv6CidrBlock="fd00:10:200::/64")
    assert "fd00:10:200::/64" not in routes(ec2, table)


def test_replace_route_changes_the_target_and_never_creates(ec2, table, workers):
    where = {"RouteTableId": table, "DestinationCidrBlock": "10.200.77.0/24"}
    code, status, message = refused(ec2.replace_route, **where, InstanceId=workers["worker-0"])
    assert (code, status) == ("InvalidParameterValue", 400)
    assert message == "There is no route defined for '10.200.77.0/24' in the route table. Use CreateRoute instead."
    ec2.create_route(**where, InstanceId=workers["worker-0"])
    ec2.replace_route(**where, InstanceId=workers["worker-1"])
    assert routes(ec2, table)["10.200.77.0/24"]["InstanceId"] == workers["worker-1"]


def test_the_resource_api_walks_a_table_as_well(lab, table, workers):
    resource = boto3.resource(
        "ec2", endpoint_url=lab.endpoint, region_name="us-west-2", aws_access_key_id="a", aws_secret_access_key="b"
    )
    found = resource.RouteTable(table)
    made = found.create_route(DestinationCidrBlock="10.200.0.0/24", InstanceId=workers["worker-0"])
    found.reload()
    assert {route.origin for route in found.routes} == {"CreateRouteTable", "CreateRoute"}
    made.replace(InstanceId=workers["worker-1"])
    made.delete()
    found.reload()
    assert len(found.routes) == 2


def test_tables_are_created_associated_moved_and_deleted(ec2, table):
    before = describe_table(ec2, table)
    vpc, old = before["VpcId"], before["Associations"][0]["RouteTableAssociationId"]
    subnet = before["Associations"][0]["SubnetId"]
    made = ec2.create_route_table(VpcId=vpc, TagSpecifications=named("route-table", "spare"))["RouteTable"]
    assert tags(made) == {"Name": "spare"}
    assert [route["Origin"] for route in made["Routes"]] == ["CreateRouteTable"]
    spare = made["RouteTableId"]

    moved = ec2.replace_route_table_association(AssociationId=old, RouteTableId=spare)["NewAssociationId"]
    assert describe_table(ec2, table)["Associations"] == []
    assert describe_table(ec2, spare)["Associations"][0]["RouteTableAssociationId"] == moved
    code, _, _ = refused(ec2.delete_route_table, RouteTableId=spare)
    assert code == "DependencyViolation"
    ec2.disassociate_route_table(AssociationId=moved)
    again = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    assert again["AssociationState"]["State"] == "associated"
    assert describe_table(ec2, table)["Associations"][0]["SubnetId"] == subnet
    ec2.delete_route_table(RouteTableId=spare)
    assert refused(ec2.describe_route_tables, RouteTableIds=[spare])[0] == "InvalidRouteTableID.NotFound"


# Refusals, by their exact codes


ROUTE_REFUSALS = [
    (
        "a destination that is taken",
        {"DestinationCidrBlock": "0.0.0.0/0"},
        ("RouteAlreadyExists", 400, "The route identified by 0.0.0.0/0 already exists."),
    ),
    (
        "a text that is no IPv4 range",
        {"DestinationCidrBlock": "::/0"},
        (
            "InvalidParameterValue",
            400,
            "Value (::/0) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block.",
        ),
    ),
    ("an unknown table", {"RouteTableId": f"rtb-{UNKNOWN}"}, ("InvalidRouteTableID.NotFound", 400, None)),
    ("a text that is no table", {"RouteTableId": "kubernetes"}, ("InvalidRouteTableId.Malformed", 400, None)),
    ("an unknown instance", {"InstanceId": f"i-{UNKNOWN}"}, ("InvalidInstanceID.NotFound", 400, None)),
    ("a text that is no instance", {"InstanceId": "worker-0"}, ("InvalidInstanceID.Malformed", 400, None)),
    (
        "an unknown interface",
        {"InstanceId": None, "NetworkInterfaceId": f"eni-{UNKNOWN}"},
        ("InvalidNetworkInterfaceID.NotFound", 400, None),
    ),
    (
        "a text that is no interface",
        {"InstanceId": None, "NetworkInterfaceId": "eth0"},
        ("InvalidNetworkInterfaceId.Malformed", 400, None),
    ),
    ("no target", {"InstanceId": None}, ("MissingParameter", 400, None)),
    ("two targets", {"NatGatewayId": f"nat-{UNKNOWN}"}, ("InvalidParameterCombination", 400, None)),
    ("no destination", {"DestinationCidrBlock": None}, ("MissingParameter", 400, None)),
    (
        "two destinations",
        {"DestinationIpv6CidrBlock": "fd00::/64"},
        ("InvalidParameterCombination", 400, None),
    ),
    (
        "a gateway inside the VPC's range",
        {"DestinationCidrBlock": "10.240.7.0/24", "InstanceId": None, "VpcPeeringConnectionId": "pcx-0123456789abcdef0"},
        (
            "InvalidParameterValue",
            400,
            "The destination CIDR block 10.240.7.0/24 is equal to or more specific than one of this VPC's CIDR blocks. "
            "This route can target only an interface or an instance.",
        ),
    ),
    (
        "a range of the VPC that is no subnet",
        {"DestinationCidrBlock": "10.240.7.0/25"},
        ("InvalidParameterValue", 400, "Route destination doesn't match any subnet CIDR blocks."),
    ),
    ("the range that EC2 keeps for itself", {"DestinationCidrBlock": "169.254.169.0/24"}, ("InvalidParameterValue", 400, None)),
]  # fmt: skip


@pytest.mark.parametrize(("what", "change", "expected"), ROUTE_REFUSALS, ids=[row[0] for row in ROUTE_REFUSALS])
def test_create_route_refuses_with_ec2s_own_code(ec2, table, workers, what, change, expected):
    good = {"RouteTableId": table, "DestinationCidrBlock": "10.200.0.0/24", "InstanceId": workers["worker-0"]}
    before = describe_table(ec2, table)
    arguments = {name: value for name, value in (good | change).items() if value is not None}
    code, status, message = refused(ec2.create_route, **arguments)
    assert (code, status) == expected[:2], f"{what}: {message}"
    if expected[2]:
        assert message == expected[2]
    assert describe_table(ec2, table) == before


def test_deleting_refuses_an_absent_route_and_the_local_one(ec2, table):
    absent = refused(ec2.delete_route, RouteTableId=table, DestinationCidrBlock="10.200.77.0/24")
    assert absent == (
        "InvalidRoute.NotFound",
        400,
        f"no route with destination-cidr-block 10.200.77.0/24 in route table {table}",
    )
    local = refused(ec2.delete_route, RouteTableId=table, DestinationCidrBlock="10.240.0.0/16")
    assert local == ("InvalidParameterValue", 400, f"cannot remove local route 10.240.0.0/16 in route table {table}")


def test_unknown_ids_fail_the_whole_call_but_as_a_filter_they_match_nothing(ec2, workers):
    ids = [workers["worker-0"], f"i-{UNKNOWN}"]
    code, status, message = refused(ec2.describe_instances, InstanceIds=ids)
    assert (code, status) == ("InvalidInstanceID.NotFound", 400)
    assert f"i-{UNKNOWN}" in message
    found = instances(ec2, Filters=[{"Name": "instance-id", "Values": ids}])
    assert [one["InstanceId"] for one in found] == [workers["worker-0"]]
    for describe, ids, code in [
        (ec2.describe_vpcs, {"VpcIds": [f"vpc-{UNKNOWN}"]}, "InvalidVpcID.NotFound"),
        (ec2.describe_subnets, {"SubnetIds": [f"subnet-{UNKNOWN}"]}, "InvalidSubnetID.NotFound"),
        (ec2.describe_route_tables, {"RouteTableIds": ["rtb"]}, "InvalidRouteTableId.Malformed"),
        (ec2.describe_internet_gateways, {"InternetGatewayIds": [f"igw-{UNKNOWN}"]}, "InvalidInternetGatewayID.NotFound"),
        (ec2.describe_network_interfaces, {"NetworkInterfaceIds": [f"eni-{UNKNOWN}"]}, "InvalidNetworkInterfaceID.NotFound"),
    ]:  # fmt: skip
        assert refused(describe, **ids)[0] == code


def test_the_quota_of_routes_is_counted_per_family(ec2, table, workers):
    # The topology says routes-limit = 20, and the table begins with two IPv4 routes.
    for number in range(18):
        ec2.create_route(RouteTableId=table, DestinationCidrBlock=f"10.1.{number}.0/24", InstanceId=workers["worker-0"])
    one_more = {"RouteTableId": table, "InstanceId": workers["worker-0"]}
    assert refused(ec2.create_route, **one_more, DestinationCidrBlock="10.2.0.0/24")[:2] == ("RouteLimitExceeded", 400)
    ec2.create_route(**one_more, DestinationIpv6CidrBlock="fd00::/64")
    ec2.replace_route(RouteTableId=table, DestinationCidrBlock="10.1.0.0/24", InstanceId=workers["worker-1"])


def test_a_dry_run_says_that_it_would_have_worked_and_changes_nothing(ec2, table, workers):
    before = describe_table(ec2, table)
    route = {"RouteTableId": table, "DestinationCidrBlock": "10.200.0.0/24"}
    rows = [
        (ec2.create_route, route | {"InstanceId": workers["worker-0"]}),
        (ec2.replace_route, route | {"InstanceId": workers["worker-0"]}),
        (ec2.delete_route, route),
        (ec2.describe_route_tables, {}),
        (ec2.create_tags, {"Resources": [table], "Tags": [{"Key": "a", "Value": "b"}]}),
        (ec2.terminate_instances, {"InstanceIds": list(workers.values())}),
    ]
    for call, arguments in rows:
        code, status, message = refused(call, **arguments, DryRun=True)
        assert (code, status) == ("DryRunOperation", 412)
        assert message == "Request would have succeeded, but DryRun flag is set."
    assert describe_table(ec2, table) == before
    assert {one["State"]["Name"] for one in instances(ec2)} == {"running"}


def test_a_denied_action_is_refused_even_as_a_dry_run(lab, ec2, table):
    fault(lab, action="DeleteRoute", kind="deny")
    for dry in (True, False):
        code, status, message = refused(
            ec2.delete_route, RouteTableId=table, DestinationCidrBlock="10.200.0.0/24", DryRun=dry
        )
        assert (code, status) == ("UnauthorizedOperation", 403)
        assert "ec2:DeleteRoute" in message


def test_what_the_lab_does_not_have_it_refuses_by_name(ec2):
    code, status, message = refused(ec2.describe_volumes)
    assert (code, status) == ("InvalidAction", 400)
    assert "DescribeVolumes" in message


# Listings


@pytest.mark.parametrize("size", [5, 6, 100])
def test_pages_hold_everything_once_and_in_one_order(ec2, table, size):
    vpc = describe_table(ec2, table)["VpcId"]
    for number in range(12):
        ec2.create_route_table(VpcId=vpc, TagSpecifications=named("route-table", f"spare-{number}"))
    everything = [one["RouteTableId"] for one in ec2.describe_route_tables()["RouteTables"]]
    pages = list(ec2.get_paginator("describe_route_tables").paginate(PaginationConfig={"PageSize": size}))
    assert all(len(page["RouteTables"]) <= size for page in pages)
    assert [one["RouteTableId"] for page in pages for one in page["RouteTables"]] == everything
    assert "NextToken" not in pages[-1]
    filtered = ec2.get_paginator("describe_route_tables").paginate(
        Filters=by_tag("Name", "spare-*"), PaginationConfig={"PageSize": size}
    )
    assert len([one for page in filtered for one in page["RouteTables"]]) == 12


def test_every_listing_can_be_paged(ec2, workers):
    launch(ec2, "more", MinCount=4, MaxCount=4)
    for operation, member in [
        ("describe_instances", "Reservations"),
        ("describe_network_interfaces", "NetworkInterfaces"),
        ("describe_subnets", "Subnets"),
        ("describe_vpcs", "Vpcs"),
        ("describe_internet_gateways", "InternetGateways"),
        ("describe_tags", "Tags"),
    ]:
        everything = getattr(ec2, operation)()[member]
        assert everything, operation
        pages = ec2.get_paginator(operation).paginate(PaginationConfig={"PageSize": 5})
        assert [one for page in pages for one in page[member]] == everything, operation
    assert len(ec2.describe_network_interfaces()["NetworkInterfaces"]) == 7


def test_wrong_page_sizes_and_tokens_are_refused(lab, ec2, workers):
    assert refused(ec2.describe_route_tables, MaxResults=101)[0] == "InvalidParameterValue"
    assert refused(ec2.describe_instances, MaxResults=1001)[0] == "InvalidParameterValue"
    # boto3 knows the smallest page itself; other clients ask.
    unjudged = client(lab, parameter_validation=False)
    assert refused(unjudged.describe_route_tables, MaxResults=4)[0] == "InvalidParameterValue"
    ids = list(workers.values())
    assert refused(ec2.describe_instances, MaxResults=5, InstanceIds=ids)[0] == "InvalidParameterCombination"
    assert refused(ec2.describe_route_tables, MaxResults=5, NextToken="nonsense")[0] == "InvalidNextToken"


INSTANCE_FILTERS = [
    ("tag:Name", ["worker-*"], 3),
    ("tag:Name", ["worker-?"], 3),
    ("tag:Name", ["worker-0", "worker-2"], 2),
    ("tag:Name", ["WORKER-0"], 0),
    ("tag:Name", [r"worker-\*"], 0),
    ("tag:name", ["worker-0"], 0),
    ("tag-key", ["Na*"], 4),
    ("private-ip-address", ["10.240.0.2?"], 3),
    ("network-interface.addresses.private-ip-address", ["10.240.0.21"], 1),
    ("instance-state-name", ["running"], 3),
    ("instance-state-name", ["pending", "stopped"], 1),
    ("source-dest-check", ["true"], 4),
    ("network-interface.source-dest-check", ["false"], 0),
    ("image-id", ["ami-12345678"], 1),
]


@pytest.mark.parametrize(("name", "values", "count"), INSTANCE_FILTERS)
def test_filters_of_instances_choose_as_documented(ec2, workers, name, values, count):
    other = launch(ec2, "bystander")
    ec2.stop_instances(InstanceIds=[other])
    assert len(instances(ec2, Filters=[{"Name": name, "Values": values}])) == count


TABLE_FILTERS = [
    ("route.instance-id", lambda seen: [seen["worker"]], True),
    ("route.instance-id", lambda _: [f"i-{UNKNOWN}"], False),
    ("route.destination-cidr-block", lambda _: ["10.200.*"], True),
    ("route.state", lambda _: ["blackhole"], False),
    ("route.origin", lambda _: ["CreateRoute"], True),
    ("route.gateway-id", lambda _: ["igw-*"], True),
    ("association.subnet-id", lambda seen: [seen["subnet"]], True),
    ("association.main", lambda _: ["false"], True),
    ("association.main", lambda _: ["true"], False),
    ("vpc-id", lambda seen: [seen["vpc"]], True),
    ("route-table-id", lambda seen: [seen["table"]], True),
    ("owner-id", lambda seen: [seen["owner"]], True),
]


@pytest.mark.parametrize(("name", "values", "matches"), TABLE_FILTERS)
def test_filters_of_route_tables_choose_whole_tables(ec2, table, workers, name, values, matches):
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.200.0.0/24", InstanceId=workers["worker-0"])
    shown = describe_table(ec2, table)
    seen = {
        "worker": workers["worker-0"],
        "subnet": shown["Associations"][0]["SubnetId"],
        "vpc": shown["VpcId"],
        "table": table,
        "owner": shown["OwnerId"],
    }
    chosen = ec2.describe_route_tables(Filters=[{"Name": name, "Values": values(seen)}])["RouteTables"]
    found = [one for one in chosen if one["RouteTableId"] == table]
    assert bool(found) is matches
    assert all(len(one["Routes"]) == 3 for one in found), "a filter on routes chooses tables, not routes"


def test_filters_that_make_no_sense_are_refused(ec2):
    colour = [{"Name": "colour", "Values": ["red"]}]
    assert refused(ec2.describe_instances, Filters=colour)[0] == "InvalidParameterValue"
    assert refused(ec2.describe_route_tables, Filters=colour)[0] == "InvalidParameterValue"
    many = by_tag("Name", *(f"worker-{number}" for number in range(201)))
    assert refused(ec2.describe_instances, Filters=many)[0] == "FilterLimitExceeded"
    assert instances(ec2, Filters=by_tag("Name", *(f"worker-{number}" for number in range(200))))


def test_the_main_table_of_the_vpc_is_found_by_its_association(ec2, table):
    vpc = describe_table(ec2, table)["VpcId"]
    filters = [{"Name": "association.main", "Values": ["true"]}, {"Name": "vpc-id", "Values": [vpc]}]
    (main,) = ec2.describe_route_tables(Filters=filters)["RouteTables"]
    assert main["Associations"][0]["Main"] is True
    assert "SubnetId" not in main["Associations"][0]


def test_the_network_around_the_workers_is_described(ec2, table, workers):
    vpc = describe_table(ec2, table)["VpcId"]
    (network,) = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]
    assert network["CidrBlock"] == "10.240.0.0/16"
    assert network["CidrBlockAssociationSet"][0]["CidrBlockState"]["State"] == "associated"
    (subnet,) = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    assert subnet["VpcId"] == vpc and subnet["State"] == "available"
    (gateway,) = ec2.describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [vpc]}])[
        "InternetGateways"
    ]
    assert gateway["Attachments"] == [{"State": "available", "VpcId": vpc}]
    interfaces = ec2.describe_network_interfaces(
        Filters=[{"Name": "attachment.instance-id", "Values": [workers["worker-1"]]}]
    )["NetworkInterfaces"]
    assert [one["PrivateIpAddress"] for one in interfaces] == ["10.240.0.21"]
    assert [region["RegionName"] for region in ec2.describe_regions()["Regions"]] == ["us-west-2"]


def test_another_region_holds_nothing(lab, table):
    elsewhere = client(lab, region="eu-central-1")
    assert elsewhere.describe_route_tables()["RouteTables"] == []
    assert instances(elsewhere) == []
    assert refused(elsewhere.describe_route_tables, RouteTableIds=[table])[0] == "InvalidRouteTableID.NotFound"


def test_the_caller_has_an_identity(lab, ec2, table):
    identity = client(lab, "sts").get_caller_identity()
    assert identity["Account"] == describe_table(ec2, table)["OwnerId"]
    assert identity["Arn"].startswith("arn:aws:iam::")


# Instances, their lives and attributes


def test_an_instance_is_described_with_what_a_route_needs(ec2, table, workers):
    (shown,) = instances(ec2, InstanceIds=[workers["worker-0"]])
    assert shown["State"] == {"Code": 16, "Name": "running"}
    assert shown["PrivateIpAddress"] == "10.240.0.20"
    assert shown["VpcId"] == describe_table(ec2, table)["VpcId"]
    assert shown["SourceDestCheck"] is True
    assert shown["Placement"]["AvailabilityZone"].startswith("us-west-2")
    assert shown["PrivateDnsName"] == "ip-10-240-0-20.us-west-2.compute.internal"
    (interface,) = shown["NetworkInterfaces"]
    assert interface["Attachment"]["DeviceIndex"] == 0
    assert interface["PrivateIpAddresses"][0] == {"Primary": True, "PrivateIpAddress": "10.240.0.20"}
    assert interface["SourceDestCheck"] is True


def test_waiters_see_instances_run_stop_and_end(ec2):
    quickly = {"WaiterConfig": {"Delay": 1, "MaxAttempts": 2}}
    instance = launch(ec2, "short-lived")
    ec2.get_waiter("instance_exists").wait(InstanceIds=[instance], **quickly)
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance], **quickly)
    stopped = ec2.stop_instances(InstanceIds=[instance])["StoppingInstances"][0]
    assert stopped["PreviousState"] == {"Code": 16, "Name": "running"}
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[instance], **quickly)
    ec2.start_instances(InstanceIds=[instance])
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance], **quickly)
    ec2.terminate_instances(InstanceIds=[instance])
    ec2.get_waiter("instance_terminated").wait(InstanceIds=[instance], **quickly)
    assert refused(ec2.start_instances, InstanceIds=[instance])[0] == "IncorrectInstanceState"
    (ended,) = instances(ec2, InstanceIds=[instance])
    assert ended.get("VpcId") is None and ended["NetworkInterfaces"] == []


def test_a_route_is_a_black_hole_while_its_instance_is_stopped_and_for_ever_when_it_has_ended(ec2, table, workers):
    instance = workers["worker-0"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.200.0.0/24", InstanceId=instance)
    seen = []
    for step in (ec2.stop_instances, ec2.start_instances, ec2.terminate_instances):
        step(InstanceIds=[instance])
        seen.append(routes(ec2, table)["10.200.0.0/24"]["State"])
    assert seen == ["blackhole", "active", "blackhole"]
    chosen = ec2.describe_route_tables(Filters=[{"Name": "route.state", "Values": ["blackhole"]}])["RouteTables"]
    assert [one["RouteTableId"] for one in chosen] == [table]


def test_run_instances_takes_address_tags_user_data_and_count(ec2, table):
    subnet = describe_table(ec2, table)["Associations"][0]["SubnetId"]
    one = launch(ec2, "chosen", SubnetId=subnet, PrivateIpAddress="10.240.0.99", UserData="pod-cidr=10.200.9.0/24")
    (shown,) = instances(ec2, InstanceIds=[one])
    assert shown["PrivateIpAddress"] == "10.240.0.99"
    assert tags(shown) == {"Name": "chosen"}
    data = ec2.describe_instance_attribute(InstanceId=one, Attribute="userData")["UserData"]["Value"]
    assert base64.b64decode(data) == b"pod-cidr=10.200.9.0/24"
    launch(ec2, "many", MinCount=3, MaxCount=3)
    assert len(instances(ec2, Filters=by_tag("Name", "many"))) == 3
    assert len({instance["PrivateIpAddress"] for instance in instances(ec2)}) == 7
    taken = {"ImageId": "ami-12345678", "MinCount": 1, "MaxCount": 1, "SubnetId": subnet}
    assert refused(ec2.run_instances, **taken, PrivateIpAddress="10.240.0.99")[0] == "InvalidIPAddress.InUse"


def test_instances_of_one_launch_share_a_reservation(ec2):
    launch(ec2, "many", MinCount=3, MaxCount=3)
    reservations = ec2.describe_instances(Filters=by_tag("Name", "many"))["Reservations"]
    assert [len(reservation["Instances"]) for reservation in reservations] == [3]


def test_user_data_of_a_worker_tells_its_range_and_absent_user_data_is_empty(ec2, workers):
    ask = {"InstanceId": workers["worker-2"], "Attribute": "userData"}
    data = ec2.describe_instance_attribute(**ask)["UserData"]["Value"]
    assert base64.b64decode(data) == b"name=worker-2|pod-cidr=10.200.2.0/24"
    bare = launch(ec2, "bare")
    assert ec2.describe_instance_attribute(InstanceId=bare, Attribute="userData")["UserData"] == {}


def test_the_source_dest_check_of_instance_and_interface_agree(ec2, workers):
    instance = workers["worker-0"]

    def shown():
        (described,) = instances(ec2, InstanceIds=[instance])
        attribute = ec2.describe_instance_attribute(InstanceId=instance, Attribute="sourceDestCheck")
        return [
            described["SourceDestCheck"],
            described["NetworkInterfaces"][0]["SourceDestCheck"],
            attribute["SourceDestCheck"]["Value"],
        ]

    assert shown() == [True] * 3
    ec2.modify_instance_attribute(InstanceId=instance, SourceDestCheck={"Value": False})
    assert shown() == [False] * 3
    (described,) = instances(ec2, InstanceIds=[instance])
    interface = described["NetworkInterfaces"][0]["NetworkInterfaceId"]
    ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, SourceDestCheck={"Value": True})
    assert shown() == [True] * 3


# Tags


def test_tags_are_set_overwritten_filtered_described_and_deleted(ec2, table):
    ec2.create_tags(Resources=[table], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}])
    ec2.create_tags(Resources=[table], Tags=[{"Key": "a", "Value": "2"}])
    assert tags(describe_table(ec2, table)) == {"Name": "kubernetes", "a": "2", "b": ""}
    described = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [table]}])["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in described} == {"Name": "kubernetes", "a": "2", "b": ""}
    assert {tag["ResourceType"] for tag in described} == {"route-table"}
    ec2.delete_tags(Resources=[table], Tags=[{"Key": "a", "Value": "1"}])
    assert "a" in tags(describe_table(ec2, table)), "a value that does not match keeps the tag"
    ec2.delete_tags(Resources=[table], Tags=[{"Key": "a", "Value": "2"}, {"Key": "b"}])
    assert tags(describe_table(ec2, table)) == {"Name": "kubernetes"}
    unknown = {"Resources": [f"rtb-{UNKNOWN}"], "Tags": [{"Key": "a", "Value": "1"}]}
    assert refused(ec2.create_tags, **unknown)[0].endswith(".NotFound")


# Trouble on demand


def test_a_client_that_retries_lives_through_throttling_and_every_attempt_is_counted(lab, table):
    patient = client(lab, attempts=4)
    post(f"{lab.endpoint}/_lab/reset")
    fault(lab, action="DescribeRouteTables", times=2, kind="throttle")
    assert patient.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    assert calls(lab) == {"DescribeRouteTables": 3}
    fault(lab, action="DescribeRouteTables", times=1, kind="throttle")
    assert refused(client(lab).describe_route_tables)[:2] == ("RequestLimitExceeded", 503)


@pytest.mark.parametrize("kind", ["drop-after", "server-error-after"])
def test_a_create_whose_answer_is_lost_comes_back_as_already_there(lab, ec2, table, workers, kind):
    fault(lab, action="CreateRoute", times=1, kind=kind)
    code, _, _ = refused(
        client(lab, attempts=2).create_route,
        RouteTableId=table,
        DestinationCidrBlock="10.200.0.0/24",
        InstanceId=workers["worker-0"],
    )
    assert code == "RouteAlreadyExists"
    assert "10.200.0.0/24" in routes(ec2, table)


def test_a_lab_with_the_published_buckets_throttles_whoever_does_not_wait(kroutes_binary, environment, tmp_path):
    topology = tmp_path / "buckets.toml"
    topology.write_text(TOPOLOGY)
    with servers.lab(kroutes_binary, topology, environment, "--lab-throttle") as strict:
        ec2 = client(strict)
        # "Request throttling for the Amazon EC2 API": a mutating action's bucket holds 50.
        seen = []
        for _ in range(80):
            try:
                ec2.delete_route(RouteTableId=f"rtb-{UNKNOWN}", DestinationCidrBlock="10.200.0.0/24")
            except ClientError as error:
                seen.append(error.response["Error"]["Code"])
        assert seen[:50] == ["InvalidRouteTableID.NotFound"] * 50
        assert "RequestLimitExceeded" in seen[50:]


# kroutes beside other people's programs


def test_kroutes_leaves_the_routes_of_a_boto3_program_alone(lab, ec2, kroutes, table):
    bystander = launch(ec2, "bystander")
    for destination in ("10.0.0.0/8", "192.168.0.0/16"):
        ec2.create_route(RouteTableId=table, DestinationCidrBlock=destination, InstanceId=bystander)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.200.64.0/24", NatGatewayId=f"nat-{UNKNOWN}")
    before = describe_table(ec2, table)
    kroutes("apply")
    kroutes("apply", "--prune", "--yes")
    kept = describe_table(ec2, table)["Routes"]
    assert [route for route in before["Routes"] if route not in kept] == []
    kroutes("destroy", "--yes")
    assert describe_table(ec2, table) == before
