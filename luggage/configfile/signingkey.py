"""A key file ⇄ the signing key in it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

from luggage.configfile import keyfile
from luggage.crypto import signing
from luggage.crypto.signing import SigningKey
from luggage.errors import LuggageError

SUFFIX = ".sign.key"
_ED25519 = "302a300506032b6570032100"  # the DER of everything before the key


def make(path: Path, ignored: Callable[[Path], bool]) -> SigningKey:
    """A new signing key, in the new file `path` for its owner alone; raises LuggageError.

    `ignored` tells whether a file is safe from being committed.
    """
    key = signing.generate()
    keyfile.create(path, key.dump(), ignored, _taken)
    return key


def read(path: Path) -> SigningKey:
    """The signing key in the file; raises LuggageError."""
    return signing.parse_signing(keyfile.line(path), str(path))


def pem(key: signing.VerifyKey) -> str:
    """The verify key for public tools: SubjectPublicKeyInfo (RFC 8410), as `openssl` reads it."""
    coded = base64.b64encode(bytes.fromhex(_ED25519) + key.raw).decode()
    return f"-----BEGIN PUBLIC KEY-----\n{coded}\n-----END PUBLIC KEY-----"


def _taken(path: Path) -> LuggageError:
    return LuggageError(
        f"{path}: is there already, and a key is never overwritten",
        f"to see its verify key: python -m deploy signing-key {path.name.removesuffix(SUFFIX)} "
        "--public",
    )
