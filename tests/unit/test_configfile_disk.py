"""A full disk: the old state stays, the error says why, and nothing is left."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from depots import Checkout

COMMANDS = {
    "encrypt": ("encrypt", "NEW", "--env", "demo"),
    "rename": ("rename", "SITE", "ADDRESS", "--env", "demo"),
    "remove": ("remove", "BLOB", "--env", "demo"),
    "rotate": ("rotate", "demo"),
    "keygen": ("keygen", "staging"),
}
# All of them with LUGGAGE_LONG=1; the others write as these do.
LONG = os.environ.get("LUGGAGE_LONG") == "1"
CHOSEN = [name for name in COMMANDS if LONG or name in ("encrypt", "rotate")]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """The state before."""
    return Checkout(tmp_path / "made")


@pytest.mark.parametrize("name", CHOSEN)
@pytest.mark.parametrize("limit", [0, 30, 57, 1000, "nearly all"])
def test_a_file_that_cannot_grow_changes_nothing(
    checkout: Checkout, name: str, limit: int | str
) -> None:
    """Wherever the space ends, in the key file or in the config module, nothing has changed."""
    most = checkout.config.stat().st_size - 400 if limit == "nearly all" else limit
    told = checkout.refuse(
        *COMMANDS[name], key="demo.key", value=b"fresh", **checkout.faulty(limit=most)
    )
    assert "File too large" in told
    assert "config.py: cannot be changed" in told or ".key: cannot be made" in told


@pytest.mark.parametrize("name", CHOSEN)
def test_an_error_at_any_change_is_told_and_nothing_is_left(
    checkout: Checkout, tmp_path: Path, name: str
) -> None:
    """Whichever call fails: the old state and no other file, or the new state and its key.

    Once the config module is replaced it is new; a failure after that never takes its key away.
    """
    trace = tmp_path / "trace"
    whole = checkout.copy(tmp_path / "whole")
    done = whole.run(*COMMANDS[name], key="demo.key", value=b"v", **whole.faulty(trace=trace))
    assert done.returncode == 0, done.stderr
    points = trace.read_text().splitlines()
    before, after = checkout.files(), whole.values()
    states = []
    for at in range(1, len(points) + 1):
        there = checkout.copy(tmp_path / str(at))
        orders = there.faulty(at=at, do="fail")
        done = there.run(*COMMANDS[name], key="demo.key", value=b"v", **orders)
        assert b"Traceback" not in done.stderr, (at, points[at - 1], done.stderr)
        if there.config.read_bytes() == before[Path("depot/config.py")]:
            assert (done.returncode, done.stdout) == (1, b""), (at, points[at - 1])
            assert there.files() == before
            assert b"No space left" in done.stderr
            states.append("old")
        else:
            assert there.values() == after
            states.append("new")
    replaced = points.index("replace")
    assert set(states[replaced + 1 :]) == {"new"}
    # A file that cannot be made without a name, or get one, is made with it.
    spared = [at for at in range(replaced + 1) if states[at] == "new"]
    assert {points[at] for at in spared} <= {"open", "link"}
    assert len(spared) <= 2


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own, where this user may mount one; else the folder it would be."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", path]
    done = subprocess.run(mount, capture_output=True, check=False)
    yield path
    if done.returncode == 0:
        subprocess.run(["umount", path], check=True)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_changes_nothing(disk: Path, name: str) -> None:
    """With no block left, or a few, the command fails whole or succeeds whole; never in between.

    Without a disk to fill, a limit of the size of files stands in for it.
    """
    checkout = Checkout(disk / "made")
    before, values = checkout.files(), checkout.values()
    filler = disk / "filler"
    told = []
    for pages in range(5):
        orders = {} if os.path.ismount(disk) else checkout.faulty(limit=pages * 200)
        if os.path.ismount(disk):
            fill(filler, pages)
        done = checkout.run(*COMMANDS[name], key="demo.key", value=b"fresh", **orders)
        told.append(done.stderr.decode())
        if done.returncode == 0:
            assert checkout.values() != values or name in ("rotate", "keygen")
            break
        assert checkout.files() == before, told[-1]
        assert "Traceback" not in told[-1]
    assert "No space left" in told[0] or "File too large" in told[0]


def fill(filler: Path, pages: int) -> None:
    """Fill the disk of `filler`, but for a few pages."""
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
        file.truncate(max(0, file.tell() - pages * 4096))
