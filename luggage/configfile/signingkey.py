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
VERIFY = ".verify"
_ED25519 = "302a300506032b6570032100"  # the DER of everything before the key


def make(path: Path, ignored: Callable[[Path], bool]) -> SigningKey:
    """A new signing key, in the new file `path` for its owner alone; raises LuggageError.

    Its verify key is written to NAME.verify beside NAME.sign.key. `ignored` tells whether a file is
    safe from being committed.
    """
    place = path.with_name(f"{path.name.removesuffix(SUFFIX)}{VERIFY}")
    # Empty is what a shell leaves that was told: > NAME.verify
    if not path.exists() and place.exists() and (not place.is_file() or place.stat().st_size):
        raise LuggageError(
            f"{place}: is there already, and may be the verify key of another",
            f"give the key another name, or: mv {place.name} {place.name}.old",
        )
    key = signing.generate()
    keyfile.create(path, key.dump(), ignored, _taken)
    try:
        place.write_text(f"{key.public.dump()}\n", encoding="ascii")
        place.chmod(0o644)
    except OSError as error:
        raise LuggageError(
            f"{place}: cannot be written: {error.strerror}; the signing key is in {path}",
            f"{_public(path)} > {place.name}",
        ) from error
    return key


def read(path: Path, hint: str | None = None) -> SigningKey:
    """The signing key in the file; raises LuggageError, with `hint` where it cannot be read."""
    return signing.parse_signing(keyfile.line(path, hint), str(path))


def pem(key: signing.VerifyKey) -> str:
    """The verify key for public tools: SubjectPublicKeyInfo (RFC 8410), as `openssl` reads it."""
    coded = base64.b64encode(bytes.fromhex(_ED25519) + key.raw).decode()
    return f"-----BEGIN PUBLIC KEY-----\n{coded}\n-----END PUBLIC KEY-----"


def _taken(path: Path) -> LuggageError:
    return LuggageError(
        f"{path}: is there already, and a key is never overwritten",
        f"to see its verify key: {_public(path)}",
    )


def _public(path: Path) -> str:
    return f"python -m deploy signing-key {path.name.removesuffix(SUFFIX)} --public"
