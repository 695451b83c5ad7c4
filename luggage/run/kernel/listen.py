"""HOST and PORT → a listening socket that outlives the web server's own processes."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import MutableMapping

from luggage.errors import LuggageError

VARIABLE = "LUGGAGE_LISTEN_FD"
BACKLOG = 2048


def inherited(environ: MutableMapping[str, str]) -> int | None:
    """The supervisor's socket to serve, if there is one; its number leaves `environ`.

    Raises LuggageError where the number is not that of a listening socket.
    """
    text = environ.pop(VARIABLE, "")
    if not text:
        return None
    try:
        with socket.socket(fileno=os.dup(int(text))) as listener:
            listens = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except (OSError, OverflowError, ValueError):
        listens = 0
    if not listens:
        raise LuggageError(
            f"{VARIABLE}: descriptor {text} is not a listening socket",
            f"unset {VARIABLE}: luggage sets it for the processes it starts",
        )
    return int(text)


def listen(host: str, port: int, variable: str = "PORT", named: str = "HOST") -> socket.socket:
    """A TCP socket that listens on `host` and `port`; raises LuggageError where that cannot be.

    `variable` is the one that sets the port, and `named` the host.
    """
    return opened(bound(host, port, variable, named), host, port, variable, named)


def bound(host: str, port: int, variable: str = "PORT", named: str = "HOST") -> socket.socket:
    """As `listen`, but it does not listen yet: nobody else can, and clients are refused."""
    where = f"{address(host, port)}"
    try:
        family, kind, protocol, _, name = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise LuggageError(
            f"{named} '{host}': {error.strerror or error}",
            f"set {named} to an address of this machine",
        ) from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(name)
    except OSError as error:
        listener.close()
        raise LuggageError(f"{where}: {_reason(error)}", _hint(error, variable, named)) from error
    return listener


def opened(
    listener: socket.socket, host: str, port: int, variable: str = "PORT", named: str = "HOST"
) -> socket.socket:
    """The same socket, which listens; raises LuggageError where another was quicker."""
    try:
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        where = address(host, port)
        raise LuggageError(f"{where}: {_reason(error)}", _hint(error, variable, named)) from error
    return listener


def management(
    host: str, port: int, named: str, *, wanted: bool
) -> tuple[socket.socket | None, str]:
    """The socket of the management pages, bound alone, or why there is none.

    The port that nobody has asked for is left alone where another program has it; LuggageError is
    raised where it was `wanted`.
    """
    try:
        return bound(host, port, "MANAGEMENT_PORT", named), ""
    except LuggageError as error:
        if wanted:
            raise
        why = f"no management port: {error.message}; set MANAGEMENT_PORT to a free one, or to 0"
        return None, why


def address(host: str, port: int) -> str:
    """`host` and `port` as they stand in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def url(host: str, port: int) -> str:
    """What to open in a browser on this machine for a server that listens on `host` and `port`."""
    everywhere = host in ("", "0.0.0.0", "::")  # noqa: S104 - compared, not bound
    return f"http://{address('localhost' if everywhere else host, port)}/"


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program listens there"
    return os.strerror(error.errno).lower() if error.errno else str(error)


def _hint(error: OSError, variable: str, named: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"stop it, or set {variable} to a free one"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"set {named} to an address of this machine, or to 0.0.0.0 for all"
    return f"set {named} and {variable} to what this user may listen on"
