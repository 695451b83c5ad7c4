"""The listings of an image + its file system → what differs between them (docs/format.md, §7).

Every file is opened and hashed, by two processes where there are two processors. Ownership is not
compared, as an engine may map it: that is done from outside, before anything runs.
"""

# ruff: noqa: PTH123, PTH208

from __future__ import annotations

import binascii
import contextlib
import json
import os
import re
import signal
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from luggage.proof import tree
from luggage.proof.look import (
    ENGINES_FILES,
    ENGINES_FOLDERS,
    Folders,
    Listed,
    Look,
    shown,
    within,
)

_EACH = 24_000  # opening a file takes as long as hashing so many bytes
_SHARES = 64
_ENGINES = tuple(folder + b"/" for folder in ENGINES_FOLDERS)
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
    unhex = binascii.unhexlify
    new = tuple.__new__  # Listed's own takes twice as long
    for data in listings:
        for line in data.removeprefix(tree.HEAD).splitlines():
            name, kind, mode, _uid, _gid, *rest = line.split(b" ")
            path = _plain(name[2:]) if b"\\" in name else name[2:]
            if (kind, mode) not in modes:
                modes[kind, mode] = int(mode[5:], 8) | _TYPES[kind]
            if kind == b"type=file":
                digest = unhex(rest[1][13:])
                what = (b"file", modes[kind, mode], int(rest[0][5:]), digest)
            else:
                target = _plain(rest[0][5:]) if rest else b""
                what = (kind[5:], modes[kind, mode], 0, target)
            one = new(Listed, what)
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
    shares = _shares(folders)
    other = _helper(look, shares) if _is_worth_it() else None
    try:
        wrong, done = _work(look, shares, other.turns if other else None)
        more = other.result() if other else None
    finally:
        if other:
            other.end()
    if more is None:  # it did not end as it should, and what it had begun is not done
        more, _ = _work(look, [it for at, it in enumerate(shares) if at not in done], None)
    wrong |= more
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
    """A child process that looks at shares meanwhile.

    `turns` has a byte for each share: whoever reads it looks at that share. The other processor may
    have more to do than this, and then shares of one size would leave this one waiting.
    """

    def __init__(self, look: Look, shares: Sequence[Folders]) -> None:
        with contextlib.ExitStack() as stack:
            self.turns, turns = os.pipe()
            stack.callback(os.close, self.turns)
            os.write(turns, bytes(range(len(shares))))
            os.close(turns)
            end, write = os.pipe()
            stack.callback(os.close, end)
            stack.callback(os.close, write)
            self._process = os.fork()
            stack.pop_all()
        if self._process == 0:
            try:
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                    signal.signal(number, signal.SIG_DFL)
                wrong, _ = _work(look, shares, self.turns)
                with open(write, "wb") as file:
                    file.write(json.dumps({"wrong": wrong}).encode())
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
        os.close(self.turns)
        os.kill(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)


def _helper(look: Look, shares: Sequence[Folders]) -> _Helper | None:
    try:
        return _Helper(look, shares)
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
    last, names = b"", found[b""]  # what stands in one folder mostly stands together
    for path, one in listed.items():
        if path in ENGINES_FILES or path.startswith(_ENGINES) or path in ENGINES_FOLDERS:
            continue
        if starts and (path + b"/").startswith(starts):
            continue
        folder, _, name = path.rpartition(b"/")
        if folder != last:
            last, names = folder, found.setdefault(folder, {})
        names[name] = one
        if one[0] == b"dir":
            found.setdefault(path, {})
    return found


def _shares(folders: Folders) -> list[Folders]:
    """The folders in a few dozen shares, those that take longest first."""
    costs = {
        folder: sum(_EACH + it.size for it in names.values()) for folder, names in folders.items()
    }
    each = sum(costs.values()) / _SHARES
    shares: list[Folders] = []
    share: dict[bytes, Mapping[bytes, Listed]] = {}
    cost = 0
    for folder in sorted(costs, key=lambda it: -costs[it]):
        share[folder] = folders[folder]
        cost += costs[folder]
        if cost >= each:
            shares.append(share)
            share, cost = {}, 0
    return [*shares, share]


def _work(
    look: Look, shares: Sequence[Folders], turns: int | None
) -> tuple[dict[str, str], set[int]]:
    """What is wrong in the shares that were done, and which those are: all, or whose turn it is."""
    wrong: dict[str, str] = {}
    done: set[int] = set()
    numbers = range(len(shares)) if turns is None else _turns(turns)
    for number in numbers:
        wrong |= look.at(shares[number])
        done.add(number)
    return wrong, done


def _turns(turns: int) -> Iterator[int]:
    while turn := os.read(turns, 1):
        yield turn[0]


def _is_worth_it() -> bool:
    """Whether a helper has a processor, and no other thread would be lost in it."""
    try:
        return len(os.sched_getaffinity(0)) > 1 and len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False
