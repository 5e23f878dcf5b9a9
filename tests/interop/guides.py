"""The published labs as the tests meet them: their files in `config/`, a local cloud for each, and a reader's shell.

A guide is followed by pasting lines, and what kroutes exports is meant for the same. So a shell runs both, with nothing
but the lab's own `export` lines in its environment.
"""

from contextlib import contextmanager
from pathlib import Path

import servers
from support import Kroutes

CONFIG = servers.ROOT / "config"


class Shell:
    """Runs lines in one run of bash: the first that fails ends it."""

    def __init__(self, environment):
        self.environment = environment | {"PATH": f"{servers.BIN}:{environment['PATH']}"}

    def __call__(self, lines, expect=0, prefix=()):
        done = servers.run([*prefix, "bash", "-euo", "pipefail", "-c", lines], self.environment)
        said = f"{lines}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == expect, f"exit {done.returncode} instead of {expect} of\n{said}"
        return done.stdout


class Guide:
    """A file of `config/`, a cloud in which it can come true, kroutes and a shell."""

    def __init__(self, lab, topology, kroutes, shell):
        self.lab, self.topology, self.kroutes, self.shell = lab, topology, kroutes, shell

    def export(self, form):
        """The lines of `kroutes export`."""
        return self.kroutes("export", "--format", form).stdout

    def put(self, name, text):
        """A file in the folder where the shell is."""
        (Path(self.lab.environment["HOME"]) / name).write_text(text)


@contextmanager
def guide(binary, environment, topology, provider="aws"):
    """A lab of its own for one file of `config/`, or of anywhere by a whole path."""
    topology = CONFIG / topology
    with servers.lab(binary, topology, environment, provider=provider) as lab:
        kroutes = Kroutes(binary, lab.environment, topology, provider=provider)
        yield Guide(lab, topology, kroutes, Shell(lab.environment))


def table(text):
    """The cells of the lines of `--output table`, without its frame and title."""
    rows = [line.strip().strip("|").split("|") for line in text.splitlines() if "|" in line]
    return [[cell.strip() for cell in row] for row in rows if len(row) > 1]
