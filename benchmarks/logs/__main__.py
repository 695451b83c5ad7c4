"""A process that prints as fast as it can → lines a second through luggage's log, and how many are
lost.

Each kind of line goes through four relays in turns within one run: `cat`; the least that a relay in
Python does, which puts a name before each line; luggage for a human; luggage as JSON. What a
process beside it prints every few milliseconds tells for how long a line waits meanwhile; how long
`/-/healthy` of the management port takes tells how busy the supervisor's one thread is.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import select
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PATIENCE = 20.0  # seconds in which nothing comes
STEP = 0.01  # seconds between two questions
KINDS = ("short", "long", "json", "huge")
RELAYS = ("cat", "a loop in Python", "luggage, human", "luggage, json")
SEQUENCE = re.compile(rb"#([0-9]{8})#")
TICK = re.compile(rb"tick ([0-9]+\.[0-9]+) tock")


@dataclass
class Run:
    """What one kind of line did through one relay."""

    kind: str
    relay: str
    rates: list[float] = field(default_factory=list)  # lines a second
    bytes: list[float] = field(default_factory=list)  # a second, as printed
    lost: int = 0
    broken: int = 0
    waits: list[float] = field(default_factory=list)  # seconds
    answers: list[float] = field(default_factory=list)  # seconds


def main() -> int:
    """Measure and tell; 1 where a line was lost or broken, or luggage was too slow."""
    parser = argparse.ArgumentParser(prog="python benchmarks/logs", description=__doc__)
    parser.add_argument("--lines", type=int, default=400_000, help="short ones (default: 400,000)")
    parser.add_argument("--rounds", type=int, default=3, help="(default: 3)")
    parser.add_argument("--only", choices=KINDS, action="append", help="this kind of line alone")
    parser.add_argument("--least", type=int, default=50_000, help="short lines a second")
    parser.add_argument("--json", action="store_true", help="all figures, for another program")
    options = parser.parse_args()
    runs = {(kind, relay): Run(kind, relay) for kind in options.only or KINDS for relay in RELAYS}
    for _ in range(options.rounds):
        for run in runs.values():
            measure(run, options.lines)
    if options.json:
        print(json.dumps([vars(run) for run in runs.values()]))
    else:
        tell(list(runs.values()))
    wrong = [run for run in runs.values() if run.lost or run.broken]
    slow = [
        run
        for run in runs.values()
        if run.kind == "short"
        and run.relay.startswith("luggage")
        and statistics.median(run.rates) < options.least
    ]
    return 1 if wrong or slow else 0


def tell(runs: list[Run]) -> None:
    """The table: medians."""
    plain = {run.kind: statistics.median(run.rates) for run in runs if run.relay == RELAYS[1]}
    print(
        f"{'lines':<7} {'relay':<18} {'lines/s':>10} {'MB/s':>7} {'ratio':>6} {'lost':>5} "
        f"{'broken':>7} {'wait, median':>13} {'worst':>9} {'answer, median':>15} {'worst':>9}"
    )
    for run in runs:
        rate = statistics.median(run.rates)
        wait = " ".join(
            f"{statistics.median(times) * 1000:>{width}.1f} ms {max(times) * 1000:>6.0f} ms"
            for times, width in ((run.waits, 10), (run.answers, 12))
            if times
        )
        print(
            f"{run.kind:<7} {run.relay:<18} {rate:>10,.0f} "
            f"{statistics.median(run.bytes) / 1e6:>7.1f} {rate / plain[run.kind]:>6.2f} "
            f"{run.lost:>5} {run.broken:>7} {wait}"
        )


def line(kind: str, number: int) -> bytes:
    """Line `number` of a kind; its number is in it, once."""
    mark = f"#{number:08}#"
    if kind == "json":
        told = {
            "time": "2026-11-20T13:25:29.123Z",
            "level": "info",
            "logger": "app.views",
            "request_id": "0123456789abcdef0123456789abcdef",
            "message": f"said {mark} to somebody",
            "seconds": 0.0123,
            "status": 200,
        }
        return json.dumps(told).encode() + b"\n"
    length = {"short": 80, "long": 1_000, "huge": 100_000}[kind]
    return mark.encode().ljust(length - 1, b"x") + b"\n"


def count(kind: str, lines: int) -> int:
    """How many of a kind are about as many bytes as so many short ones."""
    return {"short": lines, "json": lines // 2, "long": lines // 8, "huge": lines // 1_000}[kind]


def measure(run: Run, lines: int) -> None:
    """Let one process print through a relay, and read what comes."""
    total = count(run.kind, lines)
    with tempfile.TemporaryDirectory(prefix="luggage-logs-") as name:
        folder = Path(name)
        with (folder / "printed").open("wb") as file:
            for number in range(total):
                file.write(line(run.kind, number))
        size = (folder / "printed").stat().st_size
        with relay(run.relay, folder) as (reader, port):
            asked = Asked(port)
            began, ended, got = read(reader, total, folder, asked)
    data = b"".join(got)
    marks = SEQUENCE.findall(data)
    run.lost += total - len(set(marks))
    run.broken += sum(1 for text in data.split(b"\n")[:-1] if not whole(run.relay, text))
    run.rates.append(total / (ended - began))
    run.bytes.append(size / (ended - began))
    run.waits += asked.waits
    run.answers += asked.answers


class Asked(threading.Thread):
    """Asks the supervisor whether it is healthy, again and again, where it has a `port`."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.waits: list[float] = []
        self.answers: list[float] = []
        self.over = port == 0
        self._url = f"http://127.0.0.1:{port}/-/healthy"

    def run(self) -> None:
        while not self.over:
            began = time.monotonic()
            try:
                with urllib.request.urlopen(self._url, timeout=PATIENCE) as answer:
                    answer.read()
            except urllib.error.HTTPError as error:
                error.close()
            self.answers.append(time.monotonic() - began)
            time.sleep(STEP)


