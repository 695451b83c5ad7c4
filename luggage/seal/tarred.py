"""The bytes of a tar → its members, read as every engine reads them, or not at all.

Engines are forgiving, each in another way. What two readers could read differently would be
verified as one thing and run as another, so it is refused: numbers that are not plain octal,
unknown or repeated extended headers, members of other kinds, whatever follows the end.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from luggage.errors import LuggageError

BLOCK = 512
CHUNK = 1 << 20
_MAX_MEMBERS = 200_000
_MAX_EXTENDED = 1 << 16  # bytes of a long name
_KINDS = {b"0": "file", b"5": "dir", b"2": "link", b"1": "hard"}
_MAGIC = (b"ustar\x0000", b"ustar  \x00")
_NUMBERS = ((100, 8), (108, 8), (116, 8), (124, 12))
_OCTAL = re.compile(rb" *[0-7]*[ \0]*")
_RECORD = re.compile(rb"([1-9][0-9]{0,4}) ([^=\0]+)=")
_HARMLESS = {"path", "linkpath", "mtime", "atime", "ctime", "uname", "gname"}
# What a compressed file starts with: engines look at that, and at no name or type, to choose a
# reader. gzip, bzip2, xz, zstd, and frames that zstd skips.
_COMPRESSED = re.compile(
    rb"\x1f\x8b|BZh|\xfd7zXZ\x00|\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", re.DOTALL
)
_UNUSED = ((0, 100), (157, 257), (265, 329), (345, 500))  # of an extended header: its texts
_PLAIN = re.compile(rb"[\0 -~]*")
_WANTED = "name a pex, an image, or a file that `docker save` or `podman save` wrote"
_FILE_TYPES = 0o170000  # bits that some engines set beside the mode


class TarError(LuggageError):
    """Bytes that are no tar, or one that readers could take for different things."""


@dataclass(frozen=True)
class Member:
    """One member; `kind` is `file`, `dir`, `link` or `hard`, whose `target` is another member.

    `path` is plain and relative; that of the folder which everything lies in is empty.
    """

    path: str
    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    target: str


class Reader:
    """Iterates over the members that `read` gives; `body` is the bytes of the last one.

    `read(n)` gives n bytes, or fewer where there are no more. `skip(n)` may leave them out faster.
    """

    def __init__(self, read: Callable[[int], bytes], skip: Callable[[int], None] | None = None):
        self.read = read
        self.skip = skip or self._drain
        self.left = 0
        self.padding = 0

    def __iter__(self) -> Iterator[Member]:
        seen: set[str] = set()
        long: dict[str, str] = {}
        block = self._block()
        if _COMPRESSED.match(block):
            raise TarError("starts as what is compressed does")
        while block != bytes(BLOCK):
            header = _header(block)
            self.left, self.padding = header.size, -header.size % BLOCK
            if header.type in (b"x", b"L", b"K"):
                _check_unused(block)
                long = _more(long, header.type, self._extended(header.size))
                block = self._block()
                continue
            member = _member(header, long)
            long = {}
            if member.path in seen:
                raise TarError(f"{member.path!r} stands twice")
            seen.add(member.path)
            if len(seen) > _MAX_MEMBERS:
                raise TarError(f"more than {_MAX_MEMBERS:,} members")
            yield member
            self._next()
            block = self._block()
        if long:
            raise TarError("ends after an extended header")
        self._end()

    def body(self) -> Iterator[bytes]:
        """The bytes of the member that was read last, in pieces."""
        while self.left:
            piece = self.read(min(CHUNK, self.left))
            if not piece:
                raise TarError("ends in the middle of a member")
            self.left -= len(piece)
            yield piece

    def _next(self) -> None:
        self.skip(self.left)
        if self.read(self.padding) != bytes(self.padding):
            raise TarError("a member is not padded with zeros")
        self.left = self.padding = 0

    def _drain(self, size: int) -> None:
        while size:
            piece = self.read(min(CHUNK, size))
            if not piece:
                raise TarError("ends in the middle of a member")
            size -= len(piece)

    def _block(self) -> bytes:
        block = self.read(BLOCK)
        if len(block) != BLOCK:
            raise TarError("ends without its end mark")
        return block

    def _extended(self, size: int) -> bytes:
        if size > _MAX_EXTENDED:
            raise TarError("an extended header is too long")
        data = b"".join(self.body())
        self._next()
        return data

    def _end(self) -> None:
        if self._block().strip(b"\0"):
            raise TarError("one empty block and then more: not an end")
        while piece := self.read(CHUNK):
            if piece.strip(b"\0"):
                raise TarError("bytes follow its end")


def _header(block: bytes) -> tarfile.TarInfo:
    """A header's fields, where no reader could take them for others."""
    if block[257:265] not in _MAGIC:
        raise TarError("not a tar, or one in an old format", _WANTED)
    gnu = block[257:265] == _MAGIC[1]
    for start, size in _NUMBERS:
        if _OCTAL.fullmatch(block[start : start + size]) is None:
            raise TarError("a number in a header is not plain octal")
    if block[500:].strip(b"\0") or (gnu and block[345:500].strip(b"\0")):
        raise TarError("a header has fields of another format")
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise TarError(f"a header is damaged: {error}") from error
    name = block[:100].partition(b"\0")[0]
    header.name = name.decode("utf-8", "surrogateescape")
    prefix = block[345:500].partition(b"\0")[0].decode("utf-8", "surrogateescape")
    if prefix and not gnu:
        header.name = f"{prefix}/{header.name}"
    return header


