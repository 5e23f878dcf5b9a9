"""What the tests have in common: the binary under test, topologies, labs or a moto, and clients for all of them."""

import json
import os
from pathlib import Path

import jsonschema
import pytest

import servers
from compute import Compute
from discovery import Discovery
from guides import guide
from support import Kroutes, by_tag, client, instances, post, tags
from watcher import watch

# The clients in this very process must be as blind to the caller's account and proxies as the programs it starts.
for name in list(os.environ):
    if name.startswith(("AWS_", "GOOGLE_", "GCE_", "CLOUDSDK_")) or name.lower().endswith("_proxy"):
        del os.environ[name]
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull

CLUSTER = """\
[cluster]
name = "kubernetes"
pod-cidr = "10.200.0.0/16"
"""

WORKERS = """
[[worker]]
name = "worker-0"
pod-cidr = "10.200.0.0/24"
address = "10.240.0.20"

[[worker]]
name = "worker-1"
pod-cidr = "10.200.1.0/24"
address = "10.240.0.21"

[[worker]]
name = "worker-2"
pod-cidr = "10.200.2.0/24"
address = "10.240.0.22"
"""

AWS = """
[aws]
region = "us-west-2"
route-table = { name = "kubernetes" }
routes-limit = 20
"""

GCP = """
[gcp]
project = "the-hard-way"
network = "kubernetes"
"""

TOPOLOGY = CLUSTER + AWS + WORKERS
GCP_TOPOLOGY = CLUSTER + GCP + WORKERS


@pytest.fixture(scope="session")
def kroutes_binary():
    """The program under test: `KROUTES_BIN`, or what `cargo build` has left in the clone."""
    default = servers.ROOT / "target" / "debug" / "kroutes"
    path = Path(os.environ.get("KROUTES_BIN", default))
    assert path.is_file(), f"{path} is not there: run `cargo build -p kroutes`, or set KROUTES_BIN"
    return path


@pytest.fixture
def environment(tmp_path):
    """An environment that knows nothing of whoever runs the tests."""
    return servers.clean_environment(tmp_path)


@pytest.fixture
def topology(tmp_path):
    """The guide's three workers, as a file."""
    path = tmp_path / "topology.toml"
    path.write_text(TOPOLOGY)
    return path


@pytest.fixture
def lab(kroutes_binary, topology, environment):
    """`kroutes lab` for the guide's topology."""
    with servers.lab(kroutes_binary, topology, environment) as running:
        yield running


@pytest.fixture(scope="session")
def moto_server(tmp_path_factory):
    """One moto for all; it takes seconds to start. Each test gets it empty: see `moto`."""
    with servers.moto(servers.clean_environment(tmp_path_factory.mktemp("moto"))) as running:
        yield running


@pytest.fixture
def moto(moto_server, environment):
    """A moto that holds nothing yet."""
    post(f"{moto_server.endpoint}/moto-api/reset")
    return servers.Listener(moto_server.endpoint, moto_server.environment | {"HOME": environment["HOME"]})


@pytest.fixture
def follow(kroutes_binary, environment):
    """Begins with a file of `config/`, in a lab of its own: for the file, and the provider."""

    def begin(topology, provider="aws"):
        return guide(kroutes_binary, environment, topology, provider)

    return begin


@pytest.fixture
def ec2(lab):
    """boto3 on the lab, without retries: what the lab says is what the test sees."""
    return client(lab)


@pytest.fixture
def table(ec2):
    """The id of the lab's table for the guide's topology."""
    return ec2.describe_route_tables(Filters=by_tag("Name", "kubernetes"))["RouteTables"][0]["RouteTableId"]


@pytest.fixture
def workers(ec2):
    """The lab's instances, by the name of their worker."""
    return {tags(one)["Name"]: one["InstanceId"] for one in instances(ec2, Filters=by_tag("Name", "worker-*"))}


@pytest.fixture
def kroutes(kroutes_binary, lab, topology):
    """kroutes on the lab, by nothing but the lab's own `export` lines."""
    return Kroutes(kroutes_binary, lab.environment, topology)


@pytest.fixture(scope="session")
def output_schema():
    """docs/output.schema.json, as a judge of what `-o json` prints."""
    schema = json.loads((servers.ROOT / "docs" / "output.schema.json").read_text())
    judge = jsonschema.validators.validator_for(schema)
    judge.check_schema(schema)
    return judge(schema)


@pytest.fixture(scope="session")
def discovery():
    """Google's own description of Compute Engine."""
    return Discovery()


@pytest.fixture
def gcp_topology(tmp_path):
    """The guide's three workers on Google Cloud, as a file."""
    path = tmp_path / "gcp.toml"
    path.write_text(GCP_TOPOLOGY)
    return path


@pytest.fixture
def gcp_lab(kroutes_binary, gcp_topology, environment):
    """`kroutes lab` with the guide's network."""
    with servers.lab(kroutes_binary, gcp_topology, environment, provider="gcp") as running:
        yield running


@pytest.fixture
def watched(gcp_lab, discovery):
    """The same behind a watcher: each answer that comes by has to be one that Google's document allows."""
    with watch(discovery, gcp_lab.endpoint) as watcher:
        yield watcher
        assert watcher.exchanges, "nothing went past the watcher"
        assert watcher.faults() == []


@pytest.fixture
def compute(gcp_lab, watched):
    """google-cloud-compute on the lab."""
    return Compute(watched.endpoint, gcp_lab.environment)


@pytest.fixture
def gcp_environment(gcp_lab, watched):
    """The lab's own `export` lines, but past the watcher."""
    return gcp_lab.environment | {"CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE": f"{watched.endpoint}/compute/v1/"}


@pytest.fixture
def gcp_kroutes(kroutes_binary, gcp_environment, gcp_topology):
    """kroutes on the lab's network."""
    return Kroutes(kroutes_binary, gcp_environment, gcp_topology, provider="gcp")
