"""A pid → the processes below it: who they are, the memory they take, and an end to them all."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_PR_SET_CHILD_SUBREAPER = 36
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Process:
    """A line of /proc. `born`, in clock ticks since the boot, tells it from a later one."""

    pid: int
    parent: int
    state: str
    born: int

    @property
    def zombie(self) -> bool:
        return self.state == "Z"


def adopt_orphans() -> None:
    """Become the parent of what is left behind, so that it can be found and ended."""
    if ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1), 0, 0, 0):
        raise OSError("prctl: no subreaper")


def below(root: int) -> list[Process]:
    """`root` and every process below it, zombies too; empty where it is not there."""
    children: dict[int, list[Process]] = {}
    found: list[Process] = []
    for process in _all():
        children.setdefault(process.parent, []).append(process)
        if process.pid == root:
            found.append(process)
    for process in found:
        found.extend(children.get(process.pid, ()))
    return found


def alive(processes: Collection[Process]) -> list[Process]:
    """Those that are still there, and no zombies."""
    now = {(it.pid, it.born): it for it in _all()}
    return [it for it in processes if (it.pid, it.born) in now and not now[it.pid, it.born].zombie]


def memory(processes: Collection[Process]) -> float:
    """Their proportional set size in MiB; where it cannot be read, their resident one."""
    return sum(_memory(process.pid) for process in processes) / (1 << 20)


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    found = _process(PROC / str(pid))
    return found is None or found.zombie


def end(processes: Collection[Process] = ()) -> None:
    """Kill `processes` and whatever else is below this one, until nothing is there."""
    mine = os.getpid()
    limit = time.monotonic() + 10
    while time.monotonic() < limit:
        left = [*(it for it in below(mine) if it.pid != mine), *alive(processes)]
        for process in left:
            if process.zombie and process.parent == mine:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(process.pid, os.WNOHANG)
            elif not process.zombie:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
        if not left:
            return
        time.sleep(0.01)
    raise TimeoutError(f"not ended: {left}")


def _all() -> list[Process]:
    found = (_process(folder) for folder in PROC.iterdir() if folder.name.isdigit())
    return [process for process in found if process is not None]


def _process(folder: Path) -> Process | None:
    try:
        # The name, in brackets, may hold anything.
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return Process(int(folder.name), int(fields[1]), fields[0], int(fields[19]))


def _memory(pid: int) -> int:
    folder = PROC / str(pid)
    with contextlib.suppress(OSError):
        for line in (folder / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) << 10
    with contextlib.suppress(OSError):
        return int((folder / "statm").read_text().split()[1]) * _PAGE
    return 0
