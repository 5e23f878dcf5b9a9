"""What `kroutes export` prints, run: afterwards `kroutes plan` finds nothing to do.

The commands and the template are judged by whose words they are: the aws command, gcloud, CloudFormation's linter, a
Linux kernel.
"""

import json
import shutil
import subprocess
import tomllib

import pytest

import servers
from guides import CONFIG, Shell
from support import Kroutes

PREFIX = ("unshare", "--map-root-user", "--net")
ROUTER = """\
ip link add router type veth peer name outside
ip link set outside up
ip link set router up
ip address add 10.240.0.1/24 dev router
ip -6 address add fd00:10:240::1/64 dev router nodad
"""

needs_gcloud = pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not installed")


def no_router():
    """Why there cannot be a network of a test's own here, if so."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return "there is no unshare or no ip here"
    done = subprocess.run([*PREFIX, "sh", "-ec", ROUTER], capture_output=True, text=True, check=False)
    return f"no network of our own: {done.stderr.strip()}" if done.returncode else None


AWS_FILES = [
    "kroutes.toml",
    "hard-way-2016.toml",
    "hard-way-cloudformation.toml",
    "hard-way-user-data.toml",
    "several-tables.toml",
    "dual-stack.toml",
]
GCP_FILES = ["kroutes.toml", "hard-way-nodes.toml", "hard-way-gcp.toml", "hard-way-user-data.toml"]


def is_empty(kroutes, unchanged):
    """That nothing is left to do, and that this is not because nothing was wanted."""
    planned = kroutes.json("plan", "--detailed-exitcode")
    summary = planned["summary"]
    assert (summary["create"], summary["replace"], summary["delete"], summary["fix"]) == (0, 0, 0, 0)
    assert summary["unchanged"] == unchanged


@pytest.mark.parametrize("file", AWS_FILES)
def test_a_shell_that_runs_the_aws_commands_leaves_nothing_to_do(follow, file):
    with follow(file) as lab:
        wanted = lab.kroutes.json("plan", "--detailed-exitcode", expect=2)["summary"]["create"]
        assert wanted >= 3
        lines = lab.export("aws-cli")
        assert lines == lab.kroutes("export").stdout, "they are what aws is exported as when nobody says"
        assert lines.count("create-route") == wanted
        lab.shell(lines)
        is_empty(lab.kroutes, wanted)
        lab.kroutes("verify")


def test_a_source_dest_check_that_the_topology_leaves_alone_is_left_alone(follow, tmp_path):
    text = (CONFIG / "hard-way-2016.toml").read_text()
    leaving = tmp_path / "leaving.toml"
    leaving.write_text(text.replace("[aws]\n", '[aws]\nsource-dest-check = "leave"\n'))
    with follow(leaving) as lab:
        lines = lab.export("aws-cli")
        assert "source-dest-check" not in lines
        lab.shell(lines)
        is_empty(lab.kroutes, 3)


@pytest.mark.parametrize("file", AWS_FILES)
def test_the_template_passes_the_linter_without_a_word(follow, file):
    with follow(file) as lab:
        lab.put("template.yml", lab.export("cloudformation"))
        assert lab.shell("cfn-lint --include-checks I --regions us-east-1 us-west-2 eu-west-1 -- template.yml") == ""


@pytest.mark.parametrize("file", AWS_FILES)
def test_a_stack_of_the_template_leaves_only_the_source_dest_checks(follow, file):
    with follow(file) as lab:
        before = lab.kroutes.json("plan")["summary"]
        lab.put("template.yml", lab.export("cloudformation"))
        lab.shell(
            "aws cloudformation create-stack --stack-name pod-routes --template-body file://template.yml\n"
            "aws cloudformation wait stack-create-complete --stack-name pod-routes"
        )
        planned = lab.kroutes.json("plan", "--detailed-exitcode", expect=2)
        after = planned["summary"]
        assert (after["create"], after["replace"], after["delete"]) == (0, 0, 0)
        assert (after["unchanged"], after["fix"]) == (before["create"], before["fix"])
        assert {finding["code"] for finding in planned["findings"]} == {"source-dest-check"}
        lab.shell(
            "aws cloudformation delete-stack --stack-name pod-routes\n"
            "aws cloudformation wait stack-delete-complete --stack-name pod-routes"
        )
        assert lab.kroutes.json("plan")["summary"] == before, "the stack has made nothing else"


def test_the_template_of_the_cloudformation_edition_imports_what_other_stacks_export(follow):
    with follow("hard-way-cloudformation.toml") as lab:
        text = lab.export("cloudformation")
        assert text.count('RouteTableId: !ImportValue "hard-k8s-rtb"\n') == 3
        for number in range(3):
            assert f'DestinationCidrBlock: "10.200.{number}.0/24"\n' in text
            assert f'InstanceId: !ImportValue "hard-k8s-worker-{number}"\n' in text
        assert "rtb-" not in text and "i-0" not in text, "it works in any account that has these exports"


@needs_gcloud
@pytest.mark.parametrize("file", GCP_FILES)
def test_a_shell_that_runs_the_gcloud_commands_leaves_nothing_to_do(follow, file):
    with follow(file, "gcp") as lab:
        lines = lab.export("gcloud")
        assert lines == lab.kroutes("export").stdout and lines.count("gcloud compute routes create") == 3
        lab.shell(lines)
        is_empty(lab.kroutes, 3)
        lab.kroutes("verify")
        done = lab.kroutes.json("destroy", "--yes")["summary"]
        assert done["done"] == 3, "they bear our mark, so they are ours"


@needs_gcloud
def test_names_that_google_would_not_take_and_another_priority_survive_the_shell(follow, tmp_path):
    text = (CONFIG / "hard-way-gcp.toml").read_text()
    text = text.replace('"kubernetes-route-{destination}"', '"{cluster}-{destination}"\npriority = 500')
    odd = tmp_path / "odd.toml"
    odd.write_text(text.replace('name = "kubernetes-the-hard-way"', 'name = "Prod.EU_1"'))
    with follow(odd, "gcp") as lab:
        lab.shell(lab.export("gcloud"))
        is_empty(lab.kroutes, 3)


@pytest.mark.parametrize("file", ["on-premises.toml", "hard-way-2016.toml", "dual-stack.toml"])
def test_a_linux_router_takes_the_ip_commands(kroutes_binary, environment, file):
    lines = servers.run(
        [kroutes_binary, "export", "--format", "ip-route", "--file", CONFIG / file], environment
    ).stdout
    assert lines.startswith("ip route add 10.")
    reason = no_router()
    if reason:
        pytest.skip(reason)
    # A reader's PATH may lack what only root has use for.
    shell = Shell(environment | {"PATH": f"{environment['PATH']}:/usr/sbin:/sbin"})
    shown = shell(f"{ROUTER}{lines}ip -json route; ip -json -6 route", prefix=PREFIX)
    routes = [route for line in shown.splitlines() for route in json.loads(line) if "gateway" in route]
    wanted = []
    for worker in tomllib.loads((CONFIG / file).read_text())["worker"]:
        ranges, addresses = worker["pod-cidr"], worker["address"]
        wanted += [(ranges, addresses)] if isinstance(ranges, str) else zip(ranges, addresses, strict=True)
    assert sorted((route["dst"], route["gateway"]) for route in routes) == sorted(wanted)
    assert {route["dev"] for route in routes} == {"router"}


def test_an_export_in_the_words_of_another_provider_is_refused(kroutes_binary, environment, follow):
    with follow("hard-way-2016.toml") as lab:
        stranger = Kroutes(kroutes_binary, lab.lab.environment, lab.topology, provider="gcp")
        assert "`aws`, and not of `gcp`" in stranger("export", "--format", "aws-cli", expect=64).stderr
