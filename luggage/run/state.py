"""The environment → the private folder that holds what a running supervisor needs on disk."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from luggage.errors import LuggageError

VARIABLE = "LUGGAGE_RUN"
USUAL = Path("/run/luggage")
MEMORY = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a private folder in it


@contextlib.contextmanager
def folder(environ: Mapping[str, str], usual: Path = USUAL) -> Iterator[Path]:
    """A folder of mode 0700 for this supervisor alone, with empty folders `config` and `messages`.

    It is $LUGGAGE_RUN where that is set; else `usual` where it is usable and no other supervisor
    has it; else a new one in memory, removed at the end. Raises LuggageError where there is none.
    """
    with contextlib.ExitStack() as stack:
        named = environ.get(VARIABLE)
        if named:
            path = Path(named).absolute()
            try:
                stack.enter_context(_claimed(path))
            except BlockingIOError as error:
                raise LuggageError(
                    f"{VARIABLE} {path}: another luggage runs there", "stop it, or name another"
                ) from error
            except OSError as error:
                raise LuggageError(
                    f"{VARIABLE} {path}: {os.strerror(error.errno or 0).lower()}",
                    "name a folder that this user may write",
                ) from error
            yield path
            return
        try:
            stack.enter_context(_claimed(usual))
        except OSError:
            yield stack.enter_context(_fresh())
        else:
            yield usual


@contextlib.contextmanager
def _claimed(path: Path) -> Iterator[None]:
    path.mkdir(mode=0o700, exist_ok=True)
    path.chmod(0o700)
    lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _furnish(path)
        yield
        _clear(path)
    finally:
        os.close(lock)


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
        _furnish(path)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _furnish(path: Path) -> None:
    _clear(path)
    for name in ("config", "messages"):
        (path / name).mkdir(mode=0o700)


def _clear(path: Path) -> None:
    for name in ("config", "messages"):
        if (path / name).exists():
            shutil.rmtree(path / name)
