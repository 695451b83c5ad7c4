"""A folder of one's own wheels, and locks → the wheels that the locks name, and an index of them.

A name that lies in the folder is one's own: no index is ever asked for it, neither when a lock is
made nor when wheels are fetched, so that nobody else's package of that name can take its place.
"""

from __future__ import annotations

import hashlib
import html
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from luggage.buildpex.lock import REFRESH, Pin, normalise
from luggage.errors import LuggageError, all_wrong

FOLDER = "wheels"
_NAME = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._]*)-(?P<version>[A-Za-z0-9][A-Za-z0-9._!+]*)"
    r"(?:-[0-9][A-Za-z0-9_.]*)?(?:-[A-Za-z0-9_.]+){3}\.whl"
)
_ARCHIVES = (".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz")


@dataclass(frozen=True)
class Wheel:
    """A wheel of one's own: `name` as PEP 503 spells it, `sha256` in hex."""

    name: str
    version: str
    path: Path
    sha256: str

    def __str__(self) -> str:
        return f"{self.path.parent.name}/{self.path.name}"


def read(folder: Path) -> tuple[Wheel, ...]:
    """The wheels in `folder`, hashed, sorted by file name; none where it is not there.

    Raises one LuggageError for all that is no wheel but would be taken for one: its name would then
    be asked of an index. Other files, such as a README, are nobody's matter.
    """
    found, wrong = [], []
    there = sorted(folder.iterdir()) if folder.is_dir() else []
    for path in [path for path in there if path.is_file()]:
        match = _NAME.fullmatch(path.name)
        if match:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            found.append(Wheel(normalise(match["name"]), match["version"], path, digest))
        elif path.name.endswith(".whl"):
            wrong.append(f"{folder.name}/{path.name}: not the name of a wheel")
        elif path.name.endswith(_ARCHIVES):
            wrong.append(
                f"{folder.name}/{path.name}: a source distribution, and nothing is built here"
            )
    if wrong:
        raise LuggageError(
            all_wrong(wrong),
            f"build the wheel: python -m pip wheel --no-deps --wheel-dir {folder.name} SOURCE",
        )
    return tuple(found)


@dataclass(frozen=True)
class Chosen:
    """The wheels of one's own that the locks list, every name that is one's own, and warnings."""

    wheels: tuple[Wheel, ...] = ()
    names: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()


def chosen(own: Sequence[Wheel], locks: Sequence[tuple[str, Sequence[Pin]]]) -> Chosen:
    """Choose by hash; a wheel that no lock names is worth a warning.

    `locks` is the name of each lock with its pins. Raises one LuggageError for every wheel that a
    lock names with another hash, and for every pin of one's own that has no wheel in the folder. A
    pin with a marker may be for another Python: packing tells whether it is missed.
    """
    pins = [(name, pin) for name, there in locks for pin in there]
    listed = {digest for _, pin in pins for digest in pin.hashes}
    wrong, warnings = [], []
    for wheel in (wheel for wheel in own if wheel.sha256 not in listed):
        named = [f"{name}:{pin.line}" for name, pin in pins if _same(wheel, pin)]
        if named:
            wrong.append(f"{wheel}: has SHA-256 {wheel.sha256}, which {named[0]} does not list")
        else:
            names = " or ".join(name for name, _ in locks)
            warnings.append(f"{wheel}: no line of {names} names it, left out")
    for name, pin in pins:
        mine = [wheel for wheel in own if wheel.name == pin.name]
        there = any(wheel.sha256 in pin.hashes or _same(wheel, pin) for wheel in mine)
        if mine and pin.marker is None and not there:
            wrong.append(
                f"{name}:{pin.line}: {pin}: not among one's own wheels, which are "
                f"{', '.join(map(str, mine))}; no index is asked for it"
            )
    if wrong:
        raise LuggageError(
            all_wrong(wrong),
            f"if you changed the wheels yourself: {REFRESH}\n"
            "else do not go on: someone else changed them, or the lock",
        )
    taken = tuple(wheel for wheel in own if wheel.sha256 in listed)
    return Chosen(taken, frozenset(wheel.name for wheel in own), tuple(warnings))


def supply(own: Iterable[Wheel], into: Path) -> None:
    """Put copies of the wheels that are not there yet into the folder `into`."""
    for wheel in own:
        if not (into / wheel.path.name).exists():
            fresh = into / f".{wheel.path.name}.new"
            shutil.copyfile(wheel.path, fresh)
            fresh.replace(into / wheel.path.name)


def index(own: Iterable[Wheel], folder: Path) -> str:
    """Write a package index of the wheels into `folder`, and return its address.

    A page for each project, as the simple repository API has it (PEP 503). A resolver that takes a
    project from the first index that knows it finds one's own nowhere else.
    """
    pages: dict[str, list[str]] = {}
    for wheel in own:
        address = html.escape(f"{wheel.path.resolve().as_uri()}#sha256={wheel.sha256}")
        pages.setdefault(wheel.name, []).append(
            f'<a href="{address}">{html.escape(wheel.path.name)}</a><br>\n'
        )
    for name, lines in pages.items():
        page = folder / name / "index.html"
        page.parent.mkdir(parents=True)
        page.write_text(f"<!DOCTYPE html>\n{''.join(lines)}", encoding="utf-8")
    return folder.resolve().as_uri()


def strangers(pins: Iterable[Pin], own: Sequence[Wheel]) -> list[str]:
    """What is wrong with a fresh lock: each pin of one's own name whose hashes are not those of
    one's own wheels.
    """
    names = {wheel.name for wheel in own}
    return [
        f"{pin}: found elsewhere, and a wheel of one's own has its name"
        for pin in pins
        if pin.name in names and pin.hashes != {it.sha256 for it in own if _same(it, pin)}
    ]


def _same(wheel: Wheel, pin: Pin) -> bool:
    return (wheel.name, normalise(wheel.version)) == (pin.name, normalise(pin.version))
