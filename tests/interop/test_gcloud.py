"""gcloud against `kroutes lab`, and kroutes beside it: what somebody who follows the guide does in two terminals.

The environment is the one that the lab's own `export` lines make, so these tests also say that pasting them works. Each
run of gcloud takes a second, so a test asks for much at once.
"""

import json
import shlex
import shutil

import pytest

import servers
from support import fault

GCLOUD = shutil.which("gcloud")

pytestmark = pytest.mark.skipif(GCLOUD is None, reason="gcloud is not installed")

NAMES = [f"kubernetes-route-10-200-{number}-0-24" for number in range(3)]


class Gcloud:
    """Runs `gcloud compute …` in the lab's environment."""

    def __init__(self, environment):
        self.environment = environment

    def __call__(self, *arguments, expect=0):
        command = [GCLOUD, "compute", *arguments]
        done = servers.run(command, self.environment)
        said = f"$ {shlex.join(command)}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == expect, f"exit {done.returncode} instead of {expect}\n{said}"
        assert "Traceback" not in done.stderr and "gcloud crashed" not in done.stderr, said
        return done

    def json(self, *arguments):
        """The same with `--format=json`, parsed."""
        return json.loads(self(*arguments, "--format=json").stdout)

    def values(self, *arguments, fields):
        """The lines of `--format=value(…)`, each cut into its fields."""
        return [line.split("\t") for line in self(*arguments, f"--format=value({fields})").stdout.splitlines()]

    def create(self, name, number, *more, expect=0):
        """A route as the guide has it made: for one worker, by its address."""
        return self(
            *("routes", "create", name, "--network=kubernetes"),
            *(f"--next-hop-address=10.240.0.{20 + number}", f"--destination-range=10.200.{number}.0/24"),
            *more,
            expect=expect,
        )


@pytest.fixture
def gcloud(gcp_environment):
    return Gcloud(gcp_environment)


def test_a_route_is_created_described_and_deleted(gcloud):
    before = gcloud.json("routes", "list")
    done = gcloud.create(NAMES[0], 0)
    assert done.stdout.splitlines()[1].split() == [NAMES[0], "kubernetes", "10.200.0.0/24", "10.240.0.20", "1000"]
    assert f"projects/the-hard-way/global/routes/{NAMES[0]}]" in done.stderr
    shown = gcloud.json("routes", "describe", NAMES[0])
    assert (shown["kind"], shown["destRange"], shown["nextHopIp"]) == ("compute#route", "10.200.0.0/24", "10.240.0.20")
    assert (shown["priority"], shown["routeType"], shown.get("description", "")) == (1000, "STATIC", "")
    done = gcloud("routes", "delete", NAMES[0])
    assert done.stderr.startswith("Deleted [https://")
    assert gcloud.json("routes", "list") == before


def test_two_routes_are_deleted_at_once_and_one_that_is_not_there_is_told(gcloud, watched):
    for number in (0, 1, 2):
        gcloud.create(NAMES[number], number)
    asked = len(watched.exchanges)
    done = gcloud("routes", "delete", NAMES[0], NAMES[1])
    assert done.stderr.count("Deleted [") == 2
    assert sum(one.verb == "DELETE" for one in watched.exchanges[asked:]) == 2
    done = gcloud("routes", "delete", NAMES[0], NAMES[2], expect=1)
    assert f"The resource 'projects/the-hard-way/global/routes/{NAMES[0]}' was not found" in done.stderr
    assert gcloud.values("routes", "list", "--filter=name~^kubernetes-route", fields="name") == []


def test_routes_are_listed_filtered_and_sorted(gcloud, compute):
    compute.insert("by-hand-0", "10.200.0.0/24")
    compute.insert("by-hand-1", "10.200.1.0/24", next_hop_ip="10.240.0.21", description="spare", priority=900)
    hops = {"fields": "name,nextHopIp,priority"}
    both = [["by-hand-0", "10.240.0.20", "1000"], ["by-hand-1", "10.240.0.21", "900"]]
    assert gcloud.values("routes", "list", "--filter=name~hand", **hops) == both
    assert gcloud.values("routes", "list", "--filter=network=kubernetes AND nextHopIp:*", **hops) == both
    assert gcloud.values("routes", "list", "--filter=network:elsewhere", **hops) == []
    assert gcloud.values("routes", "list", "--filter=name=by-hand-1 OR description=spare", **hops) == both[1:]
    assert gcloud.values("routes", "list", "--filter=name~hand", "--sort-by=~name", "--limit=1", **hops) == both[1:]
    paged = gcloud.values("routes", "list", "--filter=priority>=900", "--page-size=1", fields="destRange")
    assert sorted(paged) == [["0.0.0.0/0"], ["10.200.0.0/24"], ["10.200.1.0/24"]]


