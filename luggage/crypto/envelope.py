"""A value and its place ⇄ the sealed text that only one key opens (docs/format.md §3)."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from nacl import bindings
from nacl.exceptions import CryptoError

from luggage.crypto import base64url, names, types
from luggage.crypto.errors import RefusalError, SecretError
from luggage.crypto.keys import PrivateKey, PublicKey
from luggage.crypto.secret import Secret

PREFIX = "lug1."
MAX_VALUE = 65_536
MAX_TEXT = 90_000
_LABEL = b"luggage-secret-v1\n"
_BUCKET = 64
_OTHER_VERSION = re.compile(r"lug[0-9]+\.")
_KEY_ID_LENGTH = 11
_CONTEXT = ("project", "environment", "name", "public key", "epoch")
_COUNT = len(_CONTEXT) + 2


@dataclass(frozen=True)
class Context:
    """The place a value belongs to: what a sealed value must have been sealed for."""

    project: str
    environment: str
    name: str
    public_key: PublicKey
    epoch: int

    def fields(self) -> tuple[bytes, ...]:
        """The bytes of the five context fields, in the payload's order."""
        return (
            self.project.encode(),
            self.environment.encode(),
            self.name.encode(),
            self.public_key.raw,
            struct.pack(">Q", self.epoch),
        )

    def problem(self) -> str | None:
        """What does not follow the grammar of names, or None."""
        if not names.is_place(self.project):
            return "the project's name is not lower-case letters, digits and '-'"
        if not names.is_place(self.environment):
            return "the environment's name is not lower-case letters, digits and '-'"
        if not names.is_secret(self.name):
            return "the secret's name is not upper-case letters, digits and '_'"
        if not names.is_count(self.epoch):
            return "the epoch is not an integer from 1 to 2^63 - 1"
        return None


def seal(value: Secret, kind: str, context: Context) -> str:
    """The bytes in `value`, of type `kind`, as a sealed value for `context`; raises SecretError."""
    result = _try_seal(value, kind, context)
    if isinstance(result, str):
        return result
    raise SecretError(f"{_subject(context)}: {result[1]}", reason=result[0])


def unseal(text: str, key: PrivateKey, context: Context) -> Secret:
    """The value in the sealed `text`, if it was sealed for exactly `context`, else SecretError."""
    result = _try_unseal(text, key, context)
    if isinstance(result, Secret):
        return result
    assert not isinstance(result, Typed)  # noqa: S101 - as `typed` was not asked for
    reason, why = result
    raise SecretError(f"{_subject(context)}: {why}", _hint(reason, context), reason=reason)


@dataclass(frozen=True)
class Typed:
    """A value as it was sealed: its type, and its bytes."""

    kind: str
    value: Secret


def unseal_typed(text: str, key: PrivateKey, context: Context) -> Typed:
    """As `unseal`, but the type and the bytes that were sealed, to be sealed anew."""
    result = _try_unseal(text, key, context, typed=True)
    if isinstance(result, Typed):
        return result
    assert not isinstance(result, Secret)  # noqa: S101 - `typed` says so
    reason, why = result
    raise SecretError(f"{_subject(context)}: {why}", _hint(reason, context), reason=reason)


def recipient(text: str) -> str:
    """The key id that the sealed value `text` names; raises RefusalError where it is none."""
    return _parts(text)[0]


def _subject(context: Context) -> str:
    return f"secret '{context.name}' of {context.project}/{context.environment}"


def _hint(reason: str, context: Context) -> str:
    if reason == "no-match":
        return f"give the private key of environment '{context.environment}'"
    again = f"python -m deploy encrypt {context.name} --env {context.environment}"
    # What can be seen without a key makes the module one that `encrypt` does not edit.
    if reason in ("size", "plaintext", "version", "shape", "key-id"):
        return f"remove its line from config.py, then: {again}"
    return f"seal it again: {again}"


def _try_seal(value: Secret, kind: str, context: Context) -> str | tuple[str, str]:
    try:
        problem = context.problem()
        if problem:
            raise RefusalError("context", problem)
        raw: bytes = value.reveal()
        if len(raw) > MAX_VALUE:
            raise RefusalError("value", f"longer than {MAX_VALUE:,} bytes")
        types.parse(kind, raw)
        payload = _LABEL + b"".join(
            struct.pack(">I", len(field)) + field
            for field in (*context.fields(), kind.encode(), raw)
        )
        payload += bytes(-len(payload) % _BUCKET)
        box = bindings.crypto_box_seal(payload, context.public_key.raw)
    except RefusalError as refusal:
        return refusal.reason, refusal.text
    except (CryptoError, RuntimeError, TypeError, ValueError):
        return "box", "cannot be sealed to the environment's public key"
    return f"{PREFIX}{context.public_key.id}.{base64url.dump(box)}"


