"""The log: every line behind its process's name, whole or in pieces; poison is survived."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

from running import Made, started


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


def test_poison_does_not_stop_the_loops(made: Made) -> None:
    """Bad configuration and bad messages are told once, and a good one after them still counts."""
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        config, messages = made.folder / "run" / "config", made.folder / "run" / "messages"
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
            (messages / name).write_text(text)
        for name in bad:
            wanted = f"{name}: " if name == "no-program" else f"configuration '{name}': left out"
            running.wait_for(wanted)
        running.wait_for("message: thrown away: there is no process 'nobody'")
        time.sleep(1.2)
        assert list(messages.iterdir()) == [], "a poison message is removed"
        assert running.text.count("configuration 'no-json'") == 1
        script = "import time; print('live', flush=True); time.sleep(60)"
        (config / "live").write_text(json.dumps({"args": [sys.executable, "-c", script]}))
        (config / "no-json").unlink()
        running.wait_for("live +. live")
        (messages / "1").write_text('{"type": "RESTART", "name": "live"}')
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
