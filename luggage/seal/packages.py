"""Wheels, and the files of a Debian root → what each package says of itself."""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath

from luggage.errors import LuggageError, all_wrong

_STATUS = PurePosixPath("var/lib/dpkg/status.d")
_OS_RELEASE = PurePosixPath("usr/lib/os-release")
_NEEDED = ("Package", "Version", "Architecture", "Maintainer")
_VARIABLE = re.compile(r"""(?P<name>[A-Za-z0-9_]+)=(?P<quote>["']?)(?P<value>.*)(?P=quote)""")
_ESCAPED = re.compile(r"""\\([\\$"'`])""")


@dataclass(frozen=True)
class Wheel:
    """A dependency: `sha256` is the wheel's as the lock has it, `metadata` its METADATA."""

    name: str
    version: str
    sha256: str
    metadata: str


@dataclass(frozen=True)
class Root:
    """What the base of an image says of itself: a stanza for each package, and its os-release."""

    debian: Sequence[Mapping[str, str]]
    os_release: Mapping[str, str]


def metadata(wheel: Path) -> str:
    """The METADATA of a wheel; raises LuggageError where it has none, or two."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            found = [name for name in archive.namelist() if _is_metadata(name)]
            if len(found) == 1:
                # A few old wheels have Latin-1 in them; every name and version is ASCII.
                return archive.read(found[0]).decode("utf-8", errors="replace")
    except (zipfile.BadZipFile, OSError) as error:
        raise LuggageError(f"wheel '{wheel}': cannot be read: {error}") from error
    raise LuggageError(f"wheel '{wheel}': has {len(found)} METADATA, and not one")


def in_folder(root: Path) -> Root:
    """What the root in a folder says of itself; raises LuggageError."""
    stanzas = root / _STATUS
    files = sorted(stanzas.iterdir()) if stanzas.is_dir() else []
    release = root / _OS_RELEASE
    return _root(
        {path.name: path.read_bytes() for path in files},
        release.read_bytes() if release.is_file() else None,
        root,
    )


def in_tar(path: Path) -> Root:
    """What the root in a tar says of itself; raises LuggageError."""
    stanzas: dict[str, bytes] = {}
    release = None
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                name = PurePosixPath(member.name)
                if member.isfile() and (name.parent == _STATUS or name == _OS_RELEASE):
                    stream = tar.extractfile(member)
                    data = stream.read() if stream else b""
                    if name == _OS_RELEASE:
                        release = data
                    else:
                        stanzas[name.name] = data
    except (tarfile.TarError, OSError) as error:
        raise LuggageError(f"'{path}': cannot be read as a tar: {error}") from error
    return _root(stanzas, release, path)


def stanza(data: bytes, subject: str) -> Mapping[str, str]:
    """The fields of one package in dpkg's status; raises LuggageError.

    deb-control(5) shares its syntax of fields and continued lines with e-mail headers.
    """
    try:
        message = HeaderParser().parsestr(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise LuggageError(f"{subject}: not UTF-8") from error
    fields = {name: str(value) for name, value in message.items()}
    wrong = [f"{subject}: no field '{name}'" for name in _NEEDED if not fields.get(name)]
    if str(message.get_payload()).strip() or len(fields) != len(message):
        wrong.append(f"{subject}: not one stanza")
    if wrong:
        raise LuggageError(all_wrong(wrong))
    return fields


def os_release(data: bytes) -> Mapping[str, str]:
    """The variables of os-release(5), whose values are quoted as a shell's."""
    lines = (_VARIABLE.fullmatch(line.strip()) for line in data.decode("utf-8").splitlines())
    return {line["name"]: _ESCAPED.sub(r"\1", line["value"]) for line in lines if line}


def _root(stanzas: Mapping[str, bytes], release: bytes | None, origin: Path) -> Root:
    wrong = []
    found = []
    for name, data in sorted(stanzas.items()):
        # As others put them beside the stanzas, and scanners read them.
        if name.endswith(".md5sums"):
            continue
        try:
            found.append(stanza(data, f"'{origin}': {_STATUS / name}"))
        except LuggageError as error:
            wrong.append(error.message)
    if not found and not wrong:
        wrong.append(f"'{origin}': no package in {_STATUS}")
    if release is None:
        wrong.append(f"'{origin}': no {_OS_RELEASE}")
    if release is None or wrong:
        raise LuggageError(all_wrong(wrong), "make the builder anew: ./create --refresh")
    try:
        return Root(found, os_release(release))
    except ValueError as error:
        raise LuggageError(f"'{origin}': {_OS_RELEASE}: {error}") from error


def _is_metadata(name: str) -> bool:
    folder, _, file = name.partition("/")
    return folder.endswith(".dist-info") and file == "METADATA"
