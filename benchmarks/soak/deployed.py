"""A place → a running deployment: who is who in it, what it prints, and signals to its own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tree
from place import Place

from luggage.errors import LuggageError
from luggage.run.operate import caller

WEB = "gunicorn"
WORKERS = 2
DEADLINE = 3  # seconds that a request has
PATIENCE = 5.0  # seconds for an answer of the control socket


class GoneError(Exception):
    """The deployment has ended, although nobody asked it to."""


@dataclass(frozen=True)
class Size:
    """What the supervisor takes: KiB, descriptors, threads."""

    memory: int
    files: int
    threads: int


class Deployed:
    """One deployment, from its start to its end. `lines` are what it has printed so far."""

    def __init__(self, place: Place, variables: dict[str, str]) -> None:
        self.place = place
        self.port, self.management = free_port(), free_port()
        self.lines: list[str] = []
        self.times: list[float] = []
        self._reads = threading.Event()
        self._reads.set()
        words = [sys.executable, "-m", "soak_deploy", "start"]
        given = {
            "PORT": str(self.port),
            "MANAGEMENT_PORT": str(self.management),
            "WEB_CONCURRENCY": str(WORKERS),
            "REQUEST_DEADLINE": str(DEADLINE),
        }
        self.process = place.start(words, given | variables)
        assert self.process.stdout is not None
        self._log = self.process.stdout.fileno()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    # -- its log

    def _read(self) -> None:
        rest = b""
        with contextlib.suppress(OSError):
            while self._reads.wait() and (data := os.read(self._log, 1 << 16)):
                *ended, rest = (rest + data).split(b"\n")
                now = time.monotonic()
                for line in ended:
                    self.times.append(now)
                    self.lines.append(line.decode(errors="replace"))

    def stall(self) -> None:
        """Its log is not read, until `resume`."""
        self._reads.clear()

    def resume(self) -> None:
        """Its log is read again."""
        self._reads.set()

    def close_log(self) -> None:
        """The log's reader goes away, for good."""
        assert self.process.stdout is not None
        self.stall()
        # A thread may be in read(2), and would hold the pipe open: it gets the end of another.
        ended, other = os.pipe()
        os.close(other)
        os.dup2(ended, self._log)
        os.close(ended)
        self.resume()

    def told(self, pattern: str, after: int) -> bool:
        """Whether a line from number `after` on matches."""
        return any(re.search(pattern, line) for line in self.lines[after:])

    # -- who is who

    def alive(self) -> bool:
        """Whether its supervisor is there."""
        return self.process.poll() is None

    def tree(self) -> list[tree.Process]:
        """The supervisor and all below it."""
        return tree.below(self.process.pid)

    def status(self) -> dict[str, dict[str, Any]]:
        """What `ctl status --json` tells of each process."""
        try:
            told = caller.ask(caller.connect(str(self.place.state)), "status", patience=PATIENCE)
        except (OSError, LuggageError) as error:
            if not self.alive():
                raise GoneError(f"exit status {self.process.returncode}") from None
            raise TimeoutError(str(error)) from None
        return {it["name"]: it for it in told["processes"]}

    def pid(self, name: str) -> int:
        """That of the process `name`, as soon as it has one."""
        found = wait_for(lambda: self.status()[name]["pid"], 15)
        if not found:
            raise TimeoutError(f"{name} does not run")
        return int(found)

    def workers(self) -> list[int]:
        """The web server's, oldest first."""
        master = self.status()[WEB]["pid"]
        found = [it for it in self.tree() if it.parent == master and not it.zombie]
        return [it.pid for it in sorted(found, key=lambda it: it.born)]

    def size(self) -> Size:
        """Of the supervisor."""
        folder = Path(f"/proc/{self.process.pid}")
        text = (folder / "status").read_text()
        memory, threads = (
            int(re.findall(rf"{name}:\s+(\d+)", text)[0]) for name in ("VmRSS", "Threads")
        )
        try:
            files = len(list((folder / "fd").iterdir()))
        except PermissionError:  # it hides, but not from root
            files = 0
        return Size(memory, files, threads)

    # -- what is done to it

    def signal(self, pid: int, number: signal.Signals) -> bool:
        """Send a signal to `pid`, where that is one of its own; whether it was there."""
        try:
            it = os.pidfd_open(pid)
        except OSError:
            return False
        try:
            # Looked at when the descriptor is there: from now on the number is nobody else's.
            if pid not in {process.pid for process in self.tree()}:
                return False
            signal.pidfd_send_signal(it, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(it)
        return True

    def ctl(self, *words: str) -> subprocess.Popen[bytes]:
        """What an operator types."""
        command = [sys.executable, "-m", "soak_deploy", "ctl", *words]
        return subprocess.Popen(
            [*command, "--state", str(self.place.state)],
            cwd=self.place.folder,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path[:2])},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=self.place.inherited,
        )

    def ask(self, path: str) -> socket.socket:
        """A request that nobody waits for; closing it is the caller's."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: soak\r\n\r\n".encode())
        return connection

    def end(self) -> None:
        """Whatever has become of it: nothing of it is left."""
        self.resume()
        if self.alive():
            for it in self.tree():
                self.signal(it.pid, signal.SIGKILL)
        self.process.wait(20)
        tree.end()
        self._reader.join(5)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.place.close()


def wait_for(call: Callable[[], Any], seconds: float) -> Any:
    """What `call` returns, as soon as that is true, or when `seconds` have passed."""
    end = time.monotonic() + seconds
    while True:
        try:
            found = call()
        except TimeoutError:
            found = None
        if found or time.monotonic() >= end:
            return found
        time.sleep(0.02)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
