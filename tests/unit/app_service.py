"""Real servers on a loopback port, each in a thread, for the tests of the example app."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from example_app.account import Account
from example_app.client import Client
from example_app.standin import make

LINES_KEY = "demo-lines-key"
MOOD_KEY = "demo-mood-key"


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        pass


@contextmanager
def served(app: Flask, port: int = 0) -> Iterator[str]:
    """`app` on a free port; gives its address."""
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=_Quiet)
    server.daemon_threads = True
    with running(lambda: server.serve_forever(0.01), server.shutdown):
        yield f"http://127.0.0.1:{server.server_port}"
    server.server_close()


@contextmanager
def standin(folder: Path) -> Iterator[str]:
    """The stand-in with its data in `folder`."""
    with served(make(str(folder))) as url:
        yield url


@contextmanager
def running(work: Callable[[], object], stop: Callable[[], object]) -> Iterator[None]:
    """`work` in a thread for the length of the block."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join(5)


def lines_client(url: str, key: str = LINES_KEY, **options: float) -> Client:
    """A client for the lines account."""
    return Client(url, Account("example-lines", key), **options)


def mood_client(url: str, key: str = MOOD_KEY, **options: float) -> Client:
    """A client for the mood account."""
    return Client(url, Account("example-mood", key), **options)


@dataclass
class Script:
    """A server that answers with `answers` in turn, then with the last one again and again.

    `asked` is what it was asked. An answer is a status, headers and a body, or None: hang until
    the test ends.
    """

    answers: list[tuple[int, dict[str, str], bytes] | None]
    asked: list[str] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def served(self, port: int = 0) -> Iterator[str]:
        """On a free port; gives its address."""
        script = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                script.asked.append(f"{self.command} {self.path}")
                answer = script.answers[min(len(script.asked), len(script.answers)) - 1]
                if answer is None:
                    script.done.wait(30)
                    self.close_connection = True
                    return
                status, headers, body = answer
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        server.daemon_threads = True
        with running(lambda: server.serve_forever(0.01), server.shutdown):
            try:
                yield f"http://127.0.0.1:{server.server_port}"
            finally:
                self.done.set()
        server.server_close()
