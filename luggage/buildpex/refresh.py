"""Loose requirements → the locks, anew, by uv: exact versions and hashes, for every Python that
luggage supports.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from luggage.buildpex import lock, process
from luggage.errors import LuggageError

OLDEST = "3.11"


@dataclass(frozen=True)
class Locked:
    """A lock and the loose requirements it is made of; it agrees with those in `constraints`."""

    source: str
    lock: str
    constraints: tuple[str, ...] = ()


LOCKS = (
    Locked("requirements.in", "requirements.txt"),
    Locked("luggage/buildpex/tools.in", "luggage/buildpex/tools.txt", ("requirements.txt",)),
    Locked(
        "tests/requirements.in",
        "tests/requirements.txt",
        ("requirements.txt", "luggage/buildpex/tools.txt"),
    ),
)


def find_uv(environ: Mapping[str, str], python: Path) -> str:
    """The path of uv: the one beside `python`, or the first on PATH."""
    beside = python.with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv", path=environ.get("PATH"))
    if found is None:
        raise LuggageError(
            "uv: not found, and it is what makes the locks",
            f"{python} -m pip install uv",
        )
    return found


def refresh(
    root: Path, locked: Locked, upgrade: Sequence[str] | None, environ: Mapping[str, str]
) -> list[str] | None:
    """Make one lock anew; returns its changes, a line each, or None where it pins the same.

    What is pinned stays pinned, unless `upgrade` names it, or is empty and so means everything. The
    lock is replaced only when it is whole.
    """
    path = root / locked.lock
    old = path.read_bytes() if path.exists() else b""
    with tempfile.TemporaryDirectory(prefix=".lock-", dir=path.parent) as folder:
        fresh = Path(folder) / path.name
        fresh.write_bytes(old)
        words = [
            *(
                find_uv(environ, Path(sys.executable)),
                "pip",
                "compile",
                locked.source,
                "--output-file",
                str(fresh),
            ),
            *("--universal", "--python-version", OLDEST, "--generate-hashes", "--quiet"),
            *("--custom-compile-command", lock.REFRESH),
        ]
        for constraint in locked.constraints:
            if (root / constraint).exists():
                words += ["--constraint", constraint]
        words += ["--upgrade"] if upgrade is not None and not upgrade else []
        for name in upgrade or ():
            words += ["--upgrade-package", name]
        process.run(words, environ=environ, cwd=root, subject=f"lock '{locked.lock}': uv")
        new = fresh.read_bytes()
        if _same(old, new, locked.lock):
            return None
        changed = changes(old.decode(), new.decode(), locked.lock)
        fresh.chmod(path.stat().st_mode & 0o777 if old else 0o644)
        fresh.replace(path)
    return changed


def changes(old: str, new: str, name: str) -> list[str]:
    """What differs between two texts of a lock: `flask 3.1.2 → 3.1.3`, `+ toolz 1.2.0`, `- six
    1.17.0`.
    """
    try:
        before = _versions(old, name)
    except LuggageError:
        before = {}  # an old lock that is broken is what a fresh one mends
    after = _versions(new, name)
    lines = []
    for project in sorted(before.keys() | after.keys()):
        was, now = before.get(project), after.get(project)
        if was is None:
            lines.append(f"+ {project} {now}")
        elif now is None:
            lines.append(f"- {project} {was}")
        elif was != now:
            lines.append(f"{project} {was} → {now}")
    return lines


def _same(old: bytes, new: bytes, name: str) -> bool:
    """Whether two texts pin the same: comments say who asks for a pin, and each project has its
    own.
    """
    try:
        before, after = (
            {
                (pin.name, pin.version, pin.marker, pin.hashes)
                for pin in lock.parse(text.decode(), name)
            }
            for text in (old, new)
        )
    except (LuggageError, UnicodeDecodeError):
        return False
    return bool(old) and before == after


def _versions(text: str, name: str) -> dict[str, str]:
    versions: dict[str, list[str]] = {}
    for pin in lock.parse(text, name):
        versions.setdefault(pin.name, []).append(pin.version)
    return {project: ", ".join(sorted(found)) for project, found in versions.items()}
