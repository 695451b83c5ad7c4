"""luggage.buildpex.refresh: what a refreshed lock says, and a uv that is not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from luggage.buildpex import refresh
from luggage.errors import LuggageError

HASH = f"--hash=sha256:{'0' * 64}"


def lock(*pins: str) -> str:
    return "".join(f"{pin} {HASH}\n" for pin in pins)


def test_changes_are_told_by_project() -> None:
    """New, gone, another version, and two versions for two Pythons."""
    old = lock("flask==3.1.2", "six==1.17.0", "same==1.0", "gather==1.0")
    new = lock(
        "flask==3.1.3",
        "same==1.0",
        "toolz==1.2.0",
        "gather==1.0 ; python_version < '3.12'",
        "gather==2.0 ; python_version >= '3.12'",
    )
    assert refresh.changes(old, new, "requirements.txt") == [
        "flask 3.1.2 → 3.1.3",
        "gather 1.0 → 1.0, 2.0",
        "- six 1.17.0",
        "+ toolz 1.2.0",
    ]


def test_a_broken_old_lock_is_no_obstacle() -> None:
    """A fresh lock mends it."""
    assert refresh.changes("flask\n", lock("flask==3.1.3"), "l") == ["+ flask 3.1.3"]


def test_without_uv_it_says_how_to_get_it(tmp_path: Path) -> None:
    """One line, and what to type."""
    with pytest.raises(LuggageError, match="uv: not found") as caught:
        refresh.find_uv({"PATH": str(tmp_path)}, tmp_path / "python")
    assert caught.value.hint == f"{tmp_path}/python -m pip install uv"


def test_a_lock_that_cannot_be_made_leaves_the_old_one(tmp_path: Path) -> None:
    """uv says what is wrong, and the old lock is there, with nothing beside it."""
    (tmp_path / "requirements.in").write_text("./no such thing\n")
    (tmp_path / "requirements.txt").write_text("old\n")
    with pytest.raises(LuggageError, match=r"(?s)lock 'requirements\.txt': uv: failed.*not found"):
        refresh.refresh(tmp_path, refresh.LOCKS[0], None, os.environ)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "requirements.in",
        "requirements.txt",
    ]
    assert (tmp_path / "requirements.txt").read_text() == "old\n"


def test_an_empty_list_of_requirements_needs_no_network(tmp_path: Path) -> None:
    """A lock is made where there was none, and made again it is the same."""
    (tmp_path / "requirements.in").write_text("")
    assert refresh.refresh(tmp_path, refresh.LOCKS[0], None, os.environ) == []
    assert (tmp_path / "requirements.txt").stat().st_mode & 0o777 == 0o644
    assert refresh.refresh(tmp_path, refresh.LOCKS[0], None, os.environ) is None


def test_a_lock_that_pins_the_same_is_left_untouched(tmp_path: Path) -> None:
    """Its comments are the maker's: they name who asked for a pin there."""
    (tmp_path / "requirements.in").write_text("")
    (tmp_path / "requirements.txt").write_text("# written elsewhere\n")
    assert refresh.refresh(tmp_path, refresh.LOCKS[0], None, os.environ) is None
    assert (tmp_path / "requirements.txt").read_text() == "# written elsewhere\n"
