"""A pex of the wheels alone, made by pex itself, and sources → the pex of both, byte for byte what
pex would write.

A commit changes 2 % of the file at most: pex would read every wheel and compress it again. What it
wrote of them is taken as it is; the sources follow, and the hashes that depend on them.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from luggage.buildpex.sources import Source

FILE = "spliced.pex"
PROVED = "2.105.2"  # the one pex that tests/packing/test_packing_splice.py has compared this with

_INFO = "PEX-INFO"
_STARTS = ("__main__.py", "__pex__/__init__.py")  # the pex's hash is in them
_OWN = (_INFO, _STARTS[0], "__pex__/", _STARTS[1])  # behind .bootstrap and .deps
_FIRST = "__pex__0"  # sorts right behind every name in that folder
_DATE = (1980, 1, 1, 0, 0, 0)
_FILE, _FOLDER = 0o100644 << 16, 0o40755 << 16 | 0x10
_COMPILED = re.compile(r"(^|/)__pycache__/|\.py[co]$|\.pyc\.[0-9]+$")


def keep(pex: Path, output: Path) -> None:
    """Copy `pex`, which has no sources and no entry point, to `output` for `write`.

    Where it cannot be taken apart and put together again, `output` is empty.
    """
    data = pex.read_bytes()
    output.write_bytes(data if spliced(data, (), None) == data else b"")


def write(kept: Path, sources: Sequence[Source], entry: str, output: Path) -> bool:
    """Write the pex of what was kept and of these sources, as it is after `sources.stage`.

    False, and nothing is written, where only pex itself knows what comes out.
    """
    made = spliced(kept.read_bytes(), sources, entry)
    if made is not None:
        output.write_bytes(made)
    return made is not None


def spliced(pex: bytes, sources: Sequence[Source], entry: str | None) -> bytes | None:
    """`pex`, which has no sources and no entry point, with these; None where that is unproved."""
    files = {source.path: source.data for source in sources}
    # The others would lie between what is kept, or pex would leave them out.
    if any(path < _FIRST or _COMPILED.search(path) for path in files):
        return None
    try:
        return _spliced(pex, files, entry)
    except Exception:  # whatever is wrong with the file: pex itself makes another
        return None


def _spliced(pex: bytes, files: Mapping[str, bytes], entry: str | None) -> bytes:
    file = io.BytesIO(pex)
    with zipfile.ZipFile(file, "a") as archive:
        kept, own = archive.filelist[: -len(_OWN)], archive.filelist[-len(_OWN) :]
        texts = {it.filename: archive.read(it) for it in own}
        if tuple(texts) != _OWN or not all(it.filename.startswith(".") for it in kept):
            raise ValueError("another order")
        header = kept[0].header_offset
        before, after, info = _described(texts[_INFO], files, entry)
        for name in _STARTS:
            texts[name] = _replaced(texts[name], before, after)
        texts[_INFO] = info
        # What is written next takes the place of the first that is not kept.
        archive.start_dir = own[0].header_offset
        del archive.filelist[-len(own) :]
        for it in own:
            del archive.NameToInfo[it.filename]
            _add(archive, it.filename, it.external_attr, texts[it.filename])
        for name, data in _with_folders(files):
            _add(archive, name, _FOLDER if name.endswith("/") else _FILE, data)
    made = file.getvalue()
    return _replaced(made[:header], before, after) + made[header:]


def _described(
    info: bytes, files: Mapping[str, bytes], entry: str | None
) -> tuple[str, str, bytes]:
    """The pex's hash in `info`, the one with these files, and their PEX-INFO.

    As pex.pex_info and pex.util do it, which take longer to import than all of this to run.
    """
    described = json.loads(info)
    if described["build_properties"]["pex_version"] != PROVED or described.get("entry_point"):
        raise ValueError("another pex")
    before = described.pop("pex_hash")
    seen = sorted(path for path in files if not path.rpartition("/")[2].startswith("."))
    code = hashlib.sha1("".join(seen).encode(), usedforsecurity=False)
    for path in seen:
        code.update(files[path])
    described["code_hash"] = code.hexdigest()
    if entry is not None:
        described["entry_point"] = entry
    after = hashlib.sha1(_dump(described), usedforsecurity=False).hexdigest()
    return before, after, _dump(described | {"pex_hash": after})


def _dump(described: Mapping[str, Any]) -> bytes:
    return json.dumps(described, sort_keys=True, separators=(",", ":")).encode()


def _replaced(text: bytes, before: str, after: str) -> bytes:
    if text.count(before.encode()) != 1:
        raise ValueError("another way to start")
    return text.replace(before.encode(), after.encode())


def _with_folders(files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """The files by path, each folder in front of the first file in it."""
    written = set()
    for path in sorted(files):
        parts = path.split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth]) + "/"
            if folder not in written:
                written.add(folder)
                yield folder, b""
        yield path, files[path]


def _add(archive: zipfile.ZipFile, name: str, attributes: int, data: bytes) -> None:
    info = zipfile.ZipInfo(name, _DATE)
    info.external_attr = attributes
    if info.is_dir():
        archive.writestr(info, b"")
        return
    info.compress_type = zipfile.ZIP_DEFLATED
    info.file_size = len(data)
    with archive.open(info, "w") as file:
        # What zlib writes may depend on the pieces it gets.
        for start in range(0, len(data), io.DEFAULT_BUFFER_SIZE):
            file.write(data[start : start + io.DEFAULT_BUFFER_SIZE])
