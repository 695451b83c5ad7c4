"""The WSGI app: `/` answers at once, `/slow?SECONDS` later, `/crash` fails, `/say` logs; and see
FAULTS and ERRORS."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from deploy_under_test import config
from luggage import web

if os.environ.get("APP_DOES") == "die":
    print("the app cannot start")
    sys.exit(9)
if os.environ.get("APP_DOES") == "vanish":
    os.abort()
if os.environ.get("APP_DOES") == "yawn":
    time.sleep(1)
if os.environ.get("APP_DOES") == "sleep":
    time.sleep(7)
if os.environ.get("APP_DOES") == "wait":
    while not Path("go").exists():
        time.sleep(0.01)
if os.environ.get("APP_DOES") == "thread":
    threading.Thread(target=time.sleep, args=(86_400,)).start()
if os.environ.get("APP_DOES") == "log badly":

    class Bad(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError("nobody takes this line")

    logging.getLogger("gunicorn.error").addHandler(Bad(logging.ERROR))
if Path("broken").exists():
    raise RuntimeError("the app is broken")
if os.environ.get("APP_DOES") == "look":
    # What it starts would inherit these.
    left = []
    for number in range(256):
        with contextlib.suppress(OSError):
            left += [number] if os.get_inheritable(number) else []
    print("inherited:", left)

KEPT: list[bytes] = []


def _lock() -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def _loop() -> None:
    while True:
        with contextlib.suppress(Exception):
            while True:
                pass


def _held() -> None:
    ctypes.PyDLL(None).sleep(86_400)  # does not let go of the interpreter's lock


def _pieces() -> None:
    for _ in range(12):
        ctypes.PyDLL(None).usleep(900_000)


def _died() -> None:
    ctypes.string_at(0)


def _grow() -> None:
    KEPT.append(b"x" * (64 << 20))


FAULTS = {
    "/pieces": _pieces,
    "/lock": _lock,
    "/loop": _loop,
    "/held": _held,
    "/died": _died,
    "/grow": _grow,
}
ERRORS = {
    "/forge": RuntimeError('no\n6.6.6.6 - - [now] "GET /admin HTTP/1.1" 200 5 "-" "-" 0.001 id'),
    "/wail": RuntimeError("oh" * 3000),
    "/exit": SystemExit(7),
    "/cancelled": asyncio.CancelledError(),
    "/refused": ConnectionRefusedError(111, "the app's database is away"),
    "/reset": ConnectionResetError(104, "the app's database is gone"),
    "/blocking": BlockingIOError(11, "the app's own socket"),
}


def _say() -> None:
    log = logging.getLogger("app")
    log.info("within it")
    log.debug("to the letter")
    beside = threading.Thread(target=log.info, args=("beside it",))
    beside.start()
    beside.join()
    print("plainly", flush=True)
    print('{"mine": true, "level": "warn"}', flush=True)


def _drip() -> Iterable[bytes]:
    yield b"one drop"
    _lock()


def _drop() -> Iterable[bytes]:
    yield b"one drop"
    _loop()


def _write(start_response, parts: int) -> Iterable[bytes]:
    write = start_response("200 OK", [])
    for _ in range(parts):
        time.sleep(0.6)
        write(b"part\n")
    return []


def _dry() -> Iterable[bytes]:
    _loop()
    yield b"no drop"


STREAMS = {"/drip": _drip, "/drop": _drop, "/dry": _dry}


def _raise(error: BaseException) -> Iterable[bytes]:
    raise error
    yield b""


SECRET = config.SECRETS.open()["CANARY"].reveal()


def _app(environ, start_response) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/slow":
        time.sleep(float(environ["QUERY_STRING"]))
    if environ["PATH_INFO"] == "/crash":
        raise RuntimeError("the app does not work")
    if environ["PATH_INFO"] == "/say":
        _say()
    if environ["PATH_INFO"] in ERRORS:
        raise ERRORS[environ["PATH_INFO"]]
    if environ["PATH_INFO"] == "/unbegun":
        return [b"no start_response"]
    if environ["PATH_INFO"] == "/later":
        start_response("200 OK", [])
        return _raise(ERRORS[environ["QUERY_STRING"]])
    if environ["PATH_INFO"] == "/begun":
        start_response("200 OK", [("Content-Length", "5"), ("X-Begun", "yes")])
        _loop()
    if environ["PATH_INFO"] in FAULTS:
        FAULTS[environ["PATH_INFO"]]()
    if environ["PATH_INFO"] in STREAMS:
        start_response("200 OK", [])
        return STREAMS[environ["PATH_INFO"]]()
    if environ["PATH_INFO"] == "/write":
        return _write(start_response, int(environ["QUERY_STRING"]))
    if environ["PATH_INFO"] == "/upload":
        time.sleep(float(environ["QUERY_STRING"] or 0))
        length = len(environ["wsgi.input"].read())
        start_response("200 OK", [])
        return [b"%d\n" % length]
    if environ["PATH_INFO"] == "/download":
        start_response("200 OK", [])
        return [b"x" * (20 << 20)]
    body = f"{os.getpid()} {len(SECRET)}\n".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


app = web.endpoints(
    _app,
    version=web.version("deploy_under_test"),
    management=bool(os.environ.get("APP_MANAGEMENT")),
)