def read(reader: int, total: int, folder: Path, asked: Asked) -> tuple[float, float, list[bytes]]:
    """When the first line was printed and the last has come, and all that came.

    A line with the time at which it was printed is looked at when it comes.
    """
    if not asked.over:
        ready = b""
        while ready.count(b"tock") < 2:  # both processes run, and nothing else is being started
            ready += os.read(reader, 1 << 20)
        asked.start()
    got: list[bytes] = []
    last = f"#{total - 1:08}#".encode()
    tail = b""
    (folder / "go").touch()
    began = time.monotonic()
    new = began
    while new + PATIENCE > time.monotonic() and select.select([reader], [], [], PATIENCE)[0]:
        data = os.read(reader, 1 << 20)
        now = time.monotonic()
        got.append(data)
        new = now if b"#" in data else new
        found = TICK.search(data)
        if found:
            asked.waits.append(now - float(found[1]))
        if not data or last in tail + data:
            break
        tail = data[-20:]
    ended = time.monotonic()
    asked.over = True
    began = float((folder / "began").read_text())
    return began, ended, got


def whole(relay: str, text: bytes) -> bool:
    """Whether a line that came is as this relay writes them."""
    if not text or relay == "cat":
        return True
    if relay == "luggage, json":
        try:
            return isinstance(json.loads(text), dict)
        except ValueError:
            return False
    return text[7:10] in (b" | ", b" : ") or relay != "luggage, human"


@contextlib.contextmanager
def relay(name: str, folder: Path) -> Iterator[tuple[int, int]]:
    """A descriptor out of which comes what `prints.py` prints in `folder`, through a relay, and the
    relay's management port, or 0."""
    prints = [sys.executable, str(HERE / "prints.py"), "flood", str(folder)]
    processes, port = [], 0
    try:
        if name.startswith("luggage"):
            with socket.socket() as sock:
                sock.bind(("127.0.0.1", 0))
                port = sock.getsockname()[1]
            supervisor = _luggage(folder, name.partition(", ")[2], port)
            processes.append(supervisor)
            assert supervisor.stdout is not None
            reader = supervisor.stdout
        else:
            source = subprocess.Popen(prints, stdout=subprocess.PIPE, start_new_session=True)
            words = ["cat"] if name == "cat" else [sys.executable, "-c", _LOOP]
            through = subprocess.Popen(words, stdin=source.stdout, stdout=subprocess.PIPE)
            assert source.stdout is not None and through.stdout is not None
            source.stdout.close()
            processes += [source, through]
            reader = through.stdout
        yield reader.fileno(), port
        reader.close()
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(20)


_LOOP = """
import os, sys
for line in sys.stdin.buffer:
    sys.stdout.buffer.write(b"flood    | " + line)
"""

_START = """
from luggage import run
from luggage.commands import start
MAIN_OK = True
def main(argv):
    return start.main(argv, [run.Loop("flood"), run.Loop("tick")])
"""

_COMMAND = """
import runpy, sys
from luggage import run
MAIN_OK = True
def main(argv):
    run.claim()
    sys.argv = ["prints.py", "{name}", "{folder}"]
    runpy.run_path("{file}", run_name="__main__")
"""


def _luggage(folder: Path, log_format: str, port: int) -> subprocess.Popen[bytes]:
    package = folder / "floods"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        "import sys\nfrom luggage import commands\nsys.exit(commands.main(sys.argv, 'floods'))\n"
    )
    (package / "start.py").write_text(f'"""Run both."""\n{_START}')
    for name in ("flood", "tick"):
        text = _COMMAND.format(name=name, folder=folder, file=HERE / "prints.py")
        (package / f"{name}.py").write_text(f'"""Print."""\n{text}')
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "LUGGAGE_RUN": str(folder / "run"),
        "LOG_FORMAT": log_format,
        "MANAGEMENT_PORT": str(port),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "floods", "start"],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


if __name__ == "__main__":
    sys.exit(main())