def _try_unseal(
    text: str, key: PrivateKey, context: Context, *, typed: bool = False
) -> Secret | Typed | tuple[str, str]:
    try:
        problem = context.problem()
        if problem:
            raise RefusalError("context", problem)
        key_id, box = _parts(text, context.public_key.id)
        if key_id != context.public_key.id:
            raise RefusalError(
                "key-id",
                f"sealed to key {key_id}, but environment '{context.environment}' has key "
                f"{context.public_key.id}",
            )
        if key.public != context.public_key:
            raise RefusalError(
                "no-match",
                f"sealed for environment '{context.environment}' (key {context.public_key.id}), "
                f"but the key given is {key.public.id}",
            )
        kind, value = _check_payload(_open(box, key), context)
        meant = types.parse(kind, value)
        return Typed(kind, Secret(value)) if typed else Secret(meant)
    except RefusalError as refusal:
        return refusal.reason, refusal.text


def _parts(text: str, known: str = "") -> tuple[str, bytes]:
    """Key id and sealed box; a key id that is `known` is canonical."""
    if not isinstance(text, str):
        raise RefusalError("plaintext", "not a sealed value")
    if len(text) > MAX_TEXT:
        raise RefusalError("size", f"its text is longer than {MAX_TEXT:,} characters")
    if not text.startswith(PREFIX):
        if _OTHER_VERSION.match(text):
            raise RefusalError("version", "sealed in an unknown version: a newer luggage wrote it")
        raise RefusalError(
            "plaintext",
            "not sealed: the config module holds it in clear, so consider it leaked",
        )
    parts = text.split(".")
    if len(parts) != 3 or len(parts[1]) != _KEY_ID_LENGTH:
        raise RefusalError("shape", "damaged: not the three parts of a sealed value")
    try:
        if parts[1] != known:
            base64url.parse(parts[1])
        return parts[1], base64url.parse(parts[2])
    except RefusalError:
        pass
    raise RefusalError("shape", "damaged: not canonical base64url")


def _open(box: bytes, key: PrivateKey) -> bytes:
    try:
        return bindings.crypto_box_seal_open(box, key.public.raw, key.reveal())
    except (CryptoError, RuntimeError, TypeError, ValueError):
        pass
    raise RefusalError("box", "damaged: the key does not open it")


def _check_payload(payload: bytes, context: Context) -> tuple[str, bytes]:
    *found, kind, value = _fields(payload)
    asked = context.fields()
    if tuple(found) != asked:
        for label, was, wanted in zip(_CONTEXT, found, asked, strict=True):
            if was != wanted:
                raise RefusalError("context", _mismatch(label, was, wanted))
    if kind.decode("latin-1") not in types.NAMES:
        raise RefusalError("type", "its type is unknown: a newer luggage wrote it")
    return kind.decode("ascii"), value


def _fields(payload: bytes) -> list[bytes]:
    if not payload.startswith(_LABEL):
        if payload.startswith(b"luggage-secret-v"):
            raise RefusalError("version", "sealed in an unknown version: a newer luggage wrote it")
        raise RefusalError("payload", "what is sealed is not a luggage secret")
    at = len(_LABEL)
    fields = []
    for _ in range(_COUNT):
        start = at + 4
        at = start + int.from_bytes(payload[at:start], "big")
        if at > len(payload):
            raise RefusalError("payload", "what is sealed is cut short")
        fields.append(payload[start:at])
    padding = payload[at:]
    if len(payload) % _BUCKET or len(padding) >= _BUCKET or padding.strip(b"\0"):
        raise RefusalError("payload", "what is sealed does not end in its padding")
    if len(fields[-1]) > MAX_VALUE:
        raise RefusalError("payload", f"its value is longer than {MAX_VALUE:,} bytes")
    return fields


def _mismatch(label: str, was: bytes, wanted: bytes) -> str:
    """What differs. A sealed field is quoted only where it is a name: anyone may have sealed it."""
    if label == "epoch" and len(was) == 8:
        was_number, wanted_number = (int.from_bytes(number, "big") for number in (was, wanted))
        return f"sealed for epoch {was_number}, but it stands in epoch {wanted_number}"
    is_name = {"project": names.is_place, "environment": names.is_place, "name": names.is_secret}
    text = was.decode("ascii", "replace")
    if label in is_name and is_name[label](text):
        return f"sealed for {label} '{text}', but it stands in {label} '{wanted.decode()}'"
    return f"sealed for another {label} than the one it stands in"
