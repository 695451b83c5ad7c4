"""A process that waits for its turn, and others that serve → first lives, without Twisted."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Mapping, Sequence

from luggage.run.kernel.private import Private
from luggage.run.start import inherit
from luggage.run.start.warm import Waiting
from luggage.run.table.processes import Process


def lives(
    wanted: Sequence[Process],
    waiting: Waiting | None,
    *,
    command: Callable[[Process], list[str]],
    environ: Mapping[str, str],
    listeners: Mapping[str, socket.socket],
    rooms: Private,
) -> list[inherit.Started]:
    """The first lives of all that serve, and so are waited for: the web server's comes first.

    None where no web server waits for its turn: then all start in the usual way.
    """
    web = next((process for process in wanted if process.web), None)
    if waiting is None or web is None:
        return []
    socket_of = {name: listener.fileno() for name, listener in listeners.items()}
    first = inherit.hand_over(waiting, web, environ, socket_of[web.command], rooms.begin(web.name))
    if first is None:
        return []
    lives = [first]
    for process in wanted:
        if process.port:
            with contextlib.suppress(OSError):  # its monitor tries again, and tells
                room = rooms.begin(process.name)
                listener = socket_of[process.command]
                lives.append(inherit.start(process, command(process), environ, listener, room))
    return lives
