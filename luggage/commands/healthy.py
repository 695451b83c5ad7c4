"""Ask the running deployment whether it is healthy."""

# It runs every few seconds in a container: what is not imported here is not paid for.

from __future__ import annotations

import os
import socket
import sys
import time

MAIN_OK = True

PATH = "/-/healthy"
TIMEOUT = 3.0  # seconds in all: less than the image's health check has, so that this is heard
_EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not bound
_HELP = """\
usage: python -m PACKAGE healthy

Ask the deployment that runs on HOST and PORT whether it is healthy.
Exit status: 0 where it answers 200, or an operator has stopped the web server (ctl stop); else 1.

example:
  HEALTHCHECK CMD ["/app/bin/python", "-I", "-m", "luggage", "healthy"]
"""


def main(argv: list[str]) -> int:
    """Print one line, and return 0 where GET /-/healthy answers 200."""
    if argv[1:]:
        wanted = argv[1:] in (["-h"], ["--help"])
        print(_HELP, file=sys.stdout if wanted else sys.stderr, end="")
        return 0 if wanted else 2
    host = os.environ.get("HOST") or "127.0.0.1"
    host = _EVERYWHERE.get(host, host)
    port = os.environ.get("PORT") or "8000"
    try:
        answer = ask(host, int(port))
    except (OSError, ValueError) as error:
        answer = f"no answer: {error}"
    if answer != "200" and _is_stopped():
        print("healthy: an operator has stopped the web server")
        return 0
    told = f"{host} port {port}: {answer}"
    if answer == "200":
        print(f"healthy: {told}")
        return 0
    print(f"error: not healthy: {told}", file=sys.stderr)
    return 1


def _is_stopped() -> bool:
    """Whether the supervisor says that the web server is stopped because somebody wanted that."""
    from luggage.errors import LuggageError  # noqa: PLC0415
    from luggage.run.operate import caller  # noqa: PLC0415

    try:
        _, connection = caller.find(os.environ)
        told = caller.ask(connection, "status", patience=1.0)
    except LuggageError:
        return False
    web = [it for it in told["processes"] if it["kind"] == "web"]
    return any(it["state"] in ("stopping", "stopped") for it in web) and not told["stopping"]


def ask(host: str, port: int, seconds: float = TIMEOUT) -> str:
    """The HTTP status code that GET /-/healthy answers with, within `seconds`."""
    end = time.monotonic() + seconds
    told = b""
    with socket.create_connection((host, port), seconds) as connection:
        connection.sendall(f"GET {PATH} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        while b"\n" not in told and len(told) < 100:
            connection.settimeout(max(0.01, end - time.monotonic()))
            chunk = connection.recv(100)
            if not chunk:
                break
            told += chunk
    words = told.partition(b"\n")[0].decode("latin-1").split()
    if len(words) < 2 or not words[0].startswith("HTTP/"):
        raise ValueError("not HTTP")
    return words[1]
