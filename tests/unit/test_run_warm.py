"""A process started before its turn: what it has while it waits, and what it gets then."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from luggage.run.kernel import kin
from luggage.run.start import warm

ROOT = str(Path(__file__).resolve().parent.parent.parent)
PROGRAM = """\
import json, os, sys
sys.path.insert(0, {root!r})
print("an import talks")
from luggage.run.start import warm
before = dict(os.environ)
words = warm.wait(os.environ)
print("its turn")
left = []
for number in range(3, 256):
    try:
        os.fstat(number)
        left.append(number)
    except OSError:
        pass
told = {{"words": words, "environ": dict(os.environ), "before": before, "left": left}}
os.write(int(os.environ["TOLD"]), json.dumps(told).encode())
"""
SECRET = {"SECRET_KEY": "k1", "SECRET_KEY_FILE": "k2", "LUGGAGE_KEY_FD": "9", "LISTEN_FDS": "1"}


def command(program: str = PROGRAM) -> list[str]:
    return [sys.executable, "-I", "-c", program.format(root=ROOT)]


@pytest.fixture
def environ() -> Iterator[dict[str, str]]:
    """A small environment; what was started in it and not taken is killed."""
    made = {"PATH": os.environ["PATH"], "OTHER": "1"}
    yield made
    waiting = warm.taken(made)
    if waiting is not None:
        waiting.end()


@pytest.fixture(autouse=True)
def seen() -> Iterator[None]:
    """What starts one hides itself; the tests that follow are not to find it so."""
    limits = resource.getrlimit(resource.RLIMIT_CORE)
    yield
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE
    resource.setrlimit(resource.RLIMIT_CORE, limits)


def open_here() -> set[str]:
    """What this process has open, but for the descriptor that looks."""
    return {f"{it.name} {it.readlink()}" for it in Path("/proc/self/fd").iterdir() if it.exists()}


def gone(pid: int) -> bool:
    """Whether a child of this process ends, and is waited for, within ten seconds."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return True
        time.sleep(0.01)
    return False


def test_its_turn_makes_it_what_it_would_be_had_it_been_started_then(
    environ: dict[str, str],
) -> None:
    """It gets words, variables and descriptors, each at its number, and has no others; what was
    printed before comes first."""
    given = dict(environ)
    warm.begin(given, command())
    waiting = warm.taken(given)
    assert waiting is not None and given == environ
    (out, out_end), (told, told_end), (other, other_end) = os.pipe(), os.pipe(), os.pipe()
    turn = {"PATH": "/nowhere", "LUGGAGE_KEY_FD": "77", "TOLD": "50"}
    waiting.go(["a", "b c"], turn, {1: out_end, 2: out_end, 50: told_end, 77: other_end})
    for number in (out_end, told_end, other_end):
        os.close(number)
    with os.fdopen(told, "rb") as file, os.fdopen(out, "rb") as output:
        found = json.load(file)
        assert output.read() == b"an import talks\nits turn\n"
    os.close(other)
    assert found["words"] == ["a", "b c"]
    assert found["environ"] == turn
    assert found["left"] == [50, 77]
    assert found["before"].keys() == {"PATH", "OTHER", warm.VARIABLE, kin.SUPERVISOR, "LC_CTYPE"}
    assert gone(waiting.pid)


def test_who_starts_one_is_hidden_first(environ: dict[str, str]) -> None:
    """What it imports could read the key there, which this process has still."""
    warm.begin(environ, command())
    assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0  # PR_GET_DUMPABLE


