"""The listings of an image + its file system → what differs between them (docs/format.md, §7).

Every file is opened and hashed, by two processes where there are two processors. Ownership is not
compared, as an engine may map it: that is done from outside, before anything runs.
"""

# ruff: noqa: PTH123, PTH208

from __future__ import annotations

import binascii
import json
import os
import re
import signal
import stat
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from luggage.proof import tree
from luggage.proof.look import Folders, Listed, Look, is_engines, shown, within

_EACH = 24_000  # opening a file takes as long as hashing so many bytes
_TYPES = {b"type=dir": stat.S_IFDIR, b"type=file": stat.S_IFREG, b"type=link": stat.S_IFLNK}
_ESCAPE = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True)
class Found:
    """How many files, and bytes, were hashed, and what is wrong: path → in a few words."""

    files: int
    size: int
    wrong: Mapping[str, str]


def read(listings: Iterable[bytes]) -> tuple[dict[bytes, Listed], dict[str, str]]:
    """All that the listings name, by path, and what stands in two of them differently.

    The seal names the digest of each listing, so that its form was checked when it was packed.
    """
    found: dict[bytes, Listed] = {}
    wrong: dict[str, str] = {}
    modes: dict[tuple[bytes, bytes], int] = {}
    for data in listings:
        for line in data.removeprefix(tree.HEAD).splitlines():
            name, kind, mode, _uid, _gid, *rest = line.split(b" ")
            path = _plain(name[2:])
            if (kind, mode) not in modes:
                modes[kind, mode] = int(mode[5:], 8) | _TYPES[kind]
            if kind == b"type=file":
                digest = binascii.unhexlify(rest[1][13:])
                one = Listed(b"file", modes[kind, mode], int(rest[0][5:]), digest)
            else:
                target = _plain(rest[0][5:]) if rest else b""
                one = Listed(kind[5:], modes[kind, mode], 0, target)
            if found.setdefault(path, one) != one:
                wrong[shown(path)] = "is listed twice, and differently"
    return found, wrong


def differing(
    root: bytes,
    listed: Mapping[bytes, Listed],
    own: bytes,
    mounts: Collection[bytes] = (),
    besides: Collection[bytes] = (),
) -> Found:
    """Compare what is in `root` with `listed`: nothing else, nothing missing, nothing changed.

    Outside the folder `own`, what lies at or under `mounts` is left out: whoever runs the image put
    it there. So are the places that engines fill, and additions where anybody may write. What lies
    at `besides` was looked at before.
    """
    outside = frozenset(mount for mount in mounts if not within(mount, own))
    folders = _by_folder(listed, outside)
    look = Look(root, own, outside, frozenset(besides))
    one, two = _halves(folders)
    other = _helper(look, two) if two and _is_worth_it() else None
    try:
        wrong = look.at(one)
        more = other.result() if other else None
    finally:
        if other:
            other.end()
    wrong |= look.at(two) if more is None else more
    sizes = [it.size for names in folders.values() for it in names.values() if it.kind == b"file"]
    return Found(len(sizes), sum(sizes), dict(sorted(wrong.items())))


def mounted(text: bytes, root: bytes = b"/") -> frozenset[bytes]:
    """The places in `root` that /proc/self/mountinfo, whose text it is, says something is mounted
    at, without a leading slash.
    """
    prefix = root.rstrip(b"/") + b"/"
    places = (_plain(line.split(b" ")[4]) for line in text.splitlines() if line.count(b" ") > 4)
    return frozenset(it.removeprefix(prefix) for it in places if it.startswith(prefix)) - {b""}


class _Helper:
    """A child process that looks at its share meanwhile."""

    def __init__(self, look: Look, folders: Folders) -> None:
        end, write = os.pipe()
        try:
            self._process = os.fork()
        except OSError:
            os.close(end)
            os.close(write)
            raise
        if self._process == 0:
            try:
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                    signal.signal(number, signal.SIG_DFL)
                with open(write, "wb") as file:
                    file.write(json.dumps({"wrong": look.at(folders)}).encode())
            finally:
                os._exit(0)
        os.close(write)
        self._end = os.fdopen(end, "rb")

    def result(self) -> dict[str, str] | None:
        """What it found, or None where it did not end as it should."""
        try:
            wrong: dict[str, str] = json.loads(self._end.read())["wrong"]
        except ValueError:
            return None
        return wrong

    def end(self) -> None:
        """It is not needed any more, whether it has told what it found or not."""
        self._end.close()
        os.kill(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)


def _helper(look: Look, folders: Folders) -> _Helper | None:
    try:
        return _Helper(look, folders)
    except OSError:
        return None  # a limit of processes or descriptors: one process does all


def _plain(name: bytes) -> bytes:
    if b"\\" not in name:
        return name
    return _ESCAPE.sub(lambda match: bytes([int(match[1], 8)]), name)


def _by_folder(listed: Mapping[bytes, Listed], hidden: Collection[bytes]) -> Folders:
    """What is listed in each folder, by name, but for what is hidden or an engine's; the folder ``
    is the root itself.
    """
    found: dict[bytes, dict[bytes, Listed]] = {b"": {}}
    starts = tuple(mount + b"/" for mount in hidden)
    for path, one in listed.items():
        if is_engines(path) or (path + b"/").startswith(starts):
            continue
        folder, _, name = path.rpartition(b"/")
        found.setdefault(folder, {})[name] = one
        if one.kind == b"dir":
            found.setdefault(path, {})
    return found


def _halves(folders: Folders) -> tuple[Folders, Folders]:
    """Two shares that take about as long; each folder is in one of them."""
    costs = {
        folder: sum(_EACH + it.size for it in names.values()) for folder, names in folders.items()
    }
    shares: tuple[dict[bytes, Mapping[bytes, Listed]], ...] = ({}, {})
    sums = [0, 0]
    for folder in sorted(costs, key=lambda it: -costs[it]):
        less = sums.index(min(sums))
        shares[less][folder] = folders[folder]
        sums[less] += costs[folder]
    return shares[0], shares[1]


def _is_worth_it() -> bool:
    """Whether a helper has a processor, and no other thread would be lost in it."""
    try:
        return len(os.sched_getaffinity(0)) > 1 and len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False
