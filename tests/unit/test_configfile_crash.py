"""kill -9 at every change of a file: the old state or the new one, and no key is ever lost."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
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


EDITOR = "sed -i '/^LINES_API_KEY/s/.*/LINES_API_KEY = fresh/'"
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
    "edit": Case(("edit",), changed(LINES_API_KEY=("text", b"fresh")), REPLACES),
    "keygen": Case(
        ("keygen", "staging"), {**changed(), "staging": {}}, REPLACES, again="is there already"
    ),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The state before, to be copied."""
    return Checkout(tmp_path_factory.mktemp("crash") / "made")


# All of them, at every point, with LUGGAGE_LONG=1. The others take the same calls as these, and in
# the short run only a rotation is killed at each point.
LONG = os.environ.get("LUGGAGE_LONG") == "1"
CHOSEN = [name for name in CASES if LONG or name not in ("replace", "remove", "keygen")]


@pytest.mark.parametrize("name", CHOSEN)
def test_a_kill_at_any_change_loses_nothing(made: Checkout, tmp_path: Path, name: str) -> None:
    """Whenever it is killed, all values open, all keys are there, and it can be run again."""
    case = CASES[name]
    trace = tmp_path / "trace"
    whole = made.copy(tmp_path / "whole")
    done = run(whole, case, trace=trace)
    assert done.returncode == 0, done.stderr
    assert_new(whole, case)
    assert plaintext(whole) == []
    shutil.rmtree(runtime(whole))
    points = trace.read_text().splitlines()
    assert case.least <= set(points)
    step = 1 if LONG or name == "rotate" else 3
    chosen = sorted({*range(1, len(points) + 1, step), len(points)})
    with ThreadPoolExecutor(2) as pool:
        states = list(pool.map(lambda at: killed(made.copy(tmp_path / str(at)), case, at), chosen))
    assert {"old", "new"} <= set(states), (points, states)
    assert states == sorted(states, key=["old", "new", "ended"].index)
    # Whether the clock of a new file is stepped depends on the second it is made in.
    assert states.count("ended") <= 2


def run(checkout: Checkout, case: Case, **orders: object) -> subprocess.CompletedProcess[bytes]:
    """The command, with the key, a value on stdin, an editor, and a place for its file."""
    faults = checkout.faulty(**orders) if orders else {}
    return checkout.run(
        *case.words,
        key="demo.key",
        value=b"fresh",
        EDITOR=EDITOR,
        XDG_RUNTIME_DIR=str(runtime(checkout)),
        **faults,
    )


def runtime(checkout: Checkout) -> Path:
    """Where the editor's file lies: in memory, where this machine has such a place."""
    memory = Path("/dev/shm")
    path = checkout.root / "home" / "runtime"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        target = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else path.parent))
        path.symlink_to(target)
    return path.resolve()


def plaintext(checkout: Checkout) -> list[Path]:
    """Files of the editor that are left, once those that are being removed are gone."""
    end = time.monotonic() + 10
    while True:
        left = [path for path in runtime(checkout).rglob("*") if path.is_file()]
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.02)


def killed(checkout: Checkout, case: Case, at: int) -> str:
    """Kill the command at one point, look, run it again, look; the state it was killed in."""
    keys = {path.name: path.read_bytes() for path in checkout.root.glob("*.key")}
    before = checkout.config.read_bytes()
    done = run(checkout, case, at=at)
    assert plaintext(checkout) == []
    if done.returncode == 0:
        assert_new(checkout, case)
        shutil.rmtree(runtime(checkout))
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
    assert plaintext(checkout) == []
    shutil.rmtree(runtime(checkout))
    assert not list(checkout.config.parent.glob(".*"))
    for name, text in keys.items():
        assert (checkout.root / name).read_bytes() == text
    return state


def run_again(checkout: Checkout, case: Case, state: str) -> None:
    """It succeeds, or says that it is done, or what to do; and doing that helps."""
    known = set(checkout.known())
    done = run(checkout, case)
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
        done = run(checkout, case)
    assert done.returncode == 0, done.stderr
    assert known <= set(checkout.known())


def assert_new(checkout: Checkout, case: Case) -> None:
    """The complete new state: every value opens with a key on the disk, and is the right one."""
    assert checkout.values() == case.after
    assert checkout.required() == case.required
    if case.words[0] == "rotate":
        assert grammar.read(checkout.config.read_bytes()).environments["demo"].epoch == 2
