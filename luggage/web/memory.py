"""The kernel's accounts → how much memory a process has, and how much is left for another."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
_PROC = Path("/proc")
_GROUPS = Path("/sys/fs/cgroup")
# Limit, use and statistics: version 2, then 1 (Linux: Documentation/admin-guide/cgroup-v2.rst).
_FILES = (
    ("memory.max", "memory.current", "memory.stat"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
)


def resident(pid: int | str = "self", proc: Path = _PROC) -> int:
    """The resident memory of a process in bytes; 0 where it is gone."""
    try:
        return int((proc / str(pid) / "statm").read_text().split()[1]) * PAGE
    except (OSError, ValueError, IndexError):
        return 0


def limit(groups: Path = _GROUPS) -> int | None:
    """The most bytes that this container may have; None where only the machine limits it."""
    for most, _, _ in _FILES:
        with contextlib.suppress(OSError, ValueError):
            found = int((groups / most).read_text())
            return found if found < 1 << 60 else None  # version 1 has a huge number for none
    return None


def left(groups: Path = _GROUPS, proc: Path = _PROC) -> int:
    """The bytes that new processes can have before something is killed for want of memory.

    What the kernel only keeps in case that it is read again (inactive files) is counted as free.
    """
    found = []
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in (proc / "meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                found.append(int(line.split()[1]) << 10)
    most = limit(groups)
    if most is not None:
        for _, used, statistics in _FILES:
            with contextlib.suppress(OSError, ValueError):
                taken = int((groups / used).read_text())
                for line in (groups / statistics).read_text().splitlines():
                    if line.startswith(("inactive_file ", "total_inactive_file ")):
                        taken -= int(line.split()[1])
                        break
                found.append(max(0, most - taken))
                break
    return min(found, default=0)
