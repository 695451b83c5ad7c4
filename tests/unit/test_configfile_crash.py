"""kill -9 at every change of a file: the old state or the new one, and no key is ever lost."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from depots import VALUES, Checkout

from luggage.configfile import grammar


@dataclass(frozen=True)
class Case:
    """A command, and what config.py holds once it is done."""

    words: tuple[str, ...]
    after: dict[str, dict[str, tuple[str, bytes]]]
    least: frozenset[str]
    required: tuple[str, ...] = ("LINES_API_KEY", "MOOD_API_KEY")
    again: str = ""


def changed(**demo: tuple[str, bytes] | None) -> dict[str, dict[str, tuple[str, bytes]]]:
    """VALUES with other values in demo, or without some."""
    values = {**VALUES["demo"], **demo}
    return {
        "demo": {name: value for name, value in values.items() if value is not None},
        "prod": dict(VALUES["prod"]),
    }


REPLACES = frozenset({"open", "write", "half a write", "fsync", "replace"})
CASES = {
    "encrypt": Case(("encrypt", "NEW", "--env", "demo"), changed(NEW=("text", b"fresh")), REPLACES),
    "replace": Case(
        ("encrypt", "BLOB", "--env", "demo"), changed(BLOB=("text", b"fresh")), REPLACES
    ),
    "rename": Case(
        ("rename", "SITE", "ADDRESS", "--env", "demo"),
        changed(SITE=None, ADDRESS=VALUES["demo"]["SITE"]),
        REPLACES,
        again="renamed already",
    ),
    "remove": Case(
        ("remove", "MOOD_API_KEY", "--env", "demo", "--required"),
        changed(MOOD_API_KEY=None),
        REPLACES,
        ("LINES_API_KEY",),
        again="none of that name",
    ),
    "rotate": Case(("rotate", "demo"), changed(), REPLACES, again="rotated already"),
    "keygen": Case(
        ("keygen", "staging"), {**changed(), "staging": {}}, REPLACES, again="is there already"
    ),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The state before, to be copied."""
    return Checkout(tmp_path_factory.mktemp("crash") / "made")


# All of them with LUGGAGE_LONG=1; the others take the same calls as these.
LONG = os.environ.get("LUGGAGE_LONG") == "1"
CHOSEN = [name for name in CASES if LONG or name not in ("replace", "remove", "keygen")]


@pytest.mark.parametrize("name", CHOSEN)
def test_a_kill_at_any_change_loses_nothing(made: Checkout, tmp_path: Path, name: str) -> None:
    """Whenever it is killed, all values open, all keys are there, and it can be run again."""
    case = CASES[name]
    trace = tmp_path / "trace"
    whole = made.copy(tmp_path / "whole")
    done = whole.run(*case.words, key="demo.key", value=b"fresh", **whole.faulty(trace=trace))
    assert done.returncode == 0, done.stderr
    assert_new(whole, case)
    points = trace.read_text().splitlines()
    assert case.least <= set(points)
    with ThreadPoolExecutor(2) as pool:
        states = list(
            pool.map(
                lambda at: killed(made.copy(tmp_path / str(at)), case, at),
                range(1, len(points) + 1),
            )
        )
    assert {"old", "new"} <= set(states), list(zip(points, states, strict=True))
    assert states == sorted(states, key=["old", "new", "ended"].index)
    # Whether the clock of a new file is stepped depends on the second it is made in.
    assert states.count("ended") <= 2


def killed(checkout: Checkout, case: Case, at: int) -> str:
    """Kill the command at one point, look, run it again, look; the state it was killed in."""
    keys = {path.name: path.read_bytes() for path in checkout.root.glob("*.key")}
    before = checkout.config.read_bytes()
    done = checkout.run(*case.words, key="demo.key", value=b"fresh", **checkout.faulty(at=at))
    if done.returncode == 0:
        assert_new(checkout, case)
        return "ended"
    assert done.returncode == -signal.SIGKILL, (at, done)
    if checkout.config.read_bytes() == before:
        state = "old"
        assert checkout.values() == {name: dict(there) for name, there in VALUES.items()}
    else:
        state = "new"
        assert_new(checkout, case)
    for name, text in keys.items():
        assert (checkout.root / name).read_bytes() == text
    run_again(checkout, case, state)
    assert_new(checkout, case)
    assert not list(checkout.config.parent.glob(".*"))
    for name, text in keys.items():
        assert (checkout.root / name).read_bytes() == text
    return state


def run_again(checkout: Checkout, case: Case, state: str) -> None:
    """It succeeds, or says that it is done, or what to do; and doing that helps."""
    known = set(checkout.known())
    done = checkout.run(*case.words, key="demo.key", value=b"fresh")
    told = done.stderr.decode()
    if state == "new" and case.again:
        assert done.returncode == 1
        assert case.again in told
        return
    if done.returncode:
        assert state == "old"
        order = told.splitlines()[-1].rpartition(": ")[2]
        assert order.split()[0] in ("mv", "rm"), told
        subprocess.run(shlex.split(order), cwd=checkout.root, check=True)
        done = checkout.run(*case.words, key="demo.key", value=b"fresh")
    assert done.returncode == 0, done.stderr
    assert known <= set(checkout.known())


def assert_new(checkout: Checkout, case: Case) -> None:
    """The complete new state: every value opens with a key on the disk, and is the right one."""
    assert checkout.values() == case.after
    assert checkout.required() == case.required
    if case.words[0] == "rotate":
        assert grammar.read(checkout.config.read_bytes()).environments["demo"].epoch == 2
