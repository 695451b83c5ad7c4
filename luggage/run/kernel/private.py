"""A process's life → a TMPDIR of its own, empty, and a RUNTIME_DIRECTORY that outlives it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from luggage.errors import LuggageError

TMPDIR = "TMPDIR"
RUNTIME = "RUNTIME_DIRECTORY"
KEPT = "private"  # the part of the state folder
USUAL = Path("/tmp")  # noqa: S108 - mkdtemp makes a private folder in it
MEMORY = Path("/dev/shm")  # noqa: S108 - likewise
PREFIX = "luggage-tmp-"
YOUNG = 60.0  # seconds in which a folder that nobody has locked may be one that is being made


class Room(NamedTuple):
    """What one life has for itself: its variables, and the folder that goes when it ends."""

    variables: Mapping[str, str] = MappingProxyType({})
    temporary: Path | None = None


class Private:
    """Gives rooms: below `temporary` one for each life, below `kept` one for each process."""

    def __init__(self, temporary: Path, kept: Path) -> None:
        self._temporary = temporary
        self._kept = kept

    def begin(self, name: str) -> Room:
        """The room of the next life of the process `name`; less of one where there is no room."""
        variables, temporary = {}, None
        with contextlib.suppress(OSError):
            temporary = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self._temporary))
            variables[TMPDIR] = str(temporary)
        with contextlib.suppress(OSError):
            kept = self._kept / name
            kept.mkdir(mode=0o700, exist_ok=True)
            variables[RUNTIME] = str(kept)
        return Room(variables, temporary)

    def end(self, room: Room) -> None:
        """Nothing of that life runs any more: throw away what it has left."""
        folder = room.temporary
        if folder is None:
            return
        try:
            folder.rmdir()
        except OSError:  # not empty: it may be much, and everything else goes on meanwhile
            threading.Thread(target=shutil.rmtree, args=(folder, True), daemon=True).start()


@contextlib.contextmanager
def private(state: Path, environ: Mapping[str, str], usual: Path = USUAL) -> Iterator[Private]:
    """Rooms for all that one supervisor starts, with what is kept in the folder `state`."""
    kept = state / KEPT
    kept.mkdir(mode=0o700, exist_ok=True)
    with temporary(environ, usual, state) as folder:
        yield Private(folder, kept)


@contextlib.contextmanager
def temporary(
    environ: Mapping[str, str], usual: Path = USUAL, otherwise: Path = MEMORY
) -> Iterator[Path]:
    """An empty folder of this process's own for what may be much, removed at the end.

    It lies below the inherited TMPDIR or `usual`, where that can be written, else in `otherwise`.
    Where it was not removed, as after SIGKILL, the next that comes here does that.
    """
    folder = _made((Path(environ.get(TMPDIR) or usual).absolute(), usual, otherwise))
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _made(parents: Iterable[Path]) -> Path:
    """A new folder in the first of `parents` that has room for one."""
    for parent in parents:
        with contextlib.suppress(OSError):
            _tidy(parent)
            return Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    raise LuggageError(
        f"{TMPDIR}: nowhere to make a folder", f"set {TMPDIR} to one that can be written"
    )


def _tidy(parent: Path) -> None:
    """Remove what supervisors of this user that are gone have left in `parent`."""
    for folder in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            about = folder.lstat()
            if about.st_uid != os.getuid() or time.time() - about.st_mtime < YOUNG:
                continue
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
