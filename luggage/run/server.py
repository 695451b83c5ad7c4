"""A WSGI app's name → gunicorn serving it in this process, until it is told to stop."""

# gunicorn's untyped classes are extended here.
# mypy: disable-error-code="misc"

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from gunicorn import util
from gunicorn.app.base import BaseApplication
from gunicorn.errors import AppImportError, HaltServer

from luggage.errors import LuggageError
from luggage.run import logs
from luggage.run.kernel import heart, kin, listen
from luggage.web import metrics
from luggage.web.access import AccessLogger
from luggage.web.arbiter import Arbiter
from luggage.web.deadlines import Deadlines
from luggage.web.victims import Victims
from luggage.web.worker import Worker

READY = "LUGGAGE_READY_FD"
GRACE = 30  # seconds that a request has to finish after TERM
BOOTS = 5
DEADLINE = 30.0  # seconds
THREADS = 8


class _Application(BaseApplication):
    """`app`, an importable `package.module:name`, under `options`."""

    def __init__(self, app: str, options: dict[str, Any], victims: Victims) -> None:
        self._app = app
        self._victims = victims
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        # gunicorn would start another worker at once, for ever, after SystemExit.
        try:
            return util.import_app(self._app)
        except LuggageError as error:
            raise AppImportError(error.render()) from error
        except SystemExit as error:
            raise AppImportError(f"error: app {self._app}: ends with {error.code!r}") from error

    def run(self) -> None:
        master = _Beating(self)
        master.victims = self._victims
        master.run()


class _Beating(Arbiter):
    """The supervisor sees whether it goes on."""

    beat = staticmethod(heart.beat)


def serve(
    app: str,
    *,
    bind: str,
    workers: int = 1,
    threads: int = THREADS,
    deadline: float = DEADLINE,
    deadlines: Mapping[str, float] | None = None,
    memory: int = 0,
    victims: Victims | None = None,
    counted: bool = True,
    environ: MutableMapping[str, str] | None = None,
) -> int:
    """Serve `app` (`package.module:name`) with gunicorn: on `bind`, `HOST:PORT`, or on the
    supervisor's socket, where `environ` tells of one.

    A request may be in the app's hands for `deadline` seconds, or as many as `deadlines` has for
    the longest prefix of its path; 0: for ever. A worker with more than `memory` bytes resident is
    replaced; 0: never. Where the container's memory runs out, `victims` are killed first. Requests
    are `counted` for the metrics, which tell nothing of who served them.

    It runs until TERM, and then finishes every request in flight, for at most GRACE seconds.
    gunicorn ends the process itself, by SystemExit. A supervisor that asks for it in `environ` is
    told when the first worker is ready.
    """
    environ = os.environ if environ is None else environ
    logs.configure(environ, shared=True)
    inherited = listen.inherited(environ)
    bind = bind if inherited is None else f"fd://{inherited}"
    told = environ.pop(READY, "")
    ready = int(told) if told.isdigit() else None
    if ready is not None:
        with contextlib.suppress(OSError):
            os.set_inheritable(ready, False)  # not for what the app starts
    figures = environ.get(metrics.FOLDER)
    metrics.prepare(Path(figures) if figures and counted else None)

    class DeadlineWorker(Worker):
        """With what was asked for."""

        deadlines_of = Deadlines(deadline, deadlines)
        most_memory = memory

    chosen = options(bind, workers, threads) | hooks(ready)
    chosen["worker_class"] = DeadlineWorker
    _Application(app, chosen, victims or Victims(None)).run()
    return 0


def options(bind: str, workers: int, threads: int) -> dict[str, Any]:
    """gunicorn's settings."""
    return {
        "bind": bind,
        "workers": workers,
        "threads": threads,
        # luggage/web/arbiter.py looks after the workers.
        "timeout": 0,
        "graceful_timeout": GRACE,
        # It would write under $HOME.
        "control_socket_disable": True,
        "accesslog": "-",
        "errorlog": "-",
        "logger_class": AccessLogger,
    }


def hooks(ready: int | None) -> dict[str, Any]:
    """gunicorn's hooks: workers follow their master, and tell `ready` when they serve.

    A master none of whose workers ever starts to serve gives up after BOOTS of them, with
    gunicorn's own status for that; gunicorn does so only where a worker ends with an exception.
    """
    booted = mmap.mmap(-1, 1)  # shared with the workers
    deaths: list[int] = []

    def post_fork(server: Any, worker: Any) -> None:
        kin.follow(worker.ppid)
        server.victims.leave()
        heart.leave()
        logs.follow()

    def post_worker_init(_worker: Any) -> None:
        booted[0] = 1
        if ready is not None:
            with contextlib.suppress(OSError):
                os.write(ready, b"\n")
            with contextlib.suppress(OSError):
                os.close(ready)

    def child_exit(server: Any, worker: Any) -> None:
        stopping = not server.LISTENERS
        if booted[0] or stopping:
            return
        deaths.append(worker.pid)
        if len(deaths) >= BOOTS:
            raise HaltServer("no worker has become ready", Arbiter.WORKER_BOOT_ERROR)

    return {
        "post_fork": post_fork,
        "post_worker_init": post_worker_init,
        "child_exit": child_exit,
    }
