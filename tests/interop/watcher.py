"""Stands between a client and the lab, keeps what they say to each other, and has Google's own document judge it.

A hook in a client would see what that client makes of an answer; from here every client is seen alike, gcloud and
kroutes too, down to the parts of a batch.
"""

import email
import http.client
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# What concerns one connection only, and what is said anew.
ONE_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "content-length", "date"}
BELOW = "/compute/v1/"


@dataclass
class Exchange:
    """One request and its answer."""

    verb: str
    path: str
    query: str
    body: bytes
    status: int
    answer: object

    def __str__(self):
        return f"{self.verb} {self.path}?{self.query} ({self.status})"


def exchange(verb, target, body, status, answer):
    """None for what is not Compute Engine's. An answer that is no JSON is kept as it is: no schema takes it."""
    where = urlsplit(target)
    if not where.path.startswith(BELOW):
        return None
    try:
        answer = json.loads(answer)
    except ValueError:
        answer = repr(answer)
    return Exchange(verb, where.path.removeprefix(BELOW), where.query, body, status, answer)


def parts(content_type, body):
    """The parts of a batch, each cut into its first line and its body."""
    whole = email.message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    for part in whole.get_payload():
        line, _, rest = part.get_payload().lstrip().partition("\n")
        _, _, inner = rest.replace("\r\n", "\n").partition("\n\n")
        yield line.split(), inner.strip().encode()


class Watcher:
    """What went over the wire so far."""

    def __init__(self, discovery, endpoint):
        self.discovery = discovery
        self.upstream = urlsplit(endpoint).netloc
        self.endpoint = None
        self.exchanges = []

    def keep(self, verb, target, headers, body, answer, content):
        """Takes down one exchange, or those of a batch."""
        if target.startswith("/batch/") and answer.status == 200:
            asked = parts(headers["content-type"], body)
            answered = parts(answer.headers["content-type"], content)
            for (request, request_body), (status, inner) in zip(asked, answered, strict=True):
                self.exchanges.append(exchange(request[0], request[1], request_body, int(status[1]), inner))
            return
        kept = exchange(verb, target, body, answer.status, content)
        if kept:
            self.exchanges.append(kept)

    def faults(self):
        """All that is wrong with the answers."""
        return [fault for one in self.exchanges for fault in self.discovery.answer_faults(one)]

    def request_faults(self):
        """All that is wrong with the requests."""
        return [fault for one in self.exchanges for fault in self.discovery.request_faults(one)]

    def asked(self):
        """The methods called, in their order, such as `compute.routes.insert`."""
        return [self.discovery.method(one.verb, one.path)["id"] for one in self.exchanges]


class Handler(BaseHTTPRequestHandler):
    """Passes on one request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_):
        """Tests speak for themselves."""

    def do_any(self):
        watcher = self.server.watcher
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ONE_CONNECTION}
        if "content-length" in self.headers:
            headers["content-length"] = str(len(body))
        connection = http.client.HTTPConnection(watcher.upstream, timeout=150)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            self.close_connection = True
            return
        finally:
            connection.close()
        watcher.keep(self.command, self.path, self.headers, body, answer, content)
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.headers.items():
            if name.lower() not in ONE_CONNECTION:
                self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_any


@contextmanager
def watch(discovery, endpoint):
    """A watcher in front of a server."""
    watcher = Watcher(discovery, endpoint)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.watcher = watcher
        watcher.endpoint = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield watcher
        finally:
            server.shutdown()
