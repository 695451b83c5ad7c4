"""What `cache` shows of a checkout without an engine, and what `--prune` removes of it."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

import pytest
from depots import ROOT, Checkout

from luggage.buildpex import collect, stored
from luggage.buildpex.pack import TOOLS

DAY = 86_400.0
NOW = 1_700_000_000.0
ONE, TWO = "a" * 64, "b" * 64


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = Checkout(tmp_path / "made")
    (made.root / "requirements.txt").write_text("six==1.17.0\n")
    return made


def folder(checkout: Checkout, name: str, at: float, size: int = 5000) -> Path:
    """A folder of the cache with one file, used last at `at`."""
    made = checkout.root / "build/cache" / name
    made.mkdir(parents=True)
    (made / "file").write_bytes(b"x" * size)
    os.utime(made, (at, at))
    return made


def ours(checkout: Checkout) -> str:
    """The folder of wheels of this checkout's lock, for this Python."""
    locks = [checkout.root / "requirements.txt"]
    tools = checkout.root / TOOLS.relative_to(ROOT)
    tools.parent.mkdir(parents=True)
    tools.write_bytes(TOOLS.read_bytes())
    return collect.digest([*locks, tools], platform.python_version())


def test_only_what_another_lock_or_an_older_build_used_is_removed(checkout: Checkout) -> None:
    """Wheels of these locks stay, and of what is made of them the last one of each kind."""
    wheels = ours(checkout)
    stay = [
        folder(checkout, wheels, NOW),
        folder(checkout, f"base-{ONE}", NOW),
        folder(checkout, f"tools-{TWO}", NOW - 9 * DAY),
        folder(checkout, "someone's own", NOW - 99 * DAY),
    ]
    go = [
        folder(checkout, ONE, NOW),
        folder(checkout, f"base-{TWO}", NOW - 1),
        folder(checkout, "new.abc_123", NOW - 2 * DAY),
    ]
    outside = checkout.root / "kept"
    outside.mkdir()
    (checkout.root / "build/cache" / TWO).symlink_to(outside)
    listed = json.loads(checkout.run("cache", "--json", ENGINE="none").stdout)
    assert {it["name"] for it in listed if it["needed"]} == {path.name for path in stay}
    assert {it["name"] for it in listed if not it["needed"]} == {path.name for path in go}
    assert all(it["size"] >= 5000 for it in listed)
    done = checkout.run("cache", "--prune", ENGINE="none")
    assert done.returncode == 0
    assert done.stdout.count(b"  removed\n") == len(go)
    assert all(path.exists() for path in [*stay, outside])
    assert not any(path.exists() for path in go)
    again = checkout.run("cache", "--prune", ENGINE="none")
    assert again.stdout.decode().strip() == "0.0 MB  freed at most: images share layers"


PACKS = """\
from luggage.buildpex import Pack
PACK = Pack(name="thing", entry="depot", packages=("depot",), lock="locks/own.txt")
"""


def test_the_lock_is_the_one_that_the_deployment_packs(checkout: Checkout) -> None:
    """Its wheels stay, and those of a requirements.txt that nobody packs go."""
    other = folder(checkout, ours(checkout), NOW)
    lock = checkout.root / "locks" / "own.txt"
    lock.parent.mkdir()
    lock.write_text("six==1.16.0\n")
    (checkout.root / "depot" / "mkpex.py").write_text(PACKS)
    tools = checkout.root / TOOLS.relative_to(ROOT)
    own = folder(checkout, collect.digest([lock, tools], platform.python_version()), NOW)
    assert checkout.run("cache", "--prune", ENGINE="none").returncode == 0
    assert (own.exists(), other.exists()) == (True, False)


def test_nothing_is_removed_while_a_create_runs(checkout: Checkout) -> None:
    """Here, without a container of it; what one left that was killed yesterday is no matter."""
    gone = folder(checkout, ONE, NOW)
    stage = checkout.root / "build" / ".create.aB3xyz"
    stage.mkdir()
    told = checkout.refuse("cache", "--prune", ENGINE="none")
    assert "cache: a ./create runs now in build/.create.aB3xyz, and uses what is kept" in told
    assert "rm -r build/.create.aB3xyz" in told
    assert gone.exists()
    os.utime(stage, (NOW, NOW))
    assert checkout.run("cache", "--prune", ENGINE="none").returncode == 0
    assert not gone.exists()


def test_what_an_interrupted_build_left_today_stays(checkout: Checkout) -> None:
    """It may be running still."""
    found = [("build/cache", "new.abc", 1, NOW - 60), ("build/cache", "new.old", 1, NOW - 2 * DAY)]
    items = stored.sorted_out(found, [], NOW)
    assert {it.name: it.needed for it in items} == {"new.abc": True, "new.old": False}


def test_no_cache_is_nothing(checkout: Checkout) -> None:
    """And no error."""
    done = checkout.run("cache", ENGINE="none")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"0.0 MB" in done.stdout


def test_without_an_engine_the_checkouts_own_is_shown(checkout: Checkout) -> None:
    """With a note; where ENGINE names one, it is an error that it does not answer."""
    folder(checkout, ONE, NOW)
    done = checkout.run("cache", PATH="/nonexistent")
    assert done.returncode == 0
    assert b"note: build/cache alone: no container engine answers" in done.stderr
    assert ONE[:20].encode() in done.stdout
    told = checkout.refuse("cache", PATH="/nonexistent", ENGINE="docker")
    assert "docker: not found" in told


ENGINE = """\
#!/bin/sh
case "$1 $2" in
    "images -q") echo 56520fb96615 ;;
    "image inspect") echo 75000000 ;;
esac
"""


def test_a_result_without_a_name_is_told_as_one(checkout: Checkout, tmp_path: Path) -> None:
    """Each ./create leaves the one before without its name; how to remove it stands beside it."""
    (tmp_path / "docker").write_text(ENGINE)
    (tmp_path / "docker").chmod(0o755)
    done = checkout.run("cache", ENGINE="docker", PATH=f"{tmp_path}:/usr/bin:/bin")
    (line,) = (it for it in done.stdout.decode().splitlines() if "56520fb96615" in it)
    assert "75.0 MB  image 56520fb96615, which lost its name  " in line
    assert line.endswith("  a later ./create replaced it")
    assert b"dangling" not in done.stdout
    assert b"note: images that lost their names are removed by: docker image prune" in done.stderr


def test_tags_are_unknown_before_the_first_build(tmp_path: Path) -> None:
    """Then nothing of an engine's is taken for another checkout's."""
    found = stored.Checkout(tmp_path, tmp_path / "requirements.txt", stored.BASE)
    assert (found.builder(), found.below()) == (None, None)
