"""The web server's process is started before anything else, and waits until all is found right."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from running import PACKAGE, Made, Running, started
from unpacked import pack


@contextmanager
def without_key(made: Made, **variables: str) -> Iterator[tuple[Running, Path]]:
    """A start that waits for its key, which comes out of a pipe; the web server waits with it."""
    pipe = made.folder / "pipe"
    os.mkfifo(pipe)
    environ = made.environ(SECRET_KEY_FILE=str(pipe))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        environ["PORT"] = str(free.getsockname()[1])
    with started(made, environ=environ, **variables) as running:
        yield running, pipe


def idle(pid: int) -> bool:
    """Whether a process sleeps, having imported what it needs."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        stack = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if stack[0] == "S" and "socket:" in "".join(descriptors(pid)):
            return True
        time.sleep(0.01)
    return False


def descriptors(pid: int) -> list[str]:
    """What a process has open."""
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found.append(str(entry.readlink()))
    return found


def is_gone(pid: int) -> bool:
    """Whether a process ends within five seconds, and is waited for."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        if not Path(f"/proc/{pid}").exists():
            return True
        time.sleep(0.01)
    return False


def test_it_serves_when_its_turn_comes(made: Made) -> None:
    """The process that waited is the web server; until then it has no key, serves nothing and
    prints nothing."""
    with without_key(made) as (running, pipe):
        waiting = running.wait_for_child("gunicorn")
        assert idle(waiting)
        variables = Path(f"/proc/{waiting}/environ").read_text()
        assert "SECRET_KEY" not in variables and "LUGGAGE_KEY" not in variables
        found = descriptors(waiting)
        assert len([name for name in found if name.startswith("socket:")]) == 1, "the supervisor's"
        assert not [name for name in found if "luggage-key" in name or name.startswith("pipe:")]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", running.port), 1)
        assert running.lines == []
        pipe.write_text(made.key)
        running.wait_for("gunicorn: ready")
        assert running.get("/")[0] == 200
        assert running.children("gunicorn") == [waiting]
        os.kill(waiting, signal.SIGKILL)
        running.wait_for(r"gunicorn: killed by signal 9 .*; starting it again")


def test_a_second_life_is_as_the_first(made: Made) -> None:
    """The same variables and descriptors, whoever started it."""
    with started(made, APP_DOES="look") as running:
        running.wait_for("gunicorn: ready")
        first = running.wait_for_child("gunicorn")
        lives = [alike(first)]
        before = len(running.lines)
        os.killpg(first, signal.SIGKILL)
        running.wait_for("gunicorn: ready", after=before)
        lives.append(alike(running.wait_for_child("gunicorn")))
        assert lives[0] == lives[1]
        looks = [line for line in running.lines if b"inherited:" in line]
        assert looks == [b"gunicorn | inherited: [0, 1, 2]"] * len(looks) and len(looks) == 2


def alike(pid: int) -> tuple[list[str], list[str]]:
    """What two lives have in common: the words, and the kinds of descriptors."""
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    kinds = sorted(re.split("[:-]", name)[0] for name in descriptors(pid))
    return words[:4], kinds


def test_what_is_wrong_is_told_and_nothing_waits_on(made: Made) -> None:
    """An error is the supervisor's alone, and the waiting process is gone with it."""
    with without_key(made) as (running, pipe):
        waiting = running.wait_for_child("gunicorn")
        pipe.write_text("lugkey1.no")
        assert running.wait() == 1
        assert is_gone(waiting)
        assert running.text.startswith("error: SECRET_KEY_FILE: ")
        assert "gunicorn" not in running.text and "Traceback" not in running.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_a_supervisor_that_is_told_to_stop(made: Made, number: signal.Signals) -> None:
    """Before its turn it has nobody to answer: status 0, and no line."""
    with without_key(made) as (running, _):
        waiting = running.wait_for_child("gunicorn")
        assert idle(waiting)
        running.signal(number)
        assert running.wait() == 0
        assert is_gone(waiting)
        assert running.lines == []


def test_nothing_waits_where_no_web_server_is_wanted(made: Made) -> None:
    """An artifact begins it before it knows its table; one without a web server ends it."""
    path = made.folder / PACKAGE / "start.py"
    text = path.read_text()
    path.write_text(text.replace(f'    run.Web("{PACKAGE}.app:app"),\n', ""))
    assert path.read_text() != text
    packed = pack(made)
    words = [str(packed.python), "-I", "-m", "luggage", "start"]
    with started(made, instead=words) as running:
        running.wait_for("no web server, environment test: starting loop, spare$")
        running.wait_for("loop +. the secret has 24 letters")
        found = [line for line in running.tree().values() if "gunicorn" in line]
        assert found == []
        running.signal(signal.SIGTERM)
        assert running.wait() == 0


def test_one_that_dies_is_replaced(made: Made) -> None:
    """Whatever becomes of it while it waits: the web server is started as ever."""
    with without_key(made) as (running, pipe):
        waiting = running.wait_for_child("gunicorn")
        os.kill(waiting, signal.SIGKILL)
        pipe.write_text(made.key)
        running.wait_for("gunicorn: ready")
        assert running.get("/")[0] == 200
        assert waiting not in running.children("gunicorn")


def test_a_signal_that_comes_before_the_supervisor_is_heard(made: Made) -> None:
    """From its turn on, until all else is started, the web server is stopped in order."""
    with without_key(made, APP_DOES="yawn") as (running, pipe):
        waiting = running.wait_for_child("gunicorn")
        assert idle(waiting)
        pipe.write_text(made.key)
        while not [name for name in descriptors(waiting) if name.startswith("pipe:")]:
            time.sleep(0.005)
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
        assert "luggage  | signal SIGTERM: stopping" in running.text
        assert "gunicorn: exited with status 0" in running.text


def test_a_deployments_own_command_waits_as_well(made: Made) -> None:
    """Whatever its `gunicorn` does before it calls luggage's, it does when its turn has come."""
    file = made.folder / PACKAGE / "gunicorn.py"
    first = '    print("opened", *config.SECRETS.open(), argv[1:])\n'
    text = file.read_text()
    assert text.count("    return ") == 1
    file.write_text(text.replace("    return ", f"{first}    return "))
    with without_key(made) as (running, pipe):
        waiting = running.wait_for_child("gunicorn")
        assert idle(waiting)
        assert running.lines == []
        pipe.write_text(made.key)
        running.wait_for(r"gunicorn \| opened CANARY \['deploy_under_test.app:app'\]")
        running.wait_for("gunicorn: ready")
        assert running.children("gunicorn") == [waiting]
