"""kroutes on a terminal, and on one that goes away: a closed window, a lost ssh connection.

A pseudo-terminal is what only a program outside of Rust's test harness gives easily; nothing else of this belongs to
the interop tests.
"""

import os
import pty
import select
import time

import servers
from conftest import AWS, CLUSTER
from support import Kroutes, calls

WORKERS = 80
SECONDS = 60


def many(tmp_path, first=0):
    """More workers than the bucket has tokens, so that an apply takes a while."""
    path = tmp_path / "many.toml"
    worker = '\n[[worker]]\nname = "worker-{0}"\npod-cidr = "10.200.{0}.0/24"\n'
    limit = AWS.replace("routes-limit = 20", "routes-limit = 200")
    path.write_text(CLUSTER + limit + "".join(worker.format(number) for number in range(first, WORKERS)))
    return path


def on_terminal(kroutes, environment, *words):
    """Starts it as the leader of a session that has a terminal of its own."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(environment["HOME"])
        os.execve(kroutes, [str(kroutes), *map(str, words)], environment)
    return child, terminal


def read_until(terminal, done):
    """What it writes, until that is enough."""
    text, end = "", time.monotonic() + SECONDS
    while not done(text):
        assert time.monotonic() < end, text
        if select.select([terminal], [], [], 0.05)[0]:
            try:
                text += os.read(terminal, 65536).decode(errors="replace")
            except OSError:
                break
    return text


def code(child):
    """How it ended."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            assert os.WIFEXITED(status), f"ended by signal {os.WTERMSIG(status)}"
            return os.WEXITSTATUS(status)
        time.sleep(0.02)
    os.kill(child, 9)
    os.waitpid(child, 0)
    raise AssertionError("it does not end without its terminal")


def test_a_terminal_that_goes_away_in_mid_apply_ends_the_run_as_an_interrupt_does(kroutes_binary, environment, tmp_path):
    topology = many(tmp_path)
    with servers.lab(kroutes_binary, topology, environment) as lab:
        child, terminal = on_terminal(kroutes_binary, lab.environment, "apply", "--provider", "aws", "--file", topology)
        read_until(terminal, lambda _: calls(lab).get("CreateRoute", 0) >= 50)
        os.close(terminal)
        assert code(child) == 130
        made = calls(lab)["CreateRoute"]
        assert 50 <= made < WORKERS, "what had not begun was not begun"
        kroutes = Kroutes(kroutes_binary, lab.environment, topology)
        kroutes("apply")
        kroutes("verify")


def test_nobody_is_left_to_be_asked_when_the_terminal_goes_away(kroutes_binary, environment, tmp_path):
    topology = many(tmp_path, first=74)
    with servers.lab(kroutes_binary, topology, environment) as lab:
        Kroutes(kroutes_binary, lab.environment, topology)("apply")
        before = calls(lab)
        child, terminal = on_terminal(kroutes_binary, lab.environment, "destroy", "--provider", "aws", "--file", topology)
        asked = read_until(terminal, lambda text: "[y/N]" in text)
        assert "6" in asked
        os.close(terminal)
        assert code(child) in (3, 130)
        after = calls(lab)
        assert after.get("DeleteRoute", 0) == before.get("DeleteRoute", 0) == 0


def test_an_answer_typed_at_the_terminal_counts(kroutes_binary, environment, tmp_path):
    topology = many(tmp_path, first=78)
    with servers.lab(kroutes_binary, topology, environment) as lab:
        Kroutes(kroutes_binary, lab.environment, topology)("apply")
        for answer, expected, deletions in [(b"n\n", 3, 0), (b"y\n", 0, 2)]:
            child, terminal = on_terminal(
                kroutes_binary, lab.environment, "destroy", "--provider", "aws", "--file", topology
            )
            read_until(terminal, lambda text: "[y/N]" in text)
            os.write(terminal, answer)
            read_until(terminal, lambda _: False)
            assert code(child) == expected
            os.close(terminal)
            assert calls(lab).get("DeleteRoute", 0) == deletions
