"""A path + an edit of its bytes → the file with the edit, whole or not at all."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from luggage.errors import LuggageError

_SECOND = 1_000_000_000


def update(path: Path, edit: Callable[[bytes], bytes]) -> None:
    """Replace the bytes of `path` by what `edit` makes of them; raises LuggageError.

    One writer at a time: whoever else uses this function waits. Whoever does not (an editor that
    saves in between) is noticed, and nothing is written. On any failure the old file stands as it
    was and no other file is left; where the writer is killed, the next one removes what it left.
    """
    try:
        target = path.resolve(strict=True)
        with _alone(target.parent):
            old = _read(target)
            temporary = target.with_name(f".{target.name}.luggage.tmp")
            # Whoever holds the lock is alone: such a file is what a killed writer left.
            temporary.unlink(missing_ok=True)
            new = edit(old)
            if new != old:
                _replace(target, temporary, old, new)
    except OSError as error:
        raise LuggageError(f"{path}: cannot be changed: {error.strerror}") from error


def read(path: Path) -> bytes:
    """The bytes of `path`; raises LuggageError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise LuggageError(f"{path}: cannot be read: {error.strerror}") from error


def create_private(path: Path, data: bytes) -> None:
    """Make a new file that only its owner reads, on the disk when this returns; raises OSError.

    Never overwrites, and leaves nothing where it fails. Where the system can do so, the file has no
    name before it is whole, so that not even a killed process leaves a part of it.
    """
    if not _create_nameless(path, data):
        _create_named(path, data)


def _create_nameless(path: Path, data: bytes) -> bool:
    """As `create_private`; False where the system or the file system cannot do so."""
    try:
        descriptor = os.open(path.parent, os.O_WRONLY | os.O_TMPFILE, 0o600)
    except (AttributeError, OSError):
        return False
    try:
        os.fchmod(descriptor, 0o600)
        _write(descriptor, data)
        try:
            # As the source is absolute, the folder only makes Python follow it to the file.
            source = f"/proc/self/fd/{descriptor}"
            os.link(source, path, src_dir_fd=descriptor, follow_symlinks=True)
        except FileExistsError:
            raise
        except OSError:
            return False
    finally:
        os.close(descriptor)
    _sync_new(path)
    return True


def _create_named(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        try:
            os.fchmod(descriptor, 0o600)
            _write(descriptor, data)
        finally:
            os.close(descriptor)
    except BaseException:
        path.unlink()
        raise
    _sync_new(path)


def _sync_new(path: Path) -> None:
    try:
        _sync_folder(path.parent)
    except BaseException:
        path.unlink()
        raise


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: the file itself is replaced, so a lock on it would be lost."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise LuggageError(f"{path}: not a file")
    if not os.access(path, os.W_OK):
        raise LuggageError(f"{path}: read-only", "make it writable: chmod u+w")
    return path.read_bytes()


def _replace(path: Path, temporary: Path, old: bytes, new: bytes) -> None:
    was = path.stat()
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        try:
            _keep_owner(descriptor, was)
            os.fchmod(descriptor, stat.S_IMODE(was.st_mode))
            _write(descriptor, new)
            _step_clock(descriptor, was)
        finally:
            os.close(descriptor)
        if path.read_bytes() != old:
            raise LuggageError(f"{path}: changed by someone else meanwhile", "run it again")
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _keep_owner(descriptor: int, was: os.stat_result) -> None:
    mine = os.fstat(descriptor)
    if (mine.st_uid, mine.st_gid) != (was.st_uid, was.st_gid):
        with suppress(PermissionError):
            os.fchown(descriptor, was.st_uid, was.st_gid)


def _step_clock(descriptor: int, was: os.stat_result) -> None:
    """Python takes a cached module for current by its second and its size.

    A sealed value replaced within the second has the same size, so the old one would run on.
    """
    now = os.fstat(descriptor).st_mtime_ns
    if now // _SECOND <= was.st_mtime_ns // _SECOND:
        now = was.st_mtime_ns + _SECOND
        os.utime(descriptor, ns=(now, now))


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
