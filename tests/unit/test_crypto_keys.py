"""Keys as texts: what is written is read, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import crypto_scalarmult_base

from luggage.crypto import Secret, SecretError, keys, signing
from tests import decoder


@given(st.binary(min_size=32, max_size=32))
def test_a_private_key_is_read_as_it_was_written(raw: bytes) -> None:
    """Any 32 bytes are a private key; text and back is the same, for the second decoder too."""
    key = keys.PrivateKey(Secret(raw))
    text = key.dump().reveal()
    assert [raw] == [it.reveal() for it in keys.parse_keys(Secret(text)).keys]
    assert raw == bytes(decoder.private_key(text))
    assert key.public == keys.parse_public(key.public.dump())
    assert key.public.raw == crypto_scalarmult_base(raw)


@given(st.data())
def test_any_one_character_changed_is_noticed(data: st.DataObject) -> None:
    """A typing error in a public key is caught before anything is sealed to a key nobody has."""
    text = keys.generate().public.dump()
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda it: it != text[at]))
    with pytest.raises(SecretError):
        keys.parse_public(text[:at] + other + text[at + 1 :])


def test_a_bundle_is_written_sorted() -> None:
    """However its keys are given, a bundle is the one text that the format allows."""
    made = tuple(keys.generate() for _ in range(8))
    texts = {
        keys.Bundle(order, bytes(32), 5).dump().reveal() for order in (made, tuple(reversed(made)))
    }
    assert len(texts) == 1
    found, verify, serial = decoder.bundle(texts.pop())
    assert (8, bytes(32), 5) == (len(found), verify, serial)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (keys.generate().public.dump(), "public key, where the private key is needed"),
        (keys.generate().dump().reveal()[:-1], "not 56 characters"),
        ("", "does not start 'lugkey1.'"),
        ("lugkey2.abc", "unknown version 'lugkey2.'"),
        ("LUGKEY", "does not start"),
    ],
)
def test_what_is_wrong_with_a_key_is_told(text: str, told: str) -> None:
    """The error names the source and what is wrong with it, and quotes nothing of the key."""
    with pytest.raises(SecretError) as caught:
        keys.parse_keys(Secret(text), "SECRET_KEY")
    assert caught.value.message.startswith("SECRET_KEY: ")
    assert told in caught.value.message
    assert len(text) < 12 or text[8:] not in caught.value.render()


def test_a_private_key_where_a_public_one_belongs_is_told() -> None:
    """Someone who pastes the private key into config.py hears that it is the private one."""
    with pytest.raises(SecretError) as caught:
        keys.parse_public(keys.generate().dump().reveal())
    assert "this is a private key" in caught.value.message


@given(st.binary(min_size=32, max_size=32))
def test_a_signing_key_is_read_as_it_was_written(raw: bytes) -> None:
    """Any 32 bytes are a seed; text and back is the same, for the second decoder too."""
    key = signing.SigningKey(Secret(raw))
    text = key.dump().reveal()
    assert key.public == signing.parse_signing(Secret(text)).public
    assert key.public == signing.parse_verify(key.public.dump())
    assert key.public.raw == decoder.signing_key(text) == decoder.verify_key(key.public.dump())
    assert key.public.id == decoder.key_id(key.public.raw)


def test_a_signing_key_does_not_show_itself() -> None:
    """Neither in a repr, nor in the error about a text that is nearly one."""
    key = signing.generate()
    text = key.dump().reveal()
    assert repr(key) == f"<signing key of {key.public.id}>"
    with pytest.raises(SecretError) as caught:
        signing.parse_signing(Secret(text[:-1]), "release.sign.key")
    assert caught.value.message == "release.sign.key: not 57 characters long"
    assert text[9:20] not in f"{caught.value}{caught.value.hint}{caught.value.__context__}"


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (keys.generate().dump().reveal(), "a private key, where the signing key is needed"),
        (signing.generate().public.dump(), "a verify key, where the signing key is needed"),
    ],
)
def test_another_kind_of_key_is_no_signing_key(made: str, told: str) -> None:
    """Each says what it is."""
    with pytest.raises(SecretError, match=told):
        signing.parse_signing(Secret(made))
    with pytest.raises(SecretError, match="this is a signing key, where the private key is needed"):
        keys.parse_keys(signing.generate().dump())
