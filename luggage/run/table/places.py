"""Processes and settings → where each that serves listens, and its socket."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from luggage.errors import LuggageError, all_wrong
from luggage.run import settings as typed
from luggage.run.kernel import listen
from luggage.run.table.processes import Process

LOCAL = "127.0.0.1"

Places = Mapping[str, tuple[str, str, int]]


def places(
    wanted: Sequence[Process],
    server: typed.Server,
    settings: Sequence[type[Any]],
    environ: Mapping[str, str],
) -> Places:
    """Where each command that serves listens: variable, host and port.

    Raises LuggageError where a port is there twice; that of the management pages, too, if it was
    asked for.
    """
    found = {}
    for process in wanted:
        if process.web:
            found[process.command] = ("PORT", server.host, server.port)
        elif process.port:
            port = typed.value(process.port, settings, environ)
            found[process.command] = (process.port, LOCAL, port)
    ports = [(variable, port) for variable, _, port in found.values()]
    if environ.get("MANAGEMENT_PORT"):
        ports.append(("MANAGEMENT_PORT", server.management_port))
    first: dict[int, str] = {}
    twice = [
        (first[port], variable, port)
        for variable, port in ports
        if first.setdefault(port, variable) != variable
    ]
    if twice:
        raise LuggageError(
            all_wrong(f"{one} and {other}: both are {port}" for one, other, port in twice),
            all_wrong(f"set {other} to another" for _, other, _ in twice),
        )
    return found


def taken(found: Places, stack: contextlib.ExitStack) -> dict[str, socket.socket]:
    """The sockets, by command, which `stack` closes: nobody else can listen there, and whoever
    comes is refused, until `opened`."""
    return {
        command: stack.enter_context(listen.bound(host, port, variable))
        for command, (variable, host, port) in found.items()
    }


def opened(found: Places, sockets: Mapping[str, socket.socket]) -> None:
    """From now on, whoever comes waits until somebody serves."""
    for command, (variable, host, port) in found.items():
        listen.opened(sockets[command], host, port, variable)


def management(
    server: typed.Server, found: Places, environ: Mapping[str, str], stack: contextlib.ExitStack
) -> tuple[socket.socket | None, str]:
    """The socket of the management pages, which `stack` closes, and where they are; or why not."""
    if server.management_port == 0:
        return None, ""
    for variable, _, port in found.values():
        if port == server.management_port:
            remedy = "set MANAGEMENT_PORT to a free one, or to 0"
            return None, f"no management port: {variable} is {port}, where it usually is; {remedy}"
    wanted = bool(environ.get("MANAGEMENT_PORT"))
    host, named = server.management_host or server.host, "HOST"
    if server.management_host:
        named = "MANAGEMENT_HOST"
    pages, why = listen.management(host, server.management_port, named, wanted=wanted)
    stack.enter_context(pages or contextlib.nullcontext())
    return pages, why or f"management: {listen.url(host, server.management_port)}-/status"
