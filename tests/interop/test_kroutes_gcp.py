"""kroutes on a network that google-cloud-compute looks at and meddles with; and what kroutes sends, judged.

Also `-o json` on Google Cloud against docs/output.schema.json, which is the same for every provider.
"""

import json

import pytest

import servers
from compute import Compute, refused
from conftest import AWS, CLUSTER, GCP, GCP_TOPOLOGY, WORKERS
from support import Kroutes, calls, client, fault, get, validated

MARK = "kroutes cluster=kubernetes"
NAMES = [f"kubernetes-route-10-200-{number}-0-24" for number in range(3)]


@pytest.fixture
def valid(output_schema, gcp_kroutes):
    return validated(output_schema, gcp_kroutes)


def next_hops(compute):
    """Name and next hop of each route that leads to an address."""
    return {name: route.next_hop_ip for name, route in compute.routes_by_name().items() if route.next_hop_ip}


def test_three_routes_come_and_go_and_the_network_is_as_it_was(gcp_kroutes, compute):
    before = compute.network()
    gcp_kroutes("apply")
    assert next_hops(compute) == {name: f"10.240.0.{20 + number}" for number, name in enumerate(NAMES)}
    made = compute.routes_by_name()
    assert {(made[name].description, made[name].priority) for name in NAMES} == {(MARK, 1000)}
    gcp_kroutes("verify")
    gcp_kroutes("destroy", "--yes")
    assert compute.network() == before


def test_what_kroutes_sends_is_what_googles_document_knows(gcp_kroutes, watched, compute):
    for command in (["apply"], ["verify"], ["routes"], ["destroy", "--yes"]):
        gcp_kroutes(*command)
    asked = watched.asked()
    assert watched.request_faults() == []
    assert asked.count("compute.routes.insert") == asked.count("compute.routes.delete") == 3
    writes = [one for one in watched.exchanges if one.verb == "DELETE" or one.body]
    assert len(writes) == 6 and all("requestId=" in one.query for one in writes), "a write can be sent again"


def test_a_second_apply_reads_three_times_and_writes_nothing(gcp_kroutes, watched, compute):
    gcp_kroutes("apply")
    first = len(watched.exchanges)
    gcp_kroutes("apply")
    reads = {"compute.networks.get": 1, "compute.routes.list": 1, "compute.instances.aggregatedList": 1}
    asked = watched.asked()[first:]
    assert {method: asked.count(method) for method in asked} == reads


def test_unmarked_routes_are_never_touched(gcp_kroutes, compute):
    by_hand = compute.insert("by-hand", "10.200.0.0/24")
    spare = compute.insert("spare", "10.200.9.0/24", next_hop_ip="10.240.0.21")
    outside = compute.insert("outside", "192.168.0.0/16", next_hop_ip="10.240.0.22", description=MARK)
    before = compute.network()
    done = gcp_kroutes.json("apply", "--prune", "--yes")
    assert (done["summary"]["done"], done["summary"]["unchanged"], done["summary"]["foreign"]) == (2, 1, 4)
    assert NAMES[0] not in next_hops(compute)
    gcp_kroutes("destroy", "--yes")
    assert compute.network() == before
    routes = compute.routes_by_name()
    assert (routes["by-hand"], routes["spare"], routes["outside"]) == (by_hand, spare, outside)


def test_a_marked_route_that_leads_elsewhere_is_replaced_without_a_gap(gcp_kroutes, compute):
    compute.insert(NAMES[0], "10.200.0.0/24", next_hop_ip="10.240.0.22", description=MARK)
    gcp_kroutes("apply", "--yes")
    left = [route for route in compute.routes_by_name().values() if route.dest_range == "10.200.0.0/24"]
    assert [route.next_hop_ip for route in left] == ["10.240.0.20"]
    assert left[0].name.startswith(f"{NAMES[0]}-"), "the name was taken until the old route was gone"
    gcp_kroutes("verify")


def test_every_kind_of_change_conflict_and_finding_passes_the_schema(valid, compute):
    valid("apply")
    compute.delete(NAMES[0])
    compute.delete(NAMES[1])
    compute.delete(NAMES[2])
    compute.insert("wrong-hop", "10.200.0.0/24", next_hop_ip="10.240.0.21", description=MARK)
    compute.insert("foreign", "10.200.1.0/24", next_hop_ip="10.240.0.22", priority=10)
    compute.insert("stale", "10.200.9.0/24", description=MARK)
    place = {"project": compute.project, "zone": "us-west1-c"}
    stopped = compute.instances.stop_unary(**place, instance="worker-2")
    compute.zone_operations.wait(**place, operation=stopped.name)
    planned = valid("plan", "--prune")
    assert sorted(change["action"] for change in planned["tables"][0]["changes"]) == ["create", "delete", "replace"]
    assert [one["destination"] for one in planned["tables"][0]["conflicts"]] == ["10.200.1.0/24"]
    verdict = valid("verify", expect=2)
    assert {"missing", "wrong-next-hop", "stale"} <= {route["status"] for route in verdict["routes"]}
    assert any(finding["severity"] == "error" for finding in verdict["findings"])
    shown = valid("routes")["tables"][0]["routes"]
    assert {"wrong-hop", "foreign", "stale"} <= {route["name"] for route in shown}
    valid("apply", expect=3)
    done = valid("apply", "--prune", "--take-over", "--yes", expect=1)
    assert {change["outcome"] for change in done["tables"][0]["changes"]} == {"done"}
    assert "foreign" not in compute.routes_by_name()
    assert valid("destroy", expect=3)["error"]["message"]
    assert valid("destroy", "--yes")["summary"]["done"] == 3


