"""boto3 against `kroutes lab`: the lives of instances, attributes, tags, and trouble on demand.

botocore's waiters and retries are judges of their own: they poll and repeat as the documents tell them to, and end well
only where the lab changes state and fails as EC2 does.
"""

import base64

import pytest
from botocore.exceptions import ClientError

import servers
from conftest import TOPOLOGY
from support import (
    UNKNOWN,
    by_tag,
    calls,
    client,
    describe_table,
    fault,
    instances,
    launch,
    post,
    refused,
    routes,
    tags,
)


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
    assert ended.get("VpcId") is None
    assert ended["NetworkInterfaces"] == []


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
