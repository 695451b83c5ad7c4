"""An application under test gets typed values with no key, and the errors that it would get."""

from __future__ import annotations

import pytest

from luggage.crypto import (
    Environment,
    FakeSecrets,
    MissingSecretError,
    Secret,
    SecretError,
    Secrets,
    envelope,
    keys,
)
from luggage.crypto.envelope import Context

KEY = keys.generate()
REAL = Secrets(
    format=1,
    project="thing",
    required=("LINES_API_KEY", "CERT", "CONF", "DATABASE_URL"),
    environments={
        "prod": Environment(
            public_key=KEY.public.dump(),
            epoch=1,
            values={
                "OPTIONAL": envelope.seal(
                    Secret(b"real"), "text", Context("thing", "prod", "OPTIONAL", KEY.public, 1)
                )
            },
        )
    },
)


def test_fakes_have_the_types_of_what_was_given() -> None:
    """A str is text, bytes are bytes, anything else is JSON; each is a Secret."""
    given = {"LINES_API_KEY": "x", "CERT": b"\xff", "CONF": {"a": [1, None]}, "COUNT": 5}
    opened = FakeSecrets(given).open()
    assert all(isinstance(value, Secret) for value in opened.values())
    assert given == {name: opened[name].reveal() for name in opened}
    assert opened.environment == "fake"


def test_a_fake_needs_no_key_and_looks_at_nothing() -> None:
    """Not even at a key that is there: neither a wrong one nor the right one matters."""
    source = FakeSecrets({"A": "x"})
    for environ in (None, {}, {"SECRET_KEY": "nonsense"}, {"SECRET_KEY_FILE": "/nowhere"}):
        assert source.open(environ)["A"].reveal() == "x"


def test_a_fake_changes_no_more_than_a_real_one() -> None:
    """What was given may change afterwards: what was opened stays."""
    given = {"CONF": {"a": 1}}
    opened = FakeSecrets(given).open()
    given["CONF"]["a"] = 2
    assert opened["CONF"].reveal() == {"a": 1}


def test_every_required_name_is_faked_and_shows_that_it_is() -> None:
    """With no key at all: made-up values for what the code asks for, given ones as they are."""
    types = {"CERT": "bytes", "CONF": "json", "DATABASE_URL": "url"}
    opened = FakeSecrets.of(REAL, types=types, LINES_API_KEY="mine").open()
    assert {name: opened[name].reveal() for name in opened} == {
        "LINES_API_KEY": "mine",
        "CERT": b"fake-CERT",
        "CONF": {"fake": "CONF"},
        "DATABASE_URL": "https://fake-database-url.invalid/",
    }
    assert FakeSecrets.of(REAL).open()["LINES_API_KEY"].reveal() == "fake-LINES_API_KEY"


def test_an_optional_name_is_faked_only_where_it_is_given() -> None:
    """A name that some environment has, but the code does not require, can be there or not."""
    assert "OPTIONAL" not in FakeSecrets.of(REAL).open()
    assert FakeSecrets.of(REAL, OPTIONAL="y").open()["OPTIONAL"].reveal() == "y"
    assert FakeSecrets.of(REAL, types={"OPTIONAL": "json"}).open()["OPTIONAL"].reveal()


def test_an_undeclared_name_fails_as_the_real_one_does() -> None:
    """A MissingSecretError that names it; `in` and `get` work, as in every Mapping."""
    opened = FakeSecrets.of(REAL).open()
    with pytest.raises(MissingSecretError, match="secret 'NOPE'") as caught:
        opened["NOPE"]
    assert caught.value.hint == "give it to crypto.FakeSecrets"
    assert "NOPE" not in opened
    assert opened.get("NOPE") is None
    key = f"{KEY.dump().reveal()}"
    real = Secrets(format=1, project="thing", environments=REAL.environments)
    with pytest.raises(type(caught.value), match="secret 'NOPE'"):
        real.open({"SECRET_KEY": key})["NOPE"]


def test_a_fake_for_a_name_that_is_not_there_is_refused() -> None:
    """A typing error in a test would hide what the app asks for: all of them are told at once."""
    with pytest.raises(SecretError) as caught:
        FakeSecrets.of(REAL, types={"CRET": "bytes", "CERT": "blob"}, LINES_API_KEI="x")
    for told in ("'CRET'", "'LINES_API_KEI'", "no such type: one of text, bytes, json, url"):
        assert told in caught.value.message
    assert "LINES_API_KEY" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"lower": "x"}, "not upper-case"),
        ({"A": float("nan")}, "nor what JSON can hold"),
        ({"A": object()}, "nor what JSON can hold"),
        ({"A": "\ud800"}, "nor what JSON can hold"),
        ({"A": "x" * 65_537}, "65,536 bytes"),
        ({"A": {1, 2}}, "nor what JSON can hold"),
    ],
)
def test_what_no_sealed_value_holds_is_no_fake(given: dict[str, object], told: str) -> None:
    """A test must not pass with a value that production cannot have."""
    with pytest.raises(SecretError) as caught:
        FakeSecrets(given)
    assert told in caught.value.message


def test_required_names_without_a_comma_are_told() -> None:
    """`required=("NAME")` is one text: every letter would be a name."""
    wrong = Secrets(format=1, project="thing", environments={}, required="ABC")  # type: ignore[arg-type]
    with pytest.raises(SecretError, match="a comma is missing"):
        FakeSecrets.of(wrong)


def test_a_fake_shows_names_alone() -> None:
    """It may hold what a developer takes from a real system: no repr shows it."""
    shown = repr(FakeSecrets({"B": "canary", "A": b"canary"}))
    assert shown == "<FakeSecrets fake: A, B>"
