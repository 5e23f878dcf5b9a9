"""google-auth against the lab's token endpoint and metadata server: every door by which Google's libraries come in."""

import json
import sys
from datetime import UTC, datetime, timedelta

import google.auth.exceptions
import google.auth.transport.requests
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.cloud import compute_v1
from google.oauth2 import service_account
from google.oauth2.credentials import Credentials

import servers
from support import calls, fault, get

SCOPES = ["https://www.googleapis.com/auth/compute"]

# What a program does that knows nothing of where it runs. google-auth reads some variables only when it is imported, so
# this has to be a program of its own.
DEFAULT = """
import json, google.auth, google.auth.transport.requests
credentials, project = google.auth.default(scopes=["https://www.googleapis.com/auth/compute"])
credentials.refresh(google.auth.transport.requests.Request())
print(json.dumps([project, credentials.service_account_email, credentials.token]))
"""


@pytest.fixture
def key(gcp_lab):
    """The lab's service account key, as a key file holds it."""
    return get(f"{gcp_lab.endpoint}/_lab/service-account-key")


def refresh(credentials):
    """Has a token fetched now; answers it."""
    credentials.refresh(google.auth.transport.requests.Request())
    return credentials.token


def left(credentials):
    """How long a token lasts; google-auth's times are UTC and do not say so."""
    return credentials.expiry - datetime.now(UTC).replace(tzinfo=None)


def opens(compute, token):
    """Whether a token opens Compute Engine."""
    return compute.raw("GET", "global/routes", token=token)[0] == 200


def test_a_service_account_key_gets_a_token_that_opens_compute_engine(gcp_lab, compute, key):
    credentials = service_account.Credentials.from_service_account_info(key, scopes=SCOPES)
    assert opens(compute, refresh(credentials))
    assert timedelta(minutes=50) < left(credentials) <= timedelta(minutes=61)
    assert credentials.project_id == compute.project
    assert calls(gcp_lab)["oauth2.token"] == 1


@pytest.mark.parametrize("scopes", [None, SCOPES])
def test_a_client_library_that_signs_its_own_tokens_comes_in(gcp_lab, compute, key, scopes):
    """google-cloud-compute does not ask for a token, it signs one, for scopes or for the service (AIP-4111)."""
    credentials = service_account.Credentials.from_service_account_info(key, scopes=scopes)
    routes = compute.client(compute_v1.RoutesClient, credentials)
    assert len(list(routes.list(project=compute.project))) == 2
    assert "oauth2.token" not in calls(gcp_lab)


def test_what_another_key_has_signed_is_refused(key):
    pair = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    strange = key | {"private_key": pair.private_bytes(*form).decode()}
    credentials = service_account.Credentials.from_service_account_info(strange, scopes=SCOPES)
    with pytest.raises(google.auth.exceptions.RefreshError, match="invalid_grant.*Invalid JWT Signature"):
        refresh(credentials)


def test_a_token_without_a_scope_and_one_for_somebody_else_are_refused(key):
    unscoped = service_account.Credentials.from_service_account_info(key)
    with pytest.raises(google.auth.exceptions.RefreshError, match="Invalid OAuth scope"):
        refresh(unscoped)
    somebody = key | {"client_email": f"somebody@{key['project_id']}.iam.gserviceaccount.com"}
    with pytest.raises(google.auth.exceptions.RefreshError, match="account not found"):
        refresh(service_account.Credentials.from_service_account_info(somebody, scopes=SCOPES))


def test_a_refresh_token_as_gcloud_leaves_it_gets_a_token(compute, key):
    person = {"client_id": "a.apps.googleusercontent.com", "client_secret": "b", "token_uri": key["token_uri"]}
    credentials = Credentials(token=None, refresh_token="1//lab", **person)
    assert opens(compute, refresh(credentials))
    with pytest.raises(google.auth.exceptions.RefreshError, match="invalid_grant"):
        refresh(Credentials(token=None, refresh_token="1//somebody-elses", **person))


def test_trouble_at_the_token_endpoint_is_retried_and_a_refusal_is_not(gcp_lab, compute, key):
    credentials = service_account.Credentials.from_service_account_info(key, scopes=SCOPES)
    fault(gcp_lab, action="oauth2.token", kind="server-error", times=1)
    assert opens(compute, refresh(credentials))
    assert calls(gcp_lab)["oauth2.token"] == 2
    fault(gcp_lab, action="oauth2.token", kind="deny", times=1)
    with pytest.raises(google.auth.exceptions.RefreshError, match="access_denied"):
        refresh(credentials)
    assert calls(gcp_lab)["oauth2.token"] == 3


def default_credentials(environment, **more):
    """What `google.auth.default()` finds in an environment: project, account and token."""
    done = servers.run([sys.executable, "-c", DEFAULT], environment | more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_default_is_the_key_file_that_the_environment_names(environment, tmp_path, compute, key):
    path = tmp_path / "key.json"
    path.write_text(json.dumps(key))
    project, account, token = default_credentials(environment, GOOGLE_APPLICATION_CREDENTIALS=str(path))
    assert (project, account) == (compute.project, key["client_email"])
    assert opens(compute, token)


def test_the_default_on_a_machine_of_google_is_its_metadata_server(environment, gcp_lab, compute, key):
    machine = {name: value for name, value in environment.items() if name != "NO_GCE_CHECK"}
    host = gcp_lab.endpoint.removeprefix("http://")
    project, account, token = default_credentials(machine, GCE_METADATA_HOST=host, GCE_METADATA_IP=host)
    assert (project, account) == (compute.project, key["client_email"])
    assert opens(compute, token)
    assert calls(gcp_lab)["metadata.token"] == 1
