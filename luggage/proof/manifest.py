"""What went into a pex ⇄ the bytes of its manifest (docs/format.md, §6).

Standard library alone, as packing has no more: so the names of §1.2 are here as well as in
luggage.crypto, which needs libsodium.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from luggage.proof import canonical
from luggage.proof.canonical import digest, matches, object_of

FILE = "luggage-manifest.json"
FORMAT = "luggage-manifest-v1"
MAX_BYTES = canonical.MAX_BYTES

_PLACE = re.compile(r"[a-z][a-z0-9-]{0,62}")
_SECRET = re.compile(r"[A-Z][A-Z0-9_]{0,62}")
MAX_SERIAL = 2**63 - 1
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_NUMBER = r"(0|[1-9][0-9]{0,8})"
_PYTHON = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}((a|b|rc){_NUMBER})?\+?")
_PLATFORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]{0,127}")
_WHEEL = re.compile(r"[A-Za-z0-9_.!+]+(-[A-Za-z0-9_.!+]+){4,5}\.whl")
# Controls and surrogates: what a terminal obeys, and what is no text.
_NOT_IN_PATHS = re.compile(r"[\\\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class ManifestError(canonical.FormError):
    """Bytes that are no manifest; `reason` is one of docs/format.md §11."""

    subject = "manifest"


@dataclass(frozen=True)
class Wheel:
    """A dependency: everything installed of it follows from the wheel's SHA-256."""

    name: str
    version: str
    file: str
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The members of a manifest, but for `format`; digests are SHA-256 in hex."""

    project: str
    commit: str | None
    dirty: bool
    entry: str
    python: str
    platform: str
    lock: str
    tools: Mapping[str, str]
    wheels: Sequence[Wheel]
    files: Mapping[str, str]
    sealed: Mapping[str, Mapping[str, str]]
    serial: int | None


def dump(manifest: Manifest) -> bytes:
    """The one encoding of a manifest; raises ManifestError where a member breaks its grammar."""
    return canonical.dump(members(manifest), ManifestError)


def parse(data: bytes) -> Manifest:
    """The manifest in `data`; raises ManifestError unless `data` is the one encoding of one."""
    manifest = of(canonical.parse(data, FORMAT, ManifestError))
    if dump(manifest) != data:
        raise ManifestError("not in canonical form")
    return manifest


def members(manifest: Manifest) -> dict[str, Any]:
    """The object that a manifest is written as; raises ManifestError as `dump`."""
    found = {"format": FORMAT, **asdict(manifest)}
    _check(found)
    return found


def of(members: Any) -> Manifest:
    """The manifest that an object which was read states; raises ManifestError."""
    if not isinstance(members, Mapping) or members.get("format") != FORMAT:
        raise ManifestError("without a format")
    _check(members)
    stated = {name: value for name, value in members.items() if name != "format"}
    return Manifest(**stated | {"wheels": tuple(Wheel(**wheel) for wheel in members["wheels"])})


def is_place(value: object) -> bool:
    """Whether `value` can name a project or an environment."""
    return isinstance(value, str) and _PLACE.fullmatch(value) is not None


def is_secret(value: object) -> bool:
    """Whether `value` can name a secret."""
    return isinstance(value, str) and _SECRET.fullmatch(value) is not None


def is_path(value: object) -> bool:
    """Whether `value` can name a packed file: relative, plain, without `.` and `..`."""
    return (
        isinstance(value, str)
        and _NOT_IN_PATHS.search(value) is None
        and not any(part in ("", ".", "..") for part in value.split("/"))
    )


def _check(members: Mapping[str, Any]) -> None:
    canonical.check(members, _MEMBERS, ManifestError)
    if members["commit"] is None and not members["dirty"]:
        raise ManifestError("not dirty, and yet without a commit")


def _maybe(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or holds(value)


def _serial(value: Any) -> bool:
    return type(value) is int and 1 <= value <= MAX_SERIAL


def _files(value: Any) -> bool:
    return object_of(is_path, digest)(value) and FILE not in value


def _wheels(value: Any) -> bool:
    if not isinstance(value, list | tuple) or not all(_wheel(wheel) for wheel in value):
        return False
    found = [wheel["name"] for wheel in value]
    return found == sorted(set(found))


def _wheel(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and set(value) == {field.name for field in fields(Wheel)}
        and all(holds(value[name]) for name, holds in _OF_A_WHEEL.items())
    )


_OF_A_WHEEL: Mapping[str, Callable[[Any], bool]] = {
    "name": matches(_NAME),
    "version": matches(_VERSION),
    "file": matches(_WHEEL),
    "sha256": digest,
}
_MEMBERS: Mapping[str, Callable[[Any], bool]] = {
    "project": matches(_PLACE),
    "commit": _maybe(matches(_COMMIT)),
    "dirty": lambda value: isinstance(value, bool),
    "entry": matches(_MODULE),
    "python": matches(_PYTHON),
    "platform": matches(_PLATFORM),
    "lock": digest,
    "tools": object_of(matches(_NAME), matches(_VERSION)),
    "wheels": _wheels,
    "files": _files,
    "sealed": object_of(matches(_PLACE), object_of(matches(_SECRET), digest)),
    "serial": _maybe(_serial),
}
