"""google-cloud-compute on a lab, and what the tests often ask of it."""

import json
import urllib.error
import urllib.request

import pytest
from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import compute_v1
from google.oauth2.credentials import Credentials

DONE = compute_v1.Operation.Status.DONE
NETWORK = "kubernetes"


class Compute:
    """Clients of one project; without retries, so that a test sees what the lab says."""

    def __init__(self, endpoint, environment):
        self.endpoint = endpoint
        self.project = environment["CLOUDSDK_CORE_PROJECT"]
        self.token = environment["GOOGLE_OAUTH_ACCESS_TOKEN"]
        self.routes = self.client(compute_v1.RoutesClient)
        self.operations = self.client(compute_v1.GlobalOperationsClient)
        self.zone_operations = self.client(compute_v1.ZoneOperationsClient)
        self.instances = self.client(compute_v1.InstancesClient)
        self.networks = self.client(compute_v1.NetworksClient)

    def client(self, kind, credentials=None):
        """A client of one service, on plain HTTP."""
        return kind(
            credentials=credentials or Credentials(token=self.token),
            client_options=ClientOptions(api_endpoint=self.endpoint),
        )

    def link(self, rest):
        """The link of something in the project."""
        return f"https://www.googleapis.com/compute/v1/projects/{self.project}/{rest}"

    def route(self, name, destination, **fields):
        """A route as it is asked for; to the first worker unless told otherwise."""
        if not any(field.startswith("next_hop") for field in fields):
            fields["next_hop_ip"] = "10.240.0.20"
        fields = {"priority": 1000, "network": self.link(f"global/networks/{NETWORK}")} | fields
        return compute_v1.Route(name=name, dest_range=destination, **fields)

    def begin(self, route, **more):
        """Asks for a route; answers the operation as it was begun."""
        request = compute_v1.InsertRouteRequest(project=self.project, route_resource=route, **more)
        return self.routes.insert_unary(request, retry=None)

    def wait(self, operation):
        """The operation when it is done."""
        while operation.status != DONE:
            operation = self.operations.wait(project=self.project, operation=operation.name)
        return operation

    def insert(self, name, destination, **fields):
        """Makes a route, to its end; answers the route as it is shown."""
        done = self.wait(self.begin(self.route(name, destination, **fields)))
        assert not done.error.errors, done
        return self.routes.get(project=self.project, route=name)

    def delete(self, name):
        """Deletes a route, to its end."""
        assert not self.wait(self.routes.delete_unary(project=self.project, route=name)).error.errors

    def routes_by_name(self, **request):
        """A complete listing."""
        listed = self.routes.list(compute_v1.ListRoutesRequest(project=self.project, **request))
        return {route.name: route for route in listed}

    def raw(self, verb, path, body=None, token=None):
        """A request without Google's client: status and JSON, whatever became of it."""
        request = urllib.request.Request(
            f"{self.endpoint}/compute/v1/projects/{self.project}/{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=verb,
            headers={"content-type": "application/json"},
        )
        if token != "":
            request.add_header("authorization", f"Bearer {token or self.token}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.load(refused)

    def network(self):
        """The network and all its routes, as JSON: two of these are equal when nothing has changed."""
        listed = self.raw("GET", "global/routes")[1]["items"]
        return self.raw("GET", f"global/networks/{NETWORK}")[1], sorted(listed, key=lambda route: route["name"])


def refused(call, *arguments, **more):
    """Makes a call that must fail; answers the HTTP status, the reason and the message."""
    with pytest.raises(GoogleAPICallError) as caught:
        call(*arguments, **more)
    error = caught.value
    return int(error.code), error.errors[0]["reason"], error.message
