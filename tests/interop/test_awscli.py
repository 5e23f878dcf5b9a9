"""The aws command against `kroutes lab`, and kroutes beside it: what somebody who learns does in two terminals.

The environment is the one that the lab's own `export` lines make, so these tests also say that pasting them works.
"""

import base64
import json
import re
import shlex

import pytest

import servers
from conftest import TOPOLOGY

AWS = servers.BIN / "aws"


class Aws:
    """Runs `aws ec2 …` in the lab's environment."""

    def __init__(self, environment):
        self.environment = environment

    def __call__(self, *arguments, expect=0):
        done = servers.run([AWS, *arguments], self.environment)
        said = f"$ aws {shlex.join(arguments)}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == expect, f"exit {done.returncode} instead of {expect}\n{said}"
        return done

    def ec2(self, *arguments):
        """One command and its answer, parsed."""
        text = self("ec2", *arguments, "--output", "json").stdout
        return json.loads(text) if text.strip() else None

    def text(self, *arguments):
        """One command and its answer as words."""
        return self("ec2", *arguments, "--output", "text").stdout.split()

    def routes(self, table):
        """Destination, instance and state of the routes inside the cluster."""
        query = "RouteTables[0].Routes[?starts_with(DestinationCidrBlock, `10.200.`)]"
        query += ".[DestinationCidrBlock, InstanceId, State]"
        return sorted(self.ec2("describe-route-tables", "--route-table-ids", table, "--query", query))


@pytest.fixture
def aws(lab):
    return Aws(lab.environment)


@pytest.fixture
def rtb(aws):
    """The guide's table, found as the guide finds it."""
    query = "RouteTables[0].RouteTableId"
    (found,) = aws.text("describe-route-tables", "--filters", "Name=tag:Name,Values=kubernetes", "--query", query)
    return found


def instance(aws, name):
    """The live instance of that name."""
    found = aws.text(
        "describe-instances",
        "--filters",
        f"Name=tag:Name,Values={name}",
        "Name=instance-state-name,Values=running",
        "--query",
        "Reservations[].Instances[].InstanceId",
    )
    assert len(found) == 1, found
    return found[0]


def test_the_table_before_and_after_kroutes(aws, rtb, kroutes):
    before = aws.ec2("describe-route-tables")
    assert aws.routes(rtb) == []
    kroutes()
    workers = [instance(aws, f"worker-{number}") for number in range(3)]
    assert aws.routes(rtb) == [[f"10.200.{n}.0/24", workers[n], "active"] for n in range(3)]
    kroutes("destroy", "--yes")
    assert aws.ec2("describe-route-tables") == before


def test_a_table_for_people_shows_the_routes(aws, rtb, kroutes):
    kroutes()
    shown = aws("ec2", "describe-route-tables", "--route-table-ids", rtb, "--output", "table").stdout
    assert "DescribeRouteTables" in shown
    for word in ("10.200.0.0/24", "CreateRoute", "active", instance(aws, "worker-0"), "eni-", "Associations"):
        assert word in shown, f"{word} is not in\n{shown}"


def test_routes_made_moved_and_deleted_by_hand(aws, rtb):
    first, second = instance(aws, "worker-0"), instance(aws, "worker-1")
    where = ["--route-table-id", rtb, "--destination-cidr-block", "10.200.0.0/24"]
    assert aws.ec2("create-route", *where, "--instance-id", first) == {"Return": True}
    assert aws.routes(rtb) == [["10.200.0.0/24", first, "active"]]
    assert aws("ec2", "replace-route", *where, "--instance-id", second)
    assert aws.routes(rtb) == [["10.200.0.0/24", second, "active"]]
    assert aws("ec2", "delete-route", *where)
    assert aws.routes(rtb) == []


def test_refusals_come_with_code_operation_and_exit_code(aws, rtb):
    where = ["--route-table-id", rtb, "--destination-cidr-block"]
    rows = [
        (["create-route", *where, "0.0.0.0/0", "--instance-id", instance(aws, "worker-0")], "RouteAlreadyExists"),
        (
            ["create-route", *where, "10.200.0.0/24", "--instance-id", "i-0123456789abcdef0"],
            "InvalidInstanceID.NotFound",
        ),
        (["replace-route", *where, "10.200.9.0/24", "--gateway-id", "vgw-01234567"], "InvalidParameterValue"),
        (["delete-route", *where, "10.200.9.0/24"], "InvalidRoute.NotFound"),
        (["delete-route", *where, "0.0.0.0/0", "--dry-run"], "DryRunOperation"),
        (["describe-volumes"], "InvalidAction"),
    ]
    for arguments, code in rows:
        said = aws("ec2", *arguments, expect=255).stderr
        assert f"An error occurred ({code}) when calling the" in said


def test_a_route_made_by_hand_to_a_worker_is_as_good_as_our_own(aws, rtb, kroutes):
    worker = instance(aws, "worker-0")
    aws.ec2(
        "create-route", "--route-table-id", rtb, "--destination-cidr-block", "10.200.0.7/24", "--instance-id", worker
    )
    planned = kroutes.json("plan")
    assert (planned["summary"]["create"], planned["summary"]["unchanged"]) == (2, 1)


