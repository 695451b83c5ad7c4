"""What ./create keeps for the next time → its sizes, and what of it no build of this checkout would
use again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from luggage.buildpex import collect
from luggage.buildpex.pack import TOOLS
from luggage.errors import LuggageError
from luggage.proof import manifest

BASE = "debian:trixie-slim"
_BASE_TARS = ("root.tar", "deps.tar", "luggage.tar")
_WHEELS = re.compile(r"[0-9a-f]{64}")
_KEPT = re.compile(r"([a-z]+)-[0-9a-f]{64}")
_NEW = re.compile(r"new\.[A-Za-z0-9_]+")
_DAY = 86_400.0


@dataclass(frozen=True)
class Item:
    """One thing that is kept: `place` is `image`, `dangling`, `build/cache` or the volume's name;
    `size` in bytes; `at` when it was last used, in seconds since 1970. `needed` tells whether this
    checkout would use it again.
    """

    place: str
    name: str
    size: int
    at: float
    needed: bool


@dataclass(frozen=True)
class Checkout:
    """A project's root, the lock of its dependencies, and the image that its builder is made from.

    What the last build used is in build/manifest.json and build/.inputs.
    """

    root: Path
    lock: Path
    base: str

    def wheels(self) -> frozenset[str]:
        """The folders of wheels for its locks, for the Python that packed last and for this one."""
        pythons = {platform.python_version()}
        with contextlib.suppress(OSError, LuggageError):
            pythons.add(manifest.parse((self.root / "build/manifest.json").read_bytes()).python)
        locks = [self.lock, self.root / TOOLS.relative_to(Path(__file__).parents[2])]
        found = [path for path in locks if path.exists()]
        return frozenset(collect.digest(found, python) for python in pythons)

    def builder(self) -> str | None:
        """The tag of its builder, as ./create makes it."""
        text = self._read("build.docker")
        return None if text is None else _tag(f"{text}{self.base}\n")

    def below(self) -> str | None:
        """The tag of the image below its last one, as ./create makes it."""
        text, notes = self._read("run.docker"), self._read("build/.inputs")
        sums = [note.partition(" ")[2] for note in (notes or "").splitlines()]
        found = [it for name in _BASE_TARS for it in sums if it.endswith(f"  {name}")]
        if text is None or len(found) != len(_BASE_TARS):
            return None
        lower = text.partition("\nFROM base\n")[0]
        return _tag("".join(f"{it}\n" for it in found) + f"{lower}\n")

    def stages(self, now: float) -> list[str]:
        """Where a ./create of it runs; after a day it was killed, as ./create takes it."""
        found = sorted((self.root / "build").glob(".create.*"))
        return [f"build/{it.name}" for it in found if it.lstat().st_mtime > now - _DAY]

    def _read(self, path: str) -> str | None:
        try:
            return (self.root / path).read_text("utf-8")
        except OSError:
            return None


def sorted_out(
    found: Iterable[tuple[str, str, int, float]], wheels: Collection[str], now: float
) -> list[Item]:
    """Folders (place, name, size, last use) → items.

    Of wheels those are needed that this checkout's locks name; of what is made of them the one of
    each kind that was used last; and nothing that an interrupted build left a day ago.
    """
    listed = sorted(found, key=lambda it: -it[3])
    latest: set[tuple[str, str]] = set()
    items = []
    for place, name, size, at in listed:
        kept = _KEPT.fullmatch(name)
        needed = True
        if _WHEELS.fullmatch(name):
            needed = name in wheels
        elif _NEW.fullmatch(name):
            needed = at > now - _DAY
        elif kept:
            needed = (place, kept[1]) not in latest
            latest.add((place, kept[1]))
        items.append(Item(place, name, size, at, needed))
    return sorted(items, key=lambda it: (it.place, it.name))


def in_folder(cache: Path, wheels: Collection[str], now: float) -> list[Item]:
    """What lies in a checkout's own cache."""
    if not cache.is_dir():
        return []
    folders = [path for path in cache.iterdir() if path.is_dir() and not path.is_symlink()]
    found = [("build/cache", it.name, _size(it), it.stat().st_mtime) for it in folders]
    return sorted_out(found, wheels, now)


def forget_in_folder(cache: Path, items: Iterable[Item]) -> None:
    """Remove these from a checkout's own cache."""
    for item in items:
        shutil.rmtree(cache / item.name)


def _tag(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _size(folder: Path) -> int:
    """The bytes on the disk below a folder."""
    total = 0
    for here, folders, names in os.walk(folder):
        total += sum((Path(here) / name).lstat().st_blocks * 512 for name in folders + names)
    return total
