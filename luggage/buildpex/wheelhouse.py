"""Pins, and folders of wheels that nobody trusts → a fresh folder of exactly the wheels that the
lock names.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from packaging.markers import InvalidMarker, Marker
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from luggage.buildpex.lock import REFRESH, Pin, normalise
from luggage.buildpex.target import Target
from luggage.errors import LuggageError, all_wrong

# What every artifact that holds luggage imports: the run island's distributions, as in setup.py.
RUNS_ON = (
    "environ-config",
    "gunicorn",
    "mainland",
    "ncolony",
    "prometheus-client",
    "pynacl",
    "twisted",
)
T = TypeVar("T")
_SDISTS = (".tar.gz", ".zip", ".tar.bz2", ".tar.xz")


@dataclass(frozen=True)
class Wheel:
    """A checked wheel: `path` is the copy whose SHA-256 is `sha256`."""

    name: str
    version: str
    path: Path
    sha256: str


def applicable(pins: Iterable[Pin], target: Target, lock: str) -> tuple[Pin, ...]:
    """The pins whose markers hold for `target`, sorted by name; raises where one name has two, or a
    marker is none.
    """
    wrong = []
    found: dict[str, Pin] = {}
    for pin in pins:
        try:
            holds = pin.marker is None or Marker(pin.marker).evaluate(dict(target.markers))
        except InvalidMarker:
            wrong.append(f"{lock}:{pin.line}: {pin}: not a marker: '{pin.marker}'")
            continue
        if holds and pin.name in found:
            wrong.append(
                f"{lock}:{pin.line}: {pin}: line {found[pin.name].line} pins it too for {target}"
            )
        elif holds:
            found[pin.name] = pin
    if wrong:
        raise LuggageError(all_wrong(wrong), f"refresh {lock}: python -m deploy lock")
    return tuple(found[name] for name in sorted(found))


def suffice(pins: Iterable[Pin], lock: str) -> None:
    """Raise LuggageError where luggage's own needs are not among the pins: nothing would start."""
    missing = sorted(set(RUNS_ON) - {pin.name for pin in pins})
    if missing:
        raise LuggageError(
            f"{lock}: luggage itself runs on {', '.join(missing)}, and no line for this Python "
            f"pins {'them' if len(missing) > 1 else 'it'}",
            f"add to requirements.in: {' '.join(missing)}\nthen: {REFRESH}",
        )


def fill(
    pins: Sequence[Pin], wheels: Path | Sequence[Path], target: Target, into: Path
) -> tuple[Wheel, ...]:
    """Copy the wheel of every pin that fits `target` from `wheels` into `into`, and check each
    copy.

    What is hashed is the copy in the private folder, so nothing that changes `wheels` later counts.
    Raises one LuggageError that tells every wheel that is missing, altered, or for another Python.
    """
    choose = _chooser(wheels, target)
    return tuple(_each(pins, lambda pin: _copy(pin, choose(pin), into)))


def pick(pins: Sequence[Pin], wheels: Path | Sequence[Path], target: Target) -> tuple[Path, ...]:
    """The wheel of every pin that fits `target` best, unchecked; raises where one is missing."""
    return tuple(_each(pins, _chooser(wheels, target)))


def _chooser(wheels: Path | Sequence[Path], target: Target) -> Callable[[Pin], Path]:
    """Of several folders, the first that has a file of that name counts."""
    folders = [wheels] if isinstance(wheels, Path) else wheels
    for folder in folders:
        if not folder.is_dir():
            raise LuggageError(
                f"wheelhouse '{folder}': not a folder", "fetch the wheels of the lock first"
            )
    paths = {
        path.name: path
        for folder in reversed(folders)
        for path in folder.iterdir()
        if path.is_file()
    }
    names = sorted(paths)
    parsed = {name: known for name in names if (known := _parse(name))}
    return lambda pin: paths[_choose(pin, names, parsed, target)]


def _each(pins: Iterable[Pin], do: Callable[[Pin], T]) -> list[T]:
    done, wrong = [], []
    for pin in pins:
        try:
            done.append(do(pin))
        except ValueError as error:
            wrong.append(f"{pin}: {error}")
    if wrong:
        raise LuggageError(
            all_wrong(wrong),
            "empty the wheelhouse and fetch again; docs/packing.md says what can be packed",
        )
    return done


def _parse(name: str) -> tuple[str, Version, frozenset[Tag]] | None:
    try:
        project, version, _, tags = parse_wheel_filename(name)
    except (InvalidWheelFilename, InvalidVersion):
        return None
    return project, version, tags


def _choose(
    pin: Pin,
    names: Sequence[str],
    parsed: Mapping[str, tuple[str, Version, frozenset[Tag]]],
    target: Target,
) -> str:
    """The file name of the pin's wheel that fits best, as pip would choose it."""
    try:
        version = Version(pin.version)
    except InvalidVersion:
        raise ValueError("not a version") from None
    wheels = {n: tags for n, (name, v, tags) in parsed.items() if (name, v) == (pin.name, version)}
    rank = {tag: place for place, tag in enumerate(target.tags)}
    fitting = {
        name: min(rank[tag] for tag in tags if tag in rank)
        for name, tags in wheels.items()
        if any(tag in rank for tag in tags)
    }
    if fitting:
        return min(fitting, key=lambda name: (fitting[name], name))
    if wheels:
        raise ValueError(f"no wheel for {target}, only {', '.join(wheels)}")
    sdists = [name for name in names if _is_sdist(name, pin)]
    if sdists:
        raise ValueError(
            f"only a source distribution, {', '.join(sdists)}: nothing is built while packing"
        )
    raise ValueError("no wheel of it in the wheelhouse")


def _is_sdist(name: str, pin: Pin) -> bool:
    for suffix in _SDISTS:
        if name.endswith(suffix):
            project, _, version = name.removesuffix(suffix).rpartition("-")
            return (normalise(project), version) == (pin.name, pin.version)
    return False


def _copy(pin: Pin, path: Path, into: Path) -> Wheel:
    copy = into / path.name
    shutil.copyfile(path, copy)
    with copy.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest not in pin.hashes:
        raise ValueError(f"{path.name} has SHA-256 {digest}, which the lock does not list")
    return Wheel(pin.name, pin.version, copy, digest)
