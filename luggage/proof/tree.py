"""A tree of files ⇄ its listing: mtree(5) text in one canonical form (docs/format.md, §7).

Standard library alone.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from luggage.proof import canonical

HEAD = b"#mtree\n"

# Beside what mtree(5) takes for itself, `*?[` are patterns to some of its readers.
_ESCAPED = re.compile(rb"[^!-~]|[#*=?\[\\]")
_ESCAPE = re.compile(rb"\\([0-3][0-7][0-7])")
_NUMBER = rb"0|[1-9][0-9]{0,18}"
_LINE = re.compile(
    rb"\./(?P<path>[!-~]+) type=(?P<kind>dir|file|link) mode=(?P<mode>[0-7]{4}) "
    rb"uid=(?P<uid>%(n)s) gid=(?P<gid>%(n)s)"
    rb"(?: size=(?P<size>%(n)s) sha256digest=(?P<sha256>[0-9a-f]{64})| link=(?P<target>[!-~]+))?"
    % {b"n": _NUMBER}
)


class TreeError(canonical.FormError):
    """Bytes that are no listing, or a tree that has none; `reason` is one of docs/format.md §11."""

    subject = "listing"


@dataclass(frozen=True)
class Entry:
    """One path, without a leading `./` or `/`; `kind` is `dir`, `file` or `link`.

    Only a file has a `size` in bytes and a `sha256` in hex, only a link a `target`. Bytes of a name
    that are no UTF-8 are surrogates, as `os.fsdecode` makes them.
    """

    path: str
    kind: str
    mode: int
    size: int | None = None
    sha256: str | None = None
    target: str | None = None
    uid: int = 0
    gid: int = 0


def dump(entries: Iterable[Entry]) -> bytes:
    """The listing of `entries`, in any order; raises TreeError where one breaks its grammar."""
    lines = {}
    for entry in entries:
        name = _encoded(entry.path)
        if name in lines:
            raise TreeError(f"{entry.path!r} stands twice")
        lines[name] = line(entry)
    data = HEAD + b"".join(lines[name] + b"\n" for name in sorted(lines))
    _check_size(data)
    return data


def line(entry: Entry) -> bytes:
    """The one line of `entry`, without its line feed; raises TreeError."""
    name = _encoded(entry.path)
    if any(part in (b"", b".", b"..") for part in name.split(b"/")) or b"\0" in name:
        raise TreeError(f"{entry.path!r}: not a plain relative path")
    what: tuple[object, ...] = (entry.size is None, entry.sha256 is None, entry.target is None)
    if what != _HAS.get(entry.kind) or not 0 <= entry.mode <= 0o7777:
        raise TreeError(f"{entry.path!r}: not the members that a {entry.kind} has")
    told = b"./%s type=%s mode=%04o uid=%d gid=%d" % (
        escape(name),
        entry.kind.encode(),
        entry.mode,
        entry.uid,
        entry.gid,
    )
    if entry.kind == "file":
        told += b" size=%d sha256digest=%s" % (entry.size or 0, (entry.sha256 or "").encode())
    elif entry.kind == "link":
        told += b" link=%s" % escape(_encoded(entry.target or ""))
    if _LINE.fullmatch(told) is None:
        raise TreeError(f"{entry.path!r}: a member is not as docs/format.md says")
    return told


def parse(data: bytes) -> tuple[Entry, ...]:
    """The entries of the listing in `data`, sorted; raises TreeError unless it is canonical."""
    _check_size(data)
    if not data.startswith(HEAD) or not data.endswith(b"\n"):
        raise TreeError("does not start with #mtree, or its last line has no end")
    lines = data.removeprefix(HEAD).split(b"\n")[:-1]
    found = tuple(_read(number, text) for number, text in enumerate(lines, 2))
    if dump(found) != data:
        raise TreeError("not in canonical form")
    return found


def scan(root: Path, below: Iterable[str] = (".",)) -> tuple[Entry, ...]:
    """What lies in `root` at and under each path of `below`, sorted; `root` itself is no entry.

    Raises TreeError where something is neither file, folder nor link, OSError where it cannot be
    read.
    """
    found: dict[str, Entry] = {}
    for part in below:
        start = "" if part == "." else part
        for path in [start] if start else []:
            found[path] = _entry(root, path)
        if not start or found[start].kind == "dir":
            found.update((path, _entry(root, path)) for path in _walk(root, start))
    return tuple(found[path] for path in sorted(found, key=_encoded))


def escape(name: bytes) -> bytes:
    r"""`name` with `\ooo` for each byte that mtree(5) or one of its readers takes for its own."""
    return _ESCAPED.sub(lambda match: b"\\%03o" % match[0][0], name)


def _walk(root: Path, folder: str) -> Iterator[str]:
    with os.scandir(root / folder) as found:
        entries = list(found)
    for entry in entries:
        path = f"{folder}/{entry.name}" if folder else entry.name
        yield path
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(root, path)


def _entry(root: Path, path: str) -> Entry:
    place = root / path
    state = place.lstat()
    mode = stat.S_IMODE(state.st_mode)
    if stat.S_ISLNK(state.st_mode):
        target = os.readlink(place)  # noqa: PTH115 - a Path drops `./` and a last `/`
        return Entry(path, "link", mode, None, None, target, state.st_uid, state.st_gid)
    if stat.S_ISDIR(state.st_mode):
        return Entry(path, "dir", mode, uid=state.st_uid, gid=state.st_gid)
    if not stat.S_ISREG(state.st_mode):
        raise TreeError(f"{path!r}: neither file, folder nor link")
    with place.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Entry(path, "file", mode, state.st_size, digest, None, state.st_uid, state.st_gid)


def _read(number: int, text: bytes) -> Entry:
    match = _LINE.fullmatch(text)
    if match is None:
        raise TreeError(f"line {number}: not as docs/format.md says")
    part = match.groupdict()
    return Entry(
        _decoded(part["path"]),
        part["kind"].decode(),
        int(part["mode"], 8),
        None if part["size"] is None else int(part["size"]),
        None if part["sha256"] is None else part["sha256"].decode(),
        None if part["target"] is None else _decoded(part["target"]),
        int(part["uid"]),
        int(part["gid"]),
    )


def _encoded(name: str) -> bytes:
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise TreeError(f"{name!r}: not a name that a file can have") from None


def _decoded(name: bytes) -> str:
    plain = _ESCAPE.sub(lambda match: bytes([int(match[1], 8)]), name)
    return plain.decode("utf-8", "surrogateescape")


def _check_size(data: bytes) -> None:
    if len(data) > canonical.MAX_BYTES:
        raise TreeError("larger than 16 MiB", reason="size")


# Whether `size`, `sha256` and `target` are None.
_HAS = {"dir": (True, True, True), "file": (False, False, True), "link": (True, True, False)}
