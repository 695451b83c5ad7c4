"""What went into a pex ⇄ the bytes of its manifest (docs/format.md, §6).

Standard library alone, as packing has no more: so the names of §1.2 are here as well as in
luggage.crypto, which needs libsodium.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from luggage.errors import LuggageError

FILE = "luggage-manifest.json"
FORMAT = "luggage-manifest-v1"
MAX_BYTES = 16 * 1024 * 1024

_PLACE = re.compile(r"[a-z][a-z0-9-]{0,62}")
_SECRET = re.compile(r"[A-Z][A-Z0-9_]{0,62}")
_MAX_SERIAL = 2**63 - 1
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_NUMBER = r"(0|[1-9][0-9]{0,8})"
_PYTHON = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}((a|b|rc){_NUMBER})?\+?")
_PLATFORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]{0,127}")
_WHEEL = re.compile(r"[A-Za-z0-9_.!+]+(-[A-Za-z0-9_.!+]+){4,5}\.whl")
# Controls and surrogates: what a terminal obeys, and what is no text.
_NOT_IN_PATHS = re.compile(r"[\\\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class ManifestError(LuggageError):
    """Bytes that are no manifest; `reason` is one of docs/format.md §8."""

    def __init__(self, message: str, hint: str | None = None, *, reason: str = "manifest") -> None:
        super().__init__(f"manifest: {message}", hint)
        self.reason = reason


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
    members = {"format": FORMAT, **asdict(manifest)}
    _check(members)
    # Python compares texts by code point, and escapes as §6 says.
    text = json.dumps(members, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    data = text.encode("ascii") + b"\n"
    _check_size(data)
    return data


def parse(data: bytes) -> Manifest:
    """The manifest in `data`; raises ManifestError unless `data` is the one encoding of one."""
    _check_size(data)
    try:
        members = json.loads(data.decode("ascii"), object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"not JSON: {error}") from error
    if not isinstance(members, dict) or not isinstance(members.get("format"), str):
        raise ManifestError("without a format")
    if members["format"] != FORMAT:
        later = members["format"].startswith("luggage-manifest-v")
        raise ManifestError(
            f"format {members['format']!a} is unknown",
            "use the luggage that packed it, or a later one",
            reason="version" if later else "manifest",
        )
    _check(members)
    del members["format"]
    wheels = tuple(Wheel(**wheel) for wheel in members.pop("wheels"))
    manifest = Manifest(**members, wheels=wheels)
    if dump(manifest) != data:
        raise ManifestError("not in canonical form")
    return manifest


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


def _check_size(data: bytes) -> None:
    if len(data) > MAX_BYTES:
        raise ManifestError("larger than 16 MiB", reason="size")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def _check(members: Mapping[str, Any]) -> None:
    expected = {"format", *(field.name for field in fields(Manifest))}
    if set(members) != expected:
        odd = ", ".join(ascii(name)[1:-1] for name in sorted(set(members) ^ expected))
        raise ManifestError(f"a member is missing or unknown: {odd}")
    wrong = sorted(name for name, holds in _MEMBERS.items() if not holds(members[name]))
    if wrong:
        raise ManifestError(f"not as docs/format.md says: {', '.join(wrong)}")
    if members["commit"] is None and not members["dirty"]:
        raise ManifestError("not dirty, and yet without a commit")


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _maybe(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or holds(value)


def _object_of(name: Callable[[Any], bool], value: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda members: (
        isinstance(members, Mapping)
        and all(name(key) and value(member) for key, member in members.items())
    )


def _serial(value: Any) -> bool:
    return type(value) is int and 1 <= value <= _MAX_SERIAL


def _files(value: Any) -> bool:
    return _object_of(is_path, _digest)(value) and FILE not in value


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


_digest = _matches(_DIGEST)
_OF_A_WHEEL: Mapping[str, Callable[[Any], bool]] = {
    "name": _matches(_NAME),
    "version": _matches(_VERSION),
    "file": _matches(_WHEEL),
    "sha256": _digest,
}
_MEMBERS: Mapping[str, Callable[[Any], bool]] = {
    "project": _matches(_PLACE),
    "commit": _maybe(_matches(_COMMIT)),
    "dirty": lambda value: isinstance(value, bool),
    "entry": _matches(_MODULE),
    "python": _matches(_PYTHON),
    "platform": _matches(_PLATFORM),
    "lock": _digest,
    "tools": _object_of(_matches(_NAME), _matches(_VERSION)),
    "wheels": _wheels,
    "files": _files,
    "sealed": _object_of(_matches(_PLACE), _object_of(_matches(_SECRET), _digest)),
    "serial": _maybe(_serial),
}
