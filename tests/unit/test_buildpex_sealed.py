"""luggage.buildpex.sealed: the digests of the sealed values, from the config module's text."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from luggage.buildpex import sealed
from luggage.configfile import grammar
from luggage.errors import LuggageError

CONFIG = Path(__file__).parents[2] / "example_deploy" / "config.py"
VALUE = "lug1.AAAAAAAAAAA.BBBB"
GOOD = f"""
raise SystemExit("importing this would end the packing")
SECRETS = crypto.Secrets(
    format=1,
    project="shop",
    environments={{
        "demo": crypto.Environment(public_key="p", epoch=1, values={{"A": "{VALUE}"}}),
        "prod": crypto.Environment(public_key="q", epoch=2, values={{}}),
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
