"""gunicorn's thread worker; when it stops, who waits is answered, and who comes is refused."""

# gunicorn's untyped classes are extended here.
# mypy: disable-error-code="misc"

from __future__ import annotations

import contextlib
import select
import selectors
import socket
import time
from collections import deque
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

LOOK = 0.05  # seconds between looks for a place, while there is none
QUEUE = 5.0  # seconds that it may take to accept everybody in the queue
SHORT = 0.1  # seconds until a connection is accepted again, where one could not be
TOLD = 10.0  # seconds between lines about that
LINGER = 1.0  # seconds that an answered client has to close its side
READ = 65_536  # bytes at once of what such a client still sends, which is thrown away


class DrainingWorker(ThreadWorker):
    """When it stops, it accepts every connection in the listening queue, then closes its socket.

    gunicorn's own keeps the socket open until the last answer is sent and accepts nothing: clients
    that come meanwhile, and those in the queue, wait for it and are reset at the end
    (https://github.com/benoitc/gunicorn/issues/3397).

    A client that keeps its side open after the last answer is waited for beside all others: in
    gunicorn's own, nobody is served meanwhile, for two seconds and for each such client.

    While no place is free, newcomers are let in behind those that are here already. Else clients
    that keep their connections, and are always busy, would keep all others out.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._lingering: deque[Any] = deque()  # oldest first
        self._accepts = 0.0  # from when on it does
        self._told = float("-inf")
        self._ended = 0  # turns, since it was looked for newcomers
        self._looked = 0.0

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if enabled or self.alive:
            return
        for listener in self.sockets:
            if listener.sock is not None:
                self._accept_all(listener)
                listener.close()

    def _accept_all(self, listener: Any) -> None:
        end = time.monotonic() + QUEUE
        while _listens(listener) and _waits(listener) and time.monotonic() < end:
            self.accept(listener)
            if not self.may_accept():
                self.wait_for_and_dispatch_events(SHORT)  # those that end make room

    def let_in(self, most: int) -> None:
        """Accept up to `most` at each look, but no more than turns have ended since the last: where
        nothing ends, nobody comes, as another worker is better. 0: newcomers have a place."""
        now = time.monotonic()
        if most and now - self._looked < LOOK:
            return
        most, self._ended, self._looked = min(most, self._ended), 0, now
        for _ in range(most):
            before = self.nr_conns
            for listener in self.sockets:
                self.accept(listener)
            if self.nr_conns == before:
                break

    def may_accept(self) -> bool:
        """False for a moment after a connection could not be: for want of descriptors, say."""
        return time.monotonic() >= self._accepts

    def accept(self, listener: Any) -> None:
        try:
            super().accept(listener)
        except OSError as error:
            if not _listens(listener):
                return
            now = time.monotonic()
            self._accepts = now + SHORT
            if now - self._told > TOLD:
                self._told = now
                self.log.error(
                    "worker: no connection can be accepted: %s: clients wait", error.strerror
                )

    def finish_request(self, conn: Any, fs: Any) -> None:
        self._ended += 1
        if fs.cancelled() or fs.exception() or fs.result():
            super().finish_request(conn, fs)
            return
        try:
            # As RFC 9112, section 9.6 has it: to close at once could take the answer back.
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
            if not _open_still(conn.sock):  # most clients are quicker than this
                self._close(conn)
                return
            self.poller.register(conn.sock, selectors.EVENT_READ, lambda _: self._drain(conn))
        except (
            OSError,
            KeyError,
            ValueError,
        ):  # the app may have closed it
            self._close(conn)
        else:
            conn.timeout = time.monotonic() + LINGER
            self._lingering.append(conn)

    def murder_pending(self) -> None:
        super().murder_pending()
        while self._lingering and self._lingering[0].timeout <= time.monotonic():
            self._end(self._lingering[0])

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        if self._lingering:
            timeout = min(timeout, max(0.0, self._lingering[0].timeout - time.monotonic()))
        super().wait_for_and_dispatch_events(timeout)

    def _drain(self, conn: Any) -> None:
        if not _open_still(conn.sock):
            self._end(conn)

    def _end(self, conn: Any) -> None:
        self._lingering.remove(conn)
        with contextlib.suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)
        self._close(conn)

    def _close(self, conn: Any) -> None:
        self.nr_conns -= 1
        conn.close()


def _open_still(connection: socket.socket) -> bool:
    """Whether the client has not closed its side; what it has sent meanwhile is thrown away."""
    try:
        return bool(connection.recv(READ))
    except BlockingIOError:
        return True
    except OSError:
        return False


def _waits(listener: Any) -> bool:
    """Whether a client waits to be accepted."""
    poll = select.poll()  # select() takes no descriptor above 1023
    poll.register(listener, select.POLLIN)
    return bool(poll.poll(0))


def _listens(listener: Any) -> bool:
    """False where the supervisor has shut the socket down, for all who have it."""
    return bool(listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
