"""boto3 against `kroutes lab`: pages, filters, regions, and what is described around the workers.

kroutes stands on complete listings: one page that is lost or one filter that is read wrongly, and a route of somebody's
would be taken for nobody's. The rules are those of "Find your Amazon EC2 resources" and of each Describe action.
"""

import pytest

from support import UNKNOWN, by_tag, client, describe_table, instances, launch, named, refused


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
    ("route.instance-id", "{worker}", True),
    ("route.instance-id", f"i-{UNKNOWN}", False),
    ("route.destination-cidr-block", "10.200.*", True),
    ("route.state", "blackhole", False),
    ("route.origin", "CreateRoute", True),
    ("route.gateway-id", "igw-*", True),
    ("association.subnet-id", "{subnet}", True),
    ("association.main", "false", True),
    ("association.main", "true", False),
    ("vpc-id", "{vpc}", True),
    ("route-table-id", "{table}", True),
    ("owner-id", "{owner}", True),
]


@pytest.mark.parametrize(("name", "value", "matches"), TABLE_FILTERS)
def test_filters_of_route_tables_choose_whole_tables(ec2, table, workers, name, value, matches):
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.200.0.0/24", InstanceId=workers["worker-0"])
    shown = describe_table(ec2, table)
    seen = {
        "worker": workers["worker-0"],
        "subnet": shown["Associations"][0]["SubnetId"],
        "vpc": shown["VpcId"],
        "table": table,
        "owner": shown["OwnerId"],
    }
    chosen = ec2.describe_route_tables(Filters=[{"Name": name, "Values": [value.format(**seen)]}])["RouteTables"]
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
    assert subnet["VpcId"] == vpc
    assert subnet["State"] == "available"
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
