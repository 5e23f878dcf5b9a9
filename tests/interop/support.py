"""Small words for the tests: a client, a table's routes, a fault, one run of kroutes."""

import json
import shlex
import urllib.request

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import servers

# The end of an id that nothing has.
UNKNOWN = "0123456789abcdef0"


def client(listener, service="ec2", region="us-west-2", attempts=1, **config):
    """A boto3 client on a server; without retries unless asked, so that a test sees what the server says."""
    return boto3.client(
        service,
        endpoint_url=listener.endpoint,
        region_name=region,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}, **config),
    )


def post(url, body=b""):
    """POST, for the servers' own control pages."""
    with urllib.request.urlopen(urllib.request.Request(url, data=body, method="POST"), timeout=30) as answer:
        return answer.read()


def get(url):
    """GET, parsed, for the servers' own control pages."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


def fault(lab, **what):
    """Makes trouble in the lab."""
    post(f"{lab.endpoint}/_lab/faults", json.dumps(what).encode())


def calls(lab):
    """How often each action of the lab was called."""
    return get(f"{lab.endpoint}/_lab/calls")["calls"]


def writes(api_calls):
    """The calls that change something."""
    return {action: count for action, count in api_calls.items() if not action.startswith("Describe")}


def by_tag(name, *values):
    """A filter on a tag."""
    return [{"Name": f"tag:{name}", "Values": list(values)}]


def named(kind, name):
    """Tags for what a call creates: just its name."""
    return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}]}]


def tags(resource):
    """A resource's tags as a dictionary."""
    return {tag["Key"]: tag["Value"] for tag in resource.get("Tags", [])}


def instances(ec2, **arguments):
    """The instances of a listing, whatever their reservations."""
    pages = ec2.get_paginator("describe_instances").paginate(**arguments)
    return [one for page in pages for reservation in page["Reservations"] for one in reservation["Instances"]]


def describe_table(ec2, table):
    """All that EC2 shows of one table, its lists in an order of their own."""
    shown = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]
    for name in ("Routes", "Tags", "Associations"):
        shown[name].sort(key=lambda item: json.dumps(item, sort_keys=True))
    return shown


def routes(ec2, table):
    """A table's routes by destination."""
    shown = describe_table(ec2, table)["Routes"]
    return {route.get("DestinationCidrBlock") or route.get("DestinationIpv6CidrBlock"): route for route in shown}


def refused(call, **arguments):
    """Makes a call that must fail; answers the code, the HTTP status and the message."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    assert answer["ResponseMetadata"]["RequestId"], "people quote the request id to support"
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


def launch(ec2, name, **arguments):
    """One more instance, by default in the lab's first subnet."""
    arguments = {"ImageId": "ami-12345678", "MinCount": 1, "MaxCount": 1} | arguments
    return ec2.run_instances(TagSpecifications=named("instance", name), **arguments)["Instances"][0]["InstanceId"]


class Kroutes:
    """Runs kroutes against one server."""

    def __init__(self, binary, environment, topology, provider="aws"):
        self.binary, self.environment, self.topology, self.provider = binary, environment, topology, provider

    def __call__(self, *arguments, expect=0, topology=None):
        """Runs one command and insists on its exit code."""
        command = [self.binary, "--provider", self.provider, "--file", topology or self.topology, *arguments]
        done = servers.run(command, self.environment)
        said = f"$ {shlex.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == expect, f"exit {done.returncode} instead of {expect}\n{said}"
        assert "panicked" not in done.stderr, said
        return done

    def json(self, *arguments, expect=0, topology=None):
        """The same with `-o json`, parsed."""
        return json.loads(self(*arguments, "-o", "json", expect=expect, topology=topology).stdout)


def validated(schema, kroutes):
    """Runs kroutes with `-o json`; answers what it printed, once the schema has passed it."""

    def run(*arguments, expect=0, runner=kroutes, **more):
        answer = runner.json(*arguments, expect=expect, **more)
        faults = sorted(f"{error.json_path}: {error.message}" for error in schema.iter_errors(answer))
        assert not faults, "\n".join([*faults, json.dumps(answer, indent=2)])
        assert answer["format"] == 1
        return answer

    return run
