"""The log: every line behind its process's name, whole or in pieces; poison is survived."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from running import PACKAGE, Made, message, started
from tables import table

T = TypeVar("T")


def test_long_lines_are_split_and_not_lost(made: Made) -> None:
    """20 kB and 1 MB without a line end arrive, byte by byte, and the process lives on."""
    with started(made, LOOP_DOES="long lines") as running:
        running.wait_for("after the long lines")
        running.wait_for("loop +. goes round")
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
        told = [line for line in running.lines if line.startswith(b"loop     ")]
        assert max(map(len, told)) < 16_384, "as long as Docker's own lines"
        for line in told:
            line.decode()  # no character was cut
        texts = [(line[9:12], line[11:]) for line in told]
        start = next(i for i, (_, text) in enumerate(texts) if text.startswith(b"aaaa"))
        end = next(i for i, (_, text) in enumerate(texts) if text == b"after the long lines")
        whole = b"".join(text for _, text in texts[start:end])
        assert whole.decode() == "a" * 20_000 + "é" * 500_000
        begins = [head for head, _ in texts[start:end] if head.startswith(b"| ")]
        assert len(begins) == 2


def test_a_log_that_nobody_reads_stops_nothing(made: Made) -> None:
    """10 MB that nobody reads: what dies is started again, zombies are reaped, TERM ends it all.

    Whoever reads at last gets the lines up to a limit, and is told how many are lost.
    """
    with started(made, unread=True, LOOP_DOES="flood") as running:
        first = _wait(lambda: running.children("loop"))
        _wait((made.folder / "flooded").exists)
        assert running.get("/")[0] == 200
        os.kill(first[0], signal.SIGKILL)
        _wait(lambda: running.children("loop") not in ([], first))
        began = time.monotonic()
        running.signal(signal.SIGTERM)
        running.process.wait(10)
        assert time.monotonic() - began < 5
        assert running.process.returncode == 0
        running.reader.start()
        running.reader.join(5)
        told = [line[11:17] for line in running.lines if line.startswith(b"loop     | 0")]
        # A pipe holds fewer bytes where a line that was alone has a page of its own.
        assert told[:300] == [b"%06d" % number for number in range(300)]


def test_a_flood_waits_for_a_reader_that_is_late(made: Made) -> None:
    """10 MB at once, while nobody reads for a moment: not one line is lost."""
    with started(made, unread=True, LOOP_DOES="flood") as running:
        assert running.process.stdout is not None
        select.select([running.process.stdout], [], [], 20)
        time.sleep(0.3)
        running.reader.start()
        running.wait_for("goes round", seconds=40)
        told = [line[11:17] for line in running.lines if line.startswith(b"loop     | ")]
        flood = [text for text in told if text.isdigit()]
        assert flood == [b"%06d" % number for number in range(100_000)]
        assert "lines lost" not in running.text


def test_an_object_that_is_none_does_not_end_the_log(made: Made) -> None:
    """900 kB that only look like JSON are six times as much as text, more than may wait: they are
    told, or counted as lost, and later lines are told in any case."""
    body = r"""
sys.stdout.buffer.write(b"{" + b"\1" * 900_000 + b"}\n")
while True:
    print("after it", flush=True)
    time.sleep(0.1)
"""
    table(made, 'run.Loop("loop")', loop=body)
    with started(made, LOG_FORMAT="json") as running:
        running.wait_for('"after it"', seconds=30)


def test_lines_that_are_lost_are_counted(made: Made) -> None:
    """A reader that comes late gets the first lines, then how many are lost, then the next."""
    with started(made, unread=True, LOOP_DOES="flood") as running:
        _wait((made.folder / "flooded").exists)
        running.reader.start()
        lost = int(running.wait_for(r"^luggage  \| ([0-9]+) lines lost: nobody read the log")[1])
        running.wait_for("loop +. goes round")
        told = [line for line in running.lines if line.startswith(b"loop     | 0")]
        assert len(told) > 30_000
        assert 0 <= len(told) + lost - 100_000 < 50, "the other processes' lines are few"
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
        own = [line for line in running.lines if line.startswith(b"luggage  |")]
        assert b"gunicorn: exited" in b"".join(own[-3:])


def _wait(look: Callable[[], T]) -> T:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("not in 20 s")


def test_poison_does_not_stop_the_loops(made: Made) -> None:
    """Bad configuration and bad messages are told once, and a good one after them still counts."""
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        state = made.folder / "run" / "luggage"
        config, messages = state / "config", state / "messages"
        bad = {
            "no-json": "{",
            "a-list": "[]",
            "nothing": "{}",
            "no-args": '{"args": []}',
            "numbers": '{"args": [1]}',
            "no-program": '{"args": ["/no/such/program"]}',
            "bad-bytes": "\x00",
            "no name": '{"args": ["/bin/true"]}',
        }
        for name, text in bad.items():
            (config / name).write_text(text)
        told = {
            "no-json": "{",
            "a-list": "[]",
            "unknown": '{"type": "RESTART", "name": "nobody"}',
            "type": '{"type": "DANCE"}',
            "untyped": "{}",
        }
        for name, text in told.items():
            message(made, name, text)
        for name in bad:
            wanted = f"{name}: " if name == "no-program" else f"configuration '{name}': left out"
            running.wait_for(wanted)
        running.wait_for("message: thrown away: there is no process 'nobody'")
        _wait(lambda: list(messages.iterdir()) == [])  # a poison message is removed
        time.sleep(1.2)  # the next look at the configuration
        assert running.text.count("configuration 'no-json'") == 1
        script = "import time; print('live', flush=True); time.sleep(60)"
        (config / "live").write_text(json.dumps({"args": [sys.executable, "-c", script]}))
        (config / "no-json").unlink()
        running.wait_for("live +. live")
        message(made, "1", '{"type": "RESTART", "name": "live"}')
        running.wait_for("live: killed by signal 15 .*; starting it again now")
        (config / "live").unlink()
        running.wait_for("live: killed by signal 15 .* s$")
        assert running.get("/")[0] == 200
        os.kill(running.process.pid, signal.SIGTERM)
        assert running.wait() == 0


def test_the_start_is_told(made: Made) -> None:
    """The first line has the address to open, the environment and what is started."""
    with started(made, HOST="0.0.0.0") as running:
        running.wait_for("gunicorn: ready after")
        first = (
            f"http://localhost:{running.port}/, environment test: starting gunicorn, loop, spare"
        )
        assert running.lines[0] == f"luggage  | {first}".encode()
        names = {line.split(b" ")[0] for line in running.lines}
        assert names <= {b"luggage", b"gunicorn", b"loop", b"spare"}


def test_what_is_merely_printed_is_in_the_log_at_once(made: Made) -> None:
    """Also by a process that has no key, nor asks for one: stdout is a pipe."""
    table(made, 'run.Loop("talks", key=False)')
    loop = "import time\n\nMAIN_OK = True\n\n\ndef main(argv):\n"
    loop += "    print('plain words')\n    time.sleep(1000)\n"
    (made.folder / PACKAGE / "talks.py").write_text(loop)
    with started(made) as running:
        running.wait_for(r"^talks +\| plain words$")
