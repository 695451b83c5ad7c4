"""The key's hand-over: the memory file and the environment that go to the next process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from luggage import crypto
from luggage.crypto import sources
from luggage.run.start import handover

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


def test_the_memory_file_names_the_source() -> None:
    """So that an error about the key names what the user set."""
    for source in (
        "SECRET_KEY_FILE",
        "$CREDENTIALS_DIRECTORY/SECRET_KEY",
        "/run/secrets/SECRET_KEY",
    ):
        descriptor = handover.remember("the text", source)
        try:
            assert sources.read({sources.DESCRIPTOR: str(descriptor)}).source == source
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


def run(program: str, *, before: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """`program` in a Python of its own, which a shell starts as `before` says."""
    command = ["/bin/bash", "-c", f'"$0" -W error -c "$1" {before}', sys.executable, program]
    return subprocess.run(
        command, env={"PYTHONPATH": ROOT, **variables}, capture_output=True, text=True, check=False
    )


def test_a_key_from_a_pipe_is_read_once(tmp_path: Path) -> None:
    """A pipe, as of `SECRET_KEY_FILE=<(…)`, holds the key only once."""
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["/bin/sh", "-c", f"echo top secret > {tmp_path}/pipe"]):
        done = run(PROGRAM, SECRET_KEY_FILE=str(tmp_path / "pipe"), OTHER="stays")
    assert done.stdout.splitlines()[:2] == ["top secret [] 0", "gone"], done.stderr


def test_an_empty_source_is_an_error(tmp_path: Path) -> None:
    """What was meant to hold the key is not the same as no key at all."""
    (tmp_path / "key").write_text("")
    done = run(PROGRAM, SECRET_KEY_FILE=str(tmp_path / "key"))
    assert done.returncode == 1
    assert "SecretError: SECRET_KEY_FILE: empty" in done.stderr


TWICE = """\
import os, signal, sys
from luggage import run
if "LUGGAGE_KEY_FD" in os.environ:
    os.kill(os.getpid(), signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda *_: print("heard"))
run.claim()
print("goes on")
"""


def test_a_signal_meanwhile_waits() -> None:
    """TERM while the command is executed anew reaches the handler that it sets then."""
    done = run(TWICE, SECRET_KEY="x")
    assert (done.returncode, done.stdout) == (0, "heard\ngoes on\n"), done.stderr


def test_the_descriptor_goes_no_further() -> None:
    """A process that claims the key keeps it from what it starts."""
    program = "import os; from luggage import run; run.claim();" + (
        "print(os.get_inheritable(int(os.environ['LUGGAGE_KEY_FD'])))"
    )
    assert run(program, SECRET_KEY="x").stdout == "False\n"


def test_a_supervised_process_that_got_no_key_looks_for_none() -> None:
    """The supervisor has the key, and decides who gets it: a variable is not read either."""
    program = "import os; from luggage import run; run.claim(); print(os.environ['SECRET_KEY'])"
    parent = "os.environ['LUGGAGE_SUPERVISOR'] = str(os.getppid());"
    done = run(program.replace("import os;", f"import os; {parent}"), SECRET_KEY="x")
    assert done.stdout == "x\n", done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_are_no_trap(tmp_path: Path, closed: str) -> None:
    """The key's memory file must not become stdout: what is closed is opened on /dev/null."""
    told = tmp_path / "told"
    program = f"""\
import os
from luggage import run
run.claim()
there = [os.path.exists(f"/dev/fd/{{number}}") for number in range(3)]
with open({str(told)!r}, "w") as file:
    print(os.environ["LUGGAGE_KEY_FD"], *there, file=file)
"""
    done = run(program, before=closed, SECRET_KEY="x")
    assert done.returncode == 0, done.stderr
    number, *there = told.read_text().split()
    assert int(number) > 2
    assert there == ["True"] * 3


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


EARLY = """\
import os, sys
from luggage.crypto import SecretError
from luggage.run.start import handover
handover.claim_early(os.environ)
sys.stdin.close()
try:
    handover.claim(os.environ, prove=False)
except SecretError as error:
    print(error.message)
handover.claim(os.environ | {"SECRET_KEY_FILE": ""}, prove=False)
"""


def test_what_is_wrong_early_is_told_later_and_once() -> None:
    """A pipe is read once: when the error is told, it holds the key no more."""
    done = subprocess.run(
        [sys.executable, "-c", EARLY],
        input=b"n\xc3\xb6 key",
        check=True,
        capture_output=True,
        env={"PYTHONPATH": ROOT, "SECRET_KEY_FILE": "/dev/stdin"},
    )
    assert done.stdout == b"SECRET_KEY_FILE: not a key: not ASCII text\n", done.stderr
