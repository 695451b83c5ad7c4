"""The example's robot, as a real process: it talks, it endures, it stops at once."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from app_service import Script, lines_client, standin

import example_app
from example_app.client import ServiceError
from example_app.robot import Robot, seconds

ROBOT = """
import logging, sys
from example_app.account import Account
from example_app.client import Client
from example_app.robot import Robot
logging.basicConfig(level="INFO", stream=sys.stdout, format="%(message)s")
client = Client(sys.argv[1], Account("example-lines", sys.argv[2]), timeout=20, attempts=2)
Robot(lambda text: client.add("lines", {"text": text}), float(sys.argv[3]), ("one", "two")).run()
print("stopped", flush=True)
"""


@contextmanager
def robot(
    url: str, interval: float, key: str = "demo-lines-key"
) -> Iterator[subprocess.Popen[str]]:
    """A robot that talks to `url`."""
    words = [sys.executable, "-c", ROBOT, url, key, str(interval)]
    root = Path(example_app.__file__).parent.parent
    with subprocess.Popen(words, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def until(true: Callable[[], object]) -> None:
    """Wait for something, ten seconds at most."""
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


def stopped(process: subprocess.Popen[str], number: int) -> tuple[int, float, str]:
    """Send a signal: the exit status, the seconds it took, and the output."""
    started = time.monotonic()
    process.send_signal(number)
    output = process.communicate(timeout=10)[0]
    return process.returncode, time.monotonic() - started, output


def test_it_says_its_lines_in_turn(tmp_path: Path) -> None:
    """One line after another, and the first again after the last."""
    with standin(tmp_path) as url, robot(url, 0.02):
        client = lines_client(url)
        until(lambda: len(client.newest("lines", 4)) == 4)
        with_first = client.newest("lines", 100)[::-1][:4]
    assert [item["text"] for item in with_first] == ["one", "two", "one", "two"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_at_once_while_it_waits(tmp_path: Path, number: int) -> None:
    """TERM and INT end the wait for the next line: status 0, within seconds."""
    with standin(tmp_path) as url, robot(url, 3600) as process:
        until(lambda: lines_client(url).newest("lines", 1))
        time.sleep(0.05)
        status, seconds, output = stopped(process, number)
    assert (status, seconds < 5) == (0, True)
    assert output.endswith("stopped\n")


def test_it_stops_at_once_in_the_middle_of_a_post() -> None:
    """TERM does not wait for a service that hangs."""
    script = Script([None])
    with script.served() as url, robot(url, 1) as process:
        until(lambda: script.asked)
        status, seconds, output = stopped(process, signal.SIGTERM)
    assert (status, seconds < 5) == (0, True)
    assert output == "stopped\n"


def test_it_outlives_the_service(tmp_path: Path) -> None:
    """With the service away each failure is one line in the log; when it comes the line is said."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    script = Script([(503, {}, b""), (201, {}, b'{"objectId": "a"}')])
    with robot(f"http://127.0.0.1:{port}", 0.1) as process:
        assert process.stdout
        first = process.stdout.readline()
        with script.served(port):
            until(lambda: len(script.asked) > 2)
        _, _, output = stopped(process, signal.SIGTERM)
    told = [first.strip(), *output.splitlines()]
    assert told[0] == "not said: the service cannot be reached; trying again in 0.1 s"
    assert "not said: the service could not answer (503); trying again in 0.1 s" in told
    assert next(line for line in told if line.startswith("said")) == "said: one"
    assert {"not said", "said", "stopped"} == {line.split(":")[0] for line in told}


def test_a_refused_key_is_told_without_it(tmp_path: Path) -> None:
    """A wrong key is one line at each try, and the key is not in it."""
    with standin(tmp_path) as url, robot(url, 0.05, "veiled") as process:
        assert process.stdout
        first = process.stdout.readline()
        status, _, output = stopped(process, signal.SIGTERM)
    assert first == "not said: the service refused the API key (401); trying again in 0.05 s\n"
    assert status == 0
    assert "veiled" not in output


def test_its_heart_beats_once_for_each_line() -> None:
    """Before it is said, and before it is said again: whoever watches sees a round that hangs."""
    said: list[str] = []
    beats: list[int] = []

    def say(text: str) -> None:
        said.append(text)
        if len(said) == 2:
            raise ServiceError("the service cannot be reached")
        if len(said) == 4:
            signal.raise_signal(signal.SIGTERM)

    Robot(say, 0.001, ("one", "two"), beat=lambda: beats.append(len(said))).run()
    assert said == ["one", "two", "two", "one"]
    assert beats == [0, 1, 2, 3]


@pytest.mark.parametrize("text", ["", "x", "0", "-1", "nan", "inf", "86401"])
def test_an_interval_that_is_none_is_refused(text: str) -> None:
    """Only 0.1 s to a day: no busy loop, and nothing that `sleep` chokes on."""
    with pytest.raises(ValueError, match=r"."):
        seconds(text)
    assert seconds("0.5") == 0.5
