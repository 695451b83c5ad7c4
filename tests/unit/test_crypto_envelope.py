"""Sealed values open for exactly the place they were sealed for."""

from __future__ import annotations

import random
import string
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.public import PrivateKey as RawKey
from nacl.public import SealedBox

from luggage.crypto import Environment, Secret, SecretError, Secrets, base64url, envelope, keys
from luggage.crypto.envelope import Context

KEYS = {name: keys.generate() for name in ("demo", "prod")}
PLACE = Context("example", "demo", "LINES_API_KEY", KEYS["demo"].public, 1)
CANARY = "canary-7c1d-value"
SEALED = envelope.seal(Secret(CANARY.encode()), "text", PLACE)
ALPHABET = string.ascii_letters + string.digits + "-_"


def refused(text: str, place: Context = PLACE, key: str = "demo") -> SecretError:
    with pytest.raises(SecretError) as caught:
        envelope.unseal(text, KEYS[key], place)
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    assert f"secret '{place.name}' of {place.project}/{place.environment}" in error.message
    assert CANARY not in error.render()
    return error


@given(st.binary(max_size=300), st.sampled_from(["bytes", "text"]))
def test_what_is_sealed_is_what_is_opened(value: bytes, kind: str) -> None:
    """Any value comes back, byte for byte, and its text has the size the format says."""
    if kind == "text":
        value = value.decode("latin-1").encode()
    text = envelope.seal(Secret(value), kind, PLACE)
    opened = envelope.unseal(text, KEYS["demo"], PLACE).reveal()
    assert value == (opened.encode() if kind == "text" else opened)
    assert (len(base64url.parse(text.split(".")[2])) - 48) % 64 == 0


def test_a_thousand_changes_of_one_byte_open_nothing() -> None:
    """Any one character changed to any other byte is exactly one SecretError, without the value."""
    chance = random.Random(1)
    for _ in range(1000):
        at = chance.randrange(len(SEALED))
        other = chance.choice([chr(n) for n in range(256) if chr(n) != SEALED[at]])
        refused(SEALED[:at] + other + SEALED[at + 1 :])


@settings(max_examples=300)
@given(st.data())
def test_no_cut_and_no_addition_opens(data: st.DataObject) -> None:
    """Truncated, lengthened, doubled and reordered texts open nothing."""
    at = data.draw(st.integers(0, len(SEALED) - 1))
    to = data.draw(st.integers(at, len(SEALED)))
    more = data.draw(st.text(ALPHABET + "=. \n", min_size=1, max_size=8))
    for text in (SEALED[:at], SEALED[:at] + SEALED[to + 1 :], SEALED + more, more + SEALED):
        if text != SEALED:
            refused(text)
    refused(SEALED[:at] + SEALED[at:to] * 2 + SEALED[to:] if to > at else SEALED * 2)


def test_a_hundred_swaps_open_nothing() -> None:
    """A value moved to another name, environment, project or epoch is refused, and told why."""
    chance = random.Random(2)
    places = [
        Context(project, environment, name, KEYS[environment].public, epoch)
        for project in ("example", "shop")
        for environment in KEYS
        for name in ("LINES_API_KEY", "MOOD_API_KEY")
        for epoch in (1, 2)
    ]
    sealed = [envelope.seal(Secret(CANARY.encode()), "text", place) for place in places]
    pairs = [(a, b) for a in range(len(places)) for b in range(len(places)) if a != b]
    for source, target in chance.sample(pairs, 100):
        place = places[target]
        error = refused(sealed[source], place, place.environment)
        same_key = places[source].environment == place.environment
        assert error.reason == ("context" if same_key else "key-id")


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("name", "MOOD_API_KEY", "sealed for name 'LINES_API_KEY', but it stands in name 'MOOD"),
        ("epoch", 2, "sealed for epoch 1, but it stands in epoch 2"),
        ("project", "shop", "sealed for project 'example', but it stands in project 'shop'"),
        (
            "environment",
            "prod",
            "sealed for environment 'demo', but it stands in environment 'prod'",
        ),
    ],
)
def test_a_refused_place_is_named(field: str, value: object, told: str) -> None:
    """The error says for what place the value was sealed and where it stands."""
    facts = {
        "project": "example",
        "environment": "demo",
        "name": "LINES_API_KEY",
        "public_key": KEYS["demo"].public,
        "epoch": 1,
    }
    error = refused(SEALED, Context(**(facts | {field: value})))
    assert told in error.message
    assert "encrypt" in (error.hint or "")


