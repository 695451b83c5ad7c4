"""`remove` as a user runs it: one line less, with no key, and nothing that is required."""

from __future__ import annotations

from pathlib import Path

import pytest
from depots import Checkout
from test_encrypt import counts


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Two environments with values of every type."""
    return Checkout(tmp_path / "made")


def test_one_line_goes_without_a_key(checkout: Checkout) -> None:
    """Everything else is there and opens."""
    before = checkout.config.read_text().splitlines()
    values = checkout.values()
    done = checkout.run("remove", "SITE", "--env", "demo")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"depot/config.py: SITE removed from demo\n"
    assert counts(before, checkout.config.read_text().splitlines()) == [0, 1]
    del values["demo"]["SITE"]
    assert checkout.values() == values


def test_a_required_name_goes_only_with_required(checkout: Checkout) -> None:
    """Refused by itself, since nothing would start; --required takes it out there as well."""
    told = checkout.refuse("remove", "MOOD_API_KEY", "--env", "demo")
    assert "'demo' would not start without it" in told
    assert "--required" in told
    before = checkout.config.read_text().splitlines()
    done = checkout.run("remove", "MOOD_API_KEY", "--env", "demo", "--required")
    assert done.stdout.endswith(b"removed from demo and from `required`\n")
    assert b"prod has MOOD_API_KEY still" in done.stderr
    assert checkout.required() == ("LINES_API_KEY",)
    assert counts(before, checkout.config.read_text().splitlines()) == [1, 2]
    assert checkout.run("remove", "MOOD_API_KEY", "--env", "prod").returncode == 0


def test_the_last_ones_leave_a_module_that_takes_new_ones(checkout: Checkout) -> None:
    """All secrets of an environment can go, and others can come."""
    for name in ("LINES_API_KEY", "MOOD_API_KEY"):
        checkout.run("remove", name, "--env", "prod", "--required")
    assert (checkout.values()["prod"], checkout.required()) == ({}, ())
    assert checkout.run("encrypt", "NEW", "--env", "prod", value=b"x").returncode == 0
    assert checkout.values()["prod"] == {"NEW": ("text", b"x")}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("SITE",), "it is in: demo"),
        (("NOT_THERE", "--env", "demo"), "demo has: BLOB, LINES_API_KEY"),
        (("NOT_THERE",), "there is none of that name"),
        (("SITE", "--env", "prod"), "environment 'prod' has none of that name"),
        (("SITE", "--env", "canary"), "there are: demo, prod"),
        (("canary",), "not the name of a secret"),
        (("SITE", "canary"), "cannot be read"),
        (("SITE", "--req"), "cannot be read"),
    ],
)
def test_what_cannot_be_removed_is_refused(
    checkout: Checkout, words: tuple[str, ...], told: str
) -> None:
    """No environment is guessed, no word echoed, and nothing changes."""
    assert told in checkout.refuse("remove", *words)
