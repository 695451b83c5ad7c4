"""Values and keys are quiet: nothing shows them unless asked."""

from __future__ import annotations

import copy
import io
import json
import logging
import pickle
import pprint
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

import luggage
from luggage.crypto import Environment, Opened, Secret, SecretError, Secrets, envelope, keys
from luggage.crypto.envelope import Context

LUGGAGE = Path(luggage.__file__).parent
CANARY = "canary-5f2b"
SHOWERS: dict[str, Callable[[Secret], str]] = {
    "repr": repr,
    "str": str,
    "format": lambda secret: f"{secret:>40} {secret!s} {secret!r}",
    "percent": lambda secret: "%s %r" % (secret, secret),  # noqa: UP031
    "pprint": lambda secret: pprint.pformat({"a": [secret]}),
    "slots": lambda secret: repr([getattr(secret, name) for name in secret.__slots__]),
    "dir": lambda secret: repr(dir(secret)),
    "opened": lambda secret: repr(Opened("demo", {"KEY": secret})),
    "json-default": lambda secret: json.dumps({"a": secret}, default=str),
}


@pytest.mark.parametrize("name", SHOWERS)
def test_no_way_of_showing_shows_the_value(name: str) -> None:
    """repr, str, format and whatever builds on them show a fixed text."""
    assert CANARY not in SHOWERS[name](Secret(CANARY))


def test_reveal_gives_the_value() -> None:
    """The one way to the value is to ask for it by name."""
    assert Secret(CANARY).reveal() == CANARY


def test_a_secret_shows_no_attributes() -> None:
    """vars() finds nothing, so no debugger or error reporter lists it."""
    with pytest.raises(TypeError):
        vars(Secret(CANARY))


@pytest.mark.parametrize("thing", [Secret(CANARY), Opened("demo", {"KEY": Secret(CANARY)})])
@pytest.mark.parametrize(
    "way",
    [
        pickle.dumps,
        lambda it: pickle.dumps(it, 0),
        copy.deepcopy,
        json.dumps,
        lambda it: it.__getstate__() if isinstance(it, Secret) else pickle.dumps(it),
    ],
    ids=["pickle", "pickle-0", "deepcopy", "json", "getstate"],
)
def test_it_is_never_serialised(thing: object, way: Callable[[object], object]) -> None:
    """pickle, copies and JSON are refused, also through what holds a Secret."""
    with pytest.raises(TypeError) as caught:
        way(thing)
    assert CANARY not in str(caught.value)


def test_it_is_not_copied() -> None:
    """copy.copy is refused as deepcopy is."""
    with pytest.raises(TypeError):
        copy.copy(Secret(CANARY))


def test_a_logged_secret_is_redacted() -> None:
    """A Secret given to logging, as an argument or in a mapping, is not written."""
    stream = io.StringIO()
    logger = logging.Logger("quiet")
    logger.addHandler(logging.StreamHandler(stream))
    logger.warning("%s %r %s", Secret(CANARY), Secret(CANARY), {"a": Secret(CANARY)})
    assert "not shown" in stream.getvalue()
    assert CANARY not in stream.getvalue()


def test_a_private_key_does_not_show_itself() -> None:
    """Neither its text nor its bytes are in the repr of a key, or of a bundle of keys."""
    key = keys.generate()
    shown = repr(key) + str(key) + repr(keys.Bundle((key,))) + repr(key.dump())
    for form in (key.dump().reveal(), key.reveal().hex(), repr(key.reveal())):
        assert form not in shown
    with pytest.raises(TypeError):
        pickle.dumps(key)


def shown(error: BaseException) -> str:
    """A traceback with local variables, as error reporters make it, and its causes' as well."""
    texts = []
    it: BaseException | None = error
    while it is not None:
        made = traceback.TracebackException.from_exception(it, capture_locals=True)
        frames = [frame for frame in made.stack if Path(frame.filename).is_relative_to(LUGGAGE)]
        assert frames
        # The frames of this test, and the environment given, hold what it tests with.
        kept = [
            {name: text for name, text in (frame.locals or {}).items() if name != "environ"}
            for frame in frames
        ]
        texts += [str(it), repr(kept)]
        it = it.__cause__ or it.__context__
    return "".join(texts)


def test_no_traceback_with_locals_shows_a_value_or_a_key() -> None:
    """Not even local variables of the frames that refuse a value hold it, or the private key."""
    key = keys.generate()
    place = Context("example", "demo", "KEY", key.public, 1)
    for kind, raw in (("json", f"[{CANARY}"), ("url", CANARY)):
        with pytest.raises(SecretError) as caught:
            envelope.seal(Secret(raw.encode()), kind, place)
        assert CANARY not in shown(caught.value)
    sealed = envelope.seal(Secret(CANARY.encode()), "text", place)
    other = Context("example", "demo", "OTHER", key.public, 1)
    text = key.dump().reveal()
    secrets = Secrets(
        format=1,
        project="example",
        environments={
            "demo": Environment(public_key=key.public.dump(), epoch=1, values={"OTHER": sealed})
        },
    )
    for fails in (
        lambda: envelope.unseal(sealed, key, other),
        lambda: envelope.unseal(sealed[:-8] + "AAAAAAAA", key, place),
        lambda: secrets.open({"SECRET_KEY": text}),
        lambda: secrets.open({"SECRET_KEY": text[:-1] + "!"}),
        lambda: secrets.open({"SECRET_KEY": text + " "}),
    ):
        with pytest.raises(SecretError) as caught:
            fails()
        told = shown(caught.value)
        assert CANARY not in told
        assert repr(key.reveal()) not in told
        assert text[:30] not in told
