"""A key and a way to make it → a folder that is made once, whole or not at all, and checked when it
is used again.

A cache is no authority: what it keeps is named by everything it was made from, and every file's
SHA-256 is compared before it counts. What does not agree is made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
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
    if intact(found):
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
        if found.exists():
            found.rename(Path(new) / "old")
        fresh.rename(found)
    forget(cache, kind)
    return found


def intact(found: Path) -> bool:
    """Whether the folder is there, and every file that was hashed is as it was."""
    try:
        sums = json.loads((found / SUMS).read_text(encoding="utf-8"))
        return all(sha256(found / path) == known for path, known in sums.items())
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