def test_what_waits_has_no_key(environ: dict[str, str]) -> None:
    """Neither in its environment, nor as a descriptor, however inheritable that is here."""
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    given = environ | SECRET
    warm.begin(given, command())
    waiting = warm.taken(given)
    assert waiting is not None
    os.close(writer)
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b"", "nobody else has the other end"
    os.close(reader)
    file, end = Path(f"/proc/{waiting.pid}/environ"), time.monotonic() + 30
    while not (told := file.read_bytes()):  # the kernel is still about to execute it
        assert time.monotonic() < end
    variables = told.split(b"\0")
    names = {variable.partition(b"=")[0].decode() for variable in variables if variable}
    assert names == {"PATH", "OTHER", warm.VARIABLE, kin.SUPERVISOR}
    waiting.end()


def test_it_ends_without_a_word_where_its_turn_never_comes(environ: dict[str, str]) -> None:
    """As soon as nobody can tell it any more: status 0, in nobody's log."""
    warm.begin(environ, command())
    pid, number = map(int, environ.pop(warm.VARIABLE).split(":"))
    os.close(number)
    end = time.monotonic() + 10
    while (done := os.waitpid(pid, os.WNOHANG)) == (0, 0):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert done == (pid, 0)


def test_it_dies_with_its_supervisor(tmp_path: Path) -> None:
    """Also where that is killed, and has not executed itself anew yet."""
    program = (
        "import os, sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from luggage.run.start import warm; environ = {}\n"
        "warm.begin(environ, [sys.executable, '-I', '-c', sys.argv[2]])\n"
        "print(environ[warm.VARIABLE].partition(':')[0], flush=True); time.sleep(60)\n"
    )
    words = [sys.executable, "-I", "-c", program, ROOT, PROGRAM.format(root=ROOT)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    end = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_one_that_is_dead_already_is_not_taken(environ: dict[str, str]) -> None:
    """The monitor starts another then; nothing of this one is left, and no descriptor."""
    open_before = open_here()
    warm.begin(environ, command("import sys; sys.exit(3)"))
    pid = int(environ[warm.VARIABLE].partition(":")[0])
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert warm.taken(environ) is None
    assert warm.VARIABLE not in environ
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    assert open_here() == open_before


def test_one_that_dies_at_its_turn_is_an_oserror_or_a_death(environ: dict[str, str]) -> None:
    """`go` raises where nobody listens any more."""
    warm.begin(environ, command())
    waiting = warm.taken(environ)
    assert waiting is not None
    os.kill(waiting.pid, signal.SIGKILL)
    os.waitid(os.P_PID, waiting.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(OSError):
        waiting.go([], {}, {1: 1})
    waiting.end()


@pytest.mark.parametrize(
    "text", ["", "x", "1", "1:", ":1", "1:2", "99999999999999999999:0", "-1:0"]
)
def test_a_stray_variable_is_no_process(text: str) -> None:
    """It is somebody else's mistake, and leaves the environment."""
    environ = {warm.VARIABLE: text}
    assert warm.taken(environ) is None
    assert environ == {}


def test_a_process_of_somebody_else_is_not_taken() -> None:
    """With a real socket, too: it must be this process's child."""
    ours, theirs = socket.socketpair()
    with theirs:
        assert warm.taken({warm.VARIABLE: f"1:{ours.detach()}"}) is None
        assert theirs.recv(1) == b"", "it is closed"


def test_a_supervised_process_starts_none(environ: dict[str, str]) -> None:
    """The supervisor does, once."""
    given = environ | {kin.SUPERVISOR: str(os.getpid())}
    warm.begin(given, command())
    assert warm.VARIABLE not in given


def test_what_cannot_be_started_is_left_out(environ: dict[str, str]) -> None:
    """The start only takes longer."""
    open_before = open_here()
    warm.begin(environ, ["/nowhere/python"])
    assert warm.VARIABLE not in environ
    assert open_here() == open_before


def test_what_is_let_be_is_not_killed(environ: dict[str, str]) -> None:
    """Its number could be another process's by then."""
    warm.begin(environ, command())
    waiting = warm.taken(environ)
    assert waiting is not None
    pid = waiting.pid
    waiting.let_be()
    waiting.end()
    assert gone(pid), "it ends itself, as nobody can tell it any more"
