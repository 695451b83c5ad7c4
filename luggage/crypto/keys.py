"""Texts ⇄ keys: public keys, private keys and key bundles (docs/format.md §2, §5)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from nacl import bindings
from nacl.exceptions import CryptoError

from luggage.crypto import base64url, names
from luggage.crypto.errors import RefusalError, SecretError
from luggage.crypto.secret import Secret

PUBLIC = "lugpub1."
PRIVATE = "lugkey1."
BUNDLE = "lugbundle1."
SIGNING = "lugsign1."
VERIFY = "lugverify1."
MAX_TEXT = 4096
_WORDS = {
    PUBLIC: "public key",
    PRIVATE: "private key",
    BUNDLE: "private key",
    SIGNING: "signing key",
    VERIFY: "verify key",
}
_FIELD_PRIME = 2**255 - 19
_BUNDLE_LABEL = b"luggage-bundle-v1\n"
_OTHER_VERSION = re.compile(r"lug(?:pub|key|bundle|sign|verify)[0-9]+\.")


def _digest(data: bytes) -> bytes:
    digest: bytes = bindings.crypto_generichash_blake2b_salt_personal(data, digest_size=32)
    return digest


@dataclass(frozen=True)
class PublicKey:
    """An X25519 public key that was checked: canonical, and not of low order."""

    raw: bytes

    @cached_property
    def id(self) -> str:
        """The key id: 11 characters."""
        return key_id(self.raw)

    def dump(self) -> str:
        """The text of the key, `lugpub1.…`."""
        return dump_text(PUBLIC, self.raw)


class PrivateKey:
    """An X25519 private key that does not show itself; `public` is its public key."""

    __slots__ = ("_raw", "public")

    def __init__(self, raw: Secret) -> None:
        self._raw = raw
        self.public = PublicKey(bindings.crypto_scalarmult_base(raw.reveal()))

    def reveal(self) -> bytes:
        """The 32 bytes."""
        raw: bytes = self._raw.reveal()
        return raw

    def dump(self) -> Secret:
        """The text of the key, `lugkey1.…`."""
        return Secret(dump_text(PRIVATE, self.reveal()))

    def __repr__(self) -> str:
        return f"<private key of {self.public.id}>"


@dataclass(frozen=True)
class Bundle:
    """What a key text holds: private keys, and what releases are checked against."""

    keys: tuple[PrivateKey, ...]
    verify_key: bytes | None = None
    minimum_serial: int | None = None

    def dump(self) -> Secret:
        """The text of the bundle, `lugbundle1.…`."""
        ordered = sorted(self.keys, key=lambda key: key.public.raw)
        records = [(1, key.reveal()) for key in ordered]
        if self.verify_key is not None and self.minimum_serial is not None:
            records += [(2, self.verify_key), (3, struct.pack(">Q", self.minimum_serial))]
        payload = _BUNDLE_LABEL + b"".join(
            bytes([tag]) + struct.pack(">I", len(value)) + value for tag, value in records
        )
        checksum = _digest(BUNDLE.encode() + payload)[:4]
        return Secret(BUNDLE + base64url.dump(payload + checksum))


def key_id(raw: bytes) -> str:
    """The id of a public key or a verify key: 11 characters."""
    return base64url.dump(_digest(raw)[:8])


def generate() -> PrivateKey:
    """A new private key."""
    return PrivateKey(Secret(bindings.randombytes(32)))


def parse_public(text: str, subject: str = "public key") -> PublicKey:
    """The public key that `text` holds; raises SecretError about `subject`."""
    try:
        return _read_public(text)
    except RefusalError as refusal:
        reason, why = refusal.reason, refusal.text
    hint = "restore the line from git, or copy it from where `keygen` wrote it"
    raise SecretError(f"{subject}: {why}", hint, reason=reason)


def parse_keys(text: Secret, subject: str = "key") -> Bundle:
    """The private key, or the bundle, that `text` holds; raises SecretError about `subject`.

    The caller has stripped the line end. `text` is a Secret, so that no frame of the error holds
    it in clear.
    """
    result = _try_keys(text)
    if isinstance(result, Bundle):
        return result
    reason, why = result
    hint = "give the one line of the key file that `keygen` made, unchanged"
    raise SecretError(f"{subject}: {why}", hint, reason=reason)


def _try_keys(text: Secret) -> Bundle | tuple[str, str]:
    try:
        clear: str = text.reveal()
        if len(clear) > MAX_TEXT:
            raise RefusalError("size", f"longer than {MAX_TEXT} characters")
        if clear.startswith(BUNDLE):
            return _read_bundle(clear)
        return Bundle((PrivateKey(Secret(read_text(PRIVATE, clear))),))
    except RefusalError as refusal:
        return refusal.reason, refusal.text


def dump_text(prefix: str, raw: bytes) -> str:
    """The text of a key of 32 bytes, with its checksum."""
    return prefix + base64url.dump(raw + _digest(prefix.encode() + raw)[:4])


def read_text(prefix: str, text: str) -> bytes:
    """The 32 bytes of the key that `text` holds; raises RefusalError."""
    if not isinstance(text, str):
        raise RefusalError("shape", "not a text")
    if not text.startswith(prefix):
        _refuse_prefix(prefix, text)
    if len(text) != len(prefix) + 48:
        raise RefusalError("shape", f"not {len(prefix) + 48} characters long")
    data = base64url.parse(text.removeprefix(prefix))
    raw, checksum = data[:32], data[32:]
    if _digest(prefix.encode() + raw)[:4] != checksum:
        raise RefusalError("checksum", "its checksum is wrong: a character was lost or changed")
    return raw


def _refuse_prefix(prefix: str, text: str) -> None:
    other = _OTHER_VERSION.match(text)
    found = next((word for start, word in _WORDS.items() if text.startswith(start)), None)
    if found is not None:
        wanted = f"the {_WORDS[prefix]} is needed"
        if prefix in (PUBLIC, VERIFY):
            wanted = f"a {_WORDS[prefix]} belongs"
        raise RefusalError("shape", f"this is a {found}, where {wanted}")
    if other is not None:
        raise RefusalError("version", f"unknown version '{other[0]}': a newer luggage wrote it")
    raise RefusalError("shape", f"not a key: it does not start '{prefix}'")


def _read_public(text: str) -> PublicKey:
    raw = read_text(PUBLIC, text)
    if int.from_bytes(raw, "little") >= _FIELD_PRIME:
        raise RefusalError("public-key", "a second spelling of another public key")
    try:
        bindings.crypto_scalarmult(b"\x01" + bytes(31), raw)
    except (CryptoError, RuntimeError, TypeError, ValueError):
        low_order = True
    else:
        low_order = False
    if low_order:
        raise RefusalError("public-key", "of low order: anyone could open what is sealed to it")
    return PublicKey(raw)


def _read_bundle(text: str) -> Bundle:
    data = base64url.parse(text.removeprefix(BUNDLE))
    payload, checksum = data[:-4], data[-4:]
    if _digest(BUNDLE.encode() + payload)[:4] != checksum:
        raise RefusalError("checksum", "its checksum is wrong: a character was lost or changed")
    if not payload.startswith(_BUNDLE_LABEL):
        if payload.startswith(b"luggage-bundle-v"):
            raise RefusalError(
                "version", "unknown version of a key bundle: a newer luggage wrote it"
            )
        raise RefusalError("payload", "not the content of a key bundle")
    records = list(_records(payload[len(_BUNDLE_LABEL) :]))
    tags = [tag for tag, _ in records]
    found = [PrivateKey(Secret(value)) for tag, value in records if tag == 1]
    public = [key.public.raw for key in found]
    if not 1 <= len(found) <= 8 or tags not in ([1] * len(found), [1] * len(found) + [2, 3]):
        raise RefusalError("payload", "its records are not those of a key bundle")
    if public != sorted(set(public)):
        raise RefusalError("payload", "its keys are not in order, or one stands twice")
    if len(tags) == len(found):
        return Bundle(tuple(found))
    serial = int.from_bytes(records[-1][1], "big")
    if not names.is_count(serial):
        raise RefusalError("payload", "its minimum serial is out of range")
    return Bundle(tuple(found), records[-2][1], serial)


def _records(data: bytes) -> Iterable[tuple[int, bytes]]:
    sizes = {1: 32, 2: 32, 3: 8}
    while data:
        tag, size = data[0], int.from_bytes(data[1:5], "big")
        if len(data) < 5 + size or sizes.get(tag) != size:
            raise RefusalError("payload", "its records are not those of a key bundle")
        yield tag, data[5 : 5 + size]
        data = data[5 + size :]
