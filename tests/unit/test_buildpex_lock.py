"""luggage.buildpex.lock: what is a lock, and what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from luggage.buildpex import lock
from luggage.errors import LuggageError

A, B = "a" * 64, "b" * 64


def test_a_pin_has_a_name_a_version_a_marker_and_its_hashes() -> None:
    """A line is read into all its parts, over continued lines, with the name as PEP 503 has it."""
    text = (
        "# a comment\n"
        "Zope.Interface==8.7 ; python_version >= '3.12' \\\n"
        f"    --hash=sha256:{A} \\\n"
        f"    --hash=sha256:{B}\n"
        "    # via twisted\n"
        f"\nfoo[bar]==1.0 --hash=sha256:{A}  # why\n"
    )
    assert lock.parse(text, "lock.txt") == (
        lock.Pin("zope-interface", "8.7", "python_version >= '3.12'", frozenset({A, B}), 2),
        lock.Pin("foo", "1.0", None, frozenset({A}), 7),
    )


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (f"flask --hash=sha256:{A}", "not pinned with =="),
        (f"flask>=3 --hash=sha256:{A}", "not pinned with =="),
        (f"flask==3.* --hash=sha256:{A}", "not pinned with =="),
        (f"flask===3.0 --hash=sha256:{A}", "not pinned with =="),
        (f"flask==3.0,<4 --hash=sha256:{A}", "not pinned with =="),
        (f"flask @ https://example.org/flask.whl --hash=sha256:{A}", "not pinned with =="),
        ("flask==3.0", "no --hash"),
        (f"flask==3.0 --hash=md5:{A[:32]}", "64 lower-case hex digits"),
        (f"flask==3.0 --hash=sha256:{A.upper()}", "64 lower-case hex digits"),
        (f"flask==3.0 --hash=sha256:{A[1:]}", "64 lower-case hex digits"),
        (f"flask==3.0 --hash=sha256:{A} --hash=", "64 lower-case hex digits"),
        ("-r other.txt", "an option"),
        ("--index-url https://example.org/", "an option"),
        ("-e .", "an option"),
        ("./flask.whl", "not pinned with =="),
    ],
)
def test_a_line_that_does_not_pin_is_refused(line: str, why: str) -> None:
    """Whatever is not name==version with SHA-256 hashes is refused, with line and reason."""
    with pytest.raises(LuggageError) as caught:
        lock.parse(f"six==1.0 --hash=sha256:{A}\n{line}\n", "lock.txt")
    assert caught.value.message.startswith("lock.txt:2: ")
    assert why in caught.value.message


def test_every_bad_line_is_told_at_once() -> None:
    """One error names each bad line with its number."""
    with pytest.raises(LuggageError) as caught:
        lock.parse("flask\nsix==1.0\n-e .\n", "lock.txt")
    told = caught.value.message.splitlines()
    assert [line.split(" ")[0] for line in told] == ["lock.txt:1:", "lock.txt:2:", "lock.txt:3:"]


def test_a_lock_that_is_not_there_says_how_to_make_it(tmp_path: Path) -> None:
    """A missing lock is an error with the command that makes one."""
    with pytest.raises(LuggageError, match="not found") as caught:
        lock.read(tmp_path / "requirements.txt")
    assert caught.value.hint == "make it: python -m deploy lock"


def test_the_locks_of_this_checkout_are_locks() -> None:
    """What uv writes is what is read: every requirement of the committed locks."""
    root = Path(__file__).parents[2]
    for name in ("requirements.txt", "luggage/buildpex/tools.txt", "tests/requirements.txt"):
        path = root / name
        pins = lock.read(path)
        assert len(pins) == sum("==" in line for line in path.read_text().splitlines())
        assert sum(len(pin.hashes) for pin in pins) == path.read_text().count("--hash=sha256:")
