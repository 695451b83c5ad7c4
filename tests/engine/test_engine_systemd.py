"""The unit of docs/systemd.md, letter by letter, under a real systemd that runs in a container."""

from __future__ import annotations

import json
import re
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from engines import IMAGE, ROOT, Built, Engine, sh

pytestmark = pytest.mark.engine

DOCKERFILE = """\
FROM debian:trixie-slim
RUN apt-get -q -o Acquire::Retries=3 update && apt-get -qy -o Acquire::Retries=3 install \\
  --no-install-recommends systemd python3
"""
# A tree of control groups of its own, and mounts that services see: systemd asks for both.
BOOT = """\
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --make-rshared /
exec /lib/systemd/systemd --show-status=false
"""
MAY = ("--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined")
KEY = "/etc/example/prod.key"
UNIT = "/etc/systemd/system/example.service"
KILL = ("systemctl", "kill", "example", "--kill-whom=main", "-s")
WATCHDOG = 10  # seconds; the documented 30 would be waited for
# What a visitor gets while something is done: each status, and how often.
VISIT = """\
import collections, json, subprocess, sys, threading, urllib.request

statuses, over = collections.Counter(), threading.Event()

def visit():
    while not over.is_set():
        try:
            with urllib.request.urlopen("http://127.0.0.1:8000/", timeout=10) as answer:
                statuses[answer.status] += 1
        except OSError as error:
            statuses[repr(error)] += 1

threads = [threading.Thread(target=visit) for _ in range(4)]
for thread in threads:
    thread.start()
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
over.set()
for thread in threads:
    thread.join()
print(json.dumps([done.returncode, done.stderr, statuses]))
"""
GET = """\
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=60)
connection.request("GET", sys.argv[1])
print("asked", flush=True)
answer = connection.getresponse()
print(answer.status, answer.read().decode())
"""


@dataclass(frozen=True)
class Machine:
    """A container that systemd runs, with the example in it; called with the words of a command."""

    engine: Engine
    name: str

    def __call__(self, *words: str) -> str:
        return self.engine("exec", self.name, *words)

    def visited(self, *words: str) -> tuple[int, str, dict[str, int]]:
        """A command's status and stderr, and what four visitors got meanwhile."""
        status, said, statuses = json.loads(self("python3", "-c", VISIT, *words))
        return status, said, statuses

    def get(self, path: str = "/") -> str:
        return self("python3", "-c", GET, path).removeprefix("asked\n")

    def shows(self, name: str) -> str:
        """A property of the service."""
        return self("systemctl", "show", "example", "--value", "-p", name)

    def pids(self) -> list[int]:
        """What runs in the service's control group."""
        group = self.shows("ControlGroup")
        return [int(pid) for pid in self("cat", f"/sys/fs/cgroup{group}/cgroup.procs").split()]

    def journal(self) -> str:
        return self("journalctl", "-u", "example", "-o", "cat", "--no-pager")

    def wait_for(self, true: Callable[[], object], seconds: float = 60) -> None:
        """Wait until `true()` is; a failure shows the journal."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, f"not within {seconds} s\n{self.journal()}"
            time.sleep(0.2)


def documented() -> str:
    """The unit as the documentation has it."""
    text = (ROOT / "docs/systemd.md").read_text()
    [unit] = re.findall(r"(?ms)^```ini\n# (\S+)\n(.*?)^```", text)
    assert unit[0] == UNIT
    return str(unit[1])


@pytest.fixture(scope="module")
def machine(docker: Engine, dirty: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """It is up, with the unit, the pex and the key in their places."""
    folder = tmp_path_factory.mktemp("systemd")
    image = f"{IMAGE}:systemd"
    subprocess.run(
        [*docker.command, "build", "-q", "-t", image, "-"],
        input=DOCKERFILE.encode(),
        check=True,
        capture_output=True,
        env=docker.environ,
    )
    it = Machine(docker, f"luggage-test-{uuid.uuid4().hex[:12]}")
    tmpfs = ("--tmpfs", "/run:exec", "--tmpfs", "/tmp")
    docker("run", "-d", "--name", it.name, *MAY, *tmpfs, image, "sh", "-euc", BOOT)
    try:
        ready = ("running", "degraded")
        it.wait_for(lambda: docker("exec", it.name, *STATE, check=False) in ready)
        (folder / "unit").write_text(documented())
        (folder / "drop-in").write_text(f"[Service]\nWatchdogSec={WATCHDOG}\n")
        it("mkdir", "-p", "/srv/example", "/etc/example", f"{UNIT}.d")
        _put(it, folder / "unit", UNIT)
        _put(it, folder / "drop-in", f"{UNIT}.d/watchdog.conf")
        _put(it, dirty.folder / "build/example.pex", "/srv/example/example.pex")
        _put(it, ROOT / "demo.key", KEY)
        it("systemctl", "daemon-reload")
        yield it
    finally:
        docker("rm", "-f", "-v", it.name, check=False)


STATE = ("systemctl", "is-system-running")


def _put(machine: Machine, file: Path, path: str) -> None:
    machine.engine("cp", file, f"{machine.name}:{path}")
    machine("chown", "0:0", path)
    if path == KEY:
        machine("chmod", "600", path)


@pytest.fixture
def up(machine: Machine) -> Machine:
    """The service is started anew; that returns when the page is there."""
    machine("systemctl", "restart", "example")
    return machine


def test_a_start_returns_when_the_page_is_there(up: Machine, demo_key: str) -> None:
    """systemd knows how it is; no process is root's, or has the key where others could read it."""
    assert up.get().startswith("200 ")
    assert (up.shows("ActiveState"), up.shows("StatusText")) == ("active", "ready")
    pids = up.pids()
    assert len(pids) >= 4
    for pid in pids:
        assert up("stat", "-c", "%U", f"/proc/{pid}") != "root"
        for file in ("environ", "cmdline"):
            assert demo_key not in up("cat", f"/proc/{pid}/{file}")
    status = up("env", "LUGGAGE_RUN=/run/example", "/srv/example/example.pex", "ctl", "status")
    assert re.search(r"(?m)^gunicorn +running ", status)
    assert "\nready; " in status