def _check_unused(block: bytes) -> None:
    """Refuse an extended header in which something else is hidden where no reader looks."""
    if not all(_PLAIN.fullmatch(block[start:end]) for start, end in _UNUSED):
        raise TarError("an extended header has bytes of something else")


def _more(long: dict[str, str], kind: bytes, data: bytes) -> dict[str, str]:
    """What an extended header says, beside what one before it said of the same member."""
    if kind == b"x":
        found = _records(data)
    else:
        text = data.rstrip(b"\0").decode("utf-8", "surrogateescape")
        found = {"path" if kind == b"L" else "linkpath": text}
    if not found or set(found) & set(long) or any("\0" in text for text in found.values()):
        raise TarError("an extended header is empty, or says something twice")
    return {**long, **found}


def _records(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    while data:
        match = _RECORD.match(data)
        size = int(match[1]) if match else 0
        if match is None or data[size - 1 : size] != b"\n" or size <= match.end():
            raise TarError("an extended header is damaged")
        key = match[2].decode("utf-8", "surrogateescape")
        if ".xattr." in key or ".acl." in key:
            raise TarError(f"a member has extended attributes: {key!r}")
        if key not in _HARMLESS:
            raise TarError(f"an extended header says what is not known: {key!r}")
        if key in found:
            raise TarError(f"an extended header says {key!r} twice")
        found[key] = data[match.end() : size - 1].decode("utf-8", "surrogateescape")
        if not found[key] and key in ("path", "linkpath"):
            raise TarError(f"an extended header empties {key!r}")
        data = data[size:]
    return found


def _member(header: tarfile.TarInfo, long: dict[str, str]) -> Member:
    name = long.get("path", header.name)
    kind = _KINDS.get(header.type)
    if kind is None:
        raise TarError(f"{name!r}: a device, a pipe or something else that is no file")
    path = plain(name.removesuffix("/") if kind == "dir" else name)
    if not path and kind != "dir":
        raise TarError("what everything lies in is no folder")
    if kind != "file" and header.size:
        raise TarError(f"{name!r}: a {kind} with bytes of its own")
    mode = header.mode & ~_FILE_TYPES
    if mode > 0o7777:
        raise TarError(f"{name!r}: mode {mode:o} is out of range")
    target = long.get("linkpath", header.linkname) if kind in ("link", "hard") else ""
    if kind in ("link", "hard") and not target:
        raise TarError(f"{name!r}: a link to nothing")
    found = Member(path, kind, mode, header.uid, header.gid, header.size, target)
    return replace(found, target=plain(target)) if kind == "hard" else found


def plain(name: str) -> str:
    """A member's name without a leading `./`; raises TarError where it leaves the tree."""
    path = "" if name == "." else name.removeprefix("./")
    if path and any(part in ("", ".", "..") for part in path.split("/")):
        raise TarError(f"{name!r}: not a plain relative path")
    return path
