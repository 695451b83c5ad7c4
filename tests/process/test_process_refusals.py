"""What is wrong is told in clear lines, with an exit status, before anything listens."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from running import Made, free_port, make, started

Change = Callable[[Made], dict[str, str]]

CASES: dict[str, tuple[Change, list[str]]] = {
    "no key": (lambda made: {"SECRET_KEY": ""}, ["error: no key: looked at SECRET_KEY_FILE"]),
    "not a key": (lambda made: {"SECRET_KEY": "x"}, ["error: SECRET_KEY: "]),
    "wrong key": (
        lambda made: {"SECRET_KEY": make(made.folder / "other").key},
        ["error: SECRET_KEY: key ", "opens no environment of project 'under-test'"],
    ),
    "two keys": (
        lambda made: {"SECRET_KEY_FILE": _key_file(made)},
        ["error: SECRET_KEY_FILE and SECRET_KEY: hold different keys"],
    ),
    "settings": (
        lambda made: {"PORT": "80a", "WEB_CONCURRENCY": "0", "LOG_LEVEL": "loud"},
        [
            "error: variable PORT: '80a' is not a whole number from 1 to 65535",
            "error: variable WEB_CONCURRENCY: '0' is not a whole number from 1 to 256",
            "error: variable LOG_LEVEL: 'loud' is not one of debug, info, warning, error, critical",
        ],
    ),
    "host": (
        lambda made: {"HOST": "192.0.2.1"},
        ["error: 192.0.2.1:", "hint: set HOST to an address of this machine"],
    ),
    "state folder": (lambda made: {"LUGGAGE_RUN": "/proc/no"}, ["error: LUGGAGE_RUN /proc/no: "]),
}


def _key_file(made: Made) -> str:
    path = made.folder / "other.key"
    path.write_text(make(made.folder / "other").key + "\n")
    return str(path)


def listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("case", CASES)
def test_refused_before_anything_listens(made: Made, case: str) -> None:
    """Exit status 1; each thing that is wrong named once; the port was never open."""
    change, wanted = CASES[case]
    port = free_port()
    variables = {"PORT": str(port), "SECRET_KEY": made.key, **change(made)}
    with started(made, environ=made.environ() | variables) as running:
        heard = 0
        while running.process.poll() is None:
            heard += listens(port)
        assert running.wait() == 1
        assert heard == 0
        for text in wanted:
            assert running.text.count(text) == 1
        assert "Traceback" not in running.text
        assert made.key not in running.text
        assert "starting" not in running.text


def test_no_room_in_the_state_folder_is_told(made: Made) -> None:
    """One clear error; the files are too long here for a limit that stands for a full disk."""
    limit = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); "
    before = [sys.executable, "-c", limit + "os.execv(sys.argv[1], sys.argv[1:])"]
    many = {f"VARIABLE_NUMBER_{number}": "x" for number in range(300)}
    many["PYTHONDONTWRITEBYTECODE"] = "1"  # whose files would be cut off for everyone
    with started(made, before=before, **many) as running:
        assert running.wait() == 1
        folder = made.folder / "run" / "luggage" / "config"
        assert f"error: state folder {folder}: file too large" in running.text
        assert "Traceback" not in running.text


def test_gunicorn_by_hand_without_a_key(made: Made) -> None:
    """One clear error, not one of each worker."""
    with started(made, "gunicorn", environ=made.environ()) as running:
        assert running.wait() == 1
        assert running.lines[0].startswith(b"error: no key: looked at ")
        assert len(running.lines) == 2


@pytest.mark.parametrize("number", ["99", "0", "x", "-1", "9" * 30])
def test_a_descriptor_that_is_no_listening_socket(made: Made, number: str) -> None:
    """What only a supervisor sets, and is wrong: one clear error."""
    with started(made, "gunicorn", LUGGAGE_LISTEN_FD=number) as running:
        assert running.wait() == 1
        assert running.lines == [
            f"error: LUGGAGE_LISTEN_FD: descriptor {number} is not a listening socket".encode(),
            b"hint: unset LUGGAGE_LISTEN_FD: luggage sets it for the processes it starts",
        ]


def test_a_missing_secret_is_refused(tmp_path: Path) -> None:
    """All required secrets without a value are named at once."""
    made = make(tmp_path, required=("CANARY", "FIRST", "SECOND"))
    with started(made) as running:
        while running.process.poll() is None:
            assert not listens(running.port)
        assert running.wait() == 1
        assert "error: secret 'FIRST': required" in running.text
        assert "error: secret 'SECOND': required" in running.text


def test_a_port_in_use_is_named(made: Made) -> None:
    """The address, the reason, and what to do; nothing is started."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with started(made, PORT=str(port)) as running:
            assert running.wait() == 1
        assert running.lines == [
            f"error: 127.0.0.1:{port}: another program listens there".encode(),
            b"hint: stop it, or set PORT to a free one",
        ]


def test_the_same_state_folder_twice_is_refused(made: Made) -> None:
    """Two supervisors would start each other's processes."""
    with started(made) as first:
        first.wait_for("gunicorn: ready")
        with started(made) as second:
            assert second.wait() == 1
            assert "another luggage runs there" in second.text
        first.signal(signal.SIGTERM)
        assert first.wait() == 0


def test_a_process_that_is_not_wanted_is_not_started(made: Made) -> None:
    """`unless`: not where the variable holds something, but where it is empty."""
    with started(made, NO_SPARE="1") as running:
        running.wait_for(r"starting gunicorn, loop$")
    with started(made, NO_SPARE="") as running:
        running.wait_for(r"starting gunicorn, loop, spare$")


def test_help_needs_no_key(made: Made) -> None:
    """--help tells the variables with their defaults."""
    with started(made, "start", "--help", SECRET_KEY="") as running:
        assert running.wait() == 0
        assert "PORT             the port to listen on (default: 8000)" in running.text


def test_healthy(made: Made) -> None:
    """`healthy` tells in one line and by its exit status whether the deployment answers."""
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        port = str(running.port)
        with started(made, "healthy", environ=made.environ(PORT=port, HOST="0.0.0.0")) as asked:
            assert asked.wait() == 0
            assert asked.lines == [f"healthy: 127.0.0.1 port {port}: 200".encode()]
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
        assert "/-/healthy" not in running.text, "health checks do not fill the log"
    with started(made, "healthy", environ=made.environ(PORT=port)) as asked:
        assert asked.wait() == 1
        [line] = asked.lines
        assert line.startswith(f"error: not healthy: 127.0.0.1 port {port}: no answer".encode())
