"""Several commands at once, and editors in between: every secret is there, or it is told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from depots import Checkout

from luggage.configfile import grammar

EDIT = b"# saved by an editor\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """The state before."""
    return Checkout(tmp_path / "made")


@pytest.mark.parametrize("count", [2, 8])
def test_commands_at_once_that_add_different_names_all_win(checkout: Checkout, count: int) -> None:
    """Processes that encrypt at the same time wait for each other: every value is there."""
    before = checkout.values()
    names = [f"AT_ONCE_{n}" for n in range(count)]
    started = {name: checkout.start("encrypt", name, "--env", "demo") for name in names}
    for name, process in started.items():
        assert process.stdin is not None
        process.stdin.write(name.encode())
        process.stdin.close()
        process.stdin = None
    for process in started.values():
        with process:
            _, err = process.communicate(timeout=60)
            assert process.returncode == 0, err
    before["demo"] |= {name: ("text", name.encode()) for name in names}
    assert checkout.values() == before
    found = list(grammar.read(checkout.config.read_bytes()).environments["demo"].values)
    assert found == sorted(found)
    assert [path.name for path in checkout.config.parent.glob(".*")] == []


def test_of_two_that_add_the_same_name_one_wins_whole(checkout: Checkout) -> None:
    """The value is that of one of them, and opens; the other's is nowhere."""
    values = [b"one" * 1000, b"two" * 1000]
    with ThreadPoolExecutor(2) as pool:
        done = list(
            pool.map(
                lambda value: checkout.run("encrypt", "SAME", "--env", "demo", value=value), values
            )
        )
    assert [it.returncode for it in done] == [0, 0]
    assert checkout.values()["demo"]["SAME"] in [("text", value) for value in values]
    assert checkout.config.read_bytes().count(b'"SAME"') == 1


def test_a_rotation_and_an_encryption_at_once_lose_nothing(checkout: Checkout) -> None:
    """What is added while an environment is rotated is rotated as well, or refused by name."""
    with ThreadPoolExecutor(5) as pool:
        adding = [
            pool.submit(checkout.run, "encrypt", f"NEW_{n}", "--env", "demo", value=b"fresh")
            for n in range(4)
        ]
        rotated = pool.submit(checkout.run, "rotate", "demo", key="demo.key").result()
        added = [it.result() for it in adding]
    assert rotated.returncode == 0, rotated.stderr
    values = checkout.values()["demo"]
    for n, done in enumerate(added):
        if done.returncode == 0:
            assert values[f"NEW_{n}"] == ("text", b"fresh")
        else:
            assert b"changed meanwhile" in done.stderr or b"not the public key" in done.stderr
            assert f"NEW_{n}" not in values


def test_of_two_rotations_at_once_one_is_refused(checkout: Checkout) -> None:
    """The epoch grows by one, with one key file; the other is told, and changes nothing."""
    values = checkout.values()
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: checkout.run("rotate", "demo", key="demo.key"), range(2)))
    assert sorted(it.returncode for it in done) == [0, 1]
    told = b"".join(it.stderr for it in done)
    assert b"is there already" in told or b"rotated already" in told or b"meanwhile" in told
    assert checkout.values() == values
    assert sorted(path.name for path in checkout.root.glob("*.key")) == [
        "demo.2.key",
        "demo.key",
        "prod.key",
    ]


@pytest.mark.parametrize(
    "words",
    [
        ("encrypt", "NEW", "--env", "demo"),
        ("rename", "SITE", "ADDRESS", "--env", "demo"),
        ("remove", "BLOB", "--env", "demo"),
        ("rotate", "demo"),
    ],
    ids=lambda words: words[0],
)
def test_what_an_editor_saves_in_between_is_never_lost(
    checkout: Checkout, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """Saved before the new text is compared: refused, with what to do. Saved after: both are there.

    One point is left out, and cannot be watched from outside: after the comparison, the file is
    replaced in the very next call.
    """
    trace = tmp_path / "trace"
    whole = checkout.copy(tmp_path / "whole")
    assert whole.run(*words, key="demo.key", value=b"v", **whole.faulty(trace=trace)).stdout
    points = trace.read_text().splitlines()
    seen = set()
    for at in range(1, points.index("replace") + 3):
        if points[at - 1] == "replace":
            continue
        there = checkout.copy(tmp_path / str(at))
        before = there.config.read_bytes()
        orders = there.faulty(at=at, do="edit", file=there.config)
        done = there.run(*words, key="demo.key", value=b"v", **orders)
        after = there.config.read_bytes()
        assert after.count(EDIT) == 1, (at, points[at - 1])
        assert there.values()
        if done.returncode:
            assert b"config.py: changed by someone else meanwhile" in done.stderr
            assert b"run it again" in done.stderr
            assert after == before + EDIT
            assert sorted(there.root.glob("*.key")) == sorted(
                there.root / path.name for path in checkout.root.glob("*.key")
            )
        seen.add(done.returncode)
    assert seen == {0, 1}
