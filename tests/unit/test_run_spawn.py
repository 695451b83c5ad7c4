"""A process that is started without Twisted: its descriptors, its group and its signals."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from luggage.run.kernel.spawn import spawn

PROGRAM = """\
import json, os, signal
found = {}
for number in range(256):
    try:
        found[number] = os.readlink(f"/proc/self/fd/{number}")
    except OSError:
        pass
told = {
    "files": found,
    "leads": os.getpgid(0) == os.getpid(),
    "blocked": [int(it) for it in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
    "ignored": signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN,
    "environ": dict(os.environ),
}
os.write(1, json.dumps(told).encode())
"""


def test_a_process_has_what_it_is_given_and_no_more(tmp_path: Path) -> None:
    """Descriptors, variables, a group of its own; no signal that is blocked or ignored here."""
    reader, writer = os.pipe()
    kept = os.open(tmp_path, os.O_RDONLY)
    stray = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(stray, True)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        files = {1: writer, 2: writer, kept: kept}
        pid = spawn([sys.executable, "-ISc", PROGRAM], {"A": "1", "LC_ALL": "C.UTF-8"}, files)
        assert not os.get_inheritable(kept), "it is here as it was"
        os.close(writer)
        with os.fdopen(reader, "rb") as file:
            found = json.load(file)
        assert os.waitpid(pid, 0)[1] == 0
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        signal.signal(signal.SIGUSR1, before)
        os.close(kept)
        os.close(stray)
    assert found["files"].keys() == {"0", "1", "2", str(kept)}
    assert found["files"]["0"] == os.devnull
    assert found["files"][str(kept)] == str(tmp_path)
    assert found["leads"] and found["blocked"] == [] and not found["ignored"]
    assert found["environ"] == {"A": "1", "LC_ALL": "C.UTF-8"}


def test_what_is_not_there_is_an_oserror() -> None:
    """And the descriptors are as they were."""
    reader, writer = os.pipe()
    with pytest.raises(FileNotFoundError):
        spawn(["/nowhere/python"], {}, {1: writer, reader: reader})
    assert not os.get_inheritable(reader)
    os.close(reader)
    os.close(writer)
