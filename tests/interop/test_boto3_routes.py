"""boto3 against `kroutes lab`: route tables, routes, and every refusal by its exact code.

The lab is a model, and a model is worth what a stranger's client makes of it. So these tests say what the EC2 documents
promise (API Reference, "Error codes for the Amazon EC2 API") and let botocore's own parser judge.
"""

import boto3
import pytest

from support import UNKNOWN, describe_table, fault, instances, launch, named, refused, routes, tags


def test_a_route_table_is_described_with_every_member(ec2, table):
    shown = describe_table(ec2, table)
    assert shown.keys() == {
        "Associations",
        "OwnerId",
        "PropagatingVgws",
        "RouteTableId",
        "Routes",
        "Tags",
        "VpcId",
    }
    assert len(shown["OwnerId"]) == 12
    assert shown["OwnerId"].isdigit()
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
        {
            "DestinationCidrBlock": "10.240.7.0/24",
            "InstanceId": None,
            "VpcPeeringConnectionId": "pcx-0123456789abcdef0",
        },
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
    (
        "the range that EC2 keeps for itself",
        {"DestinationCidrBlock": "169.254.169.0/24"},
        ("InvalidParameterValue", 400, None),
    ),
]


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
        (
            ec2.describe_internet_gateways,
            {"InternetGatewayIds": [f"igw-{UNKNOWN}"]},
            "InvalidInternetGatewayID.NotFound",
        ),
        (
            ec2.describe_network_interfaces,
            {"NetworkInterfaceIds": [f"eni-{UNKNOWN}"]},
            "InvalidNetworkInterfaceID.NotFound",
        ),
    ]:
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
