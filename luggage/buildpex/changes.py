"""Two texts of a lock → what changed between them, by project, as a table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from luggage.buildpex import lock
from luggage.buildpex.lock import Pin
from luggage.errors import LuggageError

_VERSION = re.compile(r"(?:(\d+)!)?(\d+(?:\.\d+)*)")
_PARTS = ("major", "minor", "patch")


@dataclass(frozen=True)
class Change:
    """A project whose version changed: `old` is empty where it is new, `new` where it is gone.

    Of several versions, for several Pythons, all are told: `1.0, 2.0`.
    """

    name: str
    old: tuple[str, ...]
    new: tuple[str, ...]

    @property
    def kind(self) -> str:
        """added, removed, older, major, minor or patch; `other` where the numbers are the same."""
        if not self.old or not self.new:
            return "removed" if self.old else "added"
        before, after = _newest(self.old), _newest(self.new)
        if after <= before:
            return "older" if after < before else "other"
        place = next(i for i, (b, a) in enumerate(zip(before, after, strict=True)) if b != a)
        return _PARTS[min(max(place - 1, 0), 2)]


@dataclass(frozen=True)
class Changes:
    """What changed in `lock`: versions; and the projects of the same version with other hashes, or
    markers, alone. `same` is whether nothing did.
    """

    lock: str
    versions: tuple[Change, ...] = ()
    hashes: tuple[str, ...] = field(default=())
    markers: tuple[str, ...] = field(default=())

    @property
    def same(self) -> bool:
        """Whether both texts pin the same."""
        return not (self.versions or self.hashes or self.markers)

    def table(self) -> str:
        """Lines for a reader, the lock's name first."""
        rows = [(it.name, ", ".join(it.old), ", ".join(it.new), it.kind) for it in self.versions]
        name, old, new = (max((len(row[i]) for row in rows), default=0) for i in range(3))
        lines = [f"  {r[0]:<{name}}  {r[1]:<{old}} -> {r[2]:<{new}}  {r[3]}" for r in rows]
        for what, names in (("hashes", self.hashes), ("markers", self.markers)):
            if names:
                lines.append(f"  {what} alone changed: {len(names)} ({', '.join(names)})")
        return "\n".join([self.lock, *lines])

    def plain(self) -> dict[str, object]:
        """The same for JSON."""
        versions = [
            {"name": it.name, "old": list(it.old), "new": list(it.new), "kind": it.kind}
            for it in self.versions
        ]
        return {
            "lock": self.lock,
            "versions": versions,
            "hashes": list(self.hashes),
            "markers": list(self.markers),
        }


def between(old: str, new: str, name: str) -> Changes:
    """Compare two texts of the lock `name`; an old one that is broken counts as an empty one."""
    try:
        before = _projects(lock.parse(old, name))
    except LuggageError:
        before = {}  # an old lock that is broken is what a fresh one mends
    after = _projects(lock.parse(new, name))
    versions, hashes, markers = [], [], []
    for project in sorted(before.keys() | after.keys()):
        was, now = before.get(project, []), after.get(project, [])
        change = Change(project, _versions(was), _versions(now))
        if change.old != change.new:
            versions.append(change)
        elif {(p.version, p.hashes) for p in was} != {(p.version, p.hashes) for p in now}:
            hashes.append(project)
        elif {(p.version, p.marker) for p in was} != {(p.version, p.marker) for p in now}:
            markers.append(project)
    return Changes(name, tuple(versions), tuple(hashes), tuple(markers))


def _projects(pins: Sequence[Pin]) -> dict[str, list[Pin]]:
    found: dict[str, list[Pin]] = {}
    for pin in pins:
        found.setdefault(pin.name, []).append(pin)
    return found


def _versions(pins: Sequence[Pin]) -> tuple[str, ...]:
    return tuple(sorted({pin.version for pin in pins}, key=lambda it: (_numbers(it), it)))


def _newest(versions: Sequence[str]) -> tuple[int, ...]:
    return max(_numbers(version) for version in versions)


def _numbers(version: str) -> tuple[int, ...]:
    """Epoch and release (PEP 440), the release filled up with zeros: six numbers at the least."""
    match = _VERSION.match(version.removeprefix("v"))
    epoch, release = (match[1] or "0", match[2]) if match else ("0", "0")
    numbers = [int(epoch), *(int(part) for part in release.split("."))]
    return tuple(numbers[:12] + [0] * (12 - len(numbers)))
