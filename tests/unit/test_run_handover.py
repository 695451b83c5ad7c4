"""The key's hand-over: the memory file and the environment that go to the next process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from luggage import crypto
from luggage.crypto import sources
from luggage.run import handover

PROGRAM = """\
import ctypes, os, sys
from pathlib import Path
from luggage import run
run.claim()
from luggage.crypto import sources
print(sources.read(os.environ).text.reveal(), sys.argv[1:], sys.flags.isolated)
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: else it is hidden from itself as well
print("left" if b"top secret" in Path("/proc/self/environ").read_bytes() else "gone")
print("SECRET_KEY" in os.environ, "SECRET_KEY_FILE" in os.environ, os.environ["OTHER"])
"""
ROOT = str(Path(__file__).resolve().parent.parent.parent)


def test_the_memory_file_is_what_the_reader_wants() -> None:
    """Named, sealed for good, inherited, and read at any offset."""
    descriptor = handover.remember("the text")
    try:
        assert os.get_inheritable(descriptor)
        with pytest.raises(PermissionError):
            os.write(descriptor, b"x")
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, 0)
        found = sources.read({sources.DESCRIPTOR: str(descriptor)})
        assert (found.source, found.text.reveal()) == (sources.DESCRIPTOR, "the text")
        assert not os.get_inheritable(descriptor), "what the app starts does not get it"
    finally:
        os.close(descriptor)


def test_only_the_key_leaves_the_environment() -> None:
    """Both variables of the key go, all else stays."""
    before = {"SECRET_KEY": "x", "SECRET_KEY_FILE": "y", "PATH": "/bin", "SECRET_KEYS": "z"}
    after = {"PATH": "/bin", "SECRET_KEYS": "z", "LUGGAGE_KEY_FD": "7"}
    assert handover.without_key(before, 7) == after


@pytest.mark.parametrize("source", ["SECRET_KEY", "SECRET_KEY_FILE"])
def test_the_same_command_goes_on_without_the_key(tmp_path: Path, source: str) -> None:
    """The command runs anew with its arguments; the kernel shows no key of it."""
    (tmp_path / "key").write_text("top secret\n")
    value = "top secret" if source == "SECRET_KEY" else str(tmp_path / "key")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, "one", "two words"],
        env={source: value, "OTHER": "stays", "PYTHONPATH": ROOT},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "top secret ['one', 'two words'] 0",
        "gone",
        "False False stays",
    ]


def test_without_a_key_it_returns() -> None:
    """Opening the secrets tells that there is none, where any are needed."""
    environ = {"PATH": "/bin"}
    handover.claim(environ)
    assert environ == {"PATH": "/bin"}


def test_sources_that_differ_are_refused(tmp_path: Path) -> None:
    """Before anything is executed anew."""
    (tmp_path / "key").write_text("one\n")
    with pytest.raises(crypto.SecretError, match="SECRET_KEY_FILE and SECRET_KEY"):
        handover.claim({"SECRET_KEY": "two", "SECRET_KEY_FILE": str(tmp_path / "key")})