def test_a_reload_loses_no_request(up: Machine) -> None:
    """It returns when the next web server serves; the supervisor is the same."""
    main, before = up.shows("MainPID"), set(up.pids())
    status, said, statuses = up.visited("systemctl", "reload", "example")
    assert (status, said) == (0, "")
    assert set(statuses) == {"200"} and statuses["200"] > 8
    assert up.shows("MainPID") == main
    assert len(set(up.pids()) - before) >= 2, "gunicorn's master and a worker"
    assert up.shows("StatusText") == "ready"


def test_a_killed_supervisor_is_started_again(up: Machine) -> None:
    """With all that it had started: nothing of the old life is left beside the new one."""
    before = set(up.pids())
    up(*KILL, "KILL")
    up.wait_for(lambda: up.shows("NRestarts") == "1" and up.shows("ActiveState") == "active")
    assert not before & set(up.pids())
    assert up.get().startswith("200 ")


def test_a_supervisor_that_stands_still_is_started_again(up: Machine) -> None:
    """systemd's watchdog hears nothing of it any more."""
    main = up.shows("MainPID")
    time.sleep(1.5 * WATCHDOG)
    assert up.shows("MainPID") == main, "it tells in time that it goes on"
    up(*KILL, "STOP")
    up.wait_for(lambda: up.shows("NRestarts") == "1" and up.shows("ActiveState") == "active")
    assert up.shows("MainPID") != main
    assert "Watchdog timeout" in up.journal()
    assert up.get().startswith("200 ")


def test_a_stop_waits_for_whoever_is_served(up: Machine) -> None:
    """The request is answered, and systemd finds nothing wrong with the end."""
    words = (*up.engine.command, "exec", up.name, "python3", "-c", GET, "/slow")
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as slow:
        assert slow.stdout is not None
        assert slow.stdout.readline() == "asked\n"
        up("systemctl", "stop", "example")
        assert slow.stdout.read() == "200 slow\n\n"
    assert up.shows("ActiveState") == "inactive"
    assert (up.shows("Result"), up.shows("ExecMainStatus")) == ("success", "0")


def test_a_wrong_key_is_told_in_the_journal(machine: Machine, tmp_path: Path) -> None:
    """The start fails; with the right one it is there again."""
    (tmp_path / "key").write_text("lugkey1.nonsense\n")
    _put(machine, tmp_path / "key", KEY)
    start = ("systemctl", "restart", "example")
    failed = sh(*machine.engine.command, "exec", machine.name, *start, check=False)
    assert failed.returncode != 0
    assert "error: $CREDENTIALS_DIRECTORY/SECRET_KEY: " in machine.journal()
    machine("systemctl", "stop", "example")
    _put(machine, ROOT / "demo.key", KEY)
    machine(*start)
    assert machine.get().startswith("200 ")
