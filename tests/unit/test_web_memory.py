"""What the kernel says of memory → bytes, for both versions of its groups."""

from __future__ import annotations

import os
from pathlib import Path

from luggage.web import memory

MEMINFO = "MemTotal:       16000000 kB\nMemAvailable:    8000000 kB\n"


def test_a_process_has_some_memory_and_a_dead_one_none() -> None:
    """Its resident size in bytes."""
    assert 1 << 20 < memory.resident() < 1 << 32
    assert memory.resident(os.getpid()) > 1 << 20
    assert memory.resident(4_000_000_000) == 0


def test_the_limit_of_either_version(tmp_path: Path) -> None:
    """`max`, and the huge number of version 1, are none."""
    assert memory.limit(tmp_path) is None
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory/memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert memory.limit(tmp_path) is None
    (tmp_path / "memory/memory.limit_in_bytes").write_text("1000000\n")
    assert memory.limit(tmp_path) == 1_000_000
    (tmp_path / "memory.max").write_text("2000000\n")
    assert memory.limit(tmp_path) == 2_000_000


def test_what_is_left_is_the_lesser_of_the_machines_and_the_containers(tmp_path: Path) -> None:
    """Files that were read and are only kept do not count as used."""
    (tmp_path / "meminfo").write_text(MEMINFO)
    assert memory.left(tmp_path, tmp_path) == 8_000_000 << 10
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("900000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 300000\nactive_file 5\n")
    assert memory.left(tmp_path, tmp_path) == 400_000