def test_a_worker_that_is_replaced_by_hand_leaves_a_black_hole_that_kroutes_repairs(aws, rtb, kroutes):
    kroutes()
    old = instance(aws, "worker-1")
    aws.ec2("terminate-instances", "--instance-ids", old)
    aws("ec2", "wait", "instance-terminated", "--instance-ids", old)
    assert aws.routes(rtb)[1] == ["10.200.1.0/24", old, "blackhole"]
    kroutes("verify", expect=1)

    tags = "ResourceType=instance,Tags=[{Key=Name,Value=worker-1}]"
    launched = aws.ec2(
        "run-instances",
        "--image-id",
        "ami-12345678",
        "--instance-type",
        "t3.micro",
        "--count",
        "1",
        "--private-ip-address",
        "10.240.0.21",
        "--tag-specifications",
        tags,
    )
    new = launched["Instances"][0]["InstanceId"]
    aws("ec2", "wait", "instance-running", "--instance-ids", new)
    kroutes("verify", expect=2)
    kroutes("apply", expect=3)
    assert aws.routes(rtb)[1] == ["10.200.1.0/24", old, "blackhole"], "without a yes nothing is replaced"
    done = kroutes.json("apply", "--yes")
    assert [change["action"] for change in done["tables"][0]["changes"]] == ["replace"]
    assert aws.routes(rtb)[1] == ["10.200.1.0/24", new, "active"]
    checks = aws.text(
        "describe-instances", "--filters", "Name=source-dest-check,Values=false", "--query", "length(Reservations[])"
    )
    assert checks == ["3"], "the new machine's source/dest check is off as well"
    kroutes("verify")


def test_user_data_and_attributes_are_read_as_in_the_guide(aws):
    worker = instance(aws, "worker-2")
    query = ["--attribute", "userData", "--query", "UserData.Value"]
    (data,) = aws.text("describe-instance-attribute", "--instance-id", worker, *query)
    assert base64.b64decode(data) == b"name=worker-2|pod-cidr=10.200.2.0/24"
    aws("ec2", "modify-instance-attribute", "--instance-id", worker, "--no-source-dest-check")
    (check,) = aws.text(
        "describe-instances", "--instance-ids", worker, "--query", "Reservations[].Instances[].SourceDestCheck"
    )
    assert check == "False"


def test_tags_are_set_and_shown_by_the_aws_command(aws, rtb):
    aws("ec2", "create-tags", "--resources", rtb, "--tags", "Key=team,Value=network")
    shown = aws.ec2("describe-tags", "--filters", f"Name=resource-id,Values={rtb}", "--query", "Tags[].[Key,Value]")
    assert ["team", "network"] in shown
    aws("ec2", "delete-tags", "--resources", rtb, "--tags", "Key=team")
    assert aws.text("describe-tags", "--filters", "Name=key,Values=team") == []


def test_pages_are_followed_by_the_aws_command(aws, rtb):
    vpc = aws.ec2("describe-vpcs")["Vpcs"][0]["VpcId"]
    for _ in range(6):
        aws("ec2", "create-route-table", "--vpc-id", vpc)
    whole = aws.ec2("describe-route-tables", "--query", "RouteTables[].RouteTableId")
    assert len(whole) == 8
    assert aws.ec2("describe-route-tables", "--page-size", "5", "--query", "RouteTables[].RouteTableId") == whole
    first = aws.ec2("describe-route-tables", "--max-items", "5")
    rest = aws.ec2("describe-route-tables", "--starting-token", first["NextToken"])
    assert [one["RouteTableId"] for page in (first, rest) for one in page["RouteTables"]] == whole


def test_the_command_that_a_refusal_names_removes_the_claim_that_stood_in_the_way(aws, rtb, kroutes):
    aws("ec2", "create-tags", "--resources", rtb, "--tags", "Key=kroutes/other,Value=10.200.0.0/20")
    refused = kroutes("apply", expect=3)
    assert aws.routes(rtb) == [], "nothing was written"
    (command,) = re.findall(r"aws (ec2 delete-tags .+)", refused.stderr)
    aws(*shlex.split(command))
    kroutes("apply")
    assert len(aws.routes(rtb)) == 3


def test_the_claim_is_a_tag_that_anybody_can_read_and_goes_with_destroy(aws, rtb, kroutes):
    def claims():
        return aws.text(
            "describe-tags", "--filters", "Name=key,Values=kroutes/*", "--query", "Tags[].[ResourceId,Key,Value]"
        )

    kroutes()
    assert claims() == [rtb, "kroutes/kubernetes", "10.200.0.0/16"]
    kroutes("destroy", "--yes")
    assert claims() == []


def test_kroutes_and_the_aws_command_agree_on_which_account_and_region_this_is(aws, rtb, kroutes, tmp_path):
    account = aws("sts", "get-caller-identity", "--query", "Account", "--output", "text").stdout.strip()
    owner = aws.text("describe-route-tables", "--route-table-ids", rtb, "--query", "RouteTables[0].OwnerId")
    assert owner == [account]
    elsewhere = tmp_path / "elsewhere.toml"
    elsewhere.write_text(TOPOLOGY.replace('region = "us-west-2"', 'region = "eu-north-1"'))
    said = kroutes("plan", expect=1, topology=elsewhere)
    assert "eu-north-1" in said.stdout + said.stderr, "a wrong region is named where nothing is found"
