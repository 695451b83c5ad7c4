"""The name of a server → the processes that serve the app on a port, and their end."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import tree
from app import FILE

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
HOST = "127.0.0.1"
APP = "app:app"
PATIENCE = 30.0  # seconds for a start
TERM, CRASH = 2.0, 1.0  # seconds after TERM, and after its main process is killed
BIG = 50_000_000  # bytes of the big file
SUPERVISORD = """\
[supervisord]
nodaemon=true
logfile=/dev/null
logfile_maxbytes=0
pidfile={folder}/supervisord.pid

[program:web]
command={command}
redirect_stderr=true
stdout_logfile=/dev/fd/1
stdout_logfile_maxbytes=0
stopwaitsecs=35
"""


@dataclass(frozen=True)
class Place:
    """Where a server runs: its Python, a folder of its own, and a port for each purpose."""

    python: Path
    folder: Path
    port: int
    management: int

    @property
    def programs(self) -> Path:
        return self.python.parent


@dataclass(frozen=True)
class Server:
    """`name` is what it is called in --only, `said` how it is started.

    `peer` where it needs more than luggage's own lock.
    """

    name: str
    title: str
    said: str
    words: Callable[[Place], list[str]]
    variables: Callable[[Place], Mapping[str, str]] = lambda _: {}
    peer: bool = False


def gunicorn(*words: str) -> Callable[[Place], list[str]]:
    def command(place: Place) -> list[str]:
        return [str(place.python), "-m", "gunicorn", "-b", f"{HOST}:{place.port}", *words, APP]

    return command


def _tool(name: str, *words: str) -> Callable[[Place], list[str]]:
    def command(place: Place) -> list[str]:
        given = {"port": str(place.port), "host": HOST}
        return [str(place.programs / name), *(word.format_map(given) for word in words)]

    return command


def _supervised(*words: str) -> Callable[[Place], list[str]]:
    def command(place: Place) -> list[str]:
        file = place.folder / "supervisord.conf"
        served = " ".join(gunicorn(*words)(place))
        file.write_text(SUPERVISORD.format(folder=place.folder, command=served))
        return [str(place.python), "-m", "supervisor.supervisord", "-c", str(file)]

    return command


USUAL = ("--workers", "2", "--threads", "8")
TUNED = (
    *("--worker-class", "gthread", "--workers", "4", "--threads", "4", "--timeout", "10"),
    *("--max-requests", "1000", "--max-requests-jitter", "100", "--worker-tmp-dir", "/dev/shm"),
)
UWSGI = (
    *("--http", "{host}:{port}", "--module", APP, "--master", "--need-app", "--die-on-term"),
    *("--processes", "4", "--threads", "4", "--harakiri", "10", "--reload-on-rss", "256"),
)
GRANIAN = (
    *("--interface", "wsgi", "--host", "{host}", "--port", "{port}"),
    *("--workers", "2", "--blocking-threads", "8", "--respawn-failed-workers"),
)

SERVERS = (
    Server(
        "luggage",
        "luggage",
        "`python -m failsafe_deploy start`, every setting as it ships",
        lambda place: [str(place.python), "-m", "failsafe_deploy", "start"],
        lambda place: {
            "PORT": str(place.port),
            "MANAGEMENT_PORT": str(place.management),
            "LUGGAGE_RUN": str(place.folder / "run"),
        },
    ),
    Server("gunicorn", "gunicorn", "`gunicorn app:app`: one worker, no threads", gunicorn()),
    Server("tuned", "gunicorn, tuned", f"`gunicorn {' '.join(TUNED)}`", gunicorn(*TUNED)),
    Server(
        "uwsgi", "uWSGI, tuned", f"`uwsgi {' '.join(UWSGI)}`", _tool("uwsgi", *UWSGI), peer=True
    ),
    Server(
        "supervisord",
        "supervisord + gunicorn",
        f"supervisord runs `gunicorn {' '.join(USUAL)}`",
        _supervised(*USUAL),
        peer=True,
    ),
    Server(
        "granian",
        "granian",
        f"`granian {' '.join(GRANIAN)}`",
        _tool("granian", *GRANIAN, APP),
        peer=True,
    ),
    Server(
        "waitress",
        "waitress",
        "`waitress-serve`, its defaults: one process, four threads",
        _tool("waitress-serve", "--listen={host}:{port}", APP),
        peer=True,
    ),
)
BY_NAME = {server.name: server for server in SERVERS}


@dataclass
class Live:
    """A server that runs; `process` is its main one."""

    process: subprocess.Popen[bytes]
    place: Place
    log: Path
    environ: Mapping[str, str]

    @property
    def port(self) -> int:
        return self.place.port

    def tree(self) -> list[tree.Process]:
        """All its processes; none where the main one is dead."""
        if self.process.poll() is not None:
            return []
        return tree.below(self.process.pid)

    def get(self, path: str, seconds: float = 2) -> str | None:
        """The text of a 200; else None."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=seconds)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.read().decode() if answer.status == 200 else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def await_page(self, seconds: float = PATIENCE) -> None:
        """Wait for the first page; raises RuntimeError where none comes."""
        end = time.monotonic() + seconds
        while self.get("/") is None:
            if self.process.poll() is not None or time.monotonic() > end:
                last = "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
                raise RuntimeError(f"no page\n{last}")
            time.sleep(0.02)

    def stop(self) -> int:
        """How many processes are left after TERM, and after the death of the main process.

        Two seconds for the one, a second for the other; then all are ended.
        """
        known = self.tree()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGTERM)
        known += _gone(known, self, TERM)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        _gone(known, self, CRASH)
        left = tree.alive(set(known))
        tree.end(left)
        return len(left)


def _gone(known: list[tree.Process], live: Live, seconds: float) -> list[tree.Process]:
    """Wait until none of `known` is left, or for as long; what came meanwhile."""
    end = time.monotonic() + seconds
    came: list[tree.Process] = []
    while time.monotonic() < end and (live.process.poll() is None or tree.alive(known)):
        came += [it for it in live.tree() if it not in known and it not in came]
        time.sleep(0.02)
    return came


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def running(
    server: Server, python: Path, folder: Path, variables: Mapping[str, str] | None = None
) -> Iterator[Live]:
    """`server`, when it answers; whatever happens, nothing of it is left at the end."""
    folder.mkdir(parents=True)
    place = Place(python, folder, free_port(), free_port())
    file = folder / "big"
    file.write_bytes(b"x" * BIG)
    environ = {
        "PATH": f"{place.programs}:{os.environ['PATH']}",
        "HOME": str(folder),
        "PYTHONPATH": f"{HERE}{os.pathsep}{ROOT}",
        FILE: str(file),
        **server.variables(place),
        **(variables or {}),
    }
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            server.words(place),
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    live = Live(process, place, log, environ)
    try:
        live.await_page()
        yield live
    finally:
        tree.end(live.tree())
        process.wait(10)
        file.unlink(missing_ok=True)


def environment(servers: list[Server]) -> Path:
    """The Python that has all that `servers` need; where they are no peers, this one."""
    if not any(server.peer for server in servers):
        return Path(sys.executable)
    from luggage.bootstrap import make  # noqa: PLC0415

    locks = [ROOT / "requirements.txt", HERE / "requirements.txt"]
    return make(ROOT / "build" / "benchmark" / "failsafe" / "venv", locks)
