"""The bytes of a seal + a key → its signature, and whether it is one (docs/format.md, §9)."""

from __future__ import annotations

from luggage.crypto.signing import SIGNATURE_BYTES, SigningKey, VerifyKey
from luggage.errors import LuggageError
from luggage.proof import canonical, seal


class SignatureError(canonical.FormError):
    """A seal that nobody may sign, or a signature that does not fit; `reason` as in §11."""

    subject = "signature"


def sign(data: bytes, key: SigningKey) -> bytes:
    """The signature of the seal in `data`; raises LuggageError where it must not be signed.

    What differs from its commit, or has none, cannot be made again by anyone: it is not signed.
    """
    found = seal.parse(data)
    if found.manifest.commit is None:
        raise LuggageError(
            "seal: its sources are of no commit", "commit them, and then pack again: ./create"
        )
    if found.manifest.dirty:
        raise LuggageError(
            f"seal: dirty: what was packed differs from the commit {found.manifest.commit:.12}",
            "commit it, or undo it, and then pack again: ./create",
        )
    return key.sign(data)


def check(data: bytes, signature: bytes, key: VerifyKey) -> None:
    """Raise SignatureError unless `signature` is that of the bytes `data` by the key of `key`."""
    if len(signature) != SIGNATURE_BYTES:
        raise SignatureError(f"{len(signature)} bytes long, and not {SIGNATURE_BYTES}")
    if not key.verifies(data, signature):
        raise SignatureError(f"not by key {key.id}, or not of this seal")
