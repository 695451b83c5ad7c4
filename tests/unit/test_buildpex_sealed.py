"""luggage.buildpex.sealed: the digests of the sealed values, from the config module's text."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from luggage.buildpex import sealed
from luggage.configfile import grammar
from luggage.errors import LuggageError

CONFIG = Path(__file__).parents[2] / "example_deploy" / "config.py"
PUBLIC = "lugpub1.fH4HAQgVFYOWnO7GHx03g4ODXcvh9R1Q0MP9-D4sMg9fTkZn"
OTHER = "lugpub1.elq-aZHW7mbslfrujLxPnsZofqaD7uBU6TWwWSlwTWLc7hbM"
BOX = base64.urlsafe_b64encode(bytes(48 + 192)).rstrip(b"=").decode()
VALUE = f"lug1.MFjw0C0I630.{BOX}"
GOOD = f"""
raise SystemExit("importing this would end the packing")
SECRETS = crypto.Secrets(
    format=1,
    project="shop",
    environments={{
        "demo": crypto.Environment(public_key="{PUBLIC}", epoch=1, values={{"A": "{VALUE}"}}),
        "prod": crypto.Environment(public_key="{OTHER}", epoch=2, values={{}}),
    }},
)
"""


def test_digests_are_read_without_importing() -> None:
    """SHA-256 of each sealed value's text, by environment and name."""
    digest = hashlib.sha256(VALUE.encode()).hexdigest()
    assert sealed.digests(GOOD.encode(), "config.py", "shop") == {"demo": {"A": digest}, "prod": {}}


def test_this_checkout_has_the_values_that_the_config_grammar_reads() -> None:
    """Two readers of config.py agree on every value; there is at least one."""
    source = CONFIG.read_bytes()
    expected = {
        environment: {
            name: hashlib.sha256(literal.value.encode()).hexdigest()
            for name, literal in stated.values.items()
        }
        for environment, stated in grammar.read(source).environments.items()
    }
    assert sealed.digests(source, "config.py", "example") == expected
    assert sum(map(len, expected.values())) >= 2


def test_a_module_without_secrets_has_none() -> None:
    """A deployment need not have secrets, nor a config module."""
    assert sealed.digests(b"", "config.py", "shop") == {}
    assert sealed.digests(b"DEBUG = False\n", "config.py", "shop") == {}


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (GOOD.replace(VALUE, "veiled"), "secret 'A': not a sealed value"),
        (GOOD.replace('"shop"', '"other"'), "of project 'other', but what is packed is 'shop'"),
        (GOOD + "SECRETS = None\n", "not assigned once"),
        ("if True:\n    SECRETS = Secrets()\n", "not assigned once"),
        ("SECRETS = load()\n", "not a call of Secrets"),
        (GOOD.replace(f'{{"A": "{VALUE}"}}', "values()"), "a dict is not written as one"),
        (GOOD.replace('"A": ', '"A": "lug1.AAAAAAAAAAA.A", "A": '), "'A' stands twice"),
        (GOOD.replace(f'"{VALUE}"', "VALUE"), "not a plain string"),
        (GOOD.replace("    environments", "    others"), "SECRETS without 'environments'"),
        (GOOD.replace('values={"A"', 'values={**more, "A"'), "a dict is not written as one"),
        (GOOD.replace("epoch=1, values", "**more, values"), "** is no literal"),
        ("SECRETS = (", "'(' was never closed"),
    ],
)
def test_what_cannot_be_named_is_refused(source: str, why: str) -> None:
    """What is computed, doubled, plaintext or another project's is not packed."""
    with pytest.raises(LuggageError) as caught:
        sealed.digests(source.encode(), "shop/config.py", "shop")
    assert caught.value.message.startswith("config module 'shop/config.py': ")
    assert why in caught.value.message
    assert "veiled" not in caught.value.render()


def test_another_projects_module_is_told_which_names_must_be_one() -> None:
    """Either the module's or what is packed; values open under the name they were sealed for."""
    with pytest.raises(LuggageError) as caught:
        sealed.digests(GOOD.encode(), "deploy/config.py", "mine")
    assert caught.value.message.endswith("of project 'shop', but what is packed is 'mine'")
    assert (caught.value.hint or "").splitlines() == [
        "to be 'mine': write project=\"mine\" in SECRETS, and encrypt each value anew:",
        "it opens only under the name it was sealed for (python -m deploy encrypt NAME)",
        "to stay 'shop': write that name in PACK (mkpex.py), and at the top of create",
    ]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (VALUE, VALUE[:-3], "not canonical base64url: it was cut or changed"),
        (VALUE, VALUE[:-4], "237 bytes, which no sealed box has: it was cut or changed"),
        (VALUE, "lug1.MFjw0C0I630.AAAA", "3 bytes, which no sealed box has"),
        (VALUE, VALUE[:-2] + "AB" + "=", "not a sealed value: not lug1, a key id and base64url"),
        (VALUE, VALUE.replace("MFjw0C0I630", "MFjw0C0I631"), "not canonical base64url"),
        (VALUE, VALUE.replace("MFjw0C0I630", "AAAAAAAAAAA"), "sealed to key AAAAAAAAAAA, but"),
        (VALUE, VALUE.replace("lug1.", "lug2."), "sealed by a later version"),
        (VALUE, VALUE + "A" * 90_000, "longer than 90,000 characters"),
        (PUBLIC, "lugpub1.short", "its public key is not 48 characters of base64url"),
        (PUBLIC, PUBLIC.replace("fH4H", "fH4I"), "its public key has a typing error"),
        (PUBLIC, "p", "its public key does not start lugpub1."),
        ('"A"', '"a"', "secret 'a': its name is not upper-case letters"),
        ('"demo"', '"dem o"', "'dem o': its name is not lower-case letters"),
    ],
)
def test_what_no_key_can_open_is_refused(old: str, new: str, why: str) -> None:
    """What can be seen without a key stops the packing: file, environment, name, and the rule."""
    with pytest.raises(LuggageError) as caught:
        sealed.digests(GOOD.replace(old, new).encode(), "shop/config.py", "shop")
    assert caught.value.message.startswith("config module 'shop/config.py': ")
    assert "environment 'dem" in caught.value.message
    assert why in caught.value.message
    assert BOX[:40] not in caught.value.render()


def test_all_broken_values_are_told_at_once() -> None:
    """A misnamed environment with a cut value, and a key with a typing error: three lines."""
    broken = GOOD.replace('"demo"', '"dem o"').replace(VALUE, VALUE[:-4])
    broken = broken.replace(OTHER, OTHER[:-1])
    with pytest.raises(LuggageError) as caught:
        sealed.digests(broken.encode(), "shop/config.py", "shop")
    assert len(caught.value.message.splitlines()) == 3


def test_required_names_without_a_value_are_told() -> None:
    """By environment, whether a tuple or a list names them; none where nothing is required."""
    assert sealed.missing(GOOD.encode()) == {}
    for required in ('("A", "B")', '["A", "B"]'):
        source = GOOD.replace("    environments", f"    required={required},\n    environments")
        assert sealed.missing(source.encode()) == {"demo": ("B",), "prod": ("A", "B")}
    assert sealed.missing(b"DEBUG = False\n") == {}
