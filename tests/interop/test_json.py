"""`-o json` against its own schema, docs/output.schema.json: on success, on differences, refusals and failures.

A program that reads kroutes trusts the schema and nothing else. So it has to hold for whatever kroutes prints, and it
has to be strict: a schema that lets everything pass says nothing.
"""

import copy
import json

import pytest

from conftest import TOPOLOGY
from support import Kroutes, fault, validated


@pytest.fixture
def valid(output_schema, kroutes):
    return validated(output_schema, kroutes)


def test_every_command_prints_what_the_schema_says(valid):
    assert valid("plan")["command"] == "plan"
    assert valid("verify", expect=2)["ok"] is False
    assert valid("apply")["ok"] is True
    assert valid("apply")["summary"]["create"] == 0
    assert valid("plan", "--detailed-exitcode")["summary"]["unchanged"] == 3
    assert valid("verify")["ok"] is True
    assert valid("routes")["tables"][0]["routes"]
    refused = valid("destroy", expect=3)
    assert refused["error"]["message"]
    assert valid("destroy", "--yes")["summary"]["done"] == 3
    assert valid("destroy", "--yes")["summary"]["delete"] == 0


def test_without_a_command_the_answer_is_an_apply(valid):
    assert valid()["command"] == "apply"


def test_every_kind_of_change_conflict_and_finding_passes(valid, ec2, table, workers, tmp_path):
    valid("apply")
    where = {"RouteTableId": table}
    ec2.replace_route(**where, DestinationCidrBlock="10.200.0.0/24", InstanceId=workers["worker-1"])
    ec2.create_route(**where, DestinationCidrBlock="10.200.9.0/24", InstanceId=workers["worker-1"])
    ec2.delete_route(**where, DestinationCidrBlock="10.200.1.0/24")
    ec2.replace_route(**where, DestinationCidrBlock="10.200.2.0/24", NatGatewayId="nat-0123456789abcdef0")
    ec2.modify_instance_attribute(InstanceId=workers["worker-0"], SourceDestCheck={"Value": True})
    ec2.stop_instances(InstanceIds=[workers["worker-2"]])
    planned = valid("plan", "--prune")
    changes = [change["action"] for change in planned["tables"][0]["changes"]]
    assert sorted(changes) == ["create", "delete", "replace"]
    assert planned["tables"][0]["conflicts"][0]["destination"] == "10.200.2.0/24"
    statuses = {route["status"] for route in valid("verify", expect=2)["routes"]}
    assert {"missing", "wrong-next-hop", "stale"} <= statuses
    done = valid("apply", "--prune", "--yes", expect=1)
    assert {change["outcome"] for change in done["tables"][0]["changes"]} == {"done"}
    valid("apply", "--take-over", "--yes", expect=1)
    assert [finding["severity"] for finding in valid("verify", expect=2)["findings"]] == ["error"]


def test_writes_that_fail_are_told_with_code_and_request_id(valid, lab):
    fault(lab, action="CreateRoute", kind="deny")
    done = valid("apply", expect=1)
    assert done["summary"]["failed"] == 3
    errors = [change["error"] for change in done["tables"][0]["changes"]]
    assert {error["kind"] for error in errors} == {"permission-denied"}
    assert all(error["code"] == "UnauthorizedOperation" and error["request-id"] for error in errors)


def test_a_claim_that_is_denied_or_blocked_is_only_told(valid, lab, ec2, table):
    fault(lab, action="CreateTags", kind="deny")
    assert valid("apply")["tables"][0]["claim"] == "denied"


def test_a_worker_that_cannot_be_found_is_unresolved(valid, tmp_path, ec2, workers):
    ec2.terminate_instances(InstanceIds=[workers["worker-0"]])
    answer = valid("plan", expect=1)
    assert [entry["worker"] for entry in answer["unresolved"]] == ["worker-0"]
    assert valid("verify", expect=1)["unresolved"]
    assert valid("apply", expect=1)["unresolved"]
    assert valid("routes", expect=1)["tables"]


def test_a_table_that_cannot_be_found_is_a_table_with_an_error(valid, tmp_path):
    path = tmp_path / "two-tables.toml"
    both = 'route-table = [{ name = "kubernetes" }, "rtb-0123456789abcdef0"]'
    path.write_text(TOPOLOGY.replace('route-table = { name = "kubernetes" }', both))
    for command, expect in (("plan", 1), ("verify", 1), ("routes", 1), ("apply", 1)):
        tables = valid(command, topology=path, expect=expect)["tables"]
        assert len(tables) == 2
        assert [one["error"]["kind"] for one in tables if "error" in one] == ["not-found"]


@pytest.mark.parametrize("command", ["plan", "apply", "verify", "destroy", "routes"])
def test_a_failure_before_any_of_it_is_one_error(valid, tmp_path, command):
    path = tmp_path / "broken.toml"
    path.write_text(TOPOLOGY.replace("10.200.1.0/24", "10.200.1.7/24"))
    answer = valid(command, topology=path, expect=64)
    assert answer["command"] == command
    assert "10.200.1.0/24" in answer["error"]["message"], "the right range is named"
    valid(command, topology=tmp_path / "nowhere.toml", expect=64)


def test_a_cloud_that_does_not_answer_or_answers_nonsense_is_an_error(
    valid, lab, kroutes_binary, environment, topology
):
    nobody = Kroutes(kroutes_binary, lab.environment | {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, topology)
    assert "error" in json.dumps(valid("plan", "--timeout", "3s", expect=1, runner=nobody))
    stranger = Kroutes(kroutes_binary, environment | {"AWS_ENDPOINT_URL": lab.endpoint}, topology)
    assert "unauthenticated" in json.dumps(valid("plan", expect=1, runner=stranger))
    fault(lab, kind="html")
    assert "error" in json.dumps(valid("plan", "--timeout", "5s", expect=1))


def test_a_refusal_for_another_clusters_claim_is_in_the_answer(valid, ec2, table):
    ec2.create_tags(Resources=[table], Tags=[{"Key": "kroutes/other", "Value": "10.200.0.0/20"}])
    assert "other" in valid("plan")["error"]["message"]
    assert "other" in valid("apply", expect=3)["error"]["message"]
    valid("verify", expect=2)
    assert "other" in valid("destroy", "--yes", expect=3)["error"]["message"]


def test_the_schema_refuses_what_kroutes_never_prints(output_schema, kroutes):
    good = kroutes.json("apply")
    assert output_schema.is_valid(good)

    def spoiled(spoil):
        answer = copy.deepcopy(good)
        spoil(answer)
        return answer

    spoils = {
        "no format": lambda it: it.pop("format"),
        "another format": lambda it: it.update(format=2),
        "no command": lambda it: it.pop("command"),
        "an unknown command": lambda it: it.update(command="reconcile"),
        "an unknown member": lambda it: it.update(colour="red"),
        "a summary without a count": lambda it: it["summary"].pop("create"),
        "a table without a name": lambda it: it["tables"][0].pop("table"),
        "an unknown action": lambda it: it["tables"][0]["changes"][0].update(action="upsert"),
        "an unknown outcome": lambda it: it["tables"][0]["changes"][0].update(outcome="maybe"),
        "a change without a destination": lambda it: it["tables"][0]["changes"][0].pop("destination"),
        "a count that is a text": lambda it: it["summary"].update(create="3"),
        "an unknown severity": lambda it: it["findings"][0].update(severity="fatal"),
        "an unknown claim": lambda it: it["tables"][0].update(claim="mine"),
    }
    passed = [name for name, spoil in spoils.items() if output_schema.is_valid(spoiled(spoil))]
    assert passed == []
