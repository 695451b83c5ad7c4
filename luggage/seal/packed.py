"""A pex file → its files, read as the zip it is."""

from __future__ import annotations

import hashlib
import stat
import zipfile
import zlib
from io import BufferedReader
from posixpath import normpath

from luggage.errors import LuggageError
from luggage.proof.tree import Entry
from luggage.seal import artifact, tarred
from luggage.seal.artifact import Artifact
from luggage.seal.room import MOST_MEMBERS, Room

_CHUNK = 1 << 20
_MOST_BYTES = 4 << 30  # unpacked
_KINDS = {0: "file", stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link"}


def load(file: BufferedReader, name: str) -> Artifact:
    """The pex in an open file; raises LuggageError where it is none that can be trusted to be read
    in one way only.
    """
    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    size = file.tell()
    try:
        with zipfile.ZipFile(file) as archive:
            members = _checked(archive)
            entries: dict[str, Entry] = {}
            texts: dict[str, bytes] = {}
            room = Room()
            for path, info in members.items():
                entries[path], kept = _entry(archive, path, info, room)
                if kept is not None:
                    texts[path] = kept
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise LuggageError(f"{name}: not a pex, or damaged: {error}") from error
    except LuggageError as error:
        raise LuggageError(f"{name}: {error.message}", error.hint) from error
    packages, manifest = artifact.described(name, texts, artifact.of_pex)
    return Artifact(artifact.PEX, name, sha256, size, packages, manifest, entries, texts)


def _checked(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The members by their plain paths, before one byte of them is unpacked."""
    found: dict[str, zipfile.ZipInfo] = {}
    infos = archive.infolist()
    if len(infos) > MOST_MEMBERS or sum(info.file_size for info in infos) > _MOST_BYTES:
        raise LuggageError("too large: more files or bytes than any artifact has")
    for info in infos:
        # Up to a NUL that zipfile cuts off and other readers might not.
        if info.orig_filename != info.filename:
            raise LuggageError(f"{info.orig_filename!r}: not a plain relative path")
        path = tarred.plain(info.filename.removesuffix("/"))
        if not path or path in found:
            raise LuggageError(f"{info.filename!r} stands twice, or has no name")
        if info.flag_bits & 1 or info.compress_type not in (
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
        ):
            raise LuggageError(f"{path!r}: encrypted, or compressed as no pex is")
        found[path] = info
    return found


def _entry(
    archive: zipfile.ZipFile, path: str, info: zipfile.ZipInfo, room: Room
) -> tuple[Entry, bytes | None]:
    """A member, and its bytes where they are kept."""
    mode = info.external_attr >> 16
    kind = _KINDS.get(stat.S_IFMT(mode))
    if kind is None or (info.is_dir() != (kind == "dir") and stat.S_IFMT(mode)):
        raise LuggageError(f"{path!r}: neither file, folder nor link")
    if info.is_dir():
        return Entry(path, "dir", stat.S_IMODE(mode)), None
    kept = bytearray() if kind == "link" or artifact.is_text(path) else None
    if kept is not None:
        room.take(path, info.file_size)  # zipfile gives no byte more than that
    digest = hashlib.sha256()
    with archive.open(info) as body:
        while piece := body.read(_CHUNK):
            digest.update(piece)
            if kept is not None:
                kept += piece
    if kind == "link":
        target = bytes(kept or b"").decode("utf-8", "surrogateescape")
        if not target or "\0" in target:
            raise LuggageError(f"{path!r}: a link to nothing")
        ends = normpath(f"{path}/../{target}")
        if target.startswith("/") or ends.split("/")[0] == "..":
            raise LuggageError(f"{path!r}: a link that leaves the pex")
        return Entry(path, "link", 0o777, target=target), None
    found = Entry(path, "file", stat.S_IMODE(mode), info.file_size, digest.hexdigest())
    return found, None if kept is None else bytes(kept)
