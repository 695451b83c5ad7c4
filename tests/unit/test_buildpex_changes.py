"""luggage.buildpex.changes: what a refreshed lock says."""

from __future__ import annotations

import pytest

from luggage.buildpex import changes
from luggage.buildpex.changes import Change

HASH = f"--hash=sha256:{'0' * 64}"
OTHER = f"--hash=sha256:{'1' * 64}"


def lock(*pins: str) -> str:
    return "".join(f"{pin} {HASH}\n" for pin in pins)


OLD = lock("flask==3.1.2", "six==1.17.0", "same==1.0", "gather==1.0", "urllib3==1.26") + (
    f"built==1.0 {HASH}\nmarked==1.0 {HASH}\n"
)
NEW = lock(
    "flask==3.1.3",
    "same==1.0",
    "toolz==1.2.0",
    "gather==1.0 ; python_version < '3.12'",
    "gather==2.0 ; python_version >= '3.12'",
    "urllib3==2.0.1",
) + (f"built==1.0 {OTHER}\nmarked==1.0 ; python_version < '4' {HASH}\n")


def test_changes_are_a_table() -> None:
    """New, gone, another version, two versions for two Pythons, and what changed besides."""
    assert changes.between(OLD, NEW, "requirements.txt").table().splitlines() == [
        "requirements.txt",
        "  flask    3.1.2  -> 3.1.3     patch",
        "  gather   1.0    -> 1.0, 2.0  major",
        "  six      1.17.0 ->           removed",
        "  toolz           -> 1.2.0     added",
        "  urllib3  1.26   -> 2.0.1     major",
        "  hashes alone changed: 1 (built)",
        "  markers alone changed: 1 (marked)",
    ]


def test_changes_are_json() -> None:
    """The same, for a program."""
    plain = changes.between(lock("a==1.0"), lock("a==1.1", "b==2"), "l").plain()
    assert plain == {
        "lock": "l",
        "versions": [
            {"name": "a", "old": ["1.0"], "new": ["1.1"], "kind": "minor"},
            {"name": "b", "old": [], "new": ["2"], "kind": "added"},
        ],
        "hashes": [],
        "markers": [],
    }


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("1.9", "2.0", "major"),
        ("1.9", "1.10", "minor"),
        ("1.9.1", "1.9.2", "patch"),
        ("1.9", "1.9.0.1", "patch"),
        ("2024.1", "1!1.0", "major"),
        ("1.10", "1.9", "older"),
        ("1.0", "1.0.post1", "other"),
        ("1.0rc1", "1.0", "other"),
        ("1.0", "1.0+own", "other"),
    ],
)
def test_kind_follows_from_the_numbers(old: str, new: str, kind: str) -> None:
    """Of the first number that differs; an epoch (PEP 440) counts as the greatest of all."""
    assert Change("a", (old,), (new,)).kind == kind


def test_a_broken_old_lock_is_no_obstacle() -> None:
    """A fresh lock mends it."""
    (change,) = changes.between("flask\n", lock("flask==3.1.3"), "l").versions
    assert (change.kind, change.new) == ("added", ("3.1.3",))


def test_the_same_pins_are_no_change() -> None:
    """Comments and order do not count."""
    assert changes.between(lock("a==1", "b==2"), "# x\n" + lock("b==2", "a==1"), "l").same
