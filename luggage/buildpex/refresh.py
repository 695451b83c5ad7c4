"""Loose requirements → the locks, anew, by uv: exact versions and hashes, for every Python that
luggage supports.
"""

from __future__ import annotations

import difflib
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from luggage import bootstrap
from luggage.buildpex import changes, lock, private, process
from luggage.buildpex.changes import Changes
from luggage.errors import LuggageError, all_wrong

OLDEST = "3.11"
UV = Path(__file__).with_name("uv.txt")
_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Locked:
    """A lock and the loose requirements it is made of; it agrees with those in `constraints`."""

    source: str
    lock: str
    constraints: tuple[str, ...] = ()


LOCKS = (
    Locked("requirements.in", "requirements.txt"),
    Locked("luggage/buildpex/tools.in", "luggage/buildpex/tools.txt", ("requirements.txt",)),
    Locked("luggage/buildpex/uv.in", "luggage/buildpex/uv.txt"),
    Locked(
        "tests/requirements.in",
        "tests/requirements.txt",
        ("requirements.txt", "luggage/buildpex/tools.txt", "luggage/buildpex/uv.txt"),
    ),
    Locked(".ci/release.in", ".ci/release.txt"),
)


def find_uv(environ: Mapping[str, str], python: Path, root: Path) -> str:
    """The path of uv: the one beside `python`, or the first on PATH, or the locked one, which is
    installed in `root`/build/uv the first time.
    """
    beside = python.with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv", path=environ.get("PATH"))
    return found or str(_made(root).with_name("uv"))


def _made(root: Path) -> Path:
    return bootstrap.make(root / "build" / "uv", [UV], [root / private.FOLDER])


def refresh(
    root: Path,
    wanted: Sequence[Locked],
    upgrade: Sequence[str] | None,
    environ: Mapping[str, str],
    *,
    uv: str,
    dry: bool = False,
) -> tuple[Changes, ...]:
    """Make the locks anew, each in agreement with the fresh ones before it; returns what changed.

    What is pinned stays pinned, unless `upgrade` names it, or is empty and so means everything. A
    project that has a wheel in `root`/wheels is taken from there, and from nowhere else. All locks
    are replaced at the end, when all of them are whole; those that pin the same, and with `dry`
    all, are left as they are. Raises LuggageError, also where `upgrade` names what is no pin.
    """
    _check_pinned(upgrade or (), [root / it.lock for it in wanted])
    own = private.read(root / private.FOLDER)
    found = []
    with tempfile.TemporaryDirectory(prefix=".lock-", dir=root) as folder:
        work = Path(folder)
        inside = _own_first(environ, own, work / "index") if own else dict(environ)
        for locked in wanted:
            old = (root / locked.lock).read_bytes() if (root / locked.lock).exists() else b""
            fresh = work / locked.lock
            fresh.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(_kept(old, locked.lock, own), encoding="utf-8")
            words = [uv, *_words(root, work, locked, upgrade)]
            words += ["--index-strategy", "first-index"] if own else []
            process.run(words, environ=inside, cwd=root, subject=f"lock '{locked.lock}': uv")
            # Which file asked for a pin is told as if all were in place.
            new = fresh.read_text(encoding="utf-8").replace(f"{work.name}/", "")
            fresh.write_text(new, encoding="utf-8")
            if wrong := private.strangers(lock.parse(new, locked.lock), own):
                raise LuggageError(
                    all_wrong([f"lock '{locked.lock}': {line}" for line in wrong]),
                    "see to uv's own settings: UV_FIND_LINKS, UV_INDEX, uv.toml",
                )
            found.append(changes.between(_text(old), new, locked.lock))
            if found[-1].same and old:
                fresh.write_bytes(old)
        if not dry:
            for locked, changed in zip(wanted, found, strict=True):
                _replace(work / locked.lock, root / locked.lock, changed)
    return tuple(found)


def _check_pinned(names: Sequence[str], locks: Sequence[Path]) -> None:
    """uv takes any name, and says nothing where it upgrades none; raises LuggageError."""
    try:
        pinned = {pin.name for path in locks if path.exists() for pin in lock.read(path)}
    except LuggageError:
        return  # a lock that is broken is what a fresh one mends
    # A name may have a version behind it, as uv takes it.
    asked = {name: lock.normalise(match[0]) for name in names if (match := _NAME.match(name))}
    unknown = [name for name in names if asked.get(name) not in pinned]
    if not unknown:
        return
    near = [
        it for name in unknown for it in difflib.get_close_matches(asked.get(name, ""), pinned, 2)
    ]
    hint = f"is it {' or '.join(dict.fromkeys(near))}?\n" if near else ""
    raise LuggageError(
        f"no such pin: {', '.join(unknown)}",
        f"{hint}what requirements.in newly asks for is pinned by: {lock.REFRESH}",
    )


def _words(root: Path, work: Path, locked: Locked, upgrade: Sequence[str] | None) -> list[str]:
    """What uv is called with; paths are relative to `root`."""
    words = ["pip", "compile", locked.source, "--output-file", f"{work.name}/{locked.lock}"]
    words += ["--universal", "--python-version", OLDEST, "--generate-hashes", "--quiet"]
    words += ["--custom-compile-command", lock.REFRESH]
    for constraint in locked.constraints:
        if (work / constraint).exists():
            words += ["--constraint", f"{work.name}/{constraint}"]
        elif (root / constraint).exists():
            words += ["--constraint", constraint]
    words += ["--upgrade"] if upgrade is not None and not upgrade else []
    for name in upgrade or ():
        words += ["--upgrade-package", name]
    return words


def _own_first(
    environ: Mapping[str, str], own: Sequence[private.Wheel], index: Path
) -> dict[str, str]:
    """An environment where uv asks an index of one's own wheels before any other.

    It takes a project from the first index that has it. A folder of links has no such rank.
    """
    others = environ.get("UV_INDEX", "")
    return {**environ, "UV_INDEX": f"{private.index(own, index)} {others}".strip()}


def _kept(old: bytes, name: str, own: Sequence[private.Wheel]) -> str:
    """The old lock, for uv to keep its pins; those of one's own without their hashes.

    uv hashes no wheel anew while its version stays, and one's own may have been built again.
    """
    names = {wheel.name for wheel in own}
    try:
        pins = lock.parse(_text(old), name)
    except LuggageError:
        return _text(old)
    if names.isdisjoint(pin.name for pin in pins):
        return _text(old)
    return "".join(f"{pin.dump(hashes=pin.name not in names)}\n" for pin in pins)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _replace(fresh: Path, path: Path, changed: Changes) -> None:
    if changed.same and path.exists():
        return
    fresh.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
    fresh.replace(path)