def test_a_planted_field_is_not_quoted() -> None:
    """Anyone may seal anything: what is no name is not shown, so no log line can be forged."""
    raw = PLACE.fields()
    fields = [raw[0], raw[1], b"X\nerror: forged", *raw[3:], b"text", b""]
    inside = b"luggage-secret-v1\n" + b"".join(struct.pack(">I", len(f)) + f for f in fields)
    inside += bytes(-len(inside) % 64)
    public = RawKey(KEYS["demo"].reveal()).public_key
    text = f"lug1.{PLACE.public_key.id}.{base64url.dump(SealedBox(public).encrypt(inside))}"
    assert "forged" not in refused(text).message


def test_pynacls_own_sealed_box_opens_it() -> None:
    """The box is libsodium's sealed box and nothing else: PyNaCl's high level opens it."""
    box = base64url.parse(SEALED.split(".")[2])
    assert CANARY.encode() in SealedBox(RawKey(KEYS["demo"].reveal())).decrypt(box)


@pytest.mark.parametrize(
    ("kind", "raw", "reason"),
    [
        ("text", b"\xff", "value"),
        ("json", b"{", "value"),
        ("url", b"no url", "value"),
        ("yaml", b"a: 1", "type"),
        ("bytes", bytes(65_537), "value"),
    ],
)
def test_only_what_could_be_opened_is_sealed(kind: str, raw: bytes, reason: str) -> None:
    """A value that its type would refuse on opening is refused before it is sealed."""
    with pytest.raises(SecretError) as caught:
        envelope.seal(Secret(raw), kind, PLACE)
    assert reason == caught.value.reason


@pytest.mark.parametrize(
    "fields",
    [
        {"project": "Example"},
        {"project": "example\n"},
        {"environment": ""},
        {"environment": "9"},
        {"name": "lines"},
        {"name": "A" * 64},
        {"epoch": 0},
        {"epoch": 2**63},
        {"epoch": True},
    ],
)
def test_a_place_that_breaks_the_grammar_is_refused(fields: dict[str, object]) -> None:
    """Neither sealing nor opening works with names that docs/format.md §1.2 does not allow."""
    facts = {name: getattr(PLACE, name) for name in PLACE.__dataclass_fields__}
    place = Context(**(facts | fields))
    for call in (
        lambda: envelope.seal(Secret(b"x"), "text", place),
        lambda: envelope.unseal(SEALED, KEYS["demo"], place),
    ):
        with pytest.raises(SecretError) as caught:
            call()
        assert caught.value.reason == "context"


LINES = "LINES_API_KEY"
MOOD = "MOOD_API_KEY"


def secrets(values: dict[str, str], **words: object) -> Secrets:
    prod = Environment(public_key=KEYS["prod"].public.dump(), epoch=1, values=values)
    demo = Environment(public_key=KEYS["demo"].public.dump(), epoch=1, values={LINES: SEALED})
    facts = {"format": 1, "project": "example", "environments": {"demo": demo, "prod": prod}}
    return Secrets(**(facts | words))


def seal(name: str, environment: str = "prod", **words: int) -> str:
    place = Context("example", environment, name, KEYS[environment].public, words.get("epoch", 1))
    return envelope.seal(Secret(CANARY.encode()), "text", place)


def key(name: str) -> dict[str, str]:
    return {"SECRET_KEY": KEYS[name].dump().reveal()}


def failure(it: Secrets, environ: dict[str, str]) -> SecretError:
    with pytest.raises(SecretError) as caught:
        it.open(environ)
    assert CANARY not in caught.value.render()
    for it_key in KEYS.values():
        assert it_key.dump().reveal() not in caught.value.render()
    return caught.value


