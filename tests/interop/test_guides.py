"""The published labs from their files in `config/`: the commands with which each has its reader look, typed as it has them.

Each guide makes its routes by hand; here one `kroutes` makes them. What the reader sees afterwards has to be the same.
"""

import json
import re
import shutil

import pytest

from compute import Compute
from guides import table

ACCOUNT = "123456789012"
RANGES = [f"10.200.{number}.0/24" for number in range(3)]
NAMES = [f"kubernetes-route-10-200-{number}-0-24" for number in range(3)]

needs_gcloud = pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not installed")


def test_the_first_edition_on_aws_finds_its_table_and_its_machines_by_name(follow):
    with follow("hard-way-2016.toml") as lab:
        lab.kroutes()
        for number, destination in enumerate(RANGES):
            machine = lab.shell(
                f'aws ec2 describe-instances --filters "Name=tag:Name,Values=worker{number}" '
                "--query 'Reservations[].Instances[].InstanceId' --output text"
            ).strip()
            shown = lab.shell(
                'aws ec2 describe-route-tables --filters "Name=tag:Name,Values=kubernetes" '
                f"--query 'RouteTables[0].Routes[?DestinationCidrBlock==`{destination}`].InstanceId' --output text"
            )
            assert shown.strip() == machine


def test_the_cloudformation_edition_shows_its_outputs_and_five_rows(follow):
    with follow("hard-way-cloudformation.toml") as lab:
        lab.kroutes()
        workers = {}
        for stack in ("hard-k8s-network", "hard-k8s-instances"):
            outputs = f"aws cloudformation describe-stacks --stack-name {stack} --query 'Stacks[0].Outputs'"
            workers |= {one["ExportName"]: one["OutputValue"] for one in json.loads(lab.shell(outputs))}
            assert "OutputKey" in lab.shell(f"{outputs} --output table")
        rows = table(
            lab.shell(
                f"aws ec2 describe-route-tables --route-table-ids {workers['hard-k8s-rtb']} "
                "--query 'RouteTables[0].Routes[].[DestinationCidrBlock,InstanceId,GatewayId]' --output table"
            )
        )
        expected = [[RANGES[number], workers[f"hard-k8s-worker-{number}"], "None"] for number in range(3)]
        assert [row for row in rows if row[1] != "None"] == expected
        others = sorted((row for row in rows if row[1] == "None"), key=lambda row: row[2])
        assert len(rows) == 5 and others[1] == ["10.240.0.0/16", "None", "local"]
        assert others[0][0] == "0.0.0.0/0" and re.fullmatch("igw-[0-9a-f]+", others[0][2])


def test_the_cloudformation_edition_by_the_stack_of_its_own_chapter_leaves_only_the_checks(follow):
    """The chapter's own template, as a reader writes it; kroutes finds its routes and has nothing to add."""
    written = "AWSTemplateFormatVersion: '2010-09-09'\nResources:\n"
    for number, destination in enumerate(RANGES):
        written += (
            f"  RouteWorker{number}:\n    Type: AWS::EC2::Route\n    Properties:\n"
            f"      DestinationCidrBlock: {destination}\n"
            "      RouteTableId: !ImportValue hard-k8s-rtb\n"
            f"      InstanceId: !ImportValue hard-k8s-worker-{number}\n"
        )
    with follow("hard-way-cloudformation.toml") as lab:
        lab.put("routes.yml", written)
        lab.shell("aws cloudformation create-stack --stack-name routes --template-body file://routes.yml")
        summary = lab.kroutes.json("plan")["summary"]
        assert (summary["create"], summary["unchanged"], summary["fix"]) == (0, 3, 3)


def test_the_user_data_editions_tell_each_worker_and_show_whole_routes(follow):
    with follow("hard-way-user-data.toml") as lab:
        done = lab.kroutes()
        told = [line for line in done.stderr.splitlines() if re.match(r"[0-9.]+ [0-9./]+$", line)]
        assert told == [f"10.240.0.{20 + number} {destination}" for number, destination in enumerate(RANGES)]
        for number, destination in enumerate(RANGES):
            machine = lab.shell(
                f'aws ec2 describe-instances --filters "Name=tag:Name,Values=worker-{number}" '
                '"Name=instance-state-name,Values=running" --query "Reservations[0].Instances[0].InstanceId" --output text'
            ).strip()
            user_data = lab.shell(
                f"aws ec2 describe-instance-attribute --instance-id {machine} --attribute userData "
                "--query UserData.Value --output text | base64 --decode | tr '|' '\\n' | grep '^pod-cidr' | cut -d= -f2"
            )
            assert user_data.strip() == destination
            routes = json.loads(
                lab.shell(
                    'aws ec2 describe-route-tables --filters "Name=tag:Name,Values=kubernetes" '
                    "--query 'RouteTables[].Routes'"
                )
            )
            (shown,) = [route for route in routes[0] if route.get("InstanceId") == machine]
            interface = shown.pop("NetworkInterfaceId")
            assert re.fullmatch("eni-[0-9a-f]+", interface)
            assert shown == {
                "DestinationCidrBlock": destination,
                "InstanceId": machine,
                "InstanceOwnerId": ACCOUNT,
                "Origin": "CreateRoute",
                "State": "active",
            }


def google(lab, network):
    """Name, range and next hop of the routes of a network that lead to addresses, by Google's own library."""
    routes = Compute(lab.lab.endpoint, lab.lab.environment).routes_by_name()
    links = {name: route for name, route in routes.items() if route.network.endswith(f"/global/networks/{network}")}
    return {name: (route.dest_range, route.next_hop_ip) for name, route in links.items() if route.next_hop_ip}


GOOGLE = [
    ("hard-way-nodes.toml", "kubernetes", 30, NAMES),
    ("hard-way-2016.toml", "kubernetes", 30, NAMES),
    ("hard-way-gcp.toml", "kubernetes-the-hard-way", 20, NAMES),
    (
        "hard-way-user-data.toml",
        "kubernetes-the-hard-way",
        20,
        [name.replace("kubernetes-", "kubernetes-the-hard-way-", 1) for name in NAMES],
    ),
]


@pytest.mark.parametrize(("file", "network", "first", "names"), GOOGLE, ids=[row[0] for row in GOOGLE])
def test_the_editions_on_google_cloud_have_the_routes_of_the_guide(follow, file, network, first, names):
    with follow(file, "gcp") as lab:
        lab.kroutes()
        hops = [(destination, f"10.240.0.{first + number}") for number, destination in enumerate(RANGES)]
        assert google(lab, network) == dict(zip(names, hops, strict=True))


@needs_gcloud
@pytest.mark.parametrize(("file", "network", "first", "names"), GOOGLE, ids=[row[0] for row in GOOGLE])
def test_gcloud_lists_them_as_the_guide_does(follow, file, network, first, names):
    with follow(file, "gcp") as lab:
        lab.kroutes()
        lines = lab.shell(f'gcloud compute routes list --filter "network: {network}"').splitlines()
        assert lines[0].split() == ["NAME", "NETWORK", "DEST_RANGE", "NEXT_HOP", "PRIORITY"]
        expected = [
            [name, network, destination, f"10.240.0.{first + number}", "1000"]
            for number, (name, destination) in enumerate(zip(names, RANGES, strict=True))
        ]
        assert [row for row in map(str.split, lines[1:]) if row[2].startswith("10.200.")] == expected
