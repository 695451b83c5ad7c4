"""Texts ⇄ signing keys and verify keys, Ed25519 (docs/format.md §2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import nacl.signing
from nacl.exceptions import CryptoError

from luggage.crypto import keys
from luggage.crypto.errors import RefusalError, SecretError
from luggage.crypto.secret import Secret

SIGNATURE_BYTES = 64


@dataclass(frozen=True)
class VerifyKey:
    """An Ed25519 public key. One that is no point of the curve verifies nothing."""

    raw: bytes

    @cached_property
    def id(self) -> str:
        """The key id: 11 characters."""
        return keys.key_id(self.raw)

    def dump(self) -> str:
        """The text of the key, `lugverify1.…`."""
        return keys.dump_text(keys.VERIFY, self.raw)

    def verifies(self, data: bytes, signature: bytes) -> bool:
        """Whether `signature` was made of `data` by the signing key of this one."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        try:
            nacl.signing.VerifyKey(self.raw).verify(data, signature)
        except (CryptoError, ValueError):
            return False
        return True


class SigningKey:
    """An Ed25519 private key that does not show itself; `public` is its verify key."""

    __slots__ = ("_key", "public")

    def __init__(self, seed: Secret) -> None:
        self._key = Secret(nacl.signing.SigningKey(seed.reveal()))
        self.public = VerifyKey(bytes(self._key.reveal().verify_key))

    def sign(self, data: bytes) -> bytes:
        """The signature of `data`: 64 bytes, and always the same ones."""
        signature: bytes = self._key.reveal().sign(data).signature
        return signature

    def dump(self) -> Secret:
        """The text of the key, `lugsign1.…`."""
        return Secret(keys.dump_text(keys.SIGNING, bytes(self._key.reveal())))

    def __repr__(self) -> str:
        return f"<signing key of {self.public.id}>"


def generate() -> SigningKey:
    """A new signing key."""
    return SigningKey(Secret(bytes(nacl.signing.SigningKey.generate())))


def parse_signing(text: Secret, subject: str = "signing key") -> SigningKey:
    """The signing key that `text` holds; raises SecretError about `subject`.

    `text` is a Secret, so that no frame of the error holds it in clear.
    """
    result = _try_signing(text)
    if isinstance(result, SigningKey):
        return result
    reason, why = result
    hint = "give the one line of the key file that `signing-key` made, unchanged"
    raise SecretError(f"{subject}: {why}", hint, reason=reason)


def parse_verify(text: str, subject: str = "verify key") -> VerifyKey:
    """The verify key that `text` holds; raises SecretError about `subject`."""
    try:
        return VerifyKey(keys.read_text(keys.VERIFY, text))
    except RefusalError as refusal:
        reason, why = refusal.reason, refusal.text
    raise SecretError(f"{subject}: {why}", "it is what `signing-key` printed", reason=reason)


def _try_signing(text: Secret) -> SigningKey | tuple[str, str]:
    try:
        return SigningKey(Secret(keys.read_text(keys.SIGNING, text.reveal())))
    except RefusalError as refusal:
        return refusal.reason, refusal.text
