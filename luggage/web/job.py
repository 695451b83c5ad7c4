"""One connection's turn in a thread → in whose hands it is, and for how long it has been."""

from __future__ import annotations

import socket
from contextvars import ContextVar
from typing import Any

CLIENT, QUEUED, APP = range(3)
SLOW = 0.1  # seconds after which a client that is waited for holds no place
HELD = 1.0  # seconds after which a request that runs holds no place


class Job:
    """One connection's turn in a thread: in the hands of its client, or of the app."""

    __slots__ = (
        "allowed",
        "began",
        "computed",
        "connection",
        "counted",
        "cut",
        "environ",
        "gone",
        "method",
        "phase",
        "place",
        "refused",
        "since",
        "spent",
        "stuck",
        "thread",
        "told",
        "untold",
        "waits",
        "what",
    )

    def __init__(self, connection: socket.socket, now: float) -> None:
        self.connection = connection
        self.computed = (0.0, 0.0)  # until when it was looked at, and its thread's seconds then
        self.phase = CLIENT
        self.since = now  # that it is in this phase
        self.waits = now  # that its client is waited for, but for moments in the app's hands
        self.spent = 0.0  # seconds in the app's hands before that, since it last gave something
        self.began = 0.0
        self.allowed = 0.0
        self.what = ""
        self.method = ""
        self.environ: dict[str, Any] = {}  # the request's, while it is here
        self.thread = 0
        self.told = 0.0  # when it was told that it is overdue
        self.counted = False  # among those that are overdue
        self.cut = False  # its client is not waited for any more
        self.stuck = False  # it was told, and goes on all the same
        self.refused = False  # its client has been answered without it
        self.untold = True  # nothing is sent yet of an answer
        self.gone = False  # its client is
        self.place = -1

    def took(self, now: float) -> float:
        """The seconds that the app has had it."""
        return self.spent + (now - self.since if self.phase == APP else 0.0)

    def holds(self, now: float) -> bool:
        """Whether it holds one of the places."""
        if self.phase == APP:
            return self.took(now) < HELD
        return self.phase == QUEUED or now - self.waits < SLOW


# The one that this thread has.
CURRENT: ContextVar[Job | None] = ContextVar("luggage_job", default=None)
