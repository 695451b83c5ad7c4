"""A tree of files → a layer of an image: a tar with nothing of its maker in it, and in it the
listing of all that it brings.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from luggage.buildpex.pex import EPOCH
from luggage.errors import LuggageError
from luggage.proof import seal, tree
from luggage.proof.tree import Entry

_HASH_BASED = 1  # the flag of a pyc that is checked by its source's hash (PEP 552)
_PYC_HEADER = 16  # bytes
_KINDS = {"dir": tarfile.DIRTYPE, "link": tarfile.SYMTYPE, "file": tarfile.REGTYPE}


@dataclass(frozen=True)
class Layer:
    """A layer's tar, and the SHA-256 of the listing in it."""

    name: str
    path: Path
    listing: str


def scan(root: Path, below: str) -> tuple[Entry, ...]:
    """What lies at and under `root`/`below`: root's, folders 755, files 755 or 644, links 777."""
    return tuple(_normal(entry) for entry in tree.scan(root, [below]))


def write(
    root: Path,
    entries: Iterable[Entry],
    name: str,
    output: Path,
    beside: Mapping[str, bytes] | None = None,
) -> Layer:
    """The layer `name` of entries that lie under `root`, as a tar at `output`.

    The folders that an entry lies in are written as well: unpacking into one changes its time, and
    so the layer. One moment for all. `beside` goes into the seal's folder, which no listing names.
    """
    wanted = {entry.path: entry for entry in entries}
    for path in tuple(wanted):
        wanted |= {it: Entry(it, "dir", 0o755) for it in _above(path) if it not in wanted}
    listed = tree.dump(wanted.values())
    with tarfile.open(output, "w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(wanted):
            data = _read(root, wanted[path])
            tar.addfile(header(wanted[path]), io.BytesIO(data))
        _add(tar, {seal.listing(name): listed, **(beside or {})})
    return Layer(name, output, hashlib.sha256(listed).hexdigest())


def loose(files: Mapping[str, bytes], output: Path) -> None:
    """A layer that no listing names: the seal's own folder with these files in it."""
    with tarfile.open(output, "w", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, files)


def extend(tar_file: Path, name: str, output: Path) -> Layer:
    """The layer `name` of what `tar_file` holds, with its listing added to a copy at `output`."""
    with tarfile.open(tar_file) as tar:
        listed = tree.dump(_listed(tar))
        moment = max(int(member.mtime) for member in tar)
    # Copied as it is: what made it has normalised it, and its owners are not all root.
    output.write_bytes(tar_file.read_bytes())
    with tarfile.open(output, "a", format=tarfile.GNU_FORMAT) as tar:
        _add(tar, {seal.listing(name): listed}, moment)
    return Layer(name, output, hashlib.sha256(listed).hexdigest())


def header(entry: Entry, moment: int = EPOCH) -> tarfile.TarInfo:
    """The member of a tar for an entry, with the one moment of all."""
    made = tarfile.TarInfo(entry.path)
    made.type = _KINDS[entry.kind]
    made.linkname = entry.target or ""
    made.mode = entry.mode
    made.uid, made.gid = entry.uid, entry.gid
    made.size = entry.size or 0
    made.mtime = moment
    return made


def _add(tar: tarfile.TarFile, files: Mapping[str, bytes], moment: int = EPOCH) -> None:
    known = set(tar.getnames())
    for folder in (*reversed(_above(seal.FOLDER)), seal.FOLDER):
        if folder not in known:
            tar.addfile(header(Entry(folder, "dir", 0o755), moment))
    for name, data in sorted(files.items()):
        digest = hashlib.sha256(data).hexdigest()
        entry = Entry(f"{seal.FOLDER}/{name}", "file", 0o644, len(data), digest)
        tar.addfile(header(entry, moment), io.BytesIO(data))


def _read(root: Path, entry: Entry) -> bytes:
    data = (root / entry.path).read_bytes() if entry.kind == "file" else b""
    compiled = entry.kind == "file" and entry.path.endswith(".pyc")
    if compiled and (len(data) < _PYC_HEADER or not data[4] & _HASH_BASED):
        raise LuggageError(
            f"compiled module '{entry.path}': tied to a file's time, which a layer changes",
            "keep .pyc files out of git, and ask for a wheel without them",
        )
    return data


def _listed(tar: tarfile.TarFile) -> Iterator[Entry]:
    for member in tar:
        path = os.path.normpath(member.name)
        if path == ".":
            continue
        if member.isdir():
            entry = Entry(path, "dir", member.mode)
        elif member.issym():
            entry = Entry(path, "link", 0o777, target=member.linkname)
        elif file := tar.extractfile(member):
            data = file.read()
            entry = Entry(path, "file", member.mode, len(data), hashlib.sha256(data).hexdigest())
        else:
            raise LuggageError(f"'{path}' in root.tar: neither file, folder nor link")
        yield replace(entry, uid=member.uid, gid=member.gid)


def _above(path: str) -> list[str]:
    return [str(folder) for folder in PurePosixPath(path).parents][:-1]


def _normal(entry: Entry) -> Entry:
    executable = entry.kind == "dir" or bool(entry.mode & stat.S_IXUSR)
    mode = 0o777 if entry.kind == "link" else 0o755 if executable else 0o644
    return replace(entry, mode=mode, uid=0, gid=0)
