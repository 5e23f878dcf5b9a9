"""What `doctor` asks, asked by boto3: dry runs and who one is; and `doctor` itself on a server without dry runs.

moto 5.2.1 takes no notice of `DryRun` and carries out what it marks, so what kroutes asks there must do no harm.
"""

import pytest

from support import Kroutes, by_tag, client, describe_table, fault, instances, launch, named, refused

UNKNOWN_TABLE = "rtb-00000000000000000"
UNKNOWN_INSTANCE = "i-00000000000000000"


def writes(ec2, table, instance, interface):
    """Every write that kroutes makes, with its arguments."""
    route = {"RouteTableId": table, "DestinationCidrBlock": "10.200.0.0/24"}
    off = {"SourceDestCheck": {"Value": False}}
    tag = {"Resources": [table], "Tags": [{"Key": "kroutes/kubernetes", "Value": "10.200.0.0/16"}]}
    return [
        (ec2.create_route, route | {"InstanceId": instance}),
        (ec2.replace_route, route | {"InstanceId": instance}),
        (ec2.delete_route, route),
        (ec2.modify_instance_attribute, {"InstanceId": instance} | off),
        (ec2.modify_network_interface_attribute, {"NetworkInterfaceId": interface} | off),
        (ec2.create_tags, tag),
        (ec2.delete_tags, tag),
    ]


@pytest.mark.parametrize("known", [True, False])
def test_a_dry_run_is_judged_by_permission_alone_and_changes_nothing(lab, ec2, table, workers, known):
    instance = workers["worker-0"]
    (described,) = instances(ec2, InstanceIds=[instance])
    interface = described["NetworkInterfaces"][0]["NetworkInterfaceId"]
    before = describe_table(ec2, table), described
    subjects = (table, instance, interface) if known else (UNKNOWN_TABLE, UNKNOWN_INSTANCE, "eni-00000000000000000")
    for call, arguments in writes(ec2, *subjects):
        assert refused(call, DryRun=True, **arguments)[:2] == ("DryRunOperation", 412), call
    fault(lab, kind="deny", times=len(writes(ec2, *subjects)))
    for call, arguments in writes(ec2, *subjects):
        assert refused(call, DryRun=True, **arguments)[:2] == ("UnauthorizedOperation", 403), call
    (described,) = instances(ec2, InstanceIds=[instance])
    assert (describe_table(ec2, table), described) == before


def test_who_one_is_may_be_asked_in_any_region_and_refusals_have_their_codes(lab, ec2, table):
    sts = client(lab, "sts", region="eu-central-1")
    assert sts.get_caller_identity()["Account"] == describe_table(ec2, table)["OwnerId"]
    fault(lab, action="GetCallerIdentity", kind="throttle", times=1)
    assert refused(sts.get_caller_identity)[:2] == ("Throttling", 400)
    expired = {"error": {"status": 403, "code": "ExpiredToken", "message": "The security token is expired"}}
    fault(lab, action="GetCallerIdentity", kind=expired, times=1)
    assert refused(sts.get_caller_identity)[:2] == ("ExpiredToken", 403)


def test_a_server_without_dry_runs_is_asked_for_nothing_that_writes(moto, kroutes_binary, topology):
    ec2 = client(moto)
    vpc = ec2.create_vpc(CidrBlock="10.240.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.240.0.0/24")["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=vpc, TagSpecifications=named("route-table", "kubernetes"))["RouteTable"]
    for index in range(3):
        launch(ec2, f"worker-{index}", SubnetId=subnet, PrivateIpAddress=f"10.240.0.{20 + index}")
    table = table["RouteTableId"]

    def everything():
        machines = instances(ec2, Filters=by_tag("Name", "worker-*"))
        return describe_table(ec2, table), machines, ec2.describe_tags()["Tags"]

    before = everything()
    answer = Kroutes(kroutes_binary, moto.environment, topology).json("doctor")
    assert everything() == before
    checks = {check["name"]: check for check in answer["checks"]}
    assert checks["caller-identity"]["status"] == "pass"
    for action in ("CreateRoute", "ReplaceRoute", "DeleteRoute", "CreateTags", "DeleteTags", "ModifyInstanceAttribute"):
        assert checks[f"ec2:{action}"]["status"] == "warn", checks[f"ec2:{action}"]
        assert "carries out" in checks[f"ec2:{action}"]["message"]