def test_instances_and_networks_are_listed(gcloud):
    header, *listed = (line.split() for line in gcloud("instances", "list").stdout.splitlines())
    assert (header[0], header[-1]) == ("NAME", "STATUS")
    assert [(line[0], line[-1]) for line in listed] == [(f"worker-{number}", "RUNNING") for number in range(3)]
    fields = "name,zone.basename(),networkInterfaces[0].networkIP,canIpForward,metadata.items[0].value"
    assert gcloud.values("instances", "list", "--filter=name~worker-[12]", fields=fields) == [
        ["worker-1", "us-west1-b", "10.240.0.21", "True", "10.200.1.0/24"],
        ["worker-2", "us-west1-c", "10.240.0.22", "True", "10.200.2.0/24"],
    ]
    assert gcloud.values("networks", "subnets", "list", fields="network.basename(),ipCidrRange") == [
        ["kubernetes", "10.240.0.0/24"]
    ]


def test_what_is_refused_is_told_with_exit_code_1(gcloud, gcp_lab, compute):
    compute.insert(NAMES[0], "10.200.0.0/24")
    taken = gcloud.create(NAMES[0], 1, expect=1).stderr
    assert f"The resource 'projects/the-hard-way/global/routes/{NAMES[0]}' already exists" in taken
    unknown = gcloud("routes", "describe", "never-was", expect=1).stderr
    assert "The resource 'projects/the-hard-way/global/routes/never-was' was not found" in unknown
    fault(gcp_lab, action="routes.insert", kind="deny", times=1)
    assert "Required 'compute.routes.create' permission for" in gcloud.create("new", 1, expect=1).stderr
    quota = {"status": 403, "code": "QUOTA_EXCEEDED", "message": "Quota 'STATIC_ROUTES_PER_NETWORK' exceeded."}
    fault(gcp_lab, action="routes.insert", kind={"operation-error": quota}, times=1)
    assert quota["message"] in gcloud.create("new", 1, expect=1).stderr
    assert "new" not in compute.routes_by_name()


def test_kroutes_makes_the_routes_of_the_guide_and_gcloud_shows_them(gcloud, gcp_kroutes, compute):
    before = compute.network()
    gcp_kroutes("apply")
    wanted = [[name, f"10.240.0.{20 + number}"] for number, name in enumerate(NAMES)]
    listed = "routes", "list", "--filter=network=kubernetes AND nextHopIp:*"
    assert gcloud.values(*listed, fields="name,nextHopIp") == wanted
    gcloud("routes", "delete", NAMES[1])
    assert gcp_kroutes.json("plan", "--detailed-exitcode", expect=2)["summary"]["create"] == 1
    gcp_kroutes("apply")
    assert gcloud.values(*listed, fields="name,nextHopIp") == wanted
    gcp_kroutes("destroy", "--yes")
    assert compute.network() == before


def test_a_worker_that_gcloud_deletes_is_found_missing_by_kroutes(gcloud, gcp_kroutes):
    gcp_kroutes("apply")
    gcloud("instances", "delete", "worker-0", "--zone=us-west1-a")
    findings = gcp_kroutes.json("verify", expect=2)["findings"]
    assert [finding["worker"] for finding in findings if finding["severity"] == "error"] == ["worker-0"]


def test_a_route_made_by_hand_as_in_the_guide_is_as_wanted_and_is_left_alone(gcloud, gcp_kroutes, compute):
    gcloud.create(NAMES[0], 0)
    gcloud.create("spare", 9)
    before = compute.network()
    done = gcp_kroutes.json("apply", "--prune", "--yes")["summary"]
    assert (done["create"], done["unchanged"], done["delete"], done["foreign"]) == (2, 1, 0, 3)
    assert gcp_kroutes.json("verify")["ok"] is True
    gcp_kroutes("destroy", "--yes")
    assert compute.network() == before
    assert gcloud.values("routes", "list", "--filter=nextHopIp:*", fields="name") == [[NAMES[0]], ["spare"]]
