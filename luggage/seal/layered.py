"""Layers, the lowest first → the tree that a container sees."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import BinaryIO

from luggage.proof.tree import Entry
from luggage.seal import artifact
from luggage.seal.artifact import Layer
from luggage.seal.room import MOST_MEMBERS, Room
from luggage.seal.tarred import CHUNK, Member, Reader, TarError

_MOST_BYTES = 8 << 30  # of all layers, unpacked
_GZIP = b"\x1f\x8b"
_WHITEOUT = ".wh."
_AS_REGISTRIES_DO = 6  # zlib's level


@dataclass(frozen=True)
class Place:
    """Where a file's bytes start in the archive, and how many they are."""

    start: int
    size: int


class Tree:
    """What the layers that were added make together.

    `odd` tells what no image of ours has: a layer that takes away or replaces what one below it
    brought, or puts something where no folder is. The last one that brings a path decides.
    """

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.texts: dict[str, bytes] = {}
        self.layers: list[Layer] = []
        self.odd: list[str] = []
        self.room = Room()

    def add(self, archive: BinaryIO, place: Place, diff_id: str, squeeze: bool) -> None:
        """Put one layer on top; raises TarError."""
        source = _Source(archive, place, squeeze)
        limit = _MOST_BYTES - sum(layer.size for layer in self.layers)
        reader = Reader(source.counted(limit))
        entries: dict[str, Entry] = {}
        texts: dict[str, bytes] = {}
        try:
            for member in reader:
                if wrong := _put(entries, texts, member, reader, self.room):
                    self.odd.append(wrong)
        except (OSError, EOFError, zlib.error) as error:
            raise TarError(f"a layer cannot be unpacked: {error}") from error
        if f"sha256:{source.digest.hexdigest()}" != diff_id:
            raise TarError(f"layer {len(self.layers) + 1} is not the one that the image names")
        files = sum(entry.kind == "file" for entry in entries.values())
        self.layers.append(Layer(diff_id, source.size, files, source.squeezed()))
        for path, entry in entries.items():
            if path in self.entries and self.entries[path] != entry:
                self.odd.append(f"{path!r}: a layer replaces what one below it brought")
                self.texts.pop(path, None)
        self.entries |= entries
        if len(self.entries) > MOST_MEMBERS:
            raise TarError("too large: more files than any artifact has")
        self.texts |= texts
        for path in entries:
            self._reached(path)

    def _reached(self, path: str) -> None:
        folder = path.rpartition("/")[0]
        if folder and folder not in self.entries:
            self.odd.append(f"{path!r}: lies in a folder that no layer brings")
        elif folder and self.entries[folder].kind != "dir":
            self.odd.append(f"{path!r}: lies below what is no folder")


class _Source:
    """The bytes of a layer as they are unpacked, counted and hashed."""

    def __init__(self, archive: BinaryIO, place: Place, squeeze: bool) -> None:
        archive.seek(place.start)
        raw: BinaryIO = io.BufferedReader(_Window(archive, place), CHUNK)
        head = raw.peek(2)[:2]  # type: ignore[attr-defined]
        self.stream: BinaryIO = gzip.GzipFile(fileobj=raw) if head == _GZIP else raw  # type: ignore[assignment]
        self.digest = hashlib.sha256()
        self.size = 0
        self.squeezer = zlib.compressobj(_AS_REGISTRIES_DO) if squeeze else None
        self.out = 0

    def counted(self, limit: int) -> Callable[[int], bytes]:
        def read(size: int) -> bytes:
            data = self.stream.read(size)
            self.digest.update(data)
            self.size += len(data)
            if self.size > limit:
                raise TarError("too large: more bytes than any artifact has")
            if self.squeezer is not None:
                self.out += len(self.squeezer.compress(data))
            return data

        return read

    def squeezed(self) -> int | None:
        return None if self.squeezer is None else self.out + len(self.squeezer.flush())


class _Window(io.RawIOBase):
    """A part of a file as a file of its own."""

    def __init__(self, file: BinaryIO, place: Place) -> None:
        self.file = file
        self.left = place.size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self.file.read(min(len(buffer), self.left))
        buffer[: len(data)] = data
        self.left -= len(data)
        return len(data)


def _put(
    entries: dict[str, Entry],
    texts: dict[str, bytes],
    member: Member,
    reader: Reader,
    room: Room,
) -> str | None:
    """Put a member into `entries`, and its bytes into `texts` where they are kept; returns what is
    odd about it.
    """
    path = member.path
    if not path:
        plain = (member.mode, member.uid, member.gid) == (0o755, 0, 0)
        return None if plain else "/: not root's, with mode 0755"
    if path.rpartition("/")[2].startswith(_WHITEOUT):
        return f"{path!r}: a layer takes away what one below it brought"
    owners = (member.uid, member.gid)
    if member.kind == "hard":
        entries[path] = _same(entries, member)
        return None
    if member.kind != "file":
        target = member.target or None
        entries[path] = Entry(path, member.kind, member.mode, None, None, target, *owners)
        return None
    kept = bytearray() if artifact.is_text(path) else None
    if kept is not None:
        room.take(path, member.size)
    digest = hashlib.sha256()
    for piece in reader.body():
        digest.update(piece)
        if kept is not None:
            kept += piece
    entries[path] = Entry(path, "file", member.mode, member.size, digest.hexdigest(), None, *owners)
    if kept is not None:
        texts[path] = bytes(kept)
    return None


def _same(entries: dict[str, Entry], member: Member) -> Entry:
    """A hard link, as the file that it is another name of."""
    found = entries.get(member.target)
    if found is None or found.kind != "file":
        raise TarError(f"{member.path!r}: a hard link to what its layer has not brought before")
    if (found.mode, found.uid, found.gid) != (member.mode, member.uid, member.gid):
        raise TarError(f"{member.path!r}: a hard link that changes what it is a name of")
    return replace(found, path=member.path)
