"""The example's own processes: what they are not given, and what is refused before they start."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import Made, Running, free_port, started

ROOT = Path(__file__).resolve().parent.parent.parent
START = [sys.executable, "-W", "error", "-m", "example_deploy", "start"]


@pytest.fixture
def example(tmp_path: Path) -> Made:
    """A copy of the example, with the key that is published for it."""
    for name in ("example_app", "example_deploy"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return Made(tmp_path, (ROOT / "demo.key").read_text().strip())


@pytest.fixture
def running(example: Made) -> Iterator[Running]:
    variables = {"STANDIN_PORT": str(free_port()), "DATA_DIR": str(example.folder / "data")}
    with started(example, instead=START, **variables) as running:
        running.wait_for("gunicorn: ready")
        yield running


def refused(example: Made, **variables: str) -> list[str]:
    """The lines of a start that is refused."""
    with started(example, instead=START, **variables) as running:
        assert running.wait() == 1
        assert "starting" not in running.text
        return running.text.splitlines()


def test_the_stand_in_gets_no_key(running: Running) -> None:
    """It needs none: neither the descriptor nor its number, wherever the others have both."""
    [standin], [loop] = running.children("standin"), running.children("loop")
    for pid, has in ((standin, False), (loop, True)):
        folder = Path(f"/proc/{pid}")
        try:
            environ = (folder / "environ").read_bytes()
            links = [str(link.readlink()) for link in (folder / "fd").iterdir()]
        except PermissionError:
            pytest.skip("left out: root alone may look into another process")
        assert (b"LUGGAGE_KEY_FD=" in environ) is has
        assert any("memfd:luggage-key" in link for link in links) is has
    running.wait_for("loop +. INFO said: ")


def test_the_figures_are_the_apps_alone(example: Made) -> None:
    """What the stand-in answers is the other side of the app's own requests, and no visitor's."""
    port = free_port()
    variables = {"STANDIN_PORT": str(free_port()), "MANAGEMENT_PORT": str(port)}
    with started(example, instead=START, **variables) as running:
        running.wait_for("gunicorn: ready")
        running.wait_for('standin +.*"POST /classes/lines HTTP/1.1" 201')
        assert running.get("/")[0] == 200
        series: list[str] = []
        end = time.monotonic() + 15
        while not any("GET" in line for line in series) and time.monotonic() < end:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/metrics", timeout=10) as page:
                told = page.read().decode().splitlines()
            series = [line for line in told if line.startswith("luggage_http_requests_total")]
    assert series == ['luggage_http_requests_total{method="GET",status="200"} 1.0']


def test_nobody_takes_the_stand_ins_port(running: Running) -> None:
    """Whatever becomes of the stand-in, its port is held: the app's keys go to nobody else."""
    port = int(running.wait_for("standin +.*Listening at: http://127.0.0.1:([0-9]+)")[1])
    [standin] = running.children("standin")
    before = len(running.lines)
    os.kill(standin, signal.SIGKILL)
    running.wait_for("standin: killed by signal 9")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
            other.listen()
    running.wait_for(f"standin +.*Listening at: http://127.0.0.1:{port}", after=before)
    assert running.get("/")[0] == 200


def test_a_port_that_another_has_is_refused(example: Made) -> None:
    """A program that listens there already is asked nothing, and is told no key."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert refused(example, STANDIN_PORT=str(port)) == [
            f"error: 127.0.0.1:{port}: another program listens there",
            "hint: stop it, or set STANDIN_PORT to a free one",
        ]
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.accept()


def test_one_port_for_two_is_refused(example: Made) -> None:
    """The app would ask itself."""
    port = str(free_port())
    assert refused(example, PORT=port, STANDIN_PORT=port) == [
        f"error: PORT and STANDIN_PORT: both are {port}",
        "hint: set STANDIN_PORT to another",
    ]


def test_a_secret_that_is_no_api_key_is_one_error(example: Made) -> None:
    """Sealed and opened well, but of no use: told before anything listens, and not shown."""
    subprocess.run(
        [sys.executable, "-m", "example_deploy", "encrypt", "LINES_API_KEY"],
        input=b"canary with spaces",
        env=example.environ(),
        cwd=example.folder,
        check=True,
        capture_output=True,
    )
    lines = refused(example, DATA_DIR="/proc/nope")
    assert lines[0].startswith(
        "error: secret 'LINES_API_KEY': account 'example-lines': its API key"
    )
    assert lines[1].startswith("error: variable DATA_DIR: ")
    assert lines[2] == "hint: python -m deploy encrypt LINES_API_KEY"
    assert "canary" not in "".join(lines)
    for command in ("gunicorn", "loop"):
        words = [*START[:-1], command]
        with started(example, instead=words, WEB_CONCURRENCY="1") as running:
            running.wait_for("error: secret 'LINES_API_KEY'")
            assert running.wait() != 0
            assert "Traceback" not in running.text


@pytest.mark.parametrize("folder", ["/proc/nope", "/dev/null", "/dev/null/below"])
def test_a_folder_that_cannot_be_is_one_error(example: Made, folder: str) -> None:
    """Before anything listens, and from the stand-in by hand."""
    for words in (START, [*START[:-1], "standin"]):
        with started(example, instead=words, DATA_DIR=folder) as running:
            assert running.wait() == 1
            lines = running.text.splitlines()
            assert lines[0].startswith("error: variable DATA_DIR: ")
            assert lines[1:] == ["hint: name a folder that this user may write"]


@pytest.mark.skipif(os.geteuid() != 0, reason="left out: root alone may make a PID 1")
@pytest.mark.parametrize(("command", "status"), [("start", 0), ("loop", 143)])
def test_pid_1_heeds_term_from_its_first_line_on(example: Made, command: str, status: int) -> None:
    """The kernel drops a signal for a PID 1 without a handler: imports alone take a while."""
    module = example.folder / "example_deploy" / f"{command}.py"
    # Not one long sleep: a signal that comes just before it would be handled after it.
    nap = "[time.sleep(0.1) for _ in range(200)]"
    slow = f'EXAMPLES = ""\nimport time\nprint("imported", flush=True)\n{nap}\n'
    module.write_text(module.read_text().replace("MAIN_OK = True\n", f"MAIN_OK = True\n{slow}"))
    words = ["unshare", "--pid", "--fork", "--kill-child", *START[:-1], command]
    with started(example, instead=words) as running:
        running.wait_for("imported")
        first = running.wait_for_child("example_deploy")
        began = time.monotonic()
        os.kill(first, signal.SIGTERM)
        assert running.wait() == status
        assert time.monotonic() - began < 5
