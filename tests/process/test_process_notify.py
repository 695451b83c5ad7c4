"""What systemd is told of a real supervisor, on a real socket; and a terminal that is closed."""

from __future__ import annotations

import os
import pty
import signal
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from operated import ctl
from running import PACKAGE, make, started


@dataclass
class Manager:
    """A socket as systemd's, and what it has heard."""

    socket: socket.socket
    heard: list[str] = field(default_factory=list)

    def wait_for(self, line: str, *, times: int = 1, seconds: float = 30) -> None:
        """Wait until `line` has been heard as often."""
        end = time.monotonic() + seconds
        while self.heard.count(line) < times:
            self.socket.settimeout(max(0.01, end - time.monotonic()))
            try:
                self.heard += self.socket.recv(4096).decode().split("\n")
            except TimeoutError:
                raise AssertionError(f"no {line!r} in {seconds} s: {self.heard}") from None


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as it:
        name = f"luggage-test-{os.getpid()}-{tmp_path.name}"
        it.bind(f"\0{name}")
        yield Manager(it)


def address(manager: Manager) -> str:
    return "@" + manager.socket.getsockname()[1:].decode()


def test_a_service_tells_when_it_is_ready_reloads_and_stops(
    tmp_path: Path, manager: Manager
) -> None:
    """READY=1 when the web server serves, and again at the end of each reload; STOPPING=1."""
    made = make(tmp_path)
    with started(made, NOTIFY_SOCKET=address(manager)) as running:
        manager.wait_for("READY=1")
        assert running.get("/")[0] == 200
        assert "STATUS=ready" in manager.heard
        assert ctl(made, "reload").returncode == 0
        manager.wait_for("READY=1", times=2)
        assert "RELOADING=1" in manager.heard
        assert ctl(made, "stop", "gunicorn").returncode == 0
        manager.wait_for("STATUS=not ready; gunicorn is stopped")
        running.signal(signal.SIGTERM)
        manager.wait_for("STOPPING=1")
        assert running.wait() == 0


@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_readiness_is_the_web_server_s_whatever_is_started_first(
    tmp_path: Path, manager: Manager, seed: str
) -> None:
    """Processes are added in the order of a set, which the seed decides."""
    variables = {"NOTIFY_SOCKET": address(manager), "PYTHONHASHSEED": seed, "APP_DOES": "yawn"}
    with started(make(tmp_path), **variables):
        manager.wait_for("READY=1")
        before = manager.heard[: manager.heard.index("READY=1")]
        assert "STATUS=not ready; gunicorn is starting" in before


def test_the_watchdog_hears_of_the_supervisor_until_it_is_frozen(
    tmp_path: Path, manager: Manager
) -> None:
    """Twice as often as it asks; systemd kills what stands still."""
    made = make(tmp_path)
    variables = {"NOTIFY_SOCKET": address(manager), "WATCHDOG_USEC": "400000"}
    with started(made, **variables) as running:
        manager.wait_for("WATCHDOG=1", times=5)
        running.process.send_signal(signal.SIGSTOP)
        manager.socket.settimeout(1.5)
        with pytest.raises(TimeoutError):
            while True:
                manager.socket.recv(4096)
        running.process.send_signal(signal.SIGCONT)
        manager.wait_for("WATCHDOG=1", times=1)


def test_no_child_gets_what_is_for_the_first_process(tmp_path: Path, manager: Manager) -> None:
    """It could tell that the service is ready, or stops."""
    made = make(tmp_path)
    variables = {"NOTIFY_SOCKET": address(manager), "WATCHDOG_USEC": "30000000"}
    with started(made, **variables) as running:
        running.wait_for("gunicorn: ready")
        running.wait_for("goes round")
        for pid in set(running.tree()) - {running.process.pid}:
            environ = Path(f"/proc/{pid}/environ").read_bytes()
            assert b"NOTIFY_SOCKET" not in environ
            assert b"WATCHDOG_USEC" not in environ


def test_a_terminal_that_is_closed_ends_what_was_started_in_it(tmp_path: Path) -> None:
    """HUP is a reload, but nobody could stop it any more where the terminal is gone."""
    made = make(tmp_path)
    port = 0
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(made.folder)
        environ = made.environ(PORT=str(port), SECRET_KEY=made.key, MANAGEMENT_PORT="0")
        os.execve(sys.executable, [sys.executable, "-m", PACKAGE, "start"], environ)
    text = b""
    try:
        while b"gunicorn: ready" not in text:
            text += os.read(terminal, 4096)
        os.close(terminal)
        end = time.monotonic() + 30
        while (ended := os.waitpid(pid, os.WNOHANG)) == (0, 0):
            assert time.monotonic() < end, text
            time.sleep(0.05)
        assert os.waitstatus_to_exitcode(ended[1]) == 0
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
