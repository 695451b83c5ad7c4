"""A key and a way to make it → a folder that is made once, whole or not at all, and checked when it
is used again.

What is kept is named by everything it was made from. Damage is found, and what is damaged is made
anew: the files that go into an artifact are hashed before they are used. It is no protection
against who can write to the cache: they can write to what packs as well (docs/images.md).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

SUMS = "SUMS.json"
_KEEP = 4  # of a kind: the locks of a few branches
_DAY = 86_400.0


def key(*parts: bytes | str) -> str:
    """64 hex digits for these parts, in this order."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


def folder(
    cache: Path, kind: str, name: str, make: Callable[[Path], None], checked: Iterable[str]
) -> Path:
    """`cache`/KIND-NAME, with what `make` writes into the folder it gets.

    `make` works under another name, and the folder is renamed when it is complete. The files of
    `checked`, relative to it, are hashed then and on every later use; others are the tools' own.
    """
    found = cache / f"{kind}-{name}"
    checked = tuple(checked)
    if intact(found, checked):
        os.utime(found)
        return found
    cache.mkdir(parents=True, exist_ok=True)
    sweep(cache, time.time() - _DAY)
    with tempfile.TemporaryDirectory(dir=cache, prefix="new.") as new:
        fresh = Path(new) / "made"
        fresh.mkdir()
        make(fresh)
        sums = {path: sha256(fresh / path) for path in checked}
        (fresh / SUMS).write_text(json.dumps(sums), encoding="utf-8")
        if intact(found, checked):  # somebody was quicker, and may use it already
            return found
        if found.exists():
            found.rename(Path(new) / "old")
        fresh.rename(found)
    forget(cache, kind)
    return found


def intact(found: Path, checked: Collection[str]) -> bool:
    """Whether the folder is there, and each file of `checked` was hashed and is as it was."""
    try:
        sums = json.loads((found / SUMS).read_text(encoding="utf-8"))
        return set(sums) == set(checked) and all(
            sha256(found / path) == known for path, known in sums.items()
        )
    except (OSError, ValueError, AttributeError, TypeError):
        return False


def noted(path: Path) -> str:
    """The SHA-256 that was noted for a checked file of a folder."""
    return str(json.loads((path.parent / SUMS).read_text(encoding="utf-8"))[path.name])


def sweep(cache: Path, before: float) -> None:
    """Remove what was left by a make that was killed before that time (seconds since 1970)."""
    for left in cache.glob("new.*"):
        if left.stat().st_mtime < before:
            shutil.rmtree(left, ignore_errors=True)


def forget(cache: Path, kind: str) -> None:
    """Remove all of a kind but the few that were used last."""
    found = sorted(cache.glob(f"{kind}-*"), key=lambda path: path.stat().st_mtime)
    for old in found[:-_KEEP]:
        shutil.rmtree(old, ignore_errors=True)


def sha256(path: Path) -> str:
    """The file's SHA-256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
