"""Programs that the tests start and end themselves.

Each is started on a free port of 127.0.0.1, tells its address in its first lines, and is ended by its own process
handle. Nothing of the caller's environment gets through but PATH: a developer's AWS profile, gcloud account, proxy or
region must neither reach a test nor be reached by one.
"""

import os
import re
import shlex
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SECONDS = 60


def clean_environment(home):
    """What every program here sees: nobody's configuration, no metadata service, no proxy."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "AWS_CONFIG_FILE": str(home / "no-aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "no-aws-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
        "NO_GCE_CHECK": "true",
        "CLOUDSDK_CONFIG": str(home / "no-gcloud-config"),
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
    }


class Listener:
    """A running server: where it is, and what its clients have to have in their environment."""

    def __init__(self, endpoint, environment):
        self.endpoint = endpoint
        self.environment = environment


@contextmanager
def process(command, environment):
    """Starts a program and ends it by its own handle, whatever happens."""
    child = subprocess.Popen(
        [str(part) for part in command],
        env=environment,
        cwd=environment["HOME"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()
        child.stderr.close()


def keep_reading(*streams):
    """A pipe that nobody reads fills up and stops the program behind it."""
    for stream in streams:
        threading.Thread(target=lambda read=stream: [None for _ in read], daemon=True).start()


@contextmanager
def lab(kroutes, topology, environment, *options, provider="aws"):
    """`kroutes lab`, with the environment that its own lines make, read as a shell would; of no provider, for all."""
    command = [kroutes, "lab", "--file", topology, *options, *(["--provider", provider] if provider else [])]
    with process(command, environment) as child:
        described = dict(environment)
        for line in child.stderr:
            found = re.search(r"runs at (http://\S+)", line)
            if found:
                break
        else:
            raise AssertionError(f"kroutes lab ended with {child.wait()} before it ran")
        # The address is told after the variables, so they are all in the pipe by now.
        for line in os.read(child.stdout.fileno(), 65536).decode().splitlines():
            verb, *rest = shlex.split(line)
            if verb == "unset":
                for name in rest:
                    described.pop(name, None)
            else:
                assert verb == "export", f"not a line for a shell: {line!r}"
                described.update(word.split("=", 1) for word in rest)
        keep_reading(child.stdout, child.stderr)
        yield Listener(found.group(1), described)


@contextmanager
def moto(environment):
    """moto's stand-alone server."""
    with process([BIN / "moto_server", "-H", "127.0.0.1", "-p", "0"], environment) as child:
        for line in child.stderr:
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            if found:
                break
        else:
            raise AssertionError(f"moto_server ended with {child.wait()} before it ran")
        keep_reading(child.stdout, child.stderr)
        credentials = {
            "AWS_ENDPOINT_URL": found.group(),
            "AWS_ACCESS_KEY_ID": "moto",
            "AWS_SECRET_ACCESS_KEY": "moto",
            "AWS_REGION": "us-west-2",
            "AWS_DEFAULT_REGION": "us-west-2",
        }
        yield Listener(found.group(), environment | credentials)


def run(command, environment, stdin=None):
    """Runs a program to its end; its exit code is for the caller to judge."""
    return subprocess.run(
        [str(part) for part in command],
        env=environment,
        cwd=environment["HOME"],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
