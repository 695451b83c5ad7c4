"""A signal, or a crash → everything stopped in order, and the exit status.

First it is told to all that there is no readiness any more. Where it can serve, it serves on for as
long as balancers need to notice. Then what serves ends, and all else after it (stopping.py).
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from typing import Any

PATIENCE = 5.0  # seconds that clients in the queue wait, at the end, for a web server that starts


class Leaving:
    """Stops `monitor`, which serves the socket `web`, if any; then calls `stopped`.

    `web` is closed here, so that new clients are refused at once. `drain` are the seconds to serve
    on after a signal. `told` is called with the reason as soon as there is one, `begun` when
    something is asked to stop.
    """

    def __init__(
        self,
        reactor: Any,
        monitor: Any,
        web: socket.socket | None,
        *,
        drain: float,
        told: Callable[[str], None],
        begun: Callable[[], None],
        stopped: Callable[[], None],
    ) -> None:
        self.status = 0
        self._reactor = reactor
        self._monitor = monitor
        self._web = web
        self._drain = drain
        self._told = told
        self._begun = begun
        self._stopped = stopped
        self._asked = False
        self._delay: Any = None

    def __bool__(self) -> bool:
        """Whether it was asked for."""
        return self._asked

    def leave(self, why: str, status: int = 0) -> None:
        """Stop everything, to end with `status`; a second reason ends the wait for balancers."""
        say = self._monitor.say
        bad = "error: " if status else ""
        if self._delay is not None and self._delay.active():
            self._delay.cancel()
            self.status = status
            say(f"{bad}{why}: stopping now")
            self._begin()
        elif self._asked:
            say(f"{bad}{why}: stopping already")
        else:
            self._asked = True
            self.status = status
            self._told(f"{why}: stopping")
            say(f"{bad}{why}: stopping")
            if self._drain and status == 0 and self._monitor.goes_on():
                say(f"not ready any more; serving on for {self._drain} s")
                self._delay = self._reactor.callLater(self._drain, self._begin)
            else:
                self._begin()

    def _begin(self) -> None:
        self._begun()
        monitor, wanted = self._monitor, self.status == 0 and self._monitor.will_serve()
        if self._web is None or monitor.serves():
            self._finish()  # it has the socket as well, and answers whoever is in its queue
        elif wanted and select.select([self._web], [], [], 0)[0]:
            monitor.say("clients wait: the web server starts, and answers them first")
            monitor.when_it_serves(self._finish, PATIENCE)
        else:
            self._web.shutdown(socket.SHUT_RDWR)  # for all who have it: new clients are refused
            self._finish()

    def _finish(self) -> None:
        if self._web is not None:
            self._web.close()
        self._monitor.stop(self._stopped)
