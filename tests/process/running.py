"""A real supervisor with its processes, started and looked at from outside."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from luggage.crypto import Secret, envelope, keys

HERE = Path(__file__).resolve().parent
PACKAGE = "deploy_under_test"
_GIVEN: set[int] = set()  # ports
CANARY = "canary-value-of-a-secret"
CONFIG = """\
from luggage import crypto

SECRETS = crypto.Secrets(
    format=1,
    project="under-test",
    required={required!r},
    environments={{
        "test": crypto.Environment(public_key={public!r}, epoch=1, values={{"CANARY": {sealed!r}}}),
    }},
)
"""


@dataclass(frozen=True)
class Made:
    """A copy of the deployment in `folder`, with the key that opens it."""

    folder: Path
    key: str

    def environ(self, **variables: str) -> dict[str, str]:
        """A small environment: what a container engine gives, and where luggage is found."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONPATH": str(HERE.parent.parent),
            "LUGGAGE_RUN": str(self.folder / "run"),
            "WEB_CONCURRENCY": "1",
            "MANAGEMENT_PORT": "0",  # many run at once
            **variables,
        }


def make(folder: Path, *, required: tuple[str, ...] = ("CANARY",)) -> Made:
    """Copy the deployment to `folder`, with a key and a config.py of its own."""
    shutil.copytree(
        HERE / PACKAGE, folder / PACKAGE, ignore=shutil.ignore_patterns("__pycache__", "config.py")
    )
    key = keys.generate()
    place = envelope.Context("under-test", "test", "CANARY", key.public, 1)
    sealed = envelope.seal(Secret(CANARY.encode()), "text", place)
    text = CONFIG.format(required=required, public=key.public.dump(), sealed=sealed)
    (folder / PACKAGE / "config.py").write_text(text)
    return Made(folder, str(key.dump().reveal()))


def message(made: Made, name: str, text: str) -> None:
    """Put a message into the supervisor's folder, where it is whole as soon as it is there."""
    written = made.folder / "message"
    written.write_text(text)
    written.replace(made.folder / "run" / "luggage" / "messages" / name)


def within(limit: float, measure: Callable[[], float], times: int = 3) -> None:
    """One of a few measurements is below `limit`, in seconds: another program may disturb some.

    Slow code is slow each time. All results are told. Five seconds between them make a death that
    follows no quick one, after which there is a pause.
    """
    results: list[float] = []
    while len(results) < times:
        time.sleep(5 if results else 0)
        results.append(measure())
        if results[-1] < limit:
            print("measured:", results, "limit:", limit)
            return
    raise AssertionError(f"not once within {limit} s: {results}")


def free_port() -> int:
    """A port that nobody listens on now: another one each time, and none that the kernel gives to
    whoever asks for any."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as sock:
            sock.bind(("127.0.0.1", port))
            if port not in _GIVEN:
                _GIVEN.add(port)
                return port


@dataclass
class Running:
    """A started command of a deployment; `lines` are what it has printed so far.

    `times` says when each line came.
    """

    process: subprocess.Popen[bytes]
    port: int
    lines: list[bytes] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    born: float = field(default_factory=time.monotonic)

    def follow(self) -> None:
        """Collect the lines as they come."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.times.append(time.monotonic())
            self.lines.append(line.removesuffix(b"\n"))

    @property
    def text(self) -> str:
        return b"\n".join(self.lines).decode(errors="replace")

    def wait_for(self, pattern: str, *, seconds: float = 15, after: int = 0) -> re.Match[str]:
        """Wait until a line from number `after` on matches `pattern`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for line in self.lines[after:]:
                after += 1
                found = re.search(pattern, line.decode(errors="replace"))
                if found:
                    return found
            time.sleep(0.01)
        raise AssertionError(f"no line like {pattern!r} in {seconds} s:\n{self.text}")

    def when(self, pattern: str, *, seconds: float = 15, after: int = 0) -> float:
        """The time at which the line came that `wait_for` finds."""
        found = self.wait_for(pattern, seconds=seconds, after=after).string.encode()
        return self.times[self.lines.index(found, after)]

    def wait(self, seconds: float = 20) -> int:
        """Its exit status, when it ends; all its output is in `lines` then."""
        status = self.process.wait(seconds)
        self.reader.join(5)
        return status

    def get(self, path: str, seconds: float = 10) -> tuple[int, str]:
        """The status and the text that GET answers with."""
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(url, timeout=seconds) as answer:
            return answer.status, answer.read().decode()

    def tree(self) -> dict[int, str]:
        """Every process below the supervisor, and itself: pid → command line."""
        found = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with contextlib.suppress(OSError):
                    fields = (folder / "stat").read_text().rpartition(")")[2].split()
                    line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found[int(folder.name)] = (int(fields[1]), fields[0], line)
        mine = {self.process.pid}
        while True:
            more = {pid for pid, (parent, _, _) in found.items() if parent in mine} - mine
            if not more:
                return {pid: f"{found[pid][1]} {found[pid][2]}" for pid in mine if pid in found}
            mine |= more

    def children(self, word: str, parent: int | None = None) -> list[int]:
        """The pids whose command line has `word` and whose parent is `parent`, sorted."""
        parent = parent or self.process.pid
        found = []
        for pid, line in self.tree().items():
            with contextlib.suppress(OSError):
                above = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
                if int(above) == parent and re.search(rf"{word}\b", line):
                    found.append(pid)
        return sorted(found)

    def wait_for_child(self, word: str, seconds: float = 10) -> int:
        """The pid of the one child with `word` in its command line, when there is one."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = self.children(word)
            if len(found) == 1:
                return found[0]
            time.sleep(0.01)
        raise AssertionError(f"no {word} in {seconds} s:\n{self.text}")

    def signal(self, number: int) -> None:
        """Send a signal; INT to the whole group, as a terminal does for Ctrl-C."""
        if number == signal.SIGINT:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)

    reader: threading.Thread = field(default_factory=threading.Thread)


@contextlib.contextmanager
def started(
    made: Made,
    *words: str,
    environ: dict[str, str] | None = None,
    before: Sequence[str] = (),
    instead: Sequence[str] = (),
    unread: bool = False,
    **variables: str,
) -> Iterator[Running]:
    """`python -m deploy_under_test WORDS`, by default `start`; killed at the end if need be.

    `before` is what executes it, `instead` another command line altogether. `unread`: nobody reads
    what it prints, until its `reader` is started.
    """
    port = free_port()
    environ = made.environ(PORT=str(port), SECRET_KEY=made.key) if environ is None else environ
    command = [sys.executable, "-W", "error", "-m", PACKAGE, *(words or ("start",))]
    process = subprocess.Popen(
        list(instead) or [*before, *command],
        cwd=made.folder,
        env=environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    running = Running(process, int(str((environ | variables).get("PORT", port)).strip("a")))
    running.reader = threading.Thread(target=running.follow, daemon=True)
    if not unread:
        running.reader.start()
    try:
        yield running
    finally:
        if process.poll() is None:
            for pid in running.tree():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        process.wait(10)
        if running.reader.ident is not None:
            running.reader.join(5)
        assert process.stdout is not None
        process.stdout.close()
