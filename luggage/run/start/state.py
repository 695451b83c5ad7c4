"""The environment → the private folder that holds what a running supervisor needs on disk."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from luggage.errors import LuggageError
from luggage.run.kernel.private import PREFIX

VARIABLE = "LUGGAGE_RUN"
NAME = "luggage"
USUAL = Path("/run")
LOCK = "lock"
LOOK = 0.2  # seconds: longer than a look at the lock takes (operate/caller.py)
PARTS = ("config", "messages", "metrics", "private")
SOCKETS = ("control", "management")
MEMORY = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a private folder in it


class _ForeignError(OSError):
    """A folder that is there, and not ours."""


@contextlib.contextmanager
def folder(environ: Mapping[str, str], usual: Path | None = None) -> Iterator[Path]:
    """A folder of mode 0700 for this supervisor alone, with empty folders, PARTS, in it.

    It is `luggage` in $LUGGAGE_RUN where that is set; else in `usual`, where that is usable and no
    other supervisor has it; else a new one in memory, removed at the end. `usual` is /run, where
    that is not a part of the root file system: nothing is written into a container's own layer.
    What is not ours is left as it is. Raises LuggageError where there is no place.
    """
    with contextlib.ExitStack() as stack:
        named = environ.get(VARIABLE)
        if named:
            path = Path(named).absolute() / NAME
            try:
                path.parent.mkdir(mode=0o700, exist_ok=True)
                stack.enter_context(_claimed(path))
            except _ForeignError as error:
                raise LuggageError(
                    f"{VARIABLE} {path.parent}: {NAME} in it is not ours",
                    "name another folder, such as an empty one",
                ) from error
            except BlockingIOError as error:
                raise LuggageError(
                    f"{VARIABLE} {path.parent}: another luggage runs there",
                    "stop it, or name another",
                ) from error
            except OSError as error:
                raise LuggageError(
                    f"{VARIABLE} {path.parent}: {os.strerror(error.errno or 0).lower()}",
                    "name a folder that this user may write",
                ) from error
            yield path
            return
        usual = usual or apart(USUAL)
        try:
            if usual is None:
                raise _ForeignError
            stack.enter_context(_claimed(usual / NAME))
        except OSError:
            yield stack.enter_context(_fresh())
        else:
            yield usual / NAME


def apart(place: Path, root: Path = Path("/")) -> Path | None:
    """`place`, where it or our folder in it is a file system of its own, such as a tmpfs."""
    for path in (place / NAME, place):
        with contextlib.suppress(OSError):
            return place if path.stat().st_dev != root.stat().st_dev else None
    return None


@contextlib.contextmanager
def _claimed(path: Path) -> Iterator[None]:
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        if not _ours(path):
            raise _ForeignError from None
    path.chmod(0o700)
    with _locked(path):
        _furnish(path)
        yield
        with contextlib.suppress(OSError):  # what is left, the next one sweeps
            _clear(path)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Raises BlockingIOError where another has it, and not only looks at it, as ctl does."""
    lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        end = time.monotonic() + LOOK
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.01)
        yield
    finally:
        os.close(lock)


def _ours(path: Path) -> bool:
    """Whether `path` is a folder of this user that a supervisor has made, or an empty one."""
    about = path.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid():
        return False
    names = {entry.name for entry in path.iterdir()} - {it.name for it in _temporary(path)}
    return not names or (LOCK in names and names <= {LOCK, *PARTS, *SOCKETS})


@contextlib.contextmanager
def _fresh() -> Iterator[Path]:
    parent = MEMORY if os.access(MEMORY, os.W_OK | os.X_OK) else None
    try:
        path = Path(tempfile.mkdtemp(prefix="luggage-", dir=parent))
    except OSError as error:
        raise LuggageError(
            "state folder: nowhere to make one", f"set {VARIABLE} to a folder that can be written"
        ) from error
    try:
        with _locked(path):
            _furnish(path)
            yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _furnish(path: Path) -> None:
    _clear(path)
    for name in PARTS:
        (path / name).mkdir(mode=0o700)


def _clear(path: Path) -> None:
    for name in SOCKETS:
        (path / name).unlink(missing_ok=True)
    for folder in (*(path / name for name in PARTS), *_temporary(path)):
        if folder.exists():
            _remove(folder)


def _temporary(path: Path) -> list[Path]:
    """What killed supervisors have left that had no other place for what is temporary."""
    return list(path.glob(f"{PREFIX}*"))


def _remove(folder: Path) -> None:
    """Remove `folder`, though processes have taken rights away from some that they made there."""
    try:
        shutil.rmtree(folder)
    except PermissionError:
        for parent, names, _ in os.walk(folder):
            for inner in (Path(parent, name) for name in names):
                if not inner.is_symlink():
                    inner.chmod(0o700)
        shutil.rmtree(folder)
