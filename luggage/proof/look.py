"""What is listed in folders + the folders themselves → what is wrong in them.

Names are bytes, and there is no object for a file: Python's own work would be most of the time.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from luggage.proof import tree

# What an engine mounts or fills: docker makes the link `/etc/mtab`, and podman adds whom it runs as
# to `/etc/passwd` and `/etc/group`.
ENGINES_FOLDERS = (b"dev", b"proc", b"run", b"sys", b"tmp")
ENGINES_FILES = frozenset(
    b"etc/" + name for name in (b"group", b"hostname", b"hosts", b"mtab", b"passwd", b"resolv.conf")
)

_BUFFER = 1 << 18
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OTHERS_READ = 0o004
_OTHERS_WRITE = 0o002


class Listed(NamedTuple):
    """A line of a listing: `mode` as in `st_mode`; `what` is the SHA-256 of a file, or the target
    of a link.
    """

    kind: bytes
    mode: int
    size: int
    what: bytes


Folders = Mapping[bytes, Mapping[bytes, Listed]]


@dataclass(frozen=True)
class Look:
    """How folders of `root` are looked at; paths have no leading slash.

    In `own` nothing is forgiven. Elsewhere there may be what is mounted at `mounts`, and additions
    where anybody may write. What lies at `besides` was looked at before.
    """

    root: bytes
    own: bytes
    mounts: frozenset[bytes]
    besides: frozenset[bytes]

    def at(self, folders: Folders) -> dict[str, str]:
        """What is wrong in the folders: path → in a few words."""
        wrong: dict[str, str] = {}
        buffer = bytearray(_BUFFER)
        for folder, names in folders.items():
            try:
                descriptor = os.open(self.root + b"/" + folder, _FLAGS | os.O_DIRECTORY)
            except PermissionError:
                continue  # its own mode is looked at beside its name
            except OSError:
                wrong |= dict.fromkeys((shown(_join(folder, name)) for name in names), "missing")
                continue
            try:
                for name, one in names.items():
                    if not _is_same(descriptor, name, one):
                        told = _look(descriptor, name, one, buffer)
                        if told:
                            wrong[shown(_join(folder, name))] = told
                for path in self._more(descriptor, folder, names):
                    wrong[shown(path)] = "was not packed"
            finally:
                os.close(descriptor)
        return wrong

    def _more(
        self, descriptor: int, folder: bytes, names: Mapping[bytes, Listed]
    ) -> Iterator[bytes]:
        """What lies in the folder and is not listed, where that matters."""
        if not folder:
            return  # the root has mount points, and nothing is found through it
        found = os.listdir(descriptor)
        if len(found) == len(names):
            return  # none of the names is missing, or that was told
        for text in found:
            name = os.fsencode(text)
            path = _join(folder, name)
            if name in names or path in self.besides or is_engines(path):
                continue
            if within(folder, self.own) or not (
                os.fstat(descriptor).st_mode & _OTHERS_WRITE or self._is_mounted(path)
            ):
                yield path

    def _is_mounted(self, path: bytes) -> bool:
        """Whether something is mounted there, or below: then an engine made the folder for it."""
        return any(within(mount, path) for mount in self.mounts)


def is_engines(path: bytes) -> bool:
    """Whether engines fill the place, so that nothing can be said of it."""
    return path.partition(b"/")[0] in ENGINES_FOLDERS or path in ENGINES_FILES


def within(path: bytes, folder: bytes) -> bool:
    """Whether `path` is `folder` or lies in it."""
    return path == folder or path.startswith(folder + b"/")


def shown(path: bytes) -> str:
    """A path as it stands in a message, which must not obey what a terminal would."""
    return "/" + tree.escape(path).decode("ascii")


def _join(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name


def _is_same(folder: int, name: bytes, one: Listed) -> bool:
    """Whether it is a file, and as it is listed: the quick way, for what mostly is so."""
    kind, mode, size, what = one
    if kind != b"file" or size > _BUFFER:
        return False
    try:
        file = os.open(name, _FLAGS, dir_fd=folder)
    except OSError:
        return False
    try:
        state = os.fstat(file)
        return (
            state.st_mode == mode
            and state.st_size == size
            and hashlib.sha256(os.read(file, size + 1)).digest() == what
        )
    except OSError:
        return False
    finally:
        os.close(file)


def _look(folder: int, name: bytes, one: Listed, buffer: bytearray) -> str:
    """What is wrong with one path, or nothing."""
    try:
        if one.kind != b"file":
            return _look_at(folder, name, one)
        file = os.open(name, _FLAGS, dir_fd=folder)
    except OSError as error:
        return _unread(error, one)
    try:
        return _look_into(file, one, buffer)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    finally:
        os.close(file)


def _unread(error: OSError, one: Listed) -> str:
    if isinstance(error, FileNotFoundError):
        return "missing"
    if isinstance(error, PermissionError) and not one.mode & _OTHERS_READ:
        return ""  # what this user cannot read it cannot run either
    return f"not a file that can be read: {error.strerror}"


def _look_into(file: int, one: Listed, buffer: bytearray) -> str:
    state = os.fstat(file)
    if not stat.S_ISREG(state.st_mode):
        return "not a file"
    if state.st_size != one.size or _digest(file, buffer) != one.what:
        return "changed"
    return _mode(state.st_mode, one)


def _look_at(folder: int, name: bytes, one: Listed) -> str:
    mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    if one.kind == b"link":
        if not stat.S_ISLNK(mode):
            return "not a link"
        return "" if os.readlink(name, dir_fd=folder) == one.what else "leads elsewhere"
    return _mode(mode, one) if stat.S_ISDIR(mode) else "not a folder"


def _mode(mode: int, one: Listed) -> str:
    found, listed = stat.S_IMODE(mode), stat.S_IMODE(one.mode)
    return "" if found == listed else f"its mode is {found:04o}, not {listed:04o}"


def _digest(file: int, buffer: bytearray) -> bytes:
    view = memoryview(buffer)
    buffers = [buffer]
    digest = hashlib.sha256()
    while size := os.readv(file, buffers):
        digest.update(view[:size])
        if size < _BUFFER:
            break
    return digest.digest()