def test_the_key_chooses_the_environment() -> None:
    """A key opens exactly the environment whose public key it matches."""
    it = secrets({LINES: seal(LINES), MOOD: seal(MOOD)}, required=(LINES,))
    opened = it.open(key("prod"))
    assert ("prod", {LINES, MOOD}) == (opened.environment, set(opened))
    assert opened[LINES].reveal() == CANARY
    demo = it.open(key("demo"))
    assert (demo.environment, list(demo)) == ("demo", [LINES])


def test_everything_wrong_is_told_at_once() -> None:
    """Swapped, stale, damaged, plain and missing values are one error with a line for each."""
    wrong = {
        LINES: SEALED,
        MOOD: seal(LINES),
        "STALE": seal("STALE", epoch=2),
        "DAMAGED": seal("DAMAGED")[:-8] + "AAAAAAAA",
        "PLAIN": CANARY,
        "NUMBER": 7,
    }
    error = failure(secrets(wrong, required=("ABSENT", LINES)), key("prod"))
    lines = error.message.splitlines()
    assert len(lines) == 7
    assert (
        lines[0] == f"secret '{LINES}': sealed for environment 'demo', but SECRET_KEY is for 'prod'"
    )
    for name in (MOOD, "STALE", "DAMAGED", "PLAIN", "NUMBER", "ABSENT"):
        assert [f"secret '{name}'" in line for line in lines].count(True) == 1


def test_a_wrong_key_names_the_environments_and_all_key_ids() -> None:
    """The error has the ids of the key given and of each environment, and the hint what to give."""
    other = keys.generate()
    error = failure(secrets({}), {"SECRET_KEY": other.dump().reveal()})
    for told in (other.public.id, "demo", "prod", *(it.public.id for it in KEYS.values())):
        assert told in error.message
    assert "demo.key" in (error.hint or "")


def test_a_bundle_for_two_environments_is_refused() -> None:
    """Keys of two environments in one SECRET_KEY leave open which is meant: both are named."""
    both = keys.Bundle(tuple(KEYS.values())).dump().reveal()
    error = failure(secrets({}), {"SECRET_KEY": both})
    assert "'demo' and 'prod'" in error.message


def test_a_bundle_with_an_old_and_a_new_key_opens() -> None:
    """During a rotation the key that the module names is chosen."""
    old_and_new = keys.Bundle((keys.generate(), KEYS["prod"])).dump().reveal()
    opened = secrets({LINES: seal(LINES)}).open({"SECRET_KEY": old_and_new})
    assert opened[LINES].reveal() == CANARY


def test_an_unknown_format_is_refused_when_it_is_made() -> None:
    """A module of a later format must not be half understood: importing it fails."""
    for version in (2, 0, "1", True, 1.0):
        with pytest.raises(SecretError):
            secrets({}, format=version)


def test_nothing_but_the_format_is_checked_before_open() -> None:
    """Importing a config module never fails on a value, and needs no key."""
    broken = Environment(public_key="nonsense", epoch=0, values={"lower": "plain"})
    it = Secrets(format=1, project="Not Valid", required="LINES", environments={"A": broken})
    with pytest.raises(SecretError) as caught:
        it.open(key("demo"))
    assert len(caught.value.message.splitlines()) == 3


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        (Environment(public_key=KEYS["demo"].public.dump(), epoch=1, values={}), "same public key"),
        (Environment(public_key="lugpub1.x", epoch=1, values={}), "characters long"),
        (Environment(public_key=7, epoch=1, values={}), "not a text"),  # type: ignore[arg-type]
        (Environment(public_key=KEYS["prod"].public.dump(), epoch=0, values={}), "epoch"),
        ("nothing", "not a crypto.Environment"),
    ],
)
def test_a_malformed_environment_is_refused(environment: object, told: str) -> None:
    """What the writer would refuse in the text is refused at run time in the objects."""
    environments = {**secrets({}).environments, "extra": environment}
    assert told in failure(secrets({}, environments=environments), key("demo")).message


def test_a_missing_name_is_a_clear_error_and_a_key_error() -> None:
    """Asking for a name that has no value says so; `in` and `.get` work as on any mapping."""
    opened = secrets({}).open(key("demo"))
    assert "NOPE" not in opened
    assert opened.get("NOPE") is None
    with pytest.raises(SecretError) as caught:
        opened["NOPE"]
    assert str(caught.value) == "secret 'NOPE': environment 'demo' has no value"
