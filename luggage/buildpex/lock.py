"""The text of a lock → its pins: name, version, marker, hashes.

    lock    = { line }
    line    = NAME [ "[" EXTRAS "]" ] "==" VERSION [ ";" MARKER ] HASH { HASH } [ comment ]
    HASH    = "--hash=sha256:" HEX
    comment = "#" …

A line goes on behind a backslash at its end. This is what `uv pip compile --generate-hashes` and
pip-compile write, and the part of pip's format that pins; nothing else of that format is taken.
Only the standard library is used here: boot reads the tools' lock before the tools are there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from luggage.errors import LuggageError, all_wrong

_PIN = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[A-Za-z0-9._,\s-]*\])?"
    r"\s*==\s*(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)\s*(?:;\s*(?P<marker>.+))?"
)
_HASH = re.compile(r"--hash=(\S*)")
_SHA256 = re.compile(r"sha256:([0-9a-f]{64})")
_COMMENT = re.compile(r"(^|\s)#.*$")

REFRESH = "python -m deploy lock"


@dataclass(frozen=True)
class Pin:
    """One line of a lock: `name` is normalised (PEP 503), `hashes` are SHA-256 in hex, `line`
    counts from 1.
    """

    name: str
    version: str
    marker: str | None
    hashes: frozenset[str]
    line: int

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"

    def dump(self, *, hashes: bool = True) -> str:
        """The line of a lock that says this."""
        words = [str(self), *([";", self.marker] if self.marker else [])]
        return " ".join([*words, *(f"--hash=sha256:{it}" for it in sorted(self.hashes) if hashes)])


def normalise(name: str) -> str:
    """A project's name as PEP 503 spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read(path: Path) -> tuple[Pin, ...]:
    """The pins of the lock at `path`; raises LuggageError where it is not there or not a lock."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise LuggageError(f"lock '{path.name}': not found", f"make it: {REFRESH}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LuggageError(f"lock '{path.name}': cannot be read: {error}") from error
    return parse(text, path.name)


def parse(text: str, name: str) -> tuple[Pin, ...]:
    """The pins of a lock's text; raises one LuggageError that tells every line that is not a pin.

    `name` is what the error calls the lock.
    """
    pins: list[Pin] = []
    wrong: list[str] = []
    for number, line in _logical_lines(text):
        try:
            pins.append(_pin(line, number))
        except ValueError as error:
            wrong.append(f"{name}:{number}: {_short(line)}: {error}")
    if wrong:
        raise LuggageError(
            all_wrong(wrong), f"pin every line with == and a hash: {REFRESH} writes {name} anew"
        )
    return tuple(pins)


def _logical_lines(text: str) -> list[tuple[int, str]]:
    lines: list[tuple[int, str]] = []
    joined, start = "", 0
    for number, physical in enumerate(text.splitlines(), 1):
        content = _COMMENT.sub("", physical).rstrip()
        if not joined:
            start = number
        if content.endswith("\\"):
            joined += content[:-1].strip() + " "
            continue
        joined = (joined + content.strip()).strip()
        if joined:
            lines.append((start, joined))
        joined = ""
    if joined.strip():
        lines.append((start, joined.strip()))
    return lines


def _pin(line: str, number: int) -> Pin:
    hashes = _HASH.findall(line)
    requirement = _HASH.sub("", line).strip()
    if requirement.startswith("-"):
        raise ValueError("an option, not a pinned requirement")
    match = _PIN.fullmatch(requirement)
    if match is None:
        raise ValueError("not pinned with == to one version")
    if not hashes:
        raise ValueError("no --hash=sha256:…")
    digests = [_SHA256.fullmatch(value) for value in hashes]
    if not all(digests):
        raise ValueError("a hash that is not sha256: and 64 lower-case hex digits")
    marker = match["marker"]
    return Pin(
        name=normalise(match["name"]),
        version=match["version"],
        marker=marker.strip() if marker else None,
        hashes=frozenset(digest[1] for digest in digests if digest),
        line=number,
    )


def _short(line: str) -> str:
    requirement = _HASH.sub("", line).strip()
    return f"'{requirement if len(requirement) <= 80 else requirement[:79] + '…'}'"
