"""`rename` as a user runs it: one clean diff, the same value, and `required` follows."""

from __future__ import annotations

from pathlib import Path

import pytest
from depots import VALUES, Checkout
from test_encrypt import counts


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Two environments with values of every type."""
    return Checkout(tmp_path / "made")


@pytest.mark.parametrize("name", VALUES["demo"])
def test_the_value_opens_under_the_new_name(checkout: Checkout, name: str) -> None:
    """Of every type, the same bytes; one line goes, one comes; all others stand."""
    before = checkout.config.read_text().splitlines()
    values = checkout.values()
    done = checkout.run("rename", name, "NEW_NAME", key="demo.key")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"depot/config.py: {name} renamed to NEW_NAME for demo\n".encode()
    values["demo"]["NEW_NAME"] = values["demo"].pop(name)
    assert checkout.values() == values
    assert counts(before, checkout.config.read_text().splitlines()) == [1, 1]


def test_required_follows_once_no_environment_has_the_old_name(checkout: Checkout) -> None:
    """Until then it stays, and what remains to be done is told."""
    done = checkout.run("rename", "LINES_API_KEY", "NEW", key="demo.key")
    assert b"prod has LINES_API_KEY still" in done.stderr
    assert b"`required` names LINES_API_KEY until then, so demo does not start" in done.stderr
    assert checkout.required() == ("LINES_API_KEY", "MOOD_API_KEY")
    done = checkout.run("rename", "LINES_API_KEY", "NEW", key="prod.key")
    assert done.stdout.endswith(b"renamed to NEW for prod and in `required`\n")
    assert checkout.required() == ("NEW", "MOOD_API_KEY")
    for there in checkout.values().values():
        assert ("NEW" in there, "LINES_API_KEY" in there) == (True, False)


def test_with_the_keys_of_all_environments_it_is_one_change(checkout: Checkout) -> None:
    """A bundle of the keys renames everywhere at once, `required` with it."""
    checkout.keep("both.key", *checkout.keys.values())
    before = checkout.config.read_text().splitlines()
    done = checkout.run("rename", "LINES_API_KEY", "LINES_KEY", key="both.key")
    assert b"for demo, prod and in `required`" in done.stdout
    assert counts(before, checkout.config.read_text().splitlines()) == [3, 3]
    assert checkout.required() == ("LINES_KEY", "MOOD_API_KEY")
    done = checkout.run("rename", "MOOD_API_KEY", "MOOD", "--env", "prod", key="both.key")
    assert b"MOOD for prod\n" in done.stdout
    assert "MOOD_API_KEY" in checkout.values()["demo"]


@pytest.mark.parametrize(
    ("words", "key", "told"),
    [
        (("SITE", "BLOB"), "demo.key", "'BLOB': environment 'demo' has one already"),
        (("SITE", "SITE"), "demo.key", "both names are the same"),
        (("NOT_THERE", "NEW"), "demo.key", "demo has: BLOB, LINES_API_KEY"),
        (("SITE", "NEW", "--env", "prod"), "demo.key", "opens environment 'demo', not 'prod'"),
        (("SITE", "NEW", "--env", "canary"), "demo.key", "there are: demo, prod"),
        (("SITE", "new"), "demo.key", "not the name of a secret"),
        (("SITE", "N" * 64), "demo.key", "not the name of a secret"),
        (("SITE",), "demo.key", "cannot be read"),
        (("SITE", "NEW"), "", "no key"),
        (("SITE", "NEW"), "prod.key", "environment 'prod' has none of that name"),
    ],
)
def test_what_cannot_be_renamed_is_refused(
    checkout: Checkout, words: tuple[str, ...], key: str, told: str
) -> None:
    """Nothing is overwritten, nothing guessed, and nothing changes."""
    assert told in checkout.refuse("rename", *words, key=key)


def test_a_value_that_does_not_open_is_refused(checkout: Checkout) -> None:
    """A swapped value is not sealed anew under a third name."""
    text = checkout.config.read_text()
    checkout.config.write_text(
        text.replace('"SITE"', '"X"').replace('"BLOB"', '"SITE"').replace('"X"', '"BLOB"')
    )
    assert "sealed for name 'BLOB'" in checkout.refuse("rename", "SITE", "NEW", key="demo.key")


def test_run_twice_it_says_that_it_is_done(checkout: Checkout) -> None:
    """Whoever was interrupted and runs it again is told that nothing is left to do."""
    checkout.run("rename", "SITE", "NEW", key="demo.key")
    assert "renamed already" in checkout.refuse("rename", "SITE", "NEW", key="demo.key")
