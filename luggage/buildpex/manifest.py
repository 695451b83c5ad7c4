"""What went into a pex ↔ the bytes of its manifest (docs/format.md, §6)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from luggage.errors import LuggageError

FORMAT = "luggage-manifest-v1"
_MAX_SERIAL = 2**63 - 1

_PROJECT = re.compile(r"[a-z][a-z0-9-]{0,62}")
_SECRET = re.compile(r"[A-Z][A-Z0-9_]{0,62}")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_PYTHON = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.+]*")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


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
    """The one encoding of a manifest; raises LuggageError where a member is not of its grammar."""
    members = {"format": FORMAT, **asdict(manifest)}
    _check(members)
    text = json.dumps(members, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return text.encode("ascii") + b"\n"


def parse(data: bytes) -> Manifest:
    """The manifest in `data`; raises LuggageError unless `data` is the one encoding of one."""
    try:
        members = json.loads(data.decode("ascii"), object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise LuggageError(f"manifest: not JSON: {error}") from error
    if not isinstance(members, dict) or not isinstance(members.get("format"), str):
        raise LuggageError("manifest: without a format")
    if members["format"] != FORMAT:
        raise LuggageError(
            f"manifest: format '{members['format']}' is unknown",
            "use the luggage that packed it, or a later one",
        )
    _check(members)
    del members["format"]
    wheels = tuple(Wheel(**wheel) for wheel in members.pop("wheels"))
    manifest = Manifest(**members, wheels=wheels)
    if dump(manifest) != data:
        raise LuggageError("manifest: not in canonical form")
    return manifest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def _check(members: Mapping[str, Any]) -> None:
    names = {"format", *(field.name for field in fields(Manifest))}
    if set(members) != names:
        odd = ", ".join(sorted(set(members) ^ names))
        raise LuggageError(f"manifest: a member is missing or unknown: {odd}")
    wrong = sorted(name for name, holds in _MEMBERS.items() if not holds(members[name]))
    if wrong:
        raise LuggageError(f"manifest: not as docs/format.md says: {', '.join(wrong)}")


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _maybe(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or holds(value)


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _serial(value: Any) -> bool:
    return type(value) is int and 1 <= value <= _MAX_SERIAL


def _object_of(name: Callable[[Any], bool], value: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda members: (
        isinstance(members, Mapping)
        and all(name(key) and value(member) for key, member in members.items())
    )


def _path(value: Any) -> bool:
    return _text(value) and not any(part in ("", ".", "..") for part in value.split("/"))


def _wheels(value: Any) -> bool:
    if not isinstance(value, Sequence) or not all(_wheel(wheel) for wheel in value):
        return False
    names = [wheel["name"] for wheel in value]
    return names == sorted(set(names))


def _wheel(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and set(value) == {field.name for field in fields(Wheel)}
        and _matches(_NAME)(value["name"])
        and _text(value["version"])
        and _path(value["file"])
        and "/" not in value["file"]
        and _matches(_DIGEST)(value["sha256"])
    )


_digest = _matches(_DIGEST)
_MEMBERS: Mapping[str, Callable[[Any], bool]] = {
    "project": _matches(_PROJECT),
    "commit": _maybe(_matches(_COMMIT)),
    "dirty": lambda value: isinstance(value, bool),
    "entry": _matches(_MODULE),
    "python": _matches(_PYTHON),
    "platform": _text,
    "lock": _digest,
    "tools": _object_of(_matches(_NAME), _text),
    "wheels": _wheels,
    "files": _object_of(_path, _digest),
    "sealed": _object_of(_matches(_PROJECT), _object_of(_matches(_SECRET), _digest)),
    "serial": _maybe(_serial),
}