QUOTA = {"operation-error": {"status": 403, "code": "QUOTA_EXCEEDED", "message": "Quota exceeded."}}


@pytest.mark.parametrize(("kind", "error"), [("deny", "permission-denied"), (QUOTA, "quota-exceeded")])
def test_writes_that_fail_at_once_or_later_are_told_alike(valid, gcp_lab, compute, kind, error):
    fault(gcp_lab, action="routes.insert", kind=kind)
    done = valid("apply", expect=1)
    assert done["summary"]["failed"] == 3
    assert {change["error"]["kind"] for change in done["tables"][0]["changes"]} == {error}
    assert next_hops(compute) == {}


def test_a_network_or_a_worker_that_is_not_there_is_told(valid, compute, tmp_path):
    path = tmp_path / "elsewhere.toml"
    path.write_text(GCP_TOPOLOGY.replace('network = "kubernetes"', 'network = "elsewhere"'))
    for command in ("plan", "verify", "routes", "apply"):
        (table,) = valid(command, topology=path, expect=1)["tables"]
        assert table["error"]["kind"] == "not-found", command
    unknown = GCP_TOPOLOGY.replace('name = "worker-2"', 'name = "worker-9"').replace('address = "10.240.0.22"\n', "")
    path.write_text(unknown)
    assert [one["worker"] for one in valid("plan", topology=path, expect=1)["unresolved"]] == ["worker-9"]
    assert refused(compute.routes.get, project=compute.project, route=NAMES[0])[0] == 404


def test_a_cloud_that_lets_nobody_in_or_is_not_there_is_an_error(
    valid, gcp_kroutes, kroutes_binary, gcp_topology, compute
):
    here = gcp_kroutes.environment
    stranger = Kroutes(kroutes_binary, here | {"GOOGLE_OAUTH_ACCESS_TOKEN": "ya29.x"}, gcp_topology, "gcp")
    assert "unauthenticated" in str(valid("plan", expect=1, runner=stranger))
    nowhere = here | {"CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE": "http://127.0.0.1:1/compute/v1/"}
    nobody = Kroutes(kroutes_binary, nowhere, gcp_topology, "gcp")
    assert "error" in str(valid("plan", "--timeout", "3s", expect=1, runner=nobody))


def test_kroutes_comes_in_by_a_service_account_key_and_by_the_metadata_server(gcp_kroutes, gcp_lab, compute, tmp_path):
    del gcp_kroutes.environment["GOOGLE_OAUTH_ACCESS_TOKEN"]
    nobody = dict(gcp_kroutes.environment)
    key = tmp_path / "key.json"
    key.write_text(json.dumps(get(f"{gcp_lab.endpoint}/_lab/service-account-key")))
    gcp_kroutes.environment = nobody | {"GOOGLE_APPLICATION_CREDENTIALS": str(key)}
    gcp_kroutes("apply")
    assert sorted(next_hops(compute)) == NAMES
    gcp_kroutes.environment = nobody | {"GCE_METADATA_HOST": gcp_lab.endpoint.removeprefix("http://")}
    assert "`NO_GCE_CHECK`" in gcp_kroutes("destroy", "--yes", expect=1).stderr
    del gcp_kroutes.environment["NO_GCE_CHECK"]
    gcp_kroutes("destroy", "--yes")
    assert next_hops(compute) == {}
    made = calls(gcp_lab)
    assert (made["oauth2.token"], made["metadata.token"]) == (1, 1), "one token a run"


def test_one_lab_is_both_clouds(kroutes_binary, environment, tmp_path):
    path = tmp_path / "both.toml"
    path.write_text(CLUSTER + AWS + GCP + WORKERS)
    with servers.lab(kroutes_binary, path, environment, provider=None) as both:
        for provider in ("aws", "gcp"):
            Kroutes(kroutes_binary, both.environment, path, provider)("apply")
        ec2 = client(both)
        tables = ec2.describe_route_tables(Filters=[{"Name": "tag:Name", "Values": ["kubernetes"]}])["RouteTables"]
        ranges = {route.get("DestinationCidrBlock") for route in tables[0]["Routes"]}
        assert {f"10.200.{number}.0/24" for number in range(3)} <= ranges
        assert sorted(next_hops(Compute(both.endpoint, both.environment))) == NAMES
